"""Drive an invoice run to its end: one transaction to open it, one for each client, one to close it. Whoever opened it may die:
anybody goes on with it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

import structlog

from invoicing.store.runs import stalled, waiting_workers
from invoicing.usecases.invoice_run import bill_next_client
from paybill_common.clock import Clock
from paybill_common.db import Database, is_transient
from paybill_common.faults import Faults, NoFaults
from paybill_common.service import Runtime, repeat

log = structlog.get_logger()
STALLED_S = 15
RUNBOOK = "docs/runbooks/stuck-consumer.md"


async def drive_run(
    *, database: Database, clock: Clock, agency_id: UUID, invoice_run_id: UUID, faults: Faults | None = None
) -> None:
    """Bill client after client until the run is closed. Killed anywhere, driving it again goes on where it stopped.

    Two callers at once take turns: each step locks the run's row. Every step does a client or closes, so it ends.
    """
    reach = (faults or NoFaults()).reach
    more = True
    while more:
        async with database.transaction(now=clock.now(), agencies=[agency_id]) as tx:
            more = await bill_next_client(tx, agency_id=agency_id, invoice_run_id=invoice_run_id)
            await tx.flush()
            reach("invoice_run.before_commit")
        reach("invoice_run.after_client")


async def resume_stalled(database: Database, clock: Clock, *, after_s: int = STALLED_S) -> int:
    """Go on with every open run that nobody has moved lately. Returns how many were closed. `database` connects as the worker role.

    A run that fails keeps no other waiting: it is logged, and tried again at the next call.
    """
    async with database.transaction(now=clock.now(), read_only=True) as tx:
        found = await stalled(tx, after_s=after_s)
    closed = 0
    for agency_id, invoice_run_id in found:
        log.warning("invoice_run.resumed", agency_id=str(agency_id), invoice_run_id=str(invoice_run_id))
        try:
            await drive_run(database=database, clock=clock, agency_id=agency_id, invoice_run_id=invoice_run_id)
        except Exception as error:
            run = {"agency_id": str(agency_id), "invoice_run_id": str(invoice_run_id)}
            if is_transient(error):
                log.warning("invoice_run.retrying", error=error, **run)
            else:
                log.error("invoice_run.failed", error=error, action=RUNBOOK, exc_info=True, **run)
        else:
            closed += 1
    return closed


async def keep_issuing(runtime: Runtime, stop: asyncio.Event) -> None:
    """The background work of a worker process: a run whose caller was killed is issued all the same."""

    async def resume() -> None:
        await resume_stalled(runtime.worker_database, runtime.clock)

    await repeat(resume, stop=stop, every_s=5, name="issuing invoice runs", runbook=RUNBOOK)


async def parked_workers(*, database: Database, clock: Clock, consumer: str) -> Sequence[UUID]:
    """Workers whose events wait behind a dead letter: what is known of them may be old, so a run leaves them out."""
    async with database.transaction(now=clock.now(), read_only=True) as tx:
        return await waiting_workers(tx, consumer=consumer)
