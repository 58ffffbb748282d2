"""What an orchestrator and an operator see: liveness, readiness, metrics, and bodies that are no requests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from prometheus_client import Counter, Gauge, Histogram

from paybill_common import telemetry
from paybill_common.bus import Record
from paybill_common.bus.kafka import KafkaBus
from paybill_common.bus.memory import MemoryBus, MemoryConsumer
from paybill_common.clock import ManualClock
from paybill_common.config import Settings
from paybill_common.ids import new_id
from paybill_common.migrations import at_head, upgrade
from paybill_common.service import STALLED_S, Runtime, ServiceSpec, Worker, build_app, build_runtime
from paybill_stack.bootstrap import DatabaseUrls
from paybill_stack.stack import Stack
from paybill_stack.testing import fresh_databases, unique_prefix
from tests.doors.doors import SERVICES, TENANT, operations, spec_of
from tests.kit import DEMO_NOW, Keys, in_thread

pytestmark = pytest.mark.integration
NOBODY_LISTENS = "127.0.0.1:1"
Client = Callable[[Any], Awaitable[httpx.AsyncClient]]
RuntimeAt = Callable[..., Runtime]


class DeafBus(MemoryBus):
    """A bus that does not answer."""

    async def ready(self) -> bool:
        return False


class PatientBus(MemoryBus):
    """A bus in memory whose polls take time, as real ones do: loops on it leave room for others."""

    def consumer(self, *, group: str, topics: Sequence[str]) -> MemoryConsumer:
        return PatientConsumer(self, group=group, topics=topics)


class PatientConsumer(MemoryConsumer):
    async def poll(self, *, max_records: int, timeout_ms: int) -> Sequence[Record]:
        await asyncio.sleep(0.02)
        return await super().poll(max_records=max_records, timeout_ms=timeout_ms)


@pytest.fixture
async def runtime_at(keys: Keys, tmp_path: Path) -> AsyncIterator[RuntimeAt]:
    """`runtime_at(spec, url)`: a service on a database of the test's choice."""
    made: list[Runtime] = []

    def make(spec: ServiceSpec, url: str, bus: Any = None) -> Runtime:
        settings = Settings(
            database_api_url=url,
            database_worker_url=url,
            kafka_bootstrap=NOBODY_LISTENS,
            jwks_file=keys.jwks_file,
            files_dir=tmp_path,
            pool_size=2,
        )
        made.append(build_runtime(spec, settings, clock=ManualClock(DEMO_NOW), bus=bus or MemoryBus()))
        return made[-1]

    yield make
    for runtime in made:
        await runtime.close()


async def ready(client: httpx.AsyncClient) -> tuple[int, set[str]]:
    """The status of /health/ready, and the checks that failed."""
    response = await client.get("/health/ready")
    return response.status_code, {name for name, ok in response.json().items() if not ok} - {"ready"}


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_with_all_it_needs_is_live_and_ready(
    service: str, runtime_of: Callable[..., Runtime], client_of: Client
) -> None:
    client = await client_of(runtime_of(spec_of(service)))
    assert (await client.get("/health/live")).json() == {"alive": True}
    assert await ready(client) == (200, set())


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_without_its_database_is_live_but_not_ready(
    service: str, runtime_at: RuntimeAt, client_of: Client
) -> None:
    away = f"postgresql+asyncpg://nobody:nothing@{NOBODY_LISTENS}/none"
    client = await client_of(runtime_at(spec_of(service), away))
    assert (await client.get("/health/live")).status_code == 200
    assert await ready(client) == (503, {"database", "migrations"})


@pytest.mark.parametrize("part", ["database", "password"])
async def test_a_wrong_address_is_not_ready_rather_than_an_error(
    part: str, runtime_at: RuntimeAt, client_of: Client, migrated: Callable[[ServiceSpec], DatabaseUrls]
) -> None:
    spec = spec_of("compliance")
    url = migrated(spec).api
    wrong = f"{url}_that_is_not" if part == "database" else url.replace("@", "x@")
    client = await client_of(runtime_at(spec, wrong))
    assert await ready(client) == (503, {"database", "migrations"})


async def test_a_service_answers_503_while_its_database_is_away(
    runtime_at: RuntimeAt, client_of: Client, keys: Keys
) -> None:
    away = f"postgresql+asyncpg://nobody:nothing@{NOBODY_LISTENS}/none"
    client = await client_of(runtime_at(spec_of("compliance"), away))
    agency = new_id()
    response = await client.get(f"/v1/agencies/{agency}/holds", headers=keys.headers(agency))
    assert (response.status_code, response.json()["code"]) == (503, "temporarily_unavailable")
    assert int(response.headers["retry-after"]) > 0


async def test_a_service_without_its_bus_is_not_ready(
    runtime_at: RuntimeAt, client_of: Client, migrated: Callable[[ServiceSpec], DatabaseUrls]
) -> None:
    spec = spec_of("compliance")
    client = await client_of(runtime_at(spec, migrated(spec).api, DeafBus()))
    assert await ready(client) == (503, {"bus"})
    assert await KafkaBus(NOBODY_LISTENS).ready() is False


