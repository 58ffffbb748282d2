"""The calculator's kinds that test a pay against the law: starters, minimum wage, agency workers' equal pay, umbrella payslips."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, cast

from pay_calc.domain.calculator_inputs import MAX_PERIOD_MINUTES, Inputs, Result, money, renamed
from pay_calc.domain.engine import awr, minimum_wage, starters, umbrella_checks
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.parameters import YearParameters
from pay_calc.domain.engine.umbrella_checks import FpsLine, Item, SchemeSpread, UmbrellaFacts, UmbrellaPayslip
from pay_calc.rates import minimum_wage_book


def starting_tax(inputs: Inputs, parameters: YearParameters) -> Result:
    starts_on = inputs.day("starts_on")
    _not_after_the_year(inputs, "starts_on", parameters)
    p45 = None
    if inputs.has("p45"):
        given = inputs.nested("p45")
        p45 = starters.P45(
            given.day("left_on"), given.tax_code().text, given.money("pay_to_date"), given.money("tax_to_date")
        )
        _not_after_the_year(given, "left_on", parameters)
        given.refuse_misspelt()
    declaration = inputs.optional("declaration", lambda name: inputs.choice(name, ("A", "B", "C")))
    found = starters.starting_tax(parameters, starts_on, p45, cast(starters.Declaration | None, declaration))
    return {
        "tax_code": found.tax_code,
        "previous_pay": money(found.previous_pay_pence),
        "previous_tax": money(found.previous_tax_pence),
        "declaration": found.declaration,
        "reason": found.reason,
    }


def _not_after_the_year(inputs: Inputs, name: str, parameters: YearParameters) -> None:
    if inputs.day(name) > parameters.ends_on:
        raise EngineError(
            "date_outside_tax_year",
            f"{inputs.path(name)} is after tax year {parameters.tax_year}: give the tax year of the first payment.",
            inputs.path(name),
        )


def minimum_wage_of_period(inputs: Inputs) -> Result:
    provided = None
    if inputs.has("accommodation"):
        given = inputs.nested("accommodation")
        provided = minimum_wage.Accommodation(given.whole("days", 0, 31), given.money("charge"))
        given.refuse_misspelt()
    found = minimum_wage.outcome_of_period(
        minimum_wage_book(),
        reference_period_from=inputs.day("period_from"),
        birth_on=inputs.optional("birth_on", inputs.day),
        apprentice=inputs.boolean("apprentice"),
        apprenticeship_first_year=inputs.optional("first_year", inputs.boolean),
        minutes=inputs.whole("minutes", 0, MAX_PERIOD_MINUTES),
        counting_pay_scaled=inputs.money("pay_that_counts") * minimum_wage.SCALE,
        accommodation=provided,
    )
    tested = found.status != "not_tested"
    return {
        "status": found.status,
        "rate": None if found.rate_pence is None else money(found.rate_pence),
        "shortfall": money(found.shortfall_pence) if tested else None,
        "surplus": money(found.surplus_pence) if tested else None,
        "reason": found.reason or None,
    }


def minimum_wage_arrears(inputs: Inputs) -> Result:
    short, then, now = inputs.money("shortfall"), inputs.money("rate_then"), inputs.money("rate_now")
    if then == 0:
        raise EngineError(
            "rate_missing",
            f"{inputs.path('rate_then')} must be the hourly rate that applied when the pay was due; 0.00 is none.",
            inputs.path("rate_then"),
        )
    return {"arrears": money(minimum_wage.arrears(short, then, now))}


def awr_clock(inputs: Inputs) -> Result:
    weeks = [_week(week) for week in inputs.objects("weeks")]
    clock = awr.run_clock(weeks, inputs.boolean("lenient_breaks", False))
    return {
        "weeks_counted": clock.weeks_counted,
        "qualified": clock.qualified,
        "qualified_at": None if clock.qualified_at is None else clock.qualified_at + 1,
        "resets": [index + 1 for index in clock.resets],
        "paused": clock.paused,
    }


def _week(week: Inputs) -> awr.AwrWeek:
    kind = cast(awr.WeekKind, week.choice("kind", ("work", "tick", "excused", "other")))
    excuse = None
    if kind == "excused":
        excuse = week.choice("excuse", ("sickness", "jury", "leave", "shutdown", "industrial_action"))
    elif week.has("excuse"):
        raise EngineError(
            "excuse_not_expected",
            f"{week.path('excuse')} is for a week of kind excused; this one is {kind}.",
            week.path("excuse"),
        )
    found = awr.AwrWeek(
        kind,
        cast(awr.Excuse | None, excuse),
        week.boolean("assignment_would_run", True),
        week.boolean("new_role_in_writing", False),
    )
    week.refuse_misspelt()
    return found


def awr_parity(inputs: Inputs) -> Result:
    paid: dict[str, Decimal] = {}
    due: dict[str, Decimal] = {}
    minutes: dict[str, int] = {}
    names: list[str] = []
    for item in inputs.objects("elements"):
        name = item.text("element")
        if name in names:
            raise EngineError(
                "duplicate_element",
                f"{item.path('element')} is given twice: add up its hours under one rate, or name the second apart.",
                item.path("element"),
            )
        names.append(name)
        for rates, field in ((paid, "paid_rate"), (due, "comparator_rate")):
            if item.has(field):
                rates[name] = item.rate(field)
        if item.has("minutes"):
            minutes[name] = item.whole("minutes")
        if name not in paid and name not in due:
            raise EngineError(
                "missing_field",
                f"{item.path('paid_rate')} is missing, and so is comparator_rate: give what is known of them.",
                item.path("paid_rate"),
            )
        item.refuse_misspelt()
    found = {line.element: line for line in awr.compare_pay(paid, due, minutes)}
    lines: list[Result] = []
    total = 0
    for name in names:
        line = found[name]
        short = line.shortfall_pence if line.verdict == "pass" or name in minutes else None
        total += short or 0
        lines.append({"element": name, "verdict": line.verdict, "shortfall": None if short is None else money(short)})
    return {"lines": lines, "shortfall": money(total)}


def checks_of_umbrella(inputs: Inputs, parameters: YearParameters) -> Result:
    slip = _umbrella_payslip(inputs.nested("payslip"), parameters)
    facts = _umbrella_facts(inputs.nested("facts"), parameters) if inputs.has("facts") else UmbrellaFacts()
    if facts.pension_relief == "net_pay" and slip.employee_pension_pence > slip.gross_pence:
        raise EngineError(
            "pension_exceeds_pay",
            f"{inputs.path('payslip.employee_pension')} is more than the gross it comes from.",
            inputs.path("payslip.employee_pension"),
        )
    written = {"payday_on": inputs.path("payslip.payday_on"), "birth_on": inputs.path("facts.birth_on")}
    with renamed(written):
        checks = umbrella_checks.check_payslip(parameters, slip, facts, minimum_wage_book())
    verdicts = {check.verdict for check in checks}
    return {
        "checks": [
            {
                "number": check.number,
                "name": check.name,
                "verdict": check.verdict,
                "amount": money(check.amount_pence),
                "words": check.words,
            }
            for check in checks
        ],
        "worst": "fail" if "fail" in verdicts else "warn" if "warn" in verdicts else "pass",
    }


def _umbrella_payslip(slip: Inputs, parameters: YearParameters) -> UmbrellaPayslip:
    frequency = slip.frequency()
    found = UmbrellaPayslip(
        frequency=frequency,
        payday_on=slip.day("payday_on"),
        tax_code=slip.tax_code().text,
        tax_period=slip.tax_period(frequency),
        ni_letter=slip.letter(parameters, "ni_letter"),
        assignment_income_pence=slip.money("assignment_income"),
        employer_nic_pence=slip.money("employer_nic"),
        levy_pence=slip.money("levy"),
        employer_pension_pence=slip.money("employer_pension"),
        margin_pence=slip.money("margin"),
        gross_pence=slip.money("gross"),
        basic_pence=slip.money("basic"),
        holiday_paid_pence=slip.money("holiday_paid"),
        holiday_accrued_pence=slip.money("holiday_accrued"),
        tax_pence=slip.refundable("tax"),
        employee_nic_pence=slip.money("employee_nic"),
        student_loan_pence=slip.money("student_loan"),
        postgrad_loan_pence=slip.money("postgrad_loan"),
        employee_pension_pence=slip.money("employee_pension"),
        net_pence=slip.money("net"),
        minutes=slip.optional("minutes", lambda name: slip.whole(name, 0, MAX_PERIOD_MINUTES)),
        other_costs=_lines(slip, "other_costs"),
        deductions=_lines(slip, "deductions"),
        untaxed=_lines(slip, "untaxed"),
        taxable_to_date_pence=slip.optional("taxable_to_date", slip.money),
        tax_to_date_pence=slip.optional("tax_to_date", slip.money),
        paye_reference=slip.optional("paye_reference", slip.text),
    )
    slip.refuse_misspelt()
    return found


def _lines(slip: Inputs, name: str) -> tuple[Item, ...]:
    found = []
    for line in slip.objects(name, 0) if slip.has(name) else ():
        found.append(Item(line.text("label"), line.money("amount"), line.boolean("receipts_seen", False)))
        line.refuse_misspelt()
    return tuple(found)


def _umbrella_facts(facts: Inputs, parameters: YearParameters) -> UmbrellaFacts:
    relief = facts.choice("pension_relief", ("net_pay", "ras")) if facts.has("pension_relief") else "net_pay"
    found = UmbrellaFacts(
        contracted_margin_pence=facts.optional("contracted_margin", facts.money),
        pension_employer_bp=facts.optional("pension_employer_pct", facts.percent),
        pension_relief=cast(Literal["net_pay", "ras"], relief),
        taxable_before_pence=facts.optional("taxable_before", facts.money),
        tax_before_pence=facts.optional("tax_before", facts.money),
        shown_taxable_before_pence=facts.optional("shown_taxable_before", facts.money),
        shown_tax_before_pence=facts.optional("shown_tax_before", facts.money),
        student_loan_plan=facts.optional(
            "student_loan_plan", lambda name: facts.plan_beside_postgraduate(parameters, name)
        ),
        postgrad_loan=facts.boolean("postgrad_loan", False),
        birth_on=facts.optional("birth_on", facts.day),
        apprentice=facts.boolean("apprentice", False),
        letter_evidence=facts.boolean("letter_evidence", False),
        period_from=facts.optional("period_from", facts.day),
        awr_weeks_completed=facts.optional("awr_weeks_completed", facts.whole),
        awr_comparator_rate_pence=facts.optional("awr_comparator_rate", facts.money),
        fps=_fps_line(facts.nested("fps")) if facts.has("fps") else None,
        previous_paye_reference=facts.optional("previous_paye_reference", facts.text),
        schemes=_schemes(facts.nested("schemes")) if facts.has("schemes") else None,
    )
    facts.refuse_misspelt()
    return found


def _fps_line(line: Inputs) -> FpsLine:
    found = FpsLine(
        line.money("taxable"),
        line.refundable("tax"),
        line.money("niable"),
        line.money("employee_nic"),
        line.money("employer_nic"),
    )
    line.refuse_misspelt()
    return found


def _schemes(spread: Inputs) -> SchemeSpread:
    found = SchemeSpread(spread.whole("workers"), spread.whole("schemes"), spread.whole("schemes_claiming_allowance"))
    spread.refuse_misspelt()
    return found
