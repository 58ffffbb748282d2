"""What stands on a worker's pay beside the timesheets: attachment orders, advances and agreed deductions. From the stored record to one
payslip's part of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from pay_calc.domain.engine.attachments import AttachmentOrder, OrderKind
from pay_calc.domain.engine.deductions import DeductionKind, Recoverable


@dataclass(frozen=True, slots=True)
class Order:
    """An attachment order as recorded, pence a week, with what finalised payslips made of it.

    `total_pence` None: runs until it is ended. `shortfall_pence` None: nothing was worked out yet, so the order's own arrears are what is
    brought forward. `by_hand`: amounts that a clerk entered from the order, by week ending.
    """

    order_id: UUID
    reference: str
    kind: OrderKind
    issued_on: date
    starts_on: date
    ends_on: date | None
    jurisdiction: str | None
    tables_on: date | None
    rate: str
    protection: str
    normal_pence: int
    protected_pence: int
    arrears_pence: int
    total_pence: int | None
    taken_pence: int = 0
    shortfall_pence: int | None = None
    by_hand: Mapping[date, int] = field(default_factory=dict)

    @property
    def owed_pence(self) -> int | None:
        """What is still to be paid; None: the order has no total."""
        return None if self.total_pence is None else max(0, self.total_pence - self.taken_pence)

    @property
    def brought_forward_pence(self) -> int:
        return self.arrears_pence if self.shortfall_pence is None else self.shortfall_pence

    def on(self, payday_on: date, week_ending: date) -> Attachment | None:
        """The order as one payslip takes it; None when it does not run on that payday or is paid off."""
        if (
            payday_on < self.starts_on
            or (self.ends_on is not None and payday_on > self.ends_on)
            or self.owed_pence == 0
        ):
            return None
        return Attachment(
            str(self.order_id),
            AttachmentOrder(
                reference=self.reference,
                kind=self.kind,
                issued_on=self.issued_on,
                normal_pence=self.normal_pence,
                protected_pence=self.protected_pence,
                brought_forward_pence=self.brought_forward_pence,
                by_hand_pence=self.by_hand.get(week_ending),
                protection=self.protection,  # type: ignore[arg-type]  # a CHECK of the table names the two
                jurisdiction=self.jurisdiction,  # type: ignore[arg-type]  # likewise
                tables_on=self.tables_on,
                rate=self.rate,  # type: ignore[arg-type]  # likewise
                owed_pence=self.owed_pence,
            ),
        )


@dataclass(frozen=True, slots=True)
class Attachment:
    """An order on one payslip."""

    order_id: str
    order: AttachmentOrder

    def as_json(self) -> dict[str, Any]:
        order = self.order
        return {
            "order_id": self.order_id,
            "reference": order.reference,
            "kind": order.kind,
            "issued_on": order.issued_on.isoformat(),
            "normal_pence": order.normal_pence,
            "protected_pence": order.protected_pence,
            "brought_forward_pence": order.brought_forward_pence,
            "by_hand_pence": order.by_hand_pence,
            "protection": order.protection,
            "jurisdiction": order.jurisdiction,
            "tables_on": None if order.tables_on is None else order.tables_on.isoformat(),
            "rate": order.rate,
            "owed_pence": order.owed_pence,
        }


def attachment_of(raw: Mapping[str, Any]) -> Attachment:
    """An attachment as `Attachment.as_json` wrote it."""
    values = {name: value for name, value in raw.items() if name != "order_id"}
    values["issued_on"] = date.fromisoformat(raw["issued_on"])
    values["tables_on"] = None if raw["tables_on"] is None else date.fromisoformat(raw["tables_on"])
    return Attachment(raw["order_id"], AttachmentOrder(**values))


@dataclass(frozen=True, slots=True)
class Deduction:
    """Something to take from net pay, as recorded, pence. `total_pence` None: an instalment each week until it ends."""

    deduction_id: UUID
    reference: str
    kind: DeductionKind
    arose_on: date
    starts_on: date
    ends_on: date | None
    instalment_pence: int
    total_pence: int | None
    consent_ref: str | None
    consent_on: date | None
    taken_pence: int = 0

    @property
    def left_pence(self) -> int | None:
        """What is still to be taken; None: it has no total."""
        return None if self.total_pence is None else max(0, self.total_pence - self.taken_pence)

    def on(self, payday_on: date) -> Recovery | None:
        """The deduction as one payslip takes it; None when it does not run on that payday or is paid back."""
        left = self.left_pence
        if payday_on < self.starts_on or (self.ends_on is not None and payday_on > self.ends_on) or left == 0:
            return None
        return Recovery(
            str(self.deduction_id),
            left is not None,
            Recoverable(
                reference=self.reference,
                kind=self.kind,
                outstanding_pence=self.instalment_pence if left is None else left,
                instalment_pence=self.instalment_pence,
                arose_on=self.arose_on,
                consent_ref=self.consent_ref or "",
                consent_on=self.consent_on,
            ),
        )


@dataclass(frozen=True, slots=True)
class Recovery:
    """A deduction on one payslip. `counts_down`: it has a total."""

    deduction_id: str
    counts_down: bool
    item: Recoverable

    def as_json(self) -> dict[str, Any]:
        item = self.item
        return {
            "deduction_id": self.deduction_id,
            "counts_down": self.counts_down,
            "reference": item.reference,
            "kind": item.kind,
            "outstanding_pence": item.outstanding_pence,
            "instalment_pence": item.instalment_pence,
            "arose_on": item.arose_on.isoformat(),
            "consent_ref": item.consent_ref,
            "consent_on": None if item.consent_on is None else item.consent_on.isoformat(),
        }


def recovery_of(raw: Mapping[str, Any]) -> Recovery:
    """A recovery as `Recovery.as_json` wrote it."""
    values = {name: value for name, value in raw.items() if name not in ("deduction_id", "counts_down")}
    values["arose_on"] = date.fromisoformat(raw["arose_on"])
    values["consent_on"] = None if raw["consent_on"] is None else date.fromisoformat(raw["consent_on"])
    return Recovery(raw["deduction_id"], raw["counts_down"], Recoverable(**values))
