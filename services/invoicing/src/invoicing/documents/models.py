"""What an invoice, a credit note and a self-bill say: frozen facts in, already computed and rounded.

Amounts are pounds as ``Decimal`` with at most two decimals (unit prices may have more). A document is checked when it is
made: lines must sum to the net, the VAT rows to the totals. A document that does not add up is refused with
:class:`DocumentDoesNotAdd`, because a customer will find it. Days are inclusive on paper (``period_last_on`` was worked).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from paybill_common.typst_pdf import Branding, Hours, Units

__all__ = [
    "BankDetails",
    "Branding",
    "CreditNote",
    "CreditedInvoice",
    "Deduction",
    "DocumentDoesNotAdd",
    "DocumentIncomplete",
    "Grouping",
    "Hours",
    "Invoice",
    "Line",
    "Party",
    "SelfBill",
    "Totals",
    "Units",
    "VatRow",
    "VatTreatment",
    "check_document",
    "sum_gbp",
]


class DocumentDoesNotAdd(ValueError):
    """The figures of a document disagree; the message names the document, the two figures and the difference."""


class DocumentIncomplete(ValueError):
    """Something that the law requires on the document is missing; the message names it."""


class Grouping(StrEnum):
    """How the lines of a document are arranged: by worker, or by site and within it by worker."""

    WORKER = "worker"
    SITE_WORKER = "site_worker"


class VatTreatment(StrEnum):
    """Why a VAT row has the VAT that it has."""

    CHARGED = "charged"
    ZERO_RATED = "zero_rated"
    EXEMPT = "exempt"
    OUTSIDE_SCOPE = "outside_scope"
    REVERSE_CHARGE = "reverse_charge"
    NOT_REGISTERED = "not_registered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """A company on a document: legal name, postal address in lines, numbers where it has them."""

    name: str
    address: tuple[str, ...]
    vat_number: str | None = None
    company_number: str | None = None
    email: str | None = None
    phone: str | None = None
    attention: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BankDetails:
    """Where money goes. ``reference`` is what the payer should quote."""

    account_name: str
    sort_code: str
    account_number: str
    reference: str
    bank_name: str | None = None
    iban: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One charge line. ``net_gbp`` is the line's rounded net; ``vat_percent`` is None where no rate applies.

    ``rate_name`` is the name of the rate on the rate card (``Basic``, ``Overtime 1.5``); ``note`` prints small below it.
    """

    worker_name: str
    worker_reference: str
    job_title: str
    site: str
    rate_name: str
    period_first_on: date
    period_last_on: date
    quantity: Hours | Units
    unit_price_gbp: Decimal
    net_gbp: Decimal
    vat_percent: Decimal | None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VatRow:
    """The total of one rate and treatment. ``vat_gbp`` is the VAT on this document, zero under the reverse charge.

    ``reverse_charge_vat_gbp`` is the VAT that the customer accounts for, required under the reverse charge.
    """

    treatment: VatTreatment
    percent: Decimal | None
    net_gbp: Decimal
    vat_gbp: Decimal
    reverse_charge_vat_gbp: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Net, VAT and gross in pounds sterling, with one row per VAT rate."""

    vat_rows: tuple[VatRow, ...]
    net_gbp: Decimal
    vat_gbp: Decimal
    gross_gbp: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """A VAT invoice from the agency (``supplier``) to its client (``customer``).

    ``terms`` is the sentence of the contract (``30 days from the invoice date``). ``late_payment_percent`` is the statutory
    rate in force (8 % over the reference rate), printed with the note; None prints the note without a figure.
    """

    number: str
    supplier: Party
    customer: Party
    branding: Branding
    invoice_on: date
    tax_point_on: date
    due_on: date
    terms: str
    week_ending: date
    lines: tuple[Line, ...]
    totals: Totals
    bank: BankDetails
    grouping: Grouping = Grouping.WORKER
    purchase_order: str | None = None
    customer_reference: str | None = None
    late_payment_percent: Decimal | None = None
    late_payment_note: bool = True
    message: str | None = None

    def __post_init__(self) -> None:
        if self.due_on < self.invoice_on:
            raise DocumentIncomplete(f"Invoice {self.number} is due before its own date")
        check_document("Invoice", self.number, self.supplier, self.customer, self.lines, self.totals)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditedInvoice:
    """An invoice that a credit note refers to."""

    number: str
    invoice_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditNote:
    """A credit note: positive amounts are credited to the customer (a line taken back from the credit is negative)."""

    number: str
    supplier: Party
    customer: Party
    branding: Branding
    credit_on: date
    tax_point_on: date
    credited: tuple[CreditedInvoice, ...]
    reason_code: str
    reason: str
    lines: tuple[Line, ...]
    totals: Totals
    week_ending: date | None = None
    grouping: Grouping = Grouping.WORKER
    purchase_order: str | None = None
    customer_reference: str | None = None
    message: str | None = None

    def __post_init__(self) -> None:
        if not self.credited:
            raise DocumentIncomplete(f"Credit note {self.number} names no invoice")
        if not self.reason.strip():
            raise DocumentIncomplete(f"Credit note {self.number} gives no reason")
        check_document("Credit note", self.number, self.supplier, self.customer, self.lines, self.totals)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deduction:
    """What the law keeps back of a self-bill's payment; ``of_gbp`` is the part that it was worked on, where that is not all of it."""

    name: str
    amount_gbp: Decimal
    of_gbp: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfBill:
    """An invoice that the agency (``customer``) raises on behalf of an umbrella or limited company (``supplier``).

    A supplier without ``vat_number`` is not registered: its totals must have no VAT, and none is shown.
    ``agreement_reference`` names the self-billing agreement; ``pay_to`` is the supplier's account, printed masked.
    """

    number: str
    supplier: Party
    customer: Party
    branding: Branding
    invoice_on: date
    tax_point_on: date
    payment_on: date
    week_ending: date
    lines: tuple[Line, ...]
    totals: Totals
    agreement_reference: str
    pay_to: BankDetails | None = None
    agreement_until: date | None = None
    grouping: Grouping = Grouping.WORKER
    supplier_reference: str | None = None
    message: str | None = None
    deductions: tuple[Deduction, ...] = ()

    @property
    def payable_gbp(self) -> Decimal:
        """What is paid: the gross less the deductions."""
        return self.totals.gross_gbp - sum_gbp(one.amount_gbp for one in self.deductions)

    def __post_init__(self) -> None:
        if self.supplier.vat_number is None and self.totals.vat_gbp != 0:
            raise DocumentIncomplete(
                f"Self-bill {self.number} shows VAT but its supplier {self.supplier.name} has no VAT number"
            )
        if not self.agreement_reference.strip():
            raise DocumentIncomplete(f"Self-bill {self.number} names no self-billing agreement")
        check_document(
            "Self-bill",
            self.number,
            self.supplier,
            self.customer,
            self.lines,
            self.totals,
            supplier_registered=self.supplier.vat_number is not None,
        )


