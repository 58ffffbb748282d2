"""Recompile the hashed requirements from requirements/*.in, with no address in them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OPTIONS = ["--universal", "--python-version", "3.11", "--generate-hashes", "--no-header"]
OPTIONS += ["--no-emit-index-url", "--no-emit-find-links", "--quiet"]


def main() -> int:
    """Compile every .in file. Returns the exit status."""
    uv = Path(sys.executable).parent / "uv"
    for name in ("bootstrap", "runtime", "dev"):
        source, target = f"requirements/{name}.in", f"requirements/{name}.txt"
        subprocess.run([str(uv), "pip", "compile", *OPTIONS, source, "-o", target], cwd=ROOT, check=True, timeout=300)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
