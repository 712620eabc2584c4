"""The AWS managed key: created on first use, reused afterwards, and nobody may disable it."""

import json
import logging
from collections.abc import Iterator

from testbed.broker.encryption import AWS_MANAGED_ALIAS, EncryptionOptions
from testbed.cli.scenario import run_file
from testbed.evidence import ask
from testbed.kms.base import USER_ACCOUNT
from testbed.results import Finding, Verdict
from testbed.testbed import Testbed

logger = logging.getLogger(__name__)

TITLE = "aws/mq cannot be disabled, scheduled for deletion or given another policy by its owner"
CLAIMS = ("R5",)
_POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": USER_ACCOUNT},
            "Action": "kms:*",
            "Resource": "*",
        }
    ],
}
# In this order all of them succeed on a customer managed key.
_NOT_THE_OWNERS: dict[str, dict[str, object]] = {
    "PutKeyPolicy": {"PolicyName": "default", "Policy": json.dumps(_POLICY)},
    "DisableKey": {},
    "ScheduleKeyDeletion": {"PendingWindowInDays": 7},
}


def run(testbed: Testbed) -> Iterator[Finding | str]:
    """Create two brokers, the second while the first exists."""
    before = _associated(testbed)
    options = EncryptionOptions(use_aws_owned_key=False)
    logger.info("  two brokers with UseAwsOwnedKey false and no KmsKeyId")
    with testbed.temporary_broker(
        testbed.request("RABBITMQ", "managed-1", encryption_options=options)
    ) as first:
        key = _described(testbed)
        with testbed.temporary_broker(
            testbed.request("RABBITMQ", "managed-2", encryption_options=options)
        ) as second:
            same = first.key_arn == second.key_arn == key.get("Arn")
    refusals, control = (
        _refusals(testbed, key["Arn"]),
        _refusals(testbed, testbed.new_key("a customer managed one")),
    )
    listed = key["Arn"] in {
        entry["KeyArn"]
        for entry in testbed.kms.call(testbed.user, "ListKeys", {"Limit": 1000})["Keys"]
    }
    evidence = (
        (
            f"before the first broker {AWS_MANAGED_ALIAS} has {'a' if before else 'no'} key, "
            f"after it {key['Arn']}, KeyManager {key['KeyManager']}"
        ),
        (
            f"it {'is' if listed else 'is not'} in the account's ListKeys, "
            f"and the second broker {'has the same' if same else 'has another'}"
        ),
        *refusals,
    )
    yield Finding(
        "R5",
        AWS_MANAGED_ALIAS,
        Verdict.of(
            same and listed and key["KeyManager"] == "AWS" and len(refusals) == len(_NOT_THE_OWNERS)
        ),
        evidence,
        Finding(
            "R5",
            "a customer managed key",
            Verdict.of(bool(control)),
            control or ("every one of these calls is carried out",),
        ),
    )


def _associated(testbed: Testbed) -> bool:
    """Return whether the alias has a key; DescribeKey would make one."""
    aliases = testbed.kms.call(testbed.user, "ListAliases", {})["Aliases"]
    return any(
        alias["AliasName"] == AWS_MANAGED_ALIAS and "TargetKeyId" in alias for alias in aliases
    )


def _described(testbed: Testbed) -> dict[str, str]:
    answer = testbed.kms.call(testbed.user, "DescribeKey", {"KeyId": AWS_MANAGED_ALIAS})
    metadata: dict[str, str] = answer["KeyMetadata"]
    return metadata


def _refusals(testbed: Testbed, key: str) -> tuple[str, ...]:
    """Return the message of each call that KMS refuses."""
    answers = [
        ask(testbed.kms, operation, {"KeyId": key, **parameters}, testbed.user)
        for operation, parameters in _NOT_THE_OWNERS.items()
    ]
    return tuple(answer.evidence for answer in answers if answer.refused)


if __name__ == "__main__":
    run_file(__file__)
