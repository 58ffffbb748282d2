"""`POST /v1/calculations`: the calculator's objects over HTTP, one or a list, whatever is in them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from pay_calc.app import SPEC
from paybill_common.ids import new_id

GOOD = {"id": "1", "kind": "ssp", "tax_year": "2026-27",
        "inputs": {"average_weekly_earnings": "600.00", "qualifying_days_per_week": 5, "payable_days": 3}}  # fmt: skip
Ask = Callable[[str], Awaitable[httpx.Response]]


@pytest.fixture
async def ask(client_of: Any, keys: Any) -> Ask:
    client = await client_of(SPEC)
    headers = keys.headers(new_id()) | {"Content-Type": "application/json"}

    async def post(body: str) -> httpx.Response:
        found: httpx.Response = await client.post("/v1/calculations", content=body.encode(), headers=headers)
        return found

    return post


async def test_one_object_and_a_list(ask: Ask) -> None:
    assert (await ask(json.dumps(GOOD))).json() == {"id": "1", "result": {"ssp": "73.95"}}
    answers = (await ask(json.dumps([GOOD, {}, GOOD | {"id": "2"}]))).json()
    assert [each["id"] for each in answers] == ["1", None, "2"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ('{"id": "1", "kind": "nic", "tax_year": "2026-27", "inputs": {"frequency": "weekly", "letter": "A", "niable_pay": NaN}}',
         "invalid_money"),
        ('{"id": "1", "kind": "nic", "tax_year": "2026-27", "inputs": {"frequency": "weekly", "letter": "A", "niable_pay": 1e400}}',
         "invalid_money"),
        ('{"id": "\\ud800", "kind": "nic"}', "missing_field"),
        ('{"id": "1", "kind": "tax_code", "inputs": {"code": "BR", "frequenc\\ud800y": 1}}', None),
        ('{"id": "1", "kind": "paye", "tax_year": "2026-27", "inputs": {"tax_code": "\\ud800", "frequency": "weekly"}}',
         "invalid_tax_code"),
        ('{"id": "1", "kind": "nic", "tax_year": "2026-27", "inputs": {"frequenc\\ud800": "weekly", "letter": "A", "niable_pay": "1.00"}}',
         "missing_field"),
        ('{"id": "1", "kind": "paye", "tax_year": "2026-27", "inputs": {"tax_code": "BR", "frequency": "weekly", "tax_period": 1, '
         '"taxable_pay": "1.00", "payrolled_benefits_in_pa\\ud800": "1.00"}}', "unknown_field"),
        ('{"id": "1", "kind": "\\u0000", "inputs": {}}', "unknown_kind"),
    ],
)  # fmt: skip
async def test_odd_values_are_answered_and_never_an_error_of_the_server(ask: Ask, body: str, code: str | None) -> None:
    answer = await ask(body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["id"] == json.loads(body)["id"]
    assert answer.json().get("error", {}).get("code") == code


@pytest.mark.parametrize("body", ["", "{", "7", '"x"', "[" * 5000, json.dumps([GOOD] * 1001), "[1]", "\x00"])
async def test_what_is_no_calculation_is_a_problem(ask: Ask, body: str) -> None:
    answer = await ask(body)
    assert answer.status_code in (400, 422), answer.text[:200]
    assert answer.headers["content-type"] == "application/problem+json"
