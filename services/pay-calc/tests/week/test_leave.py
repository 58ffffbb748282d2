"""Accrued leave from the hours to the ledger, and from the ledger to the payslip. On a real Postgres."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.exc import DBAPIError

from pay_calc.domain.slips import input_of
from pay_calc.store import slips
from pay_calc.usecases.payslip_document import context_of, payslip_of
from pay_calc.usecases.replay import load_json
from paybill_common.ids import new_id

pytestmark = pytest.mark.integration

FIRST, SECOND, THIRD = date(2026, 4, 12), date(2026, 4, 19), date(2026, 4, 26)
NOW = datetime(2026, 4, 20, 9, 0, tzinfo=UTC)
GRANTED: dict[str, Any] = {"decided_by": "Pat Testcase", "decided_on": "2026-04-01", "evidence_ref": "Request 4"}
CONTRACT = {"contract_week_gbp": "600.00", "contract_week_minutes": 2400, "contract_ref": "Contract C17"}


async def _hours(world: Any, worker: UUID, minutes: int, week: date = FIRST, **options: Any) -> Any:
    options = {"holiday_pay": "accrued"} | options
    sheet = world.sheet(worker, ("basic", minutes, options.pop("rate", "15.00")), week_ending=week, **options)
    await world.tell(world.worker(worker), sheet.approved(), sheet.cleared())
    return sheet


async def _close(world: Any, week: date, *sheets: Any) -> Any:
    await world.tell(world.cut_off(*sheets, week=week))
    return await world.close(week)


async def _paid(world: Any, worker: UUID, minutes: int, week: date = FIRST, **options: Any) -> Any:
    """Work a week and close it; gives the timesheet."""
    sheet = await _hours(world, worker, minutes, week, **options)
    await _close(world, week, sheet)
    return sheet


async def _brought(world: Any, worker: UUID, minutes: int, entry: UUID | None = None, **changes: Any) -> Any:
    body = {
        "worker_id": str(worker),
        "kind": "carried_in",
        "on": "2026-03-02",
        "minutes": minutes,
        "reason": "Payroll of before",
    }
    status = changes.pop("status", 200)
    return await world.send("PUT", f"holiday-entries/{entry or new_id()}", body | changes, status=status)


async def _off(
    world: Any, worker: UUID, *days: tuple[str, int], leave: UUID | None = None, status: int = 200, **changes: Any
) -> Any:
    body = {
        "worker_id": str(worker),
        "days": [{"on": day, "minutes": minutes} for day, minutes in days],
        **GRANTED,
        **changes,
    }
    return await world.send("PUT", f"holiday-leaves/{leave or new_id()}", body, status=status)


async def _leaves(world: Any, worker: UUID, *, status: int = 200, payment: UUID | None = None, **changes: Any) -> Any:
    body = {"worker_id": str(worker), "left_on": "2026-04-19", **GRANTED, **changes}
    return await world.send("PUT", f"holiday-in-lieu/{payment or new_id()}", body, status=status)


async def _record(world: Any, worker: UUID, **params: Any) -> Any:
    return await world.get(f"holiday-records/{worker}", params={"leave_year_from": "2026-03-02"} | params)


def _entries(record: Any) -> list[tuple[str, str, int, int]]:
    return sorted((each["on"], each["kind"], each["minutes"], each["exact_minutes"]) for each in record["entries"])


async def test_the_close_brings_the_weeks_leave_to_the_ledger_and_the_payslip_tells_the_balance(world: Any) -> None:
    worker, other = new_id(), new_id()
    for each in (worker, other):
        await world.profile(each)
    sheet = await _hours(world, worker, 2220)
    rolled = await _hours(world, other, 2220, holiday_pay="rolled_up")
    draft = await world.slip(worker_id=worker)
    # 37 h x 12.07 % = 4.4659 h: 4 h by the law, 4:27 without rounding.
    assert draft["leave"] == {
        "earned_minutes": 240, "taken_minutes": 0, "left_minutes": 240, "left_exact_minutes": 267, "not_accrued": [],
    }  # fmt: skip
    await world.get(f"holiday-records/{worker}", status=404)
    run = await _close(world, FIRST, sheet, rolled)
    record = await _record(world, worker)
    assert _entries(record) == [("2026-04-12", "accrued", 240, 267)]
    assert (record["left_minutes"], record["left_exact_minutes"], record["entries"][0]["worked_minutes"]) == (
        240,
        267,
        2220,
    )
    assert (await world.slip(worker_id=other))["leave"] is None
    await world.get(f"holiday-records/{other}", status=404)
    told = {each["worker_id"]: each for each in await world.emitted("paybill.pay.finalised.v1")}
    assert (told[str(worker)]["leave_earned_minutes"], told[str(worker)]["leave_taken_minutes"]) == (240, 0)
    assert (told[str(worker)]["holiday_pay_gbp"], told[str(other)]["leave_earned_minutes"]) == ("0.00", None)
    assert (await world.send("POST", f"pay-runs/{run['pay_run_id']}/replay"))["agrees"] is True
    words = str(await world.get(f"payslips/{draft['payslip_id']}/explanation"))
    assert "Leave earned, week ending 12 April 2026" in words


async def test_hours_that_change_after_the_close_correct_the_weeks_leave(world: Any) -> None:
    worker = new_id()
    await world.profile(worker)
    await world.send("PUT", "pay-calendar", {"payday_days_after": 5, "late_pay": "with_current_pay"})
    sheet = await _paid(world, worker, 2400)
    amended = sheet.amended([("basic", 1800, "15.00")])
    await world.tell(amended, sheet.cleared())
    current = await _hours(world, worker, 2400, SECOND)
    run = await _close(world, SECOND, current)
    # 40 h give 5 h, 30 h give 3.621: 4 h. The week's entries sum to what its hours give now.
    assert _entries(await _record(world, worker)) == [
        ("2026-04-12", "accrued", -60, -73),
        ("2026-04-12", "accrued", 300, 289),
        ("2026-04-19", "accrued", 300, 289),
    ]
    assert (await world.slip(worker_id=worker, week_ending="2026-04-19"))["leave"]["left_minutes"] == 540
    assert (await world.send("POST", f"pay-runs/{run['pay_run_id']}/replay"))["agrees"] is True


async def test_two_halves_of_a_week_give_what_the_whole_gives_when_one_is_paid_late(world: Any) -> None:
    worker = new_id()
    await world.profile(worker)
    await world.send("PUT", "pay-calendar", {"payday_days_after": 5, "late_pay": "with_current_pay"})
    await _paid(world, worker, 1200)
    late = await _hours(world, worker, 1200)
    await _close(world, SECOND)
    assert late is not None
    # 20 h give 2.414: 2 h; 40 h 4.828: 5 h.
    assert [each[2] for each in _entries(await _record(world, worker))] == [120, 180]


async def test_the_ledger_only_grows(world: Any) -> None:
    worker = new_id()
    await world.profile(worker)
    await _paid(world, worker, 2400)
    for change in ("UPDATE leave_entry SET minutes = 0", "DELETE FROM leave_entry"):
        for database in (world.runtime.api_database, world.runtime.worker_database):
            with pytest.raises(DBAPIError, match="permission denied"):
                async with database.transaction(now=NOW, agencies=[world.agency_id]) as tx:
                    await tx.execute(change)
    entry = new_id()
    first = await _brought(world, worker, 600, entry)
    assert await _brought(world, worker, 600, entry) == first
    assert (await _brought(world, worker, 660, entry, status=409))["code"] == "leave_entry_differs"
    lapsed = await _brought(world, worker, 1000, kind="lapsed", on="2026-04-13", status=422)
    assert lapsed["code"] == "leave_exceeds_balance"
    await _brought(world, worker, 600, kind="lapsed", on="2026-04-13", reason="Not asked for in time")
    record = await _record(world, worker)
    assert (record["carried_in_minutes"], record["lapsed_minutes"], record["left_minutes"]) == (600, 600, 300)


async def test_leave_is_paid_beside_hours_at_the_average_of_the_paid_weeks(world: Any) -> None:
    worker, leave = new_id(), new_id()
    await world.profile(worker, pension={"basis": "net_pay", "employee_pct": "5", "employer_pct": "3"})
    await _paid(world, worker, 2400)
    await _brought(world, worker, 600)
    sheet = await _hours(world, worker, 1440, SECOND, rate="13.00")
    answer = await _off(world, worker, ("2026-04-16", 480), leave=leave)
    # The one paid week: 600.00 for 40 hours.
    [week] = answer["weeks"]
    assert (week["amount_gbp"], week["minutes"], week["state"], week["held"]) == ("120.00", 480, "open", [])
    run = await _close(world, SECOND, sheet)
    slip = await world.slip(worker_id=worker, week_ending="2026-04-19")
    assert [(line["element"], line["minutes"], line["amount_gbp"]) for line in slip["lines"]] == [
        ("basic", 1440, "312.00"),
        ("holiday_taken", 480, "120.00"),
    ]
    figures = slip["figures"]
    assert (slip["gross_gbp"], figures["niable_gbp"]) == ("432.00", "432.00")
    # 5 % of the earnings over 120.00 a week, leave in them.
    assert figures["employee_pension_gbp"] == "15.60"
    assert (slip["minutes"], slip["worked_minutes"], slip["minimum_wage"]) == (1440, 1440, "pass")
    # 300 of the first week, 600 brought in, 24 h x 12.07 % = 2.8968: 3 h.
    assert {name: slip["leave"][name] for name in ("earned_minutes", "taken_minutes", "left_minutes")} == {
        "earned_minutes": 1080, "taken_minutes": 480, "left_minutes": 600,
    }  # fmt: skip
    told = (await world.emitted("paybill.pay.finalised.v1"))[-1]
    charged = sum(Decimal(charge["pay_gbp"]) for charge in told["charges"])
    assert (told["holiday_taken_pay_gbp"], charged + Decimal("120.00")) == ("120.00", Decimal(told["gross_gbp"]))
    assert (await world.send("POST", f"pay-runs/{run['pay_run_id']}/replay"))["agrees"] is True
    explanation = await world.get(f"payslips/{slip['payslip_id']}/explanation")
    [figure] = [each for each in explanation["figures"] if each["figure"] == "holiday"]
    assert "Holiday taken, week ending 19 April 2026" in figure["words"]
    assert "average of 1 paid week, 2026-04-12 to 2026-04-12" in figure["words"]
    [settled] = (await world.get(f"holiday-leaves/{leave}"))["weeks"]
    assert (settled["state"], settled["payslip_id"], settled["amount_gbp"]) == ("settled", slip["payslip_id"], "120.00")


async def test_leave_is_not_counted_for_the_minimum_wage(world: Any) -> None:
    worker = new_id()
    await world.profile(worker)
    await _brought(world, worker, 600)
    # From 6 April 2026 on 12.71 an hour: 20 hours at 12.00 are short, whatever the leave brings.
    await _hours(world, worker, 1200, FIRST, rate="12.00")
    await _off(world, worker, ("2026-04-09", 480), **CONTRACT)
    slip = await world.slip(worker_id=worker)
    assert (slip["gross_gbp"], slip["minimum_wage"]) == ("360.00", "fail")


async def test_leave_alone_makes_a_payslip_and_the_contract_pays_where_there_is_no_history(world: Any) -> None:
    worker, other = new_id(), new_id()
    await world.profile(worker)
    await world.profile(other)
    await _brought(world, worker, 960)
    refused = await _off(world, worker, ("2026-04-09", 480), status=422)
    assert refused["code"] == "no_weeks_to_average"
    assert (await world.get("holiday-leaves", params={"worker_id": str(worker)}))["items"] == []
    answer = await _off(world, worker, ("2026-04-09", 480), ("2026-04-10", 480), **CONTRACT)
    assert [(week["amount_gbp"], week["rate"]) for week in answer["weeks"]] == [
        ("240.00", "the contract's week: Contract C17")
    ]
    sheet = await _hours(world, other, 600)
    run = await _close(world, FIRST, sheet)
    assert run["payslips"] == 2
    slip = await world.slip(worker_id=worker)
    assert (slip["state"], slip["gross_gbp"], slip["minutes"], slip["charges"]) == ("finalised", "240.00", 0, [])
    async with world.runtime.api_database.transaction(now=NOW, agencies=[world.agency_id], read_only=True) as tx:
        row = await slips.one(tx, agency_id=world.agency_id, payslip_id=UUID(slip["payslip_id"]))
        assert row is not None
        document = payslip_of(row, await context_of(tx, agency_id=world.agency_id, rows=[row]))
        inputs = load_json(row.inputs)
    [printed] = document.payments
    assert (printed.name, printed.amount_gbp, printed.note) == (
        "Holiday taken",
        Decimal("240.00"),
        "16:00 hours of leave",
    )
    assert document.leave == "Holiday: earned 16:00 h, taken 16:00 h, left 0:00 h"
    assert input_of(inputs).as_json() == inputs
    del inputs["holiday"], inputs["leave"]
    assert (input_of(inputs).holiday, input_of(inputs).leave) == ((), None)


async def test_more_leave_than_there_is_needs_to_be_granted_in_advance(world: Any) -> None:
    worker, leave = new_id(), new_id()
    await world.profile(worker)
    await _brought(world, worker, 600)
    await _off(world, worker, ("2026-04-09", 480), leave=leave, **CONTRACT)
    more = await _off(world, worker, ("2026-04-10", 480), status=422, **CONTRACT)
    assert more["code"] == "leave_exceeds_balance"
    await _off(world, worker, ("2026-04-10", 480), in_advance=True, **CONTRACT)
    slip = await world.slip(worker_id=worker)
    assert slip["leave"]["left_minutes"] == -360
    same = await _off(world, worker, ("2026-04-09", 60), in_advance=True, status=409, **CONTRACT)
    assert same["code"] == "leave_overlaps"
    for changes in (
        {"contract_ref": None},
        {"decided_by": None},
        {"days": []},
        {"days": [{"on": "2026-04-09", "minutes": 60}] * 2},
    ):
        await _off(world, worker, ("2026-04-13", 60), status=422, **(CONTRACT | changes))


async def test_leave_that_was_paid_is_not_taken_back_and_days_may_be_added(world: Any) -> None:
    worker, leave = new_id(), new_id()
    await world.profile(worker)
    await _brought(world, worker, 1440)
    await _off(world, worker, ("2026-04-09", 480), leave=leave, **CONTRACT)
    await _close(world, FIRST)
    for days, changes in (
        ((("2026-04-10", 480),), {}),
        ((("2026-04-09", 240),), {}),
        ((("2026-04-09", 480),), {"cancelled": True}),
    ):
        refused = await _off(world, worker, *days, leave=leave, status=409, **CONTRACT, **changes)
        assert refused["code"] == "holiday_already_paid"
    answer = await _off(world, worker, ("2026-04-09", 480), ("2026-04-10", 480), leave=leave, **CONTRACT)
    assert [week["state"] for week in answer["weeks"]] == ["settled", "open"]
    late = await world.slip(worker_id=worker, week_ending="2026-04-19")
    assert [(line["week_ending"], line["element"]) for line in late["lines"]] == [("2026-04-12", "holiday_taken")]
    moved = await _off(world, new_id(), ("2026-04-09", 480), leave=leave, status=409, **CONTRACT)
    assert moved["code"] == "record_of_another_worker"
    await _off(world, worker, ("2026-04-09", 480), leave=leave, **CONTRACT)
    assert (await world.get("payslips", params={"worker_id": str(worker), "week_ending": "2026-04-19"}))["items"] == []


async def test_leave_that_cannot_be_paid_is_listed_and_lets_the_hours_through(world: Any) -> None:
    worker, other = new_id(), new_id()
    await _brought(world, worker, 480)
    answer = await _off(world, worker, ("2026-04-09", 480), **CONTRACT)
    assert [week["held"] for week in answer["weeks"]] == [["missing_pay_profile"]]
    await world.profile(other)
    sheet = await _hours(world, other, 600)
    await world.tell(world.cut_off(sheet, week=FIRST))
    preview = await world.get("pay-runs/preview", params={"week_ending": "2026-04-12"})
    found = preview["findings"]
    assert (found["holiday_pay_held"]["count"], found["statutory_pay_held"]["count"]) == (1, 0)
    run = await world.close(FIRST)
    left = (await world.get(f"pay-runs/{run['pay_run_id']}"))["left_out"]
    assert [(each["worker_id"], each["reason"]) for each in left] == [(str(worker), "holiday_pay_held")]
    await world.profile(worker)
    assert (await world.slip(worker_id=worker, week_ending="2026-04-19"))["gross_gbp"] == "120.00"


async def test_a_leaver_is_paid_all_that_is_left_once(world: Any) -> None:
    worker, payment = new_id(), new_id()
    await world.profile(worker)
    await _paid(world, worker, 2400)
    sheet = await _hours(world, worker, 2400, SECOND)
    answer = await _leaves(world, worker, payment=payment)
    assert (answer["left_on"], [week["state"] for week in answer["weeks"]]) == ("2026-04-19", ["open"])
    assert (await _leaves(world, worker, status=409))["code"] == "already_paid_in_lieu"
    run = await _close(world, SECOND, sheet)
    slip = await world.slip(worker_id=worker, week_ending="2026-04-19")
    # 5 h of each week, the one on this payslip too, at 15.00.
    assert [(line["element"], line["minutes"], line["amount_gbp"]) for line in slip["lines"]] == [
        ("basic", 2400, "600.00"),
        ("holiday_in_lieu", 600, "150.00"),
    ]
    assert (slip["leave"]["left_minutes"], slip["leave"]["left_exact_minutes"]) == (0, 0)
    assert (await world.send("POST", f"pay-runs/{run['pay_run_id']}/replay"))["agrees"] is True
    assert (await _leaves(world, worker, status=409))["code"] == "already_paid_in_lieu"
    assert (await _leaves(world, worker, payment=payment, status=409))["code"] == "holiday_already_paid"
    record = await _record(world, worker)
    assert (record["paid_in_lieu_minutes"], record["in_lieu_pay_gbp"], record["left_minutes"]) == (600, "150.00", 0)


async def test_leave_taken_beyond_what_was_earned_is_recovered_by_agreement_alone(world: Any) -> None:
    worker, payment = new_id(), new_id()
    await world.profile(worker)
    await _paid(world, worker, 2400)
    await _off(world, worker, ("2026-04-16", 480), in_advance=True)
    sheet = await _hours(world, worker, 600, SECOND)
    # 300 and 60 earned, 480 taken: two hours too many.
    answer = await _leaves(world, worker, payment=payment)
    assert answer["weeks"][0]["held"] == ["no_leave_left"]
    draft = await world.slip(worker_id=worker, week_ending="2026-04-19")
    assert draft["gross_gbp"] == "150.00"
    await _leaves(world, worker, payment=payment, recovery_ref="Agreement A3")
    await _close(world, SECOND, sheet)
    slip = await world.slip(worker_id=worker, week_ending="2026-04-19")
    assert [(line["element"], line["amount_gbp"]) for line in slip["lines"]] == [
        ("basic", "150.00"),
        ("holiday_taken", "120.00"),
        ("holiday_in_lieu", "-30.00"),
    ]
    assert slip["leave"]["left_minutes"] == 0


async def test_no_leave_lies_after_the_last_day(world: Any) -> None:
    worker = new_id()
    await world.profile(worker)
    await _brought(world, worker, 600)
    await _off(world, worker, ("2026-04-21", 60), **CONTRACT)
    assert (await _leaves(world, worker, status=409, **CONTRACT))["code"] == "leave_after_leaving"


async def test_sickness_earns_the_average_of_the_weeks_before_it(world: Any) -> None:
    worker, unknown = new_id(), new_id()
    for each in (worker, unknown):
        await world.profile(each)
    await _paid(world, worker, 2400)
    sick = {
        "first_on": "2026-04-15", "last_on": "2026-04-19", "qualifying_weekdays": [1, 2, 3, 4, 5],
        "average_weekly_earnings_gbp": "400.00", "average_ref": "payroll records",
    }  # fmt: skip
    for each in (worker, unknown):
        await world.send("PUT", f"absences/{new_id()}", {"worker_id": str(each)} | sick)
    sheet = await _hours(world, unknown, 600, SECOND)
    run = await _close(world, SECOND, sheet)
    # Five of seven days of 40 hours x 12.07 %: 3.4486 h.
    entry = (await _record(world, worker))["entries"][-1]
    assert (entry["kind"], entry["minutes"], entry["exact_minutes"], entry["absent_days"]) == (
        "absence_accrued",
        180,
        206,
        5,
    )
    slip = await world.slip(worker_id=unknown, week_ending="2026-04-19")
    assert len(slip["leave"]["not_accrued"]) == 1
    assert (await world.send("POST", f"pay-runs/{run['pay_run_id']}/replay"))["agrees"] is True


async def test_an_absence_without_any_pay_earns_leave_too(world: Any) -> None:
    """Two days are waiting days of 2025-26's rules: no sick pay, and two of seven days of 40 hours x 12.07 %: 1.3794 h."""
    worker, unknown = new_id(), new_id()
    week, later = date(2026, 3, 22), date(2026, 3, 29)
    for each in (worker, unknown):
        await world.profile(each)
    await _paid(world, worker, 2400, week)
    sick = {
        "first_on": "2026-03-25", "last_on": "2026-03-26", "qualifying_weekdays": [1, 2, 3, 4, 5],
        "average_weekly_earnings_gbp": "400.00", "average_ref": "payroll records",
    }  # fmt: skip
    for each in (worker, unknown):
        await world.send("PUT", f"absences/{new_id()}", {"worker_id": str(each)} | sick)
    sheets = [await _hours(world, each, 1440, later) for each in (worker, unknown)]
    await _close(world, later, *sheets)
    told = (await world.slip(worker_id=worker, week_ending="2026-03-29"))["leave"]
    assert told["earned_minutes"] == 300 + 180 + 60
    absent = [each for each in (await _record(world, worker))["entries"] if each["kind"] == "absence_accrued"]
    assert [(each["minutes"], each["exact_minutes"], each["absent_days"]) for each in absent] == [(60, 82, 2)]
    slip = await world.slip(worker_id=unknown, week_ending="2026-03-29")
    assert len(slip["leave"]["not_accrued"]) == 1
    await _paid(world, worker, 1440, date(2026, 4, 5))
    assert (await world.slip(worker_id=worker, week_ending="2026-04-05"))["leave"]["not_accrued"] == []
    assert len([each for each in (await _record(world, worker))["entries"] if each["kind"] == "absence_accrued"]) == 1


