"""What people read: words instead of codes, dates as pages write them, actions only where they can do something."""

from __future__ import annotations

import csv
import html
import json
import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from test_pages import PAGES
from web import Site, csrf_of
from world import MONDAY, PAYDAY, World

from paybill_common.service import Runtime
from paybill_contracts.base import Reason
from paybill_contracts.compliance import ComplianceAlert, ComplianceHeld
from paybill_contracts.pay import PayHeld, PaymentInstructed
from reporting.api.web.commands import COMMANDS
from reporting.domain import tidy, words

pytestmark = pytest.mark.integration

_UNSEEN = re.compile(r"<(script|style|pre|code|svg)\b.*?</\1>|<!--.*?-->", re.DOTALL)
_RAW = {
    "an ISO date": re.compile(r"\b\d{4}-\d{2}-\d{2}\b"),
    "an id": re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-", re.IGNORECASE),
    "a code": re.compile(r"\b[a-z]{2,}_[a-z_]{2,}\b"),
}
_OWN_LANGUAGE = frozenset({"developers", "system"})
"""Pages whose readers speak in codes and ids: what a program sends, and what a message said."""


def read_aloud(page: str) -> str:
    """The text that a page shows."""
    body = page[page.index("<body") :] if "<body" in page else page
    return html.unescape(re.sub(r"<[^>]*>", " ", _UNSEEN.sub(" ", body)))


@pytest.mark.parametrize("name", sorted(set(PAGES) - _OWN_LANGUAGE))
async def test_a_page_shows_no_code_no_id_and_no_iso_date(site: Site, name: str) -> None:
    other: World = site.other  # type: ignore[attr-defined]
    async with site.sign_in("bea") as browser:
        for world in (site.world, other):
            text = read_aloud((await browser.get(PAGES[name](world))).text)
            for what, pattern in _RAW.items():
                found = pattern.search(text)
                assert found is None, f"{name} shows {what}: …{text[max(0, found.start() - 60) : found.end() + 40]!r}"


async def test_evidence_says_who_when_from_where_and_what_was_seen(site: Site) -> None:
    async with site.sign_in() as browser:
        path = f"/agencies/{site.world.agency}/timesheets/{site.world.timesheet_id(0)}/owner"
        page = (await browser.get(path, headers={"HX-Request": "true"})).text
    pairs = dict(re.findall(r"<dt>(.*?)</dt><dd[^>]*>(.*?)</dd>", page))
    assert pairs == {
        "Who": "Sam Supervisor",
        "When": "Mon 6 Apr 12:05",
        "From": "192.0.2.7",
        "Said": "Looks right",
        "Saw": "Mon 30 Mar 08:00 to 16:30 less 30 min",
    }
    assert "Approved by the client" in page


async def test_who_was_left_out_of_a_run_is_said_in_words(site: Site) -> None:
    world = site.world
    async with site.sign_in() as browser:
        path = f"/agencies/{world.agency}/pay-runs/{world.id('pay-run', world.week)}/files?week={world.week}"
        page = (await browser.get(path, headers={"HX-Request": "true"})).text
    assert "All the hours are held, so there is nothing to pay" in page
    assert "Prepared by" in page
    assert "<b>File 1</b>" in page


async def test_a_payment_file_is_offered_only_while_something_is_left_to_pay(
    site: Site, feed: Callable[..., Any]
) -> None:
    world: World = site.other  # type: ignore[attr-defined]
    page = f"/agencies/{world.agency}/weeks/{world.week}/pay"
    async with site.sign_in("bea") as browser:
        before = (await browser.get(page)).text
        left = re.search(r"<b>£([\d,.]+)</b> is in no released file yet", before)
        assert left, "the self-bills are not paid yet"
        assert 'id="prepare-payment-file"' in before
        world.facts.clear()
        world.tell(
            PaymentInstructed(
                agency_id=world.agency,
                payment_id=world.id("payment", "suppliers"),
                payment_file_id=world.id("payment-file", "suppliers"),
                pay_run_id=world.id("pay-run", world.week),
                payee_kind="supplier",
                payee_id=world.id("payee", "umbrella"),
                amount_gbp=Decimal(left.group(1).replace(",", "")),
                funds_on=PAYDAY,
            ),
            hours=76,
        )
        await feed(world.facts)
        after = (await browser.get(page)).text
        week = (await browser.get(page.removesuffix("/pay"))).text
    assert "Nothing is left to pay" in after
    assert 'id="prepare-payment-file"' not in after
    assert "Prepare payment file" not in week


