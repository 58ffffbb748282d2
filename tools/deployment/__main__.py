"""`python -m tools.deployment [--check]` and `python -m tools.deployment secrets [--kubernetes]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.deployment import ROOT, secrets
from tools.deployment.generated import generated_files


def main(argv: Sequence[str] | None = None) -> int:
    """Write, check, or make secrets. Returns the exit status: 1 when `--check` finds a stale file."""
    parser = argparse.ArgumentParser(prog="python -m tools.deployment", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; name the files that are stale")
    commands = parser.add_subparsers(dest="command")
    made = commands.add_parser("secrets", help="make passwords and keys: .env and var/compose/keys")
    made.add_argument(
        "--kubernetes", action="store_true", help="print Secret manifests instead, for `kubectl apply -f -`"
    )
    options = parser.parse_args(argv)
    if options.command == "secrets":
        if options.kubernetes:
            sys.stdout.write(secrets.kubernetes_secrets(ROOT / "var" / "kubernetes" / "keys"))
            return 0
        sys.stdout.write(secrets.write_compose_secrets(ROOT) + "\n")
        return 0
    stale = [path for path, text in generated_files().items() if current(ROOT / path) != text]
    for path in stale:
        if options.check:
            sys.stderr.write(f"{path} is stale; run `python -m tools.deployment`\n")
        else:
            (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / path).write_text(generated_files()[path], encoding="utf-8")
            sys.stdout.write(f"wrote {path}\n")
    return 1 if stale and options.check else 0


def current(path: Path) -> str | None:
    """The file's text, or None when there is none."""
    return path.read_text(encoding="utf-8") if path.exists() else None


if __name__ == "__main__":
    raise SystemExit(main())
