"""Questions about one agency's week, each answered in one statement."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from paybill_common.db import Tx
from paybill_common.money import to_pence
from reporting.domain.tie_out import (
    DocumentDifference,
    Line,
    LineDifference,
    MinutesBucket,
    Side,
    TieOut,
    bill_difference,
    pay_difference,
    tie_out,
)


async def weeks_of(tx: Tx, *, agency_id: UUID, most: int, before: date | None = None) -> list[date]:
    """The weeks that have timesheets, newest first; those `before` a week when one is given."""
    result = await tx.execute(
        "SELECT DISTINCT week_ending FROM timesheet WHERE agency_id = :agency AND week_ending IS NOT NULL"
        " AND (CAST(:before AS date) IS NULL OR week_ending < CAST(:before AS date))"
        " ORDER BY week_ending DESC LIMIT :most",
        agency=agency_id,
        before=before,
        most=most,
    )
    return [row.week_ending for row in result]


async def totals(tx: Tx, *, agency_id: UUID, week_ending: date) -> Any:
    """Every stage of the week's funnel, in timesheets, minutes and pounds: one row."""
    result = await tx.execute(
        """
        SELECT count(*) AS expected,
            count(*) FILTER (WHERE t.submitted_at IS NOT NULL) AS imported,
            coalesce(sum(CASE WHEN t.status = 'approved' THEN t.worked_minutes ELSE t.submitted_minutes END)
                FILTER (WHERE t.submitted_at IS NOT NULL), 0) AS submitted_minutes,
            coalesce(sum(CASE WHEN t.status = 'approved' THEN t.charge_gbp ELSE t.submitted_charge_gbp END)
                FILTER (WHERE t.submitted_at IS NOT NULL), 0) AS submitted_charge_gbp,
            count(*) FILTER (WHERE t.status = 'expected') AS not_sent,
            count(*) FILTER (WHERE t.status = 'not_worked') AS not_worked,
            count(*) FILTER (WHERE t.status = 'submitted') AS unapproved,
            coalesce(sum(t.submitted_charge_gbp) FILTER (WHERE t.status = 'submitted'), 0) AS unapproved_charge_gbp,
            coalesce(sum(t.submitted_pay_gbp) FILTER (WHERE t.status = 'submitted'), 0) AS unapproved_pay_gbp,
            count(*) FILTER (WHERE t.rejected_at IS NOT NULL) AS rejected,
            count(*) FILTER (WHERE t.status = 'rejected') AS rejected_open,
            coalesce(sum(t.submitted_charge_gbp) FILTER (WHERE t.status = 'rejected'), 0) AS rejected_charge_gbp,
            count(*) FILTER (WHERE t.status = 'approved') AS approved,
            count(*) FILTER (WHERE t.status = 'approved' AND t.amended) AS amended,
            coalesce(sum(t.worked_minutes) FILTER (WHERE t.status = 'approved'), 0) AS approved_minutes,
            coalesce(sum(t.pay_gbp) FILTER (WHERE t.status = 'approved'), 0) AS pay_gbp,
            coalesce(sum(t.charge_gbp) FILTER (WHERE t.status = 'approved'), 0) AS charge_gbp,
            count(*) FILTER (WHERE t.status = 'approved' AND t.compliance_version = t.approved_version
                AND t.compliance_state = 'cleared') AS cleared,
            coalesce(sum(t.worked_minutes) FILTER (WHERE t.status = 'approved'
                AND t.compliance_version = t.approved_version AND t.compliance_state = 'cleared'), 0) AS cleared_minutes,
            coalesce(sum(t.charge_gbp) FILTER (WHERE t.status = 'approved'
                AND t.compliance_version = t.approved_version AND t.compliance_state = 'cleared'), 0)
                AS cleared_charge_gbp,
            count(*) FILTER (WHERE t.pay_state IN ('held', 'clearing') OR t.bill_state IN ('held', 'clearing')) AS held,
            count(*) FILTER (WHERE t.pay_state = 'held') AS pay_held,
            coalesce(sum(t.pay_gbp) FILTER (WHERE t.pay_state IN ('held', 'clearing')), 0) AS pay_held_gbp,
            count(*) FILTER (WHERE t.bill_state = 'held') AS bill_held,
            coalesce(sum(t.charge_gbp) FILTER (WHERE t.bill_state IN ('held', 'clearing')), 0) AS bill_held_gbp,
            count(*) FILTER (WHERE t.pay_state = 'clearing' OR t.bill_state = 'clearing') AS clearing,
            count(*) FILTER (WHERE t.pay_state = 'waiting' OR t.bill_state = 'waiting') AS waiting,
            count(*) FILTER (WHERE t.pay_state = 'draft') AS drafted,
            coalesce(sum(t.draft_minutes), 0) AS drafted_minutes,
            coalesce(sum(t.draft_gbp), 0) AS drafted_gbp,
            count(*) FILTER (WHERE t.pay_state = 'paid') AS paid,
            coalesce(sum(t.paid_minutes), 0) AS paid_minutes,
            coalesce(sum(t.paid_gbp), 0) AS paid_gbp,
            count(*) FILTER (WHERE t.bill_state = 'ready') AS bill_ready,
            coalesce(sum(t.charge_gbp) FILTER (WHERE t.bill_state = 'ready'), 0) AS bill_ready_gbp,
            count(*) FILTER (WHERE t.bill_state = 'billed') AS billed,
            coalesce(sum(t.billed_minutes), 0) AS billed_minutes,
            coalesce(sum(t.billed_gbp), 0) AS billed_gbp,
            count(t.cost_gbp) FILTER (WHERE t.status = 'approved') AS costed,
            coalesce(sum(t.cost_gbp) FILTER (WHERE t.status = 'approved'), 0)
                + (SELECT coalesce(sum(p.cost_gbp), 0) FROM payslip p
                   WHERE p.agency_id = :agency AND p.period_to = CAST(:week AS date) + 1
                     AND (p.statutory_pay_gbp <> 0 OR p.holiday_taken_pay_gbp <> 0)
                     AND NOT EXISTS (SELECT 1 FROM payslip_share s WHERE s.agency_id = :agency AND s.payslip_id = p.payslip_id))
                AS cost_gbp,
            coalesce(sum(t.draft_gbp + t.paid_gbp) FILTER (WHERE t.status = 'approved' AND t.cost_gbp IS NOT NULL), 0)
                AS costed_pay_gbp,
            coalesce(sum(t.charge_gbp) FILTER (WHERE t.status = 'approved' AND t.cost_gbp IS NOT NULL), 0)
                AS costed_charge_gbp,
            min(t.submitted_at) FILTER (WHERE t.status = 'submitted') AS oldest_unapproved_at
        FROM timesheet t WHERE t.agency_id = :agency AND t.week_ending = :week
        """,
        agency=agency_id,
        week=week_ending,
    )
    return result.one()


