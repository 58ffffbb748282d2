"""The OpenAPI document as it really is: errors are problem+json, writes take an Idempotency-Key."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from paybill_common.http.problems import MEDIA_TYPE
from paybill_common.http.route import WRITES

_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Made by the caller, once a request. Sent again with the same body it gives the first answer again; "
    "with another body it is refused.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 128},
}


def install(app: FastAPI) -> None:
    """Complete what FastAPI generates, once, on first use."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            complete(generate())
        document: dict[str, Any] = generate()
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def complete(document: dict[str, Any]) -> None:
    """Change a generated document in place."""
    for path, item in document.get("paths", {}).items():
        for method, operation in item.items():
            if not isinstance(operation, dict) or "responses" not in operation:
                continue
            _name_errors(operation["responses"])
            if method.upper() in WRITES and "{agency_id}" in path:
                operation.setdefault("parameters", []).append(_IDEMPOTENCY_KEY)


def _name_errors(responses: dict[str, Any]) -> None:
    """FastAPI files an error's model under the media type of the success: move it to its own."""
    for status, response in responses.items():
        content = response.get("content", {})
        if status.isdigit() and int(status) >= 400 and MEDIA_TYPE in content:
            for other in [media_type for media_type in content if media_type != MEDIA_TYPE]:
                content[MEDIA_TYPE] = content.pop(other) or content[MEDIA_TYPE]
