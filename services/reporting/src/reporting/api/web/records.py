"""Lists and single records: timesheets, holds, payslips, invoices, pay runs, and what their owners add to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response

from paybill_common.db import Tx
from paybill_common.http.problems import Problem, not_found
from paybill_common.labels import labels_of
from reporting.api.forward import Answer, Away, Refused
from reporting.api.web.context import HEADERS, Visitor, forward_of, newest_week, page, reading, visitor
from reporting.api.web.overview import WeekPath, steps_of
from reporting.api.web.route import PageRoute
from reporting.api.web.views import view_query
from reporting.api.weeks import known_timesheet, reasons_of, sunday, words_line
from reporting.domain import explained, tidy, words
from reporting.store import lists, views
from reporting.store import week as store
from reporting.usecases.week import read_week

router = APIRouter(route_class=PageRoute, include_in_schema=False)
PAGE = 100
Search = Annotated[str | None, Query(max_length=100, pattern=r"^[^\x00]*$")]
Number = Annotated[int, Query(ge=1, le=10_000)]
Short = Annotated[str | None, Query(max_length=80, pattern=r"^[^\x00]*$")]
WeekQuery = Annotated[date, Query(alias="week", ge=date(2000, 1, 2), le=date(2100, 12, 26))]
Sort = Annotated[str, Query(max_length=20, pattern=r"^-?[a-z]*$")]

COLUMNS = (
    ("consultant", "Consultant"),
    ("branch", "Branch"),
    ("basis", "Basis"),
    ("po", "Purchase order"),
    ("paystate", "Pay state"),
    ("billstate", "Bill state"),
    ("pay", "Pay £"),
    ("margin", "Margin £"),
    ("age", "Since"),
)
DEFAULT_COLUMNS = frozenset({"paystate", "billstate", "pay", "margin"})


@dataclass(frozen=True)
class Numbers:
    """Which rows of how many a page shows."""

    number: int
    pages: int
    first: int
    last: int


def numbers(number: int, total: int, size: int = PAGE) -> Numbers:
    pages = max(1, (total + size - 1) // size)
    return Numbers(number, pages, (number - 1) * size + 1, min(total, number * size))


def uuid_or_none(text: str | None) -> UUID | None:
    """An empty choice of a filter is none; anything else must be an id."""
    if not text:
        return None
    try:
        return UUID(text)
    except ValueError as error:
        raise Problem(
            422, "invalid_request", "A filter holds something that is not an id.", hint="Clear it."
        ) from error


def text_of(request: Request, name: str) -> str | None:
    """A text of this address, without the character that cannot be stored."""
    return request.query_params.get(name, "").replace("\x00", "")[:100] or None


def timesheet_filter(request: Request, week: date) -> lists.TimesheetFilter:
    """The filter that this address stands for."""
    q = request.query_params
    values = {name: text_of(request, name) for name in _PLAIN}
    return lists.TimesheetFilter(
        week_ending=week,
        held=bool(q.get("held")),
        not_approved=bool(q.get("not_approved")),
        client_id=uuid_or_none(q.get("client_id")),
        worker_id=uuid_or_none(q.get("worker_id")),
        consultant_id=uuid_or_none(q.get("consultant_id")),
        **values,
    )


_PLAIN = ("status", "pay_state", "bill_state", "reason", "branch", "pay_basis", "q")


@router.get("/agencies/{agency_id}/weeks/{week_ending}/timesheets")
async def timesheets_page(
    request: Request,
    agency_id: UUID,
    week_ending: WeekPath,
    sort: Sort = "reference",
    number: Annotated[int, Query(alias="page", ge=1, le=10_000)] = 1,
    cols: Annotated[list[Short] | None, Query(max_length=20)] = None,
) -> Response:
    """Timesheets of the week, searched, filtered, sorted, paged."""
    who = await visitor(request)
    who.agency(agency_id)
    week = sunday(week_ending)
    wanted = timesheet_filter(request, week)
    async with reading(request, agency_id) as tx:
        found = await lists.timesheets(
            tx, agency_id=agency_id, wanted=wanted, sort=sort, offset=(number - 1) * PAGE, most=PAGE
        )
        choices = await lists.choices(tx, agency_id=agency_id, week_ending=week)
        kept = await views.views_of(tx, agency_id=agency_id, subject=who.principal.subject)
    at = numbers(number, found.total)
    filtered = any(
        getattr(wanted, name) for name in (*_PLAIN, "held", "not_approved", "client_id", "worker_id", "consultant_id")
    )
    return await page(
        request,
        who,
        "timesheets.html",
        agency_id=agency_id,
        week_ending=week,
        f=wanted,
        sort=sort,
        page_of=found,
        number=at.number,
        pages=at.pages,
        first=at.first,
        last=at.last,
        filtered=filtered,
        kept=kept,
        chasable=found.total > 0 and who.may("write") and _is_chase(wanted),
        query=view_query(request.url.query),
        live_key="" if filtered else "expected",
        columns=COLUMNS,
        chosen=[col for col in cols or [] if col],
        shown=frozenset(cols) if cols else DEFAULT_COLUMNS,
        status_options=[(key, state.word) for key, state in words.STATUS.items()],
        pay_options=[(key, state.word) for key, state in words.PAY_STATE.items() if key != "none"],
        bill_options=[(key, state.word) for key, state in words.BILL_STATE.items() if key != "none"],
        client_options=[(row.id, row.name) for row in choices["client"]],
        consultant_options=[(row.id, row.name) for row in choices["consultant"]],
        branch_options=[(row.name, row.name) for row in choices["branch"]],
    )


def _is_chase(wanted: lists.TimesheetFilter) -> bool:
    """The list is of missing hours, and is one that the timesheet service chases whole: by client, by consultant, or all."""
    others = (name for name in (*_PLAIN, "held", "not_approved", "worker_id") if name != "status")
    return wanted.status == "expected" and not any(getattr(wanted, name) for name in others)


@dataclass(frozen=True)
class ShownLine:
    """A charge line with its explanations; `paid` and `billed` are zero where the line is not for that side."""

    row: Any
    pay: str
    charge: str
    paid: Decimal
    billed: Decimal


@dataclass(frozen=True)
class Chapter:
    at: Any
    state: words.State
    text: str


@router.get("/agencies/{agency_id}/timesheets/{timesheet_id}")
async def timesheet_page(request: Request, agency_id: UUID, timesheet_id: UUID) -> Response:
    """One timesheet's whole story across the services."""
    who = await visitor(request)
    who.agency(agency_id)
    async with reading(request, agency_id) as tx:
        row = await known_timesheet(tx, agency_id, timesheet_id)
        lines = await lists.lines_of(tx, agency_id=agency_id, timesheet_id=timesheet_id)
        story = await lists.story_of(tx, agency_id=agency_id, timesheet_id=timesheet_id)
        payslips = await lists.payslips_of(tx, agency_id=agency_id, timesheet_id=timesheet_id)
        documents = await lists.documents_of(tx, agency_id=agency_id, timesheet_id=timesheet_id)
        named = await labels_of(tx, kind="payee", ids={row.payee_id} if row.payee_id else set())
    return await page(
        request,
        who,
        "timesheet.html",
        agency_id=agency_id,
        week_ending=row.week_ending,
        row=row,
        reasons=reasons_of(row),
        lines=_by_version(lines),
        story=[
            Chapter(
                chapter.happened_at,
                words.story_state(chapter.kind, chapter.detail),
                words.story(chapter.kind, chapter.detail),
            )
            for chapter in sorted(story, key=lambda c: (c.happened_at, words.STORY_ORDER.get(c.kind, 99), c.sequence))
        ],
        payslips=payslips,
        documents=documents,
        payee=named.get(row.payee_id),
        back=f"/agencies/{agency_id}/timesheets/{timesheet_id}",
        reject_reasons=REJECT_REASONS,
    )


