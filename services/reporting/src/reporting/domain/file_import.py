"""Files that are imported, in words: what each kind holds, what became of one, and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from reporting.domain import show
from reporting.domain.words import State
from reporting.domain.work import STILL, Run


@dataclass(frozen=True)
class Kind:
    """One kind of file."""

    name: str
    holds: str


WORDS = {
    "clients": Kind("Clients", "Who is invoiced: name, reference, terms, VAT, who approves hours"),
    "payees": Kind("Payees", "Umbrella and limited companies, with bank details and standing"),
    "workers": Kind("Workers", "Names, pay details, right to work"),
    "rates": Kind("Rate cards", "Named pay and charge rates with their dates and rules"),
    "placements": Kind("Placements", "Who works where, for whom, from when, at what rates"),
    "hours": Kind("Hours", "A line a day: start, finish and break, or units"),
}
ORDER = ("clients", "payees", "workers", "rates", "placements", "hours")
"""As they need each other."""

STATES = {
    "waiting": State("Waits its turn", "waiting"),
    "running": State("Under way", "waiting"),
    "held": State("Waits for a service", "waiting"),
    "still": State("Stands still", "blocked"),
    "stopped": State("Broken off", "blocked"),
    "failed": State("Broken off", "blocked"),
    "done": State("Done", "done"),
    "some": State("Done, some refused", "changed"),
}


class File(Protocol):
    """What is known of one file."""

    @property
    def kind(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def here(self) -> bool: ...
    @property
    def error(self) -> str | None: ...
    @property
    def accepted(self) -> int: ...
    @property
    def duplicate(self) -> int: ...
    @property
    def refused(self) -> int: ...
    @property
    def rows_done(self) -> int: ...
    @property
    def rows_total(self) -> int | None: ...
    @property
    def over(self) -> bool: ...
    @property
    def began_at(self) -> datetime: ...
    @property
    def started_at(self) -> datetime | None: ...
    @property
    def moved_at(self) -> datetime: ...


def state_of(file: File, *, now: datetime) -> str:
    """A key of `STATES`."""
    if file.state == "running":
        if file.here and file.error:
            return "held"
        return "still" if now - file.moved_at > STILL else "running"
    return "some" if file.state == "done" and file.refused else file.state


def run_of(file: File) -> Run:
    """The file as long work, for its pace."""
    return Run(
        open=not file.over,
        done=file.rows_done,
        total=file.rows_total or file.rows_done,
        began_at=file.started_at or file.began_at,
        moved_at=file.moved_at,
        opened_at=None,
        opened_by="",
        raw={},
    )


def outcome(file: File) -> str:
    """`2,990 accepted, 40 refused`."""
    parts = [(file.accepted, "accepted"), (file.duplicate, "known already"), (file.refused, "refused")]
    return ", ".join(f"{show.count(number)} {word}" for number, word in parts if number) or show.NOTHING


def lacking(columns: Mapping[str, Sequence[str]]) -> str:
    """What somebody lacks to send a file: rights, and the columns that need them."""
    parts = [
        f"{', '.join(names)} {'need' if len(names) > 1 else 'needs'} the right {right}"
        for right, names in columns.items()
    ]
    return f"{'; '.join(parts)}, which your account lacks. Somebody who has it can send the file; or take those columns out."


@dataclass(frozen=True)
class Told:
    """A refused line for one reader."""

    row: int
    column: str
    value: str
    reason: str
    hint: str


class Line(Protocol):
    """A refused line. `private`: only payroll may read why."""

    @property
    def row(self) -> int: ...
    @property
    def column(self) -> str: ...
    @property
    def value(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def hint(self) -> str: ...
    @property
    def private(self) -> bool: ...


def told(line: Line, *, payroll: bool) -> Told:
    """The line as somebody may read it, who reads what is payroll's or does not."""
    if line.private and not payroll:
        return Told(
            line.row, line.column, "", "a detail for payroll is refused", "somebody with the right pay:read sees why"
        )
    return Told(line.row, line.column, line.value, line.reason, line.hint)
