"""The journeys of the people who sit in front of Paybill, by keyboard alone, each checked at the owners' doors too."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import asyncpg
from aiokafka import AIOKafkaProducer
from playwright.async_api import Locator, Page, expect
from pypdf import PdfReader

from paybill_common.envelope import encode
from paybill_common.ids import new_id
from paybill_contracts.base import Reason
from paybill_contracts.events import BillHeld
from paybill_stack.bootstrap import database_name
from tests.e2e.conftest import Person, Visits
from tests.e2e.instance import Agency, Week, until
from tests.e2e.keyboard import Keyboard
from tests.e2e.test_pages import LAPTOP_WIDTH, PHONE_WIDTH, cut, findings

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True, "device_scale_factor": 2}
WEEK = "w/e 5 Apr 2026"
ABSURD_VERSION = 3_000_000_000
"""More than a column of minutes holds: a contract lets it through, a reader cannot store it."""


def pounds(amount: Any) -> str:
    """As the pages write money."""
    return f"{Decimal(str(amount)):,.2f}"


def flash(page: Page) -> Locator:
    """What the page says happened."""
    return page.locator("#flash")


async def open_week(who: Keyboard, agency: Agency) -> None:
    """From the page of all agencies to one agency's week."""
    page = who.page
    await expect(page.get_by_role("heading", name="All agencies")).to_be_visible()
    await who.enter(page.locator("tbody").get_by_role("link", name=agency.name))
    await expect(page.get_by_role("heading", name=f"The week, {WEEK}")).to_be_visible()
    await expect(page.locator("#acting-as")).to_have_text(agency.name)


async def go(who: Keyboard, letter: str, heading: str) -> None:
    """`g` and a letter: another page of the same week."""
    await who.press("g", letter)
    await expect(who.page.get_by_role("heading", level=1, name=heading)).to_be_visible()


async def count_of(row: Locator) -> int:
    """How many timesheets a queue of the week page has."""
    return int((await row.locator("td.n").first.inner_text()).replace(",", ""))


async def again_until(page: Page, wanted: Locator, *, gone: bool = False, tries: int = 40) -> None:
    """Load the page again until something is there, or gone: facts arrive by themselves."""
    for _ in range(tries):
        if (await wanted.count() == 0) is gone:
            return
        await page.reload()
        await page.wait_for_timeout(150)
    raise AssertionError(f"{wanted} is {'still' if gone else 'not'} there after {tries} looks")


async def _work_is_told(page: Page, heading: str) -> None:
    """The page of long work has come to this heading, and reads well on a laptop and on a phone."""
    await expect(page.get_by_role("heading", level=1)).to_have_text(heading)
    for width in (PHONE_WIDTH, LAPTOP_WIDTH):
        assert await cut(page, width) == []
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        assert await findings(page) == []


@asynccontextmanager
async def _held_worker(week: Week, agency: Agency) -> AsyncIterator[None]:
    """One worker of the agency is locked in pay-calc's database: a close waits for it."""
    connection = await asyncpg.connect(week.place.stack.admin_dsn, database=database_name("pay-calc"))
    try:
        async with connection.transaction():
            held = await connection.fetch(
                "SELECT 1 FROM worker WHERE agency_id = $1 ORDER BY worker_id LIMIT 1 FOR UPDATE", agency.run.agency_id
            )
            assert held
            yield
    finally:
        await connection.close()