async def test_nothing_that_expires_is_said(site: Site) -> None:
    site.owners.expiring = []
    async with site.sign_in() as browser:
        page = (await browser.get(f"{site.week}/holds/expiring", headers={"HX-Request": "true"})).text
    assert "No document on file expires in the next 60 days." in page


async def test_no_alert_promises_nothing_that_nobody_tells(
    site: Site, runtime: Runtime, feed: Callable[..., Any]
) -> None:
    """Compliance tells of a hold after the pay run closed and of nothing else; what expires is a list of its own."""
    world = site.world
    async with runtime.worker_database.transaction(now=runtime.clock.now()) as tx:
        await tx.execute("DELETE FROM alert")
    async with site.sign_in() as browser:
        page = (await browser.get(f"{site.week}/holds")).text
        (alerts,) = re.findall(r'aria-labelledby="alerts-title">(.*?)</section>', page, re.DOTALL)
        (said,) = re.findall(r"<p[^>]*>(.*?)</p>", alerts)
        here, _, there = said.partition(";")
        assert here == "No alert. A hold that comes after the pay run closed would show here"
        assert "documents that expire" in there
        (way,) = re.findall(r'href="([^"]+)"', there)
        assert way == f"{site.week}/holds/expiring"
        assert "right to work" in (await browser.get(way)).text.lower()
        world.facts.clear()
        world.tell(
            ComplianceAlert(
                agency_id=world.agency,
                worker_id=world.worker_of(0),
                alert_id=world.id("alert", "late"),
                code="hold_after_finalisation",
                timesheet_id=world.timesheet_id(0),
                raised_at=MONDAY,
            )
        )
        await feed(world.facts)
        assert "A hold came after the pay run closed" in (await browser.get(f"{site.week}/holds")).text


class TestLifting:
    async def held_for(self, site: Site, feed: Callable[..., Any], *codes: str) -> str:
        """The page of an umbrella worker's timesheet that is held for these reasons."""
        world = site.world
        number = next(n for n in world.of("approved") if world.basis(n) == "umbrella")
        world.facts.clear()
        world.hold(number)
        reasons = tuple(Reason(code=code, blocks=("pay",)) for code in codes)
        facts = [fact for fact in world.facts if isinstance(fact.data, (ComplianceHeld, PayHeld))]
        for fact in facts:
            if isinstance(fact.data, ComplianceHeld):
                data: Any = fact.data.model_copy(update={"reasons": reasons, "blocks": ("pay",)})
            else:
                held = fact.data.held[0].model_copy(update={"reasons": reasons})
                data = fact.data.model_copy(update={"held": (held,)})
            await feed([replace(fact, data=data, sequence=fact.sequence + 50)])
        return f"/agencies/{world.agency}/timesheets/{world.timesheet_id(number)}"

    async def press(self, site: Site, page: str, command: str, nth: int = 0) -> str:
        async with site.sign_in() as browser:
            text = (await browser.get(page)).text
            forms = re.findall(rf'action="[^"]*/commands/{command}">(.*?)</form>', text, re.DOTALL)
            assert len(forms) > nth, f"{page} does not offer {command}"
            fields = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', forms[nth]))
            assert fields["csrf"] == csrf_of(text)
            await browser.post(f"/agencies/{site.world.agency}/commands/{command}", data=fields)
            return (await browser.get(page)).text

    async def test_an_umbrella_company_is_approved_where_it_holds_somebody(
        self, site: Site, feed: Callable[..., Any]
    ) -> None:
        page = await self.held_for(site, feed, "umbrella_not_on_register")
        after = await self.press(site, page, "approve-umbrella")
        [sent] = site.owners.sent("PUT")
        payee = site.world.id("payee", "umbrella")
        assert sent.url.path == f"/v1/agencies/{site.world.agency}/umbrellas/{payee}"
        assert json.loads(sent.content) == {"status": "approved"}
        assert "Approve Umbrella Example Ltd" in after
        assert "is on the approved list" in after

    @pytest.mark.parametrize(
        ("command", "status", "told"),
        [("suspend-umbrella", "pending", "is suspended"), ("remove-umbrella", "removed", "is off the approved list")],
    )
    async def test_an_umbrella_company_is_suspended_or_removed_where_pay_goes_to_it(
        self, site: Site, command: str, status: str, told: str
    ) -> None:
        world = site.world
        number = next(n for n in world.of("approved") if world.basis(n) == "umbrella")
        after = await self.press(site, f"/agencies/{world.agency}/timesheets/{world.timesheet_id(number)}", command)
        [sent] = site.owners.sent("PUT")
        assert sent.url.path == f"/v1/agencies/{world.agency}/umbrellas/{world.id('payee', 'umbrella')}"
        assert json.loads(sent.content) == {"status": status}
        assert "its pay waits on every timesheet" in after
        assert told in after

    async def test_what_is_off_the_list_or_no_umbrella_company_is_not_offered_to_be_taken_off(
        self, site: Site, feed: Callable[..., Any]
    ) -> None:
        world = site.world
        others = [next(n for n in world.of("approved") if world.basis(n) == basis) for basis in ("paye", "limited")]
        pages = [f"/agencies/{world.agency}/timesheets/{world.timesheet_id(n)}" for n in others]
        pages.append(await self.held_for(site, feed, "umbrella_not_approved"))
        async with site.sign_in() as browser:
            for page in pages:
                text = (await browser.get(page)).text
                assert "suspend-umbrella" not in text
                assert "remove-umbrella" not in text

    @pytest.mark.parametrize(("nth", "rule"), [(0, "with_current_pay"), (1, "usual_payday")])
    async def test_a_late_week_is_answered_and_the_rest_of_the_calendar_stays(
        self, site: Site, feed: Callable[..., Any], nth: int, rule: str
    ) -> None:
        page = await self.held_for(site, feed, "late_pay_rule_not_set")
        after = await self.press(site, page, "late-pay-rule", nth)
        [sent] = site.owners.sent("PUT")
        assert sent.url.path.endswith("/pay-calendar")
        assert json.loads(sent.content) == {"late_pay": rule, "payday_days_after": 9}
        assert "Late weeks are paid with the next pay run." in after


