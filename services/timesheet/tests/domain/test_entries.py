from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from paybill_common.periods import DateRange
from timesheet.domain.entries import (
    Entry,
    EntryRefused,
    Expense,
    Shift,
    UnitEntry,
    WeekRefused,
    WorkedWeek,
    check_week,
    hours_to_minutes,
    shift_minutes,
    week_problems,
)
from timesheet.domain.vocabulary import RateUnit

from .builders import MONDAY, SUNDAY, at, card, shift, week

SPRING = date(2026, 3, 29)
AUTUMN = date(2026, 10, 25)


def hours(on: date, units: str, **more: object) -> UnitEntry:
    return UnitEntry(on, RateUnit.HOUR, Decimal(units), **more)  # type: ignore[arg-type]


def found(*entries: Entry, **more: object) -> list[tuple[str, str]]:
    return [(one.code, one.pointer) for one in week_problems(week(*entries), **more)]  # type: ignore[arg-type]


class TestElapsed:
    def test_a_day_shift_less_its_break(self) -> None:
        assert shift_minutes(shift(MONDAY, "08:00", "16:30", 30)).minutes == 480

    def test_over_midnight(self) -> None:
        assert shift_minutes(shift(MONDAY, "22:00", "06:00", 60)).minutes == 420

    def test_twenty_four_hours_need_the_finish_date(self) -> None:
        full = shift(MONDAY, "08:00", "08:00", 60, finish_on=MONDAY + timedelta(days=1))
        assert shift_minutes(full).minutes == 1380

    def test_the_spring_night_is_an_hour_shorter(self) -> None:
        assert shift_minutes(shift(SPRING - timedelta(days=1), "22:00", "06:00")).minutes == 420

    def test_the_autumn_night_is_an_hour_longer(self) -> None:
        assert shift_minutes(shift(AUTUMN - timedelta(days=1), "22:00", "06:00")).minutes == 540

    def test_the_repeated_hour_can_be_told_apart(self) -> None:
        assert shift_minutes(shift(AUTUMN, "00:30", "01:30", finish_fold=0)).minutes == 60
        assert shift_minutes(shift(AUTUMN, "00:30", "01:30", finish_fold=1)).minutes == 120
        assert shift_minutes(shift(AUTUMN, "01:50", "01:10", start_fold=0, finish_fold=1)).minutes == 20
        assert shift_minutes(shift(AUTUMN, "01:30", "01:30", start_fold=0, finish_fold=1)).minutes == 60

    def test_a_break_without_a_time_is_in_the_middle(self) -> None:
        real = shift_minutes(shift(MONDAY, "08:00", "16:00", 60))
        assert real.worked == ((real.start, real.start + 210), (real.start + 270, real.finish))

    def test_a_break_with_a_time_is_there_also_after_midnight(self) -> None:
        real = shift_minutes(shift(MONDAY, "22:00", "06:00", 30, break_start=at("01:00")))
        assert real.worked == ((real.start, real.start + 180), (real.start + 210, real.finish))

    @pytest.mark.parametrize(
        ("units", "minutes"), [("7.5", 450), ("7.33", 440), ("7.67", 460), ("0.0083", 0), ("0.0084", 1)]
    )
    def test_decimal_hours_to_whole_minutes(self, units: str, minutes: int) -> None:
        assert hours_to_minutes(Decimal(units)) == minutes


class TestOneEntry:
    @pytest.mark.parametrize(
        ("entry", "code", "field"),
        [
            (shift(MONDAY, "16:00", "08:00", finish_on=MONDAY), "finish_before_start", "finish"),
            (shift(MONDAY, "08:00", "08:00"), "shift_has_no_length", "finish"),
            (shift(MONDAY, "08:00", "08:01", finish_on=MONDAY + timedelta(days=1)), "shift_too_long", "finish"),
            (shift(MONDAY, "08:00", "09:00", 60), "break_longer_than_shift", "break_minutes"),
            (shift(MONDAY, "08:00", "09:00", -1), "break_negative", "break_minutes"),
            (shift(MONDAY, "08:00", "12:00", 30, break_start=at("11:45")), "break_outside_shift", "break_start"),
            (shift(MONDAY, "08:00", "12:00", 30, break_start=at("07:00")), "break_outside_shift", "break_start"),
            (shift(MONDAY - timedelta(days=1), "08:00", "12:00"), "outside_week", "on"),
            (shift(SUNDAY + timedelta(days=1), "08:00", "12:00"), "outside_week", "on"),
            (hours(MONDAY, "-1"), "units_negative", "units"),
            (hours(MONDAY, "25"), "hours_exceed_day", "units"),
            (hours(MONDAY, "7.00001"), "units_invalid", "units"),
            (hours(MONDAY, "NaN"), "units_invalid", "units"),
            (hours(MONDAY, "-Infinity"), "units_invalid", "units"),
            (UnitEntry(MONDAY, RateUnit.DAY, Decimal("0.3")), "units_invalid", "units"),
        ],
    )
    def test_what_is_wrong_and_where(self, entry: Entry, code: str, field: str) -> None:
        assert found(entry) == [(code, f"/entries/0/{field}")]

    def test_clock_change_times_say_what_to_write(self) -> None:
        autumn = WorkedWeek(AUTUMN, (shift(AUTUMN, "01:30", "09:00"),))
        (problem,) = week_problems(autumn)
        assert (problem.code, problem.pointer) == ("clock_change_time", "/entries/0/start")
        assert "'01:30 BST' (first) or '01:30 GMT' (second)" in str(problem)
        (problem,) = week_problems(WorkedWeek(SPRING, (shift(SPRING, "01:30", "09:00"),)))
        assert "does not exist" in str(problem)

    def test_twenty_five_hours_exist_on_the_long_day_only(self) -> None:
        assert week_problems(WorkedWeek(AUTUMN, (hours(AUTUMN, "25"),))) == ()
        assert [one.code for one in week_problems(WorkedWeek(SPRING, (hours(SPRING, "24"),)))] == ["hours_exceed_day"]

    def test_outside_the_placement(self) -> None:
        placement = DateRange(MONDAY, MONDAY + timedelta(days=2))
        late = shift(MONDAY + timedelta(days=2), "08:00", "12:00")
        assert found(late, placement=placement) == [("outside_placement", "/entries/0/on")]
        assert found(shift(MONDAY + timedelta(days=1), "22:00", "06:00"), placement=placement) == []