async def test_payroll_manager_clears_the_week_and_a_second_person_releases_it(week: Week, person: Person) -> None:
    """What blocks the week, a document recorded, cut-off, close, payment file; released by somebody else."""
    agency = week.industrial
    paula = await person("paula")
    page = paula.page
    await open_week(paula, agency)

    # What blocks it, with its action beside it.
    silent = await agency.silent()
    held = await agency.holds()
    assert silent
    assert [len(held), held[0]["findings"][0]["requirement"]] == [1, "right_to_work"]
    assert await count_of(page.locator("#queue-submitted")) == len(silent)
    assert await count_of(page.locator("#queue-rejected")) == len(await agency.sheets(status="rejected"))
    blocked = page.locator("#queue-held-0")
    await expect(blocked).to_contain_text(re.compile("right to work", re.IGNORECASE))
    await expect(blocked).to_contain_text(pounds(held[0]["pay_gbp"]))
    drafts = await count_of(page.locator("#queue-draft"))

    # Lift it: the document was seen.
    await paula.enter(blocked.get_by_role("link", name="Lift"))
    await expect(page.get_by_role("heading", level=1, name="Holds")).to_be_visible()
    await paula.press("j", "Enter")
    await expect(page.get_by_role("heading", level=1)).to_contain_text(held[0]["worker"])
    await paula.press(".")
    seen_on = page.locator("#lift input[name=valid_from]")
    await paula.fill(seen_on, "01012026")
    await expect(seen_on).to_have_value("2026-01-01")
    picture = {"name": "share code.png", "mimeType": "image/png", "buffer": b"\x89PNG\r\n\x1a\n seen"}
    await page.locator("#lift input[name=file]").set_input_files([picture])  # the system's own dialogue chooses it
    await paula.enter(page.get_by_role("button", name="Record it"))
    await expect(flash(page)).to_contain_text("Recorded; holds that waited for it lift by themselves")
    kept = page.get_by_role("link", name="Open share code.png")
    opened = await page.request.get(await kept.evaluate("link => link.href"))
    assert [opened.headers["content-type"], await opened.body()] == ["image/png", picture["buffer"]]
    timesheet_id = str(held[0]["timesheet_id"])
    await until("the hold is lifted", lambda: _nobody_held(agency))
    await until("the week is in the draft", lambda: _pay_state(agency, timesheet_id, "draft"))
    documents = (await agency.get("compliance", f"workers/{held[0]['worker_id']}"))["documents"]
    assert [(one["requirement"], one["valid_from"], one["recorded_by"]) for one in documents] == [
        ("right_to_work", "2026-01-01", "paula")
    ]

    # The count falls as she works.
    await go(paula, "w", "The week")
    await again_until(page, page.locator("#queue-held-0"), gone=True)
    assert await count_of(page.locator("#queue-draft")) == drafts + 1

    # Cut-off, and what closing would do.
    await go(paula, "p", "Pay run")
    await paula.enter(page.get_by_role("button", name=f"Cut off {WEEK}"))
    await expect(flash(page)).to_contain_text("is cut off")
    await agency.cut_off()
    await again_until(page, page.get_by_role("button", name="Cut off"), gone=True)
    worker = await agency.pay_below_minimum_wage()
    preview = await agency.get("pay-calc", "pay-runs/preview", week_ending=agency.week)
    assert [preview["matches"], preview["held_timesheets"], preview["minimum_wage"]["unacknowledged"]] == [True, 0, 1]
    await page.reload()
    await expect(page.locator("#preview")).to_contain_text(pounds(preview["net_gbp"]))
    close = page.locator("#close-pay-run")
    await expect(close).to_have_text(f"Close: pay £{pounds(preview['net_gbp'])} net")

    # Somebody's pay is below the minimum wage: the close asks for her reason.
    low = page.locator("#minimum-wage")
    await expect(low).to_contain_text(worker)
    await expect(low).to_contain_text(f"£{pounds(preview['minimum_wage']['shortfall_gbp'])} short in all")
    await paula.fill(low.locator("textarea"), "The client pays the rest next week")

    # Close, with a worker that something else holds for a while: the page of the work waits with it, in anybody's browser.
    rowan = await person("rowan")
    async with _held_worker(week, agency):
        await paula.enter(close)
        await expect(page.get_by_role("heading", level=1)).to_have_text(f"Closing the pay run, {WEEK}")
        address = page.url
        await page.goto("about:blank")
        await rowan.page.goto(address)
        await _work_is_told(rowan.page, f"Closing the pay run, {WEEK}")
        await expect(rowan.page.locator("#work")).to_contain_text("by Paula Payroll (test)")
        await expect(rowan.page.get_by_role("progressbar")).to_have_accessible_name(
            re.compile("^0 of [0-9]+ workers done")
        )
        await rowan.page.evaluate("window.stayed = true")
    await _work_is_told(rowan.page, f"Pay run closed, {WEEK}")
    assert await rowan.page.evaluate("window.stayed"), "the page came to its end by itself"
    run = await until("the pay run is closed", lambda: _closed_run(agency))
    await expect(rowan.page.get_by_role("definition").filter(has_text=pounds(run["net_gbp"]))).to_be_visible()
    await page.goto(address)
    await expect(page.get_by_role("heading", level=1)).to_have_text(f"Pay run closed, {WEEK}")
    assert [Decimal(run["net_gbp"]), run["payslips"] + run["self_bills"]] == [
        Decimal(preview["net_gbp"]),
        preview["payslips"] + preview["self_bills"],
    ]

    # Prepare the payment file; she cannot release what she prepared.
    await paula.enter(page.locator("#next-file"))
    await expect(page.get_by_role("heading", level=1)).to_have_text(f"Pay run, {WEEK}")
    await again_until(page, page.locator("#prepare-payment-file"))
    named = page.get_by_role("cell", name="Paula Payroll (test), ")
    await expect(named).to_contain_text("The client pays the rest next week")
    await paula.press(".")
    await paula.enter(page.locator("#prepare-payment-file"))
    await expect(flash(page)).to_contain_text("The payment file is prepared")
    await expect(page.get_by_text("You prepared this file, so somebody else releases it.")).to_be_visible()
    await expect(page.get_by_role("button", name="Release")).to_have_count(0)

    # The second person.
    await rowan.page.goto(week.ui)
    await open_week(rowan, agency)
    await go(rowan, "p", "Pay run")
    files = await agency.all("pay-calc", "payment-files", pay_run_id=run["pay_run_id"])
    assert [one["state"] for one in files] == ["prepared"]
    await rowan.enter(rowan.page.get_by_role("button", name=f"Release £{pounds(files[0]['total_gbp'])}"))
    await expect(flash(rowan.page)).to_contain_text("The payment file is released")
    (released,) = await agency.all("pay-calc", "payment-files", pay_run_id=run["pay_run_id"])
    assert [released["state"], released["prepared_by"], released["released_by"]] == ["released", "paula", "rowan"]
    content = await agency.run.client.request(
        "pay-calc",
        "GET",
        agency.run.path(f"payment-files/{released['payment_file_id']}/content"),
        params={"format": "csv"},
    )
    assert _sum_of(content.text) == Decimal(released["total_gbp"])
    await week.quiet.wait()
    await go(rowan, "w", "The week")
    await expect(rowan.page.locator(".steps")).to_contain_text("payments instructed")
    await expect(rowan.page.locator("#tie-out")).to_contain_text("Every minute and penny is explained")


