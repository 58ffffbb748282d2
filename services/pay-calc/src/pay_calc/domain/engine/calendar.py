"""Tax weeks and months of a payment date."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.parameters import BASE_OF, SPAN_OF, Frequency, tax_year_of


def add_months(day: date, months: int) -> date:
    """The same day that many months later (or earlier); a day that the month lacks becomes its last day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


@dataclass(frozen=True, slots=True)
class TaxPeriod:
    """Where a payment falls. `non_cumulative_extra` marks week 53, 54 or 56, which is always taxed on its own."""

    tax_year: str
    number: int
    non_cumulative_extra: bool


def tax_week(payday_on: date) -> int:
    """The tax week 1..53: seven days from 6 April. Week 53 is 5 April (and 4 April before a leap year's end)."""
    first = date(int(tax_year_of(payday_on)[:4]), 4, 6)
    return (payday_on - first).days // 7 + 1


def tax_month(payday_on: date) -> int:
    """The tax month 1..12: from the 6th of a month to the 5th of the next."""
    return ((payday_on.month - 4) % 12 + (1 if payday_on.day >= 6 else 0)) or 12


def tax_month_days(tax_year: str, month: int) -> tuple[date, date]:
    """The first and the last day of a tax month: the 6th and the 5th after it."""
    first = add_months(date(int(tax_year[:4]), 4, 6), month - 1)
    return first, add_months(first, 1) - timedelta(days=1)


def tax_period(
    payday_on: date, frequency: Frequency, odd_week: Literal["round_up", "actual_week"] = "round_up"
) -> TaxPeriod:
    """The tax period of a contractual payment date.

    Fortnightly and four-weekly paydays take the last week of their span (2, 4 .. 52, 54 and 4, 8 .. 52, 56). Practice differs
    for a payday in an odd week, so `odd_week="actual_week"` reports the week itself. Source: HMRC PAYE manual, week 53
    payments; practitioners' tables.
    """
    if frequency == "monthly":
        return TaxPeriod(tax_year_of(payday_on), tax_month(payday_on), False)
    week, span = tax_week(payday_on), SPAN_OF[frequency]
    number = -(-week // span) * span if odd_week == "round_up" or week > 52 else week
    return TaxPeriod(tax_year_of(payday_on), number, number > 52)


def payday_in(starts_on: date, frequency: Frequency, number: int) -> date:
    """A payday that falls in a given tax period: the first day of its last week, or of its month."""
    if frequency == "monthly":
        months = starts_on.month - 2 + number
        return date(starts_on.year + months // 12, months % 12 + 1, starts_on.day)
    week = min(number, 53)
    return date.fromordinal(starts_on.toordinal() + (week - 1) * 7)


_LAST_EXTRA = {"weekly": 53, "fortnightly": 54, "four_weekly": 56, "monthly": 12}


def require_period(number: int, frequency: Frequency, field: str = "tax_period") -> None:
    """Refuse a period number that the frequency does not have, such as week 57, month 13 or fortnight 3."""
    span, last = SPAN_OF[frequency], _LAST_EXTRA[frequency]
    if not 1 <= number <= last or number % span:
        steps = "1, 2 .." if span == 1 else f"{span}, {2 * span} .. {BASE_OF[frequency]},"
        raise EngineError(
            "tax_period_out_of_range",
            f"A {frequency} tax period is one of {steps} {last}; {number} is not.",
            field,
        )
