"""The HTTP door of compliance."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response, UploadFile
from pydantic import BaseModel, Field, StringConstraints, model_validator

from compliance.domain.audit import GENESIS, ChainBreak, verify
from compliance.store import audit, facts
from compliance.usecases import evidence
from compliance.usecases.evidence import NewDocument, NewFile
from paybill_common.auth import Principal
from paybill_common.clock import london_date
from paybill_common.http.paging import Cursor, Limit, Page, decode_cursor, encode_cursor
from paybill_common.http.problems import ERROR_RESPONSES, Problem, invalid, not_found
from paybill_common.http.route import TxDep, TxRoute, require
from paybill_common.ids import derived_id

router = APIRouter(
    prefix="/v1/agencies/{agency_id}", route_class=TxRoute, responses=ERROR_RESPONSES, tags=["compliance"]
)

CodeText = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_]{0,39}$")]
Title = Annotated[str, StringConstraints(min_length=1, max_length=120, pattern=r"^[^\x00]*$")]
ExternalId = Annotated[str, StringConstraints(min_length=1, max_length=120, pattern=r"^[^\x00]*$")]
ExternalIdFilter = Annotated[str | None, Query(max_length=120, pattern=r"^[^\x00]*$")]
T = TypeVar("T", bound=BaseModel)
Reason = Annotated[str, StringConstraints(min_length=5, max_length=500, strip_whitespace=True, pattern=r"^[^\x00]*$")]
Day = Annotated[date, Field(ge=date(1990, 1, 1), le=date(2099, 12, 31))]
Blocks = Annotated[list[Literal["entry", "pay", "bill"]], Field(max_length=3)]
FILE_TYPES = {"application/pdf": b"%PDF", "image/png": b"\x89PNG", "image/jpeg": b"\xff\xd8\xff"}


class RequirementIn(BaseModel):
    """A document the agency asks for. `blocks` empty only warns; `entry` refuses further hours of who misses it."""

    title: Title
    blocks: Blocks
    external_id: ExternalId | None = None


class RequirementOut(RequirementIn):
    code: str


class ClientRequirementIn(BaseModel):
    """What one client asks for. `required` false: not asked for here, though the agency asks for it elsewhere."""

    required: bool = True
    blocks: Blocks = []


class ClientRequirementOut(ClientRequirementIn):
    code: str
    title: str | None = Field(description="Of the agency's requirement; null when this client alone asks for it")


class Changed(BaseModel):
    """How many decisions changed because of this."""

    decisions_changed: int


class DocumentIn(BaseModel):
    """A check that was made or a document that was seen. Both dates are inclusive."""

    document_id: UUID | None = Field(None, description="Made by the caller; derived from external_id when absent")
    worker_id: UUID
    requirement: CodeText
    valid_from: Day
    expires_on: Day | None = None
    external_id: ExternalId | None = None

    @model_validator(mode="after")
    def _order(self) -> DocumentIn:
        if self.expires_on is not None and self.expires_on < self.valid_from:
            raise ValueError("expires_on is before valid_from")
        if self.document_id is None and self.external_id is None:
            raise ValueError("a document needs a document_id or an external_id, so that sending it twice is harmless")
        return self


class DocumentsIn(BaseModel):
    documents: Annotated[list[DocumentIn], Field(min_length=1, max_length=1000)]


class Receipt(BaseModel):
    """The answer to one line of a batch."""

    row: int
    status: Literal["accepted"]
    record_id: UUID


class Receipts(BaseModel):
    receipts: list[Receipt]
    decisions_changed: int


class DocumentOut(BaseModel):
    document_id: UUID
    worker_id: UUID
    requirement: str
    valid_from: date
    expires_on: date | None
    external_id: str | None
    recorded_at: datetime
    recorded_by: str
    file_name: str | None


class UmbrellaIn(BaseModel):
    """An umbrella company's standing. Without `external_id` it keeps the one it has."""

    status: Literal["approved", "pending", "removed"]
    external_id: ExternalId | None = None


class UmbrellaLine(UmbrellaIn):
    payee_id: UUID


