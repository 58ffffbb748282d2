"""The client's approval page: one signed link, no login. Opening it shows; only its button decides."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from paybill_common.clock import LONDON
from timesheet.api.timesheets import client_address
from timesheet.domain.entries import Entry, Shift, entry_minutes
from timesheet.domain.vocabulary import RateUnit
from timesheet.domain.workflow import Status
from timesheet.store.timesheets import Timesheet
from timesheet.usecases import asking, deciding
from timesheet.usecases.asking import Asking, BadLink, Link, LinkSigner
from timesheet.usecases.deciding import Receipt, Rejection
from timesheet.usecases.evidence import DecidedBy, seen_sha256, what_is_shown
from timesheet.usecases.letters import day_text, hours_text

router = APIRouter(include_in_schema=False)
REASONS: Mapping[str, str] = {
    "hours_wrong": "The hours are wrong",
    "not_worked": "They did not work these days",
    "break_wrong": "The break is wrong",
    "expense_wrong": "An expense is wrong",
    "not_ours": "This is not our worker",
    "other": "Something else",
}
_FORM_BYTES_MAX = 512_000
_PAGES = Environment(
    loader=PackageLoader("timesheet", "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


@dataclass
class _Choice:
    """What the approver chose for one timesheet, as the form says it."""

    decision: Literal["approve", "reject"] = "approve"
    seen: str = ""
    reason_code: str = ""
    reason: str = ""
    error: str = ""


@dataclass
class _Form:
    choices: dict[UUID, _Choice] = field(default_factory=dict)


@router.get("/approve/{token}")
async def show(request: Request, token: str) -> Response:
    """What waits. Nothing changes by looking, however often and by whichever mail scanner."""
    try:
        link = _link(request, token)
        async with _database(request).transaction(
            now=request.app.state.clock.now(), agencies=[link.agency_id], read_only=True
        ) as tx:
            found = await asking.behind(tx, link=link)
    except BadLink as error:
        return _message("This link does not work", str(error), status=404)
    done = {name: _count(request.query_params.get(name)) for name in ("approved", "rejected")}
    return _page(found, _Form(), done=done)


@router.post("/approve/{token}")
async def decide(request: Request, token: str) -> Response:
    """Approve what is marked so, and send back the rest with its reasons. Sent twice, it decides once."""
    try:
        link = _link(request, token)
        form = _read_form(await request.body())
    except BadLink as error:
        return _message("This link does not work", str(error), status=404)
    except _BadForm:
        return _message("That did not work", "The form could not be read. Open the link again.", status=400)
    try:
        async with _database(request).transaction(now=request.app.state.clock.now(), agencies=[link.agency_id]) as tx:
            found = await asking.behind(tx, link=link)
            asked_about = {one.timesheet_id for one in found.timesheets}
            choices = {one: choice for one, choice in form.choices.items() if one in asked_about}
            if _reasons_missing(choices):
                return _page(found, _Form(choices), status=422)
            receipts = await _decide(tx, request, link, found, choices)
            refused = [one for one in receipts if one.status == "refused"]
            if refused:
                for one in refused:
                    choices[one.timesheet_id].error = one.reason or "This cannot be decided now."
                found = await asking.behind(tx, link=link)
    except BadLink as error:
        return _message("This link does not work", str(error), status=404)
    if refused:
        return _page(found, _Form({one.timesheet_id: choices[one.timesheet_id] for one in refused}), status=409)
    accepted = {one.timesheet_id for one in receipts if one.status == "accepted"}
    counts = {
        "approved": sum(choices[one].decision == "approve" for one in accepted),
        "rejected": sum(choices[one].decision == "reject" for one in accepted),
    }
    return RedirectResponse(f"/approve/{token}?{urlencode(counts)}", status_code=303, headers=_HEADERS)


async def _decide(
    tx: Any, request: Request, link: Link, found: Asking, choices: Mapping[UUID, _Choice]
) -> list[Receipt]:
    ip, agent = client_address(request)
    by = DecidedBy(
        "client", found.request.approver_email, found.request.approver_name, ip, agent, None, link.approval_request_id
    )
    seen = {one: choice.seen for one, choice in choices.items()}
    approved = [one for one, choice in choices.items() if choice.decision == "approve"]
    rejected = [
        Rejection(one, choice.reason_code, _words(choice))
        for one, choice in choices.items()
        if choice.decision == "reject"
    ]
    receipts: list[Receipt] = []
    if approved:
        receipts += await deciding.approve(tx, agency_id=link.agency_id, ids=approved, by=by, seen=seen)
    if rejected:
        receipts += await deciding.reject(tx, agency_id=link.agency_id, rejections=rejected, by=by, seen=seen)
    return receipts


def _words(choice: _Choice) -> str:
    label = REASONS[choice.reason_code]
    return f"{label}: {choice.reason}" if choice.reason else label


def _reasons_missing(choices: Mapping[UUID, _Choice]) -> bool:
    for choice in choices.values():
        if choice.decision == "reject":
            if choice.reason_code not in REASONS:
                choice.error = "Say why it is not right."
            elif choice.reason_code == "other" and not choice.reason:
                choice.error = "Say in a few words what is not right."
    return any(choice.error for choice in choices.values())


class _BadForm(Exception):
    pass


def _read_form(body: bytes) -> _Form:
    if len(body) > _FORM_BYTES_MAX:
        raise _BadForm
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, max_num_fields=5 * asking.SHOWN_MAX, errors="replace"
        )
    except ValueError:
        raise _BadForm from None
    form = _Form()
    for name, value in pairs:
        what, _, raw = name.partition(":")
        try:
            choice = form.choices.setdefault(UUID(raw), _Choice())
        except ValueError:
            continue
        text = "".join(c for c in value if c.isprintable()).strip()[:400]
        if what == "decision":
            choice.decision = "reject" if text == "reject" else "approve"
        elif what in ("seen", "reason_code", "reason"):
            setattr(choice, what, text)
    form.choices = {one: choice for one, choice in form.choices.items() if choice.seen}
    return form


def _link(request: Request, token: str) -> Link:
    signer: LinkSigner = request.app.state.link_signer
    return signer.read(token[:400], now_s=int(time.time()))


def _database(request: Request) -> Any:
    return request.app.state.api_database


def _count(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 5 else 0


def _page(found: Asking, form: _Form, *, done: Mapping[str, int] | None = None, status: int = 200) -> Response:
    waiting = [_shown(one, found, form) for one in found.timesheets if one.state.status is Status.SUBMITTED]
    decided = [_shown(one, found, form) for one in found.timesheets if one.state.status is not Status.SUBMITTED]
    return _rendered(
        "approve.html",
        status,
        agency=found.agency,
        approver=found.request.approver_name,
        week=day_text(found.request.week_ending),
        waiting=waiting,
        decided=decided,
        total=hours_text(sum(one["minutes"] for one in waiting)),
        reasons=REASONS,
        done=done or {"approved": 0, "rejected": 0},
        said=(
            "Nothing is decided yet. Something is missing:"
            if status == 422
            else "These are not decided. The others went through."
        ),
        errors=[one for one in waiting + decided if one["choice"].error],
        more=len(found.timesheets) >= asking.SHOWN_MAX,
    )


def _shown(timesheet: Timesheet, found: Asking, form: _Form) -> dict[str, Any]:
    row = found.labels[timesheet.timesheet_id]
    shown = what_is_shown(timesheet, found.work)
    week = found.work.week(timesheet)
    cards = found.work.cards.get(timesheet.placement.placement_id, ())
    per_day = cards[-1].minutes_per_day if cards else 480
    minutes = sum(entry_minutes(entry, per_day) for entry in week.entries)
    choice = form.choices.get(timesheet.timesheet_id, _Choice())
    decided_at = row.decided_at.astimezone(LONDON) if row.decided_at else None
    return {
        "id": str(timesheet.timesheet_id),
        "worker": row.worker,
        "job": " · ".join(part for part in (row.job_title, row.site or row.client) if part),
        "reference": timesheet.reference,
        "days": _grouped([_day(entry, per_day) for entry in sorted(week.entries, key=_order)]),
        "expenses": [
            {"on": short_day(one.on), "code": one.code, "charge_gbp": f"{one.charge_gbp:.2f}"}
            for one in week.expenses
            if one.applies.billable
        ],
        "minutes": minutes,
        "hours": hours_text(minutes),
        "against_booking": _against_booking(minutes, row.booked_minutes),
        "seen": seen_sha256(shown),
        "choice": choice,
        "status": timesheet.state.status.value,
        "decided_at": f"{day_text(decided_at.date())} at {decided_at:%H:%M}" if decided_at else "",
        "reason": row.reason or "",
    }


def _order(entry: Entry) -> tuple[Any, ...]:
    return (entry.on, entry.start.isoformat() if isinstance(entry, Shift) else "")


@dataclass(frozen=True)
class _Day:
    """One row of the week's table; days that follow each other and say the same share one."""

    first: date
    last: date
    what: str
    pause: str
    amount: str
    days: int = 1

    @property
    def on(self) -> str:
        return short_day(self.first) if self.days == 1 else f"{short_day(self.first)} to {short_day(self.last)}"

    @property
    def total(self) -> str:
        return self.amount if self.days == 1 or not self.amount else f"{self.days} × {self.amount}"


