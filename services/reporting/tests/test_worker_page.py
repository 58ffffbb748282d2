"""A worker's own page: a signed link, plain words, and nothing of anybody else."""

from __future__ import annotations

import base64
import html
import json
import re
import string
import time
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest
from owners import explanation
from test_words_on_pages import _RAW, read_aloud
from web import Site, csrf_of
from world import PAYDAY, World

from paybill_common.sealed import MARK_BYTES, NotOurs, NotWhole, seal, unseal
from reporting.domain import for_worker, words
from reporting.domain.explained import told
from reporting.usecases.worker_links import BadLink, NoKey, WorkerLink, WorkerLinks

pytestmark = pytest.mark.integration
NOW_S = int(time.time())
TODAY = date(2026, 4, 7)


def link_of(site: Site, world: World, n: int, *, seconds: int = 3600) -> str:
    """The path of a worker's page."""
    link = WorkerLink(world.agency, world.worker_of(n))
    return f"/my/{site.app.state.worker_links.sign(link, expires_s=int(time.time()) + seconds)}"


def said(page: str) -> str:
    """The page's text in one line."""
    return " ".join(read_aloud(page).split())


class TestTheLink:
    links = WorkerLinks("-----a key-----")
    one = WorkerLink(uuid4(), uuid4())

    def test_it_names_its_worker_until_it_expires(self) -> None:
        token = self.links.sign(self.one, expires_s=NOW_S)
        assert self.links.read(token, now_s=NOW_S) == self.one
        with pytest.raises(BadLink, match="expired"):
            self.links.read(token, now_s=NOW_S + 1)

    def test_no_changed_character_and_no_other_spelling_is_accepted(self) -> None:
        token = self.links.sign(self.one, expires_s=NOW_S)
        alphabet = string.ascii_letters + string.digits + "-_"
        for at, character in enumerate(token):
            for other in (alphabet[(alphabet.index(character) + step) % 64] for step in (1, 17, 63)):
                with pytest.raises(BadLink):
                    self.links.read(token[:at] + other + token[at + 1 :], now_s=NOW_S)
        for other in (
            *(token[:-1] + last for last in alphabet if last != token[-1]),
            token + "=",
            token + "A",
            token[:-1],
            "",
            "%",
            "é",
        ):
            with pytest.raises(BadLink):
                self.links.read(other, now_s=NOW_S)

    def test_another_instance_key_does_not_open_it(self) -> None:
        token = self.links.sign(self.one, expires_s=NOW_S)
        with pytest.raises(BadLink, match="not one of ours"):
            WorkerLinks("-----another key-----").read(token, now_s=NOW_S)
        with pytest.raises(BadLink):
            WorkerLinks(None).read(token, now_s=NOW_S)
        with pytest.raises(NoKey):
            WorkerLinks(None).sign(self.one, expires_s=NOW_S)

    def test_a_sealed_text_has_one_spelling(self) -> None:
        key, body = b"k" * 32, b"what it says!!"
        text = seal(key, body)
        assert unseal(key, text, size=len(body)) == body
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        same = [text[:-1] + last for last in string.ascii_letters + string.digits + "-_"]
        readings = [one for one in same if base64.urlsafe_b64decode(one + "=" * (-len(one) % 4)) == raw]
        assert (len(raw) - MARK_BYTES, len(readings) > 1) == (len(body), True)  # decoding alone would take several
        for other in readings:
            if other != text:
                with pytest.raises(NotWhole):
                    unseal(key, other, size=len(body))
        with pytest.raises(NotOurs):
            unseal(b"x" * 32, text, size=len(body))


