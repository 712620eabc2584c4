"""What undoing does whatever has happened meanwhile; no container."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from testbed.errors import ContainerFailed, KmsError, TestbedError, VolumeRefused
from testbed.faults import all as registry
from testbed.faults.base import Fault, Record, Target
from testbed.faults.running import Faults
from testbed.state import holds
from testbed.testbed import Testbed
from tests.support.brokers_offline import KEY, add, offline, request


class Recorded(Fault):
    """Counts what happens to it; ``on`` is called by the injection and the undoing of a name."""

    summary = in_aws = "It is a test's."
    of = "testbed"

    def __init__(self, name: str) -> None:
        self.name = name  # type: ignore[misc] # of the object, for each test
        self.done: list[str] = []
        self.on: dict[str, Callable[[], object]] = {}

    def inject(self, target: Target, record: Record) -> None:
        self.on.get("inject", lambda: None)()
        self.done.append("inject")

    def undo(self, target: Target, record: Record) -> None:
        self.done.append("undo")
        self.on.get("undo", lambda: None)()

    def describe(self, record: Record) -> str:
        return self.name


@pytest.fixture
def testbed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Testbed]:
    with offline(tmp_path / "state", key_state="Enabled") as testbed:
        monkeypatch.setattr(testbed.containers, "volumes", list, raising=False)  # there are none
        yield testbed


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> tuple[Recorded, Recorded]:
    faults = Recorded("first"), Recorded("second")
    for fault in faults:
        monkeypatch.setitem(registry.FAULTS, fault.name, fault)
    return faults


def test_one_that_cannot_be_undone_keeps_no_other_at_work(
    testbed: Testbed, two: tuple[Recorded, Recorded]
) -> None:
    def refuse() -> None:
        raise TestbedError("It stays.")

    first, second = two
    second.on["undo"] = refuse
    faults = Faults(testbed)
    faults.inject("first")
    faults.inject("second")
    with pytest.raises(TestbedError, match="It stays"):
        faults.undo_all()
    assert first.done == ["inject", "undo"]
    assert [stored.fault for stored in faults.active()] == ["second"], "control: it is tried again"


def test_a_fault_that_is_not_undone_is_the_error_before_a_key_that_keeps_a_node_down(
    testbed: Testbed, two: tuple[Recorded, Recorded], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise TestbedError("It stays.")

    def revive(_: str) -> None:
        raise VolumeRefused("Its key is disabled.")

    monkeypatch.setattr(testbed.containers, "kill", lambda _: None, raising=False)
    monkeypatch.setattr(testbed.brokers.upkeep, "revive", revive)
    two[0].on["undo"] = refuse
    faults = Faults(testbed)
    faults.inject("first")
    faults.inject("kill", add(testbed, request()).broker_id)  # the latest is undone first
    with pytest.raises(TestbedError, match="It stays"):
        faults.undo_all()
    del two[0].on["undo"]
    faults.inject("kill", "offline")
    with pytest.raises(VolumeRefused):
        faults.undo_all()
    assert faults.active() == ()


def test_one_that_was_undone_before_it_was_done_is_undone_again(
    testbed: Testbed, two: tuple[Recorded, Recorded]
) -> None:
    first, second = two
    first.on["inject"] = lambda: Faults(testbed).undo_all()  # as another process may
    assert Faults(testbed).inject("first").is_undone
    assert first.done == ["undo", "inject", "undo"]
    assert not Faults(testbed).inject("second").is_undone
    assert second.done == ["inject"], "control"


@pytest.fixture
def keys(testbed: Testbed, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Let KMS disable and enable a key; return who called for what."""
    calls: list[tuple[str, str]] = []
    states = {"DisableKey": "Disabled", "EnableKey": "Enabled", "ScheduleKeyDeletion": "Disabled"}
    kms: Any = testbed.kms
    describe = kms.call

    def call(caller: Any, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        calls.append((f"{caller.region} {caller.account}", operation))
        if operation not in states:
            found: dict[str, Any] = describe(caller, operation, parameters)
            return found
        kms.state = states[operation]
        return {}

    monkeypatch.setattr(kms, "call", call)
    return calls


@pytest.mark.parametrize("name", ["disable-key", "schedule-key-deletion"])
def test_the_key_of_a_deleted_broker_works_again(
    testbed: Testbed, keys: list[tuple[str, str]], name: str
) -> None:
    broker = add(testbed, request())
    injected = Faults(testbed).inject(name, broker.broker_id)
    assert testbed.kms.state == "Disabled"  # type: ignore[attr-defined]
    testbed.state.delete("broker", broker.broker_id)
    injected.undo()
    assert keys[-1] == ("us-east-1 000000000000", "EnableKey")
    assert Faults(testbed).active() == ()


def test_a_fault_of_the_nodes_of_a_deleted_broker_is_over(testbed: Testbed) -> None:
    broker = add(testbed, request())
    for fault in registry.FAULTS.values():
        if fault.of in ("node", "broker"):
            stored: dict[str, Any] = {
                "id": fault.name,
                "fault": fault.name,
                "broker_id": broker.broker_id,
                "nodes": ["1"],
                "holds": [holds.node(broker.broker_id, "1")],
                "record": {"key": KEY, "order": {}, "grants": [], "expires": ""},
                "pid": 1,
                "started": 0.0,
            }
            testbed.state.put(holds.KIND, fault.name, stored)
    testbed.state.delete("broker", broker.broker_id)
    testbed.kms.errors["GetParametersForImport"] = "NotFoundException"  # type: ignore[attr-defined]
    faults = Faults(testbed)
    for active in faults.active():
        faults.undo(active.id)
    assert faults.active() == ()


@pytest.mark.parametrize(
    ("key_state", "calls"),
    [
        ("PendingDeletion", ["DescribeKey", "CancelKeyDeletion", "GetParametersForImport"]),
        ("PendingImport", ["DescribeKey", "GetParametersForImport"]),
    ],
)
def test_material_is_imported_again_into_a_key_whose_deletion_was_scheduled(
    testbed: Testbed, monkeypatch: pytest.MonkeyPatch, key_state: str, calls: list[str]
) -> None:
    called: list[str] = []

    def call(caller: object, operation: str, parameters: object) -> dict[str, Any]:
        called.append(operation)
        if operation == "GetParametersForImport":
            raise KmsError("As far as this test goes.", code="KMSInternalException")
        return {"KeyMetadata": {"KeyState": key_state}}

    monkeypatch.setattr(testbed.kms, "call", call)
    record = {"key": KEY, "material": "", "expires": ""}
    with pytest.raises(KmsError, match="As far as"):
        registry.find("expire-key-material").undo(Target(testbed), record)
    assert called == calls


@pytest.mark.parametrize("name", ["expire-key-material", "disable-key"])
def test_a_key_that_is_gone_stays_gone(testbed: Testbed, name: str) -> None:
    keys: Any = testbed.kms
    keys.errors[""] = "NotFoundException"
    registry.find(name).undo(Target(testbed), {"key": KEY, "material": "", "expires": ""})
    keys.errors[""] = "KMSInternalException"
    with pytest.raises(KmsError):  # control
        registry.find(name).undo(Target(testbed), {"key": KEY, "material": "", "expires": ""})


@pytest.mark.parametrize("name", ["slow-link", "lossy-link"])
def test_a_link_that_has_a_fault_gets_no_second_one_that_would_end_it(
    testbed: Testbed, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    running = SimpleNamespace(status="running")
    monkeypatch.setattr(testbed.containers, "state", lambda _: running, raising=False)
    broker, other = (add(testbed, request(name=each)) for each in ("orders", "other"))
    first: dict[str, Any] = {
        "fault": "cut",
        "broker_id": broker.broker_id,
        "nodes": [broker.nodes[0].name],
        "record": {"chain": "a-chain"},
    }
    testbed.state.put(holds.KIND, "first", first)
    fault = registry.find(name)
    assert "cut is at work there" in fault.refusal(Target(testbed, broker, broker.nodes))
    assert not fault.refusal(Target(testbed, other, other.nodes)), "control"
    assert not registry.find("cut").refusal(Target(testbed, broker, broker.nodes)), "control"
    testbed.state.put(holds.KIND, "first", {**first, "record": {}})  # of another kind
    assert not fault.refusal(Target(testbed, broker, broker.nodes))


@pytest.mark.parametrize(("error", "left"), [(VolumeRefused, 0), (ContainerFailed, 1)])
def test_a_node_that_its_key_keeps_down_does_not_keep_the_fault(
    testbed: Testbed, monkeypatch: pytest.MonkeyPatch, error: type[TestbedError], left: int
) -> None:
    """Otherwise `testbed up` would fail for ever, and nobody could enable the key."""

    def revive(_: str) -> None:
        raise error("It does not come back.")

    broker = add(testbed, request())
    monkeypatch.setattr(testbed.containers, "kill", lambda _: None, raising=False)
    monkeypatch.setattr(testbed.brokers.upkeep, "revive", revive)
    killed = Faults(testbed).inject("kill", broker.broker_id)
    with pytest.raises(error, match="does not come back"):
        killed.undo()
    assert len(Faults(testbed).active()) == left
