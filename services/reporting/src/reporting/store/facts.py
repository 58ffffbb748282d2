"""Writing the read models: each function takes the facts of one batch and writes them in a fixed number of statements.

Rows travel as one JSON document (`jsonb_to_recordset`), so a thousand facts cost as many statements as one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from paybill_common.db import Tx
from paybill_common.ids import pair_in_order
from paybill_common.rows import rows_json

Row = Mapping[str, Any]
Keys = Iterable[tuple[UUID, UUID]]
"""(agency_id, timesheet_id) pairs."""


def _unzip(keys: Keys) -> dict[str, list[UUID]]:
    ordered = sorted(set(keys), key=pair_in_order)
    return {"agencies": [agency for agency, _ in ordered], "ids": [record for _, record in ordered]}


async def lock_timesheets(tx: Tx, keys: Keys) -> None:
    """Make sure these timesheets have a row, and lock the rows in one order, so that two batches never deadlock."""
    columns = _unzip(keys)
    if not columns["ids"]:
        return
    await tx.execute(
        """
        INSERT INTO timesheet (agency_id, timesheet_id)
        SELECT * FROM unnest(CAST(:agencies AS uuid[]), CAST(:ids AS uuid[])) ON CONFLICT DO NOTHING
        """,
        **columns,
    )
    await tx.execute(
        """
        SELECT 1 FROM timesheet t
        JOIN unnest(CAST(:agencies AS uuid[]), CAST(:ids AS uuid[])) AS k (agency_id, timesheet_id)
          ON t.agency_id = k.agency_id AND t.timesheet_id = k.timesheet_id
        ORDER BY t.agency_id, t.timesheet_id FOR UPDATE OF t
        """,
        **columns,
    )


async def save_agencies(tx: Tx, rows: Sequence[Row]) -> None:
    await tx.execute(
        """
        INSERT INTO agency (agency_id, reference, bureau_id, sequence)
        SELECT agency_id, reference, bureau_id, sequence FROM jsonb_to_recordset(CAST(:rows AS jsonb))
          AS r (agency_id uuid, reference text, bureau_id uuid, sequence bigint)
        ON CONFLICT (agency_id) DO UPDATE SET reference = EXCLUDED.reference, bureau_id = EXCLUDED.bureau_id,
            sequence = EXCLUDED.sequence WHERE agency.sequence < EXCLUDED.sequence
        """,
        rows=rows_json(rows),
    )


async def save_parties(tx: Tx, rows: Sequence[Row]) -> None:
    await tx.execute(
        """
        INSERT INTO party (agency_id, kind, party_id, reference, status, sequence)
        SELECT agency_id, kind, party_id, reference, status, sequence FROM jsonb_to_recordset(CAST(:rows AS jsonb))
          AS r (agency_id uuid, kind text, party_id uuid, reference text, status text, sequence bigint)
        ON CONFLICT (agency_id, kind, party_id) DO UPDATE SET reference = EXCLUDED.reference,
            status = EXCLUDED.status, sequence = EXCLUDED.sequence WHERE party.sequence < EXCLUDED.sequence
        """,
        rows=rows_json(rows),
    )


async def save_timesheet_facts(tx: Tx, rows: Sequence[Row]) -> None:
    """The whole state that each timesheet's newest event carries; an older sequence is passed over."""
    await tx.execute(
        """
        UPDATE timesheet t SET worker_id = r.worker_id, placement_id = r.placement_id, client_id = r.client_id,
            site_id = r.site_id, consultant_id = r.consultant_id, branch = r.branch, week_ending = r.week_ending,
            pay_basis = r.pay_basis, payee_id = r.payee_id, purchase_order = r.purchase_order, reference = r.reference,
            status = r.status, sequence = r.sequence, version = r.version
        FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (agency_id uuid, timesheet_id uuid, worker_id uuid,
            placement_id uuid, client_id uuid, site_id uuid, consultant_id uuid, branch text, week_ending date,
            pay_basis text, payee_id uuid, purchase_order text, reference text, status text, sequence bigint,
            version int)
        WHERE t.agency_id = r.agency_id AND t.timesheet_id = r.timesheet_id
          AND (t.sequence IS NULL OR t.sequence < r.sequence)
        """,
        rows=rows_json(rows),
    )


