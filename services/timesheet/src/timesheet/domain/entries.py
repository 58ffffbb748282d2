"""What a worker did in a week: shifts by the clock, or units (hours, days, items), and expenses.

Times are Europe/London wall-clock; elapsed minutes are real ones, also over midnight and when the clocks change.
A shift belongs to the day, the week and the placement in which it starts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from functools import lru_cache

from paybill_common.periods import DateRange, week_of
from timesheet.domain import london
from timesheet.domain.fields import SLUG, FieldRefused, decimal_problem
from timesheet.domain.rates import RateCard, RateCardGap, card_for
from timesheet.domain.vocabulary import Applies, RateUnit

ENTRIES_MAX = 200
EXPENSES_MAX = 100
SHIFT_MINUTES_MAX = 24 * 60
UNITS_MAX = Decimal(100_000)
EXPENSE_GBP_MAX = Decimal(100_000)
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Shift:
    """Work from `start` to `finish` less an unpaid break.

    Without `finish_on` a finish at or before the start is the next morning. Without `break_start` the break is taken in
    the middle of the shift. `start_fold` and `finish_fold` say which of October's two hours is meant (0 BST, 1 GMT).
    `rate_code` enters the time straight at a named rate: no premium applies and no overtime threshold counts it.
    """

    on: date
    start: time
    finish: time
    break_minutes: int = 0
    break_start: time | None = None
    finish_on: date | None = None
    start_fold: int | None = None
    finish_fold: int | None = None
    rate_code: str | None = None


@dataclass(frozen=True, slots=True)
class UnitEntry:
    """A number of hours (decimal), days (in quarters) or items on one day, without clock times.

    Decimal hours become whole minutes, rounded half up: 7.33 h is 440 minutes. Night premiums need clock times and never
    apply here. `rate_code` None is the card's standard rate; another code is charged as entered, without premiums.
    """

    on: date
    unit: RateUnit
    units: Decimal
    rate_code: str | None = None


@dataclass(frozen=True, slots=True)
class Expense:
    """Money to repay the worker and (or) recharge the client, in pounds and pence. `code` names the type of expense."""

    on: date
    code: str
    pay_gbp: Decimal
    charge_gbp: Decimal
    applies: Applies = Applies.BOTH


Entry = Shift | UnitEntry


@dataclass(frozen=True, slots=True)
class WorkedWeek:
    """All entries of one placement's week, which ends on a Sunday."""

    week_ending: date
    entries: tuple[Entry, ...] = ()
    expenses: tuple[Expense, ...] = ()


@dataclass(frozen=True, slots=True)
class ShiftMinutes:
    """A shift in real minutes (since 1970-01-01 UTC): `worked` are its spans [from, to) without the break."""

    start: int
    finish: int
    worked: tuple[tuple[int, int], ...]

    @property
    def minutes(self) -> int:
        return sum(to - since for since, to in self.worked)


class EntryRefused(FieldRefused):
    """One entry that cannot be right. The subclasses name the fact."""

    code = "entry_refused"


class FinishBeforeStart(EntryRefused):
    code = "finish_before_start"


class ShiftHasNoLength(EntryRefused):
    code = "shift_has_no_length"


class ShiftTooLong(EntryRefused):
    code = "shift_too_long"


class BreakNegative(EntryRefused):
    code = "break_negative"


class BreakLongerThanShift(EntryRefused):
    code = "break_longer_than_shift"


class BreakOutsideShift(EntryRefused):
    code = "break_outside_shift"


class ClockChangeTime(EntryRefused):
    """A time that the clock change skips or repeats."""

    code = "clock_change_time"


class ShiftsOverlap(EntryRefused):
    code = "shifts_overlap"


class HoursExceedDay(EntryRefused):
    code = "hours_exceed_day"


class OutsideWeek(EntryRefused):
    code = "outside_week"


class OutsidePlacement(EntryRefused):
    code = "outside_placement"


class UnitsNegative(EntryRefused):
    code = "units_negative"


class UnitsInvalid(EntryRefused):
    code = "units_invalid"


class ExpenseInvalid(EntryRefused):
    code = "expense_invalid"


class RateCodeUnknown(EntryRefused):
    code = "rate_code_unknown"


class RateUnitDiffers(EntryRefused):
    code = "rate_unit_differs"


class NoRateCard(EntryRefused):
    code = "no_rate_card"


class TooManyEntries(EntryRefused):
    code = "too_many_entries"


