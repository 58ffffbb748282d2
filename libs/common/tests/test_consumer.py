"""The consumer's promises, each crashed or refused at the point where it could be broken."""

from __future__ import annotations

import json

import pytest
import toy
from toy import AGENCY, message, submitted, worker

from paybill_common import dead_letters
from paybill_common.bus import BusUnavailable, Outgoing
from paybill_common.bus.memory import MemoryBus
from paybill_common.consumer import Consumer
from paybill_common.service import Runtime

pytestmark = pytest.mark.integration
TOPIC = "paybill.timesheet"


class Crash(BaseException):
    """The process dies here."""


class CrashAt:
    def __init__(self, point: str) -> None:
        self.point = point
        self.armed = True

    def reach(self, point: str) -> None:
        if self.armed and point == self.point:
            self.armed = False
            raise Crash(point)


@pytest.fixture
async def runtime(runtime_of) -> Runtime:  # type: ignore[no-untyped-def]
    runtime = runtime_of(toy.SPEC)
    async with runtime.worker_database.transaction(now=runtime.clock.now()) as tx:
        for table in ("toy", "inbox", "outbox", "dead_letter", "parked_key", "parked_event", "consumer_state"):
            await tx.execute(f"DELETE FROM {table}")
    return runtime


async def start(runtime: Runtime, **options: object) -> Consumer:
    consumer = runtime.consumer(**options)
    assert consumer is not None
    await consumer.start()
    return consumer


def put(bus: MemoryBus, text: str, key: str) -> None:
    bus.append(Outgoing(TOPIC, key, text))


def put_event(bus: MemoryBus, n: int, number: int, **options: int) -> None:
    data = submitted(n, number, **options)
    put(bus, message(data), data.partition_key())


async def minutes(runtime: Runtime, n: int) -> int:
    async with runtime.worker_database.transaction(now=runtime.clock.now()) as tx:
        row = (await tx.execute("SELECT minutes FROM toy WHERE worker_id = :w", w=worker(n))).first()
    return row.minutes if row else 0


async def story(runtime: Runtime, n: int) -> str:
    async with runtime.worker_database.transaction(now=runtime.clock.now()) as tx:
        row = (await tx.execute("SELECT story FROM toy WHERE worker_id = :w", w=worker(n))).first()
    return row.story if row else ""


async def outbox_count(runtime: Runtime, topic: str) -> int:
    async with runtime.worker_database.transaction(now=runtime.clock.now()) as tx:
        return int((await tx.execute("SELECT count(*) FROM outbox WHERE topic = :t", t=topic)).scalar_one())


async def test_state_inbox_and_outbox_commit_together(runtime: Runtime, memory_bus: MemoryBus) -> None:
    put_event(memory_bus, 1, 1)
    consumer = await start(runtime)
    result = await consumer.step()
    assert (result.handled, await minutes(runtime, 1), await outbox_count(runtime, "paybill.compliance")) == (1, 60, 1)


async def test_the_same_event_twice_in_one_poll_is_handled_once(runtime: Runtime, memory_bus: MemoryBus) -> None:
    put_event(memory_bus, 1, 1)
    put_event(memory_bus, 1, 1)
    consumer = await start(runtime)
    result = await consumer.step()
    assert (result.handled, result.duplicates, await minutes(runtime, 1)) == (1, 1, 60)


@pytest.mark.parametrize(
    "point",
    ["consumer.before_transaction", "consumer.before_commit", "consumer.after_transaction", "consumer.after_offsets"],
)
async def test_a_crash_at_any_point_loses_and_doubles_nothing(
    runtime: Runtime, memory_bus: MemoryBus, point: str
) -> None:
    for n in range(1, 6):
        put_event(memory_bus, n, 1)
    consumer = await start(runtime, faults=CrashAt(point))
    with pytest.raises(Crash):
        await consumer.step()
    await consumer.stop()
    again = await start(runtime)
    while (await again.step()).polled:
        pass
    assert [await minutes(runtime, n) for n in range(1, 6)] == [60] * 5
    assert await outbox_count(runtime, "paybill.compliance") == 5


async def test_a_permanent_error_isolates_one_event_and_parks_its_followers(
    runtime: Runtime, memory_bus: MemoryBus
) -> None:
    put_event(memory_bus, 1, 1)
    put_event(memory_bus, 2, 1, minutes=13)
    put_event(memory_bus, 2, 2)
    put_event(memory_bus, 3, 1)
    consumer = await start(runtime)
    result = await consumer.step()
    assert (result.dead, result.parked, result.handled) == (1, 1, 2)
    put_event(memory_bus, 2, 3)
    assert (await consumer.step()).parked == 1
    assert (await minutes(runtime, 1), await minutes(runtime, 2), await minutes(runtime, 3)) == (60, 0, 60)
    assert await outbox_count(runtime, f"{TOPIC}.dead") == 1


async def test_followers_park_on_any_topic_of_the_consumer(runtime: Runtime, memory_bus: MemoryBus) -> None:
    put_event(memory_bus, 2, 1, minutes=13)
    consumer = await start(runtime)
    await consumer.step()
    data = submitted(2, 9)
    memory_bus.append(Outgoing("paybill.compliance", data.partition_key(), message(data)))
    assert (await consumer.step()).parked == 1


