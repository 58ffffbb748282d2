"""Logs, traces and metrics. Every metric name stands here with a sentence; exporters are off unless a setting is given."""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import Iterable
from itertools import islice
from smtplib import SMTPException
from typing import Any
from uuid import UUID

import structlog
from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import Counter, Gauge, Histogram
from sqlalchemy.exc import DBAPIError

from paybill_common.bus.types import BusUnavailable

_propagator = TraceContextTextMapPropagator()
tracer = trace.get_tracer("paybill")
LINKS_MAX = 32
"""Most links that a span carries: a batch has a thousand causes."""
_LIBRARY = re.compile(r"[/\\](sqlalchemy|asyncpg|starlette|fastapi|anyio|uvicorn|aiokafka)[/\\]")

CONSUMED = Counter("paybill_events_consumed_total", "New events handled, by consumer.", ["consumer"])
DUPLICATES = Counter("paybill_events_duplicate_total", "Events already taken before, skipped.", ["consumer"])
DEAD_LETTERS = Counter("paybill_dead_letters_total", "Events that a handler refused for good.", ["consumer"])
PARKED = Counter("paybill_events_parked_total", "Events parked behind a dead letter of the same key.", ["consumer"])
BATCH_SIZE = Histogram(
    "paybill_batch_events", "New events in one poll.", ["consumer"], buckets=(1, 5, 20, 100, 500, 1000, 2000)
)
HANDLER_SECONDS = Histogram("paybill_handler_seconds", "Time of one batch's transaction.", ["consumer"])
COMMIT_FAILURES = Counter("paybill_offset_commit_failures_total", "Offset commits lost to a rebalance.", ["consumer"])
LAG = Gauge("paybill_consumer_lag", "Records not yet committed, all assigned partitions.", ["consumer"])
DEAD_LETTERS_OPEN = Gauge("paybill_dead_letters_open", "Dead letters that wait for an operator.", ["consumer"])
OUTBOX_AGE_SECONDS = Gauge("paybill_outbox_age_seconds", "Age of the oldest unpublished event.", ["service"])
RELAYED = Counter("paybill_events_relayed_total", "Events published from the outbox.", ["service"])
REPLAYED = Counter("paybill_replayed_payslips_total", "Final payslips that a nightly replay worked again.")
REPLAY_RUNS = Gauge("paybill_replay_runs", "Closed pay runs by what their last nightly replay found.", ["state"])
HTTP_SECONDS = Histogram("paybill_http_request_seconds", "Time of one HTTP request.", ["service", "method", "status"])


def current_traceparent() -> str | None:
    """The W3C traceparent of the current span, or None when nothing is traced."""
    span = trace.get_current_span().get_span_context()
    if not span.is_valid:
        return None
    return f"00-{trace.format_trace_id(span.trace_id)}-{trace.format_span_id(span.span_id)}-{span.trace_flags:02x}"


def carry_on(cause: str | None, current: str | None) -> str | None:
    """The traceparent of an event: below the current span when that belongs to the cause's trace, else below the cause."""
    if cause is None or (current is not None and current.split("-")[1:2] == cause.split("-")[1:2]):
        return current
    return cause


def correlation_id(traceparent: str | None, event_id: UUID) -> str:
    """The trace id when there is one, else the id of the first event of the story."""
    return traceparent.split("-")[1] if traceparent else str(event_id)


def context_of(traceparent: str | None) -> Any:
    """The OpenTelemetry context that a traceparent names."""
    return _propagator.extract({"traceparent": traceparent} if traceparent else {})


def links_to(traceparents: Iterable[str | None]) -> list[trace.Link]:
    """Links to the spans that these name, each once and at most LINKS_MAX; what names none is passed over."""
    found = dict.fromkeys(one for one in traceparents if one)
    spans = (trace.get_current_span(context_of(one)).get_span_context() for one in found)
    return [trace.Link(span) for span in islice((span for span in spans if span.is_valid), LINKS_MAX)]


def configure_tracing(service: str, otlp_endpoint: str | None) -> None:
    """Start recording spans: exported by OTLP over HTTP when an endpoint is given, otherwise ids only."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    provider = TracerProvider(resource=Resource.create({"service.name": f"paybill-{service}"}))
    if otlp_endpoint:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        provider.add_span_processor(
            BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{otlp_endpoint.rstrip('/')}/v1/traces"))
        )
    trace.set_tracer_provider(provider)


def describe(error: BaseException) -> str:
    """An error in words fit for a log: where a message may quote a person's data, its class and code stand instead.

    Errors of the network and the bus speak of machines only and are told whole. Errors of the database quote rows,
    those of validation inputs, those of mail people: of them the class, the SQLSTATE and the constraint are told.
    """
    if isinstance(error, DBAPIError):
        cause = getattr(error.orig, "__cause__", None) or error.orig
        sqlstate, constraint = getattr(cause, "sqlstate", None), getattr(cause, "constraint_name", None)
        told = [type(cause).__name__, sqlstate and f"sqlstate {sqlstate}", constraint and f"constraint {constraint}"]
        return " ".join(part for part in told if part)
    if isinstance(error, (OSError, TimeoutError, BusUnavailable)) and not isinstance(error, SMTPException):
        return repr(error)[:500]
    return type(error).__name__


def configure_logging(service: str, level: str = "INFO") -> None:
    """JSON lines on standard error: event names are constants, everything else is a field."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_trace,
        _tell_errors,
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(default=str),
            ],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(default=str)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)


def _add_trace(_logger: Any, _method: str, fields: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """The ids of the current span, so that a line of the log leads to its trace."""
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        fields.setdefault("trace_id", trace.format_trace_id(span.trace_id))
        fields.setdefault("span_id", trace.format_span_id(span.span_id))
    return fields


def _tell_errors(_logger: Any, _method: str, fields: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Errors as `describe` tells them, and as the places they passed; never a message that may quote data."""
    if isinstance(fields.get("error"), BaseException):
        fields["error"] = describe(fields["error"])
    found = fields.pop("exc_info", None)
    if found is True:
        found = sys.exc_info()
    error = found[1] if isinstance(found, tuple) else found
    if isinstance(error, BaseException):
        chain: list[BaseException] = []
        while error is not None and error not in chain:
            chain.append(error)
            error = error.__cause__ or error.__context__
        fields["exception"] = [describe(one) for one in chain]
        fields["places"] = [place for one in chain for place in _places(one)]
    return fields


def _places(error: BaseException) -> list[str]:
    """Where an error passed through our code, at most eight places, and where it arose."""
    frames = traceback.extract_tb(error.__traceback__)
    passed = [frame for frame in frames if not _LIBRARY.search(frame.filename)][-8:]
    return list(dict.fromkeys(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in [*passed, *frames[-1:]]))
