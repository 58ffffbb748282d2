"""Pay runs and their progress."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from pay_calc.store.pension_records import OWED_REFUND
from paybill_common.db import Tx


async def by_id(tx: Tx, *, agency_id: UUID, pay_run_id: UUID, lock: bool = False) -> Any | None:
    """A run's row, or None."""
    found = await tx.execute(
        "SELECT * FROM pay_run WHERE agency_id = :agency AND pay_run_id = :id" + (" FOR UPDATE" if lock else ""),  # noqa: S608  constant text
        agency=agency_id,
        id=pay_run_id,
    )
    return found.first()


async def by_period(tx: Tx, *, agency_id: UUID, period_to: date) -> Any | None:
    found = await tx.execute(
        "SELECT * FROM pay_run WHERE agency_id = :agency AND period_to = :period", agency=agency_id, period=period_to
    )
    return found.first()


async def closing_of(tx: Tx, *, agency_id: UUID) -> Any | None:
    """The run that closes over this agency now; at most one."""
    found = await tx.execute("SELECT * FROM pay_run WHERE agency_id = :agency AND state = 'closing'", agency=agency_id)
    return found.first()


async def earliest_payable(tx: Tx, *, agency_id: UUID, before: date) -> Any | None:
    """The first period before this one with drafts that pay timesheets (`period_to`, `slips`), or None."""
    found = await tx.execute(
        """
        SELECT period_to, count(*) AS slips FROM payslip
        WHERE agency_id = :agency AND period_to < :before AND state = 'draft' AND result IS NOT NULL AND charges > 0
        GROUP BY period_to ORDER BY period_to LIMIT 1
        """,
        agency=agency_id,
        before=before,
    )
    return found.first()


async def stalled(tx: Tx, *, after_s: int) -> list[tuple[UUID, UUID]]:
    """(agency, run) of runs that are closing and that nobody has moved for a while, by the real clock."""
    found = await tx.execute(
        """
        SELECT agency_id, pay_run_id FROM pay_run
        WHERE state = 'closing' AND progressed_at < clock_timestamp() - make_interval(secs => :after) ORDER BY 1, 2 LIMIT 100
        """,
        after=after_s,
    )
    return [(row.agency_id, row.pay_run_id) for row in found]


async def page(
    tx: Tx,
    *,
    agency_id: UUID,
    state: str | None,
    week_ending: date | None,
    external_id: str | None,
    before: date | None,
    most: int,
) -> list[Any]:
    """Runs, newest period first."""
    found = await tx.execute(
        """
        SELECT * FROM pay_run WHERE agency_id = :agency
          AND (CAST(:state AS text) IS NULL OR state = :state)
          AND (CAST(:week AS date) IS NULL OR week_ending = :week)
          AND (CAST(:external AS text) IS NULL OR external_id = :external)
          AND (CAST(:before AS date) IS NULL OR period_to < :before)
        ORDER BY period_to DESC LIMIT :most
        """,
        agency=agency_id,
        state=state,
        week=week_ending,
        external=external_id,
        before=before,
        most=most,
    )
    return list(found.all())


async def open_run(
    tx: Tx,
    *,
    agency_id: UUID,
    pay_run_id: UUID,
    external_id: str | None,
    week_ending: date,
    period_to: date,
    payday_on: date,
    funds_on: date,
    control: Mapping[str, Any],
    own: Mapping[str, Any],
    accepted_by: str | None,
    accepted_reason: str | None,
    opened_by: str,
    now: datetime,
) -> int:
    """Start closing: fix the cut-off and the workers that it covers. Returns their number. The caller owns the agency's lock."""
    cut_off_no = (
        await tx.execute("SELECT nextval(pg_get_serial_sequence('timesheet_version', 'applied_no')) AS n")
    ).scalar_one()
    await tx.execute(
        """
        INSERT INTO pay_run (agency_id, pay_run_id, external_id, week_ending, period_to, payday_on, funds_on, state, cut_off_at,
            cut_off_no, control_totals, own_totals, difference_accepted, accepted_by, accepted_reason, opened_by, opened_at,
            workers_total, workers_done)
        VALUES (:agency, :id, :external, :week, :period, :payday, :funds, 'closing', :now, :cut_off_no, CAST(:control AS jsonb),
            CAST(:own AS jsonb), CAST(:accepted_by AS text) IS NOT NULL, :accepted_by, :accepted_reason, :opened_by, :now, 0, 0)
        """,
        agency=agency_id,
        id=pay_run_id,
        external=external_id,
        week=week_ending,
        period=period_to,
        payday=payday_on,
        funds=funds_on,
        now=now,
        cut_off_no=cut_off_no,
        control=json.dumps(control, default=str),
        own=json.dumps(own, default=str),
        accepted_by=accepted_by,
        accepted_reason=accepted_reason,
        opened_by=opened_by,
    )
    await tx.execute(
        f"""
        INSERT INTO pay_run_worker (agency_id, pay_run_id, worker_id)
        SELECT CAST(:agency AS uuid), CAST(:id AS uuid), worker_id
        FROM (SELECT worker_id FROM timesheet_version WHERE agency_id = :agency AND state = 'open' AND week_ending < :period
              UNION SELECT worker_id FROM statutory_week WHERE agency_id = :agency AND state = 'open' AND week_ending < :period
              UNION SELECT worker_id FROM holiday_week WHERE agency_id = :agency AND state = 'open' AND week_ending < :period
              UNION SELECT worker_id FROM payslip WHERE agency_id = :agency AND state = 'draft' AND charges = 0
                    AND result IS NOT NULL AND period_to <= :period
              UNION SELECT n.worker_id FROM nil_week n WHERE n.agency_id = :agency AND NOT n.withdrawn AND n.week_ending < :period
                    AND n.week_ending >= coalesce((SELECT max(run.period_to) FROM pay_run run WHERE run.agency_id = :agency
                                                   AND run.state = 'closed'), CAST('-infinity' AS date))
              UNION SELECT r.worker_id FROM pension_record r WHERE r.agency_id = :agency AND {OWED_REFUND}) AS w
        """,  # noqa: S608  constant text
        agency=agency_id,
        id=pay_run_id,
        period=period_to,
    )
    total = await tx.execute(
        """
        UPDATE pay_run SET workers_total = (SELECT count(*) FROM pay_run_worker w
            WHERE w.agency_id = pay_run.agency_id AND w.pay_run_id = pay_run.pay_run_id)
        WHERE agency_id = :agency AND pay_run_id = :id RETURNING workers_total
        """,
        agency=agency_id,
        id=pay_run_id,
    )
    return int(total.scalar_one())


