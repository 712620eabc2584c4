"""Chooses what makes the load; see ``base``."""

from testbed.bench.load.base import Generator, Payload
from testbed.bench.target import Target
from testbed.errors import ClientError


def make_generator(name: str, target: Target) -> Generator:
    """Return a generator: ``fast`` for prepared frames, ``client`` for the users' library.

    Raises ``ClientError`` for a protocol or an encryption that the generator does not support.
    """
    encryption = target.encryption
    if name == "fast" and encryption.payload != "clear":
        raise ClientError("prepared frames have no encrypted payload: use a driver of clients")
    if name == "client" and (encryption.suite or encryption.version):
        raise ClientError(
            "a suite or version can be chosen for prepared frames only: clients offer their own"
        )
    # Imported on first use: a worker needs one of them, and each takes its time.
    if name == "client":
        from testbed.bench.load.client import ClientGenerator

        return ClientGenerator(target, make_payload(target))
    if name == "fast" and target.address.protocol == "amqp":
        from testbed.bench.load.amqp091 import Amqp091

        return Amqp091(target)
    if name == "fast" and target.address.protocol == "openwire":
        from testbed.bench.load.openwire import OpenWire

        return OpenWire(target)
    raise ClientError(f"there is no {name} generator for {target.address.protocol}")


class ClearPayload:
    """See ``base.Payload``: bodies unchanged."""

    kms_calls = 0

    def seal(self, body: bytes) -> bytes:
        """Return ``body``."""
        return body

    def open(self, body: bytes) -> bytes:
        """Return ``body``."""
        return body


def make_payload(target: Target) -> Payload:
    """Return the payload handling for a target's encryption.

    Raises ``ClientError`` for encrypted payloads without a key.
    """
    kind, key = target.encryption.payload, target.envelope
    if kind == "clear":
        return ClearPayload()
    if key is None:
        raise ClientError(
            "encrypted payloads need a KMS key, and this broker's KMS is out of reach"
        )
    import boto3  # takes its time, and most workers do without

    from testbed.clients.envelope import Envelope

    _, _, _, region, account, _ = key.key_arn.split(":", 5)
    # LocalStack reads the account off the access key id; there is no secret.
    kms = boto3.client(
        "kms",
        region,
        endpoint_url=key.kms_url,
        aws_access_key_id=account,
        aws_secret_access_key="none",  # noqa: S106 - LocalStack does not look at it
    )
    return Envelope(kms, key.key_arn, cached=kind == "envelope-cached")
