"""The records that an agency keeps (workers, clients, placements …): one set-wise upsert for all kinds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql

from paybill_common.db import Tx
from paybill_common.rows import rows_json
from timesheet.store import tables

Row = dict[str, Any]
_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]
_BOOKKEEPING = frozenset({"agency_id", "version", "changed_at", "erased_at"})


@dataclass(frozen=True)
class Kind:
    """One kind of record: its table, its id column, and the columns that a caller sets."""

    name: str
    table: Table

    @property
    def id_column(self) -> str:
        return f"{self.name}_id"

    @property
    def fields(self) -> tuple[str, ...]:
        skipped = _BOOKKEEPING | {self.id_column}
        return tuple(column.name for column in self.table.columns if column.name not in skipped)


KINDS = {
    name: Kind(name, getattr(tables, name))
    for name in ("agency", "client", "site", "consultant", "payee", "worker", "placement")
}


async def lock_kind(tx: Tx, *, agency_id: UUID, kind: Kind) -> None:
    """One writer at a time of an agency's records of this kind: versions count up without a gap."""
    await tx.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('paybill.record.' || :kind || :agency, 0))",
        kind=kind.name,
        agency=str(agency_id),
    )


async def by_id(tx: Tx, *, agency_id: UUID, kind: Kind, ids: Iterable[UUID]) -> dict[UUID, Row]:
    """The records with these ids."""
    result = await tx.execute(
        f"SELECT * FROM {kind.name} WHERE agency_id = :agency AND {kind.id_column} = ANY(CAST(:ids AS uuid[]))",  # noqa: S608
        agency=agency_id,
        ids=list(set(ids)),
    )
    return {row[kind.id_column]: dict(row) for row in result.mappings()}


async def ids_by_reference(tx: Tx, *, agency_id: UUID, kind: Kind, references: Iterable[str]) -> dict[str, UUID]:
    """Ids by external id; by our own reference where no external id is the text."""
    result = await tx.execute(
        f"SELECT {kind.id_column} AS id, external_id, reference FROM {kind.name} WHERE agency_id = :agency "  # noqa: S608
        "AND (external_id = ANY(CAST(:refs AS text[])) OR reference = ANY(CAST(:refs AS text[])))",
        agency=agency_id,
        refs=list(set(references)),
    )
    rows = result.all()
    found = {row.reference: row.id for row in rows}
    return found | {row.external_id: row.id for row in rows if row.external_id is not None}


async def upsert(tx: Tx, *, agency_id: UUID, kind: Kind, rows: Sequence[Row]) -> None:
    """Write whole records; each row has the id, every field and the new `version`."""
    names = [kind.id_column, *kind.fields, "version"]
    types = {column.name: column.type.compile(_DIALECT) for column in kind.table.columns}
    columns = ", ".join(names)
    keys = "agency_id" if kind.id_column == "agency_id" else f"agency_id, {kind.id_column}"
    selected = ", ".join(f"r.{name}" for name in names)
    declared = ", ".join(f"{name} {types[name]}" for name in names)
    changes = ", ".join(f"{name} = EXCLUDED.{name}" for name in [*kind.fields, "version", "changed_at", "erased_at"])
    into = columns if kind.id_column == "agency_id" else f"agency_id, {columns}"
    values = selected if kind.id_column == "agency_id" else f":agency, {selected}"
    erased, nothing = (", erased_at", ", NULL") if "erased_at" in kind.table.columns else ("", "")
    if not erased:
        changes = changes.replace(", erased_at = EXCLUDED.erased_at", "")
    await tx.execute(
        f"INSERT INTO {kind.name} ({into}, changed_at{erased}) SELECT {values}, :now{nothing} "  # noqa: S608
        f"FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r({declared}) "
        f"ON CONFLICT ({keys}) DO UPDATE SET {changes}",
        **({} if kind.id_column == "agency_id" else {"agency": agency_id}),
        now=tx.now,
        rows=rows_json([{name: row.get(name) for name in names} for row in rows]),
    )


async def page(
    tx: Tx, *, agency_id: UUID, kind: Kind, where: Mapping[str, Any], q: str | None, after: UUID | None, most: int
) -> list[Row]:
    """Records by id, filtered by equal columns and by a text in name, reference or external id."""
    clauses = [f"{name} = :{name}" for name in where]
    if q:
        clauses.append(
            "(name ILIKE :q ESCAPE '!' OR reference ILIKE :q ESCAPE '!' OR coalesce(external_id, '') ILIKE :q ESCAPE '!')"
        )
    if after is not None:
        clauses.append(f"{kind.id_column} > :after")
    condition = " AND ".join(["agency_id = :agency", *clauses])
    result = await tx.execute(
        f"SELECT * FROM {kind.name} WHERE {condition} ORDER BY {kind.id_column} LIMIT :most",  # noqa: S608
        agency=agency_id,
        most=most,
        **where,
        **({"q": like(q)} if q else {}),
        **({"after": after} if after is not None else {}),
    )
    return [dict(row) for row in result.mappings()]


async def erase(tx: Tx, *, agency_id: UUID, kind: Kind, record_id: UUID) -> Row | None:
    """Put `Erased` in place of the name and drop addresses; drop stored copies in the outbox. None when unknown."""
    personal = [name for name in ("email", "approver_name", "approver_email") if name in kind.table.columns]
    if "email" in kind.table.columns:
        await tx.execute(
            f"DELETE FROM mail m USING {kind.name} k WHERE k.agency_id = :agency AND k.{kind.id_column} = :id "  # noqa: S608
            "AND m.agency_id = k.agency_id AND m.to_email = k.email",
            agency=agency_id,
            id=record_id,
        )
    nulls = "".join(f", {name} = NULL" for name in personal)
    result = await tx.execute(
        f"UPDATE {kind.name} SET name = 'Erased', version = version + 1, changed_at = :now, "  # noqa: S608
        f"erased_at = :now{nulls} WHERE agency_id = :agency AND {kind.id_column} = :id RETURNING *",
        agency=agency_id,
        id=record_id,
        now=tx.now,
    )
    row = result.mappings().first()
    if row is None:
        return None
    await tx.execute(
        "SELECT erase_directory_copies(:agency, :key, :id)",
        agency=agency_id,
        key=f"{kind.name}:{record_id}",
        id=str(record_id),
    )
    return dict(row)


async def take_numbers(tx: Tx, *, agency_id: UUID, name: str, count: int) -> int:
    """Take `count` numbers of a counter; gives the first."""
    result = await tx.execute(
        "INSERT INTO counter (agency_id, name, value) VALUES (:agency, :name, :count) "
        "ON CONFLICT (agency_id, name) DO UPDATE SET value = counter.value + EXCLUDED.value RETURNING value",
        agency=agency_id,
        name=name,
        count=count,
    )
    return int(result.scalar_one()) - count + 1


def like(text: str) -> str:
    """A pattern that finds this text anywhere."""
    escaped = text.replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return f"%{escaped}%"
