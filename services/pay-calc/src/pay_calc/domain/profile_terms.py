"""Terms of a pay profile that hold for a time: payrolled benefits, accommodation that is provided, an apprenticeship's first year.

Everything here round-trips through JSON: a payslip's inputs keep what held on its payday.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from pay_calc.domain.engine.calendar import add_months
from pay_calc.domain.engine.minimum_wage import Accommodation
from pay_calc.domain.engine.trace import Node, Trace
from pay_calc.domain.pay_dates import WEEK

APPRENTICESHIP_FIRST_YEAR_MONTHS = 12


@dataclass(frozen=True, slots=True)
class Benefit:
    """A benefit in kind that is taxed through pay: its amount for each weekly payday from `starts_on` to `ends_on`, both included."""

    name: str
    week_pence: int
    starts_on: date
    ends_on: date | None = None

    def paydays(self, payday_on: date, tax_year_of: Callable[[date], str]) -> int:
        """How many weekly paydays of this tax year, up to this one, it has been due on."""
        tax_year, count, day = tax_year_of(payday_on), 0, payday_on
        while day >= self.starts_on and tax_year_of(day) == tax_year:
            count += self.ends_on is None or day <= self.ends_on
            day -= WEEK
        return count


def benefits_due(
    benefits: Sequence[Benefit], payday_on: date, taxed_pence: int, tax_year_of: Callable[[date], str]
) -> Mapping[str, Any] | None:
    """What this payday's payslip taxes: all that was due on the year's paydays so far, less `taxed_pence` that earlier payslips did; so
    that a week without pay loses nothing. None: there are no benefits this year.

    Source: Income Tax (PAYE) Regulations 2003 regs 61A to 61L; HMRC, Payrolling benefits in kind.
    """
    items = [(each, each.paydays(payday_on, tax_year_of)) for each in benefits]
    due = [{"name": each.name, "week_pence": each.week_pence, "paydays": paydays} for each, paydays in items if paydays]
    return {"due": due, "taxed_pence": taxed_pence} if due else None


def benefits_pence(benefits: Mapping[str, Any] | None) -> int:
    """The amount of `benefits_due`. Never below nothing: what was taxed too much is put right by the tax return or a corrected year."""
    if benefits is None:
        return 0
    due: int = sum(each["week_pence"] * each["paydays"] for each in benefits["due"])
    return max(0, due - int(benefits["taxed_pence"]))


def explain_benefits(benefits: Mapping[str, Any], trace: Trace) -> None:
    """Put how the benefits were worked out under every mention of them in a finished trace."""
    due = tuple(
        Node("paye.benefit", each["name"], "sum", each["week_pence"] * each["paydays"], "pence",
             f"{each['paydays']} paydays of this tax year so far", (),
             (trace.given("paye.benefit_week", "A week of it", each["week_pence"], "pence", "the pay profile"),), (each["paydays"],))
        for each in benefits["due"]
    )  # fmt: skip
    taxed = trace.given("paye.benefits_taxed", "Taxed before", benefits["taxed_pence"], "pence", "this tax year so far")
    children = (*due, taxed)
    whole = sum(each.result for each in due) - taxed.result
    left = Node("paye.benefits_left", "Due so far, less what was taxed", "sum", whole, "pence", "benefits to date", (), children,
                (1,) * len(due) + (-1,))  # fmt: skip
    zero = trace.given("paye.benefits.zero", "Zero", 0, "pence", "never less than nothing")
    told = Node(
        "paye.benefits", "Payrolled benefits in it", "max", max(0, whole), "pence", "taxed, not paid", (), (left, zero)
    )
    trace.nodes[:] = [_with(node, told) for node in trace.nodes]


def _with(node: Node, told: Node) -> Node:
    if node.rule_id == told.rule_id and node.op == "given":
        return told
    if not node.children:
        return node
    children = tuple(_with(child, told) for child in node.children)
    return node if children == node.children else replace(node, children=children)


@dataclass(frozen=True, slots=True)
class Provided:
    """Living accommodation that the employer provides: nights a week and the charge for each, from `starts_on` to `ends_on`, both
    included."""

    days_a_week: int
    charge_a_day_pence: int
    starts_on: date
    ends_on: date | None = None

    def in_period(self, period_from: date, period_to: date) -> Accommodation | None:
        """What the minimum wage asks of a pay week (`period_to` excluded); None: not provided in it."""
        last = period_to - timedelta(days=1)
        until = last if self.ends_on is None else min(last, self.ends_on)
        days = min(self.days_a_week, (until - max(period_from, self.starts_on)).days + 1)
        return Accommodation(days, days * self.charge_a_day_pence) if days > 0 else None


def in_first_year(apprenticeship_started_on: date | None, period_from: date) -> bool | None:
    """Whether a pay reference period starts in the first twelve months of an apprenticeship; None: its start is not recorded.

    Source: National Minimum Wage Regulations 2015 reg. 5(1)(b).
    """
    if apprenticeship_started_on is None:
        return None
    return period_from < add_months(apprenticeship_started_on, APPRENTICESHIP_FIRST_YEAR_MONTHS)
