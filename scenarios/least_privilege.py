"""Four people around a broker, each with the permissions of its job, and the next thing to each."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import boto3
from botocore.exceptions import ClientError

from testbed.aws.endpoint import Endpoint, serve
from testbed.broker.default_broker import new_password
from testbed.broker.model import Broker
from testbed.cli.scenario import run_file
from testbed.documented import permissions
from testbed.errors import TestbedError
from testbed.evidence import Observation, contrast
from testbed.kms.base import USER_ACCOUNT
from testbed.results import Finding
from testbed.staff import Person, Staff, allow, deny, policy
from testbed.testbed import Testbed

logger = logging.getLogger(__name__)

TITLE = "Administrator, pipeline, operator and auditor: each can do its job, and not the next thing"
CLAIMS = ("P7",)
_EC2 = (*permissions.CREATE_BROKER_EC2, *permissions.CREATE_BROKER_INTERFACES)
_OTHER_ACCOUNT = "222222222222"
_DENIED = ("AccessDeniedException", "AccessDenied", "ForbiddenException")
_PATIENCE = 180.0  # seconds for a broker to start


def run(testbed: Testbed) -> Iterator[Finding | str]:
    """Try what each may not do; the control of each is someone with one permission more."""
    key = testbed.new_key("of a broker with least privilege")
    with serve(testbed) as endpoint, Staff(endpoint) as staff:
        logger.info("  a pipeline with and without CreateBroker and CreateGrant")
        with ExitStack() as undo:
            pipeline = _Pipeline(testbed, key, undo)
            yield from _pipelines(staff, pipeline)
            logger.info("  who reboots, who looks, and what takes a permission away")
            [broker] = pipeline.created
            yield from _operator(testbed, staff, broker)
        yield from _limits(staff)
        logger.info("  a key's administrator and its user, and a key of another account")
        yield from _key(staff, key)
        yield _other_account(endpoint, staff, testbed.region)


def _pipelines(staff: Staff, pipeline: "_Pipeline") -> Iterator[Finding]:
    """Yield a finding for each permission without which CreateBroker does nothing."""
    usable = allow("kms:DescribeKey", "kms:CreateGrant", resource=pipeline.key)
    described = allow("kms:DescribeKey", resource=pipeline.key)
    builder = allow("mq:CreateBroker", *_EC2)
    linked_role = allow("iam:CreateServiceLinkedRole")
    ci = staff.user("pipeline", allow("sts:AssumeRole"))
    complete = staff.role("complete", ci, builder, linked_role, usable)
    lacking = {
        "mq:CreateBroker": (allow(*_EC2), linked_role, usable),
        "kms:CreateGrant": (builder, linked_role, described),
        "iam:CreateServiceLinkedRole": (builder, usable),
    }
    control = pipeline.creates(ci.as_role(complete))
    for action, statements in lacking.items():
        role = staff.role(f"no-{action.partition(':')[2]}", ci, *statements)
        look = pipeline.creates(ci.as_role(role))
        yield contrast(
            "P7", f"a pipeline's role without {action}", (look,), "the role with it", (control,)
        )


class _Pipeline:
    """Creates brokers under ``key``, which ``undo`` deletes."""

    def __init__(self, testbed: Testbed, key: str, undo: ExitStack) -> None:
        self._testbed, self.key, self._undo = testbed, key, undo
        self.created: list[Broker] = []

    def creates(self, person: Person) -> Observation:
        """Call CreateBroker; ``yes`` if it is denied and nothing is there afterwards."""
        request = self._testbed.request("RABBITMQ", "pipeline", self.key)
        denied = _denied(
            lambda: person.client("mq").create_broker(
                BrokerName=request.broker_name,
                EngineType="RABBITMQ",
                DeploymentMode="SINGLE_INSTANCE",
                HostInstanceType="mq.m7g.large",
                PubliclyAccessible=False,
                AutoMinorVersionUpgrade=True,
                EncryptionOptions={"UseAwsOwnedKey": False, "KmsKeyId": self.key},
                Users=[{"Username": "orders", "Password": new_password()}],
            )
        )
        brokers = self._testbed.brokers
        found = [each for each in brokers.peek_all() if each.broker_name == request.broker_name]
        for broker in found:
            self._undo.callback(brokers.delete, broker.broker_id)
            self.created.append(_running(self._testbed, broker.broker_id))
        evidence = f"{denied.evidence}; brokers of that name: {len(found)}"
        return Observation(denied.yes and not found, evidence)


def _running(testbed: Testbed, broker_id: str) -> Broker:
    """Wait until a broker runs. Raises ``TestbedError`` if it does not."""
    end = time.monotonic() + _PATIENCE
    while (broker := testbed.brokers.peek(broker_id)).broker_state != "RUNNING":
        if time.monotonic() > end:
            raise TestbedError(f"The broker {broker_id} does not run: {broker.broker_state}.")
        time.sleep(0.5)
    return broker


def _operator(testbed: Testbed, staff: Staff, broker: Broker) -> Iterator[Finding]:
    look_around = allow("mq:Describe*", "mq:List*")
    auditor = staff.user("auditor", look_around)
    operator = staff.user("operator", look_around, allow("mq:RebootBroker", resource=broker.arn))
    elsewhere = staff.user(
        "elsewhere", look_around, allow("mq:RebootBroker", resource=f"{broker.arn[:-3]}xyz")
    )
    administrator = staff.user("administrator", allow("mq:*"))

    def reboots(person: Person) -> Observation:
        result = _denied(lambda: person.client("mq").reboot_broker(BrokerId=broker.broker_id))
        if not result.yes:
            _running(testbed, broker.broker_id)
        return result

    def tags(person: Person) -> Observation:
        added = {"ResourceArn": broker.arn, "Tags": {"reviewed": "yes"}}
        return _denied(lambda: person.client("mq").create_tags(**added))

    def sees(person: Person) -> Observation:
        state = person.client("mq").describe_broker(BrokerId=broker.broker_id)["BrokerState"]
        return Observation(state == "RUNNING", f"{person.name} sees the state {state}")

    rebooted = reboots(operator)
    for person, what in ((auditor, "an auditor"), (elsewhere, "an operator of another broker")):
        yield contrast(
            "P7",
            f"{what} reboots a broker",
            (reboots(person),),
            "its operator",
            (rebooted,),
            also=(sees(person),),
        )
    yield contrast(
        "P7", "an operator tags a broker", (tags(operator),), "an administrator",
        (tags(administrator),), also=(sees(operator),),
    )  # fmt: skip


def _limits(staff: Staff) -> Iterator[Finding]:
    """Yield a finding for each kind of policy that takes a permission away."""
    person = staff.user("limited", allow("mq:*", "sts:AssumeRole"))
    role = staff.role("limited", person, allow("mq:*"))

    def lists(caller: Person) -> Observation:
        return _denied(lambda: caller.client("mq").list_brokers())

    def finding(what: str, look: Observation, control: Observation) -> Finding:
        return contrast("P7", what, (look,), "without it", (control,))

    free = lists(person)
    staff.give(person, allow("mq:*", "sts:AssumeRole"), deny("mq:ListBrokers"))
    yield finding("a Deny in the own policy", lists(person), free)
    staff.give(person, allow("mq:*", "sts:AssumeRole"))
    staff.bound(person, allow("mq:Describe*", "sts:AssumeRole"))
    yield finding("a permissions boundary", lists(person), free)
    narrow = person.as_role(role, Policy=policy(allow("mq:Describe*")))
    yield finding("a session policy", lists(narrow), lists(person.as_role(role)))


def _key(staff: Staff, key: str) -> Iterator[Finding]:
    administers = ("kms:DisableKey", "kms:EnableKey", "kms:PutKeyPolicy", "kms:DescribeKey")
    administrator = staff.user("key-administrator", allow(*administers, resource=key))
    user = staff.user("key-user", allow("kms:Encrypt", "kms:Decrypt", resource=key))

    def encrypts(person: Person) -> Observation:
        return _denied(lambda: person.client("kms").encrypt(KeyId=key, Plaintext=b"canary"))

    def describes(person: Person) -> Observation:
        return _denied(lambda: person.client("kms").describe_key(KeyId=key))

    yield contrast(
        "P7", "a key's administrator uses it", (encrypts(administrator),), "its user",
        (encrypts(user),),
    )  # fmt: skip
    yield contrast(
        "P7", "a key's user administers it", (describes(user),), "its administrator",
        (describes(administrator),),
    )  # fmt: skip


def _other_account(endpoint: Endpoint, staff: Staff, region: str) -> Finding:
    """Judge that a key of another account needs that account's word and the own one's."""
    options = {**endpoint.client(), "aws_access_key_id": _OTHER_ACCOUNT, "region_name": region}
    shared = policy(
        *(
            {"Effect": "Allow", "Principal": {"AWS": account}, "Action": action, "Resource": "*"}
            for account, action in ((_OTHER_ACCOUNT, "kms:*"), (USER_ACCOUNT, "kms:Encrypt"))
        )
    )
    theirs: Any = boto3.client("kms", **options)
    key = theirs.create_key(Policy=shared)["KeyMetadata"]["Arn"]

    def encrypts(person: Person) -> Observation:
        return _denied(lambda: person.client("kms").encrypt(KeyId=key, Plaintext=b"canary"))

    return contrast(
        "P7",
        "a key of another account, whose policy allows the user's",
        (encrypts(staff.user("without", allow("kms:DescribeKey"))),),
        "a user whose own account allows it, too",
        (encrypts(staff.user("with", allow("kms:Encrypt", resource=key))),),
    )


def _denied(call: Callable[[], Any]) -> Observation:
    """Call; ``yes`` if it is denied, in AWS's words."""
    try:
        call()
    except ClientError as error:
        refusal = error.response["Error"]
        sentence = f"{refusal['Code']}: {refusal['Message']}"
        denied = refusal["Code"] in _DENIED and "is not authorized to perform: " in sentence
        return Observation(denied, sentence)
    return Observation(yes=False, evidence="the call is carried out")


if __name__ == "__main__":
    run_file(__file__)
