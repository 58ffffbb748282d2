"""Files of hours: each row is a shift, a number of units or an expense of one placement's day.

The timesheet of the row's week is made when it is missing. A batch is read, checked and written in about ten statements.
A row's content is its identity: placement, day, times or units, rate and expense; the same row again, in this file or
another, is a duplicate and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

from paybill_common.db import Tx
from paybill_common.ids import derived_id, new_id
from paybill_common.money import half_up_gbp
from paybill_common.periods import week_ending_of
from timesheet.domain import workflow
from timesheet.domain.entries import (
    Entry,
    EntryRefused,
    Expense,
    FinishBeforeStart,
    HoursExceedDay,
    Shift,
    TooManyEntries,
    UnitEntry,
    WorkedWeek,
    week_problems,
)
from timesheet.domain.entry_holds import EntryBlocked
from timesheet.domain.fields import SLUG
from timesheet.domain.parsing import ClockTime, parse_hours_decimal, parse_time, parse_units
from timesheet.domain.rates import RateCard, card_for
from timesheet.domain.vocabulary import Applies, RateUnit
from timesheet.domain.workflow import WorkflowRefused
from timesheet.store import cards as card_store
from timesheet.store import records
from timesheet.store import timesheets as store
from timesheet.store.records import KINDS, Row
from timesheet.store.timesheets import StoredEntry, StoredExpense, Timesheet
from timesheet.usecases import entry_holds
from timesheet.usecases.charging import finish_in_doubt, placement_period
from timesheet.usecases.entry_holds import Holds
from timesheet.usecases.evidence import DecidedBy
from timesheet.usecases.importing.records import Rows
from timesheet.usecases.importing.rows import Cells, ImportReceipt, RowRefused
from timesheet.usecases.opening import open_timesheets, timesheet_id_of

ALIASES = {
    "placement": "placement_ref",
    "placement_id": "placement_ref",
    "assignment": "placement_ref",
    "date": "worked_on",
    "day": "worked_on",
    "work_date": "worked_on",
    "start_time": "start",
    "from": "start",
    "finish_time": "finish",
    "end": "finish",
    "end_time": "finish",
    "to": "finish",
    "break_minutes": "break",
    "breaks": "break",
    "unpaid_break": "break",
    "rate": "rate_code",
    "rate_name": "rate_code",
    "hours_worked": "hours",
    "quantity": "units",
    "days": "units",
    "expense": "expense_pay",
    "expense_type": "expense_code",
    "expense_amount": "expense_pay",
    "description": "expense_description",
    "note": "expense_description",
}
_COLUMN_OF_FIELD = {
    "on": "worked_on",
    "start": "start",
    "finish": "finish",
    "finish_on": "finish",
    "break_minutes": "break",
    "break_start": "break_start",
    "units": "units",
    "unit": "units",
    "rate_code": "rate_code",
    "code": "expense_code",
    "pay_gbp": "expense_pay",
    "charge_gbp": "expense_charge",
}


@dataclass(slots=True)
class _HoursRow:
    """One row as read; `entry` or `expense` is set once its placement's rate card is known."""

    index: int
    number: int
    cells: Cells
    placement_ref: str
    worked_on: date
    week_ending: date
    entry: Entry | None
    expense: Expense | None
    description: str | None
    worked_despite_hold: str | None = None
    key: UUID | None = None
    record_id: UUID | None = None


@dataclass(slots=True)
class _Group:
    """The rows of one placement's week."""

    placement: Row
    week_ending: date
    timesheet_id: UUID
    rows: list[_HoursRow] = field(default_factory=list)
    timesheet: Timesheet | None = None


async def import_hours(
    tx: Tx, *, agency_id: UUID, import_id: UUID, rows: Rows, by: DecidedBy, may_vouch: bool
) -> list[ImportReceipt]:
    """Columns: placement_ref, worked_on, then start and finish (break, break_start), or hours, or units; rate_code;
    expense_code, expense_pay, expense_charge, expense_description; worked_despite_hold. A receipt for each row, in the rows'
    order. Hours that compliance blocks are refused, but for rows that say why they are recorded all the same, where the
    sender `may_vouch` for them.
    """
    receipts: dict[int, ImportReceipt] = {}
    read = list(_read_all(rows, receipts))
    placements = await _placements(tx, agency_id, read, receipts)
    read = [row for row in read if row.index not in receipts]
    await store.lock_workers(
        tx, agency_id=agency_id, worker_ids={placements[row.placement_ref]["worker_id"] for row in read}
    )
    fresh = await _fresh(tx, agency_id, read, placements, receipts)
    groups = await _groups(tx, agency_id, fresh, placements)
    holds = await entry_holds.holds_of(
        tx, agency_id=agency_id, worker_ids={group.placement["worker_id"] for group in groups}
    )
    _refuse_blocked(groups, holds, receipts, may_vouch=may_vouch)
    await _check(tx, agency_id, groups, receipts)
    await _write(tx, agency_id, import_id, groups, receipts)
    await _keep_reasons(tx, agency_id, groups, holds, by)
    return [receipts[index] for index in range(len(rows))]


