"""A lock between processes and threads. The kernel frees it when its holder dies, so it cannot go stale.

The file also names its holder by pid and start time: a record of a process that has ended is recognised as stale and
overwritten, and one that lives is named in the error when we give up waiting.
"""

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType

from paybill_stack import StackError
from paybill_stack.processes import ProcessRecord


class LockTimeoutError(StackError):
    """Another live process holds the lock for longer than we wait."""


class FileLock:
    """`with FileLock(path, timeout_s=60):` holds the lock; not reentrant.

    Raises:
        LockTimeoutError: on entry, naming the holder, when it is not free within `timeout_s` seconds.
    """

    def __init__(self, path: Path, *, timeout_s: float) -> None:
        self._path = path
        self._timeout_s = timeout_s
        self._fd: int | None = None

    def __enter__(self) -> "FileLock":
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + self._timeout_s
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    os.close(fd)
                    raise LockTimeoutError(self._held_by()) from None
                time.sleep(0.02)
        os.ftruncate(fd, 0)
        os.write(fd, ProcessRecord.of(os.getpid()).model_dump_json().encode())
        self._fd = fd
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._fd is not None:
            os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = None

    def _held_by(self) -> str:
        holder = holder_of(self._path)
        who = f"process {holder.pid}" if holder else "another process"
        return (
            f"{self._path} has been held by {who} for over {self._timeout_s:.0f} s; wait for it to finish, or end that "
            f"process and try again"
        )


def holder_of(path: Path) -> ProcessRecord | None:
    """The live process named in a lock file; None when it names nobody or a process that has ended (a stale record)."""
    try:
        record = ProcessRecord.model_validate_json(path.read_bytes())
    except (OSError, ValueError):
        return None
    return record if record.alive() else None
