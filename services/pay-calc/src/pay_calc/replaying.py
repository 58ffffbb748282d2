"""Drives the nightly replay, a step and a transaction at a time, and tells what it found."""

from __future__ import annotations

import asyncio

import structlog

from pay_calc.store import replays
from pay_calc.usecases.nightly_replay import Step, nightly_step
from paybill_common import telemetry
from paybill_common.clock import Clock
from paybill_common.db import Database
from paybill_common.service import Runtime, repeat

log = structlog.get_logger()
RUNBOOK = "docs/runbooks/replay-differs.md"
LOOK_EVERY_S = 60


async def replay_night(database: Database, clock: Clock, *, hour: int, stop: asyncio.Event | None = None) -> int:
    """Replay what this night has still to replay, until nothing is left or `stop` is set. Returns the payslips. `database` connects as
    the worker role."""
    done = 0
    while stop is None or not stop.is_set():
        async with database.transaction(now=clock.now()) as tx:
            step = await nightly_step(tx, now=tx.now, hour=hour)
        if step is None:
            break
        done += step.payslips
        telemetry.REPLAYED.inc(step.payslips)
        if step.finished:
            _tell(step)
    await measure(database, clock)
    return done


async def measure(database: Database, clock: Clock) -> None:
    """Set the gauges of closed runs by what their last replay found."""
    async with database.transaction(now=clock.now()) as tx:
        found = await replays.counts(tx)
    for state in ("agrees", "differs", "not_available"):
        telemetry.REPLAY_RUNS.labels(state).set(getattr(found, state))


def _tell(step: Step) -> None:
    ids = {"agency_id": str(step.agency_id), "pay_run_id": str(step.pay_run_id), "night": str(step.night)}
    outcome = step.outcome
    if outcome.state == "differs":
        first = outcome.differences[0]
        log.error(
            "replay.differs",
            **ids,
            payslips=outcome.payslips,
            differing=outcome.differing,
            first_payslip_id=str(first.payslip_id),
            first_figure=first.figure,
            action=RUNBOOK,
        )
    elif outcome.state == "not_available":
        versions = [f"engine {engine}, parameters {parameters}" for engine, parameters in sorted(outcome.not_available)]
        log.warning("replay.version_not_available", **ids, versions=versions, action=RUNBOOK)
    else:
        log.info("replay.agrees", **ids, payslips=outcome.payslips)


async def keep_replaying(runtime: Runtime, stop: asyncio.Event) -> None:
    """The background work of a worker process: once the night's hour has come, every closed run is replayed."""

    async def night() -> None:
        await replay_night(runtime.worker_database, runtime.clock, hour=runtime.settings.replay_hour, stop=stop)

    await repeat(night, stop=stop, every_s=LOOK_EVERY_S, name="nightly replay", runbook=RUNBOOK)
