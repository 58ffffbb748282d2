"""Timesheets that are expected: one for each placement and week."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from paybill_common.db import Tx
from paybill_common.ids import derived_id
from timesheet.domain.workflow import TimesheetState
from timesheet.store import records
from timesheet.store import timesheets as store
from timesheet.store import weeks as week_store
from timesheet.store.records import Row
from timesheet.store.timesheets import PlacementFacts, Timesheet
from timesheet.usecases import facts


@dataclass(frozen=True)
class Opened:
    """How many timesheets were made, and how many the week had already."""

    created: int
    existing: int
    remaining: int


def timesheet_id_of(agency_id: UUID, placement_id: UUID, week_ending: date) -> UUID:
    """The id of a placement's week: the same whoever opens it."""
    return derived_id("timesheet", agency_id, placement_id, week_ending)


async def open_week(tx: Tx, *, agency_id: UUID, week_ending: date, most: int) -> Opened:
    """Expect a timesheet of every placement that is in force in the week; at most `most` new ones at a time."""
    existing, missing, placements = await week_store.placements_without_timesheet(
        tx, agency_id=agency_id, week_ending=week_ending, most=most
    )
    created = await open_timesheets(
        tx, agency_id=agency_id, wanted=[(placement, week_ending) for placement in placements], source="api"
    )
    return Opened(created, existing, missing - len(placements))


async def open_timesheets(tx: Tx, *, agency_id: UUID, wanted: Sequence[tuple[Row, date]], source: str) -> int:
    """Make the drafts of these placements and weeks, and say that they are expected. Those that exist stay."""
    if not wanted:
        return 0
    first = await records.take_numbers(tx, agency_id=agency_id, name="timesheet", count=len(wanted))
    rows = [
        (
            timesheet_id_of(agency_id, placement["placement_id"], week_ending),
            first + offset,
            placement["placement_id"],
            placement["worker_id"],
            placement["client_id"],
            week_ending,
            source,
        )
        for offset, (placement, week_ending) in enumerate(wanted)
    ]
    created = set(await store.insert_expected(tx, agency_id=agency_id, rows=rows))
    for row, (placement, week_ending) in zip(rows, wanted, strict=True):
        if row[0] in created:
            made = _draft(row[0], row[1], placement, week_ending, source)
            tx.emit(facts.expected(agency_id=agency_id, timesheet=made, version=1, at=tx.now), sequence=1)
    return len(created)


def _draft(timesheet_id: UUID, number: int, placement: Row, week_ending: date, source: str) -> Timesheet:
    return Timesheet(
        timesheet_id=timesheet_id,
        reference=f"TS-{number:06d}",
        week_ending=week_ending,
        state=TimesheetState(timesheet_id),
        sequence=1,
        reason_code=None,
        source=source,
        placement=PlacementFacts(
            placement_id=placement["placement_id"],
            worker_id=placement["worker_id"],
            client_id=placement["client_id"],
            site_id=placement["site_id"],
            consultant_id=placement["consultant_id"],
            branch=placement["branch"],
            pay_basis=placement["pay_basis"],
            payee_id=placement["payee_id"],
            holiday_pay=placement["holiday_pay"],
            purchase_order=placement["purchase_order"],
            sds=placement["sds"],
        ),
        starts_on=placement["starts_on"],
        ends_on=placement["ends_on"],
    )
