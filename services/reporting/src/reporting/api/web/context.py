"""What every page needs: who is here, as which agency, one transaction, templates, and errors as pages."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from paybill_common.auth import Principal
from paybill_common.clock import london_date
from paybill_common.db import Database, Tx
from paybill_common.http.problems import Problem
from paybill_common.money import from_pence
from paybill_common.periods import week_ending_of
from reporting.api.forward import Forward
from reporting.domain import show, words, work
from reporting.domain.work import Asked
from reporting.store import lists, sessions
from reporting.store import week as week_store
from reporting.store import work as work_store
from reporting.usecases.clients import Clients, Grant

HERE = Path(__file__).parents[2]
COOKIE = "paybill_session"
AGENCIES_SECONDS = 5
FLASH_MAX = 8_000
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; object-src 'none'; "
        "frame-src 'self'; frame-ancestors 'self'; base-uri 'none'; form-action 'self'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class SignInNeeded(Exception):
    """Nobody is signed in; `next_path` is where they wanted to go."""

    def __init__(self, next_path: str) -> None:
        super().__init__("Sign in first.")
        self.next_path = next_path


@dataclass(frozen=True)
class Visitor:
    """A signed-in person and what they may see."""

    principal: Principal
    session: sessions.Session
    agencies: tuple[Any, ...]
    """Rows of agency_id, reference, bureau_id, name, by name."""
    consultants: frozenset[UUID] = frozenset()

    def may(self, scope: str) -> bool:
        return scope in self.principal.scopes

    def agency(self, agency_id: UUID) -> Any:
        """The agency, or a problem when it is not this person's."""
        for agency in self.agencies:
            if agency.agency_id == agency_id:
                return agency
        if agency_id in self.principal.agencies:
            return Unnamed(agency_id)
        raise Problem(403, "agency_not_yours", "You have no right to this agency.", hint="Switch to one of yours.")


@dataclass(frozen=True)
class Unnamed:
    """An agency of which no fact has arrived yet."""

    agency_id: UUID
    name: str = "Agency without facts yet"
    reference: str = ""
    bureau_id: UUID | None = None


def database(request: Request) -> Database:
    found: Database = request.app.state.api_database
    return found


def now(request: Request) -> datetime:
    found: datetime = request.app.state.clock.now()
    return found


@asynccontextmanager
async def reading(request: Request, *agencies: UUID) -> AsyncIterator[Tx]:
    """A read-only transaction that sees these agencies alone."""
    async with database(request).transaction(now=now(request), agencies=agencies, read_only=True) as tx:
        yield tx


async def visitor(request: Request) -> Visitor:
    """Who is signed in. Raises SignInNeeded."""
    token = request.cookies.get(COOKIE, "")
    if token:
        async with database(request).transaction(now=now(request), agencies=[]) as tx:
            session = await sessions.find_session(tx, token)
        if session is not None:
            clients: Clients = request.app.state.clients
            grant = clients.person([session.subject])
            if grant is not None:
                return await _visitor(request, session, grant)
    raise SignInNeeded(local_path(str(request.url.path) + (f"?{request.url.query}" if request.url.query else "")))


async def _visitor(request: Request, session: sessions.Session, grant: Grant) -> Visitor:
    known = await _agencies(request)
    allowed = {row.agency_id for row in known} if grant.every_agency else set()
    allowed |= grant.agencies
    principal = Principal(grant.subject, grant.name, grant.scopes, frozenset(allowed), grant.every_agency)
    mine = tuple(row for row in known if row.agency_id in allowed)
    return Visitor(principal, session, mine, grant.consultants)


async def _agencies(request: Request) -> list[Any]:
    """Every agency's name, read at most every few seconds; each page shows only the visitor's own."""
    kept: tuple[float, list[Any]] | None = getattr(request.app.state, "agency_names", None)  # not money: a moment
    if kept is not None and time.monotonic() - kept[0] < AGENCIES_SECONDS:
        return kept[1]
    worker: Database = request.app.state.worker_database
    async with worker.transaction(now=now(request)) as tx:
        found = await lists.agencies(tx)
    request.app.state.agency_names = (time.monotonic(), found)
    return found


def local_path(path: str) -> str:
    """The path if it is one of ours, else the front page: a link never sends a person elsewhere."""
    ours = path.startswith("/") and not path.startswith(("//", "/\\")) and not any(ord(c) < 32 for c in path)
    return path if ours else "/"


def check_csrf(who: Visitor, given: str | None) -> None:
    """Refuse a form that did not come from one of our pages."""
    if not given or not secrets.compare_digest(given.encode(), who.session.csrf.encode()):
        raise Problem(
            403,
            "form_out_of_date",
            "This form is out of date or came from elsewhere.",
            hint="Reload the page and try again.",
        )


