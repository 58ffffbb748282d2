"""Entering a week: the hours and expenses of a draft."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from paybill_common.db import Tx
from paybill_common.http.problems import conflict, not_found
from paybill_common.ids import derived_id, new_id
from timesheet.domain import workflow
from timesheet.domain.entries import Entry, Expense, Shift, WeekRefused, WorkedWeek
from timesheet.store import cards as card_store
from timesheet.store import timesheets as store
from timesheet.store.timesheets import StoredEntry, StoredExpense, Timesheet
from timesheet.usecases import entry_holds
from timesheet.usecases.charging import problems_of
from timesheet.usecases.evidence import DecidedBy


async def put_entries(
    tx: Tx,
    *,
    agency_id: UUID,
    timesheet_id: UUID,
    entries: Sequence[Entry],
    expenses: Sequence[tuple[Expense, str | None]] | None,
    external_id: str | None = None,
    source: str = "api",
    vouched: DecidedBy | None = None,
) -> None:
    """Replace the entries of a draft, and its expenses when given. Raises WeekRefused with every problem.

    `vouched` is who records hours that compliance blocks, and why; without it they raise EntryBlocked. No hours at all are
    never blocked.
    """
    timesheet = await draft(tx, agency_id=agency_id, timesheet_id=timesheet_id)
    worker_id = timesheet.placement.worker_id
    holds = await entry_holds.holds_of(tx, agency_id=agency_id, worker_ids=[worker_id]) if entries else {}
    entry_holds.check(holds, worker_id=worker_id, vouched=vouched)
    kept = await store.expenses_of(tx, agency_id=agency_id, ids=[timesheet_id])
    before = [(one.expense, one.description) for one in kept.get(timesheet_id, [])]
    after = before if expenses is None else list(expenses)
    await _check(tx, agency_id=agency_id, timesheet=timesheet, entries=entries, expenses=[one for one, _ in after])
    await store.remove_entries(tx, agency_id=agency_id, timesheet_id=timesheet_id)
    await store.insert_entries(
        tx,
        agency_id=agency_id,
        entries=[
            StoredEntry(new_id(), timesheet_id, worker_id, number, entry) for number, entry in enumerate(entries, 1)
        ],
    )
    if expenses is not None:
        await store.remove_expenses(tx, agency_id=agency_id, timesheet_id=timesheet_id)
        await store.insert_expenses(
            tx,
            agency_id=agency_id,
            expenses=[
                StoredExpense(new_id(), timesheet_id, number, description, expense)
                for number, (expense, description) in enumerate(after, 1)
            ],
        )
    await store.set_source(tx, agency_id=agency_id, ids=[timesheet_id], source=source)
    if external_id is not None:
        await store.set_external_id(tx, agency_id=agency_id, timesheet_id=timesheet_id, external_id=external_id)
    if holds and vouched is not None:
        by = {timesheet_id: vouched}
        await entry_holds.keep(tx, agency_id=agency_id, timesheets=[timesheet], holds=holds, by=by)


async def add_expense(
    tx: Tx,
    *,
    agency_id: UUID,
    timesheet_id: UUID,
    expense: Expense,
    description: str | None,
    expense_id: UUID | None,
    external_id: str | None = None,
) -> tuple[UUID, bool]:
    """Add one expense to a draft. The same again, or the same id again, changes nothing: (id, whether it is new)."""
    timesheet = await draft(tx, agency_id=agency_id, timesheet_id=timesheet_id)
    stored = (await store.expenses_of(tx, agency_id=agency_id, ids=[timesheet_id])).get(timesheet_id, [])
    said: tuple[object, ...] = (expense.on, expense.code, expense.pay_gbp, expense.charge_gbp, description or "")
    if external_id is not None:
        said = ("external", external_id)
    chosen = expense_id or derived_id("expense", timesheet_id, *said)
    same = next((one for one in stored if one.expense_id == chosen), None)
    if same is not None:
        if (same.expense, same.description, same.external_id) != (expense, description, external_id):
            raise conflict("expense_differs", f"Expense {chosen} is already recorded with other values.")
        return chosen, False
    entries = (await store.entries_of(tx, agency_id=agency_id, ids=[timesheet_id])).get(timesheet_id, [])
    await _check(
        tx,
        agency_id=agency_id,
        timesheet=timesheet,
        entries=[one.entry for one in entries],
        expenses=[*(one.expense for one in stored), expense],
    )
    ordinal = max((one.ordinal for one in stored), default=0) + 1
    new = StoredExpense(chosen, timesheet_id, ordinal, description, expense, external_id)
    await store.insert_expenses(tx, agency_id=agency_id, expenses=[new])
    return chosen, True


async def draft(tx: Tx, *, agency_id: UUID, timesheet_id: UUID) -> Timesheet:
    """A timesheet whose entries may change, with its worker held. Raises WorkflowRefused, or a 404 problem."""
    seen = await store.load(tx, agency_id=agency_id, ids=[timesheet_id])
    if timesheet_id not in seen:
        raise not_found("timesheet", timesheet_id)
    await store.lock_workers(tx, agency_id=agency_id, worker_ids=[seen[timesheet_id].placement.worker_id])
    timesheet = (await store.load(tx, agency_id=agency_id, ids=[timesheet_id], lock=True))[timesheet_id]
    workflow.check_editable(timesheet.state)
    return timesheet


async def neighbours_of(tx: Tx, *, agency_id: UUID, timesheet: Timesheet) -> list[Shift]:
    """Shifts of the same worker in other timesheets that could overlap this week's."""
    worker_id = timesheet.placement.worker_id
    found = await store.entries_of_workers(
        tx,
        agency_id=agency_id,
        worker_ids=[worker_id],
        first=timesheet.week_ending - timedelta(days=7),
        last=timesheet.week_ending + timedelta(days=1),
    )
    return [
        one.entry
        for one in found.get(worker_id, [])
        if one.timesheet_id != timesheet.timesheet_id and isinstance(one.entry, Shift)
    ]


async def _check(
    tx: Tx, *, agency_id: UUID, timesheet: Timesheet, entries: Sequence[Entry], expenses: Sequence[Expense]
) -> None:
    placement_id = timesheet.placement.placement_id
    cards = await card_store.for_placements(tx, agency_id=agency_id, placement_ids=[placement_id])
    problems = problems_of(
        timesheet,
        WorkedWeek(timesheet.week_ending, tuple(entries), tuple(expenses)),
        cards=cards.get(placement_id, ()),
        neighbours=await neighbours_of(tx, agency_id=agency_id, timesheet=timesheet),
    )
    if problems:
        raise WeekRefused(problems)
