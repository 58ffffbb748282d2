"""Tax of a week without pay comes back only when the worker applied for it. PAYE Regulations 2003 reg. 63. On a real Postgres.

1257L weekly: free pay 241.92 for week 1 and 483.84 for weeks 1 and 2 together.
"""

from __future__ import annotations

import csv
import io
from datetime import date
from typing import Any
from uuid import UUID

import pytest

from pay_calc.domain.pay_dates import first_week_paid_from
from paybill_common.ids import new_id

pytestmark = pytest.mark.integration
FIRST, SECOND = date(2026, 4, 5), date(2026, 4, 12)
APPLIED = {"applied_on": "2026-04-13", "trade_dispute": False, "document_ref": "P-17"}


async def _works(world: Any, worker: UUID, week: date, *, close: bool = True) -> None:
    sheet = world.sheet(worker, ("basic", 2400, "15.00"), week_ending=week, holiday_pay="none")
    await world.tell(world.worker(worker), sheet.approved(), sheet.cleared(), world.cut_off(sheet, week=week))
    if close:
        await world.close(week)


async def _apply(world: Any, worker: UUID, week: date = SECOND, *, status: int = 200, **changes: Any) -> Any:
    return await world.send("PUT", f"nil-weeks/{worker}/{week}", APPLIED | changes, status=status)


async def _slips(world: Any, worker: UUID, week: date) -> list[Any]:
    found = await world.get("payslips", params={"worker_id": str(worker), "week_ending": week.isoformat()})
    return list(found["items"])


async def test_no_payslip_is_made_for_a_week_without_pay_until_the_worker_applies(world: Any) -> None:
    worker, other = new_id(), new_id()
    await world.profile(worker)
    await world.profile(other)
    await _works(world, worker, FIRST)
    first = await world.slip(worker_id=worker)
    # 600.00 - 241.92, in whole pounds, at 20 %.
    assert first["figures"]["tax_gbp"] == "71.60"
    assert await _slips(world, worker, SECOND) == []

    told = await _apply(world, worker)
    # 600.00 - 483.84 at 20 % is 23.20 for the year so far.
    assert (told["payslip_state"], told["tax_gbp"]) == ("draft", "-48.40")

    await _works(world, other, SECOND)
    slip = await world.slip(worker_id=worker, week_ending=SECOND.isoformat())
    assert slip["state"] == "finalised"
    figures = slip["figures"]
    assert (figures["gross_gbp"], figures["tax_gbp"], figures["net_gbp"]) == ("0.00", "-48.40", "48.40")
    assert (figures["employee_nic_gbp"], figures["employer_nic_gbp"], figures["cost_gbp"]) == ("0.00", "0.00", "0.00")
    assert figures["tax_to_date_gbp"] == "23.20"
    assert (await world.send("POST", f"pay-runs/{slip['pay_run_id']}/replay"))["agrees"] is True
    (row,) = [
        row
        for row in csv.DictReader(io.StringIO((await world.get(f"pay-runs/{slip['pay_run_id']}/fps.csv")).text))
        if row["tax_deducted"].startswith("-")
    ]
    assert (row["tax_deducted"], row["tax_to_date"], row["taxable_pay"]) == ("-48.40", "23.20", "0.00")
    (kept,) = (await world.get(f"nil-weeks/{worker}"))["weeks"]
    assert (kept["payslip_id"], kept["payslip_state"]) == (slip["payslip_id"], "finalised")
    assert (await world.get(f"payslips/{slip['payslip_id']}/pdf")).content.startswith(b"%PDF")


async def test_a_week_that_is_paid_after_all_is_an_ordinary_one(world: Any) -> None:
    worker, twin = new_id(), new_id()
    for each in (worker, twin):
        await world.profile(each)
    await _apply(world, worker)
    assert await _slips(world, worker, SECOND) == []  # nothing was paid this year: nothing to give back
    for each in (worker, twin):
        await _works(world, each, SECOND, close=False)
    paid, plain = [await world.slip(worker_id=each, week_ending=SECOND.isoformat()) for each in (worker, twin)]
    assert paid["figures"] == plain["figures"]
    assert paid["figures"]["gross_gbp"] == "600.00"


