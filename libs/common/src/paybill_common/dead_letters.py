"""Dead letters and parked keys: how one bad event waits for an operator without stopping anybody else.

The consumer and the operator lock the same parked-key row, so an event that arrives during a replay parks behind it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from paybill_common import inbox, telemetry
from paybill_common.bus import Record
from paybill_common.db import Tx, is_transient
from paybill_common.envelope import AnyEvent, BadEnvelope, Batch, decode, fallback_id
from paybill_common.ids import new_id
from paybill_common.outbox import OutboxRow
from paybill_contracts.directory import DirectoryEntry

Handler = Callable[[Tx, Batch], Awaitable[None]]

_PARKED_AMONG = text(
    "SELECT key FROM parked_key WHERE consumer = :consumer AND key = ANY(CAST(:keys AS text[])) ORDER BY key FOR UPDATE"
)
_PARK = text(
    """
    INSERT INTO parked_event (consumer, key, event_id, agency_id, topic, "partition", "offset", payload, headers)
    SELECT :consumer, * FROM unnest(CAST(:keys AS text[]), CAST(:ids AS uuid[]), CAST(:agencies AS uuid[]),
        CAST(:topics AS text[]), CAST(:partitions AS int[]), CAST(:offsets AS bigint[]), CAST(:payloads AS bytea[]),
        CAST(:headers AS text[]))
    ON CONFLICT DO NOTHING
    """
)


UNREADABLE = "unreadable"
"""The type given to a record that is none of our events."""
_THEIRS = (
    "(CAST(:agencies AS uuid[]) IS NULL OR d.agency_id = ANY(CAST(:agencies AS uuid[])) "
    "OR (CAST(:of_none AS boolean) AND d.agency_id IS NULL))"
)


class KeyWaits(RuntimeError):
    """A record that can be read at last belongs behind another dead letter."""


class DeadLetterNotFound(LookupError):
    """There is no open dead letter of that id in these agencies."""


@dataclass(frozen=True)
class DeadLetter:
    """A dead letter as an operator sees it."""

    id: int
    consumer: str
    event_id: UUID
    agency_id: UUID | None
    event_type: str
    topic: str
    partition: int
    offset: int
    key: str
    payload: str | None
    """The message; of one that nobody can read, every byte that is not printable is shown as `\\x00`."""
    payload_base64: str | None
    """The bytes of a message that nobody can read, else None."""
    error_class: str
    error: str
    attempts: int
    dead_at: datetime
    waiting: int
    """Events that wait behind it."""


@dataclass(frozen=True)
class Outcome:
    """What a replay or discard did: events handled, and the new dead letter if one of them failed again."""

    handled: int
    dead_letter_id: int | None
    error: str | None = None


async def parked_among(tx: Tx, *, consumer: str, keys: Iterable[str]) -> set[str]:
    """Which of these keys wait behind a dead letter. Locks their rows until the transaction ends."""
    result = await tx.connection.execute(_PARKED_AMONG, {"consumer": consumer, "keys": sorted(set(keys))})
    return {row.key for row in result}


async def park(tx: Tx, *, consumer: str, events: Sequence[AnyEvent]) -> None:
    """Store events behind their key's dead letter, in order."""
    await tx.connection.execute(
        _PARK,
        {
            "consumer": consumer,
            "keys": [event.key for event in events],
            "ids": [event.id for event in events],
            "agencies": [event.agency_id for event in events],
            "topics": [event.record.topic for event in events],
            "partitions": [event.record.partition for event in events],
            "offsets": [event.record.offset for event in events],
            "payloads": [_bytes(event.record.value) for event in events],
            "headers": [json.dumps(event.record.headers) for event in events],
        },
    )


