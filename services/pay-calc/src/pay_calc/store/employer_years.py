"""An agency's decisions for a tax year as employer, and the totals of its final payslips by payday."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

from pay_calc.domain.employer_year import Payday, Settings
from paybill_common.db import Tx


async def upsert(tx: Tx, *, agency_id: UUID, tax_year: str, values: Mapping[str, Any], by: str) -> None:
    """Store the whole of a year's decisions."""
    await tx.execute(
        """
        INSERT INTO employer_year (agency_id, tax_year, employment_allowance, allowance_used_elsewhere_pence, levy_share_bp,
            class_1_last_year_pence, updated_at, updated_by)
        VALUES (:agency, :year, :employment_allowance, :allowance_used_elsewhere_pence, :levy_share_bp, :class_1_last_year_pence,
            :now, :by)
        ON CONFLICT (agency_id, tax_year) DO UPDATE SET employment_allowance = EXCLUDED.employment_allowance,
            allowance_used_elsewhere_pence = EXCLUDED.allowance_used_elsewhere_pence, levy_share_bp = EXCLUDED.levy_share_bp,
            class_1_last_year_pence = EXCLUDED.class_1_last_year_pence, updated_at = EXCLUDED.updated_at,
            updated_by = EXCLUDED.updated_by
        """,
        agency=agency_id,
        year=tax_year,
        now=tx.now,
        by=by,
        **values,
    )


async def settings(tx: Tx, *, agency_id: UUID, tax_year: str) -> Settings | None:
    """What was recorded for the year, or None."""
    found = await tx.execute(
        """
        SELECT employment_allowance, allowance_used_elsewhere_pence, levy_share_bp, class_1_last_year_pence
        FROM employer_year WHERE agency_id = :agency AND tax_year = :year
        """,
        agency=agency_id,
        year=tax_year,
    )
    row = found.first()
    return None if row is None else Settings(*row)


_FIGURES = ("tax", "employee_nic", "employer_nic", "student_loan", "postgrad_loan")


async def paydays(tx: Tx, *, agency_id: UUID, starts_on: date, ends_on: date) -> list[Payday]:
    """Totals of final PAYE payslips and deemed direct payments by payday, these days included."""
    sums = ", ".join(
        f"sum(CAST(result -> 'figures' ->> '{name}_pence' AS bigint)) AS {name}_pence" for name in _FIGURES
    )
    found = await tx.execute(
        f"""
        SELECT payday_on, count(*) FILTER (WHERE CAST(result -> 'figures' ->> 'gross_pence' AS bigint) <> 0) AS payslips, {sums},
               coalesce(sum(CAST(result -> 'figures' ->> 'niable_pence' AS bigint)) FILTER (WHERE result ->> 'ni_letter' <> 'X'), 0)
                 AS pay_bill_pence,
               coalesce(sum(CAST(result -> 'figures' ->> 'employer_nic_pence' AS bigint)) FILTER (WHERE pay_basis <> 'paye'), 0)
                 AS deemed_employer_nic_pence
        FROM payslip
        WHERE agency_id = :agency AND state = 'finalised' AND result ->> 'ni_letter' IS NOT NULL AND payday_on BETWEEN :first AND :last
        GROUP BY payday_on ORDER BY payday_on
        """,  # noqa: S608  constant names
        agency=agency_id,
        first=starts_on,
        last=ends_on,
    )
    family = await _family_pay(tx, agency_id=agency_id, starts_on=starts_on, ends_on=ends_on)
    return [
        Payday(
            payday_on=row.payday_on,
            payslips=int(row.payslips),
            **{f"{name}_pence": int(getattr(row, f"{name}_pence")) for name in _FIGURES},
            pay_bill_pence=int(row.pay_bill_pence),
            family_pay_pence=family.get(row.payday_on, 0),
            deemed_employer_nic_pence=int(row.deemed_employer_nic_pence),
        )
        for row in found
    ]


async def _family_pay(tx: Tx, *, agency_id: UUID, starts_on: date, ends_on: date) -> dict[date, int]:
    """Statutory pay that can be recovered, which sick pay cannot, by payday."""
    found = await tx.execute(
        """
        SELECT p.payday_on, sum(CAST(line ->> 'amount_pence' AS bigint)) AS pence
        FROM payslip p CROSS JOIN LATERAL jsonb_array_elements(p.result -> 'lines') AS line
        WHERE p.agency_id = :agency AND p.state = 'finalised' AND p.pay_basis = 'paye' AND p.payday_on BETWEEN :first AND :last
          AND p.payslip_id IN (SELECT w.payslip_id FROM statutory_week w WHERE w.agency_id = :agency AND w.state = 'settled')
          AND line ->> 'kind' = 'statutory' AND line ->> 'element' <> 'SSP'
        GROUP BY p.payday_on
        """,
        agency=agency_id,
        first=starts_on,
        last=ends_on,
    )
    return {row.payday_on: int(row.pence) for row in found}
