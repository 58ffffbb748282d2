import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from paybill_stack import StackError, ports, processes
from paybill_stack.locks import FileLock, LockTimeoutError, holder_of
from paybill_stack.processes import ProcessRecord

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]


def ended_process() -> ProcessRecord:
    """The record of a process that has just ended."""
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    record = ProcessRecord.of(child.pid)
    child.wait()
    return record


class TestFileLock:
    def test_a_lock_left_by_a_dead_process_is_stale_and_taken_at_once(self, tmp_path: Path) -> None:
        path = tmp_path / "stack.lock"
        path.write_text(ended_process().model_dump_json())
        assert holder_of(path) is None
        with FileLock(path, timeout_s=0.1):
            held_by = holder_of(path)
            assert held_by is not None
            assert held_by.pid == os.getpid()
        assert holder_of(path) is None

    def test_a_record_with_a_reused_pid_is_stale(self, tmp_path: Path) -> None:
        path = tmp_path / "stack.lock"
        path.write_text(ProcessRecord(pid=os.getpid(), created_at=12.0).model_dump_json())
        assert holder_of(path) is None

    def test_a_live_holder_is_named_when_we_give_up(self, tmp_path: Path) -> None:
        path = tmp_path / "stack.lock"
        with (
            FileLock(path, timeout_s=1),
            pytest.raises(LockTimeoutError, match=f"held by process {os.getpid()}"),
            FileLock(path, timeout_s=0.1),
        ):
            pytest.fail("two holders at once")

    def test_the_kernel_frees_the_lock_of_a_killed_holder(self, tmp_path: Path) -> None:
        path = tmp_path / "stack.lock"
        code = (
            "from pathlib import Path; import time; from paybill_stack.locks import FileLock\n"
            f"FileLock(Path({str(path)!r}), timeout_s=1).__enter__(); print('held', flush=True); time.sleep(60)"
        )
        holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        assert holder.stdout is not None
        with holder, holder.stdout:
            assert holder.stdout.readline() == b"held\n"
            holder.kill()
        with FileLock(path, timeout_s=2):
            pass


class TestSpawn:
    def test_stop_is_polite_first_and_leaves_no_zombie(self, tmp_path: Path) -> None:
        record = processes.spawn(SLEEPER, log=tmp_path / "log")
        assert record.alive()
        assert processes.stop(record, grace_s=5.0)
        assert not record.alive()

    def test_a_process_that_ignores_sigterm_is_killed(self, tmp_path: Path) -> None:
        deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
        record = processes.spawn([sys.executable, "-c", deaf], log=tmp_path / "log")
        while "deaf" not in (tmp_path / "log").read_text():
            time.sleep(0.02)
        assert not processes.stop(record, grace_s=0.2)
        assert not record.alive()

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of their parent's death")
    def test_an_attached_child_dies_with_a_killed_parent(self, tmp_path: Path) -> None:
        code = (
            "import sys, time; from pathlib import Path; from paybill_stack import processes\n"
            f"print(processes.spawn({SLEEPER!r}, log=Path({str(tmp_path / 'log')!r}), attached=True).model_dump_json(), flush=True)\n"
            "time.sleep(60)"
        )
        parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        assert parent.stdout is not None
        with parent, parent.stdout:
            child = ProcessRecord.model_validate_json(parent.stdout.readline())
            assert child.alive()
            parent.send_signal(signal.SIGKILL)
        assert processes.wait_gone(child, 5.0)

    def test_a_fork_knows_that_its_parents_child_lives(self, tmp_path: Path) -> None:
        record = processes.spawn(SLEEPER, log=tmp_path / "log")
        seen: multiprocessing.Queue[bool] = multiprocessing.get_context("fork").Queue()
        fork = multiprocessing.get_context("fork").Process(target=lambda: seen.put(record.alive()))
        fork.start()
        fork.join()
        assert seen.get(timeout=5)
        assert processes.stop(record)

    def test_attached_is_refused_outside_the_main_thread(self, tmp_path: Path) -> None:
        problems: list[str] = []

        def attempt() -> None:
            try:
                processes.spawn(SLEEPER, log=tmp_path / "log", attached=True)
            except StackError as error:
                problems.append(str(error))

        thread = threading.Thread(target=attempt)
        thread.start()
        thread.join()
        assert problems == ["attached processes are started from the main thread only"]


class TestPorts:
    def test_a_taken_port_is_replaced_and_a_free_one_kept(self) -> None:
        import socket

        with socket.socket() as taken:
            taken.bind((ports.LOOPBACK, 0))
            taken.listen()
            port = taken.getsockname()[1]
            assert ports.keep_or_find(port) != port
        free = ports.find_free()
        assert ports.keep_or_find(free) == free
