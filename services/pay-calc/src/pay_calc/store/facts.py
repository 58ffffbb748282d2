"""What pay-calc was told, set-wise: worker locks, timesheet versions, clearances, cut-offs, self-bills; and all of it read back."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from pay_calc.domain.decide import AWAITING, Agency, Closing, PaidCharge, ToDate, Version, Worker, paid_slips_of
from pay_calc.domain.late_weeks import charged_of
from pay_calc.domain.pay_dates import period_to_of
from pay_calc.domain.pension_records import owed_refund
from pay_calc.domain.profile_terms import Benefit, Provided
from pay_calc.domain.profiles import Directorship, Profile
from pay_calc.domain.slips import Charge, charge_of
from pay_calc.domain.starting import starter_of
from pay_calc.domain.subcontractors import Subcontractor, agency_rules_hold
from pay_calc.store import connected, leave, nil_weeks, pension_records, standing, starters, statutory
from paybill_common.clock import london_date
from paybill_common.db import Tx
from paybill_common.money import to_pence
from paybill_contracts.invoicing import SelfBillIssued
from paybill_contracts.placement import PlacementChanged

Key = tuple[UUID, UUID]
"""(agency_id, worker_id)."""

DEFAULT_PAYDAY_DAYS_AFTER = 5
"""Without a calendar a week is paid on the Friday after it."""

_AGENCY_LOCK = "hashtextextended('pay_calc.agency.' || CAST(a AS text), 0)"


async def share_agencies(tx: Tx, agencies: Iterable[UUID]) -> None:
    """Hold off the opening of pay runs until this transaction ends. Taken before worker locks, in agency order."""
    await tx.execute(
        f"SELECT pg_advisory_xact_lock_shared({_AGENCY_LOCK}) FROM unnest(CAST(:agencies AS uuid[])) AS a ORDER BY a",  # noqa: S608
        agencies=sorted(set(agencies)),
    )


async def own_agency(tx: Tx, agency_id: UUID) -> None:
    """Wait until no other transaction decides about this agency's pay, and keep it so until this one ends."""
    await tx.execute(
        f"SELECT pg_advisory_xact_lock({_AGENCY_LOCK}) FROM (SELECT CAST(:agency AS uuid) AS a) AS one",  # noqa: S608
        agency=agency_id,
    )


async def lock_workers(tx: Tx, keys: Iterable[Key]) -> list[Key]:
    """Lock these workers, making the rows that are missing, in (agency, worker) order; the order everybody takes them in."""
    ordered = sorted(set(keys))
    params = {"agencies": [agency for agency, _ in ordered], "workers": [worker for _, worker in ordered]}
    await tx.execute(
        """
        INSERT INTO worker (agency_id, worker_id)
        SELECT a, w FROM unnest(CAST(:agencies AS uuid[]), CAST(:workers AS uuid[])) AS k(a, w) ORDER BY a, w
        ON CONFLICT DO NOTHING
        """,
        **params,
    )
    await tx.execute(
        """
        SELECT 1 FROM worker JOIN unnest(CAST(:agencies AS uuid[]), CAST(:workers AS uuid[])) AS k(a, w)
          ON worker.agency_id = a AND worker.worker_id = w
        ORDER BY worker.agency_id, worker.worker_id FOR UPDATE OF worker
        """,
        **params,
    )
    return ordered


@dataclass(frozen=True, slots=True)
class NewVersion:
    """One approved version as it came. `lines` is JSON of its payable charges."""

    agency_id: UUID
    timesheet_id: UUID
    version: int
    worker_id: UUID
    placement_id: UUID
    client_id: UUID
    week_ending: date
    pay_basis: str
    payee_id: UUID | None
    holiday_pay: str
    sds: str | None
    reference: str
    approved_at: datetime
    payable_minutes: int
    payable_units: Decimal
    pay_gbp: Decimal
    lines: str


