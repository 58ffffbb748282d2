"""A requirement that blocks entry keeps hours out until its document comes, or until somebody vouches that they were worked."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from paybill_common.envelope import Batch, Event
from paybill_contracts.base import Reason
from paybill_contracts.compliance import ComplianceCleared, ComplianceHeld
from timesheet.subscriptions import handle

pytestmark = pytest.mark.integration
CODE = "entry_blocked_by_compliance"
WHY = "the client's gate log shows that the shift was worked"
NEXT_WEEK = "2026-04-12"
SHIFT = {"worked_on": "2026-04-07", "start": "08:00", "finish": "12:00"}
ROW = {"placement_ref": "P-2", "worked_on": "2026-04-08", "start": "08:00", "finish": "12:00"}
MISSING = Reason(code="missing_document", blocks=("entry", "pay", "bill"), requirement="right_to_work")


async def decided(house: Any, timesheet_id: str, sequence: int, *reasons: Reason) -> None:
    """Compliance's decision about a timesheet: held when a reason blocks pay or bill."""
    blocks = tuple(sorted({block for one in reasons for block in one.blocks} - {"entry"}))
    kind = {"blocks": blocks} if blocks else {}
    model = ComplianceHeld if blocks else ComplianceCleared
    data = model.model_validate(
        {
            "agency_id": house.agency_id,
            "worker_id": house.refs["worker"],
            "timesheet_id": UUID(timesheet_id),
            "version": 1,
            "decided_at": house.runtime.clock.now(),
            "audit_entry": sequence,
            "reasons": reasons,
            **kind,
        }
    )
    event = Event(
        id=uuid4(),
        type=data.TYPE,
        agency_id=data.agency_id,
        key=data.partition_key(),
        subject=data.subject(),
        sequence=sequence,
        time=house.runtime.clock.now(),
        data=data,
        traceparent=None,
        correlation_id="",
        record=None,  # type: ignore[arg-type]
    )
    async with house.runtime.worker_database.transaction(now=house.runtime.clock.now()) as tx:
        await handle(tx, Batch([event]))


@pytest.fixture
async def blocked(house: Any) -> str:
    """A worker with an approved week that compliance holds, and what blocks new hours; the next week's draft."""
    held = await house.submitted()
    await house.post(f"/timesheets/{held}/approve")
    await decided(house, held, 2, MISSING)
    house.refs["held"] = UUID(held)
    return str(await house.draft("second_job", NEXT_WEEK))


@pytest.fixture
def clerk(house: Any, keys: Any) -> dict[str, str]:
    """Somebody who may write and not approve for the agency."""
    headers: dict[str, str] = keys.headers(house.agency_id, scopes=frozenset({"read", "write"}))
    return headers


async def test_hours_are_refused_with_the_requirement_and_the_way_out(house: Any, blocked: str) -> None:
    refusal = await house.put(f"/timesheets/{blocked}/entries", {"entries": [SHIFT]}, expect=409)
    assert refusal["code"] == CODE
    assert "right_to_work" in refusal["detail"]
    assert (await house.get(f"/timesheets/{house.refs['held']}"))["reference"] in refusal["detail"]
    assert "worked_despite_hold" in refusal["hint"]
    assert "Lift the hold" in refusal["hint"]
    assert [(one["pointer"], one["code"]) for one in refusal["errors"]] == [("#/entries", "missing_document")]
    story = await house.get(f"/timesheets/{blocked}")
    assert (story["entries"], story["evidence"]) == ([], [])
    assert story["entry_blocks"][0]["requirement"] == "right_to_work"


async def test_another_worker_is_not_blocked(house: Any, blocked: str) -> None:
    await house.submitted("other_placement", [{"worked_on": "2026-03-30", "start": "08:00", "finish": "12:00"}])


async def test_a_week_is_cleared_and_expenses_are_claimed_while_hours_are_blocked(house: Any, blocked: str) -> None:
    await house.put(f"/timesheets/{blocked}/entries", {"entries": []})
    expense = {"spent_on": "2026-04-07", "code": "mileage", "pay_gbp": "4.50", "charge_gbp": "4.50"}
    await house.post(f"/timesheets/{blocked}/expenses", expense, expect=201)
    assert (await house.post(f"/timesheets/{blocked}/submit"))["status"] == "submitted"


async def test_the_document_lifts_it(house: Any, blocked: str) -> None:
    await decided(house, str(house.refs["held"]), 3)
    await house.put(f"/timesheets/{blocked}/entries", {"entries": [SHIFT]})
    assert (await house.post(f"/timesheets/{blocked}/submit"))["status"] == "submitted"


async def test_a_requirement_that_blocks_entry_alone_holds_no_pay_and_blocks(house: Any, blocked: str) -> None:
    only_entry = Reason(code="missing_document", blocks=("entry",), requirement="induction")
    await decided(house, str(house.refs["held"]), 3, only_entry)
    assert (await house.get(f"/timesheets/{house.refs['held']}"))["held"] is False
    refusal = await house.put(f"/timesheets/{blocked}/entries", {"entries": [SHIFT]}, expect=409)
    assert "induction" in refusal["detail"]


