"""VAT on what an agency charges and on what it self-bills.

The supply of temporary workers is standard-rated on the full charge (VATA 1994, s. 4; the staff-hire concession ended on
1 April 2009). VAT is computed once per document and rate and rounded down to a whole penny (HMRC VAT guide, notice 700,
paragraph 17.5.1: the total VAT on an invoice may be rounded down).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_DOWN, Decimal
from typing import Literal

Treatment = Literal["standard", "zero", "exempt", "reverse_charge", "not_registered"]

_PENNY = Decimal("0.01")
_NIL = Decimal("0.00")
_STANDARD_RATES = ((date(2011, 1, 4), Decimal("20.00")),)
"""Standard rate by first day: 20 % since 4 January 2011 (Finance (No. 2) Act 2010, s. 3)."""


class VatRateUnknown(ValueError):
    """A tax point before the first rate that is known here."""


@dataclass(frozen=True, slots=True)
class Vat:
    """VAT of one document. `percent` is None where no rate applies; `reverse_charge_gbp` is what the customer accounts for."""

    treatment: Treatment
    percent: Decimal | None
    vat_gbp: Decimal
    reverse_charge_gbp: Decimal | None = None


def standard_percent(on: date) -> Decimal:
    """The standard rate in force at a tax point, in percent. Raises VatRateUnknown, never guesses."""
    for first_day, percent in reversed(_STANDARD_RATES):
        if on >= first_day:
            return percent
    raise VatRateUnknown(f"no standard rate of VAT is known for the tax point {on}")


def vat_down_to_penny(net_gbp: Decimal, percent: Decimal) -> Decimal:
    """VAT of a document's net at one rate, rounded down to a whole penny; a credit mirrors the charge it takes back."""
    return (net_gbp * percent).scaleb(-2).quantize(_PENNY, rounding=ROUND_DOWN)


def vat_on(net_gbp: Decimal, *, treatment: Treatment, tax_point_on: date) -> Vat:
    """The VAT of one document: all its lines share one treatment."""
    if treatment == "standard":
        percent = standard_percent(tax_point_on)
        return Vat(treatment, percent, vat_down_to_penny(net_gbp, percent))
    if treatment == "reverse_charge":
        percent = standard_percent(tax_point_on)
        return Vat(treatment, percent, _NIL, vat_down_to_penny(net_gbp, percent))
    if treatment == "zero":
        return Vat(treatment, _NIL, _NIL)
    return Vat(treatment, None, _NIL)


def effective_treatment(agreed: Treatment | None, *, supplier_vat_number: str | None) -> Treatment:
    """A supplier without a VAT number charges no VAT, whatever was agreed; without an agreed treatment it is the standard rate."""
    return (agreed or "standard") if supplier_vat_number else "not_registered"


def supplier_vat_holds(
    *, pay_basis: str, agreed: str | None, supplier_vat_number: str | None, customer_vat_number: str | None
) -> tuple[str, ...]:
    """Why a self-bill's VAT cannot be told, as codes.

    The domestic reverse charge (VATA 1994, s. 55A) is of construction services between VAT-registered businesses. A supply of staff is
    never under it; whether a CIS subcontractor supplies labour or a service is somebody's decision, so without one the self-bill waits.
    """
    if supplier_vat_number is None:
        return ()
    if pay_basis == "cis" and agreed is None:
        return ("vat_treatment_not_set",)
    if agreed != "reverse_charge":
        return ()
    if pay_basis != "cis":
        return ("reverse_charge_not_for_staff",)
    return () if customer_vat_number else ("reverse_charge_without_vat_number",)
