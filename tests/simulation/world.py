"""Five services in one process on a faulty bus and a real Postgres, stepped one action at a time."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from paybill_common.bus.memory import MemoryBus
from paybill_common.clock import ManualClock
from paybill_common.config import Settings
from paybill_common.consumer import Consumer
from paybill_common.db import Database
from paybill_common.ids import use_id_source
from paybill_common.relay import Relay
from paybill_common.service import Runtime, ServiceSpec, build_app, build_runtime
from paybill_contracts.topics import all_topics
from paybill_stack.bootstrap import DatabaseUrls
from tests.simulation.faults import Crash, CrashDice, FaultyBus

MODULES = ("timesheet", "compliance", "pay_calc", "invoicing", "reporting")
MEMBERS = {"pay-calc": 2}
START = datetime(2026, 4, 7, 9, 0, tzinfo=UTC)
ROUNDS_MAX = 400


def specs() -> list[ServiceSpec]:
    """The five services as they are deployed."""
    return [import_module(f"{module}.app").SPEC for module in MODULES]


class DidNotSettle(AssertionError):
    """The services still had work after every bound: something is stuck or goes in circles."""


@dataclass
class Node:
    """A service: its runtime, its consumers, its relay and its HTTP door."""

    runtime: Runtime
    client: httpx.AsyncClient
    consumers: list[Consumer] = field(default_factory=list)
    relay: Relay | None = None

    @property
    def name(self) -> str:
        return self.runtime.spec.name


class Company:
    """The five services and the witness as a process holds them: databases, pools and HTTP apps, shared by all seeds."""

    def __init__(
        self,
        *,
        migrated: Callable[[ServiceSpec], DatabaseUrls],
        keys: Any,
        folder: Path,
        extra: tuple[ServiceSpec, ...] = (),
    ) -> None:
        self.keys = keys
        self.runtimes: dict[str, Runtime] = {}
        self.clients: dict[str, httpx.AsyncClient] = {}
        clock, bus = ManualClock(START), MemoryBus()
        for spec in (*specs(), *extra):
            urls = migrated(spec)
            settings = Settings(
                database_owner_url=urls.owner,
                database_api_url=urls.api,
                database_worker_url=urls.worker,
                kafka_bootstrap="127.0.0.1:1",
                jwks_file=keys.jwks_file,
                signing_key_file=keys.signing_key_file,
                link_key_file=keys.link_key_file,
                files_dir=folder / spec.name,
                mail_dir=folder / "mail",
                pool_size=4,
            )
            self.runtimes[spec.name] = build_runtime(spec, settings, clock=clock, bus=bus)
            app = build_app(self.runtimes[spec.name])
            transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
            self.clients[spec.name] = httpx.AsyncClient(transport=transport, base_url="http://sim.test")
            self.runtimes[spec.name].state["app"] = app

    def enter(self, world: World) -> dict[str, Node]:
        """Put the services on this world's bus and clock."""
        nodes = {}
        for name, runtime in self.runtimes.items():
            runtime.bus, runtime.clock = world.bus, world.clock
            runtime.state["app"].state.clock = world.clock
            nodes[name] = Node(runtime, self.clients[name])
        return nodes

    async def wipe(self) -> None:
        """Empty every table: a seed that runs again starts from the same nothing."""
        for runtime in self.runtimes.values():
            owner = runtime.settings.database_owner_url
            assert owner is not None
            database = Database(owner.get_secret_value(), source="simulation", pool_size=1)
            async with database.transaction(now=START) as tx:
                rows = await tx.execute(
                    "SELECT string_agg(quote_ident(tablename), ', ') FROM pg_tables WHERE schemaname = 'public' "
                    "AND tablename <> 'alembic_version'"
                )
                await tx.execute(f"TRUNCATE {rows.scalar_one()} RESTART IDENTITY CASCADE")
            await database.close()

    async def close(self) -> None:
        for client in self.clients.values():
            await client.aclose()
        for runtime in self.runtimes.values():
            await runtime.close()


