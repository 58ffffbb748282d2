"""Reporting, put together."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from paybill_common.migrations import migrations_folder
from paybill_common.service import Runtime, ServiceSpec
from reporting.api import charge_lines, imports, oauth, weeks
from reporting.api.forward import Forward
from reporting.api.importing import SENDER, keep_importing, sender_of
from reporting.api.web import (
    approvers,
    commands,
    detail_exports,
    edge,
    exports,
    live,
    overview,
    records,
    views,
    what_if,
    work,
    worker,
)
from reporting.api.web import imports as files
from reporting.api.web.context import HERE
from reporting.api.web.jobs import Jobs
from reporting.store.tables import metadata
from reporting.subscriptions import SUBSCRIPTION
from reporting.usecases.clients import Clients, Signer
from reporting.usecases.worker_links import WorkerLinks

ROUTERS = (
    weeks.router,
    imports.router,
    charge_lines.router,
    oauth.router,
    edge.router,
    detail_exports.router,
    exports.router,
    what_if.router,
    overview.router,
    records.router,
    approvers.router,
    commands.router,
    live.router,
    views.router,
    files.router,
    work.router,
    worker.router,
)


class KeptStatic(StaticFiles):
    """Static files whose address carries their content's mark: browsers keep them for a year."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def kept(message: dict[str, object]) -> None:
            if message["type"] == "http.response.start" and b"v=" in scope.get("query_string", b""):
                headers = list(message["headers"])  # type: ignore[call-overload]  # ASGI: a list of pairs
                message["headers"] = [*headers, (b"cache-control", b"public, max-age=31536000, immutable")]
            await send(message)

        await super().__call__(scope, receive, kept)  # type: ignore[arg-type]  # ASGI messages are dicts


def extend(app: FastAPI, runtime: Runtime) -> None:
    """What only reporting has: tokens, sessions, static files, live numbers, the way to the other services."""
    settings = runtime.settings
    app.state.clients = Clients(settings.clients_file, oidc_issuer=settings.oidc_issuer)
    app.state.signer = Signer(
        signing_key_file=settings.signing_key_file, jwks_file=settings.jwks_file, audience=settings.token_audience
    )
    app.state.forward = Forward(urls=settings.service_urls, signer=app.state.signer)
    app.state.worker_links = WorkerLinks(
        settings.signing_key_file.read_text(encoding="utf-8") if settings.signing_key_file else None
    )
    app.state.live = live.Live(runtime.api_database, runtime.clock)
    app.state.jobs = Jobs(runtime.api_database, runtime.clock)
    runtime.state[SENDER] = sender_of(runtime, app.state.clients, app.state.forward)
    app.mount("/static", KeptStatic(directory=HERE / "static"), name="static")


SPEC = ServiceSpec(
    name="reporting",
    title="Paybill reporting",
    description="Read models, tie-out, the token endpoint and the operations UI.",
    metadata=metadata,
    migrations=migrations_folder(__file__),
    subscription=lambda _: SUBSCRIPTION,
    routers=ROUTERS,
    extend=extend,
    beside_api=(keep_importing,),
    uploads=files.UPLOADS,
)
