"""A week of an agency: what is expected, what is missing, and its control totals."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from paybill_common.db import Tx
from timesheet.store.records import Row

_IN_FORCE = "p.agency_id = :agency AND p.starts_on <= :week_ending AND (p.ends_on IS NULL OR p.ends_on > :monday)"
_MISSING = f"""
    FROM placement p
    JOIN worker w ON w.agency_id = p.agency_id AND w.worker_id = p.worker_id
    JOIN client c ON c.agency_id = p.agency_id AND c.client_id = p.client_id
    LEFT JOIN consultant k ON k.agency_id = p.agency_id AND k.consultant_id = p.consultant_id
    LEFT JOIN timesheet t ON t.agency_id = p.agency_id AND t.placement_id = p.placement_id AND t.week_ending = :week_ending
    WHERE {_IN_FORCE} AND (t.timesheet_id IS NULL OR t.status IN ('draft', 'rejected', 'submitted'))
"""


@dataclass(frozen=True, slots=True)
class Totals:
    """The approved timesheets of a week, summed: current versions only."""

    timesheets: int
    payable_minutes: int
    billable_minutes: int
    payable_units: Decimal
    billable_units: Decimal
    pay_gbp: Decimal
    charge_gbp: Decimal


@dataclass(frozen=True, slots=True)
class CutOff:
    sequence: int
    cut_off_at: datetime
    cut_off_by: str
    totals: Totals


async def placements_without_timesheet(
    tx: Tx, *, agency_id: UUID, week_ending: date, most: int
) -> tuple[int, int, list[Row]]:
    """Of the placements in force in the week: how many have a timesheet, how many have none, and up to `most` of those."""
    period = {"agency": agency_id, "week_ending": week_ending, "monday": week_ending - timedelta(days=6)}
    joined = (
        "FROM placement p LEFT JOIN timesheet t ON t.agency_id = p.agency_id AND t.placement_id = p.placement_id "
        f"AND t.week_ending = :week_ending WHERE {_IN_FORCE}"
    )
    counts = (
        await tx.execute(
            f"SELECT count(t.timesheet_id) AS existing, count(*) - count(t.timesheet_id) AS missing {joined}",
            **period,
        )
    ).one()
    result = await tx.execute(
        f"SELECT p.* {joined} AND t.timesheet_id IS NULL ORDER BY p.reference, p.placement_id LIMIT :most",
        **period,
        most=most,
    )
    return counts.existing, counts.missing, [dict(row) for row in result.mappings()]


async def missing_groups(tx: Tx, *, agency_id: UUID, week_ending: date, by: str) -> list[Any]:
    """What has not come, counted by client or consultant: without hours, and waiting for approval."""
    column, name = {"client": ("p.client_id", "c.name"), "consultant": ("p.consultant_id", "k.name")}[by]
    result = await tx.execute(
        f"SELECT {column} AS id, {name} AS name, count(*) FILTER (WHERE t.status IS DISTINCT FROM 'submitted') AS no_hours, "  # noqa: S608
        f"count(*) FILTER (WHERE t.status = 'submitted') AS not_approved {_MISSING} "
        f"GROUP BY {column}, {name} ORDER BY count(*) DESC, {name} NULLS LAST, {column} LIMIT 2000",
        agency=agency_id,
        week_ending=week_ending,
        monday=week_ending - timedelta(days=6),
    )
    return list(result)


async def missing_items(
    tx: Tx,
    *,
    agency_id: UUID,
    week_ending: date,
    most: int,
    after: UUID | None = None,
    client_id: UUID | None = None,
    consultant_id: UUID | None = None,
    timesheet_ids: list[UUID] | None = None,
) -> list[Any]:
    """Placements whose week has not come in approved, with whom to ask, by placement id."""
    narrowed = ""
    params: dict[str, Any] = {}
    for name, condition, value in (
        ("after", "p.placement_id > :after", after),
        ("client_id", "p.client_id = :client_id", client_id),
        ("consultant_id", "p.consultant_id = :consultant_id", consultant_id),
        ("timesheet_ids", "t.timesheet_id = ANY(CAST(:timesheet_ids AS uuid[]))", timesheet_ids),
    ):
        if value is not None:
            narrowed += f" AND {condition}"
            params[name] = value
    result = await tx.execute(
        "SELECT p.placement_id, p.reference AS placement_reference, p.name AS job_title, t.timesheet_id, t.reference, "
        "t.status, t.chased_at, p.worker_id, w.name AS worker, w.email AS worker_email, p.client_id, c.name AS client, "
        "p.consultant_id, k.name AS consultant, k.email AS consultant_email, "
        f"coalesce(p.approver_email, c.approver_email) AS approver_email {_MISSING}{narrowed} "
        "ORDER BY p.placement_id LIMIT :most",
        agency=agency_id,
        week_ending=week_ending,
        monday=week_ending - timedelta(days=6),
        most=most,
        **params,
    )
    return list(result)


async def record_chases(tx: Tx, *, agency_id: UUID, chases: list[tuple[UUID, UUID, str, UUID | None]], by: str) -> None:
    """(chase, timesheet, what, mail): who was asked for what."""
    await tx.execute(
        "INSERT INTO chase (agency_id, chase_id, timesheet_id, chased_at, chased_by, what, mail_id) "
        "SELECT :agency, c, t, :now, :by, w, m FROM unnest(CAST(:ids AS uuid[]), CAST(:timesheets AS uuid[]), "
        "CAST(:whats AS text[]), CAST(:mails AS uuid[])) AS r(c, t, w, m)",
        agency=agency_id,
        now=tx.now,
        by=by,
        ids=[one[0] for one in chases],
        timesheets=[one[1] for one in chases],
        whats=[one[2] for one in chases],
        mails=[one[3] for one in chases],
    )
    await tx.execute(
        "UPDATE timesheet SET chased_at = :now WHERE agency_id = :agency AND timesheet_id = ANY(CAST(:ids AS uuid[]))",
        agency=agency_id,
        now=tx.now,
        ids=sorted({one[1] for one in chases}),
    )


async def totals_of(tx: Tx, *, agency_id: UUID, week_ending: date) -> Totals:
    """Control totals of what is approved now."""
    row = (
        await tx.execute(
            """
            SELECT count(*) AS timesheets, coalesce(sum(v.payable_minutes), 0) AS payable_minutes,
                   coalesce(sum(v.billable_minutes), 0) AS billable_minutes,
                   coalesce(sum(v.payable_units), 0) AS payable_units, coalesce(sum(v.billable_units), 0) AS billable_units,
                   coalesce(sum(v.pay_gbp), 0) AS pay_gbp, coalesce(sum(v.charge_gbp), 0) AS charge_gbp
            FROM timesheet t JOIN timesheet_version v
                ON v.agency_id = t.agency_id AND v.timesheet_id = t.timesheet_id AND v.version = t.version
            WHERE t.agency_id = :agency AND t.week_ending = :week_ending AND t.status IN ('approved', 'amended')
            """,
            agency=agency_id,
            week_ending=week_ending,
        )
    ).one()
    return _totals(row)


async def statuses_of(tx: Tx, *, agency_id: UUID, week_ending: date) -> dict[str, int]:
    """How many timesheets of the week are in each status."""
    result = await tx.execute(
        "SELECT status, count(*) AS number FROM timesheet WHERE agency_id = :agency AND week_ending = :week_ending "
        "GROUP BY status",
        agency=agency_id,
        week_ending=week_ending,
    )
    return {row.status: row.number for row in result}


async def cut_off_of(tx: Tx, *, agency_id: UUID, week_ending: date, lock: bool = False) -> CutOff | None:
    """The last cut-off of the week. With `lock` one caller at a time cuts a week off."""
    if lock:
        await tx.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended('paybill.cut-off.' || :agency || :week, 0))",
            agency=str(agency_id),
            week=week_ending.isoformat(),
        )
    result = await tx.execute(
        "SELECT * FROM week_cut_off WHERE agency_id = :agency AND week_ending = :week_ending",
        agency=agency_id,
        week_ending=week_ending,
    )
    row = result.first()
    return None if row is None else CutOff(row.sequence, row.cut_off_at, row.cut_off_by, _totals(row))


async def save_cut_off(tx: Tx, *, agency_id: UUID, week_ending: date, cut_off: CutOff) -> None:
    totals = cut_off.totals
    await tx.execute(
        """
        INSERT INTO week_cut_off (agency_id, week_ending, sequence, cut_off_at, cut_off_by, timesheets, payable_minutes,
            billable_minutes, payable_units, billable_units, pay_gbp, charge_gbp)
        VALUES (:agency, :week_ending, :sequence, :at, :by, :timesheets, :payable_minutes, :billable_minutes,
            :payable_units, :billable_units, :pay_gbp, :charge_gbp)
        ON CONFLICT (agency_id, week_ending) DO UPDATE SET sequence = EXCLUDED.sequence, cut_off_at = EXCLUDED.cut_off_at,
            cut_off_by = EXCLUDED.cut_off_by, timesheets = EXCLUDED.timesheets,
            payable_minutes = EXCLUDED.payable_minutes, billable_minutes = EXCLUDED.billable_minutes,
            payable_units = EXCLUDED.payable_units, billable_units = EXCLUDED.billable_units,
            pay_gbp = EXCLUDED.pay_gbp, charge_gbp = EXCLUDED.charge_gbp
        """,
        agency=agency_id,
        week_ending=week_ending,
        sequence=cut_off.sequence,
        at=cut_off.cut_off_at,
        by=cut_off.cut_off_by,
        timesheets=totals.timesheets,
        payable_minutes=totals.payable_minutes,
        billable_minutes=totals.billable_minutes,
        payable_units=totals.payable_units,
        billable_units=totals.billable_units,
        pay_gbp=totals.pay_gbp,
        charge_gbp=totals.charge_gbp,
    )


def _totals(row: Any) -> Totals:
    return Totals(
        timesheets=row.timesheets,
        payable_minutes=int(row.payable_minutes),
        billable_minutes=int(row.billable_minutes),
        payable_units=row.payable_units,
        billable_units=row.billable_units,
        pay_gbp=row.pay_gbp,
        charge_gbp=row.charge_gbp,
    )
