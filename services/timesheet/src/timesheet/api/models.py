"""What goes in and out of timesheet's HTTP doors. Money and rates are strings; dates are ISO; times are HH:MM."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, StringConstraints, model_validator

from timesheet.domain.entries import Entry, Expense, Shift, UnitEntry
from timesheet.domain.vocabulary import Applies, RateUnit

NO_CONTROL = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"
Name = Annotated[
    str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True, pattern=r"^[^\x00-\x1f\x7f]*$")
]
ShortName = Annotated[
    str, StringConstraints(min_length=1, max_length=120, strip_whitespace=True, pattern=r"^[^\x00-\x1f\x7f]*$")
]
ExternalId = Annotated[
    str, StringConstraints(min_length=1, max_length=120, strip_whitespace=True, pattern=r"^[^\x00-\x1f\x7f]*$")
]
CodeText = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,79}$")]
SlugText = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,40}$")]
Email = Annotated[
    str,
    StringConstraints(
        max_length=200,
        pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){1,8}$",
    ),
]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True, pattern=NO_CONTROL)]
Note = Annotated[str, StringConstraints(max_length=500, strip_whitespace=True, pattern=NO_CONTROL)]
Day = Annotated[date, Field(ge=date(1990, 1, 1), le=date(2099, 12, 31))]
WeekEnding = Annotated[date, Field(ge=date(1990, 1, 7), le=date(2099, 12, 27), description="A Sunday")]
Search = Annotated[
    str | None,
    Query(max_length=80, pattern=r"^[^\x00-\x1f\x7f]*$", description="Part of a name or reference"),
]
GbpText = Annotated[Decimal, PlainSerializer(lambda value: f"{value:.2f}", return_type=str)]
UnitsText = Annotated[Decimal, PlainSerializer(lambda value: f"{value:.4f}", return_type=str)]
GbpIn = Annotated[Decimal, Field(ge=0, le=100_000, max_digits=8, decimal_places=2)]
Clock = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
Fold = Annotated[
    int, Field(ge=0, le=1, description="When the clocks go back: 0 the first time (BST), 1 the second (GMT)")
]


class Body(BaseModel):
    """A request body: a field that nobody reads is refused, so that a typing error is not silent."""

    model_config = ConfigDict(extra="forbid")


class AgencyIn(Body):
    name: Name
    reference: CodeText | None = None
    external_id: ExternalId | None = None
    bureau_id: UUID | None = Field(None, description="The bureau that runs this agency")
    bank_holiday_division: Literal["england-and-wales", "scotland", "northern-ireland"] = "england-and-wales"


class ClientIn(Body):
    name: Name
    reference: CodeText | None = None
    external_id: ExternalId | None = None
    status: Literal["active", "closed"] = "active"
    approver_name: ShortName | None = Field(None, description="Who approves hours, where a placement names nobody")
    approver_email: Email | None = None


class SiteIn(Body):
    client_id: UUID
    name: Name
    reference: CodeText | None = None
    external_id: ExternalId | None = None


class ConsultantIn(Body):
    name: Name
    reference: CodeText | None = None
    external_id: ExternalId | None = None
    email: Email | None = None
    branch: CodeText | None = None


class PayeeIn(Body):
    """An umbrella or limited company. Its bank details go to pay-calc, its legal name and VAT number to invoicing."""

    name: Name
    reference: CodeText | None = None
    external_id: ExternalId | None = None
    kind: Literal["umbrella", "limited", "cis"]


class WorkerIn(Body):
    """NI number, birth date and bank details go straight to pay-calc, never here."""

    name: Name
    reference: CodeText | None = None
    external_id: ExternalId | None = None
    status: Literal["active", "left"] = "active"
    started_on: Day | None = None
    left_on: Day | None = Field(None, description="Exclusive")
    email: Email | None = None

    @model_validator(mode="after")
    def _order(self) -> WorkerIn:
        if self.started_on and self.left_on and self.left_on <= self.started_on:
            raise ValueError("left_on is not after started_on")
        return self


class PlacementIn(Body):
    """Who works where, on what basis, from when until when."""

    worker_id: UUID
    client_id: UUID
    name: Name = Field(description="Job title")
    reference: CodeText | None = None
    external_id: ExternalId | None = None
    site_id: UUID | None = None
    consultant_id: UUID | None = None
    branch: CodeText | None = None
    pay_basis: Literal["paye", "umbrella", "limited", "cis"] = "paye"
    payee_id: UUID | None = Field(None, description="Who is paid, when pay_basis is not paye")
    holiday_pay: Literal["rolled_up", "accrued", "none"] = "rolled_up"
    sds: Literal["inside", "outside", "not_required"] | None = Field(
        None,
        description="The client's status determination of a limited company's worker: inside or outside IR35; not_required: a small or "
        "wholly overseas client. Without one the worker's pay is held.",
    )
    purchase_order: CodeText | None = None
    starts_on: Day
    ends_on: Day | None = Field(None, description="Exclusive: the first day that is no longer in the placement")
    status: Literal["active", "ended"] = "active"
    rate_card_id: UUID | None = Field(None, description="Overrides the placement's own card and the client's")
    approver_name: ShortName | None = None
    approver_email: Email | None = None
    booked_minutes: Annotated[int, Field(ge=0, le=10_080)] | None = Field(None, description="Booked minutes a week")

    @model_validator(mode="after")
    def _consistent(self) -> PlacementIn:
        if self.ends_on is not None and self.ends_on <= self.starts_on:
            raise ValueError("ends_on is not after starts_on")
        if (self.pay_basis == "paye") != (self.payee_id is None):
            raise ValueError("a payee is named when, and only when, pay_basis is not paye")
        if self.sds is not None and self.pay_basis != "limited":
            raise ValueError("sds is of a limited company's placement")
        return self


class RecordOut(BaseModel):
    """What every record answers; `version` goes up with each change."""

    model_config = ConfigDict(from_attributes=True)
    version: int
    changed_at: datetime


class AgencyOut(RecordOut):
    agency_id: UUID
    name: str
    reference: str
    external_id: str | None
    bureau_id: UUID | None
    bank_holiday_division: str


class ClientOut(RecordOut):
    client_id: UUID
    name: str
    reference: str
    external_id: str | None
    status: str
    approver_name: str | None
    approver_email: str | None


class SiteOut(RecordOut):
    site_id: UUID
    client_id: UUID
    name: str
    reference: str
    external_id: str | None


class ConsultantOut(RecordOut):
    consultant_id: UUID
    name: str
    reference: str
    external_id: str | None
    email: str | None
    branch: str | None


class PayeeOut(RecordOut):
    payee_id: UUID
    name: str
    reference: str
    external_id: str | None
    kind: str


class WorkerOut(RecordOut):
    worker_id: UUID
    name: str
    reference: str
    external_id: str | None
    status: str
    started_on: date | None
    left_on: date | None
    email: str | None


class PlacementOut(RecordOut):
    placement_id: UUID
    worker_id: UUID
    client_id: UUID
    name: str
    reference: str
    external_id: str | None
    site_id: UUID | None
    consultant_id: UUID | None
    branch: str | None
    pay_basis: str
    payee_id: UUID | None
    holiday_pay: str
    sds: str | None
    purchase_order: str | None
    starts_on: date
    ends_on: date | None
    status: str
    rate_card_id: UUID | None
    approver_name: str | None
    approver_email: str | None
    booked_minutes: int | None


DecimalText = Annotated[str, StringConstraints(pattern=r"^-?\d{1,9}(\.\d{1,4})?$", max_length=16)]


class RateIn(Body):
    """A named rate. Both sides, or one side with a markup (share of pay) or a margin (share of the charge)."""

    code: SlugText
    label: ShortName | None = None
    unit: Literal["hour", "day", "each"] = "hour"
    pay_rate: DecimalText | None = Field(None, examples=["12.7100"])
    charge_rate: DecimalText | None = Field(None, examples=["18.5000"])
    markup_pct: DecimalText | None = None
    margin_pct: DecimalText | None = None
    applies: Literal["both", "pay_only", "bill_only"] = "both"
    element: str | None = Field(None, max_length=20, pattern=r"^[a-z_]*$")


class RateCardVersionIn(Body):
    """A version of a rate card, and the card it belongs to. The version takes over from `effective_from`."""

    name: ShortName
    external_id: ExternalId | None = None
    client_id: UUID | None = None
    placement_id: UUID | None = None
    effective_from: Day
    effective_to: Day | None = Field(None, description="Exclusive")
    standard_code: SlugText = "standard"
    minutes_per_day: Annotated[int, Field(ge=4, le=1440)] = 480
    rates: Annotated[list[RateIn], Field(min_length=1, max_length=100)]
    rules: dict[str, Any] | None = Field(
        None,
        description="Premium rules: choose, priority, and rules of type daily_overtime, weekly_overtime, day_of_week, "
        "bank_holiday, night, minimum_call_out or allowance",
        examples=[
            {
                "rules": [
                    {"type": "daily_overtime", "rule_id": "ot", "after_minutes": 480, "pay_multiplier": "1.5"},
                    {"type": "bank_holiday", "rule_id": "bh", "pay_multiplier": "2"},
                ]
            }
        ],
    )

    @model_validator(mode="after")
    def _one_owner(self) -> RateCardVersionIn:
        if self.client_id is not None and self.placement_id is not None:
            raise ValueError("a card is of a client or of a placement, not of both")
        return self


class RateCardVersionOut(BaseModel):
    version: int
    effective_from: date
    effective_to: date | None = Field(description="As declared; a later version takes over on its own first day")
    recorded_at: datetime
    recorded_by: str
    superseded_at: datetime | None = Field(description="When a correction of the same first day replaced it")
    card: dict[str, Any]


class RateCardHead(BaseModel):
    """A card in a list. Neither client nor placement: the placements that use it name it."""

    model_config = ConfigDict(from_attributes=True)
    rate_card_id: UUID
    external_id: str | None
    name: str
    client_id: UUID | None
    placement_id: UUID | None


class RateCardOut(BaseModel):
    rate_card_id: UUID
    external_id: str | None
    name: str
    client_id: UUID | None
    placement_id: UUID | None
    versions: list[RateCardVersionOut]


class ImportRowIn(Body):
    row: Annotated[int, Field(ge=1, le=10_000_000, description="The row's number in the file")]
    values: Annotated[
        dict[
            Annotated[str, StringConstraints(max_length=80)], Annotated[str, StringConstraints(max_length=500)] | None
        ],
        Field(max_length=60),
    ] = Field(description="Cells as text, by column")


class ImportIn(Body):
    import_id: UUID = Field(description="One id for the whole file; made by the sender")
    rows: Annotated[list[ImportRowIn], Field(min_length=1, max_length=1000)]


class ImportReceiptOut(BaseModel):
    """The answer to one row."""

    model_config = ConfigDict(from_attributes=True)
    row: int
    status: Literal["accepted", "duplicate", "refused"]
    record_id: UUID | None
    code: str | None
    column: str | None
    value: str | None
    reason: str | None
    hint: str | None


class ImportOut(BaseModel):
    import_id: UUID
    accepted: int
    duplicate: int
    refused: int
    receipts: list[ImportReceiptOut]


class EntryIn(Body):
    """Work of one day: start and finish, or units. Times are London's; a finish before the start is the next morning."""

    worked_on: Day
    start: Clock | None = None
    finish: Clock | None = None
    finish_on: Day | None = None
    break_minutes: Annotated[int, Field(ge=-1_000_000, le=1_000_000)] = 0
    break_start: Clock | None = None
    start_fold: Fold | None = None
    finish_fold: Fold | None = None
    unit: Literal["hour", "day", "each"] | None = None
    units: Annotated[Decimal, Field(max_digits=12, decimal_places=4)] | None = None
    rate_code: SlugText | None = Field(None, description="Enters the time straight at this rate of the card")

    @model_validator(mode="after")
    def _clock_or_units(self) -> EntryIn:
        if (self.start is None) != (self.finish is None):
            raise ValueError("start and finish come together")
        if (self.start is None) == (self.units is None):
            raise ValueError("give start and finish, or units")
        return self

    def entry(self) -> Entry:
        """The entry as the domain knows it."""
        if self.start is None or self.finish is None:
            units = self.units if self.units is not None else Decimal(0)
            return UnitEntry(self.worked_on, RateUnit(self.unit or "hour"), units, self.rate_code)
        return Shift(
            on=self.worked_on,
            start=time.fromisoformat(self.start),
            finish=time.fromisoformat(self.finish),
            break_minutes=self.break_minutes,
            break_start=time.fromisoformat(self.break_start) if self.break_start else None,
            finish_on=self.finish_on,
            start_fold=self.start_fold,
            finish_fold=self.finish_fold,
            rate_code=self.rate_code,
        )


