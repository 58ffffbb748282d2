"""What if: a week or a worker with another code, rate, hours, pension or year, beside what it is now. Pay-calc works it out and stores
nothing; the page joins the week's charge to it, so that margin moves too."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from paybill_common.http.problems import Problem
from paybill_common.labels import labels_of
from reporting.api.forward import Away, Refused, refusal
from reporting.api.web.context import Visitor, forward_of, page, query_of, reading, visitor
from reporting.api.web.exports import ROWS_MAX, Column, Format, download
from reporting.api.web.overview import WeekPath
from reporting.api.web.records import uuid_or_none
from reporting.api.web.route import PageRoute
from reporting.api.weeks import sunday
from reporting.domain import what_if as rules
from reporting.domain.cells import Cell
from reporting.store import charge_lines
from reporting.store import week as store

router = APIRouter(route_class=PageRoute, include_in_schema=False)
SHOWN = 100
PAGE = 500
FIELDS = (
    "worker_id",
    "client_id",
    "tax_code",
    "ni_letter",
    "tax_year",
    "loan",
    "postgrad",
    "pension",
    "employee_pct",
    "employer_pct",
    "sacrifice",
    "rate_how",
    "rate",
    "rate_code",
    "hours_how",
    "hours",
    "hours_code",
    "levy",
)


def _form(request: Request) -> dict[str, str]:
    given = request.query_params
    return {name: given.get(name, "").replace("\x00", "").strip()[:80] for name in FIELDS}


def _body(form: Mapping[str, str], week: date, changes: Mapping[str, Any]) -> dict[str, Any]:
    worker, client = uuid_or_none(form["worker_id"]), uuid_or_none(form["client_id"])
    select = {"workers": [str(worker)]} if worker else {}
    select |= {"clients": [str(client)]} if client else {}
    return {"week_ending": week.isoformat(), "changes": changes, "select": select}


async def _ask(
    request: Request, who: Visitor, agency_id: UUID, body: Mapping[str, Any], params: Mapping[str, str]
) -> Mapping[str, Any]:
    """Pay-calc's answer. Raises Away or Refused."""
    answer = await forward_of(request).send(
        "pay-calc", "POST", "/pay-runs/what-if", principal=who.principal, agency_id=agency_id, body=body, params=params
    )
    found: Mapping[str, Any] = answer.json()
    return found


