"""What an hour costs the employer at a given pay rate: the basis of a charge rate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from pay_calc.domain.engine import rounding
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.payslip import PayLineInput, PayslipInput, PayslipResult, calculate_payslip


@dataclass(frozen=True, slots=True)
class HourlyCost:
    """`cost_per_hour` in pounds with four decimals; `margin_per_hour` beside a charge rate when one was given."""

    cost_per_hour: Decimal
    margin_per_hour: Decimal | None
    payslip: PayslipResult


def cost_of_hour(
    template: PayslipInput, pay_rate: Decimal, minutes: int, charge_rate: Decimal | None = None
) -> HourlyCost:
    """Pay, holiday, employer NIC, pension and levy of a period of `minutes` at one rate, by the hour.

    The week's hours matter: the employer's threshold is spread over them. `template` carries frequency, letter, holiday and pension.
    """
    if minutes <= 0:
        raise EngineError("no_hours", "A cost by the hour needs more than no minutes.", "minutes")
    line = PayLineInput("quote", "basic", minutes, None, "hour", pay_rate, pay_rate, 0, True)
    slip = calculate_payslip(replace(template, pay_lines=(line,)))
    cost = Decimal(rounding.hourly_cost_half_up(slip.cost_pence * 6000, minutes)).scaleb(-4)
    return HourlyCost(cost, None if charge_rate is None else charge_rate - cost, slip)
