"""The faulty bus and the crash injector: everything that can go wrong, drawn from one seed."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence

from paybill_common.bus import Outgoing, Record, TopicPartition
from paybill_common.bus.memory import MemoryBus, MemoryConsumer

DUPLICATE = "a record was published twice at once"
LATE_DUPLICATE = "a copy came after newer events of its key"
OVERTAKEN = "a record was first read after a newer one"
PARTITION_MOVED = "a rebalance gave a partition to another member"


class Crash(BaseException):
    """The process dies at this point; only what Postgres and the bus hold survives."""


class FaultyBus(MemoryBus):
    """Duplicates at once and late, delays partitions (so that topics and keys overtake each other), cuts polls short.

    Order within a key of one topic holds for first deliveries, as on Kafka; a late duplicate may follow newer events,
    as after a frozen relay wakes up.
    """

    def __init__(self, rng: random.Random, partitions: Mapping[str, int]) -> None:
        super().__init__(partitions)
        self._rng = rng
        self._late: list[Outgoing] = []
        self._appended: dict[tuple[TopicPartition, int], int] = {}
        self._newest_read: dict[str, int] = defaultdict(int)
        self._read: set[tuple[str, int]] = set()
        self.met: set[str] = set()
        """The faults that really happened, by name."""
        self.calm = False
        self.choose = self._choose
        self.duplicate = self._duplicate

    def consumer(self, *, group: str, topics: Sequence[str]) -> MemoryConsumer:
        return _ShortPolls(self, group=group, topics=topics, rng=self._rng)

    def append(self, record: Outgoing) -> None:
        super().append(record)
        self._appended[self._last_of(record.topic, record.key)] = len(self._appended) + 1

    def rebalance(self, group: str) -> None:
        before = {tp: member for member in self.members[group] for tp in member.assignment()}
        super().rebalance(group)
        after = {tp: member for member in self.members[group] for tp in member.assignment()}
        if any(after[tp] is not member for tp, member in before.items() if tp in after):
            self.met.add(PARTITION_MOVED)

    def read(self, group: str, records: Sequence[Record]) -> None:
        """A group's member read these: did something newer come before one that nobody of the group had read?"""
        for record in records:
            number = self._appended[(record.tp, record.offset)]
            if number < self._newest_read[group] and (group, number) not in self._read:
                self.met.add(OVERTAKEN)
            self._read.add((group, number))
            self._newest_read[group] = max(number, self._newest_read[group])

    def wipe(self) -> None:
        super().wipe()
        self._appended.clear()
        self._newest_read.clear()
        self._read.clear()

    def deliver_late(self) -> None:
        """Append one of the held-back copies, if there is one."""
        if self._late:
            record = self._late.pop(self._rng.randrange(len(self._late)))
            newest = self._newest_of(record.topic, record.key)
            if newest is not None and newest != record.value:
                self.met.add(LATE_DUPLICATE)
            self.append(record)

    def settle(self) -> None:
        """No more faults: everything held back arrives now."""
        self.calm = True
        while self._late:
            self.deliver_late()

    def _choose(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        ordered = sorted(partitions)
        if self.calm:
            return ordered
        self._rng.shuffle(ordered)
        return [tp for tp in ordered if self._rng.random() > 0.25]

    def _duplicate(self, record: Outgoing) -> int:
        if self.calm:
            return 1
        draw = self._rng.random()
        if draw < 0.05:
            self._late.append(record)
        twice = 0.05 <= draw < 0.12
        if twice:
            self.met.add(DUPLICATE)
        return 2 if twice else 1

    def _last_of(self, topic: str, key: str) -> tuple[TopicPartition, int]:
        tp = self.partition_of(topic, key)
        return tp, len(self.log[tp]) - 1

    def _newest_of(self, topic: str, key: str) -> str | None:
        log = self.log[self.partition_of(topic, key)]
        return next((record.value for record in reversed(log) if record.key == key), None)


class _ShortPolls(MemoryConsumer):
    def __init__(self, bus: FaultyBus, *, group: str, topics: Sequence[str], rng: random.Random) -> None:
        super().__init__(bus, group=group, topics=topics)
        self._faulty, self._rng = bus, rng

    async def poll(self, *, max_records: int, timeout_ms: int) -> Sequence[Record]:
        most = max_records if self._faulty.calm else self._rng.randint(1, 40)
        records = await super().poll(max_records=most, timeout_ms=timeout_ms)
        self._faulty.read(self.group, records)
        return records


class CrashDice:
    """Crashes at each point that the runtime names, with a small chance, while it is armed."""

    def __init__(self, rng: random.Random, chance: float) -> None:
        self._rng = rng
        self._chance = chance
        self.armed = True
        self.crashes: list[str] = []

    def reach(self, point: str) -> None:
        if self.armed and self._rng.random() < self._chance:
            self.crashes.append(point)
            raise Crash(point)
