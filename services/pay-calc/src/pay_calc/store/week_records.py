"""Records under a caller's own id whose pay follows in weeks: absences and family leaves in one pair of tables, leave in another."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from paybill_common.db import Tx

_dumps = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class WeekRecords:
    """A table of records and that of their weeks. `fields` are a record's columns, `document` its one column of JSON."""

    table: str
    weeks_table: str
    fields: tuple[str, ...]
    document: str

    async def upsert(
        self, tx: Tx, *, agency_id: UUID, record_id: UUID, worker_id: UUID, values: Mapping[str, Any], by: str
    ) -> None:
        """Store a whole record: `values` has every field, and the document as what JSON can hold."""
        names = ", ".join(self.fields)
        await tx.execute(
            f"""
            INSERT INTO {self.table} (agency_id, record_id, worker_id, {names}, {self.document}, version, updated_at, updated_by)
            VALUES (:agency, :id, :worker, {", ".join(f":{name}" for name in self.fields)}, CAST(:document AS jsonb), 1, :now, :by)
            ON CONFLICT (agency_id, record_id) DO UPDATE SET {", ".join(f"{name} = EXCLUDED.{name}" for name in self.fields)},
                {self.document} = EXCLUDED.{self.document}, version = {self.table}.version + 1, updated_at = EXCLUDED.updated_at,
                updated_by = EXCLUDED.updated_by
            """,  # noqa: S608  constant names
            agency=agency_id,
            id=record_id,
            worker=worker_id,
            now=tx.now,
            by=by,
            document=_dumps(values[self.document]),
            **{name: values[name] for name in self.fields},
        )

    async def one(self, tx: Tx, *, agency_id: UUID, record_id: UUID) -> Any | None:
        """A record's row, or None."""
        found = await tx.execute(
            f"SELECT * FROM {self.table} WHERE agency_id = :agency AND record_id = :id",  # noqa: S608  constant names
            agency=agency_id,
            id=record_id,
        )
        return found.first()

    async def holder_of(self, tx: Tx, *, agency_id: UUID, external_id: str) -> UUID | None:
        """The record that has this external id."""
        found = await tx.execute(
            f"SELECT record_id FROM {self.table} WHERE agency_id = :agency AND external_id = :external",  # noqa: S608  constant names
            agency=agency_id,
            external=external_id,
        )
        row = found.first()
        return None if row is None else UUID(str(row.record_id))

    async def of_worker(self, tx: Tx, *, agency_id: UUID, worker_id: UUID) -> list[Any]:
        """A worker's records that were not cancelled, the earliest first."""
        found = await tx.execute(
            f"""
            SELECT * FROM {self.table} WHERE agency_id = :agency AND worker_id = :worker AND NOT cancelled
            ORDER BY first_on, record_id
            """,  # noqa: S608  constant names
            agency=agency_id,
            worker=worker_id,
        )
        return list(found.all())

    async def page(
        self,
        tx: Tx,
        *,
        agency_id: UUID,
        kinds: Sequence[str],
        worker_id: UUID | None,
        external_id: str | None,
        after: UUID | None,
        most: int,
    ) -> list[Any]:
        """Records of these kinds by id."""
        found = await tx.execute(
            f"""
            SELECT * FROM {self.table} WHERE agency_id = :agency AND kind = ANY(CAST(:kinds AS text[]))
              AND (CAST(:worker AS uuid) IS NULL OR worker_id = :worker)
              AND (CAST(:external AS text) IS NULL OR external_id = :external)
              AND (CAST(:after AS uuid) IS NULL OR record_id > :after)
            ORDER BY record_id LIMIT :most
            """,  # noqa: S608  constant names
            agency=agency_id,
            kinds=list(kinds),
            worker=worker_id,
            external=external_id,
            after=after,
            most=most,
        )
        return list(found.all())

    async def weeks(self, tx: Tx, *, agency_id: UUID, records: Sequence[UUID]) -> list[Any]:
        """The weeks of these records, by record and day."""
        found = await tx.execute(
            f"""
            SELECT * FROM {self.weeks_table} WHERE agency_id = :agency AND record_id = ANY(CAST(:records AS uuid[]))
            ORDER BY record_id, first_day
            """,  # noqa: S608  constant names
            agency=agency_id,
            records=list(records),
        )
        return list(found.all())
