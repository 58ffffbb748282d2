"""The real broker and the real database: start, find, kill, restart, stop. One instance for the whole file."""

import os
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

import asyncpg
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from paybill_stack import bootstrap, topics
from paybill_stack.stack import Stack

from .conftest import processes_of

pytestmark = pytest.mark.integration


@dataclass(frozen=True)
class Topic:
    name: str
    partitions: int
    config: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with pytest.MonkeyPatch.context() as patch:
        var = tmp_path_factory.mktemp("servers") / "var"
        for name in ("PAYBILL_STACK", "PAYBILL_KAFKA_BOOTSTRAP", "PAYBILL_POSTGRES_ADMIN_URL"):
            patch.delenv(name, raising=False)
        patch.setenv("PAYBILL_VAR", str(var))
        # One id in sixty-four begins with a dash, which a command line takes for an option.
        with patch.context() as dashed:
            dashed.setattr(uuid, "uuid4", lambda: uuid.UUID(bytes=b"\xf8" * 16))
            started = Stack.start("test-servers")
        assert started.settings.kafka is not None
        assert started.settings.kafka.cluster_id.startswith("-")
        home = started.paths.postgres_home()
        yield started
        started.stop()
        assert processes_of(var) == []
        assert processes_of(home) == []
        shutil.rmtree(home if home.is_relative_to(var) else home.parents[1])


async def round_trip(bootstrap_address: str, topic: str, messages: list[bytes]) -> list[bytes]:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap_address, enable_idempotence=True, acks="all")
    await producer.start()
    try:
        for message in messages:
            await producer.send(topic, message, key=b"worker-1")
        await producer.flush()
    finally:
        await producer.stop()
    return await read_all(bootstrap_address, topic, len(messages))


async def read_all(bootstrap_address: str, topic: str, count: int) -> list[bytes]:
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap_address, auto_offset_reset="earliest", enable_auto_commit=False
    )
    await consumer.start()
    try:
        return [(await consumer.getone()).value for _ in range(count)]
    finally:
        await consumer.stop()


async def test_messages_and_rows_survive_a_kill(stack: Stack) -> None:
    await topics.create_topics(stack.kafka_bootstrap, [Topic("kill", 1)])
    sent = [f"message {n}".encode() for n in range(20)]
    assert await round_trip(stack.kafka_bootstrap, "kill", sent) == sent
    connection = await asyncpg.connect(stack.admin_dsn)
    await connection.execute("CREATE TABLE kept (n int); INSERT INTO kept VALUES (41), (1)")

    ports_before = (stack.kafka_bootstrap, stack.admin_dsn)
    stack.kafka.kill()
    stack.postgres.kill()
    assert not stack.kafka.running()
    assert not stack.postgres.running()
    connection.terminate()
    Stack.start(stack.paths.instance)

    assert (stack.kafka_bootstrap, stack.admin_dsn) == ports_before
    assert await read_all(stack.kafka_bootstrap, "kill", 20) == sent
    connection = await asyncpg.connect(stack.admin_dsn)
    assert await connection.fetchval("SELECT sum(n) FROM kept") == 42
    await connection.close()


def test_a_second_start_finds_the_running_one(stack: Stack) -> None:
    before = [(line.name, line.pid) for line in stack.status()]
    again = Stack.start(stack.paths.instance)
    assert [(line.name, line.pid) for line in again.status()] == before
    assert all(line.running for line in again.status())


def test_everything_listens_on_loopback_only(stack: Stack) -> None:
    addresses = set()
    for line in stack.status():
        assert line.pid is not None
        for connection in psutil.Process(line.pid).net_connections("inet"):
            if connection.status == psutil.CONN_LISTEN:
                addresses.add(connection.laddr.ip.removeprefix("::ffff:"))
    assert addresses == {"127.0.0.1"}


def test_settings_are_for_the_owner_only_and_status_shows_no_password(stack: Stack) -> None:
    assert stack.paths.settings.stat().st_mode & 0o077 == 0
    password = stack.postgres.settings.password if stack.postgres.settings else ""
    assert password
    assert not any(password in line.address for line in stack.status())


async def test_the_database_refuses_a_wrong_password(stack: Stack) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(
            stack.admin_dsn.replace("postgres:", "postgres:wrong", 1).replace("wrong//", "//", 1), password="wrong"
        )


async def test_the_tuning_is_in_force(stack: Stack) -> None:
    connection = await asyncpg.connect(stack.admin_dsn)
    rows = await connection.fetch("SELECT name, current_setting(name) AS value FROM pg_settings")
    await connection.close()
    values = {row["name"]: row["value"] for row in rows}
    assert values["max_connections"] == "300"
    assert values["max_locks_per_transaction"] == "256"
    assert values["synchronous_commit"] == "on"
    assert values["idle_in_transaction_session_timeout"] == "1min"
    assert values["jit"] == "off"


def test_the_data_folder_is_closed_to_others(stack: Stack) -> None:
    assert (stack.paths.postgres_home() / "data").stat().st_mode & 0o077 == 0


async def test_logins_reach_their_own_database_only_and_none_is_above_row_security(stack: Stack) -> None:
    prefix = f"pb_roles_{os.getpid()}"
    secret = stack.settings.secret
    await bootstrap.create_databases(stack.admin_dsn, secret, prefix)
    await bootstrap.create_databases(stack.admin_dsn, secret, prefix)
    try:
        urls = stack.database_urls("pay-calc", prefix)
        owner = await asyncpg.connect(urls.dsn("owner"))
        await owner.execute("CREATE TABLE t (n int); GRANT SELECT ON t TO paybill_api")
        await owner.close()
        api = await asyncpg.connect(urls.dsn("api"))
        assert await api.fetch("SELECT n FROM t") == []
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await api.execute("CREATE TABLE mine (n int)")
        privileged = await api.fetchval(
            "SELECT count(*) FROM pg_roles WHERE (rolname LIKE $1 OR rolname LIKE 'paybill%')"
            " AND (rolsuper OR rolbypassrls OR rolcreaterole)",
            f"{prefix}%",
        )
        assert privileged == 0
        await api.close()
        worker = await asyncpg.connect(urls.dsn("worker"))
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await worker.fetch("SELECT n FROM t")
        await worker.close()
        elsewhere = urls.dsn("api").removesuffix(f"{prefix}_pay_calc") + f"{prefix}_invoicing"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(elsewhere)
    finally:
        await bootstrap.drop_databases(stack.admin_dsn, prefix)


async def test_topics_are_made_once_and_only_grow(stack: Stack) -> None:
    small, large = Topic("grows", 2, {"retention.ms": "1000000"}), Topic("grows", 5)
    assert await topics.create_topics(stack.kafka_bootstrap, [small]) == ["grows"]
    assert await topics.create_topics(stack.kafka_bootstrap, [small]) == []
    assert await topics.create_topics(stack.kafka_bootstrap, [large]) == ["grows"]
    assert await topics.create_topics(stack.kafka_bootstrap, [small]) == []


async def test_the_contract_topics_can_be_made(stack: Stack) -> None:
    assert set(await topics.create_topics(stack.kafka_bootstrap)) == {topic.name for topic in topics.contract_topics()}
