"""Kill -9, one after the other, while the week runs: a pay-calc replica, relays, Kafka, Postgres, closers. Then lose the bus.

Each kill lands while work waits, and the test proves that: what is to die, or the bus before it, is frozen for as long as
hours are approved; then unread events and unpublished rows are counted, and what is frozen never gets to run again. A
closer is killed while a lock of this test holds it in the middle.

The week must finish and tie out, nothing lost and nothing doubled. Everything goes through the public doors, on a real
Kafka, a real Postgres and the real processes, which end by themselves within ten seconds when they are asked to.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from rich.console import Console

from paybill_stack import processes
from paybill_stack.bootstrap import database_name
from paybill_stack.client import CLI_CLIENT, ApiClient, Place, ServiceAway
from paybill_stack.demo.cast import BUSINESS_NOW
from paybill_stack.demo.generate import generate, read_plan
from paybill_stack.demo.quiet import Quiet
from paybill_stack.demo.run import RELEASE_CLIENT
from paybill_stack.demo.stages import Stages
from paybill_stack.demo.week import AGENCY_CHECKED, AgencyRun
from paybill_stack.processes import ProcessRecord
from paybill_stack.stack import Stack
from paybill_stack.supervisor import Supervisor

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]
INSTANCE = f"testfaults{os.environ.get('PYTEST_XDIST_WORKER', '')}"
SERVICES = ("timesheet", "pay-calc", "invoicing", "compliance", "reporting")
TIMESHEETS = 150


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """The five services on an instance of their own, stopped at the end whatever happened."""
    made = Stack(INSTANCE)

    def stop() -> None:
        Supervisor(made).down()
        made.stop()

    try:
        _apart(lambda: Supervisor.bring_up(INSTANCE, replicas=2, business_now=BUSINESS_NOW, fresh=True))
        yield made
    finally:
        _apart(stop)
        shutil.rmtree(made.paths.root, ignore_errors=True)


def _apart(work: Callable[[], object]) -> None:
    failed: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]


class Work:
    """What waits: rows that no relay has published, events that no consumer has taken, transactions that wait for a lock."""

    def __init__(self, stack: Stack, client: ApiClient) -> None:
        self._stack, self._client = stack, client

    async def unpublished(self, *services: str) -> int:
        found = 0
        for service in services:
            async with self.inside(service) as database:
                found += await database.fetchval("SELECT count(*) FROM outbox WHERE published_at IS NULL")
        return found

    async def unread(self, service: str) -> int:
        async with Quiet(self._stack.kafka_bootstrap, self._client) as quiet:
            return (await quiet.backlog()).unread[service]

    async def sharers(self, service: str) -> int:
        """How many members of the service's consumer group have partitions; 0 while they are shared out."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self._stack.kafka_bootstrap, client_id="paybill-kills")
        await admin.start()
        try:
            [answer] = await admin.describe_consumer_groups([service])
        finally:
            await admin.close()
        [(_, _, state, _, _, members, *_)] = answer.groups
        return sum(1 for member in members if member[-1]) if state == "Stable" else 0

    async def locked_out(self, service: str) -> int:
        async with self.inside(service) as database:
            found = await database.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            return int(found)

    @contextlib.asynccontextmanager
    async def inside(self, service: str) -> AsyncIterator[asyncpg.Connection]:
        database = await asyncpg.connect(self._stack.admin_dsn, database=database_name(service))
        try:
            yield database
        finally:
            await database.close()


