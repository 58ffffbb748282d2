"""Run one seed: tell its story, then check every invariant. A breach names the seed and the command that runs it again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from paybill_common import dead_letters
from tests.simulation.invariants import money_breaches, runtime_breaches, tie_out
from tests.simulation.story import WEEK, Story
from tests.simulation.witness import Witness
from tests.simulation.world import Company, World

HELD = "hours were held when the week ended"
CURED = "an operator replayed a dead letter"


def crash_at(point: str) -> str:
    """The name of a crash at one of the runtime's points."""
    return f"a crash at {point}"


class Breach(AssertionError):
    """An invariant does not hold for a seed."""


@dataclass
class Outcome:
    """What a seed went through."""

    seed: int
    events: int = 0
    crashes: list[str] = field(default_factory=list)
    parked: int = 0
    met: set[str] = field(default_factory=set)
    """Every fault and every turn of the story that really happened, by name."""
    breaches: list[str] = field(default_factory=list)


async def run_seed(
    seed: int,
    *,
    company: Company,
    witness: Witness,
    salt: str = "",
    prepare: Callable[[World], None] = lambda _world: None,
) -> Outcome:
    """Tell the story of a seed and return what happened, breaches included. `prepare` may break the world first."""
    world = World(seed, company=company, salt=salt)
    witness.begin()
    outcome = Outcome(seed)
    try:
        prepare(world)
        await world.start()
        await Story(world).tell()
        outcome.parked = await _cure(world, witness)
        if outcome.parked:
            outcome.met.add(CURED)
        outcome.breaches += await runtime_breaches(world)
        tie = await tie_out(world, WEEK)
        if tie["held_minutes"]:
            outcome.met.add(HELD)
        outcome.breaches += await money_breaches(world, tie)
        stuck = [letter for letter in await world.dead_letters() if letter["consumer"] != "witness"]
        outcome.breaches += [f"dead letter: {dict(letter)}" for letter in stuck]
        before = await world.digest()
        outcome.events = await world.replay_everything()
        after = await world.digest()
        outcome.breaches += [f"a replay changed {name}" for name in before if before[name] != after[name]]
    finally:
        outcome.crashes = world.dice.crashes
        outcome.met |= world.bus.met | {crash_at(point) for point in outcome.crashes}
    return outcome


def must_hold(outcome: Outcome) -> None:
    """Raise Breach when an invariant of this seed does not hold."""
    if outcome.breaches:
        listed = "\n  ".join(outcome.breaches[:20])
        raise Breach(
            f"seed {outcome.seed}:\n  {listed}\n"
            f"after crashes at {json.dumps(outcome.crashes)}\n"
            f"run it again: .venv/bin/python -m tests.simulation --seed {outcome.seed}"
        )


async def _cure(world: World, witness: Witness) -> int:
    """The operator replays what the witness refused until nothing is parked. Returns how many letters there were."""
    witness.curing = True
    database = world.nodes["witness"].runtime.worker_database
    letters = 0
    for _ in range(2_000):
        async with database.transaction(now=world.clock.now()) as tx:
            found = await dead_letters.list_open(tx, agencies=[world.agency], most=1)
            if not found:
                break
            await dead_letters.replay(tx, handler=witness.handle, dead_letter_id=found[0].id, by="operator")
            letters += 1
    async with database.transaction(now=world.clock.now()) as tx:
        await dead_letters.resume_consumer(tx, consumer="witness")
    for consumer in world.nodes["witness"].consumers:
        await consumer.restore()
    await world.settle()
    witness.curing = False
    return letters