async def insert_versions(tx: Tx, rows: Sequence[NewVersion]) -> None:
    """Keep these versions, each once. One that a newer version overtook is superseded, unless a closing run still pays it."""
    await tx.execute(
        """
        INSERT INTO timesheet_version (agency_id, timesheet_id, version, worker_id, placement_id, client_id, week_ending,
            pay_basis, payee_id, holiday_pay, sds, reference, approved_at, payable_minutes, payable_units, pay_gbp, lines, state)
        SELECT agency, timesheet, ver, worker, placement, client, week, basis, payee, holiday, sds, ref, approved, minutes, units,
               gbp, CAST(lines AS jsonb),
               CASE WHEN EXISTS (SELECT 1 FROM timesheet_version newer WHERE newer.agency_id = agency
                                 AND newer.timesheet_id = timesheet AND newer.version > ver) THEN 'superseded' ELSE 'open' END
        FROM unnest(CAST(:agencies AS uuid[]), CAST(:timesheets AS uuid[]), CAST(:versions AS int[]), CAST(:workers AS uuid[]),
            CAST(:placements AS uuid[]), CAST(:clients AS uuid[]), CAST(:weeks AS date[]), CAST(:bases AS text[]),
            CAST(:payees AS uuid[]), CAST(:holidays AS text[]), CAST(:sds AS text[]), CAST(:refs AS text[]),
            CAST(:approved AS timestamptz[]), CAST(:minutes AS int[]), CAST(:units AS numeric[]), CAST(:gbp AS numeric[]),
            CAST(:lines AS text[]))
          AS i(agency, timesheet, ver, worker, placement, client, week, basis, payee, holiday, sds, ref, approved, minutes, units,
               gbp, lines)
        ON CONFLICT DO NOTHING
        """,
        agencies=[row.agency_id for row in rows],
        timesheets=[row.timesheet_id for row in rows],
        versions=[row.version for row in rows],
        workers=[row.worker_id for row in rows],
        placements=[row.placement_id for row in rows],
        clients=[row.client_id for row in rows],
        weeks=[row.week_ending for row in rows],
        bases=[row.pay_basis for row in rows],
        payees=[row.payee_id for row in rows],
        holidays=[row.holiday_pay for row in rows],
        sds=[row.sds for row in rows],
        refs=[row.reference for row in rows],
        approved=[row.approved_at for row in rows],
        minutes=[row.payable_minutes for row in rows],
        units=[row.payable_units for row in rows],
        gbp=[row.pay_gbp for row in rows],
        lines=[row.lines for row in rows],
    )
    later = [row for row in rows if row.version > 1]
    if later:
        await tx.execute(
            """
            UPDATE timesheet_version AS old SET state = 'superseded'
            FROM unnest(CAST(:agencies AS uuid[]), CAST(:timesheets AS uuid[]), CAST(:versions AS int[])) AS i(agency, timesheet, ver)
            WHERE old.agency_id = agency AND old.timesheet_id = timesheet AND old.version < ver AND old.state = 'open'
              AND NOT EXISTS (SELECT 1 FROM pay_run WHERE pay_run.agency_id = agency AND pay_run.state = 'closing')
            """,
            agencies=[row.agency_id for row in later],
            timesheets=[row.timesheet_id for row in later],
            versions=[row.version for row in later],
        )


async def upsert_sds(tx: Tx, rows: Sequence[tuple[PlacementChanged, int]]) -> None:
    """Keep what is decided now of these limited companies' placements, with its sequence."""
    await tx.execute(
        """
        INSERT INTO placement_sds (agency_id, placement_id, worker_id, sds, sequence)
        SELECT * FROM unnest(CAST(:agencies AS uuid[]), CAST(:placements AS uuid[]), CAST(:workers AS uuid[]),
            CAST(:sds AS text[]), CAST(:sequences AS bigint[]))
        ON CONFLICT (agency_id, placement_id) DO UPDATE SET sds = EXCLUDED.sds, sequence = EXCLUDED.sequence
        WHERE placement_sds.sequence < EXCLUDED.sequence
        """,
        agencies=[placement.agency_id for placement, _ in rows],
        placements=[placement.placement_id for placement, _ in rows],
        workers=[placement.worker_id for placement, _ in rows],
        sds=[placement.sds for placement, _ in rows],
        sequences=[sequence for _, sequence in rows],
    )


@dataclass(frozen=True, slots=True)
class NewClearance:
    agency_id: UUID
    timesheet_id: UUID
    version: int
    worker_id: UUID
    blocks_pay: bool
    reasons: str
    sequence: int
    decided_at: datetime


async def upsert_clearances(tx: Tx, rows: Sequence[NewClearance]) -> None:
    """Keep the newest decision on each version."""
    await tx.execute(
        """
        INSERT INTO clearance (agency_id, timesheet_id, version, worker_id, blocks_pay, reasons, sequence, decided_at)
        SELECT a, t, v, w, b, CAST(r AS jsonb), s, d
        FROM unnest(CAST(:agencies AS uuid[]), CAST(:timesheets AS uuid[]), CAST(:versions AS int[]), CAST(:workers AS uuid[]),
            CAST(:blocks AS bool[]), CAST(:reasons AS text[]), CAST(:sequences AS bigint[]), CAST(:decided AS timestamptz[]))
          AS i(a, t, v, w, b, r, s, d)
        ON CONFLICT (agency_id, timesheet_id, version) DO UPDATE
          SET blocks_pay = EXCLUDED.blocks_pay, reasons = EXCLUDED.reasons, sequence = EXCLUDED.sequence,
              decided_at = EXCLUDED.decided_at
          WHERE clearance.sequence < EXCLUDED.sequence
        """,
        agencies=[row.agency_id for row in rows],
        timesheets=[row.timesheet_id for row in rows],
        versions=[row.version for row in rows],
        workers=[row.worker_id for row in rows],
        blocks=[row.blocks_pay for row in rows],
        reasons=[row.reasons for row in rows],
        sequences=[row.sequence for row in rows],
        decided=[row.decided_at for row in rows],
    )


