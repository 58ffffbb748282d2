"""Every page: axe finds nothing serious in light or dark, a phone's width holds it, and it reads without JavaScript."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from reporting.usecases.worker_links import WorkerLink, WorkerLinks
from tests.e2e.conftest import Visits
from tests.e2e.instance import INSTANCE, Agency, Week, until
from tests.e2e.keyboard import Keyboard

PHONE_WIDTH = 390
LAPTOP_WIDTH = 1280
WALL_WIDTH = 2560
SERIOUS = ("serious", "critical")
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
"""What a scheme changes: the page's words and structure are the same in both."""
PAGES = (
    "sign-in", "bureau", "week", "timesheets", "timesheet", "held-timesheet", "approvers", "holds", "pay", "payslips", "payslip",
    "invoices", "invoice", "imports", "import-run", "work", "work-run", "margin", "clients", "my", "my-payslip", "tie-out", "what-if",
    "what-if-answer", "system", "developers", "not-found", "approval",
)  # fmt: skip


async def address_of(name: str, week: Week) -> str:
    """Where a page of the healthcare agency is; what it shows is made first where it does not exist yet."""
    agency = week.healthcare
    own = f"{week.ui}/agencies/{agency.id}"
    week_pages = {
        "week": "",
        **{name: f"/{name}" for name in ("timesheets", "approvers", "holds", "pay", "payslips", "invoices")},
    }
    week_pages |= {"margin": "/margin", "tie-out": "/tie-out", "what-if": "/what-if"}
    week_pages["what-if-answer"] = "/what-if?tax_code=BR&rate=3.5&hours=110"
    if name in week_pages:
        return f"{week.ui}{agency.at}{week_pages[name]}"
    if name in ("timesheet", "held-timesheet"):
        return f"{own}/timesheets/{await _timesheet(agency, held=name.startswith('held'))}"
    if name == "payslip":
        return f"{own}/payslips/{(await agency.all('pay-calc', 'payslips', week_ending=agency.week))[0]['payslip_id']}"
    if name == "invoice":
        return f"{own}/invoices/{await _invoice(week, agency)}"
    if name == "imports":
        return f"{own}/imports"
    if name == "import-run":
        return f"{own}/progress/import/{(await agency.all('reporting', 'imports'))[0]['import_id']}"
    if name == "work":
        return f"{own}/progress"
    if name == "work-run":
        await _invoice(week, agency)
        return f"{own}/progress/invoice-run/{agency.week}"
    if name == "approval":
        return await _approval_link(week, agency)
    if name == "clients":
        consultant = (await agency.sheets(status="approved"))[0]["consultant_id"]
        return f"{week.ui}{agency.at}/clients?consultant_id={consultant}"
    if name in ("my", "my-payslip"):
        return await _worker_page(week, agency, payslip=name == "my-payslip")
    return week.ui + {"not-found": f"/agencies/{agency.id}/payslips/{agency.id}"}.get(name, f"/{name}")


async def _timesheet(agency: Agency, *, held: bool) -> str:
    holds = [str(one["timesheet_id"]) for one in await agency.holds()]
    if held and holds:
        return holds[0]
    status = "submitted" if held else "approved"
    return str(
        next(one for one in await agency.sheets(status=status) if one["timesheet_id"] not in holds)["timesheet_id"]
    )


async def _worker_page(week: Week, agency: Agency, *, payslip: bool) -> str:
    slip = (await agency.all("pay-calc", "payslips", week_ending=agency.week, pay_basis="paye"))[0]
    links = WorkerLinks((week.place.stack.paths.keys / "signing-key.pem").read_text(encoding="utf-8"))
    link = WorkerLink(agency.run.agency_id, UUID(str(slip["worker_id"])))
    page = f"{week.ui}/my/{links.sign(link, expires_s=int(time.time()) + 3600)}"
    return f"{page}/payslips/{slip['payslip_id']}" if payslip else page


async def _invoice(week: Week, agency: Agency) -> str:
    issued = await agency.all("invoicing", "invoices", week_ending=agency.week)
    if not issued:
        await agency.cut_off()
        await week.quiet.wait()
        await agency.run.issue_invoices()
        await week.quiet.wait()
        issued = await agency.all("invoicing", "invoices", week_ending=agency.week)
    return str(issued[0]["document_id"])


async def _approval_link(week: Week, agency: Agency) -> str:
    await agency.post("timesheet", f"weeks/{agency.week}/approval-requests", {})

    async def arrived() -> str | None:
        return week.link_of(week.approver)

    return str(await until("the e-mail is in the sink", arrived))


_PANELS_WAIT = """[...document.querySelectorAll('[hx-trigger*=load]')]
    .filter(panel => panel.querySelector(`a[href="${panel.getAttribute('hx-get')}"]`)).length"""


async def ready(page: Page) -> None:
    """The page is whole: the panels that it asks other services for have arrived."""

    async def filled() -> bool:
        return bool(await page.evaluate(_PANELS_WAIT) == 0)

    await until("every panel has arrived", filled)


def worded(violation: dict[str, Any]) -> str:
    """A finding of axe: what, and the first elements."""
    where = "; ".join(node["html"][:160] for node in violation["nodes"][:3])
    return f"{violation['id']} ({violation['impact']}), {len(violation['nodes'])} times: {where}"


async def findings(page: Page, options: dict[str, Any] | None = None) -> list[str]:
    """What axe finds serious or critical."""
    answer = (await Axe().run(page, options={"resultTypes": ["violations"]} | (options or {}))).response
    return [worded(one) for one in answer["violations"] if one["impact"] in SERIOUS]