class WeekEndingNotSunday(EntryRefused):
    code = "week_ending_not_sunday"


class WeekRefused(ValueError):
    """A week with entries that cannot be right; `problems` has all of them, in the order of the entries."""

    code = "week_refused"

    def __init__(self, problems: Sequence[EntryRefused]) -> None:
        self.problems = tuple(problems)
        super().__init__(
            f"{len(self.problems)} problem(s) in the week: " + "; ".join(str(one) for one in self.problems)
        )


def hours_to_minutes(hours_decimal: Decimal) -> int:
    """Decimal hours to whole minutes, half up."""
    numerator, denominator = (hours_decimal * 60).as_integer_ratio()
    return (2 * numerator + denominator) // (2 * denominator)


@lru_cache(maxsize=8192)
def shift_minutes(shift: Shift) -> ShiftMinutes:
    """The real minutes of a shift. Raises the EntryRefused that names what is wrong with its times or break."""
    start = _instant(shift.on, shift.start, shift.start_fold, "/start")
    finish_on = shift.finish_on
    if finish_on is None:
        if shift.finish == shift.start and shift.start_fold == shift.finish_fold:
            fact = f"the shift starts and finishes at {shift.start:%H:%M}"
            raise ShiftHasNoLength("/finish", fact, "for 24 hours give finish_on")
        same_day = shift.finish > shift.start or _later_in_repeated_hour(shift)
        finish_on = shift.on if same_day else shift.on + timedelta(days=1)
    finish = _instant(finish_on, shift.finish, shift.finish_fold, "/finish")
    if finish <= start:
        raise FinishBeforeStart(
            "/finish",
            f"the shift of {shift.on} starts at {shift.start:%H:%M} and finishes at {shift.finish:%H:%M} on {finish_on}",
            "leave finish_on out for a night shift",
        )
    if finish - start > SHIFT_MINUTES_MAX:
        raise ShiftTooLong("/finish", f"the shift lasts {_hours(finish - start)}", "at most 24 h; enter it as two")
    return ShiftMinutes(start, finish, _worked(shift, start, finish))


def entry_minutes(entry: Entry, minutes_per_day: int) -> int:
    """Worked minutes of an entry; items have none."""
    if isinstance(entry, Shift):
        return shift_minutes(entry).minutes
    if entry.unit is RateUnit.HOUR:
        return hours_to_minutes(entry.units)
    if entry.unit is RateUnit.DAY:
        return int(entry.units * minutes_per_day)
    return 0


def week_problems(
    week: WorkedWeek,
    *,
    cards: Sequence[RateCard] | None = None,
    placement: DateRange | None = None,
    neighbours: Sequence[Shift] = (),
) -> tuple[EntryRefused, ...]:
    """Everything that is wrong with a week, each with a pointer such as `/entries/2/finish`.

    `cards` adds the checks of rate codes and units; `placement` those of its dates; `neighbours` are shifts of the same
    worker in other timesheets that these may not overlap.
    """
    return tuple(_problems(week, cards, placement, neighbours))


def check_week(
    week: WorkedWeek,
    *,
    cards: Sequence[RateCard] | None = None,
    placement: DateRange | None = None,
    neighbours: Sequence[Shift] = (),
) -> None:
    """Raises WeekRefused with every problem that `week_problems` finds."""
    problems = week_problems(week, cards=cards, placement=placement, neighbours=neighbours)
    if problems:
        raise WeekRefused(problems)


def _problems(
    week: WorkedWeek, cards: Sequence[RateCard] | None, placement: DateRange | None, neighbours: Sequence[Shift]
) -> Iterator[EntryRefused]:
    if week.week_ending.isoweekday() != 7:
        yield WeekEndingNotSunday(
            "/week_ending", f"{week.week_ending} is a {week.week_ending:%A}", "a week ends on a Sunday"
        )
        return
    if len(week.entries) > ENTRIES_MAX:
        yield TooManyEntries("/entries", f"{len(week.entries)} entries", f"at most {ENTRIES_MAX} in a week")
        return
    if len(week.expenses) > EXPENSES_MAX:
        yield TooManyEntries("/expenses", f"{len(week.expenses)} expenses", f"at most {EXPENSES_MAX} in a week")
        return
    days = week_of(week.week_ending)
    sound: list[tuple[int, Entry]] = []
    for index, entry in enumerate(week.entries):
        pointer = f"/entries/{index}"
        problems = [*_entry_problems(entry, pointer), *_date_problems(entry.on, days, placement, pointer)]
        if not problems:
            sound.append((index, entry))
            if cards is not None:
                problems.extend(_card_problems(entry, cards, pointer))
        yield from problems
    for index, expense in enumerate(week.expenses):
        pointer = f"/expenses/{index}"
        yield from _expense_problems(expense, pointer)
        yield from _date_problems(expense.on, days, placement, pointer)
    yield from _overlap_problems(sound, neighbours)
    yield from _day_length_problems(sound, cards)