class TestWords:
    def test_every_reason_that_can_hold_pay_has_words_for_the_worker(self) -> None:
        assert set(words._REASONS) == set(for_worker.REASONS) | for_worker.NOT_ABOUT_PAY
        for code in (*for_worker.REASONS, "a_code_of_tomorrow"):
            found = for_worker.why_held({"code": code, "requirement": "right_to_work"}, "Con Sultant")
            assert found.why.endswith(".")
            assert found.do
            assert not re.search(r"[{}_]|hold|NI letter|payee", found.why + found.do), code

    @pytest.mark.parametrize(
        ("sheet", "word", "text"),
        [
            (for_worker.Sheet("expected", "none"), "Not sent", "no hours from you"),
            (for_worker.Sheet("not_worked", "none"), "No work", "did not work"),
            (
                for_worker.Sheet("submitted", "none", client="Client A"),
                "Waiting for approval",
                "Client A has not approved",
            ),
            (
                for_worker.Sheet(
                    "rejected", "none", client="Client A", rejected_by="client", reject_reason="break_wrong"
                ),
                "Sent back",
                "Client A sent it back: the break is not right",
            ),
            (for_worker.Sheet("approved", "waiting"), "Approved", "being worked out"),
            (for_worker.Sheet("approved", "clearing"), "Approved", "check your documents"),
            (for_worker.Sheet("approved", "draft", payday_on=PAYDAY), "Approved", "in the pay for Fri 10 Apr"),
            (for_worker.Sheet("approved", "draft", payday_on=date(2026, 4, 3)), "Approved", "goes with the next"),
            (
                for_worker.Sheet("approved", "paid", pay_basis="paye", final=True, payday_on=PAYDAY),
                "To be paid",
                "to be paid on Fri 10 Apr",
            ),
            (
                for_worker.Sheet("approved", "paid", pay_basis="paye", final=True, payday_on=PAYDAY, sent_on=PAYDAY),
                "On its way",
                "The bank is told to pay on Fri 10 Apr",
            ),
            (
                for_worker.Sheet(
                    "approved", "paid", pay_basis="umbrella", payee="U Ltd", payday_on=TODAY, sent_on=TODAY
                ),
                "Paid on Tue 7 Apr",
                "Paid to U Ltd on Tue 7 Apr. U Ltd pays you",
            ),
        ],
    )
    def test_where_a_timesheet_is(self, sheet: for_worker.Sheet, word: str, text: str) -> None:
        found = for_worker.where(sheet, TODAY)
        assert found.word == word
        assert text in found.text

    def test_words_of_the_trade_are_marked_once_and_explained(self) -> None:
        text = "Taxable pay is £437.00, to tax period 1. Code 1257L leaves £242.00 free of tax. Taxable pay again."
        found = for_worker.parts(text)
        assert "".join(part.text for part in found) == text
        assert [(part.text, part.term.key) for part in found if part.term] == [
            ("Taxable pay", "taxable"),
            ("tax period 1", "tax-period"),
            ("Code 1257L", "tax-code"),
        ]
        assert [term.key for term in for_worker.terms_in([text, text])] == ["tax-code", "tax-period", "taxable"]
        assert for_worker.parts("Nothing here.") == [for_worker.Part("Nothing here.")]

    def test_what_the_employer_bears_is_left_out_and_net_pay_is_last(self) -> None:
        found = told(explanation())
        assert [(one.figure, one.sign, one.sentence) for one in found] == [
            ("pay", 1, "£512.40, in short."),
            ("tax", -1, "Income tax is £71.60, in short."),
            ("net", 0, "Net pay is £440.80, in short."),
        ]


async def test_a_worker_sees_where_each_timesheet_is_and_what_it_pays(site: Site) -> None:
    """A closed week: workers 0 and 1 are one person with two timesheets; worker 5 is held; 2, 3 and 4 are not approved."""
    other: World = site.other  # type: ignore[attr-defined]
    async with site.browser() as browser:
        page = await browser.get(link_of(site, other, 0))
        assert page.status_code == 200
        text = said(page.text)
        for wanted in ("Care (demo)", "Worker 00000 Testcase", "Week to Sun 5 Apr 2026", "TS-00000", "TS-00001"):
            assert wanted in text
        assert text.count("The bank is told to pay on Fri 10 Apr") == 2
        assert re.search(
            r"Gross pay £[\d,.]+ .*Income tax −£[\d,.]+ .*National Insurance −£[\d,.]+ .*Net pay £[\d,.]+", text
        )
        assert f"/payslips/{other.payslip_id(0)}/pdf" in page.text
        for n, wanted in (
            (2, "We have no hours from you for this week. Send them to Consultant 02 Testcase today"),
            (3, "Client 03 Example Ltd has not approved them yet"),
            (4, "Client 04 Example Ltd sent it back: the hours are not what they have"),
            (
                5,
                "your pay waits: we do not have proof of your right to work. Send it to Consultant 01 Testcase",
            ),
        ):
            assert wanted in said((await browser.get(link_of(site, other, n))).text), n


