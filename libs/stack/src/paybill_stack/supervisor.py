"""Runs the five services as child processes: migrate, start, wait until ready, signal, stop. By pid only."""

import contextlib
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from paybill_stack import StackError, ports, processes, readiness
from paybill_stack.bootstrap import SERVICES
from paybill_stack.locks import FileLock
from paybill_stack.nursery import Nursery
from paybill_stack.paths import InstancePaths
from paybill_stack.processes import ProcessRecord
from paybill_stack.readiness import ServiceError, alive, base_url, label
from paybill_stack.service_env import Wiring, migrate_env, module_of, service_env
from paybill_stack.settings import ServiceSettings, StackSettings
from paybill_stack.stack import LOCK_TIMEOUT_S, Report, Stack
from paybill_stack.together import run_together

SCALED = "pay-calc"
DEFAULT_REPLICAS = 2
READY_TIMEOUT_S = 90.0
MIGRATE_TIMEOUT_S = 180.0
STOP_GRACE_S = 10.0


@dataclass(frozen=True)
class Supervisor:
    """The service processes of one instance. `up` starts what is missing; the fault tests use `kill` and `start`."""

    stack: Stack

    @classmethod
    def bring_up(
        cls,
        instance: str,
        *,
        replicas: int = DEFAULT_REPLICAS,
        business_now: str | None = None,
        services: Sequence[str] = SERVICES,
        attached: bool = False,
        fresh: bool = False,
        report: Report = lambda _: None,
    ) -> "Supervisor":
        """Start what is missing of an instance, servers and services: `Stack.start` and `up`, the services loading meanwhile.

        Args:
            attached: everything ends with this process, even by kill -9; call from the main thread.
            fresh: if nothing runs, begin with empty data.
        """
        with Nursery(InstancePaths.of(instance), attached=attached) as nursery:
            supervisor = cls(Stack.start(instance, attached=attached, fresh=fresh, report=report))
            supervisor.up(
                replicas=replicas, business_now=business_now, services=services, nursery=nursery, report=report
            )
        return supervisor

    def up(
        self,
        *,
        replicas: int = DEFAULT_REPLICAS,
        business_now: str | None = None,
        services: Sequence[str] = SERVICES,
        nursery: Nursery | None = None,
        report: Report = lambda _: None,
    ) -> list[ServiceSettings]:
        """Make databases, topics and keys, migrate, start every replica that does not run, and wait until all are ready.

        Args:
            replicas: processes of pay-calc; the first serves HTTP too (role `all`), the others only work (role `worker`).
            business_now: ISO instant at which business time starts; services that run already keep theirs.
            services: which services; all by default.
            nursery: what the services are forked from; one of this call's own by default.

        Raises:
            ServiceError: names the service, its log file and the log's last lines. What this call started is stopped.
        """
        with contextlib.ExitStack() as held:
            held.enter_context(FileLock(self.stack.paths.lock, timeout_s=LOCK_TIMEOUT_S))
            self.stack.paths.create()
            if nursery is None:
                nursery = held.enter_context(Nursery(self.stack.paths))
            report("making databases and topics")
            run_together([self.stack.create_databases, self.stack.create_topics])
            planned = self._plan(replicas, services, business_now)
            missing = [replica for replica in planned if not alive(replica)]
            if missing:
                report("migrating the databases")
                self._migrate(sorted({replica.service for replica in missing}), nursery)
                report("starting " + ", ".join(label(replica) for replica in missing))
            try:
                for replica in missing:
                    self._spawn(replica, nursery)
                self.wait_ready()
            except StackError:
                for replica in missing:
                    self.stop(replica.service, replica.replica)
                raise
        return self.replicas()

    def down(self) -> list[str]:
        """Stop every service: SIGTERM to all, ten seconds, then SIGKILL. Returns whom it had to kill. Harmless when none runs."""
        killed: list[str] = []
        if not self.stack.paths.settings.exists():
            return killed
        with FileLock(self.stack.paths.lock, timeout_s=LOCK_TIMEOUT_S):
            running = [(replica, replica.process) for replica in self.replicas() if replica.process is not None]
            for _, process in running:
                processes.send(process, signal.SIGTERM)
            deadline = time.monotonic() + STOP_GRACE_S
            for replica, process in running:
                if not processes.wait_gone(process, max(0.0, deadline - time.monotonic())):
                    killed.append(label(replica))
                    processes.stop(process, first=signal.SIGKILL, grace_s=5.0)
            self.stack.store.change(_forget_processes)
        return killed

    def replicas(self) -> list[ServiceSettings]:
        """Every replica that is planned, running or not."""
        return self.stack.settings.services

    def urls(self) -> dict[str, str]:
        """Base URL of each service's API."""
        return {replica.service: base_url(replica) for replica in self.replicas() if replica.replica == 1}

    def kill(self, service: str, replica: int = 1, signum: int = signal.SIGKILL) -> None:
        """Send a signal to one replica and wait until it is gone. Raises ServiceError when it does not run or does not end in 20 s."""
        found = self._replica(service, replica)
        if found.process is None or not processes.send(found.process, signum):
            raise ServiceError(f"{label(found)} does not run, so it cannot be killed")
        if not processes.wait_gone(found.process, 20.0):
            raise ServiceError(f"{label(found)} (process {found.process.pid}) still runs 20 s after signal {signum}")

    def start(self, service: str, replica: int = 1, *, wait: bool = True) -> None:
        """Start one planned replica that does not run, on its remembered port; with `wait` until it is ready.

        Raises:
            ServiceError: it was never planned, or does not become ready.
        """
        found = self._replica(service, replica)
        if not alive(found):
            with Nursery(self.stack.paths) as nursery:
                self._spawn(found, nursery)
        if wait:
            self.wait_ready([(service, replica)])

    def stop(self, service: str, replica: int = 1) -> None:
        """Stop one replica in order, killing it after ten seconds. Harmless when it does not run."""
        process = self._replica(service, replica).process
        if process is not None:
            processes.stop(process, grace_s=STOP_GRACE_S)

    def wait_ready(self, only: Sequence[tuple[str, int]] | None = None, timeout_s: float | None = None) -> None:
        """Wait until `GET /health/ready` of every replica (or of `only`) says 200.

        Raises:
            ServiceError: one ended, or is not ready in time; names it, its last answer and its log.
        """
        chosen = [r for r in self.replicas() if only is None or (r.service, r.replica) in only]
        readiness.wait_until_ready(chosen, READY_TIMEOUT_S if timeout_s is None else timeout_s)

    def _plan(self, replicas: int, services: Sequence[str], business_now: str | None) -> list[ServiceSettings]:
        """Remembered replicas keep process and port; surplus ones are stopped; the rest get free ports."""
        unknown = sorted(set(services) - set(SERVICES))
        if unknown or replicas < 1:
            raise ServiceError(
                f"cannot start {unknown or SCALED} with {replicas} replicas; the services are {', '.join(SERVICES)}"
            )
        known = {(replica.service, replica.replica): replica for replica in self.replicas()}
        wanted = [(name, n) for name in services for n in range(1, (replicas if name == SCALED else 1) + 1)]
        for key in set(known) - set(wanted):
            self.stop(*key)
        taken = {replica.port for replica in known.values() if alive(replica)}
        some_run = bool(taken)
        plan = []
        for service, number in wanted:
            before = known.get((service, number))
            if before is None or not alive(before):
                port = ports.keep_or_find(before.port if before and before.port not in taken else None, taken)
                log = self.stack.paths.log / f"{service}-{number}.log"
                role = "all" if number == 1 else "worker"
                before = ServiceSettings.model_validate(
                    {"service": service, "replica": number, "role": role, "port": port, "log": log}
                )
                taken.add(port)
            plan.append(before)

        def change(settings: StackSettings) -> None:
            settings.services = plan
            if business_now is not None or not some_run:
                settings.business_now = business_now

        self.stack.store.change(change)
        return plan

    def _wiring(self) -> Wiring:
        return Wiring(
            paths=self.stack.paths,
            kafka_bootstrap=self.stack.kafka_bootstrap,
            keys=self.stack.ensure_keys(),
            service_urls=self.urls(),
            business_now=self.stack.settings.business_now,
        )

    def _migrate(self, services: Sequence[str], nursery: Nursery) -> None:
        """All at once; the first that fails is told."""
        wiring = self._wiring()
        begun = [(service, self._begin_migration(service, wiring, nursery)) for service in services]
        ended = [(service, child, nursery.wait(child, timeout_s=MIGRATE_TIMEOUT_S)) for service, child in begun]
        for _, child, status in ended:
            if status is None:
                processes.stop(child, first=signal.SIGKILL)
        for service, _, status in ended:
            log = self._migration_log(service)
            if status is None:
                raise ServiceError(
                    f"migrating {service} took over {MIGRATE_TIMEOUT_S:.0f} s and was stopped; see {log}"
                )
            if status != 0:
                raise ServiceError(
                    f"migrating {service} failed (exit {status}); {log} ends with:\n{processes.tail(log)}"
                )

    def _begin_migration(self, service: str, wiring: Wiring, nursery: Nursery) -> ProcessRecord:
        log = self._migration_log(service)
        log.unlink(missing_ok=True)
        env = migrate_env(service, self._replica(service, 1).port, self.stack.database_urls(service), wiring)
        return nursery.start(module_of(service), "migrate", log=log, env=env, cwd=self.stack.paths.root)

    def _migration_log(self, service: str) -> Path:
        return self.stack.paths.log / f"{service}-migrate.log"

    def _spawn(self, replica: ServiceSettings, nursery: Nursery) -> None:
        record = nursery.start(
            module_of(replica.service),
            replica.role,
            log=replica.log,
            env=service_env(replica.service, replica.port, self.stack.database_urls(replica.service), self._wiring()),
            cwd=self.stack.paths.root,
        )

        def change(settings: StackSettings) -> None:
            for entry in settings.services:
                if (entry.service, entry.replica) == (replica.service, replica.replica):
                    entry.process = record

        self.stack.store.change(change)

    def _replica(self, service: str, number: int) -> ServiceSettings:
        for replica in self.replicas():
            if (replica.service, replica.replica) == (service, number):
                return replica
        raise ServiceError(
            f"{service}-{number} is not part of instance {self.stack.paths.instance!r}; start it with `paybill stack up`"
        )


def _forget_processes(settings: StackSettings) -> None:
    for replica in settings.services:
        replica.process = None
