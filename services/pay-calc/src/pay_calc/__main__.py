"""`python -m pay_calc api|worker|all|migrate`, and `python -m pay_calc calc [FILE]`: the calculator without a service."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pay_calc.calculator_cli import run_calc

if TYPE_CHECKING:
    from paybill_common.service import ServiceSpec


def main() -> int:
    """Run pay-calc in the role that the argument names. Returns the exit status."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["calc"]:
        return _calc(arguments[1:])
    from paybill_common.main import run_service

    return run_service(__file__, _spec)


def _spec() -> ServiceSpec:
    from pay_calc.app import SPEC

    return SPEC


def _calc(arguments: list[str]) -> int:
    if len(arguments) > 1:
        sys.stderr.write("usage: python -m pay_calc calc [FILE]\n")
        return 2
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # a program may wait for each answer
    try:
        if not arguments or arguments[0] == "-":
            return run_calc(sys.stdin.buffer, sys.stdout)
        with Path(arguments[0]).open("rb") as lines:
            return run_calc(lines, sys.stdout)
    except BrokenPipeError:  # the reader has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        sys.stderr.write(f"{arguments[0]} cannot be read: {error.strerror}\n")
        return 2


if __name__ == "__main__":
    raise SystemExit(main())
