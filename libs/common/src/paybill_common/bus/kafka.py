"""The bus on a Kafka broker, through plain aiokafka. Every option that matters is passed: its defaults are not ours."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiokafka
import structlog
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    IllegalStateError,
    KafkaConnectionError,
    KafkaError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)

from paybill_common.bus.types import (
    BusConsumer,
    BusProducer,
    BusUnavailable,
    NotAssigned,
    Outgoing,
    Record,
    TopicPartition,
)
from paybill_common.config import Settings

log = structlog.get_logger()
_FAILED = (KafkaError, OSError, RuntimeError)
"""What a call of the client raises when it fails. A RuntimeError is uvloop's for a connection that closed while it was written to; aiokafka
does not expect it, so it ends whichever of its tasks met it, for good."""
HUNG_MAX = 3
"""Unanswered polls after which a client is replaced; each waits for the request timeout, so together longer than a rebalance may take."""
_LOST = (CommitFailedError, IllegalStateError, IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError)


@dataclass(frozen=True)
class Access:
    """How the brokers are spoken to. `protocol` and `mechanism` as Kafka names them; files are PEM, the key not encrypted."""

    protocol: str = "PLAINTEXT"
    ca_file: Path | None = None
    """Whose word on the brokers is trusted; None: the system's certificates."""
    certificate_file: Path | None = None
    key_file: Path | None = None
    mechanism: str = "SCRAM-SHA-512"
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, settings: Settings) -> Access:
        """As the settings say, which have checked that it is whole."""
        return cls(
            protocol=settings.kafka_security_protocol,
            ca_file=settings.kafka_ca_file,
            certificate_file=settings.kafka_certificate_file,
            key_file=settings.kafka_key_file,
            mechanism=settings.kafka_sasl_mechanism,
            user=settings.kafka_user,
            password=settings.kafka_password.get_secret_value() if settings.kafka_password else None,
        )

    def options(self) -> dict[str, Any]:
        """What every client of aiokafka is given. Raises OSError when a certificate cannot be read."""
        options: dict[str, Any] = {"security_protocol": self.protocol}
        if self.protocol.endswith("SSL"):
            context = ssl.create_default_context(cafile=self.ca_file)
            if self.certificate_file is not None:
                context.load_cert_chain(self.certificate_file, self.key_file)
            options["ssl_context"] = context
        if self.protocol.startswith("SASL_"):
            options |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.user,
                "sasl_plain_password": self.password,
            }
        return options


