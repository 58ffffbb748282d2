"""An ordinary week through pay-calc: approved hours in, drafts, a closed run, payments and documents out. On a real Postgres."""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from pay_calc.holding import hold_all
from paybill_common.ids import derived_id, new_id
from paybill_contracts.invoicing import SelfBillIssued

pytestmark = pytest.mark.integration

NEXT = date(2026, 4, 12)


async def _ready(world: Any, sheet: Any) -> None:
    """A worker with a profile and an approved, cleared week."""
    await world.profile(sheet.worker_id)
    await world.tell(world.worker(sheet.worker_id), sheet.approved(), sheet.cleared())


async def test_a_cleared_week_becomes_a_payslip(world: Any) -> None:
    sheet = world.sheet(new_id(), ("basic", 2400, "15.00"))
    await _ready(world, sheet)
    slip = await world.slip(week_ending="2026-04-05")
    assert slip["payday_on"] == "2026-04-10"
    assert (slip["tax_year"], slip["tax_period"]) == ("2026-27", 1)
    # 40 h x 15.00, and 12.07 % of it for holiday.
    assert slip["figures"]["holiday_gbp"] == "72.42"
    assert slip["gross_gbp"] == "672.42"
    # 672 less 241.92 free pay of 1257L, down to the pound 430, at 20 %.
    assert slip["figures"]["tax_gbp"] == "86.00"
    assert slip["figures"]["employee_nic_gbp"] == "34.43"
    assert Decimal(slip["net_gbp"]) == Decimal("672.42") - Decimal("86.00") - Decimal("34.43")
    assert slip["minimum_wage"] == "pass"
    [calculated] = await world.emitted("paybill.pay.calculated.v1")
    assert calculated["payslip_id"] == str(
        derived_id("payslip", world.agency_id, sheet.worker_id, date(2026, 4, 6), "paye", "")
    )
    assert [charge["rounding_gbp"] for charge in calculated["charges"]] == ["0.00"]


async def test_nothing_is_paid_before_compliance_says_so(world: Any) -> None:
    sheet = world.sheet(new_id(), ("basic", 600, "15.00"))
    await world.profile(sheet.worker_id)
    await world.tell(sheet.approved())
    preview = await world.get("pay-runs/preview", params={"week_ending": "2026-04-05"})
    [waits] = preview["findings"]["awaiting_clearance"]["items"]
    assert (waits["timesheet_id"], waits["minutes"], waits["pay_gbp"]) == (str(sheet.timesheet_id), 600, "150.00")
    assert (preview["people"], preview["held_timesheets"], preview["held_minutes"]) == (0, 1, 600)
    assert await world.emitted("paybill.pay.calculated.v1") == []
    assert await world.emitted("paybill.pay.held.v1") == [], "the draft is worked once, when the decision is there"
    await world.tell(sheet.held())
    await world.tell(sheet.cleared())
    assert [len(event["held"]) for event in await world.emitted("paybill.pay.held.v1")] == [1, 0]


async def test_a_draft_that_names_a_waiting_timesheet_is_counted_once(world: Any) -> None:
    sheet = world.sheet(new_id(), ("basic", 600, "15.00"))
    await world.tell(sheet.approved())
    await world.profile(sheet.worker_id)  # works the drafts of the worker again
    await hold_all(world.runtime.worker_database, world.runtime.clock, after_s=0)  # finds it named
    [held] = await world.emitted("paybill.pay.held.v1")
    assert held["held"][0]["reasons"][0]["code"] == "awaiting_clearance"
    preview = await world.get("pay-runs/preview", params={"week_ending": "2026-04-05"})
    assert preview["findings"]["awaiting_clearance"]["count"] == preview["held_timesheets"] == 1
    assert preview["held_minutes"] == 600


