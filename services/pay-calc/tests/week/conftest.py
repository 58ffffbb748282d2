"""A small world around pay-calc: the events that other services would send, the consumer that takes them, an HTTP client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import pytest

from pay_calc.app import SPEC
from paybill_common import envelope
from paybill_common.bus.memory import MemoryBus
from paybill_common.bus.types import Outgoing
from paybill_common.consumer import Consumer, StepResult
from paybill_common.ids import derived_id, new_id
from paybill_common.money import from_pence, line_pence
from paybill_common.service import Runtime
from paybill_contracts import EventData
from paybill_contracts.base import Reason
from paybill_contracts.compliance import ComplianceCleared, ComplianceHeld
from paybill_contracts.control import WeekCutOff
from paybill_contracts.directory import DirectoryEntry
from paybill_contracts.placement import PlacementChanged, WorkerChanged
from paybill_contracts.timesheet import ChargeLine, TimesheetAmended, TimesheetApproved

WEEK = date(2026, 4, 5)
APPROVED_AT = datetime(2026, 4, 6, 9, 0, tzinfo=UTC)


@dataclass
class Sheet:
    """A timesheet of the test: hours by (element, minutes, rate), and what it becomes."""

    agency_id: UUID
    worker_id: UUID
    lines: list[tuple[str, int, str]]
    timesheet_id: UUID = field(default_factory=new_id)
    placement_id: UUID = field(default_factory=new_id)
    client_id: UUID = field(default_factory=new_id)
    version: int = 1
    week_ending: date = WEEK
    pay_basis: str = "paye"
    payee_id: UUID | None = None
    holiday_pay: str = "rolled_up"
    sds: str | None = None

    def charge_lines(self) -> tuple[ChargeLine, ...]:
        made = []
        for ordinal, (element, quantity, rate) in enumerate(self.lines):
            code, expense = element, element in ("expense", "materials")
            pay = (
                line_pence(Decimal(rate), units=Decimal(quantity))
                if expense
                else line_pence(Decimal(rate), minutes=quantity)
            )
            made.append(
                ChargeLine(
                    charge_line_id=derived_id("line", self.timesheet_id, self.version, ordinal),
                    ordinal=ordinal,
                    kind="expense" if expense else "time",
                    element="expense" if expense else element,
                    rate_code=code,
                    rate_unit="each" if expense else "hour",
                    minutes=0 if expense else quantity,
                    units=Decimal(quantity) if expense else None,
                    pay_rate=Decimal(rate),
                    basic_pay_rate=Decimal(rate) if element == "basic" else Decimal("13"),
                    charge_rate=Decimal(rate) * 2,
                    pay_gbp=from_pence(pay),
                    charge_gbp=from_pence(pay * 2),
                    payable=True,
                    billable=True,
                    rate_card_id=self.client_id,
                    rate_card_version=1,
                    rule_id=element,
                )
            )
        return tuple(made)

    def facts(self) -> dict[str, Any]:
        lines = self.charge_lines()
        minutes = sum(line.minutes for line in lines)
        return {
            "agency_id": self.agency_id,
            "worker_id": self.worker_id,
            "timesheet_id": self.timesheet_id,
            "version": self.version,
            "placement_id": self.placement_id,
            "client_id": self.client_id,
            "week_ending": self.week_ending,
            "pay_basis": self.pay_basis,
            "payee_id": self.payee_id,
            "reference": "TS-1",
            "approved_at": APPROVED_AT,
            "approved_by": "client",
            "evidence_id": self.timesheet_id,
            "holiday_pay": self.holiday_pay,
            "lines": lines,
            "worked_minutes": minutes,
            "payable_minutes": minutes,
            "billable_minutes": minutes,
            "pay_gbp": sum((line.pay_gbp for line in lines), Decimal(0)),
            "charge_gbp": sum((line.charge_gbp for line in lines), Decimal(0)),
            "sds": self.sds,
        }

    def approved(self) -> TimesheetApproved:
        return TimesheetApproved(**self.facts())

    def amended(self, lines: list[tuple[str, int, str]]) -> TimesheetAmended:
        """The next version, with these lines."""
        self.version += 1
        self.lines = lines
        return TimesheetAmended(**self.facts(), amends_version=self.version - 1, reason_code="hours_wrong")

    def cleared(self) -> ComplianceCleared:
        return ComplianceCleared(
            agency_id=self.agency_id,
            worker_id=self.worker_id,
            timesheet_id=self.timesheet_id,
            version=self.version,
            decided_at=APPROVED_AT,
            audit_entry=1,
        )

    def held(self, code: str = "right_to_work_missing") -> ComplianceHeld:
        return ComplianceHeld(
            agency_id=self.agency_id,
            worker_id=self.worker_id,
            timesheet_id=self.timesheet_id,
            version=self.version,
            decided_at=APPROVED_AT,
            audit_entry=1,
            blocks=("pay", "bill"),
            reasons=(Reason(code=code, blocks=("pay", "bill")),),
        )


PROFILE: dict[str, Any] = {
    "tax_code": "1257L",
    "ni_letter": "A",
    "ni_number": "QQ 12 34 56 A",
    "birth_on": "1990-01-01",
    "sort_code": "00-00-01",
    "account_number": "00000017",
    "account_name": "Worker Testcase",
}


class World:
    """One agency, the bus it lives on, and the ways in."""

    def __init__(self, runtime: Runtime, bus: MemoryBus, client: httpx.AsyncClient, keys: Any) -> None:
        self.runtime, self.bus, self.client, self._keys = runtime, bus, client, keys
        self.agency_id = new_id()
        self._sequences: dict[str, int] = {}
        self._consumer: Consumer | None = None
        self._started = False

    def headers(self, subject: str = "tester", **options: Any) -> dict[str, str]:
        headers: dict[str, str] = self._keys.headers(self.agency_id, subject=subject, **options)
        return headers

    def path(self, rest: str) -> str:
        return f"/v1/agencies/{self.agency_id}/{rest}"

    async def get(self, rest: str, *, status: int = 200, **options: Any) -> Any:
        answer = await self.client.get(self.path(rest), headers=self.headers(), timeout=60, **options)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.headers["content-type"].endswith("json") else answer

    async def send(
        self, method: str, rest: str, body: Any = None, *, status: int = 200, subject: str = "tester"
    ) -> Any:
        answer = await self.client.request(
            method, self.path(rest), json=body, headers=self.headers(subject), timeout=60
        )
        assert answer.status_code == status, answer.text
        return answer.json()

    def sheet(self, worker_id: UUID, *lines: tuple[str, int, str], **options: Any) -> Sheet:
        return Sheet(self.agency_id, worker_id, list(lines), **options)

    def publish(self, *events: EventData) -> None:
        """Put events on the bus as their owners would: a higher sequence each time about the same subject."""
        for data in events:
            subject = f"{data.TOPIC}/{data.subject()}"
            self._sequences[subject] = self._sequences.get(subject, 0) + 1
            event_id = new_id()
            payload = envelope.encode(
                data,
                event_id=event_id,
                source="test",
                sequence=self._sequences[subject],
                time=APPROVED_AT,
                traceparent=None,
                correlation_id=str(event_id),
            )
            self.bus.append(Outgoing(data.TOPIC, data.partition_key(), payload))

    def placement(self, sheet: Sheet, **changes: Any) -> PlacementChanged:
        """The sheet's placement as it stands now."""
        return PlacementChanged(
            **{
                "agency_id": self.agency_id,
                "worker_id": sheet.worker_id,
                "placement_id": sheet.placement_id,
                "reference": "P-1",
                "client_id": sheet.client_id,
                "pay_basis": sheet.pay_basis,
                "payee_id": sheet.payee_id,
                "holiday_pay": sheet.holiday_pay,
                "starts_on": date(2026, 3, 2),
                "status": "active",
            }
            | changes
        )

    def erase(self, kind: str, entry_id: UUID) -> None:
        """Publish the tombstone of a directory entry."""
        headers = (
            ("ce_id", str(new_id())),
            ("ce_agency", str(self.agency_id)),
            ("ce_sequence", "99"),
            ("ce_time", APPROVED_AT.isoformat()),
        )
        self.bus.append(Outgoing(DirectoryEntry.TOPIC, f"{kind}:{entry_id}", None, headers))

    async def consume(self) -> StepResult:
        """Let the consumer read until nothing is left."""
        consumer = self.consumer()
        if not self._started:
            self._started = True
            await consumer.start()
        total = StepResult()
        while (step := await consumer.step()).polled:
            total.handled += step.handled
            total.dead += step.dead
            total.parked += step.parked
        return total

    async def tell(self, *events: EventData) -> None:
        self.publish(*events)
        result = await self.consume()
        assert result.dead == 0

    def consumer(self) -> Consumer:
        """The one member of the consumer group."""
        if self._consumer is None:
            self._consumer = self.runtime.consumer()
            assert self._consumer is not None
        return self._consumer

    async def stop(self) -> None:
        if self._started:
            await self.consumer().stop()

    async def profile(self, worker_id: UUID, **changes: Any) -> Any:
        return await self.send("PUT", f"pay-profiles/{worker_id}", PROFILE | changes)

    def named(self, kind: Any, entry_id: UUID, name: str) -> DirectoryEntry:
        return DirectoryEntry(
            agency_id=self.agency_id, kind=kind, entry_id=entry_id, display_name=name, reference="W00017"
        )

    def worker(self, worker_id: UUID) -> WorkerChanged:
        return WorkerChanged(
            agency_id=self.agency_id,
            worker_id=worker_id,
            reference="W00017",
            status="active",
            started_on=date(2026, 3, 2),
        )

    def cut_off(self, *sheets: Sheet, week: date = WEEK) -> WeekCutOff:
        facts = [sheet.facts() for sheet in sheets]
        units = sum((line.units or Decimal(0) for sheet in sheets for line in sheet.charge_lines()), Decimal(0))
        return WeekCutOff(
            agency_id=self.agency_id,
            week_ending=week,
            cut_off_at=APPROVED_AT,
            timesheets=len(sheets),
            payable_minutes=sum(fact["payable_minutes"] for fact in facts),
            billable_minutes=sum(fact["billable_minutes"] for fact in facts),
            payable_units=units,
            billable_units=units,
            pay_gbp=sum((fact["pay_gbp"] for fact in facts), Decimal(0)),
            charge_gbp=sum((fact["charge_gbp"] for fact in facts), Decimal(0)),
        )

    async def emitted(self, event_type: str) -> list[dict[str, Any]]:
        """The data of events that pay-calc put in its outbox for this agency, in order."""
        import json

        async with self.runtime.worker_database.transaction(now=APPROVED_AT) as tx:
            rows = await tx.execute(
                "SELECT payload FROM outbox WHERE agency_id = :agency ORDER BY id", agency=self.agency_id
            )
            events = [json.loads(row.payload) for row in rows]
        return [event["data"] for event in events if event["type"] == event_type]

    async def slip(self, **filters: Any) -> Any:
        """The one payslip that the filters find, in full."""
        found = await self.get("payslips", params=filters)
        assert len(found["items"]) == 1, found
        return await self.get(f"payslips/{found['items'][0]['payslip_id']}")

    async def close(self, week: date = WEEK, *, status: int = 200, **body: Any) -> Any:
        return await self.send("POST", "pay-runs", {"week_ending": week.isoformat()} | body, status=status)


@pytest.fixture
async def world(
    runtime_of: Callable[..., Runtime],
    client_of: Callable[[Runtime], Awaitable[httpx.AsyncClient]],
    memory_bus: MemoryBus,
    keys: Any,
) -> AsyncIterator[World]:
    runtime = runtime_of(SPEC)
    made = World(runtime, memory_bus, await client_of(runtime), keys)
    yield made
    await made.stop()