async def run_totals(tx: Tx, *, agency_id: UUID, week_ending: date) -> Any:
    """Payslips and documents of the week: one row. A payslip belongs to the week that its period ends with."""
    result = await tx.execute(
        """
        SELECT p.*, d.*, r.cash_gbp,
            (SELECT count(*) FROM payment x JOIN pay_run q ON q.agency_id = x.agency_id AND q.pay_run_id = x.pay_run_id
             WHERE x.agency_id = :agency AND q.period_to = CAST(:week AS date) + 1) AS payments,
            (SELECT coalesce(sum(x.amount_gbp), 0) FROM payment x
             JOIN pay_run q ON q.agency_id = x.agency_id AND q.pay_run_id = x.pay_run_id
             WHERE x.agency_id = :agency AND q.period_to = CAST(:week AS date) + 1) AS payments_gbp
        FROM (
            SELECT count(*) FILTER (WHERE state = 'finalised' AND pay_basis = 'paye') AS payslips,
                count(*) FILTER (WHERE state = 'finalised' AND pay_basis <> 'paye') AS self_billed_payslips,
                count(DISTINCT worker_id) FILTER (WHERE state = 'finalised') AS workers_paid,
                count(*) FILTER (WHERE state = 'draft' AND gross_gbp <> 0) AS drafts,
                coalesce(sum(gross_gbp) FILTER (WHERE state = 'finalised'), 0) AS gross_gbp,
                coalesce(sum(net_gbp) FILTER (WHERE state = 'finalised'), 0) AS net_gbp,
                coalesce(sum(net_gbp) FILTER (WHERE state = 'finalised' AND pay_basis = 'paye' AND net_gbp > 0), 0)
                    + (SELECT coalesce(sum(coalesce(b.payable_gbp, b.gross_gbp)), 0) FROM document b WHERE b.agency_id = :agency
                       AND b.kind = 'self_bill' AND b.week_ending = :week) AS payable_gbp,
                coalesce(sum(cost_gbp) FILTER (WHERE state = 'finalised'), 0) AS paid_cost_gbp,
                coalesce(sum(gross_gbp) FILTER (WHERE state = 'draft'), 0) AS draft_gross_gbp,
                coalesce(sum(net_gbp) FILTER (WHERE state = 'draft'), 0) AS draft_net_gbp
            FROM payslip WHERE agency_id = :agency AND period_to = CAST(:week AS date) + 1
        ) p, (
            SELECT count(*) FILTER (WHERE kind = 'invoice') AS invoices,
                count(*) FILTER (WHERE kind = 'credit_note') AS credit_notes,
                count(*) FILTER (WHERE kind = 'self_bill') AS self_bills,
                coalesce(sum(net_gbp) FILTER (WHERE kind <> 'self_bill'), 0) AS charge_net_gbp,
                coalesce(sum(vat_gbp) FILTER (WHERE kind <> 'self_bill'), 0) AS vat_gbp,
                coalesce(sum(gross_gbp) FILTER (WHERE kind <> 'self_bill'), 0) AS invoiced_gross_gbp
            FROM document WHERE agency_id = :agency AND week_ending = :week
        ) d, (
            SELECT coalesce(sum(x.amount_gbp), 0) AS cash_gbp FROM receipt x
            JOIN document d ON d.agency_id = x.agency_id AND d.document_id = x.document_id
            WHERE x.agency_id = :agency AND d.week_ending = :week
        ) r
        """,
        agency=agency_id,
        week=week_ending,
    )
    return result.one()


