"""CloudEvents 1.0 structured JSON: how an event looks on the bus, and how a record is read back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from pydantic import ValidationError
from pydantic_core import from_json

from paybill_common.bus import Record
from paybill_common.ids import derived_id
from paybill_contracts import EventData, event_class

CONTENT_TYPE = "application/cloudevents+json"
ERASED = "paybill.directory.erased.v1"
"""The type given to a tombstone of the directory topic."""

E = TypeVar("E", bound=EventData)
_STORED = ("type", "subject", "partitionkey")
_REQUIRED = ("specversion", "id", "type", "source", "subject", "time", "partitionkey", "sequence", "agency", "data")


class BadEnvelope(ValueError):
    """A record that is not one of our events: broken JSON, a missing attribute, or data that does not fit its model."""


@dataclass(frozen=True, slots=True)
class Event(Generic[E]):
    """An event as read from the bus. `data` is None for a tombstone, and for a type that is not known or not read here."""

    id: UUID
    type: str
    agency_id: UUID
    key: str
    subject: str
    sequence: int
    time: datetime
    data: E
    traceparent: str | None
    correlation_id: str
    record: Record = field(repr=False, compare=False)


AnyEvent = Event[Any]


class Batch:
    """The new events of one poll, in the order they were read; each id once."""

    def __init__(self, events: Iterable[AnyEvent]) -> None:
        self.events = list(events)

    def __iter__(self) -> Iterator[AnyEvent]:
        return iter(self.events)

    def __len__(self) -> int:
        return len(self.events)

    def of(self, *classes: type[E]) -> list[Event[E]]:
        """The events of these classes, in order."""
        return [event for event in self.events if type(event.data) in classes]

    def latest(self, *classes: type[E]) -> list[Event[E]]:
        """For each subject the event of these classes with the highest sequence: events carry full state."""
        best: dict[str, Event[E]] = {}
        for event in self.of(*classes):
            known = best.get(event.subject)
            if known is None or event.sequence >= known.sequence:
                best[event.subject] = event
        return list(best.values())

    def erased(self) -> list[AnyEvent]:
        """Tombstones of the directory."""
        return [event for event in self.events if event.type == ERASED]


def encode(
    data: EventData,
    *,
    event_id: UUID,
    source: str,
    sequence: int,
    time: datetime,
    traceparent: str | None,
    correlation_id: str,
    causation_id: str | None = None,
) -> str:
    """One event as CloudEvents structured JSON."""
    head: dict[str, Any] = {
        "specversion": "1.0",
        "id": str(event_id),
        "type": data.TYPE,
        "source": f"/paybill/{source}",
        "subject": data.subject(),
        "time": time.isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "dataschema": f"{data.TYPE}.{data.MINOR}",
        "partitionkey": data.partition_key(),
        "sequence": sequence,
        "agency": str(data.agency_id),
        "correlationid": correlation_id,
    }
    if traceparent:
        head["traceparent"] = traceparent
    if causation_id:
        head["causationid"] = causation_id
    return f'{json.dumps(head, separators=(",", ":"))[:-1]},"data":{data.model_dump_json()}}}'


def decode(record: Record, *, ignores: frozenset[type[EventData]] = frozenset()) -> AnyEvent:
    """Read a record; of a type that the reader ignores the envelope alone. Raises BadEnvelope saying what is wrong with it."""
    if record.value is None:
        return _tombstone(record)
    try:
        raw = from_json(record.value)
    except ValueError as error:
        raise BadEnvelope(f"the value is not JSON: {error}") from error
    if not isinstance(raw, dict):
        raise BadEnvelope("the value is not a JSON object")
    missing = [name for name in _REQUIRED if name not in raw]
    if missing:
        raise BadEnvelope(f"the envelope lacks {', '.join(missing)}")
    model = event_class(str(raw["type"]))
    unstorable = [name for name in _STORED if not storable(str(raw[name]))]
    if unstorable:
        raise BadEnvelope(f"the envelope's {', '.join(unstorable)} has characters that cannot be stored")
    try:
        data = None if model is None or model in ignores else model.model_validate(raw["data"])
        return Event(
            id=UUID(raw["id"]),
            type=raw["type"],
            agency_id=UUID(raw["agency"]),
            key=str(raw["partitionkey"]),
            subject=str(raw["subject"]),
            sequence=int(raw["sequence"]),
            time=datetime.fromisoformat(raw["time"]),
            data=data,
            traceparent=raw.get("traceparent"),
            correlation_id=str(raw.get("correlationid") or raw["id"]),
            record=record,
        )
    except ValidationError as error:
        where = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:5])
        raise BadEnvelope(f"{raw['type']} does not fit its model: {where}") from error
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise BadEnvelope(f"the envelope has a bad attribute: {error}") from error


def storable(text: str) -> bool:
    """Postgres can hold it: no NUL, no half of a surrogate pair."""
    try:
        return b"\x00" not in text.encode()
    except UnicodeEncodeError:
        return False


def fallback_id(record: Record) -> UUID:
    """The id of a record whose own id cannot be read: derived from where it lies, so that it is dead-lettered once."""
    return derived_id("record", record.topic, record.partition, record.offset)


def _tombstone(record: Record) -> AnyEvent:
    headers = dict(record.headers)
    if not storable(record.key):
        raise BadEnvelope("the record's key has characters that cannot be stored")
    try:
        return Event(
            id=UUID(headers["ce_id"]),
            type=ERASED,
            agency_id=UUID(headers["ce_agency"]),
            key=record.key,
            subject=record.key,
            sequence=int(headers["ce_sequence"]),
            time=datetime.fromisoformat(headers["ce_time"]),
            data=None,
            traceparent=None,
            correlation_id=headers["ce_id"],
            record=record,
        )
    except (KeyError, ValueError) as error:
        raise BadEnvelope(f"a record without value needs the headers of a tombstone: {error}") from error
