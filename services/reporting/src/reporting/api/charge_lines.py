"""Charge lines as JSON: hours, rates and amounts of approved timesheets, with the client that is charged."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from paybill_common.auth import Principal
from paybill_common.http.problems import ERROR_RESPONSES
from paybill_common.http.route import TxDep, TxRoute, require
from reporting.store import charge_lines

router = APIRouter(
    prefix="/v1/agencies/{agency_id}", route_class=TxRoute, responses=ERROR_RESPONSES, tags=["read models"]
)


class ChargeLineOut(BaseModel):
    """One approved charge line. Hour lines: charge = minutes x charge rate / 60, half up to the penny; others: units x charge rate."""

    model_config = ConfigDict(from_attributes=True)

    timesheet_id: UUID
    version: int
    charge_line_id: UUID
    client_id: UUID | None
    kind: str
    element: str
    rate_code: str
    rate_unit: Literal["hour", "day", "each"]
    minutes: int
    units: Decimal | None
    pay_rate: Decimal
    charge_rate: Decimal
    pay_gbp: Decimal
    charge_gbp: Decimal
    payable: bool
    billable: bool


@router.get("/charge-lines")
async def list_charge_lines(
    agency_id: UUID,
    tx: TxDep,
    timesheet_id: Annotated[list[UUID], Query(min_length=1, max_length=100, description="Up to 100 timesheets")],
    principal: Principal = require("read"),
) -> list[ChargeLineOut]:
    """The charge lines of every approved version of these timesheets."""
    found = await charge_lines.of_timesheets(tx, agency_id=agency_id, timesheets=timesheet_id)
    return [ChargeLineOut.model_validate(row) for row in found]
