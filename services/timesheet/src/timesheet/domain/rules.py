"""Premium rules are data on the rate card: JSON in, frozen dataclasses inside, each with the `rule_id` it is charged under.

A rules document:

    {"choose": "priority",
     "priority": ["bank_holiday", "sunday", "saturday", "night", "weekly_overtime", "daily_overtime"],
     "rules": [{"type": "daily_overtime", "rule_id": "ot-daily", "after_minutes": 480, "pay_multiplier": "1.5"},
               {"type": "night", "rule_id": "night", "start": "20:00", "end": "06:00", "rate_code": "nights"}]}

A premium is either `rate_code`, a named rate of the same card, or `pay_multiplier` of the standard rate with an optional
`charge_multiplier` (the same when absent). A multiplied rate is rounded half up to four decimals, once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from decimal import Decimal
from enum import StrEnum

from timesheet.domain.fields import FieldRefused, Fields
from timesheet.domain.vocabulary import RESERVED_RULE_IDS, Element, RateUnit

RULES_MAX = 40
_MULTIPLIER_MAX = Decimal(10)
_WEEK_MINUTES = 7 * 24 * 60


class RuleInvalid(FieldRefused):
    """A rule of a rate card that cannot be applied."""

    code = "rule_invalid"


class PremiumKind(StrEnum):
    """What can claim a minute instead of the standard rate."""

    BANK_HOLIDAY = "bank_holiday"
    SUNDAY = "sunday"
    SATURDAY = "saturday"
    NIGHT = "night"
    WEEKLY_OVERTIME = "weekly_overtime"
    DAILY_OVERTIME = "daily_overtime"

    @property
    def element(self) -> Element:
        return _ELEMENTS[self]


_ELEMENTS = {
    PremiumKind.BANK_HOLIDAY: Element.BANK_HOLIDAY,
    PremiumKind.SUNDAY: Element.WEEKEND,
    PremiumKind.SATURDAY: Element.WEEKEND,
    PremiumKind.NIGHT: Element.NIGHT,
    PremiumKind.WEEKLY_OVERTIME: Element.OVERTIME,
    PremiumKind.DAILY_OVERTIME: Element.OVERTIME,
}

DEFAULT_PRIORITY: tuple[PremiumKind, ...] = tuple(PremiumKind)
"""First match wins: bank holiday, Sunday, Saturday, night, weekly overtime, daily overtime, else standard."""


class Choose(StrEnum):
    """How one minute that several rules claim gets its one rate."""

    PRIORITY = "priority"
    BEST_FOR_WORKER = "best_for_worker"


class Division(StrEnum):
    """GOV.UK's three bank-holiday divisions."""

    ENGLAND_AND_WALES = "england-and-wales"
    SCOTLAND = "scotland"
    NORTHERN_IRELAND = "northern-ireland"


class OvertimeDay(StrEnum):
    """What "a day" is for daily overtime: the whole shift counts to the day it started, or each calendar day alone."""

    WORKING_DAY = "working_day"
    CALENDAR_DAY = "calendar_day"


class Counts(StrEnum):
    """Which minutes move an overtime threshold.

    `outside_premiums` leaves out minutes that a bank-holiday, weekend or night rule claims and, for weekly overtime,
    minutes that are already daily overtime.
    """

    ALL = "all"
    OUTSIDE_PREMIUMS = "outside_premiums"


class AllowancePer(StrEnum):
    HOUR = "hour"
    DAY = "day"
    TIMESHEET = "timesheet"


ALLOWANCE_UNITS: dict[AllowancePer, tuple[RateUnit, ...]] = {
    AllowancePer.HOUR: (RateUnit.HOUR,),
    AllowancePer.DAY: (RateUnit.EACH, RateUnit.DAY),
    AllowancePer.TIMESHEET: (RateUnit.EACH,),
}


@dataclass(frozen=True, slots=True)
class Premium:
    """Either a named rate of the card, or multipliers of the standard rate; never both."""

    rate_code: str | None = None
    pay_multiplier: Decimal | None = None
    charge_multiplier: Decimal | None = None

    def to_dict(self) -> dict[str, object]:
        if self.rate_code is not None:
            return {"rate_code": self.rate_code}
        return {"pay_multiplier": str(self.pay_multiplier), "charge_multiplier": str(self.charge_multiplier)}


