"""Decisions about a worker's right to be paid and billed. Owner: compliance. Key: worker."""

from __future__ import annotations

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime

from paybill_contracts.base import Code, Reason, WorkerKeyed


class Decision(WorkerKeyed):
    """The answer to one approved version of one timesheet. No decision is a hold, never a yes."""

    timesheet_id: UUID
    version: int
    decided_at: AwareDatetime
    audit_entry: int
    """The entry of the agency's audit chain that records this decision."""
    reasons: tuple[Reason, ...] = ()
    """For a clearance: warnings only. For a hold: what is missing."""

    def subject(self) -> str:
        return str(self.timesheet_id)


class ComplianceCleared(Decision):
    TYPE: ClassVar[str] = "paybill.compliance.cleared.v1"
    TOPIC: ClassVar[str] = "paybill.compliance"

    released_by: Literal["rule", "person"] = "rule"


class ComplianceHeld(Decision):
    TYPE: ClassVar[str] = "paybill.compliance.held.v1"
    TOPIC: ClassVar[str] = "paybill.compliance"

    blocks: tuple[Literal["pay", "bill"], ...]


class ComplianceAlert(WorkerKeyed):
    """Something a person must look at that blocks nothing now: a document that expires, a hold after finalisation."""

    TYPE: ClassVar[str] = "paybill.compliance.alert.v1"
    TOPIC: ClassVar[str] = "paybill.compliance"

    alert_id: UUID
    code: Code
    requirement: Code | None = None
    timesheet_id: UUID | None = None
    raised_at: AwareDatetime

    def subject(self) -> str:
        return str(self.alert_id)
