"""Commands that outlast a request. Only what was asked and heard is here; how far it is, its owner tells."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from paybill_common.db import Tx
from reporting.domain.work import HEARD, Asked

KEEP_DAYS = 30
JUST_S = 60
"""Work that ended is spoken of on every page for so long."""
LONG_S = 5
"""And only if it took longer than that: a shorter one was answered on the spot."""
_COLUMNS = "agency_id, work_id, command, week_ending, words, subject, name, asked_at, began_at, runs_before, ended_at, outcome, failure"


@dataclass(frozen=True)
class NewWork:
    """A command as it is given."""

    agency_id: UUID
    work_id: UUID
    command: str
    week_ending: date | None
    words: str
    subject: str
    name: str


async def begin(tx: Tx, work: NewWork) -> None:
    """Remember a command before it goes to its owner, with the runs of its week that are closed by now. Old ones are swept."""
    await tx.execute(
        "DELETE FROM long_work WHERE agency_id = :agency AND began_at < clock_timestamp() - make_interval(days => :days)",
        agency=work.agency_id,
        days=KEEP_DAYS,
    )
    await tx.execute(
        """
        INSERT INTO long_work (agency_id, work_id, command, week_ending, words, subject, name, asked_at, runs_before)
        VALUES (:agency, :work, :command, :week, :words, :subject, :name, :now, CASE :command
            WHEN 'close-pay-run' THEN
                (SELECT count(*) FROM pay_run WHERE agency_id = :agency AND period_to = CAST(:week AS date) + 1)
            WHEN 'issue-invoices' THEN
                (SELECT count(*) FROM invoice_run WHERE agency_id = :agency AND week_ending = CAST(:week AS date))
            ELSE 0 END)
        """,
        agency=work.agency_id,
        work=work.work_id,
        command=work.command,
        week=work.week_ending,
        words=work.words,
        subject=work.subject,
        name=work.name,
        now=tx.now,
    )


async def forget(tx: Tx, *, agency_id: UUID, work_id: UUID) -> None:
    """It was refused on the spot: there is nothing to follow."""
    await tx.execute(
        "DELETE FROM long_work WHERE agency_id = :agency AND work_id = :work", agency=agency_id, work=work_id
    )


async def goes_on(tx: Tx, *, agency_id: UUID, work_id: UUID) -> None:
    """Its owner has begun, and goes on by itself."""
    await tx.execute(
        "UPDATE long_work SET goes_on = true WHERE agency_id = :agency AND work_id = :work",
        agency=agency_id,
        work=work_id,
    )


async def end(
    tx: Tx, *, agency_id: UUID, work_id: UUID, outcome: str | None, failure: Mapping[str, Any] | None = None
) -> None:
    """The owner's answer was heard."""
    await tx.execute(
        "UPDATE long_work SET ended_at = clock_timestamp(), outcome = :outcome, failure = CAST(:failure AS jsonb)"
        " WHERE agency_id = :agency AND work_id = :work",
        agency=agency_id,
        work=work_id,
        outcome=outcome,
        failure=None if failure is None else json.dumps(failure, default=str),
    )


async def spoken_of(tx: Tx, *, agency_id: UUID) -> list[Asked]:
    """What every page of the agency says: what is under way as far as is known here, and what ended a moment ago."""
    result = await tx.execute(
        f"""
        SELECT {_COLUMNS} FROM long_work w WHERE agency_id = :agency AND (
            ended_at > clock_timestamp() - make_interval(secs => :just)
                AND ended_at - began_at > make_interval(secs => :long)
            OR ended_at IS NULL
                AND began_at > clock_timestamp() - CASE WHEN goes_on THEN interval '1 day' ELSE make_interval(secs => :heard) END
                AND runs_before >= CASE command
                    WHEN 'close-pay-run' THEN
                        (SELECT count(*) FROM pay_run r WHERE r.agency_id = w.agency_id AND r.period_to = w.week_ending + 1)
                    WHEN 'issue-invoices' THEN
                        (SELECT count(*) FROM invoice_run r WHERE r.agency_id = w.agency_id AND r.week_ending = w.week_ending)
                    ELSE 0 END)
        ORDER BY began_at LIMIT 20
        """,  # noqa: S608  constant text
        agency=agency_id,
        just=JUST_S,
        long=LONG_S,
        heard=int(HEARD.total_seconds()),
    )
    return [_asked(row) for row in result]


async def newest(tx: Tx, *, agency_id: UUID, command: str, week_ending: date) -> Asked | None:
    """The last command of this kind for a week."""
    result = await tx.execute(
        f"SELECT {_COLUMNS} FROM long_work WHERE agency_id = :agency AND command = :command AND week_ending = :week"  # noqa: S608  constant text
        " ORDER BY began_at DESC LIMIT 1",
        agency=agency_id,
        command=command,
        week=week_ending,
    )
    row = result.first()
    return None if row is None else _asked(row)


async def latest(tx: Tx, *, agency_id: UUID, most: int) -> list[Asked]:
    """The last commands of an agency that outlasted a request, newest first."""
    result = await tx.execute(
        f"SELECT {_COLUMNS} FROM long_work WHERE agency_id = :agency ORDER BY began_at DESC LIMIT :most",  # noqa: S608  constant text
        agency=agency_id,
        most=most,
    )
    return [_asked(row) for row in result]


async def real_now(tx: Tx) -> datetime:
    """The real instant, by the clock that the rows are written with."""
    found: datetime = (await tx.execute("SELECT clock_timestamp()")).scalar_one()
    return found


def _asked(row: Any) -> Asked:
    values = dict(row._mapping)
    failure = values["failure"]
    values["failure"] = json.loads(failure) if isinstance(failure, str) else failure
    return Asked(**values)