async def cut_off(tx: Tx, *, agency_id: UUID, week_ending: date) -> Any:
    """The week's control totals, or None before its cut-off."""
    result = await tx.execute(
        "SELECT * FROM week_cut_off WHERE agency_id = :agency AND week_ending = :week",
        agency=agency_id,
        week=week_ending,
    )
    return result.first()


async def pay_runs(tx: Tx, *, agency_id: UUID, week_ending: date | None = None) -> list[Any]:
    result = await tx.execute(
        "SELECT * FROM pay_run WHERE agency_id = :agency"
        " AND (CAST(:week AS date) IS NULL OR period_to = CAST(:week AS date) + 1) ORDER BY closed_at DESC LIMIT 200",
        agency=agency_id,
        week=week_ending,
    )
    return list(result)


async def invoice_runs(tx: Tx, *, agency_id: UUID, week_ending: date | None = None) -> list[Any]:
    result = await tx.execute(
        "SELECT * FROM invoice_run WHERE agency_id = :agency"
        " AND (CAST(:week AS date) IS NULL OR week_ending = :week) ORDER BY closed_at DESC LIMIT 200",
        agency=agency_id,
        week=week_ending,
    )
    return list(result)


async def blocks(tx: Tx, *, agency_id: UUID, week_ending: date) -> list[Any]:
    """What holds approved timesheets, by reason: how many, hours, pay and charge that wait; the heaviest first."""
    result = await tx.execute(
        """
        SELECT r.code, r.requirement, count(DISTINCT t.timesheet_id) AS timesheets,
            count(DISTINCT t.worker_id) AS workers,
            coalesce(sum(t.worked_minutes), 0) AS minutes,
            coalesce(sum(t.pay_gbp) FILTER (WHERE t.pay_state IN ('held', 'clearing')), 0) AS pay_gbp,
            coalesce(sum(t.charge_gbp) FILTER (WHERE t.bill_state IN ('held', 'clearing')), 0) AS charge_gbp,
            min(t.approved_at) AS oldest_at
        FROM timesheet t
        CROSS JOIN LATERAL (
            SELECT DISTINCT coalesce(x.code, 'awaiting_clearance') AS code, x.requirement
            FROM (
                SELECT e ->> 'code' AS code, e ->> 'requirement' AS requirement
                FROM jsonb_array_elements(
                    CASE WHEN t.pay_state = 'held' THEN t.pay_reasons ELSE '[]'::jsonb END
                    || CASE WHEN t.bill_state = 'held' THEN t.bill_reasons ELSE '[]'::jsonb END
                    || CASE WHEN t.compliance_version = t.approved_version AND t.compliance_state = 'held'
                            THEN t.compliance_reasons ELSE '[]'::jsonb END) AS e
                UNION ALL
                SELECT NULL, NULL WHERE t.pay_state = 'clearing' OR t.bill_state = 'clearing'
            ) x
        ) r
        WHERE t.agency_id = :agency AND t.week_ending = :week
          AND (t.pay_state IN ('held', 'clearing') OR t.bill_state IN ('held', 'clearing'))
        GROUP BY r.code, r.requirement ORDER BY count(DISTINCT t.timesheet_id) DESC, r.code LIMIT 50
        """.replace("'[]'::jsonb", "CAST('[]' AS jsonb)"),
        agency=agency_id,
        week=week_ending,
    )
    return list(result)


