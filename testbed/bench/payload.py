"""What a producer does to a body before it sends it, and a consumer after: nothing, or envelope encryption."""

from testbed.bench.generators.base import Payload
from testbed.bench.target import Target
from testbed.errors import ClientError


class Clear:
    """See ``generators.base.Payload``: bodies as they are."""

    kms_calls = 0

    def seal(self, body: bytes) -> bytes:
        return body

    def open(self, body: bytes) -> bytes:
        return body


def payload(target: Target) -> Payload:
    """As the target's encryption says. Raises ``ClientError`` where encryption is asked for and there is no key."""
    kind, key = target.encryption.payload, target.envelope
    if kind == "clear":
        return Clear()
    if key is None:
        raise ClientError(
            "encrypted payloads need a KMS key, and this broker's KMS is not within reach"
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
        aws_secret_access_key="none",
    )
    return Envelope(kms, key.key_arn, cached=kind == "envelope-cached")
