"""Payslips and self-bill amounts, drafts and final: figures, lines, document, explanation."""

from __future__ import annotations

import asyncio
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from pay_calc.api.access import (
    AgencyId,
    OptionalWeek,
    check_agency,
    payee_names,
    read_tx,
    require_sunday,
    worker_names,
)
from pay_calc.documents.render import payslip_file_name, render_payslip
from pay_calc.domain.explained import as_text, summary
from pay_calc.domain.pay_dates import period_to_of
from pay_calc.domain.slips import SlipInput
from pay_calc.store import people, slips
from pay_calc.usecases.explain import (
    NothingToExplain,
    change_reasons,
    draft_change_reason,
    explain,
    slip_input,
)
from pay_calc.usecases.payslip_document import context_of, payslip_of
from pay_calc.usecases.recalculate import work
from pay_calc.usecases.replay import load_json
from paybill_common.auth import Principal
from paybill_common.http.paging import Cursor, Limit, Page, decode_cursor, encode_cursor
from paybill_common.http.problems import ERROR_RESPONSES, conflict, invalid, not_found
from paybill_common.http.route import TxDep, TxRoute, require

PREFIX = "/v1/agencies/{agency_id}"
router = APIRouter(prefix=PREFIX, route_class=TxRoute, responses=ERROR_RESPONSES, tags=["payslips"])
own_transactions = APIRouter(prefix=PREFIX, responses=ERROR_RESPONSES, tags=["payslips"])


class HeldOut(BaseModel):
    timesheet_id: UUID
    version: int
    week_ending: date
    minutes: int
    pay_gbp: Decimal
    reasons: list[dict[str, Any]]


class LineOut(BaseModel):
    """One printed line: units of a placement, element and rate, rounded once. `correction`: takes back what was paid. Statutory and
    holiday pay have no placement."""

    placement_id: UUID | None
    placement: str | None
    week_ending: date
    element: str
    rate_code: str
    rate_unit: str
    minutes: int
    units: Decimal | None
    pay_rate: Decimal
    amount_gbp: Decimal
    correction: bool


class ChargeOut(BaseModel):
    charge_line_id: UUID
    timesheet_id: UUID
    version: int
    minutes: int
    pay_gbp: Decimal
    rounding_gbp: Decimal
    reverses: bool


class AttachmentOut(BaseModel):
    """What an attachment order took of this pay. `shortfall_gbp` is carried to the next; `left_gbp` none: the order has no total."""

    order_id: UUID
    reference: str
    kind: str
    deducted_gbp: Decimal
    shortfall_gbp: Decimal
    by_hand: bool
    left_gbp: Decimal | None


class DeductedOut(BaseModel):
    """What a deduction took of this net pay. `limited_by`: net_pay, minimum_wage or minimum_wage_not_tested, where it was less than the
    instalment. `left_gbp` none: it has no total."""

    deduction_id: UUID
    reference: str
    kind: str
    taken_gbp: Decimal
    left_gbp: Decimal | None
    limited_by: str


class PensionAssessmentOut(BaseModel):
    """The worker's category for automatic enrolment in the week, and what it asks of the agency. Null: the birth date is not known."""

    category: Literal["eligible", "non_eligible", "entitled", "none"]
    action: str
    active_on: date | None
    words: str


class LeaveBalanceOut(BaseModel):
    """The worker's accrued leave with this payslip, minutes; `left_exact_minutes` without the rounding of each week. `not_accrued`: record
    ids of absences whose leave has no average to be worked out from."""

    earned_minutes: int
    taken_minutes: int
    left_minutes: int
    left_exact_minutes: int
    not_accrued: list[UUID]


class PayslipOut(BaseModel):
    """A worker's pay for one period, basis and payee. `figures` in pounds; gross there is before expenses, as printed."""

    payslip_id: UUID
    worker_id: UUID
    worker: str | None
    worker_reference: str | None
    pay_basis: Literal["paye", "umbrella", "limited", "cis"]
    payee_id: UUID | None
    payee: str | None
    state: Literal["draft", "finalised"]
    revision: int
    week_ending: date
    period_from: date
    period_to: date
    payday_on: date
    gross_gbp: Decimal
    net_gbp: Decimal
    cost_gbp: Decimal
    minutes: int
    worked_minutes: int
    minimum_wage: str | None
    held_minutes: int
    held: list[HeldOut]
    pay_run_id: UUID | None
    finalised_at: datetime | None


