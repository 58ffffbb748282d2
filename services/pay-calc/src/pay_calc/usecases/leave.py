"""Record leave that workers take, its payment in lieu on leaving, and leave brought in or lapsed; and the record that the law asks for."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from pay_calc.domain.engine import rounding
from pay_calc.domain.engine.calendar import add_months
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.holiday_ledger import EARNED, EXACT, HolidayRecord, LeaveEntry, balance, take
from pay_calc.domain.engine.regular_leave import employments, targets, year_of
from pay_calc.domain.holiday_pay import Days, HolidayPay, days_json, days_of
from pay_calc.domain.leave import Ledger, booked_ahead
from pay_calc.store import facts, leave, statutory
from pay_calc.usecases.recalculate import decide_now, recalculate
from pay_calc.usecases.replay import load_json
from pay_calc.usecases.statutory import ExternalIdTaken, RecordOfAnotherWorker
from paybill_common.clock import london_date
from paybill_common.db import Tx
from paybill_common.money import from_pence


class Overlaps(Exception):
    """The worker is already on leave or absent on such a day."""


class AlreadyPaid(Exception):
    """The change would take back leave that a finalised payslip paid."""


class AlreadyPaidInLieu(Exception):
    """The leave left on leaving has its payment already."""


class AfterLeaving(Exception):
    """Leave is booked for days after the last one of the employment."""


class EntryDiffers(Exception):
    """The ledger has an entry of this id, and it says something else; entries never change."""


# Leave taken, and paid in lieu


async def store_leave(
    tx: Tx, *, agency_id: UUID, record_id: UUID, worker_id: UUID, values: Mapping[str, Any], by: str
) -> None:
    """Store leave under its worker's lock. Raises RecordOfAnotherWorker, ExternalIdTaken, Overlaps, AlreadyPaid, EngineError (more than
    the balance and not granted in advance; no rate to pay it by)."""
    await _lock(tx, agency_id, record_id, worker_id, values)
    paid = await _paid_days(tx, agency_id, record_id)
    days: Days = () if values["cancelled"] else values["days"]
    lost = sorted(set(paid.items()) - set(days))
    if lost:
        raise AlreadyPaid(f"leave of {lost[0][0]} was paid by a finalised payslip, and this change would take it back")
    fresh = tuple((day, minutes) for day, minutes in days if day not in paid)
    if fresh:
        await _no_overlap(tx, agency_id, worker_id, record_id, fresh)
        await _covered(tx, agency_id, worker_id, record_id, fresh, in_advance=values["in_advance"])
    await _write(tx, agency_id, record_id, worker_id, values, fresh, by)


async def store_payment_in_lieu(
    tx: Tx, *, agency_id: UUID, record_id: UUID, worker_id: UUID, values: Mapping[str, Any], by: str
) -> None:
    """Store that a worker's leave left is paid on leaving. A second payment is refused, unless leave was earned since the first. Raises
    RecordOfAnotherWorker, ExternalIdTaken, AlreadyPaidInLieu, AfterLeaving, AlreadyPaid, EngineError."""
    await _lock(tx, agency_id, record_id, worker_id, values)
    if await _paid_days(tx, agency_id, record_id):
        raise AlreadyPaid(f"payment {record_id} is on a finalised payslip")
    days: Days = () if values["cancelled"] else values["days"]
    if days:
        await _one_payment(tx, agency_id, worker_id, record_id, values["last_on"])
    await _write(tx, agency_id, record_id, worker_id, values, days, by)


async def _one_payment(tx: Tx, agency_id: UUID, worker_id: UUID, record_id: UUID, left_on: date) -> None:
    others = [
        row
        for row in await leave.records.of_worker(tx, agency_id=agency_id, worker_id=worker_id)
        if row.record_id != record_id
    ]
    open_ = [row for row in await _weeks(tx, agency_id, others) if row.state == "open"]
    kinds = {row.record_id: row.kind for row in others}
    left = balance([leave.entry_of(row) for row in await _entries(tx, agency_id, worker_id)]).left_minutes
    left += booked_ahead(await leave.ledger_of(tx, agency_id=agency_id, worker_id=worker_id), left_on)
    before = [row.record_id for row in others if row.kind == "in_lieu"]
    if before and (left <= 0 or any(kinds[row.record_id] == "in_lieu" for row in open_)):
        raise AlreadyPaidInLieu(f"payment {before[0]} pays the leave that worker {worker_id} had left")
    late = [
        day
        for row in open_
        for day, _ in days_of(load_json(row.days))
        if kinds[row.record_id] == "taken" and day > left_on
    ]
    if late:
        raise AfterLeaving(f"leave is booked for {late[0]}, after {left_on}: cancel it first")


async def _lock(tx: Tx, agency_id: UUID, record_id: UUID, worker_id: UUID, values: Mapping[str, Any]) -> None:
    await facts.share_agencies(tx, [agency_id])
    await facts.lock_workers(tx, [(agency_id, worker_id)])
    known = await leave.records.one(tx, agency_id=agency_id, record_id=record_id)
    if known is not None and (known.worker_id != worker_id or known.kind != values["kind"]):
        raise RecordOfAnotherWorker(
            f"record {record_id} is {known.kind.replace('_', ' ')}, of worker {known.worker_id}"
        )
    if values["external_id"] is not None:
        holder = await leave.records.holder_of(tx, agency_id=agency_id, external_id=values["external_id"])
        if holder not in (None, record_id):
            raise ExternalIdTaken(f"external_id {values['external_id']} already names {holder}")


async def _write(
    tx: Tx,
    agency_id: UUID,
    record_id: UUID,
    worker_id: UUID,
    values: Mapping[str, Any],
    days: Days,
    by: str,
) -> None:
    """Store the record and its open days, and work the drafts again. Raises EngineError where there is nothing to pay the days by."""
    stored = {**values, "days": days_json(values["days"])}
    await leave.records.upsert(tx, agency_id=agency_id, record_id=record_id, worker_id=worker_id, values=stored, by=by)
    await leave.replace_open(tx, agency_id=agency_id, worker_id=worker_id, record_id=record_id, days=days)
    if days:
        row = await leave.records.one(tx, agency_id=agency_id, record_id=record_id)
        past = await leave.past_weeks(tx, [(agency_id, worker_id)])
        leave.rate_of_record(row, past.get((agency_id, worker_id), [])).average()
    await recalculate(tx, keys=[(agency_id, worker_id)])


async def _paid_days(tx: Tx, agency_id: UUID, record_id: UUID) -> dict[date, int]:
    rows = await leave.records.weeks(tx, agency_id=agency_id, records=[record_id])
    return {day: minutes for row in rows if row.state == "settled" for day, minutes in days_of(load_json(row.days))}


async def _no_overlap(tx: Tx, agency_id: UUID, worker_id: UUID, record_id: UUID, days: Days) -> None:
    taken = {day for day, _ in days}
    for row in await leave.records.of_worker(tx, agency_id=agency_id, worker_id=worker_id):
        if row.record_id != record_id and row.kind == "taken":
            same = sorted(taken & {day for day, _ in days_of(load_json(row.days))})
            if same:
                raise Overlaps(f"leave {row.record_id} has {same[0]} already")
    for row in await statutory.records.of_worker(tx, agency_id=agency_id, worker_id=worker_id):
        same = sorted(day for day in taken if row.first_on <= day <= row.last_on)
        if same:
            raise Overlaps(f"record {row.record_id} of {row.kind} covers {same[0]}")


async def _covered(tx: Tx, agency_id: UUID, worker_id: UUID, record_id: UUID, days: Days, *, in_advance: bool) -> None:
    """Refuse more than the ledger holds beside what is booked and not yet paid."""
    entries = [leave.entry_of(row) for row in await _entries(tx, agency_id, worker_id)]
    others = [
        row
        for row in await leave.records.of_worker(tx, agency_id=agency_id, worker_id=worker_id)
        if row.record_id != record_id and row.kind == "taken"
    ]
    booked = sum(
        minutes
        for row in await _weeks(tx, agency_id, others)
        if row.state == "open"
        for _, minutes in days_of(load_json(row.days))
    )
    entries += await _ahead(tx, agency_id, worker_id, days[0][0])
    if booked:
        entries.append(take(entries, days[0][0], booked, "booked", in_advance=True))
    take(entries, days[0][0], sum(minutes for _, minutes in days), str(record_id), in_advance)


async def _ahead(tx: Tx, agency_id: UUID, worker_id: UUID, on: date) -> list[LeaveEntry]:
    """What the contract gives by a day, or by today, and no payslip has brought yet."""
    ledger = await leave.ledger_of(tx, agency_id=agency_id, worker_id=worker_id)
    minutes = booked_ahead(ledger, max(on, london_date(tx.now)))
    return [LeaveEntry(on, "entitled", minutes, minutes * EXACT)] if minutes else []


async def _weeks(tx: Tx, agency_id: UUID, rows: Sequence[Any]) -> list[Any]:
    return await leave.records.weeks(tx, agency_id=agency_id, records=[row.record_id for row in rows])


async def _entries(tx: Tx, agency_id: UUID, worker_id: UUID) -> list[Any]:
    return await leave.entries_of(tx, agency_id=agency_id, worker_id=worker_id)


async def held_days(tx: Tx, *, agency_id: UUID, worker_id: UUID) -> dict[tuple[str, date], list[str]]:
    """Why a worker's holiday pay is not in a draft: codes by (record, first day)."""
    return {
        (pay.record_id, pay.dates[0]): codes
        for _, pay, codes in _held(worker_id, await decide_now(tx, keys=[(agency_id, worker_id)]))
    }


