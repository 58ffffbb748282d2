"""Live numbers: server-sent events that carry only what a page shows, when a fact changed it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy.exc import DBAPIError

from paybill_common.db import Database
from reporting.api.web.context import visitor
from reporting.api.web.route import PageRoute
from reporting.domain import show
from reporting.store import lists
from reporting.store import week as store
from reporting.usecases.week import read_week

router = APIRouter(route_class=PageRoute, include_in_schema=False)
POLL_S = 1.0
BEAT_S = 15.0
LIFE_S = 1_800.0
WATCHERS_MAX = 200
_COUNTS = (
    *("expected", "not_sent", "unapproved", "rejected_open", "approved", "held", "pay_held", "bill_held"),
    *("waiting", "drafted", "paid", "bill_ready", "billed"),
)


class Live:
    """One reader a watched week, however many pages look at it; stops when nobody does."""

    def __init__(self, database: Database, clock: Any) -> None:
        self._database = database
        self._clock = clock
        self._cache: dict[tuple[UUID, date | None], tuple[float, dict[str, Any]]] = {}
        self._locks: dict[tuple[UUID, date | None], asyncio.Lock] = {}
        self.watchers = 0
        self.stopping = asyncio.Event()

    async def numbers(self, agency_id: UUID, week_ending: date | None, *, anew: bool = False) -> dict[str, Any]:
        """The week's numbers as they are shown, at most one reading a second. `anew`: no older than this call, for a page that was just
        made and must not be set back to what was read before it."""
        key = (agency_id, week_ending)
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            kept = self._cache.get(key)
            if kept is not None and not anew and time.monotonic() - kept[0] < POLL_S:
                return kept[1]
            facts = kept[1]["facts"] if kept else -1
            async with self._database.transaction(now=self._clock.now(), agencies=[agency_id], read_only=True) as tx:
                pulse = await store.pulse(tx, agency_id=agency_id)
                if kept is not None and pulse is not None and pulse.facts == facts:
                    news = kept[1]
                else:
                    news = await read_numbers(tx, agency_id, week_ending, pulse)
            if len(self._cache) > 500:
                self._cache.clear()
            self._cache[key] = (time.monotonic(), news)
            return news


async def read_numbers(tx: Any, agency_id: UUID, week_ending: date | None, pulse: Any) -> dict[str, Any]:
    """Every live number of a week, as the pages write it."""
    words = f"Live; last fact {show.moment(pulse.last_fact_at)}" if pulse else "Live; no fact yet"
    facts = pulse.facts if pulse else 0
    if week_ending is None:
        return {"facts": facts, "words": words, "values": {}, "counts": {}}
    week = await read_week(tx, agency_id=agency_id, week_ending=week_ending, with_tie_out=False)
    t, r = week.totals, week.runs
    values = {name: show.count(getattr(t, name)) for name in _COUNTS}
    values |= {f"stage_{stage.key}": show.money(stage.amount_gbp) for stage in week.funnel}
    values |= {name: show.money(getattr(t, name)) for name in ("pay_gbp", "charge_gbp")}
    values |= {name: show.money(getattr(r, name)) for name in _MONEY}
    values["margin_gbp"] = show.money(week.margin_gbp)
    documents = await lists.documents(
        tx, agency_id=agency_id, wanted=lists.DocumentFilter(week_ending=week_ending), sort="number", offset=0, most=1
    )
    counts = {"expected": t.expected, "held": t.held, "documents": documents.total}
    return {"facts": facts, "words": words, "values": values, "counts": counts}


_MONEY = ("gross_gbp", "net_gbp", "charge_net_gbp", "vat_gbp", "cash_gbp")


@router.get("/events")
async def events(
    request: Request,
    agency: UUID,
    week: Annotated[date | None, Query(ge=date(2000, 1, 2), le=date(2100, 12, 26))] = None,
) -> Response:
    """A stream of changed numbers of one agency's week."""
    who = await visitor(request)
    who.agency(agency)
    live: Live = request.app.state.live
    if live.watchers >= WATCHERS_MAX:
        return Response(status_code=503, headers={"Retry-After": "30"})
    return StreamingResponse(
        stream(live, agency, week),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def stream(live: Live, agency: UUID, week: date | None) -> AsyncIterator[str]:
    """`numbers` events when something changed, comments in between; ends by itself after half an hour."""
    live.watchers += 1
    sent = -1
    started = beat = time.monotonic()
    try:
        yield "retry: 2000\n\n"
        while time.monotonic() - started < LIFE_S and not live.stopping.is_set():
            try:
                news = await live.numbers(agency, week, anew=sent == -1)
            except (DBAPIError, OSError, TimeoutError):
                await asyncio.sleep(POLL_S)
                continue
            if news["facts"] != sent:
                changed = sent != -1
                sent = news["facts"]
                beat = time.monotonic()
                yield f"event: numbers\ndata: {json.dumps({**news, 'changed': changed})}\n\n"
            elif time.monotonic() - beat > BEAT_S:
                beat = time.monotonic()
                yield ": still here\n\n"
            await asyncio.sleep(POLL_S)
    finally:
        live.watchers -= 1
