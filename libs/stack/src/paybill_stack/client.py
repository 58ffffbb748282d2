"""A typed client of the five services' HTTP doors: token, retries under one Idempotency-Key, errors in words."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any
from uuid import UUID, uuid4

import httpx

from paybill_importer import client as importer
from paybill_stack import StackError
from paybill_stack.paths import DEFAULT_INSTANCE
from paybill_stack.stack import Stack
from paybill_stack.supervisor import Supervisor

TOKEN_SERVICE = "reporting"  # noqa: S105 - the name of a service, not a secret
CLI_CLIENT = "paybill-cli"
_ATTEMPTS_MAX = 6
_BACKOFF_FIRST_S = 0.25
_BACKOFF_MAX_S = 4.0
_TRY_AGAIN = frozenset({429, 502, 503, 504})
_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_TOKEN_SPARE_S = 60.0
_SHOWN_ERRORS_MAX = 5


class ServiceAway(StackError):
    """A service did not answer, after several tries."""


class Refused(StackError, importer.Refused):
    """A service answered with a problem. `code` is stable; `errors` are (pointer, detail, code) of single fields."""

    def __init__(self, service: str, request: str, status: int, problem: Mapping[str, Any]) -> None:
        self.service = service
        self.status = status
        self.code = str(problem.get("code", "unknown"))
        self.detail = str(problem.get("detail") or problem.get("error_description") or problem.get("error") or "")
        self.hint = str(problem.get("hint") or "")
        found = problem.get("errors")
        self.errors = [
            (str(item.get("pointer", "")), str(item.get("detail", "")), str(item.get("code", "")))
            for item in (found if isinstance(found, list) else [])
            if isinstance(item, dict)
        ]
        fields = [f"{pointer}: {detail}" for pointer, detail, _ in self.errors[:_SHOWN_ERRORS_MAX]]
        parts = [self.detail, *(field for field in fields if field not in self.detail), self.hint]
        super().__init__(
            f"{service} refused {request} ({status} {self.code}): " + " ".join(part for part in parts if part)
        )


@dataclass(frozen=True)
class Credentials:
    """What a program signs in with."""

    client_id: str
    secret: str


@dataclass(frozen=True)
class Place:
    """Where the services of an instance answer, and the credentials kept beside them."""

    urls: Mapping[str, str]
    stack: Stack

    @classmethod
    def of(cls, instance: str = DEFAULT_INSTANCE) -> "Place":
        """The running services of an instance.

        Raises:
            StackError: it was never started, or its services do not run.
        """
        stack = Stack.find(instance)
        urls = Supervisor(stack).urls()
        if TOKEN_SERVICE not in urls:
            raise StackError(
                f"the services of instance {instance!r} were never started; run `paybill stack up --instance {instance}`"
            )
        return cls(urls, stack)

    def credentials(self, client_id: str = CLI_CLIENT) -> Credentials:
        """The secret of a client of this instance. Raises StackError when it has none."""
        return Credentials(client_id, self.stack.ensure_keys().client_secret(client_id))


class ApiClient:
    """Calls services in the name of one client for some agencies. Use as `async with`."""

    def __init__(
        self,
        urls: Mapping[str, str],
        credentials: Credentials,
        agencies: Sequence[UUID | str],
        *,
        timeout_s: float = 600.0,
        connections_max: int = 16,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._urls = urls
        self._credentials = credentials
        self._agencies = [str(agency) for agency in agencies]
        self._token = ""
        self._token_until = 0.0
        self._token_lock = asyncio.Lock()
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(timeout_s, connect=5.0),
            limits=httpx.Limits(max_connections=connections_max, max_keepalive_connections=connections_max),
            trust_env=False,
            transport=transport,
        )

    async def __aenter__(self) -> "ApiClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def get(self, service: str, path: str, **params: Any) -> Any:
        """The JSON answer of a GET; parameters that are None are left out."""
        return _json_of(service, await self.request(service, "GET", path, params=params))

    async def post(self, service: str, path: str, body: Any = None, *, key: str | None = None, **params: Any) -> Any:
        """The JSON answer of a POST, sent under `key` or a new Idempotency-Key."""
        return _json_of(service, await self.request(service, "POST", path, body=body, key=key, params=params))

    async def put(self, service: str, path: str, body: Any, *, key: str | None = None) -> Any:
        """The JSON answer of a PUT."""
        return _json_of(service, await self.request(service, "PUT", path, body=body, key=key))

    async def pages(self, service: str, path: str, *, limit: int = 500, **params: Any) -> list[Any]:
        """Every item of a paged list."""
        items: list[Any] = []
        cursor = None
        while True:
            page = await self.get(service, path, cursor=cursor, limit=limit, **params)
            if isinstance(page, list):
                return page
            items.extend(page["items"])
            cursor = page.get("next_cursor")
            if not cursor:
                return items

    async def request(
        self,
        service: str,
        method: str,
        path: str,
        *,
        body: Any = None,
        key: str | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> httpx.Response:
        """One call, tried again on a lost connection or a 503 with the same Idempotency-Key.

        Raises:
            Refused: the service said no; the message has its detail, field and hint.
            ServiceAway: no answer after several tries.
        """
        headers = {"Accept": "application/json"}
        if method in _WRITES:
            headers["Idempotency-Key"] = key or str(uuid4())
        content = None if body is None else json.dumps(body, default=str).encode()
        if content is not None:
            headers["Content-Type"] = "application/json"
        query = {name: value for name, value in (params or {}).items() if value is not None}
        url = self._url(service, path)
        signed_in_again = False
        last = "no answer"
        for attempt in range(_ATTEMPTS_MAX):
            if attempt:
                await asyncio.sleep(min(_BACKOFF_MAX_S, _BACKOFF_FIRST_S * 2 ** (attempt - 1)))
            headers["Authorization"] = f"Bearer {await self._bearer()}"
            try:
                response = await self._http.request(method, url, content=content, headers=headers, params=query)
            except httpx.TransportError as error:
                last = f"{type(error).__name__} {error}".strip()
                continue
            if response.status_code == httpx.codes.UNAUTHORIZED and not signed_in_again:
                signed_in_again, self._token_until = True, 0.0
                last = response.text[:200]
                continue
            if response.status_code in _TRY_AGAIN:
                last = f"status {response.status_code}: {_problem(response).get('detail', response.text[:200])}"
                continue
            if response.is_error:
                raise Refused(service, f"{method} {path}", response.status_code, _problem(response))
            return response
        raise ServiceAway(
            f"{service} did not answer {method} {path} after {_ATTEMPTS_MAX} tries ({last}); see `paybill stack status`"
        )

    async def download(self, service: str, path: str, target: Path, **params: Any) -> int:
        """Write the answer of a GET into a file, in pieces; returns its bytes. The file appears only when it is whole."""
        url = self._url(service, path)
        query = {name: value for name, value in params.items() if value is not None}
        partial = target.with_name(f".{target.name}.part")
        headers = {"Authorization": f"Bearer {await self._bearer()}"}
        size = 0
        try:
            async with self._http.stream("GET", url, headers=headers, params=query) as response:
                if response.is_error:
                    await response.aread()
                    raise Refused(service, f"GET {path}", response.status_code, _problem(response))
                with partial.open("wb") as sink:
                    async for piece in response.aiter_bytes():
                        size += sink.write(piece)
            partial.replace(target)
        except httpx.TransportError as error:
            raise ServiceAway(f"{service} broke off while sending {path}: {error!r}") from error
        finally:
            partial.unlink(missing_ok=True)
        return size

    def _url(self, service: str, path: str) -> str:
        base = self._urls.get(service)
        if base is None:
            raise StackError(f"no address of service {service!r} is known; known: {', '.join(sorted(self._urls))}")
        return f"{base.rstrip('/')}{path}"

    async def _bearer(self) -> str:
        async with self._token_lock:
            if time.monotonic() >= self._token_until:
                await self._sign_in()
            return self._token

    async def _sign_in(self) -> None:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._credentials.client_id,
            "client_secret": self._credentials.secret,
            "agencies": " ".join(self._agencies),
        }
        last = "no answer"
        for attempt in range(_ATTEMPTS_MAX):
            if attempt:
                await asyncio.sleep(min(_BACKOFF_MAX_S, _BACKOFF_FIRST_S * 2 ** (attempt - 1)))
            try:
                response = await self._http.post(self._url(TOKEN_SERVICE, "/oauth/token"), data=form)
            except httpx.TransportError as error:
                last = f"{type(error).__name__} {error}".strip()
                continue
            if response.status_code in _TRY_AGAIN:
                last = f"status {response.status_code}"
                continue
            if response.is_error:
                raise Refused(TOKEN_SERVICE, "POST /oauth/token", response.status_code, _problem(response))
            answer = response.json()
            self._token = str(answer["access_token"])
            lifetime_s = int(answer.get("expires_in", 300))
            self._token_until = time.monotonic() + max(lifetime_s - _TOKEN_SPARE_S, lifetime_s / 2)
            return
        raise ServiceAway(f"{TOKEN_SERVICE} gave no token after {_ATTEMPTS_MAX} tries ({last})")


def _json_of(service: str, response: httpx.Response) -> Any:
    if not response.content:
        return None
    try:
        return response.json()
    except ValueError as error:
        raise ServiceAway(f"{service} answered {response.url.path} with something that is not JSON") from error


def _problem(response: httpx.Response) -> Mapping[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {"detail": response.text[:300]}
    return body if isinstance(body, dict) else {"detail": str(body)[:300]}
