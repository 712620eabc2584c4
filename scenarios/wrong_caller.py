"""What a grant allows, and what it does not: wrong operation, context, caller, retired."""

import base64
import logging
from collections.abc import Iterator
from dataclasses import replace

from testbed.cli.scenario import run_file
from testbed.documented.grants import ebs_principal
from testbed.evidence import Answer, ask
from testbed.kms.base import root
from testbed.results import Finding, Verdict
from testbed.storage import volumes
from testbed.testbed import Testbed

logger = logging.getLogger(__name__)

TITLE = "A wrong caller, operation or context, and a retired grant, get AccessDeniedException"
CLAIMS = ("G3",)
TURNS_CLOCK = True


def run(testbed: Testbed) -> Iterator[Finding | str]:
    """Use the grants of a new broker as the service, and as others."""
    kms, key = testbed.kms, testbed.new_key("of a broker whose grants are tried")
    with testbed.temporary_broker(testbed.request("RABBITMQ", "grants", key)) as broker:
        volume = broker.nodes[0].volume
        mq = volumes.service(key)
        right = {
            "CiphertextBlob": base64.b64decode(volume.encrypted_data_key),
            "KeyId": key,
            "EncryptionContext": volumes.context(volume.volume_id),
        }
        granted = ask(kms, "Decrypt", right, mq)
        stranger = replace(root("222222222222", testbed.region), kind="IAMUser")
        yield _denied("a caller with no grant", ask(kms, "Decrypt", right, stranger), granted)
        yield _denied(
            "another service",
            ask(kms, "Decrypt", right, replace(mq, principal=ebs_principal(mq.region))),
            granted,
        )
        yield _denied(
            "an operation that is not granted",
            ask(kms, "Encrypt", {"KeyId": key, "Plaintext": b"x"}, mq),
            granted,
        )
        yield _denied(
            "an operation on the key itself", ask(kms, "DisableKey", {"KeyId": key}, mq), granted
        )

        logger.info("  with the grant that is bound to the volume alone")
        described = ask(kms, "DescribeKey", {"KeyId": key}, mq)
        service_grants = [grant for grant in broker.grants if not grant.volume_id]
        for grant in service_grants:
            kms.call(mq, "RetireGrant", {"KeyId": key, "GrantId": grant.grant_id})
        testbed.wait_out_delay()
        bound = ask(kms, "Decrypt", right, mq)
        other_context = {**right, "EncryptionContext": volumes.context(volumes.new_id())}
        yield _denied(
            "another volume's encryption context", ask(kms, "Decrypt", other_context, mq), bound
        )
        yield _denied(
            "no encryption context",
            ask(kms, "Decrypt", {**right, "EncryptionContext": {}}, mq),
            bound,
        )
        yield _denied(
            "an operation of a grant that is retired",
            ask(kms, "DescribeKey", {"KeyId": key}, mq),
            described,
        )
        for grant in (candidate for candidate in broker.grants if candidate.volume_id):
            kms.call(
                replace(mq, principal=ebs_principal(mq.region)),
                "RetireGrant",
                {"KeyId": key, "GrantId": grant.grant_id},
            )
        testbed.wait_out_delay()
        yield _denied(
            "the volume's own context once its grant is retired",
            ask(kms, "Decrypt", right, mq),
            bound,
        )


def _denied(what: str, answer: Answer, granted: Answer) -> Finding:
    control = Finding(
        "G3", "the grantee, as granted", Verdict.of(granted.denied), (granted.evidence,)
    )
    return Finding(
        "G3",
        what,
        Verdict.of(answer.denied and not granted.refused),
        (answer.evidence, granted.evidence),
        control,
    )


if __name__ == "__main__":
    run_file(__file__)
