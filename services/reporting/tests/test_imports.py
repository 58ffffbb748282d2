"""Files that are imported: told by a program, or sent from a page, which goes on whatever stops it and sends no line twice."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from openpyxl import Workbook
from owners import URLS
from test_api import token
from test_words_on_pages import read_aloud
from web import Site, csrf_of, drop_person, told_of_a_file
from world import World

from paybill_common.ids import new_id
from paybill_importer.layouts import LAYOUTS, Kind
from reporting.api import importing as background
from reporting.api.forward import Forward
from reporting.api.importing import sender_of
from reporting.domain import file_import as rules
from reporting.store import imports as store
from reporting.usecases import importing
from reporting.usecases.importing import DatabaseJournal, LostFile, Sender

pytestmark = pytest.mark.integration
Answer = Callable[[httpx.Request], Awaitable[httpx.Response]]


class Timesheet:
    """Takes rows as the owner does: the first answer again for a known key; `wrong` is refused. The other owners take all."""

    def __init__(self) -> None:
        self.answers: dict[str, dict[str, Any]] = {}
        self.rows: list[int] = []
        """Rows that it has taken as new, in order."""
        self.asked = 0
        self.before: Callable[[httpx.Request], Awaitable[None]] = _at_once
        self.instead: Callable[[httpx.Request], httpx.Response | None] = lambda request: None

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        await self.before(request)
        other = self.instead(request)
        if other is not None:
            return other
        key, body = request.headers["Idempotency-Key"], json.loads(request.content)
        if key not in self.answers:
            if "rows" not in body:
                self.answers[key] = {"receipts": []}
            else:
                self.rows += [row["row"] for row in body["rows"]]
                self.answers[key] = {"receipts": [_receipt(row) for row in body["rows"]]}
        return httpx.Response(200, json=self.answers[key])


async def _at_once(_: httpx.Request) -> None:
    """Answers as soon as it is asked."""


def _receipt(row: Mapping[str, Any]) -> dict[str, Any]:
    said = {"row": row["row"], "record_id": str(UUID(int=row["row"]))}
    if "wrong" in row["values"].values():
        fault = {"column": "worked_on", "value": "wrong", "reason": "this is not a date", "hint": "03/04/2026"}
        return said | {"status": "refused"} | fault
    return said | {"status": "accepted"}


def sender(site: Site, owner: Answer) -> Sender:
    """Another process of this service."""
    state = site.app.state
    outward = Forward(urls=URLS, signer=state.signer, transport=httpx.MockTransport(owner))
    return sender_of(state.runtime, state.clients, outward)


def hours(lines: int, *wrong: int) -> str:
    rows = [f"P-{n:05},{'wrong' if n in wrong else '30/03/2026'},7:30" for n in range(2, lines + 2)]
    return "\n".join(["Placement ref,Date,Hours", *rows, ""])


async def send(
    browser: httpx.AsyncClient, world: World, content: str | bytes, *, name: str = "hours.csv", **form: str
) -> httpx.Response:
    page = f"/agencies/{world.agency}/imports"
    fields = {
        "csrf": csrf_of((await browser.get(page)).text),
        "key": str(new_id()),
        "kind": "hours",
        "encoding": "utf-8",
    }
    return await browser.post(page, data=fields | form, files={"file": (name, content, "text/csv")})


async def taken(browser: httpx.AsyncClient, world: World, content: str | bytes, **form: str) -> str:
    """The path of the file's page."""
    answer = await send(browser, world, content, **form)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def seen(browser: httpx.AsyncClient, path: str) -> str:
    answer = await browser.get(path)
    assert answer.status_code == 200, answer.text
    return " ".join(read_aloud(answer.text).split())


async def receipts_of(browser: httpx.AsyncClient, path: str) -> list[dict[str, str]]:
    file = path.replace("/progress/import/", "/imports/") + "/receipts.csv"
    return list(csv.DictReader(io.StringIO((await browser.get(file)).content.decode("utf-8-sig"))))


async def count(site: Site, table: str) -> int:
    async with site.app.state.worker_database.transaction(now=site.app.state.clock.now()) as tx:
        return int((await tx.execute(f"SELECT count(*) FROM {table}")).scalar_one())


