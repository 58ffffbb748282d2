"""Carrying a person's command or document request to the service that owns it, with that person's own rights.

If the owner is away the caller hears so (`Away`) and the rest of the page lives.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx

from paybill_common.auth import Principal
from reporting.domain import words
from reporting.usecases.clients import Signer

TOKEN_S = 120
TIMEOUT_S = 20.0
COMMAND_TIMEOUT_S = 300.0
_HEALTH_TIMEOUT_S = 3.0
PARTS = frozenset({"acknowledge_minimum_wage", "accept_difference"})
"""Parts of a command whose refusal speaks of the week, not of a field that somebody filled in."""


class Away(Exception):
    """The owning service did not answer, or is not configured."""

    def __init__(self, service: str, why: str) -> None:
        super().__init__(f"The {service} service does not answer: {why}.")
        self.service = service


class Refused(Exception):
    """The owning service refused; `problem` is its RFC 9457 body."""

    def __init__(self, service: str, status: int, problem: Mapping[str, Any]) -> None:
        detail = str(problem.get("detail") or f"The {service} service answered {status}.")
        super().__init__(detail)
        self.service = service
        self.status = status
        self.code = str(problem.get("code", "refused"))
        self.detail = detail
        self.hint = words.HINTS.get(self.code) or problem.get("hint")
        self.instance = problem.get("instance")
        self.errors = [error for error in problem.get("errors") or [] if isinstance(error, Mapping)]


def refusal(error: Refused) -> dict[str, Any]:
    """What a refusal says besides its first sentence."""
    lines = [_line(item) for item in error.errors[:8]]
    repeated = len(lines) == 1 and error.errors[0].get("detail") in (None, error.detail)
    return {"hint": error.hint, "instance": error.instance, "lines": [] if repeated else lines}


def _line(error: Mapping[str, Any]) -> str:
    """What is wrong with one field. A pointer is for programs: of it stays the field's name in words, unless it is a whole part."""
    name = str(error.get("pointer") or "").rpartition("/")[2]
    detail = str(error.get("detail") or "")
    return detail if name in ("", "#", *PARTS) or name.isdigit() else f"{words.plain(name)}: {detail}"


@dataclass(frozen=True)
class Answer:
    """What a service answered: bytes, type and file name, or JSON."""

    status: int
    content: bytes
    media_type: str
    disposition: str | None

    def json(self) -> Any:
        """The JSON body; numbers with a point are Decimal."""
        try:
            return json.loads(self.content, parse_float=Decimal) if self.content else None
        except ValueError:
            return None


class Forward:
    """HTTP to the other services. `urls` is service name to base URL."""

    def __init__(
        self, *, urls: Mapping[str, str], signer: Signer, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._urls = {name: url.rstrip("/") for name, url in urls.items()}
        self._signer = signer
        self._transport = transport
        self._client: httpx.AsyncClient | None = None

    def _http(self) -> httpx.AsyncClient:
        if self._client is None:
            limits = httpx.Limits(max_connections=40, max_keepalive_connections=10)
            self._client = httpx.AsyncClient(timeout=TIMEOUT_S, limits=limits, transport=self._transport)
        return self._client

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    @property
    def services(self) -> list[str]:
        return sorted(self._urls)

    async def send(
        self,
        service: str,
        method: str,
        path: str,
        *,
        principal: Principal,
        agency_id: UUID | None = None,
        body: Any = None,
        params: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
    ) -> Answer:
        """Send one request. `path` is below the agency when one is given. Raises Away or Refused.

        Our pages' keys are plain characters; what else a form gives for one is spelled in those.
        """
        headers = {"Idempotency-Key": quote(idempotency_key, safe="/:")[:128]} if idempotency_key else {}
        return await self._request(
            service,
            method,
            path,
            principal=principal,
            agency_id=agency_id,
            headers=headers,
            params=params,
            json=body,
            timeout=timeout_s or (TIMEOUT_S if method == "GET" else COMMAND_TIMEOUT_S),
        )

    async def upload(
        self,
        service: str,
        path: str,
        *,
        principal: Principal,
        agency_id: UUID,
        file_name: str,
        content: bytes,
        media_type: str,
    ) -> Answer:
        """PUT one file as a form upload. Raises Away or Refused."""
        return await self._request(
            service,
            "PUT",
            path,
            principal=principal,
            agency_id=agency_id,
            headers={},
            files={"file": (file_name[-120:], content, media_type)},
            timeout=COMMAND_TIMEOUT_S,
        )

    async def _request(
        self,
        service: str,
        method: str,
        path: str,
        *,
        principal: Principal,
        agency_id: UUID | None,
        headers: dict[str, str],
        **options: Any,
    ) -> Answer:
        base = self._urls.get(service)
        if base is None:
            raise Away(service, "its address is not set (PAYBILL_SERVICE_URLS)")
        if not self._signer.ready:
            raise Away(service, "this instance has no signing key to speak for you")
        scope = frozenset({agency_id}) if agency_id is not None else principal.agencies
        everywhere = principal.every_agency and agency_id is None
        acting = replace(principal, agencies=scope, every_agency=everywhere)
        token = self._signer.token(acting, seconds=TOKEN_S)
        prefix = f"/v1/agencies/{agency_id}" if agency_id is not None else ""
        try:
            response = await self._http().request(
                method,
                f"{base}{prefix}{quote(path, safe='/')}",
                headers={**headers, "Authorization": f"Bearer {token}"},
                **options,
            )
        except httpx.TimeoutException as error:
            raise Away(service, "it took too long; what you asked may still be under way") from error
        except httpx.HTTPError as error:
            raise Away(service, type(error).__name__) from error
        media_type = response.headers.get("content-type", "application/octet-stream")
        if response.status_code >= 400:
            raise Refused(service, response.status_code, _problem(response))
        return Answer(response.status_code, response.content, media_type, response.headers.get("content-disposition"))

    async def system(self, principal: Principal) -> list[dict[str, Any]]:
        """What each service says of itself."""
        return list(await asyncio.gather(*(self._state(service, principal) for service in self.services)))

    async def _state(self, service: str, principal: Principal) -> dict[str, Any]:
        try:
            answer = await self.send(
                service, "GET", "/v1/ops/consumer", principal=principal, timeout_s=_HEALTH_TIMEOUT_S
            )
            state = answer.json()
            return {"service": service, "answers": True, **(state if isinstance(state, dict) else {})}
        except Away as error:
            return {"service": service, "answers": False, "error": str(error)}
        except Refused as error:
            return {"service": service, "answers": True, "error": error.detail}


def _problem(response: httpx.Response) -> Mapping[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