def _read_all(rows: Rows, receipts: dict[int, ImportReceipt]) -> Iterable[_HoursRow]:
    for index, (number, values) in enumerate(rows):
        try:
            yield _read(index, number, Cells(values, ALIASES))
        except RowRefused as refused:
            receipts[index] = refused.receipt(number)


def _read(index: int, number: int, cells: Cells) -> _HoursRow:
    placement_ref = cells.required("placement_ref", length_max=120)
    worked_on = cells.day("worked_on")
    if worked_on is None:
        raise RowRefused("cell_missing", "worked_on is missing", column="worked_on", hint="the day of the work")
    expense = _expense(cells, worked_on)
    entry = _entry(cells, worked_on, required=expense is None)
    if entry is not None and expense is not None:
        raise cells.refuse(
            "expense_code",
            "hours_and_expense",
            "the row has hours and an expense",
            "put the expense on a row of its own",
        )
    return _HoursRow(
        index,
        number,
        cells,
        placement_ref,
        worked_on,
        week_ending_of(worked_on),
        entry,
        expense,
        cells.text("expense_description"),
        cells.text("worked_despite_hold", length_max=workflow.REASON_LENGTH_MAX),
    )


def _entry(cells: Cells, on: date, *, required: bool) -> Entry | None:
    rate_code = cells.text("rate_code", length_max=40)
    if rate_code is not None:
        rate_code = rate_code.lower()
        if not SLUG.fullmatch(rate_code):
            raise cells.refuse("rate_code", "not_a_code", "this is not a rate code", "a-z, 0-9, _ and -")
    given = [name for name in ("start", "hours", "units") if cells.has(name, *(("finish",) if name == "start" else ()))]
    if len(given) > 1:
        raise cells.refuse(given[1], "two_measures", f"the row has {given[0]} and {given[1]}", "give one of the two")
    if not given:
        if required:
            raise RowRefused(
                "cell_missing", "the row has no hours", column="start", hint="give start and finish, hours, or units"
            )
        return None
    if given[0] == "start":
        return _shift(cells, on, rate_code)
    if given[0] == "hours":
        hours = _hours(cells)
        return UnitEntry(on, RateUnit.HOUR, hours, rate_code)
    units = cells.read("units", parse_units)
    return UnitEntry(on, RateUnit.EACH, units if units is not None else Decimal(0), rate_code)


def _hours(cells: Cells) -> Decimal:
    """Decimal hours; a duration such as 7:20 is kept to the minute, in four decimals."""
    raw = cells.raw("hours") or ""
    if ":" in raw:
        minutes = cells.minutes("hours") or 0
        return (Decimal(minutes) * Decimal("0.016666666666666667")).quantize(Decimal("0.0001"))
    return cells.read("hours", parse_hours_decimal) or Decimal(0)


def _shift(cells: Cells, on: date, rate_code: str | None) -> Shift:
    start, finish = _clock(cells, "start"), _clock(cells, "finish")
    pause = cells.raw("break")
    minutes = 0
    if pause is not None:
        minutes = int(pause) if pause.isdecimal() and len(pause) <= 4 else cells.minutes("break") or 0
    break_start = cells.read("break_start", parse_time)
    shift = Shift(
        on=on,
        start=start.time,
        finish=finish.time,
        break_minutes=minutes,
        break_start=break_start.time if break_start is not None else None,
        finish_on=cells.day("finish_on"),
        start_fold=start.fold,
        finish_fold=finish.fold,
        rate_code=rate_code,
    )
    doubt = finish_in_doubt(shift)
    if doubt:
        raise cells.refuse("finish", FinishBeforeStart.code, *doubt)
    return shift


def _clock(cells: Cells, name: str) -> ClockTime:
    clock = cells.read(name, parse_time)
    if clock is None:
        other = "finish" if name == "start" else "start"
        raise RowRefused("cell_missing", f"{name} is missing beside {other}", column=name, hint="give both times")
    return clock


