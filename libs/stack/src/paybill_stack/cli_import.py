"""`paybill import`: one file of workers, clients, payees, rates, placements or hours."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from paybill_importer.layouts import Kind, columns_help
from paybill_importer.reading import CannotReadFile
from paybill_importer.run import BATCH_ROWS_MAX, IN_FLIGHT, Options, Outcome, import_file
from paybill_stack import StackError
from paybill_stack.cli_common import DEFAULT_INSTANCE_NAME, Agency, Instance, agency_id_of, connect, run

CANNOT_READ = 2
messages = Console(stderr=True)


def import_(
    kind: Annotated[Kind, typer.Argument(help="What the file holds.")],
    file: Annotated[Path, typer.Argument(help="CSV or XLSX with a header line.")],
    agency: Agency,
    instance: Instance = DEFAULT_INSTANCE_NAME,
    mapping: Annotated[
        Path | None, typer.Option("--mapping", "-m", help="YAML file, one `our_column: Their header` a line.")
    ] = None,
    encoding: Annotated[str, typer.Option("--encoding", help="Of a CSV file; Excel's plain CSV is cp1252.")] = "utf-8",
    receipts: Annotated[
        Path | None, typer.Option("--receipts", help="Where the receipts go; default <file>.receipts.csv.")
    ] = None,
    batch_rows: Annotated[
        int, typer.Option("--batch", min=1, max=BATCH_ROWS_MAX, help="Rows in one request.")
    ] = BATCH_ROWS_MAX,
    in_flight: Annotated[int, typer.Option("--in-flight", min=1, max=16, help="Requests at once.")] = IN_FLIGHT,
    columns: Annotated[bool, typer.Option("--columns", help="Only list the columns of this kind of file.")] = False,
) -> None:
    """Import a file: every line gets a receipt, nothing is half-loaded in silence, the same file twice changes nothing.

    Exit status 0: all accepted or known already; 1: some lines refused, see the receipts; 2: the file cannot be read.
    An import that was interrupted goes on where it stopped when the same command is run again.
    """
    if columns:
        sys.stdout.write(columns_help(kind))
        return
    options = Options(mapping, encoding, receipts, batch_rows, in_flight)
    try:
        outcome = run(_import(kind, file, agency_id_of(agency), instance, options))
    except CannotReadFile as error:
        messages.print(f"[red bold]Cannot read[/] {error}", highlight=False, soft_wrap=True)
        messages.print(
            "Your own headers: --mapping; a CSV's encoding: --encoding; what it may hold: --columns",
            highlight=False,
            soft_wrap=True,
        )
        raise typer.Exit(CANNOT_READ) from error
    except KeyboardInterrupt as stopped:
        raise StackError("interrupted; run the same command again to go on") from stopped
    _tell(file, outcome)
    raise typer.Exit(outcome.exit_status)


async def _import(kind: Kind, file: Path, agency_id: UUID, instance: str, options: Options) -> Outcome:
    with shown(f"{kind} {file.name}", options) as watched:
        async with connect(instance, agency_id) as client:
            return await import_file(kind, file, client=client, agency_id=agency_id, options=watched)


@contextlib.contextmanager
def shown(title: str, options: Options) -> Iterator[Options]:
    """The options with a progress bar behind them; on stderr, and still when there is no terminal."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=messages, transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield Options(
            options.mapping, options.encoding, options.receipts, options.batch_rows, options.in_flight,
            expected_rows=lambda count: bar.update(task, total=count),
            report=lambda count: bar.advance(task, count),
        )  # fmt: skip


def _tell(file: Path, outcome: Outcome) -> None:
    words = [f"{outcome.accepted} accepted", f"{outcome.duplicate} known already", f"{outcome.refused} refused"]
    if outcome.resumed_rows:
        words.append(f"went on after row {outcome.resumed_rows + 1}")
    messages.print(f"{file.name}: {', '.join(words)}", highlight=False, soft_wrap=True)
    if outcome.ignored_columns:
        messages.print(f"columns passed over: {', '.join(outcome.ignored_columns)}", highlight=False, soft_wrap=True)
    if outcome.untold:
        messages.print(f"not on the page of imports: {outcome.untold}", highlight=False, soft_wrap=True)
    messages.print(f"receipts: {outcome.receipts}", highlight=False, soft_wrap=True)
