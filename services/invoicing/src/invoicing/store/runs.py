"""Invoice runs: control totals, what is left to bill, and the progress of a run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from invoicing.domain.control import Difference, WeekTotals
from paybill_common.db import Tx

_DUE = """
    t.agency_id = :agency AND t.week_ending <= :week AND t.state = 'ready' AND t.decided_version = t.version
    AND t.billed_version IS DISTINCT FROM t.version AND NOT t.worker_id = ANY(CAST(:left_out AS uuid[]))
"""
"""Timesheets that this week's run bills: ready, not billed in this version, the week's own or late from an earlier one."""


async def control_totals(tx: Tx, *, agency_id: UUID, week_ending: date) -> WeekTotals | None:
    """The week's control totals, or None while its cut-off has not arrived."""
    result = await tx.execute(
        "SELECT timesheets, billable_minutes, billable_units, charge_gbp FROM week_control"
        " WHERE agency_id = :agency AND week_ending = :week",
        agency=agency_id,
        week=week_ending,
    )
    row = result.first()
    return None if row is None else _totals(row)


async def own_totals(tx: Tx, *, agency_id: UUID, week_ending: date) -> WeekTotals:
    """What invoicing knows of the week, whatever its state."""
    result = await tx.execute(
        "SELECT count(*) AS timesheets, coalesce(sum(billable_minutes), 0) AS billable_minutes,"
        " coalesce(sum(billable_units), 0) AS billable_units, coalesce(sum(charge_gbp), 0) AS charge_gbp"
        " FROM timesheet WHERE agency_id = :agency AND week_ending = :week",
        agency=agency_id,
        week=week_ending,
    )
    return _totals(result.one())


def _totals(row: Any) -> WeekTotals:
    return WeekTotals(
        int(row.timesheets), int(row.billable_minutes), Decimal(row.billable_units), Decimal(row.charge_gbp)
    )


async def latest_run(tx: Tx, *, agency_id: UUID, week_ending: date) -> Any | None:
    """The newest run of a week, locked, or None. Runs of one week are serialised by an advisory lock first."""
    await tx.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('invoicing.run' || :agency || :week, 0))",
        agency=str(agency_id),
        week=week_ending.isoformat(),
    )
    result = await tx.execute(
        "SELECT * FROM invoice_run WHERE agency_id = :agency AND week_ending = :week ORDER BY ordinal DESC LIMIT 1"
        " FOR UPDATE",
        agency=agency_id,
        week=week_ending,
    )
    return result.first()


async def lock_run(tx: Tx, *, agency_id: UUID, invoice_run_id: UUID) -> Any | None:
    """A run, locked until the commit: only one transaction at a time works on it."""
    result = await tx.execute(
        "SELECT * FROM invoice_run WHERE agency_id = :agency AND invoice_run_id = :run FOR UPDATE",
        agency=agency_id,
        run=invoice_run_id,
    )
    return result.first()


async def run_row(tx: Tx, *, agency_id: UUID, invoice_run_id: UUID) -> Any | None:
    result = await tx.execute(
        "SELECT * FROM invoice_run WHERE agency_id = :agency AND invoice_run_id = :run",
        agency=agency_id,
        run=invoice_run_id,
    )
    return result.first()


async def list_runs(
    tx: Tx,
    *,
    agency_id: UUID,
    week_ending: date | None,
    external_id: str | None,
    before: tuple[date, int] | None,
    most: int,
) -> list[Any]:
    """Runs, newest week first; those after the one `before` in that order when it is given."""
    result = await tx.execute(
        "SELECT * FROM invoice_run WHERE agency_id = :agency"
        " AND (CAST(:week AS date) IS NULL OR week_ending = CAST(:week AS date))"
        " AND (CAST(:external AS text) IS NULL OR external_id = :external)"
        " AND (CAST(:last_week AS date) IS NULL"
        "      OR (week_ending, ordinal) < (CAST(:last_week AS date), CAST(:last_ordinal AS smallint)))"
        " ORDER BY week_ending DESC, ordinal DESC LIMIT :most",
        agency=agency_id,
        week=week_ending,
        external=external_id,
        last_week=before[0] if before else None,
        last_ordinal=before[1] if before else None,
        most=most,
    )
    return list(result)


