"""Drives the drafts of timesheets that compliance does not answer, some workers and a transaction at a time."""

from __future__ import annotations

import asyncio

from pay_calc.store.facts import Key
from pay_calc.usecases.unanswered import hold_unanswered
from paybill_common.clock import Clock
from paybill_common.db import Database
from paybill_common.service import Runtime, repeat

UNANSWERED_S = 60
"""A decision takes well under a second, longer behind a long queue; a wait of a minute is worth telling."""
LOOK_EVERY_S = 30


async def hold_all(database: Database, clock: Clock, *, after_s: int = UNANSWERED_S) -> None:
    """Hold whatever has waited so long. `database` connects as the worker role."""
    beyond: Key | None = None
    while True:
        async with database.transaction(now=clock.now()) as tx:
            beyond = await hold_unanswered(tx, after_s=after_s, beyond=beyond)
        if beyond is None:
            return


async def keep_holding(runtime: Runtime, stop: asyncio.Event) -> None:
    """The background work of a worker process: nobody waits in silence for compliance."""

    async def hold() -> None:
        await hold_all(runtime.worker_database, runtime.clock)

    await repeat(
        hold,
        stop=stop,
        every_s=LOOK_EVERY_S,
        name="holding unanswered timesheets",
        runbook="docs/runbooks/stuck-consumer.md",
    )
