"""Random legal calls on keys, grants and brokers, compared with the model in ``broker_model``.

The brokers are as ``begin_create`` leaves them, with grants, data keys and volumes, and without
containers. ``amend`` stores that they came up, as the end of a creation would. They have no image:
an attach that is allowed opens the data key and then fails for want of a container.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from testbed.broker import maintenance
from testbed.broker.model import Broker
from testbed.errors import ContainerFailed, MqError, VolumeRefused
from testbed.storage import volumes
from testbed.testbed import Testbed
from tests.support.broker_model import (
    CODE,
    CRITICAL,
    KINDS,
    REBOOTING,
    ModelAccount,
    ModelBroker,
    ModelVolume,
)
from tests.support.kms_authority import Authority
from tests.support.kms_machine import KeysAndGrants, index
from tests.support.kms_model import DAY, DELAY, OWNER

if TYPE_CHECKING:
    from testbed.broker.jobs import Job
    from testbed.storage.volumes import Volume

NO_IMAGE = "amazonmq-testbed/none:none"  # creating a container pulls no image
Kind = tuple[str, str, str]
kinds = st.sampled_from(list(KINDS))


def _without_failures(broker: Broker) -> Broker:
    for node in broker.nodes:
        broker = maintenance.with_node(broker, replace(node, failure=None))
    return broker


where_there_are_some = precondition(lambda self: self.model.brokers)


class KeysAndBrokers(KeysAndGrants):
    """``KeysAndGrants`` with brokers. ``broker_calls`` counts calls on the control plane."""

    testbed: Testbed
    modelled: type[ModelAccount] = ModelAccount
    broker_calls = 0

    def __init__(self) -> None:
        super().__init__()
        self.model: ModelAccount = self.modelled()
        self.brokers = self.testbed.brokers
        self.volumes: list[tuple[Volume, ModelVolume]] = []  # those of deleted brokers, too
        self.data_keys: dict[str, bytes] = {}
        self.reboots: dict[str, Job] = {}

    def authority(self) -> Authority:
        testbed = self.testbed
        return Authority(testbed.kms, testbed.clock, testbed.state, None, [])  # type: ignore[arg-type]

    @initialize(first=kinds, second=kinds)
    def something_to_begin_with(self, first: Kind, second: Kind) -> None:
        """Create two brokers that share a key, and another key."""
        self.create_key()
        self.create_broker(0, first, False)
        self.create_broker(0, second, False)
        self.create_key()

    # Calls

    def answer_to(self, call: Callable[[], Any], expected: str, what: str) -> Any:
        """Return the answer, or the refusal's text. ``expected`` names the refusal, if any."""
        KeysAndBrokers.broker_calls += 1
        try:
            code, answer = "", call()
        except (MqError, VolumeRefused, ContainerFailed) as refusal:
            code, answer = type(refusal).__name__, str(refusal)
        self.agree(
            code or "done", expected or "done", f"{what} ({answer if code else 'no refusal'})"
        )
        return answer

    def chosen(self, number: int) -> tuple[str, ModelBroker]:
        return list(self.model.brokers.items())[number % len(self.model.brokers)]

    def stored(self, broker_id: str, **changes: Any) -> Broker:
        """Return the stored broker without checking its key, after storing ``changes``."""
        return self.brokers.amend(broker_id, lambda broker: replace(broker, **changes))

    # The life of a broker

    @precondition(lambda self: len(self.model.brokers) < 4)
    @rule(number=index, kind=kinds, owned=st.sampled_from([False, False, False, True]))
    def create_broker(self, number: int, kind: Kind, owned: bool) -> None:
        """Use a customer's key, or Amazon MQ's, which no other call here changes."""
        key, (engine, mode, storage) = None if owned else self.key(number), kind
        request = self.testbed.request(
            engine,
            "model",
            "" if key is None else self.arns[key],
            deployment_mode=mode,
            storage_type=storage,
        )
        legal = self.model.creatable(key)
        job = self.answer_to(
            lambda: self.brokers.begin_create(request),
            "" if legal else "BadRequestException",
            f"CreateBroker on key {key}",
        )
        if not legal:
            self.nothing_else_is_there(key)
            return
        broker = job.broker
        self.agree(
            tuple(grant.name for grant in broker.grants),
            () if owned else KINDS[kind],
            f"the grants of {kind}",
        )
        for node in broker.nodes:
            self.testbed.containers.create_volume(node.volume.volume_id)
        self.keep(broker, key)
        self.stored(
            broker.broker_id,
            broker_state="RUNNING",
            checked=self.testbed.clock.now(),
            image=NO_IMAGE,
        )

    def keep(self, broker: Broker, key: int | None) -> None:
        """Add the broker to the model, and keep its volumes; a standby's nodes share one."""
        mine = {
            node.volume.volume_id: (
                node.volume,
                ModelVolume(node.volume.volume_id, key, broker.storage_type),
            )
            for node in broker.nodes
        }
        granted = [
            (grant.name, grant.grant_id, mine[grant.volume_id][1] if grant.volume_id else None)
            for grant in broker.grants
        ]
        modelled = [volume for _, volume in mine.values()]
        self.model.created(broker.broker_id, broker.engine_type, key, granted, modelled)
        for pair in mine.values():
            self.volumes.append(pair)
            self.open(len(self.volumes) - 1)

    @where_there_are_some
    @rule(number=index)
    def delete_broker(self, number: int) -> None:
        broker_id, broker = self.chosen(number)
        legal = broker.state != REBOOTING
        self.answer_to(
            lambda: self.brokers.delete(broker_id),
            "" if legal else "BadRequestException",
            "DeleteBroker",
        )
        if not legal:
            self.nothing_else_is_there(None)
            return
        self.model.deleted(broker_id)
        self.answer_to(
            lambda: self.brokers.describe(broker_id),
            "NotFoundException",
            "DescribeBroker of a deleted broker",
        )
        self.nothing_else_is_there(broker.key)

    def nothing_else_is_there(self, key: int | None) -> None:
        self.agree(set(self.brokers.ids()), set(self.model.brokers), "the brokers that there are")
        if key is not None:
            self.list_grants(key)

    # Maintenance

    @where_there_are_some
    @rule(number=index, way=st.sampled_from(["check", "describe", "maintain"]))
    def look_at(self, number: int, way: str) -> None:
        """Look at a broker. ``describe`` checks only if due; ``maintain`` skips an unusable key."""
        broker_id, broker = self.chosen(number)
        down = broker.state != REBOOTING and not self.model.maintainable(broker)
        due = broker.checked < self.model.now
        way = (
            "check" if (way == "maintain" and not down) or (way == "describe" and not due) else way
        )
        upkeep = self.brokers.upkeep
        looks = {
            "check": upkeep.check,
            "describe": self.brokers.describe,
            "maintain": upkeep.maintain,
        }
        broker_now = self.answer_to(lambda: looks[way](broker_id), "", way)
        expected = self.model.check(broker_id)
        self.agree(broker_now.broker_state, expected.state, f"the state after {way}")
        codes = [CODE[expected.engine]] if expected.state == CRITICAL else []
        self.agree(
            [required.action_required_code for required in broker_now.actions_required],
            codes,
            f"what is required after {way}",
        )

    @where_there_are_some
    @rule(number=index)
    def begin_reboot(self, number: int) -> None:
        broker_id, _ = self.chosen(number)
        legal = self.model.reboot(broker_id)
        job = self.answer_to(
            lambda: self.brokers.begin_reboot(broker_id),
            "" if legal else "BadRequestException",
            "RebootBroker",
        )
        if legal:
            self.reboots[broker_id] = job
        self.agree(
            self.stored(broker_id).broker_state,
            self.model.brokers[broker_id].state,
            "the state after RebootBroker",
        )

    @precondition(
        lambda self: any(broker.state == REBOOTING for broker in self.model.brokers.values())
    )
    @rule(number=index)
    def finish_reboot(self, number: int) -> None:
        """Finish a reboot; the key may have become unusable since it began."""
        rebooting = [
            broker_id
            for broker_id, broker in self.model.brokers.items()
            if broker.state == REBOOTING
        ]
        broker_id = rebooting[number % len(rebooting)]
        places = range(len(self.stored(broker_id).nodes))  # none serves: they start together
        self.comes_back(self.reboots[broker_id].finish, broker_id, *places)
        self.model.rebooted(broker_id)
        self.agree(
            self.stored(broker_id).broker_state,
            self.model.brokers[broker_id].state,
            "the state after a reboot",
        )

    # Volumes

    @where_there_are_some
    @rule(number=index, node=st.integers(0, 2))
    def attach(self, number: int, node: int) -> None:
        broker_id, _ = self.chosen(number)
        nodes = self.stored(broker_id).nodes
        place = node % len(nodes)
        self.comes_back(
            lambda: self.brokers.upkeep.attach(broker_id, nodes[place].name), broker_id, place
        )

    def comes_back(self, call: Callable[[], Any], broker_id: str, *places: int) -> None:
        legal = all(self.attaches(broker_id, place) for place in places)
        text = self.answer_to(call, "ContainerFailed" if legal else "VolumeRefused", "attaching")
        words = "could not be started: no such image" if legal else "does not attach"
        self.agree(words in text, True, f"whether {text!r} says {words!r}")
        broker = self.stored(broker_id)
        self.agree(any(node.failure for node in broker.nodes), legal, "whether a node failed")
        self.brokers.amend(broker_id, _without_failures)  # as if an image had come

    def attaches(self, broker_id: str, place: int) -> bool:
        volume_id = self.stored(broker_id).nodes[place].volume.volume_id
        volume = next(modelled for _, modelled in self.volumes if modelled.volume_id == volume_id)
        return self.model.attaches(self.model.brokers[broker_id], volume)

    @precondition(lambda self: self.volumes)
    @rule(number=index)
    def open(self, number: int) -> None:
        """Open the data key of any past or present volume: the same each time, or refused."""
        volume, modelled = self.volumes[number % len(self.volumes)]
        expected = "" if self.model.opens(modelled) else "VolumeRefused"
        opened = self.answer_to(
            lambda: volumes.open_data_key(self.testbed.kms, volume),
            expected,
            f"the data key of {volume.volume_id}",
        )
        if not expected:
            self.agree(
                opened == self.data_keys.setdefault(volume.volume_id, opened),
                True,
                "whether it is the same data key",
            )

    # The grants of brokers

    @precondition(lambda self: any(broker.grants for broker in self.model.brokers.values()))
    @rule(
        number=index,
        way=st.sampled_from(["revoked", "retired by the owner", "retired by its service"]),
    )
    def end_grant_of_broker(self, number: int, way: str) -> None:
        ids = [grant_id for broker in self.model.brokers.values() for grant_id in broker.grants]
        grant = self.model.grants[ids[number % len(ids)]]
        caller = grant.retiring if way == "retired by its service" else OWNER
        self.end_grant(
            caller,
            list(self.model.grants).index(ids[number % len(ids)]),
            "RevokeGrant" if way == "revoked" else "RetireGrant",
        )

    @rule()
    def wait_again(self) -> None:
        """Wait more often, since effects come with a delay."""
        self.turn(DELAY)

    # Every way in which a key or a grant is lost, once

    def tour(self) -> None:
        """Take the calls that matter in turn, on each kind of broker, one broker at a time."""
        self.create_key()
        for kind in KINDS:
            for place in range(len(KINDS[kind])):
                self.create_broker(0, kind, False)
                self.end_grant_of_broker(place, "revoked")
                self.disable(0)
                self.enable(0)
                self.seen_to_be_lost()
                self.delete_broker(0)
        self.lost_and_given_back(lambda: self.disable(0), lambda: self.enable(0))
        self.lost_and_given_back(
            lambda: self.put_policy(0, "no decrypt"), lambda: self.put_policy(0, "default")
        )

    def lost_and_given_back(self, lose: Callable[[], None], give_back: Callable[[], None]) -> None:
        self.create_broker(0, next(iter(KINDS)), False)
        lose()
        self.look_at(0, "check")  # before it has an effect
        self.seen_to_be_lost()
        give_back()
        self.wait()
        self.look_at(0, "check")
        self.begin_reboot(0)
        self.finish_reboot(0)
        self.delete_broker(0)

    def seen_to_be_lost(self) -> None:
        """Wait for the effect, look, look again without a check, reboot and attach."""
        self.wait()
        self.attach(0, 0)
        self.look_at(0, "check")
        self.look_at(0, "describe")
        self.begin_reboot(0)

    # At the end of a run

    def everything_opens_that_should_and_nothing_more(self) -> None:
        for number, broker_id in enumerate(list(self.model.brokers)):
            if self.model.brokers[broker_id].state == REBOOTING:
                self.finish_reboot(0)
            self.look_at(number, "check")
            for node in range(len(self.stored(broker_id).nodes)):
                self.attach(number, node)
        for number in range(len(self.volumes)):
            self.open(number)

    def forget(self) -> None:
        """Remove everything, so that the next run begins empty."""
        for broker_id in self.brokers.ids():
            self.stored(broker_id, broker_state="RUNNING")
            self.brokers.delete(broker_id)
        for key in self.model.keys:
            self.ask(OWNER, "ScheduleKeyDeletion", KeyId=self.arns[key], PendingWindowInDays=7)
        self.turn(7 * DAY)
