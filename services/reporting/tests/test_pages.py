"""Every page, as a person gets it."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from openpyxl import load_workbook
from web import Site, csrf_of, drop_person, no_leak, told_of_a_file
from world import World

from paybill_common.service import Runtime
from paybill_contracts.events import DirectoryEntry
from reporting.api.web import detail_exports, exports, what_if
from reporting.api.web.live import Live, stream
from reporting.domain.cells import csv_cell
from reporting.domain.tie_out import DocumentDifference, LineDifference
from reporting.store import lists

pytestmark = pytest.mark.integration

PAGES: dict[str, Callable[[World], str]] = {
    "front": lambda w: f"/agencies/{w.agency}/weeks/{w.week}",
    "by consultant": lambda w: f"/agencies/{w.agency}/weeks/{w.week}?by=consultant",
    "empty week": lambda w: f"/agencies/{w.agency}/weeks/2026-05-03",
    "tie-out": lambda w: f"/agencies/{w.agency}/weeks/{w.week}/tie-out",
    "margin": lambda w: f"/agencies/{w.agency}/weeks/{w.week}/margin?by=branch",
    "timesheets": lambda w: (
        f"/agencies/{w.agency}/weeks/{w.week}/timesheets?sort=-charge&cols=branch&cols=age&q=Testcase"
    ),
    "nothing found": lambda w: f"/agencies/{w.agency}/weeks/{w.week}/timesheets?q=nobody",
    "held timesheet": lambda w: f"/agencies/{w.agency}/timesheets/{w.timesheet_id(5)}",
    "submitted timesheet": lambda w: f"/agencies/{w.agency}/timesheets/{w.timesheet_id(3)}",
    "approved timesheet": lambda w: f"/agencies/{w.agency}/timesheets/{w.timesheet_id(0)}",
    "expected timesheet": lambda w: f"/agencies/{w.agency}/timesheets/{w.timesheet_id(2)}",
    "entries": lambda w: f"/agencies/{w.agency}/timesheets/{w.timesheet_id(0)}/owner",
    "documents on file": lambda w: f"/agencies/{w.agency}/timesheets/{w.timesheet_id(0)}/documents",
    "approvers": lambda w: f"/agencies/{w.agency}/weeks/{w.week}/approvers",
    "holds": lambda w: f"/agencies/{w.agency}/weeks/{w.week}/holds?reason=missing_document",
    "expiring": lambda w: f"/agencies/{w.agency}/weeks/{w.week}/holds/expiring",
    "pay run": lambda w: f"/agencies/{w.agency}/weeks/{w.week}/pay",
    "pay preview": lambda w: f"/agencies/{w.agency}/weeks/{w.week}/pay/preview",
    "payslips": lambda w: f"/agencies/{w.agency}/weeks/{w.week}/payslips?state=draft&sort=-net",
    "payslip": lambda w: f"/agencies/{w.agency}/payslips/{w.payslip_id(0)}",
    "explanation": lambda w: f"/agencies/{w.agency}/payslips/{w.payslip_id(0)}/explanation",
    "payment files": lambda w: f"/agencies/{w.agency}/pay-runs/{w.id('pay-run', w.week)}/files?week={w.week}",
    "invoices": lambda w: f"/agencies/{w.agency}/weeks/{w.week}/invoices?unpaid=1",
    "invoice preview": lambda w: f"/agencies/{w.agency}/weeks/{w.week}/invoices/preview",
    "clients": lambda w: f"/agencies/{w.agency}/weeks/{w.week}/clients?consultant_id={w.id('consultant', 1)}",
    "whose clients": lambda w: f"/agencies/{w.agency}/weeks/{w.week}/clients",
    "not approved": lambda w: f"/agencies/{w.agency}/weeks/{w.week}/timesheets?not_approved=1",
    "work": lambda w: f"/agencies/{w.agency}/progress",
    "closing": lambda w: f"/agencies/{w.agency}/progress/pay-run/{w.week}",
    "issuing": lambda w: f"/agencies/{w.agency}/progress/invoice-run/{w.week}",
    "nothing closed": lambda w: f"/agencies/{w.agency}/progress/pay-run/2026-05-03",
    "bureau": lambda w: "/bureau",
    "system": lambda w: "/system",
    "developers": lambda w: "/developers",
}

EXPORTS: dict[str, Callable[[World], str]] = {
    **{
        table: lambda w, table=table: f"/agencies/{w.agency}/weeks/{w.week}/{table}"  # type: ignore[misc]
        for table in ("timesheets", "holds", "hold-reasons", "payslips", "invoices", "margin", "tie-out")
    },
    "pay-runs": lambda w: f"/agencies/{w.agency}/pay-runs",
    "charge lines": lambda w: f"/agencies/{w.agency}/timesheets/{w.timesheet_id(0)}/lines",
    "made of, payslip": lambda w: f"/agencies/{w.agency}/payslips/{w.payslip_id(0)}/timesheets",
    "made of, document": lambda w: f"/agencies/{w.agency}/invoices/{w.id('document', 'NI-000001')}/timesheets",
    "files": lambda w: f"/agencies/{w.agency}/imports/files",
    "refused lines": lambda w: f"/agencies/{w.agency}/imports/{w.id('import', 1)}/refused",
    "agencies": lambda w: "/bureau",
    "replicas": lambda w: "/system/replicas",
    "dead letters": lambda w: "/system/dead-letters",
    "replays": lambda w: "/system/replays",
}
"""Every table's export, for test_what_if.py's two."""
REPLAY = {
    "week_ending": "2026-04-05",
    "pay_run_id": str(UUID(int=4)),
    "state": "differs",
    "payslips": 3,
    "differing": 1,
}
CLEAN = {"tie-out"}
"""Empty in a week where nothing differs."""
WHAT_IF = {"/agencies/{}/weeks/{}/what-if", "/agencies/{}/weeks/{}/what-if-clients"}
NO_EXPORT = {
    "approvers.html": "who was asked to approve: of timesheet, which lists them",
    "bureau.html": "what waits in all agencies: each row leads to a list that has one",
    "clients.html": "a consultant's clients and who is late: each row leads to a list that has one",
    "developers.html": "about the API, not about records",
    "imports.html": "the columns that a file may have: an empty file with them is beside each",
    "invoices.html": "what a run would change: sums before and after",
    "macros.html": "another service's answer, whatever its fields",
    "minimum_wage.html": "in whose name low pay is paid: of pay-calc, which lists them",
    "run_files.html": "who a run left out: of pay-calc, which lists them",
    "timesheet.html": "the few documents that it is on, each a link",
    "week.html": "queues and the oldest: each row leads to a list that has one",
    "what_if.html": "sums before and after",
    "work.html": "the last runs of two owners, each a link to its page",
    "work_run.html": "who a run leaves out so far: of its owner, which lists them",
}
"""Templates with a table that has no export of its own, and why."""
TEMPLATES = Path(exports.__file__).parents[2] / "templates"
ID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{4}-\d\d-\d\d"


async def test_every_page_renders(site: Site) -> None:
    """Each page of an open and of a closed week: one document, no other host, a strict content policy."""
    other: World = site.other  # type: ignore[attr-defined]
    async with site.sign_in("bea") as browser:
        for name, path in PAGES.items():
            for world in (site.world, other):
                answer = await browser.get(path(world))
                assert answer.status_code == 200, (name, answer.text)
                assert answer.headers["content-security-policy"].startswith("default-src 'self'")
                with no_leak(answer.text):
                    assert "<h1>" in answer.text or "<h2" in answer.text, name
                assert answer.text.count("<html") == 1, name


async def test_documents_of_a_closed_week(site: Site) -> None:
    other: World = site.other  # type: ignore[attr-defined]
    async with site.sign_in("bea") as browser:
        page = await browser.get(f"/agencies/{other.agency}/invoices/{other.id('document', 'NI-000001')}")
        assert "Credit this invoice" in page.text
        assert "1,000.00" in page.text
        pdf = await browser.get(f"/agencies/{other.agency}/files/invoices/{other.id('document', 'NI-000001')}/pdf")
        assert pdf.headers["content-type"] == "application/pdf"
        assert pdf.headers["content-disposition"].startswith("inline")
        bill = await browser.get(f"/agencies/{other.agency}/invoices/{other.id('document', 'SB-umbrella')}")
        assert "self-bills" in bill.text


async def test_documents_on_file_open_in_place(site: Site) -> None:
    agency, path = site.world.agency, f"/agencies/{site.world.agency}/timesheets/{site.world.timesheet_id(0)}/documents"
    file = f"/agencies/{agency}/files/documents/{site.world.id('kept')}/file"
    async with site.sign_in() as browser:
        text = " ".join(re.sub(r"<[^>]*>", " ", (await browser.get(path)).text).split())
        assert "Right to work From 1 Jan 2026 to 30 Apr 2026 Mon 6 Apr 12:05, cora Open passport page.png" in text
        assert "Expired 1 Mar 2026" in text
        assert file in (await browser.get(path)).text
        opened = await browser.get(file)
        assert opened.headers["content-type"] == "image/png"
        assert opened.headers["content-disposition"].startswith("inline")
        assert opened.headers["x-content-type-options"] == "nosniff"
        site.owners.documents.clear()
        assert "No document of this worker is on file" in (await browser.get(path)).text
        site.owners.refuse[f"/workers/{site.world.worker_of(0)}"] = (
            404,
            {"code": "no_such_worker", "detail": "There is none."},
        )
        assert "No document of this worker is on file" in (await browser.get(path)).text
        site.owners.away.add("compliance")
        assert "The rest of this page is unaffected" in (await browser.get(path)).text


async def test_a_fragment_has_no_page_around_it(site: Site) -> None:
    async with site.sign_in() as browser:
        answer = await browser.get(f"{site.week}/pay/preview", headers={"HX-Request": "true"})
    assert "<html" not in answer.text
    assert "The worker has no pay profile (1)" in answer.text


async def test_an_owner_that_is_away_takes_only_its_panel_with_it(site: Site) -> None:
    site.owners.away.add("pay-calc")
    async with site.sign_in() as browser:
        page = await browser.get(f"{site.week}/pay")
        panel = await browser.get(f"{site.week}/pay/preview", headers={"HX-Request": "true"})
        system = await browser.get("/system")
    assert page.status_code == 200
    assert "Close the pay run" in page.text
    assert "The pay-calc service does not answer" in panel.text
    assert "Away" in system.text


async def test_the_week_names_what_waits_and_the_button_for_it(site: Site) -> None:
    async with site.sign_in() as browser:
        html = (await browser.get(site.week)).text
    for queue in ("expected", "submitted", "rejected", "held-0", "draft", "ready"):
        row = re.search(rf'id="queue-{queue}".*?</tr>', html, re.DOTALL)
        assert row, queue
        assert "button" in row.group() or "btn" in row.group()
    assert "Every minute and penny is explained" in html


async def test_nobody_is_let_in_without_signing_in(site: Site) -> None:
    async with site.browser() as browser:
        for path in (site.week, "/", "/system", "/bureau", f"{site.week}/timesheets.csv"):
            answer = await browser.get(path)
            assert answer.status_code == 303
            assert answer.headers["location"].startswith("/sign-in")
        answer = await browser.get("/events", params={"agency": str(site.world.agency)})
        assert answer.status_code == 303


async def test_a_person_sees_their_own_agency_alone(site: Site) -> None:
    async with site.sign_in("rae") as browser:
        for path in (site.week, f"{site.week}/timesheets.csv", f"/events?agency={site.world.agency}"):
            assert (await browser.get(path)).status_code == 403
        bureau = await browser.get("/bureau")
        assert str(site.world.agency) not in bureau.text
        other: World = site.other  # type: ignore[attr-defined]
        stolen = await browser.get(f"/agencies/{other.agency}/timesheets/{site.world.timesheet_id(0)}")
        assert stolen.status_code == 404


async def test_a_wrong_code_is_refused_and_a_link_leads_nowhere_else(site: Site) -> None:
    async with site.browser() as browser:
        assert (await browser.get("/sign-in?code=wrong")).status_code == 401
        assert (await browser.post("/sign-in", data={"code": "wrong"})).status_code == 401
        for evil in ("https://evil.example", "//evil.example", "/\\evil.example"):
            answer = await browser.get("/sign-in", params={"code": "code-pat", "next": evil})
            assert answer.headers["location"] == "/"
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie


async def test_signing_out_ends_the_session(site: Site) -> None:
    async with site.sign_in() as browser:
        csrf = csrf_of((await browser.get(site.week)).text)
        kept = dict(browser.cookies)
        assert (await browser.post("/sign-out", data={"csrf": "wrong"})).status_code == 403
        assert (await browser.post("/sign-out", data={"csrf": csrf})).status_code == 303
    async with site.browser() as again:
        again.cookies.update(kept)
        assert (await again.get(site.week)).status_code == 303


async def test_a_person_taken_off_the_file_is_out_at_once(site: Site, runtime: Runtime) -> None:
    async with site.sign_in() as browser:
        assert (await browser.get(site.week)).status_code == 200
        drop_person(Path(str(runtime.settings.clients_file)), "pat")
        assert (await browser.get(site.week)).status_code == 303


class TestCommands:
    async def test_a_command_goes_to_its_owner_with_the_persons_rights(self, site: Site) -> None:
        async with site.sign_in() as browser:
            csrf = csrf_of((await browser.get(f"{site.week}/pay")).text)
            form = {"csrf": csrf, "back": f"{site.week}/pay", "key": "k-1", "week_ending": str(site.world.week)}
            answer = await browser.post(
                f"/agencies/{site.world.agency}/commands/close-pay-run", data={**form, "accept_reason": "Late sheet"}
            )
            assert answer.headers["location"] == f"/agencies/{site.world.agency}/progress/pay-run/{site.world.week}"
        [sent] = site.owners.sent()
        assert sent.url.path == f"/v1/agencies/{site.world.agency}/pay-runs"
        assert sent.headers["idempotency-key"] == "k-1"
        assert json.loads(sent.content) == {
            "week_ending": "2026-04-05",
            "accept_difference": {"by": "Pat Payroll", "reason": "Late sheet"},
        }
        principal = await site.app.state.verifier.verify(sent.headers["authorization"].removeprefix("Bearer "))
        assert principal.subject == "pat"
        assert principal.agencies == {site.world.agency}

    async def test_pay_below_the_minimum_wage_is_shown_in_money_and_people_and_closed_with_a_name(
        self, site: Site
    ) -> None:
        async with site.sign_in() as browser:
            page = (await browser.get(f"{site.week}/pay")).text
            form = re.search(r'<form method="post" id="(close-run)"', page)
            assert form
            panel = (await browser.get(f"{site.week}/pay/preview", headers={"HX-Request": "true"})).text
            words = re.sub(r"<[^>]+>", "", panel)
            assert "1 payslip is below the minimum wage, £2.10 short in all; 1 could not be tested." in words
            assert "Not tested: no birth date, and the pay is below the adult rate" in words
            assert "Why you, Pat Payroll, let 2 payslips be paid as they are" in words
            for n in (0, 1):
                assert f'href="/agencies/{site.world.agency}/payslips/{site.world.payslip_id(n)}"' in panel
            asked = re.findall(r'name="(\w+)"[^>]*form="close-run"', panel)
            assert asked == ["minimum_wage_seen", "minimum_wage_reason"]
            seen = re.search(r'name="minimum_wage_seen" value="(\w+)" form="close-run"', panel)
            assert seen
            sent_form = {"csrf": csrf_of(page), "back": f"{site.week}/pay", "key": "k-2", "week_ending": "2026-04-05"}
            sent_form |= {"minimum_wage_seen": seen.group(1), "minimum_wage_reason": " Paid the rest next week "}
            await browser.post(f"/agencies/{site.world.agency}/commands/close-pay-run", data=sent_form)
        [sent] = site.owners.sent()
        assert json.loads(sent.content) == {
            "week_ending": "2026-04-05",
            "acknowledge_minimum_wage": {"by": "Pat Payroll", "reason": "Paid the rest next week", "seen": "5ee4a11"},
        }

    async def test_the_preview_by_itself_is_closed_from_its_own_form(self, site: Site) -> None:
        async with site.sign_in() as browser:
            page = (await browser.get(f"{site.week}/pay/preview")).text
        form = page[page.index('<form method="post" id="close-run"') :]
        form = form[: form.index("</form>")]
        for name in ("csrf", "back", "key", "week_ending", "minimum_wage_seen", "minimum_wage_reason"):
            assert f'name="{name}"' in form, name
        assert f'name="back" value="{site.week}/pay/preview"' in form
        assert 'type="submit"' in form

    async def test_a_refused_close_gives_back_what_was_written_and_says_it_in_words(self, site: Site) -> None:
        hint = "Close with a name and a reason (acknowledge_minimum_wage) and with the mark (minimum_wage.seen)."
        error = {"pointer": "#/acknowledge_minimum_wage", "detail": "Ann Testcase: 2.10 below", "code": "x"}
        more = {"pointer": "#/acknowledge_minimum_wage", "detail": "Ben Testcase: not tested", "code": "y"}
        problem = {"code": "minimum_wage_findings_changed", "detail": "What was looked at has changed since."}
        site.owners.refuse["/pay-runs"] = (409, {**problem, "hint": hint, "errors": [error, more]})
        async with site.sign_in() as browser:
            csrf = csrf_of((await browser.get(f"{site.week}/pay")).text)
            form = {"csrf": csrf, "back": f"{site.week}/pay", "key": "k-3", "week_ending": "2026-04-05"}
            form |= {"minimum_wage_reason": "Paid <next> week", "accept_reason": "Late sheet"}
            await browser.post(f"/agencies/{site.world.agency}/commands/close-pay-run", data=form)
            page = (await browser.get(f"{site.week}/pay")).text
            again = (await browser.get(f"{site.week}/pay")).text
        assert re.search(r'<textarea id="minimum-wage-reason"[^>]* hx-preserve>Paid &lt;next&gt; week</textarea>', page)
        assert '<details class="why" open>' in page
        assert ">Late sheet</textarea>" in page
        assert "<li>Ann Testcase: 2.10 below</li>" in page
        assert "Look at them again. They are listed under" in page
        assert "acknowledge_minimum_wage" not in page
        assert "Late sheet" not in again

    async def test_a_run_says_in_whose_name_low_pay_was_paid_and_asks_where_nobody_did(self, site: Site) -> None:
        world: World = site.other  # type: ignore[attr-defined]
        path = f"/agencies/{world.agency}/pay-runs/{world.id('pay-run', world.week)}/files?week={world.week}"
        async with site.sign_in("bea") as browser:
            waits = (await browser.get(path)).text
            site.owners.acknowledged = {
                "by": "Pat Payroll", "at": "2026-04-07T11:05:00Z", "reason": "Paid the rest next week", "revision": 2,
            }  # fmt: skip
            named = (await browser.get(path)).text
        assert "2 came up while the run closed" in waits
        assert 'name="minimum_wage_seen" value="5ee4a11"' in waits
        assert "Nobody’s yet" in waits
        words = re.sub(r"<[^>]+>", "", named)
        assert words.count("Pat Payroll, Tue 7 Apr 12:05: Paid the rest next week") == 2
        assert "minimum_wage_reason" not in named

    async def test_a_refusal_says_what_and_what_to_do(self, site: Site) -> None:
        problem = {"code": "week_not_cut_off", "detail": "The week is not cut off.", "hint": "Cut it off first."}
        site.owners.refuse["/pay-runs"] = (409, problem)
        async with site.sign_in() as browser:
            csrf = csrf_of((await browser.get(site.week)).text)
            form = {"csrf": csrf, "back": site.week, "key": "k", "week_ending": "2026-04-05"}
            await browser.post(f"/agencies/{site.world.agency}/commands/close-pay-run", data=form)
            page = await browser.get(site.week)
        assert "The week is not cut off." in page.text
        assert "Cut it off first." in page.text

    async def test_an_owner_that_is_away_is_said_so(self, site: Site) -> None:
        site.owners.away.add("compliance")
        async with site.sign_in() as browser:
            csrf = csrf_of((await browser.get(site.week)).text)
            form = {"csrf": csrf, "back": site.week, "key": "k", "timesheet_id": str(site.world.timesheet_id(5))}
            await browser.post(f"/agencies/{site.world.agency}/commands/release-hold", data={**form, "reason": "Seen"})
            assert "The compliance service does not answer" in (await browser.get(site.week)).text

    async def test_a_document_travels_with_its_file(self, site: Site) -> None:
        async with site.sign_in() as browser:
            html = (await browser.get(f"/agencies/{site.world.agency}/timesheets/{site.world.timesheet_id(5)}")).text
            form = {
                "csrf": csrf_of(html),
                "back": site.week,
                "key": "k-9",
                "worker_id": str(site.world.worker_of(5)),
                "requirement": "right_to_work",
                "valid_from": "2026-01-01",
                "expires_on": "",
            }
            await browser.post(
                f"/agencies/{site.world.agency}/commands/record-document",
                data=form,
                files={"file": ("passport.pdf", b"%PDF-1.4", "application/pdf")},
            )
        [recorded] = site.owners.sent("POST")
        [uploaded] = site.owners.sent("PUT")
        document = json.loads(recorded.content)
        assert document["expires_on"] is None
        assert uploaded.url.path.endswith(f"/documents/{document['document_id']}/file")
        assert b"passport.pdf" in uploaded.content

    async def test_a_form_from_elsewhere_is_refused(self, site: Site) -> None:
        async with site.sign_in() as browser:
            for csrf in ("", "wrong"):
                answer = await browser.post(
                    f"/agencies/{site.world.agency}/commands/cut-off", data={"csrf": csrf, "week_ending": "2026-04-05"}
                )
                assert answer.status_code == 403
        assert site.owners.sent() == []

    @pytest.mark.parametrize("name", ["nonsense", "close-pay-run"])
    async def test_a_broken_form_is_a_page_not_a_crash(self, site: Site, name: str) -> None:
        async with site.sign_in() as browser:
            csrf = csrf_of((await browser.get(site.week)).text)
            answer = await browser.post(f"/agencies/{site.world.agency}/commands/{name}", data={"csrf": csrf})
        assert answer.status_code in (404, 422)
        assert "urn:uuid:" in answer.text

    async def test_dead_letters_are_replayed_where_they_lie(self, site: Site) -> None:
        async with site.sign_in() as browser:
            page = await browser.get("/system")
            assert "outside the known tax years" in page.text
            form = {
                "csrf": csrf_of(page.text),
                "service": "pay-calc",
                "dead_letter_id": "7",
                "key": "k",
                "back": "/system",
            }
            await browser.post("/system/commands/replay", data=form)
            assert "Replayed; handled 3 events" in (await browser.get("/system")).text
        assert site.owners.sent()[0].url.path == "/v1/ops/dead-letters/7/replay"

    async def test_a_discard_carries_its_reason_and_the_rights_of_who_runs_the_instance(self, site: Site) -> None:
        for person, everywhere in (("bea", True), ("pat", False)):
            async with site.sign_in(person) as browser:
                page = await browser.get("/system")
                assert "Why it may be given up" in page.text
                form = {"csrf": csrf_of(page.text), "service": "pay-calc", "dead_letter_id": "7", "key": person}
                await browser.post("/system/commands/discard", data={**form, "reason": "Sent by a test"})
                assert "Discarded; handled 3 events" in (await browser.get("/system")).text
            sent = site.owners.sent()[-1]
            assert sent.url.path == "/v1/ops/dead-letters/7/discard"
            assert json.loads(sent.content) == {"reason": "Sent by a test"}
            principal = await site.app.state.verifier.verify(sent.headers["authorization"].removeprefix("Bearer "))
            assert principal.every_agency is everywhere

    async def test_a_missing_week_is_answered_where_it_is_seen(self, site: Site) -> None:
        path = f"/agencies/{site.world.agency}/timesheets/{site.world.timesheet_id(2)}"
        async with site.sign_in() as browser:
            page = await browser.get(path)
            assert "Did not work this week" in page.text
            form = {
                "csrf": csrf_of(page.text),
                "back": path,
                "key": "k",
                "timesheet_id": str(site.world.timesheet_id(2)),
            }
            await browser.post(f"/agencies/{site.world.agency}/commands/did-not-work", data=form)
            assert "Nobody is asked for it any more" in (await browser.get(path)).text
        [sent] = site.owners.sent()
        assert sent.url.path.endswith(f"/timesheets/{site.world.timesheet_id(2)}/not-worked")

    async def test_replicas_are_told_apart(self, site: Site) -> None:
        async with site.sign_in("bea") as browser:
            text = (await browser.get("/system")).text
        row = text[text.index("pay-calc-1") :]
        assert re.search(r"pay-calc-1.*?Live.*?moved 1 s ago, 24 partitions", text, re.DOTALL)
        assert re.search(r"pay-calc-2.*?Silent.*?for 95 s", row, re.DOTALL)
        assert "unknown" in text[text.index('id="service-compliance"') : text.index("compliance-1")]

    async def test_only_who_runs_the_instance_is_offered_to_resume(self, site: Site) -> None:
        site.owners.stopped.add("compliance")
        for person, offered in (("bea", True), ("pat", False)):
            async with site.sign_in(person) as browser:
                text = (await browser.get("/system")).text
            assert "Consumer stopped" in text
            assert (">Resume</button>" in text, "Who runs the instance resumes it" in text) == (offered, not offered)

    async def test_a_record_that_nobody_can_read_is_shown_harmless(self, site: Site) -> None:
        site.owners.letter = {"agency_id": None, "event_type": "unreadable", "payload": r"<script>\x00", "waiting": 0}
        async with site.sign_in("bea") as browser:
            text = (await browser.get("/system")).text
        assert "it belongs to no agency" in text
        assert r"&lt;script&gt;\x00" in text


class TestExports:
    @pytest.mark.parametrize("table", EXPORTS)
    async def test_each_table_as_csv_and_excel(self, site: Site, table: str) -> None:
        other: World = site.other  # type: ignore[attr-defined]
        path = EXPORTS[table](other)
        site.owners.replays["items"] = [REPLAY | {"agency_id": str(other.agency)}]
        await told_of_a_file(site, other, other.id("import", 1))
        async with site.sign_in("bea") as browser:
            rows = list(csv.reader(io.StringIO((await browser.get(f"{path}.csv")).content.decode("utf-8-sig"))))
            sheet = load_workbook(io.BytesIO((await browser.get(f"{path}.xlsx")).content)).worksheets[0]
        assert len(rows) == sheet.max_row
        assert rows[0] == [cell.value for cell in sheet[1]]
        assert len(rows) > 1 or table in CLEAN
        assert all(len(row) == len(rows[0]) and any(row) for row in rows)

    def test_every_export_is_tested_and_every_table_has_one(self) -> None:
        routes = [*exports.router.routes, *detail_exports.router.routes, *what_if.router.routes]
        known = {route.path.removesuffix(".{kind}") for route in routes if route.path.endswith(".{kind}")}
        asked = {*(re.sub(ID, "{}", path(World())) for path in EXPORTS.values()), *WHAT_IF}
        assert {re.sub(r"\{\w+\}", "{}", path) for path in known} == asked
        without = set()
        for template in sorted(TEMPLATES.glob("*.html")):
            tables = re.findall(r"<table\b(?:(?!</table>).)*<thead>.*?</table>", template.read_text(), re.DOTALL)
            if len(tables) > len(re.findall(r"\.exports\(", template.read_text())):
                without.add(template.name)
        assert without == set(NO_EXPORT)

    async def test_system_health_tells_what_each_table_shows(self, site: Site) -> None:
        site.owners.letter = {"error": "=2+5", "payload": "@SUM(A1)"}
        site.owners.away.add("compliance")
        async with site.sign_in("bea") as browser:
            letters = list(
                csv.DictReader(io.StringIO((await browser.get("/system/dead-letters.csv")).content.decode("utf-8-sig")))
            )
            replicas = list(
                csv.DictReader(io.StringIO((await browser.get("/system/replicas.csv")).content.decode("utf-8-sig")))
            )
        (letter,) = [one for one in letters if one["Id"] == "7"]
        assert (letter["Error"], letter["Message"], letter["Topic"]) == ("'=2+5", "'@SUM(A1)", "paybill.timesheet")
        assert [one["Lag"] for one in replicas if one["Replica"] == "pay-calc-2"] == ["7"]
        (away,) = [one for one in replicas if one["Service"] == "compliance"]
        assert (away["Answers"], away["Replica"]) == ("no", "")

    def test_a_tie_out_lists_lines_and_documents_that_differ(self) -> None:
        line = LineDifference("pay", "t", 2, "c", 1000, 990, 10)
        found = SimpleNamespace(lines=(line,), documents=(DocumentDifference("d", "NI-1", -5, "it does not balance"),))
        first, second = detail_exports.differing(found)
        told = [[csv_cell(value(row)) for _, value in detail_exports.TIE_OUT] for row in (first, second)]
        assert told[0] == ["line", "pay", "t", "2", "c", "10.00", "9.90", "0.10", ""]
        assert told[1] == ["document", "", "NI-1", "", "", "", "", "-0.05", "it does not balance"]

    async def test_a_record_of_nobody_has_no_export(self, site: Site) -> None:
        nobody = UUID(int=9)
        root = f"/agencies/{site.world.agency}"
        async with site.sign_in() as browser:
            for path in (
                f"timesheets/{nobody}/lines",
                f"payslips/{nobody}/timesheets",
                f"invoices/{nobody}/timesheets",
            ):
                assert (await browser.get(f"{root}/{path}.csv")).status_code == 404
            foreign = site.other.agency  # type: ignore[attr-defined]
            assert (await browser.get(f"/agencies/{foreign}/weeks/{site.world.week}/tie-out.csv")).status_code in (
                403,
                404,
            )

    async def test_a_formula_is_exported_as_text(self, site: Site, feed: Any) -> None:
        world = site.world
        evil = '=HYPERLINK("http://x","click")'
        entry = DirectoryEntry(
            agency_id=world.agency, kind="worker", entry_id=world.worker_of(5), display_name=evil, reference="W-00005"
        )
        world.facts.clear()
        world.tell(entry, sequence=99)
        await feed(world.facts)
        async with site.sign_in() as browser:
            text = (await browser.get(f"{site.week}/timesheets.csv?q=TS-00005")).content.decode("utf-8-sig")
            book = load_workbook(io.BytesIO((await browser.get(f"{site.week}/timesheets.xlsx?q=TS-00005")).content))
        assert "\"'=HYPERLINK" in text
        cell = book.worksheets[0]["D2"]
        assert (cell.value, cell.data_type) == (evil, "s")

    async def test_runs_and_agencies(self, site: Site) -> None:
        other: World = site.other  # type: ignore[attr-defined]
        async with site.sign_in("bea") as browser:
            assert len((await browser.get(f"/agencies/{other.agency}/pay-runs.csv")).text.splitlines()) == 2
            assert len((await browser.get("/bureau.csv")).text.splitlines()) == 3


async def test_live_numbers_come_when_facts_do(site: Site, runtime: Runtime, feed: Any) -> None:
    live = Live(runtime.api_database, runtime.clock)
    events = stream(live, site.world.agency, site.world.week)
    try:
        assert (await anext(events)).startswith("retry:")
        first = json.loads((await anext(events)).split("data: ", 1)[1])
        assert first["values"]["unapproved"] == "4"
        assert first["changed"] is False
        site.world.facts.clear()
        site.world.approve(3)
        await feed(site.world.facts)
        news = json.loads((await asyncio.wait_for(anext(events), 10)).split("data: ", 1)[1])
        assert news["values"]["unapproved"] == "3"
        assert news["changed"] is True
    finally:
        await events.aclose()
    assert live.watchers == 0


async def test_a_new_page_is_not_set_back_to_numbers_read_before_it(
    site: Site, runtime: Runtime, feed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reporting.api.web.live.POLL_S", 3_600.0)
    live, told = Live(runtime.api_database, runtime.clock), []
    for _ in range(2):
        events = stream(live, site.world.agency, site.world.week)
        await anext(events)
        told.append(json.loads((await anext(events)).split("data: ", 1)[1])["values"]["unapproved"])
        await events.aclose()
        site.world.facts.clear()
        site.world.approve(3)
        await feed(site.world.facts)
    assert told == ["4", "3"]


async def test_static_files_are_kept_and_small(site: Site) -> None:
    async with site.sign_in() as browser:
        html = (await browser.get(site.week)).text
        whole = 0
        for path in set(re.findall(r'(?:src|href)="(/static/[^"]+\.(?:js|css)[^"]*)"', html)):
            answer = await browser.get(path)
            assert answer.status_code == 200
            assert "immutable" in answer.headers["cache-control"]
            import zlib

            whole += len(zlib.compress(answer.content, 9))
    assert 0 < whole < 150_000


async def test_timesheets_are_sorted_and_paged_by_every_column(site: Site, runtime: Runtime) -> None:
    _, sorts = lists._timesheets_select()
    shown = {
        "hours": "minutes",
        "pay": "shown_pay_gbp",
        "charge": "shown_charge_gbp",
        "margin": "margin_gbp",
        "age": "since",
    }
    wanted = lists.TimesheetFilter()
    async with (
        site.sign_in() as browser,
        runtime.api_database.transaction(now=runtime.clock.now(), agencies=[site.world.agency], read_only=True) as tx,
    ):
        for key in sorts:
            for sort in (key, f"-{key}"):
                assert (await browser.get(f"{site.week}/timesheets", params={"sort": sort})).status_code == 200
                whole = await lists.timesheets(
                    tx, agency_id=site.world.agency, wanted=wanted, sort=sort, offset=0, most=100
                )
                assert whole.total == len(whole.rows) > 2
                values = [getattr(row, shown.get(key, key)) for row in whole.rows]
                known = [value for value in values if value is not None]
                assert values[: len(known)] == sorted(known, reverse=sort.startswith("-")), sort
                pages = [
                    await lists.timesheets(tx, agency_id=site.world.agency, wanted=wanted, sort=sort, offset=n, most=1)
                    for n in range(whole.total)
                ]
                assert [page.rows[0].timesheet_id for page in pages] == [row.timesheet_id for row in whole.rows]
