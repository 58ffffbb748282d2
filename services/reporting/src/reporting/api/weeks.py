"""The JSON API of the read models."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict

from paybill_common.auth import Principal
from paybill_common.db import Tx
from paybill_common.http.paging import Cursor, Limit, Page, decode_cursor, encode_cursor
from paybill_common.http.problems import ERROR_RESPONSES, invalid, not_found
from paybill_common.http.route import TxDep, TxRoute, require
from reporting.domain import words
from reporting.store import lists
from reporting.store import week as store
from reporting.usecases.week import read_week

router = APIRouter(
    prefix="/v1/agencies/{agency_id}", route_class=TxRoute, responses=ERROR_RESPONSES, tags=["read models"]
)

WeekEnding = Annotated[date, Path(ge=date(2000, 1, 2), le=date(2100, 12, 26), description="A Sunday")]
WeekQuery = Annotated[date | None, Query(ge=date(2000, 1, 2), le=date(2100, 12, 26), description="A Sunday")]
Text = Annotated[str | None, Query(max_length=100, pattern=r"^[^\x00]*$")]

T = TypeVar("T")


class Out(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class CountsOut(Out):
    """Timesheets of the week. Of the `expected` ones `not_worked` are answered: the worker did not work. `rejected` counts
    those ever rejected, `rejected_open` those that still are.
    """

    expected: int
    not_worked: int
    imported: int
    approved: int
    rejected: int
    rejected_open: int
    amended: int
    held: int
    paid: int
    billed: int


class StageOut(Out):
    """One stage of the funnel. `amount_gbp` is the charge; for `paid` the pay, for `cash` what was received."""

    key: str
    label: str
    timesheets: int
    minutes: int
    amount_gbp: Decimal


class DifferenceOut(Out):
    """A charge line whose amounts disagree, in pence."""

    side: Literal["pay", "bill"]
    timesheet_id: UUID
    version: int
    charge_line_id: UUID
    approved_pence: int
    settled_pence: int
    difference_pence: int


class DocumentDifferenceOut(Out):
    document_id: UUID
    number: str
    difference_pence: int
    why: str


class TieOutOut(Out):
    """approved = paid + held and billable = billed + bill_held, in minutes; `unexplained_*` is zero when all agrees.

    A statement about a settled system: read it when outboxes are empty and lag is zero.
    """

    approved_minutes: int
    paid_minutes: int
    held_minutes: int
    billable_minutes: int
    billed_minutes: int
    bill_held_minutes: int
    unexplained_minutes: int
    unexplained_pence: int
    clean: bool
    balanced: bool
    lines: list[DifferenceOut]
    documents: list[DocumentDifferenceOut]


class WeekOut(Out):
    """One week of one agency."""

    agency_id: UUID
    week_ending: date
    timesheets: CountsOut
    funnel: list[StageOut]
    workers_paid: int
    payslips: int
    self_bills: int
    invoices: int
    credit_notes: int
    payments: int
    payments_gbp: Decimal
    gross_pay_gbp: Decimal
    net_pay_gbp: Decimal
    charge_net_gbp: Decimal
    vat_gbp: Decimal
    cost_gbp: Decimal
    margin_gbp: Decimal
    cash_gbp: Decimal
    cut_off_at: datetime | None
    pay_runs: int
    invoice_runs: int
    tie_out: TieOutOut


class MarginOut(Out):
    """Margin of one client, consultant or branch; `before_*` is the week before."""

    id: UUID | None
    name: str
    timesheets: int
    uncosted: int
    minutes: int
    charge_gbp: Decimal
    pay_gbp: Decimal
    cost_gbp: Decimal
    margin_gbp: Decimal
    before_charge_gbp: Decimal
    before_margin_gbp: Decimal


class ReasonOut(Out):
    code: str
    words: str
    requirement: str | None = None
    blocks: list[str] = []


class TimesheetOut(Out):
    """One timesheet and where it stands."""

    timesheet_id: UUID
    reference: str
    week_ending: date
    version: int
    worker_id: UUID
    worker: str
    client_id: UUID
    client: str
    consultant_id: UUID | None
    consultant: str
    branch: str | None
    pay_basis: str
    status: str
    pay_state: str
    bill_state: str
    minutes: int
    pay_gbp: Decimal
    charge_gbp: Decimal
    cost_gbp: Decimal | None
    margin_gbp: Decimal | None
    since: datetime | None
    reasons: list[ReasonOut]


class StoryOut(Out):
    kind: str
    happened_at: datetime
    words: str
    detail: dict[str, Any]


class LineOut(Out):
    """One charge line, what was paid and billed of it, and how it came about in words."""

    charge_line_id: UUID
    version: int
    ordinal: int
    element: str
    rate_code: str
    minutes: int
    units: Decimal | None
    pay_rate: Decimal
    charge_rate: Decimal
    pay_gbp: Decimal
    charge_gbp: Decimal
    payable: bool
    billable: bool
    paid_gbp: Decimal | None
    billed_gbp: Decimal | None
    pay_words: str
    charge_words: str


class TimesheetStoryOut(TimesheetOut):
    """One timesheet across all services."""

    lines: list[LineOut]
    story: list[StoryOut]


class DocumentOut(Out):
    document_id: UUID
    kind: Literal["invoice", "credit_note", "self_bill"]
    number: str
    client_id: UUID | None
    payee_id: UUID | None
    party: str
    week_ending: date | None
    issued_on: date
    due_on: date | None
    net_gbp: Decimal
    vat_gbp: Decimal
    gross_gbp: Decimal
    paid_gbp: Decimal
    balance_gbp: Decimal


class PayslipOut(Out):
    payslip_id: UUID
    worker_id: UUID
    worker: str
    payee_id: UUID | None
    state: Literal["draft", "finalised"]
    pay_basis: str
    period_from: date
    period_to: date
    payday_on: date
    minutes: int
    gross_gbp: Decimal
    tax_gbp: Decimal
    employee_nic_gbp: Decimal
    employer_nic_gbp: Decimal
    net_gbp: Decimal
    cost_gbp: Decimal
    pay_run_id: UUID | None


class HoldGroupOut(Out):
    """One reason and what waits for it."""

    code: str
    words: str
    remedy: str
    requirement: str | None
    timesheets: int
    workers: int
    minutes: int
    pay_gbp: Decimal
    charge_gbp: Decimal


class HoldsOut(Page[TimesheetOut]):
    """A page of held timesheets, and what all of the week wait for."""

    reasons: list[HoldGroupOut]


def sunday(week_ending: date) -> date:
    """The week, or a problem when it does not end on a Sunday."""
    if week_ending.isoweekday() != 7:
        raise invalid(
            "not_a_week_ending",
            f"A week ends on a Sunday; {week_ending} is a {week_ending:%A}.",
            pointer="path:/week_ending",
        )
    return week_ending


@router.get("/weeks")
async def list_weeks(
    agency_id: UUID, tx: TxDep, cursor: Cursor = None, limit: Limit = 100, principal: Principal = require("read")
) -> Page[date]:
    """The weeks that have timesheets, newest first."""
    parts = decode_cursor(cursor, parts=1)
    before = None if parts is None else _read(date.fromisoformat, parts[0])
    weeks = await store.weeks_of(tx, agency_id=agency_id, before=before, most=limit + 1)
    return Page(items=weeks[:limit], next_cursor=encode_cursor(weeks[limit - 1]) if len(weeks) > limit else None)


@router.get("/weeks/{week_ending}")
async def get_week(
    agency_id: UUID, week_ending: WeekEnding, tx: TxDep, principal: Principal = require("read")
) -> WeekOut:
    """Counts, money, funnel and tie-out of a week."""
    week = await read_week(tx, agency_id=agency_id, week_ending=sunday(week_ending))
    t, r = week.totals, week.runs
    return WeekOut(
        agency_id=agency_id,
        week_ending=week_ending,
        timesheets=CountsOut.model_validate(t),
        funnel=[StageOut.model_validate(stage) for stage in week.funnel],
        workers_paid=r.workers_paid,
        payslips=r.payslips,
        self_bills=r.self_bills,
        invoices=r.invoices,
        credit_notes=r.credit_notes,
        payments=r.payments,
        payments_gbp=r.payments_gbp,
        gross_pay_gbp=r.gross_gbp,
        net_pay_gbp=r.net_gbp,
        charge_net_gbp=r.charge_net_gbp,
        vat_gbp=r.vat_gbp,
        cost_gbp=t.cost_gbp,
        margin_gbp=week.margin_gbp,
        cash_gbp=r.cash_gbp,
        cut_off_at=week.cut_off.cut_off_at if week.cut_off else None,
        pay_runs=len(week.pay_runs),
        invoice_runs=len(week.invoice_runs),
        tie_out=TieOutOut.model_validate(week.tie_out),
    )


@router.get("/weeks/{week_ending}/tie-out")
async def get_tie_out(
    agency_id: UUID, week_ending: WeekEnding, tx: TxDep, principal: Principal = require("read")
) -> TieOutOut:
    """Is every approved minute paid or held, billed or held, and every line right to the penny?"""
    found = await store.read_tie_out(tx, agency_id=agency_id, week_ending=sunday(week_ending))
    return TieOutOut.model_validate(found)


@router.get("/weeks/{week_ending}/margin")
async def get_margin(
    agency_id: UUID,
    week_ending: WeekEnding,
    tx: TxDep,
    by: Literal["client", "consultant", "branch"] = "client",
    principal: Principal = require("read"),
) -> list[MarginOut]:
    """Margin of the timesheets whose cost is known, drafts included; the largest first."""
    found = await store.margin(tx, agency_id=agency_id, week_ending=sunday(week_ending), by=by)
    return [MarginOut.model_validate(row) for row in found]


@router.get("/timesheets")
async def list_timesheets(
    agency_id: UUID,
    tx: TxDep,
    week_ending: WeekQuery = None,
    status: Literal["expected", "not_worked", "submitted", "rejected", "approved"] | None = None,
    pay_state: Literal["paid", "draft", "held", "clearing", "waiting", "none"] | None = None,
    bill_state: Literal["billed", "ready", "held", "clearing", "waiting", "none"] | None = None,
    client_id: UUID | None = None,
    worker_id: UUID | None = None,
    consultant_id: UUID | None = None,
    q: Text = None,
    cursor: Cursor = None,
    limit: Limit = 100,
    principal: Principal = require("read"),
) -> Page[TimesheetOut]:
    """Timesheets by reference."""
    wanted = lists.TimesheetFilter(
        week_ending=week_ending,
        status=status,
        pay_state=pay_state,
        bill_state=bill_state,
        client_id=client_id,
        worker_id=worker_id,
        consultant_id=consultant_id,
        q=q,
    )
    return await _timesheets(tx, agency_id, wanted, cursor, limit)


async def _timesheets(
    tx: TxDep, agency_id: UUID, wanted: lists.TimesheetFilter, cursor: str | None, limit: int
) -> Page[TimesheetOut]:
    after = _after(decode_cursor(cursor, parts=2))
    rows = await lists.timesheets_after(tx, agency_id=agency_id, wanted=wanted, after=after, most=limit + 1)
    more = rows[limit - 1] if len(rows) > limit else None
    return Page(
        items=[timesheet_out(row) for row in rows[:limit]],
        next_cursor=encode_cursor(more.reference, more.timesheet_id) if more is not None else None,
    )


def _after(parts: list[str] | None) -> tuple[str, UUID] | None:
    return None if parts is None else (parts[0].replace("\x00", ""), _read(UUID, parts[1]))


def _read(kind: Callable[[str], T], part: str) -> T:
    """One part of a cursor. A cursor that is not ours is refused."""
    try:
        return kind(part)
    except ValueError as error:
        raise invalid("bad_cursor", "The cursor is not one that this list gave.", pointer="query:/cursor") from error


async def known_timesheet(tx: Tx, agency_id: UUID, timesheet_id: UUID) -> Any:
    """A timesheet's row. Raises a 404 Problem while no fact of its own has come."""
    row = await lists.timesheet_row(tx, agency_id=agency_id, timesheet_id=timesheet_id)
    if row is None or row.week_ending is None:
        raise not_found("timesheet", timesheet_id)
    return row


