"""What a starter brought in place of a tax code, and what it comes to on a payday: the code, the previous employment's figures, the loans.

HMRC's own code, once a profile has one, decides from its day on. Source: PAYE Regulations 2003 regs 40 to 53; HMRC, starter checklist.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from pay_calc.domain.engine.loans import plan_of_starter
from pay_calc.domain.engine.parameters import YearBook, tax_year_of
from pay_calc.domain.engine.starters import P45, Declaration, carried_into_new_year, starting_tax
from pay_calc.domain.engine.tax_code import parse_tax_code
from pay_calc.domain.engine.trace import Node, Trace


@dataclass(frozen=True, slots=True)
class Starter:
    """A new employment's P45 and starter checklist, as far as they were handed in. `student_loan_plan` None: not known."""

    started_on: date
    declaration: Declaration | None = None
    p45: P45 | None = None
    student_loan: bool = False
    student_loan_plan: str | None = None
    postgrad_loan: bool = False

    def as_json(self) -> dict[str, Any]:
        p45 = self.p45
        return {
            "started_on": self.started_on.isoformat(),
            "declaration": self.declaration,
            "p45": None
            if p45 is None
            else {
                "left_on": p45.left_on.isoformat(),
                "tax_code": p45.tax_code,
                "pay_to_date_pence": p45.pay_to_date_pence,
                "tax_to_date_pence": p45.tax_to_date_pence,
            },
            "student_loan": self.student_loan,
            "student_loan_plan": self.student_loan_plan,
            "postgrad_loan": self.postgrad_loan,
        }


def starter_of(raw: Mapping[str, Any]) -> Starter:
    """A starter as `Starter.as_json` wrote it."""
    p45 = raw["p45"]
    return Starter(
        started_on=date.fromisoformat(raw["started_on"]),
        declaration=raw["declaration"],
        p45=None if p45 is None else P45(**{**p45, "left_on": date.fromisoformat(p45["left_on"])}),
        student_loan=raw["student_loan"],
        student_loan_plan=raw["student_loan_plan"],
        postgrad_loan=raw["postgrad_loan"],
    )


@dataclass(frozen=True, slots=True)
class Mistake:
    """What cannot be of a starter: `field` is a path below the starter, such as p45/left_on."""

    code: str
    field: str
    words: str


def mistake_in(starter: Starter, today: date, years: YearBook) -> Mistake | None:
    """The first thing that cannot be, or None. A start may lie ahead, as far as there are statutory figures."""
    started_on, p45 = starter.started_on, starter.p45
    if started_on > today and tax_year_of(started_on) not in years.known():
        known = ", ".join(years.known())
        return Mistake(
            "unknown_tax_year",
            "started_on",
            f"No statutory figures are loaded for {tax_year_of(started_on)}, in which {started_on} is; known: {known}.",
        )
    if p45 is None:
        return None
    if p45.left_on > today:
        return Mistake("p45_in_future", "p45/left_on", f"A P45 is given after leaving; {p45.left_on} is not yet over.")
    if p45.left_on > started_on:
        return Mistake(
            "p45_after_start",
            "p45/left_on",
            f"The P45 says that the employment before ended on {p45.left_on}, after the start on {started_on}. If it is of another job "
            "that went on, take the worker's statement and leave the P45 out.",
        )
    if p45.tax_to_date_pence > p45.pay_to_date_pence:
        return Mistake(
            "p45_tax_over_pay",
            "p45/tax_to_date_gbp",
            "The tax on the P45 is more than the pay: the two may be swapped.",
        )
    return None


@dataclass(frozen=True, slots=True)
class PaidSoFar:
    """What final payslips of this employment say: their first payday, and the code of the last one before HMRC's own code, with its
    payday; None where there is none."""

    first_on: date
    code_in_use: str | None = None
    used_on: date | None = None


@dataclass(frozen=True, slots=True)
class Start:
    """What a starter comes to on a payday. `previous_tax_year`: the year of the previous figures; None: none count on this payday."""

    tax_code: str
    reason: str
    declaration: Declaration | None
    previous_tax_year: str | None
    previous_pay_pence: int
    previous_tax_pence: int
    student_loan_plan: str | None
    postgrad_loan: bool


def start_on(years: YearBook, starter: Starter, paid: PaidSoFar | None, payday_on: date) -> Start:
    """The starter on this payday. The first payday's tax year decides; a code from before 6 April goes on without its W1, M1 or X.

    A statement that comes after a code was used changes nothing; a P45 does. UnknownTaxYear for a payday without figures.
    """
    first_on = payday_on if paid is None else paid.first_on
    parameters = years.on(first_on)
    found = starting_tax(parameters, starter.started_on, starter.p45, starter.declaration)
    code = _carried(found.tax_code, first_on, payday_on)
    if paid is not None and paid.code_in_use is not None and paid.used_on is not None:
        late = starting_tax(parameters, starter.started_on, starter.p45, starter.declaration, paid.code_in_use)
        if late != found and _carried(found.tax_code, first_on, paid.used_on) != paid.code_in_use:
            found, code = late, _carried(late.tax_code, paid.used_on, payday_on)
    counts = tax_year_of(payday_on) == parameters.tax_year and found.previous_pay_pence + found.previous_tax_pence > 0
    plan = starter.student_loan_plan
    if starter.student_loan and plan is None:
        plan = plan_of_starter(parameters, None)
    return Start(
        tax_code=code,
        reason=found.reason,
        declaration=found.declaration,
        previous_tax_year=parameters.tax_year if counts else None,
        previous_pay_pence=found.previous_pay_pence if counts else 0,
        previous_tax_pence=found.previous_tax_pence if counts else 0,
        student_loan_plan=plan,
        postgrad_loan=starter.postgrad_loan,
    )


def _carried(code: str, since: date, payday_on: date) -> str:
    """A code that was operated since a day, on a payday: without its marker from the 6 April between them."""
    if tax_year_of(since) < tax_year_of(payday_on):
        return carried_into_new_year(code)
    return parse_tax_code(code).text


def explain_start(reason: str, trace: Trace) -> None:
    """Say in a finished trace where the tax code came from."""
    trace.nodes[:] = [_told(node, reason) for node in trace.nodes]


def _told(node: Node, reason: str) -> Node:
    if node.rule_id == "paye.tax":
        return replace(node, inputs=(*node.inputs, ("code from", reason)))
    children = tuple(_told(child, reason) for child in node.children)
    return node if children == node.children else replace(node, children=children)
