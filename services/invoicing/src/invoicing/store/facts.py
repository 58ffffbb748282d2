"""Facts from the bus, written set-wise: a handful of statements a batch, whatever its size."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from invoicing.domain.readiness import AWAITING
from paybill_common.db import Tx
from paybill_common.envelope import Event
from paybill_common.ids import pair_in_order
from paybill_contracts.base import Reason
from paybill_contracts.compliance import ComplianceCleared, ComplianceHeld
from paybill_contracts.control import WeekCutOff
from paybill_contracts.pay import PayFinalised, PayRunClosed
from paybill_contracts.timesheet import ApprovedFacts, ChargeLine

Key = tuple[UUID, UUID]
"""(agency, record)."""
_NIL = Decimal("0.00")


async def share_agencies(tx: Tx, agencies: Iterable[UUID]) -> None:
    """Hold the agencies' settings still: terms and suppliers cannot change while facts that depend on them are decided."""
    await _lock(tx, "pg_advisory_xact_lock_shared", "invoicing.settings", agencies)


async def lock_agency_settings(tx: Tx, agency_id: UUID) -> None:
    """Wait for the facts that are being decided now, and make new ones wait: taken before terms or suppliers change."""
    await _lock(tx, "pg_advisory_xact_lock", "invoicing.settings", [agency_id])


async def lock_self_billing(tx: Tx, agencies: Iterable[UUID]) -> None:
    """One transaction at a time decides the self-bills of an agency: each sees what the one before it stored."""
    await _lock(tx, "pg_advisory_xact_lock", "invoicing.self-billing", agencies)


async def _lock(tx: Tx, function: str, area: str, agencies: Iterable[UUID]) -> None:
    keys = sorted({str(agency) for agency in agencies})
    if keys:
        await tx.execute(
            f"SELECT {function}(hashtextextended(:area || key, 0)) FROM unnest(CAST(:keys AS text[])) AS key ORDER BY key",  # noqa: S608  fixed words
            area=area,
            keys=keys,
        )


async def apply_approved(tx: Tx, events: Sequence[Event[Any]]) -> list[Key]:
    """Store the charge lines of every version and the newest facts of each timesheet. Returns the timesheets that moved on and are to be
    decided again; a new one begins as awaiting compliance's decision, unless that came before it.

    An older version that arrives late does not move its timesheet: it is superseded before it was billed. Its lines are
    kept all the same, because a pay run may have finalised them.
    """
    newest: dict[Key, Event[Any]] = {}
    for event in events:
        key = (event.data.agency_id, event.data.timesheet_id)
        if key not in newest or event.data.version > newest[key].data.version:
            newest[key] = event
    ordered = [newest[key] for key in sorted(newest, key=pair_in_order)]
    facts: list[ApprovedFacts] = [event.data for event in ordered]
    if not facts:
        return []
    result = await tx.execute(
        """
        INSERT INTO timesheet (agency_id, timesheet_id, version, sequence, worker_id, placement_id, client_id, site_id,
            consultant_id, branch, week_ending, reference, purchase_order, approved_at, billable_minutes, billable_units,
            charge_gbp, traceparent, state, reasons, decided_version)
        SELECT i.*, :state, CAST(:reasons AS jsonb), i.version
        FROM unnest(CAST(:agencies AS uuid[]), CAST(:timesheets AS uuid[]), CAST(:versions AS int[]),
            CAST(:sequences AS bigint[]), CAST(:workers AS uuid[]), CAST(:placements AS uuid[]), CAST(:clients AS uuid[]),
            CAST(:sites AS uuid[]), CAST(:consultants AS uuid[]), CAST(:branches AS text[]), CAST(:weeks AS date[]),
            CAST(:refs AS text[]), CAST(:orders AS text[]), CAST(:approved AS timestamptz[]), CAST(:minutes AS int[]),
            CAST(:units AS numeric[]), CAST(:charges AS numeric[]), CAST(:traces AS text[]))
          AS i(agency, timesheet, version, sequence, worker, placement, client, site, consultant, branch, week, ref, po, approved,
               minutes, units, charge, trace)
        ON CONFLICT (agency_id, timesheet_id) DO UPDATE SET version = EXCLUDED.version, sequence = EXCLUDED.sequence,
            worker_id = EXCLUDED.worker_id, placement_id = EXCLUDED.placement_id, client_id = EXCLUDED.client_id,
            site_id = EXCLUDED.site_id, consultant_id = EXCLUDED.consultant_id, branch = EXCLUDED.branch,
            week_ending = EXCLUDED.week_ending, reference = EXCLUDED.reference,
            purchase_order = EXCLUDED.purchase_order, approved_at = EXCLUDED.approved_at,
            billable_minutes = EXCLUDED.billable_minutes, billable_units = EXCLUDED.billable_units,
            charge_gbp = EXCLUDED.charge_gbp, traceparent = EXCLUDED.traceparent
        WHERE timesheet.version < EXCLUDED.version
        RETURNING agency_id, timesheet_id, decided_version = version AND NOT EXISTS (
            SELECT 1 FROM clearance c WHERE c.agency_id = timesheet.agency_id AND c.timesheet_id = timesheet.timesheet_id
              AND c.version = timesheet.version) AS waits
        """,
        state=AWAITING.state,
        reasons=json.dumps(AWAITING.reasons, sort_keys=True),
        agencies=[fact.agency_id for fact in facts],
        timesheets=[fact.timesheet_id for fact in facts],
        versions=[fact.version for fact in facts],
        sequences=[event.sequence for event in ordered],
        workers=[fact.worker_id for fact in facts],
        placements=[fact.placement_id for fact in facts],
        clients=[fact.client_id for fact in facts],
        sites=[fact.site_id for fact in facts],
        consultants=[fact.consultant_id for fact in facts],
        branches=[fact.branch for fact in facts],
        weeks=[fact.week_ending for fact in facts],
        refs=[fact.reference for fact in facts],
        orders=[fact.purchase_order for fact in facts],
        approved=[fact.approved_at for fact in facts],
        minutes=[fact.billable_minutes for fact in facts],
        units=[_billable_units(fact) for fact in facts],
        charges=[_billable_gbp(fact) for fact in facts],
        traces=[event.traceparent for event in ordered],
    )
    moved = {(row.agency_id, row.timesheet_id) for row in result if not row.waits}
    await _insert_charges(tx, [event.data for event in events])
    return sorted(moved, key=pair_in_order)


