"""The wiring of timesheet."""

from __future__ import annotations

import asyncio

from fastapi import FastAPI

from paybill_common.migrations import migrations_folder
from paybill_common.service import Runtime, ServiceSpec
from timesheet.api import approval_page, imports, rate_cards, records, refusals, timesheets, weeks
from timesheet.store.tables import metadata
from timesheet.subscriptions import SUBSCRIPTION
from timesheet.usecases import mailing
from timesheet.usecases.asking import LinkSigner


def _extend(app: FastAPI, runtime: Runtime) -> None:
    settings = runtime.settings
    app.state.link_signer = LinkSigner(
        settings.link_key_file.read_text(encoding="utf-8") if settings.link_key_file else None,
        old_key_file=settings.files_dir / "approval-link.key",
    )
    refusals.install(app)


async def _send_mail(runtime: Runtime, stop: asyncio.Event) -> None:
    await mailing.send_forever(runtime.worker_database, runtime.clock, runtime.settings, stop)


SPEC = ServiceSpec(
    name="timesheet",
    title="Paybill timesheet",
    description="Agencies, clients, workers, placements and rate cards; hours entered, approved and charged once.",
    metadata=metadata,
    migrations=migrations_folder(__file__),
    subscription=lambda _runtime: SUBSCRIPTION,
    routers=(
        records.router,
        rate_cards.router,
        imports.router,
        timesheets.router,
        weeks.router,
        approval_page.router,
    ),
    extend=_extend,
    background=(_send_mail,),
)
