"""Child processes by pid and start time: spawn, recognise, signal, stop. Nothing here is ever found by name."""

import contextlib
import os
import pwd
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
from pydantic import BaseModel, ConfigDict

from paybill_stack import StackError

_LAUNCHER = Path(__file__).with_name("_launch.py")
_START_TOLERANCE_S = (
    2.0  # the system's idea of a start time moves with clock corrections; pids do not come round that fast
)
_POLL_S = 0.03
_children: dict[int, "subprocess.Popen[Any]"] = {}  # kept so that ended children of ours are reaped, never zombies
os.register_at_fork(
    after_in_child=_children.clear
)  # a fork cannot wait for its parent's children and would take them for ended


class ProcessRecord(BaseModel):
    """One process: its pid, and its start in seconds since 1970, which tells it from a later process with the same pid."""

    model_config = ConfigDict(frozen=True)

    pid: int
    created_at: float

    @classmethod
    def of(cls, pid: int) -> "ProcessRecord":
        """The record of a running process.

        Raises:
            psutil.NoSuchProcess: there is none with this pid.
        """
        return cls(pid=pid, created_at=psutil.Process(pid).create_time())

    def process(self) -> psutil.Process | None:
        """The running process, or None when it has ended or another one has its pid."""
        child = _children.get(self.pid)
        if child is not None and child.poll() is not None:
            del _children[self.pid]
            return None
        try:
            found = psutil.Process(self.pid)
            if (
                found.status() == psutil.STATUS_ZOMBIE
                or abs(found.create_time() - self.created_at) > _START_TOLERANCE_S
            ):
                return None
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return None
        return found

    def alive(self) -> bool:
        """Whether the process still runs."""
        return self.process() is not None


def spawn(
    argv: Sequence[str],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    attached: bool = False,
    death_signal: int = signal.SIGTERM,
    user: str | None = None,
) -> ProcessRecord:
    """Start a process in its own session with stdout and stderr appended to `log`.

    Args:
        attached: the process gets `death_signal` from the kernel when this one dies, even by kill -9 (Linux; elsewhere the caller's
            own clean-up is what ends it). Only from the main thread: the kernel watches the thread that started it.
        user: as root, the system user to run as.

    Raises:
        StackError: `attached` was asked for outside the main thread.
    """
    command, run_as = list(argv), user
    if attached:
        command, run_as = tied_to_us(command, death_signal=death_signal, user=user), None
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=dict(env) if env is not None else None,
            start_new_session=True,
            user=run_as,
            group=pwd.getpwnam(run_as).pw_gid if run_as else None,
            extra_groups=[] if run_as else None,
        )
    _children[child.pid] = child
    try:
        return ProcessRecord.of(child.pid)
    except psutil.NoSuchProcess:
        return ProcessRecord(pid=child.pid, created_at=0.0)


def tied_to_us(argv: Sequence[str], *, death_signal: int, user: str | None = None) -> list[str]:
    """The command that runs `argv`, as `user` if given, and gets `death_signal` when this process dies.

    Raises:
        StackError: called outside the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        raise StackError("attached processes are started from the main thread only")
    tied = [sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid()), str(int(death_signal)), user or "-"]
    return [*tied, *argv]


def keep(child: "subprocess.Popen[Any]") -> None:
    """Remember a child of ours that outlives its starter, so that it is reaped when it ends."""
    _children[child.pid] = child


def send(record: ProcessRecord, signum: int) -> bool:
    """Send a signal to exactly this process; False when it is gone."""
    found = record.process()
    if found is None:
        return False
    with contextlib.suppress(psutil.NoSuchProcess):
        found.send_signal(signum)
        return True
    return False


def wait_gone(record: ProcessRecord, timeout_s: float) -> bool:
    """Wait until the process has ended; False when it still runs after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while record.alive():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True


def stop(record: ProcessRecord, *, first: int = signal.SIGTERM, grace_s: float = 10.0) -> bool:
    """Ask a process to end, wait, then kill it. True when the polite signal was enough (or it was gone already)."""
    send(record, first)
    if wait_gone(record, grace_s):
        return True
    send(record, signal.SIGKILL)
    wait_gone(record, 5.0)
    return False


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log file, or a note that it is empty; for error messages."""
    if not log.is_file():
        return "(no log was written)"
    with log.open("rb") as source:
        source.seek(max(0, log.stat().st_size - 64_000))
        text = source.read().decode("utf-8", "replace").rstrip()
    return "\n".join(text.splitlines()[-lines:]) or "(the log is empty)"
