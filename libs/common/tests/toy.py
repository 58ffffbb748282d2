"""A toy service for the runtime's own tests: it counts minutes per worker from approved-like events and emits a result."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

from paybill_common.consumer import PermanentError, Subscription
from paybill_common.db import Tx
from paybill_common.envelope import Batch, encode
from paybill_common.ids import derived_id
from paybill_common.service import ServiceSpec
from paybill_common.tables import service_metadata
from paybill_contracts.events import ComplianceCleared, TimesheetRejected, TimesheetSubmitted

AGENCY = derived_id("toy-agency")
metadata = service_metadata()


def worker(n: int) -> UUID:
    return derived_id("toy-worker", n)


def submitted(n: int, number: int, *, minutes: int = 60, version: int = 1, agency: UUID = AGENCY) -> TimesheetSubmitted:
    return TimesheetSubmitted(
        agency_id=agency,
        worker_id=worker(n),
        timesheet_id=derived_id("toy-timesheet", agency, n, number),
        version=version,
        placement_id=derived_id("toy-placement", n),
        client_id=derived_id("toy-client", n),
        week_ending=date(2026, 4, 5),
        pay_basis="paye",
        reference=f"TS-{n}-{number}",
        submitted_at=datetime(2026, 4, 6, tzinfo=UTC),
        source="api",
        minutes=minutes,
        pay_gbp=Decimal("1.00"),
        charge_gbp=Decimal("2.00"),
    )


def message(data: TimesheetSubmitted, *, event_id: UUID | None = None, sequence: int = 1) -> str:
    return encode(
        data,
        event_id=event_id or derived_id("toy-event", data.subject(), sequence),
        source="toy",
        sequence=sequence,
        time=datetime(2026, 4, 6, tzinfo=UTC),
        traceparent=None,
        correlation_id="toy",
    )


async def count(tx: Tx, batch: Batch) -> None:
    """Adds minutes per worker; an event of 13 minutes can never be handled. Emits one clearance an event."""
    for event in batch.of(TimesheetSubmitted):
        if event.data.minutes == 13:
            raise PermanentError("thirteen minutes cannot be counted")
        await tx.execute(
            "INSERT INTO toy (worker_id, agency_id, minutes, story) VALUES (:worker, :agency, :minutes, :story)"
            " ON CONFLICT (worker_id) DO UPDATE SET minutes = toy.minutes + EXCLUDED.minutes, story = toy.story || ',' || EXCLUDED.story",
            worker=event.data.worker_id,
            agency=event.agency_id,
            minutes=event.data.minutes,
            story=event.data.reference,
        )
        tx.emit(
            ComplianceCleared(
                agency_id=event.agency_id,
                worker_id=event.data.worker_id,
                timesheet_id=event.data.timesheet_id,
                version=event.data.version,
                decided_at=tx.now,
                audit_entry=1,
            ),
            sequence=event.sequence,
            cause=event,
        )


SUBSCRIPTION = Subscription(
    consumer="toy",
    topics=("paybill.timesheet", "paybill.compliance"),
    handles=frozenset({TimesheetSubmitted}),
    ignores=frozenset({TimesheetRejected}),
    handler=count,
)
SPEC = ServiceSpec(
    name="compliance",
    metadata=metadata,
    migrations=Path(__file__).parent / "toy_migrations",
    subscription=lambda _: SUBSCRIPTION,
)
