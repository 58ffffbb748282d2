"""A client of aiokafka that lost one of its own tasks, or whose commits hang: it is replaced, and what came meanwhile is read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from paybill_common.bus import BusUnavailable, Outgoing, Record
from paybill_common.bus.kafka import HUNG_MAX, KafkaBus, KafkaConsumer, KafkaProducer
from paybill_common.ids import new_id
from paybill_contracts.topics import Topic
from paybill_stack.stack import Stack
from paybill_stack.topics import create_topics, delete_topics

pytestmark = pytest.mark.integration


@pytest.fixture
async def topic(stack: Stack) -> AsyncIterator[str]:
    name = f"client-{new_id()}"
    await create_topics(
        stack.kafka_bootstrap, [Topic(name, "test", "key", 1, 1, "client", ("test",), ("test",), (), None)]
    )
    yield name
    await delete_topics(stack.kafka_bootstrap, [name])


@asynccontextmanager
async def _member(stack: Stack, topic: str, **timeouts: int) -> AsyncIterator[tuple[KafkaConsumer, KafkaProducer]]:
    """A member of a group of its own, and who writes to its topic."""
    bus = KafkaBus(stack.kafka_bootstrap, session_timeout_ms=6_000, **timeouts)
    consumer, producer = bus.consumer(group=f"readers-{topic}", topics=[topic]), bus.producer()
    await consumer.start()
    try:
        yield consumer, producer
    finally:
        await consumer.stop()
        await producer.stop()


async def _closed(*_: object) -> None:
    raise RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")


def lose_the_coordination(client: Any) -> None:
    """What uvloop makes of a broker that was killed while the group was spoken to."""
    client._coordinator.ensure_coordinator_known = _closed
    client._coordinator.request_rejoin()


def lose_the_fetching(client: Any) -> None:
    client._fetcher._proc_fetch_request = _closed


@pytest.mark.parametrize("lose", [lose_the_coordination, lose_the_fetching])
async def test_a_client_that_lost_a_task_is_replaced_and_reads_on(
    stack: Stack, topic: str, lose: Callable[[Any], None]
) -> None:
    async with _member(stack, topic) as (consumer, producer):
        await producer.send([Outgoing(topic, "k", "before")])
        before = await _next(consumer, [])
        await consumer.commit({before.tp: before.offset + 1})
        client = consumer._consumer
        lose(client)
        await producer.send([Outgoing(topic, "k", "after")])
        refused: list[BusUnavailable] = []
        after = await _next(consumer, refused)
        assert (before.value, after.value) == (b"before", b"after")
        assert len(refused) == 1, "the loss is told once, as a bus that is away for a moment"
        assert consumer._consumer is not client
        assert not [task for task in asyncio.all_tasks() if "_heartbeat_routine" in repr(task)][1:]


async def test_a_client_whose_commits_hang_is_replaced_and_commits(stack: Stack, topic: str) -> None:
    """As after a broker's restart: its polls go on, and it waits for a coordinator that nobody looks up any more."""
    async with _member(stack, topic, request_timeout_ms=4_000) as (consumer, producer):
        await producer.send([Outgoing(topic, "k", "once")])
        read = await _next(consumer, [])
        client = consumer._consumer
        await client._coordinator._coordinator_lookup_lock.acquire()
        client._coordinator.coordinator_dead()
        with pytest.raises(BusUnavailable, match="commit"):
            await consumer.commit({read.tp: read.offset + 1})
        again = await _next(consumer, [])
        assert (again.offset, again.value) == (read.offset, b"once")
        await consumer.commit({again.tp: again.offset + 1})
        assert consumer._consumer is not client
        assert await consumer.lag() == {again.tp: 0}


async def test_a_client_whose_polls_hang_is_replaced_and_reads_on(stack: Stack, topic: str) -> None:
    """It is told to join its group again, and waits for ever for whom to ask."""
    async with _member(stack, topic, request_timeout_ms=3_000) as (consumer, producer):
        await producer.send([Outgoing(topic, "k", "before")])
        before = await _next(consumer, [])
        await consumer.commit({before.tp: before.offset + 1})
        client = consumer._consumer
        await client._coordinator._coordinator_lookup_lock.acquire()
        client._coordinator.coordinator_dead()
        client._subscription._subscription._reassignment_in_progress = True
        await producer.send([Outgoing(topic, "k", "after")])
        refused: list[BusUnavailable] = []
        after = await _next(consumer, refused)
        assert (after.value, len(refused)) == (b"after", HUNG_MAX)
        assert consumer._consumer is not client


async def _next(consumer: KafkaConsumer, refused: list[BusUnavailable]) -> Record:
    """The next record, however often the bus has to be asked."""
    async with asyncio.timeout(60):
        while True:
            try:
                found = await consumer.poll(max_records=1, timeout_ms=200)
            except BusUnavailable as error:
                refused.append(error)
                continue
            if found:
                return found[0]
