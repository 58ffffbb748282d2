"""docs/api.md is true: its commands run as they stand, its tables and the READMEs' are those of the code."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from paybill_common.bus.memory import MemoryBus
from paybill_common.clock import ManualClock
from paybill_common.config import Settings
from paybill_common.service import ServiceSpec, build_app, build_runtime
from paybill_stack.bootstrap import DatabaseUrls
from paybill_stack.client import CLI_CLIENT
from paybill_stack.keys import ensure_keys
from tests.doors.doors import served, spec_of
from tests.kit import DEMO_NOW
from tools import api_doc
from tools.api_doc import NoMarkers, with_part
from tools.deployment import ROOT

DOCUMENT = ROOT / api_doc.API_DOC
ASKED = {"REPORTING": "reporting", "TIMESHEET": "timesheet", "COMPLIANCE": "compliance", "PAY": "pay_calc"}
"""The document's variables, and the service whose address each holds."""


def blocks(language: str) -> list[str]:
    """The document's code blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.integration
def test_the_walk_to_an_approved_timesheet_runs_as_it_is_written(
    migrated: Callable[[ServiceSpec], DatabaseUrls], tmp_path: Path
) -> None:
    keys = ensure_keys(tmp_path / "keys")
    find, *walk = blocks("sh")
    assert find.startswith("INSTANCE=")
    assert len(walk) >= 5
    with ExitStack() as running:
        at = {}
        for variable, service in ASKED.items():
            spec = spec_of(service)
            urls = migrated(spec)
            settings = Settings(
                database_api_url=urls.api,
                database_worker_url=urls.worker,
                kafka_bootstrap="127.0.0.1:1",
                jwks_file=keys.jwks,
                signing_key_file=keys.signing_key,
                clients_file=keys.clients,
                files_dir=tmp_path / service,
            )
            runtime = build_runtime(spec, settings, clock=ManualClock(DEMO_NOW), bus=MemoryBus())
            at[variable] = running.enter_context(served(build_app(runtime)))
        script = [f"{variable}={url}" for variable, url in at.items()]
        script += [f"SECRET={keys.client_secret(CLI_CLIENT)}", *walk]
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", "\n".join(script)],
            cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines() if line]
    by_code = {answer.get("code") for answer in answers}
    # Alone, reporting and pay-calc have not heard of the timesheet yet: nothing carries events between these services.
    assert by_code == {None, "timesheet_not_found", "week_ending_not_sunday"}, answers
    approved = next(answer for answer in answers if answer.get("status") == "approved")
    assert [(line["element"], line["minutes"]) for line in approved["lines"]] == [("basic", 960), ("overtime", 90)]
    assert all(line["explanation"] for line in approved["lines"])
    refused = next(answer for answer in answers if answer.get("code") == "week_ending_not_sunday")
    shown = json.loads(blocks("json")[0])
    assert refused | {"instance": ""} == shown | {"instance": ""}


def test_generated_parts_are_those_of_the_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert api_doc.main(["--check"]) == 0, capsys.readouterr().out


def test_a_stale_part_is_named_and_left_as_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "page.md"
    file.write_text("before\n<!-- generated: doors -->\nold\n<!-- end of doors -->\nafter\n", encoding="utf-8")
    monkeypatch.setattr(api_doc, "ROOT", tmp_path)
    parts: dict[str, Any] = {"page.md": {"doors": "new"}}
    monkeypatch.setattr(api_doc, "generated_parts", lambda: parts)
    assert api_doc.main(["--check"]) == 1
    assert "page.md: stale" in capsys.readouterr().out
    assert "old" in file.read_text(encoding="utf-8")
    assert api_doc.main([]) == 0
    assert file.read_text(encoding="utf-8") == "before\n<!-- generated: doors -->\nnew\n<!-- end of doors -->\nafter\n"
    assert api_doc.main(["--check"]) == 0


def test_a_document_without_a_place_for_a_part_is_refused() -> None:
    with pytest.raises(NoMarkers, match=r"page.md has 0 pairs"):
        with_part("no markers here", "doors", "body", "page.md")
