"""Receipts and the sub-ledger."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from paybill_common.db import Tx


async def lock_receipts(tx: Tx, *, client_id: UUID) -> None:
    """One receipt of a client at a time."""
    await tx.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('invoicing.receipts' || :client, 0))", client=str(client_id)
    )


async def receipt_row(tx: Tx, *, agency_id: UUID, receipt_id: UUID) -> Any | None:
    result = await tx.execute(
        "SELECT * FROM receipt WHERE agency_id = :agency AND receipt_id = :id", agency=agency_id, id=receipt_id
    )
    return result.first()


async def insert_receipt(
    tx: Tx,
    *,
    agency_id: UUID,
    receipt_id: UUID,
    external_id: str | None,
    client_id: UUID,
    received_on: date,
    amount_gbp: Decimal,
    reference: str | None,
    recorded_by: str,
) -> None:
    await tx.execute(
        """
        INSERT INTO receipt (agency_id, receipt_id, external_id, client_id, received_on, amount_gbp, reference,
            recorded_by, recorded_at)
        VALUES (:agency, :id, :external, :client, :received, :amount, :reference, :by, :now)
        """,
        agency=agency_id,
        id=receipt_id,
        external=external_id,
        client=client_id,
        received=received_on,
        amount=amount_gbp,
        reference=reference,
        by=recorded_by,
        now=tx.now,
    )


async def insert_allocations(
    tx: Tx, *, agency_id: UUID, receipt_id: UUID, allocations: Sequence[tuple[UUID, Decimal]]
) -> None:
    if not allocations:
        return
    await tx.execute(
        """
        INSERT INTO receipt_allocation (agency_id, receipt_id, document_id, amount_gbp)
        SELECT :agency, :receipt, * FROM unnest(CAST(:documents AS uuid[]), CAST(:amounts AS numeric[]))
        """,
        agency=agency_id,
        receipt=receipt_id,
        documents=[document_id for document_id, _ in allocations],
        amounts=[amount for _, amount in allocations],
    )


async def allocations_of(tx: Tx, *, agency_id: UUID, receipt_id: UUID) -> list[Any]:
    result = await tx.execute(
        "SELECT document_id, amount_gbp FROM receipt_allocation WHERE agency_id = :agency AND receipt_id = :id"
        " ORDER BY document_id",
        agency=agency_id,
        id=receipt_id,
    )
    return list(result)


async def open_invoices(tx: Tx, *, agency_id: UUID, client_id: UUID) -> list[Any]:
    """A client's invoices with a balance, oldest due first."""
    result = await tx.execute(
        "SELECT document_id, gross_gbp - paid_gbp - credited_gbp AS balance_gbp FROM document"
        " WHERE agency_id = :agency AND client_id = :client AND kind = 'invoice'"
        " AND gross_gbp - paid_gbp - credited_gbp > 0 ORDER BY due_on, serial",
        agency=agency_id,
        client=client_id,
    )
    return list(result)


async def list_receipts(
    tx: Tx, *, agency_id: UUID, client_id: UUID | None, external_id: str | None, after: UUID | None, most: int
) -> list[Any]:
    where = ["agency_id = :agency"]
    params: dict[str, Any] = {"agency": agency_id, "most": most}
    for name, value in (("client_id", client_id), ("external_id", external_id)):
        if value is not None:
            where.append(f"{name} = :{name}")
            params[name] = value
    if after is not None:
        where.append("receipt_id > :after")
        params["after"] = after
    result = await tx.execute(
        f"SELECT * FROM receipt WHERE {' AND '.join(where)} ORDER BY receipt_id LIMIT :most",  # noqa: S608  fixed words
        **params,
    )
    return list(result)


async def trial_balance(tx: Tx, *, agency_id: UUID, as_of: date | None) -> list[Any]:
    """Debits and credits by account up to and including a day."""
    result = await tx.execute(
        """
        SELECT account, coalesce(sum(amount_gbp) FILTER (WHERE amount_gbp > 0), 0) AS debit_gbp,
               coalesce(-sum(amount_gbp) FILTER (WHERE amount_gbp < 0), 0) AS credit_gbp, sum(amount_gbp) AS balance_gbp
        FROM ledger_entry
        WHERE agency_id = :agency AND (CAST(:as_of AS date) IS NULL OR posted_on <= CAST(:as_of AS date))
        GROUP BY account ORDER BY account
        """,
        agency=agency_id,
        as_of=as_of,
    )
    return list(result)


async def list_entries(
    tx: Tx, *, agency_id: UUID, source_id: UUID | None, account: str | None, after: UUID | None, most: int
) -> list[Any]:
    where = ["agency_id = :agency"]
    params: dict[str, Any] = {"agency": agency_id, "most": most}
    for name, value in (("source_id", source_id), ("account", account)):
        if value is not None:
            where.append(f"{name} = :{name}")
            params[name] = value
    if after is not None:
        where.append("entry_id > :after")
        params["after"] = after
    result = await tx.execute(
        f"SELECT * FROM ledger_entry WHERE {' AND '.join(where)} ORDER BY entry_id LIMIT :most",  # noqa: S608  fixed words
        **params,
    )
    return list(result)


async def tie_out(tx: Tx, *, agency_id: UUID, week_ending: date | None) -> Any:
    """Charges of the current approved versions that are billed, against what documents bill for exactly these charges.

    `differing` counts charge lines whose invoiced net is not their approved charge, `ledger_gbp` is the ledger's sum.
    """
    result = await tx.execute(
        """
        WITH standing AS MATERIALIZED (
            SELECT ch.charge_line_id, ch.version, ch.charge_gbp,
                   (SELECT coalesce(sum(l.net_gbp), 0) FROM document_line l
                    WHERE l.agency_id = ch.agency_id AND l.charge_line_id = ch.charge_line_id AND l.version = ch.version
                      AND l.kind IN ('charge', 'reversal')) AS invoiced_gbp,
                   (t.version = ch.version AND t.billed_version = t.version AND ch.billable AND NOT ch.written_off)
                       AS expected
            FROM charge ch
            JOIN timesheet t ON t.agency_id = ch.agency_id AND t.timesheet_id = ch.timesheet_id
            WHERE ch.agency_id = :agency AND (CAST(:week AS date) IS NULL OR t.week_ending = CAST(:week AS date))
        )
        SELECT count(*) FILTER (WHERE expected) AS lines,
               coalesce(sum(charge_gbp) FILTER (WHERE expected), 0) AS approved_gbp,
               coalesce(sum(invoiced_gbp) FILTER (WHERE expected), 0) AS invoiced_gbp,
               count(*) FILTER (WHERE expected AND invoiced_gbp <> charge_gbp) AS differing,
               (SELECT coalesce(sum(amount_gbp), 0) FROM ledger_entry WHERE agency_id = :agency) AS ledger_gbp
        FROM standing
        """,
        agency=agency_id,
        week=week_ending,
    )
    return result.one()
