"""The house itself: Makefile, import laws, runbooks."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.deployment import ROOT
from tools.house_laws import floats_in

TARGETS = (
    "setup",
    "demo",
    "test",
    "up",
    "down",
    "status",
    "fmt",
    "lint",
    "contracts",
    "simulate",
    "bench",
    "images",
    "help",
)
RECIPE_LINES_MAX = 5


def recipes() -> dict[str, tuple[str, list[str]]]:
    """Each target's help text and recipe."""
    found: dict[str, tuple[str, list[str]]] = {}
    name = ""
    for line in (ROOT / "Makefile").read_text(encoding="utf-8").splitlines():
        if line.startswith("\t"):
            found[name][1].append(line.strip())
        elif match := re.match(r"^([\w$()./-]+):(?!=)(?:.*?## (.*))?", line):
            name = match[1]
            found[name] = (match[2] or "", [])
    return found


@pytest.mark.parametrize("target", TARGETS)
def test_the_target_exists_and_says_what_it_does(target: str) -> None:
    assert recipes()[target][0]


def test_every_recipe_is_short() -> None:
    for target, (_, lines) in recipes().items():
        assert len(lines) <= RECIPE_LINES_MAX, target


def test_what_a_recipe_runs_exists() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    for script in re.findall(r"\$\(PY\) (tools/\w+\.py)", text):
        assert (ROOT / script).is_file(), script
    for module in re.findall(r"\$\(PY\) -m ((?:tests|bench|tools)[\w.]*)", text):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), module


def test_the_import_laws_hold() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert checked.returncode == 0, checked.stdout[-3000:]


def test_the_float_law_catches_a_float() -> None:
    assert list(floats_in("rate = 1.5\n", "made_up.py"))
    assert list(floats_in("def f(x: float) -> None: ...\n", "made_up.py"))
    assert not list(floats_in("pence = 150\n", "made_up.py"))


RUNBOOKS = ("dead-letters", "lost-bus", "stuck-consumer", "restore", "replay-differs")


@pytest.mark.parametrize("name", RUNBOOKS)
def test_every_runbook_says_what_is_seen_what_to_do_and_how_to_know_it_is_over(name: str) -> None:
    text = (ROOT / "docs" / "runbooks" / f"{name}.md").read_text(encoding="utf-8")
    for heading in ("## What you see", "## What to do", "## It is over when"):
        assert heading in text, heading


@pytest.mark.parametrize("name", RUNBOOKS)
def test_every_endpoint_that_a_runbook_names_exists(name: str) -> None:
    from pay_calc.api.replays import router as replays
    from paybill_common.http.ops import router

    routes = [*router.routes, *replays.routes]
    known = {re.sub(r"\{\w+\}", "{}", route.path) for route in routes if hasattr(route, "path")}
    text = (ROOT / "docs" / "runbooks" / f"{name}.md").read_text(encoding="utf-8")
    for path in re.findall(r"/v1/ops/[\w/{}-]+", text):
        assert re.sub(r"\{\w+\}|/\d+(?=/|$)", lambda found: "/{}" if found[0][0] == "/" else "{}", path) in known, path
