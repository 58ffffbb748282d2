"""How far an import is, told to the service of the pages. An import never fails because nobody could be told."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal
from uuid import UUID

from paybill_importer.client import Services
from paybill_importer.layouts import Kind
from paybill_importer.progress import Journal
from paybill_importer.receipts import Receipt

EVERY_S = 1
TIMEOUT_S = 10
"""So long an import waits to be heard, not longer."""
REFUSALS_MAX = 1_000
"""Refused lines of one import that the pages show; all are in the receipts."""


class Teller:
    """Tells how far an import is, at most once a second; after one failure it stays silent."""

    def __init__(
        self, client: Services, agency_id: UUID, journal: Journal, *, kind: Kind, file_name: str, rows_total: int | None
    ) -> None:
        self._client = client
        self._path = f"/v1/agencies/{agency_id}/imports/{journal.run_id}"
        self._journal = journal
        self._file: dict[str, Any] = {
            "kind": kind.value,
            "file_name": _clean(file_name, 1_000)[-200:] or "file",
            "rows_total": rows_total,
        }
        self._refusals: list[Refusal] = []
        self._told = 0
        self._next_at = 0.0  # not money: a moment
        self.untold = ""
        """Why the pages do not know of it; empty when they do."""

    async def begin(self) -> None:
        await self._put("running")

    async def tell(self, batch: Sequence[Receipt]) -> None:
        """The next batch has its receipts."""
        room = REFUSALS_MAX - self._told - len(self._refusals)
        self._refusals += [shown(one) for one in batch if one.status == "refused"][: max(0, room)]
        if time.monotonic() >= self._next_at:
            await self._put("running")

    async def end(self) -> None:
        self._file["rows_total"] = sum(self._journal.counts.values())
        await self._put("done")

    async def stop(self, why: str) -> None:
        """It broke off; running it again goes on."""
        await self._put("stopped", error=_clean(why, 500))

    async def _put(self, state: Literal["running", "done", "stopped"], **more: str) -> None:
        if self.untold and state == "running":
            return
        counts = {name: self._journal.counts.get(name, 0) for name in ("accepted", "duplicate", "refused")}
        body = {**self._file, **counts, "state": state, "refusals": [asdict(one) for one in self._refusals], **more}
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await self._client.put("reporting", self._path, body)
        except Exception as error:
            self.untold = str(error) or type(error).__name__
        else:
            self.untold = ""
        self._told += len(self._refusals)
        self._refusals = []
        self._next_at = time.monotonic() + EVERY_S


@dataclass(frozen=True)
class Refusal:
    """A refused line as pages show it. `private`: without its value, and only payroll may read why."""

    row: int
    column: str
    value: str
    reason: str
    hint: str
    private: bool = False


def shown(receipt: Receipt) -> Refusal:
    """A refused line in texts that every page and table takes, without a value that only payroll may read."""
    return Refusal(
        receipt.row,
        _clean(receipt.column, 200),
        "" if receipt.private else _clean(receipt.value, 500),
        _clean(receipt.reason, 2_000) or "refused",
        _clean(receipt.hint, 2_000),
        receipt.private,
    )


def _clean(text: str, most: int) -> str:
    """Without what no table stores: control characters, halves of a character."""
    return "".join(ch if ch.isprintable() else " " for ch in text)[:most]
