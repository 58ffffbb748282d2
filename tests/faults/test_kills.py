"""Kill -9, one after the other, while the week runs: a pay-calc replica, a relay, Kafka, Postgres. Then lose the bus.

The week must finish and tie out, nothing lost and nothing doubled. Everything goes through the public doors, on a real
Kafka, a real Postgres and the real processes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from rich.console import Console

from paybill_stack.client import CLI_CLIENT, ApiClient, Place
from paybill_stack.demo.cast import BUSINESS_NOW
from paybill_stack.demo.generate import generate, read_plan
from paybill_stack.demo.quiet import Quiet
from paybill_stack.demo.run import RELEASE_CLIENT
from paybill_stack.demo.stages import Stages
from paybill_stack.demo.week import AgencyRun
from paybill_stack.stack import Stack
from paybill_stack.supervisor import Supervisor

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
INSTANCE = f"testfaults{os.environ.get('PYTEST_XDIST_WORKER', '')}"
SERVICES = ("timesheet", "pay-calc", "invoicing", "compliance", "reporting")
TIMESHEETS = 150


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """The five services on an instance of their own, stopped at the end whatever happened."""
    made: list[Stack] = []

    def start() -> None:
        made.append(Stack.start(INSTANCE, fresh=True))
        Supervisor(made[0]).up(replicas=2, business_now=BUSINESS_NOW)

    def stop() -> None:
        Supervisor(made[0]).down()
        made[0].stop()

    try:
        _apart(start)
        yield made[0]
    finally:
        if made:
            _apart(stop)
            shutil.rmtree(made[0].paths.root, ignore_errors=True)


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


class Chaos:
    """The kills, each followed by a new start as an operating system's supervisor would do."""

    def __init__(self, stack: Stack) -> None:
        self._stack, self._supervisor = stack, Supervisor(stack)
        self.killed: list[str] = []

    async def pay_calc_replica(self) -> None:
        await self._service("pay-calc", 2)

    async def relays(self) -> None:
        """Each service's relay lives in its first process."""
        for service in ("compliance", "invoicing"):
            await self._service(service, 1)

    async def kafka(self) -> None:
        await asyncio.to_thread(self._stack.kafka.kill)
        self.killed.append("kafka")
        await asyncio.to_thread(self._stack.kafka.start)

    async def postgres(self) -> None:
        await asyncio.to_thread(self._stack.postgres.kill)
        self.killed.append("postgres")
        await asyncio.to_thread(self._stack.postgres.start)

    async def lose_the_bus(self) -> None:
        """Every record and every committed offset is gone; the services find an empty broker."""
        await asyncio.to_thread(self._supervisor.down)
        await asyncio.to_thread(self._stack.kafka.stop)
        await asyncio.to_thread(self._stack.kafka.wipe)
        await asyncio.to_thread(self._stack.kafka.start)
        await asyncio.to_thread(self._stack.create_topics)
        await asyncio.to_thread(lambda: self._supervisor.up(replicas=2, business_now=BUSINESS_NOW))

    async def _service(self, service: str, replica: int) -> None:
        await asyncio.to_thread(self._supervisor.kill, service, replica)
        self.killed.append(f"{service}-{replica}")
        await asyncio.to_thread(self._supervisor.start, service, replica)


async def test_the_week_ties_out_after_every_kill_and_after_losing_the_bus(stack: Stack) -> None:
    inputs, outputs = stack.paths.root / "in", stack.paths.root / "out"
    (outputs / "receipts").mkdir(parents=True, exist_ok=True)
    plan = generate(inputs, timesheets=TIMESHEETS)
    agencies = [UUID(agency.agency_id) for agency in plan.agencies]
    chaos, stages, place = Chaos(stack), Stages(Console(quiet=True)), Place.of(INSTANCE)
    async with contextlib.AsyncExitStack() as open_things:
        client = await open_things.enter_async_context(ApiClient(place.urls, place.credentials(CLI_CLIENT), agencies))
        other = await open_things.enter_async_context(
            ApiClient(place.urls, place.credentials(RELEASE_CLIENT), agencies)
        )
        written = read_plan(inputs)["agencies"]
        runs = [AgencyRun(client, one, plan.week_ending, inputs, outputs, stack.paths.mail) for one in written]

        async def everybody(work: Callable[[AgencyRun], Awaitable[Any]]) -> None:
            with stages.stage("work", "work"):
                await asyncio.gather(*(work(one) for one in runs))

        with stages.stage("all", "all") as stage:
            await everybody(lambda one: one.set_up())
            await everybody(lambda one: one.import_records(stage))
            await everybody(lambda one: one.import_hours(stage))
            await everybody(lambda one: one.submit(stage))
            await asyncio.gather(everybody(lambda one: one.approve(stage)), chaos.pay_calc_replica())
            await chaos.relays()
            await everybody(lambda one: one.amend(stage))
            await chaos.kafka()
            await everybody(lambda one: one.documents_arrive(stage))
            await chaos.postgres()
            await _rest(stack, client)
            await everybody(lambda one: one.cut_off())
            await _rest(stack, client)
            await everybody(lambda one: one.close_pay())
            await chaos.pay_calc_replica()
            await _rest(stack, client)
            await everybody(lambda one: one.issue_invoices())
            await _rest(stack, client)
            for one in runs:
                payment_file_id = await one.prepare_payment()
                if payment_file_id is not None:
                    await one.release_payment(payment_file_id, other)
        weeks = await _settled_weeks(stack, client, runs)
        assert len(chaos.killed) == 6
        for week in weeks:
            _ties_out(week)
        assert sum(week["timesheets"]["approved"] for week in weeks) > TIMESHEETS * 0.9

        await chaos.lose_the_bus()
        for service in SERVICES:
            said = await client.post(service, "/v1/ops/outbox/republish")
            assert (said["events"] > 0) == (service != "reporting"), (
                "all but reporting own facts that others rebuild from"
            )
        assert await _settled_weeks(stack, client, runs) == weeks


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
