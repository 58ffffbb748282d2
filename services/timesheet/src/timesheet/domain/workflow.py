"""The life of a timesheet: which command is allowed in which state, as a pure function from state to state.

    draft ──submit──▶ submitted ──approve──▶ approved ──amend──▶ amended ──amend──▶ amended …
      ▲  ◀──recall──      │
      └──reopen── rejected ◀──reject

    draft ──did not work──▶ not_worked ──reopen──▶ draft

Approving keeps the version; each amendment makes the next one. `approved` and `amended` both mean: pay and bill this.
A command that would change nothing is refused with the fact, so that two people cannot both believe they did it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

REASON_LENGTH_MAX = 500


class Status(StrEnum):
    DRAFT = "draft"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    REJECTED = "rejected"
    AMENDED = "amended"
    NOT_WORKED = "not_worked"

    @property
    def is_approved(self) -> bool:
        return self in (Status.APPROVED, Status.AMENDED)


@dataclass(frozen=True, slots=True)
class TimesheetState:
    """Where a timesheet stands. `version` starts at 1; `reason` is why it was rejected or amended."""

    timesheet_id: UUID
    status: Status = Status.DRAFT
    version: int = 1
    reason: str | None = None


class WorkflowRefused(ValueError):
    """A command that the timesheet's state does not allow; the subclass names the fact."""

    code: ClassVar[str] = "workflow_refused"
    fact: ClassVar[str] = "does not allow this"

    def __init__(self, state: TimesheetState) -> None:
        self.state = state
        super().__init__(f"Timesheet {state.timesheet_id} {self.fact} (version {state.version}, {state.status})")


class TimesheetAlreadyApproved(WorkflowRefused):
    code = "timesheet_already_approved"
    fact = "is already approved; amend it to change it"


class TimesheetAlreadySubmitted(WorkflowRefused):
    code = "timesheet_already_submitted"
    fact = "is already submitted; recall it to change it"


class TimesheetAlreadyRejected(WorkflowRefused):
    code = "timesheet_already_rejected"
    fact = "is already rejected; reopen it, correct it and submit it again"


class TimesheetAlreadyDraft(WorkflowRefused):
    code = "timesheet_already_draft"
    fact = "is already a draft"


class TimesheetNotSubmitted(WorkflowRefused):
    code = "timesheet_not_submitted"
    fact = "is not submitted; submit it first"


class TimesheetNotApproved(WorkflowRefused):
    code = "timesheet_not_approved"
    fact = "is not approved; only an approved timesheet is amended"


class TimesheetNotRejected(WorkflowRefused):
    code = "timesheet_not_rejected"
    fact = "is not rejected; a submitted one is recalled"


class TimesheetNotEditable(WorkflowRefused):
    code = "timesheet_not_editable"
    fact = "is not a draft; its entries cannot change"


class TimesheetNotWorked(WorkflowRefused):
    code = "timesheet_not_worked"
    fact = "is answered: the worker did not work that week; reopen it first"


class TimesheetHasHours(WorkflowRefused):
    code = "timesheet_has_hours"
    fact = "has hours or expenses; remove them first if the worker did not work"


class ReasonMissing(WorkflowRefused):
    code = "reason_missing"
    fact = "needs a reason for this"


class ReasonTooLong(WorkflowRefused):
    code = "reason_too_long"
    fact = f"takes a reason of at most {REASON_LENGTH_MAX} characters"


class AmendmentChangesNothing(WorkflowRefused):
    code = "amendment_changes_nothing"
    fact = "already says what the amendment says"


def check_editable(state: TimesheetState) -> None:
    """Entries change in a draft only. Raises TimesheetAlreadyApproved, TimesheetAlreadySubmitted or TimesheetNotEditable."""
    if state.status.is_approved:
        raise TimesheetAlreadyApproved(state)
    if state.status is Status.SUBMITTED:
        raise TimesheetAlreadySubmitted(state)
    if state.status is Status.NOT_WORKED:
        raise TimesheetNotWorked(state)
    if state.status is not Status.DRAFT:
        raise TimesheetNotEditable(state)


def submit(state: TimesheetState) -> TimesheetState:
    """Draft to submitted. A rejected timesheet is reopened first."""
    if state.status.is_approved:
        raise TimesheetAlreadyApproved(state)
    if state.status is Status.SUBMITTED:
        raise TimesheetAlreadySubmitted(state)
    if state.status is Status.REJECTED:
        raise TimesheetAlreadyRejected(state)
    if state.status is Status.NOT_WORKED:
        raise TimesheetNotWorked(state)
    return replace(state, status=Status.SUBMITTED, reason=None)


def did_not_work(state: TimesheetState, *, has_hours: bool) -> TimesheetState:
    """Draft to not worked: nothing is expected of this week any more. A rejected timesheet is reopened first."""
    check_editable(state)
    if has_hours:
        raise TimesheetHasHours(state)
    return replace(state, status=Status.NOT_WORKED, reason=None)


def recall(state: TimesheetState) -> TimesheetState:
    """Submitted back to draft, by the side that submitted it."""
    if state.status.is_approved:
        raise TimesheetAlreadyApproved(state)
    if state.status is Status.DRAFT:
        raise TimesheetAlreadyDraft(state)
    if state.status is Status.REJECTED:
        raise TimesheetAlreadyRejected(state)
    if state.status is Status.NOT_WORKED:
        raise TimesheetNotWorked(state)
    return replace(state, status=Status.DRAFT, reason=None)


def approve(state: TimesheetState) -> TimesheetState:
    """Submitted to approved, by the client or by the agency with its own evidence."""
    if state.status.is_approved:
        raise TimesheetAlreadyApproved(state)
    if state.status is Status.REJECTED:
        raise TimesheetAlreadyRejected(state)
    if state.status is not Status.SUBMITTED:
        raise TimesheetNotSubmitted(state)
    return replace(state, status=Status.APPROVED, reason=None)


def reject(state: TimesheetState, *, reason: str) -> TimesheetState:
    """Submitted to rejected. Raises ReasonMissing when the worker would not learn why."""
    if state.status.is_approved:
        raise TimesheetAlreadyApproved(state)
    if state.status is Status.REJECTED:
        raise TimesheetAlreadyRejected(state)
    if state.status is not Status.SUBMITTED:
        raise TimesheetNotSubmitted(state)
    return replace(state, status=Status.REJECTED, reason=_reason(state, reason))


def reopen(state: TimesheetState) -> TimesheetState:
    """Rejected, or answered as not worked, to draft; the reason stays to be read until it is submitted again."""
    if state.status.is_approved:
        raise TimesheetAlreadyApproved(state)
    if state.status is Status.DRAFT:
        raise TimesheetAlreadyDraft(state)
    if state.status not in (Status.REJECTED, Status.NOT_WORKED):
        raise TimesheetNotRejected(state)
    return replace(state, status=Status.DRAFT)


def amend(state: TimesheetState, *, reason: str, changes: bool) -> TimesheetState:
    """The next version of an approved timesheet. `changes` is whether its entries or expenses differ from this version's;
    the same amendment sent twice is refused the second time. An amendment to no entries at all voids the week.
    """
    if not state.status.is_approved:
        raise TimesheetNotApproved(state)
    given = _reason(state, reason)
    if not changes:
        raise AmendmentChangesNothing(state)
    return replace(state, status=Status.AMENDED, version=state.version + 1, reason=given)


def _reason(state: TimesheetState, reason: str) -> str:
    given = reason.strip()
    if not given:
        raise ReasonMissing(state)
    if len(given) > REASON_LENGTH_MAX:
        raise ReasonTooLong(state)
    return given
