"""What CIS subcontractors were paid, and what was deducted, by tax month."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from paybill_common.db import Tx


async def payees_paid(
    tx: Tx,
    *,
    agency_id: UUID,
    from_on: date,
    to_on: date,
    payee_id: UUID | None,
    worker_id: UUID | None,
    after: UUID | None,
    most: int,
) -> list[Any]:
    """The subcontractors with a final slip of a payday from `from_on` to `to_on`, by id, with how HMRC verified them."""
    found = await tx.execute(
        """
        SELECT s.payee_id, p.cis_utr, l.display_name AS name
        FROM (SELECT DISTINCT payee_id FROM payslip
              WHERE agency_id = :agency AND pay_basis = 'cis' AND state = 'finalised' AND payday_on BETWEEN :from_on AND :to_on
                AND (CAST(:payee AS uuid) IS NULL OR payee_id = :payee)
                AND (CAST(:worker AS uuid) IS NULL OR worker_id = :worker)
                AND (CAST(:after AS uuid) IS NULL OR payee_id > :after)
              ORDER BY payee_id LIMIT :most) AS s
        LEFT JOIN payee p ON p.agency_id = :agency AND p.payee_id = s.payee_id
        LEFT JOIN label l ON l.kind = 'payee' AND l.entry_id = s.payee_id AND l.agency_id = :agency
        ORDER BY s.payee_id
        """,
        agency=agency_id,
        from_on=from_on,
        to_on=to_on,
        payee=payee_id,
        worker=worker_id,
        after=after,
        most=most,
    )
    return list(found.all())


async def payments_to(
    tx: Tx, *, agency_id: UUID, from_on: date, to_on: date, payees: Sequence[UUID], worker_id: UUID | None
) -> list[Any]:
    """Final slips of these subcontractors in these paydays, by payee, payday and worker."""
    found = await tx.execute(
        """
        SELECT payslip_id, worker_id, payee_id, payday_on, period_to, result, inputs FROM payslip
        WHERE agency_id = :agency AND pay_basis = 'cis' AND state = 'finalised' AND payday_on BETWEEN :from_on AND :to_on
          AND payee_id = ANY(CAST(:payees AS uuid[])) AND (CAST(:worker AS uuid) IS NULL OR worker_id = :worker)
        ORDER BY payee_id, payday_on, worker_id, payslip_id
        """,
        agency=agency_id,
        from_on=from_on,
        to_on=to_on,
        payees=list(payees),
        worker=worker_id,
    )
    return list(found.all())