_QUEUE = """CASE WHEN t.status = 'not_worked' THEN NULL
    WHEN t.status <> 'approved' THEN t.status
    WHEN t.pay_state = 'held' OR t.bill_state = 'held' THEN 'held'
    WHEN t.pay_state = 'clearing' OR t.bill_state = 'clearing' THEN 'clearing'
    WHEN t.pay_state = 'waiting' OR t.bill_state = 'waiting' THEN 'waiting'
    WHEN t.pay_state = 'draft' THEN 'draft'
    WHEN t.bill_state = 'ready' THEN 'ready' END"""
_SINCE = """CASE t.status WHEN 'expected' THEN t.expected_at WHEN 'submitted' THEN t.submitted_at
    WHEN 'rejected' THEN t.rejected_at ELSE t.approved_at END"""


async def oldest(tx: Tx, *, agency_id: UUID, week_ending: date, most: int = 8) -> list[Any]:
    """What waits longest, whatever it waits for."""
    result = await tx.execute(
        f"""
        SELECT t.*, coalesce(w.display_name, p.reference) AS worker, c.display_name AS client
        FROM (
            SELECT t.agency_id, t.timesheet_id, t.reference, t.status, t.pay_state, t.bill_state, t.worker_id, t.client_id,
                t.worked_minutes, t.submitted_minutes, t.charge_gbp, t.submitted_charge_gbp, {_SINCE} AS since
            FROM timesheet t
            WHERE t.agency_id = :agency AND t.week_ending = :week AND (t.status IN ('expected', 'submitted', 'rejected')
                OR t.pay_state IN ('held', 'clearing', 'waiting') OR t.bill_state IN ('held', 'clearing', 'waiting'))
            ORDER BY since, t.timesheet_id LIMIT :most
        ) t
        LEFT JOIN label w ON w.kind = 'worker' AND w.entry_id = t.worker_id
        LEFT JOIN label c ON c.kind = 'client' AND c.entry_id = t.client_id
        LEFT JOIN party p ON p.agency_id = t.agency_id AND p.kind = 'worker' AND p.party_id = t.worker_id
        ORDER BY t.since, t.timesheet_id
        """,  # noqa: S608  fixed words
        agency=agency_id,
        week=week_ending,
        most=most,
    )
    return list(result)


async def waiting_everywhere(tx: Tx, *, queue: str | None = None) -> list[Any]:
    """What waits in the newest week of every visible agency: a row an agency and queue, the most money first.

    A timesheet is in one queue, the first of: not approved (by status), held, clearing, waiting, draft, ready.
    """
    result = await tx.execute(
        f"""
        SELECT q.agency_id, coalesce(l.display_name, a.reference) AS name, q.week_ending, q.queue, count(*) AS timesheets,
            sum(q.pay_gbp) AS pay_gbp, sum(q.charge_gbp) AS charge_gbp, min(q.since) AS oldest_at
        FROM (
            SELECT t.agency_id, t.week_ending, {_QUEUE} AS queue, {_SINCE} AS since,
                CASE WHEN t.status <> 'approved' THEN t.submitted_pay_gbp
                    WHEN t.pay_state IN ('held', 'clearing', 'waiting', 'draft') THEN t.pay_gbp ELSE 0 END AS pay_gbp,
                CASE WHEN t.status <> 'approved' THEN t.submitted_charge_gbp
                    WHEN t.bill_state NOT IN ('billed', 'none') THEN t.charge_gbp ELSE 0 END AS charge_gbp
            FROM timesheet t
            WHERE t.week_ending = (SELECT max(x.week_ending) FROM timesheet x WHERE x.agency_id = t.agency_id)
        ) q
        JOIN agency a ON a.agency_id = q.agency_id
        LEFT JOIN label l ON l.kind = 'agency' AND l.entry_id = q.agency_id
        WHERE q.queue IS NOT NULL AND (CAST(:queue AS text) IS NULL OR q.queue = :queue)
        GROUP BY q.agency_id, l.display_name, a.reference, q.week_ending, q.queue
        ORDER BY sum(q.charge_gbp) + sum(q.pay_gbp) DESC, name, q.queue LIMIT 1000
        """,  # noqa: S608  fixed words
        queue=queue,
    )
    return list(result)


async def ages(tx: Tx, *, agency_id: UUID, week_ending: date) -> list[Any]:
    """For each queue how many wait under 4 hours, a day, two days, longer, against business `now`.

    OFFSET 0 keeps Postgres from working out queue and moment again wherever they are named.
    """
    result = await tx.execute(
        f"""
        SELECT q.queue, count(*) AS n, min(q.since) AS oldest_at,
            count(*) FILTER (WHERE q.waited < interval '4 hours') AS fresh,
            count(*) FILTER (WHERE q.waited >= interval '4 hours' AND q.waited < interval '1 day') AS today,
            count(*) FILTER (WHERE q.waited >= interval '1 day' AND q.waited < interval '2 days') AS yesterday,
            count(*) FILTER (WHERE q.waited >= interval '2 days') AS older
        FROM (
            SELECT s.queue, s.since, CAST(:now AS timestamptz) - s.since AS waited FROM (
                SELECT {_QUEUE} AS queue, {_SINCE} AS since
                FROM timesheet t WHERE t.agency_id = :agency AND t.week_ending = :week OFFSET 0
            ) s WHERE s.queue IS NOT NULL
        ) q GROUP BY q.queue
        """,  # noqa: S608  fixed words
        agency=agency_id,
        week=week_ending,
        now=tx.now,
    )
    return list(result)


