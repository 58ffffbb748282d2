"""The stack of one instance: Kafka, Postgres, databases, topics and keys, wherever they run.

`PAYBILL_KAFKA_BOOTSTRAP` with `PAYBILL_POSTGRES_ADMIN_URL` names servers that someone else runs; `PAYBILL_STACK=testcontainers` starts
containers; otherwise the embedded broker and database are started. The caller sees the same two addresses.
"""

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from paybill_stack import StackError, bootstrap, containers, topics
from paybill_stack.kafka import Kafka
from paybill_stack.keys import KeyFiles, ensure_keys
from paybill_stack.locks import FileLock
from paybill_stack.paths import DEFAULT_INSTANCE, InstancePaths
from paybill_stack.postgres import Postgres
from paybill_stack.settings import Mode, SettingsStore, StackSettings
from paybill_stack.together import run_async, run_together

Report = Callable[[str], None]
LOCK_TIMEOUT_S = 180.0


@dataclass(frozen=True)
class ComponentStatus:
    """One line of `paybill stack status`."""

    name: str
    running: bool
    address: str
    pid: int | None
    log: str


def chosen_mode() -> Mode:
    """Where Kafka and Postgres come from, by environment.

    Raises:
        StackError: PAYBILL_STACK has an unknown value, or only one of the two external addresses is set.
    """
    addresses = [os.environ.get(name) for name in ("PAYBILL_KAFKA_BOOTSTRAP", "PAYBILL_POSTGRES_ADMIN_URL")]
    if all(addresses):
        return "external"
    if any(addresses):
        raise StackError(
            "set both PAYBILL_KAFKA_BOOTSTRAP and PAYBILL_POSTGRES_ADMIN_URL to use running servers, or neither"
        )
    wanted = os.environ.get("PAYBILL_STACK") or "embedded"
    if wanted not in ("embedded", "testcontainers"):
        raise StackError(f"PAYBILL_STACK is {wanted!r}; it is 'embedded' (the default) or 'testcontainers'")
    return "testcontainers" if wanted == "testcontainers" else "embedded"


