"""What if: a week, a run or a slip with another code, rate, number of hours, pension or tax year. Nothing is stored or told."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from pay_calc.api.access import AgencyId, Day, check_agency, read_tx, require_sunday, worker_names
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.pay_dates import period_to_of
from pay_calc.domain.what_if import KEEP, Changes, HoursChange, RateChange
from pay_calc.store import runs, slips
from pay_calc.usecases.what_if import Answer, Scope, Selection, Summary, Supposed, Worked, what_if
from paybill_common.auth import Principal
from paybill_common.db import Tx
from paybill_common.http.paging import Cursor, Limit, decode_cursor, encode_cursor
from paybill_common.http.problems import ERROR_RESPONSES, invalid, not_found
from paybill_common.http.route import require
from paybill_common.labels import labels_of
from paybill_common.money import from_pence, to_pence

router = APIRouter(prefix="/v1/agencies/{agency_id}", responses=ERROR_RESPONSES, tags=["what if"])
"""Without the route that keeps answers by Idempotency-Key: a supposition leaves no row, and its transaction is read-only."""

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40)]
Rate = Annotated[Decimal, Field(ge=0, le=100_000, decimal_places=4)]
Percent = Annotated[Decimal, Field(ge=0, le=100, decimal_places=2)]
Ids = Annotated[list[UUID], Field(min_length=1, max_length=1000)]
Order = Annotated[
    Literal["worker", "difference"],
    Query(description="worker: pages. difference: one page, refused ones first, then the largest change of net pay"),
]


async def _reader(agency_id: AgencyId, principal: Principal = require("pay:read")) -> Principal:
    """Who asks, refused before the body is looked at."""
    check_agency(principal, agency_id)
    return principal


Reader = Annotated[Principal, Depends(_reader)]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PensionIn(_In):
    """An active membership. `sacrifice_gbp` only, and always, on the basis salary_sacrifice."""

    basis: Literal["net_pay", "ras", "salary_sacrifice"]
    employee_pct: Percent = Decimal(0)
    employer_pct: Percent = Decimal(0)
    earnings: Literal["qualifying", "basic_pay", "all_earnings"] = "qualifying"
    sacrifice_gbp: Annotated[Decimal, Field(ge=0, le=100_000, decimal_places=2)] = Decimal(0)

    def terms(self) -> dict[str, Any]:
        return {
            "basis": self.basis,
            "employee_bp": int(self.employee_pct * 100),
            "employer_bp": int(self.employer_pct * 100),
            "earnings": self.earnings,
            "sacrifice_pence": to_pence(self.sacrifice_gbp),
        }


class RateIn(_In):
    """One of: the rate itself, or an uplift of the old one in per cent or pounds. Of all lines for work, or of a placement's or rate
    code's; an allowance only when its rate code is named. Expenses and corrections never change."""

    rate_gbp: Rate | None = None
    uplift_pct: Annotated[Decimal, Field(ge=-100, le=1000, decimal_places=2)] | None = None
    uplift_gbp: Annotated[Decimal, Field(ge=-100_000, le=100_000, decimal_places=4)] | None = None
    placement_id: UUID | None = None
    rate_code: Text | None = None


class HoursIn(_In):
    """One of: every line's hours (or units) at a per cent of what they are, or minutes added to the worker's longest matching line."""

    scale_pct: Annotated[Decimal, Field(ge=0, le=1000, decimal_places=2)] | None = None
    add_minutes: Annotated[int, Field(ge=-10_080, le=10_080)] | None = None
    placement_id: UUID | None = None
    rate_code: Text | None = None


class ChangesIn(_In):
    """What is to be otherwise; what is left out stays. `student_loan_plan` or `pension` null: none. `tax_year`: the same tax week under
    that year's figures."""

    tax_code: Text | None = None
    ni_letter: Text | None = None
    student_loan_plan: Literal["1", "2", "4", "5"] | None = None
    postgrad_loan: bool | None = None
    pension: PensionIn | None = None
    levy_payer: bool | None = None
    tax_year: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}$")] | None = None
    rates: Annotated[list[RateIn], Field(max_length=50)] = []
    hours: Annotated[list[HoursIn], Field(max_length=50)] = []

    def changes(self) -> Changes:
        return Changes(
            tax_code=self.tax_code,
            ni_letter=self.ni_letter,
            student_loan_plan=self.student_loan_plan if "student_loan_plan" in self.model_fields_set else KEEP,
            postgrad_loan=self.postgrad_loan,
            pension=KEEP
            if "pension" not in self.model_fields_set
            else None
            if self.pension is None
            else self.pension.terms(),
            levy_payer=self.levy_payer,
            tax_year=self.tax_year,
            rates=tuple(RateChange(**_text_ids(one)) for one in self.rates),
            hours=tuple(HoursChange(**_text_ids(one)) for one in self.hours),
        )