def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is held is tried again without a pause."""
    for name in ("BACKOFF_FIRST_S", "BACKOFF_MAX_S", "AWAY_S"):
        monkeypatch.setattr(importing, name, 0)
    monkeypatch.setattr(background, "PAUSES_S", ())


@asynccontextmanager
async def under_way(sending: Sender) -> AsyncIterator[asyncio.Event]:
    """The sender at work; it is stopped at the end, as a process is that is told to go."""
    stop = asyncio.Event()
    task = asyncio.create_task(sending.send_next(stop))
    try:
        yield stop
    finally:
        stop.set()
        await asyncio.wait_for(task, timeout=20)


async def test_a_file_from_a_page_is_sent_and_each_line_has_its_receipt(site: Site) -> None:
    owner = Timesheet()
    async with site.sign_in() as browser:
        path = await taken(browser, site.world, hours(40, 7, 21))
        assert "Waits its turn" in await seen(browser, path)
        assert await sender(site, owner).send_next(asyncio.Event())
        text, listed = await seen(browser, path), await seen(browser, f"/agencies/{site.world.agency}/progress")
        receipts = await receipts_of(browser, path)
    assert owner.rows == list(range(2, 42))
    for said in (
        "Hours: hours.csv",
        "Done, some refused",
        "Accepted 38",
        "Known already 0",
        "Refused 2",
        "Refused (2)",
    ):
        assert said in text, said
    assert "7 Date wrong this is not a date 03/04/2026" in text
    assert "Hours: hours.csv Done, some refused 40 lines" in listed
    assert [int(one["row"]) for one in receipts] == list(range(2, 42))
    assert [one["row"] for one in receipts if one["status"] == "refused"] == ["7", "21"]
    assert await count(site, "import_content") == 0, "the file goes when it is over"
    assert not await sender(site, owner).send_next(asyncio.Event()), "nothing waits"


async def test_a_file_that_cannot_be_read_is_refused_on_the_spot(site: Site) -> None:
    async with site.sign_in() as browser:
        nameless = await send(browser, site.world, "Ref,Who\n1,2\n")
        latin = await send(browser, site.world, "Placement ref,Date,Hours\nCaf\xe9,30/03/2026,1\n".encode("latin-1"))
        nothing = await send(browser, site.world, "")
        windows = await send(
            browser, site.world, "Placement ref,Date,Hours\nCaf\xe9,30/03/2026,1\n".encode("cp1252"), encoding="cp1252"
        )
    assert [one.status_code for one in (nameless, latin, nothing, windows)] == [422, 422, 422, 303]
    said = " ".join(read_aloud(nameless.text).split())
    assert "Nothing was imported: hours.csv has no column" in said, said
    assert "paybill-upload" not in nameless.text, "no path of the server"
    assert "hours.csv line 2: byte 0xe9 is not utf-8" in read_aloud(latin.text)
    assert "hours.csv is empty" in read_aloud(nothing.text)
    assert await count(site, "file_import") == 1


async def test_excel_too_and_its_end_tells_how_many_lines_there_were(site: Site) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (["Placement ref", "Date", "Hours"], ["P-1", "30/03/2026", 7.5], ["P-1", "31/03/2026", 8]):
        sheet.append(row)
    raw = io.BytesIO()
    book.save(raw)
    async with site.sign_in() as browser:
        path = await taken(browser, site.world, raw.getvalue(), name="Week 14 £.xlsx")
        await sender(site, Timesheet()).send_next(asyncio.Event())
        text = await seen(browser, path)
    assert "Hours: Week 14 £.xlsx" in text
    assert "Accepted 2" in text


async def test_a_stopped_import_goes_on_elsewhere_and_sends_no_line_twice(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process goes while two batches have their receipts and others are on their way: some have come through unseen."""
    monkeypatch.setattr(importing, "BATCH_ROWS", 10)
    owner, reached = Timesheet(), asyncio.Event()

    async def before(request: httpx.Request) -> None:
        if owner.asked > 4:
            reached.set()
            await asyncio.Event().wait()

    owner.before = before
    async with site.sign_in() as browser:
        path = await taken(browser, site.world, hours(95, 33))
        async with under_way(sender(site, owner)):
            await asyncio.wait_for(reached.wait(), timeout=20)
            half = await seen(browser, path)
        owner.before = _at_once
        assert await sender(site, owner).send_next(asyncio.Event())
        text, receipts = await seen(browser, path), await receipts_of(browser, path)
    assert "of 95 lines have their receipt" in half
    assert sorted(owner.rows) == list(range(2, 97)), "each line once"
    assert [int(one["row"]) for one in receipts] == list(range(2, 97))
    assert "Accepted 94" in text
    assert "Refused 1" in text