def _expense(cells: Cells, on: date) -> Expense | None:
    if not cells.has("expense_code", "expense_pay", "expense_charge"):
        return None
    code = cells.required("expense_code", length_max=40).lower()
    pay, charge = cells.money("expense_pay"), cells.money("expense_charge")
    if pay is None and charge is None:
        raise RowRefused(
            "cell_missing", "the expense has no amount", column="expense_pay", hint="pounds, such as 12.50"
        )
    for name, amount in (("expense_pay", pay), ("expense_charge", charge)):
        if amount is not None and amount != half_up_gbp(amount):
            raise cells.refuse(name, "fraction_of_a_penny", "an expense is in whole pence", "at most two decimals")
    applies = Applies.BOTH if pay is not None and charge is not None else Applies.PAY_ONLY
    applies = Applies.BILL_ONLY if pay is None else applies
    return Expense(
        on, code, pay if pay is not None else Decimal(0), charge if charge is not None else Decimal(0), applies
    )


async def _placements(
    tx: Tx, agency_id: UUID, rows: Sequence[_HoursRow], receipts: dict[int, ImportReceipt]
) -> dict[str, Row]:
    kind = KINDS["placement"]
    ids = await records.ids_by_reference(
        tx, agency_id=agency_id, kind=kind, references={row.placement_ref for row in rows}
    )
    stored = await records.by_id(tx, agency_id=agency_id, kind=kind, ids=ids.values())
    for row in rows:
        if row.placement_ref not in ids:
            refusal = row.cells.refuse(
                "placement_ref", "placement_unknown", "no placement has this reference", "import the placement first"
            )
            receipts[row.index] = refusal.receipt(row.number)
    return {reference: stored[record_id] for reference, record_id in ids.items()}


async def _fresh(
    tx: Tx,
    agency_id: UUID,
    rows: Sequence[_HoursRow],
    placements: Mapping[str, Row],
    receipts: dict[int, ImportReceipt],
) -> list[_HoursRow]:
    """The rows that nobody sent before; the others get a duplicate's receipt."""
    for row in rows:
        row.key = _key(placements[row.placement_ref]["placement_id"], row)
        row.record_id = new_id()
    known = await store.known_rows(tx, agency_id=agency_id, keys=[row.key for row in rows if row.key is not None])
    fresh: dict[UUID, _HoursRow] = {}
    for row in rows:
        assert row.key is not None
        earlier, first = known.get(row.key), fresh.get(row.key)
        if earlier is not None:
            hint = f"row {earlier.row} of import {earlier.import_id} has brought it; to enter it again, change the timesheet"
            receipts[row.index] = _duplicate(row, earlier.record_id, hint)
        elif first is not None:
            hint = f"row {first.number} of this file says the same"
            receipts[row.index] = _duplicate(row, None, hint)
        else:
            fresh[row.key] = row
    return list(fresh.values())


def _duplicate(row: _HoursRow, record_id: UUID | None, hint: str) -> ImportReceipt:
    return ImportReceipt(row.number, "duplicate", record_id, "row_known", None, None, "this row is known", hint)


def _key(placement_id: UUID, row: _HoursRow) -> UUID:
    what: list[object] = ["hours", placement_id, row.worked_on]
    if isinstance(row.entry, Shift):
        shift = row.entry
        what += ["shift", shift.start, shift.finish, shift.finish_on, shift.break_minutes, shift.break_start]
        what += [shift.start_fold, shift.finish_fold, shift.rate_code]
    elif isinstance(row.entry, UnitEntry):
        what += ["units", row.entry.unit.value, f"{row.entry.units.normalize():f}", row.entry.rate_code]
    elif row.expense is not None:
        one = row.expense
        what += ["expense", one.code, f"{one.pay_gbp:.2f}", f"{one.charge_gbp:.2f}", one.applies.value, row.description]
    return derived_id(*what)


async def _groups(tx: Tx, agency_id: UUID, rows: Sequence[_HoursRow], placements: Mapping[str, Row]) -> list[_Group]:
    groups: dict[tuple[UUID, date], _Group] = {}
    for row in rows:
        placement = placements[row.placement_ref]
        key = (placement["placement_id"], row.week_ending)
        if key not in groups:
            groups[key] = _Group(placement, row.week_ending, timesheet_id_of(agency_id, *key))
        groups[key].rows.append(row)
    found = await store.load(tx, agency_id=agency_id, ids=[group.timesheet_id for group in groups.values()], lock=True)
    for group in groups.values():
        group.timesheet = found.get(group.timesheet_id)
    return list(groups.values())


