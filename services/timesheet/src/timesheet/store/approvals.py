"""Who is asked to approve what, the e-mails that ask, and what compliance said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from paybill_common.db import Tx
from paybill_common.rows import rows_json

_APPROVER = "lower(coalesce(p.approver_email, c.approver_email))"
_WAITING_FROM = """
    FROM timesheet t
    JOIN placement p ON p.agency_id = t.agency_id AND p.placement_id = t.placement_id
    JOIN client c ON c.agency_id = t.agency_id AND c.client_id = t.client_id
"""


@dataclass(frozen=True, slots=True)
class Mail:
    """One e-mail to be sent after the commit."""

    mail_id: UUID
    kind: str
    to_name: str
    to_email: str
    subject: str
    body_text: str
    body_html: str


async def approvers_waited_for(tx: Tx, *, agency_id: UUID, week_ending: date) -> list[Any]:
    """For each approver of the week's submitted timesheets: how many and which wait; e-mail null where nobody is named."""
    result = await tx.execute(
        f"SELECT {_APPROVER} AS email, min(coalesce(p.approver_name, c.approver_name)) AS name, count(*) AS waiting, "
        f"sum(t.minutes) AS minutes, string_agg(DISTINCT c.name, ', ') AS clients, "
        f"jsonb_object_agg(t.timesheet_id, t.sequence) AS listed {_WAITING_FROM} "
        f"WHERE t.agency_id = :agency AND t.week_ending = :week_ending AND t.status = 'submitted' GROUP BY {_APPROVER} "
        f"ORDER BY {_APPROVER} NULLS LAST LIMIT 5000",
        agency=agency_id,
        week_ending=week_ending,
    )
    return list(result)


async def timesheets_for_approver(tx: Tx, *, agency_id: UUID, week_ending: date, email: str, most: int) -> list[UUID]:
    """The week's timesheets that this approver is asked about, decided ones too; those that wait come first."""
    result = await tx.execute(
        f"SELECT t.timesheet_id {_WAITING_FROM} WHERE t.agency_id = :agency AND t.week_ending = :week_ending "
        f"AND t.status <> 'draft' AND {_APPROVER} = :email "
        "ORDER BY (t.status <> 'submitted'), t.number LIMIT :most",
        agency=agency_id,
        week_ending=week_ending,
        email=email,
        most=most,
    )
    return [row.timesheet_id for row in result]


async def requests_of(tx: Tx, *, agency_id: UUID, week_ending: date, lock: bool = False) -> dict[str, Any]:
    """The requests sent for a week, by the approver's e-mail, locked in its order when they are about to change."""
    locked = " FOR UPDATE" if lock else ""
    result = await tx.execute(
        f"SELECT * FROM approval_request WHERE agency_id = :agency AND week_ending = :week_ending "  # noqa: S608
        f"ORDER BY approver_email{locked}",
        agency=agency_id,
        week_ending=week_ending,
    )
    return {row.approver_email: row for row in result}


async def request(tx: Tx, *, agency_id: UUID, approval_request_id: UUID) -> Any | None:
    result = await tx.execute(
        "SELECT * FROM approval_request WHERE agency_id = :agency AND approval_request_id = :id",
        agency=agency_id,
        id=approval_request_id,
    )
    return result.first()


async def put_requests(tx: Tx, *, agency_id: UUID, requests: Sequence[dict[str, Any]]) -> None:
    """Record that these approvers were asked: approval_request_id, week_ending, approver_email, approver_name, waiting, listed."""
    await tx.execute(
        "INSERT INTO approval_request (agency_id, approval_request_id, week_ending, approver_email, approver_name, "
        "waiting, listed, sent_at, times_sent) SELECT :agency, r.*, :now, 1 FROM jsonb_to_recordset(CAST(:rows AS jsonb)) "
        "AS r(approval_request_id uuid, week_ending date, approver_email text, approver_name text, waiting int, listed jsonb) "
        "ON CONFLICT (agency_id, week_ending, approver_email) DO UPDATE SET approver_name = EXCLUDED.approver_name, "
        "waiting = EXCLUDED.waiting, listed = EXCLUDED.listed, sent_at = EXCLUDED.sent_at, times_sent = approval_request.times_sent + 1",
        agency=agency_id,
        now=tx.now,
        rows=rows_json(requests),
    )


