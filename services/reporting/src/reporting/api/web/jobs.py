"""Commands that outlast a request: they go on when the browser closes, and pages say so until they end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

KEEP_S = 60.0
JOBS_MAX = 200


@dataclass
class Job:
    """One command under way, or just ended."""

    agency_id: UUID
    words: str
    started: float = field(default_factory=time.monotonic)
    ended: float | None = None
    failed: bool = False
    outcome: str = ""

    @property
    def running(self) -> bool:
        return self.ended is None

    def age(self) -> timedelta:
        return timedelta(seconds=int((self.ended or time.monotonic()) - self.started))


class Jobs:
    """The commands of this process. Their effects are in their owner's database; only the words are here."""

    def __init__(self) -> None:
        self._jobs: list[Job] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def of(self, agency_id: UUID) -> list[Job]:
        """Running and just ended commands of an agency."""
        now = time.monotonic()
        self._jobs = [job for job in self._jobs if job.ended is None or now - job.ended < KEEP_S][-JOBS_MAX:]
        return [job for job in self._jobs if job.agency_id == agency_id]

    async def run(self, job: Job, work: Awaitable[str], *, patience_s: float) -> str | None:
        """The outcome if the work ends within `patience_s`; None if it goes on in the background. Errors in time are raised."""
        task = asyncio.ensure_future(work)
        done, _ = await asyncio.wait({task}, timeout=patience_s)
        if done:
            return task.result()
        self._jobs.append(job)
        follower = asyncio.create_task(self._follow(job, task))
        self._tasks.add(follower)
        follower.add_done_callback(self._tasks.discard)
        return None

    async def _follow(self, job: Job, task: asyncio.Future[str]) -> None:
        try:
            job.outcome = await task
        except Exception as error:
            job.failed, job.outcome = True, str(error)
        finally:
            job.ended = time.monotonic()

    async def close(self) -> None:
        """Let go of what still runs: its owner finishes or resumes it."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
