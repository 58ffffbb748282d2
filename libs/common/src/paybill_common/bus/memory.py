"""A bus in memory for simulations and unit tests: same interface, same ordering promises, no threads, no time.

Faults are injected by the simulation through `before_poll`/`deliver` hooks: duplicates, delays and reordering across
keys (never within a key of one topic), rebalances, and frozen former owners.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from paybill_common.bus.types import BusConsumer, BusProducer, NotAssigned, Outgoing, Record, TopicPartition


class MemoryBus:
    """Topics with partitions, consumer groups with committed offsets and a generation that a rebalance raises."""

    def __init__(self, partitions: Mapping[str, int] | None = None, *, default_partitions: int = 4) -> None:
        self._partitions = dict(partitions or {})
        self._default = default_partitions
        self.log: dict[TopicPartition, list[Record]] = defaultdict(list)
        self.committed: dict[tuple[str, TopicPartition], int] = {}
        self.members: dict[str, list[MemoryConsumer]] = defaultdict(list)
        self.choose: Callable[[list[TopicPartition]], list[TopicPartition]] = sorted
        """Which partitions a poll reads, in which order; the simulation shuffles and delays here."""
        self.duplicate: Callable[[Outgoing], int] = lambda _record: 1
        """How many copies of a record a send appends; the simulation sends some twice."""

    def partition_count(self, topic: str) -> int:
        return self._partitions.get(topic, self._default)

    def consumer(self, *, group: str, topics: Sequence[str]) -> MemoryConsumer:
        return MemoryConsumer(self, group=group, topics=topics)

    def producer(self) -> MemoryProducer:
        return MemoryProducer(self)

    async def ready(self) -> bool:
        return True

    def partition_of(self, topic: str, key: str) -> TopicPartition:
        return TopicPartition(topic, zlib.crc32(key.encode()) % self.partition_count(topic))

    def append(self, record: Outgoing) -> None:
        tp = self.partition_of(record.topic, record.key)
        log = self.log[tp]
        log.append(Record(record.topic, tp.partition, len(log), record.key, record.value, record.headers))

    def rebalance(self, group: str) -> None:
        """Range assignment over the members that are up; each starts from the committed offsets."""
        members = self.members[group]
        for member in members:
            member.revoke()
        if not members:
            return
        for topic in sorted({topic for member in members for topic in member.topics}):
            takers = [member for member in members if topic in member.topics]
            count = self.partition_count(topic)
            size, extra = divmod(count, len(takers))
            start = 0
            for index, member in enumerate(takers):
                take = size + (1 if index < extra else 0)
                for partition in range(start, start + take):
                    member.assign(TopicPartition(topic, partition))
                start += take

    def wipe(self) -> None:
        """Lose everything: records and committed offsets."""
        self.log.clear()
        self.committed.clear()
        for group in list(self.members):
            self.rebalance(group)


class MemoryConsumer(BusConsumer):
    def __init__(self, bus: MemoryBus, *, group: str, topics: Sequence[str]) -> None:
        self._bus = bus
        self.group = group
        self.topics = tuple(topics)
        self._positions: dict[TopicPartition, int] = {}

    async def start(self) -> None:
        self._bus.members[self.group].append(self)
        self._bus.rebalance(self.group)

    async def stop(self) -> None:
        if self in self._bus.members[self.group]:
            self._bus.members[self.group].remove(self)
            self.revoke()
            self._bus.rebalance(self.group)

    def revoke(self) -> None:
        self._positions.clear()

    def assign(self, tp: TopicPartition) -> None:
        self._positions[tp] = self._bus.committed.get((self.group, tp), 0)

    async def poll(self, *, max_records: int, timeout_ms: int) -> Sequence[Record]:
        records: list[Record] = []
        for tp in self._bus.choose(list(self._positions)):
            log = self._bus.log[tp]
            start = self._positions[tp]
            taken = log[start : start + max_records - len(records)]
            self._positions[tp] = start + len(taken)
            records.extend(taken)
        return records

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        lost = [tp for tp in offsets if tp not in self._positions]
        for tp, offset in offsets.items():
            if tp in self._positions:
                self._bus.committed[(self.group, tp)] = offset
        if lost:
            raise NotAssigned(f"{self.group} no longer owns {lost[0]}")

    async def seek(self, offsets: Mapping[TopicPartition, int]) -> None:
        for tp, offset in offsets.items():
            if tp in self._positions:
                self._positions[tp] = offset

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset(self._positions)

    async def lag(self) -> Mapping[TopicPartition, int]:
        return {tp: len(self._bus.log[tp]) - self._bus.committed.get((self.group, tp), 0) for tp in self._positions}


class MemoryProducer(BusProducer):
    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus

    async def start(self) -> None:
        return None

    async def stop(self) -> None:
        return None

    async def send(self, records: Sequence[Outgoing]) -> None:
        for record in records:
            for _ in range(self._bus.duplicate(record)):
                self._bus.append(record)