class KafkaConsumer(BusConsumer):
    """A member of a consumer group. A revoked partition waits for the batch in hand, within the rebalance timeout."""

    def __init__(
        self,
        bootstrap: str,
        *,
        group: str,
        topics: Sequence[str],
        session_timeout_ms: int,
        rebalance_timeout_ms: int,
        request_timeout_ms: int,
        access: Access,
    ) -> None:
        self._bootstrap = bootstrap
        self._group = group
        self._topics = tuple(topics)
        self._timeout_s = request_timeout_ms / 1000
        self._settings: dict[str, Any] = {
            "session_timeout_ms": session_timeout_ms,
            "heartbeat_interval_ms": session_timeout_ms // 3,
            "rebalance_timeout_ms": rebalance_timeout_ms,
            "request_timeout_ms": request_timeout_ms,
        }
        self._access = access
        self._consumer: Any = None
        self._hung = 0
        """Polls in a row that were not answered: a rebalance makes them wait, but not for so many."""

    async def start(self) -> None:
        consumer = aiokafka.AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            max_poll_interval_ms=300_000,
            partition_assignment_strategy=(RangePartitionAssignor,),
            max_partition_fetch_bytes=4_194_304,
            fetch_max_wait_ms=500,  # how long a fetch may lie at a broker that has nothing new; what is new ends it at once
            metadata_max_age_ms=60_000,
            **self._settings,
            **self._access.options(),
        )
        consumer.subscribe(topics=list(self._topics))
        try:
            await asyncio.wait_for(consumer.start(), timeout=self._timeout_s)
        except (TimeoutError, *_FAILED) as error:
            await _close(consumer)
            raise BusUnavailable(f"Kafka at {self._bootstrap} did not answer: {error!r}") from error
        self._consumer, self._hung = consumer, 0

    async def stop(self) -> None:
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            await _close(consumer)

    async def poll(self, *, max_records: int, timeout_ms: int) -> Sequence[Record]:
        if self._consumer is None:
            await self.start()
        try:
            polled = await asyncio.wait_for(
                self._consumer.getmany(timeout_ms=timeout_ms, max_records=max_records),
                timeout=self._timeout_s + timeout_ms / 1000,
            )
            self._still_fetches()
            self._hung = 0
        except TimeoutError as error:
            self._hung += 1
            if self._hung >= HUNG_MAX:  # it waits for a group that it does not speak to any more
                await self.stop()
            raise BusUnavailable(f"Kafka did not answer a poll: {error!r}") from error
        except _FAILED as error:
            # One of the client's tasks may have ended for good, while its heartbeats keep the partitions: the next poll is a new client's.
            await self.stop()
            raise BusUnavailable(f"Kafka did not answer a poll: {error!r}") from error
        return [
            Record(
                topic=tp.topic,
                partition=tp.partition,
                offset=message.offset,
                key=(message.key or b"").decode("utf-8", "replace"),
                value=message.value,
                headers=tuple((name, value.decode("utf-8", "replace")) for name, value in message.headers),
            )
            for tp, messages in sorted(polled.items())
            for message in messages
        ]

    def _still_fetches(self) -> None:
        """Raises what ended the client's fetching: polls of such a client are empty for ever."""
        fetching = self._consumer._fetcher.error_future
        if fetching.done():
            fetching.result()

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        if not offsets:
            return
        if self._consumer is None:
            raise NotAssigned("this member has left its group")
        native = {aiokafka.TopicPartition(tp.topic, tp.partition): offset for tp, offset in offsets.items()}
        try:
            await asyncio.wait_for(self._consumer.commit(native), timeout=self._timeout_s)
        except _LOST as error:
            raise NotAssigned(str(error)) from error
        except (TimeoutError, *_FAILED) as error:
            # Polls of such a client may go well, and its commits be refused for ever: the next poll is a new client's.
            await self.stop()
            raise BusUnavailable(f"Kafka did not take a commit: {error!r}") from error

    async def seek(self, offsets: Mapping[TopicPartition, int]) -> None:
        if self._consumer is None:
            return  # the next client begins at the committed offsets
        for tp, offset in offsets.items():
            with contextlib.suppress(IllegalStateError):
                self._consumer.seek(aiokafka.TopicPartition(tp.topic, tp.partition), offset)

    def assignment(self) -> frozenset[TopicPartition]:
        if self._consumer is None:
            return frozenset()
        return frozenset(TopicPartition(tp.topic, tp.partition) for tp in self._consumer.assignment())

    async def lag(self) -> Mapping[TopicPartition, int]:
        native = [aiokafka.TopicPartition(tp.topic, tp.partition) for tp in self.assignment()]
        if not native:
            return {}
        try:
            async with asyncio.timeout(self._timeout_s):
                ends = await self._consumer.end_offsets(native)
                # All in one request: `committed` of one partition after another was nine in ten of an idle broker's requests.
                committed = await self._consumer._coordinator.fetch_committed_offsets(native)
                done = {tp: known.offset for tp, known in committed.items() if known.offset >= 0}
                begins = await self._consumer.beginning_offsets([tp for tp in native if tp not in done])
        except (TimeoutError, *_FAILED) as error:
            raise BusUnavailable(f"Kafka did not tell its offsets: {error!r}") from error
        return {TopicPartition(tp.topic, tp.partition): ends[tp] - (done | begins)[tp] for tp in native}


