"""Do the control totals of a week's cut-off equal what invoicing itself knows?"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class WeekTotals:
    """Approved timesheets of one agency and week: their billable minutes and units, and their charge."""

    timesheets: int
    billable_minutes: int
    billable_units: Decimal
    charge_gbp: Decimal


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure that disagrees: what the cut-off said and what is known here, both as text."""

    figure: str
    control: str
    own: str


def differences(*, control: WeekTotals, own: WeekTotals) -> tuple[Difference, ...]:
    """Every figure that differs; empty when the week is complete."""
    pairs = (
        ("timesheets", control.timesheets, own.timesheets),
        ("billable_minutes", control.billable_minutes, own.billable_minutes),
        ("billable_units", control.billable_units, own.billable_units),
        ("charge_gbp", control.charge_gbp, own.charge_gbp),
    )
    return tuple(Difference(name, str(said), str(known)) for name, said, known in pairs if said != known)
