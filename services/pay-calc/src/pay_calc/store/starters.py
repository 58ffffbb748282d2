"""What final payslips say of an employment's beginning: its first payday, the code in use, and which payslip is reported first."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from pay_calc.domain.fps import REPORTED
from pay_calc.domain.starting import PaidSoFar
from paybill_common.db import Tx

# What a submission reports of a payslip: PAYE pay, and a company's deemed pay where tax was taken of it.
_REPORTED = (
    "{t}.state = 'finalised' AND ("
    + " OR ".join(
        f"{{t}}.pay_basis = '{basis}' AND CAST({{t}}.result->'figures'->>'{name}' AS bigint) <> 0"
        for basis, names in REPORTED.items()
        for name in names
    )
    + ")"
)
_EMPLOYMENT = "CAST({t}.inputs->'employee'->>'employment_no' AS int)"


async def paid_so_far(
    tx: Tx, *, agencies: Sequence[UUID], workers: Sequence[UUID]
) -> dict[tuple[UUID, UUID], PaidSoFar]:
    """By (agency, worker), of those whose profile has what a starter brought and who were paid in this employment."""
    found = await tx.execute(
        f"""
        SELECT p.agency_id, p.worker_id, first.payday_on AS first_on, used.tax_code, used.payday_on AS used_on
        FROM pay_profile p
        CROSS JOIN LATERAL (
          SELECT s.payday_on FROM payslip s
          WHERE s.agency_id = p.agency_id AND s.worker_id = p.worker_id AND {_REPORTED.format(t="s")}
            AND {_EMPLOYMENT.format(t="s")} = p.employment_no
          ORDER BY s.period_to LIMIT 1
        ) AS first
        LEFT JOIN LATERAL (
          SELECT s.payday_on, s.inputs->'employee'->>'tax_code' AS tax_code FROM payslip s
          WHERE s.agency_id = p.agency_id AND s.worker_id = p.worker_id AND {_REPORTED.format(t="s")}
            AND {_EMPLOYMENT.format(t="s")} = p.employment_no AND s.inputs->'employee'->'after_leaving' IS NULL
            AND (p.tax_code_from IS NULL OR s.payday_on < p.tax_code_from)
          ORDER BY s.period_to DESC LIMIT 1
        ) AS used ON true
        WHERE p.agency_id = ANY(CAST(:agencies AS uuid[])) AND p.worker_id = ANY(CAST(:workers AS uuid[]))
          AND p.starter IS NOT NULL
        """,  # noqa: S608  constant text
        agencies=list(agencies),
        workers=list(workers),
    )
    return {
        (row.agency_id, row.worker_id): PaidSoFar(first_on=row.first_on, code_in_use=row.tax_code, used_on=row.used_on)
        for row in found
    }


async def first_reported(tx: Tx, *, agency_id: UUID, payslips: Sequence[UUID]) -> set[UUID]:
    """Which of these final payslips have no reported one before them in the same employment."""
    found = await tx.execute(
        f"""
        SELECT now.payslip_id FROM payslip now
        WHERE now.agency_id = :agency AND now.payslip_id = ANY(CAST(:ids AS uuid[])) AND NOT EXISTS (
          SELECT 1 FROM payslip was
          WHERE was.agency_id = now.agency_id AND was.worker_id = now.worker_id AND was.period_to < now.period_to
            AND {_REPORTED.format(t="was")} AND {_EMPLOYMENT.format(t="was")} = {_EMPLOYMENT.format(t="now")}
        )
        """,  # noqa: S608  constant text
        agency=agency_id,
        ids=list(payslips),
    )
    return {row.payslip_id for row in found}