async def _insert_charges(tx: Tx, facts: Sequence[ApprovedFacts]) -> None:
    rows = [(fact, line, *_span(fact, line)) for fact in facts for line in fact.lines]
    if not rows:
        return
    await tx.execute(
        """
        INSERT INTO charge (agency_id, charge_line_id, version, timesheet_id, ordinal, element, rate_code, rate_unit,
            minutes, units, pay_rate, charge_rate, charge_gbp, billable, rate_card_version, rule_id, first_on, last_on)
        SELECT * FROM unnest(CAST(:agencies AS uuid[]), CAST(:lines AS uuid[]), CAST(:versions AS int[]),
            CAST(:timesheets AS uuid[]), CAST(:ordinals AS int[]), CAST(:elements AS text[]), CAST(:codes AS text[]),
            CAST(:rate_units AS text[]), CAST(:minutes AS int[]), CAST(:units AS numeric[]), CAST(:pay_rates AS numeric[]),
            CAST(:charge_rates AS numeric[]), CAST(:charges AS numeric[]), CAST(:billable AS boolean[]),
            CAST(:cards AS int[]), CAST(:rules AS text[]), CAST(:first AS date[]), CAST(:last AS date[]))
        ON CONFLICT (agency_id, charge_line_id, version) DO NOTHING
        """,
        agencies=[fact.agency_id for fact, _, _, _ in rows],
        lines=[line.charge_line_id for _, line, _, _ in rows],
        versions=[fact.version for fact, _, _, _ in rows],
        timesheets=[fact.timesheet_id for fact, _, _, _ in rows],
        ordinals=[line.ordinal for _, line, _, _ in rows],
        elements=[line.element for _, line, _, _ in rows],
        codes=[line.rate_code for _, line, _, _ in rows],
        rate_units=[line.rate_unit for _, line, _, _ in rows],
        minutes=[line.minutes for _, line, _, _ in rows],
        units=[line.units for _, line, _, _ in rows],
        pay_rates=[line.pay_rate for _, line, _, _ in rows],
        charge_rates=[line.charge_rate for _, line, _, _ in rows],
        charges=[line.charge_gbp for _, line, _, _ in rows],
        billable=[line.billable for _, line, _, _ in rows],
        cards=[line.rate_card_version for _, line, _, _ in rows],
        rules=[line.rule_id for _, line, _, _ in rows],
        first=[first for _, _, first, _ in rows],
        last=[last for _, _, _, last in rows],
    )


def _span(fact: ApprovedFacts, line: ChargeLine) -> tuple[date, date]:
    """First and last day of a line; a line without days covers the week."""
    days = [day.worked_on for day in line.days]
    if days:
        return min(days), max(days)
    return fact.week_ending - timedelta(days=6), fact.week_ending


