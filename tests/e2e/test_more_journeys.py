"""The journeys of the worker, the bureau manager and the consultant, by keyboard alone, each checked at the owners' doors too."""

from __future__ import annotations

import email
import email.policy
import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page, expect

from paybill_common.ids import derived_id
from tests.e2e.conftest import Person, Visits
from tests.e2e.instance import Agency, Week, until
from tests.e2e.keyboard import Keyboard
from tests.e2e.test_journeys import PHONE, WEEK, flash, go, open_week, pounds
from tests.e2e.test_pages import findings

_LINK = re.compile(r"https?://\S+/my/[A-Za-z0-9_-]+")


@pytest.fixture
async def paid(week: Week) -> Agency:
    """The industrial agency with its pay run closed."""
    agency = week.industrial
    if not [
        run for run in await agency.all("pay-calc", "pay-runs", week_ending=agency.week) if run["state"] == "closed"
    ]:
        await agency.cut_off()
        await week.quiet.wait()
        await agency.post("pay-calc", "pay-runs", {"week_ending": agency.week})
    await week.quiet.wait()
    return agency


async def slip_with_tax(agency: Agency) -> Mapping[str, Any]:
    """A final payslip that tax was taken from."""
    for slip in await _slips(agency):
        found: Mapping[str, Any] = await agency.get("pay-calc", f"payslips/{slip['payslip_id']}")
        if Decimal(found["figures"]["tax_gbp"]) > 0:
            return found
    raise AssertionError("nobody paid tax")


def mailed_link(week: Week, address: str) -> str | None:
    """The link to a worker's page in the mail sink, for an address."""
    for path in week.place.stack.paths.mail.glob("own_page-*.eml"):
        letter = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        body = letter.get_body(("plain",))
        if body is not None and address in str(letter["To"]) and (match := _LINK.search(body.get_content())):
            return match[0]
    return None


async def test_worker_asks_on_a_phone_where_the_timesheet_is_and_why_the_tax(
    week: Week, paid: Agency, person: Person, visits: Visits
) -> None:
    """Paula presses the button, the e-mail brings the link; state, every figure with its reason, a word's meaning, the PDF."""
    slip = await slip_with_tax(paid)
    address = "worker.on.a.phone@example.com"
    worker = await _give_address(week, paid, slip["worker_id"], address)

    paula = await person("paula")
    await paula.page.goto(f"{week.ui}/agencies/{paid.id}/payslips/{slip['payslip_id']}")
    await paula.enter(paula.page.get_by_role("button", name="Send the worker their page"))
    await expect(flash(paula.page)).to_contain_text("on its way by e-mail")

    async def arrived() -> str | None:
        return mailed_link(week, address)

    link = await until("the e-mail is in the sink", arrived)
    assert link is not None
    page = await visits.page(**PHONE)
    keys = Keyboard(page)
    await page.goto(link)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Your timesheets and pay")
    await expect(page.locator("main")).to_contain_text(worker["name"])
    mine = [one for one in await paid.sheets() if one["worker_id"] == slip["worker_id"]]
    for sheet in mine:
        await expect(page.locator("article", has_text=sheet["reference"])).to_contain_text("Fri 10 Apr")
    await _fits(page)

    # Why is my tax 71.60?
    tax = pounds(slip["figures"]["tax_gbp"])
    await keys.enter(page.get_by_role("link", name=f"−£{tax}"))
    told = await paid.get("pay-calc", f"payslips/{slip['payslip_id']}/explanation")
    why = {one["figure"]: one["summary"] for one in told["figures"]}
    answer = page.locator("#tax")
    await expect(answer).to_contain_text(f"−£{tax}")
    assert _plain(await answer.locator("p").first.inner_text()) == _plain(why["tax"])
    for figure in ("nic", "net"):
        await expect(page.locator("main")).to_contain_text(why[figure])
    await expect(page.locator("main")).not_to_contain_text("Employer National Insurance")
    await keys.enter(answer.get_by_text("Step by step"))
    await expect(answer.locator("ul.worked")).to_be_visible()
    await _fits(page)

    # What is a tax code?
    word = answer.get_by_role("button", name=re.compile("Code ", re.IGNORECASE))
    meaning = page.locator("#word-tax-code")
    await expect(meaning).to_be_hidden()
    await keys.enter(word)
    await expect(meaning).to_contain_text("only HMRC can change it")
    await keys.press("Escape")
    await expect(meaning).to_be_hidden()

    # The payslip.
    paper = await page.context.request.get(f"{link}/payslips/{slip['payslip_id']}/pdf")
    assert [paper.status, paper.headers["content-type"]] == [200, "application/pdf"]
    await keys.enter(page.get_by_role("link", name="Your timesheets and pay"))
    await expect(page).to_have_url(link)