async def test_credit_controller_issues_the_invoices_and_reads_one(week: Week, person: Person) -> None:
    """What is not billed and why, the preview with its totals, issue, one invoice and its PDF."""
    agency = week.industrial
    await agency.cut_off()
    await week.quiet.wait()
    casey = await person("casey")
    page = casey.page
    await open_week(casey, agency)

    # Not billed, and why: the clients' approval, and what is ready.
    preview = await agency.get("invoicing", "invoice-runs/preview", week_ending=agency.week)
    assert preview["can_issue"], preview["blocked_by"]
    silent = await agency.silent()
    waiting = page.locator("#queue-submitted")
    assert await count_of(waiting) == len(silent)
    await expect(waiting).to_contain_text(pounds(sum(Decimal(one["charge_gbp"]) for one in silent)))
    assert await count_of(page.locator("#queue-ready")) == preview["ready_timesheets"]

    # Totals before and after, the same here and at the owner.
    await go(casey, "i", "Invoices")
    net = preview["this_run"]["net_gbp"]
    await expect(page.locator("#preview")).to_contain_text(pounds(preview["billed_after"]["gross_gbp"]))
    issue = page.locator("#issue")
    await expect(issue).to_contain_text(pounds(preview["billed_before"]["net_gbp"]))
    await expect(issue).to_contain_text(pounds(preview["billed_after"]["net_gbp"]))
    await expect(page.locator("#issue-invoices")).to_have_text(f"Issue £{pounds(net)} net")

    # Issue.
    await casey.enter(page.locator("#issue-invoices"))
    await _work_is_told(page, f"Invoices issued, {WEEK}")
    await expect(page.locator("#work")).to_contain_text("by Casey Credit (test)")
    issued = await agency.all("invoicing", "invoices", week_ending=agency.week)
    assert len(issued) == preview["this_run"]["documents"]
    assert sum(Decimal(one["net_gbp"]) for one in issued) == Decimal(net)
    numbers = sorted(int(one["number"].rpartition("-")[2]) for one in issued)
    assert numbers == list(range(numbers[0], numbers[0] + len(issued)))

    # Open one, and its PDF.
    await week.quiet.wait()
    await casey.enter(page.locator("#next-invoices"))
    await expect(page.get_by_role("heading", level=1, name="Invoices,")).to_be_visible()
    await casey.press("j", "Enter")
    title = page.get_by_role("heading", level=1)
    await expect(title).to_contain_text("Invoice ")
    number = (await title.inner_text()).rpartition(" ")[2]
    (invoice,) = [one for one in issued if one["number"] == number]
    await expect(page.locator("table.sums")).to_contain_text(pounds(invoice["gross_gbp"]))
    await expect(page.get_by_text("Its double entry balances")).to_be_visible()
    link = page.get_by_role("link", name="PDF", exact=True)
    address = await link.get_attribute("href")
    assert address
    await casey.to(link)
    async with page.expect_request(lambda asked: asked.url.endswith(address) and asked.is_navigation_request()):
        await casey.press("Enter")
    paper = await page.context.request.get(f"{week.ui}{address}")
    assert [paper.status, paper.headers["content-type"]] == [200, "application/pdf"]
    text = "\n".join(sheet.extract_text() for sheet in PdfReader(io.BytesIO(await paper.body())).pages)
    for wanted in (number, pounds(invoice["net_gbp"]), pounds(invoice["gross_gbp"]), "VAT"):
        assert wanted in text


