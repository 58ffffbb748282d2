"""Signing in at a real OpenID Connect issuer, and programs that bring its tokens."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx
import issuer as issuers
import pytest
from issuer import CALLBACK, CLIENT_ID, CLIENT_SECRET, Issuer
from joserfc import jwt
from web import Site

from paybill_common.auth import BadToken, TokenVerifier
from paybill_common.service import Runtime

pytestmark = pytest.mark.integration


@pytest.fixture
def issuer(site: Site, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> Iterator[Issuer]:
    """An issuer that reporting is registered at. It speaks http on loopback, which Authlib wants to be told is meant."""
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
    with issuers.serving() as running:
        register(runtime, running.address)
        yield running


def register(runtime: Runtime, issuer: str) -> None:
    """Write into the clients file where people sign in, and one person's address there."""
    file = Path(str(runtime.settings.clients_file))
    known = json.loads(file.read_text())
    known["people"][1]["email"] = "bea@bureau.example"
    oidc = {"issuer": issuer, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "name": "Example ID"}
    file.write_text(json.dumps(known | {"oidc": oidc}))


async def start(browser: httpx.AsyncClient, path: str = "/developers") -> str:
    """Follow *Sign in* to the issuer and back: the address that the issuer sends the browser to."""
    away = await browser.get("/sign-in/oidc", params={"next": path})
    assert away.status_code == 303, away.text
    async with httpx.AsyncClient() as outside:
        back = await outside.get(away.headers["location"])
    assert back.status_code == 302, back.text
    assert back.headers["location"].startswith(CALLBACK)
    return str(back.headers["location"])


async def sign_in(site: Site) -> httpx.Response:
    async with site.browser() as browser:
        return await browser.get(await start(browser))


async def test_a_person_signs_in_and_lands_where_they_wanted(site: Site, issuer: Issuer) -> None:
    async with site.browser() as browser:
        assert "Example ID" in (await browser.get("/sign-in")).text
        back = await start(browser)
        answer = await browser.get(back)
        assert (answer.status_code, answer.headers["location"]) == (303, "/developers")
        assert "Pat Payroll" in (await browser.get("/developers")).text
        assert (await browser.get(back)).status_code == 401, "a code and a state are good once"
    assert issuer.asked_by == "form"


@pytest.mark.parametrize("methods", [("client_secret_basic",), ()])
async def test_the_secret_travels_as_the_issuer_takes_it(site: Site, issuer: Issuer, methods: tuple[str, ...]) -> None:
    """An issuer that names no method means HTTP Basic; both parts are form-encoded in it (RFC 6749, 2.3.1)."""
    issuer.auth_methods = methods
    async with site.browser() as browser:
        await browser.get(await start(browser))
    assert issuer.asked_by == "paybill+reporting:s3cret%2B%2F"


async def test_who_is_known_by_a_verified_address_may_come_in(site: Site, issuer: Issuer) -> None:
    for verified, status in ((True, 303), (False, 401), ("true", 401)):
        issuer.person = {"sub": "0a1b2c", "email": "bea@bureau.example", "email_verified": verified}
        assert (await sign_in(site)).status_code == status, verified
    issuer.person = {"sub": "stranger"}
    assert "not known to this instance" in (await sign_in(site)).text


async def test_an_issuer_whose_name_ends_with_a_slash(site: Site, issuer: Issuer) -> None:
    issuer.named = f"{issuer.address}/"
    assert (await sign_in(site)).status_code == 303


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "of another sign-in"},
        {"aud": ["another client"]},
        {"exp": int(time.time()) - 3600, "iat": int(time.time()) - 7200},
        {"iat": int(time.time()) + 3600},
        {"iss": "https://elsewhere.example"},
    ],
    ids=["nonce", "audience", "expired", "from the future", "issuer"],
)
async def test_an_answer_that_is_not_for_this_sign_in_is_refused(
    site: Site, issuer: Issuer, claims: dict[str, Any]
) -> None:
    issuer.claims = claims
    answer = await sign_in(site)
    assert answer.status_code == 401
    assert "belongs to another sign-in" in answer.text or "could not be verified" in answer.text
    assert "set-cookie" not in answer.headers


