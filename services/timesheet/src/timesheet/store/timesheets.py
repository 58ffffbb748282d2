"""Timesheets, their entries and expenses, and what each approval charged. Writes are set-wise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from paybill_common.db import Tx
from paybill_common.money import from_pence
from paybill_common.rows import rows_json
from timesheet.domain.entries import Entry, Expense, Shift, UnitEntry
from timesheet.domain.lines import ChargeLine
from timesheet.domain.vocabulary import Applies, Element, LineKind, RateUnit
from timesheet.domain.workflow import Status, TimesheetState
from timesheet.store.records import like


@dataclass(frozen=True, slots=True)
class PlacementFacts:
    """What a timesheet's events say of its placement."""

    placement_id: UUID
    worker_id: UUID
    client_id: UUID
    site_id: UUID | None
    consultant_id: UUID | None
    branch: str | None
    pay_basis: str
    payee_id: UUID | None
    holiday_pay: str
    purchase_order: str | None
    sds: str | None = None


@dataclass(frozen=True, slots=True)
class Timesheet:
    """One timesheet as stored, with its placement."""

    timesheet_id: UUID
    reference: str
    week_ending: date
    state: TimesheetState
    sequence: int
    reason_code: str | None
    source: str
    placement: PlacementFacts
    starts_on: date
    ends_on: date | None


@dataclass(frozen=True, slots=True)
class StoredEntry:
    entry_id: UUID
    timesheet_id: UUID
    worker_id: UUID
    ordinal: int
    entry: Entry


@dataclass(frozen=True, slots=True)
class StoredExpense:
    expense_id: UUID
    timesheet_id: UUID
    ordinal: int
    description: str | None
    expense: Expense
    external_id: str | None = None


_LOADED = """
    SELECT t.*, p.site_id, p.consultant_id, p.branch, p.pay_basis, p.payee_id, p.holiday_pay, p.sds, p.purchase_order,
           p.starts_on, p.ends_on
    FROM timesheet t JOIN placement p ON p.agency_id = t.agency_id AND p.placement_id = t.placement_id
    WHERE t.agency_id = :agency AND t.timesheet_id = ANY(CAST(:ids AS uuid[])) ORDER BY t.timesheet_id
"""


async def load(tx: Tx, *, agency_id: UUID, ids: Iterable[UUID], lock: bool = False) -> dict[UUID, Timesheet]:
    """Timesheets by id, locked in id order when they are about to change."""
    result = await tx.execute(_LOADED + (" FOR UPDATE OF t" if lock else ""), agency=agency_id, ids=sorted(set(ids)))
    return {row.timesheet_id: _timesheet(row) for row in result}


async def lock_workers(tx: Tx, *, agency_id: UUID, worker_ids: Iterable[UUID]) -> None:
    """Hold these workers, in id order: whoever changes a worker's entries holds the worker first."""
    await tx.execute(
        "SELECT 1 FROM worker WHERE agency_id = :agency AND worker_id = ANY(CAST(:ids AS uuid[])) "
        "ORDER BY worker_id FOR NO KEY UPDATE",
        agency=agency_id,
        ids=sorted(set(worker_ids)),
    )


async def entries_of(tx: Tx, *, agency_id: UUID, ids: Iterable[UUID]) -> dict[UUID, list[StoredEntry]]:
    """The entries of these timesheets, in their order."""
    result = await tx.execute(
        "SELECT * FROM entry WHERE agency_id = :agency AND timesheet_id = ANY(CAST(:ids AS uuid[])) "
        "ORDER BY timesheet_id, ordinal",
        agency=agency_id,
        ids=list(set(ids)),
    )
    found: dict[UUID, list[StoredEntry]] = {}
    for row in result:
        found.setdefault(row.timesheet_id, []).append(_entry(row))
    return found


async def entries_of_workers(
    tx: Tx, *, agency_id: UUID, worker_ids: Iterable[UUID], first: date, last: date
) -> dict[UUID, list[StoredEntry]]:
    """All entries of these workers between two days (inclusive), whatever their timesheet, by worker."""
    result = await tx.execute(
        "SELECT * FROM entry WHERE agency_id = :agency AND worker_id = ANY(CAST(:ids AS uuid[])) "
        "AND worked_on BETWEEN :first AND :last ORDER BY worker_id, timesheet_id, ordinal",
        agency=agency_id,
        ids=list(set(worker_ids)),
        first=first,
        last=last,
    )
    found: dict[UUID, list[StoredEntry]] = {}
    for row in result:
        found.setdefault(row.worker_id, []).append(_entry(row))
    return found


