"""Rate cards and weeks for the tests of the domain. Week of the demo: Monday 30 March to Sunday 5 April 2026."""

from __future__ import annotations

from datetime import date, time, timedelta
from decimal import Decimal
from uuid import UUID

from timesheet.domain.bank_holidays import published_bank_holidays
from timesheet.domain.entries import Entry, Expense, Shift, WorkedWeek
from timesheet.domain.interpret import interpret_week
from timesheet.domain.lines import ChargeLine, Interpretation
from timesheet.domain.rates import NamedRate, RateCard
from timesheet.domain.rules import Choose, PremiumKind, Rule, RuleSet
from timesheet.domain.vocabulary import Applies, Element, RateUnit

CARD_ID = UUID("0197a000-0000-7000-8000-000000000001")
MONDAY = date(2026, 3, 30)
SUNDAY = date(2026, 4, 5)
GOOD_FRIDAY = date(2026, 4, 3)


def at(text: str) -> time:
    return time.fromisoformat(text)


def shift(on: date, start: str, finish: str, break_minutes: int = 0, **more: object) -> Shift:
    return Shift(on, at(start), at(finish), break_minutes, **more)  # type: ignore[arg-type]


def rate(code: str, pay: str, charge: str, unit: RateUnit = RateUnit.HOUR, **more: object) -> NamedRate:
    return NamedRate(code, code.capitalize(), unit, Decimal(pay), Decimal(charge), **more)  # type: ignore[arg-type]


STANDARD = rate("standard", "12.71", "17.00")
OTHER_RATES = (
    rate("nights", "15.00", "20.00"),
    rate("training", "12.71", "0", applies=Applies.PAY_ONLY),
    rate("supervision", "0", "4.50", applies=Applies.BILL_ONLY),
    rate("overtime", "19.065", "25.50", element=Element.OVERTIME),
    rate("meal", "5.00", "0", RateUnit.EACH, applies=Applies.PAY_ONLY),
    rate("tools", "0.25", "0.30"),
    rate("mile", "0.45", "0.50", RateUnit.EACH),
)


def card(
    *rules: Rule,
    standard: NamedRate = STANDARD,
    version: int = 1,
    effective_from: date = date(2025, 1, 1),
    effective_to: date | None = None,
    priority: tuple[PremiumKind, ...] = tuple(PremiumKind),
    choose: Choose = Choose.PRIORITY,
) -> RateCard:
    rates = (standard, *OTHER_RATES)
    return RateCard(CARD_ID, version, effective_from, effective_to, rates, RuleSet(rules, priority, choose))


def week(*entries: Entry, expenses: tuple[Expense, ...] = (), week_ending: date = SUNDAY) -> WorkedWeek:
    return WorkedWeek(week_ending, entries, expenses)


def charge(worked: WorkedWeek, *cards: RateCard) -> Interpretation:
    return interpret_week(worked, cards=cards, bank_holidays=published_bank_holidays())


def only(lines: Interpretation, element: Element) -> ChargeLine:
    found = [line for line in lines.lines if line.element is element]
    assert len(found) == 1, f"{len(found)} lines of {element}"
    return found[0]


def five_days(start: str, finish: str, break_minutes: int = 0) -> tuple[Shift, ...]:
    return tuple(shift(MONDAY + timedelta(days=n), start, finish, break_minutes) for n in range(5))
