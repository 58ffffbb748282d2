"""Files that are imported: how far each is, what was refused, and of those sent from a page the file and its receipts.

Times are real: how long an import takes is not business time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from paybill_common.db import Tx
from paybill_importer.telling import REFUSALS_MAX, Refusal
from reporting.domain.file_import import FileImport

KEEP_DAYS = 30
PART_BYTES = 1_000_000
LEASE_S = 15
"""Whoever sends a file says so every quarter of this time; another process takes over when it does not."""
_COLUMNS = (
    "agency_id, import_id, kind, file_name, rows_total, accepted, duplicate, refused, state, here, error, hint, subject, name,"
    " asked_at, began_at, moved_at, ended_at, encoding, headers, batch_rows, batches_done,"
    " started_at, tries, leased_by"
)


@dataclass(frozen=True)
class Tally:
    """How far a file is that another program sends."""

    kind: str
    file_name: str
    rows_total: int | None
    accepted: int
    duplicate: int
    refused: int
    state: str
    error: str | None


async def tell(tx: Tx, *, agency_id: UUID, import_id: UUID, tally: Tally, subject: str, name: str) -> bool:
    """Write how far another program's file is. False: it is one that was sent from a page, and tells itself."""
    await sweep(tx, agency_id=agency_id)
    result = await tx.execute(
        """
        INSERT INTO file_import (agency_id, import_id, kind, file_name, rows_total, accepted, duplicate, refused, state, here,
            error, subject, name, asked_at, ended_at)
        VALUES (:agency, :import, :kind, :file, CAST(:total AS integer), :accepted, :duplicate, :refused, :state, false,
            CAST(:error AS text), :subject, :name, :now, CASE WHEN :over THEN clock_timestamp() END)
        ON CONFLICT (agency_id, import_id) DO UPDATE SET rows_total = excluded.rows_total, accepted = excluded.accepted,
            duplicate = excluded.duplicate, refused = excluded.refused, state = excluded.state, error = excluded.error,
            moved_at = clock_timestamp(), ended_at = excluded.ended_at
        WHERE NOT file_import.here RETURNING import_id
        """,
        agency=agency_id,
        **{"import": import_id},
        kind=tally.kind,
        file=tally.file_name,
        total=tally.rows_total,
        accepted=tally.accepted,
        duplicate=tally.duplicate,
        refused=tally.refused,
        state=tally.state,
        error=tally.error,
        subject=subject,
        name=name,
        now=tx.now,
        over=tally.state != "running",
    )
    return result.first() is not None


async def refuse(tx: Tx, *, agency_id: UUID, import_id: UUID, refusals: Sequence[Refusal]) -> None:
    """Add refused lines, up to the most that are shown. A line told twice is there once."""
    if not refusals:
        return
    await tx.execute(
        """
        INSERT INTO import_refusal (agency_id, import_id, "row", "column", value, reason, hint, private)
        SELECT :agency, :import, * FROM unnest(CAST(:rows AS integer[]), CAST(:columns AS text[]), CAST(:values AS text[]),
            CAST(:reasons AS text[]), CAST(:hints AS text[]), CAST(:private AS boolean[]))
        LIMIT greatest(0, :most - (SELECT count(*) FROM import_refusal WHERE agency_id = :agency AND import_id = :import))
        ON CONFLICT DO NOTHING
        """,
        agency=agency_id,
        **{"import": import_id, "values": [one.value for one in refusals]},
        rows=[one.row for one in refusals],
        columns=[one.column for one in refusals],
        reasons=[one.reason for one in refusals],
        hints=[one.hint for one in refusals],
        private=[one.private for one in refusals],
        most=REFUSALS_MAX,
    )


def _file(row: Any) -> FileImport:
    values = dict(row._mapping)
    headers = values["headers"]
    values["headers"] = json.loads(headers) if isinstance(headers, str) else headers
    return FileImport(**values)