def _billable_units(fact: ApprovedFacts) -> Decimal:
    return sum((line.units for line in fact.lines if line.billable and line.units is not None), Decimal(0))


def _billable_gbp(fact: ApprovedFacts) -> Decimal:
    return sum((line.charge_gbp for line in fact.lines if line.billable), Decimal("0.00"))


async def apply_decisions(tx: Tx, events: Sequence[Event[Any]]) -> list[Key]:
    """Store compliance's answers, the newest of each timesheet version. Returns the timesheets concerned."""
    newest: dict[tuple[UUID, UUID, int], Event[Any]] = {}
    for event in events:
        key = (event.data.agency_id, event.data.timesheet_id, event.data.version)
        if key not in newest or event.sequence >= newest[key].sequence:
            newest[key] = event
    if not newest:
        return []
    ordered = [newest[key] for key in sorted(newest)]
    decisions: list[ComplianceCleared | ComplianceHeld] = [event.data for event in ordered]
    result = await tx.execute(
        """
        INSERT INTO clearance (agency_id, timesheet_id, version, sequence, blocks_bill, reasons, decided_at)
        SELECT agency_id, timesheet_id, version, sequence, blocks, CAST(reasons AS jsonb), decided_at
        FROM unnest(CAST(:agencies AS uuid[]), CAST(:timesheets AS uuid[]), CAST(:versions AS int[]),
            CAST(:sequences AS bigint[]), CAST(:blocks AS boolean[]), CAST(:reasons AS text[]),
            CAST(:decided AS timestamptz[])) AS d(agency_id, timesheet_id, version, sequence, blocks, reasons, decided_at)
        ON CONFLICT (agency_id, timesheet_id, version) DO UPDATE SET sequence = EXCLUDED.sequence,
            blocks_bill = EXCLUDED.blocks_bill, reasons = EXCLUDED.reasons, decided_at = EXCLUDED.decided_at
        WHERE clearance.sequence < EXCLUDED.sequence
        RETURNING agency_id, timesheet_id
        """,
        agencies=[fact.agency_id for fact in decisions],
        timesheets=[fact.timesheet_id for fact in decisions],
        versions=[fact.version for fact in decisions],
        sequences=[event.sequence for event in ordered],
        blocks=[isinstance(fact, ComplianceHeld) and "bill" in fact.blocks for fact in decisions],
        reasons=[reasons_json(fact.reasons) for fact in decisions],
        decided=[fact.decided_at for fact in decisions],
    )
    return sorted({(row.agency_id, row.timesheet_id) for row in result}, key=pair_in_order)


def reasons_json(reasons: Iterable[Reason]) -> str:
    """Reasons as JSON text, without empty fields."""
    return json.dumps([reason.model_dump(mode="json", exclude_none=True) for reason in reasons], sort_keys=True)


async def apply_cut_offs(tx: Tx, events: Sequence[Event[WeekCutOff]]) -> None:
    """Store control totals; a later cut-off of the same week replaces the earlier one."""
    if not events:
        return
    facts = [event.data for event in events]
    await tx.execute(
        """
        INSERT INTO week_control (agency_id, week_ending, sequence, cut_off_at, timesheets, billable_minutes,
            billable_units, charge_gbp)
        SELECT * FROM unnest(CAST(:agencies AS uuid[]), CAST(:weeks AS date[]), CAST(:sequences AS bigint[]),
            CAST(:cut_off AS timestamptz[]), CAST(:timesheets AS int[]), CAST(:minutes AS bigint[]),
            CAST(:units AS numeric[]), CAST(:charges AS numeric[]))
        ON CONFLICT (agency_id, week_ending) DO UPDATE SET sequence = EXCLUDED.sequence,
            cut_off_at = EXCLUDED.cut_off_at, timesheets = EXCLUDED.timesheets,
            billable_minutes = EXCLUDED.billable_minutes, billable_units = EXCLUDED.billable_units,
            charge_gbp = EXCLUDED.charge_gbp
        WHERE week_control.sequence < EXCLUDED.sequence
        """,
        agencies=[fact.agency_id for fact in facts],
        weeks=[fact.week_ending for fact in facts],
        sequences=[event.sequence for event in events],
        cut_off=[fact.cut_off_at for fact in facts],
        timesheets=[fact.timesheets for fact in facts],
        minutes=[fact.billable_minutes for fact in facts],
        units=[fact.billable_units for fact in facts],
        charges=[fact.charge_gbp for fact in facts],
    )


