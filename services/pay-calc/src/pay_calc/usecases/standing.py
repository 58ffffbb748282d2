"""Record what stands on workers' pay beside their timesheets, and work again the drafts that it changes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

from pay_calc.store import facts, standing
from pay_calc.usecases.recalculate import recalculate
from paybill_common.db import Tx


class RecordOfAnotherWorker(Exception):
    """The record belongs to another worker; it stays there."""


class ReferenceTaken(Exception):
    """Another record of the worker has this reference, or of the agency this external id."""


class NoSuchRecord(LookupError):
    """There is no record of this id."""


class NoDocument(Exception):
    """An amount can be entered from an order only when the order is on file."""


async def store_order(
    tx: Tx, *, agency_id: UUID, order_id: UUID, worker_id: UUID, values: Mapping[str, Any], by: str
) -> None:
    """Store an attachment order under its worker's lock. Raises RecordOfAnotherWorker, ReferenceTaken."""
    await _lock(tx, agency_id, worker_id)
    known = await standing.order(tx, agency_id=agency_id, order_id=order_id)
    if known is not None and known.worker_id != worker_id:
        raise RecordOfAnotherWorker(f"order {order_id} is on the earnings of worker {known.worker_id}")
    taken = await standing.other_record_of(
        tx,
        table="attachment_order",
        agency_id=agency_id,
        record_id=order_id,
        worker_id=worker_id,
        reference=values["reference"],
        external_id=values["external_id"],
    )
    if taken is not None:
        raise ReferenceTaken(f"order {taken} already has the reference {values['reference']} or this external_id")
    await standing.upsert_order(tx, agency_id=agency_id, order_id=order_id, worker_id=worker_id, values=values, by=by)
    await recalculate(tx, keys=[(agency_id, worker_id)])


async def store_deduction(
    tx: Tx, *, agency_id: UUID, deduction_id: UUID, worker_id: UUID, values: Mapping[str, Any], by: str
) -> None:
    """Store a net deduction under its worker's lock. Raises RecordOfAnotherWorker, ReferenceTaken."""
    await _lock(tx, agency_id, worker_id)
    known = await standing.deduction(tx, agency_id=agency_id, deduction_id=deduction_id)
    if known is not None and known.worker_id != worker_id:
        raise RecordOfAnotherWorker(f"deduction {deduction_id} is from the pay of worker {known.worker_id}")
    taken = await standing.other_record_of(
        tx,
        table="net_deduction",
        agency_id=agency_id,
        record_id=deduction_id,
        worker_id=worker_id,
        reference=values["reference"],
        external_id=values["external_id"],
    )
    if taken is not None:
        raise ReferenceTaken(f"deduction {taken} already has the reference {values['reference']} or this external_id")
    await standing.upsert_deduction(
        tx, agency_id=agency_id, deduction_id=deduction_id, worker_id=worker_id, values=values, by=by
    )
    await recalculate(tx, keys=[(agency_id, worker_id)])


async def enter_amount(
    tx: Tx, *, agency_id: UUID, order_id: UUID, week_ending: date, amount_pence: int, by: str
) -> None:
    """Store what a clerk read from an order for one week. Raises NoSuchRecord, NoDocument."""
    known = await standing.order(tx, agency_id=agency_id, order_id=order_id)
    if known is None:
        raise NoSuchRecord(f"there is no order {order_id}")
    if not known.document_ref:
        raise NoDocument(f"order {order_id} has no document_ref: say first where the order is filed")
    await _lock(tx, agency_id, known.worker_id)
    await standing.upsert_amount(
        tx, agency_id=agency_id, order_id=order_id, week_ending=week_ending, amount_pence=amount_pence, by=by
    )
    await recalculate(tx, keys=[(agency_id, known.worker_id)])


async def _lock(tx: Tx, agency_id: UUID, worker_id: UUID) -> None:
    await facts.share_agencies(tx, [agency_id])
    await facts.lock_workers(tx, [(agency_id, worker_id)])
