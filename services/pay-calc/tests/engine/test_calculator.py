"""The calculator's kinds, its refusals with the field, and that no line makes it raise."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pay_calc.calculator_cli import MAX_LINE_BYTES, run_calc
from pay_calc.domain.calculator import KINDS, calculate
from pay_calc.domain.engine.parameters import YearBook
from pay_calc.rates import year_book

DOCUMENT = Path(__file__).parents[4] / "docs" / "calculator.md"

# the reference's umbrella example of 660.00, on a payslip of 38 hours
UMBRELLA_PAYSLIP: dict[str, Any] = {
    "frequency": "weekly", "payday_on": "2026-05-08", "tax_code": "1257L W1", "tax_period": 5, "ni_letter": "A",
    "assignment_income": "660.00", "employer_nic": "68.89", "levy": "2.78", "employer_pension": "13.06", "margin": "20.00",
    "gross": "555.27", "basic": "495.47", "holiday_paid": "59.80", "holiday_accrued": "0.00", "tax": "58.20", "employee_nic": "25.06",
    "student_loan": "0.00", "postgrad_loan": "0.00", "employee_pension": "21.76", "net": "450.25", "minutes": 2280,
    "taxable_to_date": "2667.55", "tax_to_date": "291.00", "paye_reference": "000/ZZ00001",
}  # fmt: skip
UMBRELLA_FACTS: dict[str, Any] = {
    "contracted_margin": "20.00", "pension_employer_pct": "3", "shown_taxable_before": "2134.04", "shown_tax_before": "232.80",
    "birth_on": "1990-01-01", "period_from": "2026-04-27", "awr_weeks_completed": 3,
    "fps": {"taxable": "533.51", "tax": "58.20", "niable": "555.27", "employee_nic": "25.06", "employer_nic": "68.89"},
    "previous_paye_reference": "000/ZZ00001",
}  # fmt: skip

GOOD: dict[str, dict[str, Any]] = {
    "paye": {"tax_code": "1257L", "frequency": "weekly", "tax_period": 1, "taxable_pay": "600.00",
             "previous_taxable_pay": "0.00", "previous_tax": "0.00"},
    "paye_sequence": {"frequency": "weekly", "steps": [{"tax_code": "1257L", "tax_period": 1, "taxable_pay": "600.00"},
                                                       {"tax_code": "BR", "tax_period": 2, "taxable_pay": "600.00"}]},
    "nic": {"frequency": "weekly", "letter": "A", "niable_pay": "785.50"},
    "director_nic": {"letter": "M", "earnings_to_date": "48000.00", "pro_rata_weeks": 48, "employee_paid_to_date": "0.00",
                     "employer_paid_to_date": "0.00"},
    "student_loan": {"plan": "2", "frequency": "weekly", "niable_pay": "680.40"},
    "pension_qe": {"frequency": "weekly", "pay": "680.40", "employee_pct": "5", "employer_pct": "3", "relief": "ras"},
    "payslip": {"tax_code": "1257L", "frequency": "weekly", "tax_period": 1, "gross": "680.40", "ni_letter": "A",
                "student_loan_plan": "2", "postgrad_loan": False,
                "pension": {"basis": "net_pay", "employee_pct": "5", "employer_pct": "3", "earnings": "qualifying"}},
    "umbrella": {"frequency": "weekly", "assignment_income_ex_vat": "660.00", "margin": "20.00", "ni_letter": "A",
                 "apprenticeship_levy": True, "employer_pension_3pct_qe": True, "tax_code": "1257L W1",
                 "employee_pension": "5% QE net pay", "holiday": "rolled up at 12.07% inside gross"},
    "ssp": {"average_weekly_earnings": "600.00", "qualifying_days_per_week": 5, "payable_days": 3},
    "holiday_rolled_up": {"pay_for_work": "508.40"},
    "holiday_accrual": {"minutes_worked_in_pay_period": 2400},
    "cis": {"labour_ex_vat": "1000.00", "materials": "250.00", "rate_pct": "20"},
    "late_payment": {"principal_inc_vat": "10000.00", "reference_rate_pct": "3.75", "days_late": 30},
    "tax_period": {"frequency": "weekly", "pay_date": "2026-04-10"},
    "tax_code": {"code": "S1257L W1"},
    "net_to_gross": {"tax_code": "1257L", "frequency": "weekly", "tax_period": 1, "target_net": "525.31", "ni_letter": "A",
                     "student_loan_plan": "2", "postgrad_loan": False,
                     "pension": {"basis": "net_pay", "employee_pct": "5", "employer_pct": "3", "earnings": "qualifying"}},
    "overpayment": {"tax_code": "1257L", "frequency": "weekly", "tax_period": 10, "gross_paid": "520.00", "gross_right": "455.00",
                    "recovery_payday_on": "2026-08-03", "ni_letter": "A", "previous_taxable_pay": "4680.00", "previous_tax": "499.20"},
    "hour_cost": {"frequency": "weekly", "ni_letter": "A", "pay_rate": "12.7100", "minutes": 2400, "holiday": "rolled_up",
                  "pension": {"basis": "ras", "employee_pct": "5", "employer_pct": "3", "earnings": "qualifying"},
                  "apprenticeship_levy": True, "charge_rate": "18.5000"},
    "starting_tax": {"starts_on": "2026-05-11", "declaration": "B",
                     "p45": {"left_on": "2026-05-01", "tax_code": "1257L", "pay_to_date": "2400.00", "tax_to_date": "220.00"}},
    "minimum_wage": {"period_from": "2026-04-06", "birth_on": "1990-01-01", "apprentice": False, "first_year": None, "minutes": 2400,
                     "pay_that_counts": "495.47", "accommodation": {"days": 7, "charge": "77.70"}},
    "minimum_wage_arrears": {"shortfall": "10.00", "rate_then": "12.21", "rate_now": "12.71"},
    "awr_clock": {"weeks": [{"kind": "work"}] * 9 + [{"kind": "tick"}] * 3, "lenient_breaks": False},
    "awr_parity": {"elements": [
        {"element": "basic", "paid_rate": "12.71", "comparator_rate": "13.5050", "minutes": 2310},
        {"element": "overtime", "paid_rate": "20.00", "comparator_rate": "19.50", "minutes": 120},
        {"element": "night", "paid_rate": "15.00", "minutes": 60},
        {"element": "voucher", "comparator_rate": "0.1000", "minutes": 2310}]},
    "umbrella_checks": {"payslip": UMBRELLA_PAYSLIP, "facts": UMBRELLA_FACTS},
    "engagement": {"payday_on": "2026-04-10", "through_agency": True, "personal_service": True, "controlled": False,
                   "through_intermediary": "none", "construction": True, "public_body": False, "cis_status": "registered",
                   "verified_on": "2026-03-02", "last_paid_on": "2026-04-03", "evidence_ref": "E-17"},
    "several_jobs": {"jobs": [
        {"job": "night", "employer": "IRV", "frequency": "weekly", "ni_letter": "A", "niable_pay": "500.00"},
        {"job": "day", "employer": "NBC", "frequency": "weekly", "ni_letter": "A", "niable_pay": "500.00"}],
        "connected": [{"employers": ["IRV", "NBC"]}], "not_practicable": False},
    "pay_in_advance": {"weekly_pays": ["600.00", "600.00"], "first_week": 38, "tax_code": "1257L", "ni_letter": "A", "nic_method": "A",
                       "previous_taxable_pay": "22200.00", "previous_tax": "2649.60", "student_loan_plan": "2", "postgrad_loan": False},
    "interval_change": {"old_frequency": "weekly", "new_frequency": "monthly", "ni_letter": "A", "niable_pay": "2000.00",
                        "charged": [{"niable_pay": "500.00", "employee_nic": "20.64", "employer_nic": "60.60"}]},
    "returner": {"past": [{"pay_id": "W1", "started_on": "2025-01-06", "left_on": "2026-04-24", "p45_issued_on": "2026-04-30"}],
                 "starts_on": "2026-06-01", "new_pay_id": "W1-2", "casual": True, "change_pay_id": False},
}  # fmt: skip

EXPECTED: dict[str, dict[str, Any]] = {
    "paye": {"tax": "71.60", "tax_to_date": "71.60", "basis": "cumulative", "limited_to_50pct": False,
             "taxable_pay_after_code": "358.08"},
    "nic": {"employee_nic": "43.48", "employer_nic": "103.42", "earnings_at_lel": "129.00", "earnings_lel_to_pt": "113.00",
            "earnings_pt_to_uel": "543.50"},
    "director_nic": {"employee_nic": "2815.92", "employer_nic": "239.40",
                     "thresholds": {"LEL": "6192.00", "ST": "4616.00", "PT": "11604.00", "FUST": "23077.00", "UEL": "46404.00"}},
    "student_loan": {"deduction": "10.00", "threshold": "565.09"},
    "pension_qe": {"qualifying_earnings": "560.40", "employee_deducted": "22.42", "employer": "16.81", "above_trigger": True},
    "payslip": {"taxable_pay": "652.38", "niable_pay": "680.40", "tax": "82.00", "employee_nic": "35.07", "employer_nic": "87.66",
                "student_loan": "10.00", "postgrad_loan": "0.00", "qualifying_earnings": "560.40", "employee_pension": "28.02",
                "employer_pension": "16.81", "net_pay": "525.31"},
    "umbrella": {"gross_taxable": "555.27", "of_which_basic": "495.47", "of_which_holiday": "59.80", "employer_nic": "68.89",
                 "apprenticeship_levy": "2.78", "employer_pension": "13.06", "margin": "20.00", "residue": "0.00", "tax": "58.20",
                 "employee_nic": "25.06", "employee_pension": "21.76", "net_pay": "450.25"},
    "ssp": {"ssp": "73.95"},
    "holiday_rolled_up": {"holiday_pay": "61.36", "total": "569.76"},
    "holiday_accrual": {"leave_minutes": 300},
    "cis": {"deduction": "200.00", "paid": "1050.00"},
    "late_payment": {"rate_pct": "11.75", "interest": "96.58", "fixed_sum": "100.00"},
    "tax_period": {"tax_year": "2026-27", "tax_period": 1, "non_cumulative_extra": False},
    "tax_code": {"valid": True, "region": "Scotland", "kind": "suffix", "number": 1257, "non_cumulative": True},
    # 508.40 + 61.36 holiday (the reference's) = 569.76; NIC (569.76 - 96) x 15 %; pension (569.76 - 120) x 3 %; levy 0.5 %
    "hour_cost": {"cost_per_hour": "16.4290", "margin_per_hour": "2.0710", "gross": "569.76", "holiday_pay": "61.36",
                  "employer_nic": "71.06", "employer_pension": "13.49", "levy": "2.85", "cost": "657.16"},
    # 65.00 of gross: tax at 20 % of whole pounds, NIC 8 % and 15 %
    "overpayment": {"way": "through_gross", "words": "taken back through gross pay of this tax year", "gross": "65.00",
                    "taxable_pay": "65.00", "niable_pay": "65.00", "tax": "13.00", "employee_nic": "5.20", "employer_nic": "9.75",
                    "student_loan": "0.00", "postgrad_loan": "0.00", "qualifying_earnings": "0.00", "employee_pension": "0.00",
                    "employer_pension": "0.00", "net_pay": "46.80"},
    "engagement": {"regime": "cis", "cis_rate_pct": 20, "words": "CIS at 20 % of labour (registered)"},
    # the reference's two payments of 500.00 in one week
    "several_jobs": {"calculations": [{"frequency": "weekly", "niable_pay": "1000.00", "employee_nic": "58.66", "employer_nic": "135.60",
                                       "jobs": [{"job": "night", "employee_nic": "29.33", "employer_nic": "67.80"},
                                                {"job": "day", "employee_nic": "29.33", "employer_nic": "67.80"}]}]},
    # 23,400.00 - 39 x 241.92, whole pounds at 20 %, less what was paid; each week's (600 - 242) x 8 %, 504 x 15 % and plan 2
    "pay_in_advance": {"periods_covered": 2, "tax_period": 39, "tax": "143.40", "employee_nic": "57.28", "employer_nic": "151.20",
                       "student_loan": "6.00", "postgrad_loan": "0.00"},
    # a month of 2,500.00: 1,452 x 8 % and 2,083 x 15 %, less what the week was charged
    "interval_change": {"employee_nic": "95.52", "employer_nic": "251.85", "words": "the whole longer period, less what was charged"},
    "returner": {"pay_id": "W1-2", "from_zero": True, "changed": False, "old_pay_id": None, "previous_figures": True, "irregular": True,
                 "words": "re-hired after a P45: from zero, with a new starter declaration"},
    "starting_tax": {"tax_code": "1257L", "previous_pay": "2400.00", "previous_tax": "220.00", "declaration": "B",
                     "reason": "P45 of this tax year"},
    # the reference's umbrella week of 660.00: 40 hours at 12.71 are 508.40
    "minimum_wage": {"status": "fail", "rate": "12.71", "shortfall": "12.93", "surplus": "0.00",
                     "reason": "pay that counts is below the minimum wage"},
    # 10.00 / 12.21 x 12.71 = 10.4095
    "minimum_wage_arrears": {"arrears": "10.41"},
    # the reference's table: 9 worked, then maternity while the assignment would have run
    "awr_clock": {"weeks_counted": 12, "qualified": True, "qualified_at": 13, "resets": [], "paused": False},
    # 38.5 h x 0.795 = 30.6075, and 38.5 x 0.10
    "awr_parity": {"lines": [{"element": "basic", "verdict": "fail", "shortfall": "30.61"},
                             {"element": "overtime", "verdict": "pass", "shortfall": "0.00"},
                             {"element": "night", "verdict": "unknown", "shortfall": None},
                             {"element": "voucher", "verdict": "fail", "shortfall": "3.85"}], "shortfall": "34.46"},
}  # fmt: skip
EXPECTED["net_to_gross"] = EXPECTED["payslip"] | {"gross": "680.40", "overshoot": "0.00"}


def ask(kind: str, inputs: dict[str, Any], tax_year: str | None = "2026-27") -> dict[str, Any]:
    return calculate({"id": "1", "kind": kind, "tax_year": tax_year, "inputs": inputs})


@pytest.mark.parametrize("kind", sorted(EXPECTED))
def test_each_kind(kind: str) -> None:
    assert ask(kind, GOOD[kind]) == {"id": "1", "result": EXPECTED[kind]}


def test_every_kind_has_an_example() -> None:
    assert set(GOOD) == set(KINDS)


def test_a_sequence_carries_the_year_along() -> None:
    steps = ask("paye_sequence", GOOD["paye_sequence"])["result"]["steps"]
    assert steps == [
        {"tax_period": 1, "tax_code": "1257L", "taxable_pay": "600.00", "tax": "71.60", "pay_to_date": "600.00",
         "tax_to_date": "71.60", "basis": "cumulative", "limited_to_50pct": False},
        {"tax_period": 2, "tax_code": "BR", "taxable_pay": "600.00", "tax": "168.40", "pay_to_date": "1200.00",
         "tax_to_date": "240.00", "basis": "cumulative", "limited_to_50pct": False},
    ]  # fmt: skip


@pytest.mark.parametrize("method", ["standard, cumulative", "alternative"])
def test_directors_pays(method: str) -> None:
    result = ask("director_nic", {"letter": "A", "method": method, "pays": ["1000.00"] * 52}, "2025-26")["result"]
    assert (result["employee_nic"], result["employer_nic"]) == ("3050.60", "7050.00")
    first = result["steps"][0]
    assert first["employee_nic"] == ("0.00" if method.startswith("standard") else "58.66")
    assert result["steps"][-1]["employee_to_date"] == "3050.60"


def test_sick_pay_below_the_lower_limit_is_nothing_in_2025_26() -> None:
    inputs = {"average_weekly_earnings": "124.99", "qualifying_days_per_week": 5, "payable_days": 3}
    assert ask("ssp", inputs, "2025-26") == {"id": "1", "result": {"ssp": "0.00"}}


def test_salary_sacrifice_is_the_employers_contribution() -> None:
    inputs = GOOD["payslip"] | {"pension": {"basis": "salary_sacrifice", "amount": "50.00"}, "student_loan_plan": None}
    result = ask("payslip", inputs)["result"]
    assert (result["taxable_pay"], result["niable_pay"]) == ("630.40", "630.40")
    assert (result["employee_pension"], result["employer_pension"], result["qualifying_earnings"]) == (
        "0.00",
        "50.00",
        "0.00",
    )


@pytest.mark.parametrize("code", ["1257P", "SNT", "K0", "", "SD4"])
def test_an_invalid_tax_code_is_an_answer(code: str) -> None:
    assert ask("tax_code", {"code": code}) == {"id": "1", "result": {"valid": False}}


NAN = float("nan")


@pytest.mark.parametrize(
    ("kind", "change", "code", "field"),
    [
        ("paye", {"tax_code": "1257P"}, "invalid_tax_code", "tax_code"),
        ("paye", {"tax_code": 1257}, "invalid_text", "tax_code"),
        ("paye", {"frequency": "daily"}, "unknown_frequency", "frequency"),
        ("paye", {"tax_period": 54}, "tax_period_out_of_range", "tax_period"),
        ("paye", {"tax_period": 0}, "tax_period_out_of_range", "tax_period"),
        ("paye", {"tax_period": 10**30}, "number_out_of_range", "tax_period"),
        ("paye", {"tax_period": "1"}, "invalid_number", "tax_period"),
        ("paye", {"tax_period": True}, "invalid_number", "tax_period"),
        ("paye", {"frequency": "monthly", "tax_period": 13}, "tax_period_out_of_range", "tax_period"),
        ("paye", {"frequency": "fortnightly", "tax_period": 3}, "tax_period_out_of_range", "tax_period"),
        ("paye", {"taxable_pay": "-1.00"}, "negative_amount", "taxable_pay"),
        ("paye", {"taxable_pay": NAN}, "invalid_money", "taxable_pay"),
        ("paye", {"taxable_pay": "NaN"}, "invalid_money", "taxable_pay"),
        ("paye", {"taxable_pay": "1e3"}, "invalid_money", "taxable_pay"),
        ("paye", {"taxable_pay": "600.001"}, "invalid_money", "taxable_pay"),
        ("paye", {"taxable_pay": 600}, "invalid_money", "taxable_pay"),
        ("paye", {"taxable_pay": "1000000000000.00"}, "amount_out_of_range", "taxable_pay"),
        ("paye", {"taxable_pay": None}, "invalid_money", "taxable_pay"),
        ("paye", {"payrolled_benefits_in_pay": "600.01"}, "benefits_exceed_pay", "payrolled_benefits_in_pay"),
        ("paye", {"payroled_benefits_in_pay": "1.00"}, "unknown_field", "payroled_benefits_in_pay"),
        ("paye_sequence", {"steps": []}, "invalid_list", "steps"),
        ("paye_sequence", {"steps": [7]}, "invalid_object", "steps[0]"),
        ("paye_sequence", {"steps": [GOOD["paye_sequence"]["steps"][0], {"tax_code": "BR", "tax_period": 2}]},
         "missing_field", "steps[1].taxable_pay"),
        ("paye_sequence", {"steps": GOOD["paye_sequence"]["steps"][::-1]}, "tax_period_out_of_order", "steps[1].tax_period"),
        ("nic", {"letter": "Q"}, "unknown_ni_letter", "letter"),
        ("nic", {"niable_pay": "-0.01"}, "negative_amount", "niable_pay"),
        ("director_nic", {"pro_rata_weeks": 53}, "number_out_of_range", "pro_rata_weeks"),
        ("director_nic", {"pays": ["1.00"], "method": "weekly"}, "invalid_choice", "method"),
        ("director_nic", {"pays": ["1.00", "x"], "method": "alternative"}, "invalid_money", "pays[1]"),
        ("student_loan", {"plan": "3"}, "unknown_loan_plan", "plan"),
        ("pension_qe", {"relief": "none"}, "invalid_choice", "relief"),
        ("pension_qe", {"employee_pct": "101"}, "percentage_out_of_range", "employee_pct"),
        ("pension_qe", {"employee_pct": NAN}, "invalid_percentage", "employee_pct"),
        ("payslip", {"student_loan_plan": "9"}, "unknown_loan_plan", "student_loan_plan"),
        ("payslip", {"student_loan_plan": "PG"}, "unknown_loan_plan", "student_loan_plan"),
        ("payslip", {"postgrad_loan": "no"}, "invalid_boolean", "postgrad_loan"),
        ("payslip", {"pension": {"basis": "magic"}}, "invalid_choice", "pension.basis"),
        ("payslip", {"pension": {"basis": "ras", "employee_pct": "5"}}, "missing_field", "pension.employer_pct"),
        ("payslip", {"pension": {"basis": "salary_sacrifice", "amount": "680.41"}}, "sacrifice_exceeds_pay", "pension.amount"),
        ("umbrella", {"margin": "660.01"}, "margin_exceeds_income", "margin"),
        ("umbrella", {"employee_pension": "some"}, "invalid_choice", "employee_pension"),
        ("umbrella", {"holiday": "accrued"}, "invalid_choice", "holiday"),
        ("ssp", {"qualifying_days_per_week": 8}, "qualifying_days_out_of_range", "qualifying_days_per_week"),
        ("ssp", {"payable_days": 141}, "payable_days_out_of_range", "payable_days"),
        ("holiday_accrual", {"minutes_worked_in_pay_period": -1}, "number_out_of_range", "minutes_worked_in_pay_period"),
        ("cis", {"rate_pct": "25"}, "unknown_cis_rate", "rate_pct"),
        ("late_payment", {"days_late": -1}, "number_out_of_range", "days_late"),
        ("tax_period", {"pay_date": "2026-02-30"}, "invalid_date", "pay_date"),
        ("tax_period", {"pay_date": "2026-W15-5"}, "invalid_date", "pay_date"),
        ("tax_period", {"pay_date": 20260410}, "invalid_date", "pay_date"),
        ("net_to_gross", {"pension": {"basis": "ras", "employee_pct": "38", "employer_pct": "3", "earnings": "qualifying"}},
         "pension_too_high", "pension.employee_pct"),
        ("net_to_gross", {"target_net": "999999999.00"}, "net_out_of_reach", "target_net"),
        ("net_to_gross", {"student_loan_plan": "PG"}, "unknown_loan_plan", "student_loan_plan"),
        ("overpayment", {"gross_right": "520.00"}, "nothing_overpaid", "gross_paid"),
        ("overpayment", {"recovery_payday_on": "2026-06-01"}, "recovery_before_payday", "recovery_payday_on"),
        ("hour_cost", {"pay_rate": "12.71001"}, "invalid_rate", "pay_rate"),
        ("hour_cost", {"pay_rate": "-0.0001"}, "negative_amount", "pay_rate"),
        ("hour_cost", {"pay_rate": 12.71}, "invalid_rate", "pay_rate"),
        ("hour_cost", {"pay_rate": "1000000000.0001"}, "amount_out_of_range", "pay_rate"),
        ("hour_cost", {"pay_rate": "999999999.0000"}, "amount_out_of_range", "pay_rate"),
        ("hour_cost", {"minutes": 0}, "number_out_of_range", "minutes"),
        ("hour_cost", {"holiday": "accrued"}, "invalid_choice", "holiday"),
        ("hour_cost", {"ni_letter": "Q"}, "unknown_ni_letter", "ni_letter"),
        ("hour_cost", {"pension": {"basis": "salary_sacrifice", "amount": "569.77"}}, "sacrifice_exceeds_pay", "pension.amount"),
        ("starting_tax", {"starts_on": "2027-04-06"}, "date_outside_tax_year", "starts_on"),
        ("starting_tax", {"declaration": "D"}, "invalid_choice", "declaration"),
        ("starting_tax", {"p45": GOOD["starting_tax"]["p45"] | {"left_on": "2027-04-06"}}, "date_outside_tax_year", "p45.left_on"),
        ("starting_tax", {"p45": GOOD["starting_tax"]["p45"] | {"tax_code": "1257P"}}, "invalid_tax_code", "p45.tax_code"),
        ("starting_tax", {"p45": {"left_on": "2026-05-01"}}, "missing_field", "p45.tax_code"),
        ("minimum_wage", {"birth_on": "2026-04-07"}, "birth_in_the_future", "birth_on"),
        ("minimum_wage", {"minutes": 31 * 24 * 60 + 1}, "number_out_of_range", "minutes"),
        ("minimum_wage", {"accommodation": {"days": 32, "charge": "0.00"}}, "number_out_of_range", "accommodation.days"),
        ("minimum_wage_arrears", {"rate_then": "0.00"}, "rate_missing", "rate_then"),
        ("awr_clock", {"weeks": [{"kind": "work"}, {"kind": "excused"}]}, "missing_field", "weeks[1].excuse"),
        ("awr_clock", {"weeks": [{"kind": "other", "excuse": "sickness"}]}, "excuse_not_expected", "weeks[0].excuse"),
        ("awr_clock", {"weeks": [{"kind": "work", "new_role_in_writting": True}]}, "unknown_field", "weeks[0].new_role_in_writting"),
        ("awr_clock", {"weeks": [{"kind": "work"}] * 401}, "list_too_long", "weeks"),
        ("engagement", {"controlled": None}, "control_not_decided", "controlled"),
        ("engagement", {"personal_service": None}, "control_not_decided", "personal_service"),
        ("engagement", {"evidence_ref": None}, "evidence_missing", "evidence_ref"),
        ("engagement", {"construction": None}, "construction_not_decided", "construction"),
        ("engagement", {"verified_on": "2026-04-11"}, "cis_not_verified", "verified_on"),
        ("engagement", {"payday_on": "2027-04-06"}, "date_outside_tax_year", "payday_on"),
        ("several_jobs", {"jobs": [GOOD["several_jobs"]["jobs"][0]] * 2}, "duplicate_job", "jobs[1].job"),
        ("several_jobs", {"jobs": [GOOD["several_jobs"]["jobs"][0], GOOD["several_jobs"]["jobs"][1] | {"ni_letter": "J"}]},
         "letters_differ", "jobs"),
        ("several_jobs", {"connected": [{"employers": [1]}]}, "invalid_text", "connected[0].employers[0]"),
        ("pay_in_advance", {"weekly_pays": ["600.00"]}, "weeks_out_of_range", "weekly_pays"),
        ("pay_in_advance", {"first_week": 52}, "tax_period_out_of_range", "first_week"),
        ("pay_in_advance", {"nic_method": "C"}, "invalid_choice", "nic_method"),
        ("interval_change", {"new_frequency": "weekly"}, "interval_unchanged", "new_frequency"),
        ("returner", {"new_pay_id": "W1"}, "pay_id_used", "new_pay_id"),
        ("returner", {"starts_on": "2026-04-24"}, "employments_overlap", "starts_on"),
        ("awr_parity", {"elements": [GOOD["awr_parity"]["elements"][0]] * 2}, "duplicate_element", "elements[1].element"),
        ("awr_parity", {"elements": [{"element": "basic", "minutes": 60}]}, "missing_field", "elements[0].paid_rate"),
        ("umbrella_checks", {"payslip": UMBRELLA_PAYSLIP | {"payday_on": "2027-04-06"}}, "payday_outside_tax_year", "payslip.payday_on"),
        ("umbrella_checks", {"payslip": UMBRELLA_PAYSLIP | {"ni_letter": "Q"}}, "unknown_ni_letter", "payslip.ni_letter"),
        ("umbrella_checks", {"payslip": UMBRELLA_PAYSLIP | {"employee_pension": "555.28"}}, "pension_exceeds_pay",
         "payslip.employee_pension"),
        ("umbrella_checks", {"payslip": UMBRELLA_PAYSLIP | {"untaxed": [{"label": "Loan"}]}}, "missing_field", "payslip.untaxed[0].amount"),
        ("umbrella_checks", {"facts": {"birth_on": "2026-05-09"}}, "birth_in_the_future", "facts.birth_on"),
        ("umbrella_checks", {"facts": {"birth_onn": "1990-01-01"}}, "unknown_field", "facts.birth_onn"),
        ("umbrella_checks", {"facts": {"fps": {"taxable": "1.00"}}}, "missing_field", "facts.fps.tax"),
        ("umbrella_checks", {"facts": {"student_loan_plan": "PG"}}, "unknown_loan_plan", "facts.student_loan_plan"),
        ("tax_period", {"pay_date": "2027-04-06"}, "unknown_tax_year", "pay_date"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_with_its_field(kind: str, change: dict[str, Any], code: str, field: str) -> None:
    error = ask(kind, GOOD[kind] | change)["error"]
    assert (error["code"], error["field"]) == (code, field)
    assert len(error["message"]) > 20


@pytest.mark.parametrize(
    ("frequency", "periods"),
    [("weekly", (1, 2, 52, 53)), ("fortnightly", (2, 52, 54)), ("four_weekly", (4, 52, 56)), ("monthly", tuple(range(1, 13)))],
)  # fmt: skip
@pytest.mark.parametrize("tax_year", ["2025-26", "2026-27"])
def test_a_payslip_of_any_period_takes_that_period_s_tax(
    frequency: str, periods: tuple[int, ...], tax_year: str
) -> None:
    for period in periods:
        common = {"tax_code": "S1257L", "frequency": frequency, "tax_period": period, "previous_taxable_pay": "900.00",
                  "previous_tax": "12.40"}  # fmt: skip
        slip = ask("payslip", common | {"gross": "3210.99", "ni_letter": "A", "pension": None}, tax_year)["result"]
        paye = ask("paye", common | {"taxable_pay": "3210.99"}, tax_year)["result"]
        nic = ask("nic", {"frequency": frequency, "letter": "A", "niable_pay": "3210.99"}, tax_year)["result"]
        assert (slip["tax"], slip["employee_nic"], slip["employer_nic"]) == (
            paye["tax"],
            nic["employee_nic"],
            nic["employer_nic"],
        )


class TestKindsThatNeedNoYear:
    KINDS = ("holiday_rolled_up", "holiday_accrual", "cis", "late_payment")

    @pytest.mark.parametrize("kind", KINDS)
    def test_while_every_known_year_agrees(self, kind: str) -> None:
        assert ask(kind, GOOD[kind], None)["result"] == EXPECTED[kind]

    @pytest.mark.parametrize("kind", KINDS)
    def test_not_once_they_differ(self, kind: str) -> None:
        years = dict(year_book().years)
        years["2026-27"] = replace(years["2026-27"], holiday_rolled_up_bp=1300)
        asked = {"id": "1", "kind": kind, "inputs": GOOD[kind]}
        error: Any = calculate(asked, YearBook(years))["error"]
        assert (error["code"], error["field"]) == ("missing_field", "tax_year")
        none: Any = calculate(asked, YearBook({}))["error"]
        assert none["code"] == "unknown_tax_year"


@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_knows_a_year_by_name(kind: str) -> None:
    """A year that does not exist, with 2026-27's figures under another name and other dates, answers as 2026-27 does."""
    made_up = replace(
        year_book().year("2026-27"), tax_year="2041-42", starts_on=date(2041, 4, 6), ends_on=date(2042, 4, 5)
    )
    years = YearBook({"2041-42": made_up})
    same_ages = {
        "payslip": UMBRELLA_PAYSLIP | {"payday_on": "2041-05-08"},
        "facts": UMBRELLA_FACTS | {"birth_on": "2005-01-01"},
    }
    dated: dict[str, dict[str, Any]] = {
        "tax_period": {"pay_date": "2041-04-10"},
        "starting_tax": {"starts_on": "2041-05-11", "p45": GOOD["starting_tax"]["p45"] | {"left_on": "2041-05-01"}},
        "overpayment": {"recovery_payday_on": "2041-08-03"},
        "umbrella_checks": same_ages,
        "engagement": {"payday_on": "2041-04-10", "verified_on": "2041-03-02", "last_paid_on": "2041-04-03"},
    }
    inputs = GOOD[kind] | dated.get(kind, {})
    answer: Any = calculate({"id": "1", "kind": kind, "tax_year": "2041-42", "inputs": inputs}, years)
    known = ask(kind, GOOD[kind])["result"]
    assert answer["result"] == known | ({"tax_year": "2041-42"} if kind == "tax_period" else {})


