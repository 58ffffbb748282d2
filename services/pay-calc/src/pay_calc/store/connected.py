"""Which agencies are connected employers, and what each of them has told the others of a person's earnings.

Nobody reads another agency's payslips: the pay run that finalises one adds a row to each connected agency that has the same person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pay_calc.domain.connected import Elsewhere
from paybill_common.db import Tx

Key = tuple[UUID, UUID]
"""(agency_id, worker_id)."""

_SUMS = ("niable_pence", "employee_nic_pence", "employer_nic_pence", "student_loan_pence", "postgrad_loan_pence")


@dataclass(frozen=True, slots=True)
class Earned:
    """A final payslip's own earnings period, to be told."""

    worker_id: UUID
    payslip_id: UUID
    charged: Elsewhere


async def replace(tx: Tx, *, agency_id: UUID, others: Sequence[UUID], by: str) -> None:
    """Name the agencies that this one is connected with, in place of those named before."""
    await tx.execute(
        "DELETE FROM connected_employer WHERE agency_id = :agency AND NOT other_agency_id = ANY(CAST(:others AS uuid[]))",
        agency=agency_id,
        others=list(others),
    )
    await tx.execute(
        """
        INSERT INTO connected_employer (agency_id, other_agency_id, recorded_at, recorded_by)
        SELECT CAST(:agency AS uuid), o, :now, :by FROM unnest(CAST(:others AS uuid[])) AS o
        ON CONFLICT DO NOTHING
        """,
        agency=agency_id,
        others=list(others),
        now=tx.now,
        by=by,
    )


async def of_agency(tx: Tx, *, agency_id: UUID) -> list[Any]:
    """The agencies that this one names, with who did and when."""
    found = await tx.execute(
        "SELECT other_agency_id, recorded_at, recorded_by FROM connected_employer WHERE agency_id = :agency ORDER BY 1",
        agency=agency_id,
    )
    return list(found.all())


async def hold_people(tx: Tx, keys: Sequence[Key]) -> bool:
    """Keep connected agencies from finalising the same people until this transaction ends. False: these agencies have no connection."""
    agencies = sorted({agency for agency, _ in keys})
    found = await tx.execute(
        "SELECT 1 FROM connected_employer WHERE agency_id = ANY(CAST(:agencies AS uuid[])) LIMIT 1", agencies=agencies
    )
    if found.first() is None:
        return False
    await tx.execute(
        """
        SELECT pg_advisory_xact_lock(hashtextextended('pay_calc.person.' || n, 0)) FROM (
          SELECT DISTINCT ni_number AS n FROM pay_profile
          WHERE agency_id = ANY(CAST(:agencies AS uuid[])) AND worker_id = ANY(CAST(:workers AS uuid[])) AND ni_number IS NOT NULL
          ORDER BY 1) AS people
        """,
        agencies=agencies,
        workers=[worker for _, worker in keys],
    )
    return True


async def tell(tx: Tx, *, agency_id: UUID, rows: Sequence[Earned]) -> None:
    """Tell each agency that this one names, and that names this one, what its workers with the same NI number were paid here. Needs the
    worker role."""
    if not rows:
        return
    sums = ", ".join(_SUMS)
    await tx.execute(
        f"""
        INSERT INTO connected_earnings (agency_id, worker_id, payslip_id, payday_on, ni_letter, director, {sums}, student_loan_plan)
        SELECT theirs.agency_id, theirs.worker_id, i.payslip, i.payday, i.letter, i.director,
               {", ".join(f"i.{name}" for name in _SUMS)}, i.plan
        FROM unnest(CAST(:workers AS uuid[]), CAST(:payslips AS uuid[]), CAST(:paydays AS date[]), CAST(:letters AS text[]),
            CAST(:directors AS boolean[]), {", ".join(f"CAST(:{name} AS bigint[])" for name in _SUMS)},
            CAST(:plans AS text[]))
          AS i(worker, payslip, payday, letter, director, {sums}, plan)
        JOIN pay_profile mine ON mine.agency_id = :agency AND mine.worker_id = i.worker
        JOIN connected_employer c ON c.agency_id = :agency
        JOIN connected_employer back ON back.agency_id = c.other_agency_id AND back.other_agency_id = :agency
        JOIN pay_profile theirs ON theirs.agency_id = c.other_agency_id AND theirs.ni_number = mine.ni_number
        ON CONFLICT DO NOTHING
        """,  # noqa: S608  constant names
        agency=agency_id,
        workers=[row.worker_id for row in rows],
        payslips=[row.payslip_id for row in rows],
        paydays=[row.charged.payday_on for row in rows],
        letters=[row.charged.ni_letter for row in rows],
        directors=[row.charged.director for row in rows],
        plans=[row.charged.student_loan_plan for row in rows],
        **{name: [getattr(row.charged, name) for row in rows] for name in _SUMS},
    )


async def told(tx: Tx, keys: Sequence[Key]) -> dict[Key, list[Elsewhere]]:
    """What connected agencies told of these workers."""
    found = await tx.execute(
        f"""
        SELECT agency_id, worker_id, payday_on, ni_letter, director, {", ".join(_SUMS)}, student_loan_plan FROM connected_earnings
        WHERE agency_id = ANY(CAST(:agencies AS uuid[])) AND worker_id = ANY(CAST(:workers AS uuid[]))
        ORDER BY payday_on, payslip_id
        """,  # noqa: S608  constant names
        agencies=sorted({agency for agency, _ in keys}),
        workers=[worker for _, worker in keys],
    )
    by_worker: dict[Key, list[Elsewhere]] = {}
    for row in found:
        by_worker.setdefault((row.agency_id, row.worker_id), []).append(Elsewhere(*row[2:]))
    return by_worker


async def drafts_to_work_again(tx: Tx, *, agency_id: UUID, pay_run_id: UUID) -> list[Key]:
    """Workers of connected agencies with a draft, whom this run paid too. Needs the worker role."""
    found = await tx.execute(
        """
        SELECT DISTINCT e.agency_id, e.worker_id
        FROM payslip p JOIN connected_earnings e ON e.payslip_id = p.payslip_id
        JOIN payslip d ON d.agency_id = e.agency_id AND d.worker_id = e.worker_id AND d.state = 'draft'
        WHERE p.agency_id = :agency AND p.pay_run_id = :run AND p.state = 'finalised'
          AND EXISTS (SELECT 1 FROM connected_employer c WHERE c.agency_id = :agency)
        ORDER BY 1, 2
        """,
        agency=agency_id,
        run=pay_run_id,
    )
    return [(row.agency_id, row.worker_id) for row in found]
