"""Captures what crosses a broker's network, from inside; the host needs nothing for it.

tcpdump runs in a separate container that shares the broker's network and has the one capability it
needs. Packets come over its standard output into memory: they may hold passwords, so they are never
written to a file or a log.
"""

import base64
import secrets
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

from testbed.errors import ContainerFailed
from testbed.runtime.containers import Containers, ContainerSpec
from testbed.runtime.exec import Exec, open_exec
from testbed.runtime.images import ImageSpec
from testbed.wire import packets
from testbed.wire.packets import Endpoint, Packet, Stream

IMAGE = ImageSpec("capture", "capture")
# Unbuffered, without name look-ups, keeping the capability; 32 MiB of buffer in the kernel.
# fmt: off
_TCPDUMP = [
    "tcpdump", "-i", "any", "-n", "-U", "--immediate-mode", "-s", "0", "-B", "32768", "-Z", "root",
    "-w", "-", "tcp or (udp and port 9)",
]
# fmt: on
_DISCARD = 9  # the port of the last packet; nobody has to listen there
_PATIENCE = 30.0  # seconds, for tcpdump to begin and for its last packet
_MOST = 256 * 2**20  # bytes of packets that are kept


@dataclass(frozen=True)
class Sighting:
    """How often a needle, written as ``form``, is in what ``source`` sent to ``destination``."""

    needle: str
    form: str
    source: Endpoint
    destination: Endpoint
    count: int

    def __str__(self) -> str:
        ends = f"from {self.source} to {self.destination}"
        return f"{self.needle} ({self.form}) {self.count} times {ends}"


@dataclass(frozen=True)
class Capture:
    """The captured TCP packets: their number, their bytes with all headers, and their streams."""

    packets: int
    wire_bytes: int
    streams: tuple[Stream, ...] = field(repr=False)

    def on(self, *ports: int) -> "Capture":
        """Return the part with one of ``ports`` at either end."""
        return _capture(
            stream
            for stream in self.streams
            if {stream.source.port, stream.destination.port} & set(ports)
        )

    def between(self, *hosts: str) -> "Capture":
        """Return the part with both ends among ``hosts`` (IP addresses)."""
        return _capture(
            stream
            for stream in self.streams
            if {stream.source.host, stream.destination.host} <= set(hosts)
        )

    @property
    def payload_bytes(self) -> int:
        """Bytes of payload, each counted once."""
        return sum(len(piece) for stream in self.streams for piece in stream.pieces)

    @property
    def whole(self) -> bool:
        """Nothing is missing in between: a needle that is not found was not sent."""
        return all(stream.whole for stream in self.streams)

    @property
    def in_clear(self) -> tuple[Stream, ...]:
        """The streams with a payload that do not begin with a TLS handshake."""
        return tuple(stream for stream in self.streams if stream.pieces and not stream.tls)

    def find(self, needles: Mapping[str, bytes]) -> tuple[Sighting, ...]:
        """Look for each needle (by a name that may be shown), in all the forms of ``forms``."""
        return tuple(
            Sighting(name, form, stream.source, stream.destination, count)
            for stream in self.streams
            for name, needle in needles.items()
            for form, written in forms(needle).items()
            if (count := sum(piece.count(written) for piece in stream.pieces))
        )


def _capture(streams: Iterable[Stream]) -> Capture:
    kept = tuple(streams)
    packet_count = sum(stream.packets for stream in kept)
    return Capture(packet_count, sum(stream.wire_bytes for stream in kept), kept)


def forms(needle: bytes) -> dict[str, bytes]:
    """Return the needle as it is, in hex, and in base64 at each of three alignments.

    Of base64 only the characters that depend on nothing but the needle.
    """
    if not needle:
        raise ValueError("nothing to look for")
    written = {"as it is": needle, "hex": needle.hex().encode()}
    for before in range(3):
        # The first and the last character carry bits of their neighbours, too.
        encoded = base64.b64encode(bytes(before) + needle)
        first = (before * 8 + 5) // 6
        last = (before + len(needle)) * 8 // 6
        if last - first >= 8:  # any shorter and it would be found by chance
            written[f"base64, {before} bytes in"] = encoded[first:last]
    return written


class Recording:
    """A capture in progress."""

    def __init__(self, containers: Containers, container: str, tcpdump: Exec) -> None:
        self._containers, self._container, self._tcpdump = containers, container, tcpdump
        self._form = packets.read_header(tcpdump.read(packets.HEADER_BYTES, _PATIENCE))
        self._last = secrets.token_hex(16).encode()
        self._packets: list[Packet] = []
        self._ended = threading.Event()
        self._failure: Exception | None = None
        threading.Thread(target=self._listen, name="capture", daemon=True).start()

    def _listen(self) -> None:
        kept = 0
        try:
            while True:
                record = self._tcpdump.read(packets.RECORD_BYTES, float(threading.TIMEOUT_MAX))
                captured, size = packets.read_record_size(self._form, record)
                packet = packets.read_packet(
                    self._form, self._tcpdump.read(captured, _PATIENCE), size
                )
                if packet is None:
                    continue
                if packet.destination.port == _DISCARD and packet.payload == self._last:
                    break
                kept += captured
                if kept > _MOST:
                    self._failure = ContainerFailed(
                        f"More than {_MOST >> 20} MiB were captured.",
                        hint="Capture a shorter time or less traffic.",
                    )
                    break
                self._packets.append(packet)
        except (ContainerFailed, TimeoutError, ValueError) as error:
            self._failure = error
        self._ended.set()

    def stop(self) -> Capture:
        """Return everything up to now. Raises ``ContainerFailed`` when the capture broke off.

        How long a packet takes from the kernel to here is unknown, so a last one is sent after the
        others: when it has arrived, they have.
        """
        send = f"printf %s {self._last.decode()} > /dev/udp/127.0.0.1/{_DISCARD}"
        self._containers.execute(self._container, ["bash", "-c", send])
        if not self._ended.wait(_PATIENCE):
            raise ContainerFailed(f"The capture did not end within {_PATIENCE:.0f} s.")
        if self._failure:
            raise ContainerFailed(f"The capture broke off: {self._failure}") from self._failure
        captured = [packet for packet in self._packets if packet.protocol == 6]
        return Capture(
            len(captured),
            sum(packet.wire_bytes for packet in captured),
            packets.reassemble(captured),
        )


@contextmanager
def capturing(containers: Containers, container: str, image: str) -> Iterator[Recording]:
    """Capture the network of ``container``, loopback included, during the ``with`` block.

    ``image`` is the tag of ``IMAGE``. Raises ``ContainerFailed`` when it cannot begin.
    """
    beside = containers.run(
        ContainerSpec(
            name=f"{containers.instance}-capture-{secrets.token_hex(4)}",
            image=image,
            role="capture",
            network_of=container,
            capabilities=("NET_RAW",),
        )
    )
    try:
        with closing(open_exec(beside, _TCPDUMP)) as tcpdump:
            yield _begun(containers, beside, tcpdump)
    finally:
        containers.remove(beside)


def _begun(containers: Containers, container: str, tcpdump: Exec) -> Recording:
    try:
        return Recording(containers, container, tcpdump)
    except (TimeoutError, ValueError, ContainerFailed) as error:
        raise ContainerFailed(
            "The capture could not begin: tcpdump says nothing.",
            hint=f"`docker exec {container[:12]} tcpdump -i any` shows why.",
        ) from error
