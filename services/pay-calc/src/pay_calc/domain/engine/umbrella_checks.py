"""The fifteen checks of an umbrella's payslip: each passes, warns or fails, with an amount and words for a person.

Pure: a payslip as the umbrella showed it and the facts on file go in, fifteen outcomes come out, always in the same order. A check whose
facts are missing warns, because silence is not evidence. Amounts are what the payslip shows less what it should show.
Source: ITEPA 2003 Part 2 Chapter 11 (liability for an umbrella's PAYE); HMRC, labour supply chain assurance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Literal

from pay_calc.domain.engine import holiday, income_tax, loans, minimum_wage, nic, pension, rounding
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.parameters import Frequency, MinimumWageBook, YearParameters
from pay_calc.domain.engine.state_pension_age import age_on, state_pension_on
from pay_calc.domain.engine.tax_code import parse_tax_code
from pay_calc.domain.engine.trace import Node, Trace, text_of

Verdict = Literal["pass", "warn", "fail"]

IDENTITY_TOLERANCE_PENCE = 2
TAX_TOLERANCE_PENCE = 1
"""HMRC accepts a penny of rounding in tax; National Insurance and loans are exact."""
PENSION_TOLERANCE_PENCE = 1
"""Schemes round contributions by their own rule."""
HOLIDAY_TOLERANCE_PENCE = 1
RED_FLAG_RATIO_BP = 8000
"""Take-home of more than 80 % of the assignment income: lawful only where almost no tax is due."""
HIGH_RATIO_BP = 7000
SMALL_SCHEME_WORKERS = 5
MANY_SCHEMES = 3

_EMPLOYER_COST_WORDS = ("employer", "ers ni", "levy", "margin", "umbrella", "admin", "processing fee")
_DISGUISED_PAY_WORDS = ("loan", "advance", "annuity", "benefit", "credit", "fiduciary", "capital", "trust")
_EXPENSE_WORDS = ("expense", "mileage", "subsistence")


@dataclass(frozen=True, slots=True)
class Item:
    """A line of the payslip in its own words, pence. `receipts_seen` matters for expenses."""

    label: str
    pence: int
    receipts_seen: bool = False


@dataclass(frozen=True, slots=True)
class UmbrellaPayslip:
    """What the payslip and its reconciliation show, pence. `gross_pence` is taxable pay before pension: basic, holiday paid and other pay.

    `deductions` are taken from the worker other than tax, National Insurance, loans and pension; `untaxed` is paid without tax.
    """

    frequency: Frequency
    payday_on: date
    tax_code: str
    tax_period: int
    ni_letter: str
    assignment_income_pence: int
    employer_nic_pence: int
    levy_pence: int
    employer_pension_pence: int
    margin_pence: int
    gross_pence: int
    basic_pence: int
    holiday_paid_pence: int
    holiday_accrued_pence: int
    tax_pence: int
    employee_nic_pence: int
    student_loan_pence: int
    postgrad_loan_pence: int
    employee_pension_pence: int
    net_pence: int
    minutes: int | None
    other_costs: tuple[Item, ...] = ()
    deductions: tuple[Item, ...] = ()
    untaxed: tuple[Item, ...] = ()
    taxable_to_date_pence: int | None = None
    tax_to_date_pence: int | None = None
    paye_reference: str | None = None


@dataclass(frozen=True, slots=True)
class FpsLine:
    """This payment as the umbrella reported it to HMRC, pence."""

    taxable_pence: int
    tax_pence: int
    niable_pence: int
    employee_nic_pence: int
    employer_nic_pence: int


@dataclass(frozen=True, slots=True)
class SchemeSpread:
    """One agency's workers of this umbrella over its PAYE schemes."""

    workers: int
    schemes: int
    schemes_claiming_allowance: int


