"""Logs are JSON lines with the ids that lead to trace, event and record, and with no person's data."""

from __future__ import annotations

import ast
import importlib
import json
import smtplib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import paybill_common
from paybill_common import telemetry
from paybill_common.bus import BusUnavailable
from paybill_common.service import ServiceSpec
from paybill_stack.bootstrap import DatabaseUrls
from tests.doors.doors import SERVICES, spec_of

pytestmark = pytest.mark.integration
WORDS = ("Worker 00017 Testcase", "QQ170017A", "17 Hidden Lane", "a-secret-token-17")
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def told(migrated: Callable[[ServiceSpec], DatabaseUrls]) -> tuple[str, list[dict[str, Any]]]:
    """Everything that the probe wrote, and its log lines."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.doors.logging_probe", migrated(spec_of("compliance")).worker, *WORDS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    return ran.stdout + ran.stderr, [json.loads(line) for line in ran.stderr.splitlines()]


def lines(told: tuple[str, list[dict[str, Any]]], event: str) -> list[dict[str, Any]]:
    return [line for line in told[1] if line["event"] == event]


def test_no_persons_data_is_told(told: tuple[str, list[dict[str, Any]]]) -> None:
    """Neither in a log line nor in the answers, of which the last is a row that the database refused and quoted."""
    assert [word for word in WORDS if word in told[0]] == []
    assert "conflicts_with_stored_data" in told[0]


def test_every_line_is_json_with_its_level_time_and_service(told: tuple[str, list[dict[str, Any]]]) -> None:
    assert told[1]
    for line in told[1]:
        assert {"event", "level", "timestamp", "service"} <= line.keys(), line


def test_a_failed_request_leads_to_its_trace_and_to_the_place(told: tuple[str, list[dict[str, Any]]]) -> None:
    found = lines(told, "http.failed")
    assert [line["exception"][0].split()[0] for line in found] == [
        "ValueError",
        "ValidationError",
        "UndefinedTableError",
    ]
    for line in found:
        assert line["trace_id"] == TRACE
        assert line["instance"].startswith("urn:uuid:")
        assert line["route"] == "/v1/agencies/{agency_id}/probe/{kind}/{token}"
        assert len(line["agency_id"]) == 36
        assert any("logging_probe.py" in place for place in line["places"])
    assert "sqlstate 42P01" in found[2]["exception"][0]


def test_a_dead_letter_leads_to_its_event_and_to_the_runbook(told: tuple[str, list[dict[str, Any]]]) -> None:
    (line,) = lines(told, "event.dead")
    assert line["correlation_id"] == "probe-story"
    assert line["event_type"] == "paybill.directory.entry.v1"
    assert line["error_class"] == "PermanentError"
    assert (ROOT / line["action"]).exists()
    assert len(line["event_id"]) == len(line["agency_id"]) == 36


def test_other_libraries_write_the_same_lines(told: tuple[str, list[dict[str, Any]]]) -> None:
    (line,) = lines(told, "library.failed")
    assert line["exception"] == ["ValueError"]
    assert line["level"] == "error"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            BusUnavailable("Kafka at 127.0.0.1:9 did not answer"),
            "BusUnavailable('Kafka at 127.0.0.1:9 did not answer')",
        ),
        (ConnectionRefusedError(111, "refused"), "ConnectionRefusedError(111, 'refused')"),
        (ValueError(WORDS[0]), "ValueError"),
        (smtplib.SMTPRecipientsRefused({"someone@example.com": (550, b"no")}), "SMTPRecipientsRefused"),
    ],
)
def test_errors_are_told_as_far_as_they_are_nobodys(error: Exception, words: str) -> None:
    assert telemetry.describe(error) == words


@pytest.mark.parametrize("package", [*SERVICES, "paybill_common"])
def test_log_calls_leave_errors_and_paths_to_the_formatter(package: str) -> None:
    """`error=error` is told safely, `error=repr(error)` is not; a path may hold a signed token; an event's name is a constant."""
    module = paybill_common if package == "paybill_common" else importlib.import_module(package)
    folder = Path(next(iter(module.__path__)))
    wrong = [
        f"{path.relative_to(folder)}:{line}: {what}"
        for path in sorted(folder.rglob("*.py"))
        for line, what in careless_logs(path.read_text(encoding="utf-8"))
    ]
    assert wrong == []


def test_the_search_for_careless_logs_sees_each_kind() -> None:
    source = (
        'log.error("a", error=repr(error))\nlog.info("b", error=str(error))\nlog.warning(f"c {name}")\n'
        'log.info("d", path=request.url.path)\nlog.info("e", error=error, mail_id=str(mail.mail_id))\n'
    )
    assert [line for line, _ in careless_logs(source)] == [1, 2, 3, 4]


LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}


def careless_logs(source: str) -> Iterator[tuple[int, str]]:
    """Calls of `log.*` that format an error or a path themselves, or whose event is not a constant."""
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if getattr(node.func.value, "id", "") != "log" or node.func.attr not in LEVELS:
            continue
        if node.args and not isinstance(node.args[0], ast.Constant):
            yield node.lineno, "the event is not a constant"
        for keyword in node.keywords:
            text = ast.unparse(keyword.value)
            if text.endswith("url.path") or text in ("repr(error)", "str(error)", "repr(e)", "str(e)"):
                yield node.lineno, f"{keyword.arg}={text}"
