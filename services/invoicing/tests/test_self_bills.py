"""Self-bills: raised once per pay run and supplier, whatever arrives first."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from invoicing.subscriptions import handle
from paybill_common.clock import ManualClock
from paybill_common.envelope import AnyEvent, Batch
from paybill_contracts.events import SelfBillIssued
from paybill_contracts.pay import CisDeduction

from .conftest import ISSUER, Service, World, supplier  # type: ignore[import-not-found]

pytestmark = pytest.mark.integration


def a_pay_run(world: World) -> list[AnyEvent]:
    """Three umbrella workers: two of payee 1, one of payee 2; one was amended after the pay run finalised version 1."""
    approved = [world.approved(n, payee=1 if n < 3 else 2) for n in (1, 2, 3)]
    return [
        *approved,
        *(world.finalised(event, payee=1 if n < 3 else 2) for n, event in enumerate(approved, start=1)),
        world.approved(2, payee=1, version=2, lines=[world.line(2, version=2, minutes=600)]),
        world.pay_run_closed(self_bills=3),
    ]


async def suppliers(service: Service, world: World) -> None:
    await service.call("PUT", world, "issuer", json=ISSUER)
    for n in (1, 2):
        await service.call("PUT", world, f"suppliers/{world.id('payee', n)}", json=supplier(n))


async def outcome(service: Service, world: World) -> set[tuple[Any, ...]]:
    found = await service.emitted(world, SelfBillIssued)
    assert len({event.number for event in found}) == len(found)
    return {
        (event.payee_id, event.net_gbp, event.vat_gbp, len(event.charges), event.ledger_balanced) for event in found
    }


def expected(world: World) -> set[tuple[Any, ...]]:
    return {
        (world.id("payee", 1), Decimal("1016.80"), Decimal("203.36"), 2, True),
        (world.id("payee", 2), Decimal("508.40"), Decimal("101.68"), 1, True),
    }


async def test_a_closed_pay_run_becomes_one_self_bill_a_supplier(service: Service, world: World) -> None:
    await suppliers(service, world)
    await service.take(world.label("worker", 1, "Worker 00001 Testcase", "W00001"), *a_pay_run(world))
    assert await outcome(service, world) == expected(world)
    bills = (await service.call("GET", world, "self-bills"))["items"]
    assert [bill["number"] for bill in bills] == ["SB-000001", "SB-000002"]
    for bill in bills:
        pdf = await service.call("GET", world, f"self-bills/{bill['document_id']}/pdf")
        assert pdf.content.startswith(b"%PDF")
    accounts = (await service.call("GET", world, "ledger/trial-balance"))["accounts"]
    assert {one["account"]: one["balance_gbp"] for one in accounts} == {
        "purchases": "1525.20",
        "vat_input": "305.04",
        "creditors": "-1830.24",
    }
    assert await service.call("GET", world, "self-bills/pending") == []


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**9), suppliers_after=st.integers(0, 8), batches=st.integers(1, 8))
async def test_facts_in_any_order_and_any_batches_give_the_same_self_bills(
    service: Service, seed: int, suppliers_after: int, batches: int
) -> None:
    world, order = World(), random.Random(seed)
    events = a_pay_run(world)
    events += order.sample(events, 3)  # Some are delivered twice.
    order.shuffle(events)
    cuts = sorted(order.sample(range(1, len(events)), batches - 1))
    for index, (start, end) in enumerate(zip([0, *cuts], [*cuts, len(events)], strict=True)):
        if index == suppliers_after:
            await suppliers(service, world)
        await service.take(*events[start:end])
    if suppliers_after >= batches:
        assert await outcome(service, world) == set()
        await suppliers(service, world)
    assert await outcome(service, world) == expected(world)


async def test_two_consumers_at_once_issue_each_self_bill_once(service: Service, world: World) -> None:
    await suppliers(service, world)
    events = a_pay_run(world)
    await service.take(*events[:3])
    await asyncio.gather(*(service.take(event) for event in events[3:]))
    assert await outcome(service, world) == expected(world)


async def test_a_consumer_waits_for_the_one_that_decides_the_same_agency(service: Service, world: World) -> None:
    """Two replicas with a half of a run each: neither may decide without seeing the other's half."""
    await suppliers(service, world)
    *first, last = a_pay_run(world)[:6]
    closed = world.pay_run_closed(self_bills=3)
    database, now = service.runtime.worker_database, service.runtime.clock.now()
    async with database.transaction(now=now) as tx:
        await handle(tx, Batch([*first, closed]))
        other = asyncio.create_task(service.take(last))
        done, _ = await asyncio.wait([other], timeout=0.3)
        assert not done
    await other
    assert await outcome(service, world) == expected(world)


