"""The browser that page tests drive: Debian's Chromium, installed when we are root and it is missing.

Its form without windows is preferred: the same engine at half the processor time.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser")
INSTALL = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", PROGRAMS[0]]


class NoBrowser(RuntimeError):
    """There is no Chromium and it cannot be installed from here."""


def ensure_browser() -> str:
    """The path of a Chromium. As root on Debian it is installed; otherwise NoBrowser names the command."""
    found = os.environ.get("CHROMIUM") or _installed()
    if found:
        return found
    if os.geteuid() == 0 and shutil.which("apt-get"):
        sys.stdout.write("installing Chromium for the browser tests\n")
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], check=True, env=environment, timeout=300)
        subprocess.run(INSTALL, check=True, env=environment, timeout=600, stdout=subprocess.DEVNULL)
        found = _installed()
        if found:
            return found
    raise NoBrowser(
        f"The browser tests need Chromium. Install it with: sudo apt-get install {PROGRAMS[0]} (or set CHROMIUM=/path/to/it)"
    )


def _installed() -> str | None:
    return next((path for name in PROGRAMS if (path := shutil.which(name))), None)