async def test_a_long_wait_for_compliance_is_told(world: Any) -> None:
    old, fresh = (world.sheet(new_id(), ("basic", 600, "15.00")) for _ in range(2))
    bill_only = world.sheet(new_id())
    await world.tell(old.approved(), bill_only.approved())
    database, clock = world.runtime.worker_database, world.runtime.clock
    await hold_all(database, clock)
    assert await world.emitted("paybill.pay.held.v1") == [], "not before a minute has gone"
    async with database.transaction(now=clock.now()) as tx:
        await tx.execute("UPDATE timesheet_version SET arrived_at = arrived_at - interval '61 seconds'")
    await world.tell(fresh.approved())
    await hold_all(database, clock)
    await hold_all(database, clock)
    [held] = await world.emitted("paybill.pay.held.v1")
    assert held["worker_id"] == str(old.worker_id)
    assert held["held"][0]["reasons"][0]["code"] == "awaiting_clearance"


async def test_what_compliance_never_answered_is_held_by_the_close_and_paid_after_it(world: Any) -> None:
    paid, waits = (world.sheet(new_id(), ("basic", 600, "15.00")) for _ in range(2))
    await _ready(world, paid)
    await world.profile(waits.worker_id)
    await world.tell(waits.approved(), world.cut_off(paid, waits))
    run = await world.close()
    assert (run["paid_minutes"], run["held_timesheets"], run["held_minutes"]) == (600, 1, 600)
    told = await world.emitted("paybill.pay.held.v1")
    assert [(event["period_to"], len(event["held"])) for event in told] == [
        ("2026-04-06", 1),
        ("2026-04-06", 0),
        ("2026-04-13", 1),
    ]
    for event in told:
        for held in event["held"]:
            assert held["reasons"][0]["code"] == "awaiting_clearance"
    await world.tell(waits.cleared())
    assert (await world.slip(worker_id=waits.worker_id))["period_to"] == "2026-04-13"
    assert len(await world.emitted("paybill.pay.calculated.v1")) == 1


async def test_clearance_may_come_before_the_timesheet(world: Any) -> None:
    sheet = world.sheet(new_id(), ("basic", 600, "15.00"))
    await world.tell(sheet.cleared())
    await world.tell(sheet.approved())
    [held] = await world.emitted("paybill.pay.held.v1")
    assert [reason["code"] for reason in held["held"][0]["reasons"]] == ["missing_pay_profile"]
    await world.profile(sheet.worker_id)
    assert (await world.slip(worker_id=sheet.worker_id))["held"] == []


async def test_two_placements_of_a_week_are_one_payslip_and_lines_round_once(world: Any) -> None:
    worker, placement = new_id(), new_id()
    first = world.sheet(worker, ("basic", 61, "12.71"), placement_id=placement)
    second = world.sheet(worker, ("basic", 61, "12.71"), placement_id=placement)
    third = world.sheet(worker, ("basic", 600, "14.00"))
    await world.profile(worker)
    await world.tell(*(event for sheet in (first, second, third) for event in (sheet.approved(), sheet.cleared())))
    slip = await world.slip(worker_id=worker)
    # 122 minutes at 12.71 are 25.8437, one line of 25.84; each sheet alone had been approved at 12.92.
    assert sorted(line["amount_gbp"] for line in slip["lines"]) == ["140.00", "25.84"]
    shares = {charge["timesheet_id"]: charge for charge in slip["charges"]}
    assert sum(Decimal(charge["pay_gbp"]) for charge in slip["charges"]) == Decimal("165.84")
    assert {shares[str(sheet.timesheet_id)]["rounding_gbp"] for sheet in (first, second)} == {"0.00"}
    assert len(await world.emitted("paybill.pay.calculated.v1")) == 1


async def test_an_amendment_before_the_close_replaces_the_draft(world: Any) -> None:
    sheet = world.sheet(new_id(), ("basic", 600, "15.00"))
    await _ready(world, sheet)
    await world.tell(sheet.amended([("basic", 660, "15.00")]), sheet.cleared())
    assert (await world.slip(worker_id=sheet.worker_id))["minutes"] == 660
    await world.tell(sheet.amended([]), sheet.cleared())
    assert (await world.get("payslips", params={"worker_id": str(sheet.worker_id)}))["items"] == []
    last = (await world.emitted("paybill.pay.calculated.v1"))[-1]
    assert (last["gross_gbp"], last["charges"]) == ("0.00", [])


