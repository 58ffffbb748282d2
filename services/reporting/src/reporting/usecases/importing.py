"""Files that people send from a page: checked on the spot, kept, and sent on line by line whether or not anybody watches.

The file lies in the database until its import is over, and each batch's receipts are written with the count of batches, so
a restart, another process or a service that is away for an hour neither loses a line nor sends one twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from uuid import UUID

import structlog

from paybill_common.clock import Clock
from paybill_common.db import Database, is_transient
from paybill_common.ids import new_id
from paybill_importer.client import Away, Refused, Services
from paybill_importer.layouts import Kind, needs
from paybill_importer.reading import CannotReadFile, mapping_of
from paybill_importer.receipts import Receipt, cells_of
from paybill_importer.run import open_file, send_rows
from paybill_importer.telling import shown
from reporting.domain.file_import import FileImport
from reporting.store import imports as store
from reporting.store.imports import NewFile

log = structlog.get_logger()
BATCH_ROWS = 500
BACKOFF_FIRST_S = 2
BACKOFF_MAX_S = 30
AWAY_S = 8
"""After so long a service that does not answer is asked again."""
RENEW_S = store.LEASE_S // 4
RUNBOOK = "docs/runbooks/stuck-import.md"
"""What an operator reads when an import fails on our side."""
ENCODINGS = {"utf-8": "UTF-8", "cp1252": "Windows (Excel’s plain CSV)"}
TRIES_MAX = 12
"""So often a file is begun without a batch getting through, services that are away not counted."""
ServicesOf = Callable[[str, UUID], Services]
"""The doors of the services, in one agency, with the rights that a person has whenever one is asked."""


class Unreadable(Exception):
    """Nothing of the file can be used; the message is for the person who sent it."""


class LostFile(Exception):
    """Another process sends this file now."""


@dataclass(frozen=True)
class Checked:
    """A file that can be sent: how many lines it has (None: only its end tells), and the columns that need each right."""

    rows_total: int | None
    needs: Mapping[str, Sequence[str]]


async def check(kind: Kind, path: Path, *, name: str, encoding: str, headers: Mapping[str, str]) -> Checked:
    """Read a CSV to its end, of a workbook the header. Raises Unreadable."""
    try:
        source = await asyncio.to_thread(open_file, kind, path, mapping=own_headers(headers), encoding=encoding)
    except CannotReadFile as error:
        raise Unreadable(_said(error, path, name)) from error
    return Checked(source.expected_rows, needs(kind, source.headers))


def own_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Our column to the agency's own header, as the reader takes it. Raises CannotReadFile: one header is named twice."""
    return mapping_of(headers, where="The list of your own headers")


async def take(database: Database, clock: Clock, file: NewFile, path: Path) -> bool:
    """Keep the file until it is sent. False: the same form was sent before."""
    async with database.transaction(now=clock.now(), agencies=[file.agency_id]) as tx:
        with path.open("rb") as source:
            return await store.take(tx, file, iter(lambda: source.read(store.PART_BYTES), b""))


