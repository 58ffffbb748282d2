"""Absences through sickness and family leaves: recorded here, paid as statutory pay on the payslips of their weeks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, get_args
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from pay_calc.api.access import AgencyId, Day, ExternalId, ExternalIdFilter, Money, Name, after_id
from pay_calc.domain.engine import family_pay
from pay_calc.domain.engine.average_weekly_earnings import AverageEarnings
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.pay_dates import DAY, WEEK
from pay_calc.domain.statutory import Sickness, StatutoryPay, sickness
from pay_calc.rates import year_book
from pay_calc.store import statutory
from pay_calc.usecases import statutory as usecase
from pay_calc.usecases.replay import load_json
from paybill_common.auth import Principal
from paybill_common.http.paging import Cursor, Limit, Page, encode_cursor
from paybill_common.http.problems import ERROR_RESPONSES, conflict, invalid, not_found
from paybill_common.http.route import TxDep, TxRoute, require
from paybill_common.money import from_pence, to_pence

router = APIRouter(
    prefix="/v1/agencies/{agency_id}", route_class=TxRoute, responses=ERROR_RESPONSES, tags=["statutory pay"]
)
FAMILY_KINDS: tuple[str, ...] = get_args(family_pay.Kind)

Evidence = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
RecordId = Annotated[UUID, Path(description="The caller's own new UUID, or a known record's")]
DAYS_MAX = 366


class Earnings(BaseModel):
    """How average weekly earnings are known. Given: `average_weekly_earnings_gbp` with `average_ref`, where they were worked out. Nobody
    paid yet: `contract_week_gbp`, the week that the contract promises. Neither: they are averaged from finalised payslips, when every
    payday of the eight weeks was closed here."""

    model_config = ConfigDict(extra="forbid")

    average_weekly_earnings_gbp: Money | None = None
    average_ref: Evidence | None = None
    contract_week_gbp: Money | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Earnings:
        if (self.average_weekly_earnings_gbp is None) != (self.average_ref is None):
            raise ValueError("average_weekly_earnings_gbp and average_ref come together")
        if self.average_weekly_earnings_gbp is not None and self.contract_week_gbp is not None:
            raise ValueError("give average_weekly_earnings_gbp or contract_week_gbp, not both")
        return self

    def stated(self) -> usecase.Stated:
        given, week = self.average_weekly_earnings_gbp, self.contract_week_gbp
        return usecase.Stated(
            None if given is None else to_pence(given), None if week is None else to_pence(week), self.average_ref or ""
        )


class AbsenceIn(Earnings):
    """A period of sickness, both days included; as long as it lasts, put again with a later `last_on`. `qualifying_weekdays`: the days of
    the week that the worker would have worked, Monday 1 to Sunday 7. `cancelled`: it was recorded by mistake."""

    worker_id: UUID
    external_id: ExternalId | None = None
    first_on: Day
    last_on: Day
    qualifying_weekdays: Annotated[list[Annotated[int, Field(ge=1, le=7)]], Field(min_length=1, max_length=7)]
    evidence_ref: Evidence | None = None
    cancelled: bool = False

    @model_validator(mode="after")
    def _span(self) -> AbsenceIn:
        if not 0 <= (self.last_on - self.first_on).days < DAYS_MAX:
            raise ValueError("last_on is from first_on to a year after it")
        return self


class Decision(BaseModel):
    """Who decided that the worker is entitled, when, and where the evidence is filed."""

    model_config = ConfigDict(extra="forbid")

    decided_by: Name
    decided_on: Day
    evidence_ref: Evidence


class LeaveIn(Earnings):
    """Statutory family pay that a person decided on. `event_on`: the expected birth, the match or the death. `starts_on`: the first day of
    the first paid week; `first_week` counts it, for a leave in parts. SNCP needs its average given."""

    worker_id: UUID
    external_id: ExternalId | None = None
    kind: family_pay.Kind
    event_on: Day
    adoption: bool = False
    starts_on: Day
    weeks: Annotated[int, Field(ge=1, le=39)]
    first_week: Annotated[int, Field(ge=1, le=39)] = 1
    decision: Decision
    cancelled: bool = False


class WeekOut(BaseModel):
    """Statutory pay of one week. `held`: why it is in no draft; only where one record is asked for."""

    week_ending: date
    dates: list[date]
    amount_gbp: Decimal | None
    state: Literal["open", "settled"]
    payslip_id: UUID | None
    held: list[str]


class RecordOut(BaseModel):
    record_id: UUID
    worker_id: UUID
    external_id: str | None
    kind: str
    average_weekly_earnings_gbp: Decimal
    """Cut to the penny; the exact average is what is paid from."""
    average_method: str
    cancelled: bool
    weeks: list[WeekOut]
    version: int
    updated_at: datetime


class AbsenceOut(RecordOut):
    """An absence and what became of its days: counts of waiting, payable, exhausted, too_short. `linked_to`: the absence whose average
    counts. `entitled` false: average earnings are below the limit of its year."""

    first_on: date
    last_on: date
    qualifying_weekdays: list[int]
    evidence_ref: str | None
    days: dict[str, int]
    linked_to: UUID | None
    entitled: bool


class LeaveOut(RecordOut):
    event_on: date
    adoption: bool
    starts_on: date
    paid_weeks: int
    first_week: int
    decision: Decision


@router.put("/absences/{absence_id}")
async def put_absence(
    tx: TxDep, agency_id: AgencyId, absence_id: RecordId, body: AbsenceIn, principal: Principal = require("pay:write")
) -> AbsenceOut:
    """Record or replace an absence: sick pay goes on the payslips of its weeks, with waiting days and linked spells by the year's rules."""
    values = {
        "external_id": body.external_id,
        "kind": "SSP",
        "first_on": body.first_on,
        "last_on": body.last_on,
        "cancelled": body.cancelled,
        "terms": {
            "qualifying_weekdays": sorted(set(body.qualifying_weekdays)),
            "evidence_ref": body.evidence_ref,
        },
    }
    await _store(tx, agency_id, absence_id, body.worker_id, values, body, principal)
    return await _absence(tx, agency_id, absence_id)


