"""What persons recorded of workers' workplace pensions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

from pay_calc.domain.pension_records import PensionRecord, PensionSlip, pension_slip
from paybill_common.db import Tx

FIELDS = (
    "member_since",
    "information_given_on",
    "postponed_from",
    "postponed_to",
    "postponed_notice_on",
    "opted_out_on",
    "ceased_on",
    "opt_in_from",
    "join_from",
    "informed_on",
    "exempt_reason",
)
_TYPES = {name: "text" if name == "exempt_reason" else "date" for name in FIELDS}
Key = tuple[UUID, UUID]


OWED_REFUND = """
    r.opted_out_on IS NOT NULL AND r.information_given_on IS NOT NULL
    AND r.opted_out_on >= GREATEST(r.member_since, r.information_given_on)
    AND r.opted_out_on < GREATEST(r.member_since, r.information_given_on) + interval '1 month'
    AND EXISTS (SELECT 1 FROM payslip s WHERE s.agency_id = r.agency_id AND s.worker_id = r.worker_id AND s.state = 'finalised'
        AND s.pay_basis = 'paye' AND s.period_to > r.member_since AND jsonb_typeof(s.inputs -> 'employee' -> 'pension') = 'object')
    AND NOT EXISTS (SELECT 1 FROM payslip s WHERE s.agency_id = r.agency_id AND s.worker_id = r.worker_id AND s.state = 'finalised'
        AND s.payday_on >= r.opted_out_on AND s.inputs ? 'pension_refund')"""
"""A pension record `r` whose opt-out gives something back that no final payslip has."""


async def upsert(tx: Tx, *, agency_id: UUID, worker_id: UUID, values: Mapping[str, Any], by: str) -> None:
    """Store the whole record; each write raises its version."""
    await tx.execute(
        f"""
        INSERT INTO pension_record (agency_id, worker_id, {", ".join(FIELDS)}, document_ref, version, updated_at, updated_by)
        VALUES (:agency, :worker, {", ".join(f"CAST(:{name} AS {kind})" for name, kind in _TYPES.items())},
            CAST(:document_ref AS text), 1, :now, :by)
        ON CONFLICT (agency_id, worker_id) DO UPDATE
          SET {", ".join(f"{name} = EXCLUDED.{name}" for name in (*FIELDS, "document_ref"))},
              version = pension_record.version + 1, updated_at = EXCLUDED.updated_at, updated_by = EXCLUDED.updated_by
        """,  # noqa: S608  constant names
        agency=agency_id,
        worker=worker_id,
        now=tx.now,
        by=by,
        **values,
    )


async def one(tx: Tx, *, agency_id: UUID, worker_id: UUID) -> Any | None:
    """A worker's record as it stands, or None."""
    found = await tx.execute(
        "SELECT * FROM pension_record WHERE agency_id = :agency AND worker_id = :worker",
        agency=agency_id,
        worker=worker_id,
    )
    return found.first()


async def of_workers(tx: Tx, keys: list[Key]) -> dict[Key, tuple[date | None, PensionRecord | None]]:
    """(employed from, record) of each of these workers."""
    found = await tx.execute(
        f"""
        SELECT w.agency_id, w.worker_id, w.started_on, p.version, {", ".join(f"p.{name}" for name in FIELDS)}
        FROM worker w LEFT JOIN pension_record p ON p.agency_id = w.agency_id AND p.worker_id = w.worker_id
        WHERE w.agency_id = ANY(CAST(:agencies AS uuid[])) AND w.worker_id = ANY(CAST(:workers AS uuid[]))
        """,  # noqa: S608  constant names
        agencies=sorted({agency for agency, _ in keys}),
        workers=[worker for _, worker in keys],
    )
    return {
        (row.agency_id, row.worker_id): (
            row.started_on,
            None if row.version is None else record_of(row),
        )
        for row in found
    }


def record_of(row: Any) -> PensionRecord:
    return PensionRecord(**{name: getattr(row, name) for name in FIELDS})


async def slips_since(tx: Tx, since: Mapping[Key, date]) -> dict[Key, list[PensionSlip]]:
    """What the final PAYE payslips of these workers took and gave back for the pension, in periods that reach the worker's day or later,
    oldest first."""
    if not since:
        return {}
    found = await tx.execute(
        """
        SELECT p.agency_id, p.worker_id, p.payday_on, p.inputs -> 'employee' -> 'pension' AS pension,
               p.inputs -> 'pension_refund' AS refund, p.result -> 'figures' AS figures
        FROM unnest(CAST(:agencies AS uuid[]), CAST(:workers AS uuid[]), CAST(:days AS date[])) AS k(a, w, day)
        JOIN payslip p ON p.agency_id = a AND p.worker_id = w AND p.period_to > day
        WHERE p.state = 'finalised' AND p.pay_basis = 'paye'
          AND (jsonb_typeof(p.inputs -> 'employee' -> 'pension') = 'object' OR p.inputs ? 'pension_refund')
        ORDER BY p.agency_id, p.worker_id, p.period_to
        """,
        agencies=[agency for agency, _ in since],
        workers=[worker for _, worker in since],
        days=list(since.values()),
    )
    slips: dict[Key, list[PensionSlip]] = {}
    for row in found:
        slip = pension_slip(row.payday_on, _json(row.pension), _json(row.refund), _json(row.figures))
        slips.setdefault((row.agency_id, row.worker_id), []).append(slip)
    return slips


def _json(raw: Any) -> Any:
    return json.loads(raw) if isinstance(raw, str) else raw


async def to_look_at(tx: Tx, *, agency_id: UUID, period_to: date, most: int) -> list[Any]:
    """Assessments of a period's payslips that ask a person for something: whoever is to be enrolled and is not, and whoever was not
    written to."""
    found = await tx.execute(
        """
        SELECT s.payslip_id, s.worker_id, s.gross_gbp, s.result -> 'pension_assessment' ->> 'action' AS action,
               s.result -> 'pension_assessment' ->> 'words' AS words, l.display_name
        FROM payslip s
        LEFT JOIN label l ON l.kind = 'worker' AND l.entry_id = s.worker_id AND l.agency_id = s.agency_id
        LEFT JOIN pay_profile p ON p.agency_id = s.agency_id AND p.worker_id = s.worker_id
        LEFT JOIN pension_record r ON r.agency_id = s.agency_id AND r.worker_id = s.worker_id
        WHERE s.agency_id = :agency AND s.period_to = :period AND s.result ? 'pension_assessment'
          AND ((s.result -> 'pension_assessment' ->> 'action' IN ('enrol', 're_enrol', 'opt_in', 'join', 'keep')
                AND (p.pension IS NULL OR CAST(p.pension AS text) = 'null'))
            OR (s.result -> 'pension_assessment' ->> 'action' IN ('may_opt_in', 'may_join', 'postponed') AND r.informed_on IS NULL))
        ORDER BY s.worker_id, s.payslip_id LIMIT :most
        """,
        agency=agency_id,
        period=period_to,
        most=most,
    )
    return list(found.all())