class World:
    """One seed's world. `agency` is fresh, so that seeds share the databases without seeing each other."""

    def __init__(self, seed: int, *, company: Company, salt: str = "", crash_chance: float = 0.02) -> None:
        self.seed = seed
        self.rng = random.Random(seed)
        self.ids = random.Random(f"{seed}/{salt}")
        use_id_source(self.new_id)
        self.agency = self.new_id()
        self.keys = company.keys
        self.clock = ManualClock(START)
        self.dice = CrashDice(self.rng, crash_chance)
        self.bus = FaultyBus(self.rng, {topic.name: min(topic.partitions, 4) for topic in all_topics()})
        self.nodes = company.enter(self)

    def new_id(self) -> UUID:
        return UUID(int=self.ids.getrandbits(128), version=4)

    async def start(self) -> None:
        for node in self.nodes.values():
            for _ in range(MEMBERS.get(node.name, 1)):
                await self._start_consumer(node)
            node.relay = node.runtime.relay(faults=self.dice, batch_rows_max=50)

    async def call(
        self,
        service: str,
        method: str,
        path: str,
        body: Any = None,
        *,
        subject: str = "simulation",
        expect: tuple[int, ...] = (200, 201, 202, 204),
    ) -> Any:
        """One request through the public door of a service, below this agency."""
        headers = self.keys.headers(self.agency, subject=subject, name=subject) | {
            "Idempotency-Key": str(self.new_id())
        }
        url = path if path.startswith("/v1") else f"/v1/agencies/{self.agency}{path}"
        response = await self.nodes[service].client.request(method, url, json=body, headers=headers)
        assert response.status_code in expect, f"{method} {service}{path}: {response.status_code} {response.text[:600]}"
        return response.json() if response.content and "json" in response.headers.get("content-type", "") else None

    async def disturb(self, actions: int) -> None:
        """So many random steps of consumers and relays, with faults."""
        for _ in range(actions):
            await self._one_action()

    async def _one_action(self) -> None:
        node = self.rng.choice(list(self.nodes.values()))
        draw = self.rng.random()
        if draw < 0.03:
            self.bus.rebalance(node.name)
        elif draw < 0.06:
            self.bus.deliver_late()
        elif draw < 0.08 and node.consumers:
            await self._restart_consumer(node, self.rng.randrange(len(node.consumers)))
        elif draw < 0.45:
            await self._step_relay(node)
        elif node.consumers:
            await self._step_consumer(node, self.rng.randrange(len(node.consumers)))
        self.clock.advance(timedelta(seconds=1))

    async def settle(self) -> None:
        """Stop all faults and step until outboxes are empty and nothing is left to read."""
        self.dice.armed = False
        self.bus.settle()
        for _ in range(ROUNDS_MAX):
            moved = 0
            for node in self.nodes.values():
                moved += await self._step_relay(node)
                for index in range(len(node.consumers)):
                    moved += await self._step_consumer(node, index)
            if not moved:
                self.dice.armed = True
                self.bus.calm = False
                return
        raise DidNotSettle(f"seed {self.seed}: still moving after {ROUNDS_MAX} rounds")

    async def replay_everything(self) -> int:
        """Wipe the bus and rebuild it from every outbox: nothing may change. Returns the number of events."""
        await self.settle()
        self.bus.wipe()
        events = 0
        for node in self.nodes.values():
            async with node.runtime.worker_database.transaction(now=self.clock.now()) as tx:
                result = await tx.execute(
                    "UPDATE outbox SET published_at = NULL WHERE agency_id = :a AND published_at IS NOT NULL",
                    a=self.agency,
                )
                events += result.rowcount
        await self.settle()
        return events

    async def digest(self) -> dict[str, Any]:
        """The agency's rows of every tenant table: what a replay must leave as it is."""
        found: dict[str, Any] = {}
        for node in self.nodes.values():
            async with node.runtime.worker_database.transaction(now=self.clock.now()) as tx:
                for table in node.runtime.spec.metadata.sorted_tables:
                    if "agency_id" not in table.c or table.name in ("outbox", "dead_letter", "parked_event"):
                        continue
                    rows = await tx.execute(
                        f"SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) AS digest, count(*) AS n "
                        f"FROM {table.name} t WHERE agency_id = :a",
                        a=self.agency,
                    )
                    row = rows.one()
                    found[f"{node.name}.{table.name}"] = (row.n, row.digest)
                outbox = await tx.execute("SELECT count(*) FROM outbox WHERE agency_id = :a", a=self.agency)
                found[f"{node.name}.outbox"] = outbox.scalar_one()
        return found

    async def dead_letters(self) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        for node in self.nodes.values():
            async with node.runtime.worker_database.transaction(now=self.clock.now()) as tx:
                rows = await tx.execute(
                    "SELECT consumer, event_type, error FROM dead_letter WHERE agency_id = :a", a=self.agency
                )
                found += [row._mapping for row in rows]
        return found

    async def _start_consumer(self, node: Node) -> None:
        consumer = node.runtime.consumer(faults=self.dice)
        if consumer is not None:
            await consumer.start()
            node.consumers.append(consumer)

    async def _restart_consumer(self, node: Node, index: int) -> None:
        await node.consumers[index].stop()
        del node.consumers[index]
        await self._start_consumer(node)

    async def _step_consumer(self, node: Node, index: int) -> int:
        try:
            return (await node.consumers[index].step()).polled
        except Crash:
            await self._restart_consumer(node, index)
            return 1

    async def _step_relay(self, node: Node) -> int:
        assert node.relay is not None
        try:
            return await node.relay.step()
        except Crash:
            node.relay = node.runtime.relay(faults=self.dice, batch_rows_max=50)
            return 1