async def test_keys_are_rotated_between_and_in_the_middle_of_sign_ins(site: Site, issuer: Issuer) -> None:
    assert (await sign_in(site)).status_code == 303
    issuer.rotate()
    assert (await sign_in(site)).status_code == 303
    known = issuer.published
    issuer.rotate()
    issuer.published = known
    assert "could not be verified" in (await sign_in(site)).text, "signed by a key that the issuer does not publish"


async def test_a_sign_in_is_finished_by_the_browser_that_started_it(site: Site, issuer: Issuer) -> None:
    """Somebody who sends their own answer to another person would have them work in the wrong name."""
    async with site.browser() as mine, site.browser() as theirs:
        back = await start(mine)
        assert (await theirs.get(back)).status_code == 401
        assert (await mine.get(back)).status_code == 303


async def test_a_code_without_its_verifier_is_worth_nothing(site: Site, issuer: Issuer) -> None:
    """PKCE: whoever catches the code on its way cannot exchange it."""
    async with site.browser() as browser, httpx.AsyncClient() as thief:
        code = parse_qs(urlsplit(await start(browser)).query)["code"][0]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "client_id": CLIENT_ID}
        answer = await thief.post(f"{issuer.address}/token", data=form | {"client_secret": CLIENT_SECRET})
        assert answer.status_code == 400


async def test_an_issuer_that_is_away_or_another_is_said_so(site: Site, issuer: Issuer, runtime: Runtime) -> None:
    issuer.named = "https://elsewhere.example"
    for address, why in (
        ("http://127.0.0.1:1", "does not answer"),
        (f"{issuer.address}/nothing-here", "does not answer"),
        (issuer.address, "names itself differently"),
    ):
        register(runtime, address)
        async with site.browser() as browser:
            answer = await browser.get("/sign-in/oidc")
        assert (answer.status_code, why in answer.text) == (401, True)


class TestPrograms:
    """Services take the issuer's own access tokens when PAYBILL_OIDC_ISSUER names it."""

    def _token(self, issuer: Issuer, **claims: Any) -> str:
        now = int(time.time())
        known = {"iss": issuer.address, "aud": "paybill", "sub": "robot", "scope": "read", "exp": now + 300}
        given = {name: value for name, value in (known | {"agencies": [str(UUID(int=7))]} | claims).items() if value}
        return jwt.encode({"alg": "RS256", "kid": str(issuer.key.kid)}, given, issuer.key)

    async def test_a_token_of_the_issuer_is_checked_like_ours(self, issuer: Issuer) -> None:
        verifier = TokenVerifier(jwks_file=None, oidc_issuer=issuer.address)
        principal = await verifier.verify(self._token(issuer))
        assert (principal.subject, principal.scopes, principal.agencies) == ("robot", {"read"}, {UUID(int=7)})
        for wrong in (
            {"aud": "another api"},
            {"exp": int(time.time()) - 10},
            {"exp": None},
            {"iss": "https://elsewhere.example"},
            {"agencies": ["not an id"]},
        ):
            with pytest.raises(BadToken, match="refused"):
                await verifier.verify(self._token(issuer, **wrong))

    async def test_a_new_key_is_fetched_but_not_at_every_strangers_word(
        self, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An unknown key asks the issuer again, at most twice a minute."""
        verifier = TokenVerifier(jwks_file=None, oidc_issuer=issuer.address)
        old = self._token(issuer)
        await verifier.verify(old)
        issuer.rotate()
        with pytest.raises(BadToken, match="not known here"):
            await verifier.verify(self._token(issuer))
        verifier._oidc_read_at -= 31
        assert (await verifier.verify(self._token(issuer))).subject == "robot"
        with pytest.raises(BadToken, match="not known here"):
            await verifier.verify(old)