async def expenses_of(tx: Tx, *, agency_id: UUID, ids: Iterable[UUID]) -> dict[UUID, list[StoredExpense]]:
    """The expenses of these timesheets, in their order."""
    result = await tx.execute(
        "SELECT * FROM expense WHERE agency_id = :agency AND timesheet_id = ANY(CAST(:ids AS uuid[])) "
        "ORDER BY timesheet_id, ordinal",
        agency=agency_id,
        ids=list(set(ids)),
    )
    found: dict[UUID, list[StoredExpense]] = {}
    for row in result:
        expense = Expense(row.spent_on, row.code, row.pay_gbp, row.charge_gbp, Applies(row.applies))
        stored = StoredExpense(row.expense_id, row.timesheet_id, row.ordinal, row.description, expense, row.external_id)
        found.setdefault(row.timesheet_id, []).append(stored)
    return found


async def insert_expected(
    tx: Tx, *, agency_id: UUID, rows: Sequence[tuple[UUID, int, UUID, UUID, UUID, date, str]]
) -> list[UUID]:
    """Create drafts: (id, number, placement, worker, client, week, source). Those that exist stay. Gives the new ids."""
    result = await tx.execute(
        """
        INSERT INTO timesheet (agency_id, timesheet_id, number, reference, placement_id, worker_id, client_id, week_ending,
                               status, version, sequence, source, expected_at)
        SELECT :agency, i, n, 'TS-' || lpad(CAST(n AS text), greatest(6, length(CAST(n AS text))), '0'), p, w, c, e, 'draft', 1, 1, s, :now
        FROM unnest(CAST(:ids AS uuid[]), CAST(:numbers AS bigint[]), CAST(:placements AS uuid[]),
                    CAST(:workers AS uuid[]), CAST(:clients AS uuid[]), CAST(:weeks AS date[]), CAST(:sources AS text[]))
             AS r(i, n, p, w, c, e, s)
        ON CONFLICT (agency_id, placement_id, week_ending) DO NOTHING
        RETURNING timesheet_id
        """,
        agency=agency_id,
        now=tx.now,
        ids=[row[0] for row in rows],
        numbers=[row[1] for row in rows],
        placements=[row[2] for row in rows],
        workers=[row[3] for row in rows],
        clients=[row[4] for row in rows],
        weeks=[row[5] for row in rows],
        sources=[row[6] for row in rows],
    )
    return [row.timesheet_id for row in result]


async def insert_entries(tx: Tx, *, agency_id: UUID, entries: Sequence[StoredEntry]) -> None:
    if not entries:
        return
    shifts = [one.entry if isinstance(one.entry, Shift) else None for one in entries]
    units = [one.entry if isinstance(one.entry, UnitEntry) else None for one in entries]
    await tx.execute(
        """
        INSERT INTO entry (agency_id, entry_id, timesheet_id, worker_id, ordinal, worked_on, start, finish, finish_on,
                           break_minutes, break_start, start_fold, finish_fold, unit, units, rate_code)
        SELECT :agency, r.* FROM unnest(CAST(:ids AS uuid[]), CAST(:timesheets AS uuid[]), CAST(:workers AS uuid[]),
            CAST(:ordinals AS int[]), CAST(:days AS date[]), CAST(:starts AS time[]), CAST(:finishes AS time[]),
            CAST(:finish_days AS date[]), CAST(:breaks AS int[]), CAST(:break_starts AS time[]),
            CAST(:start_folds AS smallint[]), CAST(:finish_folds AS smallint[]), CAST(:unit AS text[]),
            CAST(:units AS numeric[]), CAST(:rate_codes AS text[])) AS r
        """,
        agency=agency_id,
        ids=[one.entry_id for one in entries],
        timesheets=[one.timesheet_id for one in entries],
        workers=[one.worker_id for one in entries],
        ordinals=[one.ordinal for one in entries],
        days=[one.entry.on for one in entries],
        starts=[one.start if one else None for one in shifts],
        finishes=[one.finish if one else None for one in shifts],
        finish_days=[one.finish_on if one else None for one in shifts],
        breaks=[one.break_minutes if one else 0 for one in shifts],
        break_starts=[one.break_start if one else None for one in shifts],
        start_folds=[one.start_fold if one else None for one in shifts],
        finish_folds=[one.finish_fold if one else None for one in shifts],
        unit=[one.unit.value if one else None for one in units],
        units=[one.units if one else None for one in units],
        rate_codes=[one.entry.rate_code for one in entries],
    )


