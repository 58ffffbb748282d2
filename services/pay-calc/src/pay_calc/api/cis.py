"""CIS: what each subcontractor was paid in a tax month and what was deducted, as figures, as the statement's PDF, as the return's lines."""

from __future__ import annotations

import asyncio
from datetime import date
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from pay_calc.api.access import AgencyId, after_id, check_agency, read_tx
from pay_calc.api.pay_runs import CSV_TYPE, download
from pay_calc.documents.cis_statement import cis_statement_file_name, render_cis_statement
from pay_calc.usecases.cis_statements import Statement, printed, return_csv, statements
from pay_calc.usecases.payslip_document import letterhead
from paybill_common.auth import Principal
from paybill_common.http.paging import Cursor, Limit, Page, encode_cursor
from paybill_common.http.problems import ERROR_RESPONSES, invalid, not_found
from paybill_common.http.route import StepsRoute, TxDep, TxRoute, require
from paybill_common.money import from_pence

router = APIRouter(prefix="/v1/agencies/{agency_id}", route_class=TxRoute, responses=ERROR_RESPONSES, tags=["CIS"])
own_transactions = APIRouter(
    prefix="/v1/agencies/{agency_id}", route_class=StepsRoute, responses=ERROR_RESPONSES, tags=["CIS"]
)

TaxYear = Annotated[str, Query(pattern=r"^20[0-9]{2}-[0-9]{2}$", examples=["2026-27"])]
TaxMonth = Annotated[int, Query(ge=1, le=12, description="1: 6 April to 5 May")]


class CisPaymentOut(BaseModel):
    """One payment, without VAT. The verification is the one it was made under."""

    payslip_id: UUID
    worker_id: UUID
    payday_on: date
    week_ending: date
    labour_gbp: Decimal
    materials_gbp: Decimal
    rate_pct: int
    deduction_gbp: Decimal
    verification_number: str


class CisStatementOut(BaseModel):
    """Figures of the deduction statement that a subcontractor gets within 14 days of the tax month's end. `gross_gbp` is without VAT;
    `liable_gbp`, gross less materials, is what the deduction is worked on."""

    payee_id: UUID
    payee: str | None
    utr: str | None
    from_on: date
    to_on: date
    gross_gbp: Decimal
    materials_gbp: Decimal
    liable_gbp: Decimal
    deduction_gbp: Decimal
    paid_gbp: Decimal
    payments: list[CisPaymentOut]


@router.get("/cis-statements")
async def list_cis_statements(
    tx: TxDep,
    agency_id: AgencyId,
    tax_year: TaxYear,
    tax_month: TaxMonth,
    payee_id: UUID | None = None,
    worker_id: UUID | None = None,
    cursor: Cursor = None,
    limit: Limit = 100,
    principal: Principal = require("pay:read"),
) -> Page[CisStatementOut]:
    """What each CIS subcontractor was paid in a tax month, by payee; gross-status ones too, with nothing deducted."""
    _check_year(tax_year)
    found = await statements(
        tx,
        agency_id=agency_id,
        tax_year=tax_year,
        tax_month=tax_month,
        payee_id=payee_id,
        worker_id=worker_id,
        after=after_id(cursor),
        most=limit + 1,
    )
    return Page(
        items=[_out(statement) for statement in found[:limit]],
        next_cursor=encode_cursor(found[limit - 1].payee_id) if len(found) > limit else None,
    )


@own_transactions.get(
    "/cis-statements/{payee_id}/pdf",
    response_class=Response,
    responses={200: {"content": {"application/pdf": {}}, "description": "The payment and deduction statement"}},
)
async def cis_statement_pdf(
    request: Request,
    agency_id: AgencyId,
    payee_id: UUID,
    tax_year: TaxYear,
    tax_month: TaxMonth,
    principal: Principal = require("pay:read"),
) -> Response:
    """The payment and deduction statement of one subcontractor and tax month, as it is owed within 14 days of the month's end."""
    check_agency(principal, agency_id)
    _check_year(tax_year)
    async with read_tx(request, agency_id) as tx:
        found = await statements(
            tx, agency_id=agency_id, tax_year=tax_year, tax_month=tax_month, payee_id=payee_id, worker_id=None, after=None, most=1
        )  # fmt: skip
        if not found:
            raise not_found("cis_statement", payee_id)
        statement = printed(found[0], *await letterhead(tx, agency_id=agency_id))
    content = await asyncio.to_thread(render_cis_statement, statement)
    name = cis_statement_file_name(statement)
    return Response(
        content, media_type="application/pdf", headers={"Content-Disposition": f'inline; filename="{name}"'}
    )


@router.get(
    "/cis-return.csv",
    response_class=Response,
    responses={200: {"content": {"text/csv": {}}, "description": "A line a subcontractor"}},
)
async def cis_return(
    tx: TxDep, agency_id: AgencyId, tax_year: TaxYear, tax_month: TaxMonth, principal: Principal = require("pay:read")
) -> Response:
    """The lines of the contractor's monthly return, due by the 19th. Payments and materials are without VAT; none at all is a nil return,
    which has to be sent from April 2026 on."""
    _check_year(tax_year)
    text = await return_csv(tx, agency_id=agency_id, tax_year=tax_year, tax_month=tax_month)
    return download(text, f"cis-return-{tax_year}-{tax_month:02d}.csv", CSV_TYPE)


def _check_year(tax_year: str) -> None:
    if tax_year[5:] != f"{(int(tax_year[:4]) + 1) % 100:02d}":
        raise invalid("unknown_tax_year", f"{tax_year} is no tax year; write 2026-27.", pointer="query:/tax_year")


def _out(statement: Statement) -> CisStatementOut:
    labour, materials, deduction = (
        statement.total(name) for name in ("labour_pence", "materials_pence", "deduction_pence")
    )
    return CisStatementOut(
        payee_id=statement.payee_id,
        payee=statement.name,
        utr=statement.utr,
        from_on=statement.from_on,
        to_on=statement.to_on,
        gross_gbp=from_pence(labour + materials),
        materials_gbp=from_pence(materials),
        liable_gbp=from_pence(labour),
        deduction_gbp=from_pence(deduction),
        paid_gbp=from_pence(labour + materials - deduction),
        payments=[
            CisPaymentOut(
                payslip_id=payment.payslip_id,
                worker_id=payment.worker_id,
                payday_on=payment.payday_on,
                week_ending=payment.week_ending,
                labour_gbp=from_pence(payment.labour_pence),
                materials_gbp=from_pence(payment.materials_pence),
                rate_pct=payment.rate_pct,
                deduction_gbp=from_pence(payment.deduction_pence),
                verification_number=payment.verification_number,
            )
            for payment in statement.payments
        ],
    )