async def find(tx: Tx, *, agency_id: UUID, import_id: UUID) -> FileImport | None:
    result = await tx.execute(
        f"SELECT {_COLUMNS} FROM file_import WHERE agency_id = :agency AND import_id = :import",  # noqa: S608  constant text
        agency=agency_id,
        **{"import": import_id},
    )
    row = result.first()
    return None if row is None else _file(row)


async def latest(
    tx: Tx, *, agency_id: UUID, most: int, before: tuple[datetime, UUID] | None = None
) -> list[FileImport]:
    """An agency's files, newest first; `before` is the last one of the page before."""
    result = await tx.execute(
        f"""
        SELECT {_COLUMNS} FROM file_import WHERE agency_id = :agency
            AND (CAST(:before_at AS timestamptz) IS NULL
                OR (began_at, import_id) < (CAST(:before_at AS timestamptz), CAST(:before_id AS uuid)))
        ORDER BY began_at DESC, import_id DESC LIMIT :most
        """,  # noqa: S608  constant text
        agency=agency_id,
        before_at=before[0] if before else None,
        before_id=before[1] if before else None,
        most=most,
    )
    return [_file(row) for row in result]


async def refusals(tx: Tx, *, agency_id: UUID, import_id: UUID, most: int, after_row: int = 0) -> list[Refusal]:
    """Refused lines in the file's order."""
    result = await tx.execute(
        'SELECT "row", "column", value, reason, hint, private FROM import_refusal'
        ' WHERE agency_id = :agency AND import_id = :import AND "row" > :after ORDER BY "row" LIMIT :most',
        agency=agency_id,
        **{"import": import_id},
        after=after_row,
        most=most,
    )
    return [Refusal(**row._mapping) for row in result]


async def receipts(tx: Tx, *, agency_id: UUID, import_id: UUID, batch: int) -> str | None:
    """One batch's receipts of a file that was sent from a page, as lines of CSV; None after the last."""
    result = await tx.execute(
        "SELECT lines FROM import_receipts WHERE agency_id = :agency AND import_id = :import AND batch = :batch",
        agency=agency_id,
        **{"import": import_id},
        batch=batch,
    )
    found: str | None = result.scalar_one_or_none()
    return found


async def sweep(tx: Tx, *, agency_id: UUID | None = None) -> None:
    """Forget what began over a month ago and is over: of one agency, or of all that the transaction sees."""
    await tx.execute(
        "DELETE FROM file_import WHERE (CAST(:agency AS uuid) IS NULL OR agency_id = :agency)"
        " AND (ended_at IS NOT NULL OR NOT here) AND began_at < clock_timestamp() - make_interval(days => :days)",
        agency=agency_id,
        days=KEEP_DAYS,
    )


async def headers_of(tx: Tx, *, agency_id: UUID) -> dict[str, dict[str, str]]:
    """By kind of file, our column to the header that the agency's own files have."""
    result = await tx.execute("SELECT kind, headers FROM import_headers WHERE agency_id = :agency", agency=agency_id)
    return {row.kind: json.loads(row.headers) if isinstance(row.headers, str) else row.headers for row in result}


async def keep_headers(tx: Tx, *, agency_id: UUID, kind: str, headers: Mapping[str, str], name: str) -> None:
    """Remember how the agency's files of this kind head our columns."""
    await tx.execute(
        "INSERT INTO import_headers (agency_id, kind, headers, name) VALUES (:agency, :kind, CAST(:headers AS jsonb), :name)"
        " ON CONFLICT (agency_id, kind) DO UPDATE SET headers = excluded.headers, name = excluded.name",
        agency=agency_id,
        kind=kind,
        headers=json.dumps(dict(headers)),
        name=name,
    )


# --- files that are sent from a page -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class NewFile:
    """A file as somebody sends it from a page."""

    agency_id: UUID
    import_id: UUID
    kind: str
    file_name: str
    rows_total: int | None
    encoding: str
    headers: Mapping[str, str]
    """Our column to the file's own header, where they differ."""
    batch_rows: int
    subject: str
    name: str


