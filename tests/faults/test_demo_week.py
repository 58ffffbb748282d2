"""`paybill demo` as `make demo` runs it, small: a process of its own without a terminal, real servers, real files.

Its exit status, what lies in `demo/out` afterwards, and that nothing it started lives on.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from paybill_stack.demo.cast import AGENCIES, TIMESHEETS_MIN
from paybill_stack.demo.run import INSTANCE
from paybill_stack.paths import InstancePaths

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
NOT_OURS = ("PAYBILL_STACK", "PAYBILL_KAFKA_BOOTSTRAP", "PAYBILL_POSTGRES_ADMIN_URL", "PAYBILL_INSTANCE")


@pytest.fixture
def var(tmp_path: Path) -> Iterator[Path]:
    """A `var/` of this test's own; as root the database lies outside it."""
    folder = tmp_path / "var"
    home = InstancePaths.of(INSTANCE, folder).postgres_home()
    yield folder
    if not home.is_relative_to(folder):
        shutil.rmtree(home.parents[1])


def test_the_demo_week_ends_clean_with_its_files_and_leaves_nothing_running(var: Path) -> None:
    home = InstancePaths.of(INSTANCE, var).postgres_home()
    environment = {name: value for name, value in os.environ.items() if name not in NOT_OURS}
    ran = subprocess.run(
        [str(Path(sys.executable).parent / "paybill"), "demo"],
        env=environment | {"PAYBILL_VAR": str(var), "PAYBILL_DEMO_TIMESHEETS": str(TIMESHEETS_MIN)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    assert _alive_with(var, home) == []
    assert "Ctrl-C" not in ran.stdout, "without a terminal nothing waits for a person"
    out = var / INSTANCE / "out"
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    tie_out = summary["tie_out"]
    assert summary["timesheets"]["imported"] == TIMESHEETS_MIN
    assert tie_out["approved_minutes"] == tie_out["paid_minutes"] + tie_out["held_minutes"] > 0
    assert tie_out["billable_minutes"] == tie_out["billed_minutes"] + tie_out["bill_held_minutes"] > 0
    assert (tie_out["unexplained_pence"], summary["dead_letters"], summary["parked"]) == (0, 0, 0)
    assert {"generate", "start", "approve", "pay_run", "invoice_run", "pdfs", "tie_out"} <= set(summary["stages"])
    _papers_are_there(out, summary)


def _papers_are_there(out: Path, summary: dict[str, Any]) -> None:
    for kind, name in (("invoices", "invoices"), ("self-bills", "self_bills")):
        papers = list((out / kind).iterdir())
        assert len(papers) == summary[name] > 0, kind
        assert all(paper.read_bytes().startswith(b"%PDF-") for paper in papers)
    payslips = employees = deemed = 0
    for agency in AGENCIES:
        with zipfile.ZipFile(out / f"payslips-{agency.slug}.zip") as archive:
            names = archive.namelist()
            assert all(archive.read(name).startswith(b"%PDF-") for name in names)
        payslips += len(names)
        reported = _lines(out / f"fps-{agency.slug}.csv")
        employees += sum(line["off_payroll_worker"] == "" for line in reported)
        deemed += sum(line["off_payroll_worker"] == "Y" for line in reported)
        assert _lines(out / f"payments-{agency.slug}.csv")
        assert (out / f"payments-{agency.slug}.bacs18.txt").read_text(encoding="ascii").strip()
    assert (payslips, employees) == (summary["payslips"], summary["payslips"])
    assert 0 < deemed <= summary["self_bills"], "a deemed employee is reported, and is paid by self-bill"
    margin = _lines(out / "margin.csv")
    assert {line["agency"] for line in margin} == {agency.code for agency in AGENCIES}


def _lines(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as source:
        return list(csv.DictReader(source))


def _alive_with(*folders: Path) -> list[str]:
    """Live processes that were told one of these folders: on their command line, or in their environment."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        if process.info["status"] == psutil.STATUS_ZOMBIE:
            continue
        told = list(process.info["cmdline"] or [])
        with contextlib.suppress(psutil.Error):
            told += process.environ().values()
        if any(str(folder) in text for folder in folders for text in told):
            found.append(" ".join(process.info["cmdline"] or []))
    return found
