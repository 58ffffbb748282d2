"""Student and postgraduate loan deductions, whole pounds of one earnings period."""

from __future__ import annotations

from functools import lru_cache

from pay_calc.domain.engine import rounding
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.parameters import BASE_OF, SPAN_OF, Frequency, LoanPlan, YearParameters
from pay_calc.domain.engine.trace import Node, Trace

PLANS = ("1", "2", "4", "5", "PG")
DAYS_OF_YEAR = 365


def require_plan(parameters: YearParameters, plan: str, field: str = "student_loan_plan") -> LoanPlan:
    """The plan's figures; a plan that does not exist and a plan not collected in this year are different errors."""
    found = parameters.loans.get(plan)
    if found is not None:
        return found
    if plan in PLANS:
        raise EngineError("loan_plan_not_collected", f"Plan {plan} is not collected in {parameters.tax_year}.", field)
    raise EngineError("unknown_loan_plan", f"Loan plan {plan!r} is not one of {', '.join(PLANS)}.", field)


@lru_cache(maxsize=512)
def period_threshold(parameters: YearParameters, plan: str, frequency: Frequency) -> int:
    """The period's threshold in pence: annual x weeks / 52 or x months / 12, cut to the penny after multiplying."""
    annual = require_plan(parameters, plan).annual_pence
    return rounding.loan_threshold_floor_penny(annual * SPAN_OF[frequency], BASE_OF[frequency])


def threshold_of_days(parameters: YearParameters, plan: str, days: int) -> int:
    """The threshold of an irregular period in pence: annual x days / 365, cut to the penny. Source: as `deduction`."""
    if not 1 <= days <= DAYS_OF_YEAR:
        raise EngineError("days_out_of_range", f"A period has 1 to {DAYS_OF_YEAR} days; {days} is not.", "days")
    return rounding.loan_threshold_floor_penny(require_plan(parameters, plan).annual_pence * days, DAYS_OF_YEAR)


def plan_of_starter(parameters: YearParameters, declared: str | None) -> str:
    """The plan of a starter who has a student loan: the declared one, or while it is not known the year's default, the lowest threshold.

    Source: HMRC, collection of student loans: guide for employers.
    """
    return require_plan(parameters, declared if declared is not None else parameters.loan_default_plan).plan


def over_threshold(loan: LoanPlan, threshold_pence: int, niable_pence: int) -> int:
    """The deduction in pence, whole pounds, above a given threshold: that of another period."""
    over = niable_pence - threshold_pence
    return rounding.loan_floor_pound(over * loan.rate_bp, 1000000) * 100 if over > 0 else 0


def deduction(
    parameters: YearParameters, plan: str, frequency: Frequency, niable_pence: int, trace: Trace | None = None
) -> int:
    """The deduction in pence, always whole pounds, on the niable pay of one earnings period.

    Source: HMRC, student and postgraduate loan specification: (pay - threshold) x rate, down to the pound, never cumulative.
    """
    loan = require_plan(parameters, plan)
    threshold = period_threshold(parameters, plan, frequency)
    over = niable_pence - threshold
    if over < 0:
        over = 0
    pounds = rounding.loan_floor_pound(over * loan.rate_bp, 1000000)
    if trace is not None:
        rate = f"{loan.rate_bp // 100} %"
        over_node = Node(
            "loan.over_threshold", "Earnings over the threshold", "max", over, "pence", "never less than zero", (),
            (
                Node("loan.excess", "Earnings less threshold", "sum", niable_pence - threshold, "pence", "earnings - threshold", (),
                     (
                         trace.given("loan.earnings", "Earnings", niable_pence, "pence", "niable pay of the earnings period"),
                         trace.given("loan.threshold", f"Threshold of plan {plan}", threshold, "pence",
                                     "the year's threshold for one period, cut to the penny"),
                     ), (1, -1)),
                trace.given("loan.zero", "Zero", 0, "pence", "nothing below the threshold"),
            ),
        )  # fmt: skip
        whole = Node(
            "loan.whole_pounds", f"At {rate}, in whole pounds", "ratio", pounds, "pounds", f"earnings over the threshold x {rate}",
            (("rate", rate),), (over_node,), factors=(loan.rate_bp,), divisor=1000000, rounding="loan_floor_pound",
        )  # fmt: skip
        label = "Postgraduate loan" if plan == "PG" else f"Student loan, plan {plan}"
        trace.push(Node("loan.deduction", label, "sum", pounds * 100, "pence", "whole pounds", (), (whole,), (100,)))
    return pounds * 100
