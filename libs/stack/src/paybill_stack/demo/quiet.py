"""Waiting until everything that was said has been heard: no unpublished event, no event unread, on real Kafka."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from paybill_contracts.topics import all_topics
from paybill_stack import StackError
from paybill_stack.bootstrap import SERVICES
from paybill_stack.client import ApiClient

_POLL_S = 0.15
_TIMEOUT_MS = 15_000


class NotQuiet(StackError):
    """The services did not come to rest in time; the message says which one has what left to do."""


@dataclass(frozen=True)
class Backlog:
    """Events that each consumer has not read, and the sum of all end offsets: unchanged means nobody said anything."""

    unread: Mapping[str, int]
    said: int


class Quiet:
    """Looks at the broker and the services. Use as `async with`."""

    def __init__(self, bootstrap: str, client: ApiClient) -> None:
        self._bootstrap = bootstrap
        self._client = client
        self._admin = AIOKafkaAdminClient(
            bootstrap_servers=bootstrap, client_id="paybill-demo", request_timeout_ms=_TIMEOUT_MS
        )
        self._consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, client_id="paybill-demo", group_id=None)
        self._read_by: dict[str, list[TopicPartition]] = {service: [] for service in SERVICES}
        for topic in all_topics():
            for service in topic.consumers:
                partitions = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
                self._read_by.setdefault(service, []).extend(partitions)

    async def __aenter__(self) -> "Quiet":
        await asyncio.wait_for(self._admin.start(), 30)
        await asyncio.wait_for(self._consumer.start(), 30)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()
        await self._admin.close()

    async def backlog(self) -> Backlog:
        """What is unread now, by service."""
        every = sorted({partition for partitions in self._read_by.values() for partition in partitions})
        ends = await asyncio.wait_for(self._consumer.end_offsets(every), 30)
        groups = await asyncio.gather(*(self._committed(service) for service in self._read_by))
        unread = {
            service: sum(max(0, ends[p] - committed.get(p, 0)) for p in partitions)
            for (service, partitions), committed in zip(self._read_by.items(), groups, strict=True)
        }
        return Backlog(unread, sum(ends.values()))

    async def states(self) -> dict[str, Mapping[str, Any]]:
        """Each service's own account: outbox, dead letters, parked events."""
        found = await asyncio.gather(*(self._client.get(service, "/v1/ops/consumer") for service in SERVICES))
        return dict(zip(SERVICES, found, strict=True))

    async def wait(self, *, timeout_s: float = 600.0) -> dict[str, Mapping[str, Any]]:
        """Until nothing is unread and nothing unpublished, seen from both sides of a look at the outboxes.

        Raises:
            NotQuiet: not within `timeout_s`, or a consumer has stopped.
        """
        deadline = time.monotonic() + timeout_s
        before: Backlog | None = None
        states: dict[str, Mapping[str, Any]] = {}
        while time.monotonic() < deadline:
            now = await self.backlog()
            outbox = sum(int(state["outbox_unpublished"]) for state in states.values()) if states else 1
            if before is not None and before.said == now.said and not any(now.unread.values()) and not outbox:
                return states
            stopped = [service for service, state in states.items() if state["stopped"]]
            if stopped:
                raise NotQuiet(
                    f"{', '.join(stopped)} stopped after too many dead letters; see `paybill dead-letters list`"
                )
            before = now
            states = await self.states()
            if any(now.unread.values()):
                await asyncio.sleep(_POLL_S)
        left = {service: count for service, count in (before.unread if before else {}).items() if count}
        unpublished = {
            service: state["outbox_unpublished"] for service, state in states.items() if state["outbox_unpublished"]
        }
        raise NotQuiet(
            f"the services did not come to rest in {timeout_s:.0f} s: unread {left or 'nothing'}, unpublished {unpublished or 'nothing'}"
        )

    async def _committed(self, group: str) -> dict[TopicPartition, int]:
        found = await asyncio.wait_for(self._admin.list_consumer_group_offsets(group), 30)
        return {partition: meta.offset for partition, meta in found.items() if meta.offset >= 0}