async def _pages(
    request: Request, who: Visitor, agency_id: UUID, body: Mapping[str, Any]
) -> AsyncIterator[Mapping[str, Any]]:
    """Every slip, a page at a time; the first page has the summary."""
    params = {"limit": str(PAGE)}
    for _ in range(ROWS_MAX // PAGE):
        found = await _ask(request, who, agency_id, body, params)
        yield found
        if not found["next_cursor"]:
            return
        params = {"limit": str(PAGE), "cursor": found["next_cursor"]}


async def _charges(request: Request, who: Visitor, agency_id: UUID, body: Mapping[str, Any]) -> rules.Charges:
    """How far other hours move what clients are charged; nothing when no hours change."""
    charges = rules.Charges()
    if "hours" not in body["changes"]:
        return charges
    async for found in _pages(request, who, agency_id, body):
        moved = [one for slip in found["items"] for one in slip["quantities"]]
        async with reading(request, agency_id) as tx:
            lines = await charge_lines.of_timesheets(
                tx, agency_id=agency_id, timesheets=[UUID(one["timesheet_id"]) for one in moved]
            )
        charges.add(moved, lines)
    return charges


@router.get("/agencies/{agency_id}/weeks/{week_ending}/what-if")
async def what_if_page(request: Request, agency_id: UUID, week_ending: WeekPath) -> Response:
    """The form, and when it asks something, what would be different: by worker, by client, and the margin."""
    who = await visitor(request)
    who.agency(agency_id)
    week = sunday(week_ending)
    form = _form(request)
    worker_id = uuid_or_none(form["worker_id"])
    async with reading(request, agency_id) as tx:
        margins = await store.margin(tx, agency_id=agency_id, week_ending=week, by="client", most=ROWS_MAX)
        named = await labels_of(tx, kind="worker", ids=[worker_id]) if worker_id else {}
    values: dict[str, Any] = {"away": None, "refused": None, "found": None, "said": [], "wrong": None}
    try:
        changes = rules.changes_of(form)
        values["said"] = rules.said_of(changes)
        if changes:
            body = _body(form, week, changes)
            values["found"] = await _found(request, who, agency_id, body, margins)
    except rules.BadField as error:
        values["wrong"] = [(error.field, error.message)]
    except Away as error:
        values["away"] = str(error)
    except Refused as error:
        values["refused"] = error
        values["wrong"] = [(rules.label_of(one.get("pointer", "")), one.get("detail", "")) for one in error.errors[:8]]
    return await page(
        request,
        who,
        "what_if.html",
        agency_id=agency_id,
        week_ending=week,
        f=form,
        worker=named.get(worker_id, "the worker you came from") if worker_id else None,
        clients=sorted((row for row in margins if row.id), key=lambda row: row.name),
        query=query_of(form),
        shown=SHOWN,
        **values,
    )


async def _found(
    request: Request, who: Visitor, agency_id: UUID, body: Mapping[str, Any], margins: Sequence[Any]
) -> dict[str, Any]:
    answer = await _ask(request, who, agency_id, body, {"order": "difference", "limit": str(SHOWN)})
    charges = await _charges(request, who, agency_id, body)
    summary = answer["summary"]
    return {
        "summary": summary,
        "slips": [rules.slip_of(raw) for raw in answer["items"]],
        "clients": rules.clients_of(summary, margins, charges),
        "totals": rules.totals_of(summary, margins, charges),
        "untaken": [rules.label_of(pointer) for pointer in summary["untaken"]],
        "unknown_charges": charges.unknown,
        "every": sum(summary[name] for name in ("changed", "unchanged", "refused", "held")),
    }


def _amount(side: str, name: str) -> Column:
    label = dict(rules.FIGURES)[name]

    def value(row: rules.SlipMove) -> Cell:
        found: Decimal | None = getattr(row, side).get(name)
        return found

    return f"{label} GBP {side}", value


def _difference(name: str) -> Column:
    return f"{dict(rules.FIGURES)[name]} GBP difference", lambda row: row.move(name).difference


SLIPS: tuple[Column, ...] = (
    ("Worker", lambda row: row.worker),
    ("Worker reference", lambda row: row.reference),
    ("Pay basis", lambda row: row.pay_basis),
    ("State", lambda row: row.state),
    ("Outcome", lambda row: row.outcome),
    ("Why", lambda row: row.why),
    ("Minutes before", lambda row: row.minutes_before),
    ("Minutes after", lambda row: row.minutes_after),
    *(
        column
        for name, _ in rules.FIGURES
        for column in (_amount("before", name), _amount("after", name), _difference(name))
    ),
)
CLIENTS: tuple[Column, ...] = (
    ("Client", lambda row: row.name),
    ("Slips", lambda row: row.slips),
    ("Minutes before", lambda row: row.minutes_before),
    ("Minutes after", lambda row: row.minutes_after),
    ("Cost GBP before", lambda row: row.cost.before),
    ("Cost GBP after", lambda row: row.cost.after),
    ("Cost GBP difference", lambda row: row.cost.difference),
    ("Charge GBP of the week before", lambda row: row.charge.before),
    ("Charge GBP of the week after", lambda row: row.charge.after),
    ("Margin GBP of the week before", lambda row: row.margin.before),
    ("Margin GBP of the week after", lambda row: row.margin.after),
    ("Margin GBP difference", lambda row: row.margin.difference),
)


async def _asked(request: Request, agency_id: UUID, week: date) -> tuple[Visitor, dict[str, Any]]:
    """Who asks, and the body of what the address asks. A problem when it asks nothing."""
    who = await visitor(request)
    who.agency(agency_id)
    form = _form(request)
    try:
        changes = rules.changes_of(form)
    except rules.BadField as error:
        raise Problem(422, "invalid_request", f"{error.field}: {error.message}") from error
    return who, _body(form, week, changes)


@router.get("/agencies/{agency_id}/weeks/{week_ending}/what-if.{kind}")
async def export_slips(request: Request, agency_id: UUID, week_ending: WeekPath, kind: Format) -> Response:
    """Every slip before and after."""
    week = sunday(week_ending)
    who, body = await _asked(request, agency_id, week)
    pages = _pages(request, who, agency_id, body)
    first = await _first(pages)

    async def rows() -> AsyncIterator[list[rules.SlipMove]]:
        yield [rules.slip_of(raw) for raw in first["items"]]
        async for found in pages:
            yield [rules.slip_of(raw) for raw in found["items"]]

    return await download(f"what-if-{week}", kind, SLIPS, rows())


@router.get("/agencies/{agency_id}/weeks/{week_ending}/what-if-clients.{kind}")
async def export_clients(request: Request, agency_id: UUID, week_ending: WeekPath, kind: Format) -> Response:
    """Every client's cost and margin before and after."""
    week = sunday(week_ending)
    who, body = await _asked(request, agency_id, week)
    first = await _first(_pages(request, who, agency_id, body))
    async with reading(request, agency_id) as tx:
        margins = await store.margin(tx, agency_id=agency_id, week_ending=week, by="client", most=ROWS_MAX)
    charges = await _charges(request, who, agency_id, body)

    async def rows() -> AsyncIterator[list[rules.ClientMove]]:
        yield rules.clients_of(first["summary"], margins, charges)

    return await download(f"what-if-clients-{week}", kind, CLIENTS, rows())


async def _first(pages: AsyncIterator[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The first page, before any byte is sent: a refusal is a page of its own."""
    try:
        return await anext(pages)
    except Away as error:
        raise Problem(
            503, "owner_away", str(error), hint="Try again in a moment; the rest of the pages work."
        ) from error
    except Refused as error:
        lines = refusal(error)["lines"]
        raise Problem(error.status, error.code, error.detail, hint=error.hint or "; ".join(lines) or None) from error
