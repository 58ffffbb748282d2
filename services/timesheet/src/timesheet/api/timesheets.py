"""Timesheets: entered, submitted, approved, rejected, reopened and amended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request

from paybill_common.auth import Principal
from paybill_common.http.paging import Cursor, Limit, Page, decode_cursor, encode_cursor
from paybill_common.http.problems import ERROR_RESPONSES, Problem, conflict, invalid, not_found
from paybill_common.http.route import TxDep, TxRoute, require
from timesheet.api import models as m
from timesheet.domain.entry_holds import EntryBlocked
from timesheet.domain.explain import explain_line
from timesheet.domain.lines import ChargeLine
from timesheet.domain.rates import RateCard
from timesheet.store import approvals, cards
from timesheet.store import timesheets as store
from timesheet.usecases import deciding, entering, facts
from timesheet.usecases.charging import ANTICIPATED, load_work, refusal_of
from timesheet.usecases.deciding import Receipt, Rejection
from timesheet.usecases.evidence import DecidedBy, entry_to_dict

APPROVE = "timesheets:approve"
router = APIRouter(
    prefix="/v1/agencies/{agency_id}", route_class=TxRoute, responses=ERROR_RESPONSES, tags=["timesheets"]
)


@router.get("/timesheets")
async def list_timesheets(
    tx: TxDep,
    agency_id: UUID,
    week_ending: m.Day | None = None,
    status: Literal["draft", "submitted", "approved", "rejected", "amended", "not_worked"] | None = None,
    client_id: UUID | None = None,
    worker_id: UUID | None = None,
    placement_id: UUID | None = None,
    consultant_id: UUID | None = None,
    external_id: Annotated[str | None, Query(max_length=120, pattern=r"^[^\x00-\x1f\x7f]*$")] = None,
    q: m.Search = None,
    cursor: Cursor = None,
    limit: Limit = 100,
    principal: Principal = require("read"),
) -> Page[m.TimesheetOut]:
    """Timesheets by number."""
    rows = await store.page(
        tx,
        agency_id=agency_id,
        most=limit + 1,
        week_ending=week_ending,
        status=status,
        client_id=client_id,
        worker_id=worker_id,
        placement_id=placement_id,
        consultant_id=consultant_id,
        external_id=external_id,
        q=q or None,
        after=_number_after(cursor),
    )
    more = encode_cursor(rows[limit - 1].number) if len(rows) > limit else None
    return Page[m.TimesheetOut](items=[m.TimesheetOut(**_listed(row)) for row in rows[:limit]], next_cursor=more)


@router.post("/timesheets/submit-batch")
async def submit_batch(
    request: Request, tx: TxDep, agency_id: UUID, body: m.SubmitBatchIn, principal: Principal = require("write")
) -> m.BatchOut:
    """Submit up to 1,000 drafts; each gets a receipt."""
    vouched = vouching(request, principal, body.worked_despite_hold)
    return _batch(await deciding.submit(tx, agency_id=agency_id, ids=body.timesheet_ids, vouched=vouched))


@router.post("/timesheets/approve-batch")
async def approve_batch(
    request: Request,
    tx: TxDep,
    agency_id: UUID,
    body: m.ApproveBatchIn,
    principal: Principal = require(APPROVE),
) -> m.BatchOut:
    """Approve up to 1,000 submitted timesheets with the same evidence; each gets a receipt."""
    by = decided_by(request, principal, body.evidence)
    return _batch(await deciding.approve(tx, agency_id=agency_id, ids=body.timesheet_ids, by=by))


@router.get("/timesheets/{timesheet_id}")
async def get_timesheet(
    tx: TxDep, agency_id: UUID, timesheet_id: UUID, principal: Principal = require("read")
) -> m.TimesheetStory:
    """One timesheet's whole story: entries, charge lines in words, versions, evidence and holds."""
    return await _story(tx, agency_id, timesheet_id)


@router.put("/timesheets/{timesheet_id}/entries")
async def put_entries(
    request: Request,
    tx: TxDep,
    agency_id: UUID,
    timesheet_id: UUID,
    body: m.EntriesIn,
    principal: Principal = require("write"),
) -> m.TimesheetStory:
    """Replace the hours of a draft. Every problem of the week is named at once."""
    expenses = None if body.expenses is None else [(one.expense(), one.description) for one in body.expenses]
    await entering.put_entries(
        tx,
        agency_id=agency_id,
        timesheet_id=timesheet_id,
        entries=[one.entry() for one in body.entries],
        expenses=expenses,
        external_id=body.external_id,
        vouched=vouching(request, principal, body.worked_despite_hold),
    )
    return await _story(tx, agency_id, timesheet_id)


@router.post("/timesheets/{timesheet_id}/expenses", status_code=201)
async def post_expense(
    tx: TxDep, agency_id: UUID, timesheet_id: UUID, body: m.NewExpenseIn, principal: Principal = require("write")
) -> m.NewExpenseOut:
    """Add an expense to a draft. The same expense again is a duplicate."""
    expense_id, is_new = await entering.add_expense(
        tx,
        agency_id=agency_id,
        timesheet_id=timesheet_id,
        expense=body.expense(),
        description=body.description,
        expense_id=body.expense_id,
        external_id=body.external_id,
    )
    return m.NewExpenseOut(expense_id=expense_id, status="accepted" if is_new else "duplicate")


