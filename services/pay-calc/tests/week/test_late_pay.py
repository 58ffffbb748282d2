"""Late weeks that the contract owed on their usual payday: an earnings period of their own on one payslip. On a real Postgres.

All weeks are of 2026/27, letter A: 8 % from 242 to 967 and 2 % above, 15 % from 96.
"""

from __future__ import annotations

import csv
import io
from datetime import date
from typing import Any

import pytest

from paybill_common.ids import new_id

pytestmark = pytest.mark.integration

FIRST, SECOND, THIRD = date(2026, 4, 5), date(2026, 4, 12), date(2026, 4, 19)
RULE = {"payday_days_after": 5, "late_pay": "usual_payday"}


async def _sheet(world: Any, worker: Any, rate: str, week: date) -> Any:
    sheet = world.sheet(worker, ("basic", 2400, rate), week_ending=week, holiday_pay="none")
    await world.tell(sheet.approved(), sheet.cleared())
    return sheet


async def _close(world: Any, *sheets: Any, week: date) -> Any:
    await world.tell(world.cut_off(*sheets, week=week))
    return await world.close(week)


async def test_a_late_week_is_charged_for_its_own_payday_and_taxed_with_the_payment(world: Any) -> None:
    worker, other = new_id(), new_id()
    await world.send("PUT", "pay-calendar", RULE)
    for each in (worker, other):
        await world.profile(
            each, student_loan_plan="2", pension={"basis": "net_pay", "employee_pct": "5", "employer_pct": "3"}
        )
    await _close(world, await _sheet(world, other, "15.00", FIRST), week=FIRST)
    late = await _sheet(world, worker, "17.01", FIRST)
    own = await _sheet(world, worker, "15.00", SECOND)
    await _close(world, own, week=SECOND)
    slip = await world.slip(worker_id=worker, week_ending=SECOND.isoformat())
    figures = slip["figures"]
    assert {charge["timesheet_id"] for charge in slip["charges"]} == {str(late.timesheet_id), str(own.timesheet_id)}
    # 600.00: 8 % of 358.00, 15 % of 504.00. 680.40: 8 % of 438.40, 15 % of 584.40.
    assert (figures["employee_nic_gbp"], figures["employer_nic_gbp"]) == ("63.71", "163.26")
    # Each over 565.09, down to the pound; 5 % of 480.00 and of 560.40.
    assert (figures["student_loan_gbp"], figures["employee_pension_gbp"]) == ("13.00", "52.02")
    # Week 2, cumulative: 1,280.40 less 52.02 less twice 241.92 is 744.54.
    assert figures["tax_gbp"] == "148.80"
    run = slip["pay_run_id"]
    assert (await world.send("POST", f"pay-runs/{run}/replay"))["agrees"] is True
    told = await world.get(f"payslips/{slip['payslip_id']}/explanation")
    assert told["agrees"] is True
    nic = next(each for each in told["figures"] if each["figure"] == "nic")
    assert "each earnings period by itself" in nic["summary"]
    assert "payday 2026-04-10" in nic["words"]
    [row] = csv.DictReader(io.StringIO((await world.get(f"pay-runs/{run}/fps.csv")).text))
    # The bands of two weeks: 129.00 and 113.00 each.
    assert (row["nic_gross_in_period"], row["nic_at_lel_to_date"]) == ("1280.40", "258.00")
    assert (row["nic_lel_to_pt_to_date"], row["nic_pt_to_uel_to_date"]) == ("226.00", "796.40")
    assert (await world.get(f"payslips/{slip['payslip_id']}/pdf")).content.startswith(b"%PDF")


async def test_what_was_paid_for_that_payday_counts_however_it_came(world: Any) -> None:
    worker = new_id()
    await world.send("PUT", "pay-calendar", RULE)
    await world.profile(worker)
    await _close(world, await _sheet(world, worker, "12.50", FIRST), week=FIRST)
    await _sheet(world, worker, "12.50", FIRST)
    await _close(world, await _sheet(world, worker, "15.00", SECOND), week=SECOND)
    second = await world.slip(worker_id=worker, week_ending=SECOND.isoformat())
    # 28.64 for the own 600.00; the first week is 1,000.00 now: 58.66 less 20.64.
    assert second["figures"]["employee_nic_gbp"] == "66.66"
    await _sheet(world, worker, "10.00", FIRST)
    await _close(world, week=THIRD)
    third = await world.slip(worker_id=worker, week_ending=THIRD.isoformat())
    # 400.00 more of that week, all over 967.00: 2 %; and 15 %.
    assert (third["figures"]["employee_nic_gbp"], third["figures"]["employer_nic_gbp"]) == ("8.00", "60.00")
    assert (await world.send("POST", f"pay-runs/{third['pay_run_id']}/replay"))["agrees"] is True


async def test_last_years_payday_is_charged_by_itself_at_this_years_rates(world: Any) -> None:
    worker = new_id()
    before = date(2026, 3, 29)
    await world.send("PUT", "pay-calendar", RULE)
    await world.profile(worker)
    await _close(world, await _sheet(world, worker, "12.50", before), week=before)
    await _sheet(world, worker, "12.50", before)
    await _close(world, await _sheet(world, worker, "15.00", FIRST), week=FIRST)
    slip = await world.slip(worker_id=worker, week_ending=FIRST.isoformat())
    # 500.00 by itself, not on the 500.00 of that payday: 20.64 beside 28.64.
    assert (slip["figures"]["employee_nic_gbp"], slip["tax_year"]) == ("49.28", "2026-27")
    assert slip["year_to_date"]["nic"]["niable_gbp"] == "1100.00"


async def test_a_correction_belongs_to_the_week_it_corrects(world: Any) -> None:
    worker = new_id()
    await world.send("PUT", "pay-calendar", RULE)
    await world.profile(worker)
    sheet = await _sheet(world, worker, "15.00", FIRST)
    await _close(world, sheet, week=FIRST)
    await world.tell(sheet.amended([("basic", 2000, "15.00")]), sheet.cleared())
    await _close(world, await _sheet(world, worker, "15.00", SECOND), week=SECOND)
    slip = await world.slip(worker_id=worker, week_ending=SECOND.isoformat())
    # 100.00 less in the first week: 8.00 given back, and 15.00 to the agency.
    assert (slip["figures"]["employee_nic_gbp"], slip["figures"]["employer_nic_gbp"]) == ("20.64", "60.60")
    assert slip["year_to_date"]["nic"]["employee_gbp"] == "49.28"


async def test_the_same_weeks_with_current_pay_are_one_period(world: Any) -> None:
    worker = new_id()
    await world.send("PUT", "pay-calendar", RULE | {"late_pay": "with_current_pay"})
    await world.profile(worker)
    await _close(world, week=FIRST)
    await _sheet(world, worker, "12.50", FIRST)
    await _sheet(world, worker, "15.00", SECOND)
    slip = await world.slip(worker_id=worker, week_ending=SECOND.isoformat())
    # 1,100.00: 8 % of 725.00 and 2 % of 133.00.
    assert slip["figures"]["employee_nic_gbp"] == "60.66"
    await world.send("PUT", "pay-calendar", RULE)
    slip = await world.slip(worker_id=worker, week_ending=SECOND.isoformat())
    assert slip["figures"]["employee_nic_gbp"] == "49.28"