class Approvals:
    """The hours that only the agency approves, in parts of a few workers, so that a kill can land between them."""

    PARTS = 12
    """Two to a kill."""

    def __init__(self, client: ApiClient, runs: list[AgencyRun]) -> None:
        self._client = client
        self._left: list[tuple[AgencyRun, str]] = []
        for one in runs:
            apart = {one.by_placement[reference]["timesheet_id"] for reference in one.plan["rejected"]}
            self._left += [
                (one, sheet["timesheet_id"])
                for sheet in one.by_placement.values()
                if one.client_refs[str(sheet["client_id"])] not in one.plan["link_clients"]
                and sheet["timesheet_id"] not in apart
            ]
        self._part, self._batch = len(self._left) // self.PARTS, 2
        assert self._part > self._batch, f"{len(self._left)} timesheets are too few for {self.PARTS} parts"

    async def next_part(self, begun: asyncio.Event | None = None) -> None:
        """Approve the next few timesheets; `begun` is set at the first answer."""
        part, self._left = self._left[: self._part], self._left[self._part :]
        assert part, "every timesheet is approved and there is something left to kill"
        for start in range(0, len(part), self._batch):
            for one in {id(run): run for run, _ in part[start : start + self._batch]}.values():
                ids = [sheet for run, sheet in part[start : start + self._batch] if run is one]
                body = {"timesheet_ids": ids, "evidence": {"kind": "agency", "note": AGENCY_CHECKED}}
                answer = await patiently(self._post(one, body, str(uuid4())))
                assert not answer["refused"], answer
                if begun is not None:
                    begun.set()

    def _post(self, one: AgencyRun, body: dict[str, Any], key: str) -> Callable[[], Awaitable[Any]]:
        return lambda: self._client.post("timesheet", one.path("timesheets/approve-batch"), body, key=key)

    @contextlib.contextmanager
    def taken_from(self, runs: list[AgencyRun]) -> Iterator[None]:
        """What was approved here is none of the runs' business for a while."""
        whole = [one.by_placement for one in runs]
        left = {sheet for _, sheet in self._left}
        for one in runs:
            linked, rejected = set(one.plan["link_clients"]), set(one.plan["rejected"])
            one.by_placement = {
                reference: sheet
                for reference, sheet in one.by_placement.items()
                if sheet["timesheet_id"] in left
                or reference in rejected
                or one.client_refs[str(sheet["client_id"])] in linked
            }
        yield
        for one, placements in zip(runs, whole, strict=True):
            one.by_placement = placements


