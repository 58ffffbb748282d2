"""The importer knows the doors that it sends to: each is there, and asks for the right that the importer says."""

from __future__ import annotations

from typing import Any

import pytest

from paybill_importer.layouts import SCOPES, Kind, Owner, needs
from paybill_importer.owners import FIELDS, PARTS
from tests.doors.test_openapi import documents

__all__ = ["documents"]  # the fixture
AGENCY = "/v1/agencies/{agency_id}"
DOORS = {
    *((part.owner, part.service.replace("-", "_"), f"{AGENCY}/{part.path}", "post") for parts in PARTS.values() for part in parts),
    (Owner.TIMESHEET, "timesheet", f"{AGENCY}/imports/{{kind}}", "post"),
    (Owner.TIMESHEET, "timesheet", f"{AGENCY}/payees/{{payee_id}}", "put"),
    (Owner.RATE_CARD, "timesheet", f"{AGENCY}/imports/{{kind}}", "post"),
}  # fmt: skip


@pytest.mark.parametrize(("owner", "service", "path", "method"), sorted(DOORS))
def test_each_door_asks_for_the_right_that_the_importer_names(
    owner: Owner, service: str, path: str, method: str, documents: dict[str, dict[str, Any]]
) -> None:
    security = documents[service]["paths"][path][method]["security"]
    assert [scope for way in security for listed in way.values() for scope in listed] == [SCOPES[owner]]


def fields_of(schema: dict[str, Any], models: dict[str, Any], within: frozenset[str] = frozenset()) -> set[str]:
    """Every field of a body, those within others by their path without positions: `pension/basis`."""
    found: set[str] = set()
    for name, inner in schema.get("properties", {}).items():
        found |= {name, *(f"{name}/{field}" for field in fields_of(inner, models, within))}
    inside = [*([schema["items"]] if "items" in schema else []), *schema.get("anyOf", []), *schema.get("oneOf", [])]
    model = schema.get("$ref", "").rpartition("/")[2]
    for one in inside:
        found |= fields_of(one, models, within)
    return found | (fields_of(models[model], models, within | {model}) if model and model not in within else set())


def test_every_field_that_stands_for_a_column_is_one_of_an_owners_record(documents: dict[str, dict[str, Any]]) -> None:
    known: set[str] = set()
    for part in {part for parts in PARTS.values() for part in parts}:
        document = documents[part.service.replace("-", "_")]
        models = document["components"]["schemas"]
        body = document["paths"][f"{AGENCY}/{part.path}"]["post"]["requestBody"]["content"]["application/json"][
            "schema"
        ]
        listed = {field.removeprefix(f"{part.field}/") for field in fields_of(body, models)}
        # invoicing checks its items one by one and lists none of their fields there: they are those of its other bodies
        known |= listed if len(listed) > 1 else set().union(*(fields_of(model, models) for model in models.values()))
    assert set(FIELDS) <= known, sorted(set(FIELDS) - known)


def test_every_owner_is_asked_somewhere() -> None:
    assert {owner for owner, *_ in DOORS} == set(Owner) == set(SCOPES)


def test_a_file_needs_the_rights_of_its_columns_and_no_others() -> None:
    names = {"reference": "Ref", "forename": "First name", "surname": "Surname"}
    assert needs(Kind.WORKERS, names) == {"write": ["Ref", "First name", "Surname"]}
    assert needs(Kind.WORKERS, {"ni_number": "NINO"}) == {"pay:write": ["NINO"]}
