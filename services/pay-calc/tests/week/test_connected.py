"""Connected employers: National Insurance and loans of a person whom two agencies pay in one tax week. On a real Postgres.

Letter A weekly 2026/27: employee 8 % from 242 to 967 and 2 % above, employer 15 % from 96.
"""

from __future__ import annotations

import asyncio
import csv
import io
from datetime import date
from typing import Any
from uuid import UUID

import pytest

from paybill_common.ids import new_id

from .conftest import PROFILE, World

pytestmark = pytest.mark.integration
FIRST = date(2026, 4, 5)
NIC = ("employee_nic_gbp", "employer_nic_gbp")


@pytest.fixture
def other(world: World) -> World:
    """A second agency on the same service."""
    made = World(world.runtime, world.bus, world.client, world._keys)
    made._consumer, made._started = world.consumer(), False
    return made


async def _connect(one: World, two: World) -> None:
    for here, there in ((one, two), (two, one)):
        await here.send("PUT", "employer/connected", {"agencies": [str(there.agency_id)]})


async def _approved(world: World, worker: UUID, rate: str, *, minutes: int = 2400, **profile: Any) -> None:
    await world.send("PUT", f"pay-profiles/{worker}", PROFILE | profile)
    sheet = world.sheet(worker, ("basic", minutes, rate), holiday_pay="none")
    world.publish(world.worker(worker), sheet.approved(), sheet.cleared(), world.cut_off(sheet))


async def _figures(world: World, worker: UUID) -> dict[str, str]:
    figures: dict[str, str] = (await world.slip(worker_id=worker))["figures"]
    return figures


async def test_whoever_pays_last_charges_both_pays_less_what_was_charged(world: World, other: World) -> None:
    here, there = new_id(), new_id()
    await _connect(world, other)
    await _approved(world, here, "12.50", student_loan_plan="2")
    await _approved(other, there, "12.50", student_loan_plan="2")
    await world.consume()
    # 500.00 each: (500 - 242) x 8 % and (500 - 96) x 15 %, no loan; a draft knows of nobody else's draft.
    for one, worker in ((world, here), (other, there)):
        figures = await _figures(one, worker)
        assert [figures[name] for name in (*NIC, "student_loan_gbp")] == ["20.64", "60.60", "0.00"]

    await world.close()
    # The other draft is worked again at once: 1,000.00 together is 725 x 8 % + 33 x 2 % = 58.66, less 20.64; 904 x 15 % = 135.60, less
    # 60.60; plan 2: (1,000.00 - 565.09) x 9 % in whole pounds.
    figures = await _figures(other, there)
    assert [figures[name] for name in (*NIC, "student_loan_gbp")] == ["38.02", "75.00", "39.00"]
    # Tax and qualifying earnings are each employer's own.
    assert figures["taxable_gbp"] == "500.00"

    await other.close()
    slip = await other.slip(worker_id=there)
    assert slip["state"] == "finalised"
    assert [slip["figures"][name] for name in NIC] == ["38.02", "75.00"]
    assert (await other.send("POST", f"pay-runs/{slip['pay_run_id']}/replay"))["agrees"] is True
    assert "Already taken in this period" in str(await other.get(f"payslips/{slip['payslip_id']}/explanation"))
    for one, marked in ((world, ""), (other, "Y")):
        run = (await one.slip(worker_id=here if one is world else there))["pay_run_id"]
        (row,) = csv.DictReader(io.StringIO((await one.get(f"pay-runs/{run}/fps.csv")).text))
        assert row["aggregated_earnings"] == marked


async def test_a_connection_needs_both_and_the_same_person(world: World, other: World) -> None:
    here, there, namesake = new_id(), new_id(), new_id()
    await world.send("PUT", "employer/connected", {"agencies": [str(other.agency_id)]})
    await _approved(world, here, "12.50")
    await _approved(other, there, "12.50")
    await world.consume()
    await world.close()
    assert (await _figures(other, there))["employee_nic_gbp"] == "20.64"  # only one names the other

    await other.send("PUT", "employer/connected", {"agencies": [str(world.agency_id)]})
    await other.send("PUT", f"pay-profiles/{namesake}", PROFILE | {"ni_number": "QQ 65 43 21 B"})
    await _approved(other, namesake, "12.50", ni_number="QQ 65 43 21 B")
    await world.consume()
    assert (await _figures(other, namesake))["employee_nic_gbp"] == "20.64"


async def test_two_runs_at_once_charge_one_another_once(world: World, other: World) -> None:
    here, there = new_id(), new_id()
    await _connect(world, other)
    await _approved(world, here, "12.50")
    await _approved(other, there, "12.50")
    await world.consume()
    await asyncio.gather(world.close(), other.close())
    taken = sorted(
        [(await _figures(world, here))["employee_nic_gbp"], (await _figures(other, there))["employee_nic_gbp"]]
    )
    assert taken == ["20.64", "38.02"]


async def test_late_pay_is_charged_beside_both(world: World, other: World) -> None:
    here, there = new_id(), new_id()
    await _connect(world, other)
    for one, worker in ((world, here), (other, there)):
        await one.send("PUT", "pay-calendar", {"late_pay": "usual_payday"})
        await _approved(one, worker, "15.00", minutes=1600)
    await world.consume()
    await world.close()
    await other.close()
    # 400.00 and 400.00 are charged. 100.00 more of that week: 8 % and 15 % of it, wherever it is paid.
    for one, worker in ((world, here), (other, there)):
        late = one.sheet(worker, ("basic", 400, "15.00"), holiday_pay="none")
        await one.tell(late.approved(), late.cleared())
        slip = await one.slip(worker_id=worker, week_ending="2026-04-12")
        assert [slip["figures"][name] for name in NIC] == ["8.00", "15.00"]


@pytest.mark.parametrize("unlike", [{"ni_letter": "J"}, {"student_loan_plan": "1"}])
async def test_what_is_not_alike_waits(world: World, other: World, unlike: dict[str, str]) -> None:
    here, there = new_id(), new_id()
    await _connect(world, other)
    await _approved(world, here, "12.50", student_loan_plan="4")
    await _approved(other, there, "12.50", **{"student_loan_plan": "4"} | unlike)
    await world.consume()
    await world.close()
    slip = await other.slip(worker_id=there)
    assert [reason["code"] for reason in slip["held"][0]["reasons"]] == ["connected_earnings_not_alike"]


async def test_an_agency_is_not_connected_with_itself(world: World) -> None:
    refused = await world.send("PUT", "employer/connected", {"agencies": [str(world.agency_id)]}, status=422)
    assert refused["code"] == "connected_with_itself"
    other = str(new_id())
    (named,) = (await world.send("PUT", "employer/connected", {"agencies": [other]}, subject="clerk"))["agencies"]
    assert (named["agency_id"], named["recorded_by"]) == (other, "clerk")
    assert await world.send("PUT", "employer/connected", {"agencies": []}) == {"agencies": []}
    assert await world.get("employer/connected") == {"agencies": []}