class Chaos:
    """The kills, each followed by a new start as an operating system's supervisor would do."""

    def __init__(self, stack: Stack, work: Work) -> None:
        self._stack, self._supervisor, self._work = stack, Supervisor(stack), work
        self.waited: dict[str, int] = {}
        """What was killed, and how much work waited at that moment."""

    async def replica(self, service: str, number: int, approvals: Approvals) -> None:
        """It dies in the midst of events that it has read or not; in its first process the relay dies too. A replica that reads nothing yet
        would leave nothing unread, so its group shares out its partitions first."""
        replicas = sum(1 for one in self._supervisor.replicas() if one.service == service)

        async def shared() -> bool:
            return await self._work.sharers(service) == replicas

        assert await _until(shared)
        await self._strike(
            f"{service}-{number}",
            freeze=self._process(service, number),
            waits=lambda: self._work.unread(service),
            kill=lambda: self._supervisor.kill(service, number),
            start=lambda: self._supervisor.start(service, number),
            approvals=approvals,
        )

    async def timesheet(self, approvals: Approvals) -> None:
        """The relay with the largest outbox dies between sending and marking: the bus that it sends to is frozen."""
        await self._strike(
            "timesheet-1",
            freeze=self._kafka(),
            waits=lambda: self._work.unpublished("timesheet"),
            kill=lambda: self._supervisor.kill("timesheet", 1),
            start=lambda: self._supervisor.start("timesheet", 1),
            approvals=approvals,
        )

    async def kafka(self, approvals: Approvals) -> None:
        await self._strike(
            "kafka",
            freeze=self._kafka(),
            waits=lambda: self._work.unpublished(*SERVICES),
            kill=self._stack.kafka.kill,
            start=self._stack.kafka.start,
            approvals=approvals,
        )

    async def postgres(self, approvals: Approvals) -> None:
        """With relays between sending and marking: what they sent arrives, and is sent again."""
        await self._strike(
            "postgres",
            freeze=self._kafka(),
            waits=lambda: self._work.unpublished(*SERVICES),
            kill=self._stack.postgres.kill,
            start=self._stack.postgres.start,
            approvals=approvals,
        )

    async def closer(self, service: str, lock: str, closing: Callable[[], Awaitable[None]]) -> None:
        """The process that closes a run dies while it waits, in the middle, for rows that another transaction has locked."""
        async with self._work.inside(service) as other:
            held = other.transaction()
            await held.start()
            assert await other.fetch(lock)
            task = asyncio.create_task(closing())
            waited = await _until(lambda: self._work.locked_out(service))
            assert not task.done()
            await asyncio.to_thread(self._supervisor.kill, service, 1)
            await held.rollback()
        self.waited[f"{service}-1, closing"] = waited
        await asyncio.to_thread(self._supervisor.start, service, 1)
        await task

    async def lose_the_bus(self) -> None:
        """Every record and every committed offset is gone; the services find an empty broker."""
        assert await asyncio.to_thread(self._supervisor.down) == []
        await asyncio.to_thread(self._stack.kafka.stop)
        await asyncio.to_thread(self._stack.kafka.wipe)
        await asyncio.to_thread(self._stack.kafka.start)
        await asyncio.to_thread(self._stack.create_topics)
        await self.up()

    async def stop_at_work(self, arrives: Callable[[], Awaitable[object]]) -> None:
        """SIGTERM to everybody while events wait: each ends by itself, and nobody has to be killed.

        Who has to have work then is frozen while `arrives` sends it, so that it cannot be done already.
        """
        frozen = [self._process(*one) for one in (("pay-calc", 1), ("pay-calc", 2), ("reporting", 1))]
        for process in frozen:
            processes.send(process, signal.SIGSTOP)
        try:
            await arrives()
            for service in ("pay-calc", "reporting"):
                self.waited[f"{service}, asked to end"] = await _until(lambda name=service: self._work.unread(name))
        finally:
            for process in frozen:
                processes.send(process, signal.SIGCONT)
        begun = time.monotonic()
        assert await asyncio.to_thread(self._supervisor.down) == [], "killed after ten seconds"
        assert time.monotonic() - begun < 10

    async def up(self) -> None:
        await asyncio.to_thread(lambda: self._supervisor.up(replicas=2, business_now=BUSINESS_NOW))

    async def _strike(
        self,
        name: str,
        *,
        freeze: ProcessRecord,
        waits: Callable[[], Awaitable[int]],
        kill: Callable[[], object],
        start: Callable[[], object],
        approvals: Approvals,
    ) -> None:
        begun = asyncio.Event()
        early = asyncio.create_task(approvals.next_part(begun))
        await asyncio.wait_for(begun.wait(), 120)
        processes.send(freeze, signal.SIGSTOP)
        try:
            late = asyncio.create_task(approvals.next_part())
            self.waited[name] = await _until(waits)
            await asyncio.to_thread(kill)
        finally:
            processes.send(freeze, signal.SIGCONT)
        await asyncio.to_thread(start)
        await asyncio.gather(early, late)

    def _kafka(self) -> ProcessRecord:
        settings = self._stack.kafka.settings
        assert settings is not None
        assert settings.process is not None
        return settings.process

    def _process(self, service: str, number: int) -> ProcessRecord:
        found = {(one.service, one.replica): one.process for one in self._supervisor.replicas()}[(service, number)]
        assert found is not None
        return found


async def _until(count: Callable[[], Awaitable[int]]) -> int:
    """How much there is, as soon as there is any."""
    async with asyncio.timeout(120):
        while not (found := await count()):  # noqa: ASYNC110  it is other processes' work
            await asyncio.sleep(0.05)
    return found


async def patiently(call: Callable[[], Awaitable[Any]]) -> Any:
    """The answer of a service that may be away for longer than a client tries."""
    async with asyncio.timeout(240):
        while True:
            with contextlib.suppress(ServiceAway):
                return await call()


ALL_WORKERS = "SELECT 1 FROM worker FOR UPDATE"
LAST_CLIENTS = (
    "SELECT 1 FROM timesheet WHERE (agency_id, client_id) IN "
    "(SELECT agency_id, CAST(max(CAST(client_id AS text)) AS uuid) FROM timesheet GROUP BY agency_id) FOR UPDATE"
)
"""A run bills its clients in the order of their ids."""


