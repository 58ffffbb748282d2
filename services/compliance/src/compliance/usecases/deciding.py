"""Decide approved weeks and tell: the one place where a clearance or a hold is made."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from compliance.domain.audit import AuditEntry
from compliance.domain.decide import Decision, decide
from compliance.store import audit, facts
from compliance.store.facts import DecisionRow
from paybill_common.clock import london_date
from paybill_common.db import Tx
from paybill_common.envelope import AnyEvent
from paybill_common.ids import derived_id
from paybill_contracts.base import Reason
from paybill_contracts.compliance import ComplianceAlert, ComplianceCleared, ComplianceHeld


async def decide_weeks(
    tx: Tx,
    *,
    weeks: Sequence[DecisionRow],
    actor: str,
    causes: dict[UUID, AnyEvent] | None = None,
) -> int:
    """Decide these weeks again and emit what changed. A person's release of the same version stands. Returns how many changed."""
    open_weeks = [row for row in weeks if not row.released]
    if not open_weeks:
        return 0
    requirements = await facts.requirements_of(tx, [(row.agency_id, row.client_id) for row in open_weeks])
    documents = await facts.documents_of(tx, [(row.agency_id, row.week.worker_id) for row in open_weeks])
    umbrellas = await facts.umbrellas_of(tx, [row.agency_id for row in open_weeks])
    today = london_date(tx.now)
    changed: list[tuple[DecisionRow, Decision]] = []
    for row in open_weeks:
        made = decide(
            row.week,
            requirements=requirements[(row.agency_id, row.client_id)],
            documents=documents.get((row.agency_id, row.week.worker_id), []),
            umbrella_status=umbrellas[row.agency_id],
            today=today,
        )
        if not row.decided or made.blocks != row.blocks or facts.findings_json(made) != row.findings:
            changed.append((row, made))
    await facts.save_decisions(tx, changed, now=tx.now)
    entries = await audit.append(tx, [_fact(row, made, actor) for row, made in changed])
    for (row, made), entry in zip(changed, entries, strict=True):
        emit(tx, row=row, decision=made, entry=entry, cause=(causes or {}).get(row.timesheet_id))
    return len(changed)


def emit(
    tx: Tx,
    *,
    row: DecisionRow,
    decision: Decision,
    entry: AuditEntry,
    cause: AnyEvent | None = None,
    released: bool = False,
) -> None:
    """Put the decision on the bus; a hold that comes after the pay was finalised is an alert too."""
    common = {
        "agency_id": row.agency_id,
        "worker_id": row.week.worker_id,
        "timesheet_id": row.timesheet_id,
        "version": row.version,
        "decided_at": tx.now,
        "audit_entry": entry.number,
        "reasons": tuple(
            Reason(code=f.code, blocks=f.blocks, requirement=f.requirement, subject_id=f.subject_id)
            for f in decision.findings
        ),
    }
    sequence = row.decided_sequence + 1
    if decision.cleared:
        tx.emit(
            ComplianceCleared.model_validate(common | {"released_by": "person" if released else "rule"}),
            sequence=sequence,
            cause=cause,
        )
        return
    tx.emit(ComplianceHeld.model_validate(common | {"blocks": decision.blocks}), sequence=sequence, cause=cause)
    if row.finalised:
        tx.emit(
            ComplianceAlert(
                agency_id=row.agency_id,
                worker_id=row.week.worker_id,
                alert_id=derived_id("hold-after-finalisation", row.timesheet_id, row.version, sequence),
                code="hold_after_finalisation",
                timesheet_id=row.timesheet_id,
                raised_at=tx.now,
            ),
            sequence=1,
            cause=cause,
        )


def _fact(row: DecisionRow, decision: Decision, actor: str) -> audit.Unsealed:
    return audit.Unsealed(
        agency_id=row.agency_id,
        actor=actor,
        action="cleared" if decision.cleared else "held",
        subject_id=row.timesheet_id,
        detail={
            "version": row.version,
            "worker_id": str(row.week.worker_id),
            "blocks": list(decision.blocks),
            "findings": facts.findings_json(decision),
        },
    )
