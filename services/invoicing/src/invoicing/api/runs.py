"""Preview and issue a week's invoices."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request

from invoicing.api import schemas as s
from invoicing.api.driver import drive_run, parked_workers
from invoicing.api.parties import ExternalId
from invoicing.store import runs
from invoicing.usecases import invoice_run as use
from paybill_common.auth import Principal
from paybill_common.http.paging import Cursor, Limit, Page, decode_cursor, encode_cursor
from paybill_common.http.problems import ERROR_RESPONSES, FieldError, Problem, conflict, not_found
from paybill_common.http.route import StepsRoute, TxDep, TxRoute, require

PREFIX = "/v1/agencies/{agency_id}"
router = APIRouter(prefix=PREFIX, route_class=TxRoute, responses=ERROR_RESPONSES, tags=["invoice runs"])
Week = Annotated[s.WeekEnding, Query(description="The Sunday that ends the week")]
stepwise = APIRouter(prefix=PREFIX, route_class=StepsRoute, responses=ERROR_RESPONSES, tags=["invoice runs"])


@router.get("/invoice-runs/preview")
async def preview(
    request: Request, agency_id: UUID, week_ending: Week, tx: TxDep, principal: Principal = require("read")
) -> s.PreviewOut:
    """What a run of this week would issue now, its totals before and after, and what stands in its way."""
    left_out = await _left_out(request)
    found = await use.preview_run(tx, agency_id=agency_id, week_ending=week_ending, left_out=left_out)
    known = await runs.workers_among(tx, agency_id=agency_id, workers=left_out)
    before = s.MoneyOut(
        documents=found.billed_before.documents,
        net_gbp=found.billed_before.net_gbp,
        vat_gbp=found.billed_before.vat_gbp,
        gross_gbp=found.billed_before.gross_gbp,
    )
    planned = [
        s.PlannedOut(
            client_id=document.client_id,
            kind=document.kind,
            lines=len(document.lines),
            minutes=document.minutes,
            net_gbp=document.net_gbp,
            vat_gbp=vat.vat_gbp,
            gross_gbp=document.net_gbp + vat.vat_gbp,
        )
        for document, vat in found.planned
    ]
    this_run = _sum(planned)
    blocked_by = []
    if not found.has_issuer:
        blocked_by.append("missing_issuer")
    if found.control is None:
        blocked_by.append("week_not_cut_off")
    if found.differences:
        blocked_by.append("totals_differ")
    return s.PreviewOut(
        week_ending=week_ending,
        can_issue=not blocked_by,
        blocked_by=blocked_by,
        control=s.TotalsOut.model_validate(found.control) if found.control else None,
        own=s.TotalsOut.model_validate(found.own),
        differences=[s.DifferenceOut.model_validate(one) for one in found.differences],
        ready_timesheets=found.ready_timesheets,
        held_timesheets=found.held.timesheets,
        held_minutes=found.held.minutes,
        held_charge_gbp=found.held.charge_gbp,
        held_by_reason=[s.HeldReasonOut.model_validate(row) for row in found.held_by_reason],
        left_out_workers=known,
        billed_before=before,
        this_run=this_run,
        billed_after=s.MoneyOut(
            documents=before.documents + this_run.documents,
            net_gbp=before.net_gbp + this_run.net_gbp,
            vat_gbp=before.vat_gbp + this_run.vat_gbp,
            gross_gbp=before.gross_gbp + this_run.gross_gbp,
        ),
        documents=planned,
    )


@stepwise.post("/invoice-runs")
async def issue_run(
    request: Request, agency_id: UUID, body: s.RunIn, principal: Principal = require("invoices:issue")
) -> s.RunOut:
    """Issue the week's invoices. Calling again continues a run that was interrupted and returns one that is closed."""
    state = request.app.state
    left_out = await _left_out(request)
    accept = body.accept_difference
    try:
        async with state.api_database.transaction(now=state.clock.now(), agencies=[agency_id]) as tx:
            known = await runs.workers_among(tx, agency_id=agency_id, workers=left_out)
            run = await use.open_run(
                tx,
                agency_id=agency_id,
                week_ending=body.week_ending,
                opened_by=principal.subject,
                external_id=body.external_id,
                accept=use.Acceptance(accept.by, accept.reason) if accept else None,
                supplementary=body.supplementary,
                left_out=known,
            )
    except use.IssuerMissing as error:
        raise conflict(
            "missing_issuer",
            "The agency has no issuer details: legal name, address and bank account for its invoices.",
            hint="PUT issuer, then issue the run again.",
        ) from error
    except use.WeekNotCutOff as error:
        raise conflict(
            "week_not_cut_off",
            f"The control totals of the week ending {body.week_ending} have not arrived.",
            hint="Cut the week off in the timesheet service, then issue the run again.",
        ) from error
    except use.TotalsDiffer as error:
        raise Problem(
            409,
            "totals_differ",
            f"What the cut-off counted is not what is known here: {error}.",
            errors=[
                FieldError(
                    pointer="#/accept_difference",
                    detail=f"{d.figure}: cut-off {d.control}, here {d.own}",
                    code=d.figure,
                )
                for d in error.differences
            ],
            hint="Wait until everything has arrived, cut off again, or send accept_difference with by and reason.",
        ) from error
    await drive_run(
        database=state.api_database, clock=state.clock, agency_id=agency_id, invoice_run_id=run.invoice_run_id
    )
    async with state.api_database.transaction(now=state.clock.now(), agencies=[agency_id], read_only=True) as tx:
        return s.RunOut.model_validate(await runs.run_row(tx, agency_id=agency_id, invoice_run_id=run.invoice_run_id))


