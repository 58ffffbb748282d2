"""Every event of Paybill, by owner. Importing this module registers them all."""

from paybill_contracts.compliance import ComplianceAlert, ComplianceCleared, ComplianceHeld
from paybill_contracts.control import AgencyChanged, WeekCutOff
from paybill_contracts.directory import DirectoryEntry
from paybill_contracts.invoicing import (
    BillHeld,
    BillReady,
    CreditNoteIssued,
    InvoiceIssued,
    InvoicePaid,
    InvoiceRunClosed,
    SelfBillIssued,
)
from paybill_contracts.pay import PayCalculated, PayFinalised, PayHeld, PaymentInstructed, PayRunClosed
from paybill_contracts.placement import ClientChanged, PlacementChanged, WorkerChanged
from paybill_contracts.timesheet import (
    TimesheetAmended,
    TimesheetApproved,
    TimesheetExpected,
    TimesheetRejected,
    TimesheetSubmitted,
)

__all__ = [
    "AgencyChanged",
    "BillHeld",
    "BillReady",
    "ClientChanged",
    "ComplianceAlert",
    "ComplianceCleared",
    "ComplianceHeld",
    "CreditNoteIssued",
    "DirectoryEntry",
    "InvoiceIssued",
    "InvoicePaid",
    "InvoiceRunClosed",
    "PayCalculated",
    "PayFinalised",
    "PayHeld",
    "PayRunClosed",
    "PaymentInstructed",
    "PlacementChanged",
    "SelfBillIssued",
    "TimesheetAmended",
    "TimesheetApproved",
    "TimesheetExpected",
    "TimesheetRejected",
    "TimesheetSubmitted",
    "WeekCutOff",
    "WorkerChanged",
]
