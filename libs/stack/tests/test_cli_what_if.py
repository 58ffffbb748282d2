"""`paybill what-if` as a person runs it: what it asks of both services, and its tables."""

import csv
import io
import json
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from typer.testing import CliRunner

from paybill_stack import StackError, cli_what_if
from paybill_stack.cli import app
from paybill_stack.client import ApiClient, Credentials

AGENCY = "0197a000-0000-7000-8000-0000000000aa"
CLIENT = "0197a000-0000-7000-8000-0000000000c1"
SHEET = "0197a000-0000-7000-8000-0000000000f1"
LINE = "0197a000-0000-7000-8000-0000000000e1"
WEEK = "2026-04-05"


def sums(net: str, cost: str) -> dict[str, Any]:
    return {"minutes": 2400, "figures": {"gross_gbp": "600.00", "tax_gbp": "70.00", "net_gbp": net, "cost_gbp": cost}}


def slip(worker: str, net: str, **changes: Any) -> dict[str, Any]:
    moved = {"timesheet_id": SHEET, "version": 1, "charge_line_id": LINE, "minutes": 2460, "units": None}
    return {
        "payslip_id": LINE,
        "worker_id": SHEET,
        "worker": worker,
        "worker_reference": "W-1",
        "pay_basis": "paye",
        "state": "draft",
        "outcome": "changed",
        "before": sums("500.00", "675.60"),
        "after": sums(net, "690.00"),
        "error": None,
        "held": [],
        "quantities": [moved],
    } | changes


class Services:
    """pay-calc with two pages of slips, reporting with one client's margin and one charge line."""

    def __init__(self) -> None:
        self.asked: list[httpx.Request] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/token":
            return httpx.Response(200, json={"access_token": "t", "expires_in": 900})
        self.asked.append(request)
        return httpx.Response(200, json=self._json(request))

    def _json(self, request: httpx.Request) -> Any:
        if request.url.path.endswith("/margin"):
            return [{"id": CLIENT, "charge_gbp": "900.00", "margin_gbp": "224.40"}]
        if request.url.path.endswith("/charge-lines"):
            line = {"timesheet_id": SHEET, "version": 1, "charge_line_id": LINE, "client_id": CLIENT}
            return [line | {"billable": True, "rate_unit": "hour", "charge_rate": "20.0000", "charge_gbp": "800.00"}]
        if request.url.params.get("cursor"):
            error = {"code": "sacrifice_exceeds_pay", "message": "More than the pay.", "field": "pension"}
            refused = slip("Worker 2", "0", outcome="refused", after=None, error=error, quantities=[])
            return {"items": [refused], "next_cursor": None, "summary": None}
        client = {"client_id": CLIENT, "client": "Client 1", "slips": 1, "minutes_before": 2400, "minutes_after": 2460}
        client |= {"pay_before_gbp": "600.00", "pay_after_gbp": "600.00"}
        client |= {"cost_before_gbp": "675.60", "cost_after_gbp": "690.00"}
        summary = {
            "changed": 1,
            "unchanged": 0,
            "refused": 1,
            "held": 0,
            "before": sums("500.00", "675.60"),
            "after": sums("481.60", "690.00"),
            "clients": [client],
            "untaken": ["#/changes/tax_code"],
        }
        return {"items": [slip("Worker 1", "481.60")], "next_cursor": "next", "summary": summary}


@pytest.fixture(autouse=True)
def services(monkeypatch: pytest.MonkeyPatch) -> Services:
    found = Services()

    def connect(_instance: str, *agencies: UUID) -> ApiClient:
        urls = {"pay-calc": "http://p.test", "reporting": "http://r.test"}
        return ApiClient(urls, Credentials("c", "s"), agencies, transport=httpx.MockTransport(found.answer))

    monkeypatch.setattr(cli_what_if, "connect", connect)
    return found


def ask(*options: str) -> Any:
    return CliRunner().invoke(app, ["what-if", WEEK, "--agency", AGENCY, *options])


def test_every_option_is_a_change_of_the_api(services: Services) -> None:
    options = ["--tax-code", "BR", "--ni-letter", "C", "--tax-year", "2025-26", "--student-loan", "none", "--postgrad"]
    options += [
        "--pension",
        "net_pay:5:3",
        "--no-levy",
        "--rate-pct",
        "3.5",
        "--hours-add",
        "-1:30",
        "--rate-code",
        "day",
    ]
    result = ask(*options, "--placement", LINE, "--worker", SHEET, "--client", CLIENT)
    assert result.exit_code == 0, result.output
    assert json.loads(services.asked[0].content) == {
        "week_ending": WEEK,
        "changes": {
            "tax_code": "BR",
            "ni_letter": "C",
            "tax_year": "2025-26",
            "student_loan_plan": None,
            "postgrad_loan": True,
            "levy_payer": False,
            "pension": {"basis": "net_pay", "employee_pct": "5", "employer_pct": "3"},
            "rates": [{"uplift_pct": "3.5", "rate_code": "day", "placement_id": LINE}],
            "hours": [{"add_minutes": -90, "rate_code": "day", "placement_id": LINE}],
        },
        "select": {"workers": [SHEET], "clients": [CLIENT]},
    }


def test_margin_joins_both_services() -> None:
    """41 hours at 20.00 charge 20.00 more than 40; the cost is 14.40 more: the margin 5.60."""
    found = json.loads(ask("--hours-add", "1:00", "--json").stdout)
    [client] = found["summary"]["clients"]
    assert (client["charge_before_gbp"], client["charge_after_gbp"]) == ("900.00", "920.00")
    assert (client["margin_before_gbp"], client["margin_after_gbp"]) == ("224.40", "230.00")
    assert found["week"]["margin_after_gbp"] == "230.00"
    assert [one["outcome"] for one in found["items"]] == ["changed", "refused"], "every page, nothing dropped"


def test_the_tables_show_workers_clients_and_margin() -> None:
    result = ask("--tax-code", "BR")
    assert result.exit_code == 0, result.output
    for text in ("margin of the week", "Client 1", "Worker 1", "-18.40", "1 changed", "1 refused", "touched nothing"):
        assert text in result.stdout
    assert result.stdout.index("Worker 2") < result.stdout.index("Worker 1"), "what is refused comes first"


@pytest.mark.parametrize(("by", "lines"), [("worker", 3), ("client", 2), ("margin", 7)])
def test_each_table_as_csv(by: str, lines: int) -> None:
    found = list(csv.reader(io.StringIO(ask("--tax-code", "BR", "--csv", "--by", by).stdout)))
    assert len(found) == lines
    assert {len(line) for line in found} == {len(found[0])}


def test_changes_may_come_from_a_file(services: Services, tmp_path: Path) -> None:
    file = tmp_path / "changes.json"
    file.write_text('{"rates": [{"rate_gbp": "13.50", "rate_code": "night"}]}')
    assert ask("--changes", str(file)).exit_code == 0
    assert json.loads(services.asked[0].content)["changes"] == {"rates": [{"rate_gbp": "13.50", "rate_code": "night"}]}


@pytest.mark.parametrize(
    "options",
    [
        ["--hours-add", "ninety"],
        ["--student-loan", "3"],
        ["--pension", "net_pay:5:3:1"],
        ["--changes", "missing.json"],
        ["--tax-code", "BR", "--by", "shoe"],
    ],
)
def test_what_cannot_be_read_is_one_sentence(options: list[str], services: Services) -> None:
    result = ask(*options)
    assert isinstance(result.exception, StackError)
    assert services.asked == []
