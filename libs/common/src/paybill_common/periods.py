"""Half-open date periods and working weeks. A week ends on a Sunday, Europe/London."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta


class BadPeriod(ValueError):
    """A period that ends before it starts, or a week that does not end on a Sunday."""


@dataclass(frozen=True, order=True)
class DateRange:
    """Days from `start` up to but not including `end`; `end=None` is open."""

    start: date
    end: date | None = None

    def __post_init__(self) -> None:
        if self.end is not None and self.end <= self.start:
            raise BadPeriod(f"a period from {self.start} must end after it, not on {self.end}")

    def __contains__(self, day: object) -> bool:
        return isinstance(day, date) and self.start <= day and (self.end is None or day < self.end)

    def overlaps(self, other: DateRange) -> bool:
        return (other.end is None or self.start < other.end) and (self.end is None or other.start < self.end)


def week_of(week_ending: date) -> DateRange:
    """The seven days of the week that ends on this Sunday. Raises BadPeriod for another weekday."""
    if week_ending.isoweekday() != 7:
        raise BadPeriod(f"a week ends on a Sunday; {week_ending} is a {week_ending:%A}")
    return DateRange(week_ending - timedelta(days=6), week_ending + timedelta(days=1))


def week_ending_of(day: date) -> date:
    """The Sunday that ends the week of this day."""
    return day + timedelta(days=7 - day.isoweekday())


def days_of(period: DateRange) -> list[date]:
    """Every day of a closed period."""
    if period.end is None:
        raise BadPeriod(f"the period from {period.start} has no end")
    return [period.start + timedelta(days=n) for n in range((period.end - period.start).days)]
