"""With strict names the service refuses what it otherwise accepts, and never repeats it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from testbed.broker import encryption, strict_names
from testbed.broker.requests import Configuration, CreateBroker
from testbed.documented.activemq_elements import NAMESPACE
from testbed.documented.names import PII_SENTENCE, TAGS_SENTENCE, URL_SENTENCE
from testbed.engines.base import NetworkConnector, User
from testbed.errors import BadRequestException, KmsError
from testbed.state.store import State
from tests.support.brokers_offline import offline, request

PASSWORD = "s3cret-of-the-url"
PRIVATE = "jane.doe@example.com"
PHONE = "call-0301234567890"
URL = f"static:(ssl://orders:{PASSWORD}@other:61617)"
XML = (
    f'<broker xmlns="{NAMESPACE}"><networkConnectors><networkConnector name="n" userName="u" '
    f'uri="{URL}"/></networkConnectors></broker>'
)
ACTIVEMQ = request("ACTIVEMQ")
CASES: dict[str, tuple[CreateBroker, str, str]] = {
    "broker name": (replace(request(), broker_name=PHONE), "brokerName", PII_SENTENCE),
    "user name": (
        replace(request(), users=(User(PHONE, "correct-horse-1"),)),
        "username",
        PII_SENTENCE,
    ),
    "tag": (replace(request(), tags={"owner": PRIVATE}), "tags", TAGS_SENTENCE),
    "tag's key": (replace(request(), tags={PRIVATE: "owner"}), "tags", TAGS_SENTENCE),
    "network connector": (
        replace(ACTIVEMQ, network_connectors=(NetworkConnector("n", URL, "admin"),)),
        "networkConnectors",
        URL_SENTENCE,
    ),
    "configuration": (
        replace(ACTIVEMQ, configuration=Configuration("c-1", 1, XML)),
        "data",
        URL_SENTENCE,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_create_broker_is_refused_only_where_strict_names_were_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    def resolve(*_: object) -> None:
        raise KmsError("No keys here.", code="NotFoundException")

    monkeypatch.setattr(encryption, "resolve", resolve)
    refused, attribute, rule = CASES[case]
    with offline(tmp_path) as testbed:
        # Without them it gets as far as KMS.
        with pytest.raises(KmsError, match="No keys here"):
            testbed.brokers.create(refused)
        strict_names.choose(testbed.state, strict=True)
        with pytest.raises(BadRequestException) as strict:
            testbed.brokers.create(refused)
        assert strict.value.error_attribute == attribute
        assert rule in strict.value.message
        for secret in (PRIVATE, PHONE, PASSWORD):
            assert secret not in f"{strict.value} {strict.value.hint}"
        with pytest.raises(KmsError, match="No keys here"):
            testbed.brokers.create(request())


@pytest.mark.parametrize(
    ("parameters", "attribute"),
    [
        ({"Username": PHONE}, "username"),
        ({"Tags": {"owner": PRIVATE}}, "tags"),
        ({"Name": PHONE}, "name"),
        ({"Description": f"by {PRIVATE}"}, "description"),
    ],
)
def test_every_operation_that_names_something_is_checked(
    parameters: dict[str, Any], attribute: str
) -> None:
    with pytest.raises(BadRequestException) as caught:
        strict_names.check_parameters(parameters)
    assert caught.value.error_attribute == attribute


def test_they_are_chosen_for_the_folders_life_and_can_be_given_up(tmp_path: Path) -> None:
    assert not strict_names.chosen(State(tmp_path))
    strict_names.choose(State(tmp_path), strict=True)
    assert strict_names.chosen(State(tmp_path))
    strict_names.choose(State(tmp_path), strict=False)
    assert not strict_names.chosen(State(tmp_path))
