"""The life of a timesheet: submit, approve, reject, reopen and amend; one or a thousand at a time.

Every function locks the timesheets in id order, decides each by the domain and writes all of them at once. A timesheet that
cannot be changed gets a receipt that says why; the others go through.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal
from uuid import UUID

from paybill_common.db import Tx
from paybill_common.http.problems import not_found
from paybill_common.ids import new_id
from paybill_common.money import from_pence
from paybill_contracts.timesheet import ApprovedFacts
from timesheet.domain import workflow
from timesheet.domain.entries import Entry, Expense, WeekRefused
from timesheet.domain.entry_holds import EntryBlocked
from timesheet.domain.lines import Interpretation
from timesheet.domain.workflow import (
    Status,
    TimesheetAlreadyApproved,
    TimesheetAlreadyRejected,
    TimesheetAlreadySubmitted,
    WorkflowRefused,
)
from timesheet.store import timesheets as store
from timesheet.store.timesheets import Change, PlacementFacts, StoredEntry, StoredExpense, Timesheet
from timesheet.usecases import entry_holds, facts
from timesheet.usecases.charging import ANTICIPATED, Work, load_work, problems_of, refusal_of
from timesheet.usecases.entering import draft, neighbours_of
from timesheet.usecases.evidence import DecidedBy, entry_to_dict, evidence_of, seen_sha256, what_is_shown


@dataclass(frozen=True)
class Receipt:
    """The answer to one timesheet of a batch. `duplicate`: it already was what was asked for."""

    timesheet_id: UUID
    status: Literal["accepted", "duplicate", "refused"]
    reference: str | None = None
    code: str | None = None
    reason: str | None = None
    hint: str | None = None


class TimesheetEmpty(WorkflowRefused):
    code = "timesheet_empty"
    fact = "has no hours and no expenses; enter some first"


class SeenHasChanged(WorkflowRefused):
    code = "seen_has_changed"
    fact = "changed since it was shown; look at it again"


def refused(timesheet_id: UUID, error: Exception, reference: str | None = None) -> Receipt:
    code, fact, hint = refusal_of(error)
    return Receipt(timesheet_id, "refused", reference, code, fact, hint or None)


def _unknown(timesheet_id: UUID) -> Receipt:
    return Receipt(
        timesheet_id, "refused", None, "timesheet_not_found", f"There is no timesheet {timesheet_id} in this agency."
    )


async def submit(tx: Tx, *, agency_id: UUID, ids: Sequence[UUID], vouched: DecidedBy | None = None) -> list[Receipt]:
    """Drafts to submitted, each with what its week would be worth at the rates in force.

    Hours that compliance blocks need `vouched`, who submits them all the same and why, unless somebody vouched for the same
    hours when they were entered.
    """
    found = await store.load(tx, agency_id=agency_id, ids=ids, lock=True)
    work = await load_work(tx, agency_id=agency_id, timesheets=found.values())
    holds = await entry_holds.holds_of(
        tx, agency_id=agency_id, worker_ids={one.placement.worker_id for one in found.values()}
    )
    blocked = [one for one in found.values() if one.placement.worker_id in holds]
    known = await entry_holds.vouched_for(tx, agency_id=agency_id, timesheets=blocked, work=work) if blocked else set()
    changes: list[Change] = []
    to_keep: list[Timesheet] = []

    def one(timesheet: Timesheet) -> None:
        state = workflow.submit(timesheet.state)
        week = work.week(timesheet)
        if not week.entries and not week.expenses:
            raise TimesheetEmpty(timesheet.state)
        worker_id = timesheet.placement.worker_id
        needs_reason = bool(week.entries) and worker_id in holds and timesheet.timesheet_id not in known
        if needs_reason:
            entry_holds.check(holds, worker_id=worker_id, vouched=vouched)
        charged = work.charged(timesheet)
        if needs_reason:
            to_keep.append(timesheet)
        sequence = timesheet.sequence + 1
        changes.append(_change(timesheet, state, charged))
        tx.emit(
            facts.submitted(agency_id=agency_id, timesheet=timesheet, charged=charged, at=tx.now), sequence=sequence
        )

    receipts = _each(ids, found, one, already=TimesheetAlreadySubmitted)
    await store.save_states(tx, agency_id=agency_id, changes=changes)
    if to_keep and vouched is not None:
        by = {one.timesheet_id: vouched for one in to_keep}
        await entry_holds.keep(tx, agency_id=agency_id, timesheets=to_keep, holds=holds, by=by)
    return receipts


async def approve(
    tx: Tx, *, agency_id: UUID, ids: Sequence[UUID], by: DecidedBy, seen: Mapping[UUID, str] | None = None
) -> list[Receipt]:
    """Submitted to approved: the week is interpreted once into charge lines, which pay and billing then use.

    `seen` is the hash of what a client was shown; a timesheet that says something else by now is not approved.
    """
    found = await store.load(tx, agency_id=agency_id, ids=ids, lock=True)
    work = await load_work(tx, agency_id=agency_id, timesheets=found.values())
    changes: list[Change] = []
    versions: list[dict[str, Any]] = []
    evidence: list[dict[str, Any]] = []

    def one(timesheet: Timesheet) -> None:
        state = workflow.approve(timesheet.state)
        shown = what_is_shown(timesheet, work)
        _check_seen(timesheet, shown, seen)
        charged = work.charged(timesheet)
        proof = evidence_of(tx, timesheet, state.version, "approved", by, shown)
        evidence.append(proof)
        told = facts.approved(
            agency_id=agency_id,
            timesheet=timesheet,
            version=state.version,
            placement=timesheet.placement,
            charged=charged,
            by=by.kind,
            evidence_id=proof["evidence_id"],
            at=tx.now,
        )
        versions.append(_version(told, timesheet.placement, charged, shown))
        changes.append(_change(timesheet, state, charged))
        tx.emit(told, sequence=timesheet.sequence + 1)

    receipts = _each(ids, found, one, already=TimesheetAlreadyApproved)
    if changes:
        await store.insert_evidence(tx, agency_id=agency_id, evidence=evidence)
        await store.insert_versions(tx, agency_id=agency_id, versions=versions)
        await store.save_states(tx, agency_id=agency_id, changes=changes)
    return receipts


@dataclass(frozen=True)
class Rejection:
    """Why one timesheet is rejected: a code for everybody, words for the agency and the worker."""

    timesheet_id: UUID
    reason_code: str
    reason: str


async def reject(
    tx: Tx,
    *,
    agency_id: UUID,
    rejections: Sequence[Rejection],
    by: DecidedBy,
    seen: Mapping[UUID, str] | None = None,
) -> list[Receipt]:
    """Submitted to rejected, with a reason."""
    why = {one.timesheet_id: one for one in rejections}
    found = await store.load(tx, agency_id=agency_id, ids=why, lock=True)
    work = await load_work(tx, agency_id=agency_id, timesheets=found.values())
    changes: list[Change] = []
    evidence: list[dict[str, Any]] = []

    def one(timesheet: Timesheet) -> None:
        rejection = why[timesheet.timesheet_id]
        state = workflow.reject(timesheet.state, reason=rejection.reason)
        shown = what_is_shown(timesheet, work)
        _check_seen(timesheet, shown, seen)
        evidence.append(
            evidence_of(tx, timesheet, state.version, "rejected", replace(by, note=rejection.reason), shown)
        )
        changes.append(Change(timesheet.timesheet_id, state, timesheet.sequence + 1, rejection.reason_code))
        tx.emit(
            facts.rejected(
                agency_id=agency_id,
                timesheet=timesheet,
                by=by.kind,
                reason_code=rejection.reason_code,
                at=tx.now,
            ),
            sequence=timesheet.sequence + 1,
        )

    receipts = _each([one.timesheet_id for one in rejections], found, one, already=TimesheetAlreadyRejected)
    if changes:
        await store.insert_evidence(tx, agency_id=agency_id, evidence=evidence)
        await store.save_states(tx, agency_id=agency_id, changes=changes)
    return receipts


async def did_not_work(tx: Tx, *, agency_id: UUID, timesheet_id: UUID, by: str) -> None:
    """The answer to an expected week without hours: it is not chased any more. Raises WorkflowRefused."""
    timesheet = await draft(tx, agency_id=agency_id, timesheet_id=timesheet_id)
    entries = await store.entries_of(tx, agency_id=agency_id, ids=[timesheet_id])
    expenses = await store.expenses_of(tx, agency_id=agency_id, ids=[timesheet_id])
    state = workflow.did_not_work(timesheet.state, has_hours=bool(entries or expenses))
    change = Change(timesheet_id, state, timesheet.sequence + 1, answered_by=by)
    await store.save_states(tx, agency_id=agency_id, changes=[change])
    tx.emit(
        facts.expected(agency_id=agency_id, timesheet=timesheet, version=state.version, at=tx.now, not_worked=True),
        sequence=change.sequence,
    )


async def reopen(tx: Tx, *, agency_id: UUID, timesheet_id: UUID) -> None:
    """Rejected, submitted or answered as not worked back to draft, to be corrected. Raises WorkflowRefused."""
    timesheet = await locked(tx, agency_id=agency_id, timesheet_id=timesheet_id)
    back = workflow.recall if timesheet.state.status is Status.SUBMITTED else workflow.reopen
    state = back(timesheet.state)
    change = Change(timesheet_id, state, timesheet.sequence + 1, timesheet.reason_code if state.reason else None)
    await store.save_states(tx, agency_id=agency_id, changes=[change])
    tx.emit(
        facts.expected(agency_id=agency_id, timesheet=timesheet, version=state.version, at=tx.now),
        sequence=change.sequence,
    )


async def amend(
    tx: Tx,
    *,
    agency_id: UUID,
    timesheet_id: UUID,
    entries: Sequence[Entry],
    expenses: Sequence[tuple[Expense, str | None]],
    reason_code: str,
    reason: str,
    by: DecidedBy,
) -> int:
    """The next version of an approved timesheet: its whole new state. Without entries and expenses it is void.

    Gives the new version. Raises WorkflowRefused, WeekRefused and what else a week can be refused for.
    """
    await _lock_worker_of(tx, agency_id=agency_id, timesheet_id=timesheet_id)
    timesheet = await locked(tx, agency_id=agency_id, timesheet_id=timesheet_id)
    before = await load_work(tx, agency_id=agency_id, timesheets=[timesheet])
    after = _work_after(timesheet, before, entries, expenses)
    state = workflow.amend(timesheet.state, reason=reason, changes=_content(before) != _content(after))
    week = after.week(timesheet)
    cards = before.cards.get(timesheet.placement.placement_id, ())
    neighbours = await neighbours_of(tx, agency_id=agency_id, timesheet=timesheet)
    problems = problems_of(timesheet, week, cards=cards, neighbours=neighbours)
    if problems:
        raise WeekRefused(problems)
    charged = after.charged(timesheet) if week.entries or week.expenses else Interpretation(week.week_ending, ())
    approved = await store.version_of(
        tx, agency_id=agency_id, timesheet_id=timesheet_id, version=timesheet.state.version
    )
    placement = timesheet.placement if approved is None else facts.placement_from_dict(approved.placement)
    shown = what_is_shown(timesheet, after)
    proof = evidence_of(tx, timesheet, state.version, "amended", replace(by, note=state.reason), shown)
    told = facts.approved(
        agency_id=agency_id,
        timesheet=timesheet,
        version=state.version,
        placement=placement,
        charged=charged,
        by=by.kind,
        evidence_id=proof["evidence_id"],
        at=tx.now,
        amends=(timesheet.state.version, reason_code),
    )
    await store.remove_entries(tx, agency_id=agency_id, timesheet_id=timesheet_id)
    await store.remove_expenses(tx, agency_id=agency_id, timesheet_id=timesheet_id)
    await store.insert_entries(tx, agency_id=agency_id, entries=after.entries[timesheet_id])
    await store.insert_expenses(tx, agency_id=agency_id, expenses=after.expenses[timesheet_id])
    await store.insert_evidence(tx, agency_id=agency_id, evidence=[proof])
    version = _version(told, placement, charged, shown) | {"reason_code": reason_code, "reason": state.reason}
    await store.insert_versions(tx, agency_id=agency_id, versions=[version])
    await store.save_states(
        tx, agency_id=agency_id, changes=[replace(_change(timesheet, state, charged), reason_code=reason_code)]
    )
    tx.emit(told, sequence=timesheet.sequence + 1)
    return state.version


async def locked(tx: Tx, *, agency_id: UUID, timesheet_id: UUID) -> Timesheet:
    """One timesheet, held for a change. Raises a 404 problem."""
    found = await store.load(tx, agency_id=agency_id, ids=[timesheet_id], lock=True)
    if timesheet_id not in found:
        raise not_found("timesheet", timesheet_id)
    return found[timesheet_id]


def _each(
    ids: Sequence[UUID],
    found: Mapping[UUID, Timesheet],
    one: Callable[[Timesheet], None],
    *,
    already: type[WorkflowRefused],
) -> list[Receipt]:
    """Try each once, in the order given; the same id again is a duplicate."""
    receipts: list[Receipt] = []
    done: set[UUID] = set()
    for timesheet_id in ids:
        timesheet = found.get(timesheet_id)
        if timesheet is None:
            receipts.append(_unknown(timesheet_id))
        elif timesheet_id in done:
            receipts.append(Receipt(timesheet_id, "duplicate", timesheet.reference))
        else:
            done.add(timesheet_id)
            try:
                one(timesheet)
                receipts.append(Receipt(timesheet_id, "accepted", timesheet.reference))
            except already as error:
                receipts.append(Receipt(timesheet_id, "duplicate", timesheet.reference, error.code, str(error)))
            except (WorkflowRefused, EntryBlocked, *ANTICIPATED) as error:
                receipts.append(refused(timesheet_id, error, timesheet.reference))
    return receipts


def _change(timesheet: Timesheet, state: workflow.TimesheetState, charged: Interpretation) -> Change:
    return Change(
        timesheet.timesheet_id,
        state,
        timesheet.sequence + 1,
        minutes=charged.worked_minutes,
        pay_gbp=from_pence(charged.pay_pence),
        charge_gbp=from_pence(charged.charge_pence),
    )


def _check_seen(timesheet: Timesheet, shown: Mapping[str, Any], seen: Mapping[UUID, str] | None) -> None:
    if seen is not None and seen.get(timesheet.timesheet_id) != seen_sha256(shown):
        raise SeenHasChanged(timesheet.state)


def _version(
    told: ApprovedFacts, placement: PlacementFacts, charged: Interpretation, shown: Mapping[str, Any]
) -> dict[str, Any]:
    """What is kept of an approved version: what its event tells, with the entries that were decided on."""
    return {
        "timesheet_id": told.timesheet_id,
        "version": told.version,
        "approved_at": told.approved_at,
        "approved_by": told.approved_by,
        "evidence_id": told.evidence_id,
        "reason_code": None,
        "reason": None,
        "placement": facts.placement_to_dict(placement),
        "entries": shown["entries"],
        "lines": [
            store.line_to_dict(line, wire.charge_line_id) for line, wire in zip(charged.lines, told.lines, strict=True)
        ],
        "worked_minutes": charged.worked_minutes,
        "payable_minutes": charged.payable_minutes,
        "billable_minutes": charged.billable_minutes,
        "payable_units": str(charged.payable_units),
        "billable_units": str(charged.billable_units),
        "pay_gbp": str(from_pence(charged.pay_pence)),
        "charge_gbp": str(from_pence(charged.charge_pence)),
    }


def _work_after(
    timesheet: Timesheet, before: Work, entries: Sequence[Entry], expenses: Sequence[tuple[Expense, str | None]]
) -> Work:
    worker_id = timesheet.placement.worker_id
    return Work(
        entries={
            timesheet.timesheet_id: [
                StoredEntry(new_id(), timesheet.timesheet_id, worker_id, number, entry)
                for number, entry in enumerate(entries, 1)
            ]
        },
        expenses={
            timesheet.timesheet_id: [
                StoredExpense(new_id(), timesheet.timesheet_id, number, description, expense)
                for number, (expense, description) in enumerate(expenses, 1)
            ]
        },
        cards=before.cards,
    )


def _content(work: Work) -> list[list[str]]:
    """What a week says, without ids and order: two amendments to the same content are the same amendment."""
    return [
        sorted(json.dumps(entry_to_dict(one.entry), sort_keys=True) for rows in work.entries.values() for one in rows),
        sorted(repr((_money(one.expense), one.description)) for rows in work.expenses.values() for one in rows),
    ]


def _money(expense: Expense) -> tuple[str, ...]:
    return (
        expense.on.isoformat(),
        expense.code,
        f"{expense.pay_gbp:.2f}",
        f"{expense.charge_gbp:.2f}",
        expense.applies.value,
    )


async def _lock_worker_of(tx: Tx, *, agency_id: UUID, timesheet_id: UUID) -> None:
    found = await store.load(tx, agency_id=agency_id, ids=[timesheet_id])
    if timesheet_id not in found:
        raise not_found("timesheet", timesheet_id)
    await store.lock_workers(tx, agency_id=agency_id, worker_ids=[found[timesheet_id].placement.worker_id])
