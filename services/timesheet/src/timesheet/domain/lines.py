"""Charge lines: what one approved week is worth, each line at one rate under one rule."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from timesheet.domain.vocabulary import Element, LineKind, RateUnit


@dataclass(frozen=True, slots=True)
class ChargeLine:
    """One rate of the week. Rates are pounds with four decimals; amounts are whole pence, rounded half up once.

    Hour lines carry `minutes` and amount to minutes x rate / 60. Day and item lines carry `units` and amount to
    units x rate; a day line also carries the minutes its days stand for. `basic_pay_rate` is the rate without the
    premium, for the minimum wage test. `days` says which day gave how many of the minutes.
    """

    ordinal: int
    kind: LineKind
    element: Element
    rate_code: str
    rate_unit: RateUnit
    minutes: int
    units: Decimal | None
    pay_rate: Decimal
    basic_pay_rate: Decimal
    charge_rate: Decimal
    pay_pence: int
    charge_pence: int
    payable: bool
    billable: bool
    rate_card_id: UUID
    rate_card_version: int
    rule_id: str
    days: tuple[tuple[date, int], ...]


@dataclass(frozen=True, slots=True)
class Interpretation:
    """One week, charged. `payable_minutes` and `billable_minutes` sum every line of that side, call-outs included;
    `worked_minutes` sums `time` lines alone.
    """

    week_ending: date
    lines: tuple[ChargeLine, ...]

    @property
    def worked_minutes(self) -> int:
        return sum(line.minutes for line in self.lines if line.kind is LineKind.TIME)

    @property
    def payable_minutes(self) -> int:
        return sum(line.minutes for line in self.lines if line.payable)

    @property
    def billable_minutes(self) -> int:
        return sum(line.minutes for line in self.lines if line.billable)

    @property
    def payable_units(self) -> Decimal:
        return _units(line for line in self.lines if line.payable)

    @property
    def billable_units(self) -> Decimal:
        return _units(line for line in self.lines if line.billable)

    @property
    def pay_pence(self) -> int:
        return sum(line.pay_pence for line in self.lines)

    @property
    def charge_pence(self) -> int:
        return sum(line.charge_pence for line in self.lines)

    def minutes_of(self, element: Element) -> int:
        """Worked minutes of one element."""
        return sum(line.minutes for line in self.lines if line.kind is LineKind.TIME and line.element is element)


@dataclass(frozen=True, slots=True)
class Difference:
    """What an amendment adds (or takes off, when negative) against the version before."""

    worked_minutes: int
    payable_minutes: int
    billable_minutes: int
    pay_pence: int
    charge_pence: int
    reversed_lines: tuple[ChargeLine, ...]
    new_lines: tuple[ChargeLine, ...]


def difference(before: Interpretation, after: Interpretation) -> Difference:
    """Lines of `before` to reverse, lines of `after` to charge, and the net. A line in both (ordinal aside) is in neither."""
    old = {_identity(line): line for line in before.lines}
    new = {_identity(line): line for line in after.lines}
    return Difference(
        worked_minutes=after.worked_minutes - before.worked_minutes,
        payable_minutes=after.payable_minutes - before.payable_minutes,
        billable_minutes=after.billable_minutes - before.billable_minutes,
        pay_pence=after.pay_pence - before.pay_pence,
        charge_pence=after.charge_pence - before.charge_pence,
        reversed_lines=tuple(line for key, line in old.items() if key not in new),
        new_lines=tuple(line for key, line in new.items() if key not in old),
    )


def _identity(line: ChargeLine) -> tuple[object, ...]:
    return tuple(getattr(line, name) for name in ChargeLine.__slots__ if name != "ordinal")


def _units(lines: Iterable[ChargeLine]) -> Decimal:
    return sum((line.units for line in lines if line.units is not None), Decimal(0))