def _by_version(lines: list[Any]) -> list[tuple[int, list[ShownLine]]]:
    versions: dict[int, list[ShownLine]] = {}
    for row in lines:
        line = words_line(row)
        shown = ShownLine(
            row,
            words.explain_pay(line),
            words.explain_charge(line),
            row.pay_gbp if row.payable else Decimal(0),
            row.charge_gbp if row.billable else Decimal(0),
        )
        versions.setdefault(row.version, []).append(shown)
    return sorted(versions.items(), reverse=True)


@router.get("/agencies/{agency_id}/timesheets/{timesheet_id}/owner")
async def timesheet_owner(request: Request, agency_id: UUID, timesheet_id: UUID) -> Response:
    """Entries, approvals and evidence, from the timesheet service."""
    who = await visitor(request)
    who.agency(agency_id)
    answer, away, refused = await ask(request, who, agency_id, "timesheet", f"/timesheets/{timesheet_id}")
    raw = answer if isinstance(answer, Mapping) else {}
    kept = {key: raw[key] for key in ("problems", "entries", "expenses", "entry_blocks") if key in raw}
    return await page(
        request,
        who,
        "timesheet_owner.html",
        agency_id=agency_id,
        shown=await _tidied(request, agency_id, kept),
        evidence=[tidy.evidence(one) for one in raw.get("evidence") or [] if isinstance(one, Mapping)],
        away=away,
        refused=refused,
    )