async def apply_pay_runs(tx: Tx, events: Sequence[Event[PayRunClosed]]) -> None:
    """Store closed pay runs."""
    if not events:
        return
    facts = [event.data for event in events]
    await tx.execute(
        """
        INSERT INTO pay_run (agency_id, pay_run_id, sequence, period_to, payday_on, self_bills, closed_at)
        SELECT * FROM unnest(CAST(:agencies AS uuid[]), CAST(:runs AS uuid[]), CAST(:sequences AS bigint[]),
            CAST(:periods AS date[]), CAST(:paydays AS date[]), CAST(:bills AS int[]), CAST(:closed AS timestamptz[]))
        ON CONFLICT (agency_id, pay_run_id) DO UPDATE SET sequence = EXCLUDED.sequence, self_bills = EXCLUDED.self_bills
        WHERE pay_run.sequence < EXCLUDED.sequence
        """,
        agencies=[fact.agency_id for fact in facts],
        runs=[fact.pay_run_id for fact in facts],
        sequences=[event.sequence for event in events],
        periods=[fact.period_to for fact in facts],
        paydays=[fact.payday_on for fact in facts],
        bills=[fact.self_bills for fact in facts],
        closed=[fact.closed_at for fact in facts],
    )


async def apply_finalised(tx: Tx, events: Sequence[Event[PayFinalised]]) -> None:
    """Store the finalised amounts of workers who are paid through a supplier, with the charge lines behind them."""
    unique = {(event.data.agency_id, event.data.payslip_id): event.data for event in events}
    facts = [unique[key] for key in sorted(unique)]
    if not facts:
        return
    result = await tx.execute(
        """
        INSERT INTO self_bill_pay (agency_id, payslip_id, pay_run_id, worker_id, payee_id, pay_basis, period_from,
            period_to, net_gbp, cis_gbp, cis_labour_gbp, cis_rate_pct, paye_tax_gbp, employee_nic_gbp)
        SELECT * FROM unnest(CAST(:agencies AS uuid[]), CAST(:payslips AS uuid[]), CAST(:runs AS uuid[]),
            CAST(:workers AS uuid[]), CAST(:payees AS uuid[]), CAST(:bases AS text[]), CAST(:periods_from AS date[]),
            CAST(:periods_to AS date[]), CAST(:nets AS numeric[]), CAST(:cis AS numeric[]), CAST(:labour AS numeric[]),
            CAST(:rates AS smallint[]), CAST(:taxes AS numeric[]), CAST(:nics AS numeric[]))
        ON CONFLICT (agency_id, payslip_id) DO NOTHING
        RETURNING agency_id, payslip_id
        """,
        agencies=[fact.agency_id for fact in facts],
        payslips=[fact.payslip_id for fact in facts],
        runs=[fact.pay_run_id for fact in facts],
        workers=[fact.worker_id for fact in facts],
        payees=[fact.payee_id for fact in facts],
        bases=[fact.pay_basis for fact in facts],
        periods_from=[fact.period_from for fact in facts],
        periods_to=[fact.period_to for fact in facts],
        nets=[fact.gross_gbp for fact in facts],  # the supply; what the law takes of its payment is no part of it
        cis=[fact.cis.deduction_gbp if fact.cis else _NIL for fact in facts],
        labour=[fact.cis.labour_gbp if fact.cis else _NIL for fact in facts],
        rates=[fact.cis.rate_pct if fact.cis else None for fact in facts],
        taxes=[fact.tax_gbp for fact in facts],
        nics=[fact.employee_nic_gbp for fact in facts],
    )
    new = {(row.agency_id, row.payslip_id) for row in result}
    rows = [
        (fact, ordinal, charge)
        for fact in facts
        if (fact.agency_id, fact.payslip_id) in new
        for ordinal, charge in enumerate(fact.charges, start=1)
    ]
    if not rows:
        return
    await tx.execute(
        """
        INSERT INTO self_bill_charge (agency_id, payslip_id, ordinal, charge_line_id, timesheet_id, version, minutes,
            pay_gbp, reverses)
        SELECT * FROM unnest(CAST(:agencies AS uuid[]), CAST(:payslips AS uuid[]), CAST(:ordinals AS int[]),
            CAST(:lines AS uuid[]), CAST(:timesheets AS uuid[]), CAST(:versions AS int[]), CAST(:minutes AS int[]),
            CAST(:pays AS numeric[]), CAST(:reverses AS boolean[]))
        """,
        agencies=[fact.agency_id for fact, _, _ in rows],
        payslips=[fact.payslip_id for fact, _, _ in rows],
        ordinals=[ordinal for _, ordinal, _ in rows],
        lines=[charge.charge_line_id for _, _, charge in rows],
        timesheets=[charge.timesheet_id for _, _, charge in rows],
        versions=[charge.version for _, _, charge in rows],
        minutes=[charge.minutes for _, _, charge in rows],
        pays=[charge.pay_gbp for _, _, charge in rows],
        reverses=[charge.reverses for _, _, charge in rows],
    )


