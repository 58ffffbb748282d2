"""Who bills, who is billed, and who is self-billed: issuer, client terms, suppliers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Table, select
from sqlalchemy.dialects.postgresql import insert

from invoicing.store.tables import client_terms, issuer, supplier
from paybill_common.db import Tx


async def put_issuer(tx: Tx, *, row: dict[str, Any]) -> None:
    await _upsert(tx, issuer, [row], ("agency_id",))


async def put_client_terms(tx: Tx, *, rows: Sequence[dict[str, Any]]) -> None:
    await _upsert(tx, client_terms, rows, ("agency_id", "client_id"))


async def put_suppliers(tx: Tx, *, rows: Sequence[dict[str, Any]]) -> None:
    await _upsert(tx, supplier, rows, ("agency_id", "payee_id"))


async def issuer_of(tx: Tx, agency_id: UUID) -> Any | None:
    return (await tx.connection.execute(select(issuer).where(issuer.c.agency_id == agency_id))).first()


async def terms_of(tx: Tx, *, agency_id: UUID, clients: Iterable[UUID]) -> dict[UUID, Any]:
    """Client terms by client."""
    result = await tx.connection.execute(
        select(client_terms).where(client_terms.c.agency_id == agency_id, client_terms.c.client_id.in_(set(clients)))
    )
    return {row.client_id: row for row in result}


async def suppliers_of(tx: Tx, *, agency_id: UUID, payees: Iterable[UUID]) -> dict[UUID, Any]:
    """Suppliers by payee."""
    result = await tx.connection.execute(
        select(supplier).where(supplier.c.agency_id == agency_id, supplier.c.payee_id.in_(set(payees)))
    )
    return {row.payee_id: row for row in result}


async def list_parties(
    tx: Tx, *, table: Table, key: str, agency_id: UUID, external_id: str | None, after: UUID | None, most: int
) -> list[Any]:
    """Terms or suppliers in the order of their ids."""
    column = table.c[key]
    query = select(table).where(table.c.agency_id == agency_id).order_by(column).limit(most)
    if external_id is not None:
        query = query.where(table.c.external_id == external_id)
    if after is not None:
        query = query.where(column > after)
    return list(await tx.connection.execute(query))


async def owners_of(tx: Tx, *, table: Table, key: str, agency_id: UUID, external_ids: Iterable[str]) -> dict[str, UUID]:
    """Which record has each of these external ids."""
    query = select(table.c.external_id, table.c[key].label("id")).where(
        table.c.agency_id == agency_id, table.c.external_id.in_(set(external_ids))
    )
    return {row.external_id: row.id for row in await tx.connection.execute(query)}


async def _upsert(tx: Tx, table: Table, rows: Sequence[dict[str, Any]], key: tuple[str, ...]) -> None:
    if not rows:
        return
    statement = insert(table)
    changed = {name: statement.excluded[name] for name in rows[0] if name not in key}
    await tx.connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=changed), list(rows))
