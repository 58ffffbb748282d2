"""The calculator's kinds about how somebody is engaged, and which pay is charged together or when."""

from __future__ import annotations

from typing import Literal, cast

from pay_calc.domain.calculator_inputs import Inputs, Result, money, renamed
from pay_calc.domain.engine import earnings_periods, engagements
from pay_calc.domain.engine.earnings_periods import JobEarnings
from pay_calc.domain.engine.engagements import PastEmployment, SoleTraderFacts
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.parameters import YearParameters


def engagement(inputs: Inputs, parameters: YearParameters) -> Result:
    payday_on = inputs.day("payday_on")
    if not parameters.starts_on <= payday_on <= parameters.ends_on:
        raise EngineError(
            "date_outside_tax_year",
            f"{inputs.path('payday_on')} is not in tax year {parameters.tax_year}.",
            inputs.path("payday_on"),
        )
    through = inputs.choice("through_intermediary", ("none", "own_company", "umbrella"))
    status = inputs.optional("cis_status", lambda name: inputs.choice(name, ("gross", "registered", "unmatched")))
    facts = SoleTraderFacts(
        supplied_to_client_through_agency=inputs.boolean("through_agency"),
        personal_service=inputs.optional("personal_service", inputs.boolean),
        controlled=inputs.optional("controlled", inputs.boolean),
        through_intermediary=cast(Literal["none", "own_company", "umbrella"], through),
        construction_operations=inputs.optional("construction", inputs.boolean),
        client_is_public_body=inputs.boolean("public_body", False),
        cis_status=cast(Literal["gross", "registered", "unmatched"] | None, status),
        verified_on=inputs.optional("verified_on", inputs.day),
        last_paid_on=inputs.optional("last_paid_on", inputs.day),
        evidence_ref=inputs.optional("evidence_ref", inputs.text) or "",
    )
    with renamed({"construction_operations": inputs.path("construction")}):
        found = engagements.sole_trader(parameters, facts, payday_on)
    return {
        "regime": found.regime,
        "cis_rate_pct": None if found.cis_rate_bp is None else found.cis_rate_bp // 100,
        "words": found.words,
    }


def several_jobs(inputs: Inputs, parameters: YearParameters) -> Result:
    jobs: list[JobEarnings] = []
    for job in inputs.objects("jobs"):
        name = job.text("job")
        if name in {each.job_ref for each in jobs}:
            raise EngineError("duplicate_job", f"{job.path('job')} is given twice.", job.path("job"))
        jobs.append(
            JobEarnings(
                name,
                job.text("employer"),
                job.frequency(),
                job.letter(parameters, "ni_letter"),
                job.money("niable_pay"),
            )
        )
        job.refuse_misspelt()
    connected = []
    for group in inputs.objects("connected") if inputs.has("connected") else ():
        names = group.items("employers")
        reader = Inputs({f"employers[{i}]": item for i, item in enumerate(names)}, group.prefix)
        connected.append(frozenset(reader.text(f"employers[{i}]") for i in range(len(names))))
        group.refuse_misspelt()
    with renamed({"jobs": inputs.path("jobs")}):
        found = earnings_periods.aggregate(parameters, jobs, connected, inputs.boolean("not_practicable", False))
    return {
        "calculations": [
            {
                "frequency": each.frequency,
                "niable_pay": money(each.niable_pence),
                "employee_nic": money(each.employee_pence),
                "employer_nic": money(each.employer_pence),
                "jobs": [
                    {"job": name, "employee_nic": money(employee), "employer_nic": money(employer)}
                    for name, employee, employer in zip(
                        each.job_refs, each.employee_shares, each.employer_shares, strict=True
                    )
                ],
            }
            for each in found
        ]
    }


def pay_in_advance(inputs: Inputs, parameters: YearParameters) -> Result:
    items = inputs.items("weekly_pays")
    reader = Inputs({f"weekly_pays[{i}]": item for i, item in enumerate(items)}, inputs.prefix)
    found = earnings_periods.weekly_advance(
        parameters,
        weekly_pays_pence=[reader.money(f"weekly_pays[{i}]") for i in range(len(items))],
        first_week=inputs.whole("first_week", 1, 53),
        tax_code=inputs.tax_code(),
        ni_letter=inputs.letter(parameters, "ni_letter"),
        method=cast(Literal["A", "B"], inputs.choice("nic_method", ("A", "B"))),
        pay_before_pence=inputs.money("previous_taxable_pay"),
        tax_before_pence=inputs.money("previous_tax"),
        student_loan_plan=inputs.optional(
            "student_loan_plan", lambda name: inputs.plan_beside_postgraduate(parameters, name)
        ),
        postgrad_loan=inputs.boolean("postgrad_loan", False),
    )
    return {
        "periods_covered": found.periods_covered,
        "tax_period": found.tax_period,
        "tax": money(found.tax_pence),
        "employee_nic": money(found.employee_nic_pence),
        "employer_nic": money(found.employer_nic_pence),
        "student_loan": money(found.student_loan_pence),
        "postgrad_loan": money(found.postgrad_loan_pence),
    }


def interval_change(inputs: Inputs, parameters: YearParameters) -> Result:
    charged = []
    for payment in inputs.objects("charged") if inputs.has("charged") else ():
        charged.append((payment.money("niable_pay"), payment.money("employee_nic"), payment.money("employer_nic")))
        payment.refuse_misspelt()
    with renamed({"new": inputs.path("new_frequency")}):
        found = earnings_periods.nic_on_interval_change(
            parameters,
            inputs.frequency("old_frequency"),
            inputs.frequency("new_frequency"),
            inputs.letter(parameters, "ni_letter"),
            inputs.money("niable_pay"),
            charged,
        )
    return {
        "employee_nic": money(found.employee_pence),
        "employer_nic": money(found.employer_pence),
        "words": found.words,
    }


def returner(inputs: Inputs) -> Result:
    past = []
    for each in inputs.objects("past") if inputs.has("past") else ():
        past.append(
            PastEmployment(
                each.text("pay_id"),
                each.day("started_on"),
                each.optional("left_on", each.day),
                each.optional("p45_issued_on", each.day),
            )
        )
        each.refuse_misspelt()
    written = {name: inputs.path(name) for name in ("past", "new_pay_id", "starts_on")}
    with renamed(written):
        found = engagements.pay_id_for(
            past,
            inputs.day("starts_on"),
            inputs.text("new_pay_id"),
            casual=inputs.boolean("casual"),
            change_pay_id=inputs.boolean("change_pay_id", False),
        )
    return {
        "pay_id": found.pay_id,
        "from_zero": found.from_zero,
        "changed": found.changed,
        "old_pay_id": found.old_pay_id,
        "previous_figures": found.previous_figures,
        "irregular": found.irregular,
        "words": found.words,
    }
