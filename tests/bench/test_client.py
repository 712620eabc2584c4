"""The clients that users have, behind the generators' interface, without a broker."""

from dataclasses import replace

import pytest

from testbed import clients
from testbed.bench.load import client, make_generator
from testbed.bench.load.accounting import Outstanding
from testbed.bench.load.base import Payload, Shape
from testbed.bench.statistics import Latencies
from testbed.bench.target import Encryption, EnvelopeKey, Target
from testbed.clients.base import Address, Destination
from testbed.errors import ClientError

SEALING = Target(
    "RABBITMQ",
    Address("amqp", "127.0.0.1", 5671, "user", "secret"),
    Encryption.parse("tls+envelope"),
    envelope=EnvelopeKey("arn:aws:kms:us-east-1:123456789012:key/k", "http://127.0.0.1"),
)


class Sealing:
    """A payload whose every body costs a call."""

    def __init__(self) -> None:
        self.kms_calls = 0

    def seal(self, body: bytes) -> bytes:
        self.kms_calls += 1
        return body

    open = seal


class Silent:
    """A client that confirms everything and receives nothing."""

    def subscribe(self, destination: Destination) -> None: ...

    def publish(self, destination: Destination, body: bytes, timeout: float) -> None: ...

    def receive(self, timeout: float) -> None: ...

    def close(self) -> None: ...


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def sealing(target: Target) -> Payload:
        return Sealing()

    monkeypatch.setattr(client, "_encrypting", sealing)
    monkeypatch.setattr(clients, "connect", lambda address: Silent())


def test_two_connections_of_one_role_do_not_count_each_others_calls(offline: None) -> None:
    """A requester and a relay have a sender and a receiver: their calls are added up."""
    made = make_generator("client", SEALING)
    destination, shape = Destination.queue("greetings"), Shape(size=100)
    outstanding = Outstanding(Latencies())
    sender = made.sender(destination, shape, run=1, producer=0, outstanding=outstanding)
    receiver = made.receiver(destination, shape)
    sender.send([0, 0])
    assert (sender.kms_calls, receiver.kms_calls) == (2, 0)
    sender.close()
    receiver.close()


def test_sealed_payloads_need_a_key() -> None:
    with pytest.raises(ClientError, match="need a KMS key"):
        make_generator("client", replace(SEALING, envelope=None))
