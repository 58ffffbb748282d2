from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

from timesheet.domain import workflow
from timesheet.domain.workflow import Status, TimesheetState, WorkflowRefused

ID = UUID("0197a000-0000-7000-8000-000000000002")


def reject(state: TimesheetState) -> TimesheetState:
    return workflow.reject(state, reason="The Tuesday hours are the client's, not ours")


def amend(state: TimesheetState) -> TimesheetState:
    return workflow.amend(state, reason="Break was not taken", changes=True)


def did_not_work(state: TimesheetState) -> TimesheetState:
    return workflow.did_not_work(state, has_hours=False)


Command = Callable[[TimesheetState], TimesheetState]
COMMANDS: dict[str, Command] = {
    "submit": workflow.submit, "recall": workflow.recall, "approve": workflow.approve, "reject": reject,
    "reopen": workflow.reopen, "amend": amend, "did not work": did_not_work,
}  # fmt: skip

TABLE: dict[tuple[Status, str], Status | type[WorkflowRefused]] = {
    (Status.DRAFT, "submit"): Status.SUBMITTED,
    (Status.DRAFT, "recall"): workflow.TimesheetAlreadyDraft,
    (Status.DRAFT, "approve"): workflow.TimesheetNotSubmitted,
    (Status.DRAFT, "reject"): workflow.TimesheetNotSubmitted,
    (Status.DRAFT, "reopen"): workflow.TimesheetAlreadyDraft,
    (Status.DRAFT, "amend"): workflow.TimesheetNotApproved,
    (Status.DRAFT, "did not work"): Status.NOT_WORKED,
    (Status.SUBMITTED, "submit"): workflow.TimesheetAlreadySubmitted,
    (Status.SUBMITTED, "recall"): Status.DRAFT,
    (Status.SUBMITTED, "approve"): Status.APPROVED,
    (Status.SUBMITTED, "reject"): Status.REJECTED,
    (Status.SUBMITTED, "reopen"): workflow.TimesheetNotRejected,
    (Status.SUBMITTED, "amend"): workflow.TimesheetNotApproved,
    (Status.SUBMITTED, "did not work"): workflow.TimesheetAlreadySubmitted,
    (Status.REJECTED, "submit"): workflow.TimesheetAlreadyRejected,
    (Status.REJECTED, "recall"): workflow.TimesheetAlreadyRejected,
    (Status.REJECTED, "approve"): workflow.TimesheetAlreadyRejected,
    (Status.REJECTED, "reject"): workflow.TimesheetAlreadyRejected,
    (Status.REJECTED, "reopen"): Status.DRAFT,
    (Status.REJECTED, "amend"): workflow.TimesheetNotApproved,
    (Status.REJECTED, "did not work"): workflow.TimesheetNotEditable,
    (Status.NOT_WORKED, "submit"): workflow.TimesheetNotWorked,
    (Status.NOT_WORKED, "recall"): workflow.TimesheetNotWorked,
    (Status.NOT_WORKED, "approve"): workflow.TimesheetNotSubmitted,
    (Status.NOT_WORKED, "reject"): workflow.TimesheetNotSubmitted,
    (Status.NOT_WORKED, "reopen"): Status.DRAFT,
    (Status.NOT_WORKED, "amend"): workflow.TimesheetNotApproved,
    (Status.NOT_WORKED, "did not work"): workflow.TimesheetNotWorked,
    **{
        (status, command): workflow.TimesheetAlreadyApproved
        for status in (Status.APPROVED, Status.AMENDED)
        for command in COMMANDS
        if command != "amend"
    },
    (Status.APPROVED, "amend"): Status.AMENDED,
    (Status.AMENDED, "amend"): Status.AMENDED,
}


def test_the_table_says_every_case() -> None:
    assert set(TABLE) == {(status, command) for status in Status for command in COMMANDS}


@pytest.mark.parametrize(("status", "command"), list(TABLE))
def test_each_command_in_each_state(status: Status, command: str) -> None:
    expected = TABLE[status, command]
    state = TimesheetState(ID, status)
    if isinstance(expected, Status):
        assert COMMANDS[command](state).status is expected
    else:
        with pytest.raises(expected) as refused:
            COMMANDS[command](state)
        assert str(ID) in str(refused.value)
        assert "version 1" in str(refused.value)


def test_a_week_with_hours_was_worked() -> None:
    with pytest.raises(workflow.TimesheetHasHours):
        workflow.did_not_work(TimesheetState(ID), has_hours=True)


def test_only_an_amendment_makes_a_version() -> None:
    approved = workflow.approve(workflow.submit(workflow.reopen(reject(workflow.submit(TimesheetState(ID))))))
    assert approved.version == 1
    assert [amend(approved).version, amend(amend(approved)).version] == [2, 3]


def test_the_reason_lives_until_the_next_submit() -> None:
    rejected = reject(workflow.submit(TimesheetState(ID)))
    assert workflow.reopen(rejected).reason == "The Tuesday hours are the client's, not ours"
    assert workflow.submit(workflow.reopen(rejected)).reason is None


@pytest.mark.parametrize("reason", ["", "   "])
def test_a_reason_is_needed(reason: str) -> None:
    with pytest.raises(workflow.ReasonMissing):
        workflow.reject(TimesheetState(ID, Status.SUBMITTED), reason=reason)
    with pytest.raises(workflow.ReasonMissing):
        workflow.amend(TimesheetState(ID, Status.APPROVED), reason=reason, changes=True)


def test_a_reason_has_a_limit() -> None:
    with pytest.raises(workflow.ReasonTooLong):
        workflow.reject(TimesheetState(ID, Status.SUBMITTED), reason="x" * 501)


def test_an_amendment_that_changes_nothing_is_refused() -> None:
    with pytest.raises(workflow.AmendmentChangesNothing):
        workflow.amend(TimesheetState(ID, Status.AMENDED, 2), reason="Again", changes=False)


@pytest.mark.parametrize(
    ("status", "refusal"),
    [
        (Status.SUBMITTED, workflow.TimesheetAlreadySubmitted), (Status.REJECTED, workflow.TimesheetNotEditable),
        (Status.APPROVED, workflow.TimesheetAlreadyApproved), (Status.AMENDED, workflow.TimesheetAlreadyApproved),
    ],
)  # fmt: skip
def test_entries_change_in_a_draft_only(status: Status, refusal: type[WorkflowRefused]) -> None:
    workflow.check_editable(TimesheetState(ID))
    with pytest.raises(refusal):
        workflow.check_editable(TimesheetState(ID, status))
