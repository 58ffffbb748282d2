"""What people record: requirements, documents, umbrellas, releases. Each change decides again whatever hangs on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any
from uuid import UUID

from compliance.domain.decide import Decision
from compliance.store import audit, facts
from compliance.usecases.deciding import decide_weeks, emit
from paybill_common.db import Tx
from paybill_common.http.problems import conflict, not_found


@dataclass(frozen=True)
class NewDocument:
    """A document as recorded. Dates are inclusive."""

    document_id: UUID
    worker_id: UUID
    requirement: str
    valid_from: date
    expires_on: date | None
    external_id: str | None


async def record_documents(tx: Tx, *, agency_id: UUID, documents: Sequence[NewDocument], by: str) -> int:
    """Store documents and lift the holds that waited for them. Recording one again replaces it, and whom it was of before is decided
    again, too. Returns changed decisions."""
    before = await facts.workers_of_documents(tx, agency_id=agency_id, document_ids=[d.document_id for d in documents])
    workers = sorted(before | {d.worker_id for d in documents})
    await facts.lock_workers(tx, [(agency_id, worker_id) for worker_id in workers])
    await tx.execute(
        """
        INSERT INTO document (agency_id, document_id, worker_id, requirement, valid_from, expires_on, external_id,
                              recorded_at, recorded_by)
        SELECT :agency, i, w, r, f, e, x, :now, :by
        FROM unnest(CAST(:ids AS uuid[]), CAST(:workers AS uuid[]), CAST(:requirements AS text[]),
                    CAST(:froms AS date[]), CAST(:expiries AS date[]), CAST(:externals AS text[]))
             AS t(i, w, r, f, e, x)
        ON CONFLICT (agency_id, document_id) DO UPDATE SET
            worker_id = EXCLUDED.worker_id, requirement = EXCLUDED.requirement, valid_from = EXCLUDED.valid_from,
            expires_on = EXCLUDED.expires_on, external_id = EXCLUDED.external_id,
            recorded_at = EXCLUDED.recorded_at, recorded_by = EXCLUDED.recorded_by
        """,
        agency=agency_id,
        now=tx.now,
        by=by,
        ids=[d.document_id for d in documents],
        workers=[d.worker_id for d in documents],
        requirements=[d.requirement for d in documents],
        froms=[d.valid_from for d in documents],
        expiries=[d.expires_on for d in documents],
        externals=[d.external_id for d in documents],
    )
    await audit.append(
        tx,
        [
            audit.Unsealed(
                agency_id,
                by,
                "document_recorded",
                d.worker_id,
                {
                    "document_id": str(d.document_id),
                    "requirement": d.requirement,
                    "valid_from": d.valid_from.isoformat(),
                    "expires_on": d.expires_on.isoformat() if d.expires_on else None,
                },
            )
            for d in documents
        ],
    )
    weeks = await facts.decisions(tx, worker_ids=workers, agency_id=agency_id)
    return await decide_weeks(tx, weeks=weeks, actor=by)


@dataclass(frozen=True)
class NewFile:
    """What was seen of a document: the name it came under, its media type and the hash of its content."""

    name: str
    kind: str
    sha256: str


async def attach_file(tx: Tx, *, agency_id: UUID, document_id: UUID, file: NewFile, by: str) -> Any:
    """Note a document's file, or one that replaces it, its hash in the audit trail and its name not. Returns the document's row."""
    known = await tx.execute(
        "SELECT worker_id, file_sha256 FROM document WHERE agency_id = :a AND document_id = :d FOR UPDATE",
        a=agency_id,
        d=document_id,
    )
    before = known.first()
    if before is None:
        raise not_found("document", document_id)
    updated = await tx.execute(
        "UPDATE document SET file_name = :name, file_type = :kind, file_sha256 = :sha "
        "WHERE agency_id = :a AND document_id = :d RETURNING *",
        name=file.name,
        kind=file.kind,
        sha=file.sha256,
        a=agency_id,
        d=document_id,
    )
    detail = {"document_id": str(document_id), "sha256": file.sha256, "replaces_sha256": before.file_sha256}
    await audit.append(tx, [audit.Unsealed(agency_id, by, "document_file_stored", before.worker_id, detail)])
    return updated.one()


async def set_umbrellas(tx: Tx, *, agency_id: UUID, umbrellas: Sequence[tuple[UUID, str, str | None]], by: str) -> int:
    """Put umbrellas (payee, status, external id) on the register and decide the weeks that they are paid for.

    One that comes without an external id keeps the one it has.
    """
    await facts.lock_agency_rules(tx, agency_id)
    await tx.execute(
        """
        INSERT INTO umbrella (agency_id, payee_id, status, external_id, changed_at, changed_by)
        SELECT :agency, p, s, x, :now, :by
        FROM unnest(CAST(:payees AS uuid[]), CAST(:statuses AS text[]), CAST(:externals AS text[])) AS t(p, s, x)
        ON CONFLICT (agency_id, payee_id) DO UPDATE SET status = EXCLUDED.status,
            external_id = coalesce(EXCLUDED.external_id, umbrella.external_id), changed_at = EXCLUDED.changed_at,
            changed_by = EXCLUDED.changed_by
        """,
        agency=agency_id,
        now=tx.now,
        by=by,
        payees=[p for p, _, _ in umbrellas],
        statuses=[s for _, s, _ in umbrellas],
        externals=[x for _, _, x in umbrellas],
    )
    told = [audit.Unsealed(agency_id, by, f"umbrella_{status}", payee, {}) for payee, status, _ in umbrellas]
    return await _decide_again(tx, agency_id=agency_id, payee_ids=[p for p, _, _ in umbrellas], because=told, by=by)


async def set_requirement(
    tx: Tx, *, agency_id: UUID, code: str, title: str, blocks: Sequence[str], external_id: str | None, by: str
) -> int:
    """Create or change a requirement of the agency and decide its weeks again."""
    await facts.lock_agency_rules(tx, agency_id)
    await tx.execute(
        """
        INSERT INTO requirement (agency_id, code, title, blocks, external_id)
        VALUES (:agency, :code, :title, CAST(:blocks AS text[]), :external)
        ON CONFLICT (agency_id, code) DO UPDATE SET title = EXCLUDED.title, blocks = EXCLUDED.blocks,
            external_id = EXCLUDED.external_id
        """,
        agency=agency_id,
        code=code,
        title=title,
        blocks=list(blocks),
        external=external_id,
    )
    told = audit.Unsealed(agency_id, by, "requirement_set", agency_id, {"code": code, "blocks": list(blocks)})
    return await _decide_again(tx, agency_id=agency_id, because=[told], by=by)


async def set_client_requirement(
    tx: Tx, *, agency_id: UUID, client_id: UUID, code: str, required: bool, blocks: Sequence[str], by: str
) -> int:
    """Ask for a document at one client with other consequences, at this client alone, or not at all."""
    await facts.lock_agency_rules(tx, agency_id)
    if not required and code not in await facts.agency_codes(tx, agency_id=agency_id):
        raise not_found("requirement", code)
    await tx.execute(
        """
        INSERT INTO client_requirement (agency_id, client_id, code, required, blocks)
        VALUES (:agency, :client, :code, :required, CAST(:blocks AS text[]))
        ON CONFLICT (agency_id, client_id, code) DO UPDATE SET required = EXCLUDED.required, blocks = EXCLUDED.blocks
        """,
        agency=agency_id,
        client=client_id,
        code=code,
        required=required,
        blocks=list(blocks),
    )
    detail: dict[str, Any] = {"code": code, "required": required, "blocks": list(blocks)}
    told = audit.Unsealed(agency_id, by, "client_requirement_set", client_id, detail)
    return await _decide_again(tx, agency_id=agency_id, client_id=client_id, because=[told], by=by)


async def remove_client_requirement(tx: Tx, *, agency_id: UUID, client_id: UUID, code: str, by: str) -> int:
    """Take one client's rule away: what the agency asks for, if it does, holds again. Decides the client's weeks again."""
    await facts.lock_agency_rules(tx, agency_id)
    removed = await tx.execute(
        "DELETE FROM client_requirement WHERE agency_id = :a AND client_id = :c AND code = :code RETURNING code",
        a=agency_id,
        c=client_id,
        code=code,
    )
    if removed.first() is None:
        raise not_found("client_requirement", code)
    told = audit.Unsealed(agency_id, by, "client_requirement_removed", client_id, {"code": code})
    return await _decide_again(tx, agency_id=agency_id, client_id=client_id, because=[told], by=by)


async def release(tx: Tx, *, agency_id: UUID, timesheet_id: UUID, by: str, reason: str) -> int:
    """A named person releases a hold with a reason: this version is cleared and stays so. Returns the audit entry."""
    found = await facts.decisions(tx, timesheet_ids=[timesheet_id], agency_id=agency_id)
    if not found:
        raise not_found("timesheet", timesheet_id)
    await facts.lock_workers(tx, [(agency_id, found[0].week.worker_id)])
    (row,) = await facts.decisions(tx, timesheet_ids=[timesheet_id], agency_id=agency_id)
    if not row.blocks:
        raise conflict(
            "not_held", f"Timesheet {timesheet_id} version {row.version} is not held: there is nothing to release."
        )
    cleared = Decision((), ())
    await facts.save_decisions(tx, [(row, cleared)], now=tx.now)
    await facts.mark_released(tx, agency_id=agency_id, timesheet_id=timesheet_id, by=by, reason=reason)
    detail = {"version": row.version, "reason": reason, "findings": row.findings}
    (entry,) = await audit.append(tx, [audit.Unsealed(agency_id, by, "released", timesheet_id, detail)])
    emit(tx, row=row, decision=cleared, entry=entry, released=True)
    return entry.number


async def _decide_again(
    tx: Tx,
    *,
    agency_id: UUID,
    because: Sequence[audit.Unsealed],
    by: str,
    client_id: UUID | None = None,
    payee_ids: Sequence[UUID] | None = None,
) -> int:
    """Tell the audit trail what changed and decide the weeks it touches: all their workers are locked before the trail is."""
    touched = partial(facts.decisions, tx, agency_id=agency_id, client_id=client_id, payee_ids=payee_ids)
    await facts.lock_workers(tx, [(row.agency_id, row.week.worker_id) for row in await touched()])
    await audit.append(tx, because)
    return await decide_weeks(tx, weeks=await touched(), actor=by)
