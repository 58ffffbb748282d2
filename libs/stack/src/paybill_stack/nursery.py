"""Starts processes of the services as forks of one interpreter that has loaded what they share.

On two cores, loading is most of what five migrations and six services cost to start. Each child has its own session, log,
environment, working folder and pid, as if it had been started alone; `ps` shows the nursery's command line, `top` the service.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

from paybill_stack import processes
from paybill_stack.paths import InstancePaths
from paybill_stack.processes import ProcessRecord
from paybill_stack.readiness import ServiceError
from paybill_stack.service_env import inherited


class Nursery:
    """A context: the interpreter loads from the moment it is made, forks what it is asked for, and ends with the context.

    Args:
        attached: the children end with this process, even by kill -9 (Linux). The interpreter then stays until they have
            ended. Only from the main thread: the kernel watches the thread that started it.
    """

    def __init__(self, paths: InstancePaths, *, attached: bool = False) -> None:
        self._attached = attached
        self._log = paths.root / "nursery.log"
        paths.root.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "paybill_stack._nurse", str(paths.root), *(["attached"] if attached else [])]
        if attached:
            command = processes.tied_to_us(command, death_signal=signal.SIGTERM)
        with self._log.open("wb") as sink:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=sink,
                env=inherited(), start_new_session=True, text=True,
            )  # fmt: skip

    def __enter__(self) -> Nursery:
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self, module: str, role: str, *, log: Path, env: Mapping[str, str], cwd: Path) -> ProcessRecord:
        """Fork `python -m module role`, its output appended to `log`.

        Raises:
            ServiceError: the interpreter could not load what the services share; with its own words.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        death_signal = int(signal.SIGTERM) if self._attached else 0
        order = {"module": module, "role": role, "log": str(log), "env": dict(env), "cwd": str(cwd)}
        pid = self._ask(order | {"death_signal": death_signal})["pid"]
        try:
            return ProcessRecord.of(pid)
        except psutil.NoSuchProcess:
            return ProcessRecord(pid=pid, created_at=0.0)

    def wait(self, child: ProcessRecord, *, timeout_s: float) -> int | None:
        """The child's exit status (minus the signal that ended it), or None when it still runs after `timeout_s`."""
        status: int | None = self._ask({"pid": child.pid, "timeout_s": timeout_s})["status"]
        return status

    def close(self) -> None:
        """Take no more orders. The children go on."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()
        if self._attached:
            processes.keep(self._process)
        else:
            self._process.wait()

    def _ask(self, order: Mapping[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        answer = ""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(order) + os.linesep)
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        if not answer:
            raise ServiceError(
                f"the services could not be loaded; {self._log} ends with:\n{processes.tail(self._log)}\n"
                "If a package is missing, `make setup` installs it."
            )
        found: dict[str, Any] = json.loads(answer)
        return found
