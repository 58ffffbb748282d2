"""`paybill agency`, `week`, `pay-run`, `invoice-run`, `audit` and `stack status` as a person runs them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from typer.testing import CliRunner, Result

from paybill_common.ids import derived_id
from paybill_stack import StackError, cli_agency, cli_ops, cli_runs, cli_week
from paybill_stack.cli import app
from paybill_stack.client import ApiClient, Credentials, Refused
from paybill_stack.settings import ServiceSettings
from paybill_stack.stack import Stack

AGENCY = str(derived_id("agency", "NORTH"))
WEEK = "2026-04-05"
BASE = f"/v1/agencies/{AGENCY}"
RUN = "0197a000-0000-7000-8000-0000000000c1"
TIE_OUT = {"approved_minutes": 2250, "paid_minutes": 2190, "held_minutes": 60, "unexplained_pence": 0, "clean": True}
STATUS = {
    "timesheets": {"imported": 12, "approved": 10, "rejected": 1, "held": 1},
    "funnel": [{"code": "approved", "label": "Approved", "timesheets": 10, "minutes": 2250, "amount_gbp": "476.63"}],
    "tie_out": TIE_OUT,
}
CUT_OFF = {
    "cut_off": {"cut_off_at": "2026-04-07T09:00:00Z", "cut_off_by": "paybill-cli", "totals": {"pay_gbp": "476.63"}},
    "now": {"pay_gbp": "488.13"},
}
PAY_PREVIEW = {"workers": 8, "gross_gbp": "476.63", "control": {"x": 1}, "findings": {"over_60_hours": {"count": 3}}}
LOW_PAY = {
    "minimum_wage": {"below": 2, "not_tested": 1, "shortfall_gbp": "3.10", "unacknowledged": 2, "seen": "5ee4a11"},
    "findings": {
        "below_minimum_wage": {
            "count": 2,
            "items": [
                {"worker_id": AGENCY, "worker": "Worker 00017 Testcase", "payslip_id": RUN,
                 "detail": "2.10 below the minimum wage", "acknowledged": None},
                {"worker_id": AGENCY, "worker": "named before", "payslip_id": RUN,
                 "detail": "1.00 below the minimum wage", "acknowledged": {"by": "Pat Testcase"}},
            ],
        },
        "minimum_wage_not_tested": {
            "count": 1,
            "items": [
                {"worker_id": AGENCY, "worker": None, "payslip_id": RUN, "detail": "no birth date", "acknowledged": None},
            ],
        },
    },
}  # fmt: skip
MONEY = {"documents": 2, "net_gbp": "711.11"}
BILL_PREVIEW = {
    "ready_timesheets": 9, "billed_before": MONEY | {"documents": 0}, "this_run": MONEY, "billed_after": MONEY,
    "blocked_by": ["missing_issuer"],
    "held_by_reason": [{"code": "awaiting_clearance", "timesheets": 1, "charge_gbp": "12.34"}],
}  # fmt: skip
CLOSING = {"pay_run_id": RUN, "state": "closing", "payslips": 0, "workers_done": 3, "workers_total": 8}
CLOSED = CLOSING | {"state": "closed", "payslips": 8, "workers_done": 8}
ISSUED = {"invoice_run_id": RUN, "status": "closed", "invoices": 4}


class Services:
    """What the services answer to one method and path, one answer after the other; everything sent is remembered."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str, str], list[httpx.Response]] = {}
        self.sent: list[tuple[str, str, str, Any]] = []

    def say(self, service: str, method: str, path: str, *bodies: Any, status: int = 200) -> None:
        self.answers[(service, method, path)] = [httpx.Response(status, json=body) for body in bodies]

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/token":
            return httpx.Response(200, json={"access_token": "t", "expires_in": 900})
        where = (request.url.host, request.method, request.url.path)
        self.sent.append((*where, json.loads(request.content) if request.content else dict(request.url.params)))
        left = self.answers[where]
        return left.pop(0) if len(left) > 1 else left[0]


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Services:
    found = Services()

    def connect(_instance: str, *agencies: UUID) -> ApiClient:
        urls = {name: f"http://{name}" for name in cli_ops.SERVICES}
        return ApiClient(urls, Credentials("c", "s"), agencies, transport=httpx.MockTransport(found.answer))

    for module in (cli_agency, cli_ops, cli_runs, cli_week):
        monkeypatch.setattr(module, "connect", connect)
    monkeypatch.setattr(cli_runs, "_POLL_S", 0)
    return found