def _entry_problems(entry: Entry, pointer: str) -> Iterator[EntryRefused]:
    if isinstance(entry, Shift):
        try:
            shift_minutes(entry)
        except EntryRefused as refused:
            yield type(refused)(pointer + refused.pointer, refused.fact, refused.hint)
        return
    if entry.units.is_finite() and entry.units < 0:
        yield UnitsNegative(
            f"{pointer}/units", f"{entry.units} {entry.unit}s are negative", "correct the earlier entry instead"
        )
        return
    fact = decimal_problem(entry.units, places=4, low=_ZERO, high=UNITS_MAX)
    if fact:
        yield UnitsInvalid(f"{pointer}/units", f"units {fact}")
    elif entry.unit is RateUnit.DAY and entry.units * 4 != int(entry.units * 4):
        yield UnitsInvalid(f"{pointer}/units", f"{entry.units} days", "days come in quarters: 0.25, 0.5, 0.75, 1")


def _expense_problems(expense: Expense, pointer: str) -> Iterator[EntryRefused]:
    if not SLUG.fullmatch(expense.code):
        yield ExpenseInvalid(f"{pointer}/code", f"{expense.code!r} is not a code", "1 to 40 of a-z, 0-9, _ and -")
    for name, amount in (("pay_gbp", expense.pay_gbp), ("charge_gbp", expense.charge_gbp)):
        fact = decimal_problem(amount, places=2, low=_ZERO, high=EXPENSE_GBP_MAX)
        if fact:
            yield ExpenseInvalid(f"{pointer}/{name}", f"{name} {fact}")


def _date_problems(on: date, days: DateRange, placement: DateRange | None, pointer: str) -> Iterator[EntryRefused]:
    if on not in days:
        last = days.start + timedelta(days=6)
        yield OutsideWeek(f"{pointer}/on", f"{on} is outside the week {days.start} to {last}")
    elif placement is not None and on not in placement:
        last_day = "with no end" if placement.end is None else f"to {placement.end - timedelta(days=1)}"
        yield OutsidePlacement(f"{pointer}/on", f"{on} is outside the placement, {placement.start} {last_day}")


def _card_problems(entry: Entry, cards: Sequence[RateCard], pointer: str) -> Iterator[EntryRefused]:
    dates = {entry.on}
    if isinstance(entry, Shift):
        spans = shift_minutes(entry).worked
        dates |= {london.local(minute).date() for since, to in spans for minute in (since, to - 1)}
    for on in sorted(dates):
        try:
            card = card_for(cards, on)
        except RateCardGap as gap:
            yield NoRateCard(f"{pointer}/on", str(gap))
            continue
        code = entry.rate_code if entry.rate_code is not None else card.standard_code
        if not card.has_rate(code):
            known = ", ".join(rate.code for rate in card.rates)
            yield RateCodeUnknown(
                f"{pointer}/rate_code", f"rate card v{card.version} has no rate {code!r}", f"it has: {known}"
            )
            continue
        unit = RateUnit.HOUR if isinstance(entry, Shift) else entry.unit
        if card.rate(code).unit is not unit:
            field = "rate_code" if isinstance(entry, Shift) else "unit"
            yield RateUnitDiffers(
                f"{pointer}/{field}", f"rate {code!r} is per {card.rate(code).unit}, the entry is in {unit}s"
            )


def _overlap_problems(sound: Sequence[tuple[int, Entry]], neighbours: Sequence[Shift]) -> Iterator[EntryRefused]:
    spans = [(shift_minutes(shift), -1, shift) for shift in neighbours]
    spans += [(shift_minutes(entry), index, entry) for index, entry in sound if isinstance(entry, Shift)]
    spans.sort(key=lambda item: (item[0].start, item[0].finish, item[1]))
    latest = None
    for item in spans:
        if latest is not None and item[0].start < latest[0].finish:
            (_, index, shift), (_, other_index, other) = (item, latest) if item[1] >= 0 else (latest, item)
            if index >= 0:
                where = f"entry {other_index}" if other_index >= 0 else "another timesheet"
                yield ShiftsOverlap(
                    f"/entries/{index}/start",
                    f"the shift {_clock(shift)} overlaps {_clock(other)} of {where}",
                    "one person works one shift at a time",
                )
        if latest is None or item[0].finish > latest[0].finish:
            latest = item