async def test_a_payslip_says_why_each_figure_is_what_it_is(site: Site) -> None:
    other: World = site.other  # type: ignore[attr-defined]
    async with site.browser() as browser:
        page = await browser.get(f"{link_of(site, other, 0)}/payslips/{other.payslip_id(0)}")
    text = said(page.text)
    for wanted in (
        "What you earned",
        "Basic pay, Driver £512.40 £512.40, in short.",
        "Income tax is £71.60, in short.",
        "−£71.60",
    ):
        assert wanted in text
    assert "8.00 fewer hours than the week before." in text
    assert "Employer National Insurance" not in text
    assert 'id="tax"' in page.text
    assert re.search(r'popovertarget="word-tax">Income tax</button> is £71.60', page.text)
    assert re.search(r'<div class="says" id="word-tax" popover>', page.text)


async def test_pay_calc_is_asked_with_this_workers_rights_alone(site: Site) -> None:
    other: World = site.other  # type: ignore[attr-defined]
    path = f"{link_of(site, other, 0)}/payslips/{other.payslip_id(0)}"
    async with site.browser() as browser:
        await browser.get(path)
        paper = await browser.get(f"{path}/pdf")
    assert paper.headers["content-type"] == "application/pdf"
    assert [request.url.path.rpartition("/")[2] for request in site.owners.asked] == ["explanation", "pdf"]
    for request in site.owners.asked:
        claims = jwt.decode(request.headers["authorization"].split()[1], options={"verify_signature": False})
        assert claims["worker_id"] == str(other.worker_of(0))
        assert (claims["scope"], claims["agencies"]) == ("pay:read", [str(other.agency)])
        assert "every_agency" not in claims


async def test_nothing_of_another_worker_is_behind_a_link(site: Site) -> None:
    """Worker 0's link with other workers' payslips, and every name, number and id on the page."""
    world, other = site.world, site.other  # type: ignore[attr-defined]
    mine = link_of(site, other, 0)
    own = other.payslip_id(0)
    strangers = {other.payslip_id(n) for n in range(12)} | {world.payslip_id(n) for n in range(2)}
    async with site.browser() as browser:
        for page in (await browser.get(mine), await browser.get(f"{mine}/payslips/{own}")):
            shown = set(re.findall(r"TS-\d{5}|Worker \d{5}|[0-9a-f]{8}-[0-9a-f-]{27}", page.text))
            assert shown <= {"TS-00000", "TS-00001", "Worker 00000", str(own)}, shown
        for payslip_id in strangers - {own}:
            for tail in ("", "/pdf"):
                answer = await browser.get(f"{mine}/payslips/{payslip_id}{tail}")
                assert answer.status_code == 404
                assert "There is no such payslip of yours" in answer.text
        assert {request.url.path.rpartition("/payslips/")[2] for request in site.owners.asked} == {f"{own}/explanation"}


async def test_no_access_with_a_changed_an_expired_or_a_crossed_token(site: Site) -> None:
    world, other = site.world, site.other  # type: ignore[attr-defined]
    good = link_of(site, other, 0)
    crossed = site.app.state.worker_links.sign(WorkerLink(world.agency, other.worker_of(0)), expires_s=NOW_S + 3600)
    bad = [f"{good[:-1]}{'A' if good[-1] != 'A' else 'B'}", good[:-4], f"{good}AA", link_of(site, other, 0, seconds=-1)]
    async with site.browser() as browser:
        garbage = [f"/my/{text}" for text in ("x", "A" * 2_000, "é", "%00", "%FF%FE", "%ED%A0%80")]
        for path in (*bad, *garbage, f"/my/{crossed}"):
            for tail in ("", f"/payslips/{other.payslip_id(0)}", f"/payslips/{other.payslip_id(0)}/pdf"):
                answer = await browser.get(f"{path}{tail}")
                assert answer.status_code == 404, path
                assert "Testcase" not in answer.text
        assert "has expired" in (await browser.get(bad[-1])).text
        for method in ("POST", "PUT", "DELETE"):
            assert (await browser.request(method, good)).status_code == 405
    assert site.owners.asked == []


async def test_the_page_keeps_its_address_to_itself(site: Site) -> None:
    other: World = site.other  # type: ignore[attr-defined]
    mine = link_of(site, other, 0)
    async with site.browser() as browser:
        for path in (
            mine,
            f"{mine}/payslips/{other.payslip_id(0)}",
            f"{mine}/payslips/{other.payslip_id(0)}/pdf",
            "/my/x",
        ):
            answer = await browser.get(path)
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert answer.headers["cache-control"] == "no-store"
            assert "noindex" in answer.headers["x-robots-tag"]
            assert "default-src 'none'" in answer.headers["content-security-policy"]
            assert "set-cookie" not in answer.headers
            assert "<script" not in answer.text