class ExpenseIn(Body):
    spent_on: Day
    code: SlugText = Field(examples=["mileage"])
    description: Note | None = None
    pay_gbp: GbpIn = Decimal(0)
    charge_gbp: GbpIn = Decimal(0)
    applies: Literal["both", "pay_only", "bill_only"] = "both"

    def expense(self) -> Expense:
        """The expense as the domain knows it."""
        return Expense(self.spent_on, self.code, self.pay_gbp, self.charge_gbp, Applies(self.applies))


class NewExpenseIn(ExpenseIn):
    expense_id: UUID | None = Field(None, description="Made by the sender; the same id again is the same expense")
    external_id: ExternalId | None = Field(
        None, description="Its id in your own system; sent again it is the same expense"
    )


class NewExpenseOut(BaseModel):
    expense_id: UUID
    status: Literal["accepted", "duplicate"]


WorkedDespiteHold = Field(
    None,
    description="Why hours are recorded that a hold of compliance blocks: they were worked. Needs timesheets:approve and is "
    "kept as evidence; without such a hold it does nothing",
)


class EntriesIn(Body):
    entries: Annotated[list[EntryIn], Field(max_length=200)]
    expenses: Annotated[list[ExpenseIn], Field(max_length=100)] | None = Field(
        None, description="Replaces the expenses too; left out, they stay"
    )
    external_id: ExternalId | None = Field(None, description="The timesheet's id elsewhere; left out, it stays")
    worked_despite_hold: Reason | None = WorkedDespiteHold


