"""What reporting decides without I/O."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting.domain import pictures, show, tidy, words
from reporting.domain.allocation import allocate
from reporting.domain.cells import csv_cell, safe_text
from reporting.domain.tie_out import (
    DocumentDifference,
    Line,
    LineDifference,
    MinutesBucket,
    bill_difference,
    pay_difference,
    tie_out,
)


class TestTieOut:
    def test_paid_and_held_explain_everything(self) -> None:
        found = tie_out(
            [
                MinutesBucket("pay", "paid", 2, 4800, 4800),
                MinutesBucket("pay", "held", 1, 2400, 0),
                MinutesBucket("bill", "billed", 2, 4800, 4800),
                MinutesBucket("bill", "ready", 1, 2400, 0),
            ],
            [],
            [],
        )
        assert (found.approved_minutes, found.paid_minutes, found.held_minutes) == (7200, 4800, 2400)
        assert (found.billable_minutes, found.billed_minutes, found.bill_held_minutes) == (7200, 4800, 2400)
        assert found.clean
        assert found.balanced

    def test_minutes_that_nobody_answers_for_are_unexplained(self) -> None:
        found = tie_out([MinutesBucket("pay", "waiting", 1, 2400, 0)], [], [])
        assert found.unexplained_minutes == 2400
        assert not found.clean
        assert not found.balanced

    def test_a_paid_timesheet_must_be_paid_whole(self) -> None:
        found = tie_out([MinutesBucket("pay", "paid", 1, 2400, 2340, mismatched_minutes=60)], [], [])
        assert found.unexplained_minutes == 60

    def test_two_wrongs_do_not_make_a_right(self) -> None:
        """One timesheet paid an hour short and one an hour over sum to nothing; the difference per timesheet shows."""
        found = tie_out([MinutesBucket("pay", "paid", 2, 4800, 4800, mismatched_minutes=120)], [], [])
        assert found.unexplained_minutes == 120

    def test_an_amended_week_waits_for_its_correction(self) -> None:
        found = tie_out([MinutesBucket("pay", "draft", 1, 2460, 2400)], [], [])
        assert (found.held_minutes, found.clean) == (60, True)

    def test_part_of_an_invoice_that_was_credited_is_explained(self) -> None:
        found = tie_out([MinutesBucket("bill", "credited", 1, 2400, 2340)], [], [])
        assert (found.bill_held_minutes, found.clean, found.balanced) == (60, True, True)

    def test_pence_add_up_in_absolute_terms(self) -> None:
        lines = [
            LineDifference("pay", "t", 1, "a", 100, 99, 1),
            LineDifference("bill", "t", 1, "a", 100, 101, 1),
        ]
        found = tie_out([], lines, [DocumentDifference("d", "NI-1", 5, "its sums do not agree")])
        assert found.unexplained_pence == 7

    @pytest.mark.parametrize(
        ("line", "pence"),
        [
            (Line("t", 1, "a", 1000, 1000), 0),
            (Line("t", 1, "a", 1000, 999), 1),
            (Line("t", 1, "a", None, 500), 500),
            (Line("t", 1, "a", 1000, 1000, -1000, reversed=True, superseded=True), 0),
            (Line("t", 1, "a", 1000, 1000, -900, reversed=True), 100),
            (Line("t", 1, "a", 1000, 1000, superseded=True), 1000),
            (Line("t", 1, "a", 1000, 0), 1000),
        ],
    )
    def test_pay_lines(self, line: Line, pence: int) -> None:
        assert pay_difference(line) == pence

    @pytest.mark.parametrize(
        ("line", "pence"),
        [
            (Line("t", 1, "a", 1000, 1000), 0),
            (Line("t", 1, "a", 1000, 1001), 1),
            (Line("t", 1, "a", 1000, 1000, -1000, reversed=True), 0),
            (Line("t", 1, "a", 1000, 2000, -1000, reversed=True), 0),
            (Line("t", 1, "a", 1000, 2000), 1000),
            (Line("t", 1, "a", 1000, 1000, -990, reversed=True), 10),
            (Line("t", 1, "a", 1000, 1000, superseded=True), 1000),
        ],
    )
    def test_bill_lines(self, line: Line, pence: int) -> None:
        assert bill_difference(line) == pence


class TestAllocation:
    @given(st.integers(-(10**9), 10**9), st.lists(st.integers(-100, 10**6), min_size=1, max_size=12))
    def test_shares_add_up(self, total: int, weights: list[int]) -> None:
        assert sum(allocate(total, weights)) == total

    @given(st.integers(0, 10**7), st.lists(st.integers(1, 10**4), min_size=1, max_size=12))
    def test_no_share_is_a_penny_off(self, total: int, weights: list[int]) -> None:
        whole = sum(weights)
        for share, weight in zip(allocate(total, weights), weights, strict=True):
            assert abs(share * whole - total * weight) <= whole

    def test_nothing_to_share_among_nobody(self) -> None:
        assert allocate(100, []) == []


class TestShow:
    @pytest.mark.parametrize(
        ("amount", "text"),
        [("0", "0.00"), ("1234.5", "1,234.50"), ("-1234.56", "−1,234.56"), ("0.1", "0.10")],
    )
    def test_money(self, amount: str, text: str) -> None:
        assert show.money(Decimal(amount)) == text

    def test_hours(self) -> None:
        assert show.hours(2250) == "37:30"
        assert show.hours(-30) == "−0:30"
        assert show.hours_decimal(2250) == "37.50 hours"
        assert show.hours(600_000) == "10,000:00"

    def test_days_and_weeks(self) -> None:
        assert show.day(date(2026, 4, 10)) == "Fri 10 Apr"
        assert show.full_day(date(2026, 4, 10)) == "Friday 10 April 2026"
        assert show.week(date(2026, 4, 5)) == "w/e 5 Apr 2026"

    def test_moments_are_in_london(self) -> None:
        assert show.moment(datetime(2026, 4, 6, 8, 0, tzinfo=UTC)) == "Mon 6 Apr 09:00"
        assert show.moment(datetime(2026, 1, 6, 8, 0, tzinfo=UTC)) == "Tue 6 Jan 08:00"

    @pytest.mark.parametrize(
        ("minutes", "text"), [(0, "under 1 min"), (8, "8 min"), (320, "5 h 20 min"), (60, "1 h"), (4560, "3 d 4 h")]
    )
    def test_age(self, minutes: int, text: str) -> None:
        assert show.age(timedelta(minutes=minutes)) == text

    def test_percent(self) -> None:
        assert show.percent(Decimal("18.45"), Decimal("100")) == "18.5%"
        assert show.percent(Decimal("-5"), Decimal("100")) == "−5.0%"
        assert show.percent(Decimal("1"), Decimal(0)) == "–"


class TestWords:
    def line(self, **changes: object) -> words.Line:
        values: dict[str, object] = {
            "element": "overtime",
            "rate_unit": "hour",
            "minutes": 120,
            "units": None,
            "pay_rate": Decimal("19.0650"),
            "basic_pay_rate": Decimal("12.7100"),
            "charge_rate": Decimal("25.1658"),
            "pay_gbp": Decimal("38.13"),
            "charge_gbp": Decimal("50.33"),
            "payable": True,
            "billable": True,
            "rate_card_version": 3,
            "rule_id": "daily-overtime",
        }
        return words.Line(**{**values, **changes})  # type: ignore[arg-type]

    def test_a_line_is_explained_with_its_premium(self) -> None:
        said = words.explain_pay(self.line())
        assert said == "2:00 h × £19.0650 (£12.71 × 1.5) = £38.13: overtime, rate card v3, rule daily-overtime"

    def test_a_line_for_one_side_says_so(self) -> None:
        assert words.explain_pay(self.line(payable=False)).startswith("Not paid")
        assert words.explain_charge(self.line(billable=False)).startswith("Not billed")

    def test_days_are_counted_not_clocked(self) -> None:
        assert words.explain_charge(self.line(rate_unit="day", units=Decimal("1.5000"))).startswith("1.5 days × £")

    def test_reasons_have_words_and_a_way_out(self) -> None:
        assert words.reason({"code": "missing_document", "requirement": "right_to_work"}) == (
            "A required document is missing: right to work"
        )
        assert words.remedy("missing_document")
        assert words.reason({"code": "something_new"}) == "Something new"


class TestCells:
    @pytest.mark.parametrize("text", ["=1+1", "+44", "-x", "@SUM(A1)", "\t=1", "\r=1", "＝1"])
    def test_formulas_are_text(self, text: str) -> None:
        assert safe_text(text) == f"'{text}"

    def test_numbers_stay_numbers(self) -> None:
        assert csv_cell(Decimal("-5.00")) == "-5.00"
        assert csv_cell(None) == ""
        assert csv_cell(True) == "yes"
        assert csv_cell(date(2026, 4, 5)) == "2026-04-05"


class TestPictures:
    def test_every_picture_is_well_formed_and_says_what_it_shows(self) -> None:
        drawn = [
            pictures.waterfall(
                [pictures.Step("Charge", 900, "9.00", True), pictures.Step("Pay & <b>", -700, "−7")], title="x"
            ),
            pictures.strip([("young", 3, "fresh"), ("old", 0, "older")], title="x"),
        ]
        for svg in drawn:
            root = ElementTree.fromstring(svg)
            assert root.attrib["role"] == "img"
            assert root.attrib["aria-label"]

    def test_marks_beside_figures_are_not_read_out(self) -> None:
        for svg in (*pictures.funnel([10, 4, 0]), pictures.bar(-20, top=80, mark=60), pictures.bar(0, top=0)):
            root = ElementTree.fromstring(svg)
            assert root.attrib["aria-hidden"] == "true"
            assert not [element for element in root if element.tag == "text"]

    def test_a_bar_is_as_long_as_its_share(self) -> None:
        rect, line = ElementTree.fromstring(pictures.bar(-20, top=80, mark=60))
        assert (rect.attrib["width"], rect.attrib["class"]) == ("250", "bar blocked")
        assert line.attrib["x1"] == "750"

    def test_a_funnel_falls_by_its_shares(self) -> None:
        stages = [ElementTree.fromstring(svg) for svg in pictures.funnel([400, 100, 0])]
        assert [stage[1].attrib["height"] for stage in stages] == ["100", "25", "0"]
        assert [len(stage) for stage in stages] == [3, 3, 2], "each is joined to the next"


class TestTidy:
    def test_names_tell_how_values_are_written(self) -> None:
        found = tidy.tidy({"net_gbp": "12.50", "held_minutes": 90, "payday_on": "2026-04-10"}, names={})
        assert [(fact.label, fact.text) for fact in found.facts] == [
            ("Net £", "12.50"),
            ("Held hours", "1:30"),
            ("Payday", "Fri 10 Apr"),
        ]

    def test_totals_of_the_same_fields_stand_under_one_another(self) -> None:
        found = tidy.tidy({"before": {"vat_gbp": "0.00"}, "after": {"vat_gbp": "5.00"}}, names={})
        [grid] = found.grids
        assert [[fact.text for fact in row] for row in grid.rows] == [["Before", "0.00"], ["After", "5.00"]]
        assert grid.heads[1].label == "VAT £"

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=40),
            lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
            max_leaves=20,
        )
    )
    def test_no_answer_breaks_it(self, value: object) -> None:
        tidy.names_wanted(value)
        tidy.tidy(value, names={})
