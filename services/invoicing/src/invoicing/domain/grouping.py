"""Which lines go on which document: by client, site or worker, one VAT treatment each; a negative total is a credit note."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal
from uuid import UUID

from invoicing.domain.vat import Treatment

GroupBy = Literal["client", "site", "worker"]
DocumentKind = Literal["invoice", "credit_note"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BillLine:
    """One line to bill (`kind` charge) or to take back (`kind` reversal: negative minutes, units and net)."""

    kind: Literal["charge", "reversal"]
    charge_line_id: UUID
    timesheet_id: UUID
    version: int
    round: int
    ordinal: int
    client_id: UUID
    site_id: UUID | None
    worker_id: UUID
    placement_id: UUID | None
    timesheet_reference: str
    purchase_order: str | None
    element: str
    rate_code: str
    rate_unit: str
    minutes: int
    units: Decimal | None
    rate_gbp: Decimal
    net_gbp: Decimal
    first_on: date
    last_on: date
    vat_treatment: Treatment
    reverses_document_id: UUID | None = None
    reverses_ordinal: int | None = None
    names: tuple[str, str, str, str] | None = None
    """Of a reversal: worker name, worker reference, job title and site as printed on the document that it takes back."""


@dataclass(frozen=True, slots=True)
class PlannedDocument:
    """A document before it has a number. `key` is unique within the lines that were planned together."""

    key: str
    kind: DocumentKind
    client_id: UUID
    site_id: UUID | None
    worker_id: UUID | None
    vat_treatment: Treatment
    net_gbp: Decimal
    minutes: int
    lines: tuple[BillLine, ...]


def plan_documents(lines: Iterable[BillLine], *, group_by: Mapping[UUID, GroupBy]) -> list[PlannedDocument]:
    """Sort lines into documents. The same lines in any order give the same plan."""
    groups: dict[tuple[str, str, str, str], list[BillLine]] = {}
    for line in lines:
        by = group_by.get(line.client_id, "client")
        site = str(line.site_id or "") if by == "site" else ""
        worker = str(line.worker_id) if by == "worker" else ""
        groups.setdefault((str(line.client_id), site, worker, line.vat_treatment), []).append(line)
    return [_document(key, members) for key, members in sorted(groups.items())]


def _document(key: tuple[str, str, str, str], members: Sequence[BillLine]) -> PlannedDocument:
    first = members[0]
    net = sum((line.net_gbp for line in members), Decimal("0.00"))
    _, site, worker, treatment = key
    return PlannedDocument(
        key="/".join((str(first.client_id), site or "-", worker or "-", treatment)),
        kind="credit_note" if net < 0 else "invoice",
        client_id=first.client_id,
        site_id=first.site_id if site else None,
        worker_id=first.worker_id if worker else None,
        vat_treatment=first.vat_treatment,
        net_gbp=net,
        minutes=sum(line.minutes for line in members),
        lines=tuple(sorted(members, key=_line_order)),
    )


def _line_order(line: BillLine) -> tuple[str, str, str, int, int, str]:
    return (
        str(line.site_id or ""),
        str(line.worker_id),
        f"{line.first_on}/{line.timesheet_reference}",
        0 if line.kind == "reversal" else 1,
        line.ordinal,
        str(line.charge_line_id),
    )
