"""Credit an invoice, whole or by line; with `rebill` the next run bills the same charges again."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from invoicing.domain.vat import Vat, vat_on
from invoicing.store import documents, facts, parties, runs
from invoicing.usecases.bill_state import write_off
from invoicing.usecases.invoice_run import IssuerMissing, settle_credit
from invoicing.usecases.issue import Draft, Issued, issue
from paybill_common.clock import london_date
from paybill_common.db import Tx
from paybill_common.ids import derived_id


class InvoiceNotFound(Exception):
    """There is no such invoice in this agency."""


class NothingToCredit(Exception):
    """None of the lines asked for stands on the invoice: they were credited before, or are corrections themselves."""


class LinesDoNotStand(Exception):
    """Some of the lines asked for cannot be credited; they are named."""

    def __init__(self, ordinals: Sequence[int]) -> None:
        super().__init__(", ".join(map(str, ordinals)))
        self.ordinals = tuple(ordinals)


async def credit_invoice(
    tx: Tx,
    *,
    agency_id: UUID,
    invoice_id: UUID,
    reason_code: str,
    reason: str,
    ordinals: Sequence[int] | None = None,
    rebill: bool = False,
    external_id: str | None = None,
) -> Issued:
    """Take back lines of an invoice on a credit note; all that still stand when no line is named.

    Without `rebill` the charges are written off, and a timesheet of which nothing is left is held as credited.
    Raises InvoiceNotFound, NothingToCredit, LinesDoNotStand.
    """
    await facts.share_agencies(tx, [agency_id])
    invoice = await documents.document_row(tx, agency_id=agency_id, document_id=invoice_id, kind="invoice")
    if invoice is None:
        raise InvoiceNotFound
    issuer = await parties.issuer_of(tx, agency_id)
    if issuer is None:
        raise IssuerMissing
    lines = await documents.document_lines(tx, agency_id=agency_id, document_id=invoice_id)
    await runs.lock_timesheets(tx, agency_id=agency_id, timesheets=[line.timesheet_id for line in lines])
    standing = await runs.standing_ordinals(tx, agency_id=agency_id, document_id=invoice_id)
    chosen = [line for line in lines if line.ordinal in standing and (ordinals is None or line.ordinal in ordinals)]
    if not chosen:
        raise NothingToCredit
    missing = sorted(set(ordinals or ()) - {line.ordinal for line in chosen})
    if missing:
        raise LinesDoNotStand(missing)
    net = -sum((line.net_gbp for line in chosen), Decimal("0.00"))
    whole = len(chosen) == len(standing) and all(line.kind == "charge" for line in lines)
    draft = Draft(
        document_id=derived_id("credit note", agency_id, invoice_id, *(line.ordinal for line in chosen)),
        kind="credit_note",
        group_key=f"credit/{invoice_id}/{chosen[0].ordinal}",
        grouping=invoice.grouping,
        week_ending=invoice.week_ending,
        due_on=london_date(tx.now),
        net_gbp=net,
        vat=await _vat(tx, agency_id=agency_id, invoice=invoice, net_gbp=net, whole=whole),
        supplier=invoice.supplier,
        customer=invoice.customer,
        lines=[_reversal(line) for line in chosen],
        columns={
            "client_id": invoice.client_id,
            "site_id": invoice.site_id,
            "worker_id": invoice.worker_id,
            "purchase_order": invoice.purchase_order,
            "credits_document_id": invoice_id,
            "external_id": external_id,
            "reason_code": reason_code,
            "reason": reason,
        },
    )
    (issued,) = await issue(tx, agency_id=agency_id, issuer=issuer, drafts=[draft])
    await runs.mark_reversed(
        tx,
        agency_id=agency_id,
        rows=[(line.charge_line_id, line.version) for line in chosen],
        written_off=not rebill,
    )
    timesheets = sorted({line.timesheet_id for line in chosen})
    if rebill:
        await runs.reopen_timesheets(tx, agency_id=agency_id, timesheets=timesheets)
    else:
        await write_off(tx, agency_id=agency_id, timesheets=timesheets)
    await settle_credit(tx, agency_id=agency_id, draft=draft)
    return issued


async def _vat(tx: Tx, *, agency_id: UUID, invoice: Any, net_gbp: Decimal, whole: bool) -> Vat:
    """The VAT of a credit at the invoice's own rate. The credit that completes an invoice takes the VAT that is left."""
    found = vat_on(net_gbp, treatment=invoice.vat_treatment, tax_point_on=invoice.tax_point_on)
    if not whole or found.treatment != "standard":
        return found
    before = await documents.credited_so_far(tx, agency_id=agency_id, document_id=invoice.document_id)
    if invoice.net_gbp + before.net_gbp + net_gbp != 0:
        return found
    return Vat(found.treatment, found.percent, -(invoice.vat_gbp + before.vat_gbp))


def _reversal(line: Any) -> dict[str, Any]:
    same = (
        "charge_line_id",
        "timesheet_id",
        "version",
        "round",
        "worker_id",
        "worker_name",
        "worker_reference",
        "job_title",
        "site_name",
        "timesheet_reference",
        "purchase_order",
        "element",
        "rate_code",
        "rate_unit",
        "rate_gbp",
        "first_on",
        "last_on",
    )
    return {name: getattr(line, name) for name in same} | {
        "kind": "reversal",
        "reverses_document_id": line.document_id,
        "reverses_ordinal": line.ordinal,
        "minutes": -line.minutes,
        "units": None if line.units is None else -line.units,
        "net_gbp": -line.net_gbp,
    }
