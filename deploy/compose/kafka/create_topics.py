"""Make every topic of the contracts that is missing, then end. Runs in a service image; KAFKA_BOOTSTRAP says where."""

import asyncio
import os

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from paybill_contracts.topics import all_topics

ALREADY_EXISTS = 36


async def main() -> None:
    """Create, and raise naming the first topic that Kafka refused."""
    admin = AIOKafkaAdminClient(bootstrap_servers=os.environ["KAFKA_BOOTSTRAP"], request_timeout_ms=30_000)
    await admin.start()
    try:
        wanted = [NewTopic(topic.name, topic.partitions, 1, topic_configs=topic.config) for topic in all_topics()]
        answer = await admin.create_topics(wanted)
        for name, code, *message in answer.topic_errors:
            if code not in (0, ALREADY_EXISTS):
                raise SystemExit(f"Kafka refused topic {name} with error {code}: {message}")
    finally:
        await admin.close()


asyncio.run(asyncio.wait_for(main(), timeout=60))
