"""Look at brokers and KMS from outside: each look is a frozen value with a sentence of evidence.

For scenarios and tests, where a refusal is a result and not an error.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from testbed import clients
from testbed.broker import strict_names
from testbed.broker.describe import describe
from testbed.broker.service import Brokers
from testbed.errors import BadRequestException, ClientError, KmsError, TestbedError, VolumeRefused
from testbed.kms.base import USER, Caller, Kms, is_outage
from testbed.results import Finding, Verdict
from testbed.state.store import State
from testbed.traffic import Traffic

T = TypeVar("T")


@dataclass(frozen=True)
class Observation:
    """The outcome of a look; the function that returns it says what ``yes`` means."""

    yes: bool
    evidence: str

    @property
    def inverse(self) -> "Observation":
        """The same look, where ``no`` is what a claim expects."""
        return Observation(not self.yes, self.evidence)


def contrast(
    claim: str,
    subject: str,
    looks: Sequence[Observation],
    control_subject: str,
    control_looks: Sequence[Observation],
    *,
    also: Sequence[Observation] = (),
) -> Finding:
    """Judge that every look is ``yes``; the control is the same looks, of which each must be no.

    So each look alone tells the fault. ``also`` has to be yes for the finding to hold, and does not
    depend on the fault. The evidence begins with what is not as it has to be, since its first
    sentence is the reason of a verdict. Raises ``ValueError`` when the control does not repeat each
    look.
    """
    if not looks or len(looks) != len(control_looks):
        raise ValueError(f"{subject}: {len(looks)} looks, and {len(control_looks)} in the control")
    control = Finding(
        claim,
        control_subject,
        Verdict.of(any(look.yes for look in control_looks)),
        tuple(look.evidence for look in sorted(control_looks, key=lambda look: not look.yes)),
    )
    seen = sorted((*looks, *also), key=lambda look: look.yes)
    holds = all(look.yes for look in seen)
    return Finding(
        claim, subject, Verdict.of(holds), tuple(look.evidence for look in seen), control
    )


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

    @property
    def refusal(self) -> Observation:
        """Whether KMS refused the call, as a look."""
        return Observation(self.refused, self.evidence)


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


def with_strict_names(state: State, attempt: Callable[[], T]) -> tuple[T, T]:
    """Return what ``attempt`` returns without strict names, and then with them."""
    before = strict_names.chosen(state)
    try:
        strict_names.choose(state, strict=False)
        without = attempt()
        strict_names.choose(state, strict=True)
        return without, attempt()
    finally:
        strict_names.choose(state, strict=before)


def ask(kms: Kms, operation: str, parameters: Mapping[str, Any], caller: Caller = USER) -> Answer:
    """Call KMS. Raises ``KmsError`` when it does not answer, or throttles: neither is a refusal."""
    try:
        kms.call(caller, operation, parameters)
    except KmsError as error:
        if is_outage(error):
            raise
        return Answer(error.code, f"{operation} by {caller.principal} is refused: {error}")
    return Answer("", f"{operation} by {caller.principal} is carried out")


def reports_invalid_key(brokers: Brokers, broker_id: str) -> Observation:
    """Call DescribeBroker after a periodic check; ``yes`` if it has the invalid-key code."""
    brokers.upkeep.check(broker_id)  # as the process behind `testbed up` does every few seconds
    described = describe(brokers.describe(broker_id))
    state = described["BrokerState"]
    codes = [
        f"{action['ActionRequiredCode']} ({action['ActionRequiredInfo']})"
        for action in described["ActionsRequired"]
    ]
    with_codes = f" with {', '.join(codes)}" if codes else ""
    return Observation(
        state == "CRITICAL_ACTION_REQUIRED" and any("INVALID_KMS_KEY" in code for code in codes),
        f"DescribeBroker says {state}{with_codes}",
    )


def refuses_reboot(brokers: Brokers, broker_id: str) -> Observation:
    """Try to reboot the broker; ``yes`` if RebootBroker is refused."""
    try:
        brokers.reboot(broker_id)
    except BadRequestException as error:
        return Observation(yes=True, evidence=f"RebootBroker is refused: {error}")
    return Observation(yes=False, evidence="RebootBroker is carried out")


def stays_down(brokers: Brokers, broker_id: str, node_name: str = "") -> Observation:
    """Try to bring a lost node back; ``yes`` if its volume is refused, and so it stays lost.

    Without ``node_name`` it is all of the broker, and then clients have to notice as well. Raises
    ``ClientError`` when the volume attaches and the broker does not serve: that tells nothing.
    """
    try:
        brokers.upkeep.attach(broker_id, node_name)
    except VolumeRefused as error:
        unreachable = bool(node_name) or not _accepts_clients(brokers, broker_id)
        clients_say = "" if node_name else f"; clients {'do not ' if unreachable else ''}connect"
        return Observation(
            unreachable, f"the node that was lost does not come back: {error}{clients_say}"
        )
    if not node_name and not _accepts_clients(brokers, broker_id):
        raise ClientError("The volume of the node that was lost attaches; clients do not connect.")
    return Observation(yes=False, evidence="the node that was lost is back")


def _accepts_clients(brokers: Brokers, broker_id: str) -> bool:
    broker = brokers.peek(broker_id)
    try:
        clients.connect(brokers.address(broker, clients.QUEUE_PROTOCOL[broker.engine_type])).close()
    except ClientError:
        return False
    return True


def serves(traffic: Traffic, messages: int, timeout: float = 30.0) -> Observation:
    """Wait for confirmations; ``yes`` if ``messages`` more arrive within ``timeout`` seconds."""
    try:
        traffic.wait_confirmed(messages, timeout)
    except TestbedError as error:
        return Observation(yes=False, evidence=f"the broker does not serve: {error}")
    return Observation(
        yes=True, evidence=f"the broker serves: {messages} more messages are confirmed"
    )