async def test_a_service_that_is_away_is_asked_again_and_the_page_says_so(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once(monkeypatch)
    owner, back = Timesheet(), asyncio.Event()

    def instead(request: httpx.Request) -> httpx.Response | None:
        if back.is_set():
            return None
        raise httpx.ConnectError("refused", request=request)

    owner.instead = instead
    async with site.sign_in() as browser:
        path = await taken(browser, site.world, hours(3))
        for _ in range(importing.TRIES_MAX + 3):
            assert await sender(site, owner).send_next(asyncio.Event())
        held = await seen(browser, path)
        back.set()
        assert await sender(site, owner).send_next(asyncio.Event())
        text = await seen(browser, path)
    assert "Waits for a service" in held
    assert "The timesheet service does not answer: ConnectError. It is tried again by itself" in held
    assert "Accepted 3" in text


async def test_what_an_owner_refuses_as_a_whole_ends_it_with_the_owners_words(site: Site) -> None:
    owner = Timesheet()
    problem = {"code": "scope_missing", "detail": "This needs the scope write.", "hint": "Ask for it."}
    owner.instead = lambda request: httpx.Response(403, json=problem)
    async with site.sign_in() as browser:
        path = await taken(browser, site.world, hours(3))
        await sender(site, owner).send_next(asyncio.Event())
        text = await seen(browser, path)
    assert "Broken off" in text
    assert "This needs the scope write." in text
    assert await count(site, "import_content") == 0


async def test_who_lost_the_right_meanwhile_sends_no_more(site: Site, tmp_path: Path) -> None:
    owner = Timesheet()
    async with site.sign_in() as browser, site.sign_in("bea") as other:
        path = await taken(browser, site.world, hours(3))
        drop_person(tmp_path / "clients.json", "pat")
        await sender(site, owner).send_next(asyncio.Event())
        text = await seen(other, path)
    assert owner.asked == 0
    assert "Whoever sent this file may not act for this agency any more." in text


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx.Response(200, json={"unexpected": True}), "Something went wrong on our side."),
        (httpx.Response(500, json={"detail": "no"}), "The timesheet service fails (500)."),
    ],
)
async def test_what_fails_each_time_is_not_tried_without_end_and_lets_the_next_file_go(
    site: Site, monkeypatch: pytest.MonkeyPatch, answer: httpx.Response, said: str
) -> None:
    at_once(monkeypatch)
    owner = Timesheet()
    owner.instead = lambda request: httpx.Response(answer.status_code, content=answer.content)
    async with site.sign_in() as browser:
        path = await taken(browser, site.world, hours(3))
        next_path = await taken(browser, site.world, hours(2))
        for _ in range(importing.TRIES_MAX):
            assert await sender(site, owner).send_next(asyncio.Event())
        held = await seen(browser, path)
        assert await sender(site, owner).send_next(asyncio.Event())
        text = await seen(browser, path)
        assert await sender(site, Timesheet()).send_next(asyncio.Event())
        after = await seen(browser, next_path)
    assert said in held
    assert "Waits for a service" in held
    assert f"{said} " in text
    assert f"After {importing.TRIES_MAX} tries without a step on, no more is sent." in text
    assert "Accepted 2" in after


async def test_a_file_that_is_held_keeps_no_other_agency_waiting(site: Site) -> None:
    other: World = site.other  # type: ignore[attr-defined]
    owner = Timesheet()
    owner.instead = lambda request: (
        httpx.Response(503, json={"detail": "away"}) if str(site.world.agency) in request.url.path else None
    )
    async with site.sign_in("bea") as browser:
        await taken(browser, site.world, hours(3))
        theirs = await taken(browser, other, hours(5))
        only = sender(site, owner)
        assert await only.send_next(asyncio.Event())
        assert await only.send_next(asyncio.Event())
        assert "Accepted 5" in await seen(browser, theirs)


