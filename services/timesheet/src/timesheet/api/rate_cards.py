"""Rate cards and their versions."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter

from paybill_common.auth import Principal
from paybill_common.http.paging import Cursor, Limit, Page, encode_cursor
from paybill_common.http.problems import ERROR_RESPONSES, not_found
from paybill_common.http.route import TxDep, TxRoute, require
from timesheet.api import models as m
from timesheet.api.records import External, uuid_after
from timesheet.store import cards
from timesheet.usecases import rating
from timesheet.usecases.rating import CardHead

router = APIRouter(
    prefix="/v1/agencies/{agency_id}", route_class=TxRoute, responses=ERROR_RESPONSES, tags=["rate cards"]
)


@router.put("/rate-cards/{rate_card_id}/versions")
async def put_rate_card_version(
    tx: TxDep, agency_id: UUID, rate_card_id: UUID, body: m.RateCardVersionIn, principal: Principal = require("write")
) -> m.RateCardOut:
    """Add a version: it takes over on its first day; one that starts on a known version's day corrects that version.

    What was charged stays as it was charged. The same version again changes nothing.
    """
    head = CardHead(rate_card_id, body.external_id, body.name, body.client_id, body.placement_id)
    version: dict[str, Any] = {
        "effective_from": body.effective_from.isoformat(),
        "effective_to": body.effective_to.isoformat() if body.effective_to else None,
        "standard_code": body.standard_code,
        "minutes_per_day": body.minutes_per_day,
        "rates": [rate.model_dump(exclude_none=True) for rate in body.rates],
        "rules": None if body.rules is None else {"rules": [], **body.rules},
    }
    await rating.put_version(tx, agency_id=agency_id, head=head, version=version, by=principal.subject)
    return await _shown(tx, agency_id, rate_card_id)


@router.get("/rate-cards")
async def list_rate_cards(
    tx: TxDep,
    agency_id: UUID,
    external_id: External = None,
    client_id: UUID | None = None,
    placement_id: UUID | None = None,
    cursor: Cursor = None,
    limit: Limit = 100,
    principal: Principal = require("read"),
) -> Page[m.RateCardHead]:
    """Rate cards by id."""
    given = {"external_id": external_id, "client_id": client_id, "placement_id": placement_id}
    where = {name: value for name, value in given.items() if value is not None}
    rows = await cards.page(tx, agency_id=agency_id, where=where, after=uuid_after(cursor), most=limit + 1)
    more = encode_cursor(rows[limit - 1].rate_card_id) if len(rows) > limit else None
    return Page[m.RateCardHead](items=[m.RateCardHead.model_validate(row) for row in rows[:limit]], next_cursor=more)


@router.get("/rate-cards/{rate_card_id}/versions")
async def get_rate_card_versions(
    tx: TxDep, agency_id: UUID, rate_card_id: UUID, principal: Principal = require("read")
) -> m.RateCardOut:
    """Every version that was ever recorded: what applied when, and when we knew."""
    return await _shown(tx, agency_id, rate_card_id)


async def _shown(tx: TxDep, agency_id: UUID, rate_card_id: UUID) -> m.RateCardOut:
    heads = await cards.heads(tx, agency_id=agency_id, rate_card_ids=[rate_card_id])
    if rate_card_id not in heads:
        raise not_found("rate_card", rate_card_id)
    head = heads[rate_card_id]
    versions = await cards.listed(tx, agency_id=agency_id, rate_card_id=rate_card_id)
    return m.RateCardOut(
        rate_card_id=rate_card_id,
        external_id=head.external_id,
        name=head.name,
        client_id=head.client_id,
        placement_id=head.placement_id,
        versions=[
            m.RateCardVersionOut(
                version=row.version,
                effective_from=row.effective_from,
                effective_to=row.effective_to,
                recorded_at=row.recorded_at,
                recorded_by=row.recorded_by,
                superseded_at=row.superseded_at,
                card=row.card,
            )
            for row in versions
        ],
    )
