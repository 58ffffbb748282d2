"""The double entry of each document and receipt. Debits are positive, credits negative; every set sums to zero."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Account = Literal[
    "debtors", "bank", "creditors", "vat_output", "vat_input", "sales", "purchases", "cis_withheld", "paye_withheld"
]

_NIL = Decimal("0.00")


class EntriesDoNotBalance(AssertionError):
    """A set of entries that does not sum to zero was about to be posted."""


@dataclass(frozen=True, slots=True)
class Entry:
    account: Account
    amount_gbp: Decimal


def sale(*, net_gbp: Decimal, vat_gbp: Decimal) -> tuple[Entry, ...]:
    """Of an invoice (positive) or a credit note (negative): debtors against sales and output VAT."""
    return _balanced(("debtors", net_gbp + vat_gbp), ("sales", -net_gbp), ("vat_output", -vat_gbp))


def self_billed_purchase(
    *, net_gbp: Decimal, vat_gbp: Decimal, cis_gbp: Decimal = _NIL, paye_gbp: Decimal = _NIL
) -> tuple[Entry, ...]:
    """Of a self-bill: purchases and input VAT against creditors, and against HMRC for what is kept back of the payment."""
    return _balanced(
        ("purchases", net_gbp),
        ("vat_input", vat_gbp),
        ("cis_withheld", -cis_gbp),
        ("paye_withheld", -paye_gbp),
        ("creditors", cis_gbp + paye_gbp - net_gbp - vat_gbp),
    )


def receipt(*, amount_gbp: Decimal) -> tuple[Entry, ...]:
    """Of money received from a client: bank against debtors."""
    return _balanced(("bank", amount_gbp), ("debtors", -amount_gbp))


def _balanced(*amounts: tuple[Account, Decimal]) -> tuple[Entry, ...]:
    entries = tuple(Entry(account, amount) for account, amount in amounts if amount != 0)
    difference = sum((entry.amount_gbp for entry in entries), Decimal(0))
    if difference != 0:
        raise EntriesDoNotBalance(f"entries on {', '.join(e.account for e in entries)} differ by {difference} pounds")
    return entries
