"""A CIS payment and deduction statement as PDF: figures already worked out in, bytes out, the same bytes every time.

What it must say: SI 2005/2045 reg. 4(8): the contractor's name and tax reference, the end of the tax month, the subcontractor's name and
unique taxpayer reference, the verification number of a deduction at the higher rate, the gross payment, what was liable and the sum
deducted; HMRC's CIS340 adds the cost of materials.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from pay_calc.documents.models import Branding, Employer
from pay_calc.documents.render import templates
from paybill_common import typst_pdf as pdf

NOTE = (
    "Keep this statement: it is the evidence of what was deducted on account of your tax and Class 4 National "
    "Insurance. Amounts are without VAT. Liable is the gross payment less the cost of materials that you paid for."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CisPayment:
    """One payment, pounds without VAT. `rate_pct` 0, 20 or 30."""

    paid_on: date
    week_ending: date
    gross_gbp: Decimal
    materials_gbp: Decimal
    rate_pct: int
    deduction_gbp: Decimal
    verification_number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CisStatement:
    """What one subcontractor was paid in a tax month. `utr` is ten digits."""

    contractor: Employer
    branding: Branding
    subcontractor: str
    utr: str | None
    from_on: date
    to_on: date
    payments: tuple[CisPayment, ...]


def render_cis_statement(statement: CisStatement) -> bytes:
    """The statement as a tagged PDF. Raises `AmountNotInPence` or `DocumentFailed`."""
    return templates().render("cis_statement.typ", _view(statement), dated=statement.to_on)


def cis_statement_file_name(statement: CisStatement) -> str:
    """`cis-statement-2026-05-05-0000000017.pdf`: sorts by tax month and carries no name."""
    return f"cis-statement-{statement.to_on.isoformat()}-{statement.utr or 'unknown'}.pdf"


def _view(statement: CisStatement) -> dict[str, Any]:
    contractor, ended = statement.contractor, pdf.long_day(statement.to_on)
    deducted = sum((payment.deduction_gbp for payment in statement.payments), Decimal(0))
    verified = sorted({one.verification_number for one in statement.payments})
    return {
        "meta": {
            "title": f"CIS statement {ended} - {statement.subcontractor}".replace(pdf.NO_BREAK, " "),
            "author": contractor.name,
            "description": f"CIS payment and deduction statement of {statement.subcontractor}, tax month ended {ended}",
            "keywords": ["CIS", "Payment and deduction statement"],
            "date": [statement.to_on.year, statement.to_on.month, statement.to_on.day],
            "short": f"CIS statement · {statement.to_on.isoformat()}",
        },
        **statement.branding.view(),
        "contractor": {
            "name": contractor.name,
            "lines": list(contractor.address),
            "facts": [("PAYE reference", contractor.paye_reference or "Not yet known")],
        },
        "subcontractor": {
            "name": statement.subcontractor,
            "facts": [
                ("UTR", _spaced(statement.utr)),
                ("Verification number", ", ".join(verified)),
            ],
        },
        "ended": ended,
        "month": pdf.long_span(statement.from_on, statement.to_on),
        "deducted": pdf.pounds(deducted),
        "payments": [_row(payment) for payment in statement.payments],
        "totals": _totals(statement.payments, deducted),
        "note": NOTE,
    }


def _row(payment: CisPayment) -> list[str]:
    return [
        pdf.day(payment.paid_on),
        pdf.day(payment.week_ending),
        pdf.money(payment.gross_gbp),
        pdf.money(payment.materials_gbp),
        pdf.money(payment.gross_gbp - payment.materials_gbp),
        f"{payment.rate_pct}%",
        pdf.money(payment.deduction_gbp),
        pdf.money(payment.gross_gbp - payment.deduction_gbp),
    ]


def _totals(payments: tuple[CisPayment, ...], deducted: Decimal) -> list[str]:
    gross = sum((payment.gross_gbp for payment in payments), Decimal(0))
    materials = sum((payment.materials_gbp for payment in payments), Decimal(0))
    sums = (gross, materials, gross - materials)
    return [*map(pdf.money, sums), "", pdf.money(deducted), pdf.money(gross - deducted)]


def _spaced(utr: str | None) -> str:
    return f"{utr[:5]} {utr[5:]}" if utr else "Not known"