async def margin(tx: Tx, *, agency_id: UUID, week_ending: date, by: str, most: int = 500) -> list[Any]:
    """Charge, cost and margin of costed approved timesheets by client, consultant or branch, with last week's beside it.

    Cost is what the agency bears (gross, employer NIC, pension, levy), drafts included, so the figure is live.
    """
    result = await tx.execute(
        """
        SELECT g.id, g.branch, coalesce(l.display_name, p.reference, g.branch, 'Not named yet') AS name,
            g.timesheets, g.uncosted, g.minutes, g.charge_gbp, g.pay_gbp, g.cost_gbp, g.charge_gbp - g.cost_gbp AS margin_gbp,
            g.before_charge_gbp, g.before_charge_gbp - g.before_cost_gbp AS before_margin_gbp
        FROM (
            SELECT CASE CAST(:by AS text) WHEN 'client' THEN t.client_id WHEN 'consultant' THEN t.consultant_id END AS id,
                CASE WHEN CAST(:by AS text) = 'branch' THEN coalesce(t.branch, 'No branch') END AS branch,
                count(*) FILTER (WHERE t.week_ending = :week) AS timesheets,
                count(*) FILTER (WHERE t.week_ending = :week AND t.cost_gbp IS NULL) AS uncosted,
                coalesce(sum(t.worked_minutes) FILTER (WHERE t.week_ending = :week AND t.cost_gbp IS NOT NULL), 0)
                    AS minutes,
                coalesce(sum(t.charge_gbp) FILTER (WHERE t.week_ending = :week AND t.cost_gbp IS NOT NULL), 0)
                    AS charge_gbp,
                coalesce(sum(t.draft_gbp + t.paid_gbp) FILTER (WHERE t.week_ending = :week), 0) AS pay_gbp,
                coalesce(sum(t.cost_gbp) FILTER (WHERE t.week_ending = :week), 0) AS cost_gbp,
                coalesce(sum(t.charge_gbp) FILTER (WHERE t.week_ending < :week AND t.cost_gbp IS NOT NULL), 0)
                    AS before_charge_gbp,
                coalesce(sum(t.cost_gbp) FILTER (WHERE t.week_ending < :week), 0) AS before_cost_gbp
            FROM timesheet t
            WHERE t.agency_id = :agency AND t.status = 'approved'
              AND t.week_ending IN (CAST(:week AS date), CAST(:week AS date) - 7)
            GROUP BY 1, 2
        ) g
        LEFT JOIN label l ON l.kind = CAST(:by AS text) AND l.entry_id = g.id
        LEFT JOIN party p ON p.agency_id = :agency AND p.kind = CAST(:by AS text) AND p.party_id = g.id
        WHERE g.timesheets > 0
        ORDER BY margin_gbp DESC, name LIMIT :most
        """,
        agency=agency_id,
        week=week_ending,
        by=by,
        most=most,
    )
    return list(result)


