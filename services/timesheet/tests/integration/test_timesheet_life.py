"""A timesheet from expected to amended, through the public doors, and what it tells the bus."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from paybill_common.clock import ManualClock
from paybill_common.ids import derived_id

pytestmark = pytest.mark.integration
WEEK = "2026-04-05"


async def test_a_week_is_opened_entered_submitted_and_approved(house: Any) -> None:
    opened = await house.post(f"/weeks/{WEEK}/open")
    assert (opened["created"], opened["existing"], opened["remaining"]) == (3, 0, 0)
    assert (await house.post(f"/weeks/{WEEK}/open"))["created"] == 0
    timesheet_id = await house.draft()

    story = await house.put(f"/timesheets/{timesheet_id}/entries", {"entries": house.five_days()})
    assert story["status"] == "draft"
    assert sum(line["minutes"] for line in story["lines"]) == 5 * 450

    submitted = await house.post(f"/timesheets/{timesheet_id}/submit")
    # four days of 7.5 h at 12.71, Good Friday at twice that
    assert (submitted["status"], submitted["minutes"], submitted["pay_gbp"]) == ("submitted", 2250, "571.95")

    approved = await house.post(
        f"/timesheets/{timesheet_id}/approve", {"evidence": {"kind": "agency", "note": "gate log checked"}}
    )
    assert approved["status"] == "approved"
    assert approved["versions"][0]["pay_gbp"] == "571.95"
    assert "Bank holiday" in " ".join(line["explanation"] for line in approved["lines"])
    proof = approved["evidence"][0]
    assert (proof["kind"], proof["by_name"], proof["note"]) == ("agency", "Terry Tester", "gate log checked")
    assert proof["seen"]["entries"][0]["start"] == "08:00"
    assert len(proof["seen_sha256"]) == 64

    told = [e for e in await house.events() if e["subject"] == timesheet_id]
    assert [(e["type"].split(".")[-2], e["sequence"]) for e in told] == [
        ("expected", 1),
        ("submitted", 2),
        ("approved", 3),
    ]
    data = told[-1]["data"]
    assert told[-1]["partitionkey"] == str(house.refs["worker"])
    assert (data["reference"], data["version"], data["purchase_order"]) == ("TS-000001", 1, "PO-4711")
    assert data["branch"] == "LEEDS"
    assert data["worked_minutes"] == data["payable_minutes"] == data["billable_minutes"] == 2250
    assert data["pay_gbp"] == "571.95"
    assert [(line["element"], line["minutes"], line["pay_rate"]) for line in data["lines"]] == [
        ("basic", 1800, "12.7100"),
        ("bank_holiday", 450, "25.4200"),
    ]
    assert data["lines"][0]["charge_line_id"] == str(derived_id("charge_line", UUID(timesheet_id), 1, 1))


async def test_references_count_up_per_agency(house: Any, new_house: Any) -> None:
    other = await new_house()
    for one in (house, other):
        await one.post(f"/weeks/{WEEK}/open")
        found = (await one.get(f"/timesheets?week_ending={WEEK}"))["items"]
        assert [item["reference"] for item in found] == ["TS-000001", "TS-000002", "TS-000003"]


async def test_rejected_reopened_corrected_and_approved(house: Any) -> None:
    timesheet_id = await house.submitted()
    rejected = await house.post(
        f"/timesheets/{timesheet_id}/reject", {"reason_code": "hours_wrong", "reason": "Friday was off"}
    )
    assert (rejected["status"], rejected["reason"]) == ("rejected", "Friday was off")
    refusal = await house.put(f"/timesheets/{timesheet_id}/entries", {"entries": []}, expect=409)
    assert refusal["code"] == "timesheet_not_editable"
    await house.post(f"/timesheets/{timesheet_id}/reopen")
    await house.put(f"/timesheets/{timesheet_id}/entries", {"entries": house.five_days()[:4]})
    await house.post(f"/timesheets/{timesheet_id}/submit")
    done = await house.post(f"/timesheets/{timesheet_id}/approve")
    assert (done["status"], done["minutes"]) == ("approved", 1800)
    assert [one["decision"] for one in done["evidence"]] == ["rejected", "approved"]
    told = [e["type"].split(".")[-2] for e in await house.events() if e["subject"] == timesheet_id]
    assert told == ["expected", "submitted", "rejected", "expected", "submitted", "approved"]
    rejection = (await house.events("timesheet.rejected"))[0]["data"]
    assert rejection["reason_code"] == "hours_wrong"
    assert "Friday was off" not in str(await house.events())


async def test_amended_twice_keeps_every_version_and_the_same_amendment_once(house: Any) -> None:
    timesheet_id = await house.submitted()
    await house.post(f"/timesheets/{timesheet_id}/approve")
    change = {"entries": house.five_days()[:4], "reason_code": "correction", "reason": "Friday was off"}
    amended = await house.post(f"/timesheets/{timesheet_id}/amend", change)
    assert (amended["status"], amended["version"], amended["minutes"]) == ("amended", 2, 1800)
    again = await house.post(f"/timesheets/{timesheet_id}/amend", change, expect=409)
    assert again["code"] == "amendment_changes_nothing"
    void = await house.post(
        f"/timesheets/{timesheet_id}/amend", {"entries": [], "reason_code": "void", "reason": "Did not work"}
    )
    assert (void["version"], void["minutes"], void["pay_gbp"]) == (3, 0, "0.00")
    assert [one["version"] for one in void["versions"]] == [1, 2, 3]
    assert void["versions"][0]["worked_minutes"] == 2250
    told = await house.events("timesheet.amended")
    assert [(e["data"]["version"], e["data"]["amends_version"], len(e["data"]["lines"])) for e in told] == [
        (2, 1, 1),
        (3, 2, 0),
    ]


async def test_an_amendment_keeps_the_placement_as_it_was_approved(house: Any) -> None:
    timesheet_id = await house.submitted()
    await house.post(f"/timesheets/{timesheet_id}/approve")
    placement = await house.get(f"/placements/{house.refs['placement']}")
    changed = {
        name: value for name, value in placement.items() if name not in ("placement_id", "version", "changed_at")
    }
    await house.put(f"/placements/{house.refs['placement']}", changed | {"purchase_order": "PO-NEW"})
    await house.post(
        f"/timesheets/{timesheet_id}/amend", {"entries": house.five_days()[:4], "reason": "Friday was off"}
    )
    assert (await house.events("timesheet.amended"))[0]["data"]["purchase_order"] == "PO-4711"


async def test_batches_answer_each_timesheet(house: Any) -> None:
    first, second = await house.submitted(), await house.draft("second_job")
    unknown = str(uuid4())
    submitted = await house.post("/timesheets/submit-batch", {"timesheet_ids": [first, second, unknown]})
    assert [(one["status"], one["code"]) for one in submitted["receipts"]] == [
        ("duplicate", "timesheet_already_submitted"),
        ("refused", "timesheet_empty"),
        ("refused", "timesheet_not_found"),
    ]
    approved = await house.post(
        "/timesheets/approve-batch", {"timesheet_ids": [first, second, first], "evidence": {"note": "checked"}}
    )
    assert [one["status"] for one in approved["receipts"]] == ["accepted", "refused", "duplicate"]
    again = await house.post("/timesheets/approve-batch", {"timesheet_ids": [first]})
    assert (again["accepted"], again["duplicate"]) == (0, 1)
    assert len(await house.events("timesheet.approved")) == 1


async def test_a_client_that_approved_elsewhere_is_recorded_by_name(house: Any) -> None:
    timesheet_id = await house.submitted()
    nameless = await house.post(f"/timesheets/{timesheet_id}/approve", {"evidence": {"kind": "client"}}, expect=422)
    assert nameless["code"] == "invalid_request"
    done = await house.post(
        f"/timesheets/{timesheet_id}/approve", {"evidence": {"kind": "client", "name": "Pat Approver", "note": "VMS"}}
    )
    proof = done["evidence"][0]
    assert (proof["kind"], proof["by_name"], proof["by_subject"]) == ("client", "Pat Approver", "tester")
    assert (await house.events("timesheet.approved"))[0]["data"]["approved_by"] == "client"


async def test_expenses_are_added_once_and_charged(house: Any) -> None:
    timesheet_id = await house.draft()
    await house.put(f"/timesheets/{timesheet_id}/entries", {"entries": house.five_days()[:1]})
    expense = {"spent_on": "2026-03-30", "code": "train", "pay_gbp": "12.40", "charge_gbp": "12.40"}
    first = await house.post(f"/timesheets/{timesheet_id}/expenses", expense, expect=201)
    again = await house.post(f"/timesheets/{timesheet_id}/expenses", expense, expect=201)
    assert (first["status"], again["status"]) == ("accepted", "duplicate")
    assert first["expense_id"] == again["expense_id"]
    named = {"spent_on": "2026-03-30", "code": "taxi", "pay_gbp": "3.00", "external_id": "E-1"}
    second = await house.post(f"/timesheets/{timesheet_id}/expenses", named, expect=201)
    assert (await house.post(f"/timesheets/{timesheet_id}/expenses", named, expect=201)) == second | {
        "status": "duplicate"
    }
    other = await house.post(f"/timesheets/{timesheet_id}/expenses", named | {"pay_gbp": "4.00"}, expect=409)
    assert other["code"] == "expense_differs"
    story = await house.get(f"/timesheets/{timesheet_id}")
    assert [one["external_id"] for one in story["expenses"]] == [None, "E-1"]
    outside = await house.post(f"/timesheets/{timesheet_id}/expenses", expense | {"spent_on": "2026-04-06"}, expect=422)
    assert outside["code"] == "outside_week"
    await house.post(f"/timesheets/{timesheet_id}/submit")
    done = await house.post(f"/timesheets/{timesheet_id}/approve")
    assert [line["kind"] for line in done["lines"]] == ["time", "expense", "expense"]
    assert done["pay_gbp"] == "110.73"


async def test_cut_off_tells_the_totals_once_until_they_change(house: Any) -> None:
    timesheet_id = await house.submitted()
    empty = await house.post(f"/weeks/{WEEK}/cut-off")
    assert (empty["cut_off"]["sequence"], empty["now"]["timesheets"]) == (1, 0)
    await house.post(f"/timesheets/{timesheet_id}/approve")
    behind = await house.get(f"/weeks/{WEEK}/control-totals")
    assert (behind["agrees"], behind["now"]["pay_gbp"], behind["statuses"]) == (
        False,
        "571.95",
        {"approved": 1, "draft": 2},
    )
    fixed = await house.post(f"/weeks/{WEEK}/cut-off")
    assert await house.post(f"/weeks/{WEEK}/cut-off") == fixed
    assert fixed["agrees"] is True
    told = await house.events("week.cut_off")
    assert [(e["sequence"], e["data"]["timesheets"], e["data"]["payable_minutes"]) for e in told] == [
        (1, 0, 0),
        (2, 1, 2250),
    ]
    not_sunday = await house.call("POST", "/weeks/2026-04-04/cut-off", None, 422)
    assert not_sunday["code"] == "week_ending_not_sunday"


async def test_missing_and_chase(house: Any, clock: ManualClock) -> None:
    await house.submitted()
    missing = await house.get(f"/weeks/{WEEK}/missing?by=consultant")
    assert missing["groups"] == [
        {"id": str(house.refs["consultant"]), "name": "Connie Consultant", "no_hours": 2, "not_approved": 1}
    ]
    assert len(missing["items"]) == 3
    assert (await house.post(f"/weeks/{WEEK}/chase"))["chased"] == 2
    assert (await house.post(f"/weeks/{WEEK}/chase"))["chased_before"] == 2
    clock.advance(timedelta(hours=13))
    assert (await house.post(f"/weeks/{WEEK}/chase", {"client_id": str(house.refs["client"])}))["chased"] == 2


async def test_a_list_is_filtered_searched_and_paged(house: Any) -> None:
    await house.post(f"/weeks/{WEEK}/open")
    first = await house.get(f"/timesheets?week_ending={WEEK}&limit=2")
    rest = await house.get(f"/timesheets?week_ending={WEEK}&limit=2&cursor={first['next_cursor']}")
    assert len(first["items"]) == 2
    assert (len(rest["items"]), rest["next_cursor"]) == (1, None)
    found = await house.get("/timesheets?q=00002 Test")
    assert [item["worker"] for item in found["items"]] == ["Worker 00002 Testcase"]
    assert (await house.get("/timesheets?q=100%25"))["items"] == []
    assert len((await house.get(f"/timesheets?consultant_id={house.refs['consultant']}"))["items"]) == 3
    assert (await house.get("/timesheets?status=approved"))["items"] == []
    one = first["items"][0]["timesheet_id"]
    await house.put(f"/timesheets/{one}/entries", {"entries": [], "external_id": "CRM-7"})
    assert [item["timesheet_id"] for item in (await house.get("/timesheets?external_id=CRM-7"))["items"]] == [one]
    cards = await house.get(f"/rate-cards?client_id={house.refs['client']}")
    assert [card["rate_card_id"] for card in cards["items"]] == [str(house.refs["card"])]


async def test_writes_are_idempotent_by_key(house: Any) -> None:
    timesheet_id = await house.submitted()
    path, key = f"/v1/agencies/{house.agency_id}/timesheets/{timesheet_id}/approve", {"Idempotency-Key": str(uuid4())}
    first = await house.client.post(path, json={}, headers=house.headers | key)
    again = await house.client.post(path, json={}, headers=house.headers | key)
    other = await house.client.post(path, json={"evidence": {"note": "x"}}, headers=house.headers | key)
    assert (first.status_code, again.status_code, other.status_code) == (200, 200, 409)
    assert first.content == again.content


async def test_a_worker_who_did_not_work_is_not_asked_again(house: Any) -> None:
    """By whom and when; out of the missing list and the chase; hours that come after all say so, until it is reopened."""
    timesheet_id = await house.draft()
    before = await house.get(f"/weeks/{WEEK}/missing")
    shown = await house.post(f"/timesheets/{timesheet_id}/not-worked")
    assert (shown["status"], shown["not_worked_by"]) == ("not_worked", "Terry Tester")
    assert shown["not_worked_at"] is not None
    after = await house.get(f"/weeks/{WEEK}/missing")
    assert len(after["items"]) == len(before["items"]) - 1
    assert (await house.post(f"/weeks/{WEEK}/chase", {"timesheet_ids": [timesheet_id]}))["chased"] == 0
    assert (await house.get(f"/weeks/{WEEK}/control-totals"))["statuses"]["not_worked"] == 1
    (last,) = (await house.events("timesheet.expected"))[-1:]
    assert (last["data"]["timesheet_id"], last["data"]["not_worked_at"] is not None) == (timesheet_id, True)

    again = await house.post(f"/timesheets/{timesheet_id}/not-worked", expect=409)
    assert again["code"] == "timesheet_not_worked"
    hours = {"entries": house.five_days()}
    refused = await house.put(f"/timesheets/{timesheet_id}/entries", hours, expect=409)
    assert (refused["code"], "reopen it first" in refused["detail"]) == ("timesheet_not_worked", True)
    (receipt,) = await house.import_rows(
        "hours", {"placement_ref": "P-1", "worked_on": "2026-03-30", "start": "08:00", "finish": "16:00"}
    )
    assert (receipt["status"], "did not work" in receipt["reason"]) == ("refused", True)

    shown = await house.post(f"/timesheets/{timesheet_id}/reopen")
    assert (shown["status"], shown["not_worked_by"], shown["not_worked_at"]) == ("draft", None, None)
    assert (await house.events("timesheet.expected"))[-1]["data"]["not_worked_at"] is None
    await house.put(f"/timesheets/{timesheet_id}/entries", hours)
    full = await house.post(f"/timesheets/{timesheet_id}/not-worked", expect=409)
    assert full["code"] == "timesheet_has_hours"
    await house.post(f"/timesheets/{timesheet_id}/submit")
    assert (await house.post(f"/timesheets/{timesheet_id}/not-worked", expect=409))[
        "code"
    ] == "timesheet_already_submitted"
