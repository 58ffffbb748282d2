"""Files that are imported, in words: what each kind holds, what became of one, and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from paybill_importer.telling import Refusal
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


@dataclass(frozen=True)
class FileImport:
    """One file. `state`: waiting, running, stopped (its program broke off), done, or failed (nothing more will be sent)."""

    agency_id: UUID
    import_id: UUID
    kind: str
    file_name: str
    rows_total: int | None
    accepted: int
    duplicate: int
    refused: int
    state: str
    here: bool
    error: str | None
    hint: str | None
    subject: str
    name: str
    asked_at: datetime
    began_at: datetime
    moved_at: datetime
    ended_at: datetime | None
    encoding: str | None
    headers: Mapping[str, str] | None
    batch_rows: int | None
    batches_done: int
    started_at: datetime | None
    """When somebody first sent it; a file from a page may have waited before."""
    tries: int
    """How often it was begun since the last batch got through."""
    leased_by: UUID | None

    @property
    def rows_done(self) -> int:
        return self.accepted + self.duplicate + self.refused

    @property
    def over(self) -> bool:
        return self.ended_at is not None


def state_of(file: FileImport, *, now: datetime) -> str:
    """A key of `STATES`."""
    if file.state == "running":
        if file.here and file.error:
            return "held"
        return "still" if now - file.moved_at > STILL else "running"
    return "some" if file.state == "done" and file.refused else file.state


def run_of(file: FileImport) -> Run:
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


def outcome(file: FileImport) -> str:
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


def told(line: Refusal, *, payroll: bool) -> Refusal:
    """The line as somebody may read it, who reads what is payroll's or does not."""
    if payroll or not line.private:
        return line
    return replace(
        line, value="", reason="a detail for payroll is refused", hint="somebody with the right pay:read sees why"
    )
