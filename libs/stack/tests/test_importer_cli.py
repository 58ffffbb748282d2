"""`paybill import` as a person runs it: its exit status, its receipts, its help."""

import json
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from typer.testing import CliRunner

from paybill_importer.layouts import LAYOUTS, Kind, known_headers
from paybill_stack import cli_import
from paybill_stack.cli import app
from paybill_stack.cli_common import agency_id_of
from paybill_stack.client import ApiClient, Credentials

AGENCY = "0197a000-0000-7000-8000-0000000000aa"


def answer(request: httpx.Request) -> httpx.Response:
    if request.url.path == "/oauth/token":
        return httpx.Response(200, json={"access_token": "t", "expires_in": 900})
    rows = json.loads(request.content)["rows"]
    return httpx.Response(200, json={"receipts": [receipt(row["row"], row["values"]["worked_on"]) for row in rows]})


def receipt(row: int, on: str) -> dict[str, object]:
    if on == "soon":
        return {"row": row, "status": "refused", "column": "worked_on", "value": on, "reason": "no date", "hint": ""}
    return {"row": row, "status": "accepted", "record_id": AGENCY}


@pytest.fixture(autouse=True)
def services(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(_instance: str, *agencies: UUID) -> ApiClient:
        urls = {"timesheet": "http://t.test", "reporting": "http://r.test"}
        return ApiClient(urls, Credentials("c", "s"), agencies, transport=httpx.MockTransport(answer))

    monkeypatch.setattr(cli_import, "connect", connect)


@pytest.mark.parametrize(
    ("content", "status"),
    [
        ("Placement ref,Date,Hours\nP-1,30/03/2026,8\n", 0),
        ("Placement ref,Date,Hours\nP-1,30/03/2026,8\nP-2,soon,8\n", 1),
        ("", 2),
        ("Date,Hours\n30/03/2026,8\n", 2),
    ],
    ids=["all accepted", "one refused", "empty", "no placement column"],
)
def test_the_exit_status_says_what_happened(tmp_path: Path, content: str, status: int) -> None:
    path = tmp_path / "hours.csv"
    path.write_text(content)
    result = CliRunner().invoke(app, ["import", "hours", str(path), "--agency", AGENCY])
    assert result.exit_code == status, result.output
    assert (tmp_path / "hours.csv.receipts.csv").exists() == (status < 2)
    assert ("Your own headers: --mapping" in result.output) == (status == 2), (
        "what to do with a file that cannot be read"
    )


def test_columns_are_listed_without_a_service(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["import", "workers", "none", "--agency", AGENCY, "--columns"])
    assert result.exit_code == 0
    assert "ni_number: pay profile; also nino" in result.stdout


@pytest.mark.parametrize("kind", list(Kind))
def test_no_two_columns_of_a_file_go_by_one_name(kind: Kind) -> None:
    names = [name for column in LAYOUTS[kind] for name in (column.name, *column.aliases)]
    assert sorted(names) == sorted(known_headers(kind))


def test_an_agency_is_named_by_reference_or_id() -> None:
    assert agency_id_of(AGENCY) == UUID(AGENCY)
    assert agency_id_of("IRV") == agency_id_of("IRV") != agency_id_of("LKF")