async def test_a_process_that_says_nothing_any_more_loses_the_file_and_can_end_nothing(site: Site) -> None:
    state = site.app.state
    async with site.sign_in() as browser:
        path = await taken(browser, site.world, hours(3))
        async with state.worker_database.transaction(now=state.clock.now()) as tx:
            dead = await store.claim(tx, by=new_id())
        assert dead is not None
        assert not await sender(site, Timesheet()).send_next(asyncio.Event()), "it is still the other's"
        async with state.worker_database.transaction(now=state.clock.now()) as tx:
            assert await store.renew(tx, dead)
            await tx.execute("UPDATE file_import SET leased_until = clock_timestamp()")
            taken_over = await store.claim(tx, by=new_id())
            assert taken_over is not None
            assert not await store.renew(tx, dead)
            await store.end(tx, dead, error="too late")
            await store.release(tx, dead)
            await store.hold(tx, dead, error="too late", seconds=0, fault=True)
            found = await store.find(tx, agency_id=dead.agency_id, import_id=dead.import_id)
            await store.release(tx, taken_over)
        assert found == taken_over
        assert await sender(site, Timesheet()).send_next(asyncio.Event())
        assert "Accepted 3" in await seen(browser, path)


async def test_another_file_from_the_same_form_is_another_import(site: Site) -> None:
    """A form that the browser brought back has the key that it had."""
    async with site.sign_in() as browser:
        first = await taken(browser, site.world, hours(3), key="k")
        second = await taken(browser, site.world, hours(4), key="k")
    assert first != second


async def test_a_damaged_workbook_is_told_as_such(site: Site) -> None:
    sheet = zipped({"xl/workbook.xml": "<workbook"})
    bomb = zipped({"xl/sharedStrings.xml": " " * 31_000_000})
    async with site.sign_in() as browser:
        for content in (b"PK\x03\x04 and nothing", sheet, bomb):
            answer = await send(browser, site.world, content, name="w.xlsx")
            assert answer.status_code == 422, answer.text
            said = " ".join(read_aloud(answer.text).split())
            assert "Nothing was imported: w.xlsx" in said
    assert "send it as CSV" in said


def zipped(files: Mapping[str, str]) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return raw.getvalue()


async def test_headers_that_cannot_be_shown_and_blank_lines(site: Site) -> None:
    owner = Timesheet()
    content = "Placement ref,Date\x00 ,Hours\n\n,,\nP-1,wrong,1\n ,,\n"
    async with site.sign_in() as browser:
        path = await taken(browser, site.world, content)
        begun = await seen(browser, path)
        await sender(site, owner).send_next(asyncio.Event())
        text = await seen(browser, path)
    assert "0 of 1 lines have their receipt" in begun
    assert "4 Date wrong this is not a date" in text


async def test_the_same_form_twice_is_one_import(site: Site) -> None:
    async with site.sign_in() as browser:
        first = await taken(browser, site.world, hours(3), key="k")
        second = await taken(browser, site.world, hours(3), key="k")
    assert first == second
    assert await count(site, "file_import") == 1


async def test_files_of_an_agency_go_one_after_the_other_those_of_another_do_not_wait(site: Site) -> None:
    owner, reached = Timesheet(), asyncio.Event()

    async def never(_: httpx.Request) -> None:
        reached.set()
        await asyncio.Event().wait()

    owner.before = never
    other: World = site.other  # type: ignore[attr-defined]
    async with site.sign_in("bea") as browser:
        await taken(browser, site.world, hours(3))
        await taken(browser, site.world, hours(4))
        theirs = await taken(browser, other, hours(5))
        async with under_way(sender(site, owner)):
            await asyncio.wait_for(reached.wait(), timeout=20)
            second = Timesheet()
            assert await sender(site, second).send_next(asyncio.Event())
            assert not await sender(site, second).send_next(asyncio.Event()), "the first is not over"
        assert "Accepted 5" in await seen(browser, theirs)
    assert len(second.rows) == 5