def check_document(
    kind: str,
    number: str,
    supplier: Party,
    customer: Party,
    lines: tuple[Line, ...],
    totals: Totals,
    *,
    supplier_registered: bool = True,
) -> None:
    """Raise :class:`DocumentIncomplete` or :class:`DocumentDoesNotAdd` when the document may not be issued."""
    name = f"{kind} {number}"
    if not number.strip():
        raise DocumentIncomplete(f"{kind} has no number")
    for role, party in (("supplier", supplier), ("customer", customer)):
        if not party.name.strip() or not party.address:
            raise DocumentIncomplete(f"{name}: the {role} needs a legal name and an address")
    if not lines:
        raise DocumentIncomplete(f"{name} has no lines")
    if supplier_registered and supplier.vat_number is None and totals.vat_gbp != 0:
        raise DocumentIncomplete(f"{name} shows VAT but its supplier {supplier.name} has no VAT number")
    _same(f"{name}: lines and net", sum_gbp(line.net_gbp for line in lines), totals.net_gbp)
    _same(f"{name}: VAT rows and net", sum_gbp(row.net_gbp for row in totals.vat_rows), totals.net_gbp)
    _same(f"{name}: VAT rows and VAT", sum_gbp(row.vat_gbp for row in totals.vat_rows), totals.vat_gbp)
    _same(f"{name}: net plus VAT and gross", totals.net_gbp + totals.vat_gbp, totals.gross_gbp)
    for key in {_rate_key(row) for row in totals.vat_rows} | {line.vat_percent for line in lines}:
        _same(
            f"{name}: lines and VAT row at {'no rate' if key is None else f'{key}%'}",
            sum_gbp(line.net_gbp for line in lines if line.vat_percent == key),
            sum_gbp(row.net_gbp for row in totals.vat_rows if _rate_key(row) == key),
        )
    for row in totals.vat_rows:
        _check_row(name, row, customer)


def _rate_key(row: VatRow) -> Decimal | None:
    return Decimal(0) if row.treatment is VatTreatment.ZERO_RATED else row.percent


def _check_row(name: str, row: VatRow, customer: Party) -> None:
    if row.treatment is VatTreatment.CHARGED:
        if row.percent is None:
            raise DocumentIncomplete(f"{name}: VAT is charged but its rate is missing")
        return
    if row.vat_gbp != 0:
        raise DocumentDoesNotAdd(f"{name}: {row.treatment.value} cannot carry VAT, but has {row.vat_gbp}")
    if row.treatment is VatTreatment.REVERSE_CHARGE and (
        row.percent is None or row.reverse_charge_vat_gbp is None or customer.vat_number is None
    ):
        raise DocumentIncomplete(
            f"{name}: the reverse charge needs its rate, the VAT to account for and the customer's VAT number"
        )


def _same(what: str, left: Decimal, right: Decimal) -> None:
    if left != right:
        raise DocumentDoesNotAdd(f"{what} disagree: {left} and {right}, difference {left - right}")


def sum_gbp(amounts: Iterable[Decimal]) -> Decimal:
    """The exact sum; zero of nothing."""
    return sum(amounts, Decimal(0))
