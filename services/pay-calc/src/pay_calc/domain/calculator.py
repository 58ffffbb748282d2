"""The calculator: one JSON object in, one JSON object out, for auditors and other programs.

`calculate` is pure and never raises on bad input: it answers `{"id", "result"}` or `{"id", "error": {"code", "message",
"field"}}`. Money is a string with two decimals, in pounds. The kinds and their inputs are described in docs/calculator.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Literal, cast

from pay_calc.domain import calculator_checks, calculator_engagements, calculator_payslips
from pay_calc.domain.calculator_inputs import Inputs, Result, mapping, money, shown
from pay_calc.domain.engine import cis, directors, holiday, income_tax, late_payment, loans, nic, pension, ssp, umbrella
from pay_calc.domain.engine.calendar import tax_period
from pay_calc.domain.engine.errors import EngineError, UnknownTaxYear
from pay_calc.domain.engine.parameters import BASE_OF, SPAN_OF, Frequency, NicThresholds, YearBook, YearParameters
from pay_calc.domain.engine.tax_code import parse_tax_code
from pay_calc.rates import year_book

_YEAR = re.compile(r"[0-9]{4}-[0-9]{2}")


def _paye(inputs: Inputs, parameters: YearParameters) -> Result:
    frequency = inputs.frequency()
    code = inputs.tax_code()
    period = inputs.tax_period(frequency)
    pay = inputs.money("taxable_pay")
    benefits = inputs.money("payrolled_benefits_in_pay", 0)
    needs_before = not code.non_cumulative and SPAN_OF[frequency] < period <= BASE_OF[frequency]
    before = inputs.money("previous_taxable_pay", None if needs_before else 0)
    tax_before = inputs.money("previous_tax", None if needs_before else 0)
    result = income_tax.tax_for_payment(parameters, code, frequency, period, pay, before, tax_before, benefits)
    return {
        "tax": money(result.tax_pence),
        "tax_to_date": money(result.tax_to_date_pence),
        "basis": result.basis,
        "limited_to_50pct": result.limited_to_50pct,
        "taxable_pay_after_code": money(result.after_code_pence),
    }


def _paye_sequence(inputs: Inputs, parameters: YearParameters) -> Result:
    frequency = inputs.frequency()
    steps: list[Result] = []
    pay_to_date = tax_to_date = last = 0
    for step in inputs.objects("steps"):
        code = step.tax_code()
        period = step.tax_period(frequency)
        pay = step.money("taxable_pay")
        step.refuse_misspelt()
        if period < last:
            raise EngineError(
                "tax_period_out_of_order",
                f"{step.path('tax_period')} {period} comes after {last}: give the steps in the order of payment.",
                step.path("tax_period"),
            )
        last = period
        result = income_tax.tax_for_payment(parameters, code, frequency, period, pay, pay_to_date, tax_to_date)
        pay_to_date += pay
        tax_to_date = result.tax_to_date_pence
        steps.append(
            {
                "tax_period": period,
                "tax_code": code.text,
                "taxable_pay": money(pay),
                "tax": money(result.tax_pence),
                "pay_to_date": money(pay_to_date),
                "tax_to_date": money(tax_to_date),
                "basis": result.basis,
                "limited_to_50pct": result.limited_to_50pct,
            }
        )
    return {"steps": steps}


def _nic(inputs: Inputs, parameters: YearParameters) -> Result:
    result = nic.class_1(
        parameters, inputs.frequency(), inputs.letter(parameters, "letter"), inputs.money("niable_pay")
    )
    return {
        "employee_nic": money(result.employee_pence),
        "employer_nic": money(result.employer_pence),
        "earnings_at_lel": money(result.at_lel_pence),
        "earnings_lel_to_pt": money(result.lel_to_pt_pence),
        "earnings_pt_to_uel": money(result.pt_to_uel_pence),
    }


def _thresholds(thresholds: NicThresholds) -> Result:
    return {
        "LEL": money(thresholds.lel),
        "ST": money(thresholds.st),
        "PT": money(thresholds.pt),
        "FUST": money(thresholds.fust),
        "UEL": money(thresholds.uel),
    }


def _frequency_of_pays(count: int) -> Frequency:
    """The pay interval that a director's number of payments shows, when it is not given."""
    return "monthly" if count <= 12 else "four_weekly" if count == 13 else "fortnightly" if count == 26 else "weekly"


