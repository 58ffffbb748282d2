"""What a CIS deduction statement says: a subcontractor's payments and deductions of one tax month."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from pay_calc.documents.cis_statement import CisPayment, CisStatement
from pay_calc.documents.models import Branding, Employer
from pay_calc.domain.engine.calendar import tax_month_days
from pay_calc.domain.fps import pounds, safe_cell
from pay_calc.domain.pay_dates import DAY
from pay_calc.store import cis as store
from pay_calc.usecases.replay import load_json
from paybill_common.db import Tx
from paybill_common.money import from_pence

RETURN_COLUMNS = (
    "tax_month_ended",
    "payee_id",
    "name",
    "utr",
    "verification_number",
    "total_payments",
    "cost_of_materials",
    "total_deducted",
)
PAGE = 500


@dataclass(frozen=True, slots=True)
class Payment:
    """One final slip, pence without VAT."""

    payslip_id: UUID
    worker_id: UUID
    payday_on: date
    week_ending: date
    labour_pence: int
    materials_pence: int
    rate_pct: int
    deduction_pence: int
    verification_number: str

    @property
    def gross_pence(self) -> int:
        return self.labour_pence + self.materials_pence


@dataclass(frozen=True, slots=True)
class Statement:
    """`utr` is that of today; the payments say with which verification each was made."""

    payee_id: UUID
    name: str | None
    utr: str | None
    from_on: date
    to_on: date
    payments: tuple[Payment, ...]

    def total(self, name: str) -> int:
        return sum(getattr(payment, name) for payment in self.payments)


async def statements(
    tx: Tx,
    *,
    agency_id: UUID,
    tax_year: str,
    tax_month: int,
    payee_id: UUID | None,
    worker_id: UUID | None,
    after: UUID | None,
    most: int,
) -> list[Statement]:
    """The subcontractors paid in a tax month, from the 6th to the 5th by payday, by payee."""
    from_on, to_on = tax_month_days(tax_year, tax_month)
    payees = await store.payees_paid(
        tx,
        agency_id=agency_id,
        from_on=from_on,
        to_on=to_on,
        payee_id=payee_id,
        worker_id=worker_id,
        after=after,
        most=most,
    )
    rows = await store.payments_to(
        tx,
        agency_id=agency_id,
        from_on=from_on,
        to_on=to_on,
        payees=[payee.payee_id for payee in payees],
        worker_id=worker_id,
    )
    paid: dict[UUID, list[Payment]] = {}
    for row in rows:
        paid.setdefault(row.payee_id, []).append(_payment(row))
    return [
        Statement(payee.payee_id, payee.name, payee.cis_utr, from_on, to_on, tuple(paid[payee.payee_id]))
        for payee in payees
    ]


def _payment(row: Any) -> Payment:
    figures, verified = load_json(row.result)["figures"], load_json(row.inputs)["subcontractor"]
    return Payment(
        payslip_id=row.payslip_id,
        worker_id=row.worker_id,
        payday_on=row.payday_on,
        week_ending=row.period_to - DAY,
        labour_pence=figures["cis_labour_pence"],
        materials_pence=figures["cis_materials_pence"],
        rate_pct=verified["rate_bp"] // 100,
        deduction_pence=figures["cis_deduction_pence"],
        verification_number=verified["verification_number"],
    )


def printed(statement: Statement, contractor: Employer, branding: Branding) -> CisStatement:
    """The document of a statement."""
    return CisStatement(
        contractor=contractor,
        branding=branding,
        subcontractor=statement.name or f"Payee {statement.payee_id}",
        utr=statement.utr,
        from_on=statement.from_on,
        to_on=statement.to_on,
        payments=tuple(
            CisPayment(
                paid_on=payment.payday_on,
                week_ending=payment.week_ending,
                gross_gbp=from_pence(payment.gross_pence),
                materials_gbp=from_pence(payment.materials_pence),
                rate_pct=payment.rate_pct,
                deduction_gbp=from_pence(payment.deduction_pence),
                verification_number=payment.verification_number,
            )
            for payment in statement.payments
        ),
    )


async def return_csv(tx: Tx, *, agency_id: UUID, tax_year: str, tax_month: int) -> str:
    """The lines of the contractor's monthly return: a subcontractor paid in the tax month each, without VAT. None: a nil return is due."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(RETURN_COLUMNS)
    after: UUID | None = None
    while True:
        page = await statements(
            tx, agency_id=agency_id, tax_year=tax_year, tax_month=tax_month, payee_id=None, worker_id=None, after=after, most=PAGE
        )  # fmt: skip
        writer.writerows(_return_line(statement) for statement in page)
        if len(page) < PAGE:
            return out.getvalue()
        after = page[-1].payee_id


def _return_line(statement: Statement) -> list[str]:
    return [
        statement.to_on.isoformat(),
        str(statement.payee_id),
        safe_cell(statement.name or ""),
        statement.utr or "",
        ", ".join(sorted({payment.verification_number for payment in statement.payments})),
        pounds(statement.total("gross_pence")),
        pounds(statement.total("materials_pence")),
        pounds(statement.total("deduction_pence")),
    ]
