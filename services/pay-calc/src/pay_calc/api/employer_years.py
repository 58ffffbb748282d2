"""What the agency owes HMRC as employer, tax month by tax month."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from pay_calc.api.access import AgencyId, Money
from pay_calc.domain.employer_year import Month, Settings
from pay_calc.domain.engine.errors import EngineError
from pay_calc.rates import parameters_for_year
from pay_calc.store import employer_years
from pay_calc.usecases.employer_year import employer_year
from paybill_common.auth import Principal
from paybill_common.http.problems import ERROR_RESPONSES, invalid
from paybill_common.http.route import TxDep, TxRoute, require
from paybill_common.money import from_pence, to_pence

router = APIRouter(prefix="/v1/agencies/{agency_id}", route_class=TxRoute, responses=ERROR_RESPONSES, tags=["employer"])
TaxYear = Annotated[str, Path(pattern=r"^20[0-9]{2}-[0-9]{2}$", description="Such as 2026-27")]


class EmployerYearIn(BaseModel):
    """What a person decided for the tax year. `employment_allowance`: claimed, and the agency is entitled to it.
    `allowance_used_elsewhere_gbp`: what connected employers use of the one allowance. `levy_share_pct`: this agency's share of the levy
    allowance. `class_1_last_year_gbp`: employee's and employer's Class 1 of the last complete year; it decides how much of family pay is
    recovered, which is not worked out without it."""

    model_config = ConfigDict(extra="forbid")

    employment_allowance: bool = False
    allowance_used_elsewhere_gbp: Money = Decimal(0)
    levy_share_pct: Annotated[Decimal, Field(ge=0, le=100, decimal_places=2)] = Decimal(100)
    class_1_last_year_gbp: Money | None = None


class TaxMonthOut(BaseModel):
    """One tax month of final PAYE payslips. `due_gbp` = tax + both NICs + loans + levy - family pay recovered - Employment Allowance; null
    while the recovery is not known. Deductions from subcontractors (CIS) are not in it."""

    tax_month: int
    starts_on: date
    ends_on: date
    pay_by_on: date
    payslips: int
    tax_gbp: Decimal
    employee_nic_gbp: Decimal
    employer_nic_gbp: Decimal
    student_loan_gbp: Decimal
    postgrad_loan_gbp: Decimal
    pay_bill_gbp: Decimal
    family_pay_gbp: Decimal
    family_pay_recovered_gbp: Decimal | None
    employment_allowance_gbp: Decimal
    levy_gbp: Decimal
    due_gbp: Decimal | None


class EmployerYearOut(EmployerYearIn):
    """The year's decisions (`recorded` false: none yet, nothing is claimed) and its months up to the last that has a payday."""

    tax_year: str
    recorded: bool
    months: list[TaxMonthOut]


@router.put("/employer-years/{tax_year}")
async def put_employer_year(
    tx: TxDep,
    agency_id: AgencyId,
    tax_year: TaxYear,
    body: EmployerYearIn,
    principal: Principal = require("pay:write"),
) -> EmployerYearOut:
    """Record the decisions of a tax year: Employment Allowance, shares among connected employers, Class 1 of the year before."""
    _known(tax_year)
    used, last_year = body.allowance_used_elsewhere_gbp, body.class_1_last_year_gbp
    allowance = from_pence(parameters_for_year(tax_year).employment_allowance_pence)
    if used > allowance:
        raise invalid(
            "allowance_exceeded",
            f"Connected employers share one Employment Allowance of {allowance}.",
            pointer="#/allowance_used_elsewhere_gbp",
        )
    await employer_years.upsert(
        tx,
        agency_id=agency_id,
        tax_year=tax_year,
        values={
            "employment_allowance": body.employment_allowance,
            "allowance_used_elsewhere_pence": to_pence(used),
            "levy_share_bp": int(body.levy_share_pct * 100),
            "class_1_last_year_pence": None if last_year is None else to_pence(last_year),
        },
        by=principal.subject,
    )
    return await _year(tx, agency_id, tax_year)


@router.get("/employer-years/{tax_year}")
async def get_employer_year(
    tx: TxDep, agency_id: AgencyId, tax_year: TaxYear, principal: Principal = require("pay:read")
) -> EmployerYearOut:
    """What the agency owes HMRC for each tax month of final payslips: tax, NIC, loans, recovery, Employment Allowance, levy."""
    _known(tax_year)
    return await _year(tx, agency_id, tax_year)


def _known(tax_year: str) -> None:
    try:
        parameters_for_year(tax_year)
    except EngineError as error:
        raise invalid(error.code, error.message, pointer="path:/tax_year") from error


async def _year(tx: TxDep, agency_id: AgencyId, tax_year: str) -> EmployerYearOut:
    recorded, months = await employer_year(tx, agency_id=agency_id, tax_year=tax_year)
    settings = recorded or Settings()
    last_year = settings.class_1_last_year_pence
    return EmployerYearOut(
        tax_year=tax_year,
        recorded=recorded is not None,
        employment_allowance=settings.employment_allowance,
        allowance_used_elsewhere_gbp=from_pence(settings.allowance_used_elsewhere_pence),
        levy_share_pct=Decimal(settings.levy_share_bp).scaleb(-2),
        class_1_last_year_gbp=None if last_year is None else from_pence(last_year),
        months=[_month(month) for month in months],
    )


def _month(month: Month) -> TaxMonthOut:
    recovered, due = month.family_pay_recovered_pence, month.due_pence
    return TaxMonthOut(
        tax_month=month.number,
        starts_on=month.starts_on,
        ends_on=month.ends_on,
        pay_by_on=month.pay_by_on,
        payslips=month.payslips,
        tax_gbp=from_pence(month.tax_pence),
        employee_nic_gbp=from_pence(month.employee_nic_pence),
        employer_nic_gbp=from_pence(month.employer_nic_pence),
        student_loan_gbp=from_pence(month.student_loan_pence),
        postgrad_loan_gbp=from_pence(month.postgrad_loan_pence),
        pay_bill_gbp=from_pence(month.pay_bill_pence),
        family_pay_gbp=from_pence(month.family_pay_pence),
        family_pay_recovered_gbp=None if recovered is None else from_pence(recovered),
        employment_allowance_gbp=from_pence(month.employment_allowance_pence),
        levy_gbp=from_pence(month.levy_pence),
        due_gbp=None if due is None else from_pence(due),
    )
