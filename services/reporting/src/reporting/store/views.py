"""Lists of timesheets that a person named: a filter of the address, without its week."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from paybill_common.db import Tx


@dataclass(frozen=True)
class View:
    """A named filter; `query` is what follows the question mark."""

    name: str
    query: str


async def views_of(tx: Tx, *, agency_id: UUID, subject: str) -> list[View]:
    """A person's views of an agency, by name."""
    result = await tx.execute(
        "SELECT name, query FROM saved_view WHERE agency_id = :agency AND subject = :subject ORDER BY name",
        agency=agency_id,
        subject=subject,
    )
    return [View(row.name, row.query) for row in result]


async def keep_view(tx: Tx, *, agency_id: UUID, subject: str, view: View) -> None:
    """Store a view; one of the same name is replaced."""
    await tx.execute(
        "INSERT INTO saved_view (agency_id, subject, name, query) VALUES (:agency, :subject, :name, :query)"
        " ON CONFLICT (agency_id, subject, name) DO UPDATE SET query = excluded.query",
        agency=agency_id,
        subject=subject,
        name=view.name,
        query=view.query,
    )


async def drop_view(tx: Tx, *, agency_id: UUID, subject: str, name: str) -> None:
    """Forget a view, if it is there."""
    await tx.execute(
        "DELETE FROM saved_view WHERE agency_id = :agency AND subject = :subject AND name = :name",
        agency=agency_id,
        subject=subject,
        name=name,
    )
