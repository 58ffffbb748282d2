"""Attachments of earnings: which orders the engine works itself, which it refuses, and the order of work.

Worked here: orders that state their own normal deduction and protected earnings (DEO, priority and non-priority AEO), and orders that take
a statutory table (council tax, direct earnings attachment, Scottish arrestment) where `AttachmentBook` holds a verified one for the
order's jurisdiction and date. Without one they are refused as `attachment_table_unknown`; a clerk may enter the period's amount from the
order, which the explanation shows as entered by hand.
Source: Attachment of Earnings Act 1971; Child Support (Collection and Enforcement) Regulations 1992; the legislation named with each table;
HMRC CSLM18015 and 18020.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from pay_calc.domain.engine import rounding
from pay_calc.domain.engine.attachment_tables import AttachmentBook, AttachmentTable
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.parameters import Frequency
from pay_calc.domain.engine.trace import Node, Trace

OrderKind = Literal["DEO", "AEO_priority", "AEO_non_priority", "CTAEO", "DEA", "scottish_arrestment"]
_BEFORE_LOANS = ("DEO", "AEO_priority", "CTAEO", "scottish_arrestment")
_STATES_ITS_AMOUNTS = ("DEO", "AEO_priority", "AEO_non_priority")
_STOPS_LOANS = ("CTAEO", "scottish_arrestment")
_CARRIES_SHORTFALL = ("DEO", "AEO_priority")


@dataclass(frozen=True, slots=True)
class AttachmentOrder:
    """One order on a worker's earnings, amounts a pay period in pence. `brought_forward_pence`: what earlier periods could not take.
    `by_hand_pence`: the period's amount entered by a clerk from the order.

    `protection` proportion: the law's share of net earnings instead of `protected_pence` (child maintenance orders from 3 March 2003).
    `jurisdiction`: England, Wales or Scotland, whose table applies. `tables_on`: the date whose table applies where the creditor gave
    notice of newer ones; otherwise the date of issue. `rate`: of a DEA: the standard or higher table, or the fixed `normal_pence`.
    `owed_pence`: what is still to be paid under the order, and the most that it takes; None: it has no total.
    """

    reference: str
    kind: OrderKind
    issued_on: date
    normal_pence: int = 0
    protected_pence: int = 0
    brought_forward_pence: int = 0
    by_hand_pence: int | None = None
    protection: Literal["stated", "proportion"] = "stated"
    jurisdiction: Literal["England", "Wales", "Scotland"] | None = None
    tables_on: date | None = None
    rate: Literal["standard", "higher", "fixed"] = "standard"
    owed_pence: int | None = None

    @property
    def before_loans(self) -> bool:
        return self.kind in _BEFORE_LOANS

    @property
    def stops_loans(self) -> bool:
        return self.kind in _STOPS_LOANS


@dataclass(frozen=True, slots=True)
class AttachmentResult:
    """`shortfall_pence` is carried to the next period (zero for orders that carry none, such as those that protect a proportion).
    `protected_pence`: what this order leaves untouched of the period's net earnings."""

    reference: str
    kind: OrderKind
    deducted_pence: int
    shortfall_pence: int
    by_hand: bool
    protected_pence: int = 0


def in_order_of_work(orders: tuple[AttachmentOrder, ...]) -> tuple[AttachmentOrder, ...]:
    """Orders before loans by date of issue, then non-priority orders by date, then DEA."""
    rank = {kind: 0 for kind in _BEFORE_LOANS} | {"AEO_non_priority": 1, "DEA": 2}
    return tuple(sorted(orders, key=lambda order: (rank[order.kind], order.issued_on, order.reference)))


