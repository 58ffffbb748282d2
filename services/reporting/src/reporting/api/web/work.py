"""Long work: pay runs that close and invoices that are issued, each with a page that lives by what its owner tells.

Nothing here keeps the progress: a closed browser, another one, or a restart of this service show the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from paybill_common.db import Tx
from reporting.api.forward import Away, Refused
from reporting.api.web.context import Visitor, newest_week, page, reading, visitor
from reporting.api.web.imports import rows_of
from reporting.api.web.overview import Act, WeekPath
from reporting.api.web.records import ask, left_out_of
from reporting.api.web.route import PageRoute
from reporting.api.weeks import sunday
from reporting.domain import show, words
from reporting.domain import work as rules
from reporting.domain.file_import import FileImport
from reporting.domain.tidy import Fact
from reporting.domain.work import PAY_RUN, Asked, Kind, Run
from reporting.store import imports as import_store
from reporting.store import week as week_store
from reporting.store import work as store

router = APIRouter(route_class=PageRoute, include_in_schema=False)
LISTED = 12
ASKED_LISTED = 20
LEFT_OUT_SHOWN = 50
STEP = 10
"""A listener hears of every tenth, not of every look."""
KindPath = Literal["pay-run", "invoice-run"]


@dataclass(frozen=True)
class Told:
    """What the owner tells of one kind of work, or why it does not. `lacks`: the right that the person needs to be told."""

    runs: Sequence[Run] = ()
    away: str | None = None
    refused: Refused | None = None
    lacks: str = ""

    @property
    def answered(self) -> bool:
        return not (self.away or self.refused or self.lacks)


@dataclass(frozen=True)
class Row:
    """One line of the list. `key` stays the same from look to look, so that the row keeps the focus."""

    key: str
    href: str
    what: str
    state: words.State
    percent: int | None
    progress: str
    began_at: datetime
    by: str
    outcome: str
    moving: bool
    order: tuple[bool, datetime]


@router.get("/agencies/{agency_id}/progress")
async def work_page(request: Request, agency_id: UUID) -> Response:
    """What is under way in the agency, whoever began it, and what ended lately."""
    who = await visitor(request)
    who.agency(agency_id)
    async with reading(request, agency_id) as tx:
        week = await newest_week(tx, request, agency_id)
        asked = await store.latest(tx, agency_id=agency_id, most=ASKED_LISTED)
        files = await import_store.latest(tx, agency_id=agency_id, most=LISTED)
        at = await store.real_now(tx)
    told = {kind: await _told(request, who, agency_id, kind, {"limit": str(LISTED)}) for kind in rules.KINDS.values()}
    rows = _rows(agency_id, told, asked, at, names=lambda subject: name_of(request, subject))
    rows = sorted([*rows, *_file_rows(agency_id, files, at)], key=lambda row: row.order, reverse=True)
    return await page(
        request,
        who,
        "work.html",
        agency_id=agency_id,
        week_ending=week,
        rows=rows,
        moving=any(row.moving for row in rows) or any(one.away for one in told.values()),
        told=told,
    )


@router.get("/agencies/{agency_id}/progress/{kind}/{week_ending}")
async def work_run_page(
    request: Request,
    agency_id: UUID,
    kind: KindPath,
    week_ending: WeekPath,
    said: Annotated[int, Query(ge=-1, le=101)] = -1,
) -> Response:
    """How far one week's run is, how fast, how long it still takes, whom it leaves out, and what comes after it."""
    who = await visitor(request)
    who.agency(agency_id)
    week, of = sunday(week_ending), rules.KINDS[kind]
    told = await _told(request, who, agency_id, of, {"week_ending": str(week)})
    run = told.runs[0] if told.runs else None
    left_raw = await _left_out_raw(request, who, agency_id, of, run)
    async with reading(request, agency_id) as tx:
        asked = await store.newest(tx, agency_id=agency_id, command=of.command, week_ending=week)
        at = await store.real_now(tx)
        closed = await _closed(tx, agency_id, of, week) if told.away else []
        left_out = await left_out_of(tx, {"left_out": left_raw[:LEFT_OUT_SHOWN]})
    state = rules.state_of(run, runs=len(told.runs), asked=asked, now=at)
    failed = state if state in ("refused", "unheard") else ""
    if told.lacks or told.refused:
        state, failed = "untold", ""
    elif told.away:
        if asked is None or asked.failure is None or len(closed) > asked.runs_before:
            failed = ""
        state = failed if failed and not closed else "away"
    elif failed and run is not None:
        state = "done"  # an earlier run of the week is closed, whatever became of the last command
    done = 0 if run is None else rules.percent(run.done, run.total)
    step = 101 if state == "done" else done // STEP * STEP
    moving = state in rules.MOVING or told.away is not None
    base = f"/agencies/{agency_id}/weeks/{week}"
    return await page(
        request,
        who,
        "work_run.html",
        agency_id=agency_id,
        week_ending=week,
        kind=of,
        heading=of.name
        if state == "away" and (asked is None or closed or not asked.running)
        else heading_of(of, state),
        closed=closed[0] if closed else None,
        state=state,
        failed=failed,
        word=rules.STATES.get(state, words.State("No answer", "blocked" if state == "away" else "none")),
        told=told,
        run=run if state in ("running", "still", "done") else None,
        asked=asked,
        by=_by(request, run, asked),
        facts=_facts(of, run, state, at) if run is not None and state in ("running", "still", "done") else [],
        percent=done,
        still=None if run is None or run.moved_at is None else at - run.moved_at,
        since=None if asked is None else at - asked.began_at,
        left_out=left_out,
        left_out_total=len(left_raw),
        parked=sum(row.get("reason") == "parked_events" for row in left_raw),
        moving=moving,
        step=step,
        news=said != step,
        next_acts=_next(of, run, base) if state == "done" else [],
        form=f"{base}/{'pay#close' if of is PAY_RUN else 'invoices#issue'}",
        base=base,
        own_work=True,
    )


