"""Record a worker's application for the tax of a week without pay."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from pay_calc.domain.pay_dates import period_to_of
from pay_calc.store import facts, nil_weeks
from pay_calc.usecases.recalculate import recalculate
from paybill_common.db import Tx


class WeekClosed(Exception):
    """A run has closed, or is closing, over the week or a later one: no payslip can be made for it any more."""


async def store_application(
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
    """Store the application under the worker's lock; the worker's drafts are worked again. Raises WeekClosed."""
    await facts.share_agencies(tx, [agency_id])
    await facts.lock_workers(tx, [(agency_id, worker_id)])
    agency = (await facts.load_agencies(tx, [agency_id]))[agency_id]
    shut = agency.shut
    if shut and period_to_of(week_ending) <= max(shut):
        raise WeekClosed(f"The week ending {week_ending} is closed")
    await nil_weeks.upsert(
        tx,
        agency_id=agency_id,
        worker_id=worker_id,
        week_ending=week_ending,
        applied_on=applied_on,
        document_ref=document_ref,
        withdrawn=withdrawn,
        by=by,
    )
    await recalculate(tx, keys=[(agency_id, worker_id)])
