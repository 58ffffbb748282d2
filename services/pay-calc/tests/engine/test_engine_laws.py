"""Laws that join rules: the employer's cost, replay, and an umbrella payslip made by the engine before its own checks."""

from __future__ import annotations

import copy
from dataclasses import fields, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pay_calc.domain.engine import umbrella
from pay_calc.domain.engine.attachments import AttachmentOrder
from pay_calc.domain.engine.deductions import Recoverable, payslip_with_recovery
from pay_calc.domain.engine.parameters import FREQUENCIES
from pay_calc.domain.engine.payslip import PayLineInput, PayslipInput, PensionTerms, calculate_payslip
from pay_calc.domain.engine.tax_code import parse_tax_code
from pay_calc.domain.engine.trace import Node, Trace, recompute
from pay_calc.domain.engine.umbrella_checks import UmbrellaFacts, UmbrellaPayslip, check_payslip
from pay_calc.rates import attachment_book, minimum_wage_book, parameters_for_year

YEARS = [parameters_for_year("2025-26"), parameters_for_year("2026-27")]
P26 = YEARS[1]
letters = st.sampled_from(sorted(P26.nic_letters))
frequencies = st.sampled_from(FREQUENCIES)
pays = st.integers(0, 1_000_000)
terms = st.one_of(
    st.none(),
    st.builds(PensionTerms, st.sampled_from(["net_pay", "ras"]), st.integers(0, 1000), st.integers(0, 1000)),
)
kinds: st.SearchStrategy[Any] = st.sampled_from(
    ["DEO", "AEO_priority", "AEO_non_priority", "CTAEO", "DEA", "scottish_arrestment"]
)
orders = st.builds(
    AttachmentOrder,
    st.uuids().map(str),
    kinds,
    st.dates(date(2025, 4, 6), date(2026, 4, 5)),
    st.integers(0, 40000),
    st.integers(0, 40000),
    jurisdiction=st.sampled_from(["England"]),
).map(lambda each: replace(each, jurisdiction="Scotland") if each.kind == "scottish_arrestment" else each)


def line(pence: int, element: str = "basic") -> PayLineInput:
    return PayLineInput("P-1", element, 0, None, "each", Decimal(0), Decimal(0), pence, False, amount_is_final=True)


def check(node: Node) -> None:
    assert recompute(node) == node.result
    for child in node.children:
        check(child)


@given(st.sampled_from(YEARS), frequencies, letters, terms, pays, st.integers(0, 5000), st.booleans(), st.booleans())
@settings(max_examples=120, deadline=None)
def test_the_employers_cost_never_falls_as_pay_rises(
    parameters: Any,
    frequency: Any,
    letter: str,
    pension: PensionTerms | None,
    pay: int,
    more: int,
    levy: bool,
    rolled_up: bool,
) -> None:
    inp = PayslipInput(
        parameters, frequency, parameters.starts_on + timedelta(days=30), "BR", letter, (line(pay),), pension=pension,
        apprenticeship_levy=levy, holiday="rolled_up" if rolled_up else "none",
    )  # fmt: skip
    less, larger = calculate_payslip(inp), calculate_payslip(replace(inp, pay_lines=(line(pay + more),)))
    assert larger.cost_pence >= less.cost_pence + more


@given(st.sampled_from(YEARS), frequencies, letters, pays, st.integers(0, 3000), st.booleans(), st.integers(0, 1000))
@settings(max_examples=100, deadline=None)
def test_an_umbrellas_costs_never_fall_as_gross_rises(
    parameters: Any, frequency: Any, letter: str, gross: int, more: int, levy: bool, pension_bp: int
) -> None:
    found = parameters.nic_letters[letter]
    less = umbrella.employer_costs(parameters, frequency, found, gross, levy, pension_bp)
    assert (
        umbrella.employer_costs(parameters, frequency, found, gross + more, levy, pension_bp).total_pence
        >= less.total_pence
    )