async def insert_expenses(tx: Tx, *, agency_id: UUID, expenses: Sequence[StoredExpense]) -> None:
    if not expenses:
        return
    await tx.execute(
        """
        INSERT INTO expense (agency_id, expense_id, timesheet_id, ordinal, spent_on, code, description, pay_gbp, charge_gbp,
                             applies, external_id)
        SELECT :agency, r.* FROM unnest(CAST(:ids AS uuid[]), CAST(:timesheets AS uuid[]), CAST(:ordinals AS int[]),
            CAST(:days AS date[]), CAST(:codes AS text[]), CAST(:descriptions AS text[]), CAST(:pay AS numeric[]),
            CAST(:charge AS numeric[]), CAST(:applies AS text[]), CAST(:externals AS text[])) AS r
        """,
        agency=agency_id,
        ids=[one.expense_id for one in expenses],
        timesheets=[one.timesheet_id for one in expenses],
        ordinals=[one.ordinal for one in expenses],
        days=[one.expense.on for one in expenses],
        codes=[one.expense.code for one in expenses],
        descriptions=[one.description for one in expenses],
        pay=[one.expense.pay_gbp for one in expenses],
        charge=[one.expense.charge_gbp for one in expenses],
        applies=[one.expense.applies.value for one in expenses],
        externals=[one.external_id for one in expenses],
    )


async def last_ordinals(tx: Tx, *, agency_id: UUID, table: str, ids: Iterable[UUID]) -> dict[UUID, int]:
    """The highest ordinal of each timesheet's rows in `entry` or `expense`."""
    if table not in ("entry", "expense"):
        raise ValueError(f"{table} has no ordinals")
    result = await tx.execute(
        f"SELECT timesheet_id, max(ordinal) AS last FROM {table} WHERE agency_id = :agency "  # noqa: S608
        "AND timesheet_id = ANY(CAST(:ids AS uuid[])) GROUP BY timesheet_id",
        agency=agency_id,
        ids=list(set(ids)),
    )
    return {row.timesheet_id: row.last for row in result}


async def remove_entries(tx: Tx, *, agency_id: UUID, timesheet_id: UUID) -> None:
    await tx.execute(
        "DELETE FROM entry WHERE agency_id = :agency AND timesheet_id = :id", agency=agency_id, id=timesheet_id
    )


async def remove_expenses(tx: Tx, *, agency_id: UUID, timesheet_id: UUID) -> None:
    await tx.execute(
        "DELETE FROM expense WHERE agency_id = :agency AND timesheet_id = :id", agency=agency_id, id=timesheet_id
    )


@dataclass(frozen=True, slots=True)
class Change:
    """What one command made of a timesheet. Minutes and money None: as before."""

    timesheet_id: UUID
    state: TimesheetState
    sequence: int
    reason_code: str | None = None
    minutes: int | None = None
    pay_gbp: Decimal | None = None
    charge_gbp: Decimal | None = None
    answered_by: str | None = None
    """Who said that the worker did not work."""


async def save_states(tx: Tx, *, agency_id: UUID, changes: Sequence[Change]) -> None:
    """Write the new states of many timesheets at once."""
    if not changes:
        return
    await tx.execute(
        """
        UPDATE timesheet t SET status = r.status, version = r.version, sequence = r.sequence, reason = r.reason,
            reason_code = r.reason_code, minutes = coalesce(r.minutes, t.minutes), pay_gbp = coalesce(r.pay, t.pay_gbp),
            charge_gbp = coalesce(r.charge, t.charge_gbp),
            submitted_at = CASE WHEN r.status = 'submitted' THEN :now ELSE t.submitted_at END,
            decided_at = CASE WHEN r.status IN ('approved', 'amended', 'rejected') THEN :now ELSE t.decided_at END,
            not_worked_at = CASE WHEN r.status = 'not_worked' THEN :now END,
            not_worked_by = CASE WHEN r.status = 'not_worked' THEN r.answered_by END
        FROM unnest(CAST(:ids AS uuid[]), CAST(:statuses AS text[]), CAST(:versions AS int[]), CAST(:sequences AS bigint[]),
                    CAST(:reasons AS text[]), CAST(:codes AS text[]), CAST(:minutes AS int[]), CAST(:pay AS numeric[]),
                    CAST(:charge AS numeric[]), CAST(:answered AS text[]))
             AS r(id, status, version, sequence, reason, reason_code, minutes, pay, charge, answered_by)
        WHERE t.agency_id = :agency AND t.timesheet_id = r.id
        """,
        agency=agency_id,
        now=tx.now,
        ids=[one.timesheet_id for one in changes],
        statuses=[one.state.status.value for one in changes],
        versions=[one.state.version for one in changes],
        sequences=[one.sequence for one in changes],
        reasons=[one.state.reason for one in changes],
        codes=[one.reason_code for one in changes],
        minutes=[one.minutes for one in changes],
        pay=[one.pay_gbp for one in changes],
        charge=[one.charge_gbp for one in changes],
        answered=[one.answered_by for one in changes],
    )