async def bury(
    tx: Tx,
    *,
    consumer: str,
    record: Record,
    event: AnyEvent | None,
    error: Exception,
    parked_for: UUID | None = None,
) -> int:
    """Store a dead letter, park its key, copy it to the dead-letter topic. Returns the streak of dead letters.

    The copy of a directory entry has no payload: names live on one compacted topic alone, where a tombstone erases them.

    `event` None: nobody can read it. It belongs to no agency, unless it was parked for one, and parks nobody.
    """
    event_id = event.id if event else fallback_id(record)
    key = event.key if event else record.key.replace("\x00", "\ufffd")
    agency_id = event.agency_id if event else parked_for
    row = await tx.execute(
        """
        INSERT INTO dead_letter (consumer, event_id, agency_id, event_type, topic, "partition", "offset", key, payload,
                                 headers, error_class, error)
        VALUES (:consumer, :event_id, :agency_id, :event_type, :topic, :partition, :offset, :key, :payload, :headers,
                :error_class, :error)
        ON CONFLICT (consumer, event_id) DO UPDATE
            SET attempts = dead_letter.attempts + 1, error = EXCLUDED.error, error_class = EXCLUDED.error_class
        RETURNING id
        """,
        consumer=consumer,
        event_id=event_id,
        agency_id=agency_id,
        event_type=event.type if event else UNREADABLE,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=key,
        payload=_bytes(record.value),
        headers=json.dumps(record.headers),
        error_class=type(error).__name__,
        error=_told(error),
    )
    dead_letter_id = row.scalar_one()
    if event is not None:
        await tx.execute(
            "INSERT INTO parked_key (consumer, key, dead_letter_id) VALUES (:consumer, :key, :id) ON CONFLICT DO NOTHING",
            consumer=consumer,
            key=key,
            id=dead_letter_id,
        )
    headers = (*record.headers, ("pb_consumer", consumer), ("pb_error", type(error).__name__))
    nameless = record.value is None or record.topic == DirectoryEntry.TOPIC  # no tombstone erases a name from a copy
    payload = None if nameless else _text(record.value or "").replace("\x00", "\ufffd")
    tx.outgoing.append(
        OutboxRow(new_id(), agency_id or UUID(int=0), f"{record.topic}.dead", key, payload or "", headers)
    )
    streak = await tx.execute(
        """
        INSERT INTO consumer_state (consumer, dead_letters_in_a_row) VALUES (:consumer, 1)
        ON CONFLICT (consumer) DO UPDATE SET dead_letters_in_a_row = consumer_state.dead_letters_in_a_row + 1
        RETURNING dead_letters_in_a_row
        """,
        consumer=consumer,
    )
    return int(streak.scalar_one())


async def clear_streak(tx: Tx, *, consumer: str) -> None:
    await tx.execute(
        "UPDATE consumer_state SET dead_letters_in_a_row = 0 WHERE consumer = :consumer AND dead_letters_in_a_row > 0",
        consumer=consumer,
    )


async def stop_consumer(tx: Tx, *, consumer: str) -> None:
    """Too many dead letters in a row: the consumer reads no more until someone resumes it."""
    await tx.execute(
        "UPDATE consumer_state SET stopped = true, stopped_at = clock_timestamp() WHERE consumer = :consumer",
        consumer=consumer,
    )


async def resume_consumer(tx: Tx, *, consumer: str) -> bool:
    """Let a stopped consumer read again. Returns whether it was stopped."""
    result = await tx.execute(
        "UPDATE consumer_state SET stopped = false, stopped_at = NULL, dead_letters_in_a_row = 0 "
        "WHERE consumer = :consumer AND stopped RETURNING consumer",
        consumer=consumer,
    )
    return result.first() is not None


async def is_stopped(tx: Tx, *, consumer: str) -> bool:
    result = await tx.execute("SELECT stopped FROM consumer_state WHERE consumer = :consumer", consumer=consumer)
    row = result.first()
    return bool(row and row.stopped)


