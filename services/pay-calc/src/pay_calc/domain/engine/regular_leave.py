"""Leave of a worker with regular hours: 5.6 weeks in a leave year, at most 28 days.

Source: Working Time Regulations 1998 regs 13 and 13A (5.6 weeks, 28 days, the year that one joins in proportion), 14(3) (what is left on
leaving), 15A (in the first year of the employment a twelfth of it on the first day of each month, to the half day upwards).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from pay_calc.domain.engine import rounding
from pay_calc.domain.engine.calendar import add_months
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.trace import Node, Trace

EXACT = 10_000
_WEEKS_TENTHS = 56
_DAYS_TENTHS_MAX = 280
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class WorkingWeek:
    """What the contract fixes from a day on: days a week x 10 and the minutes of a week; noughts where the hours are regular no more."""

    from_on: date
    day_tenths: int
    week_minutes: int

    def __post_init__(self) -> None:
        if (
            not 0 <= self.day_tenths <= 70
            or (self.day_tenths == 0) != (self.week_minutes == 0)
            or self.week_minutes < 0
        ):
            raise EngineError(
                "working_week_not_whole", "A working week has both days and minutes, or neither.", "weeks"
            )

    @property
    def year(self) -> tuple[int, int]:
        """Minutes of leave for a whole year, numerator and denominator: 5.6 weeks, and no more than 28 days of them."""
        if self.day_tenths * _WEEKS_TENTHS <= _DAYS_TENTHS_MAX * 10:
            return _WEEKS_TENTHS * self.week_minutes, 10
        return _DAYS_TENTHS_MAX * self.week_minutes, self.day_tenths


@dataclass(frozen=True, slots=True)
class Entitled:
    """Leave of one leave year as far as it has been earned, minutes; `exact` x 10,000 without rounding. `words`: by which rule."""

    year_from: date
    minutes: int
    exact: int
    words: str


def entitled(
    weeks: Sequence[WorkingWeek],
    leave_year_from: date | None,
    on: date,
    *,
    leaving: bool = False,
    trace: Trace | None = None,
) -> Entitled | None:
    """What the leave year of a day gives on that day; None before the first week. `leave_year_from`: any first day of a leave year that an
    agreement names; none: the day on which the employment began. `leaving`: the employment ends on this day."""
    block = employment(weeks, on)
    if not block:
        return None
    started_on = block[0].from_on
    year_from = year_of(leave_year_from or started_on, on)
    year_to = add_months(year_from, 12)
    until = min(year_to, on + _DAY) if leaving else year_to
    parts = [
        (week, (min(until, after) - max(year_from, week.from_on)).days)
        for week, after in zip(block, [*(each.from_on for each in block[1:]), date.max], strict=True)
        if week.day_tenths and min(until, after) > max(year_from, week.from_on)
    ]
    days = (year_to - year_from).days
    nodes = [_part(week, part, days) for week, part in parts]
    minutes = sum(node.result for node in nodes)
    exact = sum(_scaled(node) for node in nodes)
    whole = Node(
        "leave.year", "Leave of the leave year", "sum", minutes, "minutes",
        f"5.6 weeks, at most 28 days, from {year_from}", (), tuple(nodes), (1,) * len(nodes),
    )  # fmt: skip
    current = next(week for week in reversed(block) if week.from_on <= on)
    words = "5.6 weeks a year, at most 28 days"
    if leaving:
        words = f"the share of the leave year up to {on}"
    elif current.day_tenths and on < add_months(started_on, 12):
        months = next(n for n in range(1, 13) if on < add_months(started_on, n))
        so_far = _of_months(current, months)
        if so_far.result < minutes:
            minutes, exact = so_far.result, _of_months_exact(current, months)
            words = f"{months} twelfths of the year's leave, in the first year"
            whole = Node("leave.first_year", "Leave earned in the first year", "min", minutes, "minutes",
                         "not more than the leave year gives", (), (so_far, whole))  # fmt: skip
    if trace is not None:
        trace.push(whole)
    return Entitled(year_from, minutes, exact, words)


def employment(weeks: Sequence[WorkingWeek], on: date) -> tuple[WorkingWeek, ...]:
    """The weeks of the employment that a day is in, or of the last one before it: what a week of noughts ends with it."""
    ordered = sorted(weeks, key=lambda week: week.from_on)
    block: list[WorkingWeek] = []
    for week in ordered:
        if block and not block[-1].day_tenths and week.day_tenths:
            if week.from_on > on:
                break
            block = []
        if block or week.day_tenths:
            block.append(week)
    return tuple(block) if block and block[0].from_on <= on else ()


def year_of(anchor: date, on: date) -> date:
    """The first day of the leave year of a day, by any first day of one."""
    years = on.year - anchor.year
    return add_months(anchor, 12 * (years if add_months(anchor, 12 * years) <= on else years - 1))


def _part(week: WorkingWeek, part: int, days: int) -> Node:
    numerator, denominator = week.year
    given = Node("leave.working_week", "Minutes of the working week", "given", week.week_minutes, "minutes",
                 f"{week.day_tenths // 10}.{week.day_tenths % 10} days a week from {week.from_on}")  # fmt: skip
    factor = numerator // week.week_minutes
    return Node(
        "leave.share", "Leave by this working week", "ratio",
        rounding.leave_ceil_minute(numerator * part, denominator * days), "minutes", f"5.6 weeks, at most 28 days x {part} of {days} days",
        (), (given,), factors=(factor, part), divisor=denominator * days, rounding="leave_ceil_minute",
    )  # fmt: skip


def _of_months(week: WorkingWeek, months: int) -> Node:
    """A twelfth each month begun, to the half day upwards, in minutes upwards."""
    of_year = min(_WEEKS_TENTHS * week.day_tenths, _DAYS_TENTHS_MAX * 10) * 100
    earned = rounding.leave_ceil_half_day(of_year * months, 12)
    given = Node("leave.year_days", "Days of leave a year", "given", of_year, "units_4dp", "5.6 weeks, at most 28 days")
    days = Node("leave.half_days", "Days earned, to the half day", "ratio", earned, "units_4dp", f"{months} twelfths", (), (given,),
                factors=(months,), divisor=12, rounding="leave_ceil_half_day")  # fmt: skip
    return Node(
        "leave.months", "Leave of the months begun", "ratio",
        rounding.leave_ceil_minute(earned * week.week_minutes, 1000 * week.day_tenths), "minutes", "days x minutes of a day",
        (), (days,), factors=(week.week_minutes,), divisor=1000 * week.day_tenths, rounding="leave_ceil_minute",
    )  # fmt: skip


def _of_months_exact(week: WorkingWeek, months: int) -> int:
    numerator, denominator = week.year
    return numerator * months * EXACT // (denominator * 12)


def _scaled(node: Node) -> int:
    numerator, denominator = node.unrounded()
    return numerator * EXACT // denominator
