"""Schemathesis over one service: what its own document says may be sent, what it says may not, and hostile values in good requests.

Ids are folded onto two, so that what one request makes the next one finds; the agency is nearly always the caller's own.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.openapi.checks import (
    JsonSchemaError,
    MalformedMediaType,
    MissingContentType,
    UndefinedContentType,
    UndefinedStatusCode,
)
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from paybill_common.ids import derived_id

AGENCY = derived_id("door", "agency")
STRANGER = derived_id("door", "stranger")
POOL = (derived_id("door", 1), derived_id("door", 2))
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
HOSTILE: tuple[Any, ...] = (
    "\x00",
    "\ud800",
    "a" * 70_000,
    "=cmd|' /C calc'!A0",
    "'; DROP TABLE outbox; --",
    "0001-01-01",
    "9999-12-31",
    "9999-12-31T23:59:59-14:00",
    "NaN",
    "Infinity",
    "1e999999",
    "-0.000000000000000000000000000001",
    "9" * 40,
    -1,
    0,
    2**31,
    2**63,
    10**40,
    1e308,
    True,
    None,
    [],
    {},
    [[]] * 50,
    "",
    " ",
    "\u202e\u0000\u200b",
    "𝕫" * 200,
)
HOSTILE_TEXT = tuple(value for value in HOSTILE if isinstance(value, str) and "\ud800" not in value)
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
KINDS = (JsonSchemaError, MalformedMediaType, MissingContentType, UndefinedContentType, UndefinedStatusCode)


@dataclass
class Findings:
    """What a service did wrong, by operation, and how many answers of each status it gave."""

    wrong: dict[str, str] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)
    written: set[str] = field(default_factory=set)

    def report(self, operation: str, kind: str, detail: str) -> None:
        self.wrong.setdefault(f"{operation}: {kind}", detail[:1500])


def fuzz(document: dict[str, Any], base_url: str, headers: dict[str, str], *, examples: int) -> Findings:
    """Send `examples` valid requests, as many with one hostile value, and half as many invalid ones to every operation.

    The same document gives the same requests.
    """
    findings = Findings()
    schema = schemathesis.openapi.from_dict(document)
    session = requests.Session()
    session.headers.update(headers)
    found = [result.ok() for result in schema.get_all_operations()]
    # What stores comes first, so that what reads finds something.
    for operation in sorted(found, key=lambda o: ("PUT", "POST", "PATCH", "GET", "DELETE").index(o.method.upper())):
        _fuzz_operation(operation, session, base_url, findings, examples)
    session.close()
    return findings


def _fuzz_operation(
    operation: Any, session: requests.Session, base_url: str, findings: Findings, examples: int
) -> None:
    def send(case: Case) -> None:
        name = f"{operation.method.upper()} {operation.path}"
        try:
            response = case.call(base_url=base_url, session=session, timeout=20)
        except (requests.exceptions.InvalidHeader, UnicodeError):
            return  # the client refuses to send it
        except requests.exceptions.RequestException as error:
            findings.report(name, "no answer", f"{error!r} to {_curl(case)}")
            return
        findings.statuses[response.status_code] += 1
        if response.status_code < 300 and operation.method.upper() in WRITES:
            findings.written.add(name)
        if response.status_code >= 400:
            _check_problem(name, response, findings)
        try:
            case.validate_response(response, checks=list(CHECKS))
        except FailureGroup as group:
            for failure in group.exceptions:
                assert isinstance(failure, Failure)
                findings.report(
                    name,
                    f"{response.status_code} {failure.title}",
                    f"{failure.message}\n{response.text[:500]}\n{_curl(case)}",
                )

    def run(strategy: st.SearchStrategy[Any], test: Any, most: int) -> None:
        limits = settings(
            max_examples=most,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        limits(given(strategy)(test))()

    def good_then_hostile(drawn: tuple[Case, int, int]) -> None:
        case, where, what = drawn
        send(_familiar(case))
        send(_poisoned(case, where, what))

    def bad(case: Case) -> None:
        send(_familiar(case))

    anywhere = st.integers(0, 10_000)
    positive = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    run(st.tuples(positive, anywhere, anywhere), good_then_hostile, examples)
    if _may_be_wrong(operation):
        run(operation.as_strategy(generation_mode=GenerationMode.NEGATIVE), bad, (examples + 1) // 2)


def _may_be_wrong(operation: Any) -> bool:
    """Whether there is anything in the request that a schema rules."""
    return bool(operation.body or operation.query or operation.path_parameters)


def _check_problem(name: str, response: Any, findings: Findings) -> None:
    try:
        body = response.json()
    except ValueError:
        body = None
    told = isinstance(body, dict) and {"type", "title", "status", "code", "detail", "instance"} <= body.keys()
    if not told or response.headers.get("content-type", [""])[0] != "application/problem+json":
        findings.report(
            name,
            f"{response.status_code} is no problem",
            f"{response.headers.get('content-type')} {response.text[:300]}",
        )


def _familiar(case: Case) -> Case:
    """The same case with our own agency and ids of the pool in it."""
    for name, value in list((case.path_parameters or {}).items()):
        if name == "agency_id":
            case.path_parameters[name] = str(AGENCY)
        else:
            case.path_parameters[name] = _fold(value)
    for name, value in list((case.query or {}).items()):
        case.query[name] = _fold(value)
    if isinstance(case.body, (dict, list)):
        case.body = _fold(case.body)
    if case.headers is not None:
        case.headers.pop("Idempotency-Key", None)
        case.headers.pop("Authorization", None)
    return case


def _fold(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _fold(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_fold(inner) for inner in value]
    if isinstance(value, str) and len(value) == 36:
        try:
            return str(POOL[UUID(value).int % len(POOL)])
        except ValueError:
            return value
    return value


def _poisoned(case: Case, where: int, what: int) -> Case:
    """The same case with one hostile value in one place of it."""
    places: list[tuple[Any, Any]] = list(_leaves(case.body)) if isinstance(case.body, (dict, list)) else []
    texts = [(case.query, name) for name in (case.query or {})]
    texts += [(case.path_parameters, name) for name in (case.path_parameters or {})]
    every = places + texts
    if not every:
        return case
    container, name = every[where % len(every)]
    if where % len(every) < len(places):
        container[name] = HOSTILE[what % len(HOSTILE)]
    else:
        text = HOSTILE_TEXT[what % len(HOSTILE_TEXT)]
        container[name] = text[:2_000] if container is case.query else text[:2_000].replace("/", "") or "-"
    return case


def _leaves(node: Any) -> Iterator[tuple[Any, Any]]:
    keys = list(node) if isinstance(node, dict) else list(range(len(node)))
    for key in keys:
        yield node, key
        if isinstance(node[key], (dict, list)):
            yield from _leaves(node[key])


def _curl(case: Case) -> str:
    try:
        body = json.dumps(case.body)[:600] if isinstance(case.body, (dict, list, str)) else repr(case.body)[:200]
    except (TypeError, ValueError):
        body = repr(case.body)[:600]
    return f"{case.method} {case.path} path={case.path_parameters} query={dict(case.query or {})} body={body}"
