"""The e2e instance: five real services on their own Kafka and Postgres, and a small week loaded through the public doors."""

from __future__ import annotations

import asyncio
import email
import email.policy
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console

from paybill_common.ids import derived_id
from paybill_stack.client import ApiClient, Credentials, Place
from paybill_stack.demo.cast import BUSINESS_NOW
from paybill_stack.demo.generate import generate, read_plan
from paybill_stack.demo.quiet import Quiet
from paybill_stack.demo.stages import Stages
from paybill_stack.demo.week import AgencyRun
from paybill_stack.keys import DEFAULT_CLIENTS, DEFAULT_PEOPLE, Person, ensure_keys
from paybill_stack.paths import InstancePaths
from paybill_stack.stack import Stack
from paybill_stack.supervisor import Supervisor

INSTANCE = "teste2e"
"""Its name begins with "test": own data, own ports, no fsync, and never a running demo."""
REPLICAS = 2
TIMESHEETS = 112
"""Of three agencies; the week takes the first two, with 50 and 33."""
AGENCIES = ("industrial", "healthcare")
BUREAU_ID = derived_id("bureau", "e2e")

_READ = ("read", "pay:read")
PEOPLE = (
    Person("paula", "Paula Payroll (test)", (*_READ, "write", "timesheets:approve", "compliance:write",
                                             "compliance:release", "pay:close")),
    Person("rowan", "Rowan Release (test)", (*_READ, "pay:release")),
    Person("casey", "Casey Credit (test)", ("read", "invoices:issue")),
    Person("cora", "Cora Compliance (test)", ("read", "compliance:write", "compliance:release")),
    Person("olive", "Olive Operator (test)", ("read", "ops:admin")),
    *DEFAULT_PEOPLE,
)  # fmt: skip
"""Who signs in: each has the rights of the job and no more."""

T = TypeVar("T")
_OF_THE_SERVICE = frozenset({"worker_id", "version", "updated_at", "unsupported", "starting_tax"})
"""What pay-calc says of a profile that nobody sends it."""
_LINK = re.compile(r"https?://[^\s\"<>]+/approve/[A-Za-z0-9_.~-]+")


class NotSo(AssertionError):
    """A condition did not come true in time."""


async def until(what: str, look: Callable[[], Awaitable[T | None]], *, within_s: int = 30) -> T:
    """The first truthy answer of `look`, asked again and again. Raises NotSo naming `what` and the last answer."""
    deadline = time.monotonic() + within_s
    while True:
        found = await look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise NotSo(f"not within {within_s} s: {what}; last seen: {found!r}")
        await asyncio.sleep(0.1)


def start(instance: str = INSTANCE) -> Stack:
    """Start Kafka, Postgres and the services with empty data; they end with this process, even by kill -9."""
    stop(instance)
    return Supervisor.bring_up(instance, replicas=REPLICAS, business_now=BUSINESS_NOW, attached=True, fresh=True).stack


def stop(instance: str = INSTANCE) -> None:
    """Stop what runs of the instance; harmless when nothing does."""
    stack = Stack(instance)
    if stack.paths.settings.exists():
        Supervisor(stack).down()
        stack.stop()


@dataclass
class Agency:
    """One agency of the week: its client's doors, its plan, its timesheets by reference of the placement."""

    run: AgencyRun

    @property
    def id(self) -> str:
        return str(self.run.agency_id)

    @property
    def name(self) -> str:
        return str(self.run.plan["name"])

    @property
    def week(self) -> str:
        return self.run.week_ending

    @property
    def at(self) -> str:
        """The path of its week in the UI."""
        return f"/agencies/{self.id}/weeks/{self.week}"

    async def get(self, service: str, tail: str, **params: Any) -> Any:
        return await self.run.client.get(service, self.run.path(tail), **params)

    async def post(self, service: str, tail: str, body: Any = None) -> Any:
        return await self.run.client.post(service, self.run.path(tail), body)

    async def all(self, service: str, tail: str, **params: Any) -> list[Any]:
        return await self.run.client.pages(service, self.run.path(tail), **params)

    async def sheets(self, **wanted: Any) -> list[Mapping[str, Any]]:
        """Timesheets as their owner sees them now."""
        return await self.all("timesheet", "timesheets", week_ending=self.week, **wanted)

    async def read_model(self, timesheet_id: str) -> Mapping[str, Any]:
        """One timesheet as reporting sees it."""
        found: Mapping[str, Any] = await self.get("reporting", f"timesheets/{timesheet_id}")
        return found

    async def holds(self) -> list[Mapping[str, Any]]:
        return await self.all("compliance", "holds", week_ending=self.week)

    async def silent(self) -> list[Mapping[str, Any]]:
        """Submitted timesheets of clients that do not answer."""
        names = set(self.run.plan["silent_clients"])
        return [one for one in await self.sheets(status="submitted") if self.run.client_refs[one["client_id"]] in names]

    async def pay_below_minimum_wage(self) -> str:
        """Charge one worker for a room, so that the pay that counts falls below the minimum wage; returns the worker's name."""
        slips = await self.all("pay-calc", "payslips", week_ending=self.week, pay_basis="paye", state="draft")
        slip = next(one for one in slips if Decimal(one["net_gbp"]) > 0)
        door = f"pay-profiles/{slip['worker_id']}"
        known = await self.get("pay-calc", door)
        profile = {name: value for name, value in known.items() if name not in _OF_THE_SERVICE}
        room = {"days_a_week": 7, "charge_a_day_gbp": "99.00", "starts_on": "2026-03-30"}
        await self.run.client.put("pay-calc", self.run.path(door), profile | {"accommodation": room})
        return str(slip["worker"])

    async def cut_off(self) -> None:
        """Cut the week off unless it is, and wait until pay and billing know."""

        async def known() -> bool:
            bills = await self.get("invoicing", "invoice-runs/preview", week_ending=self.week)
            pay = await self.get("pay-calc", "pay-runs/preview", week_ending=self.week)
            return bills["control"] is not None and pay["control"] is not None

        if not await known():
            await self.run.cut_off()
        await until("pay and billing know the cut-off", known)


