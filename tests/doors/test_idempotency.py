"""Writes with an Idempotency-Key: the first answer again, another body refused, and one effect of two sends at once."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from paybill_common.auth import Principal
from paybill_common.http.problems import ERROR_RESPONSES
from paybill_common.http.route import StepsRoute, require
from paybill_common.ids import derived_id, new_id
from paybill_common.service import ServiceSpec, build_app
from paybill_stack.bootstrap import DatabaseUrls
from tests.doors.doors import SERVICES, operations, spec_of
from tests.kit import Keys

pytestmark = pytest.mark.integration
RECORD = derived_id("idempotency", "record")


@dataclass(frozen=True)
class Write:
    """A write of a service: where, what, and something else that may be sent there too."""

    method: str
    path: str
    body: dict[str, Any]
    other: dict[str, Any]


WRITES = {
    "timesheet": Write("PUT", f"/clients/{RECORD}", {"name": "Client 001 Testcase"}, {"name": "Client 002 Testcase"}),
    "pay_calc": Write(
        "PUT",
        f"/payees/{RECORD}",
        {"sort_code": "00-00-01", "account_number": "00012345", "account_name": "PAYEE 001 TESTCASE"},
        {"sort_code": "00-00-02", "account_number": "00012345", "account_name": "PAYEE 001 TESTCASE"},
    ),
    "invoicing": Write(
        "POST",
        "/receipts",
        {"client_id": str(RECORD), "received_on": "2026-04-07", "amount_gbp": "1250.00"},
        {"client_id": str(RECORD), "received_on": "2026-04-07", "amount_gbp": "1250.01"},
    ),
    "compliance": Write(
        "POST",
        "/documents",
        {"worker_id": str(RECORD), "requirement": "right_to_work", "valid_from": "2026-01-01", "external_id": "D-1"},
        {"worker_id": str(RECORD), "requirement": "right_to_work", "valid_from": "2026-01-02", "external_id": "D-1"},
    ),
    "reporting": Write(
        "PUT",
        f"/imports/{RECORD}",
        {"kind": "hours", "file_name": "h.csv", "accepted": 2, "duplicate": 0, "refused": 0, "state": "running"},
        {"kind": "hours", "file_name": "h.csv", "accepted": 3, "duplicate": 0, "refused": 0, "state": "done"},
    ),
}
Client = Callable[[Any], Awaitable[httpx.AsyncClient]]


@dataclass
class Sender:
    """Sends a service's write as one caller."""

    client: httpx.AsyncClient
    keys: Keys
    write: Write
    dsn: str

    async def send(self, agency: UUID, key: str | None, body: Any = None, *, subject: str = "tester") -> httpx.Response:
        headers = self.keys.headers(agency, subject=subject) | ({} if key is None else {"Idempotency-Key": key})
        return await self.client.request(
            self.write.method,
            f"/v1/agencies/{agency}{self.write.path}",
            json=self.write.body if body is None else body,
            headers=headers,
        )

    async def rows(self, agency: UUID) -> dict[str, int]:
        """How many rows of the agency each table has, the outbox among them."""
        connection = await asyncpg.connect(self.dsn)
        try:
            tables = await connection.fetch(
                "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'agency_id'"
                " WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace"
            )
            return {
                row["relname"]: await connection.fetchval(
                    f"SELECT count(*) FROM {row['relname']} WHERE agency_id = $1", agency
                )
                for row in tables
            }
        finally:
            await connection.close()


@pytest.fixture(params=sorted(WRITES))
async def sender(
    request: pytest.FixtureRequest,
    client_of: Client,
    keys: Keys,
    migrated: Callable[[ServiceSpec], DatabaseUrls],
) -> Sender:
    spec = spec_of(request.param)
    return Sender(await client_of(spec), keys, WRITES[request.param], migrated(spec).dsn("worker"))


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_that_keeps_records_is_tried_here(service: str, runtime_of: Callable[..., Any]) -> None:
    found = operations(build_app(runtime_of(spec_of(service))).openapi())
    assert any(o.of_an_agency and o.method != "get" for o in found) == (service in WRITES)


async def test_the_same_request_gets_the_first_answer_and_changes_nothing(sender: Sender) -> None:
    agency, key = new_id(), str(new_id())
    first = await sender.send(agency, key)
    assert first.status_code in (200, 201), first.text
    assert "idempotency-replayed" not in first.headers
    after = await sender.rows(agency)
    again = await sender.send(agency, key)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["content-type"] == first.headers["content-type"]
    assert await sender.rows(agency) == after
    assert sum(after.values()) > 0