async def test_a_run_closes_only_on_equal_totals_or_by_name(world: Any) -> None:
    sheet = world.sheet(new_id(), ("basic", 600, "15.00"))
    await _ready(world, sheet)
    assert (await world.close(status=409))["code"] == "week_not_cut_off"
    missing = world.sheet(new_id(), ("basic", 60, "15.00"))
    await world.tell(world.cut_off(sheet, missing))
    refused = await world.close(status=409)
    assert refused["code"] == "totals_differ"
    assert {error["pointer"] for error in refused["errors"]} == {"#/timesheets", "#/payable_minutes", "#/pay_gbp"}
    preview = await world.get("pay-runs/preview", params={"week_ending": "2026-04-05"})
    assert (preview["matches"], preview["difference"]["payable_minutes"]) == (False, "-60")
    run = await world.close(accept_difference={"by": "Pat Testcase", "reason": "the client withdrew that sheet"})
    assert (run["state"], run["difference_accepted"], run["payslips"]) == ("closed", True, 1)
    assert (await world.emitted("paybill.pay_run.closed.v1"))[0]["difference_accepted"] is True


async def test_weeks_close_in_the_order_of_their_paydays(world: Any) -> None:
    """Worked before the first, the second week would get both weeks' free pay, and the first none."""
    worker = new_id()
    await world.profile(worker, tax_code="1257L")
    first = world.sheet(worker, ("basic", 2400, "15.00"))
    second = world.sheet(worker, ("basic", 2400, "15.00"), week_ending=NEXT)
    await world.tell(first.approved(), first.cleared(), second.approved(), second.cleared())
    await world.tell(world.cut_off(first), world.cut_off(second, week=NEXT))
    refused = await world.close(NEXT, status=409)
    assert refused["code"] == "earlier_week_open"
    assert "the week ending 2026-04-05" in refused["detail"]
    await world.close()
    await world.close(NEXT)
    slips = (await world.get("payslips", params={"worker_id": str(worker)}))["items"]
    taxes = [(await world.get(f"payslips/{slip['payslip_id']}"))["figures"]["tax_gbp"] for slip in slips]
    assert taxes == ["86.20", "86.00"]


async def test_no_period_opens_again_behind_a_closed_one(world: Any) -> None:
    """Hours of a week that never had a run, approved after a later one closed, are late pay of the week after it."""
    await world.send("PUT", "pay-calendar", {"payday_days_after": 5, "late_pay": "with_current_pay"})
    worker = new_id()
    await world.profile(worker)
    second = world.sheet(worker, ("basic", 600, "15.00"), week_ending=NEXT)
    await world.tell(second.approved(), second.cleared(), world.cut_off(second, week=NEXT))
    await world.close(NEXT)
    first = world.sheet(worker, ("basic", 600, "15.00"))
    await world.tell(first.approved(), first.cleared())
    [draft] = (await world.get("payslips", params={"worker_id": str(worker), "state": "draft"}))["items"]
    assert (draft["period_to"], draft["payday_on"]) == ("2026-04-20", "2026-04-24")


async def test_closing_twice_gives_the_same_run_and_one_of_each_event(world: Any) -> None:
    sheets = [world.sheet(new_id(), ("basic", 600 + n, "15.00")) for n in range(5)]
    for sheet in sheets:
        await _ready(world, sheet)
    await world.tell(world.cut_off(*sheets))
    path, body = world.path("pay-runs"), {"week_ending": "2026-04-05"}
    keyed = world.headers() | {"Idempotency-Key": str(new_id())}
    first = (await world.client.post(path, json=body, headers=keyed)).json()
    assert (await world.client.post(path, json=body, headers=keyed)).headers["Idempotency-Replayed"] == "true"
    reused = await world.client.post(path, json=body | {"external_id": "other"}, headers=keyed)
    assert reused.json()["code"] == "idempotency_key_reused"
    second = await world.close()
    assert first == second
    assert (first["state"], first["workers_done"], first["payslips"]) == ("closed", 5, 5)
    assert len(await world.emitted("paybill.pay.finalised.v1")) == 5
    [closed] = await world.emitted("paybill.pay_run.closed.v1")
    assert closed["paid_minutes"] == sum(600 + n for n in range(5))
    assert (closed["payday_on"], closed["funds_on"]) == ("2026-04-10", "2026-04-10")
    replayed = await world.send("POST", f"pay-runs/{first['pay_run_id']}/replay")
    assert (replayed["agrees"], replayed["payslips"]) == (True, 5)


