"""What takes permissions on a key away: a Deny, a boundary, a session, another account."""

import json
import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import boto3

from testbed.aws.endpoint import Endpoint, serve
from testbed.cli.scenario import run_file
from testbed.evidence import Observation, contrast
from testbed.kms.base import root
from testbed.results import Finding
from testbed.staff import Person, Staff, allow, denied, deny, policy
from testbed.testbed import Testbed

logger = logging.getLogger(__name__)

TITLE = "Who administers a key, and who uses it; a boundary, a session, a key of another account"
CLAIMS = ("P7",)
HAS_SESSIONS = True
_OTHER = "333333333333"
_USE = ("kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey*", "kms:DescribeKey")
_ADMINISTER = ("kms:Describe*", "kms:Enable*", "kms:Disable*", "kms:Put*", "kms:Update*")


def run(testbed: Testbed) -> Iterator[Finding | str]:
    """Call KMS as people with narrow permissions; the control is the same call with one more."""
    key = testbed.new_key("of which one thing is allowed")
    with serve(testbed) as endpoint, Staff(endpoint) as staff:
        logger.info("  an administrator of a key, and a user of it")
        user = staff.user("key-user", allow(*_USE, resource=key))
        administrator = staff.user("key-administrator", allow(*_ADMINISTER, resource=key))
        uses, administers = _try(_encrypt, user, key), _try(_describe_as, administrator, key)
        yield contrast(
            "P7",
            "Encrypt by the key's administrator",
            (_try(_encrypt, administrator, key, "because no identity-based policy allows"),),
            "by the key's user",
            (uses,),
            also=(administers.inverse,),
        )
        yield contrast(
            "P7",
            "UpdateKeyDescription by the key's user",
            (_try(_describe_as, user, key, "because no identity-based policy allows"),),
            "by the key's administrator",
            (administers,),
            also=(uses.inverse,),
        )

        logger.info("  a Deny, a boundary and a session policy")
        staff.give(user, allow(*_USE, resource=key), deny("kms:Encrypt"))
        refused = _try(_encrypt, user, key, "with an explicit deny in an identity-based policy")
        staff.give(user, allow(*_USE, resource=key))
        allowed_again = _try(_encrypt, user, key)
        yield contrast("P7", "a Deny", (refused,), "without it", (allowed_again,))
        staff.bound(user, allow("kms:Describe*"))
        refused = _try(_encrypt, user, key, "because no permissions boundary allows")
        staff.unbound(user)
        yield contrast(
            "P7", "a permissions boundary", (refused,), "without it", (_try(_encrypt, user, key),)
        )
        trusted = staff.user("trusted", allow("sts:AssumeRole"))
        role = staff.role("uses-a-key", trusted, allow(*_USE, resource=key))
        narrow = trusted.as_role(role, Policy=policy(allow("kms:Describe*")))
        yield contrast(
            "P7",
            "a session policy",
            (_try(_encrypt, narrow, key, "because no session policy allows"),),
            "a session of the same role without one",
            (_try(_encrypt, trusted.as_role(role), key),),
        )

        logger.info("  a key of another account")
        yield from _across(testbed, endpoint, staff)


def _across(testbed: Testbed, endpoint: Endpoint, staff: Staff) -> Iterator[Finding]:
    """Use a key of another account: its policy and the user's own both have to allow that."""
    owner = root(_OTHER, testbed.region)
    key = testbed.kms.call(owner, "CreateKey", {"Description": "of another account"})
    arn = str(key["KeyMetadata"]["Arn"])
    kms: Any = boto3.client(
        "kms", **{**endpoint.client(), "aws_access_key_id": _OTHER, "aws_secret_access_key": "test"}
    )
    given = staff.user("guest", allow(*_USE, resource=arn))
    ungiven = staff.user("bystander", allow("mq:*"))
    foreign = _try(_encrypt, given, arn, "no resource-based policies allow access")
    document = json.loads(kms.get_key_policy(KeyId=arn, PolicyName="default")["Policy"])
    account = {"AWS": f"arn:aws:iam::{testbed.user.account}:root"}
    document["Statement"].append(allow(*_USE, Principal=account))
    testbed.kms.call(
        owner,
        "PutKeyPolicy",
        {"KeyId": arn, "PolicyName": "default", "Policy": json.dumps(document)},
    )
    allowed = _try(_encrypt, given, arn)
    yield contrast(
        "P7", "a key of another account", (foreign,), "once its policy names ours", (allowed,)
    )
    unallowed = _try(_encrypt, ungiven, arn, "no resource-based policies allow access")
    yield contrast(
        "P7",
        "the same, by someone without permission of our account",
        (unallowed,),
        "someone with it",
        (allowed,),
    )


_Call = Callable[[Any, str], Any]


def _encrypt(kms: Any, key: str) -> Any:
    return kms.encrypt(KeyId=key, Plaintext=b"of somebody")


def _describe_as(kms: Any, key: str) -> Any:
    return kms.update_key_description(KeyId=key, Description="of a test")


def _try(call: _Call, person: Person, key: str, reason: str = "") -> Observation:
    """Call; ``yes`` if it is denied, for ``reason``."""
    return denied(partial(call, person.client("kms"), key), reason)


if __name__ == "__main__":
    run_file(__file__)
