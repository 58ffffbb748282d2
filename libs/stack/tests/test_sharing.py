"""The tests' shared instance: leases of several processes, with the servers stood in for."""

import os
from pathlib import Path

import pytest

from paybill_stack import testing
from paybill_stack.processes import ProcessRecord
from paybill_stack.stack import Stack


@pytest.fixture
def calls(var: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    made: list[str] = []
    monkeypatch.setattr(testing, "_leased", {})
    monkeypatch.setattr(
        Stack, "start_locked", lambda stack, fresh=False: made.append("start fresh" if fresh else "find")
    )
    monkeypatch.setattr(Stack, "stop_locked", lambda stack: made.append("stop"))
    return made


def other_lease(var: Path, record: ProcessRecord) -> None:
    folder = var / "test" / "leases"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{record.pid}.json").write_text(record.model_dump_json())


def test_the_only_user_starts_with_empty_data_and_stops(calls: list[str]) -> None:
    with testing.held_stack():
        testing.shared_stack()
    assert calls == ["start fresh", "find", "stop"]


def test_while_another_process_uses_it_it_is_found_and_left_running(calls: list[str], var: Path) -> None:
    other_lease(var, ProcessRecord.of(os.getppid()))
    with testing.held_stack():
        pass
    assert calls == ["find"]


def test_the_lease_of_a_killed_process_counts_for_nothing(calls: list[str], var: Path) -> None:
    other_lease(var, ProcessRecord(pid=os.getppid(), created_at=5.0))
    with testing.held_stack():
        pass
    assert calls == ["start fresh", "stop"]
