"""No request makes the service fail: every endpoint of its OpenAPI, fuzzed."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.core.result import Ok

from invoicing.app import SPEC

from .conftest import Service, World, terms  # type: ignore[import-not-found]

pytestmark = pytest.mark.integration


def operations() -> list[Any]:
    app = FastAPI()
    for router in SPEC.routers:
        app.include_router(router)
    schema = schemathesis.openapi.from_dict(app.openapi())
    return [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]


@pytest.mark.parametrize("operation", operations(), ids=lambda operation: operation.label)
@settings(
    max_examples=15,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    database=None,
)
@given(data=st.data())
async def test_no_request_makes_the_service_fail(service: Service, operation: Any, data: st.DataObject) -> None:
    world = World()
    await service.call("PUT", world, f"client-terms/{world.id('client', 1)}", json=terms())
    case = data.draw(operation.as_strategy())
    case.path_parameters["agency_id"] = str(world.agency)
    if "client_id" in case.path_parameters and data.draw(st.booleans()):
        case.path_parameters["client_id"] = str(world.id("client", 1))
    sent = {k: v for k, v in case.as_transport_kwargs(base_url="http://service.test").items() if v and k != "cookies"}
    sent["headers"] = dict(sent.get("headers") or {}) | service.keys.headers(world.agency)
    response = await service.client.request(**sent)
    assert response.status_code < 500, (case.method, sent, response.text)
