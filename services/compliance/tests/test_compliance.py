"""Compliance on real Postgres: events in, decisions out, evidence through the public door."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from typer.testing import CliRunner

from compliance.app import SPEC
from paybill_common.bus import Outgoing
from paybill_common.envelope import encode
from paybill_common.ids import new_id
from paybill_common.migrations import differences
from paybill_contracts import event_class
from paybill_contracts.pay import PayFinalised
from paybill_contracts.timesheet import TimesheetAmended, TimesheetApproved
from paybill_contracts.topics import contracts_root
from paybill_stack import cli_ops
from paybill_stack.cli import app
from paybill_stack.client import ApiClient, Credentials
from tests.kit import in_thread

pytestmark = pytest.mark.integration


def approved(
    agency: UUID, worker: UUID, *, timesheet: UUID | None = None, version: int = 3, **changes: object
) -> TimesheetApproved:
    path = contracts_root() / "examples" / "paybill.timesheet.approved.v1.json"
    data = json.loads(path.read_text())["data"] | {
        "agency_id": agency,
        "worker_id": worker,
        "timesheet_id": timesheet or new_id(),
        "version": version,
    }
    return TimesheetApproved.model_validate(data | changes)


def finalised(*weeks: TimesheetApproved) -> PayFinalised:
    """The payslip of a closed pay run that these weeks of one worker are in."""
    path = contracts_root() / "examples" / "paybill.pay.finalised.v1.json"
    data = json.loads(path.read_text())["data"]
    (charge,) = data["charges"]
    charges = [charge | {"timesheet_id": week.timesheet_id, "charge_line_id": new_id()} for week in weeks]
    changes = {"agency_id": weeks[0].agency_id, "worker_id": weeks[0].worker_id, "payslip_id": new_id()}
    return PayFinalised.model_validate(data | changes | {"charges": charges})


class Service:
    """The service's consumer and client on one agency."""

    def __init__(self, runtime, client: httpx.AsyncClient, bus, keys) -> None:  # type: ignore[no-untyped-def]
        self.agency = new_id()
        self.runtime, self.client, self.bus, self.keys = runtime, client, bus, keys
        self.base = f"/v1/agencies/{self.agency}"

    async def feed(self, *events, sequence: int = 1) -> None:  # type: ignore[no-untyped-def]
        for data in events:
            text = encode(
                data,
                event_id=new_id(),
                source="timesheet",
                sequence=getattr(data, "version", sequence),
                time=datetime(2026, 4, 7, tzinfo=UTC),
                traceparent=None,
                correlation_id="test",
            )
            self.bus.append(Outgoing(data.TOPIC, data.partition_key(), text))
        while (await self.consumer.step()).polled:
            pass

    async def emitted(self) -> list[tuple[str, dict[str, object]]]:
        async with self.runtime.worker_database.transaction(now=self.runtime.clock.now()) as tx:
            rows = await tx.execute(
                "SELECT payload FROM outbox WHERE agency_id = :a AND topic = 'paybill.compliance' ORDER BY id",
                a=self.agency,
            )
            events = [json.loads(row.payload) for row in rows]
        return [(event["type"].split(".")[2], event["data"]) for event in events]

    async def call(self, method: str, path: str, body: object = None, status: int = 200, **headers: str):  # type: ignore[no-untyped-def]
        response = await self.client.request(
            method, self.base + path, json=body, headers=self.keys.headers(self.agency) | headers
        )
        assert response.status_code == status, response.text
        return response.json()


@pytest.fixture
async def service(runtime_of, client_of, memory_bus, keys) -> Service:  # type: ignore[no-untyped-def]
    runtime = runtime_of(SPEC)
    made = Service(runtime, await client_of(runtime), memory_bus, keys)
    made.consumer = runtime.consumer()  # type: ignore[attr-defined]
    await made.consumer.start()  # type: ignore[attr-defined]
    return made


