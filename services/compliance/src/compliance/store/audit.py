"""The audit trail in Postgres: append-only, one chain an agency, its head locked while entries are sealed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from compliance.domain.audit import GENESIS, AuditEntry, seal
from paybill_common.db import Tx


@dataclass(frozen=True)
class Unsealed:
    """A fact to append."""

    agency_id: UUID
    actor: str
    action: str
    subject_id: UUID
    detail: dict[str, Any]


async def append(tx: Tx, facts: Sequence[Unsealed]) -> list[AuditEntry]:
    """Seal facts at the end of their agencies' chains and return the entries in the order given."""
    if not facts:
        return []
    agencies = sorted({fact.agency_id for fact in facts})
    await tx.execute(
        "INSERT INTO audit_head (agency_id, number, hash) "
        "SELECT a, 0, :genesis FROM unnest(CAST(:agencies AS uuid[])) AS a ORDER BY a ON CONFLICT DO NOTHING",
        agencies=agencies,
        genesis=GENESIS,
    )
    rows = await tx.execute(
        "SELECT agency_id, number, hash FROM audit_head WHERE agency_id = ANY(CAST(:agencies AS uuid[])) "
        "ORDER BY agency_id FOR UPDATE",
        agencies=agencies,
    )
    heads = {row.agency_id: (row.number, row.hash) for row in rows}
    entries = []
    for fact in facts:
        number, previous = heads[fact.agency_id]
        entry = seal(
            agency_id=fact.agency_id,
            number=number + 1,
            at=tx.now,
            actor=fact.actor,
            action=fact.action,
            subject_id=fact.subject_id,
            detail=fact.detail,
            previous_hash=previous,
        )
        heads[fact.agency_id] = (entry.number, entry.hash)
        entries.append(entry)
    await tx.execute(
        """
        INSERT INTO audit_entry (agency_id, number, at, actor, action, subject_id, detail, previous_hash, hash)
        SELECT a, n, :at, actor, action, s, CAST(d AS jsonb), p, h
        FROM unnest(CAST(:agencies AS uuid[]), CAST(:numbers AS bigint[]), CAST(:actors AS text[]),
                    CAST(:actions AS text[]), CAST(:subjects AS uuid[]), CAST(:details AS text[]),
                    CAST(:previous AS text[]), CAST(:hashes AS text[])) AS t(a, n, actor, action, s, d, p, h)
        """,
        at=tx.now,
        agencies=[e.agency_id for e in entries],
        numbers=[e.number for e in entries],
        actors=[e.actor for e in entries],
        actions=[e.action for e in entries],
        subjects=[e.subject_id for e in entries],
        details=[json.dumps(e.detail) for e in entries],
        previous=[e.previous_hash for e in entries],
        hashes=[e.hash for e in entries],
    )
    await tx.execute(
        "UPDATE audit_head h SET number = n.number, hash = n.hash "
        "FROM unnest(CAST(:agencies AS uuid[]), CAST(:numbers AS bigint[]), CAST(:hashes AS text[])) "
        "AS n(agency_id, number, hash) WHERE h.agency_id = n.agency_id",
        agencies=list(heads),
        numbers=[number for number, _ in heads.values()],
        hashes=[digest for _, digest in heads.values()],
    )
    return entries


async def read(
    tx: Tx, *, agency_id: UUID, after: int = 0, most: int = 1_000, subject_id: UUID | None = None
) -> list[AuditEntry]:
    """Entries in order, after a number."""
    rows = await tx.execute(
        "SELECT * FROM audit_entry WHERE agency_id = :agency AND number > :after "
        "AND (CAST(:subject AS uuid) IS NULL OR subject_id = CAST(:subject AS uuid)) ORDER BY number LIMIT :most",
        agency=agency_id,
        after=after,
        most=most,
        subject=subject_id,
    )
    return [
        AuditEntry(r.agency_id, r.number, r.at, r.actor, r.action, r.subject_id, r.detail, r.previous_hash, r.hash)
        for r in rows
    ]


async def head(tx: Tx, *, agency_id: UUID) -> tuple[int, str]:
    """The number and hash of an agency's last entry."""
    row = (await tx.execute("SELECT number, hash FROM audit_head WHERE agency_id = :a", a=agency_id)).first()
    return (row.number, row.hash) if row else (0, GENESIS)