def multiplied(pay: str, charge: str | None = None) -> Premium:
    """A premium of `pay` times the standard pay rate and `charge` (or the same) times the standard charge rate."""
    return Premium(pay_multiplier=Decimal(pay), charge_multiplier=Decimal(charge if charge is not None else pay))


def at_rate(rate_code: str) -> Premium:
    """A premium at a named rate of the card."""
    return Premium(rate_code=rate_code)


@dataclass(frozen=True, slots=True)
class DailyOvertime:
    """Minutes past `after_minutes` in a day. Several tiers may stand on one card; the highest reached one counts."""

    rule_id: str
    after_minutes: int
    premium: Premium
    day: OvertimeDay = OvertimeDay.WORKING_DAY
    counts: Counts = Counts.ALL

    @property
    def kind(self) -> PremiumKind:
        return PremiumKind.DAILY_OVERTIME


@dataclass(frozen=True, slots=True)
class WeeklyOvertime:
    """Minutes past `after_minutes` in the timesheet's week, counted in the order they were worked."""

    rule_id: str
    after_minutes: int
    premium: Premium
    counts: Counts = Counts.ALL

    @property
    def kind(self) -> PremiumKind:
        return PremiumKind.WEEKLY_OVERTIME


@dataclass(frozen=True, slots=True)
class DayOfWeekPremium:
    """Minutes of a calendar Saturday or Sunday. `day` is 'saturday' or 'sunday'."""

    rule_id: str
    day: PremiumKind
    premium: Premium

    @property
    def kind(self) -> PremiumKind:
        return self.day


@dataclass(frozen=True, slots=True)
class BankHolidayPremium:
    """Minutes of a calendar day that GOV.UK lists as a bank holiday of the division (substitute days as published)."""

    rule_id: str
    division: Division
    premium: Premium

    @property
    def kind(self) -> PremiumKind:
        return PremiumKind.BANK_HOLIDAY


@dataclass(frozen=True, slots=True)
class NightWindow:
    """Minutes whose London wall-clock time is in [start, end); the window may pass midnight."""

    rule_id: str
    start: time
    end: time
    premium: Premium

    @property
    def kind(self) -> PremiumKind:
        return PremiumKind.NIGHT

    def covers(self, clock: time) -> bool:
        if self.start < self.end:
            return self.start <= clock < self.end
        return clock >= self.start or clock < self.end


@dataclass(frozen=True, slots=True)
class MinimumCallOut:
    """A turn-out shorter than `minutes` is topped up to it at the standard rate (or a named one), as a line of its own."""

    rule_id: str
    minutes: int
    rate_code: str | None = None


@dataclass(frozen=True, slots=True)
class Allowance:
    """A named rate added for each worked hour, each day on which a turn-out starts, or once a timesheet with work."""

    rule_id: str
    per: AllowancePer
    rate_code: str