class PayslipDetail(PayslipOut):
    tax_year: str | None
    tax_period: int | None
    tax_basis: str | None
    tax_code: str | None
    change_reason: str | None
    """Why the net is not that of the worker's payslip before, as printed on it; null: it is the same, or there was none."""
    ni_letter: str | None
    figures: dict[str, Decimal]
    lines: list[LineOut]
    charges: list[ChargeOut]
    attachments: list[AttachmentOut]
    deductions: list[DeductedOut]
    pension_assessment: PensionAssessmentOut | None
    leave: LeaveBalanceOut | None
    year_to_date: dict[str, Any] | None
    engine_version: str | None
    parameter_version: str | None


class StepOut(BaseModel):
    """One step: `result` in `unit`, `shown` as people read it. `operation` says how it follows from `children`: a sum takes each with its
    `sign`; `unrounded` and `rounding` are of products. `figure`: what a clerk asks about (tax, nic, pay, ...), on the lines of the payslip.
    `quiet`: says nothing to a reader."""

    figure: str | None
    rule_id: str
    engine_version: str
    parameter_version: str
    label: str
    operation: Literal["given", "sum", "product", "smallest", "largest"]
    formula: str
    inputs: dict[str, str]
    sign: Literal[-1, 0, 1]
    unit: Literal["pounds", "minutes", "hours", "units"]
    unrounded: str | None
    rounding: str | None
    rounding_words: str | None
    rounding_source: str | None
    result: str
    shown: str
    source: str
    quiet: bool
    children: list[StepOut]


class FigureOut(BaseModel):
    """What may be asked about: `summary` in a sentence or three, `words` step by step as indented lines."""

    figure: str
    label: str
    shown: str
    summary: str
    words: str


class VersionsOut(BaseModel):
    engine: str
    parameters: str


class ExplanationOut(BaseModel):
    """`tree`: net pay; the lines below it sum to it. `employer`: what the employer bears on top. `figures`: the same, each in words.
    `made_by` null: a draft. `note`: what to know before trusting the steps: the payslip's versions are not carried any more, or its
    stored result is not what they come to."""

    payslip_id: UUID
    tree: StepOut
    employer: list[StepOut]
    figures: list[FigureOut]
    worked_by: VersionsOut
    made_by: VersionsOut | None
    agrees: bool
    note: str | None
    change_reason: str | None
    inputs: dict[str, Any]


@router.get("/payslips")
async def list_payslips(
    tx: TxDep,
    agency_id: AgencyId,
    week_ending: OptionalWeek = None,
    worker_id: UUID | None = None,
    pay_run_id: UUID | None = None,
    state: Annotated[Literal["draft", "finalised"] | None, Query()] = None,
    pay_basis: Annotated[Literal["paye", "umbrella", "limited", "cis"] | None, Query()] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
    principal: Principal = require("pay:read"),
) -> Page[PayslipOut]:
    """Payslips and self-bill amounts, newest period first."""
    if week_ending is not None:
        require_sunday(week_ending, "query:/week_ending")
    parts = decode_cursor(cursor, parts=2)
    try:
        after = None if parts is None else (date.fromisoformat(parts[0]), UUID(parts[1]))
    except ValueError as error:
        raise invalid("bad_cursor", "The cursor is not one that this list gave.", pointer="query:/cursor") from error
    rows = await slips.page(
        tx,
        agency_id=agency_id,
        period_to=None if week_ending is None else period_to_of(week_ending),
        worker_id=worker_id,
        pay_run_id=pay_run_id,
        state=state,
        pay_basis=pay_basis,
        after=after,
        most=limit + 1,
    )
    shown = rows[:limit]
    workers = await worker_names(tx, agency_id=agency_id, workers=[row.worker_id for row in shown])
    payees = await payee_names(tx, payees=[row.payee_id for row in shown if row.payee_id is not None])
    return Page(
        items=[PayslipOut(**_common(row, workers, payees)) for row in shown],
        next_cursor=encode_cursor(shown[-1].period_to, shown[-1].payslip_id) if len(rows) > limit else None,
    )


