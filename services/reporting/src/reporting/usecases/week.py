"""The week as one value: counts, money, funnel and tie-out, for the API, the pages and the live stream."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from paybill_common.db import Tx
from reporting.domain.tie_out import TieOut
from reporting.store import week as store


@dataclass(frozen=True)
class Stage:
    """One stage of the funnel."""

    key: str
    label: str
    timesheets: int
    minutes: int
    amount_gbp: Decimal


@dataclass(frozen=True)
class Week:
    """One agency's week. `totals`, `runs` and `cut_off` are rows of the store; `tie_out` is None when not asked for."""

    agency_id: UUID
    week_ending: date
    totals: Any
    runs: Any
    cut_off: Any
    pay_runs: list[Any]
    invoice_runs: list[Any]
    tie_out: TieOut | None

    @property
    def margin_gbp(self) -> Decimal:
        """Charge less cost of the timesheets whose cost is known."""
        return Decimal(self.totals.costed_charge_gbp) - Decimal(self.totals.cost_gbp)

    @property
    def to_pay_gbp(self) -> Decimal:
        """What closed pay runs owe to workers and companies and no released payment file has paid yet."""
        return max(Decimal(0), Decimal(self.runs.payable_gbp) - Decimal(self.runs.payments_gbp))

    @property
    def funnel(self) -> list[Stage]:
        """Submitted to cash, in charge; each stage counts what has reached it."""
        t, r = self.totals, self.runs
        return [
            Stage("submitted", "Submitted", t.imported, int(t.submitted_minutes), t.submitted_charge_gbp),
            Stage("approved", "Approved", t.approved, int(t.approved_minutes), t.charge_gbp),
            Stage("cleared", "Cleared", t.cleared, int(t.cleared_minutes), t.cleared_charge_gbp),
            Stage("paid", "Paid", t.paid, int(t.paid_minutes), t.paid_gbp),
            Stage("billed", "Billed", t.billed, int(t.billed_minutes), t.billed_gbp),
            Stage("cash", "Cash", r.invoices, 0, r.cash_gbp),
        ]


async def read_week(tx: Tx, *, agency_id: UUID, week_ending: date, with_tie_out: bool = True) -> Week:
    """Read one week. A week without facts has zero in every place."""
    return Week(
        agency_id=agency_id,
        week_ending=week_ending,
        totals=await store.totals(tx, agency_id=agency_id, week_ending=week_ending),
        runs=await store.run_totals(tx, agency_id=agency_id, week_ending=week_ending),
        cut_off=await store.cut_off(tx, agency_id=agency_id, week_ending=week_ending),
        pay_runs=await store.pay_runs(tx, agency_id=agency_id, week_ending=week_ending),
        invoice_runs=await store.invoice_runs(tx, agency_id=agency_id, week_ending=week_ending),
        tie_out=await store.read_tie_out(tx, agency_id=agency_id, week_ending=week_ending) if with_tie_out else None,
    )
