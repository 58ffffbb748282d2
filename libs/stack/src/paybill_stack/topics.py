"""Kafka topics as the contracts define them, made on any broker by address. Running it twice changes nothing."""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic

from paybill_stack import StackError

_READY_TIMEOUT_S = 60.0
_TOPIC_ALREADY_EXISTS = 36


class TopicDefinition(Protocol):
    """What we need of a topic from the contracts."""

    @property
    def name(self) -> str: ...
    @property
    def partitions(self) -> int: ...
    @property
    def config(self) -> Mapping[str, str]: ...


class TopicError(StackError):
    """A topic could not be made, or its partitions did not get a leader."""


def contract_topics() -> Sequence[TopicDefinition]:
    """All topics of the contracts."""
    from paybill_contracts.topics import all_topics

    return all_topics()


async def create_topics(bootstrap: str, topics: Iterable[TopicDefinition] | None = None) -> list[str]:
    """Make the topics that are missing, add partitions that are missing, remove nothing, and wait until all have leaders.

    Args:
        bootstrap: `host:port` of the broker.
        topics: default: all topics of the contracts.

    Returns:
        Names of the topics that were made or grown.

    Raises:
        TopicError: the broker refused, or a partition has no leader after a minute.
    """
    wanted = {topic.name: topic for topic in (contract_topics() if topics is None else topics)}
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, client_id="paybill-stack", request_timeout_ms=30_000)
    await admin.start()
    try:
        existing = await _partitions(admin, set(wanted) & set(await admin.list_topics()))
        missing = [topic for name, topic in wanted.items() if name not in existing]
        grown = {name: have for name, have in existing.items() if len(have) < wanted[name].partitions}
        if missing:
            answer = await admin.create_topics(
                [NewTopic(topic.name, topic.partitions, 1, topic_configs=dict(topic.config)) for topic in missing]
            )
            _refuse_errors(answer.topic_errors, tolerated={_TOPIC_ALREADY_EXISTS})
        if grown:
            answer = await admin.create_partitions({name: NewPartitions(wanted[name].partitions) for name in grown})
            _refuse_errors(answer.topic_errors, tolerated=set())
        await _wait_for_leaders(admin, wanted)
        return sorted([topic.name for topic in missing] + list(grown))
    finally:
        await admin.close()


async def delete_topics(bootstrap: str, names: Sequence[str]) -> None:
    """Delete topics by name: for tests and for a rebuilt bus."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, client_id="paybill-stack", request_timeout_ms=30_000)
    await admin.start()
    try:
        await admin.delete_topics(list(names))
    finally:
        await admin.close()


def _refuse_errors(errors: Iterable[Sequence[object]], tolerated: set[int]) -> None:
    for topic, code, *message in errors:
        if code and code not in tolerated:
            raise TopicError(
                f"Kafka refused topic {topic} with error {code}: {message[0] if message else 'no reason given'}"
            )


async def _partitions(admin: AIOKafkaAdminClient, names: set[str]) -> dict[str, list[int]]:
    """Leader (broker id, negative when none) of each partition of each topic."""
    if not names:
        return {}
    described = await admin.describe_topics(sorted(names))
    return {
        topic["topic"]: [partition["leader"] for partition in topic["partitions"]]
        for topic in described
        if not topic["error_code"]
    }


async def _wait_for_leaders(admin: AIOKafkaAdminClient, wanted: Mapping[str, TopicDefinition]) -> None:
    deadline = time.monotonic() + _READY_TIMEOUT_S
    while True:
        found = await _partitions(admin, set(wanted))
        waiting = [
            name
            for name, topic in wanted.items()
            if len(found.get(name, [])) < topic.partitions or min(found[name], default=-1) < 0
        ]
        if not waiting:
            return
        if time.monotonic() > deadline:
            raise TopicError(
                f"topic {waiting[0]} has partitions without a leader after {_READY_TIMEOUT_S:.0f} s; see Kafka's log"
            )
        await asyncio.sleep(0.1)
