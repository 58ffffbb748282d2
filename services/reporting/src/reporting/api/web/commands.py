"""What a person can make happen from a page. Each command is carried to its owner with that person's rights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from starlette.datastructures import FormData, UploadFile

from paybill_common.http.problems import Problem
from paybill_common.ids import derived_id, new_id
from reporting.api.forward import Answer, Away, Refused, refusal
from reporting.api.web.context import Visitor, check_csrf, forward_of, local_path, redirect, say, visitor
from reporting.api.web.jobs import Heard
from reporting.api.web.route import PageRoute
from reporting.domain import show
from reporting.domain.work import OF_COMMAND
from reporting.store.work import NewWork

router = APIRouter(route_class=PageRoute, include_in_schema=False)
TYPED = {"accept_reason": 500, "minimum_wage_reason": 1000}
"""Reasons that a refused command gives back to its form, and how long they may be."""
PATIENCE_S = 8
LANDING_S = 2
"""Work with a page of its own is waited for only as long as a refusal takes: then its page tells the rest."""
FILE_BYTES_MAX = 4_000_000

Form = Mapping[str, str]


@dataclass(frozen=True)
class Command:
    """A command: whose it is, where it goes, what it says, and what is said when it was done."""

    service: str
    method: str
    path: Callable[[Form], str]
    body: Callable[[Form, Visitor], Any]
    doing: Callable[[Form], str]
    done: Callable[[Form, Any], str]
    keep: tuple[str, ...] = ()
    """Fields of the record at `path` that stay as they are: read first, and sent back with the body."""


def _id(form: Form, name: str) -> UUID:
    try:
        return UUID(form.get(name, ""))
    except ValueError as error:
        raise Problem(422, "invalid_request", f"The form lacks a valid {name}.", hint="Reload the page.") from error


def _week(form: Form) -> date:
    try:
        return date.fromisoformat(form.get("week_ending", ""))
    except ValueError as error:
        raise Problem(422, "invalid_request", "The form lacks a valid week.", hint="Reload the page.") from error


def _run_body(form: Form, who: Visitor) -> dict[str, Any]:
    body: dict[str, Any] = {"week_ending": _week(form).isoformat()}
    reason = form.get("accept_reason", "").strip()
    if reason:
        body["accept_difference"] = {"by": who.principal.name, "reason": reason}
    if form.get("supplementary"):
        body["supplementary"] = True
    return body


def _close_body(form: Form, who: Visitor) -> dict[str, Any]:
    body = _run_body(form, who)
    reason = form.get("minimum_wage_reason", "").strip()
    if reason:
        seen = form.get("minimum_wage_seen", "")
        body["acknowledge_minimum_wage"] = {"by": who.principal.name, "reason": reason, "seen": seen}
    return body


def _document(form: Form, who: Visitor) -> dict[str, Any]:
    return {
        "document_id": str(_document_id(form)),
        "worker_id": str(_id(form, "worker_id")),
        "requirement": form.get("requirement", ""),
        "valid_from": form.get("valid_from", ""),
        "expires_on": form.get("expires_on") or None,
    }


def _document_id(form: Form) -> UUID:
    return derived_id("ui-document", form.get("worker_id"), form.get("requirement"), form.get("key"))


def _count(answer: Any, *names: str) -> int | None:
    """The first of these fields that the answer has, as a number."""
    if isinstance(answer, Mapping):
        for name in names:
            value = answer.get(name)
            if isinstance(value, int) and not isinstance(value, bool):
                return value
            if isinstance(value, list):
                return len(value)
    return None


def _closed(form: Form, answer: Any) -> str:
    if isinstance(answer, Mapping) and answer.get("state") == "closing":
        done, whole = show.count(_count(answer, "workers_done")), show.count(_count(answer, "workers_total"))
        return f"The pay run of {show.week(_week(form))} goes on closing by itself: {done} of {whole} workers so far."
    number = _count(answer, "payslips", "workers", "finalised")
    return f"The pay run of {show.week(_week(form))} is closed" + (
        f": {show.count(number)} payslips." if number else "."
    )


def _issued(form: Form, answer: Any) -> str:
    number = _count(answer, "invoices", "documents")
    return f"Invoices of {show.week(_week(form))} are issued" + (f": {show.count(number)}." if number else ".")


def _chased(form: Form, answer: Any) -> str:
    chased, before, silent = (_count(answer, name) or 0 for name in ("chased", "chased_before", "no_address"))
    more = [f"{show.count(before)} were chased before"] if before else []
    more += [f"{show.count(silent)} have no e-mail address"] if silent else []
    return f"Chased {show.count(chased)} who have not sent hours{'; ' + ', '.join(more) if more else ''}."


def _asking(form: Form, _who: Visitor) -> dict[str, Any]:
    body: dict[str, Any] = {"resend": True} if form.get("resend") else {}
    if form.get("approval_request_id"):
        body["approval_request_id"] = str(_id(form, "approval_request_id"))
    return body


def _asked(form: Form, answer: Any) -> str:
    sent, nobody = (_count(answer, name) or 0 for name in ("sent", "without_approver"))
    found = answer.get("requests") if isinstance(answer, Mapping) else None
    asked = found if isinstance(found, list) else []
    if form.get("approval_request_id") and not asked:
        return "Nothing waits for this approver any more, so nothing was sent."
    told = sum(1 for one in asked if isinstance(one, Mapping) and not one.get("sent"))
    more = [f"{show.count(told)} were told of all that waits before and can be reminded"] if told else []
    more += [f"{show.count(nobody)} timesheet{' names' if nobody == 1 else 's name'} no approver"] if nobody else []
    return f"Sent {show.count(sent)} approval link{'' if sent == 1 else 's'}{'; ' + ', '.join(more) if more else ''}."


def _prepared(form: Form, answer: Any) -> str:
    raw = answer if isinstance(answer, Mapping) else {}
    missing = _count(raw, "missing") or 0
    left = f" {show.count(missing)} amounts are not in it yet; they are listed below." if missing else ""
    if not raw.get("payment_file_id"):
        return f"Nothing can be paid yet.{left}"
    return f"The payment file is prepared: {show.count(_count(raw, 'payments'))} payments. Somebody else releases it.{left}"


def _text(words: str) -> Callable[[Form, Any], str]:
    return lambda _form, _answer: words


def _none(_form: Form, _who: Visitor) -> Any:
    return {}


COMMANDS: dict[str, Command] = {
    "open-week": Command(
        "timesheet",
        "POST",
        lambda f: f"/weeks/{_week(f)}/open",
        _none,
        lambda f: f"Opening {show.week(_week(f))}.",
        lambda f, a: f"{show.week(_week(f))} is open; its timesheets wait for hours.",
    ),
    "cut-off": Command(
        "timesheet",
        "POST",
        lambda f: f"/weeks/{_week(f)}/cut-off",
        _none,
        lambda f: f"Cutting off {show.week(_week(f))}.",
        lambda f, a: f"{show.week(_week(f))} is cut off; its control totals are on their way.",
    ),
    "chase": Command(
        "timesheet",
        "POST",
        lambda f: f"/weeks/{_week(f)}/chase",
        lambda f, _: {name: str(_id(f, name)) for name in ("client_id", "consultant_id") if f.get(name)},
        lambda f: "Chasing missing timesheets.",
        _chased,
    ),
    "approval-requests": Command(
        "timesheet",
        "POST",
        lambda f: f"/weeks/{_week(f)}/approval-requests",
        _asking,
        lambda f: "Sending approval links.",
        _asked,
    ),
    "approve-timesheet": Command(
        "timesheet",
        "POST",
        lambda f: f"/timesheets/{_id(f, 'timesheet_id')}/approve",
        lambda f, _: {"evidence": {"kind": "agency", "note": f.get("evidence", "").strip()}},
        lambda f: "Approving.",
        _text("Approved for the agency, with your name and evidence."),
    ),
    "reject-timesheet": Command(
        "timesheet",
        "POST",
        lambda f: f"/timesheets/{_id(f, 'timesheet_id')}/reject",
        lambda f, _: {"reason_code": f.get("reason_code") or "other", "reason": f.get("reason", "").strip()},
        lambda f: "Rejecting.",
        _text("Rejected; the worker can send the hours again."),
    ),
    "did-not-work": Command(
        "timesheet",
        "POST",
        lambda f: f"/timesheets/{_id(f, 'timesheet_id')}/not-worked",
        _none,
        lambda f: "Noting that the worker did not work.",
        _text("Noted in your name: the worker did not work that week. Nobody is asked for it any more."),
    ),
    "reopen-timesheet": Command(
        "timesheet",
        "POST",
        lambda f: f"/timesheets/{_id(f, 'timesheet_id')}/reopen",
        _none,
        lambda f: "Opening it again.",
        _text("Open again: it waits for hours."),
    ),
    "release-hold": Command(
        "compliance",
        "POST",
        lambda f: f"/holds/{_id(f, 'timesheet_id')}/release",
        lambda f, _: {"reason": f.get("reason", "").strip()},
        lambda f: "Releasing the hold.",
        _text("Released in your name; pay and billing follow by themselves."),
    ),
    "record-document": Command(
        "compliance",
        "POST",
        lambda f: "/documents",
        _document,
        lambda f: "Recording the document.",
        lambda f, a: "Recorded; holds that waited for it lift by themselves.",
    ),
    "approve-umbrella": Command(
        "compliance",
        "PUT",
        lambda f: f"/umbrellas/{_id(f, 'payee_id')}",
        lambda f, _: {"status": "approved"},
        lambda f: "Approving the umbrella company.",
        _text("The umbrella company is on the approved list; what waited for it clears by itself."),
    ),
    "suspend-umbrella": Command(
        "compliance",
        "PUT",
        lambda f: f"/umbrellas/{_id(f, 'payee_id')}",
        lambda f, _: {"status": "pending"},
        lambda f: "Suspending the umbrella company.",
        _text("The umbrella company is suspended; pay that goes to it waits until it is approved again."),
    ),
    "remove-umbrella": Command(
        "compliance",
        "PUT",
        lambda f: f"/umbrellas/{_id(f, 'payee_id')}",
        lambda f, _: {"status": "removed"},
        lambda f: "Removing the umbrella company from the approved list.",
        _text("The umbrella company is off the approved list; pay that goes to it waits until it is approved again."),
    ),
    "late-pay-rule": Command(
        "pay-calc",
        "PUT",
        lambda f: "/pay-calendar",
        lambda f, _: {"late_pay": f.get("late_pay", "")},
        lambda f: "Storing the rule for late pay.",
        _text("Late weeks are paid with the next pay run."),
        keep=("payday_days_after",),
    ),
    "close-pay-run": Command(
        "pay-calc",
        "POST",
        lambda f: "/pay-runs",
        _close_body,
        lambda f: f"Closing the pay run of {show.week(_week(f))}.",
        _closed,
    ),
    "prepare-payment-file": Command(
        "pay-calc",
        "POST",
        lambda f: f"/pay-runs/{_id(f, 'pay_run_id')}/payment-file",
        _none,
        lambda f: "Preparing the payment file.",
        _prepared,
    ),
    "release-payment-file": Command(
        "pay-calc",
        "POST",
        lambda f: f"/payment-files/{_id(f, 'payment_file_id')}/release",
        _none,
        lambda f: "Releasing the payment file.",
        _text("The payment file is released."),
    ),
    "issue-invoices": Command(
        "invoicing",
        "POST",
        lambda f: "/invoice-runs",
        _run_body,
        lambda f: f"Issuing invoices of {show.week(_week(f))}.",
        _issued,
    ),
    "credit-invoice": Command(
        "invoicing",
        "POST",
        lambda f: f"/invoices/{_id(f, 'document_id')}/credit",
        lambda f, _: {
            "reason_code": f.get("reason_code", ""),
            "reason": f.get("reason", "").strip() or None,
            "rebill": bool(f.get("rebill")),
        },
        lambda f: "Issuing the credit note.",
        _text("The credit note is issued."),
    ),
}


@router.post("/agencies/{agency_id}/commands/{name}")
async def command(request: Request, agency_id: UUID, name: str) -> Response:
    """Carry one command to its owner and go back to the page it came from, which says what happened."""
    who = await visitor(request)
    who.agency(agency_id)
    raw = await request.form(max_files=1, max_fields=40, max_part_size=FILE_BYTES_MAX)
    form = texts(raw)
    check_csrf(who, form.get("csrf"))
    found = COMMANDS.get(name)
    if found is None:
        raise Problem(404, "no_such_command", "There is no such command.")
    back = local_path(form.get("back", "/"))
    path, body = found.path(form), found.body(form, who)
    forward = forward_of(request)

    async def work() -> Heard:
        if found.keep:
            known = await forward.send(found.service, "GET", path, principal=who.principal, agency_id=agency_id)
            body.update({name: known.json()[name] for name in found.keep})
        answer = await forward.send(
            found.service,
            found.method,
            path,
            principal=who.principal,
            agency_id=agency_id,
            body=body,
            idempotency_key=form.get("key"),
        )
        await _attach(request, who, agency_id, name, form, raw.get("file"))
        told = answer.json()
        return Heard(found.done(form, told), goes_on=isinstance(told, Mapping) and told.get("state") == "closing")

    kind = OF_COMMAND.get(name)
    new = NewWork(
        agency_id=agency_id,
        work_id=new_id(),
        command=name,
        week_ending=None if kind is None else _week(form),
        words=found.doing(form),
        subject=who.principal.subject,
        name=who.principal.name,
    )
    try:
        heard = await request.app.state.jobs.run(
            new, work(), patience_s=PATIENCE_S if kind is None else LANDING_S, remember=kind is not None
        )
        if kind is not None:
            return redirect(f"/agencies/{agency_id}/progress/{kind.key}/{new.week_ending}")
        if heard is not None:
            await say(request, who, "done", heard.words)
    except Away as error:
        hint = "Nothing was lost: press the button again in a moment."
        await say(request, who, "waiting", str(error), hint=hint, typed=_typed(form))
    except Refused as error:
        await say(request, who, "blocked", error.detail, **refusal(error), typed=_typed(form))
    return redirect(back)


def _typed(form: Form) -> dict[str, str]:
    return {name: form[name][:most] for name, most in TYPED.items() if form.get(name, "").strip()}


def texts(form: FormData) -> dict[str, str]:
    """The form's texts, without characters that cannot be stored."""
    return {name: value.replace("\x00", "")[:8_000] for name, value in form.items() if isinstance(value, str)}


