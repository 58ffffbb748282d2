"""The five services as the door tests see them: a real app on a loopback port, real Postgres, and its OpenAPI document."""

from __future__ import annotations

import importlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import uvicorn

from paybill_common.service import ServiceSpec

SERVICES = ("timesheet", "pay_calc", "invoicing", "compliance", "reporting")
METHODS = ("get", "put", "post", "patch", "delete")
TENANT = "/v1/agencies/{agency_id}"


def spec_of(service: str) -> ServiceSpec:
    """The real wiring of a service, by its import name."""
    spec: ServiceSpec = importlib.import_module(f"{service}.app").SPEC
    return spec


@dataclass(frozen=True)
class Operation:
    """One operation of an OpenAPI document."""

    method: str
    path: str
    raw: dict[str, Any]

    @property
    def name(self) -> str:
        return f"{self.method.upper()} {self.path}"

    @property
    def of_an_agency(self) -> bool:
        return self.path.startswith(TENANT)

    def url(self, values: dict[str, str], *, other: UUID) -> str:
        """The path with these values; every other parameter gets a value that its schema admits, or an id."""
        url = self.path
        for parameter in self.raw.get("parameters", []):
            if parameter["in"] == "path":
                name = parameter["name"]
                value = values.get(name) or _sample(parameter["schema"], other)
                url = url.replace("{" + name + "}", value)
        return url

    def query(self, other: UUID) -> dict[str, str]:
        """The query parameters that must be there."""
        return {
            parameter["name"]: _sample(parameter["schema"], other)
            for parameter in self.raw.get("parameters", [])
            if parameter["in"] == "query" and parameter.get("required")
        }


def operations(document: dict[str, Any]) -> list[Operation]:
    """Every operation of a document, in its order."""
    return [
        Operation(method, path, raw)
        for path, item in document["paths"].items()
        for method, raw in item.items()
        if method in METHODS
    ]


def _sample(schema: dict[str, Any], other: UUID) -> str:
    if "enum" in schema:
        return str(schema["enum"][0])
    if "const" in schema:
        return str(schema["const"])
    kind, shape = schema.get("type"), schema.get("format")
    if shape == "uuid":
        return str(other)
    if shape == "date":
        return "2026-04-05"
    if kind == "integer":
        return str(max(1, int(schema.get("minimum", 1))))
    return "sample"


@contextmanager
def served(app: Any) -> Iterator[str]:
    """An app on a loopback port of its own, in a thread with a loop of its own. Gives the base URL."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=2))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        for _ in range(1_000):
            if server.started or not thread.is_alive():
                break
            time.sleep(0.01)
        assert server.started, "the app did not start"
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        listener.close()
