"""House laws that no ready linter knows: no float in money code, no registry host or machine path in any file."""

from __future__ import annotations

import ast
import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MONEY_CODE = (
    "contracts/src/**/*.py",
    "libs/common/src/paybill_common/money.py",
    "libs/common/src/paybill_common/periods.py",
    "services/*/src/*/domain/**/*.py",
    "services/*/src/*/usecases/**/*.py",
    "services/*/src/*/store/**/*.py",
    "services/*/src/*/api/**/*.py",
    "services/*/src/*/api.py",
    "services/*/src/*/documents/**/*.py",
    "services/*/src/*/subscriptions.py",
    "libs/stack/src/paybill_stack/demo/*.py",
    "libs/importer/src/paybill_importer/*.py",
)
NO_MONEY = {
    "services/reporting/src/reporting/api/forward.py": "how long another service may take",
    "services/reporting/src/reporting/api/web/jobs.py": "how long a page waits for a command",
    "services/reporting/src/reporting/api/web/live.py": "how often a page is told",
    "services/reporting/src/reporting/api/web/oidc.py": "how long an issuer may take",
    "libs/stack/src/paybill_stack/demo/quiet.py": "how long the services may take to come to rest",
    "libs/stack/src/paybill_stack/demo/stages.py": "how long each stage took",
}
"""Modules among the money code whose floats are seconds."""
_HOSTS = (
    "pypi" + r"\.org",
    "pythonhosted" + r"\.org",
    "registry" + r"\.npmjs",
    r"repo1?\.maven" + r"\.",
    r"deb\.debian" + r"\.",
    "crates" + r"\.io",
)
_PATHS = ("/wo" + "rk/", "/ro" + "ot/", "/far" + "m/")
_FORBIDDEN = re.compile("|".join(_HOSTS) + "|" + "|".join(rf"(?<![\w.]){path}" for path in _PATHS))
_BINARY = {".png", ".pdf", ".woff2", ".ttf", ".otf", ".ico", ".xlsx", ".zip", ".gz", ".jpg"}


def main() -> int:
    """Print each breach as path:line: what. Returns 1 when there is one."""
    breaches = [*floats(), *machine_text()]
    for breach in breaches:
        sys.stdout.write(f"{breach}\n")
    return 1 if breaches else 0


def floats() -> Iterator[str]:
    """Float literals, calls of float() and float annotations in money code."""
    for pattern in MONEY_CODE:
        for path in sorted(ROOT.glob(pattern)):
            name = path.relative_to(ROOT).as_posix()
            if name not in NO_MONEY:
                yield from floats_in(path.read_text(encoding="utf-8"), name)


def floats_in(source: str, name: str) -> Iterator[str]:
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, (ast.Constant, ast.Name)):
            continue
        is_float = isinstance(node.value, float) if isinstance(node, ast.Constant) else node.id == "float"
        if is_float and "not money:" not in lines[node.lineno - 1]:
            yield f"{name}:{node.lineno}: float in money code (use Decimal or integer pence; `# not money: why` for a ratio)"


def machine_text() -> Iterator[str]:
    """Registry hosts and paths of a developer's machine in any file that git tracks or would track."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    for name in listed:
        path = ROOT / name
        if path.suffix in _BINARY or not path.is_file():
            continue
        with contextlib.suppress(UnicodeDecodeError):
            yield from machine_text_in(path.read_text(encoding="utf-8"), name)


def machine_text_in(text: str, name: str) -> Iterator[str]:
    if not _FORBIDDEN.search(text):
        return
    for number, line in enumerate(text.splitlines(), 1):
        if _FORBIDDEN.search(line):
            yield f"{name}:{number}: names a package registry host or a path of one machine"


if __name__ == "__main__":
    raise SystemExit(main())
