"""Agencies, clients, sites, consultants, payees, workers and placements: stored when changed, told of when changed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, cast
from uuid import UUID

from paybill_common.db import Tx
from paybill_common.http.problems import Problem, conflict, invalid, not_found
from paybill_contracts import EventData
from paybill_contracts.control import AgencyChanged
from paybill_contracts.directory import DirectoryEntry, DirectoryKind
from paybill_contracts.placement import ClientChanged, PlacementChanged, WorkerChanged
from timesheet.store import records
from timesheet.store.records import KINDS, Kind, Row

Outcome = Literal["accepted", "duplicate"]
CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,79}")
_FIXED = {"placement": ("worker_id", "client_id"), "site": ("client_id",)}
_POINTS_TO = {
    "site": {"client_id": "client"},
    "placement": {
        "worker_id": "worker",
        "client_id": "client",
        "site_id": "site",
        "consultant_id": "consultant",
        "payee_id": "payee",
    },
}


def reference_for(kind: str, record_id: UUID, external_id: str | None) -> str:
    """A record's reference when none is given: its external id where that is a code, else one made of its id."""
    if external_id and CODE.fullmatch(external_id):
        return external_id
    return f"{kind[0].upper()}-{record_id.hex[-10:].upper()}"


async def put(tx: Tx, *, agency_id: UUID, kind: str, record_id: UUID, values: Mapping[str, Any]) -> Row:
    """Create or replace one record. Raises a problem when it points to what does not exist, or changes what is fixed."""
    await put_all(tx, agency_id=agency_id, kind=kind, rows={record_id: dict(values)})
    found = await records.by_id(tx, agency_id=agency_id, kind=KINDS[kind], ids=[record_id])
    return found[record_id]


async def put_all(tx: Tx, *, agency_id: UUID, kind: str, rows: Mapping[UUID, Row]) -> dict[UUID, Outcome]:
    """Create or replace records of one kind at once; those that already say this are duplicates and change nothing."""
    known = KINDS[kind]
    await records.lock_kind(tx, agency_id=agency_id, kind=known)
    await check_pointers(tx, agency_id=agency_id, kind=kind, rows=rows)
    stored = await records.by_id(tx, agency_id=agency_id, kind=known, ids=rows)
    outcomes: dict[UUID, Outcome] = {}
    changed: list[tuple[Row | None, Row]] = []
    for record_id, values in sorted(rows.items()):  # in id order, as everybody locks
        old = stored.get(record_id)
        reference = values.get("reference") or reference_for(kind, record_id, values.get("external_id"))
        new = {**values, "reference": reference, known.id_column: record_id, "agency_id": agency_id}
        if old is not None and all(old[name] == new.get(name) for name in known.fields):
            outcomes[record_id] = "duplicate"
            continue
        if old is not None:
            _check_fixed(kind, record_id, old, new)
        new["version"] = 1 if old is None else old["version"] + 1
        outcomes[record_id] = "accepted"
        changed.append((old, new))
    if changed:
        await records.upsert(tx, agency_id=agency_id, kind=known, rows=[new for _, new in changed])
        for old, new in changed:
            _tell(tx, known, old, new)
    return outcomes


async def check_pointers(tx: Tx, *, agency_id: UUID, kind: str, rows: Mapping[UUID, Row]) -> None:
    """Raises a 422 problem naming the first field that points to a record that does not exist."""
    for name, target in _POINTS_TO.get(kind, {}).items():
        wanted = {row[name] for row in rows.values() if row.get(name) is not None}
        if wanted:
            found = await records.by_id(tx, agency_id=agency_id, kind=KINDS[target], ids=wanted)
            for missing in sorted(wanted - set(found)):
                raise invalid(
                    f"{target}_unknown",
                    f"There is no {target} {missing} in this agency.",
                    pointer=f"#/{name}",
                    hint=f"Record the {target} first.",
                )


async def erase(tx: Tx, *, agency_id: UUID, kind: str, record_id: UUID) -> None:
    """Erase a name: here, in stored copies, and by a tombstone in every other service. Pay and bills keep theirs by law."""
    known = KINDS[kind]
    await records.lock_kind(tx, agency_id=agency_id, kind=known)
    row = await records.erase(tx, agency_id=agency_id, kind=known, record_id=record_id)
    if row is None:
        raise not_found(kind, record_id)
    tx.erase(agency_id=agency_id, topic=DirectoryEntry.TOPIC, key=f"{kind}:{record_id}", sequence=row["version"])


def _check_fixed(kind: str, record_id: UUID, old: Row, new: Row) -> None:
    for name in _FIXED.get(kind, ()):
        if old[name] != new.get(name):
            raise fixed_differs(kind, record_id, name)


def fixed_differs(kind: str, record_id: UUID, name: str) -> Problem:
    return conflict(
        f"{name}_is_fixed",
        f"The {name} of {kind} {record_id} cannot change.",
        hint=f"End this {kind} and record a new one.",
    )


def _tell(tx: Tx, kind: Kind, old: Row | None, new: Row) -> None:
    before = {} if old is None else {type(event): event for event in events_of(kind.name, old)}
    erased = old is not None and old.get("erased_at") is not None
    for event in events_of(kind.name, new):
        if before.get(type(event)) != event or (erased and isinstance(event, DirectoryEntry)):
            tx.emit(event, sequence=new["version"])


def events_of(kind: str, row: Row) -> list[EventData]:
    """The facts that a record's state amounts to on the bus."""
    agency_id, record_id = row["agency_id"], row[f"{kind}_id"]
    told: list[EventData] = [
        DirectoryEntry(
            agency_id=agency_id,
            kind=cast(DirectoryKind, kind),
            entry_id=record_id,
            display_name=row["name"],
            reference=row["reference"],
        )
    ]
    if kind == "agency":
        told.append(AgencyChanged(agency_id=agency_id, reference=row["reference"], bureau_id=row.get("bureau_id")))
    elif kind == "client":
        told.append(
            ClientChanged(agency_id=agency_id, client_id=record_id, reference=row["reference"], status=row["status"])
        )
    elif kind == "worker":
        told.append(
            WorkerChanged(
                agency_id=agency_id,
                worker_id=record_id,
                reference=row["reference"],
                status=row["status"],
                started_on=row.get("started_on"),
                left_on=row.get("left_on"),
            )
        )
    elif kind == "placement":
        told.append(_placement(row))
    return told


def _placement(row: Row) -> PlacementChanged:
    return PlacementChanged(
        agency_id=row["agency_id"],
        worker_id=row["worker_id"],
        placement_id=row["placement_id"],
        reference=row["reference"],
        client_id=row["client_id"],
        site_id=row.get("site_id"),
        consultant_id=row.get("consultant_id"),
        branch=row.get("branch"),
        pay_basis=row["pay_basis"],
        payee_id=row.get("payee_id"),
        holiday_pay=row["holiday_pay"],
        purchase_order=row.get("purchase_order"),
        sds=row.get("sds"),
        starts_on=row["starts_on"],
        ends_on=row.get("ends_on"),
        status=row["status"],
    )
