"""Look at brokers and KMS from outside: each look is a frozen value with a sentence of evidence.

For scenarios and tests, where a refusal is a result and not an error.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.broker.service import Brokers
from testbed.errors import BadRequestException, KmsError, TestbedError, VolumeRefused
from testbed.kms.base import USER, Caller, Kms
from testbed.traffic import Traffic


@dataclass(frozen=True)
class Observation:
    """The outcome of a look; the function that returns it says what ``yes`` means."""

    yes: bool
    evidence: str


@dataclass(frozen=True)
class Answer:
    """KMS's answer to one call. ``code`` is AWS's error code, empty when the call succeeded."""

    code: str
    evidence: str

    @property
    def refused(self) -> bool:
        """Whether KMS refused the call."""
        return bool(self.code)

    @property
    def denied(self) -> bool:
        """Whether KMS refused it because the caller has no permission."""
        return self.code == "AccessDeniedException"


@dataclass(frozen=True)
class Advised:
    """What one run of `testbed advise` printed, and its exit status."""

    output: str
    status: int
    advice: tuple[Mapping[str, Any], ...]

    def on(self, identity: str, what: str, rule: str) -> Observation:
        """Look for advice on one thing of a resource; ``yes`` if it is there, under this rule."""
        found = [
            " and ".join(advice["looks_like"])
            for advice in self.advice
            if identity in advice["resource"] and what in advice["what"] and advice["rule"] == rule
        ]
        words = f"`testbed advise` finds {', '.join(found)}" if found else "no advice"
        return Observation(bool(found) and self.status == 1, f"{what} of {identity}: {words}")


def advised(folder: Path) -> Advised:
    """Run `testbed advise` in a process of its own, as a build does. Raises ``TestbedError``."""
    command = "from testbed.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", command, "advise", "--json", "--state", str(folder)],
        check=False,
        capture_output=True,
        text=True,
    )
    document = json.loads(done.stdout or '{"error": "`testbed advise` printed nothing."}')
    if "error" in document:
        raise TestbedError(document["error"])
    return Advised(done.stdout + done.stderr, done.returncode, tuple(document["advice"]))


def ask(kms: Kms, operation: str, parameters: Mapping[str, Any], caller: Caller = USER) -> Answer:
    """Call KMS. An outage counts as a refusal, and the evidence says so."""
    try:
        kms.call(caller, operation, parameters)
    except KmsError as error:
        return Answer(error.code, f"{operation} by {caller.principal} is refused: {error}")
    return Answer("", f"{operation} by {caller.principal} is carried out")


def reports_invalid_key(brokers: Brokers, broker_id: str) -> Observation:
    """Run the periodic check; ``yes`` if it reports the invalid-key code."""
    broker = brokers.check(broker_id)
    codes = [
        f"{action.action_required_code} ({action.action_required_info})"
        for action in broker.actions_required
    ]
    with_codes = f" with {', '.join(codes)}" if codes else ""
    return Observation(
        broker.broker_state == "CRITICAL_ACTION_REQUIRED"
        and any("INVALID_KMS_KEY" in code for code in codes),
        f"DescribeBroker says {broker.broker_state}{with_codes}",
    )


def refuses_reboot(brokers: Brokers, broker_id: str) -> Observation:
    """Try to reboot the broker; ``yes`` if RebootBroker is refused."""
    try:
        brokers.reboot(broker_id)
    except BadRequestException as error:
        return Observation(yes=True, evidence=f"RebootBroker is refused: {error}")
    return Observation(yes=False, evidence="RebootBroker is carried out")


def stays_down(brokers: Brokers, broker_id: str, node_name: str = "") -> Observation:
    """Try to bring a lost node back; ``yes`` if it stays lost."""
    try:
        brokers.attach(broker_id, node_name)
    except VolumeRefused as error:
        return Observation(yes=True, evidence=f"the node that was lost does not come back: {error}")
    return Observation(yes=False, evidence="the node that was lost is back")


def serves(traffic: Traffic, messages: int, timeout: float = 30.0) -> Observation:
    """Wait for confirmations; ``yes`` if ``messages`` more arrive within ``timeout`` seconds."""
    try:
        traffic.wait_confirmed(messages, timeout)
    except TestbedError as error:
        return Observation(yes=False, evidence=f"the broker does not serve: {error}")
    return Observation(
        yes=True, evidence=f"the broker serves: {messages} more messages are confirmed"
    )
