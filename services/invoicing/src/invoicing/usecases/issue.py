"""Issue documents: number, document, lines, ledger entries and event, together in the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from invoicing.domain import ledger
from invoicing.domain.deductions import Deduction, total
from invoicing.domain.numbers import Series, document_number
from invoicing.domain.vat import Vat
from invoicing.store import documents as store
from paybill_common import telemetry
from paybill_common.clock import london_date
from paybill_common.db import Tx
from paybill_common.ids import derived_id
from paybill_contracts.events import CreditNoteIssued, InvoiceIssued, SelfBillIssued
from paybill_contracts.invoicing import BilledCharge, SelfBillDeduction

_PREFIX = {"invoice": "invoice_prefix", "credit_note": "credit_note_prefix", "self_bill": "self_bill_prefix"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A document that lacks only its number. Amounts of a credit note are negative."""

    document_id: UUID
    kind: Series
    group_key: str
    grouping: str
    week_ending: date
    due_on: date
    net_gbp: Decimal
    vat: Vat
    supplier: dict[str, Any]
    customer: dict[str, Any]
    lines: Sequence[dict[str, Any]]
    """Rows of document_line without agency, document and ordinal."""
    deductions: Sequence[Deduction] = ()
    """Of a self-bill: what is kept back of its payment."""
    columns: dict[str, Any] = field(default_factory=dict)
    """The columns that only some kinds have: client_id, payee_id, invoice_run_id, reason_code …"""
    extra: dict[str, Any] = field(default_factory=dict)
    """What only the printed document needs: bank, terms, agreement."""
    traceparents: Sequence[str | None] = ()
    """The traces of the approvals that it bills."""


@dataclass(frozen=True, slots=True)
class Issued:
    document_id: UUID
    kind: Series
    number: str
    net_gbp: Decimal
    vat_gbp: Decimal
    minutes: int


async def issue(tx: Tx, *, agency_id: UUID, issuer: Any, drafts: Sequence[Draft]) -> list[Issued]:
    """Number and store these documents in their order, and emit one event each, in a span that links to the approvals.

    The counters' rows stay locked until the commit; series are taken in one order everywhere.
    """
    today = london_date(tx.now)
    serials: dict[str, int] = {}
    for series in sorted({draft.kind for draft in drafts}):
        count = sum(1 for draft in drafts if draft.kind == series)
        serials[series] = await store.take_serials(tx, agency_id=agency_id, series=series, count=count)
    documents: list[store.Row] = []
    lines: list[store.Row] = []
    entries: list[store.Row] = []
    issued: list[Issued] = []
    for draft in drafts:
        serial = serials[draft.kind]
        serials[draft.kind] += 1
        number = document_number(getattr(issuer, _PREFIX[draft.kind]), serial)
        gross = draft.net_gbp + draft.vat.vat_gbp
        documents.append(_document(agency_id, draft, serial, number, gross, today, tx))
        lines.extend(
            {"agency_id": agency_id, "document_id": draft.document_id, "ordinal": ordinal, **_LINE_DEFAULTS, **line}
            for ordinal, line in enumerate(draft.lines, start=1)
        )
        posted = _entries(draft)
        entries.extend(_entry_row(agency_id, draft, entry, today, tx) for entry in posted)
        balanced = sum(entry.amount_gbp for entry in posted) == 0
        links = telemetry.links_to(draft.traceparents)
        with telemetry.tracer.start_as_current_span(f"issue {draft.kind}", links=links) as span:
            span.set_attribute("paybill.document_id", str(draft.document_id))
            _emit(tx, agency_id, draft, number, gross, today, balanced=balanced)
        minutes = sum(line["minutes"] for line in draft.lines)
        issued.append(Issued(draft.document_id, draft.kind, number, draft.net_gbp, draft.vat.vat_gbp, minutes))
    await store.insert_documents(tx, documents=documents, lines=lines, entries=entries)
    return issued


_LINE_DEFAULTS: dict[str, Any] = {
    "round": None,
    "reverses_document_id": None,
    "reverses_ordinal": None,
    "purchase_order": None,
    "units": None,
}
_COLUMN_DEFAULTS: dict[str, Any] = dict.fromkeys(
    (
        "external_id",
        "client_id",
        "payee_id",
        "payee_kind",
        "invoice_run_id",
        "pay_run_id",
        "site_id",
        "worker_id",
        "payment_days",
        "purchase_order",
        "credits_document_id",
        "reason_code",
        "reason",
    )
)