async def test_client_approves_all_but_one_on_a_phone(week: Week, visits: Visits) -> None:
    """The link from the e-mail: hours against the booking, one sent back with a reason, the others approved."""
    agency = week.healthcare
    await agency.post("timesheet", f"weeks/{agency.week}/approval-requests", {})

    async def arrived() -> str | None:
        return week.link_of(week.approver)

    link = await until("the e-mail is in the sink", arrived)
    assert link is not None
    page = await visits.page(**PHONE)
    approver = Keyboard(page)
    await page.goto(link)
    cards = page.locator("article.card[data-minutes]")  # what is decided already stands below, without hours to add
    names = [await card.get_by_role("heading").inner_text() for card in await cards.all()]
    client = _client_of(agency, week.approver)
    waiting = [one for one in await agency.sheets(status="submitted") if str(one["client_id"]) == client]
    assert sorted(names) == sorted(one["worker"] for one in waiting)
    assert len(waiting) >= 3
    await expect(page.get_by_role("heading", level=1)).to_have_text(f"{len(waiting)} timesheets to approve")
    for sheet in waiting:
        hours = f"{sheet['minutes'] // 60}:{sheet['minutes'] % 60:02}"
        await expect(cards.filter(has_text=sheet["reference"]).locator(".top .hours")).to_have_text(hours)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390

    # Opening, however often, decides nothing.
    await page.reload()
    assert {one["status"] for one in await _these(agency, waiting)} == {"submitted"}

    # One is not right.
    wrong, *right = sorted(waiting, key=lambda one: one["reference"])
    card = cards.filter(has_text=wrong["reference"])
    await approver.to(card.get_by_label("Right", exact=True))
    await approver.press("ArrowDown")
    await expect(card.get_by_label("Not right", exact=True)).to_be_checked()
    await approver.to(card.get_by_label("What is not right?"))
    await approver.write("The break")
    await expect(card.get_by_label("What is not right?")).to_have_value("break_wrong")
    await approver.fill(card.get_by_label("In your words"), "They took an hour on Tuesday")
    send = page.locator("#send")
    await expect(send).to_have_text(f"Approve {len(right)}, send back 1")
    await approver.enter(send)
    await expect(page.get_by_role("status")).to_contain_text("1 sent back")

    # At the owner: decided, with who, when, from where, and what was seen.
    found = {one["timesheet_id"]: one for one in await _these(agency, waiting)}
    assert found[wrong["timesheet_id"]]["status"] == "rejected"
    assert found[wrong["timesheet_id"]]["reason_code"] == "break_wrong"
    assert "an hour on Tuesday" in found[wrong["timesheet_id"]]["reason"]
    assert {found[one["timesheet_id"]]["status"] for one in right} == {"approved"}
    story = await agency.get("timesheet", f"timesheets/{right[0]['timesheet_id']}")
    (evidence,) = story["evidence"]
    assert [evidence["kind"], evidence["ip"]] == ["client", "127.0.0.1"]
    assert all(evidence[name] for name in ("by_name", "decided_at", "approval_request_id", "seen", "seen_sha256"))
    await page.goto(link)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Nothing waits for you")


