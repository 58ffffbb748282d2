"""Turn one batch of facts into rows of the read models. Order across topics is never assumed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from paybill_common.db import Tx
from paybill_common.envelope import AnyEvent, Batch
from paybill_common.labels import apply_directory
from paybill_common.money import from_pence, to_pence
from paybill_contracts import EventData
from paybill_contracts.events import (
    AgencyChanged,
    BillHeld,
    BillReady,
    ClientChanged,
    ComplianceAlert,
    ComplianceCleared,
    ComplianceHeld,
    CreditNoteIssued,
    InvoiceIssued,
    InvoicePaid,
    InvoiceRunClosed,
    PayCalculated,
    PayFinalised,
    PayHeld,
    PaymentInstructed,
    PayRunClosed,
    PlacementChanged,
    SelfBillIssued,
    TimesheetAmended,
    TimesheetApproved,
    TimesheetExpected,
    TimesheetRejected,
    TimesheetSubmitted,
    WeekCutOff,
    WorkerChanged,
)
from paybill_contracts.pay import PayFigures
from reporting.domain.allocation import allocate
from reporting.store import facts

Row = dict[str, Any]
Key = tuple[UUID, UUID]

TIMESHEET_STATUS: dict[type[EventData], str] = {
    TimesheetExpected: "expected",
    TimesheetSubmitted: "submitted",
    TimesheetRejected: "rejected",
    TimesheetApproved: "approved",
    TimesheetAmended: "approved",
}
_FACTS = (
    "agency_id",
    "timesheet_id",
    "worker_id",
    "placement_id",
    "client_id",
    "site_id",
    "consultant_id",
    "branch",
    "week_ending",
    "pay_basis",
    "payee_id",
    "purchase_order",
    "reference",
    "version",
)
_DOCUMENT_KINDS: dict[type[EventData], str] = {
    InvoiceIssued: "invoice",
    CreditNoteIssued: "credit_note",
    SelfBillIssued: "self_bill",
}


async def take_facts(tx: Tx, batch: Batch) -> None:
    """Write everything that the batch says. The same batch again, or older facts, change nothing."""
    await apply_directory(tx, batch)
    locked = _timesheets_of(batch)
    await facts.lock_timesheets(tx, locked)
    await _parties(tx, batch)
    await _timesheets(tx, batch)
    await _compliance(tx, batch)
    await _pay(tx, batch, locked)
    await _billing(tx, batch)
    await _runs(tx, batch)
    await _save(tx, facts.save_story, [row for event in batch for row in _story(event)])
    await _beat(tx, batch)


async def _save(tx: Tx, save: Callable[[Tx, Sequence[Row]], Any], rows: Sequence[Row]) -> None:
    if rows:
        await save(tx, rows)


def _row(event: AnyEvent, *names: str, **more: Any) -> Row:
    row = {name: _plain(getattr(event.data, name)) for name in names}
    return {"agency_id": event.agency_id, "sequence": event.sequence, **row, **more}


_AS_IS = frozenset({str, int, bool, UUID, Decimal, date, datetime, type(None)})


def _plain(value: Any) -> Any:
    if type(value) in _AS_IS:
        return value
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value.model_dump(mode="json", exclude_none=True) if isinstance(value, BaseModel) else value


_WITH_CHARGES = frozenset({PayCalculated, PayFinalised, InvoiceIssued, CreditNoteIssued, SelfBillIssued})
_OF_A_TIMESHEET = frozenset({*TIMESHEET_STATUS, ComplianceCleared, ComplianceHeld, BillReady, BillHeld})


def _timesheets_of(batch: Batch) -> set[Key]:
    """Every timesheet that the batch names, in whatever fact."""
    keys: set[Key] = set()
    for event in batch:
        data, kind = event.data, type(event.data)
        if kind in _WITH_CHARGES:
            keys.update((event.agency_id, charge.timesheet_id) for charge in data.charges)
        elif kind is PayHeld:
            keys.update((event.agency_id, held.timesheet_id) for held in data.held)
        elif kind in _OF_A_TIMESHEET:
            keys.add((event.agency_id, data.timesheet_id))
    return keys


async def _parties(tx: Tx, batch: Batch) -> None:
    await _save(
        tx, facts.save_agencies, [_row(event, "reference", "bureau_id") for event in batch.latest(AgencyChanged)]
    )
    kinds: tuple[tuple[type[EventData], str], ...] = (
        (WorkerChanged, "worker"),
        (ClientChanged, "client"),
        (PlacementChanged, "placement"),
    )
    rows = [
        _row(event, "reference", "status", kind=kind, party_id=getattr(event.data, f"{kind}_id"))
        for cls, kind in kinds
        for event in batch.latest(cls)
    ]
    await _save(tx, facts.save_parties, rows)


def _status(data: EventData) -> str:
    not_worked = isinstance(data, TimesheetExpected) and data.not_worked_at is not None
    return "not_worked" if not_worked else TIMESHEET_STATUS[type(data)]


async def _timesheets(tx: Tx, batch: Batch) -> None:
    newest: list[AnyEvent] = list(batch.latest(*TIMESHEET_STATUS))
    if not newest:
        return
    await facts.save_timesheet_facts(tx, [_row(event, *_FACTS, status=_status(event.data)) for event in newest])
    expected = [_row(event, "timesheet_id", "expected_at") for event in batch.latest(TimesheetExpected)]
    await _save(tx, facts.save_expected, expected)
    submitted = ("timesheet_id", "submitted_at", "source", "minutes", "pay_gbp", "charge_gbp")
    await _save(tx, facts.save_submitted, [_row(event, *submitted) for event in batch.latest(TimesheetSubmitted)])
    rejected = ("timesheet_id", "rejected_at", "rejected_by", "reason_code")
    await _save(tx, facts.save_rejected, [_row(event, *rejected) for event in batch.latest(TimesheetRejected)])
    approved = ("timesheet_id", "version", "approved_at", "approved_by", "worked_minutes", "payable_minutes")
    money = ("billable_minutes", "pay_gbp", "charge_gbp")
    await _save(
        tx,
        facts.save_approved,
        [
            _row(event, *approved, *money, amended=isinstance(event.data, TimesheetAmended))
            for event in batch.latest(TimesheetApproved, TimesheetAmended)
        ],
    )
    lines = [
        {
            "agency_id": event.agency_id,
            "timesheet_id": event.data.timesheet_id,
            "version": event.data.version,
            **line.model_dump(mode="json", exclude={"days", "rate_card_id"}),
        }
        for event in batch.of(TimesheetApproved, TimesheetAmended)
        for line in event.data.lines
    ]
    await _save(tx, facts.save_charge_lines, lines)
    await facts.date_documents(tx)


async def _compliance(tx: Tx, batch: Batch) -> None:
    rows = [
        _row(
            event,
            *("timesheet_id", "worker_id", "version", "decided_at", "reasons"),
            state="held" if isinstance(event.data, ComplianceHeld) else "cleared",
            released_by=getattr(event.data, "released_by", None),
            blocks=list(getattr(event.data, "blocks", ())),
        )
        for event in _newest_version(batch.of(ComplianceCleared, ComplianceHeld))
    ]
    await _save(tx, facts.save_decisions, rows)
    alerts = ("alert_id", "worker_id", "code", "requirement", "timesheet_id", "raised_at")
    await _save(tx, facts.save_alerts, [_row(event, *alerts) for event in batch.latest(ComplianceAlert)])


def _newest_version(events: Iterable[AnyEvent]) -> list[AnyEvent]:
    """For each timesheet the decision on the newest version, and of those the last one."""
    best: dict[Key, AnyEvent] = {}
    for event in events:
        key = (event.agency_id, event.data.timesheet_id)
        known = best.get(key)
        if known is None or (event.data.version, event.sequence) >= (known.data.version, known.sequence):
            best[key] = event
    return list(best.values())


_PAYSLIP = (
    "payslip_id",
    "worker_id",
    "revision",
    "pay_basis",
    "payee_id",
    "frequency",
    "period_from",
    "period_to",
    "payday_on",
    "tax_year",
    "tax_period",
    "gross_gbp",
    "holiday_pay_gbp",
    "tax_gbp",
    "employee_nic_gbp",
    "employer_nic_gbp",
    "other_deductions_gbp",
    "employer_pension_gbp",
    "levy_gbp",
    "net_gbp",
    "cost_gbp",
    "statutory_pay_gbp",
    "holiday_taken_pay_gbp",
    "leave_earned_minutes",
    "leave_taken_minutes",
)


async def _pay(tx: Tx, batch: Batch, locked: set[Key]) -> None:
    best: dict[Key, AnyEvent] = {}
    for event in batch.of(PayCalculated, PayFinalised):
        key = (event.agency_id, event.data.payslip_id)
        known = best.get(key)
        if known is None or _pay_rank(event) >= _pay_rank(known):
            best[key] = event
    recount: set[Key] = set()
    if best:
        newer = await facts.save_payslips(tx, [_payslip_row(event) for event in best.values()])
        taken = [event for key, event in best.items() if key in newer]
        if taken:
            shares = [share for event in taken for share in shares_of(event.agency_id, event.data)]
            lines = [line for event in taken if isinstance(event.data, PayFinalised) for line in _paid_lines(event)]
            recount = await facts.replace_shares(tx, newer, shares=shares, lines=lines)
            recount |= {(share["agency_id"], share["timesheet_id"]) for share in shares}
    if recount:
        await facts.lock_timesheets(tx, recount - locked)
        await facts.count_pay(tx, recount)
    holds = batch.latest(PayHeld)
    if holds:
        touched = await facts.save_pay_holds(
            tx,
            [_row(event, "payslip_id", "worker_id", "period_to") for event in holds],
            [
                {
                    "agency_id": event.agency_id,
                    "payslip_id": event.data.payslip_id,
                    **held.model_dump(include={"timesheet_id", "version", "minutes", "pay_gbp"}),
                    "reasons": _plain(held.reasons),
                }
                for event in holds
                for held in event.data.held
            ],
        )
        if touched:
            await facts.lock_timesheets(tx, touched - locked)
            await facts.count_pay_holds(tx, touched)


def _pay_rank(event: AnyEvent) -> tuple[bool, int]:
    return isinstance(event.data, PayFinalised), event.sequence


def _payslip_row(event: AnyEvent) -> Row:
    final = isinstance(event.data, PayFinalised)
    return _row(
        event,
        *_PAYSLIP,
        cis_gbp=event.data.cis.deduction_gbp if event.data.cis else 0,
        cis_labour_gbp=event.data.cis.labour_gbp if event.data.cis else 0,
        cis_rate_pct=event.data.cis.rate_pct if event.data.cis else None,
        state="finalised" if final else "draft",
        minutes=sum(charge.minutes for charge in event.data.charges),
        pay_run_id=event.data.pay_run_id if final else None,
        finalised_at=event.data.finalised_at if final else None,
    )


def shares_of(agency_id: UUID, pay: PayFigures) -> list[Row]:
    """What each timesheet version has in a payslip: minutes, pay, and its share of the agency's cost by pay."""
    minutes: Counter[tuple[UUID, int]] = Counter()
    pence: defaultdict[tuple[UUID, int], int] = defaultdict(int)
    for charge in pay.charges:
        key = (charge.timesheet_id, charge.version)
        minutes[key] += charge.minutes
        pence[key] += to_pence(charge.pay_gbp)
    keys = sorted(pence)
    costs = allocate(to_pence(pay.cost_gbp), [pence[key] for key in keys])
    return [
        {
            "agency_id": agency_id,
            "payslip_id": pay.payslip_id,
            "timesheet_id": key[0],
            "version": key[1],
            "finalised": isinstance(pay, PayFinalised),
            "minutes": minutes[key],
            "pay_gbp": from_pence(pence[key]),
            "cost_gbp": from_pence(cost),
        }
        for key, cost in zip(keys, costs, strict=True)
    ]


