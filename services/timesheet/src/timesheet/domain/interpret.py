"""The one place where hours become money: a week's entries against the rate cards in force, into charge lines.

Every worked minute gets exactly one rate. A shift is cut at local midnights, at the edges of the night window, where the
clocks change, and where an overtime threshold is passed. Of the rules that then claim a piece the card's `choose` takes

    priority          the first in the card's priority list. By default: bank holiday > Sunday > Saturday > night
                      > weekly overtime > daily overtime > standard; of several overtime tiers the highest one reached
    best_for_worker   the highest pay rate, the standard rate included; among equals the first in priority

The day of each minute decides its card, so a rate change on Wednesday changes Wednesday's minutes. Overtime counts minutes
in the order they were worked; clockless hours of a day come after that day's shifts. Shifts that follow each other without
a gap, at the same rate, are one turn-out: cutting a shift in two changes nothing, not even the minimum call-out.

Time entered at a named rate, days at a rate other than the standard and items are charged as entered. Days at the
standard rate take bank-holiday and weekend premiums only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

from paybill_common.money import as_rate, line_pence
from timesheet.domain import london
from timesheet.domain.bank_holidays import BankHolidays
from timesheet.domain.entries import (
    Entry,
    Expense,
    Shift,
    UnitEntry,
    WorkedWeek,
    check_week,
    entry_minutes,
    shift_minutes,
)
from timesheet.domain.lines import ChargeLine, Interpretation
from timesheet.domain.rates import NamedRate, RateCard, card_for
from timesheet.domain.rules import (
    Allowance,
    AllowancePer,
    BankHolidayPremium,
    Choose,
    Counts,
    DailyOvertime,
    DayOfWeekPremium,
    MinimumCallOut,
    NightWindow,
    OvertimeDay,
    PremiumKind,
    PremiumRule,
    WeeklyOvertime,
)
from timesheet.domain.vocabulary import (
    ENTERED_RULE_ID,
    EXPENSE_RULE_ID,
    STANDARD_RULE_ID,
    Applies,
    Element,
    LineKind,
    RateUnit,
)

_DAY = timedelta(days=1)
_ZERO = Decimal(0)
_WEEKEND = {6: PremiumKind.SATURDAY, 7: PremiumKind.SUNDAY}
_KIND_ORDER = {kind: number for number, kind in enumerate(LineKind)}
_ELEMENT_ORDER = {element: number for number, element in enumerate(Element)}


def interpret_week(week: WorkedWeek, *, cards: Sequence[RateCard], bank_holidays: BankHolidays) -> Interpretation:
    """Charge one placement's week. `cards` are the versions known now, without overlaps.

    Lines come in a fixed order that does not depend on the order of the entries, aggregated over the week per kind,
    element, rate, rule and card version, each with its minutes by day; an amount is rounded half up once, per line.
    Raises WeekRefused when entries cannot be right or a day has no card, RateCardsOverlap, BankHolidayYearUnknown.
    """
    check_week(week, cards=cards)
    book = _Book(cards, bank_holidays)
    tally = _Tally()
    work = _Work()
    counters = _Counters()
    for turn_out in _turn_outs(week.entries, book):
        _charge_turn_out(turn_out, book, counters, tally, work)
    for entry in week.entries:
        if not _is_clocked_standard(entry, book):
            _charge_as_entered(entry, book, tally, work)
    _charge_allowances(book, tally, work)
    for expense in week.expenses:
        tally.expense(book.terms(expense.on).card, expense)
    interpretation = Interpretation(week.week_ending, tally.lines())
    entered = sum(entry_minutes(entry, book.terms(entry.on).card.minutes_per_day) for entry in week.entries)
    assert interpretation.worked_minutes == entered, (
        f"{entered} minutes entered, {interpretation.worked_minutes} charged"
    )
    return interpretation


class _Terms:
    """One rate card, made ready: each premium rule with its rate, the one with the best right first."""

    def __init__(self, card: RateCard) -> None:
        rules = card.rules.rules
        self.card = card
        self.standard = card.standard
        self.best_for_worker = card.rules.choose is Choose.BEST_FOR_WORKER
        self.ranked: tuple[tuple[PremiumRule, NamedRate], ...] = tuple(
            (rule, card.premium_rate(rule.premium)) for rule in _ranked(rules, card.rules.priority)
        )
        self.daily = tuple(rule for rule in rules if isinstance(rule, DailyOvertime))
        self.weekly = tuple(rule for rule in rules if isinstance(rule, WeeklyOvertime))
        self.night = next((rule for rule in rules if isinstance(rule, NightWindow)), None)
        self.call_out = next((rule for rule in rules if isinstance(rule, MinimumCallOut)), None)
        self.allowances = tuple(rule for rule in rules if isinstance(rule, Allowance))

    def chosen(self, claims: Sequence[PremiumRule]) -> tuple[PremiumRule | None, NamedRate]:
        """The one rule, and its rate, among those that claim a piece of time; None and standard when none does."""
        if not claims:
            return None, self.standard
        candidates = [(rule, rate) for rule, rate in self.ranked if any(rule is claim for claim in claims)]
        if not self.best_for_worker:
            return candidates[0]
        best: tuple[PremiumRule | None, NamedRate] = candidates[0]
        for rule, rate in [*candidates[1:], (None, self.standard)]:
            if _pay_rate(rate) > _pay_rate(best[1]):
                best = rule, rate
        return best


def _ranked(rules: Sequence[object], priority: Sequence[PremiumKind]) -> Iterator[PremiumRule]:
    for kind in priority:
        same = [rule for rule in rules if isinstance(rule, PremiumRule) and rule.kind is kind]
        yield from sorted(same, key=lambda rule: -getattr(rule, "after_minutes", 0))


class _Book:
    """The cards of the week by day, and which date rules claim a day."""

    def __init__(self, cards: Sequence[RateCard], bank_holidays: BankHolidays) -> None:
        self._cards = cards
        self._bank_holidays = bank_holidays
        self._by_day: dict[date, _Terms] = {}
        self._by_version: dict[int, _Terms] = {}
        self._claims: dict[date, tuple[PremiumRule, ...]] = {}

    def terms(self, on: date) -> _Terms:
        terms = self._by_day.get(on)
        if terms is None:
            card = card_for(self._cards, on)
            terms = self._by_version.get(id(card))
            if terms is None:
                terms = self._by_version[id(card)] = _Terms(card)
            self._by_day[on] = terms
        return terms

    def claims(self, on: date) -> tuple[PremiumRule, ...]:
        """The bank-holiday and weekend rules that claim this day."""
        if on not in self._claims:
            self._claims[on] = tuple(rule for rule, _ in self.terms(on).ranked if self._claims_day(rule, on))
        return self._claims[on]

    def _claims_day(self, rule: PremiumRule, on: date) -> bool:
        if isinstance(rule, BankHolidayPremium):
            return self._bank_holidays.is_holiday(rule.division, on)
        return isinstance(rule, DayOfWeekPremium) and _WEEKEND.get(on.isoweekday()) is rule.day


@dataclass(slots=True)
class _TurnOut:
    """One coming to work at the standard rate: adjoining shifts, or the clockless hours of a day."""

    on: date
    order: tuple[date, int, int]
    finish: int = 0
    spans: list[tuple[int, int]] = field(default_factory=list)
    clockless_minutes: int = 0

    @property
    def minutes(self) -> int:
        return self.clockless_minutes + sum(to - since for since, to in self.spans)


@dataclass(frozen=True, slots=True)
class _Piece:
    """Minutes of one calendar day, all inside or all outside the night window."""

    on: date
    minutes: int
    night: bool


@dataclass(slots=True)
class _Work:
    """What allowances are counted on: hourly minutes by calendar day, and the days on which work started."""

    hour_minutes: dict[date, int] = field(default_factory=dict)
    started_on: set[date] = field(default_factory=set)

    def add(self, on: date, minutes: int) -> None:
        self.hour_minutes[on] = self.hour_minutes.get(on, 0) + minutes


class _Counters:
    """How many minutes each overtime threshold has seen so far, in the order they were worked."""

    def __init__(self) -> None:
        self._seen: dict[tuple[object, ...], int] = {}

    def value(self, rule: DailyOvertime | WeeklyOvertime, on: date, working_day: date) -> int:
        if isinstance(rule, WeeklyOvertime):
            return self._seen.get(("week", rule.counts), 0)
        day = working_day if rule.day is OvertimeDay.WORKING_DAY else on
        return self._seen.get((rule.day, rule.counts, day), 0)

    def add(self, minutes: int, on: date, working_day: date, *, premium: bool, daily: bool) -> None:
        """`premium`: a bank-holiday, weekend or night rule claims them; `daily`: they are past a daily threshold."""
        counted = {Counts.ALL: True, Counts.OUTSIDE_PREMIUMS: not premium}
        for counts, counts_here in counted.items():
            if counts_here:
                self._add((OvertimeDay.WORKING_DAY, counts, working_day), minutes)
                self._add((OvertimeDay.CALENDAR_DAY, counts, on), minutes)
                if counts is Counts.ALL or not daily:
                    self._add(("week", counts), minutes)

    def _add(self, key: tuple[object, ...], minutes: int) -> None:
        self._seen[key] = self._seen.get(key, 0) + minutes


@dataclass(frozen=True, slots=True)
class _Key:
    kind: LineKind
    element: Element
    rate_code: str
    unit: RateUnit
    pay_rate: Decimal
    basic_pay_rate: Decimal
    charge_rate: Decimal
    applies: Applies
    rule_id: str


@dataclass(slots=True)
class _Sum:
    card: RateCard
    minutes: int = 0
    units: Decimal = _ZERO
    days: dict[date, int] = field(default_factory=dict)


class _Tally:
    """Time, units and money by line key, and the lines they make."""

    def __init__(self) -> None:
        self._sums: dict[tuple[object, int, _Key], _Sum] = {}

    def rate(
        self, card: RateCard, on: date, kind: LineKind, element: Element, rate: NamedRate, rule_id: str,
        *, basic: Decimal, minutes: int, units: Decimal = _ZERO,
    ) -> None:  # fmt: skip
        """Add to the line of this rate. `basic` is the pay rate without the premium."""
        applies = rate.applies
        pay = as_rate(rate.pay_rate) if applies.payable else as_rate(_ZERO)
        charge = as_rate(rate.charge_rate) if applies.billable else as_rate(_ZERO)
        key = _Key(kind, element, rate.code, rate.unit, pay, min(as_rate(basic), pay), charge, applies, rule_id)
        self._add(card, key, on, minutes, units)

    def expense(self, card: RateCard, expense: Expense) -> None:
        applies = expense.applies
        pay = as_rate(expense.pay_gbp) if applies.payable else as_rate(_ZERO)
        charge = as_rate(expense.charge_gbp) if applies.billable else as_rate(_ZERO)
        key = _Key(
            LineKind.EXPENSE, Element.EXPENSE, expense.code, RateUnit.EACH, pay, as_rate(_ZERO), charge, applies,
            EXPENSE_RULE_ID,
        )  # fmt: skip
        self._add(card, key, expense.on, 0, Decimal(1))

    def _add(self, card: RateCard, key: _Key, on: date, minutes: int, units: Decimal) -> None:
        total = self._sums.setdefault((card.id, card.version, key), _Sum(card))
        total.minutes += minutes
        total.units += units
        total.days[on] = total.days.get(on, 0) + minutes

    def lines(self) -> tuple[ChargeLine, ...]:
        ordered = sorted(self._sums.items(), key=lambda item: _line_order(item[0][2], item[1].card))
        return tuple(_line(number, key, total) for number, ((_, _, key), total) in enumerate(ordered, start=1))


def _line_order(key: _Key, card: RateCard) -> tuple[object, ...]:
    return (
        _KIND_ORDER[key.kind], card.effective_from, card.version, _ELEMENT_ORDER[key.element], key.rate_code, key.rule_id,
        key.pay_rate, key.charge_rate, key.basic_pay_rate, key.applies,
    )  # fmt: skip


def _line(ordinal: int, key: _Key, total: _Sum) -> ChargeLine:
    hourly = key.unit is RateUnit.HOUR
    quantity = {"minutes": total.minutes} if hourly else {}
    units = None if hourly else total.units
    return ChargeLine(
        ordinal=ordinal,
        kind=key.kind,
        element=key.element,
        rate_code=key.rate_code,
        rate_unit=key.unit,
        minutes=total.minutes,
        units=units,
        pay_rate=key.pay_rate,
        basic_pay_rate=key.basic_pay_rate,
        charge_rate=key.charge_rate,
        pay_pence=line_pence(key.pay_rate, units=units, **quantity),
        charge_pence=line_pence(key.charge_rate, units=units, **quantity),
        payable=key.applies.payable,
        billable=key.applies.billable,
        rate_card_id=total.card.id,
        rate_card_version=total.card.version,
        rule_id=key.rule_id,
        days=tuple(sorted(total.days.items())),
    )


def _is_clocked_standard(entry: Entry, book: _Book) -> bool:
    """Whether the premium rules by the minute look at this entry: hours at the standard rate."""
    card = book.terms(entry.on).card
    if entry.rate_code not in (None, card.standard_code) or card.standard.unit is not RateUnit.HOUR:
        return False
    return isinstance(entry, Shift) or entry.unit is RateUnit.HOUR


def _turn_outs(entries: Sequence[Entry], book: _Book) -> list[_TurnOut]:
    shifts: list[_TurnOut] = []
    clockless: dict[date, _TurnOut] = {}
    standard = [entry for entry in entries if _is_clocked_standard(entry, book)]
    clocked = [entry for entry in standard if isinstance(entry, Shift)]
    for shift in sorted(clocked, key=lambda one: shift_minutes(one).start):
        real = shift_minutes(shift)
        if not shifts or shifts[-1].finish != real.start:
            shifts.append(_TurnOut(shift.on, (shift.on, 0, real.start)))
        shifts[-1].spans.extend(real.worked)
        shifts[-1].finish = real.finish
    for entry in standard:
        if isinstance(entry, UnitEntry) and entry.units:
            turn_out = clockless.setdefault(entry.on, _TurnOut(entry.on, (entry.on, 1, 0)))
            turn_out.clockless_minutes += entry_minutes(entry, 0)
    return sorted([*shifts, *clockless.values()], key=lambda one: one.order)


def _pieces(turn_out: _TurnOut, book: _Book) -> Iterator[_Piece]:
    if turn_out.clockless_minutes:
        yield _Piece(turn_out.on, turn_out.clockless_minutes, night=False)
    for since, to in turn_out.spans:
        edges = [since, *sorted(cut for cut in _cuts(since, to, book) if since < cut < to), to]
        for start, end in pairwise(edges):
            wall = london.local(start)
            night = book.terms(wall.date()).night
            yield _Piece(wall.date(), end - start, night is not None and night.covers(wall.time()))


def _cuts(since: int, to: int, book: _Book) -> set[int]:
    """Where a span can change its day, its card or its side of the night window."""
    on, last = london.local(since).date(), london.local(to - 1).date()
    cuts: set[int] = set()
    while on <= last:
        cuts.add(london.midnight(on + _DAY))
        night = book.terms(on).night
        if night is not None:
            cuts.update(london.either_instant(on, night.start), london.either_instant(on, night.end))
            change = london.clock_change(on)
            if change is not None:
                cuts.add(change)
        on += _DAY
    return cuts


def _charge_turn_out(turn_out: _TurnOut, book: _Book, counters: _Counters, tally: _Tally, work: _Work) -> None:
    work.started_on.add(turn_out.on)
    for piece in _pieces(turn_out, book):
        work.add(piece.on, piece.minutes)
        _charge_piece(piece, turn_out.on, book, counters, tally)
    terms = book.terms(turn_out.on)
    rule = terms.call_out
    if rule is not None and turn_out.minutes < rule.minutes:
        rate = terms.standard if rule.rate_code is None else terms.card.rate(rule.rate_code)
        tally.rate(
            terms.card, turn_out.on, LineKind.CALL_OUT, Element.CALL_OUT, rate, rule.rule_id,
            basic=_pay_rate(terms.standard), minutes=rule.minutes - turn_out.minutes,
        )  # fmt: skip


def _charge_piece(piece: _Piece, working_day: date, book: _Book, counters: _Counters, tally: _Tally) -> None:
    """Cut one piece where it passes overtime thresholds, and charge each part."""
    terms = book.terms(piece.on)
    fixed = list(book.claims(piece.on))
    if piece.night and terms.night is not None:
        fixed.append(terms.night)
    left = piece.minutes
    while left:
        step, overtime, daily = _until_threshold(left, terms, counters, piece.on, working_day, premium=bool(fixed))
        rule, rate = terms.chosen([*fixed, *overtime])
        tally.rate(
            terms.card, piece.on, LineKind.TIME, Element.BASIC if rule is None else rule.kind.element, rate,
            STANDARD_RULE_ID if rule is None else rule.rule_id, basic=_pay_rate(terms.standard), minutes=step,
        )  # fmt: skip
        counters.add(step, piece.on, working_day, premium=bool(fixed), daily=daily)
        left -= step


def _until_threshold(
    left: int, terms: _Terms, counters: _Counters, on: date, working_day: date, *, premium: bool
) -> tuple[int, list[PremiumRule], bool]:
    """How many minutes run on under the same overtime rules, which rules those are, and whether one is daily."""
    step = left
    reached: list[PremiumRule] = []
    for rule in terms.daily:
        to_go = rule.after_minutes - counters.value(rule, on, working_day)
        if to_go <= 0:
            reached.append(rule)
        elif rule.counts is Counts.ALL or not premium:
            step = min(step, to_go)
    daily = bool(reached)
    for weekly in terms.weekly:
        to_go = weekly.after_minutes - counters.value(weekly, on, working_day)
        if to_go <= 0:
            reached.append(weekly)
        elif weekly.counts is Counts.ALL or not (premium or daily):
            step = min(step, to_go)
    return step, reached, daily


def _charge_as_entered(entry: Entry, book: _Book, tally: _Tally, work: _Work) -> None:
    """Time at a named rate, days, and items: the entry itself says what it is."""
    if isinstance(entry, Shift):
        _charge_named_shift(entry, book, tally, work)
        return
    if not entry.units:
        return
    terms = book.terms(entry.on)
    card = terms.card
    minutes = entry_minutes(entry, card.minutes_per_day)
    if entry.unit is not RateUnit.EACH:
        work.started_on.add(entry.on)
    if entry.unit is RateUnit.HOUR:
        work.add(entry.on, minutes)
    units = _ZERO if entry.unit is RateUnit.HOUR else entry.units
    if entry.unit is RateUnit.DAY and entry.rate_code in (None, card.standard_code):
        rule, rate = terms.chosen(book.claims(entry.on))
        tally.rate(
            card, entry.on, LineKind.TIME, Element.BASIC if rule is None else rule.kind.element, rate,
            STANDARD_RULE_ID if rule is None else rule.rule_id, basic=_pay_rate(terms.standard), minutes=minutes,
            units=units,
        )  # fmt: skip
        return
    _tally_named(terms, entry.on, card.rate(entry.rate_code or card.standard_code), tally, minutes, units)


def _charge_named_shift(shift: Shift, book: _Book, tally: _Tally, work: _Work) -> None:
    work.started_on.add(shift.on)
    for since, to in shift_minutes(shift).worked:
        start = since
        while start < to:
            on = london.local(start).date()
            end = min(to, london.midnight(on + _DAY))
            terms = book.terms(on)
            work.add(on, end - start)
            _tally_named(
                terms, on, terms.card.rate(shift.rate_code or terms.card.standard_code), tally, end - start, _ZERO
            )
            start = end


def _tally_named(terms: _Terms, on: date, rate: NamedRate, tally: _Tally, minutes: int, units: Decimal) -> None:
    element = rate.charged_element
    kind = LineKind.ALLOWANCE if element is Element.ALLOWANCE and not minutes else LineKind.TIME
    if kind is LineKind.ALLOWANCE:
        basic = _ZERO
    elif element is Element.BASIC or rate.unit is not terms.standard.unit:
        basic = _pay_rate(rate)
    else:
        basic = _pay_rate(terms.standard)
    tally.rate(terms.card, on, kind, element, rate, ENTERED_RULE_ID, basic=basic, minutes=minutes, units=units)


def _charge_allowances(book: _Book, tally: _Tally, work: _Work) -> None:
    for on, minutes in sorted(work.hour_minutes.items()):
        for rule in book.terms(on).allowances:
            if rule.per is AllowancePer.HOUR:
                _tally_allowance(book.terms(on), on, rule, tally, minutes, _ZERO)
    for number, on in enumerate(sorted(work.started_on)):
        for rule in book.terms(on).allowances:
            if rule.per is AllowancePer.DAY or (rule.per is AllowancePer.TIMESHEET and number == 0):
                _tally_allowance(book.terms(on), on, rule, tally, 0, Decimal(1))


def _tally_allowance(terms: _Terms, on: date, rule: Allowance, tally: _Tally, minutes: int, units: Decimal) -> None:
    rate = terms.card.rate(rule.rate_code)
    tally.rate(
        terms.card,
        on,
        LineKind.ALLOWANCE,
        Element.ALLOWANCE,
        rate,
        rule.rule_id,
        basic=_ZERO,
        minutes=minutes,
        units=units,
    )


def _pay_rate(rate: NamedRate) -> Decimal:
    return rate.pay_rate if rate.applies.payable else _ZERO
