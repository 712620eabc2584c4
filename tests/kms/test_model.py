"""Keys and grants follow the model, through thousands of random calls and kills of KMS."""

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from testbed.errors import KmsError
from tests.support.kms_authority import container
from tests.support.kms_container import Container, localstack
from tests.support.kms_machine import CONTEXTS, KeysAndGrants
from tests.support.kms_model import CALLERS, DAY, DELAY, GRANTABLE, OWNER, POLICIES, SERVICE

pytestmark = pytest.mark.containers

STEPS_A_RUN = 60
LONG_RUN = pytest.mark.nightly("two minutes of random calls, and more kills")


@pytest.mark.parametrize(
    ("calls", "seconds"), [(1200, 6.0), pytest.param(50_000, 120.0, marks=LONG_RUN)]
)
def test_keys_and_grants_are_as_the_model_says(calls: int, seconds: float) -> None:
    KeysAndGrants.running, KeysAndGrants.calls = container(), 0
    checked = settings(
        max_examples=10,
        stateful_step_count=STEPS_A_RUN,
        suppress_health_check=list(HealthCheck),
    )
    until = time.monotonic() + seconds
    while KeysAndGrants.calls < calls and time.monotonic() < until:
        run_state_machine_as_test(KeysAndGrants, settings=checked)
    print(f"{KeysAndGrants.calls} calls compared")


class Outage(Exception):
    """KMS did not answer, and did nothing: the model stays as it is."""


class Killed(KeysAndGrants):
    """Driven by chance alone: a kill is not reproducible, as hypothesis would need."""

    def ask(
        self, caller: str, operation: str, invoked_by: str = "", **parameters: Any
    ) -> tuple[str, dict[str, Any]]:
        code, answer = super().ask(caller, operation, invoked_by, **parameters)
        if code == "KMSInternalException":
            raise Outage
        return code, answer

    def step(self, chance: random.Random) -> None:
        number, context = chance.randrange(1000), chance.choice(CONTEXTS)
        caller, grantee = chance.choice(CALLERS), chance.choice(CALLERS[1:])
        steps: list[Callable[[], None]] = [
            lambda: self.encrypt(caller, number, context),
            lambda: self.decrypt(caller, number, chance.choice([None, context])),
            lambda: self.reencrypt(OWNER, number, number + 1, None, context),
            lambda: self.use_a_grant(
                number, chance.choice(["Encrypt", "Decrypt", "ReEncrypt"]), context
            ),
            lambda: self.create_grant(
                OWNER, number, grantee, grantee, set(GRANTABLE), context, (), "", True
            ),
            lambda: self.end_grant(OWNER, number, "RevokeGrant"),
            lambda: self.rotate(OWNER, number),
            lambda: self.disable(number),
            lambda: self.enable(number),
            lambda: self.enable(number),
            lambda: self.schedule(number),
            lambda: self.cancel(number),
            lambda: self.put_policy(number, chance.choice(POLICIES)),
            lambda: self.turn(chance.choice([DELAY / 2, DELAY, DAY, 7 * DAY])),
            lambda: self.create_key() if len(self.arns) < 8 else None,
        ]
        chance.choice(steps)()


@contextlib.contextmanager
def begun() -> Iterator[Killed]:
    """Make two keys, ciphertexts under them, and a grant."""
    run = Killed()
    try:
        run.create_key()
        run.create_key()
        for number, context in enumerate(CONTEXTS * 2):
            run.encrypt(OWNER, number, context)
        run.create_grant(OWNER, 0, SERVICE, SERVICE, set(GRANTABLE), (), (), "", True)
        yield run
    finally:
        run.folder.cleanup()


def kill_amid_calls(running: Container, run: Killed, chance: random.Random) -> None:
    """Kill it after a moment, make calls until it does not answer any more, and start it again."""
    killing = threading.Timer(chance.uniform(0, 0.4), running.kill)
    killing.start()
    try:
        with contextlib.suppress(Outage):
            while True:
                run.step(chance)
    finally:
        killing.join()
    running.start()


@pytest.mark.parametrize("kills", [3, pytest.param(12, marks=LONG_RUN)])
def test_kms_killed_at_random_points_forgets_nothing_and_opens_nothing_more(kills: int) -> None:
    seed = random.randrange(2**32)
    with localstack() as running:
        running.start()
        Killed.running = running
        print(f"seed {seed}, {kills} kills")
        chance = random.Random(seed)
        with begun() as run:
            for _ in range(kills):
                kill_amid_calls(running, run, chance)
                run.everything_opens_that_should_and_nothing_more()


def test_control_a_kms_that_forgets_is_found_out() -> None:
    with localstack(tmpfs={"/etc/localstack/init/start.d": ""}) as forgetful:
        forgetful.start()
        Killed.running = forgetful
        with begun() as run:
            forgetful.kill()
            forgetful.start()
            with pytest.raises((AssertionError, KmsError)):
                run.everything_opens_that_should_and_nothing_more()