async def test_what_is_missing_is_listed_and_lifts_by_itself(service: Service, world: World) -> None:
    await service.call("PUT", world, "issuer", json=ISSUER)
    await service.call("PUT", world, f"suppliers/{world.id('payee', 2)}", json=supplier(2, agreement_from="2026-05-01"))
    events = a_pay_run(world)
    await service.take(*events[:4])
    pending = await service.call("GET", world, "self-bills/pending")
    assert [one["reasons"] for one in pending] == [["awaiting_pay_run_close"]]
    await service.take(*events[4:])
    reasons = {one["payee_id"]: one["reasons"] for one in await service.call("GET", world, "self-bills/pending")}
    assert reasons == {
        str(world.id("payee", 1)): ["missing_supplier"],
        str(world.id("payee", 2)): ["self_billing_agreement_not_in_force"],
    }
    await suppliers(service, world)
    assert await outcome(service, world) == expected(world)


async def test_an_agreement_that_comes_into_force_lets_the_self_bill_go(
    service: Service, world: World, clock: ManualClock
) -> None:
    await service.call("PUT", world, "issuer", json=ISSUER)
    path = f"suppliers/{world.id('payee', 1)}"
    await service.call("PUT", world, path, json=supplier(1, agreement_from="2026-04-10"))
    approved = world.approved(1, payee=1)
    await service.take(approved, world.finalised(approved, payee=1), world.pay_run_closed(self_bills=1))
    (waiting,) = await service.call("POST", world, "self-bills/retry")
    assert waiting["reasons"] == ["self_billing_agreement_not_in_force"]
    clock.advance(timedelta(days=3))
    assert await service.call("POST", world, "self-bills/retry") == []
    assert len((await service.call("GET", world, "self-bills"))["items"]) == 1


async def test_a_supplier_without_vat_number_gets_no_vat(service: Service, world: World) -> None:
    await service.call("PUT", world, "issuer", json=ISSUER)
    await service.call("PUT", world, f"suppliers/{world.id('payee', 1)}", json=supplier(1, vat_number=None))
    approved = world.approved(1, payee=1)
    await service.take(approved, world.finalised(approved, payee=1), world.pay_run_closed(self_bills=1))
    (bill,) = (await service.call("GET", world, "self-bills"))["items"]
    assert (bill["vat_treatment"], bill["vat_gbp"], bill["gross_gbp"]) == ("not_registered", "0.00", "508.40")
    await service.call("GET", world, f"self-bills/{bill['document_id']}/pdf")


async def test_a_net_that_differs_from_its_charges_is_shown_as_an_adjustment(service: Service, world: World) -> None:
    await suppliers(service, world)
    approved = world.approved(1, payee=1)
    net = Decimal("500.00")
    await service.take(approved, world.finalised(approved, payee=1, net=net), world.pay_run_closed(self_bills=1))
    (bill,) = (await service.call("GET", world, "self-bills"))["items"]
    lines = (await service.call("GET", world, f"self-bills/{bill['document_id']}"))["lines"]
    assert [(line["kind"], line["net_gbp"]) for line in lines] == [("pay", "508.40"), ("adjustment", "-8.40")]
    assert bill["net_gbp"] == "500.00"
    await service.call("GET", world, f"self-bills/{bill['document_id']}/pdf")


def subcontractor(
    world: World, n: int = 1, *, payee: int = 1, rate: int = 20, deduction: str = "101.68"
) -> list[AnyEvent]:
    """A CIS worker's approved 508.40 and its finalised amount, 20 % of it deducted."""
    approved = world.approved(n, payee=payee)
    cis = CisDeduction(
        labour_gbp=Decimal("508.40"), materials_gbp=Decimal("0.00"), rate_pct=rate, deduction_gbp=Decimal(deduction)
    )
    net = Decimal("508.40") - cis.deduction_gbp
    return [approved, world.finalised(approved, payee=payee, pay_basis="cis", cis=cis, net_gbp=net)]


async def test_a_cis_deduction_lowers_the_payment_and_leaves_supply_and_vat_whole(
    service: Service, world: World
) -> None:
    await service.call("PUT", world, "issuer", json=ISSUER)
    await service.call("PUT", world, f"suppliers/{world.id('payee', 1)}", json=supplier(1, vat_treatment="standard"))
    await service.take(*subcontractor(world), world.pay_run_closed(self_bills=1))
    (bill,) = (await service.call("GET", world, "self-bills"))["items"]
    assert {name: bill[name] for name in ("net_gbp", "vat_gbp", "gross_gbp", "deducted_gbp", "payable_gbp")} == {
        "net_gbp": "508.40", "vat_gbp": "101.68", "gross_gbp": "610.08", "deducted_gbp": "101.68", "payable_gbp": "508.40",
    }  # fmt: skip
    detail = await service.call("GET", world, f"self-bills/{bill['document_id']}")
    assert detail["deductions"] == [{"code": "cis", "amount_gbp": "101.68", "rate_pct": 20, "labour_gbp": "508.40"}]
    assert [line["kind"] for line in detail["lines"]] == ["pay"]
    (event,) = await service.emitted(world, SelfBillIssued)
    assert [(one.code, one.amount_gbp) for one in event.deductions] == [("cis", Decimal("101.68"))]
    assert (event.payable_gbp, event.ledger_balanced, event.payee_kind) == (Decimal("508.40"), True, "cis")
    accounts = (await service.call("GET", world, "ledger/trial-balance"))["accounts"]
    assert {one["account"]: one["balance_gbp"] for one in accounts} == {
        "purchases": "508.40", "vat_input": "101.68", "cis_withheld": "-101.68", "creditors": "-508.40",
    }  # fmt: skip
    pdf = await service.call("GET", world, f"self-bills/{bill['document_id']}/pdf")
    assert pdf.content.startswith(b"%PDF")


