"""How figures are written for people: money, hours, days, ages. Text only; nothing is rounded that was not rounded before."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

from paybill_common.clock import LONDON

MINUS = "−"
NOTHING = "–"


def money(amount_gbp: Decimal | None) -> str:
    """`1,234.50`; the pound sign stands in the column's header, minus is a sign and not brackets."""
    if amount_gbp is None:
        return NOTHING
    text = f"{abs(amount_gbp):,.2f}"
    return f"{MINUS}{text}" if amount_gbp < 0 else text


def pounds(amount_gbp: Decimal | None) -> str:
    """`£1,234.50`, for sentences."""
    if amount_gbp is None:
        return NOTHING
    return f"{MINUS if amount_gbp < 0 else ''}£{abs(amount_gbp):,.2f}"


def hours(minutes: int | None) -> str:
    """`37:30`; thousands of hours are grouped."""
    if minutes is None:
        return NOTHING
    whole, rest = divmod(abs(minutes), 60)
    return f"{MINUS if minutes < 0 else ''}{whole:,}:{rest:02d}"


def hours_decimal(minutes: int | None) -> str:
    """`37.50 hours`, shown on hover."""
    if minutes is None:
        return ""
    hundredths = (abs(minutes) * 100 + 30) // 60
    return f"{MINUS if minutes < 0 else ''}{hundredths // 100:,}.{hundredths % 100:02d} hours"


def count(number: int | None) -> str:
    return NOTHING if number is None else f"{number:,}"


def percent(part: Decimal | None, whole: Decimal | None) -> str:
    """One decimal, half up; a dash when there is nothing to divide by."""
    if part is None or not whole:
        return NOTHING
    pence, total = int(abs(part) * 100), int(abs(whole) * 100)
    tenths = (pence * 2000 + total) // (2 * total)
    negative = (part < 0) != (whole < 0) and tenths
    return f"{MINUS if negative else ''}{tenths // 10}.{tenths % 10}%"


def day(value: date | None) -> str:
    """`Fri 10 Apr`."""
    return NOTHING if value is None else f"{value:%a} {value.day} {value:%b}"


def full_day(value: date | None) -> str:
    """`Friday 10 April 2026`, shown on hover."""
    return "" if value is None else f"{value:%A} {value.day} {value:%B %Y}"


def dated(value: date | None) -> str:
    """`10 Apr 2026`: a day that may be years away."""
    return NOTHING if value is None else f"{value.day} {value:%b %Y}"


def week(week_ending: date) -> str:
    """`w/e 5 Apr 2026`."""
    return f"w/e {week_ending.day} {week_ending:%b %Y}"


def moment(value: datetime | None) -> str:
    """`Mon 6 Apr 09:15`, London time."""
    if value is None:
        return NOTHING
    local = value.astimezone(LONDON)
    return f"{day(local.date())} {local:%H:%M}"


def full_moment(value: datetime | None) -> str:
    """`Monday 6 April 2026 09:15:07`, London time."""
    if value is None:
        return ""
    local = value.astimezone(LONDON)
    return f"{full_day(local.date())} {local:%H:%M:%S}"


def age(span: timedelta | None) -> str:
    """`3 d 4 h`, `5 h 20 min`, `8 min`, `under 1 min`."""
    if span is None:
        return NOTHING
    minutes = int(span.total_seconds() // 60)
    if minutes < 1:
        return "under 1 min"
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"
    days, rest = divmod(minutes, 24 * 60)
    return f"{days} d {rest // 60} h" if rest >= 60 else f"{days} d"


def rate(value: Decimal | None) -> str:
    """A rate to the penny, or to four decimals when it has them: `12.71`, `19.0650`."""
    if value is None:
        return NOTHING
    exact = value.quantize(Decimal("0.0001"))
    return f"{exact:,.2f}" if exact == exact.quantize(Decimal("0.01")) else f"{exact:,.4f}"
