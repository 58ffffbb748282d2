"""The physical limit: the same bytes through the same Kafka and the same Postgres, with no logic.

Each stage is a process: poll, one transaction a batch with `unnest` inserts into an inbox, a state table and an outbox,
idempotent produce, mark sent, commit offsets. What the services add to this is the price of the domain.

`chain` is three stages one behind the other. `week_of` is the week's own shape: the five services' reads and writes in number, each event
published once, through the outbox of its owner, when what leads to it was read.

`python -m bench.null_pipeline --messages 30000` runs the chain and prints one JSON line.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from multiprocessing.synchronize import Barrier

import aiokafka
import asyncpg

from paybill_contracts.topics import Topic
from paybill_stack.stack import Stack
from paybill_stack.topics import create_topics, delete_topics

CHAINED = 3
BATCH = 2_000
JOIN_TIMEOUT_S = 120.0
TABLES = """
CREATE TABLE {n}_inbox (event_id uuid PRIMARY KEY);
CREATE TABLE {n}_state (event_id uuid PRIMARY KEY, body text NOT NULL);
CREATE TABLE {n}_outbox (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text NOT NULL, sent_at timestamptz);
"""


@dataclass(frozen=True)
class Stage:
    """One process. `reads`: events that come from each topic; `emits`: events written to `target` because of them."""

    name: str
    reads: Mapping[str, int] = field(default_factory=dict)
    emits: Mapping[str, int] = field(default_factory=dict)
    target: str = ""
    starts: int = 0
    """Events that it writes by itself, in transactions of a batch: the approvals that begin a week."""


def chain(messages: int) -> list[Stage]:
    """A source and three stages behind it; every message goes through each."""
    topics = [f"null.{n}" for n in range(CHAINED + 1)]
    stages = [Stage("source", target=topics[0], starts=messages)]
    for before, after in pairwise(topics):
        stages.append(Stage(after, {before: messages}, {before: messages}, after))
    return stages


def week_of(events: Mapping[str, int]) -> list[Stage]:
    """The services of a week that published so many events a topic, as they read and write from approval to the read models."""
    approved, pay = events["paybill.timesheet"], events["paybill.pay"]
    bill, decided = events["paybill.bill"], events["paybill.compliance"]
    sheets, clear, paid, billed = "null.timesheet", "null.compliance", "null.pay", "null.bill"
    halves = {"pay": (pay // 2, pay - pay // 2), "bill": (bill // 2, bill - bill // 2)}
    return [
        Stage("approve", target=sheets, starts=approved),
        Stage("compliance", {sheets: approved, paid: pay}, {sheets: decided}, clear),
        Stage("pay", {sheets: approved, clear: decided}, {sheets: halves["pay"][0], clear: halves["pay"][1]}, paid),
        Stage(
            "invoicing",
            {sheets: approved, clear: decided, paid: pay},
            {sheets: halves["bill"][0], clear: halves["bill"][1]},
            billed,
        ),
        Stage("timesheet", {clear: decided}),
        Stage("reporting", {sheets: approved, clear: decided, paid: pay, billed: bill}),
    ]


def payload(size: int) -> str:
    """An event with an id of its own and no meaning, `size` bytes long."""
    body = {"id": str(uuid.uuid4()), "pad": ""}
    body["pad"] = "x" * max(0, size - len(json.dumps(body)))
    return json.dumps(body)


class Runner:
    """A stage at work."""

    def __init__(self, bootstrap: str, dsn: str, prefix: str, stage: Stage, size: int) -> None:
        self.stage, self.prefix, self.size = stage, prefix, size
        self._bootstrap, self._dsn = bootstrap, dsn
        self._table = f"{prefix}_{stage.name.replace('.', '_')}"
        self._read = dict.fromkeys(stage.reads, 0)
        self._sent = dict.fromkeys(stage.emits, 0)
        self._made = 0

    async def run(self, joined: Barrier) -> None:
        """Wait until every stage has joined its group, then move what is the stage's."""
        database = await asyncpg.connect(self._dsn)
        producer = aiokafka.AIOKafkaProducer(
            bootstrap_servers=self._bootstrap, enable_idempotence=True, acks="all", linger_ms=2, max_batch_size=262_144
        )
        await producer.start()
        try:
            if self.stage.starts:
                await asyncio.to_thread(joined.wait)
                for start in range(0, self.stage.starts, BATCH):
                    count = min(BATCH, self.stage.starts - start)
                    await self._store(database, producer, [], [], count)
            if self.stage.reads:
                await self._consume(database, producer, joined)
        finally:
            await producer.stop()
            await database.close()

    async def _consume(
        self, database: asyncpg.Connection, producer: aiokafka.AIOKafkaProducer, joined: Barrier
    ) -> None:
        consumer = aiokafka.AIOKafkaConsumer(
            *(f"{self.prefix}-{topic}" for topic in self.stage.reads),
            bootstrap_servers=self._bootstrap,
            group_id=self._table,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=4_194_304,
        )
        await consumer.start()
        try:
            while not consumer.assignment():  # noqa: ASYNC110  the library tells nobody when it has its partitions
                await asyncio.sleep(0.05)
            await asyncio.to_thread(joined.wait)
            while self._read != dict(self.stage.reads):
                polled = await consumer.getmany(timeout_ms=200, max_records=BATCH)
                values = [message.value.decode() for batch in polled.values() for message in batch]
                if not values:
                    continue
                for at, batch in polled.items():
                    self._read[at.topic.removeprefix(f"{self.prefix}-")] += len(batch)
                ids = [uuid.UUID(json.loads(value)["id"]) for value in values]
                await self._store(database, producer, ids, values, self._due())
                await consumer.commit()
        finally:
            await consumer.stop()

    def _due(self) -> int:
        """Events to write now, in proportion to what was read of each topic."""
        count = 0
        for topic, all_of_them in self.stage.emits.items():
            upto = all_of_them * self._read[topic] // self.stage.reads[topic]
            count += upto - self._sent[topic]
            self._sent[topic] = upto
        return count

    async def _store(
        self,
        database: asyncpg.Connection,
        producer: aiokafka.AIOKafkaProducer,
        ids: Sequence[uuid.UUID],
        values: Sequence[str],
        emit: int,
    ) -> None:
        """One transaction of inbox, state and outbox, then publish and mark as sent."""
        name = self._table
        new = [payload(self.size) for _ in range(emit)]
        async with database.transaction():
            await database.execute(
                f"INSERT INTO {name}_inbox SELECT * FROM unnest($1::uuid[]) ON CONFLICT DO NOTHING", ids
            )
            await database.execute(
                f"INSERT INTO {name}_state SELECT * FROM unnest($1::uuid[], $2::text[])", ids, values
            )
            rows = await database.fetch(
                f"INSERT INTO {name}_outbox (body) SELECT * FROM unnest($1::text[]) RETURNING id", new
            )
        if not new:
            return
        target = f"{self.prefix}-{self.stage.target}"
        futures = [await producer.send(target, value.encode(), key=value[8:44].encode()) for value in new]
        await asyncio.gather(*futures)
        await database.execute(
            f"UPDATE {name}_outbox SET sent_at = now() WHERE id = ANY($1::bigint[])", [row["id"] for row in rows]
        )


