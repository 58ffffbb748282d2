"""Facts that decisions are made of: workers, requirements, documents, umbrellas, approved weeks. All set-wise."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, cast
from uuid import UUID

from compliance.domain.decide import DEFAULT_REQUIREMENTS, ApprovedWeek, Block, Decision, HeldDocument, Requirement
from paybill_common.db import Tx
from paybill_common.envelope import Event
from paybill_common.ids import pair_in_order
from paybill_common.rows import rows_json
from paybill_contracts.placement import WorkerChanged
from paybill_contracts.timesheet import ApprovedFacts

Pair = tuple[UUID, UUID]
"""An agency and a record of it."""


@dataclass(frozen=True)
class DecisionRow:
    """An approved timesheet version and its current decision."""

    agency_id: UUID
    timesheet_id: UUID
    version: int
    client_id: UUID
    week: ApprovedWeek
    decided_sequence: int
    blocks: tuple[str, ...]
    findings: list[dict[str, Any]]
    decided: bool
    released: bool
    finalised: bool


async def share_agencies(tx: Tx, agencies: Iterable[UUID]) -> None:
    """Hold the agencies' rules still: none changes while weeks are decided by them. Taken before worker locks."""
    await _lock_rules(tx, "pg_advisory_xact_lock_shared", agencies)


async def lock_agency_rules(tx: Tx, agency_id: UUID) -> None:
    """Wait for the weeks that are being decided now, and make new ones wait: taken before requirements or umbrellas change."""
    await _lock_rules(tx, "pg_advisory_xact_lock", [agency_id])


async def _lock_rules(tx: Tx, function: str, agencies: Iterable[UUID]) -> None:
    keys = sorted({str(agency) for agency in agencies})
    if keys:
        await tx.execute(
            f"SELECT {function}(hashtextextended('compliance.rules' || key, 0)) "  # noqa: S608  fixed words
            "FROM unnest(CAST(:keys AS text[])) AS key ORDER BY key",
            keys=keys,
        )


async def workers_of_documents(tx: Tx, *, agency_id: UUID, document_ids: Sequence[UUID]) -> set[UUID]:
    """Whose these documents are now; those that are not on file are passed over."""
    found = await tx.execute(
        "SELECT DISTINCT worker_id FROM document WHERE agency_id = :agency AND document_id = ANY(CAST(:ids AS uuid[]))",
        agency=agency_id,
        ids=list(document_ids),
    )
    return {row.worker_id for row in found}


async def lock_workers(tx: Tx, pairs: Iterable[Pair]) -> None:
    """Lock these workers' rows in sorted order, making the missing ones first: decisions about a worker queue here."""
    ordered = sorted(set(pairs), key=pair_in_order)
    if not ordered:
        return
    params = {"agencies": [a for a, _ in ordered], "workers": [w for _, w in ordered]}
    await tx.execute(
        "INSERT INTO worker (agency_id, worker_id) "
        "SELECT a, w FROM unnest(CAST(:agencies AS uuid[]), CAST(:workers AS uuid[])) AS t(a, w) ORDER BY a, w "
        "ON CONFLICT DO NOTHING",
        **params,
    )
    await tx.execute(
        "SELECT 1 FROM worker WHERE (agency_id, worker_id) IN "
        "(SELECT * FROM unnest(CAST(:agencies AS uuid[]), CAST(:workers AS uuid[]))) "
        "ORDER BY agency_id, worker_id FOR UPDATE",
        **params,
    )


async def save_workers(tx: Tx, events: Sequence[Event[WorkerChanged]]) -> None:
    if not events:
        return
    await tx.execute(
        """
        INSERT INTO worker (agency_id, worker_id, reference, status, sequence)
        SELECT * FROM unnest(CAST(:agencies AS uuid[]), CAST(:workers AS uuid[]), CAST(:references AS text[]),
                             CAST(:statuses AS text[]), CAST(:sequences AS bigint[]))
        ON CONFLICT (agency_id, worker_id) DO UPDATE
            SET reference = EXCLUDED.reference, status = EXCLUDED.status, sequence = EXCLUDED.sequence
            WHERE worker.sequence < EXCLUDED.sequence
        """,
        agencies=[e.agency_id for e in events],
        workers=[e.data.worker_id for e in events],
        references=[e.data.reference for e in events],
        statuses=[e.data.status for e in events],
        sequences=[e.sequence for e in events],
    )


