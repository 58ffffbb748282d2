"""Five times the lines take no more memory: a file goes through the importer in batches, never as a whole.

Of a workbook the XML reader keeps an empty element a row, 90 to 165 bytes as collections fall: 100,000 lines take some 16 MB at most, where
their cells would take hundreds.
"""

from __future__ import annotations

import gc
import json
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import httpx
import openpyxl
import pytest

from paybill_importer.layouts import Kind
from paybill_importer.run import Options, import_file
from paybill_stack.client import ApiClient, Credentials

AGENCY = UUID("0197a000-0000-7000-8000-0000000000aa")
URLS = {name: f"http://{name}.test" for name in ("timesheet", "reporting")}
HEADERS = ("Placement ref", "Date", "Hours")
FEW, MANY = 2_000, 10_000
BATCH_ROWS = 200
"""With four batches in flight even the small file does not fit at once."""
GROWTH_MAX_BYTES = 256 * 1024
"""The many lines' text alone is over a megabyte when it is held as rows."""
ROW_OF_XML_MAX_BYTES = 320


def _line(number: int) -> tuple[str, str, str]:
    return f"PLACEMENT-{number:06}", "30/03/2026", "7.5"


def _csv(path: Path, rows: int) -> Path:
    with path.open("w", encoding="utf-8") as sink:
        sink.write(",".join(HEADERS) + "\n")
        sink.writelines(",".join(_line(number)) + "\n" for number in range(rows))
    return path


def _xlsx(path: Path, rows: int) -> Path:
    """Texts inside their cells, as exports write them; a workbook's table of shared texts is bounded by its unpacked size."""
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(HEADERS)
    for number in range(rows):
        sheet.append(_line(number))
    book.save(path)
    return path


def _accepts(request: httpx.Request) -> httpx.Response:
    """A service that takes everything and remembers nothing."""
    if request.url.path == "/oauth/token":
        return httpx.Response(200, json={"access_token": "t", "expires_in": 900})
    rows = json.loads(request.content)["rows"]
    return httpx.Response(200, json={"receipts": [{"row": row["row"], "status": "accepted"} for row in rows]})


async def _peak_bytes(path: Path, rows: int) -> int:
    async with ApiClient(URLS, Credentials("c", "s"), [AGENCY], transport=httpx.MockTransport(_accepts)) as client:
        options = Options(batch_rows=BATCH_ROWS)
        tracemalloc.start()
        try:
            outcome = await import_file(Kind.HOURS, path, client=client, agency_id=AGENCY, options=options)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert (outcome.accepted, outcome.refused) == (rows, 0)
    return peak


@pytest.fixture(autouse=True)
def _collections_of_a_command() -> Iterator[None]:
    """The command line collects as Python does by itself; the tests, like the services, seldom."""
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*before)


@pytest.mark.parametrize(
    ("write", "suffix", "row_max_bytes"), [(_csv, "csv", 0), (_xlsx, "xlsx", ROW_OF_XML_MAX_BYTES)], ids=["csv", "xlsx"]
)
async def test_memory_does_not_grow_with_the_file(
    tmp_path: Path, write: Callable[[Path, int], Path], suffix: str, row_max_bytes: int
) -> None:
    await _peak_bytes(write(tmp_path / f"first.{suffix}", BATCH_ROWS), BATCH_ROWS)  # what is loaded once is loaded
    few = await _peak_bytes(write(tmp_path / f"few.{suffix}", FEW), FEW)
    many = await _peak_bytes(write(tmp_path / f"many.{suffix}", MANY), MANY)
    growth_max = GROWTH_MAX_BYTES + (MANY - FEW) * row_max_bytes
    assert many - few < growth_max, f"{few:,} bytes for {FEW} lines, {many:,} for {MANY}"
