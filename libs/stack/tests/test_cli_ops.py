"""`paybill dead-letters` as an operator runs it, with and without an agency."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import httpx
import pytest
from typer.testing import CliRunner

from paybill_stack import cli_ops
from paybill_stack.cli import app
from paybill_stack.client import ApiClient, Credentials

AGENCY = "0197a000-0000-7000-8000-0000000000aa"
LETTER = {
    "id": 7,
    "event_type": "unreadable",
    "dead_at": "2026-04-06T14:12:00+00:00",
    "topic": "paybill.pay",
    "partition": 3,
    "offset": 1041,
    "waiting": 0,
    "payload": r"[red]\xff[/]",
    "error_class": "BadEnvelope",
    "error": "the value is not JSON",
}


class Services:
    """The token endpoint and one dead letter of pay-calc; remembers what was asked."""

    def __init__(self) -> None:
        self.agencies: list[str] = []
        self.sent: list[tuple[str, Mapping[str, Any]]] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/token":
            self.agencies += parse_qs(request.content.decode()).get("agencies", [])
            return httpx.Response(200, json={"access_token": "t", "expires_in": 900})
        if request.method == "POST":
            self.sent.append((request.url.path, json.loads(request.content or b"null")))
            return httpx.Response(200, json={"handled": 0, "dead_letter_id": None, "error": None})
        mine = request.url.host == "pay-calc" and int(request.url.params["after_id"]) < 7
        return httpx.Response(200, json=[LETTER] if mine else [])


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Services:
    found = Services()

    def connect(_instance: str, *agencies: UUID) -> ApiClient:
        urls = {name: f"http://{name}" for name in cli_ops.SERVICES}
        return ApiClient(urls, Credentials("c", "s"), agencies, transport=httpx.MockTransport(found.answer))

    monkeypatch.setattr(cli_ops, "connect", connect)
    return found


@pytest.mark.parametrize(("options", "asked"), [([], []), (["--agency", AGENCY], [AGENCY])])
def test_without_an_agency_the_whole_instance_is_listed(
    services: Services, options: list[str], asked: list[str]
) -> None:
    result = CliRunner().invoke(app, ["dead-letters", "list", "--json", *options])
    assert [one["id"] for one in json.loads(result.stdout)] == [7]
    assert services.agencies == asked


def test_a_message_is_shown_as_it_is_not_as_markup(services: Services) -> None:
    result = CliRunner().invoke(app, ["dead-letters", "show", "pay-calc", "7"])
    assert r"[red]\xff[/]" in result.stdout
    assert CliRunner().invoke(app, ["dead-letters", "show", "pay-calc", "8"]).exit_code != 0


def test_a_discard_says_why(services: Services) -> None:
    assert CliRunner().invoke(app, ["dead-letters", "discard", "pay-calc", "7", "--yes"]).exit_code == 2
    result = CliRunner().invoke(
        app, ["dead-letters", "discard", "pay-calc", "7", "--yes", "--reason", "sent by a test"]
    )
    assert result.exit_code == 0, result.output
    assert services.sent == [("/v1/ops/dead-letters/7/discard", {"reason": "sent by a test"})]