@pytest.mark.parametrize("change", [{"last_on": "2026-03-16"}, {"cancelled": True}])
async def test_days_of_an_absence_that_are_none_any_more_come_back(world: Any, change: dict[str, Any]) -> None:
    """Fourteen days of 40 hours x 12.07 % are 10 hours; one day is 1 hour to the hour."""
    worker, absence = new_id(), new_id()
    await world.profile(worker)
    await _paid(world, worker, 2400, date(2026, 3, 15))
    sick = {
        "worker_id": str(worker), "first_on": "2026-03-16", "last_on": "2026-03-29", "qualifying_weekdays": [1],
        "average_weekly_earnings_gbp": "20.00", "average_ref": "payroll records",
    }  # fmt: skip
    await world.send("PUT", f"absences/{absence}", sick)
    await _paid(world, worker, 60, date(2026, 3, 29))
    await world.send("PUT", f"absences/{absence}", sick | change)
    await _paid(world, worker, 60, date(2026, 4, 5))
    record = await _record(world, worker)
    entries = {each["absent_days"]: each for each in record["entries"] if each["record_id"]}
    back = (-13, 60 - 600) if "last_on" in change else (-14, -600)
    assert [(days, each["minutes"]) for days, each in sorted(entries.items())] == [back, (14, 600)]
    assert "corrected" in entries[back[0]]["how"]
    await _paid(world, worker, 60, date(2026, 4, 12))
    assert len([each for each in (await _record(world, worker))["entries"] if each["record_id"]]) == 2