async def save_expected(tx: Tx, rows: Sequence[Row]) -> None:
    """Since when each timesheet waits for hours: the last time it was opened or went back to draft."""
    await tx.execute(
        """
        UPDATE timesheet t SET expected_at = greatest(t.expected_at, r.expected_at)
        FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (agency_id uuid, timesheet_id uuid, expected_at timestamptz)
        WHERE t.agency_id = r.agency_id AND t.timesheet_id = r.timesheet_id
        """,
        rows=rows_json(rows),
    )


async def save_submitted(tx: Tx, rows: Sequence[Row]) -> None:
    await tx.execute(
        """
        UPDATE timesheet t SET submitted_sequence = r.sequence, submitted_at = r.submitted_at, source = r.source,
            submitted_minutes = r.minutes, submitted_pay_gbp = r.pay_gbp, submitted_charge_gbp = r.charge_gbp
        FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (agency_id uuid, timesheet_id uuid, sequence bigint,
            submitted_at timestamptz, source text, minutes int, pay_gbp numeric, charge_gbp numeric)
        WHERE t.agency_id = r.agency_id AND t.timesheet_id = r.timesheet_id
          AND (t.submitted_sequence IS NULL OR t.submitted_sequence < r.sequence)
        """,
        rows=rows_json(rows),
    )


async def save_rejected(tx: Tx, rows: Sequence[Row]) -> None:
    await tx.execute(
        """
        UPDATE timesheet t SET rejected_sequence = r.sequence, rejected_at = r.rejected_at,
            rejected_by = r.rejected_by, reject_reason = r.reason_code
        FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (agency_id uuid, timesheet_id uuid, sequence bigint,
            rejected_at timestamptz, rejected_by text, reason_code text)
        WHERE t.agency_id = r.agency_id AND t.timesheet_id = r.timesheet_id
          AND (t.rejected_sequence IS NULL OR t.rejected_sequence < r.sequence)
        """,
        rows=rows_json(rows),
    )


async def save_approved(tx: Tx, rows: Sequence[Row]) -> None:
    await tx.execute(
        """
        UPDATE timesheet t SET approved_sequence = r.sequence, approved_version = r.version,
            approved_at = r.approved_at, approved_by = r.approved_by, amended = t.amended OR r.amended,
            worked_minutes = r.worked_minutes, payable_minutes = r.payable_minutes,
            billable_minutes = r.billable_minutes, pay_gbp = r.pay_gbp, charge_gbp = r.charge_gbp
        FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (agency_id uuid, timesheet_id uuid, sequence bigint,
            version int, approved_at timestamptz, approved_by text, amended boolean, worked_minutes int,
            payable_minutes int, billable_minutes int, pay_gbp numeric, charge_gbp numeric)
        WHERE t.agency_id = r.agency_id AND t.timesheet_id = r.timesheet_id
          AND (t.approved_sequence IS NULL OR t.approved_sequence < r.sequence)
        """,
        rows=rows_json(rows),
    )


async def save_charge_lines(tx: Tx, rows: Sequence[Row]) -> None:
    """Lines of approved versions; a version's lines never change."""
    await tx.execute(
        """
        INSERT INTO charge_line (agency_id, timesheet_id, version, charge_line_id, ordinal, kind, element, rate_code,
            rate_unit, minutes, units, pay_rate, charge_rate, basic_pay_rate, pay_gbp, charge_gbp, payable, billable,
            rate_card_version, rule_id)
        SELECT agency_id, timesheet_id, version, charge_line_id, ordinal, kind, element, rate_code, rate_unit, minutes,
            units, pay_rate, charge_rate, basic_pay_rate, pay_gbp, charge_gbp, payable, billable, rate_card_version,
            rule_id
        FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (agency_id uuid, timesheet_id uuid, version int,
            charge_line_id uuid, ordinal int, kind text, element text, rate_code text, rate_unit text, minutes int,
            units numeric, pay_rate numeric, charge_rate numeric, basic_pay_rate numeric, pay_gbp numeric,
            charge_gbp numeric, payable boolean, billable boolean, rate_card_version int, rule_id text)
        ON CONFLICT DO NOTHING
        """,
        rows=rows_json(rows),
    )