async def list_open(
    tx: Tx, *, agencies: Sequence[UUID] | None = None, of_none: bool = False, after_id: int = 0, most: int = 50
) -> list[DeadLetter]:
    """Open dead letters, oldest first, of these agencies and, if `of_none`, of no agency; `agencies` None: all there are."""
    result = await tx.execute(
        f"""
        SELECT d.*, (SELECT count(*) FROM parked_event p JOIN parked_key k ON k.consumer = p.consumer AND k.key = p.key
                     WHERE k.dead_letter_id = d.id) AS waiting
        FROM dead_letter d
        WHERE d.resolved_at IS NULL AND d.id > :after_id AND {_THEIRS}
        ORDER BY d.id LIMIT :most
        """,  # noqa: S608  a constant of this module
        after_id=after_id,
        agencies=None if agencies is None else list(agencies),
        of_none=of_none,
        most=most,
    )
    return [_dead_letter(row) for row in result]


async def replay(
    tx: Tx,
    *,
    handler: Handler,
    dead_letter_id: int,
    by: str,
    agencies: Sequence[UUID] | None = None,
    of_none: bool = False,
) -> Outcome:
    """Handle a dead letter again, then everything parked behind it, in order, in this transaction.

    If one fails again, what succeeded stays, the failed one becomes the dead letter and the rest stay parked.
    """
    letter = await _lock(tx, dead_letter_id, agencies, of_none)
    record = Record(
        letter.topic, letter.partition, letter.offset, letter.key, _maybe(letter.payload), _headers(letter.headers)
    )
    error = await _try(tx, _first_time(handler, letter.consumer) if letter.agency_id is None else handler, record)
    if error is not None:
        await tx.execute(
            "UPDATE dead_letter SET attempts = attempts + 1, error = :error, error_class = :cls WHERE id = :id",
            error=_told(error),
            cls=type(error).__name__,
            id=dead_letter_id,
        )
        return Outcome(handled=0, dead_letter_id=dead_letter_id, error=_told(error))
    await _resolve(tx, dead_letter_id, "replayed", by)
    follow = await _release(tx, handler=handler, letter=letter)
    return Outcome(handled=1 + follow.handled, dead_letter_id=follow.dead_letter_id, error=follow.error)


async def discard(
    tx: Tx,
    *,
    handler: Handler,
    dead_letter_id: int,
    by: str,
    reason: str,
    agencies: Sequence[UUID] | None = None,
    of_none: bool = False,
) -> Outcome:
    """Give a dead letter up for good and handle what waited behind it."""
    letter = await _lock(tx, dead_letter_id, agencies, of_none)
    await _resolve(tx, dead_letter_id, "discarded", by, reason)
    return await _release(tx, handler=handler, letter=letter)


async def erase_key(tx: Tx, *, key: str) -> None:
    """A label was erased: drop its stored copies in the outbox, dead letters and parked events."""
    await tx.execute(
        "DELETE FROM outbox WHERE key = :key AND payload IS NOT NULL AND published_at IS NOT NULL", key=key
    )
    await tx.execute("UPDATE dead_letter SET payload = NULL WHERE key = :key", key=key)
    await tx.execute("DELETE FROM parked_event WHERE key = :key", key=key)


async def _release(tx: Tx, *, handler: Handler, letter: Any) -> Outcome:
    handled, consumer, key = 0, letter.consumer, letter.key
    behind = await tx.execute("SELECT consumer FROM parked_key WHERE dead_letter_id = :id", id=letter.id)
    if behind.first() is None:
        return Outcome(handled=0, dead_letter_id=None)
    result = await tx.execute(
        "SELECT * FROM parked_event WHERE consumer = :consumer AND key = :key ORDER BY id", consumer=consumer, key=key
    )
    for row in result.all():
        record = Record(row.topic, row.partition, row.offset, row.key, _maybe(row.payload), _headers(row.headers))
        error = await _try(tx, handler, record)
        await tx.execute("DELETE FROM parked_event WHERE id = :id", id=row.id)
        if error is not None:
            try:
                event: AnyEvent | None = decode(record)
            except BadEnvelope:
                event = None
            await bury(tx, consumer=consumer, record=record, event=event, error=error, parked_for=row.agency_id)
            moved = await tx.execute(
                "UPDATE parked_key SET dead_letter_id = (SELECT id FROM dead_letter WHERE consumer = :consumer "
                "AND event_id = :event_id) WHERE consumer = :consumer AND key = :key RETURNING dead_letter_id",
                consumer=consumer,
                key=key,
                event_id=event.id if event else fallback_id(record),
            )
            return Outcome(handled=handled, dead_letter_id=moved.scalar_one(), error=_told(error))
        handled += 1
    await tx.execute("DELETE FROM parked_key WHERE consumer = :consumer AND key = :key", consumer=consumer, key=key)
    return Outcome(handled=handled, dead_letter_id=None)