@dataclass(frozen=True, slots=True)
class UmbrellaFacts:
    """What is on file beside the payslip. None: not known.

    `taxable_before_pence` and `tax_before_pence` are the year to date before this payment, previous employment included, for the tax
    calculation; `shown_*_before_pence` what the umbrella's last payslip showed as its own year to date.
    """

    contracted_margin_pence: int | None = None
    pension_employer_bp: int | None = None
    pension_relief: Literal["net_pay", "ras"] = "net_pay"
    taxable_before_pence: int | None = None
    tax_before_pence: int | None = None
    shown_taxable_before_pence: int | None = None
    shown_tax_before_pence: int | None = None
    student_loan_plan: str | None = None
    postgrad_loan: bool = False
    birth_on: date | None = None
    apprentice: bool = False
    letter_evidence: bool = False
    period_from: date | None = None
    awr_weeks_completed: int | None = None
    awr_comparator_rate_pence: int | None = None
    fps: FpsLine | None = None
    previous_paye_reference: str | None = None
    schemes: SchemeSpread | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """`amount_pence`: shown less expected, where the check compares amounts; otherwise the sum it is about."""

    number: int
    name: str
    verdict: Verdict
    amount_pence: int
    words: str


@dataclass(frozen=True, slots=True)
class _Case:
    parameters: YearParameters
    slip: UmbrellaPayslip
    facts: UmbrellaFacts
    minimum_wage: MinimumWageBook
    trace: Trace | None

    @property
    def taxable_pence(self) -> int:
        relieved = self.slip.employee_pension_pence if self.facts.pension_relief == "net_pay" else 0
        return self.slip.gross_pence - relieved

    def difference(self, check: str, shown: int, expected: int) -> int:
        if self.trace is not None:
            self.trace.push(
                Node(f"umbrella_check.{check}", "Shown less expected", "sum", shown - expected, "pence", "shown - expected", (),
                     (self.trace.given("umbrella_check.shown", "Shown", shown, "pence", "on the umbrella's payslip"),
                      self.trace.given("umbrella_check.expected", "Expected", expected, "pence", "worked from the facts on file")),
                     (1, -1))
            )  # fmt: skip
        return shown - expected


def check_payslip(
    parameters: YearParameters,
    slip: UmbrellaPayslip,
    facts: UmbrellaFacts,
    minimum_wage_book: MinimumWageBook,
    trace: Trace | None = None,
) -> tuple[Check, ...]:
    """All fifteen checks, numbered 1 to 15. Raises EngineError for a payday outside the year, an unknown letter, code or loan plan; an
    odd payslip is not an error. With a trace, each check that compares amounts pushes one node whose result is its amount."""
    if not parameters.starts_on <= slip.payday_on <= parameters.ends_on:
        raise EngineError(
            "payday_outside_tax_year",
            f"Payday {slip.payday_on} is not in tax year {parameters.tax_year}.",
            "payday_on",
        )
    case = _Case(parameters, slip, facts, minimum_wage_book, trace)
    return tuple(Check(number, name, *check(case)) for number, (name, check) in enumerate(_CHECKS, start=1))


_Outcome = tuple[Verdict, int, str]


def _money(pence: int) -> str:
    return text_of(pence, "pence")


def _compared(difference: int, tolerance: int, what: str) -> _Outcome:
    if abs(difference) <= tolerance:
        return "pass", difference, f"{what} agrees"
    side = "more" if difference > 0 else "less"
    return "fail", difference, f"{what} is {_money(abs(difference))} {side} than it should be"


def _identity(case: _Case) -> _Outcome:
    slip = case.slip
    accounted = (
        slip.gross_pence
        + slip.employer_nic_pence
        + slip.levy_pence
        + slip.employer_pension_pence
        + slip.margin_pence
        + sum(item.pence for item in (*slip.other_costs, *slip.untaxed))
        + slip.holiday_accrued_pence
    )
    difference = case.difference("identity", accounted, slip.assignment_income_pence)
    if abs(difference) <= IDENTITY_TOLERANCE_PENCE:
        return "pass", difference, "the assignment income is accounted for"
    if difference > 0:
        return "fail", difference, f"the payslip accounts for {_money(difference)} more than the assignment income"
    return "fail", difference, f"{_money(-difference)} of the assignment income is not accounted for"


