"""E-mails leave after the commit that wrote them; one that cannot be sent stays and says why."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

import pytest

from timesheet.store.approvals import Mail
from timesheet.usecases import mailing

pytestmark = pytest.mark.integration
WEEK = "2026-04-05"


async def test_mail_leaves_by_itself_until_told_to_stop(house: Any) -> None:
    await house.post(f"/weeks/{WEEK}/open")
    assert (await house.post(f"/weeks/{WEEK}/chase"))["chased"] == 3
    runtime, stop = house.runtime, asyncio.Event()
    sending = asyncio.create_task(mailing.send_forever(runtime.worker_database, runtime.clock, runtime.settings, stop))
    sent: list[str] = []
    for _ in range(200):
        async with runtime.worker_database.transaction(now=runtime.clock.now()) as tx:
            own = "SELECT to_email FROM mail WHERE agency_id = :a AND sent_at IS NOT NULL"
            sent = [row.to_email for row in await tx.execute(own, a=house.agency_id)]
        if len(sent) >= 3:
            break
        await asyncio.sleep(0.05)
    stop.set()
    await asyncio.wait_for(sending, timeout=10)
    assert sent.count("worker1@example.com") == 2
    letters = [path.read_text() for path in runtime.settings.mail_dir.glob("hours_missing-*.eml")]
    assert len([letter for letter in letters if "worker1@example.com" in letter]) >= 2, (
        "the sink holds other agencies' too"
    )
    assert not list(runtime.settings.mail_dir.glob("*.part"))


async def test_mail_that_fails_is_tried_again_and_keeps_its_error(house: Any) -> None:
    timesheet_id = await house.draft()
    await house.post(f"/weeks/{WEEK}/chase", {"timesheet_ids": [timesheet_id]})
    runtime = house.runtime

    def broken(_message: EmailMessage, mail: Mail) -> None:
        if mail.to_email == "worker1@example.com":
            raise ConnectionRefusedError("no server here")

    await mailing.send_pending(runtime.worker_database, runtime.clock, broken, sender="a@paybill.example")
    async with runtime.worker_database.transaction(now=runtime.clock.now()) as tx:
        row = (await tx.execute("SELECT * FROM mail WHERE agency_id = :a", a=house.agency_id)).one()
    assert (row.sent_at, row.attempts) == (None, 1)
    assert "no server here" in row.error
    assert row.retry_at > datetime.now(UTC)

    async def again() -> int:
        deliver = mailing.deliverer(runtime.settings)
        return await mailing.send_pending(runtime.worker_database, runtime.clock, deliver, sender="a@paybill.example")

    assert await again() == 0, "its time has not come"
    async with runtime.worker_database.transaction(now=runtime.clock.now()) as tx:
        await tx.execute("UPDATE mail SET retry_at = clock_timestamp() WHERE agency_id = :a", a=house.agency_id)
    assert await again() == 1