@dataclass
class Week:
    """The loaded week: the services' addresses, two agencies, the mail sink, and people's sign-in codes."""

    place: Place
    client: ApiClient
    agencies: Mapping[str, Agency]
    quiet: Quiet
    approver: str
    """The e-mail address of the approver whose timesheets wait for the link."""
    codes: Mapping[str, str] = field(default_factory=dict)

    @property
    def ui(self) -> str:
        return self.place.urls["reporting"]

    @property
    def industrial(self) -> Agency:
        return self.agencies["industrial"]

    @property
    def healthcare(self) -> Agency:
        return self.agencies["healthcare"]

    def link_of(self, address: str) -> str | None:
        """The newest approval link in the mail sink for an address."""
        found = None
        for path in sorted(self.place.stack.paths.mail.glob("*.eml"), key=lambda one: one.stat().st_mtime_ns):
            letter = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            body = letter.get_body(("plain",))
            if body is not None and address in str(letter["To"]) and (match := _LINK.search(body.get_content())):
                found = match[0]
        return found


@asynccontextmanager
async def loaded_week(
    instance: str = INSTANCE, *, timesheets: int = TIMESHEETS, slugs: Sequence[str] = AGENCIES
) -> AsyncIterator[Week]:
    """Load a week until Wednesday: hours in, most approved, some rejected, held or silent; nothing cut off, paid or billed."""
    place = Place.of(instance)
    credentials: Credentials = place.credentials()
    codes = let_people_in(place.stack.paths)
    inputs, outputs = place.stack.paths.root / "in", place.stack.paths.root / "out"
    (outputs / "receipts").mkdir(parents=True, exist_ok=True)
    generate(inputs, timesheets=timesheets)
    plans = [plan for plan in read_plan(inputs)["agencies"] if plan["slug"] in slugs]
    async with (
        ApiClient(place.urls, credentials, [plan["agency_id"] for plan in plans]) as client,
        Quiet(place.stack.kafka_bootstrap, client) as quiet,
    ):
        mail = place.stack.paths.mail
        agencies = {
            plan["slug"]: Agency(AgencyRun(client, plan, "2026-04-05", inputs, outputs, mail)) for plan in plans
        }
        with Stages(Console(quiet=True)) as stages:
            for agency in agencies.values():
                await _load(agency.run, stages)
        approver = await _approve_most(agencies)
        await quiet.wait(timeout_s=90)
        yield Week(place, client, agencies, quiet, approver, codes)


def let_people_in(paths: InstancePaths) -> dict[str, str]:
    """Give each person an entry in the clients file and return their sign-in codes."""
    keys = ensure_keys(paths.keys, DEFAULT_CLIENTS, PEOPLE)
    return {person.subject: keys.sign_in_code(person.subject) for person in PEOPLE}


async def _load(run: AgencyRun, stages: Stages) -> None:
    """Records and hours from the files, submitted; the agency belongs to the bureau."""
    with stages.stage(run.slug, run.slug) as stage:
        await run.set_up()
        agency = {"name": run.plan["name"], "reference": run.plan["reference"], "bureau_id": str(BUREAU_ID)}
        await run.client.put("timesheet", run.path(""), {**agency, "bank_holiday_division": "england-and-wales"})
        await run.import_records(stage)
        await run.import_hours(stage)
        await run.submit(stage)


async def _approve_most(agencies: Mapping[str, Agency]) -> str:
    """Approve what clients signed. Left: the silent clients, one rejected timesheet each, and one approver's link."""
    approver = ""
    for slug, agency in agencies.items():
        run, plan = agency.run, agency.run.plan
        held = {f"Worker {reference.rpartition('W')[2]} Testcase" for reference in plan["no_right_to_work"]}
        sheets = run.by_placement
        rejected = {sheets[reference]["timesheet_id"] for reference in plan["rejected"]}
        for timesheet_id in rejected:
            reason = {"reason_code": "wrong_hours", "reason": "The last shift ended earlier than written"}
            await agency.post("timesheet", f"timesheets/{timesheet_id}/reject", reason)
        by_client: dict[str, list[str]] = {}
        wanted = []
        for sheet in sheets.values():
            if sheet["timesheet_id"] in rejected:
                continue
            client = run.client_refs[str(sheet["client_id"])]
            if sheet["worker"] in held:
                wanted.append(sheet["timesheet_id"])
            else:
                by_client.setdefault(client, []).append(sheet["timesheet_id"])
        waiting = set(plan["silent_clients"])
        if slug == AGENCIES[-1]:
            chosen = max(plan["link_clients"], key=lambda reference: len(by_client.get(reference, [])))
            waiting.add(chosen)
            approver = f"approver.{chosen.rpartition('C')[2]}@example.com"
        wanted += [one for client, ids in by_client.items() if client not in waiting for one in ids]
        evidence = {"kind": "client", "name": "Client's supervisor", "note": "Signed timesheets of the week on file"}
        answer = await agency.post(
            "timesheet", "timesheets/approve-batch", {"timesheet_ids": wanted, "evidence": evidence}
        )
        assert not answer["refused"], answer
    return approver


def screenshots() -> Path:
    """Where a failing test leaves what the browser showed."""
    folder = InstancePaths.of(INSTANCE).root / "failures"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
