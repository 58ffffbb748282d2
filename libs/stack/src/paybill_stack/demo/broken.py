"""Forty lines of an hours file that cannot be right, each wrong in its own way, made from real placements of the demo."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

from paybill_stack.demo.cast import MONDAY

if TYPE_CHECKING:
    from paybill_stack.demo.generate import Placement

HEADER = ("Placement ref", "Date", "Start", "Finish", "Break", "Hours", "Days", "Rate code")
_TUESDAY = MONDAY + timedelta(days=1)
_LONG_TEXT = "x" * 700


def lines(placements: Sequence[Placement], *, other_agency_reference: str) -> list[list[str]]:
    """The forty lines. `placements` are one agency's; it must have day rates and a placement that starts or ends in the week."""
    often = Counter(placement.worker.reference for placement in placements)

    def by_clock(p: Placement) -> bool:
        alone = often[p.worker.reference] == 1
        return alone and p.card.unit == "hour" and bool(p.shifts[0].start) and _whole_week(p)

    clock = _first(placements, by_clock)
    daily = next((p for p in placements if p.card.unit == "day" and _whole_week(p)), None)
    late = _first(placements, lambda p: p.starts_on > MONDAY)
    ended = _first(placements, lambda p: p.last_on is not None)
    other = _first(placements, lambda p: by_clock(p) and p is not clock)
    free = next(d for d in _week() if all(shift.on != d for shift in clock.shifts))
    on, ref, worked = f"{free:%d/%m/%Y}", clock.reference, clock.shifts[0]
    shift = ("08:00", "16:00", "30 min")
    return [
        _line("NO-SUCH-PLACEMENT", on, *shift),
        _line("", on, *shift),
        _line(other_agency_reference, on, *shift),
        _line(ref, "", *shift),
        _line(ref, "31/04/2026", *shift),
        _line(ref, "04/13/2026", *shift),
        _line(ref, "30/03/26", *shift),
        _line(ref, "46111", *shift),
        _line(ref, "last Tuesday", *shift),
        _line(ref, "30/03/1926", *shift),
        _line(late.reference, f"{MONDAY:%d/%m/%Y}", *shift),
        _line(ended.reference, f"{_TUESDAY + timedelta(days=2):%d/%m/%Y}", *shift),
        _line(ref, on, "", "16:00", "30 min"),
        _line(ref, on, "08:00", "", "30 min"),
        _line(ref, on, "25:00", "16:00", "30 min"),
        _line(ref, on, "8 o'clock", "16:00", "30 min"),
        _line(ref, on, "08:00", "24:30", "30 min"),
        _line(ref, on, "08:00", "08:00", "30 min"),
        _line(ref, on, "08:60", "16:00", "30 min"),
        _line(ref, on, "08:00", "16:00", "-0:30"),
        _line(ref, on, "08:00", "12:00", "5:00"),
        _line(ref, on, "08:00", "16:00", "half an hour"),
        _line(ref, on, hours="25"),
        _line(ref, on, hours="-7.5"),
        _line(ref, on, hours="7:75"),
        _line(ref, on, hours="seven"),
        _line(ref, on, hours="7.5.5"),
        _line(ref, on, hours="1,234.5"),
        _line(ref, on, "08:00", "16:00", "30 min", hours="7.5"),
        _line(ref, on),
        _line(ref, on, days="1"),
        *_of_day_rates(daily, ref, on),
        _line(ref, on, *shift, rate_code="gold"),
        _line(ref, f"{worked.on:%d/%m/%Y}", worked.start, worked.finish, "15 min"),
        _line(ref, on, hours='=HYPERLINK("http://example.com","8")'),
        _line(ref, on, hours="7\x075"),
        [*_line(other.reference, on, *shift), "one cell too many"],
        _line(ref, on, hours=_LONG_TEXT),
    ]


def _of_day_rates(daily: Placement | None, ref: str, on: str) -> list[list[str]]:
    """Three that only a day rate can get wrong; a week too small to have one gets other nonsense instead."""
    if daily is None:
        return [_line(ref, on, hours=text) for text in ("7h99", "8 hours or so", "0x8")]
    free = next(d for d in _week() if all(shift.on != d for shift in daily.shifts))
    day = f"{free:%d/%m/%Y}"
    return [
        _line(daily.reference, day, days="0.3"),
        _line(daily.reference, day, days="-1"),
        _line(daily.reference, day, hours="7.5"),
    ]


def _line(
    reference: str,
    on: str,
    start: str = "",
    finish: str = "",
    pause: str = "",
    *,
    hours: str = "",
    days: str = "",
    rate_code: str = "",
) -> list[str]:
    return [reference, on, start, finish, pause, hours, days, rate_code]


def _week() -> list[date]:
    return [MONDAY + timedelta(days=n) for n in range(7)]


def _whole_week(placement: Placement) -> bool:
    return bool(placement.shifts) and placement.starts_on <= MONDAY and placement.last_on is None


def _first(placements: Sequence[Placement], fits: Callable[[Placement], bool]) -> Placement:
    return next(placement for placement in placements if fits(placement))
