"""TLS as documented: protocol versions and cipher suites of each engine's listeners.

Sources: DP (ActiveMQ's 18), DP-NEW (RabbitMQ's two, and that TLS 1.3 is not
available there). IANA names are the page's; OpenSSL names are the standard mapping.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Suite:
    """A cipher suite under its IANA name, its OpenSSL name and its two-byte code."""

    iana: str
    openssl: str
    code: int

    @property
    def forward_secret(self) -> bool:
        return "_DHE_" in self.iana or "ECDHE_" in self.iana


def _suites(*rows: tuple[str, str, int]) -> tuple[Suite, ...]:
    return tuple(Suite(*row) for row in rows)


ACTIVEMQ_SUITES = _suites(
    ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384", 0xC030),
    ("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384", "ECDHE-RSA-AES256-SHA384", 0xC028),
    ("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "ECDHE-RSA-AES256-SHA", 0xC014),
    ("TLS_DHE_RSA_WITH_AES_256_GCM_SHA384", "DHE-RSA-AES256-GCM-SHA384", 0x009F),
    ("TLS_DHE_RSA_WITH_AES_256_CBC_SHA256", "DHE-RSA-AES256-SHA256", 0x006B),
    ("TLS_DHE_RSA_WITH_AES_256_CBC_SHA", "DHE-RSA-AES256-SHA", 0x0039),
    ("TLS_RSA_WITH_AES_256_GCM_SHA384", "AES256-GCM-SHA384", 0x009D),
    ("TLS_RSA_WITH_AES_256_CBC_SHA256", "AES256-SHA256", 0x003D),
    ("TLS_RSA_WITH_AES_256_CBC_SHA", "AES256-SHA", 0x0035),
    ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256", 0xC02F),
    ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", "ECDHE-RSA-AES128-SHA256", 0xC027),
    ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "ECDHE-RSA-AES128-SHA", 0xC013),
    ("TLS_DHE_RSA_WITH_AES_128_GCM_SHA256", "DHE-RSA-AES128-GCM-SHA256", 0x009E),
    ("TLS_DHE_RSA_WITH_AES_128_CBC_SHA256", "DHE-RSA-AES128-SHA256", 0x0067),
    ("TLS_DHE_RSA_WITH_AES_128_CBC_SHA", "DHE-RSA-AES128-SHA", 0x0033),
    ("TLS_RSA_WITH_AES_128_GCM_SHA256", "AES128-GCM-SHA256", 0x009C),
    ("TLS_RSA_WITH_AES_128_CBC_SHA256", "AES128-SHA256", 0x003C),
    ("TLS_RSA_WITH_AES_128_CBC_SHA", "AES128-SHA", 0x002F),
)

RABBITMQ_SUITES = _suites(
    ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384", 0xC030),
    ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256", 0xC02F),
)


@dataclass(frozen=True)
class TlsProfile:
    """What every listener of an engine accepts: these versions and suites, nothing else.

    Versions are written ``"TLSv1.2"`` and so on, as both OpenSSL and the JDK do.
    """

    versions: tuple[str, ...]
    suites: tuple[Suite, ...]


# Whether ActiveMQ brokers accept TLS 1.3 is not documented: all 18 suites are
# TLS 1.2 suites, so the default is 1.2 alone, and the profile is a parameter.
PROFILES = {
    "ACTIVEMQ": TlsProfile(("TLSv1.2",), ACTIVEMQ_SUITES),
    "RABBITMQ": TlsProfile(("TLSv1.2",), RABBITMQ_SUITES),
}