async def test_a_document_that_lapsed_after_the_shift_blocks_nothing(house: Any, blocked: str) -> None:
    lapsed = Reason(code="document_lapsed_since", requirement="right_to_work")
    await decided(house, str(house.refs["held"]), 3, lapsed)
    await house.put(f"/timesheets/{blocked}/entries", {"entries": [SHIFT]})


async def test_who_approves_for_the_agency_records_worked_hours_with_a_reason(house: Any, blocked: str) -> None:
    body = {"entries": [SHIFT], "worked_despite_hold": WHY}
    story = await house.put(f"/timesheets/{blocked}/entries", body)
    (proof,) = story["evidence"]
    assert (proof["decision"], proof["kind"], proof["note"]) == ("recorded", "agency", WHY)
    assert proof["seen"]["entries"] == [{**SHIFT, "break_minutes": 0}]
    assert proof["seen"]["holds"][0]["requirement"] == "right_to_work"
    assert (await house.post(f"/timesheets/{blocked}/submit"))["status"] == "submitted"
    assert len((await house.get(f"/timesheets/{blocked}"))["evidence"]) == 1
    await house.post(f"/timesheets/{blocked}/approve")
    assert (await house.get(f"/timesheets/{house.refs['held']}"))["held"] is True


async def test_other_hours_than_those_vouched_for_need_a_reason_of_their_own(house: Any, blocked: str) -> None:
    await house.put(f"/timesheets/{blocked}/entries", {"entries": [SHIFT], "worked_despite_hold": WHY})
    longer = {**SHIFT, "finish": "13:00"}
    assert (await house.put(f"/timesheets/{blocked}/entries", {"entries": [longer]}, expect=409))["code"] == CODE


async def test_submitting_is_refused_and_vouched_for_alike(house: Any) -> None:
    held = await house.submitted()
    later = await house.draft("second_job", NEXT_WEEK)
    await house.put(f"/timesheets/{later}/entries", {"entries": [SHIFT]})
    await house.post(f"/timesheets/{held}/approve")
    await decided(house, held, 2, MISSING)
    assert (await house.post(f"/timesheets/{later}/submit", expect=409))["code"] == CODE
    batch = await house.post("/timesheets/submit-batch", {"timesheet_ids": [later]})
    assert (batch["refused"], batch["receipts"][0]["code"]) == (1, CODE)
    assert "worked_despite_hold" in batch["receipts"][0]["hint"]
    story = await house.post(f"/timesheets/{later}/submit", {"worked_despite_hold": WHY})
    assert story["status"] == "submitted"
    assert [(one["decision"], one["note"]) for one in story["evidence"]] == [("recorded", WHY)]


async def test_a_reason_needs_the_right_to_approve(house: Any, blocked: str, clerk: dict[str, str]) -> None:
    house.headers = clerk
    body = {"entries": [SHIFT], "worked_despite_hold": WHY}
    assert (await house.put(f"/timesheets/{blocked}/entries", body, expect=403))["code"] == "scope_missing"
    again = await house.post(f"/timesheets/{blocked}/submit", {"worked_despite_hold": WHY}, expect=403)
    assert again["code"] == "scope_missing"
    (receipt,) = await house.import_rows("hours", ROW | {"worked_despite_hold": WHY})
    assert (receipt["status"], receipt["code"]) == ("refused", "scope_missing")
    assert (receipt["column"], receipt["value"]) == ("worked_despite_hold", WHY)


async def test_without_a_hold_a_reason_leaves_no_trace(house: Any) -> None:
    timesheet_id = await house.draft("second_job", NEXT_WEEK)
    story = await house.put(f"/timesheets/{timesheet_id}/entries", {"entries": [SHIFT], "worked_despite_hold": WHY})
    assert story["evidence"] == []


async def test_a_files_line_is_refused_with_reason_and_hint_and_taken_with_one(house: Any, blocked: str) -> None:
    expense = {"placement_ref": "P-2", "worked_on": "2026-04-08", "expense_code": "mileage", "expense_pay": "4.50"}
    refused, taken = await house.import_rows("hours", ROW, expense)
    assert (refused["status"], refused["code"]) == ("refused", CODE)
    assert (refused["column"], refused["value"]) == ("placement_ref", "P-2")
    assert "right_to_work" in refused["reason"]
    assert "worked_despite_hold" in refused["hint"]
    assert taken["status"] == "accepted"
    (receipt,) = await house.import_rows("hours", ROW | {"Worked despite hold": WHY})
    assert receipt["status"] == "accepted"
    (proof,) = (await house.get(f"/timesheets/{blocked}"))["evidence"]
    assert (proof["decision"], proof["note"]) == ("recorded", WHY)
    assert proof["seen"]["entries"][0]["worked_on"] == "2026-04-08"
    assert (await house.post(f"/timesheets/{blocked}/submit"))["status"] == "submitted"
