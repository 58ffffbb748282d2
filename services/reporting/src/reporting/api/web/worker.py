"""A worker's own page behind a signed link, without a login; and the button that sends it. Opening it only shows."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from paybill_common.auth import Principal
from paybill_common.clock import LONDON, london_date
from paybill_common.http.problems import Problem
from reporting.api.forward import Away, Refused, refusal
from reporting.api.web.commands import texts
from reporting.api.web.context import (
    HEADERS,
    check_csrf,
    forward_of,
    local_path,
    now,
    reading,
    redirect,
    say,
    templates,
    visitor,
)
from reporting.api.web.route import PageRoute
from reporting.domain import explained, for_worker, show
from reporting.store import worker as store
from reporting.usecases.worker_links import LINK_SECONDS, BadLink, NoKey, WorkerLink, WorkerLinks

router = APIRouter(route_class=PageRoute, include_in_schema=False)
SHEETS_MAX = 60
SLIPS_MAX = 30
TOKEN_CHARACTERS_MAX = 200
PAGE_HEADERS = {
    **HEADERS,
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self'; form-action 'none'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
}
"""The address is the secret: it is told to nobody, kept by no cache, and no script runs beside it."""


@dataclass(frozen=True)
class Opened:
    """Whose page this is, by a link that was checked."""

    link: WorkerLink
    token: str
    worker: str
    agency: str

    @property
    def base(self) -> str:
        return f"/my/{self.token}"


class Gone(BadLink):
    """The link is right, and there is nothing of this worker here."""


@router.get("/my/{token}")
async def own_page(request: Request, token: str) -> Response:
    """Where each timesheet is and what each week paid, newest first."""
    try:
        opened = await _open(request, token)
    except BadLink as error:
        return _refused(error)
    link = opened.link
    async with reading(request, link.agency_id) as tx:
        sheets = await store.timesheets(tx, agency_id=link.agency_id, worker_id=link.worker_id, most=SHEETS_MAX)
        slips = await store.payslips(tx, agency_id=link.agency_id, worker_id=link.worker_id, most=SLIPS_MAX)
    return _page("my.html", opened=opened, weeks=weeks_of(sheets, slips, london_date(now(request))))


@router.get("/my/{token}/payslips/{payslip_id}")
async def own_payslip(request: Request, token: str, payslip_id: UUID) -> Response:
    """One payslip: every figure with its reason in words, from pay-calc, with this worker's rights alone."""
    try:
        opened = await _open(request, token)
        row = await _own_slip(request, opened, payslip_id)
    except BadLink as error:
        return _refused(error)
    told: tuple[explained.Told, ...] = ()
    answer: Mapping[str, Any] = {}
    trouble = ""
    try:
        found = (await _ask(request, opened, f"/payslips/{payslip_id}/explanation")).json()
        answer = found if isinstance(found, Mapping) else {}
        told = explained.told(answer)
    except Away:
        trouble = (
            "Why each figure is what it is cannot be shown just now. The figures are right; try again in a few minutes."
        )
    except Refused:
        trouble = "Nothing is worked out yet for this pay."
    return _page(
        "my_payslip.html",
        opened=opened,
        p=slip_of(row, london_date(now(request))),
        told=told,
        trouble=trouble,
        differs=bool(answer) and answer.get("agrees") is False,
        changed=str(answer.get("change_reason") or ""),
    )


@router.get("/my/{token}/payslips/{payslip_id}/pdf")
async def own_pdf(request: Request, token: str, payslip_id: UUID) -> Response:
    """The payslip itself, from pay-calc, with this worker's rights alone."""
    try:
        opened = await _open(request, token)
        await _own_slip(request, opened, payslip_id)
        answer = await _ask(request, opened, f"/payslips/{payslip_id}/pdf")
    except BadLink as error:
        return _refused(error)
    except Away:
        return _message("Your payslip cannot be fetched just now", "Try again in a few minutes.", status=503)
    except Refused as error:
        return _message("There is no payslip document yet", "It is made when the pay is closed.", status=error.status)
    name = answer.disposition or f'inline; filename="payslip-{payslip_id}.pdf"'
    return Response(answer.content, media_type="application/pdf", headers=PAGE_HEADERS | {"Content-Disposition": name})


