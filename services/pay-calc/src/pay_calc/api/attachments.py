"""Attachment orders on workers' earnings: as the order says them, with what payslips have taken so far."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, StringConstraints, model_validator

from pay_calc.api.access import (
    FIRST_DAY,
    LAST_DAY,
    AgencyId,
    Day,
    ExternalId,
    ExternalIdFilter,
    Money,
    after_id,
    plain,
    require_sunday,
)
from pay_calc.domain.engine.attachments import OrderKind
from pay_calc.rates import attachment_book
from pay_calc.store import standing
from pay_calc.usecases import standing as usecase
from paybill_common.auth import Principal
from paybill_common.http.paging import Cursor, Limit, Page, encode_cursor
from paybill_common.http.problems import ERROR_RESPONSES, conflict, not_found
from paybill_common.http.route import TxDep, TxRoute, require
from paybill_common.money import from_pence, to_pence

router = APIRouter(
    prefix="/v1/agencies/{agency_id}", route_class=TxRoute, responses=ERROR_RESPONSES, tags=["attachment orders"]
)

Reference = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)]
_BY_TABLE = frozenset({"CTAEO", "DEA", "scottish_arrestment"})
_PENCE = ("normal", "protected", "arrears", "total")


class OrderIn(BaseModel):
    """An order as the court or creditor wrote it; amounts are a week's. A whole order replaces the one before.

    `kind`: DEO child maintenance; AEO_priority and AEO_non_priority court orders; CTAEO council tax; DEA benefit overpayment;
    scottish_arrestment. Orders with a table need `jurisdiction` (a DEA none), a fixed-rate DEA and the other kinds `normal_gbp`.
    `protection` proportion: the law's share of net earnings instead of `protected_gbp` (DEO). `arrears_gbp`: brought in with the order.
    `total_gbp`: what the order takes in all; none: until it is ended. `tables_on`: the date of newer tables that the creditor gave notice
    of. `document_ref`: where the order is filed, needed to enter an amount by hand.
    """

    model_config = ConfigDict(extra="forbid")

    worker_id: UUID
    external_id: ExternalId | None = None
    kind: OrderKind
    reference: Reference
    issued_on: Day
    starts_on: Day
    ends_on: Day | None = None
    jurisdiction: Literal["England", "Wales", "Scotland"] | None = None
    tables_on: Day | None = None
    rate: Literal["standard", "higher", "fixed"] = "standard"
    protection: Literal["stated", "proportion"] = "stated"
    normal_gbp: Money = Decimal(0)
    protected_gbp: Money = Decimal(0)
    arrears_gbp: Money = Decimal(0)
    total_gbp: Money | None = None
    document_ref: Reference | None = None

    @model_validator(mode="after")
    def _whole(self) -> OrderIn:
        if self.ends_on is not None and self.ends_on < self.starts_on:
            raise ValueError("ends_on is before starts_on")
        if self.rate != "standard" and self.kind != "DEA":
            raise ValueError("only a DEA has a higher or fixed rate")
        if self.protection == "proportion" and self.kind != "DEO":
            raise ValueError("only a DEO protects a proportion")
        if self.kind in ("CTAEO", "scottish_arrestment") and self.jurisdiction is None:
            raise ValueError(f"a {self.kind} needs the jurisdiction whose table applies")
        if (self.kind not in _BY_TABLE or self.rate == "fixed") and not self.normal_gbp:
            raise ValueError("normal_gbp is missing: the week's deduction that the order states")
        return self

    def stored(self) -> dict[str, Any]:
        values = self.model_dump(exclude={"worker_id", *(f"{name}_gbp" for name in _PENCE)})
        for name in _PENCE:
            amount = getattr(self, f"{name}_gbp")
            values[f"{name}_pence"] = None if amount is None else to_pence(amount)
        return values


class EnteredAmount(BaseModel):
    """A week's amount that a clerk read from the order."""

    week_ending: date
    amount_gbp: Decimal
    entered_at: datetime
    entered_by: str


class OrderOut(BaseModel):
    """An order and how it stands. `table_missing`: no verified table is loaded for it, so its worker is held until the week's amount is
    entered. `brought_forward_gbp`: what earlier weeks could not take. `left_gbp` none: the order has no total."""

    order_id: UUID
    worker_id: UUID
    external_id: str | None
    kind: str
    reference: str
    issued_on: date
    starts_on: date
    ends_on: date | None
    jurisdiction: str | None
    tables_on: date | None
    rate: str
    protection: str
    normal_gbp: Decimal
    protected_gbp: Decimal
    arrears_gbp: Decimal
    total_gbp: Decimal | None
    document_ref: str | None
    deducted_gbp: Decimal
    brought_forward_gbp: Decimal
    left_gbp: Decimal | None
    table_missing: bool
    entered_amounts: list[EnteredAmount]
    version: int
    updated_at: datetime


class AmountIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    amount_gbp: Money


OrderId = Annotated[UUID, Path(description="The caller's own new UUID, or a known order's")]
WeekPath = Annotated[date, Path(ge=FIRST_DAY, le=LAST_DAY, description="The Sunday that ends the week")]


@router.put("/attachment-orders/{order_id}")
async def put_order(
    tx: TxDep, agency_id: AgencyId, order_id: OrderId, body: OrderIn, principal: Principal = require("pay:write")
) -> OrderOut:
    """Record or replace an order; the worker's drafts are worked again. Final payslips keep what they took."""
    try:
        await usecase.store_order(
            tx,
            agency_id=agency_id,
            order_id=order_id,
            worker_id=body.worker_id,
            values=body.stored(),
            by=principal.subject,
        )
    except usecase.RecordOfAnotherWorker as error:
        raise conflict("order_of_another_worker", f"{error}.") from error
    except usecase.ReferenceTaken as error:
        raise conflict("reference_taken", f"{error}.") from error
    return await _one(tx, agency_id, order_id)


@router.put("/attachment-orders/{order_id}/amounts/{week_ending}")
async def put_amount(
    tx: TxDep,
    agency_id: AgencyId,
    order_id: OrderId,
    week_ending: WeekPath,
    body: AmountIn,
    principal: Principal = require("pay:write"),
) -> OrderOut:
    """Enter a week's amount by hand from the order; it is taken instead of what a table or the order's terms would give."""
    require_sunday(week_ending, "path:/week_ending")
    try:
        await usecase.enter_amount(
            tx,
            agency_id=agency_id,
            order_id=order_id,
            week_ending=week_ending,
            amount_pence=to_pence(body.amount_gbp),
            by=principal.subject,
        )
    except usecase.NoSuchRecord as error:
        raise not_found("attachment_order", order_id) from error
    except usecase.NoDocument as error:
        raise conflict("order_not_on_file", f"{error}.") from error
    return await _one(tx, agency_id, order_id)


@router.get("/attachment-orders/{order_id}")
async def get_order(
    tx: TxDep, agency_id: AgencyId, order_id: OrderId, principal: Principal = require("pay:read")
) -> OrderOut:
    """An order and how it stands."""
    return await _one(tx, agency_id, order_id)


@router.get("/attachment-orders")
async def list_orders(
    tx: TxDep,
    agency_id: AgencyId,
    worker_id: UUID | None = None,
    external_id: ExternalIdFilter = None,
    cursor: Cursor = None,
    limit: Limit = 100,
    principal: Principal = require("pay:read"),
) -> Page[OrderOut]:
    """Orders by id, of one worker when named."""
    rows = await standing.orders(
        tx, agency_id=agency_id, worker_id=worker_id, external_id=external_id, after=after_id(cursor), most=limit + 1
    )
    return Page(
        items=await _shown(tx, agency_id, rows[:limit]),
        next_cursor=encode_cursor(rows[limit - 1].order_id) if len(rows) > limit else None,
    )


async def _one(tx: TxDep, agency_id: UUID, order_id: UUID) -> OrderOut:
    row = await standing.order(tx, agency_id=agency_id, order_id=order_id)
    if row is None:
        raise not_found("attachment_order", order_id)
    return (await _shown(tx, agency_id, [row]))[0]


async def _shown(tx: TxDep, agency_id: UUID, rows: list[Any]) -> list[OrderOut]:
    entered: dict[UUID, list[EnteredAmount]] = {}
    for each in await standing.amounts(tx, agency_id=agency_id, orders=[row.order_id for row in rows]):
        entered.setdefault(each.order_id, []).append(
            EnteredAmount(**plain(each), amount_gbp=from_pence(each.amount_pence))
        )
    return [_out(row, entered.get(row.order_id, [])) for row in rows]


def _out(row: Any, entered: list[EnteredAmount]) -> OrderOut:
    order = standing.order_of(row, {})
    amounts = {
        f"{name}_gbp": None if getattr(row, f"{name}_pence") is None else from_pence(getattr(row, f"{name}_pence"))
        for name in _PENCE
    }
    by_table = row.kind in _BY_TABLE or row.protection == "proportion"
    rate = "higher" if row.rate == "higher" else "standard"
    return OrderOut(
        **plain(row),
        **amounts,
        deducted_gbp=from_pence(order.taken_pence),
        brought_forward_gbp=from_pence(order.brought_forward_pence),
        left_gbp=None if order.owed_pence is None else from_pence(order.owed_pence),
        table_missing=by_table
        and attachment_book().find(row.kind, row.jurisdiction, row.tables_on or row.issued_on, rate) is None,
        entered_amounts=entered,
    )
