"""A small agency's week as facts on the bus: every state that a timesheet can be in, made from a seed of nothing but numbers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from paybill_common.bus import Record
from paybill_common.envelope import Batch, decode, encode
from paybill_common.ids import derived_id
from paybill_common.money import from_pence, line_pence
from paybill_common.service import Runtime
from paybill_contracts import EventData
from paybill_contracts.base import PayBasis, Reason
from paybill_contracts.events import (
    AgencyChanged,
    BillHeld,
    BillReady,
    ComplianceAlert,
    ComplianceCleared,
    ComplianceHeld,
    CreditNoteIssued,
    DirectoryEntry,
    InvoiceIssued,
    InvoicePaid,
    InvoiceRunClosed,
    PayCalculated,
    PayFinalised,
    PayHeld,
    PaymentInstructed,
    PayRunClosed,
    SelfBillIssued,
    TimesheetAmended,
    TimesheetApproved,
    TimesheetExpected,
    TimesheetRejected,
    TimesheetSubmitted,
    WeekCutOff,
    WorkerChanged,
)
from paybill_contracts.invoicing import BilledCharge
from paybill_contracts.pay import HeldTimesheet, PayCharge
from paybill_contracts.timesheet import ChargeLine

WEEK = date(2026, 4, 5)
PAYDAY = date(2026, 4, 10)
MONDAY = datetime(2026, 4, 6, 8, 0, tzinfo=UTC)
BRANCHES = ("Leeds", "Hull", "York")
BASES: tuple[PayBasis, ...] = ("paye", "paye", "paye", "umbrella", "limited")


@dataclass(frozen=True)
class Fact:
    """One event to be: its data, its sequence and when it happened."""

    data: EventData
    sequence: int
    at: datetime

    def record(self, offset: int) -> Record:
        value = encode(
            self.data,
            event_id=derived_id("fact", self.data.TYPE, self.data.subject(), self.sequence),
            source="world",
            sequence=self.sequence,
            time=self.at,
            traceparent=None,
            correlation_id="world",
        )
        return Record(self.data.TOPIC, 0, offset, self.data.partition_key(), value.encode(), ())


def batch_of(facts: Iterable[Fact]) -> Batch:
    """A consumer's batch of these facts, through the real envelope."""
    return Batch([decode(fact.record(offset)) for offset, fact in enumerate(facts)])


def batches_of(facts: Sequence[Fact], size: int = 200) -> Iterator[Batch]:
    for start in range(0, len(facts), size):
        yield batch_of(facts[start : start + size])


