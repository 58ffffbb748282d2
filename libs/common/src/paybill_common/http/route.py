"""One request is one transaction. Writes take an Idempotency-Key: same key and body, the first answer; another body, refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Coroutine
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Request, Response, Security
from fastapi.routing import APIRoute
from fastapi.security import OAuth2
from sqlalchemy import text
from starlette.requests import HTTPConnection

from paybill_common.auth import SCOPES, BadToken, Principal
from paybill_common.db import Tx
from paybill_common.http.problems import Problem

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_SCHEME = OAuth2(
    scheme_name="token",
    description="A bearer token of the reporting service's token endpoint. It names its scopes and its agencies.",
    flows={"clientCredentials": {"tokenUrl": "/oauth/token", "scopes": dict(SCOPES)}},
    auto_error=False,
)
"""Only tells OpenAPI what `require` checks."""
_TAKE = text(
    "SELECT set_config('paybill.caller', :caller, true), pg_advisory_xact_lock(hashtextextended(:caller || ' ' || :key, 0))"
)
_FIND = text("SELECT request_hash, status, body FROM idempotency_key WHERE caller = :caller AND key = :key")
_STORE = text(
    "INSERT INTO idempotency_key (caller, key, request_hash, status, body) VALUES (:caller, :key, :hash, :status, :body)"
)


async def authenticate(connection: HTTPConnection) -> Principal:
    """The caller of this request, from its bearer token."""
    known: Principal | None = getattr(connection.state, "principal", None)
    if known is not None:
        return known
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Problem(
            401,
            "token_missing",
            "The request carries no bearer token.",
            hint="Get one at the token endpoint of the reporting service (client credentials).",
            headers={"WWW-Authenticate": "Bearer"},
        )
    try:
        principal: Principal = await connection.app.state.verifier.verify(token)
    except BadToken as error:
        raise Problem(
            401, "token_refused", str(error), headers={"WWW-Authenticate": 'Bearer error="invalid_token"'}
        ) from error
    connection.state.principal = principal
    return principal


def require(scope: str, *, own: bool = False) -> Any:
    """A dependency: the caller must hold this scope. Returns the Principal.

    A token that is limited to one worker is refused, unless the door is `own`: then it compares the worker itself.
    """

    async def check(request: Request, _documented: Annotated[Any, Depends(_SCHEME)]) -> Principal:
        principal = await authenticate(request)
        if scope not in principal.scopes:
            raise Problem(403, "scope_missing", f"This needs the scope {scope}, which the token does not carry.")
        if principal.worker_id is not None and not own:
            raise Problem(
                403, "token_of_one_worker", "The token is limited to one worker, and this is not theirs alone."
            )
        return principal

    return Security(check, scopes=[scope])


async def _tx(request: Request) -> Tx:
    tx: Tx | None = getattr(request.state, "tx", None)
    if tx is None:
        raise RuntimeError("this route has no transaction: build its router with TxRoute")
    return tx


TxDep = Annotated[Tx, Depends(_tx)]
"""The transaction of this request: committed after the route returns, rolled back on any error."""


class TxRoute(APIRoute):
    """Routes under `/v1/agencies/{agency_id}/…` run as that agency alone; others as all agencies of the token."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            principal = await authenticate(request)
            agencies = _agencies(request, principal)
            app = request.app
            key = _key(request)
            digest = await _digest(request) if key else ""
            async with app.state.api_database.transaction(
                now=app.state.clock.now(), agencies=agencies, read_only=request.method not in WRITES
            ) as tx:
                if key:
                    stored = await _stored(tx, principal.subject, key, digest)
                    if stored is not None:
                        return stored
                request.state.tx = tx
                response = await inner(request)
                if key and response.status_code < 400:
                    await _store(tx, principal.subject, key, digest, response)
            return response

        return handle


class StepsRoute(APIRoute):
    """Routes that take several transactions of their own: token and agency are checked, no transaction is open.

    The answer to an Idempotency-Key is kept when the work is done. A crash before that, or two sends at once, do the work
    twice: what such a route does must be safe to repeat, as closing a run is.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            principal = await authenticate(request)
            agencies = _agencies(request, principal)
            key = _key(request)
            if key is None:
                return await inner(request)
            digest = await _digest(request)
            database, now = request.app.state.api_database, request.app.state.clock.now
            async with database.transaction(now=now(), agencies=agencies) as tx:
                stored = await _stored(tx, principal.subject, key, digest)
                if stored is not None:
                    return stored
            response = await inner(request)
            if response.status_code in (200, 201):
                async with database.transaction(now=now(), agencies=agencies) as tx:
                    if await _stored(tx, principal.subject, key, digest) is None:
                        await _store(tx, principal.subject, key, digest, response)
            return response

        return handle


def _key(request: Request) -> str | None:
    """The Idempotency-Key of a write, if it has one."""
    key = request.headers.get("idempotency-key") if request.method in WRITES else None
    if key is not None and not 1 <= len(key) <= 128:
        raise Problem(
            422,
            "idempotency_key_too_long",
            "An Idempotency-Key has 1 to 128 characters.",
            pointer="header:/Idempotency-Key",
        )
    return key


def _agencies(request: Request, principal: Principal) -> list[UUID]:
    raw = request.path_params.get("agency_id")
    if raw is None:
        return sorted(principal.agencies)
    try:
        agency = UUID(str(raw))
    except ValueError as error:
        raise Problem(422, "invalid_request", "agency_id is not a UUID.", pointer="path:/agency_id") from error
    if agency not in principal.agencies:
        raise Problem(403, "agency_not_yours", f"The token gives no right to agency {agency}.")
    return [agency]


async def _digest(request: Request) -> str:
    body = await request.body()
    return hashlib.sha256(b"\n".join([request.method.encode(), str(request.url.path).encode(), body])).hexdigest()


async def _store(tx: Tx, caller: str, key: str, digest: str, response: Response) -> None:
    await tx.connection.execute(
        _STORE,
        {
            "caller": caller,
            "key": key,
            "hash": digest,
            "status": response.status_code,
            "body": bytes(response.body),
        },
    )


async def _stored(tx: Tx, caller: str, key: str, digest: str) -> Response | None:
    await tx.connection.execute(_TAKE, {"caller": caller, "key": key})
    found = (await tx.connection.execute(_FIND, {"caller": caller, "key": key})).first()
    if found is None:
        return None
    if found.request_hash != digest:
        raise Problem(
            409,
            "idempotency_key_reused",
            "This Idempotency-Key was used with another request.",
            hint="Use a new key for a new request; send the same body to get the first answer again.",
        )
    return Response(
        bytes(found.body),
        status_code=found.status,
        media_type="application/json",
        headers={"Idempotency-Replayed": "true"},
    )


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: the same value gives the same text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
