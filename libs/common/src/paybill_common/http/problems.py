"""Errors as RFC 9457 problem+json: a stable `code`, what is wrong, where, and what to do."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException as StarletteHTTPException

from paybill_common.db import is_transient

log = structlog.get_logger()
MEDIA_TYPE = "application/problem+json"
TOO_LARGE_HINT = "Send large imports in several files or batches; the command paybill import does it for you."
_HTTP_CODES = {400: "bad_request", 404: "no_such_path", 405: "method_not_allowed", 413: "body_too_large"}


class FieldError(BaseModel):
    """One wrong field: a JSON pointer into the request, and what is wrong with it."""

    pointer: str = Field(examples=["#/lines/0/minutes"])
    detail: str
    code: str


class ProblemBody(BaseModel):
    """The body of every error."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    instance: str
    errors: list[FieldError] = []
    hint: str | None = None


class Problem(Exception):
    """An anticipated refusal. `code` is stable and machine-readable; `hint` says what to do."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        pointer: str | None = None,
        errors: list[FieldError] | None = None,
        hint: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.hint = hint
        self.headers = headers
        self.errors = errors or ([FieldError(pointer=pointer, detail=detail, code=code)] if pointer else [])


def not_found(what: str, record_id: object) -> Problem:
    return Problem(404, f"{what}_not_found", f"There is no {what.replace('_', ' ')} {record_id} in this agency.")


def conflict(code: str, detail: str, *, hint: str | None = None) -> Problem:
    return Problem(409, code, detail, hint=hint)


def invalid(code: str, detail: str, *, pointer: str | None = None, hint: str | None = None) -> Problem:
    return Problem(422, code, detail, pointer=pointer, hint=hint)


def problem_response(problem: Problem, *, instance: str | None = None) -> JSONResponse:
    """The JSON answer of a problem."""
    body = ProblemBody(
        type=f"https://paybill.example/problems/{problem.code}",
        title=problem.code.replace("_", " ").capitalize(),
        status=problem.status,
        code=problem.code,
        detail=problem.detail,
        instance=instance or f"urn:uuid:{uuid4()}",
        errors=problem.errors,
        hint=problem.hint,
    )
    return JSONResponse(
        body.model_dump(exclude_none=True), status_code=problem.status, media_type=MEDIA_TYPE, headers=problem.headers
    )


ERROR_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": ProblemBody, "description": text, "content": {MEDIA_TYPE: {}}}
    for status, text in {
        400: "The request cannot be read.",
        401: "No token, or one that is not valid.",
        403: "The token lacks the scope or the agency.",
        404: "No such record in this agency.",
        409: "The record is in another state, or the key was used with another body.",
        413: "The body is larger than allowed.",
        422: "A field is wrong; each is named.",
        503: "The database or the bus is away; try again.",
    }.items()
}


def from_exception(error: Exception) -> Problem | None:
    """The problem that an exception stands for, or None when it is not anticipated."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, RequestValidationError):
        return _validation(error)
    if isinstance(error, StarletteHTTPException):
        return Problem(
            error.status_code,
            _HTTP_CODES.get(error.status_code, "refused"),
            str(error.detail),
            hint=TOO_LARGE_HINT if error.status_code == 413 else None,
            headers=dict(error.headers) if error.headers else None,
        )
    if isinstance(error, IntegrityError):
        name = getattr(getattr(error.orig, "__cause__", None), "constraint_name", None) or "a constraint"
        return Problem(409, "conflicts_with_stored_data", f"The record breaks {name} of what is already stored.")
    if isinstance(error, DataError) or (isinstance(error, DBAPIError) and _sqlstate(error).startswith("22")):
        return Problem(
            422, "value_cannot_be_stored", "A value cannot be stored: it is out of range or has forbidden characters."
        )
    if is_transient(error) or isinstance(error, PoolTimeout):
        return Problem(
            503,
            "temporarily_unavailable",
            "The database is away or busy; nothing was changed.",
            hint="Send the same request again with the same Idempotency-Key.",
            headers={"Retry-After": "2"},
        )
    return None


def answer(request: Request, error: Exception) -> JSONResponse:
    """The answer to an error; one that nobody anticipated is logged under the id that the caller gets."""
    problem = from_exception(error)
    if problem is not None:
        return problem_response(problem)
    instance = f"urn:uuid:{uuid4()}"
    log.error(
        "http.failed",
        route=route_of(request),
        agency_id=request.path_params.get("agency_id"),
        method=request.method,
        instance=instance,
        exc_info=error,
    )
    problem = Problem(500, "internal_error", "Something went wrong on our side; it was logged under this id.")
    return problem_response(problem, instance=instance)


def route_of(request: Request) -> str:
    """The path as the router knows it, with names instead of ids and signed tokens; fit for logs, spans and metrics."""
    path = request.url.path
    for name, value in request.path_params.items():
        path = path.replace(f"/{value}", f"/{{{name}}}", 1) if str(value) else path
    return path if request.scope.get("endpoint") is not None else "unmatched"


def install(app: FastAPI) -> None:
    """Answer every error of this app as a problem."""

    async def handle(request: Request, error: Exception) -> JSONResponse:
        return answer(request, error)

    for kind in (Problem, RequestValidationError, StarletteHTTPException, DBAPIError, PoolTimeout, OSError, Exception):
        app.add_exception_handler(kind, handle)


def _sqlstate(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", "") or "")


def _validation(error: RequestValidationError) -> Problem:
    errors = []
    for item in error.errors()[:50]:
        where = [str(part) for part in item["loc"]]
        source, path = (where[0], where[1:]) if where else ("body", [])
        pointer = ("#/" if source == "body" else f"{source}:/") + "/".join(
            part.replace("~", "~0").replace("/", "~1") for part in path
        )
        errors.append(FieldError(pointer=_plain(pointer), detail=_plain(str(item["msg"])), code=str(item["type"])))
    first = errors[0] if errors else None
    detail = f"{first.pointer}: {first.detail}" if first else "The request does not fit."
    return Problem(422, "invalid_request", detail, errors=errors)


def _plain(text: str) -> str:
    """Text that UTF-8 can carry: a key of the caller's JSON may hold half a surrogate pair."""
    return text.encode("utf-8", "replace").decode("utf-8")
