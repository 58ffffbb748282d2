"""Files from a page on their way to the services, in the background and with the rights of whoever sent each."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any
from uuid import UUID

import structlog

from paybill_common.auth import Principal
from paybill_common.db import is_transient
from paybill_common.service import Runtime
from paybill_importer import client as importer
from reporting.api import forward
from reporting.api.forward import Forward
from reporting.usecases.clients import Clients, Signer
from reporting.usecases.importing import RUNBOOK, Sender

log = structlog.get_logger()
LOOK_S = 5
"""A file that came in through another process is found this late at most."""
_AWAY = frozenset({429, 500, 502, 503, 504})


class Refused(importer.Refused):
    """What an owner refused, as the importer reads it."""

    def __init__(self, refused: forward.Refused) -> None:
        super().__init__(refused.detail)
        self.status = refused.status
        self.detail = refused.detail
        self.hint = str(refused.hint or "")
        self.errors = [
            (str(one.get("pointer", "")), str(one.get("detail", "")), str(one.get("code", "")))
            for one in refused.errors
        ]


class PersonsServices:
    """The services of one agency with one person's rights."""

    def __init__(self, sender: Forward, principal: Principal, agency_id: UUID) -> None:
        self._forward = sender
        self._principal = principal
        self._agency_id = agency_id

    async def get(self, service: str, path: str) -> Any:
        return await self._send(service, "GET", path)

    async def post(self, service: str, path: str, body: Any = None, *, key: str | None = None) -> Any:
        return await self._send(service, "POST", path, body, key)

    async def put(self, service: str, path: str, body: Any, *, key: str | None = None) -> Any:
        return await self._send(service, "PUT", path, body, key)

    async def _send(self, service: str, method: str, path: str, body: Any = None, key: str | None = None) -> Any:
        below = path.removeprefix(f"/v1/agencies/{self._agency_id}")
        try:
            answer = await self._forward.send(
                service,
                method,
                below,
                principal=self._principal,
                agency_id=self._agency_id,
                body=body,
                idempotency_key=key,
            )
        except forward.Away as error:
            raise importer.Away(str(error)) from error
        except forward.Refused as error:
            if error.status in _AWAY:
                raise importer.Away(f"The {service} service fails ({error.status}).") from error
            raise Refused(error) from error
        return answer.json()


def sender_of(runtime: Runtime, clients: Clients, sender: Forward) -> Sender:
    """Sends the files that wait in this service's database."""

    def services_of(subject: str, agency_id: UUID) -> PersonsServices | None:
        grant = clients.person([subject])
        if grant is None or not (grant.every_agency or agency_id in grant.agencies):
            return None
        principal = Principal(grant.subject, grant.name, grant.scopes, frozenset({agency_id}))
        return PersonsServices(sender, principal, agency_id)

    return Sender(runtime.worker_database, runtime.clock, services_of)


def waits(state: dict[str, Any]) -> asyncio.Event:
    """Set when a file has come in; kept in the runtime's `state`."""
    found: asyncio.Event = state.setdefault("file_waits", asyncio.Event())
    return found


async def keep_importing(runtime: Runtime, stop: asyncio.Event) -> None:
    """Beside the API, whose processes alone hold the key that speaks for people."""
    settings = runtime.settings
    signer = Signer(
        signing_key_file=settings.signing_key_file, jwks_file=settings.jwks_file, audience=settings.token_audience
    )
    outward = Forward(urls=settings.service_urls, signer=signer)
    sender = sender_of(runtime, Clients(settings.clients_file, oidc_issuer=settings.oidc_issuer), outward)
    waiting = waits(runtime.state)
    try:
        while not stop.is_set():
            waiting.clear()
            if await _sent(sender, stop):
                continue
            await _either(waiting, stop)
    finally:
        await outward.close()


async def _sent(sender: Sender, stop: asyncio.Event) -> bool:
    try:
        return await sender.send_next(stop)
    except Exception as error:
        if is_transient(error):
            log.warning("background.retrying", work="importing files", error=error)
        else:
            log.error("background.failed", work="importing files", error=error, action=RUNBOOK, exc_info=True)
        return False


async def _either(waiting: asyncio.Event, stop: asyncio.Event) -> None:
    """Until a file comes in, we are stopped, or it is time to look for those of other processes."""
    tasks = [asyncio.create_task(waiting.wait()), asyncio.create_task(stop.wait())]
    with contextlib.suppress(TimeoutError):
        await asyncio.wait(tasks, timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
