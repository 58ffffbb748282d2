"""Statutory interest on late commercial payments. Source: Late Payment of Commercial Debts (Interest) Act 1998."""

from __future__ import annotations

from dataclasses import dataclass

from pay_calc.domain.engine import rounding
from pay_calc.domain.engine.parameters import YearParameters
from pay_calc.domain.engine.trace import Node, Trace


@dataclass(frozen=True, slots=True)
class LatePaymentResult:
    """`rate_bp`: basis points a year. Pence otherwise."""

    rate_bp: int
    interest_pence: int
    fixed_sum_pence: int


def claim(
    parameters: YearParameters,
    principal_inc_vat_pence: int,
    reference_rate_bp: int,
    days_late: int,
    trace: Trace | None = None,
) -> LatePaymentResult:
    """Simple interest on the gross debt at the reference rate plus 8 % over 365 days, and the fixed sum by size of the debt.

    `reference_rate_bp` is Bank Rate on 30 June or 31 December before the half-year in which the debt became late. A debt that is not late
    (0 days) or is nothing carries neither.
    """
    rate = reference_rate_bp + parameters.late_payment_margin_bp
    if days_late == 0 or principal_inc_vat_pence == 0:
        return LatePaymentResult(rate, 0, 0)
    interest = rounding.interest_half_up_penny(principal_inc_vat_pence * rate * days_late, 10000 * 365)
    fixed = next(
        amount
        for below, amount in parameters.late_payment_fixed_sums
        if below is None or principal_inc_vat_pence < below
    )
    if trace is not None:
        debt = trace.given("late.principal", "Debt including VAT", principal_inc_vat_pence, "pence", "from the invoice")
        trace.push(Node("late.interest", "Statutory interest", "ratio", interest, "pence", "debt x rate x days / 365",
                        (("rate", f"{rate // 100}.{rate % 100:02d} %"), ("days", str(days_late))), (debt,),
                        factors=(rate, days_late), divisor=10000 * 365, rounding="interest_half_up_penny"))  # fmt: skip
    return LatePaymentResult(rate, interest, fixed)
