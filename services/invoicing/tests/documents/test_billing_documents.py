"""Billing documents: what the law asks for is on the page, the figures are the given ones, and the bytes repeat."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from decimal import Decimal
from hashlib import sha256
from io import BytesIO
from typing import Any, cast

import pytest
from pypdf import PdfReader

from invoicing.documents import sample
from invoicing.documents.models import (
    Branding,
    DocumentDoesNotAdd,
    DocumentIncomplete,
    Grouping,
    Hours,
    Invoice,
    Line,
    Totals,
    Units,
    VatRow,
    VatTreatment,
)
from invoicing.documents.render import render_credit_note, render_invoice, render_self_bill
from paybill_common.typst_pdf import AmountNotInPence

RED_DOT = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4//8/w38GIAXDIBKE0DHxgljNBAAO9TXL0Y4OHwAAAABJRU5ErkJggg=="
)


def pages_of(pdf: bytes) -> list[str]:
    """The text of each page, every run of white space (no-break spaces too) as one space."""
    return [" ".join((page.extract_text() or "").split()) for page in PdfReader(BytesIO(pdf)).pages]


def text_of(pdf: bytes) -> str:
    return " ".join(pages_of(pdf))


def with_lines(invoice: Invoice, *lines: Line, treatment: VatTreatment = VatTreatment.CHARGED) -> Invoice:
    return replace(invoice, lines=lines, totals=sample.totals(lines, treatment=treatment))


class TestInvoice:
    def test_shows_everything_that_a_vat_invoice_must_show(self) -> None:
        text = text_of(render_invoice(sample.invoice(2)))
        for words in (
            "Invoice HV-2026-001042",
            "Harbour & Vale Recruitment Ltd",
            "12 Placeholder Street",
            "VAT number GB 000 0000 00",
            "Company number 00000001",
            "Northgate Testing Logistics Ltd",
            "Unit 7, Fictional Park",
            "GB 000 0000 01",
            "Invoice date 14 Apr 2026",
            "Tax point 14 Apr 2026",
            "Due date 14 May 2026",
            "Week ending 12 Apr 2026",
            "PO number PO-778812",
            "Worker 00001 Testcase",
            "Warehouse operative",
            "Basic",
            "6–12 Apr",
            "37:30",
            "37.50 h",
            "16.94",
            "20%",
            "635.25",
            "VAT at 20%",
            "All amounts are in pounds sterling",
            "Sort code 00-00-12",
            "Account number 00012345",
            "Reference HV-2026-001042",
            "Terms: 30 days from the invoice date.",
            "Late Payment of Commercial Debts (Interest) Act 1998",
            "currently 11.75% a year",
            "Page 1 of 1",
        ):
            assert words in text, words
        for figure in ("Total net £753.38", "Total VAT £150.68", "Total due £904.06"):
            assert figure in text, figure

    def test_groups_by_site_and_worker_with_subtotals(self) -> None:
        text = text_of(render_invoice(sample.invoice(14)))
        assert "Leeds depot total 126:45 126.75 h 2,260.14" in text
        assert "Wakefield cross-dock total 93:30 93.50 h 1,850.12" in text
        assert "Subtotal 42:15 42.25 h 753.38" in text

    def test_grouped_by_worker_names_the_site_beside_the_worker(self) -> None:
        text = text_of(render_invoice(sample.invoice(2, grouping=Grouping.WORKER)))
        assert "W00001 · Warehouse operative · Leeds depot" in text

    def test_long_invoice_repeats_its_head_and_counts_its_pages(self) -> None:
        invoice = sample.invoice(400)
        pages = pages_of(render_invoice(invoice))
        assert len(pages) > 10
        for number, page in enumerate(pages, start=1):
            assert f"Page {number} of {len(pages)}" in page
            assert "Unit price £" in page or "Total due" in page
        text = " ".join(pages)
        for worker in {line.worker_name for line in invoice.lines}:
            assert worker in text
        assert f"£{invoice.totals.gross_gbp:,.2f}" in text

    def test_no_worker_heading_stands_alone_at_the_foot_of_a_page(self) -> None:
        for count in range(14, 40, 2):
            for page in pages_of(render_invoice(sample.invoice(count))):
                body = page.split(" Harbour & Vale Recruitment Ltd Company number")[0]
                assert not body.endswith(("operative", "driver", "supervisor", "depot", "cross-dock", "cold store"))

    def test_prints_markup_characters_as_they_are(self) -> None:
        nasty = "#panic() *bold* _it_ $x^2$ @ref <lab> `raw` \\ [c] {d} = h // c /* c */ ~ -- \"q\" 'q'"
        line = replace(sample.lines(1)[0], worker_name=nasty, rate_name=nasty, job_title="#set page(width: 1cm)")
        invoice = with_lines(replace(sample.invoice(1), purchase_order=nasty, message=nasty), line)
        text = text_of(render_invoice(invoice))
        assert text.count(nasty) >= 3
        assert "#set page(width: 1cm)" in text

    def test_prints_names_of_many_alphabets(self) -> None:
        names = ("Zoë Łukasiewicz-Ñúñez", "Þórður Ægisson", "Шевченко Оксана", "Παπαδόπουλος", "Nguyễn Thị Ánh")
        lines = tuple(
            replace(line, worker_name=name, worker_reference=str(at))
            for at, (line, name) in enumerate(zip(sample.lines(5), names, strict=True))
        )
        text = text_of(render_invoice(with_lines(sample.invoice(5), *lines)))
        for name in names:
            assert name in text

    def test_a_name_cannot_reverse_the_figures_beside_it(self) -> None:
        line = replace(sample.lines(1)[0], worker_name="Worker \u202e00001\x07 Testcase")
        assert "Worker 00001 Testcase" in text_of(render_invoice(with_lines(sample.invoice(1), line)))

    def test_very_long_names_wrap_and_lose_nothing(self) -> None:
        long = "Northern and Western Consolidated Logistics, Warehousing and Distribution Holdings (Testing) Limited"
        customer = replace(sample.CLIENT, name=long, address=("A" * 60, "Street " * 20))
        line = replace(sample.lines(1)[0], worker_name=f"Maximiliana {long}", job_title=long, site=long, rate_name=long)
        pages = pages_of(render_invoice(replace(with_lines(sample.invoice(1), line), customer=customer)))
        assert " ".join(pages).count("Consolidated Logistics, Warehousing") >= 4
        assert f"{line.net_gbp:,.2f}" in " ".join(pages)

    def test_a_long_purchase_order_breaks_and_copies_whole(self) -> None:
        order = "PO/2026/LEEDS/WAREHOUSE/000000123456789-AB"
        reader = PdfReader(BytesIO(render_invoice(replace(sample.invoice(1), purchase_order=order))))
        assert order in "".join(reader.pages[0].extract_text().split())

    def test_negative_lines_have_a_minus_sign(self) -> None:
        first = sample.lines(1)[0]
        back = replace(first, rate_name="Correction w/e 5 Apr", quantity=Hours(minutes=-90), net_gbp=Decimal("-25.41"))
        text = text_of(render_invoice(with_lines(sample.invoice(1), first, back)))
        assert "−1:30 −1.50 h 16.94 20% −25.41" in text
        assert "Subtotal 36:00 36.00 h 609.84" in text

    def test_days_and_units_and_fine_prices(self) -> None:
        line = replace(
            sample.lines(1)[0],
            quantity=Units(value=Decimal("4.5"), unit="days"),
            unit_price_gbp=Decimal("120.1255"),
            net_gbp=Decimal("540.56"),
        )
        text = text_of(render_invoice(with_lines(sample.invoice(1), line)))
        assert "4.5 days 120.1255 20% 540.56" in text
        assert "Hours 0:00" not in text

    def test_zero_rated_exempt_and_outside_scope(self) -> None:
        for treatment, percent, words in (
            (VatTreatment.ZERO_RATED, Decimal(0), "Zero-rated, 0%"),
            (VatTreatment.EXEMPT, None, "Exempt"),
            (VatTreatment.OUTSIDE_SCOPE, None, "Outside the scope of UK VAT"),
        ):
            invoice = with_lines(sample.invoice(1), *sample.lines(1, vat_percent=percent), treatment=treatment)
            text = text_of(render_invoice(invoice))
            assert words in text
            assert "Total VAT £0.00" in text

    def test_totals_per_rate(self) -> None:
        lines = (*sample.lines(2), *sample.lines(2, vat_percent=Decimal(5)))
        both = (sample.totals(lines[:2]), sample.totals(lines[2:]))
        totals = Totals(
            vat_rows=both[0].vat_rows + both[1].vat_rows,
            net_gbp=both[0].net_gbp + both[1].net_gbp,
            vat_gbp=both[0].vat_gbp + both[1].vat_gbp,
            gross_gbp=both[0].gross_gbp + both[1].gross_gbp,
        )
        text = text_of(render_invoice(replace(sample.invoice(2), lines=lines, totals=totals)))
        assert "VAT at 20% 753.38 150.68" in text
        assert "VAT at 5% 753.38 37.67" in text

    def test_reverse_charge_names_the_act_the_rate_and_the_vat_to_account_for(self) -> None:
        invoice = with_lines(sample.invoice(2), *sample.lines(2), treatment=VatTreatment.REVERSE_CHARGE)
        text = text_of(render_invoice(invoice))
        assert (
            "Reverse charge. VAT Act 1994 Section 55A applies. Customer to pay the VAT to HMRC: £150.68 at 20%" in text
        )
        assert "RC 20%" in text
        assert "Total VAT £0.00 Total due £753.38" in text

    def test_a_logo_replaces_the_name_in_the_corner(self) -> None:
        invoice = replace(sample.invoice(1), branding=Branding(name="Corner Name", logo=RED_DOT))
        pdf = render_invoice(invoice)
        assert "Corner Name" not in text_of(pdf)
        assert len(PdfReader(BytesIO(pdf)).pages[0].images) == 1


class TestCreditNote:
    def test_refers_to_its_invoice_and_gives_its_reason(self) -> None:
        text = text_of(render_credit_note(sample.credit_note()))
        for words in (
            "Credit note HV-CN-000087",
            "Credits invoice HV-2026-001042 14 Apr 2026",
            "Reason RATE. Overtime was charged at the wrong rate",
            "Credit to",
            "Total net £753.38 Total VAT £150.68 Total credit £904.06",
            "VAT number GB 000 0000 00",
        ):
            assert words in text, words
        assert "How to pay" not in text

    def test_is_refused_without_an_invoice_or_a_reason(self) -> None:
        with pytest.raises(DocumentIncomplete, match="names no invoice"):
            replace(sample.credit_note(), credited=())
        with pytest.raises(DocumentIncomplete, match="gives no reason"):
            replace(sample.credit_note(), reason=" ")


class TestSelfBill:
    def test_carries_the_words_that_hmrc_asks_for(self) -> None:
        text = text_of(render_self_bill(sample.self_bill()))
        for words in (
            "SELF BILLING",
            "The VAT shown is your output tax due to HMRC",
            "Supplier Parasol Example Umbrella Ltd",
            "VAT number GB 000 0000 02",
            "Customer and self-biller Harbour & Vale Recruitment Ltd",
            "to be paid on 17 April 2026",
            "SBA-2026-014, until 31 Mar 2027",
            "ending 8765",
            "Total payable to you £1,236.58",
        ):
            assert words in text, words
        assert "00098765" not in text

    def test_unregistered_supplier_has_no_vat(self) -> None:
        text = text_of(render_self_bill(sample.self_bill(registered=False)))
        assert "SELF BILLING" in text
        assert "No VAT is shown because you are not registered for VAT" in text
        assert "output tax" not in text
        assert "Total VAT" not in text
        assert "Total payable to you £1,030.48" in text

    def test_vat_without_a_number_is_refused(self) -> None:
        bill = sample.self_bill()
        with pytest.raises(DocumentIncomplete, match="has no VAT number"):
            replace(bill, supplier=replace(bill.supplier, vat_number=None))

    def test_reverse_charge_leaves_the_vat_with_the_self_biller(self) -> None:
        bill = sample.self_bill()
        totals = sample.totals(bill.lines, treatment=VatTreatment.REVERSE_CHARGE)
        text = text_of(render_self_bill(replace(bill, totals=totals)))
        assert "We will account for and pay the output tax to HMRC: £206.10 at 20%" in text
        assert "your output tax due" not in text


class TestRefusals:
    def test_lines_that_do_not_sum(self) -> None:
        invoice = sample.invoice(2)
        with pytest.raises(DocumentDoesNotAdd, match=r"HV-2026-001042: lines and net disagree.*difference -635\.25"):
            replace(invoice, lines=invoice.lines[1:])

    def test_vat_rows_that_do_not_sum(self) -> None:
        invoice = sample.invoice(2)
        row = replace(invoice.totals.vat_rows[0], vat_gbp=Decimal("1.00"))
        with pytest.raises(DocumentDoesNotAdd, match="VAT rows and VAT"):
            replace(invoice, totals=replace(invoice.totals, vat_rows=(row,)))

    def test_gross_that_is_not_net_and_vat(self) -> None:
        invoice = sample.invoice(2)
        with pytest.raises(DocumentDoesNotAdd, match="net plus VAT and gross"):
            replace(invoice, totals=replace(invoice.totals, gross_gbp=Decimal("1.00")))

    def test_lines_under_another_rate_than_their_vat_row(self) -> None:
        invoice = sample.invoice(2)
        row = VatRow(
            treatment=VatTreatment.CHARGED,
            percent=Decimal(5),
            net_gbp=invoice.totals.net_gbp,
            vat_gbp=invoice.totals.vat_gbp,
        )
        with pytest.raises(DocumentDoesNotAdd, match="lines and VAT row at"):
            replace(invoice, totals=replace(invoice.totals, vat_rows=(row,)))

    def test_vat_charged_without_a_vat_number(self) -> None:
        with pytest.raises(DocumentIncomplete, match="has no VAT number"):
            replace(sample.invoice(1), supplier=replace(sample.AGENCY, vat_number=None))

    def test_reverse_charge_to_a_customer_without_a_vat_number(self) -> None:
        invoice = with_lines(sample.invoice(1), *sample.lines(1), treatment=VatTreatment.REVERSE_CHARGE)
        with pytest.raises(DocumentIncomplete, match="reverse charge needs"):
            replace(invoice, customer=replace(sample.CLIENT, vat_number=None))

    def test_no_number_no_lines_no_address(self) -> None:
        invoice = sample.invoice(1)
        with pytest.raises(DocumentIncomplete, match="no number"):
            replace(invoice, number="")
        with pytest.raises(DocumentIncomplete, match="no lines"):
            replace(invoice, lines=())
        with pytest.raises(DocumentIncomplete, match="legal name and an address"):
            replace(invoice, customer=replace(sample.CLIENT, address=()))
        with pytest.raises(DocumentIncomplete, match="due before its own date"):
            replace(invoice, due_on=date(2026, 4, 1))

    def test_fractions_of_a_penny(self) -> None:
        line = replace(sample.lines(1)[0], net_gbp=Decimal("635.255"))
        with pytest.raises(AmountNotInPence, match="not a whole number of pence"):
            render_invoice(with_lines(sample.invoice(1), line))


class TestBytes:
    def test_the_same_document_is_the_same_bytes_in_another_process(self) -> None:
        here = sha256(render_invoice(sample.invoice(30))).hexdigest()
        assert sha256(render_invoice(sample.invoice(30))).hexdigest() == here
        code = (
            "from hashlib import sha256; from invoicing.documents import sample;"
            "from invoicing.documents.render import render_invoice;"
            "print(sha256(render_invoice(sample.invoice(30))).hexdigest())"
        )
        there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
        assert there.stdout.strip() == here

    def test_threads_share_the_compiler(self) -> None:
        expected = [sha256(render_invoice(sample.invoice(4, serial=serial))).hexdigest() for serial in range(6)]
        with ThreadPoolExecutor(4) as pool:
            got = list(pool.map(lambda serial: render_invoice(sample.invoice(4, serial=serial)), range(6)))
        assert [sha256(pdf).hexdigest() for pdf in got] == expected

    @pytest.mark.parametrize(
        ("pdf", "title", "author"),
        [
            (
                lambda: render_invoice(sample.invoice(2)),
                "Invoice HV-2026-001042 - Harbour & Vale Recruitment Ltd",
                "Harbour & Vale Recruitment Ltd",
            ),
            (
                lambda: render_credit_note(sample.credit_note()),
                "Credit note HV-CN-000087 - Harbour & Vale Recruitment Ltd",
                "Harbour & Vale Recruitment Ltd",
            ),
            (
                lambda: render_self_bill(sample.self_bill()),
                "Self-billed invoice SB-PEU-000311 - Parasol Example Umbrella Ltd",
                "Harbour & Vale Recruitment Ltd",
            ),
        ],
    )
    def test_is_tagged_titled_and_self_contained(self, pdf: Callable[[], bytes], title: str, author: str) -> None:
        reader = PdfReader(BytesIO(pdf()))
        root = cast(Any, reader.trailer["/Root"])
        assert root["/MarkInfo"]["/Marked"]
        assert "/StructTreeRoot" in root
        assert root["/Lang"] == "en-GB"
        assert reader.metadata is not None
        assert (reader.metadata.title, reader.metadata.author) == (title, author)
        assert reader.metadata.creation_date is not None
        assert reader.metadata.creation_date.year == 2026
        for page in reader.pages:
            for font in cast(Any, page["/Resources"])["/Font"].values():
                assert "Inter" in font["/BaseFont"]

    def test_measure_counts_what_it_renders(self) -> None:
        seen = sample.measure(3, line_count=2)
        assert seen.documents == 3
        assert seen.documents_per_second > 1
        assert seen.bytes_total > 3 * 10_000
