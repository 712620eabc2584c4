"""Reassembles a capture file: from its bytes to what each side of a connection sent. No I/O.

The format is libpcap's classic one (draft-ietf-opsawg-pcap). The links are Ethernet, and Linux
"cooked" ones, which a capture on all interfaces of a container has.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address

HEADER_BYTES, RECORD_BYTES = 24, 16
_ETHERNET, _COOKED, _COOKED_2 = 1, 113, 276
_IPV4, _IPV6 = 0x0800, 0x86DD
_TCP, _UDP = 6, 17
_FIN, _SYN = 1, 2
_LOOPBACK, _OUTGOING = 1, 4  # index of the interface, type of the packet


@dataclass(frozen=True)
class Endpoint:
    """One end of a connection."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Packet:
    """One TCP segment or UDP datagram.

    ``sequence`` and ``flags`` are TCP's, ``wire_bytes`` is the size with all headers.
    """

    protocol: int
    source: Endpoint
    destination: Endpoint
    sequence: int
    flags: int
    payload: bytes = field(repr=False)
    wire_bytes: int = 0


@dataclass(frozen=True)
class Stream:
    """What one side of a TCP connection sent.

    There is more than one of ``pieces`` if something in between was not captured.
    """

    source: Endpoint
    destination: Endpoint
    packets: int
    wire_bytes: int
    pieces: tuple[bytes, ...] = field(repr=False)

    @property
    def whole(self) -> bool:
        return len(self.pieces) <= 1

    @property
    def tls(self) -> bool:
        """It begins with a handshake record."""
        return bool(self.pieces) and self.pieces[0][:2] == b"\x16\x03"


@dataclass(frozen=True)
class Format:
    """The byte order and the link type of a capture file."""

    order: str
    link: int


def read_header(data: bytes) -> Format:
    """Read the first ``HEADER_BYTES`` of a file. Raises ``ValueError`` for another format."""
    for order in "<>":
        magic, *_, link = struct.unpack(f"{order}IHHiIII", data)
        if magic in (0xA1B2C3D4, 0xA1B23C4D):  # microseconds, nanoseconds
            return Format(order, link & 0xFFFF)
    raise ValueError("no capture file")


def read_record_size(form: Format, data: bytes) -> tuple[int, int]:
    """Read a record's first ``RECORD_BYTES``: its size in the file, and its size on the wire."""
    captured, size = struct.unpack(f"{form.order}8xII", data)
    return captured, size


def read_packet(form: Format, frame: bytes, size: int) -> Packet | None:
    """Read one packet of TCP or UDP; None for any other.

    None, too, for the second occurrence of a packet on the loopback interface.
    """
    try:
        kind, body = _network_layer(form.link, frame)
        protocol, source, destination, segment = _transport_layer(kind, body)
        from_port, to_port = struct.unpack_from(">HH", segment)
        ends = Endpoint(source, from_port), Endpoint(destination, to_port)
        if protocol == _UDP:
            return Packet(_UDP, *ends, 0, 0, segment[8:], size)
        (sequence,) = struct.unpack_from(">I", segment, 4)
        return Packet(_TCP, *ends, sequence, segment[13], segment[(segment[12] >> 4) * 4 :], size)
    except (struct.error, IndexError, _NotOurs):
        return None


class _NotOurs(Exception):
    """A packet that is of no interest."""


def _network_layer(link: int, frame: bytes) -> tuple[int, bytes]:
    if link == _COOKED_2:
        kind, _, interface, _, direction = struct.unpack_from(">HHIHB", frame)
        if interface == _LOOPBACK and direction == _OUTGOING:
            raise _NotOurs  # it is captured again as incoming
        return kind, frame[20:]
    offset = {_ETHERNET: 12, _COOKED: 14}.get(link)
    if offset is None:
        raise _NotOurs
    (kind,) = struct.unpack_from(">H", frame, offset)
    return kind, frame[offset + 2 :]


def _transport_layer(kind: int, body: bytes) -> tuple[int, str, str, bytes]:
    if kind == _IPV4:
        length, start = int.from_bytes(body[2:4], "big"), (body[0] & 15) * 4
        protocol, addresses = body[9], (body[12:16], body[16:20])
    elif kind == _IPV6:
        length, start = int.from_bytes(body[4:6], "big") + 40, 40
        protocol, addresses = body[6], (body[8:24], body[24:40])
    else:
        raise _NotOurs
    if protocol not in (_TCP, _UDP):
        raise _NotOurs
    # Short frames are padded; a large one that the kernel had not cut up yet may state no length.
    end = length if length > start else len(body)
    return protocol, str(ip_address(addresses[0])), str(ip_address(addresses[1])), body[start:end]


def reassemble(packets: Iterable[Packet]) -> tuple[Stream, ...]:
    """Reassemble TCP, a stream for each direction of a connection, in order of their beginnings."""
    directions: list[_Direction] = []
    open_: dict[tuple[Endpoint, Endpoint], _Direction] = {}
    for packet in packets:
        if packet.protocol != _TCP:
            continue
        ends = packet.source, packet.destination
        direction = open_.get(ends)
        # A new connection between the same ports begins with another SYN than the last one.
        if direction is None or (
            packet.flags & _SYN and (packet.sequence + 1) & 0xFFFFFFFF != direction.start
        ):
            direction = open_[ends] = _Direction(packet)
            directions.append(direction)
        direction.add(packet)
    return tuple(direction.stream() for direction in directions)


class _Direction:
    """One direction in the making: segments by their distance from the first byte."""

    def __init__(self, first: Packet) -> None:
        self._first = first
        self.start = (first.sequence + bool(first.flags & _SYN)) & 0xFFFFFFFF
        self._segments: list[tuple[int, bytes]] = []
        self._last = 0
        self._packets = self._bytes = 0

    def add(self, packet: Packet) -> None:
        self._packets += 1
        self._bytes += packet.wire_bytes
        if not packet.payload:
            return
        # Sequence numbers wrap around at 2^32: take the position nearest to the last one.
        offset = (
            packet.sequence + bool(packet.flags & _SYN) - self.start - self._last
        ) & 0xFFFFFFFF
        self._last += offset if offset < 1 << 31 else offset - (1 << 32)
        self._segments.append((self._last, packet.payload))

    def stream(self) -> Stream:
        return Stream(
            self._first.source,
            self._first.destination,
            self._packets,
            self._bytes,
            tuple(self._pieces()),
        )

    def _pieces(self) -> Iterator[bytes]:
        joined, end = bytearray(), 0
        for offset, payload in sorted(self._segments, key=lambda segment: segment[0]):
            if joined and offset > end:
                yield bytes(joined)
                joined, end = bytearray(), offset
            elif not joined:
                end = offset
            if offset + len(payload) > end:  # the rest was sent before
                joined += payload[end - offset :]
                end = offset + len(payload)
        if joined:
            yield bytes(joined)