def _paid_lines(event: AnyEvent) -> list[Row]:
    return [
        {"agency_id": event.agency_id, "payslip_id": event.data.payslip_id, **charge.model_dump(mode="json")}
        for charge in event.data.charges
    ]


async def _billing(tx: Tx, batch: Batch) -> None:
    rows = [
        _row(
            event,
            *("timesheet_id", "worker_id", "version", "decided_at"),
            decision="held" if isinstance(event.data, BillHeld) else "ready",
            reasons=_plain(getattr(event.data, "reasons", ())),
        )
        for event in _newest_version(batch.of(BillReady, BillHeld))
    ]
    await _save(tx, facts.save_bill_decisions, rows)
    documents = {event.data.document_id: event for event in batch.of(InvoiceIssued, CreditNoteIssued, SelfBillIssued)}
    if documents:
        new = await facts.save_documents(tx, [_document_row(event) for event in documents.values()])
        lines = [
            {
                "agency_id": event.agency_id,
                "document_id": document_id,
                "kind": _DOCUMENT_KINDS[type(event.data)],
                **charge.model_dump(mode="json"),
            }
            for document_id, event in documents.items()
            if document_id in new
            for charge in event.data.charges
        ]
        await _save(tx, facts.save_billed_lines, _merged(lines))
        touched = {(line["agency_id"], UUID(line["timesheet_id"])) for line in lines}
        if touched:
            await facts.count_billed(tx, touched)
            await facts.date_documents(tx)
    receipts = ("receipt_id", "document_id", "client_id", "paid_on", "amount_gbp", "balance_gbp")
    await _save(tx, facts.save_receipts, [_row(event, *receipts) for event in batch.of(InvoicePaid)])


