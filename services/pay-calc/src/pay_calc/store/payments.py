"""Payment files and their payments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from paybill_common.db import Tx


async def payable_workers(tx: Tx, *, agency_id: UUID, pay_run_id: UUID) -> list[Any]:
    """PAYE payslips of a run that pay something and are in no file yet, with the bank details of today."""
    found = await tx.execute(
        """
        SELECT s.payslip_id AS source_id, s.worker_id AS payee_id, s.net_gbp AS amount_gbp, s.period_to,
               p.sort_code, p.account_number, coalesce(p.account_name, l.display_name) AS account_name
        FROM payslip s
        LEFT JOIN pay_profile p ON p.agency_id = s.agency_id AND p.worker_id = s.worker_id
        LEFT JOIN label l ON l.kind = 'worker' AND l.entry_id = s.worker_id AND l.agency_id = s.agency_id
        WHERE s.agency_id = :agency AND s.pay_run_id = :run AND s.pay_basis = 'paye' AND s.net_gbp > 0
          AND NOT EXISTS (SELECT 1 FROM payment WHERE payment.agency_id = s.agency_id AND payment.source_id = s.payslip_id)
        ORDER BY s.worker_id
        """,
        agency=agency_id,
        run=pay_run_id,
    )
    return list(found.all())


async def payable_suppliers(tx: Tx, *, agency_id: UUID, pay_run_id: UUID) -> list[Any]:
    """Self-bills of a run that are in no file yet, at their gross less what is deducted."""
    found = await tx.execute(
        """
        SELECT b.document_id AS source_id, b.payee_id, coalesce(b.payable_gbp, b.gross_gbp) AS amount_gbp, b.number,
               p.sort_code, p.account_number, coalesce(p.account_name, l.display_name) AS account_name
        FROM self_bill b
        LEFT JOIN payee p ON p.agency_id = b.agency_id AND p.payee_id = b.payee_id
        LEFT JOIN label l ON l.kind = 'payee' AND l.entry_id = b.payee_id AND l.agency_id = b.agency_id
        WHERE b.agency_id = :agency AND b.pay_run_id = :run AND coalesce(b.payable_gbp, b.gross_gbp) > 0
          AND NOT EXISTS (SELECT 1 FROM payment WHERE payment.agency_id = b.agency_id AND payment.source_id = b.document_id)
        ORDER BY b.payee_id, b.number
        """,
        agency=agency_id,
        run=pay_run_id,
    )
    return list(found.all())


async def awaited_self_bills(tx: Tx, *, agency_id: UUID, pay_run_id: UUID) -> list[Any]:
    """Payees of a run whose finalised amount no self-bill carries yet."""
    found = await tx.execute(
        """
        SELECT payee_id, sum(net_gbp) AS net_gbp FROM payslip s
        WHERE agency_id = :agency AND pay_run_id = :run AND pay_basis <> 'paye'
          AND NOT EXISTS (SELECT 1 FROM self_bill b WHERE b.agency_id = s.agency_id AND b.pay_run_id = s.pay_run_id
                          AND b.payee_id = s.payee_id)
        GROUP BY payee_id HAVING sum(net_gbp) > 0 ORDER BY payee_id
        """,
        agency=agency_id,
        run=pay_run_id,
    )
    return list(found.all())


@dataclass(frozen=True, slots=True)
class NewPayment:
    payment_id: UUID
    payee_kind: str
    payee_id: UUID
    source_id: UUID
    amount_gbp: Decimal
    sort_code: str
    account_number: str
    account_name: str
    reference: str


async def insert_file(
    tx: Tx,
    *,
    agency_id: UUID,
    payment_file_id: UUID,
    pay_run_id: UUID,
    external_id: str | None,
    funds_on: date,
    by: str,
    by_name: str,
    payments: Sequence[NewPayment],
) -> None:
    """A prepared file and its payments. The caller owns the agency's lock, so serials have no gap."""
    await tx.execute(
        """
        INSERT INTO payment_file (agency_id, payment_file_id, external_id, pay_run_id, serial, state, funds_on, payments,
            total_gbp, prepared_by, prepared_by_name, prepared_at)
        VALUES (:agency, :id, :external, :run, (SELECT coalesce(max(serial), 0) + 1 FROM payment_file WHERE agency_id = :agency),
            'prepared', :funds, :payments, :total, :by, :by_name, :now)
        """,
        agency=agency_id,
        id=payment_file_id,
        external=external_id,
        run=pay_run_id,
        funds=funds_on,
        payments=len(payments),
        total=sum((payment.amount_gbp for payment in payments), Decimal(0)),
        by=by,
        by_name=by_name,
        now=tx.now,
    )
    await tx.execute(
        """
        INSERT INTO payment (agency_id, payment_id, payment_file_id, payee_kind, payee_id, source_id, amount_gbp, sort_code,
            account_number, account_name, reference)
        SELECT :agency, p, :file, k, py, s, g, sc, an, nm, rf
        FROM unnest(CAST(:ids AS uuid[]), CAST(:kinds AS text[]), CAST(:payees AS uuid[]), CAST(:sources AS uuid[]),
            CAST(:amounts AS numeric[]), CAST(:sort_codes AS text[]), CAST(:accounts AS text[]), CAST(:names AS text[]),
            CAST(:references AS text[])) AS i(p, k, py, s, g, sc, an, nm, rf)
        """,
        agency=agency_id,
        file=payment_file_id,
        ids=[payment.payment_id for payment in payments],
        kinds=[payment.payee_kind for payment in payments],
        payees=[payment.payee_id for payment in payments],
        sources=[payment.source_id for payment in payments],
        amounts=[payment.amount_gbp for payment in payments],
        sort_codes=[payment.sort_code for payment in payments],
        accounts=[payment.account_number for payment in payments],
        names=[payment.account_name for payment in payments],
        references=[payment.reference for payment in payments],
    )


