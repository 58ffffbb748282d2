"""Periodic work of a process: what fails is told and tried again, and stop ends it."""

from __future__ import annotations

import asyncio

from structlog.testing import capture_logs

from paybill_common.service import repeat


async def test_a_round_that_fails_is_told_and_the_next_one_comes() -> None:
    stop, rounds = asyncio.Event(), 0

    async def work() -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 1:
            raise ValueError("no")
        if rounds == 2:
            raise ConnectionRefusedError("away")
        stop.set()

    with capture_logs() as logs:
        await asyncio.wait_for(repeat(work, stop=stop, every_s=0, name="thing", runbook="docs/x.md"), timeout=20)
    assert rounds == 3
    assert [(line["event"], line["log_level"], line["work"]) for line in logs] == [
        ("background.failed", "error", "thing"),
        ("background.retrying", "warning", "thing"),
    ]
    assert logs[0]["action"] == "docs/x.md"


async def test_nothing_is_begun_once_it_is_told_to_stop() -> None:
    stop = asyncio.Event()
    stop.set()

    async def work() -> None:
        raise AssertionError("begun")

    with capture_logs() as logs:
        await repeat(work, stop=stop, every_s=3600, name="thing", runbook="docs/x.md")
    assert logs == []
