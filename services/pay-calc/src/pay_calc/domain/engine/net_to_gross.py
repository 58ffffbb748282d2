"""The other direction: the smallest gross whose net pay is at least a target."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.loans import require_plan
from pay_calc.domain.engine.nic import require_letter
from pay_calc.domain.engine.payslip import (
    MAX_PENCE,
    PayLineInput,
    PayslipInput,
    PayslipResult,
    calculate_payslip,
    rounded_text,
)
from pay_calc.domain.engine.tax_code import parse_tax_code


def _most_taken_bp(template: PayslipInput) -> int:
    """Tax, NIC and loans together, of one more pound of this payslip, in basis points: at most the top rate of each that it bears."""
    parameters, code = template.parameters, parse_tax_code(template.tax_code)
    tax = max(parameters.regions[code.region].rates_bp)
    if code.kind == "K":  # what the limit held back comes with the next pound
        tax = max(tax, parameters.overriding_limit_bp)
    letter = require_letter(parameters, template.ni_letter)
    plans = [
        plan for plan in (template.student_loan_plan, "PG" if template.postgrad_loan else None) if plan is not None
    ]
    loans = sum(require_plan(parameters, plan).rate_bp for plan in plans)
    return tax + max(letter.main_bp, letter.upper_bp) + loans


@dataclass(frozen=True, slots=True)
class NetToGross:
    """`overshoot_pence`: by how much net exceeds the target, because loans and tax step by the pound."""

    gross_pence: int
    overshoot_pence: int
    payslip: PayslipResult


def gross_for_net(template: PayslipInput, target_net_pence: int) -> NetToGross:
    """The smallest gross, as one fixed pay line on `template` (its own pay lines are replaced), whose net reaches the target.

    Net does not rise evenly: a penny more can cost a pound of loan. But no deduction falls as gross rises, so a penny of gross adds at
    most a penny of net, and a gross that is short by some pence can be raised by as many without passing the first that reaches the
    target. Not for rolled-up holiday on top: the gross is the whole pay. Orders are refused: while one takes all above its protected
    earnings, net stands still over any range of gross; so is a pension that with the top rates of all else would leave nothing.
    """
    if template.attachments:
        raise EngineError(
            "attachments_not_supported", "Net to gross works without attachments of earnings.", "attachments"
        )
    pension_bp = template.pension.employee_bp if template.pension is not None else 0
    if _most_taken_bp(template) + pension_bp >= 10000:
        raise EngineError(
            "pension_too_high", "The employee's pension percentage leaves no net pay to search on.", "pension"
        )
    base = replace(template, holiday="none", pay_lines=())

    def slip(gross: int) -> PayslipResult:
        line = PayLineInput(
            "gross", "basic", 0, None, "each", Decimal(0), Decimal(0), gross, False, amount_is_final=True
        )
        return calculate_payslip(replace(base, pay_lines=(line,)))

    gross = template.pension.sacrifice_pence if template.pension is not None else 0
    found = slip(gross)
    while found.net_pence < target_net_pence:
        gross += target_net_pence - found.net_pence
        if gross > MAX_PENCE:
            raise EngineError(
                "net_out_of_reach", f"No gross up to {rounded_text(MAX_PENCE)} gives that net pay.", "target_net"
            )
        found = slip(gross)
    return NetToGross(gross, found.net_pence - target_net_pence, found)
