"""A pay run or a slip worked again with something changed, beside what it says now. Reads only."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.slips import FIGURES, Charge, SlipInput, input_of
from pay_calc.domain.what_if import Changes, changed, check, cost_by_timesheet
from pay_calc.rates import year_book
from pay_calc.store import what_if as store
from pay_calc.usecases.recalculate import decide_now, work
from pay_calc.usecases.replay import carried, load_json
from paybill_common.db import Tx

CHUNK = 500
SHOWN = tuple(name for name in FIGURES if name not in ("pay_to_date_pence", "tax_to_date_pence"))
"""The figures that are compared, pence. To-date figures follow from them."""

State = Literal["changed", "unchanged", "refused", "held"]


@dataclass(frozen=True, slots=True)
class Scope:
    """Which slips: of a period, of a run, or one."""

    period_to: date | None = None
    pay_run_id: UUID | None = None
    payslip_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """None: all. Placements and clients choose lines too: rates and hours change on theirs alone."""

    workers: frozenset[UUID] | None = None
    placements: frozenset[str] | None = None
    clients: frozenset[str] | None = None

    @property
    def of_places(self) -> bool:
        return self.placements is not None or self.clients is not None

    def place(self, place: tuple[str, str] | None) -> bool:
        """Whether a (placement, client) is chosen; a place that is not known is chosen only when all are."""
        if not self.of_places:
            return True
        return (
            place is not None
            and (self.placements is None or place[0] in self.placements)
            and (self.clients is None or place[1] in self.clients)
        )


@dataclass(frozen=True, slots=True)
class Worked:
    """A slip's figures (pence, by `SHOWN`) and minutes."""

    figures: Mapping[str, int]
    minutes: int


@dataclass(frozen=True, slots=True)
class Quantity:
    """A charge line whose hours or units changed."""

    timesheet_id: str
    version: int
    charge_line_id: str
    minutes: int
    units: Decimal | None


@dataclass(frozen=True, slots=True)
class Supposed:
    """One slip before and after. refused: `error` says why and `after` is None. held: nothing on it is payable.
    `held`: codes of what waits."""

    payslip_id: UUID
    worker_id: UUID
    pay_basis: str
    state: str
    outcome: State
    before: Worked | None = None
    after: Worked | None = None
    error: EngineError | None = None
    held: tuple[str, ...] = ()
    quantities: tuple[Quantity, ...] = ()

    def difference(self, name: str) -> int:
        """After less before, pence; nought when either is missing."""
        if self.before is None or self.after is None:
            return 0
        return self.after.figures[name] - self.before.figures[name]


@dataclass(slots=True)
class Client:
    """A client's part of slips that worked both ways, pence; cost shared out by pay, as in the read models."""

    slips: int = 0
    minutes: list[int] = field(default_factory=lambda: [0, 0])
    pay: list[int] = field(default_factory=lambda: [0, 0])
    cost: list[int] = field(default_factory=lambda: [0, 0])


@dataclass(slots=True)
class Summary:
    """All slips asked for. Sums (before, after) are of those that worked both ways."""

    outcomes: dict[State, int] = field(default_factory=lambda: {"changed": 0, "unchanged": 0, "refused": 0, "held": 0})
    before: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SHOWN, 0))
    after: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SHOWN, 0))
    minutes: list[int] = field(default_factory=lambda: [0, 0])
    clients: defaultdict[str, Client] = field(default_factory=lambda: defaultdict(Client))
    taken: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Answer:
    """`slips`: a page, `more` after it; `summary` of everything, on the first page only. `untaken`: changes that touched nothing."""

    slips: list[Supposed]
    more: tuple[UUID, UUID] | None
    summary: Summary | None
    untaken: list[str]


async def what_if(
    tx: Tx,
    *,
    agency_id: UUID,
    scope: Scope,
    changes: Changes,
    selection: Selection,
    order: Literal["worker", "difference"],
    after: tuple[UUID, UUID] | None,
    most: int,
) -> Answer:
    """Work the slips with the changes. Nothing is stored, and memory holds one chunk of slips beside the answer.

    Order worker pages by `after`; order difference gives the `most` that need a look first: refused, then by how far net pay and cost
    move. EngineError for changes that no slip can take; what one slip cannot take is that slip's `error`.
    """
    check(changes, year_book())
    if after is not None:
        rows, more = await _rows(tx, agency_id, scope, selection, after, most)
        return Answer(await _chunk(tx, agency_id, rows, changes, selection, Summary()), more, None, [])
    summary = Summary()
    rows, at = await _rows(tx, agency_id, scope, selection, None, most if order == "worker" else CHUNK)
    shown, more = await _chunk(tx, agency_id, rows, changes, selection, summary), at
    while at is not None:
        rows, at = await _rows(tx, agency_id, scope, selection, at, CHUNK)
        found = await _chunk(tx, agency_id, rows, changes, selection, summary)
        if order == "difference":
            shown = heapq.nlargest(most, [*shown, *found], key=_urgency)
    if order == "difference":
        shown, more = heapq.nlargest(most, shown, key=_urgency), None
    return Answer(shown, more, summary, [name for name in changes.asked() if name not in summary.taken])


def _urgency(slip: Supposed) -> tuple[bool, int, int]:
    return slip.outcome == "refused", abs(slip.difference("net_pence")), abs(slip.difference("cost_pence"))


async def _rows(
    tx: Tx, agency_id: UUID, scope: Scope, selection: Selection, after: tuple[UUID, UUID] | None, most: int
) -> tuple[list[Any], tuple[UUID, UUID] | None]:
    """A page, and its last key when there is more after it."""
    found = await store.slips(
        tx,
        agency_id=agency_id,
        period_to=scope.period_to,
        pay_run_id=scope.pay_run_id,
        payslip_id=scope.payslip_id,
        workers=None if selection.workers is None else sorted(selection.workers),
        after=after,
        most=most + 1,
    )
    rows = found[:most]
    return rows, (rows[-1].worker_id, rows[-1].payslip_id) if len(found) > most else None