class EvidenceIn(Body):
    """How it is known that the hours are right. `client`: the client approved elsewhere, and the agency vouches for it."""

    kind: Literal["client", "agency"] = "agency"
    name: ShortName | None = Field(None, description="Who of the client approved; needed for kind client")
    note: Note | None = Field(None, description="For example: gate log checked, signed paper sheet on file")

    @model_validator(mode="after")
    def _named(self) -> EvidenceIn:
        if self.kind == "client" and self.name is None:
            raise ValueError("name who of the client approved")
        return self


class BatchIn(Body):
    timesheet_ids: Annotated[list[UUID], Field(min_length=1, max_length=1000)]


class SubmitIn(Body):
    worked_despite_hold: Reason | None = WorkedDespiteHold


class SubmitBatchIn(BatchIn, SubmitIn):
    pass


class ApproveBatchIn(BatchIn):
    evidence: EvidenceIn = EvidenceIn()


class ApproveIn(Body):
    evidence: EvidenceIn = EvidenceIn()


class RejectIn(Body):
    reason_code: CodeText = "other"
    reason: Reason = Field(description="What the worker is told; never leaves this service")


class AmendIn(Body):
    """The whole new state of an approved week; empty lists void it."""

    entries: Annotated[list[EntryIn], Field(max_length=200)]
    expenses: Annotated[list[ExpenseIn], Field(max_length=100)] = []
    reason_code: CodeText = "correction"
    reason: Reason


class BatchReceiptOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    timesheet_id: UUID
    status: Literal["accepted", "duplicate", "refused"]
    reference: str | None
    code: str | None
    reason: str | None
    hint: str | None


class BatchOut(BaseModel):
    accepted: int
    duplicate: int
    refused: int
    receipts: list[BatchReceiptOut]


class HoldReasonOut(BaseModel):
    code: str
    blocks: list[str]
    requirement: str | None = None


class TimesheetOut(BaseModel):
    """A timesheet in a list. Minutes and money are provisional until it is approved."""

    timesheet_id: UUID
    reference: str
    external_id: str | None
    week_ending: date
    status: str
    version: int
    placement_id: UUID
    placement_reference: str
    job_title: str
    worker_id: UUID
    worker: str
    client_id: UUID
    client: str
    site_id: UUID | None
    site: str | None
    consultant_id: UUID | None
    consultant: str | None
    source: str
    minutes: int
    booked_minutes: int | None
    pay_gbp: GbpText
    charge_gbp: GbpText
    submitted_at: datetime | None
    decided_at: datetime | None
    chased_at: datetime | None
    not_worked_at: datetime | None = Field(description="Status not_worked: since when, and who said so")
    not_worked_by: str | None
    reason_code: str | None
    reason: str | None
    held: bool = Field(description="Compliance holds the current version")
    holds: list[HoldReasonOut]


class EntryOut(BaseModel):
    worked_on: date
    start: str | None = None
    finish: str | None = None
    finish_on: date | None = None
    break_minutes: int | None = None
    break_start: str | None = None
    start_fold: int | None = None
    finish_fold: int | None = None
    unit: str | None = None
    units: str | None = None
    rate_code: str | None = None


class ExpenseOut(BaseModel):
    expense_id: UUID
    external_id: str | None
    spent_on: date
    code: str
    description: str | None
    pay_gbp: GbpText
    charge_gbp: GbpText
    applies: str


class DayMinutesOut(BaseModel):
    worked_on: date
    minutes: int


class LineOut(BaseModel):
    """A charge line, and the same in words."""

    charge_line_id: UUID
    ordinal: int
    kind: str
    element: str
    rate_code: str
    rate_unit: str
    minutes: int
    units: str | None
    pay_rate: str
    basic_pay_rate: str
    charge_rate: str
    pay_gbp: str
    charge_gbp: str
    payable: bool
    billable: bool
    rate_card_id: UUID
    rate_card_version: int
    rule_id: str
    days: list[DayMinutesOut]
    explanation: str


