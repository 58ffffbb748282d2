"""The CloudEvents envelope as a model: the source of the envelope's schema and of every event's whole-message schema."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from paybill_contracts.base import EventData


class Envelope(BaseModel):
    """CloudEvents 1.0, structured JSON, with our extensions."""

    model_config = ConfigDict(extra="allow")

    specversion: Literal["1.0"]
    id: UUID = Field(description="Made once when the event is written; never changes on retry or replay")
    type: str = Field(description="Ends in the major version")
    source: str = Field(pattern=r"^/paybill/[a-z-]+$")
    subject: str = Field(description="The aggregate that the event is about")
    time: AwareDatetime = Field(description="Business instant")
    datacontenttype: Literal["application/json"]
    dataschema: str
    partitionkey: str = Field(description="Events of the same key keep their order within a topic")
    sequence: int = Field(ge=0, description="The aggregate's version; a reader skips a lower one")
    agency: UUID = Field(description="The tenant")
    correlationid: str
    causationid: str | None = None
    traceparent: str | None = None


def message_schema(model: type[EventData]) -> dict[str, Any]:
    """The JSON Schema of one whole message of this event type."""
    envelope = Envelope.model_json_schema(mode="serialization")
    data = model.model_json_schema(mode="serialization", ref_template="#/$defs/{model}")
    definitions = data.pop("$defs", {})
    envelope["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    envelope["$id"] = f"https://paybill.example/schemas/{model.TYPE}.{model.MINOR}.json"
    envelope["title"] = model.TYPE
    envelope["description"] = (model.__doc__ or model.TYPE).strip()
    envelope["properties"]["type"] = {"const": model.TYPE}
    envelope["properties"]["data"] = data
    envelope["required"] = sorted({*envelope["required"], "data"})
    envelope["$defs"] = definitions
    return envelope
