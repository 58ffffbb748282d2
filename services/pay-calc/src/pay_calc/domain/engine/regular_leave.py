"""Leave of a worker with regular hours: 5.6 weeks in a leave year, at most 28 days.

Source: Working Time Regulations 1998 regs 13 and 13A (5.6 weeks, 28 days, the year that one joins in proportion), 14(3) (what is left on
leaving), 15A (in the first year of the employment a twelfth of it on the first day of each month, to the half day upwards).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

from pay_calc.domain.engine import rounding
from pay_calc.domain.engine.calendar import add_months
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.holiday_ledger import EXACT
from pay_calc.domain.engine.trace import Node, Trace

_WEEKS_TENTHS = 56
_DAYS_TENTHS_MAX = 280
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class WorkingWeek:
    """What the contract fixes from a day on: days a week x 10 and the minutes of a week; noughts where the hours are regular no more.

    Of an employment's first week: `employed_from`, the day on which it began, where that was earlier. Of any: `leave_year_from`, a first
    day of a leave year that an agreement names.
    """

    from_on: date
    day_tenths: int
    week_minutes: int
    employed_from: date | None = None
    leave_year_from: date | None = None

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
class Employment:
    """Working weeks without a gap, and the day on which the regular hours end, when that is known (exclusive)."""

    weeks: tuple[WorkingWeek, ...]
    ends_on: date | None = None

    @property
    def from_on(self) -> date:
        return self.weeks[0].from_on

    @property
    def started_on(self) -> date:
        return self.weeks[0].employed_from or self.from_on

    @property
    def leave_year_from(self) -> date:
        """Any first day of a leave year: by agreement, or the day on which the employment began."""
        return next((week.leave_year_from for week in self.weeks if week.leave_year_from), self.started_on)

    def on(self, day: date) -> WorkingWeek | None:
        """The week in force on a day."""
        if self.ends_on is not None and day >= self.ends_on:
            return None
        return next((week for week in reversed(self.weeks) if week.from_on <= day), None)


@dataclass(frozen=True, slots=True)
class Entitled:
    """Leave of one leave year of one employment as far as it has been earned, minutes; `exact` x 10,000 without rounding. `words`: by which
    rule; `subject` names the employment and the year."""

    subject: str
    minutes: int
    exact: int
    words: str


def employments(weeks: Sequence[WorkingWeek]) -> list[Employment]:
    """Working weeks by employment: a week of noughts ends one, and the next with hours begins another."""
    found: list[Employment] = []
    for week in sorted(weeks, key=lambda each: each.from_on):
        current = found[-1] if found and found[-1].ends_on is None else None
        if week.day_tenths and current:
            found[-1] = Employment((*current.weeks, week))
        elif week.day_tenths:
            found.append(Employment((week,)))
        elif current:
            found[-1] = Employment(current.weeks, week.from_on)
    return found


def ended(weeks: Sequence[WorkingWeek], left_days: Collection[date]) -> tuple[WorkingWeek, ...]:
    """The same weeks, over after each last day of an employment whose leave was paid in lieu."""
    found = sorted(weeks, key=lambda each: each.from_on)
    for left_on in left_days:
        before = [week for week in found if week.from_on <= left_on]
        if before:
            found = [*before, WorkingWeek(left_on + _DAY, 0, 0), *found[len(before) :]]
    return tuple(found)


def targets(
    weeks: Sequence[WorkingWeek],
    known: Collection[str],
    on: date,
    *,
    leaving: bool = False,
    trace: Trace | None = None,
) -> list[Entitled]:
    """What the ledger should hold by a day, leave year by leave year: of the current one, and of each since the first that it knows of.

    `known`: subjects that the ledger has entries of. One that no longer stands, because the contract was recorded wrongly or the employment
    ended before that year began, is to hold nothing; the first known year counts as the nearest one when leave years have moved. `leaving`:
    the employment ends on this day, and a later one waits for the next payslip. The trace gets one node a target.
    """
    jobs = employments(weeks)
    begun = [job for job in jobs if job.from_on <= on]
    found: list[Entitled] = []
    for number, job in enumerate(begun):
        current = number == len(begun) - 1
        over = job.ends_on is not None and job.ends_on <= on
        last_on = min(on, job.ends_on - _DAY) if job.ends_on is not None else on
        years = [year_of(job.leave_year_from, last_on)]
        mine = [_year_from(each) for each in known if _job_of(each, jobs) == number and _year_from(each) <= last_on]
        if not mine and over and add_months(years[0], 12) <= on:
            continue
        while mine and years[-1] > job.from_on:
            before = year_of(job.leave_year_from, years[-1] - _DAY)
            if add_months(before, 6) < min(mine):
                break
            years.append(before)
        for year_from in reversed(years):
            final = year_from == years[0]
            day = last_on if final else add_months(year_from, 12) - _DAY
            gone = final and (over or (leaving and current))
            found.append(_of_year(job, year_from, day, gone, trace))
    standing = {each.subject for each in found}
    for subject in sorted(known):
        if subject not in standing and (leaving or _job_of(subject, jobs) < max(1, len(begun))):
            found.append(Entitled(subject, 0, 0, "the contract no longer gives it"))
            if trace is not None:
                trace.push(
                    trace.given(
                        "leave.none", "Leave of the leave year", 0, "minutes", "the contract no longer gives it"
                    )
                )
    return found


def year_of(anchor: date, on: date) -> date:
    """The first day of the leave year of a day, by any first day of one."""
    years = on.year - anchor.year
    return add_months(anchor, 12 * (years if add_months(anchor, 12 * years) <= on else years - 1))


def _job_of(subject: str, jobs: Sequence[Employment]) -> int:
    """The number of the employment that a ledger's subject belongs to: the one that began last by then, or the first."""
    started = date.fromisoformat(subject.partition("/")[0])
    return max((number for number, job in enumerate(jobs) if job.from_on <= started), default=0)