@router.post("/timesheets/{timesheet_id}/submit")
async def submit(
    request: Request,
    tx: TxDep,
    agency_id: UUID,
    timesheet_id: UUID,
    body: m.SubmitIn | None = None,
    principal: Principal = require("write"),
) -> m.TimesheetStory:
    """Submit a draft for approval."""
    vouched = vouching(request, principal, (body or m.SubmitIn()).worked_despite_hold)
    _raise_refusal(await deciding.submit(tx, agency_id=agency_id, ids=[timesheet_id], vouched=vouched))
    return await _story(tx, agency_id, timesheet_id)


@router.post("/timesheets/{timesheet_id}/approve")
async def approve(
    request: Request,
    tx: TxDep,
    agency_id: UUID,
    timesheet_id: UUID,
    body: m.ApproveIn | None = None,
    principal: Principal = require(APPROVE),
) -> m.TimesheetStory:
    """Approve for the agency, with its own evidence: pay cannot wait for a silent client."""
    by = decided_by(request, principal, (body or m.ApproveIn()).evidence)
    _raise_refusal(await deciding.approve(tx, agency_id=agency_id, ids=[timesheet_id], by=by))
    return await _story(tx, agency_id, timesheet_id)


@router.post("/timesheets/{timesheet_id}/reject")
async def reject(
    request: Request,
    tx: TxDep,
    agency_id: UUID,
    timesheet_id: UUID,
    body: m.RejectIn,
    principal: Principal = require(APPROVE),
) -> m.TimesheetStory:
    """Reject a submitted timesheet, with a reason."""
    rejection = Rejection(timesheet_id, body.reason_code, body.reason)
    by = decided_by(request, principal, m.EvidenceIn())
    _raise_refusal(await deciding.reject(tx, agency_id=agency_id, rejections=[rejection], by=by))
    return await _story(tx, agency_id, timesheet_id)


@router.post("/timesheets/{timesheet_id}/not-worked")
async def did_not_work(
    tx: TxDep, agency_id: UUID, timesheet_id: UUID, principal: Principal = require("write")
) -> m.TimesheetStory:
    """The worker did not work that week: nothing is expected or chased any more, until it is reopened."""
    await deciding.did_not_work(tx, agency_id=agency_id, timesheet_id=timesheet_id, by=principal.name)
    return await _story(tx, agency_id, timesheet_id)


@router.post("/timesheets/{timesheet_id}/reopen")
async def reopen(
    tx: TxDep, agency_id: UUID, timesheet_id: UUID, principal: Principal = require("write")
) -> m.TimesheetStory:
    """Make a rejected, submitted or not worked timesheet a draft again, to be corrected."""
    await deciding.reopen(tx, agency_id=agency_id, timesheet_id=timesheet_id)
    return await _story(tx, agency_id, timesheet_id)


@router.post("/timesheets/{timesheet_id}/amend")
async def amend(
    request: Request,
    tx: TxDep,
    agency_id: UUID,
    timesheet_id: UUID,
    body: m.AmendIn,
    principal: Principal = require(APPROVE),
) -> m.TimesheetStory:
    """Correct an approved week: a new version with its whole new state; pay and billing reverse the old lines."""
    await deciding.amend(
        tx,
        agency_id=agency_id,
        timesheet_id=timesheet_id,
        entries=[one.entry() for one in body.entries],
        expenses=[(one.expense(), one.description) for one in body.expenses],
        reason_code=body.reason_code,
        reason=body.reason,
        by=decided_by(request, principal, m.EvidenceIn()),
    )
    return await _story(tx, agency_id, timesheet_id)


def client_address(request: Request) -> tuple[str | None, str | None]:
    """Where a request comes from: address and user agent, cut to a sensible length."""
    agent = request.headers.get("user-agent")
    host = request.client.host if request.client else None
    return host, "".join(c for c in agent if c.isprintable())[:300] if agent else None


def vouching(request: Request, principal: Principal, reason: str | None) -> DecidedBy | None:
    """Who records hours that compliance blocks, and why. Raises a 403 problem when the caller may not."""
    if reason is None:
        return None
    if APPROVE not in principal.scopes:
        raise Problem(
            403, "scope_missing", f"worked_despite_hold needs the scope {APPROVE}, which the token does not carry."
        )
    return decided_by(request, principal, m.EvidenceIn(note=reason))


def decided_by(request: Request, principal: Principal, evidence: m.EvidenceIn) -> DecidedBy:
    """Who acts and from where, with the evidence that they give."""
    ip, agent = client_address(request)
    if evidence.kind == "client":
        note = f"Recorded by {principal.name}" + (f": {evidence.note}" if evidence.note else "")
        return DecidedBy("client", principal.subject, evidence.name or "", ip, agent, note)
    return DecidedBy("agency", principal.subject, principal.name, ip, agent, evidence.note)


