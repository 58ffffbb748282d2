"""One trace from a request through outbox, relay, bus and consumers to the last service's event; and what spans keep to themselves."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from paybill_common import telemetry
from paybill_common.bus.memory import MemoryBus
from paybill_common.service import Runtime
from tests.doors.doors import SERVICES, spec_of
from tests.doors.week import NAMES, PRIVATE, Request, Week
from tests.kit import Keys

pytestmark = pytest.mark.integration
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = f"00-{TRACE}-00f067aa0ba902b7-01"
Make = Callable[..., Runtime]
Client = Callable[..., Awaitable[httpx.AsyncClient]]


@pytest.fixture(scope="session")
def exporter() -> InMemorySpanExporter:
    """Spans of this process, in memory. A process has one provider: if there is one already, this listens to it too."""
    found = InMemorySpanExporter()
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        provider = TracerProvider()
        trace.set_tracer_provider(provider)
    provider.add_span_processor(SimpleSpanProcessor(found))
    return found


@pytest.fixture
def spans(exporter: InMemorySpanExporter) -> Iterator[Callable[[], list[ReadableSpan]]]:
    """`spans()`: the finished spans of this test."""
    exporter.clear()
    yield lambda: list(exporter.get_finished_spans())
    exporter.clear()


@pytest.fixture
async def week(runtime_of: Make, client_of: Client, keys: Keys) -> Week:
    return await Week.start(runtime_of, client_of, keys)


def trace_of(span: ReadableSpan) -> str:
    return trace.format_trace_id(span.get_span_context().trace_id)


async def events_in_trace(week: Week, trace_id: str) -> dict[str, list[str]]:
    """The types of the events of each service whose traceparent is of this trace."""
    found: dict[str, list[str]] = {}
    for service in SERVICES:
        events = [json.loads(payload) for payload in await week.outbox(service)]
        types = [e["type"] for e in events if e.get("traceparent", "--").split("-")[1] == trace_id]
        if types:
            found[service] = types
    return found


async def test_an_approval_is_one_trace_through_four_services(
    week: Week, spans: Callable[[], list[ReadableSpan]], memory_bus: MemoryBus
) -> None:
    for request in week.records():
        await week.call(request)
    await week.call(week.document())
    await week.open()
    *before, approve = week.hours()
    for request in before:
        await week.call(request)
    await week.settle()
    await week.call(approve, traceparent=CALLER)
    await week.settle()

    found = await events_in_trace(week, TRACE)
    assert {service: types[-1] for service, types in found.items() if service not in ("pay_calc", "reporting")} == {
        "timesheet": "paybill.timesheet.approved.v1",
        "compliance": "paybill.compliance.cleared.v1",
        "invoicing": "paybill.bill.ready.v1",
    }
    assert "paybill.pay.calculated.v1" in found["pay_calc"]
    mine = [span for span in spans() if trace_of(span) == TRACE]
    names = [span.name for span in mine]
    assert "POST /v1/agencies/{agency_id}/timesheets/{timesheet_id}/approve" in names
    assert {f"process {name}" for name in ("compliance", "pay-calc", "invoicing", "reporting")} <= set(names)
    ids = {span.get_span_context().span_id: span for span in mine}
    for span in mine:
        if span.kind is trace.SpanKind.CONSUMER:
            assert span.parent is not None
            assert span.parent.span_id in ids, f"{span.name} hangs below a span that nobody recorded"
    on_the_bus = [json.loads(r.value) for log in memory_bus.log.values() for r in log if r.value]
    carried = [e for e in on_the_bus if e["agency"] == str(week.agency) and TRACE in e.get("traceparent", "")]
    assert len(carried) == sum(len(types) for types in found.values())
    assert {event["correlationid"] for event in carried} == {TRACE}


async def test_an_invoice_links_to_the_approvals_that_it_bills(
    week: Week, spans: Callable[[], list[ReadableSpan]]
) -> None:
    """The run is a request of its own, so its trace is another; the span that issues leads back to each approval."""
    for request in week.records():
        await week.call(request)
    await week.call(week.document())
    await week.open()
    *before, approve = week.hours()
    for request in before:
        await week.call(request)
    await week.call(approve, traceparent=CALLER)
    await week.settle()
    *closing, issue = week.closing()
    for request in closing:
        await week.call(request)
        await week.settle()
    run = "c" * 32
    await week.call(issue, traceparent=f"00-{run}-00f067aa0ba902b7-01")
    await week.settle()

    events = [json.loads(payload) for payload in await week.outbox("timesheet")]
    (approved,) = [event for event in events if event["type"] == "paybill.timesheet.approved.v1"]
    events = [json.loads(payload) for payload in await week.outbox("invoicing")]
    (issued,) = [event for event in events if event["type"] == "paybill.invoice.issued.v1"]
    (span,) = [one for one in spans() if one.name == "issue invoice"]
    assert trace_of(span) == run
    _, trace_id, span_id, _ = issued["traceparent"].split("-")
    assert (trace_id, span_id) == (run, trace.format_span_id(span.get_span_context().span_id))
    (link,) = span.links
    _, trace_id, span_id, _ = approved["traceparent"].split("-")
    assert trace_id == TRACE
    linked = (trace.format_trace_id(link.context.trace_id), trace.format_span_id(link.context.span_id))
    assert linked == (trace_id, span_id)
    assert attributes(span)["paybill.document_id"] == issued["data"]["document_id"]


def test_a_span_links_to_each_cause_once_and_to_so_many_at_most() -> None:
    many = [f"00-{n:032x}-{'2' * 16}-01" for n in range(1, 100)]
    links = telemetry.links_to([None, "nonsense", f"00-{'0' * 32}-{'0' * 16}-01", many[0], *many])
    assert [trace.format_trace_id(link.context.trace_id) for link in links] == [
        f"{n:032x}" for n in range(1, telemetry.LINKS_MAX + 1)
    ]


async def test_events_of_one_batch_keep_their_own_traces(week: Week, spans: Callable[[], list[ReadableSpan]]) -> None:
    """Two documents lift two holds in one batch of the next reader: each answer belongs to its own request."""
    for request in week.records():
        await week.call(request)
    await week.settle()
    others = [f"{n:032x}" for n in (0xA1, 0xB2)]
    for number, trace_id in enumerate(others):
        await week.call(
            Request("timesheet", "PUT", f"/workers/{week.worker}", {"name": f"Worker 0002{number} Testcase"}),
            traceparent=f"00-{trace_id}-00f067aa0ba902b7-01",
        )
    await week.settle()
    for trace_id in others:
        found = await events_in_trace(week, trace_id)
        assert set(found) == {"timesheet"}, found
    linked = {trace.format_trace_id(link.context.trace_id) for span in spans() for link in span.links}
    assert set(others) <= linked


def test_an_answer_hangs_below_its_handler_or_else_below_its_cause() -> None:
    cause, other = CALLER, f"00-{'1' * 32}-{'2' * 16}-01"
    handler = f"00-{TRACE}-{'3' * 16}-01"
    assert telemetry.carry_on(cause, handler) == handler
    assert telemetry.carry_on(cause, other) == cause
    assert telemetry.carry_on(cause, None) == cause
    assert telemetry.carry_on(None, handler) == handler
    assert telemetry.carry_on(None, None) is None


async def test_spans_name_routes_and_keep_no_persons_data(
    week: Week, spans: Callable[[], list[ReadableSpan]], keys: Keys
) -> None:
    for request in week.records():
        await week.call(request)
    await week.call(Request("timesheet", "GET", f"/timesheets?q={NAMES[0]}"))
    await week.settle()
    client = week.clients["timesheet"]
    await client.get("/approve/a-secret-token-17")
    await client.get("/nowhere/a-secret-token-17", headers=keys.headers(week.agency))
    told = json.dumps([[span.name, dict(span.attributes or {}), span.status.description] for span in spans()])
    for secret in (*NAMES, *PRIVATE, "a-secret-token-17"):
        assert secret not in told
    assert "GET unmatched" in told
    routes = {span.attributes["http.route"] for span in spans() if span.attributes and "http.route" in span.attributes}
    assert "/v1/agencies/{agency_id}/workers/{worker_id}" in routes
    assert "/approve/{token}" in routes
    assert not [route for route in routes if str(week.agency) in str(route)]


async def test_a_request_without_a_trace_starts_one(
    spans: Callable[[], list[ReadableSpan]], runtime_of: Make, client_of: Client, keys: Keys
) -> None:
    client = await client_of(runtime_of(spec_of("compliance")))
    for header in ({}, {"traceparent": "nonsense"}, {"traceparent": f"00-{'0' * 32}-{'0' * 16}-01"}):
        assert (await client.get("/health/live", headers=header)).is_success
    assert len({trace_of(span) for span in spans()}) == 3
    assert all(span.parent is None for span in spans())


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


async def test_a_failed_request_is_a_failed_span(
    spans: Callable[[], list[ReadableSpan]],
    runtime_of: Make,
    client_of: Client,
    keys: Keys,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runtime = runtime_of(spec_of("compliance"))

    async def broken() -> bool:
        raise RuntimeError("nobody thought of this")

    monkeypatch.setattr(runtime.bus, "ready", broken)
    client = await client_of(runtime)
    response = await client.get("/health/ready")
    assert (response.status_code, response.json()["code"]) == (500, "internal_error")
    (span,) = spans()
    assert attributes(span)["http.response.status_code"] == 500
    assert span.status.status_code is trace.StatusCode.ERROR
