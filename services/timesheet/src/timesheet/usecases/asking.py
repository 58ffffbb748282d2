"""Asking clients to approve: one e-mail an approver and week, with a signed link; and what stands behind the link."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from paybill_common.db import Tx
from paybill_common.http.problems import not_found
from paybill_common.ids import derived_id
from paybill_common.sealed import NotOurs, NotWhole, key_of, seal, unseal
from timesheet.store import approvals, records
from timesheet.store import timesheets as store
from timesheet.store.records import KINDS
from timesheet.store.timesheets import Timesheet
from timesheet.usecases import letters
from timesheet.usecases.charging import Work, load_work

LINK_SECONDS = 21 * 24 * 3600
SHOWN_MAX = 200
_LAYOUT = struct.Struct(">B16s16sIQ")
_FORMAT = 1
_PURPOSE = b"paybill: an approver's link, format 1"
_SECRET_CHARACTERS_MIN = 32


class BadLink(Exception):
    """An approval link that is not ours, or that has expired."""


class NoKey(Exception):
    """This instance has no key to sign with."""


@dataclass(frozen=True)
class Link:
    """What a link names: an agency's request to one approver about one week."""

    agency_id: UUID
    approval_request_id: UUID
    week_ending: date


class LinkSigner:
    """Signs approval links. The key is made of a secret that every replica has. A link needs no login and no row of ours.

    `old_key_file`: where each replica once kept a key of its own. What was signed with it is read until it expires.
    """

    def __init__(self, secret: str | None, *, old_key_file: Path | None = None) -> None:
        if secret is not None and len(secret.strip()) < _SECRET_CHARACTERS_MIN:
            raise ValueError(f"PAYBILL_LINK_KEY_FILE holds a secret of fewer than {_SECRET_CHARACTERS_MIN} characters")
        self._key = None if secret is None else key_of(secret, _PURPOSE)
        self._readable = [key for key in (self._key, _old_key(old_key_file)) if key is not None]

    def sign(self, link: Link, *, expires_s: int) -> str:
        """A link's token, valid until `expires_s` (seconds since 1970, real time). Raises NoKey."""
        if self._key is None:
            raise NoKey
        body = _LAYOUT.pack(
            _FORMAT, link.agency_id.bytes, link.approval_request_id.bytes, link.week_ending.toordinal(), expires_s
        )
        return seal(self._key, body)

    def read(self, token: str, *, now_s: int) -> Link:
        """What a token names. Raises BadLink saying why it is refused."""
        try:
            body = self._unsealed(token)
        except NotWhole:
            raise BadLink("The link is not complete. Copy the whole address from the e-mail.") from None
        except NotOurs:
            raise BadLink("The link is not one of ours. Open the one from the newest e-mail.") from None
        _, agency, request, week, expires_s = _LAYOUT.unpack(body)
        if now_s > expires_s:
            raise BadLink("The link has expired. Ask the agency to send a new one.")
        return Link(UUID(bytes=agency), UUID(bytes=request), date.fromordinal(week))

    def _unsealed(self, token: str) -> bytes:
        for key in self._readable:
            with contextlib.suppress(NotOurs):
                return unseal(key, token, size=_LAYOUT.size)
        raise NotOurs


def _old_key(path: Path | None) -> bytes | None:
    if path is None or not path.exists():
        return None
    return bytes.fromhex(path.read_text(encoding="ascii").strip())


@dataclass(frozen=True)
class Approver:
    """For whom timesheets of a week wait, and what they were told. `new`: as many as their last e-mail did not list."""

    approval_request_id: UUID
    approver_name: str
    approver_email: str
    timesheets: int
    minutes: int
    listed: Mapping[str, int]
    new: int
    last_asked_at: datetime | None
    times_asked: int


@dataclass(frozen=True)
class Asked:
    """One approver of a week: asked now, or before about the same timesheets."""

    approval_request_id: UUID
    approver_name: str
    approver_email: str
    timesheets: int
    sent: bool


async def approvers(tx: Tx, *, agency_id: UUID, week_ending: date, lock: bool = False) -> tuple[list[Approver], int]:
    """The approvers for whom submitted timesheets wait, by e-mail; the number of those with no approver named.

    A timesheet that was sent back and submitted again is a new one: its last e-mail listed it at another sequence.
    """
    waiting = await approvals.approvers_waited_for(tx, agency_id=agency_id, week_ending=week_ending)
    before = await approvals.requests_of(tx, agency_id=agency_id, week_ending=week_ending, lock=lock)
    found: list[Approver] = []
    unaddressed = 0
    for row in waiting:
        if row.email is None:
            unaddressed += row.waiting
            continue
        asked = before.get(row.email)
        told = asked.listed if asked else {}
        found.append(
            Approver(
                approval_request_id=derived_id("approval_request", agency_id, week_ending, row.email),
                approver_name=row.name or row.clients[:120],
                approver_email=row.email,
                timesheets=row.waiting,
                minutes=int(row.minutes or 0),
                listed=row.listed,
                new=sum(told.get(one) != sequence for one, sequence in row.listed.items()),
                last_asked_at=asked.sent_at if asked else None,
                times_asked=asked.times_sent if asked else 0,
            )
        )
    return sorted(found, key=lambda one: one.approver_email), unaddressed


