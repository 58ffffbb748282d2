"""Final payslips as the documents that workers get, named from the directory and the pay profile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from pay_calc.documents.models import (
    Amount,
    Branding,
    Employer,
    Hours,
    PaidBy,
    Payment,
    PaymentKind,
    Payslip,
    Units,
)
from pay_calc.documents.models import Worker as PrintedWorker
from pay_calc.domain.fps import letters_of, regime_and_code
from pay_calc.domain.holiday_pay import WORDS
from pay_calc.domain.slips import BENEFITS
from pay_calc.store import people
from pay_calc.usecases.explain import change_reasons
from pay_calc.usecases.replay import load_json
from paybill_common.db import Tx
from paybill_common.labels import labels_of
from paybill_common.money import from_pence
from paybill_common.typst_pdf import hours_clock, pounds

_ELEMENTS = {
    "basic": "Basic",
    "overtime": "Overtime",
    "weekend": "Weekend",
    "bank_holiday": "Bank holiday",
    "night": "Night",
    "call_out": "Call-out",
    "allowance": "Allowance",
    "expense": "Expenses",
}
_ORDERS = {
    "DEO": "Child maintenance order",
    "AEO_priority": "Attachment of earnings",
    "AEO_non_priority": "Attachment of earnings",
    "CTAEO": "Council tax order",
    "DEA": "Direct earnings attachment",
    "scottish_arrestment": "Earnings arrestment",
}
_RECOVERED = {"advance": "Advance repaid", "overpayment": "Overpayment recovered"}
_STATUTORY = {
    "SSP": "Statutory sick pay",
    "SMP": "Statutory maternity pay",
    "SAP": "Statutory adoption pay",
    "SPP": "Statutory paternity pay",
    "ShPP": "Statutory shared parental pay",
    "SPBP": "Statutory parental bereavement pay",
    "SNCP": "Statutory neonatal care pay",
}
_PLURAL = {"day": "days", "each": "items"}


@dataclass(frozen=True, slots=True)
class Context:
    """What all payslips of an agency share, and the names that some of them print."""

    employer: Employer
    branding: Branding
    workers: Mapping[UUID, Any]
    placements: Mapping[UUID, str]
    reasons: Mapping[UUID, str]
    """Why a payslip pays other than the one before, by payslip."""


async def letterhead(tx: Tx, *, agency_id: UUID) -> tuple[Employer, Branding]:
    """Who an agency's documents come from: the employer as recorded, and the agency's own name."""
    employer = await people.employer(tx, agency_id=agency_id)
    label = (await labels_of(tx, kind="agency", ids=[agency_id])).get(agency_id)
    name = employer.legal_name if employer is not None else label or "Employer"
    printed = Employer(
        name=name,
        address=tuple(load_json(employer.address)) if employer is not None else (),
        paye_reference=employer.paye_reference if employer is not None else None,
    )
    return printed, Branding(name=label or name)


async def context_of(tx: Tx, *, agency_id: UUID, rows: Sequence[Any]) -> Context:
    """Read the names that these payslips need: a few statements, however many payslips."""
    employer, branding = await letterhead(tx, agency_id=agency_id)
    lines = (line for row in rows for line in load_json(row.result)["lines"])
    placements = {UUID(line["placement_id"]) for line in lines if line["placement_id"]}
    return Context(
        employer=employer,
        branding=branding,
        workers=await people.on_paper(tx, agency_id=agency_id, workers=[row.worker_id for row in rows]),
        placements=await people.placements_on_paper(tx, agency_id=agency_id, placements=sorted(placements)),
        reasons=await change_reasons(tx, agency_id=agency_id, rows=rows),
    )


def payslip_of(row: Any, context: Context) -> Payslip:
    """The document of one final PAYE payslip's row."""
    result, inputs, to_date = load_json(row.result), load_json(row.inputs), load_json(row.to_date)
    figures, employee = result["figures"], inputs["employee"]
    person = context.workers.get(row.worker_id)
    regime, code, _ = regime_and_code(employee["tax_code"])
    net = from_pence(figures["net_pence"])
    deductions = _deductions(figures, result, employee)
    return Payslip(
        employer=context.employer,
        worker=_printed(person, row.worker_id),
        branding=context.branding,
        tax_year=result["tax_year"].replace("-", "/"),
        tax_period=f"Week {result['tax_period']}",
        tax_code=f"{regime}{code}",
        tax_basis="Week 1/Month 1" if result["tax_basis"] == "non_cumulative" else "Cumulative",
        ni_letter=result["ni_letter"],
        frequency="Weekly",
        period_first_on=row.period_from,
        period_last_on=row.period_to - timedelta(days=1),
        pay_on=row.payday_on,
        payments=_payments(row, result, figures, context),
        deductions=deductions,
        gross_gbp=from_pence(figures["gross_pence"]),
        deductions_gbp=sum((item.amount_gbp for item in deductions), Decimal(0)),
        net_gbp=net,
        taxable_gbp=from_pence(figures["taxable_pence"]),
        niable_gbp=from_pence(figures["niable_pence"]),
        paid_by=(PaidBy(method="Bacs", amount_gbp=net, account_last_four=_last_four(person)),),
        hours_minutes=max(result["minutes"], 0),
        net_additions=(
            (Amount(name="Expenses", amount_gbp=from_pence(figures["expenses_pence"]), note="paid without tax"),)
            if figures["expenses_pence"]
            else ()
        ),
        employer_costs=_employer_costs(figures),
        year_to_date=_to_date(to_date, employee),
        change_reason=context.reasons.get(row.payslip_id),
        taxed_benefits=_benefits(figures, employee),
        leave=_leave_words(result.get("leave")),
    )


