"""TLS as documented: protocol versions and cipher suites of each engine's listeners.

Sources: DP (ActiveMQ's 18 suites), DP-NEW (RabbitMQ's two, and no TLS 1.3), RFC 8446. The IANA
names are the page's; the OpenSSL names are the standard mapping.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Suite:
    """A cipher suite under its IANA name, its OpenSSL name and its two-byte code."""

    iana: str
    openssl: str
    code: int

    @property
    def forward_secret(self) -> bool:
        return "_DHE_" in self.iana or "ECDHE_" in self.iana


def suites(*rows: tuple[str, str, int]) -> tuple[Suite, ...]:
    """Return suites from rows of IANA name, OpenSSL name and code."""
    return tuple(Suite(*row) for row in rows)


ACTIVEMQ_SUITES = suites(
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

RABBITMQ_SUITES = suites(
    ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384", 0xC030),
    ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256", 0xC02F),
)

# Amazon MQ names no suites of TLS 1.3. A listener with that version gets these two: the mandatory
# suite of RFC 8446 (section 9.1) and its stronger sibling.
TLS13_SUITES = suites(
    ("TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384", 0x1302),
    ("TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256", 0x1301),
)


@dataclass(frozen=True)
class TlsProfile:
    """What every listener of an engine accepts: exactly these versions and suites.

    Versions are spelled ``"TLSv1.2"``, as by OpenSSL and the JDK. The page does not mention
    ``unstated`` versions: a listener may accept or refuse them.
    """

    versions: tuple[str, ...]
    suites: tuple[Suite, ...]
    unstated: tuple[str, ...] = ()


# Editions of the page. The newer one (DP-NEW) adds that TLS 1.3 is not available for RabbitMQ
# brokers; the older one (DP) does not mention it.
Edition = Literal["newer", "older"]


def profile(engine: str, *, edition: Edition = "newer", activemq_tls13: bool = False) -> TlsProfile:
    """Return the profile of ``ACTIVEMQ`` or ``RABBITMQ``.

    No edition says whether ActiveMQ brokers accept TLS 1.3. All 18 suites are for TLS 1.2, so the
    testbed's brokers refuse 1.3 unless ``activemq_tls13``.
    """
    if engine == "RABBITMQ":
        return TlsProfile(
            ("TLSv1.2",), RABBITMQ_SUITES, unstated=("TLSv1.3",) if edition == "older" else ()
        )
    if activemq_tls13:
        return TlsProfile(("TLSv1.2", "TLSv1.3"), ACTIVEMQ_SUITES + TLS13_SUITES)
    return TlsProfile(("TLSv1.2",), ACTIVEMQ_SUITES)


PROFILES = {engine: profile(engine) for engine in ("ACTIVEMQ", "RABBITMQ")}

# Clients of AWS's own APIs: "We require TLS 1.2 and recommend TLS 1.3" and "must also support
# cipher suites with perfect forward secrecy" (DP, "infrastructure security"). No page lists the
# suites; these are the secure ones of each version.
API = TlsProfile(
    ("TLSv1.2", "TLSv1.3"),
    (
        *RABBITMQ_SUITES,
        *TLS13_SUITES,
        Suite("TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256", 0x1303),
    ),
)
