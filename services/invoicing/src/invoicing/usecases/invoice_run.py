"""Issue a week's invoices: open the run, bill one client a transaction, close. Killed anywhere, calling again goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from invoicing.domain.allocation import allocate
from invoicing.domain.control import Difference, WeekTotals, differences
from invoicing.domain.grouping import BillLine, GroupBy, PlannedDocument, plan_documents
from invoicing.domain.vat import Treatment, Vat, effective_treatment, vat_on
from invoicing.store import documents, facts, parties, runs
from invoicing.usecases.issue import Draft, Issued, bank_of, issue, party_of_client, party_of_issuer
from paybill_common.clock import london_date
from paybill_common.db import Tx
from paybill_common.ids import derived_id
from paybill_contracts.events import InvoiceRunClosed

AMENDED = "timesheet_amended"
"""Reason code of a credit note that a run raises because amended weeks came out lower than what was billed."""


class IssuerMissing(Exception):
    """The agency has not said who it is on an invoice."""


class WeekNotCutOff(Exception):
    """The week's control totals have not arrived, so nobody can say whether it is complete."""


class TotalsDiffer(Exception):
    """Control totals and own totals disagree and nobody has accepted the difference."""

    def __init__(self, found: Sequence[Difference]) -> None:
        super().__init__("; ".join(f"{d.figure}: cut-off {d.control}, here {d.own}" for d in found))
        self.differences = tuple(found)


class RunNotFound(Exception):
    """There is no such run."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A named person accepts a difference between control totals and own totals."""

    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What a run of the week would do now, without doing it."""

    control: WeekTotals | None
    own: WeekTotals
    differences: tuple[Difference, ...]
    has_issuer: bool
    ready_timesheets: int
    planned: tuple[tuple[PlannedDocument, Vat], ...]
    held: Any
    held_by_reason: Sequence[Any]
    billed_before: Any


async def preview_run(tx: Tx, *, agency_id: UUID, week_ending: date, left_out: Sequence[UUID] = ()) -> Preview:
    """Plan the week's documents as `bill_next_client` would, and compare the totals."""
    control = await runs.control_totals(tx, agency_id=agency_id, week_ending=week_ending)
    own = await runs.own_totals(tx, agency_id=agency_id, week_ending=week_ending)
    issuer = await parties.issuer_of(tx, agency_id)
    due = await runs.due(tx, agency_id=agency_id, week_ending=week_ending, left_out=left_out)
    plan = await _plan(tx, agency_id=agency_id, heads=due, vat_number=issuer.vat_number if issuer else None)
    today = london_date(tx.now)
    return Preview(
        control=control,
        own=own,
        differences=differences(control=control, own=own) if control else (),
        has_issuer=issuer is not None,
        ready_timesheets=len(due),
        planned=tuple(
            (document, vat_on(document.net_gbp, treatment=document.vat_treatment, tax_point_on=today))
            for document in plan.documents
        ),
        held=await runs.held_totals(tx, agency_id=agency_id, week_ending=week_ending),
        held_by_reason=await runs.held_summary(tx, agency_id=agency_id, week_ending=week_ending),
        billed_before=await runs.billed_totals(tx, agency_id=agency_id, week_ending=week_ending),
    )


async def open_run(
    tx: Tx,
    *,
    agency_id: UUID,
    week_ending: date,
    opened_by: str,
    external_id: str | None = None,
    accept: Acceptance | None = None,
    supplementary: bool = False,
    left_out: Sequence[UUID] = (),
) -> Any:
    """Open the week's run, or return the one that there is: open (go on with it) or closed (nothing is left to do).

    `supplementary` opens one more run after a closed one, if something became ready since: lifted holds, amended weeks.
    Raises IssuerMissing, WeekNotCutOff, TotalsDiffer.
    """
    latest = await runs.latest_run(tx, agency_id=agency_id, week_ending=week_ending)
    if latest is not None and not (
        supplementary
        and latest.status == "closed"
        and await runs.anything_due(tx, agency_id=agency_id, week_ending=week_ending, left_out=left_out)
    ):
        return latest
    if await parties.issuer_of(tx, agency_id) is None:
        raise IssuerMissing
    control = await runs.control_totals(tx, agency_id=agency_id, week_ending=week_ending)
    if control is None:
        raise WeekNotCutOff
    found = differences(control=control, own=await runs.own_totals(tx, agency_id=agency_id, week_ending=week_ending))
    if found and accept is None:
        raise TotalsDiffer(found)
    ordinal = 1 if latest is None else latest.ordinal + 1
    invoice_run_id = derived_id("invoice run", agency_id, week_ending, ordinal)
    await runs.insert_run(
        tx,
        agency_id=agency_id,
        invoice_run_id=invoice_run_id,
        week_ending=week_ending,
        ordinal=ordinal,
        opened_by=opened_by,
        external_id=external_id,
        differences=found,
        accepted_by=accept.by if found and accept else None,
        accepted_reason=accept.reason if found and accept else None,
        left_out=left_out,
    )
    return await runs.lock_run(tx, agency_id=agency_id, invoice_run_id=invoice_run_id)


