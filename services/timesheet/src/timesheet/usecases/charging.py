"""What a timesheet's week is worth: its entries and rate cards loaded together, interpreted by the domain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from uuid import UUID

from paybill_common.db import Tx
from paybill_common.periods import BadPeriod, DateRange
from timesheet.domain.bank_holidays import BankHolidayYearUnknown, published_bank_holidays
from timesheet.domain.entries import (
    Entry,
    EntryRefused,
    FinishBeforeStart,
    Shift,
    WeekRefused,
    WorkedWeek,
    week_problems,
)
from timesheet.domain.fields import FieldRefused
from timesheet.domain.interpret import interpret_week
from timesheet.domain.lines import Interpretation
from timesheet.domain.rates import RateCard, RateCardsOverlap
from timesheet.store import cards as card_store
from timesheet.store import timesheets as store
from timesheet.store.timesheets import StoredEntry, StoredExpense, Timesheet

NIGHT_SHIFT_MINUTES_MAX = 13 * 60
ANTICIPATED = (WeekRefused, FieldRefused, RateCardsOverlap, BankHolidayYearUnknown, BadPeriod)
"""What a week can be refused for; each has a stable `code`, but for BadPeriod."""


@dataclass(frozen=True)
class Work:
    """All that is needed to charge some timesheets."""

    entries: Mapping[UUID, Sequence[StoredEntry]]
    expenses: Mapping[UUID, Sequence[StoredExpense]]
    cards: Mapping[UUID, tuple[RateCard, ...]]

    def week(self, timesheet: Timesheet) -> WorkedWeek:
        entries = self.entries.get(timesheet.timesheet_id, ())
        expenses = self.expenses.get(timesheet.timesheet_id, ())
        return WorkedWeek(
            timesheet.week_ending, tuple(one.entry for one in entries), tuple(one.expense for one in expenses)
        )

    def charged(self, timesheet: Timesheet) -> Interpretation:
        """The charge lines of its week. Raises one of ANTICIPATED."""
        cards = self.cards.get(timesheet.placement.placement_id, ())
        return interpret_week(self.week(timesheet), cards=cards, bank_holidays=published_bank_holidays())


async def load_work(tx: Tx, *, agency_id: UUID, timesheets: Iterable[Timesheet]) -> Work:
    """Entries, expenses and cards of these timesheets, in three statements however many they are."""
    chosen = list(timesheets)
    ids = [one.timesheet_id for one in chosen]
    return Work(
        entries=await store.entries_of(tx, agency_id=agency_id, ids=ids),
        expenses=await store.expenses_of(tx, agency_id=agency_id, ids=ids),
        cards=await card_store.for_placements(
            tx, agency_id=agency_id, placement_ids={one.placement.placement_id for one in chosen}
        ),
    )


def placement_period(starts_on: date, ends_on: date | None) -> DateRange:
    return DateRange(starts_on, ends_on)


def problems_of(
    timesheet: Timesheet,
    week: WorkedWeek,
    *,
    cards: Sequence[RateCard],
    neighbours: Sequence[Shift],
) -> tuple[EntryRefused, ...]:
    """Everything wrong with a week that is about to be stored."""
    period = placement_period(timesheet.starts_on, timesheet.ends_on)
    doubtful = [
        FinishBeforeStart(f"/entries/{index}/finish", *finish_in_doubt(entry))
        for index, entry in enumerate(week.entries)
        if finish_in_doubt(entry)
    ]
    return (*doubtful, *week_problems(week, cards=cards, placement=period, neighbours=neighbours))


def finish_in_doubt(entry: Entry | None) -> tuple[str, str] | tuple[()]:
    """The fact and hint when a finish before the start is more likely a mistake than a night shift; empty otherwise.

    Eleven hours of rest a day (Working Time Regulations 1998, reg. 10) leave 13: a longer night shift names its last day.
    """
    if not isinstance(entry, Shift) or entry.finish_on is not None or entry.finish >= entry.start:
        return ()
    minutes = 24 * 60 - _clock_minutes(entry.start) + _clock_minutes(entry.finish)
    if minutes <= NIGHT_SHIFT_MINUTES_MAX:
        return ()
    return (
        f"the shift of {entry.on} starts at {entry.start:%H:%M} and finishes at {entry.finish:%H:%M}",
        f"is it the other way round? A shift of {minutes // 60} h over midnight needs finish_on",
    )


def _clock_minutes(clock: time) -> int:
    return clock.hour * 60 + clock.minute


def refusal_of(error: Exception) -> tuple[str, str, str]:
    """Code, fact and hint of one of ANTICIPATED or of a refused command."""
    if isinstance(error, WeekRefused):
        first = error.problems[0]
        more = f" (and {len(error.problems) - 1} more)" if len(error.problems) > 1 else ""
        return first.code, f"{first.pointer}: {first.fact}{more}", first.hint
    code = str(getattr(error, "code", "week_cannot_be_charged"))
    if isinstance(error, FieldRefused):
        return code, error.fact, error.hint
    return code, str(error), str(getattr(error, "hint", ""))
