"""Who may get a token: programs by secret, people by sign-in code. Read from the clients file, again when it changes."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives import serialization
from jwt.algorithms import ECAlgorithm

from paybill_common.auth import SCOPES, Principal, sign

EVERY = "*"


class BadClientsFile(ValueError):
    """The clients file cannot be read; the message names it and says why."""


@dataclass(frozen=True)
class Grant:
    """What a program or person may do: scopes, and agencies or all of them."""

    subject: str
    name: str
    scopes: frozenset[str]
    agencies: frozenset[UUID]
    every_agency: bool
    consultants: frozenset[UUID] = frozenset()
    """The consultants that this person is, one an agency: whose clients are shown first."""


@dataclass(frozen=True)
class OidcClient:
    """Reporting's own registration at an OpenID Connect issuer."""

    issuer: str
    client_id: str
    client_secret: str | None
    name: str


class Clients:
    """The clients file: `{"clients": [...], "people": [...], "oidc": {...}}`; secrets and codes as SHA-256 only."""

    def __init__(self, file: Path | None, *, oidc_issuer: str | None = None) -> None:
        self._file = file
        self._issuer = oidc_issuer
        self._read_ns = -1
        self._raw: dict[str, Any] = {}

    def _content(self) -> dict[str, Any]:
        if self._file is None or not self._file.exists():
            return {}
        changed_ns = self._file.stat().st_mtime_ns
        if changed_ns != self._read_ns:
            try:
                raw = json.loads(self._file.read_text(encoding="utf-8"))
            except ValueError as error:
                raise BadClientsFile(f"{self._file} is not JSON: {error}") from error
            if not isinstance(raw, dict):
                raise BadClientsFile(f'{self._file} must hold an object with "clients" and "people"')
            self._raw, self._read_ns = raw, changed_ns
        return self._raw

    def client(self, client_id: str, secret: str) -> Grant | None:
        """The program of this id, if the secret is its own."""
        for entry in self._content().get("clients", []):
            if entry.get("client_id") == client_id:
                stored = entry.get("client_secret_sha256") or entry.get("secret_sha256") or ""
                return _grant(entry, client_id) if _same(secret, stored) else None
        return None

    def person_by_code(self, code: str) -> Grant | None:
        """The person whose sign-in code this is."""
        for entry in self._content().get("people", []):
            if _same(code, entry.get("sign_in_code_sha256") or ""):
                return _grant(entry, str(entry["subject"]))
        return None

    def person(self, subjects: Iterable[str]) -> Grant | None:
        """The person known under one of these subjects or e-mail addresses."""
        wanted = set(subjects)
        for entry in self._content().get("people", []):
            if entry.get("subject") in wanted or (entry.get("email") and entry["email"] in wanted):
                return _grant(entry, str(entry["subject"]))
        return None

    def oidc(self) -> OidcClient | None:
        """The issuer that people sign in at, when one is configured."""
        raw: Mapping[str, Any] = self._content().get("oidc", {})
        issuer = raw.get("issuer") or self._issuer
        if not issuer or not raw.get("client_id"):
            return None
        return OidcClient(
            issuer=str(issuer).rstrip("/"),
            client_id=str(raw["client_id"]),
            client_secret=raw.get("client_secret"),
            name=str(raw.get("name", "your organisation")),
        )


def _same(given: str, stored_sha256: str) -> bool:
    return bool(stored_sha256) and hmac.compare_digest(
        hashlib.sha256(given.encode()).hexdigest(), stored_sha256.lower()
    )


def _grant(entry: Mapping[str, Any], subject: str) -> Grant:
    listed = [str(agency) for agency in entry.get("agencies", [])]
    scopes = [str(scope) for scope in entry.get("scopes", [])]
    return Grant(
        subject=subject,
        name=str(entry.get("name") or subject),
        scopes=frozenset(SCOPES) if EVERY in scopes else frozenset(scopes) & frozenset(SCOPES),
        agencies=frozenset(UUID(agency) for agency in listed if agency != EVERY),
        every_agency=EVERY in listed,
        consultants=frozenset(UUID(str(consultant)) for consultant in entry.get("consultants", [])),
    )


class Signer:
    """Signs tokens with this instance's key."""

    def __init__(self, *, signing_key_file: Path | None, jwks_file: Path | None, audience: str) -> None:
        self._pem = signing_key_file.read_text(encoding="utf-8") if signing_key_file else None
        self._audience = audience
        self.jwks: dict[str, Any] = (
            json.loads(jwks_file.read_text(encoding="utf-8")) if jwks_file is not None else {"keys": []}
        )
        self._key_id = self._find_key_id() if self._pem else ""

    @property
    def ready(self) -> bool:
        """There is a key to sign with."""
        return self._pem is not None

    def token(self, principal: Principal, *, seconds: int) -> str:
        """A token for this principal. Raises RuntimeError when this instance has no key."""
        if self._pem is None:
            raise RuntimeError("PAYBILL_SIGNING_KEY_FILE is not set: this instance cannot sign tokens")
        return sign(
            private_key_pem=self._pem,
            key_id=self._key_id,
            principal=principal,
            audience=self._audience,
            seconds=seconds,
        )

    def _find_key_id(self) -> str:
        key = serialization.load_pem_private_key(str(self._pem).encode(), password=None)
        public = json.loads(ECAlgorithm.to_jwk(key.public_key()))  # type: ignore[arg-type]  # our keys are EC P-256
        for entry in self.jwks.get("keys", []):
            if (entry.get("x"), entry.get("y")) == (public["x"], public["y"]):
                return str(entry["kid"])
        raise BadClientsFile("the JWKS file does not hold the public half of the signing key")
