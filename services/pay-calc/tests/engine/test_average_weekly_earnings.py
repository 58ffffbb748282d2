"""Average weekly earnings from pay history, the tests of family pay, and sick pay across 6 April 2026."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pay_calc.domain.engine import family_pay, ssp
from pay_calc.domain.engine.average_weekly_earnings import (
    AverageEarnings,
    PaidEarnings,
    average,
    family_tests,
    family_week_ends_on,
    ssp_transition,
)
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.ssp import SicknessSpell
from pay_calc.domain.engine.trace import Trace, recompute
from pay_calc.rates import parameters_for_year

P25, P26 = parameters_for_year("2025-26"), parameters_for_year("2026-27")
LONG_AGO = date(2024, 1, 1)


def weekly(*pence: int, last: date = date(2026, 9, 4), step: int = 7) -> list[PaidEarnings]:
    return [PaidEarnings(last - timedelta(days=step * i), each) for i, each in enumerate(reversed(pence))][::-1]


def worked(
    payments: list[PaidEarnings], interval: Any, up_to: date, employed: date = LONG_AGO, **more: Any
) -> AverageEarnings:
    trace = Trace()
    found = average(payments, interval, up_to, employed, trace=trace, **more)
    assert recompute(trace.root) == found.shown_pence
    return found


class TestRelevantPeriod:
    def test_eight_weeks_that_end_with_the_last_payday_before(self) -> None:
        # ten Fridays to 4 September; sick from Monday 7 September: the eight to the 4th, after the payday of 10 July
        found = worked(weekly(1, 1, *[60000] * 7, 60004), "weekly", date(2026, 9, 6))
        assert (found.pence, found.divisor, found.after_on, found.to_on) == (
            480004, 8, date(2026, 7, 10), date(2026, 9, 4),
        )  # fmt: skip
        assert found.shown_pence == 60000

    def test_sick_on_the_payday_itself_ends_a_week_earlier(self) -> None:
        found = worked(weekly(*[50000] * 9, 90000), "weekly", date(2026, 9, 3))
        assert (found.to_on, found.shown_pence) == (date(2026, 8, 28), 50000)

    def test_an_unpaid_week_counts_in_the_divisor(self) -> None:
        assert worked(weekly(1, *[40000] * 6, 0, 0), "weekly", date(2026, 9, 6)).shown_pence == 30000

    def test_fortnightly_and_four_weekly(self) -> None:
        found = worked(weekly(9, *[120000] * 4, step=14), "fortnightly", date(2026, 9, 6))
        assert (found.divisor, found.shown_pence) == (8, 60000)
        found = worked(weekly(9, 240000, 240000, step=28), "four_weekly", date(2026, 9, 6))
        assert (found.divisor, found.shown_pence) == (8, 60000)

    def test_monthly_pay_is_scaled_by_twelve_fifty_seconds(self) -> None:
        paid = [PaidEarnings(date(2026, month, 28), 200000) for month in (5, 6, 7, 8)]
        found = worked(paid, "monthly", date(2026, 9, 6))
        assert (found.after_on, found.pence, found.divisor) == (date(2026, 6, 28), 4800000, 104)
        assert found.shown_pence == 46153

    def test_irregular_pay_goes_by_days(self) -> None:
        paid = [
            PaidEarnings(date(2026, 6, 30), 5),
            PaidEarnings(date(2026, 8, 1), 30000),
            PaidEarnings(date(2026, 9, 1), 33000),
        ]
        found = worked(paid, "irregular", date(2026, 9, 6))
        assert (found.pence, found.divisor, found.shown_pence) == (63000 * 7, 63, 7000)

    def test_a_shifted_payday_makes_days_of_it(self) -> None:
        paid = [PaidEarnings(date(2026, 7, 9), 1), *weekly(*[40000] * 8)]
        assert worked(paid, "weekly", date(2026, 9, 6)).divisor == 57


class TestStarters:
    def test_over_the_paid_weeks(self) -> None:
        found = worked(weekly(30000, 45000, 60000), "weekly", date(2026, 9, 6), date(2026, 8, 17))
        assert (found.divisor, found.shown_pence) == (3, 45000)

    def test_monthly_starter_by_days(self) -> None:
        found = worked([PaidEarnings(date(2026, 8, 28), 60000)], "monthly", date(2026, 9, 6), date(2026, 8, 8))
        assert (found.divisor, found.shown_pence) == (21, 20000)

    def test_nothing_paid_yet(self) -> None:
        assert worked([], "weekly", date(2026, 9, 6), contractual_week_pence=48000).shown_pence == 48000
        with pytest.raises(EngineError) as refused:
            average([], "weekly", date(2026, 9, 6), LONG_AGO)
        assert refused.value.code == "no_earnings_to_average"


@pytest.mark.parametrize(
    ("paid", "code"),
    [(list(reversed(weekly(1, 2))), "payments_out_of_order"), (weekly(1, -2), "negative_amount")],
)
def test_refusals(paid: list[PaidEarnings], code: str) -> None:
    with pytest.raises(EngineError) as refused:
        average(paid, "weekly", date(2026, 9, 6), LONG_AGO)
    assert refused.value.code == code


@given(st.lists(st.integers(0, 200000), min_size=9, max_size=20))
@settings(max_examples=100, deadline=None)
def test_the_shown_average_decides_a_limit_as_the_exact_one_does(pays: list[int]) -> None:
    found = worked(weekly(*pays), "weekly", date(2026, 9, 6))
    for limit in (12500, 12900):
        assert (found.shown_pence >= limit) == (found.pence >= limit * found.divisor)


class TestExactAverages:
    def test_sick_pay_takes_the_exact_average(self) -> None:
        # 1,400.03 over 8 weeks x 80 % = 140.003 a week; 7 of 7 days go up to 140.01, which is above the flat rate of no one here
        assert ssp.payable(P26, 140003 - 20000, 7, 7, average_divisor=8) == -(-(120003 * 8000) // (8 * 10000))
        assert ssp.payable(P26, 60000 * 8, 5, 3, average_divisor=8) == ssp.payable(P26, 60000, 5, 3) == 7395
        trace = Trace()
        assert ssp.payable(P26, 100001, 5, 4, trace=trace, average_divisor=8) == recompute(trace.root)

    def test_family_pay_takes_the_exact_average(self) -> None:
        # 2 monthly pays of 2,000.00 -> 461.538..; 90 % = 415.3846 -> 415.39; from the shown 461.53 it would be 415.38
        trace = Trace()
        assert family_pay.weekly_pay(P26, "SMP", 1, 4800000, "decision 17", trace, average_divisor=104) == 41539
        assert recompute(trace.root) == 41539
        assert family_pay.weekly_pay(P26, "SMP", 1, 46153, "decision 17") == 41538


class TestFamilyTests:
    def test_maternity(self) -> None:
        saturday = family_week_ends_on("SMP", date(2026, 10, 14))
        assert saturday == date(2026, 7, 4)
        paid = weekly(1, *[13000] * 8, last=date(2026, 7, 3))
        tests = family_tests(P26, saturday, date(2026, 1, 10), worked(paid, "weekly", saturday))
        assert (tests.employed_by, tests.continuous_employment, tests.earnings) == (date(2026, 1, 10), True, True)
        late = family_tests(
            P26, saturday, date(2026, 1, 11), worked(weekly(1, *[12899] * 8), "weekly", date(2026, 9, 4))
        )
        assert (late.continuous_employment, late.earnings) == (False, False)

    @pytest.mark.parametrize(
        ("expected_birth", "start_by"),
        [(date(2025, 4, 6), date(2024, 7, 6)), (date(2025, 4, 12), date(2024, 7, 6)), (date(2025, 5, 4), date(2024, 8, 3)),
         (date(2025, 6, 15), date(2024, 9, 14))],
    )  # fmt: skip
    def test_the_published_table_of_dates(self, expected_birth: date, start_by: date) -> None:
        assert family_pay.smp_tests(P25, start_by, expected_birth, 12500).employed_by == start_by

    @pytest.mark.parametrize(
        ("kind", "adoption", "event", "saturday"),
        [("SAP", False, date(2026, 10, 14), date(2026, 10, 17)), ("SPP", True, date(2026, 10, 14), date(2026, 10, 17)),
         ("SPP", False, date(2026, 10, 14), date(2026, 7, 4)), ("ShPP", False, date(2026, 10, 14), date(2026, 7, 4)),
         ("SPBP", False, date(2026, 10, 14), date(2026, 10, 10))],
    )  # fmt: skip
    def test_relevant_weeks(self, kind: Any, adoption: bool, event: date, saturday: date) -> None:
        assert family_week_ends_on(kind, event, adoption=adoption) == saturday

    def test_refusals(self) -> None:
        with pytest.raises(EngineError) as refused:
            family_week_ends_on("SNCP", date(2026, 10, 14))
        assert refused.value.code == "relevant_week_not_settled"
        with pytest.raises(EngineError) as refused:
            family_tests(P25, date(2026, 7, 4), LONG_AGO, AverageEarnings(13000, 1, None, None, ""))
        assert refused.value.code == "relevant_week_outside_tax_year"


class TestSickPayAcrossTheChange:
    OVER = SicknessSpell(date(2026, 3, 23), date(2026, 4, 20))
    WAITING = SicknessSpell(date(2026, 4, 3), date(2026, 4, 20))
    EARLIER, LATER = (
        SicknessSpell(date(2026, 3, 2), date(2026, 3, 13)),
        SicknessSpell(date(2026, 4, 20), date(2026, 4, 24)),
    )

    @pytest.mark.parametrize(
        ("spells", "paid", "flat"),
        [((OVER,), True, True), ((WAITING,), False, False), ((EARLIER, OVER), True, True), ((EARLIER, LATER), True, False),
         ((LATER,), False, False)],
    )  # fmt: skip
    def test_which_rate(self, spells: tuple[SicknessSpell, ...], paid: bool, flat: bool) -> None:
        found = ssp_transition(P25, P26, spells, AverageEarnings(14000, 1, None, None, ""), paid)
        assert found.flat_rate is flat
        week = ssp.payable(P26, 14000, 5, 5, transitional_flat_rate=found.flat_rate)
        assert week == (12325 if flat else 11200)

    def test_a_linked_spell_keeps_the_first_average(self) -> None:
        average_of = AverageEarnings(14000, 1, None, None, "")
        assert ssp_transition(P25, P26, (self.EARLIER, self.LATER), average_of, True).average_of_first_spell
        assert not ssp_transition(P25, P26, (self.LATER,), average_of, False).average_of_first_spell

    def test_waiting_days_at_the_change_are_not_served_again(self) -> None:
        # Friday 3 April is a waiting day; from Monday 6 April every qualifying day is payable
        days = ssp.days_of([self.WAITING], frozenset(range(5)), [P25, P26])
        assert [(day.on.isoformat()[5:], day.treatment) for day in days[:3]] == [
            ("04-03", "waiting"), ("04-06", "payable"), ("04-07", "payable"),
        ]  # fmt: skip

    @pytest.mark.parametrize("spells", [(OVER,), (EARLIER, LATER)])
    def test_those_once_below_the_limit_are_refused(self, spells: tuple[SicknessSpell, ...]) -> None:
        with pytest.raises(EngineError) as refused:
            ssp_transition(P25, P26, spells, AverageEarnings(12499, 1, None, None, ""), False)
        assert refused.value.code == "ssp_transition_unsettled"
        assert ssp_transition(P25, P26, spells, AverageEarnings(12500, 1, None, None, ""), True).average_of_first_spell
        assert not ssp_transition(P25, P26, (self.LATER,), AverageEarnings(12499, 1, None, None, ""), False).flat_rate

    def test_a_chain_of_linked_spells_ends_after_three_years(self) -> None:
        # four days every fifty; the years after 2026-27 are made up from it
        spells = [
            SicknessSpell(date(2025, 4, 7) + timedelta(days=50 * i), date(2025, 4, 10) + timedelta(days=50 * i))
            for i in range(23)
        ]
        years = [P25, P26, *(replace(P26, starts_on=date(y, 4, 6), ends_on=date(y + 1, 4, 5)) for y in (2027, 2028))]
        days = ssp.days_of(spells, frozenset(range(7)), years)
        assert {day.treatment for day in days if day.on < date(2028, 4, 7)} == {"waiting", "payable"}
        assert {day.treatment for day in days if day.on >= date(2028, 4, 7)} == {"exhausted"}

    def test_no_spells(self) -> None:
        with pytest.raises(EngineError):
            ssp_transition(P25, P26, (), AverageEarnings(1, 1, None, None, ""), False)
