"""Files, sent as rows of text in batches of at most 1,000. Each row gets a receipt; sending a batch again is harmless."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from fastapi import APIRouter, Request

from paybill_common.auth import Principal
from paybill_common.http.problems import ERROR_RESPONSES
from paybill_common.http.route import TxDep, TxRoute, require
from timesheet.api import models as m
from timesheet.api.timesheets import APPROVE, decided_by
from timesheet.usecases.importing.hours import import_hours
from timesheet.usecases.importing.rates import import_rate_cards
from timesheet.usecases.importing.records import import_clients, import_placements, import_workers
from timesheet.usecases.importing.rows import ImportReceipt

router = APIRouter(prefix="/v1/agencies/{agency_id}", route_class=TxRoute, responses=ERROR_RESPONSES, tags=["imports"])


@router.post("/imports/{kind}")
async def import_rows(
    request: Request,
    tx: TxDep,
    agency_id: UUID,
    kind: Literal["workers", "clients", "placements", "rate-cards", "hours"],
    body: m.ImportIn,
    principal: Principal = require("write"),
) -> m.ImportOut:
    """Take rows of a file. A row that is refused keeps no other row back, and says its column, value, reason and hint."""
    rows = [(one.row, one.values) for one in body.rows]
    if kind == "hours":
        by = decided_by(request, principal, m.EvidenceIn())
        may_vouch = APPROVE in principal.scopes
        receipts = await import_hours(
            tx, agency_id=agency_id, import_id=body.import_id, rows=rows, by=by, may_vouch=may_vouch
        )
    elif kind == "rate-cards":
        receipts = await import_rate_cards(tx, agency_id=agency_id, rows=rows, by=principal.subject)
    else:
        take = {"workers": import_workers, "clients": import_clients, "placements": import_placements}[kind]
        receipts = await take(tx, agency_id=agency_id, rows=rows)
    return _answer(body.import_id, receipts)


def _answer(import_id: UUID, receipts: list[ImportReceipt]) -> m.ImportOut:
    counts = {status: sum(one.status == status for one in receipts) for status in ("accepted", "duplicate", "refused")}
    return m.ImportOut(
        import_id=import_id,
        receipts=[m.ImportReceiptOut.model_validate(one) for one in receipts],
        **counts,
    )
