"""Absences and family leaves from the record to the payslip, beside hours or without any. On a real Postgres."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from pay_calc.domain.statutory import Absence, average_of_paid, sickness
from pay_calc.rates import year_book
from pay_calc.store import slips
from pay_calc.usecases.payslip_document import context_of, payslip_of
from paybill_common.ids import new_id

pytestmark = pytest.mark.integration

WEEK, NEXT = date(2026, 4, 12), date(2026, 4, 19)
NOW = datetime(2026, 4, 20, 9, 0, tzinfo=UTC)
GIVEN = {"average_weekly_earnings_gbp": "400.00", "average_ref": "payroll records to 3 April"}
SICK: dict[str, Any] = {
    "first_on": "2026-04-08",
    "last_on": "2026-04-14",
    "qualifying_weekdays": [1, 2, 3, 4, 5],
    **GIVEN,
}


async def _hours(world: Any, worker: UUID, minutes: int, *, week: date = WEEK) -> Any:
    sheet = world.sheet(worker, ("basic", minutes, "15.00"), week_ending=week, holiday_pay="none")
    await world.tell(world.worker(worker), sheet.approved(), sheet.cleared())
    return sheet


async def _sick(world: Any, worker: UUID, absence: UUID | None = None, *, status: int = 200, **changes: Any) -> Any:
    body = {"worker_id": str(worker)} | SICK | changes
    return await world.send("PUT", f"absences/{absence or new_id()}", body, status=status)


async def test_sick_pay_stands_beside_the_hours_of_its_week(world: Any) -> None:
    worker = new_id()
    await world.profile(worker)
    sheet = await _hours(world, worker, 960)
    absence = await _sick(world, worker)
    # From 6 April 2026 there are no waiting days: the lower of 123.25 and 80 % of 400, 24.65 a day of five.
    assert absence["days"] == {"payable": 5}
    assert [(week["amount_gbp"], week["state"]) for week in absence["weeks"]] == [("73.95", "open"), ("49.30", "open")]
    await world.tell(world.cut_off(sheet, week=WEEK))
    run = await world.close(WEEK)
    slip = await world.slip(worker_id=worker, week_ending="2026-04-12")
    assert [(line["element"], line["amount_gbp"]) for line in slip["lines"]] == [("basic", "240.00"), ("SSP", "73.95")]
    assert (slip["gross_gbp"], slip["figures"]["niable_gbp"], slip["minimum_wage"]) == ("313.95", "313.95", "pass")
    [told] = await world.emitted("paybill.pay.finalised.v1")
    charged = sum(Decimal(charge["pay_gbp"]) for charge in told["charges"])
    parts = charged + Decimal(told["holiday_pay_gbp"]) + Decimal(told["statutory_pay_gbp"])
    assert (told["statutory_pay_gbp"], parts) == ("73.95", Decimal(told["gross_gbp"]))
    assert (await world.send("POST", f"pay-runs/{run['pay_run_id']}/replay"))["agrees"] is True
    words = str((await world.get(f"payslips/{slip['payslip_id']}/explanation"))["tree"])
    assert "Statutory sick pay" in words
    stands = await world.get(f"absences/{absence['record_id']}")
    assert [week["state"] for week in stands["weeks"]] == ["settled", "open"]
    assert stands["weeks"][0]["payslip_id"] == slip["payslip_id"]


async def test_a_worker_without_hours_is_paid_sick_pay_and_gets_a_document(world: Any) -> None:
    worker, other = new_id(), new_id()
    await world.profile(worker)
    await world.profile(other)
    sheet = await _hours(world, other, 600)
    await _sick(world, worker, first_on="2026-04-06", last_on="2026-04-12", worker_id=str(worker))
    await world.tell(world.worker(worker), world.cut_off(sheet, week=WEEK))
    run = await world.close(WEEK)
    assert (run["payslips"], run["workers_done"]) == (2, 2)
    slip = await world.slip(worker_id=worker, week_ending="2026-04-12")
    assert (slip["state"], slip["gross_gbp"], slip["minutes"], slip["charges"]) == ("finalised", "123.25", 0, [])
    async with world.runtime.api_database.transaction(now=NOW, agencies=[world.agency_id], read_only=True) as tx:
        row = await slips.one(tx, agency_id=world.agency_id, payslip_id=UUID(slip["payslip_id"]))
        assert row is not None
        document = payslip_of(row, await context_of(tx, agency_id=world.agency_id, rows=[row]))
    assert [(payment.name, payment.amount_gbp) for payment in document.payments] == [
        ("Statutory sick pay", Decimal("123.25"))
    ]
    assert (await world.send("POST", f"pay-runs/{run['pay_run_id']}/replay"))["agrees"] is True


async def test_no_salary_is_sacrificed_of_statutory_pay_alone(world: Any) -> None:
    worker = new_id()
    terms = {"basis": "salary_sacrifice", "employer_pct": "3", "sacrifice_gbp": "200.00"}
    await world.profile(worker, pension=terms)
    await _sick(world, worker, first_on="2026-04-06", last_on="2026-04-12")
    slip = await world.slip(worker_id=worker, week_ending="2026-04-12")
    assert (slip["figures"]["sacrifice_gbp"], slip["net_gbp"]) == ("0.00", "123.25")


async def test_a_week_that_never_has_a_run_is_paid_with_the_next_one_that_closes(world: Any) -> None:
    """A week before the agency's first run has no hours here, and so no cut-off: its sick pay may neither wait nor stop the run."""
    worker = new_id()
    await world.profile(worker)
    sheet = await _hours(world, worker, 960)
    await _sick(world, worker, first_on="2026-03-30", last_on="2026-04-03")
    await world.tell(world.cut_off(sheet, week=WEEK))
    run = await world.close(WEEK)
    slip = await world.slip(worker_id=worker, pay_run_id=run["pay_run_id"])
    assert [line["week_ending"] for line in slip["lines"]] == ["2026-04-12", "2026-04-05"]
    assert (await world.send("POST", f"pay-runs/{run['pay_run_id']}/replay"))["agrees"] is True


