"""Attachment orders from the record to the payslip: what is taken, carried over, entered by hand, and refused. On a real Postgres."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from pay_calc.domain.slips import input_of
from pay_calc.store import slips
from pay_calc.usecases.payslip_document import context_of, payslip_of
from pay_calc.usecases.replay import load_json
from paybill_common.ids import new_id

pytestmark = pytest.mark.integration

WEEK = date(2026, 4, 5)
NEXT = date(2026, 4, 12)
NOW = datetime(2026, 4, 10, 9, 0, tzinfo=UTC)
DEO: dict[str, Any] = {
    "kind": "DEO",
    "reference": "CMS-TEST-17",
    "issued_on": "2026-02-02",
    "starts_on": "2026-03-01",
    "normal_gbp": "80.00",
    "protected_gbp": "300.00",
}


async def _week(world: Any, worker: UUID, minutes: int, *, week: date = WEEK, close: bool = True) -> Any:
    """The worker's payslip of some hours at 20.00, after closing its week when asked."""
    sheet = world.sheet(worker, ("basic", minutes, "20.00"), week_ending=week, holiday_pay="none")
    await world.tell(world.worker(worker), sheet.approved(), sheet.cleared(), world.cut_off(sheet, week=week))
    if close:
        await world.close(week)
    return await world.slip(worker_id=worker, week_ending=week.isoformat())


async def _document(world: Any, slip: Any) -> Any:
    async with world.runtime.api_database.transaction(now=NOW, agencies=[world.agency_id], read_only=True) as tx:
        row = await slips.one(tx, agency_id=world.agency_id, payslip_id=UUID(slip["payslip_id"]))
        assert row is not None
        return payslip_of(row, await context_of(tx, agency_id=world.agency_id, rows=[row])), load_json(row.inputs)


async def test_an_order_is_taken_until_its_total_and_carries_what_it_could_not_take(world: Any) -> None:
    worker, order = new_id(), new_id()
    await world.profile(worker, attachment_of_earnings=True)
    put = await world.send(
        "PUT",
        f"attachment-orders/{order}",
        DEO | {"worker_id": str(worker), "arrears_gbp": "10.00", "total_gbp": "150.00"},
    )
    assert (put["deducted_gbp"], put["brought_forward_gbp"], put["left_gbp"]) == ("0.00", "10.00", "150.00")
    # 330 of pay less 17.60 tax and 7.04 NIC leaves 305.36: 5.36 over the protected earnings.
    first = await _week(world, worker, 990)
    [taken] = first["attachments"]
    assert (taken["deducted_gbp"], taken["shortfall_gbp"], taken["left_gbp"]) == ("5.36", "84.64", "144.64")
    assert (first["figures"]["other_deductions_gbp"], first["net_gbp"]) == ("5.36", "300.00")
    # 40 h the week after: 80.00 and the 84.64, but no more than the 144.64 that are still owed.
    second = await _week(world, worker, 2400, week=NEXT)
    [taken] = second["attachments"]
    assert (taken["deducted_gbp"], taken["left_gbp"]) == ("144.64", "0.00")
    third = await _week(world, worker, 2400, week=date(2026, 4, 19), close=False)
    assert third["attachments"] == []
    stands = await world.get(f"attachment-orders/{order}")
    assert (stands["deducted_gbp"], stands["left_gbp"]) == ("150.00", "0.00")


async def test_it_is_on_the_document_on_the_bus_in_the_explanation_and_in_a_replay(world: Any) -> None:
    worker = new_id()
    await world.profile(worker)
    await world.send("PUT", f"attachment-orders/{new_id()}", DEO | {"worker_id": str(worker), "total_gbp": "1000.00"})
    slip = await _week(world, worker, 2400)
    document, inputs = await _document(world, slip)
    [line] = [item for item in document.deductions if item.name == "Child maintenance order"]
    assert (line.amount_gbp, line.note) == (Decimal("80.00"), "order CMS-TEST-17, £920.00 left")
    [told] = await world.emitted("paybill.pay.finalised.v1")
    assert told["other_deductions_gbp"] == "80.00"
    explained = await world.get(f"payslips/{slip['payslip_id']}/explanation")
    assert "DEO CMS-TEST-17" in str(explained["tree"])
    assert explained["inputs"]["attachments"][0]["normal_pence"] == 8000
    assert (await world.send("POST", f"pay-runs/{slip['pay_run_id']}/replay"))["agrees"] is True
    del inputs["attachments"]
    assert input_of(inputs).attachments == ()