@router.get("/absences/{absence_id}")
async def get_absence(
    tx: TxDep, agency_id: AgencyId, absence_id: RecordId, principal: Principal = require("pay:read")
) -> AbsenceOut:
    """An absence, its days and its weeks of sick pay."""
    return await _absence(tx, agency_id, absence_id)


@router.get("/absences")
async def list_absences(
    tx: TxDep,
    agency_id: AgencyId,
    worker_id: UUID | None = None,
    external_id: ExternalIdFilter = None,
    cursor: Cursor = None,
    limit: Limit = 100,
    principal: Principal = require("pay:read"),
) -> Page[AbsenceOut]:
    """Absences by id, of one worker when named."""
    rows = await _page(tx, agency_id, True, worker_id, external_id, cursor, limit)
    weeks = await _weeks(tx, agency_id, rows[:limit])
    return Page(
        items=[await _absence_out(tx, row, weeks.get(row.record_id, [])) for row in rows[:limit]],
        next_cursor=encode_cursor(rows[limit - 1].record_id) if len(rows) > limit else None,
    )


@router.put("/family-leaves/{leave_id}")
async def put_leave(
    tx: TxDep, agency_id: AgencyId, leave_id: RecordId, body: LeaveIn, principal: Principal = require("pay:write")
) -> LeaveOut:
    """Record or replace the decision on statutory family pay; each week is paid in the pay week in which it ends."""
    values = {
        "external_id": body.external_id,
        "kind": body.kind,
        "first_on": body.starts_on,
        "last_on": body.starts_on + WEEK * body.weeks - DAY,
        "cancelled": body.cancelled,
        "terms": {
            "event_on": body.event_on.isoformat(),
            "adoption": body.adoption,
            "weeks": body.weeks,
            "first_week": body.first_week,
            "decision": body.decision.model_dump(mode="json"),
        },
    }
    await _store(tx, agency_id, leave_id, body.worker_id, values, body, principal)
    return await _leave(tx, agency_id, leave_id)


@router.get("/family-leaves/{leave_id}")
async def get_leave(
    tx: TxDep, agency_id: AgencyId, leave_id: RecordId, principal: Principal = require("pay:read")
) -> LeaveOut:
    """A decision on family pay and its weeks."""
    return await _leave(tx, agency_id, leave_id)


@router.get("/family-leaves")
async def list_leaves(
    tx: TxDep,
    agency_id: AgencyId,
    worker_id: UUID | None = None,
    external_id: ExternalIdFilter = None,
    cursor: Cursor = None,
    limit: Limit = 100,
    principal: Principal = require("pay:read"),
) -> Page[LeaveOut]:
    """Decisions on family pay by id, of one worker when named."""
    rows = await _page(tx, agency_id, False, worker_id, external_id, cursor, limit)
    weeks = await _weeks(tx, agency_id, rows[:limit])
    return Page(
        items=[_leave_out(row, weeks.get(row.record_id, [])) for row in rows[:limit]],
        next_cursor=encode_cursor(rows[limit - 1].record_id) if len(rows) > limit else None,
    )


async def _store(
    tx: TxDep,
    agency_id: UUID,
    record_id: UUID,
    worker_id: UUID,
    values: dict[str, Any],
    earnings: Earnings,
    principal: Principal,
) -> None:
    try:
        await usecase.store(
            tx,
            agency_id=agency_id,
            record_id=record_id,
            worker_id=worker_id,
            values=values,
            stated=earnings.stated(),
            by=principal.subject,
        )
    except usecase.RecordOfAnotherWorker as error:
        raise conflict("record_of_another_worker", f"{error}.") from error
    except usecase.ExternalIdTaken as error:
        raise conflict("external_id_taken", f"{error}.") from error
    except usecase.Overlaps as error:
        raise conflict("absences_overlap", f"{error}.") from error
    except usecase.AlreadyPaid as error:
        raise conflict("statutory_pay_already_paid", f"{error}: correct it on a later payslip.") from error
    except EngineError as error:
        raise invalid(error.code, error.message, pointer=f"#/{error.field or ''}".rstrip("/")) from error


