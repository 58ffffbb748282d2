"""The calculator's kinds that work a payslip: the payslip itself, the gross of a net pay, the cost of an hour."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from decimal import Decimal
from typing import Literal, cast

from pay_calc.domain.calculator_inputs import MAX_PERIOD_MINUTES, Inputs, Result, money, rate, renamed
from pay_calc.domain.engine import deductions
from pay_calc.domain.engine.calendar import payday_in
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.net_to_gross import gross_for_net
from pay_calc.domain.engine.parameters import SPAN_OF, YearParameters, tax_year_of
from pay_calc.domain.engine.payslip import PayLineInput, PayslipInput, PayslipResult, PensionTerms, calculate_payslip
from pay_calc.domain.engine.quote import cost_of_hour


def payslip(inputs: Inputs, parameters: YearParameters) -> Result:
    template, gross = _without_pay(inputs, parameters), inputs.money("gross")
    with _as_written(inputs):
        return _figures(_paying(template, gross))


def overpayment(inputs: Inputs, parameters: YearParameters) -> Result:
    template = _without_pay(inputs, parameters)
    gross_paid, gross_right = inputs.money("gross_paid"), inputs.money("gross_right")
    payday_on = inputs.day("recovery_payday_on")
    if payday_on < template.payday_on:
        raise EngineError(
            "recovery_before_payday",
            f"{payday_on} is before the payday {template.payday_on} of what was overpaid.",
            inputs.path("recovery_payday_on"),
        )
    with _as_written(inputs), renamed({"paid": inputs.path("gross_paid")}):
        paid, right = _paying(template, gross_paid), _paying(template, gross_right)
        found = deductions.overpayment(paid, right, tax_year_of(payday_on))
    before, after = _pence(paid), _pence(right)
    return {
        "way": found.way,
        "words": found.words,
        "gross": money(found.gross_pence),
        **{name: money(before[name] - after[name]) for name in before},
    }


def _paying(template: PayslipInput, gross: int) -> PayslipResult:
    line = PayLineInput("gross", "basic", 0, None, "each", Decimal(0), Decimal(0), gross, False, False, True)
    return calculate_payslip(replace(template, pay_lines=(line,)))


def net_to_gross(inputs: Inputs, parameters: YearParameters) -> Result:
    template, target = _without_pay(inputs, parameters), inputs.money("target_net")
    with _as_written(inputs):
        found = gross_for_net(template, target)
    return {"gross": money(found.gross_pence), "overshoot": money(found.overshoot_pence), **_figures(found.payslip)}


def hour_cost(inputs: Inputs, parameters: YearParameters) -> Result:
    frequency = inputs.frequency()
    template = PayslipInput(
        parameters=parameters,
        frequency=frequency,
        payday_on=payday_in(parameters.starts_on, frequency, SPAN_OF[frequency]),
        tax_code=parameters.emergency_code,
        ni_letter=inputs.letter(parameters, "ni_letter"),
        pay_lines=(),
        holiday=cast(Literal["rolled_up", "none"], inputs.choice("holiday", ("rolled_up", "none"))),
        pension=_pension_terms(inputs),
        apprenticeship_levy=inputs.boolean("apprenticeship_levy"),
    )
    pay_rate, minutes = inputs.rate("pay_rate"), inputs.whole("minutes", 1, MAX_PERIOD_MINUTES)
    charge_rate = inputs.optional("charge_rate", inputs.rate)
    with _as_written(inputs):
        found = cost_of_hour(template, pay_rate, minutes, charge_rate)
    slip = found.payslip
    return {
        "cost_per_hour": rate(found.cost_per_hour),
        "margin_per_hour": None if found.margin_per_hour is None else rate(found.margin_per_hour),
        "gross": money(slip.gross_pence),
        "holiday_pay": money(slip.holiday_pence),
        "employer_nic": money(slip.employer_nic_pence),
        "employer_pension": money(slip.employer_pension_pence),
        "levy": money(slip.levy_pence),
        "cost": money(slip.cost_pence),
    }


def _without_pay(inputs: Inputs, parameters: YearParameters) -> PayslipInput:
    """All of a payslip but what is paid."""
    frequency = inputs.frequency()
    code = inputs.tax_code()
    return PayslipInput(
        parameters=parameters,
        frequency=frequency,
        payday_on=payday_in(parameters.starts_on, frequency, inputs.tax_period(frequency)),
        tax_code=code.text,
        ni_letter=inputs.letter(parameters, "ni_letter"),
        pay_lines=(),
        pay_to_date_pence=inputs.money("previous_taxable_pay", 0),
        tax_to_date_pence=inputs.money("previous_tax", 0),
        student_loan_plan=inputs.optional(
            "student_loan_plan", lambda name: inputs.plan_beside_postgraduate(parameters, name)
        ),
        postgrad_loan=inputs.boolean("postgrad_loan", False),
        pension=_pension_terms(inputs),
    )


def _pension_terms(inputs: Inputs) -> PensionTerms | None:
    if not inputs.has("pension"):
        return None
    terms = inputs.nested("pension")
    basis = terms.choice("basis", ("net_pay", "ras", "salary_sacrifice"))
    if basis == "salary_sacrifice":
        found = PensionTerms("salary_sacrifice", sacrifice_pence=terms.money("amount"))
    else:
        found = PensionTerms(
            cast(Literal["net_pay", "ras"], basis), terms.percent("employee_pct"), terms.percent("employer_pct")
        )
        terms.choice("earnings", ("qualifying",))
    terms.refuse_misspelt()
    return found


def _as_written(inputs: Inputs) -> AbstractContextManager[None]:
    """The engine refuses the pay that a rate comes to, and a pension that its percentage makes too high."""
    return renamed(
        {
            "pay_lines": inputs.path("pay_rate"),
            "pension": inputs.path("pension.employee_pct"),
            "pension.amount": inputs.path("pension.amount"),
        }
    )


def _figures(slip: PayslipResult) -> Result:
    return {name: money(pence) for name, pence in _pence(slip).items()}


def _pence(slip: PayslipResult) -> dict[str, int]:
    return {
        "taxable_pay": slip.taxable_pence,
        "niable_pay": slip.niable_pence,
        "tax": slip.tax_pence,
        "employee_nic": slip.employee_nic_pence,
        "employer_nic": slip.employer_nic_pence,
        "student_loan": slip.student_loan_pence,
        "postgrad_loan": slip.postgrad_loan_pence,
        "qualifying_earnings": slip.qualifying_earnings_pence,
        "employee_pension": slip.employee_pension_pence,
        "employer_pension": slip.employer_pension_pence,
        "net_pay": slip.net_pence,
    }
