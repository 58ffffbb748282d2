"""The migrated schema is the one that the tables describe."""

from __future__ import annotations

from collections.abc import Callable

import asyncpg
import pytest

from paybill_common.migrations import differences
from paybill_common.service import ServiceSpec
from paybill_common.tables import RUNTIME_TABLES, read_agencies_once
from paybill_stack.bootstrap import DatabaseUrls
from reporting.app import SPEC
from reporting.store.tables import EDGE_TABLES, TENANT_TABLES, metadata

pytestmark = pytest.mark.integration


def test_models_and_migrations_agree(migrated: Callable[[ServiceSpec], DatabaseUrls]) -> None:
    assert differences(SPEC.migrations, migrated(SPEC).owner, metadata) == []


def test_every_table_is_a_tenants_or_the_edges_or_the_runtimes() -> None:
    assert set(metadata.tables) == {*TENANT_TABLES, *EDGE_TABLES, *RUNTIME_TABLES}
    assert all("agency_id" in metadata.tables[table].c for table in TENANT_TABLES)


POLICIES = "SELECT tablename, qual, with_check FROM pg_policies WHERE policyname = tablename || '_api' AND tablename = ANY ($1)"
PER_ROW = "agency_id = ANY (paybill_agencies())"


class Kept:
    """Stands in for Alembic's `op`: keeps what a migration would run."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    def execute(self, sql: str) -> None:
        self.statements.append(sql)


async def test_every_policy_reads_the_agencies_once_a_statement(
    migrated: Callable[[ServiceSpec], DatabaseUrls],
) -> None:
    connection = await asyncpg.connect(migrated(SPEC).dsn("owner"), timeout=30)
    try:
        found = await connection.fetch(POLICIES, TENANT_TABLES)
        assert {row["tablename"] for row in found} == set(TENANT_TABLES)
        for row in found:
            assert "( SELECT paybill_agencies()" in row["qual"], row["tablename"]
            assert row["qual"] == row["with_check"]
        async with connection.transaction():
            await connection.execute(f"ALTER POLICY pulse_api ON pulse USING ({PER_ROW}) WITH CHECK ({PER_ROW})")
            op = Kept()
            read_agencies_once(op, ["pulse"])
            for statement in op.statements:
                await connection.execute(statement)
            assert sorted(await connection.fetch(POLICIES, TENANT_TABLES)) == sorted(found)
    finally:
        await connection.close(timeout=10)