class TestSentences:
    def test_a_story_writes_dates_and_leaves_a_first_version_unsaid(self) -> None:
        detail = {"version": 1, "minutes": 1440, "pay_gbp": "312.24", "payday_on": "2026-04-10"}
        assert words.story("paid", detail) == "24:00 h, pay £312.24, payday Fri 10 Apr"
        assert words.story("amended", {"version": 2}) == "version 2"

    def test_waiting_for_clearance_is_no_hold(self) -> None:
        awaited = {"reasons": [{"code": "awaiting_clearance"}]}
        assert words.story_state("pay_held", awaited) == words.State("Pay waits for clearance", "waiting")
        assert words.story_state("pay_held", {"reasons": [{"code": "missing_document"}]}).tone == "blocked"

    def test_every_way_out_of_a_run_has_words(self) -> None:
        for outcome, code in (("nothing_payable", None), ("finalised", None), ("left_out", "parked_events")):
            assert "_" not in words.left_out(outcome, code)
        assert words.left_out("left_out", "something_new") == "Something new"

    def test_evidence_of_units_and_expenses(self) -> None:
        seen = {
            "entries": [{"worked_on": "2026-03-30", "unit": "day", "units": "1.5"}],
            "expenses": [{"code": "travel", "charge_gbp": "12.00"}],
        }
        found = tidy.evidence({"decision": "amended", "kind": "agency", "version": 2, "seen": seen})
        assert found.heading == "Amended by the agency, version 2"
        assert found.facts[-1].text == "Mon 30 Mar 1.5 day; travel £12.00"


class TestBureau:
    async def rows(self, site: Site, person: str, query: str = "") -> list[list[str]]:
        """The cells of what waits, in all agencies of this person."""
        async with site.sign_in(person) as browser:
            page = (await browser.get(f"/bureau{query}")).text
        section = page[page.index('id="waits-title"') :]
        body = section[section.index("<tbody>") : section.index("</tbody>")]
        return [
            [" ".join(read_aloud(cell).split()) for cell in re.findall(r"<td.*?</td>", row, re.DOTALL)]
            for row in body.split("</tr>")[:-1]
        ]

    async def test_what_waits_in_every_agency_is_one_list(self, site: Site) -> None:
        """Both agencies for the bureau, each timesheet once, the most money first; a person's own agency alone for them."""
        rows = await self.rows(site, "bea")
        world = site.world
        for name in (world.name, "Care (demo)"):
            assert [row for row in rows if row[0].startswith(name)], name
        unapproved = sum(int(row[3]) for row in rows if row[0].startswith(world.name) and "approval" in row[2])
        assert unapproved == len(world.of("submitted"))
        money = [Decimal(row[4].replace(",", "")) + Decimal(row[5].replace(",", "")) for row in rows]
        assert money == sorted(money, reverse=True)
        own = await self.rows(site, "rae")
        assert own
        assert all(row[0].startswith("Care (demo)") for row in own)

    async def test_one_queue_of_every_agency(self, site: Site) -> None:
        every, held = await self.rows(site, "bea"), await self.rows(site, "bea", "?queue=held")
        assert [row for row in every if row[2] == "Held"] == held
        async with site.sign_in("bea") as browser:
            page = (await browser.get("/bureau?queue=submitted")).text
            wrong = await browser.get("/bureau?queue=nonsense")
        assert f"/agencies/{site.world.agency}/weeks/{site.world.week}/timesheets?status=submitted" in html.unescape(
            page
        )
        assert wrong.status_code == 422


