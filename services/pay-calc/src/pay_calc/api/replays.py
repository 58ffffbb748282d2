"""What the nightly replay of closed pay runs found: for operators, without figures."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel

from pay_calc.store import replays
from pay_calc.usecases.nightly_replay import night_of
from pay_calc.usecases.replay import load_json
from paybill_common.auth import Principal
from paybill_common.http.paging import Cursor, Limit, Page, decode_cursor, encode_cursor
from paybill_common.http.problems import ERROR_RESPONSES, invalid
from paybill_common.http.route import TxDep, TxRoute, require

router = APIRouter(prefix="/v1/ops", route_class=TxRoute, responses=ERROR_RESPONSES, tags=["operations"])
SHOWN_MAX = 100


class NotAgreeingOut(BaseModel):
    """A run whose last replay did not agree. `differing`: payslips that came out otherwise. `not_available`: payslips made by an engine or
    figures that this release does not carry."""

    agency_id: UUID
    pay_run_id: UUID
    week_ending: date
    night: date
    state: Literal["differs", "not_available"]
    checked_at: datetime
    payslips: int
    differing: int
    not_available: int


class ClosedRunOut(BaseModel):
    """A closed pay run; `state`, `night` and `checked_at` null: no night has replayed it yet."""

    agency_id: UUID
    pay_run_id: UUID
    week_ending: date
    night: date | None
    state: Literal["agrees", "differs", "not_available"] | None
    checked_at: datetime | None


class ReplaysOut(BaseModel):
    """Closed pay runs of the caller's agencies by what their last nightly replay found; `waiting` have had none. `items`: the first 100
    that did not agree. `due_at`: when the last night began."""

    state: Literal["agrees", "differs", "not_available", "waiting"]
    due_at: datetime
    checked_at: datetime | None
    runs: int
    agrees: int
    differs: int
    not_available: int
    waiting: int
    items: list[NotAgreeingOut]


@router.get("/replays")
async def nightly_replays(request: Request, tx: TxDep, principal: Principal = require("ops:admin")) -> ReplaysOut:
    """What the nightly replay of every closed pay run found."""
    agencies = sorted(principal.agencies)
    found = await replays.counts(tx, agencies=agencies)
    waiting = found.runs - found.agrees - found.differs - found.not_available
    _, due_at = night_of(tx.now, request.app.state.settings.replay_hour)
    return ReplaysOut(
        state="differs"
        if found.differs
        else "not_available"
        if found.not_available
        else "agrees"
        if found.agrees
        else "waiting",
        due_at=due_at,
        checked_at=found.checked_at,
        runs=found.runs,
        agrees=found.agrees,
        differs=found.differs,
        not_available=found.not_available,
        waiting=waiting,
        items=[_item(row) for row in await replays.not_agreeing(tx, agencies=agencies, most=SHOWN_MAX)],
    )


@router.get("/replays/runs")
async def closed_runs(
    tx: TxDep,
    pay_run_id: UUID | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
    principal: Principal = require("ops:admin"),
) -> Page[ClosedRunOut]:
    """The closed pay runs of the caller's agencies, each with what its last nightly replay found: all that can be replayed."""
    parts = decode_cursor(cursor, parts=2)
    try:
        after = None if parts is None else (UUID(parts[0]), UUID(parts[1]))
    except ValueError as error:
        raise invalid("bad_cursor", "The cursor is not one that this list gave.", pointer="query:/cursor") from error
    rows = await replays.closed_runs(
        tx, agencies=sorted(principal.agencies), pay_run_id=pay_run_id, after=after, most=limit + 1
    )
    shown = rows[:limit]
    return Page(
        items=[ClosedRunOut.model_validate(dict(row._mapping)) for row in shown],
        next_cursor=encode_cursor(shown[-1].agency_id, shown[-1].pay_run_id) if len(rows) > limit else None,
    )


def _item(row: Any) -> NotAgreeingOut:
    values = dict(row._mapping)
    result = load_json(values.pop("result"))
    return NotAgreeingOut(
        **values,
        payslips=result["payslips"],
        differing=result["differing"],
        not_available=sum(one["payslips"] for one in result["not_available"]),
    )
