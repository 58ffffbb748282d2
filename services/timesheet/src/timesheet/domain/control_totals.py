"""Control totals of an agency's week: what approved, so that a pay run or an invoice run can prove that it saw it all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from uuid import UUID

from timesheet.domain.lines import Interpretation


class TimesheetCountedTwice(ValueError):
    """Two versions of one timesheet in the same totals."""

    code = "timesheet_counted_twice"


@dataclass(frozen=True, slots=True)
class ApprovedWeek:
    """The current version of one approved timesheet."""

    agency_id: UUID
    timesheet_id: UUID
    version: int
    interpretation: Interpretation


@dataclass(frozen=True, slots=True)
class ControlTotals:
    """One agency, one week. Minutes and units count every line of their side, whatever its kind; `worked_minutes` counts
    time lines alone. Pay is the sum of payable lines, charge of billable ones, in pence.
    """

    agency_id: UUID
    week_ending: date
    timesheets: int = 0
    worked_minutes: int = 0
    payable_minutes: int = 0
    billable_minutes: int = 0
    payable_units: Decimal = Decimal(0)
    billable_units: Decimal = Decimal(0)
    pay_pence: int = 0
    charge_pence: int = 0

    def plus(self, week: Interpretation) -> ControlTotals:
        """These totals with one more timesheet."""
        return ControlTotals(
            agency_id=self.agency_id,
            week_ending=self.week_ending,
            timesheets=self.timesheets + 1,
            worked_minutes=self.worked_minutes + week.worked_minutes,
            payable_minutes=self.payable_minutes + week.payable_minutes,
            billable_minutes=self.billable_minutes + week.billable_minutes,
            payable_units=self.payable_units + week.payable_units,
            billable_units=self.billable_units + week.billable_units,
            pay_pence=self.pay_pence + week.pay_pence,
            charge_pence=self.charge_pence + week.charge_pence,
        )


def control_totals(weeks: Iterable[ApprovedWeek]) -> tuple[ControlTotals, ...]:
    """Totals per agency and week, in that order. Raises TimesheetCountedTwice: give the current versions only."""
    totals: dict[tuple[UUID, date], ControlTotals] = {}
    versions: dict[UUID, int] = {}
    for week in weeks:
        if week.timesheet_id in versions:
            raise TimesheetCountedTwice(
                f"timesheet {week.timesheet_id} is in the totals with version {versions[week.timesheet_id]} and again with "
                f"version {week.version}; give its current version only"
            )
        versions[week.timesheet_id] = week.version
        key = (week.agency_id, week.interpretation.week_ending)
        totals[key] = totals.get(key, ControlTotals(*key)).plus(week.interpretation)
    return tuple(totals[key] for key in sorted(totals))


def differences(expected: ControlTotals, found: ControlTotals) -> dict[str, tuple[object, object]]:
    """The figures in which two totals of the same agency and week differ: name to (expected, found); empty when they agree."""
    names = [one.name for one in fields(ControlTotals)]
    return {
        name: (getattr(expected, name), getattr(found, name))
        for name in names
        if getattr(expected, name) != getattr(found, name)
    }