async def insert_run(
    tx: Tx,
    *,
    agency_id: UUID,
    invoice_run_id: UUID,
    week_ending: date,
    ordinal: int,
    opened_by: str,
    external_id: str | None,
    differences: Sequence[Difference],
    accepted_by: str | None,
    accepted_reason: str | None,
    left_out: Sequence[UUID],
) -> None:
    """Open a run over the clients that have something due now."""
    await tx.execute(
        """
        INSERT INTO invoice_run (agency_id, invoice_run_id, week_ending, ordinal, status, opened_at, opened_by,
            external_id, differences, accepted_by, accepted_reason, left_out_workers, clients)
        VALUES (:agency, :run, :week, :ordinal, 'open', :now, :by, :external, CAST(:differences AS jsonb), :accepted_by,
            :accepted_reason, CAST(:left_out_json AS jsonb), 0)
        """,
        agency=agency_id,
        run=invoice_run_id,
        week=week_ending,
        ordinal=ordinal,
        now=tx.now,
        by=opened_by,
        external=external_id,
        differences=json.dumps([{"figure": d.figure, "control": d.control, "own": d.own} for d in differences]),
        accepted_by=accepted_by,
        accepted_reason=accepted_reason,
        left_out_json=json.dumps([str(worker) for worker in left_out]),
    )
    await tx.execute(
        f"""
        WITH due AS (
            INSERT INTO invoice_run_client (agency_id, invoice_run_id, client_id)
            SELECT DISTINCT t.agency_id, CAST(:run AS uuid), t.client_id FROM timesheet t WHERE {_DUE}
            RETURNING 1
        )
        UPDATE invoice_run SET clients = (SELECT count(*) FROM due) WHERE agency_id = :agency AND invoice_run_id = :run
        """,  # noqa: S608  fixed words
        agency=agency_id,
        run=invoice_run_id,
        week=week_ending,
        left_out=list(left_out),
    )


async def stalled(tx: Tx, *, after_s: int) -> list[tuple[UUID, UUID]]:
    """Open runs of any agency that nobody has moved lately, as (agency, run); needs the worker role."""
    result = await tx.execute(
        "SELECT agency_id, invoice_run_id FROM invoice_run WHERE status = 'open' AND"
        " coalesce(progressed_at, '-infinity') < clock_timestamp() - make_interval(secs => :after) ORDER BY 1, 2 LIMIT 100",
        after=after_s,
    )
    return [(row.agency_id, row.invoice_run_id) for row in result]


async def anything_due(tx: Tx, *, agency_id: UUID, week_ending: date, left_out: Sequence[UUID]) -> bool:
    """There is a timesheet that a run of this week would bill."""
    result = await tx.execute(
        f"SELECT EXISTS (SELECT 1 FROM timesheet t WHERE {_DUE})",  # noqa: S608  fixed words
        agency=agency_id,
        week=week_ending,
        left_out=list(left_out),
    )
    return bool(result.scalar_one())


async def next_client(tx: Tx, *, agency_id: UUID, invoice_run_id: UUID) -> UUID | None:
    """The next client of a locked run, in the order of ids, or None when all are done."""
    result = await tx.execute(
        "SELECT client_id FROM invoice_run_client WHERE agency_id = :agency AND invoice_run_id = :run"
        " AND done_at IS NULL ORDER BY client_id LIMIT 1",
        agency=agency_id,
        run=invoice_run_id,
    )
    found: UUID | None = result.scalar()
    return found


async def lock_due(
    tx: Tx, *, agency_id: UUID, week_ending: date, client_id: UUID, left_out: Sequence[UUID]
) -> list[Any]:
    """The timesheets of a client that are due, locked in order against amendments that arrive meanwhile."""
    result = await tx.execute(
        f"SELECT t.* FROM timesheet t WHERE {_DUE} AND t.client_id = :client ORDER BY t.agency_id, t.timesheet_id"  # noqa: S608  fixed words
        " FOR UPDATE",
        agency=agency_id,
        week=week_ending,
        client=client_id,
        left_out=list(left_out),
    )
    return list(result)


