"""Invoices, credit notes and self-bills as PDF: a frozen document in, bytes out, the same bytes every time.

``render_*`` are pure but slow (milliseconds of CPU): call them from a thread, after the commit that numbered the document.
Figures are printed as given; the only sums made here are sub-totals of the printed groups, and they are exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from invoicing.documents.models import (
    BankDetails,
    Branding,
    CreditNote,
    Deduction,
    Grouping,
    Hours,
    Invoice,
    Line,
    Party,
    SelfBill,
    Totals,
    Units,
    VatRow,
    VatTreatment,
    sum_gbp,
)
from paybill_common import typst_pdf as pdf

Json = dict[str, Any]
Key = TypeVar("Key")

_TEMPLATE = "invoice.typ"
_ALL_STERLING = "All amounts are in pounds sterling."
SELF_BILLING_WORDS = "The VAT shown is your output tax due to HMRC"
_LATE_PAYMENT = (
    "We understand and will exercise our statutory right to claim interest{rate} and compensation for debt recovery costs "
    "under the Late Payment of Commercial Debts (Interest) Act 1998 if we are not paid according to agreed credit terms."
)


@lru_cache(maxsize=1)
def _templates() -> pdf.PdfTemplates:
    return pdf.PdfTemplates(Path(__file__).parent)


def render_invoice(invoice: Invoice) -> bytes:
    """Return the VAT invoice as a tagged PDF. Raises ``AmountNotInPence`` or ``DocumentFailed``."""
    facts = [
        ("Invoice number", invoice.number),
        ("Invoice date", pdf.day(invoice.invoice_on)),
        ("Tax point", pdf.day(invoice.tax_point_on)),
        ("Due date", pdf.day(invoice.due_on)),
        ("Week ending", pdf.day(invoice.week_ending)),
        ("PO number", invoice.purchase_order),
        ("Your reference", invoice.customer_reference),
    ]
    terms = [f"Terms: {invoice.terms}."]
    if invoice.late_payment_note:
        percent = invoice.late_payment_percent
        at = "" if percent is None else f" (currently {pdf.percent(percent)} a year)"
        terms.append(_LATE_PAYMENT.format(rate=at))
    view = _view(
        title="Invoice",
        number=invoice.number,
        dated=invoice.invoice_on,
        supplier=invoice.supplier,
        customer=invoice.customer,
        roles=("From", "Bill to"),
        branding=invoice.branding,
        facts=facts,
        hero=(pdf.pounds(invoice.totals.gross_gbp), f"due {pdf.long_day(invoice.due_on)}"),
        notices=[*_reverse_charge(invoice.totals), *_optional(invoice.message)],
        lines=invoice.lines,
        grouping=invoice.grouping,
        totals=invoice.totals,
        gross_label="Total due",
        closing=[
            {
                "title": "How to pay",
                "facts": _bank(invoice.bank),
                "texts": ["Please pay by bank transfer and quote the reference."],
            },
            {"title": "Terms", "facts": [], "texts": terms},
        ],
    )
    return _templates().render(_TEMPLATE, view, dated=invoice.invoice_on)


def render_credit_note(credit_note: CreditNote) -> bytes:
    """Return the credit note as a tagged PDF. Raises ``AmountNotInPence`` or ``DocumentFailed``."""
    credited = [f"{item.number}\n{pdf.day(item.invoice_on)}" for item in credit_note.credited]
    facts = [
        ("Credit note number", credit_note.number),
        ("Credit note date", pdf.day(credit_note.credit_on)),
        ("Tax point", pdf.day(credit_note.tax_point_on)),
        ("Credits invoice" if len(credited) == 1 else "Credits invoices", "\n".join(credited)),
        ("Week ending", None if credit_note.week_ending is None else pdf.day(credit_note.week_ending)),
        ("PO number", credit_note.purchase_order),
        ("Your reference", credit_note.customer_reference),
    ]
    view = _view(
        title="Credit note",
        number=credit_note.number,
        dated=credit_note.credit_on,
        supplier=credit_note.supplier,
        customer=credit_note.customer,
        roles=("From", "Credit to"),
        branding=credit_note.branding,
        facts=facts,
        hero=(pdf.pounds(credit_note.totals.gross_gbp), "credited to your account"),
        notices=[
            {"title": f"Reason {credit_note.reason_code}", "text": credit_note.reason},
            *_reverse_charge(credit_note.totals),
            *_optional(credit_note.message),
        ],
        lines=credit_note.lines,
        grouping=credit_note.grouping,
        totals=credit_note.totals,
        gross_label="Total credit",
        closing=[
            {
                "title": "What happens now",
                "facts": [],
                "texts": [
                    "This credit reduces what you owe on the invoice named above. Please adjust the VAT you reclaim by "
                    "the VAT on this credit note.",
                ],
            }
        ],
    )
    return _templates().render(_TEMPLATE, view, dated=credit_note.credit_on)


def render_self_bill(self_bill: SelfBill) -> bytes:
    """Return the self-billed invoice as a tagged PDF. Raises ``AmountNotInPence`` or ``DocumentFailed``."""
    registered = self_bill.supplier.vat_number is not None
    until = self_bill.agreement_until
    agreement = self_bill.agreement_reference + ("" if until is None else f", until {pdf.day(until)}")
    facts = [
        ("Invoice number", self_bill.number),
        ("Invoice date", pdf.day(self_bill.invoice_on)),
        ("Tax point", pdf.day(self_bill.tax_point_on)),
        ("Payment date", pdf.day(self_bill.payment_on)),
        ("Week ending", pdf.day(self_bill.week_ending)),
        ("Agreement", agreement),
        ("Your reference", self_bill.supplier_reference),
    ]
    reverse = _reverse_charge(self_bill.totals, self_billed=True)
    if not registered:
        words = "No VAT is shown because you are not registered for VAT. Tell us at once if you register."
    elif reverse:
        words = "We have prepared this invoice for you under our self-billing agreement."
    else:
        words = f"{SELF_BILLING_WORDS}."
    closing: list[Json] = [
        {
            "title": "Self-billing",
            "facts": [],
            "texts": [
                f"{self_bill.customer.name} issues this invoice for {self_bill.supplier.name} under self-billing "
                f"agreement {agreement}. Please do not issue your own invoice for these supplies. Tell us at once if your "
                "VAT registration ends, your VAT number changes, or the business is transferred.",
            ],
        }
    ]
    if self_bill.pay_to is not None:
        closing.insert(0, {"title": "Paid to", "facts": _masked_bank(self_bill.pay_to), "texts": []})
    view = _view(
        title="Invoice",
        badge="SELF BILLING",
        number=self_bill.number,
        dated=self_bill.invoice_on,
        supplier=self_bill.supplier,
        customer=self_bill.customer,
        roles=("Supplier", "Customer and self-biller"),
        branding=self_bill.branding,
        facts=facts,
        hero=(pdf.pounds(self_bill.payable_gbp), f"to be paid on {pdf.long_day(self_bill.payment_on)}"),
        notices=[{"title": "Self-billed invoice", "text": words}, *reverse, *_optional(self_bill.message)],
        lines=self_bill.lines,
        grouping=self_bill.grouping,
        totals=self_bill.totals,
        gross_label="Total payable to you",
        deductions=self_bill.deductions,
        closing=closing,
        author=self_bill.customer,
        show_vat=registered,
    )
    return _templates().render(_TEMPLATE, view, dated=self_bill.invoice_on)


def _view(
    *,
    title: str,
    number: str,
    dated: date,
    supplier: Party,
    customer: Party,
    roles: tuple[str, str],
    branding: Branding,
    facts: Iterable[tuple[str, str | None]],
    hero: tuple[str, str],
    notices: Sequence[Json],
    lines: Sequence[Line],
    grouping: Grouping,
    totals: Totals,
    gross_label: str,
    closing: Sequence[Json],
    badge: str | None = None,
    author: Party | None = None,
    show_vat: bool = True,
    deductions: Sequence[Deduction] = (),
) -> Json:
    issuer = author or supplier
    name = "Self-billed invoice" if badge else title
    return {
        "meta": {
            "title": f"{name} {number} - {supplier.name}",
            "author": issuer.name,
            "description": f"{name} {number} for {customer.name}, {pdf.pounds(totals.gross_gbp)}",
            "keywords": [name, number],
            "date": [dated.year, dated.month, dated.day],
            "short": f"{name} {number}",
        },
        **branding.view(),
        "title": title,
        "badge": badge,
        "number": number,
        "facts": [(label, value) for label, value in facts if value],
        "parties": [_party(roles[0], supplier, show_vat), _party(roles[1], customer, True)],
        "hero": {"amount": hero[0], "words": hero[1]},
        "notices": list(notices),
        "show_vat": show_vat,
        "groups": _groups(lines, grouping, _vat_labels(totals)),
        "totals": _totals(lines, totals, gross_label, show_vat, deductions),
        "vat_rows": [_vat_row(row) for row in totals.vat_rows] if show_vat else [],
        "closing": list(closing),
        "footer": _footer(issuer),
        "sterling": _ALL_STERLING,
    }


def _party(role: str, party: Party, show_vat: bool) -> Json:
    numbers = []
    if party.vat_number and show_vat:
        numbers.append(("VAT number", party.vat_number))
    if party.company_number:
        numbers.append(("Company number", party.company_number))
    lines = [line for line in party.address if line.strip()]
    if party.attention:
        lines.insert(0, party.attention)
    contact = [text for text in (party.email, party.phone) if text]
    return {"role": role, "name": party.name, "lines": lines, "numbers": numbers, "contact": contact}


def _groups(lines: Sequence[Line], grouping: Grouping, vat_labels: dict[Decimal | None, str]) -> list[Json]:
    if grouping is Grouping.WORKER:
        return [{"title": None, "subtotal": None, "workers": _workers(lines, vat_labels, with_site=True)}]
    sites = _by(lines, lambda line: line.site)
    return [
        {
            "title": site,
            "subtotal": _subtotal(f"{site} total", members) if len(sites) > 1 else None,
            "workers": _workers(members, vat_labels, with_site=False),
        }
        for site, members in sites.items()
    ]


def _workers(lines: Sequence[Line], vat_labels: dict[Decimal | None, str], *, with_site: bool) -> list[Json]:
    found = _by(lines, lambda line: (line.worker_reference, line.worker_name, line.job_title, line.site))
    return [
        {
            "name": name,
            "detail": " · ".join(text for text in (reference, job, site if with_site else "") if text),
            "lines": [_line(line, vat_labels) for line in members],
            "subtotal": _subtotal("Subtotal", members) if len(members) > 1 else None,
        }
        for (reference, name, job, site), members in found.items()
    ]


def _by(lines: Sequence[Line], key: Callable[[Line], Key]) -> dict[Key, list[Line]]:
    groups: dict[Key, list[Line]] = {}
    for line in lines:
        groups.setdefault(key(line), []).append(line)
    return groups


def _line(line: Line, vat_labels: dict[Decimal | None, str]) -> Json:
    clock, counted = _quantity(line.quantity)
    return {
        "what": line.rate_name,
        "note": line.note,
        "when": pdf.span(line.period_first_on, line.period_last_on),
        "clock": clock,
        "quantity": counted,
        "price": pdf.rate(line.unit_price_gbp),
        "vat": vat_labels.get(line.vat_percent) or _percent(line.vat_percent),
        "net": pdf.money(line.net_gbp),
    }


def _quantity(quantity: Hours | Units) -> tuple[str, str]:
    if isinstance(quantity, Hours):
        return pdf.hours_clock(quantity.minutes), f"{pdf.hours_decimal(quantity.minutes)}{pdf.NO_BREAK}h"
    return "", f"{pdf.quantity(quantity.value)} {quantity.unit}".strip()


def _subtotal(label: str, lines: Sequence[Line]) -> Json:
    hours = [line.quantity.minutes for line in lines if isinstance(line.quantity, Hours)]
    minutes = sum(hours)
    return {
        "label": label,
        "clock": pdf.hours_clock(minutes) if hours else "",
        "quantity": f"{pdf.hours_decimal(minutes)}{pdf.NO_BREAK}h" if hours else "",
        "net": pdf.money(sum_gbp(line.net_gbp for line in lines)),
    }


def _totals(
    lines: Sequence[Line], totals: Totals, gross_label: str, show_vat: bool, deductions: Sequence[Deduction]
) -> Json:
    hours = [line.quantity.minutes for line in lines if isinstance(line.quantity, Hours)]
    rows = []
    if hours:
        minutes = sum(hours)
        rows.append(("Hours", f"{pdf.hours_clock(minutes)} ({pdf.hours_decimal(minutes)})"))
    if show_vat:
        rows.append(("Total net", pdf.pounds(totals.net_gbp)))
        rows.append(("Total VAT", pdf.pounds(totals.vat_gbp)))
    if deductions:
        rows.append(("Total invoiced", pdf.pounds(totals.gross_gbp)))
        rows += [(_deduction_label(one), pdf.pounds(Decimal(0) - one.amount_gbp)) for one in deductions]
    payable = totals.gross_gbp - sum_gbp(one.amount_gbp for one in deductions)
    return {"rows": rows, "gross_label": gross_label, "gross": pdf.pounds(payable)}


def _deduction_label(deduction: Deduction) -> str:
    return deduction.name if deduction.of_gbp is None else f"{deduction.name} {pdf.pounds(deduction.of_gbp)}"


def _vat_labels(totals: Totals) -> dict[Decimal | None, str]:
    """The mark of a line's VAT column by its rate, where the treatment says more than the rate."""
    short = {
        VatTreatment.EXEMPT: "Exempt",
        VatTreatment.OUTSIDE_SCOPE: "Outside",
        VatTreatment.NOT_REGISTERED: "None",
    }
    labels: dict[Decimal | None, str] = {}
    for row in totals.vat_rows:
        if row.treatment is VatTreatment.REVERSE_CHARGE:
            labels[row.percent] = f"RC {_percent(row.percent)}"
        elif row.treatment in short:
            labels[row.percent] = short[row.treatment]
    return labels


