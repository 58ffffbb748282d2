"""The tables of one record's page, of the tie-out and of system health, as CSV and as Excel files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from paybill_common.db import Tx
from paybill_common.http.problems import not_found
from paybill_common.money import from_pence
from paybill_importer.telling import REFUSALS_MAX
from reporting.api.web.context import forward_of, reading, visitor
from reporting.api.web.edge import open_letters, replays_of
from reporting.api.web.exports import Column, Format, download
from reporting.api.web.overview import WeekPath
from reporting.api.web.route import PageRoute
from reporting.api.weeks import known_timesheet, sunday, words_line
from reporting.domain import file_import as rules
from reporting.domain import words
from reporting.domain.cells import Cell
from reporting.store import imports, lists
from reporting.store import week as store

router = APIRouter(route_class=PageRoute, include_in_schema=False)
LETTERS_MAX = 500
FILES_MAX = 5_000


def _get(name: str) -> Callable[[Any], Cell]:
    def read(row: Any) -> Cell:
        value = row.get(name) if isinstance(row, Mapping) else getattr(row, name)
        return str(value) if isinstance(value, UUID) else value

    return read


def _at(name: str) -> Callable[[Any], Cell]:
    """An instant that another service gave as text."""

    def read(row: Mapping[str, Any]) -> Cell:
        try:
            return datetime.fromisoformat(str(row.get(name)))
        except ValueError:
            return None

    return read


LINES: tuple[Column, ...] = (
    ("Version", _get("version")),
    ("Line", _get("ordinal")),
    ("Element", lambda row: words.ELEMENTS.get(row.element, words.plain(row.element))),
    ("Rate code", _get("rate_code")),
    ("Minutes", _get("minutes")),
    ("Units", _get("units")),
    ("Pay rate GBP", _get("pay_rate")),
    ("Pay GBP", _get("pay_gbp")),
    ("Payable", _get("payable")),
    ("Paid GBP", _get("paid_gbp")),
    ("Charge rate GBP", _get("charge_rate")),
    ("Charge GBP", _get("charge_gbp")),
    ("Billable", _get("billable")),
    ("Billed GBP", _get("billed_gbp")),
    ("Pay in words", lambda row: words.explain_pay(words_line(row))),
    ("Charge in words", lambda row: words.explain_charge(words_line(row))),
)
PAYSLIP_SHARES: tuple[Column, ...] = (
    ("Timesheet", _get("reference")),
    ("Week ending", _get("week_ending")),
    ("Version", _get("version")),
    ("Client", _get("client")),
    ("Minutes", _get("minutes")),
    ("Pay GBP", _get("pay_gbp")),
)
DOCUMENT_LINES: tuple[Column, ...] = (
    ("Timesheet", _get("reference")),
    ("Version", _get("version")),
    ("Worker", _get("worker")),
    ("Minutes", lambda row: int(row.minutes)),
    ("Net GBP", _get("net_gbp")),
)
HOLD_REASONS: tuple[Column, ...] = (
    ("Reason", lambda row: words.reason({"code": row.code, "requirement": row.requirement})),
    ("Remedy", lambda row: words.remedy(row.code)),
    ("Timesheets", _get("timesheets")),
    ("Workers", _get("workers")),
    ("Minutes", lambda row: int(row.minutes)),
    ("Pay waits GBP", _get("pay_gbp")),
    ("Charge waits GBP", _get("charge_gbp")),
    ("Oldest since", _get("oldest_at")),
)
TIE_OUT: tuple[Column, ...] = (
    ("What", _get("what")),
    ("Side", _get("side")),
    ("Record", _get("record")),
    ("Version", _get("version")),
    ("Charge line", _get("charge_line_id")),
    ("Approved GBP", _get("approved_gbp")),
    ("Settled GBP", _get("settled_gbp")),
    ("Differs GBP", _get("difference_gbp")),
    ("Why", _get("why")),
)
REPLICAS: tuple[Column, ...] = (
    ("Service", _get("service")),
    ("Answers", _get("answers")),
    ("Consumer stopped", _get("stopped")),
    ("Replica", _get("replica")),
    ("Live", _get("live")),
    ("Seen, seconds ago", _get("seen_s_ago")),
    ("Moved, seconds ago", _get("moved_s_ago")),
    ("Partitions", _get("partitions")),
    ("Lag", _get("lag")),
    ("Not published", _get("outbox_unpublished")),
    ("Dead letters", _get("dead_letters_open")),
    ("Parked behind", _get("parked")),
    ("Error", _get("error")),
)
DEAD_LETTERS: tuple[Column, ...] = (
    ("Service", _get("service")),
    ("Id", _get("id")),
    ("Event type", _get("event_type")),
    ("Agency", _get("agency_id")),
    ("Topic", _get("topic")),
    ("Partition", _get("partition")),
    ("Offset", _get("offset")),
    ("Key", _get("key")),
    ("Tried", _get("attempts")),
    ("Since", _at("dead_at")),
    ("Waiting behind", _get("waiting")),
    ("Error class", _get("error_class")),
    ("Error", _get("error")),
    ("Message", _get("payload")),
)
REPLAYS: tuple[Column, ...] = (
    ("Week ending", _get("week_ending")),
    ("Agency", _get("agency_id")),
    ("Pay run", _get("pay_run_id")),
    ("State", _get("state")),
    ("Payslips", _get("payslips")),
    ("Differ", _get("differing")),
    ("Not provable", _get("not_available")),
)
FILES: tuple[Column, ...] = (
    ("Kind", _get("kind")),
    ("File", _get("file_name")),
    ("State", _get("state")),
    ("Lines", _get("rows_total")),
    ("Accepted", _get("accepted")),
    ("Known already", _get("duplicate")),
    ("Refused", _get("refused")),
    ("Begun", _get("asked_at")),
    ("By", _get("name")),
    ("Error", _get("error")),
)
REFUSED_LINES: tuple[Column, ...] = (
    ("Line", _get("row")),
    ("Column", _get("column")),
    ("Value", _get("value")),
    ("Why", _get("reason")),
    ("What to do", _get("hint")),
)
Reader = Callable[[Tx], Awaitable[Sequence[Any]]]


@router.get("/agencies/{agency_id}/timesheets/{timesheet_id}/lines.{kind}")
async def export_lines(request: Request, agency_id: UUID, timesheet_id: UUID, kind: Format) -> Response:
    """The charge lines of every version, the newest first."""

    async def read(tx: Tx) -> Sequence[Any]:
        await known_timesheet(tx, agency_id, timesheet_id)
        return await lists.lines_of(tx, agency_id=agency_id, timesheet_id=timesheet_id)

    return await _of_agency(request, agency_id, f"timesheet-lines-{timesheet_id}", kind, LINES, read)


@router.get("/agencies/{agency_id}/payslips/{payslip_id}/timesheets.{kind}")
async def export_shares(request: Request, agency_id: UUID, payslip_id: UUID, kind: Format) -> Response:
    """What a payslip is made of."""

    async def read(tx: Tx) -> Sequence[Any]:
        if await lists.payslip_row(tx, agency_id=agency_id, payslip_id=payslip_id) is None:
            raise not_found("payslip", payslip_id)
        return await lists.payslip_shares(tx, agency_id=agency_id, payslip_id=payslip_id)

    return await _of_agency(request, agency_id, f"payslip-{payslip_id}", kind, PAYSLIP_SHARES, read)


@router.get("/agencies/{agency_id}/invoices/{document_id}/timesheets.{kind}")
async def export_document(request: Request, agency_id: UUID, document_id: UUID, kind: Format) -> Response:
    """What a document is made of."""

    async def read(tx: Tx) -> Sequence[Any]:
        if await lists.document_row(tx, agency_id=agency_id, document_id=document_id) is None:
            raise not_found("document", document_id)
        return await lists.document_lines(tx, agency_id=agency_id, document_id=document_id)

    return await _of_agency(request, agency_id, f"document-{document_id}", kind, DOCUMENT_LINES, read)


@router.get("/agencies/{agency_id}/weeks/{week_ending}/hold-reasons.{kind}")
async def export_hold_reasons(request: Request, agency_id: UUID, week_ending: WeekPath, kind: Format) -> Response:
    """What the week's held timesheets wait for."""
    week = sunday(week_ending)

    async def read(tx: Tx) -> Sequence[Any]:
        return await store.blocks(tx, agency_id=agency_id, week_ending=week)

    return await _of_agency(request, agency_id, f"hold-reasons-{week}", kind, HOLD_REASONS, read)


