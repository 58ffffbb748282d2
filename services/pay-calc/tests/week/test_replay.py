"""Replay: a closed run again from its stored inputs and versions, on demand and each night."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from pay_calc import replaying
from pay_calc.app import SPEC
from pay_calc.rates import parameters_for_year
from pay_calc.replaying import replay_night
from pay_calc.usecases.nightly_replay import Step, night_of, nightly_step
from paybill_common import telemetry
from paybill_common.clock import ManualClock
from paybill_common.ids import new_id

pytestmark = pytest.mark.integration

HOUR = 3
NIGHTS = datetime(2026, 4, 6, 2, 0, tzinfo=UTC)
"""03:00 in London on 6 April 2026, a day of summer time."""


async def closed_run(world: Any, *, workers: int = 3) -> Any:
    sheets = [world.sheet(new_id(), ("basic", 2400 + n, "15.00")) for n in range(workers)]
    for sheet in sheets:
        await world.profile(sheet.worker_id)
        await world.tell(sheet.approved(), sheet.cleared())
    await world.tell(world.cut_off(*sheets))
    return await world.close()


async def change(world: Any, run: Any, sql: str, **values: Any) -> None:
    """Change what is stored of one payslip of the run, behind everybody's back."""
    async with world.runtime.worker_database.transaction(now=NIGHTS) as tx:
        await tx.execute(
            f"UPDATE payslip SET {sql} WHERE agency_id = :agency AND payslip_id ="
            " (SELECT min(payslip_id::text)::uuid FROM payslip WHERE agency_id = :agency AND pay_run_id = :run)",
            agency=world.agency_id,
            run=UUID(run["pay_run_id"]),
            **values,
        )


async def again(world: Any, run: Any) -> Any:
    return await world.send("POST", f"pay-runs/{run['pay_run_id']}/replay")


def figure(name: str, pence: int) -> str:
    """SQL: the stored result with another figure."""
    return f"result = jsonb_set(result, '{{figures,{name}}}', '{pence}')"


async def test_a_run_agrees_to_the_penny_by_the_versions_that_made_it(world: Any) -> None:
    found = await again(world, await closed_run(world))
    assert (found["state"], found["agrees"], found["payslips"], found["equal"]) == ("agrees", True, 3, 3)
    assert (found["not_available"], found["differences"]) == ([], [])
    assert found["parameter_versions"] == [parameters_for_year("2026-27").version]


@pytest.mark.parametrize(
    ("sql", "figures"),
    [
        (figure("tax_pence", 1), ["tax_pence"]),
        ("result = jsonb_set(result, '{lines,0,minutes}', '1')", ["lines"]),
        ("result = jsonb_set(result, '{shares,0,0}', '1')", ["shares"]),
        ("result = jsonb_set(result, '{worked_minutes}', '1')", ["worked_minutes"]),
        ("net_gbp = net_gbp + 0.01", ["net_gbp"]),
        ("inputs = jsonb_set(inputs, '{employee,tax_code}', '\"??\"')", ["engine"]),
        ("inputs = inputs - 'period_to'", ["inputs"]),
    ],
)
async def test_a_difference_is_named_and_the_rest_still_counts(world: Any, sql: str, figures: list[str]) -> None:
    run = await closed_run(world)
    await change(world, run, sql)
    found = await again(world, run)
    assert (found["state"], found["agrees"], found["equal"], found["differing"]) == ("differs", False, 2, 1)
    assert [one["figure"] for one in found["differences"]] == figures


@pytest.mark.parametrize(
    ("name", "version"), [("engine_version", "0.9.0"), ("parameter_version", "2026-27.0"), ("tax_year", "1999-00")]
)
async def test_a_version_that_this_release_lacks_is_said_and_never_called_equal(
    world: Any, name: str, version: str
) -> None:
    run = await closed_run(world)
    await change(world, run, f"result = jsonb_set(result, '{{{name}}}', CAST(:to AS jsonb))", to=json.dumps(version))
    found = await again(world, run)
    assert (found["state"], found["agrees"], found["equal"], found["differing"]) == ("not_available", False, 2, 0)
    [missing] = found["not_available"]
    assert missing["payslips"] == 1
    if name != "tax_year":
        assert (missing[name], missing["same"]) == (version, 1)
        await change(world, run, figure("tax_pence", 1))
        assert (await again(world, run))["not_available"] == [missing | {"same": 0}]


def test_a_night_begins_at_an_hour_of_the_london_day() -> None:
    def began(text: str, hour: int = HOUR) -> tuple[date, datetime]:
        return night_of(datetime.fromisoformat(text), hour)

    assert began("2026-04-06T02:00:00+00:00") == (date(2026, 4, 6), NIGHTS)
    assert began("2026-04-06T01:59:59+00:00") == (date(2026, 4, 5), NIGHTS - timedelta(days=1))
    assert began("2026-01-06T03:00:00+00:00") == (date(2026, 1, 6), datetime(2026, 1, 6, 3, tzinfo=UTC))
    # 01:00 comes twice on 25 October 2026 and is one night; on 29 March there is no 01:00 and the night begins at 02:00 summer time
    first = began("2026-10-25T00:00:00+00:00", 1)
    assert first == began("2026-10-25T01:30:00+00:00", 1) == (date(2026, 10, 25), datetime(2026, 10, 25, 0, tzinfo=UTC))
    assert began("2026-03-29T01:00:00+00:00", 1) == (date(2026, 3, 29), datetime(2026, 3, 29, 1, tzinfo=UTC))