async def clients_of(tx: Tx, *, agency_id: UUID, week_ending: date, consultant_id: UUID) -> list[Any]:
    """A consultant's clients: what has not come, what is held, and margin as it stands beside last week's. Most to chase first.

    A client of last week that has nothing now is there too: its margin is what changed most.
    """
    result = await tx.execute(
        """
        SELECT g.*, coalesce(l.display_name, 'Not named yet') AS name, g.charge_gbp - g.cost_gbp AS margin_gbp,
            g.before_charge_gbp - g.before_cost_gbp AS before_margin_gbp
        FROM (
            SELECT t.client_id AS id, count(*) FILTER (WHERE t.week_ending = :week) AS timesheets,
                count(*) FILTER (WHERE t.week_ending = :week AND t.status = 'expected') AS not_sent,
                count(*) FILTER (WHERE t.week_ending = :week AND t.status = 'submitted') AS unapproved,
                count(*) FILTER (WHERE t.week_ending = :week AND t.status = 'rejected') AS rejected,
                count(*) FILTER (WHERE t.week_ending = :week AND (t.pay_state IN ('held', 'clearing')
                    OR t.bill_state IN ('held', 'clearing'))) AS held,
                count(*) FILTER (WHERE t.week_ending = :week AND t.status = 'approved') AS approved,
                count(*) FILTER (WHERE t.week_ending = :week AND t.status = 'approved' AND t.cost_gbp IS NULL) AS uncosted,
                coalesce(sum(t.charge_gbp) FILTER (WHERE t.week_ending = :week AND t.status = 'approved'
                    AND t.cost_gbp IS NOT NULL), 0) AS charge_gbp,
                coalesce(sum(t.cost_gbp) FILTER (WHERE t.week_ending = :week AND t.status = 'approved'), 0) AS cost_gbp,
                coalesce(sum(t.charge_gbp) FILTER (WHERE t.week_ending < :week AND t.status = 'approved'
                    AND t.cost_gbp IS NOT NULL), 0) AS before_charge_gbp,
                coalesce(sum(t.cost_gbp) FILTER (WHERE t.week_ending < :week AND t.status = 'approved'), 0)
                    AS before_cost_gbp
            FROM timesheet t
            WHERE t.agency_id = :agency AND t.consultant_id = :consultant
              AND t.week_ending IN (CAST(:week AS date), CAST(:week AS date) - 7)
            GROUP BY t.client_id
        ) g
        LEFT JOIN label l ON l.kind = 'client' AND l.entry_id = g.id
        ORDER BY g.not_sent + g.unapproved + g.rejected DESC, name, g.id LIMIT 500
        """,
        agency=agency_id,
        week=week_ending,
        consultant=consultant_id,
    )
    return list(result)


async def cost_parts(tx: Tx, *, agency_id: UUID, week_ending: date) -> Any:
    """What the week's payslips cost, by part, drafts included: one row."""
    result = await tx.execute(
        """
        SELECT coalesce(sum(gross_gbp - holiday_pay_gbp - statutory_pay_gbp - holiday_taken_pay_gbp), 0) AS pay_gbp,
            coalesce(sum(statutory_pay_gbp), 0) AS statutory_pay_gbp,
            coalesce(sum(holiday_taken_pay_gbp), 0) AS holiday_taken_pay_gbp,
            coalesce(sum(holiday_pay_gbp), 0) AS holiday_pay_gbp,
            coalesce(sum(employer_nic_gbp), 0) AS employer_nic_gbp,
            coalesce(sum(employer_pension_gbp), 0) AS employer_pension_gbp,
            coalesce(sum(levy_gbp), 0) AS levy_gbp, coalesce(sum(cost_gbp), 0) AS cost_gbp
        FROM payslip WHERE agency_id = :agency AND period_to = CAST(:week AS date) + 1
        """,
        agency=agency_id,
        week=week_ending,
    )
    return result.one()


async def pulse(tx: Tx, *, agency_id: UUID) -> Any:
    """How many facts were taken and when the last one happened, or None."""
    result = await tx.execute("SELECT facts, last_fact_at FROM pulse WHERE agency_id = :agency", agency=agency_id)
    return result.first()


async def read_tie_out(tx: Tx, *, agency_id: UUID, week_ending: date) -> TieOut:
    """The tie-out of one week: sums by state, and the lines and documents that need a second look."""
    params = {"agency": agency_id, "week": week_ending}
    buckets = [_bucket(row) for row in await tx.execute(_BUCKETS, **params)]
    pay = await tx.execute(_PAY_LINES, **params)
    bill = await tx.execute(_BILL_LINES, **params)
    documents = [_document(row) for row in await tx.execute(_DOCUMENTS, **params)]
    lines = [*_differences("pay", pay), *_differences("bill", bill)]
    return tie_out(buckets, lines, documents)


def _bucket(row: Any) -> MinutesBucket:
    return MinutesBucket(
        side=row.side,
        state=row.state,
        timesheets=int(row.timesheets),
        approved_minutes=int(row.approved_minutes),
        settled_minutes=int(row.settled_minutes),
        mismatched_minutes=int(row.mismatched_minutes),
    )


def _differences(side: Side, found: Sequence[Any]) -> list[LineDifference]:
    rule = pay_difference if side == "pay" else bill_difference
    differences = []
    for row in found:
        line = Line(
            timesheet_id=str(row.timesheet_id),
            version=row.version,
            charge_line_id=str(row.charge_line_id),
            approved_pence=None if row.approved_gbp is None else to_pence(row.approved_gbp),
            settled_pence=to_pence(row.settled_gbp),
            reversed_pence=to_pence(row.reversed_gbp),
            reversed=row.reversed,
            superseded=row.superseded,
        )
        pence = rule(line)
        if pence:
            differences.append(
                LineDifference(
                    side=side,
                    timesheet_id=line.timesheet_id,
                    version=line.version,
                    charge_line_id=line.charge_line_id,
                    approved_pence=line.approved_pence or 0,
                    settled_pence=line.settled_pence + line.reversed_pence,
                    difference_pence=pence,
                )
            )
    return differences