def _printed(person: Any, worker_id: UUID) -> PrintedWorker:
    if person is None:
        return PrintedWorker(name=f"Worker {worker_id}", reference=str(worker_id))
    full = " ".join(part for part in (person.given_name, person.family_name) if part)
    number = person.ni_number
    return PrintedWorker(
        name=person.display_name or full or f"Worker {person.reference or worker_id}",
        reference=person.reference or str(worker_id),
        ni_number=None if number is None else " ".join((number[:2], number[2:4], number[4:6], number[6:8], number[8:])),
        address=tuple(load_json(person.address) or ()) if person.address is not None else (),
    )


def _last_four(person: Any) -> str | None:
    return person.account_number[-4:] if person is not None and person.account_number else None


def _payments(row: Any, result: dict[str, Any], figures: dict[str, int], context: Context) -> tuple[Payment, ...]:
    lines = sorted(
        (line for line in result["lines"] if line["kind"] not in ("expense", "statutory", "holiday")),
        key=lambda line: (context.placements.get(UUID(line["placement_id"]), ""), line["week_ending"]),
    )
    printed = [_payment(row, line, context) for line in lines]
    if figures["holiday_pence"]:
        printed.append(
            Payment(
                name="Holiday pay",
                amount_gbp=from_pence(figures["holiday_pence"]),
                kind=PaymentKind.HOLIDAY,
                note="rolled up, 12.07% of pay for work done",
            )
        )
    printed.extend(_statutory(row, line) for line in result["lines"] if line["kind"] == "statutory")
    printed.extend(_leave(row, line) for line in result["lines"] if line["kind"] == "holiday")
    return tuple(printed)


def _leave(row: Any, line: dict[str, Any]) -> Payment:
    week = date.fromisoformat(line["week_ending"])
    return Payment(
        name=WORDS[line["element"]],
        amount_gbp=from_pence(line["amount_pence"]),
        kind=PaymentKind.HOLIDAY,
        week_ending=None if row.period_from <= week < row.period_to else week,
        note=f"{hours_clock(line['minutes'])} hours of leave",
    )


def _leave_words(leave: dict[str, Any] | None) -> str | None:
    """The worker's leave with this payslip, in one line."""
    if leave is None:
        return None
    earned, taken, left = (hours_clock(leave[f"{name}_minutes"]) for name in ("earned", "taken", "left"))
    return f"Holiday: earned {earned} h, taken {taken} h, left {left} h"


def _statutory(row: Any, line: dict[str, Any]) -> Payment:
    week = date.fromisoformat(line["week_ending"])
    return Payment(
        name=_STATUTORY[line["element"]],
        amount_gbp=from_pence(line["amount_pence"]),
        kind=PaymentKind.STATUTORY,
        quantity=Units(value=Decimal(line["units"]), unit="days") if line["element"] == "SSP" else None,
        week_ending=None if row.period_from <= week < row.period_to else week,
    )


