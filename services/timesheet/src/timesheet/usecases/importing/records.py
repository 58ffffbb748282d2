"""Files of workers, clients, placements and rates. A record is found by its reference; what a placement names is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from paybill_common.db import Tx
from paybill_common.ids import derived_id
from timesheet.store import cards as card_store
from timesheet.store import records
from timesheet.store.records import KINDS, Row
from timesheet.usecases import recording
from timesheet.usecases.importing.rows import Cells, ImportReceipt, RowRefused

Rows = Sequence[tuple[int, Mapping[str, str | None]]]

_ALIASES = {
    "worker": {"id": "worker_ref", "worker": "worker_ref", "reference": "worker_ref", "worker_id": "worker_ref",
               "full_name": "name", "worker_name": "name", "start_date": "started_on", "leaving_date": "left_on"},
    "client": {"id": "client_ref", "client": "client_ref", "reference": "client_ref", "client_id": "client_ref",
               "client_name": "name"},
    "placement": {"id": "placement_ref", "placement": "placement_ref", "reference": "placement_ref",
                  "placement_id": "placement_ref", "worker": "worker_ref", "client": "client_ref", "title": "job_title",
                  "role": "job_title", "start_date": "starts_on", "end_date": "last_day", "po": "purchase_order",
                  "po_number": "purchase_order", "rate_card": "rate_card_ref", "payee": "payee_ref",
                  "hours_booked": "booked_hours"},
}  # fmt: skip
_BASES = {
    "paye": "paye",
    "umbrella": "umbrella",
    "limited": "limited",
    "limited_company": "limited",
    "ltd": "limited",
    "psc": "limited",
    "cis": "cis",
}
_HOLIDAY = {"rolled_up": "rolled_up", "accrued": "accrued", "none": "none"}
_SDS = {"inside": "inside", "outside": "outside", "not_required": "not_required", "small_client": "not_required"}
_STATUS = {
    "worker": {"active": "active", "left": "left"},
    "client": {"active": "active", "closed": "closed"},
    "placement": {"active": "active", "ended": "ended"},
}


def imported_id(kind: str, agency_id: UUID, external_id: str) -> UUID:
    """The id of a record that a file names: anyone who knows the reference can work it out."""
    return derived_id(kind, agency_id, external_id)


async def import_workers(tx: Tx, *, agency_id: UUID, rows: Rows) -> list[ImportReceipt]:
    """Columns: worker_ref, name; started_on, left_on, email, status."""

    def read(cells: Cells) -> Row:
        return {
            "name": cells.required("name"),
            "status": cells.choice("status", _STATUS["worker"], "active"),
            "started_on": cells.day("started_on"),
            "left_on": cells.day("left_on"),
            "email": cells.email("email"),
        }

    return await _import(tx, agency_id=agency_id, kind="worker", rows=rows, read=read)


async def import_clients(tx: Tx, *, agency_id: UUID, rows: Rows) -> list[ImportReceipt]:
    """Columns: client_ref, name; approver_name, approver_email, status."""

    def read(cells: Cells) -> Row:
        return {
            "name": cells.required("name"),
            "status": cells.choice("status", _STATUS["client"], "active"),
            "approver_name": cells.text("approver_name", length_max=120),
            "approver_email": cells.email("approver_email"),
        }

    return await _import(tx, agency_id=agency_id, kind="client", rows=rows, read=read)


async def _import(
    tx: Tx, *, agency_id: UUID, kind: str, rows: Rows, read: Callable[[Cells], Row]
) -> list[ImportReceipt]:
    receipts: dict[int, ImportReceipt] = {}
    taken: dict[str, tuple[int, Row]] = {}
    for index, (number, values) in enumerate(rows):
        try:
            cells = Cells(values, _ALIASES[kind])
            reference = _reference(cells, f"{kind}_ref")
            row = {**read(cells), "external_id": reference, "reference": None}
            earlier = taken.get(reference)
            if earlier is not None and earlier[1] == row:
                receipts[index] = ImportReceipt(number, "duplicate")
            elif earlier is not None:
                raise _twice(f"{kind}_ref", reference, earlier[0])
            else:
                taken[reference] = (number, row)
                receipts[index] = ImportReceipt(number, "accepted")
        except RowRefused as refused:
            receipts[index] = refused.receipt(number)
    ids = await ids_for(tx, agency_id=agency_id, kind=kind, external_ids=taken)
    stored = await records.by_id(tx, agency_id=agency_id, kind=KINDS[kind], ids=ids.values())
    outcomes = await recording.put_all(
        tx,
        agency_id=agency_id,
        kind=kind,
        rows={ids[ref]: _kept(row, stored.get(ids[ref])) for ref, (_, row) in taken.items()},
    )
    by_number = {number: ids[ref] for ref, (number, _) in taken.items()}
    return [_final(receipts[index], by_number, outcomes) for index in range(len(rows))]


@dataclass
class _PlacementRow:
    index: int
    number: int
    reference: str
    cells: Cells
    values: Row


async def import_placements(tx: Tx, *, agency_id: UUID, rows: Rows) -> list[ImportReceipt]:
    """Columns: placement_ref, worker_ref, client_ref, job_title, starts_on; last_day (or ends_on, exclusive), pay_basis,
    payee_ref and payee_name, holiday_pay, sds, purchase_order, branch, site_ref and site_name, consultant_ref,
    consultant_name and consultant_email, rate_card_ref, approver_name, approver_email, booked_hours, status.
    Sites, consultants and payees that are not known yet are recorded.
    """
    receipts: dict[int, ImportReceipt] = {}
    taken: dict[str, _PlacementRow] = {}
    for index, (number, values) in enumerate(rows):
        try:
            cells = Cells(values, _ALIASES["placement"])
            reference = _reference(cells, "placement_ref")
            row = _PlacementRow(index, number, reference, cells, _placement_values(cells))
            earlier = taken.get(reference)
            if earlier is None:
                taken[reference] = row
            elif earlier.cells.all == cells.all:
                receipts[index] = ImportReceipt(number, "duplicate")
            else:
                raise _twice("placement_ref", reference, earlier.number)
        except RowRefused as refused:
            receipts[index] = refused.receipt(number)
    known = await _pointed_to(tx, agency_id=agency_id, rows=list(taken.values()))
    ready: dict[str, _PlacementRow] = {}
    for reference, row in taken.items():
        try:
            _resolve(row, known)
            ready[reference] = row
        except RowRefused as refused:
            receipts[row.index] = refused.receipt(row.number)
    await _make_named(tx, agency_id=agency_id, rows=list(ready.values()))
    ids = await ids_for(tx, agency_id=agency_id, kind="placement", external_ids=ready)
    stored = await records.by_id(tx, agency_id=agency_id, kind=KINDS["placement"], ids=ids.values())
    for reference, row in list(ready.items()):
        old = stored.get(ids[reference])
        row.values = _kept(row.values, old)
        for name, column in (("worker_id", "worker_ref"), ("client_id", "client_ref")):
            if old is not None and old[name] != row.values[name]:
                refusal = row.cells.refuse(
                    column,
                    f"{name}_is_fixed",
                    f"placement {reference} already stands with another one",
                    "end this placement and record a new one",
                )
                receipts[row.index] = refusal.receipt(row.number)
                ready.pop(reference, None)
    outcomes = await recording.put_all(
        tx, agency_id=agency_id, kind="placement", rows={ids[ref]: row.values for ref, row in ready.items()}
    )
    for reference, row in ready.items():
        receipts[row.index] = ImportReceipt(row.number, outcomes[ids[reference]], ids[reference])
    return [receipts[index] for index in range(len(rows))]


def _placement_values(cells: Cells) -> Row:
    basis = cells.choice("pay_basis", _BASES, "paye")
    starts_on = cells.day("starts_on")
    if starts_on is None:
        raise RowRefused("cell_missing", "starts_on is missing", column="starts_on", hint="the first day of work")
    ends_on = cells.end()
    if ends_on is not None and ends_on <= starts_on:
        raise cells.refuse(
            "last_day" if cells.has("last_day") else "ends_on",
            "end_before_start",
            f"the placement would end before it starts on {starts_on}",
            "the last day is on or after the first",
        )
    if basis == "paye" and cells.has("payee_ref", "payee_name"):
        raise cells.refuse("payee_ref", "payee_with_paye", "a PAYE worker is paid directly", "leave the payee empty")
    if basis != "paye" and not cells.has("payee_ref"):
        raise RowRefused(
            "cell_missing", f"payee_ref is missing for pay basis {basis}", column="payee_ref", hint="who is paid"
        )
    booked = cells.minutes("booked_hours")
    if booked is not None and booked > 7 * 24 * 60:
        raise cells.refuse("booked_hours", "too_many_hours", "a week has 168 hours", "hours booked a week")
    return {
        "name": cells.required("job_title"),
        "branch": cells.code("branch"),
        "pay_basis": basis,
        "holiday_pay": cells.choice("holiday_pay", _HOLIDAY, "rolled_up" if basis == "paye" else "none"),
        "sds": _sds(cells, basis),
        "purchase_order": cells.code("purchase_order"),
        "starts_on": starts_on,
        "ends_on": ends_on,
        "status": cells.choice("status", _STATUS["placement"], "active"),
        "approver_name": cells.text("approver_name", length_max=120),
        "approver_email": cells.email("approver_email"),
        "booked_minutes": booked,
        "reference": None,
    }


def _sds(cells: Cells, basis: str) -> str | None:
    if not cells.has("sds"):
        return None
    if basis != "limited":
        raise cells.refuse("sds", "sds_of_limited", "only a limited company's placement has one", "leave it empty")
    return cells.choice("sds", _SDS)


@dataclass
class _Known:
    workers: dict[str, UUID]
    clients: dict[str, UUID]
    sites: dict[str, UUID]
    consultants: dict[str, UUID]
    payees: dict[str, UUID]
    cards: dict[str, UUID]
    agency_id: UUID


async def _pointed_to(tx: Tx, *, agency_id: UUID, rows: Sequence[_PlacementRow]) -> _Known:

    async def found(kind: str) -> dict[str, UUID]:
        wanted = {row.cells.raw(f"{kind}_ref") for row in rows} - {None}
        return await records.ids_by_reference(
            tx, agency_id=agency_id, kind=KINDS[kind], references=[one for one in wanted if one]
        )

    named = {row.cells.raw("rate_card_ref") for row in rows}
    return _Known(
        workers=await found("worker"),
        clients=await found("client"),
        sites=await found("site"),
        consultants=await found("consultant"),
        payees=await found("payee"),
        cards=await card_store.ids_by_external(
            tx, agency_id=agency_id, external_ids=[one for one in named if one is not None]
        ),
        agency_id=agency_id,
    )


def _resolve(row: _PlacementRow, known: _Known) -> None:
    cells = row.cells
    for kind, ids in (("worker", known.workers), ("client", known.clients)):
        reference = cells.required(f"{kind}_ref")
        if reference not in ids:
            raise cells.refuse(
                f"{kind}_ref", f"{kind}_unknown", f"no {kind} has this reference", f"import the {kind} first"
            )
        row.values[f"{kind}_id"] = ids[reference]
    card = cells.text("rate_card_ref")
    if card is not None and card not in known.cards:
        raise cells.refuse(
            "rate_card_ref", "rate_card_unknown", "no rate card has this reference", "import the rates first"
        )
    row.values["rate_card_id"] = known.cards[card] if card is not None else None
    for kind, ids in (("site", known.sites), ("consultant", known.consultants), ("payee", known.payees)):
        named = cells.text(f"{kind}_ref", length_max=120)
        row.values[f"{kind}_id"] = None
        if named is not None:
            row.values[f"{kind}_id"] = ids.get(named) or imported_id(kind, known.agency_id, named)
    row.values["external_id"] = row.reference


async def _make_named(tx: Tx, *, agency_id: UUID, rows: Sequence[_PlacementRow]) -> None:
    """Record the sites, consultants and payees that these placements name and nobody recorded yet."""
    for kind in ("consultant", "payee", "site"):
        wanted: dict[UUID, Row] = {}
        for row in rows:
            record_id = row.values[f"{kind}_id"]
            if record_id is not None and record_id not in wanted:
                wanted[record_id] = _named_record(kind, row)
        stored = await records.by_id(tx, agency_id=agency_id, kind=KINDS[kind], ids=wanted)
        await recording.put_all(
            tx,
            agency_id=agency_id,
            kind=kind,
            rows={record_id: values for record_id, values in wanted.items() if record_id not in stored},
        )


def _named_record(kind: str, row: _PlacementRow) -> Row:
    cells = row.cells
    reference = cells.raw(f"{kind}_ref") or ""
    values: Row = {"external_id": reference, "reference": None, "name": cells.text(f"{kind}_name") or reference}
    if kind == "site":
        values["client_id"] = row.values["client_id"]
    elif kind == "consultant":
        values |= {"email": cells.email("consultant_email"), "branch": row.values["branch"]}
    else:
        values["kind"] = row.values["pay_basis"]
    return values


async def ids_for(tx: Tx, *, agency_id: UUID, kind: str, external_ids: Mapping[str, Any]) -> dict[str, UUID]:
    """The id of each reference: of the record that has it, else the one that an import gives it."""
    known = await records.ids_by_reference(tx, agency_id=agency_id, kind=KINDS[kind], references=external_ids)
    return {ref: known.get(ref) or imported_id(kind, agency_id, ref) for ref in external_ids}


def _kept(row: Row, stored: Row | None) -> Row:
    """A file that has no word on a record's own reference or external id leaves it as it is."""
    if stored is None:
        return row
    return {**row, "reference": stored["reference"], "external_id": stored["external_id"] or row["external_id"]}


def _reference(cells: Cells, column: str) -> str:
    return cells.required(column, length_max=120)


def _twice(column: str, reference: str, number: int) -> RowRefused:
    return RowRefused(
        "stands_twice",
        f"row {number} already names it, with other values",
        column=column,
        value=reference,
        hint="keep one of the two rows",
    )


def _final(
    receipt: ImportReceipt, by_number: Mapping[int, UUID], outcomes: Mapping[UUID, recording.Outcome]
) -> ImportReceipt:
    record_id = by_number.get(receipt.row)
    if receipt.status != "accepted" or record_id is None:
        return receipt
    return ImportReceipt(receipt.row, outcomes[record_id], record_id)