@router.get("/timesheets/{timesheet_id}")
async def get_timesheet(
    agency_id: UUID, timesheet_id: UUID, tx: TxDep, principal: Principal = require("read")
) -> TimesheetStoryOut:
    """One timesheet's whole story across the services."""
    row = await known_timesheet(tx, agency_id, timesheet_id)
    lines = await lists.lines_of(tx, agency_id=agency_id, timesheet_id=timesheet_id)
    story = await lists.story_of(tx, agency_id=agency_id, timesheet_id=timesheet_id)
    return TimesheetStoryOut(
        **timesheet_out(row).model_dump(),
        lines=[line_out(line) for line in lines],
        story=[
            StoryOut(
                kind=chapter.kind,
                happened_at=chapter.happened_at,
                words=words.story(chapter.kind, chapter.detail),
                detail=chapter.detail,
            )
            for chapter in story
        ],
    )


def line_out(row: Any) -> LineOut:
    """A charge line with its explanation in words."""
    line = words_line(row)
    return LineOut(
        **{name: getattr(row, name) for name in LineOut.model_fields if name not in ("pay_words", "charge_words")},
        pay_words=words.explain_pay(line),
        charge_words=words.explain_charge(line),
    )


def words_line(row: Any) -> words.Line:
    return words.Line(**{name: getattr(row, name) for name in words.Line.__dataclass_fields__})


