"""How long an instance takes to start, and what it costs while nobody uses it: `make bench-idle`.

An instance of its own is started, empty, stopped, and started again with its data; then nothing is asked of it for half a minute. Prints
one JSON line a start (seconds until every service is ready) and one of the rest: processor time in per cent of one core for Kafka, Postgres
and the services, and the requests a second that the broker gets (from the kernel's counters of its connections, where `ss` is installed).
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence

import psutil

from paybill_stack.stack import Stack
from paybill_stack.supervisor import Supervisor

INSTANCE = "benchidle"
SETTLE_S, WATCH_S = 20, 30
_CONNECTION = re.compile(r"127\.0\.0\.1:(\d+)\s+127\.0\.0\.1:\d+.*?data_segs_out:(\d+)", re.DOTALL)


def started(number: int) -> Stack:
    """Start everything and print how long it took."""
    begun = time.perf_counter()
    stack = Supervisor.bring_up(INSTANCE, attached=True).stack
    print(json.dumps({"start": number, "seconds": round(time.perf_counter() - begun, 1)}))
    return stack


def stop() -> None:
    stack = Stack(INSTANCE)
    if stack.paths.settings.exists():
        Supervisor(stack).down()
        stack.stop()


def processor_seconds(stack: Stack) -> dict[str, float]:
    """User and system time of each component's process, Postgres with its children."""
    spent: dict[str, float] = defaultdict(float)
    for line in stack.status():
        if line.pid is not None:
            process = psutil.Process(line.pid)
            for one in [process, *(process.children(recursive=True) if line.name == "postgres" else [])]:
                times = one.cpu_times()
                spent[line.name] += times.user + times.system
    return spent


def requests(stack: Stack) -> int | None:
    """Segments with data that clients have sent the broker so far: a small request is one. None without `ss`."""
    if shutil.which("ss") is None:
        return None
    port = stack.kafka_bootstrap.rpartition(":")[2]
    told = subprocess.run(["ss", "-tin", f"dport = :{port}"], capture_output=True, text=True, check=True).stdout
    return sum(int(segments) for _, segments in _CONNECTION.findall(told))


def main(argv: Sequence[str] | None = None) -> int:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args(argv)
    stop()
    shutil.rmtree(Stack(INSTANCE).paths.root, ignore_errors=True)
    try:
        started(1)
        stop()
        stack = started(2)
        time.sleep(SETTLE_S)
        spent, sent = processor_seconds(stack), requests(stack)
        time.sleep(WATCH_S)
        now, asked = processor_seconds(stack), requests(stack)
        idle = {name: round((now[name] - spent[name]) / WATCH_S * 100, 1) for name in now}
        rate = None if sent is None or asked is None else round((asked - sent) / WATCH_S, 1)
        print(json.dumps({"idle_percent_of_a_core": idle, "kafka_requests_per_s": rate}))
    finally:
        stop()
        shutil.rmtree(Stack(INSTANCE).paths.root, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