class UmbrellasIn(BaseModel):
    umbrellas: Annotated[list[UmbrellaLine], Field(min_length=1, max_length=1000)]


class UmbrellaOut(UmbrellaLine):
    name: str | None
    changed_at: datetime
    changed_by: str


class Finding(BaseModel):
    code: str
    blocks: list[str]
    requirement: str | None
    subject_id: UUID | None


class HoldOut(BaseModel):
    """A held timesheet: why, whose, and how much waits."""

    timesheet_id: UUID
    reference: str
    version: int
    worker_id: UUID
    worker: str | None
    client_id: UUID
    client: str | None
    week_ending: date
    blocks: list[str]
    findings: list[Finding]
    minutes: int
    pay_gbp: str
    charge_gbp: str
    decided_at: datetime


class ReleaseIn(BaseModel):
    reason: Reason


class ReleaseOut(BaseModel):
    timesheet_id: UUID
    audit_entry: int


class WorkerOut(BaseModel):
    worker_id: UUID
    name: str | None
    status: str | None
    documents: list[DocumentOut]
    holds: list[HoldOut]
    entry_blocked_by: list[str] = Field(description="Requirements of the agency that block new hours today")


class AuditOut(BaseModel):
    number: int
    at: datetime
    actor: str
    action: str
    subject_id: UUID
    detail: dict[str, Any]
    previous_hash: str
    hash: str


class BreakOut(BaseModel):
    number: int
    problem: str


class VerifyOut(BaseModel):
    """The result of checking the whole chain."""

    entries: int
    head_hash: str
    intact: bool
    breaks: list[BreakOut]


@router.get("/requirements")
async def list_requirements(
    tx: TxDep,
    agency_id: UUID,
    external_id: ExternalIdFilter = None,
    cursor: Cursor = None,
    limit: Limit = 100,
    principal: Principal = require("read"),
) -> Page[RequirementOut]:
    """The requirements of the agency by code."""
    after = decode_cursor(cursor, parts=1)
    rows = await tx.execute(
        "SELECT code, title, blocks, external_id FROM requirement WHERE code > :after "
        "AND (CAST(:external AS text) IS NULL OR external_id = :external) ORDER BY code LIMIT :most",
        after=after[0].replace("\x00", "") if after else "",
        external=external_id,
        most=limit + 1,
    )
    return _page(RequirementOut, rows.all(), limit, "code")


@router.put("/requirements/{code}")
async def put_requirement(
    tx: TxDep, agency_id: UUID, code: CodeText, body: RequirementIn, principal: Principal = require("compliance:write")
) -> Changed:
    """Create or change a requirement; every open decision of the agency is made again."""
    changed = await evidence.set_requirement(
        tx,
        agency_id=agency_id,
        code=code,
        title=body.title,
        blocks=body.blocks,
        external_id=body.external_id,
        by=principal.subject,
    )
    return Changed(decisions_changed=changed)


@router.put("/clients/{client_id}/requirements/{code}")
async def put_client_requirement(
    tx: TxDep,
    agency_id: UUID,
    client_id: UUID,
    code: CodeText,
    body: ClientRequirementIn,
    principal: Principal = require("compliance:write"),
) -> Changed:
    """Override a requirement for one client, or ask for one at this client alone; its open decisions are made again."""
    changed = await evidence.set_client_requirement(
        tx,
        agency_id=agency_id,
        client_id=client_id,
        code=code,
        required=body.required,
        blocks=body.blocks,
        by=principal.subject,
    )
    return Changed(decisions_changed=changed)


@router.get("/clients/{client_id}/requirements")
async def list_client_requirements(
    tx: TxDep,
    agency_id: UUID,
    client_id: UUID,
    cursor: Cursor = None,
    limit: Limit = 100,
    principal: Principal = require("read"),
) -> Page[ClientRequirementOut]:
    """What one client asks for otherwise than the agency, by code."""
    after = decode_cursor(cursor, parts=1)
    rows = await tx.execute(
        "SELECT c.code, c.required, c.blocks, r.title FROM client_requirement c "
        "LEFT JOIN requirement r ON r.agency_id = c.agency_id AND r.code = c.code "
        "WHERE c.client_id = :client AND c.code > :after ORDER BY c.code LIMIT :most",
        client=client_id,
        after=after[0].replace("\x00", "") if after else "",
        most=limit + 1,
    )
    return _page(ClientRequirementOut, rows.all(), limit, "code")


