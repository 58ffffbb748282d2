"""One agency's week, told through the public doors: what people do, in an order and of a size that the seed decides."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from tests.simulation.world import World

WEEK = "2026-04-05"
DAYS = ("2026-03-30", "2026-03-31", "2026-04-01", "2026-04-02", "2026-04-03", "2026-04-04")
PERSONAL = {
    "ni_number": "QQ123456C",
    "given_name": "Zebedee",
    "family_name": "Recognisable",
    "address": ["77 Recognisable Road", "ZZ99 9ZZ"],
    "birth_on": "1987-06-05",
    "sort_code": "089999",
}
"""What must never be seen on the bus: obviously fictional, and easy to find."""
VOUCHED = {"worked_despite_hold": "the gate log shows that it was worked"}
RULES = {
    "rules": [
        {"type": "daily_overtime", "rule_id": "ot-8h", "after_minutes": 480, "pay_multiplier": "1.5"},
        {"type": "bank_holiday", "rule_id": "bank-holiday", "pay_multiplier": "2", "division": "england-and-wales"},
        {"type": "day_of_week", "rule_id": "saturday", "day": "saturday", "pay_multiplier": "1.25"},
    ]
}
Step = Callable[[], Awaitable[Any]]


class Story:
    """The agency's people and hours. Every step is a request that a person or program could make."""

    def __init__(self, world: World) -> None:
        self.world, self.rng = world, world.rng
        self.clients = [world.new_id() for _ in range(self.rng.randint(1, 2))]
        self.umbrella = world.new_id()
        self.workers = [world.new_id() for _ in range(self.rng.randint(2, 4))]
        self.on_umbrella = {worker for worker in self.workers if self.rng.random() < 0.3}
        self.placements: dict[UUID, tuple[UUID, UUID]] = {}
        self.starts: dict[UUID, int] = {}
        self.timesheets: dict[UUID, UUID] = {}

    async def tell(self) -> None:
        """The whole week, with disturbances between the steps, to closed runs and settled services."""
        await self.set_up()
        steps = self._steps()
        for step in steps:
            await step()
            await self.world.disturb(self.rng.randint(2, 10))
        await self.world.settle()
        await self.close()

    async def set_up(self) -> None:
        call = self.world.call
        await call("timesheet", "PUT", "", {"name": "Northbridge Testing Agency", "reference": "NORTH"})
        await call("invoicing", "PUT", "/issuer", _issuer())
        late_pay = {"payday_days_after": 5, "late_pay": "with_current_pay"}
        await call("pay-calc", "PUT", "/pay-calendar", late_pay)
        card = self.world.new_id()
        rates = [{"code": "standard", "pay_rate": "12.7100", "charge_rate": "18.5050"}]
        body = {"name": "Standard", "effective_from": "2026-01-01", "rates": rates, "rules": RULES}
        await call("timesheet", "PUT", f"/rate-cards/{card}/versions", body)
        if self.rng.random() < 0.5:
            raised = [{"code": "standard", "pay_rate": "13.0333", "charge_rate": "19.0000"}]
            await call(
                "timesheet",
                "PUT",
                f"/rate-cards/{card}/versions",
                body | {"effective_from": "2026-04-01", "rates": raised},
            )
        for number, client in enumerate(self.clients):
            await call("timesheet", "PUT", f"/clients/{client}", {"name": f"Client {number:03} Example"})
            terms = {"legal_name": f"Client {number:03} Example Ltd", "address": ["1 Test Street", "Testtown"]}
            group = self.rng.choice(["client", "worker", "site"])
            await call("invoicing", "PUT", f"/client-terms/{client}", terms | {"group_by": group})
        await call("timesheet", "PUT", f"/payees/{self.umbrella}", {"name": "Brolly Testing", "kind": "umbrella"})
        supplier = {"legal_name": "Brolly Testing Ltd", "address": ["2 Test Street"], "vat_number": "GB999999973"}
        agreement = {"agreement_reference": "SBA-1", "agreement_from": "2026-01-01"}
        await call("invoicing", "PUT", f"/suppliers/{self.umbrella}", supplier | agreement)
        bank = {"sort_code": "000002", "account_number": "00000002", "account_name": "Brolly Testing"}
        await call("pay-calc", "PUT", f"/payees/{self.umbrella}", bank)
        for number, worker in enumerate(self.workers):
            await self._worker(number, worker, card)
        await call("timesheet", "POST", f"/weeks/{WEEK}/open")
        page = await call("timesheet", "GET", f"/timesheets?week_ending={WEEK}&limit=100")
        self.timesheets = {UUID(item["placement_id"]): UUID(item["timesheet_id"]) for item in page["items"]}
        assert set(self.timesheets) == set(self.placements)

    async def _worker(self, number: int, worker: UUID, card: UUID) -> None:
        call = self.world.call
        await call("timesheet", "PUT", f"/workers/{worker}", {"name": f"Worker {number:05} Testcase"})
        profile = {"tax_code": "1257L", "ni_letter": "A", "account_number": f"1357246{number}"} | PERSONAL
        await call("pay-calc", "PUT", f"/pay-profiles/{worker}", profile)
        for start in (6, 13)[: self.rng.choice([1, 1, 2])]:
            placement, client = self.world.new_id(), self.rng.choice(self.clients)
            umbrella = worker in self.on_umbrella
            body = {
                "worker_id": str(worker),
                "client_id": str(client),
                "name": "Picker",
                "starts_on": "2026-01-05",
                "rate_card_id": str(card),
                "pay_basis": "umbrella" if umbrella else "paye",
                "payee_id": str(self.umbrella) if umbrella else None,
            }
            await call("timesheet", "PUT", f"/placements/{placement}", body)
            self.placements[placement] = (worker, client)
            self.starts[placement] = start

    def _steps(self) -> list[Step]:
        """Steps of one record keep their order; records take turns as the seed wills."""
        queues: list[list[Step]] = [self._life_of(placement) for placement in self.placements]
        queues += [[lambda w=worker: self._document(w)] for worker in self.workers if self.rng.random() < 0.8]
        queues.append([lambda status=status: self._umbrella(status) for status in self.rng.choice(_UMBRELLA_LIVES)])
        steps: list[Step] = []
        while any(queues):
            queue = self.rng.choice([q for q in queues if q])
            steps.append(queue.pop(0))
        return steps

    def _life_of(self, placement: UUID) -> list[Step]:
        sheet = self.timesheets[placement]
        start = self.starts[placement]

        def enter() -> Awaitable[Any]:
            body = {"entries": self._hours(start)} | VOUCHED
            return self.world.call("timesheet", "PUT", f"/timesheets/{sheet}/entries", body)

        def act(what: str, body: Any = None) -> Step:
            also = (409,) if what == "amend" else ()  # an amendment that changes nothing is refused
            return lambda: self.world.call(
                "timesheet", "POST", f"/timesheets/{sheet}/{what}", body, expect=(200, 201, *also)
            )

        steps: list[Step] = [enter, act("submit", VOUCHED)]
        if self.rng.random() < 0.2:
            steps += [act("reject", {"reason": "the break is missing"}), act("reopen"), enter, act("submit", VOUCHED)]
        if self.rng.random() < 0.05:
            return steps
        steps.append(act("approve", {"evidence": {"kind": "agency", "note": "gate log checked"}}))
        for _ in range(self.rng.choice([0, 0, 0, 1, 2])):
            entries = self._hours(start) if self.rng.random() < 0.85 else []
            steps.append(act("amend", {"entries": entries, "reason": "the gate log says otherwise"}))
        return steps

    def _hours(self, start: int) -> list[dict[str, Any]]:
        """A few days of work; two placements of a worker never overlap, because they start at different hours."""
        entries = []
        for day in sorted(self.rng.sample(DAYS, self.rng.randint(1, 5))):
            finish = start + self.rng.randint(2, 5)
            minute = self.rng.choice(["00", "07", "20", "45"])
            entries.append({"worked_on": day, "start": f"{start:02}:00", "finish": f"{finish:02}:{minute}"})
        return entries

    async def _document(self, worker: UUID) -> None:
        body = {
            "document_id": str(self.world.new_id()),
            "worker_id": str(worker),
            "requirement": "right_to_work",
            "valid_from": "2025-01-01",
        }
        await self.world.call("compliance", "POST", "/documents", body)

    async def _umbrella(self, status: str) -> None:
        await self.world.call("compliance", "PUT", f"/umbrellas/{self.umbrella}", {"status": status})

    async def close(self) -> None:
        """Cut the week off, close the pay run and issue the invoices, with disturbances in between."""
        world = self.world
        await world.call("timesheet", "POST", f"/weeks/{WEEK}/cut-off")
        await world.settle()
        run = await world.call("pay-calc", "POST", "/pay-runs", {"week_ending": WEEK})
        assert run["state"] == "closed", run
        await world.disturb(self.rng.randint(2, 20))
        again = await world.call("pay-calc", "POST", "/pay-runs", {"week_ending": WEEK})
        assert again["pay_run_id"] == run["pay_run_id"]
        await world.call("invoicing", "POST", "/invoice-runs", {"week_ending": WEEK})
        await world.disturb(self.rng.randint(2, 20))
        await world.call("invoicing", "POST", "/invoice-runs", {"week_ending": WEEK})
        await world.settle()
        replayed = await world.call("pay-calc", "POST", f"/pay-runs/{run['pay_run_id']}/replay")
        assert replayed["agrees"], replayed


_UMBRELLA_LIVES = (
    ("approved",),
    ("approved", "removed"),
    ("pending", "approved"),
    ("removed", "approved"),
    ("pending",),
)


def _issuer() -> dict[str, Any]:
    return {
        "legal_name": "Northbridge Testing Agency Ltd",
        "address": ["3 Test Street", "Testtown"],
        "vat_number": "GB999999973",
        "account_name": "Northbridge Testing",
        "sort_code": "00-00-00",
        "account_number": "00000000",
    }