class Night:
    """Steps of a night over all agencies, of which a test looks at its own."""

    def __init__(self, world: Any, began: datetime) -> None:
        self.world, self.now = world, began + timedelta(minutes=5)

    async def step(self, *, most: int = 200) -> Step | None:
        async with self.world.runtime.worker_database.transaction(now=self.now) as tx:
            return await nightly_step(tx, now=self.now, hour=HOUR, most=most)

    async def all(self, *, most: int = 200) -> AsyncIterator[Step]:
        while (step := await self.step(most=most)) is not None:
            if step.agency_id == self.world.agency_id:
                yield step


@pytest.fixture
async def night(world: Any) -> Any:
    """A night after everything that this test closes; what other tests left is done first."""
    made = Night(world, night_of(world.runtime.clock.now(), HOUR)[1] + timedelta(days=1))
    async for _ in made.all():
        raise AssertionError("this agency has closed nothing yet")
    return made


async def test_the_night_replays_every_closed_run_once_in_steps_and_keeps_what_it_found(world: Any, night: Any) -> None:
    run = await closed_run(world, workers=5)
    assert (await world.get(f"pay-runs/{run['pay_run_id']}/replay", status=404))["code"] == "nightly_replay_not_found"
    steps = [step async for step in night.all(most=2)]
    assert [(step.payslips, step.finished) for step in steps] == [(2, False), (2, False), (1, True)]
    found = await world.get(f"pay-runs/{run['pay_run_id']}/replay")
    assert (found["state"], found["payslips"], found["equal"]) == ("agrees", 5, 5)
    assert found["night"] == night.now.date().isoformat()
    assert [step async for step in night.all()] == []
    night.now += timedelta(days=1)
    assert [step.payslips async for step in night.all()] == [5]


async def test_a_run_closed_after_the_night_began_waits_for_the_next(world: Any) -> None:
    await closed_run(world)
    today = Night(world, night_of(world.runtime.clock.now(), HOUR)[1])
    assert [step async for step in today.all()] == []


async def test_a_step_that_dies_is_done_again_and_counted_once(world: Any, night: Any) -> None:
    run = await closed_run(world, workers=5)
    assert (await night.step(most=2)).payslips == 2
    with pytest.raises(RuntimeError, match="killed"):
        async with world.runtime.worker_database.transaction(now=night.now) as tx:
            assert (await nightly_step(tx, now=night.now, hour=HOUR, most=2)).payslips == 2
            raise RuntimeError("killed")
    assert [step.payslips async for step in night.all(most=2)] == [2, 1]
    assert (await world.get(f"pay-runs/{run['pay_run_id']}/replay"))["payslips"] == 5


async def test_a_night_that_was_not_finished_begins_again_the_next(world: Any, night: Any) -> None:
    await closed_run(world, workers=5)
    assert (await night.step(most=2)).payslips == 2
    night.now += timedelta(days=1)
    [step] = [step async for step in night.all()]
    assert (step.payslips, step.outcome.payslips) == (5, 5)


async def test_only_one_replica_replays(world: Any, night: Any) -> None:
    await closed_run(world)
    async with world.runtime.worker_database.transaction(now=night.now) as first:
        assert await nightly_step(first, now=night.now, hour=HOUR) is not None
        assert await night.step() is None
    assert [step async for step in night.all()] == []


async def test_a_difference_is_an_error_in_the_log_a_gauge_and_a_state_that_can_be_read(world: Any, night: Any) -> None:
    run = await closed_run(world)
    await change(world, run, figure("tax_pence", 1))
    with capture_logs() as logs:
        await replay_night(world.runtime.worker_database, ManualClock(night.now), hour=HOUR)
    [told] = [line for line in logs if line["event"] == "replay.differs"]
    assert (told["log_level"], told["pay_run_id"], told["differing"]) == ("error", run["pay_run_id"], 1)
    assert (told["first_figure"], told["action"]) == ("tax_pence", "docs/runbooks/replay-differs.md")
    assert telemetry.REPLAY_RUNS.labels("differs")._value.get() >= 1
    found = (await world.client.get("/v1/ops/replays", headers=world.headers())).json()
    assert (found["state"], found["runs"], found["differs"], found["waiting"]) == ("differs", 1, 1, 0)
    assert [(item["pay_run_id"], item["differing"]) for item in found["items"]] == [(run["pay_run_id"], 1)]
    listed = (await world.client.get("/v1/ops/replays/runs", headers=world.headers(), params={"limit": 1})).json()
    assert [(one["pay_run_id"], one["state"]) for one in listed["items"]] == [(run["pay_run_id"], "differs")]
    none = {"pay_run_id": str(new_id())}
    assert (await world.client.get("/v1/ops/replays/runs", headers=world.headers(), params=none)).json()["items"] == []
    await change(world, run, "result = jsonb_set(result, '{engine_version}', '\"0.9.0\"')")
    night.now += timedelta(days=1)
    with capture_logs() as logs:
        await replay_night(world.runtime.worker_database, ManualClock(night.now), hour=HOUR)
    assert "replay.version_not_available" in [line["event"] for line in logs]
    found = (await world.client.get("/v1/ops/replays", headers=world.headers())).json()
    assert (found["state"], found["differs"], found["items"][0]["not_available"]) == ("not_available", 0, 1)


async def test_a_worker_process_replays_at_the_hour_of_its_settings(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop, hours = asyncio.Event(), []

    async def night(_database: Any, _clock: Any, *, hour: int, stop: asyncio.Event) -> None:
        hours.append(hour)
        stop.set()

    monkeypatch.setattr(replaying, "replay_night", night)
    monkeypatch.setattr(replaying, "LOOK_EVERY_S", 0)
    assert replaying.keep_replaying in SPEC.background
    await asyncio.wait_for(replaying.keep_replaying(world.runtime, stop), timeout=20)
    assert hours == [world.runtime.settings.replay_hour]
