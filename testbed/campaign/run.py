"""A whole campaign: stages one after the other, each with its rounds."""

import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from testbed.campaign.plan import TOPOLOGIES, Round
from testbed.campaign.play import Injected, play
from testbed.campaign.results import Campaign, Played
from testbed.campaign.stage import Stage, stage
from testbed.faults.running import Faults
from testbed.scenario import environment
from testbed.testbed import Testbed

logger = logging.getLogger(__name__)


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

    Rounds that would begin after ``minutes`` are left out; 0 is no limit. Raises as
    ``Brokers.create`` does.
    """
    started, begun = datetime.now(UTC), time.monotonic()
    played: list[Played] = []
    known: dict[str, str] = {}

    def late() -> bool:
        return bool(minutes) and time.monotonic() - begun > minutes * 60

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
    return Campaign(
        started, round(time.monotonic() - begun, 1), command, seed, known, tuple(played)
    )


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
