"""Take a batch of facts in and work each touched worker once."""

from __future__ import annotations

import json
from decimal import Decimal
from uuid import UUID

from pay_calc.store import facts
from pay_calc.store.facts import Key, NewClearance, NewVersion
from pay_calc.usecases.recalculate import recalculate
from paybill_common.db import Tx
from paybill_common.envelope import AnyEvent, Batch, Event
from paybill_common.labels import apply_directory
from paybill_common.money import to_pence
from paybill_contracts.base import Reason
from paybill_contracts.compliance import ComplianceCleared, ComplianceHeld, Decision
from paybill_contracts.control import WeekCutOff
from paybill_contracts.invoicing import SelfBillIssued
from paybill_contracts.placement import PlacementChanged, WorkerChanged
from paybill_contracts.timesheet import ApprovedFacts, TimesheetAmended, TimesheetApproved

_ZERO = Decimal(0)
_dumps = json.JSONEncoder(separators=(",", ":")).encode


async def handle(tx: Tx, batch: Batch) -> None:
    """The consumer's handler. Any fact may come first: each is kept, and what lacks another is held with a reason."""
    await apply_directory(tx, batch)
    for cut_off in batch.latest(WeekCutOff):
        await facts.upsert_cut_off(
            tx,
            sequence=cut_off.sequence,
            **cut_off.data.model_dump(
                include={
                    "agency_id",
                    "week_ending",
                    "cut_off_at",
                    "timesheets",
                    "payable_minutes",
                    "payable_units",
                    "pay_gbp",
                }
            ),
        )
    bills = [(bill.data, bill.sequence) for bill in batch.latest(SelfBillIssued)]
    if bills:
        await facts.insert_self_bills(tx, bills)
    await _workers(tx, batch)


async def _workers(tx: Tx, batch: Batch) -> None:
    approved: list[Event[ApprovedFacts]] = batch.of(TimesheetApproved, TimesheetAmended)
    decided: list[Event[Decision]] = batch.of(ComplianceCleared, ComplianceHeld)
    changed = batch.latest(WorkerChanged)
    determined = [event for event in batch.latest(PlacementChanged) if event.data.pay_basis == "limited"]
    events: list[AnyEvent] = [*approved, *decided, *determined, *changed]
    touched = {(event.agency_id, event.data.worker_id) for event in events}
    if not touched:
        return
    await facts.share_agencies(tx, {agency for agency, _ in touched})
    await facts.lock_workers(tx, touched)
    if changed:
        await facts.upsert_workers(
            tx,
            [
                (
                    event.agency_id,
                    event.data.worker_id,
                    event.data.reference,
                    event.data.status,
                    event.data.started_on,
                    event.data.left_on,
                    event.sequence,
                )
                for event in changed
            ],
        )
    if determined:
        await facts.upsert_sds(tx, [(event.data, event.sequence) for event in determined])
    if approved:
        await facts.insert_versions(tx, _versions(approved))
    if decided:
        await facts.upsert_clearances(tx, _clearances(decided))
    causes = await _causes(tx, approved, decided, determined)
    if causes:
        await recalculate(tx, keys=sorted(causes), causes=causes)


async def _causes(
    tx: Tx,
    approved: list[Event[ApprovedFacts]],
    decided: list[Event[Decision]],
    determined: list[Event[PlacementChanged]],
) -> dict[Key, AnyEvent]:
    """Whose drafts these stored facts can change, and the fact to name for it.

    A first version without a decision adds nothing that is paid, and a decision without its version nothing at all: the draft is worked
    when the other of the two is there too, once instead of twice. An amendment takes the older version's pay out of the draft at once.
    """
    arrived: list[AnyEvent] = [*approved, *decided]
    met = await facts.decided_versions(
        tx, agencies={event.agency_id for event in arrived}, timesheets={event.data.timesheet_id for event in arrived}
    )
    causes: dict[Key, AnyEvent] = {}
    for event in approved:
        if event.data.version > 1 or (event.agency_id, event.data.timesheet_id, event.data.version) in met:
            causes[event.agency_id, event.data.worker_id] = event
    for decision in decided:
        if (decision.agency_id, decision.data.timesheet_id, decision.data.version) in met:
            causes[decision.agency_id, decision.data.worker_id] = decision
    for placement in determined:
        causes.setdefault((placement.agency_id, placement.data.worker_id), placement)
    return causes


def _versions(events: list[Event[ApprovedFacts]]) -> list[NewVersion]:
    """Each version once, in order."""
    found: dict[tuple[UUID, int], NewVersion] = {}
    for event in events:
        data = event.data
        found[data.timesheet_id, data.version] = NewVersion(
            agency_id=data.agency_id,
            timesheet_id=data.timesheet_id,
            version=data.version,
            worker_id=data.worker_id,
            placement_id=data.placement_id,
            client_id=data.client_id,
            week_ending=data.week_ending,
            pay_basis=data.pay_basis,
            payee_id=data.payee_id if data.pay_basis != "paye" else None,
            holiday_pay=data.holiday_pay,
            sds=data.sds,
            reference=data.reference,
            approved_at=data.approved_at,
            payable_minutes=data.payable_minutes,
            payable_units=sum((line.units for line in data.lines if line.payable and line.units is not None), _ZERO),
            pay_gbp=data.pay_gbp,
            lines=_lines(data),
        )
    return [found[key] for key in sorted(found)]


def _lines(data: ApprovedFacts) -> str:
    """The payable lines as `Charge` stores them."""
    common = {
        "timesheet_id": str(data.timesheet_id),
        "version": data.version,
        "placement_id": str(data.placement_id),
        "week_ending": data.week_ending.isoformat(),
    }
    rolled_up = data.holiday_pay == "rolled_up" and data.pay_basis == "paye"
    return _dumps(
        [
            common
            | {
                "charge_line_id": str(line.charge_line_id),
                "kind": line.kind,
                "element": line.element,
                "rate_code": line.rate_code,
                "rule_id": line.rule_id,
                "rate_unit": line.rate_unit,
                "minutes": line.minutes,
                "units": None if line.units is None else str(line.units),
                "pay_rate": str(line.pay_rate),
                "basic_pay_rate": str(line.basic_pay_rate),
                "pay_pence": to_pence(line.pay_gbp),
                "holiday": rolled_up and line.kind != "expense",
                "reverses": False,
                "rounding_pence": 0,
            }
            for line in data.lines
            if line.payable
        ]
    )


def _clearances(events: list[Event[Decision]]) -> list[NewClearance]:
    """The newest decision on each version."""
    newest: dict[tuple[UUID, int], Event[Decision]] = {}
    for event in events:
        key = (event.data.timesheet_id, event.data.version)
        if key not in newest or newest[key].sequence <= event.sequence:
            newest[key] = event
    rows = []
    for _, event in sorted(newest.items(), key=lambda pair: pair[0]):
        data = event.data
        blocks = isinstance(data, ComplianceHeld) and "pay" in data.blocks
        rows.append(
            NewClearance(
                agency_id=data.agency_id,
                timesheet_id=data.timesheet_id,
                version=data.version,
                worker_id=data.worker_id,
                blocks_pay=blocks,
                reasons=json.dumps([_reason(reason) for reason in data.reasons if _bars_pay(reason)] if blocks else []),
                sequence=event.sequence,
                decided_at=data.decided_at,
            )
        )
    return rows


def _bars_pay(reason: Reason) -> bool:
    return not reason.blocks or "pay" in reason.blocks


def _reason(reason: Reason) -> dict[str, object]:
    return reason.model_dump(mode="json", exclude_none=True)
