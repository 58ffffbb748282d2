"""How fast a table of 50,000 rows is: `make bench-rows`.

A fresh instance "bench" gets reporting alone, and its read model one agency whose week has 50,000 timesheets, 20,000 workers and 400
clients, written straight into the database: the product has no such door. Then the first page, the last one, searches, sorts and filters
are asked for in turn, round by round. A line of JSON a page has the milliseconds from the request to the last byte and what a bare loop
of this machine takes, for comparison between machines.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from uuid import UUID

import asyncpg
import httpx
from rich.console import Console
from rich.table import Table

from bench.pages import PERSON, measure
from paybill_common.ids import derived_id
from paybill_stack.bootstrap import database_name
from paybill_stack.client import Place
from paybill_stack.demo.cast import BUSINESS_NOW
from paybill_stack.stack import Stack
from paybill_stack.supervisor import Supervisor
from reporting.api.web.records import PAGE

INSTANCE = "bench"
ROWS, ROUNDS = 50_000, 15
WORKERS, CLIENTS, CONSULTANTS = 20_000, 400, 40
PAGE_MS_MAX = 300
AGENCY = derived_id("bench-rows", "agency")
WEEK = date(2026, 4, 5)
LOOP = 3_000_000

_FILL = (
    """
    INSERT INTO label (kind, entry_id, agency_id, display_name, reference, sequence)
    SELECT kind, md5(kind || n)::uuid, $1::uuid, initcap(kind) || ' ' || lpad(n::text, 5, '0') || ' Testcase',
        upper(left(kind, 1)) || '-' || lpad(n::text, 5, '0'), 1
    FROM (SELECT 'worker' AS kind, generate_series(1, $2::int) AS n UNION ALL SELECT 'client', generate_series(1, $3::int)
        UNION ALL SELECT 'consultant', generate_series(1, $4::int)) AS who
    UNION ALL SELECT 'agency', $1::uuid, $1::uuid, 'Fifty Thousand Example Ltd', 'FTE', 1
    """,
    """
    INSERT INTO timesheet (agency_id, timesheet_id, worker_id, placement_id, client_id, consultant_id, branch, week_ending, pay_basis,
        purchase_order, reference, status, sequence, version, expected_at, submitted_sequence, submitted_at, submitted_minutes,
        submitted_pay_gbp, submitted_charge_gbp, approved_sequence, approved_version, approved_at, worked_minutes, payable_minutes,
        billable_minutes, pay_gbp, charge_gbp, cost_gbp, compliance_version, compliance_sequence, compliance_state, draft_version,
        draft_minutes, draft_gbp, bill_version, bill_sequence, bill_decision)
    SELECT $1::uuid, md5('timesheet' || n)::uuid, md5('worker' || (n % $2::int + 1))::uuid, md5('placement' || n)::uuid,
        md5('client' || (n * 7 % $3::int + 1))::uuid, md5('consultant' || (n % $4::int + 1))::uuid,
        (ARRAY['north', 'south', 'east'])[n % 3 + 1], $5::date,
        (ARRAY['paye', 'paye', 'paye', 'umbrella', 'limited'])[n % 5 + 1], CASE n % 4 WHEN 0 THEN 'PO-' || n END,
        'FTE-' || lpad(n::text, 6, '0') || '-W14', status, 1, 1, at, sent, CASE WHEN sent = 1 THEN at END, minutes * sent, pay * sent,
        charge * sent, ok, ok, CASE WHEN ok = 1 THEN at END, minutes * coalesce(ok, 0), minutes * coalesce(ok, 0),
        minutes * coalesce(ok, 0), pay * coalesce(ok, 0), charge * coalesce(ok, 0), pay * 1.15 * ok, ok, ok,
        CASE WHEN ok = 1 THEN 'cleared' END, ok, minutes * coalesce(ok, 0), pay * coalesce(ok, 0), ok, ok, CASE WHEN ok = 1 THEN 'ready' END
    FROM (SELECT n, status, 2400 - n % 600 AS minutes, (500 + n % 97)::numeric AS pay, (700 + n % 131)::numeric AS charge,
            timestamptz '2026-04-06 08:00Z' + make_interval(secs => n % 9000) AS at,
            CASE WHEN status = 'expected' THEN 0 ELSE 1 END AS sent,
            CASE WHEN status = 'approved' THEN 1 END AS ok
        FROM (SELECT n, CASE WHEN n % 10 < 7 THEN 'approved' WHEN n % 10 < 9 THEN 'submitted' ELSE 'expected' END AS status
            FROM generate_series(1, $6::int) AS n) AS stated) AS priced
    """,
)


@contextmanager
def running(instance: str) -> Iterator[Place]:
    """Reporting on an empty instance; stopped afterwards."""
    stack = Stack(instance)
    try:
        Supervisor.bring_up(instance, business_now=BUSINESS_NOW, services=("reporting",), attached=True, fresh=True)
        yield Place.of(instance)
    finally:
        Supervisor(stack).down()
        stack.stop()


async def fill(stack: Stack, rows: int) -> None:
    """One agency and its week, written as the superuser; analysed as autovacuum would soon."""
    connection = await asyncpg.connect(stack.admin_dsn, database=database_name("reporting"))
    try:
        await connection.execute("INSERT INTO agency (agency_id, reference, sequence) VALUES ($1, 'FTE', 1)", AGENCY)
        await connection.execute(_FILL[0], AGENCY, WORKERS, CLIENTS, CONSULTANTS)
        await connection.execute(_FILL[1], AGENCY, WORKERS, CLIENTS, CONSULTANTS, WEEK, rows)
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


def addresses(agency: UUID, rows: int) -> dict[str, str]:
    """What is asked of the table, and the week that it belongs to."""
    table = f"/agencies/{agency}/weeks/{WEEK}/timesheets"
    return {
        "the week": table.removesuffix("/timesheets"),
        "first page": table,
        "last page": f"{table}?page={-(-rows // PAGE)}",
        "a search by name": f"{table}?q=Worker+00117",
        "a search that finds nothing": f"{table}?q=nobody",
        "sorted by charge": f"{table}?sort=-charge",
        "sorted by worker": f"{table}?sort=worker",
        "sorted by worker, last page": f"{table}?sort=worker&page={-(-rows // PAGE)}",
        "sorted by age": f"{table}?sort=age",
        "to approve": f"{table}?status=submitted",
    }


def bare_loop_ms() -> int:
    """What counting to three million takes here: how fast the machine is at the moment."""
    begun = time.perf_counter()
    for _ in range(LOOP):
        pass
    return round((time.perf_counter() - begun) * 1000)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    asked = parser.parse_args(argv)
    with running(INSTANCE) as place:
        asyncio.run(fill(place.stack, asked.rows))
        with httpx.Client(base_url=place.urls["reporting"], timeout=60) as client:
            code = place.stack.ensure_keys().sign_in_code(PERSON)
            client.get("/sign-in", params={"code": code}, follow_redirects=True).raise_for_status()
            loop = [bare_loop_ms() for _ in range(5)]
            found = measure(client, addresses(AGENCY, asked.rows), asked.rounds)
            loop += [bare_loop_ms() for _ in range(5)]
    table = Table("page", "median ms", "slowest ms", title=f"A table of {asked.rows:,} rows")
    late = []
    for name, (took, _) in found.items():
        median, slowest = round(statistics.median(took)), round(max(took))
        print(json.dumps({"page": name, "rows": asked.rows, "median_ms": median, "slowest_ms": slowest}))
        table.add_row(name, str(median), str(slowest))
        if median > PAGE_MS_MAX:
            late.append(name)
    print(json.dumps({"bare_loop_ms": round(statistics.median(loop)), "target_ms": PAGE_MS_MAX, "over_it": late}))
    Console().print(table)
    return 1 if late else 0


if __name__ == "__main__":
    raise SystemExit(main())
