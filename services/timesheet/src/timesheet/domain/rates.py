"""Rate cards: named pay and charge rates with the rules that choose between them, and the dates they are in force.

Rates are pounds with four decimals, charged per hour, day or item. Margin can be worked from either side; each result is
rounded half up to four decimals once (`paybill_common.money.as_rate`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from uuid import UUID

from paybill_common.money import as_rate
from timesheet.domain.fields import SLUG, FieldRefused, Fields, decimal_problem
from timesheet.domain.rules import (
    ALLOWANCE_UNITS,
    NO_RULES,
    Allowance,
    MinimumCallOut,
    NightWindow,
    Premium,
    RuleSet,
    rules_from_dict,
)
from timesheet.domain.vocabulary import Applies, Element, RateUnit

RATE_MAX = Decimal("999999.9999")
NAMED_RATES_MAX = 100
_ZERO = Decimal(0)


class RateCardInvalid(FieldRefused):
    """A rate card that cannot be used."""

    code = "rate_card_invalid"


class MarginInvalid(ValueError):
    """A markup or margin that gives no rate."""

    code = "margin_invalid"


class RateCardGap(LookupError):
    """No rate card is in force on a day. `missing_from` and `missing_to` (exclusive) are None where the gap is open."""

    code = "rate_card_gap"

    def __init__(self, on: date, missing_from: date | None, missing_to: date | None) -> None:
        self.on = on
        self.missing_from = missing_from
        self.missing_to = missing_to
        since = f"from {missing_from}" if missing_from else "from the beginning"
        until = f"until {missing_to} (exclusive)" if missing_to else "with no end"
        super().__init__(
            f"no rate card is in force on {on}: the gap runs {since} {until}; add a version for these dates"
        )


class RateCardsOverlap(ValueError):
    """Two versions of a rate card are in force on the same day."""

    code = "rate_cards_overlap"

    def __init__(self, first: RateCard, second: RateCard) -> None:
        self.first = first
        self.second = second
        super().__init__(
            f"rate card versions {first.version} ({_period(first)}) and {second.version} ({_period(second)}) "
            "are in force on the same days; end one before the other starts"
        )


@dataclass(frozen=True, slots=True)
class NamedRate:
    """One named rate. A side that `applies` leaves out is charged nothing, whatever its rate says.

    `element` says what time entered straight at this rate is for; by default basic, or an allowance for items.
    """

    code: str
    label: str
    unit: RateUnit
    pay_rate: Decimal
    charge_rate: Decimal
    applies: Applies = Applies.BOTH
    element: Element | None = None

    def __post_init__(self) -> None:
        if not SLUG.fullmatch(self.code):
            raise RateCardInvalid("/code", f"{self.code!r} is not a code", "1 to 40 of a-z, 0-9, _ and -")
        for name, rate in (("pay_rate", self.pay_rate), ("charge_rate", self.charge_rate)):
            fact = decimal_problem(rate, places=4, low=_ZERO, high=RATE_MAX)
            if fact:
                raise RateCardInvalid(f"/{name}", f"{name} {fact}")

    @property
    def charged_element(self) -> Element:
        if self.element is not None:
            return self.element
        return Element.ALLOWANCE if self.unit is RateUnit.EACH else Element.BASIC

    def to_dict(self) -> dict[str, object]:
        return {
            "code": self.code,
            "label": self.label,
            "unit": self.unit.value,
            "pay_rate": str(as_rate(self.pay_rate)),
            "charge_rate": str(as_rate(self.charge_rate)),
            "applies": self.applies.value,
            "element": self.charged_element.value,
        }


@dataclass(frozen=True, slots=True)
class RateCard:
    """One version of a rate card, in force from `effective_from` up to but not including `effective_to`.

    `standard_code` is the rate that time gets when no rule claims it, and the one that multipliers multiply.
    `minutes_per_day` turns days into minutes for control totals; it divides by four as days come in quarters.
    """

    id: UUID
    version: int
    effective_from: date
    effective_to: date | None
    rates: tuple[NamedRate, ...]
    rules: RuleSet = NO_RULES
    standard_code: str = "standard"
    minutes_per_day: int = 480

    def __post_init__(self) -> None:
        if self.effective_to is not None and self.effective_to <= self.effective_from:
            raise RateCardInvalid(
                "/effective_to",
                f"effective_to {self.effective_to} is not after effective_from {self.effective_from}",
                "it is the first day on which the card is no longer in force",
            )
        if self.minutes_per_day % 4 or not 4 <= self.minutes_per_day <= 1440:
            raise RateCardInvalid(
                "/minutes_per_day", f"minutes_per_day is {self.minutes_per_day}", "from 4 to 1440, in steps of 4"
            )
        _check_codes(self)

    def rate(self, code: str) -> NamedRate:
        """The rate of this code. Raises RateCardInvalid naming the codes that exist."""
        for rate in self.rates:
            if rate.code == code:
                return rate
        known = ", ".join(rate.code for rate in self.rates)
        raise RateCardInvalid("/rate_code", f"rate card v{self.version} has no rate {code!r}", f"it has: {known}")

    def has_rate(self, code: str) -> bool:
        return any(rate.code == code for rate in self.rates)

    @property
    def standard(self) -> NamedRate:
        return self.rate(self.standard_code)

    def in_force(self, on: date) -> bool:
        return self.effective_from <= on and (self.effective_to is None or on < self.effective_to)

    def premium_rate(self, premium: Premium) -> NamedRate:
        """The rate a premium gives: the named one, or the standard one multiplied and rounded to four decimals."""
        if premium.rate_code is not None:
            return self.rate(premium.rate_code)
        if premium.pay_multiplier is None or premium.charge_multiplier is None:
            raise RateCardInvalid("/rules", "a premium has neither a rate code nor both multipliers")
        standard = self.standard
        return replace(
            standard,
            pay_rate=as_rate(standard.pay_rate * premium.pay_multiplier),
            charge_rate=as_rate(standard.charge_rate * premium.charge_multiplier),
        )

    def to_dict(self) -> dict[str, object]:
        """The JSON document that `rate_card_from_dict` reads."""
        return {
            "id": str(self.id),
            "version": self.version,
            "effective_from": self.effective_from.isoformat(),
            "effective_to": self.effective_to.isoformat() if self.effective_to else None,
            "standard_code": self.standard_code,
            "minutes_per_day": self.minutes_per_day,
            "rates": [rate.to_dict() for rate in self.rates],
            "rules": self.rules.to_dict(),
        }


def rate_card_from_dict(data: object, *, pointer: str = "") -> RateCard:
    """Read a whole card. Raises RateCardInvalid or RuleInvalid with the pointer of the field that is wrong."""
    fields = Fields(data, pointer, RateCardInvalid)
    fields.ignore("effective_to", "standard_code", "minutes_per_day", "rules")
    try:
        card_id = UUID(fields.text("id"))
    except ValueError as error:
        if isinstance(error, FieldRefused):
            raise
        raise fields.refuse("id", "id is not a UUID") from None
    rates = tuple(named_rate_from_dict(item, pointer=at) for at, item in fields.items("rates", count_max=100))
    raw_rules = data.get("rules") if isinstance(data, dict) else None
    rules = rules_from_dict(raw_rules, pointer=fields.pointer("rules")) if raw_rules is not None else NO_RULES
    version = fields.integer("version", low=1, high=1_000_000)
    effective_from = fields.day("effective_from")
    effective_to = fields.day("effective_to") if fields.has("effective_to") else None
    standard = fields.slug("standard_code") if fields.has("standard_code") else "standard"
    per_day = fields.integer("minutes_per_day", low=4, high=1440) if fields.has("minutes_per_day") else 480
    fields.done()
    try:
        return RateCard(card_id, version, effective_from, effective_to, rates, rules, standard, per_day)
    except RateCardInvalid as invalid:
        raise RateCardInvalid(pointer + invalid.pointer, invalid.fact, invalid.hint) from None


def named_rate_from_dict(data: object, *, pointer: str = "") -> NamedRate:
    """Read one named rate; rates are decimals in quotes with at most four places."""
    fields = Fields(data, pointer, RateCardInvalid)
    fields.ignore("applies", "element", "label")
    code = fields.slug("code")
    rate = NamedRate(
        code=code,
        label=fields.text("label", length_max=80) if fields.has("label") else code,
        unit=fields.choice("unit", RateUnit),
        pay_rate=fields.decimal("pay_rate", places=4, low=_ZERO, high=RATE_MAX),
        charge_rate=fields.decimal("charge_rate", places=4, low=_ZERO, high=RATE_MAX),
        applies=fields.choice("applies", Applies) if fields.has("applies") else Applies.BOTH,
        element=fields.choice("element", Element) if fields.has("element") else None,
    )
    fields.done()
    return rate


def card_for(cards: Sequence[RateCard], on: date) -> RateCard:
    """The one version in force on a day. Raises RateCardGap, or RateCardsOverlap when two are."""
    found = [card for card in cards if card.in_force(on)]
    if len(found) > 1:
        raise RateCardsOverlap(found[0], found[1])
    if found:
        return found[0]
    ended = [card.effective_to for card in cards if card.effective_to is not None and card.effective_to <= on]
    later = [card.effective_from for card in cards if card.effective_from > on]
    raise RateCardGap(on, max(ended, default=None), min(later, default=None))


def check_no_overlap(cards: Sequence[RateCard]) -> tuple[RateCard, ...]:
    """The versions in date order. Raises RateCardsOverlap."""
    ordered = tuple(sorted(cards, key=lambda card: (card.effective_from, card.version)))
    for first, second in pairwise(ordered):
        if first.effective_to is None or second.effective_from < first.effective_to:
            raise RateCardsOverlap(first, second)
    return ordered


def with_new_version(cards: Sequence[RateCard], new: RateCard) -> tuple[RateCard, ...]:
    """A history in which `new` takes over: the version in force when it starts ends that day. A mid-week rate change.

    Raises RateCardsOverlap when a later version already stands on the new one's dates.
    """
    history = [
        replace(card, effective_to=new.effective_from)
        if card.effective_from < new.effective_from and card.in_force(new.effective_from)
        else card
        for card in cards
    ]
    return check_no_overlap([*history, new])


def charge_from_markup(pay_rate: Decimal, markup_pct: Decimal) -> Decimal:
    """Charge rate = pay x (1 + markup / 100): markup is a share of pay."""
    return _exact_rate(Fraction(pay_rate) * _share(100 + markup_pct, "markup_pct", markup_pct))


def charge_from_margin(pay_rate: Decimal, margin_pct: Decimal) -> Decimal:
    """Charge rate = pay / (1 - margin / 100): margin is a share of the charge."""
    if margin_pct >= 100:
        raise MarginInvalid(f"margin_pct is {margin_pct}; the margin on a charge is below 100")
    return _exact_rate(Fraction(Fraction(pay_rate), _share(100 - margin_pct, "margin_pct", margin_pct)))


def pay_from_charge_and_markup(charge_rate: Decimal, markup_pct: Decimal) -> Decimal:
    """Pay rate = charge / (1 + markup / 100)."""
    if markup_pct <= -100:
        raise MarginInvalid(f"markup_pct is {markup_pct}; it must be above -100")
    return _exact_rate(Fraction(Fraction(charge_rate), _share(100 + markup_pct, "markup_pct", markup_pct)))


def pay_from_charge_and_margin(charge_rate: Decimal, margin_pct: Decimal) -> Decimal:
    """Pay rate = charge x (1 - margin / 100)."""
    return _exact_rate(Fraction(charge_rate) * _share(100 - margin_pct, "margin_pct", margin_pct))


def markup_pct_of(pay_rate: Decimal, charge_rate: Decimal) -> Decimal | None:
    """(charge - pay) as a percentage of pay, four decimals; None when pay is nil."""
    return _signed_percentage(charge_rate - pay_rate, pay_rate)


def margin_pct_of(pay_rate: Decimal, charge_rate: Decimal) -> Decimal | None:
    """(charge - pay) as a percentage of the charge, four decimals; None when the charge is nil."""
    return _signed_percentage(charge_rate - pay_rate, charge_rate)


def _signed_percentage(part: Decimal, whole: Decimal) -> Decimal | None:
    if whole == 0:
        return None
    size = _rounded(Fraction(abs(Fraction(part)) * 100, Fraction(whole)))
    return size if part >= 0 else -size


def _share(hundredths: Decimal, name: str, given: Decimal) -> Fraction:
    if not given.is_finite() or hundredths < 0:
        raise MarginInvalid(f"{name} is {given}, which gives no rate of zero or more")
    return Fraction(hundredths) * Fraction(1, 100)


def _exact_rate(exact: Fraction) -> Decimal:
    rate = _rounded(exact)
    if not 0 <= rate <= RATE_MAX:
        raise MarginInvalid(f"the rate would be {rate}; it must be from 0 to {RATE_MAX}")
    return rate


def _rounded(exact: Fraction) -> Decimal:
    """A number of zero or more, rounded half up to four decimals by whole-number arithmetic."""
    scaled = exact * 10_000
    return Decimal((2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)).scaleb(-4)


def _period(card: RateCard) -> str:
    return f"{card.effective_from} to {card.effective_to or 'open'}"


def _check_codes(card: RateCard) -> None:
    codes = [rate.code for rate in card.rates]
    if not codes or len(codes) > NAMED_RATES_MAX:
        raise RateCardInvalid("/rates", f"a rate card has {len(codes)} rates", f"from 1 to {NAMED_RATES_MAX}")
    for index, code in enumerate(codes):
        if code in codes[:index]:
            raise RateCardInvalid(f"/rates/{index}/code", f"rate code {code!r} is used twice")
    if card.standard_code not in codes:
        raise RateCardInvalid(
            "/standard_code", f"there is no rate {card.standard_code!r}", "one of " + ", ".join(codes)
        )
    if card.standard.unit is RateUnit.EACH:
        raise RateCardInvalid("/standard_code", "the standard rate is per item", "it is per hour or per day")
    for index, rule in enumerate(card.rules.rules):
        pointer = f"/rules/rules/{index}"
        match rule:
            case Allowance(rate_code=code, per=per):
                _check_code(card, code, ALLOWANCE_UNITS[per], pointer)
            case MinimumCallOut(rate_code=top_up_code):
                if card.standard.unit is not RateUnit.HOUR:
                    raise RateCardInvalid(pointer, "a minimum call-out needs a standard rate per hour")
                if top_up_code is not None:
                    _check_code(card, top_up_code, (RateUnit.HOUR,), pointer)
            case _:
                hourly = isinstance(rule, NightWindow) or rule.kind.element is Element.OVERTIME
                if hourly and card.standard.unit is not RateUnit.HOUR:
                    raise RateCardInvalid(pointer, f"rule {rule.rule_id!r} needs a standard rate per hour")
                if rule.premium.rate_code is not None:
                    _check_code(card, rule.premium.rate_code, (card.standard.unit,), pointer)


def _check_code(card: RateCard, code: str, units: tuple[RateUnit, ...], pointer: str) -> None:
    if not card.has_rate(code):
        known = ", ".join(rate.code for rate in card.rates)
        raise RateCardInvalid(f"{pointer}/rate_code", f"the card has no rate {code!r}", f"it has: {known}")
    unit = card.rate(code).unit
    if unit not in units:
        raise RateCardInvalid(
            f"{pointer}/rate_code", f"rate {code!r} is per {unit}", "this rule needs one per " + " or ".join(units)
        )
