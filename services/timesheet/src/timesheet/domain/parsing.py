"""Reading what people and spreadsheets write: hours, times, dates, units and money, each refusal with its reason and a hint."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal, InvalidOperation

_HOURS_AND_MINUTES = re.compile(r"(\d{1,3}):(\d{1,2})")
_HOURS_IN_WORDS = re.compile(r"(\d{1,3}) ?h(?:ours?|rs?)?(?: ?(\d{1,2}) ?(?:m|mins?|minutes?)?)?", re.IGNORECASE)
_MINUTES_IN_WORDS = re.compile(r"(\d{1,4}) ?m(?:ins?|inutes?)?", re.IGNORECASE)
_DECIMAL = re.compile(r"[+-]?\d{1,9}(?:[.,]\d{1,6})?|[+-]?[.,]\d{1,6}")
_MONEY = re.compile(r"-?£? ?(?:\d{1,3}(?:,\d{3})+|\d{1,9})(?:\.\d{1,4})?")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::00)?|(\d{2})(\d{2})")
_CLOCK_12 = re.compile(r"(\d{1,2})(?:[:.](\d{2}))? ?([ap])\.?m\.?", re.IGNORECASE)
_ZONE = re.compile(r"(.*\S) *(bst|gmt)", re.IGNORECASE)
_ISO_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ]00:00(?::00(?:\.0+)?)?)?")
_UK_DATE = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{2}|\d{4})")
_WORD_DATE = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?[ -]([a-z]{3,9})[ -](\d{2}|\d{4})", re.IGNORECASE)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH_NAMES = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
TEXT_LENGTH_MAX = 40


class CannotRead(ValueError):
    """A text that is not what the field needs. `value` is at most 40 characters of what was given."""

    code = "cannot_read"

    def __init__(self, value: str, reason: str, hint: str) -> None:
        self.value = value[:TEXT_LENGTH_MAX]
        self.reason = reason
        self.hint = hint
        super().__init__(f"{self.value!r}: {reason} ({hint})")


@dataclass(frozen=True, slots=True)
class ClockTime:
    """A wall-clock time; `fold` is 0 for BST and 1 for GMT when the text said so."""

    time: time
    fold: int | None = None


def parse_minutes(text: str) -> int:
    """A duration as whole minutes: `7:30`, `7.5`, `7,5`, `7h30`, `7 h 30 min`, `45 min`.

    A point or a comma is decimal: `7.30` is 7 h 18 min. Decimal hours are rounded half up to the minute. Raises CannotRead.
    """
    value = _clean(text, "a number of hours", "7:30 or 7.5")
    if match := _HOURS_AND_MINUTES.fullmatch(value) or _HOURS_IN_WORDS.fullmatch(value):
        hours, minutes = int(match[1]), int(match[2] or 0)
        if minutes > 59:
            raise CannotRead(text, f"{minutes} is not a number of minutes in an hour", "00 to 59 after the colon")
        return hours * 60 + minutes
    if match := _MINUTES_IN_WORDS.fullmatch(value):
        return int(match[1])
    numerator, denominator = (parse_hours_decimal(text) * 60).as_integer_ratio()
    return (2 * numerator + denominator) // (2 * denominator)


def parse_hours_decimal(text: str) -> Decimal:
    """Decimal hours, zero or more: `7.5`, `7,5`, and exact ones of `7:30`. Raises CannotRead.

    A clock duration that is no finite decimal (7:20) is refused here: read it with `parse_minutes`.
    """
    value = _clean(text, "a number of hours", "7:30 or 7.5")
    if match := _HOURS_AND_MINUTES.fullmatch(value):
        minutes = parse_minutes(text)
        if minutes % 3:
            raise CannotRead(text, f"{match[0]} has no exact decimal", "enter it as start, finish and break")
        return (Decimal(minutes // 3) * 5).scaleb(-2)
    number = _decimal(text, value, "a number of hours", "7:30 or 7.5")
    if number < 0:
        raise CannotRead(text, "hours cannot be negative", "correct the earlier timesheet instead")
    return number


def parse_units(text: str) -> Decimal:
    """Days or items, zero or more: `2.5`, `2,5`. Raises CannotRead."""
    number = _decimal(text, _clean(text, "a number of units", "2.5"), "a number of units", "2.5")
    if number < 0:
        raise CannotRead(text, "units cannot be negative", "correct the earlier timesheet instead")
    return number


def parse_time(text: str) -> ClockTime:
    """A time of day: `08:00`, `8:00`, `0800`, `8am`, `8.30 pm`; `01:30 GMT` or `01:30 BST` when the clocks go back."""
    value = _clean(text, "a time of day", "08:00 or 8am")
    fold = None
    if zone := _ZONE.fullmatch(value):
        value, fold = zone[1], 0 if zone[2].lower() == "bst" else 1
    if match := _CLOCK_12.fullmatch(value):
        hour, minute = int(match[1]), int(match[2] or 0)
        if not 1 <= hour <= 12 or minute > 59:
            raise CannotRead(
                text, "there is no such time on a 12-hour clock", "1 to 12 before am or pm, minutes 00 to 59"
            )
        return ClockTime(time(hour % 12 + (12 if match[3].lower() == "p" else 0), minute), fold)
    match = _CLOCK.fullmatch(value)
    if match is None:
        raise CannotRead(text, "this is not a time of day", "08:00, 0800 or 8am")
    hour, minute = int(match[1] or match[3]), int(match[2] or match[4])
    if hour == 24 and minute == 0:
        raise CannotRead(text, "a day ends at 00:00 of the next one", "write 00:00")
    if hour > 23 or minute > 59:
        raise CannotRead(text, "there is no such time", "from 00:00 to 23:59")
    return ClockTime(time(hour, minute), fold)


def parse_date(text: str) -> date:
    """A date: `2026-04-03`, `03/04/2026` (day first, as in the UK), `3 April 2026`, `3-Apr-2026`. Raises CannotRead."""
    value = _clean(text, "a date", "03/04/2026 or 2026-04-03")
    if match := _ISO_DATE.fullmatch(value):
        return _day(text, int(match[1]), int(match[2]), int(match[3]), iso=True)
    if match := _UK_DATE.fullmatch(value):
        return _day(text, _year(text, match[3]), int(match[2]), int(match[1]), iso=False)
    if match := _WORD_DATE.fullmatch(value):
        name = match[2].lower()
        month = next((n for n, full in enumerate(_MONTH_NAMES, 1) if name in (full, full[:3], full[:4])), None)
        if month is None:
            raise CannotRead(text, f"{match[2]!r} is not a month", "for example 3 April 2026")
        return _day(text, _year(text, match[3]), month, int(match[1]), iso=False)
    if re.fullmatch(r"\d{5}", value):
        raise CannotRead(text, "this is a spreadsheet's day number, not a date", "format the column as a date")
    raise CannotRead(text, "this is not a date", "03/04/2026 (day first) or 2026-04-03")


def parse_money(text: str) -> Decimal:
    """Pounds, at most four decimals: `12.71`, `£1,234.50`. Raises CannotRead."""
    value = _clean(text, "an amount in pounds", "12.71")
    if re.fullmatch(r"-?£? ?\d+,\d{1,2}", value):
        raise CannotRead(text, "a comma separates thousands in an amount", "write 12.71 with a point")
    if not _MONEY.fullmatch(value):
        raise CannotRead(text, "this is not an amount in pounds", "12.71 or £1,234.50, at most four decimals")
    return Decimal(re.sub(r"[£, ]", "", value))


def _clean(text: str, what: str, example: str) -> str:
    value = " ".join(text.replace("\N{NO-BREAK SPACE}", " ").split())
    if not value:
        raise CannotRead(text, f"{what} is missing", f"for example {example}")
    if len(value) > TEXT_LENGTH_MAX:
        raise CannotRead(text, f"this is too long for {what}", f"for example {example}")
    if not value.isascii() and "£" not in value:
        raise CannotRead(text, f"this is not {what}", f"for example {example}")
    return value


def _decimal(text: str, value: str, what: str, example: str) -> Decimal:
    if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", value) and ("." in value or value.count(",") > 1):
        raise CannotRead(text, "thousands separators are not read here", f"write {what} as {example}")
    if not _DECIMAL.fullmatch(value):
        raise CannotRead(text, f"this is not {what}", f"for example {example}")
    try:
        return Decimal(value.replace(",", "."))
    except InvalidOperation:
        raise CannotRead(text, f"this is not {what}", f"for example {example}") from None


def _year(text: str, digits: str) -> int:
    if len(digits) == 2:
        raise CannotRead(text, "the year has two digits", f"write 20{digits}")
    return int(digits)


def _day(text: str, year: int, month: int, day: int, *, iso: bool) -> date:
    try:
        return date(year, month, day)
    except ValueError:
        pass
    if month > 12 >= day and not iso:
        raise CannotRead(
            text, f"there is no month {month}: dates are read day first", f"write {month:02}/{day:02}/{year}"
        )
    if month > 12 or not month:
        raise CannotRead(text, f"there is no month {month}", "03/04/2026 (day first) or 2026-04-03")
    raise CannotRead(text, f"{_MONTHS[month - 1].capitalize()} {year} has no day {day}", "check the day")