async def _try(tx: Tx, handler: Handler, record: Record) -> Exception | None:
    emitted = len(tx.outgoing)
    try:
        async with tx.connection.begin_nested():
            await handler(tx, Batch([decode(record)]))
    except Exception as error:
        if is_transient(error):
            raise
        del tx.outgoing[emitted:]
        return error
    return None


def _first_time(handler: Handler, consumer: str) -> Handler:
    """The handler for a record that could not be read before: its event may have come again since, or its key may wait."""

    async def handle(tx: Tx, batch: Batch) -> None:
        keys, ids = [event.key for event in batch], [event.id for event in batch]
        if await parked_among(tx, consumer=consumer, keys=keys):
            raise KeyWaits(f"events of {keys[0]} wait behind another dead letter; resolve that one first")
        if await inbox.take_new(tx.connection, consumer=consumer, event_ids=ids):
            await handler(tx, batch)

    return handle


async def _lock(tx: Tx, dead_letter_id: int, agencies: Sequence[UUID] | None, of_none: bool) -> Any:
    found = await tx.execute(
        f"SELECT * FROM dead_letter d WHERE d.id = :id AND d.resolved_at IS NULL AND {_THEIRS}",  # noqa: S608  ours
        id=dead_letter_id,
        agencies=None if agencies is None else list(agencies),
        of_none=of_none,
    )
    letter = found.first()
    if letter is None:
        raise DeadLetterNotFound(f"there is no open dead letter {dead_letter_id}")
    await parked_among(tx, consumer=letter.consumer, keys=[letter.key])
    again = await tx.execute("SELECT * FROM dead_letter WHERE id = :id AND resolved_at IS NULL", id=dead_letter_id)
    letter = again.first()
    if letter is None:
        raise DeadLetterNotFound(f"dead letter {dead_letter_id} was resolved by somebody else just now")
    return letter


async def _resolve(tx: Tx, dead_letter_id: int, resolution: str, by: str, reason: str | None = None) -> None:
    await tx.execute(
        "UPDATE dead_letter SET resolved_at = clock_timestamp(), resolution = :resolution, resolved_by = :by, "
        "reason = :reason WHERE id = :id",
        id=dead_letter_id,
        resolution=resolution,
        by=by,
        reason=reason,
    )


def _dead_letter(row: Any) -> DeadLetter:
    unreadable = row.event_type == UNREADABLE and row.payload is not None
    return DeadLetter(
        id=row.id,
        consumer=row.consumer,
        event_id=row.event_id,
        agency_id=row.agency_id,
        event_type=row.event_type,
        topic=row.topic,
        partition=row.partition,
        offset=row.offset,
        key=row.key,
        payload=None if row.payload is None else _printable(row.payload) if unreadable else _text(row.payload),
        payload_base64=base64.b64encode(row.payload).decode() if unreadable else None,
        error_class=row.error_class,
        error=row.error,
        attempts=row.attempts,
        dead_at=row.dead_at,
        waiting=row.waiting,
    )


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value


def _maybe(value: bytes | None) -> bytes | None:
    return None if value is None else bytes(value)


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else bytes(value).decode("utf-8", "replace")


def _printable(value: bytes) -> str:
    """The bytes as UTF-8, with what a terminal or a page would act on, or not show, written out."""
    text = bytes(value).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def _told(error: Exception) -> str:
    """The error in words; a database's words would quote rows, which an erased label must not outlive in."""
    return (telemetry.describe(error) if isinstance(error, DBAPIError) else str(error))[:4000]


def _headers(raw: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in json.loads(raw))
