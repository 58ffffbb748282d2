"""Pages, exports, commands and files, of which OpenAPI knows nothing: an agency's records are its own there, too, and no odd value
breaks one."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import cycle
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID

import httpx
import jwt
import pytest
from routes import Hidden, hidden
from test_imports import hours, taken
from test_what_if import answer, slip
from web import Site, csrf_of, told_of_a_file
from world import Feed, World, rows

from paybill_common.service import Runtime
from paybill_contracts.events import DirectoryEntry
from reporting.api.web.what_if import FIELDS
from reporting.store import imports, views
from reporting.store.tables import TENANT_TABLES
from reporting.usecases.worker_links import WorkerLink

pytestmark = pytest.mark.integration
NOT_WALKED = {
    "sign_in_page": "who somebody is, before any agency",
    "sign_in": "who somebody is, before any agency",
    "sign_out": "ends the session that asks",
    "oidc_start": "who somebody is, before any agency",
    "oidc_back": "who somebody is, before any agency",
}
UNMARKED = {
    "agency_front": "a redirect to the newest week",
    "columns_file": "the header line of an empty file",
    "events": "sums of a week",
    "export_clients": "pay-calc's answer; what is asked of it is looked at",
    "export_hold_reasons": "sums of a week",
    "export_lines": "hours and rates of one timesheet",
    "export_pay_runs": "sums of runs",
    "export_refused": "nothing before the file is sent",
    "export_slips": "pay-calc's answer; what is asked of it is looked at",
    "export_tie_out": "empty in a week where nothing differs",
    "file_of_owner": "the owner's bytes; what is asked of the owner is looked at",
    "receipts_file": "nothing before the file is sent",
}
"""Routes whose answer to the agency's own people has no name and no id of its records, and why."""
BY_ID = {"timesheet_id", "payslip_id", "document_id", "import_id"}
"""Records that reporting keeps itself: under another agency's address there are none of these ids."""
OF_OWNER = {"timesheet_owner", "payslip_explanation"}
"""Panels that ask the owner first: under that agency it has none either."""
FORMS = {
    "command": (
        *("week_ending", "timesheet_id", "worker_id", "payee_id", "pay_run_id", "payment_file_id", "document_id"),
        *("client_id", "consultant_id", "key", "reason"),
    ),
    "forget": ("name",),
    "keep": ("name", "query"),
    "keep_headers": ("header.date",),
    "send_file": ("kind", "encoding"),
    "send_link": (),
    "sign_in": ("code", "next"),
    "sign_out": (),
    "stop_import": (),
    "system_command": ("service", "dead_letter_id", "reason"),
}
"""What each form says besides `csrf`; a new one is named here, or the walk fails."""
MARK = "Foreign"
"""In every name of the agency whose records are looked for."""
VIEW = views.View("Held ones", "status=held")
READ_TOGETHER = (
    *(
        "status",
        "pay_state",
        "bill_state",
        "held",
        "not_approved",
        "branch",
        "pay_basis",
        "q",
        "state",
        "kind",
        "unpaid",
    ),
    "format",
)
READ_ALONE = ("agency", "worker_id", "client_id", "consultant_id", "pay_run_id")
"""What routes read of an address without declaring it; a wrong id is refused before the next one is read."""
HERE = "{odd}"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
ODD = (
    *(
        "%FF%FE",
        "%ED%A0%80",
        "%00",
        "A" * 5_000,
        "-1",
        "9" * 20,
        "0001-01-01",
        "9999-12-31",
        "2100-12-26",
        "2026-04-06",
    ),
    *(
        "unknown",
        "-unknown",
        "NaN",
        "1e999",
        "%D9%A3",
        "%27%3B--",
        "%E2%80%AE",
        "%F0%9D%95%AB" * 100,
        "..%2F..%2F",
        "%25s",
    ),
)
"""Values as an address or a form has them: no UTF-8, half a character, NUL, endless, below nothing, beyond the calendar."""
WORST = "%00%FF"
"""Tried at every place; of the others a few each, in turn."""
OTHERS_EACH = int(os.environ.get("FUZZ_EXAMPLES", "1"))
"""Set FUZZ_EXAMPLES to dig deeper than every run of the suite does."""
ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Target:
    """An agency's records as an address or a form names them."""

    world: World
    values: Mapping[str, object]
    marks: frozenset[str]

    def but(self, **values: object) -> Target:
        """With some of its values changed."""
        return replace(self, values={**self.values, **values})

    def seen(self, response: httpx.Response) -> set[str]:
        """Its names and ids in an answer, besides the ids that were asked for."""
        text = response.text + response.headers.get("location", "")
        asked = str(response.request.url)
        return {mark for mark in ID.findall(text) if mark in self.marks and mark not in asked} | set(
            re.findall(MARK, text)
        )

    def query(self, one: Hidden) -> list[dict[str, str]]:
        """With what must be there, and with every id that some page filters by."""
        named = {
            name: str(self.values[name])
            for name in ("agency", "week", "worker_id", "client_id", "consultant_id", "pay_run_id")
        }
        return [{name: named[name] for name, must in one.query.items() if must}, named | {"tax_code": "BR"}]

    def form(self, one: Hidden) -> dict[str, str]:
        return {name: str(self.values[name]) for name in ("csrf", *FORMS[one.name])}


