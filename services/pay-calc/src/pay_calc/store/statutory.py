"""Recorded absences and leaves, and the weeks of statutory pay that follow from them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from pay_calc.domain.statutory import StatutoryPay, statutory_of
from pay_calc.store.week_records import WeekRecords
from paybill_common.db import Tx

Key = tuple[UUID, UUID]
"""(agency_id, worker_id)."""

_FIELDS = (
    "external_id",
    "kind",
    "first_on",
    "last_on",
    "cancelled",
    "average_pence",
    "average_divisor",
    "average_method",
)
_dumps = json.JSONEncoder(separators=(",", ":")).encode
records = WeekRecords("statutory_record", "statutory_week", _FIELDS, "terms")


async def replace_open(tx: Tx, *, agency_id: UUID, worker_id: UUID, weeks: Sequence[StatutoryPay]) -> None:
    """Put these weeks in place of all that this worker has open."""
    await tx.execute(
        "DELETE FROM statutory_week WHERE agency_id = :agency AND worker_id = :worker AND state = 'open'",
        agency=agency_id,
        worker=worker_id,
    )
    if weeks:
        await tx.execute(
            """
            INSERT INTO statutory_week (agency_id, record_id, first_day, worker_id, week_ending, state, terms)
            SELECT :agency, r, f, :worker, w, 'open', CAST(t AS jsonb)
            FROM unnest(CAST(:records AS uuid[]), CAST(:firsts AS date[]), CAST(:weeks AS date[]), CAST(:terms AS text[]))
              AS i(r, f, w, t)
            """,
            agency=agency_id,
            worker=worker_id,
            records=[week.record_id for week in weeks],
            firsts=[week.dates[0] for week in weeks],
            weeks=[week.week_ending for week in weeks],
            terms=[_dumps(week.as_json()) for week in weeks],
        )


async def open_weeks(tx: Tx, keys: Sequence[Key]) -> dict[Key, list[StatutoryPay]]:
    """What of these workers' statutory pay no finalised payslip has paid."""
    found = await tx.execute(
        """
        SELECT agency_id, worker_id, terms FROM statutory_week
        WHERE agency_id = ANY(CAST(:agencies AS uuid[])) AND worker_id = ANY(CAST(:workers AS uuid[])) AND state = 'open'
        ORDER BY first_day, record_id
        """,
        agencies=sorted({agency for agency, _ in keys}),
        workers=[worker for _, worker in keys],
    )
    by_worker: dict[Key, list[StatutoryPay]] = {}
    for row in found:
        by_worker.setdefault((row.agency_id, row.worker_id), []).append(week_of(row))
    return by_worker


def week_of(row: Any) -> StatutoryPay:
    """A week's terms from its row."""
    return statutory_of(json.loads(row.terms) if isinstance(row.terms, str) else row.terms)


async def open_up_to(tx: Tx, *, agency_id: UUID, period_to: date) -> list[tuple[UUID, StatutoryPay]]:
    """Unpaid statutory pay of this period or an earlier one, by worker."""
    found = await tx.execute(
        """
        SELECT worker_id, terms FROM statutory_week WHERE agency_id = :agency AND state = 'open' AND week_ending < :period
        ORDER BY worker_id, first_day
        """,
        agency=agency_id,
        period=period_to,
    )
    return [(row.worker_id, week_of(row)) for row in found]


async def settle(tx: Tx, *, agency_id: UUID, settled: Sequence[tuple[StatutoryPay, UUID]]) -> None:
    """Mark these weeks as paid by these payslips."""
    if not settled:
        return
    await tx.execute(
        """
        UPDATE statutory_week AS w SET state = 'settled', payslip_id = p
        FROM unnest(CAST(:records AS uuid[]), CAST(:firsts AS date[]), CAST(:payslips AS uuid[])) AS i(r, f, p)
        WHERE w.agency_id = :agency AND w.record_id = r AND w.first_day = f AND w.state = 'open'
        """,
        agency=agency_id,
        records=[week.record_id for week, _ in settled],
        firsts=[week.dates[0] for week, _ in settled],
        payslips=[payslip_id for _, payslip_id in settled],
    )


async def earnings(tx: Tx, *, agency_id: UUID, worker_id: UUID, up_to_on: date) -> dict[date, int]:
    """What finalised payslips paid this worker that National Insurance is due on, pence by payday."""
    found = await tx.execute(
        """
        SELECT payday_on, sum(CAST(result -> 'figures' ->> 'niable_pence' AS bigint)) AS pence FROM payslip
        WHERE agency_id = :agency AND worker_id = :worker AND state = 'finalised' AND pay_basis = 'paye' AND payday_on <= :up_to
        GROUP BY payday_on
        """,
        agency=agency_id,
        worker=worker_id,
        up_to=up_to_on,
    )
    return {row.payday_on: int(row.pence) for row in found}


async def closed_paydays(tx: Tx, *, agency_id: UUID, up_to_on: date) -> list[date]:
    """Paydays of the agency's closed runs."""
    found = await tx.execute(
        "SELECT payday_on FROM pay_run WHERE agency_id = :agency AND state = 'closed' AND payday_on <= :up_to",
        agency=agency_id,
        up_to=up_to_on,
    )
    return [row.payday_on for row in found]


async def employed_from(tx: Tx, *, agency_id: UUID, worker_id: UUID) -> date | None:
    """The worker's first day, as far as known."""
    found = await tx.execute(
        "SELECT started_on FROM worker WHERE agency_id = :agency AND worker_id = :worker",
        agency=agency_id,
        worker=worker_id,
    )
    row = found.first()
    return None if row is None else row.started_on


async def family_pay_to_date(tx: Tx, *, agency_id: UUID, payslips: Sequence[Any]) -> dict[UUID, dict[str, int]]:
    """Statutory family pay of the tax year and employment up to each of these final payslips, itself in it: pence by element. Only payslips
    with any."""
    found = await tx.execute(
        """
        SELECT now.payslip_id, line ->> 'element' AS element, sum(CAST(line ->> 'amount_pence' AS bigint)) AS pence
        FROM payslip now
        JOIN payslip p ON p.agency_id = now.agency_id AND p.worker_id = now.worker_id AND p.payday_on <= now.payday_on
          AND p.payslip_id IN (SELECT w.payslip_id FROM statutory_week w
                               WHERE w.agency_id = :agency AND w.state = 'settled' AND w.worker_id = now.worker_id)
          AND p.result ->> 'tax_year' = now.result ->> 'tax_year'
          AND p.inputs -> 'employee' ->> 'employment_no' = now.inputs -> 'employee' ->> 'employment_no'
        CROSS JOIN LATERAL jsonb_array_elements(p.result -> 'lines') AS line
        WHERE now.agency_id = :agency AND now.payslip_id = ANY(CAST(:payslips AS uuid[]))
          AND line ->> 'kind' = 'statutory' AND line ->> 'element' <> 'SSP'
          AND EXISTS (SELECT 1 FROM statutory_record r WHERE r.agency_id = :agency AND r.worker_id = now.worker_id AND r.kind <> 'SSP')
        GROUP BY 1, 2
        """,
        agency=agency_id,
        payslips=[row.payslip_id for row in payslips],
    )
    by_payslip: dict[UUID, dict[str, int]] = {}
    for row in found:
        by_payslip.setdefault(row.payslip_id, {})[row.element] = int(row.pence)
    return by_payslip
