"""Every list is paged by cursor, and every record carries the id that it has elsewhere; each exception has a reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.doors.doors import SERVICES, TENANT, Operation, operations
from tests.doors.test_openapi import documents

__all__ = ["documents"]  # the fixture

A = TENANT
COMMAND = "a command about a record that exists; it makes none"
SETTING = "a setting, one for the agency or for the record in its path, which names it"
BATCH = "each of its items is a record, and carries its own"
WHAT_IF = "a question; nothing is stored"
NOT_PAGED: Mapping[str, str] = {
    **{f"{service} GET /v1/ops/dead-letters": "for operators: by the id of the last one seen" for service in SERVICES},
    "pay_calc GET /v1/ops/replays": "for operators: the newest outcome, and the worst of it",
    "invoicing GET /v1/agencies/{agency_id}/self-bills/pending": "what waits now, computed whole; it empties itself",
    "reporting GET /v1/agencies/{agency_id}/weeks/{week_ending}/margin": "a report of one week: a sum of all its rows",
    "reporting GET /v1/agencies/{agency_id}/charge-lines": "the lines of at most so many timesheets, which the caller names",
}
WITHOUT_EXTERNAL_ID: Mapping[str, str] = {
    f"timesheet POST {A}/imports/{{kind}}": "a file's rows name their records; the file has import_id",
    f"reporting PUT {A}/imports/{{import_id}}": "how far a file is; import_id is its sender's own",
    f"timesheet POST {A}/timesheets/submit-batch": COMMAND,
    f"timesheet POST {A}/timesheets/approve-batch": COMMAND,
    f"timesheet POST {A}/timesheets/{{timesheet_id}}/submit": COMMAND,
    f"timesheet POST {A}/timesheets/{{timesheet_id}}/approve": COMMAND,
    f"timesheet POST {A}/timesheets/{{timesheet_id}}/reject": COMMAND,
    f"timesheet POST {A}/timesheets/{{timesheet_id}}/amend": COMMAND,
    f"timesheet POST {A}/weeks/{{week_ending}}/approval-requests": COMMAND,
    f"timesheet POST {A}/weeks/{{week_ending}}/chase": COMMAND,
    f"timesheet POST {A}/workers/{{worker_id}}/page-links": COMMAND,
    f"pay_calc POST {A}/pay-profiles/batch": BATCH,
    f"pay_calc POST {A}/payees/batch": BATCH,
    f"pay_calc PUT {A}/employer": SETTING,
    f"pay_calc PUT {A}/employer-years/{{tax_year}}": SETTING,
    f"pay_calc PUT {A}/pension-records/{{worker_id}}": SETTING,
    f"pay_calc PUT {A}/employer/connected": SETTING,
    f"pay_calc PUT {A}/working-weeks/{{worker_id}}/{{from_on}}": "one working week of a worker, listed with the worker's others",
    f"pay_calc PUT {A}/nil-weeks/{{worker_id}}/{{week_ending}}": "one week of a worker, listed with the worker's others",
    f"pay_calc PUT {A}/holiday-entries/{{entry_id}}": "one entry of a ledger, under the caller's own id",
    f"pay_calc PUT {A}/pay-calendar": SETTING,
    f"pay_calc PUT {A}/attachment-orders/{{order_id}}/amounts/{{week_ending}}": SETTING,
    f"pay_calc POST {A}/pay-runs/what-if": WHAT_IF,
    f"pay_calc POST {A}/pay-runs/{{pay_run_id}}/what-if": WHAT_IF,
    f"pay_calc POST {A}/payslips/{{payslip_id}}/what-if": WHAT_IF,
    f"invoicing POST {A}/client-terms/batch": BATCH,
    f"invoicing POST {A}/suppliers/batch": BATCH,
    f"compliance PUT {A}/clients/{{client_id}}/requirements/{{code}}": SETTING,
    f"compliance POST {A}/documents/batch": BATCH,
    f"compliance PUT {A}/documents/{{document_id}}/file": "a picture of a document that has one",
    f"compliance POST {A}/umbrellas/batch": BATCH,
    f"compliance POST {A}/holds/{{timesheet_id}}/release": COMMAND,
}
LISTED_AT: Mapping[str, str] = {
    f"timesheet PUT {A}/rate-cards/{{rate_card_id}}/versions": f"{A}/rate-cards",
    f"timesheet PUT {A}/timesheets/{{timesheet_id}}/entries": f"{A}/timesheets",
    f"pay_calc POST {A}/pay-runs/{{pay_run_id}}/payment-file": f"{A}/payment-files",
    f"invoicing POST {A}/invoices/{{document_id}}/credit": f"{A}/credit-notes",
}
"""Where the records of an operation are listed, when that is not its own path without the id."""
NOT_LISTED: Mapping[str, str] = {
    f"timesheet PUT {A}": "the agency itself; the token names the agencies",
    f"timesheet POST {A}/timesheets/{{timesheet_id}}/expenses": "part of its timesheet, which lists it",
    f"invoicing PUT {A}/issuer": "one for the agency",
}
PAGING = {"cursor", "limit", "offset", "after", "after_id"}


def _resolved(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    """A schema without its reference, and without the null beside it."""
    while "$ref" in schema or "anyOf" in schema:
        if "anyOf" in schema:
            schema = next(one for one in schema["anyOf"] if one.get("type") != "null")
        else:
            schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def _answer(operation: Operation, document: Mapping[str, Any]) -> Mapping[str, Any]:
    answer = next((one for status, one in operation.raw["responses"].items() if status.startswith("2")), {})
    return _resolved(answer.get("content", {}).get("application/json", {}).get("schema", {}), document)


def _query(operation: Operation) -> set[str]:
    return {one["name"] for one in operation.raw.get("parameters", ()) if one["in"] == "query"}


def _lists(document: Mapping[str, Any]) -> Iterator[tuple[Operation, bool]]:
    """Every operation that answers a list, and whether it pages as all do."""
    for operation in operations(document):
        answer = _answer(operation, document)
        fields = answer.get("properties", {})
        if operation.method != "get":
            continue
        if answer.get("type") == "array" or "items" in fields or PAGING & _query(operation):
            a_page = {"items", "next_cursor"} <= fields.keys() and {"cursor", "limit"} <= _query(operation)
            yield operation, a_page and not {"offset", "after", "after_id"} & _query(operation)


def _bodies(document: Mapping[str, Any]) -> Iterator[tuple[Operation, Mapping[str, Any]]]:
    """Every write of an agency that takes a body, and the body's fields."""
    for operation in operations(document):
        content = operation.raw.get("requestBody", {}).get("content", {})
        if operation.of_an_agency and operation.method in ("put", "post", "patch") and content:
            schema = _resolved(next(iter(content.values()))["schema"], document)
            yield operation, schema


