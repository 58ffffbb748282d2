"""Record the working week that a worker's contract fixes."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from uuid import UUID

from pay_calc.domain.engine.regular_leave import employments, year_of
from pay_calc.store import facts, leave, working_weeks
from pay_calc.usecases.recalculate import recalculate
from paybill_common.db import Tx


class LeaveYearsDiffer(Exception):
    """Two weeks of one employment name different leave years, or the ledger has leave of another leave year than they give."""


async def store_week(
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
    """Store the week under the worker's lock; the worker's drafts are worked again. What final payslips brought to the ledger stays, and
    the next one brings the difference. Raises LeaveYearsDiffer."""
    await facts.share_agencies(tx, [agency_id])
    await facts.lock_workers(tx, [(agency_id, worker_id)])
    await working_weeks.upsert(
        tx,
        agency_id=agency_id,
        worker_id=worker_id,
        from_on=from_on,
        days_a_week=days_a_week,
        week_minutes=week_minutes,
        employed_from=employed_from,
        leave_year_from=leave_year_from,
        contract_ref=contract_ref,
        withdrawn=withdrawn,
        by=by,
    )
    await _one_leave_year(tx, agency_id, worker_id)
    await recalculate(tx, keys=[(agency_id, worker_id)])


async def _one_leave_year(tx: Tx, agency_id: UUID, worker_id: UUID) -> None:
    ledger = await leave.ledger_of(tx, agency_id=agency_id, worker_id=worker_id)
    for job in employments(ledger.contract):
        named = {week.leave_year_from for week in job.weeks if week.leave_year_from is not None}
        if len({(day.month, day.day) for day in named}) > 1:
            raise LeaveYearsDiffer(f"The employment from {job.from_on} has leave years from different days")
        for subject, (minutes, _) in ledger.entitled.items():
            started, year_from = (date.fromisoformat(part) for part in subject.split("/"))
            if started == job.from_on and minutes and year_of(job.leave_year_from, year_from) != year_from:
                raise LeaveYearsDiffer(
                    f"The ledger has leave of the employment from {job.from_on} in the leave year from {year_from}"
                )