async def test_no_code_no_id_and_no_iso_date_is_read(site: Site) -> None:
    other: World = site.other  # type: ignore[attr-defined]
    async with site.browser() as browser:
        for world in (site.world, other):
            for n in range(10):
                mine = link_of(site, world, n)
                pages = [await browser.get(mine), await browser.get(f"{mine}/payslips/{world.payslip_id(n)}")]
                for page in pages:
                    for what, pattern in _RAW.items():
                        assert pattern.search(said(page.text)) is None, (what, n, said(page.text))


async def test_when_pay_calc_is_away_the_figures_stay(site: Site) -> None:
    other: World = site.other  # type: ignore[attr-defined]
    mine = f"{link_of(site, other, 0)}/payslips/{other.payslip_id(0)}"
    site.owners.away.add("pay-calc")
    async with site.browser() as browser:
        page = await browser.get(mine)
        paper = await browser.get(f"{mine}/pdf")
    assert page.status_code == 200
    assert "try again in a few minutes" in page.text
    assert re.search(r"Net pay .*£[\d,.]+", said(page.text))
    assert (paper.status_code, "Try again" in paper.text) == (503, True)


async def test_a_button_sends_the_link_to_the_address_on_file(site: Site) -> None:
    world = site.world
    site.owners.answers[f"/workers/{world.worker_of(0)}/page-links"] = lambda _: {"sent": True}
    async with site.sign_in() as browser:
        page = (await browser.get(f"/agencies/{world.agency}/timesheets/{world.timesheet_id(0)}")).text
        answer = await _press(browser, page, world)
    assert "on its way by e-mail" in answer
    assert "/my/" not in answer
    [sent] = site.owners.sent()
    body = json.loads(sent.content)
    link = site.app.state.worker_links.read(body["token"], now_s=int(time.time()))
    assert link == WorkerLink(world.agency, world.worker_of(0))
    claims = jwt.decode(sent.headers["authorization"].split()[1], options={"verify_signature": False})
    assert claims["sub"] == "pat"
    assert sent.headers["idempotency-key"]


async def test_without_an_address_the_link_is_shown_to_hand_over(site: Site) -> None:
    world = site.world
    site.owners.answers[f"/workers/{world.worker_of(0)}/page-links"] = lambda _: {"sent": False}
    async with site.sign_in() as browser:
        page = (await browser.get(f"/agencies/{world.agency}/payslips/{world.payslip_id(0)}")).text
        answer = await _press(browser, page, world)
        link = re.search(r'href="http://[^"]*(/my/[\w-]+)"', answer)
        assert link
        assert "nobody else" in answer
        assert (await browser.get(link[1])).status_code == 200


async def test_the_button_needs_the_right_to_write_and_a_worker_of_the_agency(site: Site) -> None:
    world, other = site.world, site.other  # type: ignore[attr-defined]
    path = f"/agencies/{other.agency}/workers/{other.worker_of(0)}/page-link"
    async with site.sign_in("rae") as browser:
        page = (await browser.get(f"/agencies/{other.agency}/timesheets/{other.timesheet_id(0)}")).text
        assert "page-link" not in page
        token = csrf_of(page)
        assert (await browser.post(path, data={"csrf": token})).status_code == 403
    async with site.sign_in() as browser:
        token = csrf_of((await browser.get(site.week)).text)
        own = f"/agencies/{world.agency}/workers"
        assert (await browser.post(path, data={"csrf": token})).status_code == 403
        assert (await browser.post(f"{own}/{other.worker_of(0)}/page-link", data={"csrf": token})).status_code == 404
        assert (await browser.post(f"{own}/{world.worker_of(0)}/page-link", data={"csrf": "x"})).status_code == 403
    assert site.owners.sent() == []


async def _press(browser: Any, page: str, world: World) -> str:
    form = re.search(r'action="(/agencies/[^"]+/workers/([^"]+)/page-link)">(.*?)</form>', page, re.DOTALL)
    assert form
    assert UUID(form[2]) == world.worker_of(0)
    fields = {name: html.unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', form[3])}
    answer = await browser.post(form[1], data=fields)
    assert answer.status_code == 303
    return str((await browser.get(answer.headers["location"])).text)
