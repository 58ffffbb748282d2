"""What one worker may see of an agency: their own timesheets and payslips. Every statement names the worker."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from paybill_common.db import Tx


async def who(tx: Tx, *, agency_id: UUID, worker_id: UUID) -> Any:
    """The worker's and the agency's names, as far as known, or None when there is no such worker."""
    result = await tx.execute(
        """
        SELECT coalesce(w.display_name, '') AS worker, coalesce(a.display_name, 'your agency') AS agency
        FROM party p
        LEFT JOIN label w ON w.kind = 'worker' AND w.entry_id = p.party_id
        LEFT JOIN label a ON a.kind = 'agency' AND a.entry_id = p.agency_id
        WHERE p.agency_id = :agency AND p.kind = 'worker' AND p.party_id = :worker
        """,
        agency=agency_id,
        worker=worker_id,
    )
    return result.first()


async def timesheets(tx: Tx, *, agency_id: UUID, worker_id: UUID, most: int) -> list[Any]:
    """The worker's timesheets, newest week first, each with the last payslip of the worker's that it is on."""
    result = await tx.execute(
        """
        SELECT t.*, c.display_name AS client, u.display_name AS consultant, y.display_name AS payee, s.payslip_id,
            s.state AS payslip_state, s.payday_on, s.sent_on
        FROM timesheet t
        LEFT JOIN label c ON c.kind = 'client' AND c.entry_id = t.client_id
        LEFT JOIN label u ON u.kind = 'consultant' AND u.entry_id = t.consultant_id
        LEFT JOIN label y ON y.kind = 'payee' AND y.entry_id = t.payee_id
        LEFT JOIN LATERAL (
            SELECT p.payslip_id, p.state, p.payday_on, (SELECT max(x.funds_on) FROM payment x
                WHERE x.agency_id = p.agency_id AND x.pay_run_id = p.pay_run_id
                AND x.payee_id = coalesce(p.payee_id, p.worker_id)) AS sent_on
            FROM payslip_share h JOIN payslip p ON p.agency_id = h.agency_id AND p.payslip_id = h.payslip_id
            WHERE h.agency_id = :agency AND h.timesheet_id = t.timesheet_id AND p.worker_id = :worker
            ORDER BY p.period_to DESC, p.payslip_id LIMIT 1
        ) s ON true
        WHERE t.agency_id = :agency AND t.worker_id = :worker AND t.week_ending IS NOT NULL AND t.status IS NOT NULL
        ORDER BY t.week_ending DESC, t.reference, t.timesheet_id LIMIT :most
        """,
        agency=agency_id,
        worker=worker_id,
        most=most,
    )
    return list(result)


async def payslips(tx: Tx, *, agency_id: UUID, worker_id: UUID, most: int, payslip_id: UUID | None = None) -> list[Any]:
    """The worker's payslips, newest first, or one of them; a draft only when something is on it. `sent_on`: the bank pays then."""
    result = await tx.execute(
        """
        SELECT p.*, y.display_name AS payee, (SELECT max(x.funds_on) FROM payment x
            WHERE x.agency_id = p.agency_id AND x.pay_run_id = p.pay_run_id
            AND x.payee_id = coalesce(p.payee_id, p.worker_id)) AS sent_on
        FROM payslip p
        LEFT JOIN label y ON y.kind = 'payee' AND y.entry_id = p.payee_id
        WHERE p.agency_id = :agency AND p.worker_id = :worker AND (p.state = 'finalised' OR p.gross_gbp <> 0)
          AND (CAST(:payslip AS uuid) IS NULL OR p.payslip_id = :payslip)
        ORDER BY p.period_to DESC, p.payslip_id LIMIT :most
        """,
        agency=agency_id,
        worker=worker_id,
        payslip=payslip_id,
        most=most,
    )
    return list(result)
