"""Client-side envelope encryption with the AWS Encryption SDK: the broker cannot read the body.

DP recommends it ("AWS Encryption SDK Developer Guide"). A body is encrypted under a data key that
KMS generates and wraps; the wrapped key travels with it. Without caching, each body costs a call to
KMS at either end.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from testbed.errors import ClientError
from testbed.extras import explained

# How long (seconds), and for how many messages, a cached data key is used.
CACHE_SECONDS, CACHE_MESSAGES = 60.0, 1000


class Envelope:
    """Encrypts and decrypts bodies under ``key_arn``. ``kms_calls`` counts the calls to KMS.

    ``kms`` is a boto3 client. There is key commitment but no signature, which would prove nothing:
    a client that may decrypt may encrypt, too. Raises ``MissingExtra`` if the SDK is not installed.
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
        self._materials = materials
        self._algorithm = sdk.Algorithm.AES_256_GCM_HKDF_SHA512_COMMIT_KEY

    def seal(self, body: bytes, context: Mapping[str, str] = MappingProxyType({})) -> bytes:
        """Encrypt ``body`` as an AWS Encryption SDK message, bound to ``context``.

        Raises ``ClientError`` with the reason, in KMS's words if KMS refuses.
        """
        try:
            sealed: bytes = self._client.encrypt(
                source=body,
                materials_manager=self._materials,
                algorithm=self._algorithm,
                encryption_context=dict(context),
            )[0]
        except Exception as error:
            raise ClientError(f"a body could not be encrypted: {_reason(error)}") from error
        return sealed

    def open(self, sealed: bytes) -> bytes:
        """Decrypt a message of ``seal``.

        Raises ``ClientError`` as ``seal`` does, and for a message that was tampered with.
        """
        try:
            body: bytes = self._client.decrypt(source=sealed, materials_manager=self._materials)[0]
        except Exception as error:
            raise ClientError(f"a body could not be decrypted: {_reason(error)}") from error
        return body

    def _count(self, **event: Any) -> None:
        self.kms_calls += 1


def _reason(error: BaseException) -> str:
    """Return the innermost cause: the SDK only says that it has no key."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    return str(error)