def _employer_nic(case: _Case) -> _Outcome:
    slip = case.slip
    due = nic.class_1(case.parameters, slip.frequency, slip.ni_letter, slip.gross_pence).employer_pence
    return _compared(case.difference("employer_nic", slip.employer_nic_pence, due), 0, "employer National Insurance")


def _levy(case: _Case) -> _Outcome:
    most = rounding.levy_half_up_penny(case.slip.gross_pence * case.parameters.levy_bp, 10000)
    over = case.difference("levy", case.slip.levy_pence, most)
    if over <= 0:
        return "pass", over, "the levy is at most half a per cent of gross"
    return "fail", over, f"the levy is {_money(over)} more than half a per cent of gross"


def _employer_pension(case: _Case) -> _Outcome:
    rate = case.facts.pension_employer_bp
    if rate is None:
        if case.slip.employer_pension_pence == 0:
            return "pass", 0, "no employer pension is charged"
        return (
            "warn",
            case.slip.employer_pension_pence,
            "an employer pension is charged and the scheme's rule is not on file",
        )
    earnings = pension.qualifying_earnings(case.parameters, case.slip.frequency, case.slip.gross_pence)
    due = rounding.pension_half_up_penny(earnings * rate, 10000)
    difference = case.difference("employer_pension", case.slip.employer_pension_pence, due)
    return _compared(difference, PENSION_TOLERANCE_PENCE, "employer pension")


def _margin(case: _Case) -> _Outcome:
    contracted = case.facts.contracted_margin_pence
    if contracted is None:
        return "warn", case.slip.margin_pence, "the contracted margin is not on file"
    return _compared(case.difference("margin", case.slip.margin_pence, contracted), 0, "the margin")


def _has(label: str, words: tuple[str, ...]) -> bool:
    text = label.lower().replace("'", "").replace("’", "")
    return any(word in text for word in words)


def _unlawful_deductions(case: _Case) -> _Outcome:
    found = [item for item in case.slip.deductions if _has(item.label, _EMPLOYER_COST_WORDS)]
    if not found:
        return "pass", 0, "no employer's cost is taken from the worker's pay"
    names = ", ".join(item.label for item in found)
    return "fail", sum(item.pence for item in found), f"an employer's cost is taken from the worker's pay: {names}"


def _tax(case: _Case) -> _Outcome:
    slip, facts = case.slip, case.facts
    code = parse_tax_code(slip.tax_code)
    cumulative = not code.non_cumulative
    if cumulative and (facts.taxable_before_pence is None or facts.tax_before_pence is None):
        return "warn", 0, "the year to date before this payment is not on file, and the code is cumulative"
    due = income_tax.tax_for_payment(
        case.parameters,
        code,
        slip.frequency,
        slip.tax_period,
        case.taxable_pence,
        facts.taxable_before_pence or 0,
        facts.tax_before_pence or 0,
    ).tax_pence
    return _compared(case.difference("tax", slip.tax_pence, due), TAX_TOLERANCE_PENCE, "income tax")


def _employee_nic_and_loans(case: _Case) -> _Outcome:
    slip, facts, parameters = case.slip, case.facts, case.parameters
    due = nic.class_1(parameters, slip.frequency, slip.ni_letter, slip.gross_pence).employee_pence
    if facts.student_loan_plan is not None:
        due += loans.deduction(parameters, facts.student_loan_plan, slip.frequency, slip.gross_pence)
    if facts.postgrad_loan:
        due += loans.deduction(parameters, "PG", slip.frequency, slip.gross_pence)
    shown = slip.employee_nic_pence + slip.student_loan_pence + slip.postgrad_loan_pence
    return _compared(case.difference("employee_nic", shown, due), 0, "employee National Insurance with loans")


