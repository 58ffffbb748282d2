"""Long work has a page: progress from its owner, also after a restart; what became of it; and nobody else's."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from owners import URLS, ago, invoice_run, pay_run
from test_words_on_pages import read_aloud
from web import Site, csrf_of, write_clients
from world import World

from paybill_common.ids import new_id
from paybill_common.service import Runtime, build_app
from reporting.api.forward import Forward
from reporting.api.web import commands
from reporting.domain import work as rules
from reporting.store import work as store
from reporting.store.work import NewWork

pytestmark = pytest.mark.integration


def page_of(world: World, kind: str = "pay-run") -> str:
    return f"/agencies/{world.agency}/progress/{kind}/{world.week}"


async def seen(browser: httpx.AsyncClient, path: str, **options: Any) -> str:
    """A page's text, in single spaces."""
    answer = await browser.get(path, **options)
    assert answer.status_code == 200, answer.text
    return " ".join(read_aloud(answer.text).split())


async def press(site: Site, browser: httpx.AsyncClient, name: str = "close-pay-run") -> httpx.Response:
    csrf = csrf_of((await browser.get(site.week)).text)
    form = {"csrf": csrf, "back": f"{site.week}/pay", "key": "k", "week_ending": str(site.world.week)}
    return await browser.post(f"/agencies/{site.world.agency}/commands/{name}", data=form)


async def ended(site: Site) -> None:
    """Every command that this process follows has been heard."""
    followed = site.app.state.jobs._tasks
    await asyncio.wait_for(asyncio.gather(*followed), timeout=20)


