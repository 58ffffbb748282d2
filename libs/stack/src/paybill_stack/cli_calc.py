"""`paybill calc`: the pay calculator over JSON lines, in a process of its own; no service has to run."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from paybill_stack import StackError


def calc(
    file: Annotated[Path | None, typer.Argument(help="JSON lines, one calculation each; nothing or -: stdin.")] = None,
) -> None:
    """Answer each line with `{id, result}` or `{id, error}` on stdout, in the order asked; a bad line never stops the rest."""
    command = [sys.executable, "-m", "pay_calc", "calc", *([] if file is None else [str(file)])]
    try:
        raise typer.Exit(subprocess.run(command, check=False).returncode)
    except OSError as error:
        raise StackError(f"the calculator cannot be started: {error}") from error
