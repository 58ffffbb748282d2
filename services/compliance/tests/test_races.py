"""What is recorded against what is decided at the same time, on two real connections.

One side stands still inside its transaction; the other goes on until it waits for a lock, or is done.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest

from compliance.app import SPEC
from compliance.store import facts
from compliance.subscriptions import handle
from compliance.usecases import evidence
from compliance.usecases.deciding import decide_weeks
from compliance.usecases.evidence import NewDocument
from paybill_common.bus import Record
from paybill_common.db import Tx
from paybill_common.envelope import Batch, decode, encode
from paybill_common.ids import new_id
from paybill_common.service import Runtime
from paybill_contracts.timesheet import TimesheetApproved
from paybill_contracts.topics import contracts_root

pytestmark = pytest.mark.integration
EXAMPLE = json.loads((contracts_root() / "examples" / "paybill.timesheet.approved.v1.json").read_text())["data"]


class Agency:
    """Two workers in the order in which they are locked, a week of each at one client; the first one's umbrella comes last."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime, self.id, self.client = runtime, new_id(), new_id()
        self.workers = sorted(new_id() for _ in range(2))
        self.umbrellas = sorted((new_id() for _ in range(2)), reverse=True)
        self.timesheets = [new_id() for _ in range(2)]

    def transaction(self) -> Any:
        return self.runtime.worker_database.transaction(now=self.runtime.clock.now())

    def weeks(self) -> Batch:
        return Batch([self._approved(n) for n in range(2)])

    def _approved(self, n: int) -> Any:
        theirs = {"worker_id": self.workers[n], "payee_id": self.umbrellas[n], "timesheet_id": self.timesheets[n]}
        data = TimesheetApproved.model_validate(
            EXAMPLE | {"agency_id": self.id, "client_id": self.client, "pay_basis": "umbrella"} | theirs
        )
        text = encode(
            data,
            event_id=new_id(),
            source="timesheet",
            sequence=data.version,
            time=datetime(2026, 4, 7, tzinfo=UTC),
            traceparent=None,
            correlation_id="test",
        )
        return decode(Record(data.TOPIC, 0, 0, data.partition_key(), text))

    def documents(self) -> list[NewDocument]:
        return [NewDocument(new_id(), worker, "right_to_work", date(2026, 1, 1), None, None) for worker in self.workers]

    async def does(self, act: Callable[[Tx, Agency], Awaitable[Any]]) -> None:
        async with self.transaction() as tx:
            await act(tx, self)

    async def waits_for_a_lock(self, task: asyncio.Task[None]) -> bool:
        """Whether the task came to stand before a lock; False when it ended instead."""
        async with asyncio.timeout(60):
            while not task.done():
                async with self.transaction() as tx:
                    found = await tx.execute(
                        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
                    )
                    if found.scalar_one():
                        return True
                await asyncio.sleep(0.01)
        return False

    async def stale(self) -> int:
        """How many of the weeks that stand decided would be decided otherwise by what is known now."""
        async with self.transaction() as tx:
            weeks = await facts.decisions(tx, agency_id=self.id)
            assert [(row.timesheet_id, row.decided) for row in weeks] == [(t, True) for t in self.timesheets]
            return await decide_weeks(tx, weeks=weeks, actor="tester")


async def arrive(tx: Tx, agency: Agency) -> None:
    await handle(tx, agency.weeks())


async def record(tx: Tx, agency: Agency) -> None:
    await evidence.record_documents(tx, agency_id=agency.id, documents=agency.documents(), by="clerk")


async def require(tx: Tx, agency: Agency) -> None:
    await evidence.set_requirement(
        tx, agency_id=agency.id, code="dbs", title="DBS", blocks=["pay"], external_id=None, by="clerk"
    )


async def require_at_the_client(tx: Tx, agency: Agency) -> None:
    await _rule(tx, agency, code="nmc_pin")


async def spare_the_client(tx: Tx, agency: Agency) -> None:
    await evidence.remove_client_requirement(
        tx, agency_id=agency.id, client_id=agency.client, code="dbs_of_the_client", by="clerk"
    )


async def approve_the_umbrellas(tx: Tx, agency: Agency) -> None:
    umbrellas: list[tuple[UUID, str, str | None]] = [(payee, "approved", None) for payee in sorted(agency.umbrellas)]
    await evidence.set_umbrellas(tx, agency_id=agency.id, umbrellas=umbrellas, by="clerk")


async def _rule(tx: Tx, agency: Agency, code: str) -> None:
    await evidence.set_client_requirement(
        tx, agency_id=agency.id, client_id=agency.client, code=code, required=True, blocks=["bill"], by="clerk"
    )


CHANGES = [require, require_at_the_client, spare_the_client, approve_the_umbrellas]


@pytest.fixture
async def agency(runtime_of: Callable[..., Runtime]) -> Agency:
    """With a rule of its client that can be taken away."""
    agency = Agency(runtime_of(SPEC))
    async with agency.transaction() as tx:
        await _rule(tx, agency, code="dbs_of_the_client")
    return agency


class TestAWeekThatArrives:
    """It may not be decided by rules that somebody changes meanwhile: nobody would look at it again."""

    @pytest.mark.parametrize("change", CHANGES)
    async def test_while_the_rules_change_waits_for_them(self, agency: Agency, change: Any) -> None:
        async with agency.transaction() as tx:
            await change(tx, agency)
            arriving = asyncio.create_task(agency.does(arrive))
            assert await agency.waits_for_a_lock(arriving)
        await arriving
        assert await agency.stale() == 0

    @pytest.mark.parametrize("change", CHANGES)
    async def test_just_before_the_rules_change_is_decided_again(
        self, agency: Agency, change: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The change begins when the consumer has read the rules and stored no decision yet."""
        save, changing = facts.save_decisions, list[asyncio.Task[None]]()

        async def save_later(tx: Tx, made: Any, *, now: datetime) -> None:
            if not changing:
                changing.append(asyncio.create_task(agency.does(change)))
                await agency.waits_for_a_lock(changing[0])
            await save(tx, made, now=now)

        monkeypatch.setattr(facts, "save_decisions", save_later)
        await agency.does(arrive)
        await changing[0]
        monkeypatch.undo()
        assert await agency.stale() == 0


@pytest.mark.parametrize("change", CHANGES)
async def test_a_change_waits_for_workers_with_nothing_in_hand_that_a_document_needs(
    agency: Agency, change: Any
) -> None:
    """Whoever has the first worker may go on to the others and to the audit trail, or the two stop each other for good."""
    await agency.does(arrive)
    async with agency.transaction() as tx:
        await facts.lock_workers(tx, [(agency.id, agency.workers[0])])
        changing = asyncio.create_task(agency.does(change))
        assert await agency.waits_for_a_lock(changing)
        await record(tx, agency)
    await changing
    assert await agency.stale() == 0