async def set_source(tx: Tx, *, agency_id: UUID, ids: Iterable[UUID], source: str) -> None:
    await tx.execute(
        "UPDATE timesheet SET source = :source WHERE agency_id = :agency AND timesheet_id = ANY(CAST(:ids AS uuid[])) "
        "AND source <> :source",
        agency=agency_id,
        ids=sorted(set(ids)),
        source=source,
    )


async def set_external_id(tx: Tx, *, agency_id: UUID, timesheet_id: UUID, external_id: str) -> None:
    await tx.execute(
        "UPDATE timesheet SET external_id = :external WHERE agency_id = :agency AND timesheet_id = :id",
        agency=agency_id,
        id=timesheet_id,
        external=external_id,
    )


async def insert_versions(tx: Tx, *, agency_id: UUID, versions: Sequence[dict[str, Any]]) -> None:
    """What approvals charged; keys are the columns of timesheet_version, JSON columns as Python values."""
    await tx.execute(
        """
        INSERT INTO timesheet_version (agency_id, timesheet_id, version, approved_at, approved_by, evidence_id, reason_code,
            reason, placement, entries, lines, worked_minutes, payable_minutes, billable_minutes, payable_units,
            billable_units, pay_gbp, charge_gbp)
        SELECT :agency, r.* FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(timesheet_id uuid, version int,
            approved_at timestamptz, approved_by text, evidence_id uuid, reason_code text, reason text, placement jsonb,
            entries jsonb, lines jsonb, worked_minutes int, payable_minutes int, billable_minutes int,
            payable_units numeric, billable_units numeric, pay_gbp numeric, charge_gbp numeric)
        """,
        agency=agency_id,
        rows=rows_json(versions),
    )


async def insert_evidence(tx: Tx, *, agency_id: UUID, evidence: Sequence[dict[str, Any]]) -> None:
    await tx.execute(
        """
        INSERT INTO evidence (agency_id, evidence_id, timesheet_id, version, decision, kind, decided_at, by_subject, by_name,
                              ip, user_agent, approval_request_id, note, seen, seen_sha256)
        SELECT :agency, r.* FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(evidence_id uuid, timesheet_id uuid,
            version int, decision text, kind text, decided_at timestamptz, by_subject text, by_name text, ip text,
            user_agent text, approval_request_id uuid, note text, seen jsonb, seen_sha256 text)
        """,
        agency=agency_id,
        rows=rows_json(evidence),
    )


async def version_of(tx: Tx, *, agency_id: UUID, timesheet_id: UUID, version: int) -> Any | None:
    result = await tx.execute(
        "SELECT * FROM timesheet_version WHERE agency_id = :agency AND timesheet_id = :id AND version = :version",
        agency=agency_id,
        id=timesheet_id,
        version=version,
    )
    return result.first()


async def recorded_entries(
    tx: Tx, *, agency_id: UUID, ids: Sequence[UUID]
) -> dict[tuple[UUID, int], list[list[dict[str, Any]]]]:
    """By timesheet and version, the hours that somebody vouched for although compliance blocks new hours."""
    result = await tx.execute(
        "SELECT timesheet_id, version, seen->'entries' AS entries FROM evidence WHERE agency_id = :agency "
        "AND timesheet_id = ANY(CAST(:ids AS uuid[])) AND decision = 'recorded'",
        agency=agency_id,
        ids=list(ids),
    )
    found: dict[tuple[UUID, int], list[list[dict[str, Any]]]] = {}
    for row in result:
        found.setdefault((row.timesheet_id, row.version), []).append(row.entries)
    return found