async def queue_mail(tx: Tx, *, agency_id: UUID, mails: Sequence[Mail]) -> None:
    """Write e-mails with the change that they tell of; they leave after the commit."""
    if not mails:
        return
    await tx.execute(
        "INSERT INTO mail (agency_id, mail_id, kind, to_name, to_email, subject, body_text, body_html, created_at) "
        "SELECT :agency, r.*, :now FROM unnest(CAST(:ids AS uuid[]), CAST(:kinds AS text[]), CAST(:names AS text[]), "
        "CAST(:emails AS text[]), CAST(:subjects AS text[]), CAST(:texts AS text[]), CAST(:htmls AS text[])) AS r",
        agency=agency_id,
        now=tx.now,
        ids=[mail.mail_id for mail in mails],
        kinds=[mail.kind for mail in mails],
        names=[mail.to_name for mail in mails],
        emails=[mail.to_email for mail in mails],
        subjects=[mail.subject for mail in mails],
        texts=[mail.body_text for mail in mails],
        htmls=[mail.body_html for mail in mails],
    )


@dataclass(frozen=True)
class Failed:
    """An e-mail that did not leave, and why; `final`: trying again will not help."""

    mail_id: UUID
    error: str
    final: bool


async def unsent_mail(tx: Tx, *, most: int) -> list[Mail]:
    """The oldest unsent e-mails whose time has come and that nobody else is sending."""
    result = await tx.execute(
        "SELECT mail_id, kind, to_name, to_email, subject, body_text, body_html FROM mail "
        "WHERE sent_at IS NULL AND (retry_at IS NULL OR retry_at <= clock_timestamp()) ORDER BY created_at, mail_id LIMIT :most "
        "FOR UPDATE SKIP LOCKED",
        most=most,
    )
    return [Mail(*row) for row in result]


async def mark_mail(tx: Tx, *, sent: Sequence[UUID], failed: Sequence[Failed], attempts_max: int) -> None:
    """Note what left and what did not: a failure waits 5 s, then twice as long each time, up to 15 min; `infinity` is given up."""
    await tx.execute(
        "UPDATE mail SET sent_at = :now, attempts = attempts + 1, error = NULL WHERE mail_id = ANY(CAST(:ids AS uuid[]))",
        now=tx.now,
        ids=list(sent),
    )
    if failed:
        await tx.execute(
            "UPDATE mail SET attempts = attempts + 1, error = r.error, retry_at = CASE "
            "WHEN r.final OR attempts + 1 >= :attempts_max THEN 'infinity'::timestamptz "
            "ELSE clock_timestamp() + make_interval(secs => least(5 * power(2, least(attempts, 10)), 900)) END "
            "FROM unnest(CAST(:ids AS uuid[]), CAST(:errors AS text[]), CAST(:finals AS boolean[])) AS r(id, error, final) "
            "WHERE mail_id = r.id",
            ids=[one.mail_id for one in failed],
            errors=[one.error.replace("\x00", "")[:500] for one in failed],
            finals=[one.final for one in failed],
            attempts_max=attempts_max,
        )


async def save_decisions(tx: Tx, *, decisions: Sequence[dict[str, Any]]) -> None:
    """Keep the newest decision of compliance about each timesheet; an older one changes nothing."""
    await tx.execute(
        """
        INSERT INTO compliance_decision (agency_id, timesheet_id, worker_id, version, sequence, held, reasons, decided_at)
        SELECT r.* FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(agency_id uuid, timesheet_id uuid, worker_id uuid,
            version int, sequence bigint, held boolean, reasons jsonb, decided_at timestamptz)
        ORDER BY r.agency_id, r.timesheet_id
        ON CONFLICT (agency_id, timesheet_id) DO UPDATE SET version = EXCLUDED.version, sequence = EXCLUDED.sequence,
            held = EXCLUDED.held, reasons = EXCLUDED.reasons, decided_at = EXCLUDED.decided_at
        WHERE compliance_decision.sequence < EXCLUDED.sequence
        """,
        rows=rows_json(decisions),
    )


async def entry_blocks(tx: Tx, *, agency_id: UUID, worker_ids: Sequence[UUID]) -> dict[UUID, list[dict[str, Any]]]:
    """By worker, the reasons of the newest decisions that block new hours, each with the `reference` of its timesheet.

    A decision that clears pay and bill blocks new hours too, when its requirement blocks nothing but entry. Of several
    timesheets that miss the same document, the first is named.
    """
    result = await tx.execute(
        "SELECT DISTINCT ON (d.worker_id, why->>'requirement', why->>'code') d.worker_id, "
        "why || jsonb_build_object('reference', t.reference) AS reason FROM compliance_decision d "
        "JOIN timesheet t ON t.agency_id = d.agency_id AND t.timesheet_id = d.timesheet_id, "
        "jsonb_array_elements(d.reasons) AS why "
        "WHERE d.agency_id = :agency AND d.worker_id = ANY(CAST(:ids AS uuid[])) AND why->'blocks' ? 'entry' "
        "ORDER BY d.worker_id, why->>'requirement', why->>'code', t.number",
        agency=agency_id,
        ids=list(set(worker_ids)),
    )
    found: dict[UUID, list[dict[str, Any]]] = {}
    for row in result:
        found.setdefault(row.worker_id, []).append(row.reason)
    return found
