"""Family pay, the deemed payment and the cost of an hour."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from pay_calc.domain.engine import family_pay, off_payroll, quote
from pay_calc.domain.engine.attachments import AttachmentOrder
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.payslip import NetDeduction, PayslipInput, PensionTerms
from pay_calc.domain.engine.trace import Trace, recompute
from pay_calc.rates import parameters_for_year

P25, P26 = parameters_for_year("2025-26"), parameters_for_year("2026-27")
TEMPLATE = PayslipInput(P26, "weekly", date(2026, 4, 10), "1257L", "A", ())


class TestFamilyPay:
    @pytest.mark.parametrize(
        ("kind", "week", "average", "expected"),
        [("SMP", 1, 60000, 54000), ("SMP", 6, 60001, 54001), ("SMP", 7, 60000, 19432), ("SMP", 39, 15000, 13500),
         ("SPP", 1, 60000, 19432), ("SPP", 2, 15000, 13500), ("SAP", 1, 60000, 54000), ("SNCP", 12, 60000, 19432)],
    )  # fmt: skip
    def test_weeks(self, kind: Any, week: int, average: int, expected: int) -> None:
        trace = Trace()
        assert family_pay.weekly_pay(P26, kind, week, average, "decision 17", trace) == expected
        assert recompute(trace.root) == expected

    @pytest.mark.parametrize(
        ("change", "code"),
        [({"entitlement_reference": ""}, "entitlement_not_recorded"), ({"week": 40}, "week_out_of_range"),
         ({"average_weekly_earnings_pence": 12899}, "earnings_below_limit")],
    )  # fmt: skip
    def test_refusals(self, change: dict[str, Any], code: str) -> None:
        given: dict[str, Any] = {
            "kind": "SMP",
            "week": 1,
            "average_weekly_earnings_pence": 60000,
            "entitlement_reference": "decision 17",
        }
        with pytest.raises(EngineError) as refused:
            family_pay.weekly_pay(P26, **(given | change))
        assert refused.value.code == code

    @pytest.mark.parametrize(
        ("kind", "last"), [("SMP", 39), ("SAP", 39), ("SPP", 2), ("ShPP", 37), ("SPBP", 2), ("SNCP", 12)]
    )
    def test_the_last_week_of_each(self, kind: Any, last: int) -> None:
        assert family_pay.weekly_pay(P26, kind, last, 60000, "decision 17") == 19432
        for week in (0, last + 1):
            with pytest.raises(EngineError) as refused:
                family_pay.weekly_pay(P26, kind, week, 60000, "decision 17")
            assert refused.value.code == "week_out_of_range"

    def test_the_limit_is_that_of_the_week_that_decided(self) -> None:
        """126.00 a week passed 2025-26's limit of 125; pay of a week after 6 April 2026 does not test 129."""
        with pytest.raises(EngineError, match=r"129\.00, the limit of 2026-27"):
            family_pay.weekly_pay(P26, "SMP", 7, 12600, "decision 17")
        assert family_pay.weekly_pay(P26, "SMP", 7, 12600, "decision 17", relevant_week=P25) == 11340
        with pytest.raises(EngineError, match=r"125\.00, the limit of 2025-26"):
            family_pay.weekly_pay(P26, "SMP", 7, 12499, "decision 17", relevant_week=P25)

    def test_the_two_tests_of_smp(self) -> None:
        # the week of Wednesday 14 October 2026 starts on Sunday 11 October; its 15th week before starts on 28 June
        # 26 weeks that end with it start with the week of 4 January, and a start on its Saturday is in time
        tests = family_pay.smp_tests(P26, date(2026, 1, 10), date(2026, 10, 14), 12900)
        assert (tests.qualifying_week_from, tests.employed_by) == (date(2026, 6, 28), date(2026, 1, 10))
        assert tests.continuous_employment
        assert tests.earnings
        assert not family_pay.smp_tests(P26, date(2026, 1, 11), date(2026, 10, 14), 12899).continuous_employment

    def test_recovery(self) -> None:
        assert family_pay.recovery(P26, 100000, 4500001) == 92000
        assert family_pay.recovery(P26, 100000, 4500000) == 109000
        assert family_pay.recovery(P25, 100000, 0) == 108500


class TestOffPayroll:
    def test_the_reference_example(self) -> None:
        monthly = replace(TEMPLATE, frequency="monthly", tax_code="BR", payday_on=date(2026, 4, 30))
        deemed = off_payroll.deem(monthly, 720000, 120000, 75000, 25000)
        assert deemed.payslip is not None
        assert (deemed.deemed_pence, deemed.paid_pence) == (500000, 593250)
        assert (deemed.payslip.tax_pence, deemed.payslip.employee_nic_pence, deemed.payslip.employer_nic_pence) == (
            100000,
            26750,
            68745,
        )

    def test_no_loan_or_pension_is_operated(self) -> None:
        full = replace(
            TEMPLATE, student_loan_plan="2", postgrad_loan=True, pension=PensionTerms("net_pay", 500, 300), holiday="rolled_up",
            attachments=(AttachmentOrder("order 1", "DEO", date(2026, 1, 5), 8000),), deductions=(NetDeduction("uniform", 500),),
        )  # fmt: skip
        assert off_payroll.deem(full, 120000, 20000) == off_payroll.deem(TEMPLATE, 120000, 20000)

    def test_nothing_left_to_deem(self) -> None:
        assert off_payroll.deem(TEMPLATE, 12000, 2000, 10000) == off_payroll.DeemedPayment(0, 12000, None)
        for bad in ((100, 200), (-1, 0), (100, -1), (100, 0, -1), (100, 0, 0, -1)):
            with pytest.raises(EngineError) as refused:
                off_payroll.deem(TEMPLATE, *bad)
            assert refused.value.code == "invalid_invoice"


def test_the_cost_of_an_hour() -> None:
    template = replace(TEMPLATE, holiday="rolled_up")
    cost = quote.cost_of_hour(template, Decimal("12.7100"), 2400, Decimal("18.5000"))
    # 508.40 + 61.36 holiday = 569.76; employer NIC (569.76 - 96) x 15 % = 71.06
    assert cost.cost_per_hour == Decimal("16.0205")
    assert cost.margin_per_hour == Decimal("2.4795")
    with pytest.raises(EngineError):
        quote.cost_of_hour(template, Decimal("12.71"), 0)