@router.get("/payslips/{payslip_id}")
async def get_payslip(
    tx: TxDep, agency_id: AgencyId, payslip_id: UUID, principal: Principal = require("pay:read")
) -> PayslipDetail:
    """A payslip with its lines, charges and what is held."""
    row = await _row(tx, agency_id, payslip_id)
    workers = await worker_names(tx, agency_id=agency_id, workers=[row.worker_id])
    payees = await payee_names(tx, payees=[row.payee_id] if row.payee_id is not None else [])
    result = load_json(row.result) or {}
    inp = await slip_input(tx, agency_id=agency_id, row=row) if row.pay_basis in ("paye", "limited") else None
    lines = result.get("lines", [])
    placements = await people.placements_on_paper(
        tx, agency_id=agency_id, placements=[UUID(line["placement_id"]) for line in lines if line["placement_id"]]
    )
    to_date = load_json(row.to_date)
    return PayslipDetail(
        **_common(row, workers, payees),
        **{name: result.get(name) for name in ("tax_year", "tax_period", "tax_basis", "ni_letter")},
        tax_code=None if inp is None or inp.employee is None else inp.employee.tax_code,
        change_reason=None if inp is None or row.pay_basis != "paye" else await _change_reason(tx, agency_id, row, inp),
        figures={_gbp(name): _pounds(pence) for name, pence in result.get("figures", {}).items()},
        lines=[_line(line, placements) for line in lines],
        charges=[_charge(charge) for charge in result.get("charges", [])],
        deductions=[DeductedOut(**_in_pounds(each)) for each in result.get("deductions", [])],
        attachments=[AttachmentOut(**_in_pounds(each)) for each in result.get("attachments", [])],
        pension_assessment=result.get("pension_assessment"),
        leave=_leave(result.get("leave")),
        year_to_date=None if to_date is None else _year(to_date),
        engine_version=result.get("engine_version"),
        parameter_version=result.get("parameter_version"),
    )


@router.get("/payslips/{payslip_id}/explanation")
async def explanation(
    tx: TxDep, agency_id: AgencyId, payslip_id: UUID, principal: Principal = require("pay:read", own=True)
) -> ExplanationOut:
    """Why the payslip says what it says: the calculation again, every step shown."""
    row = await _own_row(tx, agency_id, payslip_id, principal)
    try:
        found = await explain(tx, agency_id=agency_id, row=row)
    except NothingToExplain as error:
        raise conflict("nothing_to_explain", f"{error}.") from error
    asked = (found.net, *found.net.children, *found.employer)
    return ExplanationOut(
        payslip_id=payslip_id,
        tree=StepOut.model_validate(found.net.as_json()),
        employer=[StepOut.model_validate(step.as_json()) for step in found.employer],
        figures=[
            FigureOut(
                figure=step.figure or "other",
                label=step.label,
                shown=step.shown,
                summary=summary(step),
                words=as_text(step),
            )
            for step in asked
        ],
        worked_by=VersionsOut(engine=found.worked_by.engine, parameters=found.worked_by.parameters),
        made_by=None
        if found.made_by is None
        else VersionsOut(engine=found.made_by.engine, parameters=found.made_by.parameters),
        agrees=found.agrees,
        note=found.note,
        change_reason=None if row.pay_basis != "paye" else await _change_reason(tx, agency_id, row, found.inp),
        inputs=found.inp.as_json(),
    )


@own_transactions.get(
    "/payslips/{payslip_id}/pdf",
    response_class=Response,
    responses={200: {"content": {"application/pdf": {}}, "description": "The payslip"}},
)
async def pdf(
    request: Request, agency_id: AgencyId, payslip_id: UUID, principal: Principal = require("pay:read", own=True)
) -> Response:
    """The payslip as PDF; final PAYE payslips only (a self-bill's document comes from invoicing)."""
    check_agency(principal, agency_id)
    async with read_tx(request, agency_id) as tx:
        row = await _own_row(tx, agency_id, payslip_id, principal)
        if row.state != "finalised" or row.pay_basis != "paye":
            raise conflict(
                "no_payslip_document",
                f"{payslip_id} is a {row.state} {row.pay_basis} slip; only final PAYE payslips have a document here.",
            )
        context = await context_of(tx, agency_id=agency_id, rows=[row])
    payslip = payslip_of(row, context)
    content = await asyncio.to_thread(render_payslip, payslip)
    name = payslip_file_name(payslip)
    return Response(
        content, media_type="application/pdf", headers={"Content-Disposition": f'inline; filename="{name}"'}
    )


