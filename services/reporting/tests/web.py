"""Signing in to the real app, in process, with other services that answer small."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from fastapi import FastAPI
from owners import URLS, Owners
from world import World

from paybill_common.service import Runtime, build_app
from paybill_importer.telling import Refusal
from reporting.api.forward import Forward
from reporting.store import imports


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def write_clients(file: Path, world: World, other: World) -> None:
    """Two programs and three people: a manager, a second person, and one who may only read."""
    agency = str(world.agency)
    file.write_text(
        json.dumps(
            {
                "clients": [
                    {"client_id": "crm", "client_secret_sha256": sha("s3"), "scopes": ["read"], "agencies": [agency]},
                    {"client_id": "paybill-cli", "secret_sha256": sha("cli"), "scopes": ["*"], "agencies": ["*"]},
                ],
                "people": [
                    person("pat", "Pat Payroll", ["*"], [agency]),
                    person("bea", "Bea Bureau", ["*"], ["*"]),
                    person("rae", "Rae Reader", ["read"], [str(other.agency)]),
                ],
            }
        )
    )


def drop_person(file: Path, subject: str) -> None:
    """Take a person off the clients file."""
    raw = json.loads(file.read_text())
    raw["people"] = [one for one in raw["people"] if one["subject"] != subject]
    file.write_text(json.dumps(raw))


def person(subject: str, name: str, scopes: list[str], agencies: list[str]) -> dict[str, Any]:
    code = sha(f"code-{subject}")
    return {"subject": subject, "name": name, "sign_in_code_sha256": code, "scopes": scopes, "agencies": agencies}


class Site:
    """The app with a cookie jar a person."""

    def __init__(self, runtime: Runtime, world: World) -> None:
        self.owners = Owners(world)
        self.app: FastAPI = build_app(runtime)
        self.app.state.forward = Forward(urls=URLS, signer=self.app.state.signer, transport=self.owners.transport())
        self.world = world
        self.week = f"/agencies/{world.agency}/weeks/{world.week}"

    def browser(self) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://reporting.test")

    @asynccontextmanager
    async def sign_in(self, subject: str = "pat") -> AsyncIterator[httpx.AsyncClient]:
        async with self.browser() as client:
            answer = await client.get("/sign-in", params={"code": f"code-{subject}"})
            assert answer.status_code == 303, answer.text
            yield client


def csrf_of(html: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', html)
    assert found, "the page has no form"
    return found.group(1)


async def told_of_a_file(site: Site, world: World, import_id: UUID, **tally: Any) -> None:
    """Another program has told how far a file of this agency is: done, one line refused."""
    app, known = (
        site.app.state,
        {"kind": "hours", "file_name": "hours.csv", "rows_total": 3, "state": "done", "error": None},
    )
    counts = {"accepted": 2, "duplicate": 0, "refused": 1}
    refusal = Refusal(4, "Date", "31/02/2026", "there is no such day", "check the day and the month")
    async with app.api_database.transaction(now=app.clock.now(), agencies=[world.agency]) as tx:
        mine = {"agency_id": world.agency, "import_id": import_id}
        await imports.tell(
            tx, **mine, tally=imports.Tally(**(known | counts | tally)), subject="paybill-cli", name="paybill-cli"
        )
        await imports.refuse(tx, **mine, refusals=[refusal])


@contextmanager
def no_leak(html: str) -> Iterator[None]:
    """A page loads nothing from elsewhere."""
    yield
    outside = [url for url in re.findall(r'(?:src|href)="(https?://[^"]+)"', html) if ".test" not in url]
    assert outside == []