def _batch(receipts: list[Receipt]) -> m.BatchOut:
    counts = {status: sum(one.status == status for one in receipts) for status in ("accepted", "duplicate", "refused")}
    return m.BatchOut(receipts=[m.BatchReceiptOut.model_validate(one) for one in receipts], **counts)


def _raise_refusal(receipts: list[Receipt]) -> None:
    receipt = receipts[0]
    if receipt.status == "accepted":
        return
    code, reason = receipt.code or "refused", receipt.reason or "The timesheet refuses this."
    if code == "timesheet_not_found":
        raise not_found("timesheet", receipt.timesheet_id)
    if code.startswith("timesheet_") or code in ("reason_missing", "seen_has_changed", EntryBlocked.code):
        raise conflict(code, reason, hint=receipt.hint)
    raise invalid(code, reason, hint=receipt.hint)


def _number_after(cursor: str | None) -> int | None:
    after = decode_cursor(cursor, parts=1)
    if after is None:
        return None
    if not after[0].isdecimal() or len(after[0]) > 18:
        raise Problem(422, "bad_cursor", "The cursor is not one that this list gave.", pointer="query:/cursor")
    return int(after[0])


def _listed(row: Any) -> dict[str, Any]:
    held = bool(row.held)
    shown = {name: getattr(row, name) for name in m.TimesheetOut.model_fields if name not in ("held", "holds")}
    return {**shown, "held": held, "holds": _reasons(row.hold_reasons) if held else []}


def _reasons(reasons: Sequence[dict[str, Any]] | None) -> list[m.HoldReasonOut]:
    return [
        m.HoldReasonOut(code=one["code"], blocks=list(one.get("blocks", ())), requirement=one.get("requirement"))
        for one in reasons or ()
    ]


async def _story(tx: TxDep, agency_id: UUID, timesheet_id: UUID) -> m.TimesheetStory:
    rows = await store.page(tx, agency_id=agency_id, most=1, timesheet_id=timesheet_id)
    found = await store.load(tx, agency_id=agency_id, ids=[timesheet_id])
    if not rows or timesheet_id not in found:
        raise not_found("timesheet", timesheet_id)
    timesheet = found[timesheet_id]
    work = await load_work(tx, agency_id=agency_id, timesheets=[timesheet])
    versions, evidence = await store.history(tx, agency_id=agency_id, timesheet_id=timesheet_id)
    blocks = await approvals.entry_blocks(tx, agency_id=agency_id, worker_ids=[timesheet.placement.worker_id])
    problems: list[str] = []
    lines: list[m.LineOut] = []
    shown_versions = await _versions(tx, agency_id, versions)
    if timesheet.state.status.is_approved:
        lines = shown_versions[-1].lines if shown_versions else []
    else:
        try:
            charged = work.charged(timesheet)
            known = {(card.id, card.version): card for card in work.cards.get(timesheet.placement.placement_id, ())}
            number = timesheet.state.version
            lines = [
                _line(store.line_to_dict(one, facts.charge_line_id(timesheet_id, number, one.ordinal)), one, known)
                for one in charged.lines
            ]
        except ANTICIPATED as error:
            _code, fact, hint = refusal_of(error)
            problems = [f"{fact} ({hint})" if hint else fact]
    return m.TimesheetStory(
        **_listed(rows[0]),
        entries=[m.EntryOut(**entry_to_dict(one.entry)) for one in work.entries.get(timesheet_id, ())],
        expenses=[
            m.ExpenseOut(
                expense_id=one.expense_id,
                external_id=one.external_id,
                spent_on=one.expense.on,
                code=one.expense.code,
                description=one.description,
                pay_gbp=one.expense.pay_gbp,
                charge_gbp=one.expense.charge_gbp,
                applies=one.expense.applies.value,
            )
            for one in work.expenses.get(timesheet_id, ())
        ],
        problems=problems,
        lines=lines,
        versions=shown_versions,
        evidence=[m.EvidenceOut.model_validate(one) for one in evidence],
        entry_blocks=_reasons(blocks.get(timesheet.placement.worker_id)),
    )


async def _versions(tx: TxDep, agency_id: UUID, versions: list[Any]) -> list[m.VersionOut]:
    named = {(UUID(line["rate_card_id"]), line["rate_card_version"]) for row in versions for line in row.lines}
    known = await cards.versions_named(tx, agency_id=agency_id, named=named) if named else {}
    shown = []
    for row in versions:
        fields = {name: getattr(row, name) for name in m.VersionOut.model_fields if name not in ("entries", "lines")}
        lines = [_line(line, store.line_from_dict(line), known) for line in row.lines]
        shown.append(m.VersionOut(**fields, entries=[m.EntryOut(**one) for one in row.entries], lines=lines))
    return shown


def _line(data: dict[str, Any], line: ChargeLine, known: dict[tuple[UUID, int], RateCard]) -> m.LineOut:
    card = known.get((line.rate_card_id, line.rate_card_version))
    return m.LineOut(**data, explanation=explain_line(line, card))
