from __future__ import annotations

from datetime import date

import pytest

from timesheet.domain.bank_holidays import BankHolidayYearUnknown, published_bank_holidays
from timesheet.domain.rules import Division

HOLIDAYS = published_bank_holidays()


@pytest.mark.parametrize(
    ("division", "year", "days"),
    [
        (Division.ENGLAND_AND_WALES, 2025, "0101 0418 0421 0505 0526 0825 1225 1226"),
        (Division.ENGLAND_AND_WALES, 2026, "0101 0403 0406 0504 0525 0831 1225 1228"),
        (Division.ENGLAND_AND_WALES, 2027, "0101 0326 0329 0503 0531 0830 1227 1228"),
        (Division.SCOTLAND, 2025, "0101 0102 0418 0505 0526 0804 1201 1225 1226"),
        (Division.SCOTLAND, 2026, "0101 0102 0403 0504 0525 0615 0803 1130 1225 1228"),
        (Division.SCOTLAND, 2027, "0101 0104 0326 0503 0531 0802 1130 1227 1228"),
        (Division.NORTHERN_IRELAND, 2025, "0101 0317 0418 0421 0505 0526 0714 0825 1225 1226"),
        (Division.NORTHERN_IRELAND, 2026, "0101 0317 0403 0406 0504 0525 0713 0831 1225 1228"),
        (Division.NORTHERN_IRELAND, 2027, "0101 0317 0326 0329 0503 0531 0712 0830 1227 1228"),
    ],
)
def test_the_published_days(division: Division, year: int, days: str) -> None:
    assert " ".join(f"{day:%m%d}" for day in HOLIDAYS.dates(division, year)) == days


def test_every_bank_holiday_is_a_working_day_of_the_week() -> None:
    for division in Division:
        for year in sorted(HOLIDAYS.years):
            assert all(day.isoweekday() <= 5 for day in HOLIDAYS.dates(division, year))


def test_a_substitute_day_says_so_and_the_day_itself_is_ordinary() -> None:
    assert HOLIDAYS.title(Division.SCOTLAND, date(2026, 12, 28)) == "Boxing Day (substitute day)"
    assert HOLIDAYS.title(Division.SCOTLAND, date(2026, 12, 26)) is None


@pytest.mark.parametrize("on", [date(2024, 12, 31), date(2028, 1, 1)])
def test_a_year_that_is_not_known_is_refused(on: date) -> None:
    with pytest.raises(BankHolidayYearUnknown, match=f"{on.year} are not known"):
        HOLIDAYS.is_holiday(Division.ENGLAND_AND_WALES, on)