def paybill(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"})


def test_an_agency_is_recorded_under_the_id_of_its_reference(services: Services) -> None:
    services.say("timesheet", "PUT", BASE, {})
    result = paybill("agency", "NORTH", "--name", "Northbridge Testing", "--bank-holidays", "scotland")
    assert (result.exit_code, AGENCY in result.output) == (0, True)
    body = {"reference": "NORTH", "name": "Northbridge Testing", "bank_holiday_division": "scotland"}
    assert services.sent == [("timesheet", "PUT", BASE, body)]


class TestWeek:
    def test_status_shows_hours_money_and_whether_it_ties_out(self, services: Services) -> None:
        services.say("reporting", "GET", f"{BASE}/weeks/{WEEK}", STATUS)
        result = paybill("week", "status", WEEK, "-a", "NORTH")
        assert result.exit_code == 0
        for shown in ("Approved", "37:30", "476.63", "36:30", "ties out"):
            assert shown in result.output
        assert "does not tie out" not in result.output

    def test_a_week_that_does_not_tie_out_says_so(self, services: Services) -> None:
        broken = STATUS | {"tie_out": TIE_OUT | {"unexplained_pence": 7, "clean": False}}
        services.say("reporting", "GET", f"{BASE}/weeks/{WEEK}", broken)
        assert "does not tie out" in paybill("week", "status", WEEK, "-a", AGENCY).output

    def test_the_cut_off_shows_what_it_fixed_beside_what_is_there_now(self, services: Services) -> None:
        services.say("timesheet", "POST", f"{BASE}/weeks/{WEEK}/cut-off", CUT_OFF)
        result = paybill("week", "cut-off", WEEK, "-a", "NORTH")
        assert result.exit_code == 0
        words = " ".join(result.output.split())
        for shown in ("cut off 2026-04-07 09:00 by paybill-cli", "476.63", "488.13"):
            assert shown in words

    def test_a_week_ends_on_a_sunday(self, services: Services) -> None:
        result = paybill("week", "status", "2026-04-06", "-a", "NORTH")
        assert isinstance(result.exception, StackError)
        assert not services.sent


class TestPayRun:
    def test_the_preview_lists_what_to_look_at_first(self, services: Services) -> None:
        services.say("pay-calc", "GET", f"{BASE}/pay-runs/preview", PAY_PREVIEW)
        result = paybill("pay-run", "preview", WEEK, "-a", "NORTH")
        assert result.exit_code == 0
        assert "over 60 hours" in result.output
        assert services.sent[0][3] == {"week_ending": WEEK}

    def test_close_waits_until_the_run_is_closed(self, services: Services) -> None:
        services.say("pay-calc", "POST", f"{BASE}/pay-runs", CLOSING)
        services.say("pay-calc", "GET", f"{BASE}/pay-runs/{RUN}", CLOSING, CLOSED)
        result = paybill("pay-run", "close", WEEK, "-a", "NORTH", "--json")
        assert (result.exit_code, json.loads(result.stdout)) == (0, CLOSED)
        assert [one[1] for one in services.sent] == ["POST", "GET", "GET"]

    def test_a_run_that_never_closes_says_how_far_it_came(
        self, services: Services, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cli_runs, "_CLOSE_POLLS_MAX", 3)
        services.say("pay-calc", "POST", f"{BASE}/pay-runs", CLOSING)
        services.say("pay-calc", "GET", f"{BASE}/pay-runs/{RUN}", CLOSING)
        result = paybill("pay-run", "close", WEEK, "-a", "NORTH")
        assert isinstance(result.exception, StackError)
        assert "3 of 8 workers" in str(result.exception)

    def test_a_difference_is_refused_or_accepted_by_name(self, services: Services) -> None:
        services.say(
            "pay-calc", "POST", f"{BASE}/pay-runs", {"code": "totals_differ", "detail": "They differ."}, status=409
        )
        result = paybill("pay-run", "close", WEEK, "-a", "NORTH")
        assert isinstance(result.exception, Refused)
        services.say("pay-calc", "POST", f"{BASE}/pay-runs", CLOSED)
        accepting = ("--accept-by", "Pat Testcase", "--accept-reason", "one sheet is on paper")
        assert paybill("pay-run", "close", WEEK, "-a", "NORTH", *accepting).exit_code == 0
        accepted = {"by": "Pat Testcase", "reason": "one sheet is on paper"}
        assert services.sent[-1][3] == {"week_ending": WEEK, "accept_difference": accepted}
        alone = paybill("pay-run", "close", WEEK, "-a", "NORTH", *accepting[:2])
        assert isinstance(alone.exception, StackError)

    def test_low_pay_is_listed_with_what_to_do_and_closed_with_a_name(
        self, services: Services, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cli_runs.console, "width", 140)
        refused = {"code": "minimum_wage_not_acknowledged", "detail": "Two payslips need a name."}
        services.say("pay-calc", "POST", f"{BASE}/pay-runs", refused, status=409)
        services.say("pay-calc", "GET", f"{BASE}/pay-runs/preview", LOW_PAY)
        result = paybill("pay-run", "close", WEEK, "-a", "NORTH")
        assert isinstance(result.exception, StackError)
        told = str(result.exception)
        assert "Two payslips need a name." in told
        assert "--acknowledge-minimum-wage REASON --acknowledge-seen 5ee4a11" in told
        for shown in ("Worker 00017 Testcase", "2.10 below the minimum wage", AGENCY, "no birth date", RUN):
            assert shown in result.output
        assert "named before" not in result.output
        silent = paybill("pay-run", "close", WEEK, "-a", "NORTH", "--json")
        assert (silent.stdout, isinstance(silent.exception, StackError)) == ("", True)

        services.say("pay-calc", "POST", f"{BASE}/pay-runs", CLOSED)
        naming = ("--acknowledge-by", "Pat Testcase", "--acknowledge-minimum-wage", "the rest comes next week")
        assert paybill("pay-run", "close", WEEK, "-a", "NORTH", *naming, "--acknowledge-seen", "5ee4a11").exit_code == 0
        acknowledged = {"by": "Pat Testcase", "reason": "the rest comes next week", "seen": "5ee4a11"}
        assert services.sent[-1][3] == {"week_ending": WEEK, "acknowledge_minimum_wage": acknowledged}
        before = len(services.sent)
        blind = paybill("pay-run", "close", WEEK, "-a", "NORTH", *naming)
        assert isinstance(blind.exception, StackError)
        assert len(services.sent) == before, "nothing is closed unseen"


class TestInvoiceRun:
    def test_the_preview_tells_totals_and_what_stands_in_the_way(self, services: Services) -> None:
        services.say("invoicing", "GET", f"{BASE}/invoice-runs/preview", BILL_PREVIEW)
        result = paybill("invoice-run", "preview", WEEK, "-a", "NORTH")
        assert result.exit_code == 0
        for shown in ("2 documents, net £711.11", "missing_issuer", "awaiting clearance", "12.34"):
            assert shown in result.output

    @pytest.mark.parametrize("more", [False, True])
    def test_issue_sends_the_week_once(self, services: Services, more: bool) -> None:
        services.say("invoicing", "POST", f"{BASE}/invoice-runs", ISSUED)
        result = paybill("invoice-run", "issue", WEEK, "-a", "NORTH", *(["--supplementary"] if more else []))
        assert result.exit_code == 0
        body = {"week_ending": WEEK, "supplementary": more}
        assert services.sent == [("invoicing", "POST", f"{BASE}/invoice-runs", body)]


@pytest.mark.parametrize(
    "command", [("week", "status", WEEK), ("week", "cut-off", WEEK), ("pay-run", "preview", WEEK),
                ("invoice-run", "preview", WEEK), ("invoice-run", "issue", WEEK)], ids=" ".join,
)  # fmt: skip
def test_programs_get_the_answer_as_it_is(services: Services, command: tuple[str, ...]) -> None:
    services.say("reporting", "GET", f"{BASE}/weeks/{WEEK}", STATUS)
    services.say("timesheet", "POST", f"{BASE}/weeks/{WEEK}/cut-off", CUT_OFF)
    services.say("pay-calc", "GET", f"{BASE}/pay-runs/preview", PAY_PREVIEW)
    services.say("invoicing", "GET", f"{BASE}/invoice-runs/preview", BILL_PREVIEW)
    services.say("invoicing", "POST", f"{BASE}/invoice-runs", ISSUED)
    answers = {"status": STATUS, "cut-off": CUT_OFF, "issue": ISSUED}
    answers["preview"] = PAY_PREVIEW if command[0] == "pay-run" else BILL_PREVIEW
    result = paybill(*command, "-a", "NORTH", "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (0, answers[command[1]])


def test_a_broken_audit_trail_ends_with_one_and_names_the_entry(services: Services) -> None:
    whole = {"entries": 3, "head_hash": "ab", "intact": True, "breaks": []}
    services.say("compliance", "GET", f"{BASE}/audit/verify", whole)
    assert paybill("audit", "verify", "-a", "NORTH").exit_code == 0
    broken = whole | {"intact": False, "breaks": [{"number": 2, "problem": "its hash is not that of its content"}]}
    services.say("compliance", "GET", f"{BASE}/audit/verify", broken)
    result = paybill("audit", "verify", "-a", "NORTH")
    assert result.exit_code == 1
    assert "entry 2: its hash is not that of its content" in result.output
    assert paybill("audit", "verify", "-a", "NORTH", "--json").exit_code == 1


class TestStackStatus:
    @pytest.fixture
    def planned(self, var: Path) -> Callable[[str], None]:
        def plan(instance: str) -> None:
            stack = Stack(instance)
            stack.paths.create()
            replica = ServiceSettings.model_validate(
                {"service": "pay-calc", "replica": 2, "role": "worker", "port": 20417, "log": var / "pay-calc-2.log"}
            )
            stack.store.change(lambda settings: setattr(settings, "services", [replica]))

        return plan

    def test_it_says_what_runs_and_where(self, planned: Callable[[str], None]) -> None:
        planned("dev")
        result = paybill("stack", "status")
        assert result.exit_code == 0
        for shown in ("instance dev", "kafka", "postgres", "pay-calc-2", "http://127.0.0.1:20417", "stopped"):
            assert shown in result.output

    def test_programs_get_every_instance(self, planned: Callable[[str], None]) -> None:
        planned("dev")
        planned("demo")
        found = json.loads(paybill("stack", "status", "--json").stdout)
        assert set(found) == {"dev", "demo"}
        assert [line["running"] for line in found["dev"]] == [False] * 3

    def test_where_nothing_was_started_it_says_how(self, var: Path) -> None:
        assert "paybill stack up" in paybill("stack", "status").output
        assert isinstance(paybill("stack", "status", "--instance", "dev").exception, StackError)
