"""What operators look at: each number after real work."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import toy
from prometheus_client import REGISTRY
from test_consumer import put_event, start

from paybill_common import dead_letters
from paybill_common.bus.memory import MemoryBus
from paybill_common.service import Runtime, Worker

pytestmark = pytest.mark.integration


@pytest.fixture
async def runtime(runtime_of: Callable[..., Runtime]) -> Runtime:
    runtime = runtime_of(toy.SPEC)
    async with runtime.worker_database.transaction(now=runtime.clock.now()) as tx:
        for table in ("toy", "inbox", "outbox", "dead_letter", "parked_key", "parked_event", "consumer_state"):
            await tx.execute(f"DELETE FROM {table}")
    return runtime


def value(sample: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"paybill_{sample}", labels) or 0


def counted() -> dict[str, float]:
    """What the toy's consumer has counted so far, and what its relay."""
    consumer = ("events_consumed_total", "events_duplicate_total", "dead_letters_total", "events_parked_total")
    histograms = ("batch_events_count", "batch_events_sum", "handler_seconds_count", "handler_seconds_sum")
    found = {name: value(name, consumer="toy") for name in (*consumer, *histograms, "offset_commit_failures_total")}
    return found | {"events_relayed_total": value("events_relayed_total", service="compliance")}


async def test_metrics_tell_what_was_done_and_what_waits(runtime: Runtime, memory_bus: MemoryBus) -> None:
    """Two new events, one of them twice, one that is refused for good, and one behind it."""
    for n, number, minutes in ((1, 1, 60), (1, 1, 60), (2, 1, 13), (2, 2, 60), (3, 1, 60)):
        put_event(memory_bus, n, number, minutes=minutes)
    worker = Worker(runtime)
    worker.consumer = await start(runtime)

    async def waits() -> tuple[float, float, float]:
        await worker.measure()
        lag, dead = value("consumer_lag", consumer="compliance"), value("dead_letters_open", consumer="compliance")
        return lag, dead, value("outbox_age_seconds", service="compliance")

    assert await waits() == (5, 0, 0)
    before = counted()
    await worker.consumer.step()
    async with runtime.worker_database.transaction(now=runtime.clock.now()) as tx:
        await tx.execute("UPDATE outbox SET created_at = created_at - interval '1 hour'")
        (letter,) = await dead_letters.list_open(tx)
    lag, dead, age_s = await waits()
    assert (lag, dead, int(age_s) // 3600) == (0, 1, 1)
    published = await runtime.relay().step()
    done = {name: now - before[name] for name, now in counted().items()}
    assert done.pop("handler_seconds_sum") > 0
    assert done == {
        "events_consumed_total": 2,
        "events_duplicate_total": 1,
        "dead_letters_total": 1,
        "events_parked_total": 1,
        "batch_events_count": 1,
        "batch_events_sum": 2,
        "handler_seconds_count": 1,
        "offset_commit_failures_total": 0,
        "events_relayed_total": published,
    }
    async with runtime.worker_database.transaction(now=runtime.clock.now()) as tx:
        await dead_letters.discard(tx, handler=toy.count, dead_letter_id=letter.id, by="tester", reason="no event")
    await runtime.relay().step()
    assert (await waits())[1:] == (0, 0)


async def test_an_offset_commit_lost_to_a_rebalance_is_counted(runtime: Runtime, memory_bus: MemoryBus) -> None:
    put_event(memory_bus, 1, 1)
    before = counted()
    consumer = await start(runtime, faults=Rebalance(memory_bus))
    assert (await consumer.step()).lost
    assert counted()["offset_commit_failures_total"] - before["offset_commit_failures_total"] == 1


class Rebalance:
    """The consumer loses its partitions when its work is done and the offsets are not committed."""

    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus

    def reach(self, point: str) -> None:
        if point == "consumer.after_transaction":
            for member in self._bus.members["toy"]:
                member.revoke()