PremiumRule = DailyOvertime | WeeklyOvertime | DayOfWeekPremium | BankHolidayPremium | NightWindow
Rule = PremiumRule | MinimumCallOut | Allowance


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All rules of one rate card, checked against each other; the card checks the rate codes they name."""

    rules: tuple[Rule, ...] = ()
    priority: tuple[PremiumKind, ...] = DEFAULT_PRIORITY
    choose: Choose = Choose.PRIORITY

    def __post_init__(self) -> None:
        _check_ids(self.rules)
        _check_priority(self.rules, self.priority)
        _check_rivals(self.rules)

    def to_dict(self) -> dict[str, object]:
        """The JSON document that `rules_from_dict` reads."""
        return {
            "choose": self.choose.value,
            "priority": [kind.value for kind in self.priority],
            "rules": [_rule_to_dict(rule) for rule in self.rules],
        }


def rules_from_dict(data: object, *, pointer: str = "/rules") -> RuleSet:
    """Read a rules document. Raises RuleInvalid with the pointer of the first field that is wrong."""
    fields = Fields(data, pointer, RuleInvalid)
    rules = tuple(_rule_from_dict(item, at) for at, item in fields.items("rules", count_max=RULES_MAX))
    choose = fields.choice("choose", Choose) if fields.has("choose") else Choose.PRIORITY
    priority = DEFAULT_PRIORITY
    if fields.has("priority"):
        priority = tuple(_premium_kind(item, at) for at, item in fields.items("priority", count_max=20))
    fields.ignore("choose", "priority")
    fields.done()
    try:
        return RuleSet(rules, priority, choose)
    except RuleInvalid as invalid:
        raise RuleInvalid(pointer + invalid.pointer, invalid.fact, invalid.hint) from None


def _premium_kind(item: object, pointer: str) -> PremiumKind:
    try:
        return PremiumKind(str(item))
    except ValueError:
        raise RuleInvalid(pointer, f"{item!r} is not a kind of premium", "one of " + ", ".join(PremiumKind)) from None


class RuleType(StrEnum):
    DAILY_OVERTIME = "daily_overtime"
    WEEKLY_OVERTIME = "weekly_overtime"
    DAY_OF_WEEK = "day_of_week"
    BANK_HOLIDAY = "bank_holiday"
    NIGHT = "night"
    MINIMUM_CALL_OUT = "minimum_call_out"
    ALLOWANCE = "allowance"


class _WeekendDay(StrEnum):
    SATURDAY = "saturday"
    SUNDAY = "sunday"


def _rule_from_dict(data: object, pointer: str) -> Rule:
    fields = Fields(data, pointer, RuleInvalid)
    rule = _READERS[fields.choice("type", RuleType)](fields)
    fields.done()
    return rule


def _premium(fields: Fields) -> Premium:
    fields.ignore("rate_code", "pay_multiplier", "charge_multiplier")
    if fields.has("rate_code"):
        for name in ("pay_multiplier", "charge_multiplier"):
            if fields.has(name):
                raise fields.refuse(name, f"{name} stands beside rate_code", "give a named rate or a multiplier")
        return Premium(rate_code=fields.slug("rate_code"))
    if not fields.has("pay_multiplier"):
        raise fields.refuse("pay_multiplier", "the premium is missing", "give rate_code or pay_multiplier")
    pay = fields.decimal("pay_multiplier", places=4, low=Decimal(0), high=_MULTIPLIER_MAX)
    if not fields.has("charge_multiplier"):
        return Premium(pay_multiplier=pay, charge_multiplier=pay)
    charge = fields.decimal("charge_multiplier", places=4, low=Decimal(0), high=_MULTIPLIER_MAX)
    return Premium(pay_multiplier=pay, charge_multiplier=charge)


def _counts(fields: Fields) -> Counts:
    fields.ignore("counts")
    return fields.choice("counts", Counts) if fields.has("counts") else Counts.ALL


def _read_daily(fields: Fields) -> Rule:
    fields.ignore("day")
    return DailyOvertime(
        fields.slug("rule_id"),
        fields.integer("after_minutes", low=0, high=24 * 60),
        _premium(fields),
        fields.choice("day", OvertimeDay) if fields.has("day") else OvertimeDay.WORKING_DAY,
        _counts(fields),
    )


def _read_weekly(fields: Fields) -> Rule:
    minutes = fields.integer("after_minutes", low=0, high=_WEEK_MINUTES)
    return WeeklyOvertime(fields.slug("rule_id"), minutes, _premium(fields), _counts(fields))


def _read_day_of_week(fields: Fields) -> Rule:
    day = PremiumKind(fields.choice("day", _WeekendDay).value)
    return DayOfWeekPremium(fields.slug("rule_id"), day, _premium(fields))


def _read_bank_holiday(fields: Fields) -> Rule:
    return BankHolidayPremium(fields.slug("rule_id"), fields.choice("division", Division), _premium(fields))


def _read_night(fields: Fields) -> Rule:
    start, end = fields.clock("start"), fields.clock("end")
    if start == end:
        raise fields.refuse("end", f"the night window starts and ends at {end:%H:%M}", "a window needs some length")
    return NightWindow(fields.slug("rule_id"), start, end, _premium(fields))


def _read_call_out(fields: Fields) -> Rule:
    fields.ignore("rate_code")
    rate_code = fields.slug("rate_code") if fields.has("rate_code") else None
    return MinimumCallOut(fields.slug("rule_id"), fields.integer("minutes", low=1, high=24 * 60), rate_code)


def _read_allowance(fields: Fields) -> Rule:
    return Allowance(fields.slug("rule_id"), fields.choice("per", AllowancePer), fields.slug("rate_code"))


_READERS = {
    RuleType.DAILY_OVERTIME: _read_daily,
    RuleType.WEEKLY_OVERTIME: _read_weekly,
    RuleType.DAY_OF_WEEK: _read_day_of_week,
    RuleType.BANK_HOLIDAY: _read_bank_holiday,
    RuleType.NIGHT: _read_night,
    RuleType.MINIMUM_CALL_OUT: _read_call_out,
    RuleType.ALLOWANCE: _read_allowance,
}


def _rule_to_dict(rule: Rule) -> dict[str, object]:
    match rule:
        case DailyOvertime(rule_id, after, premium, day, counts):
            body: Mapping[str, object] = {"after_minutes": after, "day": day.value, "counts": counts.value}
            return {"type": "daily_overtime", "rule_id": rule_id, **body, **premium.to_dict()}
        case WeeklyOvertime(rule_id, after, premium, counts):
            body = {"after_minutes": after, "counts": counts.value}
            return {"type": "weekly_overtime", "rule_id": rule_id, **body, **premium.to_dict()}
        case DayOfWeekPremium(rule_id, kind, premium):
            return {"type": "day_of_week", "rule_id": rule_id, "day": kind.value, **premium.to_dict()}
        case BankHolidayPremium(rule_id, division, premium):
            return {"type": "bank_holiday", "rule_id": rule_id, "division": division.value, **premium.to_dict()}
        case NightWindow(rule_id, start, end, premium):
            body = {"start": f"{start:%H:%M}", "end": f"{end:%H:%M}"}
            return {"type": "night", "rule_id": rule_id, **body, **premium.to_dict()}
        case MinimumCallOut(rule_id, minutes, rate_code):
            code = {} if rate_code is None else {"rate_code": rate_code}
            return {"type": "minimum_call_out", "rule_id": rule_id, "minutes": minutes, **code}
        case Allowance(rule_id, per, rate_code):
            return {"type": "allowance", "rule_id": rule_id, "per": per.value, "rate_code": rate_code}


def _check_ids(rules: tuple[Rule, ...]) -> None:
    seen: set[str] = set()
    for index, rule in enumerate(rules):
        pointer = f"/rules/{index}/rule_id"
        if rule.rule_id in RESERVED_RULE_IDS:
            raise RuleInvalid(pointer, f"rule_id {rule.rule_id!r} is reserved", "choose another id")
        if rule.rule_id in seen:
            raise RuleInvalid(pointer, f"rule_id {rule.rule_id!r} is used twice", "each rule needs its own id")
        seen.add(rule.rule_id)


def _check_priority(rules: tuple[Rule, ...], priority: tuple[PremiumKind, ...]) -> None:
    for index, kind in enumerate(priority):
        if kind in priority[:index]:
            raise RuleInvalid(f"/priority/{index}", f"{kind} is listed twice")
    for index, rule in enumerate(rules):
        if not isinstance(rule, (MinimumCallOut, Allowance)) and rule.kind not in priority:
            raise RuleInvalid(f"/rules/{index}", f"the priority list does not name {rule.kind}", "add it to priority")


def _check_rivals(rules: tuple[Rule, ...]) -> None:
    """Two rules that could claim the same minute with the same right would make the rate a matter of luck."""
    seen: dict[object, str] = {}
    for index, rule in enumerate(rules):
        match rule:
            case DailyOvertime() | WeeklyOvertime():
                claim: object = (rule.kind, rule.after_minutes)
            case MinimumCallOut():
                claim = MinimumCallOut
            case Allowance():
                claim = (rule.per, rule.rate_code)
            case _:
                claim = rule.kind
        if claim in seen:
            raise RuleInvalid(f"/rules/{index}", f"rule {rule.rule_id!r} claims the same time as {seen[claim]!r}")
        seen[claim] = rule.rule_id


NO_RULES = RuleSet()
