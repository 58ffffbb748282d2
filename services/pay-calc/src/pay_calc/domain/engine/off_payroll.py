"""The deemed direct payment of off-payroll working (inside IR35). Source: ITEPA 2003 Part 2 Chapter 10; HMRC ESM10028."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.payslip import PayLineInput, PayslipInput, PayslipResult, calculate_payslip
from pay_calc.domain.engine.trace import Trace


@dataclass(frozen=True, slots=True)
class DeemedPayment:
    """Pence. `paid_pence` goes to the intermediary: the invoice with its VAT on the full fee, less tax and employee NIC.
    `payslip` is None when nothing is left to deem."""

    deemed_pence: int
    paid_pence: int
    payslip: PayslipResult | None


def deem(
    template: PayslipInput,
    invoice_pence: int,
    vat_pence: int,
    materials_pence: int = 0,
    expenses_pence: int = 0,
    trace: Trace | None = None,
) -> DeemedPayment:
    """Tax and Class 1 on the invoice less VAT, materials and, if chosen, deductible expenses.

    No loans, pension, holiday, attachment orders or other deductions are operated, and employer NIC may not come out of the fee;
    `template` carries the code (usually BR), letter, dates and to-date figures.
    """
    if min(invoice_pence, vat_pence, materials_pence, expenses_pence) < 0 or vat_pence > invoice_pence:
        raise EngineError(
            "invalid_invoice",
            "Invoice, VAT, materials and expenses may not be negative; VAT is part of the invoice.",
            "invoice",
        )
    deemed = invoice_pence - vat_pence - materials_pence - expenses_pence
    if deemed <= 0:
        return DeemedPayment(0, invoice_pence, None)
    line = PayLineInput(
        "off-payroll", "deemed", 0, None, "each", Decimal(0), Decimal(0), deemed, False, amount_is_final=True
    )
    slip = calculate_payslip(
        replace(
            template,
            pay_lines=(line,),
            holiday="none",
            student_loan_plan=None,
            postgrad_loan=False,
            pension=None,
            minimum_wage=None,
            attachments=(),
            deductions=(),
            director=None,
        ),
        trace,
    )
    return DeemedPayment(deemed, invoice_pence - slip.tax_pence - slip.employee_nic_pence, slip)
