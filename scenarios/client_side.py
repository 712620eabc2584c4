"""Client-side encryption: a sealed payload is opaque to console and disk, and needs the key."""

import base64
import http.client
import json
import logging
import secrets
import ssl
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import boto3

from testbed import clients
from testbed.aws.endpoint import serve
from testbed.broker.model import Broker, Endpoint
from testbed.cli.scenario import run_file
from testbed.clients import QUEUE_PROTOCOL, Destination
from testbed.clients.envelope import Envelope
from testbed.engines.base import UNENCRYPTED
from testbed.errors import ClientError
from testbed.results import Finding, Verdict
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
    consumed, evidence = _inspect(testbed, broker, sealed, canary)
    same = consumed is not None and envelope.open(consumed) == canary
    in_clear, control = _inspect(testbed, broker, canary, canary)
    return Finding(
        "E1",
        f"a sealed payload through {broker.engine_type}",
        Verdict.of(same),
        (
            *evidence,
            f"what the consumer received {'opens to' if same else 'is not'} what was sealed",
        ),
        Finding("E1", "the same payload as it is", Verdict.of(in_clear is not None), control),
    )


def _inspect(
    testbed: Testbed, broker: Broker, body: bytes, canary: bytes
) -> tuple[bytes | None, tuple[str, ...]]:
    """Look for a message in the console and on disk.

    Return the consumed body, or None if the canary was visible.
    """
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
    readable = [
        form
        for form in (canary, base64.b64encode(canary), canary.hex().encode(), numbers)
        if form in shown
    ]
    evidence = (
        (
            f"the console shows the message ({len(shown):,} bytes of answer), "
            f"and the payload {'can be read in it' if readable else 'cannot be read in it'}"
        ),
        f"the canary is {disk.hits} times in {disk.scanned:,} raw bytes of an unencrypted volume",
    )
    return (None if readable or disk.hits else message.body), evidence


def _console(testbed: Testbed, broker: Broker, queue: str) -> bytes:
    """Return the queue's messages from the management interface or the console's API."""
    user, endpoint = broker.users[0], broker.endpoint(_CONSOLE[broker.engine_type])
    if broker.engine_type == "RABBITMQ":
        path, request = (
            f"/api/queues/%2F/{quote(queue)}/get",
            {"count": 10, "ackmode": "ack_requeue_true", "encoding": "auto"},
        )
    else:
        name = (
            f"org.apache.activemq:type=Broker,brokerName={broker.broker_name},"
            f"destinationType=Queue,destinationName={queue}"
        )
        path, request = "/api/jolokia/", {"type": "exec", "mbean": name, "operation": "browse()"}
    answer = _post(testbed, endpoint, path, request, f"{user.username}:{user.password}")
    return answer.replace(b" ", b"")


def _post(
    testbed: Testbed, endpoint: Endpoint, path: str, body: Mapping[str, Any], credentials: str
) -> bytes:
    context = ssl.create_default_context(cafile=str(testbed.ca_file))
    headers = {
        "Authorization": f"Basic {base64.b64encode(credentials.encode()).decode()}",
        "Content-Type": "application/json",
        "Origin": "https://localhost",
    }
    connection = http.client.HTTPSConnection(
        endpoint.host, endpoint.port, context=context, timeout=30
    )
    try:
        connection.request("POST", path, json.dumps(body), headers)
        response = connection.getresponse()
        text = response.read()
    finally:
        connection.close()
    if response.status != 200:
        raise ClientError(
            f"the console answers HTTP {response.status}: {text[:200].decode(errors='replace')}"
        )
    return text


def _without_the_key(testbed: Testbed, kms: Any, key: str) -> Finding:
    """Check that sealing and opening fail while the key is disabled, and only then."""
    sealed = Envelope(kms, key).seal(b"sealed while the key was enabled")
    testbed.kms.call(testbed.user, "DisableKey", {"KeyId": key})
    testbed.wait_out_delay()
    disabled = [
        _tried(lambda: Envelope(kms, key).open(sealed)),
        _tried(lambda: Envelope(kms, key).seal(b"another")),
    ]
    testbed.kms.call(testbed.user, "EnableKey", {"KeyId": key})
    enabled = [
        _tried(lambda: Envelope(kms, key).open(sealed)),
        _tried(lambda: Envelope(kms, key).seal(b"another")),
    ]
    return Finding(
        "E1",
        "a sealed payload while its key is disabled, and after",
        Verdict.of(all(disabled) and not any(enabled)),
        (
            *(f"with the key disabled {refusal}" for refusal in disabled),
            "with the key enabled both are carried out" if not any(enabled) else str(enabled),
        ),
        Finding(
            "E1", "the same with the key enabled", Verdict.of(all(enabled)), ("opened, and sealed",)
        ),
    )


def _tried(attempt: Any) -> str:
    try:
        attempt()
    except ClientError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    run_file(__file__)
