"""At least two hundred seeds, each a week of one agency on a faulty bus. `make simulate SEEDS=2000` runs more."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

import paybill_common
from tests.simulation import faults
from tests.simulation.run import CURED, HELD, crash_at, must_hold, run_seed
from tests.simulation.witness import Witness
from tests.simulation.world import Company

SEEDS = int(os.environ.get("SIMULATION_SEEDS", "200"))
CHUNK = 10
met: set[str] = set()
"""What happened in the seeds that this process has run."""

GROUPS = 5
"""So many parts of the stories can run beside each other, each in one process."""

pytestmark = pytest.mark.simulation


def chunks() -> list[Any]:
    """The first seed of every chunk, marked with the group that runs it."""
    firsts = range(1, SEEDS + 1, CHUNK)
    return [pytest.param(first, marks=group(number % GROUPS)) for number, first in enumerate(firsts)]


def group(number: int) -> pytest.MarkDecorator:
    return pytest.mark.xdist_group(f"seeds-{number}")


@pytest.mark.parametrize("first", chunks())
async def test_every_invariant_holds_after_every_story(stage: tuple[Company, Witness], first: int) -> None:
    company, witness = stage
    for seed in range(first, min(first + CHUNK, SEEDS + 1)):
        outcome = await run_seed(seed, company=company, witness=witness, salt="seeds")
        must_hold(outcome)
        met.update(outcome.met)


def crash_points() -> set[str]:
    """Every point at which the runtime's code lets itself be crashed."""
    sources = Path(paybill_common.__file__).parent.glob("*.py")
    found = {point for source in sources for point in re.findall(r'faults\.reach\("([\w.]+)"\)', source.read_text())}
    assert len(found) >= 7
    return found


@group(0)
async def test_every_fault_really_happened(stage: tuple[Company, Witness]) -> None:
    """Invariants prove nothing about a fault that never came. Alone, this test tells stories until all have come."""
    company, witness = stage
    wanted = {crash_at(point) for point in crash_points()} | {HELD, CURED}
    wanted |= {faults.DUPLICATE, faults.LATE_DUPLICATE, faults.OVERTAKEN, faults.PARTITION_MOVED}
    for seed in range(1, SEEDS + 1):
        if wanted <= met:
            break
        met.update((await run_seed(seed, company=company, witness=witness, salt="met")).met)
    assert wanted <= met, f"never happened: {sorted(wanted - met)}"


@group(1)
async def test_a_seed_reproduces(stage: tuple[Company, Witness]) -> None:
    company, witness = stage
    await company.wipe()
    one = await run_seed(7, company=company, witness=witness, salt="again")
    await company.wipe()
    two = await run_seed(7, company=company, witness=witness, salt="again")
    assert one == two