def _merged(lines: Sequence[Row]) -> list[Row]:
    """One row a document and charge line: a document that names a line twice bills the sum."""
    merged: dict[tuple[Any, ...], Row] = {}
    for line in lines:
        key = (line["document_id"], line["timesheet_id"], line["version"], line["charge_line_id"])
        known = merged.get(key)
        if known is None:
            merged[key] = dict(line)
        else:
            known["minutes"] += line["minutes"]
            known["net_gbp"] = str(from_pence(_pence(known["net_gbp"]) + _pence(line["net_gbp"])))
    return list(merged.values())


def _pence(text: str) -> int:
    return to_pence(Decimal(text))


def _document_row(event: AnyEvent) -> Row:
    data = event.data
    row = _row(event, "document_id", "number", "issued_on", "tax_point_on", "net_gbp", "vat_gbp", "gross_gbp")
    optional = ("client_id", "payee_id", "payee_kind", "credits_document_id", "reason_code", "week_ending", "due_on")
    return {
        **row,
        "payable_gbp": getattr(data, "payable_gbp", None),
        **{name: getattr(data, name, None) for name in optional},
        "kind": _DOCUMENT_KINDS[type(data)],
        "run_id": getattr(data, "invoice_run_id", None) or getattr(data, "pay_run_id", None),
        "minutes": sum(charge.minutes for charge in data.charges),
        "lines_gbp": from_pence(sum(to_pence(charge.net_gbp) for charge in data.charges)),
        "ledger_balanced": data.ledger_balanced,
    }


