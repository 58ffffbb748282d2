"""The leave ledger, a week's pay, payment on leaving and the record."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pay_calc.domain.engine import holiday, holiday_ledger
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.holiday_ledger import AverageWeek, HolidayRecord, LeaveEntry, PastWeek
from pay_calc.domain.engine.trace import Node, Trace, recompute
from pay_calc.rates import parameters_for_year

P26 = parameters_for_year("2026-27")
DAY = date(2026, 9, 7)


def check(node: Node) -> int:
    for child in node.children:
        check(child)
    assert recompute(node) == node.result
    return node.result


class TestLedger:
    @pytest.mark.parametrize(("hours", "leave"), [(40, 300), (37, 240), (4, 0), (5, 60), (0, 0)])
    def test_accrual_rounds_to_the_hour_and_the_ledger_does_not(self, hours: int, leave: int) -> None:
        # 40 h x 12.07 % = 4.828 h -> 5; 37 h -> 4.4659 -> 4; 4 h -> 0.4828 -> 0; 5 h -> 0.6035 -> 1
        trace = Trace()
        entry = holiday_ledger.accrue_period(P26, DAY, hours * 60, trace)
        assert (entry.minutes, entry.exact) == (leave, hours * 60 * 1207)
        assert check(trace.root) == entry.minutes == holiday.accrue(P26, hours * 60).leave_minutes

    def test_small_weeks_round_to_nothing_but_the_exact_balance_grows(self) -> None:
        entries = [holiday_ledger.accrue_period(P26, DAY, 240) for _ in range(52)]
        held = holiday_ledger.balance(entries)
        assert (held.left_minutes, held.exact_minutes) == (0, 1506)

    def test_absence_accrues_at_the_average_of_the_weeks_before(self) -> None:
        trace = Trace()
        entry = holiday_ledger.accrue_absence(P26, DAY, 14, [2400] * 26 + [1200] * 26, trace)
        # two weeks of 30 h on average x 12.07 % = 7.242 h
        assert (entry.minutes, entry.exact) == (420, 4345200)
        assert check(trace.root) == 420
        for days, weeks in ((7, []), (7, [2400] * 53), (-1, [2400])):
            with pytest.raises(EngineError) as refused:
                holiday_ledger.accrue_absence(P26, DAY, days, weeks)
            assert refused.value.code == "no_weeks_to_average"

    def test_negative_hours(self) -> None:
        with pytest.raises(EngineError) as refused:
            holiday_ledger.accrue_period(P26, DAY, -1)
        assert refused.value.code == "negative_hours"

    def test_a_correction_of_what_was_earned_is_nothing_taken(self) -> None:
        entries = [LeaveEntry(DAY, "accrued", 300, 2896800), LeaveEntry(DAY, "accrued", -60, -724200)]
        assert holiday_ledger.balance(entries) == holiday_ledger.LeaveBalance(240, 0, 240, 217)

    def test_taking_leave(self) -> None:
        entries = [LeaveEntry(DAY, "accrued", 600, 6000000)]
        taken = holiday_ledger.take(entries, DAY, 480, "request 4")
        assert holiday_ledger.balance([*entries, taken]) == holiday_ledger.LeaveBalance(600, 480, 120, 120)
        with pytest.raises(EngineError) as refused:
            holiday_ledger.take([*entries, taken], DAY, 121, "request 5")
        assert refused.value.code == "leave_exceeds_balance"
        assert holiday_ledger.take([*entries, taken], DAY, 121, "request 5", in_advance=True).minutes == -121
        for minutes in (0, -1):
            with pytest.raises(EngineError):
                holiday_ledger.take(entries, DAY, minutes, "request 6")

    @given(st.lists(st.integers(0, 6000), max_size=60))
    @settings(max_examples=60, deadline=None)
    def test_the_exact_balance_is_that_of_one_long_period(self, periods: list[int]) -> None:
        entries = [holiday_ledger.accrue_period(P26, DAY, minutes) for minutes in periods]
        assert holiday_ledger.balance(entries).exact_minutes == holiday.accrue(P26, sum(periods)).ledger_minutes


def past(*reasons: str, pence: int = 50000) -> list[PastWeek]:
    """Latest first: weeks that end on the Sundays before `DAY`."""
    return [
        PastWeek(DAY - timedelta(days=1 + 7 * i), reason, pence + i, 2400)  # type: ignore[arg-type]
        for i, reason in enumerate(reasons)
    ]


class TestAWeeksPay:
    def test_sick_family_and_unpaid_weeks_are_skipped(self) -> None:
        weeks = past(*["sick", "family", "unpaid"], *["paid"] * 60)
        trace = Trace()
        found = holiday_ledger.average_week(weeks, DAY, trace)
        assert (found.weeks_counted, found.total_minutes) == (52, 52 * 2400)
        assert found.total_pence == sum(50000 + i for i in range(3, 55))
        assert check(trace.root) == found.week_pence == 50029

    def test_no_further_back_than_104_weeks(self) -> None:
        assert holiday_ledger.average_week(past(*["unpaid"] * 103, "paid", "paid"), DAY).weeks_counted == 1
        with pytest.raises(EngineError) as refused:
            holiday_ledger.average_week(past(*["unpaid"] * 104, "paid"), DAY)
        assert refused.value.code == "no_weeks_to_average"

    def test_fewer_than_52_and_a_half_penny_up(self) -> None:
        assert holiday_ledger.average_week(past("paid", "paid"), DAY).week_pence == 50001

    def test_the_week_of_leave_itself_does_not_count_and_none_twice(self) -> None:
        assert holiday_ledger.average_week([PastWeek(DAY, "paid", 1), *past("paid")], DAY).week_pence == 50000
        with pytest.raises(EngineError):
            holiday_ledger.average_week([*past("paid"), *past("paid")], DAY)


class TestOnLeaving:
    AVERAGE = AverageWeek(50000, 2600000, 52 * 2400, 52, DAY, DAY)

    def test_leave_left_is_paid(self) -> None:
        trace = Trace()
        paid = holiday_ledger.payment_on_leaving(480, self.AVERAGE, trace=trace)
        assert (paid.pence, check(trace.root)) == (10000, 10000)

    def test_leave_taken_too_much(self) -> None:
        assert holiday_ledger.payment_on_leaving(-480, self.AVERAGE).pence == 0
        assert holiday_ledger.payment_on_leaving(-480, self.AVERAGE, "clause 9").pence == -10000

    def test_weeks_without_hours(self) -> None:
        with pytest.raises(EngineError):
            holiday_ledger.pay_for_leave(AverageWeek(1, 1, 0, 1, DAY, DAY), 60)


def test_the_record_says_what_it_lacks() -> None:
    empty = HolidayRecord("W-1", date(2026, 4, 1), date(2026, 4, 6))
    assert empty.keep_until == date(2032, 4, 6)
    assert "paid_pence" in empty.missing()
    assert "carry_reason" not in empty.missing()
    whole: dict[str, Any] = {
        "entitlement_basis": "irregular_hours", "entitlement_minutes": 600, "accrued_minutes": 600, "taken_minutes": 0,
        "carried_in_minutes": 60, "carried_out_minutes": 0, "pay_method": "rolled_up", "paid_pence": 6136,
        "pay_calculation_refs": ("payslip 1",), "in_lieu_pence": 0,
    }  # fmt: skip
    assert HolidayRecord("W-1", DAY, DAY, **whole).missing() == ("carry_reason",)
    assert HolidayRecord("W-1", DAY, DAY, carry_reason="sickness", **whole).missing() == ()
