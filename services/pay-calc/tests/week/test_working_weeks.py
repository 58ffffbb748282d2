"""Workers with regular hours: 5.6 weeks a leave year come to the ledger with the payslips, are booked, and are settled on leaving."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from pay_calc.domain.engine.regular_leave import WorkingWeek
from pay_calc.domain.leave import AbsentDays, Regular, Standing, moved, standing_of
from paybill_common.ids import new_id

pytestmark = pytest.mark.integration

FIRST, SECOND, THIRD = date(2026, 4, 12), date(2026, 4, 19), date(2026, 4, 26)
WEEK: dict[str, Any] = {"days_a_week": "5.0", "week_minutes": 2250, "contract_ref": "Contract C17"}
GRANTED = {"decided_by": "Pat Testcase", "decided_on": "2026-04-01", "evidence_ref": "Request 4"}


async def _contract(world: Any, worker: UUID, from_on: str = "2024-04-06", *, status: int = 200, **changes: Any) -> Any:
    return await world.send("PUT", f"working-weeks/{worker}/{from_on}", WEEK | changes, status=status)


async def _paid(world: Any, worker: UUID, week: date = FIRST, **options: Any) -> Any:
    sheet = world.sheet(worker, ("basic", 2250, "15.00"), week_ending=week, holiday_pay="none", **options)
    await world.tell(world.worker(worker), sheet.approved(), sheet.cleared())
    await world.tell(world.cut_off(sheet, week=week))
    return await world.close(week)


async def _record(world: Any, worker: UUID) -> Any:
    return await world.get(f"holiday-records/{worker}", params={"leave_year_from": "2026-04-06"})


def _entries(record: Any) -> list[tuple[str, str, int]]:
    return [(each["on"], each["kind"], each["minutes"]) for each in record["entries"]]


async def test_the_first_payslip_of_a_leave_year_brings_the_year_and_the_next_ones_nothing_more(world: Any) -> None:
    worker = new_id()
    await world.profile(worker)
    stored = await _contract(world, worker)
    assert (stored["from_on"], stored["days_a_week"], stored["version"]) == ("2024-04-06", "5.0", 1)
    sheet = world.sheet(worker, ("basic", 2250, "15.00"), week_ending=FIRST, holiday_pay="none")
    await world.tell(world.worker(worker), sheet.approved(), sheet.cleared())
    draft = await world.slip(worker_id=worker)
    assert (draft["leave"]["left_minutes"], draft["leave"]["left_exact_minutes"]) == (12600, 12600)
    words = str(await world.get(f"payslips/{draft['payslip_id']}/explanation"))
    assert "Leave of the year from 2026-04-06" in words
    await world.tell(world.cut_off(sheet, week=FIRST))
    run = await world.close(FIRST)
    await _paid(world, worker, SECOND)
    record = await _record(world, worker)
    assert _entries(record) == [("2026-04-12", "entitled", 12600)]
    assert (record["entitlement_basis"], record["accrued_minutes"], record["missing"]) == ("regular_hours", 12600, [])
    assert (await world.send("POST", f"pay-runs/{run['pay_run_id']}/replay"))["agrees"] is True


async def test_the_first_year_of_an_employment_earns_by_the_month(world: Any) -> None:
    worker = new_id()
    await world.profile(worker)
    await _contract(world, worker, "2026-04-06")
    await _paid(world, worker)
    assert _entries(await _record(world, worker)) == [("2026-04-12", "entitled", 1125)]  # two and a half days


async def test_leave_is_booked_against_the_year_before_a_payslip_brought_it(world: Any) -> None:
    worker = new_id()
    await world.profile(worker)
    terms = {"contract_week_gbp": "562.50", "contract_week_minutes": 2250, "contract_ref": "Contract C17"}
    body = {"worker_id": str(worker), "days": [{"on": "2026-04-07", "minutes": 450}], **GRANTED, **terms}
    refused = await world.send("PUT", f"holiday-leaves/{new_id()}", body, status=422)
    assert refused["code"] == "leave_exceeds_balance"
    await _contract(world, worker)
    await world.send("PUT", f"holiday-leaves/{new_id()}", body)
    slip = await world.slip(worker_id=worker)
    assert (slip["gross_gbp"], slip["leave"]["left_minutes"]) == ("112.50", 12600 - 450)
    most = [{"on": f"2026-05-{day:02}", "minutes": 1440} for day in range(1, 10)]
    refused = await world.send("PUT", f"holiday-leaves/{new_id()}", body | {"days": most}, status=422)
    assert refused["code"] == "leave_exceeds_balance"


async def test_a_leaver_is_paid_the_share_of_the_year_that_has_passed_and_earns_no_more(world: Any) -> None:
    worker = new_id()
    await world.profile(worker)
    await world.send("PUT", "pay-calendar", {"payday_days_after": 5, "late_pay": "with_current_pay"})
    await _contract(world, worker)
    await _paid(world, worker)
    body = {"worker_id": str(worker), "left_on": "2026-04-19", **GRANTED}
    await world.send("PUT", f"holiday-in-lieu/{new_id()}", body)
    await _paid(world, worker, SECOND)
    # 6 to 19 April are 14 of 365 days of 12,600 minutes: 483.3, up; at 15.00 an hour.
    record = await _record(world, worker)
    assert _entries(record) == [
        ("2026-04-12", "entitled", 12600),
        ("2026-04-19", "entitled", 484 - 12600),
        ("2026-04-19", "paid_in_lieu", -484),
    ]
    assert (record["left_minutes"], record["in_lieu_pay_gbp"]) == (0, "121.00")
    await _paid(world, worker, date(2026, 4, 26))
    assert (await _record(world, worker))["left_minutes"] == 0


async def test_another_working_week_changes_what_is_left_of_the_year(world: Any) -> None:
    worker = new_id()
    await world.profile(worker)
    await _contract(world, worker)
    await _paid(world, worker)
    await _contract(world, worker, "2026-04-13", days_a_week="3", week_minutes=1350)
    await _paid(world, worker, SECOND)
    now = -(-12600 * 7 // 365) + -(-7560 * 358 // 365)
    assert _entries(await _record(world, worker))[-1] == ("2026-04-19", "entitled", now - 12600)
    known = await world.get(f"working-weeks/{worker}")
    assert [week["from_on"] for week in known["weeks"]] == ["2026-04-13", "2024-04-06"]
    await _contract(world, worker, "2026-04-13", days_a_week="3", week_minutes=1350, withdrawn=True)
    await _paid(world, worker, date(2026, 4, 26))
    assert (await _record(world, worker))["left_minutes"] == 12600


async def test_another_year_moves_the_contract_with_it(world: Any) -> None:
    worker = new_id()
    await world.profile(worker)
    await _contract(world, worker, leave_year_from="2026-01-01")
    await _paid(world, worker)
    slip = await world.slip(worker_id=worker)
    answer = await world.send("POST", f"payslips/{slip['payslip_id']}/what-if", {"changes": {"tax_year": "2025-26"}})
    assert "562.50" in str(answer)


def test_a_standing_moves_whole_and_comes_back_from_its_json() -> None:
    contract = (
        WorkingWeek(date(2024, 4, 6), 50, 2250, date(2023, 4, 6), date(2024, 1, 1)),
        WorkingWeek(date(2026, 5, 4), 30, 1350),
    )
    regular = Regular(contract, FIRST, False, {"2024-04-06/2026-01-01": (12600, 126_000_000)})
    absent = AbsentDays("a", FIRST, -3, (2400,), (60, 700_000, 4))
    held = Standing(0, 0, 0, {}, (absent,), regular)
    assert standing_of(json.loads(json.dumps(held.as_json()))) == held
    later = moved(held, timedelta(365))
    assert later.regular == Regular(
        (
            WorkingWeek(date(2025, 4, 6), 50, 2250, date(2024, 4, 5), date(2024, 12, 31)),
            WorkingWeek(date(2027, 5, 4), 30, 1350),
        ),
        date(2027, 4, 12),
        False,
        {"2025-04-06/2027-01-01": (12600, 126_000_000)},
    )
    assert later.absences == (replace(absent, ends_on=date(2027, 4, 12)),)


async def test_a_leaver_of_the_year_before_is_not_paid_for_the_year_that_never_began(world: Any) -> None:
    worker = new_id()
    await world.profile(worker)
    await world.send("PUT", "pay-calendar", {"payday_days_after": 5, "late_pay": "with_current_pay"})
    await _contract(world, worker, "2020-04-08")
    await _paid(world, worker)
    terms = {"contract_week_gbp": "562.50", "contract_week_minutes": 2250, "contract_ref": "Contract C17"}
    body = {"worker_id": str(worker), "left_on": "2026-04-07", **GRANTED, **terms}
    await world.send("PUT", f"holiday-in-lieu/{new_id()}", body)
    await _paid(world, worker, SECOND)
    record = await world.get(f"holiday-records/{worker}", params={"leave_year_from": "2025-04-08"})
    assert (record["in_lieu_pay_gbp"], record["left_minutes"]) == ("3150.00", 0)
    await _paid(world, worker, THIRD)
    ledger = await world.get(f"holiday-records/{worker}", params={"leave_year_from": "2026-04-08"})
    assert ledger["left_minutes"] == 0


async def test_who_comes_back_the_next_day_earns_again(world: Any) -> None:
    worker = new_id()
    await world.profile(worker)
    await world.send("PUT", "pay-calendar", {"payday_days_after": 5, "late_pay": "with_current_pay"})
    await _contract(world, worker)
    await _paid(world, worker)
    await world.send(
        "PUT", f"holiday-in-lieu/{new_id()}", {"worker_id": str(worker), "left_on": "2026-04-19", **GRANTED}
    )
    await _contract(world, worker, "2026-04-20")
    await _paid(world, worker, SECOND)
    assert (await _record(world, worker))["left_minutes"] == 0
    await _paid(world, worker, THIRD)
    assert (await _record(world, worker))["left_minutes"] == 1125


async def test_a_contract_recorded_wrongly_takes_its_leave_back(world: Any) -> None:
    worker = new_id()
    await world.profile(worker)
    await _contract(world, worker)
    await _paid(world, worker)
    await _contract(world, worker, withdrawn=True)
    await _contract(world, worker, "2024-04-08")
    await _paid(world, worker, SECOND)
    assert (await _record(world, worker))["left_minutes"] == 12600
    await _contract(world, worker, "2024-04-08", withdrawn=True)
    await _paid(world, worker, THIRD)
    assert (await _record(world, worker))["left_minutes"] == 0


async def test_a_leaver_who_took_more_than_the_share_is_paid_the_leave_and_nothing_in_lieu(world: Any) -> None:
    worker = new_id()
    await world.profile(worker)
    await _contract(world, worker)
    await _paid(world, worker)
    days = [{"on": f"2026-04-{day}", "minutes": 450} for day in (15, 16)]
    await world.send("PUT", f"holiday-leaves/{new_id()}", {"worker_id": str(worker), "days": days, **GRANTED})
    body = {"worker_id": str(worker), "left_on": "2026-04-19", **GRANTED}
    await world.send("PUT", f"holiday-in-lieu/{new_id()}", body)
    run = await _paid(world, worker, SECOND)
    slip = await world.slip(worker_id=worker, week_ending="2026-04-19")
    assert (slip["gross_gbp"], slip["leave"]["left_minutes"]) == ("787.50", 0)
    assert _entries(await _record(world, worker))[-1] == ("2026-04-19", "paid_in_lieu", 900 - 484)
    words = str(await world.get(f"payslips/{slip['payslip_id']}/explanation"))
    assert "Nothing left to pay in lieu" in words
    assert (await world.send("POST", f"pay-runs/{run['pay_run_id']}/replay"))["agrees"] is True


async def test_an_employment_has_one_leave_year(world: Any) -> None:
    worker = new_id()
    await world.profile(worker)
    await _contract(world, worker, leave_year_from="2026-01-01")
    differs = await _contract(world, worker, "2026-05-04", status=409, leave_year_from="2026-04-06")
    assert differs["code"] == "leave_years_differ"
    await _contract(world, worker, leave_year_from="2026-04-01")
    await _paid(world, worker)
    changed = await _contract(world, worker, status=409, leave_year_from="2026-01-01")
    assert changed["code"] == "leave_years_differ"
    await _contract(world, worker, "2026-05-04", days_a_week="3", week_minutes=1350, leave_year_from="2025-04-01")
    await _contract(world, worker, employed_from="2023-10-02")
    moved = await _contract(world, worker, "2026-05-04", status=409, days_a_week="3", week_minutes=1350)
    assert moved["code"] == "leave_years_differ"


async def test_leave_taken_elsewhere_lapses_before_the_first_payslip(world: Any) -> None:
    worker = new_id()
    await world.profile(worker)
    await _contract(world, worker)
    body = {"worker_id": str(worker), "kind": "lapsed", "on": "2026-04-06", "minutes": 4500, "reason": "Taken before"}
    await world.send("PUT", f"holiday-entries/{new_id()}", body)
    await _paid(world, worker)
    assert (await _record(world, worker))["left_minutes"] == 12600 - 4500


async def test_who_was_employed_before_has_no_first_year(world: Any) -> None:
    worker = new_id()
    await world.profile(worker)
    refused = await _contract(world, worker, "2026-04-06", status=422, employed_from="2026-04-07")
    assert refused["code"] == "employed_after_week"
    await _contract(world, worker, "2026-04-06", employed_from="2024-04-06")
    await _paid(world, worker)
    assert (await _record(world, worker))["left_minutes"] == 12600


async def test_leave_by_the_hour_beside_a_fixed_week_is_worth_a_look(world: Any) -> None:
    worker = new_id()
    await world.profile(worker)
    await _contract(world, worker)
    sheet = world.sheet(worker, ("basic", 2250, "15.00"), week_ending=FIRST, holiday_pay="rolled_up")
    await world.tell(world.worker(worker), sheet.approved(), sheet.cleared())
    found = (await world.get("pay-runs/preview", params={"week_ending": str(FIRST)}))["findings"]["leave_given_twice"]
    assert (found["count"], found["items"][0]["worker_id"]) == (1, str(worker))
    await world.tell(world.cut_off(sheet, week=FIRST))
    await world.close(FIRST)
    await world.send(
        "PUT", f"holiday-in-lieu/{new_id()}", {"worker_id": str(worker), "left_on": "2026-04-12", **GRANTED}
    )
    await _paid(world, worker, SECOND)
    later = world.sheet(worker, ("basic", 2250, "15.00"), week_ending=THIRD, holiday_pay="rolled_up")
    await world.tell(later.approved(), later.cleared())
    found = (await world.get("pay-runs/preview", params={"week_ending": str(THIRD)}))["findings"]["leave_given_twice"]
    assert found["count"] == 0


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"days_a_week": "7.5"}, "#/days_a_week"),
        ({"week_minutes": 7201}, "#/"),
        ({"week_minutes": 0}, "#/"),
        ({"contract_ref": " "}, "#/contract_ref"),
    ],
)
async def test_half_a_working_week_is_refused(world: Any, change: dict[str, Any], pointer: str) -> None:
    refused = await _contract(world, new_id(), status=422, **change)
    assert refused["errors"][0]["pointer"] == pointer
