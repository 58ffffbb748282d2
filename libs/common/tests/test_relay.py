"""The relay's promises: in order, once acknowledged, again under the same id after a crash, one at a time."""

from __future__ import annotations

import json

import pytest
import toy
from test_consumer import Crash, CrashAt
from toy import submitted

from paybill_common import outbox
from paybill_common.bus.memory import MemoryBus
from paybill_common.service import Runtime

pytestmark = pytest.mark.integration


@pytest.fixture
async def runtime(runtime_of) -> Runtime:  # type: ignore[no-untyped-def]
    made: Runtime = runtime_of(toy.SPEC)
    async with made.worker_database.transaction(now=made.clock.now()) as tx:
        await tx.execute("DELETE FROM outbox")
    return made


async def write(runtime: Runtime, *numbers: int) -> None:
    async with runtime.worker_database.transaction(now=runtime.clock.now()) as tx:
        for number in numbers:
            tx.emit(submitted(1, number), sequence=number)


def published(bus: MemoryBus) -> list[int]:
    return [json.loads(str(record.value))["sequence"] for log in bus.log.values() for record in log]


async def test_events_are_published_in_the_order_they_were_written(runtime: Runtime, memory_bus: MemoryBus) -> None:
    await write(runtime, 1, 2)
    await write(runtime, 3)
    relay = runtime.relay()
    assert await relay.step() == 3
    assert await relay.step() == 0
    assert published(memory_bus) == [1, 2, 3]


async def test_a_rolled_back_transaction_publishes_nothing(runtime: Runtime, memory_bus: MemoryBus) -> None:
    with pytest.raises(RuntimeError):
        async with runtime.worker_database.transaction(now=runtime.clock.now()) as tx:
            tx.emit(submitted(1, 1), sequence=1)
            await tx.flush()
            raise RuntimeError("the use case failed")
    assert await runtime.relay().step() == 0


@pytest.mark.parametrize(
    ("point", "copies"), [("relay.before_publish", 1), ("relay.after_publish", 2), ("relay.after_commit", 1)]
)
async def test_a_crash_publishes_again_under_the_same_id(
    runtime: Runtime, memory_bus: MemoryBus, point: str, copies: int
) -> None:
    await write(runtime, 1)
    with pytest.raises(Crash):
        await runtime.relay(faults=CrashAt(point)).step()
    await runtime.relay().step()
    ids = [json.loads(str(record.value))["id"] for log in memory_bus.log.values() for record in log]
    assert (len(ids), len(set(ids))) == (copies, 1)


async def test_only_one_relay_publishes_at_a_time(runtime: Runtime, memory_bus: MemoryBus) -> None:
    await write(runtime, 1)
    second = runtime.relay()
    taken = []

    class During:
        def reach(self, point: str) -> None:
            if point == "relay.before_publish":
                taken.append(point)

    first = runtime.relay(faults=During())
    original = first._publish

    async def publish_and_let_the_other_try(rows) -> None:  # type: ignore[no-untyped-def]
        assert await second.step() == 0
        await original(rows)

    first._publish = publish_and_let_the_other_try  # type: ignore[method-assign]
    assert await first.step() == 1
    assert published(memory_bus) == [1]
    assert taken == ["relay.before_publish"]


async def test_a_lost_bus_is_rebuilt_under_the_same_ids(runtime: Runtime, memory_bus: MemoryBus) -> None:
    await write(runtime, 1, 2, 3)
    relay = runtime.relay()
    await relay.step()
    before = [str(record.value) for log in memory_bus.log.values() for record in log]
    memory_bus.wipe()
    async with runtime.worker_database.transaction(now=runtime.clock.now()) as tx:
        assert await outbox.republish_all(tx.connection) == 3
    await relay.step()
    assert [str(record.value) for log in memory_bus.log.values() for record in log] == before


async def test_a_tombstone_travels_without_a_value(runtime: Runtime, memory_bus: MemoryBus) -> None:
    async with runtime.worker_database.transaction(now=runtime.clock.now()) as tx:
        tx.erase(agency_id=toy.AGENCY, topic="paybill.directory", key=f"worker:{toy.worker(1)}", sequence=9)
    await runtime.relay().step()
    (record,) = [record for log in memory_bus.log.values() for record in log]
    assert record.value is None
    assert dict(record.headers)["ce_sequence"] == "9"


async def test_an_empty_outbox_costs_no_transaction(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    await write(runtime, 1)
    relay = runtime.relay()
    assert await relay.step() == 1

    def opened(**_: object) -> None:
        raise AssertionError("a transaction was opened")

    monkeypatch.setattr(runtime.worker_database, "transaction", opened)
    assert await relay.step() == 0
