"""Every cipher suite that was registered by 2024, or widely deployed without, so that a listener can be asked about each."""

from functools import cache
from importlib.resources import files

from testbed.documented.tls import Suite

# Suites of TLS 1.3 name no key exchange and cannot be used before it; the reverse holds for all
# others (RFC 8446 appendix B.4; RFC 8998, RFC 9150 and RFC 9367 add the last three rows).
_TLS13 = frozenset({*range(0x1301, 0x1308), 0x00C6, 0x00C7, 0xC0B4, 0xC0B5, *range(0xC103, 0xC107)})


@cache
def registry() -> dict[int, Suite]:
    """All suites in ``suites.tsv`` by code, in order. ``openssl`` is empty where OpenSSL has no name for one."""
    lines = files("testbed.wire").joinpath("suites.tsv").read_text("ascii").splitlines()
    rows = (line.split("\t") for line in lines if not line.startswith("#"))
    return {
        int(code, 16): Suite(name, "" if openssl == "-" else openssl, int(code, 16))
        for code, name, openssl in rows
    }


def suite(code: int) -> Suite:
    """The suite with this code; one outside the registry is named by its number, e.g. ``0xFF42``."""
    return registry().get(code) or Suite(f"0x{code:04X}", "", code)


@cache
def offered(version: str) -> tuple[int, ...]:
    """The codes that a client of ``version`` (``"SSLv3"`` to ``"TLSv1.3"``) can offer."""
    return tuple(code for code in registry() if (code in _TLS13) == (version == "TLSv1.3"))
