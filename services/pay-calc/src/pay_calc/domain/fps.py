"""A Full Payment Submission's facts as rows of a table: the columns that HMRC asks for each employee and payment.

`payday_on` is the contractual date, whatever day the money moved. Year-to-date figures are this employment's only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pay_calc.domain.engine.tax_code import parse_tax_code

COLUMNS = (
    "tax_year",
    "paye_reference",
    "accounts_office_reference",
    "pay_id",
    "ni_number",
    "given_name",
    "family_name",
    "birth_on",
    "gender",
    "address_1",
    "address_2",
    "address_3",
    "address_4",
    "started_on",
    "starter_declaration",
    "left_on",
    "irregular_employment",
    "pay_frequency",
    "payment_date",
    "week_number",
    "periods_covered",
    "hours_band",
    "tax_regime",
    "tax_code",
    "tax_basis_non_cumulative",
    "taxable_pay",
    "payrolled_benefits",
    "non_tax_or_nic_payment",
    "deductions_from_net_pay",
    "pay_after_statutory_deductions",
    "net_pay_pension",
    "other_pension",
    "student_loan_plan",
    "student_loan_deducted",
    "postgrad_loan_deducted",
    "tax_deducted",
    "taxable_pay_to_date",
    "payrolled_benefits_to_date",
    "tax_to_date",
    "student_loan_to_date",
    "postgrad_loan_to_date",
    "pension_to_date",
    "ni_letter",
    "nic_gross_in_period",
    "nic_gross_to_date",
    "nic_at_lel_to_date",
    "nic_lel_to_pt_to_date",
    "nic_pt_to_uel_to_date",
    "employer_nic_in_period",
    "employer_nic_to_date",
    "employee_nic_in_period",
    "employee_nic_to_date",
    "smp_to_date",
    "spp_to_date",
    "sap_to_date",
    "shpp_to_date",
    "spbp_to_date",
    "sncp_to_date",
    "off_payroll_worker",
    "payment_after_leaving",
    "aggregated_earnings",
    "director_nic_method",
    "director_appointment_week",
)

REPORTED = {
    "paye": ("gross_pence", "tax_pence", "employee_pension_pence"),
    "limited": ("taxable_pence",),
}
"""By pay basis, the figures of which one at least is not nought in a payslip that is reported: pay, or what is given back without any."""
_FORMULA = re.compile(r"^[=+\-@\t\r]")
_MONEY = re.compile(r"-?[0-9]+\.[0-9]{2}")


def hours_band(minutes: int) -> str:
    """A under 16 hours, B to under 24, C to under 30, D 30 and more: of the hours normally worked a week."""
    for band, hours in (("A", 16), ("B", 24), ("C", 30)):
        if minutes < hours * 60:
            return band
    return "D"


def regime_and_code(tax_code: str) -> tuple[str, str, str]:
    """(tax regime S, C or none; the bare code; Y when not cumulative)."""
    parsed = parse_tax_code(tax_code)
    return {"Scotland": "S", "Wales": "C"}.get(parsed.region, ""), parsed.bare, "Y" if parsed.non_cumulative else ""


def pounds(pence: int) -> str:
    """Pence as pounds with two decimals."""
    sign, size = ("-", -pence) if pence < 0 else ("", pence)
    return f"{sign}{size // 100}.{size % 100:02d}"


def safe_cell(value: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{value}" if _FORMULA.match(value) and not _MONEY.fullmatch(value) else value


def letters_of(to_date: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The year to date of each NI letter, the payslip's own first."""
    return [to_date["nic"], *to_date.get("nic_other_letters", ())]


def rows(
    *,
    employer: Mapping[str, Any],
    person: Mapping[str, Any],
    first: bool,
    payday_on: str,
    inputs: Mapping[str, Any],
    result: Mapping[str, Any],
    to_date: Mapping[str, Any],
    family_pay_to_date: Mapping[str, int],
) -> list[list[str]]:
    """One payslip's rows, in the order of `COLUMNS`: the payment under its own NI letter, and a row for each other letter of the year
    with that letter's columns and who it is about, and no payment. `first`: no payment of this employment was reported before."""
    whole = row(
        employer=employer,
        person=person,
        first=first,
        payday_on=payday_on,
        inputs=inputs,
        result=result,
        to_date=to_date,
        nic_to_date=to_date["nic"],
        family_pay_to_date=family_pay_to_date,
    )
    parts = {part["letter"]: part for part in result.get("nic_parts", ())}
    named = dict(zip(COLUMNS, whole, strict=True))
    if parts:
        named |= _nic_cells(result["ni_letter"], parts.get(result["ni_letter"], _NONE), to_date["nic"])
    found = [[named[name] for name in COLUMNS]]
    for other in letters_of(to_date)[1:]:
        cells = {name: named[name] if name in _WHOSE else "" for name in COLUMNS}
        cells |= _nic_cells(other["letter"], parts.get(other["letter"], _NONE), other)
        found.append([cells[name] for name in COLUMNS])
    return found


_WHOSE = (*COLUMNS[: COLUMNS.index("started_on")], "payment_date")
_NONE: Mapping[str, int] = {"niable_pence": 0, "employee_pence": 0, "employer_pence": 0}


