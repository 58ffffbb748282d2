"""Raise self-bills: one per pay run and supplier, when the run has closed and all that it says has arrived."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from invoicing.domain.deductions import deductions_of
from invoicing.domain.self_billing import Agreement, remainder, self_bill_holds
from invoicing.domain.vat import effective_treatment, supplier_vat_holds, vat_on
from invoicing.store import documents, parties, self_bills
from invoicing.store import facts as fact_store
from invoicing.usecases.issue import Draft, Issued, issue, party_of_issuer, party_of_supplier
from paybill_common.clock import london_date
from paybill_common.db import Tx
from paybill_common.ids import derived_id


@dataclass(frozen=True, slots=True)
class PendingSelfBill:
    """A self-bill that is not raised yet, and why, as codes."""

    pay_run_id: UUID
    payee_id: UUID | None
    payee_name: str | None
    net_gbp: Decimal
    reasons: tuple[str, ...]


async def issue_due_self_bills(tx: Tx, *, agencies: Iterable[UUID]) -> list[Issued]:
    """Raise every self-bill of these agencies that nothing holds. Called whenever a fact that it waits for arrived."""
    ordered = sorted(set(agencies))
    if not ordered:
        return []
    await fact_store.lock_self_billing(tx, ordered)
    issued: list[Issued] = []
    by_agency: dict[UUID, list[Any]] = defaultdict(list)
    for group in await self_bills.pending_groups(tx, agencies=ordered):
        by_agency[group.agency_id].append(group)
    for agency_id, groups in by_agency.items():
        issued += await _issue_for_agency(tx, agency_id, groups)
    return issued


async def retry_self_bills(tx: Tx, *, agency_id: UUID) -> list[Issued]:
    """Look again at the self-bills that wait: an agreement may have come into force since, which no event tells."""
    await fact_store.share_agencies(tx, [agency_id])
    return await issue_due_self_bills(tx, agencies=[agency_id])


async def pending_self_bills(tx: Tx, *, agency_id: UUID) -> list[PendingSelfBill]:
    """The self-bills that wait, each with every reason."""
    groups = await self_bills.pending_groups(tx, agencies=[agency_id])
    suppliers = await parties.suppliers_of(tx, agency_id=agency_id, payees=[g.payee_id for g in groups if g.payee_id])
    issuer = await parties.issuer_of(tx, agency_id)
    today = london_date(tx.now)
    return [
        PendingSelfBill(
            group.pay_run_id,
            group.payee_id,
            suppliers[group.payee_id].legal_name if group.payee_id in suppliers else None,
            group.net_gbp,
            _reasons(group, suppliers, issuer, today),
        )
        for group in groups
    ]


def _reasons(group: Any, suppliers: dict[UUID, Any], issuer: Any, today: date) -> tuple[str, ...]:
    if group.expected is None:
        return ("awaiting_pay_run_close",)
    reasons: list[str] = []
    if group.arrived < group.expected:
        reasons.append("awaiting_finalised_pay")
    if group.payee_id is None:
        return (*reasons, "missing_payee")
    found = suppliers.get(group.payee_id)
    agreement = (
        None if found is None else Agreement(found.agreement_reference, found.agreement_from, found.agreement_to)
    )
    vat_holds = (
        ()
        if found is None or issuer is None
        else supplier_vat_holds(
            pay_basis=group.pay_basis,
            agreed=found.vat_treatment,
            supplier_vat_number=found.vat_number,
            customer_vat_number=issuer.vat_number,
        )
    )
    reasons += self_bill_holds(
        agreement=agreement,
        has_issuer=issuer is not None,
        charges_missing=group.charges_missing,
        on=today,
        vat_holds=vat_holds,
    )
    return tuple(reasons)


async def _issue_for_agency(tx: Tx, agency_id: UUID, groups: Sequence[Any]) -> list[Issued]:
    payees = [group.payee_id for group in groups if group.payee_id is not None]
    suppliers = await parties.suppliers_of(tx, agency_id=agency_id, payees=payees)
    issuer = await parties.issuer_of(tx, agency_id)
    today = london_date(tx.now)
    due = [group for group in groups if not _reasons(group, suppliers, issuer, today)]
    if not due:
        return []
    amounts: list[Any] = []
    for pay_run_id in sorted({group.pay_run_id for group in due}):
        in_run = [group.payee_id for group in due if group.pay_run_id == pay_run_id]
        amounts += await self_bills.amounts_of(tx, agency_id=agency_id, pay_run_id=pay_run_id, payees=in_run)
    charges = await self_bills.charges_of(tx, agency_id=agency_id, payslips=[row.payslip_id for row in amounts])
    names = await documents.labels(
        tx,
        agency_id=agency_id,
        wanted=[("worker", row.worker_id) for row in amounts]
        + [("site", row.site_id) for row in charges]
        + [("placement", row.placement_id) for row in charges],
    )
    by_payslip: dict[UUID, list[Any]] = defaultdict(list)
    for row in charges:
        by_payslip[row.payslip_id].append(row)
    drafts: list[Draft] = []
    pairs: list[tuple[UUID, UUID]] = []
    for group in due:
        mine = [row for row in amounts if (row.pay_run_id, row.payee_id) == (group.pay_run_id, group.payee_id)]
        lines = [line for row in mine for line in _lines(row, by_payslip[row.payslip_id], names)]
        if not lines:
            continue  # Nothing worked and nothing finalised: there is nothing to put on a document.
        draft = _draft(agency_id, group, suppliers[group.payee_id], issuer, lines, mine, today)
        drafts.append(draft)
        pairs += [(row.payslip_id, draft.document_id) for row in mine]
    issued = await issue(tx, agency_id=agency_id, issuer=issuer, drafts=drafts)
    await self_bills.mark_issued(
        tx, agency_id=agency_id, payslips=[pair[0] for pair in pairs], documents=[pair[1] for pair in pairs]
    )
    return issued


def _draft(
    agency_id: UUID,
    group: Any,
    supplier: Any,
    issuer: Any,
    lines: Sequence[dict[str, Any]],
    amounts: Sequence[Any],
    today: date,
) -> Draft:
    key = f"self_bill/{group.pay_run_id}/{group.payee_id}"
    net = sum((line["net_gbp"] for line in lines), Decimal("0.00"))
    treatment = effective_treatment(supplier.vat_treatment, supplier_vat_number=supplier.vat_number)
    return Draft(
        document_id=derived_id("self-bill", agency_id, group.pay_run_id, group.payee_id),
        kind="self_bill",
        group_key=key,
        grouping="worker",
        week_ending=group.period_to - timedelta(days=1),
        due_on=group.payday_on,
        net_gbp=net,
        vat=vat_on(net, treatment=treatment, tax_point_on=today),
        supplier=party_of_supplier(supplier),
        customer=party_of_issuer(issuer),
        lines=lines,
        deductions=deductions_of(amounts),
        columns={"payee_id": group.payee_id, "payee_kind": group.pay_basis, "pay_run_id": group.pay_run_id},
        extra={
            "agreement_reference": supplier.agreement_reference,
            "agreement_to": supplier.agreement_to.isoformat() if supplier.agreement_to else None,
        },
    )


def _lines(amount: Any, charges: Sequence[Any], names: dict[Any, documents.Label]) -> list[dict[str, Any]]:
    worker = names.get(("worker", amount.worker_id))
    common = {
        "worker_id": amount.worker_id,
        "worker_name": worker.name
        if worker
        else f"Worker of timesheet {charges[0].reference}"
        if charges
        else "Worker",
        "worker_reference": (worker.reference or "") if worker else "",
    }
    lines: list[dict[str, Any]] = []
    for row in charges:
        site = names.get(("site", row.site_id))
        job = names.get(("placement", row.placement_id))
        lines.append(
            {
                **common,
                "kind": "pay",
                "charge_line_id": row.charge_line_id,
                "timesheet_id": row.timesheet_id,
                "version": row.version,
                "job_title": job.name if job else "",
                "site_name": site.name if site else "",
                "timesheet_reference": row.reference,
                "element": row.element,
                "rate_code": row.rate_code,
                "rate_unit": row.rate_unit,
                "minutes": row.minutes,
                "units": row.units if row.units is None or not row.reverses else -row.units,
                "rate_gbp": row.pay_rate,
                "net_gbp": row.pay_gbp,
                "first_on": row.first_on,
                "last_on": row.last_on,
            }
        )
    left = remainder(amount.net_gbp, [row.pay_gbp for row in charges])
    if left != 0:
        lines.append(
            {
                **common,
                "kind": "adjustment",
                "charge_line_id": None,
                "timesheet_id": None,
                "version": None,
                "job_title": "",
                "site_name": "",
                "timesheet_reference": "",
                "element": "adjustment",
                "rate_code": "adjustment",
                "rate_unit": "each",
                "minutes": 0,
                "units": Decimal(1),
                "rate_gbp": left,
                "net_gbp": left,
                "first_on": amount.period_from,
                "last_on": amount.period_to - timedelta(days=1),
            }
        )
    return lines