def work(
    order: AttachmentOrder,
    earnings_left_pence: int,
    trace: Trace | None = None,
    *,
    net_earnings_pence: int | None = None,
    room_pence: int | None = None,
    frequency: Frequency | None = None,
    book: AttachmentBook | None = None,
) -> AttachmentResult:
    """What one order takes of the attachable earnings that earlier orders left (pay less tax, NIC and pension; not less loans).

    `net_earnings_pence`: the period's whole net earnings, before any order; as left when not given. `room_pence`: what can still be taken
    at all, where loans come first (non-priority orders and DEA); as left when not given. `frequency` and `book` are needed for tables and
    proportions.
    """
    net = earnings_left_pence if net_earnings_pence is None else net_earnings_pence
    if min(order.normal_pence, order.protected_pence, order.brought_forward_pence, order.by_hand_pence or 0) < 0:
        raise EngineError("negative_amount", f"Order {order.reference} holds a negative amount.", "attachments")
    if order.by_hand_pence is not None:
        if order.by_hand_pence > max(0, earnings_left_pence if room_pence is None else room_pence):
            raise EngineError(
                "attachment_exceeds_earnings",
                f"The amount entered for order {order.reference} is more than is left.",
                "attachments",
            )
        if order.owed_pence is not None and order.by_hand_pence > order.owed_pence:
            raise EngineError(
                "attachment_exceeds_order",
                f"The amount entered for order {order.reference} is more than is still owed under it.",
                "attachments",
            )
        if trace is not None:
            trace.push(
                trace.given(
                    "order.by_hand",
                    f"{order.kind} {order.reference}",
                    order.by_hand_pence,
                    "pence",
                    "entered by hand from the order",
                )
            )
        return AttachmentResult(order.reference, order.kind, order.by_hand_pence, 0, True, order.protected_pence)
    if order.kind not in _STATES_ITS_AMOUNTS or order.protection == "proportion":
        table = _table(order, book)
        if frequency is None:
            raise EngineError("frequency_missing", "A table needs the pay frequency.", "frequency")
        return _by_table(order, table, frequency, net, earnings_left_pence, room_pence, trace)
    wanted, due = _stated(order, trace)
    over_protected = earnings_left_pence - order.protected_pence
    room = max(0, over_protected if room_pence is None else min(over_protected, room_pence))
    taken = min(wanted, room)
    if trace is not None and due is not None:
        left = trace.given(
            "order.earnings", "Attachable earnings left", earnings_left_pence, "pence", "pay less tax, NIC and pension"
        )
        protected = trace.given(
            "order.protected", "Protected earnings", order.protected_pence, "pence", "stated in the order"
        )
        over = Node("order.over", "Earnings over the protected", "sum", over_protected, "pence", "earnings less protected", (),
                    (left, protected), (1, -1))  # fmt: skip
        if room_pence is not None and room_pence < over_protected:
            there = trace.given("order.there", "What is left after loans", room_pence, "pence", "loans come first")
            over = Node(
                "order.least", "The lower of both", "min", room_pence, "pence", "within what is left", (), (over, there)
            )
        zero = trace.given("order.zero", "Zero", 0, "pence", "nothing below the protected earnings")
        trace.push(
            Node("order.taken", f"{order.kind} {order.reference}", "min", taken, "pence", "what is due, within the room left", (),
                 (
                     due,
                     Node("order.room", "Room", "max", room, "pence", "never less than zero", (), (over, zero)),
                 ))
        )  # fmt: skip
    return AttachmentResult(
        order.reference,
        order.kind,
        taken,
        wanted - taken if order.kind in _CARRIES_SHORTFALL else 0,
        False,
        order.protected_pence,
    )


def _stated(order: AttachmentOrder, trace: Trace | None) -> tuple[int, Node | None]:
    """What the order states for this period with what was brought forward, and the node that says so."""
    wanted, node = order.normal_pence + order.brought_forward_pence, None
    if trace is not None:
        normal = trace.given("order.normal", "Normal deduction", order.normal_pence, "pence", "stated in the order")
        brought = trace.given(
            "order.brought_forward", "Brought forward", order.brought_forward_pence, "pence", "earlier shortfall"
        )
        node = Node("order.wanted", "Due this period", "sum", wanted, "pence", "normal and brought forward", (), (normal, brought),
                    (1, 1))  # fmt: skip
    return _within_owed(order, wanted, node, trace)


