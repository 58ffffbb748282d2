"""Holds that block new hours of a worker: what they ask for, and how a person answers them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID


@dataclass(frozen=True, slots=True)
class EntryHold:
    """A reason of compliance that blocks new hours: what is missing, and the timesheet that it was found on."""

    code: str
    requirement: str | None
    reference: str


class EntryBlocked(ValueError):
    """Hours are entered or submitted for a worker whose new hours compliance blocks, and nobody vouches for them."""

    code: ClassVar[str] = "entry_blocked_by_compliance"
    hint: ClassVar[str] = (
        "Record the document that is missing: on the Holds page, Lift the hold, or POST …/documents at compliance. Hours that "
        "were worked are recorded all the same: somebody with the right timesheets:approve gives the reason in "
        "worked_despite_hold."
    )

    def __init__(self, worker_id: UUID, holds: Sequence[EntryHold]) -> None:
        self.holds = tuple(holds)
        asked = ", ".join(f"{one.requirement or one.code} ({one.code} on timesheet {one.reference})" for one in holds)
        super().__init__(f"Compliance blocks new hours of worker {worker_id}: it asks for {asked}")
