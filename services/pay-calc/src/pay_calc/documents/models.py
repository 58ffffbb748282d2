"""What a payslip says (Employment Rights Act 1996, section 8): frozen facts in, already computed and rounded.

Amounts are pounds as ``Decimal`` with at most two decimals (rates may have more). A payslip is checked when it is made:
payments must sum to the gross, deductions to their total, and gross less deductions plus additions to the net. One that
does not add up is refused with :class:`PayslipDoesNotAdd`. Days are inclusive on paper (``period_last_on`` was worked).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from paybill_common.typst_pdf import Branding, Hours, Units

__all__ = [
    "Amount",
    "Branding",
    "Employer",
    "Hours",
    "PaidBy",
    "Payment",
    "PaymentKind",
    "Payslip",
    "PayslipDoesNotAdd",
    "PayslipIncomplete",
    "Units",
    "Worker",
]


class PayslipDoesNotAdd(ValueError):
    """The figures of a payslip disagree; the message names the worker's reference and both figures."""


class PayslipIncomplete(ValueError):
    """Something that the law requires on a payslip is missing; the message names it."""


class PaymentKind(StrEnum):
    """What a payment is for; rolled-up holiday pay must stand on a line of its own."""

    WORK = "work"
    HOLIDAY = "holiday"
    STATUTORY = "statutory"
    CORRECTION = "correction"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Employer:
    """Who pays: legal name, postal address in lines, PAYE reference (``000/AA00000``)."""

    name: str
    address: tuple[str, ...] = ()
    paye_reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Who is paid. ``ni_number`` is None until one is known."""

    name: str
    reference: str
    ni_number: str | None = None
    address: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """One line of pay. ``assignment`` is the placement and client it belongs to, None for pay that has none.

    ``name`` is the rate (``Basic``, ``Overtime × 1.5``, ``Holiday pay 12.07%``); ``week_ending`` is given only where it is
    not the week of the payslip (late timesheets, corrections); ``note`` prints small below the name.
    """

    name: str
    amount_gbp: Decimal
    kind: PaymentKind = PaymentKind.WORK
    assignment: str | None = None
    quantity: Hours | Units | None = None
    rate_gbp: Decimal | None = None
    week_ending: date | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """A named figure: a deduction (positive takes money away, a refund is negative), an employer cost, a total to date."""

    name: str
    amount_gbp: Decimal
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidBy:
    """How the net, or a part of it, is paid: ``Bacs``, with the last four digits of the account where there is one."""

    method: str
    amount_gbp: Decimal
    account_last_four: str | None = None

    def __post_init__(self) -> None:
        if self.account_last_four is not None and len(self.account_last_four) > 4:
            raise ValueError("A payslip shows at most the last four digits of an account")


@dataclass(frozen=True, slots=True, kw_only=True)
class Payslip:
    """One worker's pay for one period.

    ``tax_basis`` is ``Cumulative`` or ``Week 1/Month 1``; ``tax_period`` reads ``Week 2``; ``hours_minutes`` is the time
    that the pay varies with (section 8(2)(e)), None only where pay does not vary by time. ``net_additions`` are paid on
    top without tax or National Insurance (receipted expenses). ``change_reason`` is one plain sentence on why the net
    differs from the last payslip. ``taxed_benefits`` are payrolled benefits: in the taxable pay, not in gross or net; ``leave`` is one line
    on accrued holiday. ``year_to_date`` and ``employer_costs`` print in the order given.
    """

    employer: Employer
    worker: Worker
    branding: Branding
    tax_year: str
    tax_period: str
    tax_code: str
    tax_basis: str
    ni_letter: str
    frequency: str
    period_first_on: date
    period_last_on: date
    pay_on: date
    payments: tuple[Payment, ...]
    deductions: tuple[Amount, ...]
    gross_gbp: Decimal
    deductions_gbp: Decimal
    net_gbp: Decimal
    taxable_gbp: Decimal
    niable_gbp: Decimal
    paid_by: tuple[PaidBy, ...]
    hours_minutes: int | None = None
    net_additions: tuple[Amount, ...] = ()
    employer_costs: tuple[Amount, ...] = ()
    year_to_date: tuple[Amount, ...] = ()
    change_reason: str | None = None
    taxed_benefits: tuple[Amount, ...] = ()
    leave: str | None = None
    messages: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        name = f"Payslip of {self.worker.reference} paid on {self.pay_on.isoformat()}"
        for what, text in (
            ("employer's name", self.employer.name),
            ("worker's name", self.worker.name),
            ("worker's reference", self.worker.reference),
            ("tax code", self.tax_code),
            ("NI letter", self.ni_letter),
        ):
            if not text.strip():
                raise PayslipIncomplete(f"{name} has no {what}")
        timed = any(isinstance(payment.quantity, Hours) for payment in self.payments)
        if timed and self.hours_minutes is None:
            raise PayslipIncomplete(f"{name} pays by the hour but does not show the hours")
        additions = _sum(item.amount_gbp for item in self.net_additions)
        _same(f"{name}: payments and gross", _sum(item.amount_gbp for item in self.payments), self.gross_gbp)
        _same(
            f"{name}: deductions and their total",
            _sum(item.amount_gbp for item in self.deductions),
            self.deductions_gbp,
        )
        _same(
            f"{name}: gross less deductions plus additions and net",
            self.gross_gbp - self.deductions_gbp + additions,
            self.net_gbp,
        )
        _same(f"{name}: ways of payment and net", _sum(item.amount_gbp for item in self.paid_by), self.net_gbp)


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, Decimal(0))


def _same(what: str, left: Decimal, right: Decimal) -> None:
    if left != right:
        raise PayslipDoesNotAdd(f"{what} disagree: {left} and {right}, difference {left - right}")
