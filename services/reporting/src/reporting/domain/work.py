"""Long work: how far it is, how fast, how long it still takes, and what became of it. Times here are real, not business time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from reporting.domain import show
from reporting.domain.words import State

HEARD = timedelta(minutes=6)
"""An owner answers a command within five minutes, or nobody listens any more."""
STILL = timedelta(seconds=60)
"""Work that has not moved for so long stands still."""
_MS = timedelta(milliseconds=1)


@dataclass(frozen=True)
class Kind:
    """One kind of long work: whose it is, and how it is spoken of."""

    key: str
    run_id: str
    service: str
    path: str
    command: str
    right: str
    unit: str
    name: str
    running: str
    over: str
    refused: str
    never: str
    lacking: str


PAY_RUN = Kind(
    key="pay-run",
    run_id="pay_run_id",
    service="pay-calc",
    path="/pay-runs",
    command="close-pay-run",
    right="pay:read",
    unit="workers",
    name="Pay run",
    running="Closing the pay run",
    over="Pay run closed",
    refused="Pay run not closed",
    never="Pay run not closed yet",
    lacking="Pay runs",
)
INVOICE_RUN = Kind(
    key="invoice-run",
    run_id="invoice_run_id",
    service="invoicing",
    path="/invoice-runs",
    command="issue-invoices",
    right="read",
    unit="clients",
    name="Invoice run",
    running="Issuing invoices",
    over="Invoices issued",
    refused="Invoices not issued",
    never="Invoices not issued yet",
    lacking="Invoice runs",
)
KINDS = {kind.key: kind for kind in (PAY_RUN, INVOICE_RUN)}
OF_COMMAND = {kind.command: kind for kind in KINDS.values()}

STATES = {
    "asked": State("Asked, begins in a moment", "waiting"),
    "running": State("Under way", "waiting"),
    "still": State("Stands still", "blocked"),
    "done": State("Done", "done"),
    "refused": State("Refused", "blocked"),
    "unheard": State("Nothing was begun", "blocked"),
    "silent": State("No answer was heard", "none"),
    "none": State("Not begun", "none"),
}
MOVING = frozenset({"asked", "running", "still"})
"""States that the next look may change by itself."""


@dataclass(frozen=True)
class Asked:
    """A command that somebody gave here. `runs_before`: the runs of its week that were closed when it was given."""

    work_id: UUID
    agency_id: UUID
    command: str
    week_ending: date | None
    words: str
    subject: str
    name: str
    asked_at: datetime
    began_at: datetime
    runs_before: int
    ended_at: datetime | None
    outcome: str | None
    failure: Mapping[str, Any] | None

    @property
    def kind(self) -> Kind | None:
        return OF_COMMAND.get(self.command)

    @property
    def running(self) -> bool:
        return self.ended_at is None


@dataclass(frozen=True)
class Run:
    """A run as its owner tells it."""

    open: bool
    done: int
    total: int
    began_at: datetime | None
    moved_at: datetime | None
    opened_at: datetime | None
    opened_by: str
    raw: Mapping[str, Any]


def run_of(kind: Kind, raw: Mapping[str, Any]) -> Run:
    """A run from its owner's answer."""
    done, total = ("workers_done", "workers_total") if kind is PAY_RUN else ("clients_done", "clients")
    state = raw.get("state") if kind is PAY_RUN else raw.get("status")
    return Run(
        open=state in ("closing", "open"),
        done=int(raw.get(done) or 0),
        total=int(raw.get(total) or 0),
        began_at=instant(raw.get("began_at")),
        moved_at=instant(raw.get("progressed_at")),
        opened_at=instant(raw.get("opened_at")),
        opened_by=str(raw.get("opened_by") or ""),
        raw=raw,
    )


def instant(text: Any) -> datetime | None:
    """An instant of an answer, or None when it is missing or is none."""
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None


def state_of(run: Run | None, *, runs: int, asked: Asked | None, now: datetime) -> str:
    """What became of the work of a week: its newest run, how many runs its owner knows, and the last command for it."""
    if asked is not None and runs <= asked.runs_before and not (run is not None and run.open):
        if asked.failure is not None:
            return "refused"
        if asked.running:
            return "asked" if now - asked.began_at < HEARD else "unheard"
    if run is None:
        return "none"
    if not run.open:
        return "done"
    return "still" if run.moved_at is not None and now - run.moved_at > STILL else "running"


def percent(done: int, total: int) -> int:
    """How much is done, never 100 before all is."""
    return 100 if done >= total else done * 100 // total


def took(run: Run) -> timedelta | None:
    """From its beginning to its last step."""
    if run.began_at is None or run.moved_at is None or run.moved_at <= run.began_at:
        return None
    return run.moved_at - run.began_at


def rate(run: Run, unit: str) -> str:
    """`85 workers a second`, `12 clients a minute`; a dash before there is one."""
    span = took(run)
    if span is None or not run.done:
        return show.NOTHING
    ms = max(1, span // _MS)
    for length, name in ((1_000, "second"), (60_000, "minute"), (3_600_000, "hour")):
        many = run.done * length // ms
        if many >= 10 or name == "hour":
            break
    return f"{show.count(many)} {unit} {'an' if name == 'hour' else 'a'} {name}"


def left(run: Run, *, now: datetime) -> timedelta | None:
    """How long it still takes at the pace so far; None before there is one."""
    span = took(run)
    if span is None or not run.done or run.moved_at is None:
        return None
    whole = span * (run.total - run.done) // run.done
    return max(timedelta(0), whole - max(timedelta(0), now - run.moved_at))


def lasts(span: timedelta | None, *, about: bool = False) -> str:
    """`about 40 seconds`, `3 min 20 s`, `1 h 5 min`; a guess is rounded to tens of seconds."""
    if span is None:
        return show.NOTHING
    seconds = span // timedelta(seconds=1)
    if about:
        seconds = -(-seconds // 10) * 10
    if about and seconds <= 10:
        return "a few seconds"
    if seconds < 1:
        return "under a second"
    if seconds >= 3600:
        text = f"{seconds // 3600} h {seconds % 3600 // 60} min"
    elif seconds >= 60:
        text = f"{seconds // 60} min {seconds % 60} s" if seconds % 60 else f"{seconds // 60} min"
    else:
        text = f"{seconds} second{'s' if seconds != 1 else ''}"
    return f"about {text}" if about else text