async def take(tx: Tx, file: NewFile, content: Iterable[bytes]) -> bool:
    """Keep a file until its import is over. False: the same form was sent before."""
    await sweep(tx, agency_id=file.agency_id)
    result = await tx.execute(
        """
        INSERT INTO file_import (agency_id, import_id, kind, file_name, rows_total, state, here, subject, name, asked_at,
            encoding, headers, batch_rows)
        VALUES (:agency, :import, :kind, :file, CAST(:total AS integer), 'waiting', true, :subject, :name, :now, :encoding,
            CAST(:headers AS jsonb), :batch_rows)
        ON CONFLICT (agency_id, import_id) DO NOTHING RETURNING import_id
        """,
        agency=file.agency_id,
        **{"import": file.import_id},
        kind=file.kind,
        file=file.file_name,
        total=file.rows_total,
        subject=file.subject,
        name=file.name,
        now=tx.now,
        encoding=file.encoding,
        headers=json.dumps(dict(file.headers)),
        batch_rows=file.batch_rows,
    )
    if result.first() is None:
        return False
    for part, piece in enumerate(content):
        await tx.execute(
            "INSERT INTO import_content (agency_id, import_id, part, content) VALUES (:agency, :import, :part, :content)",
            agency=file.agency_id,
            **{"import": file.import_id},
            part=part,
            content=piece,
        )
    return True


async def claim(tx: Tx, *, by: UUID) -> FileImport | None:
    """The oldest file that nobody sends, now `by`'s. Files of one agency go one after the other: later ones may need earlier."""
    result = await tx.execute(
        f"""
        UPDATE file_import SET state = 'running', tries = tries + 1, leased_by = :by,
            leased_until = clock_timestamp() + make_interval(secs => :lease),
            moved_at = CASE WHEN started_at IS NULL THEN clock_timestamp() ELSE moved_at END,
            started_at = coalesce(started_at, clock_timestamp())
        WHERE (agency_id, import_id) = (
            SELECT f.agency_id, f.import_id FROM file_import f
            WHERE f.here AND f.ended_at IS NULL AND (f.leased_until IS NULL OR f.leased_until < clock_timestamp())
                AND NOT EXISTS (
                    SELECT FROM file_import other WHERE other.agency_id = f.agency_id AND other.here
                        AND other.ended_at IS NULL AND other.import_id <> f.import_id
                        AND (other.leased_until > clock_timestamp()
                            OR (other.began_at, other.import_id) < (f.began_at, f.import_id)))
            ORDER BY f.began_at LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING {_COLUMNS}
        """,  # noqa: S608  constant text
        by=by,
        lease=LEASE_S,
    )
    row = result.first()
    return None if row is None else _file(row)


_MINE = (
    " WHERE agency_id = :agency AND import_id = :import AND leased_by = :by AND ended_at IS NULL RETURNING import_id"
)


async def renew(tx: Tx, file: FileImport) -> bool:
    """Say that we still send it. False: somebody else does now."""
    result = await tx.execute(
        "UPDATE file_import SET leased_until = clock_timestamp() + make_interval(secs => :lease)" + _MINE,  # noqa: S608  constant text
        agency=file.agency_id,
        **{"import": file.import_id},
        by=file.leased_by,
        lease=LEASE_S,
    )
    return result.first() is not None


async def hold(tx: Tx, file: FileImport, *, error: str, seconds: int, fault: bool) -> None:
    """Say what keeps it, and that it is tried again after so many seconds, by anybody. `fault`: the try counts."""
    await tx.execute(
        "UPDATE file_import SET error = :error, leased_by = NULL, tries = tries - :less,"  # noqa: S608  constant text
        " leased_until = clock_timestamp() + make_interval(secs => :seconds)" + _MINE,
        agency=file.agency_id,
        **{"import": file.import_id},
        by=file.leased_by,
        error=error,
        less=0 if fault else 1,
        seconds=seconds,
    )