async def test_an_application_before_the_first_pay_is_final_is_not_forgotten(world: Any) -> None:
    worker, other = new_id(), new_id()
    await world.profile(worker)
    await world.profile(other)
    await _works(world, worker, FIRST, close=False)
    assert (await _apply(world, worker))["payslip_id"] is None  # nothing was paid yet
    await world.close(FIRST)
    await _works(world, other, SECOND)
    slip = await world.slip(worker_id=worker, week_ending=SECOND.isoformat())
    assert (slip["state"], slip["figures"]["tax_gbp"]) == ("finalised", "-48.40")


async def test_expenses_are_no_pay(world: Any) -> None:
    worker = new_id()
    await world.profile(worker)
    await _works(world, worker, FIRST)
    sheet = world.sheet(worker, ("expense", 1, "20.00"), week_ending=SECOND, holiday_pay="none")
    await world.tell(sheet.approved(), sheet.cleared())
    assert (await world.slip(worker_id=worker, week_ending=SECOND.isoformat()))["figures"]["tax_gbp"] == "0.00"
    await _apply(world, worker)
    figures = (await world.slip(worker_id=worker, week_ending=SECOND.isoformat()))["figures"]
    assert (figures["tax_gbp"], figures["net_gbp"]) == ("-48.40", "68.40")


async def test_hours_that_wait_are_pay_of_the_week(world: Any) -> None:
    worker = new_id()
    await world.profile(worker)
    await _works(world, worker, FIRST)
    waits = world.sheet(worker, ("basic", 2400, "15.00"), week_ending=SECOND, holiday_pay="none")
    await world.tell(waits.approved(), waits.held())
    assert (await _apply(world, worker))["payslip_id"] is None


async def test_a_week_1_code_gives_nothing_back(world: Any) -> None:
    worker = new_id()
    await world.profile(worker, tax_code="1257L W1")
    await _works(world, worker, FIRST)
    assert (await _apply(world, worker))["payslip_id"] is None


async def test_a_withdrawn_application_takes_its_payslip_away(world: Any) -> None:
    worker = new_id()
    await world.profile(worker)
    await _works(world, worker, FIRST)
    assert (await _apply(world, worker))["tax_gbp"] == "-48.40"
    told = await _apply(world, worker, withdrawn=True)
    assert (told["withdrawn"], told["payslip_id"], told["version"]) == (True, None, 2)


async def test_what_is_refused(world: Any) -> None:
    worker = new_id()
    await world.profile(worker)
    await _works(world, worker, FIRST)
    refused = await _apply(world, worker, trade_dispute=True, status=422)
    assert refused["code"] == "no_refund_in_trade_dispute"
    assert refused["errors"][0]["pointer"] == "/trade_dispute"
    refused = await _apply(world, worker, FIRST, status=409)
    assert refused["code"] == "week_closed"
    refused = await _apply(world, worker, date(2026, 4, 14), status=422)
    assert refused["code"] == "week_ends_on_sunday"


def test_the_first_week_that_is_paid_from_a_day() -> None:
    # Paid on the Friday after the week, five days later.
    assert first_week_paid_from(date(2026, 4, 17), 5) == SECOND
    assert first_week_paid_from(date(2026, 4, 14), 5) == SECOND
    assert first_week_paid_from(date(2026, 4, 11), 5) == SECOND
    assert first_week_paid_from(date(2026, 4, 10), 5) == FIRST
    # A week in hand: the Friday twelve days after it.
    assert first_week_paid_from(date(2026, 4, 24), 12) == SECOND
    assert first_week_paid_from(date(2026, 4, 25), 12) == date(2026, 4, 19)