def document(worker: UUID, **changes: object) -> dict[str, object]:
    return {
        "document_id": str(new_id()),
        "worker_id": str(worker),
        "requirement": "right_to_work",
        "valid_from": "2026-01-01",
        **changes,
    }


async def test_an_approved_week_without_evidence_is_held_and_lifts_when_the_document_arrives(service: Service) -> None:
    worker = new_id()
    week = approved(service.agency, worker)
    await service.feed(week)
    holds = await service.call("GET", "/holds")
    assert [(h["timesheet_id"], h["blocks"], h["pay_gbp"]) for h in holds["items"]] == [
        (str(week.timesheet_id), ["pay", "bill"], "476.63")
    ]
    receipt = await service.call("POST", "/documents", document(worker), status=201)
    assert receipt["decisions_changed"] == 1
    assert [kind for kind, _ in await service.emitted()] == ["held", "cleared"]
    assert (await service.call("GET", "/holds"))["items"] == []


async def test_a_document_that_turns_out_to_be_somebody_elses_clears_the_former_worker_no_more(
    service: Service,
) -> None:
    wrong, right = (approved(service.agency, new_id()) for _ in range(2))
    seen = document(wrong.worker_id)
    await service.feed(wrong, right)
    await service.call("POST", "/documents", seen, status=201)
    receipt = await service.call("POST", "/documents", seen | {"worker_id": str(right.worker_id)}, status=201)
    assert receipt["decisions_changed"] == 2
    (held,) = (await service.call("GET", "/holds"))["items"]
    assert held["timesheet_id"] == str(wrong.timesheet_id)


async def test_a_decision_is_made_once_however_often_the_event_comes(service: Service) -> None:
    week = approved(service.agency, new_id())
    await service.feed(week, week)
    await service.feed(week)
    assert [kind for kind, _ in await service.emitted()] == ["held"]


async def test_an_amended_version_is_decided_anew_and_a_release_does_not_carry_over(service: Service) -> None:
    worker, timesheet = new_id(), new_id()
    week = approved(service.agency, worker, timesheet=timesheet)
    await service.feed(week)
    released = await service.call("POST", f"/holds/{timesheet}/release", {"reason": "passport seen in branch"})
    assert released["audit_entry"] > 0
    amended = TimesheetAmended.model_validate(
        week.model_dump() | {"version": 4, "amends_version": 3, "reason_code": "break_not_taken"}
    )
    await service.feed(amended)
    assert [(kind, data["version"]) for kind, data in await service.emitted()] == [
        ("held", 3),
        ("cleared", 3),
        ("held", 4),
    ]


async def test_a_release_needs_a_hold_a_reason_and_the_scope(service: Service) -> None:
    worker = new_id()
    week = approved(service.agency, worker)
    await service.call("POST", f"/holds/{week.timesheet_id}/release", {"reason": "seen in branch"}, status=404)
    await service.call("POST", "/documents", document(worker), status=201)
    await service.feed(week)
    problem = await service.call(
        "POST", f"/holds/{week.timesheet_id}/release", {"reason": "seen in branch"}, status=409
    )
    assert problem["code"] == "not_held"
    await service.call("POST", f"/holds/{week.timesheet_id}/release", {"reason": "x"}, status=422)
    response = await service.client.post(
        f"{service.base}/holds/{week.timesheet_id}/release",
        json={"reason": "seen in branch"},
        headers=service.keys.headers(service.agency, scopes={"read"}),
    )
    assert (response.status_code, response.json()["code"]) == (403, "scope_missing")


async def paged(service: Service, path: str) -> list[Any]:
    """Every item of a list, one a page."""
    seen: list[Any] = []
    cursor = ""
    while True:
        page = await service.call("GET", f"{path}{'&' if '?' in path else '?'}limit=1{cursor}")
        assert len(page["items"]) <= 1
        seen += page["items"]
        if page["next_cursor"] is None:
            return seen
        cursor = f"&cursor={page['next_cursor']}"


