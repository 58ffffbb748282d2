"""What pay-calc reads from the bus."""

from __future__ import annotations

from pay_calc.usecases.apply_facts import handle
from pay_calc.usecases.close_run import CONSUMER
from paybill_common.consumer import Subscription
from paybill_contracts import events

SUBSCRIPTION = Subscription(
    consumer=CONSUMER,
    topics=(
        "paybill.timesheet",
        "paybill.compliance",
        "paybill.placement",
        "paybill.control",
        "paybill.directory",
        "paybill.invoice",
    ),
    handles=frozenset(
        {
            events.TimesheetApproved,
            events.TimesheetAmended,
            events.ComplianceCleared,
            events.ComplianceHeld,
            events.WorkerChanged,
            events.PlacementChanged,
            events.WeekCutOff,
            events.DirectoryEntry,
            events.SelfBillIssued,
        }
    ),
    # Of placements only a later status determination matters: an approved timesheet carries all else that pay needs of its placement.
    # Ignored: what is not approved pays nothing; alerts block nothing; invoices and credits are the client's side.
    ignores=frozenset(
        {
            events.TimesheetExpected,
            events.TimesheetSubmitted,
            events.TimesheetRejected,
            events.ComplianceAlert,
            events.AgencyChanged,
            events.InvoiceIssued,
            events.CreditNoteIssued,
            events.InvoicePaid,
        }
    ),
    handler=handle,
)
