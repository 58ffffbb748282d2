"""What a profile says beyond code and letter reaches the payslip: salary sacrifice and directorships. On a real Postgres."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from paybill_common.ids import new_id

pytestmark = pytest.mark.integration

NEXT = date(2026, 4, 12)
SACRIFICE = {"basis": "salary_sacrifice", "employer_pct": "3", "sacrifice_gbp": "40.00"}


async def _paid_week(world: Any, worker: Any, *lines: tuple[str, int, str], week: date, close: bool = True) -> Any:
    """The worker's payslip of a cleared week without holiday pay, after closing it when asked."""
    sheet = world.sheet(worker, *lines, week_ending=week, holiday_pay="none")
    await world.tell(world.worker(worker), sheet.approved(), sheet.cleared(), world.cut_off(sheet, week=week))
    if close:
        await world.close(week)
    return await world.slip(worker_id=worker, week_ending=week.isoformat())


async def test_salary_sacrifice_comes_off_gross_and_is_the_employers_contribution(world: Any) -> None:
    worker = new_id()
    stored = await world.profile(worker, pension=SACRIFICE)
    assert (stored["unsupported"], stored["pension"]["sacrifice_gbp"]) == ([], "40.00")
    slip = await _paid_week(world, worker, ("basic", 2400, "20.00"), week=date(2026, 4, 5))
    figures = slip["figures"]
    # 800 less 40: tax on 760 less 241.92 free pay, 518 at 20 %; NIC 8 % of 760 - 242.
    assert (figures["sacrifice_gbp"], figures["niable_gbp"], figures["taxable_gbp"]) == ("40.00", "760.00", "760.00")
    assert (figures["tax_gbp"], figures["employee_nic_gbp"]) == ("103.60", "41.44")
    # 3 % of qualifying earnings, 760 - 120, beside the sacrificed sum.
    assert figures["employer_pension_gbp"] == "59.20"
    assert slip["net_gbp"] == "614.96"
    [told] = await world.emitted("paybill.pay.finalised.v1")
    assert (told["other_deductions_gbp"], told["employer_pension_gbp"]) == ("40.00", "19.20")
    replayed = await world.send("POST", f"pay-runs/{slip['pay_run_id']}/replay")
    assert replayed["agrees"] is True
    words = str((await world.get(f"payslips/{slip['payslip_id']}/explanation"))["tree"])
    assert "Salary sacrifice" in words


async def test_sacrifice_without_its_amount_is_refused_at_the_door(world: Any) -> None:
    for wrong in (
        SACRIFICE | {"sacrifice_gbp": "0"},
        SACRIFICE | {"employee_pct": "5"},
        {"basis": "ras", "sacrifice_gbp": "1"},
    ):
        refused = await world.send(
            "PUT",
            f"pay-profiles/{new_id()}",
            {"tax_code": "1257L", "ni_letter": "A", "pension": wrong},
            status=422,
        )
        assert refused["errors"][0]["pointer"].startswith("#/pension")


async def test_a_week_of_expenses_alone_sacrifices_nothing(world: Any) -> None:
    worker = new_id()
    await world.profile(worker, pension=SACRIFICE)
    slip = await _paid_week(world, worker, ("expense", 1, "25.00"), week=date(2026, 4, 5), close=False)
    assert (slip["held"], slip["net_gbp"]) == ([], "25.00")


async def test_a_director_pays_on_the_year_so_far(world: Any) -> None:
    worker = new_id()
    await world.profile(
        worker, director=True, directorship={"method": "standard", "appointed_on": "2020-06-01", "settle_on": None}
    )
    first = await _paid_week(world, worker, ("basic", 2400, "200.00"), week=date(2026, 4, 5))
    # 8,000 is under the annual primary threshold of 12,570 and over the secondary of 5,000 by 3,000.
    assert first["figures"]["employee_nic_gbp"] == "0.00"
    assert first["figures"]["employer_nic_gbp"] == "450.00"
    second = await _paid_week(world, worker, ("basic", 2400, "200.00"), week=NEXT)
    # 16,000 to date: 8 % of 3,430; 15 % of 11,000 less the 450.
    assert second["figures"]["employee_nic_gbp"] == "274.40"
    assert second["figures"]["employer_nic_gbp"] == "1200.00"
    replayed = await world.send("POST", f"pay-runs/{second['pay_run_id']}/replay")
    assert replayed["agrees"] is True


async def test_a_director_under_the_alternative_method_settles_the_year_at_its_last_payday(world: Any) -> None:
    worker = new_id()
    terms = {"method": "alternative", "appointed_on": "2020-06-01", "settle_on": "2026-04-17"}
    await world.profile(worker, director=True, directorship=terms)
    first = await _paid_week(world, worker, ("basic", 2400, "200.00"), week=date(2026, 4, 5))
    # Like a week of anybody's: 8 % of 967 - 242, 2 % of the rest of 8,000.
    assert first["figures"]["employee_nic_gbp"] == "198.66"
    second = await _paid_week(world, worker, ("basic", 2400, "200.00"), week=NEXT)
    assert second["figures"]["employee_nic_gbp"] == "75.74"
    assert second["year_to_date"]["nic"]["employee_gbp"] == "274.40"


async def test_a_director_without_terms_waits_by_name(world: Any) -> None:
    worker = new_id()
    stored = await world.profile(worker, director=True)
    assert stored["unsupported"] == ["director_terms_missing"]
    slip = await _paid_week(world, worker, ("basic", 2400, "20.00"), week=date(2026, 4, 5), close=False)
    assert slip["held"][0]["reasons"][0]["code"] == "director_terms_missing"
