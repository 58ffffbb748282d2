"""What the sub-commands share: which instance and agency, a signed-in client, running a coroutine, tables."""

import asyncio
import csv
import json
import sys
from collections.abc import Coroutine, Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any, TypeVar
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from paybill_common.ids import derived_id
from paybill_common.periods import BadPeriod, week_of
from paybill_stack import StackError
from paybill_stack.client import CLI_CLIENT, ApiClient, Place
from paybill_stack.paths import DEFAULT_INSTANCE

T = TypeVar("T")
console = Console()

Instance = Annotated[
    str, typer.Option("--instance", "-i", envvar="PAYBILL_INSTANCE", help="Which instance's services to talk to.")
]
Agency = Annotated[str, typer.Option("--agency", "-a", help="The agency: its reference, or its id.")]
WeekEnding = Annotated[str, typer.Argument(help="The Sunday that ends the week, YYYY-MM-DD.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]
DEFAULT_INSTANCE_NAME = DEFAULT_INSTANCE


def agency_id_of(text: str) -> UUID:
    """An id as it is; a reference as the id that `paybill agency` gives it."""
    try:
        return UUID(text)
    except ValueError:
        return derived_id("agency", text)


def week_of_text(text: str) -> str:
    """The week as ISO. Raises StackError when it is not a Sunday's date."""
    try:
        day = date.fromisoformat(text)
        week_of(day)
    except (ValueError, BadPeriod) as error:
        raise StackError(f"{text!r} is not a week: {error}") from error
    return day.isoformat()


def connect(instance: str, *agencies: UUID, client_id: str = CLI_CLIENT) -> ApiClient:
    """A client of the instance's services, for these agencies. Raises StackError when nothing runs."""
    place = Place.of(instance)
    return ApiClient(place.urls, place.credentials(client_id), agencies)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine to its end."""
    return asyncio.run(work)


def print_json(value: Any) -> None:
    """Machine-readable, one document, nothing else on stdout."""
    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")


def facts(title: str, values: Mapping[str, Any]) -> Table:
    """Two columns: what and how much."""
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column("what")
    table.add_column("value", justify="right")
    for name, value in values.items():
        table.add_row(name.replace("_", " "), "" if value is None else str(value))
    return table


def rows(title: str, headers: Sequence[str], lines: Sequence[Sequence[Any]]) -> Table:
    """A table of lines. An `id` is never cut, however narrow the terminal: people copy it."""
    table = Table(title=title, title_justify="left")
    for header in headers:
        table.add_column(header, overflow="fold", no_wrap=header == "id")
    for line in lines:
        table.add_row(*("" if cell is None else str(cell) for cell in line))
    return table


def print_csv(headers: Sequence[str], lines: Sequence[Sequence[Any]]) -> None:
    """The same for a pipe."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(headers)
    writer.writerows(lines)


def short_time(text: str | None) -> str:
    """`2026-04-07 09:00` of an ISO instant."""
    return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M") if text else ""
