"""Workers' applications for the tax that a week without pay gives back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from pay_calc.domain.pay_dates import period_to_of
from paybill_common.db import Tx

Key = tuple[UUID, UUID]
"""(agency_id, worker_id)."""


STANDS = """NOT n.withdrawn AND n.week_ending >=
    coalesce((SELECT max(run.period_to) FROM pay_run run WHERE run.agency_id = n.agency_id), CAST('-infinity' AS date))"""
"""An application `n` of a week that no run has closed, or is closing."""


async def upsert(
    tx: Tx,
    *,
    agency_id: UUID,
    worker_id: UUID,
    week_ending: date,
    applied_on: date,
    document_ref: str | None,
    withdrawn: bool,
    by: str,
) -> None:
    """Store the whole application; each write raises its version."""
    await tx.execute(
        """
        INSERT INTO nil_week (agency_id, worker_id, week_ending, applied_on, document_ref, withdrawn, version, updated_at, updated_by)
        VALUES (:agency, :worker, :week, :applied_on, CAST(:document_ref AS text), :withdrawn, 1, :now, :by)
        ON CONFLICT (agency_id, worker_id, week_ending) DO UPDATE
          SET applied_on = EXCLUDED.applied_on, document_ref = EXCLUDED.document_ref, withdrawn = EXCLUDED.withdrawn,
              version = nil_week.version + 1, updated_at = EXCLUDED.updated_at, updated_by = EXCLUDED.updated_by
        """,
        agency=agency_id,
        worker=worker_id,
        week=week_ending,
        applied_on=applied_on,
        document_ref=document_ref,
        withdrawn=withdrawn,
        now=tx.now,
        by=by,
    )


async def of_workers(tx: Tx, keys: Sequence[Key]) -> dict[Key, dict[date, date]]:
    """By the end of its period, the day of each application of these workers that stands."""
    found = await tx.execute(
        """
        SELECT agency_id, worker_id, week_ending, applied_on FROM nil_week
        WHERE agency_id = ANY(CAST(:agencies AS uuid[])) AND worker_id = ANY(CAST(:workers AS uuid[])) AND NOT withdrawn
        ORDER BY week_ending
        """,
        agencies=sorted({agency for agency, _ in keys}),
        workers=[worker for _, worker in keys],
    )
    weeks: dict[Key, dict[date, date]] = {}
    for row in found:
        weeks.setdefault((row.agency_id, row.worker_id), {})[period_to_of(row.week_ending)] = row.applied_on
    return weeks


async def of_worker(tx: Tx, *, agency_id: UUID, worker_id: UUID) -> list[Any]:
    """A worker's applications beside the payslip of each week that pays one: its id, state and tax; the latest week first."""
    found = await tx.execute(
        """
        SELECT n.*, p.payslip_id, p.state AS payslip_state, CAST(p.result -> 'figures' ->> 'tax_pence' AS bigint) AS tax_pence
        FROM nil_week n
        LEFT JOIN payslip p ON p.agency_id = n.agency_id AND p.worker_id = n.worker_id AND p.period_to = n.week_ending + 1
          AND p.pay_basis = 'paye' AND p.result IS NOT NULL
        WHERE n.agency_id = :agency AND n.worker_id = :worker ORDER BY n.week_ending DESC
        """,
        agency=agency_id,
        worker=worker_id,
    )
    return list(found.all())
