"""Advances, overpayments and agreed deductions, with the minimum wage after them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pay_calc.domain.engine import deductions
from pay_calc.domain.engine.deductions import Recoverable
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.payslip import PayLineInput, PayslipInput, calculate_payslip
from pay_calc.domain.engine.trace import Trace, recompute
from pay_calc.rates import minimum_wage_book, parameters_for_year

P26 = parameters_for_year("2026-27")
PAYDAY = date(2026, 6, 12)
RATE = Decimal("13.00")
SLIP = PayslipInput(
    P26, "weekly", PAYDAY, "1257L W1", "A",
    (PayLineInput("P-1", "basic", 2400, None, "hour", RATE, RATE, 52000, True),),
    birth_on=date(1990, 1, 1), period_from=date(2026, 6, 1), minimum_wage=minimum_wage_book(),
)  # fmt: skip


def item(kind: Any, left: int, instalment: int = 10**6, **more: Any) -> Recoverable:
    agreed: dict[str, Any] = (
        {"consent_ref": "form 3", "consent_on": date(2026, 5, 1)} if kind.startswith("agreed") else {}
    )
    return Recoverable(f"{kind}-{left}", kind, left, instalment, date(2026, 5, 10), **(agreed | more))


def test_order_and_limits() -> None:
    wanted = [
        item("agreed", 5000),
        item("overpayment", 30000, 10000),
        item("advance", 20000),
        item("agreed_for_others", 400),
    ]
    trace = Trace()
    taken = deductions.recover(wanted, PAYDAY, 34000, 1160, trace)
    assert [(each.kind, each.taken_pence, each.outstanding_pence, each.limited_by) for each in taken] == [
        ("advance", 20000, 0, ""), ("overpayment", 10000, 20000, ""), ("agreed", 1160, 3840, "minimum_wage"),
        ("agreed_for_others", 400, 0, ""),
    ]  # fmt: skip
    assert [recompute(node) for node in trace.nodes] == [each.taken_pence for each in taken]
    assert deductions.recover([item("advance", 20000)], PAYDAY, 5000, None)[0].limited_by == "net_pay"
    assert deductions.recover([item("advance", 20000)], PAYDAY, -1, None)[0].taken_pence == 0


def test_two_deductions_for_the_employer_share_the_room_above_the_minimum_wage() -> None:
    taken = deductions.recover([item("agreed", 900), item("agreed", 800)], PAYDAY, 34000, 1160)
    assert sorted(each.taken_pence for each in taken) in ([260, 900], [360, 800])
    assert sum(each.taken_pence for each in taken) == 1160


@pytest.mark.parametrize(
    ("each", "code"),
    [
        (item("agreed", 100, consent_ref=""), "consent_missing"),
        (item("agreed", 100, consent_on=date(2026, 5, 11)), "consent_missing"),
        (item("agreed_for_others", 100, consent_on=None), "consent_missing"),
        (item("agreed", 100), "minimum_wage_not_tested"),
        (item("advance", -1), "negative_amount"),
    ],
)
def test_refusals(each: Recoverable, code: str) -> None:
    with pytest.raises(EngineError) as refused:
        deductions.recover([each], PAYDAY, 10000, None)
    assert refused.value.code == code


class TestOnThePayslip:
    def test_a_deduction_for_the_employer_stops_at_the_minimum_wage(self) -> None:
        # 40 h x (13.00 - 12.71) = 11.60 of room
        trace = Trace()
        slip, taken = deductions.payslip_with_recovery(SLIP, [item("agreed", 5000)], trace)
        assert (taken[0].taken_pence, slip.nmw.status, trace.root.result) == (1160, "pass", slip.net_pence)
        over = calculate_payslip(
            replace(SLIP, deductions=deductions.net_deductions([replace(taken[0], taken_pence=1161)]))
        )
        assert (over.nmw.status, over.nmw.shortfall_pence) == ("fail", 1)

    def test_an_advance_does_not_lower_pay_for_the_minimum_wage(self) -> None:
        before = calculate_payslip(SLIP)
        slip, taken = deductions.payslip_with_recovery(SLIP, [item("advance", 100000)])
        assert (slip.net_pence, slip.nmw.status, taken[0].taken_pence) == (0, "pass", before.net_pence)

    def test_pay_without_hours_has_all_of_itself_as_headroom(self) -> None:
        bonus = replace(
            SLIP, pay_lines=(replace(SLIP.pay_lines[0], minutes=0, amount_pence=30000, amount_is_final=True),)
        )
        slip, taken = deductions.payslip_with_recovery(bonus, [item("agreed", 50000)])
        assert (taken[0].taken_pence, taken[0].limited_by, slip.net_pence) == (
            slip.other_deductions_pence,
            "net_pay",
            0,
        )

    def test_headroom(self) -> None:
        assert deductions.minimum_wage_headroom(SLIP, calculate_payslip(SLIP).nmw) == 1160
        unknown = replace(SLIP, period_from=None)
        assert deductions.minimum_wage_headroom(unknown, calculate_payslip(unknown).nmw) is None

    @given(st.integers(0, 80000), st.integers(0, 80000), st.integers(0, 5000))
    @settings(max_examples=60, deadline=None)
    def test_net_pay_never_goes_below_zero_nor_pay_below_the_minimum_wage(
        self, advance: int, mistake: int, uniform: int
    ) -> None:
        slip, taken = deductions.payslip_with_recovery(
            SLIP, [item("advance", advance), item("overpayment", mistake), item("agreed", uniform)]
        )
        assert slip.net_pence >= 0
        assert slip.nmw.status == "pass"
        assert sum(each.taken_pence for each in taken) == slip.other_deductions_pence


class TestOverpayment:
    RIGHT = replace(SLIP, pay_lines=(replace(SLIP.pay_lines[0], minutes=2100),))

    def test_within_the_year_and_after_it(self) -> None:
        paid, right = calculate_payslip(SLIP), calculate_payslip(self.RIGHT)
        found = deductions.overpayment(paid, right, "2026-27")
        assert (found.gross_pence, found.way) == (6500, "through_gross")
        assert found.net_pence == paid.net_pence - right.net_pence == 4680
        assert deductions.overpayment(paid, right, "2027-28").way == "net_and_earlier_year"

    def test_refusals(self) -> None:
        paid, right = calculate_payslip(SLIP), calculate_payslip(self.RIGHT)
        other_week = calculate_payslip(replace(self.RIGHT, payday_on=date(2026, 6, 19)))
        for pair, code in (((right, paid), "nothing_overpaid"), ((paid, other_week), "periods_differ")):
            with pytest.raises(EngineError) as refused:
                deductions.overpayment(*pair, "2026-27")
            assert refused.value.code == code
