"""Importing a file by keyboard alone; the import outlives the browser and the process that runs it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
from playwright.async_api import expect

from paybill_common.ids import new_id
from paybill_stack.bootstrap import database_name
from paybill_stack.client import ApiClient
from paybill_stack.supervisor import Supervisor
from tests.e2e.conftest import Person, Visits
from tests.e2e.instance import Week, let_people_in, until
from tests.e2e.test_journeys import again_until, go, open_week
from tests.e2e.test_pages import findings

LINES = 2_600
WRONG = 1_300
"""The line without a name."""


def clients(path: Path) -> Path:
    """Clients with terms, so that two services own each line."""
    lines = [
        f"K-{n:05},{'' if n == WRONG else f'Client {n:05} Example Ltd'},{n} Example Park; Testham; ZZ2 2ZZ,standard,client,14"
        for n in range(2, LINES + 2)
    ]
    head = "Client ref,Name,Billing address,VAT treatment,Group by,Payment days"
    path.write_text("\n".join([head, *lines, ""]), encoding="utf-8")
    return path


async def agency_of_its_own(week: Week) -> tuple[ApiClient, UUID]:
    """A new agency, so that its many clients are in nobody's way."""
    agency_id = new_id()
    client = ApiClient(week.place.urls, week.place.credentials(), [agency_id])
    let_people_in(week.place.stack.paths)  # reading the credentials wrote the file that knows nobody of the tests
    body = {"name": f"Imports {agency_id.hex[-6:]} Example Ltd", "reference": f"I{agency_id.hex[-6:]}".upper()}
    await client.put("timesheet", f"/v1/agencies/{agency_id}", body | {"bank_holiday_division": "england-and-wales"})
    return client, agency_id


async def test_a_file_by_keyboard_with_errors_as_they_come(person: Person, week: Week, tmp_path: Path) -> None:
    agency = week.industrial
    file = tmp_path / "late hours.csv"
    file.write_text("Placement,Date,Hours\nP-NOBODY,30/03/2026,7:30\nP-NOBODY,31/02/2026,7:30\n", encoding="utf-8")
    paula = await person("paula")
    page = paula.page
    await open_week(paula, agency)
    await go(paula, "f", "Import files")
    await paula.to(page.locator("#kind-hours"))
    await paula.to(page.locator("#file"))
    await page.set_input_files("#file", file)  # the dialog that Enter opens is the system's
    await paula.enter(page.get_by_role("button", name="Import", exact=True))
    await expect(page.get_by_role("heading", level=1, name="Hours: late hours.csv")).to_be_visible()
    await expect(page.get_by_role("heading", name="Refused (2)")).to_be_visible()
    rows = page.locator("#refused tbody tr")
    await expect(rows.nth(0)).to_contain_text("P-NOBODY")
    await expect(rows.nth(1)).to_contain_text("31/02/2026")
    assert await findings(page) == []
    await paula.enter(page.get_by_role("link", name=f"Files of {agency.name}"))
    await expect(page.locator("#files")).to_contain_text("late hours.csv")
    await expect(page.locator("#files")).to_contain_text("Command line")


async def test_a_file_that_is_too_large_is_told_before_it_travels(person: Person, week: Week, tmp_path: Path) -> None:
    small, large = tmp_path / "hours.csv", tmp_path / "years of hours.csv"
    small.write_text("Placement,Date,Hours\n", encoding="utf-8")
    with large.open("wb") as file:
        file.truncate(26_500_000)
    paula = await person("paula")
    page = paula.page
    await open_week(paula, week.industrial)
    await go(paula, "f", "Import files")
    said = "document.querySelector('#file').validationMessage"
    await page.set_input_files("#file", large)
    assert await page.evaluate(said) == (
        "This file has 26.5 MB, and at most 25 MB can be sent. Split it into several files."
    )
    await paula.enter(page.get_by_role("button", name="Import", exact=True))
    await expect(page.get_by_role("heading", level=1, name="Import files")).to_be_visible()
    await page.set_input_files("#file", small)
    assert await page.evaluate(said) == ""


async def test_an_import_outlives_the_browser_and_a_kill_of_its_process(
    person: Person, visits: Visits, week: Week, tmp_path: Path
) -> None:
    """Killed while the second owner has not answered: it goes on after the restart, and each line is there once."""
    client, agency_id = await agency_of_its_own(week)
    stack = week.place.stack
    invoicing = await asyncpg.connect(stack.admin_dsn, database=database_name("invoicing"))
    async with client, closing(invoicing):
        paula = await person("paula")
        page = paula.page
        await page.goto(f"{week.ui}/agencies/{agency_id}/imports?kind=clients")
        await again_until(page, page.locator("#file"))
        async with invoicing.transaction():
            await invoicing.execute("LOCK TABLE client_terms IN ACCESS EXCLUSIVE MODE")
            await page.set_input_files("#file", clients(tmp_path / "all clients.csv"))
            await page.get_by_role("button", name="Import", exact=True).click()
            await expect(page.get_by_role("heading", level=1, name="Clients: all clients.csv")).to_be_visible()
            address = page.url
            path = f"/v1/agencies/{agency_id}/imports/{address.rpartition('/')[2].partition('?')[0]}"
            cookies = await page.context.storage_state()
            await page.context.close()

            async def over() -> dict[str, Any] | None:
                found: dict[str, Any] = await client.get("reporting", path)
                return found if found["ended_at"] else None

            async def begun() -> list[Any]:
                return await client.pages("timesheet", f"/v1/agencies/{agency_id}/clients")

            await until("the first owner has taken lines", begun)
            supervisor = Supervisor(stack)
            supervisor.kill("reporting")
        supervisor.start("reporting", wait=False)
        let_people_in(stack.paths)  # starting wrote it, too
        supervisor.wait_ready([("reporting", 1)])
        done = await until("the import is over", over, within_s=180)
        known = await client.pages("timesheet", f"/v1/agencies/{agency_id}/clients")
        terms = await client.pages("invoicing", f"/v1/agencies/{agency_id}/client-terms")
    assert (done["state"], done["accepted"], done["duplicate"], done["refused"]) == ("done", LINES - 1, 0, 1)
    assert len(known) == len(terms) == LINES - 1
    page = await visits.page(storage_state=cookies, accept_downloads=True)
    await page.goto(address)
    await expect(page.locator("#refused tbody tr")).to_have_count(1)
    await expect(page.locator("#refused tbody tr")).to_contain_text(f"{WRONG:,}")
    async with page.expect_download() as download:
        await page.locator("#receipts").click()
    receipts = await asyncio.to_thread(Path(await (await download.value).path()).read_text, encoding="utf-8")
    assert len(receipts.splitlines()) == LINES + 1


@asynccontextmanager
async def closing(connection: asyncpg.Connection) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await connection.close()