async def _told(request: Request, who: Visitor, agency_id: UUID, kind: Kind, params: Mapping[str, str]) -> Told:
    """The owner's runs, newest first. An owner that fails is away: it is asked again."""
    if not who.may(kind.right):
        return Told(lacks=kind.right)
    answer, away, refused = await ask(request, who, agency_id, kind.service, kind.path, params)
    if refused is not None and refused.status >= 500:
        away, refused = str(Away(kind.service, f"it only says that it failed ({refused.status})")), None
    items = answer.get("items") if isinstance(answer, Mapping) else None
    runs = [rules.run_of(kind, item) for item in items or [] if isinstance(item, Mapping)]
    return Told(runs, away, refused)


async def _closed(tx: Tx, agency_id: UUID, kind: Kind, week: date) -> Sequence[Any]:
    """The week's runs that the facts here tell of, newest first, for when their owner is away."""
    runs_of = week_store.pay_runs if kind is PAY_RUN else week_store.invoice_runs
    return await runs_of(tx, agency_id=agency_id, week_ending=week)


async def _left_out_raw(
    request: Request, who: Visitor, agency_id: UUID, kind: Kind, run: Run | None
) -> list[Mapping[str, Any]]:
    """Whom the run leaves out so far, as its owner tells it."""
    if run is None:
        return []
    if kind is not PAY_RUN:
        workers = run.raw.get("left_out_workers") or []
        return [{"worker_id": worker, "outcome": "left_out", "reason": "parked_events"} for worker in workers]
    answer, _, _ = await ask(request, who, agency_id, kind.service, f"{kind.path}/{run.raw.get('pay_run_id')}")
    rows = answer.get("left_out") if isinstance(answer, Mapping) else None
    return [row for row in rows or [] if isinstance(row, Mapping)]


def heading_of(kind: Kind, state: str) -> str:
    """What the page is about, in the tense of its state."""
    if state == "untold":
        return kind.name
    if state in ("refused", "unheard"):
        return kind.refused
    return {"done": kind.over, "none": kind.never}.get(state, kind.running)


def name_of(request: Request, subject: str) -> str:
    """The name of a person, or what a program calls itself."""
    grant = request.app.state.clients.person([subject])
    return grant.name if grant is not None else subject


def _by(request: Request, run: Run | None, asked: Asked | None) -> str:
    if run is not None and run.opened_by:
        return name_of(request, run.opened_by)
    return asked.name if asked is not None else ""


