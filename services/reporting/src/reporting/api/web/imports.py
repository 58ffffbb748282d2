"""Files from a person's disk: checked on the spot, sent on in the background, each with a page that says how far it is."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.datastructures import UploadFile

from paybill_common.http.problems import Problem, not_found
from paybill_common.ids import derived_id
from paybill_importer.layouts import LAYOUTS, Kind, private_columns
from paybill_importer.reading import CannotReadFile
from paybill_importer.receipts import HEADER
from reporting.api.importing import waits
from reporting.api.web.commands import texts
from reporting.api.web.context import (
    Visitor,
    check_csrf,
    database,
    newest_week,
    now,
    page,
    reading,
    redirect,
    say,
    visitor,
)
from reporting.api.web.overview import Act
from reporting.api.web.route import PageRoute
from reporting.domain import file_import as rules
from reporting.domain import show
from reporting.domain import work as work_rules
from reporting.domain.file_import import FileImport
from reporting.domain.tidy import Fact
from reporting.domain.words import State
from reporting.store import imports as store
from reporting.store import work as work_store
from reporting.store.imports import NewFile
from reporting.usecases import importing
from reporting.usecases.importing import ENCODINGS, Unreadable

router = APIRouter(route_class=PageRoute, include_in_schema=False)
LISTED = 20
SHOWN = 100
"""Refused lines on the page; the rest are in the receipts."""
STEP = 10
UPLOADS_AT_ONCE = asyncio.Semaphore(3)
"""Each lies on disk twice while it is read."""
COLUMNS_MAX = 100
HEADER_CHARS_MAX = 80
RIGHT = "write"
PAY = "pay:read"
PRIVATE_KINDS = frozenset(kind.value for kind in Kind if private_columns(kind))
BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"
"""By it Excel knows UTF-8."""
UPLOADS = r"^/agencies/[0-9a-fA-F-]{36}/imports$"
"""Where files come in that are larger than other requests may be."""


@router.get("/agencies/{agency_id}/imports")
async def imports_page(request: Request, agency_id: UUID, kind: Annotated[Kind, Query()] = Kind.HOURS) -> Response:
    """Send a file, and see those of the last month."""
    who = await visitor(request)
    who.agency(agency_id)
    return await _form(request, who, agency_id, kind=kind)


@router.post("/agencies/{agency_id}/imports")
async def send_file(request: Request, agency_id: UUID) -> Response:
    """Take a file: an unreadable one is refused on the spot, any other is sent on and followed on its page."""
    who = await visitor(request)
    who.agency(agency_id)
    _check_right(who)
    async with UPLOADS_AT_ONCE, request.form(max_files=1, max_fields=10) as raw:
        form = texts(raw)
        check_csrf(who, form.get("csrf"))
        kind, encoding = _kind(form), form.get("encoding", "utf-8")
        file = raw.get("file")
        if not isinstance(file, UploadFile) or not file.filename:
            return await _form(request, who, agency_id, kind=kind, wrong="Choose a file first.")
        if encoding not in ENCODINGS:
            raise Problem(422, "invalid_request", "The form names no encoding that is known.", hint="Reload the page.")
        name = _name(file.filename)
        async with reading(request, agency_id) as tx:
            headers = (await store.headers_of(tx, agency_id=agency_id)).get(kind.value, {})
        with tempfile.TemporaryDirectory(prefix="paybill-upload-") as folder:
            path = Path(folder) / "file"
            digest = await asyncio.to_thread(_write, file, path)
            try:
                checked = await importing.check(kind, path, name=name, encoding=encoding, headers=headers)
            except Unreadable as error:
                return await _form(request, who, agency_id, kind=kind, wrong=str(error), encoding=encoding)
            lacking = {right: columns for right, columns in checked.needs.items() if not who.may(right)}
            if lacking:
                return await _form(request, who, agency_id, kind=kind, wrong=rules.lacking(lacking), encoding=encoding)
            new = NewFile(
                agency_id=agency_id,
                import_id=derived_id(
                    "ui-import", agency_id, who.principal.subject, form.get("key"), kind, encoding, name, digest
                ),
                kind=kind.value,
                file_name=name,
                rows_total=checked.rows_total,
                encoding=encoding,
                headers=headers,
                batch_rows=importing.BATCH_ROWS,
                subject=who.principal.subject,
                name=who.principal.name,
            )
            await importing.take(database(request), request.app.state.clock, new, path)
    waits(request.app.state.runtime.state).set()
    return redirect(_page_of(agency_id, new.import_id))


@router.post("/agencies/{agency_id}/imports/headers/{kind}")
async def keep_headers(request: Request, agency_id: UUID, kind: Kind) -> Response:
    """Remember how the agency's own files of this kind head the columns; an empty field is our own name again."""
    who = await visitor(request)
    who.agency(agency_id)
    form = texts(await request.form(max_files=0, max_fields=COLUMNS_MAX))
    check_csrf(who, form.get("csrf"))
    _check_right(who)
    given = {column.name: form.get(f"header.{column.name}", "").strip()[:HEADER_CHARS_MAX] for column in LAYOUTS[kind]}
    headers = {ours: theirs for ours, theirs in given.items() if theirs}
    try:
        importing.own_headers(headers)
    except CannotReadFile as error:
        await say(request, who, "blocked", f"Not kept: {error}.", hint="Name each of your headers once.")
    else:
        async with database(request).transaction(now=now(request), agencies=[agency_id]) as tx:
            await store.keep_headers(tx, agency_id=agency_id, kind=kind.value, headers=headers, name=who.principal.name)
        await say(
            request, who, "done", f"Kept: how your files head the columns of {rules.WORDS[kind.value].name.lower()}."
        )
    return redirect(f"/agencies/{agency_id}/imports?kind={kind.value}#columns-{kind.value}")