async def test_a_link_opens_one_workers_page_and_nothing_else(
    week: Week, paid: Agency, person: Person, visits: Visits
) -> None:
    """Without an address the link is shown to hand over. It opens neither another worker's payslip nor the office's pages."""
    theirs, mine = (await _slips(paid))[-2:]
    await _give_address(week, paid, mine["worker_id"], None)
    paula = await person("paula")
    await paula.page.goto(f"{week.ui}/agencies/{paid.id}/payslips/{mine['payslip_id']}")
    await paula.enter(paula.page.get_by_role("button", name="Send the worker their page"))
    await expect(flash(paula.page)).to_contain_text("No e-mail address of this worker is on file")
    link = await flash(paula.page).get_by_role("link").get_attribute("href")
    assert link is not None
    page = await visits.page(**PHONE)
    assert (await _status(page, link)) == 200
    for wrong in (
        f"{link[:-1]}{'A' if link[-1] != 'A' else 'B'}",
        link[:-2],
        f"{link}/payslips/{theirs['payslip_id']}",
    ):
        assert (await _status(page, wrong)) == 404
        await expect(page.locator("main")).not_to_contain_text("Testcase")
    assert (await _status(page, f"{link}/payslips/{theirs['payslip_id']}/pdf")) == 404
    await page.goto(f"{week.ui}{paid.at}")
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_bureau_manager_finds_the_agency_at_risk_acts_as_it_and_comes_back(week: Week, person: Person) -> None:
    """All agencies on one page by risk; one press acts as one; its name is in sight on every page; `g b` is the way back."""
    pat = await person("pat")
    page = pat.page
    await expect(page.get_by_role("heading", name="All agencies")).to_be_visible()
    table = page.get_by_role("group", name="Agencies")
    rows = table.locator("tbody tr")
    names = {agency.name: agency for agency in week.agencies.values()}
    listed = await rows.locator("a.row-link").all_inner_texts()
    assert {name for name in listed if not name.startswith("Imports ")} == set(names)
    risks = [Decimal(text.replace(",", "")) for text in await rows.locator("td:nth-last-child(2)").all_inner_texts()]
    assert risks == sorted(risks, reverse=True)

    await pat.press("j")
    first = await rows.first.locator("a.row-link").inner_text()
    await pat.press("Enter")
    await expect(page.get_by_role("heading", name=f"The week, {WEEK}")).to_be_visible()
    acting = page.locator("#acting-as")
    for letter, heading in (
        ("t", "Timesheets"),
        ("h", "Holds"),
        ("p", "Pay run"),
        ("i", "Invoices"),
        ("s", "System health"),
    ):
        await expect(acting).to_have_text(first)
        await go(pat, letter, heading)
    await expect(acting).to_have_text(first)
    await page.set_viewport_size({"width": 390, "height": 844})
    await expect(page.locator(".acting")).to_contain_text(first)
    await page.set_viewport_size({"width": 1280, "height": 900})

    # The risk is the read model's own, and what waits is a list over all of them.
    await pat.press("g", "b")
    await expect(page.get_by_role("heading", name="All agencies")).to_be_visible()
    await expect(acting).to_have_count(0)
    waiting = page.get_by_role("group", name="What waits, in all of them")
    submitted = {name: len(await agency.sheets(status="submitted")) for name, agency in names.items()}
    for name, number in submitted.items():
        if number:
            row = waiting.locator("tr", has_text=name).filter(has_text="Waits for the client's approval")
            await expect(row.locator("td").nth(3)).to_have_text(f"{number:,}")

    # The second agency, in one press, from the list.
    second = await rows.nth(1).locator("a.row-link").inner_text()
    await pat.enter(rows.nth(1).locator("a.row-link"))
    await expect(acting).to_have_text(second)
    assert second != first


