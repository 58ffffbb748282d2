"""What holds for every week: minutes are conserved, more work never pays less, and cutting a shift changes nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timesheet.domain import london, workflow
from timesheet.domain.entries import Entry, Shift, UnitEntry, WorkedWeek, entry_minutes, shift_minutes, week_problems
from timesheet.domain.lines import Interpretation, difference
from timesheet.domain.rates import RateCard
from timesheet.domain.rules import (
    BankHolidayPremium,
    Choose,
    Counts,
    DailyOvertime,
    DayOfWeekPremium,
    Division,
    MinimumCallOut,
    NightWindow,
    OvertimeDay,
    Premium,
    PremiumKind,
    Rule,
    WeeklyOvertime,
)
from timesheet.domain.vocabulary import Element, LineKind, RateUnit

from .builders import card, charge, rate

WEEKS = (date(2026, 3, 29), date(2026, 4, 5), date(2026, 10, 25), date(2026, 12, 27))
"""The week of the spring change, Good Friday's, the autumn change's, Christmas."""


@st.composite
def rules(draw: st.DrawFn) -> tuple[Rule, ...]:
    """Any set of premium rules. Multipliers of 1 or more, in the order of the default priority, so that a rule with a better
    right is never a worse rate; each overtime tier beats the one below it.
    """
    steps = [Decimal(n).scaleb(-2) for n in draw(st.lists(st.integers(100, 300), min_size=7, max_size=7))]
    night, saturday, sunday, bank, weekly, daily_high, daily_low = (
        Premium(pay_multiplier=value, charge_multiplier=value)
        for value in (lambda d: (d[3], d[4], d[5], d[6], d[2], d[1], d[0]))(sorted(steps))
    )
    start, end = draw(st.lists(st.times(), min_size=2, max_size=2, unique_by=lambda t: (t.hour, t.minute)))
    low = draw(st.integers(0, 700))
    counted = draw(st.sampled_from(Counts))
    by = draw(st.sampled_from(OvertimeDay))
    every: tuple[Rule, ...] = (
        DailyOvertime("ot-1", low, daily_low, by, counted),
        DailyOvertime("ot-2", low + draw(st.integers(1, 300)), daily_high, by, counted),
        WeeklyOvertime("ot-week", draw(st.integers(0, 3000)), weekly, counted),
        NightWindow("night", start.replace(second=0, microsecond=0), end.replace(second=0, microsecond=0), night),
        DayOfWeekPremium("sat", PremiumKind.SATURDAY, saturday),
        DayOfWeekPremium("sun", PremiumKind.SUNDAY, sunday),
        BankHolidayPremium("bh", draw(st.sampled_from(Division)), bank),
        MinimumCallOut("call-out", draw(st.integers(1, 480))),
    )
    return tuple(rule for rule in every if draw(st.booleans()))


@st.composite
def cards(draw: st.DrawFn) -> RateCard:
    pay = Decimal(draw(st.integers(60_000, 500_000))).scaleb(-4)
    return card(*draw(rules()), standard=rate("standard", str(pay), str(pay * 2)), choose=draw(st.sampled_from(Choose)))


def shift_between(start: int, finish: int, break_minutes: int = 0) -> Shift:
    """The shift from one real minute to another, with the folds that October needs."""
    begin, end = london.local(start), london.local(finish)
    return Shift(
        begin.date(), _clock(begin), _clock(end), break_minutes,
        finish_on=end.date(), start_fold=begin.fold, finish_fold=end.fold,
    )  # fmt: skip


def _clock(moment: datetime) -> time:
    return moment.time().replace(tzinfo=None, fold=0)


@st.composite
def weeks(draw: st.DrawFn, *, breaks: bool = True) -> WorkedWeek:
    """Shifts at any minute of one of the hard weeks, in any order, some adjoining; sometimes clockless hours too."""
    week_ending = draw(st.sampled_from(WEEKS))
    monday = week_ending - timedelta(days=6)
    last = london.midnight(week_ending + timedelta(days=1)) - 1
    at = london.midnight(monday) + draw(st.integers(0, 1440))
    entries: list[Entry] = []
    while at < last and len(entries) < 8:
        length = draw(st.integers(2, 900))
        pause = draw(st.integers(0, min(60, length - 1))) if breaks else 0
        entries.append(shift_between(at, at + length, pause))
        at += length + draw(st.one_of(st.just(0), st.integers(1, 1800)))
    if draw(st.booleans()):
        entries.append(UnitEntry(week_ending, RateUnit.HOUR, Decimal(draw(st.integers(0, 400))).scaleb(-2)))
    worked = WorkedWeek(week_ending, tuple(draw(st.permutations(entries))))
    return (
        worked
        if not week_problems(worked)
        else replace(worked, entries=tuple(e for e in entries if isinstance(e, Shift)))
    )


def exact_pay(result: Interpretation) -> Decimal:
    """Sixtieths of pounds, before any rounding to the penny; the weeks here have hour lines only."""
    return sum((line.minutes * line.pay_rate for line in result.lines), Decimal(0))


def elements(result: Interpretation) -> dict[Element, int]:
    return {element: result.minutes_of(element) for element in Element}


@given(weeks(), cards())
@settings(max_examples=150, deadline=None)
def test_minutes_are_conserved_day_by_day(worked: WorkedWeek, rate_card: RateCard) -> None:
    result = charge(worked, rate_card)
    assert result.worked_minutes == sum(entry_minutes(entry, 480) for entry in worked.entries)
    for line in result.lines:
        assert line.minutes == sum(minutes for _, minutes in line.days) > 0
    by_day: dict[date, int] = {}
    for line in result.lines:
        if line.kind is LineKind.TIME:
            for on, minutes in line.days:
                by_day[on] = by_day.get(on, 0) + minutes
    assert all(minutes <= london.day_minutes(on) for on, minutes in by_day.items())


@given(weeks(), cards())
@settings(max_examples=100, deadline=None)
def test_the_same_week_charges_the_same_in_any_order(worked: WorkedWeek, rate_card: RateCard) -> None:
    result = charge(worked, rate_card)
    assert charge(replace(worked, entries=worked.entries[::-1]), rate_card) == result
    assert [line.ordinal for line in result.lines] == list(range(1, len(result.lines) + 1))
    keys = [(line.kind, line.element, line.rate_code, line.rule_id, line.pay_rate, line.days) for line in result.lines]
    assert len(set(keys)) == len(keys)


@given(weeks(breaks=False), cards(), st.data())
@settings(max_examples=150, deadline=None)
def test_cutting_a_shift_changes_nothing(worked: WorkedWeek, rate_card: RateCard, data: st.DataObject) -> None:
    index = data.draw(st.sampled_from([n for n, entry in enumerate(worked.entries) if isinstance(entry, Shift)]))
    whole = worked.entries[index]
    assert isinstance(whole, Shift)
    real = shift_minutes(whole)
    cut = data.draw(st.integers(real.start + 1, real.finish - 1))
    # A second half that starts after the week's last midnight belongs to next week's timesheet.
    if cut >= london.midnight(worked.week_ending + timedelta(days=1)):
        return
    parts = (shift_between(real.start, cut), shift_between(cut, real.finish))
    split = replace(worked, entries=(*worked.entries[:index], *parts, *worked.entries[index + 1 :]))
    assert charge(split, rate_card) == charge(worked, rate_card)


@given(weeks(breaks=False), cards(), st.data())
@settings(max_examples=200, deadline=None)
def test_more_minutes_never_pay_less(worked: WorkedWeek, rate_card: RateCard, data: st.DataObject) -> None:
    index = data.draw(st.sampled_from([n for n, entry in enumerate(worked.entries) if isinstance(entry, Shift)]))
    shift = worked.entries[index]
    assert isinstance(shift, Shift)
    real = shift_minutes(shift)
    longer = shift_between(real.start, real.finish + data.draw(st.integers(1, 240)))
    more = replace(worked, entries=(*worked.entries[:index], longer, *worked.entries[index + 1 :]))
    if week_problems(more):
        return
    # Two turn-outs that grow together are one call-out; that is less top-up and no less work.
    joined = any(
        isinstance(other, Shift) and shift_minutes(other).start == shift_minutes(longer).finish
        for other in more.entries
    )
    if joined:
        return
    longer_week, week = charge(more, rate_card), charge(worked, rate_card)
    assert exact_pay(longer_week) >= exact_pay(week)
    # A minute that moves from the call-out line to a time line can round each of them, by half a penny at most.
    assert 2 * (week.pay_pence - longer_week.pay_pence) <= len(week.lines) + len(longer_week.lines)


@given(weeks(), cards())
@settings(max_examples=100, deadline=None)
def test_best_for_worker_never_pays_less_than_priority(worked: WorkedWeek, rate_card: RateCard) -> None:
    by_priority = replace(rate_card, rules=replace(rate_card.rules, choose=Choose.PRIORITY))
    best = replace(rate_card, rules=replace(rate_card.rules, choose=Choose.BEST_FOR_WORKER))
    first, second = charge(worked, by_priority), charge(worked, best)
    assert exact_pay(second) >= exact_pay(first)
    assert second.worked_minutes == first.worked_minutes


@given(weeks(), weeks(), cards())
@settings(max_examples=60, deadline=None)
def test_amending_twice_is_amending_once(first: WorkedWeek, second: WorkedWeek, rate_card: RateCard) -> None:
    empty = charge(WorkedWeek(first.week_ending), rate_card)
    before, after = charge(first, rate_card), charge(second, rate_card)
    one, two, both = difference(empty, before), difference(before, after), difference(empty, after)
    assert one.pay_pence + two.pay_pence == both.pay_pence
    assert one.charge_pence + two.charge_pence == both.charge_pence
    assert one.worked_minutes + two.worked_minutes == both.worked_minutes
    assert difference(after, charge(second, rate_card)).new_lines == ()
    back = difference(after, before)
    assert (back.reversed_lines, back.new_lines) == (two.new_lines, two.reversed_lines)


@given(weeks())
@settings(max_examples=30, deadline=None)
def test_the_same_amendment_sent_again_is_refused(amended: WorkedWeek) -> None:
    approved = workflow.TimesheetState(UUID(int=1), workflow.Status.APPROVED)
    before = WorkedWeek(amended.week_ending)
    state = workflow.amend(approved, reason="Corrected", changes=amended != before)
    with pytest.raises(workflow.AmendmentChangesNothing):
        workflow.amend(state, reason="Corrected", changes=replace(amended) != amended)


@given(weeks(), cards())
@settings(max_examples=80, deadline=None)
def test_a_rate_change_moves_no_minute_between_elements(worked: WorkedWeek, rate_card: RateCard) -> None:
    wednesday = worked.week_ending - timedelta(days=4)
    old = replace(rate_card, effective_to=wednesday)
    new = replace(rate_card, version=2, effective_from=wednesday)
    changed = charge(worked, new, old)
    assert elements(changed) == elements(charge(worked, rate_card))
    for line in changed.lines:
        assert all((on >= wednesday) == (line.rate_card_version == 2) for on, _ in line.days)
