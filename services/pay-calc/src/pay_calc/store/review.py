"""What the preview of a pay run reads."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from pay_calc.store.facts import UNANSWERED
from paybill_common.db import Tx

ROWS_MAX = 20_000


async def totals(tx: Tx, *, agency_id: UUID, period_to: date) -> Any:
    """People, payslips and money of a period, drafts and final ones together."""
    found = await tx.execute(
        """
        SELECT count(DISTINCT worker_id) FILTER (WHERE result IS NOT NULL) AS people,
               count(*) FILTER (WHERE result IS NOT NULL AND pay_basis = 'paye') AS payslips,
               count(*) FILTER (WHERE result IS NOT NULL AND pay_basis <> 'paye') AS self_bills,
               coalesce(sum(gross_gbp), 0) AS gross_gbp, coalesce(sum(net_gbp), 0) AS net_gbp,
               coalesce(sum(cost_gbp), 0) AS cost_gbp, coalesce(sum(minutes), 0) AS minutes,
               coalesce(sum(jsonb_array_length(held)), 0) AS held_timesheets, coalesce(sum(held_minutes), 0) AS held_minutes
        FROM payslip WHERE agency_id = :agency AND period_to = :period
        """,
        agency=agency_id,
        period=period_to,
    )
    return found.one()


_NAMED = "LEFT JOIN label l ON l.kind = 'worker' AND l.entry_id = s.worker_id AND l.agency_id = s.agency_id"


async def held(tx: Tx, *, agency_id: UUID, period_to: date) -> list[Any]:
    """Slips of a period with something held."""
    found = await tx.execute(
        f"""
        SELECT s.payslip_id, s.worker_id, s.gross_gbp, s.held, l.display_name FROM payslip s {_NAMED}
        WHERE s.agency_id = :agency AND s.period_to = :period AND jsonb_array_length(s.held) > 0
        ORDER BY s.worker_id, s.payslip_id LIMIT {ROWS_MAX}
        """,  # noqa: S608  constant text
        agency=agency_id,
        period=period_to,
    )
    return list(found.all())


async def awaiting(tx: Tx, *, agency_id: UUID) -> list[Any]:
    """Versions that wait for compliance's decision and are in no draft yet."""
    found = await tx.execute(
        f"""
        SELECT s.worker_id, s.timesheet_id, s.week_ending, s.payable_minutes AS minutes, s.pay_gbp, l.display_name
        FROM timesheet_version s {_NAMED}
        WHERE s.agency_id = :agency AND {UNANSWERED.format(v="s")}
        ORDER BY s.worker_id, s.timesheet_id LIMIT {ROWS_MAX}
        """,  # noqa: S608  constant text
        agency=agency_id,
    )
    return list(found.all())


async def worth_a_look(tx: Tx, *, agency_id: UUID, period_to: date, minutes: int) -> list[Any]:
    """Slips of a period that pay nothing, pay more hours than usual or correct an earlier week."""
    found = await tx.execute(
        f"""
        SELECT * FROM (
            SELECT s.payslip_id, s.worker_id, s.gross_gbp, s.net_gbp, s.minutes, s.worked_minutes, l.display_name,
                   jsonb_path_exists(s.result, '$.lines[*] ? (@.correction == true || @.week_ending < $first)',
                                               jsonb_build_object('first', CAST(s.period_from AS text))) AS late
            FROM payslip s {_NAMED}
            WHERE s.agency_id = :agency AND s.period_to = :period AND s.result IS NOT NULL) AS slip
        WHERE net_gbp <= 0 OR worked_minutes > :minutes OR late
        ORDER BY worker_id, payslip_id LIMIT {ROWS_MAX}
        """,  # noqa: S608  constant text
        agency=agency_id,
        period=period_to,
        minutes=minutes,
    )
    return list(found.all())


async def leave_given_twice(tx: Tx, *, agency_id: UUID, period_to: date) -> list[Any]:
    """Slips of a period whose hours earn leave, or holiday pay on top, while the worker's contract gives leave by the week."""
    found = await tx.execute(
        f"""
        SELECT s.payslip_id, s.worker_id, s.gross_gbp, s.minutes, l.display_name FROM payslip s {_NAMED}
        WHERE s.agency_id = :agency AND s.period_to = :period AND s.pay_basis = 'paye' AND s.result IS NOT NULL AND EXISTS (
            SELECT 1 FROM timesheet_version v
            CROSS JOIN LATERAL (
              SELECT w.days_a_week, w.from_on FROM working_week w
              WHERE w.agency_id = v.agency_id AND w.worker_id = v.worker_id AND NOT w.withdrawn AND w.from_on <= v.week_ending
              ORDER BY w.from_on DESC LIMIT 1) w
            WHERE v.agency_id = s.agency_id AND v.worker_id = s.worker_id AND v.week_ending >= s.period_from
              AND v.week_ending < s.period_to AND v.pay_basis = 'paye' AND v.holiday_pay <> 'none' AND w.days_a_week > 0
              AND v.state IN ('open', 'settled') AND NOT EXISTS (
                SELECT 1 FROM leave_entry e WHERE e.agency_id = v.agency_id AND e.worker_id = v.worker_id AND e.kind = 'paid_in_lieu'
                  AND e.entry_on >= w.from_on AND e.entry_on < v.week_ending))
        ORDER BY s.worker_id, s.payslip_id LIMIT {ROWS_MAX}
        """,  # noqa: S608  constant text
        agency=agency_id,
        period=period_to,
    )
    return list(found.all())


async def workers(tx: Tx, *, agency_id: UUID, period_to: date) -> list[UUID]:
    """Workers with an unsettled timesheet of this period or an earlier one."""
    found = await tx.execute(
        "SELECT DISTINCT worker_id FROM timesheet_version WHERE agency_id = :agency AND state = 'open' AND week_ending < :period",
        agency=agency_id,
        period=period_to,
    )
    return [row.worker_id for row in found]
