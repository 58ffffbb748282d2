"""No personal data on the bus: a whole week of recognisable people, and then every record of every topic is read.

In a second week every free text says something recognisable, and one event of each topic becomes a dead letter.
"""

from __future__ import annotations

import json
from uuid import UUID

import pytest

from paybill_common.consumer import PermanentError
from paybill_common.db import Tx
from paybill_common.envelope import Batch
from paybill_contracts.topics import all_topics
from tests.simulation.story import PERSONAL, Story
from tests.simulation.talkers import WRITTEN, Talkers
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


class OneOfEach:
    """The witness, refusing the first event of each topic for good."""

    def __init__(self, witness: Witness) -> None:
        self._take, self.refused = witness.take, dict[str, UUID]()

    async def __call__(self, tx: Tx, batch: Batch) -> None:
        for event in batch:
            if self.refused.setdefault(event.record.topic, event.id) == event.id:
                raise PermanentError(f"the first event of {event.record.topic} is refused for good")
        await self._take(tx, batch)


@pytest.fixture
def refusing(stage: tuple[Company, Witness], monkeypatch: pytest.MonkeyPatch) -> OneOfEach:
    refusing = OneOfEach(stage[1])
    monkeypatch.setattr(stage[1], "take", refusing)
    return refusing


async def test_no_free_text_reaches_the_bus_not_even_as_a_dead_letter(
    stage: tuple[Company, Witness], refusing: OneOfEach
) -> None:
    world = World(1004, company=stage[0], salt="talkers")
    stage[1].begin()
    stage[1].curing = True
    await world.start()
    await Talkers(world).tell()
    letters = await _discard_all(world)
    await world.settle()
    found = records(world)
    said = {topic.name for topic in all_topics() if topic.events} & {topic for topic, _, _ in found}
    assert len(said) >= 10
    assert {f"{topic}.dead" for topic in said} == {topic for topic, _, _ in found if topic.endswith(".dead")}
    assert letters == len(said), "one dead letter of each topic was there to be seen"
    for tp, log in world.bus.log.items():
        for record in log:
            text = f"{record.key} {record.value} {json.dumps(record.headers)}".lower()
            assert WRITTEN not in text, f"{tp.topic} carries what somebody wrote: {text[:400]}"
            if tp.topic != "paybill.directory":
                names = [name for name in (*NAMES, "Brolly") if name.lower() in text]
                assert not names, f"{tp.topic} carries {names}: {text[:400]}"


async def _discard_all(world: World) -> int:
    """Give every dead letter up, with a reason; what waited behind one may be the first of its topic. Returns how many."""
    letters = 0
    while found := await world.call("witness", "GET", "/v1/ops/dead-letters"):
        door = f"/v1/ops/dead-letters/{found[0]['id']}/discard"
        await world.call("witness", "POST", door, {"reason": f"{WRITTEN}-discard"})
        letters += 1
    return letters


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
