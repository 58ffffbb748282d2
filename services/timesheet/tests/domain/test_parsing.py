from __future__ import annotations

from collections.abc import Callable
from datetime import date, time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timesheet.domain import parsing
from timesheet.domain.parsing import CannotRead, ClockTime


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("7:30", 450), ("07:30", 450), (" 7:30 ", 450), ("7.5", 450), ("7,5", 450), ("7", 420), ("0", 0), ("7.33", 440),
        ("7h30", 450), ("7 h 30 min", 450), ("7hrs 30mins", 450), ("8h", 480), ("45 min", 45), ("45m", 45), ("7.30", 438),
        ("\N{NO-BREAK SPACE}7:30", 450), (".5", 30), ("12:05", 725),
    ],
)  # fmt: skip
def test_hours(text: str, minutes: int) -> None:
    assert parsing.parse_minutes(text) == minutes


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "missing"), ("  ", "missing"), ("7:75", "75 is not a number of minutes"), ("-7.5", "negative"),
        ("seven", "not a number of hours"), ("7:30:15", "not a number of hours"), ("=7+1", "not a number of hours"),
        ("1e3", "not a number of hours"), ("NaN", "not a number of hours"), ("7" * 60, "too long"),
        ("٧", "not a number of hours"), ("1,234.5", "thousands separators"),
    ],
)  # fmt: skip
def test_hours_that_cannot_be_read(text: str, reason: str) -> None:
    with pytest.raises(CannotRead, match=reason) as refused:
        parsing.parse_minutes(text)
    assert refused.value.hint
    assert len(refused.value.value) <= 40


def test_decimal_hours_of_a_clock_duration_are_exact_or_refused() -> None:
    assert parsing.parse_hours_decimal("7:30") == Decimal("7.5")
    assert parsing.parse_hours_decimal("7:03") == Decimal("7.05")
    with pytest.raises(CannotRead, match="no exact decimal"):
        parsing.parse_hours_decimal("7:20")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("08:00", ClockTime(time(8))), ("8:00", ClockTime(time(8))), ("0800", ClockTime(time(8))), ("8am", ClockTime(time(8))),
        ("8.30 pm", ClockTime(time(20, 30))), ("12am", ClockTime(time(0))), ("12 p.m.", ClockTime(time(12))),
        ("23:59:00", ClockTime(time(23, 59))), ("01:30 BST", ClockTime(time(1, 30), 0)), ("01:30 gmt", ClockTime(time(1, 30), 1)),
    ],
)  # fmt: skip
def test_times(text: str, expected: ClockTime) -> None:
    assert parsing.parse_time(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("24:00", "a day ends at 00:00"), ("25:00", "no such time"), ("13pm", "12-hour clock"), ("8.30", "not a time"),
        ("800", "not a time"), ("08:00:30", "not a time"), ("", "missing"),
    ],
)  # fmt: skip
def test_times_that_cannot_be_read(text: str, reason: str) -> None:
    with pytest.raises(CannotRead, match=reason):
        parsing.parse_time(text)


@pytest.mark.parametrize(
    "text",
    ["03/04/2026", "3/4/2026", "03-04-2026", "03.04.2026", "2026-04-03", "2026-04-03 00:00:00", "3 April 2026", "3-Apr-2026",
     "3rd apr 2026"],
)  # fmt: skip
def test_dates_are_read_day_first(text: str) -> None:
    assert parsing.parse_date(text) == date(2026, 4, 3)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("04/13/2026", r"no month 13: dates are read day first \(write 13/04/2026\)"), ("31/04/2026", "Apr 2026 has no day 31"),
        ("29/02/2026", "Feb 2026 has no day 29"), ("03/04/26", r"two digits \(write 2026\)"), ("46115", "spreadsheet's day number"),
        ("tomorrow", "not a date"), ("3 Avril 2026", "not a month"), ("2026-13-01", "no month 13"), ("2026-04-03T08:00", "not a date"),
        ("00/04/2026", "no day 0"),
    ],
)  # fmt: skip
def test_dates_that_cannot_be_read(text: str, reason: str) -> None:
    with pytest.raises(CannotRead, match=reason):
        parsing.parse_date(text)


def test_money() -> None:
    assert parsing.parse_money("£1,234.50") == Decimal("1234.50")
    assert parsing.parse_money("12.7105") == Decimal("12.7105")
    with pytest.raises(CannotRead, match="comma separates thousands"):
        parsing.parse_money("12,71")
    with pytest.raises(CannotRead, match="not an amount"):
        parsing.parse_money("12.71 EUR")


def test_units() -> None:
    assert parsing.parse_units("2,5") == Decimal("2.5")
    with pytest.raises(CannotRead, match="negative"):
        parsing.parse_units("-1")


READERS: tuple[Callable[[str], object], ...] = (
    parsing.parse_minutes,
    parsing.parse_time,
    parsing.parse_date,
    parsing.parse_units,
    parsing.parse_money,
)


def _hint(read: Callable[[str], object], text: str) -> str:
    try:
        read(text)
    except CannotRead as refused:
        return refused.hint
    return "read"


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_with_a_hint(text: str) -> None:
    assert all(_hint(read, text) for read in READERS)


@given(st.integers(min_value=0, max_value=5999))
def test_clock_durations_round_trip(minutes: int) -> None:
    assert parsing.parse_minutes(f"{minutes // 60}:{minutes % 60:02}") == minutes
