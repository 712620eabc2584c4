"""Reassembly: any segmentation, order and repetition, across a wrap of the sequence numbers."""

import struct
from ipaddress import ip_address
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.wire.packets import (
    Endpoint,
    Format,
    Packet,
    read_header,
    read_packet,
    read_record_size,
    reassemble,
)

CLIENT, SERVER = Endpoint("172.19.0.1", 40000), Endpoint("172.19.0.2", 5671)
SYN, ACK, FIN = 2, 16, 1


def segment(
    sequence: int,
    payload: bytes,
    flags: int = ACK,
    source: Endpoint = CLIENT,
    destination: Endpoint = SERVER,
) -> Packet:
    return Packet(6, source, destination, sequence & 0xFFFFFFFF, flags, payload, len(payload) + 54)


# From bytes


def ip(payload: bytes, version: int = 4, protocol: int = 6) -> bytes:
    if version == 4:
        return (
            struct.pack(
                ">BBHHHBBH4s4s",
                0x45,
                0,
                20 + len(payload),
                0,
                0,
                64,
                protocol,
                0,
                ip_address(CLIENT.host).packed,
                ip_address(SERVER.host).packed,
            )
            + payload
        )
    return (
        struct.pack(
            ">IHBB16s16s",
            6 << 28,
            len(payload),
            protocol,
            64,
            ip_address("fd00::1").packed,
            ip_address("fd00::2").packed,
        )
        + payload
    )


TCP = (
    struct.pack(">HHIIBBHHH", CLIENT.port, SERVER.port, 7, 0, 0x80, SYN | ACK, 0, 0, 0)
    + bytes(12)
    + b"hello"
)
SLL2 = struct.pack(">HHIHBB8s", 0x0800, 0, 5, 1, 0, 6, bytes(8))


@pytest.mark.parametrize(
    ("link", "frame"),
    [
        (1, bytes(12) + b"\x08\0" + ip(TCP) + bytes(6)),  # padded, as short frames are
        (113, bytes(14) + b"\x08\0" + ip(TCP)),
        (276, SLL2 + ip(TCP)),
    ],
)
def test_every_kind_of_link(link: int, frame: bytes) -> None:
    packet = read_packet(Format("<", link), frame, 99)
    assert packet == Packet(6, CLIENT, SERVER, 7, SYN | ACK, b"hello", 99)


def test_ip_version_6_and_udp() -> None:
    six = read_packet(Format("<", 1), bytes(12) + b"\x86\xdd" + ip(TCP, 6), 99)
    assert six
    assert (str(six.source), six.payload) == ("fd00::1:40000", b"hello")
    datagram = read_packet(
        Format("<", 1),
        bytes(12) + b"\x08\0" + ip(struct.pack(">HHHH", 1, 9, 13, 0) + b"hello", protocol=17),
        99,
    )
    assert datagram
    assert (datagram.protocol, datagram.destination.port, datagram.payload) == (
        17,
        9,
        b"hello",
    )


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        bytes(12) + b"\x08\x06" + bytes(28),  # ARP
        bytes(12) + b"\x08\0" + ip(b"", protocol=1),  # ICMP
        bytes(12) + b"\x08\0" + ip(TCP)[:30],
    ],
)
def test_what_says_nothing_here_is_left_out(frame: bytes) -> None:
    assert read_packet(Format("<", 1), frame, 0) is None
    assert read_packet(Format("<", 999), frame, 0) is None


def test_what_the_loopback_interface_shows_twice_is_seen_once() -> None:
    def cooked(interface: int, direction: int) -> Packet | None:
        return read_packet(
            Format("<", 276),
            struct.pack(">HHIHBB8s", 0x0800, 0, interface, 772, direction, 6, bytes(8)) + ip(TCP),
            0,
        )

    assert cooked(1, 0)
    assert cooked(1, 4) is None
    assert cooked(5, 4)


@given(st.binary(max_size=120), st.sampled_from([1, 113, 276]))
def test_no_frame_breaks_it(frame: bytes, link: int) -> None:
    read_packet(Format("<", link), frame, 0)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("magic", [0xA1B2C3D4, 0xA1B23C4D])
def test_a_files_header_and_records(order: str, magic: int) -> None:
    form = read_header(struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 262144, 276))
    assert form == Format(order, 276)
    assert read_record_size(form, struct.pack(f"{order}IIII", 1, 2, 60, 61)) == (60, 61)
    with pytest.raises(ValueError, match="no capture file"):
        read_header(bytes(24))


# Put together


@given(
    content=st.binary(min_size=1, max_size=400),
    cuts=st.lists(st.integers(0, 400), max_size=8),
    start=st.sampled_from([0, 1000, 2**32 - 1, 2**32 - 100]),
    data=st.data(),
)
def test_any_order_and_repetition_gives_the_content(
    content: bytes, cuts: list[int], start: int, data: st.DataObject
) -> None:
    borders = sorted({0, len(content), *(cut % len(content) for cut in cuts)})
    segments = [segment(start + 1 + begin, content[begin:end]) for begin, end in pairwise(borders)]
    segments += data.draw(st.lists(st.sampled_from(segments), max_size=4))
    overlapping = data.draw(st.integers(0, len(content) - 1))
    segments.append(segment(start + 1 + overlapping, content[overlapping : overlapping + 50]))
    shuffled = data.draw(st.permutations(segments))
    (stream,) = reassemble([segment(start, b"", SYN), *shuffled])
    assert stream.pieces == (content,)
    assert stream.whole


def test_a_needle_across_two_segments_is_whole_and_across_a_gap_is_not() -> None:
    (joined,) = reassemble([segment(0, b"", SYN), segment(1, b"xxcan"), segment(6, b"aryxx")])
    assert b"canary" in joined.pieces[0]
    (gapped,) = reassemble([segment(0, b"", SYN), segment(1, b"xxcan"), segment(7, b"aryxx")])
    assert gapped.pieces == (b"xxcan", b"aryxx")
    assert not gapped.whole


def test_directions_connections_and_new_ones_between_the_same_ports_are_apart() -> None:
    packets = [
        segment(100, b"", SYN),
        segment(500, b"", SYN | ACK, SERVER, CLIENT),
        segment(101, b"question"),
        segment(100, b"", SYN),  # again: no new connection
        segment(501, b"answer", ACK, SERVER, CLIENT),
        segment(9000, b"", SYN),
        segment(9001, b"second"),
    ]
    assert [(stream.source, stream.pieces) for stream in reassemble(packets)] == [
        (CLIENT, (b"question",)),
        (SERVER, (b"answer",)),
        (CLIENT, (b"second",)),
    ]


def test_a_connection_that_began_before_the_capture() -> None:
    (stream,) = reassemble([segment(5000, b"world"), segment(4995, b"hello")])
    assert stream.pieces == (b"helloworld",)


def test_packets_and_bytes_are_counted_and_a_handshake_is_known() -> None:
    (stream,) = reassemble(
        [segment(0, b"", SYN), segment(1, b"\x16\x03\x01\0\5hello"), segment(11, b"", FIN | ACK)]
    )
    assert (stream.packets, stream.wire_bytes, stream.tls) == (3, 54 * 3 + 10, True)
    assert reassemble([]) == ()
    (empty,) = reassemble([segment(0, b"", SYN)])
    assert empty.pieces == ()
    assert empty.whole
    assert not empty.tls
