"""The calculator's door: statutory arithmetic for auditors and other programs. It reads and writes no agency's data."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Body, Response
from pydantic import Field

from pay_calc.domain.calculator import calculate
from paybill_common.auth import Principal
from paybill_common.http.problems import ERROR_RESPONSES
from paybill_common.http.route import require

router = APIRouter(prefix="/v1", responses=ERROR_RESPONSES, tags=["calculator"])

Calculation = dict[str, Any]
Calculations = Annotated[list[Calculation], Field(max_length=1000)]


@router.post("/calculations", response_model=Calculation | list[Calculation])
async def calculations(
    body: Annotated[Calculation | Calculations, Body(description="One calculation, or up to 1,000 of them")],
    principal: Principal = require("read"),
) -> Response:
    """Each answer is `{id, result}` or `{id, error: {code, message, field}}`, in the order asked; a bad one never stops the rest."""
    answer = [calculate(one) for one in body] if isinstance(body, list) else calculate(body)
    # in ASCII, because an id comes back as it went in, and JSON may hold half of a surrogate pair that UTF-8 cannot
    return Response(json.dumps(answer), media_type="application/json")
