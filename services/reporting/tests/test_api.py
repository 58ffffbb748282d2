"""The JSON API and the token endpoint."""

from __future__ import annotations

import base64
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import pytest
from web import Site
from world import World

from paybill_common.auth import SCOPES

pytestmark = pytest.mark.integration


async def token(browser: httpx.AsyncClient, client: str = "paybill-cli", secret: str = "cli", **form: str) -> str:
    answer = await browser.post(
        "/oauth/token",
        data={"grant_type": "client_credentials", "client_id": client, "client_secret": secret, **form},
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


async def ask(site: Site, path: str, **params: Any) -> Any:
    async with site.browser() as browser:
        headers = {"Authorization": f"Bearer {await token(browser)}"}
        answer = await browser.get(path, headers=headers, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_client_credentials_give_a_token_that_our_own_api_accepts(site: Site) -> None:
    weeks = await ask(site, f"/v1/agencies/{site.world.agency}/weeks")
    assert weeks == {"items": ["2026-04-05"], "next_cursor": None}


async def test_a_wrong_secret_and_an_unknown_client_are_refused_alike(site: Site) -> None:
    async with site.browser() as browser:
        for client, secret in (("crm", "wrong"), ("nobody", "s3"), ("", "")):
            form = {"grant_type": "client_credentials", "client_id": client, "client_secret": secret}
            answer = await browser.post("/oauth/token", data=form)
            assert (answer.status_code, answer.json()["code"]) == (401, "invalid_client")
        answer = await browser.post("/oauth/token", data={"grant_type": "password"})
        assert (answer.status_code, answer.json()["code"]) == (400, "unsupported_grant_type")


async def test_basic_authentication_and_narrowed_scopes(site: Site) -> None:
    basic = base64.b64encode(b"paybill-cli:cli").decode()
    async with site.browser() as browser:
        answer = await browser.post(
            "/oauth/token",
            data={"grant_type": "client_credentials", "scope": "read", "agencies": str(site.world.agency)},
            headers={"Authorization": f"Basic {basic}"},
        )
        assert answer.json()["scope"] == "read"
        narrow = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        other: World = site.other  # type: ignore[attr-defined]
        assert (await browser.get(f"/v1/agencies/{other.agency}/weeks", headers=narrow)).status_code == 403
        assert (await browser.get("/v1/system", headers=narrow)).status_code == 403


async def test_a_client_of_one_agency_gets_no_other(site: Site) -> None:
    other: World = site.other  # type: ignore[attr-defined]
    async with site.browser() as browser:
        form = {"grant_type": "client_credentials", "client_id": "crm", "client_secret": "s3"}
        answer = await browser.post("/oauth/token", data={**form, "agencies": str(other.agency)})
        assert answer.status_code == 403


async def test_a_client_of_every_agency_may_name_one_that_is_not_made_yet(site: Site) -> None:
    async with site.browser() as browser:
        bearer = await token(browser, agencies=str(UUID(int=7)))
        answer = await browser.get(f"/v1/agencies/{UUID(int=7)}/weeks", headers={"Authorization": f"Bearer {bearer}"})
        assert answer.json()["items"] == []


async def test_only_a_token_for_all_that_there_is_runs_the_instance(site: Site) -> None:
    async with site.browser() as browser:
        whole = await site.app.state.verifier.verify(await token(browser))
        narrowed = await site.app.state.verifier.verify(await token(browser, agencies=str(site.world.agency)))
        crm = await site.app.state.verifier.verify(await token(browser, "crm", "s3"))
    assert [whole.every_agency, narrowed.every_agency, crm.every_agency] == [True, False, False]


async def test_public_keys_are_published(site: Site) -> None:
    async with site.browser() as browser:
        keys = (await browser.get("/.well-known/jwks.json")).json()["keys"]
    assert keys[0]["kty"] == "EC"
    assert "d" not in keys[0]


async def test_the_week_adds_up(site: Site) -> None:
    other: World = site.other  # type: ignore[attr-defined]
    week = await ask(site, f"/v1/agencies/{other.agency}/weeks/2026-04-05")
    assert week["timesheets"] == {
        "expected": 40,
        "not_worked": 0,
        "imported": 36,
        "approved": 28,
        "rejected": 4,
        "rejected_open": 4,
        "amended": 0,
        "held": 4,
        "paid": 24,
        "billed": 24,
    }
    assert (week["payslips"], week["self_bills"], week["invoices"], week["payments"]) == (12, 2, 6, 12)
    assert week["tie_out"]["clean"]
    charge = sum(line.charge_gbp for n in other.of("approved") for line in other.lines(n))
    assert Decimal(week["charge_net_gbp"]) == charge
    assert Decimal(week["margin_gbp"]) == charge - Decimal(week["cost_gbp"])
    assert [stage["key"] for stage in week["funnel"]] == ["submitted", "approved", "cleared", "paid", "billed", "cash"]


async def paged(site: Site, path: str, *, limit: int, **params: Any) -> list[Any]:
    """Every item of a list, in pages of `limit`."""
    seen: list[Any] = []
    cursor = None
    while True:
        page = await ask(site, path, limit=limit, **params, **({"cursor": cursor} if cursor else {}))
        assert len(page["items"]) == limit or page["next_cursor"] is None
        seen += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return seen


async def test_timesheets_page_by_cursor_without_gap_or_repeat(site: Site) -> None:
    path = f"/v1/agencies/{site.world.agency}/timesheets"
    seen = await paged(site, path, limit=7, week_ending="2026-04-05")
    assert [item["reference"] for item in seen] == [f"TS-{n:05d}" for n in range(40)]


@pytest.mark.parametrize(
    ("path", "key", "params"),
    [
        ("payslips", "payslip_id", {"week_ending": "2026-04-05"}),
        ("invoices", "document_id", {}),
        ("holds", "timesheet_id", {"week_ending": "2026-04-05"}),
    ],
)
async def test_lists_page_by_cursor_without_gap_or_repeat(
    site: Site, path: str, key: str, params: dict[str, str]
) -> None:
    other: World = site.other  # type: ignore[attr-defined]
    door = f"/v1/agencies/{other.agency}/{path}"
    whole = [item[key] for item in (await ask(site, door, limit=500, **params))["items"]]
    assert len(whole) > 3
    assert len(set(whole)) == len(whole)
    assert [item[key] for item in await paged(site, door, limit=3, **params)] == whole


async def test_search_finds_by_name_number_and_order(site: Site) -> None:
    path = f"/v1/agencies/{site.world.agency}/timesheets"
    for q, expected in (("Worker 00005", ["TS-00005"]), ("TS-00012", ["TS-00012"]), ("100%_", [])):
        assert [item["reference"] for item in (await ask(site, path, q=q))["items"]] == expected


async def test_a_timesheet_tells_its_story(site: Site) -> None:
    found = await ask(site, f"/v1/agencies/{site.world.agency}/timesheets/{site.world.timesheet_id(5)}")
    assert found["pay_state"] == "held"
    assert [reason["code"] for reason in found["reasons"]] == ["missing_document"]
    assert {chapter["kind"] for chapter in found["story"]} >= {"expected", "submitted", "approved", "held", "pay_held"}
    assert "overtime, rate card v3" in found["lines"][1]["pay_words"]


async def test_holds_margin_payslips_and_documents(site: Site) -> None:
    root = f"/v1/agencies/{site.world.agency}"
    holds = await ask(site, f"{root}/holds", week_ending="2026-04-05")
    assert [(group["code"], group["timesheets"]) for group in holds["reasons"]] == [("missing_document", 4)]
    assert len(holds["items"]) == 4
    margins = await ask(site, f"{root}/weeks/2026-04-05/margin", by="branch")
    assert {row["name"] for row in margins} == {"Leeds", "Hull", "York"}
    assert len((await ask(site, f"{root}/payslips", week_ending="2026-04-05"))["items"]) == 20
    other: World = site.other  # type: ignore[attr-defined]
    documents = await ask(site, f"/v1/agencies/{other.agency}/invoices", kind="invoice")
    assert len(documents["items"]) == 6
    assert sum(Decimal(item["paid_gbp"]) for item in documents["items"]) == 1000


async def test_system_says_who_is_away(site: Site) -> None:
    site.owners.away.add("compliance")
    services = {state["service"]: state for state in (await ask(site, "/v1/system"))["services"]}
    assert services["compliance"]["answers"] is False
    assert services["invoicing"]["lag"] == 12


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("weeks/2026-04-06", 422, "not_a_week_ending"),
        ("weeks/9999-12-26", 422, "invalid_request"),
        ("timesheets/00000000-0000-0000-0000-000000000009", 404, "timesheet_not_found"),
        ("timesheets?cursor=bad", 422, "bad_cursor"),
        ("timesheets?q=%00", 422, "invalid_request"),
        ("invoices?cursor=bad", 422, "bad_cursor"),
        ("invoices?cursor=WyJhIiwgImIiXQ", 422, "bad_cursor"),
        ("payslips?cursor=WyJhIl0", 422, "bad_cursor"),
        ("weeks?cursor=WyJhIl0", 422, "bad_cursor"),
    ],
)
async def test_refusals_are_problems(site: Site, path: str, status: int, code: str) -> None:
    async with site.browser() as browser:
        headers = {"Authorization": f"Bearer {await token(browser)}"}
        answer = await browser.get(f"/v1/agencies/{site.world.agency}/{path}", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_every_scope_of_the_clients_file_is_known(site: Site) -> None:
    async with site.browser() as browser:
        answer = await browser.post(
            "/oauth/token",
            data={"grant_type": "client_credentials", "client_id": "paybill-cli", "client_secret": "cli"},
        )
    assert set(answer.json()["scope"].split()) == set(SCOPES)
