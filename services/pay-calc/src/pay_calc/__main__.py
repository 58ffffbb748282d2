"""`python -m pay_calc api|worker|all|migrate`, and `python -m pay_calc calc [FILE]`: the calculator without a service."""

from __future__ import annotations

import sys
from pathlib import Path

from pay_calc.calculator_cli import run_calc


def main() -> int:
    """Run pay-calc in the role that the argument names. Returns the exit status."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["calc"]:
        return _calc(arguments[1:])
    from pay_calc.app import SPEC
    from paybill_common.main import run_service

    return run_service(SPEC)


def _calc(arguments: list[str]) -> int:
    if len(arguments) > 1:
        sys.stderr.write("usage: python -m pay_calc calc [FILE]\n")
        return 2
    if not arguments or arguments[0] == "-":
        sys.stdin.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
        return run_calc(sys.stdin, sys.stdout)
    try:
        with Path(arguments[0]).open(encoding="utf-8", errors="replace") as lines:
            return run_calc(lines, sys.stdout)
    except OSError as error:
        sys.stderr.write(f"{arguments[0]} cannot be read: {error.strerror}\n")
        return 2


if __name__ == "__main__":
    raise SystemExit(main())