async def test_compliance_officer_releases_a_hold_with_a_reason(week: Week, person: Person) -> None:
    """Who is held, why, how much money waits; released in her name; the audit trail is intact."""
    agency = week.healthcare
    (hold,) = await agency.holds()
    cora = await person("cora")
    page = cora.page
    await open_week(cora, agency)
    await go(cora, "h", "Holds")
    row = page.locator(f"tr[data-href$='{hold['timesheet_id']}']")
    for wanted in (hold["worker"], hold["client"], hold["reference"], pounds(hold["pay_gbp"])):
        await expect(row).to_contain_text(wanted)
    await expect(row).to_contain_text(re.compile("right to work", re.IGNORECASE))

    await cora.press("j", "Enter")
    await expect(page.get_by_role("heading", level=1)).to_contain_text(hold["worker"])
    await expect(page.locator("#lift")).to_contain_text(pounds(hold["charge_gbp"]))
    reason = "Share code checked by telephone; the letter follows by post"
    await cora.fill(page.get_by_label("Reason"), reason)
    await cora.enter(page.get_by_role("button", name="Release this timesheet"))
    await expect(flash(page)).to_contain_text("Released in your name")

    await until("nobody is held", lambda: _nobody_held(agency))
    await until("the week is in the draft", lambda: _pay_state(agency, str(hold["timesheet_id"]), "draft"))
    entries = (await agency.get("compliance", "audit", subject_id=hold["timesheet_id"], limit=500))["items"]
    mine = [one for one in entries if one["actor"] == "cora"]
    assert mine
    assert reason in json.dumps(mine)
    trail = await agency.get("compliance", "audit/verify")
    assert [trail["intact"], trail["breaks"]] == [True, []]
    await go(cora, "h", "Holds")
    await again_until(page, page.get_by_text("Nobody is held"))


