"""Record money from a client and set it against invoices."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from invoicing.domain import ledger
from invoicing.domain.allocation import allocate
from invoicing.store import documents, money
from paybill_common.clock import london_date
from paybill_common.db import Tx
from paybill_common.ids import derived_id
from paybill_contracts.events import InvoicePaid

Allocation = tuple[UUID, Decimal]


class AllocationsExceedReceipt(Exception):
    """More is allocated than was received."""


class NotThisClientsInvoice(Exception):
    """An allocation names something that is not an invoice of this client."""


class MoreThanBalance(Exception):
    """An allocation is larger than what is open on its invoice."""

    def __init__(self, document_id: UUID, balance_gbp: Decimal) -> None:
        super().__init__(f"invoice {document_id} has {balance_gbp} pounds open")
        self.document_id = document_id
        self.balance_gbp = balance_gbp


class ReceiptDiffers(Exception):
    """This receipt id is recorded already, with other figures."""


async def record_receipt(
    tx: Tx,
    *,
    agency_id: UUID,
    receipt_id: UUID,
    external_id: str | None,
    client_id: UUID,
    received_on: date,
    amount_gbp: Decimal,
    reference: str | None,
    allocations: Sequence[Allocation] | None,
    recorded_by: str,
) -> Any:
    """Post a receipt, settle invoices and emit one invoice.paid each. Without allocations the oldest due are settled first.

    The same receipt again changes nothing. Raises AllocationsExceedReceipt, NotThisClientsInvoice, MoreThanBalance,
    ReceiptDiffers.
    """
    await money.lock_receipts(tx, client_id=client_id)
    known = await money.receipt_row(tx, agency_id=agency_id, receipt_id=receipt_id)
    if known is not None:
        if (known.client_id, known.amount_gbp, known.received_on) != (client_id, amount_gbp, received_on):
            raise ReceiptDiffers
        return known
    if allocations is None:
        balances = await money.open_invoices(tx, agency_id=agency_id, client_id=client_id)
        allocations = allocate(amount_gbp, [(row.document_id, row.balance_gbp) for row in balances])
    if sum((amount for _, amount in allocations), Decimal(0)) > amount_gbp:
        raise AllocationsExceedReceipt
    await _check(tx, agency_id=agency_id, client_id=client_id, allocations=allocations)
    await money.insert_receipt(
        tx,
        agency_id=agency_id,
        receipt_id=receipt_id,
        external_id=external_id,
        client_id=client_id,
        received_on=received_on,
        amount_gbp=amount_gbp,
        reference=reference,
        recorded_by=recorded_by,
    )
    await money.insert_allocations(tx, agency_id=agency_id, receipt_id=receipt_id, allocations=allocations)
    for document_id, amount in sorted(allocations):
        await _settle(
            tx, agency_id=agency_id, document_id=document_id, amount=amount, receipt_id=receipt_id, on=received_on
        )
    await documents.insert_entries(
        tx,
        [
            {
                "agency_id": agency_id,
                "entry_id": derived_id("ledger entry", agency_id, receipt_id, entry.account),
                "source_kind": "receipt",
                "source_id": receipt_id,
                "account": entry.account,
                "amount_gbp": entry.amount_gbp,
                "posted_on": london_date(tx.now),
                "posted_at": tx.now,
                "client_id": client_id,
                "payee_id": None,
            }
            for entry in ledger.receipt(amount_gbp=amount_gbp)
        ],
    )
    return await money.receipt_row(tx, agency_id=agency_id, receipt_id=receipt_id)


async def _check(tx: Tx, *, agency_id: UUID, client_id: UUID, allocations: Sequence[Allocation]) -> None:
    wanted = [document_id for document_id, _ in allocations]
    rows = await documents.documents_by_id(tx, agency_id=agency_id, ids=wanted, lock=True)
    for document_id, amount in allocations:
        row = rows.get(document_id)
        if row is None or row.kind != "invoice" or row.client_id != client_id:
            raise NotThisClientsInvoice(str(document_id))
        balance = row.gross_gbp - row.paid_gbp - row.credited_gbp
        if amount > balance:
            raise MoreThanBalance(document_id, balance)


async def _settle(tx: Tx, *, agency_id: UUID, document_id: UUID, amount: Decimal, receipt_id: UUID, on: date) -> None:
    row = await documents.settle(
        tx, agency_id=agency_id, document_id=document_id, paid_gbp=amount, credited_gbp=Decimal(0)
    )
    tx.emit(
        InvoicePaid(
            agency_id=agency_id,
            document_id=document_id,
            client_id=row.client_id,
            receipt_id=receipt_id,
            paid_on=on,
            amount_gbp=amount,
            balance_gbp=row.gross_gbp - row.paid_gbp - row.credited_gbp,
        ),
        sequence=row.revision,
    )
