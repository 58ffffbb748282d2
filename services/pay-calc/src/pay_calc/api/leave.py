"""Accrued leave: leave taken and paid, its payment in lieu on leaving, leave brought in or lapsed, and the record of each leave year."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from pay_calc.api.access import (
    FIRST_DAY,
    LAST_DAY,
    AgencyId,
    Day,
    ExternalId,
    ExternalIdFilter,
    Money,
    Name,
    after_id,
)
from pay_calc.api.pay_runs import CSV_TYPE, download
from pay_calc.domain.engine import rounding
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.holiday_ledger import EXACT
from pay_calc.domain.holiday_pay import days_of
from pay_calc.store import leave
from pay_calc.usecases import leave as usecase
from pay_calc.usecases.replay import load_json
from pay_calc.usecases.statutory import ExternalIdTaken, RecordOfAnotherWorker
from paybill_common.auth import Principal
from paybill_common.http.paging import Cursor, Limit, Page, encode_cursor
from paybill_common.http.problems import ERROR_RESPONSES, conflict, invalid, not_found
from paybill_common.http.route import TxDep, TxRoute, require
from paybill_common.money import from_pence, to_pence

router = APIRouter(prefix="/v1/agencies/{agency_id}", route_class=TxRoute, responses=ERROR_RESPONSES, tags=["leave"])

Evidence = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
RecordId = Annotated[UUID, Path(description="The caller's own new UUID, or a known record's")]
LeaveYear = Annotated[
    date | None,
    Query(ge=FIRST_DAY, le=LAST_DAY, description="The leave year's first day; none: the anniversary of the first day"),
]
DAY_MINUTES = 24 * 60


class Granted(BaseModel):
    """Who agreed, when, and where that is filed. Leave is paid by the contract's week (`contract_week_gbp` for `contract_week_minutes`, and
    where that is written) only while no paid week is on a final payslip."""

    model_config = ConfigDict(extra="forbid")

    worker_id: UUID
    external_id: ExternalId | None = None
    decided_by: Name
    decided_on: Day
    evidence_ref: Evidence
    contract_week_gbp: Annotated[Money, Field(gt=0)] | None = None
    contract_week_minutes: Annotated[int, Field(ge=1, le=7 * DAY_MINUTES)] | None = None
    contract_ref: Evidence | None = None
    cancelled: bool = False

    @model_validator(mode="after")
    def _contract(self) -> Granted:
        given = [self.contract_week_gbp, self.contract_week_minutes, self.contract_ref]
        if any(each is None for each in given) and any(each is not None for each in given):
            raise ValueError("contract_week_gbp, contract_week_minutes and contract_ref come together")
        return self

    def common(self) -> dict[str, Any]:
        values = self.model_dump(
            include={
                "external_id",
                "decided_by",
                "decided_on",
                "evidence_ref",
                "contract_week_minutes",
                "contract_ref",
                "cancelled",
            }
        )
        values["contract_week_pence"] = None if self.contract_week_gbp is None else to_pence(self.contract_week_gbp)
        return values


class DayOff(BaseModel):
    """A day's leave in minutes."""

    model_config = ConfigDict(extra="forbid")

    on: Day
    minutes: Annotated[int, Field(ge=1, le=DAY_MINUTES)]


class DayOffOut(BaseModel):
    """A day's leave in minutes; of a payment in lieu the last day of the employment, with none."""

    on: date
    minutes: int


class HolidayLeaveIn(Granted):
    """Leave that a worker takes, day by day within a year. `in_advance`: granted though it is more than the ledger holds."""

    days: Annotated[list[DayOff], Field(min_length=1, max_length=366)]
    in_advance: bool = False

    @model_validator(mode="after")
    def _days(self) -> HolidayLeaveIn:
        days = [day.on for day in self.days]
        if len(set(days)) != len(days):
            raise ValueError("a day is given twice")
        if (max(days) - min(days)).days > 365:
            raise ValueError("one leave lies within a year")
        return self


class InLieuIn(Granted):
    """The employment ended on `left_on`: what is left of the leave is paid with the next payslip. `recovery_ref`: the written agreement by
    which leave taken beyond what was earned is taken back; without one it is not."""

    left_on: Day
    recovery_ref: Evidence | None = None


