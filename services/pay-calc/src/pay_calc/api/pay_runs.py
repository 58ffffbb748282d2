"""Pay runs: preview, close, watch, replay, payslips as a ZIP, the submission as CSV, payment files."""

from __future__ import annotations

import asyncio
import os
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, StringConstraints

from pay_calc.api.access import (
    AgencyId,
    Day,
    ExternalId,
    ExternalIdFilter,
    OptionalWeek,
    Week,
    check_agency,
    read_tx,
    require_sunday,
    worker_tx,
)
from pay_calc.closing import drive
from pay_calc.documents.archive import write_zip
from pay_calc.documents.models import Payslip
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.minimum_wage_findings import MinimumWageFinding, MinimumWageSummary, summary_of
from pay_calc.store import acknowledgements, replays, runs, slips
from pay_calc.store import payments as stored_payments
from pay_calc.usecases import close_run, payments
from pay_calc.usecases.payslip_document import context_of, payslip_of
from pay_calc.usecases.preview import Preview
from pay_calc.usecases.preview import preview as make_preview
from pay_calc.usecases.replay import Replay, load_json, replay_of
from pay_calc.usecases.replay import replay as run_replay
from pay_calc.usecases.submission import fps_csv
from paybill_common.auth import Principal
from paybill_common.http.paging import Cursor, Limit, Page, decode_cursor, encode_cursor
from paybill_common.http.problems import ERROR_RESPONSES, FieldError, Problem, conflict, invalid, not_found
from paybill_common.http.route import StepsRoute, TxDep, TxRoute, require

PREFIX = "/v1/agencies/{agency_id}"
router = APIRouter(prefix=PREFIX, route_class=TxRoute, responses=ERROR_RESPONSES, tags=["pay runs"])
own_transactions = APIRouter(prefix=PREFIX, route_class=StepsRoute, responses=ERROR_RESPONSES, tags=["pay runs"])
"""Routes that take several transactions, or the worker role's."""

CLOSE_SECONDS_MAX = 20
FINDINGS_NAMED = 20
RUN_ITEMS_MAX = 1000
ZIP_PAGE = 200
ZIP_PROCESSES_MAX = 4
CSV_TYPE = "text/csv; charset=utf-8"


class Totals(BaseModel):
    """Of a week's timesheets: newest versions, payable side."""

    timesheets: int
    payable_minutes: int
    payable_units: Decimal
    pay_gbp: Decimal


class AcknowledgedOut(BaseModel):
    """Who let the pay proceed, when, why, and which revision of the payslip they saw."""

    by: str
    at: datetime
    reason: str
    revision: int


class FindingItem(BaseModel):
    """`acknowledged`: of minimum wage findings only, once a person has put a name to this one."""

    worker_id: UUID
    worker: str | None
    payslip_id: UUID | None
    timesheet_id: UUID | None
    code: str
    detail: str
    minutes: int
    pay_gbp: Decimal
    acknowledged: AcknowledgedOut | None


class FindingOut(BaseModel):
    """`count` of all, and the first 500."""

    count: int
    items: list[FindingItem]


class MinimumWageOut(BaseModel):
    """Payslips below the minimum wage, those not tested, what is short in all, and how many of both nobody has put a name to. `seen`: the
    mark of these, to be sent with the close by whoever looked at them; null: there are none."""

    below: int
    not_tested: int
    shortfall_gbp: Decimal
    unacknowledged: int
    seen: str | None


class MinimumWageItem(BaseModel):
    worker_id: UUID
    worker: str | None
    payslip_id: UUID
    revision: int
    code: Literal["below_minimum_wage", "minimum_wage_not_tested"]
    detail: str
    shortfall_gbp: Decimal
    acknowledged: AcknowledgedOut | None


class MinimumWageOfRun(MinimumWageOut):
    """With the payslips, the first 1,000."""

    items: list[MinimumWageItem]