def _untaxed(case: _Case) -> _Outcome:
    bad = [
        item
        for item in case.slip.untaxed
        if _has(item.label, _DISGUISED_PAY_WORDS) or not (_has(item.label, _EXPENSE_WORDS) and item.receipts_seen)
    ]
    if not bad:
        return "pass", 0, "nothing is paid without tax but expenses with receipts"
    names = ", ".join(item.label for item in bad)
    return "fail", sum(item.pence for item in bad), f"paid without tax: {names}"


def _holiday(case: _Case) -> _Outcome:
    slip = case.slip
    least = holiday.rolled_up(case.parameters, slip.basic_pence)
    difference = case.difference("holiday", slip.holiday_paid_pence + slip.holiday_accrued_pence, least)
    if difference >= -HOLIDAY_TOLERANCE_PENCE:
        return "pass", difference, "holiday paid or accrued is at least 12.07 % of basic pay"
    return "fail", difference, f"holiday paid or accrued is {_money(-difference)} short of 12.07 % of basic pay"


def _pay_floors(case: _Case) -> _Outcome:
    slip, facts = case.slip, case.facts
    if slip.minutes is None:
        return "warn", 0, "the hours are not on the payslip: neither the minimum wage nor equal pay can be tested"
    taken = sum(item.pence for item in slip.deductions)
    outcome = minimum_wage.outcome_of_period(
        case.minimum_wage,
        reference_period_from=facts.period_from,
        birth_on=facts.birth_on,
        apprentice=facts.apprentice,
        minutes=slip.minutes,
        counting_pay_scaled=(slip.basic_pence - taken) * minimum_wage.SCALE,
    )
    if outcome.status == "fail":
        short = outcome.shortfall_pence
        return "fail", -short, f"basic pay is {_money(short)} short of the minimum wage for the hours"
    completed, comparator = facts.awr_weeks_completed, facts.awr_comparator_rate_pence
    if completed is not None and completed >= 12:
        if comparator is None:
            return "warn", 0, "12 weeks are completed and the comparator's rate is not on file"
        least = rounding.minimum_wage_ceil_penny(comparator * slip.minutes, 60)
        difference = case.difference("equal_pay", slip.basic_pence, least)
        if difference < 0:
            return (
                "fail",
                difference,
                f"after 12 weeks basic pay is {_money(-difference)} short of the comparator's rate",
            )
    if outcome.status == "not_tested":
        return "warn", 0, f"the minimum wage is not tested: {outcome.reason}"
    return "pass", 0, "basic pay is at least the minimum wage and, after 12 weeks, the comparator's rate"


def _fps(case: _Case) -> _Outcome:
    slip, facts = case.slip, case.facts
    if facts.fps is None:
        return "warn", 0, "the report to HMRC is not on file"
    pairs = (
        ("taxable pay", facts.fps.taxable_pence, case.taxable_pence),
        ("tax", facts.fps.tax_pence, slip.tax_pence),
        ("pay for National Insurance", facts.fps.niable_pence, slip.gross_pence),
        ("employee National Insurance", facts.fps.employee_nic_pence, slip.employee_nic_pence),
        ("employer National Insurance", facts.fps.employer_nic_pence, slip.employer_nic_pence),
    )
    for what, reported, shown in pairs:
        if reported != shown:
            difference = case.difference("fps", shown, reported)
            return (
                "fail",
                difference,
                f"{what} reported to HMRC is {_money(reported)}, the payslip shows {_money(shown)}",
            )
    if (
        facts.shown_taxable_before_pence is None
        or facts.shown_tax_before_pence is None
        or slip.taxable_to_date_pence is None
        or slip.tax_to_date_pence is None
    ):
        return "warn", 0, "the report agrees; the year to date cannot be followed from the last payslip"
    for what, was, now, paid in (
        ("taxable pay", facts.shown_taxable_before_pence, slip.taxable_to_date_pence, case.taxable_pence),
        ("tax", facts.shown_tax_before_pence, slip.tax_to_date_pence, slip.tax_pence),
    ):
        difference = case.difference("to_date", now, was + paid)
        if difference:
            return "fail", difference, f"{what} to date does not follow from the last payslip"
    return "pass", 0, "the report to HMRC agrees and the year to date follows from the last payslip"


