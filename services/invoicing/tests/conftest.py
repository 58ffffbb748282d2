"""Fictional facts and a running invoicing service for its integration tests. Each test has agencies of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID

import httpx
import pytest

from invoicing.app import SPEC
from invoicing.subscriptions import handle
from paybill_common.bus import Record
from paybill_common.db import Tx
from paybill_common.envelope import AnyEvent, Batch, decode, encode
from paybill_common.ids import derived_id, new_id
from paybill_common.service import Runtime
from paybill_contracts import EventData
from paybill_contracts.base import Reason
from paybill_contracts.events import (
    ComplianceCleared,
    ComplianceHeld,
    DirectoryEntry,
    PayFinalised,
    PayRunClosed,
    TimesheetAmended,
    TimesheetApproved,
    WeekCutOff,
)
from paybill_contracts.pay import PayCharge
from paybill_contracts.timesheet import ChargeLine

WEEK = date(2026, 4, 5)
APPROVED_AT = datetime(2026, 4, 6, 9, 0, tzinfo=UTC)
PENNY = Decimal("0.01")


def as_event(data: EventData, *, sequence: int = 1, event_id: UUID | None = None) -> AnyEvent:
    """An event as the consumer would read it."""
    text = encode(
        data,
        event_id=event_id or new_id(),
        source="test",
        sequence=sequence,
        time=APPROVED_AT,
        traceparent=None,
        correlation_id="test",
    )
    return decode(Record(data.TOPIC, 0, 0, data.partition_key(), text))


@dataclass
class World:
    """One agency's facts, by small numbers: worker 1, client 2, timesheet 3."""

    agency: UUID = field(default_factory=new_id)

    def id(self, kind: str, n: object) -> UUID:
        return derived_id(kind, self.agency, n)

    def line(
        self,
        timesheet: int,
        ordinal: int = 1,
        *,
        version: int = 1,
        minutes: int = 2400,
        charge_rate: str = "20.0000",
        pay_rate: str = "12.7100",
        billable: bool = True,
        element: str = "basic",
    ) -> ChargeLine:
        charge = (Decimal(charge_rate) * minutes / 60).quantize(PENNY, rounding=ROUND_HALF_UP)
        pay = (Decimal(pay_rate) * minutes / 60).quantize(PENNY, rounding=ROUND_HALF_UP)
        return ChargeLine.model_validate(
            {
                "charge_line_id": self.id("line", (timesheet, version, ordinal)),
                "ordinal": ordinal,
                "kind": "time",
                "element": element,
                "rate_code": "standard",
                "rate_unit": "hour",
                "minutes": minutes,
                "pay_rate": pay_rate,
                "basic_pay_rate": pay_rate,
                "charge_rate": charge_rate,
                "pay_gbp": pay,
                "charge_gbp": charge,
                "payable": True,
                "billable": billable,
                "rate_card_id": self.id("card", 1),
                "rate_card_version": 1,
                "rule_id": "basic",
                "days": [{"worked_on": WEEK - timedelta(days=6), "minutes": minutes}],
            }
        )

    def approved(
        self,
        timesheet: int,
        *,
        worker: int | None = None,
        client: int = 1,
        site: int | None = None,
        version: int = 1,
        lines: Sequence[ChargeLine] | None = None,
        week: date = WEEK,
        purchase_order: str | None = None,
        payee: int | None = None,
    ) -> AnyEvent:
        lines = tuple(lines if lines is not None else [self.line(timesheet, version=version)])
        billable = [line for line in lines if line.billable]
        facts: dict[str, Any] = {
            "agency_id": self.agency,
            "worker_id": self.id("worker", worker or timesheet),
            "timesheet_id": self.id("timesheet", timesheet),
            "version": version,
            "placement_id": self.id("placement", worker or timesheet),
            "client_id": self.id("client", client),
            "site_id": self.id("site", site) if site else None,
            "week_ending": week,
            "pay_basis": "umbrella" if payee else "paye",
            "payee_id": self.id("payee", payee) if payee else None,
            "purchase_order": purchase_order,
            "reference": f"TS-{timesheet}",
            "approved_at": APPROVED_AT,
            "approved_by": "client",
            "evidence_id": new_id(),
            "holiday_pay": "rolled_up",
            "lines": lines,
            "worked_minutes": sum(line.minutes for line in lines),
            "payable_minutes": sum(line.minutes for line in lines),
            "billable_minutes": sum(line.minutes for line in billable),
            "pay_gbp": sum((line.pay_gbp for line in lines), Decimal(0)),
            "charge_gbp": sum((line.charge_gbp for line in billable), Decimal(0)),
        }
        data: EventData
        if version == 1:
            data = TimesheetApproved(**facts)
        else:
            data = TimesheetAmended(**facts, amends_version=version - 1, reason_code="hours_corrected")
        return as_event(data, sequence=version * 10)

    def cleared(self, timesheet: int, *, worker: int | None = None, version: int = 1, sequence: int = 5) -> AnyEvent:
        return as_event(ComplianceCleared(**self._decision(timesheet, worker, version)), sequence=sequence)

    def held(
        self,
        timesheet: int,
        *,
        worker: int | None = None,
        version: int = 1,
        sequence: int = 1,
        blocks: tuple[str, ...] = ("pay", "bill"),
    ) -> AnyEvent:
        reason = Reason.model_validate({"code": "missing_document", "blocks": blocks, "requirement": "right_to_work"})
        data = ComplianceHeld(**self._decision(timesheet, worker, version), reasons=(reason,), blocks=blocks)  # type: ignore[arg-type]
        return as_event(data, sequence=sequence)

    def _decision(self, timesheet: int, worker: int | None, version: int) -> dict[str, Any]:
        return {
            "agency_id": self.agency,
            "worker_id": self.id("worker", worker or timesheet),
            "timesheet_id": self.id("timesheet", timesheet),
            "version": version,
            "decided_at": APPROVED_AT,
            "audit_entry": 1,
        }

    def cut_off(self, events: Sequence[AnyEvent], *, week: date = WEEK, sequence: int = 1) -> AnyEvent:
        """Control totals over these approved timesheets."""
        facts = [event.data for event in events]
        data = WeekCutOff(
            agency_id=self.agency,
            week_ending=week,
            cut_off_at=APPROVED_AT,
            timesheets=len(facts),
            payable_minutes=sum(fact.payable_minutes for fact in facts),
            billable_minutes=sum(fact.billable_minutes for fact in facts),
            payable_units=Decimal(0),
            billable_units=Decimal(0),
            pay_gbp=sum((fact.pay_gbp for fact in facts), Decimal(0)),
            charge_gbp=sum((fact.charge_gbp for fact in facts), Decimal(0)),
        )
        return as_event(data, sequence=sequence)

    def finalised(
        self, approved: AnyEvent, *, payee: int, run: int = 1, net: Decimal | None = None, **changes: Any
    ) -> AnyEvent:
        """The finalised amount of an umbrella worker with this one timesheet; `changes` for another basis and its deductions."""
        facts = approved.data
        gross = sum((line.pay_gbp for line in facts.lines), Decimal(0)) if net is None else net
        nil = Decimal("0.00")
        data = PayFinalised(
            agency_id=self.agency,
            worker_id=facts.worker_id,
            payslip_id=self.id("payslip", (facts.worker_id, run, payee)),
            revision=1,
            pay_basis="umbrella",
            payee_id=self.id("payee", payee),
            frequency="weekly",
            period_from=WEEK - timedelta(days=6),
            period_to=WEEK + timedelta(days=1),
            payday_on=WEEK + timedelta(days=5),
            gross_gbp=gross,
            holiday_pay_gbp=nil,
            tax_gbp=nil,
            employee_nic_gbp=nil,
            employer_nic_gbp=nil,
            other_deductions_gbp=nil,
            employer_pension_gbp=nil,
            levy_gbp=nil,
            net_gbp=gross,
            cost_gbp=gross,
            engine_version="test",
            parameter_version="test",
            charges=tuple(
                PayCharge(
                    charge_line_id=line.charge_line_id,
                    timesheet_id=facts.timesheet_id,
                    version=facts.version,
                    minutes=line.minutes,
                    pay_gbp=line.pay_gbp,
                    rounding_gbp=nil,
                )
                for line in facts.lines
            ),
            pay_run_id=self.id("pay run", run),
            finalised_at=APPROVED_AT,
        )
        return as_event(data.model_copy(update=changes))

    def pay_run_closed(self, *, self_bills: int, run: int = 1) -> AnyEvent:
        nil = Decimal("0.00")
        data = PayRunClosed(
            agency_id=self.agency,
            pay_run_id=self.id("pay run", run),
            period_to=WEEK + timedelta(days=1),
            payday_on=WEEK + timedelta(days=5),
            funds_on=WEEK + timedelta(days=5),
            closed_at=APPROVED_AT,
            payslips=0,
            self_bills=self_bills,
            held_timesheets=0,
            gross_gbp=nil,
            net_gbp=nil,
            paid_minutes=0,
            held_minutes=0,
            difference_accepted=False,
        )
        return as_event(data)

    def label(self, kind: str, n: int, name: str, reference: str | None = None) -> AnyEvent:
        data = DirectoryEntry.model_validate(
            {
                "agency_id": self.agency,
                "kind": kind,
                "entry_id": self.id(kind, n),
                "display_name": name,
                "reference": reference,
            }
        )
        return as_event(data)