class LeaveWeekOut(BaseModel):
    """Leave of one week. `amount_gbp` and `rate`: as it is paid, or would be now; none: not known, or (in lieu) only the payslip says.
    `held`: why it is in no draft; only where one record is asked for."""

    week_ending: date
    days: list[DayOffOut]
    minutes: int
    amount_gbp: Decimal | None
    rate: str
    state: Literal["open", "settled"]
    payslip_id: UUID | None
    held: list[str]


class GrantedOut(BaseModel):
    record_id: UUID
    worker_id: UUID
    external_id: str | None
    decided_by: str
    decided_on: date
    evidence_ref: str
    contract_week_gbp: Decimal | None
    contract_week_minutes: int | None
    contract_ref: str | None
    cancelled: bool
    weeks: list[LeaveWeekOut]
    version: int
    updated_at: datetime


class HolidayLeaveOut(GrantedOut):
    days: list[DayOffOut]
    in_advance: bool


class InLieuOut(GrantedOut):
    left_on: date
    recovery_ref: str | None


class EntryIn(BaseModel):
    """Leave that a person brings into the ledger (`carried_in`: earned before, or carried over) or that is lost (`lapsed`), and why. An
    entry is written once and never changes; a wrong one is set right by another."""

    model_config = ConfigDict(extra="forbid")

    worker_id: UUID
    kind: Literal["carried_in", "lapsed"]
    on: Day
    minutes: Annotated[int, Field(ge=1, le=100_000)]
    reason: Evidence


class LedgerEntryOut(BaseModel):
    """One movement: minutes as the law rounds them, `exact_minutes` cut to the minute from the unrounded figure. `pay_gbp` and `how`: what
    was paid for it, by what rule or rate. Kept until `keep_until` at least: nothing here deletes it."""

    on: date
    kind: str
    minutes: int
    exact_minutes: int
    worked_minutes: int
    absent_days: int
    pay_gbp: Decimal | None
    how: str
    payslip_id: UUID | None
    record_id: UUID | None
    recorded_at: datetime
    recorded_by: str
    keep_until: date


class HolidayRecordOut(BaseModel):
    """A worker's leave year: the record of reg. 16B of the Working Time Regulations 1998, kept for six years. Minutes; `left_exact_minutes`
    is the balance without rounding. `missing`: names of what the record still lacks."""

    worker_id: UUID
    leave_year_from: date
    leave_year_to: date
    entitlement_basis: str | None
    brought_forward_minutes: int
    carried_in_minutes: int
    carried_out_minutes: int
    carry_reason: str | None
    accrued_minutes: int
    taken_minutes: int
    paid_in_lieu_minutes: int
    lapsed_minutes: int
    left_minutes: int
    left_exact_minutes: int
    pay_method: str | None
    taken_pay_gbp: Decimal
    in_lieu_pay_gbp: Decimal
    missing: list[str]
    keep_until: date
    entries: list[LedgerEntryOut]


@router.put("/holiday-leaves/{leave_id}")
async def put_holiday_leave(
    tx: TxDep,
    agency_id: AgencyId,
    leave_id: RecordId,
    body: HolidayLeaveIn,
    principal: Principal = require("pay:write"),
) -> HolidayLeaveOut:
    """Record or replace leave that a worker takes: each week of it is paid on that week's payslip, at the average of 52 paid weeks."""
    days = tuple(sorted((day.on, day.minutes) for day in body.days))
    values = body.common() | {
        "kind": "taken",
        "days": days,
        "first_on": days[0][0],
        "last_on": days[-1][0],
        "in_advance": body.in_advance,
        "recovery_ref": None,
    }
    try:
        await usecase.store_leave(
            tx, agency_id=agency_id, record_id=leave_id, worker_id=body.worker_id, values=values, by=principal.subject
        )
    except _REFUSED as error:
        raise _problem(error) from error
    return await _leave(tx, agency_id, leave_id)


