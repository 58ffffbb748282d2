"""Fixtures of reporting's tests: a clean database and a way to feed facts."""

from __future__ import annotations

import io
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from world import Fact, Feed, World, batches_of

from paybill_common.service import Runtime
from paybill_stack.stack import Stack
from reporting.app import SPEC
from reporting.store.tables import EDGE_TABLES, TENANT_TABLES
from reporting.usecases.take_facts import take_facts


class Tables:
    """A service's tables as they are, to be put back for another test; by a superuser, beside row security and references."""

    def __init__(self, connection: asyncpg.Connection[Any]) -> None:
        self._connection = connection

    async def taken(self) -> dict[str, bytes]:
        """The rows of every table that has some, in Postgres's own binary form."""
        found = {}
        for (table,) in await self._connection.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
        ):
            if await self._connection.fetchval(f"SELECT EXISTS (SELECT FROM {table})"):
                kept = io.BytesIO()
                await self._connection.copy_from_table(table, output=kept, format="binary")
                found[table] = kept.getvalue()
        return found

    async def put(self, rows: Mapping[str, bytes]) -> None:
        """Let the tables hold these rows and no others."""
        async with self._connection.transaction():
            await self._connection.execute("SET LOCAL session_replication_role = replica")
            await self._connection.execute("; ".join(f"DELETE FROM {table}" for table in rows))
            for table, kept in rows.items():
                await self._connection.copy_to_table(table, source=io.BytesIO(kept), format="binary")


@asynccontextmanager
async def tables_of(stack: Stack, runtime: Runtime) -> AsyncIterator[Tables]:
    """The tables of a service's own database."""
    name = urlsplit(runtime.settings.database_api_url.get_secret_value()).path[1:]
    connection = await asyncpg.connect(stack.admin_dsn, database=name)
    try:
        yield Tables(connection)
    finally:
        await connection.close()


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


_worlds: list[World] = []
_two_agencies: dict[str, bytes] = {}
"""What the facts of `site` leave in each table: most tests of pages start from them, and copying is ten times as fast as taking."""


@pytest.fixture
async def site(runtime: Runtime, feed: Feed, stack: Stack, tmp_path: Path) -> Any:
    """The app with a Monday of one agency and a Thursday of another, and people who may sign in."""
    from web import Site, write_clients

    if not _worlds:
        _worlds.extend((World().monday(), World(name="Care (demo)").monday().thursday()))
    world, other = (one.copy() for one in _worlds)
    async with tables_of(stack, runtime) as tables:
        if _two_agencies:
            await tables.put(_two_agencies)
        else:
            for one in (world, other):
                await feed(one.facts)
            _two_agencies.update(await tables.taken())
    write_clients(tmp_path / "clients.json", world, other)
    made = Site(runtime, world)
    made.other = other  # type: ignore[attr-defined]
    return made
