"""What stands on workers' pay beside their timesheets: attachment orders, the amounts entered by hand for them, net deductions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from pay_calc.domain.standing import Deduction, Order
from paybill_common.db import Tx

Key = tuple[UUID, UUID]
"""(agency_id, worker_id)."""

ORDER_FIELDS = (
    "external_id",
    "reference",
    "kind",
    "issued_on",
    "starts_on",
    "ends_on",
    "jurisdiction",
    "tables_on",
    "rate",
    "protection",
    "normal_pence",
    "protected_pence",
    "arrears_pence",
    "total_pence",
    "document_ref",
)

DEDUCTION_FIELDS = (
    "external_id",
    "reference",
    "kind",
    "arose_on",
    "starts_on",
    "ends_on",
    "instalment_pence",
    "total_pence",
    "consent_ref",
    "consent_on",
)


async def upsert_order(
    tx: Tx, *, agency_id: UUID, order_id: UUID, worker_id: UUID, values: Mapping[str, Any], by: str
) -> None:
    """Store a whole order; what was taken under it stays."""
    await _upsert(tx, "attachment_order", "order_id", ORDER_FIELDS, agency_id, order_id, worker_id, values, by)


async def upsert_deduction(
    tx: Tx, *, agency_id: UUID, deduction_id: UUID, worker_id: UUID, values: Mapping[str, Any], by: str
) -> None:
    """Store a whole deduction; what was taken stays."""
    await _upsert(tx, "net_deduction", "deduction_id", DEDUCTION_FIELDS, agency_id, deduction_id, worker_id, values, by)


async def _upsert(
    tx: Tx,
    table: str,
    key: str,
    fields: Sequence[str],
    agency_id: UUID,
    record_id: UUID,
    worker_id: UUID,
    values: Mapping[str, Any],
    by: str,
) -> None:
    await tx.execute(
        f"""
        INSERT INTO {table} (agency_id, {key}, worker_id, {", ".join(fields)}, version, updated_at, updated_by)
        VALUES (:agency, :id, :worker, {", ".join(f":{name}" for name in fields)}, 1, :now, :by)
        ON CONFLICT (agency_id, {key}) DO UPDATE SET {", ".join(f"{name} = EXCLUDED.{name}" for name in fields)},
            version = {table}.version + 1, updated_at = EXCLUDED.updated_at, updated_by = EXCLUDED.updated_by
        """,  # noqa: S608  constant names
        agency=agency_id,
        id=record_id,
        worker=worker_id,
        now=tx.now,
        by=by,
        **{name: values[name] for name in fields},
    )


async def upsert_amount(
    tx: Tx, *, agency_id: UUID, order_id: UUID, week_ending: date, amount_pence: int, by: str
) -> None:
    """Store a week's amount of an order, as a clerk read it."""
    await tx.execute(
        """
        INSERT INTO attachment_amount (agency_id, order_id, week_ending, amount_pence, entered_at, entered_by)
        VALUES (:agency, :id, :week, :pence, :now, :by)
        ON CONFLICT (agency_id, order_id, week_ending) DO UPDATE
          SET amount_pence = EXCLUDED.amount_pence, entered_at = EXCLUDED.entered_at, entered_by = EXCLUDED.entered_by
        """,
        agency=agency_id,
        id=order_id,
        week=week_ending,
        pence=amount_pence,
        now=tx.now,
        by=by,
    )


async def order(tx: Tx, *, agency_id: UUID, order_id: UUID) -> Any | None:
    """An order's row, or None."""
    found = await tx.execute(
        "SELECT * FROM attachment_order WHERE agency_id = :agency AND order_id = :id", agency=agency_id, id=order_id
    )
    return found.first()


async def other_record_of(
    tx: Tx, *, table: str, agency_id: UUID, record_id: UUID, worker_id: UUID, reference: str, external_id: str | None
) -> UUID | None:
    """Another record of this module's `table` that has this worker's reference, or this external id."""
    key = {"attachment_order": "order_id", "net_deduction": "deduction_id"}[table]
    found = await tx.execute(
        f"""
        SELECT {key} AS id FROM {table}
        WHERE agency_id = :agency AND {key} <> :id
          AND ((worker_id = :worker AND reference = :reference) OR external_id = CAST(:external AS text)) LIMIT 1
        """,  # noqa: S608  constant names
        agency=agency_id,
        id=record_id,
        worker=worker_id,
        reference=reference,
        external=external_id,
    )
    row = found.first()
    return None if row is None else UUID(str(row.id))


async def deduction(tx: Tx, *, agency_id: UUID, deduction_id: UUID) -> Any | None:
    """A deduction's row, or None."""
    found = await tx.execute(
        "SELECT * FROM net_deduction WHERE agency_id = :agency AND deduction_id = :id",
        agency=agency_id,
        id=deduction_id,
    )
    return found.first()


async def deductions(
    tx: Tx, *, agency_id: UUID, worker_id: UUID | None, external_id: str | None, after: UUID | None, most: int
) -> list[Any]:
    """Deductions by id."""
    return await _page(tx, "net_deduction", "deduction_id", agency_id, worker_id, external_id, after, most)


async def orders(
    tx: Tx, *, agency_id: UUID, worker_id: UUID | None, external_id: str | None, after: UUID | None, most: int
) -> list[Any]:
    """Orders by id."""
    return await _page(tx, "attachment_order", "order_id", agency_id, worker_id, external_id, after, most)