@pytest.fixture
def slow_owner(site: Site, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """The owner answers a command when the event is set; the person is sent to the work's page at once."""
    monkeypatch.setattr(commands, "LANDING_S", 0)
    go = asyncio.Event()
    inner = site.owners._answer

    async def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            await go.wait()
        return inner(request)

    site.app.state.forward = Forward(urls=URLS, signer=site.app.state.signer, transport=httpx.MockTransport(answer))
    return go


async def test_progress_rate_time_left_who_and_whom_it_leaves_out(site: Site) -> None:
    async with site.sign_in() as browser:
        answer = await browser.get(page_of(site.world))
        text = " ".join(read_aloud(answer.text).split())
    assert '<progress id="done" max="3000" value="1250">41%</progress>' in answer.text
    assert 'hx-trigger="every 2s"' in answer.text
    for said in (
        "Closing the pay run, w/e 5 Apr 2026",
        "1,250 of 3,000 workers done",
        "Rate 25 workers a second",
        "Time left about 1 min 10 s",
        "Begun Mon 6 Apr 15:00 by Pat Payroll",
        "Left out so far (1)",
        "All the hours are held, so there is nothing to pay",
        "You can close this page or the browser",
    ):
        assert said in text, said
    assert f'href="{site.week}/timesheets?worker_id={site.world.worker_of(5)}"' in answer.text


async def test_a_closed_run_says_what_it_made_and_what_comes_next(site: Site) -> None:
    world = site.world
    site.owners.pay_runs = [
        pay_run(world, state="closed", workers_done=3000, payslips=2890, self_bills=110, net_gbp="1234567.89",
                began_at=ago(200), progressed_at=ago(80), paid_minutes=7200000, accepted_by="Sam Second",
                accepted_reason="Late sheet")
    ]  # fmt: skip
    async with site.sign_in() as browser:
        answer = await browser.get(page_of(world))
        text = " ".join(read_aloud(answer.text).split())
    assert "hx-trigger" not in answer.text, "nothing moves any more"
    assert "<progress" not in answer.text
    for said in (
        "Pay run closed, w/e 5 Apr 2026",
        "Payslips 2,890",
        "Net £ 1,234,567.89",
        "Took 2 min",
        "25 workers a second",
    ):
        assert said in text, said
    assert "Sam Second accepted that the totals differ from the cut-off: Late sheet" in text
    assert f'id="next-file" href="{site.week}/pay#file"' in answer.text
    assert f'href="{site.week}/payslips?pay_run_id={world.id("pay-run", world.week)}"' in answer.text


async def test_invoices_of_another_program_are_followed_too(site: Site) -> None:
    worker = site.world.worker_of(5)
    site.owners.invoice_runs = [invoice_run(site.world, left_out_workers=[worker])]
    async with site.sign_in() as browser:
        text = await seen(browser, page_of(site.world, "invoice-run"))
        site.owners.invoice_runs[0] |= {"status": "closed", "clients_done": 40}
        after = await seen(browser, page_of(site.world, "invoice-run"))
    for said in ("Issuing invoices", "12 of 40 clients done", "Rate 180 clients an hour", "by paybill-cli",
                 "Invoices so far 13", "Net so far £ 18,220.00", "An event of this worker could not be handled"):  # fmt: skip
        assert said in text, said
    assert "Invoices issued, w/e 5 Apr 2026" in after
    assert "See the invoices" in after


async def test_pressing_close_leads_to_its_page_and_a_restart_forgets_nothing(
    site: Site, runtime: Runtime, slow_owner: asyncio.Event
) -> None:
    world = site.world
    site.owners.pay_runs = []
    async with site.sign_in() as browser:
        answer = await press(site, browser)
        assert answer.headers["location"] == page_of(world)
        text = await seen(browser, page_of(world))
        assert "Asked, begins in a moment" in text
        assert "by Pat Payroll" in text
        banner = await seen(browser, site.week)
        assert "Closing the pay run of w/e 5 Apr 2026. Under way since" in banner
        assert "Closing the pay run of w/e 5 Apr 2026. Under way" not in text, "its own page has no banner"

        site.app.state.jobs._tasks.clear()
        site.app = build_app(runtime)
        forward = Forward(urls=URLS, signer=site.app.state.signer, transport=site.owners.transport())
        site.app.state.forward = forward
        again = site.browser()
        again.cookies.update(browser.cookies)
        assert "Asked, begins in a moment" in await seen(again, page_of(world))
        page = (await again.get(site.week)).text
        assert f'href="{page_of(world)}">How far it is</a>' in page
        site.owners.pay_runs = [pay_run(world)]
        assert "1,250 of 3,000 workers done" in await seen(again, page_of(world))
        site.owners.pay_runs[0] |= {"state": "closed", "workers_done": 3000}
        assert "Pay run closed" in await seen(again, page_of(world))
        await again.aclose()
    slow_owner.set()


async def test_what_goes_on_at_the_owner_stays_on_every_page_until_its_fact_arrives(
    site: Site, feed: Callable[..., Any]
) -> None:
    site.owners.answers["/pay-runs"] = lambda request: (
        {"items": [pay_run(site.world)]} if request.method == "GET" else pay_run(site.world)
    )
    async with site.sign_in() as browser:
        await press(site, browser)
        assert "Under way since" in await seen(browser, site.week)
        site.world.facts.clear()
        site.world.thursday()
        await feed(site.world.facts)
        assert "Under way since" not in await seen(browser, site.week)


async def test_a_refusal_that_comes_late_stays_with_its_reason(site: Site, slow_owner: asyncio.Event) -> None:
    world = site.world
    site.owners.pay_runs = []
    problem = {"code": "totals_differ", "detail": "The week's totals are not those of its cut-off.",
               "hint": "Send accept_difference.", "instance": "urn:uuid:1",
               "errors": [{"pointer": "#/timesheets", "detail": "own 28, control 29"}]}  # fmt: skip
    site.owners.refuse["/pay-runs"] = (409, problem)
    async with site.sign_in() as browser:
        await press(site, browser)
        slow_owner.set()
        await ended(site)
        site.owners.refuse.clear()
        answer = await browser.get(page_of(world))
        text = " ".join(read_aloud(answer.text).split())
        for said in ("Pay run not closed", "Refused", problem["detail"], "Wait until all timesheets",
                     "Timesheets: own 28, control 29"):  # fmt: skip
            assert str(said) in text, said
        assert "#/" not in text
        assert "accept_difference" not in text
        assert f'href="{site.week}/pay#close"' in answer.text
        assert "hx-trigger" not in answer.text
        assert "Refused" in await seen(browser, f"/agencies/{world.agency}/progress")
        site.owners.pay_runs = [pay_run(world, state="closed", workers_done=3000)]
        assert "Pay run closed" in await seen(browser, page_of(world)), "somebody closed it since"


async def test_a_refusal_on_the_spot_goes_back_to_the_form(site: Site) -> None:
    site.owners.pay_runs = []
    site.owners.refuse["/pay-runs"] = (409, {"code": "week_not_cut_off", "detail": "The week is not cut off."})
    async with site.sign_in() as browser:
        answer = await press(site, browser)
        assert answer.headers["location"] == f"{site.week}/pay"
        assert "The week is not cut off." in await seen(browser, f"{site.week}/pay")
        site.owners.refuse.clear()
        assert "Nothing is under way, and nothing" not in await seen(browser, f"/agencies/{site.world.agency}/progress")
        assert "Pay run not closed yet" in await seen(browser, page_of(site.world))


async def test_an_owner_that_is_away_or_stands_still_is_said_so(site: Site) -> None:
    site.owners.pay_runs = [pay_run(site.world, progressed_at=ago(200))]
    async with site.sign_in() as browser:
        still = await seen(browser, page_of(site.world))
        site.owners.away.add("pay-calc")
        away = (await browser.get(page_of(site.world))).text
        listed = await seen(browser, f"/agencies/{site.world.agency}/progress")
    assert "Stands still" in still
    assert "Time left –" in still
    assert re.search(r"Nothing has moved for 3 min \d+ s", still)
    assert "The pay-calc service does not answer" in away
    assert 'hx-trigger="every 2s"' in away, "it asks again"
    assert "its runs are missing from this list" in listed
    assert "Issuing invoices, w/e 5 Apr 2026" in listed, "the other owner answers"


async def test_an_owner_that_is_away_leaves_what_the_facts_say(site: Site) -> None:
    other: World = site.other  # type: ignore[attr-defined]
    site.owners.away.add("pay-calc")
    async with site.sign_in("bea") as browser:
        text = await seen(browser, page_of(other))
        unknown = await seen(browser, page_of(site.world))
    assert "A run of this week was closed" in text
    assert "Pay run, w/e 5 Apr 2026 No answer" in unknown, "nobody knows that it is being closed"
    assert "A run of this week was closed" not in unknown


async def test_a_closed_run_is_not_called_open_while_its_owner_is_away(site: Site) -> None:
    site.owners.pay_runs = []
    async with site.sign_in() as browser:
        await press(site, browser)
        site.owners.away.add("pay-calc")
        answer = await browser.get(page_of(site.world))
        text = " ".join(read_aloud(answer.text).split())
    assert "Pay run, w/e 5 Apr 2026 No answer" in text
    assert "not closed yet" not in text
    assert 'hx-trigger="every 2s"' in answer.text, "it asks again"


async def test_an_owner_that_fails_is_asked_again(site: Site) -> None:
    site.owners.refuse["/pay-runs"] = (503, {"code": "busy", "detail": "No connection was free."})
    async with site.sign_in() as browser:
        answer = await browser.get(page_of(site.world))
        site.owners.invoice_runs = []
        listed = (await browser.get(f"/agencies/{site.world.agency}/progress")).text
    assert "The pay-calc service does not answer: it only says that it failed (503)." in answer.text
    assert 'hx-trigger="every 2s"' in answer.text
    assert "its runs are missing from this list" in listed
    assert 'hx-trigger="every 4s"' in listed


async def work_of(site: Site, *, command: str = "close-pay-run", runs_before: int = 0, age_s: int = 5) -> NewWork:
    """A command given so long ago, of which nothing was heard."""
    new = NewWork(site.world.agency, new_id(), command, site.world.week, "Closing it.", "pat", "Pat Payroll")
    database, now = site.app.state.api_database, site.app.state.clock.now()
    async with database.transaction(now=now, agencies=[new.agency_id]) as tx:
        await store.begin(tx, new)
        await tx.execute(
            "UPDATE long_work SET runs_before = :before, began_at = clock_timestamp() - make_interval(secs => :age)"
            " WHERE work_id = :work",
            before=runs_before,
            age=age_s,
            work=new.work_id,
        )
    return new


async def refuse(site: Site, new: NewWork, text: str) -> None:
    database, now = site.app.state.api_database, site.app.state.clock.now()
    async with database.transaction(now=now, agencies=[new.agency_id]) as tx:
        await store.end(
            tx, agency_id=new.agency_id, work_id=new.work_id, outcome=text, failure={"text": text, "hint": ""}
        )


async def test_nothing_was_begun_is_said_only_by_an_owner_that_answers(site: Site) -> None:
    site.owners.pay_runs = []
    await work_of(site, age_s=900)
    await work_of(site, age_s=900, command="prepare-payment-file")
    listing = f"/agencies/{site.world.agency}/progress"
    async with site.sign_in() as browser:
        heard = await seen(browser, listing)
        site.owners.away.add("pay-calc")
        away = await seen(browser, listing)
    assert (heard.count("Nothing was begun"), heard.count("No answer was heard")) == (1, 1)
    assert ("Nothing was begun" in away, away.count("No answer was heard")) == (False, 2)


async def test_a_second_command_does_not_hide_the_run_that_is_closed(site: Site) -> None:
    site.owners.pay_runs = [pay_run(site.world, state="closed", workers_done=3000, payslips=2890)]
    listing = f"/agencies/{site.world.agency}/progress"
    new = await work_of(site, runs_before=1)
    async with site.sign_in() as browser:
        assert "Closing it" in await seen(browser, listing), "a second command that waits is in the list"
        await refuse(site, new, "There is nothing more to pay.")
        refused = await seen(browser, page_of(site.world))
        database, now = site.app.state.api_database, site.app.state.clock.now()
        async with database.transaction(now=now, agencies=[site.world.agency]) as tx:
            await tx.execute("DELETE FROM long_work")
        await work_of(site, runs_before=1, age_s=900)
        unheard = await seen(browser, page_of(site.world))
    for text in (refused, unheard):
        assert "Pay run closed, w/e 5 Apr 2026 Done" in text
        assert "Payslips 2,890" in text
    assert "There is nothing more to pay." in refused
    assert "no new run was begun" in refused
    assert "pay-calc knows of no new run. Nothing new was begun." in unheard


async def test_the_list_has_what_moves_first_and_who_began_it(site: Site) -> None:
    world = site.world
    earlier = pay_run(world, week_ending="2026-03-29", state="closed", workers_done=3000, opened_by="nightly-job")
    site.owners.pay_runs = [earlier, pay_run(world)]
    site.owners.invoice_runs = []
    async with site.sign_in() as browser:
        page = (await browser.get(f"/agencies/{world.agency}/progress")).text
    body = page[page.index("<tbody>") : page.index("</tbody>")]
    rows = [
        [" ".join(read_aloud(cell).split()) for cell in re.findall(r"<td.*?</td>", row)]
        for row in body.split("</tr>")[:-1]
    ]
    assert [row[0] for row in rows] == ["Closing the pay run, w/e 5 Apr 2026", "Pay run closed, w/e 29 Mar 2026"]
    assert rows[0][1:5] == ["Under way 41%", "1,250 of 3,000 workers", "Mon 6 Apr 15:00", "Pat Payroll"]
    assert rows[1][1:3] == ["Done", "3,000 workers"]
    assert rows[1][4] == "nightly-job"
    assert f'id="row-pay-run-{world.id("pay-run", world.week)}"' in body, "the same from look to look"


async def test_who_may_not_see_pay_sees_the_rest(site: Site) -> None:
    other: World = site.other  # type: ignore[attr-defined]
    site.owners.invoice_runs = [invoice_run(other)]
    async with site.sign_in("rae") as reader:
        listed = await seen(reader, f"/agencies/{other.agency}/progress")
        pay = await seen(reader, page_of(other))
    assert "Pay runs need the right pay:read, which your account does not have." in listed
    assert "Issuing invoices, w/e 5 Apr 2026" in listed
    assert "How far it is needs the right pay:read" in pay
    assert not [request for request in site.owners.asked if request.url.host == "pay-calc.test"]


async def test_the_outcome_of_a_pay_run_is_for_those_who_may_see_pay(site: Site, tmp_path: Path) -> None:
    await work_of(site)
    write_clients(tmp_path / "clients.json", site.other, site.world)  # type: ignore[attr-defined]
    async with site.sign_in("rae") as reader:
        for path in (f"/agencies/{site.world.agency}/progress", site.week):
            assert "Closing it" not in await seen(reader, path)
    async with site.sign_in("bea") as manager:
        assert "Closing it" in await seen(manager, site.week)


async def test_a_look_of_one_tab_leaves_the_message_of_another(site: Site) -> None:
    site.owners.refuse["/pay-runs"] = (409, {"code": "week_not_cut_off", "detail": "The week is not cut off."})
    async with site.sign_in() as browser:
        await press(site, browser)
        await browser.get(f"/agencies/{site.world.agency}/progress", headers={"HX-Request": "true"})
        assert "The week is not cut off." in await seen(browser, f"{site.week}/pay")
        assert "The week is not cut off." not in await seen(browser, f"{site.week}/pay"), "it is said once"


async def test_another_agency_sees_nothing_of_it(site: Site, slow_owner: asyncio.Event) -> None:
    other: World = site.other  # type: ignore[attr-defined]
    async with site.sign_in() as browser:
        await press(site, browser)
    site.owners.pay_runs = site.owners.invoice_runs = []
    async with site.sign_in("rae") as stranger:
        assert (await stranger.get(page_of(site.world))).status_code == 403
        assert (await stranger.get(f"/agencies/{site.world.agency}/progress")).status_code == 403
        for path in (
            page_of(other),
            f"/agencies/{other.agency}/progress",
            f"/agencies/{other.agency}/weeks/{other.week}",
        ):
            assert "Pat Payroll" not in await seen(stranger, path)
            assert "Under way since" not in await seen(stranger, path)
    slow_owner.set()
    await ended(site)


async def test_a_look_brings_the_part_alone_and_speaks_only_of_news(site: Site) -> None:
    async with site.sign_in() as browser:
        headers = {"HX-Request": "true"}
        first = (await browser.get(page_of(site.world), headers=headers)).text
        same = (await browser.get(f"{page_of(site.world)}?said=40", headers=headers)).text
    assert first.lstrip().startswith('<section id="work"')
    assert "Closing the pay run, w/e 5 Apr 2026: Under way, 40 in a hundred done" in first
    assert "work-said" not in same


@pytest.mark.parametrize("path", ["nonsense/2026-04-05", "pay-run/2026-04-06", "pay-run/1900-01-07"])
async def test_no_such_work_is_a_page(site: Site, path: str) -> None:
    async with site.sign_in() as browser:
        answer = await browser.get(f"/agencies/{site.world.agency}/progress/{path}")
    assert answer.status_code == 422
    assert "urn:uuid:" in answer.text


NOW = datetime(2026, 4, 6, 14, tzinfo=UTC)


def a_run(done: int, total: int, *, began: int, moved: int, is_open: bool = True) -> rules.Run:
    """A run that began and last moved so many seconds before NOW."""
    times = [NOW - timedelta(seconds=seconds) for seconds in (began, moved)]
    return rules.Run(is_open, done, total, times[0], times[1], times[0], "pat", {})


def asked(*, age_s: int = 5, before: int = 0, ended: bool = False, failed: bool = False) -> rules.Asked:
    began = NOW - timedelta(seconds=age_s)
    return rules.Asked(
        UUID(int=1), UUID(int=2), "close-pay-run", NOW.date(), "Closing.", "pat", "Pat", began, began, before,
        NOW if ended or failed else None, None, {"text": "No."} if failed else None,
    )  # fmt: skip


class TestRules:
    @pytest.mark.parametrize(
        ("run", "runs", "command", "state"),
        [
            (None, 0, None, "none"),
            (None, 0, asked(), "asked"),
            (None, 0, asked(age_s=400), "unheard"),
            (None, 0, asked(failed=True), "refused"),
            (a_run(1, 9, began=9, moved=2), 1, asked(failed=True), "running"),
            (a_run(9, 9, began=99, moved=80, is_open=False), 1, asked(before=1), "asked"),
            (a_run(9, 9, began=99, moved=80, is_open=False), 1, asked(before=1, ended=True), "done"),
            (a_run(9, 9, began=99, moved=80, is_open=False), 2, asked(before=1, failed=True), "done"),
            (a_run(1, 9, began=99, moved=2), 1, asked(before=1, age_s=400), "running"),
            (a_run(1, 9, began=99, moved=61), 1, None, "still"),
        ],
    )
    def test_what_became_of_it(self, run: rules.Run | None, runs: int, command: rules.Asked | None, state: str) -> None:
        assert rules.state_of(run, runs=runs, asked=command, now=NOW) == state

    @pytest.mark.parametrize(
        ("done", "span", "words"),
        [
            (0, 60, "–"),
            (850, 10, "85 workers a second"),
            (500, 60, "500 workers a minute"),
            (1, 600, "6 workers an hour"),
        ],
    )
    def test_a_rate_has_the_unit_that_can_be_read(self, done: int, span: int, words: str) -> None:
        assert rules.rate(a_run(done, 10_000, began=span, moved=0), "workers") == words

    @pytest.mark.parametrize(
        ("seconds", "about", "words"),
        [
            (0, False, "under a second"), (1, False, "1 second"), (61, False, "1 min 1 s"), (7260, False, "2 h 1 min"),
            (4, True, "a few seconds"), (33, True, "about 40 seconds"), (115, True, "about 2 min"),
        ],
    )  # fmt: skip
    def test_how_long_is_written_for_people(self, seconds: int, about: bool, words: str) -> None:
        assert rules.lasts(timedelta(seconds=seconds), about=about) == words

    def test_what_is_left_runs_down_while_nothing_is_heard(self) -> None:
        assert rules.left(a_run(50, 100, began=60, moved=10), now=NOW) == timedelta(seconds=40)
        assert rules.left(a_run(99, 100, began=200, moved=100), now=NOW) == timedelta(0)
        assert rules.left(a_run(0, 100, began=60, moved=10), now=NOW) is None

    def test_a_run_is_never_whole_before_its_end(self) -> None:
        assert [rules.percent(2999, 3000), rules.percent(3000, 3000), rules.percent(0, 0)] == [99, 100, 100]
