"""What an agency owes HMRC for each tax month of its payroll: a month's share of year-to-date figures, from final payslips. Pure.

Employment Allowance and Apprenticeship Levy run on the year so far, so a month is what they come to with it less what they came to before.
Source: HMRC, P32 employer payment record; Employer further guide to PAYE and NICs (CWG2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from pay_calc.domain.engine.calendar import add_months, tax_month
from pay_calc.domain.engine.employer import employment_allowance_used, levy_due
from pay_calc.domain.engine.family_pay import recovery
from pay_calc.domain.engine.parameters import YearParameters

MONTHS = 12
PAYABLE_AFTER_DAYS = 17
"""From the 5th, a tax month's end, to the 22nd, by when electronic payment has to arrive."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a person recorded of one tax year. Class 1 of the last complete year None: not recorded, recovery is not worked out."""

    employment_allowance: bool = False
    allowance_used_elsewhere_pence: int = 0
    """Employment Allowance that connected employers use."""
    levy_share_bp: int = 10000
    """This employer's share of the levy allowance among connected ones."""
    class_1_last_year_pence: int | None = None


@dataclass(frozen=True, slots=True)
class Payday:
    """Totals of final PAYE payslips and deemed direct payments of one payday, pence. `pay_bill`: earnings on which an employer can be
    liable (not letter X). `deemed_employer_nic`: the part of employer NIC that is of deemed payments, which no Employment Allowance
    covers (National Insurance Contributions Act 2014 s.2)."""

    payday_on: date
    payslips: int
    tax_pence: int
    employee_nic_pence: int
    employer_nic_pence: int
    student_loan_pence: int
    postgrad_loan_pence: int
    pay_bill_pence: int
    family_pay_pence: int = 0
    deemed_employer_nic_pence: int = 0


@dataclass(frozen=True, slots=True)
class Month:
    """One tax month, pence. `due` = tax + NIC + loans + levy - family pay recovered - Employment Allowance. A month may come to less than
    nothing: the levy and the allowance run on the year so far, and tax may be given back."""

    number: int
    starts_on: date
    ends_on: date
    pay_by_on: date
    payslips: int
    tax_pence: int
    employee_nic_pence: int
    employer_nic_pence: int
    student_loan_pence: int
    postgrad_loan_pence: int
    pay_bill_pence: int
    family_pay_pence: int
    family_pay_recovered_pence: int | None
    employment_allowance_pence: int
    levy_pence: int
    due_pence: int | None


_SUMMED = (
    "payslips",
    "tax_pence",
    "employee_nic_pence",
    "employer_nic_pence",
    "student_loan_pence",
    "postgrad_loan_pence",
    "pay_bill_pence",
    "family_pay_pence",
)


def months(parameters: YearParameters, paydays: Sequence[Payday], settings: Settings) -> tuple[Month, ...]:
    """The tax months from the first to the last that has a payday."""
    last = max((tax_month(each.payday_on) for each in paydays), default=0)
    found: list[Month] = []
    used = levied = nic = bill = 0
    for number in range(1, last + 1):
        sums = {
            name: sum(getattr(each, name) for each in paydays if tax_month(each.payday_on) == number)
            for name in _SUMMED
        }
        deemed = sum(each.deemed_employer_nic_pence for each in paydays if tax_month(each.payday_on) == number)
        nic, bill = nic + sums["employer_nic_pence"] - deemed, bill + sums["pay_bill_pence"]
        allowance = 0
        if settings.employment_allowance:
            allowance = (
                employment_allowance_used(parameters, max(0, nic), settings.allowance_used_elsewhere_pence) - used
            )
        levy = levy_due(parameters, number, bill, levied, settings.levy_share_bp)
        used, levied = used + allowance, levied + levy
        found.append(_month(parameters, number, sums, allowance, levy, settings))
    return tuple(found)


def _month(
    parameters: YearParameters, number: int, sums: Mapping[str, int], allowance: int, levy: int, settings: Settings
) -> Month:
    starts_on = add_months(parameters.starts_on, number - 1)
    ends_on = add_months(parameters.starts_on, number).replace(day=5)
    last_year = settings.class_1_last_year_pence
    recovered = None if last_year is None else recovery(parameters, sums["family_pay_pence"], last_year)
    if not sums["family_pay_pence"]:
        recovered = 0
    collected = sum(
        sums[name]
        for name in (
            "tax_pence",
            "employee_nic_pence",
            "employer_nic_pence",
            "student_loan_pence",
            "postgrad_loan_pence",
        )
    )
    return Month(
        number=number,
        starts_on=starts_on,
        ends_on=ends_on,
        pay_by_on=date.fromordinal(ends_on.toordinal() + PAYABLE_AFTER_DAYS),
        **sums,
        family_pay_recovered_pence=recovered,
        employment_allowance_pence=allowance,
        levy_pence=levy,
        due_pence=None if recovered is None else collected + levy - allowance - recovered,
    )