@pytest.mark.parametrize("service", SERVICES)
def test_every_list_is_a_page_by_cursor(service: str, documents: dict[str, dict[str, Any]]) -> None:
    found = {f"{service} {one.name}": paged for one, paged in _lists(documents[service])}
    assert len(found) > 1
    excepted = {name for name in NOT_PAGED if name.startswith(f"{service} ")}
    assert {name for name, paged in found.items() if not paged} == excepted


@pytest.mark.parametrize("service", SERVICES)
def test_every_record_takes_an_external_id(service: str, documents: dict[str, dict[str, Any]]) -> None:
    lacking = set()
    for operation, schema in _bodies(documents[service]):
        if "external_id" not in schema.get("properties", {}):
            lacking.add(f"{service} {operation.name}")
        else:
            assert "external_id" not in schema.get("required", ()), f"{operation.name} insists on an external_id"
    assert lacking == {name for name in WITHOUT_EXTERNAL_ID if name.startswith(f"{service} ")}


@pytest.mark.parametrize("service", SERVICES)
def test_every_records_list_shows_its_external_id_and_filters_by_it(
    service: str, documents: dict[str, dict[str, Any]]
) -> None:
    document = documents[service]
    lists = {operation.path: operation for operation, _ in _lists(document)}
    not_listed, used = set(), set()
    for operation, schema in _bodies(document):
        if "external_id" not in schema.get("properties", {}):
            continue
        name = f"{service} {operation.name}"
        parent, _, last = operation.path.rpartition("/")
        own = parent if last.startswith("{") else operation.path
        listed = lists.get(LISTED_AT.get(name, own))
        if name in LISTED_AT:
            used.add(name)
        if listed is None:
            not_listed.add(name)
            continue
        assert "external_id" in _query(listed), f"{listed.name} does not filter by external_id"
        item = _resolved(_answer(listed, document)["properties"]["items"]["items"], document)
        assert "external_id" in item["properties"], f"{listed.name} does not show the external_id"
    assert not_listed == {name for name in NOT_LISTED if name.startswith(f"{service} ")}
    assert used == {name for name in LISTED_AT if name.startswith(f"{service} ")}


def test_a_list_that_pages_otherwise_and_a_record_without_an_id_are_seen() -> None:
    array = {"200": {"content": {"application/json": {"schema": {"type": "array", "items": {}}}}}}
    offset = {
        "responses": {"200": {"content": {"application/json": {"schema": {"properties": {"items": {}, "total": {}}}}}}},
        "parameters": [{"in": "query", "name": "offset"}],
    }
    body = {"content": {"application/json": {"schema": {"properties": {"name": {}}}}}}
    paths = {
        "/v1/a": {"get": {"responses": array}},
        "/v1/b": {"get": offset},
        f"{A}/things/{{id}}": {"put": {"responses": {}, "requestBody": body}},
    }
    document = {"paths": paths, "components": {"schemas": {}}}
    assert [(one.path, paged) for one, paged in _lists(document)] == [("/v1/a", False), ("/v1/b", False)]
    assert ["external_id" in schema["properties"] for _, schema in _bodies(document)] == [False]
