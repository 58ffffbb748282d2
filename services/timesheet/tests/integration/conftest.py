"""An agency with a client, workers, placements and a rate card, through the public doors, and the events that came of it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from paybill_common.ids import derived_id
from paybill_common.service import Runtime
from paybill_contracts import event_class
from timesheet.app import SPEC

WEEK = "2026-04-05"
RATES = [
    {"code": "standard", "pay_rate": "12.7100", "charge_rate": "18.5000"},
    {"code": "nights", "pay_rate": "15.0000", "charge_rate": "21.0000"},
    {"code": "mile", "unit": "each", "pay_rate": "0.4500", "charge_rate": "0.5000"},
]
RULES = {
    "rules": [
        {"type": "daily_overtime", "rule_id": "ot-day", "after_minutes": 480, "pay_multiplier": "1.5"},
        {"type": "bank_holiday", "rule_id": "bank-holiday", "pay_multiplier": "2"},
    ]
}


@dataclass
class House:
    """One agency's doors. `refs` gives the id of everything that was set up."""

    client: httpx.AsyncClient
    runtime: Runtime
    headers: dict[str, str]
    agency_id: UUID
    refs: dict[str, UUID] = field(default_factory=dict)

    async def call(self, method: str, path: str, json: Any = None, expect: int | None = None, **options: Any) -> Any:
        response = await self.client.request(
            method, f"/v1/agencies/{self.agency_id}{path}", json=json, headers=self.headers, **options
        )
        if expect is not None:
            assert response.status_code == expect, f"{response.status_code}: {response.text}"
        return response.json() if response.content else None

    async def put(self, path: str, json: Any, expect: int = 200) -> Any:
        return await self.call("PUT", path, json, expect)

    async def post(self, path: str, json: Any = None, expect: int = 200) -> Any:
        return await self.call("POST", path, json, expect)

    async def get(self, path: str, expect: int = 200) -> Any:
        return await self.call("GET", path, None, expect)

    async def import_rows(self, kind: str, *rows: dict[str, str], import_id: UUID | None = None) -> list[Any]:
        body = {
            "import_id": str(import_id or uuid4()),
            "rows": [{"row": number, "values": row} for number, row in enumerate(rows, 2)],
        }
        return list((await self.post(f"/imports/{kind}", body))["receipts"])

    async def events(self, *types: str) -> list[dict[str, Any]]:
        """What this agency told the bus, in order; each is checked against its contract."""
        async with self.runtime.worker_database.transaction(now=self.runtime.clock.now()) as tx:
            rows = await tx.execute(
                "SELECT payload, key, topic FROM outbox WHERE agency_id = :agency ORDER BY id", agency=self.agency_id
            )
            found = [json.loads(row.payload) for row in rows if row.payload is not None]
        for event in found:
            model = event_class(event["type"])
            assert model is not None
            model.model_validate(event["data"])
        return [event for event in found if not types or event["type"].split(".", 1)[1].removesuffix(".v1") in types]

    five_days = staticmethod(lambda *times: _five_days(*times))

    async def draft(self, placement: str = "placement", week: str = WEEK) -> str:
        """The timesheet of a placement's week, opened."""
        await self.post(f"/weeks/{week}/open")
        found = await self.get(f"/timesheets?week_ending={week}&placement_id={self.refs[placement]}")
        return str(found["items"][0]["timesheet_id"])

    async def submitted(self, placement: str = "placement", entries: list[Any] | None = None) -> str:
        timesheet_id = await self.draft(placement)
        await self.put(f"/timesheets/{timesheet_id}/entries", {"entries": entries or _five_days()})
        await self.post(f"/timesheets/{timesheet_id}/submit")
        return timesheet_id


def _five_days(start: str = "08:00", finish: str = "16:00", break_minutes: int = 30) -> list[dict[str, Any]]:
    """Monday to Thursday and Good Friday."""
    days = ("2026-03-30", "2026-03-31", "2026-04-01", "2026-04-02", "2026-04-03")
    return [{"worked_on": day, "start": start, "finish": finish, "break_minutes": break_minutes} for day in days]


NewHouse = Callable[[], Awaitable[House]]


@pytest.fixture
async def new_house(client_of: Any, runtime_of: Any, keys: Any) -> NewHouse:
    """`await new_house()`: another agency, set up."""
    runtime = runtime_of(SPEC, pages_url="https://pages.test/")
    client = await client_of(runtime)

    async def make() -> House:
        agency_id = uuid4()
        house = House(client, runtime, keys.headers(agency_id), agency_id)
        await _furnish(house)
        return house

    return make


@pytest.fixture
async def house(new_house: NewHouse) -> House:
    return await new_house()


async def _furnish(house: House) -> None:
    a = house.agency_id
    refs = house.refs
    for kind in ("client", "site", "consultant", "worker", "second_worker", "payee", "placement", "other_placement"):
        refs[kind] = derived_id("test", kind, a)
    refs["second_job"], refs["card"] = derived_id("test", "second_job", a), derived_id("test", "card", a)
    await house.put("", {"name": "Test Industrial", "reference": "TEST"})
    await house.put(
        f"/clients/{refs['client']}",
        {
            "name": "Example Foods",
            "external_id": "C-1",
            "approver_name": "Pat Approver",
            "approver_email": "pat@example.com",
        },
    )
    await house.put(f"/sites/{refs['site']}", {"name": "Leeds depot", "client_id": str(refs["client"])})
    await house.put(f"/consultants/{refs['consultant']}", {"name": "Connie Consultant", "branch": "LEEDS"})
    await house.put(f"/payees/{refs['payee']}", {"name": "Example Umbrella", "kind": "umbrella"})
    for kind, number in (("worker", "1"), ("second_worker", "2")):
        await house.put(
            f"/workers/{refs[kind]}",
            {
                "name": f"Worker 0000{number} Testcase",
                "external_id": f"W-{number}",
                "email": f"worker{number}@example.com",
            },
        )
    common = {"client_id": str(refs["client"]), "starts_on": "2026-01-05", "consultant_id": str(refs["consultant"])}
    await house.put(
        f"/placements/{refs['placement']}",
        {
            **common,
            "worker_id": str(refs["worker"]),
            "name": "Picker",
            "external_id": "P-1",
            "site_id": str(refs["site"]),
            "branch": "LEEDS",
            "purchase_order": "PO-4711",
            "booked_minutes": 2250,
        },
    )
    await house.put(
        f"/placements/{refs['second_job']}",
        {**common, "worker_id": str(refs["worker"]), "name": "Packer", "external_id": "P-2"},
    )
    await house.put(
        f"/placements/{refs['other_placement']}",
        {
            **common,
            "worker_id": str(refs["second_worker"]),
            "name": "Driver",
            "external_id": "P-3",
            "pay_basis": "umbrella",
            "payee_id": str(refs["payee"]),
            "holiday_pay": "none",
            "ends_on": "2026-04-03",
        },
    )
    await house.put(
        f"/rate-cards/{refs['card']}/versions",
        {
            "name": "Standard rates",
            "external_id": "R-1",
            "client_id": str(refs["client"]),
            "effective_from": "2026-01-01",
            "rates": RATES,
            "rules": RULES,
        },
    )