def _payment(row: Any, line: dict[str, Any], context: Context) -> Payment:
    week = date.fromisoformat(line["week_ending"])
    late = not row.period_from <= week < row.period_to
    quantity: Hours | Units | None = None
    if not line["correction"]:
        quantity = (
            Hours(minutes=line["minutes"])
            if line["rate_unit"] == "hour"
            else Units(value=Decimal(line["units"] or 0), unit=_PLURAL[line["rate_unit"]])
        )
    return Payment(
        name=_ELEMENTS.get(line["element"], line["element"].replace("_", " ").capitalize()),
        amount_gbp=from_pence(line["amount_pence"]),
        kind=PaymentKind.CORRECTION if line["correction"] else PaymentKind.WORK,
        assignment=context.placements.get(UUID(line["placement_id"]), "Placement"),
        quantity=quantity,
        rate_gbp=None if line["correction"] else Decimal(line["pay_rate"]),
        week_ending=week if late else None,
        note="paid before, taken back" if line["correction"] else None,
    )


def _deductions(figures: dict[str, int], result: dict[str, Any], employee: dict[str, Any]) -> tuple[Amount, ...]:
    plan = employee["student_loan_plan"]
    orders = [_order(each) for each in result.get("attachments", ()) if each["deducted_pence"]]
    orders += [_recovered(each) for each in result.get("deductions", ()) if each["taken_pence"]]
    named = (
        ("Income tax", "tax_pence", f"{employee['tax_code']} on {from_pence(figures['taxable_pence'])}"),
        ("National Insurance", "employee_nic_pence", f"letter {result['ni_letter']}"),
        ("Salary sacrifice", "sacrifice_pence", _given_back(figures["sacrifice_pence"])),
        ("Student loan", "student_loan_pence", f"plan {plan}" if plan else None),
        ("Postgraduate loan", "postgrad_loan_pence", None),
        ("Pension", "employee_pension_pence", _given_back(figures["employee_pension_pence"])),
    )
    printed = [
        Amount(name=name, amount_gbp=from_pence(figures[key]), note=note)
        for name, key, note in named
        if figures[key] or key in ("tax_pence", "employee_nic_pence")
    ]
    return (*printed, *orders)


def _given_back(pence: int) -> str | None:
    return "given back after opting out" if pence < 0 else None


def _recovered(taken: dict[str, Any]) -> Amount:
    left = taken["left_pence"]
    return Amount(
        name=_RECOVERED.get(taken["kind"], taken["reference"]),
        amount_gbp=from_pence(taken["taken_pence"]),
        note=None if left is None else f"{taken['reference']}, {pounds(from_pence(left))} left",
    )


def _order(taken: dict[str, Any]) -> Amount:
    notes = [f"order {taken['reference']}"]
    if taken["by_hand"]:
        notes.append("entered by hand")
    if taken["left_pence"] is not None:
        notes.append(f"{pounds(from_pence(taken['left_pence']))} left")
    return Amount(name=_ORDERS[taken["kind"]], amount_gbp=from_pence(taken["deducted_pence"]), note=", ".join(notes))


def _employer_costs(figures: dict[str, int]) -> tuple[Amount, ...]:
    named = (
        ("National Insurance", "employer_nic_pence"),
        ("Pension", "employer_pension_pence"),
        ("Apprenticeship levy", "levy_pence"),
    )
    return tuple(Amount(name=name, amount_gbp=from_pence(figures[key])) for name, key in named if figures[key] > 0)


def _benefits(figures: dict[str, int], employee: dict[str, Any]) -> tuple[Amount, ...]:
    """Payrolled benefits by the name of the one there is; several together, because earlier payslips taxed them together."""
    amount = figures.get(BENEFITS, 0)
    if not amount:
        return ()
    due = employee["benefits"]["due"]
    return (Amount(name=due[0]["name"] if len(due) == 1 else "Payrolled benefits", amount_gbp=from_pence(amount)),)


def _to_date(to_date: dict[str, Any] | None, employee: dict[str, Any]) -> tuple[Amount, ...]:
    if to_date is None:
        return ()
    named = [
        ("Gross pay", to_date["gross_pence"]),
        ("Taxable pay", to_date["taxable_pence"]),
        ("Income tax", to_date["tax_pence"]),
        ("National Insurance", sum(each["employee_pence"] for each in letters_of(to_date))),
        ("Student loan", to_date["student_loan_pence"] + to_date["postgrad_loan_pence"]),
        ("Pension", to_date["employee_pension_pence"]),
        ("Payrolled benefits", to_date.get(BENEFITS, 0)),
        ("Previous employment, pay", employee["previous_pay_pence"]),
        ("Previous employment, tax", employee["previous_tax_pence"]),
    ]
    always = {"Gross pay", "Taxable pay", "Income tax", "National Insurance"}
    return tuple(Amount(name=name, amount_gbp=from_pence(amount)) for name, amount in named if amount or name in always)