class VersionOut(BaseModel):
    version: int
    approved_at: datetime
    approved_by: str
    evidence_id: UUID
    reason_code: str | None
    reason: str | None
    entries: list[EntryOut]
    lines: list[LineOut]
    worked_minutes: int
    payable_minutes: int
    billable_minutes: int
    pay_gbp: GbpText
    charge_gbp: GbpText


class EvidenceOut(BaseModel):
    """Who decided, when, from where, and what they saw. Decision `recorded`: hours taken although compliance blocks them."""

    model_config = ConfigDict(from_attributes=True)
    evidence_id: UUID
    version: int
    decision: str
    kind: str
    decided_at: datetime
    by_subject: str
    by_name: str
    ip: str | None
    user_agent: str | None
    approval_request_id: UUID | None
    note: str | None
    seen: dict[str, Any]
    seen_sha256: str


class TimesheetStory(TimesheetOut):
    """One timesheet's whole story in this service."""

    entries: list[EntryOut]
    expenses: list[ExpenseOut]
    problems: list[str] = Field(description="What keeps the hours from being charged as they stand")
    lines: list[LineOut] = Field(description="Charged when approved; what they would be at today's rates before")
    versions: list[VersionOut]
    evidence: list[EvidenceOut]
    entry_blocks: list[HoldReasonOut] = Field(description="What compliance asks for before new hours of this worker")


class OpenedOut(BaseModel):
    week_ending: date
    created: int
    existing: int
    remaining: int = Field(description="Still to be opened; call again")


class ApprovalRequestsIn(Body):
    resend: bool = Field(False, description="Remind approvers whose last e-mail listed all that waits, too")
    approval_request_id: UUID | None = Field(None, description="Only this approver; else all for whom timesheets wait")


class AskedOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    approval_request_id: UUID
    approver_name: str
    approver_email: str
    timesheets: int
    sent: bool


class ApprovalRequestsOut(BaseModel):
    week_ending: date
    sent: int
    without_approver: int = Field(description="Submitted timesheets whose client and placement name no approver")
    requests: list[AskedOut]


class ApproverOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    approval_request_id: UUID
    approver_name: str
    approver_email: str
    timesheets: int = Field(description="Wait for this approver")
    new: int = Field(description="Of these, what the last e-mail did not list")
    last_asked_at: datetime | None
    times_asked: int


class ApproversOut(BaseModel):
    """For whom submitted timesheets of a week wait, by e-mail."""

    week_ending: date
    without_approver: int = Field(description="Submitted timesheets whose client and placement name no approver")
    items: list[ApproverOut]
    next_cursor: str | None


class MissingGroup(BaseModel):
    id: UUID | None
    name: str | None
    no_hours: int
    not_approved: int


class MissingItem(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    placement_id: UUID
    placement_reference: str
    job_title: str
    timesheet_id: UUID | None
    reference: str | None
    status: str | None
    chased_at: datetime | None
    worker_id: UUID
    worker: str
    client_id: UUID
    client: str
    consultant_id: UUID | None
    consultant: str | None
    has_worker_email: bool
    has_approver: bool


class MissingOut(BaseModel):
    """What has not come: no timesheet, no hours, rejected, or waiting for approval."""

    week_ending: date
    groups: list[MissingGroup]
    items: list[MissingItem]
    next_cursor: str | None


class ChaseIn(Body):
    client_id: UUID | None = None
    consultant_id: UUID | None = None
    timesheet_ids: Annotated[list[UUID], Field(min_length=1, max_length=1000)] | None = None


class ChaseOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    chased: int
    chased_before: int
    no_address: int
    not_opened: int


class PageLinkIn(Body):
    """`token`: what reporting made for this worker. The address that it becomes part of is ours, never the caller's."""

    token: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{40,200}$")]
    good_until: Day


class PageLinkOut(BaseModel):
    sent: bool = Field(description="False: no e-mail address is on file, so nothing was sent")


class TotalsOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    timesheets: int
    payable_minutes: int
    billable_minutes: int
    payable_units: UnitsText
    billable_units: UnitsText
    pay_gbp: GbpText
    charge_gbp: GbpText


class CutOffOut(BaseModel):
    sequence: int
    cut_off_at: datetime
    cut_off_by: str
    totals: TotalsOut


class ControlTotalsOut(BaseModel):
    """What is approved now beside what the last cut-off fixed."""

    week_ending: date
    now: TotalsOut
    statuses: dict[str, int]
    cut_off: CutOffOut | None
    agrees: bool = Field(description="What is approved now is what the cut-off fixed")
