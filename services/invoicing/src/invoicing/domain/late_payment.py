"""Statutory interest on late commercial payment: 8 % over the reference rate of the half-year."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

_OVER_REFERENCE = Decimal("8.00")
_REFERENCE_RATES = ((date(2026, 1, 1), date(2027, 1, 1), Decimal("3.75")),)
"""Bank Rate on 31 December 2025 (for January to June 2026) and on 30 June 2026 (for July to December): 3.75 % both times.

Late Payment of Commercial Debts (Rate of Interest) (No. 3) Order 2002, art. 4.
"""


def late_payment_percent(on: date) -> Decimal | None:
    """The yearly rate for debts that become late in this half-year, or None where it is not known here."""
    for first_day, until, reference in _REFERENCE_RATES:
        if first_day <= on < until:
            return _OVER_REFERENCE + reference
    return None
