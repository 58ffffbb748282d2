"""What the routes share: field types, the agency check of routes with their own transactions, and a week's date."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from fastapi import Path, Query, Request
from pydantic import Field, StringConstraints

from pay_calc.store import people
from paybill_common.auth import Principal
from paybill_common.db import Tx
from paybill_common.http.paging import decode_cursor
from paybill_common.http.problems import Problem, invalid
from paybill_common.labels import labels_of

FIRST_DAY = date(2000, 1, 1)
LAST_DAY = date(2199, 12, 31)

Day = Annotated[date, Field(ge=FIRST_DAY, le=LAST_DAY)]
Week = Annotated[date, Query(ge=FIRST_DAY, le=LAST_DAY, description="The Sunday that ends the week")]
OptionalWeek = Annotated[date | None, Query(ge=FIRST_DAY, le=LAST_DAY, description="The Sunday that ends the week")]
ExternalId = Annotated[str, StringConstraints(min_length=1, max_length=100)]
ExternalIdFilter = Annotated[str | None, Query(max_length=100, description="The caller's own id of the record")]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=100)]
Money = Annotated[Decimal, Field(ge=0, le=Decimal("99999999.99"), decimal_places=2)]
AgencyId = Annotated[UUID, Path(description="The agency")]


def require_sunday(week_ending: date, pointer: str) -> None:
    """Refuse a week that does not end on a Sunday."""
    if week_ending.isoweekday() != 7:
        raise invalid(
            "week_ends_on_sunday",
            f"A week ends on a Sunday; {week_ending} is a {week_ending:%A}.",
            pointer=pointer,
        )


def after_id(cursor: str | None) -> UUID | None:
    """Where a list that goes by one id continues."""
    parts = decode_cursor(cursor, parts=1)
    if parts is None:
        return None
    try:
        return UUID(parts[0])
    except ValueError as error:
        raise invalid("bad_cursor", "The cursor is not one that this list gave.", pointer="query:/cursor") from error


def check_agency(principal: Principal, agency_id: UUID) -> None:
    """For routes that make their own transactions: the token must give a right to this agency."""
    if agency_id not in principal.agencies:
        raise Problem(403, "agency_not_yours", f"The token gives no right to agency {agency_id}.")


@asynccontextmanager
async def worker_tx(request: Request) -> AsyncIterator[Tx]:
    """A transaction of the worker role, which sees parked events; every statement in it names its agency."""
    app = request.app
    async with app.state.worker_database.transaction(now=app.state.clock.now()) as tx:
        yield tx


@asynccontextmanager
async def read_tx(request: Request, agency_id: UUID) -> AsyncIterator[Tx]:
    """A read-only transaction of the API role on one agency, for answers that take work after the reading."""
    app = request.app
    async with app.state.api_database.transaction(
        now=app.state.clock.now(), agencies=[agency_id], read_only=True
    ) as tx:
        yield tx


async def worker_names(tx: Tx, *, agency_id: UUID, workers: list[UUID]) -> dict[UUID, tuple[str | None, str | None]]:
    """(reference, name) of these workers, as far as known."""
    found = await people.on_paper(tx, agency_id=agency_id, workers=workers)
    return {worker_id: (row.reference, row.display_name) for worker_id, row in found.items()}


async def payee_names(tx: Tx, *, payees: list[UUID]) -> dict[UUID, str]:
    return await labels_of(tx, kind="payee", ids=payees)


def plain(row: Any) -> dict[str, Any]:
    """A result row as a dict."""
    return dict(row._mapping)