async def decided_versions(
    tx: Tx, *, agencies: Collection[UUID], timesheets: Collection[UUID]
) -> set[tuple[UUID, UUID, int]]:
    """(agency, timesheet, version) of those of these timesheets' versions that compliance has decided on."""
    if not timesheets:
        return set()
    found = await tx.execute(
        """
        SELECT v.agency_id, v.timesheet_id, v.version
        FROM timesheet_version v
        JOIN clearance c ON c.agency_id = v.agency_id AND c.timesheet_id = v.timesheet_id AND c.version = v.version
        WHERE v.agency_id = ANY(CAST(:agencies AS uuid[])) AND v.timesheet_id = ANY(CAST(:timesheets AS uuid[]))
        """,
        agencies=sorted(agencies),
        timesheets=list(timesheets),
    )
    return {(row.agency_id, row.timesheet_id, row.version) for row in found}


UNANSWERED = """
    {v}.state = 'open' AND {v}.lines <> CAST('[]' AS jsonb)
    AND NOT EXISTS (SELECT 1 FROM clearance c WHERE c.agency_id = {v}.agency_id AND c.timesheet_id = {v}.timesheet_id
        AND c.version = {v}.version)
    AND NOT EXISTS (SELECT 1 FROM payslip d WHERE d.agency_id = {v}.agency_id AND d.worker_id = {v}.worker_id AND d.state = 'draft'
        AND d.held @> jsonb_build_array(jsonb_build_object('timesheet_id', CAST({v}.timesheet_id AS text))))"""
"""A version `v` that has something to pay, no decision, and no draft that names it: one is worked when the decision arrives."""


async def unanswered(tx: Tx, *, after_s: int, beyond: Key | None, most: int) -> list[Key]:
    """Workers beyond this one, in order, with a version that has waited so long for its decision, by the real clock."""
    found = await tx.execute(
        f"""
        SELECT DISTINCT v.agency_id, v.worker_id FROM timesheet_version v
        WHERE v.arrived_at < clock_timestamp() - make_interval(secs => :after) AND {UNANSWERED.format(v="v")}
          AND (CAST(:agency AS uuid) IS NULL OR (v.agency_id, v.worker_id) > (CAST(:agency AS uuid), CAST(:worker AS uuid)))
        ORDER BY 1, 2 LIMIT :most
        """,  # noqa: S608  constant text
        after=after_s,
        agency=None if beyond is None else beyond[0],
        worker=None if beyond is None else beyond[1],
        most=most,
    )
    return [(row.agency_id, row.worker_id) for row in found]


async def upsert_workers(tx: Tx, rows: Sequence[tuple[UUID, UUID, str, str, date | None, date | None, int]]) -> None:
    """Keep (agency, worker, reference, status, started, left, sequence) of each worker, the newest."""
    await tx.execute(
        """
        UPDATE worker SET reference = r, status = s, started_on = st, left_on = l, sequence = n
        FROM unnest(CAST(:agencies AS uuid[]), CAST(:workers AS uuid[]), CAST(:refs AS text[]), CAST(:statuses AS text[]),
            CAST(:started AS date[]), CAST(:gone AS date[]), CAST(:sequences AS bigint[])) AS i(a, w, r, s, st, l, n)
        WHERE worker.agency_id = a AND worker.worker_id = w AND worker.sequence < n
        """,
        agencies=[row[0] for row in rows],
        workers=[row[1] for row in rows],
        refs=[row[2] for row in rows],
        statuses=[row[3] for row in rows],
        started=[row[4] for row in rows],
        gone=[row[5] for row in rows],
        sequences=[row[6] for row in rows],
    )


async def upsert_cut_off(tx: Tx, *, sequence: int, **values: Any) -> None:
    """Keep the newest control totals of a week."""
    await tx.execute(
        """
        INSERT INTO week_cut_off (agency_id, week_ending, cut_off_at, timesheets, payable_minutes, payable_units, pay_gbp, sequence)
        VALUES (:agency_id, :week_ending, :cut_off_at, :timesheets, :payable_minutes, :payable_units, :pay_gbp, :sequence)
        ON CONFLICT (agency_id, week_ending) DO UPDATE SET cut_off_at = EXCLUDED.cut_off_at, timesheets = EXCLUDED.timesheets,
            payable_minutes = EXCLUDED.payable_minutes, payable_units = EXCLUDED.payable_units, pay_gbp = EXCLUDED.pay_gbp,
            sequence = EXCLUDED.sequence
        WHERE week_cut_off.sequence < EXCLUDED.sequence
        """,
        sequence=sequence,
        **values,
    )


