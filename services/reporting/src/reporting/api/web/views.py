"""Keeping and forgetting a person's named views of the timesheets list."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response

from paybill_common.http.problems import Problem, invalid
from reporting.api.web.context import check_csrf, database, local_path, now, redirect, say, visitor
from reporting.api.web.route import PageRoute
from reporting.store import views

router = APIRouter(route_class=PageRoute, include_in_schema=False)
VIEWS_MAX = 30
KEPT = frozenset(
    {
        *("status", "pay_state", "bill_state", "held", "reason", "branch", "pay_basis", "q"),
        *("client_id", "worker_id", "consultant_id", "sort", "cols"),
    }
)
"""What of an address is a view: not the page number, and not the week, so that a view serves every week."""

Name = Annotated[str, Form(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f]*$")]
Text = Annotated[str, Form(max_length=2_000)]


def view_query(raw: str) -> str:
    """The filter, order and columns of an address, in one spelling."""
    return urlencode(sorted((key, value) for key, value in parse_qsl(raw) if key in KEPT))


@router.post("/agencies/{agency_id}/views")
async def keep(
    request: Request, agency_id: UUID, name: Name, query: Text = "", csrf: Text = "", back: Text = "/"
) -> Response:
    """Name the list that is on the screen; the same name again replaces it."""
    who = await visitor(request)
    who.agency(agency_id)
    check_csrf(who, csrf)
    view = views.View(name.strip(), view_query(query))
    if not view.name or not view.query:
        raise invalid("view_empty", "A view needs a name and a filter.", pointer="#/name", hint="Filter, then name it.")
    subject = who.principal.subject
    async with database(request).transaction(now=now(request), agencies=[agency_id]) as tx:
        known = {one.name for one in await views.views_of(tx, agency_id=agency_id, subject=subject)}
        if len(known | {view.name}) > VIEWS_MAX:
            raise Problem(409, "too_many_views", f"You have {VIEWS_MAX} views already.", hint="Forget one first.")
        await views.keep_view(tx, agency_id=agency_id, subject=subject, view=view)
    await say(request, who, "done", f"“{view.name}” is kept; it shows this filter in every week.")
    return redirect(local_path(back))


@router.post("/agencies/{agency_id}/views/forget")
async def forget(request: Request, agency_id: UUID, name: Name, csrf: Text = "", back: Text = "/") -> Response:
    """Forget a view. Forgetting twice is harmless."""
    who = await visitor(request)
    who.agency(agency_id)
    check_csrf(who, csrf)
    async with database(request).transaction(now=now(request), agencies=[agency_id]) as tx:
        await views.drop_view(tx, agency_id=agency_id, subject=who.principal.subject, name=name)
    await say(request, who, "done", f"“{name}” is forgotten.")
    return redirect(local_path(back))
