"""What is kept back of a self-bill for HMRC: it lowers what is paid, never the supply or its VAT."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

Code = Literal["cis", "paye_tax", "employee_nic"]
_NIL = Decimal("0.00")


@dataclass(frozen=True, slots=True)
class Deduction:
    """One kind of deduction of one document; of the CIS with the rate and the labour that it was worked on."""

    code: Code
    amount_gbp: Decimal
    rate_pct: int | None = None
    labour_gbp: Decimal | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "amount_gbp": str(self.amount_gbp),
            "rate_pct": self.rate_pct,
            "labour_gbp": None if self.labour_gbp is None else str(self.labour_gbp),
        }


def deduction_of(raw: dict[str, Any]) -> Deduction:
    """A deduction as `Deduction.as_json` wrote it."""
    labour = raw["labour_gbp"]
    return Deduction(
        raw["code"], Decimal(raw["amount_gbp"]), raw["rate_pct"], None if labour is None else Decimal(labour)
    )


def deductions_of(amounts: Iterable[Any]) -> tuple[Deduction, ...]:
    """The deductions of finalised amounts together. A verified CIS rate shows even where it takes nothing."""
    cis: dict[int, tuple[Decimal, Decimal]] = {}
    tax = nic = _NIL
    for amount in amounts:
        if amount.cis_rate_pct is not None:
            taken, labour = cis.get(amount.cis_rate_pct, (_NIL, _NIL))
            cis[amount.cis_rate_pct] = (taken + amount.cis_gbp, labour + amount.cis_labour_gbp)
        tax, nic = tax + amount.paye_tax_gbp, nic + amount.employee_nic_gbp
    found = [Deduction("cis", taken, rate, labour) for rate, (taken, labour) in sorted(cis.items())]
    if tax:
        found.append(Deduction("paye_tax", tax))
    if nic:
        found.append(Deduction("employee_nic", nic))
    return tuple(found)


def total(deductions: Iterable[Deduction], *codes: Code) -> Decimal:
    """Pounds of these kinds; of all when none is named."""
    return sum((one.amount_gbp for one in deductions if not codes or one.code in codes), _NIL)