async def insert_self_bills(tx: Tx, bills: Sequence[tuple[SelfBillIssued, int]]) -> None:
    """Keep issued self-bills with their sequence: the payment file pays their gross less the deductions."""
    await tx.execute(
        """
        INSERT INTO self_bill (agency_id, document_id, pay_run_id, payee_id, payee_kind, number, net_gbp, vat_gbp, gross_gbp, payable_gbp,
            sequence)
        SELECT * FROM unnest(CAST(:agencies AS uuid[]), CAST(:ids AS uuid[]), CAST(:runs AS uuid[]), CAST(:payees AS uuid[]),
            CAST(:kinds AS text[]), CAST(:numbers AS text[]), CAST(:net AS numeric[]), CAST(:vat AS numeric[]),
            CAST(:gross AS numeric[]), CAST(:payable AS numeric[]), CAST(:sequences AS bigint[]))
        ON CONFLICT DO NOTHING
        """,
        agencies=[bill.agency_id for bill, _ in bills],
        ids=[bill.document_id for bill, _ in bills],
        runs=[bill.pay_run_id for bill, _ in bills],
        payees=[bill.payee_id for bill, _ in bills],
        kinds=[bill.payee_kind for bill, _ in bills],
        numbers=[bill.number for bill, _ in bills],
        net=[bill.net_gbp for bill, _ in bills],
        vat=[bill.vat_gbp for bill, _ in bills],
        gross=[bill.gross_gbp for bill, _ in bills],
        payable=[bill.payable_gbp for bill, _ in bills],
        sequences=[sequence for _, sequence in bills],
    )


@dataclass(slots=True)
class Facts:
    """Workers and agencies to decide about."""

    workers: dict[Key, Worker]
    agencies: dict[UUID, Agency]


async def load_agencies(tx: Tx, agencies: Iterable[UUID]) -> dict[UUID, Agency]:
    """The calendars and pay runs of these agencies."""
    ids = sorted(set(agencies))
    settings = await tx.execute(
        """
        SELECT a, c.payday_days_after, c.late_pay, coalesce(e.levy_payer, false) AS levy_payer, e.pension_re_enrolment_on
        FROM unnest(CAST(:agencies AS uuid[])) AS a
        LEFT JOIN pay_calendar c ON c.agency_id = a LEFT JOIN employer e ON e.agency_id = a
        """,
        agencies=ids,
    )
    runs = await tx.execute(
        "SELECT agency_id, period_to, payday_on, state, cut_off_no FROM pay_run WHERE agency_id = ANY(CAST(:agencies AS uuid[]))",
        agencies=ids,
    )
    closed: dict[UUID, set[date]] = {agency: set() for agency in ids}
    closing: dict[UUID, Closing] = {}
    for run in runs:
        if run.state == "closing":
            closing[run.agency_id] = Closing(run.period_to, run.payday_on, run.cut_off_no)
        else:
            closed[run.agency_id].add(run.period_to)
    return {
        row.a: Agency(
            payday_days_after=DEFAULT_PAYDAY_DAYS_AFTER if row.payday_days_after is None else row.payday_days_after,
            late_pay=row.late_pay,
            levy_payer=row.levy_payer,
            closed=frozenset(closed[row.a]),
            closing=closing.get(row.a),
            re_enrolment_on=row.pension_re_enrolment_on,
        )
        for row in settings
    }


async def load(tx: Tx, keys: Sequence[Key]) -> Facts:
    """Everything that decides the pay of these workers."""
    params = {"agency_set": sorted({agency for agency, _ in keys}), "workers": [worker for _, worker in keys]}
    workers = {key: Worker(agency_id=key[0], worker_id=key[1]) for key in keys}
    agencies = await load_agencies(tx, {agency for agency, _ in keys})
    await _load_versions(tx, params, workers)
    await _load_paid(tx, workers)
    await _load_people(tx, params, workers)
    await _load_history(tx, workers, agencies)
    for key, (employed_from, record) in (await pension_records.of_workers(tx, list(keys))).items():
        if key in workers:
            workers[key].employed_from, workers[key].pension_record = employed_from, record
    some = await _some(tx, params)
    await _load_beside_hours(tx, keys, workers, some)
    if "attachment_order" in some:
        for key, orders in (await standing.orders_of(tx, keys)).items():
            if key in workers:
                workers[key].orders = tuple(orders)
    if "net_deduction" in some:
        for key, deductions in (await standing.deductions_of(tx, keys)).items():
            if key in workers:
                workers[key].deductions = tuple(deductions)
    if "statutory_week" in some:
        for key, weeks in (await statutory.open_weeks(tx, keys)).items():
            if key in workers:
                workers[key].statutory = tuple(weeks)
    await leave.load(tx, workers, some)
    if any(agency.closing is not None for agency in agencies.values()):
        pending = await tx.execute(
            f"SELECT p.agency_id, p.worker_id FROM pay_run_worker p WHERE {_AMONG.format(t='p')} AND p.outcome IS NULL",  # noqa: S608
            **params,
        )
        for row in pending:
            if (worker := workers.get((row.agency_id, row.worker_id))) is not None:
                worker.pending = True
    return Facts(workers, agencies)


