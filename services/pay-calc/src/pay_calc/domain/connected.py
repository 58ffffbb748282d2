"""Earnings of one person with connected employers in one earnings period: National Insurance and loans are of all of them together.

Whoever pays last charges the period's total less what was charged before. Source: Social Security (Contributions) Regulations 2001 reg. 15;
HMRC, NIM10007 to NIM10012.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from pay_calc.domain.engine.calendar import tax_week
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.periods import EarningsPeriodToDate


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What a final payslip of a connected employer charged for its own payday, pence, and under which letter."""

    payday_on: date
    ni_letter: str
    director: bool
    niable_pence: int
    employee_nic_pence: int
    employer_nic_pence: int
    student_loan_pence: int
    postgrad_loan_pence: int
    student_loan_plan: str | None = None


def charged_elsewhere(
    known: Sequence[Elsewhere],
    payday_on: date,
    ni_letter: str,
    *,
    director: bool,
    student_loan_plan: str | None,
    tax_year_of: Callable[[date], str],
) -> EarningsPeriodToDate | None:
    """What connected employers charged in the tax week of this payday; None: nothing.

    Raises EngineError `connected_earnings_not_alike`: under another letter or plan, or a director's, they are not added here.
    """
    when = (tax_year_of(payday_on), tax_week(payday_on))
    same = [each for each in known if (tax_year_of(each.payday_on), tax_week(each.payday_on)) == when]
    if not same:
        return None
    letters = {ni_letter, *(each.ni_letter for each in same)}
    plans = {plan for plan in (student_loan_plan, *(each.student_loan_plan for each in same)) if plan is not None}
    if len(letters) > 1 or len(plans) > 1 or director or any(each.director for each in same):
        raise EngineError(
            "connected_earnings_not_alike",
            f"A connected employer paid this person in the same week. A directorship, letters {', '.join(sorted(letters))} or loan plans "
            f"{', '.join(sorted(plans)) or 'none'} cannot be worked out together: record the same with both, or decide that adding is not "
            "practicable.",
            "ni_letter",
        )
    return EarningsPeriodToDate(
        niable_pence=sum(each.niable_pence for each in same),
        employee_nic_pence=sum(each.employee_nic_pence for each in same),
        employer_nic_pence=sum(each.employer_nic_pence for each in same),
        student_loan_pence=sum(each.student_loan_pence for each in same),
        postgrad_loan_pence=sum(each.postgrad_loan_pence for each in same),
    )


def both(here: EarningsPeriodToDate, elsewhere: EarningsPeriodToDate) -> EarningsPeriodToDate:
    """What was charged of one earnings period here and by connected employers; pension is each employer's own."""
    names = ("niable_pence", "employee_nic_pence", "employer_nic_pence", "student_loan_pence", "postgrad_loan_pence")
    return replace(here, **{name: getattr(here, name) + getattr(elsewhere, name) for name in names})
