"""When may a self-bill be raised, and what does it say? pay-calc finalises the net; VAT is added here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Agreement:
    """A supplier's self-billing agreement: from its first day, up to but not including `until`."""

    reference: str | None
    starts_on: date | None
    until: date | None

    def in_force(self, on: date) -> bool:
        return self.starts_on is not None and self.starts_on <= on and (self.until is None or on < self.until)


def self_bill_holds(
    *, agreement: Agreement | None, has_issuer: bool, charges_missing: int, on: date, vat_holds: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Why the self-bills to one supplier cannot be raised yet, as codes; empty when they can.

    A self-bill needs a written agreement (VAT regulations 1995, reg. 13(3A)), so its absence is a hold.
    """
    holds: list[str] = []
    if not has_issuer:
        holds.append("missing_issuer")
    if agreement is None:
        holds.append("missing_supplier")
    elif not agreement.reference or agreement.starts_on is None:
        holds.append("missing_self_billing_agreement")
    elif not agreement.in_force(on):
        holds.append("self_billing_agreement_not_in_force")
    holds += vat_holds
    if charges_missing:
        holds.append("awaiting_timesheet")
    return tuple(holds)


def remainder(net_gbp: Decimal, shares: list[Decimal]) -> Decimal:
    """What the shares of the charge lines leave of the finalised net: deductions and additions of the pay run."""
    return net_gbp - sum(shares, Decimal("0.00"))
