"""Commands that outlast a request: they go on when the browser closes, and pages say so until they end.

What was asked and heard is in the database, so a restart forgets nothing; how far it is, the owner tells (`work.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass

import structlog

from paybill_common.clock import Clock
from paybill_common.db import Database
from reporting.api.forward import Away, Refused, refusal
from reporting.store import work as store
from reporting.store.work import NewWork

log = structlog.get_logger()


@dataclass(frozen=True)
class Heard:
    """What an owner answered. `goes_on`: it has begun and ends by itself."""

    words: str
    goes_on: bool = False


class Jobs:
    """Follows the commands that this process has sent."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(
        self, new: NewWork, sent: Awaitable[Heard], *, patience_s: float, remember: bool = False
    ) -> Heard | None:
        """What was heard if that is within `patience_s`; None if the work goes on in the background. Errors in time are raised.

        `remember` keeps the command from the start and not only when patience is over: work with a page of its own.
        """
        if remember:
            await self._begin(new)
        task = asyncio.ensure_future(sent)
        try:
            done, _ = await asyncio.wait({task}, timeout=patience_s)
        except asyncio.CancelledError:
            self._let_follow(new, task)  # the browser is gone, the command is not
            raise
        if not done:
            if not remember:
                await self._begin(new)
            self._let_follow(new, task)
            return None
        if remember:
            await self._settle(new, task)
        return task.result()

    def _let_follow(self, new: NewWork, task: asyncio.Future[Heard]) -> None:
        follower = asyncio.create_task(self._follow(new, task))
        self._tasks.add(follower)
        follower.add_done_callback(self._tasks.discard)

    async def _settle(self, new: NewWork, task: asyncio.Future[Heard]) -> None:
        """Keep what was heard in time; what was refused is said on the spot and needs no following."""
        if task.exception() is not None:
            async with self._database.transaction(now=self._clock.now(), agencies=[new.agency_id]) as tx:
                await store.forget(tx, agency_id=new.agency_id, work_id=new.work_id)
        else:
            await self._hear(new, task.result())

    async def _follow(self, new: NewWork, task: asyncio.Future[Heard]) -> None:
        try:
            heard = await task
        except Away as error:
            if new.week_ending is None:
                await self._fail(new, error)
            else:
                log.warning("command.unheard", command=new.command, agency_id=str(new.agency_id), error=error)
        except Exception as error:
            await self._fail(new, error)
        else:
            await self._hear(new, heard)

    async def _begin(self, new: NewWork) -> None:
        async with self._database.transaction(now=self._clock.now(), agencies=[new.agency_id]) as tx:
            await store.begin(tx, new)

    async def _hear(self, new: NewWork, heard: Heard) -> None:
        async with self._database.transaction(now=self._clock.now(), agencies=[new.agency_id]) as tx:
            if heard.goes_on:
                await store.goes_on(tx, agency_id=new.agency_id, work_id=new.work_id)
            else:
                await store.end(tx, agency_id=new.agency_id, work_id=new.work_id, outcome=heard.words)

    async def _fail(self, new: NewWork, error: Exception) -> None:
        if isinstance(error, Refused):
            failure = {"text": error.detail, **refusal(error)}
        elif isinstance(error, Away):
            failure = {"text": str(error), "hint": "Look whether it was done before you press again."}
        else:
            log.error("command.failed", command=new.command, agency_id=str(new.agency_id), exc_info=error)
            failure = {"text": "Something went wrong on our side.", "hint": "Try again."}
        async with self._database.transaction(now=self._clock.now(), agencies=[new.agency_id]) as tx:
            await store.end(tx, agency_id=new.agency_id, work_id=new.work_id, outcome=failure["text"], failure=failure)

    async def close(self) -> None:
        """Let go of what still runs: its owner finishes or resumes it."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