@dataclass
class World:
    """Builds facts for one agency and week. `size` timesheets, one a placement; workers 0, 10, 20… have two."""

    name: str = "Northern Industrial (demo)"
    size: int = 40
    week: date = WEEK
    facts: list[Fact] = field(default_factory=list)
    _versions: dict[str, int] = field(default_factory=dict)

    def copy(self) -> World:
        """A world that tells its own facts from here on."""
        return replace(self, facts=list(self.facts), _versions=dict(self._versions))

    @property
    def agency(self) -> UUID:
        return derived_id("world-agency", self.name)

    def id(self, kind: str, *parts: object) -> UUID:
        return derived_id("world", self.name, kind, *parts)

    def tell(self, data: EventData, *, hours: int = 0, sequence: int | None = None) -> None:
        """Append a fact; the sequence counts up for each subject and topic."""
        key = f"{data.TOPIC}/{data.subject()}"
        number = sequence if sequence is not None else self._versions.get(key, 0) + 1
        self._versions[key] = number
        self.facts.append(Fact(data, number, MONDAY + timedelta(hours=hours)))

    # Who and what a timesheet is about

    def worker_of(self, n: int) -> UUID:
        return self.id("worker", n - 1 if n % 10 == 1 else n)

    def timesheet_id(self, n: int) -> UUID:
        return self.id("timesheet", n, self.week)

    def basis(self, n: int) -> PayBasis:
        return BASES[(n - 1 if n % 10 == 1 else n) % len(BASES)]

    def head(self, n: int, version: int = 1) -> dict[str, object]:
        basis = self.basis(n)
        return {
            "agency_id": self.agency,
            "worker_id": self.worker_of(n),
            "timesheet_id": self.timesheet_id(n),
            "version": version,
            "placement_id": self.id("placement", n),
            "client_id": self.id("client", n % 6),
            "consultant_id": self.id("consultant", n % 4),
            "branch": BRANCHES[n % 3],
            "week_ending": self.week,
            "pay_basis": basis,
            "payee_id": None if basis == "paye" else self.id("payee", basis),
            "reference": f"TS-{n:05d}",
            "purchase_order": f"PO-{n % 6:03d}",
        }

    def lines(self, n: int, version: int = 1, extra_minutes: int = 0) -> tuple[ChargeLine, ...]:
        basic = Decimal("12.71") + Decimal(n % 7) / 4
        hours = [("basic", 2220 + 30 * (n % 5), 1), ("overtime", 120 + extra_minutes, Decimal("1.5"))]
        made = []
        for ordinal, (element, minutes, factor) in enumerate(hours):
            pay, charge = basic * factor, basic * factor * Decimal("1.32")
            pay, charge = pay.quantize(Decimal("0.0001")), charge.quantize(Decimal("0.0001"))
            made.append(
                ChargeLine(
                    charge_line_id=self.id("line", self.week, n, version, ordinal),
                    ordinal=ordinal,
                    kind="time",
                    element=element,
                    rate_code="day" if element == "basic" else "overtime",
                    rate_unit="hour",
                    minutes=minutes,
                    pay_rate=pay,
                    basic_pay_rate=basic,
                    charge_rate=charge,
                    pay_gbp=from_pence(line_pence(pay, minutes=minutes)),
                    charge_gbp=from_pence(line_pence(charge, minutes=minutes)),
                    payable=True,
                    billable=True,
                    rate_card_id=self.id("rate-card", n % 6),
                    rate_card_version=3,
                    rule_id=f"{element}-rule",
                )
            )
        return tuple(made)

    # What happens

    def directory(self, kind: str, entry_id: UUID, name: str, reference: str) -> None:
        self.tell(
            DirectoryEntry(agency_id=self.agency, kind=kind, entry_id=entry_id, display_name=name, reference=reference)
        )

    def people(self) -> None:
        self.tell(AgencyChanged(agency_id=self.agency, reference="NORTH"))
        self.directory("agency", self.agency, self.name, "NORTH")
        for c in range(6):
            self.directory("client", self.id("client", c), f"Client {c:02d} Example Ltd", f"C-{c:03d}")
        for c in range(4):
            self.directory("consultant", self.id("consultant", c), f"Consultant {c:02d} Testcase", f"U-{c:02d}")
        for basis in ("umbrella", "limited"):
            self.directory("payee", self.id("payee", basis), f"{basis.title()} Example Ltd", f"P-{basis}")
        for n in range(self.size):
            if n % 10 != 1:
                reference = f"W-{n:05d}"
                worker = WorkerChanged(
                    agency_id=self.agency, worker_id=self.worker_of(n), reference=reference, status="active"
                )
                self.tell(worker)
                self.directory("worker", self.worker_of(n), f"Worker {n:05d} Testcase", reference)

    def expect(self, n: int) -> None:
        self.tell(TimesheetExpected(**self.head(n), expected_at=MONDAY), hours=0)

    def answer(self, n: int, *, worked: bool) -> None:
        """The agency says that the worker of an expected timesheet did not work, or takes it back."""
        at = MONDAY + timedelta(hours=1)
        self.tell(TimesheetExpected(**self.head(n), expected_at=at, not_worked_at=None if worked else at), hours=1)

    def submit(self, n: int) -> None:
        lines = self.lines(n)
        self.tell(
            TimesheetSubmitted(
                **self.head(n),
                submitted_at=MONDAY + timedelta(hours=2),
                source="file",
                minutes=sum(line.minutes for line in lines),
                pay_gbp=sum(line.pay_gbp for line in lines),
                charge_gbp=sum(line.charge_gbp for line in lines),
            ),
            hours=2,
        )

    def reject(self, n: int) -> None:
        self.tell(
            TimesheetRejected(
                **self.head(n),
                rejected_at=MONDAY + timedelta(hours=5),
                rejected_by="client",
                reason_code="hours_do_not_match",
            ),
            hours=5,
        )

    def approve(self, n: int, version: int = 1, *, extra_minutes: int = 0, amends: int | None = None) -> None:
        lines = self.lines(n, version, extra_minutes)
        minutes = sum(line.minutes for line in lines)
        common: dict[str, object] = {
            **self.head(n, version),
            "approved_at": MONDAY + timedelta(hours=6 if amends is None else 30),
            "approved_by": "client",
            "evidence_id": self.id("evidence", n, version),
            "holiday_pay": "rolled_up",
            "lines": lines,
            "worked_minutes": minutes,
            "payable_minutes": minutes,
            "billable_minutes": minutes,
            "pay_gbp": sum(line.pay_gbp for line in lines),
            "charge_gbp": sum(line.charge_gbp for line in lines),
        }
        if amends is None:
            self.tell(TimesheetApproved(**common), hours=6)
        else:
            self.tell(TimesheetAmended(**common, amends_version=amends, reason_code="hours_corrected"), hours=30)

    def clear(self, n: int, version: int = 1) -> None:
        self.tell(
            ComplianceCleared(
                agency_id=self.agency,
                worker_id=self.worker_of(n),
                timesheet_id=self.timesheet_id(n),
                version=version,
                decided_at=MONDAY + timedelta(hours=7),
                audit_entry=n + 1,
            ),
            hours=7,
        )

    def reason(self, n: int) -> Reason:
        return Reason(
            code="missing_document",
            blocks=("pay", "bill"),
            requirement="right_to_work",
            subject_id=self.worker_of(n),
        )

    def hold(self, n: int, version: int = 1) -> None:
        lines = self.lines(n, version)
        minutes, pay = sum(line.minutes for line in lines), sum(line.pay_gbp for line in lines)
        who = {"agency_id": self.agency, "worker_id": self.worker_of(n)}
        self.tell(
            ComplianceHeld(
                **who,
                timesheet_id=self.timesheet_id(n),
                version=version,
                decided_at=MONDAY + timedelta(hours=7),
                audit_entry=n + 1,
                blocks=("pay", "bill"),
                reasons=(self.reason(n),),
            ),
            hours=7,
        )
        held = HeldTimesheet(
            timesheet_id=self.timesheet_id(n), version=version, minutes=minutes, pay_gbp=pay, reasons=(self.reason(n),)
        )
        self.tell(
            PayHeld(**who, payslip_id=self.payslip_id(n), period_to=self.week + timedelta(days=1), held=(held,)),
            hours=7,
        )
        self.tell(
            BillHeld(
                **who,
                timesheet_id=self.timesheet_id(n),
                version=version,
                client_id=self.id("client", n % 6),
                minutes=minutes,
                charge_gbp=sum(line.charge_gbp for line in lines),
                decided_at=MONDAY + timedelta(hours=7),
                reasons=(self.reason(n),),
            ),
            hours=7,
        )

    def payslip_id(self, n: int) -> UUID:
        return self.id("payslip", self.worker_of(n), self.week)

    def pay(self, numbers: Sequence[int], *, final: bool, revision: int = 1) -> None:
        """One payslip with the timesheets of one worker."""
        n = numbers[0]
        charges = tuple(
            PayCharge(
                charge_line_id=line.charge_line_id,
                timesheet_id=self.timesheet_id(m),
                version=1,
                minutes=line.minutes,
                pay_gbp=line.pay_gbp,
                rounding_gbp=Decimal("0.00"),
            )
            for m in numbers
            for line in self.lines(m)
        )
        pay = sum((charge.pay_gbp for charge in charges), Decimal(0))
        basis = self.basis(n)
        paye = basis == "paye"
        tax = (pay / 10).quantize(Decimal("0.01")) if paye else Decimal(0)
        nic = (pay / 20).quantize(Decimal("0.01")) if paye else Decimal(0)
        employer = (pay * Decimal("0.115")).quantize(Decimal("0.01")) if paye else Decimal(0)
        figures: dict[str, object] = {
            "agency_id": self.agency,
            "worker_id": self.worker_of(n),
            "payslip_id": self.payslip_id(n),
            "revision": revision,
            "pay_basis": basis,
            "payee_id": None if paye else self.id("payee", basis),
            "frequency": "weekly",
            "period_from": self.week - timedelta(days=6),
            "period_to": self.week + timedelta(days=1),
            "payday_on": self.week + timedelta(days=5),
            "tax_year": "2026-27",
            "tax_period": 1,
            "gross_gbp": pay,
            "holiday_pay_gbp": Decimal(0),
            "tax_gbp": tax,
            "employee_nic_gbp": nic,
            "employer_nic_gbp": employer,
            "other_deductions_gbp": Decimal(0),
            "employer_pension_gbp": Decimal(0),
            "levy_gbp": Decimal(0),
            "net_gbp": pay - tax - nic,
            "cost_gbp": pay + employer,
            "engine_version": "1",
            "parameter_version": "2026-27.1",
            "charges": charges,
        }
        if final:
            run = {"pay_run_id": self.id("pay-run", self.week), "finalised_at": MONDAY + timedelta(hours=72)}
            self.tell(PayFinalised(**figures, **run), hours=72)
        else:
            self.tell(PayCalculated(**figures), hours=8)

    def bill_ready(self, n: int) -> None:
        lines = self.lines(n)
        self.tell(
            BillReady(
                agency_id=self.agency,
                worker_id=self.worker_of(n),
                timesheet_id=self.timesheet_id(n),
                version=1,
                client_id=self.id("client", n % 6),
                minutes=sum(line.minutes for line in lines),
                charge_gbp=sum(line.charge_gbp for line in lines),
                decided_at=MONDAY + timedelta(hours=8),
            ),
            hours=8,
        )

    def write_off(self, n: int) -> None:
        """What billing says of a timesheet that a credit note without rebill left with nothing to bill."""
        lines = self.lines(n)
        self.tell(
            BillHeld(
                agency_id=self.agency,
                worker_id=self.worker_of(n),
                timesheet_id=self.timesheet_id(n),
                version=1,
                client_id=self.id("client", n % 6),
                minutes=sum(line.minutes for line in lines),
                charge_gbp=sum(line.charge_gbp for line in lines),
                decided_at=MONDAY + timedelta(hours=90),
                reasons=(Reason(code="credited", blocks=("bill",)),),
            ),
            hours=90,
            sequence=2,
        )

    def charges(self, numbers: Iterable[int], *, side: str = "charge", sign: int = 1) -> tuple[BilledCharge, ...]:
        return tuple(
            BilledCharge(
                charge_line_id=line.charge_line_id,
                timesheet_id=self.timesheet_id(m),
                version=1,
                worker_id=self.worker_of(m),
                minutes=sign * line.minutes,
                net_gbp=sign * (line.charge_gbp if side == "charge" else line.pay_gbp),
            )
            for m in numbers
            for line in self.lines(m)
        )

    def _document(self, number: str, charges: tuple[BilledCharge, ...]) -> dict[str, object]:
        net = sum((charge.net_gbp for charge in charges), Decimal(0))
        vat = (net / 5).quantize(Decimal("0.01"))
        return {
            "agency_id": self.agency,
            "document_id": self.id("document", number),
            "number": number,
            "issued_on": date(2026, 4, 9),
            "tax_point_on": date(2026, 4, 9),
            "net_gbp": net,
            "vat_gbp": vat,
            "gross_gbp": net + vat,
            "charges": charges,
            "ledger_balanced": True,
        }

    def invoice(self, client: int, numbers: Sequence[int]) -> None:
        self.tell(
            InvoiceIssued(
                **self._document(f"NI-{client + 1:06d}", self.charges(numbers)),
                client_id=self.id("client", client),
                invoice_run_id=self.id("invoice-run", self.week),
                due_on=date(2026, 5, 9),
                week_ending=self.week,
            ),
            hours=73,
        )

    def credit(self, client: int, numbers: Sequence[int]) -> None:
        self.tell(
            CreditNoteIssued(
                **self._document(f"NC-{client + 1:06d}", self.charges(numbers, sign=-1)),
                client_id=self.id("client", client),
                credits_document_id=self.id("document", f"NI-{client + 1:06d}"),
                reason_code="wrong_rate",
            ),
            hours=80,
        )

    def self_bill(self, basis: PayBasis, numbers: Sequence[int]) -> None:
        self.tell(
            SelfBillIssued(
                **self._document(f"SB-{basis}", self.charges(numbers, side="pay")),
                payee_id=self.id("payee", basis),
                payee_kind=basis,
                pay_run_id=self.id("pay-run", self.week),
            ),
            hours=74,
        )

    def receive(self, client: int, amount: Decimal) -> None:
        self.tell(
            InvoicePaid(
                agency_id=self.agency,
                document_id=self.id("document", f"NI-{client + 1:06d}"),
                client_id=self.id("client", client),
                receipt_id=self.id("receipt", client),
                paid_on=date(2026, 4, 20),
                amount_gbp=amount,
                balance_gbp=Decimal(0),
            ),
            hours=90,
        )

    # The whole week

    def state_of(self, n: int) -> str:
        """What becomes of timesheet n: of ten one is never sent, one waits, one is rejected, one is held."""
        return {2: "expected", 3: "submitted", 4: "rejected", 5: "held"}.get(n % 10, "approved")

    def of(self, *states: str) -> list[int]:
        return [n for n in range(self.size) if self.state_of(n) in states]

    def monday(self) -> World:
        """Everything up to drafts and bill-ready; nothing closed."""
        self.people()
        for n in range(self.size):
            self.expect(n)
        for n in self.of("submitted", "rejected", "held", "approved"):
            self.submit(n)
        for n in self.of("rejected"):
            self.reject(n)
        for n in self.of("held", "approved"):
            self.approve(n)
        for n in self.of("held"):
            self.hold(n)
            self.tell(
                ComplianceAlert(
                    agency_id=self.agency,
                    worker_id=self.worker_of(n),
                    alert_id=self.id("alert", n),
                    code="document_expires",
                    requirement="right_to_work",
                    raised_at=MONDAY,
                )
            )
        for n in self.of("approved"):
            self.clear(n)
        for numbers in self.payslips():
            self.pay(numbers, final=False)
        for n in self.of("approved"):
            self.bill_ready(n)
        return self

    def payslips(self) -> list[list[int]]:
        grouped: dict[UUID, list[int]] = {}
        for n in self.of("approved"):
            grouped.setdefault(self.worker_of(n), []).append(n)
        return list(grouped.values())

    def cut_off(self) -> World:
        approved = self.of("approved", "held")
        lines = [line for n in approved for line in self.lines(n)]
        minutes = sum(line.minutes for line in lines)
        self.tell(
            WeekCutOff(
                agency_id=self.agency,
                week_ending=self.week,
                cut_off_at=MONDAY + timedelta(hours=70),
                timesheets=len(approved),
                payable_minutes=minutes,
                billable_minutes=minutes,
                payable_units=Decimal(0),
                billable_units=Decimal(0),
                pay_gbp=sum(line.pay_gbp for line in lines),
                charge_gbp=sum(line.charge_gbp for line in lines),
            ),
            hours=70,
        )
        return self

    def thursday(self) -> World:
        """Cut-off, the pay run, self-bills, the invoice run, one receipt."""
        self.cut_off()
        gross = net = Decimal(0)
        minutes = 0
        for numbers in self.payslips():
            self.pay(numbers, final=True)
            data = self.facts[-1].data
            assert isinstance(data, PayFinalised)
            gross, net = gross + data.gross_gbp, net + data.net_gbp
            minutes += sum(charge.minutes for charge in data.charges)
            if data.pay_basis == "paye":
                self.tell(
                    PaymentInstructed(
                        agency_id=self.agency,
                        payment_id=self.id("payment", data.payslip_id),
                        payment_file_id=self.id("payment-file", self.week),
                        pay_run_id=self.id("pay-run", self.week),
                        payee_kind="worker",
                        payee_id=data.worker_id,
                        amount_gbp=data.net_gbp,
                        funds_on=PAYDAY,
                    ),
                    hours=75,
                )
        for basis in ("umbrella", "limited"):
            self.self_bill(basis, [n for n in self.of("approved") if self.basis(n) == basis])
        held = [line for n in self.of("held") for line in self.lines(n)]
        self.tell(
            PayRunClosed(
                agency_id=self.agency,
                pay_run_id=self.id("pay-run", self.week),
                period_to=self.week + timedelta(days=1),
                payday_on=PAYDAY,
                funds_on=PAYDAY,
                closed_at=MONDAY + timedelta(hours=72),
                payslips=len(self.payslips()),
                self_bills=2,
                held_timesheets=len(self.of("held")),
                gross_gbp=gross,
                net_gbp=net,
                paid_minutes=minutes,
                held_minutes=sum(line.minutes for line in held),
                difference_accepted=False,
            ),
            hours=72,
        )
        for client in range(6):
            self.invoice(client, [n for n in self.of("approved") if n % 6 == client])
        net = sum((line.charge_gbp for n in self.of("approved") for line in self.lines(n)), Decimal(0))
        self.tell(
            InvoiceRunClosed(
                agency_id=self.agency,
                invoice_run_id=self.id("invoice-run", self.week),
                week_ending=self.week,
                closed_at=MONDAY + timedelta(hours=73),
                invoices=6,
                net_gbp=net,
                vat_gbp=(net / 5).quantize(Decimal("0.01")),
                billed_minutes=minutes,
                held_minutes=sum(line.minutes for line in held),
                difference_accepted=False,
            ),
            hours=73,
        )
        self.receive(0, Decimal("1000.00"))
        return self


Feed = Callable[..., Awaitable[None]]


async def rows(runtime: Runtime, sql: str, **params: Any) -> list[Any]:
    """Read as the worker role."""
    async with runtime.worker_database.transaction(now=runtime.clock.now()) as tx:
        return list(await tx.execute(sql, **params))
