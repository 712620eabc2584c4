"""Four people around a broker: each does its own job, and is denied the next one's."""

import logging
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import boto3

from testbed.aws.endpoint import serve
from testbed.broker.default_broker import new_password
from testbed.broker.model import Broker
from testbed.cli.scenario import run_file
from testbed.documented import permissions
from testbed.documented.engines import DEFAULT_VERSION
from testbed.documented.instance_types import DEFAULT_INSTANCE_TYPE
from testbed.errors import TestbedError
from testbed.evidence import Observation, contrast
from testbed.results import Finding
from testbed.staff import Person, Staff, allow, denied
from testbed.testbed import Testbed

logger = logging.getLogger(__name__)

TITLE = "An auditor, an operator, a pipeline and an administrator, each with its own permissions"
CLAIMS = ("P7",)
HAS_SESSIONS = True
_PATIENCE = 240.0  # seconds in which a broker has to start or to end
# What Amazon MQ asks of EC2 and IAM in the name of those who create and delete brokers.
_OF_CREATORS = (
    *permissions.CREATE_BROKER_EC2,
    *permissions.CREATE_BROKER_INTERFACES,
    "iam:CreateServiceLinkedRole",
)
_OF_DELETERS = (*permissions.DELETE_BROKER_EC2, *permissions.DELETE_BROKER_INTERFACES)


def run(testbed: Testbed) -> Iterator[Finding | str]:
    """Lead one broker through its life; the control of each refusal is whoever may."""
    other = testbed.default_broker("RABBITMQ")
    with ExitStack() as stack:
        endpoint = stack.enter_context(serve(testbed))
        staff = stack.enter_context(Staff(endpoint))
        life = _Life(testbed, testbed.new_key("of the pipeline's broker"))
        stack.callback(life.end)
        auditor = staff.user("auditor", allow("mq:Describe*", "mq:List*"))
        administrator = staff.user("administrator", allow("mq:*", *_OF_DELETERS))

        logger.info("  a pipeline without the grant, an auditor and the pipeline create a broker")
        before, pipeline = _pipelines(staff, life.key)
        without, by_auditor, created = [
            life.created_by(creator) for creator in (before, auditor, pipeline)
        ]
        yield contrast(
            "P7",
            "CreateBroker without kms:CreateGrant on the key",
            without,
            "with it",
            created,
        )
        with_role = (_has_role(boto3.client("iam", **endpoint.client())),)
        yield contrast(
            "P7", "CreateBroker by an auditor", by_auditor, "the pipeline", created, also=with_role
        )

        logger.info("  an auditor and an operator reboot it")
        mine = life.running()
        of_mine = allow("mq:DescribeBroker", "mq:RebootBroker", resource=mine.arn)
        operator = staff.user("operator", of_mine)
        by_auditor, of_another = life.rebooted_by(auditor, mine), life.rebooted_by(operator, other)
        rebooted = life.rebooted_by(operator, mine)
        looks = [
            denied(_call(who, "describe_broker", mine), "mq:DescribeBroker").inverse
            for who in (auditor, operator)
        ]
        control = "by the operator, of the broker in its policy"
        yield contrast(
            "P7", "RebootBroker by an auditor", by_auditor, control, rebooted, also=looks
        )
        yield contrast("P7", "RebootBroker of another broker", of_another, control, rebooted)

        logger.info("  users, the key, and the end")
        life.running()
        user = {"Username": "somebody", "Password": new_password()}
        tried = [
            denied(_call(who, "create_user", mine, **user), "mq:CreateUser")
            for who in (operator, administrator)
        ]
        yield contrast(
            "P7", "CreateUser by the operator", tried[:1], "by the administrator", tried[1:]
        )
        owner = staff.user("key-owner", allow("kms:*", resource=life.key))
        tried = [
            denied(
                partial(who.client("kms").enable_key_rotation, KeyId=life.key),
                "kms:EnableKeyRotation",
            )
            for who in (administrator, owner)
        ]
        yield contrast(
            "P7",
            "EnableKeyRotation by the administrator",
            tried[:1],
            "by the key's owner",
            tried[1:],
        )
        kept, ended = [life.deleted_by(who, mine) for who in (pipeline, administrator)]
        yield contrast("P7", "DeleteBroker by the pipeline", kept, "by the administrator", ended)


