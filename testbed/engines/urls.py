"""Customers' URLs of other servers, which may not contain credentials (DP)."""

import re
from collections.abc import Iterator
from urllib.parse import unquote

from testbed.errors import BadRequestException

# DP.
_SENTENCE = (
    "If you provide a URL to an external server, we strongly recommend that you do not include "
    "credentials information in the URL to validate your request to that server."
)
_USER_INFO = re.compile(r"(?:\A[/\\]*|:[/\\]{2,})[^/\\?#@]*@")
# An unescaped password with a slash or the like: no port where one should be, then an @.
_RAW_PASSWORD = re.compile(r":[/\\]{2,}[^/\\?#@:\[]*:(?!\d*(?:[/\\?#,)]|\Z))[^@]*@")
_SECRET_PARAMETER = re.compile(
    r"[?&;][\w.-]*(?:password|passwd|secret|token)=[^&;)]", re.IGNORECASE
)


def check_no_credentials_in_url(url: str, error_attribute: str = "url") -> None:
    """Raise ``BadRequestException`` for a URL with user information or a secret parameter.

    The message does not repeat the URL. All forms that brokers take are known: ``failover:(...)``,
    ``static:(...)``, LDAP and AMQP URLs, a host without a scheme, percent-encoded or not. A user
    name alone is refused too: it is half of the credentials, or a token.
    """
    if any(
        pattern.search(form)
        for form in _decoded(url)
        for pattern in (_USER_INFO, _RAW_PASSWORD, _SECRET_PARAMETER)
    ):
        raise BadRequestException(
            f"The URL contains credentials. {_SENTENCE}", error_attribute=error_attribute
        )


def _decoded(url: str) -> Iterator[str]:
    """Yield the URL, then the URL with each further layer of percent-encoding removed."""
    while True:
        yield url
        plain = unquote(url)
        if plain == url:
            return
        url = plain