# Not a join to the list of pairs: right after a big import the tables have no statistics, and the planner would then compare every
# row with every pair. A row of another agency that has a worker of the same id is passed over when it is read.
_AMONG = "{t}.agency_id = ANY(CAST(:agency_set AS uuid[])) AND {t}.worker_id = ANY(CAST(:workers AS uuid[]))"


_FEW = (
    "connected_earnings",
    "nil_week",
    "attachment_order",
    "net_deduction",
    "statutory_week",
    *leave.TABLES,
)
"""Tables in which most workers have nothing."""


async def _some(tx: Tx, params: dict[str, Any]) -> frozenset[str]:
    """Those of these tables in which any of the workers has a row: one question instead of one a table."""
    among = _AMONG.format(t="x")
    exists = ", ".join(f"EXISTS (SELECT 1 FROM {table} x WHERE {among}) AS {table}" for table in _FEW)  # noqa: S608  constant text
    found = (await tx.execute(f"SELECT {exists}", **params)).one()
    return frozenset(table for table, has in zip(_FEW, found, strict=True) if has)


async def _load_versions(tx: Tx, params: dict[str, Any], workers: dict[Key, Worker]) -> None:
    found = await tx.execute(
        f"""
        SELECT v.agency_id, v.worker_id, v.timesheet_id, v.version, v.applied_no, v.week_ending, v.pay_basis, v.payee_id,
               v.placement_id, coalesce(d.sds, v.sds) AS sds,
               v.payable_minutes, v.pay_gbp, v.lines <> CAST('[]' AS jsonb) AS payable,
               v.pay_basis = 'paye' AND v.holiday_pay = 'accrued' AS accrues,
               CASE WHEN NOT c.blocks_pay THEN v.lines END AS lines, c.blocks_pay, c.reasons
        FROM timesheet_version v
        LEFT JOIN clearance c ON c.agency_id = v.agency_id AND c.timesheet_id = v.timesheet_id AND c.version = v.version
        LEFT JOIN placement_sds d ON v.pay_basis = 'limited' AND d.agency_id = v.agency_id AND d.placement_id = v.placement_id
        WHERE {_AMONG.format(t="v")} AND v.state = 'open'
        """,  # noqa: S608  constant text
        **params,
    )
    for row in found:
        worker = workers.get((row.agency_id, row.worker_id))
        if worker is None:
            continue
        charges = () if row.lines is None else tuple(charge_of(raw) for raw in _json(row.lines))
        if row.pay_basis == "limited" and row.sds == "inside":
            charges = tuple(replace(charge, deemed=True) for charge in charges)
        if row.accrues:
            charges = tuple(replace(charge, accrues=charge.kind == "time") for charge in charges)
        if row.blocks_pay is None:
            blocked: tuple[Any, ...] = AWAITING
        elif row.blocks_pay:
            blocked = tuple(_json(row.reasons)) or ({"code": "held_by_compliance", "blocks": ["pay"]},)
        else:
            blocked = ()
        worker.versions.append(
            Version(
                timesheet_id=row.timesheet_id,
                version=row.version,
                applied_no=row.applied_no,
                week_ending=row.week_ending,
                pay_basis=row.pay_basis,
                payee_id=row.payee_id,
                minutes=row.payable_minutes,
                pay_pence=to_pence(row.pay_gbp),
                payable=row.payable,
                charges=charges,
                blocked=blocked,
                placement_id=row.placement_id,
                sds=row.sds,
            )
        )