@router.get("/agencies/{agency_id}/imports/columns/{kind}.csv")
async def columns_file(request: Request, agency_id: UUID, kind: Kind) -> Response:
    """An empty file of this kind: its header line alone."""
    who = await visitor(request)
    who.agency(agency_id)
    sink = io.StringIO()
    csv.writer(sink).writerow([column.name for column in LAYOUTS[kind]])
    disposition = {"Content-Disposition": f'attachment; filename="{kind.value}.csv"'}
    return Response(sink.getvalue(), media_type="text/csv; charset=utf-8", headers=disposition)


@router.get("/agencies/{agency_id}/imports/{import_id}/receipts.csv")
async def receipts_file(request: Request, agency_id: UUID, import_id: UUID) -> Response:
    """A receipt for every line of a file that was sent from a page; another program keeps its own."""
    who = await visitor(request)
    who.agency(agency_id)
    async with reading(request, agency_id) as tx:
        found = await _found(tx, agency_id, import_id)
    if found.kind in PRIVATE_KINDS and not who.may(PAY):
        raise Problem(403, "right_missing", f"Receipts of {rules.WORDS[found.kind].name.lower()} need the right {PAY}.")
    stem = Path(found.file_name).stem[:80]
    safe = "".join(ch if ch.isascii() and (ch.isalnum() or ch in "-_") else "-" for ch in stem) or "file"

    async def lines() -> AsyncIterator[str]:
        sink = io.StringIO()
        csv.writer(sink).writerow(HEADER)
        yield BOM + sink.getvalue()
        for batch in count():
            async with reading(request, agency_id) as tx:
                part = await store.receipts(tx, agency_id=agency_id, import_id=import_id, batch=batch)
            if part is None:
                return
            yield part

    return StreamingResponse(
        lines(),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{safe}-receipts.csv"', "Cache-Control": "no-store"},
    )


@router.post("/agencies/{agency_id}/imports/{import_id}/stop")
async def stop_import(request: Request, agency_id: UUID, import_id: UUID) -> Response:
    """Send no more of a file. What has a receipt stays; what is on its way at this moment may still arrive."""
    who = await visitor(request)
    who.agency(agency_id)
    check_csrf(who, texts(await request.form(max_files=0, max_fields=5)).get("csrf"))
    _check_right(who)
    async with database(request).transaction(now=now(request), agencies=[agency_id]) as tx:
        stopped = await store.stop(
            tx,
            agency_id=agency_id,
            import_id=import_id,
            error=f"Stopped by {who.principal.name}.",
            hint="Import the file again to send the rest: what is known already changes nothing.",
        )
    if not stopped:
        await say(request, who, "waiting", "There was nothing to stop: the import is over.")
    return redirect(_page_of(agency_id, import_id))


@router.get("/agencies/{agency_id}/progress/import/{import_id}")
async def import_page(
    request: Request, agency_id: UUID, import_id: UUID, said: Annotated[int, Query(ge=-1, le=101)] = -1
) -> Response:
    """How far one file is, how fast, how long it still takes, and what was refused so far."""
    who = await visitor(request)
    who.agency(agency_id)
    async with reading(request, agency_id) as tx:
        file = await _found(tx, agency_id, import_id)
        refused = await store.refusals(tx, agency_id=agency_id, import_id=import_id, most=SHOWN)
        at = await work_store.real_now(tx)
        week = await newest_week(tx, request, agency_id)
    state = rules.state_of(file, now=at)
    step = 101 if file.over else _percent(file) // STEP * STEP
    return await page(
        request,
        who,
        "import_run.html",
        agency_id=agency_id,
        week_ending=week,
        file=file,
        kind=rules.WORDS[file.kind],
        state=state,
        word=rules.STATES[state],
        percent=_percent(file),
        facts=_facts(file, state, at),
        still=at - file.moved_at,
        refused=[rules.told(one, payroll=who.may(PAY)) for one in refused],
        moving=not file.over,
        may_stop=file.here and not file.over and who.may(RIGHT),
        step=step,
        receipts=file.kind not in PRIVATE_KINDS or who.may(PAY),
        news=said != step,
        next_acts=_next(file, agency_id, week) if state == "done" else [],
        own_work=True,
    )


