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
    doubled = abs(exact_pence) * 2
    rounded = (doubled.numerator + doubled.denominator) // (2 * doubled.denominator)
    return rounded if exact_pence >= 0 else -rounded


def half_up_gbp(amount_gbp: Decimal) -> Decimal:
    """Round pounds half away from zero to the penny."""
    return amount_gbp.quantize(_PENNY, rounding=ROUND_HALF_UP)


def as_rate(value: Decimal) -> Decimal:
    """A rate with exactly four decimals; half up."""
    return value.quantize(_RATE, rounding=ROUND_HALF_UP)


def line_pence(rate_gbp: Decimal, *, minutes: int | None = None, units: Decimal | None = None) -> int:
    """The amount of one line in pence: minutes x rate / 60, or units x rate, rounded half up once."""
    rate_pence = Fraction(rate_gbp) * 100
    if minutes is not None:
        return half_up_pence(rate_pence * minutes / 60)
    if units is not None:
        return half_up_pence(rate_pence * Fraction(units))
    raise NotMoney("a line needs minutes or units")
