"""Facts about workers, placements and clients. Owner: timesheet. Key: worker (clients: client)."""

from __future__ import annotations

from datetime import date
from typing import ClassVar, Literal
from uuid import UUID

from paybill_contracts.base import Code, EventData, PayBasis, Sds, WorkerKeyed


class WorkerChanged(WorkerKeyed):
    """A worker is known, changed or left. No name and no birth date: the name is on the directory."""

    TYPE: ClassVar[str] = "paybill.worker.changed.v1"
    TOPIC: ClassVar[str] = "paybill.placement"

    reference: Code
    status: Literal["active", "left"]
    started_on: date | None = None
    left_on: date | None = None

    def subject(self) -> str:
        return str(self.worker_id)


class PlacementChanged(WorkerKeyed):
    """The full state of a placement: who works where, on what basis, from when until when."""

    TYPE: ClassVar[str] = "paybill.placement.changed.v1"
    MINOR: ClassVar[int] = 1
    TOPIC: ClassVar[str] = "paybill.placement"

    placement_id: UUID
    reference: Code
    client_id: UUID
    site_id: UUID | None = None
    consultant_id: UUID | None = None
    branch: Code | None = None
    pay_basis: PayBasis
    payee_id: UUID | None = None
    holiday_pay: Literal["rolled_up", "accrued", "none"] = "rolled_up"
    purchase_order: Code | None = None
    starts_on: date
    ends_on: date | None = None
    """Exclusive."""
    status: Literal["active", "ended"]
    sds: Sds | None = None
    """The status determination of a limited company's placement; None: nobody decided. From minor version 1."""

    def subject(self) -> str:
        return str(self.placement_id)


class ClientChanged(EventData):
    """A client of the agency. Its billing terms and addresses go straight to invoicing."""

    TYPE: ClassVar[str] = "paybill.client.changed.v1"
    TOPIC: ClassVar[str] = "paybill.client"

    client_id: UUID
    reference: Code
    status: Literal["active", "closed"]

    def partition_key(self) -> str:
        return str(self.client_id)

    def subject(self) -> str:
        return str(self.client_id)
