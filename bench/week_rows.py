"""What the services' databases say of a measured span, read as the server's owner and read-only."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import asyncpg

from bench.week_figures import LATENCIES, Measured
from paybill_stack.bootstrap import SERVICES, database_name
from paybill_stack.stack import Stack

# Only the first draft, charge, hold or invoice after the approval counts. `data,charges` is what a draft payslip pays for
# and an invoice bills.
_APPROVED = """
SELECT payload::jsonb #>> '{data,timesheet_id}' AS id, min(created_at) AS at FROM outbox
WHERE topic = 'paybill.timesheet' AND payload::jsonb ->> 'type' = 'paybill.timesheet.approved.v1' AND created_at >= $1
GROUP BY 1"""
_DRAFTED = """
SELECT charge ->> 'timesheet_id' AS id, min(created_at) AS at
FROM outbox, jsonb_array_elements(payload::jsonb #> '{data,charges}') AS charge
WHERE topic = 'paybill.pay' AND payload::jsonb ->> 'type' = 'paybill.pay.calculated.v1' AND created_at >= $1
GROUP BY 1"""
_INVOICED = _DRAFTED.replace("'paybill.pay'", "'paybill.invoice'").replace("pay.calculated", "invoice.issued")
_READY = _APPROVED.replace("'paybill.timesheet'", "'paybill.bill'").replace("timesheet.approved", "bill.ready")
_MOMENTS = {
    "timesheet": {"approved": _APPROVED},
    "pay-calc": {"draft_payslip": _DRAFTED},
    "invoicing": {"bill_ready": _READY, "invoice": _INVOICED},
}
_PUBLISHED = """
SELECT topic, count(*) AS events, coalesce(sum(octet_length(payload)), 0) AS bytes FROM outbox
WHERE created_at BETWEEN $1 AND $2 GROUP BY topic"""
_READ = "SELECT count(*) AS events, max(received_at) AS last FROM inbox WHERE received_at BETWEEN $1 AND $2"


async def clock(stack: Stack) -> datetime:
    """The database's clock, which stamps every row that is read afterwards."""
    async with _reading(stack, "timesheet") as database:
        return await database.fetchval("SELECT clock_timestamp()")  # type: ignore[no-any-return]  # untyped driver


@contextlib.asynccontextmanager
async def _reading(stack: Stack, service: str) -> AsyncIterator[Any]:
    only = {"default_transaction_read_only": "on"}
    name = database_name(service)
    database = await asyncpg.connect(
        stack.admin_dsn, database=name, server_settings=only, timeout=30, command_timeout=300
    )
    try:
        yield database
    finally:
        await database.close()


async def read_databases(stack: Stack, measured: Measured, begun: datetime, ended: datetime) -> None:
    """Fill in what the span published and read, and how long each approved timesheet waited."""
    at: dict[str, dict[str, datetime]] = {}
    for service in SERVICES:
        async with _reading(stack, service) as database:
            for row in await database.fetch(_PUBLISHED, begun, ended):
                measured.events[row["topic"]] = measured.events.get(row["topic"], 0) + row["events"]
                measured.bytes += int(row["bytes"])
            read = await database.fetchrow(_READ, begun, ended)
            measured.rows_read[service] = read["events"]
            if service == "reporting" and read["last"] is not None:
                measured.last_reporting_row_s = round((read["last"] - begun).total_seconds(), 2)
            for name, query in _MOMENTS.get(service, {}).items():
                at[name] = {row["id"]: row["at"] for row in await database.fetch(query, begun)}
    for name in LATENCIES:
        waits = sorted((at[name][i] - t).total_seconds() * 1000 for i, t in at["approved"].items() if i in at[name])
        if waits:
            p50, p99 = (round(waits[min(len(waits) - 1, len(waits) * q // 100)]) for q in (50, 99))
            measured.latency_ms[name] = {"timesheets": len(waits), "p50": p50, "p99": p99}