class TestViews:
    """A person names a filter of the timesheets list and finds it again, in every week; nobody else does."""

    async def test_a_filter_is_named_found_in_another_week_and_forgotten(self, site: Site) -> None:
        agency = f"/agencies/{site.world.agency}"
        wanted = f"{site.week}/timesheets?status=submitted&sort=age&page=1&evil=1"
        later = f"{agency}/weeks/2026-05-03/timesheets"
        async with site.sign_in() as browser:
            form = {"csrf": csrf_of((await browser.get(wanted)).text), "name": "To chase", "back": wanted}
            shown = re.search(r'name="query" value="([^"]*)"', (await browser.get(wanted)).text)
            assert shown
            assert html.unescape(shown.group(1)) == "sort=age&status=submitted"
            for _ in range(2):
                await browser.post(f"{agency}/views", data={**form, "query": wanted.partition("?")[2]})
            page = (await browser.get(later)).text
            assert page.count(f'href="{later}?sort=age&amp;status=submitted"') == 1
            async with site.sign_in("bea") as another:
                assert "To chase" not in (await another.get(later)).text
            await browser.post(f"{agency}/views/forget", data={**form, "back": later})
            assert "is forgotten" in (await browser.get(later)).text
            assert "To chase" not in (await browser.get(later)).text

    @pytest.mark.parametrize("values", [{"name": "", "query": "q=a"}, {"name": "All", "query": "page=2"}])
    async def test_a_view_needs_a_name_and_a_filter(self, site: Site, values: dict[str, str]) -> None:
        async with site.sign_in() as browser:
            csrf = csrf_of((await browser.get(site.week)).text)
            answer = await browser.post(f"/agencies/{site.world.agency}/views", data={**values, "csrf": csrf})
        assert answer.status_code == 422

    async def test_views_are_kept_only_for_ones_own_agency_and_from_our_own_form(self, site: Site) -> None:
        values = {"name": "Mine", "query": "q=a"}
        async with site.sign_in("rae") as browser:
            csrf = csrf_of((await browser.get("/bureau")).text)
            stolen = await browser.post(f"/agencies/{site.world.agency}/views", data={**values, "csrf": csrf})
            forged = await browser.post(f"/agencies/{site.other.agency}/views", data=values)  # type: ignore[attr-defined]
        assert [stolen.status_code, forged.status_code] == [403, 403]

    async def test_a_list_of_views_has_an_end(self, site: Site) -> None:
        async with site.sign_in() as browser:
            csrf = csrf_of((await browser.get(site.week)).text)
            path = f"/agencies/{site.world.agency}/views"
            codes = [
                (await browser.post(path, data={"csrf": csrf, "name": f"View {n}", "query": "q=a"})).status_code
                for n in range(31)
            ]
        assert codes == [303] * 30 + [409]


async def test_what_clients_owe_is_not_added_to_what_self_bills_pay_out(site: Site) -> None:
    other: World = site.other  # type: ignore[attr-defined]
    page = f"/agencies/{other.agency}/weeks/{other.week}/invoices"
    feet = {}
    async with site.sign_in("bea") as browser:
        for kind in ("", "?kind=invoice", "?kind=self_bill"):
            text = (await browser.get(page + kind)).text
            foot = text[text.index("<tfoot>") : text.index("</tfoot>")]
            rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in foot.split("</tr>")[:-1]]
            feet[kind] = {row[0]: [cell for cell in row if cell and cell != row[0]] for row in rows}
        invoices = (await browser.get(f"{page}.csv?kind=invoice")).content.decode("utf-8-sig").splitlines()
    assert set(feet[""]) == {"To clients", "Self-bills"}
    assert feet["?kind=invoice"] == {"To clients": feet[""]["To clients"]}
    assert feet["?kind=self_bill"] == {"Self-bills": feet[""]["Self-bills"]}
    rows = list(csv.DictReader(invoices))
    for name, shown in (("Gross", feet[""]["To clients"][2]), ("Open", feet[""]["To clients"][3])):
        column = next(key for key in rows[0] if key.startswith(name))
        assert sum(Decimal(row[column]) for row in rows) == Decimal(shown.replace(",", ""))