def _director_nic(inputs: Inputs, parameters: YearParameters) -> Result:
    letter = inputs.letter(parameters, "letter")
    weeks = inputs.whole("pro_rata_weeks", 1, 52) if inputs.has("pro_rata_weeks") else 52
    if not inputs.has("pays"):
        earned = inputs.money("earnings_to_date")
        employee, employer, thresholds = directors.standard_due(
            parameters,
            letter,
            earned,
            inputs.money("employee_paid_to_date", 0),
            inputs.money("employer_paid_to_date", 0),
            weeks,
        )
        return {
            "employee_nic": money(employee),
            "employer_nic": money(employer),
            "thresholds": _thresholds(thresholds),
        }
    method = inputs.choice("method", ("standard, cumulative", "standard", "alternative"))
    items = inputs.items("pays")
    reader = Inputs({f"pays[{index}]": item for index, item in enumerate(items)}, inputs.prefix)
    pays = tuple(reader.money(f"pays[{index}]") for index in range(len(items)))
    if method == "alternative":
        frequency = inputs.frequency() if inputs.has("frequency") else _frequency_of_pays(len(pays))
        steps = directors.alternative_steps(parameters, letter, frequency, pays, weeks)
    else:
        steps = directors.standard_steps(parameters, letter, pays, weeks)
    return {
        "employee_nic": money(steps[-1].employee_to_date_pence),
        "employer_nic": money(steps[-1].employer_to_date_pence),
        "thresholds": _thresholds(directors.annual_thresholds(parameters, weeks)),
        "steps": [
            {
                "period": step.period,
                "pay": money(step.pay_pence),
                "employee_nic": money(step.employee_pence),
                "employer_nic": money(step.employer_pence),
                "employee_to_date": money(step.employee_to_date_pence),
                "employer_to_date": money(step.employer_to_date_pence),
            }
            for step in steps
        ],
    }


def _student_loan(inputs: Inputs, parameters: YearParameters) -> Result:
    plan, frequency = inputs.plan(parameters, "plan"), inputs.frequency()
    return {
        "deduction": money(loans.deduction(parameters, plan, frequency, inputs.money("niable_pay"))),
        "threshold": money(loans.period_threshold(parameters, plan, frequency)),
    }


def _pension_qe(inputs: Inputs, parameters: YearParameters) -> Result:
    result = pension.contributions(
        parameters,
        inputs.frequency(),
        inputs.money("pay"),
        inputs.percent("employee_pct"),
        inputs.percent("employer_pct"),
        cast(pension.Relief, inputs.choice("relief", ("net_pay", "ras", "salary_sacrifice"))),
    )
    return {
        "qualifying_earnings": money(result.pensionable_pence),
        "employee_deducted": money(result.employee_deducted_pence),
        "employer": money(result.employer_pence),
        "above_trigger": result.above_trigger,
    }


_EMPLOYEE_PENSION = re.compile(r"([0-9]{1,2}(?:\.[0-9]{1,2})?) ?% QE (net pay|RAS|relief at source)", re.IGNORECASE)
_ROLLED_UP = "rolled up at 12.07% inside gross"


def _umbrella(inputs: Inputs, parameters: YearParameters) -> Result:
    frequency = inputs.frequency()
    code = inputs.tax_code()
    period = inputs.tax_period(frequency) if inputs.has("tax_period") else SPAN_OF[frequency]
    employee_bp = 0
    relief: Literal["net_pay", "ras"] = "net_pay"
    if inputs.has("employee_pension"):
        match = _EMPLOYEE_PENSION.fullmatch(inputs.text("employee_pension"))
        if match is None:
            raise EngineError(
                "invalid_choice",
                'employee_pension must be null or text such as "5% QE net pay" or "5% QE RAS".',
                inputs.path("employee_pension"),
            )
        employee_bp = Inputs({"pct": match[1]}, "employee_pension.").percent("pct")
        relief = "net_pay" if match[2].lower() == "net pay" else "ras"
    rolled_up = inputs.has("holiday")
    if rolled_up:
        inputs.choice("holiday", (_ROLLED_UP,))
    result = umbrella.reconcile(
        parameters,
        frequency=frequency,
        assignment_income_pence=inputs.money("assignment_income_ex_vat"),
        margin_pence=inputs.money("margin"),
        ni_letter=inputs.letter(parameters, "ni_letter"),
        tax_code=code,
        tax_period=period,
        levy=inputs.boolean("apprenticeship_levy"),
        employer_pension_bp=parameters.pension_employer_minimum_bp if inputs.boolean("employer_pension_3pct_qe") else 0,
        employee_pension_bp=employee_bp,
        employee_pension_relief=relief,
        holiday_rolled_up=rolled_up,
    )
    return {
        "gross_taxable": money(result.gross_pence),
        "of_which_basic": money(result.basic_pence),
        "of_which_holiday": money(result.holiday_pence),
        "employer_nic": money(result.employer_nic_pence),
        "apprenticeship_levy": money(result.levy_pence),
        "employer_pension": money(result.employer_pension_pence),
        "margin": money(result.margin_pence),
        "residue": money(result.residue_pence),
        "tax": money(result.tax_pence),
        "employee_nic": money(result.employee_nic_pence),
        "employee_pension": money(result.employee_pension_pence),
        "net_pay": money(result.net_pence),
    }


