"""The AWS managed key: created on first use, reused afterwards, and nobody may disable it."""

import json
import logging
from collections.abc import Iterator

from testbed.broker.encryption import AWS_MANAGED_ALIAS, EncryptionOptions
from testbed.cli.scenario import run_file
from testbed.documented import regions
from testbed.evidence import Observation, ask, contrast
from testbed.kms.base import USER_ACCOUNT, Caller
from testbed.results import Finding
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
    """Create two brokers in a Region where the account has none, the second beside the first."""
    user = next(
        caller
        for caller in map(testbed.user_in, regions.names())
        if regions.partition(caller.region).name == "aws" and not _target(testbed, caller)
    )
    options = EncryptionOptions(use_aws_owned_key=False)
    logger.info("  two brokers with UseAwsOwnedKey false and no KmsKeyId, in %s", user.region)
    with testbed.temporary_broker(
        testbed.request("RABBITMQ", "managed-1", encryption_options=options), user
    ) as first:
        target = _target(testbed, user)
        with testbed.temporary_broker(
            testbed.request("RABBITMQ", "managed-2", encryption_options=options), user
        ) as second:
            same = first.key_arn == second.key_arn
    key = testbed.kms.call(user, "DescribeKey", {"KeyId": AWS_MANAGED_ALIAS})["KeyMetadata"]
    keys = testbed.kms.call(user, "ListKeys", {"Limit": 1000})["Keys"]
    listed = key["Arn"] in {entry["KeyArn"] for entry in keys}
    appears = bool(target) and key["KeyId"] == target and key["Arn"] == first.key_arn
    other = testbed.new_key("a customer managed one", region=user.region)
    yield contrast(
        "R5",
        AWS_MANAGED_ALIAS,
        _refusals(testbed, user, key["Arn"]),
        "a customer managed key",
        _refusals(testbed, user, other),
        also=(
            Observation(
                appears and key["KeyManager"] == "AWS",
                f"before the first broker ListAliases has no key for {AWS_MANAGED_ALIAS}, after it "
                f"{target or 'none'}: {key['Arn']}, KeyManager {key['KeyManager']}",
            ),
            Observation(listed, f"it {'is' if listed else 'is not'} in the account's ListKeys"),
            Observation(same, f"the second broker has {'the same' if same else 'another'}"),
        ),
    )


def _target(testbed: Testbed, caller: Caller) -> str:
    """Return the id of the key behind the alias, as ListAliases has it; empty if there is none."""
    aliases = testbed.kms.call(caller, "ListAliases", {"Limit": 100})["Aliases"]
    targets = {alias["AliasName"]: alias.get("TargetKeyId", "") for alias in aliases}
    return str(targets.get(AWS_MANAGED_ALIAS, ""))


def _refusals(testbed: Testbed, owner: Caller, key: str) -> list[Observation]:
    """Make each call as the key's owner; ``yes`` if KMS refuses it."""
    return [
        ask(testbed.kms, operation, {"KeyId": key, **parameters}, owner).refusal
        for operation, parameters in _NOT_THE_OWNERS.items()
    ]


if __name__ == "__main__":
    run_file(__file__)