async def _close(consumer: Any) -> None:
    """Every part of a client: it closes one after the other and stops at the first that fails, and would go on fetching."""
    try:
        await asyncio.wait_for(consumer.stop(), timeout=8)
    except (TimeoutError, *_FAILED):
        for part in (consumer._fetcher, consumer._client):
            if part is not None:
                with contextlib.suppress(TimeoutError, *_FAILED):
                    await asyncio.wait_for(part.close(), timeout=1)


class KafkaProducer(BusProducer):
    """An idempotent producer: acks=all, in order within a partition, no duplicate on its own retries."""

    def __init__(self, bootstrap: str, *, request_timeout_ms: int, access: Access) -> None:
        self._bootstrap = bootstrap
        self._request_timeout_ms = request_timeout_ms
        self._access = access
        self._producer: Any = None

    async def start(self) -> None:
        producer = aiokafka.AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            enable_idempotence=True,
            acks="all",
            linger_ms=2,
            max_batch_size=262_144,
            max_request_size=4_194_304,
            compression_type=None,
            request_timeout_ms=self._request_timeout_ms,
            **self._access.options(),
        )
        try:
            await asyncio.wait_for(producer.start(), timeout=self._request_timeout_ms / 1000)
        except (TimeoutError, KafkaError) as error:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(producer.stop(), timeout=5)
            raise BusUnavailable(f"Kafka at {self._bootstrap} did not answer: {error!r}") from error
        self._producer = producer

    async def stop(self) -> None:
        if self._producer is not None:
            producer, self._producer = self._producer, None
            with contextlib.suppress(TimeoutError, *_FAILED):
                await asyncio.wait_for(producer.stop(), timeout=8)

    async def send(self, records: Sequence[Outgoing]) -> None:
        if self._producer is None:
            await self.start()
        try:
            async with asyncio.timeout(self._request_timeout_ms / 1000):
                futures = [
                    await self._producer.send(
                        record.topic,
                        key=record.key.encode(),
                        value=None if record.value is None else record.value.encode(),
                        headers=[(name, value.encode()) for name, value in record.headers],
                    )
                    for record in records
                ]
                await asyncio.gather(*futures)
        except (TimeoutError, *_FAILED) as error:
            # A producer that failed may hold half-sent batches: start anew rather than let them out later.
            await self.stop()
            raise BusUnavailable(f"Kafka did not acknowledge {len(records)} records: {error!r}") from error


class KafkaBus:
    """The bus at these bootstrap addresses (`host:port,host:port`)."""

    def __init__(
        self,
        bootstrap: str,
        *,
        session_timeout_ms: int = 10_000,
        rebalance_timeout_ms: int = 30_000,
        request_timeout_ms: int = 20_000,
        access: Access | None = None,
    ) -> None:
        self.bootstrap = bootstrap
        self._access = access or Access()
        self._session_timeout_ms = session_timeout_ms
        self._rebalance_timeout_ms = rebalance_timeout_ms
        self._request_timeout_ms = request_timeout_ms

    def consumer(self, *, group: str, topics: Sequence[str]) -> KafkaConsumer:
        return KafkaConsumer(
            self.bootstrap,
            group=group,
            topics=topics,
            session_timeout_ms=self._session_timeout_ms,
            rebalance_timeout_ms=self._rebalance_timeout_ms,
            request_timeout_ms=self._request_timeout_ms,
            access=self._access,
        )

    def producer(self) -> KafkaProducer:
        return KafkaProducer(self.bootstrap, request_timeout_ms=self._request_timeout_ms, access=self._access)

    async def ready(self) -> bool:
        try:
            access = self._access.options()
        except OSError as error:
            log.warning("kafka.no_certificate", error=error)
            return False
        client = aiokafka.AIOKafkaClient(bootstrap_servers=self.bootstrap, request_timeout_ms=3_000, **access)
        try:
            await asyncio.wait_for(client.bootstrap(), timeout=4)
        except (KafkaError, KafkaConnectionError, TimeoutError, OSError):
            return False
        finally:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(client.close(), timeout=2)
        return True
