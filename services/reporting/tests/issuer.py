"""An OpenID Connect issuer on loopback, of Authlib's server: discovery, key set, code flow with PKCE, real signatures.

What it does wrong is told to it by a test: another key, a claim changed or left out.
"""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import UserInfo
from authlib.oidc.core.grants import OpenIDCode
from flask import Flask, Response, jsonify, request
from joserfc.jwk import RSAKey
from werkzeug.serving import make_server

CLIENT_ID, CLIENT_SECRET = "paybill reporting", "s3cret+/"  # made up, for this issuer alone
CALLBACK = "http://reporting.test/sign-in/oidc/back"


class Registration:
    """Reporting as this issuer knows it."""

    client_id = CLIENT_ID
    id_token_signed_response_alg = "RS256"

    def __init__(self, issuer: Issuer) -> None:
        self._issuer = issuer

    def get_client_id(self) -> str:
        return CLIENT_ID

    def get_default_redirect_uri(self) -> str:
        return CALLBACK

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_redirect_uri(self, uri: str) -> bool:
        return uri == CALLBACK

    def check_client_secret(self, secret: str) -> bool:
        return secret == CLIENT_SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method in self._issuer.auth_methods

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


class Code(SimpleNamespace):
    """A code that was given out, and what it was given for."""

    def get_redirect_uri(self) -> str:
        return str(self.redirect_uri)

    def get_scope(self) -> str:
        return str(self.scope)

    def get_nonce(self) -> str | None:
        return self.nonce  # type: ignore[no-any-return]

    def get_auth_time(self) -> int:
        return int(time.time())

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> None:
        return None


class Issuer:
    """The issuer's state. `person` signs in at once; `claims` replaces claims of every id token, None leaves one out."""

    def __init__(self) -> None:
        self.address = ""
        self.person: dict[str, Any] = {"sub": "pat"}
        self.claims: dict[str, Any] = {}
        self.auth_methods: tuple[str, ...] = ("client_secret_post",)
        self.named = ""
        """How it names itself, when that is not its address."""
        self.codes: dict[str, Code] = {}
        self.published: list[RSAKey] = []
        self.rotate()

    def rotate(self) -> None:
        """Sign with a new key and publish it alone."""
        self.key = RSAKey.generate_key(2048, {"kid": f"key-{time.monotonic_ns()}", "use": "sig", "alg": "RS256"})
        self.published = [self.key]

    def app(self) -> Flask:
        app = Flask("issuer")
        issuer = self

        class Grant(AuthorizationCodeGrant):  # type: ignore[misc]  Authlib has no types
            TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_post", "client_secret_basic")

            def save_authorization_code(self, code: str, given: Any) -> None:
                asked = given.payload
                kept = {name: asked.data.get(name) for name in ("nonce", "code_challenge", "code_challenge_method")}
                issuer.codes[code] = Code(
                    code=code, redirect_uri=asked.redirect_uri, scope=asked.scope, person=given.user, **kept
                )

            def query_authorization_code(self, code: str, client: Any) -> Code | None:
                return issuer.codes.get(code)

            def delete_authorization_code(self, authorization_code: Code) -> None:
                issuer.codes.pop(authorization_code.code, None)

            def authenticate_user(self, authorization_code: Code) -> Any:
                return authorization_code.person

        class IdToken(OpenIDCode):  # type: ignore[misc]  Authlib has no types
            def exists_nonce(self, nonce: str, request: Any) -> bool:
                return any(code.nonce == nonce for code in issuer.codes.values())

            def resolve_client_private_key(self, client: Any) -> RSAKey:
                return issuer.key

            def get_encode_header(self, client: Any) -> dict[str, str]:
                return {"alg": "RS256", "kid": str(issuer.key.kid)}

            def get_client_claims(self, client: Any) -> dict[str, Any]:
                return {"iss": issuer.named or issuer.address, "aud": [CLIENT_ID]}

            def generate_user_info(self, user: Any, scope: str) -> UserInfo:
                return UserInfo(user)

            def get_authorization_code_claims(self, authorization_code: Code) -> dict[str, Any]:
                claims: dict[str, Any] = super().get_authorization_code_claims(authorization_code)
                return claims | {name: value for name, value in issuer.claims.items() if value is not None}

        server = AuthorizationServer(app, query_client=lambda _id: Registration(issuer), save_token=lambda *_: None)
        server.register_grant(Grant, [CodeChallenge(required=True), IdToken(require_nonce=True)])

        @app.get("/.well-known/openid-configuration")
        def discovery() -> Response:
            return jsonify(
                issuer=issuer.named or issuer.address,
                authorization_endpoint=f"{issuer.address}/authorize",
                token_endpoint=f"{issuer.address}/token",
                jwks_uri=f"{issuer.address}/keys",
                token_endpoint_auth_methods_supported=list(issuer.auth_methods),
            )

        @app.get("/keys")
        def keys() -> Response:
            # As real issuers do: a key for encryption stands beside, which no signature is checked with.
            other = RSAKey.generate_key(2048, {"kid": "enc", "use": "enc", "alg": "RSA-OAEP"}).as_dict(private=False)
            return jsonify(keys=[other, *(key.as_dict(private=False) for key in issuer.published)])

        @app.get("/authorize")
        def authorize() -> Any:
            return server.create_authorization_response(
                grant=server.get_consent_grant(end_user=issuer.person), grant_user=issuer.person
            )

        @app.post("/token")
        def token() -> Any:
            return server.create_token_response()

        @app.after_request
        def note(response: Response) -> Response:
            if request.path == "/token":
                scheme, _, given = request.headers.get("Authorization", "").partition(" ")
                issuer.asked_by = base64.b64decode(given).decode() if scheme == "Basic" else "form"
            return response

        return app

    asked_by = ""
    """How reporting proved itself last: what stood in its Basic header, or `form`."""


@contextmanager
def serving() -> Iterator[Issuer]:
    """An issuer that answers on loopback until the end of the block."""
    issuer = Issuer()
    server = make_server("127.0.0.1", 0, issuer.app(), threaded=True)
    issuer.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