class SelectIn(_In):
    """Whose slips, all when left out. With placements or clients a slip counts when it has a line of theirs, rates and hours change on
    those lines alone, and what is the worker's (code, pension, year) changes for the whole slip."""

    workers: Ids | None = None
    placements: Ids | None = None
    clients: Ids | None = None

    def selection(self) -> Selection:
        return Selection(
            workers=None if self.workers is None else frozenset(self.workers),
            placements=None if self.placements is None else frozenset(map(str, self.placements)),
            clients=None if self.clients is None else frozenset(map(str, self.clients)),
        )


class WhatIfIn(_In):
    changes: ChangesIn
    select: SelectIn = SelectIn()


class WeekWhatIfIn(WhatIfIn):
    week_ending: Day


class SumsOut(BaseModel):
    """`figures` in pounds, by the names of a payslip's."""

    minutes: int
    figures: dict[str, Decimal]


class RefusedOut(BaseModel):
    """Why this slip cannot be worked out so. `field` as the engine names it, null for the whole slip."""

    code: str
    message: str
    field: str | None


class QuantityOut(BaseModel):
    """A charge line whose hours or units change: what they become."""

    timesheet_id: UUID
    version: int
    charge_line_id: UUID
    minutes: int
    units: Decimal | None


class SlipOut(BaseModel):
    """A slip before and after. refused: `error`, and no `after`. held: nothing is payable now, so neither. `held`: codes of
    what waits on it."""

    payslip_id: UUID
    worker_id: UUID
    worker: str | None
    worker_reference: str | None
    pay_basis: Literal["paye", "umbrella", "limited", "cis"]
    state: Literal["draft", "finalised"]
    outcome: Literal["changed", "unchanged", "refused", "held"]
    before: SumsOut | None
    after: SumsOut | None
    error: RefusedOut | None
    held: list[str]
    quantities: list[QuantityOut]


class ClientOut(BaseModel):
    """A client's part of the slips that worked both ways. Cost is shared out over a slip's timesheets by pay."""

    client_id: UUID
    client: str | None
    slips: int
    minutes_before: int
    minutes_after: int
    pay_before_gbp: Decimal
    pay_after_gbp: Decimal
    cost_before_gbp: Decimal
    cost_after_gbp: Decimal


class SummaryOut(BaseModel):
    """Of all slips asked for. `before`, `after` and `clients` sum those that worked both ways. `untaken`: pointers of changes that touched
    nothing, such as a rate code that no line has."""

    changed: int
    unchanged: int
    refused: int
    held: int
    before: SumsOut
    after: SumsOut
    clients: list[ClientOut]
    untaken: list[str]


class WhatIfOut(BaseModel):
    """A page of slips. `summary` comes with the first page and is null on later ones; a page may be short of `limit` before the last."""

    items: list[SlipOut]
    next_cursor: str | None
    summary: SummaryOut | None


@router.post("/pay-runs/what-if")
async def week_what_if(
    request: Request,
    agency_id: AgencyId,
    principal: Reader,
    body: WeekWhatIfIn,
    order: Order = "worker",
    cursor: Cursor = None,
    limit: Limit = 100,
) -> WhatIfOut:
    """A week, open or closed, with something changed: drafts from the facts of now, final slips from their stored inputs."""
    require_sunday(body.week_ending, "#/week_ending")
    scope = Scope(period_to=period_to_of(body.week_ending))
    async with read_tx(request, agency_id) as tx:
        return await _answer(tx, agency_id, scope, body, order, cursor, limit)


@router.post("/pay-runs/{pay_run_id}/what-if")
async def run_what_if(
    request: Request,
    agency_id: AgencyId,
    pay_run_id: UUID,
    principal: Reader,
    body: WhatIfIn,
    order: Order = "worker",
    cursor: Cursor = None,
    limit: Limit = 100,
) -> WhatIfOut:
    """What a pay run has finalised, with something changed."""
    async with read_tx(request, agency_id) as tx:
        if await runs.by_id(tx, agency_id=agency_id, pay_run_id=pay_run_id) is None:
            raise not_found("pay_run", pay_run_id)
        return await _answer(tx, agency_id, Scope(pay_run_id=pay_run_id), body, order, cursor, limit)


@router.post("/payslips/{payslip_id}/what-if")
async def payslip_what_if(
    request: Request,
    agency_id: AgencyId,
    payslip_id: UUID,
    body: WhatIfIn,
    principal: Reader,
) -> WhatIfOut:
    """One slip with something changed."""
    async with read_tx(request, agency_id) as tx:
        if await slips.one(tx, agency_id=agency_id, payslip_id=payslip_id) is None:
            raise not_found("payslip", payslip_id)
        return await _answer(tx, agency_id, Scope(payslip_id=payslip_id), body, "worker", None, 1)


async def _answer(
    tx: Tx,
    agency_id: UUID,
    scope: Scope,
    body: WhatIfIn,
    order: Literal["worker", "difference"],
    cursor: str | None,
    limit: int,
) -> WhatIfOut:
    if cursor is not None and order == "difference":
        raise invalid("no_pages", "The order difference has one page; use limit.", pointer="query:/cursor")
    parts = decode_cursor(cursor, parts=2)
    try:
        after = None if parts is None else (UUID(parts[0]), UUID(parts[1]))
    except ValueError as error:
        raise invalid("bad_cursor", "The cursor is not one that this list gave.", pointer="query:/cursor") from error
    try:
        found = await what_if(
            tx,
            agency_id=agency_id,
            scope=scope,
            changes=body.changes.changes(),
            selection=body.select.selection(),
            order=order,
            after=after,
            most=limit,
        )
    except EngineError as error:
        raise invalid(error.code, error.message, pointer=_pointer(error.field)) from error
    return await _out(tx, agency_id, found)


async def _out(tx: Tx, agency_id: UUID, found: Answer) -> WhatIfOut:
    workers = await worker_names(tx, agency_id=agency_id, workers=[slip.worker_id for slip in found.slips])
    summary = None
    if found.summary is not None:
        names = await labels_of(tx, kind="client", ids=[UUID(client) for client in found.summary.clients])
        summary = _summary(found.summary, found.untaken, names)
    return WhatIfOut(
        items=[_slip(slip, workers) for slip in found.slips],
        next_cursor=None if found.more is None else encode_cursor(*found.more),
        summary=summary,
    )


def _slip(slip: Supposed, workers: dict[UUID, tuple[str | None, str | None]]) -> SlipOut:
    reference, name = workers.get(slip.worker_id, (None, None))
    error = slip.error
    return SlipOut(
        payslip_id=slip.payslip_id,
        worker_id=slip.worker_id,
        worker=name,
        worker_reference=reference,
        pay_basis=slip.pay_basis,
        state=slip.state,
        outcome=slip.outcome,
        before=_sums(slip.before),
        after=_sums(slip.after),
        error=None if error is None else RefusedOut(code=error.code, message=error.message, field=error.field),
        held=list(slip.held),
        quantities=[QuantityOut.model_validate(one, from_attributes=True) for one in slip.quantities],
    )


def _sums(worked: Worked | None) -> SumsOut | None:
    return None if worked is None else SumsOut(minutes=worked.minutes, figures=_pounds(worked.figures))


def _summary(found: Summary, untaken: list[str], names: dict[UUID, str]) -> SummaryOut:
    clients = [
        ClientOut(
            client_id=UUID(client_id),
            client=names.get(UUID(client_id)),
            slips=client.slips,
            minutes_before=client.minutes[0],
            minutes_after=client.minutes[1],
            pay_before_gbp=from_pence(client.pay[0]),
            pay_after_gbp=from_pence(client.pay[1]),
            cost_before_gbp=from_pence(client.cost[0]),
            cost_after_gbp=from_pence(client.cost[1]),
        )
        for client_id, client in sorted(found.clients.items())
    ]
    return SummaryOut(
        **found.outcomes,
        before=SumsOut(minutes=found.minutes[0], figures=_pounds(found.before)),
        after=SumsOut(minutes=found.minutes[1], figures=_pounds(found.after)),
        clients=clients,
        untaken=[_pointer(name) for name in untaken],
    )


def _pounds(pence: Any) -> dict[str, Decimal]:
    return {name.removesuffix("_pence") + "_gbp": from_pence(value) for name, value in pence.items()}


def _pointer(field: str | None) -> str:
    """`#/changes/rates/1/uplift_gbp` of the engine's `rates[1].uplift_gbp`."""
    return "#/changes" + ("" if field is None else "/" + re.sub(r"\[(\d+)\]", r"/\1", field).replace(".", "/"))


def _text_ids(one: RateIn | HoursIn) -> dict[str, Any]:
    values = one.model_dump()
    return values | {"placement_id": None if one.placement_id is None else str(one.placement_id)}
