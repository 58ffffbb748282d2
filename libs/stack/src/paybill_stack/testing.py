"""For tests: one shared instance of real Kafka and Postgres, and databases of one's own in it.

`shared_stack()` may be called by any number of processes at once (xdist workers, two pytest runs). Each holds a lease; the first
starts the instance with empty data, the last to end stops it. A lease of a killed process counts for nothing.
"""

import atexit
import contextlib
import os
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path

from paybill_stack.bootstrap import SERVICES, DatabaseUrls
from paybill_stack.locks import FileLock
from paybill_stack.paths import TEST_INSTANCE, InstancePaths
from paybill_stack.processes import ProcessRecord
from paybill_stack.settings import write_private
from paybill_stack.stack import LOCK_TIMEOUT_S, Stack

_leased: dict[str, Stack] = {}


def shared_stack(instance: str = TEST_INSTANCE) -> Stack:
    """The tests' running stack; started if nobody else did, kept until the last process that asked for it has ended.

    Kafka and Postgres that died since (a fault test, say) are started again.
    """
    stack = Stack(instance)
    stack.paths.create()
    with FileLock(stack.paths.lock, timeout_s=LOCK_TIMEOUT_S):
        stack.start_locked(fresh=not _live_leases(stack.paths))
        _write_lease(stack.paths)
    if instance not in _leased:
        _leased[instance] = stack
        atexit.register(release_stack, instance)
    return stack


def release_stack(instance: str = TEST_INSTANCE) -> None:
    """Give up this process's lease now instead of at its end; stops the instance if it was the last one."""
    stack = _leased.pop(instance, None)
    if stack is None:
        return
    with FileLock(stack.paths.lock, timeout_s=LOCK_TIMEOUT_S):
        _lease_file(stack.paths).unlink(missing_ok=True)
        if not _live_leases(stack.paths):
            stack.stop_locked()


@contextlib.contextmanager
def held_stack(instance: str = TEST_INSTANCE) -> Iterator[Stack]:
    """The shared stack for the time of a block: what a test runner wraps around pytest."""
    try:
        yield shared_stack(instance)
    finally:
        release_stack(instance)


def unique_prefix(label: str = "t") -> str:
    """A prefix for databases and roles that nobody else uses."""
    return f"pb_{label}_{secrets.token_hex(4)}"


@contextlib.contextmanager
def fresh_databases(
    stack: Stack, prefix: str | None = None, services: Sequence[str] = SERVICES
) -> Iterator[dict[str, DatabaseUrls]]:
    """Empty databases of `services` under a prefix of one's own, dropped at the end: service name to addresses.

    Each takes about 0.2 s to make; name only the services that the test needs, and share them over a session where rows can be told apart.
    """
    chosen = prefix or unique_prefix()
    stack.create_databases(chosen, services)
    try:
        yield {service: stack.database_urls(service, chosen) for service in services}
    finally:
        stack.drop_databases(chosen)


def _lease_file(paths: InstancePaths) -> Path:
    return paths.leases / f"{os.getpid()}.json"


def _write_lease(paths: InstancePaths) -> None:
    record = ProcessRecord.of(os.getpid())
    write_private(_lease_file(paths), record.model_dump_json())


def _live_leases(paths: InstancePaths) -> list[ProcessRecord]:
    """Leases whose processes live; the others are removed."""
    live = []
    for path in sorted(paths.leases.glob("*.json")):
        try:
            record = ProcessRecord.model_validate_json(path.read_bytes())
        except ValueError:
            record = None
        if record is not None and record.alive():
            live.append(record)
        else:
            path.unlink(missing_ok=True)
    return live
