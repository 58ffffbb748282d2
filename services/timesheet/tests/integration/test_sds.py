"""A placement's status determination: recorded at its doors, told on the bus with the placement and each approved week."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.integration
BODY = {"name": "Engineer", "starts_on": "2026-01-05", "external_id": "P-L"}


async def _company(house: Any, **changes: Any) -> dict[str, Any]:
    """The body of a limited company's placement with the house's client and first worker."""
    payee = house.refs["payee"]
    await house.put(f"/payees/{payee}", {"name": "Example Contracting", "kind": "limited"})
    ids = {"worker_id": str(house.refs["worker"]), "client_id": str(house.refs["client"]), "payee_id": str(payee)}
    return BODY | ids | {"pay_basis": "limited", "holiday_pay": "none"} | changes


async def test_the_determination_travels_with_the_placement_and_its_approved_week(house: Any) -> None:
    placement = house.refs["second_job"]
    stored = await house.put(f"/placements/{placement}", await _company(house, sds="inside", external_id="P-2"))
    assert stored["sds"] == "inside"
    timesheet_id = await house.submitted("second_job")
    evidence = {"evidence": {"kind": "agency", "note": "gate log checked"}}
    await house.post(f"/timesheets/{timesheet_id}/approve", evidence)
    told = [event["data"] for event in await house.events("placement.changed") if event["subject"] == str(placement)]
    assert [data["sds"] for data in told] == [None, "inside"]
    [approved] = await house.events("timesheet.approved")
    assert approved["data"]["sds"] == "inside"
    await house.put(f"/placements/{placement}", await _company(house, sds="outside", external_id="P-2"))
    amend = {"entries": house.five_days()[:4], "reason_code": "hours_wrong", "reason": "Friday was off"}
    await house.post(f"/timesheets/{timesheet_id}/amend", amend)
    [amended] = await house.events("timesheet.amended")
    assert amended["data"]["sds"] == "inside"  # the facts as approved; what is decided since is told by the placement
    told = [event["data"] for event in await house.events("placement.changed") if event["subject"] == str(placement)]
    assert told[-1]["sds"] == (await house.get(f"/placements/{placement}"))["sds"] == "outside"


async def test_only_a_limited_companys_placement_has_one(house: Any) -> None:
    body = await _company(house, sds="inside", pay_basis="umbrella", external_id="P-2")
    refused = await house.put(f"/placements/{house.refs['second_job']}", body, expect=422)
    assert "sds" in refused["errors"][0]["detail"]


async def test_a_file_of_placements_carries_it(house: Any) -> None:
    row = {
        "placement_ref": "P-71", "worker_ref": "W-1", "client_ref": "C-1", "job_title": "Engineer", "starts_on": "2026-01-05",
        "pay_basis": "limited", "payee_ref": "L-1", "payee_name": "Contracting Example", "sds": "Inside",
    }  # fmt: skip
    rows = [
        row,
        row | {"placement_ref": "P-72", "sds": "small client"},
        row | {"placement_ref": "P-73", "sds": "perhaps"},
    ]
    rows.append({**row, "placement_ref": "P-74", "pay_basis": "paye", "payee_ref": "", "payee_name": ""})
    receipts = await house.import_rows("placements", *rows)
    assert [(one["status"], one.get("code")) for one in receipts] == [
        ("accepted", None), ("accepted", None), ("refused", "not_a_choice"), ("refused", "sds_of_limited"),
    ]  # fmt: skip
    found = [(await house.get(f"/placements?external_id={ref}"))["items"][0]["sds"] for ref in ("P-71", "P-72")]
    assert found == ["inside", "not_required"]
