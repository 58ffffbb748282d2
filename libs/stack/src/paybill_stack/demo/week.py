"""What the people of one agency do in the demo week, each through the service's public door."""

import asyncio
import email
import email.policy
import html.parser
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from paybill_common.ids import derived_id
from paybill_importer.layouts import Kind
from paybill_importer.owners import RIGHT_TO_WORK, imported_id
from paybill_importer.run import Options, Outcome, import_file
from paybill_stack import StackError
from paybill_stack.cli_runs import close_pay_run
from paybill_stack.client import ApiClient
from paybill_stack.demo.cast import AMEND_REASONS, REJECT_REASONS
from paybill_stack.demo.stages import Stage

_BATCH = 250
_AT_ONCE = 6
_MAIL_WAIT_S = 30
_MAIL_LOOKS_A_S = 4
_LINK = re.compile(r"https?://[^\s\"<>]+/approve/[A-Za-z0-9_.~-]+")
CLIENT_SIGNED = "Signed timesheets of the week on file"
AGENCY_CHECKED = "The client did not answer; checked against the site's gate log and the workers' own records"


class DemoFailed(StackError):
    """A step of the demo did not come out as the plan says."""


@dataclass
class AgencyRun:
    """One agency's week: its plan, its client of the services, and what it learned on the way."""

    client: ApiClient
    plan: Mapping[str, Any]
    week_ending: str
    inputs: Path
    outputs: Path
    mail: Path
    by_placement: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    client_refs: dict[str, str] = field(default_factory=dict)
    pay_run: Mapping[str, Any] = field(default_factory=dict)
    invoice_run: Mapping[str, Any] = field(default_factory=dict)
    zip_task: asyncio.Task[int] | None = None

    @property
    def slug(self) -> str:
        return str(self.plan["slug"])

    @property
    def agency_id(self) -> UUID:
        return UUID(self.plan["agency_id"])

    def path(self, tail: str) -> str:
        return f"/v1/agencies/{self.agency_id}/{tail}".rstrip("/")

    # --- Monday: records and rates ------------------------------------------------------------------------------------

    async def set_up(self) -> None:
        """The agency itself, what it is as employer and as supplier, and the document it asks for."""
        name, code = self.plan["name"], self.plan["reference"]
        number = sum(map(ord, code)) % 1000
        body = {"name": name, "reference": code, "bank_holiday_division": "england-and-wales"}
        await self.client.put("timesheet", self.path(""), body)
        bank = {"account_name": code, "sort_code": "00-00-03", "account_number": f"{number:08}"}
        address = [f"{number} Example Road", "Testham", "ZZ4 1ZZ"]
        employer = {
            "legal_name": name, "address": address, "paye_reference": f"000/ZZ{number:05}",
            "accounts_office_reference": f"000PZ{number:08}", "service_user_number": f"{number:06}", **bank,
        }  # fmt: skip
        issuer = {
            "legal_name": name, "address": address, "vat_number": f"GB{999_000_000 + number}",
            "company_number": f"ZZ{number:06}", "email": f"accounts.{code.lower()}@example.com", "phone": "07700 900999",
            "invoice_prefix": code, "credit_note_prefix": f"{code}-CN", "self_bill_prefix": f"{code}-SB", **bank,
        }  # fmt: skip
        await asyncio.gather(
            self.client.put("pay-calc", self.path("employer"), employer),
            self.client.put("pay-calc", self.path("pay-calendar"), {"payday_days_after": 5}),
            self.client.put("invoicing", self.path("issuer"), issuer),
            self.client.put(
                "compliance",
                self.path(f"requirements/{RIGHT_TO_WORK}"),
                {"title": "Right to work", "blocks": ["pay", "bill"]},
            ),
        )

    async def import_records(self, stage: Stage) -> None:
        """Clients, payees, workers and rates; then the placements, which name them."""
        first = ((Kind.CLIENTS, "clients"), (Kind.PAYEES, "payees"), (Kind.WORKERS, "workers"), (Kind.RATES, "rates"))
        await asyncio.gather(*(self.take(kind, name, stage) for kind, name in first if self._has(name)))
        await self.take(Kind.PLACEMENTS, "placements", stage)
        if self._has("rates-change"):
            await self.take(Kind.RATES, "rates-change", stage)

    async def record_pay_facts(self, stage: Stage) -> None:
        """Sickness, attachment orders, advances and leave, each by its own door of pay-calc: leave brought in before leave taken."""
        records = self.plan["pay_records"]
        stage.expect(len(records))

        async def one(record: Mapping[str, Any]) -> None:
            worker_id = imported_id("worker", self.agency_id, record["worker"])
            record_id = derived_id(record["door"], worker_id)
            body = {"worker_id": str(worker_id), **record["body"]}
            await self.client.put("pay-calc", self.path(f"{record['door']}/{record_id}"), body)
            stage.advance()

        brought = [record for record in records if record["door"] == "holiday-entries"]
        await self._each(brought, one)
        await self._each([record for record in records if record not in brought], one)

    async def check_pay_facts(self) -> None:
        """Each of them is on its worker's final payslip. Raises DemoFailed when one is not."""
        for record in self.plan["pay_records"]:
            worker_id = imported_id("worker", self.agency_id, record["worker"])
            found = await self.client.pages(
                "pay-calc", self.path("payslips"), week_ending=self.week_ending, worker_id=str(worker_id)
            )
            slips = [
                await self.client.get("pay-calc", self.path(f"payslips/{slip['payslip_id']}"))
                for slip in found
                if slip["state"] == "finalised"
            ]
            if not any(_shows(slip, record) for slip in slips):
                raise DemoFailed(f"no final payslip of {record['worker']} shows what {record['door']} recorded")

    async def import_hours(self, stage: Stage) -> Outcome | None:
        """The hours, and the file whose every line is wrong."""
        while (await self.client.post("timesheet", self.path(f"weeks/{self.week_ending}/open")))["remaining"]:
            pass
        await self.take(Kind.HOURS, "hours", stage)
        if not self._has("hours-broken"):
            return None
        outcome = await self.take(Kind.HOURS, "hours-broken", stage, clean=False)
        if outcome.accepted or outcome.duplicate:
            raise DemoFailed(
                f"{outcome.accepted + outcome.duplicate} of the broken lines went in; see {outcome.receipts}"
            )
        return outcome

    async def documents_arrive(self, stage: Stage) -> None:
        """Half of the missing right-to-work documents come before the pay run."""
        await self.take(Kind.WORKERS, "documents-arrive", stage)

    async def take(self, kind: Kind, name: str, stage: Stage, *, clean: bool = True) -> Outcome:
        """Import one of the agency's files. Raises DemoFailed when a line that should be right is refused."""
        path = self.inputs / f"{self.slug}-{name}.csv"
        options = Options(
            receipts=self.outputs / "receipts" / f"{path.name}.receipts.csv",
            batch_rows=500, expected_rows=stage.expect, report=stage.advance,
        )  # fmt: skip
        outcome = await import_file(kind, path, client=self.client, agency_id=self.agency_id, options=options)
        if clean and outcome.refused:
            raise DemoFailed(f"{outcome.refused} lines of {path.name} were refused; see {outcome.receipts}")
        return outcome

    def _has(self, name: str) -> bool:
        return (self.inputs / f"{self.slug}-{name}.csv").exists()

    # --- Tuesday: submit, approve -------------------------------------------------------------------------------------

    async def submit(self, stage: Stage) -> None:
        """Everything that has hours is submitted."""
        sheets = await self.client.pages("timesheet", self.path("timesheets"), week_ending=self.week_ending)
        clients = await self.client.pages("timesheet", self.path("clients"))
        self.client_refs = {str(c["client_id"]): str(c["reference"]) for c in clients}
        self.by_placement = {str(sheet["placement_reference"]): sheet for sheet in sheets}
        if len(self.by_placement) != self.plan["timesheets"]:
            raise DemoFailed(f"{self.slug} has {len(self.by_placement)} timesheets, the plan {self.plan['timesheets']}")
        await self._batches("submit-batch", [sheet["timesheet_id"] for sheet in sheets], stage)

    async def approve(self, stage: Stage) -> int:
        """Clients by their link, signed sheets in bulk, silent clients by the agency; returns how many went by a link."""
        stage.expect(len(self.by_placement))
        await self._each(self.plan["rejected"], self._reject_and_correct)
        silent: list[str] = []
        talking: list[str] = []
        linked = set(self.plan["link_clients"])
        for sheet in self.by_placement.values():
            reference = self.client_refs[str(sheet["client_id"])]
            if reference not in linked:
                (silent if reference in self.plan["silent_clients"] else talking).append(sheet["timesheet_id"])
        signed = {"kind": "client", "name": "Client's supervisor", "note": CLIENT_SIGNED}
        checked = {"kind": "agency", "note": AGENCY_CHECKED}
        by_link, *_ = await asyncio.gather(
            self._by_links(stage),
            self._batches("approve-batch", talking, stage, evidence=signed),
            self._batches("approve-batch", silent, stage, evidence=checked),
        )
        return by_link

    async def amend(self, stage: Stage) -> None:
        """After approval: an hour more on the last day."""
        stage.expect(len(self.plan["amended"]))

        async def one(reference: str) -> None:
            story = await self._story(reference)
            body = {
                "entries": _last_changed(story["entries"], minutes=60),
                "reason_code": "hours_added",
                "reason": AMEND_REASONS[len(reference) % len(AMEND_REASONS)],
            }
            await self.client.post("timesheet", self.path(f"timesheets/{story['timesheet_id']}/amend"), body)
            stage.advance()

        await self._each(self.plan["amended"], one)

    async def _reject_and_correct(self, reference: str) -> None:
        """A client says no; the consultant corrects the last day and submits again."""
        timesheet_id = self.by_placement[reference]["timesheet_id"]
        door = self.path(f"timesheets/{timesheet_id}")
        reason = REJECT_REASONS[len(reference) % len(REJECT_REASONS)]
        await self.client.post("timesheet", f"{door}/reject", {"reason_code": "wrong_hours", "reason": reason})
        story = await self.client.post("timesheet", f"{door}/reopen")
        entries = {"entries": _last_changed(story["entries"], minutes=-30)}
        await self.client.put("timesheet", f"{door}/entries", entries)
        await self.client.post("timesheet", f"{door}/submit")

    async def _story(self, reference: str) -> Mapping[str, Any]:
        timesheet_id = self.by_placement[reference]["timesheet_id"]
        found: Mapping[str, Any] = await self.client.get("timesheet", self.path(f"timesheets/{timesheet_id}"))
        return found

    async def _by_links(self, stage: Stage) -> int:
        """Some approvers open the link in their e-mail and press the button, without a login."""
        asked = await self.client.post("timesheet", self.path(f"weeks/{self.week_ending}/approval-requests"), {})
        numbers = {reference.rpartition("C")[2] for reference in self.plan["link_clients"]}
        wanted = {
            one["approver_email"]: int(one["timesheets"])
            for one in asked["requests"]
            if one["approver_email"].split("@")[0].rpartition(".")[2] in numbers
        }
        letters = await _letters(self.mail, set(wanted))
        async with httpx.AsyncClient(timeout=60, trust_env=False, follow_redirects=True) as browser:

            async def press(address: str) -> None:
                await press_approve(browser, letters[address])
                stage.advance(wanted[address])

            await self._each(letters, press)
        return sum(wanted.values())

    # --- Wednesday: cut-off, pay, bills -------------------------------------------------------------------------------

    async def cut_off(self) -> Mapping[str, Any]:
        """Fix the control totals."""
        found: Mapping[str, Any] = await self.client.post("timesheet", self.path(f"weeks/{self.week_ending}/cut-off"))
        return found

    async def close_pay(self) -> None:
        """Close the pay run; its totals match the cut-off, and no pay of it is below the minimum wage or untested."""
        self.pay_run = await close_pay_run(self.client, self.agency_id, {"week_ending": self.week_ending})

    async def issue_invoices(self) -> None:
        """Issue the invoice run."""
        self.invoice_run = await self.client.post(
            "invoicing", self.path("invoice-runs"), {"week_ending": self.week_ending}
        )

    async def prepare_payment(self) -> str | None:
        """Prepare the payment file; None when there is nothing to pay. Raises DemoFailed when an amount has no bank details."""
        found = await self.client.post("pay-calc", self.path(f"pay-runs/{self.pay_run['pay_run_id']}/payment-file"), {})
        if found["missing"]:
            raise DemoFailed(
                f"{self.slug}: {len(found['missing'])} amounts are in no payment file: {found['missing'][0]}"
            )
        return found["payment_file_id"]  # type: ignore[no-any-return]  # JSON

    async def release_payment(self, payment_file_id: str, other: ApiClient) -> None:
        """Another person releases it; then both forms of the file can be fetched."""
        door = self.path(f"payment-files/{payment_file_id}")
        await other.post("pay-calc", f"{door}/release")
        for shape, suffix in (("bacs", "bacs18.txt"), ("csv", "csv")):
            target = self.outputs / f"payments-{self.slug}.{suffix}"
            await self.client.download("pay-calc", f"{door}/content", target, format=shape)

    # --- Thursday: paper ----------------------------------------------------------------------------------------------

    def begin_payslips(self) -> None:
        """Ask for all payslips as one ZIP as soon as they are final; bills go on meanwhile."""
        door = self.path(f"pay-runs/{self.pay_run['pay_run_id']}/payslips.zip")
        target = self.outputs / f"payslips-{self.slug}.zip"
        self.zip_task = asyncio.create_task(self.client.download("pay-calc", door, target))

    async def payslips(self, stage: Stage) -> None:
        """Wait for the ZIP that `begin_payslips` asked for."""
        stage.expect(int(self.pay_run["payslips"]))
        if self.zip_task is not None:
            await self.zip_task
        stage.advance(int(self.pay_run["payslips"]))

    async def documents(self, kind: str, stage: Stage) -> None:
        """Every invoice or self-bill as a PDF named by its number."""
        folder = self.outputs / kind
        folder.mkdir(parents=True, exist_ok=True)
        found = await self.client.pages("invoicing", self.path(kind), week_ending=self.week_ending)
        stage.expect(len(found))

        async def one(document: Mapping[str, Any]) -> None:
            door = self.path(f"{kind}/{document['document_id']}/pdf")
            await self.client.download("invoicing", door, folder / f"{document['number']}.pdf")
            stage.advance()

        await self._each(found, one)

    async def submission(self) -> None:
        """The facts of the Full Payment Submission."""
        door = self.path(f"pay-runs/{self.pay_run['pay_run_id']}/fps.csv")
        await self.client.download("pay-calc", door, self.outputs / f"fps-{self.slug}.csv")

    async def week(self) -> Mapping[str, Any]:
        """The week as reporting sees it."""
        found: Mapping[str, Any] = await self.client.get("reporting", self.path(f"weeks/{self.week_ending}"))
        return found

    async def margin(self) -> list[Mapping[str, Any]]:
        """Margin by client."""
        door = self.path(f"weeks/{self.week_ending}/margin")
        found: list[Mapping[str, Any]] = await self.client.get("reporting", door, by="client")
        return found

    # --- helpers ------------------------------------------------------------------------------------------------------

    async def _batches(self, door: str, ids: Sequence[str], stage: Stage, **more: Any) -> None:
        if door == "submit-batch":
            stage.expect(len(ids))

        async def one(chunk: Sequence[str]) -> None:
            body = {"timesheet_ids": list(chunk), **more}
            answer = await self.client.post("timesheet", self.path(f"timesheets/{door}"), body)
            if answer["refused"]:
                first = next(receipt for receipt in answer["receipts"] if receipt["status"] == "refused")
                raise DemoFailed(
                    f"{self.slug}: {answer['refused']} timesheets were refused at {door}: {first['reference']} {first['reason']}"
                )
            stage.advance(len(chunk))

        await self._each([ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH)], one, at_once=2)

    async def _each(self, items: Iterable[Any], work: Any, *, at_once: int = _AT_ONCE) -> None:
        gate = asyncio.Semaphore(at_once)

        async def one(item: Any) -> None:
            async with gate:
                await work(item)

        async with asyncio.TaskGroup() as group:
            for item in items:
                group.create_task(one(item))


