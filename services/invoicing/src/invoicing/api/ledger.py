"""Receipts, ledger and tie-out."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from invoicing.api import schemas as s
from invoicing.api.parties import after_id, page
from invoicing.store import money
from invoicing.usecases import receive
from paybill_common.auth import Principal
from paybill_common.db import Tx
from paybill_common.http.paging import Cursor, Limit, Page
from paybill_common.http.problems import ERROR_RESPONSES, conflict, invalid, not_found
from paybill_common.http.route import TxDep, TxRoute, require
from paybill_common.ids import new_id

router = APIRouter(prefix="/v1/agencies/{agency_id}", route_class=TxRoute, responses=ERROR_RESPONSES, tags=["ledger"])
DayFilter = Annotated[s.Day | None, Query()]


@router.post("/receipts")
async def post_receipt(
    agency_id: UUID, body: s.ReceiptIn, tx: TxDep, principal: Principal = require("write")
) -> s.ReceiptOut:
    """Record money from a client and set it against invoices."""
    allocations = body.allocations
    try:
        row = await receive.record_receipt(
            tx,
            agency_id=agency_id,
            receipt_id=body.receipt_id or new_id(),
            external_id=body.external_id,
            client_id=body.client_id,
            received_on=body.received_on,
            amount_gbp=body.amount_gbp,
            reference=body.reference,
            allocations=None if allocations is None else [(one.document_id, one.amount_gbp) for one in allocations],
            recorded_by=principal.subject,
        )
    except receive.AllocationsExceedReceipt as error:
        raise invalid(
            "allocations_exceed_receipt", "More is allocated than was received.", pointer="#/allocations"
        ) from error
    except receive.NotThisClientsInvoice as error:
        raise invalid(
            "not_this_clients_invoice", f"{error} is not an invoice of this client.", pointer="#/allocations"
        ) from error
    except receive.MoreThanBalance as error:
        raise invalid("more_than_balance", f"The allocation is too large: {error}.", pointer="#/allocations") from error
    except receive.ReceiptDiffers as error:
        raise conflict(
            "receipt_differs",
            "This receipt is recorded already with another client, day or amount.",
            hint="Use a new receipt_id for another receipt.",
        ) from error
    return await _receipt(tx, agency_id, row)


@router.get("/receipts")
async def list_receipts(
    agency_id: UUID,
    tx: TxDep,
    cursor: Cursor = None,
    limit: Limit = 100,
    client_id: UUID | None = None,
    external_id: Annotated[s.Text | None, Query()] = None,
    principal: Principal = require("read"),
) -> Page[s.ReceiptOut]:
    """Receipts in the order of their ids."""
    rows = await money.list_receipts(
        tx, agency_id=agency_id, client_id=client_id, external_id=external_id, after=after_id(cursor), most=limit + 1
    )
    return page([await _receipt(tx, agency_id, row) for row in rows], limit, lambda item: item.receipt_id)


@router.get("/receipts/{receipt_id}")
async def get_receipt(
    agency_id: UUID, receipt_id: UUID, tx: TxDep, principal: Principal = require("read")
) -> s.ReceiptOut:
    """One receipt and what it settled."""
    row = await money.receipt_row(tx, agency_id=agency_id, receipt_id=receipt_id)
    if row is None:
        raise not_found("receipt", receipt_id)
    return await _receipt(tx, agency_id, row)


@router.get("/ledger/trial-balance")
async def trial_balance(
    agency_id: UUID, tx: TxDep, as_of: DayFilter = None, principal: Principal = require("read")
) -> s.TrialBalanceOut:
    """Debits and credits by account; they must be equal."""
    rows = await money.trial_balance(tx, agency_id=agency_id, as_of=as_of)
    difference = sum((row.balance_gbp for row in rows), Decimal("0.00"))
    return s.TrialBalanceOut(
        as_of=as_of,
        accounts=[s.AccountOut.model_validate(row) for row in rows],
        difference_gbp=difference,
        balanced=difference == 0,
    )


@router.get("/ledger/entries")
async def list_entries(
    agency_id: UUID,
    tx: TxDep,
    cursor: Cursor = None,
    limit: Limit = 100,
    source_id: UUID | None = None,
    account: Annotated[s.Code | None, Query()] = None,
    principal: Principal = require("read"),
) -> Page[s.EntryOut]:
    """Ledger entries, by document or receipt, or by account. Debits are positive."""
    rows = await money.list_entries(
        tx, agency_id=agency_id, source_id=source_id, account=account, after=after_id(cursor), most=limit + 1
    )
    return page([s.EntryOut.model_validate(row) for row in rows], limit, lambda item: item.entry_id)


@router.get("/ledger/tie-out")
async def tie_out(
    agency_id: UUID,
    tx: TxDep,
    week_ending: Annotated[s.WeekEnding | None, Query()] = None,
    principal: Principal = require("read"),
) -> s.TieOutOut:
    """Approved charge against invoiced net per charge line, and the ledger's sum."""
    row = await money.tie_out(tx, agency_id=agency_id, week_ending=week_ending)
    return s.TieOutOut.model_validate({"week_ending": week_ending, **row._mapping})


async def _receipt(tx: Tx, agency_id: UUID, row: Any) -> s.ReceiptOut:
    allocations = await money.allocations_of(tx, agency_id=agency_id, receipt_id=row.receipt_id)
    used = sum((one.amount_gbp for one in allocations), Decimal("0.00"))
    return s.ReceiptOut.model_validate(
        dict(row._mapping) | {"allocations": allocations, "unallocated_gbp": row.amount_gbp - used}
    )
