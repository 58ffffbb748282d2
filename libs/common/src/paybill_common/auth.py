"""Bearer tokens: who calls, with which scopes, for which agencies. Programs use client credentials; people sign in at reporting."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import jwt
from cryptography.hazmat.primitives import serialization

ISSUER = "paybill"
TOKEN_SECONDS = 900

SCOPES: Mapping[str, str] = {
    "read": "Read everything of the agencies in the token, but for bank and tax details",
    "write": "Create and change agencies' records",
    "timesheets:approve": "Approve, reject and amend timesheets for the agency",
    "pay:read": "Read pay profiles, payslips and payment files",
    "pay:write": "Change pay profiles and payees",
    "pay:close": "Close pay runs",
    "pay:release": "Release a payment file that somebody else prepared",
    "invoices:issue": "Issue invoice runs and credit notes",
    "compliance:write": "Record documents and checks",
    "compliance:release": "Release a hold with a reason",
    "ops:admin": "Dead letters, consumers, rebuilding the bus",
}


class BadToken(Exception):
    """The token is missing, expired, signed by somebody else, or lacks a claim."""


@dataclass(frozen=True)
class Principal:
    """Who calls. `name` is a person's or program's label for evidence and audit, never used to decide."""

    subject: str
    name: str
    scopes: frozenset[str]
    agencies: frozenset[UUID]
    every_agency: bool = False
    """It runs the whole instance: it may see what belongs to no agency, such as a record that nobody can read."""
    worker_id: UUID | None = None
    """It may read what is this worker's and nothing else: only doors that say so open to it (`require(…, own=True)`)."""

    def may_see(self, worker_id: UUID) -> bool:
        """What is of this worker may be read: the token is not limited to another one."""
        return self.worker_id in (None, worker_id)


def sign(
    *,
    private_key_pem: str,
    key_id: str,
    principal: Principal,
    audience: str = "paybill",
    seconds: int = TOKEN_SECONDS,
    algorithm: str = "ES256",
) -> str:
    """A token for this principal, valid for `seconds` of real time."""
    issued = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": audience,
        "sub": principal.subject,
        "name": principal.name,
        "scope": " ".join(sorted(principal.scopes)),
        "agencies": sorted(str(agency) for agency in principal.agencies),
        "iat": issued,
        "exp": issued + seconds,
    }
    if principal.every_agency:
        claims["every_agency"] = True
    if principal.worker_id is not None:
        claims["worker_id"] = str(principal.worker_id)
    return jwt.encode(claims, private_key_pem, algorithm=algorithm, headers={"kid": key_id})


class TokenVerifier:
    """Checks tokens against a JWKS file of our own, and against an OIDC issuer when one is set."""

    def __init__(self, *, jwks_file: Path | None, oidc_issuer: str | None = None, audience: str = "paybill") -> None:
        self._audience = audience
        self._issuer = oidc_issuer
        self._keys: dict[str, Any] = {}
        self._oidc_keys: dict[str, Any] = {}
        self._oidc_read_at = 0.0
        if jwks_file is not None:
            self._keys = _keys_of(json.loads(jwks_file.read_text(encoding="utf-8")))

    async def verify(self, token: str) -> Principal:
        """The principal of a token. Raises BadToken saying why it is refused."""
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError as error:
            raise BadToken(f"the token cannot be read: {error}") from error
        key_id = str(header.get("kid", ""))
        key, issuer = self._keys.get(key_id), ISSUER
        if key is None and self._issuer:
            await self._read_oidc(key_id)
            key, issuer = self._oidc_keys.get(key_id), self._issuer
        if key is None:
            raise BadToken("the token is signed by a key that is not known here")
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=["ES256", "RS256", "EdDSA"],
                audience=self._audience,
                issuer=issuer,
                options={"require": ["exp", "sub", "aud", "iss"]},
            )
            return Principal(
                subject=str(claims["sub"]),
                name=str(claims.get("name", claims["sub"])),
                scopes=frozenset(str(claims.get("scope", "")).split()),
                agencies=frozenset(UUID(agency) for agency in claims.get("agencies", [])),
                every_agency=claims.get("every_agency") is True,
                worker_id=UUID(claims["worker_id"]) if claims.get("worker_id") is not None else None,
            )
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise BadToken(f"the token is refused: {error}") from error

    async def _read_oidc(self, key_id: str) -> None:
        if key_id in self._oidc_keys or time.monotonic() - self._oidc_read_at < 30:
            return
        self._oidc_read_at = time.monotonic()
        try:
            async with asyncio.timeout(5), httpx.AsyncClient(timeout=5) as client:
                found = await client.get(f"{str(self._issuer).rstrip('/')}/.well-known/openid-configuration")
                keys = await client.get(found.raise_for_status().json()["jwks_uri"])
                self._oidc_keys = _keys_of(keys.raise_for_status().json())
        except (httpx.HTTPError, TimeoutError, KeyError, ValueError) as error:
            raise BadToken(f"the OIDC issuer did not give its keys: {error!r}") from error


def _keys_of(jwks: Mapping[str, Any]) -> dict[str, Any]:
    """The signing keys by their id; an issuer may publish others, for encryption or of kinds that we do not take."""
    keys: dict[str, Any] = {}
    for raw in jwks.get("keys", []):
        with contextlib.suppress(jwt.PyJWTError):
            if raw.get("use", "sig") == "sig" and raw.get("kid"):
                keys[str(raw["kid"])] = jwt.PyJWK.from_dict(raw).key
    return keys


def public_pem(private_key_pem: str) -> str:
    """The public half of a private key, PEM."""
    key = serialization.load_pem_private_key(private_key_pem.encode(), password=None)
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )
