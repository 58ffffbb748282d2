"""Statutory pay and pay for leave are the employer's cost of their week, whether its worker worked in it or not."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import date
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from web import Site
from world import World

from paybill_common.service import Runtime
from paybill_contracts.pay import PayCalculated
from reporting.api.web.overview import waterfall_steps
from reporting.store import week as store

pytestmark = pytest.mark.integration
SICK_PAY = Decimal("123.25")


def _sick(world: World) -> PayCalculated:
    nil = Decimal(0)
    return PayCalculated(
        agency_id=world.agency,
        worker_id=world.id("worker", "sick"),
        payslip_id=world.id("payslip", "sick"),
        revision=1,
        pay_basis="paye",
        frequency="weekly",
        period_from=date(2026, 3, 30),
        period_to=date(2026, 4, 6),
        payday_on=date(2026, 4, 10),
        gross_gbp=SICK_PAY,
        holiday_pay_gbp=nil,
        tax_gbp=nil,
        employee_nic_gbp=nil,
        employer_nic_gbp=Decimal("4.06"),
        other_deductions_gbp=nil,
        employer_pension_gbp=nil,
        levy_gbp=nil,
        net_gbp=SICK_PAY,
        cost_gbp=SICK_PAY + Decimal("4.06"),
        engine_version="1",
        parameter_version="2026-27.1",
        charges=(),
        statutory_pay_gbp=SICK_PAY,
    )


async def test_a_week_bears_the_sick_pay_of_who_did_not_work(
    runtime: Runtime, feed: Callable[..., Awaitable[None]]
) -> None:
    world = World()
    await feed(world.monday().facts)

    async def read() -> tuple[Any, Any, Any]:
        async with runtime.worker_database.transaction(now=runtime.clock.now()) as tx:
            return (
                await store.totals(tx, agency_id=world.agency, week_ending=world.week),
                await store.cost_parts(tx, agency_id=world.agency, week_ending=world.week),
                await store.read_tie_out(tx, agency_id=world.agency, week_ending=world.week),
            )

    before, _, tied = await read()
    count = len(world.facts)
    world.tell(_sick(world), hours=9)
    await feed(world.facts[count:])
    after, parts, still = await read()
    assert after.cost_gbp - before.cost_gbp == SICK_PAY + Decimal("4.06")
    assert (after.costed_charge_gbp, still.clean) == (before.costed_charge_gbp, tied.clean)
    steps = {step.label: step.pence for step in waterfall_steps(after, parts)}
    assert steps["Statutory pay"] == -12325
    assert steps["Margin"] == sum(pence for label, pence in steps.items() if label != "Margin")


def _on_leave(world: World) -> PayCalculated:
    return _sick(world).model_copy(
        update={
            "statutory_pay_gbp": Decimal(0),
            "holiday_taken_pay_gbp": SICK_PAY,
            "leave_earned_minutes": 900,
            "leave_taken_minutes": 480,
        }
    )


async def test_a_week_bears_the_leave_of_who_did_not_work(
    runtime: Runtime, feed: Callable[..., Awaitable[None]]
) -> None:
    world = World()
    await feed(world.monday().facts)

    async def read() -> tuple[Any, Any, Any]:
        async with runtime.worker_database.transaction(now=runtime.clock.now()) as tx:
            return (
                await store.totals(tx, agency_id=world.agency, week_ending=world.week),
                await store.cost_parts(tx, agency_id=world.agency, week_ending=world.week),
                await store.read_tie_out(tx, agency_id=world.agency, week_ending=world.week),
            )

    before, _, tied = await read()
    count = len(world.facts)
    world.tell(_on_leave(world), hours=9)
    await feed(world.facts[count:])
    after, parts, still = await read()
    assert after.cost_gbp - before.cost_gbp == SICK_PAY + Decimal("4.06")
    assert still.clean == tied.clean
    steps = {step.label: step.pence for step in waterfall_steps(after, parts)}
    assert steps["Holiday taken"] == -12325
    assert steps["Margin"] == sum(pence for label, pence in steps.items() if label != "Margin")


async def test_the_payslip_page_says_how_much_leave_is_left(site: Site, feed: Callable[..., Awaitable[None]]) -> None:
    world = site.world
    path = f"/agencies/{world.agency}/payslips/{world.id('payslip', 'sick')}"
    count = len(world.facts)
    world.tell(_on_leave(world), hours=9)
    await feed(world.facts[count:])
    async with site.sign_in("bea") as browser:
        page = (await browser.get(path)).text
        other = (await browser.get(f"/agencies/{world.agency}/payslips/{world.payslip_id(0)}")).text
    told = " ".join(re.sub(r"<[^>]+>", "", page).split())
    assert "of which leave taken or paid in lieu 123.25" in told.replace("lieu123.25", "lieu 123.25")
    assert "Holiday: earned 15:00 h, taken 8:00 h, left 7:00 h" in told
    assert f'href="{path}/explanation?figure=leave"' in page
    assert "Holiday: earned" not in other


def test_the_waterfall_names_no_statutory_pay_where_there_is_none() -> None:
    totals = SimpleNamespace(costed_charge_gbp=Decimal(100), cost_gbp=Decimal(80))
    names = ("pay", "holiday_pay", "holiday_taken_pay", "statutory_pay", "employer_nic", "employer_pension", "levy")
    parts = SimpleNamespace(**{f"{name}_gbp": Decimal(80 if name == "pay" else 0) for name in names})
    assert [step.label for step in waterfall_steps(totals, parts)] == ["Charge", "Pay", "Margin"]
