"""`paybill stack`: up, down, status, logs."""

import json
import time
from collections import deque
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from paybill_stack import StackError
from paybill_stack.paths import DEFAULT_INSTANCE, TEST_INSTANCE, InstancePaths, instances
from paybill_stack.stack import Stack
from paybill_stack.supervisor import DEFAULT_REPLICAS, Supervisor

app = typer.Typer(
    help="Start, stop and look at the embedded Kafka, Postgres and the five services.", no_args_is_help=True
)
console = Console()

Instance = Annotated[
    str,
    typer.Option(
        "--instance", "-i", envvar="PAYBILL_INSTANCE", help="Which instance; each has its own data and ports."
    ),
]


@app.command()
def up(
    instance: Instance = DEFAULT_INSTANCE,
    replicas: Annotated[
        int, typer.Option("--pay-calc-replicas", min=1, max=24, help="Processes of pay-calc.")
    ] = DEFAULT_REPLICAS,
    business_now: Annotated[
        str | None,
        typer.Option(
            "--business-now", help="Business time starts at this ISO instant, for example 2026-04-06T09:00:00Z."
        ),
    ] = None,
    servers_only: Annotated[
        bool, typer.Option("--servers-only", help="Kafka and Postgres, without the five services.")
    ] = False,
) -> None:
    """Start what does not run yet, and wait until everything is ready."""
    started = time.monotonic()
    with console.status("starting") as progress:

        def report(step: str) -> None:
            progress.update(step)

        if servers_only:
            stack = Stack.start(instance, report=report)
        else:
            stack = Supervisor.bring_up(instance, replicas=replicas, business_now=business_now, report=report).stack
    _print_status(stack)
    console.print(f"Ready in {time.monotonic() - started:.1f} s. Stop it with `paybill stack down`.")


@app.command()
def down(
    instance: Annotated[
        str | None,
        typer.Option(
            "--instance", "-i", envvar="PAYBILL_INSTANCE", help="Only this one; default: all but the tests' own."
        ),
    ] = None,
) -> None:
    """Stop everything that `up` or `demo` started. Data stays."""
    for name in [instance] if instance else [name for name in instances() if not name.startswith(TEST_INSTANCE)]:
        if not InstancePaths.of(name).settings.exists():
            console.print(f"{name}: was never started")
            continue
        stack = Stack.find(name)
        ran = any(line.running for line in stack.status())
        killed = Supervisor(stack).down()
        stack.stop()
        console.print(f"{name}: {'stopped' if ran else 'was not running'}")
        if killed:
            console.print(f"{name}: {', '.join(killed)} did not end when asked and had to be killed; see their logs")


@app.command()
def status(
    instance: Annotated[
        str | None, typer.Option("--instance", "-i", envvar="PAYBILL_INSTANCE", help="Only this one; default: all.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Say what runs and where."""
    found = [Stack.find(name) for name in ([instance] if instance else instances())]
    if as_json:
        console.print_json(
            json.dumps({stack.paths.instance: [asdict(line) for line in stack.status()] for stack in found})
        )
        return
    if not found:
        console.print("Nothing was ever started here. `paybill stack up` starts it.")
    for stack in found:
        _print_status(stack)


@app.command()
def logs(
    component: Annotated[
        str, typer.Argument(help="kafka, postgres, or a replica such as pay-calc-2; nothing: list them.")
    ] = "",
    instance: Instance = DEFAULT_INSTANCE,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many of the last lines.")] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Keep printing new lines until Ctrl-C.")] = False,
) -> None:
    """Print the end of a component's log."""
    folder = Stack.find(instance).paths.log
    known = sorted(path.stem for path in folder.glob("*.log"))
    if not component:
        console.print("\n".join(known) or "There are no logs yet.", highlight=False)
        return
    if component not in known:
        raise StackError(f"{folder} has no log of {component!r}; there are {', '.join(known) or 'none'}")
    _print_log(folder / f"{component}.log", lines, follow=follow)


def _print_log(path: Path, lines: int, *, follow: bool) -> None:
    with path.open(encoding="utf-8", errors="replace") as source:
        for line in deque(source, maxlen=lines):
            typer.echo(line, nl=False)
        while follow:
            fresh = source.readline()
            typer.echo(fresh, nl=False)
            if not fresh:
                time.sleep(0.2)


def _print_status(stack: Stack) -> None:
    table = Table(
        "component", "state", "address", "pid", title=f"instance {stack.paths.instance}", title_justify="left"
    )
    for line in stack.status():
        state = "[green]running[/]" if line.running else "[dim]stopped[/]"
        table.add_row(line.name, state, line.address, str(line.pid or ""))
    console.print(table)
    console.print(f"Logs are in {stack.paths.log}", highlight=False, soft_wrap=True)
