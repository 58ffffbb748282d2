"""`paybill calc`: the pay calculator over JSON lines, through the running service or a process of its own."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from paybill_stack import StackError
from paybill_stack.cli_common import DEFAULT_INSTANCE_NAME, Instance, run
from paybill_stack.client import ApiClient, Place, Refused

_BATCH = 500
_LINE_CHARS_MAX = 1_000_000


def calc(
    file: Annotated[Path | None, typer.Argument(help="JSON lines, one calculation each; nothing or -: stdin.")] = None,
    instance: Instance = DEFAULT_INSTANCE_NAME,
    local: Annotated[bool, typer.Option("--local", help="Do not ask a running service.")] = False,
) -> None:
    """Answer each line with `{id, result}` or `{id, error}` on stdout, in the order asked; a bad line never stops the rest."""
    if file is not None and str(file) != "-" and not file.is_file():
        raise StackError(f"there is no file {file}")
    place = None if local else _place(instance)
    with _opened(file) as source:
        if place is None:
            raise typer.Exit(_run_local(source))
        run(_ask(place, source))


def _opened(file: Path | None) -> TextIO:
    if file is None or str(file) == "-":
        return open(sys.stdin.fileno(), encoding="utf-8", errors="replace", closefd=False)
    return file.open(encoding="utf-8", errors="replace")


def _place(instance: str) -> Place | None:
    """The running services, or None."""
    try:
        place = Place.of(instance)
    except StackError:
        return None
    running = {line.name for line in place.stack.status() if line.running}
    return place if {"pay-calc-1", "reporting-1"} <= running else None


def _run_local(source: TextIO) -> int:
    """The engine in a process of its own; the same answers, without a token."""
    try:
        source.fileno()
        return subprocess.run([sys.executable, "-m", "pay_calc", "calc"], stdin=source, check=False).returncode
    except OSError as error:
        raise StackError(f"the calculator cannot be started: {error}") from error


async def _ask(place: Place, source: TextIO) -> None:
    async with ApiClient(place.urls, place.credentials(), ()) as client:
        numbered = enumerate(source, start=1)
        while batch := list(islice(_read(numbered), _BATCH)):
            asked = [found for found in batch if found.error is None]
            answers = iter(await _post(client, [found.value for found in asked]) if asked else [])
            for found in batch:
                answer = found.error if found.error is not None else next(answers)
                sys.stdout.write(json.dumps(answer) + "\n")
            await asyncio.sleep(0)
    sys.stdout.flush()


async def _post(client: ApiClient, batch: list[Any]) -> list[Any]:
    """The answers of a batch; one that is refused whole is asked line by line, so that only the bad line fails."""
    try:
        found = await client.post("pay-calc", "/v1/calculations", batch)
        return list(found)
    except Refused as refused:
        if len(batch) == 1:
            return [_refusal(refused.code, refused.detail or str(refused))]
        middle = len(batch) // 2
        return [*await _post(client, batch[:middle]), *await _post(client, batch[middle:])]


class _Line:
    """One line as read: a calculation, or the answer that says why it is none."""

    def __init__(self, value: Any = None, error: dict[str, object] | None = None) -> None:
        self.value, self.error = value, error


def _read(lines: Iterator[tuple[int, str]]) -> Iterator[_Line]:
    for number, line in lines:
        if not line.strip():
            continue
        if len(line) > _LINE_CHARS_MAX:
            yield _Line(error=_refusal("line_too_long", f"Line {number} is longer than {_LINE_CHARS_MAX} characters."))
            continue
        try:
            value = json.loads(line.removeprefix("\ufeff"), parse_float=Decimal)
        except (ValueError, RecursionError) as bad:
            yield _Line(error=_refusal("invalid_json", f"Line {number} is not JSON: {bad}."))
            continue
        if not isinstance(value, dict):
            yield _Line(error=_refusal("invalid_request", f"Line {number} is not a JSON object."))
            continue
        yield _Line(value)


def _refusal(code: str, message: str) -> dict[str, object]:
    return {"id": None, "error": {"code": code, "message": message, "field": None}}