async def test_the_week_ties_out_after_every_kill_and_after_losing_the_bus(stack: Stack) -> None:
    inputs, outputs = stack.paths.root / "in", stack.paths.root / "out"
    (outputs / "receipts").mkdir(parents=True, exist_ok=True)
    plan = generate(inputs, timesheets=TIMESHEETS)
    agencies = [UUID(agency.agency_id) for agency in plan.agencies]
    stages, place = Stages(Console(quiet=True)), Place.of(INSTANCE)
    async with contextlib.AsyncExitStack() as open_things:
        client = await open_things.enter_async_context(ApiClient(place.urls, place.credentials(CLI_CLIENT), agencies))
        operator = await open_things.enter_async_context(ApiClient(place.urls, place.credentials(CLI_CLIENT), ()))
        other = await open_things.enter_async_context(
            ApiClient(place.urls, place.credentials(RELEASE_CLIENT), agencies)
        )
        chaos = Chaos(stack, Work(stack, client))
        written = read_plan(inputs)["agencies"]
        runs = [AgencyRun(client, one, plan.week_ending, inputs, outputs, stack.paths.mail) for one in written]

        async def everybody(work: Callable[[AgencyRun], Awaitable[Any]]) -> None:
            await asyncio.gather(*(work(one) for one in runs))

        with stages.stage("all", "all") as stage:
            await everybody(lambda one: one.set_up())
            await everybody(lambda one: one.import_records(stage))
            await everybody(lambda one: one.import_hours(stage))
            await everybody(lambda one: one.submit(stage))
            approvals = Approvals(client, runs)
            await chaos.replica("pay-calc", 2, approvals)
            for service in ("compliance", "invoicing"):
                await chaos.replica(service, 1, approvals)
            await chaos.timesheet(approvals)
            await chaos.kafka(approvals)
            await chaos.postgres(approvals)
            await _rest(stack, client)
            with approvals.taken_from(runs):
                await everybody(lambda one: one.approve(stage))
            await everybody(lambda one: one.amend(stage))
            await everybody(lambda one: one.documents_arrive(stage))
            await _rest(stack, client)
            await everybody(lambda one: one.cut_off())
            await _rest(stack, client)
            closing = lambda: everybody(lambda one: patiently(one.close_pay))  # noqa: E731
            await chaos.closer("pay-calc", ALL_WORKERS, closing)
            await _rest(stack, client)
            issuing = lambda: everybody(lambda one: patiently(one.issue_invoices))  # noqa: E731
            await chaos.closer("invoicing", LAST_CLIENTS, issuing)
            await _rest(stack, client)
            for one in runs:
                payment_file_id = await one.prepare_payment()
                if payment_file_id is not None:
                    await one.release_payment(payment_file_id, other)
        weeks = await _settled_weeks(stack, client, runs)
        for week in weeks:
            _ties_out(week)
        assert sum(week["timesheets"]["approved"] for week in weeks) > TIMESHEETS * 0.9

        await chaos.lose_the_bus()

        async def republish(*services: str) -> None:
            for service in services:
                said = await operator.post(service, "/v1/ops/outbox/republish")
                assert (said["events"] > 0) == (service != "reporting"), (
                    "all but reporting own facts that others rebuild from"
                )

        await republish(*(service for service in SERVICES if service != "timesheet"))
        await chaos.stop_at_work(lambda: republish("timesheet"))
        await chaos.up()
        assert await _settled_weeks(stack, client, runs) == weeks
    assert list(chaos.waited) == [
        *("pay-calc-2", "compliance-1", "invoicing-1", "timesheet-1", "kafka", "postgres"),
        *("pay-calc-1, closing", "invoicing-1, closing", "pay-calc, asked to end", "reporting, asked to end"),
    ]
    assert all(chaos.waited.values()), chaos.waited


async def _rest(stack: Stack, client: ApiClient) -> dict[str, Any]:
    async with Quiet(stack.kafka_bootstrap, client) as quiet:
        return dict(await quiet.wait())


async def _settled_weeks(stack: Stack, client: ApiClient, runs: list[AgencyRun]) -> list[Any]:
    states = await _rest(stack, client)
    assert [state["dead_letters_open"] + state["parked"] for state in states.values()] == [0] * len(SERVICES)
    return [await one.week() for one in runs]


def _ties_out(week: Any) -> None:
    tie = week["tie_out"]
    assert tie["approved_minutes"] == tie["paid_minutes"] + tie["held_minutes"], tie
    assert tie["billable_minutes"] == tie["billed_minutes"] + tie["bill_held_minutes"], tie
    assert (tie["unexplained_pence"], tie["unexplained_minutes"]) == (0, 0), tie
    assert tie["clean"]
