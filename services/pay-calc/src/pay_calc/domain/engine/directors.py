"""Company directors' National Insurance: an annual earnings period, both methods, appointment within the year.

Source: Social Security (Contributions) Regulations 2001 reg. 8; HMRC CA44.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pay_calc.domain.engine import nic, rounding
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.parameters import Frequency, NicThresholds, YearParameters
from pay_calc.domain.engine.trace import Node, Trace


@dataclass(frozen=True, slots=True)
class DirectorStep:
    """One payment: NIC due now and to date, pence. A figure now may be negative: a year-end correction."""

    period: int
    pay_pence: int
    employee_pence: int
    employer_pence: int
    employee_to_date_pence: int
    employer_to_date_pence: int


def annual_thresholds(parameters: YearParameters, weeks: int = 52) -> NicThresholds:
    """A director's thresholds for `weeks` of the year: 52 unless appointed within it (52 less the whole tax weeks before).

    A figure that is a whole multiple of 52 scales exactly, any other goes up to the pound: PT of 48 weeks is 11,604.
    """
    annual = parameters.nic_thresholds["annual"]
    if not 1 <= weeks <= 52:
        raise EngineError(
            "pro_rata_weeks_out_of_range", f"Pro-rata weeks run from 1 to 52; {weeks} does not.", "pro_rata_weeks"
        )

    def scaled(pence: int) -> int:
        return rounding.nic_threshold_ceil_pound(pence * weeks, 5200) * 100

    return NicThresholds(*(scaled(pence) for pence in (annual.lel, annual.st, annual.pt, annual.fust, annual.uel)))


def weeks_from_appointment(tax_week_of_appointment: int) -> int:
    """Weeks of the pro-rata year: the week of appointment counts, at least one."""
    return max(1, 53 - tax_week_of_appointment)


def standard_due(
    parameters: YearParameters,
    letter: str,
    earnings_to_date_pence: int,
    employee_paid_pence: int = 0,
    employer_paid_pence: int = 0,
    weeks: int = 52,
    trace: Trace | None = None,
) -> tuple[int, int, NicThresholds]:
    """(employee, employer) NIC due now and the thresholds: the year's NIC on earnings to date, less what was paid."""
    thresholds = annual_thresholds(parameters, weeks)
    result = nic.class_1_on(
        parameters, thresholds, nic.require_letter(parameters, letter, "letter"), earnings_to_date_pence, trace
    )
    employee, employer = result.employee_pence - employee_paid_pence, result.employer_pence - employer_paid_pence
    if trace is not None:
        employer_year, employee_year = trace.pop(), trace.pop()
        for year, paid, due, who in (
            (employee_year, employee_paid_pence, employee, "employee"),
            (employer_year, employer_paid_pence, employer, "employer"),
        ):
            already = trace.given(
                f"nic.director.{who}_paid", "Already paid this year", paid, "pence", "this tax year so far"
            )
            trace.push(
                Node(f"nic.director.{who}", f"Director's {who} National Insurance", "sum", due, "pence",
                     "the year's contribution on earnings to date, less what was paid", (("weeks", str(weeks)),), (year, already),
                     (1, -1))
            )  # fmt: skip
    return employee, employer, thresholds


def standard_steps(
    parameters: YearParameters, letter: str, pays_pence: tuple[int, ...], weeks: int = 52
) -> tuple[DirectorStep, ...]:
    """The standard method over a run of payments."""
    steps: list[DirectorStep] = []
    earned = employee_paid = employer_paid = 0
    for period, pay in enumerate(pays_pence, start=1):
        earned += pay
        employee, employer, _ = standard_due(parameters, letter, earned, employee_paid, employer_paid, weeks)
        employee_paid, employer_paid = employee_paid + employee, employer_paid + employer
        steps.append(DirectorStep(period, pay, employee, employer, employee_paid, employer_paid))
    return tuple(steps)


def alternative_steps(
    parameters: YearParameters, letter: str, frequency: Frequency, pays_pence: tuple[int, ...], weeks: int = 52
) -> tuple[DirectorStep, ...]:
    """The alternative method: as an employee each period, and at the last payment of the year the annual calculation trues up."""
    steps: list[DirectorStep] = []
    earned = employee_paid = employer_paid = 0
    for period, pay in enumerate(pays_pence, start=1):
        earned += pay
        if period < len(pays_pence):
            result = nic.class_1(parameters, frequency, letter, pay)
            employee, employer = result.employee_pence, result.employer_pence
        else:
            employee, employer, _ = standard_due(parameters, letter, earned, employee_paid, employer_paid, weeks)
        employee_paid, employer_paid = employee_paid + employee, employer_paid + employer
        steps.append(DirectorStep(period, pay, employee, employer, employee_paid, employer_paid))
    return tuple(steps)


def year_by_letters(
    parameters: YearParameters, earnings_pence: Mapping[str, int], weeks: int = 52
) -> dict[str, tuple[int, int]]:
    """(employee, employer) NIC of the year by letter, when the letter changed within it.

    The annual bands are filled letter by letter in HMRC's order (`category_order` of the year's file).
    """
    thresholds = annual_thresholds(parameters, weeks)
    for letter in earnings_pence:
        nic.require_letter(parameters, letter, "letter")
    filled = 0
    due: dict[str, tuple[int, int]] = {}
    for letter in parameters.nic_category_order:
        if letter in earnings_pence:
            upto = filled + earnings_pence[letter]
            due[letter] = nic.charge(
                thresholds, parameters.nic_letters[letter], parameters.nic_employer_bp, filled, upto
            )
            filled = upto
    return due | {letter: (0, 0) for letter in earnings_pence if letter not in due}
