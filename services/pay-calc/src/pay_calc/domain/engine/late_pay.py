"""Pay that comes after the payday on which it was owed, where the contract owed it then: each such payday is an earnings period of its own.

National Insurance, loans and pension contributions are worked out on the period's whole pay less what was charged on it; tax follows
payment and is not here. Where the payday was in an earlier tax year, the pay is charged by itself, never added, at this year's rates.
Source: Social Security (Contributions) Regulations 2001 reg. 7; HMRC manual NIM08710, NIM08720, NIM36001.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from pay_calc.domain.engine import holiday, loans, nic
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.parameters import Frequency, YearParameters
from pay_calc.domain.engine.periods import LatePeriod, NicPart
from pay_calc.domain.engine.state_pension_age import state_pension_on
from pay_calc.domain.engine.trace import Node, Trace


class _Line(Protocol):
    """What of a pay line's result decides here."""

    @property
    def element(self) -> str: ...
    @property
    def sources(self) -> tuple[int, ...]: ...
    @property
    def shares_pence(self) -> tuple[int, ...]: ...


@dataclass(frozen=True, slots=True)
class LatePay:
    """The pay of one late period on this payslip, pence, its holiday pay in it."""

    period: LatePeriod
    niable_pence: int
    basic_pence: int


def earned(
    parameters: YearParameters,
    periods: Sequence[LatePeriod],
    lines: Sequence[_Line],
    earns_holiday: frozenset[int],
    gross_pence: int,
    sacrifice_pence: int,
) -> tuple[LatePay, ...]:
    """Each late period's pay. `earns_holiday`: indexes of pay lines on which rolled-up holiday pay is paid.

    A salary sacrifice comes off the payslip's own week, or where that has no pay off the first late period that can bear it.
    """
    shares = {
        index: (share, line.element)
        for line in lines
        if line.element != "expense"
        for index, share in zip(line.sources, line.shares_pence, strict=True)
    }
    found = []
    for period in periods:
        own = [(index, *shares[index]) for index in period.lines if index in shares]
        pay = sum(share for _, share, _ in own)
        rolled_up = holiday.rolled_up(parameters, sum(share for index, share, _ in own if index in earns_holiday))
        basic = sum(share for _, share, element in own if element == "basic")
        found.append(LatePay(period, pay + rolled_up, basic))
    left = gross_pence - sum(each.niable_pence for each in found)
    if sacrifice_pence and left == 0:
        for n, each in enumerate(found):
            if each.niable_pence >= sacrifice_pence:
                found[n] = LatePay(each.period, each.niable_pence - sacrifice_pence, each.basic_pence)
                return tuple(found)
    if left < sacrifice_pence:
        raise EngineError(
            "sacrifice_exceeds_pay", "The salary sacrifice is more than the week's own pay.", "pension.amount"
        )
    return tuple(found)


def is_of_this_year(parameters: YearParameters, period: LatePeriod) -> bool:
    return period.payday_on >= parameters.starts_on


def check(parameters: YearParameters, late: LatePay) -> None:
    """Refuse corrections that exceed the pay they correct, and those of a year whose figures are closed."""
    if not is_of_this_year(parameters, late.period) and late.niable_pence < 0:
        raise EngineError(
            "correction_of_last_year",
            f"Pay of {late.period.payday_on} is taken back in another tax year: correct that year's submission by hand.",
            "pay_lines",
        )
    if late.period.charged.niable_pence + late.niable_pence < 0:
        raise EngineError("negative_pay", f"Corrections exceed the pay of payday {late.period.payday_on}.", "pay_lines")


def letter_of(
    parameters: YearParameters, period: LatePeriod, recorded: str, birth_on: date | None, payday_on: date
) -> str:
    """The letter that a late period is charged under: the one it was charged under before, or that of the age on its payday; of an earlier
    year, that of the age on this payday, State Pension age apart."""
    if period.letter is not None:
        return period.letter
    if is_of_this_year(parameters, period):
        return nic.letter_by_age(recorded, birth_on, period.payday_on)
    owed_before = birth_on is not None and period.payday_on < state_pension_on(birth_on)
    return nic.letter_by_age(recorded, birth_on, payday_on, owed_before)


def national_insurance(
    parameters: YearParameters, frequency: Frequency, late: LatePay, letter: str, trace: Trace | None
) -> NicPart:
    """What is due now. With a trace: pushes the employee's node, then the employer's."""
    charged = late.period.charged
    before, total = charged.niable_pence, charged.niable_pence + late.niable_pence
    now = nic.class_1(parameters, frequency, letter, total, trace)
    was = nic.class_1(parameters, frequency, letter, before)
    return NicPart(
        letter,
        late.niable_pence,
        now.at_lel_pence - was.at_lel_pence,
        now.lel_to_pt_pence - was.lel_to_pt_pence,
        now.pt_to_uel_pence - was.pt_to_uel_pence,
        now.employee_pence - charged.employee_nic_pence,
        now.employer_pence - charged.employer_nic_pence,
    )


def loan(parameters: YearParameters, frequency: Frequency, late: LatePay, plan: str, trace: Trace | None) -> int:
    """What is due now of a plan; nothing where the payday was before it was collected. With a trace one node, when it is collected."""
    period = late.period
    postgrad = plan == "PG"
    if not (period.postgrad_loan if postgrad else period.student_loan):
        return 0
    already = period.charged.postgrad_loan_pence if postgrad else period.charged.student_loan_pence
    return (
        loans.deduction(parameters, plan, frequency, period.charged.niable_pence + late.niable_pence, trace) - already
    )


def each(node: Node, others: Sequence[Node]) -> Node:
    """A figure of the payslip's own period with those of late periods: their sum."""
    if not others:
        return node
    children = (node, *others)
    return Node("period.each", node.label, "sum", sum(child.result for child in children), "pence",
                "each earnings period by itself", (), children, (1,) * len(children))  # fmt: skip