def run_stage(bootstrap: str, dsn: str, prefix: str, stage: Stage, size: int, joined: Barrier) -> None:
    asyncio.run(Runner(bootstrap, dsn, prefix, stage, size).run(joined))


async def measure(stack: Stack, stages: Sequence[Stage], *, size: int) -> dict[str, float | int]:
    """Seconds from the first event to the last row of the last stage; the processes have joined their groups before."""
    prefix = f"n{uuid.uuid4().hex[:8]}"
    topics = [f"{prefix}-{stage.target}" for stage in stages if stage.target]
    await create_topics(stack.kafka_bootstrap, [_topic(name) for name in topics])
    names = [f"{prefix}_{stage.name.replace('.', '_')}" for stage in stages]
    database = await asyncpg.connect(stack.admin_dsn)
    for name in names:
        await database.execute(TABLES.format(n=name))
    context = multiprocessing.get_context("spawn")
    joined = context.Barrier(len(stages) + 1)
    processes = [
        context.Process(target=run_stage, args=(stack.kafka_bootstrap, stack.admin_dsn, prefix, stage, size, joined))
        for stage in stages
    ]
    for process in processes:
        process.start()
    await asyncio.to_thread(joined.wait, JOIN_TIMEOUT_S)
    started = time.perf_counter()
    await asyncio.to_thread(_join, processes)
    seconds = time.perf_counter() - started
    for name in names:
        await database.execute(f"DROP TABLE {name}_inbox, {name}_state, {name}_outbox")
    await database.close()
    await delete_topics(stack.kafka_bootstrap, topics)
    published = sum(stage.starts + sum(stage.emits.values()) for stage in stages)
    return {
        "published": published,
        "rows_read": sum(sum(stage.reads.values()) for stage in stages),
        "bytes_each": size,
        "stages": len(stages),
        "seconds": round(seconds, 2),
        "messages_per_second": round(published / seconds),
    }


def _join(processes: Sequence[multiprocessing.process.BaseProcess]) -> None:
    for process in processes:
        process.join(timeout=600)
        if process.exitcode != 0:
            raise RuntimeError(f"a stage of the null pipeline ended with {process.exitcode}")


def _topic(name: str) -> Topic:
    return Topic(name, "bench", "id", 6, 1, "null pipeline", ("bench",), ("bench",), (), None)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=30_000)
    parser.add_argument("--bytes", type=int, default=800)
    arguments = parser.parse_args()
    stack = Stack.start("bench")
    try:
        moved = asyncio.run(measure(stack, chain(arguments.messages), size=arguments.bytes))
        moved["messages_per_second"] = round(arguments.messages / moved["seconds"])
        print(json.dumps({"null_pipeline": moved}))
    finally:
        stack.stop()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
