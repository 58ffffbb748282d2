"""A pay run end to end on a real Postgres: approved and cleared hours on the bus, drafts, a closed run.

One process, one consumer, the embedded test stack's Postgres and a bus in memory, so that the figure is of pay-calc and its database and
not of Kafka; `make bench` measures the whole pipeline. Workers have the mix of `bench.pay`: loans, pensions, Scottish and K codes.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

from pay_calc import closing
from pay_calc.api.profiles import ProfileIn
from pay_calc.app import SPEC
from pay_calc.usecases.close_run import open_run
from pay_calc.usecases.profiles import store_profiles
from paybill_common import envelope
from paybill_common.bus.memory import MemoryBus
from paybill_common.bus.types import Outgoing
from paybill_common.clock import ManualClock
from paybill_common.config import Settings
from paybill_common.ids import derived_id, new_id
from paybill_common.migrations import upgrade
from paybill_common.money import from_pence, line_pence
from paybill_common.service import Runtime, build_runtime
from paybill_contracts import EventData
from paybill_contracts.compliance import ComplianceCleared
from paybill_contracts.control import WeekCutOff
from paybill_contracts.timesheet import ChargeLine, TimesheetApproved
from paybill_stack.bootstrap import DatabaseUrls
from paybill_stack.testing import fresh_databases, held_stack

WEEK_ENDING = date(2026, 4, 12)
NOW = datetime(2026, 4, 13, 9, 0, tzinfo=UTC)
PROFILES_AT_ONCE = 500
CODES = ["1257L", "S1257L", "C1257L", "1257L W1", "BR", "0T W1", "K475", "1100L"]
CODE_WEIGHTS = [50, 8, 4, 8, 8, 3, 3, 16]


@dataclass(frozen=True)
class PayRunRate:
    """Seconds of the two stages, and what came out of them."""

    payslips: int
    draft_s: float
    close_s: float

    @property
    def draft_per_s(self) -> float:
        return self.payslips / self.draft_s

    @property
    def close_per_s(self) -> float:
        return self.payslips / self.close_s

    @property
    def whole_per_s(self) -> float:
        return self.payslips / (self.draft_s + self.close_s)


def measure(workers: int, *, loans_percent: int, pension_percent: int, seed: int = 3) -> PayRunRate:
    """Make `workers` people with one timesheet each, then time the run. Raises RuntimeError when not everyone got a payslip."""
    with held_stack() as stack, fresh_databases(stack, services=("pay-calc",)) as databases:
        urls = databases["pay-calc"]
        upgrade(SPEC.migrations, urls.owner)
        return asyncio.run(_measure(urls, workers, loans_percent, pension_percent, seed))


async def _measure(urls: DatabaseUrls, workers: int, loans_percent: int, pension_percent: int, seed: int) -> PayRunRate:
    bus, agency_id, rng = MemoryBus(), new_id(), random.Random(seed)
    settings = Settings(
        database_owner_url=urls.owner,
        database_api_url=urls.api,
        database_worker_url=urls.worker,
        kafka_bootstrap="127.0.0.1:1",
        log_level="WARNING",
    )
    runtime = build_runtime(SPEC, settings, clock=ManualClock(NOW), bus=bus)
    try:
        people = [new_id() for _ in range(workers)]
        await _store_profiles(runtime, agency_id, people, loans_percent, pension_percent, rng)
        for data in _week(agency_id, people, rng):
            _publish(bus, data)
        return await _timed(runtime, agency_id, workers)
    finally:
        await runtime.close()


async def _timed(runtime: Runtime, agency_id: UUID, workers: int) -> PayRunRate:
    consumer = runtime.consumer()
    if consumer is None:
        raise RuntimeError("pay-calc consumes nothing")
    await consumer.start()
    try:
        begun = time.perf_counter()
        while (await consumer.step()).polled:
            pass
        drafted = time.perf_counter()
    finally:
        await consumer.stop()
    async with runtime.worker_database.transaction(now=NOW) as tx:
        run = await open_run(tx, agency_id=agency_id, week_ending=WEEK_ENDING, accept=None, by="bench")
    await closing.drive(runtime.worker_database, runtime.clock, agency_id=agency_id, pay_run_id=run)
    closed = time.perf_counter()
    async with runtime.worker_database.transaction(now=NOW, read_only=True) as tx:
        found = await tx.execute("SELECT payslips, state FROM pay_run WHERE pay_run_id = :run", run=run)
        row = found.one()
    if (row.payslips, row.state) != (workers, "closed"):
        raise RuntimeError(f"{row.payslips} payslips for {workers} workers, the run is {row.state}")
    return PayRunRate(workers, drafted - begun, closed - drafted)


async def _store_profiles(
    runtime: Runtime, agency_id: UUID, people: list[UUID], loans_percent: int, pension_percent: int, rng: random.Random
) -> None:
    for start in range(0, len(people), PROFILES_AT_ONCE):
        rows = []
        for worker_id in people[start : start + PROFILES_AT_ONCE]:
            pensioned = rng.randrange(100) < pension_percent
            terms = {"basis": rng.choice(["net_pay", "ras"]), "employee_pct": "5", "employer_pct": "3"}
            rows.append(
                (
                    worker_id,
                    ProfileIn.model_validate(
                        {
                            "tax_code": rng.choices(CODES, CODE_WEIGHTS)[0],
                            "ni_letter": "A",
                            "ni_number": "QQ 12 34 56 A",
                            "birth_on": "1990-01-01",
                            "student_loan_plan": rng.choice("1245") if rng.randrange(100) < loans_percent else None,
                            "pension": terms if pensioned else None,
                            "sort_code": "00-00-01",
                            "account_number": "00000017",
                            "account_name": "Worker Testcase",
                        }
                    ).stored(),
                )
            )
        async with runtime.worker_database.transaction(now=NOW) as tx:
            await store_profiles(tx, agency_id=agency_id, profiles=rows, by="bench")


def _week(agency_id: UUID, people: list[UUID], rng: random.Random) -> Iterator[EventData]:
    """Each worker's approved and cleared timesheet, then the week's control totals."""
    minutes, pay_pence = 0, 0
    for worker_id in people:
        timesheet_id, client_id = new_id(), new_id()
        rate = Decimal(rng.randint(127100, 320000)).scaleb(-4)
        worked = [("basic", rng.randint(480, 2400), rate)]
        if rng.random() < 0.35:
            worked.append(("overtime", rng.randint(30, 600), (rate * 3 / 2).quantize(Decimal("0.0001"))))
        lines = tuple(_line(timesheet_id, client_id, ordinal, *each) for ordinal, each in enumerate(worked))
        total, pay = sum(line.minutes for line in lines), sum((line.pay_gbp for line in lines), Decimal(0))
        minutes, pay_pence = minutes + total, pay_pence + int(pay * 100)
        yield TimesheetApproved(
            agency_id=agency_id, worker_id=worker_id, timesheet_id=timesheet_id, version=1, placement_id=timesheet_id,
            client_id=client_id, week_ending=WEEK_ENDING, pay_basis="paye", payee_id=None, reference="TS-1", approved_at=NOW,
            approved_by="client", evidence_id=timesheet_id, holiday_pay="rolled_up", lines=lines, worked_minutes=total,
            payable_minutes=total, billable_minutes=total, pay_gbp=pay, charge_gbp=sum((line.charge_gbp for line in lines), Decimal(0)),
        )  # fmt: skip
        yield ComplianceCleared(
            agency_id=agency_id, worker_id=worker_id, timesheet_id=timesheet_id, version=1, decided_at=NOW, audit_entry=1
        )  # fmt: skip
    yield WeekCutOff(
        agency_id=agency_id, week_ending=WEEK_ENDING, cut_off_at=NOW, timesheets=len(people), payable_minutes=minutes,
        billable_minutes=minutes, payable_units=Decimal(0), billable_units=Decimal(0), pay_gbp=from_pence(pay_pence),
        charge_gbp=from_pence(pay_pence * 2),
    )  # fmt: skip


def _line(timesheet_id: UUID, client_id: UUID, ordinal: int, element: str, minutes: int, rate: Decimal) -> ChargeLine:
    pence = line_pence(rate, minutes=minutes)
    return ChargeLine(
        charge_line_id=derived_id("line", timesheet_id, ordinal), ordinal=ordinal, kind="time", element=element, rate_code=element,
        rate_unit="hour", minutes=minutes, units=None, pay_rate=rate, basic_pay_rate=min(rate, Decimal("12.71")), charge_rate=rate * 2,
        pay_gbp=from_pence(pence), charge_gbp=from_pence(pence * 2), payable=True, billable=True, rate_card_id=client_id,
        rate_card_version=1, rule_id=element,
    )  # fmt: skip


def _publish(bus: MemoryBus, data: EventData) -> None:
    event_id = new_id()
    payload = envelope.encode(
        data, event_id=event_id, source="bench", sequence=1, time=NOW, traceparent=None, correlation_id=str(event_id)
    )  # fmt: skip
    bus.append(Outgoing(data.TOPIC, data.partition_key(), payload))
