"""Which earnings period pay belongs to when it is not the ordinary one: late timesheets, pay in advance, a change of interval, several
jobs.

National Insurance, loans and qualifying earnings belong to an earnings period; tax follows payment. Where practice leaves a choice, it is
an agency's setting without a default, refused as `setting_missing` until it is made.
Source: Social Security (Contributions) Regulations 2001 regs 2 to 15; HMRC manual NIM08400 to NIM08720, NIM10000 to NIM10012; CWG2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from pay_calc.domain.engine import income_tax, loans, nic, rounding
from pay_calc.domain.engine.calendar import require_period
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.loans import require_plan
from pay_calc.domain.engine.parameters import BASE_OF, Frequency, NicThresholds, YearParameters, tax_year_of
from pay_calc.domain.engine.tax_code import TaxCode
from pay_calc.domain.engine.trace import Node, Trace

_LENGTH = {"weekly": 7, "fortnightly": 14, "four_weekly": 28, "monthly": 30}


def _setting_missing(name: str, choices: str) -> EngineError:
    return EngineError(
        "setting_missing",
        f"The agency has not set {name}: choose {choices}. It has no default because contracts differ.",
        name,
    )


# Late timesheets


@dataclass(frozen=True, slots=True)
class EarningsPeriodDecision:
    """`belongs_to_on`: the payday whose earnings period is charged; `separately`: not added to this payday's pay. `rates_of`: the tax year
    whose National Insurance rates apply. Tax is always worked at the actual payday."""

    belongs_to_on: date
    separately: bool
    rates_of: str
    words: str


def late_timesheet(
    setting: Literal["usual_payday", "this_payday"] | None, usual_payday_on: date, payday_on: date
) -> EarningsPeriodDecision:
    """A timesheet paid after the payday of its week.

    usual_payday (the contract owed the wages then): a calculation of its own for that payday; if that was last tax year, still on its own,
    at this year's rates. this_payday (the contract owes nothing before the timesheet): added to this payday. NIM08710, NIM08720.
    """
    if setting is None:
        raise _setting_missing("late_timesheet", "usual_payday or this_payday")
    this_year = tax_year_of(payday_on)
    if usual_payday_on >= payday_on or setting == "this_payday":
        return EarningsPeriodDecision(payday_on, False, this_year, "part of this payday's earnings")
    if tax_year_of(usual_payday_on) == this_year:
        return EarningsPeriodDecision(
            usual_payday_on, True, this_year, "separately, for the payday on which it was owed"
        )
    return EarningsPeriodDecision(
        payday_on, True, this_year, "owed last tax year: separately, never added, at this year's rates"
    )


# Pay in advance, as at Christmas


@dataclass(frozen=True, slots=True)
class AdvancePay:
    """Tax, National Insurance and loans of weekly pay that covers several weeks at once, pence, for the FPS with `periods_covered`."""

    periods_covered: int
    tax_period: int
    tax_pence: int
    employee_nic_pence: int
    employer_nic_pence: int
    student_loan_pence: int
    postgrad_loan_pence: int


def weekly_advance(
    parameters: YearParameters,
    *,
    weekly_pays_pence: Sequence[int],
    first_week: int,
    tax_code: TaxCode,
    ni_letter: str,
    method: Literal["A", "B"] | None,
    pay_before_pence: int = 0,
    tax_before_pence: int = 0,
    student_loan_plan: str | None = None,
    postgrad_loan: bool = False,
    trace: Trace | None = None,
) -> AdvancePay:
    """Weekly pay that covers 2 to 4 weeks from tax week `first_week`.

    Tax: a cumulative code works the whole sum at the last of the weeks; a week 1 code works each week by itself. National Insurance and
    loans: method A charges each week by itself, method B the sum over a period of that many weeks. Weeks beyond 52 are refused: they belong
    to another year's pay. With a trace one root: what is taken.
    """
    weeks = len(weekly_pays_pence)
    if not 2 <= weeks <= 4:
        raise EngineError("weeks_out_of_range", f"An advance covers 2 to 4 weeks, not {weeks}.", "weekly_pays")
    if min(weekly_pays_pence) < 0:
        raise EngineError("negative_pay", "A week's pay may not be negative.", "weekly_pays")
    if method is None:
        raise _setting_missing("advance_nic_method", "A (each week by itself) or B (one longer period)")
    last = first_week + weeks - 1
    require_period(first_week, "weekly", "first_week")
    if last > 52:
        raise EngineError("tax_period_out_of_range", "An advance may not cross the end of the tax year.", "first_week")
    total = sum(weekly_pays_pence)
    if tax_code.non_cumulative:
        tax = sum(
            income_tax.tax_for_payment(parameters, tax_code, "weekly", first_week + i, pay).tax_pence
            for i, pay in enumerate(weekly_pays_pence)
        )
    else:
        tax = income_tax.tax_for_payment(
            parameters, tax_code, "weekly", last, total, pay_before_pence, tax_before_pence
        ).tax_pence
    letter = nic.require_letter(parameters, ni_letter)
    if method == "A":
        charged = [nic.class_1(parameters, "weekly", ni_letter, pay) for pay in weekly_pays_pence]
    else:
        charged = [nic.class_1_on(parameters, thresholds_of_weeks(parameters, weeks), letter, total)]
    student = postgrad = 0
    if student_loan_plan is not None:
        student = _advance_loan(parameters, student_loan_plan, weekly_pays_pence, method)
    if postgrad_loan:
        postgrad = _advance_loan(parameters, "PG", weekly_pays_pence, method)
    employee = sum(each.employee_pence for each in charged)
    if trace is not None:
        parts = (
            ("tax", f"Income tax at week {last}", tax),
            ("nic", f"National Insurance, method {method}", employee),
            ("student_loan", "Student loan", student),
            ("postgrad_loan", "Postgraduate loan", postgrad),
        )
        children = tuple(
            trace.given(f"advance.{name}", label, amount, "pence", f"on {weeks} weeks") for name, label, amount in parts
        )
        trace.push(
            Node("advance.taken", "Taken from the advance", "sum", sum(amount for _, _, amount in parts), "pence", "tax, NIC and loans",
                 (), children, (1,) * len(children))
        )  # fmt: skip
    return AdvancePay(weeks, last, tax, employee, sum(each.employer_pence for each in charged), student, postgrad)


def thresholds_of_weeks(parameters: YearParameters, weeks: int) -> NicThresholds:
    """The published column where there is one (1, 2 or 4 weeks), otherwise the period's own thresholds."""
    published = {1: "weekly", 2: "fortnightly", 4: "four_weekly"}.get(weeks)
    if published is not None:
        return parameters.nic_thresholds[published]
    return nic.thresholds_for_period(parameters, weeks=weeks)