class TestUmbrellaChecks:
    def run(self, slip: dict[str, Any] | None = None, facts: dict[str, Any] | None = None) -> dict[str, Any]:
        inputs = {"payslip": UMBRELLA_PAYSLIP | (slip or {}), "facts": UMBRELLA_FACTS | (facts or {})}
        result: dict[str, Any] = ask("umbrella_checks", inputs)["result"]
        return result

    def failed(self, found: dict[str, Any]) -> list[tuple[int, str, str]]:
        return [
            (each["number"], each["verdict"], each["amount"]) for each in found["checks"] if each["verdict"] != "pass"
        ]

    def test_the_reference_s_week_passes_all_fifteen(self) -> None:
        found = self.run()
        assert ([each["number"] for each in found["checks"]], found["worst"]) == (list(range(1, 16)), "pass")
        assert self.failed(found) == []

    @pytest.mark.parametrize(
        ("slip", "facts", "expected"),
        [
            ({"employer_nic": "68.90"}, {"fps": None}, [(2, "fail", "0.01"), (12, "warn", "0.00")]),
            ({"margin": "25.00", "assignment_income": "665.00"}, {}, [(5, "fail", "5.00")]),
            ({"minutes": 2400}, {}, [(11, "fail", "-12.93")]),
            ({"deductions": [{"label": "Employer's NI", "amount": "68.89"}]}, {}, [(6, "fail", "68.89"), (11, "fail", "-56.40")]),
            ({"untaxed": [{"label": "Mileage", "amount": "10.00", "receipts_seen": True}], "assignment_income": "670.00"}, {}, []),
            ({"other_costs": [{"label": "Insurance", "amount": "1.00"}], "deductions": []}, {}, [(1, "fail", "1.00")]),
            ({}, {"schemes": {"workers": 8, "schemes": 4, "schemes_claiming_allowance": 4}}, [(15, "fail", "0.00")]),
            ({}, {"postgrad_loan": True}, [(8, "fail", "-9.00")]),
        ],
    )  # fmt: skip
    def test_one_thing_changed(self, slip: dict[str, Any], facts: dict[str, Any], expected: list[Any]) -> None:
        found = self.run(slip, facts)
        assert self.failed(found) == expected
        assert found["worst"] == ("fail" if any(each[1] == "fail" for each in expected) else "pass")

    def test_a_refund_is_tax_below_zero(self) -> None:
        before = {"taxable_before": "2134.04", "tax_before": "400.00"}
        found = self.run({"tax_code": "1257L", "tax": "-108.60"}, before)
        tax = found["checks"][6]
        assert (tax["verdict"], tax["amount"]) == ("pass", "0.00"), tax["words"]

    def test_nothing_on_file_warns_and_never_fails(self) -> None:
        found = ask("umbrella_checks", {"payslip": UMBRELLA_PAYSLIP})
        assert found["result"]["worst"] == "warn"
        assert ask("umbrella_checks", {"payslip": UMBRELLA_PAYSLIP, "facts": {}}) == found


