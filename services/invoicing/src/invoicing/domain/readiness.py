"""May this version of a timesheet be billed? No decision is a hold, never a yes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

State = Literal["ready", "held"]
Reason = dict[str, Any]
"""A reason as it travels: code, blocks, requirement, subject_id, expires_at (contracts' `Reason`)."""


@dataclass(frozen=True, slots=True)
class Clearance:
    """Compliance's answer to one version."""

    blocks_bill: bool
    reasons: Sequence[Reason] = ()


@dataclass(frozen=True, slots=True)
class Terms:
    """What readiness needs of a client's terms."""

    po_required: bool
    purchase_order: str | None


@dataclass(frozen=True, slots=True)
class Readiness:
    """The state of one version, and why when it is held."""

    state: State
    reasons: tuple[Reason, ...] = ()


CREDITED = Readiness("held", ({"code": "credited", "blocks": ["bill"]},))
"""A credit note took back every charge, and nothing bills it again."""


AWAITING = Readiness("held", ({"code": "awaiting_clearance", "blocks": ["bill"]},))
"""How a version that compliance has not decided on begins."""


def decide(*, clearance: Clearance | None, terms: Terms | None, purchase_order: str | None) -> Readiness:
    """Ready when compliance cleared this version for billing, the client has terms, and its purchase order is there."""
    reasons: list[Reason] = []
    if clearance is None:
        reasons.extend(AWAITING.reasons)
    elif clearance.blocks_bill:
        blocking = [reason for reason in clearance.reasons if not reason.get("blocks") or "bill" in reason["blocks"]]
        reasons.extend(blocking or [_reason("compliance_hold")])
    if terms is None:
        reasons.append(_reason("missing_client_terms"))
    elif terms.po_required and not (purchase_order or terms.purchase_order):
        reasons.append(_reason("missing_purchase_order"))
    return Readiness("held" if reasons else "ready", tuple(reasons))


def _reason(code: str) -> Reason:
    return {"code": code, "blocks": ["bill"]}