def _advance_loan(parameters: YearParameters, plan: str, pays: Sequence[int], method: Literal["A", "B"]) -> int:
    if method == "A":
        return sum(loans.deduction(parameters, plan, "weekly", pay) for pay in pays)
    loan = require_plan(parameters, plan)
    threshold = rounding.loan_threshold_floor_penny(loan.annual_pence * len(pays), BASE_OF["weekly"])
    return loans.over_threshold(loan, threshold, sum(pays))


# A change of interval


@dataclass(frozen=True, slots=True)
class IntervalCharge:
    """National Insurance of this payment, pence. Negative: the longer period's total is less than was charged on its parts, and is
    given back."""

    employee_pence: int
    employer_pence: int
    words: str


def nic_on_interval_change(
    parameters: YearParameters,
    old: Frequency,
    new: Frequency,
    ni_letter: str,
    pay_pence: int,
    charged_in_first_period: Sequence[tuple[int, int, int]] = (),
    trace: Trace | None = None,
) -> IntervalCharge:
    """The first payment at a new interval.

    To a shorter interval: the new period by itself. To a longer one: what was already paid inside the first long period counts with it,
    less what was charged on that (`charged_in_first_period`: pay, employee, employer, pence). NIM08500, NIM08510.
    """
    if old == new:
        raise EngineError("interval_unchanged", f"The interval stays {new}.", "new")
    earlier_pay = sum(pay for pay, _, _ in charged_in_first_period)
    if _LENGTH[new] < _LENGTH[old]:
        result = nic.class_1(parameters, new, ni_letter, pay_pence, trace)
        if trace is not None:
            trace.pop()
        return IntervalCharge(result.employee_pence, result.employer_pence, "the new, shorter period by itself")
    result = nic.class_1(parameters, new, ni_letter, earlier_pay + pay_pence, trace)
    employee = sum(each for _, each, _ in charged_in_first_period)
    employer = sum(each for _, _, each in charged_in_first_period)
    if trace is not None:
        trace.pop()
        whole = trace.pop()
        already = trace.given(
            "interval.charged", "Charged on earlier pay in the period", employee, "pence", "earlier payslips"
        )
        trace.push(
            Node("interval.employee", "Employee National Insurance", "sum", result.employee_pence - employee, "pence",
                 "the longer period's, less what was charged", (), (whole, already), (1, -1))
        )  # fmt: skip
    return IntervalCharge(
        result.employee_pence - employee,
        result.employer_pence - employer,
        "the whole longer period, less what was charged",
    )


