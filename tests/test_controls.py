"""Control brokers: created once for each engine and kind of defect, and lent out."""

from types import SimpleNamespace
from typing import Any

import pytest

from testbed.controls import Controls
from testbed.engines.base import UNENCRYPTED, Defects
from testbed.errors import TestbedError
from testbed.runtime.tasks import run_concurrently


class Service:
    """Creates and deletes numbered brokers; the first ``failing`` are not created."""

    def __init__(self, failing: int = 0) -> None:
        self.created: list[tuple[str, Defects]] = []
        self.deleted: list[str] = []
        self.failing = failing
        self.controls = Controls(self._create, self.deleted.append)

    def _create(self, engine_type: str, defects: Defects) -> Any:
        self.created.append((engine_type, defects))
        if len(self.created) <= self.failing:
            raise TestbedError("no memory")
        return SimpleNamespace(broker_id=f"b-{len(self.created)}")


def test_one_broker_serves_everyone_who_wants_the_same() -> None:
    service = Service()
    lent = run_concurrently([lambda: service.controls.get("RABBITMQ", UNENCRYPTED)] * 8)
    assert {broker.broker_id for broker in lent} == {"b-1"}
    assert service.created == [("RABBITMQ", UNENCRYPTED)]


@pytest.mark.parametrize(
    ("engine_type", "defects"),
    [("ACTIVEMQ", UNENCRYPTED), ("RABBITMQ", Defects()), ("RABBITMQ", Defects(plain_volume=True))],
)
def test_another_engine_or_defect_is_another_broker(engine_type: str, defects: Defects) -> None:
    service = Service()
    service.controls.get("RABBITMQ", UNENCRYPTED)
    assert service.controls.get(engine_type, defects).broker_id == "b-2"


def test_close_deletes_them_all_and_the_next_are_new() -> None:
    service = Service()
    for engine_type in ("RABBITMQ", "ACTIVEMQ"):
        service.controls.get(engine_type, UNENCRYPTED)
    service.controls.close()
    assert sorted(service.deleted) == ["b-1", "b-2"]
    assert service.controls.get("RABBITMQ", UNENCRYPTED).broker_id == "b-3"
    service.controls.close()
    assert sorted(service.deleted) == ["b-1", "b-2", "b-3"]


def test_a_failed_start_is_raised_and_tried_again_by_the_next() -> None:
    service = Service(failing=1)
    with pytest.raises(TestbedError, match="no memory"):
        service.controls.get("RABBITMQ", UNENCRYPTED)
    assert service.controls.get("RABBITMQ", UNENCRYPTED).broker_id == "b-2"
    service.controls.close()
    assert service.deleted == ["b-2"]


def test_a_start_after_a_failed_one_is_not_forgotten_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service = Service(failing=1)
    failed = service.controls.start("RABBITMQ", UNENCRYPTED)
    raise_its_error = failed.result

    def result() -> Any:
        """Let another one who waited, too, ask again before this one goes on."""
        monkeypatch.setattr(failed, "result", raise_its_error)
        with pytest.raises(TestbedError):
            service.controls.get("RABBITMQ", UNENCRYPTED)
        assert service.controls.get("RABBITMQ", UNENCRYPTED).broker_id == "b-2"
        return raise_its_error()

    monkeypatch.setattr(failed, "result", result)
    with pytest.raises(TestbedError, match="no memory"):
        service.controls.get("RABBITMQ", UNENCRYPTED)
    service.controls.close()
    assert service.deleted == ["b-2"]


def test_close_deletes_the_others_when_one_failed_or_cannot_be_deleted() -> None:
    service = Service(failing=1)
    service.controls.start("RABBITMQ", Defects(plain_volume=True)).wait()
    broken = service.controls.get("RABBITMQ", UNENCRYPTED).broker_id
    service.controls.get("ACTIVEMQ", UNENCRYPTED)
    deleted: list[str] = []

    def delete(broker_id: str) -> None:
        if broker_id == broken:
            raise TestbedError("KMS does not answer")
        deleted.append(broker_id)

    service.controls._delete = delete
    with pytest.raises(TestbedError, match="KMS does not answer"):
        service.controls.close()
    assert deleted == ["b-3"]
