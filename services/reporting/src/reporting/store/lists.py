"""Lists of records: filtered, sorted and paged on the server, with their totals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Select, Uuid, and_, any_, case, func, literal, or_, select, tuple_

from paybill_common.db import Tx
from reporting.store.tables import document, metadata, party, payslip, receipt, timesheet

label = metadata.tables["label"]


@dataclass(frozen=True)
class TimesheetFilter:
    """What a list of timesheets shows. Empty values do not narrow it."""

    week_ending: date | None = None
    status: str | None = None
    pay_state: str | None = None
    bill_state: str | None = None
    held: bool = False
    reason: str | None = None
    client_id: UUID | None = None
    worker_id: UUID | None = None
    consultant_id: UUID | None = None
    branch: str | None = None
    pay_basis: str | None = None
    q: str | None = None
    not_approved: bool = False


@dataclass(frozen=True)
class PageOf:
    """One page of rows, how many there are in all, and the totals of them all."""

    rows: list[Any]
    total: int
    sums: Any


def _named(kind: str, column: ColumnElement[Any]) -> tuple[Any, ColumnElement[bool]]:
    names = label.alias(f"{kind}_label")
    return names, and_(names.c.kind == kind, names.c.entry_id == column)


def _escape(q: str) -> str:
    return "%" + q.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"


def _timesheet_where(agency_id: UUID, wanted: TimesheetFilter) -> list[ColumnElement[bool]]:
    t = timesheet.c
    where: list[ColumnElement[bool]] = [t.agency_id == agency_id, t.week_ending.is_not(None)]
    exact = ("week_ending", "status", "pay_state", "bill_state", "client_id", "worker_id", "consultant_id", "branch")
    for name in (*exact, "pay_basis"):
        value = getattr(wanted, name)
        if value not in (None, ""):
            where.append(t[name] == value)
    if wanted.not_approved:
        where.append(t.status.in_(("expected", "submitted", "rejected")))
    if wanted.held:
        where.append(or_(t.pay_state.in_(("held", "clearing")), t.bill_state.in_(("held", "clearing"))))
    if wanted.reason == "awaiting_clearance":
        code = [{"code": wanted.reason}]
        where.append(
            or_(
                t.pay_state == "clearing",
                t.bill_state == "clearing",
                t.pay_reasons.contains(code),
                t.bill_reasons.contains(code),
            )
        )
    elif wanted.reason:
        code = [{"code": wanted.reason}]
        where.append(
            or_(t.pay_reasons.contains(code), t.bill_reasons.contains(code), t.compliance_reasons.contains(code))
        )
    if wanted.q:
        like = _escape(wanted.q.strip())
        named = (
            select(label.c.entry_id)
            .where(
                label.c.agency_id == agency_id,
                label.c.kind.in_(("worker", "client", "consultant")),
                or_(label.c.display_name.ilike(like), label.c.reference.ilike(like)),
            )
            .cte("named")
        )
        where.append(
            or_(
                t.reference.ilike(like),
                t.purchase_order.ilike(like),
                *(t[who].in_(select(named.c.entry_id)) for who in ("worker_id", "client_id", "consultant_id")),
            )
        )
    return where


_NAMES = frozenset({"worker", "client"})
"""Columns that are sorted by a name from elsewhere."""


def _timesheets_select() -> tuple[Select[Any], Mapping[str, ColumnElement[Any]]]:
    t = timesheet.c
    workers, worker_on = _named("worker", t.worker_id)
    clients, client_on = _named("client", t.client_id)
    consultants, consultant_on = _named("consultant", t.consultant_id)
    worker_party = party.alias("worker_party")
    worker = func.coalesce(workers.c.display_name, worker_party.c.reference, "Not named yet").label("worker")
    client = func.coalesce(clients.c.display_name, "Not named yet").label("client")
    minutes = func.coalesce(_either("worked_minutes", "submitted_minutes"), 0).label("minutes")
    pay = _either("pay_gbp", "submitted_pay_gbp").label("shown_pay_gbp")
    charge = _either("charge_gbp", "submitted_charge_gbp").label("shown_charge_gbp")
    margin = (t.charge_gbp - t.cost_gbp).label("margin_gbp")
    since = _since().label("since")
    query = (
        select(
            timesheet,
            worker,
            workers.c.reference.label("worker_reference"),
            client,
            func.coalesce(consultants.c.display_name, "").label("consultant"),
            minutes,
            pay,
            charge,
            margin,
            since,
        )
        .select_from(timesheet)
        .outerjoin(workers, worker_on)
        .outerjoin(clients, client_on)
        .outerjoin(consultants, consultant_on)
        .outerjoin(
            worker_party,
            and_(
                worker_party.c.agency_id == t.agency_id,
                worker_party.c.kind == "worker",
                worker_party.c.party_id == t.worker_id,
            ),
        )
    )
    sorts = {
        "reference": t.reference,
        "worker": worker,
        "client": client,
        "hours": minutes,
        "pay": pay,
        "charge": charge,
        "margin": margin,
        "status": t.status,
        "age": since,
    }
    return query, sorts


def _either(approved: str, submitted: str) -> ColumnElement[Any]:
    t = timesheet.c
    return case((t.status == "approved", t[approved]), else_=t[submitted])


def _since() -> ColumnElement[Any]:
    t = timesheet.c
    return case(
        (t.status == "expected", t.expected_at),
        (t.status == "submitted", t.submitted_at),
        (t.status == "rejected", t.rejected_at),
        else_=t.approved_at,
    )


def _ordered(column: ColumnElement[Any], sort: str) -> ColumnElement[Any]:
    return column.desc().nulls_last() if sort.startswith("-") else column.asc().nulls_last()


async def timesheets(tx: Tx, *, agency_id: UUID, wanted: TimesheetFilter, sort: str, offset: int, most: int) -> PageOf:
    """A page of timesheets for people: any column sorted, numbered pages, totals of all that match.

    The page's ids are found first, in narrow rows, and names are looked up for those alone, unless they are what is sorted by.
    A first page that is not full has all that match, so nothing else is added up.
    """
    query, sorts = _timesheets_select()
    where = _timesheet_where(agency_id, wanted)
    key = sort.lstrip("-")
    column = sorts.get(key, sorts["reference"]).label("sorted_by")
    ids = select(timesheet.c.timesheet_id, column)
    if key in _NAMES:
        ids = query.with_only_columns(timesheet.c.timesheet_id, column)
    page = (
        ids.where(*where)
        .order_by(_ordered(column, sort), timesheet.c.timesheet_id)
        .offset(offset)
        .limit(most)
        .subquery("page")
    )
    found = await tx.connection.execute(
        query.where(timesheet.c.timesheet_id == page.c.timesheet_id, timesheet.c.agency_id == agency_id).order_by(
            _ordered(page.c.sorted_by, sort), timesheet.c.timesheet_id
        )
    )
    rows = list(found)
    if offset == 0 and len(rows) < most:
        ids_found = literal([row.timesheet_id for row in rows], ARRAY(Uuid))
        where = [timesheet.c.agency_id == agency_id, timesheet.c.timesheet_id == any_(ids_found)]
    sums = await tx.connection.execute(
        select(
            func.count().label("n"),
            func.coalesce(func.sum(_either("worked_minutes", "submitted_minutes")), 0).label("minutes"),
            func.coalesce(func.sum(_either("pay_gbp", "submitted_pay_gbp")), 0).label("pay_gbp"),
            func.coalesce(func.sum(_either("charge_gbp", "submitted_charge_gbp")), 0).label("charge_gbp"),
            func.sum(timesheet.c.charge_gbp - timesheet.c.cost_gbp).label("margin_gbp"),
        ).where(*where)
    )
    totals = sums.one()
    return PageOf(rows, totals.n, totals)


async def timesheets_after(
    tx: Tx, *, agency_id: UUID, wanted: TimesheetFilter, after: tuple[str, UUID] | None, most: int
) -> list[Any]:
    """The next timesheets by reference, for programs."""
    query, _ = _timesheets_select()
    where = _timesheet_where(agency_id, wanted)
    key = tuple_(timesheet.c.reference, timesheet.c.timesheet_id)
    if after is not None:
        where.append(key > tuple_(literal(after[0]), literal(after[1])))
    rows = await tx.connection.execute(
        query.where(*where).order_by(timesheet.c.reference, timesheet.c.timesheet_id).limit(most)
    )
    return list(rows)


async def timesheet_row(tx: Tx, *, agency_id: UUID, timesheet_id: UUID) -> Any:
    """One timesheet with its names, or None."""
    query, _ = _timesheets_select()
    found = await tx.connection.execute(
        query.where(timesheet.c.agency_id == agency_id, timesheet.c.timesheet_id == timesheet_id)
    )
    return found.first()


async def lines_of(tx: Tx, *, agency_id: UUID, timesheet_id: UUID) -> list[Any]:
    """The charge lines of every version, each with what was paid and billed of it."""
    result = await tx.execute(
        """
        SELECT c.*,
            (SELECT sum(p.pay_gbp) FROM paid_line p WHERE p.agency_id = c.agency_id AND p.timesheet_id = c.timesheet_id
                AND p.version = c.version AND p.charge_line_id = c.charge_line_id) AS paid_gbp,
            (SELECT sum(b.net_gbp) FROM billed_line b WHERE b.agency_id = c.agency_id
                AND b.timesheet_id = c.timesheet_id AND b.version = c.version AND b.charge_line_id = c.charge_line_id
                AND b.kind <> 'self_bill') AS billed_gbp
        FROM charge_line c WHERE c.agency_id = :agency AND c.timesheet_id = :timesheet
        ORDER BY c.version DESC, c.ordinal
        """,
        agency=agency_id,
        timesheet=timesheet_id,
    )
    return list(result)


async def story_of(tx: Tx, *, agency_id: UUID, timesheet_id: UUID) -> list[Any]:
    result = await tx.execute(
        "SELECT * FROM story WHERE agency_id = :agency AND timesheet_id = :timesheet"
        " ORDER BY happened_at, sequence, kind LIMIT 500",
        agency=agency_id,
        timesheet=timesheet_id,
    )
    return list(result)


async def payslips_of(tx: Tx, *, agency_id: UUID, timesheet_id: UUID) -> list[Any]:
    """The payslips that a timesheet is in, and how much of it each has."""
    result = await tx.execute(
        """
        SELECT p.*, sum(s.minutes) AS share_minutes, sum(s.pay_gbp) AS share_gbp FROM payslip_share s
        JOIN payslip p ON p.agency_id = s.agency_id AND p.payslip_id = s.payslip_id
        WHERE s.agency_id = :agency AND s.timesheet_id = :timesheet
        GROUP BY p.agency_id, p.payslip_id ORDER BY p.period_to
        """,
        agency=agency_id,
        timesheet=timesheet_id,
    )
    return list(result)


async def documents_of(tx: Tx, *, agency_id: UUID, timesheet_id: UUID) -> list[Any]:
    """The documents that a timesheet is on, and how much of it each has."""
    result = await tx.execute(
        """
        SELECT d.*, sum(b.net_gbp) AS share_gbp, sum(b.minutes) AS share_minutes FROM billed_line b
        JOIN document d ON d.agency_id = b.agency_id AND d.document_id = b.document_id
        WHERE b.agency_id = :agency AND b.timesheet_id = :timesheet
        GROUP BY d.agency_id, d.document_id ORDER BY d.issued_on, d.number
        """,
        agency=agency_id,
        timesheet=timesheet_id,
    )
    return list(result)


@dataclass(frozen=True)
class DocumentFilter:
    """What a list of documents shows."""

    week_ending: date | None = None
    kind: str | None = None
    client_id: UUID | None = None
    unpaid: bool = False
    q: str | None = None


def _documents_select() -> tuple[Select[Any], Mapping[str, ColumnElement[Any]], Any]:
    d = document.c
    parties = label.alias("party_label")
    paid = (
        select(receipt.c.agency_id, receipt.c.document_id, func.sum(receipt.c.amount_gbp).label("paid_gbp"))
        .group_by(receipt.c.agency_id, receipt.c.document_id)
        .subquery()
    )
    name = func.coalesce(parties.c.display_name, "Not named yet").label("party")
    received = func.coalesce(paid.c.paid_gbp, 0).label("paid_gbp")
    balance = (d.gross_gbp - func.coalesce(paid.c.paid_gbp, 0)).label("balance_gbp")
    query = (
        select(document, name, received, balance)
        .select_from(document)
        .outerjoin(
            parties,
            and_(parties.c.kind.in_(("client", "payee")), parties.c.entry_id == func.coalesce(d.client_id, d.payee_id)),
        )
        .outerjoin(paid, and_(paid.c.agency_id == d.agency_id, paid.c.document_id == d.document_id))
    )
    sorts = {
        "number": d.number,
        "party": name,
        "issued": d.issued_on,
        "due": d.due_on,
        "net": d.net_gbp,
        "gross": d.gross_gbp,
        "balance": balance,
    }
    return query, sorts, parties


def _documents_where(agency_id: UUID, wanted: DocumentFilter, parties: Any) -> list[ColumnElement[bool]]:
    d = document.c
    where: list[ColumnElement[bool]] = [d.agency_id == agency_id]
    if wanted.week_ending is not None:
        where.append(d.week_ending == wanted.week_ending)
    if wanted.kind:
        where.append(d.kind == wanted.kind)
    if wanted.client_id is not None:
        where.append(d.client_id == wanted.client_id)
    if wanted.unpaid:
        where.append(d.kind == "invoice")
        paid = select(func.coalesce(func.sum(receipt.c.amount_gbp), 0)).where(
            receipt.c.agency_id == d.agency_id, receipt.c.document_id == d.document_id
        )
        where.append(d.gross_gbp > paid.scalar_subquery())
    if wanted.q:
        like = _escape(wanted.q.strip())
        named = select(label.c.entry_id).where(
            label.c.agency_id == agency_id,
            label.c.kind.in_(("client", "payee")),
            or_(label.c.display_name.ilike(like), label.c.reference.ilike(like)),
        )
        where.append(or_(d.number.ilike(like), d.client_id.in_(named), d.payee_id.in_(named)))
    return where


async def documents(tx: Tx, *, agency_id: UUID, wanted: DocumentFilter, sort: str, offset: int, most: int) -> PageOf:
    """A page of documents. The sums keep apart what clients owe (invoices less credit notes) and what self-bills pay out."""
    query, sorts, parties = _documents_select()
    where = _documents_where(agency_id, wanted, parties)
    column = sorts.get(sort.lstrip("-"), sorts["number"])
    ordered = column.desc().nulls_last() if sort.startswith("-") else column.asc().nulls_last()
    rows = await tx.connection.execute(
        query.where(*where).order_by(ordered, document.c.document_id).offset(offset).limit(most)
    )
    d = document.c
    ours = d.kind != "self_bill"
    received = select(func.coalesce(func.sum(receipt.c.amount_gbp), 0)).where(
        receipt.c.agency_id == d.agency_id, receipt.c.document_id == d.document_id
    )
    sums = await tx.connection.execute(
        select(
            func.count().label("n"),
            func.count().filter(ours).label("billed"),
            func.count().filter(~ours).label("self_billed"),
            *(
                func.coalesce(func.sum(column).filter(side), 0).label(f"{prefix}{column.name}")
                for prefix, side in (("", ours), ("self_billed_", ~ours))
                for column in (d.net_gbp, d.vat_gbp, d.gross_gbp)
            ),
            func.coalesce(func.sum(d.gross_gbp - received.scalar_subquery()).filter(d.kind == "invoice"), 0).label(
                "open_gbp"
            ),
        ).where(*where)
    )
    totals = sums.one()
    return PageOf(list(rows), totals.n, totals)


async def documents_after(
    tx: Tx, *, agency_id: UUID, wanted: DocumentFilter, after: tuple[str, UUID] | None, most: int
) -> list[Any]:
    """The next documents by number, for programs."""
    query, _, parties = _documents_select()
    where = _documents_where(agency_id, wanted, parties)
    d = document.c
    if after is not None:
        where.append(tuple_(d.number, d.document_id) > tuple_(literal(after[0]), literal(after[1])))
    return list(await tx.connection.execute(query.where(*where).order_by(d.number, d.document_id).limit(most)))


async def document_row(tx: Tx, *, agency_id: UUID, document_id: UUID) -> Any:
    query, _, _ = _documents_select()
    found = await tx.connection.execute(
        query.where(document.c.agency_id == agency_id, document.c.document_id == document_id)
    )
    return found.first()


async def document_lines(tx: Tx, *, agency_id: UUID, document_id: UUID) -> list[Any]:
    """What a document is made of: a row a timesheet."""
    result = await tx.execute(
        """
        SELECT b.timesheet_id, t.reference, b.worker_id, coalesce(w.display_name, p.reference, 'Not named yet') AS worker,
            sum(b.minutes) AS minutes, sum(b.net_gbp) AS net_gbp, count(*) AS lines, max(b.version) AS version
        FROM billed_line b
        LEFT JOIN timesheet t ON t.agency_id = b.agency_id AND t.timesheet_id = b.timesheet_id
        LEFT JOIN label w ON w.kind = 'worker' AND w.entry_id = b.worker_id
        LEFT JOIN party p ON p.agency_id = b.agency_id AND p.kind = 'worker' AND p.party_id = b.worker_id
        WHERE b.agency_id = :agency AND b.document_id = :document
        GROUP BY b.timesheet_id, t.reference, b.worker_id, worker ORDER BY worker, t.reference LIMIT 2000
        """,
        agency=agency_id,
        document=document_id,
    )
    return list(result)


async def receipts_of(tx: Tx, *, agency_id: UUID, document_id: UUID) -> list[Any]:
    result = await tx.execute(
        "SELECT * FROM receipt WHERE agency_id = :agency AND document_id = :document ORDER BY paid_on, receipt_id",
        agency=agency_id,
        document=document_id,
    )
    return list(result)


@dataclass(frozen=True)
class PayslipFilter:
    """What a list of payslips shows."""

    week_ending: date | None = None
    state: str | None = None
    pay_basis: str | None = None
    worker_id: UUID | None = None
    pay_run_id: UUID | None = None
    q: str | None = None


def _payslips_select() -> tuple[Select[Any], Mapping[str, ColumnElement[Any]]]:
    p = payslip.c
    workers, worker_on = _named("worker", p.worker_id)
    payees, payee_on = _named("payee", p.payee_id)
    worker = func.coalesce(workers.c.display_name, "Not named yet").label("worker")
    query = (
        select(payslip, worker, workers.c.reference.label("worker_reference"), payees.c.display_name.label("payee"))
        .select_from(payslip)
        .outerjoin(workers, worker_on)
        .outerjoin(payees, payee_on)
    )
    sorts = {"worker": worker, "gross": p.gross_gbp, "net": p.net_gbp, "cost": p.cost_gbp, "hours": p.minutes}
    return query, sorts


def _payslips_where(agency_id: UUID, wanted: PayslipFilter) -> list[ColumnElement[bool]]:
    p = payslip.c
    where: list[ColumnElement[bool]] = [p.agency_id == agency_id]
    if wanted.week_ending is not None:
        where.append(p.period_to == wanted.week_ending + timedelta(days=1))
    for name in ("state", "pay_basis", "worker_id", "pay_run_id"):
        value = getattr(wanted, name)
        if value not in (None, ""):
            where.append(p[name] == value)
    if wanted.q:
        like = _escape(wanted.q.strip())
        named = select(label.c.entry_id).where(
            label.c.agency_id == agency_id,
            label.c.kind.in_(("worker", "payee")),
            or_(label.c.display_name.ilike(like), label.c.reference.ilike(like)),
        )
        where.append(or_(p.worker_id.in_(named), p.payee_id.in_(named)))
    return where


async def payslips(tx: Tx, *, agency_id: UUID, wanted: PayslipFilter, sort: str, offset: int, most: int) -> PageOf:
    p = payslip.c
    query, sorts = _payslips_select()
    where = _payslips_where(agency_id, wanted)
    column = sorts.get(sort.lstrip("-"), sorts["worker"])
    ordered = column.desc().nulls_last() if sort.startswith("-") else column.asc().nulls_last()
    rows = await tx.connection.execute(query.where(*where).order_by(ordered, p.payslip_id).offset(offset).limit(most))
    names = ("gross_gbp", "tax_gbp", "employee_nic_gbp", "employer_nic_gbp", "net_gbp", "cost_gbp", "minutes")
    sums = await tx.connection.execute(
        select(func.count().label("n"), *(func.coalesce(func.sum(p[name]), 0).label(name) for name in names)).where(
            *where
        )
    )
    totals = sums.one()
    return PageOf(list(rows), totals.n, totals)


async def payslips_after(tx: Tx, *, agency_id: UUID, wanted: PayslipFilter, after: UUID | None, most: int) -> list[Any]:
    """The next payslips by id, for programs."""
    p = payslip.c
    query, _ = _payslips_select()
    where = _payslips_where(agency_id, wanted)
    if after is not None:
        where.append(p.payslip_id > after)
    return list(await tx.connection.execute(query.where(*where).order_by(p.payslip_id).limit(most)))


async def payslip_row(tx: Tx, *, agency_id: UUID, payslip_id: UUID) -> Any:
    query, _ = _payslips_select()
    found = await tx.connection.execute(
        query.where(payslip.c.agency_id == agency_id, payslip.c.payslip_id == payslip_id)
    )
    return found.first()


async def payslip_shares(tx: Tx, *, agency_id: UUID, payslip_id: UUID) -> list[Any]:
    """What a payslip is made of: a row a timesheet version."""
    result = await tx.execute(
        """
        SELECT s.*, t.reference, t.week_ending, coalesce(c.display_name, 'Not named yet') AS client
        FROM payslip_share s
        LEFT JOIN timesheet t ON t.agency_id = s.agency_id AND t.timesheet_id = s.timesheet_id
        LEFT JOIN label c ON c.kind = 'client' AND c.entry_id = t.client_id
        WHERE s.agency_id = :agency AND s.payslip_id = :payslip ORDER BY t.reference, s.version
        """,
        agency=agency_id,
        payslip=payslip_id,
    )
    return list(result)


async def alerts(tx: Tx, *, agency_id: UUID, most: int = 50) -> list[Any]:
    result = await tx.execute(
        """
        SELECT a.*, coalesce(w.display_name, 'Not named yet') AS worker FROM alert a
        LEFT JOIN label w ON w.kind = 'worker' AND w.entry_id = a.worker_id
        WHERE a.agency_id = :agency ORDER BY a.raised_at DESC, a.alert_id LIMIT :most
        """,
        agency=agency_id,
        most=most,
    )
    return list(result)


async def agencies(tx: Tx) -> list[Any]:
    """Every agency that this transaction may see, with its name."""
    result = await tx.execute(
        """
        SELECT a.agency_id, a.reference, a.bureau_id, coalesce(l.display_name, a.reference) AS name
        FROM agency a LEFT JOIN label l ON l.kind = 'agency' AND l.entry_id = a.agency_id
        ORDER BY name, a.agency_id
        """
    )
    return list(result)


async def agencies_at_risk(tx: Tx) -> list[Any]:
    """Every visible agency's newest week, with what is late and what money waits; the riskiest first."""
    result = await tx.execute(
        """
        SELECT a.agency_id, coalesce(l.display_name, a.reference) AS name, w.week_ending,
            count(t.timesheet_id) AS timesheets,
            count(*) FILTER (WHERE t.status IN ('expected', 'submitted', 'rejected')) AS unapproved,
            count(*) FILTER (WHERE t.pay_state IN ('held', 'clearing') OR t.bill_state IN ('held', 'clearing')) AS held,
            coalesce(sum(t.pay_gbp) FILTER (WHERE t.pay_state IN ('held', 'clearing', 'waiting', 'draft')), 0)
                AS unpaid_gbp,
            coalesce(sum(t.charge_gbp) FILTER (WHERE t.bill_state NOT IN ('billed', 'none')), 0) AS unbilled_gbp,
            coalesce(sum(t.submitted_charge_gbp) FILTER (WHERE t.status IN ('submitted', 'rejected')), 0)
                AS unapproved_gbp,
            coalesce(sum(t.charge_gbp) FILTER (WHERE t.status = 'approved'), 0) AS charge_gbp,
            (SELECT count(*) FROM pay_run r WHERE r.agency_id = a.agency_id AND r.period_to = w.week_ending + 1)
                AS pay_runs,
            (SELECT count(*) FROM invoice_run r WHERE r.agency_id = a.agency_id AND r.week_ending = w.week_ending)
                AS invoice_runs,
            (SELECT p.last_fact_at FROM pulse p WHERE p.agency_id = a.agency_id) AS last_fact_at
        FROM agency a
        LEFT JOIN label l ON l.kind = 'agency' AND l.entry_id = a.agency_id
        LEFT JOIN LATERAL (SELECT max(x.week_ending) AS week_ending FROM timesheet x
            WHERE x.agency_id = a.agency_id) w ON true
        LEFT JOIN timesheet t ON t.agency_id = a.agency_id AND t.week_ending = w.week_ending
        GROUP BY a.agency_id, a.reference, l.display_name, w.week_ending
        ORDER BY coalesce(sum(t.charge_gbp) FILTER (WHERE t.bill_state NOT IN ('billed', 'none')), 0)
            + coalesce(sum(t.submitted_charge_gbp) FILTER (WHERE t.status IN ('submitted', 'rejected')), 0) DESC, name
        """
    )
    return list(result)


