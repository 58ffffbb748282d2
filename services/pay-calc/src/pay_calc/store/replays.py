"""What nightly replays found of closed pay runs, and how far the running one is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from paybill_common.db import Tx


async def only_one(tx: Tx) -> bool:
    """Whether this transaction may replay: one at a time over all replicas of the service."""
    found = await tx.execute("SELECT pg_try_advisory_xact_lock(hashtext('pay-calc.replay')) AS mine")
    return bool(found.scalar_one())


async def next_due(tx: Tx, *, night: date, due_at: datetime) -> Any | None:
    """The next run, closed before the night began, that this night has not replayed whole; one that was begun comes first."""
    found = await tx.execute(
        """
        SELECT r.agency_id, r.pay_run_id, p.progress, p.progress_night FROM pay_run r
        LEFT JOIN pay_run_replay p ON p.agency_id = r.agency_id AND p.pay_run_id = r.pay_run_id
        WHERE r.state = 'closed' AND r.closed_at < :due_at AND (p.night IS NULL OR p.night < :night)
        ORDER BY p.progress IS NULL, r.agency_id, r.pay_run_id LIMIT 1
        """,
        night=night,
        due_at=due_at,
    )
    return found.first()


async def save_progress(tx: Tx, *, agency_id: UUID, pay_run_id: UUID, night: date, progress: dict[str, Any]) -> None:
    """Keep how far a run's replay is, beside what the last whole one found."""
    await tx.execute(
        """
        INSERT INTO pay_run_replay (agency_id, pay_run_id, progress_night, progress)
        VALUES (:agency, :run, :night, CAST(:progress AS jsonb))
        ON CONFLICT (agency_id, pay_run_id) DO UPDATE SET progress_night = EXCLUDED.progress_night, progress = EXCLUDED.progress
        """,
        agency=agency_id,
        run=pay_run_id,
        night=night,
        progress=json.dumps(progress),
    )


async def save_result(
    tx: Tx, *, agency_id: UUID, pay_run_id: UUID, night: date, state: str, result: dict[str, Any], now: datetime
) -> None:
    """Keep what a run's replay found."""
    await tx.execute(
        """
        INSERT INTO pay_run_replay (agency_id, pay_run_id, night, state, result, checked_at)
        VALUES (:agency, :run, :night, :state, CAST(:result AS jsonb), :now)
        ON CONFLICT (agency_id, pay_run_id) DO UPDATE SET night = EXCLUDED.night, state = EXCLUDED.state,
            result = EXCLUDED.result, checked_at = EXCLUDED.checked_at, progress_night = NULL, progress = NULL
        """,
        agency=agency_id,
        run=pay_run_id,
        night=night,
        state=state,
        result=json.dumps(result),
        now=now,
    )


async def of_run(tx: Tx, *, agency_id: UUID, pay_run_id: UUID) -> Any | None:
    """What the last whole replay of a run found, or None."""
    found = await tx.execute(
        """
        SELECT night, state, result, checked_at FROM pay_run_replay
        WHERE agency_id = :agency AND pay_run_id = :run AND state IS NOT NULL
        """,
        agency=agency_id,
        run=pay_run_id,
    )
    return found.first()


async def counts(tx: Tx, *, agencies: Sequence[UUID] | None = None) -> Any:
    """(runs, agrees, differs, not_available, checked_at): closed runs of these agencies, or of all, by what the last replay found."""
    found = await tx.execute(
        """
        SELECT count(*) AS runs, count(*) FILTER (WHERE p.state = 'agrees') AS agrees,
               count(*) FILTER (WHERE p.state = 'differs') AS differs,
               count(*) FILTER (WHERE p.state = 'not_available') AS not_available, max(p.checked_at) AS checked_at
        FROM pay_run r LEFT JOIN pay_run_replay p ON p.agency_id = r.agency_id AND p.pay_run_id = r.pay_run_id
        WHERE r.state = 'closed' AND (CAST(:agencies AS uuid[]) IS NULL OR r.agency_id = ANY(CAST(:agencies AS uuid[])))
        """,
        agencies=None if agencies is None else list(agencies),
    )
    return found.one()


async def closed_runs(
    tx: Tx, *, agencies: Sequence[UUID], pay_run_id: UUID | None, after: tuple[UUID, UUID] | None, most: int
) -> list[Any]:
    """Closed runs of these agencies by agency and id, a page at a time, with what their last replay found."""
    found = await tx.execute(
        """
        SELECT r.agency_id, r.pay_run_id, r.week_ending, p.night, p.state, p.checked_at FROM pay_run r
        LEFT JOIN pay_run_replay p ON p.agency_id = r.agency_id AND p.pay_run_id = r.pay_run_id
        WHERE r.state = 'closed' AND r.agency_id = ANY(CAST(:agencies AS uuid[]))
          AND (CAST(:run AS uuid) IS NULL OR r.pay_run_id = :run)
          AND (CAST(:after_agency AS uuid) IS NULL
               OR (r.agency_id, r.pay_run_id) > (CAST(:after_agency AS uuid), CAST(:after_run AS uuid)))
        ORDER BY r.agency_id, r.pay_run_id LIMIT :most
        """,
        agencies=list(agencies),
        run=pay_run_id,
        after_agency=None if after is None else after[0],
        after_run=None if after is None else after[1],
        most=most,
    )
    return list(found.all())


async def not_agreeing(tx: Tx, *, agencies: Sequence[UUID], most: int) -> list[Any]:
    """Runs of these agencies whose last replay did not agree: differences first, then newest week."""
    found = await tx.execute(
        """
        SELECT r.agency_id, r.pay_run_id, r.week_ending, p.night, p.state, p.result, p.checked_at FROM pay_run_replay p
        JOIN pay_run r ON r.agency_id = p.agency_id AND r.pay_run_id = p.pay_run_id
        WHERE p.agency_id = ANY(CAST(:agencies AS uuid[])) AND p.state <> 'agrees'
        ORDER BY p.state <> 'differs', r.week_ending DESC, r.pay_run_id LIMIT :most
        """,
        agencies=list(agencies),
        most=most,
    )
    return list(found.all())
