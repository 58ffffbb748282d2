"""The tie-out: every approved minute is paid or held, billed or held, and every line's money agrees to the penny.

The rules, once, for the running service, the simulation and the browser tests:

- payable minutes = paid + held: a timesheet's minutes that are not in a finalised payslip or self-bill are *held* when a
  state explains them (in an open draft, held with a reason, or waiting for compliance), else *unexplained*;
- billable minutes = billed + held, likewise;
- each line of a paid version: approved pay = finalised pay - recorded rounding; each line of a billed version: approved
  charge = invoiced net; a superseded version nets to nothing once its successor is paid or billed;
- every document's double entry balances, its gross is net + VAT, and its net is the sum of its lines.

It is a statement about a settled system: read it when outboxes are empty and lag is zero.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

Side = Literal["pay", "bill"]

SETTLED = {"pay": "paid", "bill": "billed"}
EXPLAINS = {
    "pay": frozenset({"draft", "held", "clearing"}),
    "bill": frozenset({"ready", "held", "clearing", "credited"}),
}
"""States that explain why minutes are not settled yet. `waiting` does not: everybody else has spoken. `credited`: billed,
and part of it was taken back by a credit note."""


@dataclass(frozen=True)
class MinutesBucket:
    """Approved timesheets of one state, summed. `drafted_minutes` is None where the side has no draft (billing)."""

    side: Side
    state: str
    timesheets: int
    approved_minutes: int
    settled_minutes: int
    mismatched_minutes: int = 0
    """Sum over these timesheets of |approved - settled| where the state claims it is settled, or of |approved - settled
    - drafted| where it is a draft."""


@dataclass(frozen=True)
class LineDifference:
    """A charge line whose approved amount is not what was finalised or invoiced. Amounts in pence."""

    side: Side
    timesheet_id: str
    version: int
    charge_line_id: str
    approved_pence: int
    settled_pence: int
    difference_pence: int


@dataclass(frozen=True)
class DocumentDifference:
    """A document whose books or sums do not agree, in pence."""

    document_id: str
    number: str
    difference_pence: int
    why: str


@dataclass(frozen=True)
class TieOut:
    """The result. `clean` is the one answer: nothing is unexplained."""

    approved_minutes: int
    paid_minutes: int
    held_minutes: int
    billable_minutes: int
    billed_minutes: int
    bill_held_minutes: int
    unexplained_minutes: int
    unexplained_pence: int
    lines: tuple[LineDifference, ...] = field(default=())
    documents: tuple[DocumentDifference, ...] = field(default=())

    @property
    def clean(self) -> bool:
        return self.unexplained_minutes == 0 and self.unexplained_pence == 0

    @property
    def balanced(self) -> bool:
        """The two equations hold."""
        return (
            self.approved_minutes == self.paid_minutes + self.held_minutes
            and self.billable_minutes == self.billed_minutes + self.bill_held_minutes
        )


def tie_out(
    buckets: Iterable[MinutesBucket],
    lines: Iterable[LineDifference],
    documents: Iterable[DocumentDifference],
) -> TieOut:
    """Apply the rules to the sums of a store. Minutes and pence are whole numbers."""
    approved = {"pay": 0, "bill": 0}
    settled = {"pay": 0, "bill": 0}
    held = {"pay": 0, "bill": 0}
    unexplained = 0
    for bucket in buckets:
        approved[bucket.side] += bucket.approved_minutes
        settled[bucket.side] += bucket.settled_minutes
        missing = bucket.approved_minutes - bucket.settled_minutes
        if bucket.state in EXPLAINS[bucket.side]:
            held[bucket.side] += missing
            unexplained += bucket.mismatched_minutes
        else:
            unexplained += max(bucket.mismatched_minutes, abs(missing))
    line_list, document_list = tuple(lines), tuple(documents)
    pence = sum(abs(line.difference_pence) for line in line_list)
    pence += sum(abs(document.difference_pence) for document in document_list)
    return TieOut(
        approved_minutes=approved["pay"],
        paid_minutes=settled["pay"],
        held_minutes=held["pay"],
        billable_minutes=approved["bill"],
        billed_minutes=settled["bill"],
        bill_held_minutes=held["bill"],
        unexplained_minutes=unexplained,
        unexplained_pence=pence,
        lines=line_list,
        documents=document_list,
    )


@dataclass(frozen=True)
class Line:
    """One charge line of one version: what was approved, and what was settled and taken back, in pence."""

    timesheet_id: str
    version: int
    charge_line_id: str
    approved_pence: int | None
    """None: no such line was approved."""
    settled_pence: int
    reversed_pence: int = 0
    reversed: bool = False
    superseded: bool = False
    """A later version of the timesheet is settled."""


def pay_difference(line: Line) -> int:
    """Pence that the pay side cannot explain. `settled` is without recorded rounding; `reversed` is usually negative."""
    difference = abs((line.approved_pence or 0) - line.settled_pence)
    net = line.settled_pence + line.reversed_pence
    if line.reversed or line.superseded:
        difference += abs(net)
    return difference


def bill_difference(line: Line) -> int:
    """Pence that the billing side cannot explain: a credited line nets to nothing, or to its charge when billed again."""
    net = line.settled_pence + line.reversed_pence
    approved = line.approved_pence or 0
    if line.superseded:
        return abs(net)
    if line.reversed:
        return min(abs(net), abs(net - approved))
    return abs(net - approved)