async def test_lists_page_by_cursor_and_filter_by_the_id_elsewhere(service: Service) -> None:
    for code in ("dbs", "right_to_work"):
        body = {"title": "A check", "blocks": [], "external_id": f"R-{code}"}
        await service.call("PUT", f"/requirements/{code}", body)
    for number in range(3):
        await service.call("PUT", f"/umbrellas/{new_id()}", {"status": "approved", "external_id": f"U-{number}"})
        body = document(new_id()) | {"expires_on": "2026-04-20", "external_id": f"D-{number}"}
        await service.call("POST", "/documents", body, status=201)
    for path, key, count in (
        ("/requirements", "code", 2),
        ("/umbrellas", "payee_id", 3),
        ("/documents", "document_id", 3),
        ("/expiring?within_days=60", "document_id", 3),
        ("/audit", "number", 8),
    ):
        whole = (await service.call("GET", path))["items"]
        assert len({one[key] for one in whole}) == count, path
        assert await paged(service, path) == whole
        await service.call("GET", f"{path}{'&' if '?' in path else '?'}cursor=bad", status=422)
    for path, wanted in (("/requirements", "R-dbs"), ("/umbrellas", "U-1"), ("/documents", "D-2")):
        (found,) = (await service.call("GET", f"{path}?external_id={wanted}"))["items"]
        assert found["external_id"] == wanted


async def test_umbrella_pay_waits_for_the_register(service: Service) -> None:
    worker, umbrella = new_id(), new_id()
    await service.call("POST", "/documents", document(worker), status=201)
    await service.feed(approved(service.agency, worker, pay_basis="umbrella", payee_id=umbrella))
    changed = await service.call("PUT", f"/umbrellas/{umbrella}", {"status": "approved"})
    assert changed["decisions_changed"] == 1
    await service.call("PUT", f"/umbrellas/{umbrella}", {"status": "removed"})
    emitted = await service.emitted()
    assert [(kind, data.get("blocks")) for kind, data in emitted] == [
        ("held", ["pay"]),
        ("cleared", None),
        ("held", ["pay"]),
    ]


async def test_a_new_standing_leaves_an_umbrella_its_id_elsewhere(service: Service) -> None:
    umbrella = f"/umbrellas/{new_id()}"
    await service.call("PUT", umbrella, {"status": "approved", "external_id": "U-1"})
    await service.call("PUT", umbrella, {"status": "removed"})
    (found,) = (await service.call("GET", "/umbrellas?external_id=U-1"))["items"]
    assert found["status"] == "removed"
    await service.call("PUT", umbrella, {"status": "approved", "external_id": "U-2"})
    assert [one["external_id"] for one in (await service.call("GET", "/umbrellas"))["items"]] == ["U-2"]


async def test_a_hold_after_the_pay_run_closed_is_an_alert_and_one_before_is_not(service: Service) -> None:
    worker, umbrella = new_id(), new_id()
    paid, unpaid = (approved(service.agency, worker, pay_basis="umbrella", payee_id=umbrella) for _ in range(2))
    await service.call("POST", "/documents", document(worker), status=201)
    await service.call("PUT", f"/umbrellas/{umbrella}", {"status": "approved"})
    await service.feed(paid, unpaid)
    await service.call("PUT", f"/umbrellas/{umbrella}", {"status": "pending"})
    await service.call("PUT", f"/umbrellas/{umbrella}", {"status": "approved"})
    assert "alert" not in [kind for kind, _ in await service.emitted()]
    await service.feed(finalised(paid))
    assert "alert" not in [kind for kind, _ in await service.emitted()]
    before = len(await service.emitted())
    await service.call("PUT", f"/umbrellas/{umbrella}", {"status": "removed"})
    told = (await service.emitted())[before:]
    assert sorted((kind, data["timesheet_id"]) for kind, data in told) == sorted(
        [("held", str(paid.timesheet_id)), ("held", str(unpaid.timesheet_id)), ("alert", str(paid.timesheet_id))]
    )
    (alert,) = [data for kind, data in told if kind == "alert"]
    assert (alert["code"], alert["worker_id"]) == ("hold_after_finalisation", str(worker))
    await service.call("POST", f"/holds/{paid.timesheet_id}/release", {"reason": "the umbrella was paid already"})
    assert [kind for kind, _ in await service.emitted()].count("alert") == 1