@router.get("/agencies/{agency_id}/weeks/{week_ending}/tie-out.{kind}")
async def export_tie_out(request: Request, agency_id: UUID, week_ending: WeekPath, kind: Format) -> Response:
    """Every line and document that differs."""
    week = sunday(week_ending)

    async def read(tx: Tx) -> Sequence[Any]:
        return differing(await store.read_tie_out(tx, agency_id=agency_id, week_ending=week))

    return await _of_agency(request, agency_id, f"tie-out-{week}", kind, TIE_OUT, read)


def differing(found: Any) -> list[dict[str, Any]]:
    """The rows of a tie-out: its lines, then its documents."""
    lines = [
        {
            "what": "line",
            "side": "pay" if line.side == "pay" else "billing",
            "record": line.timesheet_id,
            "version": line.version,
            "charge_line_id": line.charge_line_id,
            "approved_gbp": from_pence(line.approved_pence),
            "settled_gbp": from_pence(line.settled_pence),
            "difference_gbp": from_pence(line.difference_pence),
        }
        for line in found.lines
    ]
    documents = [
        {
            "what": "document",
            "record": one.number,
            "difference_gbp": from_pence(one.difference_pence),
            "why": one.why,
        }
        for one in found.documents
    ]
    return lines + documents


@router.get("/agencies/{agency_id}/imports/files.{kind}")
async def export_files(request: Request, agency_id: UUID, kind: Format) -> Response:
    """The files of the last month."""

    async def read(tx: Tx) -> Sequence[Any]:
        return await imports.latest(tx, agency_id=agency_id, most=FILES_MAX)

    return await _of_agency(request, agency_id, "imported-files", kind, FILES, read)


