"""What `make bench` measured, as JSON lines and as a table, and which targets it missed.

`ratio_to_null` compares seconds of the same events, publishes and rows read. The fixed cost of a null run (the same with one event a topic)
is taken off, so the ratio is the stricter one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.table import Table

from paybill_stack.bootstrap import SERVICES

ISSUE_TIMESHEETS = 17_500
LATENCIES = ("draft_payslip", "bill_ready", "invoice")
"""What an approved timesheet waits for; the invoice for the cut-off and the close of the pay run too, which come as soon as all rests."""
RATIO_MIN, SPAN_S_MAX, MEMORY_MB_MAX = 0.25, 60.0, 300


@dataclass
class Measured:
    """One real run: seconds of each stage, what moved in the span, latencies and memory."""

    replicas: int
    timesheets: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    last_reporting_row_s: float = 0.0
    events: dict[str, int] = field(default_factory=dict)
    bytes: int = 0
    rows_read: dict[str, int] = field(default_factory=dict)
    latency_ms: dict[str, dict[str, int]] = field(default_factory=dict)
    lag_max: dict[str, int] = field(default_factory=dict)
    rss_max_mb: dict[str, int] = field(default_factory=dict)
    cpu_s: dict[str, float] = field(default_factory=dict)
    tied_out: bool = False
    load_average: float = 0.0
    null: dict[str, float | int] = field(default_factory=dict)
    null_fixed_s: float = 0.0

    @property
    def span_s(self) -> float:
        """From the first approval to the last row that reporting read."""
        return self.last_reporting_row_s

    @property
    def ratio(self) -> float:
        return max(0.0, self.null["seconds"] - self.null_fixed_s) / self.span_s if self.null else 0.0

    def missed(self) -> list[str]:
        """The targets that this run missed, each with by how much; a smaller week is projected in proportion."""
        out = []
        if self.null and self.ratio < RATIO_MIN:
            out.append(f"ratio to null {self.ratio:.3f}, target {RATIO_MIN}: {RATIO_MIN - self.ratio:.3f} short")
        whole = self.span_s * ISSUE_TIMESHEETS / self.timesheets
        if whole > SPAN_S_MAX:
            how = "took" if self.timesheets >= ISSUE_TIMESHEETS else f"would take (projected from {self.timesheets:,})"
            out.append(
                f"{ISSUE_TIMESHEETS:,} timesheets {how} {whole:.0f} s, target {SPAN_S_MAX:.0f} s: {whole / SPAN_S_MAX:.1f} times"
            )
        heavy = {n: mb for n, mb in self.rss_max_mb.items() if n not in ("kafka", "postgres") and mb > MEMORY_MB_MAX}
        out += [
            f"{name} held {mb} MB, target {MEMORY_MB_MAX} MB: {mb - MEMORY_MB_MAX} MB over"
            for name, mb in heavy.items()
        ]
        return out


def table(runs: Sequence[Measured]) -> Table:
    """The same figures for a person, a column a run."""
    shown = Table(title="The real week beside the null pipeline")
    shown.add_column("pay-calc replicas")
    for run in runs:
        shown.add_column(str(run.replicas), justify="right")

    def line(name: str, *values: object) -> None:
        shown.add_row(name, *(str(value) for value in values))

    line("timesheets approved", *(f"{run.timesheets:,}" for run in runs))
    line("first approval to last reporting row, s", *(run.span_s for run in runs))
    line("first approval to everything at rest, s", *(run.seconds["span"] for run in runs))
    line("timesheets/s end to end", *(round(run.timesheets / run.span_s, 1) for run in runs))
    line("events, average bytes", *(f"{sum(r.events.values()):,}, {r.bytes // sum(r.events.values()):,}" for r in runs))
    line("null pipeline, s", *(run.null.get("seconds", "-") for run in runs))
    line("null pipeline, fixed part, s", *(run.null_fixed_s for run in runs))
    line("ratio to null", *(f"{run.ratio:.3f}" for run in runs))
    for name in LATENCIES:
        waits = [run.latency_ms.get(name, {}) for run in runs]
        line(f"approval to {name}, p50/p99 ms", *(f"{w.get('p50')} / {w.get('p99')}" for w in waits))
    for stage in dict.fromkeys(name for run in runs for name in run.seconds if name != "span"):
        line(f"{stage}, s", *(run.seconds.get(stage, "-") for run in runs))
    for process in dict.fromkeys(name for run in runs for name in run.rss_max_mb):
        line(f"memory {process}, max MB", *(run.rss_max_mb.get(process, "-") for run in runs))
    for process in dict.fromkeys(name for run in runs for name in run.cpu_s):
        line(f"processor {process}, s of the span", *(run.cpu_s.get(process, "-") for run in runs))
    for service in SERVICES:
        line(f"max lag {service}, events", *(run.lag_max.get(service, 0) for run in runs))
    line("ties out", *(run.tied_out for run in runs))
    return shown


def say(**line: Any) -> None:
    print(json.dumps(line), flush=True)


def report(run: Measured) -> None:
    """The JSON lines of one run."""
    facts: Mapping[str, Any] = vars(run) | {"timesheets_per_second": round(run.timesheets / run.span_s, 1)}
    say(real={name: value for name, value in facts.items() if not name.startswith("null")})
    if run.null:
        say(null_pipeline=run.null, fixed_s=run.null_fixed_s)
        say(
            ratio_to_null=round(run.ratio, 3),
            replicas=run.replicas,
            null_s=run.null["seconds"],
            real_s=run.span_s,
        )
    say(missed=run.missed(), replicas=run.replicas)
