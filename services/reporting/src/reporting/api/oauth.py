"""The token endpoint (client credentials), our public keys, and the state of this service for programs."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from paybill_common.auth import TOKEN_SECONDS, Principal
from paybill_common.http.problems import ERROR_RESPONSES, Problem
from paybill_common.http.route import require
from reporting.api.forward import Forward
from reporting.store import lists
from reporting.usecases.clients import Clients, Grant, Signer

router = APIRouter(responses=ERROR_RESPONSES, tags=["tokens"])


class TokenOut(BaseModel):
    """RFC 6749, section 5.1."""

    access_token: str
    token_type: str
    expires_in: int
    scope: str


Field = Annotated[str | None, Form(max_length=4_000)]


@router.post("/oauth/token")
async def issue_token(
    request: Request,
    grant_type: Annotated[str, Form(max_length=100)],
    client_id: Field = None,
    client_secret: Field = None,
    scope: Field = None,
    agencies: Annotated[
        str | None, Form(max_length=40_000, description="Agency ids, space-separated; without it all of the client's")
    ] = None,
) -> TokenOut:
    """A bearer token for a program (client credentials). The secret goes in the form or as HTTP Basic.

    `scope` and `agencies` may narrow what the client has. A client with every agency may name one that is about to be made.
    """
    if grant_type != "client_credentials":
        raise Problem(400, "unsupported_grant_type", "Only client_credentials is supported.", pointer="#/grant_type")
    basic = _basic(request.headers.get("authorization", ""))
    name, secret = basic or (client_id or "", client_secret or "")
    clients: Clients = request.app.state.clients
    signer: Signer = request.app.state.signer
    grant = clients.client(name, secret)
    if grant is None:
        raise Problem(
            401,
            "invalid_client",
            "The client id or its secret is wrong.",
            hint="Look at secrets.json of this instance for the command line's own client.",
            headers={"WWW-Authenticate": "Basic"},
        )
    if not signer.ready:
        raise Problem(503, "no_signing_key", "This instance has no signing key.", hint="Set PAYBILL_SIGNING_KEY_FILE.")
    scopes = grant.scopes if not scope else grant.scopes & set(scope.split())
    if not scopes:
        raise Problem(400, "invalid_scope", "The client has none of these scopes.", pointer="#/scope")
    asked = _ids(agencies)
    allowed = await agencies_of(request, grant, asked)
    everywhere = grant.every_agency and asked is None
    principal = Principal(grant.subject, grant.name, scopes, allowed, everywhere)
    return TokenOut(
        access_token=signer.token(principal, seconds=TOKEN_SECONDS),
        token_type="bearer",  # noqa: S106  the type of token, not a secret
        expires_in=TOKEN_SECONDS,
        scope=" ".join(sorted(scopes)),
    )


@router.get("/.well-known/jwks.json", include_in_schema=True)
async def public_keys(request: Request) -> JSONResponse:
    """The public keys that our tokens are signed with."""
    signer: Signer = request.app.state.signer
    return JSONResponse(signer.jwks, headers={"Cache-Control": "public, max-age=300"})


async def agencies_of(request: Request, grant: Grant, asked: frozenset[UUID] | None = None) -> frozenset[UUID]:
    """The agencies of a grant, narrowed to those asked for; "every agency" is read from what we know today."""
    if grant.every_agency:
        if asked is not None:
            return asked
        async with request.app.state.worker_database.transaction(now=request.app.state.clock.now()) as tx:
            return frozenset(row.agency_id for row in await lists.agencies(tx)) | grant.agencies
    if asked is None:
        return grant.agencies
    if asked - grant.agencies:
        raise Problem(
            403, "agency_not_yours", "The client has no right to one of these agencies.", pointer="#/agencies"
        )
    return asked


def _ids(text: str | None) -> frozenset[UUID] | None:
    if not text or not text.strip():
        return None
    try:
        return frozenset(UUID(part) for part in text.replace(",", " ").split())
    except ValueError as error:
        raise Problem(
            422, "invalid_request", "agencies is a list of UUIDs, space-separated.", pointer="#/agencies"
        ) from error


def _basic(header: str) -> tuple[str, str] | None:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return name, secret


class SystemOut(BaseModel):
    """What each service says of itself; `error` when it does not answer."""

    services: list[dict[str, Any]]


@router.get("/v1/system")
async def system(request: Request, principal: Principal = require("ops:admin")) -> SystemOut:
    """Lag, consumers, dead letters and unpublished events of every service."""
    forward: Forward = request.app.state.forward
    return SystemOut(services=await forward.system(principal))