def test_an_overpayment_of_a_year_that_has_ended_is_asked_back_net() -> None:
    late = ask("overpayment", GOOD["overpayment"] | {"recovery_payday_on": "2027-04-09"})["result"]
    assert late == EXPECTED["overpayment"] | {
        "way": "net_and_earlier_year",
        "words": "the net is repaid and a corrected FPS reports 2026-27",
    }


def test_a_list_has_a_limit() -> None:
    steps = [GOOD["paye_sequence"]["steps"][0]] * 401
    assert ask("paye_sequence", {"frequency": "weekly", "steps": steps})["error"]["code"] == "list_too_long"
    assert "result" in ask("paye_sequence", {"frequency": "weekly", "steps": steps[:400]})


@pytest.mark.parametrize("frequency", ["weekly", "fortnightly", "four_weekly", "monthly"])
@pytest.mark.parametrize("year", ["2025-26", "2026-27"])
def test_letter_x_reports_no_earnings_columns(frequency: str, year: str) -> None:
    """Under 16, or no liability at all: the FPS of letter X has noughts in every National Insurance field."""
    result = ask("nic", {"frequency": frequency, "letter": "X", "niable_pay": "5000.00"}, year)["result"]
    assert set(result.values()) == {"0.00"}


OPTIONAL = {
    ("paye", "previous_taxable_pay"), ("paye", "previous_tax"), ("director_nic", "pro_rata_weeks"),
    ("director_nic", "employee_paid_to_date"), ("director_nic", "employer_paid_to_date"), ("payslip", "student_loan_plan"),
    ("payslip", "postgrad_loan"), ("payslip", "pension"), ("umbrella", "employee_pension"), ("umbrella", "holiday"),
    ("net_to_gross", "student_loan_plan"), ("net_to_gross", "postgrad_loan"), ("net_to_gross", "pension"), ("hour_cost", "pension"),
    ("hour_cost", "charge_rate"), ("starting_tax", "p45"), ("starting_tax", "declaration"), ("minimum_wage", "birth_on"),
    ("minimum_wage", "first_year"), ("minimum_wage", "accommodation"), ("awr_clock", "lenient_breaks"), ("umbrella_checks", "facts"),
    ("engagement", "public_body"), ("engagement", "last_paid_on"), ("several_jobs", "connected"), ("several_jobs", "not_practicable"),
    ("pay_in_advance", "student_loan_plan"), ("pay_in_advance", "postgrad_loan"), ("interval_change", "charged"), ("returner", "past"),
    ("returner", "change_pay_id"), ("overpayment", "previous_taxable_pay"), ("overpayment", "previous_tax"),
}  # fmt: skip
"""What docs/calculator.md lets be left out, or be null, in the examples of `GOOD`."""
UNDECIDED = {
    "personal_service": "control_not_decided", "controlled": "control_not_decided", "construction": "construction_not_decided",
    "cis_status": "cis_not_verified", "verified_on": "cis_not_verified", "evidence_ref": "evidence_missing",
}  # fmt: skip
"""What a person has to decide of an engagement: refused by what is not decided, not as a missing input."""
EACH_INPUT = [(kind, name) for kind, inputs in GOOD.items() for name in inputs]


