"""Bank holidays of the three divisions, as GOV.UK publishes them; substitute days stand on their published date.

Source: https://www.gov.uk/bank-holidays, kept in `data/bank-holidays.json`. The Scottish holiday of 15 June 2026 is the
one-off appointed by Royal Proclamation of 3 February 2026 (Banking and Financial Dealings Act 1971, section 1(3)).
A date outside the years in the file is refused: a missing year would pay every bank holiday as an ordinary day.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources

from timesheet.domain.rules import Division


class BankHolidayYearUnknown(LookupError):
    """The bank holidays of a year are not known yet."""

    code = "bank_holiday_year_unknown"

    def __init__(self, on: date, years: Iterable[int]) -> None:
        self.on = on
        known = ", ".join(str(year) for year in sorted(years))
        super().__init__(
            f"the bank holidays of {on.year} are not known (asked for {on}; known years: {known}); "
            "add GOV.UK's list to data/bank-holidays.json"
        )


@dataclass(frozen=True, slots=True)
class BankHolidays:
    """Titles of bank holidays by division and date, for whole calendar years."""

    years: frozenset[int]
    by_division: Mapping[Division, Mapping[date, str]]

    def title(self, division: Division, on: date) -> str | None:
        """The holiday's name, or None on an ordinary day. Raises BankHolidayYearUnknown."""
        if on.year not in self.years:
            raise BankHolidayYearUnknown(on, self.years)
        return self.by_division[division].get(on)

    def is_holiday(self, division: Division, on: date) -> bool:
        """Whether the day is a bank holiday of the division. Raises BankHolidayYearUnknown."""
        return self.title(division, on) is not None

    def dates(self, division: Division, year: int) -> tuple[date, ...]:
        """The holidays of one year in order. Raises BankHolidayYearUnknown."""
        if year not in self.years:
            raise BankHolidayYearUnknown(date(year, 1, 1), self.years)
        return tuple(sorted(day for day in self.by_division[division] if day.year == year))


def bank_holidays_from_json(text: str) -> BankHolidays:
    """Read the published list: `years` and, for each division, events with title, date and notes."""
    document = json.loads(text)
    divisions = {
        division: {
            date.fromisoformat(event["date"]): f"{event['title']} (substitute day)"
            if event["notes"]
            else event["title"]
            for event in document["divisions"][division.value]
        }
        for division in Division
    }
    return BankHolidays(frozenset(document["years"]), divisions)


@cache
def published_bank_holidays() -> BankHolidays:
    """The list that ships with the service."""
    data = resources.files("timesheet.domain") / "data" / "bank-holidays.json"
    return bank_holidays_from_json(data.read_text(encoding="utf-8"))
