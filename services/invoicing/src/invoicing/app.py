"""Invoicing, put together."""

from __future__ import annotations

from invoicing import __file__ as package_file
from invoicing.api import documents, ledger, parties, runs
from invoicing.api.driver import keep_issuing
from invoicing.store.tables import metadata
from invoicing.subscriptions import SUBSCRIPTION
from paybill_common.migrations import migrations_folder
from paybill_common.service import ServiceSpec

SPEC = ServiceSpec(
    name="invoicing",
    metadata=metadata,
    migrations=migrations_folder(package_file),
    subscription=lambda _runtime: SUBSCRIPTION,
    routers=(parties.router, runs.router, runs.stepwise, documents.router, ledger.router),
    background=(keep_issuing,),
    title="Paybill invoicing",
    description="Bill charges, invoices, credit notes, self-bills, receipts and the sub-ledger.",
)