async def test_a_person_stops_an_import_and_the_next_file_goes(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "BATCH_ROWS", 10)
    owner, reached, go = Timesheet(), asyncio.Event(), asyncio.Event()

    async def before(request: httpx.Request) -> None:
        if owner.asked > 4:
            reached.set()
            await go.wait()

    owner.before = before
    async with site.sign_in() as browser:
        path = await taken(browser, site.world, hours(95))
        next_path = await taken(browser, site.world, hours(3))
        door = path.replace("/progress/import/", "/imports/") + "/stop"
        only = sender(site, owner)
        sending = asyncio.create_task(only.send_next(asyncio.Event()))
        await asyncio.wait_for(reached.wait(), timeout=20)
        page = (await browser.get(path)).text
        assert "Stop it: send none of the other" in page
        assert (await browser.post(door, data={"csrf": "no"})).status_code == 403
        assert (await browser.post(door, data={"csrf": csrf_of(page)})).status_code == 303
        go.set()
        await asyncio.wait_for(sending, timeout=20)
        text = await seen(browser, path)
        assert await only.send_next(asyncio.Event())
        assert "Accepted 3" in await seen(browser, next_path)
        again = await browser.post(door, data={"csrf": csrf_of(page)}, follow_redirects=True)
    assert "Stopped by Pat Payroll. Import the file again to send the rest" in text
    assert "There was nothing to stop" in again.text
    assert len(owner.rows) < 95 + 3


async def test_a_process_that_was_taken_for_dead_writes_nothing_more(site: Site) -> None:
    state = site.app.state
    async with site.sign_in() as browser:
        path = await taken(browser, site.world, hours(3))
        import_id = UUID(path.rpartition("/")[2])
        async with state.worker_database.transaction(now=state.clock.now()) as tx:
            file = await store.claim(tx, by=new_id())
        assert file is not None
        frozen = DatabaseJournal(state.worker_database, state.clock, file)
        async with state.worker_database.transaction(now=state.clock.now()) as tx:
            await store.release(tx, file)
        assert await sender(site, Timesheet()).send_next(asyncio.Event())
        with pytest.raises(LostFile):
            await frozen.keep([])
    async with state.worker_database.transaction(now=state.clock.now()) as tx:
        found = await store.find(tx, agency_id=site.world.agency, import_id=import_id)
    assert found is not None
    assert (found.state, found.accepted) == ("done", 3)


async def test_why_a_line_was_refused_that_payroll_alone_may_read(site: Site, tmp_path: Path) -> None:
    """What payroll's columns hold is kept nowhere; what pay-calc says of a line, in its own names, is shown to payroll alone."""
    owner = Timesheet()
    problem = {"code": "invalid", "detail": "2 profiles are wrong.", "errors": [
        {"pointer": "#/profiles/0/tax_code", "detail": "'1257Q' is not a tax code", "code": "bad_tax_code"},
    ]}  # fmt: skip
    owner.instead = lambda request: (
        httpx.Response(422, json=problem)
        if "W-2" in request.content.decode() and "profiles" in request.url.path
        else None
    )
    content = (
        "Reference,Forename,Surname,NI number,Tax code,Date of birth,Started on\n"
        "W-1,Ann,Example,QQ123456C,1257L,31/02/1990,01/02/2026\n"
        "W-2,Ben,Example,QQ123456C,1257Q,01/02/1990,01/02/2026\n"
    )
    async with site.sign_in("bea") as bea:
        path = await taken(bea, site.world, content, kind="workers")
        await sender(site, owner).send_next(asyncio.Event())
        payroll, receipts = await seen(bea, path), await receipts_of(bea, path)
    clients = json.loads((tmp_path / "clients.json").read_text())
    next(one for one in clients["people"] if one["subject"] == "pat")["scopes"] = ["read", "write"]
    (tmp_path / "clients.json").write_text(json.dumps(clients))
    file = path.replace("/progress/import/", "/imports/")
    async with site.sign_in() as pat:
        others = await seen(pat, path)
        table = (await pat.get(f"{file}/refused.csv")).text
        forbidden = await pat.get(f"{file}/receipts.csv")
    assert "'1257Q' is not a tax code" in payroll
    assert [one["value"] for one in receipts] == ["", ""]
    assert "1990" not in payroll
    assert "Refused 2" in others
    assert "1257Q" not in others + table
    assert "a detail for payroll is refused" in others
    assert forbidden.status_code == 403


