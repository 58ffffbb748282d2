"""Leave of workers with regular hours: 5.6 weeks, 28 days, the first year, a year joined or left in the middle, another working week."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.regular_leave import WorkingWeek, employment, entitled, year_of
from pay_calc.domain.engine.trace import Node, Trace, recompute

LONG_AGO = date(2020, 4, 6)
TODAY = date(2026, 11, 2)


def minutes(*weeks: WorkingWeek, on: date = TODAY, anchor: date | None = None, leaving: bool = False) -> int | None:
    trace = Trace()
    found = entitled(weeks, anchor, on, leaving=leaving, trace=trace)
    if found is None:
        return None
    check(trace.root)
    assert trace.root.result == found.minutes
    return found.minutes


def check(node: Node) -> None:
    assert recompute(node) == node.result, node
    for child in node.children:
        check(child)


@pytest.mark.parametrize(
    ("days", "week", "year"),
    [
        (50, 2250, 12600),  # five days of 7:30: 28 days
        (30, 1350, 7560),  # three of them: 16.8 days
        (60, 2700, 12600),  # six: 33.6 days, but no more than 28
        (70, 3150, 12600),
        (25, 1125, 6300),  # two and a half: 14 days
    ],
)
def test_five_point_six_weeks_and_no_more_than_28_days(days: int, week: int, year: int) -> None:
    assert minutes(WorkingWeek(LONG_AGO, days, week)) == year


@pytest.mark.parametrize(
    ("on", "days"),
    [
        (date(2026, 4, 5), None),
        (date(2026, 4, 6), "2.5"),  # 28 / 12 = 2.33
        (date(2026, 5, 5), "2.5"),
        (date(2026, 5, 6), "5"),  # 4.67
        (date(2026, 6, 6), "7"),
        (date(2027, 3, 6), "28"),
        (date(2027, 4, 5), "28"),
        (date(2027, 4, 6), "28"),  # the second year, whole from its first day
    ],
)
def test_the_first_year_earns_a_twelfth_each_month_to_the_half_day(on: date, days: str | None) -> None:
    found = minutes(WorkingWeek(date(2026, 4, 6), 50, 2250), on=on)
    assert found == (None if days is None else int(Decimal(days) * 450))


def test_an_agreed_leave_year_that_one_joins_gives_its_share() -> None:
    week = WorkingWeek(date(2026, 10, 1), 50, 2250)
    # 1 October to 31 December: 92 of 365 days of 12,600 minutes, but two months have begun: 4.67, so 5 days.
    assert minutes(week, anchor=date(2026, 1, 1)) == 2250
    assert minutes(week, anchor=date(2026, 1, 1), on=date(2026, 12, 2)) == 3150
    assert minutes(week, anchor=date(2026, 1, 1), on=date(2026, 12, 31)) == 3150
    earlier = WorkingWeek(date(2026, 12, 1), 50, 2250)
    # 31 of 365 days: 1,070.2 minutes, up; a twelfth would be 1,125.
    assert minutes(earlier, anchor=date(2026, 1, 1), on=date(2026, 12, 31)) == 1071


def test_leaving_gives_the_share_of_the_year_that_has_passed() -> None:
    """Reg. 14(3): the day of leaving has passed. 6 April to 2 November are 211 of 365 days."""
    week = WorkingWeek(LONG_AGO, 50, 2250)
    assert minutes(week, leaving=True) == -(-12600 * 211 // 365)
    assert minutes(week, leaving=True, on=date(2027, 4, 5)) == 12600
    eight_hours = WorkingWeek(date(2020, 4, 1), 50, 2400)
    assert minutes(eight_hours, leaving=True, on=date(2026, 6, 30)) == 1911 + 1440  # 91 of 365 days of 28: 6.98 days
    ended = WorkingWeek(date(2026, 11, 3), 0, 0)
    assert minutes(week, ended, on=date(2026, 12, 7)) == minutes(week, leaving=True)


def test_another_working_week_counts_from_its_day() -> None:
    """Five days until 4 October (182 of 365 days), three from then on (183)."""
    weeks = (WorkingWeek(LONG_AGO, 50, 2250), WorkingWeek(date(2026, 10, 5), 30, 1350))
    assert minutes(*weeks) == -(-12600 * 182 // 365) + -(-7560 * 183 // 365)
    assert minutes(*weeks, on=date(2026, 9, 1)) == minutes(*weeks)
    assert minutes(*weeks, on=date(2026, 4, 5)) == 12600


def test_who_comes_back_begins_anew() -> None:
    weeks = (
        WorkingWeek(LONG_AGO, 50, 2250),
        WorkingWeek(date(2026, 7, 1), 0, 0),
        WorkingWeek(date(2026, 9, 1), 50, 2250),
    )
    assert employment(weeks, date(2026, 8, 1)) == weeks[:2]
    assert employment(weeks, date(2026, 9, 1)) == weeks[2:]
    again = entitled(weeks, None, TODAY)
    assert again is not None
    assert (again.year_from, again.minutes) == (date(2026, 9, 1), 7 * 450)
    assert again.words == "3 twelfths of the year's leave, in the first year"


def test_leave_years_turn_on_their_day() -> None:
    assert year_of(date(2020, 2, 29), date(2026, 2, 27)) == date(2025, 2, 28)
    assert year_of(date(2020, 2, 29), date(2026, 2, 28)) == date(2026, 2, 28)
    assert year_of(date(2026, 4, 6), date(2026, 4, 6)) == date(2026, 4, 6)
    assert year_of(date(2030, 1, 1), TODAY) == date(2026, 1, 1)


@pytest.mark.parametrize(("days", "week"), [(0, 60), (50, 0), (71, 60), (-1, 60), (50, -60)])
def test_half_a_working_week_is_refused(days: int, week: int) -> None:
    with pytest.raises(EngineError) as refused:
        WorkingWeek(LONG_AGO, days, week)
    assert refused.value.code == "working_week_not_whole"


@given(st.integers(1, 70), st.integers(1, 7 * 1440), st.integers(0, 3000))
def test_a_day_more_never_lowers_what_is_earned_within_a_leave_year(days: int, week: int, offset: int) -> None:
    weeks = (WorkingWeek(LONG_AGO, days, week),)
    on = LONG_AGO + timedelta(offset)
    for leaving in (False, True):
        first = entitled(weeks, None, on, leaving=leaving)
        then = entitled(weeks, None, on + timedelta(1), leaving=leaving)
        assert first is not None
        assert then is not None
        assert first.year_from != then.year_from or first.minutes <= then.minutes