async def test_readiness_follows_the_databases_revision(stack: Stack, runtime_at: RuntimeAt, client_of: Client) -> None:
    """Not migrated or behind: not ready. At head: ready. Ahead, as beside newer code in a rolling deployment: ready."""
    spec = spec_of("compliance")
    context = fresh_databases(stack, unique_prefix("health"), services=["compliance"])
    urls: DatabaseUrls = in_thread(context.__enter__)["compliance"]
    try:
        runtime = runtime_at(spec, urls.worker)
        client = await client_of(runtime)
        assert await ready(client) == (503, {"migrations"})
        in_thread(lambda: upgrade(spec.migrations, urls.owner))
        assert await ready(client) == (200, set())
        owner = await asyncpg.connect(urls.dsn("owner"))
        try:
            for revision, expected in (("0000", False), ("9999_pre_newer", True), ("strange", False)):
                await owner.execute("UPDATE alembic_version SET version_num = $1", revision)
                assert await at_head(runtime.worker_database, spec.migrations) is expected, revision
            await owner.execute("DELETE FROM alembic_version")
            assert await ready(client) == (503, {"migrations"})
        finally:
            await owner.close()
        await runtime.close()
    finally:
        in_thread(lambda: context.__exit__(None, None, None))


async def test_a_worker_that_stands_still_is_not_live(
    runtime_at: RuntimeAt, migrated: Callable[[ServiceSpec], DatabaseUrls]
) -> None:
    spec = spec_of("compliance")
    runtime = runtime_at(spec, migrated(spec).worker, PatientBus())
    worker = Worker(runtime)
    transport = httpx.ASGITransport(app=build_app(runtime, worker=worker))
    async with httpx.AsyncClient(transport=transport, base_url="http://service.test") as client:

        async def live() -> int:
            return (await client.get("/health/live")).status_code

        await worker.start()
        try:
            for _ in range(400):
                if worker.consumer is not None and worker.relay is not None:
                    break
                await asyncio.sleep(0.05)
            assert worker.consumer is not None
            assert worker.relay is not None
            assert await live() == 200
            worker.relay.moved_at = time.monotonic() - STALLED_S - 1
            assert worker.alive() is False
        finally:
            await worker.stop()
        assert await live() == 200  # stopping is not being stuck


async def test_a_consumer_that_stopped_itself_is_live_but_not_ready(runtime_of: Callable[..., Runtime]) -> None:
    runtime = runtime_of(spec_of("compliance"))
    worker = Worker(runtime)
    worker.consumer = runtime.consumer()
    assert worker.consumer is not None
    worker.consumer.stopped = True
    worker.consumer.moved_at = time.monotonic() - STALLED_S - 1
    transport = httpx.ASGITransport(app=build_app(runtime, worker=worker))
    async with httpx.AsyncClient(transport=transport, base_url="http://service.test") as client:
        assert (await client.get("/health/live")).status_code == 200
        assert await ready(client) == (503, {"consumer"})


@pytest.mark.parametrize("service", SERVICES)
async def test_metrics_show_the_whole_catalogue(
    service: str, runtime_of: Callable[..., Runtime], client_of: Client
) -> None:
    client = await client_of(runtime_of(spec_of(service)))
    await client.get("/health/live")
    text = (await client.get("/metrics")).text
    catalogue = [metric for metric in vars(telemetry).values() if isinstance(metric, (Counter, Gauge, Histogram))]
    assert len(catalogue) >= 12
    for metric in catalogue:
        found = next(iter(metric.collect()))
        assert f"# HELP {found.name}" in text
        assert found.name.startswith("paybill_")
        assert found.documentation.endswith(".")
    name = spec_of(service).name
    assert f'paybill_http_request_seconds_count{{method="GET",service="{name}",status="200"}}' in text


@pytest.mark.parametrize("service", SERVICES)
async def test_bodies_that_are_no_requests_get_a_clear_answer(
    service: str, runtime_of: Callable[..., Runtime], client_of: Client, keys: Keys
) -> None:
    """Ten megabytes, with and without a length announced; invalid UTF-8; broken and endlessly nested JSON."""
    runtime = runtime_of(spec_of(service))
    client = await client_of(runtime)
    agency = new_id()
    json_type = {"Content-Type": "application/json"}
    writes = [
        o
        for o in operations(build_app(runtime).openapi())
        if o.path.startswith((TENANT, "/oauth")) and o.method != "get" and "requestBody" in o.raw
    ]
    assert writes

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b" " * 1_000_000

    async def code(url: str, method: str, content: Any, **headers: str) -> tuple[int, str]:
        response = await client.request(
            method, url, content=content, headers=keys.headers(agency) | json_type | headers
        )
        return response.status_code, response.json()["code"]

    for operation in writes[:3]:
        url, method = operation.url({"agency_id": str(agency)}, other=new_id()), operation.method.upper()
        assert await code(url, method, b" " * 10_000_000) == (413, "body_too_large"), operation.name
        unannounced = await code(url, method, chunks())
        if operation.of_an_agency:
            assert unannounced == (413, "body_too_large"), operation.name
            key = {"Idempotency-Key": str(new_id())}
            assert await code(url, method, chunks(), **key) == (413, "body_too_large"), operation.name
        else:
            assert unannounced[0] in (413, 415, 422), operation.name  # a form is not read as JSON
        for broken in (b'{"name": "\xff\xfe"}', b"{", b"[" * 100_000, b'{"a": ' + b"9" * 5_000 + b"}", b""):
            status, _ = await code(url, method, broken)
            assert status in (400, 415, 422), (operation.name, broken[:20], status)


async def test_a_key_with_half_a_character_is_answered(client_of: Client, keys: Keys) -> None:
    """JSON may name a field with half of a surrogate pair, which an answer in UTF-8 cannot repeat."""
    client = await client_of(spec_of("timesheet"))
    agency = new_id()
    response = await client.post(
        f"/v1/agencies/{agency}/imports/workers",
        content=b'{"import_id": "x", "rows": [{"row": 1, "values": {"\\ud800": {}}, "\\ud800": 1}]}',
        headers=keys.headers(agency) | {"Content-Type": "application/json"},
    )
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
