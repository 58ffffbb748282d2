"""Every request is timed and is a span, until its answer begins; an error that no route answered is answered here."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager

from fastapi import Request
from opentelemetry import trace
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from paybill_common import telemetry
from paybill_common.http import problems


class Measure:
    """Wraps the app of a service, `name`. A stream, such as live numbers, counts until it begins."""

    def __init__(self, app: ASGIApp, *, name: str) -> None:
        self._app = app
        self._name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        began = time.perf_counter()
        span = telemetry.tracer.start_span(
            request.method,
            context=telemetry.context_of(request.headers.get("traceparent")),
            kind=trace.SpanKind.SERVER,
        )
        answered = False

        async def watched(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                self._tell(request, span, message["status"], time.perf_counter() - began)
            await send(message)

        entered: AbstractContextManager[trace.Span] = trace.use_span(
            span, record_exception=False, set_status_on_exception=False
        )
        with entered:
            try:
                await self._app(scope, receive, watched)
            except Exception as error:
                if answered:
                    raise
                await problems.answer(request, error)(scope, receive, watched)
            finally:
                if not answered:  # the caller went away
                    span.end()

    def _tell(self, request: Request, span: trace.Span, status: int, seconds: float) -> None:
        route = problems.route_of(request)
        span.update_name(f"{request.method} {route}")
        span.set_attributes(
            {"http.request.method": request.method, "http.route": route, "http.response.status_code": status}
        )
        if status >= 500:
            span.set_status(trace.StatusCode.ERROR)
        span.end()
        telemetry.HTTP_SECONDS.labels(self._name, request.method, str(status)).observe(seconds)
