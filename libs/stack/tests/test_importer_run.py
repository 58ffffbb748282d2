"""An import against stand-in services: who gets what, receipts, resume, and that nothing is sent twice as new."""

import asyncio
import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from paybill_importer.layouts import LAYOUTS, Kind
from paybill_importer.owners import FIELDS, imported_id, iso_date, yes_or_no
from paybill_importer.rates import rows_of, rows_of_placement
from paybill_importer.reading import BadCell, CannotReadFile
from paybill_importer.receipts import Receipt, ReceiptsFile, inert
from paybill_importer.run import Options, Outcome, import_file
from paybill_stack.client import ApiClient, Credentials, Refused, ServiceAway

AGENCY = UUID("0197a000-0000-7000-8000-0000000000aa")
URLS = {name: f"http://{name}.test" for name in ("timesheet", "pay-calc", "invoicing", "compliance", "reporting")}


class StandIn:
    """All five services: remembers what it was told, says `duplicate` to what it knows, and may be made to fail."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, Any, str | None]] = []
        self.tallies: list[dict[str, Any]] = []
        """How far the import was, as it told the pages."""
        self.known: set[str] = set()
        self.answers: dict[str, Any] = {}
        self.refuse: Callable[[str, dict[str, Any]], httpx.Response | None] = lambda path, body: None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path == "/oauth/token":
            return httpx.Response(200, json={"access_token": "t", "token_type": "bearer", "expires_in": 900})
        assert request.headers["authorization"] == "Bearer t"
        tail = path.removeprefix(f"/v1/agencies/{AGENCY}/")
        key = request.headers.get("idempotency-key")
        if key in self.answers:
            return httpx.Response(200, json=self.answers[key])
        body: Any = json.loads(request.content) if request.content else None
        if request.url.host == "reporting.test":
            self.tallies.append(body)
            return httpx.Response(200, json={})
        refused = self.refuse(tail, body)
        if refused is not None:
            return refused
        self.calls.append((request.method, tail, body, key))
        answer: Any = {"receipts": []}
        if tail.startswith("imports/"):
            answer = {"receipts": [self._row(tail, row) for row in body["rows"]]}
        elif request.method == "GET":
            return httpx.Response(404, json={"code": "payee_not_found", "detail": "no such payee"})
        if key is not None:
            self.answers[key] = answer
        return httpx.Response(200, json=answer)

    def _row(self, tail: str, row: dict[str, Any]) -> dict[str, Any]:
        values = row["values"]
        if "wrong" in values.values():
            return {
                "row": row["row"],
                "status": "refused",
                "column": "worked_on",
                "value": "wrong",
                "reason": "not a date",
                "hint": "a date",
            }
        said = json.dumps([tail, values], sort_keys=True)
        status = "duplicate" if said in self.known else "accepted"
        self.known.add(said)
        return {"row": row["row"], "status": status, "record_id": str(imported_id("x", AGENCY, said))}

    def told(self, tail: str) -> list[Any]:
        return [body for _, path, body, _ in self.calls if path == tail]


@pytest.fixture
def services() -> StandIn:
    return StandIn()


async def imported(services: StandIn, kind: Kind, path: Path, **options: Any) -> Outcome:
    transport = httpx.MockTransport(services)
    async with ApiClient(URLS, Credentials("c", "s"), [AGENCY], transport=transport) as client:
        return await import_file(kind, path, client=client, agency_id=AGENCY, options=Options(**options))


def hours(path: Path, count: int, wrong: tuple[int, ...] = ()) -> Path:
    lines = [f"P-{n:04},{'wrong' if n in wrong else '30/03/2026'},7.5\n" for n in range(count)]
    path.write_text("Placement ref,Date,Hours\n" + "".join(lines))
    return path


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def stop_at(first_row: int) -> Callable[[str, dict[str, Any]], httpx.Response | None]:
    """A service that breaks off at the batch that begins with this row."""

    def refuse(tail: str, body: dict[str, Any]) -> httpx.Response | None:
        found = body["rows"][0]["row"] == first_row
        return httpx.Response(400, json={"code": "stop", "detail": "stop"}) if found else None

    return refuse


def receipts(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as source:
        return list(csv.DictReader(source))


async def test_every_line_gets_a_receipt_in_order(services: StandIn, tmp_path: Path) -> None:
    outcome = await imported(services, Kind.HOURS, hours(tmp_path / "h.csv", 25, wrong=(3, 17)), batch_rows=4)
    found = receipts(outcome.receipts)
    assert (outcome.accepted, outcome.duplicate, outcome.refused, outcome.exit_status) == (23, 0, 2, 1)
    assert [int(line["row"]) for line in found] == list(range(2, 27))
    assert found[3] == {
        "row": "5",
        "status": "refused",
        "column": "Date",
        "value": "wrong",
        "reason": "not a date",
        "hint": "a date",
    }
    first = services.told("imports/hours")[0]["rows"][0]
    assert first == {
        "row": 2,
        "values": {"placement_ref": "P-0000", "worked_on": "30/03/2026", "hours": "7.5"},
    }


async def test_the_same_file_twice_is_all_duplicates(services: StandIn, tmp_path: Path) -> None:
    path = hours(tmp_path / "h.csv", 30)
    first = await imported(services, Kind.HOURS, path)
    second = await imported(services, Kind.HOURS, path)
    assert (first.accepted, first.duplicate, first.exit_status) == (30, 0, 0)
    assert (second.accepted, second.duplicate, second.exit_status) == (0, 30, 0)


async def test_an_import_that_breaks_off_goes_on_where_it_stopped(services: StandIn, tmp_path: Path) -> None:
    path = hours(tmp_path / "h.csv", 100)
    whole = receipts(
        (await imported(StandIn(), Kind.HOURS, path, receipts=tmp_path / "whole.csv", batch_rows=10)).receipts
    )
    seen = []

    def broken(tail: str, body: dict[str, Any]) -> httpx.Response | None:
        seen.append(body["rows"][0]["row"])
        return httpx.Response(400, json={"code": "stop", "detail": "stop here"}) if len(seen) == 7 else None

    services.refuse = broken
    with pytest.raises(Refused, match="stop here"):
        await imported(services, Kind.HOURS, path, batch_rows=10, in_flight=1)
    services.refuse = lambda tail, body: None
    before = len(services.calls)
    outcome = await imported(services, Kind.HOURS, path, batch_rows=10, in_flight=2)
    assert outcome.resumed_rows == 60
    assert len(services.calls) - before == 4
    assert (outcome.accepted, outcome.duplicate, outcome.refused) == (100, 0, 0)
    assert receipts(outcome.receipts) == whole
    assert "h.csv.receipts.csv.progress" not in names_in(tmp_path)


async def test_a_batch_on_its_way_when_it_broke_off_keeps_its_key(services: StandIn, tmp_path: Path) -> None:
    path = hours(tmp_path / "h.csv", 40)
    services.refuse = stop_at(12)
    with pytest.raises(Refused):
        await imported(services, Kind.HOURS, path, batch_rows=10, in_flight=4)
    services.refuse = lambda tail, body: None
    outcome = await imported(services, Kind.HOURS, path, batch_rows=10, in_flight=4)
    assert (outcome.accepted, outcome.duplicate) == (40, 0)


async def test_a_changed_file_starts_anew(services: StandIn, tmp_path: Path) -> None:
    path = hours(tmp_path / "h.csv", 20)
    services.refuse = stop_at(12)
    with pytest.raises(Refused):
        await imported(services, Kind.HOURS, path, batch_rows=10, in_flight=1)
    services.refuse = lambda tail, body: None
    outcome = await imported(services, Kind.HOURS, hours(path, 21), batch_rows=10)
    assert outcome.resumed_rows == 0
    assert (outcome.accepted, outcome.duplicate) == (11, 10)


async def test_a_placements_week_is_never_cut_in_two(services: StandIn, tmp_path: Path) -> None:
    path = tmp_path / "h.csv"
    lines = [f"P-{n // 3},{30 + n % 2}/03/2026,{n}\n" for n in range(30)]
    path.write_text("Placement ref,Date,Hours\n" + "".join(lines))
    await imported(services, Kind.HOURS, path, batch_rows=10)
    batches = [{row["values"]["placement_ref"] for row in body["rows"]} for body in services.told("imports/hours")]
    assert sum(len(batch) for batch in batches) == 10


async def test_a_workers_line_is_split_to_its_owners(services: StandIn, tmp_path: Path) -> None:
    path = tmp_path / "w.csv"
    path.write_text(
        "Worker ref,First name,Last name,NI number,DOB,Gender,Tax code,NI category,Right to work\n"
        "W-1,Worker 1,Testcase,QQ 12 34 56 A,03/04/1990,female,1257L,A,1 August 2025\n"
        "W-2,Worker 2,Testcase,,,,,,\n"
    )
    outcome = await imported(services, Kind.WORKERS, path)
    assert outcome.accepted == 2
    rows = services.told("imports/workers")[0]["rows"]
    assert rows[0]["values"] == {"worker_ref": "W-1", "name": "Worker 1 Testcase"}
    (profile,) = services.told("pay-profiles/batch")[0]["profiles"]
    assert (profile["ni_number"], profile["birth_on"], profile["gender"]) == ("QQ 12 34 56 A", "1990-04-03", "F")
    (document,) = services.told("documents/batch")[0]["documents"]
    assert (document["requirement"], document["valid_from"]) == ("right_to_work", "2025-08-01")
    assert document["worker_id"] == profile["worker_id"]
    assert "QQ 12 34 56 A" not in json.dumps(services.told("imports/workers"))


async def test_pension_loans_and_directorships_are_columns_of_a_workers_file(services: StandIn, tmp_path: Path) -> None:
    path = tmp_path / "w.csv"
    path.write_text(
        "Worker ref,Forename,Surname,Tax code,NI letter,Student loan,Postgraduate loan,Pension,Employee pension percent,"
        "Employer pension percent,Salary sacrifice,Director,Director since\n"
        "W-1,A,Testcase,S1257L,A,4,yes,Relief at source,5,3,,,\n"
        "W-2,B,Testcase,1257L,A,,no,Salary sacrifice,,3,30.00,standard,15 January 2024\n"
        "W-3,C,Testcase,1257L,A,,,final salary,,,,,\n"
        "W-4,D,Testcase,1257L,A,,,,,,,alternative,\n"
    )
    outcome = await imported(services, Kind.WORKERS, path)
    *_, third, fourth = receipts(outcome.receipts)
    assert (third["column"], third["value"]) == ("Pension", "final salary")
    assert "director_appointed_on is missing" in fourth["reason"]
    first, second = services.told("pay-profiles/batch")[0]["profiles"]
    assert (first["student_loan_plan"], first["postgrad_loan"]) == ("4", True)
    assert first["pension"] == {"basis": "ras", "employee_pct": "5", "employer_pct": "3"}
    assert "director" not in first
    assert second["pension"] == {"basis": "salary_sacrifice", "employer_pct": "3", "sacrifice_gbp": "30.00"}
    assert (second["director"], second["directorship"]) == (True, {"method": "standard", "appointed_on": "2024-01-15"})


async def test_benefits_accommodation_and_apprenticeships_are_columns_of_a_workers_file(
    services: StandIn, tmp_path: Path
) -> None:
    path = tmp_path / "w.csv"
    path.write_text(
        "Worker ref,Forename,Surname,Tax code,NI letter,Apprentice,Apprenticeship start,Payrolled benefit,Benefit amount,Benefit from,"
        "Accommodation days,Accommodation charge,Accommodation from\n"
        "W-1,A,Testcase,1257L,A,yes,1 March 2026,Company van,50.00,10/04/2026,7,12.00,01/04/2026\n"
        "W-2,B,Testcase,1257L,A,,,,,,5,,2026-04-01\n"
        "W-3,C,Testcase,1257L,A,,,,20.00,,,,\n"
    )
    outcome = await imported(services, Kind.WORKERS, path)
    *_, third = receipts(outcome.receipts)
    assert "benefit_from is missing" in third["reason"]
    first, second = services.told("pay-profiles/batch")[0]["profiles"]
    assert first["apprenticeship_started_on"] == "2026-03-01"
    assert first["payrolled_benefits"] == [{"name": "Company van", "week_gbp": "50.00", "starts_on": "2026-04-10"}]
    assert first["accommodation"] == {"days_a_week": "7", "charge_a_day_gbp": "12.00", "starts_on": "2026-04-01"}
    assert "payrolled_benefits" not in second
    assert second["accommodation"] == {"days_a_week": "5", "charge_a_day_gbp": "0", "starts_on": "2026-04-01"}


async def test_what_a_starter_brought_is_columns_of_a_workers_file(services: StandIn, tmp_path: Path) -> None:
    path = tmp_path / "w.csv"
    path.write_text(
        "Worker ref,Forename,Surname,Start date,Tax code,NI letter,Student loan,Starter statement,"
        "P45 leaving date,P45 code,P45 pay,P45 tax\n"
        "W-1,A,Testcase,30 March 2026,,A,yes,B,20/03/2026,1100L M1,,\n"
        "W-2,B,Testcase,2026-03-30,,A,2,C,,,,\n"
        "W-3,C,Testcase,2026-03-30,1257L,A,2,C,,,,\n"
        "W-4,D,Testcase,,,A,,A,,,,\n"
        "W-5,E,Testcase,2026-03-30,,A,,A,2026-03-20,,1.00,0.10\n"
        "W-6,F,Testcase,2026-03-30,1257L,A,,,,,1.00,0.10\n"
        "W-7,G,Testcase,2026-03-30,,A,,A,,1100L,1.00,0.10\n"
    )
    outcome = await imported(services, Kind.WORKERS, path)
    *_, fourth, fifth, sixth, seventh = receipts(outcome.receipts)
    assert "started_on is missing" in fourth["reason"]
    assert "p45_tax_code is missing" in fifth["reason"]
    assert "p45_tax_code is missing" in sixth["reason"], "figures of a P45 are never dropped"
    assert "p45_left_on is missing" in seventh["reason"]
    first, second, third = services.told("pay-profiles/batch")[0]["profiles"]
    assert first["starter"] == {
        "started_on": "2026-03-30",
        "declaration": "B",
        "p45": {"left_on": "2026-03-20", "tax_code": "1100L M1"},
        "student_loan": True,
    }
    assert second["starter"] == {
        "started_on": "2026-03-30",
        "declaration": "C",
        "student_loan": True,
        "student_loan_plan": "2",
    }
    assert {"tax_code", "student_loan_plan", "starter_declaration"}.isdisjoint(second)
    # With HMRC's code the statement is only reported.
    assert (third["tax_code"], third["starter_declaration"], third["student_loan_plan"]) == ("1257L", "C", "2")
    assert "starter" not in third


async def test_a_part_that_its_owner_refuses_refuses_the_line_alone(services: StandIn, tmp_path: Path) -> None:
    path = tmp_path / "w.csv"
    path.write_text(
        "Worker ref,Forename,Surname,NI number,Tax code,NI letter,Date of birth\n"
        "W-1,A,Testcase,QQ123456A,1257L,A,\nW-2,B,Testcase,nonsense,1257L,A,\nW-3,C,Testcase,QQ123457A,1257L,A,31/02/1990\n"
    )

    def check(tail: str, body: dict[str, Any]) -> httpx.Response | None:
        if tail != "pay-profiles/batch":
            return None
        wrong = [n for n, profile in enumerate(body["profiles"]) if profile["ni_number"] == "nonsense"]
        errors = [
            {"pointer": f"#/profiles/{n}/ni_number", "detail": "not an NI number", "code": "value_error"} for n in wrong
        ]
        return httpx.Response(422, json={"code": "invalid_request", "detail": "x", "errors": errors}) if wrong else None

    services.refuse = check
    outcome = await imported(services, Kind.WORKERS, path)
    first, second, third = receipts(outcome.receipts)
    assert (first["status"], second["status"], third["status"]) == ("accepted", "refused", "refused")
    assert (second["column"], second["value"]) == ("NI number", "nonsense")
    assert "pay profile" in second["reason"]
    assert (third["column"], third["value"]) == ("Date of birth", "31/02/1990")
    assert [p["ni_number"] for p in services.told("pay-profiles/batch")[0]["profiles"]] == ["QQ123456A"]


async def test_what_is_wrong_with_a_p45_is_said_of_its_own_column(services: StandIn, tmp_path: Path) -> None:
    path = tmp_path / "w.csv"
    path.write_text(
        "Worker ref,Forename,Surname,Start date,NI letter,P45 leaving date,P45 code\n"
        "W-1,A,Testcase,2026-03-30,A,2026-03-20,1100Q\n"
    )

    def check(tail: str, body: dict[str, Any]) -> httpx.Response | None:
        if tail != "pay-profiles/batch":
            return None
        error = {"pointer": "#/profiles/0/starter/p45/tax_code", "detail": "not a tax code", "code": "value_error"}
        return httpx.Response(422, json={"code": "invalid_request", "detail": "x", "errors": [error]})

    services.refuse = check
    outcome = await imported(services, Kind.WORKERS, path)
    [only] = receipts(outcome.receipts)
    assert (only["status"], only["column"], only["value"]) == ("refused", "P45 code", "1100Q")


@pytest.mark.parametrize(
    ("field", "header", "value"),
    [
        ("pension/employee_pct", "Employee pension percent", "150"),
        ("payrolled_benefits/0/week_gbp", "Benefit amount", "lots"),
        ("accommodation/days_a_week", "Accommodation days", "9"),
        ("directorship", "Director", "weekly"),
        ("given_name", "Forename", "A"),
        ("address/0", "Address", "1 Example Road"),
    ],
)
async def test_a_field_is_told_by_the_header_of_its_column(
    services: StandIn, tmp_path: Path, field: str, header: str, value: str
) -> None:
    path = tmp_path / "w.csv"
    given = {
        "Worker ref": "W-1", "Forename": "A", "Surname": "Testcase", "Pension": "net pay", "Employee pension percent": "150",
        "Benefit amount": "lots", "Benefit from": "2026-04-06", "Accommodation days": "9", "Accommodation from": "2026-04-06",
        "Director": "weekly", "Director since": "2026-04-06", "Address": "1 Example Road",
    }  # fmt: skip
    path.write_text(f"{','.join(given)}\n{','.join(given.values())}\n")

    def check(tail: str, body: dict[str, Any]) -> httpx.Response | None:
        if tail != "pay-profiles/batch":
            return None
        error = {"pointer": f"#/profiles/0/{field}", "detail": "not so", "code": "value_error"}
        return httpx.Response(422, json={"code": "invalid_request", "detail": "x", "errors": [error]})

    services.refuse = check
    [only] = receipts((await imported(services, Kind.WORKERS, path)).receipts)
    assert (only["status"], only["column"], only["value"]) == ("refused", header, value)


def test_every_column_that_a_field_stands_for_is_one_of_a_file() -> None:
    known = {column.name for layout in LAYOUTS.values() for column in layout}
    assert set(FIELDS.values()) <= known


async def test_rate_columns_of_a_placement_become_its_rate_card(services: StandIn, tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text(
        "Placement ref,Worker ref,Client ref,Job title,Start date,Pay rate,Charge rate,Saturday,Night,Night from,Night to\n"
        "P-1,W-1,C-1,Picker,2026-03-30,12.71,17.00,1.5,1.25,20:00,06:00\n"
    )
    outcome = await imported(services, Kind.PLACEMENTS, path)
    assert outcome.accepted == 1
    rows = [row["values"] for row in services.told("imports/rate-cards")[0]["rows"]]
    assert [row.get("rule_type", "rate") for row in rows] == ["rate", "day_of_week", "night"]
    assert all(row["placement_ref"] == row["rate_card_ref"] == "P-1" for row in rows)
    assert all(row["effective_from"] == "2026-03-30" for row in rows)


async def test_payees_go_to_their_four_owners(services: StandIn, tmp_path: Path) -> None:
    path = tmp_path / "u.csv"
    path.write_text(
        "Payee ref,Name,Kind,Umbrella status,Address,Sort code,Account number\n"
        "U-1,Umbrella 1 Example Ltd,umbrella,approved,1 Example Court,00-00-02,1\n"
    )
    outcome = await imported(services, Kind.PAYEES, path)
    assert outcome.accepted == 1
    payee_id = str(imported_id("payee", AGENCY, "U-1"))
    assert services.told(f"payees/{payee_id}")[-1] == {
        "external_id": "U-1",
        "name": "Umbrella 1 Example Ltd",
        "kind": "umbrella",
    }
    assert services.told("payees/batch")[0]["payees"][0]["payee_id"] == payee_id
    assert services.told("suppliers/batch")[0]["items"][0]["legal_name"] == "Umbrella 1 Example Ltd"
    assert services.told("umbrellas/batch")[0]["umbrellas"] == [
        {"payee_id": payee_id, "status": "approved", "external_id": "U-1"}
    ]


async def test_a_subcontractor_brings_its_verification_and_the_agency_rules_answer(
    services: StandIn, tmp_path: Path
) -> None:
    path = tmp_path / "u.csv"
    path.write_text(
        "Payee ref,Name,Kind,CIS rate,Verified on,Verification number,UTR,Agency rules,Agency rules decided by,"
        "Agency rules decided on,Agency rules evidence\n"
        "C-1,Trade 1 Example,cis,20%,02/03/2026,V0000000001,0000000001,Not controlled,Status Desk,02/03/2026,AR-1\n"
        "C-2,Trade 2 Example,cis,20,02/03/2026,V0000000002,0000000002,,Status Desk,02/03/2026,AR-2\n"
    )
    outcome = await imported(services, Kind.PAYEES, path)
    assert (outcome.accepted, outcome.refused) == (1, 1)
    [told] = services.told("payees/batch")[0]["payees"]
    assert told["cis"] | told["agency_rules"] == {
        "rate_pct": 20,
        "verified_on": "2026-03-02",
        "verification_number": "V0000000001",
        "utr": "0000000001",
        "finding": "not_controlled",
        "decided_by": "Status Desk",
        "decided_on": "2026-03-02",
        "evidence_ref": "AR-1",
    }


async def test_a_file_without_a_needed_column_is_not_sent(services: StandIn, tmp_path: Path) -> None:
    path = tmp_path / "w.csv"
    path.write_text("Worker ref,Forename\nW-1,A\n")
    with pytest.raises(CannotReadFile, match="no column surname"):
        await imported(services, Kind.WORKERS, path)
    assert services.calls == []


def test_receipts_are_safe_to_open(tmp_path: Path) -> None:
    with ReceiptsFile(tmp_path / "r.csv") as file:
        file.write([Receipt(2, "refused", "hours", '=HYPERLINK("http://example.com","8")', "@import", "-7.5")])
    (line,) = receipts(tmp_path / "r.csv")
    assert line["value"].startswith("'=")
    assert line["reason"] == "'@import"
    assert line["hint"] == "-7.5"


@pytest.mark.parametrize(
    ("cell", "shown"),
    [("+44 7700", "'+44 7700"), ("-1", "-1"), ("7:30", "7:30"), ("\t=x", "'=x"), ("a\nb", "a b"), ("|cmd", "'|cmd")],
)
def test_a_cell_that_could_run_gets_an_apostrophe(cell: str, shown: str) -> None:
    assert inert(cell) == shown


def test_dates_and_yes_are_read_as_people_write_them() -> None:
    for text in ("03/04/2026", "2026-04-03", "3 April 2026", "3-Apr-2026", "3rd April 2026", "3.4.2026"):
        assert iso_date({"d": text}, "d") == "2026-04-03"
    assert iso_date({}, "d") is None
    for wrong in ("31/02/2026", "04/13/2026", "3 Quintember 2026", "46111", "soon"):
        with pytest.raises(BadCell):
            iso_date({"d": wrong}, "d")
    assert [yes_or_no({"y": text}, "y") for text in ("Yes", "n", "TRUE", "0")] == [True, False, True, False]
    with pytest.raises(BadCell):
        yes_or_no({"y": "maybe"}, "y")


def test_a_rate_line_names_what_is_missing() -> None:
    with pytest.raises(BadCell, match="names no rate card"):
        rows_of({"pay_rate": "1", "charge_rate": "2"})
    with pytest.raises(BadCell, match="charge rate is missing"):
        rows_of({"client_ref": "C-1", "pay_rate": "1"})
    with pytest.raises(BadCell, match="overtime multiplier is missing beside overtime daily after"):
        rows_of({"client_ref": "C-1", "pay_rate": "1", "charge_rate": "2", "overtime_daily_after": "8:00"})
    own = rows_of_placement(
        {
            "reference": "P-1",
            "client_ref": "C-1",
            "starts_on": "a",
            "rates_from": "b",
            "pay_rate": "1",
            "charge_rate": "2",
        }
    )
    assert own == [
        {
            "rate_card_ref": "P-1",
            "effective_from": "b",
            "placement_ref": "P-1",
            "rate_code": "standard",
            "unit": "hour",
            "pay_rate": "1",
            "charge_rate": "2",
        }
    ]


async def test_a_lost_answer_is_asked_again_under_the_same_key(monkeypatch: pytest.MonkeyPatch) -> None:
    keys: list[str] = []

    def flaky(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/token":
            return httpx.Response(200, json={"access_token": "t", "expires_in": 900})
        keys.append(request.headers["idempotency-key"])
        if len(keys) == 1:
            raise httpx.ReadError("gone")
        return (
            httpx.Response(503, json={"detail": "busy"}) if len(keys) == 2 else httpx.Response(200, json={"ok": True})
        )

    async def at_once(_seconds: float) -> None:
        return None

    monkeypatch.setattr(asyncio, "sleep", at_once)
    async with ApiClient(URLS, Credentials("c", "s"), [AGENCY], transport=httpx.MockTransport(flaky)) as client:
        assert await client.post("timesheet", "/v1/x", {}) == {"ok": True}
    assert len(set(keys)) == 1
    assert len(keys) == 3


async def test_a_service_that_stays_away_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/token":
            return httpx.Response(200, json={"access_token": "t", "expires_in": 900})
        raise httpx.ConnectError("refused")

    async def at_once(_seconds: float) -> None:
        return None

    monkeypatch.setattr(asyncio, "sleep", at_once)
    async with ApiClient(URLS, Credentials("c", "s"), [AGENCY], transport=httpx.MockTransport(away)) as client:
        with pytest.raises(ServiceAway, match="after 6 tries"):
            await client.get("timesheet", "/v1/x")


async def test_a_token_that_is_refused_is_fetched_anew_once() -> None:
    tokens: list[str] = []

    def signs(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/token":
            tokens.append(request.content.decode())
            return httpx.Response(200, json={"access_token": f"t{len(tokens)}", "expires_in": 900})
        good = request.headers["authorization"] == "Bearer t2"
        return (
            httpx.Response(200, json=[1])
            if good
            else httpx.Response(401, json={"code": "token_refused", "detail": "old"})
        )

    async with ApiClient(URLS, Credentials("c", "s"), [AGENCY], transport=httpx.MockTransport(signs)) as client:
        assert await client.get("timesheet", "/v1/x") == [1]
    assert len(tokens) == 2
    assert f"agencies={AGENCY}" in tokens[0]


async def test_the_pages_are_told_how_far_it_is_and_what_was_refused(services: StandIn, tmp_path: Path) -> None:
    path = hours(tmp_path / "h.csv", 25, wrong=(3, 17))
    outcome = await imported(services, Kind.HOURS, path, batch_rows=4)
    first, last = services.tallies[0], services.tallies[-1]
    assert (first["state"], first["accepted"], first["rows_total"], first["file_name"]) == ("running", 0, 25, "h.csv")
    counts = {name: last[name] for name in ("state", "accepted", "duplicate", "refused")}
    assert counts == {"state": "done", "accepted": 23, "duplicate": 0, "refused": 2}
    told = [line for tally in services.tallies for line in tally["refusals"]]
    assert [line["row"] for line in told] == [5, 19], "each once"
    line = {"row": 5, "column": "Date", "value": "wrong", "reason": "not a date", "hint": "a date"}
    assert told[0] == line | {"private": False}
    assert outcome.untold == ""


async def test_the_pages_are_not_told_what_payroll_alone_may_read(services: StandIn, tmp_path: Path) -> None:
    path = tmp_path / "w.csv"
    path.write_text("Ref,Forename,Surname,Date of birth\nW-1,Ann,Example,31/02/1990\n")
    outcome = await imported(services, Kind.WORKERS, path)
    (told,) = services.tallies[-1]["refusals"]
    assert (told["column"], told["value"]) == ("Date of birth", "")
    assert receipts(outcome.receipts)[0]["value"] == "31/02/1990", "the receipt is its sender's own"


async def test_an_import_that_breaks_off_says_why(services: StandIn, tmp_path: Path) -> None:
    services.refuse = stop_at(12)
    with pytest.raises(Refused):
        await imported(services, Kind.HOURS, hours(tmp_path / "h.csv", 25), batch_rows=10, in_flight=1)
    last = services.tallies[-1]
    assert (last["state"], last["accepted"]) == ("stopped", 10)
    assert "stop" in last["error"]


async def test_nobody_to_tell_stops_no_import(services: StandIn, tmp_path: Path) -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "reporting.test" and request.method == "PUT":
            return httpx.Response(403, json={"code": "scope_missing", "detail": "This needs the scope write."})
        return services(request)

    path = hours(tmp_path / "h.csv", 25)
    async with ApiClient(URLS, Credentials("c", "s"), [AGENCY], transport=httpx.MockTransport(answer)) as client:
        outcome = await import_file(Kind.HOURS, path, client=client, agency_id=AGENCY, options=Options(batch_rows=4))
    assert outcome.accepted == 25
    assert "This needs the scope write." in outcome.untold


async def test_a_value_that_no_row_may_have_refuses_its_line_and_no_other(services: StandIn, tmp_path: Path) -> None:
    """Two names that each fit a cell make one that does not fit the door."""
    path = tmp_path / "w.csv"
    names = [("Ann", "Example"), ("B" * 300, "E" * 300), ("Cy", "Example")]
    path.write_text("Ref,Forename,Surname\n" + "".join(f"W-{n},{a},{b}\n" for n, (a, b) in enumerate(names)))

    def check(tail: str, body: dict[str, Any]) -> httpx.Response | None:
        long = [n for n, row in enumerate(body["rows"]) if len(row["values"]["name"]) > 500]
        errors = [{"pointer": f"#/rows/{n}/values/name", "detail": "at most 500 characters", "code": "x"} for n in long]
        return httpx.Response(422, json={"code": "invalid_request", "detail": "no", "errors": errors}) if long else None

    services.refuse = lambda tail, body: check(tail, body) if tail == "imports/workers" else None
    outcome = await imported(services, Kind.WORKERS, path)
    found = receipts(outcome.receipts)
    assert [line["status"] for line in found] == ["accepted", "refused", "accepted"]
    assert (found[1]["column"], found[1]["reason"]) == ("Surname", "at most 500 characters")
