"""Turn stored documents into what the PDF renderer takes. Everything printed was stored when the document was issued."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from invoicing.documents import models as m
from invoicing.domain.deductions import Deduction, deduction_of
from invoicing.domain.late_payment import late_payment_percent
from invoicing.store import documents
from paybill_common.db import Tx

_TREATMENTS = {
    "standard": m.VatTreatment.CHARGED,
    "zero": m.VatTreatment.ZERO_RATED,
    "exempt": m.VatTreatment.EXEMPT,
    "reverse_charge": m.VatTreatment.REVERSE_CHARGE,
    "not_registered": m.VatTreatment.NOT_REGISTERED,
}
_ELEMENTS = {
    "basic": "Basic",
    "overtime": "Overtime",
    "weekend": "Weekend",
    "bank_holiday": "Bank holiday",
    "night": "Night",
    "call_out": "Call-out",
    "allowance": "Allowance",
    "expense": "Expense",
    "adjustment": "Adjustment of the pay run",
}


async def invoice_of(tx: Tx, *, row: Any) -> m.Invoice:
    """A stored invoice, ready to render."""
    lines = await documents.document_lines(tx, agency_id=row.agency_id, document_id=row.document_id)
    bank = row.extra["bank"]
    days = row.payment_days
    return m.Invoice(
        number=row.number,
        supplier=_party(row.supplier),
        customer=_party(row.customer),
        branding=_branding(row.supplier),
        invoice_on=row.issued_on,
        tax_point_on=row.tax_point_on,
        due_on=row.due_on,
        terms="payment on receipt" if not days else f"{days} days from the invoice date",
        week_ending=row.week_ending,
        lines=_lines(row, lines, sign=1),
        totals=_totals(row, sign=1),
        bank=m.BankDetails(
            account_name=bank["account_name"],
            sort_code=bank["sort_code"],
            account_number=bank["account_number"],
            reference=row.number,
            bank_name=bank["bank_name"],
            iban=bank["iban"],
        ),
        grouping=m.Grouping(row.grouping),
        purchase_order=row.purchase_order,
        customer_reference=row.customer.get("customer_reference"),
        late_payment_percent=late_payment_percent(row.due_on),
    )


async def credit_note_of(tx: Tx, *, row: Any) -> m.CreditNote:
    """A stored credit note, ready to render; printed amounts are positive."""
    lines = await documents.document_lines(tx, agency_id=row.agency_id, document_id=row.document_id)
    ids: set[UUID] = {line.reverses_document_id for line in lines if line.reverses_document_id is not None}
    credited = await documents.documents_by_id(tx, agency_id=row.agency_id, ids=ids | {row.credits_document_id})
    return m.CreditNote(
        number=row.number,
        supplier=_party(row.supplier),
        customer=_party(row.customer),
        branding=_branding(row.supplier),
        credit_on=row.issued_on,
        tax_point_on=row.tax_point_on,
        credited=tuple(
            m.CreditedInvoice(number=one.number, invoice_on=one.issued_on)
            for one in sorted(credited.values(), key=lambda one: int(one.serial))
        ),
        reason_code=row.reason_code,
        reason=row.reason or row.reason_code.replace("_", " "),
        lines=_lines(row, lines, sign=-1),
        totals=_totals(row, sign=-1),
        week_ending=row.week_ending,
        grouping=m.Grouping(row.grouping),
        purchase_order=row.purchase_order,
        customer_reference=row.customer.get("customer_reference"),
    )


async def self_bill_of(tx: Tx, *, row: Any) -> m.SelfBill:
    """A stored self-bill, ready to render."""
    lines = await documents.document_lines(tx, agency_id=row.agency_id, document_id=row.document_id)
    until = row.extra.get("agreement_to")
    return m.SelfBill(
        number=row.number,
        supplier=_party(row.supplier),
        customer=_party(row.customer),
        branding=_branding(row.customer),
        invoice_on=row.issued_on,
        tax_point_on=row.tax_point_on,
        payment_on=row.due_on,
        week_ending=row.week_ending,
        lines=_lines(row, lines, sign=1),
        totals=_totals(row, sign=1),
        agreement_reference=row.extra["agreement_reference"],
        agreement_until=None if until is None else date.fromisoformat(until),
        grouping=m.Grouping(row.grouping),
        deductions=tuple(_deduction(deduction_of(raw)) for raw in row.extra.get("deductions", ())),
    )


def _deduction(found: Deduction) -> m.Deduction:
    name = {
        "cis": f"CIS deduction, {found.rate_pct}% of labour",
        "paye_tax": "Income tax (off-payroll)",
        "employee_nic": "Employee National Insurance",
    }[found.code]
    return m.Deduction(name=name, amount_gbp=found.amount_gbp, of_gbp=found.labour_gbp)


def _party(stored: dict[str, Any]) -> m.Party:
    return m.Party(
        name=stored["legal_name"],
        address=tuple(stored["address"]),
        vat_number=stored.get("vat_number"),
        company_number=stored.get("company_number"),
        email=stored.get("email"),
        phone=stored.get("phone"),
        attention=stored.get("attention"),
    )


def _branding(agency: dict[str, Any]) -> m.Branding:
    return m.Branding(name=agency["legal_name"], accent=agency["accent"])


def _totals(row: Any, *, sign: int) -> m.Totals:
    reverse = row.reverse_charge_vat_gbp
    vat_row = m.VatRow(
        treatment=_TREATMENTS[row.vat_treatment],
        percent=row.vat_percent,
        net_gbp=sign * row.net_gbp,
        vat_gbp=sign * row.vat_gbp,
        reverse_charge_vat_gbp=None if reverse is None else sign * reverse,
    )
    return m.Totals(
        vat_rows=(vat_row,), net_gbp=sign * row.net_gbp, vat_gbp=sign * row.vat_gbp, gross_gbp=sign * row.gross_gbp
    )


def _lines(row: Any, lines: Sequence[Any], *, sign: int) -> tuple[m.Line, ...]:
    return tuple(_line(row, line, sign) for line in lines)


def _line(row: Any, line: Any, sign: int) -> m.Line:
    return m.Line(
        worker_name=line.worker_name,
        worker_reference=line.worker_reference,
        job_title=line.job_title,
        site=line.site_name,
        rate_name=_rate_name(line),
        period_first_on=line.first_on,
        period_last_on=line.last_on,
        quantity=_quantity(line, sign),
        unit_price_gbp=line.rate_gbp,
        net_gbp=sign * line.net_gbp,
        vat_percent=row.vat_percent,
        note=_note(row, line),
    )


def _rate_name(line: Any) -> str:
    name = _ELEMENTS.get(line.element, line.element.replace("_", " ").capitalize())
    return name if line.rate_code in (line.element, "standard") else f"{name} ({line.rate_code})"


def _quantity(line: Any, sign: int) -> m.Hours | m.Units:
    if line.rate_unit == "hour":
        return m.Hours(minutes=sign * line.minutes)
    value = line.units if line.units is not None else Decimal(1 if line.net_gbp >= 0 else -1)
    return m.Units(value=sign * value, unit="days" if line.rate_unit == "day" else "")


def _note(row: Any, line: Any) -> str | None:
    parts = []
    if line.timesheet_reference:
        parts.append(f"Timesheet {line.timesheet_reference}")
    if line.purchase_order and line.purchase_order != row.purchase_order:
        parts.append(f"PO {line.purchase_order}")
    if line.kind == "reversal" and row.kind == "invoice":
        parts.append("correction of an earlier invoice")
    return ", ".join(parts) or None