@cache
def templates() -> Environment:
    """The Jinja2 environment: escapes everything, refuses unknown names."""
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in ("money", "pounds", "hours", "hours_decimal", "count", "percent", "day", "full_day", "moment"):
        environment.filters[name] = getattr(show, name)
    for name in ("full_moment", "age", "rate"):
        environment.filters[name] = getattr(show, name)
    environment.filters["week"] = show.week
    environment.filters["lasts"] = work.lasts
    environment.filters["from_pence"] = from_pence
    environment.filters["plain"] = words.plain
    environment.globals.update(
        words=words,
        svg=Markup,
        new_key=lambda: secrets.token_urlsafe(12),
        asset=asset,
    )
    return environment


@cache
def asset(name: str) -> str:
    """A static file's path with its content's mark, so that browsers keep it for a year and never too long."""
    import hashlib

    mark = hashlib.sha256((HERE / "static" / name).read_bytes()).hexdigest()[:10]
    return f"/static/{name}?v={mark}"


def url_with(request: Request) -> Callable[..., str]:
    """`here(page=2)`: this page's address with some of its query changed; None removes, lists repeat."""

    def here(**changes: Any) -> str:
        query: dict[str, Any] = {}
        for key in request.query_params:
            values = request.query_params.getlist(key)
            query[key] = values if len(values) > 1 else values[0]
        query.update(changes)
        kept = {key: value for key, value in query.items() if value not in (None, "", [])}
        return f"{request.url.path}?{urlencode(kept, doseq=True)}" if kept else request.url.path

    return here


async def page(
    request: Request,
    who: Visitor,
    template: str,
    *,
    agency_id: UUID | None = None,
    week_ending: date | None = None,
    status: int = 200,
    **values: Any,
) -> HTMLResponse:
    """Render a page, or only its main part when HTMX asked for it."""
    fragment = request.headers.get("hx-request") == "true" and request.headers.get("hx-boosted") != "true"
    flash = None if fragment else await _flash(request, who)
    if agency_id is None:
        agency_id = _acting(request, who)
    agency = who.agency(agency_id) if agency_id is not None else None
    jobs = await _under_way(request, who, agency_id) if agency_id is not None and not fragment else []
    business = now(request)
    html = (
        templates()
        .get_template(template)
        .render(
            request=request,
            who=who,
            agency=agency,
            week=week_ending,
            this_week=week_ending_of(london_date(business)),
            csrf=who.session.csrf,
            flash=flash,
            typed=(flash or {}).get("typed") or {},
            jobs=jobs,
            now=business,
            here=url_with(request),
            fragment=fragment,
            timedelta=timedelta,
            **values,
        )
    )
    return HTMLResponse(html, status_code=status, headers=HEADERS)


async def _flash(request: Request, who: Visitor) -> Any | None:
    """What the last command said, once: only a whole page says it, so no part of a page in another tab may take it."""
    if not who.session.flash:
        return None
    async with database(request).transaction(now=now(request), agencies=[]) as tx:
        await sessions.set_flash(tx, who.session.token_sha256, None)
    return json.loads(who.session.flash)


async def _under_way(request: Request, who: Visitor, agency_id: UUID) -> list[Asked]:
    """The agency's commands that outlast a request, and whose outcome this person may read."""
    async with reading(request, agency_id) as tx:
        found = await work_store.spoken_of(tx, agency_id=agency_id)
    return [one for one in found if one.kind is None or who.may(one.kind.right)]


def _acting(request: Request, who: Visitor) -> UUID | None:
    """The agency that a page of no agency keeps in sight: the one it was opened from, or the only one."""
    asked = request.query_params.get("agency", "")
    for known in who.agencies:
        if str(known.agency_id) == asked or len(who.agencies) == 1:
            found: UUID = known.agency_id
            return found
    return None


async def newest_week(tx: Tx, request: Request, agency_id: UUID) -> date:
    """The week to open: the newest one with timesheets, else the one that ended last."""
    weeks = await week_store.weeks_of(tx, agency_id=agency_id, most=1)
    return weeks[0] if weeks else week_ending_of(london_date(now(request))) - timedelta(days=7)


def error_page(request: Request, problem: Problem, instance: str) -> Response:
    """What went wrong, what to do, and an id; JSON readers get the problem itself elsewhere."""
    html = (
        templates()
        .get_template("error.html")
        .render(
            problem=problem, instance=instance, request=request, fragment=request.headers.get("hx-request") == "true"
        )
    )
    return HTMLResponse(html, status_code=problem.status, headers=HEADERS)


def redirect(path: str) -> RedirectResponse:
    return RedirectResponse(path, status_code=303, headers={"Cache-Control": "no-store"})


async def say(request: Request, who: Visitor, tone: str, text: str, **more: Any) -> None:
    """Remember a message for the next page."""
    message = json.dumps({"tone": tone, "text": text, **more}, default=str, ensure_ascii=False)
    if len(message) > FLASH_MAX:
        message = json.dumps({"tone": tone, "text": text[: FLASH_MAX // 2]}, ensure_ascii=False)
    async with database(request).transaction(now=now(request), agencies=[]) as tx:
        await sessions.set_flash(tx, who.session.token_sha256, message)


def forward_of(request: Request) -> Forward:
    found: Forward = request.app.state.forward
    return found


def query_of(values: Mapping[str, Any]) -> str:
    return urlencode({key: value for key, value in values.items() if value not in (None, "")})
