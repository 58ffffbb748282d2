"""How money and credits settle invoices."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from uuid import UUID


def allocate(amount_gbp: Decimal, balances: Iterable[tuple[UUID, Decimal]]) -> list[tuple[UUID, Decimal]]:
    """Settle balances in their order until the amount is used up; nothing goes below zero and nothing is over-settled."""
    left = amount_gbp
    settled: list[tuple[UUID, Decimal]] = []
    for document_id, balance in balances:
        share = min(left, balance)
        if share <= 0:
            continue
        settled.append((document_id, share))
        left -= share
    return settled
