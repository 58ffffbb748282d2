"""Files from a page on their way to the services, in the background and with the rights of whoever sent each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

import structlog

from paybill_common.auth import Principal
from paybill_common.db import is_transient
from paybill_common.service import Runtime
from paybill_importer import client as importer
from reporting.api import forward
from reporting.api.forward import Forward
from reporting.usecases.clients import BadClientsFile, Clients
from reporting.usecases.importing import RUNBOOK, Sender

log = structlog.get_logger()
T = TypeVar("T")
LOOK_S = 5
"""A file that came in through another process is found this late at most."""
_AWAY = frozenset({429, 500, 502, 503, 504})
PAUSES_S: tuple[float, ...] = (0.5, 1.0, 2.0)  # not money: pauses between tries of one call
AGAIN = ":2"
SWEEP_S = 3_600
SENDER = "file_sender"
"""Where the runtime's `state` keeps the process's sender."""
NO_RIGHT = "Whoever sent this file may not act for this agency any more."
NO_RIGHT_HINT = "Somebody who may can import it again: what is known already changes nothing."


class Refused(importer.Refused):
    """What an owner refused, as the importer reads it."""

    def __init__(self, status: int, code: str, detail: str, hint: str, errors: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.hint = hint
        self.errors = [
            (str(one.get("pointer", "")), str(one.get("detail", "")), str(one.get("code", ""))) for one in errors
        ]


class PersonsServices:
    """The services of one agency, each time with the rights that a person has then."""

    def __init__(self, sender: Forward, clients: Clients, subject: str, agency_id: UUID) -> None:
        self._forward = sender
        self._clients = clients
        self._subject = subject
        self._agency_id = agency_id

    async def get(self, service: str, path: str) -> Any:
        return await self._send(service, "GET", path)

    async def post(self, service: str, path: str, body: Any = None, *, key: str | None = None) -> Any:
        return await self._send(service, "POST", path, body, key)

    async def put(self, service: str, path: str, body: Any, *, key: str | None = None) -> Any:
        return await self._send(service, "PUT", path, body, key)

    async def _send(self, service: str, method: str, path: str, body: Any = None, key: str | None = None) -> Any:
        for pause_s in (*PAUSES_S, None):
            try:
                return await self._ask(service, method, path, body, key)
            except importer.Away:
                if pause_s is None:
                    raise
                await asyncio.sleep(pause_s)
            except Refused as error:
                if error.code != "idempotency_key_reused" or key is None or key.endswith(AGAIN):
                    raise
                key += AGAIN  # another release wrote this step's body otherwise: records have ids of their own
        raise AssertionError("the last try returns or raises")

    async def _ask(self, service: str, method: str, path: str, body: Any, key: str | None) -> Any:
        try:
            answer = await self._forward.send(
                service,
                method,
                path.removeprefix(f"/v1/agencies/{self._agency_id}"),
                principal=self._principal(),
                agency_id=self._agency_id,
                body=body,
                idempotency_key=key,
            )
        except forward.Away as error:
            raise importer.Away(str(error)) from error
        except forward.Refused as error:
            if error.status in _AWAY:
                raise importer.Away(
                    f"The {service} service fails ({error.status}).", fault=error.status == 500
                ) from error
            raise Refused(error.status, error.code, error.detail, str(error.hint or ""), error.errors) from error
        return answer.json()

    def _principal(self) -> Principal:
        try:
            grant = self._clients.person([self._subject])
        except BadClientsFile as error:
            raise importer.Away("Who may do what cannot be read at the moment.") from error
        if grant is None or not (grant.every_agency or self._agency_id in grant.agencies):
            raise Refused(403, "not_this_agency_any_more", NO_RIGHT, NO_RIGHT_HINT, ())
        return Principal(grant.subject, grant.name, grant.scopes, frozenset({self._agency_id}))


def sender_of(runtime: Runtime, clients: Clients, sender: Forward) -> Sender:
    """Sends the files that wait in this service's database."""

    def services_of(subject: str, agency_id: UUID) -> PersonsServices:
        return PersonsServices(sender, clients, subject, agency_id)

    return Sender(runtime.worker_database, runtime.clock, services_of)


def waits(state: dict[str, Any]) -> asyncio.Event:
    """Set when a file has come in; kept in the runtime's `state`."""
    found: asyncio.Event = state.setdefault("file_waits", asyncio.Event())
    return found


async def keep_importing(runtime: Runtime, stop: asyncio.Event) -> None:
    """Beside the API, whose processes alone hold the key that speaks for people."""
    sender: Sender = runtime.state[SENDER]
    waiting, swept_at = waits(runtime.state), 0
    while not stop.is_set():
        waiting.clear()
        if time.monotonic_ns() - swept_at > SWEEP_S * 10**9:
            swept_at = time.monotonic_ns()
            await _tried(sender.sweep())
        if not await _tried(sender.send_next(stop)):
            await _either(waiting, stop)


async def _tried(work: Awaitable[T]) -> T | None:
    """What came of it; None when it failed, which is logged and tried again at the next round."""
    try:
        return await work
    except Exception as error:
        if is_transient(error):
            log.warning("background.retrying", work="importing files", error=error)
        else:
            log.error("background.failed", work="importing files", error=error, action=RUNBOOK, exc_info=True)
        return None


async def _either(waiting: asyncio.Event, stop: asyncio.Event) -> None:
    """Until a file comes in, we are stopped, or it is time to look for those of other processes."""
    tasks = [asyncio.create_task(waiting.wait()), asyncio.create_task(stop.wait())]
    await asyncio.wait(tasks, timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
