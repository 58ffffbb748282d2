"""Totals of a list of timesheets, filter choices and the tie-out's sums are those of the plain rows, whatever they are narrowed to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from world import BRANCHES, WEEK, Feed, World, rows

from paybill_common.service import Runtime
from reporting.store import lists
from reporting.store import week as store
from reporting.store.lists import TimesheetFilter

pytestmark = pytest.mark.integration

BASE = TimesheetFilter()
NARROWED: dict[str, Callable[[World], TimesheetFilter]] = {
    "nothing": lambda w: BASE,
    "a status": lambda w: replace(BASE, status="approved"),
    "not approved": lambda w: replace(BASE, not_approved=True),
    "held": lambda w: replace(BASE, held=True),
    "a client and a branch": lambda w: replace(BASE, client_id=w.id("client", 2), branch=BRANCHES[2]),
    "a worker's name": lambda w: replace(BASE, q="worker 00010"),
    "a client's name": lambda w: replace(BASE, q="Client 03"),
    "a purchase order": lambda w: replace(BASE, q="PO-004"),
    "what nobody has": lambda w: replace(BASE, q="nobody"),
}


def matches(world: World, row: Any, wanted: TimesheetFilter) -> bool:
    """The same question, asked of one plain row."""
    n = int(row.reference.removeprefix("TS-"))
    texts = [row.reference, row.purchase_order, f"Client {n % 6:02d} Example Ltd", f"C-{n % 6:03d}"]
    worker = n - 1 if n % 10 == 1 else n
    texts += [f"Consultant {n % 4:02d} Testcase", f"U-{n % 4:02d}", f"Worker {worker:05d} Testcase", f"W-{worker:05d}"]
    waits = ("held", "clearing")
    return (
        wanted.status in (None, row.status)
        and wanted.client_id in (None, row.client_id)
        and wanted.branch in (None, row.branch)
        and (not wanted.not_approved or row.status in ("expected", "submitted", "rejected"))
        and (not wanted.held or row.pay_state in waits or row.bill_state in waits)
        and (not wanted.q or any(wanted.q.lower() in text.lower() for text in texts))
    )


def plain_sums(found: list[Any]) -> tuple[int, int, Decimal, Decimal, Decimal | None]:
    """Count, minutes, pay, charge and margin of plain rows; no margin where no cost is known."""
    done = [(row, row.status == "approved") for row in found]
    margins = [row.charge_gbp - row.cost_gbp for row in found if row.cost_gbp is not None]
    return (
        len(found),
        sum(row.worked_minutes if approved else row.submitted_minutes for row, approved in done),
        sum((row.pay_gbp if approved else row.submitted_pay_gbp for row, approved in done), Decimal(0)),
        sum((row.charge_gbp if approved else row.submitted_charge_gbp for row, approved in done), Decimal(0)),
        sum(margins, Decimal(0)) if margins else None,
    )


async def test_totals_are_those_of_every_row_that_matches(runtime: Runtime, feed: Feed) -> None:
    world, other, last = World(), World(name="Care (demo)", size=5), World(week=WEEK - timedelta(days=7), size=5)
    for one in (world, other, last):
        await feed(one.monday().facts)
    every = await rows(
        runtime, "SELECT * FROM timesheet WHERE agency_id = :a AND week_ending = :w", a=world.agency, w=world.week
    )
    async with runtime.api_database.transaction(now=runtime.clock.now(), agencies=[world.agency], read_only=True) as tx:
        for name, narrowed in NARROWED.items():
            wanted = replace(narrowed(world), week_ending=world.week)
            matching = [row for row in every if matches(world, row, wanted)]
            n = len(matching)
            assert bool(n) is (name != "what nobody has")
            # A page with room to spare, an exactly full one, one of several, the last one, and one beyond it.
            for offset, most in ((0, n + 1), (0, max(n, 1)), (0, 1), (max(n - 1, 0), 100), (n + 5, 100)):
                page = await lists.timesheets(
                    tx, agency_id=world.agency, wanted=wanted, sort="-charge", offset=offset, most=most
                )
                sums = page.sums
                found = (page.total, int(sums.minutes), sums.pay_gbp, sums.charge_gbp, sums.margin_gbp)
                assert found == plain_sums(matching), (name, offset, most)
                assert len(page.rows) == max(0, min(most, n - offset))
                assert {row.timesheet_id for row in page.rows} <= {row.timesheet_id for row in matching}


async def test_choices_are_the_weeks_clients_consultants_and_branches(runtime: Runtime, feed: Feed) -> None:
    world, last = World(size=3), World(week=WEEK - timedelta(days=7))
    await feed(world.monday().facts)
    await feed(last.monday().facts)
    async with runtime.worker_database.transaction(now=runtime.clock.now()) as tx:
        await tx.execute(
            "UPDATE timesheet SET branch = NULL, consultant_id = NULL WHERE timesheet_id = :t", t=world.timesheet_id(1)
        )
        await tx.execute("DELETE FROM label WHERE kind = 'client' AND entry_id = :c", c=world.id("client", 2))
    async with runtime.api_database.transaction(now=runtime.clock.now(), agencies=[world.agency], read_only=True) as tx:
        found = await lists.choices(tx, agency_id=world.agency, week_ending=world.week)

    def named(kind: str) -> list[tuple[UUID | None, str]]:
        return [(row.id, row.name) for row in found[kind]]

    clients = [(world.id("client", n), f"Client {n:02d} Example Ltd") for n in (0, 1)]
    assert named("client") == [*clients, (world.id("client", 2), "Not named yet")]
    assert named("consultant") == [(world.id("consultant", n), f"Consultant {n:02d} Testcase") for n in (0, 2)]
    branches = {world.head(n)["branch"] for n in (0, 2)}
    assert named("branch") == sorted((None, str(branch)) for branch in branches)


async def test_the_tie_outs_sums_are_those_of_the_plain_rows(runtime: Runtime, feed: Feed) -> None:
    world = World().monday().thursday()
    world.credit(0, [0])
    await feed(world.facts)
    async with runtime.worker_database.transaction(now=runtime.clock.now()) as tx:
        await tx.execute(
            "UPDATE timesheet SET payable_minutes = payable_minutes + 7, draft_minutes = draft_minutes + 2"
        )
    every = await rows(
        runtime, "SELECT * FROM timesheet WHERE agency_id = :a AND week_ending = :w", a=world.agency, w=world.week
    )
    credited = {row.timesheet_id for row in await rows(runtime, "SELECT * FROM billed_line WHERE kind = 'credit_note'")}
    expected: dict[tuple[str, str], Counter[str]] = {}
    for row in every:
        approved = row.status == "approved"
        billed = row.bill_state == "billed" and row.billable_minutes != row.billed_minutes
        bill = "credited" if billed and row.timesheet_id in credited else row.bill_state
        gap = {"paid": row.payable_minutes - row.paid_minutes}
        gap["draft"] = gap["paid"] - row.draft_minutes
        sides = (
            ("pay", row.pay_state, row.payable_minutes, row.paid_minutes, gap.get(row.pay_state, 0)),
            ("bill", bill, row.billable_minutes, row.billed_minutes, row.billable_minutes - row.billed_minutes),
        )
        for side, state, due, settled, short in sides:
            if not approved:
                state, due, short = "not_approved", 0, settled
            elif side == "bill" and state != "billed":
                short = 0
            expected.setdefault((side, state), Counter()).update(n=1, due=due, settled=settled, wrong=abs(short))
    async with runtime.api_database.transaction(now=runtime.clock.now(), agencies=[world.agency], read_only=True) as tx:
        found = [store._bucket(row) for row in await tx.execute(store._BUCKETS, agency=world.agency, week=world.week)]
    assert {(one.side, one.state) for one in found} == set(expected)
    assert len(found) == len(expected) > 5
    for one in found:
        due = expected[one.side, one.state]
        assert (one.timesheets, one.approved_minutes, one.settled_minutes, one.mismatched_minutes) == (
            due["n"],
            due["due"],
            due["settled"],
            due["wrong"],
        ), (one.side, one.state)
