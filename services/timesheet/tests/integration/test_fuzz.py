"""No request makes the service fail: the doors of its OpenAPI, fuzzed, with ids that exist as often as ones that do not."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.core.result import Ok

from timesheet.app import SPEC

pytestmark = pytest.mark.integration
ANSWERED = {200, 201, 204, 400, 404, 409, 422}
KNOWN = ("client", "site", "consultant", "worker", "payee", "placement")


def operations() -> list[Any]:
    """Every operation of the service's OpenAPI."""
    app = FastAPI()
    for router in SPEC.routers:
        app.include_router(router)
    schema = schemathesis.openapi.from_dict(app.openapi())
    return [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]


OPERATIONS = operations()


@settings(
    max_examples=250,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    database=None,
)
@given(data=st.data())
async def test_no_request_makes_the_service_fail(house: Any, data: st.DataObject) -> None:
    """The doors' own fuzzing knows no record but what it made: here a placement with its rates is there to be met."""
    case = data.draw(data.draw(st.sampled_from(OPERATIONS)).as_strategy())
    case.path_parameters["agency_id"] = str(house.agency_id)
    known = {f"{kind}_id": house.refs[kind] for kind in KNOWN} | {"rate_card_id": house.refs["card"]}
    for name in case.path_parameters:
        if name == "timesheet_id" and data.draw(st.booleans()):
            case.path_parameters[name] = await house.draft()
        elif name in known and data.draw(st.booleans()):
            case.path_parameters[name] = str(known[name])
        elif name == "week_ending":
            case.path_parameters[name] = data.draw(
                st.sampled_from(["2026-04-05", "2026-04-04", "1990-01-07", "2099-12-27"])
            )
    if isinstance(case.body, dict) and "placement_id" in str(case.operation.path) and data.draw(st.booleans()):
        case.body |= {"worker_id": str(house.refs["worker"]), "client_id": str(house.refs["client"])}
    sent = {k: v for k, v in case.as_transport_kwargs(base_url="http://service.test").items() if v and k != "cookies"}
    sent["headers"] = dict(sent.get("headers") or {}) | house.headers
    response = await house.client.request(**sent)
    assert response.status_code in ANSWERED, (case.method, sent, response.text)