async def test_only_who_may_write_sends_and_only_the_agencys_people_see(site: Site) -> None:
    other: World = site.other  # type: ignore[attr-defined]
    async with site.sign_in() as browser:
        path = await taken(browser, site.world, hours(3))
        foreign = await send(browser, site.world, hours(3), name="x.csv")
        assert foreign.status_code == 303
        page = f"/agencies/{other.agency}/imports"
        forbidden = [
            await browser.get(page),
            await browser.get(path.replace(str(site.world.agency), str(other.agency))),
        ]
        unsigned = await browser.post(f"/agencies/{site.world.agency}/imports", data={"csrf": "no", "kind": "hours"})
    async with site.sign_in("rae") as reader:
        form = await reader.get(f"/agencies/{other.agency}/imports")
        assert 'type="file"' not in form.text
        field = {"csrf": csrf_of(form.text), "kind": "hours", "encoding": "utf-8"}
        sent = await reader.post(page, data=field, files={"file": ("h.csv", hours(3), "text/csv")})
        elsewhere = await reader.get(path)
    assert [one.status_code for one in (*forbidden, unsigned, sent, elsewhere)] == [403] * 5


async def test_a_file_whose_columns_need_more_rights_is_refused_before_anything_is_sent(
    site: Site, tmp_path: Path
) -> None:
    clients = json.loads((tmp_path / "clients.json").read_text())
    next(one for one in clients["people"] if one["subject"] == "pat")["scopes"] = ["read", "write"]
    (tmp_path / "clients.json").write_text(json.dumps(clients))
    content = "Reference,Forename,Surname,NI number,Right to work from\nW-1,Ann,Example,QQ123456C,01/02/2026\n"
    async with site.sign_in() as browser:
        refused = await send(browser, site.world, content, kind="workers")
        names = await send(browser, site.world, "Reference,Forename,Surname\nW-1,Ann,Example\n", kind="workers")
    said = " ".join(read_aloud(refused.text).split())
    assert refused.status_code == 422
    assert "NI number needs the right pay:write; Right to work from needs the right compliance:write" in said
    assert names.status_code == 303


async def test_a_program_tells_how_far_its_file_is(site: Site) -> None:
    world, import_id = site.world, new_id()
    path = f"/v1/agencies/{world.agency}/imports"
    told = {"kind": "workers", "file_name": "w.csv", "rows_total": 100, "accepted": 40, "duplicate": 2, "refused": 1}
    line = {"row": 12, "column": "Surname", "value": "", "reason": "surname is missing", "hint": "fill it in"}
    async with site.browser() as browser, site.sign_in() as person:
        headers = {"Authorization": f"Bearer {await token(browser)}"}

        async def tell(state: str, **more: Any) -> httpx.Response:
            headers["Idempotency-Key"] = str(new_id())
            return await browser.put(f"{path}/{import_id}", headers=headers, json=told | {"state": state} | more)

        assert (await tell("running", refusals=[line])).json()["state"] == "running"
        assert (await tell("running", refusals=[line])).status_code == 200
        page = f"/agencies/{world.agency}/progress/import/{import_id}"
        text = await seen(person, page)
        assert "43 of 100 lines have their receipt" in text
        assert "12 Surname – surname is missing fill it in" in text
        stopped = await tell("stopped", error="timesheet did not answer")
        assert "Running the same command again goes on where it stopped." in await seen(person, page)
        done = (await tell("done", accepted=97)).json()
        listed = (await browser.get(path, headers=headers, params={"limit": 1})).json()
        lines = (await browser.get(f"{path}/{import_id}/refusals", headers=headers)).json()
        ours = await taken(person, world, hours(3))
        clash = await browser.put(
            f"{path}/{ours.rpartition('/')[2]}",
            headers=headers | {"Idempotency-Key": "c"},
            json=told | {"state": "done"},
        )
        away = await browser.get(f"{path}/{new_id()}", headers=headers)
    assert (stopped.json()["ended_at"] is None, done["ended_at"] is None) == (False, False)
    assert done["accepted"] == 97
    assert [one["import_id"] for one in listed["items"]] == [str(import_id)]
    assert lines["items"] == [line | {"private": False}]
    assert (clash.status_code, clash.json()["code"]) == (409, "import_tells_itself")
    assert (away.status_code, away.json()["code"]) == (404, "import_not_found")


