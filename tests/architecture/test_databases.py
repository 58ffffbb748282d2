"""Each service's migrated database: the models' own shape, one history, and no tenant's row without row-level security."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import asyncpg
import pytest
from alembic.script import ScriptDirectory

from paybill_common.migrations import config, differences
from paybill_common.service import ServiceSpec
from paybill_common.tables import RUNTIME_TABLES
from paybill_stack.bootstrap import API_GROUP, WORKER_GROUP, DatabaseUrls
from tests.architecture.services import SERVICES, spec_of
from tests.kit import in_thread

Migrated = Callable[[ServiceSpec], DatabaseUrls]

TABLES = """
SELECT c.relname AS name, c.relrowsecurity AS enabled, c.relforcerowsecurity AS forced,
       EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'agency_id' AND NOT a.attisdropped) AS tenant,
       ARRAY(SELECT r.rolname || ':' || coalesce(pg_get_expr(p.polqual, p.polrelid), '') FROM pg_policy p
             JOIN pg_roles r ON r.oid = ANY (p.polroles) WHERE p.polrelid = c.oid) AS policies
FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace ORDER BY 1
"""


async def fetch(urls: DatabaseUrls, query: str) -> list[Any]:
    connection = await asyncpg.connect(urls.dsn("owner"), timeout=30)
    try:
        return list(await connection.fetch(query))
    finally:
        await connection.close(timeout=10)


@pytest.mark.parametrize("service", SERVICES)
def test_the_history_has_one_head_and_named_steps(service: str) -> None:
    folder = spec_of(service).migrations
    script = ScriptDirectory.from_config(config(folder))
    assert len(script.get_heads()) == 1
    for path in (folder / "versions").glob("*.py"):
        number, kind, *words = path.stem.split("_")
        assert len(number) == 4
        assert number.isdigit()
        assert kind in ("pre", "post"), (
            f"{path.name}: NNNN_pre_words runs before the code is deployed, NNNN_post_words after"
        )
        assert words


@pytest.mark.integration
@pytest.mark.parametrize("service", SERVICES)
def test_the_migrated_database_is_what_the_models_say(service: str, migrated: Migrated) -> None:
    spec = spec_of(service)
    urls = migrated(spec)
    assert in_thread(lambda: differences(spec.migrations, urls.owner, spec.metadata)) == []


@pytest.mark.integration
@pytest.mark.parametrize("service", SERVICES)
async def test_every_tenant_table_forces_row_level_security(service: str, migrated: Migrated) -> None:
    rows = await fetch(migrated(spec_of(service)), TABLES)
    tenants = [row for row in rows if row["tenant"] and row["name"] not in RUNTIME_TABLES]
    assert tenants, "a service without a tenant table?"
    for row in tenants:
        assert row["enabled"], row["name"]
        assert row["forced"], row["name"]
        policies = dict(policy.split(":", 1) for policy in row["policies"])
        assert set(policies) == {API_GROUP, WORKER_GROUP}, f"{row['name']}: {sorted(policies)}"
        assert "( SELECT paybill_agencies()" in policies[API_GROUP], f"{row['name']}: read once a statement, not a row"


@pytest.mark.integration
@pytest.mark.parametrize("service", SERVICES)
async def test_the_api_role_sees_nothing_without_agencies_and_cannot_bypass(service: str, migrated: Migrated) -> None:
    urls = migrated(spec_of(service))
    rows = await fetch(urls, TABLES)
    connection = await asyncpg.connect(urls.dsn("api"), timeout=30)
    try:
        role = await connection.fetchrow(
            "SELECT rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = current_user"
        )
        assert tuple(role) == (False, False, False)
        for name in [row["name"] for row in rows if row["tenant"] and row["name"] not in RUNTIME_TABLES]:
            assert await connection.fetchval(f'SELECT count(*) FROM "{name}"') == 0
    finally:
        await connection.close(timeout=10)


@pytest.mark.integration
@pytest.mark.parametrize("service", SERVICES)
async def test_foreign_keys_of_tenant_tables_carry_the_agency(service: str, migrated: Migrated) -> None:
    """A foreign key without the agency would let one tenant's row point at another's."""
    query = """
    SELECT t.relname || '.' || k.conname AS name, t.relname AS table_name,
           ARRAY(SELECT a.attname FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attnum = ANY (k.conkey)) AS columns
    FROM pg_constraint k JOIN pg_class t ON t.oid = k.conrelid
    WHERE k.contype = 'f' AND t.relnamespace = 'public'::regnamespace
      AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attname = 'agency_id')
    """
    rows = await fetch(migrated(spec_of(service)), query)
    bad = [row["name"] for row in rows if row["table_name"] not in RUNTIME_TABLES and "agency_id" not in row["columns"]]
    assert bad == []
