"""Facts about a timesheet. Owner: timesheet. Key: worker."""

from __future__ import annotations

from datetime import date
from typing import ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime

from paybill_contracts.base import Code, Gbp, Minutes, Model, PayBasis, Rate, Sds, Units, WorkerKeyed


class DayMinutes(Model):
    """Minutes of one charge line that were worked on one day."""

    worked_on: date
    minutes: Minutes


class ChargeLine(Model):
    """One rate of an approved week, charged once at approval; pay and billing never re-derive hours.

    Hour lines: amount = minutes x rate / 60, rounded half up to the penny once. Day and each lines: units x rate.
    `basic_pay_rate` is the rate without its premium, for the minimum wage test.
    """

    charge_line_id: UUID
    ordinal: int
    kind: Literal["time", "call_out", "allowance", "expense"]
    element: Literal["basic", "overtime", "weekend", "bank_holiday", "night", "call_out", "allowance", "expense"]
    rate_code: Code
    rate_unit: Literal["hour", "day", "each"]
    minutes: Minutes
    units: Units | None = None
    pay_rate: Rate
    basic_pay_rate: Rate
    charge_rate: Rate
    pay_gbp: Gbp
    charge_gbp: Gbp
    payable: bool
    billable: bool
    rate_card_id: UUID
    rate_card_version: int
    rule_id: Code
    days: tuple[DayMinutes, ...] = ()


class TimesheetFacts(WorkerKeyed):
    """What every reader of a timesheet needs, whichever event carries it: the whole state at this version."""

    timesheet_id: UUID
    version: int
    placement_id: UUID
    client_id: UUID
    site_id: UUID | None = None
    consultant_id: UUID | None = None
    branch: Code | None = None
    week_ending: date
    pay_basis: PayBasis
    payee_id: UUID | None = None
    """The umbrella or limited company that is paid, when pay_basis is not paye."""
    purchase_order: Code | None = None
    reference: Code
    """The agency's own number of this timesheet, printed on invoices."""

    def subject(self) -> str:
        return str(self.timesheet_id)


class TimesheetExpected(TimesheetFacts):
    """A timesheet was opened for a placement's week and waits for hours; also emitted when it goes back to draft, and when
    the answer is that the worker did not work.
    """

    TYPE: ClassVar[str] = "paybill.timesheet.expected.v1"
    TOPIC: ClassVar[str] = "paybill.timesheet"
    MINOR: ClassVar[int] = 1

    expected_at: AwareDatetime
    not_worked_at: AwareDatetime | None = None
    """Since when it is known that the worker did not work; nothing is waited for then."""


class TimesheetSubmitted(TimesheetFacts):
    TYPE: ClassVar[str] = "paybill.timesheet.submitted.v1"
    TOPIC: ClassVar[str] = "paybill.timesheet"

    submitted_at: AwareDatetime
    source: Literal["api", "file", "portal"]
    minutes: Minutes
    pay_gbp: Gbp
    """What the week would pay at the rates in force; provisional until approval."""
    charge_gbp: Gbp


class TimesheetRejected(TimesheetFacts):
    TYPE: ClassVar[str] = "paybill.timesheet.rejected.v1"
    TOPIC: ClassVar[str] = "paybill.timesheet"

    rejected_at: AwareDatetime
    rejected_by: Literal["client", "agency"]
    reason_code: Code


class ApprovedFacts(TimesheetFacts):
    """The charged week: the lines that pay and billing use, their totals and the evidence of approval."""

    approved_at: AwareDatetime
    approved_by: Literal["client", "agency"]
    evidence_id: UUID
    holiday_pay: Literal["rolled_up", "accrued", "none"]
    lines: tuple[ChargeLine, ...]
    worked_minutes: Minutes
    """Minutes actually worked: time lines only."""
    payable_minutes: Minutes
    billable_minutes: Minutes
    pay_gbp: Gbp
    charge_gbp: Gbp
    sds: Sds | None = None
    """Of a limited company's placement; None: nobody decided. From minor version 1."""


class TimesheetApproved(ApprovedFacts):
    TYPE: ClassVar[str] = "paybill.timesheet.approved.v1"
    MINOR: ClassVar[int] = 1
    TOPIC: ClassVar[str] = "paybill.timesheet"


class TimesheetAmended(ApprovedFacts):
    """A new version of an approved timesheet. It carries the full new state; a reader reverses what it applied itself.

    An amendment to nothing (no lines) voids the week.
    """

    TYPE: ClassVar[str] = "paybill.timesheet.amended.v1"
    MINOR: ClassVar[int] = 1
    TOPIC: ClassVar[str] = "paybill.timesheet"

    amends_version: int
    reason_code: Code
