"""Keys, grants and brokers against the model, by random calls; and one real broker restarted."""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from testbed import clients
from testbed.broker import grants, maintenance, nodes, rules
from testbed.storage import volumes
from testbed.testbed import Testbed
from tests.support.broker_machine import KeysAndBrokers
from tests.support.broker_model import RUNNING, ModelAccount
from tests.support.kms_machine import KeysAndGrants
from tests.support.kms_model import DELAY

pytestmark = pytest.mark.containers

# A failure is shown as found: shrinking it would take minutes.
CHECKED = settings(
    max_examples=5,
    stateful_step_count=100,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def slow() -> Iterator[Testbed]:
    """Start a testbed whose delay is longer than the test."""
    with Testbed(delay=DELAY) as testbed:
        KeysAndBrokers.testbed = testbed
        yield testbed


@pytest.mark.parametrize(
    ("calls", "seconds"),
    [
        (400, 6.0),
        pytest.param(8000, 120.0, marks=pytest.mark.nightly("two minutes of random calls")),
    ],
)
def test_brokers_are_as_the_model_says(slow: Testbed, calls: int, seconds: float) -> None:
    KeysAndBrokers.broker_calls = KeysAndGrants.calls = 0
    until = time.monotonic() + seconds
    while KeysAndBrokers.broker_calls < calls and time.monotonic() < until:
        run_state_machine_as_test(KeysAndBrokers, settings=CHECKED)
    print(
        f"{KeysAndBrokers.broker_calls} calls on brokers and {KeysAndGrants.calls} on KMS compared"
    )


# Controls: rules that are wrong


class GrantsComeBack(ModelAccount):
    def change(self, operation: str, key: int, days: int = 30) -> None:
        super().change(operation, key, days)
        if operation == "EnableKey":
            self.grants = {
                grant_id: replace(grant, ends=None) if grant.key == key else grant
                for grant_id, grant in self.grants.items()
            }


class AtOnce(ModelAccount):
    def usable(self, key: int) -> bool:
        return self.keys[key].unusable is None


WRONG_SERVICE = {
    "the check does not ask for grants": (
        maintenance,
        "grants",
        SimpleNamespace(missing=lambda *_: ()),
    ),
    "the check does not ask for data keys": (volumes, "check_data_key", lambda *_: None),
    "attaching does not ask for grants": (
        nodes,
        "grants",
        SimpleNamespace(missing=lambda *_: ()),
    ),
    "a quarantined broker is rebooted": (
        rules,
        "check_state",
        lambda *_: None,
    ),
    "a deleted broker leaves its grants": (grants, "retire", lambda *_: None),
    "a check's finding is not kept": (maintenance, "with_check", lambda broker, result: broker),
}


def tour() -> None:
    run = KeysAndBrokers()
    try:
        run.tour()
    finally:
        run.forget()
        run.folder.cleanup()


def random_calls() -> None:
    run_state_machine_as_test(
        KeysAndBrokers,
        settings=settings(CHECKED, max_examples=400, report_multiple_bugs=False),
    )


CALLS = [
    tour,
    pytest.param(random_calls, marks=pytest.mark.nightly("wrong rules, found by chance")),
]


def test_every_loss_of_a_key_or_a_grant_is_as_the_model_says(slow: Testbed) -> None:
    tour()


@pytest.mark.parametrize("calls", CALLS)
@pytest.mark.parametrize("wrong", WRONG_SERVICE)
def test_control_a_wrong_rule_of_the_service_is_found(
    slow: Testbed, monkeypatch: pytest.MonkeyPatch, wrong: str, calls: Callable[[], None]
) -> None:
    monkeypatch.setattr(*WRONG_SERVICE[wrong])
    with pytest.raises(AssertionError, match="where the model has"):
        calls()


@pytest.mark.parametrize("calls", CALLS)
@pytest.mark.parametrize("wrong", [AtOnce, GrantsComeBack])
def test_control_a_wrong_rule_of_the_model_is_found(
    slow: Testbed,
    monkeypatch: pytest.MonkeyPatch,
    wrong: type[ModelAccount],
    calls: Callable[[], None],
) -> None:
    monkeypatch.setattr(KeysAndBrokers, "modelled", wrong)
    with pytest.raises(AssertionError, match="where the model has"):
        calls()


# A broker that runs


class RealBroker(KeysAndBrokers):
    """A real RabbitMQ broker, driven by chance. ``starts`` counts the restarts of its node."""

    def __init__(self) -> None:
        super().__init__()
        self.runs, self.starts = True, 0
        self.create_key()
        broker = self.brokers.create(self.testbed.request("RABBITMQ", "real", self.arns[0]))
        self.broker_id = broker.broker_id
        self.keep(broker, 0)

    def started(self) -> None:
        self.runs, self.starts = True, self.starts + 1

    def reboot(self) -> None:
        legal = self.model.reboot(self.broker_id)
        self.answer_to(
            lambda: self.brokers.reboot(self.broker_id),
            "" if legal else "BadRequestException",
            "RebootBroker",
        )
        if legal:
            self.model.rebooted(self.broker_id)
            self.started()

    def lose(self) -> None:
        self.brokers.upkeep.detach(self.broker_id)
        self.runs = False

    def come_back(self) -> None:
        legal = self.attaches(self.broker_id, 0)
        self.answer_to(
            lambda: self.brokers.upkeep.attach(self.broker_id),
            "" if legal else "VolumeRefused",
            "attach",
        )
        if legal:
            self.started()

    def maintain(self) -> None:
        lost = not self.runs
        broker = self.answer_to(
            lambda: self.brokers.upkeep.maintain(self.broker_id), "", "maintain"
        )
        self.agree(
            broker.broker_state, self.model.check(self.broker_id).state, "the state after maintain"
        )
        if lost and broker.broker_state == RUNNING:
            self.started()

    def step(self, chance: random.Random) -> None:
        """Enable the key as often as it is made unusable."""
        steps: list[Callable[[], None]] = [
            self.reboot,
            self.lose,
            self.come_back,
            self.maintain,
            self.wait,
            self.wait,
            self.inside_the_delay,
            lambda: self.disable(0),
            lambda: self.schedule(0),
            lambda: self.cancel(0),
            lambda: self.enable(0),
            lambda: self.enable(0),
        ]
        chance.choice(steps)()
        self.serves_on_while_attached()

    def inside_the_delay(self) -> None:
        self.turn(DELAY / 2)

    def serves_on_while_attached(self) -> None:
        stored = self.stored(self.broker_id)
        self.agree(
            self.testbed.containers.state(stored.nodes[0].container_id).running,
            self.runs,
            "whether its node runs",
        )
        if self.runs:
            with clients.connect(self.brokers.address(stored, "amqp")):
                pass


@pytest.mark.nightly("a real broker led by chance; every push has the scenarios")
def test_a_broker_that_runs_is_as_the_model_says(slow: Testbed) -> None:
    """A broker comes back with its key, and never again once a grant has ended."""
    chance = random.Random(seed := random.randrange(2**32))
    run, steps = RealBroker(), 0
    try:
        while run.starts < 4 and steps < 60:
            run.step(chance)
            steps += 1
        run.cancel(0)
        run.enable(0)
        run.maintain()
        run.serves_on_while_attached()
        assert run.runs
        run.end_grant_of_broker(chance.randrange(2), "revoked")
        run.wait()
        run.maintain()
        run.serves_on_while_attached()
        run.reboot()
        run.lose()
        run.come_back()
        run.maintain()
        assert not run.runs
        run.delete_broker(0)
    finally:
        print(f"seed {seed}: {steps} steps, {run.starts} starts")
        run.forget()
        run.folder.cleanup()