@router.get("/agencies/{agency_id}/timesheets/{timesheet_id}/documents")
async def timesheet_documents(request: Request, agency_id: UUID, timesheet_id: UUID) -> Response:
    """The worker's documents as compliance keeps them, each with its file."""
    who = await visitor(request)
    who.agency(agency_id)
    async with reading(request, agency_id) as tx:
        row = await known_timesheet(tx, agency_id, timesheet_id)
    answer, away, refused = await ask(request, who, agency_id, "compliance", f"/workers/{row.worker_id}")
    if refused is not None and refused.status == 404:  # compliance has not heard of the worker
        refused = None
    raw = answer if isinstance(answer, Mapping) else {}
    return await page(
        request,
        who,
        "timesheet_documents.html",
        agency_id=agency_id,
        week_ending=row.week_ending,
        kept=[
            tidy.document(one, worked_to=row.week_ending)
            for one in raw.get("documents") or []
            if isinstance(one, Mapping)
        ],
        away=away,
        refused=refused,
    )


@router.get("/agencies/{agency_id}/weeks/{week_ending}/holds")
async def holds_page(
    request: Request,
    agency_id: UUID,
    week_ending: WeekPath,
    reason: Short = None,
    q: Search = None,
    number: Annotated[int, Query(alias="page", ge=1, le=10_000)] = 1,
) -> Response:
    """Who is held, why, which shift, and how much money waits."""
    who = await visitor(request)
    who.agency(agency_id)
    week = sunday(week_ending)
    wanted = lists.TimesheetFilter(week_ending=week, held=True, reason=reason, q=q)
    async with reading(request, agency_id) as tx:
        groups = await store.blocks(tx, agency_id=agency_id, week_ending=week)
        found = await lists.timesheets(
            tx, agency_id=agency_id, wanted=wanted, sort="age", offset=(number - 1) * PAGE, most=PAGE
        )
        alerts = await lists.alerts(tx, agency_id=agency_id, most=12)
    at = numbers(number, found.total)
    return await page(
        request,
        who,
        "holds.html",
        agency_id=agency_id,
        week_ending=week,
        groups=groups,
        page_of=found,
        held=[{"row": row, "reasons": reasons_of(row)} for row in found.rows],
        alerts=alerts,
        reason=reason,
        q=q,
        number=at.number,
        pages=at.pages,
        first=at.first,
        last=at.last,
    )


@router.get("/agencies/{agency_id}/weeks/{week_ending}/holds/expiring")
async def expiring_panel(request: Request, agency_id: UUID, week_ending: WeekPath) -> Response:
    """Documents that lapse soon, from compliance."""
    return await _owner_panel(
        request,
        agency_id,
        service="compliance",
        path="/expiring",
        params={"within_days": "60", "limit": "25"},
        heading="Expiring soon",
        empty="No document on file expires in the next 60 days.",
        panel_id="expiring",
        keep=("worker_id", "requirement", "expires_on"),
        nav="holds",
    )


@router.get("/agencies/{agency_id}/weeks/{week_ending}/payslips")
async def payslips_page(
    request: Request,
    agency_id: UUID,
    week_ending: WeekPath,
    state: Short = None,
    pay_basis: Short = None,
    pay_run_id: Short = None,
    q: Search = None,
    sort: Sort = "worker",
    number: Annotated[int, Query(alias="page", ge=1, le=10_000)] = 1,
) -> Response:
    who = await visitor(request)
    who.agency(agency_id)
    week = sunday(week_ending)
    wanted = lists.PayslipFilter(
        week_ending=week, state=state, pay_basis=pay_basis, pay_run_id=uuid_or_none(pay_run_id), q=q
    )
    async with reading(request, agency_id) as tx:
        found = await lists.payslips(
            tx, agency_id=agency_id, wanted=wanted, sort=sort, offset=(number - 1) * PAGE, most=PAGE
        )
    at = numbers(number, found.total)
    return await page(
        request,
        who,
        "payslips.html",
        agency_id=agency_id,
        week_ending=week,
        f=wanted,
        sort=sort,
        page_of=found,
        number=at.number,
        pages=at.pages,
        first=at.first,
        last=at.last,
    )


