"""The decision about one approved version of one timesheet. Pure: facts in, decision out.

No decision is a hold, never a yes: what is not known is missing. A document that was valid when the last shift of the
week was worked and lapsed afterwards warns and blocks nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal
from uuid import UUID

Block = Literal["entry", "pay", "bill"]


@dataclass(frozen=True)
class Requirement:
    """A document that an agency asks for. `blocks` empty: it only warns.

    `pay` and `bill` hold the week that misses it; `entry` makes the timesheet service refuse the worker's further hours, but
    for hours that somebody vouches for (ADR 0016).
    """

    code: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class HeldDocument:
    """A worker's document: the days it is valid, both inclusive; `expires_on` None never lapses."""

    requirement: str
    valid_from: date
    expires_on: date | None


@dataclass(frozen=True)
class ApprovedWeek:
    """What the decision needs of an approved timesheet version."""

    worker_id: UUID
    pay_basis: str
    payee_id: UUID | None
    first_worked_on: date
    last_worked_on: date
    empty: bool
    """A version without lines: an amendment that voids the week."""


@dataclass(frozen=True)
class Finding:
    """Why a week is held or warned about."""

    code: str
    blocks: tuple[Block, ...]
    requirement: str | None
    subject_id: UUID | None


@dataclass(frozen=True)
class Decision:
    """Cleared when `blocks` is empty; findings that block nothing are warnings."""

    blocks: tuple[Block, ...]
    findings: tuple[Finding, ...]

    @property
    def cleared(self) -> bool:
        return not self.blocks


DEFAULT_REQUIREMENTS = (Requirement("right_to_work", ("entry", "pay", "bill")),)
"""What an agency that configured nothing asks for: nobody is paid without a right-to-work check."""


def decide(
    week: ApprovedWeek,
    *,
    requirements: Sequence[Requirement],
    documents: Sequence[HeldDocument],
    umbrella_status: Mapping[UUID, str],
    today: date,
) -> Decision:
    """Decide a week. `requirements` are those of the week's client, overrides applied."""
    if week.empty:
        return Decision((), ())
    findings = [_check(requirement, week, documents, today) for requirement in requirements]
    findings.append(_umbrella(week, umbrella_status))
    found = tuple(finding for finding in findings if finding is not None)
    blocked = {block for finding in found for block in finding.blocks if block != "entry"}
    return Decision(tuple(block for block in ("pay", "bill") if block in blocked), found)


def _check(
    requirement: Requirement, week: ApprovedWeek, documents: Sequence[HeldDocument], today: date
) -> Finding | None:
    mine = [document for document in documents if document.requirement == requirement.code]
    if any(_covers(document, week) for document in mine):
        lapsed = all(document.expires_on is not None and document.expires_on < today for document in mine)
        return Finding("document_lapsed_since", (), requirement.code, week.worker_id) if lapsed else None
    code = "document_not_valid_for_shift" if mine else "missing_document"
    return Finding(code, requirement.blocks, requirement.code, week.worker_id)


def _covers(document: HeldDocument, week: ApprovedWeek) -> bool:
    return document.valid_from <= week.first_worked_on and (
        document.expires_on is None or document.expires_on >= week.last_worked_on
    )


def _umbrella(week: ApprovedWeek, status: Mapping[UUID, str]) -> Finding | None:
    if week.pay_basis != "umbrella":
        return None
    if week.payee_id is None:
        return Finding("umbrella_not_named", ("pay",), None, week.worker_id)
    known = status.get(week.payee_id)
    if known == "approved":
        return None
    return Finding("umbrella_not_approved" if known else "umbrella_not_on_register", ("pay",), None, week.payee_id)
