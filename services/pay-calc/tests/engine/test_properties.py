"""Laws of the engine that hold for every input."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import pay_calc.domain.engine as engine_package
import pay_calc.rates as rates_package
from pay_calc.domain.engine import loans, nic, pension
from pay_calc.domain.engine.attachments import AttachmentOrder
from pay_calc.domain.engine.directors import annual_thresholds
from pay_calc.domain.engine.income_tax import free_pay_period_1, period_table, tax_for_payment
from pay_calc.domain.engine.parameters import BASE_OF, FREQUENCIES, SPAN_OF, YearParameters
from pay_calc.domain.engine.payslip import (
    DirectorTerms,
    EarningsPeriodToDate,
    NetDeduction,
    PayLineInput,
    PayslipInput,
    PayslipResult,
    PensionTerms,
    calculate_payslip,
)
from pay_calc.domain.engine.periods import LatePeriod
from pay_calc.domain.engine.rounding import ROUNDINGS
from pay_calc.domain.engine.tax_code import parse_tax_code
from pay_calc.domain.engine.trace import Node, Trace, recompute
from pay_calc.domain.explained import figure_of
from pay_calc.rates import minimum_wage_book, parameters_for_year

YEARS = [parameters_for_year("2025-26"), parameters_for_year("2026-27")]
LETTERS = sorted(YEARS[0].nic_letters)

years = st.sampled_from(YEARS)
frequencies = st.sampled_from(FREQUENCIES)
pays = st.one_of(st.integers(0, 200_000), st.integers(0, 20_000_000))
bases = st.sampled_from(["", " W1"])
bodies = st.one_of(
    st.builds("{}{}L".format, st.sampled_from(["", "S", "C"]), st.integers(0, 9999)),
    st.builds("{}K{}".format, st.sampled_from(["", "S", "C"]), st.integers(1, 9999)),
    st.sampled_from(["BR", "D0", "D1", "NT", "SBR", "SD0", "SD1", "SD2", "SD3", "CBR", "CD0", "CD1", "0T", "S0T"]),
)
codes = st.builds("{}{}".format, bodies, bases)


def periods_of(frequency: str) -> st.SearchStrategy[int]:
    span, base = SPAN_OF[frequency], BASE_OF[frequency]
    return st.integers(1, base // span).map(lambda count: count * span)


@given(years, frequencies, codes, st.data(), pays, pays, pays)
@settings(max_examples=400, deadline=None)
def test_tax_never_falls_as_pay_rises(
    parameters: YearParameters, frequency: Any, code: str, data: st.DataObject, pay: int, more: int, before: int
) -> None:
    period = data.draw(periods_of(frequency))
    parsed = parse_tax_code(code)
    less_tax = tax_for_payment(parameters, parsed, frequency, period, pay, before).tax_pence
    assert tax_for_payment(parameters, parsed, frequency, period, pay + more, before).tax_pence >= less_tax


def test_tax_never_falls_across_any_band_edge() -> None:
    """Every band edge of every period of both years: the one place where the routine's truncation could make tax fall."""
    for parameters in YEARS:
        for prefix, region in (("", "rUK"), ("S", "Scotland")):
            code = parse_tax_code(f"{prefix}0T")
            for frequency, base in (("weekly", 52), ("monthly", 12)):
                for period in range(1, base + 1):
                    for edge in period_table(parameters.regions[region], base, period)[0]:
                        around = [edge + step for step in (-101, -100, -1, 0, 1, 99, 100, 101) if edge + step >= 0]
                        taxes = [tax_for_payment(parameters, code, frequency, period, pay).tax_pence for pay in around]  # type: ignore[arg-type]
                        assert taxes == sorted(taxes)


@given(years, frequencies, st.sampled_from(LETTERS), pays, st.integers(0, 3000))
@settings(max_examples=400, deadline=None)
def test_nic_never_falls_as_pay_rises(
    parameters: YearParameters, frequency: str, letter: str, pay: int, more: int
) -> None:
    low, high = nic.class_1(parameters, frequency, letter, pay), nic.class_1(parameters, frequency, letter, pay + more)
    assert high.employee_pence >= low.employee_pence
    assert high.employer_pence >= low.employer_pence