async def choices(tx: Tx, *, agency_id: UUID, week_ending: date) -> dict[str, list[Any]]:
    """What the filters of a timesheet list can be set to: clients, consultants, branches of the week.

    The week's rows are read once, and names looked up for what is left of them.
    """
    found: dict[str, list[Any]] = {"client": [], "consultant": [], "branch": []}
    result = await tx.execute(
        """
        SELECT k.kind, k.id, coalesce(l.display_name, k.branch, 'Not named yet') AS name
        FROM (
            SELECT CASE WHEN grouping(t.client_id) = 0 THEN 'client' WHEN grouping(t.consultant_id) = 0 THEN 'consultant'
                    ELSE 'branch' END AS kind,
                coalesce(t.client_id, t.consultant_id) AS id, t.branch
            FROM timesheet t WHERE t.agency_id = :agency AND t.week_ending = :week
            GROUP BY GROUPING SETS ((t.client_id), (t.consultant_id), (t.branch))
        ) k
        LEFT JOIN label l ON l.kind = k.kind AND l.entry_id = k.id
        WHERE k.id IS NOT NULL OR k.branch IS NOT NULL
        ORDER BY k.kind, name LIMIT 1500
        """,
        agency=agency_id,
        week=week_ending,
    )
    for row in result:
        found[row.kind].append(row)
    return found
