"""A charge line in words, for the person who asks why: what it is first, then the sum, then where it comes from."""

from __future__ import annotations

from decimal import Decimal

from paybill_common.money import as_rate, from_pence
from timesheet.domain.lines import ChargeLine
from timesheet.domain.rates import RateCard
from timesheet.domain.rules import (
    Allowance,
    BankHolidayPremium,
    DailyOvertime,
    DayOfWeekPremium,
    Division,
    MinimumCallOut,
    NightWindow,
    Premium,
    Rule,
    WeeklyOvertime,
)
from timesheet.domain.vocabulary import ENTERED_RULE_ID, EXPENSE_RULE_ID, STANDARD_RULE_ID, Element, RateUnit

_DIVISIONS = {
    Division.ENGLAND_AND_WALES: "England and Wales",
    Division.SCOTLAND: "Scotland",
    Division.NORTHERN_IRELAND: "Northern Ireland",
}
_ELEMENTS = {
    Element.BASIC: "Basic time",
    Element.OVERTIME: "Overtime",
    Element.WEEKEND: "Weekend",
    Element.BANK_HOLIDAY: "Bank holiday",
    Element.NIGHT: "Night",
    Element.CALL_OUT: "Minimum call-out",
    Element.ALLOWANCE: "Allowance",
    Element.EXPENSE: "Expense",
}


def explain_line(line: ChargeLine, card: RateCard | None = None) -> str:
    """One sentence a line, for example "Overtime after 8 h a day: paid 8 h × £19.065 (1.5 × £12.71) = £152.52; charged …".

    With the line's rate card the sentence names the rule and its multiplier; without it, only the element and the rates.
    Raises ValueError when the card is another one, or another version, than the line was charged under.
    """
    if card is not None and (card.id, card.version) != (line.rate_card_id, line.rate_card_version):
        raise ValueError(
            f"line {line.ordinal} was charged under rate card {line.rate_card_id} v{line.rate_card_version}, "
            f"not {card.id} v{card.version}"
        )
    rule = _rule_of(line, card)
    sides = []
    if line.payable:
        sides.append(_side("paid", line, line.pay_rate, line.pay_pence, _times(card, rule, charge=False)))
    if line.billable:
        sides.append(_side("charged", line, line.charge_rate, line.charge_pence, _times(card, rule, charge=True)))
    only = "" if len(sides) == 2 else " Not charged to the client." if line.payable else " Not paid to the worker."
    return f"{_what(line, card, rule)}: {'; '.join(sides)}. Rate card v{line.rate_card_version}, {_why(line)}.{only}"


def describe_rule(rule: Rule) -> str:
    """What a rule is about, without its rate: "overtime after 8 h a day"."""
    match rule:
        case DailyOvertime(after_minutes=minutes):
            return f"overtime after {hours_text(minutes)} a day"
        case WeeklyOvertime(after_minutes=minutes):
            return f"overtime after {hours_text(minutes)} a week"
        case DayOfWeekPremium(day=day):
            return day.value.capitalize()
        case BankHolidayPremium(division=division):
            return f"bank holiday in {_DIVISIONS[division]}"
        case NightWindow(start=start, end=end):
            return f"night from {start:%H:%M} to {end:%H:%M}"
        case MinimumCallOut(minutes=minutes):
            return f"top-up to the minimum call-out of {hours_text(minutes)}"
        case Allowance(per=per, rate_code=code):
            return f"allowance {code} per {per}"


def hours_text(minutes: int) -> str:
    """ "8 h", "7 h 30 min", "45 min"."""
    whole, rest = divmod(minutes, 60)
    if not whole and rest:
        return f"{rest} min"
    return f"{whole} h {rest} min" if rest else f"{whole} h"


def _what(line: ChargeLine, card: RateCard | None, rule: Rule | None) -> str:
    if rule is not None:
        words = describe_rule(rule)
        return words[0].upper() + words[1:]
    if card is not None and line.rule_id == ENTERED_RULE_ID and card.has_rate(line.rate_code):
        return card.rate(line.rate_code).label
    if line.rule_id == EXPENSE_RULE_ID:
        return f"Expense {line.rate_code}"
    return _ELEMENTS[line.element]


def _why(line: ChargeLine) -> str:
    if line.rule_id == STANDARD_RULE_ID:
        return f"standard rate {line.rate_code!r}"
    if line.rule_id == ENTERED_RULE_ID:
        return f"rate {line.rate_code!r} as entered"
    if line.rule_id == EXPENSE_RULE_ID:
        return "as claimed"
    return f"rule {line.rule_id!r}, rate {line.rate_code!r}"


def _side(verb: str, line: ChargeLine, rate: Decimal, pence: int, times: str) -> str:
    return f"{verb} {_quantity(line)} × {_pounds(rate)}{times} = £{from_pence(pence):,.2f}"


def _quantity(line: ChargeLine) -> str:
    if line.rate_unit is RateUnit.HOUR or line.units is None:
        return hours_text(line.minutes)
    number = f"{line.units.normalize():f}"
    if line.rate_unit is RateUnit.DAY:
        return f"{number} day" if line.units == 1 else f"{number} days"
    return number


def _times(card: RateCard | None, rule: Rule | None, *, charge: bool) -> str:
    premium: Premium | None = getattr(rule, "premium", None)
    if card is None or premium is None or premium.rate_code is not None:
        return ""
    multiplier = premium.charge_multiplier if charge else premium.pay_multiplier
    if multiplier is None:
        return ""
    standard = card.standard.charge_rate if charge else card.standard.pay_rate
    return f" ({multiplier.normalize():f} × {_pounds(standard)})"


def _rule_of(line: ChargeLine, card: RateCard | None) -> Rule | None:
    if card is None:
        return None
    return next((rule for rule in card.rules.rules if rule.rule_id == line.rule_id), None)


def _pounds(rate: Decimal) -> str:
    """At least two decimals, at most the four that a rate has."""
    text = f"{as_rate(rate):,.4f}"
    return "£" + (text[:-2] if text.endswith("00") else text.rstrip("0"))