@router.get("/agencies/{agency_id}/payslips/{payslip_id}")
async def payslip_page(request: Request, agency_id: UUID, payslip_id: UUID) -> Response:
    who = await visitor(request)
    who.agency(agency_id)
    async with reading(request, agency_id) as tx:
        row = await lists.payslip_row(tx, agency_id=agency_id, payslip_id=payslip_id)
        if row is None:
            raise not_found("payslip", payslip_id)
        shares = await lists.payslip_shares(tx, agency_id=agency_id, payslip_id=payslip_id)
    return await page(
        request,
        who,
        "payslip.html",
        agency_id=agency_id,
        week_ending=row.period_to - timedelta(days=1),
        p=row,
        shares=shares,
    )


@router.get("/agencies/{agency_id}/payslips/{payslip_id}/explanation")
async def payslip_explanation(request: Request, agency_id: UUID, payslip_id: UUID, figure: Short = None) -> Response:
    """Why a figure, or net pay, is what it is: words first, then the steps, from pay-calc."""
    who = await visitor(request)
    who.agency(agency_id)
    answer, away, refused = await ask(request, who, agency_id, "pay-calc", f"/payslips/{payslip_id}/explanation")
    return await page(
        request,
        who,
        "explanation.html",
        agency_id=agency_id,
        payslip_id=payslip_id,
        asked=figure,
        why=explained.why(answer if isinstance(answer, Mapping) else {}, figure),
        away=away,
        refused=refused,
    )


@router.get("/agencies/{agency_id}/weeks/{week_ending}/pay")
async def pay_page(request: Request, agency_id: UUID, week_ending: WeekPath) -> Response:
    """The pay run: preview, close, prepare the payment file, release by a second person."""
    who = await visitor(request)
    who.agency(agency_id)
    week = sunday(week_ending)
    async with reading(request, agency_id) as tx:
        found = await read_week(tx, agency_id=agency_id, week_ending=week, with_tie_out=False)
        every = await store.pay_runs(tx, agency_id=agency_id)
    return await page(
        request,
        who,
        "pay.html",
        agency_id=agency_id,
        week_ending=week,
        found=found,
        steps=steps_of(found)[:3],
        runs=found.pay_runs,
        all_runs=every,
    )


@router.get("/agencies/{agency_id}/weeks/{week_ending}/pay/preview")
async def pay_preview(request: Request, agency_id: UUID, week_ending: WeekPath) -> Response:
    """What closing the pay run would do, from pay-calc, and the pay that a person puts a name to first."""
    who = await visitor(request)
    who.agency(agency_id)
    params = {"week_ending": sunday(week_ending).isoformat()}
    answer, away, refused = await ask(request, who, agency_id, "pay-calc", "/pay-runs/preview", params)
    raw = dict(answer) if isinstance(answer, Mapping) else {}
    findings = dict(raw.get("findings") or {})
    mine = [findings.pop(code, None) or {} for code in ("below_minimum_wage", "minimum_wage_not_tested")]
    items = [item for finding in mine for item in finding.get("items") or []]
    summary = raw.pop("minimum_wage", None) or {}
    async with reading(request, agency_id) as tx:
        minimum_wage = await _minimum_wage(tx, summary, items)
    return await page(
        request,
        who,
        "pay_preview.html",
        agency_id=agency_id,
        week_ending=week_ending,
        heading="What closing would do",
        empty="Nothing to pay in this week yet.",
        panel_id="preview",
        nav_of="pay",
        shown=await _tidied(request, agency_id, raw | {"findings": findings}),
        minimum_wage=minimum_wage,
        open=raw.get("state") == "open",
        away=away,
        refused=refused,
    )


