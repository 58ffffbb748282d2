"""A week of an agency: chasing what is missing, and the cut-off with its control totals."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from paybill_common.db import Tx
from paybill_common.ids import new_id
from paybill_contracts.control import WeekCutOff
from timesheet.store import approvals
from timesheet.store import timesheets as timesheet_store
from timesheet.store import weeks as store
from timesheet.store.approvals import Mail
from timesheet.store.weeks import CutOff
from timesheet.usecases import letters

CHASE_AGAIN_AFTER = timedelta(hours=12)
CHASE_MAX = 5_000


@dataclass(frozen=True)
class Chased:
    """What a chase did: people asked, asked before within half a day, and those without an e-mail address."""

    chased: int = 0
    chased_before: int = 0
    no_address: int = 0
    not_opened: int = 0


async def chase(
    tx: Tx,
    *,
    agency_id: UUID,
    week_ending: date,
    by: str,
    client_id: UUID | None = None,
    consultant_id: UUID | None = None,
    timesheet_ids: list[UUID] | None = None,
) -> Chased:
    """Ask each worker whose hours are missing, once in half a day. Approvers are asked by approval requests."""
    rows = await store.missing_items(
        tx,
        agency_id=agency_id,
        week_ending=week_ending,
        most=CHASE_MAX,
        client_id=client_id,
        consultant_id=consultant_id,
        timesheet_ids=timesheet_ids,
    )
    counts = {"chased": 0, "chased_before": 0, "no_address": 0, "not_opened": 0}
    mails: list[Mail] = []
    chases: list[tuple[UUID, UUID, str, UUID | None]] = []
    for row in rows:
        if row.status == "submitted":
            continue
        if row.timesheet_id is None:
            counts["not_opened"] += 1
        elif row.chased_at is not None and tx.now - row.chased_at < CHASE_AGAIN_AFTER:
            counts["chased_before"] += 1
        elif row.worker_email is None:
            counts["no_address"] += 1
        else:
            mail = letters.hours_missing(row, week_ending)
            mails.append(mail)
            chases.append((new_id(), row.timesheet_id, "hours", mail.mail_id))
            counts["chased"] += 1
    await approvals.queue_mail(tx, agency_id=agency_id, mails=mails)
    if chases:
        await timesheet_store.load(tx, agency_id=agency_id, ids=[one[1] for one in chases], lock=True)
        await store.record_chases(tx, agency_id=agency_id, chases=chases, by=by)
    return Chased(**counts)


async def cut_off(tx: Tx, *, agency_id: UUID, week_ending: date, by: str) -> CutOff:
    """Fix the week's control totals and tell everybody. With the same totals as the last time nothing changes."""
    before = await store.cut_off_of(tx, agency_id=agency_id, week_ending=week_ending, lock=True)
    totals = await store.totals_of(tx, agency_id=agency_id, week_ending=week_ending)
    if before is not None and before.totals == totals:
        return before
    made = CutOff(1 if before is None else before.sequence + 1, tx.now, by, totals)
    await store.save_cut_off(tx, agency_id=agency_id, week_ending=week_ending, cut_off=made)
    sums: dict[str, Any] = asdict(totals)
    tx.emit(WeekCutOff(agency_id=agency_id, week_ending=week_ending, cut_off_at=tx.now, **sums), sequence=made.sequence)
    return made
