"""Closing a run against everything that happens at the same time, on two real connections."""

from __future__ import annotations

import asyncio
import dataclasses
from datetime import date
from typing import Any
from uuid import UUID

import pytest

from pay_calc.closing import drive, resume_stalled
from pay_calc.store import runs
from pay_calc.usecases.close_run import close_chunk, open_run
from paybill_common.bus.types import Outgoing
from paybill_common.ids import new_id

pytestmark = pytest.mark.integration

WEEK = date(2026, 4, 5)


async def _cleared_weeks(world: Any, number: int) -> list[Any]:
    sheets = [world.sheet(new_id(), ("basic", 600, "15.00")) for _ in range(number)]
    for sheet in sheets:
        await world.profile(sheet.worker_id)
    await world.send("PUT", "pay-calendar", {"payday_days_after": 5, "late_pay": "with_current_pay"})
    await world.tell(*(event for sheet in sheets for event in (sheet.approved(), sheet.cleared())))
    await world.tell(world.cut_off(*sheets))
    return sheets


def _transaction(world: Any) -> Any:
    return world.runtime.worker_database.transaction(now=world.runtime.clock.now())


async def _open(world: Any) -> UUID:
    async with _transaction(world) as tx:
        return await open_run(tx, agency_id=world.agency_id, week_ending=WEEK, accept=None, by="tester")


async def _drive(world: Any, pay_run_id: UUID) -> bool:
    return await drive(
        world.runtime.worker_database, world.runtime.clock, agency_id=world.agency_id, pay_run_id=pay_run_id
    )


async def _still_waits(task: asyncio.Task[Any]) -> bool:
    _, waiting = await asyncio.wait({task}, timeout=0.3)
    return bool(waiting)


async def test_a_fact_that_arrives_while_its_worker_is_finalised_waits_and_corrects_the_next_period(world: Any) -> None:
    [sheet] = await _cleared_weeks(world, 1)
    pay_run_id = await _open(world)
    async with _transaction(world) as tx:
        await close_chunk(tx, agency_id=world.agency_id, pay_run_id=pay_run_id)
        world.publish(sheet.amended([("basic", 660, "15.00")]), sheet.cleared())
        consuming = asyncio.create_task(world.consume())
        assert await _still_waits(consuming)
    assert (await consuming).handled == 2
    assert await _drive(world, pay_run_id)
    final = await world.slip(worker_id=sheet.worker_id, state="finalised")
    draft = await world.slip(worker_id=sheet.worker_id, state="draft")
    assert (final["minutes"], draft["minutes"], draft["week_ending"]) == (600, 60, "2026-04-12")


async def test_opening_waits_for_a_batch_in_hand_and_counts_it(world: Any) -> None:
    sheets = await _cleared_weeks(world, 2)
    late = world.sheet(new_id(), ("basic", 60, "15.00"))
    await world.tell(world.cut_off(*sheets, late))
    world.publish(late.approved())
    inside, leave = asyncio.Event(), asyncio.Event()
    consumer = world.consumer()
    subscription = consumer.subscription

    async def slowly(tx: Any, batch: Any) -> None:
        await subscription.handler(tx, batch)
        inside.set()
        await leave.wait()

    consumer.subscription = dataclasses.replace(subscription, handler=slowly)
    consuming = asyncio.create_task(world.consume())
    await asyncio.wait_for(inside.wait(), timeout=10)
    opening = asyncio.create_task(_open(world))
    assert await _still_waits(opening)
    leave.set()
    await consuming
    pay_run_id = await opening
    await _drive(world, pay_run_id)
    run = await world.get(f"pay-runs/{pay_run_id}")
    assert (run["own"]["timesheets"], run["payslips"], run["held_timesheets"]) == (3, 2, 1)


async def test_what_arrives_after_the_cut_off_is_not_in_the_run(world: Any) -> None:
    amended, fresh, plain = await _cleared_weeks(world, 3)
    pay_run_id = await _open(world)
    second = world.sheet(fresh.worker_id, ("basic", 120, "15.00"))
    await world.tell(amended.amended([("basic", 630, "15.00")]), amended.cleared(), second.approved(), second.cleared())
    assert (await world.slip(worker_id=amended.worker_id))["minutes"] == 600
    await _drive(world, pay_run_id)
    run = await world.get(f"pay-runs/{pay_run_id}")
    assert (run["payslips"], run["paid_minutes"]) == (3, 1800)
    drafts = (await world.get("payslips", params={"state": "draft"}))["items"]
    assert {(draft["worker_id"], draft["minutes"], draft["week_ending"]) for draft in drafts} == {
        (str(amended.worker_id), 30, "2026-04-12"),
        (str(fresh.worker_id), 120, "2026-04-12"),
    }
    assert (await world.slip(worker_id=plain.worker_id))["state"] == "finalised"


async def test_a_hold_that_comes_before_its_worker_is_reached_is_obeyed(world: Any) -> None:
    held, paid = await _cleared_weeks(world, 2)
    pay_run_id = await _open(world)
    await world.tell(held.held())
    await _drive(world, pay_run_id)
    run = await world.get(f"pay-runs/{pay_run_id}")
    assert (run["payslips"], run["held_timesheets"]) == (1, 1)
    assert [left["worker_id"] for left in run["left_out"]] == [str(held.worker_id)]
    assert (await world.slip(worker_id=paid.worker_id))["state"] == "finalised"


