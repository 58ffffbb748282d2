"""The wiring of compliance."""

from __future__ import annotations

from compliance import api
from compliance.store.tables import metadata
from compliance.subscriptions import SUBSCRIPTION
from paybill_common.migrations import migrations_folder
from paybill_common.service import ServiceSpec

SPEC = ServiceSpec(
    name="compliance",
    title="Paybill compliance",
    description="Documents, requirements, the umbrella register, holds and releases, and the audit trail behind them.",
    metadata=metadata,
    migrations=migrations_folder(__file__),
    subscription=lambda _runtime: SUBSCRIPTION,
    routers=(api.router,),
)