def _last_changed(entries: Sequence[Mapping[str, Any]], *, minutes: int) -> list[dict[str, Any]]:
    """The entries with the last one longer or shorter by so many minutes (days by a half)."""
    changed = [{name: value for name, value in entry.items() if value is not None} for entry in entries]
    last = max(changed, key=lambda entry: str(entry["worked_on"]))
    if "finish" in last:
        moved = datetime.strptime(str(last["finish"])[:5], "%H:%M") + timedelta(minutes=minutes)  # noqa: DTZ007
        last["finish"] = f"{moved:%H:%M}"
    else:
        step = Decimal("0.5") if last["unit"] == "day" else Decimal(minutes) / 60
        units = Decimal(str(last["units"]))
        last["units"] = str(
            units + step if minutes > 0 else units - abs(step) if units > abs(step) else units + abs(step)
        )
    return changed


async def _letters(folder: Path, addresses: set[str]) -> dict[str, str]:
    """The approval link in the mail folder for each address. Raises DemoFailed when one does not come."""
    found: dict[str, str] = {}
    seen: set[str] = set()
    for _ in range(_MAIL_WAIT_S * _MAIL_LOOKS_A_S):
        found |= await asyncio.to_thread(_read_letters, folder, addresses, seen)
        if len(found) == len(addresses):
            return found
        await asyncio.sleep(1 / _MAIL_LOOKS_A_S)
    missing = sorted(addresses - set(found))
    raise DemoFailed(f"no approval e-mail for {missing} in {folder} after {_MAIL_WAIT_S} s")