@router.get("/agencies/{agency_id}/imports/{import_id}/refused.{kind}")
async def export_refused(request: Request, agency_id: UUID, import_id: UUID, kind: Format) -> Response:
    """The refused lines of one file, as far as they are shown."""

    async def read(tx: Tx) -> Sequence[Any]:
        if await imports.find(tx, agency_id=agency_id, import_id=import_id) is None:
            raise not_found("import", import_id)
        found = await imports.refusals(tx, agency_id=agency_id, import_id=import_id, most=REFUSALS_MAX)
        return [rules.told(one, payroll=payroll) for one in found]

    payroll = (await visitor(request)).may("pay:read")
    return await _of_agency(request, agency_id, f"refused-{import_id}", kind, REFUSED_LINES, read)


@router.get("/system/replicas.{kind}")
async def export_replicas(request: Request, kind: Format) -> Response:
    """Each replica of each service; a service without one is a row too."""
    who = await visitor(request)
    rows = []
    for state in await forward_of(request).system(who.principal):
        alone = {name: value for name, value in state.items() if name not in ("replicas", "lag")}
        several = state.get("replicas") or [{"lag": state.get("lag")}]
        rows += [alone | replica for replica in several]
    return await download("replicas", kind, REPLICAS, _once(rows))


@router.get("/system/dead-letters.{kind}")
async def export_dead_letters(request: Request, kind: Format) -> Response:
    """The open dead letters that this person may see."""
    who = await visitor(request)
    forward = forward_of(request)
    services = await forward.system(who.principal)
    letters = await open_letters(forward, who, services, most=LETTERS_MAX)
    return await download("dead-letters", kind, DEAD_LETTERS, _once(letters))


@router.get("/system/replays.{kind}")
async def export_replays(request: Request, kind: Format) -> Response:
    """The closed pay runs that the nightly replay could not prove."""
    who = await visitor(request)
    found = await replays_of(forward_of(request), who) or {}
    return await download("replays", kind, REPLAYS, _once(found.get("items") or []))


async def _of_agency(
    request: Request, agency_id: UUID, name: str, kind: str, columns: Sequence[Column], read: Reader
) -> Response:
    who = await visitor(request)
    who.agency(agency_id)
    async with reading(request, agency_id) as tx:
        rows = await read(tx)
    return await download(name, kind, columns, _once(rows))


async def _once(rows: Sequence[Any]) -> AsyncIterator[Sequence[Any]]:
    yield rows