async def test_a_silent_approver_is_reminded_from_the_page_of_those_who_were_asked(site: Site) -> None:
    page, agency = f"{site.week}/approvers", site.world.agency
    answered = {"sent": 1, "without_approver": 0, "requests": [{"sent": True}]}
    site.owners.answers[f"/weeks/{site.world.week}/approval-requests"] = lambda request: (
        answered if request.method == "POST" else LISTED
    )
    LISTED = {
        "without_approver": 1,
        "next_cursor": None,
        "items": [
            _approver(site, 1, "Silent", last_asked_at="2026-04-06T11:05:00+00:00", times_asked=2),
            _approver(site, 2, "Newly", new=3),
            _approver(site, 3, "Partly", new=1, last_asked_at="2026-04-06T11:05:00+00:00", times_asked=1),
        ],
    }
    async with site.sign_in() as browser:
        for way in (site.week, f"{site.week}/timesheets?status=submitted"):
            assert f'href="{page}"' in (await browser.get(way)).text, way
        text = (await browser.get(page)).text
        rows = {
            name: row for row in text.split("<tr>") for name in ("Silent", "Newly", "Partly") if f">{name} <" in row
        }
        assert "Mon 6 Apr 12:05" in rows["Silent"]
        assert "2 times in all" in rows["Silent"]
        assert "Not asked yet" in rows["Newly"]
        assert "1 came in since" in rows["Partly"]
        assert "1 timesheet names no approver" in read_aloud(text)
        forms = {name: dict(re.findall(r'name="([^"]+)" value="([^"]*)"', row)) for name, row in rows.items()}
        assert {name: form.get("resend") for name, form in forms.items()} == {
            "Silent": "1",
            "Newly": None,
            "Partly": None,
        }
        for name in forms:
            await browser.post(f"/agencies/{agency}/commands/approval-requests", data=forms[name])
        assert "Sent 1 approval link." in (await browser.get(page)).text
    bodies = [json.loads(sent.content) for sent in site.owners.sent()]
    ids = [str(site.world.id("asked", number)) for number in (1, 2, 3)]
    assert bodies == [
        {"resend": True, "approval_request_id": ids[0]},
        {"approval_request_id": ids[1]},
        {"approval_request_id": ids[2]},
    ]
    assert [sent.headers["Idempotency-Key"] for sent in site.owners.sent()] == [form["key"] for form in forms.values()]


def _approver(site: Site, number: int, name: str, **more: Any) -> dict[str, Any]:
    known = {"approver_email": f"{name}@example.com", "approver_name": name, "timesheets": 3}
    return (
        {
            "approval_request_id": str(site.world.id("asked", number)),
            "new": 0,
            "last_asked_at": None,
            "times_asked": 0,
        }
        | known
        | more
    )


@pytest.mark.parametrize(
    ("form", "answer", "words"),
    [
        ({}, {"sent": 2, "without_approver": 0, "requests": [{"sent": True}] * 2}, "Sent 2 approval links."),
        (
            {},
            {"sent": 0, "without_approver": 1, "requests": [{"sent": False}] * 3},
            "Sent 0 approval links; 3 were told of all that waits before and can be reminded, 1 timesheet names no approver.",
        ),
        (
            {"approval_request_id": "one"},
            {"sent": 0, "without_approver": 0, "requests": []},
            "Nothing waits for this approver any more, so nothing was sent.",
        ),
    ],
)
def test_what_is_said_when_approvers_were_asked(form: dict[str, str], answer: dict[str, Any], words: str) -> None:
    assert COMMANDS["approval-requests"].done(form, answer) == words


async def test_a_consultant_chases_the_missing_hours_of_the_list_on_the_screen(site: Site) -> None:
    """Of one consultant's workers; a list narrowed in another way is not one that can be chased whole."""
    page = f"{site.week}/timesheets"
    async with site.sign_in() as browser:
        text = (await browser.get(f"{page}?status=expected")).text
        for query in ("status=submitted", "status=expected&q=Worker"):
            assert "/commands/chase" not in (await browser.get(f"{page}?{query}")).text
        for number in re.findall(r'<option value="([0-9a-f-]{36})"', text):
            mine = (await browser.get(f"{page}?status=expected&consultant_id={number}")).text
            if form := re.search(r'action="[^"]*/commands/chase">(.*?)</form>', mine, re.DOTALL):
                break
        assert form
        fields = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', form.group(1)))
        await browser.post(f"/agencies/{site.world.agency}/commands/chase", data=fields)
        after = (await browser.get(page)).text
    [sent] = site.owners.sent()
    assert sent.url.path.endswith(f"/weeks/{site.world.week}/chase")
    assert json.loads(sent.content) == {"consultant_id": number}
    assert "Chased 4 who have not sent hours; 2 were chased before." in after
