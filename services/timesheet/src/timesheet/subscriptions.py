"""What timesheet reads: compliance's decisions, to refuse hours that a hold blocks and show it where they are entered."""

from __future__ import annotations

from paybill_common.consumer import Subscription
from paybill_common.db import Tx
from paybill_common.envelope import Batch
from paybill_contracts.compliance import ComplianceAlert, ComplianceCleared, ComplianceHeld
from timesheet.store import approvals


async def handle(tx: Tx, batch: Batch) -> None:
    """One poll's decisions, set-wise."""
    latest = batch.latest(ComplianceCleared, ComplianceHeld)
    if latest:
        await approvals.save_decisions(
            tx,
            decisions=[
                {
                    "agency_id": event.agency_id,
                    "timesheet_id": event.data.timesheet_id,
                    "worker_id": event.data.worker_id,
                    "version": event.data.version,
                    "sequence": event.sequence,
                    "held": isinstance(event.data, ComplianceHeld),
                    "reasons": [reason.model_dump(mode="json") for reason in event.data.reasons],
                    "decided_at": event.data.decided_at.isoformat(),
                }
                for event in latest
            ],
        )


SUBSCRIPTION = Subscription(
    consumer="timesheet",
    topics=("paybill.compliance",),
    handles=frozenset({ComplianceCleared, ComplianceHeld}),
    ignores=frozenset({ComplianceAlert}),
    handler=handle,
)
