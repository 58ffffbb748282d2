"""Umbrella reconciliation: from the assignment income to the largest gross it can bear, and the worker's net.

Source: the identity that a payslip of an umbrella must satisfy: income = gross + employer NIC + levy + employer pension + margin +
other itemised costs + a residue of a penny or so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pay_calc.domain.engine import holiday, income_tax, nic, pension, rounding
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.parameters import Frequency, NicLetter, YearParameters
from pay_calc.domain.engine.tax_code import TaxCode
from pay_calc.domain.engine.trace import Node, Trace


@dataclass(frozen=True, slots=True)
class EmployerCosts:
    """What the umbrella bears on top of a gross, pence."""

    employer_nic_pence: int
    levy_pence: int
    employer_pension_pence: int

    @property
    def total_pence(self) -> int:
        return self.employer_nic_pence + self.levy_pence + self.employer_pension_pence


@dataclass(frozen=True, slots=True)
class UmbrellaResult:
    """Pence. income = gross + employer NIC + levy + employer pension + margin + other costs + retained + residue.

    `retained_pence` (accrued holiday only): the holiday held for the worker, `retained_holiday_pence`, and the employer's costs on it; a
    balance to be shown, and paid on leave or termination.
    """

    gross_pence: int
    basic_pence: int
    holiday_pence: int
    employer_nic_pence: int
    levy_pence: int
    employer_pension_pence: int
    margin_pence: int
    other_costs_pence: int
    residue_pence: int
    taxable_pence: int
    tax_pence: int
    employee_nic_pence: int
    employee_pension_pence: int
    net_pence: int
    retained_pence: int = 0
    retained_holiday_pence: int = 0


def employer_costs(
    parameters: YearParameters,
    frequency: Frequency,
    letter: NicLetter,
    gross_pence: int,
    levy: bool,
    employer_pension_bp: int,
) -> EmployerCosts:
    """Employer NIC, levy (0.5 %, nearest penny) and pension on qualifying earnings; none falls as gross rises."""
    employer_nic = nic.class_1_on(parameters, parameters.nic_thresholds[frequency], letter, gross_pence).employer_pence
    return EmployerCosts(
        employer_nic,
        rounding.levy_half_up_penny(gross_pence * parameters.levy_bp, 10000) if levy else 0,
        rounding.pension_half_up_penny(
            pension.qualifying_earnings(parameters, frequency, gross_pence) * employer_pension_bp, 10000
        ),
    )


def reconcile(
    parameters: YearParameters,
    *,
    frequency: Frequency,
    assignment_income_pence: int,
    margin_pence: int,
    ni_letter: str,
    tax_code: TaxCode,
    tax_period: int,
    levy: bool,
    employer_pension_bp: int = 0,
    employee_pension_bp: int = 0,
    employee_pension_relief: Literal["net_pay", "ras"] = "net_pay",
    holiday_rolled_up: bool = True,
    holiday_accrued: bool = False,
    other_costs_pence: int = 0,
    pay_before_pence: int = 0,
    tax_before_pence: int = 0,
    trace: Trace | None = None,
) -> UmbrellaResult:
    """The largest whole-penny gross that the income bears, by binary search, then the worker's side on it.

    With rolled-up holiday the gross contains it: basic = gross / 1.1207. With accrued holiday the worker is paid the basic part alone,
    and the rest of the gross with its costs is retained. Income that does not cover margin and other costs is refused.
    """
    if holiday_rolled_up and holiday_accrued:
        raise EngineError("holiday_twice", "Holiday is rolled up or accrued, not both.", "holiday")
    letter = nic.require_letter(parameters, ni_letter)
    available = assignment_income_pence - margin_pence - other_costs_pence
    if available < 0:
        raise EngineError(
            "margin_exceeds_income", "The margin and costs are more than the assignment income.", "margin"
        )
    low, high = 0, available
    while low < high:
        middle = (low + high + 1) // 2
        costs = employer_costs(parameters, frequency, letter, middle, levy, employer_pension_bp)
        if middle + costs.total_pence <= available:
            low = middle
        else:
            high = middle - 1
    gross = low
    costs = employer_costs(parameters, frequency, letter, gross, levy, employer_pension_bp)
    residue = available - gross - costs.total_pence
    basic = holiday.basic_of_inclusive(parameters, gross) if holiday_rolled_up or holiday_accrued else gross
    retained = retained_holiday = 0
    if holiday_accrued:
        whole, retained_holiday = gross + costs.total_pence, gross - basic
        gross, costs = basic, employer_costs(parameters, frequency, letter, basic, levy, employer_pension_bp)
        retained = whole - gross - costs.total_pence

    contributions = pension.contributions(
        parameters, frequency, gross, employee_pension_bp, employer_pension_bp, employee_pension_relief
    )
    deducted = contributions.employee_deducted_pence
    taxable = gross - (deducted if employee_pension_relief == "net_pay" else 0)
    tax = income_tax.tax_for_payment(
        parameters, tax_code, frequency, tax_period, taxable, pay_before_pence, tax_before_pence
    ).tax_pence
    employee_nic = nic.class_1(parameters, frequency, ni_letter, gross).employee_pence
    if trace is not None:
        parts = (
            ("umbrella.gross", "Gross pay", gross),
            ("umbrella.employer_nic", "Employer National Insurance", costs.employer_nic_pence),
            ("umbrella.levy", "Apprenticeship levy", costs.levy_pence),
            ("umbrella.employer_pension", "Employer pension", costs.employer_pension_pence),
            ("umbrella.margin", "Margin", margin_pence),
            ("umbrella.other", "Other costs", other_costs_pence),
            ("umbrella.retained", "Retained for holiday", retained),
            ("umbrella.residue", "Residue", residue),
        )
        trace.push(
            Node("umbrella.income", "Assignment income", "sum", assignment_income_pence, "pence",
                 "the largest gross whose costs, with margin, fit in the income", (),
                 tuple(trace.given(rule, label, amount, "pence", "on the gross") for rule, label, amount in parts), (1,) * len(parts))
        )  # fmt: skip
    return UmbrellaResult(
        gross,
        basic,
        gross - basic,
        costs.employer_nic_pence,
        costs.levy_pence,
        costs.employer_pension_pence,
        margin_pence,
        other_costs_pence,
        residue,
        taxable,
        tax,
        employee_nic,
        deducted,
        gross - deducted - tax - employee_nic,
        retained,
        retained_holiday,
    )
