"""Every test of the stack gets a `var` folder of its own, so nothing it starts can touch a running instance."""

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest


@pytest.fixture
def var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A private `var/`; no variable of the caller's shell decides where servers come from."""
    for name in ("PAYBILL_STACK", "PAYBILL_KAFKA_BOOTSTRAP", "PAYBILL_POSTGRES_ADMIN_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PAYBILL_VAR", str(tmp_path / "var"))
    return tmp_path / "var"


@pytest.fixture
def nothing_left(var: Path) -> Iterator[None]:
    """Fails the test if a process that mentions this test's folder outlives it."""
    yield
    assert processes_of(var) == []


def processes_of(folder: Path) -> list[int]:
    """Pids of live processes with `folder` in their command line."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        live = process.info["status"] != psutil.STATUS_ZOMBIE
        if live and any(str(folder) in part for part in process.info["cmdline"] or []):
            found.append(process.pid)
    return found