@pytest.mark.parametrize(("kind", "name"), EACH_INPUT)
def test_each_input_is_asked_for_by_name(kind: str, name: str) -> None:
    answer = ask(kind, {key: value for key, value in GOOD[kind].items() if key != name})
    assert ("result" in answer) == ((kind, name) in OPTIONAL)
    if "error" in answer:
        code = UNDECIDED.get(name, "missing_field") if kind == "engagement" else "missing_field"
        assert (answer["error"]["code"], answer["error"]["field"]) == (code, name)


@pytest.mark.parametrize(("kind", "name"), EACH_INPUT)
def test_no_input_takes_another_type(kind: str, name: str) -> None:
    others: list[Any] = [[], [1], "x" * 300, -1, 10**400, Decimal("1e999999"), NAN]
    others += [] if (kind, name) in OPTIONAL else [None]
    others += [] if isinstance(GOOD[kind][name], bool) or name == "first_year" else [True]
    others += [] if name == "facts" else [{}]  # every fact may be missing
    for other in others:
        error = ask(kind, GOOD[kind] | {name: other})["error"]
        assert error["field"].startswith(name), other
        assert error["message"]


MONEY_INPUTS = [(kind, name) for kind, name in EACH_INPUT if re.fullmatch(r"[0-9]+\.[0-9]{2}", str(GOOD[kind][name]))]