async def _attach(
    request: Request, who: Visitor, agency_id: UUID, name: str, form: Form, file: UploadFile | str | None
) -> Answer | None:
    """Send the file that came with a document after it."""
    if name != "record-document" or not isinstance(file, UploadFile) or not file.filename:
        return None
    content = await file.read()
    return await forward_of(request).upload(
        "compliance",
        f"/documents/{_document_id(form)}/file",
        principal=who.principal,
        agency_id=agency_id,
        file_name=file.filename,
        content=content,
        media_type=file.content_type or "application/octet-stream",
    )


@router.post("/system/commands/{name}")
async def system_command(request: Request, name: str) -> Response:
    """Replay or discard a dead letter, or resume a consumer."""
    who = await visitor(request)
    form = texts(await request.form(max_files=0, max_fields=10))
    check_csrf(who, form.get("csrf"))
    service = form.get("service", "")
    if name in ("replay", "discard"):
        number = form.get("dead_letter_id", "")
        if not number.isascii() or not number.isdigit() or len(number) > 18:
            raise Problem(422, "invalid_request", "The form names no dead letter.", hint="Reload the page.")
        path = f"/v1/ops/dead-letters/{number}/{name}"
        body = {"reason": form.get("reason", "")} if name == "discard" else {}
    elif name == "resume":
        path, body = "/v1/ops/consumer/resume", {}
    else:
        raise Problem(404, "no_such_command", "There is no such command.")
    try:
        answer = (
            await forward_of(request).send(
                service, "POST", path, principal=who.principal, body=body, idempotency_key=form.get("key")
            )
        ).json()
        await say(request, who, *_said(name, answer if isinstance(answer, Mapping) else {}))
    except Away as error:
        await say(request, who, "waiting", str(error))
    except Refused as error:
        await say(request, who, "blocked", error.detail, **refusal(error))
    return redirect(local_path(form.get("back", "/system")))


def _said(name: str, answer: Mapping[str, Any]) -> tuple[str, str]:
    if name == "resume":
        return "done", "The consumer reads again."
    handled = show.count(answer.get("handled") if isinstance(answer.get("handled"), int) else 0)
    if answer.get("dead_letter_id") is not None:
        return "blocked", f"Handled {handled}, then one failed again: {answer.get('error') or 'see below'}"
    return (
        "done",
        f"{'Discarded; handled' if name == 'discard' else 'Replayed; handled'} {handled} events. Nothing waits behind it now.",
    )