async def test_a_close_that_outlasts_its_request_goes_on_under_the_same_key(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is closing is no final answer: it is not kept for the key, and no transaction waits while the run works."""
    sheet = world.sheet(new_id(), ("basic", 600, "15.00"))
    await _ready(world, sheet)
    await world.tell(world.cut_off(sheet))
    monkeypatch.setattr("pay_calc.api.pay_runs.CLOSE_SECONDS_MAX", -1)
    keyed = world.headers() | {"Idempotency-Key": str(new_id())}
    asked = [
        await world.client.post(world.path("pay-runs"), json={"week_ending": "2026-04-05"}, headers=keyed)
        for _ in range(3)
    ]
    assert [(one.status_code, one.json()["state"]) for one in asked] == [
        (202, "closing"),
        (200, "closed"),
        (200, "closed"),
    ]
    assert ["Idempotency-Replayed" in one.headers for one in asked] == [False, False, True]


async def test_what_is_held_at_the_close_is_left_out_and_paid_late_by_the_agencys_rule(world: Any) -> None:
    paid, waits = (world.sheet(new_id(), ("basic", 600, "15.00")) for _ in range(2))
    await _ready(world, paid)
    await world.profile(waits.worker_id)
    await world.tell(waits.approved(), world.cut_off(paid, waits))
    run = await world.close()
    assert (run["payslips"], run["held_timesheets"], run["held_minutes"]) == (1, 1, 600)
    detail = await world.get(f"pay-runs/{run['pay_run_id']}")
    assert [left["worker_id"] for left in detail["left_out"]] == [str(waits.worker_id)]
    await world.tell(waits.cleared())
    late = await world.slip(worker_id=waits.worker_id)
    assert late["week_ending"] == "2026-04-12"
    assert late["held"][0]["reasons"] == [{"code": "late_pay_rule_not_set"}]
    await world.send("PUT", "pay-calendar", {"payday_days_after": 5, "late_pay": "with_current_pay"})
    late = await world.slip(worker_id=waits.worker_id)
    assert (late["held"], late["minutes"], late["payday_on"]) == ([], 600, "2026-04-17")


async def test_an_amendment_after_the_close_is_a_correction_in_the_next_period(world: Any) -> None:
    worker = new_id()
    sheet = world.sheet(worker, ("basic", 600, "15.00"))
    await _ready(world, sheet)
    await world.send("PUT", "pay-calendar", {"payday_days_after": 5, "late_pay": "with_current_pay"})
    await world.tell(world.cut_off(sheet))
    await world.close()
    first = await world.slip(worker_id=worker, state="finalised")
    await world.tell(sheet.amended([("basic", 630, "15.00")]), sheet.cleared())
    assert await world.slip(worker_id=worker, state="finalised") == first
    draft = await world.slip(worker_id=worker, state="draft")
    assert draft["week_ending"] == "2026-04-12"
    assert sorted((charge["minutes"], charge["reverses"], charge["pay_gbp"]) for charge in draft["charges"]) == [
        (-600, True, "-150.00"),
        (630, False, "157.50"),
    ]
    assert (draft["minutes"], draft["figures"]["gross_gbp"]) == (30, "8.41")
    following = world.sheet(worker, ("basic", 600, "15.00"), week_ending=NEXT)
    await world.tell(following.approved(), following.cleared(), world.cut_off(following, week=NEXT))
    await world.close(NEXT)
    final = await world.slip(worker_id=worker, week_ending="2026-04-12")
    assert (final["state"], final["minutes"]) == ("finalised", 630)
    assert final["year_to_date"]["gross_gbp"] == str(Decimal(first["gross_gbp"]) + Decimal(final["gross_gbp"]))
    assert final["tax_period"] == 2
    run = (await world.get("pay-runs"))["items"][0]
    assert (await world.send("POST", f"pay-runs/{run['pay_run_id']}/replay"))["agrees"] is True


async def test_a_correction_that_exceeds_the_pay_waits_and_the_week_is_paid(world: Any) -> None:
    worker = new_id()
    sheet = world.sheet(worker, ("basic", 2400, "15.00"))
    await _ready(world, sheet)
    await world.send("PUT", "pay-calendar", {"payday_days_after": 5, "late_pay": "with_current_pay"})
    await world.tell(world.cut_off(sheet))
    await world.close()
    following = world.sheet(worker, ("basic", 600, "15.00"), week_ending=NEXT)
    await world.tell(sheet.amended([]), sheet.cleared(), following.approved(), following.cleared())
    draft = await world.slip(worker_id=worker, state="draft")
    assert draft["minutes"] == 600
    assert [held["reasons"] for held in draft["held"]] == [[{"code": "negative_pay"}]]


async def test_the_preview_names_who_gets_nothing_and_whose_correction_waits(world: Any) -> None:
    """Corrections of last week take back as much as the new week pays, or more, or all of it, and of one worker with no new week; of
    another the pay goes to an advance."""
    even, more, whole, alone, owes, usual = workers = [new_id() for _ in range(6)]
    sheets = {worker: world.sheet(worker, ("basic", 2400, "15.00")) for worker in workers}
    await world.send("PUT", "pay-calendar", {"payday_days_after": 5, "late_pay": "with_current_pay"})
    for worker, sheet in sheets.items():
        await world.profile(worker, tax_code="NT")  # no tax to give back
        await world.tell(world.worker(worker), sheet.approved(), sheet.cleared())
    await world.tell(world.cut_off(*sheets.values()))
    await world.close()
    for worker, minutes in ((even, 1800), (more, 1740), (whole, 0), (alone, 0)):
        lines = [("basic", minutes, "15.00")] if minutes else []
        await world.tell(sheets[worker].amended(lines), sheets[worker].cleared())
    advance = {"kind": "advance", "reference": "ADV-1", "arose_on": "2026-04-07", "starts_on": "2026-04-07"}
    advance |= {"worker_id": str(owes), "instalment_gbp": "500.00", "total_gbp": "500.00"}
    await world.send("PUT", f"net-deductions/{new_id()}", advance)
    for worker in (even, more, whole, owes, usual):
        following = world.sheet(worker, ("basic", 600, "15.00"), week_ending=NEXT)
        await world.tell(following.approved(), following.cleared())
    preview = await world.get("pay-runs/preview", params={"week_ending": "2026-04-12"})
    found = preview["findings"]["nil_or_negative_pay"]
    waits = ("negative_pay", "corrections exceed the pay of the period")
    assert found["count"] == 5
    assert {
        item["worker_id"]: (item["code"], item["detail"], item["timesheet_id"], item["minutes"], item["pay_gbp"])
        for item in found["items"]
    } == {
        str(even): ("nil_pay", "net pay is 0.00", None, 0, "0.00"),
        str(more): (*waits, str(sheets[more].timesheet_id), 1740, "435.00"),
        str(whole): (*waits, str(sheets[whole].timesheet_id), 0, "0.00"),
        str(alone): (*waits, str(sheets[alone].timesheet_id), 0, "0.00"),
        str(owes): ("nil_pay", "net pay is 0.00", None, 600, "168.11"),
    }
    late = preview["findings"]["late_or_corrected"]["items"]
    assert [(item["worker_id"], item["pay_gbp"]) for item in late] == [(str(even), "0.00")]


async def test_an_umbrella_worker_gets_an_amount_and_its_self_bill_is_paid_at_gross(world: Any) -> None:
    payee = new_id()
    sheet = world.sheet(
        new_id(),
        ("basic", 2400, "22.50"),
        ("expense", 3, "10.00"),
        pay_basis="umbrella",
        payee_id=payee,
        holiday_pay="none",
    )
    await world.tell(sheet.approved(), sheet.cleared())
    held = await world.slip(worker_id=sheet.worker_id)
    assert held["held"][0]["reasons"] == [{"code": "missing_bank_details", "subject_id": str(payee)}]
    await world.send("PUT", f"payees/{payee}", {"sort_code": "000002", "account_number": "12345678"})
    slip = await world.slip(worker_id=sheet.worker_id)
    assert (slip["gross_gbp"], slip["net_gbp"], slip["cost_gbp"]) == ("930.00", "930.00", "930.00")
    await world.tell(world.cut_off(sheet))
    run = await world.close()
    assert (run["payslips"], run["self_bills"]) == (0, 1)
    prepared = await world.send("POST", f"pay-runs/{run['pay_run_id']}/payment-file", {})
    assert (prepared["payment_file_id"], prepared["missing"][0]["code"]) == (None, "awaiting_self_bill")
    await world.tell(_self_bill(world, payee, UUID(run["pay_run_id"])))
    prepared = await world.send("POST", f"pay-runs/{run['pay_run_id']}/payment-file", {})
    assert (prepared["total_gbp"], prepared["payments"], prepared["missing"]) == ("1116.00", 1, [])


def _self_bill(world: Any, payee: UUID, run: UUID) -> SelfBillIssued:
    return SelfBillIssued(
        agency_id=world.agency_id,
        document_id=new_id(),
        number="SB-00001",
        issued_on=date(2026, 4, 7),
        tax_point_on=date(2026, 4, 7),
        net_gbp=Decimal("930.00"),
        vat_gbp=Decimal("186.00"),
        gross_gbp=Decimal("1116.00"),
        charges=(),
        ledger_balanced=True,
        payee_id=payee,
        payee_kind="umbrella",
        pay_run_id=run,
    )


async def test_a_payment_file_needs_two_people(world: Any) -> None:
    sheet = world.sheet(new_id(), ("basic", 2400, "15.00"))
    await _ready(world, sheet)
    await world.tell(world.cut_off(sheet), world.named("worker", sheet.worker_id, "Worker 00017 Testcase"))
    run = await world.close()
    prepared = await world.send("POST", f"pay-runs/{run['pay_run_id']}/payment-file", subject="anna")
    file = f"payment-files/{prepared['payment_file_id']}"
    assert (await world.get(f"{file}/content", status=409))["code"] == "payment_file_not_released"
    assert (await world.send("POST", f"{file}/release", status=403, subject="anna"))["code"] == "same_person"
    released = await world.send("POST", f"{file}/release", subject="bert")
    assert (released["state"], released["payments_list"][0]["account_last_four"]) == ("released", "0017")
    assert await world.send("POST", f"{file}/release", subject="bert") == released
    [instructed] = await world.emitted("paybill.payment.instructed.v1")
    assert instructed["amount_gbp"] == run["net_gbp"]
    assert (await world.get(f"{file}/content", status=409))["code"] == "employer_incomplete"
    await world.send(
        "PUT",
        "employer",
        {
            "legal_name": "Harbour & Vale Testing Ltd",
            "service_user_number": "123456",
            "sort_code": "000009",
            "account_number": "87654321",
            "paye_reference": "000/HV00001",
        },
    )
    lines = (await world.get(f"{file}/content")).text.split("\r\n")
    assert lines[4][:31] == "0000010000001709900000987654321"
    assert int(lines[4][35:46]) == int(Decimal(run["net_gbp"]) * 100)
    assert lines[5][64:70] == "CONTRA"
    assert lines[3][4:10] == " 26099"  # Thursday 9 April: processed the day before the money arrives
    table = list(csv.DictReader(io.StringIO((await world.get(f"{file}/content", params={"format": "csv"})).text)))
    assert [(row["amount"], row["payment_date"]) for row in table] == [(run["net_gbp"], "2026-04-10")]
    again = await world.send("POST", f"pay-runs/{run['pay_run_id']}/payment-file", subject="anna")
    assert again["payment_file_id"] == prepared["payment_file_id"]


async def test_documents_submission_and_explanation(world: Any) -> None:
    sheet = world.sheet(new_id(), ("basic", 2400, "15.00"), ("overtime", 120, "22.50"), ("expense", 2, "5.50"))
    await _ready(world, sheet)
    await world.tell(
        world.named("worker", sheet.worker_id, "Worker 00017 Testcase"),
        world.named("client", sheet.client_id, "Northgate Testing Ltd"),
        world.named("placement", sheet.placement_id, "Forklift driver"),
        world.cut_off(sheet),
    )
    draft = await world.slip(worker_id=sheet.worker_id)
    told = await world.get(f"payslips/{draft['payslip_id']}/explanation")
    assert told["tree"]["result"] == draft["net_gbp"]
    assert "Northgate Testing Ltd · Forklift driver" in told["figures"][1]["label"]
    run = await world.close()
    final = await world.slip(worker_id=sheet.worker_id)
    assert (await world.get(f"payslips/{final['payslip_id']}/explanation"))["tree"] == told["tree"]
    document = await world.get(f"payslips/{final['payslip_id']}/pdf")
    assert document.content.startswith(b"%PDF-")
    archive = await world.get(f"pay-runs/{run['pay_run_id']}/payslips.zip")
    with zipfile.ZipFile(io.BytesIO(archive.content)) as opened:
        assert opened.namelist() == ["payslip-2026-04-10-W00017.pdf"]
    [row] = csv.DictReader(io.StringIO((await world.get(f"pay-runs/{run['pay_run_id']}/fps.csv")).text))
    assert row["ni_number"] == "QQ123456A"
    assert (row["given_name"], row["family_name"]) == ("Worker 00017", "Testcase")
    assert (row["payment_date"], row["week_number"], row["hours_band"]) == ("2026-04-10", "1", "D")
    assert row["taxable_pay"] == final["figures"]["taxable_gbp"]
    assert row["non_tax_or_nic_payment"] == "11.00"
    assert row["tax_to_date"] == final["figures"]["tax_gbp"]
    assert row["employee_nic_to_date"] == final["figures"]["employee_nic_gbp"]


async def test_the_preview_lists_what_to_look_at(world: Any) -> None:
    poor, long, unknown, waits, odd = (new_id() for _ in range(5))
    sheets = {
        poor: world.sheet(poor, ("basic", 600, "12.00")),
        long: world.sheet(long, ("basic", 3660, "15.00")),
        unknown: world.sheet(unknown, ("basic", 600, "15.00")),
        waits: world.sheet(waits, ("basic", 600, "15.00")),
        odd: world.sheet(odd, ("basic", 600, "15.00")),
    }
    for worker in (poor, long, waits):
        await world.profile(worker)
    await world.profile(odd, ni_letter="F", sort_code=None, account_number=None)
    await world.tell(*(sheet.approved() for sheet in sheets.values()))
    await world.tell(*(sheets[worker].cleared() for worker in (poor, long, unknown, odd)))
    await world.tell(world.cut_off(*sheets.values()))
    preview = await world.get("pay-runs/preview", params={"week_ending": "2026-04-05"})
    named = {code: [item["worker_id"] for item in found["items"]] for code, found in preview["findings"].items()}
    assert named["below_minimum_wage"] == [str(poor)]
    assert named["over_60_hours"] == [str(long)]
    assert named["missing_pay_profile"] == [str(unknown)]
    assert named["awaiting_clearance"] == [str(waits)]
    assert named["unsupported"] == named["missing_bank_details"] == [str(odd)]
    assert (preview["matches"], preview["people"], preview["held_timesheets"]) == (True, 2, 3)


async def test_a_tombstone_erases_the_name_and_the_payslip_keeps_the_profiles(world: Any) -> None:
    sheet = world.sheet(new_id(), ("basic", 600, "15.00"))
    await _ready(world, sheet)
    await world.tell(world.named("worker", sheet.worker_id, "Worker 00018 Testcase"))
    assert (await world.slip(worker_id=sheet.worker_id))["worker"] == "Worker 00018 Testcase"
    world.erase("worker", sheet.worker_id)
    await world.consume()
    assert (await world.slip(worker_id=sheet.worker_id))["worker"] is None


async def test_another_agency_sees_nothing(world: Any, keys: Any) -> None:
    sheet = world.sheet(new_id(), ("basic", 600, "15.00"))
    await _ready(world, sheet)
    slip = await world.slip(worker_id=sheet.worker_id)
    stranger = new_id()
    for rest in ("pay-runs/preview?week_ending=2026-04-05", f"payslips/{slip['payslip_id']}/pdf", "pay-profiles"):
        answer = await world.client.get(world.path(rest), headers=keys.headers(stranger))
        assert (answer.status_code, answer.json()["code"]) == (403, "agency_not_yours")
    answer = await world.client.get(
        f"/v1/agencies/{stranger}/payslips/{slip['payslip_id']}", headers=keys.headers(stranger)
    )
    assert answer.status_code == 404


async def test_a_token_of_one_worker_sees_that_workers_payslip_and_no_other(world: Any, keys: Any) -> None:
    sheets = [world.sheet(new_id(), ("basic", 600, "15.00")) for _ in range(2)]
    for sheet in sheets:
        await _ready(world, sheet)
    await world.tell(world.cut_off(*sheets))
    await world.close()
    mine, theirs = [(await world.slip(worker_id=sheet.worker_id))["payslip_id"] for sheet in sheets]
    headers = keys.headers(world.agency_id, scopes={"pay:read"}, worker_id=sheets[0].worker_id)
    for tail in ("explanation", "pdf"):
        assert (await world.client.get(world.path(f"payslips/{mine}/{tail}"), headers=headers)).status_code == 200
        refused = await world.client.get(world.path(f"payslips/{theirs}/{tail}"), headers=headers)
        unknown = await world.client.get(world.path(f"payslips/{new_id()}/{tail}"), headers=headers)
        assert [answer.json()["code"] for answer in (refused, unknown)] == ["payslip_not_found"] * 2
    for rest in (f"payslips/{mine}", "payslips", "pay-profiles", f"pay-profiles/{sheets[0].worker_id}"):
        answer = await world.client.get(world.path(rest), headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "token_of_one_worker")


async def test_bad_profiles_are_refused_and_batches_give_receipts(world: Any) -> None:
    worker = new_id()
    refused = await world.send("PUT", f"pay-profiles/{worker}", {"tax_code": "12X57L", "ni_letter": "A"}, status=422)
    assert refused["errors"][0]["pointer"] == "#/tax_code"
    line = {"worker_id": str(worker), "tax_code": "K475", "ni_letter": "A", "external_id": "E1"}
    receipts = await world.send(
        "POST", "pay-profiles/batch", {"profiles": [line, line, line | {"worker_id": str(new_id())}]}
    )
    assert [receipt["code"] for receipt in receipts["receipts"]] == [None, "named_twice", "external_id_taken"]
    assert (await world.get(f"pay-profiles/{worker}"))["tax_code"] == "K475"


async def test_the_calculator_answers(world: Any) -> None:
    asked = {
        "id": "1",
        "kind": "nic",
        "tax_year": "2026-27",
        "inputs": {"frequency": "weekly", "letter": "A", "niable_pay": "600.00"},
    }
    answer = await world.client.post("/v1/calculations", json=[asked, {"id": "2"}], headers=world.headers())
    assert answer.status_code == 200
    first, second = answer.json()
    assert first["result"]["employee_nic"] == "28.64"
    assert second["error"]["code"]