async def save_decisions(tx: Tx, rows: Sequence[Row]) -> None:
    """Compliance's newest word on each timesheet: by version, then by sequence."""
    await tx.execute(
        """
        UPDATE timesheet t SET compliance_version = r.version, compliance_sequence = r.sequence,
            compliance_state = r.state, compliance_reasons = r.reasons, compliance_at = r.decided_at,
            released_by = r.released_by, worker_id = coalesce(t.worker_id, r.worker_id),
            compliance_blocks = ARRAY(SELECT jsonb_array_elements_text(r.blocks))
        FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (agency_id uuid, timesheet_id uuid, worker_id uuid,
            version int, sequence bigint, state text, reasons jsonb, decided_at timestamptz, released_by text,
            blocks jsonb)
        WHERE t.agency_id = r.agency_id AND t.timesheet_id = r.timesheet_id
          AND (t.compliance_version IS NULL
               OR (t.compliance_version, t.compliance_sequence) < (r.version, r.sequence))
        """,
        rows=rows_json(rows),
    )


async def save_alerts(tx: Tx, rows: Sequence[Row]) -> None:
    await tx.execute(
        """
        INSERT INTO alert (agency_id, alert_id, worker_id, code, requirement, timesheet_id, raised_at)
        SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (agency_id uuid, alert_id uuid, worker_id uuid,
            code text, requirement text, timesheet_id uuid, raised_at timestamptz)
        ON CONFLICT DO NOTHING
        """,
        rows=rows_json(rows),
    )


async def save_payslips(tx: Tx, rows: Sequence[Row]) -> set[tuple[UUID, UUID]]:
    """Drafts and finalised payslips. Returns the (agency_id, payslip_id) that were newer than what was stored."""
    result = await tx.execute(
        """
        INSERT INTO payslip (agency_id, payslip_id, worker_id, state, sequence, revision, pay_basis, payee_id,
            frequency, period_from, period_to, payday_on, tax_year, tax_period, gross_gbp, holiday_pay_gbp, tax_gbp,
            employee_nic_gbp, employer_nic_gbp, other_deductions_gbp, employer_pension_gbp, levy_gbp, net_gbp,
            cost_gbp, statutory_pay_gbp, cis_gbp, cis_labour_gbp, cis_rate_pct, holiday_taken_pay_gbp, leave_earned_minutes,
            leave_taken_minutes, minutes, pay_run_id, finalised_at)
        SELECT agency_id, payslip_id, worker_id, state, sequence, revision, pay_basis, payee_id,
            frequency, period_from, period_to, payday_on, tax_year, tax_period, gross_gbp, holiday_pay_gbp, tax_gbp,
            employee_nic_gbp, employer_nic_gbp, other_deductions_gbp, employer_pension_gbp, levy_gbp, net_gbp,
            cost_gbp, statutory_pay_gbp, cis_gbp, cis_labour_gbp, cis_rate_pct, holiday_taken_pay_gbp, leave_earned_minutes,
            leave_taken_minutes, minutes, pay_run_id, finalised_at
        FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (agency_id uuid, payslip_id uuid, worker_id uuid,
            state text, sequence bigint, revision int, pay_basis text, payee_id uuid, frequency text,
            period_from date, period_to date, payday_on date, tax_year text, tax_period int, gross_gbp numeric,
            holiday_pay_gbp numeric, tax_gbp numeric, employee_nic_gbp numeric, employer_nic_gbp numeric,
            other_deductions_gbp numeric, employer_pension_gbp numeric, levy_gbp numeric, net_gbp numeric,
            cost_gbp numeric, statutory_pay_gbp numeric, cis_gbp numeric, cis_labour_gbp numeric, cis_rate_pct int,
            holiday_taken_pay_gbp numeric, leave_earned_minutes int, leave_taken_minutes int,
            minutes int, pay_run_id uuid, finalised_at timestamptz)
        ORDER BY agency_id, payslip_id
        ON CONFLICT (agency_id, payslip_id) DO UPDATE SET state = EXCLUDED.state, sequence = EXCLUDED.sequence,
            revision = EXCLUDED.revision, pay_basis = EXCLUDED.pay_basis, payee_id = EXCLUDED.payee_id,
            frequency = EXCLUDED.frequency, period_from = EXCLUDED.period_from, period_to = EXCLUDED.period_to,
            payday_on = EXCLUDED.payday_on, tax_year = EXCLUDED.tax_year, tax_period = EXCLUDED.tax_period,
            gross_gbp = EXCLUDED.gross_gbp, holiday_pay_gbp = EXCLUDED.holiday_pay_gbp, tax_gbp = EXCLUDED.tax_gbp,
            employee_nic_gbp = EXCLUDED.employee_nic_gbp, employer_nic_gbp = EXCLUDED.employer_nic_gbp,
            other_deductions_gbp = EXCLUDED.other_deductions_gbp,
            employer_pension_gbp = EXCLUDED.employer_pension_gbp, levy_gbp = EXCLUDED.levy_gbp,
            net_gbp = EXCLUDED.net_gbp, cost_gbp = EXCLUDED.cost_gbp,
            statutory_pay_gbp = EXCLUDED.statutory_pay_gbp, cis_gbp = EXCLUDED.cis_gbp,
            cis_labour_gbp = EXCLUDED.cis_labour_gbp, cis_rate_pct = EXCLUDED.cis_rate_pct,
            holiday_taken_pay_gbp = EXCLUDED.holiday_taken_pay_gbp, leave_earned_minutes = EXCLUDED.leave_earned_minutes,
            leave_taken_minutes = EXCLUDED.leave_taken_minutes, minutes = EXCLUDED.minutes,
            pay_run_id = EXCLUDED.pay_run_id, finalised_at = EXCLUDED.finalised_at
        WHERE payslip.state = 'draft' AND (EXCLUDED.state = 'finalised' OR payslip.sequence < EXCLUDED.sequence)
        RETURNING agency_id, payslip_id
        """,
        rows=rows_json(rows),
    )
    return {(row.agency_id, row.payslip_id) for row in result}


