"""One payslip as PDF: a frozen payslip in, bytes out, the same bytes every time.

``render_payslip`` is pure but slow (milliseconds of CPU): call it from a thread, outside any transaction. Figures are
printed as given.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

from pay_calc.documents.models import Amount, Hours, PaidBy, Payment, Payslip, Units
from paybill_common import typst_pdf as pdf

Json = dict[str, Any]


@lru_cache(maxsize=1)
def templates() -> pdf.PdfTemplates:
    """The compiler of this folder's documents, opened once a process."""
    return pdf.PdfTemplates(Path(__file__).parent)


def render_payslip(payslip: Payslip) -> bytes:
    """Return the payslip as a tagged PDF. Raises ``AmountNotInPence`` or ``DocumentFailed``."""
    return templates().render("payslip.typ", _view(payslip), dated=payslip.pay_on)


def payslip_file_name(payslip: Payslip) -> str:
    """``payslip-2026-04-17-W00017.pdf``: sorts by pay date and carries no name."""
    safe = "".join(ch if ch.isascii() and (ch.isalnum() or ch in "-_") else "-" for ch in payslip.worker.reference)
    return f"payslip-{payslip.pay_on.isoformat()}-{safe}.pdf"


def _view(payslip: Payslip) -> Json:
    worker, employer = payslip.worker, payslip.employer
    paid = pdf.long_day(payslip.pay_on)
    hours = payslip.hours_minutes
    return {
        "meta": {
            "title": f"Payslip {paid} - {worker.name}".replace(pdf.NO_BREAK, " "),
            "author": employer.name,
            "description": f"Payslip of {worker.name} ({worker.reference}) for {payslip.tax_period}, {payslip.tax_year}",
            "keywords": ["Payslip", payslip.tax_year, payslip.tax_period],
            "date": [payslip.pay_on.year, payslip.pay_on.month, payslip.pay_on.day],
            "short": f"{worker.reference} · {payslip.tax_year} {payslip.tax_period}",
        },
        **payslip.branding.view(),
        "worker": {"name": worker.name, "lines": list(worker.address)},
        "employer": {"name": employer.name, "lines": list(employer.address)},
        "net": pdf.pounds(payslip.net_gbp),
        "paid": f"{paid}",
        "paid_by": [_paid_by(way, alone=len(payslip.paid_by) == 1) for way in payslip.paid_by],
        "facts": [
            ("Pay period", pdf.long_span(payslip.period_first_on, payslip.period_last_on)),
            ("Pay date", paid),
            ("Tax year", payslip.tax_year),
            ("Tax period", f"{payslip.tax_period} ({payslip.frequency.lower()})"),
        ],
        "identity": [
            ("Worker reference", worker.reference),
            ("NI number", worker.ni_number or "Not yet known"),
            ("Tax code", f"{payslip.tax_code} ({payslip.tax_basis.lower()})"),
            ("NI letter", payslip.ni_letter),
            *([("PAYE reference", employer.paye_reference)] if employer.paye_reference else []),
        ],
        "change_reason": payslip.change_reason,
        "leave": payslip.leave,
        "messages": list(payslip.messages),
        "assignments": _assignments(payslip.payments),
        "hours": "" if hours is None else pdf.hours_clock(hours),
        "hours_decimal": "" if hours is None else pdf.hours_decimal(hours),
        "gross": pdf.money(payslip.gross_gbp),
        "deductions": [_amount(item) for item in payslip.deductions],
        "deductions_total": pdf.money(payslip.deductions_gbp),
        "additions": [_amount(item) for item in payslip.net_additions],
        "period_figures": [
            ("Taxable pay", pdf.money(payslip.taxable_gbp)),
            ("Pay subject to NI", pdf.money(payslip.niable_gbp)),
            *((f"{item.name}, taxed not paid", pdf.money(item.amount_gbp)) for item in payslip.taxed_benefits),
        ],
        "year_to_date": [_amount(item) for item in payslip.year_to_date],
        "employer_costs": [_amount(item) for item in payslip.employer_costs],
    }


def _assignments(payments: tuple[Payment, ...]) -> list[Json]:
    """Neighbouring lines of one assignment under its title; lines without one get a title only beside titled ones."""
    titled = any(payment.assignment for payment in payments)
    rest = "Holiday and other pay" if titled else None
    return [
        {"title": title or rest, "lines": [_payment(payment) for payment in members]}
        for title, members in groupby(payments, key=lambda payment: payment.assignment)
    ]


def _payment(payment: Payment) -> Json:
    notes = [
        *([f"w/e {pdf.day(payment.week_ending)}"] if payment.week_ending else []),
        *([payment.note] if payment.note else []),
    ]
    return {
        "name": payment.name,
        "note": " · ".join(notes) or None,
        "quantity": _quantity(payment.quantity),
        "rate": "" if payment.rate_gbp is None else pdf.rate(payment.rate_gbp),
        "amount": pdf.money(payment.amount_gbp),
    }


def _quantity(quantity: Hours | Units | None) -> str:
    if quantity is None:
        return ""
    if isinstance(quantity, Hours):
        return pdf.hours_clock(quantity.minutes)
    return f"{pdf.quantity(quantity.value)} {quantity.unit}".strip()


def _amount(item: Amount) -> Json:
    return {"name": item.name, "note": item.note, "amount": pdf.money(item.amount_gbp)}


def _paid_by(way: PaidBy, *, alone: bool) -> str:
    account = f" to the account ending {way.account_last_four}" if way.account_last_four else ""
    amount = "" if alone else f": {pdf.pounds(way.amount_gbp)}"
    return f"{way.method}{account}{amount}"
