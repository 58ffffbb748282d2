"""The working weeks of workers with regular hours, whose leave is 5.6 weeks a year instead of a share of the hours worked."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from pay_calc.api.access import FIRST_DAY, LAST_DAY, AgencyId, Day, plain
from pay_calc.store import working_weeks
from pay_calc.usecases.working_weeks import LeaveYearsDiffer, store_week
from paybill_common.auth import Principal
from paybill_common.http.problems import ERROR_RESPONSES, conflict, invalid
from paybill_common.http.route import TxDep, TxRoute, require

router = APIRouter(prefix="/v1/agencies/{agency_id}", route_class=TxRoute, responses=ERROR_RESPONSES, tags=["leave"])
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
DAY_MINUTES = 24 * 60
FromOn = Annotated[date, Path(ge=FIRST_DAY, le=LAST_DAY, description="The first day on which the week holds")]


class WorkingWeekIn(BaseModel):
    """Days and minutes of a week by the contract that `contract_ref` names; noughts from the day on which hours are regular no more, or the
    employment is over. `employed_from`: when the employment began, if before its first such week. `leave_year_from`: any first day of a
    leave year by agreement, the same in each week that names one; else it begins with the employment. `withdrawn`: recorded by mistake."""

    model_config = ConfigDict(extra="forbid")

    days_a_week: Annotated[Decimal, Field(ge=0, le=7, decimal_places=1)]
    week_minutes: Annotated[int, Field(ge=0, le=7 * DAY_MINUTES)]
    employed_from: Day | None = None
    leave_year_from: Day | None = None
    contract_ref: Words
    withdrawn: bool = False

    @model_validator(mode="after")
    def _whole(self) -> WorkingWeekIn:
        if (self.days_a_week == 0) != (self.week_minutes == 0):
            raise ValueError("days_a_week and week_minutes are both above nought, or both nought")
        if self.week_minutes > self.days_a_week * DAY_MINUTES:
            raise ValueError("week_minutes is more than these days have")
        return self


class WorkingWeekOut(BaseModel):
    worker_id: UUID
    from_on: date
    days_a_week: Decimal
    week_minutes: int
    employed_from: date | None
    leave_year_from: date | None
    contract_ref: str
    withdrawn: bool
    version: int
    updated_at: datetime
    updated_by: str


class WorkingWeeksOut(BaseModel):
    worker_id: UUID
    weeks: list[WorkingWeekOut]


@router.put("/working-weeks/{worker_id}/{from_on}")
async def put_working_week(
    tx: TxDep,
    agency_id: AgencyId,
    worker_id: UUID,
    from_on: FromOn,
    body: WorkingWeekIn,
    principal: Principal = require("pay:write"),
) -> WorkingWeekOut:
    """Record a working week: each payslip brings the ledger up to the leave that the leave year gives by then. The first one begins on the
    first day of the employment, unless `employed_from` says otherwise."""
    if body.employed_from is not None and body.employed_from > from_on:
        raise invalid(
            "employed_after_week",
            f"The employment began on {body.employed_from}, after the week's first day.",
            pointer="#/employed_from",
        )
    try:
        await store_week(
            tx,
            agency_id=agency_id,
            worker_id=worker_id,
            from_on=from_on,
            days_a_week=body.days_a_week,
            week_minutes=body.week_minutes,
            employed_from=body.employed_from,
            leave_year_from=body.leave_year_from,
            contract_ref=body.contract_ref,
            withdrawn=body.withdrawn,
            by=principal.subject,
        )
    except LeaveYearsDiffer as error:
        raise conflict(
            "leave_years_differ",
            f"{error}.",
            hint="Keep the leave year by leave_year_from, and bring what an agreement moves into the ledger, or let it lapse, by an entry.",
        ) from error
    rows = await working_weeks.of_worker(tx, agency_id=agency_id, worker_id=worker_id)
    return next(_out(row) for row in rows if row.from_on == from_on)


@router.get("/working-weeks/{worker_id}")
async def get_working_weeks(
    tx: TxDep, agency_id: AgencyId, worker_id: UUID, principal: Principal = require("pay:read")
) -> WorkingWeeksOut:
    """A worker's working weeks, all of them, the latest first."""
    rows = await working_weeks.of_worker(tx, agency_id=agency_id, worker_id=worker_id)
    return WorkingWeeksOut(worker_id=worker_id, weeks=[_out(row) for row in rows])


def _out(row: Any) -> WorkingWeekOut:
    return WorkingWeekOut(**{name: value for name, value in plain(row).items() if name in WorkingWeekOut.model_fields})
