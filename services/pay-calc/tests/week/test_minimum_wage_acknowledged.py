"""Pay that is below the minimum wage, or could not be tested, is paid once a named person has looked at it. On a real Postgres."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.exc import ProgrammingError

from pay_calc.usecases.close_run import Acknowledgement, open_run
from paybill_common.ids import new_id

pytestmark = pytest.mark.integration

WEEK, APPROVED_AT = date(2026, 4, 5), datetime(2026, 4, 6, 9, 0, tzinfo=UTC)
WEEK_OF = {"week_ending": "2026-04-05"}
PAT = {"by": "Pat Testcase", "reason": "the client pays the rest with the next week"}


async def _below(world: Any, *, cut_off: bool = True) -> Any:
    """A worker's week at 12.00 an hour, 21 pence below the rate of March 2026."""
    sheet = world.sheet(new_id(), ("basic", 600, "12.00"))
    await world.profile(sheet.worker_id)
    await world.tell(sheet.approved(), sheet.cleared())
    if cut_off:
        await world.tell(world.cut_off(sheet))
    return sheet


async def _untested(world: Any) -> Any:
    """The same pay of somebody whose age nobody recorded."""
    sheet = world.sheet(new_id(), ("basic", 600, "12.00"))
    await world.profile(sheet.worker_id, birth_on=None)
    await world.tell(sheet.approved(), sheet.cleared())
    return sheet


async def _preview(world: Any) -> Any:
    return await world.get("pay-runs/preview", params=WEEK_OF)


async def _seen(world: Any) -> dict[str, str]:
    return PAT | {"seen": (await _preview(world))["minimum_wage"]["seen"]}


async def _rows(world: Any) -> list[Any]:
    async with world.runtime.worker_database.transaction(now=APPROVED_AT) as tx:
        found = await tx.execute(
            "SELECT * FROM minimum_wage_acknowledgement WHERE agency_id = :agency ORDER BY payslip_id, revision",
            agency=world.agency_id,
        )
        return list(found.all())


async def test_a_run_does_not_close_over_pay_that_nobody_looked_at(world: Any) -> None:
    below, untested = await _below(world, cut_off=False), await _untested(world)
    await world.tell(world.named("worker", below.worker_id, "Worker 00017 Testcase"), world.cut_off(below, untested))
    refused = await world.close(status=409)
    assert refused["code"] == "minimum_wage_not_acknowledged"
    assert "1 below the minimum wage, 2.10 pounds short in all; 1 not tested" in refused["detail"]
    assert {(error["pointer"], error["code"], error["detail"]) for error in refused["errors"]} == {
        ("#/acknowledge_minimum_wage", "below_minimum_wage", "Worker 00017 Testcase: 2.10 below the minimum wage"),
        (
            "#/acknowledge_minimum_wage",
            "minimum_wage_not_tested",
            f"worker {untested.worker_id}: no birth date, and the pay is below the adult rate",
        ),
    }
    assert "acknowledge_minimum_wage" in refused["hint"]
    assert (await world.get("pay-runs"))["items"] == []
    assert await _rows(world) == []


async def test_a_named_person_acknowledges_them_all_and_the_run_says_who(world: Any) -> None:
    below, untested = await _below(world, cut_off=False), await _untested(world)
    fine = world.sheet(new_id(), ("basic", 600, "15.00"))
    await world.profile(fine.worker_id)
    await world.tell(fine.approved(), fine.cleared(), world.cut_off(below, untested, fine))
    before = (await _preview(world))["minimum_wage"]
    seen = before.pop("seen")
    assert before == {"below": 1, "not_tested": 1, "shortfall_gbp": "2.10", "unacknowledged": 2}
    drafts = {sheet.worker_id: await world.slip(worker_id=sheet.worker_id) for sheet in (below, untested)}
    run = await world.close(acknowledge_minimum_wage=PAT | {"seen": seen})
    assert (run["state"], run["payslips"]) == ("closed", 3)
    found = (await world.get(f"pay-runs/{run['pay_run_id']}"))["minimum_wage"]
    assert (found["below"], found["not_tested"], found["unacknowledged"], found["seen"]) == (1, 1, 0, None)
    assert {(item["worker_id"], item["code"], item["shortfall_gbp"]) for item in found["items"]} == {
        (str(below.worker_id), "below_minimum_wage", "2.10"),
        (str(untested.worker_id), "minimum_wage_not_tested", "0.00"),
    }
    for item in found["items"]:
        named = item["acknowledged"]
        assert (named["by"], named["reason"]) == (PAT["by"], PAT["reason"])
        assert named["revision"] == drafts[UUID(item["worker_id"])]["revision"]
        assert item["payslip_id"] == drafts[UUID(item["worker_id"])]["payslip_id"]
    [one] = (await _preview(world))["findings"]["below_minimum_wage"]["items"]
    assert one["acknowledged"]["by"] == PAT["by"]
    assert {(row.worker_id, row.shortfall_pence, row.recorded_by) for row in await _rows(world)} == {
        (below.worker_id, 210, "tester"),
        (untested.worker_id, 0, "tester"),
    }


async def test_a_name_once_put_stays_as_it_was(world: Any) -> None:
    await _below(world)
    await world.close(acknowledge_minimum_wage=await _seen(world))
    for statement in (
        "UPDATE minimum_wage_acknowledgement SET reason = 'x'",
        "DELETE FROM minimum_wage_acknowledgement",
    ):
        with pytest.raises(ProgrammingError, match="permission denied"):
            async with world.runtime.worker_database.transaction(now=APPROVED_AT) as tx:
                await tx.execute(statement)
    [row] = await _rows(world)
    assert row.reason == PAT["reason"]