def after_leaving_period(regular_week_in_hand: bool, weeks: int = 1) -> tuple[Frequency, int]:
    """The earnings period of pay after leaving: (frequency, how many). Irregular pay: one week. Weeks in hand: each week by itself."""
    if weeks < 1:
        raise EngineError("weeks_out_of_range", "Pay after leaving is of at least one week.", "weeks")
    return "weekly", weeks if regular_week_in_hand else 1


# Several jobs


@dataclass(frozen=True, slots=True)
class JobEarnings:
    """Pay of one job in an earnings period, pence. `employer_ref` is the secondary contributor."""

    job_ref: str
    employer_ref: str
    frequency: Frequency
    ni_letter: str
    niable_pence: int


@dataclass(frozen=True, slots=True)
class AggregatedNic:
    """One calculation for several jobs (`job_refs`): its period, contributions, and each job's share of both, pence, in the order given."""

    frequency: Frequency
    niable_pence: int
    employee_pence: int
    employer_pence: int
    employee_shares: tuple[int, ...]
    employer_shares: tuple[int, ...]
    job_refs: tuple[str, ...]


def aggregate(
    parameters: YearParameters,
    jobs: Sequence[JobEarnings],
    connected: Sequence[frozenset[str]] = (),
    not_practicable: bool = False,
    trace: Trace | None = None,
) -> tuple[AggregatedNic, ...]:
    """One National Insurance calculation for all of a worker's jobs with one employer, and with employers that carry on business in
    association (`connected`: sets of employer references; sets that share one are joined), unless a recorded decision says that adding
    across employers is not practicable (jobs with one employer are always added). The shortest period is taken; shares follow pay,
    pennies by largest remainder.

    Jobs of one calculation with different letters are refused. With a trace: one employee node for each calculation, in order.
    Source: Contributions Regulations 2001 regs 6, 14 and 15; NIM10000 to NIM10012.
    """
    groups: dict[frozenset[str], list[JobEarnings]] = {}
    for job in jobs:
        if job.niable_pence < 0:
            raise EngineError("negative_pay", f"Job {job.job_ref} holds negative pay.", "jobs")
        alone = frozenset({job.employer_ref})
        together = alone if not_practicable else _associated(alone, connected)
        groups.setdefault(together, []).append(job)
    results: list[AggregatedNic] = []
    for members in groups.values():
        letters = {job.ni_letter for job in members}
        if len(letters) > 1:
            raise EngineError(
                "letters_differ",
                f"Jobs added together carry letters {', '.join(sorted(letters))}: they need one.",
                "jobs",
            )
        frequency = min((job.frequency for job in members), key=lambda each: _LENGTH[each])
        total = sum(job.niable_pence for job in members)
        result = nic.class_1(parameters, frequency, members[0].ni_letter, total, trace)
        if trace is not None:
            trace.pop()
        weights = [job.niable_pence for job in members]
        results.append(
            AggregatedNic(
                frequency,
                total,
                result.employee_pence,
                result.employer_pence,
                share_out(result.employee_pence, weights),
                share_out(result.employer_pence, weights),
                tuple(job.job_ref for job in members),
            )
        )
    return tuple(results)


def _associated(employers: frozenset[str], connected: Sequence[frozenset[str]]) -> frozenset[str]:
    """All employers that sets which share one join together."""
    joined = employers.union(*(group for group in connected if group & employers))
    return joined if joined == employers else _associated(joined, connected)


def share_out(pence: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Whole pennies in proportion to weights: floors, then a penny each to the largest remainders, earlier ones first."""
    whole = sum(weights)
    if whole == 0:
        return (pence, *(0 for _ in weights[1:]))
    shares = [pence * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(pence * weights[i] % whole), i))
    for i in by_remainder[: pence - sum(shares)]:
        shares[i] += 1
    return tuple(shares)