@pytest.mark.parametrize(("kind", "name"), [each for each in MONEY_INPUTS if not each[1].endswith("_pct")])
def test_money_is_pounds_as_text_and_nothing_else(kind: str, name: str) -> None:
    for other in ("-0.01", "-0.00", "1000000000000.00", "NaN", "Infinity", "1,000.00", "1.000", "£1.00", " 1.00", "1.00 ", "+1.00", "1e2",
                  "٣.٠٠", "0x10", "", 600, 600.0, Decimal("600.00")):  # fmt: skip
        error = ask(kind, GOOD[kind] | {name: other})["error"]
        assert error["field"] == name, other


def test_earlier_pay_is_not_guessed_for_a_cumulative_code() -> None:
    inputs = {name: value for name, value in GOOD["paye"].items() if not name.startswith("previous")}
    assert "result" in ask("paye", inputs)
    assert ask("paye", inputs | {"tax_period": 5})["error"]["field"] == "previous_taxable_pay"
    fortnight = inputs | {"frequency": "fortnightly"}
    assert "result" in ask("paye", fortnight | {"tax_period": 2})
    assert ask("paye", fortnight | {"tax_period": 4})["error"]["field"] == "previous_taxable_pay"
    assert ask("paye", inputs | {"tax_period": 53, "taxable_pay": "610.00"})["result"]["tax"] == "73.60"
    assert "result" in ask("paye", inputs | {"tax_period": 5, "tax_code": "1257L W1"})