async def test_operator_understands_and_discards_a_dead_letter(week: Week, person: Person) -> None:
    """One worker's event cannot be stored: it is seen with its error and what waits, given up, and the rest flows."""
    agency = week.healthcare
    await week.quiet.wait()
    stuck, free = _of_two_workers(await agency.silent())
    await _publish_hold(week, agency, stuck, ABSURD_VERSION)
    (letter,) = await until("reporting has a dead letter", lambda: _letters(week))
    note = {"evidence": {"kind": "agency", "note": "Gate log checked"}}
    await agency.post("timesheet", f"timesheets/{stuck['timesheet_id']}/approve", note)
    await agency.post("timesheet", f"timesheets/{free['timesheet_id']}/approve", note)
    await week.quiet.wait()
    (letter,) = await _letters(week)
    assert letter["waiting"] >= 3
    # Everybody else goes on; what is behind the dead letter waits, in order.
    assert (await agency.read_model(free["timesheet_id"]))["pay_state"] == "draft"
    assert (await agency.read_model(stuck["timesheet_id"]))["status"] == "submitted"

    olive = await person("olive")
    page = olive.page
    await open_week(olive, agency)
    await go(olive, "s", "System health")
    await expect(page.locator("#service-reporting")).to_contain_text("Needs a person")
    panel = page.locator(f"#dead-reporting-{letter['id']}")
    for wanted in ("reporting could not handle paybill.bill.held.v1", letter["error"], stuck["worker_id"]):
        await expect(panel).to_contain_text(wanted)
    await expect(panel).to_contain_text(f"{letter['waiting']} events of the same key wait")
    await olive.enter(panel.get_by_text("The message"))
    await expect(panel.locator("pre")).to_contain_text(str(ABSURD_VERSION))

    # A replay without a fixed cause fails again and loses nothing.
    await olive.enter(panel.get_by_role("button", name="Replay it"))
    await expect(flash(page)).to_contain_text("failed again")
    (still,) = await _letters(week)
    assert [still["id"], still["waiting"]] == [letter["id"], letter["waiting"]]

    await olive.fill(panel.get_by_label("Why it may be given up"), "Published by hand for a rehearsal")
    await olive.enter(panel.get_by_role("button", name="Discard this one"))
    await expect(flash(page)).to_contain_text(f"Discarded; handled {letter['waiting']} events")
    await expect(page.get_by_text("No dead letter.")).to_be_visible()
    state = await week.client.get("reporting", "/v1/ops/consumer")
    assert [state["dead_letters_open"], state["parked"], state["stopped"]] == [0, 0, False]
    flowing = await agency.read_model(stuck["timesheet_id"])
    assert [flowing["status"], flowing["pay_state"], flowing["bill_state"]] == ["approved", "draft", "ready"]


async def test_operator_replays_what_was_mended_and_resumes_the_consumer(week: Week, person: Person) -> None:
    """One dead letter too many in a row stops reporting's consumer; mended and resumed, everything is there in its order."""
    agency = week.healthcare
    await week.quiet.wait()
    sheet = {**(await agency.sheets())[0], "worker_id": str(new_id()), "timesheet_id": str(new_id())}
    await _reporting(week, "INSERT INTO consumer_state (consumer, dead_letters_in_a_row) VALUES ('reporting', 19)"
                     " ON CONFLICT (consumer) DO UPDATE SET dead_letters_in_a_row = 19")  # fmt: skip
    await _publish_hold(week, agency, sheet, ABSURD_VERSION)
    (letter,) = await until("reporting has a dead letter", lambda: _letters(week))
    await _publish_hold(week, agency, sheet, 2)
    assert (await week.client.get("reporting", "/v1/ops/consumer"))["stopped"]

    olive = await person("olive")
    page = olive.page
    await open_week(olive, agency)
    await go(olive, "s", "System health")
    service = page.locator("#service-reporting")
    await expect(service).to_contain_text("Consumer stopped")
    await _reporting(week, f"UPDATE dead_letter SET payload = convert_to(replace(convert_from(payload, 'UTF8'), '{ABSURD_VERSION}', '1'),"
                     f" 'UTF8') WHERE id = {letter['id']}")  # fmt: skip
    await olive.enter(page.locator(f"#dead-reporting-{letter['id']}").get_by_role("button", name="Replay it"))
    await expect(flash(page)).to_contain_text("Replayed; handled 1 events. Nothing waits behind it now.")
    await expect(page.get_by_text("No dead letter.")).to_be_visible()
    assert await _held_version(week, sheet) == 1
    await olive.enter(service.get_by_role("button", name="Resume"))
    await expect(flash(page)).to_contain_text("The consumer reads again.")
    await until("what was published meanwhile is read", lambda: _is_held_version(week, sheet, 2))
    await again_until(page, service.get_by_text("At rest"))


