"""Hundreds of interruptions: of every command and of the endpoint, by every signal.

    INTERRUPTIONS=500 SEED=1 pytest -s tests/benchmarks/bench_interruptions.py

A session is a testbed with eight interruptions. It begins with an `up` that has to serve a message,
so each shows what is left of the one before. Prints each plan before it is carried out, and every
fault with the session's seed: `SEED=17 INTERRUPTIONS=8` repeats session 17.
"""

import os
import time
from pathlib import Path

import pytest

from tests.support.command_line import CommandLine
from tests.support.interruptions import plan, removed, serves, session

pytestmark = [pytest.mark.containers, pytest.mark.timeout(6 * 3600)]
INTERRUPTIONS = int(os.environ.get("INTERRUPTIONS", "500"))
SEED = int(os.environ.get("SEED", "1"))
_EACH = 8


def test_nothing_is_left_and_all_is_well_again(tmp_path: Path) -> None:
    command, faults, done = CommandLine(tmp_path), [], 0
    beside, started = 0, time.monotonic()
    for seed in range(SEED, SEED + -(-INTERRUPTIONS // _EACH)):
        interruptions = plan(seed, _EACH)
        print(f"session {seed}, {time.monotonic() - started:.0f} s", flush=True)
        for fault in session(command, interruptions):
            print(f"FAULT in session {seed}: {fault}", flush=True)
            faults.append(fault)
        done += len(interruptions)
        beside += sum(bool(one.beside) for one in interruptions)
    faults += [*serves(command), *removed(command)]
    print(f"{done} interruptions, {beside} of them beside a second command, {len(faults)} faults")
    assert faults == []