@router.get("/holiday-leaves/{leave_id}")
async def get_holiday_leave(
    tx: TxDep, agency_id: AgencyId, leave_id: RecordId, principal: Principal = require("pay:read")
) -> HolidayLeaveOut:
    """Leave taken and its weeks."""
    return await _leave(tx, agency_id, leave_id)


@router.get("/holiday-leaves")
async def list_holiday_leaves(
    tx: TxDep,
    agency_id: AgencyId,
    worker_id: UUID | None = None,
    external_id: ExternalIdFilter = None,
    cursor: Cursor = None,
    limit: Limit = 100,
    principal: Principal = require("pay:read"),
) -> Page[HolidayLeaveOut]:
    """Leave taken by id, of one worker when named."""
    rows = await _page(tx, agency_id, "taken", worker_id, external_id, cursor, limit)
    weeks = await _weeks(tx, agency_id, rows[:limit])
    return Page(
        items=[_leave_out(row, weeks.get(row.record_id, [])) for row in rows[:limit]],
        next_cursor=encode_cursor(rows[limit - 1].record_id) if len(rows) > limit else None,
    )


@router.put("/holiday-in-lieu/{payment_id}")
async def put_in_lieu(
    tx: TxDep, agency_id: AgencyId, payment_id: RecordId, body: InLieuIn, principal: Principal = require("pay:write")
) -> InLieuOut:
    """Pay a leaver's leave in lieu: one line on the next payslip, for all that the ledger then has left. A second time is refused."""
    values = body.common() | {
        "kind": "in_lieu",
        "days": ((body.left_on, 0),),
        "first_on": body.left_on,
        "last_on": body.left_on,
        "in_advance": False,
        "recovery_ref": body.recovery_ref,
    }
    try:
        await usecase.store_payment_in_lieu(
            tx, agency_id=agency_id, record_id=payment_id, worker_id=body.worker_id, values=values, by=principal.subject
        )
    except _REFUSED as error:
        raise _problem(error) from error
    return await _in_lieu(tx, agency_id, payment_id)


@router.get("/holiday-in-lieu/{payment_id}")
async def get_in_lieu(
    tx: TxDep, agency_id: AgencyId, payment_id: RecordId, principal: Principal = require("pay:read")
) -> InLieuOut:
    """A payment in lieu and what became of it."""
    return await _in_lieu(tx, agency_id, payment_id)


@router.get("/holiday-in-lieu")
async def list_in_lieu(
    tx: TxDep,
    agency_id: AgencyId,
    worker_id: UUID | None = None,
    external_id: ExternalIdFilter = None,
    cursor: Cursor = None,
    limit: Limit = 100,
    principal: Principal = require("pay:read"),
) -> Page[InLieuOut]:
    """Payments in lieu by id, of one worker when named."""
    rows = await _page(tx, agency_id, "in_lieu", worker_id, external_id, cursor, limit)
    weeks = await _weeks(tx, agency_id, rows[:limit])
    return Page(
        items=[_in_lieu_out(row, weeks.get(row.record_id, [])) for row in rows[:limit]],
        next_cursor=encode_cursor(rows[limit - 1].record_id) if len(rows) > limit else None,
    )


@router.put("/holiday-entries/{entry_id}")
async def put_entry(
    tx: TxDep, agency_id: AgencyId, entry_id: RecordId, body: EntryIn, principal: Principal = require("pay:write")
) -> LedgerEntryOut:
    """Write leave brought in or lapsed into a worker's ledger, once; the worker's drafts are worked again."""
    try:
        await usecase.enter(
            tx,
            agency_id=agency_id,
            entry_id=entry_id,
            worker_id=body.worker_id,
            kind=body.kind,
            on=body.on,
            minutes=body.minutes,
            reason=body.reason,
            by=principal.subject,
        )
    except _REFUSED as error:
        raise _problem(error) from error
    return _entry(await leave.entry_of_source(tx, agency_id=agency_id, source_id=entry_id))


