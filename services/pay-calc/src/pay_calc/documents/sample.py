"""Fictional payslips for tests, the bench and the documentation; and the figure payslip PDFs a second."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from pay_calc.documents.models import (
    Amount,
    Branding,
    Employer,
    Hours,
    PaidBy,
    Payment,
    PaymentKind,
    Payslip,
    Worker,
)
from pay_calc.documents.render import render_payslip

EMPLOYER = Employer(
    name="Harbour & Vale Recruitment Ltd",
    address=("2nd Floor, Example House, 12 Placeholder Street", "Leeds LS99 1AA"),
    paye_reference="000/HV00001",
)
BRANDING = Branding(name="Harbour & Vale")


def payslip(serial: int = 17) -> Payslip:
    """An ordinary weekly payslip: two placements, rolled-up holiday, tax, NIC, a loan and a pension."""
    forklift = "Northgate Testing Logistics, Leeds depot · Reach truck driver"
    kitchen = "Example Catering, Wakefield · Kitchen porter"
    payments = (
        _work(forklift, "Basic", 1860, "14.20", "440.20"),
        _work(forklift, "Overtime × 1.5", 270, "21.30", "95.85"),
        _work(kitchen, "Basic", 330, "12.71", "69.91"),
        Payment(
            name="Holiday pay, 12.07%",
            amount_gbp=Decimal("73.14"),
            kind=PaymentKind.HOLIDAY,
            note="rolled up, on 605.96",
        ),
    )
    deductions = (
        Amount(name="Income tax", amount_gbp=Decimal("87.40"), note="1257L on 679.10"),
        Amount(name="National Insurance", amount_gbp=Decimal("34.97"), note="letter A"),
        Amount(name="Student loan", amount_gbp=Decimal("9.00"), note="plan 2"),
        Amount(name="Pension", amount_gbp=Decimal("27.96"), note="5% of qualifying earnings"),
    )
    net = Decimal("519.77")
    return Payslip(
        employer=EMPLOYER,
        worker=Worker(
            name=f"Worker {serial:05d} Testcase",
            reference=f"W{serial:05d}",
            ni_number="QQ 12 34 56 A",
            address=("4 Imaginary Close", "Leeds LS99 2BB"),
        ),
        branding=BRANDING,
        tax_year="2026/27",
        tax_period="Week 2",
        tax_code="1257L",
        tax_basis="Cumulative",
        ni_letter="A",
        frequency="Weekly",
        period_first_on=date(2026, 4, 6),
        period_last_on=date(2026, 4, 12),
        pay_on=date(2026, 4, 17),
        payments=payments,
        deductions=deductions,
        gross_gbp=Decimal("679.10"),
        deductions_gbp=Decimal("159.33"),
        net_gbp=net,
        taxable_gbp=Decimal("679.10"),
        niable_gbp=Decimal("679.10"),
        paid_by=(PaidBy(method="Bacs", amount_gbp=net, account_last_four="0017"),),
        hours_minutes=2460,
        employer_costs=(
            Amount(name="National Insurance", amount_gbp=Decimal("87.46")),
            Amount(name="Pension", amount_gbp=Decimal("16.77")),
            Amount(name="Apprenticeship levy", amount_gbp=Decimal("3.40")),
        ),
        year_to_date=(
            Amount(name="Gross pay", amount_gbp=Decimal("1241.60")),
            Amount(name="Taxable pay", amount_gbp=Decimal("1241.60")),
            Amount(name="Income tax", amount_gbp=Decimal("151.40")),
            Amount(name="National Insurance", amount_gbp=Decimal("60.61")),
            Amount(name="Student loan", amount_gbp=Decimal("14.00")),
            Amount(name="Pension", amount_gbp=Decimal("50.08")),
        ),
        leave="Holiday: earned 12:00 h, taken 7:30 h, left 4:30 h",
        change_reason="You were paid 4:30 overtime and a second placement; tax and National Insurance rose with your pay.",
    )


def _work(assignment: str, name: str, minutes: int, rate: str, amount: str) -> Payment:
    return Payment(
        name=name,
        amount_gbp=Decimal(amount),
        assignment=assignment,
        quantity=Hours(minutes=minutes),
        rate_gbp=Decimal(rate),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PdfRate:
    """What :func:`measure` saw: documents, seconds, bytes of PDF."""

    documents: int
    seconds: Decimal
    bytes_total: int

    @property
    def documents_per_second(self) -> Decimal:
        """Documents a second, one decimal."""
        return (Decimal(self.documents) / self.seconds).quantize(Decimal("0.1"))


def measure(documents: int = 100, *, timer_ns: Callable[[], int] = time.perf_counter_ns) -> PdfRate:
    """Render ``documents`` different payslips in this process, after one to warm up."""
    render_payslip(payslip(0))
    started = timer_ns()
    total = sum(len(render_payslip(payslip(serial + 1))) for serial in range(documents))
    return PdfRate(documents=documents, seconds=Decimal(timer_ns() - started).scaleb(-9), bytes_total=total)
