"""A testbed with something of everything that the console shows: sound, broken, and long."""

from contextlib import suppress
from dataclasses import replace

from testbed import report
from testbed.broker.model import Broker, Failure, Grant, Pending
from testbed.documented.engines import ActionRequired
from testbed.documented.grants import grants
from testbed.engines.base import User
from testbed.errors import NotFoundException
from testbed.kms import grant
from testbed.kms.base import SERVICE_ACCOUNT
from testbed.kms.key import Key
from testbed.testbed import Testbed
from tests.support import brokers_offline, run_content
from tests.support.brokers_offline import KEY, request
from tests.support.console import store

LONG_NAME = "a-broker-with-a-name-of-fifty-characters-the-limit"
DISABLED = KEY.replace("1234abcd", "2345bcde")
DYING = KEY.replace("1234abcd", "3456cdef")
OWNED = KEY.replace("1234abcd", "4567def0").replace("000000000000", SERVICE_ACCOUNT)


class _Running:
    """An engine in which KMS runs, and every node that has a container."""

    ID = "running"

    def find(self) -> list[dict[str, str]]:
        return [{"id": self.ID, "role": "kms", "status": "running"}]

    def logs(self, *_: object) -> list[bytes]:
        return [b"ready"]


def furnish(testbed: Testbed) -> None:
    """Store keys in all states, brokers of all topologies under them, calls, and a report."""
    folder = testbed.state.folder.parent / "report"
    folder.mkdir()
    report.write(run_content.full_run(), folder)
    testbed.containers = _Running()  # type: ignore[assignment]
    now = testbed.clock.now()
    store(
        testbed,
        Key(KEY, "{}", created=1),
        Key(DISABLED, "{}", created=2).disabled(now - 7200, 3600),
        Key(DYING, "{}", created=3).scheduled(now, 3600, 7),
        Key(OWNED, "{}", created=4),
    )
    cluster = replace(request(name="orders"), deployment_mode="CLUSTER_MULTI_AZ")
    _add(testbed, brokers_offline.add(testbed, cluster), KEY)
    broker = brokers_offline.add(testbed, request("ACTIVEMQ", "billing"))
    _add(testbed, _broken(testbed, broker), DISABLED)
    pair = replace(
        request("ACTIVEMQ", LONG_NAME),
        deployment_mode="ACTIVE_STANDBY_MULTI_AZ",
        storage_type="EFS",
    )
    _add(testbed, brokers_offline.add(testbed, pair), DYING)
    for call in (testbed.brokers.describe, testbed.brokers.reboot, testbed.brokers.delete):
        with suppress(NotFoundException):
            call("b-unknown")


def _broken(testbed: Testbed, broker: Broker) -> Broker:
    """Return the broker with what a disabled key and a node's loss leave behind."""
    refusal = f"The volume does not attach: DisabledException: {DISABLED} is disabled."
    failed = tuple(
        replace(node, failure=Failure(refusal, testbed.clock.now())) for node in broker.nodes
    )
    return testbed.brokers.amend(
        broker.broker_id,
        lambda stored: replace(
            stored,
            broker_state="CRITICAL_ACTION_REQUIRED",
            actions_required=(ActionRequired("INVALID_KMS_KEY", f"{DISABLED} is disabled."),),
            pending=Pending((*stored.users, User("late", "unspoken-secret-1")), "5.18"),
            nodes=failed,
        ),
    )


def _add(testbed: Testbed, broker: Broker, key: str) -> None:
    """Put the broker under a key, with the grants of its topology."""
    noted: list[Grant] = []
    for shape in grants(broker.deployment_mode, broker.storage_type, broker.region):
        volumes = [v.volume_id for v in broker.volumes] if shape.of_volume else [""]
        for volume in volumes:
            identity = f"{len(noted):02}{broker.broker_id.replace('-', '')}".ljust(64, "0")
            noted.append(Grant(shape.name, identity, volume))
            store(
                testbed,
                grant.Grant(
                    identity,
                    key,
                    shape.grantee_principal,
                    shape.operations,
                    broker.account,
                    created=len(noted),
                    starts=0,
                ),
            )
    nodes = tuple(
        node if node.failure else replace(node, container_id=_Running.ID)
        for node in testbed.brokers.peek(broker.broker_id).nodes
    )
    testbed.brokers.amend(
        broker.broker_id,
        lambda stored: replace(stored, key_arn=key, grants=tuple(noted), nodes=nodes),
    )
