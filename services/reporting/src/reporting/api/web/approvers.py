"""Whom a week's timesheets wait for, when they were last asked, and the buttons that ask and remind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from reporting.api.web.context import page, visitor
from reporting.api.web.overview import WeekPath
from reporting.api.web.records import ask
from reporting.api.web.route import PageRoute
from reporting.api.weeks import sunday

router = APIRouter(route_class=PageRoute, include_in_schema=False)
MOST = 500


@dataclass(frozen=True)
class ShownApprover:
    """An approver for whom timesheets wait; `new`: as many as their last e-mail did not list."""

    approval_request_id: str
    name: str
    email: str
    timesheets: int
    new: int
    asked_at: datetime | None
    times: int

    @property
    def silent(self) -> bool:
        """Asked about all that waits, without an answer."""
        return self.asked_at is not None and not self.new


@router.get("/agencies/{agency_id}/weeks/{week_ending}/approvers")
async def approvers_page(request: Request, agency_id: UUID, week_ending: WeekPath) -> Response:
    """Each approver for whom timesheets wait, from the timesheet service."""
    who = await visitor(request)
    who.agency(agency_id)
    week = sunday(week_ending)
    path = f"/weeks/{week}/approval-requests"
    answer, away, refused = await ask(request, who, agency_id, "timesheet", path, {"limit": str(MOST)})
    raw = answer if isinstance(answer, Mapping) else {}
    return await page(
        request,
        who,
        "approvers.html",
        agency_id=agency_id,
        week_ending=week,
        approvers=[_shown(one) for one in raw.get("items") or []],
        more=raw.get("next_cursor") is not None,
        nobody=raw.get("without_approver") or 0,
        away=away,
        refused=refused,
    )


def _shown(raw: Mapping[str, Any]) -> ShownApprover:
    asked_at = raw["last_asked_at"]
    return ShownApprover(
        approval_request_id=raw["approval_request_id"],
        name=raw["approver_name"],
        email=raw["approver_email"],
        timesheets=raw["timesheets"],
        new=raw["new"],
        asked_at=datetime.fromisoformat(asked_at) if asked_at else None,
        times=raw["times_asked"],
    )
