"""The nouns of the bus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol


class TopicPartition(NamedTuple):
    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class Record:
    """One record as read: value None is a tombstone. Headers are text pairs."""

    topic: str
    partition: int
    offset: int
    key: str
    value: str | bytes | None
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def tp(self) -> TopicPartition:
        return TopicPartition(self.topic, self.partition)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One record to publish."""

    topic: str
    key: str
    value: str | None
    headers: tuple[tuple[str, str], ...] = ()


class BusUnavailable(Exception):
    """The bus did not answer in time; the work is tried again."""


class NotAssigned(Exception):
    """The partition belongs to another member of the group now; its offsets are not ours to commit or seek."""


class BusConsumer(Protocol):
    """One member of a consumer group."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def poll(self, *, max_records: int, timeout_ms: int) -> Sequence[Record]:
        """The next records across the assigned partitions, in order within each; none after `timeout_ms`."""
        ...

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit the next offsets to read. Raises NotAssigned after losing a partition."""
        ...

    async def seek(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Read again from these offsets; partitions that were lost are passed over."""
        ...

    def assignment(self) -> frozenset[TopicPartition]: ...

    async def lag(self) -> Mapping[TopicPartition, int]:
        """Records not yet committed, by assigned partition."""
        ...


class BusProducer(Protocol):
    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def send(self, records: Sequence[Outgoing]) -> None:
        """Publish all, in order within a key, and return when the bus has acknowledged every one."""
        ...


class Bus(Protocol):
    """A factory of consumers and producers on one bus."""

    def consumer(self, *, group: str, topics: Sequence[str]) -> BusConsumer: ...

    def producer(self) -> BusProducer: ...

    async def ready(self) -> bool:
        """The bus answers."""
        ...
