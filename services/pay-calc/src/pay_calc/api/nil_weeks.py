"""Weeks without pay for which a worker applied for a refund of tax: without an application no payslip is made for such a week."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, StringConstraints

from pay_calc.api.access import FIRST_DAY, LAST_DAY, AgencyId, Day, plain, require_sunday
from pay_calc.store import nil_weeks
from pay_calc.usecases import nil_weeks as usecase
from paybill_common.auth import Principal
from paybill_common.http.problems import ERROR_RESPONSES, conflict, invalid
from paybill_common.http.route import TxDep, TxRoute, require
from paybill_common.money import from_pence

router = APIRouter(
    prefix="/v1/agencies/{agency_id}", route_class=TxRoute, responses=ERROR_RESPONSES, tags=["weeks without pay"]
)
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Sunday = Annotated[date, Path(ge=FIRST_DAY, le=LAST_DAY, description="The Sunday that ends the week")]


class NilWeekIn(BaseModel):
    """A worker's application, on paper or by message: `document_ref` says where it is filed. `trade_dispute`: the worker is out of work
    through one, and nothing may be given back (PAYE Regulations 2003 reg. 64). `withdrawn`: the worker took it back."""

    model_config = ConfigDict(extra="forbid")

    applied_on: Day
    trade_dispute: bool
    document_ref: Words | None = None
    withdrawn: bool = False


class NilWeekOut(BaseModel):
    """An application and the payslip of its week. `tax_gbp` negative: tax given back. Without a payslip there is nothing to give back, the
    week has pay that waits, or the worker's profile lacks something."""

    worker_id: UUID
    week_ending: date
    applied_on: date
    document_ref: str | None
    withdrawn: bool
    payslip_id: UUID | None
    payslip_state: Literal["draft", "finalised"] | None
    tax_gbp: Decimal | None
    version: int
    updated_at: datetime
    updated_by: str


class NilWeeksOut(BaseModel):
    worker_id: UUID
    weeks: list[NilWeekOut]


@router.put("/nil-weeks/{worker_id}/{week_ending}")
async def put_nil_week(
    tx: TxDep,
    agency_id: AgencyId,
    worker_id: UUID,
    week_ending: Sunday,
    body: NilWeekIn,
    principal: Principal = require("pay:write"),
) -> NilWeekOut:
    """Record an application: while the week stays without pay, its payslip gives back the tax that the year so far overpaid."""
    require_sunday(week_ending, "path:/week_ending")
    if body.trade_dispute and not body.withdrawn:
        raise invalid(
            "no_refund_in_trade_dispute",
            "No tax is given back to a worker who is out of work through a trade dispute.",
            pointer="/trade_dispute",
            hint="Record the application when the dispute has ended, for a week after it.",
        )
    try:
        await usecase.store_application(
            tx,
            agency_id=agency_id,
            worker_id=worker_id,
            week_ending=week_ending,
            applied_on=body.applied_on,
            document_ref=body.document_ref,
            withdrawn=body.withdrawn,
            by=principal.subject,
        )
    except usecase.WeekClosed as error:
        raise conflict(
            "week_closed", f"{error}: its tax comes back with the next pay, or apply for a week that is open."
        ) from error
    rows = await nil_weeks.of_worker(tx, agency_id=agency_id, worker_id=worker_id)
    return next(_out(row) for row in rows if row.week_ending == week_ending)


@router.get("/nil-weeks/{worker_id}")
async def get_nil_weeks(
    tx: TxDep, agency_id: AgencyId, worker_id: UUID, principal: Principal = require("pay:read")
) -> NilWeeksOut:
    """A worker's applications, all of them, the latest week first."""
    rows = await nil_weeks.of_worker(tx, agency_id=agency_id, worker_id=worker_id)
    return NilWeeksOut(worker_id=worker_id, weeks=[_out(row) for row in rows])


def _out(row: Any) -> NilWeekOut:
    values = {name: value for name, value in plain(row).items() if name in NilWeekOut.model_fields}
    return NilWeekOut(**values, tax_gbp=None if row.tax_pence is None else from_pence(row.tax_pence))
