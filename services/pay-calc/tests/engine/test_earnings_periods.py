"""Late timesheets, pay in advance, a change of interval, several jobs."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pay_calc.domain.engine import earnings_periods as periods
from pay_calc.domain.engine import nic
from pay_calc.domain.engine.earnings_periods import JobEarnings
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.tax_code import parse_tax_code
from pay_calc.domain.engine.trace import Node, Trace, recompute
from pay_calc.rates import parameters_for_year

P26 = parameters_for_year("2026-27")


def check(node: Node) -> int:
    for child in node.children:
        check(child)
    assert recompute(node) == node.result
    return node.result


class TestLateTimesheet:
    def test_refused_until_set(self) -> None:
        with pytest.raises(EngineError) as refused:
            periods.late_timesheet(None, date(2026, 6, 5), date(2026, 6, 12))
        assert (refused.value.code, refused.value.field) == ("setting_missing", "late_timesheet")

    @pytest.mark.parametrize(
        ("setting", "usual", "payday", "belongs", "separately"),
        [
            ("usual_payday", date(2026, 6, 5), date(2026, 6, 12), date(2026, 6, 5), True),
            ("this_payday", date(2026, 6, 5), date(2026, 6, 12), date(2026, 6, 12), False),
            ("usual_payday", date(2026, 6, 12), date(2026, 6, 12), date(2026, 6, 12), False),
            ("usual_payday", date(2026, 4, 3), date(2026, 4, 10), date(2026, 4, 10), True),
        ],
    )
    def test_where_it_belongs(self, setting: Any, usual: date, payday: date, belongs: date, separately: bool) -> None:
        found = periods.late_timesheet(setting, usual, payday)
        assert (found.belongs_to_on, found.separately, found.rates_of) == (belongs, separately, "2026-27")


class TestChristmas:
    def advance(self, code: str = "1257L", **more: Any) -> periods.AdvancePay:
        trace = Trace()
        given_: dict[str, Any] = {
            "weekly_pays_pence": [60000, 60000], "first_week": 38, "ni_letter": "A", "method": "A",
            "pay_before_pence": 37 * 60000, "tax_before_pence": 264980,
        }  # fmt: skip
        found = periods.weekly_advance(P26, tax_code=parse_tax_code(code), trace=trace, **(given_ | more))
        taken = found.tax_pence + found.employee_nic_pence + found.student_loan_pence + found.postgrad_loan_pence
        assert check(trace.root) == taken
        return found

    def test_cumulative_tax_is_worked_at_the_last_week(self) -> None:
        # week 39: 23,400.00 - 39 x 241.92 = 13,965.12 -> 13,965 x 20 % = 2,793.00 less 2,649.80
        found = self.advance()
        assert (found.tax_period, found.periods_covered, found.tax_pence) == (39, 2, 14320)

    def test_a_week_1_code_is_split_by_week(self) -> None:
        assert self.advance("1257L W1").tax_pence == 2 * 7160

    def test_method_a_and_method_b(self) -> None:
        # A: 2 x (600 - 242) x 8 % = 57.28; unequal weeks differ from B, where one week is below the threshold
        assert self.advance().employee_nic_pence == 5728
        uneven: dict[str, Any] = {"weekly_pays_pence": [100000, 20000], "student_loan_plan": "2", "postgrad_loan": True}
        a, b = self.advance(**uneven), self.advance(**uneven, method="B")
        assert (a.employee_nic_pence, a.student_loan_pence, a.postgrad_loan_pence) == (5800 + 66, 3900, 3500)
        # B: (1,200 - 484) x 8 %; (1,200 - 1,130.19) x 9 %; (1,200 - 807.69) x 6 %
        assert (b.employee_nic_pence, b.student_loan_pence, b.postgrad_loan_pence) == (5728, 600, 2300)
        assert self.advance(weekly_pays_pence=[60000] * 3, method="B").employee_nic_pence == 8592

    @pytest.mark.parametrize(
        ("change", "code"),
        [({"method": None}, "setting_missing"), ({"first_week": 52}, "tax_period_out_of_range"),
         ({"weekly_pays_pence": [1]}, "weeks_out_of_range"), ({"weekly_pays_pence": [1, -1]}, "negative_pay"),
         ({"first_week": 0}, "tax_period_out_of_range"), ({"ni_letter": "?"}, "unknown_ni_letter")],
    )  # fmt: skip
    def test_refusals(self, change: dict[str, Any], code: str) -> None:
        with pytest.raises(EngineError) as refused:
            self.advance(**change)
        assert refused.value.code == code


class TestChangeOfInterval:
    def test_to_a_shorter_one(self) -> None:
        trace = Trace()
        found = periods.nic_on_interval_change(P26, "monthly", "weekly", "A", 78550, trace=trace)
        assert (found.employee_pence, found.employer_pence) == (4348, 10342)
        assert check(trace.root) == 4348

    def test_to_a_longer_one_what_was_paid_inside_it_counts(self) -> None:
        # two weeks of 785.50 charged, then a month's pay of 3,843.00: 5,414.00 in the month, 275.78 less 86.96
        trace = Trace()
        charged = [(78550, 4348, 10342)] * 2
        found = periods.nic_on_interval_change(P26, "weekly", "monthly", "A", 384300, charged, trace)
        assert (found.employee_pence, found.employer_pence) == (27578 - 8696, 74955 - 20684)
        assert check(trace.root) == found.employee_pence

    def test_unchanged(self) -> None:
        with pytest.raises(EngineError):
            periods.nic_on_interval_change(P26, "weekly", "weekly", "A", 1)

    def test_after_leaving(self) -> None:
        assert periods.after_leaving_period(False, 3) == ("weekly", 1)
        assert periods.after_leaving_period(True, 2) == ("weekly", 2)
        with pytest.raises(EngineError):
            periods.after_leaving_period(True, 0)


class TestSeveralJobs:
    def job(self, ref: str, employer: str, pence: int, frequency: Any = "weekly", letter: str = "A") -> JobEarnings:
        return JobEarnings(ref, employer, frequency, letter, pence)

    def test_two_placements_are_one_calculation(self) -> None:
        trace = Trace()
        (found,) = periods.aggregate(P26, [self.job("1", "E", 50000), self.job("2", "E", 28550)], trace=trace)
        assert (found.niable_pence, found.employee_pence, found.employer_pence) == (78550, 4348, 10342)
        assert (sum(found.employee_shares), sum(found.employer_shares)) == (4348, 10342)
        assert check(trace.root) == 4348

    def test_connected_employers_unless_not_practicable(self) -> None:
        jobs = [self.job("1", "E", 50000), self.job("2", "F", 50000), self.job("3", "G", 50000)]
        connected = [frozenset({"E", "F"})]
        added, alone = periods.aggregate(P26, jobs, connected)
        # 1,000.00 a week: 58.00 + 0.66; apart 2 x 20.64
        assert (added.employee_pence, alone.employee_pence) == (5866, 2064)
        apart = periods.aggregate(P26, jobs, connected, not_practicable=True)
        assert [each.employee_pence for each in apart] == [2064] * 3

    def test_connected_sets_that_share_an_employer_are_one(self) -> None:
        jobs = [
            self.job("1", "E", 50000),
            self.job("2", "G", 30000),
            self.job("3", "F", 20000),
            self.job("4", "H", 50000),
        ]
        connected = [frozenset({"F", "G"}), frozenset({"E", "F"}), frozenset({"H", "I"})]
        added, alone = periods.aggregate(P26, jobs, connected)
        assert (added.niable_pence, added.employee_pence, alone.employee_pence) == (100000, 5866, 2064)

    def test_the_shortest_period(self) -> None:
        (found,) = periods.aggregate(P26, [self.job("1", "E", 50000, "monthly"), self.job("2", "E", 1000)])
        assert found.frequency == "weekly"

    def test_refusals(self) -> None:
        for jobs, code in (
            ([self.job("1", "E", 1), self.job("2", "E", 1, letter="M")], "letters_differ"),
            ([self.job("1", "E", -1)], "negative_pay"),
        ):
            with pytest.raises(EngineError) as refused:
                periods.aggregate(P26, jobs)
            assert refused.value.code == code

    @given(st.lists(st.integers(0, 300000), min_size=1, max_size=6))
    @settings(max_examples=80, deadline=None)
    def test_splitting_pay_over_jobs_changes_nothing(self, pays: list[int]) -> None:
        (found,) = periods.aggregate(P26, [self.job(str(i), "E", pay) for i, pay in enumerate(pays)])
        whole = nic.class_1(P26, "weekly", "A", sum(pays))
        assert (sum(found.employee_shares), sum(found.employer_shares)) == (whole.employee_pence, whole.employer_pence)
        assert min(found.employee_shares) >= 0