async def _page(
    tx: Tx,
    table: str,
    key: str,
    agency_id: UUID,
    worker_id: UUID | None,
    external_id: str | None,
    after: UUID | None,
    most: int,
) -> list[Any]:
    found = await tx.execute(
        f"""
        SELECT * FROM {table} WHERE agency_id = :agency
          AND (CAST(:worker AS uuid) IS NULL OR worker_id = :worker)
          AND (CAST(:external AS text) IS NULL OR external_id = :external)
          AND (CAST(:after AS uuid) IS NULL OR {key} > :after)
        ORDER BY {key} LIMIT :most
        """,  # noqa: S608  constant names
        agency=agency_id,
        worker=worker_id,
        external=external_id,
        after=after,
        most=most,
    )
    return list(found.all())


async def amounts(tx: Tx, *, agency_id: UUID, orders: Sequence[UUID]) -> list[Any]:
    """The amounts entered by hand for these orders, by order and week."""
    found = await tx.execute(
        """
        SELECT * FROM attachment_amount WHERE agency_id = :agency AND order_id = ANY(CAST(:orders AS uuid[]))
        ORDER BY order_id, week_ending
        """,
        agency=agency_id,
        orders=list(orders),
    )
    return list(found.all())


async def orders_of(tx: Tx, keys: Sequence[Key]) -> dict[Key, list[Order]]:
    """The orders of these workers."""
    found = await tx.execute(
        """
        SELECT o.*, (SELECT jsonb_object_agg(a.week_ending, a.amount_pence) FROM attachment_amount a
                     WHERE a.agency_id = o.agency_id AND a.order_id = o.order_id) AS by_hand
        FROM attachment_order o
        WHERE o.agency_id = ANY(CAST(:agencies AS uuid[])) AND o.worker_id = ANY(CAST(:workers AS uuid[]))
        ORDER BY o.order_id
        """,
        agencies=sorted({agency for agency, _ in keys}),
        workers=[worker for _, worker in keys],
    )
    by_worker: dict[Key, list[Order]] = {}
    for row in found:
        by_worker.setdefault((row.agency_id, row.worker_id), []).append(order_of(row, row.by_hand or {}))
    return by_worker


def order_of(row: Any, by_hand: Mapping[str, int]) -> Order:
    """An order from its row and the amounts of `YYYY-MM-DD` weeks."""
    return Order(
        order_id=row.order_id,
        reference=row.reference,
        kind=row.kind,
        issued_on=row.issued_on,
        starts_on=row.starts_on,
        ends_on=row.ends_on,
        jurisdiction=row.jurisdiction,
        tables_on=row.tables_on,
        rate=row.rate,
        protection=row.protection,
        normal_pence=row.normal_pence,
        protected_pence=row.protected_pence,
        arrears_pence=row.arrears_pence,
        total_pence=row.total_pence,
        taken_pence=row.taken_pence,
        shortfall_pence=row.shortfall_pence,
        by_hand={date.fromisoformat(week): pence for week, pence in by_hand.items()},
    )


async def deductions_of(tx: Tx, keys: Sequence[Key]) -> dict[Key, list[Deduction]]:
    """The net deductions of these workers."""
    found = await tx.execute(
        """
        SELECT * FROM net_deduction
        WHERE agency_id = ANY(CAST(:agencies AS uuid[])) AND worker_id = ANY(CAST(:workers AS uuid[])) ORDER BY deduction_id
        """,
        agencies=sorted({agency for agency, _ in keys}),
        workers=[worker for _, worker in keys],
    )
    by_worker: dict[Key, list[Deduction]] = {}
    for row in found:
        by_worker.setdefault((row.agency_id, row.worker_id), []).append(deduction_of(row))
    return by_worker


def deduction_of(row: Any) -> Deduction:
    """A deduction from its row."""
    return Deduction(
        deduction_id=row.deduction_id,
        reference=row.reference,
        kind=row.kind,
        arose_on=row.arose_on,
        starts_on=row.starts_on,
        ends_on=row.ends_on,
        instalment_pence=row.instalment_pence,
        total_pence=row.total_pence,
        consent_ref=row.consent_ref,
        consent_on=row.consent_on,
        taken_pence=row.taken_pence,
    )


@dataclass(frozen=True, slots=True)
class Taken:
    """What one finalised payslip took under an order, and what it could not take, pence."""

    order_id: UUID
    deducted_pence: int
    shortfall_pence: int


async def add_taken(tx: Tx, *, agency_id: UUID, rows: Sequence[Taken]) -> None:
    """Carry what finalised payslips took over to their orders."""
    if not rows:
        return
    await tx.execute(
        """
        UPDATE attachment_order AS o SET taken_pence = o.taken_pence + d, shortfall_pence = s
        FROM unnest(CAST(:orders AS uuid[]), CAST(:deducted AS bigint[]), CAST(:shortfalls AS bigint[])) AS i(id, d, s)
        WHERE o.agency_id = :agency AND o.order_id = id
        """,
        agency=agency_id,
        orders=[row.order_id for row in rows],
        deducted=[row.deducted_pence for row in rows],
        shortfalls=[row.shortfall_pence for row in rows],
    )


async def add_deducted(tx: Tx, *, agency_id: UUID, rows: Sequence[tuple[UUID, int]]) -> None:
    """Count (deduction, pence) of finalised payslips against their deductions."""
    if not rows:
        return
    await tx.execute(
        """
        UPDATE net_deduction AS n SET taken_pence = n.taken_pence + t
        FROM unnest(CAST(:ids AS uuid[]), CAST(:taken AS bigint[])) AS i(id, t) WHERE n.agency_id = :agency AND n.deduction_id = id
        """,
        agency=agency_id,
        ids=[deduction_id for deduction_id, _ in rows],
        taken=[pence for _, pence in rows],
    )