async def held_of_period(tx: Tx, *, agency_id: UUID, period_to: date) -> list[tuple[UUID, HolidayPay, list[str]]]:
    """Holiday pay up to a period that a close would leave out: worker, pay, codes."""
    found: list[tuple[UUID, HolidayPay, list[str]]] = []
    for worker_id in await leave.open_up_to(tx, agency_id=agency_id, period_to=period_to):
        decided = await decide_now(tx, keys=[(agency_id, worker_id)])
        found += _held(worker_id, [(each, slip) for each, slip in decided if slip.period_to <= period_to])
    return found


def _held(worker_id: UUID, decided: Sequence[tuple[UUID, Any]]) -> list[tuple[UUID, HolidayPay, list[str]]]:
    return [
        (worker_id, pay, [reason["code"] for reason in reasons])
        for _, slip in decided
        for pay, reasons in slip.statutory_held
        if isinstance(pay, HolidayPay)
    ]


# Leave brought in, or lapsed


async def enter(
    tx: Tx, *, agency_id: UUID, entry_id: UUID, worker_id: UUID, kind: str, on: date, minutes: int, reason: str, by: str
) -> None:
    """Write leave that a person brings in (earned before, or carried over) or lets lapse. Once: raises EntryDiffers for anything else
    under the same id, EngineError where more lapses than there is."""
    await facts.share_agencies(tx, [agency_id])
    await facts.lock_workers(tx, [(agency_id, worker_id)])
    signed = minutes if kind in EARNED else -minutes
    known = await leave.entry_of_source(tx, agency_id=agency_id, source_id=entry_id)
    if known is not None:
        if (known.worker_id, known.kind, known.entry_on, known.minutes, known.how) != (
            worker_id,
            kind,
            on,
            signed,
            reason,
        ):
            raise EntryDiffers(f"entry {entry_id} is in the ledger already and says something else")
        return
    if signed < 0:
        entries = [leave.entry_of(row) for row in await _entries(tx, agency_id, worker_id)]
        take([*entries, *await _ahead(tx, agency_id, worker_id, on)], on, minutes, reason)
    entry = {
        "kind": kind,
        "subject": str(entry_id),
        "on": on.isoformat(),
        "minutes": signed,
        "exact": signed * EXACT,
        "worked_minutes": 0,
        "absent_days": 0,
        "record_id": None,
        "amount_pence": None,
        "how": reason,
    }
    await leave.insert_entries(tx, agency_id=agency_id, rows=[leave.NewEntry(entry_id, worker_id, None, entry)], by=by)
    await recalculate(tx, keys=[(agency_id, worker_id)])


