"""A sixth consumer that watches the five: it writes down every event it handles and is harmless to nothing.

The services are idempotent by business keys, so that a broken inbox could hide behind them. The witness is not: an event
handled twice is two rows, an event lost is a missing row, and an event that overtakes another of its key is a wrong order.
It also refuses some events until an operator replays them, so that parking is exercised.
"""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from paybill_common.consumer import PermanentError, Subscription
from paybill_common.db import Tx
from paybill_common.envelope import Batch
from paybill_common.service import ServiceSpec
from paybill_common.tables import service_metadata
from paybill_contracts import event_classes
from paybill_contracts.topics import all_topics


class Witness:
    """What is refused until an operator cures it, and the subscription that writes down the rest."""

    def __init__(self, *, refuse_one_in: int) -> None:
        self._refuse_one_in = refuse_one_in
        self.curing = False

    def begin(self) -> None:
        """A new story: refuse again."""
        self.curing = False

    def refuses(self, event_id: UUID) -> bool:
        return not self.curing and event_id.int % self._refuse_one_in == 0

    async def handle(self, tx: Tx, batch: Batch) -> None:
        await self.take(tx, batch)

    async def take(self, tx: Tx, batch: Batch) -> None:
        """Write the batch down, or refuse it."""
        for event in batch:
            if self.refuses(event.id):
                raise PermanentError(f"the witness refuses {event.id} until it is replayed")
        await tx.execute(
            "INSERT INTO witnessed (agency_id, event_id, topic, key) SELECT * FROM unnest(CAST(:a AS uuid[]),"
            " CAST(:e AS uuid[]), CAST(:t AS text[]), CAST(:k AS text[]))",
            a=[event.agency_id for event in batch],
            e=[event.id for event in batch],
            t=[event.record.topic for event in batch],
            k=[event.key for event in batch],
        )

    def spec(self) -> ServiceSpec:
        subscription = Subscription(
            consumer="witness",
            topics=tuple(topic.name for topic in all_topics() if topic.events),
            handles=frozenset(event_classes().values()),
            ignores=frozenset(),
            handler=self.handle,
        )
        return ServiceSpec(
            name="witness",
            metadata=service_metadata(),
            migrations=Path(__file__).parent / "witness_migrations",
            subscription=lambda _runtime: subscription,
        )
