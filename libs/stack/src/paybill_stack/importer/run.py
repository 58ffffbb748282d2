"""One import from start to end: batches in flight, receipts in row order, progress kept so that it can go on after an interruption."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice, takewhile
from pathlib import Path
from uuid import UUID

from paybill_stack.client import ApiClient
from paybill_stack.importer.layouts import Kind, known_headers, required_columns
from paybill_stack.importer.owners import Destination, send
from paybill_stack.importer.progress import Progress, digest_of
from paybill_stack.importer.reading import CannotReadFile, Row, open_source, read_mapping
from paybill_stack.importer.receipts import Receipt, ReceiptsFile

BATCH_ROWS_MAX = 1_000
IN_FLIGHT = 4
_BATCH_CHARS_MAX = 1_500_000
_TOGETHER = {Kind.HOURS: "placement_ref"}  # a placement's week is checked as a whole


@dataclass(frozen=True)
class Outcome:
    """What an import came to. Exit status: 0 nothing refused, 1 something refused."""

    accepted: int
    duplicate: int
    refused: int
    receipts: Path
    ignored_columns: tuple[str, ...] = ()
    resumed_rows: int = 0

    @property
    def exit_status(self) -> int:
        return 1 if self.refused else 0


@dataclass(frozen=True)
class Options:
    """How a file is read and where its receipts go (default: beside it)."""

    mapping: Path | None = None
    encoding: str = "utf-8"
    receipts: Path | None = None
    batch_rows: int = BATCH_ROWS_MAX
    in_flight: int = IN_FLIGHT
    expected_rows: Callable[[int | None], None] = field(default=lambda _: None)
    report: Callable[[int], None] = field(default=lambda _: None)
    """Told how many more rows have their receipt."""


async def import_file(kind: Kind, path: Path, *, client: ApiClient, agency_id: UUID, options: Options) -> Outcome:
    """Send every line of a file to its owners and write a receipt for each.

    Raises:
        CannotReadFile: the file cannot be used (exit status 2).
        StackError: a service is away or refuses the import as a whole; run the same command again to go on.
    """
    mapping = read_mapping(options.mapping)
    source = open_source(path, known=known_headers(kind), mapping=mapping, encoding=options.encoding)
    missing = [name for name in required_columns(kind) if name not in source.headers]
    if missing:
        raise CannotReadFile(
            f"{path} has no column {', '.join(missing)}; it has {', '.join(source.headers.values()) or 'none that is known'}. "
            "Rename the header, or map it with --mapping"
        )
    options.expected_rows(source.expected_rows)
    receipts_path = options.receipts or path.with_name(f"{path.name}.receipts.csv")
    progress_path = receipts_path.with_name(f"{receipts_path.name}.progress")
    digest = digest_of(
        path, kind, str(agency_id), options.encoding, str(options.batch_rows), repr(sorted(mapping.items()))
    )
    progress = Progress.find(progress_path, digest)
    if not receipts_path.exists() or receipts_path.stat().st_size < progress.receipts_bytes:
        progress = Progress(digest, progress.run_id)
    resumed = sum(progress.counts.values())
    with ReceiptsFile(receipts_path, resume_at=progress.receipts_bytes, counts=progress.counts) as receipts:
        options.report(resumed)
        batches = islice(
            enumerate(_batches(source.rows, options.batch_rows, _TOGETHER.get(kind))), progress.batches_done, None
        )
        progress.save(progress_path)
        waiting: deque[asyncio.Task[list[Receipt]]] = deque()

        def dispatch() -> bool:
            numbered = next(batches, None)
            if numbered is None:
                return False
            number, rows = numbered
            to = Destination(client, agency_id, progress.import_id(), lambda step, n=number: progress.key(n, step))  # type: ignore[misc]
            waiting.append(asyncio.create_task(send(kind, rows, to)))
            return True

        try:
            while len(waiting) < options.in_flight and dispatch():
                pass
            while waiting:
                done = await waiting[0]
                waiting.popleft()
                progress.receipts_bytes = receipts.write(
                    [replace(one, column=source.headers.get(one.column, one.column)) for one in done]
                )
                progress.batches_done += 1
                progress.counts = dict(receipts.counts)
                progress.save(progress_path)
                options.report(len(done))
                dispatch()
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        counts = receipts.counts
    progress_path.unlink(missing_ok=True)
    return Outcome(counts["accepted"], counts["duplicate"], counts["refused"], receipts_path, source.ignored, resumed)


def _batches(rows: Iterator[Row], size: int, together: str | None) -> Iterator[list[Row]]:
    """At most `size` rows and about a megabyte and a half a batch: the same cuts every time the same file is read.

    Neighbouring rows with the same value of the column `together` stay in one batch, unless they alone fill it.
    """
    batch: list[Row] = []
    chars = 0
    for row in rows:
        length = _length(row)
        if batch and (len(batch) >= size or chars + length > _BATCH_CHARS_MAX):
            kept = _same_at_end(batch, row, together)
            yield batch[: len(batch) - kept]
            batch = batch[len(batch) - kept :]
            chars = sum(_length(held) for held in batch)
        batch.append(row)
        chars += length
    if batch:
        yield batch


def _same_at_end(batch: list[Row], row: Row, together: str | None) -> int:
    """How many rows at the batch's end belong with the next row; none when that would be the whole batch."""
    if together is None or together not in row.values:
        return 0
    value = row.values[together]
    same = takewhile(lambda held: held.values.get(together) == value, reversed(batch))
    count = sum(1 for _ in same)
    return 0 if count == len(batch) else count


def _length(row: Row) -> int:
    return sum(len(name) + len(text) + 8 for name, text in row.values.items())