async def _load_paid(tx: Tx, workers: dict[Key, Worker]) -> None:
    """What finalised slips paid of timesheets that have been amended since."""
    amended = [
        (worker, version.timesheet_id)
        for worker in workers.values()
        for version in worker.versions
        if version.version > 1
    ]
    if not amended:
        return
    by_timesheet = {(worker.agency_id, timesheet_id): worker for worker, timesheet_id in amended}
    found = await tx.execute(
        """
        SELECT p.agency_id, p.timesheet_id, p.line, p.pay_basis, p.payee_id, p.pay_pence, p.rounding_pence
        FROM timesheet_version v
        JOIN paid_charge p ON p.agency_id = v.agency_id AND p.timesheet_id = v.timesheet_id AND p.version = v.version
        WHERE v.agency_id = ANY(CAST(:agencies AS uuid[])) AND v.timesheet_id = ANY(CAST(:timesheets AS uuid[]))
          AND v.state = 'settled' AND NOT p.reverses
        ORDER BY p.agency_id, p.timesheet_id, p.charge_line_id
        """,
        agencies=sorted({agency for agency, _ in by_timesheet}),
        timesheets=[timesheet for _, timesheet in by_timesheet],
    )
    for row in found:
        if (row.agency_id, row.timesheet_id) not in by_timesheet:
            continue
        by_timesheet[row.agency_id, row.timesheet_id].paid.setdefault(row.timesheet_id, []).append(
            PaidCharge(
                charge=charge_of(_json(row.line)),
                pay_basis=row.pay_basis,
                payee_id=row.payee_id,
                paid_pence=row.pay_pence,
                rounding_pence=row.rounding_pence,
            )
        )


async def _load_people(tx: Tx, params: dict[str, Any], workers: dict[Key, Worker]) -> None:
    profiles = await tx.execute(
        f"""
        SELECT p.agency_id, p.worker_id, p.tax_code, p.tax_basis, p.ni_letter, p.ni_letter_until, p.birth_on, p.student_loan_plan,
               p.postgrad_loan, p.pension, p.apprentice, p.apprenticeship_started_on, p.tax_code_from, p.p45_issued_on, p.accommodation,
               p.payrolled_benefits,
               p.director, p.director_method, p.director_appointed_on, p.director_settle_on,
               p.attachment_of_earnings, p.previous_tax_year, p.previous_pay_gbp, p.previous_tax_gbp, p.employment_no,
               p.starter, p.sort_code IS NOT NULL AS has_bank
        FROM pay_profile p WHERE {_AMONG.format(t="p")}
        """,  # noqa: S608  constant text
        **params,
    )
    for row in profiles:
        owner = workers.get((row.agency_id, row.worker_id))
        if owner is None:
            continue
        owner.profile = Profile(
            tax_code=row.tax_code,
            tax_basis=row.tax_basis,
            ni_letter=row.ni_letter,
            birth_on=row.birth_on,
            student_loan_plan=row.student_loan_plan,
            postgrad_loan=row.postgrad_loan,
            pension=_json(row.pension),
            apprentice=row.apprentice,
            director=row.director,
            attachment_of_earnings=row.attachment_of_earnings,
            previous_tax_year=row.previous_tax_year,
            previous_pay_pence=to_pence(row.previous_pay_gbp),
            previous_tax_pence=to_pence(row.previous_tax_gbp),
            employment_no=row.employment_no,
            has_bank=row.has_bank,
            directorship=Directorship(row.director_method, row.director_appointed_on, row.director_settle_on)
            if row.director and row.director_method is not None
            else None,
            apprenticeship_started_on=row.apprenticeship_started_on,
            tax_code_from=row.tax_code_from,
            p45_issued_on=row.p45_issued_on,
            ni_letter_until=row.ni_letter_until,
            accommodation=None if row.accommodation is None else Provided(**_dated(_json(row.accommodation))),
            benefits=tuple(Benefit(**_dated(raw)) for raw in _json(row.payrolled_benefits)),
            starter=None if row.starter is None else starter_of(_json(row.starter)),
        )
    started = [key for key, owner in workers.items() if owner.profile is not None and owner.profile.starter is not None]
    if started:
        found = await starters.paid_so_far(
            tx, agencies=sorted({agency for agency, _ in started}), workers=[worker for _, worker in started]
        )
        for key in started:
            workers[key].paid_so_far = found.get(key)
    sums = await tx.execute(
        f"""
        SELECT y.agency_id, y.worker_id, y.tax_year, y.employment_no, y.taxable_pence, y.tax_pence, y.payrolled_benefits_pence
        FROM year_to_date y WHERE {_AMONG.format(t="y")}
        """,  # noqa: S608  constant text
        **params,
    )
    for row in sums:
        owner = workers.get((row.agency_id, row.worker_id))
        if owner is not None:
            owner.to_date[row.tax_year, row.employment_no] = ToDate(
                row.taxable_pence, row.tax_pence, row.payrolled_benefits_pence
            )
    wanted = {
        (worker.agency_id, version.payee_id)
        for worker in workers.values()
        for version in worker.versions
        if version.payee_id is not None
    }
    if wanted:
        await _load_payees(tx, wanted, workers)