async def test_a_subcontractors_vat_is_somebodys_decision(service: Service, world: World) -> None:
    await service.call("PUT", world, "issuer", json=ISSUER)
    path = f"suppliers/{world.id('payee', 1)}"
    await service.call("PUT", world, path, json=supplier(1))
    await service.take(*subcontractor(world), world.pay_run_closed(self_bills=1))
    (waiting,) = await service.call("GET", world, "self-bills/pending")
    assert waiting["reasons"] == ["vat_treatment_not_set"]
    await service.call("PUT", world, "issuer", json=ISSUER | {"vat_number": None})
    await service.call("PUT", world, path, json=supplier(1, vat_treatment="reverse_charge"))
    (waiting,) = await service.call("GET", world, "self-bills/pending")
    assert waiting["reasons"] == ["reverse_charge_without_vat_number"]
    await service.call("PUT", world, "issuer", json=ISSUER)
    (bill,) = (await service.call("GET", world, "self-bills"))["items"]
    assert (bill["vat_treatment"], bill["vat_gbp"], bill["reverse_charge_vat_gbp"]) == (
        "reverse_charge", "0.00", "101.68",
    )  # fmt: skip
    assert (bill["gross_gbp"], bill["payable_gbp"]) == ("508.40", "406.72")
    pdf = await service.call("GET", world, f"self-bills/{bill['document_id']}/pdf")
    assert pdf.content.startswith(b"%PDF")


async def test_a_subcontractor_without_vat_number_needs_no_decision(service: Service, world: World) -> None:
    await service.call("PUT", world, "issuer", json=ISSUER)
    await service.call("PUT", world, f"suppliers/{world.id('payee', 1)}", json=supplier(1, vat_number=None))
    await service.take(*subcontractor(world, rate=0, deduction="0.00"), world.pay_run_closed(self_bills=1))
    (bill,) = (await service.call("GET", world, "self-bills"))["items"]
    assert (bill["vat_treatment"], bill["payable_gbp"]) == ("not_registered", "508.40")
    await service.call("GET", world, f"self-bills/{bill['document_id']}/pdf")


async def test_a_supply_of_staff_is_never_under_the_reverse_charge(service: Service, world: World) -> None:
    await service.call("PUT", world, "issuer", json=ISSUER)
    await service.call(
        "PUT", world, f"suppliers/{world.id('payee', 1)}", json=supplier(1, vat_treatment="reverse_charge")
    )
    approved = world.approved(1, payee=1)
    await service.take(approved, world.finalised(approved, payee=1), world.pay_run_closed(self_bills=1))
    (waiting,) = await service.call("GET", world, "self-bills/pending")
    assert waiting["reasons"] == ["reverse_charge_not_for_staff"]


async def test_a_deemed_employees_tax_and_national_insurance_are_kept_back(service: Service, world: World) -> None:
    await service.call("PUT", world, "issuer", json=ISSUER)
    await service.call("PUT", world, f"suppliers/{world.id('payee', 1)}", json=supplier(1))
    approved = world.approved(1, payee=1)
    taken = {"tax_gbp": Decimal("101.60"), "employee_nic_gbp": Decimal("21.31"), "net_gbp": Decimal("385.49")}
    await service.take(
        approved,
        world.finalised(approved, payee=1, pay_basis="limited", **taken),
        world.pay_run_closed(self_bills=1),
    )
    (bill,) = (await service.call("GET", world, "self-bills"))["items"]
    assert (bill["net_gbp"], bill["vat_gbp"], bill["deducted_gbp"], bill["payable_gbp"]) == (
        "508.40", "101.68", "122.91", "487.17",
    )  # fmt: skip
    detail = await service.call("GET", world, f"self-bills/{bill['document_id']}")
    assert [(one["code"], one["amount_gbp"]) for one in detail["deductions"]] == [
        ("paye_tax", "101.60"), ("employee_nic", "21.31"),
    ]  # fmt: skip
    accounts = (await service.call("GET", world, "ledger/trial-balance"))["accounts"]
    assert {one["account"]: one["balance_gbp"] for one in accounts} == {
        "purchases": "508.40", "vat_input": "101.68", "paye_withheld": "-122.91", "creditors": "-487.17",
    }  # fmt: skip
    await service.call("GET", world, f"self-bills/{bill['document_id']}/pdf")