async def bill_next_client(tx: Tx, *, agency_id: UUID, invoice_run_id: UUID) -> bool:
    """Bill one client of the run, or close the run when all are done. Returns whether there is more to do.

    One transaction: numbers, documents, lines, ledger entries, events and the run's progress commit together.
    """
    run = await runs.lock_run(tx, agency_id=agency_id, invoice_run_id=invoice_run_id)
    if run is None:
        raise RunNotFound(f"there is no invoice run {invoice_run_id} in agency {agency_id}")
    if run.status == "closed":
        return False
    client_id = await runs.next_client(tx, agency_id=agency_id, invoice_run_id=invoice_run_id)
    if client_id is None:
        await _close(tx, agency_id, invoice_run_id)
        return False
    await facts.share_agencies(tx, [agency_id])
    heads = await runs.lock_due(
        tx,
        agency_id=agency_id,
        week_ending=run.week_ending,
        client_id=client_id,
        left_out=[UUID(worker) for worker in run.left_out_workers],
    )
    issued = await _bill(tx, agency_id=agency_id, run=run, client_id=client_id, heads=heads)
    await runs.client_done(
        tx,
        agency_id=agency_id,
        invoice_run_id=invoice_run_id,
        client_id=client_id,
        invoices=sum(1 for one in issued if one.kind == "invoice"),
        credit_notes=sum(1 for one in issued if one.kind == "credit_note"),
        net_gbp=sum((one.net_gbp for one in issued), Decimal("0.00")),
        vat_gbp=sum((one.vat_gbp for one in issued), Decimal("0.00")),
        minutes=sum(one.minutes for one in issued),
    )
    return True


async def _close(tx: Tx, agency_id: UUID, invoice_run_id: UUID) -> None:
    run = await runs.close_run(tx, agency_id=agency_id, invoice_run_id=invoice_run_id, closed_at=tx.now)
    tx.emit(
        InvoiceRunClosed(
            agency_id=agency_id,
            invoice_run_id=invoice_run_id,
            week_ending=run.week_ending,
            closed_at=tx.now,
            invoices=run.invoices,
            net_gbp=run.net_gbp,
            vat_gbp=run.vat_gbp,
            billed_minutes=run.billed_minutes,
            held_minutes=run.held_minutes,
            difference_accepted=run.accepted_by is not None,
        ),
        sequence=1,
    )


@dataclass(frozen=True, slots=True)
class _Plan:
    documents: list[PlannedDocument]
    terms: dict[UUID, Any]


async def _plan(tx: Tx, *, agency_id: UUID, heads: Sequence[Any], vat_number: str | None) -> _Plan:
    by_id = {head.timesheet_id: head for head in heads}
    charges = await runs.new_charges(tx, agency_id=agency_id, timesheets=list(by_id))
    standing = await runs.superseded_lines(tx, agency_id=agency_id, timesheets=list(by_id))
    clients = {head.client_id for head in heads} | {row.client_id for row in standing}
    terms = await parties.terms_of(tx, agency_id=agency_id, clients=clients)
    lines = [_charge_line(row, by_id[row.timesheet_id], terms, vat_number) for row in charges]
    lines += [_reversal_line(row) for row in standing]
    group_by: dict[UUID, GroupBy] = {client: row.group_by for client, row in terms.items()}
    return _Plan(plan_documents(lines, group_by=group_by), terms)