class PreviewOut(BaseModel):
    """What a close would do now. `control` null: the week is not cut off yet. `difference`: own less control, unequal totals only."""

    week_ending: date
    period_to: date
    payday_on: date
    funds_on: date | None
    state: Literal["open", "closing", "closed"]
    pay_run_id: UUID | None
    own: Totals
    control: Totals | None
    cut_off_at: datetime | None
    difference: dict[str, Decimal]
    matches: bool
    people: int
    payslips: int
    self_bills: int
    gross_gbp: Decimal
    net_gbp: Decimal
    cost_gbp: Decimal
    payable_minutes: int
    held_timesheets: int
    held_minutes: int
    minimum_wage: MinimumWageOut
    findings: dict[str, FindingOut]


class AcceptDifference(BaseModel):
    """A named person accepts that our totals are not those of the cut-off."""

    model_config = ConfigDict(extra="forbid")

    by: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=1000)]


class AcknowledgeMinimumWage(AcceptDifference):
    """A named person looked at the payslips that are below the minimum wage or could not be tested, and lets the pay proceed. `seen`: as
    the preview's `minimum_wage` gave it, so that nobody puts a name to what came up since."""

    seen: Annotated[str, StringConstraints(min_length=1, max_length=64)]


class CloseIn(BaseModel):
    """`accept_difference` and `acknowledge_minimum_wage` are needed, and kept, only where there is something to accept."""

    model_config = ConfigDict(extra="forbid")

    week_ending: Day
    accept_difference: AcceptDifference | None = None
    acknowledge_minimum_wage: AcknowledgeMinimumWage | None = None
    external_id: ExternalId | None = None


class RunOut(BaseModel):
    """A pay run. While `state` is closing, `workers_done` of `workers_total` shows how far it is; totals come with closed.

    `began_at` and `progressed_at` are real time, whatever business time the instance lives in: a rate needs it. Runs from before it was
    kept have no `began_at`.
    """

    pay_run_id: UUID
    external_id: str | None
    week_ending: date
    period_to: date
    payday_on: date
    funds_on: date
    state: Literal["closing", "closed"]
    cut_off_at: datetime
    control: Totals
    own: Totals
    difference_accepted: bool
    accepted_by: str | None
    accepted_reason: str | None
    opened_by: str
    opened_at: datetime
    closed_at: datetime | None
    began_at: datetime | None
    progressed_at: datetime
    workers_total: int
    workers_done: int
    payslips: int
    self_bills: int
    held_timesheets: int
    gross_gbp: Decimal
    net_gbp: Decimal
    cost_gbp: Decimal
    paid_minutes: int
    held_minutes: int


class LeftOut(BaseModel):
    """A worker with something that the run did not pay: left out whole (`left_out`), or with timesheets held at its close."""

    worker_id: UUID
    outcome: str
    reason: str | None
    held_timesheets: int
    held_minutes: int


class RunDetail(RunOut):
    left_out: list[LeftOut]
    minimum_wage: MinimumWageOfRun


class ReplayDifference(BaseModel):
    payslip_id: UUID
    worker_id: UUID
    figure: str
    stored: str
    replayed: str


class NotAvailableOut(BaseModel):
    """Payslips made by versions that this release does not carry; `same` of them it works to the same penny all the same."""

    engine_version: str
    parameter_version: str
    payslips: int
    same: int


class ReplayOut(BaseModel):
    """`agrees`: every payslip came out to the penny by the versions that made it. `state` says otherwise: some differ, or some cannot be
    proved because this release lacks their versions. `differences`: the first 200 figures; `differing` counts payslips."""

    pay_run_id: UUID
    state: Literal["agrees", "differs", "not_available"]
    payslips: int
    equal: int
    differing: int
    agrees: bool
    engine_versions: list[str]
    parameter_versions: list[str]
    not_available: list[NotAvailableOut]
    differences: list[ReplayDifference]


class NightlyReplayOut(ReplayOut):
    """What the last nightly replay found. `night`: the London day it began on."""

    night: date
    checked_at: datetime


class MissingOut(BaseModel):
    code: Literal["missing_bank_details", "awaiting_self_bill"]
    payee_kind: Literal["worker", "supplier"]
    payee_id: UUID
    amount_gbp: Decimal


class PrepareIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    external_id: ExternalId | None = None


class PreparedOut(BaseModel):
    """`payment_file_id` null: nothing can be paid yet. `missing`: amounts that no file carries, and why."""

    payment_file_id: UUID | None
    state: str | None
    payments: int
    total_gbp: Decimal
    missing: list[MissingOut]


@own_transactions.get("/pay-runs/preview")
async def preview(
    request: Request, agency_id: AgencyId, week_ending: Week, principal: Principal = require("pay:read")
) -> PreviewOut:
    """What closing this week would pay, whether its totals match the cut-off, and what to look at first."""
    check_agency(principal, agency_id)
    require_sunday(week_ending, "query:/week_ending")
    async with worker_tx(request) as tx:
        found = await make_preview(tx, agency_id=agency_id, week_ending=week_ending)
    return _preview(found)


@own_transactions.post(
    "/pay-runs", responses={202: {"model": RunOut, "description": "The run is closing; look again later."}}
)
async def close(
    request: Request,
    response: Response,
    agency_id: AgencyId,
    body: CloseIn,
    principal: Principal = require("pay:close"),
) -> RunOut:
    """Close a week. Safe to call again: it goes on with, or gives, the same run. Payslips below the minimum wage, or not tested, need a
    person's name first (`acknowledge_minimum_wage`); pay is never held back for it. 202 with `state` closing when it takes longer than the
    request; the service goes on by itself, and the same Idempotency-Key asks again.
    """
    require_sunday(body.week_ending, "#/week_ending")
    accept, acknowledge = body.accept_difference, body.acknowledge_minimum_wage
    try:
        async with worker_tx(request) as opening:
            pay_run_id = await close_run.open_run(
                opening,
                agency_id=agency_id,
                week_ending=body.week_ending,
                accept=None if accept is None else close_run.Acceptance(by=accept.by, reason=accept.reason),
                by=principal.subject,
                external_id=body.external_id,
                acknowledge=None
                if acknowledge is None
                else close_run.Acknowledgement(by=acknowledge.by, reason=acknowledge.reason, seen=acknowledge.seen),
            )
    except close_run.WeekNotCutOff as error:
        raise conflict(
            "week_not_cut_off", f"{error}.", hint="Cut the week off in the timesheet service, then close."
        ) from error
    except close_run.EarlierWeekOpen as error:
        raise conflict(
            "earlier_week_open",
            f"{error}.",
            hint="Close that week first: tax of a year is worked in the order of its paydays.",
        ) from error
    except close_run.AnotherRunCloses as error:
        raise conflict("another_run_closes", f"{error}.") from error
    except close_run.TotalsDiffer as error:
        raise _totals_differ(error) from error
    except close_run.MinimumWageNotAcknowledged as error:
        raise _not_acknowledged(error) from error
    except EngineError as error:
        raise invalid(error.code, error.message, pointer="#/week_ending") from error
    state = request.app.state
    closed = await drive(
        state.worker_database,
        state.clock,
        agency_id=agency_id,
        pay_run_id=pay_run_id,
        seconds_max=CLOSE_SECONDS_MAX,
    )
    async with read_tx(request, agency_id) as tx:
        row = await _row(tx, agency_id, pay_run_id)
    response.status_code = 200 if closed else 202
    return _run(row)


@router.get("/pay-runs")
async def list_runs(
    tx: TxDep,
    agency_id: AgencyId,
    state: Annotated[Literal["closing", "closed"] | None, Query()] = None,
    week_ending: OptionalWeek = None,
    external_id: ExternalIdFilter = None,
    cursor: Cursor = None,
    limit: Limit = 50,
    principal: Principal = require("pay:read"),
) -> Page[RunOut]:
    """Pay runs, newest first."""
    parts = decode_cursor(cursor, parts=1)
    try:
        before = None if parts is None else date.fromisoformat(parts[0])
    except ValueError as error:
        raise invalid("bad_cursor", "The cursor is not one that this list gave.", pointer="query:/cursor") from error
    rows = await runs.page(
        tx,
        agency_id=agency_id,
        state=state,
        week_ending=week_ending,
        external_id=external_id,
        before=before,
        most=limit + 1,
    )
    return Page(
        items=[_run(row) for row in rows[:limit]],
        next_cursor=encode_cursor(rows[limit - 1].period_to) if len(rows) > limit else None,
    )


