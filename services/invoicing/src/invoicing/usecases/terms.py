"""Change who bills, who is billed and who is self-billed, and decide again what that change lets through."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from invoicing.store import facts, parties
from invoicing.usecases.bill_state import redecide_clients
from invoicing.usecases.self_bill import issue_due_self_bills
from paybill_common.db import Tx


async def put_issuer(tx: Tx, *, agency_id: UUID, fields: dict[str, Any]) -> None:
    """Store the agency's own details. Self-bills that waited for them are raised."""
    await facts.lock_agency_settings(tx, agency_id)
    await parties.put_issuer(tx, row={"agency_id": agency_id, "changed_at": tx.now, **fields})
    await issue_due_self_bills(tx, agencies=[agency_id])


async def put_client_terms(tx: Tx, *, agency_id: UUID, rows: Sequence[dict[str, Any]]) -> None:
    """Store terms of clients (each row has client_id). Timesheets that they let through become ready."""
    await facts.lock_agency_settings(tx, agency_id)
    await parties.put_client_terms(
        tx, rows=[{"agency_id": agency_id, "changed_at": tx.now, **fields} for fields in rows]
    )
    await redecide_clients(tx, agency_id=agency_id, clients=[fields["client_id"] for fields in rows])


async def put_suppliers(tx: Tx, *, agency_id: UUID, rows: Sequence[dict[str, Any]]) -> None:
    """Store umbrella and limited companies (each row has payee_id). Self-bills that waited for them are raised."""
    await facts.lock_agency_settings(tx, agency_id)
    await parties.put_suppliers(tx, rows=[{"agency_id": agency_id, "changed_at": tx.now, **fields} for fields in rows])
    await issue_due_self_bills(tx, agencies=[agency_id])
