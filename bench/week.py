"""The real week beside the null pipeline, with one and with two replicas of pay-calc: `make bench`.

For each number of replicas: a fresh embedded stack (instance "bench", fsync on), the demo week's files through the public doors, and then
the measured span, from the first approve-batch request until no event is unpublished or unread. The services are stopped and the events
of that span, in number and average size, go through `bench.null_pipeline.week_of` on the same Kafka and Postgres: as many published and
as many read by each service. `ratio_to_null` is the seconds of the null pipeline, less its fixed cost, over the seconds of the real span.
JSON lines first, then a table. Exit status 1 when the week does not tie out.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import pstats
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
from rich.console import Console

from bench import null_pipeline
from bench.week_figures import Measured, report, table
from bench.week_rows import clock, read_databases
from paybill_stack import StackError, processes
from paybill_stack.bootstrap import SERVICES
from paybill_stack.client import CLI_CLIENT, ApiClient, Place
from paybill_stack.demo.cast import BUSINESS_NOW
from paybill_stack.demo.generate import generate, read_plan
from paybill_stack.demo.quiet import Quiet
from paybill_stack.demo.stages import Stages
from paybill_stack.demo.week import AgencyRun
from paybill_stack.readiness import label
from paybill_stack.service_env import Wiring, module_of, service_env
from paybill_stack.settings import StackSettings
from paybill_stack.stack import Stack
from paybill_stack.supervisor import Supervisor

INSTANCE = "bench"
DEFAULT_TIMESHEETS = 3_000
BATCH, BATCHES_AT_ONCE = 1_000, 4
REST_TIMEOUT_S, STEP_TIMEOUT_S, SAMPLE_S = 900.0, 1_800.0, 0.25
PROFILE_LINES = 30
EVIDENCE = {"kind": "client", "name": "Client's supervisor", "note": "Signed timesheets of the week on file"}


@dataclass
class Sampler:
    """What is unread and what each process holds in memory, looked at while the week runs."""

    stack: Stack
    client: ApiClient
    lag_max: dict[str, int] = field(default_factory=dict)
    rss_max_mb: dict[str, int] = field(default_factory=dict)
    looks: int = 0
    unread: int = 0

    def watched(self) -> dict[str, psutil.Process]:
        """The processes by name."""
        found = {label(r): psutil.Process(r.process.pid) for r in Supervisor(self.stack).replicas() if r.process}
        settings = self.stack.settings
        for name, server in (("kafka", settings.kafka), ("postgres", settings.postgres)):
            if server is not None and server.process is not None:
                found[name] = psutil.Process(server.process.pid)
        return found

    def cpu_s(self) -> dict[str, float]:
        """Processor seconds that each process has used; Postgres with its backends."""
        used = {}
        for name, process in self.watched().items():
            family = [process, *process.children()] if name == "postgres" else [process]
            used[name] = sum(sum(one.cpu_times()[:2]) for one in family)
        return used

    async def run(self) -> None:
        watched = self.watched()
        async with Quiet(self.stack.kafka_bootstrap, self.client) as quiet:
            while True:
                unread = (await quiet.backlog()).unread
                for service, count in unread.items():
                    self.lag_max[service] = max(count, self.lag_max.get(service, 0))
                for name, process in watched.items():
                    held = process.memory_info().rss // 1_000_000
                    self.rss_max_mb[name] = max(held, self.rss_max_mb.get(name, 0))
                self.looks, self.unread = self.looks + 1, sum(unread.values())
                await asyncio.sleep(SAMPLE_S)

    async def rest(self, task: asyncio.Task[None], quiet: Quiet) -> None:
        """Wait until nothing is unread (cheaply), then until everything is seen at rest from both sides."""
        deadline, seen = time.monotonic() + REST_TIMEOUT_S, self.looks
        while time.monotonic() < deadline and (self.looks < seen + 1 or self.unread):
            if task.done():
                task.result()
            await asyncio.sleep(0.1)
        await quiet.wait(timeout_s=max(30.0, deadline - time.monotonic()))


async def real_week(stack: Stack, folder: Path, measured: Measured, *, pdfs: bool) -> None:
    """Take the files of `folder/in` from import to invoices, filling `measured`."""
    place, plan = Place.of(INSTANCE), read_plan(folder / "in")
    agencies = [UUID(one["agency_id"]) for one in plan["agencies"]]
    stages = Stages(Console(quiet=True))
    async with (
        ApiClient(place.urls, place.credentials(CLI_CLIENT), agencies, connections_max=24) as client,
        Quiet(stack.kafka_bootstrap, client) as quiet,
        _sampling(Sampler(stack, client)) as (sampler, task),
    ):
        runs = [
            AgencyRun(client, one, plan["week_ending"], folder / "in", folder / "out", stack.paths.mail)
            for one in plan["agencies"]
        ]
        with stages.stage("import", "import") as stage:
            await _all(one.set_up() for one in runs)
            calendar = {"payday_days_after": 5, "late_pay": "with_current_pay"}
            await _all(client.put("pay-calc", one.path("pay-calendar"), calendar) for one in runs)
            await _all(one.import_records(stage) for one in runs)
            await _all(one.import_hours(stage) for one in runs)
            await sampler.rest(task, quiet)
        with stages.stage("submit", "submit") as stage:
            await _all(one.submit(stage) for one in runs)
            await sampler.rest(task, quiet)
        sampler.lag_max.clear()
        begun, used = await clock(stack), sampler.cpu_s()
        with stages.stage("approve", "approve"):
            measured.timesheets = await _approve(runs)
        with stages.stage("settle", "settle"):
            await sampler.rest(task, quiet)
        ended = await clock(stack)
        measured.cpu_s = {name: round(now - used[name], 1) for name, now in sampler.cpu_s().items()}
        measured.lag_max, measured.load_average = dict(sampler.lag_max), round(os.getloadavg()[0], 1)
        with stages.stage("close", "close"):
            await _all(one.cut_off() for one in runs)
            await sampler.rest(task, quiet)
            await _all(one.close_pay() for one in runs)
            await sampler.rest(task, quiet)
            await _all(one.issue_invoices() for one in runs)
            await sampler.rest(task, quiet)
        if pdfs:
            with stages.stage("pdfs", "pdfs") as stage:
                for one in runs:
                    one.begin_payslips()
                await _all(one.documents("invoices", stage) for one in runs)
                await _all(one.payslips(stage) for one in runs)
        states = await quiet.states()
        left = sum(int(state["dead_letters_open"]) + int(state["parked"]) for state in states.values())
        measured.tied_out = not left and all([(await one.week())["tie_out"]["clean"] for one in runs])
        measured.rss_max_mb = sampler.rss_max_mb
    measured.seconds = stages.seconds | {"span": round((ended - begun).total_seconds(), 2)}
    await read_databases(stack, measured, begun, ended)


@contextlib.asynccontextmanager
async def _sampling(sampler: Sampler) -> AsyncIterator[tuple[Sampler, asyncio.Task[None]]]:
    task = asyncio.create_task(sampler.run())
    try:
        yield sampler, task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _all(work: Any) -> list[Any]:
    return list(await asyncio.wait_for(asyncio.gather(*work), STEP_TIMEOUT_S))


async def _approve(runs: Sequence[AgencyRun]) -> int:
    """Every submitted timesheet by approve-batch, some batches at once; returns how many were approved."""
    gate = asyncio.Semaphore(BATCHES_AT_ONCE)

    async def one(run: AgencyRun, ids: Sequence[str]) -> int:
        async with gate:
            body = {"timesheet_ids": list(ids), "evidence": EVIDENCE}
            answer = await run.client.post("timesheet", run.path("timesheets/approve-batch"), body)
        if answer["refused"]:
            raise StackError(f"{run.slug}: {answer['refused']} timesheets were refused at approve-batch")
        return len(ids)

    chunks = []
    for run in runs:
        ids = [str(sheet["timesheet_id"]) for sheet in run.by_placement.values()]
        chunks += [(run, ids[start : start + BATCH]) for start in range(0, len(ids), BATCH)]
    return sum(await _all(one(run, ids) for run, ids in chunks))


def start_profiled(stack: Stack, service: str, target: Path) -> None:
    """Replace the first replica of a service by one under cProfile; it writes `target` when it is stopped."""
    supervisor = Supervisor(stack)
    replica = next(r for r in supervisor.replicas() if (r.service, r.replica) == (service, 1))
    supervisor.stop(service, 1)
    wiring = Wiring(stack.paths, stack.kafka_bootstrap, stack.ensure_keys(), supervisor.urls(), BUSINESS_NOW)
    command = [sys.executable, "-m", "cProfile", "-o", str(target), "-m", module_of(service), replica.role]
    env = service_env(service, replica.port, stack.database_urls(service), wiring)
    record = processes.spawn(command, log=replica.log, env=env, cwd=stack.paths.root, attached=True)

    def change(settings: StackSettings) -> None:
        next(r for r in settings.services if (r.service, r.replica) == (service, 1)).process = record

    stack.store.change(change)
    supervisor.wait_ready()


async def null_runs(stack: Stack, measured: Measured) -> None:
    """One event for the fixed cost, then the span's events in the week's own shape."""
    size = measured.bytes // sum(measured.events.values())
    one = dict.fromkeys(measured.events, 1)
    measured.null_fixed_s = (await null_pipeline.measure(stack, null_pipeline.week_of(one), size=size))["seconds"]
    measured.null = await null_pipeline.measure(stack, null_pipeline.week_of(measured.events), size=size)


def measure(replicas: int, asked: argparse.Namespace, folder: Path) -> Measured:
    """One real week with so many replicas of pay-calc, then its events through the null pipeline. Stops what it started."""
    measured = Measured(replicas)
    stop()
    profile = folder / f"{asked.profile}.prof"
    try:
        stack = Supervisor.bring_up(
            INSTANCE, replicas=replicas, business_now=BUSINESS_NOW, attached=True, fresh=True
        ).stack
        if asked.profile:
            start_profiled(stack, asked.profile, profile)
        asyncio.run(real_week(stack, folder, measured, pdfs=asked.pdfs))
        if asked.profile:  # SIGTERM would end it before the profile is written
            Supervisor(stack).kill(asked.profile, 1, signal.SIGINT)
        Supervisor(stack).down()
        if not asked.profile:
            asyncio.run(null_runs(stack, measured))
    finally:
        for child in multiprocessing.active_children():
            child.kill()
        stop()
    if asked.profile:
        pstats.Stats(str(profile)).strip_dirs().sort_stats("tottime").print_stats(PROFILE_LINES)
    return measured


def stop() -> None:
    stack = Stack(INSTANCE)
    Supervisor(stack).down()
    stack.stop()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    wanted = int(os.environ.get("PAYBILL_BENCH_TIMESHEETS") or DEFAULT_TIMESHEETS)
    parser.add_argument(
        "--timesheets", type=int, default=wanted, help="default PAYBILL_BENCH_TIMESHEETS or %(default)s"
    )
    parser.add_argument("--replicas", type=int, nargs="+", default=[1, 2], help="of pay-calc, a run each")
    parser.add_argument(
        "--pdfs", action=argparse.BooleanOptionalAction, default=True, help="payslips and invoices as PDF, timed apart"
    )
    parser.add_argument(
        "--profile", choices=SERVICES, help="run this service under cProfile; no null pipeline, no targets"
    )
    asked = parser.parse_args()
    folder = Stack(INSTANCE).paths.root
    (folder / "out" / "receipts").mkdir(parents=True, exist_ok=True)
    generate(folder / "in", timesheets=asked.timesheets)
    runs = []
    for replicas in asked.replicas[:1] if asked.profile else asked.replicas:
        runs.append(measure(replicas, asked, folder))
        report(runs[-1])
    Console(width=100).print(table(runs))
    for missed in [f"{run.replicas} replica(s): {line}" for run in runs for line in run.missed()]:
        print("missed:", missed)
    return 0 if all(run.tied_out for run in runs) else 1


if __name__ == "__main__":
    raise SystemExit(main())