class Stack:
    """A named instance. `Stack.start(...)` starts it or finds it running; `Stack.find(...)` only looks."""

    def __init__(self, instance: str = DEFAULT_INSTANCE) -> None:
        self.paths = InstancePaths.of(instance)
        self.store = SettingsStore(self.paths.settings, instance)
        self.kafka = Kafka(self.paths, self.store)
        self.postgres = Postgres(self.paths, self.store)

    @classmethod
    def start(
        cls,
        instance: str = DEFAULT_INSTANCE,
        *,
        kafka: bool = True,
        postgres: bool = True,
        attached: bool = False,
        fresh: bool = False,
        report: Report = lambda _: None,
    ) -> "Stack":
        """Start what is missing of an instance and return it; what runs already is kept.

        Args:
            attached: Kafka and Postgres end with this process, even by kill -9; call from the main thread.
            fresh: if nothing runs, begin with empty data (Kafka, Postgres, files, mail).
            report: told each step in words.

        Raises:
            StackError: what went wrong, where, and what to do.
        """
        stack = cls(instance)
        stack.paths.create()
        with FileLock(stack.paths.lock, timeout_s=LOCK_TIMEOUT_S):
            if fresh and not stack.running():
                stack._wipe()
            stack._start(kafka=kafka, postgres=postgres, attached=attached, report=report)
        return stack

    @classmethod
    def find(cls, instance: str = DEFAULT_INSTANCE) -> "Stack":
        """The instance as it is, without starting anything.

        Raises:
            StackError: it was never started.
        """
        stack = cls(instance)
        if not stack.paths.settings.exists():
            raise StackError(f"instance {instance!r} was never started; run `paybill stack up --instance {instance}`")
        return stack

    @property
    def settings(self) -> StackSettings:
        """Everything remembered about the instance, read from its file now."""
        return self.store.read()

    @property
    def kafka_bootstrap(self) -> str:
        """`host:port` of the broker. Raises StackError when none was started."""
        return self._known(self.settings.kafka_bootstrap, "Kafka")

    @property
    def admin_dsn(self) -> str:
        """The superuser's address for asyncpg, `postgresql://…`. Raises StackError when no server was started."""
        return self._known(self.settings.admin_dsn, "Postgres")

    def database_urls(self, service: str, prefix: str = bootstrap.DEFAULT_PREFIX) -> bootstrap.DatabaseUrls:
        """The owner's, API's and worker's address of a service's database ("pay-calc" or "pay_calc")."""
        return bootstrap.database_urls(self.admin_dsn, self.settings.secret, service, prefix)

    def create_databases(
        self, prefix: str = bootstrap.DEFAULT_PREFIX, services: Sequence[str] = bootstrap.SERVICES
    ) -> None:
        """Make the services' databases and their logins where missing; see `bootstrap.create_databases`."""
        run_async(bootstrap.create_databases(self.admin_dsn, self.settings.secret, prefix, services))

    def drop_databases(self, prefix: str) -> None:
        """Remove a test's databases and logins."""
        run_async(bootstrap.drop_databases(self.admin_dsn, prefix))

    def create_topics(self) -> list[str]:
        """Make the contract's topics where missing; returns those made or grown."""
        return run_async(topics.create_topics(self.kafka_bootstrap))

    def ensure_keys(self) -> KeyFiles:
        """The instance's signing keys and client secrets, made when missing."""
        return ensure_keys(self.paths.keys)

    def running(self) -> bool:
        """Whether any process of the instance's Kafka or Postgres lives (embedded), or containers are remembered."""
        return self.kafka.running() or self.postgres.running() or bool(self.settings.containers)

    def status(self) -> list[ComponentStatus]:
        """Kafka, Postgres and each service replica: running or not, address, pid, log."""
        settings = self.settings
        lines = []
        for name, address, part in (
            ("kafka", settings.kafka_bootstrap, self.kafka),
            ("postgres", _place(settings.admin_dsn), self.postgres),
        ):
            process = part.settings.process if part.settings else None
            up = part.running() if settings.mode == "embedded" else address is not None
            lines.append(
                ComponentStatus(name, up, address or "", process.pid if process and up else None, str(part.log))
            )
        for replica in settings.services:
            up = replica.process is not None and replica.process.alive()
            pid = replica.process.pid if replica.process and up else None
            name = f"{replica.service}-{replica.replica}"
            lines.append(ComponentStatus(name, up, f"http://127.0.0.1:{replica.port}", pid, str(replica.log)))
        return lines

    def stop(self) -> None:
        """Stop Kafka and Postgres (or our containers); servers of someone else are left alone. Stop services first.

        Raises:
            StackError: another command holds the instance for over three minutes.
        """
        if not self.paths.settings.exists():
            return
        with FileLock(self.paths.lock, timeout_s=LOCK_TIMEOUT_S):
            self.stop_locked()

    def stop_locked(self) -> None:
        """`stop` for a caller that already holds the instance's lock."""
        containers.stop(self.settings.containers)
        self.kafka.signal_stop()
        self.postgres.signal_stop()
        self.postgres.stop()
        self.kafka.stop()
        self.store.change(_forget_addresses)

    def start_locked(self, *, fresh: bool = False) -> None:
        """`start` of both servers for a caller that already holds the instance's lock."""
        self.paths.create()
        if fresh and not self.running():
            self._wipe()
        self._start(kafka=True, postgres=True, attached=False, report=lambda _: None)

    def _start(self, *, kafka: bool, postgres: bool, attached: bool, report: Report) -> None:
        mode = chosen_mode()
        before = self.settings.mode
        if mode != before and self.running():
            raise StackError(
                f"instance {self.paths.instance!r} runs as {before!r} and was asked for as {mode!r}; stop it first (`paybill stack down`)"
            )
        self.store.change(lambda settings: setattr(settings, "mode", mode))
        if mode == "embedded":
            report("starting Postgres and Kafka" if kafka and postgres else "starting the servers")
            self._start_embedded(kafka=kafka, postgres=postgres, attached=attached)
        elif mode == "testcontainers":
            report("starting containers")
            containers.start(self.store, kafka=kafka, postgres=postgres)
        else:
            self.store.change(_remember_external)

    def _start_embedded(self, *, kafka: bool, postgres: bool, attached: bool) -> None:
        """Both at once, unless attached: the kernel ties a child to the thread that started it."""
        steps = [part.start for wanted, part in ((postgres, self.postgres), (kafka, self.kafka)) if wanted]
        if attached:
            for step in steps:
                step(attached=True)
        else:
            run_together([lambda step=step: step() for step in steps])  # type: ignore[misc]

    def _wipe(self) -> None:
        self.kafka.wipe()
        self.postgres.wipe()
        for folder in (self.paths.files, self.paths.mail, self.paths.log):
            shutil.rmtree(folder, ignore_errors=True)
        self.store.change(lambda settings: setattr(settings, "business_now", None))
        self.paths.create()

    def _known(self, address: str | None, what: str) -> str:
        if address is None:
            raise StackError(
                f"{what} of instance {self.paths.instance!r} does not run; start it with `paybill stack up`"
            )
        return address


def _forget_addresses(settings: StackSettings) -> None:
    settings.containers = []
    settings.kafka_bootstrap = None
    settings.admin_dsn = None


def _remember_external(settings: StackSettings) -> None:
    settings.kafka_bootstrap = os.environ["PAYBILL_KAFKA_BOOTSTRAP"]
    settings.admin_dsn = os.environ["PAYBILL_POSTGRES_ADMIN_URL"]


def _place(dsn: str | None) -> str | None:
    """`host:port` of an address, without login and password."""
    return dsn and urlsplit(dsn).netloc.rpartition("@")[2]
