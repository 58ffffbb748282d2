"""Issuer, client terms and suppliers."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ValidationError
from sqlalchemy import Table

from invoicing.api import schemas as s
from invoicing.store import parties
from invoicing.store.tables import client_terms, supplier
from invoicing.usecases import terms
from paybill_common.auth import Principal
from paybill_common.http.paging import Cursor, Limit, Page, decode_cursor, encode_cursor
from paybill_common.http.problems import ERROR_RESPONSES, Problem, not_found
from paybill_common.http.route import TxDep, TxRoute, require

router = APIRouter(prefix="/v1/agencies/{agency_id}", route_class=TxRoute, responses=ERROR_RESPONSES, tags=["parties"])
ExternalId = Annotated[str | None, Query(max_length=200)]
Line = TypeVar("Line", bound=BaseModel)


@router.get("/issuer")
async def get_issuer(agency_id: UUID, tx: TxDep, principal: Principal = require("read")) -> s.IssuerOut:
    """The agency as it stands on its documents."""
    row = await parties.issuer_of(tx, agency_id)
    if row is None:
        raise not_found("issuer", agency_id)
    return s.IssuerOut.model_validate(row)


@router.put("/issuer")
async def put_issuer(
    agency_id: UUID, body: s.IssuerIn, tx: TxDep, principal: Principal = require("write")
) -> s.IssuerOut:
    """Say who the agency is on its documents. Documents that are issued already keep what they said."""
    await terms.put_issuer(tx, agency_id=agency_id, fields=body.model_dump())
    return s.IssuerOut.model_validate(await parties.issuer_of(tx, agency_id))


@router.get("/client-terms")
async def list_terms(
    agency_id: UUID,
    tx: TxDep,
    cursor: Cursor = None,
    limit: Limit = 100,
    external_id: ExternalId = None,
    principal: Principal = require("read"),
) -> Page[s.TermsOut]:
    """Terms of all clients."""
    rows = await parties.list_parties(
        tx,
        table=client_terms,
        key="client_id",
        agency_id=agency_id,
        external_id=_clean(external_id),
        after=after_id(cursor),
        most=limit + 1,
    )
    return page([s.TermsOut.model_validate(row) for row in rows], limit, lambda item: item.client_id)


@router.post("/client-terms/batch")
async def post_terms_batch(
    agency_id: UUID, body: s.BatchIn, tx: TxDep, principal: Principal = require("write")
) -> s.BatchOut:
    """Terms of up to 1,000 clients, each accepted or refused by itself."""
    lines, receipts = _validate(s.TermsLine, body.items, key="client_id")
    known = await parties.terms_of(tx, agency_id=agency_id, clients=[line.client_id for _, line in lines])
    lines, receipts = await _only_free_ids(tx, agency_id, client_terms, "client_id", lines, receipts)
    changed = _changed(lines, known, s.TermsLine, "client_id", receipts)
    if changed:
        await terms.put_client_terms(tx, agency_id=agency_id, rows=[line.model_dump() for line in changed])
    return _batch(receipts)


@router.get("/client-terms/{client_id}")
async def get_terms(agency_id: UUID, client_id: UUID, tx: TxDep, principal: Principal = require("read")) -> s.TermsOut:
    """How one client is billed."""
    row = (await parties.terms_of(tx, agency_id=agency_id, clients=[client_id])).get(client_id)
    if row is None:
        raise not_found("client_terms", client_id)
    return s.TermsOut.model_validate(row)


@router.put("/client-terms/{client_id}")
async def put_terms(
    agency_id: UUID, client_id: UUID, body: s.TermsIn, tx: TxDep, principal: Principal = require("write")
) -> s.TermsOut:
    """Set how a client is billed; timesheets that waited for it become ready."""
    await terms.put_client_terms(tx, agency_id=agency_id, rows=[{"client_id": client_id, **body.model_dump()}])
    return s.TermsOut.model_validate((await parties.terms_of(tx, agency_id=agency_id, clients=[client_id]))[client_id])


@router.get("/suppliers")
async def list_suppliers(
    agency_id: UUID,
    tx: TxDep,
    cursor: Cursor = None,
    limit: Limit = 100,
    external_id: ExternalId = None,
    principal: Principal = require("read"),
) -> Page[s.SupplierOut]:
    """Umbrella and limited companies."""
    rows = await parties.list_parties(
        tx,
        table=supplier,
        key="payee_id",
        agency_id=agency_id,
        external_id=_clean(external_id),
        after=after_id(cursor),
        most=limit + 1,
    )
    return page([s.SupplierOut.model_validate(row) for row in rows], limit, lambda item: item.payee_id)


@router.post("/suppliers/batch")
async def post_suppliers_batch(
    agency_id: UUID, body: s.BatchIn, tx: TxDep, principal: Principal = require("write")
) -> s.BatchOut:
    """Up to 1,000 suppliers, each accepted or refused by itself."""
    lines, receipts = _validate(s.SupplierLine, body.items, key="payee_id")
    known = await parties.suppliers_of(tx, agency_id=agency_id, payees=[line.payee_id for _, line in lines])
    lines, receipts = await _only_free_ids(tx, agency_id, supplier, "payee_id", lines, receipts)
    changed = _changed(lines, known, s.SupplierLine, "payee_id", receipts)
    if changed:
        await terms.put_suppliers(tx, agency_id=agency_id, rows=[line.model_dump() for line in changed])
    return _batch(receipts)


@router.get("/suppliers/{payee_id}")
async def get_supplier(
    agency_id: UUID, payee_id: UUID, tx: TxDep, principal: Principal = require("read")
) -> s.SupplierOut:
    """One umbrella or limited company."""
    row = (await parties.suppliers_of(tx, agency_id=agency_id, payees=[payee_id])).get(payee_id)
    if row is None:
        raise not_found("supplier", payee_id)
    return s.SupplierOut.model_validate(row)


@router.put("/suppliers/{payee_id}")
async def put_supplier(
    agency_id: UUID, payee_id: UUID, body: s.SupplierIn, tx: TxDep, principal: Principal = require("write")
) -> s.SupplierOut:
    """Set an umbrella or limited company; self-bills that waited for it are raised."""
    await terms.put_suppliers(tx, agency_id=agency_id, rows=[{"payee_id": payee_id, **body.model_dump()}])
    return s.SupplierOut.model_validate(
        (await parties.suppliers_of(tx, agency_id=agency_id, payees=[payee_id]))[payee_id]
    )


def after_id(cursor: str | None) -> UUID | None:
    """The id that a cursor carries on from."""
    parts = decode_cursor(cursor, parts=1)
    if parts is None:
        return None
    try:
        return UUID(parts[0])
    except ValueError as error:
        raise Problem(
            422, "bad_cursor", "The cursor is not one that this list gave.", pointer="query:/cursor"
        ) from error


def page(items: list[Any], limit: int, key: Any) -> Page[Any]:
    """A page of `limit` items when one more than that was read."""
    more = len(items) > limit
    items = items[:limit]
    return Page(items=items, next_cursor=encode_cursor(key(items[-1])) if more else None)


def _clean(value: str | None) -> str | None:
    return value.replace("\x00", "") if value is not None else None


def _validate(
    model: type[Line], items: list[dict[str, Any]], *, key: str
) -> tuple[list[tuple[int, Any]], dict[int, s.ReceiptLine]]:
    """The readable records with their row numbers, and a refusal for each of the others."""
    lines: list[tuple[int, Any]] = []
    receipts: dict[int, s.ReceiptLine] = {}
    seen: set[Any] = set()
    external: set[str] = set()
    for row, item in enumerate(items, start=1):
        try:
            line: Any = model.model_validate(item)
        except ValidationError as error:
            first = error.errors()[0]
            column = ".".join(str(part) for part in first["loc"]) or None
            receipts[row] = s.ReceiptLine(
                row=row,
                status="refused",
                column=column,
                value=_short(first.get("input")) if column else None,
                reason=first["msg"],
                hint="Correct this field and send the record again; the others are stored.",
            )
            continue
        twice = key if getattr(line, key) in seen else "external_id" if line.external_id in external else None
        if twice:
            receipts[row] = s.ReceiptLine(
                row=row,
                status="refused",
                column=twice,
                value=str(getattr(line, twice)),
                reason="This value is in the batch twice.",
                hint="Send each record once.",
            )
            continue
        seen.add(getattr(line, key))
        if line.external_id is not None:
            external.add(line.external_id)
        lines.append((row, line))
    return lines, receipts


async def _only_free_ids(
    tx: TxDep, agency_id: UUID, table: Table, key: str, lines: list[tuple[int, Any]], receipts: dict[int, s.ReceiptLine]
) -> tuple[list[tuple[int, Any]], dict[int, s.ReceiptLine]]:
    """Refuse records whose external_id another stored record has."""
    wanted = [line.external_id for _, line in lines if line.external_id is not None]
    if not wanted:
        return lines, receipts
    owners = await parties.owners_of(tx, table=table, key=key, agency_id=agency_id, external_ids=wanted)
    kept = []
    for row, line in lines:
        owner = owners.get(line.external_id)
        if owner is not None and owner != getattr(line, key):
            receipts[row] = s.ReceiptLine(
                row=row,
                status="refused",
                column="external_id",
                value=line.external_id,
                reason=f"Record {owner} has this external_id already.",
                hint="Use another external_id, or change that record first.",
            )
        else:
            kept.append((row, line))
    return kept, receipts


def _changed(
    lines: list[tuple[int, Any]],
    known: dict[UUID, Any],
    model: type[BaseModel],
    key: str,
    receipts: dict[int, s.ReceiptLine],
) -> list[Any]:
    """The records that differ from what is stored; a receipt for each."""
    changed = []
    for row, line in lines:
        record_id = getattr(line, key)
        stored = known.get(record_id)
        same = stored is not None and all(getattr(stored, name) == getattr(line, name) for name in model.model_fields)
        receipts[row] = s.ReceiptLine(row=row, status="duplicate" if same else "accepted", record_id=record_id)
        if not same:
            changed.append(line)
    return changed


def _batch(receipts: dict[int, s.ReceiptLine]) -> s.BatchOut:
    ordered = [receipts[row] for row in sorted(receipts)]
    counts = {
        status: sum(1 for one in ordered if one.status == status) for status in ("accepted", "duplicate", "refused")
    }
    return s.BatchOut(**counts, receipts=ordered)


def _short(value: Any) -> str:
    return str(value)[:100]
