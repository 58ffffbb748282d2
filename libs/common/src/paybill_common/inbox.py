"""The inbox: which events a consumer has taken, in the same transaction as what they changed."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from paybill_common.ids import in_order

_INSERT = text(
    """
    INSERT INTO inbox (consumer, event_id)
    SELECT :consumer, id FROM unnest(CAST(:ids AS uuid[])) AS id
    ON CONFLICT DO NOTHING RETURNING event_id
    """
)


async def take_new(connection: AsyncConnection, *, consumer: str, event_ids: Sequence[UUID]) -> set[UUID]:
    """Record these events as taken and return those that were not taken before.

    Sorted first, so that two owners of the same events wait for each other instead of deadlocking.
    """
    if not event_ids:
        return set()
    result = await connection.execute(_INSERT, {"consumer": consumer, "ids": sorted(set(event_ids), key=in_order)})
    return {row.event_id for row in result}
