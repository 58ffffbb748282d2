"""Signing in at an OpenID Connect issuer: the authorization code flow with PKCE, state and nonce."""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import Any
from urllib.parse import quote_plus, urlencode

import httpx
import jwt

from reporting.store.sessions import SignIn
from reporting.usecases.clients import OidcClient

TIMEOUT_S = 8.0
CLOCKS_APART_S = 60
SCOPE = "openid email profile"


class NotSignedIn(Exception):
    """The issuer did not confirm who this is; the message says why."""


async def begin(client: OidcClient, *, callback: str, next_path: str) -> tuple[str, str, SignIn]:
    """Where to send the person, the state that comes back, and what to remember until then."""
    found = await _discover(client)
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = urlencode(
        {
            "response_type": "code",
            "client_id": client.client_id,
            "redirect_uri": callback,
            "scope": SCOPE,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
    )
    address = str(found["authorization_endpoint"])
    return f"{address}{'&' if '?' in address else '?'}{query}", state, SignIn(nonce, verifier, next_path)


async def finish(client: OidcClient, known: SignIn, *, code: str, callback: str) -> list[str]:
    """Exchange the code, check the id token, and return the names this person may be known by. Raises NotSignedIn."""
    found = await _discover(client)
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": callback,
        "client_id": client.client_id,
        "code_verifier": known.verifier,
    }
    basic: Any = httpx.USE_CLIENT_DEFAULT
    if client.client_secret and "client_secret_post" in (found.get("token_endpoint_auth_methods_supported") or ()):
        form["client_secret"] = client.client_secret
    elif client.client_secret:
        # What an issuer supports that says nothing (OpenID Connect Discovery 1.0, section 3); RFC 6749, 2.3.1 encodes both.
        basic = httpx.BasicAuth(quote_plus(client.client_id), quote_plus(client.client_secret))
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT_S) as http:
            tokens = (await http.post(found["token_endpoint"], data=form, auth=basic)).raise_for_status().json()
            keys = (await http.get(found["jwks_uri"])).raise_for_status().json()
        id_token = str(tokens["id_token"])
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise NotSignedIn("The issuer did not accept the sign-in.") from error
    return subjects_of(id_token, keys, issuer=str(found["issuer"]), client_id=client.client_id, nonce=known.nonce)


def subjects_of(id_token: str, keys: dict[str, Any], *, issuer: str, client_id: str, nonce: str) -> list[str]:
    """The subject and, when the issuer has verified it, the e-mail address of an id token. Raises NotSignedIn.

    `issuer` as it names itself, to the letter: some end with a slash.
    """
    try:
        key_id = jwt.get_unverified_header(id_token).get("kid")
        key = next(jwt.PyJWK.from_dict(raw).key for raw in keys["keys"] if raw.get("kid") == key_id)
        claims = jwt.decode(
            id_token,
            key,
            algorithms=["RS256", "ES256", "EdDSA"],
            audience=client_id,
            issuer=issuer,
            leeway=CLOCKS_APART_S,
            options={"require": ["exp", "iat", "sub", "aud", "iss"]},
        )
    except (jwt.PyJWTError, StopIteration, KeyError, TypeError) as error:
        raise NotSignedIn("The issuer's answer could not be verified.") from error
    if not secrets.compare_digest(str(claims.get("nonce", "")), nonce):
        raise NotSignedIn("The issuer's answer belongs to another sign-in.")
    verified = [str(claims["email"])] if claims.get("email") and claims.get("email_verified") is True else []
    return [str(claims["sub"]), *verified]


async def _discover(client: OidcClient) -> dict[str, Any]:
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT_S) as http:
            answer = await http.get(f"{client.issuer}/.well-known/openid-configuration")
            found: dict[str, Any] = answer.raise_for_status().json()
    except (httpx.HTTPError, ValueError) as error:
        raise NotSignedIn("The issuer does not answer.") from error
    if not isinstance(found, dict) or str(found.get("issuer", "")).rstrip("/") != client.issuer:
        raise NotSignedIn("The issuer names itself differently from the configuration.")
    missing = [name for name in ("authorization_endpoint", "token_endpoint", "jwks_uri") if not found.get(name)]
    if missing:
        raise NotSignedIn(f"The issuer does not say its {', '.join(missing)}.")
    return found