async def _load_payees(tx: Tx, wanted: set[tuple[UUID, UUID]], workers: dict[Key, Worker]) -> None:
    """Which payees have bank details, and how HMRC verified those who are CIS subcontractors."""
    found = await tx.execute(
        """
        SELECT p.agency_id, p.payee_id, p.sort_code IS NOT NULL AS has_bank, p.cis_rate_pct, p.cis_verification_number,
               p.cis_verified_on, p.agency_rules ->> 'finding' AS finding, p.agency_rules ->> 'evidence_ref' AS evidence_ref,
               CAST(p.agency_rules ->> 'decided_on' AS date) AS decided_on,
               CASE WHEN p.cis_rate_pct IS NOT NULL THEN (
                 SELECT max(s.payday_on) FROM payslip s
                 WHERE s.agency_id = p.agency_id AND s.payee_id = p.payee_id AND s.pay_basis = 'cis' AND s.state = 'finalised'
               ) END AS last_paid_on
        FROM payee p WHERE p.agency_id = ANY(CAST(:agencies AS uuid[])) AND p.payee_id = ANY(CAST(:payees AS uuid[]))
        """,
        agencies=sorted({agency for agency, _ in wanted}),
        payees=[payee for _, payee in wanted],
    )
    with_bank: dict[UUID, set[UUID]] = {}
    verified: dict[UUID, dict[UUID, Subcontractor]] = {}
    agency_rules: dict[UUID, dict[UUID, str | None]] = {}
    for row in found:
        if row.has_bank:
            with_bank.setdefault(row.agency_id, set()).add(row.payee_id)
        agency_rules.setdefault(row.agency_id, {})[row.payee_id] = agency_rules_hold(
            row.finding if row.decided_on and row.decided_on <= london_date(tx.now) else None, row.evidence_ref or ""
        )
        if row.cis_rate_pct is not None:
            verified.setdefault(row.agency_id, {})[row.payee_id] = Subcontractor(
                rate_bp=row.cis_rate_pct * 100,
                verified_on=row.cis_verified_on,
                verification_number=row.cis_verification_number,
                last_paid_on=row.last_paid_on,
            )
    for worker in workers.values():
        worker.payees_with_bank = frozenset(with_bank.get(worker.agency_id, ()))
        worker.subcontractors = verified.get(worker.agency_id, {})
        worker.agency_rules = agency_rules.get(worker.agency_id, {})


async def _load_history(tx: Tx, workers: dict[Key, Worker], agencies: dict[UUID, Agency]) -> None:
    """The finalised payslips of directors, whose earnings period is the year, and of workers with a late week that is paid for its usual
    payday."""
    wanted = {
        key: worker
        for key, worker in workers.items()
        if worker.profile is not None
        and (worker.profile.directorship is not None or _pays_late(worker, agencies[key[0]]))
    }
    if not wanted:
        return
    found = await tx.execute(
        f"""
        SELECT p.agency_id, p.worker_id, p.payday_on, p.period_to, p.inputs, p.result
        FROM payslip p WHERE {_AMONG.format(t="p")} AND p.state = 'finalised' AND p.pay_basis = 'paye'
        ORDER BY p.agency_id, p.worker_id, p.period_to
        """,  # noqa: S608  constant text
        agency_set=sorted({agency for agency, _ in wanted}),
        workers=[worker for _, worker in wanted],
    )
    for row in found:
        if (worker := wanted.get((row.agency_id, row.worker_id))) is not None:
            inputs, result = _json(row.inputs), _json(row.result)
            worker.history.extend(paid_slips_of(row.payday_on, inputs, result))
            worker.charged += charged_of(row.payday_on, row.period_to, inputs, result)


async def _load_beside_hours(tx: Tx, keys: Sequence[Key], workers: dict[Key, Worker], some: Collection[str]) -> None:
    """Refunds of opt-outs, applications for weeks without pay, and what connected employers paid."""
    records = {
        key: worker.pension_record
        for key, worker in workers.items()
        if worker.pension_record is not None and worker.pension_record.refunds
    }
    since = {key: record.member_since for key, record in records.items() if record.member_since is not None}
    for key, taken in (await pension_records.slips_since(tx, since)).items():
        workers[key].pension_refund = owed_refund(records[key], taken)
    if "connected_earnings" in some:
        for key, elsewhere in (await connected.told(tx, keys)).items():
            if key in workers:
                workers[key].elsewhere = tuple(elsewhere)
    if "nil_week" in some:
        for key, weeks in (await nil_weeks.of_workers(tx, keys)).items():
            if key in workers:
                workers[key].nil_weeks = weeks


def _pays_late(worker: Worker, agency: Agency) -> bool:
    if agency.late_pay != "usual_payday":
        return False
    shut = agency.shut
    return any(period_to_of(version.week_ending) in shut for version in worker.versions)


