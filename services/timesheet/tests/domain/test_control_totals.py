from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from timesheet.domain.control_totals import (
    ApprovedWeek,
    ControlTotals,
    TimesheetCountedTwice,
    control_totals,
    differences,
)
from timesheet.domain.entries import Expense, UnitEntry
from timesheet.domain.rules import MinimumCallOut
from timesheet.domain.vocabulary import RateUnit

from .builders import MONDAY, SUNDAY, card, charge, shift, week

AGENCY = UUID(int=1)
OTHER_AGENCY = UUID(int=2)
TRAINING = charge(week(shift(MONDAY, "08:00", "10:00", rate_code="training")), card())
PLAIN = charge(
    week(
        shift(MONDAY, "08:00", "10:00"),
        UnitEntry(MONDAY, RateUnit.EACH, Decimal(10), "mile"),
        expenses=(Expense(MONDAY, "rail", Decimal("12.40"), Decimal("12.40")),),
    ),
    card(MinimumCallOut("call-out", 240)),
)


def approved(agency: UUID, number: int, interpretation: object) -> ApprovedWeek:
    return ApprovedWeek(agency, UUID(int=100 + number), 1, interpretation)  # type: ignore[arg-type]


def test_totals_by_agency_and_week() -> None:
    next_week = replace(PLAIN, week_ending=SUNDAY + timedelta(days=7))
    totals = control_totals(
        [
            approved(OTHER_AGENCY, 1, PLAIN),
            approved(AGENCY, 2, next_week),
            approved(AGENCY, 3, PLAIN),
            approved(AGENCY, 4, TRAINING),
        ]
    )
    assert [(one.agency_id, one.week_ending, one.timesheets) for one in totals] == [
        (AGENCY, SUNDAY, 2), (AGENCY, SUNDAY + timedelta(days=7), 1), (OTHER_AGENCY, SUNDAY, 1),
    ]  # fmt: skip
    assert totals[0] == ControlTotals(
        AGENCY, SUNDAY, timesheets=2, worked_minutes=240, payable_minutes=360, billable_minutes=240,
        payable_units=Decimal(11), billable_units=Decimal(11),
        pay_pence=2542 + 2542 + 450 + 1240 + 2542, charge_pence=3400 + 3400 + 500 + 1240,
    )  # fmt: skip


def test_one_timesheet_counts_once() -> None:
    with pytest.raises(TimesheetCountedTwice, match="version 1 and again with version 2"):
        control_totals([approved(AGENCY, 1, PLAIN), replace(approved(AGENCY, 1, PLAIN), version=2)])


def test_differences_name_the_figures() -> None:
    (expected,) = control_totals([approved(AGENCY, 1, PLAIN)])
    assert differences(expected, expected) == {}
    assert differences(expected, replace(expected, pay_pence=6773)) == {"pay_pence": (6774, 6773)}