@pytest.mark.parametrize(
    ("obj", "code", "field"),
    [
        ([], "invalid_object", None),
        (None, "invalid_object", None),
        ({"kind": "nic", "inputs": {}}, "missing_field", "id"),
        ({"id": "1", "inputs": {}}, "missing_field", "kind"),
        ({"id": "1", "kind": "nonsense", "inputs": {}}, "unknown_kind", "kind"),
        ({"id": "1", "kind": ["nic"], "inputs": {}}, "unknown_kind", "kind"),
        ({"id": "1", "kind": "nic", "tax_year": "2026-27"}, "missing_field", "inputs"),
        ({"id": "1", "kind": "nic", "tax_year": "2026-27", "inputs": []}, "invalid_object", "inputs"),
        ({"id": "1", "kind": "nic", "inputs": {}}, "missing_field", "tax_year"),
        ({"id": "1", "kind": "nic", "tax_year": "2026-28", "inputs": {}}, "invalid_tax_year", "tax_year"),
        ({"id": "1", "kind": "nic", "tax_year": "2027-28", "inputs": {}}, "unknown_tax_year", "tax_year"),
    ],
)
def test_bad_objects(obj: Any, code: str, field: str | None) -> None:
    error = calculate(obj)["error"]
    assert (error["code"], error["field"]) == (code, field)  # type: ignore[index]


