"""Fictional documents of any length, for tests, the bench and the documentation; and the figure documents a second."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

from invoicing.documents.models import (
    BankDetails,
    Branding,
    CreditedInvoice,
    CreditNote,
    Grouping,
    Hours,
    Invoice,
    Line,
    Party,
    SelfBill,
    Totals,
    Units,
    VatRow,
    VatTreatment,
    sum_gbp,
)
from invoicing.documents.render import render_invoice

TWENTY = Decimal("20")
_PENNY = Decimal("0.01")
_WEEK_ENDING = date(2026, 4, 12)

AGENCY = Party(
    name="Harbour & Vale Recruitment Ltd",
    address=("2nd Floor, Example House", "12 Placeholder Street", "Leeds", "LS99 1AA"),
    vat_number="GB 000 0000 00",
    company_number="00000001",
    email="accounts@harbourvale.example.com",
    phone="07700 900123",
)
BRANDING = Branding(name="Harbour & Vale")
CLIENT = Party(
    name="Northgate Testing Logistics Ltd",
    address=("Accounts Payable", "Unit 7, Fictional Park", "Wakefield", "WF99 9ZZ"),
    vat_number="GB 000 0000 01",
)
UMBRELLA = Party(
    name="Parasol Example Umbrella Ltd",
    address=("1 Sample Way", "Chester", "CH99 9AA"),
    vat_number="GB 000 0000 02",
    company_number="00000002",
)
BANK = BankDetails(
    account_name="Harbour & Vale Recruitment Ltd",
    sort_code="00-00-12",
    account_number="00012345",
    reference="HV-2026-001042",
)
_SITES = ("Leeds depot", "Wakefield cross-dock", "Hull cold store")
_JOBS = ("Warehouse operative", "Reach truck driver", "Class 1 driver", "Shift supervisor")
_RATES = (("Basic", "16.94", 2250), ("Overtime × 1.5", "24.87", 270), ("Sunday × 2", "32.60", 480))


def lines(count: int, *, vat_percent: Decimal | None = TWENTY) -> tuple[Line, ...]:
    """``count`` lines: about two per worker, spread over three sites, mostly hours and now and then an allowance."""
    return tuple(_line(index, vat_percent) for index in range(count))


def _line(index: int, vat_percent: Decimal | None) -> Line:
    worker = index // 2
    rate_name, price, minutes = _RATES[index % len(_RATES)]
    quantity: Hours | Units = Hours(minutes=minutes + (index * 15) % 90)
    unit_price = Decimal(price)
    note = None
    if index % 11 == 10:
        rate_name, unit_price, quantity = "Night allowance", Decimal("12.50"), Units(value=Decimal(3), unit="nights")
        note = "Bill-only line agreed in rate card version 3"
    net = _net(quantity, unit_price)
    return Line(
        worker_name=f"Worker {worker + 1:05d} Testcase",
        worker_reference=f"W{worker + 1:05d}",
        job_title=_JOBS[worker % len(_JOBS)],
        site=_SITES[worker % len(_SITES)],
        rate_name=rate_name,
        period_first_on=_WEEK_ENDING - timedelta(days=6),
        period_last_on=_WEEK_ENDING,
        quantity=quantity,
        unit_price_gbp=unit_price,
        net_gbp=net,
        vat_percent=vat_percent,
        note=note,
    )


def _net(quantity: Hours | Units, unit_price: Decimal) -> Decimal:
    if isinstance(quantity, Units):
        return (quantity.value * unit_price).quantize(_PENNY, rounding=ROUND_HALF_UP)
    return (Decimal(quantity.minutes) * unit_price / 60).quantize(_PENNY, rounding=ROUND_HALF_UP)


def totals(of: tuple[Line, ...], *, treatment: VatTreatment = VatTreatment.CHARGED) -> Totals:
    """Totals of lines that share one rate."""
    net = sum_gbp(line.net_gbp for line in of)
    percent = of[0].vat_percent
    due = (net * (percent or Decimal(0)) * _PENNY).quantize(_PENNY, rounding=ROUND_HALF_UP)
    charged = treatment is VatTreatment.CHARGED
    vat = due if charged else Decimal("0.00")
    row = VatRow(
        treatment=treatment,
        percent=percent,
        net_gbp=net,
        vat_gbp=vat,
        reverse_charge_vat_gbp=due if treatment is VatTreatment.REVERSE_CHARGE else None,
    )
    return Totals(vat_rows=(row,), net_gbp=net, vat_gbp=vat, gross_gbp=net + vat)


def invoice(line_count: int = 6, *, serial: int = 1042, grouping: Grouping = Grouping.SITE_WORKER) -> Invoice:
    """An ordinary weekly invoice."""
    of = lines(line_count)
    return Invoice(
        number=f"HV-2026-{serial:06d}",
        supplier=AGENCY,
        customer=CLIENT,
        branding=BRANDING,
        invoice_on=date(2026, 4, 14),
        tax_point_on=date(2026, 4, 14),
        due_on=date(2026, 5, 14),
        terms="30 days from the invoice date",
        week_ending=_WEEK_ENDING,
        lines=of,
        totals=totals(of),
        bank=BANK,
        grouping=grouping,
        purchase_order="PO-778812",
        late_payment_percent=Decimal("11.75"),
    )


def credit_note(line_count: int = 2) -> CreditNote:
    """A credit for an overcharged overtime rate."""
    of = lines(line_count)
    return CreditNote(
        number="HV-CN-000087",
        supplier=AGENCY,
        customer=CLIENT,
        branding=BRANDING,
        credit_on=date(2026, 4, 21),
        tax_point_on=date(2026, 4, 21),
        credited=(CreditedInvoice(number="HV-2026-001042", invoice_on=date(2026, 4, 14)),),
        reason_code="RATE",
        reason="Overtime was charged at the wrong rate for the week ending 12 April 2026.",
        lines=of,
        totals=totals(of),
        week_ending=_WEEK_ENDING,
        purchase_order="PO-778812",
    )


def self_bill(line_count: int = 3, *, registered: bool = True) -> SelfBill:
    """A self-bill to an umbrella company, or to a limited company that is not registered for VAT."""
    of = lines(line_count, vat_percent=TWENTY if registered else None)
    supplier = UMBRELLA if registered else Party(name="Testcase Driving Ltd", address=("9 Sample Row", "York"))
    return SelfBill(
        number="SB-PEU-000311",
        supplier=supplier,
        customer=AGENCY,
        branding=BRANDING,
        invoice_on=date(2026, 4, 16),
        tax_point_on=date(2026, 4, 16),
        payment_on=date(2026, 4, 17),
        week_ending=_WEEK_ENDING,
        lines=of,
        totals=totals(of, treatment=VatTreatment.CHARGED if registered else VatTreatment.NOT_REGISTERED),
        agreement_reference="SBA-2026-014",
        agreement_until=date(2027, 3, 31),
        pay_to=BankDetails(
            account_name=supplier.name, sort_code="00-00-34", account_number="00098765", reference="SB-PEU-000311"
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PdfRate:
    """What :func:`measure` saw: documents, seconds, pages of PDF bytes."""

    documents: int
    seconds: Decimal
    bytes_total: int

    @property
    def documents_per_second(self) -> Decimal:
        """Documents a second, one decimal."""
        return (Decimal(self.documents) / self.seconds).quantize(Decimal("0.1"))


def measure(
    documents: int = 100, *, line_count: int = 6, timer_ns: Callable[[], int] = time.perf_counter_ns
) -> PdfRate:
    """Render ``documents`` different invoices of ``line_count`` lines in this process, after one to warm up."""
    render_invoice(invoice(line_count, serial=0))
    started = timer_ns()
    total = sum(len(render_invoice(invoice(line_count, serial=serial + 1))) for serial in range(documents))
    return PdfRate(documents=documents, seconds=Decimal(timer_ns() - started).scaleb(-9), bytes_total=total)