class TestTogether:
    def test_overlapping_shifts(self) -> None:
        first, second = shift(MONDAY, "08:00", "16:00"), shift(MONDAY, "15:59", "18:00")
        assert found(first, second) == [("shifts_overlap", "/entries/1/start")]
        assert found(second, first) == [("shifts_overlap", "/entries/0/start")]

    def test_an_overlap_over_midnight(self) -> None:
        assert found(shift(MONDAY, "22:00", "06:00"), shift(MONDAY + timedelta(days=1), "05:00", "09:00")) == [
            ("shifts_overlap", "/entries/1/start")
        ]

    def test_a_short_shift_inside_a_long_one(self) -> None:
        entries = (shift(MONDAY, "08:00", "18:00"), shift(MONDAY, "09:00", "10:00"), shift(MONDAY, "11:00", "12:00"))
        assert [code for code, _ in found(*entries)] == ["shifts_overlap", "shifts_overlap"]

    def test_adjoining_shifts_are_fine(self) -> None:
        assert found(shift(MONDAY, "08:00", "12:00"), shift(MONDAY, "12:00", "16:00")) == []

    def test_an_overlap_with_another_timesheet(self) -> None:
        sunday_night = shift(MONDAY - timedelta(days=1), "22:00", "06:00")
        assert found(shift(MONDAY, "05:00", "09:00"), neighbours=[sunday_night]) == [
            ("shifts_overlap", "/entries/0/start")
        ]
        monday_after = shift(SUNDAY + timedelta(days=1), "05:00", "09:00")
        assert found(shift(SUNDAY, "22:00", "06:00"), neighbours=[monday_after]) == [
            ("shifts_overlap", "/entries/0/start")
        ]

    def test_shifts_and_hours_of_a_day_are_added(self) -> None:
        assert found(shift(MONDAY, "08:00", "20:00"), hours(MONDAY, "12.5")) == [
            ("hours_exceed_day", "/entries/1/units")
        ]

    def test_every_problem_is_reported_at_once(self) -> None:
        with pytest.raises(WeekRefused, match=r"2 problem\(s\)") as refused:
            check_week(week(hours(MONDAY, "-1"), shift(MONDAY, "08:00", "08:00")))
        assert [one.pointer for one in refused.value.problems] == ["/entries/0/units", "/entries/1/finish"]
        assert all(isinstance(one, EntryRefused) for one in refused.value.problems)

    def test_a_week_ends_on_a_sunday(self) -> None:
        assert [one.code for one in week_problems(WorkedWeek(MONDAY))] == ["week_ending_not_sunday"]

    def test_too_many_entries(self) -> None:
        many = tuple(hours(MONDAY, "0.01") for _ in range(201))
        assert [one.code for one in week_problems(WorkedWeek(SUNDAY, many))] == ["too_many_entries"]

    def test_expenses(self) -> None:
        bad = Expense(MONDAY, "Rail fare", Decimal("-1"), Decimal("1.001"))
        outside = Expense(SUNDAY + timedelta(days=1), "rail", Decimal("1"), Decimal("1"))
        problems = week_problems(week(expenses=(bad, outside)))
        assert [one.pointer for one in problems] == [
            "/expenses/0/code", "/expenses/0/pay_gbp", "/expenses/0/charge_gbp", "/expenses/1/on",
        ]  # fmt: skip


class TestAgainstTheCards:
    def test_an_unknown_rate_code_lists_the_known_ones(self) -> None:
        (problem,) = week_problems(week(shift(MONDAY, "08:00", "12:00", rate_code="double")), cards=[card()])
        assert (problem.code, problem.pointer) == ("rate_code_unknown", "/entries/0/rate_code")
        assert "standard, nights" in problem.hint

    def test_units_must_be_those_of_the_rate(self) -> None:
        assert found(UnitEntry(MONDAY, RateUnit.DAY, Decimal(1)), cards=[card()]) == [
            ("rate_unit_differs", "/entries/0/unit")
        ]
        in_miles = shift(MONDAY, "08:00", "12:00", rate_code="mile")
        assert found(in_miles, cards=[card()]) == [("rate_unit_differs", "/entries/0/rate_code")]

    def test_a_day_without_a_card(self) -> None:
        ends_tuesday = card(effective_to=MONDAY + timedelta(days=1))
        assert found(shift(MONDAY, "22:00", "06:00"), cards=[ends_tuesday]) == [("no_rate_card", "/entries/0/on")]
        assert found(shift(MONDAY, "16:00", "00:00"), cards=[ends_tuesday]) == []


def test_shifts_are_values() -> None:
    assert shift(MONDAY, "08:00", "16:00") == Shift(MONDAY, at("08:00"), at("16:00"))
