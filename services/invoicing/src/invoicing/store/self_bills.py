"""Finalised pay of supplier-paid workers, waiting to become self-bills."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from paybill_common.db import Tx


async def pending_groups(tx: Tx, *, agencies: Sequence[UUID]) -> list[Any]:
    """Per pay run and payee what is not on a document yet, with how complete the run is.

    `arrived` of `expected` finalised amounts of the run are here; `expected` is null until the run's close arrives.
    """
    result = await tx.execute(
        """
        WITH pending AS (
            SELECT agency_id, pay_run_id, payee_id, min(pay_basis) AS pay_basis, min(period_from) AS period_from,
                   max(period_to) AS period_to, sum(net_gbp) AS net_gbp, count(*) AS amounts
            FROM self_bill_pay
            WHERE agency_id = ANY(CAST(:agencies AS uuid[])) AND document_id IS NULL
            GROUP BY agency_id, pay_run_id, payee_id
        ), runs AS (
            SELECT p.agency_id, p.pay_run_id, count(*) AS arrived
            FROM self_bill_pay p
            WHERE (p.agency_id, p.pay_run_id) IN (SELECT agency_id, pay_run_id FROM pending)
            GROUP BY p.agency_id, p.pay_run_id
        )
        SELECT g.*, r.arrived, pr.self_bills AS expected, pr.payday_on,
               (SELECT count(*) FROM self_bill_pay p
                JOIN self_bill_charge c ON c.agency_id = p.agency_id AND c.payslip_id = p.payslip_id
                LEFT JOIN charge ch ON ch.agency_id = c.agency_id AND ch.charge_line_id = c.charge_line_id
                    AND ch.version = c.version
                WHERE p.agency_id = g.agency_id AND p.pay_run_id = g.pay_run_id
                  AND p.payee_id IS NOT DISTINCT FROM g.payee_id AND p.document_id IS NULL
                  AND ch.charge_line_id IS NULL) AS charges_missing
        FROM pending g
        JOIN runs r ON r.agency_id = g.agency_id AND r.pay_run_id = g.pay_run_id
        LEFT JOIN pay_run pr ON pr.agency_id = g.agency_id AND pr.pay_run_id = g.pay_run_id
        ORDER BY g.agency_id, pr.payday_on, g.pay_run_id, g.payee_id
        """,
        agencies=sorted(set(agencies)),
    )
    return list(result)


async def amounts_of(tx: Tx, *, agency_id: UUID, pay_run_id: UUID, payees: Sequence[UUID]) -> list[Any]:
    """The finalised amounts of these payees in a run."""
    result = await tx.execute(
        "SELECT * FROM self_bill_pay WHERE agency_id = :agency AND pay_run_id = :run"
        " AND payee_id = ANY(CAST(:payees AS uuid[])) AND document_id IS NULL ORDER BY payee_id, worker_id, payslip_id",
        agency=agency_id,
        run=pay_run_id,
        payees=list(payees),
    )
    return list(result)


async def charges_of(tx: Tx, *, agency_id: UUID, payslips: Sequence[UUID]) -> list[Any]:
    """The charge lines behind finalised amounts, with what they are called and when they were worked."""
    result = await tx.execute(
        """
        SELECT c.payslip_id, c.ordinal, c.charge_line_id, c.timesheet_id, c.version, c.minutes, c.pay_gbp, c.reverses,
               ch.element, ch.rate_code, ch.rate_unit, ch.units, ch.pay_rate, ch.first_on, ch.last_on,
               t.reference, t.site_id, t.placement_id
        FROM self_bill_charge c
        JOIN charge ch ON ch.agency_id = c.agency_id AND ch.charge_line_id = c.charge_line_id AND ch.version = c.version
        JOIN timesheet t ON t.agency_id = c.agency_id AND t.timesheet_id = c.timesheet_id
        WHERE c.agency_id = :agency AND c.payslip_id = ANY(CAST(:payslips AS uuid[]))
        ORDER BY c.payslip_id, c.ordinal
        """,
        agency=agency_id,
        payslips=list(payslips),
    )
    return list(result)


async def mark_issued(tx: Tx, *, agency_id: UUID, payslips: Sequence[UUID], documents: Sequence[UUID]) -> None:
    """Tie finalised amounts to the self-bills that carry them, pair by pair."""
    await tx.execute(
        """
        UPDATE self_bill_pay p SET document_id = d.document_id
        FROM unnest(CAST(:payslips AS uuid[]), CAST(:documents AS uuid[])) AS d(payslip_id, document_id)
        WHERE p.agency_id = :agency AND p.payslip_id = ANY(CAST(:payslips AS uuid[])) AND p.payslip_id = d.payslip_id
        """,
        agency=agency_id,
        payslips=list(payslips),
        documents=list(documents),
    )