# The record


@dataclass(frozen=True, slots=True)
class Book:
    """A worker's leave year: its entries and their sums, minutes. `brought_minutes`: left at its start. `whole`: what reg. 16B asks for."""

    leave_year_from: date
    leave_year_to: date
    brought_minutes: int
    carried_in_minutes: int
    accrued_minutes: int
    taken_minutes: int
    in_lieu_minutes: int
    lapsed_minutes: int
    left_minutes: int
    left_exact_minutes: int
    taken_pence: int
    in_lieu_pence: int
    entries: tuple[Any, ...]
    whole: HolidayRecord


async def book_of(tx: Tx, *, agency_id: UUID, worker_id: UUID, leave_year_from: date | None) -> Book | None:
    """A worker's record of one leave year, of the current one unless another is named; None where the ledger has nothing of the worker.

    A leave year starts on the day the employment began and each anniversary, unless an agreement says otherwise (reg. 13(3)). Raises
    EngineError where nobody has said when it began.
    """
    rows = await _entries(tx, agency_id, worker_id)
    if not rows:
        return None
    today = tx.now.date()
    ledger = await leave.ledger_of(tx, agency_id=agency_id, worker_id=worker_id)
    starts_on = leave_year_from or await _leave_year(tx, agency_id, worker_id, today, ledger)
    ends_on = add_months(starts_on, 12)
    before = balance([leave.entry_of(row) for row in rows if row.entry_on < starts_on])
    inside = [row for row in rows if starts_on <= row.entry_on < ends_on]
    sums = {kind: sum(row.minutes for row in inside if row.kind == kind) for kind in _KINDS}
    pence = {kind: sum(row.amount_pence or 0 for row in inside if row.kind == kind) for kind in _KINDS}
    left = balance([leave.entry_of(row) for row in rows if row.entry_on < ends_on])
    accrued = sums["accrued"] + sums["absence_accrued"] + sums["entitled"]
    over = ends_on <= today
    reasons = [row.how for row in inside if row.kind == "carried_in"]
    if before.left_minutes:
        reasons.insert(0, "left from the leave year before")
    whole = HolidayRecord(
        worker_ref=str(worker_id),
        leave_year_from=starts_on,
        made_on=today,
        entitlement_basis="regular_hours" if sums["entitled"] else "irregular_hours",
        entitlement_minutes=accrued if not sums["entitled"] else _of_whole_year(ledger, starts_on, ends_on) or accrued,
        accrued_minutes=accrued,
        taken_minutes=-sums["taken"],
        carried_in_minutes=before.left_minutes + sums["carried_in"],
        carried_out_minutes=left.left_minutes if over else 0,
        carry_reason="; ".join(reasons)
        or ("left at the end of the leave year" if over and left.left_minutes else None),
        pay_method="paid_when_taken",
        paid_pence=pence["taken"],
        pay_calculation_refs=tuple(dict.fromkeys(str(row.payslip_id) for row in inside if row.payslip_id is not None)),
        in_lieu_pence=pence["paid_in_lieu"],
    )
    return Book(
        starts_on,
        ends_on,
        before.left_minutes,
        sums["carried_in"],
        accrued,
        -sums["taken"],
        -sums["paid_in_lieu"],
        -sums["lapsed"],
        left.left_minutes,
        left.exact_minutes,
        pence["taken"],
        pence["paid_in_lieu"],
        tuple(inside),
        whole,
    )


