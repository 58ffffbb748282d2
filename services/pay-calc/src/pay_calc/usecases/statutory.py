"""Record absences and family leaves, plan the weeks of statutory pay that follow, and work the worker's drafts again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from typing import Any
from uuid import UUID

from pay_calc.domain.engine.average_weekly_earnings import AverageEarnings, average, family_week_ends_on
from pay_calc.domain.pay_dates import DAY
from pay_calc.domain.statutory import Absence, Leave, StatutoryPay, average_of_paid, leave_weeks, sickness
from pay_calc.rates import year_book
from pay_calc.store import facts, statutory
from pay_calc.usecases.recalculate import decide_now, recalculate
from pay_calc.usecases.replay import load_json
from paybill_common.db import Tx


class RecordOfAnotherWorker(Exception):
    """The record belongs to another worker, or is of the other sort; it stays as it is."""


class ExternalIdTaken(Exception):
    """Another record of the agency has this external id."""


class Overlaps(Exception):
    """Two records of a worker cover the same days."""


class AlreadyPaid(Exception):
    """The change would take back days that a finalised payslip paid."""


@dataclass(frozen=True, slots=True)
class Stated:
    """How average earnings are known: as somebody gives them, by the contract's week of who was never paid, or neither: from payslips."""

    average_pence: int | None = None
    contract_week_pence: int | None = None
    reference: str = ""


async def store(
    tx: Tx,
    *,
    agency_id: UUID,
    record_id: UUID,
    worker_id: UUID,
    values: Mapping[str, Any],
    stated: Stated,
    by: str,
) -> None:
    """Store a record under its worker's lock. Raises RecordOfAnotherWorker, ExternalIdTaken, Overlaps, AlreadyPaid, EngineError."""
    await facts.share_agencies(tx, [agency_id])
    await facts.lock_workers(tx, [(agency_id, worker_id)])
    known = await statutory.records.one(tx, agency_id=agency_id, record_id=record_id)
    if known is not None and (known.worker_id != worker_id or (known.kind == "SSP") != (values["kind"] == "SSP")):
        raise RecordOfAnotherWorker(f"record {record_id} is of {known.kind} of worker {known.worker_id}")
    if values["external_id"] is not None:
        holder = await statutory.records.holder_of(tx, agency_id=agency_id, external_id=values["external_id"])
        if holder not in (None, record_id):
            raise ExternalIdTaken(f"external_id {values['external_id']} already names {holder}")
    earned = await _average(tx, agency_id=agency_id, worker_id=worker_id, known=known, values=values, stated=stated)
    await statutory.records.upsert(
        tx, agency_id=agency_id, record_id=record_id, worker_id=worker_id, values={**values, **earned}, by=by
    )
    await _plan(tx, agency_id=agency_id, worker_id=worker_id, record_id=record_id)
    await recalculate(tx, keys=[(agency_id, worker_id)])


async def _average(
    tx: Tx, *, agency_id: UUID, worker_id: UUID, known: Any | None, values: Mapping[str, Any], stated: Stated
) -> dict[str, Any]:
    """The average week that the record keeps: it is worked out once, when the first day is recorded."""
    if stated.average_pence is not None:
        found = AverageEarnings(stated.average_pence, 1, None, None, f"given: {stated.reference}")
    elif known is not None and _same_event(known, values):
        found = AverageEarnings(known.average_pence, known.average_divisor, None, None, known.average_method)
    else:
        up_to_on = _relevant_day(values)
        started = await statutory.employed_from(tx, agency_id=agency_id, worker_id=worker_id)
        if stated.contract_week_pence is not None:
            found = average([], "weekly", up_to_on, started or up_to_on, stated.contract_week_pence)
        else:
            agency = (await facts.load_agencies(tx, [agency_id]))[agency_id]
            found = average_of_paid(
                await statutory.earnings(tx, agency_id=agency_id, worker_id=worker_id, up_to_on=up_to_on),
                await statutory.closed_paydays(tx, agency_id=agency_id, up_to_on=up_to_on),
                started,
                up_to_on,
                agency.payday_days_after,
            )
    return {"average_pence": found.pence, "average_divisor": found.divisor, "average_method": found.method}


def _same_event(known: Any, values: Mapping[str, Any]) -> bool:
    """Whether a record is still about the day that decided its average."""
    if values["kind"] == "SSP":
        return bool(known.first_on == values["first_on"])
    was, terms = load_json(known.terms), values["terms"]
    return known.kind == values["kind"] and all(was[name] == terms[name] for name in ("event_on", "adoption"))


