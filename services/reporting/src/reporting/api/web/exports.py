"""Each table as CSV and as an Excel file, with the filter of the page it was asked from."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell

from paybill_common.clock import LONDON
from paybill_common.db import Tx
from reporting.api.web.context import reading, visitor
from reporting.api.web.overview import WeekPath
from reporting.api.web.records import Short, text_of, timesheet_filter, uuid_or_none
from reporting.api.web.route import PageRoute
from reporting.api.weeks import reasons_of, sunday
from reporting.domain import words
from reporting.domain.cells import Cell, csv_cell
from reporting.store import lists
from reporting.store import week as store

router = APIRouter(route_class=PageRoute, include_in_schema=False)
CHUNK = 2_000
ROWS_MAX = 200_000
Format = Annotated[Literal["csv", "xlsx"], Path()]
Rows = AsyncIterator[Sequence[Cell]]
Column = tuple[str, Callable[[Any], Cell]]
PageReader = Callable[[Tx, int, int], Awaitable[list[Any]]]


def _get(name: str) -> Callable[[Any], Cell]:
    return lambda row: _cell(getattr(row, name))


def _cell(value: Any) -> Cell:
    return str(value) if isinstance(value, UUID) else value


TIMESHEETS: tuple[Column, ...] = (
    ("Number", _get("reference")),
    ("Week ending", _get("week_ending")),
    ("Version", _get("version")),
    ("Worker", _get("worker")),
    ("Worker reference", _get("worker_reference")),
    ("Client", _get("client")),
    ("Consultant", _get("consultant")),
    ("Branch", _get("branch")),
    ("Pay basis", _get("pay_basis")),
    ("Purchase order", _get("purchase_order")),
    ("Status", lambda row: words.STATUS[row.status].word),
    ("Pay state", lambda row: words.PAY_STATE[row.pay_state].word),
    ("Bill state", lambda row: words.BILL_STATE[row.bill_state].word),
    ("Minutes", _get("minutes")),
    ("Pay GBP", _get("shown_pay_gbp")),
    ("Charge GBP", _get("shown_charge_gbp")),
    ("Cost GBP", _get("cost_gbp")),
    ("Margin GBP", _get("margin_gbp")),
    ("Since", _get("since")),
    ("Held because", lambda row: "; ".join(words.reason(reason) for reason in reasons_of(row))),
)
DOCUMENTS: tuple[Column, ...] = (
    ("Number", _get("number")),
    ("Kind", lambda row: words.plain(row.kind)),
    ("Client or company", _get("party")),
    ("Week ending", _get("week_ending")),
    ("Issued", _get("issued_on")),
    ("Tax point", _get("tax_point_on")),
    ("Due", _get("due_on")),
    ("Net GBP", _get("net_gbp")),
    ("VAT GBP", _get("vat_gbp")),
    ("Gross GBP", _get("gross_gbp")),
    ("Received GBP", _get("paid_gbp")),
    ("Open GBP", _get("balance_gbp")),
)
PAYSLIPS: tuple[Column, ...] = (
    ("Worker", _get("worker")),
    ("Worker reference", _get("worker_reference")),
    ("Paid to", _get("payee")),
    ("State", _get("state")),
    ("Pay basis", _get("pay_basis")),
    ("Period from", _get("period_from")),
    ("Period to, exclusive", _get("period_to")),
    ("Payday", _get("payday_on")),
    ("Minutes", _get("minutes")),
    ("Gross GBP", _get("gross_gbp")),
    ("Tax GBP", _get("tax_gbp")),
    ("Employee NIC GBP", _get("employee_nic_gbp")),
    ("Employer NIC GBP", _get("employer_nic_gbp")),
    ("Net GBP", _get("net_gbp")),
    ("Cost GBP", _get("cost_gbp")),
)
MARGIN: tuple[Column, ...] = (
    ("Name", _get("name")),
    ("Timesheets", _get("timesheets")),
    ("Without pay yet", _get("uncosted")),
    ("Minutes", lambda row: int(row.minutes)),
    ("Charge GBP", _get("charge_gbp")),
    ("Pay GBP", _get("pay_gbp")),
    ("Cost GBP", _get("cost_gbp")),
    ("Margin GBP", _get("margin_gbp")),
    ("Last week's charge GBP", _get("before_charge_gbp")),
    ("Last week's margin GBP", _get("before_margin_gbp")),
)
PAY_RUNS: tuple[Column, ...] = (
    ("Period to, exclusive", _get("period_to")),
    ("Closed at", _get("closed_at")),
    ("Payday", _get("payday_on")),
    ("Funds on", _get("funds_on")),
    ("Payslips", _get("payslips")),
    ("Self-bills", _get("self_bills")),
    ("Gross GBP", _get("gross_gbp")),
    ("Net GBP", _get("net_gbp")),
    ("Minutes paid", _get("paid_minutes")),
    ("Minutes held", _get("held_minutes")),
    ("Timesheets left out", _get("held_timesheets")),
    ("Difference accepted", _get("difference_accepted")),
)
AGENCIES: tuple[Column, ...] = (
    ("Agency", _get("name")),
    ("Week ending", _get("week_ending")),
    ("Timesheets", _get("timesheets")),
    ("Not approved", _get("unapproved")),
    ("Held", _get("held")),
    ("Unpaid GBP", _get("unpaid_gbp")),
    ("Unbilled GBP", _get("unbilled_gbp")),
    ("Pay runs", _get("pay_runs")),
    ("Invoice runs", _get("invoice_runs")),
)


@router.get("/agencies/{agency_id}/weeks/{week_ending}/timesheets.{kind}")
async def export_timesheets(
    request: Request,
    agency_id: UUID,
    week_ending: WeekPath,
    kind: Format,
    sort: Annotated[str, Query(max_length=20)] = "reference",
) -> Response:
    week = sunday(week_ending)
    wanted = timesheet_filter(request, week)

    async def read(tx: Tx, offset: int, most: int) -> list[Any]:
        page = await lists.timesheets(tx, agency_id=agency_id, wanted=wanted, sort=sort, offset=offset, most=most)
        return page.rows

    return await _export(request, agency_id, f"timesheets-{week}", kind, TIMESHEETS, read)


@router.get("/agencies/{agency_id}/weeks/{week_ending}/holds.{kind}")
async def export_holds(
    request: Request,
    agency_id: UUID,
    week_ending: WeekPath,
    kind: Format,
    reason: Short = None,
) -> Response:
    week = sunday(week_ending)
    wanted = lists.TimesheetFilter(week_ending=week, held=True, reason=reason)

    async def read(tx: Tx, offset: int, most: int) -> list[Any]:
        page = await lists.timesheets(tx, agency_id=agency_id, wanted=wanted, sort="age", offset=offset, most=most)
        return page.rows

    return await _export(request, agency_id, f"holds-{week}", kind, TIMESHEETS, read)


@router.get("/agencies/{agency_id}/weeks/{week_ending}/invoices.{kind}")
async def export_documents(request: Request, agency_id: UUID, week_ending: WeekPath, kind: Format) -> Response:
    week = sunday(week_ending)
    wanted = lists.DocumentFilter(
        week_ending=week,
        kind=text_of(request, "kind"),
        unpaid=bool(request.query_params.get("unpaid")),
        q=text_of(request, "q"),
    )

    async def read(tx: Tx, offset: int, most: int) -> list[Any]:
        page = await lists.documents(tx, agency_id=agency_id, wanted=wanted, sort="number", offset=offset, most=most)
        return page.rows

    return await _export(request, agency_id, f"invoices-{week}", kind, DOCUMENTS, read)


@router.get("/agencies/{agency_id}/weeks/{week_ending}/payslips.{kind}")
async def export_payslips(request: Request, agency_id: UUID, week_ending: WeekPath, kind: Format) -> Response:
    week = sunday(week_ending)
    wanted = lists.PayslipFilter(
        week_ending=week,
        state=text_of(request, "state"),
        pay_basis=text_of(request, "pay_basis"),
        pay_run_id=uuid_or_none(request.query_params.get("pay_run_id")),
        q=text_of(request, "q"),
    )

    async def read(tx: Tx, offset: int, most: int) -> list[Any]:
        page = await lists.payslips(tx, agency_id=agency_id, wanted=wanted, sort="worker", offset=offset, most=most)
        return page.rows

    return await _export(request, agency_id, f"payslips-{week}", kind, PAYSLIPS, read)


@router.get("/agencies/{agency_id}/weeks/{week_ending}/margin.{kind}")
async def export_margin(
    request: Request,
    agency_id: UUID,
    week_ending: WeekPath,
    kind: Format,
    by: Annotated[Literal["client", "consultant", "branch"], Query()] = "client",
) -> Response:
    week = sunday(week_ending)

    async def read(tx: Tx, offset: int, most: int) -> list[Any]:
        if offset:
            return []
        return await store.margin(tx, agency_id=agency_id, week_ending=week, by=by, most=ROWS_MAX)

    return await _export(request, agency_id, f"margin-by-{by}-{week}", kind, MARGIN, read)


@router.get("/agencies/{agency_id}/pay-runs.{kind}")
async def export_pay_runs(request: Request, agency_id: UUID, kind: Format) -> Response:
    async def read(tx: Tx, offset: int, most: int) -> list[Any]:
        return [] if offset else await store.pay_runs(tx, agency_id=agency_id)

    return await _export(request, agency_id, "pay-runs", kind, PAY_RUNS, read)


@router.get("/bureau.{kind}")
async def export_agencies(request: Request, kind: Format) -> Response:
    async def read(tx: Tx, offset: int, most: int) -> list[Any]:
        return [] if offset else await lists.agencies_at_risk(tx)

    return await _export(request, None, "agencies", kind, AGENCIES, read)


async def _export(
    request: Request, agency_id: UUID | None, name: str, kind: str, columns: Sequence[Column], read: PageReader
) -> Response:
    who = await visitor(request)
    if agency_id is not None:
        who.agency(agency_id)
    agencies = [agency_id] if agency_id is not None else sorted(who.principal.agencies)
    return await download(name, kind, columns, _chunks(request, agencies, read))


async def download(name: str, kind: str, columns: Sequence[Column], chunks: AsyncIterator[Sequence[Any]]) -> Response:
    """These rows as a file; CSV goes out as the rows come."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.{kind}"', "Cache-Control": "no-store"}
    if kind == "csv":
        return StreamingResponse(_csv(columns, chunks), media_type="text/csv; charset=utf-8", headers=headers)
    media_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    return Response(await _xlsx(columns, chunks), media_type=media_type, headers=headers)


