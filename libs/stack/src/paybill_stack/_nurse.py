"""The process behind :class:`paybill_stack.nursery.Nursery`: `python -m paybill_stack._nurse FOLDER`. Run, never imported.

Loads once what every service loads, then forks a child for each order on stdin (JSON, one a line) and answers on stdout.
Loading is two thirds of a service's start, so six services and five migrations begin for little more than one.
"""

import contextlib
import ctypes
import gc
import importlib
import json
import os
import runpy
import sys
import time
from typing import Any

# What all five services load, whatever they are. No module here opens a connection, starts a thread or draws a random number.
_LOADED_FIRST = (
    "paybill_common.main",
    "paybill_common.migrations",
    "paybill_common.service",
    "paybill_common.http.paging",
    "paybill_common.tables",
    "paybill_contracts.events",
    "uvicorn.lifespan.on",
    "uvicorn.protocols.http.h11_impl",
    "uvloop",
)
_POLL_S = 0.02
_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15


def main() -> dict[str, Any] | None:
    """Serve orders until stdin ends. Returns None in this process, and in each child the order that it is to become."""
    gc.disable()  # what is loaded stays
    for module in _LOADED_FIRST:
        importlib.import_module(module)
    gc.freeze()  # a child's first collection would copy every page that it shares with us
    for line in sys.stdin:
        order = json.loads(line)
        if "module" in order:
            parent = os.getpid()
            pid = os.fork()
            if pid == 0:
                _settle(order, parent)
                return dict(order)
            answer: dict[str, int | None] = {"pid": pid}
        else:
            answer = {"status": _status(order["pid"], order["timeout_s"])}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    return None


def stay() -> None:
    """Outlive the children: the kernel ends them with us."""
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


def _settle(order: dict[str, Any], parent: int) -> None:
    """In the child: a session, a log, an environment and a name of its own."""
    os.setsid()
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_NAME, f"{order['module']} {order['role']}".encode()[:15], 0, 0, 0)
        if order["death_signal"]:
            libc.prctl(_PR_SET_PDEATHSIG, order["death_signal"], 0, 0, 0)
            if os.getppid() != parent:  # it died before we asked
                os._exit(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(log)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    os.environ.clear()
    os.environ.update(order["env"])
    os.chdir(order["cwd"])
    sys.argv = [order["module"], order["role"]]


def _status(pid: int, timeout_s: float) -> int | None:
    """The exit status of a child, or None when it still runs after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(_POLL_S)
    return None


if __name__ == "__main__":
    become = main()
    if become is not None:
        gc.enable()
        runpy.run_module(become["module"], run_name="__main__", alter_sys=True)
    elif sys.argv[2:] == ["attached"]:
        stay()
