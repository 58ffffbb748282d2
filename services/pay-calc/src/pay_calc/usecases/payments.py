"""Payment files: one person prepares, another releases, and only then the file's content can be fetched."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from pay_calc.domain.bacs import Credit, Originator, bacs_text, standard_18
from pay_calc.domain.fps import safe_cell
from pay_calc.domain.pay_dates import banking_day_before
from pay_calc.store import facts, payments, people
from paybill_common.clock import london_date
from paybill_common.db import Tx
from paybill_common.ids import derived_id, new_id
from paybill_common.money import to_pence
from paybill_contracts.pay import PaymentInstructed


class RunNotClosed(Exception):
    """Only a closed pay run is paid."""


class NothingToPay(Exception):
    """Every amount of the run is in a file, or waits for something that is missing."""


class SamePerson(Exception):
    """Who prepared a payment file may not release it."""


class EmployerIncomplete(Exception):
    """The employer's own bank details or service user number are missing, so a Bacs file cannot be made."""


@dataclass(frozen=True, slots=True)
class Missing:
    """An amount that no file can carry yet, and why: missing_bank_details or awaiting_self_bill."""

    code: str
    payee_kind: str
    payee_id: UUID
    amount_gbp: Decimal


@dataclass(slots=True)
class Prepared:
    """The file (None when there was nothing new to pay) and what it could not take in."""

    payment_file_id: UUID | None
    missing: list[Missing] = field(default_factory=list)


async def prepare(
    tx: Tx, *, agency_id: UUID, run: Any, by: str, by_name: str, external_id: str | None = None
) -> Prepared:
    """Put everything of a closed run that can be paid and is in no file yet into a new file."""
    if run.state != "closed":
        raise RunNotClosed(f"pay run {run.pay_run_id} is still closing")
    await facts.own_agency(tx, agency_id)
    prepared = Prepared(None)
    new: list[payments.NewPayment] = []
    week = f"W/E {run.week_ending:%d%m%y}"
    sources = [
        ("worker", row, f"PAY {week}")
        for row in await payments.payable_workers(tx, agency_id=agency_id, pay_run_id=run.pay_run_id)
    ] + [
        ("supplier", row, row.number)
        for row in await payments.payable_suppliers(tx, agency_id=agency_id, pay_run_id=run.pay_run_id)
    ]
    for kind, row, reference in sources:
        if row.sort_code is None or row.account_number is None:
            prepared.missing.append(Missing("missing_bank_details", kind, row.payee_id, row.amount_gbp))
            continue
        new.append(
            payments.NewPayment(
                payment_id=derived_id("payment", agency_id, row.source_id),
                payee_kind=kind,
                payee_id=row.payee_id,
                source_id=row.source_id,
                amount_gbp=row.amount_gbp,
                sort_code=row.sort_code,
                account_number=row.account_number,
                account_name=row.account_name or kind,
                reference=reference,
            )
        )
    for row in await payments.awaited_self_bills(tx, agency_id=agency_id, pay_run_id=run.pay_run_id):
        prepared.missing.append(Missing("awaiting_self_bill", "supplier", row.payee_id, row.net_gbp))
    if new:
        prepared.payment_file_id = new_id()
        await payments.insert_file(
            tx,
            agency_id=agency_id,
            payment_file_id=prepared.payment_file_id,
            pay_run_id=run.pay_run_id,
            external_id=external_id,
            funds_on=run.funds_on,
            by=by,
            by_name=by_name,
            payments=new,
        )
        return prepared
    known = await payments.files(
        tx, agency_id=agency_id, pay_run_id=run.pay_run_id, external_id=None, before=None, most=1
    )
    if known:
        prepared.payment_file_id = known[0].payment_file_id
    elif not prepared.missing:
        raise NothingToPay(f"pay run {run.pay_run_id} pays nobody")
    return prepared


async def release(tx: Tx, *, agency_id: UUID, file: Any, by: str, by_name: str) -> None:
    """Release a prepared file and tell of each payment. Releasing a released file again changes nothing."""
    if file.state == "released":
        return
    if file.prepared_by == by:
        raise SamePerson(f"payment file {file.payment_file_id} was prepared by {file.prepared_by_name}")
    await payments.release(tx, agency_id=agency_id, payment_file_id=file.payment_file_id, by=by, by_name=by_name)
    for payment in await payments.payments_of(tx, agency_id=agency_id, payment_file_id=file.payment_file_id):
        tx.emit(
            PaymentInstructed(
                agency_id=agency_id,
                payment_id=payment.payment_id,
                payment_file_id=file.payment_file_id,
                pay_run_id=file.pay_run_id,
                payee_kind=payment.payee_kind,
                payee_id=payment.payee_id,
                amount_gbp=payment.amount_gbp,
                funds_on=file.funds_on,
            ),
            sequence=1,
        )


async def bacs_content(tx: Tx, *, agency_id: UUID, file: Any) -> str:
    """A released file as Bacs Standard 18. Raises EmployerIncomplete, NotBacs."""
    employer = await people.employer(tx, agency_id=agency_id)
    lacks = [
        name
        for name in ("service_user_number", "sort_code", "account_number")
        if employer is None or getattr(employer, name) is None
    ]
    if employer is None or lacks:
        raise EmployerIncomplete(f"the employer has no {', no '.join(lacks)}")
    rows = await payments.payments_of(tx, agency_id=agency_id, payment_file_id=file.payment_file_id)
    return standard_18(
        Originator(
            service_user_number=employer.service_user_number,
            sort_code=employer.sort_code,
            account_number=employer.account_number,
            name=employer.account_name or employer.legal_name,
        ),
        [
            Credit(row.sort_code, row.account_number, row.account_name, row.reference, to_pence(row.amount_gbp))
            for row in rows
        ],
        processing_on=banking_day_before(file.funds_on),
        created_on=london_date(file.prepared_at),
        serial=file.serial,
    )


async def csv_content(tx: Tx, *, agency_id: UUID, file: Any) -> str:
    """A released file as the columns that banks' own uploads ask for."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["sort_code", "account_number", "account_name", "amount", "reference", "payment_date"])
    for row in await payments.payments_of(tx, agency_id=agency_id, payment_file_id=file.payment_file_id):
        writer.writerow(
            [
                row.sort_code,
                row.account_number,
                safe_cell(bacs_text(row.account_name, 18).strip()),
                str(row.amount_gbp),
                safe_cell(bacs_text(row.reference, 18).strip()),
                file.funds_on.isoformat(),
            ]
        )
    return out.getvalue()
