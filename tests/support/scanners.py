"""sslscan and testssl.sh in a container that shares a broker's network, in the prober's terms."""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from xml.etree import ElementTree as ET

from testbed.runtime.containers import Containers, ContainerSpec
from testbed.runtime.images import ImageSpec

IMAGE = ImageSpec("scanners", "scanners")
_SSLSCAN = {"TLSv1.0": "TLSv1"}
_TESTSSL = {
    "ssl3": "SSLv3",
    "tls1": "TLSv1",
    "tls1_1": "TLSv1.1",
    "tls1_2": "TLSv1.2",
    "tls1_3": "TLSv1.3",
}
# Without checks that are not compared, to make them faster.
SSLSCAN = (
    "sslscan",
    "--xml=-",
    "--no-colour",
    "--no-heartbleed",
    "--no-fallback",
    "--no-renegotiation",
    "--no-compression",
    "--no-check-certificate",
)
TESTSSL = (
    "testssl",
    "--quiet",
    "--color",
    "0",
    "--warnings",
    "off",
    "--nodns",
    "none",
    "--ip",
    "127.0.0.1",
    "-E",
)


@dataclass(frozen=True)
class Found:
    """Accepted suites by version, in order; if reported, each suite's group size and all groups."""

    suites: dict[str, tuple[int, ...]]
    bits: dict[int, int] = field(default_factory=dict)
    groups: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Scanners:
    containers: Containers
    container: str

    def run(self, *argv: str) -> str:
        code, output = self.containers.execute(self.container, argv)
        text = output.decode(errors="replace")
        # testssl.sh exits with 1 for a listener that it criticises.
        assert code in {0, 1}, text[-1000:]
        return text

    def sslscan(self, port: int) -> Found:
        root = ET.fromstring(self.run(*SSLSCAN, f"127.0.0.1:{port}"))
        suites: dict[str, list[int]] = {}
        bits: dict[int, int] = {}
        for cipher in root.iter("cipher"):
            code = int(str(cipher.get("id")), 16)
            version = str(cipher.get("sslversion"))
            suites.setdefault(_SSLSCAN.get(version, version), []).append(code)
            size = cipher.get("ecdhebits") or cipher.get("dhebits")
            if size:
                bits[code] = int(size)
        groups = frozenset(int(str(group.get("id")), 16) for group in root.iter("group"))
        return Found({version: tuple(codes) for version, codes in suites.items()}, bits, groups)

    def testssl(self, port: int) -> Found:
        result = f"/tmp/{secrets.token_hex(8)}.json"
        self.run(*TESTSSL, "--jsonfile", result, f"localhost:{port}")
        suites: dict[str, list[int]] = {}
        for finding in json.loads(self.run("cat", result)):
            kind, _, rest = finding["id"].partition("-")
            version, _, code = rest.rpartition("_x")
            if kind == "cipher" and version in _TESTSSL:
                suites.setdefault(_TESTSSL[version], []).append(int(code, 16))
        return Found({version: tuple(codes) for version, codes in suites.items()})


@contextmanager
def beside(containers: Containers, container: str) -> Iterator[Scanners]:
    """Run the scanners in the network of ``container``, with its listeners on 127.0.0.1."""
    tag = containers.ensure_image(IMAGE)
    spec = ContainerSpec(
        name=f"{containers.instance}-scanners-{secrets.token_hex(3)}",
        image=tag,
        role="scanners",
        network_of=container,
    )
    identity = containers.run(spec)
    try:
        yield Scanners(containers, identity)
    finally:
        containers.remove(identity)
