"""Money: `Decimal` pounds at the edges, integer pence inside. Never a float."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

_PENNY = Decimal("0.01")
_RATE = Decimal("0.0001")


class NotMoney(ValueError):
    """A value that is not an amount of pounds and pence."""


def to_pence(amount_gbp: Decimal) -> int:
    """Pounds to integer pence. Raises NotMoney for a fraction of a penny, NaN or infinity: nothing is rounded here."""
    if not amount_gbp.is_finite():
        raise NotMoney(f"{amount_gbp} is not an amount of money")
    scaled = amount_gbp.scaleb(2)
    pence = int(scaled)
    if pence != scaled:
        raise NotMoney(f"{amount_gbp} has a fraction of a penny; round it by a named rule first")
    return pence


def from_pence(pence: int) -> Decimal:
    """Integer pence to pounds with two decimals."""
    return Decimal(pence).scaleb(-2)


def half_up_pence(exact_pence: Fraction) -> int:
    """Round an exact number of pence half away from zero: the contractual rule for a charge line's amount."""
    return _half_up(exact_pence.numerator, exact_pence.denominator)


def _half_up(numerator: int, denominator: int) -> int:
    rounded = (2 * abs(numerator) + denominator) // (2 * denominator)
    return rounded if numerator >= 0 else -rounded


def half_up_gbp(amount_gbp: Decimal) -> Decimal:
    """Round pounds half away from zero to the penny."""
    return amount_gbp.quantize(_PENNY, rounding=ROUND_HALF_UP)


def as_rate(value: Decimal) -> Decimal:
    """A rate with exactly four decimals; half up."""
    return value.quantize(_RATE, rounding=ROUND_HALF_UP)


def line_pence(rate_gbp: Decimal, *, minutes: int | None = None, units: Decimal | None = None) -> int:
    """The amount of one line in pence: minutes x rate / 60, or units x rate, rounded half up once."""
    rate, parts = rate_gbp.as_integer_ratio()
    if minutes is not None:
        return _half_up(100 * rate * minutes, 60 * parts)
    if units is not None:
        count, of = units.as_integer_ratio()
        return _half_up(100 * rate * count, parts * of)
    raise NotMoney("a line needs minutes or units")