def _day_length_problems(
    sound: Sequence[tuple[int, Entry]], cards: Sequence[RateCard] | None
) -> Iterator[EntryRefused]:
    """No calendar day has more work than hours; clock shifts count to the days they really fall on."""
    totals: dict[date, int] = {}
    blamed: dict[date, int] = {}
    for index, entry in sound:
        for on, minutes in _minutes_by_day(entry, cards):
            totals[on] = totals.get(on, 0) + minutes
            blamed[on] = index
    for on in sorted(totals):
        if totals[on] > london.day_minutes(on):
            name = "finish" if isinstance(dict(sound)[blamed[on]], Shift) else "units"
            yield HoursExceedDay(
                f"/entries/{blamed[on]}/{name}",
                f"{_hours(totals[on])} on {on}",
                f"the day has {_hours(london.day_minutes(on))}",
            )


def _minutes_by_day(entry: Entry, cards: Sequence[RateCard] | None) -> Iterator[tuple[date, int]]:
    if isinstance(entry, UnitEntry):
        per_day = 480
        if entry.unit is RateUnit.DAY and cards is not None:
            per_day = next((card.minutes_per_day for card in cards if card.in_force(entry.on)), per_day)
        yield entry.on, entry_minutes(entry, per_day)
        return
    for since, to in shift_minutes(entry).worked:
        while since < to:
            on = london.local(since).date()
            until = min(to, london.midnight(on + timedelta(days=1)))
            yield on, until - since
            since = until


def _worked(shift: Shift, start: int, finish: int) -> tuple[tuple[int, int], ...]:
    elapsed = finish - start
    pause = shift.break_minutes
    if pause < 0:
        raise BreakNegative("/break_minutes", f"the break is {pause} minutes", "0 or more")
    if pause >= elapsed:
        raise BreakLongerThanShift(
            "/break_minutes",
            f"a break of {pause} minutes leaves nothing of a shift of {_hours(elapsed)}",
            "remove the shift if no work was done",
        )
    if pause == 0:
        return ((start, finish),)
    break_from = start + (elapsed - pause) // 2
    if shift.break_start is not None:
        break_from = _break_from(shift, start)
        if break_from + pause > finish:
            raise BreakOutsideShift(
                "/break_start",
                f"a break of {pause} minutes from {shift.break_start:%H:%M} is not inside the shift {_clock(shift)}",
            )
    spans = ((start, break_from), (break_from + pause, finish))
    return tuple((since, to) for since, to in spans if since < to)


def _break_from(shift: Shift, start: int) -> int:
    """The first minute from the shift's start on at which the clocks show `break_start`."""
    clock = shift.break_start
    if clock is None:
        raise BreakOutsideShift("/break_start", "break_start is missing")
    for on in (shift.on, shift.on + timedelta(days=1)):
        found = [minute for minute in london.either_instant(on, clock) if minute >= start]
        if found:
            return found[0]
    raise BreakOutsideShift("/break_start", f"{clock:%H:%M} is not inside the shift {_clock(shift)}")


def _later_in_repeated_hour(shift: Shift) -> bool:
    """01:50 BST to 01:10 GMT on October's Sunday: the finish shows an earlier time and is later on the same day."""
    return shift.start_fold == 0 and shift.finish_fold == 1 and len(london.either_instant(shift.on, shift.finish)) == 2


def _instant(on: date, clock: time, fold: int | None, pointer: str) -> int:
    try:
        return london.instant(on, clock, fold)
    except (london.LocalTimeAmbiguous, london.LocalTimeDoesNotExist) as error:
        raise ClockChangeTime(pointer, str(error)) from None


def _clock(shift: Shift) -> str:
    return f"{shift.on} {shift.start:%H:%M} to {shift.finish:%H:%M}"


def _hours(minutes: int) -> str:
    whole, rest = divmod(minutes, 60)
    return f"{whole} h {rest} min" if rest else f"{whole} h"