def _ssp(inputs: Inputs, parameters: YearParameters) -> Result:
    return {
        "ssp": money(
            ssp.payable(
                parameters,
                inputs.money("average_weekly_earnings"),
                inputs.whole("qualifying_days_per_week"),
                inputs.whole("payable_days"),
            )
        )
    }


def _holiday_rolled_up(inputs: Inputs, parameters: YearParameters) -> Result:
    pay = inputs.money("pay_for_work")
    holiday_pay = holiday.rolled_up(parameters, pay)
    return {"holiday_pay": money(holiday_pay), "total": money(pay + holiday_pay)}


def _holiday_accrual(inputs: Inputs, parameters: YearParameters) -> Result:
    worked = inputs.whole("minutes_worked_in_pay_period", 0, 31 * 24 * 60)
    return {"leave_minutes": holiday.accrue(parameters, worked).leave_minutes}


def _cis(inputs: Inputs, parameters: YearParameters) -> Result:
    labour, materials, rate = inputs.money("labour_ex_vat"), inputs.money("materials"), inputs.percent("rate_pct")
    result = cis.deduct(parameters.cis_rates_bp, labour, materials, rate)
    return {"deduction": money(result.deduction_pence), "paid": money(result.paid_pence)}


def _late_payment(inputs: Inputs, parameters: YearParameters) -> Result:
    result = late_payment.claim(
        parameters,
        inputs.money("principal_inc_vat"),
        inputs.percent("reference_rate_pct"),
        inputs.whole("days_late", 0, 100_000),
    )
    return {
        "rate_pct": money(result.rate_bp),
        "interest": money(result.interest_pence),
        "fixed_sum": money(result.fixed_sum_pence),
    }


def _tax_period(inputs: Inputs, years: YearBook) -> Result:
    frequency = inputs.frequency()
    pay_date = inputs.day("pay_date")
    years.on(pay_date, "pay_date")
    period = tax_period(pay_date, frequency)
    return {
        "tax_year": period.tax_year,
        "tax_period": period.number,
        "non_cumulative_extra": period.non_cumulative_extra,
    }


def _tax_code(inputs: Inputs) -> Result:
    text = inputs.text("code")
    try:
        code = parse_tax_code(text, "code")
    except EngineError:
        return {"valid": False}
    return {
        "valid": True,
        "region": code.region,
        "kind": code.kind,
        "number": code.number,
        "non_cumulative": code.non_cumulative,
    }


_OF_A_YEAR: dict[str, Callable[[Inputs, YearParameters], Result]] = {
    "paye": _paye,
    "paye_sequence": _paye_sequence,
    "nic": _nic,
    "director_nic": _director_nic,
    "student_loan": _student_loan,
    "pension_qe": _pension_qe,
    "payslip": calculator_payslips.payslip,
    "net_to_gross": calculator_payslips.net_to_gross,
    "overpayment": calculator_payslips.overpayment,
    "hour_cost": calculator_payslips.hour_cost,
    "umbrella": _umbrella,
    "umbrella_checks": calculator_checks.checks_of_umbrella,
    "starting_tax": calculator_checks.starting_tax,
    "engagement": calculator_engagements.engagement,
    "several_jobs": calculator_engagements.several_jobs,
    "pay_in_advance": calculator_engagements.pay_in_advance,
    "interval_change": calculator_engagements.interval_change,
    "ssp": _ssp,
}
_OF_ANY_YEAR: dict[str, Callable[[Inputs, YearParameters], Result]] = {
    "holiday_rolled_up": _holiday_rolled_up,
    "holiday_accrual": _holiday_accrual,
    "cis": _cis,
    "late_payment": _late_payment,
}
_OF_A_DATE: dict[str, Callable[[Inputs, YearBook], Result]] = {"tax_period": _tax_period}
_OF_NO_YEAR: dict[str, Callable[[Inputs], Result]] = {
    "tax_code": _tax_code,
    "minimum_wage": calculator_checks.minimum_wage_of_period,
    "minimum_wage_arrears": calculator_checks.minimum_wage_arrears,
    "awr_clock": calculator_checks.awr_clock,
    "awr_parity": calculator_checks.awr_parity,
    "returner": calculator_engagements.returner,
}
KINDS = (*_OF_A_YEAR, *_OF_ANY_YEAR, *_OF_A_DATE, *_OF_NO_YEAR)


