"""The operator's endpoints: who sees which dead letter, and what they may do with it."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
import toy
from toy import AGENCY, message, submitted, worker

from paybill_common import service
from paybill_common.auth import TokenVerifier
from paybill_common.bus import Outgoing
from paybill_common.bus.memory import MemoryBus
from paybill_common.service import Runtime, Worker
from tests.kit import Keys

pytestmark = pytest.mark.integration
TOPIC = "paybill.timesheet"
LETTERS = "/v1/ops/dead-letters"
BYTES = b"\xff\x00<b>\x1b[2J \xe2\x80\xae"


@pytest.fixture
async def runtime(runtime_of: Callable[..., Runtime]) -> Runtime:
    runtime = runtime_of(toy.SPEC)
    async with runtime.worker_database.transaction(now=runtime.clock.now()) as tx:
        for table in (
            "toy",
            "inbox",
            "outbox",
            "dead_letter",
            "parked_key",
            "parked_event",
            "consumer_state",
            "replica",
        ):
            await tx.execute(f"DELETE FROM {table}")
    return runtime


@pytest.fixture
async def client(runtime: Runtime, client_of: Callable[[Runtime], Awaitable[httpx.AsyncClient]]) -> httpx.AsyncClient:
    return await client_of(runtime)


class TestUnreadable:
    @pytest.fixture(autouse=True)
    async def _dead(self, runtime: Runtime, memory_bus: MemoryBus) -> None:
        """One record that is no event, and one event that can never be handled."""
        memory_bus.append(Outgoing(TOPIC, "no key", BYTES))  # type: ignore[arg-type]  bytes, as Kafka would give them
        bad = submitted(2, 1, minutes=13)
        memory_bus.append(Outgoing(TOPIC, bad.partition_key(), message(bad)))
        consumer = runtime.consumer()
        assert consumer is not None
        await consumer.start()
        assert (await consumer.step()).dead == 2

    async def test_who_runs_the_instance_sees_its_bytes_made_harmless(
        self, client: httpx.AsyncClient, keys: Keys
    ) -> None:
        found = (await client.get(LETTERS, headers=keys.headers(AGENCY, every_agency=True))).json()
        by_type = {letter["event_type"]: letter for letter in found}
        assert set(by_type) == {"unreadable", "paybill.timesheet.submitted.v1"}
        letter = by_type["unreadable"]
        assert (letter["agency_id"], letter["topic"], letter["offset"], letter["waiting"]) == (None, TOPIC, 0, 0)
        assert letter["payload"] == r"\xff\x00<b>\x1b[2J \u202e"
        assert base64.b64decode(letter["payload_base64"]) == BYTES
        assert by_type["paybill.timesheet.submitted.v1"]["payload_base64"] is None

    async def test_it_is_discarded_with_a_reason(self, client: httpx.AsyncClient, keys: Keys, runtime: Runtime) -> None:
        operator = keys.headers(AGENCY, every_agency=True, subject="olive")
        letter = await self._unreadable(client, operator)
        discard = f"{LETTERS}/{letter['id']}/discard"
        for body in (None, {}, {"reason": "  "}):
            assert (await client.post(discard, json=body, headers=operator)).status_code == 422
        answer = await client.post(discard, json={"reason": "A test of the producer"}, headers=operator)
        assert answer.json() == {"handled": 0, "dead_letter_id": None, "error": None}
        assert len((await client.get(LETTERS, headers=operator)).json()) == 1
        async with runtime.worker_database.transaction(now=runtime.clock.now()) as tx:
            row = (await tx.execute("SELECT * FROM dead_letter WHERE id = :id", id=letter["id"])).one()
        assert (row.resolution, row.resolved_by, row.reason) == ("discarded", "olive", "A test of the producer")

    async def test_people_of_an_agency_neither_see_nor_resolve_it(self, client: httpx.AsyncClient, keys: Keys) -> None:
        letter = await self._unreadable(client, keys.headers(AGENCY, every_agency=True))
        limited = keys.headers(AGENCY)
        seen = (await client.get(LETTERS, headers=limited)).json()
        assert [one["event_type"] for one in seen] == ["paybill.timesheet.submitted.v1"]
        assert (await client.get(LETTERS, headers=keys.headers(worker(1)))).json() == []
        for act, body in (("discard", {"reason": "not mine"}), ("replay", None)):
            answer = await client.post(f"{LETTERS}/{letter['id']}/{act}", json=body, headers=limited)
            assert (answer.status_code, answer.json()["code"]) == (404, "dead_letter_not_found")

    async def _unreadable(self, client: httpx.AsyncClient, headers: dict[str, str]) -> dict[str, Any]:
        letters = (await client.get(LETTERS, headers=headers)).json()
        return next(one for one in letters if one["event_type"] == "unreadable")


async def test_only_the_issuers_own_yes_makes_an_operator_of_every_agency(keys: Keys) -> None:
    verifier = TokenVerifier(jwks_file=keys.jwks_file)
    assert (await verifier.verify(keys.token(AGENCY, every_agency=True))).every_agency
    assert not (await verifier.verify(keys.token(AGENCY))).every_agency


@pytest.mark.parametrize(
    ("door", "answer"),
    [("/v1/ops/consumer/resume", {"was_stopped": False}), ("/v1/ops/outbox/republish", {"events": 0})],
)
async def test_what_touches_every_agency_is_for_who_runs_the_instance(
    client: httpx.AsyncClient, keys: Keys, door: str, answer: dict[str, Any]
) -> None:
    refused = await client.post(door, headers=keys.headers(AGENCY))
    assert (refused.status_code, refused.json()["code"]) == (403, "whole_instance_only")
    assert (await client.post(door, headers=keys.headers(AGENCY, every_agency=True))).json() == answer


class TestReplicas:
    async def _worker(self, runtime: Runtime) -> Worker:
        made = Worker(runtime)
        made.consumer = runtime.consumer()
        assert made.consumer is not None
        await made.consumer.start()
        return made

    async def test_each_replica_tells_its_own_share(
        self, client: httpx.AsyncClient, keys: Keys, runtime: Runtime, memory_bus: MemoryBus
    ) -> None:
        """Two live ones share the lag; one that stops is not missed; one that is silent is gone, and does not count."""
        state = await self._state(client, keys)
        assert (state["lag"], state["replicas"]) == (None, [])
        for n in range(8):
            data = submitted(n, 1)
            memory_bus.append(Outgoing(TOPIC, data.partition_key(), message(data)))
        first, second = await self._worker(runtime), await self._worker(runtime)
        for one in (first, second):
            await one.measure()
        state = await self._state(client, keys)
        assert (state["lag"], [one["partitions"] for one in state["replicas"]]) == (8, [4, 4])
        assert all(one["live"] and one["moved_s_ago"] is not None for one in state["replicas"])
        assert sum(one["lag"] for one in state["replicas"]) == 8
        await second.stop()
        (left,) = (await self._state(client, keys))["replicas"]
        async with runtime.worker_database.transaction(now=runtime.clock.now()) as tx:
            await tx.execute("UPDATE replica SET seen_at = seen_at - interval '1 minute'")
        state = await self._state(client, keys)
        assert (state["lag"], [one["live"] for one in state["replicas"]]) == (None, [False])
        assert state["replicas"][0]["replica"] == left["replica"]

    async def test_lag_is_unknown_when_the_bus_does_not_answer(
        self, client: httpx.AsyncClient, keys: Keys, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The bus hangs for ever: the worker goes on telling of itself, and the operator's question needs no bus."""
        monkeypatch.setattr(service, "LAG_S", 0.01)
        worker = await self._worker(runtime)
        assert worker.consumer is not None
        monkeypatch.setattr(worker.consumer, "lag", asyncio.Event().wait)
        await worker.measure()
        state = await self._state(client, keys)
        assert (state["lag"], [(one["live"], one["lag"]) for one in state["replicas"]]) == (None, [(True, None)])

    async def _state(self, client: httpx.AsyncClient, keys: Keys) -> dict[str, Any]:
        found: dict[str, Any] = (await client.get("/v1/ops/consumer", headers=keys.headers(AGENCY))).json()
        return found
