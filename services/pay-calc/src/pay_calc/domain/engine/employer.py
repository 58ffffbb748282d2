"""What an employer as a whole owes beside the payslips: Employment Allowance and Apprenticeship Levy.

Source: National Insurance Contributions Act 2014; Finance Act 2016 Part 6; HMRC, Rates and thresholds for employers.
"""

from __future__ import annotations

from pay_calc.domain.engine import rounding
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.parameters import YearParameters
from pay_calc.domain.engine.trace import Node, Trace


def levy_due(
    parameters: YearParameters,
    tax_month: int,
    pay_bill_to_date_pence: int,
    paid_to_date_pence: int,
    allowance_share_bp: int = 10000,
    trace: Trace | None = None,
) -> int:
    """Apprenticeship Levy due for a tax month, pence; negative when the allowance overtakes what was paid.

    0.5 % of the pay bill to date (earnings liable to employer NIC, also below the threshold and at 0 %) less the monthly allowance so
    far, never below zero, less what was paid. `allowance_share_bp` is this employer's share among connected ones.
    """
    if not 1 <= tax_month <= 12:
        raise EngineError("tax_month_out_of_range", f"A tax month is 1 to 12; {tax_month} is not.", "tax_month")
    levy = rounding.levy_half_up_penny(pay_bill_to_date_pence * parameters.levy_bp, 10000)
    allowance = parameters.levy_allowance_monthly_pence * tax_month * allowance_share_bp // 10000
    to_date = levy - allowance if levy > allowance else 0
    if trace is not None:
        bill = trace.given(
            "levy.pay_bill", "Pay bill to date", pay_bill_to_date_pence, "pence", "earnings liable to employer NIC"
        )
        share = Node("levy.share", "Half a per cent of it", "ratio", levy, "pence", "pay bill x 0.5 %", (), (bill,),
                     factors=(parameters.levy_bp,), divisor=10000, rounding="levy_half_up_penny")  # fmt: skip
        allowed = trace.given(
            "levy.allowance", "Allowance so far", allowance, "pence", f"{tax_month} months of the allowance"
        )
        over = Node("levy.over", "Over the allowance", "sum", levy - allowance, "pence", "levy less allowance", (), (share, allowed),
                    (1, -1))  # fmt: skip
        zero = trace.given("levy.zero", "Zero", 0, "pence", "nothing below the allowance")
        due = Node("levy.to_date", "Levy to date", "max", to_date, "pence", "never less than zero", (), (over, zero))
        paid = trace.given("levy.paid", "Levy paid so far", paid_to_date_pence, "pence", "earlier months")
        trace.push(Node("levy.due", "Levy due now", "sum", to_date - paid_to_date_pence, "pence", "to date less paid", (),
                        (due, paid), (1, -1)))  # fmt: skip
    return to_date - paid_to_date_pence


def employment_allowance_used(
    parameters: YearParameters, employer_nic_to_date_pence: int, used_by_connected_pence: int = 0
) -> int:
    """Employment Allowance that an eligible employer has used so far, pence: employer Class 1 to date up to the year's allowance, less what
    connected employers used. Eligibility is a recorded decision; deemed payments are left out of the NIC given."""
    left = parameters.employment_allowance_pence - used_by_connected_pence
    if left < 0:
        raise EngineError(
            "allowance_exceeded", "Connected employers used more than one Employment Allowance.", "used_by_connected"
        )
    return employer_nic_to_date_pence if employer_nic_to_date_pence < left else left