def _document(row: Any) -> DocumentDifference:
    pence = abs(to_pence(row.gross_gbp - row.net_gbp - row.vat_gbp)) + abs(to_pence(row.net_gbp - row.lines_gbp))
    unbalanced = 0 if row.ledger_balanced else max(1, abs(to_pence(row.gross_gbp)))
    why = "its double entry does not balance" if unbalanced else "its sums do not agree"
    return DocumentDifference(str(row.document_id), row.number, pence + unbalanced, why)


_BUCKETS = """
WITH week AS (
    SELECT t.status = 'approved' AS approved, t.pay_state, t.bill_state, t.bill_state = 'billed'
            AND t.billable_minutes <> t.billed_minutes AND EXISTS (
                SELECT 1 FROM billed_line l WHERE l.agency_id = t.agency_id AND l.timesheet_id = t.timesheet_id
                  AND l.version = t.billed_version AND l.kind = 'credit_note') AS credited,
        count(*) AS timesheets, sum(t.payable_minutes) AS payable, sum(t.paid_minutes) AS paid,
        sum(abs(t.paid_minutes)) AS paid_size, sum(abs(t.payable_minutes - t.paid_minutes)) AS pay_gap,
        sum(abs(t.payable_minutes - t.paid_minutes - t.draft_minutes)) AS draft_gap, sum(t.billable_minutes) AS billable,
        sum(t.billed_minutes) AS billed, sum(abs(t.billed_minutes)) AS billed_size,
        sum(abs(t.billable_minutes - t.billed_minutes)) AS bill_gap
    FROM timesheet t WHERE t.agency_id = :agency AND t.week_ending = :week AND t.status IS NOT NULL GROUP BY 1, 2, 3, 4
)
SELECT 'pay' AS side, pay_state AS state, sum(timesheets) AS timesheets, sum(payable) AS approved_minutes,
    sum(paid) AS settled_minutes,
    sum(CASE pay_state WHEN 'paid' THEN pay_gap WHEN 'draft' THEN draft_gap ELSE 0 END) AS mismatched_minutes
FROM week WHERE approved GROUP BY pay_state
UNION ALL
SELECT 'bill', CASE WHEN credited THEN 'credited' ELSE bill_state END, sum(timesheets), sum(billable), sum(billed),
    sum(CASE WHEN bill_state = 'billed' AND NOT credited THEN bill_gap ELSE 0 END)
FROM week WHERE approved GROUP BY 2
UNION ALL
SELECT 'pay', 'not_approved', sum(timesheets), 0, sum(paid), sum(paid_size) FROM week WHERE NOT approved GROUP BY approved
UNION ALL
SELECT 'bill', 'not_approved', sum(timesheets), 0, sum(billed), sum(billed_size) FROM week WHERE NOT approved GROUP BY approved
"""
"""A row a side and state. The week is read once; what is left of it is a few rows."""

_PAY_LINES = """
WITH week AS MATERIALIZED (
    SELECT timesheet_id, paid_version FROM timesheet
    WHERE agency_id = :agency AND week_ending = :week AND (paid_version IS NOT NULL OR paid_minutes <> 0)
), approved AS (
    SELECT c.timesheet_id, c.version, c.charge_line_id, c.pay_gbp FROM charge_line c
    JOIN week w ON w.timesheet_id = c.timesheet_id WHERE c.agency_id = :agency AND c.payable
), paid AS (
    SELECT p.timesheet_id, p.version, p.charge_line_id,
        coalesce(sum(p.pay_gbp - p.rounding_gbp) FILTER (WHERE NOT p.reverses), 0) AS settled_gbp,
        coalesce(sum(p.pay_gbp - p.rounding_gbp) FILTER (WHERE p.reverses), 0) AS reversed_gbp,
        bool_or(p.reverses) AS reversed
    FROM paid_line p JOIN week w ON w.timesheet_id = p.timesheet_id WHERE p.agency_id = :agency
    GROUP BY p.timesheet_id, p.version, p.charge_line_id
), versions AS (
    SELECT DISTINCT timesheet_id, version FROM paid
)
SELECT coalesce(p.timesheet_id, a.timesheet_id) AS timesheet_id, coalesce(p.version, a.version) AS version,
    coalesce(p.charge_line_id, a.charge_line_id) AS charge_line_id, a.pay_gbp AS approved_gbp,
    coalesce(p.settled_gbp, 0) AS settled_gbp, coalesce(p.reversed_gbp, 0) AS reversed_gbp,
    coalesce(p.reversed, false) AS reversed,
    coalesce(coalesce(p.version, a.version) < w.paid_version, false) AS superseded
FROM (SELECT a.* FROM approved a JOIN versions v ON v.timesheet_id = a.timesheet_id AND v.version = a.version) a
FULL JOIN paid p ON p.timesheet_id = a.timesheet_id AND p.version = a.version AND p.charge_line_id = a.charge_line_id
JOIN week w ON w.timesheet_id = coalesce(p.timesheet_id, a.timesheet_id)
WHERE coalesce(a.pay_gbp, 0) <> coalesce(p.settled_gbp, 0) OR p.reversed OR coalesce(p.version, a.version) < w.paid_version
"""

