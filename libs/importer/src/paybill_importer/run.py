"""One import from start to end: batches in flight, receipts in row order, kept so that it can go on after an interruption."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, takewhile
from pathlib import Path
from uuid import UUID

from paybill_importer.client import Services
from paybill_importer.layouts import Kind, known_headers, private_columns, required_columns
from paybill_importer.owners import Destination, send
from paybill_importer.progress import FileJournal, Journal, digest_of, key_of
from paybill_importer.reading import CannotReadFile, Row, Source, open_source, read_mapping
from paybill_importer.receipts import Receipt
from paybill_importer.telling import Teller

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
    untold: str = ""
    """Why the pages do not show it; empty when they do."""

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


def open_file(
    kind: Kind, path: Path, *, mapping: dict[str, str] | None = None, encoding: str = "utf-8", checked: bool = False
) -> Source:
    """Open a file of this kind and check its header; unless `checked` before, also that a CSV can be read to its end.

    Raises:
        CannotReadFile: nothing of it can be used.
    """
    source = open_source(path, known=known_headers(kind), mapping=mapping or {}, encoding=encoding, checked=checked)
    missing = [name for name in required_columns(kind) if name not in source.headers]
    if missing:
        raise CannotReadFile(
            f"{path} has no column {', '.join(missing)}; it has {', '.join(source.headers.values()) or 'none that is known'}. "
            "Rename the header, or say which of your headers it is"
        )
    return source


async def import_file(kind: Kind, path: Path, *, client: Services, agency_id: UUID, options: Options) -> Outcome:
    """Send every line of a file to its owners, write a receipt for each, and tell the pages how far it is.

    Raises:
        CannotReadFile: the file cannot be used (exit status 2).
        Refused, or whatever else `client` raises: the import as a whole is refused or a service is away; run it again
            to go on.
    """
    mapping = read_mapping(options.mapping)
    source = open_file(kind, path, mapping=mapping, encoding=options.encoding)
    options.expected_rows(source.expected_rows)
    receipts = options.receipts or path.with_name(f"{path.name}.receipts.csv")
    digest = digest_of(
        path, kind, str(agency_id), options.encoding, str(options.batch_rows), repr(sorted(mapping.items()))
    )
    with FileJournal(receipts, digest) as journal:
        resumed = sum(journal.counts.values())
        options.report(resumed)
        teller = Teller(client, agency_id, journal, kind=kind, file_name=path.name, rows_total=source.expected_rows)

        async def kept(batch: Sequence[Receipt]) -> None:
            options.report(len(batch))
            await teller.tell(batch)

        await teller.begin()
        try:
            await send_rows(
                kind,
                source,
                client=client,
                agency_id=agency_id,
                journal=journal,
                kept=kept,
                batch_rows=options.batch_rows,
                in_flight=options.in_flight,
            )
        except Exception as error:
            await teller.stop(str(error))
            raise
        await teller.end()
        counts = dict(journal.counts)
    return Outcome(
        counts.get("accepted", 0),
        counts.get("duplicate", 0),
        counts.get("refused", 0),
        receipts,
        source.ignored,
        resumed,
        teller.untold,
    )


async def send_rows(
    kind: Kind,
    source: Source,
    *,
    client: Services,
    agency_id: UUID,
    journal: Journal,
    kept: Callable[[Sequence[Receipt]], Awaitable[None]],
    batch_rows: int = BATCH_ROWS_MAX,
    in_flight: int = IN_FLIGHT,
) -> None:
    """Send what the journal has no receipts of yet. `batch_rows` must be the same each time an import goes on."""
    batches = islice(enumerate(_batches(source.rows, batch_rows, _TOGETHER.get(kind))), journal.batches_done, None)
    waiting: deque[asyncio.Task[list[Receipt]]] = deque()

    async def dispatch() -> bool:
        numbered = await asyncio.to_thread(next, batches, None)  # going on reads past all that is done
        if numbered is None:
            return False
        number, rows = numbered
        to = Destination(client, agency_id, journal.run_id, lambda step: key_of(journal.run_id, number, step))
        waiting.append(asyncio.create_task(send(kind, rows, to)))
        return True

    try:
        while len(waiting) < in_flight and await dispatch():
            pass
        while waiting:
            done = [_in_their_words(kind, source, one) for one in await waiting[0]]
            waiting.popleft()
            await journal.keep(done)
            await kept(done)
            await dispatch()
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


def _in_their_words(kind: Kind, source: Source, receipt: Receipt) -> Receipt:
    """The receipt with the column as the file heads it."""
    private = receipt.private or receipt.column in private_columns(kind)
    return replace(receipt, column=source.headers.get(receipt.column, receipt.column), private=private)


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
    """About its length in JSON, where a character beyond ASCII is written with six."""
    return sum(len(name) + len(text) * (1 if text.isascii() else 6) + 8 for name, text in row.values.items())
