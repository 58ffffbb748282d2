"""At least two hundred seeds, each a week of one agency on a faulty bus. `make simulate SEEDS=2000` runs more."""

from __future__ import annotations

import os

import pytest

from tests.simulation.run import must_hold, run_seed
from tests.simulation.witness import Witness
from tests.simulation.world import Company

SEEDS = int(os.environ.get("SIMULATION_SEEDS", "200"))
CHUNK = 10

pytestmark = pytest.mark.simulation


@pytest.mark.parametrize("first", range(1, SEEDS + 1, CHUNK))
async def test_every_invariant_holds_after_every_story(stage: tuple[Company, Witness], first: int) -> None:
    company, witness = stage
    for seed in range(first, min(first + CHUNK, SEEDS + 1)):
        must_hold(await run_seed(seed, company=company, witness=witness, salt="seeds"))


async def test_a_seed_reproduces(stage: tuple[Company, Witness]) -> None:
    company, witness = stage
    await company.wipe()
    one = await run_seed(7, company=company, witness=witness, salt="again")
    await company.wipe()
    two = await run_seed(7, company=company, witness=witness, salt="again")
    assert one == two