async def self_billed_agencies(tx: Tx, *, keys: Sequence[Key]) -> set[UUID]:
    """The agencies with a self-bill that is not raised yet and rests on one of these timesheets."""
    if not keys:
        return set()
    result = await tx.execute(
        """
        SELECT DISTINCT k.agency_id
        FROM unnest(CAST(:agencies AS uuid[]), CAST(:timesheets AS uuid[])) AS k(agency_id, timesheet_id)
        JOIN self_bill_charge c ON c.agency_id = k.agency_id AND c.timesheet_id = k.timesheet_id
        JOIN self_bill_pay p ON p.agency_id = c.agency_id AND p.payslip_id = c.payslip_id AND p.document_id IS NULL
        """,
        agencies=[agency for agency, _ in keys],
        timesheets=[timesheet for _, timesheet in keys],
    )
    return {row.agency_id for row in result}


async def undecided_inputs(tx: Tx, keys: Sequence[Key]) -> list[Any]:
    """What the state of these timesheets depends on, locked in order: head, clearance of its version, client terms."""
    result = await tx.execute(
        """
        SELECT t.agency_id, t.timesheet_id, t.version, t.worker_id, t.client_id, t.purchase_order, t.billable_minutes,
               t.charge_gbp, t.state, t.reasons, t.decided_version, t.state_sequence, t.billed_version,
               c.blocks_bill, c.reasons AS clearance_reasons, (c.timesheet_id IS NOT NULL) AS has_clearance,
               (ct.client_id IS NOT NULL) AS has_terms, ct.po_required, ct.purchase_order AS terms_purchase_order
        FROM unnest(CAST(:agencies AS uuid[]), CAST(:timesheets AS uuid[])) AS k(agency_id, timesheet_id)
        JOIN timesheet t ON t.agency_id = k.agency_id AND t.timesheet_id = k.timesheet_id
        LEFT JOIN clearance c
            ON c.agency_id = t.agency_id AND c.timesheet_id = t.timesheet_id AND c.version = t.version
        LEFT JOIN client_terms ct ON ct.agency_id = t.agency_id AND ct.client_id = t.client_id
        ORDER BY t.agency_id, t.timesheet_id
        FOR UPDATE OF t
        """,
        agencies=[agency for agency, _ in keys],
        timesheets=[timesheet for _, timesheet in keys],
    )
    return list(result)


async def store_states(tx: Tx, rows: Sequence[tuple[UUID, UUID, int, str, str]]) -> dict[Key, int]:
    """Write (agency, timesheet, version, state, reasons JSON). Returns the new sequence of each timesheet's state."""
    result = await tx.execute(
        """
        UPDATE timesheet t SET state = d.state, reasons = CAST(d.reasons AS jsonb), decided_version = d.version,
            state_sequence = t.state_sequence + 1
        FROM unnest(CAST(:agencies AS uuid[]), CAST(:timesheets AS uuid[]), CAST(:versions AS int[]),
            CAST(:states AS text[]), CAST(:reasons AS text[])) AS d(agency_id, timesheet_id, version, state, reasons)
        WHERE t.agency_id = d.agency_id AND t.timesheet_id = d.timesheet_id
        RETURNING t.agency_id, t.timesheet_id, t.state_sequence
        """,
        agencies=[row[0] for row in rows],
        timesheets=[row[1] for row in rows],
        versions=[row[2] for row in rows],
        states=[row[3] for row in rows],
        reasons=[row[4] for row in rows],
    )
    return {(row.agency_id, row.timesheet_id): row.state_sequence for row in result}


async def unbilled_of_clients(tx: Tx, *, agency_id: UUID, clients: Sequence[UUID]) -> list[Key]:
    """The timesheets of these clients whose current version is not billed yet."""
    result = await tx.execute(
        "SELECT timesheet_id FROM timesheet WHERE agency_id = :agency AND client_id = ANY(CAST(:clients AS uuid[]))"
        " AND billed_version IS DISTINCT FROM version ORDER BY timesheet_id",
        agency=agency_id,
        clients=list(clients),
    )
    return [(agency_id, row.timesheet_id) for row in result]