async def replace_shares(
    tx: Tx, payslips: Keys, *, shares: Sequence[Row], lines: Sequence[Row]
) -> set[tuple[UUID, UUID]]:
    """Put the shares of these payslips in place of the earlier ones; finalised lines are added.

    Returns the (agency_id, timesheet_id) that were in a payslip before and so need counting again.
    """
    columns = _unzip(payslips)
    result = await tx.execute(
        """
        DELETE FROM payslip_share s USING unnest(CAST(:agencies AS uuid[]), CAST(:ids AS uuid[])) AS k (agency_id, id)
        WHERE s.agency_id = k.agency_id AND s.payslip_id = k.id RETURNING s.agency_id, s.timesheet_id
        """,
        **columns,
    )
    before = {(row.agency_id, row.timesheet_id) for row in result}
    if shares:
        await tx.execute(
            """
            INSERT INTO payslip_share (agency_id, payslip_id, timesheet_id, version, finalised, minutes, pay_gbp,
                cost_gbp)
            SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (agency_id uuid, payslip_id uuid,
                timesheet_id uuid, version int, finalised boolean, minutes int, pay_gbp numeric, cost_gbp numeric)
            """,
            rows=rows_json(shares),
        )
    if lines:
        await tx.execute(
            """
            INSERT INTO paid_line (agency_id, payslip_id, timesheet_id, version, charge_line_id, reverses, minutes,
                pay_gbp, rounding_gbp)
            SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (agency_id uuid, payslip_id uuid,
                timesheet_id uuid, version int, charge_line_id uuid, reverses boolean, minutes int, pay_gbp numeric,
                rounding_gbp numeric)
            ON CONFLICT DO NOTHING
            """,
            rows=rows_json(lines),
        )
    return before


