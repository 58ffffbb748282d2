"""The importer knows the doors that it sends to: each is there, and asks for the right that the importer says."""

from __future__ import annotations

from typing import Any

import pytest

from paybill_importer.layouts import SCOPES, Kind, Owner, needs
from paybill_importer.owners import PARTS
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


def test_every_owner_is_asked_somewhere() -> None:
    assert {owner for owner, *_ in DOORS} == set(Owner) == set(SCOPES)


def test_a_file_needs_the_rights_of_its_columns_and_no_others() -> None:
    names = {"reference": "Ref", "forename": "First name", "surname": "Surname"}
    assert needs(Kind.WORKERS, names) == {"write": ["Ref", "First name", "Surname"]}
    assert needs(Kind.WORKERS, {"ni_number": "NINO"}) == {"pay:write": ["NINO"]}
