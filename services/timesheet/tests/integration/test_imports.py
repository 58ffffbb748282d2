"""Files: every row has its receipt, a bad row keeps no other back, and the same row twice changes nothing."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from paybill_common.ids import derived_id

pytestmark = pytest.mark.integration
WEEK = "2026-04-05"


def hours(day: str = "30/03/2026", **more: str) -> dict[str, str]:
    return {"Placement Ref": "P-1", "Worked on": day, **more}


async def test_hours_make_the_timesheet_that_they_belong_to(house: Any) -> None:
    rows = [
        hours(start="08:00", finish="16:30", **{"break": "30"}),
        hours("2026-03-31", Start="8am", Finish="4.30pm", Break="0:30"),
        hours("2026-04-01", hours="7:30"),
        hours("2 April 2026", hours="7,5"),
        hours("2026-04-02", units="12", rate_code="MILE"),
        hours("2026-04-02", expense_code="train", expense_pay="£12.40", expense_charge="12.40"),
        hours("2026-04-08", hours="4"),
    ]
    receipts = await house.import_rows("hours", *rows)
    assert [one["status"] for one in receipts] == ["accepted"] * 7, receipts
    assert len({one["record_id"] for one in receipts}) == 2
    story = await house.get(f"/timesheets/{receipts[0]['record_id']}")
    assert (story["week_ending"], story["source"], len(story["entries"]), len(story["expenses"])) == (
        WEEK,
        "file",
        5,
        1,
    )
    assert [line["minutes"] for line in story["lines"] if line["kind"] == "time"] == [2 * 480 + 2 * 450]
    expected = await house.events("timesheet.expected")
    assert {e["data"]["week_ending"] for e in expected} == {WEEK, "2026-04-12"}

    again = await house.import_rows("hours", *rows)
    assert [one["status"] for one in again] == ["duplicate"] * 7
    assert len(await house.events("timesheet.expected")) == 2
    assert len((await house.get(f"/timesheets/{receipts[0]['record_id']}"))["entries"]) == 5


async def test_a_row_twice_in_a_file_and_after_approval(house: Any) -> None:
    row = hours(hours="8")
    receipts = await house.import_rows("hours", row, row, hours(hours="8.0"))
    assert [one["status"] for one in receipts] == ["accepted", "duplicate", "duplicate"]
    timesheet_id = receipts[0]["record_id"]
    await house.post("/timesheets/submit-batch", {"timesheet_ids": [timesheet_id]})
    await house.post("/timesheets/approve-batch", {"timesheet_ids": [timesheet_id]})
    late = await house.import_rows("hours", row, hours("31/03/2026", hours="8"))
    assert [(one["status"], one["code"]) for one in late] == [
        ("duplicate", "row_known"),
        ("refused", "timesheet_already_approved"),
    ]


@pytest.mark.parametrize(
    ("row", "code", "column"),
    [
        ({"placement_ref": "NOPE", "worked_on": "30/03/2026", "hours": "8"}, "placement_unknown", "placement_ref"),
        (hours(hours="25"), "hours_exceed_day", "hours"),
        (hours(start="17:00", finish="08:30"), "finish_before_start", "finish"),
        (hours(units="-1", rate_code="mile"), "cannot_read", "units"),
        (hours(hours="-3"), "cannot_read", "hours"),
        (hours("29/12/2025", hours="8"), "outside_placement", "worked_on"),
        (hours("30/13/2026", hours="8"), "cannot_read", "worked_on"),
        (hours(hours="=1+1"), "cannot_read", "hours"),
        (hours(hours="8", rate_code="gold"), "rate_code_unknown", "rate_code"),
        (hours(), "cell_missing", "start"),
        (hours(start="08:00"), "cell_missing", "finish"),
        (hours(hours="8", start="08:00", finish="10:00"), "two_measures", "hours"),
        (hours(hours="8\x00"), "forbidden_character", "hours"),
        (hours(expense_code="train", expense_pay="12.405"), "fraction_of_a_penny", "expense_pay"),
        (hours(expense_code="train", expense_pay="-5"), "expense_invalid", "expense_pay"),
    ],
)
async def test_a_row_that_cannot_be_right(house: Any, row: dict[str, str], code: str, column: str) -> None:
    good = hours("2026-03-31", hours="8")
    refused, accepted = await house.import_rows("hours", row, good)
    assert (refused["status"], refused["code"], refused["column"]) == ("refused", code, column), refused
    assert refused["reason"]
    assert accepted["status"] == "accepted"


async def test_overlaps_within_the_file_with_stored_hours_and_across_placements(house: Any) -> None:
    first = await house.import_rows("hours", hours(start="08:00", finish="12:00"), hours(start="11:00", finish="13:00"))
    assert [one["code"] for one in first] == [None, "shifts_overlap"]
    other = {"placement_ref": "P-2", "worked_on": "30/03/2026"}
    second = await house.import_rows(
        "hours",
        hours(start="07:00", finish="09:00"),
        other | {"start": "10:00", "finish": "14:00"},
        other | {"start": "13:00", "finish": "17:00"},
        hours(start="16:00", finish="18:00"),
    )
    assert [one["code"] for one in second] == ["shifts_overlap", "shifts_overlap", None, "shifts_overlap"] or [
        one["code"] for one in second
    ] == ["shifts_overlap", "shifts_overlap", "shifts_overlap", None]
    full = await house.import_rows("hours", hours("2026-03-31", hours="20"))
    more = await house.import_rows("hours", hours("2026-03-31", hours="5"))
    assert (full[0]["status"], more[0]["code"]) == ("accepted", "hours_exceed_day")


async def test_records_come_from_files_and_change_only_when_they_differ(house: Any) -> None:
    workers = [
        {"Worker Ref": "W-9", "Name": "Worker 00009 Testcase"},
        {"worker_ref": "W-10", "name": "=cmd|' /C calc'!A0"},
    ]
    assert [one["status"] for one in await house.import_rows("workers", *workers)] == ["accepted", "accepted"]
    assert [one["status"] for one in await house.import_rows("workers", *workers)] == ["duplicate", "duplicate"]
    stored = await house.get("/workers?external_id=W-10")
    assert stored["items"][0]["name"] == "=cmd|' /C calc'!A0"
    assert stored["items"][0]["worker_id"] == str(derived_id("worker", house.agency_id, "W-10"))
    client = {"client_ref": "C-9", "name": "Example Care"}
    clients = [client | {"approver_email": "not an address"}, client]
    assert [one["code"] for one in await house.import_rows("clients", *clients)] == ["not_an_email", None]
    rates = [
        {"rate_card_ref": "R-9", "client_ref": "C-9", "effective_from": "01/01/2026", "rate_code": "standard",
         "pay_rate": "12.71", "markup_pct": "40"},
        {"rate_card_ref": "R-9", "client_ref": "C-9", "effective_from": "01/01/2026", "rule_type": "night",
         "rule_id": "night", "start": "20:00", "end": "06:00", "pay_multiplier": "1.25"},
        {"rate_card_ref": "R-1", "client_ref": "C-9", "effective_from": "01/02/2026", "rate_code": "standard",
         "pay_rate": "1", "charge_rate": "2"},
        {"rate_card_ref": "R-8", "effective_from": "01/02/2026", "rate_code": "gold", "pay_rate": "1", "charge_rate": "2"},
    ]  # fmt: skip
    receipts = await house.import_rows("rate-cards", *rates)
    assert [one["code"] for one in receipts] == [None, None, "another_card_stands", "rate_card_invalid"], receipts
    assert [one["status"] for one in await house.import_rows("rate-cards", *rates[:2])] == ["duplicate", "duplicate"]
    card = await house.get(f"/rate-cards/{receipts[0]['record_id']}/versions")
    assert card["versions"][0]["card"]["rates"][0]["charge_rate"] == "17.7940"
    placements = [
        {"placement_ref": "P-9", "worker_ref": "W-9", "client_ref": "C-9", "job_title": "Carer", "starts_on": "02/03/2026",
         "last_day": "31/05/2026", "pay_basis": "Umbrella", "payee_ref": "U-1", "payee_name": "Example Umbrella Two",
         "consultant_ref": "CON-1", "consultant_name": "Carl Consultant", "booked_hours": "37.5"},
        {"placement_ref": "P-10", "worker_ref": "W-99", "client_ref": "C-9", "job_title": "Carer", "starts_on": "02/03/2026"},
        {"placement_ref": "P-1", "worker_ref": "W-9", "client_ref": "C-1", "job_title": "Picker", "starts_on": "05/01/2026"},
    ]  # fmt: skip
    got = await house.import_rows("placements", *placements)
    assert [one["code"] for one in got] == [None, "worker_unknown", "worker_id_is_fixed"], got
    placement = (await house.get("/placements?external_id=P-9"))["items"][0]
    assert (placement["ends_on"], placement["booked_minutes"]) == ("2026-06-01", 2250)
    payee = await house.get(f"/payees/{placement['payee_id']}")
    assert (payee["name"], payee["kind"]) == ("Example Umbrella Two", "umbrella")
    again = await house.import_rows("placements", placements[0], placements[0], placements[0] | {"branch": "YORK"})
    assert [(one["status"], one["code"]) for one in again] == [
        ("duplicate", None),
        ("duplicate", None),
        ("refused", "stands_twice"),
    ]
    nights = await house.import_rows(
        "hours", {"placement_ref": "P-9", "worked_on": "31/03/2026", "start": "19:00", "finish": "05:00"}
    )
    story = await house.get(f"/timesheets/{nights[0]['record_id']}")
    assert [(line["element"], line["minutes"]) for line in story["lines"]] == [("basic", 60), ("night", 540)]


async def test_a_thousand_rows_go_through_in_one_request(house: Any) -> None:
    workers = [{"worker_ref": f"B-{n}", "name": f"Worker {n:05d} Testcase"} for n in range(200)]
    placements = [
        {"placement_ref": f"BP-{n}", "worker_ref": f"B-{n}", "client_ref": "C-1", "job_title": "Picker",
         "starts_on": "2026-01-05"}
        for n in range(200)
    ]  # fmt: skip
    assert {one["status"] for one in await house.import_rows("workers", *workers)} == {"accepted"}
    assert {one["status"] for one in await house.import_rows("placements", *placements)} == {"accepted"}
    rows = [
        {"placement_ref": f"BP-{n}", "worked_on": f"2026-04-0{day}", "start": "08:00", "finish": "16:30", "break": "30"}
        for n in range(200)
        for day in range(1, 6)
    ]
    import_id = uuid4()
    receipts = await house.import_rows("hours", *rows, import_id=import_id)
    assert {one["status"] for one in receipts} == {"accepted"}
    ids = sorted({one["record_id"] for one in receipts})
    assert len(ids) == 200
    assert (await house.post("/timesheets/submit-batch", {"timesheet_ids": ids}))["accepted"] == 200
    assert (await house.post("/timesheets/approve-batch", {"timesheet_ids": ids}))["accepted"] == 200
    totals = (await house.post(f"/weeks/{WEEK}/cut-off"))["cut_off"]["totals"]
    assert (totals["timesheets"], totals["payable_minutes"]) == (200, 200 * 5 * 480)
