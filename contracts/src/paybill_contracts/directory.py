"""Names, on their own compacted and access-controlled topic. Owner: timesheet. Key: kind and id.

A tombstone (null value, the id in a header) erases the label everywhere.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import StringConstraints

from paybill_contracts.base import Code, EventData

DirectoryKind = Literal["agency", "worker", "client", "site", "consultant", "payee", "placement"]


class DirectoryEntry(EventData):
    """The display name and reference of a person or organisation; of a placement, its job title."""

    TYPE: ClassVar[str] = "paybill.directory.entry.v1"
    TOPIC: ClassVar[str] = "paybill.directory"

    kind: DirectoryKind
    entry_id: UUID
    display_name: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    reference: Code | None = None

    def partition_key(self) -> str:
        return f"{self.kind}:{self.entry_id}"

    def subject(self) -> str:
        return f"{self.kind}:{self.entry_id}"