@router.get("/holiday-records/{worker_id}")
async def holiday_record(
    tx: TxDep,
    agency_id: AgencyId,
    worker_id: UUID,
    leave_year_from: LeaveYear = None,
    principal: Principal = require("pay:read"),
) -> HolidayRecordOut:
    """A worker's record of a leave year: earned, taken, carried, paid in lieu, what was paid and how it was worked out."""
    book = await _book(tx, agency_id, worker_id, leave_year_from)
    return HolidayRecordOut(
        worker_id=worker_id,
        leave_year_from=book.leave_year_from,
        leave_year_to=book.leave_year_to,
        entitlement_basis=book.whole.entitlement_basis,
        brought_forward_minutes=book.brought_minutes,
        carried_in_minutes=book.carried_in_minutes,
        carried_out_minutes=book.whole.carried_out_minutes or 0,
        carry_reason=book.whole.carry_reason,
        accrued_minutes=book.accrued_minutes,
        taken_minutes=book.taken_minutes,
        paid_in_lieu_minutes=book.in_lieu_minutes,
        lapsed_minutes=book.lapsed_minutes,
        left_minutes=book.left_minutes,
        left_exact_minutes=book.left_exact_minutes,
        pay_method=book.whole.pay_method,
        taken_pay_gbp=from_pence(book.taken_pence),
        in_lieu_pay_gbp=from_pence(book.in_lieu_pence),
        missing=list(book.whole.missing()),
        keep_until=book.whole.keep_until,
        entries=[_entry(row) for row in book.entries],
    )


@router.get(
    "/holiday-records/{worker_id}/record.csv",
    response_class=Response,
    responses={200: {"content": {"text/csv": {}}, "description": "One row an entry"}},
)
async def holiday_record_csv(
    tx: TxDep,
    agency_id: AgencyId,
    worker_id: UUID,
    leave_year_from: LeaveYear = None,
    principal: Principal = require("pay:read"),
) -> Response:
    """The entries of a worker's leave year, one row each."""
    book = await _book(tx, agency_id, worker_id, leave_year_from)
    return download(usecase.book_csv(book), f"holiday-{worker_id}-{book.leave_year_from}.csv", CSV_TYPE)


_REFUSED = (
    EngineError,
    RecordOfAnotherWorker,
    ExternalIdTaken,
    usecase.Overlaps,
    usecase.AlreadyPaid,
    usecase.AlreadyPaidInLieu,
    usecase.AfterLeaving,
    usecase.EntryDiffers,
)
_CODES: dict[type[Exception], str] = {
    RecordOfAnotherWorker: "record_of_another_worker",
    ExternalIdTaken: "external_id_taken",
    usecase.Overlaps: "leave_overlaps",
    usecase.AlreadyPaid: "holiday_already_paid",
    usecase.AlreadyPaidInLieu: "already_paid_in_lieu",
    usecase.AfterLeaving: "leave_after_leaving",
    usecase.EntryDiffers: "leave_entry_differs",
}


def _problem(error: Exception) -> Exception:
    if isinstance(error, EngineError):
        return invalid(error.code, error.message, pointer=f"#/{error.field or ''}".rstrip("/"))
    return conflict(_CODES[type(error)], f"{error}.")


async def _book(tx: TxDep, agency_id: UUID, worker_id: UUID, leave_year_from: date | None) -> usecase.Book:
    try:
        book = await usecase.book_of(tx, agency_id=agency_id, worker_id=worker_id, leave_year_from=leave_year_from)
    except EngineError as error:
        raise invalid(error.code, error.message, pointer=f"query:/{error.field}") from error
    if book is None:
        raise not_found("holiday_record", worker_id)
    return book


async def _page(
    tx: TxDep,
    agency_id: UUID,
    kind: str,
    worker_id: UUID | None,
    external_id: str | None,
    cursor: str | None,
    limit: int,
) -> list[Any]:
    return await leave.records.page(
        tx,
        agency_id=agency_id,
        kinds=(kind,),
        worker_id=worker_id,
        external_id=external_id,
        after=after_id(cursor),
        most=limit + 1,
    )


async def _leave(tx: TxDep, agency_id: UUID, record_id: UUID) -> HolidayLeaveOut:
    row = await leave.records.one(tx, agency_id=agency_id, record_id=record_id)
    if row is None or row.kind != "taken":
        raise not_found("holiday_leave", record_id)
    return _leave_out(row, await _one_records_weeks(tx, agency_id, row))