@router.get("/pay-runs/{pay_run_id}")
async def get_run(
    tx: TxDep, agency_id: AgencyId, pay_run_id: UUID, principal: Principal = require("pay:read")
) -> RunDetail:
    """A pay run, how far it is, whom it left out, and who put a name to pay below the minimum wage or not tested."""
    row = await _row(tx, agency_id, pay_run_id)
    left = await runs.left_out(tx, agency_id=agency_id, pay_run_id=pay_run_id, most=RUN_ITEMS_MAX)
    found = await acknowledgements.findings(tx, agency_id=agency_id, period_to=row.period_to)
    return RunDetail(
        **_run(row).model_dump(),
        left_out=[LeftOut.model_validate(dict(one._mapping)) for one in left],
        minimum_wage=MinimumWageOfRun(
            **_minimum_wage(summary_of(found)).model_dump(),
            items=[_minimum_wage_item(finding) for finding in found[:RUN_ITEMS_MAX]],
        ),
    )


@router.post("/pay-runs/{pay_run_id}/replay")
async def replay(
    tx: TxDep, agency_id: AgencyId, pay_run_id: UUID, principal: Principal = require("pay:read")
) -> ReplayOut:
    """Work every payslip of the run again from its stored inputs and compare, to the penny. Changes nothing."""
    await _row(tx, agency_id, pay_run_id)
    return ReplayOut(**_replayed(pay_run_id, await run_replay(tx, agency_id=agency_id, pay_run_id=pay_run_id)))


@router.get("/pay-runs/{pay_run_id}/replay")
async def last_replay(
    tx: TxDep, agency_id: AgencyId, pay_run_id: UUID, principal: Principal = require("pay:read")
) -> NightlyReplayOut:
    """What the last nightly replay of the run found; 404 before the first."""
    row = await replays.of_run(tx, agency_id=agency_id, pay_run_id=pay_run_id)
    if row is None:
        raise not_found("nightly_replay", pay_run_id)
    return NightlyReplayOut(
        **_replayed(pay_run_id, replay_of(load_json(row.result))), night=row.night, checked_at=row.checked_at
    )


@router.get(
    "/pay-runs/{pay_run_id}/fps.csv",
    response_class=Response,
    responses={200: {"content": {"text/csv": {}}, "description": "One row a payslip"}},
)
async def submission(
    tx: TxDep, agency_id: AgencyId, pay_run_id: UUID, principal: Principal = require("pay:read")
) -> Response:
    """The facts of the Full Payment Submission, one row a payslip."""
    row = await _row(tx, agency_id, pay_run_id)
    text = await fps_csv(tx, agency_id=agency_id, pay_run_id=pay_run_id)
    return download(text, f"fps-{row.payday_on}.csv", CSV_TYPE)


@own_transactions.get(
    "/pay-runs/{pay_run_id}/payslips.zip",
    response_class=FileResponse,
    responses={200: {"content": {"application/zip": {}}, "description": "The payslips"}},
)
async def payslips_zip(
    request: Request, agency_id: AgencyId, pay_run_id: UUID, principal: Principal = require("pay:read")
) -> Response:
    """Every payslip of a closed run as a PDF in one ZIP; made once, then kept."""
    check_agency(principal, agency_id)
    async with read_tx(request, agency_id) as tx:
        run = await _row(tx, agency_id, pay_run_id)
    if run.state != "closed":
        raise conflict("pay_run_not_closed", f"Pay run {pay_run_id} is still closing; its payslips are not all final.")
    path = Path(request.app.state.settings.files_dir) / "payslips" / str(agency_id) / f"{pay_run_id}.zip"
    state = request.app.state
    if not hasattr(state, "zip_lock"):
        state.zip_lock = asyncio.Lock()
    async with state.zip_lock:
        if not path.is_file():
            await _make_zip(request, agency_id, run, path)
    return FileResponse(path, media_type="application/zip", filename=f"payslips-{run.payday_on}.zip")