async def count_pay(tx: Tx, timesheets: Keys) -> None:
    """Bring these timesheets' drafted and paid amounts and their cost in line with their payslips."""
    await tx.execute(
        """
        UPDATE timesheet t SET draft_version = n.draft_version, draft_minutes = n.draft_minutes,
            draft_gbp = n.draft_gbp, paid_version = n.paid_version, paid_minutes = n.paid_minutes,
            paid_gbp = n.paid_gbp, cost_gbp = n.cost_gbp
        FROM (
            SELECT k.agency_id, k.timesheet_id,
                max(s.version) FILTER (WHERE NOT s.finalised) AS draft_version,
                coalesce(sum(s.minutes) FILTER (WHERE NOT s.finalised), 0) AS draft_minutes,
                coalesce(sum(s.pay_gbp) FILTER (WHERE NOT s.finalised), 0) AS draft_gbp,
                (SELECT max(v.version) FROM (SELECT p.version FROM payslip_share p WHERE p.agency_id = k.agency_id
                    AND p.timesheet_id = k.timesheet_id AND p.finalised GROUP BY p.version
                    HAVING sum(p.minutes) <> 0 OR sum(p.pay_gbp) <> 0) v) AS paid_version,
                coalesce(sum(s.minutes) FILTER (WHERE s.finalised), 0) AS paid_minutes,
                coalesce(sum(s.pay_gbp) FILTER (WHERE s.finalised), 0) AS paid_gbp,
                sum(s.cost_gbp) AS cost_gbp
            FROM unnest(CAST(:agencies AS uuid[]), CAST(:ids AS uuid[])) AS k (agency_id, timesheet_id)
            LEFT JOIN payslip_share s ON s.agency_id = k.agency_id AND s.timesheet_id = k.timesheet_id
            GROUP BY k.agency_id, k.timesheet_id
        ) n
        WHERE t.agency_id = n.agency_id AND t.timesheet_id = n.timesheet_id
        """,
        **_unzip(timesheets),
    )


async def save_pay_holds(tx: Tx, states: Sequence[Row], held: Sequence[Row]) -> set[tuple[UUID, UUID]]:
    """What is held of each worker's open period, in place of what was. Returns the timesheets to count again.

    `held` rows carry their payslip; those of a payslip whose stored sequence is newer are passed over.
    """
    result = await tx.execute(
        """
        INSERT INTO pay_hold_state (agency_id, payslip_id, worker_id, period_to, sequence)
        SELECT agency_id, payslip_id, worker_id, period_to, sequence FROM jsonb_to_recordset(CAST(:rows AS jsonb))
          AS r (agency_id uuid, payslip_id uuid, worker_id uuid, period_to date, sequence bigint)
        ORDER BY agency_id, payslip_id
        ON CONFLICT (agency_id, payslip_id) DO UPDATE SET sequence = EXCLUDED.sequence
        WHERE pay_hold_state.sequence < EXCLUDED.sequence
        RETURNING agency_id, payslip_id
        """,
        rows=rows_json(states),
    )
    newer = {(row.agency_id, row.payslip_id) for row in result}
    if not newer:
        return set()
    dropped = await tx.execute(
        """
        DELETE FROM pay_hold h USING unnest(CAST(:agencies AS uuid[]), CAST(:ids AS uuid[])) AS k (agency_id, id)
        WHERE h.agency_id = k.agency_id AND h.payslip_id = k.id RETURNING h.agency_id, h.timesheet_id
        """,
        **_unzip(newer),
    )
    touched = {(row.agency_id, row.timesheet_id) for row in dropped}
    rows = [row for row in held if (row["agency_id"], row["payslip_id"]) in newer]
    if rows:
        await tx.execute(
            """
            INSERT INTO pay_hold (agency_id, payslip_id, timesheet_id, version, minutes, pay_gbp, reasons)
            SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (agency_id uuid, payslip_id uuid,
                timesheet_id uuid, version int, minutes int, pay_gbp numeric, reasons jsonb)
            ON CONFLICT DO NOTHING
            """,
            rows=rows_json(rows),
        )
    return touched | {(row["agency_id"], row["timesheet_id"]) for row in rows}


