"""`paybill calc`: the answers of the calculator's own process, its exit status, and no service running."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

LINE = json.dumps({"id": "1", "kind": "cis", "inputs": {"labour_ex_vat": "10.00", "materials": "0.00", "rate_pct": 20}})


def calc(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "paybill_stack.cli", "calc", *arguments],
        input=given, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_lines_from_standard_input() -> None:
    found = calc(given=f"{LINE}\nnot json\n{LINE}\n")
    first, bad, last = (json.loads(line) for line in found.stdout.splitlines())
    assert first == last == {"id": "1", "result": {"deduction": "2.00", "paid": "8.00"}}
    assert bad["error"]["code"] == "invalid_json"
    assert found.returncode == 0


def test_lines_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "asked.jsonl").write_text(LINE, encoding="utf-8")
    assert calc(str(tmp_path / "asked.jsonl")).stdout.startswith('{"id": "1", "result"')


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    found = calc(str(tmp_path / "missing.jsonl"))
    assert found.returncode == 2
    assert "missing.jsonl cannot be read" in found.stderr