def _within_owed(
    order: AttachmentOrder, wanted: int, node: Node | None, trace: Trace | None
) -> tuple[int, Node | None]:
    """No more than is still owed under the order."""
    if order.owed_pence is None:
        return wanted, node
    kept = min(wanted, order.owed_pence)
    if trace is None or node is None:
        return kept, None
    owed = trace.given("order.owed", "Still owed", order.owed_pence, "pence", "the order's total less what was taken")
    return kept, Node(
        "order.within_owed", "Due, within what is owed", "min", kept, "pence", "the lower", (), (node, owed)
    )


def _table(order: AttachmentOrder, book: AttachmentBook | None) -> AttachmentTable:
    found, on = None, order.tables_on or order.issued_on
    if book is not None:
        # a fixed amount is stated by the order; the standard table gives the share of earnings it must leave
        found = book.find(order.kind, order.jurisdiction, on, "higher" if order.rate == "higher" else "standard")
    if found is None:
        where = f" of {order.jurisdiction}" if order.jurisdiction else ""
        rate = " at the higher rate" if order.rate == "higher" else ""
        raise EngineError(
            "attachment_table_unknown",
            f"No verified table is loaded for {order.kind} order {order.reference}{where} dated {on}{rate}: "
            "enter the period's amount from the order.",
            "attachments",
        )
    return found


def _by_table(
    order: AttachmentOrder,
    table: AttachmentTable,
    frequency: Frequency,
    net_pence: int,
    left_pence: int,
    room_pence: int | None,
    trace: Trace | None,
) -> AttachmentResult:
    """An order with a table, a stated amount or both kinds of protection.

    Council tax and arrestment tables are of what earlier orders left; a DEA's percentage is of the whole net earnings. A protected share
    is of the whole net earnings, so that all orders together leave it.
    """
    stated = order.kind == "DEO" or order.rate == "fixed"
    protected = rounding.protected_ceil_penny(max(0, net_pence) * table.protected_bp, 10000)
    room = left_pence - protected
    if room_pence is not None and room_pence < room:
        room = room_pence
    room = max(0, room)
    if stated:
        wanted, due = _stated(order, trace)
    else:
        by_table = table.deduction(frequency, net_pence if order.kind == "DEA" else max(0, left_pence), trace)
        wanted, due = _within_owed(order, by_table, trace.pop() if trace is not None else None, trace)
    taken = min(wanted, room)
    if trace is not None and due is not None:
        limit = trace.given(
            "order.room", "Room", room, "pence", "what is left over the protected share",
            (("protected", f"{protected // 100}.{protected % 100:02d}"), ("source", table.source)),
        )  # fmt: skip
        trace.push(
            Node("order.taken", f"{order.kind} {order.reference}", "min", taken, "pence", "what is due, within the room left",
                 (("table", table.name),), (due, limit))
        )  # fmt: skip
    return AttachmentResult(order.reference, order.kind, taken, 0, False, protected)


def cap_loan(loan_pence: int, room_pence: int, trace: Trace | None = None) -> int:
    """A loan behind a priority order: at most what the order's protected earnings leave, and down to the pound again. With a trace, the
    loan's node is on top and is wrapped."""
    room = max(0, room_pence)
    kept = min(loan_pence, room)
    pounds = rounding.loan_floor_pound(kept, 100)
    if trace is not None:
        loan = trace.pop()
        left = trace.given(
            "order.loan_room", "Room behind the orders", room, "pence", "earnings over the protected, after the orders"
        )
        least = Node(
            "order.loan_least", "The lower of both", "min", kept, "pence", "the loan, within the room", (), (loan, left)
        )
        whole = Node("order.loan_pounds", "In whole pounds", "ratio", pounds, "pounds", "down to the pound", (), (least,), divisor=100,
                     rounding="loan_floor_pound")  # fmt: skip
        trace.push(Node("order.loan", loan.label, "sum", pounds * 100, "pence", "whole pounds", (), (whole,), (100,)))
    return pounds * 100
