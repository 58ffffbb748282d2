"""Business time. Tokens, timeouts and latencies use the real clock; everything a rule decides by uses one of these."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

LONDON = ZoneInfo("Europe/London")


class Clock(Protocol):
    def now(self) -> datetime:
        """The business instant, in UTC."""
        ...


class SystemClock:
    """Real time."""

    def now(self) -> datetime:
        return datetime.now(tz=UTC)


class StartedClock:
    """Time that runs at its usual pace from a chosen instant: the demo week lives in April 2026."""

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError("a business instant needs a time zone")
        self._start = start.astimezone(UTC)
        self._origin = time.monotonic()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=time.monotonic() - self._origin)


class ManualClock:
    """Time that moves only when told to: simulations and tests."""

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> None:
        self._now += by

    def set(self, to: datetime) -> None:
        self._now = to.astimezone(UTC)


def london_date(instant: datetime) -> date:
    """The calendar day in Europe/London at this instant."""
    return instant.astimezone(LONDON).date()
