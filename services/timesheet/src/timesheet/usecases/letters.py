"""The words of the e-mails that timesheet sends. Each is plain text and simple HTML of the same words."""

from __future__ import annotations

from datetime import date
from html import escape
from typing import Any

from paybill_common.ids import new_id
from timesheet.store.approvals import Mail


def day_text(on: date) -> str:
    """ "Sun 5 Apr 2026"."""
    return f"{on:%a} {on.day} {on:%b} {on:%Y}"


def hours_text(minutes: int) -> str:
    """ "37:30"."""
    return f"{minutes // 60}:{minutes % 60:02d}"


def hours_missing(row: Any, week_ending: date) -> Mail:
    """To a worker: please send the week's hours."""
    paragraphs = [
        f"Hello {row.worker},",
        f"We have no hours from you yet for the week to {day_text(week_ending)}: {row.job_title} at {row.client} "
        f"({row.reference}).",
        "Please send them to your consultant"
        + (f" {row.consultant}" if row.consultant else "")
        + " today, so that you "
        "are paid on time. If you did not work that week, tell us that too.",
    ]
    return _mail("hours_missing", row.worker, row.worker_email, f"Your hours to {day_text(week_ending)}", paragraphs)


def approval_wanted(
    *, agency: str, approver_name: str, approver_email: str, week_ending: date, waiting: int, minutes: int, link: str
) -> Mail:
    """To a client's approver: one link that lists all that waits."""
    one = "1 timesheet waits" if waiting == 1 else f"{waiting} timesheets wait"
    paragraphs = [
        f"Hello {approver_name},",
        f"{one} for your approval: {hours_text(minutes)} hours in the week to {day_text(week_ending)}, from {agency}.",
        "Open the page below to see the hours and to approve or query them. Opening it approves nothing.",
    ]
    ending = "The link is yours alone: whoever has it can approve in your name. Please do not forward it."
    return _mail(
        "approval_wanted",
        approver_name,
        approver_email,
        f"{one} for your approval, week to {day_text(week_ending)}",
        paragraphs,
        link=link,
        ending=ending,
    )


def own_page(*, agency: str, worker: str, email: str, link: str, good_until: date) -> Mail:
    """To a worker: the link to their own page."""
    paragraphs = [
        f"Hello {worker},",
        f"Here is your page at {agency}: where each of your timesheets is, what you are paid, and why each figure is what it is.",
    ]
    ending = (
        f"The link works until {day_text(good_until)}; then ask us for a new one. "
        "It is yours alone: whoever has it sees your pay. Please do not forward it."
    )
    said = "See your timesheets and pay"
    return _mail(
        "own_page", worker, email, "Your timesheets and pay", paragraphs, link=link, ending=ending, button=said
    )


def _mail(
    kind: str,
    name: str,
    email: str,
    subject: str,
    paragraphs: list[str],
    *,
    link: str = "",
    ending: str = "",
    button: str = "See the timesheets",
) -> Mail:
    text = "\n\n".join([*paragraphs, *([link] if link else []), *([ending] if ending else [])]) + "\n"
    html = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs)
    if link:
        html += (
            f'<p><a href="{escape(link)}" style="display:inline-block;padding:12px 20px;background:#14532d;color:#fff;'
            f'border-radius:6px;text-decoration:none;font-weight:600">{escape(button)}</a></p>'
        )
    if ending:
        html += f'<p style="color:#4b5563">{escape(ending)}</p>'
    body = f'<div style="font:16px/1.5 system-ui,sans-serif;max-width:36em">{html}</div>'
    one_line = " ".join(subject.split())
    return Mail(new_id(), kind, " ".join(name.split()), email, one_line, text, body)
