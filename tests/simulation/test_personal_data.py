"""No personal data on the bus: a whole week of recognisable people, and then every record of every topic is read."""

from __future__ import annotations

import pytest

from tests.simulation.story import PERSONAL, Story
from tests.simulation.witness import Witness
from tests.simulation.world import Company, World

pytestmark = pytest.mark.simulation
SECRETS = (
    *("QQ123456C", "QQ 12 34 56 C", "Zebedee", "Recognisable", "77 ", "ZZ99", "1987-06-05"),
    *("089999", "08-99-99", "1357246", "Brolly", "Test Street", "gate log"),
)
NAMES = ("Testcase", "Example", "Picker", "Northbridge")


@pytest.fixture
async def told(request: pytest.FixtureRequest, stage: tuple[Company, Witness]) -> tuple[World, Story]:
    company, witness = stage
    world = World(1003, company=company, salt=request.node.name)
    witness.begin()
    witness.curing = True
    await world.start()
    story = Story(world)
    await story.tell()
    return world, story


def records(world: World) -> list[tuple[str, str, str | None]]:
    return [
        (tp.topic, record.key, None if record.value is None else str(record.value))
        for tp, log in world.bus.log.items()
        for record in log
    ]


async def test_no_topic_but_the_directory_carries_a_name_and_none_carries_more(told: tuple[World, Story]) -> None:
    world, _story = told
    found = records(world)
    assert len({topic for topic, _, _ in found}) >= 9
    assert PERSONAL["ni_number"] in SECRETS
    for topic, key, value in found:
        text = f"{key} {value}"
        allowed = ("Brolly",) if topic == "paybill.directory" else ()
        leaked = [secret for secret in SECRETS if secret in text and secret not in allowed]
        assert not leaked, f"{topic} carries {leaked}: {text[:300]}"
        if topic != "paybill.directory":
            assert not [name for name in NAMES if name in text], f"{topic} carries a name: {text[:300]}"
    assert any("Testcase" in (value or "") for topic, _, value in found if topic == "paybill.directory")


async def test_a_tombstone_erases_a_name_everywhere(told: tuple[World, Story]) -> None:
    world, story = told
    worker = story.workers[0]
    await world.call("timesheet", "DELETE", f"/directory/worker/{worker}")
    await world.settle()
    last = [
        value for topic, key, value in records(world) if topic == "paybill.directory" and key == f"worker:{worker}"
    ][-1]
    assert last is None, "the newest record of a compacted key is the tombstone"
    for node in world.nodes.values():
        if node.name == "witness":
            continue
        async with node.runtime.worker_database.transaction(now=world.clock.now()) as tx:
            label = await tx.execute("SELECT count(*) FROM label WHERE kind = 'worker' AND entry_id = :w", w=worker)
            kept = await tx.execute(
                "SELECT count(*) FROM outbox WHERE topic = 'paybill.directory' AND key = :k AND payload IS NOT NULL",
                k=f"worker:{worker}",
            )
            assert (node.name, label.scalar_one(), kept.scalar_one()) == (node.name, 0, 0)
