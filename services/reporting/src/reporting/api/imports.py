"""How far files are that are imported: told by the program that sends one, read by whoever waits for it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from paybill_common.auth import Principal
from paybill_common.http.paging import Cursor, Limit, Page, decode_cursor, encode_cursor
from paybill_common.http.problems import ERROR_RESPONSES, Problem, invalid, not_found
from paybill_common.http.route import TxDep, TxRoute, require
from paybill_importer.layouts import Kind
from paybill_importer.telling import Refusal
from reporting.domain import file_import as rules
from reporting.store import imports as store

router = APIRouter(prefix="/v1/agencies/{agency_id}", route_class=TxRoute, responses=ERROR_RESPONSES, tags=["imports"])
ROWS_MAX = 10_000_000

Rows = Annotated[int, Field(ge=0, le=ROWS_MAX)]


def _text(most: int, least: int = 0) -> StringConstraints:
    return StringConstraints(min_length=least, max_length=most, pattern=r"^[^\x00]*$")


class ImportRefusal(BaseModel):
    """A refused line: where it is wrong, why, and what to do. Leave `value` empty where not everybody may read it."""

    model_config = ConfigDict(from_attributes=True, extra="forbid")
    row: Annotated[int, Field(ge=1, le=ROWS_MAX, description="As a spreadsheet counts: the header is 1")]
    column: Annotated[str, _text(200)] = ""
    value: Annotated[str, _text(500)] = ""
    reason: Annotated[str, _text(2_000, 1)]
    hint: Annotated[str, _text(2_000)] = ""
    private: bool = Field(False, description="Speaks of what only payroll may read; others are not told why")


class ImportTallyIn(BaseModel):
    """How far a file is. Counts are of the whole file so far; `refusals` are those since the last time."""

    model_config = ConfigDict(extra="forbid")
    kind: Kind
    file_name: Annotated[str, _text(200, 1)]
    rows_total: Rows | None = Field(None, description="Lines with anything in them; null when not known yet")
    accepted: Rows
    duplicate: Rows
    refused: Rows
    state: Literal["running", "done", "stopped"] = Field(description="`stopped`: it broke off and may be run again")
    error: Annotated[str, _text(500)] | None = Field(None, description="Why it stopped")
    refusals: Annotated[list[ImportRefusal], Field(max_length=1_000)] = []


class ImportTallyOut(BaseModel):
    """How far a file is. `here`: it was sent from a page, by this service."""

    model_config = ConfigDict(from_attributes=True)
    import_id: UUID
    kind: str
    file_name: str
    rows_total: int | None
    accepted: int
    duplicate: int
    refused: int
    state: Literal["waiting", "running", "stopped", "done", "failed"]
    here: bool
    error: str | None
    name: str = Field(description="Who sent it")
    began_at: datetime
    moved_at: datetime
    ended_at: datetime | None


@router.put("/imports/{import_id}")
async def tell_import(
    agency_id: UUID, import_id: UUID, body: ImportTallyIn, tx: TxDep, principal: Principal = require("write")
) -> ImportTallyOut:
    """Tell how far a file is that you send, so that people see it under way. Telling the same again changes nothing."""
    tally = store.Tally(**body.model_dump(exclude={"kind", "refusals"}), kind=body.kind.value)
    told = await store.tell(
        tx, agency_id=agency_id, import_id=import_id, tally=tally, subject=principal.subject, name=principal.name
    )
    if not told:
        raise Problem(
            409, "import_tells_itself", "This file was sent from a page, which tells how far it is by itself."
        )
    found = [Refusal(**one.model_dump()) for one in body.refusals]
    await store.refuse(tx, agency_id=agency_id, import_id=import_id, refusals=found)
    return await _one(tx, agency_id, import_id)


@router.get("/imports")
async def list_imports(
    agency_id: UUID, tx: TxDep, cursor: Cursor = None, limit: Limit = 100, principal: Principal = require("read")
) -> Page[ImportTallyOut]:
    """Files of the last month, newest first."""
    before = _before(decode_cursor(cursor, parts=2))
    found = await store.latest(tx, agency_id=agency_id, most=limit + 1, before=before)
    last = found[limit - 1] if len(found) > limit else None
    return Page(
        items=[ImportTallyOut.model_validate(one) for one in found[:limit]],
        next_cursor=encode_cursor(last.began_at.isoformat(), last.import_id) if last is not None else None,
    )


@router.get("/imports/{import_id}")
async def get_import(
    agency_id: UUID, import_id: UUID, tx: TxDep, principal: Principal = require("read")
) -> ImportTallyOut:
    """How far one file is."""
    return await _one(tx, agency_id, import_id)


@router.get("/imports/{import_id}/refusals")
async def list_import_refusals(
    agency_id: UUID,
    import_id: UUID,
    tx: TxDep,
    cursor: Cursor = None,
    limit: Limit = 100,
    principal: Principal = require("read"),
) -> Page[ImportRefusal]:
    """Refused lines in the file's order, at most the first 1,000; all are in the receipts of whoever sent it."""
    await _one(tx, agency_id, import_id)
    parts = decode_cursor(cursor, parts=1)
    if parts and not (parts[0].isascii() and parts[0].isdigit() and len(parts[0]) < 9):
        raise invalid("bad_cursor", "The cursor is not one that this list gave.", pointer="query:/cursor")
    start = int(parts[0]) if parts else 0
    found = await store.refusals(tx, agency_id=agency_id, import_id=import_id, most=limit + 1, after_row=start)
    return Page(
        items=[_refusal(one, principal) for one in found[:limit]],
        next_cursor=encode_cursor(found[limit - 1].row) if len(found) > limit else None,
    )


def _refusal(line: Refusal, principal: Principal) -> ImportRefusal:
    return ImportRefusal.model_validate(rules.told(line, payroll="pay:read" in principal.scopes))


async def _one(tx: TxDep, agency_id: UUID, import_id: UUID) -> ImportTallyOut:
    found = await store.find(tx, agency_id=agency_id, import_id=import_id)
    if found is None:
        raise not_found("import", import_id)
    return ImportTallyOut.model_validate(found)


def _before(parts: list[str] | None) -> tuple[datetime, UUID] | None:
    """The last file of the page before. A cursor that is not ours is refused."""
    if parts is None:
        return None
    try:
        at = datetime.fromisoformat(parts[0])
        if at.tzinfo is None:
            raise ValueError("an instant has a zone")
        return at, UUID(parts[1])
    except ValueError as error:
        raise invalid("bad_cursor", "The cursor is not one that this list gave.", pointer="query:/cursor") from error