async def open_workers(
    tx: Tx, *, agency_id: UUID, payees: Sequence[UUID] | None = None, workers: Sequence[UUID] | None = None
) -> list[Key]:
    """Workers of an agency with a version, statutory or holiday pay that is not settled, or a draft that gives back without hours; only
    those paid through `payees`, or among `workers`, when given."""
    found = await tx.execute(
        f"""
        SELECT DISTINCT worker_id FROM timesheet_version
        WHERE agency_id = :agency AND state = 'open'
          AND (CAST(:payees AS uuid[]) IS NULL OR payee_id = ANY(CAST(:payees AS uuid[])))
          AND (CAST(:workers AS uuid[]) IS NULL OR worker_id = ANY(CAST(:workers AS uuid[])))
        UNION
        SELECT worker_id FROM (SELECT worker_id, agency_id, state FROM statutory_week
                               UNION ALL SELECT worker_id, agency_id, state FROM holiday_week
                               UNION ALL SELECT worker_id, agency_id, 'open' FROM payslip
                                         WHERE state = 'draft' AND charges = 0 AND result IS NOT NULL
                               UNION ALL SELECT n.worker_id, n.agency_id, 'open' FROM nil_week n WHERE {nil_weeks.STANDS}
                               UNION ALL SELECT r.worker_id, r.agency_id, 'open' FROM pension_record r
                                         WHERE {pension_records.OWED_REFUND}) AS w
        WHERE agency_id = :agency AND state = 'open' AND CAST(:payees AS uuid[]) IS NULL
          AND (CAST(:workers AS uuid[]) IS NULL OR worker_id = ANY(CAST(:workers AS uuid[])))
        ORDER BY worker_id
        """,  # noqa: S608  constant text
        agency=agency_id,
        payees=None if payees is None else list(payees),
        workers=None if workers is None else list(workers),
    )
    return [(agency_id, row.worker_id) for row in found]


async def week_totals(tx: Tx, *, agency_id: UUID, week_ending: date) -> dict[str, Any]:
    """Our own totals of a week: the newest version of each of its timesheets, whatever became of it since."""
    row = (
        await tx.execute(
            """
            SELECT count(*) AS timesheets, coalesce(sum(payable_minutes), 0) AS payable_minutes,
                   coalesce(sum(payable_units), 0) AS payable_units, coalesce(sum(pay_gbp), 0) AS pay_gbp
            FROM (SELECT DISTINCT ON (timesheet_id) payable_minutes, payable_units, pay_gbp
                  FROM timesheet_version WHERE agency_id = :agency AND week_ending = :week
                  ORDER BY timesheet_id, version DESC) AS newest
            """,
            agency=agency_id,
            week=week_ending,
        )
    ).one()
    return {
        "timesheets": int(row.timesheets),
        "payable_minutes": int(row.payable_minutes),
        "payable_units": Decimal(row.payable_units),
        "pay_gbp": Decimal(row.pay_gbp),
    }


async def control_totals(tx: Tx, *, agency_id: UUID, week_ending: date) -> dict[str, Any] | None:
    """The cut-off of a week as the timesheet service announced it, or None before it came."""
    row = (
        await tx.execute(
            "SELECT * FROM week_cut_off WHERE agency_id = :agency AND week_ending = :week",
            agency=agency_id,
            week=week_ending,
        )
    ).first()
    if row is None:
        return None
    return {
        "timesheets": row.timesheets,
        "payable_minutes": row.payable_minutes,
        "payable_units": Decimal(row.payable_units),
        "pay_gbp": Decimal(row.pay_gbp),
        "cut_off_at": row.cut_off_at,
    }


async def parked_keys(tx: Tx, *, consumer: str, keys: Sequence[str]) -> set[str]:
    """Which of these workers have an open dead letter or events parked behind one. Needs the worker role."""
    found = await tx.execute(
        """
        SELECT key FROM parked_key WHERE consumer = :consumer AND key = ANY(CAST(:keys AS text[]))
        UNION SELECT key FROM dead_letter
        WHERE consumer = :consumer AND resolved_at IS NULL AND key = ANY(CAST(:keys AS text[]))
        """,
        consumer=consumer,
        keys=list(keys),
    )
    return {row.key for row in found}


def charge_json(charges: Sequence[Charge]) -> str:
    return json.dumps([charge.as_json() for charge in charges])


def _json(raw: Any) -> Any:
    return json.loads(raw) if isinstance(raw, str) else raw


def _dated(raw: dict[str, Any]) -> dict[str, Any]:
    """Stored terms with the days they hold from and to as dates."""
    ends_on = raw["ends_on"]
    return {
        **raw,
        "starts_on": date.fromisoformat(raw["starts_on"]),
        "ends_on": None if ends_on is None else date.fromisoformat(ends_on),
    }
