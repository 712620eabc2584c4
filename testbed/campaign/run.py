"""A whole campaign: stages one after the other, each with its rounds."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from testbed.campaign.plan import TOPOLOGIES, Round
from testbed.campaign.play import Injected, play
from testbed.campaign.results import Campaign, Played
from testbed.campaign.stage import Stage, stage
from testbed.errors import TestbedError
from testbed.faults.running import Faults
from testbed.scenario import environment
from testbed.testbed import Testbed

logger = logging.getLogger(__name__)

INTERRUPTED = "It was interrupted."


def run(
    testbed: Testbed,
    planned: Sequence[Round],
    folder: Path,
    *,
    seed: int,
    command: str,
    on_played: Callable[[Played], None] = lambda played: None,
    minutes: float = 0.0,
) -> Campaign:
    """Play the rounds and write their histories into ``folder``.

    Rounds that would begin after ``minutes`` are left out; 0 is no limit. What ends it after its
    first round is in the result; before, it raises as ``Brokers.create`` does.
    """
    started, begun = datetime.now(UTC), time.monotonic()
    played: list[Played] = []
    known: dict[str, str] = {}

    def late() -> bool:
        return bool(minutes) and time.monotonic() - begun > minutes * 60

    with keeping(played) as reasons:
        for name in dict.fromkeys(entry.topology for entry in planned):
            if late():
                break
            with stage(testbed, TOPOLOGIES[name]) as staged:
                known |= environment(testbed)
                for entry in planned:
                    if entry.topology == name and not late():
                        logger.info("%s", entry)
                        played.append(play(staged, entry, inject, folder))
                        on_played(played[-1])
    took = round(time.monotonic() - begun, 1)
    return Campaign(started, took, command, seed, known, tuple(played), " ".join(reasons))


@contextmanager
def keeping(played: Sequence[Played], *others: type[Exception]) -> Iterator[list[str]]:
    """End the body at an error of the testbed or ``others``, or at Ctrl-C, and say why in the list.

    Hours of rounds are a result without the last one. Where there is none, the error is raised.
    """
    reasons: list[str] = []
    errors: tuple[type[BaseException], ...] = (KeyboardInterrupt, TestbedError, *others)
    try:
        yield reasons
    except errors as error:
        if not played:
            raise
        if isinstance(error, KeyboardInterrupt):
            reasons.append(INTERRUPTED)
        else:
            reasons.append(f"It broke off: {' '.join(str(error).split())}")


def inject(staged: Stage, planned: Round) -> Injected:
    """Inject the round's fault. What is over at once is left to maintenance."""
    parameters: dict[str, Any] = dict(planned.parameters)
    return Faults(staged.testbed).inject(
        planned.fault,
        staged.broker_ids[planned.broker],
        node=planned.node,
        hold=bool(planned.lasts),
        **parameters,
    )