async def test_the_same_key_with_another_request_is_refused(sender: Sender) -> None:
    agency, other_agency, key = new_id(), new_id(), str(new_id())
    assert (await sender.send(agency, key)).is_success
    after = await sender.rows(agency)
    for where, body in ((agency, sender.write.other), (other_agency, None)):
        refused = await sender.send(where, key, body)
        assert (refused.status_code, refused.json()["code"]) == (409, "idempotency_key_reused")
    assert await sender.rows(agency) == after
    assert sum((await sender.rows(other_agency)).values()) == 0


async def test_a_key_is_its_callers_own(sender: Sender) -> None:
    agency, key = new_id(), str(new_id())
    assert (await sender.send(agency, key)).is_success
    other = await sender.send(agency, key, sender.write.other, subject="somebody-else")
    assert other.is_success, other.text
    assert "idempotency-replayed" not in other.headers


async def test_a_refused_request_leaves_its_key_free(sender: Sender) -> None:
    agency, key = new_id(), str(new_id())
    refused = await sender.send(agency, key, ["no object"])
    assert refused.status_code == 422, refused.text
    taken = await sender.send(agency, key)
    assert taken.is_success, taken.text
    assert "idempotency-replayed" not in taken.headers


@pytest.mark.parametrize("key", ["", "k" * 129])
async def test_a_key_has_1_to_128_characters(sender: Sender, key: str) -> None:
    refused = await sender.send(new_id(), key)
    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_too_long")


async def test_two_sends_at_once_have_one_effect(sender: Sender) -> None:
    """Both requests are made to wait on the same lock before either has run, on two connections; then they are let go."""
    alone, together, key = new_id(), new_id(), str(new_id())
    assert (await sender.send(alone, None)).is_success
    gate = await asyncpg.connect(sender.dsn)
    try:
        lock = "hashtextextended('tester' || ' ' || $1, 0)"
        await gate.execute(f"SELECT pg_advisory_lock({lock})", key)
        sends = [asyncio.create_task(sender.send(together, key)) for _ in range(2)]
        await _until_waiting(gate, 2)
        await gate.execute(f"SELECT pg_advisory_unlock({lock})", key)
        answers = await asyncio.gather(*sends)
    finally:
        await gate.close()
    assert answers[0].is_success, answers[0].text
    assert answers[0].content == answers[1].content
    assert sorted("idempotency-replayed" in answer.headers for answer in answers) == [False, True]
    assert await sender.rows(together) == await sender.rows(alone)


async def _until_waiting(connection: asyncpg.Connection[Any], wanted: int) -> None:
    for _ in range(600):
        waiting = await connection.fetchval(
            "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
            " WHERE l.locktype = 'advisory' AND NOT l.granted AND d.datname = current_database()"
        )
        if waiting == wanted:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{wanted} requests should wait for the key's lock, but {waiting} do")


class StepIn(BaseModel):
    """How the step route of these tests is to answer."""

    status: Annotated[int, Field(ge=200, le=202)]


async def test_a_route_of_several_steps_keeps_its_answer_once_it_is_done(
    client_of: Client, keys: Keys, runtime_of: Callable[..., Any]
) -> None:
    """202 says that the work goes on: sent again, the request must learn how far it is, not what it was."""
    done: list[int] = []
    router = APIRouter(prefix="/v1/agencies/{agency_id}", route_class=StepsRoute, responses=ERROR_RESPONSES)

    @router.post("/steps")
    async def step(
        agency_id: UUID, body: StepIn, response: Response, principal: Principal = require("write")
    ) -> dict[str, int]:
        done.append(body.status)
        response.status_code = body.status
        return {"step": len(done)}

    spec = dataclasses.replace(spec_of("compliance"), routers=(router,))
    client = await client_of(runtime_of(spec))
    agency, key = new_id(), str(new_id())
    headers = keys.headers(agency) | {"Idempotency-Key": key}
    url = f"/v1/agencies/{agency}/steps"
    for step_number in (1, 2):
        answer = await client.post(url, json={"status": 202}, headers=headers)
        assert (answer.status_code, answer.json()) == (202, {"step": step_number})
    first = await client.post(url, json={"status": 201}, headers=headers)
    again = await client.post(url, json={"status": 201}, headers=headers)
    assert (again.status_code, again.content, done) == (201, first.content, [202, 202, 201])
    refused = await client.post(url, json={"status": 200}, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (409, "idempotency_key_reused")
    stranger = await client.post(url, json={"nonsense": 1}, headers=keys.headers(new_id()))
    assert (stranger.status_code, stranger.json()["code"]) == (403, "agency_not_yours")