def _relevant_day(values: Mapping[str, Any]) -> date:
    """The day up to which earnings are averaged."""
    if values["kind"] == "SSP":
        first_on: date = values["first_on"]
        return first_on - DAY
    terms = values["terms"]
    return family_week_ends_on(values["kind"], date.fromisoformat(terms["event_on"]), adoption=terms["adoption"])


async def _plan(tx: Tx, *, agency_id: UUID, worker_id: UUID, record_id: UUID) -> None:
    """Work out the weeks of all of a worker's records again; what was paid stays paid."""
    rows = await statutory.records.of_worker(tx, agency_id=agency_id, worker_id=worker_id)
    for before, after in pairwise(rows):
        if after.first_on <= before.last_on:
            raise Overlaps(f"record {after.record_id} starts on {after.first_on}, before {before.record_id} ends")
    weeks = planned(rows)
    due = {(week.record_id, day) for week in weeks for day in week.dates}
    known = [row.record_id for row in rows] + [record_id]
    paid: set[tuple[str, date]] = set()
    for row in await statutory.records.weeks(tx, agency_id=agency_id, records=known):
        if row.state == "settled":
            paid |= {(str(row.record_id), day) for day in statutory.week_of(row).dates}
    lost = sorted(day for record, day in paid - due)
    if lost:
        raise AlreadyPaid(f"{lost[0]} was paid by a finalised payslip, and this change would take it back")
    await statutory.replace_open(tx, agency_id=agency_id, worker_id=worker_id, weeks=_without(weeks, paid))


def planned(rows: Sequence[Any]) -> list[StatutoryPay]:
    """All weeks of statutory pay that these records of one worker give. Raises EngineError."""
    years = year_book()
    absences = [absence_of(row) for row in rows if row.kind == "SSP"]
    weeks = [week for spell in sickness(absences, years) for week in spell.weeks]
    for row in rows:
        if row.kind != "SSP":
            weeks.extend(leave_weeks(leave_of(row), years))
    return weeks


def _without(weeks: Sequence[StatutoryPay], paid: set[tuple[str, date]]) -> list[StatutoryPay]:
    rest = [
        replace(week, dates=tuple(day for day in week.dates if (week.record_id, day) not in paid)) for week in weeks
    ]
    return [week for week in rest if week.dates]


def absence_of(row: Any) -> Absence:
    """An absence from its row."""
    terms = load_json(row.terms)
    return Absence(
        str(row.record_id),
        row.first_on,
        row.last_on,
        frozenset(day - 1 for day in terms["qualifying_weekdays"]),
        row.average_pence,
        row.average_divisor,
    )


def leave_of(row: Any) -> Leave:
    """A leave from its row."""
    terms = load_json(row.terms)
    decision = terms["decision"]
    return Leave(
        str(row.record_id),
        row.kind,
        row.first_on,
        terms["weeks"],
        terms["first_week"],
        row.average_pence,
        row.average_divisor,
        f"{decision['evidence_ref']}, decided by {decision['decided_by']} on {decision['decided_on']}",
    )


async def held_weeks(tx: Tx, *, agency_id: UUID, worker_id: UUID) -> dict[tuple[str, date], list[str]]:
    """Why weeks of a worker's statutory pay are not in a draft: codes by (record, first day)."""
    return {
        (week.record_id, week.dates[0]): [reason["code"] for reason in reasons]
        for _, slip in await decide_now(tx, keys=[(agency_id, worker_id)])
        for week, reasons in slip.statutory_held
        if isinstance(week, StatutoryPay)
    }


async def held_of_period(tx: Tx, *, agency_id: UUID, period_to: date) -> list[tuple[UUID, StatutoryPay, list[str]]]:
    """Statutory pay up to a period that a close would leave out: worker, week, codes."""
    workers = {
        week.record_id: worker
        for worker, week in await statutory.open_up_to(tx, agency_id=agency_id, period_to=period_to)
    }
    decided = await decide_now(tx, keys=[(agency_id, worker) for worker in sorted(set(workers.values()))])
    return [
        (workers[week.record_id], week, [reason["code"] for reason in reasons])
        for _, slip in decided
        if slip.period_to <= period_to
        for week, reasons in slip.statutory_held
        if isinstance(week, StatutoryPay)
    ]