@router.get("/invoice-runs")
async def list_runs(
    agency_id: UUID,
    tx: TxDep,
    cursor: Cursor = None,
    limit: Limit = 100,
    week_ending: Annotated[s.WeekEnding | None, Query()] = None,
    external_id: ExternalId = None,
    principal: Principal = require("read"),
) -> Page[s.RunOut]:
    """The agency's runs, newest week first."""
    found = await runs.list_runs(
        tx,
        agency_id=agency_id,
        week_ending=week_ending,
        external_id=external_id,
        before=_before(cursor),
        most=limit + 1,
    )
    more = found[limit - 1] if len(found) > limit else None
    return Page(
        items=[s.RunOut.model_validate(row) for row in found[:limit]],
        next_cursor=encode_cursor(more.week_ending, more.ordinal) if more is not None else None,
    )


@router.get("/invoice-runs/{invoice_run_id}")
async def get_run(agency_id: UUID, invoice_run_id: UUID, tx: TxDep, principal: Principal = require("read")) -> s.RunOut:
    """One run and its progress."""
    row = await runs.run_row(tx, agency_id=agency_id, invoice_run_id=invoice_run_id)
    if row is None:
        raise not_found("invoice_run", invoice_run_id)
    return s.RunOut.model_validate(row)


def _before(cursor: str | None) -> tuple[date, int] | None:
    parts = decode_cursor(cursor, parts=2)
    if parts is None:
        return None
    try:
        week, ordinal = date.fromisoformat(parts[0]), int(parts[1])
        if not 0 < ordinal < 2**15:
            raise ValueError(ordinal)
    except ValueError as error:
        raise Problem(
            422, "bad_cursor", "The cursor is not one that this list gave.", pointer="query:/cursor"
        ) from error
    return week, ordinal


async def _left_out(request: Request) -> Sequence[UUID]:
    state = request.app.state
    return await parked_workers(database=state.worker_database, clock=state.clock, consumer=state.subscription.consumer)


def _sum(planned: Sequence[s.PlannedOut]) -> s.MoneyOut:
    return s.MoneyOut(
        documents=len(planned),
        net_gbp=sum((one.net_gbp for one in planned), Decimal("0.00")),
        vat_gbp=sum((one.vat_gbp for one in planned), Decimal("0.00")),
        gross_gbp=sum((one.gross_gbp for one in planned), Decimal("0.00")),
    )
