"""The outbox: events written in the same transaction as the state they tell of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

CHANNEL = "paybill_outbox"

_INSERT = text(
    """
    WITH written AS (
        INSERT INTO outbox (event_id, agency_id, topic, key, payload, headers)
        SELECT * FROM unnest(CAST(:event_ids AS uuid[]), CAST(:agency_ids AS uuid[]), CAST(:topics AS text[]),
                             CAST(:keys AS text[]), CAST(:payloads AS text[]), CAST(:headers AS text[]))
    ) SELECT pg_notify(:channel, '')
    """
)
_NOTIFY = text("SELECT pg_notify(:channel, '')")
_UNPUBLISHED = text(
    """
    SELECT id, event_id, agency_id, topic, key, payload, headers
    FROM outbox WHERE published_at IS NULL AND shard = :shard ORDER BY id LIMIT :most
    """
)
WAITING = "SELECT 1 FROM outbox WHERE published_at IS NULL AND shard = :shard LIMIT 1"
"""Finds a row while anything of a shard is unpublished."""
_PUBLISHED = text("UPDATE outbox SET published_at = clock_timestamp() WHERE id = ANY(CAST(:ids AS bigint[]))")
_REPUBLISH = text("UPDATE outbox SET published_at = NULL WHERE published_at IS NOT NULL")


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One event to publish; payload None is a tombstone. `id` is set once the row is stored."""

    event_id: UUID
    agency_id: UUID
    topic: str
    key: str
    payload: str | None
    headers: tuple[tuple[str, str], ...]
    id: int = 0


async def insert_outbox(connection: AsyncConnection, rows: Sequence[OutboxRow]) -> None:
    """Append rows in order, and wake the relay when the transaction commits."""
    await connection.execute(
        _INSERT,
        {
            "channel": CHANNEL,
            "event_ids": [row.event_id for row in rows],
            "agency_ids": [row.agency_id for row in rows],
            "topics": [row.topic for row in rows],
            "keys": [row.key for row in rows],
            "payloads": [row.payload for row in rows],
            "headers": [json.dumps(row.headers) for row in rows],
        },
    )


async def unpublished(connection: AsyncConnection, *, shard: int, most: int) -> list[OutboxRow]:
    """The oldest unpublished rows, in order. Never paged by id: ids are assigned before commit."""
    result = await connection.execute(_UNPUBLISHED, {"shard": shard, "most": most})
    return [
        OutboxRow(
            event_id=row.event_id,
            agency_id=row.agency_id,
            topic=row.topic,
            key=row.key,
            payload=row.payload,
            headers=tuple((name, value) for name, value in json.loads(row.headers)) if row.headers != "{}" else (),
            id=row.id,
        )
        for row in result
    ]


async def mark_published(connection: AsyncConnection, ids: Sequence[int]) -> None:
    await connection.execute(_PUBLISHED, {"ids": list(ids)})


async def republish_all(connection: AsyncConnection) -> int:
    """Publish every kept row again, under its own id: how a lost bus is rebuilt. Returns the number of rows."""
    result = await connection.execute(_REPUBLISH)
    await connection.execute(_NOTIFY, {"channel": CHANNEL})
    return int(getattr(result, "rowcount", 0))