def _take_home(case: _Case) -> _Outcome:
    slip = case.slip
    if slip.assignment_income_pence <= 0:
        return "warn", 0, "there is no assignment income to compare take-home pay with"
    share_bp = slip.net_pence * 10000 // slip.assignment_income_pence
    percent = f"{share_bp // 100}.{share_bp % 100:02d} %"
    if share_bp <= HIGH_RATIO_BP:
        return "pass", slip.net_pence, f"take-home pay is {percent} of the assignment income"
    sound = _tax(_untraced(case))[0] == "pass" and not slip.untaxed
    if share_bp <= RED_FLAG_RATIO_BP or sound:
        return "warn", slip.net_pence, f"take-home pay is {percent} of the assignment income, more than usual"
    return "fail", slip.net_pence, f"take-home pay is {percent} of the assignment income: a red flag"


def _untraced(case: _Case) -> _Case:
    """The same case for a second look that must not be traced twice."""
    return _Case(case.parameters, case.slip, case.facts, case.minimum_wage, None)


def _letter(case: _Case) -> _Outcome:
    letter, birth, payday = case.slip.ni_letter, case.facts.birth_on, case.slip.payday_on
    nic.require_letter(case.parameters, letter)
    if birth is None:
        verdict: Verdict = "pass" if letter == "A" else "warn"
        return verdict, 0, f"letter {letter}; the date of birth is not on file"
    age, pensioner = age_on(birth, payday), payday >= state_pension_on(birth)
    wrong = ""
    if letter in "MZ" and age >= 21:
        wrong = "is for those under 21"
    elif letter == "H" and (age >= 25 or not case.facts.apprentice):
        wrong = "is for apprentices under 25"
    elif letter in "CSK" and not pensioner:
        wrong = "is for those over State Pension age"
    elif letter == "X" and age >= 16:
        wrong = "is for those under 16"
    elif pensioner and letter not in "CSKX":
        wrong = "may not be used from State Pension age"
    if wrong:
        return "fail", 0, f"letter {letter} {wrong}; the worker is {age}"
    if letter in "BIEJLDZVFNSK" and not case.facts.letter_evidence:
        return "warn", 0, f"letter {letter} needs a certificate or a site that is not on file"
    if letter == "A" and age < 21:
        return "warn", 0, "letter A is used for a worker under 21: letter M would cost less"
    return "pass", 0, f"letter {letter} agrees with the age of {age}"


def _schemes(case: _Case) -> _Outcome:
    facts, spread = case.facts, case.facts.schemes
    if spread is not None and spread.schemes >= MANY_SCHEMES and spread.schemes_claiming_allowance >= MANY_SCHEMES:
        few = spread.workers < spread.schemes * SMALL_SCHEME_WORKERS
        if few:
            return (
                "fail",
                0,
                (
                    f"{spread.workers} workers over {spread.schemes} PAYE schemes that claim Employment Allowance: "
                    "signs of a mini-umbrella"
                ),
            )
    now, before = case.slip.paye_reference, facts.previous_paye_reference
    if now is None:
        return "warn", 0, "the employer's PAYE reference is not on the payslip"
    if before is not None and now != before:
        return "warn", 0, f"the employer's PAYE reference changed from {before} to {now}"
    return "pass", 0, "the employer's PAYE reference is unchanged"


_CHECKS: tuple[tuple[str, Callable[[_Case], _Outcome]], ...] = (
    ("identity", _identity),
    ("employer_nic", _employer_nic),
    ("levy", _levy),
    ("employer_pension", _employer_pension),
    ("margin", _margin),
    ("unlawful_deductions", _unlawful_deductions),
    ("tax", _tax),
    ("employee_nic_and_loans", _employee_nic_and_loans),
    ("untaxed_pay", _untaxed),
    ("holiday", _holiday),
    ("pay_floors", _pay_floors),
    ("report_to_hmrc", _fps),
    ("take_home_ratio", _take_home),
    ("letter", _letter),
    ("paye_schemes", _schemes),
)