async def save_approved(tx: Tx, events: Sequence[Event[Any]]) -> list[UUID]:
    """Store approved or amended versions that are newer than what is known. Returns the timesheets that changed."""
    if not events:
        return []
    rows = [_approved_row(cast(Event[ApprovedFacts], event)) for event in events]
    result = await tx.execute(
        """
        INSERT INTO decision (agency_id, timesheet_id, version, sequence, worker_id, client_id, placement_id,
            consultant_id, reference, week_ending, pay_basis, payee_id, first_worked_on, last_worked_on, is_empty,
            minutes, pay_gbp, charge_gbp)
        SELECT agency_id, timesheet_id, version, sequence, worker_id, client_id, placement_id, consultant_id, reference,
            week_ending, pay_basis, payee_id, first_worked_on, last_worked_on, is_empty, minutes, pay_gbp, charge_gbp
        FROM jsonb_populate_recordset(CAST(NULL AS decision), CAST(:rows AS jsonb))
        ON CONFLICT (agency_id, timesheet_id) DO UPDATE SET
            version = EXCLUDED.version, sequence = EXCLUDED.sequence, worker_id = EXCLUDED.worker_id,
            client_id = EXCLUDED.client_id, placement_id = EXCLUDED.placement_id,
            consultant_id = EXCLUDED.consultant_id, reference = EXCLUDED.reference,
            week_ending = EXCLUDED.week_ending, pay_basis = EXCLUDED.pay_basis, payee_id = EXCLUDED.payee_id,
            first_worked_on = EXCLUDED.first_worked_on, last_worked_on = EXCLUDED.last_worked_on,
            is_empty = EXCLUDED.is_empty, minutes = EXCLUDED.minutes, pay_gbp = EXCLUDED.pay_gbp,
            charge_gbp = EXCLUDED.charge_gbp, decided_at = NULL, released_by = NULL, release_reason = NULL
            WHERE decision.sequence < EXCLUDED.sequence
        RETURNING timesheet_id
        """,
        rows=rows_json(rows),
    )
    return [row.timesheet_id for row in result]


async def mark_finalised(tx: Tx, timesheets: Sequence[Pair], at: datetime) -> None:
    """These timesheets are in a closed pay run: a hold that comes now is an alert."""
    if timesheets:
        await tx.execute(
            "UPDATE decision SET finalised_at = :at WHERE finalised_at IS NULL AND (agency_id, timesheet_id) IN "
            "(SELECT * FROM unnest(CAST(:agencies AS uuid[]), CAST(:timesheets AS uuid[])))",
            at=at,
            agencies=[a for a, _ in timesheets],
            timesheets=[t for _, t in timesheets],
        )


async def decisions(
    tx: Tx,
    *,
    timesheet_ids: Sequence[UUID] | None = None,
    worker_ids: Sequence[UUID] | None = None,
    payee_ids: Sequence[UUID] | None = None,
    client_id: UUID | None = None,
    agency_id: UUID | None = None,
) -> list[DecisionRow]:
    """Approved versions by timesheet, by worker, by umbrellas or of a whole agency."""
    result = await tx.execute(
        """
        SELECT * FROM decision
        WHERE (CAST(:timesheets AS uuid[]) IS NULL OR timesheet_id = ANY(CAST(:timesheets AS uuid[])))
          AND (CAST(:workers AS uuid[]) IS NULL OR worker_id = ANY(CAST(:workers AS uuid[])))
          AND (CAST(:payees AS uuid[]) IS NULL OR payee_id = ANY(CAST(:payees AS uuid[])))
          AND (CAST(:client AS uuid) IS NULL OR client_id = CAST(:client AS uuid))
          AND (CAST(:agency AS uuid) IS NULL OR agency_id = CAST(:agency AS uuid))
        ORDER BY agency_id, worker_id, timesheet_id
        """,
        timesheets=None if timesheet_ids is None else list(timesheet_ids),
        workers=None if worker_ids is None else list(worker_ids),
        payees=None if payee_ids is None else list(payee_ids),
        client=client_id,
        agency=agency_id,
    )
    return [_decision_row(row) for row in result]


async def requirements_of(tx: Tx, pairs: Iterable[Pair]) -> dict[Pair, tuple[Requirement, ...]]:
    """The requirements of each (agency, client): the agency's, with the client's own instead of them or beside them."""
    wanted = sorted(set(pairs))
    agencies = sorted({agency for agency, _ in wanted})
    general: dict[UUID, dict[str, Requirement]] = defaultdict(dict)
    rows = await tx.execute(
        "SELECT agency_id, code, blocks FROM requirement WHERE agency_id = ANY(CAST(:a AS uuid[])) ORDER BY code",
        a=agencies,
    )
    for row in rows:
        general[row.agency_id][row.code] = Requirement(row.code, _blocks(row.blocks))
    overrides = await tx.execute(
        "SELECT agency_id, client_id, code, required, blocks FROM client_requirement "
        "WHERE agency_id = ANY(CAST(:a AS uuid[])) AND client_id = ANY(CAST(:c AS uuid[]))",
        a=agencies,
        c=[client for _, client in wanted],
    )
    of_client: dict[Pair, list[Any]] = defaultdict(list)
    for row in overrides:
        of_client[(row.agency_id, row.client_id)].append(row)
    found: dict[Pair, tuple[Requirement, ...]] = {}
    for pair in wanted:
        merged = dict(general[pair[0]]) or {r.code: r for r in DEFAULT_REQUIREMENTS}
        for row in of_client[pair]:
            if row.required:
                merged[row.code] = Requirement(row.code, _blocks(row.blocks))
            else:
                merged.pop(row.code, None)
        found[pair] = tuple(merged[code] for code in sorted(merged))
    return found


