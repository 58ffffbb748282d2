"""The base of every event's data, the shared field types, and the registry of event types.

Facts on the bus carry ids, dates, hours, rates and amounts. They never carry NI numbers, bank details, addresses,
dates of birth or free text; names live on the directory topic alone.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, StringConstraints, WithJsonSchema


def _decimal(digits: int, places: int, meaning: str) -> Any:
    """A decimal field that is a string with exactly `places` decimals on the wire."""
    return (
        Field(max_digits=digits, decimal_places=places),
        PlainSerializer(lambda value: f"{value:.{places}f}", return_type=str, when_used="json"),
        WithJsonSchema(
            {"type": "string", "pattern": rf"^-?\d{{1,{digits - places}}}\.\d{{{places}}}$", "description": meaning},
            mode="serialization",
        ),
    )


Gbp = Annotated[Decimal, *_decimal(14, 2, "Pounds sterling, two decimals, a string on the wire")]
Rate = Annotated[Decimal, *_decimal(12, 4, "Pounds an hour, day or item, four decimals")]
Units = Annotated[Decimal, *_decimal(12, 4, "Days or items, four decimals")]
Minutes = Annotated[int, Field(description="Whole minutes of work")]
Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,79}$")]
"""A short machine-readable code: the charset admits no free text."""

PayBasis = Literal["paye", "umbrella", "limited", "cis"]
Sds = Literal["inside", "outside", "not_required"]
"""The client's status determination (off-payroll working): inside or outside IR35, or none required of this client (small, or wholly
overseas), when the worker's own company decides."""


class Model(BaseModel):
    """A frozen value on the wire. Unknown fields are ignored: tomorrow's minor version only adds optional fields."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class EventData(Model):
    """The `data` of one CloudEvent.

    TYPE ends in the major version. TOPIC is the topic that carries it. `partition_key()` gives the key that orders it,
    `subject()` the aggregate it is about.
    """

    TYPE: ClassVar[str] = ""
    TOPIC: ClassVar[str] = ""
    MINOR: ClassVar[int] = 0

    agency_id: UUID

    def partition_key(self) -> str:
        raise NotImplementedError(f"{type(self).__name__} names no partition key")

    def subject(self) -> str:
        raise NotImplementedError(f"{type(self).__name__} names no subject")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.TYPE:
            if cls.TYPE in _REGISTRY and _REGISTRY[cls.TYPE].__qualname__ != cls.__qualname__:
                raise TypeError(f"two event classes claim the type {cls.TYPE}")
            _REGISTRY[cls.TYPE] = cls


class WorkerKeyed(EventData):
    """An event ordered by worker: everything about one worker arrives in the order it was decided, within one topic."""

    worker_id: UUID

    def partition_key(self) -> str:
        return str(self.worker_id)


class Reason(Model):
    """Why something is held: a stable code, and the record that would lift it."""

    code: Code
    blocks: tuple[Literal["entry", "pay", "bill"], ...] = ()
    requirement: Code | None = None
    subject_id: UUID | None = None
    expires_at: datetime | None = None


_REGISTRY: dict[str, type[EventData]] = {}


def event_class(event_type: str) -> type[EventData] | None:
    """The model of an event type, or None when this version of the contracts does not know it."""
    _load()
    return _REGISTRY.get(event_type)


def event_classes() -> dict[str, type[EventData]]:
    """Every known event type and its model."""
    _load()
    return dict(_REGISTRY)


@cache
def _load() -> None:
    from paybill_contracts import events  # noqa: F401  registers every class once
