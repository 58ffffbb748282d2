"""Advances, overpayments and deductions that a worker agreed to, taken from net pay after everything that the law puts first."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from pay_calc.api.access import AgencyId, Day, ExternalId, ExternalIdFilter, Money, after_id, plain
from pay_calc.domain.engine.deductions import DeductionKind
from pay_calc.store import standing
from pay_calc.usecases import standing as usecase
from paybill_common.auth import Principal
from paybill_common.http.paging import Cursor, Limit, Page, encode_cursor
from paybill_common.http.problems import ERROR_RESPONSES, conflict, not_found
from paybill_common.http.route import TxDep, TxRoute, require
from paybill_common.money import from_pence, to_pence

router = APIRouter(
    prefix="/v1/agencies/{agency_id}", route_class=TxRoute, responses=ERROR_RESPONSES, tags=["net deductions"]
)

Reference = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)]
DeductionId = Annotated[UUID, Path(description="The caller's own new UUID, or a known deduction's")]


class DeductionIn(BaseModel):
    """What is to be taken from net pay. A whole deduction replaces the one before.

    `kind`: advance, wages paid early; overpayment, wages paid by mistake; agreed, for the agency's own use or benefit, taken only so far
    as pay stays at the minimum wage; agreed_for_others, for a third party. Agreed ones need the worker's written consent from before
    `arose_on`, what the deduction is for. `total_gbp`: all that is to be taken, in weekly instalments; none, for agreed ones alone: an
    instalment each week until `ends_on`.
    """

    model_config = ConfigDict(extra="forbid")

    worker_id: UUID
    external_id: ExternalId | None = None
    kind: DeductionKind
    reference: Reference
    arose_on: Day
    starts_on: Day
    ends_on: Day | None = None
    instalment_gbp: Annotated[Money, Field(gt=0)]
    total_gbp: Money | None = None
    consent_ref: Reference | None = None
    consent_on: Day | None = None

    @model_validator(mode="after")
    def _whole(self) -> DeductionIn:
        if self.ends_on is not None and self.ends_on < self.starts_on:
            raise ValueError("ends_on is before starts_on")
        if self.kind in ("agreed", "agreed_for_others"):
            if self.consent_ref is None or self.consent_on is None:
                raise ValueError("consent_ref and consent_on are missing: the worker's written consent")
            if self.consent_on > self.arose_on or self.consent_on > self.starts_on:
                raise ValueError("consent_on is after arose_on or starts_on: consent comes first")
        elif self.total_gbp is None:
            raise ValueError(f"total_gbp is missing: what there is to recover of the {self.kind}")
        return self

    def stored(self) -> dict[str, Any]:
        values = self.model_dump(exclude={"worker_id", "instalment_gbp", "total_gbp"})
        values["instalment_pence"] = to_pence(self.instalment_gbp)
        values["total_pence"] = None if self.total_gbp is None else to_pence(self.total_gbp)
        return values


class DeductionOut(BaseModel):
    """A deduction and how it stands. `left_gbp` none: it has no total."""

    deduction_id: UUID
    worker_id: UUID
    external_id: str | None
    kind: str
    reference: str
    arose_on: date
    starts_on: date
    ends_on: date | None
    instalment_gbp: Decimal
    total_gbp: Decimal | None
    consent_ref: str | None
    consent_on: date | None
    deducted_gbp: Decimal
    left_gbp: Decimal | None
    version: int
    updated_at: datetime


@router.put("/net-deductions/{deduction_id}")
async def put_deduction(
    tx: TxDep,
    agency_id: AgencyId,
    deduction_id: DeductionId,
    body: DeductionIn,
    principal: Principal = require("pay:write"),
) -> DeductionOut:
    """Record or replace a deduction; the worker's drafts are worked again. Final payslips keep what they took."""
    try:
        await usecase.store_deduction(
            tx,
            agency_id=agency_id,
            deduction_id=deduction_id,
            worker_id=body.worker_id,
            values=body.stored(),
            by=principal.subject,
        )
    except usecase.RecordOfAnotherWorker as error:
        raise conflict("deduction_of_another_worker", f"{error}.") from error
    except usecase.ReferenceTaken as error:
        raise conflict("reference_taken", f"{error}.") from error
    return await _one(tx, agency_id, deduction_id)


@router.get("/net-deductions/{deduction_id}")
async def get_deduction(
    tx: TxDep, agency_id: AgencyId, deduction_id: DeductionId, principal: Principal = require("pay:read")
) -> DeductionOut:
    """A deduction and how it stands."""
    return await _one(tx, agency_id, deduction_id)


@router.get("/net-deductions")
async def list_deductions(
    tx: TxDep,
    agency_id: AgencyId,
    worker_id: UUID | None = None,
    external_id: ExternalIdFilter = None,
    cursor: Cursor = None,
    limit: Limit = 100,
    principal: Principal = require("pay:read"),
) -> Page[DeductionOut]:
    """Deductions by id, of one worker when named."""
    rows = await standing.deductions(
        tx, agency_id=agency_id, worker_id=worker_id, external_id=external_id, after=after_id(cursor), most=limit + 1
    )
    return Page(
        items=[_out(row) for row in rows[:limit]],
        next_cursor=encode_cursor(rows[limit - 1].deduction_id) if len(rows) > limit else None,
    )


async def _one(tx: TxDep, agency_id: UUID, deduction_id: UUID) -> DeductionOut:
    row = await standing.deduction(tx, agency_id=agency_id, deduction_id=deduction_id)
    if row is None:
        raise not_found("net_deduction", deduction_id)
    return _out(row)


def _out(row: Any) -> DeductionOut:
    left = standing.deduction_of(row).left_pence
    return DeductionOut(
        **plain(row),
        instalment_gbp=from_pence(row.instalment_pence),
        total_gbp=None if row.total_pence is None else from_pence(row.total_pence),
        deducted_gbp=from_pence(row.taken_pence),
        left_gbp=None if left is None else from_pence(left),
    )
