"""`paybill demo`: the demo week from files to tie-out."""

import sys
from typing import Annotated

import typer

from paybill_stack.cli_common import console
from paybill_stack.demo import run
from paybill_stack.demo.cast import DEFAULT_SEED, TIMESHEETS_MAX, TIMESHEETS_MIN
from paybill_stack.demo.generate import wanted_timesheets


def demo(
    timesheets: Annotated[
        int | None,
        typer.Option(
            "--timesheets",
            min=TIMESHEETS_MIN,
            max=TIMESHEETS_MAX,
            help="How many; default PAYBILL_DEMO_TIMESHEETS or 3000.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed makes the same week.")] = DEFAULT_SEED,
    leave_up: Annotated[
        bool | None,
        typer.Option("--leave-up/--stop", help="Keep the UI up until Ctrl-C; default: only with a terminal."),
    ] = None,
) -> None:
    """Run a bureau's week through files, five services and Kafka; exit status 0 only when it ties out to the penny."""
    with_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    asked = run.Asked(
        timesheets=timesheets or wanted_timesheets(),
        seed=seed,
        keep_up=with_terminal if leave_up is None else leave_up,
    )
    raise typer.Exit(run.demo(asked, console))