@pytest.fixture
async def target(site: Site, feed: Feed) -> Target:
    """The other agency, with files, views and names of its own, one of each."""
    other: World = site.other  # type: ignore[attr-defined]
    known = len(other.facts)
    for fact in list(other.facts):
        if isinstance(fact.data, DirectoryEntry):
            name = f"{MARK} {fact.data.display_name}"
            other.tell(fact.data.model_copy(update={"display_name": name}), hours=100)
    await feed(other.facts[known:])
    told = other.id("import", 1)
    await told_of_a_file(site, other, told, file_name=f"{MARK}.csv")
    async with site.sign_in("bea") as bea:
        sent = await taken(bea, other, hours(3))
    app, mine = site.app.state, {"agency_id": other.agency}
    async with app.api_database.transaction(now=app.clock.now(), agencies=[other.agency]) as tx:
        await views.keep_view(tx, **mine, subject="pat", view=VIEW)
        await imports.keep_headers(tx, **mine, kind="hours", headers={"date": f"{MARK} day"}, name="Bea Bureau")
    site.owners.answers["/pay-runs/what-if"] = lambda _: answer(site.world, slip(site.world, 0))
    app.live.stopping.set()  # a stream ends at once
    values = {
        "agency": other.agency,
        "agency_id": other.agency,
        "week": other.week,
        "week_ending": other.week,
        "timesheet_id": other.timesheet_id(0),
        "payslip_id": other.payslip_id(0),
        "document_id": other.id("document", "NI-000001"),
        "record_id": other.id("document", "NI-000001"),
        "pay_run_id": other.id("pay-run", other.week),
        "payment_file_id": other.id("payment-file", other.week),
        "import_id": UUID(sent.rpartition("/")[2]),
        "worker_id": other.worker_of(0),
        "client_id": other.id("client", 0),
        "consultant_id": other.id("consultant", 0),
        "payee_id": other.id("payee", "umbrella"),
        "token": token(site, other),
        "kind": "hours",
        "encoding": "utf-8",
        "name": VIEW.name,
        "query": "status=draft",
        "key": "k",
        "reason": "seen",
        "header.date": "Day",
        "service": "pay-calc",
        "dead_letter_id": 7,
        "code": "wrong",
        "next": "/",
    }
    ids = {mark for fact in other.facts for mark in ID.findall(fact.data.model_dump_json())}
    return Target(other, values, frozenset(ids | {str(told), str(values["import_id"])}))


def token(site: Site, world: World) -> str:
    """The link of an agency's first worker."""
    signed: str = site.app.state.worker_links.sign(
        WorkerLink(world.agency, world.worker_of(0)), expires_s=int(time.time()) + 3600
    )
    return signed


def walked(site: Site) -> list[Hidden]:
    found = hidden(site.app)
    assert {one.name for one in found} >= NOT_WALKED.keys() | UNMARKED.keys() | FORMS.keys()
    return [one for one in found if one.name not in NOT_WALKED]


def by_id(one: Hidden) -> bool:
    """Whether it shows one record of reporting's own."""
    return one.method == "GET" and not BY_ID.isdisjoint(one.route.param_convertors) and one.name not in OF_OWNER


async def ask(browser: httpx.AsyncClient, one: Hidden, target: Target) -> list[tuple[str, httpx.Response]]:
    """Each address of a route."""
    found = []
    for url in one.urls(target.values):
        for params in target.query(one) if one.method == "GET" else [{}]:
            form = target.form(one) if one.method == "POST" else None
            files = {"file": ("hours.csv", hours(2), "text/csv")} if one.name == "send_file" else None
            response = await browser.request(one.method, url, params=params, data=form, files=files)
            found.append((f"{one.method} {url} {params}", response))
    return found


