"""What a grant lets its grantee do, and what it does not: each wrong operation, context, caller, and a grant that is retired."""

import base64
from collections.abc import Iterator
from dataclasses import replace

from testbed.documented.grants import EBS_PRINCIPAL
from testbed.errors import KmsError
from testbed.kms.base import Caller
from testbed.results import Finding, Verdict
from testbed.scenario import Say, main
from testbed.storage import volumes
from testbed.testbed import Testbed

TITLE = "A wrong caller, operation or context, and a retired grant, get AccessDeniedException"
CLAIMS = ("G3",)


def run(testbed: Testbed, say: Say) -> Iterator[Finding | str]:
    """The grants of a broker of the scenario's own, tried by the service and by others."""
    key = testbed.new_key("of a broker whose grants are tried")
    with testbed.brief(testbed.request("RABBITMQ", "grants", key)) as broker:
        volume = broker.nodes[0].volume
        mq = volumes.service(key)
        right = {"CiphertextBlob": base64.b64decode(volume.encrypted_data_key), "KeyId": key, "EncryptionContext": volumes.context(volume.volume_id)}
        granted = _answer(testbed, mq, "Decrypt", right)
        stranger = Caller("arn:aws:iam::222222222222:user/mallory", "222222222222", "IAMUser")
        yield _denied("a caller with no grant", _answer(testbed, stranger, "Decrypt", right), granted)
        yield _denied("another service", _answer(testbed, replace(mq, principal=EBS_PRINCIPAL), "Decrypt", right), granted)
        yield _denied("an operation that is not granted", _answer(testbed, mq, "Encrypt", {"KeyId": key, "Plaintext": b"x"}), granted)
        yield _denied("an operation on the key itself", _answer(testbed, mq, "DisableKey", {"KeyId": key}), granted)

        say("  with the grant that is bound to the volume alone")
        service_grants = [grant for grant in broker.grants if not grant.volume_id]
        for grant in service_grants:
            testbed.kms.call(mq, "RetireGrant", {"KeyId": key, "GrantId": grant.grant_id})
        testbed.wait_out_delay()
        bound = _answer(testbed, mq, "Decrypt", right)
        other = {**right, "EncryptionContext": volumes.context(volumes.new_id())}
        yield _denied("another volume's encryption context", _answer(testbed, mq, "Decrypt", other), bound)
        yield _denied("no encryption context", _answer(testbed, mq, "Decrypt", {**right, "EncryptionContext": {}}), bound)
        yield _denied("an operation of a grant that is retired", _answer(testbed, mq, "DescribeKey", {"KeyId": key}), bound)
        for grant in (each for each in broker.grants if each.volume_id):
            testbed.kms.call(replace(mq, principal=EBS_PRINCIPAL), "RetireGrant", {"KeyId": key, "GrantId": grant.grant_id})
        testbed.wait_out_delay()
        yield _denied("the volume's own context once its grant is retired", _answer(testbed, mq, "Decrypt", right), bound)


def _answer(testbed: Testbed, caller: Caller, operation: str, parameters: dict[str, object]) -> tuple[str, str]:
    """KMS's code, empty when it did as asked, and a sentence."""
    try:
        testbed.kms.call(caller, operation, parameters)
    except KmsError as error:
        return error.code, f"{operation} by {caller.principal}: {error}"
    return "", f"{operation} by {caller.principal} is carried out"


def _denied(what: str, answer: tuple[str, str], granted: tuple[str, str]) -> Finding:
    denied = "AccessDeniedException"
    control = Finding("G3", "the grantee, as granted", Verdict.of(granted[0] == denied), (granted[1],))
    return Finding("G3", what, Verdict.of(answer[0] == denied and granted[0] == ""), (answer[1], granted[1]), control)


if __name__ == "__main__":
    main(__file__)