def _year_from(subject: str) -> date:
    return date.fromisoformat(subject.partition("/")[2])


def _of_year(job: Employment, year_from: date, day: date, gone: bool, trace: Trace | None) -> Entitled:
    """One leave year on a day of it; `gone`: the last day of the employment."""
    year_to = add_months(year_from, 12)
    until = min(year_to, day + _DAY) if gone else min(year_to, job.ends_on or year_to)
    days = (year_to - year_from).days
    ends = [*(week.from_on for week in job.weeks[1:]), date.max]
    parts = [
        (week, (min(until, after) - max(year_from, week.from_on)).days)
        for week, after in zip(job.weeks, ends, strict=True)
        if min(until, after) > max(year_from, week.from_on)
    ]
    nodes = [_part(week, part, days) for week, part in parts]
    minutes, exact = sum(node.result for node in nodes), sum(_scaled(node) for node in nodes)
    whole = Node("leave.year", f"Leave of the leave year from {year_from}", "sum", minutes, "minutes",
                 "5.6 weeks, at most 28 days", (), tuple(nodes), (1,) * len(nodes))  # fmt: skip
    words = f"the share of the leave year up to {day}" if gone else "5.6 weeks a year, at most 28 days"
    current = job.on(day)
    if not gone and current is not None and day < add_months(job.started_on, 12):
        earned, earned_exact, months = _of_months(job, current, year_from, day)
        if earned.result < minutes:
            minutes, exact = earned.result, earned_exact
            words = f"{months} twelfths of a year's leave, in the first year"
            whole = Node("leave.first_year", "Leave earned in the first year", "min", minutes, "minutes",
                         "not more than the leave year gives", (), (earned, whole))  # fmt: skip
    if trace is not None:
        trace.push(whole)
    return Entitled(f"{job.from_on}/{year_from}", minutes, exact, words)


def _part(week: WorkingWeek, part: int, days: int) -> Node:
    numerator, denominator = week.year
    return Node(
        "leave.share", "Leave by this working week", "ratio",
        rounding.leave_ceil_minute(numerator * part, denominator * days), "minutes", f"5.6 weeks, at most 28 days x {part} of {days} days",
        (), (_given(week),), factors=(numerator // week.week_minutes, part), divisor=denominator * days, rounding="leave_ceil_minute",
    )  # fmt: skip


def _of_months(job: Employment, current: WorkingWeek, year_from: date, day: date) -> tuple[Node, int, int]:
    """A twelfth for each month of the first year that began in this leave year, by the week in force then; all of it to the half day of
    the current week upwards. Gives minutes, exact, and how many months."""
    firsts = [add_months(job.started_on, number) for number in range(12)]
    begun = [week for first in firsts if year_from <= first <= day and (week := job.on(first)) is not None]
    nodes, exact = [], 0
    for week, group in groupby(begun):
        months = len(list(group))
        numerator, denominator = week.year
        exact += numerator * months * EXACT // (denominator * 12)
        nodes.append(
            Node("leave.months", f"Minutes, {months} twelfths by this working week", "ratio",
                 rounding.leave_floor_minute(numerator * months * EXACT, denominator * 12), "units_4dp", "months begun / 12", (),
                 (_given(week),), factors=(numerator // week.week_minutes, months, EXACT), divisor=denominator * 12,
                 rounding="leave_floor_minute")
        )  # fmt: skip
    total = sum(node.result for node in nodes)
    together = Node("leave.months_begun", "Minutes of the months begun", "sum", total, "units_4dp", "a twelfth each month", (),
                    tuple(nodes), (1,) * len(nodes))  # fmt: skip
    earned = rounding.leave_ceil_half_day(total * current.day_tenths, 10 * current.week_minutes)
    half_days = Node("leave.half_days", "Days earned, to the half day", "ratio", earned, "units_4dp", "minutes / minutes of a day", (),
                     (together,), factors=(current.day_tenths,), divisor=10 * current.week_minutes,
                     rounding="leave_ceil_half_day")  # fmt: skip
    return (
        Node(
            "leave.earned", "Leave earned by now", "ratio",
            rounding.leave_ceil_minute(earned * current.week_minutes, 1000 * current.day_tenths), "minutes", "days x minutes of a day",
            (), (half_days,), factors=(current.week_minutes,), divisor=1000 * current.day_tenths, rounding="leave_ceil_minute",
        ),
        exact,
        len(begun),
    )  # fmt: skip


def _given(week: WorkingWeek) -> Node:
    return Node("leave.working_week", "Minutes of the working week", "given", week.week_minutes, "minutes",
                f"{week.day_tenths // 10}.{week.day_tenths % 10} days a week from {week.from_on}")  # fmt: skip


def _scaled(node: Node) -> int:
    numerator, denominator = node.unrounded()
    return numerator * EXACT // denominator