@dataclass(frozen=True)
class MinimumWageRow:
    """A payslip that is below the minimum wage or could not be tested; `by`, `at`, `reason`: who put a name to it, once somebody has."""

    payslip_id: str
    worker: str
    what: str
    by: str
    at: datetime | None
    reason: str


@dataclass(frozen=True)
class MinimumWage:
    """Those of a week: how many, what is short, how many wait for a name, and the mark of these."""

    below: int
    not_tested: int
    shortfall_gbp: Decimal
    unacknowledged: int
    seen: str
    rows: tuple[MinimumWageRow, ...]

    @property
    def left_out(self) -> int:
        return self.below + self.not_tested - len(self.rows)


async def _minimum_wage(tx: Tx, summary: Mapping[str, Any], items: list[Any]) -> MinimumWage:
    """Pay-calc's minimum wage findings, with the workers by name."""
    raw = [item for item in items[: tidy.ROWS_MAX] if isinstance(item, Mapping)]
    names = await labels_of(tx, kind="worker", ids={UUID(str(item["worker_id"])) for item in raw})
    return MinimumWage(
        below=int(summary.get("below") or 0),
        not_tested=int(summary.get("not_tested") or 0),
        shortfall_gbp=Decimal(str(summary.get("shortfall_gbp") or 0)),
        unacknowledged=int(summary.get("unacknowledged") or 0),
        seen=str(summary.get("seen") or ""),
        rows=tuple(_minimum_wage_row(item, names) for item in raw),
    )


def _minimum_wage_row(item: Mapping[str, Any], names: Mapping[UUID, str]) -> MinimumWageRow:
    named = item.get("acknowledged") or {}
    return MinimumWageRow(
        payslip_id=str(item.get("payslip_id", "")),
        worker=names.get(UUID(str(item["worker_id"])), "Not named yet"),
        what=words.minimum_wage(str(item.get("code", "")), str(item.get("detail", ""))),
        by=str(named.get("by") or ""),
        at=datetime.fromisoformat(str(named["at"])) if named else None,
        reason=str(named.get("reason") or ""),
    )


@dataclass(frozen=True)
class PaymentFile:
    id: str
    name: str
    released: bool
    mine: bool
    total_gbp: Decimal
    facts: tuple[tidy.Fact, ...]


@dataclass(frozen=True)
class LeftOut:
    """A worker whom a pay run did not pay, or not whole."""

    worker_id: str
    worker: str
    why: str
    timesheets: int
    minutes: int


@router.get("/agencies/{agency_id}/pay-runs/{pay_run_id}/files")
async def run_files(request: Request, agency_id: UUID, pay_run_id: UUID, week: WeekQuery) -> Response:
    """The payment files of a pay run, who may release each, whom the run left out, and who put a name to low pay."""
    who = await visitor(request)
    who.agency(agency_id)
    answer, away, refused = await ask(
        request, who, agency_id, "pay-calc", "/payment-files", {"pay_run_id": str(pay_run_id)}
    )
    run, _, _ = await ask(request, who, agency_id, "pay-calc", f"/pay-runs/{pay_run_id}")
    items = answer.get("items") if isinstance(answer, Mapping) else answer
    files = [_payment_file(item, who) for item in items or [] if isinstance(item, Mapping)]
    prepared = sum((file.total_gbp for file in files if not file.released), Decimal(0))
    async with reading(request, agency_id) as tx:
        found_week = await read_week(tx, agency_id=agency_id, week_ending=sunday(week), with_tie_out=False)
        left_out = await left_out_of(tx, run)
        found = run.get("minimum_wage") if isinstance(run, Mapping) else None
        minimum_wage = await _minimum_wage(tx, found or {}, (found or {}).get("items") or [])
    return await page(
        request,
        who,
        "run_files.html",
        agency_id=agency_id,
        week_ending=week,
        files=files,
        covered=prepared > 0 and prepared >= found_week.to_pay_gbp,
        left_out=left_out,
        minimum_wage=minimum_wage,
        away=away,
        refused=refused,
        back=f"/agencies/{agency_id}/weeks/{week}/pay",
    )