def short_day(on: date) -> str:
    """ "Fri 3 Apr"."""
    return f"{on:%a} {on.day} {on:%b}"


def _day(entry: Entry, per_day: int) -> _Day:
    minutes = entry_minutes(entry, per_day)
    if isinstance(entry, Shift):
        next_day = entry.finish_on is not None and entry.finish_on > entry.on
        over_midnight = next_day or (entry.finish_on is None and entry.finish <= entry.start)
        what = f"{entry.start:%H:%M}–{entry.finish:%H:%M}" + (" next day" if over_midnight else "")
        pause = f"{entry.break_minutes} min" if entry.break_minutes else "none"
    else:
        number = f"{entry.units.normalize():f}"
        per = {RateUnit.HOUR: "hours", RateUnit.DAY: "day" if entry.units == 1 else "days", RateUnit.EACH: "items"}
        what, pause = f"{number} {per[entry.unit]}", ""
    amount = hours_text(minutes) if minutes else ""
    return _Day(entry.on, entry.on, what + (f" ({entry.rate_code})" if entry.rate_code else ""), pause, amount)


def _grouped(days: list[_Day]) -> list[_Day]:
    """Join days that follow each other with the same times: a plain week is one row to check, not five."""
    rows: list[_Day] = []
    for day in days:
        before = rows[-1] if rows else None
        if (
            before is not None
            and (before.what, before.pause) == (day.what, day.pause)
            and day.first == before.last + timedelta(days=1)
        ):
            rows[-1] = replace(before, last=day.first, days=before.days + 1)
        else:
            rows.append(day)
    return rows


def _against_booking(minutes: int, booked: int | None) -> dict[str, str] | None:
    if not booked:
        return None
    if minutes == booked:
        return {"state": "same", "text": f"as booked, {hours_text(booked)}"}
    over = minutes > booked
    return {
        "state": "over" if over else "under",
        "text": f"{hours_text(abs(minutes - booked))} {'over' if over else 'under'} the {hours_text(booked)} booked",
    }


def _message(title: str, text: str, *, status: int) -> Response:
    return _rendered("message.html", status, title=title, text=text)


_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}


def _rendered(template: str, status: int, **values: Any) -> Response:
    nonce = secrets.token_urlsafe(16)
    html = _PAGES.get_template(template).render(nonce=nonce, **values)
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    )
    return HTMLResponse(html, status_code=status, headers=_HEADERS | {"Content-Security-Policy": policy})