async def _change_reason(tx: Any, agency_id: UUID, row: Any, inp: SlipInput) -> str | None:
    if row.state == "finalised":
        return (await change_reasons(tx, agency_id=agency_id, rows=[row])).get(row.payslip_id)
    return await draft_change_reason(tx, agency_id=agency_id, row=row, inp=inp, result=work(inp))


async def _row(tx: Any, agency_id: UUID, payslip_id: UUID) -> Any:
    row = await slips.one(tx, agency_id=agency_id, payslip_id=payslip_id)
    if row is None:
        raise not_found("payslip", payslip_id)
    return row


async def _own_row(tx: Any, agency_id: UUID, payslip_id: UUID, principal: Principal) -> Any:
    """The payslip, unless the token is limited to another worker: to that one it does not exist."""
    row = await _row(tx, agency_id, payslip_id)
    if not principal.may_see(row.worker_id):
        raise not_found("payslip", payslip_id)
    return row


def _common(row: Any, workers: dict[UUID, tuple[str | None, str | None]], payees: dict[UUID, str]) -> dict[str, Any]:
    reference, name = workers.get(row.worker_id, (None, None))
    return {
        "payslip_id": row.payslip_id,
        "worker_id": row.worker_id,
        "worker": name,
        "worker_reference": reference,
        "pay_basis": row.pay_basis,
        "payee_id": row.payee_id,
        "payee": payees.get(row.payee_id) if row.payee_id is not None else None,
        "state": row.state,
        "revision": row.revision,
        "week_ending": row.period_to - timedelta(days=1),
        "period_from": row.period_from,
        "period_to": row.period_to,
        "payday_on": row.payday_on,
        "gross_gbp": row.gross_gbp,
        "net_gbp": row.net_gbp,
        "cost_gbp": row.cost_gbp,
        "minutes": row.minutes,
        "worked_minutes": row.worked_minutes,
        "minimum_wage": row.nmw,
        "held_minutes": row.held_minutes,
        "held": [HeldOut(**{**held, "pay_gbp": _pounds(held["pay_pence"])}) for held in load_json(row.held)],
        "pay_run_id": row.pay_run_id,
        "finalised_at": row.finalised_at,
    }


def _line(line: dict[str, Any], placements: dict[UUID, str]) -> LineOut:
    return LineOut(
        placement_id=line["placement_id"],
        placement=None if line["placement_id"] is None else placements.get(UUID(line["placement_id"])),
        week_ending=date.fromisoformat(line["week_ending"]),
        element=line["element"],
        rate_code=line["rate_code"],
        rate_unit=line["rate_unit"],
        minutes=line["minutes"],
        units=line["units"],
        pay_rate=Decimal(line["pay_rate"]),
        amount_gbp=_pounds(line["amount_pence"]),
        correction=line["correction"],
    )


def _leave(leave: dict[str, Any] | None) -> LeaveBalanceOut | None:
    if leave is None:
        return None
    names = ("earned_minutes", "taken_minutes", "left_minutes", "left_exact_minutes")
    return LeaveBalanceOut(
        **{name: leave[name] for name in names}, not_accrued=[each["record_id"] for each in leave["not_accrued"]]
    )


def _charge(charge: list[Any]) -> ChargeOut:
    charge_line_id, timesheet_id, version, minutes, share, moved, reverses = charge
    return ChargeOut(
        charge_line_id=charge_line_id,
        timesheet_id=timesheet_id,
        version=version,
        minutes=minutes,
        pay_gbp=_pounds(share),
        rounding_gbp=_pounds(moved),
        reverses=reverses,
    )


def _year(to_date: dict[str, Any]) -> dict[str, Any]:
    """The year to date in pounds."""
    shown: dict[str, Any] = {}
    for name, value in to_date.items():
        if name == "nic":
            shown["nic"] = _year(value)
        elif name == "nic_other_letters":
            shown[name] = [_year(each) for each in value]
        elif name.endswith("_pence"):
            shown[_gbp(name)] = str(_pounds(value))
        else:
            shown[name] = value
    return shown


def _in_pounds(values: dict[str, Any]) -> dict[str, Any]:
    """Names that end in _pence as pounds."""
    return {
        _gbp(name) if name.endswith("_pence") else name: _pounds(value)
        if name.endswith("_pence") and value is not None
        else value
        for name, value in values.items()
    }


def _gbp(name: str) -> str:
    return name.removesuffix("_pence") + "_gbp"


def _pounds(pence: int) -> Decimal:
    return Decimal(pence).scaleb(-2)