def _year_of(obj: Mapping[str, object], years: YearBook) -> YearParameters:
    text = obj.get("tax_year")
    if text is None:
        raise EngineError("missing_field", 'The field tax_year is missing: give it as "2026-27".', "tax_year")
    if not isinstance(text, str) or not _YEAR.fullmatch(text) or int(text[5:]) != (int(text[:4]) + 1) % 100:
        raise EngineError(
            "invalid_tax_year", f'tax_year must be text such as "2026-27"; got {shown(text)}.', "tax_year"
        )
    return years.year(text)


def _same_in_every_year(years: YearBook, kind: str) -> YearParameters:
    """Parameters for a kind asked without a year: only while every known year agrees on its figures."""
    books = [years.year(name) for name in years.known()]
    if not books:
        raise UnknownTaxYear("any", ())
    figures = {
        (p.holiday_rolled_up_bp, p.cis_rates_bp, p.late_payment_margin_bp, p.late_payment_fixed_sums) for p in books
    }
    if len(figures) != 1:
        raise EngineError("missing_field", f"The known years differ for {kind}: give tax_year.", "tax_year")
    return books[-1]


def _answer(obj: Mapping[str, object], years: YearBook) -> Result:
    kind = obj.get("kind")
    if kind is None:
        raise EngineError("missing_field", f"The field kind is missing; known kinds: {', '.join(KINDS)}.", "kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise EngineError("unknown_kind", f"Unknown kind {shown(kind)}; known kinds: {', '.join(KINDS)}.", "kind")
    if "inputs" not in obj:
        raise EngineError("missing_field", "The field inputs is missing.", "inputs")
    inputs = Inputs(mapping(obj["inputs"], "inputs"))
    if kind in _OF_A_YEAR:
        result = _OF_A_YEAR[kind](inputs, _year_of(obj, years))
    elif kind in _OF_ANY_YEAR:
        parameters = _same_in_every_year(years, kind) if obj.get("tax_year") is None else _year_of(obj, years)
        result = _OF_ANY_YEAR[kind](inputs, parameters)
    elif kind in _OF_A_DATE:
        result = _OF_A_DATE[kind](inputs, years)
    else:
        result = _OF_NO_YEAR[kind](inputs)
    inputs.refuse_misspelt()
    return result


def calculate(obj: object, years: YearBook | None = None) -> dict[str, object]:
    """Answer one calculator object. Never raises on bad input.

    `obj`: {"id", "kind", "tax_year", "inputs"}. Returns {"id", "result"} or {"id", "error": {"code", "message", "field"}}; `field`
    names the input (`steps[2].tax_code`), or is None when the whole object is meant. `years` replaces the shipped figures.
    """
    identity: object = None
    try:
        if not isinstance(obj, dict):
            raise EngineError("invalid_object", f"A calculation is a JSON object; got {shown(obj)}.", None)
        given = obj.get("id")
        if isinstance(given, str) or (isinstance(given, int) and not isinstance(given, bool)):
            identity = given
        elif given is None:
            raise EngineError("missing_field", "The field id is missing: give each calculation an id as text.", "id")
        else:
            raise EngineError("invalid_text", f"id must be text or a whole number; got {shown(given)}.", "id")
        return {"id": identity, "result": _answer(obj, years or year_book())}
    except EngineError as refused:
        return {
            "id": identity,
            "error": {"code": refused.code, "message": refused.message, "field": refused.field},
        }
