"""How far an import is, told to the service of the pages. An import never fails because nobody could be told."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal
from uuid import UUID

from paybill_importer.client import Services
from paybill_importer.layouts import Kind
from paybill_importer.progress import Journal
from paybill_importer.receipts import Receipt

EVERY_S = 1
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
        self._file = {"kind": kind.value, "file_name": file_name[-200:], "rows_total": rows_total}
        self._refusals: list[Shown] = []
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
        await self._put("done")

    async def stop(self, why: str) -> None:
        """It broke off; running it again goes on."""
        await self._put("stopped", error=why[:500])

    async def _put(self, state: Literal["running", "done", "stopped"], **more: str) -> None:
        if self.untold:
            return
        counts = {name: self._journal.counts.get(name, 0) for name in ("accepted", "duplicate", "refused")}
        body = {**self._file, **counts, "state": state, "refusals": [asdict(one) for one in self._refusals], **more}
        try:
            await self._client.put("reporting", self._path, body)
        except Exception as error:
            self.untold = str(error) or type(error).__name__
        self._told += len(self._refusals)
        self._refusals = []
        self._next_at = time.monotonic() + EVERY_S


@dataclass(frozen=True)
class Shown:
    """A refused line as pages show it."""

    row: int
    column: str
    value: str
    reason: str
    hint: str


def shown(receipt: Receipt) -> Shown:
    """A refused line, without a value that only payroll or compliance may read."""
    value = "" if receipt.private else receipt.value
    return Shown(receipt.row, receipt.column, value, receipt.reason, receipt.hint)
