"""Fixtures of reporting's tests: a clean database and a way to feed facts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from world import Fact, Feed, batches_of

from paybill_common.service import Runtime
from reporting.app import SPEC
from reporting.store.tables import EDGE_TABLES, TENANT_TABLES
from reporting.usecases.take_facts import take_facts


@pytest.fixture
async def runtime(runtime_of: Callable[..., Runtime], tmp_path: Path) -> Runtime:
    """Reporting on an empty, migrated database."""
    runtime = runtime_of(SPEC, clients_file=tmp_path / "clients.json", service_urls={})
    async with runtime.worker_database.transaction(now=runtime.clock.now()) as tx:
        tables = (*TENANT_TABLES, *EDGE_TABLES, "inbox", "outbox", "dead_letter", "parked_event", "parked_key")
        for table in tables:
            await tx.execute(f"DELETE FROM {table}")
    return runtime


@pytest.fixture
def feed(runtime: Runtime) -> Feed:
    """Give facts to the handler, as the consumer would: one transaction a batch, each event once."""

    async def give(facts: Sequence[Fact], size: int = 200) -> None:
        for batch in batches_of(facts, size):
            async with runtime.worker_database.transaction(now=runtime.clock.now()) as tx:
                await take_facts(tx, batch)

    return give


@pytest.fixture
async def site(runtime: Runtime, feed: Feed, tmp_path: Path) -> Any:
    """The app with a Monday of one agency and a Thursday of another, and people who may sign in."""
    from web import Site, write_clients
    from world import World

    world, other = World(), World(name="Care (demo)")
    await feed(world.monday().facts)
    await feed(other.monday().thursday().facts)
    write_clients(tmp_path / "clients.json", world, other)
    made = Site(runtime, world)
    made.other = other  # type: ignore[attr-defined]
    return made