_BILL_LINES = """
WITH week AS MATERIALIZED (
    SELECT t.timesheet_id, t.billed_version FROM timesheet t
    WHERE t.agency_id = :agency AND t.week_ending = :week AND EXISTS (SELECT 1 FROM billed_line b
        WHERE b.agency_id = t.agency_id AND b.timesheet_id = t.timesheet_id AND b.kind <> 'self_bill')
), approved AS (
    SELECT c.timesheet_id, c.version, c.charge_line_id, c.charge_gbp FROM charge_line c
    JOIN week w ON w.timesheet_id = c.timesheet_id WHERE c.agency_id = :agency AND c.billable
), billed AS (
    SELECT b.timesheet_id, b.version, b.charge_line_id,
        coalesce(sum(b.net_gbp) FILTER (WHERE b.kind = 'invoice'), 0) AS settled_gbp,
        coalesce(sum(b.net_gbp) FILTER (WHERE b.kind = 'credit_note'), 0) AS reversed_gbp,
        bool_or(b.kind = 'credit_note' OR b.net_gbp < 0) AS reversed
    FROM billed_line b JOIN week w ON w.timesheet_id = b.timesheet_id
    WHERE b.agency_id = :agency AND b.kind <> 'self_bill' GROUP BY b.timesheet_id, b.version, b.charge_line_id
), versions AS (
    SELECT DISTINCT timesheet_id, version FROM billed
)
SELECT coalesce(b.timesheet_id, a.timesheet_id) AS timesheet_id, coalesce(b.version, a.version) AS version,
    coalesce(b.charge_line_id, a.charge_line_id) AS charge_line_id, a.charge_gbp AS approved_gbp,
    coalesce(b.settled_gbp, 0) AS settled_gbp, coalesce(b.reversed_gbp, 0) AS reversed_gbp,
    coalesce(b.reversed, false) AS reversed,
    coalesce(coalesce(b.version, a.version) < w.billed_version, false) AS superseded
FROM (SELECT a.* FROM approved a JOIN versions v ON v.timesheet_id = a.timesheet_id AND v.version = a.version) a
FULL JOIN billed b ON b.timesheet_id = a.timesheet_id AND b.version = a.version AND b.charge_line_id = a.charge_line_id
JOIN week w ON w.timesheet_id = coalesce(b.timesheet_id, a.timesheet_id)
WHERE coalesce(a.charge_gbp, 0) <> coalesce(b.settled_gbp, 0) OR b.reversed
   OR coalesce(b.version, a.version) < w.billed_version
UNION ALL
SELECT s.timesheet_id, s.version, s.charge_line_id, sum(p.pay_gbp), sum(s.net_gbp), 0, false, false
FROM (
    SELECT b.timesheet_id, b.version, b.charge_line_id, sum(b.net_gbp) AS net_gbp FROM billed_line b
    JOIN timesheet t ON t.agency_id = b.agency_id AND t.timesheet_id = b.timesheet_id
    WHERE b.agency_id = :agency AND b.kind = 'self_bill' AND t.week_ending = :week
    GROUP BY b.timesheet_id, b.version, b.charge_line_id
) s
LEFT JOIN LATERAL (
    SELECT sum(x.pay_gbp) AS pay_gbp FROM paid_line x WHERE x.agency_id = :agency
      AND x.timesheet_id = s.timesheet_id AND x.version = s.version AND x.charge_line_id = s.charge_line_id
) p ON true
WHERE p.pay_gbp IS DISTINCT FROM s.net_gbp
GROUP BY s.timesheet_id, s.version, s.charge_line_id
"""

_DOCUMENTS = """
SELECT document_id, number, net_gbp, vat_gbp, gross_gbp, lines_gbp, ledger_balanced FROM document
WHERE agency_id = :agency AND week_ending = :week
  AND (NOT ledger_balanced OR gross_gbp <> net_gbp + vat_gbp OR lines_gbp <> net_gbp)
ORDER BY number
"""
