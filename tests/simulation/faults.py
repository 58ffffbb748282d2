"""The faulty bus and the crash injector: everything that can go wrong, drawn from one seed."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from paybill_common.bus import Outgoing, Record, TopicPartition
from paybill_common.bus.memory import MemoryBus, MemoryConsumer


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
        self.calm = False
        self.choose = self._choose
        self.duplicate = self._duplicate

    def consumer(self, *, group: str, topics: Sequence[str]) -> MemoryConsumer:
        return _ShortPolls(self, group=group, topics=topics, rng=self._rng)

    def deliver_late(self) -> None:
        """Append one of the held-back copies, if there is one."""
        if self._late:
            self.append(self._late.pop(self._rng.randrange(len(self._late))))

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
        return 2 if 0.05 <= draw < 0.12 else 1


class _ShortPolls(MemoryConsumer):
    def __init__(self, bus: FaultyBus, *, group: str, topics: Sequence[str], rng: random.Random) -> None:
        super().__init__(bus, group=group, topics=topics)
        self._faulty, self._rng = bus, rng

    async def poll(self, *, max_records: int, timeout_ms: int) -> Sequence[Record]:
        most = max_records if self._faulty.calm else self._rng.randint(1, 40)
        return await super().poll(max_records=most, timeout_ms=timeout_ms)


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
