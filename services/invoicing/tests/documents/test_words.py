"""The words and figures that documents print."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from paybill_common import typst_pdf as pdf


def spaces(text: str) -> str:
    return text.replace(pdf.NO_BREAK, " ")


def test_money_has_separators_two_decimals_and_a_real_minus() -> None:
    assert pdf.money(Decimal("1234567.5")) == "1,234,567.50"
    assert pdf.money(Decimal("-0.05")) == "−0.05"
    assert pdf.money(Decimal("0")) == "0.00"
    assert pdf.money(Decimal("-0.00")) == "0.00"
    assert pdf.pounds(Decimal("-12")) == "−£12.00"
    assert pdf.money(Decimal("1E+3")) == "1,000.00"


@pytest.mark.parametrize("amount", ["0.001", "NaN", "Infinity", "10.005"])
def test_money_refuses_what_is_not_pence(amount: str) -> None:
    with pytest.raises(pdf.AmountNotInPence):
        pdf.money(Decimal(amount))


def test_rates_show_the_decimals_they_have() -> None:
    assert pdf.rate(Decimal("12.7100")) == "12.71"
    assert pdf.rate(Decimal("18.425")) == "18.425"
    assert pdf.rate(Decimal("2E+1")) == "20.00"
    assert pdf.percent(Decimal("20.00")) == "20%"
    assert pdf.percent(Decimal("12.07")) == "12.07%"
    assert pdf.quantity(Decimal("1250.50")) == "1,250.5"


@pytest.mark.parametrize(
    ("minutes", "clock", "decimal"),
    [(2250, "37:30", "37.50"), (0, "0:00", "0.00"), (-90, "−1:30", "−1.50"), (1, "0:01", "0.02"), (20, "0:20", "0.33")],
)
def test_hours_in_both_forms(minutes: int, clock: str, decimal: str) -> None:
    assert pdf.hours_clock(minutes) == clock
    assert pdf.hours_decimal(minutes) == decimal


def test_dates() -> None:
    assert spaces(pdf.day(date(2026, 4, 5))) == "5 Apr 2026"
    assert spaces(pdf.span(date(2026, 4, 6), date(2026, 4, 12))) == "6–12 Apr"
    assert spaces(pdf.span(date(2026, 3, 30), date(2026, 4, 5))) == "30 Mar – 5 Apr"
    assert spaces(pdf.span(date(2025, 12, 29), date(2026, 1, 4))) == "29 Dec 2025 – 4 Jan 2026"
    assert spaces(pdf.span(date(2026, 4, 5), date(2026, 4, 5))) == "5 Apr"
    assert spaces(pdf.long_span(date(2026, 3, 30), date(2026, 4, 5))) == "30 March to 5 April 2026"


def test_sort_codes() -> None:
    assert pdf.sort_code("000012") == "00-00-12"
    with pytest.raises(ValueError, match="six digits"):
        pdf.sort_code("0000")


def test_accents_and_logos_are_checked() -> None:
    with pytest.raises(ValueError, match="#rrggbb"):
        pdf.Branding(name="A", accent="red")
    with pytest.raises(ValueError, match="PNG or SVG"):
        pdf.Branding(name="A", logo=b"GIF89a").view()


def test_a_template_that_fails_says_which_and_why(tmp_path: Path) -> None:
    (tmp_path / "broken.typ").write_text("#let x = sys.inputs.nothing")
    with pytest.raises(pdf.DocumentFailed, match=r"broken\.typ.*nothing"):
        pdf.PdfTemplates(tmp_path).render("broken.typ", {}, dated=date(2026, 4, 5))