async def _runs(tx: Tx, batch: Batch) -> None:
    pay_run = (
        *("pay_run_id", "period_to", "payday_on", "funds_on", "closed_at", "payslips", "self_bills"),
        *("held_timesheets", "gross_gbp", "net_gbp", "paid_minutes", "held_minutes", "difference_accepted"),
    )
    await _save(tx, facts.save_pay_runs, [_row(event, *pay_run) for event in batch.latest(PayRunClosed)])
    payment = ("payment_id", "payment_file_id", "pay_run_id", "payee_kind", "payee_id", "amount_gbp", "funds_on")
    await _save(tx, facts.save_payments, [_row(event, *payment) for event in batch.latest(PaymentInstructed)])
    invoice_run = (
        *("invoice_run_id", "week_ending", "closed_at", "invoices", "net_gbp", "vat_gbp", "billed_minutes"),
        *("held_minutes", "difference_accepted"),
    )
    await _save(tx, facts.save_invoice_runs, [_row(event, *invoice_run) for event in batch.latest(InvoiceRunClosed)])
    cut_off = (
        *("week_ending", "cut_off_at", "timesheets", "payable_minutes", "billable_minutes", "pay_gbp"),
        "charge_gbp",
    )
    await _save(tx, facts.save_cut_offs, [_row(event, *cut_off) for event in batch.latest(WeekCutOff)])