async def test_replay_handles_the_letter_and_then_what_waits_in_order(runtime: Runtime, memory_bus: MemoryBus) -> None:
    put_event(memory_bus, 2, 1, minutes=13)
    for number in (2, 3, 4):
        put_event(memory_bus, 2, number)
    consumer = await start(runtime)
    await consumer.step()
    async with runtime.worker_database.transaction(now=runtime.clock.now()) as tx:
        (letter,) = await dead_letters.list_open(tx)
        assert letter.waiting == 3
        await tx.execute(
            "UPDATE dead_letter SET payload = convert_to(replace(convert_from(payload, 'UTF8'), :bad, :good), 'UTF8')",
            bad='"minutes":13',
            good='"minutes":7',
        )
    async with runtime.worker_database.transaction(now=runtime.clock.now()) as tx:
        outcome = await dead_letters.replay(tx, handler=toy.count, dead_letter_id=letter.id, by="tester")
    assert (outcome.handled, outcome.dead_letter_id) == (4, None)
    assert await story(runtime, 2) == "TS-2-1,TS-2-2,TS-2-3,TS-2-4"
    put_event(memory_bus, 2, 5)
    assert (await consumer.step()).handled == 1


async def test_a_replay_that_fails_again_changes_nothing_and_counts_the_attempt(
    runtime: Runtime, memory_bus: MemoryBus
) -> None:
    put_event(memory_bus, 2, 1, minutes=13)
    put_event(memory_bus, 2, 2)
    await (await start(runtime)).step()
    async with runtime.worker_database.transaction(now=runtime.clock.now()) as tx:
        (letter,) = await dead_letters.list_open(tx)
        outcome = await dead_letters.replay(tx, handler=toy.count, dead_letter_id=letter.id, by="tester")
        (again,) = await dead_letters.list_open(tx)
    assert (outcome.handled, outcome.dead_letter_id, again.attempts, again.waiting) == (0, letter.id, 2, 1)


async def test_discard_releases_what_waits(runtime: Runtime, memory_bus: MemoryBus) -> None:
    put_event(memory_bus, 2, 1, minutes=13)
    put_event(memory_bus, 2, 2)
    put_event(memory_bus, 2, 3, minutes=13)
    put_event(memory_bus, 2, 4)
    await (await start(runtime)).step()
    async with runtime.worker_database.transaction(now=runtime.clock.now()) as tx:
        (letter,) = await dead_letters.list_open(tx)
        outcome = await dead_letters.discard(
            tx, handler=toy.count, dead_letter_id=letter.id, by="tester", reason="sent by mistake"
        )
        (second,) = await dead_letters.list_open(tx)
    assert (outcome.handled, outcome.dead_letter_id, second.waiting) == (1, second.id, 1)
    assert await story(runtime, 2) == "TS-2-2"


async def test_operators_of_another_agency_cannot_replay(runtime: Runtime, memory_bus: MemoryBus) -> None:
    put_event(memory_bus, 2, 1, minutes=13)
    await (await start(runtime)).step()
    async with runtime.worker_database.transaction(now=runtime.clock.now()) as tx:
        (letter,) = await dead_letters.list_open(tx, agencies=[AGENCY])
        with pytest.raises(dead_letters.DeadLetterNotFound):
            await dead_letters.replay(tx, handler=toy.count, dead_letter_id=letter.id, by="x", agencies=[worker(1)])


@pytest.mark.parametrize("text", ["{", '"text"', '{"specversion":"1.0"}', "\x00", "[" * 100_000])
async def test_an_unreadable_record_is_dead_lettered_once_and_others_flow(
    runtime: Runtime, memory_bus: MemoryBus, text: str
) -> None:
    put(memory_bus, text, str(worker(4)))
    put_event(memory_bus, 4, 1)
    consumer = await start(runtime)
    result = await consumer.step()
    assert (result.dead, result.handled) == (1, 1)


@pytest.mark.parametrize("key", ["\x00", "half \ud800"])
async def test_a_key_that_cannot_be_stored_stops_nobody(runtime: Runtime, memory_bus: MemoryBus, key: str) -> None:
    """In the envelope, and where Kafka lets it through, as the record's own key."""
    raw = json.loads(message(submitted(4, 1))) | {"partitionkey": key}
    put(memory_bus, json.dumps(raw), key.replace("\ud800", "?"))
    put_event(memory_bus, 4, 2)
    result = await (await start(runtime)).step()
    assert (result.dead, result.handled) == (1, 1)


