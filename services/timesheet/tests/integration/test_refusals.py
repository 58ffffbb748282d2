"""What cannot be right is refused with its field and a way out; agencies never see each other."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from paybill_common.migrations import differences
from timesheet.app import SPEC

pytestmark = pytest.mark.integration
WEEK = "2026-04-05"
MONDAY = "2026-03-30"


def shift(day: str, start: str, finish: str, **more: Any) -> dict[str, Any]:
    return {"worked_on": day, "start": start, "finish": finish, **more}


@pytest.mark.parametrize(
    ("entries", "code", "pointer"),
    [
        ([{"worked_on": MONDAY, "unit": "hour", "units": "25"}], "hours_exceed_day", "#/entries/0/units"),
        (
            [shift(MONDAY, "08:00", "12:00"), shift(MONDAY, "11:00", "15:00")],
            "shifts_overlap",
            "#/entries/1/start",
        ),
        ([shift(MONDAY, "17:00", "08:00")], "finish_before_start", "#/entries/0/finish"),
        ([shift(MONDAY, "17:00", "08:00", finish_on=MONDAY)], "finish_before_start", "#/entries/0/finish"),
        (
            [{"worked_on": MONDAY, "unit": "each", "units": "-1", "rate_code": "mile"}],
            "units_negative",
            "#/entries/0/units",
        ),
        ([shift("2026-04-06", "08:00", "12:00")], "outside_week", "#/entries/0/on"),
        ([shift(MONDAY, "08:00", "12:00", rate_code="gold")], "rate_code_unknown", "#/entries/0/rate_code"),
        ([shift(MONDAY, "08:00", "12:00", break_minutes=-5)], "break_negative", "#/entries/0/break_minutes"),
        ([shift(MONDAY, "08:00", "08:20", break_minutes=30)], "break_longer_than_shift", "#/entries/0/break_minutes"),
    ],
)
async def test_hours_that_cannot_be_right(house: Any, entries: list[Any], code: str, pointer: str) -> None:
    timesheet_id = await house.draft()
    refusal = await house.put(f"/timesheets/{timesheet_id}/entries", {"entries": entries}, expect=422)
    assert refusal["code"] in (code, "week_refused")
    assert (code, pointer) in [(one["code"], one["pointer"]) for one in refusal["errors"]]
    assert (await house.get(f"/timesheets/{timesheet_id}"))["entries"] == []


async def test_every_problem_is_named_at_once(house: Any) -> None:
    timesheet_id = await house.draft()
    entries = [shift("2026-04-06", "08:00", "12:00"), {"worked_on": MONDAY, "unit": "hour", "units": "25"}]
    refusal = await house.put(f"/timesheets/{timesheet_id}/entries", {"entries": entries}, expect=422)
    assert [one["code"] for one in refusal["errors"]] == ["outside_week", "hours_exceed_day"]


async def test_one_worker_is_not_at_two_places_at_once(house: Any) -> None:
    await house.submitted()
    second = await house.draft("second_job")
    refusal = await house.put(
        f"/timesheets/{second}/entries", {"entries": [shift(MONDAY, "15:00", "18:00")]}, expect=422
    )
    assert refusal["errors"][0]["code"] == "shifts_overlap"
    await house.put(f"/timesheets/{second}/entries", {"entries": [shift(MONDAY, "16:00", "18:00")]})


async def test_outside_the_placement_and_in_a_gap_of_the_rate_card(house: Any) -> None:
    ended = await house.draft("other_placement")
    refusal = await house.put(f"/timesheets/{ended}/entries", {"entries": [shift("2026-04-03", "08:00", "12:00")]}, 422)
    assert refusal["errors"][0]["code"] == "outside_placement"
    before = await house.call("POST", "/weeks/2026-01-04/open", None, 200)
    assert before["created"] == 0
    card = house.refs["card"]
    placement_card = {
        "name": "Ends early",
        "placement_id": str(house.refs["placement"]),
        "effective_from": "2026-01-01",
        "effective_to": "2026-04-01",
        "rates": [{"code": "standard", "pay_rate": "13", "charge_rate": "19"}],
    }
    await house.put(f"/rate-cards/{uuid4()}/versions", placement_card)
    timesheet_id = await house.draft()
    gap = await house.put(
        f"/timesheets/{timesheet_id}/entries", {"entries": [shift("2026-04-01", "08:00", "12:00")]}, 422
    )
    assert gap["errors"][0]["code"] == "no_rate_card"
    assert card


async def test_workflow_refusals_name_the_fact(house: Any) -> None:
    timesheet_id = await house.draft()
    assert (await house.post(f"/timesheets/{timesheet_id}/submit", expect=409))["code"] == "timesheet_empty"
    assert (await house.post(f"/timesheets/{timesheet_id}/approve", expect=409))["code"] == "timesheet_not_submitted"
    unknown = await house.post(f"/timesheets/{uuid4()}/approve", expect=404)
    assert unknown["code"] == "timesheet_not_found"
    amend = {"entries": [], "reason": "x"}
    assert (await house.post(f"/timesheets/{timesheet_id}/amend", amend, expect=409))[
        "code"
    ] == "timesheet_not_approved"


async def test_rate_cards_refuse_what_cannot_be_used(house: Any) -> None:
    def body(**changes: Any) -> dict[str, Any]:
        rates = [{"code": "standard", "pay_rate": "13", "charge_rate": "19"}]
        return {"name": "A", "effective_from": "2026-01-01", "rates": rates} | changes

    wrong = await house.put(f"/rate-cards/{uuid4()}/versions", body(standard_code="gold"), expect=422)
    assert wrong["code"] == "rate_card_invalid"
    rule = {"rules": [{"type": "daily_overtime", "rule_id": "x", "after_minutes": -1, "pay_multiplier": "2"}]}
    assert (await house.put(f"/rate-cards/{uuid4()}/versions", body(rules=rule), 422))["code"] == "rule_invalid"
    other = await house.put(f"/rate-cards/{uuid4()}/versions", body(client_id=str(house.refs["client"])), expect=409)
    assert other["code"] == "another_card_stands"
    unknown = await house.put(f"/rate-cards/{uuid4()}/versions", body(client_id=str(uuid4())), expect=422)
    assert unknown["code"] == "client_unknown"


async def test_margin_gives_the_other_side_and_a_mid_week_change_takes_over(house: Any) -> None:
    card = house.refs["card"]
    await house.put(
        f"/rate-cards/{card}/versions",
        {
            "name": "Standard rates",
            "external_id": "R-1",
            "client_id": str(house.refs["client"]),
            "effective_from": "2026-04-01",
            "rates": [{"code": "standard", "pay_rate": "13.0000", "margin_pct": "35"}],
        },
    )
    versions = (await house.get(f"/rate-cards/{card}/versions"))["versions"]
    assert [one["version"] for one in versions] == [1, 2]
    assert versions[1]["card"]["rates"][0]["charge_rate"] == "20.0000"
    timesheet_id = await house.submitted()
    done = await house.post(f"/timesheets/{timesheet_id}/approve")
    rates = [(line["rate_card_version"], line["pay_rate"], line["minutes"]) for line in done["lines"]]
    assert rates == [(1, "12.7100", 900), (2, "13.0000", 1350)]


async def test_a_corrected_version_supersedes_and_what_was_charged_stays(house: Any) -> None:
    timesheet_id = await house.submitted()
    await house.post(f"/timesheets/{timesheet_id}/approve")
    body = {
        "name": "Standard rates",
        "external_id": "R-1",
        "client_id": str(house.refs["client"]),
        "effective_from": "2026-01-01",
        "rates": [{"code": "standard", "pay_rate": "14.0000", "charge_rate": "20.0000"}],
    }
    card = house.refs["card"]
    await house.put(f"/rate-cards/{card}/versions", body)
    again = await house.put(f"/rate-cards/{card}/versions", body)
    assert [(one["version"], one["superseded_at"] is None) for one in again["versions"]] == [(1, False), (2, True)]
    story = await house.get(f"/timesheets/{timesheet_id}")
    assert {line["rate_card_version"] for line in story["lines"]} == {1}
    amended = await house.post(
        f"/timesheets/{timesheet_id}/amend", {"entries": house.five_days()[:4], "reason": "Friday was off"}
    )
    assert {line["rate_card_version"] for line in amended["lines"]} == {2}


async def test_records_point_to_what_exists_and_keep_what_is_fixed(house: Any) -> None:
    placement = await house.get(f"/placements/{house.refs['placement']}")
    same = {name: value for name, value in placement.items() if name not in ("placement_id", "version", "changed_at")}
    assert (await house.put(f"/placements/{house.refs['placement']}", same))["version"] == 1
    moved = same | {"worker_id": str(house.refs["second_worker"])}
    assert (await house.put(f"/placements/{house.refs['placement']}", moved, 409))["code"] == "worker_id_is_fixed"
    nowhere = await house.put(f"/placements/{uuid4()}", same | {"client_id": str(uuid4()), "external_id": None}, 422)
    assert nowhere["code"] == "client_unknown"
    assert (
        len([e for e in await house.events("placement.changed") if e["subject"] == str(house.refs["placement"])]) == 1
    )
    twice = await house.put(f"/workers/{uuid4()}", {"name": "Another Testcase", "external_id": "W-1"}, 409)
    assert twice["code"] == "conflicts_with_stored_data"


async def test_a_name_is_erased_everywhere_here_and_by_a_tombstone(house: Any) -> None:
    worker = house.refs["worker"]
    await house.call("DELETE", f"/directory/worker/{worker}", None, 204)
    record = await house.get(f"/workers/{worker}")
    assert (record["name"], record["email"]) == ("Erased", None)
    async with house.runtime.worker_database.transaction(now=house.runtime.clock.now()) as tx:
        rows = (await tx.execute("SELECT payload, headers FROM outbox WHERE key = :key", key=f"worker:{worker}")).all()
        left = (await tx.execute("SELECT count(*) FROM outbox WHERE payload LIKE '%Worker 00001%' AND agency_id = :a",
                                 a=house.agency_id)).scalar_one()  # fmt: skip
    assert [row.payload for row in rows] == [None]
    assert "ce_sequence" in rows[0].headers
    assert left == 0
    assert (await house.call("DELETE", f"/directory/worker/{uuid4()}", None, 404))["code"] == "worker_not_found"


async def test_another_agency_sees_and_changes_nothing(house: Any, new_house: Any, keys: Any) -> None:
    timesheet_id = await house.submitted()
    other = await new_house()
    assert (await other.call("GET", f"/timesheets/{timesheet_id}", None, 404))["code"] == "timesheet_not_found"
    assert (await other.call("POST", f"/timesheets/{timesheet_id}/approve", None, 404))["code"] == "timesheet_not_found"
    batch = await other.post("/timesheets/approve-batch", {"timesheet_ids": [timesheet_id]})
    assert batch["receipts"][0]["code"] == "timesheet_not_found"
    await other.call("GET", f"/workers/{house.refs['worker']}", None, 404)
    await other.call("DELETE", f"/directory/worker/{house.refs['worker']}", None, 404)
    rows = await other.import_rows("hours", {"placement_ref": "P-1", "worked_on": MONDAY, "hours": "8"})
    assert rows[0]["record_id"] != timesheet_id
    stranger = await other.client.get(f"/v1/agencies/{house.agency_id}/timesheets", headers=other.headers)
    assert stranger.json()["code"] == "agency_not_yours"
    assert (await house.get(f"/timesheets/{timesheet_id}"))["status"] == "submitted"
    reader = await house.client.post(
        f"/v1/agencies/{house.agency_id}/timesheets/{timesheet_id}/approve",
        headers=keys.headers(house.agency_id, scopes={"read", "write"}),
    )
    assert reader.json()["code"] == "scope_missing"


async def test_bad_bytes_are_a_clear_4xx(house: Any) -> None:
    path = f"/v1/agencies/{house.agency_id}/imports/hours"
    head = house.headers | {"content-type": "application/json"}
    invalid = await house.client.post(path, content=b'{"import_id": "\xff"}', headers=head)
    assert invalid.status_code in (400, 422)
    large = await house.client.post(path, content=b'{"x": "' + b"a" * 10_000_000 + b'"}', headers=head)
    assert (large.status_code, large.json()["code"]) == (413, "body_too_large")
    nul = await house.call("PUT", f"/workers/{uuid4()}", {"name": "A\x00B"}, 422)
    assert nul["code"] == "invalid_request"


def test_the_migrations_make_what_the_models_say(migrated: Any) -> None:
    urls = migrated(SPEC)
    assert differences(SPEC.migrations, urls.owner, SPEC.metadata) == []
