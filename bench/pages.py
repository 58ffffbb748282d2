"""How fast the pages are, and how heavy: `make bench-pages`, after `make demo`.

The demo's instance is started with the data that the demo left, one person signs in, and each page of the largest agency's week is asked
for in turn, round by round. A line of JSON a page has the milliseconds from the request to the last byte (median, slowest) and its size
compressed. The first page's target and that of scripts, styles and fonts are those of the product: 300 ms and 150,000 bytes compressed.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

import reporting
from paybill_stack.client import Place
from paybill_stack.demo.cast import BUSINESS_NOW
from paybill_stack.stack import Stack
from paybill_stack.supervisor import Supervisor
from reporting.api.web.records import PAGE

FIRST_PAGE_MS_MAX, STATIC_BYTES_MAX = 300, 150_000
ROUNDS = 15
PERSON = "pat"
PAGES = {
    "the week": "",
    "timesheets": "/timesheets",
    "timesheets, last page": "/timesheets?page=last",
    "timesheets, a search": "/timesheets?q=0117",
    "holds": "/holds",
    "pay run": "/pay",
    "payslips": "/payslips",
    "invoices": "/invoices",
    "margin": "/margin",
    "tie-out": "/tie-out",
}


@contextmanager
def running(instance: str) -> Iterator[Place]:
    """The instance's services, started with the data that is there; stopped afterwards."""
    stack = Stack(instance)
    try:
        Supervisor.bring_up(instance, business_now=BUSINESS_NOW, attached=True)
        yield Place.of(instance)
    finally:
        Supervisor(stack).down()
        stack.stop()


def addresses(client: httpx.Client, plan: Mapping[str, Any]) -> dict[str, str]:
    """Each page's path in the week of the agency with the most timesheets."""
    weeks = [f"/agencies/{agency['agency_id']}/weeks/{plan['week_ending']}" for agency in plan["agencies"]]
    total, own = max((_timesheets(client, week), week) for week in weeks)
    last = f"page={-(-total // PAGE)}"
    found = {name: own + rest.replace("page=last", last) for name, rest in PAGES.items()}
    return found | {"all agencies": "/bureau", "system health": "/system"}


def _timesheets(client: httpx.Client, week: str) -> int:
    found = re.search(r'data-total="([0-9]+)"', client.get(f"{week}/timesheets").text)
    return int(found[1]) if found else 0


def measure(
    client: httpx.Client, paths: Mapping[str, str], rounds: int
) -> dict[str, tuple[list[float], int]]:  # not money: ms
    """Milliseconds of each round and compressed bytes, by page."""
    took: dict[str, list[float]] = {name: [] for name in paths}  # not money: ms
    size = {}
    for _ in range(rounds):
        for name, path in paths.items():
            begun = time.perf_counter()
            answer = client.get(path)
            took[name].append((time.perf_counter() - begun) * 1000)
            answer.raise_for_status()
            size[name] = len(gzip.compress(answer.content))
    return {name: (took[name], size[name]) for name in paths}


def static_bytes() -> int:
    """What a first visit loads beside the page: script and style compressed; the font is compressed already and told apart."""
    folder = Path(reporting.__file__).parent / "static"
    return sum(len(gzip.compress(file.read_bytes())) for file in folder.iterdir() if file.suffix in (".js", ".css"))


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instance", default="demo")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    asked = parser.parse_args(argv)
    written = Stack(asked.instance).paths.root / "in" / "plan.json"
    if not written.exists():
        sys.stderr.write(f"there is no week in {written.parent}: run `make demo` first\n")
        return 2
    plan = json.loads(written.read_text(encoding="utf-8"))
    with running(asked.instance) as place, httpx.Client(base_url=place.urls["reporting"], timeout=60) as client:
        code = place.stack.ensure_keys().sign_in_code(PERSON)
        client.get("/sign-in", params={"code": code}, follow_redirects=True).raise_for_status()
        found = measure(client, addresses(client, plan), asked.rounds)
    table = Table("page", "median ms", "slowest ms", "kB compressed", title="Pages of the demo week")
    for name, (took, size) in found.items():
        median, slowest = round(statistics.median(took)), round(max(took))
        print(json.dumps({"page": name, "median_ms": median, "slowest_ms": slowest, "bytes_compressed": size}))
        table.add_row(name, str(median), str(slowest), f"{size / 1000:.1f}")
    first, static = statistics.median(found["the week"][0]), static_bytes()
    print(
        json.dumps({"first_page_ms": round(first), "target_ms": FIRST_PAGE_MS_MAX, "static_bytes_compressed": static})
    )
    Console().print(table)
    return 0 if first <= FIRST_PAGE_MS_MAX and static <= STATIC_BYTES_MAX else 1


if __name__ == "__main__":
    raise SystemExit(main())
