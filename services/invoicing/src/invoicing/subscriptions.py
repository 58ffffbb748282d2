"""What invoicing reads from the bus: one handler for the whole poll, set-wise, in whatever order facts arrive."""

from __future__ import annotations

from invoicing.store import facts
from invoicing.usecases.bill_state import redecide
from invoicing.usecases.self_bill import issue_due_self_bills
from paybill_common.consumer import Subscription
from paybill_common.db import Tx
from paybill_common.envelope import AnyEvent, Batch
from paybill_common.labels import apply_directory
from paybill_contracts import EventData
from paybill_contracts import events as e

TOPICS = (
    "paybill.timesheet",
    "paybill.compliance",
    "paybill.pay",
    "paybill.pay-run",
    "paybill.control",
    "paybill.directory",
    "paybill.client",
    "paybill.placement",
)

HANDLES: frozenset[type[EventData]] = frozenset(
    {
        e.TimesheetApproved,
        e.TimesheetAmended,
        e.ComplianceCleared,
        e.ComplianceHeld,
        e.PayFinalised,
        e.PayRunClosed,
        e.WeekCutOff,
        e.DirectoryEntry,
    }
)
IGNORES: frozenset[type[EventData]] = frozenset(
    {
        e.TimesheetExpected,
        e.TimesheetSubmitted,
        e.TimesheetRejected,
        e.ComplianceAlert,
        e.PayCalculated,
        e.PayHeld,
        e.PaymentInstructed,
        e.AgencyChanged,
        e.ClientChanged,
        e.PlacementChanged,
        e.WorkerChanged,
    }
)
"""Not billing's: hours before approval, alerts, drafts of pay, payments. An approved timesheet carries its placement and client."""


async def handle(tx: Tx, batch: Batch) -> None:
    """Store the facts of this batch, then decide everything that they touch, once."""
    await apply_directory(tx, batch)
    approved: list[AnyEvent] = list(batch.of(e.TimesheetApproved, e.TimesheetAmended))
    decisions: list[AnyEvent] = list(batch.of(e.ComplianceCleared, e.ComplianceHeld))
    finalised = [event for event in batch.of(e.PayFinalised) if event.data.pay_basis != "paye"]
    closed = batch.latest(e.PayRunClosed)
    await facts.share_agencies(tx, {event.agency_id for event in batch if event.data is not None})
    await facts.apply_cut_offs(tx, batch.latest(e.WeekCutOff))
    moved = await facts.apply_approved(tx, approved)
    decided = await facts.apply_decisions(tx, decisions)
    causes: dict[facts.Key, AnyEvent] = {
        (event.agency_id, event.data.timesheet_id): event for event in (*approved, *decisions)
    }
    await redecide(tx, keys=[*moved, *decided], causes=causes)
    await facts.apply_finalised(tx, finalised)
    await facts.apply_pay_runs(tx, closed)
    arrived = sorted({(event.agency_id, event.data.timesheet_id) for event in approved})
    touched = {event.agency_id for event in finalised} | {event.agency_id for event in closed}
    touched |= await facts.self_billed_agencies(tx, keys=arrived)
    await issue_due_self_bills(tx, agencies=touched)


SUBSCRIPTION = Subscription(consumer="invoicing", topics=TOPICS, handles=HANDLES, ignores=IGNORES, handler=handle)
