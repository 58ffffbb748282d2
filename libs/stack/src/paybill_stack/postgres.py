"""A real PostgreSQL on loopback, started from the packaged programs, with a password for everyone."""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import struct
import time
from pathlib import Path

import psutil

from paybill_stack import StackError, pg_binaries, ports, processes
from paybill_stack.paths import TEST_INSTANCE, InstancePaths
from paybill_stack.settings import PostgresSettings, SettingsStore, StackSettings

START_TIMEOUT_S = 60.0
_SOCKET_PATH_LIMIT = 90  # the system allows about 107 bytes, and Postgres adds a file name
_LAPTOP = {
    "shared_buffers": "256MB",
    "max_connections": "300",
    "max_locks_per_transaction": "256",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "synchronous_commit": "on",
    "wal_compression": "on",
    "jit": "off",
    "autovacuum_naptime": "3s",  # a table that was just filled needs its statistics at once, or plans go astray
    "idle_in_transaction_session_timeout": "60s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "password_encryption": "scram-sha-256",
    "scram_iterations": "256",  # every password here is 128 random bits or more: stretching them buys nothing
}
# Test data need not survive a power cut. A killed server still recovers: what it wrote is the kernel's by then.
_TEST = {"fsync": "off", "full_page_writes": "off"}


class PostgresError(StackError):
    """The database server did not start, or did not stay up."""


