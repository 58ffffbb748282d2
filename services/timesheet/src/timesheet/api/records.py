"""Agencies, clients, sites, consultants, payees, workers and placements. PUT with an id of your own creates or replaces."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response

from paybill_common.auth import Principal
from paybill_common.config import Settings
from paybill_common.http.paging import Cursor, Limit, Page, decode_cursor, encode_cursor
from paybill_common.http.problems import ERROR_RESPONSES, Problem, conflict, not_found
from paybill_common.http.route import TxDep, TxRoute, require
from timesheet.api import models as m
from timesheet.store import records
from timesheet.store.records import KINDS
from timesheet.usecases import asking, recording

router = APIRouter(prefix="/v1/agencies/{agency_id}", route_class=TxRoute, responses=ERROR_RESPONSES, tags=["records"])
_PAGES_HINT = "Set PAYBILL_PAGES_URL of the timesheet service to what people type."
External = Annotated[str | None, Query(max_length=120, pattern=r"^[^\x00-\x1f\x7f]*$")]


@router.put("")
async def put_agency(
    tx: TxDep, agency_id: UUID, body: m.AgencyIn, principal: Principal = require("write")
) -> m.AgencyOut:
    """Create or change the agency itself."""
    row = await recording.put(tx, agency_id=agency_id, kind="agency", record_id=agency_id, values=body.model_dump())
    return m.AgencyOut(**_shown(row, m.AgencyOut))


@router.get("")
async def get_agency(tx: TxDep, agency_id: UUID, principal: Principal = require("read")) -> m.AgencyOut:
    """The agency."""
    return m.AgencyOut(**_shown(await _one(tx, agency_id, "agency", agency_id), m.AgencyOut))


def _add(kind: str, path: str, body_model: type[m.Body], out_model: type[m.RecordOut], *filters: str) -> None:
    """The three doors of one kind of record."""

    async def put(
        tx: TxDep, agency_id: UUID, record_id: UUID, body: Any, principal: Principal = require("write")
    ) -> Any:
        row = await recording.put(tx, agency_id=agency_id, kind=kind, record_id=record_id, values=body.model_dump())
        return out_model(**_shown(row, out_model))

    async def get(tx: TxDep, agency_id: UUID, record_id: UUID, principal: Principal = require("read")) -> Any:
        return out_model(**_shown(await _one(tx, agency_id, kind, record_id), out_model))

    async def listed(
        tx: TxDep,
        agency_id: UUID,
        external_id: External = None,
        status: Annotated[str | None, Query(max_length=20, pattern=r"^[a-z]*$")] = None,
        client_id: UUID | None = None,
        worker_id: UUID | None = None,
        consultant_id: UUID | None = None,
        q: m.Search = None,
        cursor: Cursor = None,
        limit: Limit = 100,
        principal: Principal = require("read"),
    ) -> Any:
        given = {
            "external_id": external_id,
            "status": status,
            "client_id": client_id,
            "worker_id": worker_id,
            "consultant_id": consultant_id,
        }
        where = {name: value for name, value in given.items() if value is not None}
        for name in where:
            if name not in ("external_id", *filters):
                raise Problem(422, "filter_unknown", f"{path} has no filter {name}.", pointer=f"query:/{name}")
        rows = await records.page(
            tx, agency_id=agency_id, kind=KINDS[kind], where=where, q=q, after=uuid_after(cursor), most=limit + 1
        )
        items = [out_model(**_shown(row, out_model)) for row in rows[:limit]]
        more = encode_cursor(rows[limit - 1][f"{kind}_id"]) if len(rows) > limit else None
        return {"items": items, "next_cursor": more}

    put.__annotations__["body"] = body_model
    for door in (put, get):
        door.__annotations__["record_id"] = Annotated[UUID, Path(alias=f"{kind}_id")]
    described = {"put": f"Create or replace a {kind}.", "get": f"One {kind}.", "list": f"{kind.capitalize()}s, by id."}
    one = f"/{path}/{{{kind}_id}}"
    page: Any = Page[out_model]  # type: ignore[valid-type]
    router.add_api_route(
        one, put, methods=["PUT"], response_model=out_model, name=f"put_{kind}", description=described["put"]
    )
    router.add_api_route(
        one, get, methods=["GET"], response_model=out_model, name=f"get_{kind}", description=described["get"]
    )
    router.add_api_route(
        f"/{path}", listed, methods=["GET"], response_model=page, name=f"list_{path}", description=described["list"]
    )


_add("client", "clients", m.ClientIn, m.ClientOut, "status")
_add("site", "sites", m.SiteIn, m.SiteOut, "client_id")
_add("consultant", "consultants", m.ConsultantIn, m.ConsultantOut)
_add("payee", "payees", m.PayeeIn, m.PayeeOut)
_add("worker", "workers", m.WorkerIn, m.WorkerOut, "status")
_add("placement", "placements", m.PlacementIn, m.PlacementOut, "status", "client_id", "worker_id", "consultant_id")


@router.post("/workers/{worker_id}/page-links")
async def post_page_link(
    request: Request,
    tx: TxDep,
    agency_id: UUID,
    worker_id: UUID,
    body: m.PageLinkIn,
    principal: Principal = require("write"),
) -> m.PageLinkOut:
    """E-mail a worker the link to their own page, which reporting made. It is in the e-mail only, and goes to the address on file."""
    settings: Settings = request.app.state.settings
    if settings.pages_url is None:
        raise conflict("pages_url_not_set", "This instance does not know the address of its pages.", hint=_PAGES_HINT)
    link = f"{settings.pages_url.rstrip('/')}/my/{body.token}"
    sent = await asking.send_own_page(
        tx, agency_id=agency_id, worker_id=worker_id, link=link, good_until=body.good_until
    )
    return m.PageLinkOut(sent=sent)


@router.delete("/directory/{kind}/{record_id}", status_code=204, response_class=Response)
async def erase(
    tx: TxDep,
    agency_id: UUID,
    kind: Literal["worker", "client", "site", "consultant", "payee", "placement"],
    record_id: UUID,
    principal: Principal = require("write"),
) -> Response:
    """Erase a name everywhere but on payslips, invoices and pay profiles, which keep it for the statutory time."""
    await recording.erase(tx, agency_id=agency_id, kind=kind, record_id=record_id)
    return Response(status_code=204)


def uuid_after(cursor: str | None) -> UUID | None:
    """The id that a cursor of a list by id stands after."""
    after = decode_cursor(cursor, parts=1)
    if after is None:
        return None
    try:
        return UUID(after[0])
    except ValueError:
        raise Problem(
            422, "bad_cursor", "The cursor is not one that this list gave.", pointer="query:/cursor"
        ) from None


async def _one(tx: TxDep, agency_id: UUID, kind: str, record_id: UUID) -> records.Row:
    found = await records.by_id(tx, agency_id=agency_id, kind=KINDS[kind], ids=[record_id])
    if record_id not in found:
        raise not_found(kind, record_id)
    return found[record_id]


def _shown(row: records.Row, out_model: type[m.RecordOut]) -> dict[str, Any]:
    return {name: row[name] for name in out_model.model_fields}