async def due(tx: Tx, *, agency_id: UUID, week_ending: date, left_out: Sequence[UUID]) -> list[Any]:
    """Every timesheet that a run of this week would bill now; nothing is locked."""
    result = await tx.execute(
        f"SELECT t.* FROM timesheet t WHERE {_DUE} ORDER BY t.client_id, t.timesheet_id",  # noqa: S608  fixed words
        agency=agency_id,
        week=week_ending,
        left_out=list(left_out),
    )
    return list(result)


async def new_charges(tx: Tx, *, agency_id: UUID, timesheets: Sequence[UUID]) -> list[Any]:
    """The billable lines of the current versions of these timesheets that are on no document."""
    result = await tx.execute(
        """
        SELECT ch.* FROM charge ch
        JOIN timesheet t ON t.agency_id = ch.agency_id AND t.timesheet_id = ch.timesheet_id AND t.version = ch.version
        WHERE ch.agency_id = :agency AND ch.timesheet_id = ANY(CAST(:ids AS uuid[]))
          AND ch.billable AND ch.billed_document_id IS NULL AND NOT ch.written_off
        """,
        agency=agency_id,
        ids=list(timesheets),
    )
    return list(result)


async def superseded_lines(tx: Tx, *, agency_id: UUID, timesheets: Sequence[UUID]) -> list[Any]:
    """The document lines of earlier versions of these timesheets that still stand, with their document's treatment."""
    result = await tx.execute(
        """
        SELECT l.*, ch.rounds, d.client_id, d.vat_treatment, t.site_id, t.placement_id
        FROM charge ch
        JOIN timesheet t ON t.agency_id = ch.agency_id AND t.timesheet_id = ch.timesheet_id AND ch.version < t.version
        JOIN document_line l ON l.agency_id = ch.agency_id AND l.document_id = ch.billed_document_id
            AND l.ordinal = ch.billed_ordinal
        JOIN document d ON d.agency_id = l.agency_id AND d.document_id = l.document_id
        WHERE ch.agency_id = :agency AND ch.timesheet_id = ANY(CAST(:ids AS uuid[])) AND ch.billed_document_id IS NOT NULL
        """,
        agency=agency_id,
        ids=list(timesheets),
    )
    return list(result)


async def mark_billed(tx: Tx, *, agency_id: UUID, rows: Sequence[tuple[UUID, int, UUID, int, int]]) -> None:
    """Tie charges (line, version) to the document line (document, ordinal) that bills them in a round."""
    if not rows:
        return
    await tx.execute(
        """
        UPDATE charge c SET billed_document_id = d.document_id, billed_ordinal = d.ordinal, rounds = d.round
        FROM unnest(CAST(:lines AS uuid[]), CAST(:versions AS int[]), CAST(:documents AS uuid[]),
            CAST(:ordinals AS int[]), CAST(:rounds AS int[])) AS d(charge_line_id, version, document_id, ordinal, round)
        WHERE c.agency_id = :agency AND c.charge_line_id = ANY(CAST(:lines AS uuid[]))
          AND c.charge_line_id = d.charge_line_id AND c.version = d.version
        """,
        agency=agency_id,
        lines=[row[0] for row in rows],
        versions=[row[1] for row in rows],
        documents=[row[2] for row in rows],
        ordinals=[row[3] for row in rows],
        rounds=[row[4] for row in rows],
    )


async def mark_reversed(
    tx: Tx, *, agency_id: UUID, rows: Sequence[tuple[UUID, int]], written_off: bool = False
) -> None:
    """Charges (line, version) whose document line was taken back; written off, they are not billed again."""
    if not rows:
        return
    await tx.execute(
        """
        UPDATE charge c SET billed_document_id = NULL, billed_ordinal = NULL, written_off = :written_off
        FROM unnest(CAST(:lines AS uuid[]), CAST(:versions AS int[])) AS d(charge_line_id, version)
        WHERE c.agency_id = :agency AND c.charge_line_id = ANY(CAST(:lines AS uuid[]))
          AND c.charge_line_id = d.charge_line_id AND c.version = d.version
        """,
        agency=agency_id,
        lines=[row[0] for row in rows],
        versions=[row[1] for row in rows],
        written_off=written_off,
    )


