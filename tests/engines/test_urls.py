"""The URLs in a customer's configuration, wherever they stand."""

import pytest

from testbed.documented import activemq_elements, rabbitmq_keys
from testbed.engines.urls import configured

XML = f'<broker xmlns="{activemq_elements.NAMESPACE}">{{}}</broker>'


@pytest.mark.parametrize(
    ("engine_type", "data", "urls"),
    [
        (
            "RABBITMQ",
            "auth_ldap.servers.1 = u:p@ldap",
            [("setting auth_ldap.servers.1", "u:p@ldap")],
        ),
        ("RABBITMQ", "a.b = https://u:p@h # c", [("setting a.b", "https://u:p@h # c")]),
        ("RABBITMQ", "consumer_timeout = 1000\n# https://h", []),
        ("RABBITMQ", rabbitmq_keys.DEFAULT, []),
        (
            "ACTIVEMQ",
            XML.format(
                '<a uri="ssl&#58;//u&#58;p@h"/><!-- https://h --><b c="d"/><e>https://h</e>'
            ),
            [
                ("a uri", "ssl://u:p@h"),
                ("comment text", " https://h "),
                ("e text", "https://h"),
            ],
        ),
        (
            "ACTIVEMQ",
            '<?xml version="1.0" encoding="utf-16"?>' + XML.format('<a uri="ssl://u:p@h"/>'),
            [("a uri", "ssl://u:p@h")],
        ),
        ("ACTIVEMQ", activemq_elements.DEFAULT, []),
        ("ACTIVEMQ", "", []),
        ("ACTIVEMQ", "no XML", []),
    ],
)
def test_urls_are_found_with_their_place(
    engine_type: str, data: str, urls: list[tuple[str, str]]
) -> None:
    assert list(configured(engine_type, data)) == urls