async def test_each_hold_of_a_paid_week_is_an_alert_of_its_own(service: Service) -> None:
    worker = new_id()
    week = approved(service.agency, worker)
    await service.call("PUT", "/requirements/dbs", {"title": "DBS check", "blocks": []})
    await service.feed(week)
    await service.feed(finalised(week), finalised(week))
    rule = f"/clients/{week.client_id}/requirements/dbs"
    for blocks in (["bill"], [], ["pay", "bill"]):
        await service.call("PUT", rule, {"blocks": blocks})
    alerts = [data["alert_id"] for kind, data in await service.emitted() if kind == "alert"]
    assert len(set(alerts)) == len(alerts) == 2


async def test_a_client_can_ask_for_more_or_for_less(service: Service) -> None:
    worker = new_id()
    week = approved(service.agency, worker)
    await service.call("PUT", "/requirements/right_to_work", {"title": "Right to work", "blocks": ["pay", "bill"]})
    await service.call("PUT", "/requirements/dbs", {"title": "DBS check", "blocks": []})
    await service.call("POST", "/documents", document(worker), status=201)
    await service.feed(week)
    changed = await service.call(
        "PUT", f"/clients/{week.client_id}/requirements/dbs", {"required": True, "blocks": ["bill"]}
    )
    assert changed["decisions_changed"] == 1
    assert (await service.emitted())[-1][1]["blocks"] == ["bill"]
    await service.call("PUT", f"/clients/{week.client_id}/requirements/dbs", {"required": False})
    assert (await service.emitted())[-1][0] == "cleared"


async def test_a_clients_rules_are_listed_and_taken_away_again(service: Service) -> None:
    worker = new_id()
    week = approved(service.agency, worker)
    elsewhere = approved(service.agency, worker, client_id=new_id())
    rules = f"/clients/{week.client_id}/requirements"
    await service.call("PUT", "/requirements/right_to_work", {"title": "Right to work", "blocks": ["pay", "bill"]})
    await service.call("PUT", f"{rules}/right_to_work", {"required": False})
    await service.call("PUT", f"{rules}/dbs", {"blocks": ["bill"]})
    await service.feed(week, elsewhere)
    listed = (await service.call("GET", rules))["items"]
    assert listed == [
        {"code": "dbs", "required": True, "blocks": ["bill"], "title": None},
        {"code": "right_to_work", "required": False, "blocks": [], "title": "Right to work"},
    ]
    assert await paged(service, rules) == listed
    await service.call("GET", f"{rules}?cursor=bad", status=422)
    assert (await service.call("GET", f"/clients/{elsewhere.client_id}/requirements"))["items"] == []
    before = len(await service.emitted())
    assert (await service.call("DELETE", f"{rules}/right_to_work"))["decisions_changed"] == 1
    (told,) = (await service.emitted())[before:]
    assert (told[1]["timesheet_id"], told[1]["blocks"]) == (str(week.timesheet_id), ["pay", "bill"])
    assert (await service.call("DELETE", f"{rules}/right_to_work", status=404))[
        "code"
    ] == "client_requirement_not_found"
    assert [rule["code"] for rule in (await service.call("GET", rules))["items"]] == ["dbs"]
    (entry,) = (await service.call("GET", f"/audit?subject_id={week.client_id}"))["items"][2:]
    assert (entry["action"], entry["detail"]) == ("client_requirement_removed", {"code": "right_to_work"})
    assert (await service.call("GET", "/audit/verify"))["intact"]