async def file(tx: Tx, *, agency_id: UUID, payment_file_id: UUID, lock: bool = False) -> Any | None:
    found = await tx.execute(
        "SELECT * FROM payment_file WHERE agency_id = :agency AND payment_file_id = :id"  # noqa: S608  constant text
        + (" FOR UPDATE" if lock else ""),
        agency=agency_id,
        id=payment_file_id,
    )
    return found.first()


async def files(
    tx: Tx, *, agency_id: UUID, pay_run_id: UUID | None, external_id: str | None, before: int | None, most: int
) -> list[Any]:
    """Payment files, newest first."""
    found = await tx.execute(
        """
        SELECT * FROM payment_file WHERE agency_id = :agency
          AND (CAST(:run AS uuid) IS NULL OR pay_run_id = :run)
          AND (CAST(:external AS text) IS NULL OR external_id = :external)
          AND (CAST(:before AS int) IS NULL OR serial < :before)
        ORDER BY serial DESC LIMIT :most
        """,
        agency=agency_id,
        run=pay_run_id,
        external=external_id,
        before=before,
        most=most,
    )
    return list(found.all())


async def release(tx: Tx, *, agency_id: UUID, payment_file_id: UUID, by: str, by_name: str) -> None:
    await tx.execute(
        """
        UPDATE payment_file SET state = 'released', released_by = :by, released_by_name = :by_name, released_at = :now
        WHERE agency_id = :agency AND payment_file_id = :id AND state = 'prepared'
        """,
        agency=agency_id,
        id=payment_file_id,
        by=by,
        by_name=by_name,
        now=tx.now,
    )


async def payments_of(tx: Tx, *, agency_id: UUID, payment_file_id: UUID) -> list[Any]:
    found = await tx.execute(
        """
        SELECT * FROM payment WHERE agency_id = :agency AND payment_file_id = :id
        ORDER BY payee_kind DESC, payee_id, payment_id
        """,
        agency=agency_id,
        id=payment_file_id,
    )
    return list(found.all())
