"""Client-side encryption: a sealed payload is opaque to console and disk, and needs the key."""

import base64
import json
import logging
import secrets
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import boto3

from testbed import clients
from testbed.aws.endpoint import serve
from testbed.broker.model import Broker
from testbed.cli.scenario import run_file
from testbed.clients import QUEUE_PROTOCOL, Destination
from testbed.clients.console import Console
from testbed.clients.envelope import Envelope
from testbed.engines.base import UNENCRYPTED
from testbed.errors import ClientError
from testbed.evidence import Observation, contrast
from testbed.results import Finding
from testbed.storage import raw
from testbed.testbed import Testbed

logger = logging.getLogger(__name__)

TITLE = "A payload that not even the broker can read, and how many calls to KMS it costs"
CLAIMS = ("E1",)
TURNS_CLOCK = True
_CONSOLE = {"RABBITMQ": "management", "ACTIVEMQ": "console"}
_MESSAGES = 20


def run(testbed: Testbed) -> Iterator[Finding | str]:
    """Use a broker of each engine with a plain volume, so that the disk hides nothing."""
    key = testbed.new_key("of payloads")
    with serve(testbed) as endpoint:
        kms = boto3.client("kms", **endpoint.client())
        for engine_type in QUEUE_PROTOCOL:
            logger.info("  sealed and unsealed messages through %s", engine_type)
            # Without encryption at rest, only the envelope keeps the payload from the disk.
            broker = testbed.control(engine_type, UNENCRYPTED)
            yield _opaque(testbed, broker, Envelope(kms, key))
        yield _without_the_key(testbed, kms, key)
        for cached in (False, True):
            envelope = Envelope(kms, key, cached=cached)
            opened = [envelope.open(envelope.seal(b"%d" % number)) for number in range(_MESSAGES)]
            assert opened == [b"%d" % number for number in range(_MESSAGES)]
            yield (
                f"{_MESSAGES} bodies sealed and opened {'with' if cached else 'without'} "
                f"data-key caching: {envelope.kms_calls} calls to KMS"
            )


def _opaque(testbed: Testbed, broker: Broker, envelope: Envelope) -> Finding:
    canary = f"canary-{secrets.token_hex(16)}".encode()
    sealed = envelope.seal(canary, {"purpose": "testbed"})
    consumed, looks = _inspect(testbed, broker, sealed, canary)
    same = envelope.open(consumed) == canary
    in_clear, control = _inspect(testbed, broker, canary, canary)
    opens = f"what the consumer received {'opens to' if same else 'is not'} what was sealed"
    return contrast(
        "E1",
        f"a sealed payload through {broker.engine_type}",
        looks,
        "the same payload as it is",
        control,
        also=(Observation(same and in_clear == canary, opens),),
    )


def _inspect(
    testbed: Testbed, broker: Broker, body: bytes, canary: bytes
) -> tuple[bytes, tuple[Observation, Observation]]:
    """Send a message and look for the canary in the console and on disk; return what comes back."""
    queue = Destination.queue(f"client-side-{secrets.token_hex(4)}")
    with clients.connect(
        testbed.brokers.address(broker, QUEUE_PROTOCOL[broker.engine_type])
    ) as client:
        client.publish(queue, body)
        shown = _console(testbed, broker, queue.name)
        disk = raw.on_disk(testbed.containers, broker.nodes[0].container_id, canary)
        client.subscribe(queue)
        message = client.receive(timeout=15)
        if message is None:
            raise ClientError("the message did not come back")
        message.acknowledge()
    numbers = ",".join(map(str, canary)).encode()  # how the console's API encodes bytes
    readable = any(
        form in shown for form in (canary, base64.b64encode(canary), canary.hex().encode(), numbers)
    )
    return message.body, (
        Observation(
            not readable,
            f"the console shows the message ({len(shown):,} bytes of answer), "
            f"and the payload {'can be read in it' if readable else 'cannot be read in it'}",
        ),
        Observation(
            disk.hits == 0 and disk.scanned > 0,
            f"the canary is {disk.hits} times in {disk.scanned:,} raw bytes of an unencrypted "
            "volume",
        ),
    )


def _console(testbed: Testbed, broker: Broker, queue: str) -> bytes:
    """Return the queue's messages from the management interface or the console's API.

    Raises ``ClientError`` when it shows none: no payload can be read in that either.
    """
    console = Console(testbed.brokers.address(broker, _CONSOLE[broker.engine_type]))
    if broker.engine_type == "RABBITMQ":
        request = {"count": 10, "ackmode": "ack_requeue_true", "encoding": "auto"}
        answer = console.request("POST", f"/api/queues/%2F/{quote(queue)}/get", request)
        messages = json.loads(answer)
    else:
        name = (
            f"org.apache.activemq:type=Broker,brokerName={broker.broker_name},"
            f"destinationType=Queue,destinationName={queue}"
        )
        browse = {"type": "exec", "mbean": name, "operation": "browse()"}
        answer = console.request("POST", "/api/jolokia/", browse)
        messages = json.loads(answer).get("value")  # Jolokia answers errors with HTTP 200, too
    if not messages:
        raise ClientError(f"the console of {broker.engine_type} does not show the message")
    return answer.replace(b" ", b"")


def _without_the_key(testbed: Testbed, kms: Any, key: str) -> Finding:
    """Check that sealing and opening fail while the key is disabled, and only then."""
    sealed = Envelope(kms, key).seal(b"sealed while the key was enabled")

    def attempts() -> list[Observation]:
        return [
            _refused("opening", lambda: Envelope(kms, key).open(sealed)),
            _refused("sealing", lambda: Envelope(kms, key).seal(b"another")),
        ]

    testbed.kms.call(testbed.user, "DisableKey", {"KeyId": key})
    testbed.wait_out_delay()
    disabled = attempts()
    testbed.kms.call(testbed.user, "EnableKey", {"KeyId": key})
    return contrast(
        "E1", "while the key is disabled", disabled, "once it is enabled again", attempts()
    )


def _refused(what: str, attempt: Callable[[], object]) -> Observation:
    """Make an attempt; ``yes`` if it is refused. The Encryption SDK does not say why."""
    try:
        attempt()
    except ClientError as error:
        return Observation(yes=True, evidence=f"{what} is refused: {error}")
    return Observation(yes=False, evidence=f"{what} is carried out")


if __name__ == "__main__":
    run_file(__file__)
