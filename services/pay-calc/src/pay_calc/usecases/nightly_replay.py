"""The nightly replay of every closed pay run, a bounded step at a time.

A night begins at an hour of the Europe/London day. A step replays one page of one run under a lock that one replica of all holds, and
keeps how far it is in the same transaction: whoever takes the next step goes on there, in this process or another.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from pay_calc.store import replays
from pay_calc.usecases.replay import Place, Replay, load_json, replay_of, replay_page
from paybill_common.clock import LONDON
from paybill_common.db import Tx

PAGE = 100


@dataclass(frozen=True, slots=True)
class Step:
    """What a step did. `finished`: the run's replay is whole with it, and stored."""

    agency_id: UUID
    pay_run_id: UUID
    night: date
    payslips: int
    outcome: Replay
    finished: bool


def night_of(now: datetime, hour: int) -> tuple[date, datetime]:
    """(night, the instant it began): the last time that London's clock came to this hour."""
    night = now.astimezone(LONDON).date()
    began = _at(night, hour)
    if began > now:
        night -= timedelta(days=1)
        began = _at(night, hour)
    return night, began


def _at(day: date, hour: int) -> datetime:
    return datetime.combine(day, time(hour), tzinfo=LONDON).astimezone(UTC)


async def nightly_step(tx: Tx, *, now: datetime, hour: int, most: int = PAGE) -> Step | None:
    """Replay the next page of this night. None: nothing is due, or another replica is at it."""
    if not await replays.only_one(tx):
        return None
    night, began = night_of(now, hour)
    row = await replays.next_due(tx, night=night, due_at=began)
    if row is None:
        return None
    outcome, after = Replay(), None
    if row.progress is not None and row.progress_night == night:
        progress = load_json(row.progress)
        outcome, after = replay_of(progress["outcome"]), _place(progress["after"])
    before = outcome.payslips
    after = await replay_page(
        tx, agency_id=row.agency_id, pay_run_id=row.pay_run_id, after=after, outcome=outcome, most=most
    )
    if after is None:
        await replays.save_result(
            tx,
            agency_id=row.agency_id,
            pay_run_id=row.pay_run_id,
            night=night,
            state=outcome.state,
            result=outcome.as_json(),
            now=now,
        )
    else:
        await replays.save_progress(
            tx,
            agency_id=row.agency_id,
            pay_run_id=row.pay_run_id,
            night=night,
            progress={"outcome": outcome.as_json(), "after": [str(part) for part in after]},
        )
    return Step(row.agency_id, row.pay_run_id, night, outcome.payslips - before, outcome, after is None)


def _place(raw: list[str]) -> Place:
    return UUID(raw[0]), UUID(raw[1])