async def _page(
    tx: TxDep,
    agency_id: UUID,
    sick: bool,
    worker_id: UUID | None,
    external_id: str | None,
    cursor: str | None,
    limit: int,
) -> list[Any]:
    return await statutory.records.page(
        tx,
        agency_id=agency_id,
        kinds=("SSP",) if sick else FAMILY_KINDS,
        worker_id=worker_id,
        external_id=external_id,
        after=after_id(cursor),
        most=limit + 1,
    )


async def _absence(tx: TxDep, agency_id: UUID, record_id: UUID) -> AbsenceOut:
    row = await statutory.records.one(tx, agency_id=agency_id, record_id=record_id)
    if row is None or row.kind != "SSP":
        raise not_found("absence", record_id)
    return await _absence_out(tx, row, await _one_records_weeks(tx, agency_id, row))


async def _leave(tx: TxDep, agency_id: UUID, record_id: UUID) -> LeaveOut:
    row = await statutory.records.one(tx, agency_id=agency_id, record_id=record_id)
    if row is None or row.kind == "SSP":
        raise not_found("family_leave", record_id)
    return _leave_out(row, await _one_records_weeks(tx, agency_id, row))


async def _one_records_weeks(tx: TxDep, agency_id: UUID, row: Any) -> list[WeekOut]:
    held = await usecase.held_weeks(tx, agency_id=agency_id, worker_id=row.worker_id)
    weeks = (await _weeks(tx, agency_id, [row])).get(row.record_id, [])
    return [
        week.model_copy(update={"held": held.get((str(row.record_id), week.dates[0]), [])})
        if week.state == "open"
        else week
        for week in weeks
    ]


async def _weeks(tx: TxDep, agency_id: UUID, rows: Sequence[Any]) -> dict[UUID, list[WeekOut]]:
    found: dict[UUID, list[WeekOut]] = {}
    for row in await statutory.records.weeks(tx, agency_id=agency_id, records=[each.record_id for each in rows]):
        week = statutory.week_of(row)
        found.setdefault(row.record_id, []).append(
            WeekOut(
                week_ending=row.week_ending,
                dates=list(week.dates),
                amount_gbp=_amount(week),
                state=row.state,
                payslip_id=row.payslip_id,
                held=[],
            )
        )
    return found


def _amount(week: StatutoryPay) -> Decimal | None:
    """The week's pay; None for a year whose figures are not published."""
    try:
        return from_pence(week.amount(year_book()))
    except EngineError:
        return None


async def _absence_out(tx: TxDep, row: Any, weeks: list[WeekOut]) -> AbsenceOut:
    terms = load_json(row.terms)
    spell = None if row.cancelled else await _sickness(tx, row)
    linked = None if spell is None else UUID(spell.average_of.absence_id)
    return AbsenceOut(
        **_common(row),
        weeks=weeks,
        first_on=row.first_on,
        last_on=row.last_on,
        qualifying_weekdays=terms["qualifying_weekdays"],
        evidence_ref=terms["evidence_ref"],
        days={} if spell is None else dict(Counter(day.treatment for day in spell.days)),
        linked_to=None if linked == row.record_id else linked,
        entitled=spell is not None and spell.entitled,
    )


async def _sickness(tx: TxDep, row: Any) -> Sickness:
    """The absence among all of its worker's."""
    rows = await statutory.records.of_worker(tx, agency_id=row.agency_id, worker_id=row.worker_id)
    absences = [usecase.absence_of(each) for each in rows if each.kind == "SSP"]
    return next(spell for spell in sickness(absences, year_book()) if spell.absence.absence_id == str(row.record_id))


def _leave_out(row: Any, weeks: list[WeekOut]) -> LeaveOut:
    terms = load_json(row.terms)
    return LeaveOut(
        **_common(row),
        weeks=weeks,
        event_on=terms["event_on"],
        adoption=terms["adoption"],
        starts_on=row.first_on,
        paid_weeks=terms["weeks"],
        first_week=terms["first_week"],
        decision=terms["decision"],
    )


def _common(row: Any) -> dict[str, Any]:
    average = AverageEarnings(row.average_pence, row.average_divisor, None, None, row.average_method)
    return {
        "record_id": row.record_id,
        "worker_id": row.worker_id,
        "external_id": row.external_id,
        "kind": row.kind,
        "average_weekly_earnings_gbp": from_pence(average.shown_pence),
        "average_method": row.average_method,
        "cancelled": row.cancelled,
        "version": row.version,
        "updated_at": row.updated_at,
    }
