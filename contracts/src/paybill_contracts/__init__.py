"""Paybill's event contracts: Pydantic models are the source, schemas and AsyncAPI are exported from them."""

from paybill_contracts.base import EventData, event_class, event_classes

__all__ = ["EventData", "event_class", "event_classes"]
