"""Advances, overpayments and agreed deductions from the record to the payslip. On a real Postgres."""

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

WEEK, NEXT = date(2026, 4, 5), date(2026, 4, 12)
NOW = datetime(2026, 4, 20, 9, 0, tzinfo=UTC)
ADVANCE: dict[str, Any] = {
    "kind": "advance",
    "reference": "ADV-TEST-1",
    "arose_on": "2026-03-27",
    "starts_on": "2026-03-27",
    "instalment_gbp": "60.00",
    "total_gbp": "100.00",
}
UNIFORM: dict[str, Any] = {
    "kind": "agreed",
    "reference": "Uniform",
    "arose_on": "2026-03-27",
    "starts_on": "2026-03-27",
    "instalment_gbp": "50.00",
    "consent_ref": "form-0017",
    "consent_on": "2026-03-20",
}


async def _week(world: Any, worker: UUID, rate: str, *, week: date = WEEK, close: bool = True) -> Any:
    sheet = world.sheet(worker, ("basic", 1200, rate), week_ending=week, holiday_pay="none")
    await world.tell(world.worker(worker), sheet.approved(), sheet.cleared(), world.cut_off(sheet, week=week))
    if close:
        await world.close(week)
    return await world.slip(worker_id=worker, week_ending=week.isoformat())


async def _put(world: Any, worker: UUID, body: dict[str, Any], *, status: int = 200, **changes: Any) -> Any:
    whole = {"worker_id": str(worker)} | body | changes
    return await world.send("PUT", f"net-deductions/{new_id()}", whole, status=status)


async def test_an_advance_is_paid_back_in_instalments_until_nothing_is_left(world: Any) -> None:
    worker = new_id()
    await world.profile(worker)
    deduction = (await _put(world, worker, ADVANCE))["deduction_id"]
    first = await _week(world, worker, "20.00")
    assert [(taken["taken_gbp"], taken["left_gbp"]) for taken in first["deductions"]] == [("60.00", "40.00")]
    second = await _week(world, worker, "20.00", week=NEXT)
    assert [(taken["taken_gbp"], taken["left_gbp"]) for taken in second["deductions"]] == [("40.00", "0.00")]
    third = await _week(world, worker, "20.00", week=date(2026, 4, 19), close=False)
    assert third["deductions"] == []
    stands = await world.get(f"net-deductions/{deduction}")
    assert (stands["deducted_gbp"], stands["left_gbp"]) == ("100.00", "0.00")
    assert [told["other_deductions_gbp"] for told in await world.emitted("paybill.pay.finalised.v1")] == [
        "60.00",
        "40.00",
    ]


async def test_it_is_on_the_document_and_in_the_replay_and_old_inputs_load_without_it(world: Any) -> None:
    worker = new_id()
    await world.profile(worker)
    await _put(world, worker, ADVANCE)
    slip = await _week(world, worker, "20.00")
    async with world.runtime.api_database.transaction(now=NOW, agencies=[world.agency_id], read_only=True) as tx:
        row = await slips.one(tx, agency_id=world.agency_id, payslip_id=UUID(slip["payslip_id"]))
        assert row is not None
        document = payslip_of(row, await context_of(tx, agency_id=world.agency_id, rows=[row]))
        inputs = load_json(row.inputs)
    printed = document.deductions[-1]
    assert (printed.name, printed.amount_gbp, printed.note) == (
        "Advance repaid",
        Decimal("60.00"),
        "ADV-TEST-1, £40.00 left",
    )
    assert (await world.send("POST", f"pay-runs/{slip['pay_run_id']}/replay"))["agrees"] is True
    del inputs["deductions"]
    assert input_of(inputs).deductions == ()


async def test_a_deduction_for_the_agencys_benefit_stops_at_the_minimum_wage(world: Any) -> None:
    worker = new_id()
    await world.profile(worker)
    await _put(world, worker, UNIFORM)
    # The week starts on 30 March: 12.21 an hour. 20 hours at 13.00 leave 15.80 above it.
    slip = await _week(world, worker, "13.00")
    [taken] = slip["deductions"]
    assert (taken["taken_gbp"], taken["limited_by"], taken["left_gbp"]) == ("15.80", "minimum_wage", None)
    assert slip["minimum_wage"] == "pass"


async def test_without_a_tested_minimum_wage_it_takes_nothing_and_the_pay_goes_out(world: Any) -> None:
    worker = new_id()
    await world.profile(worker, birth_on=None)
    await _put(world, worker, UNIFORM)
    slip = await _week(world, worker, "12.00", close=False)
    assert (slip["held"], slip["minimum_wage"]) == ([], "not_tested")
    assert [(each["taken_gbp"], each["limited_by"]) for each in slip["deductions"]] == [
        ("0.00", "minimum_wage_not_tested")
    ]


async def test_consent_comes_first_and_in_writing(world: Any) -> None:
    worker = new_id()
    for changes in (
        {"consent_ref": None},
        {"consent_on": "2026-03-28"},
        {"kind": "advance", "total_gbp": None},
        {"instalment_gbp": "0.00"},
        {"ends_on": "2026-03-01"},
    ):
        await _put(world, worker, UNIFORM, status=422, **changes)
    await _put(world, worker, UNIFORM)
    assert (await _put(world, worker, UNIFORM, status=409))["code"] == "reference_taken"
    [stored] = (await world.get("net-deductions", params={"worker_id": str(worker)}))["items"]
    moved = await world.send(
        "PUT", f"net-deductions/{stored['deduction_id']}", UNIFORM | {"worker_id": str(new_id())}, status=409
    )
    assert moved["code"] == "deduction_of_another_worker"