async def test_days_that_come_after_the_close_are_paid_with_the_next_run(world: Any) -> None:
    worker, absence = new_id(), new_id()
    await world.profile(worker)
    sheet = await _hours(world, worker, 960)
    await _sick(world, worker, absence, first_on="2026-04-09", last_on="2026-04-09")
    await world.tell(world.cut_off(sheet, week=WEEK))
    await world.close(WEEK)
    await _sick(world, worker, absence, first_on="2026-04-09", last_on="2026-04-10")
    late = await world.slip(worker_id=worker, week_ending="2026-04-19")
    assert [(line["week_ending"], line["amount_gbp"]) for line in late["lines"]] == [("2026-04-12", "24.65")]
    shorter = await _sick(world, worker, absence, first_on="2026-04-10", last_on="2026-04-10", status=409)
    assert shorter["code"] == "statutory_pay_already_paid"
    cancelled = await _sick(
        world, worker, absence, first_on="2026-04-09", last_on="2026-04-10", cancelled=True, status=409
    )
    assert cancelled["code"] == "statutory_pay_already_paid"


async def test_sick_pay_that_cannot_be_paid_is_listed_and_lets_the_hours_through(world: Any) -> None:
    worker = new_id()
    absence = await _sick(world, worker)
    assert [week["held"] for week in absence["weeks"]] == [["missing_pay_profile"], ["missing_pay_profile"]]
    other = new_id()
    await world.profile(other)
    sheet = await _hours(world, other, 600)
    await world.tell(world.cut_off(sheet, week=WEEK))
    preview = await world.get("pay-runs/preview", params={"week_ending": "2026-04-12"})
    found = preview["findings"]["statutory_pay_held"]
    assert (found["count"], found["items"][0]["worker_id"]) == (1, str(worker))
    run = await world.close(WEEK)
    assert run["payslips"] == 1
    left = (await world.get(f"pay-runs/{run['pay_run_id']}"))["left_out"]
    assert [(each["worker_id"], each["reason"]) for each in left] == [(str(worker), "statutory_pay_held")]
    await world.profile(worker)
    slip = await world.slip(worker_id=worker, week_ending="2026-04-19")
    assert slip["gross_gbp"] == "123.25"


async def test_the_average_comes_from_the_payslips_when_all_of_them_are_here(world: Any) -> None:
    worker = new_id()
    await world.profile(worker)
    sheet = await _hours(world, worker, 1200, week=date(2026, 4, 5))
    await world.tell(world.cut_off(sheet, week=date(2026, 4, 5)))
    unknown = await _sick(world, worker, average_weekly_earnings_gbp=None, average_ref=None, status=422)
    assert unknown["code"] == "average_earnings_unknown"
    agreed = await _sick(world, worker, average_weekly_earnings_gbp=None, average_ref=None, contract_week_gbp="100.00")
    # 80 % of the 100.00 that the contract promises, a fifth of it a day.
    assert [week["amount_gbp"] for week in agreed["weeks"]] == ["48.00", "32.00"]


def test_an_average_needs_every_payday_since_the_start_or_of_eight_weeks() -> None:
    paydays = [date(2026, 2, 6 + 7 * n) if n < 4 else date(2026, 3, 6 + 7 * (n - 4)) for n in range(8)]
    earnings = {day: 40000 for day in paydays[4:]}
    # Started on 23 February: first payday 6 March, four paydays of 400.00.
    found = average_of_paid(earnings, paydays, date(2026, 2, 23), date(2026, 3, 31), 5)
    assert (found.shown_pence, found.method) == (40000, "sum / 4 paid weeks since employment began")
    with pytest.raises(Exception, match="Not every payday"):
        average_of_paid(earnings, paydays, date(2025, 9, 1), date(2026, 3, 31), 5)
    with pytest.raises(Exception, match="Not every payday"):
        average_of_paid(earnings, paydays, date(2026, 2, 23), date(2026, 4, 7), 5)


