"""Statutory tables of attachments: worked examples of each, where they end, and the protected share."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pay_calc.domain.engine.attachments import AttachmentOrder, AttachmentResult, work
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.payslip import PayLineInput, PayslipInput, PayslipResult, calculate_payslip
from pay_calc.domain.engine.trace import Node, Trace, recompute
from pay_calc.rates import BadRatesFile, attachment_book, load_attachment_tables, parameters_for_year

P26 = parameters_for_year("2026-27")
BOOK = attachment_book()


def check(node: Node) -> int:
    for child in node.children:
        check(child)
    assert recompute(node) == node.result
    return node.result


def order(kind: Any, issued: date, **more: Any) -> AttachmentOrder:
    return AttachmentOrder("order 1", kind, issued, **more)


def take(
    which: AttachmentOrder, net: int, frequency: Any = "weekly", left: int | None = None, **more: Any
) -> AttachmentResult:
    trace = Trace()
    found = work(
        which, net if left is None else left, trace, net_earnings_pence=net, frequency=frequency, book=BOOK, **more
    )
    assert check(trace.root) == found.deducted_pence
    return found


ENGLAND: dict[str, Any] = {"jurisdiction": "England"}
WALES: dict[str, Any] = {"jurisdiction": "Wales"}
SCOTLAND: dict[str, Any] = {"jurisdiction": "Scotland"}


class TestCouncilTax:
    @pytest.mark.parametrize(
        ("net", "frequency", "taken"),
        [
            (7500, "weekly", 0), (7501, "weekly", 225), (13500, "weekly", 405), (13501, "weekly", 675), (22501, "weekly", 2700),
            (35500, "weekly", 4260), (50500, "weekly", 8585), (50501, "weekly", 8585), (60500, "weekly", 13585),
            (55000, "monthly", 1650), (142000, "monthly", 17040), (202000, "monthly", 34340), (300000, "monthly", 83340),
            (27000, "fortnightly", 810), (202000, "four_weekly", 34340), (202002, "four_weekly", 34341),
        ],
    )  # fmt: skip
    def test_england(self, net: int, frequency: str, taken: int) -> None:
        assert take(order("CTAEO", date(2026, 1, 5), **ENGLAND), net, frequency).deducted_pence == taken

    @pytest.mark.parametrize(
        ("issued", "net", "taken"),
        [(date(2022, 3, 31), 10000, 300), (date(2022, 4, 1), 10000, 0), (date(2022, 4, 1), 19000, 570),
         (date(2022, 4, 1), 71500, 12155), (date(2022, 4, 1), 81500, 17155)],
    )  # fmt: skip
    def test_wales_by_the_date_of_the_order(self, issued: date, net: int, taken: int) -> None:
        assert take(order("CTAEO", issued, **WALES), net).deducted_pence == taken

    def test_the_second_order_is_worked_on_what_the_first_left(self) -> None:
        assert take(order("CTAEO", date(2026, 1, 5), **ENGLAND), 40000, left=33200).deducted_pence == 3984

    @pytest.mark.parametrize(
        "which",
        [
            order("CTAEO", date(2007, 3, 31), **ENGLAND),
            order("CTAEO", date(2026, 1, 5)),
            order("CTAEO", date(2026, 1, 5), **SCOTLAND),
        ],
    )
    def test_refusals(self, which: AttachmentOrder) -> None:
        with pytest.raises(EngineError) as refused:
            take(which, 40000)
        assert refused.value.code == "attachment_table_unknown"


class TestDirectEarnings:
    DEA = order("DEA", date(2026, 1, 5))

    @pytest.mark.parametrize(
        ("net", "frequency", "before", "taken"),
        [
            (38500, "weekly", 0, 5775),
            (25000, "weekly", 6000, 1750),
            (162000, "monthly", 48600, 16200),
            (162000, "monthly", 0, 24300),
            (10000, "weekly", 0, 0), (10001, "weekly", 0, 300), (52001, "weekly", 0, 10400), (224001, "monthly", 0, 44800),
            (20000, "fortnightly", 0, 0), (77000, "fortnightly", 0, 11550),
        ],
    )  # fmt: skip
    def test_the_examples_of_the_employers_guide(self, net: int, frequency: str, before: int, taken: int) -> None:
        assert take(self.DEA, net, frequency, left=net - before).deducted_pence == taken

    def test_a_fixed_amount_leaves_sixty_per_cent(self) -> None:
        fixed = replace(self.DEA, rate="fixed", normal_pence=5000)
        assert take(fixed, 20000).deducted_pence == 5000
        assert take(fixed, 10000).deducted_pence == 4000
        assert take(fixed, 10000, left=7000).deducted_pence == 1000
        assert take(fixed, 10000, left=5000).deducted_pence == 0

    def test_loans_come_first(self) -> None:
        assert take(self.DEA, 60000, room_pence=100).deducted_pence == 100

    HIGHER = replace(DEA, rate="higher")

    @pytest.mark.parametrize(
        ("net", "frequency", "before", "taken"),
        [
            (38500, "weekly", 0, 11550),
            (25000, "weekly", 6000, 3500),
            (162000, "monthly", 32400, 32400),
            (9000, "weekly", 0, 450), (10000, "weekly", 0, 500), (10001, "weekly", 0, 600), (16001, "weekly", 0, 1600),
            (27001, "weekly", 0, 5940), (52001, "weekly", 0, 20800), (43000, "monthly", 0, 2150), (43001, "monthly", 0, 2580),
            (69001, "monthly", 0, 6900), (95001, "monthly", 0, 13300), (116001, "monthly", 0, 25520), (224001, "monthly", 0, 89600),
            (0, "weekly", 0, 0),
        ],
    )  # fmt: skip
    def test_the_higher_rate_by_the_examples_of_its_guide(
        self, net: int, frequency: str, before: int, taken: int
    ) -> None:
        assert take(self.HIGHER, net, frequency, left=net - before).deducted_pence == taken

    def test_the_higher_rate_came_in_2015(self) -> None:
        early = replace(self.HIGHER, issued_on=date(2015, 4, 5))
        with pytest.raises(EngineError) as refused:
            take(early, 40000)
        assert refused.value.code == "attachment_table_unknown"
        assert take(replace(early, by_hand_pence=1234), 40000).by_hand


class TestScottishArrestment:
    @pytest.mark.parametrize(
        ("net", "frequency", "taken"),
        [
            (17261, "weekly", 0), (17262, "weekly", 230), (30000, "weekly", 1911), (34522, "weekly", 2589), (34523, "weekly", 2589),
            (57537, "weekly", 7192), (86306, "weekly", 14384), (100000, "weekly", 21231), (150000, "monthly", 11250),
            (250000, "monthly", 31250), (400000, "monthly", 75000), (75001, "monthly", 1000),
        ],
    )  # fmt: skip
    def test_table(self, net: int, frequency: str, taken: int) -> None:
        assert take(order("scottish_arrestment", date(2025, 6, 1), **SCOTLAND), net, frequency).deducted_pence == taken

    def test_an_exact_halfpenny_goes_down(self) -> None:
        # 71.92 and 25 % of 0.10, which is 0.025 and goes down
        assert take(order("scottish_arrestment", date(2025, 6, 1), **SCOTLAND), 57547).deducted_pence == 7194

    @pytest.mark.parametrize(
        ("issued", "net", "frequency", "taken"),
        [
            # 2019: 19 % of 277.72; 60.75 and 23 % of 58.00; 111.92 and 50 % of 335.50; the least of a month
            (date(2019, 4, 6), 40000, "weekly", 5277), (date(2022, 4, 5), 50000, "weekly", 7409),
            (date(2019, 4, 6), 100000, "weekly", 27967), (date(2019, 4, 6), 53990, "monthly", 1500),
            # 2022: 19 % of 269.27; 64.94 and 23 % of 27.46; 119.66 and 50 % of 289.58; 281.42 and 23 % of 452.35
            (date(2022, 4, 6), 40000, "weekly", 5116), (date(2022, 4, 6), 50000, "weekly", 7126),
            (date(2023, 4, 5), 100000, "weekly", 26445), (date(2022, 4, 6), 250000, "monthly", 38546),
            # 2023: nothing at 150.94, then at least 4.00; 74.98 and 23 % of 54.43; 600.25 and 50 % of 436.17
            (date(2023, 4, 6), 15094, "weekly", 0), (date(2023, 4, 6), 15095, "weekly", 400),
            (date(2025, 4, 5), 60000, "weekly", 8750), (date(2025, 4, 5), 400000, "monthly", 81833),
        ],
    )  # fmt: skip
    def test_earlier_orders_keep_the_table_of_their_date(
        self, issued: date, net: int, frequency: str, taken: int
    ) -> None:
        assert take(order("scottish_arrestment", issued, **SCOTLAND), net, frequency).deducted_pence == taken

    def test_only_for_orders_of_the_verified_dates(self) -> None:
        for issued in (date(2019, 4, 5), date(2026, 4, 6)):
            with pytest.raises(EngineError):
                take(order("scottish_arrestment", issued, **SCOTLAND), 40000)
        newer = order("scottish_arrestment", date(2023, 5, 1), tables_on=date(2025, 5, 1), **SCOTLAND)
        assert take(newer, 40000).deducted_pence == 3685


def slip(gross: int, *orders: AttachmentOrder, element: str = "basic", **more: Any) -> PayslipResult:
    line = PayLineInput("P-1", "basic", 0, None, "each", Decimal(0), Decimal(0), gross, False, amount_is_final=True)
    lines: tuple[PayLineInput, ...] = (line,)
    if element != "basic":
        lines = (line, replace(line, element=element, amount_pence=10000))
    trace = Trace()
    result = calculate_payslip(
        PayslipInput(
            P26, "weekly", date(2026, 4, 10), "1257L", "A", lines, attachments=orders, attachment_book=BOOK, **more
        ),
        trace,
    )
    assert check(trace.root) == result.net_pence
    return result


class TestOnThePayslip:
    DEO = order("DEO", date(2026, 1, 5), normal_pence=30000, protection="proportion")

    def test_child_maintenance_leaves_sixty_per_cent_of_net_earnings(self) -> None:
        net = slip(60000).net_pence
        assert net == 49976
        taken = slip(60000, self.DEO)
        # 60 % of 499.76 is 299.856, up to 299.86
        assert (taken.attachments_pence, taken.net_pence) == (19990, 29986)
        assert taken.attachments[0].shortfall_pence == 0

    def test_the_example_of_the_guide_for_employers(self) -> None:
        """Net 1,200.00 a month, 720.00 protected: 150.00 can be taken whole, and at most 480.00."""
        monthly = replace(self.DEO, normal_pence=15000)
        assert take(monthly, 120000, "monthly").deducted_pence == 15000
        most = take(replace(monthly, normal_pence=60000), 120000, "monthly")
        assert (most.deducted_pence, most.protected_pence) == (48000, 72000)

    def test_a_loan_behind_it_is_capped_at_the_protected_share(self) -> None:
        taken = slip(80000, replace(self.DEO, normal_pence=24000), student_loan_plan="1")
        net = slip(80000).net_pence
        assert taken.student_loan_pence == min(2500, (net * 4 // 10 - 24000) // 100 * 100)
        assert taken.net_pence * 10 >= net * 6

    def test_two_orders_share_the_forty_per_cent(self) -> None:
        second = replace(self.DEO, reference="order 2", issued_on=date(2026, 2, 1))
        taken = slip(60000, second, replace(self.DEO, normal_pence=15000))
        assert [each.deducted_pence for each in taken.attachments] == [15000, 4990]

    def test_no_order_takes_family_pay_and_all_may_take_sick_pay(self) -> None:
        plain = slip(30000, self.DEO).attachments_pence
        assert slip(30000, self.DEO, element="SSP").attachments_pence > plain
        assert slip(30000, self.DEO, element="smp").attachments_pence <= plain

    def test_the_order_of_work(self) -> None:
        deo = replace(self.DEO, normal_pence=5000)
        council = AttachmentOrder("order 2", "CTAEO", date(2026, 2, 1), jurisdiction="England")
        dea = AttachmentOrder("order 3", "DEA", date(2025, 2, 1))
        taken = slip(60000, dea, council, deo, student_loan_plan="1")
        # net 499.76: DEO 50.00; council tax on 449.76 at 17 % = 76.46; no loan beside it; DEA 15 % of 499.76, within 199.90 - 126.46
        assert taken.student_loan_pence == 0
        assert [(each.kind, each.deducted_pence) for each in taken.attachments] == [
            ("DEO", 5000), ("CTAEO", 7646), ("DEA", 7344),
        ]  # fmt: skip

    @given(st.integers(0, 150000), st.sampled_from(["DEO", "CTAEO", "DEA", "scottish_arrestment"]))
    @settings(max_examples=80, deadline=None)
    def test_laws(self, gross: int, kind: Any) -> None:
        place: Any = "Scotland" if kind == "scottish_arrestment" else "England"
        protection: Any = "proportion" if kind == "DEO" else "stated"
        which = AttachmentOrder("order 1", kind, date(2025, 6, 1), 20000, protection=protection, jurisdiction=place)
        free, taken = slip(gross), slip(gross, which)
        assert 0 <= taken.attachments_pence <= free.net_pence
        assert taken.net_pence == free.net_pence - taken.attachments_pence
        if kind in ("DEO", "DEA"):
            assert taken.net_pence * 10 >= free.net_pence * 6


@given(
    st.integers(0, 500000), st.integers(1, 5000), st.sampled_from(["weekly", "fortnightly", "four_weekly", "monthly"])
)
@settings(max_examples=150, deadline=None)
def test_no_table_takes_less_of_more(net: int, more: int, frequency: Any) -> None:
    for table in BOOK.tables:
        assert table.deduction(frequency, net + more) >= table.deduction(frequency, net)


def test_every_table_names_its_legislation_and_dates() -> None:
    for table in BOOK.tables:
        assert any(mark in table.source for mark in ("SI ", "SSI "))
        assert BOOK.find(table.kind, table.jurisdiction, table.orders_from, table.rate) is table
        before = BOOK.find(table.kind, table.jurisdiction, table.orders_from - timedelta(days=1), table.rate)
        assert before is None or before.orders_until == table.orders_from - timedelta(days=1)


@pytest.mark.parametrize(
    ("old", "new"),
    [('over = "135", pct = "5"', 'over = "35", pct = "5"'), ("orders_until = 2022-03-31", "orders_until = 2022-04-01"),
     ('rounding = "arrestment_half_down_penny"', 'rounding = "guess"')],
)  # fmt: skip
def test_a_table_that_cannot_be_trusted_is_refused(tmp_path: Path, old: str, new: str) -> None:
    shipped = Path(__file__).parents[2] / "src" / "pay_calc" / "rates" / "attachments.toml"
    bad = tmp_path / "attachments.toml"
    bad.write_text(shipped.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(BadRatesFile):
        load_attachment_tables(bad)
