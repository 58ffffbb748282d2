"""What a service says of itself: OpenAPI 3.1, every error named, every code a word that programs can rely on."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

import paybill_common
from paybill_common.auth import SCOPES
from paybill_common.config import Settings
from paybill_common.http.problems import MEDIA_TYPE
from paybill_common.service import build_app, build_runtime
from tests.doors.doors import SERVICES, operations, spec_of

NOWHERE = "postgresql+asyncpg://nobody:nothing@127.0.0.1:1/none"
SLUG = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
CODE_AT = {"Problem": 1, "conflict": 0, "invalid": 0, "not_found": 0}
PUBLIC = {"POST /oauth/token", "GET /.well-known/jwks.json"}
"""Operations that no token opens."""


@pytest.fixture(scope="session")
def documents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Each service's document. No database is touched."""
    folder = tmp_path_factory.mktemp("documents")
    found = {}
    for service in SERVICES:
        settings = Settings(
            database_api_url=NOWHERE, database_worker_url=NOWHERE, kafka_bootstrap="127.0.0.1:1", files_dir=folder
        )
        found[service] = build_app(build_runtime(spec_of(service), settings)).openapi()
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_the_document_is_openapi_3_1_and_every_reference_in_it_resolves(
    service: str, documents: dict[str, dict[str, Any]]
) -> None:
    document = documents[service]
    assert document["openapi"].startswith("3.1.")
    assert document["info"]["title"].startswith("Paybill")
    assert document["info"]["description"]
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []
    schemas = document["components"]["schemas"]
    for reference in _references(document):
        assert reference.removeprefix("#/components/schemas/") in schemas, reference
    ids = [operation.raw["operationId"] for operation in operations(document)]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("service", SERVICES)
def test_every_operation_is_described_and_names_its_errors(service: str, documents: dict[str, dict[str, Any]]) -> None:
    lacking = []
    for operation in operations(documents[service]):
        raw = operation.raw
        lacking += [f"{operation.name}: no {part}" for part in ("tags", "summary", "description") if not raw.get(part)]
        errors = {
            status: answer for status, answer in raw["responses"].items() if not status.startswith(("1", "2", "3"))
        }
        wanted = {"400", "422", "503"} | (set() if operation.name in PUBLIC else {"401", "403"})
        wanted |= {"404", "409"} if operation.of_an_agency else set()
        lacking += [f"{operation.name}: {status} is not documented" for status in sorted(wanted - errors.keys())]
        for status, answer in errors.items():
            schema = answer.get("content", {}).get(MEDIA_TYPE, {}).get("schema", {})
            if schema.get("$ref") != "#/components/schemas/ProblemBody" or len(answer["content"]) != 1:
                lacking.append(f"{operation.name}: {status} is not a problem: {answer}")
    assert lacking == []


@pytest.mark.parametrize("service", SERVICES)
def test_every_operation_names_the_scope_it_needs_and_every_write_its_idempotency_key(
    service: str, documents: dict[str, dict[str, Any]]
) -> None:
    document = documents[service]
    scheme = document["components"]["securitySchemes"]["token"]["flows"]["clientCredentials"]
    assert scheme["scopes"] == dict(SCOPES)
    for operation in operations(document):
        if not operation.path.startswith("/v1/"):
            assert operation.name in PUBLIC, f"{operation.name} is neither under /v1 nor known to be public"
            continue
        asked = [scope for need in operation.raw.get("security", []) for scope in need.get("token", [])]
        assert asked, f"{operation.name} documents no scope"
        assert set(asked) <= set(SCOPES), operation.name
        if operation.of_an_agency and operation.method != "get":
            names = {parameter["name"] for parameter in operation.raw["parameters"]}
            assert "Idempotency-Key" in names, operation.name


@pytest.mark.parametrize("package", [*SERVICES, "paybill_common"])
def test_every_error_code_is_a_word_that_stays(package: str) -> None:
    module = paybill_common if package == "paybill_common" else importlib.import_module(package)
    folder = Path(next(iter(module.__path__)))
    wrong = [
        f"{path.relative_to(folder)}:{line}: {code!r}"
        for path in sorted(folder.rglob("*.py"))
        for line, code in codes_in(path.read_text(encoding="utf-8"))
        if not SLUG.fullmatch(code)
    ]
    assert wrong == []


def test_the_search_for_codes_sees_each_way_of_raising_one() -> None:
    source = (
        'raise Problem(409, "Bad Code", "x")\n'
        'raise conflict("two words", "x")\n'
        'raise problems.invalid(f"{kind}-unknown", "x")\n'
        'class Closed(Refusal):\n    code = "run-closed"\n'
        'Refusal(code="Nope")\n'
        'raise not_found("pay run", 1)\n'
    )
    assert [code for _, code in codes_in(source)] == [
        "Bad Code",
        "two words",
        "x-unknown",
        "run-closed",
        "Nope",
        "pay run",
    ]


def codes_in(source: str) -> Iterator[tuple[int, str]]:
    """Every error code in a source file, with its line. What a pattern fills in counts as `x`."""
    for node in ast.walk(ast.parse(source)):
        found: ast.expr | None = None
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            at = CODE_AT.get(name)
            if at is not None and len(node.args) > at:
                found = node.args[at]
            elif name.endswith(("Refusal", "Refused", "Error")):
                found = next((keyword.value for keyword in node.keywords if keyword.arg == "code"), None)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(getattr(target, "id", "") == "code" for target in targets):
                found = node.value
        if isinstance(found, ast.Constant) and isinstance(found.value, str):
            yield found.lineno, found.value
        elif isinstance(found, ast.JoinedStr):
            parts = [str(part.value) if isinstance(part, ast.Constant) else "x" for part in found.values]
            yield found.lineno, "".join(parts)


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "$ref" and isinstance(value, str):
                yield value
            else:
                yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)