@router.delete("/clients/{client_id}/requirements/{code}")
async def delete_client_requirement(
    tx: TxDep,
    agency_id: UUID,
    client_id: UUID,
    code: CodeText,
    principal: Principal = require("compliance:write"),
) -> Changed:
    """Take a client's rule away; what the agency asks for holds there again, and the client's open decisions are made again."""
    changed = await evidence.remove_client_requirement(
        tx, agency_id=agency_id, client_id=client_id, code=code, by=principal.subject
    )
    return Changed(decisions_changed=changed)


@router.get("/documents")
async def list_documents(
    tx: TxDep,
    agency_id: UUID,
    worker_id: UUID | None = None,
    requirement: Annotated[CodeText | None, Query()] = None,
    external_id: ExternalIdFilter = None,
    cursor: Cursor = None,
    limit: Limit = 100,
    principal: Principal = require("read"),
) -> Page[DocumentOut]:
    """Documents by id."""
    after = decode_cursor(cursor, parts=1)
    rows = await tx.execute(
        "SELECT * FROM document WHERE (CAST(:after AS uuid) IS NULL OR document_id > CAST(:after AS uuid)) "
        "AND (CAST(:worker AS uuid) IS NULL OR worker_id = CAST(:worker AS uuid)) "
        "AND (CAST(:requirement AS text) IS NULL OR requirement = :requirement) "
        "AND (CAST(:external AS text) IS NULL OR external_id = :external) ORDER BY document_id LIMIT :most",
        after=_uuid_or_refuse(after[0]) if after else None,
        worker=worker_id,
        requirement=requirement,
        external=external_id,
        most=limit + 1,
    )
    return _page(DocumentOut, rows.all(), limit, "document_id")


@router.post("/documents", status_code=201)
async def post_document(
    tx: TxDep, agency_id: UUID, body: DocumentIn, principal: Principal = require("compliance:write")
) -> Receipts:
    """Record one document; holds that waited for it lift by themselves."""
    return await _record(tx, agency_id, [body], principal)


@router.post("/documents/batch", status_code=201)
async def post_documents(
    tx: TxDep, agency_id: UUID, body: DocumentsIn, principal: Principal = require("compliance:write")
) -> Receipts:
    """Record up to 1,000 documents in one transaction."""
    return await _record(tx, agency_id, body.documents, principal)