async def test_an_order_without_a_table_holds_its_worker_until_its_amount_is_entered(world: Any) -> None:
    worker, order = new_id(), new_id()
    await world.profile(worker)
    body = {
        "worker_id": str(worker),
        "kind": "CTAEO",
        "reference": "LB-TEST-9",
        "issued_on": "2026-02-02",
        "starts_on": "2026-03-01",
        "jurisdiction": "Scotland",
    }
    put = await world.send("PUT", f"attachment-orders/{order}", body)
    assert put["table_missing"] is True
    slip = await _week(world, worker, 2400, close=False)
    assert [reason["code"] for reason in slip["held"][0]["reasons"]] == ["attachment_table_unknown"]
    path = f"attachment-orders/{order}/amounts/2026-04-05"
    refused = await world.send("PUT", path, {"amount_gbp": "45.00"}, status=409)
    assert refused["code"] == "order_not_on_file"
    await world.send("PUT", f"attachment-orders/{order}", body | {"document_ref": "scan-0017"})
    entered = await world.send("PUT", path, {"amount_gbp": "45.00"})
    assert entered["entered_amounts"][0]["entered_by"] == "tester"
    await world.close(WEEK)
    slip = await world.slip(worker_id=worker, week_ending="2026-04-05")
    assert [(taken["deducted_gbp"], taken["by_hand"]) for taken in slip["attachments"]] == [("45.00", True)]
    words = str((await world.get(f"payslips/{slip['payslip_id']}/explanation"))["tree"])
    assert "entered by hand from the order" in words
    document, _ = await _document(world, slip)
    assert document.deductions[-1].note == "order LB-TEST-9, entered by hand"
    next_week = await _week(world, worker, 2400, week=NEXT, close=False)
    assert [reason["code"] for reason in next_week["held"][0]["reasons"]] == ["attachment_table_unknown"]


async def test_an_order_runs_on_the_paydays_between_its_days(world: Any) -> None:
    worker, order = new_id(), new_id()
    await world.profile(worker)
    body = DEO | {"worker_id": str(worker)}
    await world.send("PUT", f"attachment-orders/{order}", body | {"starts_on": "2026-04-11"})
    assert (await _week(world, worker, 2400, close=False))["attachments"] == []
    await world.send("PUT", f"attachment-orders/{order}", body | {"ends_on": "2026-04-10"})
    slip = await world.slip(worker_id=worker, week_ending="2026-04-05")
    assert [taken["deducted_gbp"] for taken in slip["attachments"]] == ["80.00"]
    await world.send("PUT", f"attachment-orders/{order}", body | {"ends_on": "2026-04-09"})
    assert (await world.slip(worker_id=worker, week_ending="2026-04-05"))["attachments"] == []


async def test_a_profile_that_speaks_of_an_order_waits_for_it(world: Any) -> None:
    worker = new_id()
    assert (await world.profile(worker, attachment_of_earnings=True))["unsupported"] == ["attachment_order_missing"]
    await world.send("PUT", f"attachment-orders/{new_id()}", DEO | {"worker_id": str(worker)})
    assert (await world.get(f"pay-profiles/{worker}"))["unsupported"] == []


async def test_what_no_order_can_say_is_refused_at_the_door(world: Any) -> None:
    worker, order = str(new_id()), new_id()
    for wrong in (
        {"normal_gbp": "0"},
        {"kind": "CTAEO"},
        {"rate": "higher"},
        {"kind": "DEA", "protection": "proportion"},
        {"ends_on": "2026-02-28"},
    ):
        await world.send("PUT", f"attachment-orders/{order}", DEO | {"worker_id": worker} | wrong, status=422)
    await world.send("PUT", f"attachment-orders/{order}", DEO | {"worker_id": worker})
    moved = await world.send("PUT", f"attachment-orders/{order}", DEO | {"worker_id": str(new_id())}, status=409)
    assert moved["code"] == "order_of_another_worker"
    twice = await world.send("PUT", f"attachment-orders/{new_id()}", DEO | {"worker_id": worker}, status=409)
    assert twice["code"] == "reference_taken"
    assert len((await world.get("attachment-orders", params={"worker_id": worker}))["items"]) == 1
    await world.get(f"attachment-orders/{new_id()}", status=404)