def _read_letters(folder: Path, addresses: set[str], seen: set[str]) -> dict[str, str]:
    """Links in e-mails that were not looked at before."""
    found: dict[str, str] = {}
    for path in folder.glob("approval_wanted-*.eml"):
        if path.name in seen:
            continue
        seen.add(path.name)
        content = path.read_bytes()
        to = next((address for address in addresses if f"<{address}>".encode() in content), None)
        if to is None:
            continue
        body = email.message_from_bytes(content, policy=email.policy.default).get_body(("plain",))
        if body is not None and (match := _LINK.search(body.get_content())):
            found[to] = match[0]
    return found


class _Form(html.parser.HTMLParser):
    """The first form of the page that is sent by POST: its action, fields, and submit buttons."""

    def __init__(self) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: list[tuple[str, str]] = []
        self.buttons: list[tuple[str, str]] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form" and found.get("method", "").lower() == "post" and self.action is None:
            self.action, self._inside = found.get("action", ""), True
        elif self._inside and tag == "input" and "name" in found:
            kind = found.get("type", "text")
            if kind == "submit":
                self.buttons.append((found["name"], found.get("value", "")))
            elif kind not in ("checkbox", "radio") or any(name == "checked" for name, _ in attrs):
                self.fields.append((found["name"], found.get("value", "")))
        elif self._inside and tag == "button" and "name" in found and found.get("type", "submit") == "submit":
            self.buttons.append((found["name"], found.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False


async def press_approve(browser: httpx.AsyncClient, link: str) -> None:
    """Open the page as a person would and press its approve button. Raises DemoFailed when there is none."""
    page = await browser.get(link)
    page.raise_for_status()
    form = _Form()
    form.feed(page.text)
    if form.action is None:
        raise DemoFailed(f"the approval page has no form to press: {page.text[:200]}")
    pressed = [button for button in form.buttons if "approve" in " ".join(button).lower()][:1]
    fields: dict[str, list[str]] = {}
    for name, value in [*form.fields, *pressed]:
        fields.setdefault(name, []).append(value)
    answer = await browser.post(str(httpx.URL(link).join(form.action)), data=fields)
    if answer.is_error:
        raise DemoFailed(f"the approval page answered {answer.status_code}: {answer.text[:300]}")


def _shows(slip: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    """Whether a payslip shows what one of pay-calc's doors recorded."""
    door, elements = record["door"], {line["element"] for line in slip["lines"]}
    if door == "absences":
        return "SSP" in elements
    if door == "holiday-leaves":
        return "holiday_taken" in elements and slip["leave"]["taken_minutes"] > 0
    if door == "holiday-entries":
        return bool(slip["leave"] and slip["leave"]["earned_minutes"] >= record["body"]["minutes"])
    return bool(slip["attachments" if door == "attachment-orders" else "deductions"])
