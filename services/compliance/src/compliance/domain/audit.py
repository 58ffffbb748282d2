"""The hash chain of the audit trail: each entry seals the one before it, so that no entry can be changed or dropped unseen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

GENESIS = "0" * 64


@dataclass(frozen=True)
class AuditEntry:
    """One sealed fact of an agency: who did what to which record, when, and why."""

    agency_id: UUID
    number: int
    at: datetime
    actor: str
    action: str
    subject_id: UUID
    detail: dict[str, Any]
    previous_hash: str
    hash: str


@dataclass(frozen=True)
class ChainBreak:
    """Where the chain does not hold: the entry's number and what is wrong with it."""

    number: int
    problem: str


def seal(
    *,
    agency_id: UUID,
    number: int,
    at: datetime,
    actor: str,
    action: str,
    subject_id: UUID,
    detail: dict[str, Any],
    previous_hash: str,
) -> AuditEntry:
    """An entry with its hash over everything before it."""
    digest = _digest(agency_id, number, at, actor, action, subject_id, detail, previous_hash)
    return AuditEntry(agency_id, number, at, actor, action, subject_id, detail, previous_hash, digest)


def verify(entries: Iterable[AuditEntry], *, after: str = GENESIS, first: int = 1) -> tuple[int, list[ChainBreak]]:
    """Check entries in order. Returns how many were read and every break."""
    breaks: list[ChainBreak] = []
    expected_hash, expected_number, count = after, first, 0
    for entry in entries:
        count += 1
        if entry.number != expected_number:
            breaks.append(ChainBreak(entry.number, f"entry {expected_number} is missing"))
        if entry.previous_hash != expected_hash:
            breaks.append(ChainBreak(entry.number, "it does not seal the entry before it"))
        digest = _digest(
            entry.agency_id,
            entry.number,
            entry.at,
            entry.actor,
            entry.action,
            entry.subject_id,
            entry.detail,
            entry.previous_hash,
        )
        if digest != entry.hash:
            breaks.append(ChainBreak(entry.number, "its content does not match its hash"))
        expected_hash, expected_number = entry.hash, entry.number + 1
    return count, breaks


def _digest(*parts: Any) -> str:
    text = json.dumps([_plain(part) for part in parts], sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(part: Any) -> Any:
    if isinstance(part, datetime):
        return part.isoformat()
    return str(part) if isinstance(part, UUID) else part