async def written_off_among(tx: Tx, *, agency_id: UUID, timesheets: Sequence[UUID]) -> list[UUID]:
    """Those of these timesheets whose current version has charges to bill, every one of them written off."""
    result = await tx.execute(
        """
        SELECT t.timesheet_id FROM timesheet t JOIN charge c
            ON c.agency_id = t.agency_id AND c.timesheet_id = t.timesheet_id AND c.version = t.version AND c.billable
        WHERE t.agency_id = :agency AND t.timesheet_id = ANY(CAST(:ids AS uuid[]))
        GROUP BY t.timesheet_id HAVING bool_and(c.written_off) ORDER BY t.timesheet_id
        """,
        agency=agency_id,
        ids=list(timesheets),
    )
    return [row.timesheet_id for row in result]


async def mark_timesheets_billed(tx: Tx, *, agency_id: UUID, timesheets: Sequence[UUID]) -> None:
    """The current version of these locked timesheets is billed."""
    await tx.execute(
        "UPDATE timesheet SET billed_version = version WHERE agency_id = :agency"
        " AND timesheet_id = ANY(CAST(:ids AS uuid[]))",
        agency=agency_id,
        ids=list(timesheets),
    )


async def reopen_timesheets(tx: Tx, *, agency_id: UUID, timesheets: Sequence[UUID]) -> None:
    """The next run looks at these timesheets again."""
    await tx.execute(
        "UPDATE timesheet SET billed_version = NULL WHERE agency_id = :agency"
        " AND timesheet_id = ANY(CAST(:ids AS uuid[]))",
        agency=agency_id,
        ids=list(timesheets),
    )


async def client_done(
    tx: Tx,
    *,
    agency_id: UUID,
    invoice_run_id: UUID,
    client_id: UUID,
    invoices: int,
    credit_notes: int,
    net_gbp: Decimal,
    vat_gbp: Decimal,
    minutes: int,
) -> None:
    """Record a client's part of the run with what it came to."""
    await tx.execute(
        "UPDATE invoice_run_client SET done_at = :now, documents = :documents"
        " WHERE agency_id = :agency AND invoice_run_id = :run AND client_id = :client",
        now=tx.now,
        documents=invoices + credit_notes,
        agency=agency_id,
        run=invoice_run_id,
        client=client_id,
    )
    await tx.execute(
        """
        UPDATE invoice_run SET clients_done = clients_done + 1, invoices = invoices + :invoices,
            credit_notes = credit_notes + :credit_notes, net_gbp = net_gbp + :net, vat_gbp = vat_gbp + :vat,
            billed_minutes = billed_minutes + :minutes, progressed_at = clock_timestamp()
        WHERE agency_id = :agency AND invoice_run_id = :run
        """,
        invoices=invoices,
        credit_notes=credit_notes,
        net=net_gbp,
        vat=vat_gbp,
        minutes=minutes,
        agency=agency_id,
        run=invoice_run_id,
    )


async def close_run(tx: Tx, *, agency_id: UUID, invoice_run_id: UUID, closed_at: datetime) -> Any:
    """Close a locked run whose clients are all done. Returns it."""
    result = await tx.execute(
        """
        UPDATE invoice_run r SET status = 'closed', closed_at = :now, progressed_at = clock_timestamp(), held_minutes = (
            SELECT coalesce(sum(billable_minutes), 0) FROM timesheet t
            WHERE t.agency_id = r.agency_id AND t.week_ending = r.week_ending AND t.state = 'held'
        )
        WHERE r.agency_id = :agency AND r.invoice_run_id = :run RETURNING r.*
        """,
        now=closed_at,
        agency=agency_id,
        run=invoice_run_id,
    )
    return result.one()


async def held_summary(tx: Tx, *, agency_id: UUID, week_ending: date) -> list[Any]:
    """Held timesheets of the week by reason; one with two reasons counts under both."""
    result = await tx.execute(
        """
        SELECT reason->>'code' AS code, count(*) AS timesheets, sum(billable_minutes) AS minutes,
               sum(charge_gbp) AS charge_gbp
        FROM timesheet t, jsonb_array_elements(t.reasons) AS reason
        WHERE t.agency_id = :agency AND t.week_ending = :week AND t.state = 'held'
          AND t.billed_version IS DISTINCT FROM t.version
        GROUP BY 1 ORDER BY 1
        """,
        agency=agency_id,
        week=week_ending,
    )
    return list(result)


