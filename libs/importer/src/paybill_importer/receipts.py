"""The receipts file: one line for each line of the import, safe to open in a spreadsheet."""

import csv
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal

HEADER = ("row", "status", "column", "value", "reason", "hint")
Status = Literal["accepted", "duplicate", "refused"]
_LIVE = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")
_NUMBER = re.compile(r"[+-]?\d+(?:[.,:]\d+)*")


@dataclass(frozen=True)
class Receipt:
    """What became of one line."""

    row: int
    status: Status
    column: str = ""
    value: str = ""
    reason: str = ""
    hint: str = ""
    private: bool = False
    """It speaks of what only payroll may read."""


def inert(cell: str) -> str:
    """The cell so that no spreadsheet runs it: text that could be a formula gets an apostrophe before it."""
    flat = " ".join(cell.split())
    risky = cell.lstrip(" ").startswith(_LIVE) and not _NUMBER.fullmatch(flat)
    return f"'{flat}" if risky else flat


def cells_of(receipt: Receipt) -> list[str]:
    """A receipt's line under `HEADER`."""
    cells = (receipt.column, receipt.value, receipt.reason, receipt.hint)
    return [str(receipt.row), receipt.status, *map(inert, cells)]


class ReceiptsFile:
    """Appends receipts in row order and counts them; `position` is where a later run may go on."""

    def __init__(self, path: Path, *, resume_at: int = 0, counts: dict[str, int] | None = None) -> None:
        self.path = path
        self.counts: Counter[str] = Counter(counts or {})
        going_on = resume_at > 0 and path.exists() and path.stat().st_size >= resume_at
        self._file = path.open("r+" if going_on else "w+", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file)
        if going_on:
            self._file.truncate(resume_at)
            self._file.seek(resume_at)
        else:
            self._writer.writerow(HEADER)

    def __enter__(self) -> "ReceiptsFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def write(self, receipts: Iterable[Receipt]) -> int:
        """Append, flush, and return the file's length in bytes."""
        for receipt in receipts:
            self.counts[receipt.status] += 1
            self._writer.writerow(cells_of(receipt))
        self._file.flush()
        return self._file.tell()
