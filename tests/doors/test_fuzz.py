"""Every operation of every service, fuzzed from its own OpenAPI document: no 5xx, answers as documented, nothing seen by a stranger."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from paybill_common.http import openapi, problems
from tests.doors.conftest import Fuzzed
from tests.doors.doors import SERVICES, operations, served
from tests.doors.fuzzing import AGENCY, POOL, STRANGER, fuzz

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("service", SERVICES)
def test_no_request_breaks_a_service(service: str, fuzzed: Callable[[str], Fuzzed]) -> None:
    found = fuzzed(service).findings
    assert not found.wrong, "\n\n".join(f"{where}\n{what}" for where, what in sorted(found.wrong.items()))
    assert found.statuses.total() > 6 * len(operations(fuzzed(service).document))


@pytest.mark.parametrize("service", SERVICES)
def test_a_stranger_sees_nothing_of_what_the_fuzzed_agency_stored(
    service: str, fuzzed: Callable[[str], Fuzzed]
) -> None:
    run = fuzzed(service)
    leaks = []
    with httpx.Client(base_url=run.base_url, headers=run.stranger, timeout=20) as client:
        for operation in operations(run.document):
            if operation.method != "get" or not operation.of_an_agency:
                continue
            for known in POOL:
                response = client.get(
                    operation.url({"agency_id": str(STRANGER)}, other=known), params=operation.query(known)
                )
                assert response.status_code < 500, (operation.name, response.text)
                if response.status_code < 400 and str(AGENCY) in response.text:
                    leaks.append(f"{operation.name}: {response.text[:300]}")
                if response.headers.get("content-type", "").startswith("application/json") and response.is_success:
                    body = response.json()
                    listed = body if isinstance(body, list) else body.get("items", [])
                    if listed:
                        leaks.append(f"{operation.name} lists {response.text[:300]}")
    assert leaks == []


class Amount(BaseModel):
    pence: int


def test_the_fuzzing_finds_what_it_looks_for() -> None:
    app = FastAPI(responses=problems.ERROR_RESPONSES)
    problems.install(app)
    openapi.install(app)

    @app.put("/overflow")
    async def overflow(amount: Amount) -> int:
        return len((amount.pence % 2**64).to_bytes(4, "big"))

    @app.get("/undocumented")
    async def undocumented() -> JSONResponse:
        return JSONResponse({}, status_code=418)

    @app.get("/other-shape", response_model=Amount)
    async def other_shape() -> JSONResponse:
        return JSONResponse({"pence": "many"})

    @app.get("/no-problem")
    async def no_problem() -> JSONResponse:
        return JSONResponse({"error": "no"}, status_code=404)

    @app.put("/sound")
    async def sound(amount: Amount) -> Amount:
        return Amount(pence=abs(amount.pence))

    document = app.openapi()
    with served(app) as base_url:
        found = fuzz(document, base_url, {}, examples=5)
    assert {where.split(":")[0] for where in found.wrong} == {
        "PUT /overflow",
        "GET /undocumented",
        "GET /other-shape",
        "GET /no-problem",
    }
    assert "PUT /overflow: 500 Server error" in found.wrong