async def count_pay_holds(tx: Tx, timesheets: Keys) -> None:
    """Bring these timesheets' pay hold in line with what is held: the newest version and period that names one."""
    await tx.execute(
        """
        UPDATE timesheet t SET pay_held_version = n.version, pay_held_minutes = coalesce(n.minutes, 0),
            pay_held_gbp = coalesce(n.pay_gbp, 0), pay_reasons = coalesce(n.reasons, '[]')
        FROM unnest(CAST(:agencies AS uuid[]), CAST(:ids AS uuid[])) AS k (agency_id, timesheet_id)
        LEFT JOIN LATERAL (
            SELECT h.version, h.minutes, h.pay_gbp, h.reasons FROM pay_hold h
            JOIN pay_hold_state s ON s.agency_id = h.agency_id AND s.payslip_id = h.payslip_id
            WHERE h.agency_id = k.agency_id AND h.timesheet_id = k.timesheet_id
            ORDER BY h.version DESC, s.period_to DESC, h.payslip_id LIMIT 1
        ) n ON true
        WHERE t.agency_id = k.agency_id AND t.timesheet_id = k.timesheet_id
        """,
        **_unzip(timesheets),
    )


async def save_bill_decisions(tx: Tx, rows: Sequence[Row]) -> None:
    """Billing's newest word on each timesheet: ready or held, by version, then by sequence."""
    await tx.execute(
        """
        UPDATE timesheet t SET bill_version = r.version, bill_sequence = r.sequence, bill_decision = r.decision,
            bill_at = r.decided_at, bill_reasons = r.reasons, worker_id = coalesce(t.worker_id, r.worker_id)
        FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (agency_id uuid, timesheet_id uuid, worker_id uuid,
            version int, sequence bigint, decision text, decided_at timestamptz, reasons jsonb)
        WHERE t.agency_id = r.agency_id AND t.timesheet_id = r.timesheet_id
          AND (t.bill_version IS NULL OR (t.bill_version, t.bill_sequence) < (r.version, r.sequence))
        """,
        rows=rows_json(rows),
    )


async def save_documents(tx: Tx, rows: Sequence[Row]) -> set[UUID]:
    """Issued documents: they never change. Returns the ids that were new."""
    result = await tx.execute(
        """
        INSERT INTO document (agency_id, document_id, kind, number, client_id, payee_id, payee_kind, run_id,
            credits_document_id, reason_code, week_ending, issued_on, tax_point_on, due_on, net_gbp, vat_gbp,
            gross_gbp, payable_gbp, minutes, lines_gbp, ledger_balanced, sequence)
        SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (agency_id uuid, document_id uuid, kind text,
            number text, client_id uuid, payee_id uuid, payee_kind text, run_id uuid, credits_document_id uuid,
            reason_code text, week_ending date, issued_on date, tax_point_on date, due_on date, net_gbp numeric,
            vat_gbp numeric, gross_gbp numeric, payable_gbp numeric, minutes int, lines_gbp numeric,
            ledger_balanced boolean, sequence bigint)
        ON CONFLICT DO NOTHING RETURNING document_id
        """,
        rows=rows_json(rows),
    )
    return {row.document_id for row in result}


async def save_billed_lines(tx: Tx, rows: Sequence[Row]) -> None:
    await tx.execute(
        """
        INSERT INTO billed_line (agency_id, document_id, timesheet_id, version, charge_line_id, kind, worker_id,
            minutes, net_gbp)
        SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (agency_id uuid, document_id uuid,
            timesheet_id uuid, version int, charge_line_id uuid, kind text, worker_id uuid, minutes int,
            net_gbp numeric)
        ON CONFLICT DO NOTHING
        """,
        rows=rows_json(rows),
    )