async def _in_lieu(tx: TxDep, agency_id: UUID, record_id: UUID) -> InLieuOut:
    row = await leave.records.one(tx, agency_id=agency_id, record_id=record_id)
    if row is None or row.kind != "in_lieu":
        raise not_found("holiday_in_lieu", record_id)
    return _in_lieu_out(row, await _one_records_weeks(tx, agency_id, row))


async def _one_records_weeks(tx: TxDep, agency_id: UUID, row: Any) -> list[LeaveWeekOut]:
    held = await usecase.held_days(tx, agency_id=agency_id, worker_id=row.worker_id)
    return [
        week.model_copy(update={"held": held.get((str(row.record_id), week.days[0].on), [])})
        for week in (await _weeks(tx, agency_id, [row])).get(row.record_id, [])
    ]


async def _weeks(tx: TxDep, agency_id: UUID, rows: Sequence[Any]) -> dict[UUID, list[LeaveWeekOut]]:
    """The weeks of these records: as the ledger has them when they are paid, by the rate of now before."""
    if not rows:
        return {}
    paid = await leave.entries_of_records(tx, agency_id=agency_id, records=[row.record_id for row in rows])
    open_ = await leave.open_weeks(tx, sorted({(agency_id, row.worker_id) for row in rows}))
    known = {(pay.record_id, pay.dates[0]): pay for pays in open_.values() for pay in pays}
    found: dict[UUID, list[LeaveWeekOut]] = {}
    for week in await leave.records.weeks(tx, agency_id=agency_id, records=[row.record_id for row in rows]):
        days = days_of(load_json(week.days))
        entry, pay = paid.get(f"{week.record_id}/{days[0][0]}"), known.get((str(week.record_id), days[0][0]))
        minutes = sum(each for _, each in days)
        amount: int | None = None
        if entry is not None:
            minutes, amount = -entry.minutes, entry.amount_pence
        elif pay is not None and pay.kind == "taken" and not pay.rate.refused:
            amount = pay.amount(pay.minutes)
        found.setdefault(week.record_id, []).append(
            LeaveWeekOut(
                week_ending=week.week_ending,
                days=[DayOffOut(on=day, minutes=each) for day, each in days],
                minutes=minutes,
                amount_gbp=None if amount is None else from_pence(amount),
                rate=entry.how if entry is not None else "" if pay is None else pay.rate.words,
                state=week.state,
                payslip_id=week.payslip_id,
                held=[],
            )
        )
    return found


def _leave_out(row: Any, weeks: list[LeaveWeekOut]) -> HolidayLeaveOut:
    days = [DayOffOut(on=day, minutes=minutes) for day, minutes in days_of(load_json(row.days))]
    return HolidayLeaveOut(**_common(row), weeks=weeks, days=days, in_advance=row.in_advance)


def _in_lieu_out(row: Any, weeks: list[LeaveWeekOut]) -> InLieuOut:
    return InLieuOut(**_common(row), weeks=weeks, left_on=row.last_on, recovery_ref=row.recovery_ref)


def _common(row: Any) -> dict[str, Any]:
    names = (
        "record_id",
        "worker_id",
        "external_id",
        "decided_by",
        "decided_on",
        "evidence_ref",
        "contract_week_minutes",
        "contract_ref",
        "cancelled",
        "version",
        "updated_at",
    )
    week = row.contract_week_pence
    return {name: getattr(row, name) for name in names} | {
        "contract_week_gbp": None if week is None else from_pence(week)
    }


def _entry(row: Any) -> LedgerEntryOut:
    return LedgerEntryOut(
        on=row.entry_on,
        kind=row.kind,
        minutes=row.minutes,
        exact_minutes=rounding.leave_floor_minute(row.exact, EXACT),
        worked_minutes=row.worked_minutes,
        absent_days=row.absent_days,
        pay_gbp=None if row.amount_pence is None else from_pence(row.amount_pence),
        how=row.how,
        payslip_id=row.payslip_id,
        record_id=row.record_id,
        recorded_at=row.recorded_at,
        recorded_by=row.recorded_by,
        keep_until=usecase.keep_until(row),
    )