async def test_sick_weeks_and_weeks_of_rolled_up_pay_do_not_blur_the_average(world: Any) -> None:
    worker = new_id()
    await world.profile(worker)
    await _paid(world, worker, 2400)
    sick = {
        "worker_id": str(worker), "first_on": "2026-04-15", "last_on": "2026-04-19", "qualifying_weekdays": [1, 2, 3, 4, 5],
        "average_weekly_earnings_gbp": "400.00", "average_ref": "payroll records",
    }  # fmt: skip
    await world.send("PUT", f"absences/{new_id()}", sick)
    await _paid(world, worker, 960, SECOND, rate="30.00")
    answer = await _off(world, worker, ("2026-04-22", 60))
    assert answer["weeks"][0]["amount_gbp"] == "15.00"


async def test_the_record_of_a_leave_year_says_what_the_regulations_ask_for(world: Any) -> None:
    worker = new_id()
    await world.profile(worker)
    await _brought(world, worker, 300, on="2026-03-01")
    await _brought(world, worker, 480, reason="Carried over after sickness")
    await _paid(world, worker, 2400)
    await _off(world, worker, ("2026-04-16", 480))
    await _close(world, SECOND)
    # Without a year named: from the day the employment began, 2 March.
    record = await world.get(f"holiday-records/{worker}")
    assert (record["leave_year_from"], record["leave_year_to"]) == ("2026-03-02", "2027-03-02")
    assert (record["brought_forward_minutes"], record["carried_in_minutes"]) == (300, 480)
    assert record["carry_reason"] == "left from the leave year before; Carried over after sickness"
    assert (record["accrued_minutes"], record["taken_minutes"], record["left_minutes"]) == (300, 480, 600)
    assert (record["taken_pay_gbp"], record["missing"]) == ("120.00", [])
    taken = record["entries"][-1]
    assert (taken["pay_gbp"], taken["how"]) == ("120.00", "average of 1 paid week, 2026-04-12 to 2026-04-12")
    made, kept = (date.fromisoformat(taken[name][:10]) for name in ("recorded_at", "keep_until"))
    assert kept.year - made.year == 6
    answer = await world.get(f"holiday-records/{worker}/record.csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["kind"], row["hours"], row["pay_gbp"]) for row in rows] == [
        ("carried_in", "8:00", ""),
        ("accrued", "5:00", ""),
        ("taken", "-8:00", "120.00"),
    ]
    nobody = new_id()
    await _brought(world, nobody, 60)
    unknown = await world.get(f"holiday-records/{nobody}", status=422)
    assert unknown["code"] == "leave_year_unknown"


async def test_another_year_moves_the_leave_with_it(world: Any) -> None:
    worker = new_id()
    await world.profile(worker)
    await _paid(world, worker, 2400)
    await _hours(world, worker, 1200, SECOND)
    await _off(world, worker, ("2026-04-16", 240))
    slip = await world.slip(worker_id=worker, week_ending="2026-04-19")
    answer = await world.send("POST", f"payslips/{slip['payslip_id']}/what-if", {"changes": {"tax_year": "2025-26"}})
    assert "360.00" in str(answer)
