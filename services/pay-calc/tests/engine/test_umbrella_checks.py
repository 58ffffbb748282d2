"""The fifteen checks of an umbrella's payslip, on the reference week of 660.00 and on what can be wrong with it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.trace import Trace, recompute
from pay_calc.domain.engine.umbrella_checks import (
    Check,
    FpsLine,
    Item,
    SchemeSpread,
    UmbrellaFacts,
    UmbrellaPayslip,
    check_payslip,
)
from pay_calc.rates import minimum_wage_book, parameters_for_year

P26 = parameters_for_year("2026-27")
SLIP = UmbrellaPayslip(
    frequency="weekly", payday_on=date(2026, 5, 8), tax_code="1257L W1", tax_period=5, ni_letter="A",
    assignment_income_pence=66000, employer_nic_pence=6889, levy_pence=278, employer_pension_pence=1306, margin_pence=2000,
    gross_pence=55527, basic_pence=49547, holiday_paid_pence=5980, holiday_accrued_pence=0, tax_pence=5820,
    employee_nic_pence=2506, student_loan_pence=0, postgrad_loan_pence=0, employee_pension_pence=2176, net_pence=45025,
    minutes=38 * 60, taxable_to_date_pence=266755, tax_to_date_pence=29100, paye_reference="000/ZZ00001",
)  # fmt: skip
FACTS = UmbrellaFacts(
    contracted_margin_pence=2000, pension_employer_bp=300, shown_taxable_before_pence=213404, shown_tax_before_pence=23280,
    birth_on=date(1990, 1, 1), period_from=date(2026, 4, 27), awr_weeks_completed=3,
    fps=FpsLine(53351, 5820, 55527, 2506, 6889), previous_paye_reference="000/ZZ00001",
)  # fmt: skip


def run(slip: UmbrellaPayslip = SLIP, facts: UmbrellaFacts = FACTS) -> tuple[Check, ...]:
    trace = Trace()
    checks = check_payslip(P26, slip, facts, minimum_wage_book(), trace)
    assert [check.number for check in checks] == list(range(1, 16))
    amounts = {check.amount_pence for check in checks}
    for node in trace.nodes:
        assert recompute(node) == node.result
        assert node.result in amounts
    return checks


def test_the_reference_week_passes_all_fifteen() -> None:
    assert [(check.number, check.words) for check in run() if check.verdict != "pass"] == []


def test_forty_hours_of_the_reference_week_are_below_the_minimum_wage() -> None:
    # 40 h x 12.71 = 508.40 against basic 495.47; at most 38.98 h are paid for
    failed = run(replace(SLIP, minutes=2400))[10]
    assert (failed.verdict, failed.amount_pence) == ("fail", -1293)
    assert run(replace(SLIP, minutes=2338))[10].verdict == "pass"
    assert run(replace(SLIP, minutes=2340))[10].verdict == "fail"


@pytest.mark.parametrize(
    ("number", "verdict", "amount", "slip", "facts"),
    [
        (1, "fail", -1000, {"assignment_income_pence": 67000}, {}),
        (1, "pass", -2, {"assignment_income_pence": 66002}, {}),
        (1, "fail", 3, {"assignment_income_pence": 65997}, {}),
        (2, "fail", 1, {"employer_nic_pence": 6890}, {}),
        (3, "fail", 1, {"levy_pence": 279}, {}),
        (3, "pass", -278, {"levy_pence": 0}, {}),
        (4, "fail", 200, {"employer_pension_pence": 1506}, {}),
        (4, "pass", 1, {"employer_pension_pence": 1307}, {}),
        (4, "warn", 1306, {}, {"pension_employer_bp": None}),
        (4, "pass", 0, {"employer_pension_pence": 0}, {"pension_employer_bp": None}),
        (5, "fail", 500, {"margin_pence": 2500}, {}),
        (5, "warn", 2000, {}, {"contracted_margin_pence": None}),
        (6, "fail", 6889, {"deductions": (Item("Employer's NI", 6889),)}, {}),
        (6, "pass", 0, {"deductions": (Item("Union subscription", 400),)}, {}),
        (7, "fail", -2, {"tax_pence": 5818}, {}),
        (7, "pass", -1, {"tax_pence": 5819}, {}),
        (7, "warn", 0, {"tax_code": "1257L"}, {}),
        (7, "pass", 0, {"tax_code": "1257L"}, {"taxable_before_pence": 213404, "tax_before_pence": 23320}),
        (8, "fail", -1, {"employee_nic_pence": 2505}, {}),
        (8, "fail", -300, {}, {"student_loan_plan": "1"}),
        (8, "fail", -900, {}, {"postgrad_loan": True}),
        (8, "pass", 0, {"postgrad_loan_pence": 900}, {"postgrad_loan": True}),
        (9, "fail", 10000, {"untaxed": (Item("Loan from the trust", 10000),)}, {}),
        (9, "fail", 2000, {"untaxed": (Item("Expenses", 2000),)}, {}),
        (9, "pass", 0, {"untaxed": (Item("Expenses", 2000, receipts_seen=True),)}, {}),
        (10, "fail", -5980, {"holiday_paid_pence": 0}, {}),
        (10, "pass", 0, {"holiday_paid_pence": 0, "holiday_accrued_pence": 5980}, {}),
        (11, "warn", 0, {"minutes": None}, {}),
        (11, "warn", 0, {}, {"awr_weeks_completed": 12}),
        (11, "fail", -1753, {}, {"awr_weeks_completed": 12, "awr_comparator_rate_pence": 1350}),
        (11, "warn", 0, {}, {"period_from": None}),
        (12, "warn", 0, {}, {"fps": None}),
        (12, "fail", 20, {}, {"fps": FpsLine(53351, 5800, 55527, 2506, 6889)}),
        (12, "fail", 1, {"tax_to_date_pence": 29101}, {}),
        (12, "warn", 0, {"tax_to_date_pence": None}, {}),
        (13, "warn", 50000, {"net_pence": 50000}, {}),
        (13, "fail", 55000, {"net_pence": 55000, "tax_pence": 0}, {}),
        (13, "warn", 0, {"assignment_income_pence": 0}, {}),
        (13, "warn", 55000, {"net_pence": 55000}, {}),
        (14, "fail", 0, {"ni_letter": "M"}, {}),
        (14, "fail", 0, {"ni_letter": "H"}, {}),
        (14, "fail", 0, {"ni_letter": "C"}, {}),
        (14, "fail", 0, {"ni_letter": "X"}, {}),
        (14, "pass", 0, {"ni_letter": "C"}, {"birth_on": date(1950, 1, 1)}),
        (14, "warn", 0, {"ni_letter": "V"}, {}),
        (14, "fail", 0, {}, {"birth_on": date(1955, 1, 1)}),
        (14, "warn", 0, {}, {"birth_on": date(2007, 1, 1)}),
        (14, "pass", 0, {"ni_letter": "M"}, {"birth_on": date(2007, 1, 1)}),
        (14, "pass", 0, {"ni_letter": "M"}, {"birth_on": date(2005, 5, 9)}),
        (14, "fail", 0, {"ni_letter": "M"}, {"birth_on": date(2005, 5, 8)}),
        (14, "warn", 0, {}, {"birth_on": date(2005, 5, 9)}),
        (14, "pass", 0, {}, {"birth_on": date(2005, 5, 8)}),
        (
            14,
            "pass",
            0,
            {"ni_letter": "H"},
            {"birth_on": date(2001, 5, 9), "apprentice": True, "letter_evidence": True},
        ),
        (
            14,
            "fail",
            0,
            {"ni_letter": "H"},
            {"birth_on": date(2001, 5, 8), "apprentice": True, "letter_evidence": True},
        ),
        (14, "warn", 0, {"ni_letter": "M"}, {"birth_on": None}),
        (15, "warn", 0, {"paye_reference": "000/ZZ00002"}, {}),
        (15, "warn", 0, {"paye_reference": None}, {}),
        (15, "fail", 0, {}, {"schemes": SchemeSpread(8, 4, 4)}),
        (15, "pass", 0, {}, {"schemes": SchemeSpread(400, 4, 4)}),
    ],
)
def test_one_thing_changed(number: int, verdict: str, amount: int, slip: dict[str, Any], facts: dict[str, Any]) -> None:
    found = run(replace(SLIP, **slip), replace(FACTS, **facts))[number - 1]
    assert (found.verdict, found.amount_pence) == (verdict, amount), found.words


def test_a_payday_of_another_year_is_refused() -> None:
    with pytest.raises(EngineError) as refused:
        run(replace(SLIP, payday_on=date(2027, 4, 6)))
    assert refused.value.code == "payday_outside_tax_year"
