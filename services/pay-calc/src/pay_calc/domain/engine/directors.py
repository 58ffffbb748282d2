"""Company directors' National Insurance: an annual earnings period, both methods, appointment within the year.

Source: Social Security (Contributions) Regulations 2001 reg. 8; HMRC CA44.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pay_calc.domain.engine import nic, rounding
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.parameters import Frequency, NicThresholds, YearParameters
from pay_calc.domain.engine.periods import NicPart
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
    due = {
        letter: nic.charge(thresholds, parameters.nic_letters[letter], parameters.nic_employer_bp, filled, upto)
        for letter, filled, upto in _slices(parameters, earnings_pence)
    }
    return due | {letter: (0, 0) for letter in earnings_pence if letter not in due}


def _slices(parameters: YearParameters, earnings_pence: Mapping[str, int]) -> list[tuple[str, int, int]]:
    """The part of the year's earnings, from and to, that each letter takes. A letter that bears none has no part."""
    for letter in earnings_pence:
        nic.require_letter(parameters, letter, "letter")
    found, filled = [], 0
    for letter in parameters.nic_category_order:
        if letter in earnings_pence:
            found.append((letter, filled, filled + earnings_pence[letter]))
            filled += earnings_pence[letter]
    return found


@dataclass(frozen=True, slots=True)
class LetterToDate:
    """What a director earned and paid under one letter in the annual earnings period before this payment, pence."""

    letter: str
    earnings_pence: int
    employee_paid_pence: int
    employer_paid_pence: int


def due_by_letters(
    parameters: YearParameters,
    to_date: Sequence[LetterToDate],
    letter: str,
    pay_pence: int,
    weeks: int = 52,
    trace: Trace | None = None,
) -> tuple[NicPart, ...]:
    """What this payment, made under `letter`, moves of each letter: the year by letters with it, less what was paid under each.

    More pay under one letter can lower what another owes, because HMRC's order gives it the lower bands. With a trace: pushes the
    employee's node, then the employer's.
    """
    before = {each.letter: each.earnings_pence for each in to_date}
    now = {**before, letter: before.get(letter, 0) + pay_pence}
    paid = {each.letter: (each.employee_paid_pence, each.employer_paid_pence) for each in to_date}
    thresholds = annual_thresholds(parameters, weeks)
    bands_now, bands_before = (_bands(parameters, thresholds, earnings) for earnings in (now, before))
    nodes: tuple[list[Node], list[Node]] = ([], [])
    due = dict.fromkeys(now, (0, 0))
    for name, filled, upto in _slices(parameters, now):
        due[name] = nic.charge(
            thresholds, parameters.nic_letters[name], parameters.nic_employer_bp, filled, upto, trace
        )
        if trace is not None:
            nodes[1].append(trace.pop())
            nodes[0].append(trace.pop())
    parts = []
    for name in now:
        employee, employer = (owed - was for owed, was in zip(due[name], paid.get(name, (0, 0)), strict=True))
        moved = [a - b for a, b in zip(bands_now[name], bands_before.get(name, (0, 0, 0)), strict=True)]
        parts.append(NicPart(name, now[name] - before.get(name, 0), moved[0], moved[1], moved[2], employee, employer))
    if trace is not None:
        _explain_letters(trace, nodes, to_date, parts, weeks)
    return tuple(parts)


def _explain_letters(
    trace: Trace,
    nodes: tuple[list[Node], list[Node]],
    to_date: Sequence[LetterToDate],
    parts: Sequence[NicPart],
    weeks: int,
) -> None:
    for who, year, paid, total in (
        ("employee", nodes[0], sum(each.employee_paid_pence for each in to_date), sum(each.employee_pence for each in parts)),
        ("employer", nodes[1], sum(each.employer_paid_pence for each in to_date), sum(each.employer_pence for each in parts)),
    ):  # fmt: skip
        already = trace.given(
            f"nic.director.{who}_paid", "Already paid this year", paid, "pence", "this tax year so far"
        )
        trace.push(
            Node(f"nic.director.{who}", f"Director's {who} National Insurance", "sum", total, "pence",
                 "the year's contribution letter by letter, in HMRC's order of bands, less what was paid", (("weeks", str(weeks)),),
                 (*year, already), (1,) * len(year) + (-1,))
        )  # fmt: skip


def _bands(
    parameters: YearParameters, thresholds: NicThresholds, earnings_pence: Mapping[str, int]
) -> dict[str, tuple[int, int, int]]:
    """The FPS band columns of the year by letter; nothing below the LEL."""
    slices = _slices(parameters, earnings_pence)
    reached = bool(slices) and slices[-1][2] >= thresholds.lel
    edges = (0, thresholds.lel, thresholds.pt, thresholds.uel)
    found: dict[str, tuple[int, int, int]] = dict.fromkeys(earnings_pence, (0, 0, 0))
    for letter, filled, upto in slices:
        if reached:
            at_lel, to_pt, to_uel = (max(0, min(upto, high) - max(filled, low)) for low, high in pairwise(edges))
            found[letter] = (at_lel, to_pt, to_uel)
    return found