def _pipelines(staff: Staff, key: str) -> tuple[Person, Person]:
    """Return the pipeline's role without the grant, and with it."""
    plain = (
        allow("mq:CreateBroker", "mq:DescribeBroker", "mq:UpdateBroker", *_OF_CREATORS),
        allow("kms:DescribeKey", resource=key),
    )
    for_services = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    grant = allow("kms:CreateGrant", resource=key, Condition=for_services)
    machine = staff.user("ci", allow("sts:AssumeRole"))
    before = staff.role("pipeline-before", machine, *plain)
    return machine.as_role(before), machine.as_role(staff.role("pipeline", machine, *plain, grant))


def _has_role(iam: Any) -> Observation:
    """Look for Amazon MQ's service-linked role, which a RabbitMQ broker needs."""
    roles = iam.list_roles(PathPrefix="/aws-service-role/mq.amazonaws.com/")["Roles"]
    names = [role["RoleName"] for role in roles]
    return Observation(names == [permissions.SERVICE_LINKED_ROLE], f"IAM has {names}")


class _Life:
    """One broker under ``key``, from calls that are denied to its end."""

    def __init__(self, testbed: Testbed, key: str) -> None:
        self._testbed, self.key = testbed, key
        self._name = f"privileges-{secrets.token_hex(3)}"

    def created_by(self, person: Person) -> tuple[Observation, ...]:
        """Create it; all are ``yes`` if that is denied, and leaves nothing."""
        create = partial(
            person.client("mq").create_broker,
            BrokerName=self._name,
            EngineType="RABBITMQ",
            EngineVersion=DEFAULT_VERSION["RABBITMQ"],
            DeploymentMode="SINGLE_INSTANCE",
            HostInstanceType=DEFAULT_INSTANCE_TYPE["RABBITMQ"],
            PubliclyAccessible=True,
            AutoMinorVersionUpgrade=True,
            EncryptionOptions={"UseAwsOwnedKey": False, "KmsKeyId": self.key},
            Users=[{"Username": "admin", "Password": new_password()}],
        )
        refused = denied(create)
        owner = self._testbed.user
        grants = self._testbed.kms.call(owner, "ListGrants", {"KeyId": self.key})["Grants"]
        state = self._state()
        left = f"afterwards the broker is {state or 'not there'}, with {len(grants)} grants"
        return refused, Observation(not state and not grants, left)

    def rebooted_by(self, person: Person, broker: Broker) -> tuple[Observation, ...]:
        """Reboot a broker; all are ``yes`` if that is denied, and does nothing."""
        refused = denied(_call(person, "reboot_broker", broker), "mq:RebootBroker")
        return refused, self._seen(broker)

    def deleted_by(self, person: Person, broker: Broker) -> tuple[Observation, ...]:
        """Delete a broker; all are ``yes`` if that is denied, and does nothing."""
        refused = denied(_call(person, "delete_broker", broker), "mq:DeleteBroker")
        return refused, self._seen(broker)

    def running(self) -> Broker:
        """Wait until the broker runs. Raises ``TestbedError``."""
        self._wait_for(("RUNNING",))
        return self._testbed.brokers.peek(self._name)

    def end(self) -> None:
        """Remove the broker, whatever has become of it."""
        if self._state():
            self._wait_for(("", "RUNNING", "CREATION_FAILED"))
        if self._state():
            self._testbed.brokers.delete(self._name)

    def _seen(self, broker: Broker) -> Observation:
        """Look at a broker's state; ``yes`` if it runs."""
        state = self._state(broker.broker_name)
        return Observation(state == "RUNNING", f"{broker.broker_name} is {state or 'gone'}")

    def _state(self, name: str = "") -> str:
        brokers = self._testbed.brokers.peek_all()
        states = {broker.broker_name: broker.broker_state for broker in brokers}
        return states.get(name or self._name, "")

    def _wait_for(self, states: tuple[str, ...]) -> None:
        deadline = time.monotonic() + _PATIENCE
        while (state := self._state()) not in states:
            if time.monotonic() > deadline:
                raise TestbedError(f"The broker {self._name} is still {state or 'not there'}.")
            time.sleep(0.2)


def _call(person: Person, operation: str, broker: Broker, **more: str) -> Callable[[], Any]:
    return partial(getattr(person.client("mq"), operation), BrokerId=broker.broker_id, **more)


if __name__ == "__main__":
    run_file(__file__)