class TestSickness:
    """Waiting days, linked spells, the change of April 2026: as the engine's rules say, week by week."""

    def _absence(self, first: date, last: date, pence: int = 40000) -> Absence:
        return Absence(str(first), first, last, frozenset(range(5)), pence, 1)

    def test_three_waiting_days_before_april_2026_are_served_once_for_linked_spells(self) -> None:
        first = self._absence(date(2026, 1, 12), date(2026, 1, 18))
        second = self._absence(date(2026, 2, 16), date(2026, 2, 20), 99900)
        spells = sickness([second, first], year_book())
        assert [len(week.dates) for spell in spells for week in spell.weeks] == [2, 5]
        assert spells[1].average_of.absence_id == first.absence_id
        assert spells[1].weeks[0].average_pence == 40000

    def test_more_than_eight_weeks_apart_they_wait_again(self) -> None:
        first = self._absence(date(2026, 1, 5), date(2026, 1, 9))
        second = self._absence(date(2026, 3, 9), date(2026, 3, 13), 50000)
        spells = sickness([first, second], year_book())
        assert [len(week.dates) for spell in spells for week in spell.weeks] == [2, 2]
        assert spells[1].average_of.absence_id == second.absence_id

    def test_sick_and_paid_over_the_change_keeps_the_flat_rate(self) -> None:
        [spell] = sickness([self._absence(date(2026, 3, 30), date(2026, 4, 10), 13000)], year_book())
        assert [(len(week.dates), week.flat_rate) for week in spell.weeks] == [(2, False), (5, True)]

    def test_below_the_limit_of_its_year_nothing_is_paid(self) -> None:
        [spell] = sickness([self._absence(date(2026, 1, 12), date(2026, 1, 18), 12000)], year_book())
        assert (spell.entitled, spell.weeks) == (False, ())


LEAVE: dict[str, Any] = {
    "kind": "SMP",
    "event_on": "2026-05-10",
    "starts_on": "2026-04-06",
    "weeks": 2,
    "decision": {"decided_by": "Pat Testcase", "decided_on": "2026-03-20", "evidence_ref": "MATB1-TEST-4"},
    **GIVEN,
}


async def test_family_pay_is_paid_by_a_persons_decision_and_no_order_takes_of_it(world: Any) -> None:
    worker = new_id()
    await world.profile(worker)
    missing = {name: value for name, value in LEAVE.items() if name != "decision"}
    await world.send("PUT", f"family-leaves/{new_id()}", missing | {"worker_id": str(worker)}, status=422)
    leave = await world.send("PUT", f"family-leaves/{new_id()}", LEAVE | {"worker_id": str(worker)})
    # 90 % of 400.00 in the first six weeks.
    assert [week["amount_gbp"] for week in leave["weeks"]] == ["360.00", "360.00"]
    order = {
        "worker_id": str(worker),
        "kind": "DEO",
        "reference": "CMS-TEST-18",
        "issued_on": "2026-02-02",
        "starts_on": "2026-03-01",
        "normal_gbp": "50.00",
    }
    await world.send("PUT", f"attachment-orders/{new_id()}", order)
    slip = await world.slip(worker_id=worker, week_ending="2026-04-12")
    assert (slip["gross_gbp"], slip["attachments"][0]["deducted_gbp"]) == ("360.00", "0.00")
    words = str((await world.get(f"payslips/{slip['payslip_id']}/explanation"))["tree"])
    assert "SMP" in words


async def test_the_submission_tells_family_pay_to_date_and_no_sick_pay(world: Any) -> None:
    mother, sick = new_id(), new_id()
    for worker in (mother, sick):
        await world.profile(worker)
        await world.tell(world.worker(worker))
    await world.send("PUT", f"family-leaves/{new_id()}", LEAVE | {"worker_id": str(mother)})
    await _sick(world, sick)
    for week, to_date in ((WEEK, "360.00"), (NEXT, "720.00")):
        await world.tell(world.cut_off(week=week))
        run = await world.close(week)
        answer = await world.get(f"pay-runs/{run['pay_run_id']}/fps.csv")
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        assert sorted((row["smp_to_date"], row["sap_to_date"]) for row in rows) == [("", ""), (to_date, "")]


async def test_records_of_a_worker_do_not_overlap(world: Any) -> None:
    worker = new_id()
    await _sick(world, worker)
    body = LEAVE | {"worker_id": str(worker)}
    assert (await world.send("PUT", f"family-leaves/{new_id()}", body, status=409))["code"] == "absences_overlap"
    low = body | {"starts_on": "2026-05-04", "average_weekly_earnings_gbp": "50.00"}
    refused = await world.send("PUT", f"family-leaves/{new_id()}", low, status=422)
    assert refused["code"] == "earnings_below_limit"
    assert (await world.get("family-leaves", params={"worker_id": str(worker)}))["items"] == []
    assert len((await world.get("absences", params={"worker_id": str(worker)}))["items"]) == 1