def _check_right(who: Visitor) -> None:
    if not who.may(RIGHT):
        raise Problem(403, "right_missing", f"Importing files needs the right {RIGHT}, which your account lacks.")


async def _form(
    request: Request, who: Visitor, agency_id: UUID, *, kind: Kind, wrong: str = "", encoding: str = "utf-8"
) -> Response:
    async with reading(request, agency_id) as tx:
        week = await newest_week(tx, request, agency_id)
        files = await store.latest(tx, agency_id=agency_id, most=LISTED)
        headers = await store.headers_of(tx, agency_id=agency_id)
        at = await work_store.real_now(tx)
    return await page(
        request,
        who,
        "imports.html",
        agency_id=agency_id,
        week_ending=week,
        status=422 if wrong else 200,
        kinds=[(one, rules.WORDS[one]) for one in rules.ORDER],
        layouts=LAYOUTS,
        headers=headers,
        kind=kind,
        encoding=encoding,
        encodings=ENCODINGS,
        wrong=wrong,
        may=who.may(RIGHT),
        rows=rows_of(agency_id, files, at),
        upload_mb=request.app.state.settings.upload_bytes_max // 1_000_000,
    )


@dataclass(frozen=True)
class FileRow:
    """One file of a list."""

    key: str
    href: str
    file: FileImport
    what: str
    state: State
    percent: int | None
    progress: str
    outcome: str


def rows_of(agency_id: UUID, files: Sequence[FileImport], at: datetime) -> list[FileRow]:
    """Files as lists show them."""
    found = []
    for file in files:
        state = rules.state_of(file, now=at)
        total = file.rows_total
        lines = (
            show.count(file.rows_done)
            if total in (None, file.rows_done)
            else f"{show.count(file.rows_done)} of {show.count(total)}"
        )
        found.append(
            FileRow(
                key=f"import-{file.import_id}",
                href=_page_of(agency_id, file.import_id),
                file=file,
                what=f"{rules.WORDS[file.kind].name}: {file.file_name}",
                state=rules.STATES[state],
                percent=_percent(file) if not file.over and total else None,
                progress=f"{lines} lines",
                outcome=rules.outcome(file),
            )
        )
    return found


def _facts(file: FileImport, state: str, at: datetime) -> list[Fact]:
    run = rules.run_of(file)
    facts = [Fact("Accepted", show.count(file.accepted)), Fact("Known already", show.count(file.duplicate))]
    facts.append(Fact("Refused", show.count(file.refused)))
    pace = Fact("Rate", work_rules.rate(run, "lines"))
    if file.over:
        return [*facts, Fact("Took", work_rules.lasts(work_rules.took(run))), pace]
    left = None if state == "still" or not file.rows_total else work_rules.left(run, now=at)
    return [*facts, pace, Fact("Time left", work_rules.lasts(left, about=True))]


def _next(file: FileImport, agency_id: UUID, week: Any) -> list[Act]:
    """What comes after it; the first is the primary one."""
    base = f"/agencies/{agency_id}"
    again = Act("another", f"{base}/imports?kind={file.kind}", "Import another file")
    if file.kind == Kind.HOURS.value:
        return [Act("timesheets", f"{base}/weeks/{week}/timesheets", "See the timesheets"), again]
    return [again, Act("week", f"{base}/weeks/{week}", "The week")]


def _percent(file: FileImport) -> int:
    return work_rules.percent(file.rows_done, file.rows_total) if file.rows_total else (100 if file.over else 0)


def _page_of(agency_id: UUID, import_id: UUID) -> str:
    return f"/agencies/{agency_id}/progress/import/{import_id}"


async def _found(tx: Any, agency_id: UUID, import_id: UUID) -> FileImport:
    found = await store.find(tx, agency_id=agency_id, import_id=import_id)
    if found is None:
        raise not_found("import", import_id)
    return found


def _kind(form: Mapping[str, str]) -> Kind:
    try:
        return Kind(form.get("kind", ""))
    except ValueError as error:
        raise Problem(422, "invalid_request", "The form names no kind of file.", hint="Reload the page.") from error


def _name(given: str) -> str:
    """The file's own name, without folders and without characters that cannot be shown."""
    name = given.replace("\\", "/").rpartition("/")[2]
    return "".join(ch for ch in name if ch.isprintable())[-200:] or "file"


def _write(file: UploadFile, path: Path) -> str:
    """Copy the file to a path of its own; returns its SHA-256."""
    file.file.seek(0)
    with path.open("wb") as sink:
        shutil.copyfileobj(file.file, sink)
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