async def count_billed(tx: Tx, timesheets: Keys) -> None:
    """Bring these timesheets' billed amounts in line with invoices and credit notes."""
    await tx.execute(
        """
        UPDATE timesheet t SET billed_version = n.billed_version, billed_minutes = n.minutes, billed_gbp = n.net_gbp
        FROM (
            SELECT k.agency_id, k.timesheet_id, coalesce(sum(b.minutes), 0) AS minutes,
                coalesce(sum(b.net_gbp), 0) AS net_gbp,
                max(b.version) FILTER (WHERE b.minutes <> 0 OR b.net_gbp <> 0) AS billed_version
            FROM unnest(CAST(:agencies AS uuid[]), CAST(:ids AS uuid[])) AS k (agency_id, timesheet_id)
            LEFT JOIN (
                SELECT l.agency_id, l.timesheet_id, l.version, sum(l.minutes) AS minutes, sum(l.net_gbp) AS net_gbp
                FROM billed_line l
                JOIN unnest(CAST(:agencies AS uuid[]), CAST(:ids AS uuid[])) AS q (agency_id, timesheet_id)
                  ON l.agency_id = q.agency_id AND l.timesheet_id = q.timesheet_id
                WHERE l.kind <> 'self_bill' GROUP BY l.agency_id, l.timesheet_id, l.version
            ) b ON b.agency_id = k.agency_id AND b.timesheet_id = k.timesheet_id
            GROUP BY k.agency_id, k.timesheet_id
        ) n
        WHERE t.agency_id = n.agency_id AND t.timesheet_id = n.timesheet_id
        """,
        **_unzip(timesheets),
    )


async def date_documents(tx: Tx) -> None:
    """Give credit notes and self-bills the week of their timesheets once both are known; few documents ever wait."""
    await tx.execute(
        """
        UPDATE document d SET week_ending = w.week_ending
        FROM (
            SELECT u.agency_id, u.document_id, max(t.week_ending) AS week_ending
            FROM document u
            JOIN billed_line l ON l.agency_id = u.agency_id AND l.document_id = u.document_id
            JOIN timesheet t ON t.agency_id = l.agency_id AND t.timesheet_id = l.timesheet_id
            WHERE u.week_ending IS NULL AND t.week_ending IS NOT NULL
            GROUP BY u.agency_id, u.document_id
        ) w
        WHERE d.agency_id = w.agency_id AND d.document_id = w.document_id
        """
    )


async def save_receipts(tx: Tx, rows: Sequence[Row]) -> None:
    await tx.execute(
        """
        INSERT INTO receipt (agency_id, receipt_id, document_id, client_id, paid_on, amount_gbp, balance_gbp, sequence)
        SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (agency_id uuid, receipt_id uuid,
            document_id uuid, client_id uuid, paid_on date, amount_gbp numeric, balance_gbp numeric, sequence bigint)
        ON CONFLICT DO NOTHING
        """,
        rows=rows_json(rows),
    )


async def save_payments(tx: Tx, rows: Sequence[Row]) -> None:
    await tx.execute(
        """
        INSERT INTO payment (agency_id, payment_id, payment_file_id, pay_run_id, payee_kind, payee_id, amount_gbp,
            funds_on, sequence)
        SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (agency_id uuid, payment_id uuid,
            payment_file_id uuid, pay_run_id uuid, payee_kind text, payee_id uuid, amount_gbp numeric, funds_on date,
            sequence bigint)
        ON CONFLICT (agency_id, payment_id) DO UPDATE SET payment_file_id = EXCLUDED.payment_file_id,
            amount_gbp = EXCLUDED.amount_gbp, funds_on = EXCLUDED.funds_on, sequence = EXCLUDED.sequence
        WHERE payment.sequence < EXCLUDED.sequence
        """,
        rows=rows_json(rows),
    )


async def save_pay_runs(tx: Tx, rows: Sequence[Row]) -> None:
    await tx.execute(
        """
        INSERT INTO pay_run (agency_id, pay_run_id, sequence, period_to, payday_on, funds_on, closed_at, payslips,
            self_bills, held_timesheets, gross_gbp, net_gbp, paid_minutes, held_minutes, difference_accepted)
        SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (agency_id uuid, pay_run_id uuid,
            sequence bigint, period_to date, payday_on date, funds_on date, closed_at timestamptz, payslips int,
            self_bills int, held_timesheets int, gross_gbp numeric, net_gbp numeric, paid_minutes int,
            held_minutes int, difference_accepted boolean)
        ON CONFLICT (agency_id, pay_run_id) DO UPDATE SET sequence = EXCLUDED.sequence,
            closed_at = EXCLUDED.closed_at, payslips = EXCLUDED.payslips, self_bills = EXCLUDED.self_bills,
            held_timesheets = EXCLUDED.held_timesheets, gross_gbp = EXCLUDED.gross_gbp, net_gbp = EXCLUDED.net_gbp,
            paid_minutes = EXCLUDED.paid_minutes, held_minutes = EXCLUDED.held_minutes,
            difference_accepted = EXCLUDED.difference_accepted
        WHERE pay_run.sequence < EXCLUDED.sequence
        """,
        rows=rows_json(rows),
    )


