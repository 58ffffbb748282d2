"""Each service's own copy of the directory: display names and references, erased by a tombstone."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from paybill_common.db import Tx
from paybill_common.dead_letters import erase_key
from paybill_common.envelope import Batch
from paybill_contracts.directory import DirectoryEntry


async def apply_directory(tx: Tx, batch: Batch) -> None:
    """Store the labels of this batch and erase the ones whose tombstone came. A label is its first agency's alone."""
    entries = [(event, event.data) for event in batch.latest(DirectoryEntry)]
    if entries:
        await tx.execute(
            """
            INSERT INTO label (kind, entry_id, agency_id, display_name, reference, sequence)
            SELECT * FROM unnest(CAST(:kinds AS text[]), CAST(:ids AS uuid[]), CAST(:agencies AS uuid[]),
                CAST(:names AS text[]), CAST(:refs AS text[]), CAST(:sequences AS bigint[]))
            ON CONFLICT (kind, entry_id) DO UPDATE
                SET display_name = EXCLUDED.display_name, reference = EXCLUDED.reference, sequence = EXCLUDED.sequence
                WHERE label.sequence < EXCLUDED.sequence AND label.agency_id = EXCLUDED.agency_id
            """,
            kinds=[data.kind for _, data in entries],
            ids=[data.entry_id for _, data in entries],
            agencies=[data.agency_id for _, data in entries],
            names=[data.display_name for _, data in entries],
            refs=[data.reference for _, data in entries],
            sequences=[event.sequence for event, _ in entries],
        )
    for tombstone in batch.erased():
        kind, _, entry_id = tombstone.key.partition(":")
        await tx.execute(
            "DELETE FROM label WHERE kind = :kind AND entry_id = :entry_id AND agency_id = :agency"
            " AND sequence <= :sequence",
            agency=tombstone.agency_id,
            kind=kind,
            entry_id=UUID(entry_id),
            sequence=tombstone.sequence,
        )
        await erase_key(tx, key=tombstone.key)


async def labels_of(tx: Tx, *, kind: str, ids: Iterable[UUID]) -> dict[UUID, str]:
    """The display names of these records; those not yet known are absent."""
    result = await tx.execute(
        "SELECT entry_id, display_name FROM label WHERE kind = :kind AND entry_id = ANY(CAST(:ids AS uuid[]))",
        kind=kind,
        ids=list(set(ids)),
    )
    return {row.entry_id: row.display_name for row in result}
