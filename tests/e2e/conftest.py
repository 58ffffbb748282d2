"""Fixtures of the journeys: the services with a small week, a browser, people signed in, and what a failure leaves behind."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from tests.e2e.instance import INSTANCE, Week, loaded_week, screenshots, start, stop
from tests.e2e.keyboard import Keyboard
from tools.browser import ensure_browser

PATIENCE_MS = 15_000
expect.set_options(timeout=PATIENCE_MS)
_REPORT = pytest.StashKey[pytest.TestReport]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here is an e2e test."""
    for item in items:
        if item.path.is_relative_to(os.path.dirname(__file__)):
            item.add_marker(pytest.mark.e2e)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep what became of the test itself, for the screenshots."""
    report = yield
    if report.when == "call":
        item.stash[_REPORT] = report
    return report


@pytest.fixture(scope="session")
def services() -> Iterator[None]:
    """Kafka, Postgres and the five services, pay-calc twice; stopped at the end whatever happens."""
    try:
        start()
        yield
    finally:
        stop(INSTANCE)


@pytest.fixture(scope="session")
async def week(services: None) -> AsyncIterator[Week]:
    """The loaded week."""
    async with loaded_week() as found:
        yield found


async def launch(playwright: Any) -> Browser:
    """Chromium without a window; as root without its sandbox, which root cannot have."""
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    browser: Browser = await playwright.chromium.launch(executable_path=ensure_browser(), args=arguments)
    return browser


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        found = await launch(playwright)
        yield found
        await found.close()


class Visits:
    """Browser contexts of one test, each a person of its own; knows every host that was asked."""

    def __init__(self, browser: Browser, week: Week) -> None:
        self._browser = browser
        self._week = week
        self.contexts: list[BrowserContext] = []
        self.asked: list[str] = []
        self.complaints: list[str] = []

    async def page(self, **options: Any) -> Page:
        """A page of a person who is not signed in. `options` as for a browser context: viewport, color_scheme, …"""
        context = await self._browser.new_context(
            **{"locale": "en-GB", "timezone_id": "Europe/London", "viewport": {"width": 1280, "height": 900}} | options
        )
        context.set_default_timeout(PATIENCE_MS)
        context.on("request", lambda request: self.asked.append(request.url))
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        self.contexts.append(context)
        return await context.new_page()

    async def person(self, subject: str, **options: Any) -> Keyboard:
        """Somebody at the keyboard, signed in by typing the code."""
        page = await self.page(**options)
        keys = Keyboard(page)
        await page.goto(self._week.ui)
        await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        await keys.fill(page.get_by_label("Sign-in code"), self._week.codes[subject])
        await keys.press("Enter")
        await expect(page.get_by_role("button", name="Sign out")).to_be_attached()
        return keys

    def strangers(self) -> list[str]:
        """Requests that went to anybody but our services."""
        ours = {urlsplit(url).netloc for url in self._week.place.urls.values()}
        return [
            url for url in self.asked if urlsplit(url).scheme in ("http", "https") and urlsplit(url).netloc not in ours
        ]


@pytest.fixture
async def visits(browser: Browser, week: Week, request: pytest.FixtureRequest) -> AsyncIterator[Visits]:
    """People of one test. Afterwards: no other host was asked, no script failed; a failed test leaves screenshots."""
    found = Visits(browser, week)
    yield found
    report = request.node.stash.get(_REPORT, None)
    if report is not None and report.failed:
        for number, page in enumerate(page for context in found.contexts for page in context.pages):
            with suppress(Exception):  # a page that is gone has no picture; the test's own failure is what counts
                await page.screenshot(path=screenshots() / f"{request.node.name}-{number}.png", full_page=True)
    for context in found.contexts:
        await context.close()
    assert not found.strangers(), f"requests to other hosts: {found.strangers()[:5]}"
    assert not found.complaints, f"scripts failed: {found.complaints[:5]}"


Person = Callable[..., Awaitable[Keyboard]]


@pytest.fixture
def person(visits: Visits) -> Person:
    """`await person("paula")`: somebody at the keyboard, signed in."""
    return visits.person