def _document(
    agency_id: UUID, draft: Draft, serial: int, number: str, gross: Decimal, today: date, tx: Tx
) -> dict[str, Any]:
    return {
        "agency_id": agency_id,
        "document_id": draft.document_id,
        "kind": draft.kind,
        "serial": serial,
        "number": number,
        "group_key": draft.group_key,
        "grouping": draft.grouping,
        "issued_on": today,
        "issued_at": tx.now,
        # Continuous supplies: the tax point is the earlier of invoice and payment.
        "tax_point_on": today,
        "due_on": draft.due_on,
        "week_ending": draft.week_ending,
        "vat_treatment": draft.vat.treatment,
        "vat_percent": draft.vat.percent,
        "net_gbp": draft.net_gbp,
        "vat_gbp": draft.vat.vat_gbp,
        "gross_gbp": gross,
        "reverse_charge_vat_gbp": draft.vat.reverse_charge_gbp,
        "supplier": draft.supplier,
        "customer": draft.customer,
        "deducted_gbp": total(draft.deductions),
        "extra": draft.extra
        | ({"deductions": [one.as_json() for one in draft.deductions]} if draft.deductions else {}),
        **_COLUMN_DEFAULTS,
        **draft.columns,
    }


def _entries(draft: Draft) -> tuple[ledger.Entry, ...]:
    if draft.kind != "self_bill":
        return ledger.sale(net_gbp=draft.net_gbp, vat_gbp=draft.vat.vat_gbp)
    return ledger.self_billed_purchase(
        net_gbp=draft.net_gbp,
        vat_gbp=draft.vat.vat_gbp,
        cis_gbp=total(draft.deductions, "cis"),
        paye_gbp=total(draft.deductions, "paye_tax", "employee_nic"),
    )


def _entry_row(agency_id: UUID, draft: Draft, entry: ledger.Entry, today: date, tx: Tx) -> dict[str, Any]:
    return {
        "agency_id": agency_id,
        "entry_id": derived_id("ledger entry", agency_id, draft.document_id, entry.account),
        "source_kind": draft.kind,
        "source_id": draft.document_id,
        "account": entry.account,
        "amount_gbp": entry.amount_gbp,
        "posted_on": today,
        "posted_at": tx.now,
        "client_id": draft.columns.get("client_id"),
        "payee_id": draft.columns.get("payee_id"),
    }


def _emit(tx: Tx, agency_id: UUID, draft: Draft, number: str, gross: Decimal, today: date, *, balanced: bool) -> None:
    columns = draft.columns
    common: dict[str, Any] = {
        "agency_id": agency_id,
        "document_id": draft.document_id,
        "number": number,
        "issued_on": today,
        "tax_point_on": today,
        "net_gbp": draft.net_gbp,
        "vat_gbp": draft.vat.vat_gbp,
        "gross_gbp": gross,
        "ledger_balanced": balanced,
        "charges": tuple(
            BilledCharge(
                charge_line_id=line["charge_line_id"],
                timesheet_id=line["timesheet_id"],
                version=line["version"],
                worker_id=line["worker_id"],
                minutes=line["minutes"],
                net_gbp=line["net_gbp"],
            )
            for line in draft.lines
            if line["charge_line_id"] is not None
        ),
    }
    event: InvoiceIssued | CreditNoteIssued | SelfBillIssued
    if draft.kind == "invoice":
        event = InvoiceIssued(
            **common,
            client_id=columns["client_id"],
            invoice_run_id=columns["invoice_run_id"],
            due_on=draft.due_on,
            week_ending=draft.week_ending,
        )
    elif draft.kind == "credit_note":
        event = CreditNoteIssued(
            **common,
            client_id=columns["client_id"],
            credits_document_id=columns["credits_document_id"],
            reason_code=columns["reason_code"],
        )
    else:
        event = SelfBillIssued(
            **common,
            payee_id=columns["payee_id"],
            payee_kind=columns["payee_kind"],
            pay_run_id=columns["pay_run_id"],
            deductions=tuple(
                SelfBillDeduction(code=code, amount_gbp=total(draft.deductions, code))
                for code in dict.fromkeys(one.code for one in draft.deductions)
            ),
            payable_gbp=gross - total(draft.deductions),
        )
    tx.emit(event, sequence=1)


def party_of_issuer(issuer: Any) -> dict[str, Any]:
    """The agency as it is printed."""
    return {
        name: getattr(issuer, name)
        for name in ("legal_name", "address", "vat_number", "company_number", "email", "phone")
    } | {"accent": issuer.accent}


def party_of_client(terms: Any) -> dict[str, Any]:
    """A client as it is printed."""
    return {
        name: getattr(terms, name)
        for name in (
            "legal_name",
            "address",
            "vat_number",
            "company_number",
            "email",
            "attention",
            "customer_reference",
        )
    }


def party_of_supplier(supplier: Any) -> dict[str, Any]:
    """An umbrella or limited company as it is printed."""
    return {
        name: getattr(supplier, name) for name in ("legal_name", "address", "vat_number", "company_number", "email")
    }


def bank_of(issuer: Any) -> dict[str, Any]:
    """Where clients pay to."""
    return {
        name: getattr(issuer, name) for name in ("account_name", "sort_code", "account_number", "bank_name", "iban")
    }
