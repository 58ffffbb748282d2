"""Photograph every page of a running demo as people see it: `python -m tools.pictures SIGN_IN_LINK FOLDER`.

Each page at a desk's width and on a phone; the main ones in the dark, on a wide screen and printed too.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tools.browser import ensure_browser

DESK, PHONE, WIDE = (1280, 900), (390, 844), (2560, 1300)
OF_A_WEEK = ("", "timesheets", "holds", "pay", "payslips", "invoices", "margin", "tie-out", "what-if", "approvers")
RECORDS = {"timesheets": "timesheet", "payslips": "payslip", "invoices": "invoice"}


def main(argv: Sequence[str] | None = None) -> int:
    """Sign in by the link and write the pictures. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("link", help="the sign-in link that the demo printed")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", help="the one picture to take, such as week")
    arguments = parser.parse_args(argv)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=ensure_browser(), args=sandbox)
        signed_in = browser.new_context()
        front = signed_in.new_page()
        front.goto(arguments.link)
        origin = "://".join(urlsplit(arguments.link)[:2])
        pages = {name: url for name, url in addresses(front, origin) if arguments.only in (None, name)}
        for name, url in pages.items():
            take(browser, signed_in, url, arguments.folder / f"{name}.png", DESK)
            if name in ("week", "payslip", "holds"):
                take(browser, signed_in, url, arguments.folder / f"{name}-dark.png", DESK, scheme="dark")
                take(browser, signed_in, url, arguments.folder / f"{name}-wide.png", WIDE)
                printed(signed_in, url, arguments.folder / f"{name}.pdf")
            if arguments.only is None:
                take(browser, signed_in, url, arguments.folder / f"{name}-phone.png", PHONE)
        browser.close()
    return 0


def addresses(page: Page, origin: str) -> Iterator[tuple[str, str]]:
    """(name, address) of each kind of page, one record of each."""
    yield "bureau", f"{origin}/bureau"
    page.goto(f"{origin}/bureau")
    page.wait_for_load_state("load")
    page.goto(next(link for link in links(page) if "/agencies/" in link))
    week = page.url
    for name in OF_A_WEEK:
        yield name or "week", f"{week}/{name}".rstrip("/")
    for listed, record in RECORDS.items():
        page.goto(f"{week}/{listed}")
        found = [link for link in links(page) if f"/{listed}/" in urlsplit(link).path and "/weeks/" not in link]
        if found:
            yield record, found[0]
    yield "system", f"{origin}/system"
    yield "developers", f"{origin}/developers"


def links(page: Page) -> list[str]:
    """The absolute addresses that the page's body links to."""
    found: list[str] = page.eval_on_selector_all("main a[href]", "all => all.map(a => a.href.split('#')[0])")
    return found


def take(
    browser: Browser, signed_in: BrowserContext, url: str, to: Path, size: tuple[int, int], scheme: str = "light"
) -> None:
    """One picture of a whole page."""
    context = browser.new_context(
        storage_state=signed_in.storage_state(),
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if scheme == "dark" else "light",
        locale="en-GB",
        timezone_id="Europe/London",
    )
    page = context.new_page()
    page.goto(url)
    page.wait_for_timeout(900)
    page.screenshot(path=to, full_page=True)
    context.close()


def printed(signed_in: BrowserContext, url: str, to: Path) -> None:
    """The page as it leaves a printer."""
    page = signed_in.new_page()
    page.goto(url)
    page.wait_for_timeout(900)
    page.pdf(path=to, format="A4")
    page.close()


if __name__ == "__main__":
    raise SystemExit(main())