@given(years, frequencies, pays, st.integers(0, 30000))
@settings(max_examples=200, deadline=None)
def test_no_loan_falls_as_pay_rises(parameters: YearParameters, frequency: Any, pay: int, more: int) -> None:
    for plan in parameters.loans:
        now = loans.deduction(parameters, plan, frequency, pay)
        assert now % 100 == 0
        assert loans.deduction(parameters, plan, frequency, pay + more) >= now


def annual_tax(parameters: YearParameters, region: str, taxable_pounds: int) -> Fraction:
    """The tax of a year from band widths and rates alone, with no routine: the law's own sum."""
    bands = parameters.regions[region]
    edges = [0, *bands.edges_pounds]
    tax = Fraction(0)
    for index, rate in enumerate(bands.rates_bp):
        top = edges[index + 1] if index + 1 < len(edges) else taxable_pounds
        tax += Fraction(max(0, min(taxable_pounds, top) - edges[index]) * rate, 10000)
    return tax


@given(
    years,
    st.sampled_from(["weekly", "monthly"]),
    st.sampled_from(["", "S", "C"]),
    st.integers(0, 1500),
    st.lists(st.integers(0, 3_000_000), min_size=12, max_size=12),
)
@settings(max_examples=100, deadline=None)
def test_a_year_of_cumulative_tax_is_the_annual_tax(
    parameters: YearParameters, frequency: Any, prefix: str, number: int, drawn: list[int]
) -> None:
    code = parse_tax_code(f"{prefix}{number}T")
    base = BASE_OF[frequency]
    pay_to_date = tax_to_date = 0
    for period in range(1, base + 1):
        pay = drawn[period % 12]
        result = tax_for_payment(parameters, code, frequency, period, pay, pay_to_date, tax_to_date)
        pay_to_date, tax_to_date = pay_to_date + pay, result.tax_to_date_pence
    assume(not result.limited_to_50pct)
    free_pay = free_pay_period_1(parameters, number, base) * base
    taxable = max(0, pay_to_date - free_pay) // 100
    exact = annual_tax(parameters, code.region, taxable)
    assert tax_to_date == int(exact * 100)
    # the free pay itself is the code's allowance, plus less than a penny a period and 0.32 (0.04 monthly) a slice of 500
    allowance = number * 10 + 9 if number else 0
    assert 0 <= Fraction(free_pay, 100) - allowance < 1 + Fraction(32, 100) * (number // 500 + 1)


def line(minutes: int, rate: str, element: str = "basic", placement: str = "P-1", **more: Any) -> PayLineInput:
    amount = Decimal(rate)
    return PayLineInput(
        placement, element, minutes, None, "hour", amount, min(amount, Decimal("12.71")), 0, True, **more
    )


hour_lines = st.builds(
    line,
    st.integers(0, 4000),
    st.decimals("8", "60", places=4, allow_nan=False).map(str),
    st.sampled_from(["basic", "overtime", "night"]),
    st.sampled_from(["P-1", "P-2"]),
)
unit_lines = st.builds(
    lambda units, rate, element: PayLineInput("P-1", element, 0, units, "each", rate, rate, 0, False),
    st.decimals(0, 9, places=2, allow_nan=False),
    st.decimals(0, 99, places=4, allow_nan=False),
    st.sampled_from(["allowance", "expense"]),
)
pensions = st.one_of(
    st.none(),
    st.builds(PensionTerms, st.sampled_from(["net_pay", "ras"]), st.integers(0, 1200), st.integers(0, 1200)),
    st.builds(
        PensionTerms,
        st.just("salary_sacrifice"),
        employer_bp=st.sampled_from([0, 300]),
        sacrifice_pence=st.sampled_from([0, 2500]),
    ),
)


directors = st.one_of(
    st.none(),
    st.none(),
    st.builds(
        DirectorTerms, st.sampled_from(["standard", "alternative"]), st.integers(1, 52), st.integers(0, 6_000_000),
        st.integers(0, 300_000), st.integers(0, 800_000), st.booleans(),
    ),
)  # fmt: skip


@st.composite
def payslips(draw: st.DrawFn) -> PayslipInput:
    parameters = draw(years)
    frequency = draw(frequencies)
    payday = parameters.starts_on + timedelta(days=draw(st.integers(0, 364)))
    plans = [None, *(plan for plan in parameters.loans if plan != "PG")]
    letter, terms, second = draw(st.sampled_from(LETTERS)), draw(pensions), draw(st.booleans())
    director = None if second else draw(directors)
    births = [None] if director else [None, date(1990, 1, 1), date(2007, 5, 5)]
    earlier = EarningsPeriodToDate()
    lines = (
        *draw(st.lists(st.one_of(hour_lines, unit_lines), max_size=5)),
        *([line(600, "15.00")] if terms is not None and terms.sacrifice_pence else []),
    )
    late: tuple[LatePeriod, ...] = ()
    if director is None and lines and draw(st.booleans()):
        owed_on = payday - timedelta(days=draw(st.sampled_from([7, 400])))
        late = (LatePeriod("earlier", owed_on, (0,), student_loan=draw(st.booleans())),)
    if second:
        charged = nic.class_1(parameters, frequency, letter, 40000)
        pensioned = terms and pension.contributions(
            parameters, frequency, 40000, terms.employee_bp, terms.employer_bp, terms.basis
        )
        earlier = EarningsPeriodToDate(
            40000, charged.employee_pence, charged.employer_pence, 0, 0, 40000,
            pensioned.employee_deducted_pence if pensioned else 0, pensioned.employer_pence if pensioned else 0,
        )  # fmt: skip
    return PayslipInput(
        parameters=parameters,
        frequency=frequency,
        payday_on=payday,
        tax_code=draw(codes),
        ni_letter=letter,
        pay_lines=lines,
        late=late,
        pay_to_date_pence=draw(pays),
        tax_to_date_pence=draw(st.integers(0, 100_000)),
        previous_pay_pence=draw(st.sampled_from([0, 512345])),
        previous_tax_pence=draw(st.sampled_from([0, 54321])),
        holiday=draw(st.sampled_from(["rolled_up", "none"])),
        student_loan_plan=draw(st.sampled_from(plans)),
        postgrad_loan=draw(st.booleans()),
        pension=terms,
        birth_on=draw(st.sampled_from(births)),
        period_from=payday - timedelta(days=12),
        minimum_wage=minimum_wage_book(),
        payrolled_benefits_pence=draw(st.sampled_from([0, 12345])),
        director=director,
        earnings_period=earlier,
        deductions=(NetDeduction("uniform", 500),) if draw(st.booleans()) else (),
        apprenticeship_levy=draw(st.booleans()),
    )  # fmt: skip


@given(payslips(), st.data())
@settings(max_examples=150, deadline=None)
def test_splitting_a_week_into_two_timesheets_changes_nothing(inp: PayslipInput, data: st.DataObject) -> None:
    halves: list[PayLineInput] = []
    for whole in inp.pay_lines:
        part = data.draw(st.integers(0, whole.minutes))
        halves += [replace(whole, minutes=part, units=None), replace(whole, minutes=whole.minutes - part)]
    late = tuple(replace(each, lines=(0, 1)) for each in inp.late)
    split = calculate_payslip(replace(inp, pay_lines=tuple(halves), late=late))
    whole_result = calculate_payslip(inp)

    def figures(result: Any) -> Any:
        return replace(result, pay_lines=tuple(replace(each, sources=(), shares_pence=()) for each in result.pay_lines))

    assert figures(split) == figures(whole_result)
    for each in split.pay_lines:
        assert sum(each.shares_pence) == each.amount_pence


@given(payslips())
@settings(max_examples=100, deadline=None)
def test_replay_is_identity_and_a_trace_changes_nothing(inp: PayslipInput) -> None:
    assert calculate_payslip(inp) == calculate_payslip(inp, Trace()) == calculate_payslip(replace(inp))


@given(payslips(), hour_lines)
@settings(max_examples=100, deadline=None)
def test_amend_then_amend_back_is_identity(inp: PayslipInput, extra: PayLineInput) -> None:
    there_and_back = (*inp.pay_lines, extra, replace(extra, minutes=-extra.minutes))
    again = calculate_payslip(replace(inp, pay_lines=there_and_back))
    before = calculate_payslip(inp)
    assert replace(again, pay_lines=()) == replace(before, pay_lines=())


def nodes_of(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from nodes_of(child)


def facts_of(inp: PayslipInput, result: PayslipResult) -> dict[str, set[int]]:
    """What each kind of leaf may be: a fact of the input, a figure of the year's file, or another figure of the payslip. Nothing else is
    taken as given: a figure that the engine works out has to show how."""
    year, earlier, director = inp.parameters, inp.earnings_period, inp.director
    annual = director is not None and (director.method == "standard" or director.last_payment_of_year)
    late = {each.niable_pence for each in result.late}
    own = result.niable_pence - sum(late)
    niable = earlier.niable_pence + own
    if annual and director:
        niable += director.earnings_to_date_pence
    pensionable = earlier.pensionable_pay_pence + own
    limits = (
        annual_thresholds(year, director.pro_rata_weeks) if annual and director else year.nic_thresholds[inp.frequency]
    )
    code, base = parse_tax_code(inp.tax_code), BASE_OF[inp.frequency]
    cumulative = result.tax_basis == "cumulative"
    table = period_table(year.regions[code.region], base, result.tax_period if cumulative else SPAN_OF[inp.frequency])
    terms = inp.pension
    work = sum(
        share
        for line in result.pay_lines
        for share, source in zip(line.shares_pence, line.sources, strict=True)
        if inp.pay_lines[source].holiday_counts and line.element != "expense"
    )
    return {
        "pay.units": {line.minutes if line.rate_unit == "hour" else int((line.units or 0) * 10000) for line in result.pay_lines},
        "pay.fixed": {line.amount_pence for line in result.pay_lines},
        "pay.sacrifice": {terms.sacrifice_pence if terms else 0},
        "pay.deduction": {each.amount_pence for each in inp.deductions},
        "holiday.pay_for_work": {work},
        "paye.pay": {result.taxable_pence},
        "paye.money": {result.taxable_pence - inp.payrolled_benefits_pence},
        "paye.benefits": {inp.payrolled_benefits_pence},
        "paye.pay_before": {inp.pay_to_date_pence + inp.previous_pay_pence},
        "paye.tax_before": {inp.tax_to_date_pence + inp.previous_tax_pence if cumulative else 0},
        "paye.free_pay_period_1": {free_pay_period_1(year, code.number or 0, base)},
        "paye.band_edge": set(table[1]),
        "paye.band_tax": set(table[2]),
        "nic.pay": {niable, *late},
        "nic.threshold": {limits.pt, limits.st, limits.fust, limits.uel},
        "nic.limit": {limits.uel},
        "nic.employer": {0},
        "nic.zero": {0},
        "nic.director.employee_paid": {director.employee_paid_pence if director else 0},
        "nic.director.employer_paid": {director.employer_paid_pence if director else 0},
        "loan.earnings": {earlier.niable_pence + own, *late},
        "loan.threshold": {loans.period_threshold(year, plan, inp.frequency) for plan in year.loans},
        "loan.zero": {0},
        "pension.pay": {pensionable, *late},
        "pension.upper": {year.pension[inp.frequency].upper},
        "pension.lower": {year.pension[inp.frequency].lower},
        "pension.zero": {0},
        "period.already": {
            earlier.employee_nic_pence, earlier.employer_nic_pence, earlier.employee_pension_pence, earlier.employer_pension_pence
        },
        "levy.earnings": {result.niable_pence},
        **facts_of_orders(inp, result),
    }  # fmt: skip


def facts_of_orders(inp: PayslipInput, result: PayslipResult) -> dict[str, set[int]]:
    """The leaves of orders: what each states, and what those before it left."""
    attachable = result.niable_pence - result.employee_pension_pence - result.tax_pence - result.employee_nic_pence
    lefts = {attachable - sum(each.deducted_pence for each in result.attachments[:n]) for n in range(4)}
    loan_sums = {0, result.student_loan_pence, result.student_loan_pence + result.postgrad_loan_pence}
    protected = {order.protected_pence for order in inp.attachments}
    return {
        "order.normal": {order.normal_pence for order in inp.attachments},
        "order.brought_forward": {order.brought_forward_pence for order in inp.attachments},
        "order.protected": protected,
        "order.owed": {order.owed_pence or 0 for order in inp.attachments},
        "order.by_hand": {order.by_hand_pence or 0 for order in inp.attachments},
        "order.earnings": lefts,
        "order.there": {left - taken for left in lefts for taken in loan_sums},
        "order.loan_room": {
            max(0, left - taken - kept) for left in lefts for taken in loan_sums for kept in protected | {0}
        },
        "order.zero": {0},
    }


def require_lawful(inp: PayslipInput, result: PayslipResult, trace: Trace) -> None:
    """Lines sum to net, each is the payslip's own figure, and every other node recomputes from its children down to facts."""
    facts = facts_of(inp, result)
    for root in (trace.root, *trace.aside):
        for node in nodes_of(root):
            if node.op == "given":
                assert not node.children, node
                assert node.result in facts[node.rule_id], node
            else:
                assert node.children, node
                assert len(node.signs) == (len(node.children) if node.op == "sum" else 0), node
                assert all(node.signs), node
                assert (node.rounding in ROUNDINGS) == (node.op == "ratio"), node
                assert recompute(node) == node.result, node
    net = trace.root
    assert (net.op, net.rule_id, net.result) == ("sum", "pay.net", result.net_pence)
    by_figure: Counter[str] = Counter()
    for sign, child in zip(net.signs, net.children, strict=True):
        by_figure[figure_of(child) or child.rule_id] += sign * child.result
    for child in trace.aside:
        by_figure[figure_of(child) or child.rule_id] += child.result
    wanted = {
        "pay": sum(line.amount_pence for line in result.pay_lines),
        "holiday": result.holiday_pence,
        "sacrifice": -result.sacrifice_pence,
        "pension": -result.employee_pension_pence,
        "tax": -result.tax_pence,
        "nic": -result.employee_nic_pence,
        "loan": -result.student_loan_pence - result.postgrad_loan_pence,
        "attachment": -result.attachments_pence,
        "deduction": -result.other_deductions_pence,
        "employer_nic": result.employer_nic_pence,
        "employer_pension": result.employer_pension_pence,
        "levy": result.levy_pence,
    }
    assert {name: by_figure[name] for name in wanted | by_figure} == wanted


stated_orders = st.builds(
    AttachmentOrder,
    st.sampled_from(["order 1", "order 2", "order 3"]),
    st.sampled_from(["DEO", "AEO_priority", "AEO_non_priority"]),
    st.dates(date(2025, 1, 1), date(2026, 3, 1)),
    st.integers(0, 20_000),
    st.integers(0, 40_000),
    st.integers(0, 5_000),
    owed_pence=st.one_of(st.none(), st.integers(1, 30_000)),
)


@given(payslips(), st.lists(stated_orders, max_size=3, unique_by=lambda order: order.reference))
@settings(max_examples=300, deadline=None)
def test_explanation_lines_sum_to_net_and_every_other_node_recomputes_down_to_facts(
    without: PayslipInput, orders: list[AttachmentOrder]
) -> None:
    inp, trace = replace(without, attachments=tuple(orders)), Trace()
    require_lawful(inp, calculate_payslip(inp, trace), trace)


def changed(node: Node, rule_id: str, **values: Any) -> Node:
    """The tree with every node of a rule changed, and nothing above it recomputed."""
    children = tuple(changed(child, rule_id, **values) for child in node.children)
    return replace(node, **{"children": children, **(values if node.rule_id == rule_id else {})})


MUTATIONS = {
    "net is a penny off": lambda root: replace(root, result=root.result + 1),
    "a line is left out": lambda root: replace(root, children=root.children[:-1], signs=root.signs[:-1]),
    "a deduction is added": lambda root: replace(root, signs=(1,) * len(root.signs)),
    "two lines change places": lambda root: replace(
        root, children=tuple(
            replace(child, rule_id={"paye.tax": "nic.employee", "nic.employee": "paye.tax"}.get(child.rule_id, child.rule_id))
            for child in root.children
        )
    ),
    "tax is taken as given": lambda root: changed(root, "paye.tax", op="given", children=()),
    "tax is given and keeps its children": lambda root: changed(root, "paye.tax", op="given"),
    "the band's pay is taken as given": lambda root: changed(root, "nic.employee_main.earnings", op="given", children=()),
    "another rounding": lambda root: changed(root, "paye.whole_pounds", rounding="threshold_ceil_pound"),
    "no rounding": lambda root: changed(root, "holiday.rolled_up", rounding=None),
    "a rate": lambda root: changed(root, "paye.band_slice", factors=(1999,)),
    "a factor of free pay": lambda root: changed(root, "paye.free_pay", factors=(2,)),
    "the other of both": lambda root: changed(root, "paye.tax", op="max"),
    "a leaf that is not the input's": lambda root: changed(root, "paye.pay_before", result=1),
    "a threshold of another year": lambda root: changed(root, "nic.threshold", result=24100),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTATIONS)
def test_the_law_of_explanations_catches(name: str) -> None:
    inp = PayslipInput(
        parameters=YEARS[1],
        frequency="weekly",
        payday_on=date(2026, 4, 24),
        tax_code="1257L",
        ni_letter="A",
        pay_lines=(line(2401, "15.33"),),
        pay_to_date_pence=123456,
        tax_to_date_pence=10000,
        holiday="rolled_up",
        pension=PensionTerms("net_pay", 500, 300),
    )
    trace = Trace()
    result = calculate_payslip(inp, trace)
    require_lawful(inp, result, trace)
    wrong = Trace([MUTATIONS[name](trace.root)], trace.aside)
    assert wrong.root != trace.root
    with pytest.raises((AssertionError, KeyError)):
        require_lawful(inp, result, wrong)


@given(payslips())
@settings(max_examples=100, deadline=None)
def test_the_payslip_identities(inp: PayslipInput) -> None:
    r = calculate_payslip(inp)
    lines_sum = sum(each.amount_pence for each in r.pay_lines)
    assert lines_sum + r.holiday_pence == r.gross_pence + r.expenses_pence
    loans_sum = r.student_loan_pence + r.postgrad_loan_pence
    taken = (
        r.sacrifice_pence
        + r.tax_pence
        + r.employee_nic_pence
        + loans_sum
        + r.employee_pension_pence
        + r.other_deductions_pence
    )
    assert r.net_pence == r.gross_pence - taken + r.expenses_pence
    assert r.pay_to_date_pence == inp.pay_to_date_pence + r.taxable_pence
    assert r.tax_to_date_pence == inp.tax_to_date_pence + r.tax_pence


def values_of(value: Any) -> Iterator[Any]:
    if is_dataclass(value) and not isinstance(value, type):
        for each in fields(value):
            yield from values_of(getattr(value, each.name))
    elif isinstance(value, tuple):
        for item in value:
            yield from values_of(item)
    else:
        yield value


@given(payslips())
@settings(max_examples=50, deadline=None)
def test_no_float_comes_out(inp: PayslipInput) -> None:
    assert not any(isinstance(value, float) for value in values_of(calculate_payslip(inp)))


SOURCES = sorted(
    [*Path(engine_package.__file__).parent.glob("*.py"), *Path(rates_package.__file__).parent.glob("*.py")]
)
FLOAT_MODULES = {"math", "cmath", "statistics", "fractions", "numpy", "random"}


def floats_in(source: str) -> list[str]:
    """Every way a float gets into integer arithmetic: a literal, float(), round(), true division, a negative power, a module of floats."""
    found = []
    for node in ast.walk(ast.parse(source)):
        at = f"line {getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
            found.append(f"{at}: a float literal")
        if isinstance(node, ast.Name | ast.Attribute):
            name = node.id if isinstance(node, ast.Name) else node.attr
            if name in ("float", "round", "__float__", "as_integer_ratio", "total_seconds"):
                found.append(f"{at}: {name}")
        if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
            found.append(f"{at}: true division")
        if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Pow):
            power = node.right if isinstance(node, ast.BinOp) else node.value
            if not (isinstance(power, ast.Constant) and isinstance(power.value, int)):
                found.append(f"{at}: a power that may be negative")
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        found += [f"{at}: imports {name}" for name in names if name.split(".")[0] in FLOAT_MODULES]
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_engine_has_no_float_arithmetic(path: Path) -> None:
    assert floats_in(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "bad",
    ["tax = pay / 5", "tax /= 5", "tax = pay * 0.2", "tax = float(pay)", "tax = round(pay)", "tax = pay * 10 ** -2", "tax **= n",
     "import math", "from statistics import mean", "days = gap.total_seconds()", "tax = 1j * pay"],
)  # fmt: skip
def test_the_float_check_fails_on_each_of_them(bad: str) -> None:
    assert len(floats_in(bad)) == 1


def test_the_float_check_fails_on_the_engine_itself_with_a_float_in_it() -> None:
    source = (Path(engine_package.__file__).parent / "loans.py").read_text(encoding="utf-8")
    whole = "rounding.loan_floor_pound(over * loan.rate_bp, 1000000)"
    assert whole in source
    assert floats_in(source.replace(whole, "int(over * loan.rate_bp / 1000000)"))
