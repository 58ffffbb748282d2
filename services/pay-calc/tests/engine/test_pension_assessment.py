"""The life of a pension membership, each rule with its dates."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from pay_calc.domain.engine import pension_assessment as life
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.pension_assessment import PeriodContribution, Standing
from pay_calc.domain.engine.trace import Trace, recompute
from pay_calc.rates import parameters_for_year

P26 = parameters_for_year("2026-27")
STANDING = Standing(date(2026, 1, 5))


class refused:
    def __init__(self, code: str) -> None:
        self.code, self.inner = code, pytest.raises(EngineError)

    def __enter__(self) -> None:
        self.info = self.inner.__enter__()

    def __exit__(self, *exc: Any) -> bool:
        result = bool(self.inner.__exit__(*exc))
        assert self.info.value.code == self.code
        return result


def decide(pay: int, born: date = date(1990, 1, 1), **standing: Any) -> life.PensionDecision:
    return life.decide(
        P26, "weekly", birth_on=born, period_from=date(2026, 6, 1), period_to=date(2026, 6, 7), payday_on=date(2026, 6, 12),
        pay_pence=pay, standing=replace(STANDING, **standing),
    )  # fmt: skip


class TestPostponement:
    def test_three_months_and_not_a_day_more(self) -> None:
        assert life.postpone(date(2026, 7, 1), date(2026, 9, 30), date(2026, 7, 10)).ends_on == date(2026, 9, 30)
        with refused("postponement_too_long"):
            life.postpone(date(2026, 7, 1), date(2026, 10, 1), date(2026, 7, 10))
        with refused("postponement_too_long"):
            life.postpone(date(2026, 7, 1), date(2026, 6, 30), date(2026, 7, 10))

    def test_notice_within_six_weeks_from_the_day_after(self) -> None:
        assert life.postpone(date(2026, 7, 1), date(2026, 9, 1), date(2026, 8, 12))
        with refused("postponement_notice_late"):
            life.postpone(date(2026, 7, 1), date(2026, 9, 1), date(2026, 8, 13))

    def test_a_month_end(self) -> None:
        assert life.postpone(date(2026, 11, 30), date(2027, 2, 27), date(2026, 12, 1))
        with refused("postponement_too_long"):
            life.postpone(date(2026, 11, 30), date(2027, 2, 28), date(2026, 12, 1))


class TestEachPeriod:
    @pytest.mark.parametrize(
        ("pay", "born", "action", "active"),
        [
            (19201, date(1990, 1, 1), "enrol", date(2026, 6, 1)),
            (19200, date(1990, 1, 1), "may_opt_in", None),
            (12000, date(1990, 1, 1), "may_join", None),
            (12001, date(1990, 1, 1), "may_opt_in", None),
            (50000, date(2004, 6, 4), "enrol", date(2026, 6, 4)),
            (50000, date(2004, 6, 13), "may_opt_in", None),
            (50000, date(1955, 1, 1), "may_opt_in", None),
            (50000, date(1950, 1, 1), "none", None),
        ],
    )
    def test_assessment(self, pay: int, born: date, action: str, active: date | None) -> None:
        decision = decide(pay, born)
        assert (decision.action, decision.active_on) == (action, active)

    def test_a_member_stays_one_in_a_poor_week(self) -> None:
        assert decide(0, member_since=date(2026, 2, 1)).action == "keep"

    def test_a_starter_in_the_period_is_enrolled_from_the_start_date(self) -> None:
        assert decide(50000, employed_from=date(2026, 6, 3)).active_on == date(2026, 6, 3)

    def test_postponed_then_enrolled_on_the_deferral_date(self) -> None:
        until = life.postpone(date(2026, 4, 1), date(2026, 6, 30), date(2026, 4, 1))
        assert decide(50000, postponement=until).action == "postponed"
        until = life.postpone(date(2026, 4, 1), date(2026, 6, 5), date(2026, 4, 1))
        assert decide(50000, postponement=until).active_on == date(2026, 6, 5)
        assert decide(15000, postponement=until).action == "may_opt_in"
        until = life.postpone(date(2026, 4, 1), date(2026, 6, 7), date(2026, 4, 1))
        assert decide(50000, postponement=until).active_on == date(2026, 6, 7)
        until = life.postpone(date(2026, 4, 1), date(2026, 6, 8), date(2026, 4, 1))
        assert decide(50000, postponement=until).action == "postponed"

    def test_opting_in_during_postponement(self) -> None:
        until = life.postpone(date(2026, 4, 1), date(2026, 6, 30), date(2026, 4, 1))
        decision = decide(50000, postponement=until, opt_in_from=date(2026, 5, 20))
        assert (decision.action, decision.employer_contributes) == ("opt_in", True)
        assert decision.active_on == date(2026, 6, 1)
        assert decide(50000, opt_in_from=date(2026, 6, 3)).active_on == date(2026, 6, 3)
        assert decide(9000, join_from=date(2026, 5, 20)).active_on == date(2026, 6, 1)

    def test_an_entitled_worker_joins_without_an_employer_contribution(self) -> None:
        decision = decide(9000, join_from=date(2026, 6, 2))
        assert (decision.action, decision.active_on, decision.employer_contributes) == ("join", date(2026, 6, 2), False)

    def test_an_opt_in_from_before_an_opt_out_does_not_count_again(self) -> None:
        assert decide(50000, opt_in_from=date(2026, 2, 1), opted_out_on=date(2026, 3, 1)).action == "may_opt_in"

    def test_re_enrolment_and_the_twelve_months(self) -> None:
        gone: dict[str, Any] = {"member_since": date(2024, 1, 1), "re_enrolment_on": date(2026, 6, 5)}
        assert decide(50000, opted_out_on=date(2025, 6, 5), **gone).active_on == date(2026, 6, 5)
        assert decide(50000, opted_out_on=date(2025, 6, 6), **gone).action == "may_opt_in"
        assert decide(50000, ceased_on=date(2024, 6, 5), **gone).action == "re_enrol"
        assert decide(50000, opted_out_on=date(2025, 1, 1), member_since=date(2024, 1, 1)).action == "may_opt_in"
        assert decide(19200, opted_out_on=date(2025, 1, 1), **gone).action == "may_opt_in"

    def test_an_exempt_worker_is_not_enrolled(self) -> None:
        decision = decide(50000, exempt_reason="a director without an employment contract")
        assert (decision.action, decision.words) == ("exempt", "a director without an employment contract")

    def test_when_an_opt_in_takes_effect(self) -> None:
        periods = (date(2026, 6, 8), date(2026, 6, 15))
        assert life.opt_in_active_on(date(2026, 6, 2), *periods, payroll_closed=False) == periods[0]
        assert life.opt_in_active_on(date(2026, 6, 6), *periods, payroll_closed=True) == periods[1]
        for notice in (date(2026, 6, 8), date(2026, 6, 9)):
            with refused("periods_out_of_order"):
                life.opt_in_active_on(notice, *periods, payroll_closed=True)


class TestOptOut:
    def test_window(self) -> None:
        window = life.opt_out_window(date(2026, 12, 1), date(2026, 12, 12))
        assert (window.opens_on, window.closes_on) == (date(2026, 12, 12), date(2027, 1, 11))
        assert life.opt_out_window(date(2027, 1, 31), date(2027, 1, 1)).closes_on == date(2027, 2, 27)

    @pytest.mark.parametrize(
        ("relief", "taxable", "niable"), [("net_pay", 5604, 0), ("ras", 0, 0), ("salary_sacrifice", 5604, 5604)]
    )
    def test_full_refund(self, relief: Any, taxable: int, niable: int) -> None:
        window = life.opt_out_window(date(2026, 6, 1), date(2026, 6, 1))
        taken = [PeriodContribution(day, relief, 2802, 1681) for day in (date(2026, 6, 5), date(2026, 6, 12))]
        trace = Trace()
        refund = life.opt_out(window, date(2026, 6, 15), taken, trace=trace)
        assert refund == life.OptOutRefund(5604, 3362, taxable, niable, date(2026, 7, 14))
        assert recompute(trace.root) == refund.worker_pence
        assert life.opt_out(window, date(2026, 6, 15), taken, date(2026, 7, 31)).due_by == date(2026, 7, 31)

    @pytest.mark.parametrize("day", [date(2026, 5, 31), date(2026, 7, 1)])
    def test_outside_the_window(self, day: date) -> None:
        with refused("opt_out_outside_window"):
            life.opt_out(life.opt_out_window(date(2026, 6, 1), date(2026, 6, 1)), day, [])

    def test_a_negative_contribution(self) -> None:
        window = life.opt_out_window(date(2026, 6, 1), date(2026, 6, 1))
        with refused("negative_amount"):
            life.opt_out(window, date(2026, 6, 2), [PeriodContribution(date(2026, 6, 5), "ras", -1, 0)])

    def test_one_that_corrects_an_earlier_week_is_part_of_the_sum(self) -> None:
        window = life.opt_out_window(date(2026, 6, 1), date(2026, 6, 1))
        taken = [
            PeriodContribution(date(2026, 6, day), "net_pay", pence, pence) for day, pence in ((5, 1000), (12, -200))
        ]
        refund = life.opt_out(window, date(2026, 6, 15), taken)
        assert (refund.worker_pence, refund.employer_pence) == (800, 800)


class TestReEnrolment:
    def test_window_and_declaration(self) -> None:
        window = life.re_enrolment(date(2023, 7, 1))
        assert (window.anniversary_on, window.window_from, window.window_to, window.declare_by) == (
            date(2026, 7, 1), date(2026, 4, 1), date(2026, 9, 30), date(2026, 11, 30),
        )  # fmt: skip
        assert life.choose_re_enrolment(date(2023, 7, 1), date(2026, 9, 30)) == date(2026, 9, 30)
        with refused("re_enrolment_outside_window"):
            life.choose_re_enrolment(date(2023, 7, 1), date(2026, 10, 1))

    def test_first_declaration(self) -> None:
        assert life.first_declaration_by(date(2026, 4, 6)) == date(2026, 9, 5)


class TestCertifiedSets:
    @pytest.mark.parametrize(
        ("name", "employee", "employer", "basic", "total", "pensionable"),
        [("set_1", 500, 400, 40000, 60000, 40000), ("set_2", 500, 300, 51000, 60000, 51000),
         ("set_3", 400, 300, 40000, 60000, 60000)],
    )  # fmt: skip
    def test_basis(self, name: str, employee: int, employer: int, basic: int, total: int, pensionable: int) -> None:
        assert life.certified_basis(P26, name, employee, employer, basic, total).pensionable_pence == pensionable

    @pytest.mark.parametrize(
        ("name", "employee", "employer", "basic", "code"),
        [("set_1", 600, 300, 40000, "below_certified_minimum"), ("set_1", 400, 400, 40000, "below_certified_minimum"),
         ("set_2", 500, 300, 50999, "certificate_not_met"), ("set_4", 500, 300, 50999, "unknown_certified_set"),
         ("set_3", 500, 300, 60001, "basic_exceeds_earnings")],
    )  # fmt: skip
    def test_refusals(self, name: str, employee: int, employer: int, basic: int, code: str) -> None:
        with refused(code):
            life.certified_basis(P26, name, employee, employer, basic, 60000)