async def release(tx: Tx, file: FileImport) -> None:
    """Let another process go on with it at once."""
    await tx.execute(
        "UPDATE file_import SET leased_until = NULL, leased_by = NULL, tries = tries - 1" + _MINE,  # noqa: S608  constant text
        agency=file.agency_id,
        **{"import": file.import_id},
        by=file.leased_by,
    )


async def content(tx: Tx, *, agency_id: UUID, import_id: UUID, part: int) -> bytes | None:
    """One part of the file; None after the last."""
    result = await tx.execute(
        "SELECT content FROM import_content WHERE agency_id = :agency AND import_id = :import AND part = :part",
        agency=agency_id,
        **{"import": import_id},
        part=part,
    )
    found: bytes | None = result.scalar_one_or_none()
    return found


async def keep_batch(
    tx: Tx, file: FileImport, *, batch: int, counts: Mapping[str, int], lines: str, refused: Sequence[Refusal]
) -> bool:
    """A batch has its receipts. False: somebody else has kept this batch; nothing was written."""
    result = await tx.execute(
        """
        UPDATE file_import SET batches_done = :batch + 1, accepted = accepted + :accepted, duplicate = duplicate + :duplicate,
            refused = refused + :refused, moved_at = clock_timestamp(), error = NULL, tries = 1
        WHERE agency_id = :agency AND import_id = :import AND leased_by = :by AND batches_done = :batch
            AND ended_at IS NULL RETURNING import_id
        """,
        agency=file.agency_id,
        **{"import": file.import_id},
        by=file.leased_by,
        batch=batch,
        accepted=counts.get("accepted", 0),
        duplicate=counts.get("duplicate", 0),
        refused=counts.get("refused", 0),
    )
    if result.first() is None:
        return False
    await tx.execute(
        "INSERT INTO import_receipts (agency_id, import_id, batch, lines) VALUES (:agency, :import, :batch, :lines)",
        agency=file.agency_id,
        **{"import": file.import_id},
        batch=batch,
        lines=lines,
    )
    await refuse(tx, agency_id=file.agency_id, import_id=file.import_id, refusals=refused)
    return True


async def end(tx: Tx, file: FileImport, *, error: str | None = None, hint: str | None = None) -> None:
    """It is over, if it is still ours; the file itself, with all it says of people, goes."""
    result = await tx.execute(
        f"""
        UPDATE file_import SET state = CASE WHEN CAST(:error AS text) IS NULL THEN 'done' ELSE 'failed' END,
            error = CAST(:error AS text), hint = CAST(:hint AS text), ended_at = clock_timestamp(),
            rows_total = CASE WHEN CAST(:error AS text) IS NULL THEN accepted + duplicate + refused ELSE rows_total END {_MINE}
        """,  # noqa: S608  constant text
        agency=file.agency_id,
        **{"import": file.import_id},
        by=file.leased_by,
        error=error,
        hint=hint,
    )
    if result.first() is not None:
        await _drop_content(tx, agency_id=file.agency_id, import_id=file.import_id)


async def stop(tx: Tx, *, agency_id: UUID, import_id: UUID, error: str, hint: str) -> bool:
    """No more of the file is sent, whoever sends it; it goes. False: it was over, or another program's."""
    result = await tx.execute(
        "UPDATE file_import SET state = 'failed', error = :error, hint = :hint, ended_at = clock_timestamp(), leased_by = NULL,"
        " leased_until = NULL WHERE agency_id = :agency AND import_id = :import AND here AND ended_at IS NULL RETURNING import_id",
        agency=agency_id,
        **{"import": import_id},
        error=error,
        hint=hint,
    )
    if result.first() is None:
        return False
    await _drop_content(tx, agency_id=agency_id, import_id=import_id)
    return True


async def _drop_content(tx: Tx, *, agency_id: UUID, import_id: UUID) -> None:
    await tx.execute(
        "DELETE FROM import_content WHERE agency_id = :agency AND import_id = :import",
        agency=agency_id,
        **{"import": import_id},
    )
