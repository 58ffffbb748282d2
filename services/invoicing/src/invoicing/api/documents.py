"""Invoices, credit notes and self-bills, and their PDFs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from invoicing.api import schemas as s
from invoicing.api.parties import ExternalId, after_id, page
from invoicing.documents import render
from invoicing.domain.numbers import Series
from invoicing.store import documents as store
from invoicing.store import runs
from invoicing.usecases import credit, printing
from invoicing.usecases.invoice_run import IssuerMissing
from invoicing.usecases.self_bill import pending_self_bills, retry_self_bills
from paybill_common.auth import Principal
from paybill_common.db import Tx
from paybill_common.http.paging import Cursor, Limit, Page, decode_cursor, encode_cursor
from paybill_common.http.problems import ERROR_RESPONSES, Problem, conflict, invalid, not_found
from paybill_common.http.route import TxDep, TxRoute, require
from paybill_common.ids import new_id

router = APIRouter(
    prefix="/v1/agencies/{agency_id}", route_class=TxRoute, responses=ERROR_RESPONSES, tags=["documents"]
)
PDF: dict[int | str, dict[str, Any]] = {200: {"content": {"application/pdf": {}}, "description": "The document"}}
WeekFilter = Annotated[s.WeekEnding | None, Query()]
NumberFilter = Annotated[s.Code | None, Query()]


@router.get("/invoices")
async def list_invoices(
    agency_id: UUID,
    tx: TxDep,
    cursor: Cursor = None,
    limit: Limit = 100,
    client_id: UUID | None = None,
    week_ending: WeekFilter = None,
    invoice_run_id: UUID | None = None,
    number: NumberFilter = None,
    open: bool | None = None,
    principal: Principal = require("read"),
) -> Page[s.DocumentOut]:
    """Invoices in the order of their numbers; `open=true` for those with a balance."""
    filters = {
        "client_id": client_id,
        "week_ending": week_ending,
        "invoice_run_id": invoice_run_id,
        "number": number,
        "open": open,
    }
    return await _list(tx, agency_id, "invoice", filters, cursor, limit)


@router.get("/credit-notes")
async def list_credit_notes(
    agency_id: UUID,
    tx: TxDep,
    cursor: Cursor = None,
    limit: Limit = 100,
    client_id: UUID | None = None,
    week_ending: WeekFilter = None,
    number: NumberFilter = None,
    external_id: ExternalId = None,
    principal: Principal = require("read"),
) -> Page[s.DocumentOut]:
    """Credit notes in the order of their numbers; amounts are negative."""
    filters = {"client_id": client_id, "week_ending": week_ending, "number": number, "external_id": external_id}
    return await _list(tx, agency_id, "credit_note", filters, cursor, limit)


@router.get("/self-bills")
async def list_self_bills(
    agency_id: UUID,
    tx: TxDep,
    cursor: Cursor = None,
    limit: Limit = 100,
    payee_id: UUID | None = None,
    pay_run_id: UUID | None = None,
    week_ending: WeekFilter = None,
    number: NumberFilter = None,
    principal: Principal = require("read"),
) -> Page[s.DocumentOut]:
    """Self-bills in the order of their numbers."""
    filters = {"payee_id": payee_id, "pay_run_id": pay_run_id, "week_ending": week_ending, "number": number}
    return await _list(tx, agency_id, "self_bill", filters, cursor, limit)


@router.get("/self-bills/pending")
async def list_pending_self_bills(
    agency_id: UUID, tx: TxDep, principal: Principal = require("read")
) -> list[s.PendingSelfBillOut]:
    """Finalised amounts of supplier-paid workers that are on no self-bill yet, and why."""
    found = await pending_self_bills(tx, agency_id=agency_id)
    return [s.PendingSelfBillOut.model_validate(one) for one in found]


@router.post("/self-bills/retry")
async def post_self_bills_retry(
    agency_id: UUID, tx: TxDep, principal: Principal = require("invoices:issue")
) -> list[s.PendingSelfBillOut]:
    """Raise the self-bills that nothing holds any more, and list those that still wait."""
    await retry_self_bills(tx, agency_id=agency_id)
    return await list_pending_self_bills(agency_id, tx, principal)


@router.get("/invoices/{document_id}")
async def get_invoice(
    agency_id: UUID, document_id: UUID, tx: TxDep, principal: Principal = require("read")
) -> s.DocumentDetailOut:
    """One invoice with its lines."""
    return await _detail(tx, agency_id, document_id, "invoice")


@router.get("/credit-notes/{document_id}")
async def get_credit_note(
    agency_id: UUID, document_id: UUID, tx: TxDep, principal: Principal = require("read")
) -> s.DocumentDetailOut:
    """One credit note with its lines."""
    return await _detail(tx, agency_id, document_id, "credit_note")


@router.get("/self-bills/{document_id}")
async def get_self_bill(
    agency_id: UUID, document_id: UUID, tx: TxDep, principal: Principal = require("read")
) -> s.DocumentDetailOut:
    """One self-bill with its lines."""
    return await _detail(tx, agency_id, document_id, "self_bill")


@router.get("/invoices/{document_id}/pdf", response_class=Response, responses=PDF)
async def invoice_pdf(
    request: Request, agency_id: UUID, document_id: UUID, tx: TxDep, principal: Principal = require("read")
) -> Response:
    """The invoice as PDF."""
    return await _pdf(request, tx, agency_id, document_id, "invoice")


@router.get("/credit-notes/{document_id}/pdf", response_class=Response, responses=PDF)
async def credit_note_pdf(
    request: Request, agency_id: UUID, document_id: UUID, tx: TxDep, principal: Principal = require("read")
) -> Response:
    """The credit note as PDF."""
    return await _pdf(request, tx, agency_id, document_id, "credit_note")


@router.get("/self-bills/{document_id}/pdf", response_class=Response, responses=PDF)
async def self_bill_pdf(
    request: Request, agency_id: UUID, document_id: UUID, tx: TxDep, principal: Principal = require("read")
) -> Response:
    """The self-bill as PDF."""
    return await _pdf(request, tx, agency_id, document_id, "self_bill")


@router.post("/invoices/{document_id}/credit")
async def post_credit(
    agency_id: UUID, document_id: UUID, body: s.CreditIn, tx: TxDep, principal: Principal = require("invoices:issue")
) -> s.DocumentDetailOut:
    """Take back an invoice, or lines of it, on a credit note. With `rebill` the next run bills the charges again."""
    try:
        issued = await credit.credit_invoice(
            tx,
            agency_id=agency_id,
            invoice_id=document_id,
            reason_code=body.reason_code,
            reason=body.reason or body.reason_code.replace("_", " ").capitalize(),
            ordinals=body.lines,
            rebill=body.rebill,
            external_id=body.external_id,
        )
    except credit.InvoiceNotFound as error:
        raise not_found("invoice", document_id) from error
    except IssuerMissing as error:
        raise conflict("missing_issuer", "The agency has no issuer details.", hint="PUT issuer first.") from error
    except credit.NothingToCredit as error:
        raise conflict(
            "nothing_to_credit",
            "None of these lines stands on the invoice: they were credited before, or are corrections themselves.",
            hint="Read the invoice and its credit notes to see what is left.",
        ) from error
    except credit.LinesDoNotStand as error:
        raise invalid(
            "lines_do_not_stand",
            f"Lines {error} do not stand on this invoice: credited before, corrections, or not there.",
            pointer="#/lines",
        ) from error
    return await _detail(tx, agency_id, issued.document_id, "credit_note")


@router.get("/bill-states")
async def list_bill_states(
    agency_id: UUID,
    tx: TxDep,
    cursor: Cursor = None,
    limit: Limit = 100,
    week_ending: WeekFilter = None,
    client_id: UUID | None = None,
    worker_id: UUID | None = None,
    state: Annotated[str | None, Query(pattern="^(ready|held|billed)$")] = None,
    principal: Principal = require("read"),
) -> Page[s.BillStateOut]:
    """Which approved timesheets are billed, ready or held, and why."""
    rows = await runs.list_timesheets(
        tx,
        agency_id=agency_id,
        week_ending=week_ending,
        client_id=client_id,
        worker_id=worker_id,
        state=state,
        after=after_id(cursor),
        most=limit + 1,
    )
    return page([_bill_state(row) for row in rows], limit, lambda item: item.timesheet_id)


def _bill_state(row: Any) -> s.BillStateOut:
    billed = row.billed_version == row.version
    return s.BillStateOut(
        timesheet_id=row.timesheet_id,
        version=row.version,
        reference=row.reference,
        worker_id=row.worker_id,
        client_id=row.client_id,
        week_ending=row.week_ending,
        state="billed" if billed else row.state or "held",
        reasons=[] if billed else row.reasons or [],
        billable_minutes=row.billable_minutes,
        charge_gbp=row.charge_gbp,
        purchase_order=row.purchase_order,
    )


async def _list(
    tx: Tx, agency_id: UUID, kind: Series, filters: dict[str, Any], cursor: str | None, limit: int
) -> Page[s.DocumentOut]:
    parts = decode_cursor(cursor, parts=1)
    if parts is not None and not (parts[0].isascii() and parts[0].isdigit() and len(parts[0]) < 19):
        raise Problem(422, "bad_cursor", "The cursor is not one that this list gave.", pointer="query:/cursor")
    rows = await store.list_documents(
        tx,
        agency_id=agency_id,
        kind=kind,
        filters=filters,
        after_serial=int(parts[0]) if parts else 0,
        most=limit + 1,
    )
    items = [s.DocumentOut.model_validate(_document(row)) for row in rows[:limit]]
    return Page(items=items, next_cursor=encode_cursor(rows[limit - 1].serial) if len(rows) > limit else None)


def _document(row: Any) -> dict[str, Any]:
    found = dict(row._mapping)
    party = row.supplier if row.kind == "self_bill" else row.customer
    open_gbp = row.gross_gbp - row.paid_gbp - row.credited_gbp
    return found | {
        "party_name": party["legal_name"],
        "balance_gbp": open_gbp if row.kind == "invoice" else row.gross_gbp - row.deducted_gbp,
        "payable_gbp": row.gross_gbp - row.deducted_gbp,
        "deductions": row.extra.get("deductions", []),
    }


async def _row(tx: Tx, agency_id: UUID, document_id: UUID, kind: Series) -> Any:
    row = await store.document_row(tx, agency_id=agency_id, document_id=document_id, kind=kind)
    if row is None:
        raise not_found(kind, document_id)
    return row


async def _detail(tx: Tx, agency_id: UUID, document_id: UUID, kind: Series) -> s.DocumentDetailOut:
    row = await _row(tx, agency_id, document_id, kind)
    lines = await store.document_lines(tx, agency_id=agency_id, document_id=document_id)
    return s.DocumentDetailOut.model_validate(
        _document(row) | {"lines": [s.DocumentLineOut.model_validate(line) for line in lines]}
    )


_PRINT: dict[str, tuple[Callable[..., Awaitable[Any]], Callable[[Any], bytes]]] = {
    "invoice": (printing.invoice_of, render.render_invoice),
    "credit_note": (printing.credit_note_of, render.render_credit_note),
    "self_bill": (printing.self_bill_of, render.render_self_bill),
}


async def _pdf(request: Request, tx: Tx, agency_id: UUID, document_id: UUID, kind: Series) -> Response:
    """The PDF, rendered once: a document never changes after its commit, so its file is kept by its id."""
    row = await _row(tx, agency_id, document_id, kind)
    files: Path = request.app.state.settings.files_dir
    path = files / "invoicing" / str(agency_id) / f"{document_id}.pdf"
    content = await asyncio.to_thread(_read, path)
    if content is None:
        load, draw = _PRINT[kind]
        content = await asyncio.to_thread(draw, await load(tx, row=row))
        await asyncio.to_thread(_keep, path, content)
    return Response(
        content,
        media_type="application/pdf",
        headers={"Content-Disposition": f'inline; filename="{row.number}.pdf"', "Cache-Control": "private, immutable"},
    )


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _keep(path: Path, content: bytes) -> None:
    """Write beside and rename: a reader sees all of the file or none of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{new_id()}")
    beside.write_bytes(content)
    os.replace(beside, path)
