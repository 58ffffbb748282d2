"""An agency's records are its own: at every endpoint by token, and under every endpoint by row-level security."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import asyncpg
import httpx
import pytest

from paybill_common.ids import derived_id
from paybill_common.service import ServiceSpec, build_app
from paybill_common.tables import RUNTIME_TABLES
from paybill_stack.bootstrap import DatabaseUrls
from paybill_stack.stack import Stack
from tests.doors.doors import SERVICES, Operation, operations, spec_of
from tests.kit import Keys

pytestmark = pytest.mark.integration
OWN, OTHER = derived_id("isolation", "own"), derived_id("isolation", "other")
RECORD = derived_id("isolation", "record")
NO_AGENCY = {"reporting": {"web_session", "web_sign_in"}}
"""Tables of people, not of agencies, that the API role writes: a session is found by its secret alone."""
OF_ONE_WORKER = {
    "pay_calc": {
        "GET /v1/agencies/{agency_id}/payslips/{payslip_id}/explanation",
        "GET /v1/agencies/{agency_id}/payslips/{payslip_id}/pdf",
    }
}
"""What a token that is limited to one worker may open; `test_week.py` of pay-calc shows that they compare the worker."""
Client = Callable[[ServiceSpec], Any]


def call(operation: Operation) -> dict[str, Any]:
    """What is sent: a body that is only looked at when the caller may be here at all."""
    body = {} if operation.method in ("post", "put", "patch") else None
    return {
        "method": operation.method.upper(),
        "url": operation.url({"agency_id": str(OTHER)}, other=RECORD),
        "params": operation.query(RECORD),
        "json": body,
    }


def code_of(response: httpx.Response) -> str:
    body = response.json() if response.headers.get("content-type", "").startswith("application/problem") else {}
    return f"{response.status_code} {body.get('code', response.text[:100])}"


async def answers(client: httpx.AsyncClient, wanted: list[Operation], headers: dict[str, str]) -> dict[str, str]:
    """How each operation answers these headers."""
    return {operation.name: code_of(await client.request(**call(operation), headers=headers)) for operation in wanted}


def tenant_operations(document: dict[str, Any]) -> list[Operation]:
    found = [operation for operation in operations(document) if operation.of_an_agency]
    assert found
    return found


@pytest.mark.parametrize("service", SERVICES)
async def test_every_endpoint_refuses_the_token_of_another_agency(
    service: str, runtime_of: Any, client_of: Client, keys: Keys
) -> None:
    runtime = runtime_of(spec_of(service))
    wanted = tenant_operations(build_app(runtime).openapi())
    found = await answers(await client_of(runtime), wanted, keys.headers(OWN))
    assert found == dict.fromkeys(found, "403 agency_not_yours")


@pytest.mark.parametrize("service", SERVICES)
async def test_every_endpoint_asks_for_a_token(service: str, runtime_of: Any, client_of: Client) -> None:
    runtime = runtime_of(spec_of(service))
    wanted = [o for o in operations(build_app(runtime).openapi()) if o.path.startswith("/v1/")]
    client = await client_of(runtime)
    found = await answers(client, wanted, {})
    assert found == dict.fromkeys(found, "401 token_missing")
    for header in ("Basic dGVzdDp0ZXN0", "Bearer", "Bearer not-a-token", "Bearer a.b.c"):
        response = await client.request(**call(wanted[0]), headers={"Authorization": header})
        assert response.status_code == 401
        assert response.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("service", SERVICES)
async def test_every_endpoint_needs_a_scope(service: str, runtime_of: Any, client_of: Client, keys: Keys) -> None:
    runtime = runtime_of(spec_of(service))
    wanted = [o for o in operations(build_app(runtime).openapi()) if o.path.startswith("/v1/")]
    found = await answers(await client_of(runtime), wanted, keys.headers(OTHER, scopes=set()))
    assert found == dict.fromkeys(found, "403 scope_missing")


@pytest.mark.parametrize("service", SERVICES)
async def test_a_token_of_one_worker_opens_that_workers_doors_alone(
    service: str, runtime_of: Any, client_of: Client, keys: Keys
) -> None:
    """With every scope there is: each door refuses a token that is limited to a worker, but for those that compare the worker."""
    runtime = runtime_of(spec_of(service))
    wanted = [o for o in operations(build_app(runtime).openapi()) if o.path.startswith("/v1/")]
    found = await answers(await client_of(runtime), wanted, keys.headers(OTHER, worker_id=RECORD))
    open_doors = {name for name, answer in found.items() if answer != "403 token_of_one_worker"}
    assert open_doors == OF_ONE_WORKER.get(service, set())


@pytest.mark.parametrize("service", SERVICES)
async def test_tokens_that_are_old_forged_or_for_somebody_else_are_refused(
    service: str, runtime_of: Any, client_of: Client, keys: Keys, tmp_path_factory: pytest.TempPathFactory
) -> None:
    runtime = runtime_of(spec_of(service))
    wanted = tenant_operations(build_app(runtime).openapi())[:1]
    client = await client_of(runtime)
    forged = Keys(tmp_path_factory.mktemp("forged"))
    for headers in (keys.headers(OTHER, seconds=-5), forged.headers(OTHER)):
        assert set((await answers(client, wanted, headers)).values()) == {"401 token_refused"}


async def tables_of(connection: asyncpg.Connection[Any]) -> dict[str, bool]:
    """Every table of the service but the runtime's and Alembic's: whether it has an agency_id."""
    rows = await connection.fetch(
        """
        SELECT c.relname AS name, EXISTS (SELECT 1 FROM pg_attribute a
            WHERE a.attrelid = c.oid AND a.attname = 'agency_id' AND a.attnotnull AND NOT a.attisdropped) AS tenant
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p')
        """
    )
    return {r["name"]: r["tenant"] for r in rows if r["name"] not in (*RUNTIME_TABLES, "alembic_version")}


async def agencies(connection: asyncpg.Connection[Any], *ids: Any) -> None:
    await connection.execute("SELECT set_config('paybill.agencies', $1, true)", ",".join(str(i) for i in ids))


@pytest.mark.parametrize("service", SERVICES)
async def test_every_table_is_an_agencys_and_says_so(
    service: str, migrated: Callable[[ServiceSpec], DatabaseUrls]
) -> None:
    connection = await asyncpg.connect(migrated(spec_of(service)).dsn("owner"))
    try:
        found = await tables_of(connection)
        without = {name for name, tenant in found.items() if not tenant} - NO_AGENCY.get(service, set())
        for name in without:
            granted = await connection.fetchval(
                "SELECT has_table_privilege('paybill_api', $1, 'INSERT, UPDATE, DELETE, TRUNCATE')", name
            )
            assert not granted, f"{name} has no agency_id, yet the API role may change it"
        secured = {
            row["relname"]
            for row in await connection.fetch(
                "SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity"
            )
        }
        assert {name for name, tenant in found.items() if tenant} <= secured
        bypass = await connection.fetch(
            "SELECT rolname FROM pg_roles WHERE (rolbypassrls OR rolsuper) AND rolname LIKE current_database() || '%'"
        )
        assert bypass == []
    finally:
        await connection.close()


@pytest.mark.parametrize("service", SERVICES)
async def test_the_database_shows_an_agency_only_its_own_rows(
    service: str, migrated: Callable[[ServiceSpec], DatabaseUrls], stack: Stack
) -> None:
    """One row of another agency is put in each table, free of constraints, in a transaction that is rolled back."""
    urls = migrated(spec_of(service))
    database = urls.dsn("owner").rpartition("/")[2]
    connection = await asyncpg.connect(f"{stack.admin_dsn.rpartition('/')[0]}/{database}")
    wrong: list[str] = []
    try:
        tenant = [name for name, is_tenant in (await tables_of(connection)).items() if is_tenant]
        assert tenant
        for table in tenant:
            transaction = connection.transaction()
            await transaction.start()
            await _seed(connection, table)
            await connection.execute(f"SET LOCAL ROLE {database}_api")
            wrong += [f"{table}: {what}" for what in await _seen(connection, table)]
            await transaction.rollback()
    finally:
        await connection.close()
    assert wrong == []


async def _seed(connection: asyncpg.Connection[Any], table: str) -> None:
    await connection.execute("SET LOCAL session_replication_role = replica")
    for row in await connection.fetch(
        "SELECT conname FROM pg_constraint WHERE conrelid = $1::regclass AND contype NOT IN ('n', 't')", table
    ):
        await connection.execute(f'ALTER TABLE {table} DROP CONSTRAINT IF EXISTS "{row["conname"]}" CASCADE')
    for row in await connection.fetch(
        "SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND attnotnull AND attidentity = ''"
        " AND attgenerated = '' AND NOT attisdropped",
        table,
    ):
        await connection.execute(f'ALTER TABLE {table} ALTER COLUMN "{row["attname"]}" DROP NOT NULL')
    await connection.execute(f"INSERT INTO {table} (agency_id) VALUES ($1)", OTHER)
    await connection.execute("SET LOCAL session_replication_role = origin")


async def _seen(connection: asyncpg.Connection[Any], table: str) -> list[str]:
    """What the API role can do that it should not, and cannot that it should."""
    wrong = []
    count = f"SELECT count(*) FROM {table} WHERE agency_id = $1"
    if await connection.fetchval(count, OTHER):
        wrong.append("a row is seen with no agency set")
    await agencies(connection, OTHER)
    if await connection.fetchval(count, OTHER) != 1:
        wrong.append("its own agency does not see the row")
    await agencies(connection, OWN)
    if await connection.fetchval(count, OTHER):
        wrong.append("another agency sees the row")
    for sql in (f"UPDATE {table} SET agency_id = $1", f"DELETE FROM {table} WHERE agency_id <> $1"):
        try:
            async with connection.transaction():
                done = await connection.execute(sql, OWN)
            if not done.endswith(" 0"):
                wrong.append(f"another agency may run {sql}: {done}")
        except asyncpg.InsufficientPrivilegeError:
            pass
    try:
        async with connection.transaction():
            await connection.execute(f"INSERT INTO {table} (agency_id) VALUES ($1)", OTHER)
        wrong.append("another agency adds a row in this one's name")
    except asyncpg.InsufficientPrivilegeError:
        pass
    await agencies(connection, OWN, OTHER)
    if await connection.fetchval(count, OTHER) != 1:
        wrong.append("a bureau that has both agencies does not see the row")
    return wrong


@pytest.mark.parametrize("service", SERVICES)
async def test_the_runtimes_tables_are_closed_to_the_api_role(
    service: str, migrated: Callable[[ServiceSpec], DatabaseUrls]
) -> None:
    """It may add to the outbox, and read and add the stored answers of its own caller; nothing else."""
    connection = await asyncpg.connect(migrated(spec_of(service)).dsn("api"))
    try:
        for table in RUNTIME_TABLES:
            for right in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE"):
                allowed = await connection.fetchval("SELECT has_table_privilege(current_user, $1, $2)", table, right)
                wanted = (table, right) in {("outbox", "INSERT")} or (
                    table == "idempotency_key" and right in ("SELECT", "INSERT", "DELETE")
                )
                assert allowed == wanted, (table, right)
        async with connection.transaction():
            await connection.execute("SELECT set_config('paybill.caller', 'isolation-a', true)")
            await connection.execute(
                "INSERT INTO idempotency_key (caller, key, request_hash, status, body)"
                " VALUES ('isolation-a', 'k', 'h', 200, '') ON CONFLICT DO NOTHING"
            )
            count = "SELECT count(*) FROM idempotency_key WHERE caller = 'isolation-a'"
            assert await connection.fetchval(count) == 1
            await connection.execute("SELECT set_config('paybill.caller', 'isolation-b', true)")
            assert await connection.fetchval(count) == 0
            assert await connection.execute("DELETE FROM idempotency_key WHERE caller = 'isolation-a'") == "DELETE 0"
            await connection.execute("SELECT set_config('paybill.caller', '', true)")
            assert await connection.fetchval("SELECT count(*) FROM idempotency_key") == 0
    finally:
        await connection.close()
