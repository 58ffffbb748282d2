"""A week of an agency: opened, asked for, chased and cut off."""

from __future__ import annotations

import time
from datetime import date
from typing import Literal
from uuid import UUID

from fastapi import APIRouter, Request

from paybill_common.auth import Principal
from paybill_common.config import Settings
from paybill_common.http.paging import Cursor, Limit, decode_cursor, encode_cursor
from paybill_common.http.problems import ERROR_RESPONSES, Problem, invalid
from paybill_common.http.route import TxDep, TxRoute, require
from timesheet.api import models as m
from timesheet.api.records import uuid_after
from timesheet.store import weeks as store
from timesheet.usecases import asking, opening, weeks
from timesheet.usecases.asking import Link, LinkSigner, NoKey

router = APIRouter(prefix="/v1/agencies/{agency_id}", route_class=TxRoute, responses=ERROR_RESPONSES, tags=["weeks"])
OPEN_MAX = 20_000


@router.post("/weeks/{week_ending}/open")
async def open_week(
    tx: TxDep, agency_id: UUID, week_ending: m.WeekEnding, principal: Principal = require("write")
) -> m.OpenedOut:
    """Expect a timesheet of every placement in force in the week. Safe to call again."""
    _check_sunday(week_ending)
    opened = await opening.open_week(tx, agency_id=agency_id, week_ending=week_ending, most=OPEN_MAX)
    return m.OpenedOut(
        week_ending=week_ending, created=opened.created, existing=opened.existing, remaining=opened.remaining
    )


@router.post("/weeks/{week_ending}/approval-requests")
async def post_approval_requests(
    request: Request,
    tx: TxDep,
    agency_id: UUID,
    week_ending: m.WeekEnding,
    body: m.ApprovalRequestsIn | None = None,
    principal: Principal = require("write"),
) -> m.ApprovalRequestsOut:
    """Send each approver one e-mail with a link that lists all that waits. The link itself is in the e-mail only.

    Who was told of all that waits is not asked again, unless `resend` says so.
    """
    _check_sunday(week_ending)
    settings: Settings = request.app.state.settings
    signer: LinkSigner = request.app.state.link_signer
    base = (settings.public_url or str(request.base_url)).rstrip("/")
    expires_s = int(time.time()) + asking.LINK_SECONDS

    def link_of(link: Link) -> str:
        return f"{base}/approve/{signer.sign(link, expires_s=expires_s)}"

    asked_for = body or m.ApprovalRequestsIn()
    try:
        asked, unaddressed = await asking.ask_for_approval(
            tx,
            agency_id=agency_id,
            week_ending=week_ending,
            link_of=link_of,
            resend=asked_for.resend,
            only=asked_for.approval_request_id,
        )
    except NoKey:
        raise Problem(
            503, "no_link_key", "This instance has no key to sign links with.", hint="Set PAYBILL_LINK_KEY_FILE."
        ) from None
    return m.ApprovalRequestsOut(
        week_ending=week_ending,
        sent=sum(one.sent for one in asked),
        without_approver=unaddressed,
        requests=[m.AskedOut.model_validate(one) for one in asked],
    )


@router.get("/weeks/{week_ending}/approval-requests")
async def get_approval_requests(
    tx: TxDep,
    agency_id: UUID,
    week_ending: m.WeekEnding,
    cursor: Cursor = None,
    limit: Limit = 100,
    principal: Principal = require("read"),
) -> m.ApproversOut:
    """For whom submitted timesheets wait, when they were last asked, and how many they were not told of yet."""
    _check_sunday(week_ending)
    found, unaddressed = await asking.approvers(tx, agency_id=agency_id, week_ending=week_ending)
    after = decode_cursor(cursor, parts=1)
    left = [one for one in found if after is None or one.approver_email > after[0]]
    return m.ApproversOut(
        week_ending=week_ending,
        without_approver=unaddressed,
        items=[m.ApproverOut.model_validate(one) for one in left[:limit]],
        next_cursor=encode_cursor(left[limit - 1].approver_email) if len(left) > limit else None,
    )


