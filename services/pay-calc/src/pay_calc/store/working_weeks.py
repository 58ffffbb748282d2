"""The working weeks that contracts of workers with regular hours fix."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from pay_calc.domain.engine.regular_leave import WorkingWeek
from paybill_common.db import Tx

Key = tuple[UUID, UUID]
"""(agency_id, worker_id)."""


async def upsert(
    tx: Tx,
    *,
    agency_id: UUID,
    worker_id: UUID,
    from_on: date,
    days_a_week: Decimal,
    week_minutes: int,
    employed_from: date | None,
    leave_year_from: date | None,
    contract_ref: str,
    withdrawn: bool,
    by: str,
) -> None:
    """Store the whole working week; each write raises its version."""
    await tx.execute(
        """
        INSERT INTO working_week (agency_id, worker_id, from_on, days_a_week, week_minutes, employed_from, leave_year_from,
            contract_ref, withdrawn, version, updated_at, updated_by)
        VALUES (:agency, :worker, :from_on, :days, :minutes, CAST(:employed_from AS date), CAST(:leave_year_from AS date), :contract_ref,
            :withdrawn, 1, :now, :by)
        ON CONFLICT (agency_id, worker_id, from_on) DO UPDATE
          SET days_a_week = EXCLUDED.days_a_week, week_minutes = EXCLUDED.week_minutes,
              employed_from = EXCLUDED.employed_from, leave_year_from = EXCLUDED.leave_year_from,
              contract_ref = EXCLUDED.contract_ref, withdrawn = EXCLUDED.withdrawn, version = working_week.version + 1,
              updated_at = EXCLUDED.updated_at, updated_by = EXCLUDED.updated_by
        """,
        agency=agency_id,
        worker=worker_id,
        from_on=from_on,
        days=days_a_week,
        minutes=week_minutes,
        employed_from=employed_from,
        leave_year_from=leave_year_from,
        contract_ref=contract_ref,
        withdrawn=withdrawn,
        now=tx.now,
        by=by,
    )


async def contracts(tx: Tx, keys: Sequence[Key]) -> dict[Key, tuple[WorkingWeek, ...]]:
    """What the contracts of these workers fix, of those who have any."""
    found = await tx.execute(
        """
        SELECT agency_id, worker_id, from_on, days_a_week, week_minutes, employed_from, leave_year_from FROM working_week
        WHERE agency_id = ANY(CAST(:agencies AS uuid[])) AND worker_id = ANY(CAST(:workers AS uuid[])) AND NOT withdrawn
        ORDER BY from_on
        """,
        agencies=sorted({agency for agency, _ in keys}),
        workers=[worker for _, worker in keys],
    )
    by_worker: dict[Key, tuple[WorkingWeek, ...]] = {}
    for row in found:
        key = (row.agency_id, row.worker_id)
        by_worker[key] = (*by_worker.get(key, ()), _week(row))
    return by_worker


def _week(row: Any) -> WorkingWeek:
    """A row as the engine's rules take it."""
    return WorkingWeek(row.from_on, int(row.days_a_week * 10), row.week_minutes, row.employed_from, row.leave_year_from)


async def of_worker(tx: Tx, *, agency_id: UUID, worker_id: UUID) -> list[Any]:
    """A worker's working weeks, the latest first."""
    found = await tx.execute(
        "SELECT * FROM working_week WHERE agency_id = :agency AND worker_id = :worker ORDER BY from_on DESC",
        agency=agency_id,
        worker=worker_id,
    )
    return list(found.all())