async def _chunks(request: Request, agencies: Iterable[UUID], read: PageReader) -> AsyncIterator[list[Any]]:
    """The rows, a chunk at a time, each in a short transaction of its own."""
    allowed = list(agencies)
    for offset in range(0, ROWS_MAX, CHUNK):
        async with reading(request, *allowed) as tx:
            rows = await read(tx, offset, CHUNK)
        if rows:
            yield rows
        if len(rows) < CHUNK:
            return


async def _csv(columns: Sequence[Column], chunks: AsyncIterator[Sequence[Any]]) -> AsyncIterator[bytes]:
    yield b"\xef\xbb\xbf" + _lines([[head for head, _ in columns]])
    async for rows in chunks:
        yield _lines([[csv_cell(value(row)) for _, value in columns] for row in rows])


def _lines(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


async def _xlsx(columns: Sequence[Column], chunks: AsyncIterator[Sequence[Any]]) -> bytes:
    """An Excel file: text cells are written as text, whatever they start with."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Paybill")
    sheet.append([head for head, _ in columns])
    async for rows in chunks:
        for row in rows:
            sheet.append([_excel(sheet, value(row)) for _, value in columns])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


_ILLEGAL = {code: None for code in (*range(9), 11, 12, *range(14, 32))}


def _excel(sheet: Any, value: Cell) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(LONDON).replace(tzinfo=None)
    if isinstance(value, str):
        cell = WriteOnlyCell(sheet, value=value.translate(_ILLEGAL)[:32_000])
        cell.data_type = "s"
        return cell
    if isinstance(value, date):
        return value
    return value