@router.post("/agencies/{agency_id}/workers/{worker_id}/page-link")
async def send_link(request: Request, agency_id: UUID, worker_id: UUID) -> Response:
    """E-mail a worker the link to their page; where no address is on file, show it to somebody who may read payslips."""
    who = await visitor(request)
    who.agency(agency_id)
    form = texts(await request.form(max_files=0, max_fields=10))
    check_csrf(who, form.get("csrf"))
    if not who.may("write"):
        raise Problem(403, "scope_missing", "Sending a worker their link needs the right to change records.")
    async with reading(request, agency_id) as tx:
        if await store.who(tx, agency_id=agency_id, worker_id=worker_id) is None:
            raise Problem(404, "worker_not_found", "There is no such worker in this agency.")
    expires_s = int(time.time()) + LINK_SECONDS
    good_until = datetime.fromtimestamp(expires_s, UTC).astimezone(LONDON).date()
    try:
        token = _links(request).sign(WorkerLink(agency_id, worker_id), expires_s=expires_s)
        answer = await forward_of(request).send(
            "timesheet",
            "POST",
            f"/workers/{worker_id}/page-links",
            principal=who.principal,
            agency_id=agency_id,
            body={"token": token, "good_until": good_until.isoformat()},
            idempotency_key=form.get("key"),
        )
    except NoKey:
        await say(request, who, "blocked", "This instance has no signing key, so it cannot make a link.")
    except Away as error:
        await say(request, who, "waiting", str(error), hint="Nothing was sent: press the button again in a moment.")
    except Refused as error:
        await say(request, who, "blocked", error.detail, **refusal(error))
    else:
        await _say_sent(request, who, answer.json(), token, good_until)
    return redirect(local_path(form.get("back", "/")))


async def _say_sent(request: Request, who: Any, answer: Any, token: str, good_until: date) -> None:
    until = f"It works until {show.full_day(good_until)}."
    if isinstance(answer, Mapping) and answer.get("sent"):
        await say(request, who, "done", "The link to the worker's own page is on its way by e-mail.", hint=until)
        return
    text = "No e-mail address of this worker is on file, so nothing was sent."
    if not who.may("pay:read"):
        await say(
            request, who, "waiting", text, hint="Add the address, or ask somebody who may read payslips for the link."
        )
        return
    base = str(request.app.state.settings.public_url or request.base_url).rstrip("/")
    hint = f"Hand this link over to the worker and to nobody else: whoever has it sees their pay. {until}"
    await say(request, who, "waiting", text, hint=hint, link=f"{base}/my/{token}")


@dataclass(frozen=True)
class ShownSheet:
    """A timesheet on the worker's page."""

    reference: str
    client: str
    minutes: int | None
    where: for_worker.Where


@dataclass(frozen=True)
class ShownSlip:
    """A payslip on the worker's page. `row` holds its figures; `theirs`: paid to the worker and not to a company."""

    row: Any
    final: bool
    theirs: bool
    state: str
    tone: str

    def __getattr__(self, name: str) -> Any:
        return getattr(self.row, name)


@dataclass(frozen=True)
class ShownWeek:
    week_ending: date
    sheets: Sequence[ShownSheet]
    slips: Sequence[ShownSlip]
    minutes: int


def weeks_of(sheets: Sequence[Any], slips: Sequence[Any], today: date) -> list[ShownWeek]:
    """Timesheets and payslips by week, newest first. A payslip stands in the last week of its period."""
    by_week: dict[date, tuple[list[ShownSheet], list[ShownSlip]]] = {}
    for row in sheets:
        by_week.setdefault(row.week_ending, ([], []))[0].append(sheet_of(row, today))
    for row in slips:
        by_week.setdefault(row.period_to - timedelta(days=1), ([], []))[1].append(slip_of(row, today))
    return [
        ShownWeek(week, shown, paid, sum(sheet.minutes or 0 for sheet in shown))
        for week, (shown, paid) in sorted(by_week.items(), reverse=True)
    ]