async def history(tx: Tx, *, agency_id: UUID, timesheet_id: UUID) -> tuple[list[Any], list[Any]]:
    """Versions and evidence of one timesheet, oldest first."""
    versions = await tx.execute(
        "SELECT * FROM timesheet_version WHERE agency_id = :agency AND timesheet_id = :id ORDER BY version",
        agency=agency_id,
        id=timesheet_id,
    )
    evidence = await tx.execute(
        "SELECT * FROM evidence WHERE agency_id = :agency AND timesheet_id = :id ORDER BY decided_at, evidence_id",
        agency=agency_id,
        id=timesheet_id,
    )
    return list(versions), list(evidence)


_LISTED = """
    SELECT t.timesheet_id, t.number, t.reference, t.external_id, t.placement_id, t.worker_id, t.client_id, t.week_ending,
           t.status, t.version, t.minutes, t.pay_gbp, t.charge_gbp, t.submitted_at, t.decided_at, t.chased_at, t.reason_code,
           t.not_worked_at, t.not_worked_by,
           t.reason, t.source, p.reference AS placement_reference, p.name AS job_title, p.consultant_id, p.site_id,
           w.name AS worker, c.name AS client, k.name AS consultant, s.name AS site, d.held, d.reasons AS hold_reasons,
           p.booked_minutes
    FROM timesheet t
    JOIN placement p ON p.agency_id = t.agency_id AND p.placement_id = t.placement_id
    JOIN worker w ON w.agency_id = t.agency_id AND w.worker_id = t.worker_id
    JOIN client c ON c.agency_id = t.agency_id AND c.client_id = t.client_id
    LEFT JOIN consultant k ON k.agency_id = t.agency_id AND k.consultant_id = p.consultant_id
    LEFT JOIN site s ON s.agency_id = t.agency_id AND s.site_id = p.site_id
    LEFT JOIN compliance_decision d ON d.agency_id = t.agency_id AND d.timesheet_id = t.timesheet_id
        AND d.version = t.version
    WHERE t.agency_id = :agency
"""
_FILTERS = {
    "timesheet_id": "t.timesheet_id = :timesheet_id",
    "external_id": "t.external_id = :external_id",
    "week_ending": "t.week_ending = :week_ending",
    "status": "t.status = :status",
    "client_id": "t.client_id = :client_id",
    "worker_id": "t.worker_id = :worker_id",
    "placement_id": "t.placement_id = :placement_id",
    "consultant_id": "p.consultant_id = :consultant_id",
    "after": "t.number > :after",
    "q": "(t.reference ILIKE :q ESCAPE '!' OR w.name ILIKE :q ESCAPE '!' OR p.reference ILIKE :q ESCAPE '!' "
    "OR c.name ILIKE :q ESCAPE '!')",
}


async def page(tx: Tx, *, agency_id: UUID, most: int, **filters: Any) -> list[Any]:
    """Timesheets by number with the names that a list shows; a filter that is None is left out."""
    used = {name: value for name, value in filters.items() if value is not None}
    if "q" in used:
        used["q"] = like(used["q"])
    where = "".join(f" AND {_FILTERS[name]}" for name in used)
    result = await tx.execute(f"{_LISTED}{where} ORDER BY t.number LIMIT :most", agency=agency_id, most=most, **used)
    return list(result)


async def labels(tx: Tx, *, agency_id: UUID, ids: Sequence[UUID]) -> dict[UUID, Any]:
    """The names that a list shows, by timesheet."""
    result = await tx.execute(
        f"{_LISTED} AND t.timesheet_id = ANY(CAST(:ids AS uuid[]))", agency=agency_id, ids=list(ids)
    )
    return {row.timesheet_id: row for row in result}


async def known_rows(tx: Tx, *, agency_id: UUID, keys: Iterable[UUID]) -> dict[UUID, Any]:
    """Which of these file rows were imported before: where they stand now."""
    result = await tx.execute(
        "SELECT row_key, import_id, row, record_id FROM import_row WHERE agency_id = :agency "
        "AND row_key = ANY(CAST(:keys AS uuid[]))",
        agency=agency_id,
        keys=list(set(keys)),
    )
    return {row.row_key: row for row in result}


