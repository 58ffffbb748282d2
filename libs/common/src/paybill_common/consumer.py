"""The consumer: one Postgres transaction per poll, across partitions, then offsets.

Inbox rows, state and outbox rows commit together; offsets follow. A batch that a handler refuses is rolled back and
taken event by event in savepoints: an event that fails for good becomes a dead letter in the same transaction as its
inbox row, and later events of its key, on any topic of this consumer, park behind it. A transient error backs off and
reads the same records again; it never dead-letters.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import structlog
from opentelemetry import trace
from sqlalchemy import text

from paybill_common import dead_letters, inbox, telemetry
from paybill_common.bus import Bus, BusUnavailable, NotAssigned, Record, TopicPartition
from paybill_common.clock import Clock
from paybill_common.db import Database, Tx, is_transient
from paybill_common.envelope import AnyEvent, BadEnvelope, Batch, decode, fallback_id
from paybill_common.faults import Faults, NoFaults
from paybill_contracts import EventData

log = structlog.get_logger()

Handler = Callable[[Tx, Batch], Awaitable[None]]
_LOCK_PARTITIONS = text(
    "SELECT pg_advisory_xact_lock(hashtext('paybill.consumer.' || :consumer), p) "
    "FROM unnest(CAST(:partitions AS int[])) AS p ORDER BY p"
)


class PermanentError(Exception):
    """A handler raises this when an event can never be handled as it is. Any other non-transient error counts the same."""


@dataclass(frozen=True)
class Subscription:
    """What a service reads. `handles` and `ignores` together name every event of its topics; a test checks it.

    The data of what it ignores is not looked at: it reaches the handler as an event without data.
    """

    consumer: str
    topics: tuple[str, ...]
    handles: frozenset[type[EventData]]
    ignores: frozenset[type[EventData]]
    handler: Handler


@dataclass
class StepResult:
    """What one step did."""

    polled: int = 0
    handled: int = 0
    duplicates: int = 0
    parked: int = 0
    dead: int = 0
    stopped: bool = False
    lost: bool = False


@dataclass
class _Parsed:
    events: list[AnyEvent] = field(default_factory=list)
    broken: list[tuple[Record, BadEnvelope]] = field(default_factory=list)


class Consumer:
    """One member of the consumer group `subscription.consumer`."""

    def __init__(
        self,
        subscription: Subscription,
        *,
        database: Database,
        bus: Bus,
        clock: Clock,
        batch_events_max: int = 1_000,
        poll_timeout_ms: int = 200,
        dead_letters_in_a_row_max: int = 20,
        faults: Faults | None = None,
    ) -> None:
        self.subscription = subscription
        self.name = subscription.consumer
        self._database = database
        self._bus_consumer = bus.consumer(group=subscription.consumer, topics=subscription.topics)
        self._clock = clock
        self._batch_events_max = batch_events_max
        self._poll_timeout_ms = poll_timeout_ms
        self._dead_letters_in_a_row_max = dead_letters_in_a_row_max
        self._faults = faults or NoFaults()
        self.stopped = False
        self.moved_at = time.monotonic()

    async def start(self) -> None:
        await self._bus_consumer.start()

    async def stop(self) -> None:
        await self._bus_consumer.stop()

    async def lag(self) -> dict[TopicPartition, int]:
        return dict(await self._bus_consumer.lag())

    def partitions(self) -> int:
        """How many partitions this member reads now."""
        return len(self._bus_consumer.assignment())

    async def step(self) -> StepResult:
        """Poll once, handle what is new, commit. Raises only what is transient, after seeking back to the poll's start."""
        if await self._is_stopped():
            return StepResult(stopped=True)
        records = await self._bus_consumer.poll(max_records=self._batch_events_max, timeout_ms=self._poll_timeout_ms)
        self.moved_at = time.monotonic()
        if not records:
            return StepResult()
        try:
            result = await self._process(records)
        except Exception:
            await self._bus_consumer.seek(_first_offsets(records))
            raise
        self._faults.reach("consumer.after_transaction")
        try:
            await self._commit_offsets(records)
        except NotAssigned:
            # The database has committed: the work is done, and the new owner finds it in the inbox.
            telemetry.COMMIT_FAILURES.labels(self.name).inc()
            result.lost = True
        except Exception:
            # Read them again: the inbox knows them, and the offsets are committed then, even if nothing new arrives.
            telemetry.COMMIT_FAILURES.labels(self.name).inc()
            await self._bus_consumer.seek(_first_offsets(records))
            raise
        self._faults.reach("consumer.after_offsets")
        return result

    async def run(self, stop: asyncio.Event) -> None:
        """Step until told to stop. A transient error backs off, with a bound; a stopped consumer waits to be resumed."""
        backoff_s = 0.2
        while not stop.is_set():
            try:
                result = await self.step()
                backoff_s = 0.2
                if result.stopped:
                    await _pause(stop, 1.0)
            except Exception as error:
                if is_transient(error) or isinstance(error, BusUnavailable):
                    log.warning("consumer.retrying", consumer=self.name, error=error, backoff_s=backoff_s)
                else:
                    log.error(
                        "consumer.failed",
                        consumer=self.name,
                        error=error,
                        action="docs/runbooks/stuck-consumer.md",
                        exc_info=True,
                    )
                await _pause(stop, backoff_s * (1 + random.random()))  # noqa: S311  jitter
                backoff_s = min(backoff_s * 2, 30.0)

    async def _process(self, records: Sequence[Record]) -> StepResult:
        parsed = _parse(records, self.subscription.ignores)
        with telemetry.HANDLER_SECONDS.labels(self.name).time():
            try:
                result = await self._in_one_transaction(records, parsed, one_by_one=bool(parsed.broken))
            except Exception as error:
                if is_transient(error):
                    raise
                log.warning("batch.refused", consumer=self.name, events=len(parsed.events), error=error)
                result = await self._in_one_transaction(records, parsed, one_by_one=True)
        result.polled = len(records)
        telemetry.CONSUMED.labels(self.name).inc(result.handled)
        telemetry.DUPLICATES.labels(self.name).inc(result.duplicates)
        telemetry.PARKED.labels(self.name).inc(result.parked)
        telemetry.DEAD_LETTERS.labels(self.name).inc(result.dead)
        telemetry.BATCH_SIZE.labels(self.name).observe(result.handled)
        return result

    async def _in_one_transaction(self, records: Sequence[Record], parsed: _Parsed, *, one_by_one: bool) -> StepResult:
        result = StepResult()
        self._faults.reach("consumer.before_transaction")
        async with self._database.transaction(now=self._clock.now()) as tx:
            await self._lock_partitions(tx, records)
            fresh = await self._fresh(tx, parsed, result)
            fresh = await self._park_followers(tx, fresh, result)
            if one_by_one:
                await self._one_by_one(tx, parsed, fresh, result)
            elif fresh:
                await self._handle(tx, fresh)
                result.handled = len(fresh)
                await dead_letters.clear_streak(tx, consumer=self.name)
            await tx.flush()
            self._faults.reach("consumer.before_commit")
        self.stopped = result.stopped
        return result

    async def _lock_partitions(self, tx: Tx, records: Iterable[Record]) -> None:
        """Serialise owners of the same partition numbers: keys of equal partition counts are always behind one lock."""
        partitions = sorted({record.partition for record in records})
        await tx.connection.execute(_LOCK_PARTITIONS, {"consumer": self.name, "partitions": partitions})

    async def _fresh(self, tx: Tx, parsed: _Parsed, result: StepResult) -> list[AnyEvent]:
        """Events not taken before, each once, in the order read."""
        ids = [event.id for event in parsed.events] + [fallback_id(record) for record, _ in parsed.broken]
        new = await self._take_new(tx, ids)
        parsed.broken = [(record, error) for record, error in parsed.broken if fallback_id(record) in new]
        fresh: list[AnyEvent] = []
        for event in parsed.events:
            if event.id in new:
                new.discard(event.id)
                fresh.append(event)
        result.duplicates = len(parsed.events) - len(fresh)
        return fresh

    async def _take_new(self, tx: Tx, ids: Sequence[UUID]) -> set[UUID]:
        return await inbox.take_new(tx.connection, consumer=self.name, event_ids=ids)

    async def _park_followers(self, tx: Tx, events: list[AnyEvent], result: StepResult) -> list[AnyEvent]:
        """Park the events whose key waits behind a dead letter, and return the others."""
        parked_keys = await dead_letters.parked_among(tx, consumer=self.name, keys={event.key for event in events})
        followers = [event for event in events if event.key in parked_keys]
        if not followers:
            return events
        await self._park(tx, followers)
        result.parked += len(followers)
        return [event for event in events if event.key not in parked_keys]

    async def _park(self, tx: Tx, events: Sequence[AnyEvent]) -> None:
        await dead_letters.park(tx, consumer=self.name, events=events)

    async def _handle(self, tx: Tx, events: Sequence[AnyEvent]) -> None:
        links = telemetry.links_to(event.traceparent for event in events)
        parent = telemetry.context_of(events[0].traceparent)
        with telemetry.tracer.start_as_current_span(
            f"process {self.name}", context=parent, links=links, kind=trace.SpanKind.CONSUMER
        ) as span:
            span.set_attribute("messaging.batch.message_count", len(events))
            await self.subscription.handler(tx, Batch(events))

    async def _one_by_one(self, tx: Tx, parsed: _Parsed, events: Sequence[AnyEvent], result: StepResult) -> None:
        for record, bad in parsed.broken:
            await self._bury(tx, record=record, event=None, error=bad, result=result)
        dead_keys: set[str] = set()
        for event in events:
            if event.key in dead_keys:
                await self._park(tx, [event])
                result.parked += 1
                continue
            emitted = len(tx.outgoing)
            try:
                async with tx.connection.begin_nested():
                    await self._handle(tx, [event])
                result.handled += 1
                await dead_letters.clear_streak(tx, consumer=self.name)
            except Exception as error:
                if is_transient(error):
                    raise
                del tx.outgoing[emitted:]
                await self._bury(tx, record=event.record, event=event, error=error, result=result)
                dead_keys.add(event.key)

    async def _bury(
        self, tx: Tx, *, record: Record, event: AnyEvent | None, error: Exception, result: StepResult
    ) -> None:
        streak = await dead_letters.bury(tx, consumer=self.name, record=record, event=event, error=error)
        result.dead += 1
        log.error(
            "event.dead",
            consumer=self.name,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            key=record.key,
            event_id=str(event.id) if event else None,
            event_type=event.type if event else None,
            agency_id=str(event.agency_id) if event else None,
            correlation_id=event.correlation_id if event else None,
            error_class=type(error).__name__,
            action="docs/runbooks/dead-letters.md",
        )
        if streak >= self._dead_letters_in_a_row_max:
            await dead_letters.stop_consumer(tx, consumer=self.name)
            result.stopped = True

    async def _commit_offsets(self, records: Sequence[Record]) -> None:
        offsets: dict[TopicPartition, int] = {}
        for record in records:
            offsets[record.tp] = max(offsets.get(record.tp, 0), record.offset + 1)
        await self._bus_consumer.commit(offsets)

    async def _is_stopped(self) -> bool:
        if not self.stopped:
            return False
        async with self._database.transaction(now=self._clock.now()) as tx:
            self.stopped = await dead_letters.is_stopped(tx, consumer=self.name)
        return self.stopped

    async def restore(self) -> None:
        """Read from the database whether this consumer was stopped: a restart does not resume it."""
        async with self._database.transaction(now=self._clock.now()) as tx:
            self.stopped = await dead_letters.is_stopped(tx, consumer=self.name)


def _parse(records: Iterable[Record], ignores: frozenset[type[EventData]]) -> _Parsed:
    parsed = _Parsed()
    for record in records:
        try:
            parsed.events.append(decode(record, ignores=ignores))
        except BadEnvelope as error:
            parsed.broken.append((record, error))
    return parsed


def _first_offsets(records: Sequence[Record]) -> dict[TopicPartition, int]:
    offsets: dict[TopicPartition, int] = {}
    for record in records:
        offsets[record.tp] = min(offsets.get(record.tp, record.offset), record.offset)
    return offsets


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), timeout=seconds)