@router.get("/weeks/{week_ending}/missing")
async def get_missing(
    tx: TxDep,
    agency_id: UUID,
    week_ending: m.WeekEnding,
    by: Literal["client", "consultant"] = "client",
    client_id: UUID | None = None,
    consultant_id: UUID | None = None,
    cursor: Cursor = None,
    limit: Limit = 100,
    principal: Principal = require("read"),
) -> m.MissingOut:
    """What has not come in approved, counted by client or consultant, and one by one."""
    _check_sunday(week_ending)
    groups = await store.missing_groups(tx, agency_id=agency_id, week_ending=week_ending, by=by)
    rows = await store.missing_items(
        tx,
        agency_id=agency_id,
        week_ending=week_ending,
        most=limit + 1,
        after=uuid_after(cursor),
        client_id=client_id,
        consultant_id=consultant_id,
    )
    return m.MissingOut(
        week_ending=week_ending,
        groups=[
            m.MissingGroup(id=row.id, name=row.name, no_hours=row.no_hours, not_approved=row.not_approved)
            for row in groups
        ],
        items=[
            m.MissingItem(
                **{
                    name: getattr(row, name)
                    for name in m.MissingItem.model_fields
                    if name not in ("has_worker_email", "has_approver")
                },
                has_worker_email=row.worker_email is not None,
                has_approver=row.approver_email is not None,
            )
            for row in rows[:limit]
        ],
        next_cursor=encode_cursor(rows[limit - 1].placement_id) if len(rows) > limit else None,
    )


@router.post("/weeks/{week_ending}/chase")
async def chase(
    tx: TxDep,
    agency_id: UUID,
    week_ending: m.WeekEnding,
    body: m.ChaseIn | None = None,
    principal: Principal = require("write"),
) -> m.ChaseOut:
    """E-mail the workers whose hours are missing: of a client, of a consultant, of named timesheets, or all."""
    _check_sunday(week_ending)
    asked = body or m.ChaseIn()
    chased = await weeks.chase(
        tx,
        agency_id=agency_id,
        week_ending=week_ending,
        by=principal.subject,
        client_id=asked.client_id,
        consultant_id=asked.consultant_id,
        timesheet_ids=asked.timesheet_ids,
    )
    return m.ChaseOut.model_validate(chased)


@router.post("/weeks/{week_ending}/cut-off")
async def cut_off(
    tx: TxDep, agency_id: UUID, week_ending: m.WeekEnding, principal: Principal = require("timesheets:approve")
) -> m.ControlTotalsOut:
    """Fix the week's control totals and announce them. A later cut-off replaces this one; the same totals change nothing."""
    _check_sunday(week_ending)
    await weeks.cut_off(tx, agency_id=agency_id, week_ending=week_ending, by=principal.subject)
    return await _totals(tx, agency_id, week_ending)


@router.get("/weeks/{week_ending}/control-totals")
async def get_control_totals(
    tx: TxDep, agency_id: UUID, week_ending: m.WeekEnding, principal: Principal = require("read")
) -> m.ControlTotalsOut:
    """What is approved now beside what the last cut-off fixed."""
    _check_sunday(week_ending)
    return await _totals(tx, agency_id, week_ending)


def _check_sunday(week_ending: date) -> None:
    if week_ending.isoweekday() != 7:
        raise invalid(
            "week_ending_not_sunday",
            f"A week ends on a Sunday; {week_ending} is a {week_ending:%A}.",
            pointer="path:/week_ending",
        )


async def _totals(tx: TxDep, agency_id: UUID, week_ending: date) -> m.ControlTotalsOut:
    now = await store.totals_of(tx, agency_id=agency_id, week_ending=week_ending)
    fixed = await store.cut_off_of(tx, agency_id=agency_id, week_ending=week_ending)
    return m.ControlTotalsOut(
        week_ending=week_ending,
        now=m.TotalsOut.model_validate(now),
        statuses=await store.statuses_of(tx, agency_id=agency_id, week_ending=week_ending),
        cut_off=None
        if fixed is None
        else m.CutOffOut(
            sequence=fixed.sequence,
            cut_off_at=fixed.cut_off_at,
            cut_off_by=fixed.cut_off_by,
            totals=m.TotalsOut.model_validate(fixed.totals),
        ),
        agrees=fixed is not None and fixed.totals == now,
    )