def reasons_of(row: Any) -> list[dict[str, Any]]:
    """Why a timesheet is held, whoever says so; each reason once."""
    found: dict[tuple[Any, Any], dict[str, Any]] = {}
    sources = []
    if row.pay_state == "held":
        sources.append(row.pay_reasons)
    if row.bill_state == "held":
        sources.append(row.bill_reasons)
    if row.compliance_version == row.approved_version and row.compliance_state == "held":
        sources.append(row.compliance_reasons)
    for source in sources:
        for reason in source or []:
            found.setdefault((reason.get("code"), reason.get("requirement")), reason)
    if not found and "clearing" in (row.pay_state, row.bill_state):
        return [{"code": "awaiting_clearance"}]
    return list(found.values())


def timesheet_out(row: Any) -> TimesheetOut:
    return TimesheetOut(
        **{
            name: getattr(row, name)
            for name in TimesheetOut.model_fields
            if name not in ("reasons", "pay_gbp", "charge_gbp")
        },
        pay_gbp=row.shown_pay_gbp,
        charge_gbp=row.shown_charge_gbp,
        reasons=[
            ReasonOut(
                code=str(reason.get("code")),
                words=words.reason(reason),
                requirement=reason.get("requirement"),
                blocks=list(reason.get("blocks", [])),
            )
            for reason in reasons_of(row)
        ],
    )


