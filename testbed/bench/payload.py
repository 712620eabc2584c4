"""What a producer does to a body before it sends it, and a consumer after: nothing, or envelope encryption.

Envelope encryption is the AWS Encryption SDK's, for what not even the broker may read: with a data key from KMS for
every message, or with one that is used again for a while.
"""

from typing import Any

from testbed.bench.generators.base import Payload
from testbed.bench.target import Target
from testbed.errors import ClientError

# How long, and for how many messages, the caching variant uses a data key.
CACHE_SECONDS, CACHE_MESSAGES = 60.0, 1000


def payload(target: Target) -> Payload:
    """As the target's encryption says. Raises ``ClientError`` where encryption is asked for and there is no key."""
    kind = target.encryption.payload
    return Clear() if kind == "clear" else Envelope(target, cached=kind == "envelope-cached")


class Clear:
    """See ``generators.base.Payload``: bodies as they are."""

    kms_calls = 0

    def seal(self, body: bytes) -> bytes:
        return body

    def open(self, body: bytes) -> bytes:
        return body


class Envelope:
    """See ``generators.base.Payload``: each body is an AWS Encryption SDK message under the target's key.

    With key commitment and without a signature: whoever may decrypt here may encrypt too, so it would prove nothing.
    """

    def __init__(self, target: Target, *, cached: bool) -> None:
        if target.envelope is None:
            raise ClientError("encrypted payloads need a KMS key, and this broker's KMS is not within reach")
        try:
            import aws_encryption_sdk as sdk
            import boto3
            from aws_encryption_sdk.key_providers.kms import KMSMasterKey
        except ImportError as error:
            raise ClientError(f"encrypted payloads need the AWS Encryption SDK: {error}", hint="Install aws-encryption-sdk.") from error
        arn = target.envelope.key_arn
        _, _, _, region, account, _ = arn.split(":", 5)
        # LocalStack reads the account off the access key id; there is no secret.
        kms = boto3.client("kms", region, endpoint_url=target.envelope.kms_url, aws_access_key_id=account, aws_secret_access_key="none")
        kms.meta.events.register("before-call.kms", self._count)
        self.kms_calls = 0
        key = KMSMasterKey(key_id=arn, client=kms)
        materials: Any = sdk.DefaultCryptoMaterialsManager(key)
        if cached:
            materials = sdk.CachingCryptoMaterialsManager(
                backing_materials_manager=materials,
                cache=sdk.LocalCryptoMaterialsCache(capacity=100),
                max_age=CACHE_SECONDS,
                max_messages_encrypted=CACHE_MESSAGES,
            )
        self._client = sdk.EncryptionSDKClient(commitment_policy=sdk.CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)
        self._materials, self._algorithm = materials, sdk.Algorithm.AES_256_GCM_HKDF_SHA512_COMMIT_KEY

    def _count(self, **event: Any) -> None:
        self.kms_calls += 1

    def seal(self, body: bytes) -> bytes:
        try:
            return self._client.encrypt(source=body, materials_manager=self._materials, algorithm=self._algorithm)[0]
        except Exception as error:  # noqa: BLE001 - the SDK's, botocore's and cryptography's have no common base
            raise ClientError(f"a body could not be encrypted: {error}") from error

    def open(self, body: bytes) -> bytes:
        try:
            return self._client.decrypt(source=body, materials_manager=self._materials)[0]
        except Exception as error:  # noqa: BLE001 - as above
            raise ClientError(f"a body could not be decrypted: {error}") from error
