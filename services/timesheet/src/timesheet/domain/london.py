"""Wall-clock time in Europe/London against real minutes. Instants are whole minutes since 1970-01-01 00:00 UTC.

On the last Sunday of March 01:00-01:59 does not exist and the day has 23 hours; on the last Sunday of October it comes
twice (first BST, then GMT) and the day has 25. `fold` says which: 0 the first, 1 the second, None that nobody said.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

LONDON = ZoneInfo("Europe/London")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)


class LocalTimeDoesNotExist(ValueError):
    """The clocks skip this time: they go forward."""

    code = "local_time_does_not_exist"

    def __init__(self, on: date, clock: time) -> None:
        super().__init__(
            f"{clock:%H:%M} on {on} does not exist: the clocks go from 01:00 to 02:00; give a time outside it"
        )


class LocalTimeAmbiguous(ValueError):
    """The clocks show this time twice: they go back."""

    code = "local_time_ambiguous"

    def __init__(self, on: date, clock: time) -> None:
        super().__init__(
            f"{clock:%H:%M} on {on} comes twice as the clocks go back; "
            f"say which: '{clock:%H:%M} BST' (first) or '{clock:%H:%M} GMT' (second)"
        )


def instant(on: date, clock: time, fold: int | None = None) -> int:
    """The minute at which London's clocks show this. Raises LocalTimeDoesNotExist or LocalTimeAmbiguous."""
    first, second = _both(on, clock)
    if first == second:
        return first
    if first > second:
        raise LocalTimeDoesNotExist(on, clock)
    if fold is None:
        raise LocalTimeAmbiguous(on, clock)
    return second if fold else first


@lru_cache(maxsize=8192)
def either_instant(on: date, clock: time) -> tuple[int, ...]:
    """Every minute at which a clock edge can fall, for cutting; one on all days but two a year."""
    return tuple(sorted(set(_both(on, clock))))


@lru_cache(maxsize=16384)
def local(minute: int) -> datetime:
    """London's wall clock at this minute."""
    return (_EPOCH + minute * _MINUTE).astimezone(LONDON)


@lru_cache(maxsize=4096)
def midnight(on: date) -> int:
    """The minute at which the day starts."""
    return instant(on, time(0))


def day_minutes(on: date) -> int:
    """How long the day is: 1440 minutes, 1380 in March's change and 1500 in October's."""
    return midnight(on + _DAY) - midnight(on)


def clock_change(on: date) -> int | None:
    """The minute at which the clocks change on this day (01:00 UTC), or None."""
    if day_minutes(on) == 1440:
        return None
    return (datetime(on.year, on.month, on.day, 1, tzinfo=UTC) - _EPOCH) // _MINUTE


@lru_cache(maxsize=8192)
def _both(on: date, clock: time) -> tuple[int, int]:
    wall = datetime.combine(on, clock.replace(tzinfo=None), tzinfo=LONDON)
    first = (wall.replace(fold=0).astimezone(UTC) - _EPOCH) // _MINUTE
    second = (wall.replace(fold=1).astimezone(UTC) - _EPOCH) // _MINUTE
    return first, second
