"""One conformance suite for the bus, run on the bus in memory and on a real Kafka broker."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import pytest

from paybill_common.bus import Bus, BusConsumer, NotAssigned, Outgoing, Record
from paybill_common.bus.kafka import KafkaBus
from paybill_common.bus.memory import MemoryBus
from paybill_common.ids import new_id
from paybill_contracts.topics import Topic
from paybill_stack.topics import create_topics, delete_topics

pytestmark = pytest.mark.integration


@pytest.fixture
def topic() -> str:
    return f"conformance-{new_id()}"


@pytest.fixture(params=["memory", "kafka"])
async def bus(request: pytest.FixtureRequest, topic: str) -> AsyncIterator[Bus]:
    if request.param == "memory":
        yield MemoryBus(default_partitions=4)
        return
    stack = request.getfixturevalue("stack")
    declared = Topic(topic, "test", "key", 4, 1, "conformance", ("test",), ("test",), (), None)
    await create_topics(stack.kafka_bootstrap, [declared])
    yield KafkaBus(stack.kafka_bootstrap, session_timeout_ms=6_000)
    await delete_topics(stack.kafka_bootstrap, [topic])


@contextlib.asynccontextmanager
async def member(bus: Bus, topic: str, group: str = "readers") -> AsyncIterator[BusConsumer]:
    consumer = bus.consumer(group=f"{group}-{topic}", topics=[topic])
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def send(bus: Bus, records: Sequence[Outgoing]) -> None:
    producer = bus.producer()
    await producer.start()
    try:
        await producer.send(records)
    finally:
        await producer.stop()


async def read(consumer: BusConsumer, count: int) -> list[Record]:
    """Poll until so many records came; bounded by a hundred polls."""
    found: list[Record] = []
    for _ in range(100):
        found += await consumer.poll(max_records=500, timeout_ms=200)
        if len(found) >= count:
            break
    return found


def records(topic: str, keys: int, each: int) -> list[Outgoing]:
    return [Outgoing(topic, f"key-{k}", f"{k}:{n}", (("h", "v"),)) for n in range(each) for k in range(keys)]


async def test_records_keep_their_order_within_a_key(bus: Bus, topic: str) -> None:
    await send(bus, records(topic, keys=7, each=20))
    async with member(bus, topic) as consumer:
        found = await read(consumer, 140)
    assert len(found) == 140
    for k in range(7):
        assert [r.value for r in found if r.key == f"key-{k}"] == [
            v if isinstance(found[0].value, str) else v.encode() for v in (f"{k}:{n}" for n in range(20))
        ]
    assert found[0].headers == (("h", "v"),)


async def test_a_key_always_lands_on_the_same_partition(bus: Bus, topic: str) -> None:
    await send(bus, records(topic, keys=10, each=3))
    async with member(bus, topic) as consumer:
        found = await read(consumer, 30)
    assert len({(r.key, r.partition) for r in found}) == 10


async def test_a_tombstone_has_no_value(bus: Bus, topic: str) -> None:
    await send(bus, [Outgoing(topic, "k", None, (("ce_id", "1"),))])
    async with member(bus, topic) as consumer:
        (record,) = await read(consumer, 1)
    assert (record.value, record.headers) == (None, (("ce_id", "1"),))


async def test_uncommitted_records_are_read_again_by_the_next_member(bus: Bus, topic: str) -> None:
    await send(bus, records(topic, keys=3, each=5))
    async with member(bus, topic) as first:
        found = await read(first, 15)
        await first.commit({r.tp: r.offset + 1 for r in found if r.partition == found[0].partition})
        left = sum(r.partition != found[0].partition for r in found)
    async with member(bus, topic) as second:
        assert len(await read(second, left or 1)) == left


async def test_seek_reads_again(bus: Bus, topic: str) -> None:
    await send(bus, records(topic, keys=1, each=5))
    async with member(bus, topic) as consumer:
        first = await read(consumer, 5)
        await consumer.seek({first[0].tp: first[0].offset})
        assert [r.offset for r in await read(consumer, 5)] == [r.offset for r in first]


async def test_two_members_share_the_partitions_and_groups_do_not(bus: Bus, topic: str) -> None:
    async with member(bus, topic) as one, member(bus, topic) as two, member(bus, topic, group="others") as other:
        for _ in range(100):
            await asyncio.gather(*(c.poll(max_records=1, timeout_ms=50) for c in (one, two, other)))
            if len(one.assignment()) == len(two.assignment()) == 2 and len(other.assignment()) == 4:
                break
        assert not one.assignment() & two.assignment()
        assert len(one.assignment() | two.assignment()) == 4
        assert len(other.assignment()) == 4


async def test_committing_a_lost_partition_says_so(bus: Bus, topic: str) -> None:
    await send(bus, records(topic, keys=8, each=2))
    async with member(bus, topic) as one:
        found = await read(one, 16)
        async with member(bus, topic) as two:
            for _ in range(100):
                await two.poll(max_records=1, timeout_ms=50)
                if len(two.assignment()) == 2 and len(one.assignment()) == 2:
                    break
            with pytest.raises(NotAssigned):
                await one.commit({r.tp: r.offset + 1 for r in found})


async def test_lag_counts_what_is_not_committed(bus: Bus, topic: str) -> None:
    await send(bus, records(topic, keys=4, each=5))
    async with member(bus, topic) as consumer:
        found = await read(consumer, 20)
        assert sum((await consumer.lag()).values()) == 20
        ends: dict[object, int] = {}
        for record in found:
            ends[record.tp] = record.offset + 1
        await consumer.commit(ends)  # type: ignore[arg-type]
        assert sum((await consumer.lag()).values()) == 0


async def test_the_bus_answers(bus: Bus) -> None:
    assert await bus.ready()
