"""Whether compliance lets hours be entered, and what is kept when a person records them all the same.

Work that was done must be paid whatever a document says (Conduct Regulations 2003, reg. 12), so a hold never keeps hours out
for good: somebody who may approve for the agency vouches for them with a reason. It records; the holds on pay and bill stand.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from paybill_common.db import Tx
from timesheet.domain.entry_holds import EntryBlocked, EntryHold
from timesheet.store import approvals
from timesheet.store import timesheets as store
from timesheet.store.timesheets import Timesheet
from timesheet.usecases.charging import Work, load_work
from timesheet.usecases.evidence import DecidedBy, evidence_of, what_is_shown

Holds = Mapping[UUID, Sequence[EntryHold]]
"""By worker, what blocks new hours."""


async def holds_of(tx: Tx, *, agency_id: UUID, worker_ids: Iterable[UUID]) -> Holds:
    """The newest decisions' reasons that block new hours of these workers."""
    found = await approvals.entry_blocks(tx, agency_id=agency_id, worker_ids=list(worker_ids))
    return {
        worker_id: tuple(EntryHold(one["code"], one.get("requirement"), one["reference"]) for one in reasons)
        for worker_id, reasons in found.items()
    }


def check(holds: Holds, *, worker_id: UUID, vouched: DecidedBy | None) -> None:
    """Raises EntryBlocked when new hours are blocked and nobody vouches for them."""
    if vouched is None and worker_id in holds:
        raise EntryBlocked(worker_id, holds[worker_id])


async def vouched_for(tx: Tx, *, agency_id: UUID, timesheets: Collection[Timesheet], work: Work) -> set[UUID]:
    """The timesheets whose very hours somebody has vouched for already: other hours need another reason."""
    kept = await store.recorded_entries(tx, agency_id=agency_id, ids=[one.timesheet_id for one in timesheets])
    return {
        one.timesheet_id
        for one in timesheets
        if what_is_shown(one, work)["entries"] in kept.get((one.timesheet_id, one.state.version), ())
    }


async def keep(
    tx: Tx, *, agency_id: UUID, timesheets: Sequence[Timesheet], holds: Holds, by: Mapping[UUID, DecidedBy]
) -> None:
    """Keep who vouched for the hours as they now stand, why, and which holds stood against them; `by` is by timesheet."""
    work = await load_work(tx, agency_id=agency_id, timesheets=timesheets)
    rows: list[dict[str, Any]] = []
    for timesheet in timesheets:
        against = [
            {"code": one.code, "requirement": one.requirement, "reference": one.reference}
            for one in holds[timesheet.placement.worker_id]
        ]
        shown = what_is_shown(timesheet, work) | {"holds": against}
        who = by[timesheet.timesheet_id]
        rows.append(evidence_of(tx, timesheet, timesheet.state.version, "recorded", who, shown))
    await store.insert_evidence(tx, agency_id=agency_id, evidence=rows)