def sheet_of(row: Any, today: date) -> ShownSheet:
    minutes = row.worked_minutes if row.status == "approved" else row.submitted_minutes
    known = for_worker.Sheet(
        status=row.status,
        pay_state=row.pay_state,
        pay_basis=row.pay_basis,
        client=row.client or "The client",
        consultant=row.consultant or "",
        payee=row.payee or "",
        rejected_by=row.rejected_by,
        reject_reason=row.reject_reason,
        reasons=pay_reasons(row),
        final=row.payslip_state == "finalised",
        payday_on=row.payday_on,
        sent_on=row.sent_on,
    )
    has_hours = row.status not in ("expected", "not_worked")
    return ShownSheet(
        row.reference or "", row.client or "", minutes if has_hours else None, for_worker.where(known, today)
    )


def pay_reasons(row: Any) -> list[Mapping[str, Any]]:
    """Why this timesheet's pay waits, each reason once; what only holds the bill is not the worker's business."""
    if row.pay_state != "held":
        return []
    own = row.compliance_reasons if row.compliance_version == row.approved_version else []
    found: dict[tuple[Any, Any], Mapping[str, Any]] = {}
    for reason in [*(row.pay_reasons or []), *(own or [])]:
        if "pay" in (reason.get("blocks") or ["pay"]):
            found.setdefault((reason.get("code"), reason.get("requirement")), reason)
    return list(found.values())


def slip_of(row: Any, today: date) -> ShownSlip:
    final, theirs = row.state == "finalised", row.pay_basis == "paye"
    if not final:
        return ShownSlip(row, final, theirs, f"Not final yet, for {show.day(row.payday_on)}", "waiting")
    if row.sent_on is not None and row.sent_on <= today:
        return ShownSlip(row, final, theirs, f"Paid on {show.day(row.sent_on)}", "done")
    when = show.day(row.sent_on or row.payday_on)
    return ShownSlip(row, final, theirs, f"To be paid on {when}", "done")


async def _open(request: Request, token: str) -> Opened:
    link = _links(request).read(token[:TOKEN_CHARACTERS_MAX], now_s=int(time.time()))
    async with reading(request, link.agency_id) as tx:
        found = await store.who(tx, agency_id=link.agency_id, worker_id=link.worker_id)
    if found is None:
        raise Gone("There is nothing on this page any more. Ask your agency.")
    return Opened(link, token, found.worker, found.agency)


async def _own_slip(request: Request, opened: Opened, payslip_id: UUID) -> Any:
    link = opened.link
    async with reading(request, link.agency_id) as tx:
        rows = await store.payslips(
            tx, agency_id=link.agency_id, worker_id=link.worker_id, payslip_id=payslip_id, most=1
        )
    if not rows:
        raise Gone("There is no such payslip of yours.")
    return rows[0]


async def _ask(request: Request, opened: Opened, path: str) -> Any:
    """Ask pay-calc with a token that opens nothing but this worker's payslips."""
    link = opened.link
    acting = Principal(
        subject=f"worker:{link.worker_id}",
        name="The worker, by link",
        scopes=frozenset({"pay:read"}),
        agencies=frozenset({link.agency_id}),
        worker_id=link.worker_id,
    )
    return await forward_of(request).send("pay-calc", "GET", path, principal=acting, agency_id=link.agency_id)


def _links(request: Request) -> WorkerLinks:
    found: WorkerLinks = request.app.state.worker_links
    return found


def _page(template: str, *, status: int = 200, **values: Any) -> Response:
    helpers = {"parts": for_worker.parts, "terms_in": for_worker.terms_in, "one_day": timedelta(days=1)}
    html = templates().get_template(template).render(**helpers, **values)
    return HTMLResponse(html, status_code=status, headers=PAGE_HEADERS)


def _refused(error: BadLink) -> Response:
    title = "There is nothing here" if isinstance(error, Gone) else "This link does not work"
    return _message(title, str(error), status=404)


def _message(title: str, text: str, *, status: int) -> Response:
    return _page("my_message.html", status=status, title=title, text=text)