json_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=8),
        st.sampled_from(["weekly", "600.00", "A", "0001-01-01", "9999-12-31", "1000000000.00", "PG"]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=5,
)


@given(st.sampled_from(KINDS), st.data())
@settings(max_examples=400, deadline=None)
def test_no_input_makes_it_raise(kind: str, data: st.DataObject) -> None:
    inputs = dict(GOOD[kind])
    for name in data.draw(st.lists(st.sampled_from(sorted(inputs)), max_size=3)):
        within = inputs[name] or None
        if isinstance(within, dict) and data.draw(st.booleans()):
            inputs[name] = within | {data.draw(st.sampled_from(sorted(within))): data.draw(json_values)}
        elif isinstance(within, list) and data.draw(st.booleans()):
            inputs[name] = [*within, data.draw(json_values), data.draw(st.sampled_from(within))]
        else:
            inputs[name] = data.draw(json_values)
    answer = ask(kind, inputs)
    assert answer["id"] == "1"
    assert ("result" in answer) != ("error" in answer)
    json.dumps(answer)


GOOD_LINE = json.dumps({"id": "a", "kind": "ssp", "tax_year": "2026-27", "inputs": GOOD["ssp"]}).encode()


class TestLines:
    def run(self, data: bytes) -> tuple[int, list[dict[str, Any]]]:
        out = io.StringIO()
        status = run_calc(io.BytesIO(data), out)
        return status, [json.loads(line) for line in out.getvalue().splitlines()]

    def test_bad_lines_never_stop_the_rest_and_the_order_holds(self) -> None:
        lines = [
            (GOOD_LINE, "a", None),
            (b"{broken", None, "invalid_json"),
            (b"", None, None),
            (b"  \t\r", None, None),
            (b"[" * 100_000, None, "invalid_json"),
            (b'{"id": "b", "kind": "nic", "tax_year": "2026-27", "inputs": {"x": NaN}}', "b", "missing_field"),
            (b'{"id": "\\ud800", "kind": "x"}', "\ud800", "unknown_kind"),
            (b"9" * 5000, None, "invalid_json"),
            (b"7", None, "invalid_object"),
            (b"null", None, "invalid_object"),
            (b'{"id": "c\xff", "kind": "ssp"}', None, "invalid_utf8"),
            (b"\xff\xfe{\x00", None, "invalid_utf8"),
            (b'{"id": "d", "x": "' + b"y" * MAX_LINE_BYTES + b'"}', None, "line_too_long"),
            (b'{"id": 1.5, "kind": "ssp"}', None, "invalid_text"),
            (GOOD_LINE.replace(b'"a"', b'"z"') + b"\r", "z", None),
        ]
        status, answers = self.run(b"\n".join(line for line, _, _ in lines) + b"\n")
        assert status == 0
        answered = [(name, code) for line, name, code in lines if line.strip()]
        assert [(each["id"], each.get("error", {}).get("code")) for each in answers] == answered
        assert answers[0]["result"] == answers[-1]["result"] == {"ssp": "73.95"}
        assert all(each["error"]["message"] and "field" in each["error"] for each in answers[1:-1])

    def test_a_byte_order_mark_and_the_last_line_without_an_end(self) -> None:
        text = "\ufeff" + json.dumps({"id": 7, "kind": "tax_code", "inputs": {"code": "BR"}})
        assert self.run(text.encode())[1][0]["result"]["kind"] == "BR"

    @pytest.mark.parametrize("spare", [0, 1])
    def test_the_longest_line(self, spare: int) -> None:
        line = GOOD_LINE + b" " * (MAX_LINE_BYTES - len(GOOD_LINE) + spare)
        for end in (b"", b"\n"):
            answers = self.run(line + end + (GOOD_LINE if end else b""))[1]
            assert ("result" in answers[0]) == (spare == 0)
            assert len(answers) == (2 if end else 1)

    def test_memory_does_not_grow_with_the_input(self) -> None:
        """A line of 25 MB and four thousand others pass in a fifth of that."""

        class Endless(io.RawIOBase):
            left = 25_000_000

            def readable(self) -> bool:
                return True

            def readinto(self, buffer: Any) -> int:
                count = min(len(buffer), self.left)
                buffer[:count] = b"x" * count
                self.left -= count
                return count

        class Sink(io.TextIOBase):
            lines = 0

            def write(self, text: str) -> int:
                self.lines += 1
                return len(text)

        bad = io.BytesIO(b"{}\n" * 4000)
        tracemalloc.start()
        try:
            sink = Sink()
            assert run_calc(io.BufferedReader(Endless()), sink) == 0
            assert run_calc(bad, sink) == 0
            assert sink.lines == 4001
            assert tracemalloc.get_traced_memory()[1] < 5_000_000
        finally:
            tracemalloc.stop()

    def test_an_input_that_breaks_off_is_said_and_is_not_0(self) -> None:
        class Broken(io.BytesIO):
            def readline(self, size: int | None = -1, /) -> bytes:
                raise OSError("device gone")

        out = io.StringIO()
        assert run_calc(Broken(), out) == 2
        assert json.loads(out.getvalue())["error"]["code"] == "unreadable_input"

    def test_the_page_s_examples_are_what_the_engine_answers(self) -> None:
        """docs/calculator.md shows each line of input followed by its answer."""
        blocks = DOCUMENT.read_text(encoding="utf-8").split("```json\n")[1:]
        pairs = [block.split("```")[0].strip().splitlines() for block in blocks]
        kinds = set()
        for given_line, *answer in pairs:
            asked = json.loads(given_line)
            assert calculate(asked) == json.loads("".join(answer)), asked["kind"]
            kinds.add(asked["kind"])
        assert kinds >= set(KINDS)