_KINDS = ("accrued", "absence_accrued", "entitled", "carried_in", "taken", "paid_in_lieu", "lapsed")


def _of_whole_year(ledger: Ledger, starts_on: date, ends_on: date) -> int:
    """What the contract gives for a leave year, on its last day."""
    found = targets(ledger.contract, ledger.entitled, ends_on - timedelta(days=1))
    return sum(each.minutes for each in found if each.subject.endswith(f"/{starts_on}"))


async def _leave_year(tx: Tx, agency_id: UUID, worker_id: UUID, today: date, ledger: Ledger) -> date:
    begun = [job for job in employments(ledger.contract) if job.from_on <= today]
    if begun:
        return year_of(begun[-1].leave_year_from, today)
    started = await statutory.employed_from(tx, agency_id=agency_id, worker_id=worker_id)
    if started is None:
        raise EngineError(
            "leave_year_unknown",
            "When the employment began is not known, so neither is the leave year: name its first day.",
            "leave_year_from",
        )
    years = today.year - started.year
    while years > 0 and add_months(started, 12 * years) > today:
        years -= 1
    return add_months(started, 12 * max(0, years))


CSV_COLUMNS = (
    "on", "kind", "hours", "exact_hours", "hours_worked", "days_absent", "pay_gbp", "how", "payslip_id", "record_id",
    "recorded_at", "recorded_by", "keep_until",
)  # fmt: skip


def book_csv(book: Book) -> str:
    """The leave year's entries, one row each, with the day until which each is kept."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(CSV_COLUMNS)
    for row in book.entries:
        writer.writerow(
            (
                row.entry_on,
                row.kind,
                in_hours(row.minutes),
                in_hours(rounding.leave_floor_minute(row.exact, EXACT)),
                in_hours(row.worked_minutes),
                row.absent_days,
                "" if row.amount_pence is None else from_pence(row.amount_pence),
                row.how,
                row.payslip_id or "",
                row.record_id or "",
                row.recorded_at.isoformat(),
                row.recorded_by,
                keep_until(row),
            )
        )
    return out.getvalue()


def keep_until(row: Any) -> date:
    """Six years from the making of an entry."""
    return HolidayRecord("", row.entry_on, row.recorded_at.date()).keep_until


def in_hours(minutes: int) -> str:
    """`7:30` of 450."""
    sign, size = ("-", -minutes) if minutes < 0 else ("", minutes)
    return f"{sign}{size // 60}:{size % 60:02d}"