async def left_out_of(tx: Tx, run: Any) -> list[LeftOut]:
    """Whom a run left out, by name."""
    rows = run.get("left_out") if isinstance(run, Mapping) else None
    raw = [row for row in rows or [] if isinstance(row, Mapping)]
    names = await labels_of(tx, kind="worker", ids={UUID(str(row["worker_id"])) for row in raw})
    return [
        LeftOut(
            worker_id=str(row["worker_id"]),
            worker=names.get(UUID(str(row["worker_id"])), "Not named yet"),
            why=words.left_out(row.get("outcome"), row.get("reason")),
            timesheets=int(row.get("held_timesheets") or 0),
            minutes=int(row.get("held_minutes") or 0),
        )
        for row in raw
    ]


_FILE_FACTS = (
    "funds_on",
    "payments",
    "total_gbp",
    "prepared_by_name",
    "prepared_at",
    "released_by_name",
    "released_at",
)


def _payment_file(raw: Mapping[str, Any], who: Visitor) -> PaymentFile:
    return PaymentFile(
        id=str(raw.get("payment_file_id", "")),
        name=f"File {raw.get('serial', '')}".strip(),
        released=raw.get("state") == "released",
        mine=raw.get("prepared_by") == who.principal.subject,
        total_gbp=Decimal(str(raw.get("total_gbp") or 0)),
        facts=tidy.tidy({name: raw.get(name) for name in _FILE_FACTS}, names={}).facts,
    )


@router.get("/agencies/{agency_id}/weeks/{week_ending}/invoices")
async def invoices_page(
    request: Request,
    agency_id: UUID,
    week_ending: WeekPath,
    kind: Short = None,
    unpaid: Short = None,
    q: Search = None,
    sort: Sort = "number",
    number: Annotated[int, Query(alias="page", ge=1, le=10_000)] = 1,
) -> Response:
    """Documents of the week, and the invoice run: preview and issue."""
    who = await visitor(request)
    who.agency(agency_id)
    week = sunday(week_ending)
    wanted = lists.DocumentFilter(week_ending=week, kind=kind, unpaid=bool(unpaid), q=q)
    async with reading(request, agency_id) as tx:
        week_found = await read_week(tx, agency_id=agency_id, week_ending=week, with_tie_out=False)
        found = await lists.documents(
            tx, agency_id=agency_id, wanted=wanted, sort=sort, offset=(number - 1) * PAGE, most=PAGE
        )
    at = numbers(number, found.total)
    return await page(
        request,
        who,
        "invoices.html",
        agency_id=agency_id,
        week_ending=week,
        found=week_found,
        f=wanted,
        sort=sort,
        page_of=found,
        number=at.number,
        pages=at.pages,
        first=at.first,
        last=at.last,
    )


@router.get("/agencies/{agency_id}/weeks/{week_ending}/invoices/preview")
async def invoice_preview(request: Request, agency_id: UUID, week_ending: WeekPath) -> Response:
    """What issuing would do, from invoicing."""
    return await _owner_panel(
        request,
        agency_id,
        service="invoicing",
        path="/invoice-runs/preview",
        params={"week_ending": sunday(week_ending).isoformat()},
        heading="What issuing would do",
        empty="Nothing to bill in this week yet.",
        panel_id="preview",
        nav="invoices",
    )


REJECT_REASONS = (
    ("hours_do_not_match", "The hours do not match"),
    ("wrong_day", "A day is wrong"),
    ("not_worked", "The worker was not there"),
    ("other", "Something else"),
)
CREDIT_REASONS = (
    ("wrong_rate", "The rate was wrong"),
    ("wrong_hours", "The hours were wrong"),
    ("wrong_client", "It went to the wrong client"),
    ("missing_purchase_order", "The purchase order was missing"),
    ("goodwill", "Goodwill"),
)


@router.get("/agencies/{agency_id}/invoices/{document_id}")
async def invoice_page(request: Request, agency_id: UUID, document_id: UUID) -> Response:
    """One document: its sums, what it is made of, its PDF."""
    who = await visitor(request)
    who.agency(agency_id)
    async with reading(request, agency_id) as tx:
        row = await lists.document_row(tx, agency_id=agency_id, document_id=document_id)
        if row is None:
            raise not_found("invoice", document_id)
        lines = await lists.document_lines(tx, agency_id=agency_id, document_id=document_id)
        receipts = await lists.receipts_of(tx, agency_id=agency_id, document_id=document_id)
        week = row.week_ending or await newest_week(tx, request, agency_id)
    return await page(
        request,
        who,
        "invoice.html",
        agency_id=agency_id,
        week_ending=week,
        d=row,
        lines=lines,
        receipts=receipts,
        credit_reasons=CREDIT_REASONS,
    )


