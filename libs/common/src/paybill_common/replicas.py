"""Replicas of a service: each worker process keeps a row of what it does, so that any process can tell of them all."""

from __future__ import annotations

import os
import secrets
import socket
from dataclasses import dataclass
from datetime import datetime

from paybill_common.db import Tx

LIVE_S = 20
"""A replica tells of itself every five seconds; one that has been silent for so long is gone, or frozen."""
_FORGET_S = 3600


@dataclass(frozen=True)
class Replica:
    """One worker process as it last told of itself. `lag` None: the bus did not tell it."""

    replica: str
    live: bool
    started_at: datetime
    seen_s_ago: int
    moved_s_ago: int | None
    """Seconds since its consumer last came back from a poll; None: it has not read yet."""
    partitions: int
    lag: int | None


def new_replica() -> str:
    """A name for this run of this process."""
    return f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(3)}"


async def tell(tx: Tx, *, replica: str, idle_s: float | None, partitions: int, lag: int | None) -> None:
    """Write this replica's row, and drop those of replicas that have been silent for an hour."""
    await tx.execute(
        """
        INSERT INTO replica (replica, started_at, seen_at, moved_at, partitions, lag)
        VALUES (:replica, clock_timestamp(), clock_timestamp(),
                clock_timestamp() - make_interval(secs => CAST(:idle_s AS float8)), :partitions, :lag)
        ON CONFLICT (replica) DO UPDATE SET seen_at = EXCLUDED.seen_at, moved_at = EXCLUDED.moved_at,
            partitions = EXCLUDED.partitions, lag = EXCLUDED.lag
        """,
        replica=replica,
        idle_s=idle_s,
        partitions=partitions,
        lag=lag,
    )
    await tx.execute(
        "DELETE FROM replica WHERE seen_at < clock_timestamp() - make_interval(secs => :forget_s)", forget_s=_FORGET_S
    )


async def leave(tx: Tx, *, replica: str) -> None:
    """This replica stops as it should: it is not missed."""
    await tx.execute("DELETE FROM replica WHERE replica = :replica", replica=replica)


async def known(tx: Tx) -> list[Replica]:
    """Replicas that told of themselves within the hour, oldest first."""
    found = await tx.execute(
        """
        SELECT replica, started_at, partitions, lag,
               extract(epoch FROM clock_timestamp() - seen_at)::int AS seen_s_ago,
               extract(epoch FROM clock_timestamp() - moved_at)::int AS moved_s_ago
        FROM replica ORDER BY started_at, replica
        """
    )
    return [
        Replica(
            replica=row.replica,
            live=row.seen_s_ago < LIVE_S,
            started_at=row.started_at,
            seen_s_ago=row.seen_s_ago,
            moved_s_ago=row.moved_s_ago,
            partitions=row.partitions,
            lag=row.lag,
        )
        for row in found
    ]


def lag_of(replicas: list[Replica]) -> int | None:
    """Events that wait for the live replicas together; None when one of them does not know, or none lives."""
    lags = [replica.lag for replica in replicas if replica.live]
    return sum(lag for lag in lags if lag is not None) if lags and None not in lags else None