def _nic_cells(letter: str, now: Mapping[str, Any], to_date: Mapping[str, Any]) -> dict[str, str]:
    return {
        "ni_letter": letter,
        "nic_gross_in_period": pounds(now["niable_pence"]),
        "nic_gross_to_date": pounds(to_date["niable_pence"]),
        "nic_at_lel_to_date": pounds(to_date["at_lel_pence"]),
        "nic_lel_to_pt_to_date": pounds(to_date["lel_to_pt_pence"]),
        "nic_pt_to_uel_to_date": pounds(to_date["pt_to_uel_pence"]),
        "employer_nic_in_period": pounds(now["employer_pence"]),
        "employer_nic_to_date": pounds(to_date["employer_pence"]),
        "employee_nic_in_period": pounds(now["employee_pence"]),
        "employee_nic_to_date": pounds(to_date["employee_pence"]),
    }


def _starter_cells(start: Mapping[str, Any], *, first: bool) -> dict[str, str]:
    """The start and the worker's statement go with the first payment of an employment and are never sent again."""
    return {
        "started_on": (start["started_on"] or "") if first else "",
        "starter_declaration": (start["declaration"] or "") if first else "",
    }


def _director_cells(director: Mapping[str, Any] | None) -> dict[str, str]:
    """AN (annual) or AL (alternative), and the tax week of an appointment in this year; blank for everybody else."""
    weeks = 52 if director is None else int(director["pro_rata_weeks"])
    return {
        "director_nic_method": "" if director is None else {"standard": "AN", "alternative": "AL"}[director["method"]],
        "director_appointment_week": str(53 - weeks) if weeks < 52 else "",
    }


def row(
    *,
    employer: Mapping[str, Any],
    person: Mapping[str, Any],
    first: bool,
    payday_on: str,
    inputs: Mapping[str, Any],
    result: Mapping[str, Any],
    to_date: Mapping[str, int],
    nic_to_date: Mapping[str, int],
    family_pay_to_date: Mapping[str, int],
) -> list[str]:
    """One payslip's row, in the order of `COLUMNS`. To-date figures hold this payment; family pay is pence by element, sick pay is not
    reported."""
    figures, employee = result["figures"], inputs["employee"]
    deemed = inputs["pay_basis"] != "paye"
    regime, code, non_cumulative = regime_and_code(employee["tax_code"])
    address: Sequence[str] = [*person["address"], "", "", "", ""]
    pension = employee["pension"]
    if pension is not None:
        net_pay = figures["employee_pension_pence"] if pension["basis"] == "net_pay" else 0
    else:
        net_pay = -inputs.get("pension_refund", {}).get("net_pay_pence", 0)
    other = figures["employee_pension_pence"] - net_pay
    cells = {
        "tax_year": result["tax_year"],
        "paye_reference": employer.get("paye_reference") or "",
        "accounts_office_reference": employer.get("accounts_office_reference") or "",
        "pay_id": person["pay_id"],
        "ni_number": person["ni_number"] or "",
        "given_name": person["given_name"],
        "family_name": person["family_name"],
        "birth_on": person["birth_on"] or "",
        "gender": person["gender"] or "",
        "address_1": address[0],
        "address_2": address[1],
        "address_3": address[2],
        "address_4": address[3],
        **_starter_cells(employee.get("starting") or person, first=first),
        "left_on": person["left_on"] or "",
        "irregular_employment": "Y",
        "pay_frequency": "W1",
        "payment_date": payday_on,
        "week_number": str(result["tax_period"]),
        "periods_covered": "1",
        "hours_band": hours_band(result["worked_minutes"]),
        "tax_regime": regime,
        "tax_code": code,
        "tax_basis_non_cumulative": non_cumulative or ("Y" if result["tax_basis"] == "non_cumulative" else ""),
        "taxable_pay": pounds(figures["taxable_pence"]),
        "payrolled_benefits": pounds(figures.get("payrolled_benefits_pence", 0)),
        "non_tax_or_nic_payment": pounds(0 if deemed else figures["expenses_pence"]),
        "deductions_from_net_pay": pounds(figures["other_deductions_pence"]),
        "pay_after_statutory_deductions": pounds(
            figures["taxable_pence"] - figures["tax_pence"] - figures["employee_nic_pence"]
            if deemed
            else figures["net_pence"] - figures["expenses_pence"] + figures["other_deductions_pence"]
        ),
        "net_pay_pension": pounds(net_pay),
        "other_pension": pounds(other),
        "student_loan_plan": employee["student_loan_plan"] or "",
        "student_loan_deducted": pounds(figures["student_loan_pence"]),
        "postgrad_loan_deducted": pounds(figures["postgrad_loan_pence"]),
        "tax_deducted": pounds(figures["tax_pence"]),
        "taxable_pay_to_date": pounds(to_date["taxable_pence"]),
        "payrolled_benefits_to_date": pounds(to_date.get("payrolled_benefits_pence", 0)),
        "tax_to_date": pounds(to_date["tax_pence"]),
        "student_loan_to_date": pounds(to_date["student_loan_pence"]),
        "postgrad_loan_to_date": pounds(to_date["postgrad_loan_pence"]),
        "pension_to_date": pounds(to_date["employee_pension_pence"]),
        **_nic_cells(
            result["ni_letter"],
            {
                "niable_pence": figures["niable_pence"],
                "employee_pence": figures["employee_nic_pence"],
                "employer_pence": figures["employer_nic_pence"],
            },
            nic_to_date,
        ),
        "off_payroll_worker": "Y" if deemed else "",
        "payment_after_leaving": "Y" if employee.get("after_leaving") else "",
        "aggregated_earnings": "Y" if "connected" in inputs else "",
        **_director_cells(employee.get("director")),
        **{
            f"{kind.lower()}_to_date": pounds(family_pay_to_date[kind]) if kind in family_pay_to_date else ""
            for kind in ("SMP", "SPP", "SAP", "ShPP", "SPBP", "SNCP")
        },
    }
    return [safe_cell(str(cells[name])) for name in COLUMNS]
