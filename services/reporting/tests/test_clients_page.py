"""A consultant's own page: who has not sent or approved, one press to chase them, and margin beside last week's; and the bureau's order."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from test_words_on_pages import read_aloud
from web import Site, csrf_of
from world import WEEK, World

from reporting.domain import show

pytestmark = pytest.mark.integration


def said(page: str) -> str:
    return " ".join(read_aloud(page).split())


def row_of(page: str, name: str) -> str:
    """The table row that names a client."""
    return next(said(row) for row in re.findall(r"<tr data-href.*?</tr>", page, re.DOTALL) if name in row)


async def margins(site: Site, world: World, consultant: int) -> dict[str, Decimal]:
    """Charge less cost of a consultant's approved timesheets by client, from the facts themselves."""
    found: dict[str, Decimal] = {}
    for n in world.of("approved"):
        if n % 4 == consultant:
            pay = sum((line.pay_gbp for line in world.lines(n)), Decimal(0))
            charge = sum((line.charge_gbp for line in world.lines(n)), Decimal(0))
            employer = (pay * Decimal("0.115")).quantize(Decimal("0.01")) if world.basis(n) == "paye" else Decimal(0)
            name = f"Client {n % 6:02d} Example Ltd"
            found[name] = found.get(name, Decimal(0)) + charge - pay - employer
    return found


async def test_each_client_says_what_has_not_come_and_its_margin_beside_last_week(
    site: Site, feed: Callable[..., Any]
) -> None:
    world = site.world
    last = World(name=world.name, week=WEEK - timedelta(days=7), size=20)
    await feed(last.monday().facts)
    async with site.sign_in() as browser:
        page = (await browser.get(f"{site.week}/clients?consultant_id={world.id('consultant', 3)}")).text
    now, before = await margins(site, world, 3), await margins(site, last, 3)
    assert set(before) <= set(now)
    for name, margin in now.items():
        row = row_of(page, name)
        change = margin - before.get(name, Decimal(0))
        assert show.money(margin) in row, (name, row)
        assert show.money(change) in row, (name, row)
        if name in before:
            assert show.money(before[name]) in row
    waiting = [
        n for n in range(world.size) if n % 4 == 3 and world.state_of(n) in ("expected", "submitted", "rejected")
    ]
    assert [world.state_of(n) for n in waiting] == ["submitted"] * len(waiting)
    late = page[page.index("Who has not sent or approved") :]
    assert set(re.findall(r"TS-\d{5}", late)) == {f"TS-{n:05d}" for n in waiting}


async def test_one_press_chases_those_of_the_consultant_alone(site: Site) -> None:
    world = site.world
    me = world.id("consultant", 2)
    async with site.sign_in() as browser:
        page = (await browser.get(f"{site.week}/clients?consultant_id={me}")).text
        missing = [n for n in world.of("expected") if n % 4 == 2]
        assert f"Chase {len(missing)} who have not sent hours" in page
        form = {
            "csrf": csrf_of(page),
            "week_ending": str(world.week),
            "consultant_id": str(me),
            "key": "once",
            "back": f"{site.week}/clients",
        }
        answer = await browser.post(f"/agencies/{world.agency}/commands/chase", data=form)
        assert "Chased 4 who have not sent hours" in (await browser.get(answer.headers["location"])).text
    [sent] = site.owners.sent()
    assert sent.url.path.endswith(f"/weeks/{world.week}/chase")
    assert json.loads(sent.content) == {"consultant_id": str(me)}


async def test_the_page_opens_with_the_consultant_that_the_person_is(site: Site, tmp_path: Path) -> None:
    world = site.world
    file = tmp_path / "clients.json"
    raw = json.loads(file.read_text())
    raw["people"][0]["consultants"] = [str(world.id("consultant", 1))]
    async with site.sign_in() as browser:
        asked = said((await browser.get(f"{site.week}/clients")).text)
        file.write_text(json.dumps(raw) + "\n")
        mine = said((await browser.get(f"{site.week}/clients")).text)
        theirs = said((await browser.get(f"{site.week}/clients?consultant_id={world.id('consultant', 0)}")).text)
        nobody = said((await browser.get(f"{site.week}/clients?consultant_id={world.id('consultant', 99)}")).text)
    assert "Whose clients?" in asked
    assert "My clients, w/e 5 Apr 2026 Consultant 01 Testcase" in mine
    assert "Clients of Consultant 00 Testcase" in theirs
    assert "Nothing in this week or the week before" in nobody


async def test_the_bureau_puts_the_late_agency_first_and_then_the_most_at_risk(
    site: Site, feed: Callable[..., Any]
) -> None:
    small, big = World(name="Small (demo)", size=10), World(name="Big (demo)", size=80)
    late = World(name="Late (demo)", size=4, week=WEEK - timedelta(days=14))
    for world in (small, big, late):
        await feed(world.monday().facts)
    async with site.sign_in("bea") as browser:
        page = (await browser.get("/bureau")).text
    table = page[page.index('aria-label="Agencies"') : page.index("</tbody>")]
    names = re.findall(r'class="row-link"[^>]*>([^<]+)<', table)
    assert names[0] == "Late (demo)"
    assert [name for name in names if name != "Care (demo)"][1:] == [
        "Big (demo)",
        "Northern Industrial (demo)",
        "Small (demo)",
    ]
    risks = [Decimal(row.replace(",", "")) for row in re.findall(r'<td class="n">([\d,.]+)</td><td class="xl">', table)]
    assert risks[1:] == sorted(risks[1:], reverse=True)
    assert len(risks) == len(names) == 5