def _vat_row(row: VatRow) -> Json:
    names = {
        VatTreatment.CHARGED: f"VAT at {_percent(row.percent)}",
        VatTreatment.ZERO_RATED: "Zero-rated, 0%",
        VatTreatment.EXEMPT: "Exempt",
        VatTreatment.OUTSIDE_SCOPE: "Outside the scope of UK VAT",
        VatTreatment.REVERSE_CHARGE: f"Reverse charge, {_percent(row.percent)}",
        VatTreatment.NOT_REGISTERED: "Not registered for VAT",
    }
    return {"name": names[row.treatment], "net": pdf.money(row.net_gbp), "vat": pdf.money(row.vat_gbp)}


def _percent(value: Decimal | None) -> str:
    return "–" if value is None else pdf.percent(value)


def _reverse_charge(totals: Totals, *, self_billed: bool = False) -> list[Json]:
    notices = []
    for row in totals.vat_rows:
        if row.treatment is not VatTreatment.REVERSE_CHARGE or row.reverse_charge_vat_gbp is None:
            continue
        vat = pdf.pounds(row.reverse_charge_vat_gbp)
        who = "We will account for and pay the output tax to HMRC" if self_billed else "Customer to pay the VAT to HMRC"
        notices.append(
            {
                "title": "Reverse charge",
                "text": f"VAT Act 1994 Section 55A applies. {who}: {vat} at {_percent(row.percent)} on "
                f"{pdf.pounds(row.net_gbp)}. This VAT is not included in the total.",
            }
        )
    return notices


def _optional(message: str | None) -> list[Json]:
    return [{"title": None, "text": message}] if message else []


def _bank(bank: BankDetails) -> list[tuple[str, str]]:
    facts = [
        ("Account name", bank.account_name),
        ("Sort code", pdf.sort_code(bank.sort_code)),
        ("Account number", bank.account_number),
        ("Reference", bank.reference),
    ]
    if bank.bank_name:
        facts.insert(1, ("Bank", bank.bank_name))
    if bank.iban:
        facts.insert(-1, ("IBAN", bank.iban))
    return facts


def _masked_bank(bank: BankDetails) -> list[tuple[str, str]]:
    return [
        ("Account name", bank.account_name),
        ("Account", f"ending {bank.account_number[-4:]}"),
        ("Reference", bank.reference),
    ]


def _footer(issuer: Party) -> list[str]:
    numbers = []
    if issuer.company_number:
        numbers.append(f"Company number {issuer.company_number}")
    if issuer.vat_number:
        numbers.append(f"VAT number {issuer.vat_number}")
    return [issuer.name, " · ".join(numbers)] if numbers else [issuer.name]
