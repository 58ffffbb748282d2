"""What the API takes and gives. Money is a string of pounds and pence."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from paybill_common.periods import BadPeriod, week_of

_NO_CONTROL = r"^[^\x00-\x1f\x7f]+$"
Text = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_NO_CONTROL, strip_whitespace=True)]
AddressLine = Annotated[
    str, StringConstraints(min_length=1, max_length=100, pattern=_NO_CONTROL, strip_whitespace=True)
]
VatNumber = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}[0-9A-Z ]{5,18}$")]
Prefix = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9-]{0,11}$")]
Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,79}$")]
Gbp = Annotated[Decimal, Field(max_digits=12, decimal_places=2, examples=["1250.00"])]
Positive = Annotated[Decimal, Field(gt=0, max_digits=12, decimal_places=2, examples=["1250.00"])]
Day = Annotated[date, Field(ge=date(2000, 1, 1), le=date(2100, 1, 1))]


def _a_week(day: date) -> date:
    try:
        week_of(day)
    except BadPeriod as error:
        raise ValueError(str(error)) from error
    return day


WeekEnding = Annotated[Day, AfterValidator(_a_week)]


class In(BaseModel):
    """A request body: unknown fields are refused, so that a typo is not silent."""

    model_config = ConfigDict(extra="forbid")


class Out(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class IssuerIn(In):
    """The agency as it stands on its documents. Without a VAT number its documents carry no VAT."""

    external_id: Text | None = None
    legal_name: Text
    address: list[AddressLine] = Field(min_length=1, max_length=7)
    vat_number: VatNumber | None = None
    company_number: Text | None = None
    email: Text | None = None
    phone: Text | None = None
    accent: Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")] = "#0b6e6e"
    account_name: Text
    sort_code: Annotated[str, StringConstraints(pattern=r"^\d{2}-?\d{2}-?\d{2}$")]
    account_number: Annotated[str, StringConstraints(pattern=r"^\d{8}$")]
    bank_name: Text | None = None
    iban: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}\d{2}[A-Z0-9 ]{10,40}$")] | None = None
    invoice_prefix: Prefix = "INV"
    credit_note_prefix: Prefix = "CN"
    self_bill_prefix: Prefix = "SB"

    @model_validator(mode="after")
    def _prefixes_differ(self) -> IssuerIn:
        if len({self.invoice_prefix, self.credit_note_prefix, self.self_bill_prefix}) < 3:
            raise ValueError("invoice_prefix, credit_note_prefix and self_bill_prefix must differ")
        return self


class IssuerOut(IssuerIn):
    model_config = ConfigDict(from_attributes=True, extra="ignore")
    changed_at: datetime


class TermsIn(In):
    """How a client is billed."""

    external_id: Text | None = None
    legal_name: Text
    address: list[AddressLine] = Field(min_length=1, max_length=7)
    vat_number: VatNumber | None = None
    company_number: Text | None = None
    email: Text | None = None
    attention: Text | None = None
    customer_reference: Text | None = None
    purchase_order: Code | None = Field(None, description="Used where a timesheet carries none of its own")
    po_required: bool = False
    group_by: Literal["client", "site", "worker"] = "client"
    payment_days: int = Field(30, ge=0, le=180)
    vat_treatment: Literal["standard", "zero", "exempt", "reverse_charge"] = "standard"

    @model_validator(mode="after")
    def _reverse_charge(self) -> TermsIn:
        if self.vat_treatment == "reverse_charge" and self.vat_number is None:
            raise ValueError("vat_number is required: under the reverse charge the customer accounts for the VAT")
        return self


class TermsLine(TermsIn):
    client_id: UUID


class TermsOut(TermsIn):
    model_config = ConfigDict(from_attributes=True, extra="ignore")
    client_id: UUID
    changed_at: datetime


class SupplierIn(In):
    """An umbrella, limited company or CIS subcontractor. Without a VAT number its self-bills carry no VAT. `agreement_to` is exclusive."""

    external_id: Text | None = None
    legal_name: Text
    address: list[AddressLine] = Field(min_length=1, max_length=7)
    vat_number: VatNumber | None = None
    company_number: Text | None = None
    email: Text | None = None
    agreement_reference: Text | None = None
    agreement_from: Day | None = None
    agreement_to: Day | None = None
    vat_treatment: Literal["standard", "reverse_charge"] | None = Field(
        None,
        description="Of a VAT-registered CIS subcontractor somebody has to decide: a supply of labour is standard-rated, construction "
        "services to this agency are under the domestic reverse charge. Others are standard-rated.",
    )

    @model_validator(mode="after")
    def _period(self) -> SupplierIn:
        if self.agreement_to is not None and (self.agreement_from is None or self.agreement_to <= self.agreement_from):
            raise ValueError("agreement_to must lie after agreement_from")
        return self


class SupplierLine(SupplierIn):
    payee_id: UUID


class SupplierOut(SupplierIn):
    model_config = ConfigDict(from_attributes=True, extra="ignore")
    payee_id: UUID
    changed_at: datetime


class BatchIn(In):
    """Up to 1,000 records; each is accepted or refused by itself."""

    items: list[dict[str, Any]] = Field(min_length=1, max_length=1_000)


class ReceiptLine(BaseModel):
    """What became of one record of a batch; rows count from 1."""

    row: int
    status: Literal["accepted", "duplicate", "refused"]
    column: str | None = None
    value: str | None = None
    reason: str | None = None
    hint: str | None = None
    record_id: UUID | None = None


class BatchOut(BaseModel):
    accepted: int
    duplicate: int
    refused: int
    receipts: list[ReceiptLine]


class AcceptIn(In):
    """A named person accepts that control totals and own totals differ."""

    by: Text
    reason: Text


class RunIn(In):
    week_ending: WeekEnding
    external_id: Text | None = Field(None, description="Of a run that this opens; one that is there keeps its own")
    accept_difference: AcceptIn | None = None
    supplementary: bool = Field(
        False, description="Open one more run after a closed one when something became ready since"
    )


class TotalsOut(Out):
    timesheets: int
    billable_minutes: int
    billable_units: Decimal
    charge_gbp: Decimal


class DifferenceOut(Out):
    figure: str
    control: str
    own: str


class MoneyOut(BaseModel):
    documents: int
    net_gbp: Decimal
    vat_gbp: Decimal
    gross_gbp: Decimal


class HeldReasonOut(Out):
    code: str
    timesheets: int
    minutes: int
    charge_gbp: Decimal


class PlannedOut(BaseModel):
    client_id: UUID
    kind: Literal["invoice", "credit_note"]
    lines: int
    minutes: int
    net_gbp: Decimal
    vat_gbp: Decimal
    gross_gbp: Decimal


class PreviewOut(BaseModel):
    """What a run would do now. `control` is null while the cut-off has not arrived; `can_issue` says whether it would run."""

    week_ending: date
    can_issue: bool
    blocked_by: list[str]
    control: TotalsOut | None
    own: TotalsOut
    differences: list[DifferenceOut]
    ready_timesheets: int
    held_timesheets: int
    held_minutes: int
    held_charge_gbp: Decimal
    held_by_reason: list[HeldReasonOut]
    left_out_workers: list[UUID]
    billed_before: MoneyOut
    this_run: MoneyOut
    billed_after: MoneyOut
    documents: list[PlannedOut]


class RunOut(Out):
    """A run. While `status` is open, `clients_done` of `clients` shows how far it is. `began_at` and `progressed_at` are real time,
    whatever business time the instance lives in: a rate needs it. Runs from before they were kept have neither."""

    invoice_run_id: UUID
    external_id: str | None
    week_ending: date
    ordinal: int
    status: Literal["open", "closed"]
    opened_at: datetime
    opened_by: str
    closed_at: datetime | None
    began_at: datetime | None
    progressed_at: datetime | None
    differences: list[DifferenceOut]
    accepted_by: str | None
    accepted_reason: str | None
    left_out_workers: list[UUID]
    clients: int
    clients_done: int
    invoices: int
    credit_notes: int
    net_gbp: Decimal
    vat_gbp: Decimal
    billed_minutes: int
    held_minutes: int


class DocumentLineOut(Out):
    ordinal: int
    kind: Literal["charge", "reversal", "pay", "adjustment"]
    charge_line_id: UUID | None
    timesheet_id: UUID | None
    version: int | None
    reverses_document_id: UUID | None
    reverses_ordinal: int | None
    worker_id: UUID
    worker_name: str
    worker_reference: str
    job_title: str
    site_name: str
    timesheet_reference: str
    purchase_order: str | None
    element: str
    rate_code: str
    rate_unit: str
    minutes: int
    units: Decimal | None
    rate_gbp: Decimal
    net_gbp: Decimal
    first_on: date
    last_on: date


class DocumentOut(Out):
    document_id: UUID
    external_id: str | None
    kind: Literal["invoice", "credit_note", "self_bill"]
    number: str
    client_id: UUID | None
    payee_id: UUID | None
    payee_kind: str | None
    party_name: str
    invoice_run_id: UUID | None
    pay_run_id: UUID | None
    issued_on: date
    tax_point_on: date
    due_on: date
    week_ending: date
    purchase_order: str | None
    vat_treatment: str
    vat_percent: Decimal | None
    net_gbp: Decimal
    vat_gbp: Decimal
    gross_gbp: Decimal
    reverse_charge_vat_gbp: Decimal | None
    paid_gbp: Decimal
    credited_gbp: Decimal
    balance_gbp: Decimal
    deducted_gbp: Decimal
    payable_gbp: Decimal
    credits_document_id: UUID | None
    reason_code: str | None


class DeductionOut(Out):
    """What is kept back of a self-bill's payment: the CIS deduction with the rate and the labour it was worked on, or of a deemed
    employee tax and National Insurance."""

    code: Literal["cis", "paye_tax", "employee_nic"]
    amount_gbp: Decimal
    rate_pct: int | None
    labour_gbp: Decimal | None


class DocumentDetailOut(DocumentOut):
    deductions: list[DeductionOut]
    supplier: dict[str, Any]
    customer: dict[str, Any]
    reason: str | None
    lines: list[DocumentLineOut]


class CreditIn(In):
    reason_code: Code
    external_id: Text | None = Field(None, description="The credit note's id in your own system")
    reason: Text | None = Field(None, description="Printed on the credit note; never on the bus")
    lines: list[Annotated[int, Field(ge=1, le=100_000)]] | None = Field(
        None, min_length=1, max_length=5_000, description="Ordinals of the invoice's lines; all when absent"
    )
    rebill: bool = Field(False, description="The next run bills these charges again; otherwise they are written off")


class AllocationIn(In):
    document_id: UUID
    amount_gbp: Positive


class ReceiptIn(In):
    receipt_id: UUID | None = Field(None, description="Made by the caller: the same receipt twice is recorded once")
    external_id: Text | None = None
    client_id: UUID
    received_on: Day
    amount_gbp: Positive
    reference: Text | None = None
    allocations: list[AllocationIn] | None = Field(
        None, max_length=500, description="Oldest due invoices first when absent; an empty list leaves it on account"
    )

    @model_validator(mode="after")
    def _each_once(self) -> ReceiptIn:
        ids = [allocation.document_id for allocation in self.allocations or ()]
        if len(ids) != len(set(ids)):
            raise ValueError("allocations name the same invoice twice")
        return self


class AllocationOut(Out):
    document_id: UUID
    amount_gbp: Decimal


class ReceiptOut(Out):
    receipt_id: UUID
    external_id: str | None
    client_id: UUID
    received_on: date
    amount_gbp: Decimal
    reference: str | None
    recorded_by: str
    recorded_at: datetime
    unallocated_gbp: Decimal
    allocations: list[AllocationOut]


class AccountOut(Out):
    account: str
    debit_gbp: Decimal
    credit_gbp: Decimal
    balance_gbp: Decimal


class TrialBalanceOut(BaseModel):
    as_of: date | None
    accounts: list[AccountOut]
    difference_gbp: Decimal
    balanced: bool


class EntryOut(Out):
    entry_id: UUID
    source_kind: str
    source_id: UUID
    account: str
    amount_gbp: Decimal
    posted_on: date
    client_id: UUID | None
    payee_id: UUID | None


class TieOutOut(Out):
    """Per charge line of the billed current versions: approved charge against invoiced net. All is well at zero."""

    week_ending: date | None
    lines: int
    approved_gbp: Decimal
    invoiced_gbp: Decimal
    differing: int
    ledger_gbp: Decimal


class PendingSelfBillOut(Out):
    pay_run_id: UUID
    payee_id: UUID | None
    payee_name: str | None
    net_gbp: Decimal
    reasons: list[str]


class BillStateOut(BaseModel):
    """Billing's view of one timesheet's current version."""

    timesheet_id: UUID
    version: int
    reference: str
    worker_id: UUID
    client_id: UUID
    week_ending: date
    state: Literal["ready", "held", "billed"]
    reasons: list[dict[str, Any]]
    billable_minutes: int
    charge_gbp: Decimal
    purchase_order: str | None
