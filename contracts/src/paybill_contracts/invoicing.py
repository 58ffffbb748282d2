"""Billing facts. Owner: invoicing. Key: worker for charges, client or payee for documents, agency for runs."""

from __future__ import annotations

from datetime import date
from typing import ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime

from paybill_contracts.base import Code, EventData, Gbp, Minutes, Model, Reason, WorkerKeyed


class ChargeState(WorkerKeyed):
    timesheet_id: UUID
    version: int
    client_id: UUID
    minutes: Minutes
    charge_gbp: Gbp
    decided_at: AwareDatetime

    def subject(self) -> str:
        return str(self.timesheet_id)


class BillReady(ChargeState):
    """This version of a timesheet will be on the client's next invoice."""

    TYPE: ClassVar[str] = "paybill.bill.ready.v1"
    TOPIC: ClassVar[str] = "paybill.bill"


class BillHeld(ChargeState):
    """This version of a timesheet is not billed, and why."""

    TYPE: ClassVar[str] = "paybill.bill.held.v1"
    TOPIC: ClassVar[str] = "paybill.bill"

    reasons: tuple[Reason, ...]


class BilledCharge(Model):
    """One charge line on a document. Credits carry negative amounts and minutes."""

    charge_line_id: UUID
    timesheet_id: UUID
    version: int
    worker_id: UUID
    minutes: Minutes
    net_gbp: Gbp


class Document(EventData):
    document_id: UUID
    number: Code
    issued_on: date
    tax_point_on: date
    net_gbp: Gbp
    vat_gbp: Gbp
    gross_gbp: Gbp
    charges: tuple[BilledCharge, ...]
    ledger_balanced: bool
    """The document's double entry sums to zero."""

    def subject(self) -> str:
        return str(self.document_id)


class InvoiceIssued(Document):
    TYPE: ClassVar[str] = "paybill.invoice.issued.v1"
    TOPIC: ClassVar[str] = "paybill.invoice"

    client_id: UUID
    invoice_run_id: UUID
    due_on: date
    week_ending: date

    def partition_key(self) -> str:
        return str(self.client_id)


class CreditNoteIssued(Document):
    """Amounts are negative."""

    TYPE: ClassVar[str] = "paybill.credit_note.issued.v1"
    TOPIC: ClassVar[str] = "paybill.invoice"

    client_id: UUID
    credits_document_id: UUID
    reason_code: Code

    def partition_key(self) -> str:
        return str(self.client_id)


class InvoicePaid(EventData):
    TYPE: ClassVar[str] = "paybill.invoice.paid.v1"
    TOPIC: ClassVar[str] = "paybill.invoice"

    document_id: UUID
    client_id: UUID
    receipt_id: UUID
    paid_on: date
    amount_gbp: Gbp
    balance_gbp: Gbp

    def partition_key(self) -> str:
        return str(self.client_id)

    def subject(self) -> str:
        return str(self.document_id)


class SelfBillDeduction(Model):
    """What is kept back of a self-bill for HMRC. It lowers what is paid, never the supply or its VAT."""

    code: Literal["cis", "paye_tax", "employee_nic"]
    amount_gbp: Gbp


class SelfBillIssued(Document):
    """The document that the agency raises for an umbrella, limited company or CIS subcontractor; pay-calc pays `payable_gbp`."""

    TYPE: ClassVar[str] = "paybill.self_bill.issued.v1"
    MINOR: ClassVar[int] = 1
    TOPIC: ClassVar[str] = "paybill.invoice"

    payee_id: UUID
    payee_kind: Literal["umbrella", "limited", "cis"]
    pay_run_id: UUID
    deductions: tuple[SelfBillDeduction, ...] = ()
    """From minor version 1."""
    payable_gbp: Gbp | None = None
    """Gross less the deductions; None, before minor version 1: the gross."""

    def partition_key(self) -> str:
        return str(self.payee_id)


class InvoiceRunClosed(EventData):
    TYPE: ClassVar[str] = "paybill.invoice_run.closed.v1"
    TOPIC: ClassVar[str] = "paybill.invoice-run"

    invoice_run_id: UUID
    week_ending: date
    closed_at: AwareDatetime
    invoices: int
    net_gbp: Gbp
    vat_gbp: Gbp
    billed_minutes: Minutes
    held_minutes: Minutes
    difference_accepted: bool

    def partition_key(self) -> str:
        return str(self.agency_id)

    def subject(self) -> str:
        return str(self.invoice_run_id)
