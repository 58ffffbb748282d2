"""The bus: what a consumer and a relay need of it. Two implementations: real Kafka, and memory for simulations."""

from paybill_common.bus.types import (
    Bus,
    BusConsumer,
    BusProducer,
    BusUnavailable,
    NotAssigned,
    Outgoing,
    Record,
    TopicPartition,
)

__all__ = ["Bus", "BusConsumer", "BusProducer", "BusUnavailable", "NotAssigned", "Outgoing", "Record", "TopicPartition"]
