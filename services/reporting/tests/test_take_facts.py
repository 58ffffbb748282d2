"""The read models come out the same however the facts arrive."""

from __future__ import annotations

import random
from typing import Any

import pytest
from world import Feed, World, rows

from paybill_common.service import Runtime
from reporting.store.tables import TENANT_TABLES
from reporting.store.week import ages, oldest, totals

pytestmark = pytest.mark.integration

STATES = "SELECT pay_state, bill_state, count(*) AS n FROM timesheet GROUP BY 1, 2 ORDER BY 1, 2"


async def snapshot(runtime: Runtime) -> dict[str, list[Any]]:
    """Every read model, without the pulse (it counts deliveries)."""
    found = {}
    for table in TENANT_TABLES:
        if table != "pulse":
            found[table] = await rows(runtime, f"SELECT to_jsonb(t) AS row FROM {table} t ORDER BY to_jsonb(t)::text")
    return {table: [row.row for row in content] for table, content in found.items()}


async def test_monday_has_drafts_holds_and_work_to_do(runtime: Runtime, feed: Feed) -> None:
    await feed(World().monday().facts)
    states = {(row.pay_state, row.bill_state): row.n for row in await rows(runtime, STATES)}
    assert states == {("draft", "ready"): 24, ("held", "held"): 4, ("none", "none"): 12}


async def test_thursday_has_everything_paid_and_billed_but_the_held(runtime: Runtime, feed: Feed) -> None:
    await feed(World().monday().thursday().facts)
    states = {(row.pay_state, row.bill_state): row.n for row in await rows(runtime, STATES)}
    assert states == {("paid", "billed"): 24, ("held", "held"): 4, ("none", "none"): 12}


@pytest.mark.parametrize("seed", range(4))
async def test_any_order_and_any_repetition_gives_the_same_rows(runtime: Runtime, feed: Feed, seed: int) -> None:
    facts = World(size=20).monday().thursday().facts
    await feed(facts)
    straight = await snapshot(runtime)
    async with runtime.worker_database.transaction(now=runtime.clock.now()) as tx:
        for table in TENANT_TABLES:
            await tx.execute(f"DELETE FROM {table}")
    shuffled = facts + facts[::3]
    random.Random(seed).shuffle(shuffled)
    await feed(shuffled, size=17)
    assert await snapshot(runtime) == straight


async def test_a_full_replay_changes_nothing(runtime: Runtime, feed: Feed) -> None:
    facts = World(size=20).monday().thursday().facts
    await feed(facts)
    before = await snapshot(runtime)
    await feed(facts)
    assert await snapshot(runtime) == before


async def test_a_timesheet_that_leaves_the_draft_is_no_longer_drafted(runtime: Runtime, feed: Feed) -> None:
    world = World(size=1).monday()
    world.hold(0)
    await feed(world.facts)
    world.facts.clear()
    world.pay([0], final=False, revision=2)
    empty = world.facts[0].data.model_copy(update={"charges": ()})
    world.facts.clear()
    world.tell(empty)
    await feed(world.facts)
    [row] = await rows(runtime, "SELECT pay_state, draft_minutes, pay_held_minutes FROM timesheet")
    assert (row.pay_state, row.draft_minutes) == ("held", 0)
    assert row.pay_held_minutes > 0


async def test_a_credit_note_takes_a_timesheet_out_of_billed(runtime: Runtime, feed: Feed) -> None:
    world = World(size=1).monday().thursday()
    world.credit(0, [0])
    await feed(world.facts)
    [row] = await rows(runtime, "SELECT bill_state, billed_minutes, billed_gbp FROM timesheet")
    assert (row.bill_state, row.billed_minutes, row.billed_gbp) == ("ready", 0, 0)
    world.facts.clear()
    world.write_off(0)
    await feed(world.facts)
    [row] = await rows(runtime, "SELECT bill_state, bill_reasons FROM timesheet")
    assert (row.bill_state, [one["code"] for one in row.bill_reasons]) == ("held", ["credited"])
    [note] = await rows(runtime, "SELECT week_ending FROM document WHERE kind = 'credit_note'")
    assert note.week_ending == world.week


async def test_a_worker_who_did_not_work_waits_for_nothing(runtime: Runtime, feed: Feed) -> None:
    world = World(size=1)
    world.people()
    world.expect(0)
    world.answer(0, worked=False)
    await feed(world.facts)
    assert [row.status for row in await rows(runtime, "SELECT status FROM timesheet")] == ["not_worked"]
    async with runtime.api_database.transaction(now=runtime.clock.now(), agencies=[world.agency], read_only=True) as tx:
        total = await totals(tx, agency_id=world.agency, week_ending=world.week)
        assert (total.expected, total.not_worked, total.not_sent) == (1, 1, 0)
        assert await oldest(tx, agency_id=world.agency, week_ending=world.week) == []
        assert await ages(tx, agency_id=world.agency, week_ending=world.week) == []
    world.facts.clear()
    world.answer(0, worked=True)
    await feed(world.facts)
    assert [row.status for row in await rows(runtime, "SELECT status FROM timesheet")] == ["expected"]
    told = await rows(runtime, "SELECT kind, count(*) AS n FROM story GROUP BY kind")
    assert {row.kind: row.n for row in told} == {"expected": 2, "not_worked": 1}


async def test_erasing_a_worker_removes_the_name(runtime: Runtime, feed: Feed) -> None:
    world = World(size=1).monday()
    await feed(world.facts)
    assert await rows(runtime, "SELECT 1 FROM label WHERE kind = 'worker'")
    from paybill_common.bus import Record
    from paybill_common.envelope import Batch, decode
    from reporting.usecases.take_facts import take_facts

    headers = (
        ("ce_id", str(world.id("tombstone"))),
        ("ce_agency", str(world.agency)),
        ("ce_sequence", "9"),
        ("ce_time", "2026-04-08T00:00:00+00:00"),
    )
    record = Record("paybill.directory", 0, 1, f"worker:{world.worker_of(0)}", None, headers)
    async with runtime.worker_database.transaction(now=runtime.clock.now()) as tx:
        await take_facts(tx, Batch([decode(record)]))
    assert not await rows(runtime, "SELECT 1 FROM label WHERE kind = 'worker'")


async def test_one_agency_never_sees_another(runtime: Runtime, feed: Feed) -> None:
    world = World(size=3).monday()
    await feed(world.facts)
    other = World(name="Other (demo)").agency
    async with runtime.api_database.transaction(now=runtime.clock.now(), agencies=[other]) as tx:
        for table in TENANT_TABLES:
            assert not (await tx.execute(f"SELECT 1 FROM {table}")).all()