@given(frequencies, letters, terms, pays, st.lists(orders, max_size=4), st.sampled_from([None, "1", "2"]))
@settings(max_examples=80, deadline=None)
def test_replay_is_identity(
    frequency: Any,
    letter: str,
    pension: PensionTerms | None,
    pay: int,
    attached: list[AttachmentOrder],
    plan: str | None,
) -> None:
    inp = PayslipInput(
        P26, frequency, date(2026, 5, 6), "1257L", letter, (line(pay), line(pay // 9, "SSP"), line(pay // 7, "SMP")),
        pension=pension, student_loan_plan=plan, attachments=tuple(attached), attachment_book=attachment_book(),
    )  # fmt: skip
    trace, again = Trace(), Trace()
    first = calculate_payslip(inp, trace)
    stored = {
        each.name: getattr(inp, each.name) for each in fields(inp) if each.name not in ("parameters", "attachment_book")
    }
    rebuilt = PayslipInput(parameters=P26, attachment_book=attachment_book(), **copy.deepcopy(stored))
    rebuilt = replace(rebuilt, attachments=tuple(reversed(rebuilt.attachments)))
    assert calculate_payslip(rebuilt, again) == first == calculate_payslip(inp)
    assert (trace.root, trace.aside) == (again.root, again.aside)
    assert trace.root.result == first.net_pence
    check(trace.root)
    assert sum(each.deducted_pence for each in first.attachments) == first.attachments_pence
    assert min((each.deducted_pence for each in first.attachments), default=0) >= 0


@given(st.integers(0, 80000), st.integers(0, 80000))
@settings(max_examples=60, deadline=None)
def test_replay_of_a_payslip_with_recovery_is_identity(pay: int, advance: int) -> None:
    inp = PayslipInput(P26, "weekly", date(2026, 5, 8), "1257L W1", "A", (line(pay),))
    wanted = [Recoverable("advance 1", "advance", advance, advance, date(2026, 5, 1))]
    trace = Trace()
    slip, taken = payslip_with_recovery(inp, wanted, trace)
    check(trace.root)
    assert (slip, taken) == payslip_with_recovery(inp, wanted)
    assert taken[0].taken_pence + taken[0].outstanding_pence == advance


@given(
    st.integers(5000, 300000),
    st.integers(0, 3000),
    st.booleans(),
    st.sampled_from([0, 300]),
    st.sampled_from([0, 500]),
    st.booleans(),
)
@settings(max_examples=120, deadline=None)
def test_a_payslip_the_engine_reconciled_passes_its_own_checks(
    income: int, margin: int, levy: bool, employer_bp: int, employee_bp: int, accrued: bool
) -> None:
    assume(income > margin)
    made = umbrella.reconcile(
        P26, frequency="weekly", assignment_income_pence=income, margin_pence=margin, ni_letter="A",
        tax_code=parse_tax_code("1257L W1"), tax_period=5, levy=levy, employer_pension_bp=employer_bp,
        employee_pension_bp=employee_bp, holiday_rolled_up=not accrued, holiday_accrued=accrued,
    )  # fmt: skip
    slip = UmbrellaPayslip(
        frequency="weekly", payday_on=date(2026, 5, 8), tax_code="1257L W1", tax_period=5, ni_letter="A",
        assignment_income_pence=income, employer_nic_pence=made.employer_nic_pence, levy_pence=made.levy_pence,
        employer_pension_pence=made.employer_pension_pence, margin_pence=made.margin_pence, gross_pence=made.gross_pence,
        basic_pence=made.basic_pence, holiday_paid_pence=made.holiday_pence, holiday_accrued_pence=made.retained_pence,
        tax_pence=made.tax_pence,
        employee_nic_pence=made.employee_nic_pence, student_loan_pence=0, postgrad_loan_pence=0,
        employee_pension_pence=made.employee_pension_pence, net_pence=made.net_pence, minutes=None,
    )  # fmt: skip
    facts = UmbrellaFacts(contracted_margin_pence=margin, pension_employer_bp=employer_bp)
    checks = check_payslip(P26, slip, facts, minimum_wage_book())
    assert [(each.name, each.words) for each in checks if each.verdict == "fail"] == []
    assert all(each.verdict == "pass" for each in checks[:10])
