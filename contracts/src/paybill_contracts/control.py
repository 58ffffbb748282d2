"""Agency-wide facts: the agency itself and the weekly control totals. Owner: timesheet. Key: agency."""

from __future__ import annotations

from datetime import date
from typing import ClassVar
from uuid import UUID

from pydantic import AwareDatetime

from paybill_contracts.base import Code, EventData, Gbp, Minutes, Units


class AgencyChanged(EventData):
    TYPE: ClassVar[str] = "paybill.agency.changed.v1"
    TOPIC: ClassVar[str] = "paybill.control"

    reference: Code
    bureau_id: UUID | None = None

    def partition_key(self) -> str:
        return str(self.agency_id)

    def subject(self) -> str:
        return str(self.agency_id)


class WeekCutOff(EventData):
    """Control totals of one agency's week at its cut-off: approved timesheets, their minutes, units and money.

    A pay run or invoice run closes only when its own totals match these, or a named person accepts the difference.
    A later cut-off of the same week replaces the earlier one by `sequence`.
    """

    TYPE: ClassVar[str] = "paybill.week.cut_off.v1"
    TOPIC: ClassVar[str] = "paybill.control"

    week_ending: date
    cut_off_at: AwareDatetime
    timesheets: int
    payable_minutes: Minutes
    billable_minutes: Minutes
    payable_units: Units
    billable_units: Units
    pay_gbp: Gbp
    charge_gbp: Gbp

    def partition_key(self) -> str:
        return str(self.agency_id)

    def subject(self) -> str:
        return f"{self.agency_id}/{self.week_ending.isoformat()}"