def _refuse_blocked(
    groups: Sequence[_Group], holds: Holds, receipts: dict[int, ImportReceipt], *, may_vouch: bool
) -> None:
    """Take out the hours that compliance blocks and nobody vouches for; an expense is no hour."""
    for group in groups:
        against = holds.get(group.placement["worker_id"])
        if not against:
            continue
        blocked = EntryBlocked(group.placement["worker_id"], against)
        kept: list[_HoursRow] = []
        for row in group.rows:
            if row.entry is None or (row.worked_despite_hold is not None and may_vouch):
                kept.append(row)
            elif row.worked_despite_hold is None:
                refusal = row.cells.refuse("placement_ref", blocked.code, str(blocked), blocked.hint)
                receipts[row.index] = refusal.receipt(row.number)
            else:
                refusal = row.cells.refuse(
                    "worked_despite_hold",
                    "scope_missing",
                    f"you may not vouch for blocked hours. {blocked}",
                    blocked.hint,
                )
                receipts[row.index] = refusal.receipt(row.number)
        group.rows = kept


async def _keep_reasons(tx: Tx, agency_id: UUID, groups: Sequence[_Group], holds: Holds, by: DecidedBy) -> None:
    """Keep who vouched for hours that compliance blocks, once a timesheet, with each reason that its rows gave."""
    reasons: dict[UUID, dict[str, None]] = {}
    for group in groups:
        if group.placement["worker_id"] in holds:
            for row in group.rows:
                if row.entry is not None and row.worked_despite_hold is not None:
                    reasons.setdefault(group.timesheet_id, {})[row.worked_despite_hold] = None
    if not reasons:
        return
    stored = await store.load(tx, agency_id=agency_id, ids=reasons)
    vouched = {timesheet_id: replace(by, note="; ".join(given)) for timesheet_id, given in reasons.items()}
    await entry_holds.keep(tx, agency_id=agency_id, timesheets=list(stored.values()), holds=holds, by=vouched)


async def _check(tx: Tx, agency_id: UUID, groups: Sequence[_Group], receipts: dict[int, ImportReceipt]) -> None:
    """Take out the rows that cannot be right, each with its receipt."""
    if not groups:
        return
    cards = await card_store.for_placements(
        tx, agency_id=agency_id, placement_ids=[group.placement["placement_id"] for group in groups]
    )
    weeks = [group.week_ending for group in groups]
    by_worker = await store.entries_of_workers(
        tx,
        agency_id=agency_id,
        worker_ids={group.placement["worker_id"] for group in groups},
        first=min(weeks) - timedelta(days=7),
        last=max(weeks) + timedelta(days=1),
    )
    expenses = await store.expenses_of(
        tx, agency_id=agency_id, ids=[group.timesheet_id for group in groups if group.timesheet is not None]
    )
    stored_shifts = {
        worker_id: [one.entry for one in stored if isinstance(one.entry, Shift)]
        for worker_id, stored in by_worker.items()
    }
    for group in groups:
        worker_id = group.placement["worker_id"]
        own = [one.entry for one in by_worker.get(worker_id, []) if one.timesheet_id == group.timesheet_id]
        stored = [one.expense for one in expenses.get(group.timesheet_id, [])]
        shifts = stored_shifts.setdefault(worker_id, [])
        _check_group(group, cards.get(group.placement["placement_id"], ()), own, stored, shifts, receipts)
        shifts.extend(row.entry for row in group.rows if isinstance(row.entry, Shift))


def _check_group(
    group: _Group,
    cards: tuple[RateCard, ...],
    own: Sequence[Entry],
    stored_expenses: Sequence[Expense],
    shifts: Sequence[Shift],
    receipts: dict[int, ImportReceipt],
) -> None:
    if group.timesheet is not None:
        try:
            workflow.check_editable(group.timesheet.state)
        except WorkflowRefused as refused:
            for row in group.rows:
                receipts[row.index] = ImportReceipt(
                    row.number, "refused", group.timesheet_id, refused.code, "worked_on", None, str(refused),
                    "reopen or amend the timesheet",
                )  # fmt: skip
            group.rows.clear()
            return
    for row in group.rows:
        row.entry = _in_unit_of_its_rate(row.entry, cards)
    period = placement_period(group.placement["starts_on"], group.placement["ends_on"])
    new = [row.entry for row in group.rows if row.entry is not None]
    claimed = [row.expense for row in group.rows if row.expense is not None]
    week = WorkedWeek(group.week_ending, tuple(new), tuple(claimed))
    _refuse(group, week_problems(week, cards=cards, placement=period, neighbours=shifts), receipts, entries_before=0)
    while group.rows:
        new = [row.entry for row in group.rows if row.entry is not None]
        claimed = [*stored_expenses, *(row.expense for row in group.rows if row.expense is not None)]
        together = WorkedWeek(group.week_ending, (*own, *new), tuple(claimed))
        problems = [
            one for one in week_problems(together, cards=cards) if isinstance(one, (HoursExceedDay, TooManyEntries))
        ]
        if not problems:
            return
        _refuse(group, problems, receipts, entries_before=len(own), expenses_before=len(stored_expenses))