@router.put("/documents/{document_id}/file", status_code=201)
async def put_document_file(
    request: Request,
    tx: TxDep,
    agency_id: UUID,
    document_id: UUID,
    file: UploadFile,
    principal: Principal = require("compliance:write"),
) -> DocumentOut:
    """Attach the picture or PDF that was seen: PDF, PNG or JPEG. Its SHA-256 goes into the audit trail."""
    content = await file.read()
    kind = next((k for k, magic in FILE_TYPES.items() if content.startswith(magic)), None)
    if kind is None:
        raise invalid("file_type_not_allowed", "The file is not a PDF, PNG or JPEG.", pointer="#/file")
    name = Path(file.filename or "document").name.replace("\x00", "")[:120]
    seen = NewFile(name, kind, hashlib.sha256(content).hexdigest())
    row = await evidence.attach_file(tx, agency_id=agency_id, document_id=document_id, file=seen, by=principal.subject)
    path = _file_path(request, agency_id, document_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return DocumentOut.model_validate(row, from_attributes=True)


@router.get("/documents/{document_id}/file", response_class=Response)
async def get_document_file(
    request: Request, tx: TxDep, agency_id: UUID, document_id: UUID, principal: Principal = require("read")
) -> Response:
    """The attached file, as it was uploaded."""
    found = await tx.execute(
        "SELECT file_type, file_sha256 FROM document WHERE agency_id = :a AND document_id = :d",
        a=agency_id,
        d=document_id,
    )
    row = found.first()
    path = _file_path(request, agency_id, document_id)
    if row is None or row.file_type is None or not path.exists():
        raise not_found("document_file", document_id)
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != row.file_sha256:
        raise Problem(
            409,
            "document_file_changed",
            "The stored file is not the one that was recorded; see the audit trail.",
            hint="The worker's entries document_file_stored have the SHA-256 of every file that was stored.",
        )
    return Response(content, media_type=row.file_type, headers={"X-Content-Type-Options": "nosniff"})


@router.get("/umbrellas")
async def list_umbrellas(
    tx: TxDep,
    agency_id: UUID,
    status: Literal["approved", "pending", "removed"] | None = None,
    external_id: ExternalIdFilter = None,
    cursor: Cursor = None,
    limit: Limit = 100,
    principal: Principal = require("read"),
) -> Page[UmbrellaOut]:
    """The umbrella register by id."""
    after = decode_cursor(cursor, parts=1)
    rows = await tx.execute(
        "SELECT u.*, l.display_name AS name FROM umbrella u "
        "LEFT JOIN label l ON l.kind = 'payee' AND l.entry_id = u.payee_id "
        "WHERE (CAST(:after AS uuid) IS NULL OR u.payee_id > CAST(:after AS uuid)) "
        "AND (CAST(:status AS text) IS NULL OR u.status = :status) "
        "AND (CAST(:external AS text) IS NULL OR u.external_id = :external) ORDER BY u.payee_id LIMIT :most",
        after=_uuid_or_refuse(after[0]) if after else None,
        status=status,
        external=external_id,
        most=limit + 1,
    )
    return _page(UmbrellaOut, rows.all(), limit, "payee_id")


@router.put("/umbrellas/{payee_id}")
async def put_umbrella(
    tx: TxDep, agency_id: UUID, payee_id: UUID, body: UmbrellaIn, principal: Principal = require("compliance:write")
) -> Changed:
    """Approve, suspend or remove an umbrella company; pay that goes to it is decided again."""
    lines = [(payee_id, body.status, body.external_id)]
    changed = await evidence.set_umbrellas(tx, agency_id=agency_id, umbrellas=lines, by=principal.subject)
    return Changed(decisions_changed=changed)


@router.post("/umbrellas/batch")
async def post_umbrellas(
    tx: TxDep, agency_id: UUID, body: UmbrellasIn, principal: Principal = require("compliance:write")
) -> Changed:
    """Put up to 1,000 umbrella companies on the register."""
    lines = [(line.payee_id, line.status, line.external_id) for line in body.umbrellas]
    _refuse_repeats([payee for payee, _, _ in lines], "#/umbrellas")
    changed = await evidence.set_umbrellas(tx, agency_id=agency_id, umbrellas=lines, by=principal.subject)
    return Changed(decisions_changed=changed)


@router.get("/holds")
async def list_holds(
    tx: TxDep,
    agency_id: UUID,
    week_ending: Day | None = None,
    worker_id: UUID | None = None,
    cursor: Cursor = None,
    limit: Limit = 100,
    principal: Principal = require("read"),
) -> Page[HoldOut]:
    """What is held, with the reason and the money that waits."""
    after = decode_cursor(cursor, parts=1)
    rows = await tx.execute(
        _HOLDS + " ORDER BY d.timesheet_id LIMIT :most",
        week=week_ending,
        worker=worker_id,
        after=_uuid_or_refuse(after[0]) if after else None,
        most=limit + 1,
    )
    found = rows.all()
    items = [_hold(row) for row in found[:limit]]
    more = len(found) > limit
    return Page[HoldOut](items=items, next_cursor=encode_cursor(items[-1].timesheet_id) if more else None)


@router.post("/holds/{timesheet_id}/release")
async def release_hold(
    tx: TxDep,
    agency_id: UUID,
    timesheet_id: UUID,
    body: ReleaseIn,
    principal: Principal = require("compliance:release"),
) -> ReleaseOut:
    """Release a hold in your own name, with a reason that the audit trail keeps."""
    entry = await evidence.release(
        tx, agency_id=agency_id, timesheet_id=timesheet_id, by=principal.subject, reason=body.reason
    )
    return ReleaseOut(timesheet_id=timesheet_id, audit_entry=entry)


@router.get("/expiring")
async def list_expiring(
    tx: TxDep,
    agency_id: UUID,
    within_days: Annotated[int, Query(ge=0, le=365)] = 30,
    cursor: Cursor = None,
    limit: Limit = 100,
    principal: Principal = require("read"),
) -> Page[DocumentOut]:
    """Documents that lapse soon, the soonest first."""
    today = london_date(tx.now)
    after = decode_cursor(cursor, parts=2)
    rows = await tx.execute(
        "SELECT * FROM document WHERE expires_on BETWEEN :today AND :until "
        "AND (CAST(:day AS date) IS NULL OR (expires_on, document_id) > (CAST(:day AS date), CAST(:after AS uuid))) "
        "ORDER BY expires_on, document_id LIMIT :most",
        today=today,
        until=today + timedelta(days=within_days),
        day=_day_or_refuse(after[0]) if after else None,
        after=_uuid_or_refuse(after[1]) if after else None,
        most=limit + 1,
    )
    return _page(DocumentOut, rows.all(), limit, "expires_on", "document_id")


@router.get("/workers/{worker_id}")
async def get_worker(tx: TxDep, agency_id: UUID, worker_id: UUID, principal: Principal = require("read")) -> WorkerOut:
    """A worker's documents and holds, and what blocks new hours."""
    found = await tx.execute(
        "SELECT status FROM worker WHERE agency_id = :a AND worker_id = :w", a=agency_id, w=worker_id
    )
    known = found.first()
    documents = (
        await tx.execute("SELECT * FROM document WHERE worker_id = :w ORDER BY requirement, valid_from", w=worker_id)
    ).all()
    if known is None and not documents:
        raise not_found("worker", worker_id)
    label = (
        await tx.execute("SELECT display_name FROM label WHERE kind = 'worker' AND entry_id = :w", w=worker_id)
    ).first()
    holds = await tx.execute(_HOLDS + " LIMIT 500", week=None, worker=worker_id, after=None)
    return WorkerOut(
        worker_id=worker_id,
        name=label.display_name if label else None,
        status=known.status if known else None,
        documents=[DocumentOut.model_validate(row, from_attributes=True) for row in documents],
        holds=[_hold(row) for row in holds],
        entry_blocked_by=await _entry_blocked_by(tx, agency_id, worker_id),
    )


@router.get("/audit")
async def list_audit(
    tx: TxDep,
    agency_id: UUID,
    subject_id: UUID | None = None,
    cursor: Cursor = None,
    limit: Limit = 100,
    principal: Principal = require("read"),
) -> Page[AuditOut]:
    """Entries of the audit trail in order, optionally of one record."""
    parts = decode_cursor(cursor, parts=1)
    if parts and not (parts[0].isascii() and parts[0].isdigit() and len(parts[0]) < 19):
        raise _bad_cursor()
    after = int(parts[0]) if parts else 0
    entries = await audit.read(tx, agency_id=agency_id, after=after, most=limit + 1, subject_id=subject_id)
    return _page(AuditOut, entries, limit, "number")


@router.get("/audit/verify")
async def verify_audit(tx: TxDep, agency_id: UUID, principal: Principal = require("read")) -> VerifyOut:
    """Recompute every hash of the agency's chain and compare its end with the head."""
    count, previous, breaks = 0, GENESIS, list[ChainBreak]()
    while True:
        entries = await audit.read(tx, agency_id=agency_id, after=count, most=2_000)
        if not entries:
            break
        read, found = verify(entries, after=previous, first=count + 1)
        breaks += found
        previous, count = entries[-1].hash, entries[-1].number
        if read < 2_000:
            break
    number, digest = await audit.head(tx, agency_id=agency_id)
    if (number, digest) != (count, previous):
        breaks.append(ChainBreak(number, f"the head is entry {number}, but the last stored entry is {count}"))
    return VerifyOut(
        entries=count,
        head_hash=digest,
        intact=not breaks,
        breaks=[BreakOut(number=b.number, problem=b.problem) for b in breaks[:100]],
    )


_HOLDS = """
    SELECT d.*, w.display_name AS worker, c.display_name AS client FROM decision d
    LEFT JOIN label w ON w.kind = 'worker' AND w.entry_id = d.worker_id
    LEFT JOIN label c ON c.kind = 'client' AND c.entry_id = d.client_id
    WHERE d.blocks <> '{}'
      AND (CAST(:week AS date) IS NULL OR d.week_ending = CAST(:week AS date))
      AND (CAST(:worker AS uuid) IS NULL OR d.worker_id = CAST(:worker AS uuid))
      AND (CAST(:after AS uuid) IS NULL OR d.timesheet_id > CAST(:after AS uuid))
"""


async def _record(tx: TxDep, agency_id: UUID, documents: list[DocumentIn], principal: Principal) -> Receipts:
    new = [
        NewDocument(
            document_id=d.document_id or derived_id("document", agency_id, d.external_id),
            worker_id=d.worker_id,
            requirement=d.requirement,
            valid_from=d.valid_from,
            expires_on=d.expires_on,
            external_id=d.external_id,
        )
        for d in documents
    ]
    _refuse_repeats([d.document_id for d in new], "#/documents")
    changed = await evidence.record_documents(tx, agency_id=agency_id, documents=new, by=principal.subject)
    return Receipts(
        receipts=[Receipt(row=n, status="accepted", record_id=d.document_id) for n, d in enumerate(new)],
        decisions_changed=changed,
    )


async def _entry_blocked_by(tx: TxDep, agency_id: UUID, worker_id: UUID) -> list[str]:
    today = london_date(tx.now)
    requirements = (await facts.requirements_of(tx, [(agency_id, UUID(int=0))]))[(agency_id, UUID(int=0))]
    documents = (await facts.documents_of(tx, [(agency_id, worker_id)])).get((agency_id, worker_id), [])
    valid = {
        d.requirement for d in documents if d.valid_from <= today and (d.expires_on is None or d.expires_on >= today)
    }
    return [r.code for r in requirements if "entry" in r.blocks and r.code not in valid]


def _hold(row: Any) -> HoldOut:
    return HoldOut(
        timesheet_id=row.timesheet_id,
        reference=row.reference,
        version=row.version,
        worker_id=row.worker_id,
        worker=row.worker,
        client_id=row.client_id,
        client=row.client,
        week_ending=row.week_ending,
        blocks=list(row.blocks),
        findings=[Finding.model_validate(finding) for finding in row.findings],
        minutes=row.minutes,
        pay_gbp=str(row.pay_gbp),
        charge_gbp=str(row.charge_gbp),
        decided_at=row.decided_at,
    )


def _refuse_repeats(ids: list[UUID], pointer: str) -> None:
    seen: set[UUID] = set()
    for number, record_id in enumerate(ids):
        if record_id in seen:
            raise invalid(
                "repeated_in_batch", f"Record {record_id} is in the batch twice.", pointer=f"{pointer}/{number}"
            )
        seen.add(record_id)


def _page(model: type[T], rows: Sequence[Any], limit: int, *keys: str) -> Page[T]:
    """A page of `limit` rows when one more than that was read; `keys` are what the list is ordered by."""
    items = [model.model_validate(row, from_attributes=True) for row in rows[:limit]]
    more = rows[limit - 1] if len(rows) > limit else None
    return Page(items=items, next_cursor=more and encode_cursor(*(getattr(more, key) for key in keys)))


def _uuid_or_refuse(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise _bad_cursor() from error


def _day_or_refuse(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise _bad_cursor() from error


def _bad_cursor() -> Problem:
    return Problem(422, "bad_cursor", "The cursor is not one that this list gave.", pointer="query:/cursor")


def _file_path(request: Request, agency_id: UUID, document_id: UUID) -> Path:
    folder: Path = request.app.state.settings.files_dir
    return folder / "documents" / str(agency_id) / str(document_id)
