"""Record the working week that a worker's contract fixes."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from uuid import UUID

from pay_calc.store import facts, working_weeks
from pay_calc.usecases.recalculate import recalculate
from paybill_common.db import Tx


async def store_week(
    tx: Tx,
    *,
    agency_id: UUID,
    worker_id: UUID,
    from_on: date,
    days_a_week: Decimal,
    week_minutes: int,
    leave_year_from: date | None,
    contract_ref: str,
    withdrawn: bool,
    by: str,
) -> None:
    """Store the week under the worker's lock; the worker's drafts are worked again. What final payslips brought to the ledger stays, and
    the next one brings the difference."""
    await facts.share_agencies(tx, [agency_id])
    await facts.lock_workers(tx, [(agency_id, worker_id)])
    await working_weeks.upsert(
        tx,
        agency_id=agency_id,
        worker_id=worker_id,
        from_on=from_on,
        days_a_week=days_a_week,
        week_minutes=week_minutes,
        leave_year_from=leave_year_from,
        contract_ref=contract_ref,
        withdrawn=withdrawn,
        by=by,
    )
    await recalculate(tx, keys=[(agency_id, worker_id)])
