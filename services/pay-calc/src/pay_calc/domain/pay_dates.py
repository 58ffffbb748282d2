"""When a week is paid. `payday_on` is contractual and decides tax year, week and FPS date; `funds_on` is when the bank moves the money."""

from __future__ import annotations

from datetime import date, timedelta

from pay_calc.domain.engine.errors import EngineError

WEEK = timedelta(days=7)
DAY = timedelta(days=1)
KNOWN_YEARS = range(2025, 2028)

BANK_HOLIDAYS = frozenset(
    {
        date(2025, 1, 1),
        date(2025, 4, 18),
        date(2025, 4, 21),
        date(2025, 5, 5),
        date(2025, 5, 26),
        date(2025, 8, 25),
        date(2025, 12, 25),
        date(2025, 12, 26),
        date(2026, 1, 1),
        date(2026, 4, 3),
        date(2026, 4, 6),
        date(2026, 5, 4),
        date(2026, 5, 25),
        date(2026, 8, 31),
        date(2026, 12, 25),
        date(2026, 12, 28),
        date(2027, 1, 1),
        date(2027, 3, 26),
        date(2027, 3, 29),
        date(2027, 5, 3),
        date(2027, 5, 31),
        date(2027, 8, 30),
        date(2027, 12, 27),
        date(2027, 12, 28),
    }
)
"""Days on which Bacs does not run. Source: GOV.UK bank holidays, England and Wales, whose calendar UK payment systems keep."""


def period_to_of(week_ending: date) -> date:
    """The exclusive end of the pay period of the week that ends on this Sunday."""
    return week_ending + DAY


def payday_of(week_ending: date, days_after: int) -> date:
    """The contractual payday of a week."""
    return week_ending + timedelta(days=days_after)


def first_week_paid_from(day: date, days_after: int) -> date:
    """The Sunday that ends the first week whose payday is on this day or later."""
    paid_up_to = day - timedelta(days=days_after)
    return paid_up_to + timedelta(days=(7 - paid_up_to.isoweekday()) % 7)


def is_banking_day(day: date) -> bool:
    """Money can reach an account on this day. EngineError `bank_holidays_unknown` for a year whose holidays are not known."""
    if day.year not in KNOWN_YEARS:
        raise EngineError(
            "bank_holidays_unknown",
            f"The bank holidays of {day.year} are not known; known years: {KNOWN_YEARS[0]} to {KNOWN_YEARS[-1]}.",
            "payday_on",
        )
    return day.isoweekday() < 6 and day not in BANK_HOLIDAYS


def banking_day_before(day: date) -> date:
    """The last banking day before this one."""
    return banking_day_at_or_before(day - DAY)


def banking_day_at_or_before(day: date) -> date:
    """This day if the banks work, else the last banking day before it: workers are never paid late."""
    while not is_banking_day(day):
        day -= DAY
    return day
