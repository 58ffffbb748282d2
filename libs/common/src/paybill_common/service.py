"""A service put together: settings, databases, bus, consumer, relay and HTTP app. Each service's `app.py` names its parts here."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import structlog
from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import MetaData

from paybill_common import replicas, telemetry
from paybill_common.auth import TokenVerifier
from paybill_common.bus import Bus, BusUnavailable
from paybill_common.bus.kafka import Access, KafkaBus
from paybill_common.clock import Clock, StartedClock, SystemClock
from paybill_common.config import Settings
from paybill_common.consumer import Consumer, Subscription
from paybill_common.db import Database, is_transient
from paybill_common.http import openapi, ops, problems
from paybill_common.http.limits import BodyLimit
from paybill_common.http.measure import Measure
from paybill_common.migrations import at_head
from paybill_common.relay import Relay

log = structlog.get_logger()
Role = Literal["api", "worker", "all"]
STALLED_S = 120.0
LAG_S = 2.0
STOP_S = 8.0


@dataclass(frozen=True)
class ServiceSpec:
    """What makes a service: its name, what it reads, its routers and its tables."""

    name: str
    metadata: MetaData
    migrations: Path
    subscription: Callable[[Runtime], Subscription | None]
    routers: Sequence[APIRouter] = ()
    title: str = ""
    description: str = ""
    extend: Callable[[FastAPI, Runtime], None] | None = None
    """Adds what is special to one service (static files, sessions) to its app."""
    background: Sequence[Callable[[Runtime, asyncio.Event], Any]] = ()
    """Coroutines that run beside the consumer until stopped."""
    beside_api: Sequence[Callable[[Runtime, asyncio.Event], Any]] = ()
    """Coroutines that run beside the HTTP API until stopped: what needs the keys that only its processes hold."""
    uploads: str = ""
    """A regular expression of the paths to which people post files; they may be larger than other bodies."""


@dataclass
class Runtime:
    """The parts of one running service, whatever started it: a process, a test or the simulation."""

    spec: ServiceSpec
    settings: Settings
    clock: Clock
    bus: Bus
    api_database: Database
    worker_database: Database
    state: dict[str, Any] = field(default_factory=dict)

    def consumer(self, **options: Any) -> Consumer | None:
        """A consumer of this service's subscription, or None when it reads nothing."""
        subscription = self.spec.subscription(self)
        if subscription is None:
            return None
        options.setdefault("batch_events_max", self.settings.batch_events_max)
        options.setdefault("dead_letters_in_a_row_max", self.settings.dead_letters_in_a_row_max)
        return Consumer(subscription, database=self.worker_database, bus=self.bus, clock=self.clock, **options)

    def relay(self, **options: Any) -> Relay:
        return Relay(database=self.worker_database, bus=self.bus, clock=self.clock, **options)

    async def close(self) -> None:
        await self.api_database.close()
        await self.worker_database.close()


def build_runtime(
    spec: ServiceSpec, settings: Settings, *, clock: Clock | None = None, bus: Bus | None = None
) -> Runtime:
    """The wiring of every service."""
    if clock is None:
        clock = StartedClock(settings.business_now) if settings.business_now else SystemClock()
    return Runtime(
        spec=spec,
        settings=settings,
        clock=clock,
        bus=bus
        or KafkaBus(
            settings.kafka_bootstrap, session_timeout_ms=settings.session_timeout_ms, access=Access.of(settings)
        ),
        api_database=Database(
            settings.database_api_url.get_secret_value(), source=spec.name, pool_size=settings.pool_size
        ),
        worker_database=Database(
            settings.database_worker_url.get_secret_value(), source=spec.name, pool_size=max(4, settings.pool_size // 2)
        ),
    )


class Worker:
    """Consumer, relay and background work of one process."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[Any]] = []
        self.consumer: Consumer | None = None
        self.relay: Relay | None = None
        self._replica = replicas.new_replica()

    async def start(self) -> None:
        self._tasks.append(asyncio.create_task(self._run_relay(), name="relay"))
        self._tasks.append(asyncio.create_task(self._run_consumer(), name="consumer"))
        self._tasks.append(asyncio.create_task(self._measure(), name="measure"))
        for work in self._runtime.spec.background:
            self._tasks.append(asyncio.create_task(work(self._runtime, self._stop), name="background"))

    async def stop(self) -> None:
        """Finish the batch in hand and leave the group; under ten seconds."""
        self._stop.set()
        await _end(self._tasks)
        await self._leave()

    def alive(self) -> bool:
        """The loops move: each has been round within two minutes, and none has ended."""
        if self._stop.is_set():
            return True
        if any(task.done() for task in self._tasks):
            return False
        now = time.monotonic()
        parts = [part for part in (self.consumer, self.relay) if part is not None]
        return all(
            part.stopped if isinstance(part, Consumer) and part.stopped else now - part.moved_at < STALLED_S
            for part in parts
        )

    async def lag(self) -> int | None:
        """Events of this process's own partitions that wait; None when the bus does not tell it within two seconds."""
        if self.consumer is None:
            return None
        try:
            async with asyncio.timeout(LAG_S):
                return sum((await self.consumer.lag()).values())
        except (BusUnavailable, TimeoutError):
            return None

    async def _run_consumer(self) -> None:
        consumer = self._runtime.consumer()
        if consumer is None:
            await self._stop.wait()
            return
        await self._retry(consumer.restore)
        await self._retry(consumer.start)
        self.consumer = consumer
        try:
            await consumer.run(self._stop)
        finally:
            await consumer.stop()

    async def _run_relay(self) -> None:
        relay = self._runtime.relay()
        await self._retry(relay.start)
        self.relay = relay
        try:
            await relay.run(self._stop)
        finally:
            await relay.stop()

    async def _retry(self, start: Callable[[], Any]) -> None:
        backoff_s = 0.5
        while not self._stop.is_set():
            try:
                await start()
            except Exception as error:
                log.warning("worker.waiting", error=error, backoff_s=backoff_s)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stop.wait(), timeout=backoff_s)
                backoff_s = min(backoff_s * 2, 10.0)
            else:
                return

    async def _measure(self) -> None:
        while not self._stop.is_set():
            try:
                await self.measure()
            except Exception as error:
                log.warning("metrics.retrying", error=error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), timeout=5)

    async def measure(self) -> None:
        """Set the gauges, and tell the other processes of this service what this one does."""
        name, consumer = self._runtime.spec.name, self.consumer
        lag = await self.lag()
        if lag is not None:
            telemetry.LAG.labels(name).set(lag)
        async with self._runtime.worker_database.transaction(now=self._runtime.clock.now()) as tx:
            row = (
                await tx.execute(
                    "SELECT (SELECT count(*) FROM dead_letter WHERE resolved_at IS NULL) AS dead,"
                    " coalesce((SELECT extract(epoch FROM clock_timestamp() - min(created_at)) FROM outbox"
                    " WHERE published_at IS NULL), 0) AS age_s"
                )
            ).one()
            await replicas.tell(
                tx,
                replica=self._replica,
                idle_s=None if consumer is None else time.monotonic() - consumer.moved_at,
                partitions=0 if consumer is None else consumer.partitions(),
                lag=lag,
            )
        telemetry.DEAD_LETTERS_OPEN.labels(name).set(row.dead)
        telemetry.OUTBOX_AGE_SECONDS.labels(name).set(row.age_s)

    async def _leave(self) -> None:
        with contextlib.suppress(Exception):
            async with (
                asyncio.timeout(1),
                self._runtime.worker_database.transaction(now=self._runtime.clock.now()) as tx,
            ):
                await replicas.leave(tx, replica=self._replica)