_CUT = """[...document.querySelectorAll('main .scroll, main pre')]
    .filter(box => box.scrollWidth > box.clientWidth + 1)
    .map(box => `${box.getAttribute('aria-label') || box.getAttribute('aria-labelledby') || box.id} is cut: ` +
        `${box.scrollWidth} px in ${box.clientWidth}`)"""
_BLANK = """(() => { const main = document.querySelector('main').getBoundingClientRect().bottom + scrollY;
    const whole = document.documentElement.scrollHeight;
    return whole > Math.max(innerHeight, main) + 4 ? [`blank below the page: ${whole} px for ${main}`] : []; })()"""


async def cut(page: Page, width: int) -> list[str]:
    """Tables and code that lose a column at this width, and height that nothing fills."""
    await page.set_viewport_size({"width": width, "height": 844})
    return [*(await page.evaluate(_CUT)), *(await page.evaluate(_BLANK))]


async def signed_in(visits: Visits, week: Week, name: str, **options: Any) -> Page:
    page = await visits.page(**options)
    if name not in ("sign-in", "approval", "my", "my-payslip"):
        await page.goto(f"{week.ui}/sign-in?code={week.codes['pat']}")
    return page


@pytest.mark.parametrize("name", PAGES)
async def test_a_page_is_for_everybody(name: str, week: Week, visits: Visits) -> None:
    """Light and dark without a serious finding; nothing cut on a wall screen or a laptop, no sideways scrolling on a phone."""
    address = await address_of(name, week)
    page = await signed_in(visits, week, name)
    wrong: list[str] = []
    await page.emulate_media(color_scheme="light")
    await page.goto(address)
    await ready(page)
    await expect(page.locator("h1")).to_be_visible()
    wrong += [f"light: {finding}" for finding in await findings(page)]
    await page.emulate_media(color_scheme="dark")
    wrong += [f"dark: {finding}" for finding in await findings(page, COLOURS)]
    for width in (WALL_WIDTH, LAPTOP_WIDTH, PHONE_WIDTH):
        wrong += [f"{width} px: {finding}" for finding in await cut(page, width)]
    width = await page.evaluate("Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)")
    if width > PHONE_WIDTH:
        widest = await page.evaluate(
            "[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1 &&"
            " !e.closest('.scroll')).slice(0, 3).map(e => e.outerHTML.slice(0, 120))"
        )
        wrong.append(f"{PHONE_WIDTH} px: the body is {width} px wide: {widest}")
    assert not wrong, "\n".join(wrong)


async def test_words_that_only_the_dark_hides_are_a_failure(visits: Visits) -> None:
    page = await visits.page()
    await page.set_content(
        "<html lang=en><title>T</title><style>@media (prefers-color-scheme: dark) { html { background: #111; color: #222 } }</style>"
        "<main><h1>Hidden</h1></main>"
    )
    for scheme, wrong in (("light", 0), ("dark", 1)):
        await page.emulate_media(color_scheme=scheme)
        assert len(await findings(page, COLOURS)) == wrong, scheme


async def test_pages_read_without_javascript(week: Week, visits: Visits) -> None:
    """Headings, numbers and the panels of other services are there as plain pages and links."""
    agency = week.healthcare
    page = await signed_in(visits, week, "week", java_script_enabled=False)
    for name in (one for one in PAGES if one != "approval"):
        await page.goto(await address_of(name, week))
        await expect(page.locator("h1").first).to_be_visible()
    await page.goto(f"{week.ui}{agency.at}/timesheets")
    assert await page.locator("tbody tr").count() == len(await agency.sheets())
    await page.goto(f"{week.ui}{agency.at}/pay")
    if await page.get_by_role("link", name="Show the preview").count():
        await page.get_by_role("link", name="Show the preview").click()
        await expect(page.get_by_role("heading", name="What closing would do")).to_be_visible()
    await page.goto(await _approval_link(week, agency))
    await expect(page.locator("h1")).to_be_visible()


async def test_what_if_by_keyboard_says_what_the_command_line_says(week: Week, visits: Visits) -> None:
    """From a payslip: another tax code for its worker. The page, its file and `paybill what-if` have the same figures."""
    agency = week.healthcare
    drafts = await agency.all("pay-calc", "payslips", week_ending=agency.week, pay_basis="paye")
    slip = next(one for one in drafts if one["minutes"])
    page = await signed_in(visits, week, "payslip")
    keys = Keyboard(page)
    await page.goto(f"{week.ui}/agencies/{agency.id}/payslips/{slip['payslip_id']}")
    await keys.enter(page.get_by_role("link", name="What if"))
    await keys.fill(page.get_by_label("Tax code"), "0T")
    await keys.enter(page.get_by_role("button", name="Work it out"))
    await expect(page.get_by_text("With tax code 0T")).to_be_visible()
    options = [
        "--agency",
        agency.id,
        "--instance",
        INSTANCE,
        "--worker",
        slip["worker_id"],
        "--tax-code",
        "0T",
    ]
    command = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "paybill_stack.cli",
        "what-if",
        agency.week,
        *options,
        "--json",
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await command.communicate()
    found = json.loads(said)
    [told] = found["items"]
    assert told["before"]["figures"]["net_gbp"] == slip["net_gbp"]
    assert Decimal(told["after"]["figures"]["tax_gbp"]) > Decimal(told["before"]["figures"]["tax_gbp"])
    for amount in (told["after"]["figures"]["net_gbp"], found["week"]["margin_after_gbp"]):
        await expect(page.get_by_role("cell", name=f"{Decimal(amount):,.2f}", exact=True).first).to_be_visible()
    async with page.expect_download() as download:
        await keys.enter(page.get_by_role("link", name="CSV").last)
    file = await (await download.value).path()
    assert f",{told['after']['figures']['net_gbp']}," in file.read_text(encoding="utf-8-sig")
