"""The twelve-week clock: each scenario of the reference's table; and equal pay."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pay_calc.domain.engine.awr import AwrWeek, compare_pay, run_clock, weeks_of
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.trace import Trace, recompute

WORK, OTHER, TICK = AwrWeek("work"), AwrWeek("other"), AwrWeek("tick")
SICK, JURY, LEAVE = AwrWeek("excused", "sickness"), AwrWeek("excused", "jury"), AwrWeek("excused", "leave")


class TestTable:
    def test_six_other_weeks_pause(self) -> None:
        assert run_clock([WORK] * 5 + [OTHER] * 6 + [WORK]).weeks_counted == 6

    def test_seven_other_weeks_reset(self) -> None:
        clock = run_clock([WORK] * 5 + [OTHER] * 7 + [WORK])
        assert (clock.weeks_counted, clock.resets) == (1, (12,))

    def test_twenty_weeks_of_sickness_pause(self) -> None:
        assert run_clock([WORK] * 8 + [SICK] * 20 + [WORK]).weeks_counted == 9

    def test_thirty_weeks_of_sickness_reset(self) -> None:
        assert run_clock([WORK] * 8 + [SICK] * 30 + [WORK]).weeks_counted == 1
        assert run_clock([WORK] * 8 + [SICK] * 28 + [WORK]).weeks_counted == 9
        assert run_clock([WORK] * 8 + [SICK] * 29 + [WORK]).weeks_counted == 1

    def test_a_mixed_break_strict_and_lenient(self) -> None:
        weeks = [WORK] * 4 + [OTHER] * 3 + [SICK] * 5 + [WORK]
        assert run_clock(weeks).weeks_counted == 1
        assert run_clock(weeks, lenient_breaks=True).weeks_counted == 5
        assert run_clock([WORK] * 4 + [OTHER] * 7 + [SICK] + [WORK], lenient_breaks=True).weeks_counted == 1

    def test_maternity_counts_while_the_assignment_would_have_run(self) -> None:
        clock = run_clock([WORK] * 9 + [TICK] * 10)
        assert (clock.weeks_counted, clock.qualified_at) == (19, 12)
        assert not run_clock([WORK] * 9 + [TICK] * 2).qualified
        assert run_clock([WORK] * 9 + [TICK] * 3).qualified

    def test_another_agency_at_the_same_hirer_in_the_same_role_goes_on(self) -> None:
        # the key is worker, hirer and role: the agency is not in it
        assert run_clock([WORK] * 11 + [WORK]).qualified

    def test_a_new_role_resets_only_when_told_in_writing(self) -> None:
        told = run_clock([WORK] * 12 + [AwrWeek("work", new_role_in_writing=True)])
        assert (told.weeks_counted, told.qualified_at, told.resets) == (1, None, (12,))
        assert run_clock([WORK] * 12 + [WORK]).weeks_counted == 13


class TestClock:
    def test_rights_start_with_the_thirteenth_week_and_end_with_a_reset(self) -> None:
        assert run_clock([WORK] * 12).qualified_at == 12
        assert run_clock([WORK] * 11).qualified_at is None
        assert not run_clock([WORK] * 20 + [OTHER] * 7).qualified
        assert run_clock([WORK] * 20 + [OTHER] * 6).paused

    def test_mixed_excuses_stay_excused(self) -> None:
        assert run_clock([WORK] * 4 + [SICK] * 20 + [LEAVE] * 2 + [JURY] * 20 + [WORK]).weeks_counted == 5
        assert run_clock([WORK] * 4 + [LEAVE] * 40 + [WORK]).weeks_counted == 5

    def test_maternity_past_the_assignment_is_excused_leave(self) -> None:
        past = AwrWeek("tick", assignment_would_run=False)
        assert run_clock([WORK] * 9 + [past] * 30 + [WORK]).weeks_counted == 10

    def test_a_pattern_that_prevents_completion_is_a_recorded_decision(self) -> None:
        weeks = [WORK] * 10 + [OTHER] * 7 + [WORK] * 3
        assert not run_clock(weeks).qualified
        decided = run_clock(weeks, completed_from=18)
        assert (decided.qualified, decided.qualified_at) == (True, 18)
        assert run_clock([*weeks, *[OTHER] * 7], completed_from=18).qualified_at is None
        assert run_clock([WORK] * 14, completed_from=13) == run_clock([WORK] * 14)

    def test_an_excused_week_says_why(self) -> None:
        with pytest.raises(EngineError) as refused:
            run_clock([WORK, AwrWeek("excused")])
        assert (refused.value.code, refused.value.field) == ("excuse_missing", "weeks[1]")

    @given(st.lists(st.sampled_from([WORK, OTHER, SICK, JURY, LEAVE, TICK]), max_size=60))
    @settings(max_examples=150, deadline=None)
    def test_laws(self, weeks: list[AwrWeek]) -> None:
        strict, lenient = run_clock(weeks), run_clock(weeks, lenient_breaks=True)
        assert strict.weeks_counted <= lenient.weeks_counted <= sum(week.kind in ("work", "tick") for week in weeks)
        assert run_clock([*weeks, WORK]).weeks_counted in (strict.weeks_counted + 1, 1)
        assert (strict.qualified_at is not None) >= strict.qualified


def test_weeks_are_classified_from_the_first_day_of_the_assignment() -> None:
    start = date(2026, 6, 3)  # a Wednesday: weeks run Wednesday to Tuesday
    weeks = weeks_of(
        start,
        [start, date(2026, 6, 9), date(2026, 7, 8)],
        [(date(2026, 6, 12), date(2026, 6, 18), "sickness"), (date(2026, 6, 24), date(2026, 7, 7), "tick")],
        date(2026, 7, 14),
        assignment_ends_on=date(2026, 6, 30),
    )
    assert weeks == (WORK, SICK, SICK, TICK, AwrWeek("tick", assignment_would_run=False), WORK)
    assert weeks_of(start, [start], [], start + timedelta(days=7)) == (WORK, OTHER)


class TestEqualPay:
    def test_elements(self) -> None:
        trace = Trace()
        lines = compare_pay(
            {"basic": Decimal("12.71"), "overtime": Decimal("20.00"), "night": Decimal("15.00")},
            {"basic": Decimal("13.5050"), "overtime": Decimal("19.50"), "voucher": Decimal("0.1000")},
            {"basic": 2310, "overtime": 120, "night": 60, "voucher": 2310},
            trace,
        )
        found = {line.element: (line.verdict, line.shortfall_pence) for line in lines}
        # 38.5 h x 0.795 = 30.6075 -> 30.61; the voucher is not paid at all: 38.5 x 0.10
        assert found == {
            "basic": ("fail", 3061),
            "overtime": ("pass", 0),
            "night": ("unknown", None),
            "voucher": ("fail", 385),
        }
        assert recompute(trace.root) == trace.root.result == 3446
        for child in trace.root.children:
            assert recompute(child) == child.result

    def test_a_pound_short_for_a_thousand_hours(self) -> None:
        (line,) = compare_pay({"basic": Decimal(12)}, {"basic": Decimal(13)}, {"basic": 60000})
        assert line.shortfall_pence == 100000

    @pytest.mark.parametrize("rate", ["12.71001", "NaN", "1e20"])
    def test_a_rate_that_is_none(self, rate: str) -> None:
        with pytest.raises(EngineError):
            compare_pay({"basic": Decimal(rate)}, {"basic": Decimal(1)}, {})
