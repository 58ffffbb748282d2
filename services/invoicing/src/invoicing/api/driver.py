"""Drive an invoice run to its end: one transaction to open it, one for each client, one to close it."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from invoicing.store.runs import waiting_workers
from invoicing.usecases.invoice_run import bill_next_client
from paybill_common.clock import Clock
from paybill_common.db import Database
from paybill_common.faults import Faults, NoFaults


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


async def parked_workers(*, database: Database, clock: Clock, consumer: str) -> Sequence[UUID]:
    """Workers whose events wait behind a dead letter: what is known of them may be old, so a run leaves them out."""
    async with database.transaction(now=clock.now(), read_only=True) as tx:
        return await waiting_workers(tx, consumer=consumer)