async def test_a_document_can_be_asked_for_at_one_client_alone(service: Service) -> None:
    """Nowhere else is it missed, not even as a warning; and an agency that configured nothing still asks for its default."""
    worker = new_id()
    await service.call("POST", "/documents", document(worker), status=201)
    week, elsewhere = (approved(service.agency, worker, client_id=new_id()) for _ in range(2))
    await service.feed(week, elsewhere)
    rule = f"/clients/{week.client_id}/requirements/nmc_pin"
    assert (await service.call("PUT", rule, {"blocks": ["pay"]}))["decisions_changed"] == 1
    (held,) = (await service.call("GET", "/holds"))["items"]
    assert held["timesheet_id"] == str(week.timesheet_id)
    assert [finding["requirement"] for finding in held["findings"]] == ["nmc_pin"]
    stranger = approved(service.agency, new_id(), client_id=week.client_id)
    await service.feed(stranger)
    missed = [reason["requirement"] for reason in (await service.emitted())[-1][1]["reasons"]]  # type: ignore[attr-defined]
    assert missed == ["nmc_pin", "right_to_work"]
    assert (await service.call("DELETE", rule))["decisions_changed"] == 2
    told = [
        (kind, data["reasons"])
        for kind, data in await service.emitted()
        if data["timesheet_id"] == str(elsewhere.timesheet_id)
    ]
    assert told == [("cleared", [])]


async def test_what_nobody_asks_for_cannot_be_left_out(service: Service) -> None:
    """A code that is misspelt must not look like a document that is no longer needed."""
    rules = f"/clients/{new_id()}/requirements"
    refused = await service.call("PUT", f"{rules}/right_to_wrok", {"required": False}, status=404)
    assert refused["code"] == "requirement_not_found"
    await service.call("PUT", f"{rules}/right_to_work", {"required": False})


async def test_the_audit_chain_verifies(service: Service) -> None:
    worker = new_id()
    await service.feed(approved(service.agency, worker))
    await service.call("POST", "/documents", document(worker), status=201)
    result = await service.call("GET", "/audit/verify")
    assert result["intact"]
    assert result["entries"] == 3
    entries = (await service.call("GET", "/audit"))["items"]
    assert [entry["action"] for entry in entries] == ["held", "document_recorded", "cleared"]


TAMPERING = {
    "another person": "UPDATE audit_entry SET actor = 'nobody' WHERE agency_id = $1 AND number = 2",
    "another content": "UPDATE audit_entry SET detail = '{}' WHERE agency_id = $1 AND number = 1",
    "another moment": "UPDATE audit_entry SET at = at - interval '1 day' WHERE agency_id = $1 AND number = 3",
    "a false hash": "UPDATE audit_entry SET hash = repeat('0', 64) WHERE agency_id = $1 AND number = 2",
    "one taken out": "DELETE FROM audit_entry WHERE agency_id = $1 AND number = 2",
    "the last taken off": "DELETE FROM audit_entry WHERE agency_id = $1 AND number = 3",
    "all taken away": "DELETE FROM audit_entry WHERE agency_id = $1",
    "a false head": "UPDATE audit_head SET number = 2 WHERE agency_id = $1",
}