async def ask_for_approval(
    tx: Tx,
    *,
    agency_id: UUID,
    week_ending: date,
    link_of: Callable[[Link], str],
    resend: bool,
    only: UUID | None = None,
) -> tuple[list[Asked], int]:
    """One e-mail to each approver, or the `only` one, for whom something waits that their last e-mail did not list.

    `resend`: to those as well who were told of all that waits. `link_of` gives the address of a link. Gives also the number of
    submitted timesheets with no approver named.
    """
    found, unaddressed = await approvers(tx, agency_id=agency_id, week_ending=week_ending, lock=True)
    agency = await agency_name(tx, agency_id=agency_id)
    asked: list[Asked] = []
    mails: list[approvals.Mail] = []
    requests: list[dict[str, Any]] = []
    for one in found:
        if only not in (None, one.approval_request_id):
            continue
        send = resend or one.new > 0
        asked.append(Asked(one.approval_request_id, one.approver_name, one.approver_email, one.timesheets, send))
        if send:
            mails.append(
                letters.approval_wanted(
                    agency=agency,
                    approver_name=one.approver_name,
                    approver_email=one.approver_email,
                    week_ending=week_ending,
                    waiting=one.timesheets,
                    minutes=one.minutes,
                    link=link_of(Link(agency_id, one.approval_request_id, week_ending)),
                )
            )
            requests.append(
                {
                    "approval_request_id": one.approval_request_id,
                    "week_ending": week_ending,
                    "approver_email": one.approver_email,
                    "approver_name": one.approver_name,
                    "waiting": one.timesheets,
                    "listed": one.listed,
                }
            )
    if requests:
        await approvals.put_requests(tx, agency_id=agency_id, requests=requests)
        await approvals.queue_mail(tx, agency_id=agency_id, mails=mails)
    return asked, unaddressed


@dataclass(frozen=True)
class Asking:
    """What stands behind a link: the request, and the timesheets with their work."""

    request: Any
    agency: str
    timesheets: list[Timesheet]
    work: Work
    labels: dict[UUID, Any]


async def behind(tx: Tx, *, link: Link) -> Asking:
    """Load what an approver is asked about. Raises BadLink when the request is gone."""
    request = await approvals.request(tx, agency_id=link.agency_id, approval_request_id=link.approval_request_id)
    if request is None:
        raise BadLink("The request behind this link no longer exists. Ask the agency to send a new one.")
    ids = await approvals.timesheets_for_approver(
        tx,
        agency_id=link.agency_id,
        week_ending=link.week_ending,
        email=request.approver_email,
        most=SHOWN_MAX,
    )
    found = await store.load(tx, agency_id=link.agency_id, ids=ids)
    timesheets = [found[timesheet_id] for timesheet_id in ids]
    labels = await store.labels(tx, agency_id=link.agency_id, ids=ids)
    return Asking(
        request=request,
        agency=await agency_name(tx, agency_id=link.agency_id),
        timesheets=timesheets,
        work=await load_work(tx, agency_id=link.agency_id, timesheets=timesheets),
        labels=labels,
    )


async def send_own_page(tx: Tx, *, agency_id: UUID, worker_id: UUID, link: str, good_until: date) -> bool:
    """One e-mail to a worker with the link to their own page; False when no address is on file. Raises not_found."""
    found = await records.by_id(tx, agency_id=agency_id, kind=KINDS["worker"], ids=[worker_id])
    if worker_id not in found:
        raise not_found("worker", worker_id)
    worker = found[worker_id]
    if not worker["email"]:
        return False
    agency = await agency_name(tx, agency_id=agency_id)
    mail = letters.own_page(
        agency=agency, worker=worker["name"], email=worker["email"], link=link, good_until=good_until
    )
    await approvals.queue_mail(tx, agency_id=agency_id, mails=[mail])
    return True


async def agency_name(tx: Tx, *, agency_id: UUID) -> str:
    found = await records.by_id(tx, agency_id=agency_id, kind=KINDS["agency"], ids=[agency_id])
    return str(found[agency_id]["name"]) if found else "your agency"