FILES = {
    "documents": "compliance",
    "invoices": "invoicing",
    "credit-notes": "invoicing",
    "self-bills": "invoicing",
    "payslips": "pay-calc",
    "pay-runs": "pay-calc",
    "payment-files": "pay-calc",
}
PARTS = frozenset({"pdf", "payslips.zip", "fps.csv", "content", "file"})
INLINE = ("application/pdf", "image/png", "image/jpeg")


@router.get("/agencies/{agency_id}/files/{kind}/{record_id}/{part}")
async def file_of_owner(
    request: Request,
    agency_id: UUID,
    kind: Annotated[str, Path(max_length=30)],
    record_id: UUID,
    part: Annotated[str, Path(max_length=30)],
) -> Response:
    """A document or file of another service, fetched with this person's rights."""
    who = await visitor(request)
    who.agency(agency_id)
    if kind not in FILES or part not in PARTS:
        raise Problem(404, "no_such_path", "There is no such file.")
    params = {"format": request.query_params["format"][:20]} if request.query_params.get("format") else None
    try:
        answer = await forward_of(request).send(
            FILES[kind],
            "GET",
            f"/{kind}/{record_id}/{part}",
            principal=who.principal,
            agency_id=agency_id,
            params=params,
        )
    except Away as error:
        raise Problem(
            503, "owner_away", str(error), hint="Try again in a moment; the rest of the pages work."
        ) from error
    except Refused as error:
        raise Problem(error.status, error.code, error.detail, hint=error.hint) from error
    inline = answer.media_type.startswith(INLINE)
    disposition = answer.disposition or f'{"inline" if inline else "attachment"}; filename="{kind}-{record_id}-{part}"'
    headers = {
        **HEADERS,
        "Content-Disposition": disposition.replace("attachment", "inline", 1) if inline else disposition,
    }
    return Response(answer.content, media_type=answer.media_type, headers=headers)


async def ask(
    request: Request,
    who: Visitor,
    agency_id: UUID,
    service: str,
    path: str,
    params: Mapping[str, str] | None = None,
) -> tuple[Any, str | None, Refused | None]:
    """An owner's JSON answer; or the sentence that it is away; or its refusal."""
    try:
        answer: Answer = await forward_of(request).send(
            service, "GET", path, principal=who.principal, agency_id=agency_id, params=params
        )
        return answer.json(), None, None
    except Away as error:
        return None, str(error), None
    except Refused as error:
        return None, None, error


async def _owner_panel(
    request: Request,
    agency_id: UUID,
    *,
    service: str,
    path: str,
    heading: str,
    empty: str,
    panel_id: str,
    params: Mapping[str, str] | None = None,
    keep: tuple[str, ...] = (),
    nav: str = "timesheets",
) -> Response:
    """A panel of another service's answer, whatever its fields; the page around it does not depend on it."""
    who = await visitor(request)
    who.agency(agency_id)
    answer, away, refused = await ask(request, who, agency_id, service, path, params)
    if isinstance(answer, Mapping) and isinstance(answer.get("items"), list):
        answer = answer["items"]
    if keep and isinstance(answer, Mapping):
        answer = {key: answer[key] for key in keep if key in answer}
    elif keep and isinstance(answer, list):
        answer = [{key: row[key] for key in keep if key in row} for row in answer if isinstance(row, Mapping)]
    return await page(
        request,
        who,
        "owner_panel.html",
        agency_id=agency_id,
        heading=heading,
        empty=empty,
        panel_id=panel_id,
        nav_of=nav,
        shown=await _tidied(request, agency_id, answer),
        away=away,
        refused=refused,
    )


async def _tidied(request: Request, agency_id: UUID, answer: Any) -> tidy.Tidied:
    names: dict[UUID, str] = {}
    wanted = tidy.names_wanted(answer)
    if wanted:
        async with reading(request, agency_id) as tx:
            for kind, ids in wanted.items():
                names |= await labels_of(tx, kind=kind, ids=ids)
    return tidy.tidy(answer, names=names, base=f"/agencies/{agency_id}")


def query_text(request: Request) -> str:
    return urlencode(list(request.query_params.multi_items()))