@pytest.mark.parametrize("how", TAMPERING)
async def test_who_owns_the_database_cannot_change_the_trail_unseen(
    service: Service, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """The owner may switch row-level security off and write; `paybill audit verify` then ends with 1 and says where."""
    worker = new_id()
    await service.feed(approved(service.agency, worker))
    await service.call("POST", "/documents", document(worker), status=201)
    untouched = Service(service.runtime, service.client, service.bus, service.keys)
    untouched.consumer = service.consumer  # type: ignore[attr-defined]
    await untouched.feed(approved(untouched.agency, new_id()))
    assert await _verified_at_a_prompt(service, monkeypatch) == 0
    await _as_owner(service, TAMPERING[how])
    result = await service.call("GET", "/audit/verify")
    assert not result["intact"]
    assert result["breaks"]
    assert await _verified_at_a_prompt(service, monkeypatch) == 1
    assert (await untouched.call("GET", "/audit/verify"))["intact"]


async def _as_owner(service: Service, statement: str) -> None:
    owner = service.runtime.settings.database_owner_url
    assert owner is not None
    connection = await asyncpg.connect(owner.get_secret_value().replace("+asyncpg", ""))
    tables = ("audit_entry", "audit_head")
    try:
        async with connection.transaction():
            for table in tables:
                await connection.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
            done = await connection.execute(statement, service.agency)
            for table in tables:
                await connection.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    finally:
        await connection.close()
    assert done.split()[-1] != "0", "nothing was tampered with"


async def _verified_at_a_prompt(service: Service, monkeypatch: pytest.MonkeyPatch) -> int:
    """The exit status of `paybill audit verify` with what the service answers."""
    said = await service.call("GET", "/audit/verify")

    def answer(request: httpx.Request) -> httpx.Response:
        token = {"access_token": "t", "expires_in": 900}
        return httpx.Response(200, json=token if request.url.path == "/oauth/token" else said)

    def connect(_instance: str, *agencies: UUID) -> ApiClient:
        urls = dict.fromkeys(("compliance", "reporting"), "http://service.test")
        return ApiClient(urls, Credentials("c", "s"), agencies, transport=httpx.MockTransport(answer))

    monkeypatch.setattr(cli_ops, "connect", connect)
    command = ["audit", "verify", "--agency", str(service.agency)]
    status: int = in_thread(lambda: CliRunner().invoke(app, command).exit_code)
    return status


async def test_nobody_but_the_owner_can_change_the_audit_trail(service: Service) -> None:
    await service.feed(approved(service.agency, new_id()))
    for database in (service.runtime.worker_database, service.runtime.api_database):
        with pytest.raises(Exception, match="permission denied"):
            async with database.transaction(now=service.runtime.clock.now(), agencies=[service.agency]) as tx:
                await tx.execute("UPDATE audit_entry SET actor = 'nobody'")


async def test_another_agency_sees_nothing(service: Service) -> None:
    worker = new_id()
    await service.feed(approved(service.agency, worker))
    other = new_id()
    headers = service.keys.headers(other)
    refused = await service.client.get(f"{service.base}/holds", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "agency_not_yours")
    own = await service.client.get(f"/v1/agencies/{other}/holds", headers=headers)
    assert own.json()["items"] == []
    assert (await service.client.get(f"/v1/agencies/{other}/workers/{worker}", headers=headers)).status_code == 404


async def test_the_same_key_and_body_gives_the_first_answer_and_another_body_is_refused(service: Service) -> None:
    body = document(new_id())
    first = await service.client.post(
        f"{service.base}/documents", json=body, headers=service.keys.headers(service.agency) | {"Idempotency-Key": "k1"}
    )
    again = await service.client.post(
        f"{service.base}/documents", json=body, headers=service.keys.headers(service.agency) | {"Idempotency-Key": "k1"}
    )
    assert (first.status_code, again.status_code, again.headers["Idempotency-Replayed"]) == (201, 201, "true")
    assert again.json() == first.json()
    other = await service.call("POST", "/documents", document(new_id()), status=409, **{"Idempotency-Key": "k1"})
    assert other["code"] == "idempotency_key_reused"


async def test_bad_input_is_a_problem_that_names_the_field(service: Service) -> None:
    problem = await service.call("POST", "/documents", document(new_id(), valid_from="2026-13-01"), status=422)
    assert problem["errors"][0]["pointer"] == "#/valid_from"
    problem = await service.call("POST", "/documents", document(new_id(), expires_on="2025-01-01"), status=422)
    assert "before valid_from" in problem["detail"]
    anonymous = await service.client.get(f"{service.base}/holds")
    assert (anonymous.status_code, anonymous.json()["code"]) == (401, "token_missing")
    broken = await service.client.post(
        f"{service.base}/documents",
        content=b'{"worker_id": "\xff"}',
        headers=service.keys.headers(service.agency) | {"Content-Type": "application/json"},
    )
    assert broken.status_code in (400, 422)
    large = await service.client.post(
        f"{service.base}/documents", content=b"x" * 10_000_000, headers=service.keys.headers(service.agency)
    )
    assert (large.status_code, large.json()["code"]) == (413, "body_too_large")


async def test_a_worker_shows_what_blocks_new_hours(service: Service) -> None:
    worker = new_id()
    await service.feed(approved(service.agency, worker))
    assert (await service.call("GET", f"/workers/{worker}"))["entry_blocked_by"] == ["right_to_work"]
    await service.call("POST", "/documents", document(worker, expires_on="2026-04-20"), status=201)
    shown = await service.call("GET", f"/workers/{worker}")
    assert (shown["entry_blocked_by"], len(shown["documents"])) == ([], 1)
    assert len((await service.call("GET", "/expiring?within_days=30"))["items"]) == 1
    assert (await service.call("GET", "/expiring?within_days=5"))["items"] == []


async def test_evidence_opens_as_it_was_uploaded_and_only_pictures_and_pdfs_are_taken(service: Service) -> None:
    body = document(new_id())
    await service.call("POST", "/documents", body, status=201)
    url = f"{service.base}/documents/{body['document_id']}/file"
    headers = service.keys.headers(service.agency)
    assert (await service.client.put(url, files={"file": ("x.exe", b"MZ")}, headers=headers)).status_code == 422
    pdf = b"%PDF-1.7 fictional passport"
    assert (await service.client.put(url, files={"file": ("p.pdf", pdf)}, headers=headers)).status_code == 201
    assert (await service.client.get(url, headers=headers)).content == pdf


async def test_every_stored_file_is_in_the_audit_trail_with_its_hash(service: Service) -> None:
    """So what was seen can be told from what is there, whatever became of the file and of the row that describes it."""
    worker = new_id()
    body = document(worker)
    await service.call("POST", "/documents", body, status=201)
    url = f"{service.base}/documents/{body['document_id']}/file"
    headers = service.keys.headers(service.agency)
    contents = (b"%PDF-1.7 fictional passport", b"%PDF-1.7 fictional passport, renewed")
    for content in contents:
        files = {"file": ("Worker 00017 Testcase.pdf", content)}
        assert (await service.client.put(url, files=files, headers=headers)).status_code == 201
    assert (await service.client.put(url, files={"file": ("x.exe", b"MZ")}, headers=headers)).status_code == 422
    missing = f"{service.base}/documents/{new_id()}/file"
    assert (await service.client.put(missing, files=files, headers=headers)).status_code == 404
    entries = (await service.call("GET", f"/audit?subject_id={worker}"))["items"]
    first, second = (hashlib.sha256(content).hexdigest() for content in contents)
    assert [entry["detail"] for entry in entries if entry["action"] == "document_file_stored"] == [
        {"document_id": body["document_id"], "sha256": first, "replaces_sha256": None},
        {"document_id": body["document_id"], "sha256": second, "replaces_sha256": first},
    ]
    assert "Testcase" not in json.dumps(entries)
    assert (await service.call("GET", "/audit/verify"))["intact"]
    stored = service.runtime.settings.files_dir / "documents" / str(service.agency) / str(body["document_id"])
    stored.write_bytes(contents[0])
    changed = await service.client.get(url, headers=headers)
    assert (changed.status_code, changed.json()["code"]) == (409, "document_file_changed")


def test_models_and_migrations_agree(migrated) -> None:  # type: ignore[no-untyped-def]
    urls = migrated(SPEC)
    assert differences(SPEC.migrations, urls.owner, SPEC.metadata) == []


def test_the_subscription_knows_every_event_of_its_topics() -> None:
    subscription = SPEC.subscription(None)  # type: ignore[arg-type]
    assert subscription is not None
    assert event_class("paybill.timesheet.approved.v1") in subscription.handles
