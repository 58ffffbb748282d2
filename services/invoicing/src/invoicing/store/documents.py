"""Documents, their lines, numbers and ledger entries. Lines and entries are only ever appended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import insert

from invoicing.domain.numbers import Series
from invoicing.store.tables import document, document_line, ledger_entry
from paybill_common.db import Tx

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Label:
    """A name from the directory, and the agency's own reference where it has one."""

    name: str
    reference: str | None


async def take_serials(tx: Tx, *, agency_id: UUID, series: Series, count: int) -> int:
    """Take `count` consecutive serials of a series and return the first.

    The counter's row stays locked until the commit, and a rollback gives the serials back: no gap and no double.
    """
    result = await tx.execute(
        """
        INSERT INTO number_counter (agency_id, series, last_serial) VALUES (:agency, :series, :count)
        ON CONFLICT (agency_id, series) DO UPDATE SET last_serial = number_counter.last_serial + EXCLUDED.last_serial
        RETURNING last_serial
        """,
        agency=agency_id,
        series=series,
        count=count,
    )
    return int(result.scalar_one()) - count + 1


async def insert_documents(tx: Tx, *, documents: Sequence[Row], lines: Sequence[Row], entries: Sequence[Row]) -> None:
    """Append documents with their lines and ledger entries."""
    if documents:
        await tx.connection.execute(insert(document), list(documents))
    if lines:
        await tx.connection.execute(insert(document_line), list(lines))
    if entries:
        await tx.connection.execute(insert(ledger_entry), list(entries))


async def insert_entries(tx: Tx, entries: Sequence[Row]) -> None:
    """Append ledger entries that belong to no document."""
    await tx.connection.execute(insert(ledger_entry), list(entries))


async def labels(
    tx: Tx, *, agency_id: UUID, wanted: Iterable[tuple[str, UUID | None]]
) -> dict[tuple[str, UUID], Label]:
    """The labels of (kind, id) pairs that the directory has."""
    pairs = sorted({(kind, entry_id) for kind, entry_id in wanted if entry_id is not None})
    if not pairs:
        return {}
    result = await tx.execute(
        """
        SELECT l.kind, l.entry_id, l.display_name, l.reference
        FROM unnest(CAST(:kinds AS text[]), CAST(:ids AS uuid[])) AS k(kind, entry_id)
        JOIN label l ON l.kind = k.kind AND l.entry_id = k.entry_id AND l.agency_id = :agency
        """,
        kinds=[kind for kind, _ in pairs],
        ids=[entry_id for _, entry_id in pairs],
        agency=agency_id,
    )
    return {(row.kind, row.entry_id): Label(row.display_name, row.reference) for row in result}


async def document_row(tx: Tx, *, agency_id: UUID, document_id: UUID, kind: Series, lock: bool = False) -> Any | None:
    """One document of a kind, or None."""
    result = await tx.execute(
        "SELECT * FROM document WHERE agency_id = :agency AND document_id = :id AND kind = :kind"  # noqa: S608  fixed words
        + (" FOR UPDATE" if lock else ""),
        agency=agency_id,
        id=document_id,
        kind=kind,
    )
    return result.first()


async def document_lines(tx: Tx, *, agency_id: UUID, document_id: UUID) -> list[Any]:
    """The lines of a document in order."""
    result = await tx.execute(
        "SELECT * FROM document_line WHERE agency_id = :agency AND document_id = :id ORDER BY ordinal",
        agency=agency_id,
        id=document_id,
    )
    return list(result)


async def documents_by_id(tx: Tx, *, agency_id: UUID, ids: Iterable[UUID], lock: bool = False) -> dict[UUID, Any]:
    """Documents by id; locked in id order when asked."""
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    result = await tx.execute(
        "SELECT * FROM document WHERE agency_id = :agency AND document_id = ANY(CAST(:ids AS uuid[])) ORDER BY document_id"  # noqa: S608  fixed words
        + (" FOR UPDATE" if lock else ""),
        agency=agency_id,
        ids=wanted,
    )
    return {row.document_id: row for row in result}


async def credited_so_far(tx: Tx, *, agency_id: UUID, document_id: UUID) -> Any:
    """Net and VAT of the credit notes to an invoice; negative."""
    result = await tx.execute(
        "SELECT coalesce(sum(vat_gbp), 0) AS vat_gbp, coalesce(sum(net_gbp), 0) AS net_gbp FROM document"
        " WHERE agency_id = :agency AND credits_document_id = :id",
        agency=agency_id,
        id=document_id,
    )
    return result.one()


async def settle(tx: Tx, *, agency_id: UUID, document_id: UUID, paid_gbp: Decimal, credited_gbp: Decimal) -> Any:
    """Add to what is paid and credited of an invoice. Returns its gross, paid, credited and revision."""
    result = await tx.execute(
        """
        UPDATE document SET paid_gbp = paid_gbp + :paid, credited_gbp = credited_gbp + :credited, revision = revision + 1
        WHERE agency_id = :agency AND document_id = :id
        RETURNING document_id, client_id, gross_gbp, paid_gbp, credited_gbp, revision
        """,
        agency=agency_id,
        id=document_id,
        paid=paid_gbp,
        credited=credited_gbp,
    )
    return result.one()


async def list_documents(
    tx: Tx, *, agency_id: UUID, kind: Series, filters: dict[str, Any], after_serial: int, most: int
) -> list[Any]:
    """Documents of a kind in the order of their numbers. Filters that are None are passed over.

    Known filters: external_id, client_id, payee_id, week_ending, invoice_run_id, pay_run_id, number; `open` true for a balance left.
    """
    where = ["agency_id = :agency", "kind = :kind", "serial > :after"]
    params: dict[str, Any] = {"agency": agency_id, "kind": kind, "after": after_serial, "most": most}
    for name in ("external_id", "client_id", "payee_id", "week_ending", "invoice_run_id", "pay_run_id", "number"):
        if filters.get(name) is not None:
            where.append(f"{name} = :{name}")
            params[name] = filters[name]
    if filters.get("open") is not None:
        where.append(f"gross_gbp - paid_gbp - credited_gbp {'>' if filters['open'] else '<='} 0")
    result = await tx.execute(
        f"SELECT * FROM document WHERE {' AND '.join(where)} ORDER BY serial LIMIT :most",  # noqa: S608  fixed words
        **params,
    )
    return list(result)