def _charge_line(row: Any, head: Any, terms: dict[UUID, Any], vat_number: str | None) -> BillLine:
    own = terms[head.client_id]
    treatment: Treatment = effective_treatment(own.vat_treatment, supplier_vat_number=vat_number)
    return BillLine(
        kind="charge",
        charge_line_id=row.charge_line_id,
        timesheet_id=row.timesheet_id,
        version=row.version,
        round=row.rounds + 1,
        ordinal=row.ordinal,
        client_id=head.client_id,
        site_id=head.site_id,
        worker_id=head.worker_id,
        placement_id=head.placement_id,
        timesheet_reference=head.reference,
        purchase_order=head.purchase_order or own.purchase_order,
        element=row.element,
        rate_code=row.rate_code,
        rate_unit=row.rate_unit,
        minutes=row.minutes,
        units=row.units,
        rate_gbp=row.charge_rate,
        net_gbp=row.charge_gbp,
        first_on=row.first_on,
        last_on=row.last_on,
        vat_treatment=treatment,
    )


def _reversal_line(row: Any) -> BillLine:
    """The mirror of a line that stands on an earlier document."""
    return BillLine(
        kind="reversal",
        charge_line_id=row.charge_line_id,
        timesheet_id=row.timesheet_id,
        version=row.version,
        round=row.round,
        ordinal=row.ordinal,
        client_id=row.client_id,
        site_id=row.site_id,
        worker_id=row.worker_id,
        placement_id=None,
        timesheet_reference=row.timesheet_reference,
        purchase_order=row.purchase_order,
        element=row.element,
        rate_code=row.rate_code,
        rate_unit=row.rate_unit,
        minutes=-row.minutes,
        units=None if row.units is None else -row.units,
        rate_gbp=row.rate_gbp,
        net_gbp=-row.net_gbp,
        first_on=row.first_on,
        last_on=row.last_on,
        vat_treatment=row.vat_treatment,
        reverses_document_id=row.document_id,
        reverses_ordinal=row.ordinal,
        names=(row.worker_name, row.worker_reference, row.job_title, row.site_name),
    )


async def _bill(tx: Tx, *, agency_id: UUID, run: Any, client_id: UUID, heads: Sequence[Any]) -> list[Issued]:
    if not heads:
        return []
    issuer = await parties.issuer_of(tx, agency_id)
    if issuer is None:
        raise IssuerMissing
    plan = await _plan(tx, agency_id=agency_id, heads=heads, vat_number=issuer.vat_number)
    names = await documents.labels(
        tx,
        agency_id=agency_id,
        wanted=[("worker", head.worker_id) for head in heads]
        + [("site", head.site_id) for head in heads]
        + [("placement", head.placement_id) for head in heads],
    )
    today = london_date(tx.now)
    traces = {head.timesheet_id: head.traceparent for head in heads}
    drafts = [
        replace(
            _draft(agency_id, run, client_id, document, plan.terms[document.client_id], issuer, names, today),
            traceparents=[traces.get(line.timesheet_id) for line in document.lines],
        )
        for document in plan.documents
    ]
    issued = await issue(tx, agency_id=agency_id, issuer=issuer, drafts=drafts)
    await _mark(tx, agency_id, drafts)
    await runs.mark_timesheets_billed(tx, agency_id=agency_id, timesheets=[head.timesheet_id for head in heads])
    for draft in drafts:
        if draft.kind == "credit_note":
            await settle_credit(tx, agency_id=agency_id, draft=draft)
    return issued


async def _mark(tx: Tx, agency_id: UUID, drafts: Sequence[Draft]) -> None:
    billed: list[tuple[UUID, int, UUID, int, int]] = []
    taken_back: list[tuple[UUID, int]] = []
    for draft in drafts:
        for ordinal, line in enumerate(draft.lines, start=1):
            if line["kind"] == "charge":
                billed.append((line["charge_line_id"], line["version"], draft.document_id, ordinal, line["round"]))
            else:
                taken_back.append((line["charge_line_id"], line["version"]))
    await runs.mark_reversed(tx, agency_id=agency_id, rows=taken_back)
    await runs.mark_billed(tx, agency_id=agency_id, rows=billed)


