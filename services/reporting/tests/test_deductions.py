"""What is kept back of a self-billed payment: told on the slip and the document, and never expected in the bank."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from web import Site
from world import MONDAY, World

from paybill_common.service import Runtime
from paybill_contracts.invoicing import SelfBillDeduction, SelfBillIssued
from paybill_contracts.pay import CisDeduction, PayFinalised
from reporting.store import week as store

pytestmark = pytest.mark.integration
GROSS, DEDUCTION = Decimal("850.00"), Decimal("160.00")


def _cis(world: World) -> PayFinalised:
    nil = Decimal(0)
    return PayFinalised(
        agency_id=world.agency,
        worker_id=world.id("worker", "cis"),
        payslip_id=world.id("payslip", "cis"),
        revision=1,
        pay_basis="cis",
        payee_id=world.id("payee", "cis"),
        frequency="weekly",
        period_from=date(2026, 3, 30),
        period_to=date(2026, 4, 6),
        payday_on=date(2026, 4, 10),
        tax_year="2026-27",
        gross_gbp=GROSS,
        holiday_pay_gbp=nil,
        tax_gbp=nil,
        employee_nic_gbp=nil,
        employer_nic_gbp=nil,
        other_deductions_gbp=nil,
        employer_pension_gbp=nil,
        levy_gbp=nil,
        net_gbp=GROSS - DEDUCTION,
        cost_gbp=GROSS,
        engine_version="1",
        parameter_version="2026-27.1",
        charges=(),
        cis=CisDeduction(
            labour_gbp=Decimal("800.00"), materials_gbp=Decimal("50.00"), rate_pct=20, deduction_gbp=DEDUCTION
        ),
        pay_run_id=world.id("pay-run", world.week),
        finalised_at=MONDAY + timedelta(hours=72),
    )


def _bill(world: World, payable: Decimal | None) -> SelfBillIssued:
    return SelfBillIssued(
        agency_id=world.agency,
        document_id=world.id("document", "cis"),
        number="SB-CIS-1",
        issued_on=date(2026, 4, 9),
        tax_point_on=date(2026, 4, 9),
        net_gbp=GROSS,
        vat_gbp=Decimal("170.00"),
        gross_gbp=Decimal("1020.00"),
        charges=(),
        ledger_balanced=True,
        payee_id=world.id("payee", "cis"),
        payee_kind="cis",
        pay_run_id=world.id("pay-run", world.week),
        deductions=() if payable is None else (SelfBillDeduction(code="cis", amount_gbp=DEDUCTION),),
        payable_gbp=payable,
    )


@pytest.mark.parametrize(("payable", "expected"), [(Decimal("860.00"), "860.00"), (None, "1020.00")])
async def test_the_bank_is_expected_to_pay_what_is_payable(
    runtime: Runtime, feed: Callable[..., Awaitable[None]], payable: Decimal | None, expected: str
) -> None:
    world = World()
    await feed(world.monday().thursday().facts)

    async def read() -> Any:
        async with runtime.worker_database.transaction(now=runtime.clock.now()) as tx:
            await tx.execute("UPDATE document SET week_ending = :week WHERE number = 'SB-CIS-1'", week=world.week)
            return await store.run_totals(tx, agency_id=world.agency, week_ending=world.week)

    before, count = await read(), len(world.facts)
    world.tell(_bill(world, payable), hours=74)
    await feed(world.facts[count:])
    assert (await read()).payable_gbp - before.payable_gbp == Decimal(expected)


async def test_the_slip_and_the_self_bill_show_the_deduction(site: Site, feed: Callable[..., Awaitable[None]]) -> None:
    world = site.world
    count = len(world.facts)
    world.tell(_cis(world), hours=72)
    world.tell(_bill(world, Decimal("860.00")), hours=74)
    await feed(world.facts[count:])
    async with site.sign_in() as browser:
        slip = await browser.get(f"/agencies/{world.agency}/payslips/{world.id('payslip', 'cis')}")
        bill = await browser.get(f"/agencies/{world.agency}/invoices/{world.id('document', 'cis')}")
    assert (slip.status_code, bill.status_code) == (200, 200)
    told = " ".join(re.sub(r"<[^>]*>", " ", slip.text).split())
    assert "of which labour 800.00 CIS deduction, 20% of labour −160.00 Paid before VAT 690.00" in told
    assert "Income tax" not in told
    paper = " ".join(re.sub(r"<[^>]*>", " ", bill.text).split())
    assert "Gross 1,020.00 CIS deduction −160.00 Payable 860.00" in paper
