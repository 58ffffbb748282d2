"""Record what happened to a worker's workplace pension, and what an opt-out gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.pension_assessment import OptOutRefund
from pay_calc.domain.pension_records import PensionRecord, opt_out_refund, owed_refund
from pay_calc.store import facts, pension_records
from pay_calc.usecases.recalculate import recalculate
from paybill_common.db import Tx


class RefundOwed(Exception):
    """The refund of the opt-out on record is not paid yet; a new membership would make it nobody's."""


async def store_record(tx: Tx, *, agency_id: UUID, worker_id: UUID, values: Mapping[str, Any], by: str) -> None:
    """Store the record under the worker's lock; the worker's drafts are worked again. Raises RefundOwed."""
    await facts.share_agencies(tx, [agency_id])
    await facts.lock_workers(tx, [(agency_id, worker_id)])
    await _refuse_to_forget(tx, agency_id, worker_id, values["member_since"])
    await pension_records.upsert(tx, agency_id=agency_id, worker_id=worker_id, values=values, by=by)
    await recalculate(tx, keys=[(agency_id, worker_id)])


async def _refuse_to_forget(tx: Tx, agency_id: UUID, worker_id: UUID, member_since: date | None) -> None:
    """Raise RefundOwed for a membership that starts after an opt-out whose refund no final payslip has."""
    row = await pension_records.one(tx, agency_id=agency_id, worker_id=worker_id)
    record = None if row is None else pension_records.record_of(row)
    if record is None or record.member_since is None or record.opted_out_on is None or not record.refunds:
        return
    if member_since is None or member_since <= record.opted_out_on:
        return
    found = await pension_records.slips_since(tx, {(agency_id, worker_id): record.member_since})
    if owed_refund(record, found.get((agency_id, worker_id), [])) is not None:
        raise RefundOwed(f"What the opt-out of {record.opted_out_on} gives back is on no final payslip yet")


@dataclass(frozen=True, slots=True)
class Refund:
    """An opt-out's refund, and what of it final payslips have given back."""

    due: OptOutRefund
    given_back_pence: int
    given_back_on: date | None
    """The last payday that did."""


async def refund(tx: Tx, *, agency_id: UUID, worker_id: UUID, record: PensionRecord) -> Refund | EngineError | None:
    """What a recorded opt-out gives back of final payslips since membership began; the error that says why it gives nothing; None: nobody
    opted out, or membership and its information are not recorded."""
    if record.opted_out_on is None or record.member_since is None:
        return None
    found = await pension_records.slips_since(tx, {(agency_id, worker_id): record.member_since})
    taken = found.get((agency_id, worker_id), [])
    try:
        due = opt_out_refund(record, taken)
    except EngineError as error:
        return error
    back = [slip for slip in taken if slip.given_back.worker_pence]
    return (
        None
        if due is None
        else Refund(due, sum(slip.given_back.worker_pence for slip in back), back[-1].payday_on if back else None)
    )
