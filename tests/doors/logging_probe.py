"""A service's real logging, run in a process of its own: it fails in every way that could quote a person's data.

Arguments: a database address, and the words that must not be told.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import sys
from pathlib import Path
from uuid import UUID

import httpx
from fastapi import APIRouter
from pydantic import BaseModel

from paybill_common import telemetry
from paybill_common.bus import Outgoing
from paybill_common.bus.memory import MemoryBus
from paybill_common.clock import SystemClock
from paybill_common.config import Settings
from paybill_common.consumer import Consumer, PermanentError
from paybill_common.db import Database, Tx
from paybill_common.envelope import Batch, encode
from paybill_common.ids import new_id
from paybill_common.service import build_app, build_runtime
from paybill_contracts.directory import DirectoryEntry
from tests.doors.doors import spec_of

URL, *WORDS = sys.argv[1:]
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
router = APIRouter(prefix="/v1/agencies/{agency_id}")


class Strict(BaseModel):
    number: int


@router.post("/probe/{kind}/{token}")
async def probe(agency_id: UUID, kind: str, token: str) -> None:
    """Fail with the words in the error."""
    if kind == "value":
        raise ValueError(f"cannot pay {WORDS}")
    if kind == "model":
        Strict.model_validate({"number": WORDS[0]})
    database = Database(URL, source="probe", pool_size=1)
    async with database.transaction(now=SystemClock().now()) as tx:
        if kind == "statement":
            await tx.execute("INSERT INTO nowhere VALUES (:name, :number)", name=WORDS[0], number=WORDS[1])
        await tx.execute(
            "INSERT INTO worker (agency_id, worker_id, reference, sequence) VALUES (:agency, :worker, :name, NULL)",
            agency=agency_id,
            worker=new_id(),
            name=WORDS[0],
        )


async def refuse(tx: Tx, batch: Batch) -> None:
    """A handler that can never do its work, and says whose it is."""
    raise PermanentError(f"no room for {WORDS[0]}")


async def main() -> None:
    telemetry.configure_logging("probe")
    telemetry.configure_tracing("probe", None)
    spec = dataclasses.replace(spec_of("compliance"), routers=(router,))
    bus = MemoryBus()
    settings = Settings(
        database_api_url=URL, database_worker_url=URL, kafka_bootstrap="127.0.0.1:1", files_dir=Path("unused")
    )
    runtime = build_runtime(spec, settings, bus=bus)
    agency = new_id()
    transport = httpx.ASGITransport(app=build_app(runtime), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://probe.test") as client:
        for kind in ("value", "model", "statement", "row"):
            response = await client.post(
                f"/v1/agencies/{agency}/probe/{kind}/{WORDS[-1]}", headers={"traceparent": TRACEPARENT}
            )
            sys.stdout.write(f"{response.status_code} {response.text}\n")
    entry = DirectoryEntry(agency_id=agency, kind="worker", entry_id=new_id(), display_name=WORDS[0], reference="W-1")
    text = encode(
        entry,
        event_id=new_id(),
        source="timesheet",
        sequence=1,
        time=runtime.clock.now(),
        traceparent=TRACEPARENT,
        correlation_id="probe-story",
    )
    bus.append(Outgoing(entry.TOPIC, entry.partition_key(), text))
    subscription = spec.subscription(runtime)
    assert subscription is not None
    consumer = Consumer(
        dataclasses.replace(subscription, consumer="logging-probe", handler=refuse),
        database=runtime.worker_database,
        bus=bus,
        clock=runtime.clock,
    )
    await consumer.start()
    await consumer.step()
    try:
        raise ValueError(f"a library failed on {WORDS}")
    except ValueError:
        logging.getLogger("some.library").exception("library.failed")
    await runtime.close()


if __name__ == "__main__":
    asyncio.run(main())