class Postgres:
    """The database server of one instance. `start` finds the running one; `kill` and `start` again serve the fault tests."""

    def __init__(self, paths: InstancePaths, store: SettingsStore) -> None:
        self._paths = paths
        self._store = store
        self.log = paths.log / "postgres.log"

    @property
    def settings(self) -> PostgresSettings | None:
        """What is remembered of the server; None before its first start."""
        return self._store.read().postgres

    @property
    def admin_dsn(self) -> str:
        """`postgresql://postgres:…@127.0.0.1:port/postgres`, for asyncpg.

        Raises:
            PostgresError: it was never started.
        """
        settings = self.settings
        if settings is None:
            raise PostgresError(
                f"Postgres of instance {self._paths.instance} was never started; run `paybill stack up`"
            )
        return _dsn(settings)

    @property
    def socket_dir(self) -> Path | None:
        """The folder of the unix socket, or None where its path would be too long for one."""
        settings = self.settings
        return _socket_dir(settings) if settings else None

    def running(self) -> bool:
        """Whether our server process lives."""
        settings = self.settings
        return settings is not None and settings.process is not None and settings.process.alive()

    def start(self, *, attached: bool = False) -> str:
        """Make the data folder if it is new, start the server, wait until it answers. Returns the superuser's DSN.

        Raises:
            PostgresError: it ended or did not answer in time; names the log file and shows its end.
        """
        if self.running():
            self._wait_ready()
            return self.admin_dsn
        settings = self._remembered_or_new()
        user = pg_binaries.system_user()
        programs = pg_binaries.bin_dir(self._paths.root.parent)
        self._prepare(settings, user, programs)
        values = _LAPTOP | (_TEST if self._paths.instance.startswith(TEST_INSTANCE) else {})
        sockets = _socket_dir(settings)
        values |= {
            "listen_addresses": ports.LOOPBACK,
            "port": str(settings.port),
            "unix_socket_directories": str(sockets) if sockets else "",
        }
        options = [part for name, value in values.items() for part in ("-c", f"{name}={value}")]
        record = processes.spawn(
            [str(programs / "postgres"), "-D", str(settings.home / "data"), *options],
            log=self.log,
            cwd=Path("/"),
            attached=attached,
            death_signal=signal.SIGINT,
            user=user,
        )
        self._remember(settings.model_copy(update={"process": record}))
        try:
            self._wait_ready()
        except PostgresError:
            processes.stop(record, first=signal.SIGINT)
            raise
        return self.admin_dsn

    def stop(self) -> None:
        """Stop the server, disconnecting its clients; kill it if it takes too long. Harmless when it does not run."""
        settings = self.settings
        if settings is not None and settings.process is not None:
            processes.stop(settings.process, first=signal.SIGINT, grace_s=15.0)
            self._remember(settings.model_copy(update={"process": None}))

    def signal_stop(self) -> None:
        """Ask the server to end without waiting; `stop` afterwards waits."""
        settings = self.settings
        if settings is not None and settings.process is not None:
            processes.send(settings.process, signal.SIGINT)

    def kill(self, signum: int = signal.SIGKILL) -> None:
        """Send a signal to the server and wait until it and its backends are gone: what a fault test does. `start` recovers.

        Raises:
            PostgresError: it does not run, or outlives the signal by 20 s.
        """
        settings = self.settings
        server = settings.process.process() if settings and settings.process else None
        if settings is None or settings.process is None or server is None:
            raise PostgresError(f"Postgres of instance {self._paths.instance} does not run, so it cannot be killed")
        backends = server.children(recursive=True)
        processes.send(settings.process, signum)
        if not processes.wait_gone(settings.process, 20.0):
            raise PostgresError(f"Postgres (process {settings.process.pid}) still runs 20 s after signal {signum}")
        # Orphaned backends notice and end; one that does not would keep the data folder locked.
        for backend in psutil.wait_procs(backends, timeout=5.0)[1]:
            with contextlib.suppress(psutil.NoSuchProcess):
                backend.kill()
        psutil.wait_procs(backends, timeout=5.0)

    def wipe(self) -> None:
        """Remove the stopped server's data; the next start makes an empty one.

        Raises:
            PostgresError: it runs.
        """
        if self.running():
            raise PostgresError("Postgres runs; stop it before its data is removed")
        settings = self.settings
        for home in {self._paths.postgres_home(), *([settings.home] if settings else [])}:
            shutil.rmtree(home, ignore_errors=True)

    def _remembered_or_new(self) -> PostgresSettings:
        known = self.settings
        return PostgresSettings(
            port=ports.keep_or_find(known.port if known else None),
            home=known.home if known and (known.home / "data").is_dir() else self._paths.postgres_home(),
            password=known.password if known else secrets.token_hex(24),
        )

    def _remember(self, settings: PostgresSettings) -> None:
        def change(stack: StackSettings) -> None:
            stack.postgres = settings
            stack.admin_dsn = _dsn(settings)

        self._store.change(change)

    def _prepare(self, settings: PostgresSettings, user: str | None, programs: Path) -> None:
        """Folders with the right owner, and `initdb` once."""
        home, data = settings.home, settings.home / "data"
        sockets = _socket_dir(settings)
        home.parent.mkdir(parents=True, exist_ok=True)
        folders = [home, data, *([sockets] if sockets else [])]
        for folder in folders:
            folder.mkdir(exist_ok=True)
        pg_binaries.own_by(user, *folders)
        if (data / "PG_VERSION").is_file() and (data / "global" / "pg_control").is_file():
            return
        password = home / "password"
        password.write_text(settings.password + "\n", encoding="utf-8")
        pg_binaries.own_by(user, password)
        self._remember(settings)  # before the password is baked in: a crash here must not lose it
        try:
            shutil.rmtree(data)
            data.mkdir()
            pg_binaries.own_by(user, data)
            pg_binaries.initdb(programs, data, password, user)
        finally:
            password.unlink(missing_ok=True)

    def _wait_ready(self) -> None:
        settings = self.settings
        assert settings is not None
        assert settings.process is not None
        deadline = time.monotonic() + START_TIMEOUT_S
        while not _answers(settings.port):
            if not settings.process.alive():
                raise PostgresError(f"Postgres ended while starting; {self.log} ends with:\n{processes.tail(self.log)}")
            if time.monotonic() > deadline:
                raise PostgresError(
                    f"Postgres did not answer on port {settings.port} within {START_TIMEOUT_S:.0f} s and was stopped; "
                    f"try again on a quieter machine; {self.log} ends with:\n{processes.tail(self.log)}"
                )
            time.sleep(0.03)


def _dsn(settings: PostgresSettings) -> str:
    return f"postgresql://{pg_binaries.SUPERUSER}:{settings.password}@{ports.LOOPBACK}:{settings.port}/postgres"


def _socket_dir(settings: PostgresSettings) -> Path | None:
    folder = settings.home / "socket"
    return folder if len(os.fsencode(folder)) <= _SOCKET_PATH_LIMIT else None


def _answers(port: int) -> bool:
    """Whether the server lets clients in: it answers a cancel-free start-up with a password request, not with an error."""
    parameters = f"user\0{pg_binaries.SUPERUSER}\0database\0postgres\0\0".encode()
    packet = struct.pack(">ii", len(parameters) + 8, 196_608) + parameters  # protocol 3.0
    with contextlib.suppress(OSError), socket.create_connection((ports.LOOPBACK, port), timeout=1) as connection:
        connection.settimeout(5)
        connection.sendall(packet)
        return connection.recv(1) == b"R"
    return False