async def _end(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Wait for tasks that were told to stop; cancel those that are late."""
    _done, late = await asyncio.wait(tasks, timeout=STOP_S) if tasks else (set(), set())
    for task in late:
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*late, return_exceptions=True)


async def repeat(
    work: Callable[[], Awaitable[object]], *, stop: asyncio.Event, every_s: float, name: str, runbook: str
) -> None:
    """Do `work` every so often until stopped. What fails is logged and tried again at the next round; nothing ends the loop."""
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), timeout=every_s)
        if stop.is_set():
            return
        try:
            await work()
        except Exception as error:
            if is_transient(error):
                log.warning("background.retrying", work=name, error=error)
            else:
                log.error("background.failed", work=name, error=error, action=runbook, exc_info=True)


def build_app(runtime: Runtime, *, worker: Worker | None = None, api: bool = True) -> FastAPI:
    """The HTTP app: health and metrics always, the service's own API when `api`."""
    spec, settings = runtime.spec, runtime.settings

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        if worker is not None:
            await worker.start()
        stop = asyncio.Event()
        tasks = [asyncio.create_task(work(runtime, stop), name="beside api") for work in spec.beside_api if api]
        try:
            yield
        finally:
            stop.set()
            await asyncio.gather(_end(tasks), *([worker.stop()] if worker is not None else []))
            await runtime.close()

    app = FastAPI(
        title=spec.title or f"Paybill {spec.name}",
        description=spec.description,
        version="1",
        lifespan=lifespan,
        responses=problems.ERROR_RESPONSES,
        docs_url=None,
        redoc_url=None,
        # Its own spans and logs would carry whole paths and queries: signed tokens, and names that were searched for.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.service = spec.name
    app.state.runtime = runtime
    app.state.clock = runtime.clock
    app.state.api_database = runtime.api_database
    app.state.worker_database = runtime.worker_database
    app.state.settings = settings
    app.state.subscription = spec.subscription(runtime)
    app.state.verifier = TokenVerifier(
        jwks_file=settings.jwks_file, oidc_issuer=settings.oidc_issuer, audience=settings.token_audience
    )

    problems.install(app)
    app.add_middleware(
        BodyLimit,
        bytes_max=settings.body_bytes_max,
        uploads=spec.uploads,
        upload_bytes_max=settings.upload_bytes_max,
    )
    _health(app, runtime, worker)
    if api:
        # Routes as they are: each names its prefix and its errors itself. Including a router would build every route's models anew.
        for router in (ops.router, *spec.routers):
            app.router.routes.extend(router.routes)
        if spec.extend is not None:
            spec.extend(app, runtime)
    openapi.install(app)
    return app


def _health(app: FastAPI, runtime: Runtime, worker: Worker | None) -> None:
    app.add_middleware(Measure, name=runtime.spec.name)

    @app.get("/health/live", include_in_schema=False)
    async def live() -> JSONResponse:
        alive = worker is None or worker.alive()
        return JSONResponse({"alive": alive}, status_code=200 if alive else 503)

    @app.get("/health/ready", include_in_schema=False)
    async def ready() -> JSONResponse:
        checks = {
            "database": await runtime.api_database.ready(),
            "bus": await runtime.bus.ready(),
            "consumer": worker is None or worker.consumer is None or not worker.consumer.stopped,
        }
        checks["migrations"] = checks["database"] and await at_head(runtime.worker_database, runtime.spec.migrations)
        ok = all(checks.values())
        return JSONResponse({"ready": ok, **checks}, status_code=200 if ok else 503)

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