async def test_a_record_that_can_be_read_at_last_is_handled_once(runtime: Runtime, memory_bus: MemoryBus) -> None:
    """Here its event came a second time, whole: replaying the broken copy must not count it again."""
    data = submitted(4, 1)
    put(memory_bus, "{", data.partition_key())
    put_event(memory_bus, 5, 1, minutes=13)
    put_event(memory_bus, 5, 2)
    await (await start(runtime)).step()

    async def mend(text: str) -> dead_letters.Outcome:
        async with runtime.worker_database.transaction(now=runtime.clock.now()) as tx:
            letter = next(one for one in await dead_letters.list_open(tx) if one.agency_id is None)
            await tx.execute(
                "UPDATE dead_letter SET payload = convert_to(:t, 'UTF8') WHERE id = :i", t=text, i=letter.id
            )
            return await dead_letters.replay(tx, handler=toy.count, dead_letter_id=letter.id, by="tester")

    still = await mend("{")
    assert (still.handled, "not JSON" in str(still.error)) == (0, True)
    behind = await mend(message(submitted(5, 3)))
    assert (behind.handled, "wait behind another" in str(behind.error)) == (0, True)
    put_event(memory_bus, 4, 1)
    await (await start(runtime)).step()
    again = await mend(message(data))
    assert (again.error, again.dead_letter_id, await minutes(runtime, 4)) == (None, None, 60)


async def test_discarding_what_nobody_can_read_releases_nobody(runtime: Runtime, memory_bus: MemoryBus) -> None:
    """It lies under the key of a worker whose events wait behind another dead letter."""
    put_event(memory_bus, 2, 1, minutes=13)
    put_event(memory_bus, 2, 2)
    put(memory_bus, "{", str(worker(2)))
    await (await start(runtime)).step()
    async with runtime.worker_database.transaction(now=runtime.clock.now()) as tx:
        letter = next(one for one in await dead_letters.list_open(tx) if one.agency_id is None)
        assert letter.waiting == 0
        await dead_letters.discard(tx, handler=toy.count, dead_letter_id=letter.id, by="tester", reason="no event")
        (waits,) = await dead_letters.list_open(tx)
    assert (waits.waiting, await minutes(runtime, 2)) == (1, 0)


async def test_too_many_dead_letters_in_a_row_stop_the_consumer_until_it_is_resumed(
    runtime: Runtime, memory_bus: MemoryBus
) -> None:
    for n in range(10):
        put_event(memory_bus, 20 + n, 1, minutes=13)
    consumer = await start(runtime, dead_letters_in_a_row_max=5, batch_events_max=1)
    steps = [await consumer.step() for _ in range(8)]
    assert sum(step.dead for step in steps) == 5
    assert steps[-1].stopped
    restarted = await start(runtime, dead_letters_in_a_row_max=5)
    await restarted.restore()
    assert (await restarted.step()).stopped
    async with runtime.worker_database.transaction(now=runtime.clock.now()) as tx:
        assert await dead_letters.resume_consumer(tx, consumer="toy")
    assert not (await restarted.step()).stopped


async def test_every_dead_letter_is_kept_even_past_the_limit(runtime: Runtime, memory_bus: MemoryBus) -> None:
    for n in range(10):
        put_event(memory_bus, 20 + n, 1, minutes=13)
    consumer = await start(runtime, dead_letters_in_a_row_max=3)
    await consumer.step()
    async with runtime.worker_database.transaction(now=runtime.clock.now()) as tx:
        assert len(await dead_letters.list_open(tx)) == 10


async def test_a_frozen_former_owner_applies_nothing_twice(runtime: Runtime, memory_bus: MemoryBus) -> None:
    for n in range(1, 9):
        put_event(memory_bus, n, 1)
    frozen = await start(runtime)
    records = await frozen._bus_consumer.poll(max_records=100, timeout_ms=0)
    owner = await start(runtime)
    while (await owner.step()).polled or (await frozen.step()).polled:
        pass
    result = await frozen._process(records)
    assert result.handled == 0
    assert [await minutes(runtime, n) for n in range(1, 9)] == [60] * 8


async def test_a_transient_error_never_dead_letters_and_reads_again(runtime: Runtime, memory_bus: MemoryBus) -> None:
    put_event(memory_bus, 1, 1)

    class Away:
        times = 2

        def reach(self, point: str) -> None:
            if point == "consumer.before_commit" and self.times:
                self.times -= 1
                raise ConnectionError("the database went away")

    consumer = await start(runtime, faults=Away())
    for _ in range(2):
        with pytest.raises(ConnectionError):
            await consumer.step()
    result = await consumer.step()
    assert (result.handled, await minutes(runtime, 1)) == (1, 60)
    async with runtime.worker_database.transaction(now=runtime.clock.now()) as tx:
        assert await dead_letters.list_open(tx) == []


async def test_offsets_that_the_bus_did_not_take_are_committed_on_the_next_step(
    runtime: Runtime, memory_bus: MemoryBus
) -> None:
    put_event(memory_bus, 1, 1)
    consumer = await start(runtime)
    commit = consumer._bus_consumer.commit

    async def away(_offsets: object) -> None:
        raise BusUnavailable("the broker died before it took the commit")

    consumer._bus_consumer.commit = away  # type: ignore[assignment, method-assign]
    with pytest.raises(BusUnavailable):
        await consumer.step()
    consumer._bus_consumer.commit = commit  # type: ignore[method-assign]
    result = await consumer.step()
    assert (result.handled, result.duplicates, await minutes(runtime, 1)) == (0, 1, 60)
    assert sum((await consumer.lag()).values()) == 0
