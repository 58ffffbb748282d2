"""The person at the keyboard is stuck where somebody without a mouse would be: this is what makes the journeys proofs."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page

from tests.e2e.keyboard import Keyboard, NoFocusRing


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    page = await browser.new_page()
    yield page
    await page.close()


SEEN = {
    "the browser's own ring": "",
    "an outline": "button:focus-visible { outline: 2px solid blue }",
    "a shadow": "button { outline: none } button:focus-visible { box-shadow: 0 0 0 3px blue }",
    "a shadow that grows": "button { outline: none; box-shadow: 0 0 1px gray } button:focus { box-shadow: 0 0 0 3px blue }",
}
UNSEEN = {
    "no outline": "button { outline: none }",
    "an outline of no width": "button:focus { outline: 0 solid blue }",
    "a shadow that is always there": "button { outline: none; box-shadow: 0 0 3px gray }",
    "an outline that is always there": "button { outline: 2px solid blue }",
}


async def shown(page: Page, css: str, body: str = "<a href='#'>first</a><button>Pay</button>") -> Keyboard:
    await page.set_content(f"<style>{css}</style>{body}")
    return Keyboard(page)


@pytest.mark.parametrize("css", SEEN.values(), ids=list(SEEN))
async def test_a_ring_is_seen(page: Page, css: str) -> None:
    keys = await shown(page, css)
    await keys.to(page.get_by_role("button"))


@pytest.mark.parametrize("css", UNSEEN.values(), ids=list(UNSEEN))
async def test_focus_without_a_ring_is_a_failure(page: Page, css: str) -> None:
    keys = await shown(page, css)
    with pytest.raises(NoFocusRing):
        await keys.to(page.get_by_role("button"))


async def test_a_hidden_choices_ring_is_around_its_words(page: Page) -> None:
    css = "input { opacity: 0; outline: none } label:has(:focus-visible) { outline: 3px solid blue }"
    keys = await shown(page, css, "<label><input type='radio' name='r'>Right</label>")
    await keys.to(page.get_by_role("radio"))


async def test_what_has_the_focus_from_the_start_shows_it_too(page: Page) -> None:
    seen = await shown(page, "", "<input autofocus>")
    await page.locator("input").focus()
    await seen.to(page.locator("input"))
    unseen = await shown(page, "input { outline: none }", "<input autofocus>")
    await page.locator("input").focus()
    with pytest.raises(NoFocusRing):
        await unseen.to(page.locator("input"))


async def test_what_no_tab_reaches_is_a_failure(page: Page) -> None:
    keys = await shown(page, "", "<a href='#'>first</a><button tabindex='-1'>Pay</button>")
    with pytest.raises(AssertionError, match="do not reach"):
        await keys.to(page.get_by_role("button"))