def _draft(
    agency_id: UUID,
    run: Any,
    chunk_client_id: UUID,
    document: PlannedDocument,
    terms: Any,
    issuer: Any,
    names: dict[Any, documents.Label],
    today: date,
) -> Draft:
    key = f"run/{run.invoice_run_id}/{chunk_client_id}/{document.key}"
    orders = {line.purchase_order for line in document.lines}
    columns: dict[str, Any] = {
        "client_id": document.client_id,
        "invoice_run_id": run.invoice_run_id,
        "site_id": document.site_id,
        "worker_id": document.worker_id,
        "payment_days": terms.payment_days,
        "purchase_order": orders.pop() if len(orders) == 1 else None,
    }
    if document.kind == "credit_note":
        columns |= {
            "credits_document_id": _most_credited(document.lines),
            "reason_code": AMENDED,
            "reason": "Timesheets were amended after they were invoiced.",
        }
    return Draft(
        document_id=derived_id("billing document", agency_id, key),
        kind=document.kind,
        group_key=key,
        grouping="site_worker" if len({line.site_id for line in document.lines}) > 1 else "worker",
        week_ending=run.week_ending,
        due_on=today + timedelta(days=terms.payment_days),
        net_gbp=document.net_gbp,
        vat=vat_on(document.net_gbp, treatment=document.vat_treatment, tax_point_on=today),
        supplier=party_of_issuer(issuer),
        customer=party_of_client(terms),
        lines=[line_row(line, names) for line in document.lines],
        columns=columns,
        extra={"bank": bank_of(issuer)},
    )


def _most_credited(lines: Sequence[BillLine]) -> UUID:
    """The document from which a credit note takes back most."""
    taken: dict[UUID, Decimal] = {}
    for line in lines:
        if line.reverses_document_id is not None:
            taken[line.reverses_document_id] = taken.get(line.reverses_document_id, Decimal(0)) + line.net_gbp
    return min(taken, key=lambda document_id: (taken[document_id], str(document_id)))


def line_row(line: BillLine, names: dict[Any, documents.Label]) -> dict[str, Any]:
    """The stored form of a line. Names are printed as they were on the day of the document."""
    worker = names.get(("worker", line.worker_id))
    job = names.get(("placement", line.placement_id))
    site = names.get(("site", line.site_id))
    printed = line.names or (
        worker.name if worker else f"Worker of timesheet {line.timesheet_reference}",
        (worker.reference or "") if worker else "",
        job.name if job else "",
        site.name if site else "",
    )
    return {
        "kind": line.kind,
        "charge_line_id": line.charge_line_id,
        "timesheet_id": line.timesheet_id,
        "version": line.version,
        "round": line.round,
        "reverses_document_id": line.reverses_document_id,
        "reverses_ordinal": line.reverses_ordinal,
        "worker_id": line.worker_id,
        "worker_name": printed[0],
        "worker_reference": printed[1],
        "job_title": printed[2],
        "site_name": printed[3],
        "timesheet_reference": line.timesheet_reference,
        "purchase_order": line.purchase_order,
        "element": line.element,
        "rate_code": line.rate_code,
        "rate_unit": line.rate_unit,
        "minutes": line.minutes,
        "units": line.units,
        "rate_gbp": line.rate_gbp,
        "net_gbp": line.net_gbp,
        "first_on": line.first_on,
        "last_on": line.last_on,
    }


async def settle_credit(tx: Tx, *, agency_id: UUID, draft: Draft) -> None:
    """Set a credit note against the open balances of the invoices that it takes lines from; the rest stays on account."""
    credited = {line["reverses_document_id"] for line in draft.lines if line["reverses_document_id"] is not None}
    rows = await documents.documents_by_id(tx, agency_id=agency_id, ids=credited, lock=True)
    balances = [
        (row.document_id, row.gross_gbp - row.paid_gbp - row.credited_gbp)
        for row in rows.values()
        if row.kind == "invoice"
    ]
    for document_id, share in allocate(-(draft.net_gbp + draft.vat.vat_gbp), balances):
        await documents.settle(
            tx, agency_id=agency_id, document_id=document_id, paid_gbp=Decimal(0), credited_gbp=share
        )
