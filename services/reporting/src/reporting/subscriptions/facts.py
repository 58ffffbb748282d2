"""Every topic of every owner, handled by one use case."""

from __future__ import annotations

from paybill_common.consumer import Subscription
from paybill_contracts import EventData, event_classes
from reporting.usecases.take_facts import take_facts

HANDLES: frozenset[type[EventData]] = frozenset(event_classes().values())
IGNORES: frozenset[type[EventData]] = frozenset()
TOPICS = tuple(sorted({cls.TOPIC for cls in HANDLES}))

SUBSCRIPTION = Subscription(consumer="reporting", topics=TOPICS, handles=HANDLES, ignores=IGNORES, handler=take_facts)
