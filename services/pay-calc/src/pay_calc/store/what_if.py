"""What a supposition about pay reads: slips in worker order, and where their timesheets were worked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from paybill_common.db import Tx


async def slips(
    tx: Tx,
    *,
    agency_id: UUID,
    period_to: date | None,
    pay_run_id: UUID | None,
    payslip_id: UUID | None,
    workers: Sequence[UUID] | None,
    after: tuple[UUID, UUID] | None,
    most: int,
) -> list[Any]:
    """Slips that pay or hold something, of a period, a run or one alone, by (worker, payslip)."""
    found = await tx.execute(
        """
        SELECT payslip_id, worker_id, pay_basis, state, CASE WHEN state = 'finalised' THEN result END AS result, inputs, held FROM payslip
        WHERE agency_id = :agency AND (result IS NOT NULL OR jsonb_array_length(held) > 0)
          AND (CAST(:period_to AS date) IS NULL OR period_to = :period_to)
          AND (CAST(:run AS uuid) IS NULL OR pay_run_id = :run)
          AND (CAST(:payslip AS uuid) IS NULL OR payslip_id = :payslip)
          AND (CAST(:workers AS uuid[]) IS NULL OR worker_id = ANY(CAST(:workers AS uuid[])))
          AND (CAST(:after_worker AS uuid) IS NULL
               OR (worker_id, payslip_id) > (CAST(:after_worker AS uuid), CAST(:after_id AS uuid)))
        ORDER BY worker_id, payslip_id LIMIT :most
        """,
        agency=agency_id,
        period_to=period_to,
        run=pay_run_id,
        payslip=payslip_id,
        workers=None if workers is None else list(workers),
        after_worker=None if after is None else after[0],
        after_id=None if after is None else after[1],
        most=most,
    )
    return list(found.all())


async def places(tx: Tx, *, agency_id: UUID, timesheets: Iterable[UUID]) -> dict[str, tuple[str, str]]:
    """(placement, client) of each timesheet, ids as text."""
    found = await tx.execute(
        """
        SELECT DISTINCT ON (timesheet_id) timesheet_id, placement_id, client_id FROM timesheet_version
        WHERE agency_id = :agency AND timesheet_id = ANY(CAST(:timesheets AS uuid[])) ORDER BY timesheet_id, version DESC
        """,
        agency=agency_id,
        timesheets=sorted(set(timesheets)),
    )
    return {str(row.timesheet_id): (str(row.placement_id), str(row.client_id)) for row in found}
