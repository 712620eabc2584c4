"""Client-side envelope encryption, for what not even the broker may read: the AWS Encryption SDK over a KMS key.

DP points to it ("AWS Encryption SDK Developer Guide"). A body is sealed under a data key that KMS generates and wraps; the
wrapped key travels with it. Without caching, each body costs a call to KMS at either end.
"""

from collections.abc import Mapping
from typing import Any

from testbed.errors import ClientError

# How long (seconds), and for how many messages, a cached data key is used.
CACHE_SECONDS, CACHE_MESSAGES = 60.0, 1000


class Envelope:
    """Seals and opens bodies under ``key_arn``, by ``kms``, a boto3 client. ``kms_calls`` counts its calls to KMS.

    With key commitment and without a signature: whoever may decrypt here may encrypt too, so it would prove nothing.
    Raises ``MissingExtra`` if the SDK is not installed.
    """

    def __init__(self, kms: Any, key_arn: str, *, cached: bool = False) -> None:
        with explained():
            import aws_encryption_sdk as sdk
            from aws_encryption_sdk.key_providers.kms import KMSMasterKey
        self.kms_calls = 0
        kms.meta.events.register("before-call.kms", self._count)
        materials: Any = sdk.DefaultCryptoMaterialsManager(KMSMasterKey(key_id=key_arn, client=kms))
        if cached:
            materials = sdk.CachingCryptoMaterialsManager(
                backing_materials_manager=materials,
                cache=sdk.LocalCryptoMaterialsCache(capacity=100),
                max_age=CACHE_SECONDS,
                max_messages_encrypted=CACHE_MESSAGES,
            )
        self._client = sdk.EncryptionSDKClient(
            commitment_policy=sdk.CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT
        )
        self._materials, self._algorithm = (
            materials,
            sdk.Algorithm.AES_256_GCM_HKDF_SHA512_COMMIT_KEY,
        )

    def seal(self, body: bytes, context: Mapping[str, str] = {}) -> bytes:
        """``body`` as an AWS Encryption SDK message, bound to ``context``. Raises ``ClientError``, with KMS's words where they are the reason."""
        try:
            return self._client.encrypt(
                source=body,
                materials_manager=self._materials,
                algorithm=self._algorithm,
                encryption_context=dict(context),
            )[0]
        except Exception as error:
            raise ClientError(f"a body could not be encrypted: {_reason(error)}") from error

    def open(self, sealed: bytes) -> bytes:
        """The body of a message of ``seal``. Raises ``ClientError`` as ``seal`` does, and for one that was tampered with."""
        try:
            return self._client.decrypt(source=sealed, materials_manager=self._materials)[0]
        except Exception as error:
            raise ClientError(f"a body could not be decrypted: {_reason(error)}") from error

    def _count(self, **event: Any) -> None:
        self.kms_calls += 1


def _reason(error: BaseException) -> str:
    """The innermost cause: the SDK says only that a key could not be had."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    return str(error)
