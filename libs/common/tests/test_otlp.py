"""Spans are exported where the setting says, and nowhere without it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

WORK = """
import sys
from paybill_common import telemetry
telemetry.configure_tracing("toy", sys.argv[1] or None)
with telemetry.tracer.start_as_current_span("work"):
    print(telemetry.current_traceparent())
"""


@contextmanager
def collector() -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    """An OTLP receiver on loopback: its address, and the path and the request of each export."""
    taken: list[tuple[str, Any]] = []

    class Take(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.append((self.path, ExportTraceServiceRequest.FromString(body)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with HTTPServer(("127.0.0.1", 0), Take) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", taken
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("given", [True, False])
def test_spans_are_exported_where_the_setting_says_and_nowhere_without_it(given: bool) -> None:
    """By a process of its own: a process has one provider, and exports at its end what it still holds."""
    with collector() as (endpoint, taken):
        run = [sys.executable, "-c", WORK, f"{endpoint}/" if given else ""]
        env = os.environ | {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}  # the library's own setting is not ours
        done = subprocess.run(run, check=True, capture_output=True, text=True, timeout=60, env=env)
    _, trace_id, span_id, _ = done.stdout.split("-")
    found = [
        (path, attribute.value.string_value, span.name, span.trace_id.hex(), span.span_id.hex())
        for path, request in taken
        for resource in request.resource_spans
        for attribute in resource.resource.attributes
        if attribute.key == "service.name"
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    assert found == ([("/v1/traces", "paybill-toy", "work", trace_id, span_id)] if given else [])
