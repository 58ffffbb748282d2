"""A small real week through the five services in one process: public doors, memory bus, real Postgres, no faults."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx

from paybill_common.ids import new_id
from paybill_common.service import Runtime, ServiceSpec
from tests.doors.doors import SERVICES, spec_of
from tests.kit import Keys

ENDING = "2026-04-05"
NAMES = ("Worker 00017 Testcase", "Testcase Kitchens 017", "Brolly 017 Testing")
PRIVATE = ("QQ170017A", "00170017", "17 Hidden Lane", "1987-06-17")
"""An NI number, an account number, an address and a birth date that belong in no log, span or topic."""
ROUNDS_MAX = 50


@dataclass(frozen=True)
class Request:
    """One good request of the week."""

    service: str
    method: str
    path: str
    body: Any = None


@dataclass
class Week:
    """One agency with one worker, on PAYE, at one client."""

    runtimes: dict[str, Runtime]
    clients: dict[str, httpx.AsyncClient]
    keys: Keys
    agency: UUID = field(default_factory=new_id)
    worker: UUID = field(default_factory=new_id)
    client: UUID = field(default_factory=new_id)
    payee: UUID = field(default_factory=new_id)
    card: UUID = field(default_factory=new_id)
    placement: UUID = field(default_factory=new_id)
    timesheet: UUID | None = None
    run: str = ""

    @classmethod
    async def start(
        cls,
        runtime_of: Callable[[ServiceSpec], Runtime],
        client_of: Callable[[Runtime], Awaitable[httpx.AsyncClient]],
        keys: Keys,
    ) -> Week:
        runtimes = {service: runtime_of(spec_of(service)) for service in SERVICES}
        week = cls(runtimes, {name: await client_of(runtime) for name, runtime in runtimes.items()}, keys)
        week.consumers = {name: runtime.consumer() for name, runtime in runtimes.items()}
        week.relays = {name: runtime.relay() for name, runtime in runtimes.items()}
        for consumer in week.consumers.values():
            assert consumer is not None
            await consumer.start()
        return week

    consumers: dict[str, Any] = field(default_factory=dict)
    relays: dict[str, Any] = field(default_factory=dict)

    async def send(self, request: Request, *, subject: str = "week", **headers: str) -> httpx.Response:
        return await self.clients[request.service].request(
            request.method,
            f"/v1/agencies/{self.agency}{request.path}",
            json=request.body,
            headers=self.keys.headers(self.agency, subject=subject) | headers,
        )

    async def call(self, request: Request, **headers: str) -> Any:
        response = await self.send(request, **headers)
        assert response.is_success, f"{request}: {response.status_code} {response.text[:500]}"
        return response.json() if response.headers.get("content-type", "").startswith("application/json") else None

    async def settle(self) -> None:
        """Publish and consume until nothing moves."""
        for _ in range(ROUNDS_MAX):
            moved = 0
            for name in self.runtimes:
                moved += await self.relays[name].step()
                moved += (await self.consumers[name].step()).polled
            if not moved:
                return
        raise AssertionError(f"still moving after {ROUNDS_MAX} rounds")

    async def outbox(self, service: str) -> list[str]:
        """The payloads of the agency's events that a service has written, in order."""
        runtime = self.runtimes[service]
        async with runtime.worker_database.transaction(now=runtime.clock.now()) as tx:
            rows = await tx.execute(
                "SELECT payload FROM outbox WHERE agency_id = :a AND payload IS NOT NULL ORDER BY id", a=self.agency
            )
            return [row.payload for row in rows]

    def records(self) -> Iterator[Request]:
        """What an agency sets up before its first week."""
        terms = {"legal_name": "Testcase Kitchens 017 Ltd", "address": ["17 Hidden Lane", "Testtown"]}
        rates = [{"code": "standard", "pay_rate": "13.0000", "charge_rate": "19.5000"}]
        rule = {"type": "daily_overtime", "rule_id": "ot-8h", "after_minutes": 480, "pay_multiplier": "1.5"}
        yield Request("timesheet", "PUT", "", {"name": "Door Testing Agency", "reference": "DOOR"})
        yield Request("invoicing", "PUT", "/issuer", issuer())
        yield Request("pay_calc", "PUT", "/pay-calendar", {"payday_days_after": 5, "late_pay": "with_current_pay"})
        yield Request("compliance", "PUT", "/requirements/right_to_work", {"title": "Right to work", "blocks": ["pay"]})
        yield Request(
            "timesheet",
            "PUT",
            f"/rate-cards/{self.card}/versions",
            {"name": "Standard", "effective_from": "2026-01-01", "rates": rates, "rules": {"rules": [rule]}},
        )
        yield Request("timesheet", "PUT", f"/clients/{self.client}", {"name": NAMES[1], "approver_name": "A. Testcase"})
        yield Request("invoicing", "PUT", f"/client-terms/{self.client}", terms)
        yield Request("timesheet", "PUT", f"/payees/{self.payee}", {"name": NAMES[2], "kind": "umbrella"})
        yield Request("compliance", "PUT", f"/umbrellas/{self.payee}", {"status": "approved", "external_id": "U-1"})
        supplier = {
            "legal_name": "Brolly 017 Testing Ltd",
            "agreement_reference": "S-1",
            "agreement_from": "2026-01-01",
        }
        yield Request("invoicing", "PUT", f"/suppliers/{self.payee}", supplier | {"address": ["17 Hidden Lane"]})
        bank = {"sort_code": "000002", "account_number": PRIVATE[1]}
        yield Request("pay_calc", "PUT", f"/payees/{self.payee}", bank | {"account_name": "BROLLY TESTING"})
        yield Request("timesheet", "PUT", f"/workers/{self.worker}", {"name": NAMES[0], "reference": "W-17"})
        profile = {"tax_code": "1257L", "ni_letter": "A", "ni_number": PRIVATE[0], "birth_on": PRIVATE[3]}
        yield Request("pay_calc", "PUT", f"/pay-profiles/{self.worker}", profile | bank)
        yield Request(
            "timesheet",
            "PUT",
            f"/placements/{self.placement}",
            {
                "worker_id": str(self.worker),
                "client_id": str(self.client),
                "name": "Picker",
                "starts_on": "2026-01-05",
                "rate_card_id": str(self.card),
                "pay_basis": "paye",
            },
        )

    async def open(self) -> UUID:
        """Open the week; the timesheet's id."""
        await self.call(Request("timesheet", "POST", f"/weeks/{ENDING}/open"))
        page = await self.call(Request("timesheet", "GET", f"/timesheets?week_ending={ENDING}"))
        self.timesheet = UUID(page["items"][0]["timesheet_id"])
        return self.timesheet

    def hours(self) -> Iterator[Request]:
        """A week of hours on its way to approval, rejected once, then amended."""
        at = f"/timesheets/{self.timesheet}"
        entries = [{"worked_on": "2026-03-30", "start": "06:00", "finish": "16:30", "break_minutes": 30}]
        yield Request("timesheet", "PUT", f"{at}/entries", {"entries": entries})
        yield Request("timesheet", "POST", f"{at}/submit")
        yield Request("timesheet", "POST", f"{at}/reject", {"reason": "the break is missing"})
        yield Request("timesheet", "POST", f"{at}/reopen")
        yield Request("timesheet", "PUT", f"{at}/entries", {"entries": entries})
        yield Request("timesheet", "POST", f"{at}/submit")
        yield Request(
            "timesheet", "POST", f"{at}/approve", {"evidence": {"kind": "agency", "note": "gate log checked"}}
        )

    def document(self) -> Request:
        body = {"worker_id": str(self.worker), "requirement": "right_to_work", "valid_from": "2025-01-01"}
        return Request("compliance", "POST", "/documents", body | {"external_id": f"D-{self.worker}"})

    def closing(self) -> Iterator[Request]:
        """Cut-off, pay run, invoice run; settle between them."""
        yield Request("timesheet", "POST", f"/weeks/{ENDING}/cut-off")
        yield Request("pay_calc", "POST", "/pay-runs", {"week_ending": ENDING})
        yield Request("invoicing", "POST", "/invoice-runs", {"week_ending": ENDING})


def issuer() -> dict[str, Any]:
    return {
        "legal_name": "Door Testing Agency Ltd",
        "address": ["3 Test Street", "Testtown"],
        "vat_number": "GB999999973",
        "account_name": "Door Testing",
        "sort_code": "00-00-00",
        "account_number": "00000000",
    }