async def insert_import_rows(
    tx: Tx, *, agency_id: UUID, import_id: UUID, rows: Sequence[tuple[UUID, int, UUID]]
) -> None:
    await tx.execute(
        "INSERT INTO import_row (agency_id, row_key, import_id, row, record_id, imported_at) "
        "SELECT :agency, k, :import, n, i, :now "
        "FROM unnest(CAST(:keys AS uuid[]), CAST(:rows AS int[]), CAST(:ids AS uuid[])) AS r(k, n, i)",
        agency=agency_id,
        now=tx.now,
        **{"import": import_id},
        keys=[row[0] for row in rows],
        rows=[row[1] for row in rows],
        ids=[row[2] for row in rows],
    )


def line_to_dict(line: ChargeLine, charge_line_id: UUID) -> dict[str, Any]:
    """A charge line as JSON: decimals and ids as text."""
    return {
        "charge_line_id": str(charge_line_id),
        "ordinal": line.ordinal,
        "kind": line.kind.value,
        "element": line.element.value,
        "rate_code": line.rate_code,
        "rate_unit": line.rate_unit.value,
        "minutes": line.minutes,
        "units": None if line.units is None else str(line.units),
        "pay_rate": str(line.pay_rate),
        "basic_pay_rate": str(line.basic_pay_rate),
        "charge_rate": str(line.charge_rate),
        "pay_gbp": str(from_pence(line.pay_pence)),
        "charge_gbp": str(from_pence(line.charge_pence)),
        "payable": line.payable,
        "billable": line.billable,
        "rate_card_id": str(line.rate_card_id),
        "rate_card_version": line.rate_card_version,
        "rule_id": line.rule_id,
        "days": [{"worked_on": on.isoformat(), "minutes": minutes} for on, minutes in line.days],
    }


def line_from_dict(data: dict[str, Any]) -> ChargeLine:
    """The line that `line_to_dict` wrote."""
    return ChargeLine(
        ordinal=data["ordinal"],
        kind=LineKind(data["kind"]),
        element=Element(data["element"]),
        rate_code=data["rate_code"],
        rate_unit=RateUnit(data["rate_unit"]),
        minutes=data["minutes"],
        units=None if data["units"] is None else Decimal(data["units"]),
        pay_rate=Decimal(data["pay_rate"]),
        basic_pay_rate=Decimal(data["basic_pay_rate"]),
        charge_rate=Decimal(data["charge_rate"]),
        pay_pence=int(Decimal(data["pay_gbp"]).scaleb(2)),
        charge_pence=int(Decimal(data["charge_gbp"]).scaleb(2)),
        payable=data["payable"],
        billable=data["billable"],
        rate_card_id=UUID(data["rate_card_id"]),
        rate_card_version=data["rate_card_version"],
        rule_id=data["rule_id"],
        days=tuple((date.fromisoformat(day["worked_on"]), day["minutes"]) for day in data["days"]),
    )


def _timesheet(row: Any) -> Timesheet:
    return Timesheet(
        timesheet_id=row.timesheet_id,
        reference=row.reference,
        week_ending=row.week_ending,
        state=TimesheetState(row.timesheet_id, Status(row.status), row.version, row.reason),
        sequence=row.sequence,
        reason_code=row.reason_code,
        source=row.source,
        placement=PlacementFacts(
            placement_id=row.placement_id,
            worker_id=row.worker_id,
            client_id=row.client_id,
            site_id=row.site_id,
            consultant_id=row.consultant_id,
            branch=row.branch,
            pay_basis=row.pay_basis,
            payee_id=row.payee_id,
            holiday_pay=row.holiday_pay,
            purchase_order=row.purchase_order,
            sds=row.sds,
        ),
        starts_on=row.starts_on,
        ends_on=row.ends_on,
    )


def _entry(row: Any) -> StoredEntry:
    entry: Entry
    if row.start is not None:
        entry = Shift(
            on=row.worked_on,
            start=row.start,
            finish=row.finish,
            break_minutes=row.break_minutes,
            break_start=row.break_start,
            finish_on=row.finish_on,
            start_fold=row.start_fold,
            finish_fold=row.finish_fold,
            rate_code=row.rate_code,
        )
    else:
        entry = UnitEntry(row.worked_on, RateUnit(row.unit), row.units, row.rate_code)
    return StoredEntry(row.entry_id, row.timesheet_id, row.worker_id, row.ordinal, entry)
