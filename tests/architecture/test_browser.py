"""Where the browser of the page tests comes from: root installs Debian's, anybody else is told the command."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Any

import pytest

from tools.browser import INSTALL, NoBrowser, ensure_browser


class Machine:
    """A machine with some programs, whose `apt-get install` brings Chromium or not."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.programs: dict[str, str] = {}
        self.ran: list[list[str]] = []
        self.installs = True
        patch.delenv("CHROMIUM", raising=False)
        patch.setattr(shutil, "which", self.programs.get)
        patch.setattr(subprocess, "run", self.run)

    def run(self, command: list[str], *, check: bool, env: dict[str, str], timeout: int, **_: Any) -> None:
        assert check
        assert env["DEBIAN_FRONTEND"] == "noninteractive", "an installation that asks would wait for ever"
        self.ran.append(command)
        if command == INSTALL and self.installs:
            self.programs["chromium-headless-shell"] = "/usr/bin/chromium-headless-shell"


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


def test_the_one_that_is_there_is_taken(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("chromium-browser", "chromium", "chromium-headless-shell"):
        machine.programs[name] = f"/usr/bin/{name}"
        assert ensure_browser() == f"/usr/bin/{name}"
    monkeypatch.setenv("CHROMIUM", "/opt/chromium")
    assert ensure_browser() == "/opt/chromium"
    assert machine.ran == []


def test_root_installs_it(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    machine.programs["apt-get"] = "/usr/bin/apt-get"
    assert ensure_browser() == "/usr/bin/chromium-headless-shell"
    assert [command[1] for command in machine.ran] == ["update", "install"]
    assert machine.ran[-1][-1] == "chromium-headless-shell"


@pytest.mark.parametrize("why", ["not root", "no apt-get", "nothing came of it"])
def test_otherwise_the_error_names_the_command(machine: Machine, monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000 if why == "not root" else 0)
    if why != "no apt-get":
        machine.programs["apt-get"] = "/usr/bin/apt-get"
    machine.installs = False
    with pytest.raises(NoBrowser, match="sudo apt-get install chromium-headless-shell"):
        ensure_browser()
    assert (machine.ran != []) == (why == "nothing came of it")