@router.post("/pay-runs/{pay_run_id}/payment-file")
async def prepare_payment_file(
    tx: TxDep,
    agency_id: AgencyId,
    pay_run_id: UUID,
    body: PrepareIn | None = None,
    principal: Principal = require("pay:close"),
) -> PreparedOut:
    """Put all that can be paid of a closed run into a payment file, which another person releases. Called again, it makes a file of
    what has become payable since, or gives the last one."""
    run = await _row(tx, agency_id, pay_run_id)
    try:
        prepared = await payments.prepare(
            tx,
            agency_id=agency_id,
            run=run,
            by=principal.subject,
            by_name=principal.name,
            external_id=None if body is None else body.external_id,
        )
    except payments.RunNotClosed as error:
        raise conflict("pay_run_not_closed", f"{error}.") from error
    except payments.NothingToPay as error:
        raise conflict("nothing_to_pay", f"{error}.") from error
    file = None
    if prepared.payment_file_id is not None:
        file = await stored_payments.file(tx, agency_id=agency_id, payment_file_id=prepared.payment_file_id)
    return PreparedOut(
        payment_file_id=prepared.payment_file_id,
        state=None if file is None else file.state,
        payments=0 if file is None else file.payments,
        total_gbp=Decimal(0) if file is None else file.total_gbp,
        missing=[MissingOut.model_validate(one, from_attributes=True) for one in prepared.missing],
    )


def _replayed(pay_run_id: UUID, found: Replay) -> dict[str, Any]:
    return {
        "pay_run_id": pay_run_id,
        "state": found.state,
        "payslips": found.payslips,
        "equal": found.equal,
        "differing": found.differing,
        "agrees": found.state == "agrees",
        "engine_versions": sorted({engine for engine, _ in found.versions}),
        "parameter_versions": sorted({parameters for _, parameters in found.versions}),
        "not_available": found.as_json()["not_available"],
        "differences": [ReplayDifference.model_validate(one, from_attributes=True) for one in found.differences],
    }


async def _row(tx: Any, agency_id: UUID, pay_run_id: UUID) -> Any:
    row = await runs.by_id(tx, agency_id=agency_id, pay_run_id=pay_run_id)
    if row is None:
        raise not_found("pay_run", pay_run_id)
    return row


async def _make_zip(request: Request, agency_id: UUID, run: Any, path: Path) -> None:
    """Read a page of payslips, render it in a thread, and so on: memory for one page, no transaction while rendering."""
    loop = asyncio.get_running_loop()
    path.parent.mkdir(parents=True, exist_ok=True)
    after: tuple[UUID, UUID] | None = None

    async def next_page() -> list[Payslip]:
        nonlocal after
        async with read_tx(request, agency_id) as tx:
            rows = await slips.of_run(
                tx, agency_id=agency_id, pay_run_id=run.pay_run_id, pay_basis="paye", after=after, most=ZIP_PAGE
            )
            if not rows:
                return []
            after = (rows[-1].worker_id, rows[-1].payslip_id)
            context = await context_of(tx, agency_id=agency_id, rows=rows)
        return [payslip_of(row, context) for row in rows]

    def pages() -> Any:
        while page := asyncio.run_coroutine_threadsafe(next_page(), loop).result(timeout=120):
            yield from page

    processes = min(ZIP_PROCESSES_MAX, os.cpu_count() or 1) if run.payslips > ZIP_PAGE else 1
    await asyncio.to_thread(write_zip, path, pages(), processes=processes)