class TestTheCommand:
    def run(self, *arguments: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "pay_calc", "calc", *arguments], input=data, capture_output=True, timeout=60, check=False
        )  # fmt: skip

    def test_a_file_and_standard_input_answer_the_same(self, tmp_path: Path) -> None:
        data = GOOD_LINE + b"\nnonsense\n" + GOOD_LINE
        path = tmp_path / "asked.jsonl"
        path.write_bytes(data)
        from_file, piped, dash = self.run(str(path)), self.run(data=data), self.run("-", data=data)
        assert from_file.stdout == piped.stdout == dash.stdout
        assert [json.loads(line)["id"] for line in piped.stdout.splitlines()] == ["a", None, "a"]
        assert (from_file.returncode, piped.returncode, piped.stderr) == (0, 0, b"")

    @pytest.mark.parametrize("name", ["missing.jsonl", "."])
    def test_a_file_that_cannot_be_read_is_said(self, tmp_path: Path, name: str) -> None:
        found = self.run(str(tmp_path / name))
        assert (found.returncode, found.stdout) == (2, b"")
        assert b"cannot be read" in found.stderr

    def test_each_answer_comes_when_its_line_was_given(self) -> None:
        with subprocess.Popen(
            [sys.executable, "-m", "pay_calc", "calc"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            for _ in range(2):
                process.stdin.write(GOOD_LINE + b"\n")
                process.stdin.flush()
                assert json.loads(process.stdout.readline())["id"] == "a"
            process.stdout.close()
            process.stdin.write(GOOD_LINE + b"\n")
            process.stdin.close()
            assert process.wait(60) == 0