_STORY: dict[type[EventData], tuple[str, tuple[str, ...]]] = {
    TimesheetExpected: ("expected", ()),
    TimesheetSubmitted: ("submitted", ("source", "minutes", "pay_gbp", "charge_gbp")),
    TimesheetRejected: ("rejected", ("rejected_by", "reason_code")),
    TimesheetApproved: ("approved", ("version", "approved_by", "worked_minutes", "pay_gbp", "charge_gbp")),
    TimesheetAmended: ("amended", ("version", "approved_by", "worked_minutes", "pay_gbp", "charge_gbp", "reason_code")),
    ComplianceCleared: ("cleared", ("version", "released_by", "reasons")),
    ComplianceHeld: ("held", ("version", "blocks", "reasons")),
    BillReady: ("bill_ready", ("version", "minutes", "charge_gbp")),
    BillHeld: ("bill_held", ("version", "minutes", "charge_gbp", "reasons")),
}


def _story(event: AnyEvent) -> list[Row]:
    """What this fact adds to the story of each timesheet that it names."""
    data = event.data
    if isinstance(data, TimesheetExpected) and data.not_worked_at is not None:
        return [_chapter(event, data.timesheet_id, "not_worked", {})]
    known = _STORY.get(type(data))
    if known is not None:
        kind, names = known
        detail = {name: _plain(getattr(data, name)) for name in names}
        return [_chapter(event, data.timesheet_id, kind, {k: v for k, v in detail.items() if v not in (None, [])})]
    if isinstance(data, PayHeld):
        return [
            _chapter(
                event,
                held.timesheet_id,
                "pay_held",
                {"version": held.version, "pay_gbp": held.pay_gbp, "reasons": _plain(held.reasons)},
            )
            for held in data.held
        ]
    if isinstance(data, PayFinalised):
        return [
            _chapter(
                event,
                share["timesheet_id"],
                "paid",
                {
                    "payslip_id": data.payslip_id,
                    "payday_on": data.payday_on,
                    "version": share["version"],
                    "minutes": share["minutes"],
                    "pay_gbp": share["pay_gbp"],
                },
            )
            for share in _last_of_each(shares_of(event.agency_id, data))
        ]
    if isinstance(data, (InvoiceIssued, CreditNoteIssued, SelfBillIssued)):
        totals: defaultdict[UUID, int] = defaultdict(int)
        for charge in data.charges:
            totals[charge.timesheet_id] += to_pence(charge.net_gbp)
        return [
            _chapter(
                event,
                timesheet_id,
                _DOCUMENT_KINDS[type(data)],
                {"document_id": data.document_id, "number": data.number, "net_gbp": from_pence(pence)},
            )
            for timesheet_id, pence in totals.items()
        ]
    return []


def _last_of_each(shares: Iterable[Row]) -> list[Row]:
    """One row a timesheet: of a correction the newest version, with minutes and pay netted."""
    merged: dict[UUID, Row] = {}
    for share in shares:
        known = merged.get(share["timesheet_id"])
        if known is None:
            merged[share["timesheet_id"]] = dict(share)
        else:
            known["version"] = max(known["version"], share["version"])
            known["minutes"] += share["minutes"]
            known["pay_gbp"] += share["pay_gbp"]
    return list(merged.values())


def _chapter(event: AnyEvent, timesheet_id: UUID, kind: str, detail: Row) -> Row:
    return {
        "agency_id": event.agency_id,
        "timesheet_id": timesheet_id,
        "event_id": event.id,
        "kind": kind,
        "sequence": event.sequence,
        "happened_at": event.time,
        "detail": {
            name: value if isinstance(value, (int, list, dict)) else str(value) for name, value in detail.items()
        },
    }


async def _beat(tx: Tx, batch: Batch) -> None:
    counts: Counter[UUID] = Counter(event.agency_id for event in batch)
    last: dict[UUID, Any] = {}
    for event in batch:
        last[event.agency_id] = max(last.get(event.agency_id, event.time), event.time)
    await _save(
        tx,
        facts.beat,
        [{"agency_id": agency, "facts": n, "last_fact_at": last[agency]} for agency, n in counts.items()],
    )