def download(text: str, name: str, media_type: str) -> Response:
    """Text as a file to keep."""
    return Response(text, media_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def _totals_differ(error: close_run.TotalsDiffer) -> Problem:
    found = close_run.differences(error.own, error.control)
    words = ", ".join(f"{name} {error.own[name]} against {error.control[name]} at the cut-off" for name in found)
    return Problem(
        409,
        "totals_differ",
        f"The week's totals are not those of its cut-off: {words}.",
        errors=[
            FieldError(
                pointer=f"#/{name}", code="differs", detail=f"own {error.own[name]}, control {error.control[name]}"
            )
            for name in found
        ],
        hint="Wait until all timesheets have arrived, cut the week off again, or accept the difference by name.",
    )


def _not_acknowledged(error: close_run.MinimumWageNotAcknowledged) -> Problem:
    found, counted = summary_of(error.findings), []
    if found.below:
        short = Decimal(found.shortfall_pence).scaleb(-2)
        counted.append(f"{found.below} below the minimum wage, {short} pounds short in all")
    if found.not_tested:
        counted.append(f"{found.not_tested} not tested")
    words = f"Payslips of the week that need a person's name: {'; '.join(counted)}."
    return Problem(
        409,
        "minimum_wage_findings_changed" if error.looked_at else "minimum_wage_not_acknowledged",
        f"What was looked at has changed since. {words}" if error.looked_at else words,
        errors=[
            FieldError(
                pointer="#/acknowledge_minimum_wage",
                code=finding.code,
                detail=f"{finding.worker or f'worker {finding.worker_id}'}: {finding.detail}",
            )
            for finding in error.findings[:FINDINGS_NAMED]
        ],
        hint="Look at them in the preview. Put right what is wrong, or close with a name and a reason (acknowledge_minimum_wage), and with "
        "the mark of what was seen that the preview gives (minimum_wage.seen).",
    )


def _minimum_wage(found: MinimumWageSummary) -> MinimumWageOut:
    return MinimumWageOut(
        below=found.below,
        not_tested=found.not_tested,
        shortfall_gbp=Decimal(found.shortfall_pence).scaleb(-2),
        unacknowledged=found.unacknowledged,
        seen=found.seen,
    )


def _minimum_wage_item(finding: MinimumWageFinding) -> MinimumWageItem:
    acknowledged = finding.acknowledged
    return MinimumWageItem(
        worker_id=finding.worker_id,
        worker=finding.worker,
        payslip_id=finding.payslip_id,
        revision=finding.revision,
        code=finding.code,
        detail=finding.detail,
        shortfall_gbp=Decimal(finding.shortfall_pence).scaleb(-2),
        acknowledged=None
        if acknowledged is None
        else AcknowledgedOut.model_validate(acknowledged, from_attributes=True),
    )


def _preview(found: Preview) -> PreviewOut:
    control = found.control
    return PreviewOut(
        week_ending=found.week_ending,
        period_to=found.period_to,
        payday_on=found.payday_on,
        funds_on=found.funds_on,
        state=found.state,
        pay_run_id=found.pay_run_id,
        own=Totals(**found.own),
        control=None if control is None else Totals.model_validate(control),
        cut_off_at=None if control is None else control["cut_off_at"],
        difference={name: Decimal(value) for name, value in found.difference.items()},
        matches=found.matches,
        people=found.people,
        payslips=found.payslips,
        self_bills=found.self_bills,
        gross_gbp=found.gross_gbp,
        net_gbp=found.net_gbp,
        cost_gbp=found.cost_gbp,
        payable_minutes=found.payable_minutes,
        held_timesheets=found.held_timesheets,
        held_minutes=found.held_minutes,
        minimum_wage=_minimum_wage(found.minimum_wage),
        findings={
            code: FindingOut(
                count=finding.count,
                items=[FindingItem.model_validate(item, from_attributes=True) for item in finding.items],
            )
            for code, finding in found.findings.items()
        },
    )


def _run(row: Any) -> RunOut:
    values = dict(row._mapping)
    values["control"] = runs.totals_json(values.pop("control_totals"))
    values["own"] = runs.totals_json(values.pop("own_totals"))
    return RunOut.model_validate({name: values[name] for name in RunOut.model_fields})
