"""The nursery: what a forked service has of its own, and how it ends."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from paybill_stack import processes
from paybill_stack.nursery import Nursery
from paybill_stack.paths import InstancePaths
from paybill_stack.processes import ProcessRecord
from paybill_stack.readiness import ServiceError

from .conftest import processes_of

TELLS = """
    import json, math, os, sys, threading
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    if __name__ == "__main__":
        if sys.argv[1] == "fails":
            sys.exit(7)
        threads = threading.active_count()
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            root = pool.submit(math.isqrt, 49).result()
        print("told", json.dumps({
            "argv": sys.argv[1:], "session": os.getsid(0), "pid": os.getpid(), "cwd": os.getcwd(), "env": dict(os.environ),
            "threads": threads, "loaded": "sqlalchemy" in sys.modules, "root": root,
        }))
"""
SLEEPS = "import time\nprint('up', flush=True)\ntime.sleep(60)\n"


@pytest.fixture
def module(var: Path, monkeypatch: pytest.MonkeyPatch, nothing_left: None) -> Callable[[str], str]:
    """Makes a package that the nursery can run; returns its name."""
    code = var.parent / "code"
    monkeypatch.setenv("PYTHONPATH", str(code))

    def make(source: str) -> str:
        name = f"nursling_{len(list(code.glob('*')))}" if code.exists() else "nursling_0"
        (code / name).mkdir(parents=True)
        (code / name / "__main__.py").write_text(textwrap.dedent(source))
        return name

    return make


def read_when(log: Path, word: str) -> str:
    deadline = time.monotonic() + 30
    while not (log.exists() and word in log.read_text()):
        assert time.monotonic() < deadline, f"{log} never said {word!r}"
        time.sleep(0.02)
    return log.read_text()


def test_a_child_is_a_process_of_its_own_that_loads_nothing_twice(var: Path, module: Callable[[str], str]) -> None:
    name, logs = module(TELLS), [var.parent / "one.log", var.parent / "two.log"]
    env = {"ONLY": "this", "PATH": os.environ["PATH"], "PYTHONPATH": str(var.parent / "code")}
    with Nursery(InstancePaths.of("dev")) as nursery:
        children = [nursery.start(name, "all", log=log, env=env, cwd=var.parent) for log in logs]
        assert [nursery.wait(child, timeout_s=30) for child in children] == [0, 0]
        failed = nursery.start(name, "fails", log=logs[0], env=env, cwd=var.parent)
        assert nursery.wait(failed, timeout_s=30) == 7
    for child, log in zip(children, logs, strict=True):
        told = json.loads(log.read_text().partition("told ")[2])
        assert told == {
            "argv": ["all"], "session": child.pid, "pid": child.pid, "cwd": str(var.parent), "env": env,
            "threads": 1, "loaded": True, "root": 7,
        }  # fmt: skip


def test_children_outlive_a_nursery_and_end_by_signal(var: Path, module: Callable[[str], str]) -> None:
    log = var.parent / "log"
    with Nursery(InstancePaths.of("dev")) as nursery:
        child = nursery.start(module(SLEEPS), "all", log=log, env=dict(os.environ), cwd=var.parent)
        read_when(log, "up")
        assert nursery.wait(child, timeout_s=0.1) is None
    assert child.alive()
    assert processes_of(var) == [child.pid]
    assert processes.stop(child)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of their parent's death")
def test_attached_children_end_with_a_killed_starter(var: Path, module: Callable[[str], str]) -> None:
    log, name = var.parent / "log", module(SLEEPS)
    code = textwrap.dedent(f"""
        import os, time; from pathlib import Path
        from paybill_stack.nursery import Nursery; from paybill_stack.paths import InstancePaths
        with Nursery(InstancePaths.of("dev"), attached=True) as nursery:
            child = nursery.start({name!r}, "all", log=Path({str(log)!r}), env=dict(os.environ), cwd=Path("."))
        print(child.model_dump_json(), flush=True)
        time.sleep(60)
    """)
    starter = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert starter.stdout is not None
    with starter, starter.stdout:
        child = ProcessRecord.model_validate_json(starter.stdout.readline())
        read_when(log, "up")
        assert child.alive()
        starter.send_signal(signal.SIGKILL)
    assert processes.wait_gone(child, 5.0)


def test_what_cannot_be_loaded_is_said_in_its_own_words(var: Path, module: Callable[[str], str]) -> None:
    module(SLEEPS)
    (var.parent / "code" / "uvloop.py").write_text("raise ImportError('a broken wheel')\n")
    with (
        Nursery(InstancePaths.of("dev")) as nursery,
        pytest.raises(ServiceError, match=r"(?s)could not be loaded; .*nursery\.log.*a broken wheel.*make setup"),
    ):
        nursery.start("anything", "all", log=var.parent / "log", env={}, cwd=var.parent)