def _facts(kind: Kind, run: Run, state: str, at: datetime) -> list[Fact]:
    """The figures of a run, as far as there are any."""
    raw = run.raw

    def money(label: str, key: str) -> Fact:
        return Fact(label, show.money(Decimal(str(raw.get(key) or 0))))

    def number(label: str, key: str) -> Fact:
        return Fact(label, show.count(int(raw.get(key) or 0)))

    def hours(label: str, key: str) -> Fact:
        minutes = int(raw.get(key) or 0)
        return Fact(label, show.hours(minutes), title=show.hours_decimal(minutes))

    pace = Fact("Rate", rules.rate(run, kind.unit))
    if run.open:
        left = None if state == "still" else rules.left(run, now=at)
        facts = [pace, Fact("Time left", rules.lasts(left, about=True))]
        if kind is not PAY_RUN:
            facts += [number("Invoices so far", "invoices"), money("Net so far £", "net_gbp")]
        return facts
    if kind is PAY_RUN:
        facts = [number("Payslips", "payslips"), number("Self-bills", "self_bills"), money("Gross £", "gross_gbp")]
        facts += [money("Net £", "net_gbp"), hours("Hours paid", "paid_minutes"), hours("Hours held", "held_minutes")]
    else:
        facts = [number("Invoices", "invoices"), number("Credit notes", "credit_notes"), money("Net £", "net_gbp")]
        facts += [
            money("VAT £", "vat_gbp"),
            hours("Hours billed", "billed_minutes"),
            hours("Hours held", "held_minutes"),
        ]
    return [*facts, Fact("Took", rules.lasts(rules.took(run))), pace]


def _next(kind: Kind, run: Run | None, base: str) -> list[Act]:
    """What comes after it; the first is the primary one."""
    if kind is not PAY_RUN:
        return [Act("invoices", f"{base}/invoices", "See the invoices"), Act("week", base, "Back to the week")]
    run_id = "" if run is None else run.raw.get("pay_run_id")
    return [
        Act("file", f"{base}/pay#file", "Payment file"),
        Act("payslips", f"{base}/payslips?pay_run_id={run_id}", "Its payslips"),
        Act("invoices", f"{base}/invoices", "Invoices"),
        Act("week", base, "Back to the week"),
    ]


def _rows(agency_id: UUID, told: Mapping[Kind, Told], asked: Sequence[Asked], at: datetime, *, names: Any) -> list[Row]:
    """Runs as their owners tell them, and commands that no run answers; what moves first, then the newest."""
    rows: list[Row] = []
    for kind, found in told.items():
        for run in found.runs:
            state = rules.state_of(run, runs=1, asked=None, now=at)
            week = date.fromisoformat(str(run.raw["week_ending"]))
            began = run.opened_at or at
            rows.append(
                Row(
                    key=f"{kind.key}-{run.raw.get(kind.run_id) or week}",
                    href=f"/agencies/{agency_id}/progress/{kind.key}/{week}",
                    what=f"{heading_of(kind, state)}, {show.week(week)}",
                    state=rules.STATES[state],
                    percent=rules.percent(run.done, run.total) if run.open else None,
                    progress=f"{show.count(run.done)} of {show.count(run.total)} {kind.unit}"
                    if run.open
                    else f"{show.count(run.total)} {kind.unit}",
                    began_at=began,
                    by=names(run.opened_by),
                    outcome=rules.rate(run, kind.unit),
                    moving=run.open,
                    order=(run.open, began),
                )
            )
    for one in asked:
        found = told[one.kind] if one.kind else Told()
        of_week = [run for run in found.runs if str(run.raw["week_ending"]) == str(one.week_ending)]
        over = not one.running or len(of_week) > one.runs_before or any(run.open for run in of_week)
        if found.lacks or (of_week and over and one.failure is None):
            continue
        rows.append(_asked_row(agency_id, one, at, answered=one.kind is not None and found.answered))
    return sorted(rows, key=lambda row: row.order, reverse=True)


def _file_rows(agency_id: UUID, files: Sequence[FileImport], at: datetime) -> list[Row]:
    """Files that are imported, as lines of the list."""
    return [
        Row(
            key=row.key,
            href=row.href,
            what=row.what,
            state=row.state,
            percent=row.percent,
            progress=row.progress,
            began_at=row.file.asked_at,
            by=row.file.name,
            outcome=row.outcome,
            moving=not row.file.over,
            order=(not row.file.over, row.file.asked_at),
        )
        for row in rows_of(agency_id, files, at)
    ]


def _asked_row(agency_id: UUID, one: Asked, at: datetime, *, answered: bool) -> Row:
    """A command that no run answers. That nothing was begun is known only if the owner of its runs has `answered`."""
    late = one.running and at - one.began_at > rules.HEARD
    silent = "unheard" if answered else "silent"
    state = "refused" if one.failure is not None else "done" if not one.running else silent if late else "running"
    href = f"/agencies/{agency_id}/progress/{one.kind.key}/{one.week_ending}" if one.kind and one.week_ending else ""
    return Row(
        key=f"asked-{one.work_id}",
        href=href,
        what=one.words.rstrip("."),
        state=rules.STATES[state],
        percent=None,
        progress="",
        began_at=one.asked_at,
        by=one.name,
        outcome=one.outcome or "",
        moving=state == "running",
        order=(state == "running", one.asked_at),
    )