async def save_invoice_runs(tx: Tx, rows: Sequence[Row]) -> None:
    await tx.execute(
        """
        INSERT INTO invoice_run (agency_id, invoice_run_id, sequence, week_ending, closed_at, invoices, net_gbp,
            vat_gbp, billed_minutes, held_minutes, difference_accepted)
        SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (agency_id uuid, invoice_run_id uuid,
            sequence bigint, week_ending date, closed_at timestamptz, invoices int, net_gbp numeric, vat_gbp numeric,
            billed_minutes int, held_minutes int, difference_accepted boolean)
        ON CONFLICT (agency_id, invoice_run_id) DO UPDATE SET sequence = EXCLUDED.sequence,
            closed_at = EXCLUDED.closed_at, invoices = EXCLUDED.invoices, net_gbp = EXCLUDED.net_gbp,
            vat_gbp = EXCLUDED.vat_gbp, billed_minutes = EXCLUDED.billed_minutes,
            held_minutes = EXCLUDED.held_minutes, difference_accepted = EXCLUDED.difference_accepted
        WHERE invoice_run.sequence < EXCLUDED.sequence
        """,
        rows=rows_json(rows),
    )


async def save_cut_offs(tx: Tx, rows: Sequence[Row]) -> None:
    await tx.execute(
        """
        INSERT INTO week_cut_off (agency_id, week_ending, sequence, cut_off_at, timesheets, payable_minutes,
            billable_minutes, pay_gbp, charge_gbp)
        SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (agency_id uuid, week_ending date,
            sequence bigint, cut_off_at timestamptz, timesheets int, payable_minutes int, billable_minutes int,
            pay_gbp numeric, charge_gbp numeric)
        ON CONFLICT (agency_id, week_ending) DO UPDATE SET sequence = EXCLUDED.sequence,
            cut_off_at = EXCLUDED.cut_off_at, timesheets = EXCLUDED.timesheets,
            payable_minutes = EXCLUDED.payable_minutes, billable_minutes = EXCLUDED.billable_minutes,
            pay_gbp = EXCLUDED.pay_gbp, charge_gbp = EXCLUDED.charge_gbp
        WHERE week_cut_off.sequence < EXCLUDED.sequence
        """,
        rows=rows_json(rows),
    )


async def save_story(tx: Tx, rows: Sequence[Row]) -> None:
    await tx.execute(
        """
        INSERT INTO story (agency_id, timesheet_id, event_id, kind, sequence, happened_at, detail)
        SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (agency_id uuid, timesheet_id uuid,
            event_id uuid, kind text, sequence bigint, happened_at timestamptz, detail jsonb)
        ON CONFLICT DO NOTHING
        """,
        rows=rows_json(rows),
    )


async def beat(tx: Tx, rows: Sequence[Row]) -> None:
    """Count the facts of each agency; live pages watch the number."""
    await tx.execute(
        """
        INSERT INTO pulse (agency_id, facts, last_fact_at)
        SELECT agency_id, facts, last_fact_at FROM jsonb_to_recordset(CAST(:rows AS jsonb))
          AS r (agency_id uuid, facts bigint, last_fact_at timestamptz) ORDER BY agency_id
        ON CONFLICT (agency_id) DO UPDATE SET facts = pulse.facts + EXCLUDED.facts,
            last_fact_at = greatest(pulse.last_fact_at, EXCLUDED.last_fact_at)
        """,
        rows=rows_json(rows),
    )
