"""Pay facts. Owner: pay-calc. Key: worker (pay runs: agency)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime

from paybill_contracts.base import Code, EventData, Gbp, Minutes, Model, PayBasis, Reason, WorkerKeyed

_NOTHING = Decimal(0)


class PayCharge(Model):
    """One charge line's share of a payslip or self-bill.

    A pay line sums units by placement, element and rate and rounds once; `pay_gbp` is this charge line's share of it and
    `rounding_gbp` the penny that summing moved (zero when the pay line has one source). A correction of a finalised
    version carries the reversed amount with `reverses=True`.
    """

    charge_line_id: UUID
    timesheet_id: UUID
    version: int
    minutes: Minutes
    pay_gbp: Gbp
    rounding_gbp: Gbp
    reverses: bool = False


class CisDeduction(Model):
    """What the Construction Industry Scheme takes of a payment to a subcontractor: `rate_pct` of the labour, down to the penny."""

    labour_gbp: Gbp
    materials_gbp: Gbp
    rate_pct: Literal[0, 20, 30]
    deduction_gbp: Gbp


class PayFigures(WorkerKeyed):
    """The whole result for one worker and pay period."""

    payslip_id: UUID
    revision: int
    pay_basis: PayBasis
    payee_id: UUID | None = None
    frequency: Literal["weekly", "fortnightly", "four_weekly", "monthly"]
    period_from: date
    period_to: date
    """Exclusive."""
    payday_on: date
    tax_year: Code | None = None
    tax_period: int | None = None
    gross_gbp: Gbp
    holiday_pay_gbp: Gbp
    """Part of gross: rolled-up holiday pay."""
    tax_gbp: Gbp
    employee_nic_gbp: Gbp
    employer_nic_gbp: Gbp
    other_deductions_gbp: Gbp
    employer_pension_gbp: Gbp
    levy_gbp: Gbp
    net_gbp: Gbp
    """Paid to the worker; for a self-bill what is paid before VAT: gross, less the CIS deduction or, of a deemed payment, tax and
    employee NIC. The self-bill itself is of gross."""
    cost_gbp: Gbp
    """What the agency bears: gross, employer NIC, employer pension and levy. Margin = charge - cost."""
    engine_version: Code
    parameter_version: Code
    charges: tuple[PayCharge, ...]
    statutory_pay_gbp: Gbp = _NOTHING
    """Part of gross: statutory sick and family pay, which no charge line carries. From minor version 1."""
    cis: CisDeduction | None = None
    """Of a CIS subcontractor. From minor version 2."""
    holiday_taken_pay_gbp: Gbp = _NOTHING
    """Part of gross: pay for leave taken, and for leave left on leaving, which no charge line carries. From minor version 2."""
    leave_earned_minutes: Minutes | None = None
    """What the worker's leave ledger has earned, this payslip in it; None: no leave is accrued. From minor version 2."""
    leave_taken_minutes: Minutes | None = None
    """What of it is used up. From minor version 2."""

    def subject(self) -> str:
        return str(self.payslip_id)


class PayCalculated(PayFigures):
    """The draft for a worker and period changed. It replaces the earlier draft by `revision`."""

    TYPE: ClassVar[str] = "paybill.pay.calculated.v1"
    MINOR: ClassVar[int] = 2
    TOPIC: ClassVar[str] = "paybill.pay"


class PayFinalised(PayFigures):
    """A pay run closed with this result; it never changes again."""

    TYPE: ClassVar[str] = "paybill.pay.finalised.v1"
    MINOR: ClassVar[int] = 2
    TOPIC: ClassVar[str] = "paybill.pay"

    pay_run_id: UUID
    finalised_at: AwareDatetime


class HeldTimesheet(Model):
    timesheet_id: UUID
    version: int
    minutes: Minutes
    pay_gbp: Gbp
    reasons: tuple[Reason, ...]


class PayHeld(WorkerKeyed):
    """Which approved timesheets of a worker's open period are not in the draft, and why. Empty: nothing is held."""

    TYPE: ClassVar[str] = "paybill.pay.held.v1"
    TOPIC: ClassVar[str] = "paybill.pay"

    payslip_id: UUID
    period_to: date
    held: tuple[HeldTimesheet, ...]

    def subject(self) -> str:
        return str(self.payslip_id)


class PaymentInstructed(EventData):
    """A payment was put into a payment file. No bank detail travels here."""

    TYPE: ClassVar[str] = "paybill.payment.instructed.v1"
    TOPIC: ClassVar[str] = "paybill.pay"

    payment_id: UUID
    payment_file_id: UUID
    pay_run_id: UUID
    payee_kind: Literal["worker", "supplier"]
    payee_id: UUID
    amount_gbp: Gbp
    funds_on: date

    def partition_key(self) -> str:
        return str(self.payee_id)

    def subject(self) -> str:
        return str(self.payment_id)


class PayRunClosed(EventData):
    TYPE: ClassVar[str] = "paybill.pay_run.closed.v1"
    TOPIC: ClassVar[str] = "paybill.pay-run"

    pay_run_id: UUID
    period_to: date
    payday_on: date
    funds_on: date
    closed_at: AwareDatetime
    payslips: int
    self_bills: int
    held_timesheets: int
    gross_gbp: Gbp
    net_gbp: Gbp
    paid_minutes: Minutes
    held_minutes: Minutes
    difference_accepted: bool

    def partition_key(self) -> str:
        return str(self.agency_id)

    def subject(self) -> str:
        return str(self.pay_run_id)
