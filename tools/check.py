"""Everything that guards main, in CI's order: lint and types, then tests from the fastest to the slowest, then a clean tree.

`python tools/check.py` runs all; `--only STAGE` one; a stage that fails stops the run and says how to run it alone.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
SOURCES = ["contracts/src", "libs/common/src", "libs/importer/src", "libs/stack/src"]
SOURCES += [f"services/{name}/src" for name in ("timesheet", "pay-calc", "invoicing", "compliance", "reporting")]
FAST_TESTS = ["contracts/tests", "libs", "services", "tests/architecture"]
SPREAD_TESTS = ["tests/simulation", "tests/doors"]
ALONE_TESTS = ["tests/e2e", "tests/faults"]


def stages() -> dict[str, list[Sequence[str]]]:
    """Each stage and its commands."""
    python, pytest = str(BIN / "python"), [str(BIN / "python"), "-m", "pytest", "-q", "--no-header"]
    spread = [*pytest, "-n", "2", "--dist", "loadgroup"]
    return {
        "lint": [
            [str(BIN / "ruff"), "check", "--quiet", "."],
            [str(BIN / "ruff"), "format", "--check", "--quiet", "."],
            [str(BIN / "mypy"), *SOURCES, "tools"],
            [str(BIN / "lint-imports"), "--no-cache"],
            [python, "-m", "tools.house_laws"],
            [python, "-m", "paybill_contracts.export", "--check"],
            [python, "-m", "tools.api_doc", "--check"],
        ],
        "tests": [[*spread, *existing(FAST_TESTS)]],
        "system": [
            [*spread, *existing(SPREAD_TESTS)],
            [*pytest, *existing(ALONE_TESTS)],
        ],
        "clean": [["git", "diff", "--exit-code", "--stat"]],
    }


def existing(paths: Sequence[str]) -> list[str]:
    """The paths that hold a test."""
    return [path for path in paths if any((ROOT / path).rglob("test_*.py"))]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stages. Returns the first failing command's exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=sorted(stages()), help="run one stage")
    only = parser.parse_args(argv).only
    if only != "lint":
        from tools.browser import ensure_browser

        ensure_browser()
        from paybill_stack.testing import held_stack

        with held_stack():
            return run(only)
    return run(only)


def run(only: str | None) -> int:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    for name, commands in stages().items():
        if only not in (None, name) or (name == "clean" and not os.environ.get("CI")):
            continue
        started = time.monotonic()
        for command in commands:
            if command[-1] == "--no-header":
                continue
            status = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
            if status != 0:
                sys.stderr.write(f"\n{name} failed: {' '.join(command)}\n")
                return status
        sys.stdout.write(f"{name}: ok in {time.monotonic() - started:.0f} s\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    raise SystemExit(main())
