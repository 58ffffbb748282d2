"""Record the working week that a worker's contract fixes."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from uuid import UUID

from pay_calc.domain.engine.regular_leave import employments
from pay_calc.store import facts, leave, working_weeks
from pay_calc.usecases.recalculate import recalculate
from paybill_common.db import Tx


class LeaveYearsDiffer(Exception):
    """Two weeks of one employment name different leave years, or the ledger has leave of the one that this would change."""


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
    before = await _leave_years(tx, agency_id, worker_id)
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
    await _one_leave_year(tx, agency_id, worker_id, before)
    await recalculate(tx, keys=[(agency_id, worker_id)])


async def _leave_years(tx: Tx, agency_id: UUID, worker_id: UUID) -> dict[date, set[date]]:
    """By the first day of each employment, the leave years that its weeks name."""
    weeks = (await working_weeks.contracts(tx, [(agency_id, worker_id)])).get((agency_id, worker_id), ())
    return {
        job.from_on: {week.leave_year_from for week in job.weeks if week.leave_year_from is not None}
        for job in employments(weeks)
    }


async def _one_leave_year(tx: Tx, agency_id: UUID, worker_id: UUID, before: dict[date, set[date]]) -> None:
    known = (await leave.ledger_of(tx, agency_id=agency_id, worker_id=worker_id)).entitled
    for from_on, named in (await _leave_years(tx, agency_id, worker_id)).items():
        years = {(day.month, day.day) for day in named}
        if len(years) > 1:
            raise LeaveYearsDiffer(f"The employment from {from_on} has leave years from different days")
        settled = {(day.month, day.day) for day in before.get(from_on, ())}
        if from_on in before and years != settled and any(subject.startswith(str(from_on)) for subject in known):
            raise LeaveYearsDiffer(f"The ledger has leave of the employment from {from_on} by another leave year")