async def held_totals(tx: Tx, *, agency_id: UUID, week_ending: date) -> Any:
    """How many timesheets of the week are held, with their minutes and charge."""
    result = await tx.execute(
        "SELECT count(*) AS timesheets, coalesce(sum(billable_minutes), 0) AS minutes,"
        " coalesce(sum(charge_gbp), 0) AS charge_gbp FROM timesheet"
        " WHERE agency_id = :agency AND week_ending = :week AND state = 'held' AND billed_version IS DISTINCT FROM version",
        agency=agency_id,
        week=week_ending,
    )
    return result.one()


async def billed_totals(tx: Tx, *, agency_id: UUID, week_ending: date) -> Any:
    """What the documents of a week's runs come to so far, credit notes taken off."""
    result = await tx.execute(
        """
        SELECT count(*) AS documents, coalesce(sum(net_gbp), 0) AS net_gbp, coalesce(sum(vat_gbp), 0) AS vat_gbp,
               coalesce(sum(gross_gbp), 0) AS gross_gbp
        FROM document WHERE agency_id = :agency AND week_ending = :week AND kind IN ('invoice', 'credit_note')
        """,
        agency=agency_id,
        week=week_ending,
    )
    return result.one()


async def list_timesheets(
    tx: Tx,
    *,
    agency_id: UUID,
    week_ending: date | None,
    client_id: UUID | None,
    worker_id: UUID | None,
    state: str | None,
    after: UUID | None,
    most: int,
) -> list[Any]:
    """Billing's view of timesheets, in the order of their ids. `state` is held, ready or billed."""
    where = ["agency_id = :agency"]
    params: dict[str, Any] = {"agency": agency_id, "most": most}
    for name, value in (("week_ending", week_ending), ("client_id", client_id), ("worker_id", worker_id)):
        if value is not None:
            where.append(f"{name} = :{name}")
            params[name] = value
    if after is not None:
        where.append("timesheet_id > :after")
        params["after"] = after
    if state == "billed":
        where.append("billed_version = version")
    elif state is not None:
        where.append("state = :state AND billed_version IS DISTINCT FROM version")
        params["state"] = state
    result = await tx.execute(
        f"SELECT * FROM timesheet WHERE {' AND '.join(where)} ORDER BY timesheet_id LIMIT :most",  # noqa: S608  fixed words
        **params,
    )
    return list(result)


async def workers_among(tx: Tx, *, agency_id: UUID, workers: Sequence[UUID]) -> list[UUID]:
    """Those of the workers who have timesheets in this agency."""
    if not workers:
        return []
    result = await tx.execute(
        "SELECT DISTINCT worker_id FROM timesheet WHERE agency_id = :agency"
        " AND worker_id = ANY(CAST(:ids AS uuid[])) ORDER BY worker_id",
        agency=agency_id,
        ids=list(workers),
    )
    return [row.worker_id for row in result]


async def waiting_workers(tx: Tx, *, consumer: str) -> list[UUID]:
    """Workers with an open dead letter or parked events, of any agency; needs the worker role."""
    result = await tx.execute(
        "SELECT key FROM parked_key WHERE consumer = :consumer"
        " UNION SELECT key FROM dead_letter WHERE consumer = :consumer AND resolved_at IS NULL",
        consumer=consumer,
    )
    found: list[UUID] = []
    for row in result:
        try:
            found.append(UUID(row.key))
        except ValueError:
            continue  # Keys of other topics (a directory entry, an unreadable record) name no worker.
    return sorted(found)


async def lock_timesheets(tx: Tx, *, agency_id: UUID, timesheets: Sequence[UUID]) -> None:
    """Lock timesheets in order against amendments and runs."""
    await tx.execute(
        "SELECT 1 FROM timesheet WHERE agency_id = :agency AND timesheet_id = ANY(CAST(:ids AS uuid[]))"
        " ORDER BY agency_id, timesheet_id FOR UPDATE",
        agency=agency_id,
        ids=sorted(set(timesheets)),
    )


async def standing_ordinals(tx: Tx, *, agency_id: UUID, document_id: UUID) -> set[int]:
    """The lines of a document that nothing has taken back."""
    result = await tx.execute(
        "SELECT billed_ordinal FROM charge WHERE agency_id = :agency AND billed_document_id = :id",
        agency=agency_id,
        id=document_id,
    )
    return {row.billed_ordinal for row in result}