@router.get("/holds")
async def list_holds(
    agency_id: UUID,
    tx: TxDep,
    week_ending: Annotated[date, Query(ge=date(2000, 1, 2), le=date(2100, 12, 26), description="A Sunday")],
    cursor: Cursor = None,
    limit: Limit = 100,
    principal: Principal = require("read"),
) -> HoldsOut:
    """What is held in a week: all of it by reason, and timesheet by timesheet in the order of their references."""
    week = sunday(week_ending)
    groups = await store.blocks(tx, agency_id=agency_id, week_ending=week)
    wanted = lists.TimesheetFilter(week_ending=week, held=True)
    page = await _timesheets(tx, agency_id, wanted, cursor, limit)
    return HoldsOut(
        reasons=[
            HoldGroupOut(
                code=group.code,
                words=words.reason({"code": group.code, "requirement": group.requirement}),
                remedy=words.remedy(group.code),
                requirement=group.requirement,
                timesheets=group.timesheets,
                workers=group.workers,
                minutes=group.minutes,
                pay_gbp=group.pay_gbp,
                charge_gbp=group.charge_gbp,
            )
            for group in groups
        ],
        items=page.items,
        next_cursor=page.next_cursor,
    )


@router.get("/invoices")
async def list_documents(
    agency_id: UUID,
    tx: TxDep,
    week_ending: WeekQuery = None,
    kind: Literal["invoice", "credit_note", "self_bill"] | None = None,
    client_id: UUID | None = None,
    unpaid: bool = False,
    q: Text = None,
    cursor: Cursor = None,
    limit: Limit = 100,
    principal: Principal = require("read"),
) -> Page[DocumentOut]:
    """Invoices, credit notes and self-bills by number."""
    wanted = lists.DocumentFilter(week_ending=week_ending, kind=kind, client_id=client_id, unpaid=unpaid, q=q)
    after = _after(decode_cursor(cursor, parts=2))
    rows = await lists.documents_after(tx, agency_id=agency_id, wanted=wanted, after=after, most=limit + 1)
    more = rows[limit - 1] if len(rows) > limit else None
    return Page(
        items=[DocumentOut.model_validate(row) for row in rows[:limit]],
        next_cursor=encode_cursor(more.number, more.document_id) if more is not None else None,
    )


@router.get("/payslips")
async def list_payslips(
    agency_id: UUID,
    tx: TxDep,
    week_ending: WeekQuery = None,
    state: Literal["draft", "finalised"] | None = None,
    worker_id: UUID | None = None,
    pay_run_id: UUID | None = None,
    q: Text = None,
    cursor: Cursor = None,
    limit: Limit = 100,
    principal: Principal = require("read"),
) -> Page[PayslipOut]:
    """Payslips, drafts and finalised, without tax or bank details; by id."""
    wanted = lists.PayslipFilter(week_ending=week_ending, state=state, worker_id=worker_id, pay_run_id=pay_run_id, q=q)
    parts = decode_cursor(cursor, parts=1)
    after = None if parts is None else _read(UUID, parts[0])
    rows = await lists.payslips_after(tx, agency_id=agency_id, wanted=wanted, after=after, most=limit + 1)
    return Page(
        items=[PayslipOut.model_validate(row) for row in rows[:limit]],
        next_cursor=encode_cursor(rows[limit - 1].payslip_id) if len(rows) > limit else None,
    )