ISSUER: dict[str, Any] = {
    "legal_name": "Harbour Testing Recruitment Ltd",
    "address": ["1 Placeholder Street", "Leeds", "LS99 1AA"],
    "vat_number": "GB 000 0000 00",
    "company_number": "00000001",
    "account_name": "Harbour Testing Recruitment Ltd",
    "sort_code": "00-00-12",
    "account_number": "00012345",
}


def terms(n: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "legal_name": f"Northgate Testing {n} Ltd",
        "address": ["Unit 7, Fictional Park", "Wakefield", "WF99 9ZZ"],
        "vat_number": "GB 000 0000 01",
        **changes,
    }


def supplier(n: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "legal_name": f"Parasol Example {n} Ltd",
        "address": ["1 Sample Way", "Chester", "CH99 9AA"],
        "vat_number": "GB 000 0000 02",
        "agreement_reference": f"SBA-{n}",
        "agreement_from": "2026-01-01",
        "agreement_to": "2027-01-01",
        **changes,
    }


@dataclass
class Service:
    """A running invoicing service, and what it has done."""

    runtime: Runtime
    client: httpx.AsyncClient
    keys: Any

    async def take(self, *events: AnyEvent) -> None:
        """Handle these events as one batch, in one transaction."""
        async with self.runtime.worker_database.transaction(now=self.runtime.clock.now()) as tx:
            await handle(tx, Batch(events))

    async def call(self, method: str, world: World, path: str, *, status: int = 200, **options: Any) -> Any:
        headers = self.keys.headers(world.agency) | options.pop("headers", {})
        response = await self.client.request(method, f"/v1/agencies/{world.agency}/{path}", headers=headers, **options)
        assert response.status_code == status, response.text
        return response.json() if "json" in response.headers["content-type"] else response

    async def set_up(self, world: World, *, clients: int = 1, **changes: Any) -> None:
        """Issuer and client terms."""
        await self.call("PUT", world, "issuer", json=ISSUER)
        for n in range(1, clients + 1):
            await self.call("PUT", world, f"client-terms/{world.id('client', n)}", json=terms(n, **changes))

    async def issue(self, world: World, *, status: int = 200, week: date = WEEK, **body: Any) -> Any:
        return await self.call(
            "POST", world, "invoice-runs", status=status, json={"week_ending": week.isoformat(), **body}
        )

    async def rows(self, sql: str, **params: Any) -> list[Any]:
        async with self.runtime.worker_database.transaction(now=self.runtime.clock.now(), read_only=True) as tx:
            return list(await tx.execute(sql, **params))

    async def emitted(self, world: World, event_class: type[EventData]) -> list[Any]:
        """The data of the events of a class in the outbox, in order."""
        import json

        found = await self.rows(
            "SELECT payload FROM outbox WHERE agency_id = :agency AND topic = :topic ORDER BY id",
            agency=world.agency,
            topic=event_class.TOPIC,
        )
        payloads = [json.loads(row.payload) for row in found]
        return [event_class.model_validate(p["data"]) for p in payloads if p["type"] == event_class.TYPE]

    async def tie_out_is_clean(self, world: World) -> None:
        found = await self.call("GET", world, "ledger/tie-out")
        assert (found["differing"], Decimal(found["ledger_gbp"])) == (0, 0)
        assert Decimal(found["approved_gbp"]) == Decimal(found["invoiced_gbp"])
        assert (await self.call("GET", world, "ledger/trial-balance"))["balanced"]


@pytest.fixture
async def service(runtime_of: Callable[..., Runtime], client_of: Callable[..., Any], keys: Any) -> Service:
    runtime = runtime_of(SPEC)
    return Service(runtime, await client_of(runtime), keys)


@pytest.fixture
def world() -> World:
    return World()


__all__ = ["ISSUER", "WEEK", "Service", "Tx", "World", "as_event", "supplier", "terms"]
