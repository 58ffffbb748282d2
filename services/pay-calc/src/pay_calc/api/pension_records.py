"""What happened to a worker's workplace pension: enrolment, postponement, opting in and out, as persons' recorded acts."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, StringConstraints, model_validator

from pay_calc.api.access import AgencyId, Day, plain
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.pension_assessment import postpone
from pay_calc.store import pension_records
from pay_calc.usecases import pension_records as usecase
from paybill_common.auth import Principal
from paybill_common.http.problems import ERROR_RESPONSES, conflict, not_found
from paybill_common.http.route import TxDep, TxRoute, require
from paybill_common.money import from_pence

router = APIRouter(
    prefix="/v1/agencies/{agency_id}", route_class=TxRoute, responses=ERROR_RESPONSES, tags=["pension records"]
)
Words = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]


class PensionRecordIn(BaseModel):
    """A whole record replaces the one before. Contributions follow the terms on the pay profile, from the week in which membership starts
    (`member_since`) until the first payday on or after it ended (`opted_out_on` within the window, `ceased_on` at any other time); a
    later `member_since` is a new membership. `information_given_on`: the enrolment information, which opens the opt-out window.
    `postponed_*`: at most three months, with notice within six weeks. `opt_in_from` and `join_from`: the day a notice takes effect.
    `informed_on`: the worker was written to about the right to opt in or join. `exempt_reason`: why the duty does not bite."""

    model_config = ConfigDict(extra="forbid")

    member_since: Day | None = None
    information_given_on: Day | None = None
    postponed_from: Day | None = None
    postponed_to: Day | None = None
    postponed_notice_on: Day | None = None
    opted_out_on: Day | None = None
    ceased_on: Day | None = None
    opt_in_from: Day | None = None
    join_from: Day | None = None
    informed_on: Day | None = None
    exempt_reason: Words = ""
    document_ref: Words | None = None

    @model_validator(mode="after")
    def _lawful(self) -> PensionRecordIn:
        start, end, notice = self.postponed_from, self.postponed_to, self.postponed_notice_on
        if (start is None) != (end is None) or (start is None) != (notice is None):
            raise ValueError("postponed_from, postponed_to and postponed_notice_on come together")
        if start is not None and end is not None and notice is not None:
            try:
                postpone(start, end, notice)
            except EngineError as error:
                raise ValueError(error.message) from error
        if self.opted_out_on is not None and self.member_since is None:
            raise ValueError("opted_out_on needs member_since: nobody opts out of what never began")
        return self


class RefundOut(BaseModel):
    """What a valid opt-out gives back of final payslips. `taxable_gbp` and `niable_gbp`: how much of it enters pay when it is given back.
    The next payslip gives it back, made for it if there are no hours; `given_back_gbp`: what of it final payslips have, the last on
    `given_back_on`."""

    worker_gbp: Decimal
    employer_gbp: Decimal
    taxable_gbp: Decimal
    niable_gbp: Decimal
    due_by: date
    given_back_gbp: Decimal
    given_back_on: date | None


class PensionRecordOut(PensionRecordIn):
    """A record as it stands. `refund` null: nobody opted out, or `no_refund` says why there is none."""

    worker_id: UUID
    refund: RefundOut | None
    no_refund: str | None
    version: int
    updated_at: datetime
    updated_by: str


@router.put("/pension-records/{worker_id}")
async def put_pension_record(
    tx: TxDep, agency_id: AgencyId, worker_id: UUID, body: PensionRecordIn, principal: Principal = require("pay:write")
) -> PensionRecordOut:
    """Record a worker's enrolment, postponement, notice or opt-out; the worker's drafts are worked again."""
    try:
        await usecase.store_record(
            tx, agency_id=agency_id, worker_id=worker_id, values=body.model_dump(), by=principal.subject
        )
    except usecase.RefundOwed as error:
        raise conflict(
            "refund_not_given_back", f"{error}: record the new membership after the pay run that gives it back."
        ) from error
    return await _out(tx, agency_id, worker_id)


@router.get("/pension-records/{worker_id}")
async def get_pension_record(
    tx: TxDep, agency_id: AgencyId, worker_id: UUID, principal: Principal = require("pay:read")
) -> PensionRecordOut:
    """A worker's pension record, and the refund of an opt-out."""
    return await _out(tx, agency_id, worker_id)


async def _out(tx: TxDep, agency_id: UUID, worker_id: UUID) -> PensionRecordOut:
    row = await pension_records.one(tx, agency_id=agency_id, worker_id=worker_id)
    if row is None:
        raise not_found("pension_record", worker_id)
    found = await usecase.refund(tx, agency_id=agency_id, worker_id=worker_id, record=pension_records.record_of(row))
    refund: dict[str, Any] | None = None
    if found is not None and not isinstance(found, EngineError):
        refund = {
            "worker_gbp": from_pence(found.due.worker_pence),
            "employer_gbp": from_pence(found.due.employer_pence),
            "taxable_gbp": from_pence(found.due.taxable_pence),
            "niable_gbp": from_pence(found.due.niable_pence),
            "due_by": found.due.due_by,
            "given_back_gbp": from_pence(found.given_back_pence),
            "given_back_on": found.given_back_on,
        }
    values = {name: value for name, value in plain(row).items() if name in PensionRecordOut.model_fields}
    return PensionRecordOut(
        **values, refund=refund, no_refund=found.message if isinstance(found, EngineError) else None
    )