async def next_workers(tx: Tx, *, agency_id: UUID, pay_run_id: UUID, most: int) -> list[UUID]:
    """The next workers that a closing run has still to do, in worker order."""
    found = await tx.execute(
        """
        SELECT worker_id FROM pay_run_worker WHERE agency_id = :agency AND pay_run_id = :id AND outcome IS NULL
        ORDER BY worker_id LIMIT :most
        """,
        agency=agency_id,
        id=pay_run_id,
        most=most,
    )
    return [row.worker_id for row in found]


async def mark_done(
    tx: Tx, *, agency_id: UUID, pay_run_id: UUID, outcomes: Sequence[tuple[UUID, str, str | None, int, int]]
) -> None:
    """Record (worker, outcome, reason, held timesheets, held minutes), and that the run moved."""
    await tx.execute(
        """
        UPDATE pay_run_worker SET outcome = o, reason = r, held_timesheets = ht, held_minutes = hm
        FROM unnest(CAST(:workers AS uuid[]), CAST(:outcomes AS text[]), CAST(:reasons AS text[]), CAST(:held AS int[]),
            CAST(:minutes AS int[])) AS i(w, o, r, ht, hm)
        WHERE agency_id = :agency AND pay_run_id = :id AND worker_id = w AND worker_id = ANY(CAST(:workers AS uuid[]))
        """,
        agency=agency_id,
        id=pay_run_id,
        workers=[row[0] for row in outcomes],
        outcomes=[row[1] for row in outcomes],
        reasons=[row[2] for row in outcomes],
        held=[row[3] for row in outcomes],
        minutes=[row[4] for row in outcomes],
    )
    await tx.execute(
        """
        UPDATE pay_run SET workers_done = workers_done + :done, progressed_at = clock_timestamp()
        WHERE agency_id = :agency AND pay_run_id = :id
        """,
        agency=agency_id,
        id=pay_run_id,
        done=len(outcomes),
    )


async def close(tx: Tx, *, agency_id: UUID, pay_run_id: UUID, now: datetime) -> Any:
    """Write the run's totals from its payslips, close it and return its row."""
    found = await tx.execute(
        """
        UPDATE pay_run SET state = 'closed', closed_at = :now, progressed_at = clock_timestamp(),
            payslips = s.payslips, self_bills = s.self_bills, gross_gbp = s.gross, net_gbp = s.net, cost_gbp = s.cost,
            paid_minutes = s.minutes, held_timesheets = h.timesheets, held_minutes = h.minutes
        FROM (SELECT count(*) FILTER (WHERE pay_basis = 'paye') AS payslips, count(*) FILTER (WHERE pay_basis <> 'paye') AS self_bills,
                     coalesce(sum(gross_gbp), 0) AS gross, coalesce(sum(net_gbp), 0) AS net, coalesce(sum(cost_gbp), 0) AS cost,
                     coalesce(sum(minutes), 0) AS minutes
              FROM payslip WHERE agency_id = :agency AND pay_run_id = :id) AS s,
             (SELECT coalesce(sum(held_timesheets), 0) AS timesheets, coalesce(sum(held_minutes), 0) AS minutes
              FROM pay_run_worker WHERE agency_id = :agency AND pay_run_id = :id) AS h
        WHERE agency_id = :agency AND pay_run_id = :id RETURNING pay_run.*
        """,
        agency=agency_id,
        id=pay_run_id,
        now=now,
    )
    return found.one()


async def left_out(tx: Tx, *, agency_id: UUID, pay_run_id: UUID, most: int) -> list[Any]:
    """Workers that a run left out, and why, and those with timesheets, statutory or holiday pay held at its close."""
    found = await tx.execute(
        """
        SELECT worker_id, outcome, reason, held_timesheets, held_minutes FROM pay_run_worker
        WHERE agency_id = :agency AND pay_run_id = :id AND (outcome = 'left_out' OR held_timesheets > 0 OR reason IS NOT NULL)
        ORDER BY worker_id LIMIT :most
        """,
        agency=agency_id,
        id=pay_run_id,
        most=most,
    )
    return list(found.all())


def totals_json(raw: Any) -> dict[str, Any]:
    """Stored totals with their types again."""
    values = json.loads(raw) if isinstance(raw, str) else dict(raw)
    return {
        "timesheets": int(values["timesheets"]),
        "payable_minutes": int(values["payable_minutes"]),
        "payable_units": Decimal(values["payable_units"]),
        "pay_gbp": Decimal(values["pay_gbp"]),
    }
