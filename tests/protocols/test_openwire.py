"""OpenWire's login, against the frames that ActiveMQ 5.19.2 sends (recorded from one)."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.protocols import openwire

# Its WireFormatInfo, shortened to one property: OpenWire version 12.
GREETING = (
    bytes.fromhex("014163746976654d510000000c010000002000000001000d")
    + b"\0\x11StackTraceEnabled\1\1"
)
BROKER_INFO = bytes.fromhex("020000000000017c0100") + b"\x04ID:x" + bytes(20)
ACCEPTED = bytes.fromhex("1e000000000000000001")
REFUSED = (
    bytes.fromhex("1f0000000000000000010101001b")
    + b"java.lang.SecurityException\1\0\x29User name [admin] or password is invalid."
)


def test_the_client_greets_as_the_broker_does() -> None:
    assert openwire.is_greeting(openwire.wire_format())
    assert openwire.is_greeting(GREETING)
    assert not openwire.is_greeting(BROKER_INFO)


@pytest.mark.parametrize("received", [b"HTTP/1.1 400", b"", GREETING[:4]])
def test_what_is_no_greeting(received: bytes) -> None:
    assert not openwire.is_greeting(received)


def test_the_size_of_the_properties_is_that_of_the_properties() -> None:
    body = openwire.wire_format()[9:]
    version, present, size = struct.unpack_from(">i?i", body)
    assert (version, present, size) == (1, True, len(body) - 9)


def test_a_login_carries_the_user_and_asks_for_an_answer() -> None:
    body = openwire.connection_info("client", "admin", "a password")
    command = openwire.command(openwire.CONNECTION_INFO, 7, body, answer=True)
    assert command[:6] == bytes.fromhex("030000000701")
    texts = [openwire.string(text) for text in ("client", "a password", "admin")]
    assert b"".join(texts) in command
    assert openwire.frame(command) == struct.pack(">i", len(command)) + command


def test_a_refusal_says_what_the_broker_said() -> None:
    reason = "java.lang.SecurityException: User name [admin] or password is invalid."
    assert openwire.refusal(REFUSED) == reason
    assert openwire.refusal(REFUSED[:10] + b"\0") == "no reason given"


@pytest.mark.parametrize("received", [ACCEPTED, BROKER_INFO, GREETING])
def test_what_is_no_refusal(received: bytes) -> None:
    assert openwire.refusal(received) == ""


@given(st.binary(min_size=1, max_size=100))
def test_no_bytes_break_the_reader(received: bytes) -> None:
    openwire.refusal(received)


@pytest.mark.parametrize("in_transaction", [False, True])
def test_a_message_says_where_its_fields_are(in_transaction: bool) -> None:
    connection = openwire.string("c")
    producer = openwire.structure(openwire.PRODUCER_ID, connection + struct.pack(">qq", 1, 1))
    destination = openwire.structure(100, openwire.string("queue"))
    transaction = openwire.structure(
        openwire.LOCAL_TRANSACTION,
        bytes(8) + openwire.structure(openwire.CONNECTION_ID, connection),
    )
    message = openwire.bytes_message(
        producer,
        destination,
        transaction if in_transaction else openwire.NULL,
        b"the content",
        persistent=True,
    )
    frame = message.frame
    assert int.from_bytes(frame[:4], "big") == len(frame) - 4
    assert frame[message.content : message.content + 11] == b"the content"
    at = message.command + 5
    for _ in ("producer", "destination", "transaction", "original destination"):
        if frame[at : at + 2] == bytes([1, openwire.LOCAL_TRANSACTION]):
            assert message.transaction == at + 2
        at = openwire.skip(frame, at)
    assert frame[at : at + 2] == bytes([1, openwire.MESSAGE_ID])
    assert message.sequence == openwire.skip(frame, at) - 16
    assert message.sequence < message.timestamp < message.content
