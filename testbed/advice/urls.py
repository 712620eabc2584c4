"""Customers' URLs of other servers, which should not contain credentials (DP)."""

import re
from collections.abc import Iterator
from urllib.parse import unquote

_USER_INFO = re.compile(r"(?:\A[/\\]*|:[/\\]{2,})[^/\\?#@]*@")
# An unescaped password with a slash or the like: no port where one should be, then an @.
_RAW_PASSWORD = re.compile(r":[/\\]{2,}[^/\\?#@:\[]*:(?!\d*(?:[/\\?#,)]|\Z))[^@]*@")
_SECRET_PARAMETER = re.compile(
    r"[?&;][\w.-]*(?:password|passwd|secret|token)=[^&;)]", re.IGNORECASE
)


def has_credentials(url: str) -> bool:
    """Whether a URL has user information or a secret parameter.

    All forms that brokers take are known: ``failover:(...)``, ``static:(...)``, LDAP and AMQP URLs,
    a host without a scheme, percent-encoded or not. A user name alone counts too: it is half of the
    credentials, or a token.
    """
    return any(
        pattern.search(form)
        for form in _decoded(url)
        for pattern in (_USER_INFO, _RAW_PASSWORD, _SECRET_PARAMETER)
    )


def _decoded(url: str) -> Iterator[str]:
    """Yield the URL, then the URL with each further layer of percent-encoding removed."""
    while True:
        yield url
        plain = unquote(url)
        if plain == url:
            return
        url = plain
