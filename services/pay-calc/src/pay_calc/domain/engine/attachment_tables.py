"""Statutory tables of attachments of earnings as immutable integers, found by kind, jurisdiction and date of the order.

The numbers and their legislation are in `pay_calc/rates/attachments.toml`; this module holds their shape and how a table works.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from pay_calc.domain.engine.parameters import SPAN_OF, Frequency
from pay_calc.domain.engine.rounding import ROUNDINGS
from pay_calc.domain.engine.trace import Node, Trace


@dataclass(frozen=True, slots=True)
class TableRow:
    """For net earnings over `over_pence`: base + `rate_bp` of what is above `above_pence`, at least `minimum_pence`."""

    over_pence: int
    rate_bp: int
    above_pence: int = 0
    base_pence: int = 0
    minimum_pence: int = 0


@dataclass(frozen=True, slots=True)
class AttachmentTable:
    """One table. Rows by "weekly" and "monthly", rising. `protected_bp`: share of net earnings that all orders together must leave.
    `orders_until` None: still in force."""

    name: str
    kind: str
    jurisdiction: str
    orders_from: date
    orders_until: date | None
    rows: Mapping[str, tuple[TableRow, ...]]
    protected_bp: int
    rounding: str
    source: str
    rate: str = "standard"

    def deduction(self, frequency: Frequency, net_pence: int, trace: Trace | None = None) -> int:
        """What the table takes of one period's net earnings, pence, before any protection.

        Pay of several weeks takes the weekly table at its multiple: each amount of the row times the weeks, rounded once.
        """
        span = SPAN_OF[frequency]
        row = None
        for each in self.rows["monthly" if frequency == "monthly" else "weekly"]:
            if net_pence > each.over_pence * span:
                row = each
        if row is None:
            if trace is not None:
                trace.push(trace.given("table.nothing", "By the table", 0, "pence", "net earnings are below the table"))
            return 0
        over = net_pence - row.above_pence * span
        share = ROUNDINGS[self.rounding](over * row.rate_bp, 10000)
        taken = max(row.base_pence * span + share, row.minimum_pence * span)
        if trace is not None:
            net = trace.given("table.net", "Net earnings", net_pence, "pence", "as the order defines them")
            above = trace.given("table.above", "From", row.above_pence * span, "pence", self.name)
            part = Node("table.over", "Earnings that the rate takes", "sum", over, "pence", "net earnings less the row's start", (),
                        (net, above), (1, -1))  # fmt: skip
            at_rate = Node("table.rate", f"At {row.rate_bp // 100} %", "ratio", share, "pence", f"earnings x {row.rate_bp // 100} %", (),
                           (part,), factors=(row.rate_bp,), divisor=10000, rounding=self.rounding)  # fmt: skip
            base = trace.given("table.base", "Fixed part of the row", row.base_pence * span, "pence", self.name)
            whole = Node("table.sum", "Rate and fixed part", "sum", row.base_pence * span + share, "pence", "both", (), (base, at_rate),
                         (1, 1))  # fmt: skip
            least = trace.given("table.minimum", "Least of the row", row.minimum_pence * span, "pence", self.name)
            trace.push(Node("table.taken", "By the table", "max", taken, "pence", self.source, (), (whole, least)))
        return taken


@dataclass(frozen=True, slots=True)
class AttachmentBook:
    """All verified tables."""

    tables: tuple[AttachmentTable, ...]

    def find(self, kind: str, jurisdiction: str | None, on: date, rate: str = "standard") -> AttachmentTable | None:
        """The table for an order of this kind, date and rate; None when none is verified. A table for Great Britain serves each nation of
        it."""
        for table in self.tables:
            place = table.jurisdiction == jurisdiction or (
                table.jurisdiction == "Great Britain" and jurisdiction in (None, "England", "Wales", "Scotland")
            )
            if (
                (table.kind, table.rate) == (kind, rate)
                and place
                and table.orders_from <= on
                and (table.orders_until or on) >= on
            ):
                return table
        return None
