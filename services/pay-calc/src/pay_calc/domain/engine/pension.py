"""Workplace pension: qualifying earnings, contributions under the three tax reliefs, assessment of a worker."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from pay_calc.domain.engine import rounding
from pay_calc.domain.engine.parameters import Frequency, YearParameters
from pay_calc.domain.engine.state_pension_age import age_on, state_pension_on
from pay_calc.domain.engine.trace import Node, Trace

Relief = Literal["net_pay", "ras", "salary_sacrifice"]
Assessment = Literal["eligible", "non_eligible", "entitled", "none"]


@dataclass(frozen=True, slots=True)
class PensionResult:
    """Pence. `employee_deducted_pence` is what leaves the worker's pay: 80 % of the contribution under relief at source.
    `pensionable_pence` is the earnings the percentages were taken of."""

    pensionable_pence: int
    employee_gross_pence: int
    employee_deducted_pence: int
    employer_pence: int
    above_trigger: bool


@dataclass(frozen=True, slots=True)
class PensionRefund:
    """Contributions that an opt-out gives back, pence, none negative, by the relief they were taken under. What net pay took was never
    taxed and is taxed now; what was sacrificed is pay now; what left net pay under relief at source comes back as it went.
    `employer_pence`: the employer's own, beyond what was sacrificed. Source: SI 2010/772 reg. 11."""

    net_pay_pence: int = 0
    ras_pence: int = 0
    sacrifice_pence: int = 0
    employer_pence: int = 0

    @property
    def worker_pence(self) -> int:
        return self.net_pay_pence + self.ras_pence + self.sacrifice_pence

    @property
    def taxable_pence(self) -> int:
        return self.net_pay_pence + self.sacrifice_pence


NOTHING_BACK = PensionRefund()


def qualifying_earnings(parameters: YearParameters, frequency: Frequency, pay_pence: int) -> int:
    """The part of pay between the lower and upper limit of the pay reference period. Source: Pensions Act 2008 s.13."""
    band = parameters.pension[frequency]
    if pay_pence <= band.lower:
        return 0
    return (pay_pence if pay_pence < band.upper else band.upper) - band.lower


def contributions(
    parameters: YearParameters,
    frequency: Frequency,
    pay_pence: int,
    employee_bp: int,
    employer_bp: int,
    relief: Relief,
    pensionable_pence: int | None = None,
    trace: Trace | None = None,
) -> PensionResult:
    """Contributions of one pay reference period. `pensionable_pence` replaces qualifying earnings under a certified set
    (basic pay or all earnings)."""
    earnings = qualifying_earnings(parameters, frequency, pay_pence) if pensionable_pence is None else pensionable_pence
    employee = rounding.pension_half_up_penny(earnings * employee_bp, 10000)
    employer = rounding.pension_half_up_penny(earnings * employer_bp, 10000)
    deducted = employee
    if relief == "ras":
        deducted = rounding.relief_at_source_half_up_penny(employee * parameters.relief_at_source_bp, 10000)
    if trace is not None:
        base = (
            _qualifying_node(trace, parameters, frequency, pay_pence, earnings)
            if pensionable_pence is None
            else trace.given("pension.earnings", "Pensionable pay", earnings, "pence", "the scheme's certified basis")
        )
        node = Node(
            "pension.employee", "Employee pension contribution", "ratio", employee, "pence",
            f"earnings x {employee_bp // 100}.{employee_bp % 100:02d} %", (("relief", relief),), (base,), factors=(employee_bp,),
            divisor=10000, rounding="pension_half_up_penny",
        )  # fmt: skip
        if relief == "ras":
            node = Node(
                "pension.employee_after_relief", "Employee pension after basic-rate relief", "ratio", deducted, "pence",
                "80 % of the contribution; the provider reclaims the rest", (), (node,),
                factors=(parameters.relief_at_source_bp,), divisor=10000, rounding="relief_at_source_half_up_penny",
            )  # fmt: skip
        trace.push(node)
        trace.push(
            Node("pension.employer", "Employer pension contribution", "ratio", employer, "pence",
                 f"earnings x {employer_bp // 100}.{employer_bp % 100:02d} %", (), (base,), factors=(employer_bp,), divisor=10000,
                 rounding="pension_half_up_penny")
        )  # fmt: skip
    return PensionResult(earnings, employee, deducted, employer, pay_pence > parameters.pension[frequency].trigger)


def _qualifying_node(
    trace: Trace, parameters: YearParameters, frequency: Frequency, pay_pence: int, earnings_pence: int
) -> Node:
    band = parameters.pension[frequency]
    pay = trace.given("pension.pay", "Pay of the period", pay_pence, "pence", "gross pay, less any salary sacrifice")
    upper = trace.given("pension.upper", "Upper limit", band.upper, "pence", "of qualifying earnings, for the period")
    lower = trace.given("pension.lower", "Lower limit", band.lower, "pence", "of qualifying earnings, for the period")
    top = min(pay_pence, band.upper)
    capped = Node(
        "pension.pay_to_limit", "Pay up to the upper limit", "min", top, "pence", "the lower of both", (), (pay, upper)
    )
    over = Node("pension.excess", "Pay over the lower limit", "sum", top - band.lower, "pence", "pay less the lower limit", (),
                (capped, lower), (1, -1))  # fmt: skip
    zero = trace.given("pension.zero", "Zero", 0, "pence", "nothing below the lower limit")
    return Node(
        "pension.earnings",
        "Qualifying earnings",
        "max",
        earnings_pence,
        "pence",
        "never less than zero",
        (),
        (over, zero),
    )


def assess(
    parameters: YearParameters, frequency: Frequency, birth_on: date, payday_on: date, pay_pence: int
) -> Assessment:
    """What automatic enrolment asks for this worker and pay reference period.

    eligible: 22 to State Pension age, earning more than the trigger (exactly the trigger is not more). non_eligible: 16 to 74 above the
    lower limit otherwise; may opt in. entitled: 16 to 74 at or below the lower limit; may join. none: outside 16 to 74.
    Source: Pensions Act 2008 ss.3, 7 and 8.
    """
    age = age_on(birth_on, payday_on)
    if not 16 <= age < 75:
        return "none"
    band = parameters.pension[frequency]
    if pay_pence <= band.lower:
        return "entitled"
    if pay_pence > band.trigger and age >= 22 and payday_on < state_pension_on(birth_on):
        return "eligible"
    return "non_eligible"