async def test_consultant_chases_and_explains_margin_to_the_rate_line(week: Week, person: Person) -> None:
    """My clients: who has not sent, chased in one press; margin down to why one line is charged as it is."""
    agency = week.healthcare
    sheets = await agency.sheets()
    model = {
        str(one["timesheet_id"]): await agency.read_model(one["timesheet_id"])
        for one in sheets
        if one["status"] == "approved"
    }
    costed = [one for one in model.values() if one["margin_gbp"] is not None]
    consultant = str(max(costed, key=lambda one: Decimal(str(one["margin_gbp"])))["consultant_id"])
    address = await _one_who_has_not_sent(week, agency, consultant)
    _name_consultant(week, "paula", consultant)

    paula = await person("paula")
    page = paula.page
    await open_week(paula, agency)
    await go(paula, "c", "My clients")
    mine = [one for one in await agency.sheets() if str(one["consultant_id"]) == consultant]
    late = page.get_by_role("group", name="Who has not sent or approved")
    unanswered = [one for one in mine if one["status"] in ("draft", "submitted", "rejected")]
    assert [one for one in unanswered if one["status"] == "draft"]
    await expect(late.locator("tbody tr")).to_have_count(len(unanswered))
    assert not await findings(page)

    # Chase, in one press: whose hours were never sent, and whose were sent back.
    await paula.press(".")
    silent = sum(one["status"] != "submitted" for one in unanswered)
    await expect(flash(page)).to_contain_text(f"Chased {silent} who have not sent hours")

    async def asked() -> bool:
        letters = (path.read_text() for path in week.place.stack.paths.mail.glob("hours_missing-*.eml"))
        return any(address in letter for letter in letters)

    await until("the worker is asked", asked)

    # Margin, down to the rate line.
    margin = sum(
        (Decimal(str(one["margin_gbp"])) for one in costed if str(one["consultant_id"]) == consultant), Decimal(0)
    )
    clients = page.get_by_role("group", name="By client")
    await expect(clients.locator("tfoot")).to_contain_text(pounds(margin))
    by_client: dict[str, Decimal] = {}
    for one in costed:
        if str(one["consultant_id"]) == consultant:
            by_client[one["client"]] = by_client.get(one["client"], Decimal(0)) + Decimal(str(one["margin_gbp"]))
    name, most = max(by_client.items(), key=lambda item: item[1])
    await paula.enter(clients.get_by_role("link", name=name))
    await expect(page.locator("tfoot")).to_contain_text(pounds(most))
    await paula.press("j", "Enter")
    top = max((one for one in costed if one["client"] == name and str(one["consultant_id"]) == consultant),
              key=lambda one: Decimal(str(one["margin_gbp"])))  # fmt: skip
    await expect(page.get_by_role("heading", level=1)).to_contain_text(top["reference"])
    await expect(page.locator("dl.facts").first).to_contain_text(pounds(top["margin_gbp"]))
    explain = page.locator("td details.why").first
    await paula.enter(explain.locator("summary"))
    await expect(explain).to_contain_text(re.compile(r"Charge: .* × £[\d.]+ = £[\d,.]+: .*rate card v\d"))


# --- what is set up first -----------------------------------------------------------------------------------------------


async def _one_who_has_not_sent(week: Week, agency: Agency, consultant: str) -> str:
    """A worker of this consultant's with an address and a placement, whose hours have not come; the address."""
    client = next(one["client_id"] for one in await agency.sheets() if str(one["consultant_id"]) == consultant)
    worker, placement = derived_id("e2e", "silent-worker"), derived_id("e2e", "silent-placement")
    address = "worker.without.hours@example.com"
    put, at = week.client.put, agency.run.path
    await put(
        "timesheet",
        at(f"workers/{worker}"),
        {"name": "Worker 90001 Testcase", "reference": "W-90001", "email": address},
    )
    await put("timesheet", at(f"placements/{placement}"), {
        "worker_id": str(worker), "client_id": str(client), "consultant_id": consultant, "name": "Picker",
        "reference": "P-90001", "starts_on": "2026-03-30", "ends_on": "2026-04-05",
    })  # fmt: skip
    await agency.post("timesheet", f"weeks/{agency.week}/open", {})
    await week.quiet.wait()
    return address


def _name_consultant(week: Week, subject: str, consultant: str) -> None:
    """Say in the clients file which consultant a person is."""
    file = week.place.stack.paths.keys / "clients.json"
    raw = json.loads(file.read_text())
    for one in raw["people"]:
        if one["subject"] == subject:
            one["consultants"] = [consultant]
    file.write_text(json.dumps(raw))


async def _slips(agency: Agency) -> list[Any]:
    """The final PAYE payslips of the week."""
    return await agency.all("pay-calc", "payslips", week_ending=agency.week, pay_basis="paye", state="finalised")


async def _give_address(week: Week, agency: Agency, worker_id: str, address: str | None) -> Mapping[str, Any]:
    """Change where a worker's letters go; the worker's record before."""
    worker: Mapping[str, Any] = await agency.get("timesheet", f"workers/{worker_id}")
    kept = {name: worker[name] for name in ("name", "reference", "external_id", "status", "started_on", "left_on")}
    await week.client.put("timesheet", agency.run.path(f"workers/{worker_id}"), kept | {"email": address})
    return worker


async def _fits(page: Page) -> None:
    """A phone holds the page, and axe finds nothing serious."""
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
    assert not await findings(page)


async def _status(page: Page, address: str) -> int:
    if address.endswith("/pdf"):
        return int((await page.context.request.get(address)).status)
    answer = await page.goto(address)
    assert answer is not None
    assert urlsplit(page.url).path == urlsplit(address).path
    return int(answer.status)


def _plain(text: str) -> str:
    return " ".join(text.split())