async def _chunk(
    tx: Tx, agency_id: UUID, rows: Sequence[Any], changes: Changes, selection: Selection, summary: Summary
) -> list[Supposed]:
    """A final slip from its stored inputs and result, a draft from the facts of now."""
    drafting = sorted({(agency_id, row.worker_id) for row in rows if row.state == "draft"})
    drafts = dict(await decide_now(tx, keys=drafting)) if drafting else {}
    now = [_now(row, drafts) for row in rows]
    timesheets = {charge.timesheet_id for one in now if one.inp for charge in one.inp.charges}
    timesheets |= {held["timesheet_id"] for one in now for held in one.held}
    places = await store.places(tx, agency_id=agency_id, timesheets=map(UUID, timesheets))
    found = []
    for one in now:
        slip = _suppose(one, changes, selection, places, summary)
        if slip is not None:
            summary.outcomes[slip.outcome] += 1
            found.append(slip)
    return found


@dataclass(frozen=True, slots=True)
class _Now:
    """A slip as it is. `inp` None: nothing on it is payable, or, with `error`, its inputs cannot be read."""

    row: Any
    held: Sequence[Mapping[str, Any]]
    inp: SlipInput | None = None
    worked: Worked | None = None
    shares: Sequence[Sequence[int]] = ()
    error: EngineError | None = None


def _now(row: Any, drafts: Mapping[UUID, Any]) -> _Now:
    held = load_json(row.held)
    if row.state == "finalised":
        return _final(row, held)
    slip = drafts.get(row.payslip_id)
    if slip is None or slip.inp is None or slip.result is None:
        return _Now(row, held)
    return _Now(row, held, slip.inp, _worked(slip.result.figures, slip.result.minutes), slip.result.shares)


def _final(row: Any, held: Sequence[Mapping[str, Any]]) -> _Now:
    """As stored when this release has the engine and figures that made it; else as this release works it, so that only what is
    supposed makes a difference."""
    stored = load_json(row.result)
    worked = _worked(stored["figures"], stored["minutes"])
    try:
        inp = input_of(load_json(row.inputs))
        if carried(stored):
            return _Now(row, held, inp, worked, stored["shares"])
        again = work(inp)
    except EngineError as error:
        return _Now(row, held, worked=worked, error=error)
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        unread = f"The stored inputs cannot be read: {type(error).__name__}."
        return _Now(row, held, worked=worked, error=EngineError("inputs_unreadable", unread, None))
    return _Now(row, held, inp, _worked(again.figures, again.minutes), again.shares)


def _worked(figures: Mapping[str, int], minutes: int) -> Worked:
    return Worked({name: figures.get(name, 0) for name in SHOWN}, minutes)


def _suppose(
    now: _Now, changes: Changes, selection: Selection, places: Mapping[str, tuple[str, str]], summary: Summary
) -> Supposed | None:
    """One slip, added to the summary; None when no line of it is chosen."""
    row, inp, before = now.row, now.inp, now.worked
    codes = tuple(dict.fromkeys(reason["code"] for held in now.held for reason in held["reasons"]))

    def made(outcome: State, **more: Any) -> Supposed:
        return Supposed(row.payslip_id, row.worker_id, row.pay_basis, row.state, outcome, before, held=codes, **more)

    if now.error is not None:
        return made("refused", error=now.error)
    if inp is None or before is None:
        return made("held") if any(selection.place(places.get(held["timesheet_id"])) for held in now.held) else None

    def chosen(charge: Charge) -> bool:
        return selection.place(places.get(charge.timesheet_id))

    if selection.of_places and not any(chosen(charge) for charge in inp.charges):
        return None
    try:
        other = changed(inp, changes, year_book(), chosen)
        summary.taken |= other.taken
        result = work(other.inp)
        if result.figures["net_pence"] < 0:
            raise EngineError("negative_pay", "Deductions and corrections would exceed the pay of the period.", None)
    except EngineError as error:
        return made("refused", error=error)
    after = _worked(result.figures, result.minutes)
    _add(summary, inp.charges, now.shares, before, 0, places)
    _add(summary, other.inp.charges, result.shares, after, 1, places)
    moved = tuple(
        Quantity(line.timesheet_id, line.version, line.charge_line_id, line.minutes, line.units)
        for line in (other.inp.charges[i] for i in other.quantities)
    )
    return made("unchanged" if after == before else "changed", after=after, quantities=moved)


def _add(
    summary: Summary,
    charges: Sequence[Charge],
    shares: Sequence[Sequence[int]],
    worked: Worked,
    side: Literal[0, 1],
    places: Mapping[str, tuple[str, str]],
) -> None:
    sums = (summary.before, summary.after)[side]
    for name, pence in worked.figures.items():
        sums[name] += pence
    summary.minutes[side] += worked.minutes
    clients = {charge.timesheet_id: places[charge.timesheet_id][1] for charge in charges}
    for charge, share in zip(charges, shares, strict=True):
        client = summary.clients[clients[charge.timesheet_id]]
        client.minutes[side] += charge.minutes
        client.pay[side] += share[0]
    for (timesheet_id, _), pence in cost_by_timesheet(charges, shares, worked.figures["cost_pence"]).items():
        summary.clients[clients[timesheet_id]].cost[side] += pence
    if side == 0:
        for client_id in set(clients.values()):
            summary.clients[client_id].slips += 1
