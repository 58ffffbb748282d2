"""Lock races on two real connections: an operator against the consumer, two operators, a frozen former owner that wakes up.

One side stands still inside its transaction; the other goes on until it waits for a lock, or is done.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import toy
from toy import message, submitted, worker

from paybill_common import dead_letters
from paybill_common.bus import Outgoing
from paybill_common.bus.memory import MemoryBus
from paybill_common.consumer import Consumer, Handler, StepResult
from paybill_common.db import Tx
from paybill_common.envelope import Batch
from paybill_common.service import Runtime

pytestmark = pytest.mark.integration
TOPIC = "paybill.timesheet"
TABLES = ("toy", "inbox", "outbox", "dead_letter", "parked_key", "parked_event", "consumer_state")


@pytest.fixture
async def runtime(runtime_of: Callable[..., Runtime]) -> Runtime:
    runtime = runtime_of(toy.SPEC)
    async with _transaction(runtime) as tx:
        for table in TABLES:
            await tx.execute(f"DELETE FROM {table}")
    return runtime


def _transaction(runtime: Runtime) -> Any:
    return runtime.worker_database.transaction(now=runtime.clock.now())


def _put(bus: MemoryBus, n: int, number: int, *, minutes: int = 60) -> None:
    data = submitted(n, number, minutes=minutes)
    bus.append(Outgoing(TOPIC, data.partition_key(), message(data)))


async def _start(runtime: Runtime, handler: Handler = toy.count) -> Consumer:
    consumer = runtime.consumer()
    assert consumer is not None
    consumer.subscription = dataclasses.replace(consumer.subscription, handler=handler)
    await consumer.start()
    return consumer


class Gate:
    """A handler that stands still inside its transaction until it is let go; then it may fail."""

    def __init__(self, error: Exception | None = None) -> None:
        self.inside, self.leave = asyncio.Event(), asyncio.Event()
        self._error = error

    async def __call__(self, tx: Tx, batch: Batch) -> None:
        await toy.count(tx, batch)
        self.inside.set()
        await asyncio.wait_for(self.leave.wait(), 60)
        if self._error is not None:
            raise self._error

    async def entered_by(self, task: asyncio.Task[Any]) -> None:
        """Until the handler stands still; an error of the task is told at once."""
        waiting = asyncio.ensure_future(self.inside.wait())
        await asyncio.wait({waiting, task}, timeout=60, return_when=asyncio.FIRST_COMPLETED)
        assert self.inside.is_set(), task


async def _waits_for_a_lock(runtime: Runtime, task: asyncio.Task[Any]) -> bool:
    """Whether the task came to stand before a lock; False when it ended instead."""
    async with asyncio.timeout(60):
        while not task.done():
            async with _transaction(runtime) as tx:
                found = await tx.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
                )
                if found.scalar_one():
                    return True
            await asyncio.sleep(0.01)
    return False


async def _dead_letter(runtime: Runtime, bus: MemoryBus) -> int:
    """An event that could not be handled; its cause is mended since."""
    _put(bus, 2, 1, minutes=13)
    consumer = await _start(runtime)
    assert (await consumer.step()).dead == 1
    await consumer.stop()
    async with _transaction(runtime) as tx:
        (letter,) = await dead_letters.list_open(tx)
        await tx.execute(
            "UPDATE dead_letter SET payload = convert_to(replace(convert_from(payload, 'UTF8'), :bad, :good), 'UTF8')",
            bad='"minutes":13',
            good='"minutes":7',
        )
    return letter.id


async def _replay(runtime: Runtime, letter: int, handler: Handler) -> dead_letters.Outcome:
    async with _transaction(runtime) as tx:
        return await dead_letters.replay(tx, handler=handler, dead_letter_id=letter, by="tester")


async def _worked(runtime: Runtime, n: int) -> tuple[int, str]:
    async with _transaction(runtime) as tx:
        row = (await tx.execute("SELECT minutes, story FROM toy WHERE worker_id = :w", w=worker(n))).first()
    return (row.minutes, row.story) if row else (0, "")


async def _left(runtime: Runtime) -> tuple[int, int]:
    """Parked keys and parked events."""
    async with _transaction(runtime) as tx:
        found = await tx.execute("SELECT (SELECT count(*) FROM parked_key), (SELECT count(*) FROM parked_event)")
        keys, events = found.one()
    return keys, events


class TestReplayAgainstPark:
    async def test_what_arrives_while_a_replay_succeeds_is_handled_after_it(
        self, runtime: Runtime, memory_bus: MemoryBus
    ) -> None:
        """Had the consumer looked without a lock, the event would be parked behind a key that nobody releases any more."""
        gate = Gate()
        consuming, waited = await self._race(runtime, memory_bus, gate)
        assert waited
        assert (consuming.handled, consuming.parked) == (1, 0)
        assert await _worked(runtime, 2) == (67, "TS-2-1,TS-2-2")
        assert await _left(runtime) == (0, 0)

    async def test_what_arrives_while_a_replay_fails_parks_behind_it(
        self, runtime: Runtime, memory_bus: MemoryBus
    ) -> None:
        gate = Gate(ValueError("it fails again"))
        consuming, waited = await self._race(runtime, memory_bus, gate)
        assert waited
        assert (consuming.handled, consuming.parked) == (0, 1)
        async with _transaction(runtime) as tx:
            (letter,) = await dead_letters.list_open(tx)
        assert letter.waiting == 1
        assert (await _replay(runtime, letter.id, toy.count)).handled == 2
        assert await _worked(runtime, 2) == (67, "TS-2-1,TS-2-2")
        assert await _left(runtime) == (0, 0)

    async def test_other_keys_flow_meanwhile(self, runtime: Runtime, memory_bus: MemoryBus) -> None:
        letter = await _dead_letter(runtime, memory_bus)
        gate = Gate()
        replaying = asyncio.create_task(_replay(runtime, letter, gate))
        await gate.entered_by(replaying)
        _put(memory_bus, 3, 1)
        assert (await (await _start(runtime)).step()).handled == 1
        assert not replaying.done()
        gate.leave.set()
        assert (await replaying).handled == 1

    async def test_two_operators_at_once_handle_it_once(self, runtime: Runtime, memory_bus: MemoryBus) -> None:
        letter = await _dead_letter(runtime, memory_bus)
        gate = Gate()
        first = asyncio.create_task(_replay(runtime, letter, gate))
        await gate.entered_by(first)
        second = asyncio.create_task(_replay(runtime, letter, toy.count))
        waited = await _waits_for_a_lock(runtime, second)
        gate.leave.set()
        done = await asyncio.gather(first, second, return_exceptions=True)
        assert waited
        assert isinstance(done[1], dead_letters.DeadLetterNotFound)
        assert await _worked(runtime, 2) == (7, "TS-2-1")

    async def _race(self, runtime: Runtime, bus: MemoryBus, gate: Gate) -> tuple[StepResult, bool]:
        """A replay in hand, and an event of the same key that comes meanwhile. Also whether the consumer had to wait."""
        letter = await _dead_letter(runtime, bus)
        consumer = await _start(runtime)
        replaying = asyncio.create_task(_replay(runtime, letter, gate))
        await gate.entered_by(replaying)
        _put(bus, 2, 2)
        consuming = asyncio.create_task(consumer.step())
        waited = await _waits_for_a_lock(runtime, consuming)
        gate.leave.set()
        await replaying
        return await consuming, waited


class TestAFrozenFormerOwner:
    """It polled, froze, and lost its partitions; then it wakes up while the new owner works on the same events."""

    async def test_it_wakes_up_inside_its_transaction(self, runtime: Runtime, memory_bus: MemoryBus) -> None:
        """The new owner waits until the old one has committed, and finds everything done."""
        gate = Gate()
        frozen, owner = await _start(runtime, gate), await _start(runtime)
        await owner.stop()
        self._eight(memory_bus)
        before = asyncio.create_task(frozen.step())
        await gate.entered_by(before)
        await self._taken_over(frozen, owner)
        after = asyncio.create_task(owner.step())
        assert await _waits_for_a_lock(runtime, after)
        gate.leave.set()
        old, new = await asyncio.gather(before, after)
        assert (old.handled, old.lost) == (8, True)
        assert (new.handled, new.duplicates) == (0, 8)
        await self._once(runtime)

    async def test_it_wakes_up_while_the_new_owner_is_in_the_middle(
        self, runtime: Runtime, memory_bus: MemoryBus
    ) -> None:
        gate = Gate()
        frozen, owner = await _start(runtime), await _start(runtime, gate)
        await owner.stop()
        self._eight(memory_bus)
        records = await frozen._bus_consumer.poll(max_records=100, timeout_ms=0)
        assert len(records) == 8
        await self._taken_over(frozen, owner)
        working = asyncio.create_task(owner.step())
        await gate.entered_by(working)
        woken = asyncio.create_task(frozen._process(records))
        assert await _waits_for_a_lock(runtime, woken)
        gate.leave.set()
        new, old = await asyncio.gather(working, woken)
        assert (new.handled, old.handled, old.duplicates) == (8, 0, 8)
        await self._once(runtime)

    def _eight(self, bus: MemoryBus) -> None:
        for n in range(1, 9):
            _put(bus, n, 1)

    async def _taken_over(self, frozen: Consumer, owner: Consumer) -> None:
        """The group gives the frozen member's partitions away; it does not know."""
        await frozen._bus_consumer.stop()
        await owner.start()

    async def _once(self, runtime: Runtime) -> None:
        assert [(await _worked(runtime, n))[0] for n in range(1, 9)] == [60] * 8
        async with _transaction(runtime) as tx:
            emitted = await tx.execute("SELECT count(*) FROM outbox WHERE topic = 'paybill.compliance'")
            assert emitted.scalar_one() == 8
