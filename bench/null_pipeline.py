"""The physical limit: three stages that move the same bytes with no logic, on the same Kafka and the same Postgres.

Each stage is a process: poll, one transaction a batch with `unnest` inserts into an inbox, a state table and an outbox,
idempotent produce, mark sent, commit offsets. What the services add to this is the price of the domain.

`python -m bench.null_pipeline --messages 30000` prints one JSON line.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import time
import uuid
from collections.abc import Sequence

import aiokafka
import asyncpg

from paybill_contracts.topics import Topic
from paybill_stack.stack import Stack
from paybill_stack.topics import create_topics, delete_topics

STAGES = 3
BATCH = 2_000
TABLES = """
DROP TABLE IF EXISTS {n}_inbox, {n}_state, {n}_outbox;
CREATE TABLE {n}_inbox (event_id uuid PRIMARY KEY);
CREATE TABLE {n}_state (event_id uuid PRIMARY KEY, body text NOT NULL);
CREATE TABLE {n}_outbox (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text NOT NULL, sent_at timestamptz);
"""


def payload(number: int, size: int) -> bytes:
    body = {"id": str(uuid.UUID(int=number + 1)), "n": number, "pad": ""}
    body["pad"] = "x" * max(0, size - len(json.dumps(body)))
    return json.dumps(body).encode()


async def stage(bootstrap: str, dsn: str, name: str, source: str, target: str, messages: int) -> None:
    """Move `messages` from one topic through Postgres to the next."""
    database = await asyncpg.connect(dsn)
    consumer = aiokafka.AIOKafkaConsumer(
        source,
        bootstrap_servers=bootstrap,
        group_id=name,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=4_194_304,
    )
    producer = _producer(bootstrap)
    await consumer.start()
    await producer.start()
    moved = 0
    while moved < messages:
        polled = await consumer.getmany(timeout_ms=200, max_records=BATCH)
        values = [message.value.decode() for batch in polled.values() for message in batch]
        if not values:
            continue
        ids = [uuid.UUID(json.loads(value)["id"]) for value in values]
        async with database.transaction():
            await database.execute(
                f"INSERT INTO {name}_inbox SELECT * FROM unnest($1::uuid[]) ON CONFLICT DO NOTHING", ids
            )
            await database.execute(
                f"INSERT INTO {name}_state SELECT * FROM unnest($1::uuid[], $2::text[])", ids, values
            )
            rows = await database.fetch(
                f"INSERT INTO {name}_outbox (body) SELECT * FROM unnest($1::text[]) RETURNING id", values
            )
        futures = [await producer.send(target, value.encode(), key=value[8:44].encode()) for value in values]
        await asyncio.gather(*futures)
        await database.execute(
            f"UPDATE {name}_outbox SET sent_at = now() WHERE id = ANY($1::bigint[])", [row["id"] for row in rows]
        )
        await consumer.commit()
        moved += len(values)
    await consumer.stop()
    await producer.stop()
    await database.close()


def _producer(bootstrap: str) -> aiokafka.AIOKafkaProducer:
    return aiokafka.AIOKafkaProducer(
        bootstrap_servers=bootstrap, enable_idempotence=True, acks="all", linger_ms=2, max_batch_size=262_144
    )


def run_stage(*arguments: object) -> None:
    asyncio.run(stage(*arguments))  # type: ignore[arg-type]


async def measure(stack: Stack, *, messages: int, size: int) -> dict[str, float | int]:
    """Seconds from the first message published to the last one through all stages."""
    run = uuid.uuid4().hex[:8]
    topics = [f"null-{run}-{n}" for n in range(STAGES + 1)]
    await create_topics(stack.kafka_bootstrap, [_topic(name) for name in topics])
    names = [f"null_{run}_{n}" for n in range(STAGES)]
    database = await asyncpg.connect(stack.admin_dsn)
    for name in names:
        await database.execute(TABLES.format(n=name))
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(
            target=run_stage,
            args=(stack.kafka_bootstrap, stack.admin_dsn, names[n], topics[n], topics[n + 1], messages),
        )
        for n in range(STAGES)
    ]
    for process in processes:
        process.start()
    producer = aiokafka.AIOKafkaProducer(
        bootstrap_servers=stack.kafka_bootstrap,
        enable_idempotence=True,
        acks="all",
        linger_ms=2,
        max_batch_size=262_144,
    )
    await producer.start()
    await asyncio.sleep(4)  # the stages join their groups; not part of what is measured
    started = time.perf_counter()
    pending: list[asyncio.Future[object]] = []
    for number in range(messages):
        value = payload(number, size)
        pending.append(await producer.send(topics[0], value, key=value[8:44]))
        if len(pending) >= BATCH:
            await asyncio.gather(*pending)
            pending.clear()
    await asyncio.gather(*pending)
    await asyncio.to_thread(_join, processes)
    seconds = time.perf_counter() - started
    await producer.stop()
    for name in names:
        await database.execute(f"DROP TABLE {name}_inbox, {name}_state, {name}_outbox")
    await database.close()
    await delete_topics(stack.kafka_bootstrap, topics)
    return {
        "messages": messages,
        "bytes_each": size,
        "stages": STAGES,
        "seconds": round(seconds, 2),
        "messages_per_second": round(messages / seconds),
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
        print(
            json.dumps(
                {"null_pipeline": asyncio.run(measure(stack, messages=arguments.messages, size=arguments.bytes))}
            )
        )
    finally:
        stack.stop()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
