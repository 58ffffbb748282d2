"""Fixtures of every test: real Postgres and Kafka of the test instance, migrated databases, tokens, runtimes and clients."""

from __future__ import annotations

import gc
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from paybill_common.bus.memory import MemoryBus
from paybill_common.clock import ManualClock
from paybill_common.config import Settings
from paybill_common.main import GC_THRESHOLDS
from paybill_common.migrations import upgrade
from paybill_common.service import Runtime, ServiceSpec, build_app, build_runtime
from paybill_stack.bootstrap import DatabaseUrls
from paybill_stack.stack import Stack
from paybill_stack.testing import fresh_databases, shared_stack, unique_prefix
from tests.kit import DEMO_NOW, Keys, in_thread

gc.set_threshold(*GC_THRESHOLDS)
"""As the services run: five of them and all tests in one process leave much to be looked through, and nothing to be found."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of a file share costly fixtures, so one process runs them all, unless they name a group themselves."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(str(item.path)))


@pytest.fixture(scope="session")
def stack() -> Stack:
    """The running test instance: Kafka and Postgres."""
    found: Stack = in_thread(shared_stack)
    return found


@pytest.fixture(scope="session")
def database_urls(stack: Stack) -> Iterator[dict[str, DatabaseUrls]]:
    """The five services' empty databases, this test process's own."""
    context = fresh_databases(stack, unique_prefix(os.environ.get("PYTEST_XDIST_WORKER", "one")))
    yield in_thread(context.__enter__)
    in_thread(lambda: context.__exit__(None, None, None))


@pytest.fixture(scope="session")
def migrated(database_urls: dict[str, DatabaseUrls]) -> Callable[[ServiceSpec], DatabaseUrls]:
    """Migrate a service's database with its real migrations, once, and give its addresses."""
    done: set[str] = set()

    def migrate(spec: ServiceSpec) -> DatabaseUrls:
        urls = database_urls[spec.name]
        if spec.name not in done:
            in_thread(lambda: upgrade(spec.migrations, urls.owner))
            done.add(spec.name)
        return urls

    return migrate


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(DEMO_NOW)


@pytest.fixture
def memory_bus() -> MemoryBus:
    return MemoryBus()


RuntimeOf = Callable[..., Runtime]


@pytest.fixture
async def runtime_of(
    migrated: Callable[[ServiceSpec], DatabaseUrls],
    keys: Keys,
    clock: ManualClock,
    memory_bus: MemoryBus,
    tmp_path: Path,
) -> AsyncIterator[RuntimeOf]:
    """`runtime_of(SPEC)`: a service wired to its migrated database, the test's bus (in memory) and clock."""
    made: list[Runtime] = []

    def make(spec: ServiceSpec, **settings: Any) -> Runtime:
        urls = migrated(spec)
        runtime = build_runtime(
            spec,
            Settings(
                database_owner_url=urls.owner,
                database_api_url=urls.api,
                database_worker_url=urls.worker,
                kafka_bootstrap="127.0.0.1:1",
                jwks_file=keys.jwks_file,
                signing_key_file=keys.signing_key_file,
                mail_dir=tmp_path / "mail",
                **({"pool_size": 5, "link_key_file": keys.link_key_file, "files_dir": tmp_path / "files"} | settings),
            ),
            clock=clock,
            bus=memory_bus,
        )
        made.append(runtime)
        return runtime

    yield make
    for runtime in made:
        await runtime.close()


@pytest.fixture
async def client_of(
    runtime_of: RuntimeOf,
) -> AsyncIterator[Callable[[Runtime | ServiceSpec], Awaitable[httpx.AsyncClient]]]:
    """`await client_of(SPEC)`: an HTTP client of a service's real app, in process. Pass `headers=keys.headers(agency)` on calls."""
    made: list[httpx.AsyncClient] = []

    async def make(of: Runtime | ServiceSpec) -> httpx.AsyncClient:
        runtime = of if isinstance(of, Runtime) else runtime_of(of)
        transport = httpx.ASGITransport(app=build_app(runtime), raise_app_exceptions=False)
        client = httpx.AsyncClient(transport=transport, base_url="http://service.test")
        made.append(client)
        return client

    yield make
    for client in made:
        await client.aclose()
