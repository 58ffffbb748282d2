"""Drives closing pay runs, chunk by chunk, each in a transaction of its own. Whoever opened a run may die: anybody goes on with it."""

from __future__ import annotations

import asyncio
import time
from uuid import UUID

import structlog

from pay_calc.store import connected, runs
from pay_calc.usecases.close_run import close_chunk
from pay_calc.usecases.connected import AT_ONCE, work_again
from paybill_common.clock import Clock
from paybill_common.db import Database
from paybill_common.service import Runtime, repeat

log = structlog.get_logger()
STALLED_S = 5


async def drive(
    database: Database, clock: Clock, *, agency_id: UUID, pay_run_id: UUID, seconds_max: int | None = None
) -> bool:
    """Close a run as far as time allows; True when it is closed. `database` connects as the worker role."""
    started = time.monotonic()
    while True:
        async with database.transaction(now=clock.now()) as tx:
            closed = await close_chunk(tx, agency_id=agency_id, pay_run_id=pay_run_id)
        if closed:
            await _tell_connected(database, clock, agency_id=agency_id, pay_run_id=pay_run_id)
            return True
        if seconds_max is not None and time.monotonic() - started > seconds_max:
            return False


async def _tell_connected(database: Database, clock: Clock, *, agency_id: UUID, pay_run_id: UUID) -> None:
    """Work again what a closed run changed for connected agencies. Whatever is missed, their own runs work out."""
    async with database.transaction(now=clock.now()) as tx:
        keys = await connected.drafts_to_work_again(tx, agency_id=agency_id, pay_run_id=pay_run_id)
    for start in range(0, len(keys), AT_ONCE):
        async with database.transaction(now=clock.now()) as tx:
            await work_again(tx, keys[start : start + AT_ONCE])


async def resume_stalled(database: Database, clock: Clock, *, after_s: int = STALLED_S) -> int:
    """Go on with every run that is closing and that nobody has moved lately. Returns how many were closed."""
    async with database.transaction(now=clock.now()) as tx:
        found = await runs.stalled(tx, after_s=after_s)
    for agency_id, pay_run_id in found:
        log.warning("pay_run.resumed", agency_id=str(agency_id), pay_run_id=str(pay_run_id))
        await drive(database, clock, agency_id=agency_id, pay_run_id=pay_run_id)
    return len(found)


async def keep_closing(runtime: Runtime, stop: asyncio.Event) -> None:
    """The background work of a worker process: a run whose closer was killed is closed all the same."""

    async def resume() -> None:
        await resume_stalled(runtime.worker_database, runtime.clock)

    await repeat(resume, stop=stop, every_s=2, name="closing pay runs", runbook="docs/runbooks/stuck-consumer.md")
