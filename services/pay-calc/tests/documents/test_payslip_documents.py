"""Payslips as PDF: what section 8 asks for is on the page, figures are the given ones, archives are whole and in order."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import pytest
from pypdf import PdfReader

from pay_calc.documents import sample
from pay_calc.documents.archive import PayslipNamedTwice, write_zip
from pay_calc.documents.models import (
    Amount,
    Hours,
    PaidBy,
    Payment,
    PaymentKind,
    Payslip,
    PayslipDoesNotAdd,
    PayslipIncomplete,
    Units,
    Worker,
)
from pay_calc.documents.render import payslip_file_name, render_payslip


def pages_of(pdf: bytes) -> list[str]:
    """The text of each page, every run of white space (no-break spaces too) as one space."""
    return [" ".join((page.extract_text() or "").split()) for page in PdfReader(BytesIO(pdf)).pages]


def text_of(payslip: Payslip) -> str:
    return " ".join(pages_of(render_payslip(payslip)))


def paying(payslip: Payslip, *payments: Payment, deductions: tuple[Amount, ...] = ()) -> Payslip:
    """``payslip`` with other payments and deductions, and the sums that follow."""
    gross = sum((item.amount_gbp for item in payments), Decimal(0))
    taken = sum((item.amount_gbp for item in deductions), Decimal(0))
    net = gross - taken + sum((item.amount_gbp for item in payslip.net_additions), Decimal(0))
    return replace(
        payslip,
        payments=payments,
        deductions=deductions,
        gross_gbp=gross,
        deductions_gbp=taken,
        net_gbp=net,
        paid_by=(PaidBy(method="Bacs", amount_gbp=net, account_last_four="0017"),),
    )


class TestPayslip:
    def test_itemises_what_the_law_asks_for_on_one_page(self) -> None:
        pages = pages_of(render_payslip(sample.payslip()))
        assert len(pages) == 1
        for words in (
            "Net pay £519.77",
            "Paid on 17 April 2026",
            "Bacs to the account ending 0017",
            "Why it differs from last time. You were paid 4:30 overtime",
            "Worker 00017 Testcase",
            "Harbour & Vale Recruitment Ltd",
            "Worker reference W00017",
            "NI number QQ 12 34 56 A",
            "Tax code 1257L (cumulative)",
            "NI letter A",
            "PAYE reference 000/HV00001",
            "Pay period 6 April to 12 April 2026",
            "Tax year 2026/27",
            "Tax period Week 2 (weekly)",
            "Northgate Testing Logistics, Leeds depot · Reach truck driver",
            "Basic 31:00 14.20 440.20",
            "Overtime × 1.5 4:30 21.30 95.85",
            "Example Catering, Wakefield · Kitchen porter",
            "Holiday and other pay Holiday pay, 12.07% rolled up, on 605.96 73.14",
            "Gross pay 41:00 679.10",
            "Income tax 1257L on 679.10 87.40",
            "National Insurance letter A 34.97",
            "Student loan plan 2 9.00",
            "Pension 5% of qualifying earnings 27.96",
            "Total deductions 159.33",
            "Taxable pay 679.10",
            "Pay subject to NI 679.10",
            "Hours worked 41:00 (41.00)",
            "Year to date £",
            "1,241.60",
            "Employer’s costs £",
            "87.46",
            "Not taken from it.",
            "Page 1 of 1",
        ):
            assert words in pages[0], words

    def test_refund_of_tax_is_a_negative_deduction(self) -> None:
        slip = paying(
            sample.payslip(),
            Payment(name="Basic", amount_gbp=Decimal("100.00"), quantity=Hours(minutes=480), rate_gbp=Decimal("12.50")),
            deductions=(Amount(name="Income tax", amount_gbp=Decimal("-48.40"), note="refund"),),
        )
        text = text_of(slip)
        assert "Income tax refund −48.40" in text
        assert "Net pay £148.40" in text

    def test_no_deductions(self) -> None:
        slip = paying(sample.payslip(), Payment(name="Bonus", amount_gbp=Decimal("50.00"), kind=PaymentKind.OTHER))
        assert "None 0.00 Total deductions 0.00" in text_of(slip)

    def test_late_weeks_and_days_are_named(self) -> None:
        late = Payment(
            name="Day rate",
            amount_gbp=Decimal("-180.50"),
            kind=PaymentKind.CORRECTION,
            assignment="Client · Job",
            quantity=Units(value=Decimal("-1"), unit="days"),
            rate_gbp=Decimal("180.50"),
            week_ending=date(2026, 3, 29),
            note="corrected",
        )
        usual = Payment(name="Day rate", amount_gbp=Decimal("902.50"), assignment="Client · Job")
        assert "Day rate w/e 29 Mar 2026 · corrected −1 days 180.50 −180.50" in text_of(
            paying(sample.payslip(), usual, late)
        )

    def test_expenses_are_added_after_deductions(self) -> None:
        base = sample.payslip()
        slip = replace(
            base,
            net_additions=(Amount(name="Expenses with receipts", amount_gbp=Decimal("20.00")),),
            net_gbp=base.net_gbp + 20,
            paid_by=(PaidBy(method="Bacs", amount_gbp=base.net_gbp + 20),),
        )
        assert "Total deductions 159.33 Expenses with receipts 20.00 Net pay £539.77" in text_of(slip)

    def test_parts_paid_in_different_ways_are_shown_with_their_amounts(self) -> None:
        slip = replace(
            sample.payslip(),
            paid_by=(
                PaidBy(method="Bacs", amount_gbp=Decimal("419.77"), account_last_four="0017"),
                PaidBy(method="Faster Payment advance", amount_gbp=Decimal("100.00")),
            ),
        )
        text = text_of(slip)
        assert "Bacs to the account ending 0017: £419.77" in text
        assert "Faster Payment advance: £100.00" in text

    def test_a_long_payslip_takes_several_pages(self) -> None:
        payments = tuple(
            Payment(
                name="Basic",
                amount_gbp=Decimal("12.71"),
                assignment=f"Client {at:03d} · Steward",
                quantity=Hours(minutes=60),
                rate_gbp=Decimal("12.71"),
            )
            for at in range(60)
        )
        pages = pages_of(render_payslip(paying(sample.payslip(), *payments)))
        assert len(pages) > 1
        assert all(f"Page {at} of {len(pages)}" in page for at, page in enumerate(pages, start=1))
        assert all(f"Client {at:03d} · Steward" in " ".join(pages) for at in range(60))

    def test_prints_markup_characters_and_other_alphabets_as_they_are(self) -> None:
        nasty = "#panic() *b* $x$ @ref <l> Łódź"
        slip = replace(
            sample.payslip(),
            worker=Worker(name=nasty, reference="W1", address=(nasty,)),
            change_reason=nasty,
            messages=(nasty,),
        )
        text = text_of(slip)
        assert text.count(nasty) == 4
        assert "NI number Not yet known" in text


class TestRefusals:
    def test_payslips_that_do_not_add_up(self) -> None:
        slip = sample.payslip()
        with pytest.raises(PayslipDoesNotAdd, match="W00017 paid on 2026-04-17: payments and gross"):
            replace(slip, payments=slip.payments[1:])
        with pytest.raises(PayslipDoesNotAdd, match="deductions and their total"):
            replace(slip, deductions=slip.deductions[1:])
        with pytest.raises(PayslipDoesNotAdd, match="and net disagree"):
            replace(slip, net_gbp=Decimal("1.00"))
        with pytest.raises(PayslipDoesNotAdd, match="ways of payment"):
            replace(slip, paid_by=())

    def test_payslips_without_what_the_law_asks_for(self) -> None:
        slip = sample.payslip()
        with pytest.raises(PayslipIncomplete, match="does not show the hours"):
            replace(slip, hours_minutes=None)
        with pytest.raises(PayslipIncomplete, match="tax code"):
            replace(slip, tax_code="")

    def test_a_whole_account_number_never_reaches_a_payslip(self) -> None:
        with pytest.raises(ValueError, match="last four"):
            PaidBy(method="Bacs", amount_gbp=Decimal(1), account_last_four="00012345")


class TestBytes:
    def test_the_same_payslip_is_the_same_bytes_in_another_process(self) -> None:
        here = sha256(render_payslip(sample.payslip())).hexdigest()
        code = (
            "from hashlib import sha256; from pay_calc.documents import sample;"
            "from pay_calc.documents.render import render_payslip;"
            "print(sha256(render_payslip(sample.payslip())).hexdigest())"
        )
        there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
        assert there.stdout.strip() == here

    def test_is_tagged_titled_and_dated(self) -> None:
        reader = PdfReader(BytesIO(render_payslip(sample.payslip())))
        root = cast(Any, reader.trailer["/Root"])
        assert root["/MarkInfo"]["/Marked"]
        assert root["/Lang"] == "en-GB"
        assert reader.metadata is not None
        assert reader.metadata.title == "Payslip 17 April 2026 - Worker 00017 Testcase"
        assert reader.metadata.author == "Harbour & Vale Recruitment Ltd"
        assert reader.metadata.creation_date is not None
        assert reader.metadata.creation_date.date() == date(2026, 4, 17)


class TestArchive:
    def test_keeps_the_order_and_reports_progress(self, tmp_path: Path) -> None:
        seen: list[int] = []
        path = tmp_path / "payslips.zip"
        count = write_zip(path, (sample.payslip(serial) for serial in (3, 1, 2)), progress=seen.append)
        assert (count, seen) == (3, [1, 2, 3])
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            assert archive.namelist() == [f"payslip-2026-04-17-W0000{serial}.pdf" for serial in (3, 1, 2)]
            assert archive.read("payslip-2026-04-17-W00001.pdf") == render_payslip(sample.payslip(1))

    def test_holds_one_payslip_at_a_time(self, tmp_path: Path) -> None:
        made: list[int] = []
        ahead: list[int] = []

        def source() -> Iterator[Payslip]:
            for serial in range(4):
                made.append(serial)
                yield sample.payslip(serial)

        write_zip(tmp_path / "a.zip", source(), progress=lambda done: ahead.append(len(made) - done))
        assert ahead == [0, 0, 0, 0]

    def test_several_processes_give_the_same_bytes(self, tmp_path: Path) -> None:
        one, two = tmp_path / "one.zip", tmp_path / "two.zip"
        write_zip(one, map(sample.payslip, range(20)))
        write_zip(two, map(sample.payslip, range(20)), processes=2)
        assert one.read_bytes() == two.read_bytes()

    def test_leaves_nothing_behind_when_it_fails(self, tmp_path: Path) -> None:
        path = tmp_path / "payslips.zip"
        path.write_bytes(b"the earlier archive")
        with pytest.raises(PayslipNamedTwice, match=r"payslip-2026-04-17-W00001\.pdf"):
            write_zip(path, (sample.payslip(1), sample.payslip(1)))
        assert path.read_bytes() == b"the earlier archive"
        assert list(tmp_path.iterdir()) == [path]

    def test_file_names_are_safe(self) -> None:
        slip = replace(sample.payslip(), worker=Worker(name="A", reference="../W/1 é"))
        assert payslip_file_name(slip) == "payslip-2026-04-17----W-1--.pdf"

    def test_measure_counts_what_it_renders(self) -> None:
        seen = sample.measure(3)
        assert seen.documents == 3
        assert seen.documents_per_second > 1
