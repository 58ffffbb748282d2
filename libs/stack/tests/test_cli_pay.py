"""`paybill payslip` and `paybill replay` as a person runs them: what they print and their exit status."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import httpx
import pytest
from typer.testing import CliRunner, Result

from paybill_stack import StackError, cli_pay
from paybill_stack.cli import app
from paybill_stack.client import ApiClient, Credentials

AGENCY = "0197a000-0000-7000-8000-0000000000aa"
OTHER = "0197a000-0000-7000-8000-0000000000bb"
SLIP = "0197a000-0000-7000-8000-000000000001"
RUNS = {
    "0197a000-0000-7000-8000-0000000000c1": AGENCY,
    "0197a000-0000-7000-8000-0000000000c2": OTHER,
}


class Services:
    """What pay-calc answers; `states` by run."""

    def __init__(self) -> None:
        self.states = dict.fromkeys(RUNS, "agrees")
        self.asked_for: list[str] = []
        self.note: str | None = None

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path == "/oauth/token":
            self.asked_for.append(request.content.decode())
            return httpx.Response(200, json={"access_token": "t", "expires_in": 900})
        if path == "/v1/ops/replays/runs":
            wanted = request.url.params.get("pay_run_id")
            mine = [run for run in RUNS if wanted in (None, run)]
            items = [{"pay_run_id": run, "agency_id": RUNS[run], "week_ending": "2026-04-05"} for run in mine]
            return httpx.Response(200, json={"items": items, "next_cursor": None})
        if path.endswith("/replay"):
            return httpx.Response(200, json=self.replayed(path.split("/")[-2]))
        if path.endswith("/payslips"):
            slips = [
                {"payslip_id": SLIP, "worker_reference": "W1", "worker": "Worker 1 Testcase", "week_ending": "2026-04-05",
                 "state": "finalised", "gross_gbp": "672.42", "net_gbp": "551.99"},
                {"payslip_id": OTHER, "worker_reference": "W2", "worker": "Worker 2 Testcase", "week_ending": "2026-04-05",
                 "state": "draft", "gross_gbp": "1.00", "net_gbp": "1.00"},
            ]  # fmt: skip
            return httpx.Response(200, json={"items": slips, "next_cursor": None})
        assert path.endswith(f"/payslips/{SLIP}/explanation"), path
        return httpx.Response(200, json=self.explanation())

    def replayed(self, run: str) -> dict[str, Any]:
        state = self.states[run]
        differs = {"payslip_id": SLIP, "worker_id": OTHER, "figure": "tax_pence", "stored": "1", "replayed": "8600"}
        missing = {"engine_version": "0.9.0", "parameter_version": "2026-27.1", "payslips": 2, "same": 2}
        return {
            "pay_run_id": run, "state": state, "payslips": 3, "equal": 3 if state == "agrees" else 1,
            "differing": 2 * (state == "differs"), "differences": [differs] if state == "differs" else [],
            "not_available": [missing] if state == "not_available" else [],
        }  # fmt: skip

    def explanation(self) -> dict[str, Any]:
        def figure(name: str, label: str) -> dict[str, Any]:
            return {
                "figure": name,
                "label": label,
                "shown": "£1",
                "summary": f"{label} in short.",
                "words": f"{label}  £1\n  [step]",
            }

        def step(name: str, *children: dict[str, Any]) -> dict[str, Any]:
            return {"figure": name, "children": list(children)}

        return {
            "figures": [figure("net", "Net pay"), figure("tax", "Income tax"), figure("employer_nic", "Employer NIC")],
            "tree": step("net", step("tax")), "employer": [step("employer_nic")], "note": self.note,
            "worked_by": {"engine": "1.2.0", "parameters": "2026-27.2"},
        }  # fmt: skip


@pytest.fixture(autouse=True)
def services(monkeypatch: pytest.MonkeyPatch) -> Services:
    found = Services()

    def connect(_instance: str, *agencies: UUID) -> ApiClient:
        urls = {"pay-calc": "http://p.test", "reporting": "http://r.test"}
        return ApiClient(urls, Credentials("c", "s"), agencies, transport=httpx.MockTransport(found.answer))

    monkeypatch.setattr(cli_pay, "connect", connect)
    return found


def paybill(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"})


def test_a_replay_that_agrees_ends_well(services: Services) -> None:
    result = paybill("replay", "--all")
    assert result.exit_code == 0
    assert "all 6 payslips agree to the penny" in result.output
    assert "agencies=" in services.asked_for[0]
    assert AGENCY not in services.asked_for[0]


def test_a_difference_is_named_and_ends_with_one(services: Services) -> None:
    services.states[next(iter(RUNS))] = "differs"
    result = paybill("replay", "--agency", AGENCY)
    assert result.exit_code == 1
    assert f"payslip {SLIP} of worker {OTHER}: tax_pence was 1, comes out as 8600" in result.output
    assert "2 of 3 payslips differ" in result.output
    assert AGENCY in services.asked_for[0]


def test_what_cannot_be_proved_is_said_and_ends_with_three(services: Services) -> None:
    services.states[list(RUNS)[1]] = "not_available"
    result = paybill("replay", "--run", list(RUNS)[1])
    assert result.exit_code == 3
    assert (
        "engine 0.9.0 and parameters 2026-27.1, which this release does not carry; it works 2 of them" in result.output
    )
    services.states[next(iter(RUNS))] = "differs"
    assert paybill("replay", "--all").exit_code == 1


def test_a_replay_asks_which(services: Services) -> None:
    for arguments in ((), ("--all", "--agency", AGENCY), ("--run", SLIP)):
        result = paybill("replay", *arguments)
        assert isinstance(result.exception, StackError), arguments


def test_programs_get_json(services: Services) -> None:
    services.states[next(iter(RUNS))] = "differs"
    result = paybill("replay", "--all", "--json")
    assert result.exit_code == 1
    assert [one["state"] for one in json.loads(result.stdout)] == ["differs", "agrees"]


def test_payslips_are_listed_with_their_ids() -> None:
    assert SLIP in paybill("payslip", "list", "--agency", AGENCY, "--worker", "W1").output
    assert OTHER not in paybill("payslip", "list", "--agency", AGENCY, "--worker", "W1").output
    assert "There are none" in paybill("payslip", "list", "--agency", AGENCY, "--worker", "W9").output


@pytest.mark.parametrize("which", [(SLIP,), ("W1", "--week", "2026-04-05")])
def test_a_payslip_is_explained_whole(services: Services, which: tuple[str, ...]) -> None:
    services.note = "made by engine 0.9.0"
    result = paybill("payslip", "explain", *which, "--agency", AGENCY)
    assert result.exit_code == 0, result.output
    shown = result.output.splitlines()
    assert shown[:5] == ["made by engine 0.9.0", "Net pay  £1", "  [step]", "Employer NIC  £1", "  [step]"]
    assert "engine 1.2.0, parameters 2026-27.2" in result.output


def test_one_figure_is_explained_in_short_and_step_by_step() -> None:
    result = paybill("payslip", "explain", SLIP, "-a", AGENCY, "--figure", "tax")
    assert result.output.splitlines()[:2] == ["Income tax in short.", "Income tax  £1"]
    said = json.loads(paybill("payslip", "explain", SLIP, "-a", AGENCY, "--figure", "tax", "--json").stdout)
    assert [step["figure"] for step in said["steps"]] == ["tax"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((SLIP, "--figure", "taxes"), "it has net, tax, employer_nic"),
        (("W1",), "give --week"),
        (("W9", "--week", "2026-04-05"), "has 0 payslips"),
        (("W1", "--week", "2026-04-06"), "is not a week"),
    ],
)
def test_what_is_not_there_is_said(arguments: tuple[str, ...], words: str) -> None:
    result = paybill("payslip", "explain", *arguments, "-a", AGENCY)
    assert isinstance(result.exception, StackError)
    assert words in str(result.exception)