def _in_unit_of_its_rate(entry: Entry | None, cards: Sequence[RateCard]) -> Entry | None:
    """Units of a file are days or items as their rate says."""
    if not isinstance(entry, UnitEntry) or entry.unit is not RateUnit.EACH:
        return entry
    try:
        card = card_for(cards, entry.on)
    except LookupError:
        return entry
    code = entry.rate_code or card.standard_code
    unit = card.rate(code).unit if card.has_rate(code) else entry.unit
    return UnitEntry(entry.on, unit, entry.units, entry.rate_code)


def _refuse(
    group: _Group,
    problems: Sequence[EntryRefused],
    receipts: dict[int, ImportReceipt],
    *,
    entries_before: int,
    expenses_before: int = 0,
) -> None:
    """Give each blamed row its receipt and take it out. A problem that blames no single row takes out the last one."""
    entries = [row for row in group.rows if row.entry is not None]
    expenses = [row for row in group.rows if row.expense is not None]
    refused: set[int] = set()
    for problem in problems:
        parts = problem.pointer.strip("/").split("/")
        among, before = (expenses, expenses_before) if parts[0] == "expenses" else (entries, entries_before)
        index = int(parts[1]) - before if len(parts) > 1 and parts[1].isdecimal() else len(among) - 1
        row = among[index] if 0 <= index < len(among) else (among or group.rows)[-1]
        if row.index in refused:
            continue
        refused.add(row.index)
        column = _COLUMN_OF_FIELD.get(parts[-1], "worked_on")
        if column == "units" and row.cells.has("hours"):
            column = "hours"
        value = row.cells.raw(column)
        receipts[row.index] = RowRefused(
            problem.code, problem.fact, column=column, value=value, hint=problem.hint or None
        ).receipt(row.number)
    group.rows = [row for row in group.rows if row.index not in refused]


async def _write(
    tx: Tx, agency_id: UUID, import_id: UUID, groups: Sequence[_Group], receipts: dict[int, ImportReceipt]
) -> None:
    kept = [group for group in groups if group.rows]
    if not kept:
        return
    await open_timesheets(
        tx,
        agency_id=agency_id,
        wanted=[(group.placement, group.week_ending) for group in kept if group.timesheet is None],
        source="file",
    )
    ids = [group.timesheet_id for group in kept]
    entries_before = await store.last_ordinals(tx, agency_id=agency_id, table="entry", ids=ids)
    expenses_before = await store.last_ordinals(tx, agency_id=agency_id, table="expense", ids=ids)
    entries: list[StoredEntry] = []
    expenses: list[StoredExpense] = []
    for group in kept:
        worker_id = group.placement["worker_id"]
        for row in group.rows:
            assert row.record_id is not None
            if row.entry is not None:
                ordinal = entries_before[group.timesheet_id] = entries_before.get(group.timesheet_id, 0) + 1
                entries.append(StoredEntry(row.record_id, group.timesheet_id, worker_id, ordinal, row.entry))
            elif row.expense is not None:
                ordinal = expenses_before[group.timesheet_id] = expenses_before.get(group.timesheet_id, 0) + 1
                expenses.append(StoredExpense(row.record_id, group.timesheet_id, ordinal, row.description, row.expense))
            receipts[row.index] = ImportReceipt(row.number, "accepted", group.timesheet_id)
    await store.insert_entries(tx, agency_id=agency_id, entries=entries)
    await store.insert_expenses(tx, agency_id=agency_id, expenses=expenses)
    await store.set_source(tx, agency_id=agency_id, ids=ids, source="file")
    taken: list[tuple[UUID, int, UUID]] = []
    for group in kept:
        taken += [(row.key, row.number, group.timesheet_id) for row in group.rows if row.key is not None]
    await store.insert_import_rows(tx, agency_id=agency_id, import_id=import_id, rows=taken)
