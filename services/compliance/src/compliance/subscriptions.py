"""What compliance reads: approved weeks are decided, workers and names kept, finalised pay remembered."""

from __future__ import annotations

from compliance.store import facts
from compliance.usecases.deciding import decide_weeks
from paybill_common.consumer import Subscription
from paybill_common.db import Tx
from paybill_common.envelope import AnyEvent, Batch
from paybill_common.labels import apply_directory
from paybill_contracts.events import (
    AgencyChanged,
    ClientChanged,
    DirectoryEntry,
    PayCalculated,
    PayFinalised,
    PayHeld,
    PaymentInstructed,
    PlacementChanged,
    TimesheetAmended,
    TimesheetApproved,
    TimesheetExpected,
    TimesheetRejected,
    TimesheetSubmitted,
    WeekCutOff,
    WorkerChanged,
)


async def handle(tx: Tx, batch: Batch) -> None:
    """One poll's facts, set-wise."""
    await apply_directory(tx, batch)
    approved: list[AnyEvent] = [*batch.latest(TimesheetApproved, TimesheetAmended)]
    workers = batch.latest(WorkerChanged)
    finalised = batch.of(PayFinalised)
    touched = [(event.agency_id, event.data.worker_id) for event in (*approved, *workers, *finalised)]
    await facts.share_agencies(tx, {agency for agency, _ in touched})
    await facts.lock_workers(tx, touched)
    await facts.save_workers(tx, workers)
    changed = await facts.save_approved(tx, approved)
    for event in finalised:
        timesheets = sorted({(event.agency_id, charge.timesheet_id) for charge in event.data.charges})
        await facts.mark_finalised(tx, timesheets, event.data.finalised_at)
    if changed:
        weeks = await facts.decisions(tx, timesheet_ids=changed)
        causes = {event.data.timesheet_id: event for event in approved}
        await decide_weeks(tx, weeks=weeks, actor="rule", causes=causes)


SUBSCRIPTION = Subscription(
    consumer="compliance",
    topics=(
        "paybill.timesheet",
        "paybill.placement",
        "paybill.client",
        "paybill.control",
        "paybill.directory",
        "paybill.pay",
    ),
    handles=frozenset({TimesheetApproved, TimesheetAmended, WorkerChanged, DirectoryEntry, PayFinalised}),
    ignores=frozenset(
        {
            TimesheetExpected,
            TimesheetSubmitted,
            TimesheetRejected,
            PlacementChanged,
            ClientChanged,
            AgencyChanged,
            WeekCutOff,
            PayCalculated,
            PayHeld,
            PaymentInstructed,
        }
    ),
    handler=handle,
)