async def agency_codes(tx: Tx, *, agency_id: UUID) -> set[str]:
    """What the agency asks for wherever no client's rule says otherwise."""
    nowhere = (agency_id, UUID(int=0))
    return {requirement.code for requirement in (await requirements_of(tx, [nowhere]))[nowhere]}


async def documents_of(tx: Tx, pairs: Iterable[Pair]) -> dict[Pair, list[HeldDocument]]:
    """Each worker's documents."""
    wanted = sorted(set(pairs))
    rows = await tx.execute(
        "SELECT agency_id, worker_id, requirement, valid_from, expires_on FROM document "
        "WHERE agency_id = ANY(CAST(:a AS uuid[])) AND worker_id = ANY(CAST(:w AS uuid[]))",
        a=sorted({a for a, _ in wanted}),
        w=[w for _, w in wanted],
    )
    found: dict[Pair, list[HeldDocument]] = defaultdict(list)
    for row in rows:
        found[(row.agency_id, row.worker_id)].append(HeldDocument(row.requirement, row.valid_from, row.expires_on))
    return found


async def umbrellas_of(tx: Tx, agencies: Iterable[UUID]) -> dict[UUID, dict[UUID, str]]:
    """The umbrella register of each agency: payee to status."""
    rows = await tx.execute(
        "SELECT agency_id, payee_id, status FROM umbrella WHERE agency_id = ANY(CAST(:a AS uuid[]))",
        a=sorted(set(agencies)),
    )
    found: dict[UUID, dict[UUID, str]] = defaultdict(dict)
    for row in rows:
        found[row.agency_id][row.payee_id] = row.status
    return found


async def save_decisions(tx: Tx, made: Sequence[tuple[DecisionRow, Decision]], *, now: datetime) -> None:
    """Store new decisions; each raises its timesheet's decided_sequence by one."""
    if made:
        await tx.execute(
            """
            UPDATE decision d SET blocks = coalesce(string_to_array(nullif(n.blocks, ''), ','), '{}'),
                findings = CAST(n.findings AS jsonb), decided_at = :now, decided_sequence = d.decided_sequence + 1
            FROM unnest(CAST(:agencies AS uuid[]), CAST(:timesheets AS uuid[]), CAST(:blocks AS text[]),
                        CAST(:findings AS text[])) AS n(agency_id, timesheet_id, blocks, findings)
            WHERE d.agency_id = n.agency_id AND d.timesheet_id = n.timesheet_id
            """,
            now=now,
            agencies=[row.agency_id for row, _ in made],
            timesheets=[row.timesheet_id for row, _ in made],
            blocks=[",".join(decision.blocks) for _, decision in made],
            findings=[json.dumps(findings_json(decision)) for _, decision in made],
        )


async def mark_released(tx: Tx, *, agency_id: UUID, timesheet_id: UUID, by: str, reason: str) -> None:
    await tx.execute(
        "UPDATE decision SET released_by = :by, release_reason = :reason "
        "WHERE agency_id = :agency AND timesheet_id = :timesheet",
        agency=agency_id,
        timesheet=timesheet_id,
        by=by,
        reason=reason,
    )


def findings_json(decision: Decision) -> list[dict[str, Any]]:
    return [
        {
            "code": f.code,
            "blocks": list(f.blocks),
            "requirement": f.requirement,
            "subject_id": str(f.subject_id) if f.subject_id else None,
        }
        for f in decision.findings
    ]


def _approved_row(event: Event[ApprovedFacts]) -> dict[str, Any]:
    data = event.data
    worked = sorted(day.worked_on for line in data.lines for day in line.days) or [data.week_ending]
    return {
        "agency_id": data.agency_id,
        "timesheet_id": data.timesheet_id,
        "version": data.version,
        "sequence": event.sequence,
        "worker_id": data.worker_id,
        "client_id": data.client_id,
        "placement_id": data.placement_id,
        "consultant_id": data.consultant_id,
        "reference": data.reference,
        "week_ending": data.week_ending,
        "pay_basis": data.pay_basis,
        "payee_id": data.payee_id,
        "first_worked_on": worked[0],
        "last_worked_on": worked[-1],
        "is_empty": not data.lines,
        "minutes": data.payable_minutes,
        "pay_gbp": data.pay_gbp,
        "charge_gbp": data.charge_gbp,
    }


def _decision_row(row: Any) -> DecisionRow:
    return DecisionRow(
        agency_id=row.agency_id,
        timesheet_id=row.timesheet_id,
        version=row.version,
        client_id=row.client_id,
        week=ApprovedWeek(
            worker_id=row.worker_id,
            pay_basis=row.pay_basis,
            payee_id=row.payee_id,
            first_worked_on=cast(date, row.first_worked_on),
            last_worked_on=cast(date, row.last_worked_on),
            empty=row.is_empty,
        ),
        decided_sequence=row.decided_sequence,
        blocks=tuple(row.blocks),
        findings=row.findings,
        decided=row.decided_at is not None,
        released=row.released_by is not None,
        finalised=row.finalised_at is not None,
    )


def _blocks(raw: Sequence[str]) -> tuple[Block, ...]:
    known: tuple[Block, ...] = ("entry", "pay", "bill")
    return tuple(block for block in known if block in raw)