async def test_two_closers_at_once_pay_everybody_once(world: Any) -> None:
    sheets = await _cleared_weeks(world, 12)
    pay_run_id = await _open(world)

    async def one_by_one() -> None:
        closed = False
        while not closed:
            async with _transaction(world) as tx:
                closed = await close_chunk(tx, agency_id=world.agency_id, pay_run_id=pay_run_id, most=1)

    await asyncio.wait_for(asyncio.gather(one_by_one(), one_by_one()), timeout=60)
    finalised = await world.emitted("paybill.pay.finalised.v1")
    assert sorted(event["worker_id"] for event in finalised) == sorted(str(sheet.worker_id) for sheet in sheets)
    assert len(await world.emitted("paybill.pay_run.closed.v1")) == 1


async def test_a_closer_that_dies_in_the_middle_is_taken_over(world: Any) -> None:
    sheets = await _cleared_weeks(world, 4)
    pay_run_id = await _open(world)
    async with _transaction(world) as tx:
        assert not await close_chunk(tx, agency_id=world.agency_id, pay_run_id=pay_run_id, most=2)
    with pytest.raises(ConnectionError):
        async with _transaction(world) as tx:
            await close_chunk(tx, agency_id=world.agency_id, pay_run_id=pay_run_id, most=1)
            raise ConnectionError("killed before the commit")
    half = await world.get(f"pay-runs/{pay_run_id}")
    assert (half["state"], half["workers_done"], half["workers_total"]) == ("closing", 2, 4)
    assert half["began_at"] < half["progressed_at"]
    while (await world.get(f"pay-runs/{pay_run_id}"))["state"] != "closed":
        await resume_stalled(world.runtime.worker_database, world.runtime.clock, after_s=0)
    assert len(await world.emitted("paybill.pay.finalised.v1")) == len(sheets)
    listed = (await world.get("pay-runs", params={"week_ending": WEEK.isoformat()}))["items"]
    assert [(one["pay_run_id"], one["workers_done"]) for one in listed] == [(str(pay_run_id), 4)]
    assert listed[0]["progressed_at"] > half["progressed_at"]
    other = await world.get("pay-runs", params={"week_ending": "2026-04-12"})
    assert other["items"] == []


async def test_a_worker_with_a_dead_letter_is_left_out_and_listed(world: Any) -> None:
    broken, paid = await _cleared_weeks(world, 2)
    world.bus.append(Outgoing("paybill.timesheet", str(broken.worker_id), "{not json"))
    assert (await world.consume()).dead == 1
    preview = await world.get("pay-runs/preview", params={"week_ending": WEEK.isoformat()})
    assert [item["worker_id"] for item in preview["findings"]["parked_events"]["items"]] == [str(broken.worker_id)]
    run = await world.close()
    assert (run["payslips"], run["held_timesheets"]) == (1, 1)
    [left] = (await world.get(f"pay-runs/{run['pay_run_id']}"))["left_out"]
    assert (left["worker_id"], left["outcome"], left["reason"]) == (str(broken.worker_id), "left_out", "parked_events")
    assert (await world.slip(worker_id=paid.worker_id))["state"] == "finalised"


async def test_one_run_of_an_agency_closes_at_a_time(world: Any) -> None:
    sheets = await _cleared_weeks(world, 1)
    pay_run_id = await _open(world)
    following = date(2026, 4, 12)
    await world.tell(world.cut_off(week=following))
    assert (await world.close(following, status=409))["code"] == "another_run_closes"
    await _drive(world, pay_run_id)
    assert (await world.close(following))["state"] == "closed"
    async with _transaction(world) as tx:
        row = await runs.by_id(tx, agency_id=world.agency_id, pay_run_id=pay_run_id)
    assert row is not None
    assert row.workers_done == row.workers_total == len(sheets)


async def test_an_event_twice_and_a_replay_of_the_bus_change_nothing(world: Any) -> None:
    [sheet] = await _cleared_weeks(world, 1)
    before = await world.slip(worker_id=sheet.worker_id)
    await world.tell(sheet.approved(), sheet.cleared())
    assert await world.slip(worker_id=sheet.worker_id) == before
    await world.close()
    final = await world.slip(worker_id=sheet.worker_id)
    await world.tell(sheet.approved(), sheet.cleared())
    assert await world.slip(worker_id=sheet.worker_id) == final
    assert len(await world.emitted("paybill.pay.calculated.v1")) == 1


async def test_sickness_recorded_while_a_run_closes_is_paid_once(world: Any) -> None:
    """With the run for a worker that it has still to do, with the next one for anybody else."""
    [sheet] = await _cleared_weeks(world, 1)
    idle = new_id()
    await world.profile(idle)
    pay_run_id = await _open(world)
    sick = {
        "first_on": "2026-03-26",
        "last_on": "2026-04-01",
        "qualifying_weekdays": [1, 2, 3, 4, 5],
        "average_weekly_earnings_gbp": "400.00",
        "average_ref": "payroll records",
    }
    for worker in (sheet.worker_id, idle):
        await world.send("PUT", f"absences/{new_id()}", sick | {"worker_id": str(worker)})
    async with _transaction(world) as tx:
        await close_chunk(tx, agency_id=world.agency_id, pay_run_id=pay_run_id)
    assert await _drive(world, pay_run_id)
    final = await world.slip(worker_id=sheet.worker_id, state="finalised")
    assert [line["element"] for line in final["lines"]] == ["basic", "SSP"]
    assert (await world.get("payslips", params={"worker_id": str(sheet.worker_id), "state": "draft"}))["items"] == []
    draft = await world.slip(worker_id=idle)
    # Three waiting days, then Tuesday and Wednesday at a fifth of 118.75.
    assert (draft["state"], draft["week_ending"], draft["gross_gbp"]) == ("draft", "2026-04-12", "47.50")
