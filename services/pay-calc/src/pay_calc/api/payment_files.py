"""Payment files: look, release, fetch."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from pay_calc.api.access import AgencyId, ExternalIdFilter, payee_names, worker_names
from pay_calc.domain.bacs import NotBacs
from pay_calc.domain.engine.errors import EngineError
from pay_calc.store import payments as store
from pay_calc.usecases import payments
from paybill_common.auth import Principal
from paybill_common.http.paging import Cursor, Limit, Page, decode_cursor, encode_cursor
from paybill_common.http.problems import ERROR_RESPONSES, Problem, conflict, invalid, not_found
from paybill_common.http.route import TxDep, TxRoute, require

router = APIRouter(
    prefix="/v1/agencies/{agency_id}", route_class=TxRoute, responses=ERROR_RESPONSES, tags=["payment files"]
)


class FileOut(BaseModel):
    """A payment file. `funds_on`: the day the money arrives."""

    payment_file_id: UUID
    external_id: str | None
    pay_run_id: UUID
    serial: int
    state: Literal["prepared", "released"]
    funds_on: date
    payments: int
    total_gbp: Decimal
    prepared_by: str
    prepared_by_name: str
    prepared_at: datetime
    released_by: str | None
    released_by_name: str | None
    released_at: datetime | None


class PaymentOut(BaseModel):
    """One payment, with the account's last four digits only."""

    payment_id: UUID
    payee_kind: Literal["worker", "supplier"]
    payee_id: UUID
    payee: str | None
    amount_gbp: Decimal
    account_last_four: str
    reference: str


class FileDetail(FileOut):
    payments_list: list[PaymentOut]


@router.get("/payment-files")
async def list_files(
    tx: TxDep,
    agency_id: AgencyId,
    pay_run_id: UUID | None = None,
    external_id: ExternalIdFilter = None,
    cursor: Cursor = None,
    limit: Limit = 50,
    principal: Principal = require("pay:read"),
) -> Page[FileOut]:
    """Payment files, newest first."""
    parts = decode_cursor(cursor, parts=1)
    if parts is not None and not re.fullmatch(r"[0-9]{1,9}", parts[0]):
        raise invalid("bad_cursor", "The cursor is not one that this list gave.", pointer="query:/cursor")
    rows = await store.files(
        tx,
        agency_id=agency_id,
        pay_run_id=pay_run_id,
        external_id=external_id,
        before=None if parts is None else int(parts[0]),
        most=limit + 1,
    )
    return Page(
        items=[FileOut.model_validate(dict(row._mapping)) for row in rows[:limit]],
        next_cursor=encode_cursor(rows[limit - 1].serial) if len(rows) > limit else None,
    )


@router.get("/payment-files/{payment_file_id}")
async def get_file(
    tx: TxDep, agency_id: AgencyId, payment_file_id: UUID, principal: Principal = require("pay:read")
) -> FileDetail:
    """A payment file and its payments."""
    return await _detail(tx, agency_id, await _file(tx, agency_id, payment_file_id))


@router.post("/payment-files/{payment_file_id}/release")
async def release_file(
    tx: TxDep, agency_id: AgencyId, payment_file_id: UUID, principal: Principal = require("pay:release")
) -> FileDetail:
    """Release a file that somebody else prepared; from then on its content can be fetched."""
    file = await _file(tx, agency_id, payment_file_id, lock=True)
    try:
        await payments.release(tx, agency_id=agency_id, file=file, by=principal.subject, by_name=principal.name)
    except payments.SamePerson as error:
        raise Problem(
            403, "same_person", f"{error}: another person releases it.", hint="Ask a colleague with pay:release."
        ) from error
    return await _detail(tx, agency_id, await _file(tx, agency_id, payment_file_id))


@router.get(
    "/payment-files/{payment_file_id}/content",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}, "text/csv": {}}, "description": "The bank's file"}},
)
async def content(
    tx: TxDep,
    agency_id: AgencyId,
    payment_file_id: UUID,
    format: Annotated[Literal["bacs", "csv"], Query(description="Bacs Standard 18, or a bank's CSV")] = "bacs",
    principal: Principal = require("pay:read"),
) -> Response:
    """The file that goes to the bank; only after its release."""
    file = await _file(tx, agency_id, payment_file_id)
    if file.state != "released":
        raise conflict(
            "payment_file_not_released",
            f"Payment file {payment_file_id} waits for its release.",
            hint="Somebody other than who prepared it releases it.",
        )
    try:
        if format == "csv":
            return _download(
                await payments.csv_content(tx, agency_id=agency_id, file=file),
                f"payments-{file.serial:06d}.csv",
                "text/csv; charset=utf-8",
            )
        return _download(
            await payments.bacs_content(tx, agency_id=agency_id, file=file),
            f"payments-{file.serial:06d}.bacs18.txt",
            "text/plain; charset=us-ascii",
        )
    except payments.EmployerIncomplete as error:
        raise conflict(
            "employer_incomplete", f"{error}.", hint="Store them with PUT employer, or fetch the CSV."
        ) from error
    except (NotBacs, EngineError) as error:
        raise conflict("not_a_bacs_file", f"{error}.") from error


async def _file(tx: Any, agency_id: UUID, payment_file_id: UUID, *, lock: bool = False) -> Any:
    row = await store.file(tx, agency_id=agency_id, payment_file_id=payment_file_id, lock=lock)
    if row is None:
        raise not_found("payment_file", payment_file_id)
    return row


async def _detail(tx: Any, agency_id: UUID, file: Any) -> FileDetail:
    rows = await store.payments_of(tx, agency_id=agency_id, payment_file_id=file.payment_file_id)
    workers = await worker_names(
        tx, agency_id=agency_id, workers=[row.payee_id for row in rows if row.payee_kind == "worker"]
    )
    suppliers = await payee_names(tx, payees=[row.payee_id for row in rows if row.payee_kind == "supplier"])
    names: dict[UUID, str | None] = {**suppliers, **{key: name for key, (_, name) in workers.items()}}
    return FileDetail(
        **FileOut.model_validate(dict(file._mapping)).model_dump(),
        payments_list=[
            PaymentOut(
                payment_id=row.payment_id,
                payee_kind=row.payee_kind,
                payee_id=row.payee_id,
                payee=names.get(row.payee_id),
                amount_gbp=row.amount_gbp,
                account_last_four=row.account_number[-4:],
                reference=row.reference,
            )
            for row in rows
        ],
    )


def _download(text: str, name: str, media_type: str) -> Response:
    return Response(text, media_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'})