# --- what the owners say ------------------------------------------------------------------------------------------------


async def _nobody_held(agency: Agency) -> bool:
    return not await agency.holds()


async def _pay_state(agency: Agency, timesheet_id: str, state: str) -> bool:
    return bool((await agency.read_model(timesheet_id))["pay_state"] == state)


async def _closed_run(agency: Agency) -> Mapping[str, Any] | None:
    runs = await agency.all("pay-calc", "pay-runs", week_ending=agency.week)
    return next((run for run in runs if run["state"] == "closed"), None)


def _sum_of(text: str) -> Decimal:
    """The amounts of a bank's CSV."""
    rows = list(csv.DictReader(io.StringIO(text)))
    (column,) = [name for name in rows[0] if "amount" in name.lower()]
    return sum((Decimal(row[column]) for row in rows), Decimal(0))


def _client_of(agency: Agency, approver: str) -> str:
    number = approver.split("@")[0].rpartition(".")[2]
    (found,) = [key for key, reference in agency.run.client_refs.items() if reference.endswith(f"C{number}")]
    return found


async def _these(agency: Agency, wanted: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    ids = {one["timesheet_id"] for one in wanted}
    return [one for one in await agency.sheets() if one["timesheet_id"] in ids]


def _of_two_workers(sheets: list[Mapping[str, Any]]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    first = sheets[0]
    return first, next(one for one in sheets if one["worker_id"] != first["worker_id"])


async def _letters(week: Week) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = await week.client.get("reporting", "/v1/ops/dead-letters")
    return found


async def _reporting(week: Week, sql: str) -> Any:
    """Look into reporting's database, or mend something there, as nobody but its owner can."""
    connection = await asyncpg.connect(week.place.stack.admin_dsn, database=database_name("reporting"))
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def _held_version(week: Week, sheet: Mapping[str, Any]) -> int | None:
    """The version whose bill reporting knows to be held."""
    sql = f"SELECT bill_version FROM timesheet WHERE timesheet_id = '{sheet['timesheet_id']}'"
    found: int | None = await _reporting(week, sql)
    return found


async def _is_held_version(week: Week, sheet: Mapping[str, Any], version: int) -> bool:
    return await _held_version(week, sheet) == version


async def _publish_hold(week: Week, agency: Agency, sheet: Mapping[str, Any], version: int) -> None:
    """What invoicing says; a broken release of it says it of a version past what a table holds."""
    said = BillHeld(
        agency_id=agency.run.agency_id,
        worker_id=sheet["worker_id"],
        timesheet_id=sheet["timesheet_id"],
        version=version,
        client_id=sheet["client_id"],
        minutes=450,
        charge_gbp=Decimal("1.00"),
        decided_at=datetime(2026, 4, 7, 9, tzinfo=UTC),
        reasons=(Reason(code="missing_client_terms", blocks=("bill",)),),
    )
    value = encode(
        said,
        event_id=new_id(),
        source="invoicing",
        sequence=version,
        time=datetime(2026, 4, 7, 9, tzinfo=UTC),
        traceparent=None,
        correlation_id="e2e",
    )
    producer = AIOKafkaProducer(bootstrap_servers=week.place.stack.kafka_bootstrap)
    await producer.start()
    try:
        await producer.send_and_wait(said.TOPIC, value.encode(), key=said.partition_key().encode())
    finally:
        await producer.stop()