async def stored(runtime: Runtime, agency: UUID) -> dict[str, Any]:
    """What each table holds of an agency, as one sum."""
    found = {}
    for table in TENANT_TABLES:
        sql = f"SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM {table} t WHERE agency_id = :agency"
        ((found[table],),) = await rows(runtime, sql, agency=agency)
    return found


def asked_of_owners(site: Site) -> Iterator[tuple[str, list[str]]]:
    """The agency in each address that an owner was asked at, and those of the token that came with it."""
    for request in site.owners.asked:
        claims = jwt.decode(request.headers["authorization"].split()[1], options={"verify_signature": False})
        assert "every_agency" not in claims
        yield "".join(re.findall(r"^/v1/agencies/([^/]+)", request.url.path)), claims["agencies"]


async def test_no_route_shows_or_changes_what_is_another_agencys(site: Site, runtime: Runtime, target: Target) -> None:
    """At the other agency's addresses, and at one's own with the ids of its records."""
    own = str(site.world.agency)
    before = await stored(runtime, target.world.agency)
    wrong = []
    async with site.sign_in() as pat:
        theirs = target.but(csrf=csrf_of((await pat.get(site.week)).text))
        ours = theirs.but(agency_id=own, token=token(site, site.world))
        for one in walked(site):
            if one.of_an_agency:
                for where, response in await ask(pat, one, theirs):
                    if response.status_code != 403 or target.seen(response):
                        wrong.append(f"{where}: {response.status_code}")
            for where, response in await ask(pat, one, ours):
                if response.status_code >= 500 or target.seen(response):
                    wrong.append(f"{where}: {response.status_code} {target.seen(response)}")
    assert wrong == []
    assert await stored(runtime, target.world.agency) == before
    asked = set(map(str, asked_of_owners(site)))
    assert asked == {str((agency, [own])) for agency in ("", own)}


async def test_each_route_answers_the_agencys_own_people(site: Site, target: Target) -> None:
    """So that what a stranger is refused is there, and would be known by its marks."""
    wrong, marked = [], set()
    async with site.sign_in("bea") as bea:
        mine = target.but(csrf=csrf_of((await bea.get(site.week)).text))
        for one in walked(site):
            for where, response in await ask(bea, one, mine):
                if response.status_code >= 400:
                    wrong.append(f"{where}: {response.status_code} {response.text[-300:]}")
                if target.seen(response):
                    marked.add(one.name)
    assert wrong == []
    assert {one.name for one in walked(site) if one.of_an_agency and one.method == "GET"} - marked == set(UNMARKED)


def places(one: Hidden, target: Target) -> Iterator[tuple[str, str]]:
    """Addresses and bodies of a route with HERE in one place each, the others as they should be."""
    good = {name: texts[0] for name, texts in one.choices(target.values).items()}
    url = one.route.path_format.format_map(good)
    if one.method == "POST":
        form = {name: quote(value) for name, value in target.form(one).items()}
        for name in good:
            yield one.route.path_format.format_map(good | {name: HERE}), urlencode(form)
        for name in form:
            yield url, "&".join(f"{n}={HERE if n == name else value}" for n, value in form.items())
        return
    must = "".join(f"&{name}={target.values[name]}" for name, needed in one.query.items() if needed)
    for name in good:
        yield f"{one.route.path_format.format_map(good | {name: HERE})}?{must}", ""
    for name in {*one.query, *READ_ALONE, *(FIELDS if "what-if" in url else ())}:
        yield f"{url}?{name}={HERE}{must.replace(f'&{name}=', '&x=')}", ""
    yield f"{url}?{'&'.join(f'{name}={HERE}' for name in READ_TOGETHER)}{must}", ""


async def test_no_odd_value_breaks_a_route(site: Site, target: Target) -> None:
    """Nor breaks an export off once it has begun."""
    others, broken = cycle(ODD), []
    async with site.sign_in("bea") as bea, httpx.AsyncClient(transport=httpx.ASGITransport(site.app)) as strict:
        strict.base_url, strict.cookies = bea.base_url, bea.cookies
        mine = target.but(csrf=csrf_of((await bea.get(site.week)).text))
        for one in hidden(site.app):
            for url, body in places(one, mine):
                for odd in (WORST, *(next(others) for _ in range(OTHERS_EACH))):
                    sent = url.replace(HERE, odd), body.replace(HERE, odd)
                    try:
                        response = await strict.request(one.method, sent[0], content=sent[1] or None, headers=FORM)
                        outcome = str(response.status_code)
                    except RuntimeError as error:
                        outcome = f"500 {error}"
                    if outcome.startswith("5"):
                        broken.append(f"{one.method} {url} {body} {odd[:30]}: {outcome}")
    assert broken == []
