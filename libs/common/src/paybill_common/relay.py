"""The relay: publishes the outbox, in order, under an advisory lock, then marks the rows as published.

A crash between the two publishes again under the same id: readers' inboxes make that harmless.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Sequence
from typing import Any

import structlog
from sqlalchemy import text

from paybill_common import telemetry
from paybill_common.bus import Bus, BusUnavailable, Outgoing
from paybill_common.clock import Clock
from paybill_common.db import Database, is_transient
from paybill_common.faults import Faults, NoFaults
from paybill_common.outbox import CHANNEL, WAITING, OutboxRow, mark_published, unpublished

log = structlog.get_logger()
_LOCK = text("SELECT pg_try_advisory_xact_lock(hashtext('paybill.relay'), :shard)")


class Relay:
    """One per database and shard is active; others wait for the lock."""

    def __init__(
        self,
        *,
        database: Database,
        bus: Bus,
        clock: Clock,
        shard: int = 0,
        batch_rows_max: int = 2_000,
        poll_s: float = 0.5,
        faults: Faults | None = None,
    ) -> None:
        self._database = database
        self._producer = bus.producer()
        self._clock = clock
        self._shard = shard
        self._batch_rows_max = batch_rows_max
        self._poll_s = poll_s
        self._faults = faults or NoFaults()
        self._wake = asyncio.Event()
        self.moved_at = time.monotonic()

    async def start(self) -> None:
        await self._producer.start()

    async def stop(self) -> None:
        await self._producer.stop()

    async def step(self) -> int:
        """Publish one batch. Returns the number of rows; 0 when there is nothing, or another relay holds the lock."""
        if not await self._database.finds(WAITING, shard=self._shard):
            return 0
        async with self._database.transaction(now=self._clock.now()) as tx:
            if not (await tx.connection.execute(_LOCK, {"shard": self._shard})).scalar_one():
                return 0
            rows = await unpublished(tx.connection, shard=self._shard, most=self._batch_rows_max)
            if not rows:
                return 0
            self._faults.reach("relay.before_publish")
            await self._publish(rows)
            self._faults.reach("relay.after_publish")
            await mark_published(tx.connection, [row.id for row in rows])
        self._faults.reach("relay.after_commit")
        telemetry.RELAYED.labels(self._database.source).inc(len(rows))
        return len(rows)

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until told to stop: woken by NOTIFY, with a poll as fallback."""
        backoff_s = 0.1
        listener = asyncio.create_task(self._listen(stop))
        try:
            while not stop.is_set():
                self.moved_at = time.monotonic()
                try:
                    published = await self.step()
                    backoff_s = 0.1
                except Exception as error:
                    if not (is_transient(error) or isinstance(error, BusUnavailable)):
                        log.error("relay.failed", error=error, action="see docs/runbooks/stuck-consumer.md")
                    else:
                        log.warning("relay.retrying", error=error, backoff_s=backoff_s)
                    await _pause(stop, backoff_s * (1 + random.random()))  # noqa: S311  jitter
                    backoff_s = min(backoff_s * 2, 10.0)
                    continue
                if published < self._batch_rows_max:
                    self._wake.clear()
                    await _first_of(self._wake, stop, timeout_s=self._poll_s)
        finally:
            listener.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listener

    async def _publish(self, rows: Sequence[OutboxRow]) -> None:
        await self._producer.send([Outgoing(row.topic, row.key, row.payload, row.headers) for row in rows])

    async def _listen(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                async with self._database.engine.connect() as connection:
                    raw: Any = (await connection.get_raw_connection()).driver_connection
                    await raw.add_listener(CHANNEL, lambda *_: self._wake.set())
                    while not stop.is_set() and not raw.is_closed():
                        await _pause(stop, 1.0)
                    await connection.invalidate()
            except Exception as error:
                log.warning("relay.listener_lost", error=error)
                await _pause(stop, 1.0)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), timeout=seconds)


async def _first_of(*events: asyncio.Event, timeout_s: float) -> None:
    tasks = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(tasks, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
