"""Leave of workers with regular hours: 5.6 weeks, 28 days, the first year, a year joined or left in the middle, another working week."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.regular_leave import WorkingWeek, employments, ended, targets, year_of
from pay_calc.domain.engine.trace import Node, Trace, recompute

LONG_AGO = date(2020, 4, 6)
TODAY = date(2026, 11, 2)


def by_year(
    *weeks: WorkingWeek, on: date = TODAY, leaving: bool = False, known: Collection[str] = ()
) -> dict[str, int]:
    """Minutes by subject; every figure follows from its explanation."""
    trace = Trace()
    found = targets(weeks, known, on, leaving=leaving, trace=trace)
    assert [node.result for node in trace.nodes] == [each.minutes for each in found]
    for node in trace.nodes:
        check(node)
    assert found == targets(weeks, known, on, leaving=leaving)
    return {each.subject: each.minutes for each in found}


def minutes(*weeks: WorkingWeek, on: date = TODAY, leaving: bool = False) -> int | None:
    found = list(by_year(*weeks, on=on, leaving=leaving).values())
    assert len(found) < 2
    return found[0] if found else None


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
    week = WorkingWeek(date(2026, 10, 1), 50, 2250, leave_year_from=date(2026, 1, 1))
    # 1 October to 31 December: 92 of 365 days of 12,600 minutes, but two months have begun: 4.67, so 5 days.
    assert minutes(week) == 2250
    assert minutes(week, on=date(2026, 12, 2)) == 3150
    assert minutes(week, on=date(2026, 12, 31)) == 3150
    later = WorkingWeek(date(2026, 12, 1), 50, 2250, leave_year_from=date(2026, 1, 1))
    # 31 of 365 days: 1,070.2 minutes, up; a twelfth would be 1,125.
    assert minutes(later, on=date(2026, 12, 31)) == 1071


def test_a_first_year_over_two_leave_years_counts_each_month_once() -> None:
    """From 6 October: 182 of 365 days, and of the next leave year the months that began in it."""
    week = WorkingWeek(date(2025, 10, 6), 50, 2250, leave_year_from=date(2025, 4, 6))
    first, second = "2025-10-06/2025-04-06", "2025-10-06/2026-04-06"
    share = -(-12600 * 182 // 365)
    assert by_year(week, on=date(2026, 4, 5)) == {first: share}
    assert by_year(week, on=date(2026, 4, 6), known=[first]) == {first: share, second: 1125}
    assert by_year(week, on=date(2026, 10, 5), known=[first, second])[second] == 14 * 450
    assert by_year(week, on=date(2026, 10, 6), known=[first, second])[second] == 12600


def test_leaving_gives_the_share_of_the_year_that_has_passed() -> None:
    """Reg. 14(3): the day of leaving has passed. 6 April to 2 November are 211 of 365 days."""
    week = WorkingWeek(LONG_AGO, 50, 2250)
    assert minutes(week, leaving=True) == -(-12600 * 211 // 365)
    assert minutes(week, leaving=True, on=date(2027, 4, 5)) == 12600
    eight_hours = WorkingWeek(date(2020, 4, 1), 50, 2400)
    assert minutes(eight_hours, leaving=True, on=date(2026, 6, 30)) == 1911 + 1440  # 91 of 365 days of 28: 6.98 days
    over = WorkingWeek(date(2026, 11, 3), 0, 0)
    assert minutes(week, over, on=date(2026, 12, 7)) == minutes(week, leaving=True)
    assert minutes(week, over, on=date(2026, 9, 1)) == minutes(week, leaving=True)  # known before it comes
    starter = WorkingWeek(date(2026, 9, 1), 50, 2250)
    assert minutes(starter, over, on=date(2026, 12, 7)) == minutes(starter, leaving=True) == -(-12600 * 63 // 365)


def test_leaving_in_the_year_before_takes_back_the_year_that_never_began() -> None:
    week = WorkingWeek(date(2020, 4, 8), 50, 2250)
    known = ["2020-04-08/2025-04-08", "2020-04-08/2026-04-08"]
    assert by_year(week, on=date(2026, 4, 7), leaving=True, known=known) == {known[0]: 12600, known[1]: 0}
    gone = ended([week], [date(2026, 4, 7)])
    assert by_year(*gone, on=date(2026, 4, 19), known=known) == {known[0]: 12600, known[1]: 0}


def test_a_year_that_ended_without_a_payslip_is_made_whole() -> None:
    week = WorkingWeek(date(2025, 4, 7), 50, 2250)
    known = ["2025-04-07/2025-04-07"]
    assert by_year(week, on=date(2026, 3, 1), known=known) == {known[0]: 26 * 450}
    assert by_year(week, on=date(2026, 4, 12), known=known) == {known[0]: 12600, "2025-04-07/2026-04-07": 12600}


def test_years_before_the_first_that_the_ledger_knows_are_another_payrolls() -> None:
    week = WorkingWeek(LONG_AGO, 50, 2250)
    assert by_year(week) == {"2020-04-06/2026-04-06": 12600}
    assert by_year(week, known=["2020-04-06/2026-04-06"]) == {"2020-04-06/2026-04-06": 12600}


def test_another_working_week_counts_from_its_day() -> None:
    """Five days until 4 October (182 of 365 days), three from then on (183)."""
    weeks = (WorkingWeek(LONG_AGO, 50, 2250), WorkingWeek(date(2026, 10, 5), 30, 1350))
    assert minutes(*weeks) == -(-12600 * 182 // 365) + -(-7560 * 183 // 365)
    assert minutes(*weeks, on=date(2026, 9, 1)) == minutes(*weeks)
    assert minutes(*weeks, on=date(2026, 4, 5)) == 12600


def test_fewer_hours_in_the_first_year_keep_what_was_earned() -> None:
    """Eleven months of five days and one of one day: 11,550 + 210 minutes, to the half day of 3:45."""
    weeks = (WorkingWeek(date(2025, 4, 6), 50, 2250), WorkingWeek(date(2026, 3, 6), 10, 450))
    whole = -(-12600 * 334 // 365) + -(-2520 * 31 // 365)
    assert minutes(*weeks, on=date(2026, 3, 5)) == 26 * 450
    assert minutes(*weeks, on=date(2026, 3, 6)) == min(whole, -(-(11550 + 210) // 225) * 225)


def test_who_comes_back_begins_anew_and_keeps_the_employment_before() -> None:
    weeks = (
        WorkingWeek(LONG_AGO, 50, 2250, leave_year_from=date(2026, 1, 1)),
        WorkingWeek(date(2026, 7, 1), 0, 0),
        WorkingWeek(date(2026, 9, 1), 50, 2250, leave_year_from=date(2026, 1, 1)),
    )
    before = "2020-04-06/2026-01-01"
    share = -(-12600 * 181 // 365)
    assert by_year(*weeks, on=date(2026, 8, 1), known=[before]) == {before: share}
    assert by_year(*weeks, known=[before]) == {before: share, "2026-09-01/2026-01-01": 7 * 450}
    at_once = ended([weeks[0], WorkingWeek(date(2026, 7, 1), 50, 2250)], [date(2026, 6, 30)])
    assert [job.from_on for job in employments(at_once)] == [LONG_AGO, date(2026, 7, 1)]


def test_a_contract_recorded_wrongly_gives_nothing_any_more() -> None:
    known = ["2024-04-06/2026-04-06"]
    assert by_year(known=known) == {known[0]: 0}
    for day in (date(2024, 4, 8), date(2024, 4, 4)):
        moved = WorkingWeek(day, 50, 2250)
        assert by_year(moved, known=known) == {f"{day}/{day.replace(year=2026)}": 12600, known[0]: 0}


@pytest.mark.parametrize("days", [-366, -365, -2, 2, 365, 366])
def test_all_known_years_come_along_when_a_start_moves(days: int) -> None:
    """A correction by days, and a what-if into another year over a 29 February."""
    start = date(2024, 4, 8)
    known = [f"{start}/2024-04-08", f"{start}/2025-04-08"]
    if abs(days) > 300:
        known = [
            "/".join(str(date.fromisoformat(part) + timedelta(days)) for part in each.split("/")) for each in known
        ]
    moved = WorkingWeek(start + timedelta(days), 50, 2250)
    found = by_year(moved, known=known, on=date(2025, 9, 1) + timedelta(days if abs(days) > 300 else 0))
    assert sum(found.values()) == 25200


def test_an_employment_that_ended_long_before_the_ledger_is_another_payrolls() -> None:
    old, over = WorkingWeek(date(2022, 1, 3), 50, 2250), WorkingWeek(date(2025, 7, 1), 0, 0)
    assert by_year(old, over) == {}
    now = WorkingWeek(date(2026, 9, 1), 50, 2250)
    assert by_year(old, over, now, known=["2026-08-31/2026-08-31"]) == {
        "2026-09-01/2026-09-01": 7 * 450,
        "2026-08-31/2026-08-31": 0,
    }
    spring = (WorkingWeek(date(2026, 4, 6), 50, 2250), WorkingWeek(date(2026, 7, 1), 0, 0))
    summer = WorkingWeek(date(2026, 7, 6), 50, 2250)
    assert by_year(*spring, summer, on=date(2026, 7, 12), known=["2026-07-06/2026-07-06"]) == {
        "2026-04-06/2026-04-06": -(-12600 * 86 // 365),
        "2026-07-06/2026-07-06": 1125,
    }


def test_leaving_a_former_employment_leaves_the_next_one_to_the_next_payslip() -> None:
    weeks = (
        WorkingWeek(LONG_AGO, 50, 2250),
        WorkingWeek(date(2026, 7, 1), 0, 0),
        WorkingWeek(date(2026, 9, 1), 50, 2250),
    )
    known = ["2020-04-06/2026-04-06", "2026-09-01/2026-09-01"]
    share = -(-12600 * 86 // 365)
    assert by_year(*weeks, on=date(2026, 6, 30), leaving=True, known=known) == {known[0]: share, known[1]: 0}
    assert by_year(*ended(weeks, [date(2026, 6, 30)]), known=known) == {known[0]: share, known[1]: 7 * 450}


@pytest.mark.parametrize(("month", "days"), [(3, 7), (6, 14), (9, 21)])
def test_a_day_of_a_fraction_of_a_minute_makes_no_half_day_more(month: int, days: int) -> None:
    """Five and a half days of 40 hours: 28 days, 7 a quarter, of 436.36 minutes."""
    week = WorkingWeek(date(2026, 1, 1), 55, 2400)
    assert minutes(week, on=date(2026, month, 1)) == -(-days * 24000 // 55)


def test_who_was_employed_before_the_hours_were_regular_is_not_in_a_first_year() -> None:
    irregular = WorkingWeek(date(2026, 4, 6), 50, 2250, employed_from=date(2024, 4, 6))
    assert minutes(irregular, on=date(2026, 4, 12)) == 12600
    middle = WorkingWeek(date(2026, 10, 5), 50, 2250, employed_from=date(2024, 4, 6))
    assert minutes(middle) == -(-12600 * 183 // 365)


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


WEEKS = st.lists(st.tuples(st.integers(0, 1500), st.integers(0, 70), st.integers(1, 1440)), min_size=1, max_size=5)


@given(WEEKS, st.integers(0, 2000))
def test_payslip_by_payslip_the_ledger_comes_to_what_it_should_hold(
    drawn: list[tuple[int, int, int]], last: int
) -> None:
    """Whatever was brought quarter by quarter, the end is what the weeks say, and no year gives more than 5.6 weeks of the longest one."""
    weeks = [
        WorkingWeek(LONG_AGO + timedelta(day), tenths, tenths and minutes * 5)
        for day, tenths, minutes in {each[0]: each for each in drawn}.values()
    ]
    ledger: dict[str, int] = {}
    for offset in range(0, last + 1, 91):
        for each in targets(weeks, ledger, LONG_AGO + timedelta(offset)):
            ledger[each.subject] = each.minutes
    on = LONG_AGO + timedelta(last)
    for each in targets(weeks, ledger, on):
        ledger[each.subject] = each.minutes
    assert all(amount >= 0 for amount in ledger.values())
    assert all(ledger[each.subject] == each.minutes for each in targets(weeks, ledger, on))
    most = max((-(-week.year[0] // week.year[1]) for week in weeks if week.day_tenths), default=0)
    assert all(amount <= most + 5 for amount in ledger.values())


@given(st.integers(1, 70), st.integers(1, 7 * 1440), st.integers(0, 3000))
def test_a_day_more_never_lowers_what_is_earned_within_a_leave_year(days: int, week: int, offset: int) -> None:
    weeks = (WorkingWeek(LONG_AGO, days, week),)
    on = LONG_AGO + timedelta(offset)
    for leaving in (False, True):
        (first,) = targets(weeks, (), on, leaving=leaving)
        (then,) = targets(weeks, (), on + timedelta(1), leaving=leaving)
        assert first.subject != then.subject or first.minutes <= then.minutes
