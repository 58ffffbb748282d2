"""The house itself: Makefile, import laws, runbooks."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.deployment import ROOT
from tools import house_laws
from tools.house_laws import floats_in, machine_text_in

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
    assert not list(floats_in("share = 0.5  # not money: a ratio\n", "made_up.py"))


@pytest.mark.parametrize("name", house_laws.NO_MONEY)
def test_each_exception_from_the_float_law_is_needed(name: str) -> None:
    assert list(floats_in((ROOT / name).read_text(encoding="utf-8"), name))


@pytest.mark.parametrize(
    "folder", ["domain", "usecases", "store", "api", "documents", "subscriptions", "demo", "paybill_importer"]
)
def test_the_float_law_looks_wherever_money_is_handled(folder: str) -> None:
    seen = {path for pattern in house_laws.MONEY_CODE for path in ROOT.glob(pattern)}
    assert [path for path in seen if path.parent.name == folder or path.stem == folder]


MACHINE_TEXT = (
    *("py" + "pi.org", "files.python" + "hosted.org", "registry.npm" + "js.org", "repo1.mav" + "en.org"),
    *("deb.deb" + "ian.org", "crates" + ".io"),
    *("/wo" + "rk/x", "/ro" + "ot/.venv", "/far" + "m/x"),
)


@pytest.mark.parametrize("text", MACHINE_TEXT)
def test_the_law_against_machine_text_catches_hosts_and_paths(text: str) -> None:
    """Written in two halves above, or this file would break the law itself."""
    assert list(machine_text_in(f"first line\nsee https://{text} here\n".replace("https:///", "/"), "made_up.md")) == [
        "made_up.md:2: names a package registry host or a path of one machine"
    ]


@pytest.mark.parametrize("text", ["docs/work/plan.md", "a net" + "work/peer", "the root/ of it", "example.org"])
def test_the_law_against_machine_text_leaves_plain_words_alone(text: str) -> None:
    assert not list(machine_text_in(text, "made_up.md"))


def test_the_house_laws_fail_the_build_when_one_is_broken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A tree of one file with a float in an API and one with a machine's path."""
    api = tmp_path / "services" / "made-up" / "src" / "made_up" / "api"
    api.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True, timeout=60)
    monkeypatch.setattr(house_laws, "ROOT", tmp_path)
    assert house_laws.main() == 0
    (api / "rates.py").write_text("VAT = 0.2\n", encoding="utf-8")
    (tmp_path / "notes.md").write_text("it lies in /ro" + "ot/notes\n", encoding="utf-8")
    (tmp_path / "picture.png").write_bytes(b"/ro" + b"ot/notes")
    assert house_laws.main() == 1
    told = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[0] for line in told] == ["services/made-up/src/made_up/api/rates.py:1", "notes.md:1"]


RUNBOOKS = ("dead-letters", "lost-bus", "stuck-consumer", "stuck-import", "restore", "replay-differs")


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