class Sender:
    """Sends the files that wait, one after the other; one that cannot go on steps aside for those of other agencies."""

    def __init__(self, database: Database, clock: Clock, services_of: ServicesOf) -> None:
        self._database = database
        self._clock = clock
        self._services_of = services_of
        self._me = new_id()

    async def send_next(self, stop: asyncio.Event) -> bool:
        """Send the oldest file that nobody sends: to its end, until it is held, or until `stop`. False when there is none."""
        async with self._database.transaction(now=self._clock.now()) as tx:
            file = await store.claim(tx, by=self._me)
        if file is None:
            return False
        tasks = [asyncio.create_task(work) for work in (self._send(file), self._renew(file), stop.wait())]
        sending = tasks[0]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if sending.cancelled():
            await self._release(file)  # told to stop, or lost to another process: then this changes nothing
        elif (error := sending.exception()) is not None:
            await self._stumbled(file, error)
        return True

    async def _send(self, file: FileImport) -> None:
        if file.tries > TRIES_MAX:
            log.error("import.failed", import_id=str(file.import_id), tries=TRIES_MAX, action=RUNBOOK)
            text = f"{file.error or 'It was begun'} After {TRIES_MAX} tries without a step on, no more is sent."
            await self._end(file, text, "Import it again when the cause is gone; tell whoever runs this.")
            return
        journal = DatabaseJournal(self._database, self._clock, file)
        with tempfile.TemporaryDirectory(prefix="paybill-import-") as folder:
            path = Path(folder) / "file"
            await self._unpack(file, path)
            try:
                await self._send_rows(file, path, journal)
            except CannotReadFile as error:
                await self._end(file, _said(error, path, file.file_name), "Correct the file and import it again.")
            except Refused as error:
                await self._end(file, error.detail, error.hint)
            else:
                await self._end(file)

    async def _stumbled(self, file: FileImport, error: BaseException) -> None:
        """Something kept it: it is tried again, in a while and not without end."""
        if isinstance(error, LostFile):
            log.warning("import.lost", import_id=str(file.import_id))
            return
        seconds = min(BACKOFF_FIRST_S * 2 ** min(file.tries, 10), BACKOFF_MAX_S)
        if isinstance(error, Away):
            log.warning("import.held", import_id=str(file.import_id), error=error)
            await self._hold(file, str(error), max(seconds, AWAY_S), fault=error.fault)
        elif is_transient(error):
            log.warning("import.held", import_id=str(file.import_id), error=error)
            await self._hold(file, "Our own database or disk gave way.", seconds, fault=True)
        else:
            log.error("import.stumbled", import_id=str(file.import_id), error=error, action=RUNBOOK, exc_info=error)
            await self._hold(file, "Something went wrong on our side.", seconds, fault=True)

    async def _send_rows(self, file: FileImport, path: Path, journal: DatabaseJournal) -> None:
        kind, mapping = Kind(file.kind), own_headers(file.headers or {})
        encoding = file.encoding or "utf-8"
        source = await asyncio.to_thread(open_file, kind, path, mapping=mapping, encoding=encoding, checked=True)
        await send_rows(
            kind,
            source,
            client=self._services_of(file.subject, file.agency_id),
            agency_id=file.agency_id,
            journal=journal,
            kept=_nothing,
            batch_rows=file.batch_rows or BATCH_ROWS,
        )

    async def _unpack(self, file: FileImport, path: Path) -> None:
        with path.open("wb") as sink:
            for part in count():
                async with self._database.transaction(now=self._clock.now(), read_only=True) as tx:
                    piece = await store.content(tx, agency_id=file.agency_id, import_id=file.import_id, part=part)
                if piece is None:
                    return
                sink.write(piece)

    async def _renew(self, file: FileImport) -> None:
        """Until the file is lost to another process."""
        while True:
            await asyncio.sleep(RENEW_S)
            with contextlib.suppress(Exception):  # the next time, or another process takes over
                async with self._database.transaction(now=self._clock.now()) as tx:
                    if not await store.renew(tx, file):
                        return

    async def _hold(self, file: FileImport, error: str, seconds: int, *, fault: bool) -> None:
        async with self._database.transaction(now=self._clock.now()) as tx:
            await store.hold(tx, file, error=error, seconds=seconds, fault=fault)

    async def _end(self, file: FileImport, error: str | None = None, hint: str | None = None) -> None:
        async with self._database.transaction(now=self._clock.now()) as tx:
            await store.end(tx, file, error=error, hint=hint)

    async def _release(self, file: FileImport) -> None:
        async with self._database.transaction(now=self._clock.now()) as tx:
            await store.release(tx, file)

    async def sweep(self) -> None:
        """Forget, of every agency, what is over for a month."""
        async with self._database.transaction(now=self._clock.now()) as tx:
            await store.sweep(tx)


class DatabaseJournal:
    """What an import remembers, in the database. Raises LostFile when another process has kept the same batch."""

    def __init__(self, database: Database, clock: Clock, file: FileImport) -> None:
        self._database = database
        self._clock = clock
        self._file = file
        self._batches_done = file.batches_done
        self._counts = Counter(accepted=file.accepted, duplicate=file.duplicate, refused=file.refused)

    @property
    def run_id(self) -> UUID:
        return self._file.import_id

    @property
    def batches_done(self) -> int:
        return self._batches_done

    @property
    def counts(self) -> Mapping[str, int]:
        return self._counts

    async def keep(self, receipts: Sequence[Receipt]) -> None:
        counts = Counter(str(one.status) for one in receipts)
        refused = [shown(one) for one in receipts if one.status == "refused"]
        async with self._database.transaction(now=self._clock.now()) as tx:
            kept = await store.keep_batch(
                tx, self._file, batch=self._batches_done, counts=counts, lines=_csv(receipts), refused=refused
            )
        if not kept:
            raise LostFile
        self._batches_done += 1
        self._counts += counts


def _csv(receipts: Sequence[Receipt]) -> str:
    """Lines of receipts, without values that only payroll may read."""
    sink = io.StringIO()
    csv.writer(sink).writerows(cells_of(replace(one, value="") if one.private else one) for one in receipts)
    return sink.getvalue()


def _said(error: CannotReadFile, path: Path, name: str) -> str:
    """The reader's words about the file as its sender knows it."""
    return str(error).replace(str(path), name)[:2_000].replace("\x00", " ")


async def _nothing(_: Sequence[Receipt]) -> None:
    """The journal tells the pages itself."""