async def test_lists_of_files_and_lines_go_on_by_cursor(site: Site) -> None:
    world = site.world
    ids = [new_id() for _ in range(5)]
    for one in ids:
        await told_of_a_file(site, world, one)
    path = f"/v1/agencies/{world.agency}/imports"
    async with site.browser() as browser:
        headers = {"Authorization": f"Bearer {await token(browser)}"}
        found: list[str] = []
        cursor = None
        while True:
            params = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
            answer = (await browser.get(path, headers=headers, params=params)).json()
            found += [item["import_id"] for item in answer["items"]]
            cursor = answer["next_cursor"]
            if cursor is None:
                break
        odd = [
            (await browser.get(f"{path}{tail}", headers=headers, params={"cursor": "WyJ4IiwgInkiXQ"})).status_code
            for tail in ("", f"/{ids[0]}/refusals")
        ]
    assert found == [str(one) for one in reversed(ids)]
    assert odd == [422, 422]


async def test_old_files_are_forgotten_with_all_that_is_kept_of_them(site: Site) -> None:
    state, old = site.app.state, new_id()
    await told_of_a_file(site, site.world, old)
    async with state.worker_database.transaction(now=state.clock.now()) as tx:
        await tx.execute("UPDATE file_import SET began_at = began_at - interval '31 days'")
    await told_of_a_file(site, site.world, new_id())
    assert (await count(site, "file_import"), await count(site, "import_refusal")) == (1, 1)


async def test_an_empty_file_with_every_column_is_one_click_away(site: Site) -> None:
    async with site.sign_in() as browser:
        form = await browser.get(f"/agencies/{site.world.agency}/imports")
        for kind in Kind:
            path = f"/agencies/{site.world.agency}/imports/columns/{kind.value}.csv"
            assert path in form.text
            (header,) = csv.reader(io.StringIO((await browser.get(path)).text))
            assert header == [column.name for column in LAYOUTS[kind]]


async def test_a_larger_file_than_other_requests_may_be(site: Site) -> None:
    """As many lines as a week of 17,500 timesheets has; the limit of files is told in words, too."""
    most = site.app.state.settings.body_bytes_max
    padding = "x" * 490
    content = "Placement ref,Date,Hours,Note\n" + f"P-1,30/03/2026,1,{padding}\n" * (most // 500)
    assert most < len(content) < site.app.state.settings.upload_bytes_max
    async with site.sign_in() as browser:
        assert (await send(browser, site.world, content)).status_code == 303
        too_much = {
            "Content-Length": str(site.app.state.settings.upload_bytes_max + 1),
            "Content-Type": "multipart/form-data; boundary=x",
        }
        refused = await browser.post(f"/agencies/{site.world.agency}/imports", headers=too_much, content=b"")
    assert (refused.status_code, refused.headers["content-type"]) == (413, "text/html; charset=utf-8")
    assert "The file is larger than 25 MB" in read_aloud(refused.text)


def test_every_kind_of_file_is_offered_in_words() -> None:
    assert {kind.value for kind in Kind} == set(rules.WORDS) == set(rules.ORDER)


async def test_headers_of_ones_own_are_said_once_and_serve_every_file(site: Site) -> None:
    owner, other = Timesheet(), site.other  # type: ignore[attr-defined]
    content = "Booking,Shift day,Std hrs\nP-1,30/03/2026,7:30\nP-1,31/03/2026,wrong\n"
    async with site.sign_in("bea") as browser:
        page = f"/agencies/{site.world.agency}/imports"
        assert (await send(browser, site.world, content)).status_code == 422

        async def keep(**headers: str) -> str:
            form = {"csrf": csrf_of((await browser.get(page)).text)}
            form |= {f"header.{name}": text for name, text in headers.items()}
            answer = await browser.post(f"{page}/headers/hours", data=form)
            return " ".join(read_aloud((await browser.get(answer.headers["location"])).text).split())

        assert "maps one header to two of our columns" in await keep(date="Booking", placement_ref="booking ")
        kept = await keep(placement_ref="Booking", date="Shift day", hours="Std hrs")
        path = await taken(browser, site.world, content)
        elsewhere = await send(browser, other, content)
        await sender(site, owner).send_next(asyncio.Event())
        text = await seen(browser, path)
        assert "Kept" in await keep(date="Shift day")
        assert (await send(browser, site.world, content)).status_code == 422, "our own names again"
    assert "Hours (3 of your own headers)" in kept
    assert owner.rows == [2, 3]
    assert "3 Shift day wrong" in text
    assert elsewhere.status_code == 422
