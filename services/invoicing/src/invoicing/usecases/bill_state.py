"""Decide what may be billed, and tell when the answer for a version changed."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from invoicing.domain.readiness import CREDITED, Clearance, Readiness, Terms, decide
from invoicing.store import facts, runs
from paybill_common.db import Tx
from paybill_common.envelope import AnyEvent
from paybill_contracts.base import Reason
from paybill_contracts.events import BillHeld, BillReady


async def redecide(tx: Tx, *, keys: Sequence[facts.Key], causes: Mapping[facts.Key, AnyEvent] | None = None) -> int:
    """Decide these timesheets again and emit bill.ready or bill.held where the state of a version changed.

    What waits for compliance's decision is kept as held and not told: it is told once, with the decision.
    A version that is billed already keeps its state: a later hold is compliance's alert, not ours to undo.
    Returns how many changed.
    """
    unique = sorted(set(keys))
    if not unique:
        return 0
    changed: list[tuple[Any, Readiness]] = []
    for row in await facts.undecided_inputs(tx, unique):
        if row.billed_version == row.version:
            continue
        found = _decide(row)
        if (row.decided_version, row.state, row.reasons) != (row.version, found.state, list(found.reasons)):
            changed.append((row, found))
    await _keep(tx, changed, causes or {}, told=[row.has_clearance for row, _ in changed])
    return len(changed)


async def write_off(tx: Tx, *, agency_id: UUID, timesheets: Sequence[UUID]) -> None:
    """Tell of those of these locked timesheets that a credit note left with nothing to bill: credited, and not billed again."""
    gone = await runs.written_off_among(tx, agency_id=agency_id, timesheets=timesheets)
    rows = await facts.undecided_inputs(tx, [(agency_id, timesheet_id) for timesheet_id in gone])
    await _keep(tx, [(row, CREDITED) for row in rows], {}, told=[True] * len(rows))


async def _keep(
    tx: Tx, changed: Sequence[tuple[Any, Readiness]], causes: Mapping[facts.Key, AnyEvent], *, told: Sequence[bool]
) -> None:
    if not changed:
        return
    sequences = await facts.store_states(
        tx,
        [
            (row.agency_id, row.timesheet_id, row.version, found.state, json.dumps(found.reasons, sort_keys=True))
            for row, found in changed
        ],
    )
    for row, found in itertools.compress(changed, told):
        key = (row.agency_id, row.timesheet_id)
        common: dict[str, Any] = {
            "agency_id": row.agency_id,
            "worker_id": row.worker_id,
            "timesheet_id": row.timesheet_id,
            "version": row.version,
            "client_id": row.client_id,
            "minutes": row.billable_minutes,
            "charge_gbp": row.charge_gbp,
            "decided_at": tx.now,
        }
        event: BillReady | BillHeld
        if found.state == "ready":
            event = BillReady(**common)
        else:
            event = BillHeld(**common, reasons=tuple(Reason.model_validate(reason) for reason in found.reasons))
        tx.emit(event, sequence=sequences[key], cause=causes.get(key))


async def redecide_clients(tx: Tx, *, agency_id: UUID, clients: Sequence[UUID]) -> int:
    """Decide the unbilled timesheets of these clients again, because their terms changed."""
    return await redecide(tx, keys=await facts.unbilled_of_clients(tx, agency_id=agency_id, clients=clients))


def _decide(row: Any) -> Readiness:
    return decide(
        clearance=Clearance(row.blocks_bill, row.clearance_reasons) if row.has_clearance else None,
        terms=Terms(row.po_required, row.terms_purchase_order) if row.has_terms else None,
        purchase_order=row.purchase_order,
    )
