"""What moves while somebody looks: new rows, a lost connection; the keys that every page has; the same page on paper."""

from __future__ import annotations

import io
import itertools
import re
from importlib import resources

import pypdf
import pytest
from playwright.async_api import Browser, Page, Route, expect

from paybill_common.ids import derived_id
from tests.e2e.conftest import Person, Visits
from tests.e2e.instance import Agency, Week
from tests.e2e.keyboard import Keyboard
from tests.e2e.test_journeys import go, open_week
from tests.e2e.test_pages import address_of, ready, signed_in

PAPER_WIDTH = 718
"""A4 less its margins at 96 dots an inch."""
_OFF_PAPER = """[...document.querySelectorAll('main *')].filter(e => e.offsetParent &&
    e.getBoundingClientRect().right > innerWidth + 1).slice(0, 3).map(e => e.outerHTML.slice(0, 120))"""


async def test_slash_searches_and_a_question_mark_lists_the_keys(week: Week, person: Person) -> None:
    pat = await person("pat")
    page = pat.page
    await open_week(pat, week.healthcare)
    await _timesheets(pat)
    search = page.get_by_role("searchbox")
    await pat.press("/")
    await expect(search).to_be_focused()
    await pat.write("?")
    await expect(search).to_have_value("?")
    await pat.press("Escape")
    await expect(search).not_to_be_focused()
    keys = page.get_by_role("dialog", name="Keys")
    await expect(keys).to_be_hidden()
    await pat.press("?")
    await expect(keys).to_be_visible()
    for word in ("search", "next, previous row", "the page's main action"):
        await expect(keys).to_contain_text(word)
    await pat.press("Escape")
    await expect(keys).to_be_hidden()


async def test_new_rows_wait_behind_a_button(week: Week, person: Person) -> None:
    """A placement that comes late brings a timesheet: the list does not move, and says so."""
    pat = await person("pat")
    page = pat.page
    agency = week.industrial
    await open_week(pat, agency)
    await _timesheets(pat)
    table, fresh = page.get_by_role("group", name="Timesheets").locator("table"), page.locator("#new-rows")
    rows, before = table.locator("tbody tr"), len(await agency.sheets())
    await expect(table).to_have_attribute("data-total", str(before))
    shown = await rows.count()
    await expect(page.locator(".live.on")).to_be_visible()
    await expect(fresh).to_be_hidden()
    await _late_placement(week, agency)
    await expect(fresh).to_have_text("1 new: show")
    await expect(table).to_have_attribute("data-total", str(before))
    await expect(rows).to_have_count(shown)
    await pat.enter(fresh)
    await expect(table).to_have_attribute("data-total", str(before + 1))
    await expect(fresh).to_be_hidden()


async def test_a_lost_connection_says_so_and_recovers(week: Week, person: Person) -> None:
    pat = await person("pat")
    page = pat.page
    lost: list[str] = []

    async def lose(route: Route) -> None:
        lost.append(route.request.url)
        await route.abort("connectionreset")

    await page.route("**/events?*", lose)
    await open_week(pat, week.healthcare)
    stream = page.locator(".live").first
    await expect(stream).to_contain_text("Connection lost, trying again")
    await expect(stream).to_have_class("live off")
    assert lost
    await page.unroute("**/events?*")
    await expect(stream).to_contain_text("Live; last fact")
    await expect(stream).to_have_class("live on")


@pytest.mark.parametrize("name", ["week", "timesheets", "payslip", "invoice", "margin", "tie-out"])
async def test_a_page_prints(name: str, week: Week, visits: Visits) -> None:
    """On A4: nothing runs off the paper, what can only be pressed is left out, the figures are there as text."""
    page = await signed_in(visits, week, name)
    await page.goto(await address_of(name, week))
    await ready(page)
    figures = await _figures(page)
    assert figures
    await page.emulate_media(media="print")
    await page.set_viewport_size({"width": PAPER_WIDTH, "height": 1000})
    for pressed in (".side", ".acts", ".filters", "main button"):
        for one in await page.locator(pressed).all():
            await expect(one).to_be_hidden()
    off = await page.evaluate(_OFF_PAPER)
    assert not off, f"off the paper: {off}"
    paper = pypdf.PdfReader(io.BytesIO(await page.pdf(format="A4")))
    printed = "".join(leaf.extract_text() for leaf in paper.pages).replace("\n", " ")
    assert not [one for one in figures if one not in printed]


async def _timesheets(person: Keyboard) -> None:
    await go(person, "t", "Timesheets")
    await expect(person.page).to_have_url(re.compile("/timesheets$"))


async def _figures(page: Page) -> list[str]:
    """Amounts of the page's first table, as they are written."""
    cells = await page.locator("main table").first.locator("td.n:visible").all_inner_texts()
    return [text.strip() for text in cells if "." in text][:20]


async def _late_placement(week: Week, agency: Agency) -> None:
    worker, placement = derived_id("e2e", "late-worker"), derived_id("e2e", "late-placement")
    put, at = week.client.put, agency.run.path
    await put("timesheet", at(f"workers/{worker}"), {"name": "Worker 90002 Testcase", "reference": "W-90002"})
    client = (await agency.sheets())[0]["client_id"]
    await put("timesheet", at(f"placements/{placement}"), {
        "worker_id": str(worker), "client_id": str(client), "name": "Picker", "reference": "P-90002",
        "starts_on": "2026-03-30", "ends_on": "2026-04-05",
    })  # fmt: skip
    await agency.post("timesheet", f"weeks/{agency.week}/open", {})


_PANEL = """<!doctype html><title>Panel</title><script src="/htmx.min.js" defer></script><script src="/app.js" defer></script>
<section id="preview" hx-get="/preview" hx-trigger="load, facts" data-refresh-on="facts">{}</section><button>Close</button>"""
_FIELD = '<textarea id="reason" hx-preserve>{}</textarea>'


async def test_nothing_is_redrawn_under_a_written_reason(browser: Browser) -> None:
    """Not while it has the focus, not after, and not by a look that was under way when the first letter was written."""
    looks = itertools.count(1)
    static = resources.files("reporting") / "static"

    async def answer(route: Route) -> None:
        name = route.request.url.rpartition("/")[2]
        if name == "preview":
            fresh = f'<input type="hidden" id="seen" value="{next(looks)}">{_FIELD.format("")}'
            await route.fulfill(body=fresh, content_type="text/html")
        elif name.endswith(".js"):
            await route.fulfill(body=(static / name).read_text(encoding="utf-8"), content_type="text/javascript")
        else:
            await route.fulfill(body=_PANEL.format(_FIELD.format("Given back")), content_type="text/html")

    page = await browser.new_page()
    try:
        await page.route("**/*", answer)
        await page.goto("http://panel.test/")
        seen, reason = page.locator("#seen"), page.locator("#reason")
        await expect(seen).to_have_value("1")
        await expect(reason).to_have_value("Given back")
        await _facts(page)
        assert [await seen.input_value(), await reason.input_value()] == ["1", "Given back"]
        await reason.fill("")
        await reason.focus()
        await _facts(page)
        assert await seen.input_value() == "1"
        await page.get_by_role("button").focus()
        await _facts(page)
        assert await seen.input_value() == "4"
    finally:
        await page.close()


async def _facts(page: Page) -> None:
    """A fact arrives, and the look that it causes is over."""
    await page.evaluate(
        """new Promise(over => { document.addEventListener("htmx:afterRequest", over, { once: true });
        htmx.trigger("#preview", "facts"); }).then(() => new Promise(next => setTimeout(next, 100)))"""
    )
