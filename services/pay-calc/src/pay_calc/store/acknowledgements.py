"""Minimum wage findings of a period's payslips, and the names that persons put to them: rows are only ever added."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from pay_calc.domain.minimum_wage_findings import Acknowledged, MinimumWageFinding
from paybill_common.db import Tx


async def findings(tx: Tx, *, agency_id: UUID, period_to: date) -> list[MinimumWageFinding]:
    """Every payslip of a period, draft or final, that fails the test or could not be tested, in worker order. A name that was put to an
    earlier revision counts while the finding is the same."""
    found = await tx.execute(
        """
        SELECT f.*, l.display_name, a.acknowledged_by, a.acknowledged_at, a.reason, a.revision AS seen_revision
        FROM (SELECT agency_id, payslip_id, worker_id, revision, worked_minutes, gross_gbp,
                     CASE nmw WHEN 'fail' THEN 'below_minimum_wage' ELSE 'minimum_wage_not_tested' END AS code,
                     CAST(result ->> 'nmw_shortfall_pence' AS bigint) AS shortfall_pence, result ->> 'nmw_reason' AS why
              FROM payslip
              WHERE agency_id = :agency AND period_to = :period AND nmw IN ('fail', 'not_tested') AND result IS NOT NULL) AS f
        LEFT JOIN label l ON l.kind = 'worker' AND l.entry_id = f.worker_id AND l.agency_id = f.agency_id
        LEFT JOIN LATERAL (
            SELECT * FROM minimum_wage_acknowledgement m
            WHERE m.agency_id = f.agency_id AND m.payslip_id = f.payslip_id AND m.code = f.code
              AND m.shortfall_pence = f.shortfall_pence AND m.why = f.why
            ORDER BY m.revision DESC LIMIT 1) AS a ON true
        ORDER BY f.worker_id, f.payslip_id
        """,
        agency=agency_id,
        period=period_to,
    )
    return [
        MinimumWageFinding(
            payslip_id=row.payslip_id,
            worker_id=row.worker_id,
            worker=row.display_name,
            revision=row.revision,
            code=row.code,
            shortfall_pence=row.shortfall_pence,
            why=row.why,
            worked_minutes=row.worked_minutes,
            gross_gbp=row.gross_gbp,
            acknowledged=None
            if row.acknowledged_by is None
            else Acknowledged(row.acknowledged_by, row.acknowledged_at, row.reason, row.seen_revision),
        )
        for row in found
    ]


async def insert(
    tx: Tx,
    *,
    agency_id: UUID,
    findings: Sequence[MinimumWageFinding],
    by: str,
    reason: str,
    recorded_by: str,
    now: datetime,
) -> None:
    """Put a name to these findings as they are."""
    await tx.execute(
        """
        INSERT INTO minimum_wage_acknowledgement (agency_id, payslip_id, revision, worker_id, code, shortfall_pence, why,
            acknowledged_by, reason, acknowledged_at, recorded_by)
        SELECT CAST(:agency AS uuid), p, r, w, c, s, y, :by, :reason, :now, :recorded_by
        FROM unnest(CAST(:payslips AS uuid[]), CAST(:revisions AS int[]), CAST(:workers AS uuid[]), CAST(:codes AS text[]),
            CAST(:shortfalls AS bigint[]), CAST(:whys AS text[])) AS i(p, r, w, c, s, y)
        """,
        agency=agency_id,
        by=by,
        reason=reason,
        now=now,
        recorded_by=recorded_by,
        payslips=[finding.payslip_id for finding in findings],
        revisions=[finding.revision for finding in findings],
        workers=[finding.worker_id for finding in findings],
        codes=[finding.code for finding in findings],
        shortfalls=[finding.shortfall_pence for finding in findings],
        whys=[finding.why for finding in findings],
    )