async def test_another_finding_needs_another_look(world: Any) -> None:
    sheet = await _below(world)
    looked_at = await _seen(world)
    await world.tell(sheet.amended([("basic", 660, "12.00")]), sheet.cleared())
    await world.tell(world.cut_off(sheet))
    refused = await world.close(status=409, acknowledge_minimum_wage=looked_at)
    assert refused["code"] == "minimum_wage_findings_changed"
    assert "2.31 pounds short" in refused["detail"]
    assert await _rows(world) == []
    assert (await world.close(acknowledge_minimum_wage=await _seen(world)))["state"] == "closed"
    [row] = await _rows(world)
    assert row.shortfall_pence == 231


async def test_one_more_worker_is_not_accepted_unseen(world: Any) -> None:
    first = await _below(world)
    looked_at = await _seen(world)
    second = await _below(world, cut_off=False)
    await world.tell(world.cut_off(first, second))
    refused = await world.close(status=409, acknowledge_minimum_wage=looked_at)
    assert (refused["code"], len(refused["errors"])) == ("minimum_wage_findings_changed", 2)


async def test_another_revision_with_the_same_finding_needs_no_other_look(world: Any) -> None:
    sheet = await _below(world)
    looked_at, before = await _seen(world), await world.slip(worker_id=sheet.worker_id)
    await world.profile(sheet.worker_id, tax_code="BR")
    after = await world.slip(worker_id=sheet.worker_id)
    assert after["revision"] > before["revision"]
    await world.close(acknowledge_minimum_wage=looked_at)
    [row] = await _rows(world)
    assert (row.revision, row.payslip_id) == (after["revision"], UUID(after["payslip_id"]))


@pytest.mark.parametrize("still_sent", [False, True])
async def test_a_finding_that_is_gone_needs_nobody(world: Any, still_sent: bool) -> None:
    sheet = await _below(world)
    looked_at = {"acknowledge_minimum_wage": await _seen(world)} if still_sent else {}
    await world.tell(sheet.amended([("basic", 600, "12.50")]), sheet.cleared(), world.cut_off(sheet))
    assert (await _preview(world))["minimum_wage"]["seen"] is None
    run = await world.close(**looked_at)
    assert (run["state"], await _rows(world)) == ("closed", [])


async def test_what_comes_up_while_the_run_closes_is_paid_and_named_afterwards(world: Any) -> None:
    """The worker is owed at least this pay: it does not wait for a name that nobody could have put."""
    first = await _below(world)
    second = world.sheet(new_id(), ("basic", 600, "12.30"))
    await world.profile(second.worker_id)
    await world.tell(second.approved(), second.cleared(), world.cut_off(first, second))
    opened_with = await _seen(world)
    async with world.runtime.worker_database.transaction(now=APPROVED_AT) as tx:
        await open_run(
            tx,
            agency_id=world.agency_id,
            week_ending=WEEK,
            accept=None,
            by="tester",
            acknowledge=Acknowledgement(**opened_with),
        )
    pension = {"basis": "salary_sacrifice", "sacrifice_gbp": "20.00", "employee_pct": "0", "employer_pct": "3"}
    await world.profile(second.worker_id, pension=pension)
    run = await world.close(acknowledge_minimum_wage=opened_with)
    assert (run["state"], run["payslips"]) == ("closed", 2)
    found = (await world.get(f"pay-runs/{run['pay_run_id']}"))["minimum_wage"]
    assert {item["worker_id"]: item["acknowledged"] is None for item in found["items"]} == {
        str(first.worker_id): False,
        str(second.worker_id): True,
    }
    assert found["unacknowledged"] == 1
    await world.close(acknowledge_minimum_wage=PAT | {"seen": found["seen"]})
    assert (await _preview(world))["minimum_wage"]["unacknowledged"] == 0
    assert {row.worker_id for row in await _rows(world)} == {first.worker_id, second.worker_id}


async def test_the_same_command_sent_again_is_one_acknowledgement(world: Any) -> None:
    await _below(world)
    body = WEEK_OF | {"acknowledge_minimum_wage": await _seen(world)}
    keyed = world.headers() | {"Idempotency-Key": str(new_id())}
    first, again = [await world.client.post(world.path("pay-runs"), json=body, headers=keyed) for _ in range(2)]
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert first.json() == again.json() == await world.close(acknowledge_minimum_wage=body["acknowledge_minimum_wage"])
    assert len(await _rows(world)) == 1


async def test_nobody_else_puts_a_name_to_it(world: Any, keys: Any) -> None:
    await _below(world)
    body = WEEK_OF | {"acknowledge_minimum_wage": await _seen(world)}
    stranger = await world.client.post(world.path("pay-runs"), json=body, headers=keys.headers(new_id()))
    assert (stranger.status_code, stranger.json()["code"]) == (403, "agency_not_yours")
    reader = world.headers(scopes={"pay:read", "pay:write"})
    unfit = await world.client.post(world.path("pay-runs"), json=body, headers=reader)
    assert (unfit.status_code, unfit.json()["code"]) == (403, "scope_missing")
    assert await _rows(world) == []


@pytest.mark.parametrize("wrong", [{"by": " "}, {"reason": "x"}, {"seen": ""}, {"seen": None}, {"counts": 1}])
async def test_a_name_a_reason_and_what_was_seen_are_asked_for(world: Any, wrong: dict[str, Any]) -> None:
    body = PAT | {"seen": "0123456789abcdef"} | wrong
    refused = await world.close(status=422, acknowledge_minimum_wage=body)
    assert refused["errors"][0]["pointer"].startswith("#/acknowledge_minimum_wage")
