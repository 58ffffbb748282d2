"""Close a pay run: prove the totals, fix the cut-off, then finalise workers chunk by chunk, all or nothing for each.

`open_run` is one transaction and `close_chunk` is one each; whoever is interrupted, anybody calls `close_chunk` again until it says
that nothing is left. Calling for a week that is closed gives the closed run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from pay_calc.domain.decide import totals_of
from pay_calc.domain.holiday_pay import HolidayPay
from pay_calc.domain.minimum_wage_findings import MinimumWageFinding, seen_of, unacknowledged
from pay_calc.domain.pay_dates import DAY, banking_day_at_or_before, payday_of, period_to_of
from pay_calc.domain.slips import SlipResult
from pay_calc.domain.statutory import StatutoryPay
from pay_calc.rates import parameters_on
from pay_calc.store import acknowledgements, facts, leave, runs, slips, standing, statutory
from pay_calc.store import connected as connected_store
from pay_calc.store.facts import Key
from pay_calc.usecases.connected import earned
from pay_calc.usecases.recalculate import Drafted, figures_of, recalculate
from paybill_common.db import Tx
from paybill_common.ids import derived_id
from paybill_contracts.pay import PayFinalised, PayHeld, PayRunClosed

CONSUMER = "pay-calc"
CHUNK_WORKERS = 250
_dumps = json.JSONEncoder(separators=(",", ":")).encode
COMPARED = ("timesheets", "payable_minutes", "payable_units", "pay_gbp")


class WeekNotCutOff(Exception):
    """No cut-off of the week has arrived, so nobody can say that all of its timesheets have."""


class AnotherRunCloses(Exception):
    """Another pay run of the agency is being closed; only one closes at a time."""


class EarlierWeekOpen(Exception):
    """An earlier week has pay that no run has closed: tax to date would be worked in the wrong order."""


@dataclass
class TotalsDiffer(Exception):
    """Our totals of the week are not those of its cut-off, and nobody has accepted the difference by name."""

    own: dict[str, Any]
    control: dict[str, Any]


@dataclass
class MinimumWageNotAcknowledged(Exception):
    """These payslips are below the minimum wage or could not be tested, and nobody has put a name to them. `looked_at`: somebody did to
    others, which they are no more."""

    findings: list[MinimumWageFinding]
    looked_at: bool


@dataclass(frozen=True)
class Acceptance:
    """Who accepts a difference of totals, and why."""

    by: str
    reason: str


@dataclass(frozen=True)
class Acknowledgement:
    """Who lets pay proceed that is below the minimum wage or could not be tested, and why. `seen`: the mark of what they looked at."""

    by: str
    reason: str
    seen: str


def differences(own: dict[str, Any], control: dict[str, Any]) -> dict[str, Any]:
    """Own less control for each compared total that is not equal."""
    return {name: own[name] - control[name] for name in COMPARED if own[name] != control[name]}


async def open_run(
    tx: Tx,
    *,
    agency_id: UUID,
    week_ending: date,
    accept: Acceptance | None,
    by: str,
    external_id: str | None = None,
    acknowledge: Acknowledgement | None = None,
) -> UUID:
    """Start to close a week, or find the run that did. Raises WeekNotCutOff, EarlierWeekOpen, TotalsDiffer, MinimumWageNotAcknowledged,
    AnotherRunCloses, EngineError (no statutory figures or bank holidays for the payday)."""
    await facts.own_agency(tx, agency_id)
    period_to = period_to_of(week_ending)
    known = await runs.by_period(tx, agency_id=agency_id, period_to=period_to)
    if known is not None:
        await _acknowledge_later(tx, agency_id=agency_id, period_to=period_to, acknowledge=acknowledge, by=by)
        return UUID(str(known.pay_run_id))
    if await runs.closing_of(tx, agency_id=agency_id) is not None:
        raise AnotherRunCloses(f"another pay run of agency {agency_id} is closing; wait until it is closed")
    earlier = await runs.earliest_payable(tx, agency_id=agency_id, before=period_to)
    if earlier is not None:
        raise EarlierWeekOpen(
            f"{earlier.slips} payslips and self-bills of the week ending {earlier.period_to - DAY} wait for their own pay run"
        )
    control = await facts.control_totals(tx, agency_id=agency_id, week_ending=week_ending)
    if control is None:
        raise WeekNotCutOff(f"the week ending {week_ending} has not been cut off: its control totals have not arrived")
    own = await facts.week_totals(tx, agency_id=agency_id, week_ending=week_ending)
    differ = bool(differences(own, control))
    if differ and accept is None:
        raise TotalsDiffer(own, control)
    waiting = unacknowledged(await acknowledgements.findings(tx, agency_id=agency_id, period_to=period_to))
    if waiting and (acknowledge is None or acknowledge.seen != seen_of(waiting)):
        raise MinimumWageNotAcknowledged(waiting, looked_at=acknowledge is not None)
    calendar = (await facts.load_agencies(tx, [agency_id]))[agency_id]
    payday_on = payday_of(week_ending, calendar.payday_days_after)
    parameters_on(payday_on)
    pay_run_id = derived_id("pay_run", agency_id, period_to)
    await runs.open_run(
        tx,
        agency_id=agency_id,
        pay_run_id=pay_run_id,
        external_id=external_id,
        week_ending=week_ending,
        period_to=period_to,
        payday_on=payday_on,
        funds_on=banking_day_at_or_before(payday_on),
        control={name: control[name] for name in COMPARED},
        own=own,
        accepted_by=accept.by if differ and accept is not None else None,
        accepted_reason=accept.reason if differ and accept is not None else None,
        opened_by=by,
        now=tx.now,
    )
    if waiting and acknowledge is not None:
        await _acknowledge(tx, agency_id=agency_id, waiting=waiting, acknowledge=acknowledge, by=by)
    return pay_run_id


async def _acknowledge_later(
    tx: Tx, *, agency_id: UUID, period_to: date, acknowledge: Acknowledgement | None, by: str
) -> None:
    """What came up while the run closed was paid all the same, for the worker is owed at least that; a name can be put to it afterwards.
    The same close sent again looked at what the run was opened with, so it changes nothing."""
    if acknowledge is None:
        return
    waiting = unacknowledged(await acknowledgements.findings(tx, agency_id=agency_id, period_to=period_to))
    if waiting and acknowledge.seen == seen_of(waiting):
        await _acknowledge(tx, agency_id=agency_id, waiting=waiting, acknowledge=acknowledge, by=by)


async def _acknowledge(
    tx: Tx, *, agency_id: UUID, waiting: list[MinimumWageFinding], acknowledge: Acknowledgement, by: str
) -> None:
    await acknowledgements.insert(
        tx,
        agency_id=agency_id,
        findings=waiting,
        by=acknowledge.by,
        reason=acknowledge.reason,
        recorded_by=by,
        now=tx.now,
    )


async def close_chunk(tx: Tx, *, agency_id: UUID, pay_run_id: UUID, most: int = CHUNK_WORKERS) -> bool:
    """Finalise the next workers of a closing run; True when it is closed. Needs the worker role, which sees parked events."""
    run = await runs.by_id(tx, agency_id=agency_id, pay_run_id=pay_run_id, lock=True)
    if run is None:
        raise LookupError(f"agency {agency_id} has no pay run {pay_run_id}")
    if run.state == "closed":
        return True
    workers = await runs.next_workers(tx, agency_id=agency_id, pay_run_id=pay_run_id, most=most)
    if not workers:
        _tell_closed(tx, await runs.close(tx, agency_id=agency_id, pay_run_id=pay_run_id, now=tx.now))
        return True
    keys = await facts.lock_workers(tx, [(agency_id, worker) for worker in workers])
    tells = await connected_store.hold_people(tx, keys)
    parked = await facts.parked_keys(tx, consumer=CONSUMER, keys=[str(worker) for _, worker in keys])
    drafted = await recalculate(tx, keys=keys)
    outcomes = await _finalise(tx, run, drafted, parked)
    if tells:
        done = {worker_id for worker_id, outcome, *_ in outcomes if outcome == "finalised"}
        ours = [
            earned(worker_id, draft)
            for (_, worker_id), mine in drafted.items()
            for draft in mine
            if worker_id in done and draft.slip.period_to == run.period_to
        ]
        await connected_store.tell(tx, agency_id=agency_id, rows=[each for each in ours if each is not None])
    await runs.mark_done(tx, agency_id=agency_id, pay_run_id=pay_run_id, outcomes=outcomes)
    rest = await facts.open_workers(tx, agency_id=agency_id, workers=[worker for _, worker in keys])
    if rest:
        await recalculate(tx, keys=rest)
    return False


async def _finalise(
    tx: Tx, run: Any, drafted: dict[Key, list[Drafted]], parked: set[str]
) -> list[tuple[UUID, str, str | None, int, int]]:
    outcomes: list[tuple[UUID, str, str | None, int, int]] = []
    final: list[slips.Final] = []
    paid: list[dict[str, Any]] = []
    settled: list[tuple[UUID, int, UUID | None]] = []
    to_date: list[slips.ToDateRow] = []
    attached: list[standing.Taken] = []
    statutory_paid: list[tuple[StatutoryPay, UUID]] = []
    deducted: list[tuple[UUID, int]] = []
    holiday_paid: list[tuple[HolidayPay, UUID]] = []
    moved: list[leave.NewEntry] = []
    for (_, worker_id), mine in drafted.items():
        ours = [draft for draft in mine if draft.slip.period_to == run.period_to]
        if str(worker_id) in parked:
            held = [version for draft in ours for version in (*draft.slip.paid, *(v for v, _ in draft.slip.held))]
            outcomes.append(
                (worker_id, "left_out", "parked_events", len(held), sum(version.minutes for version in held))
            )
            continue
        outcome = "nothing_payable"
        reason = None
        timesheets = minutes = 0
        for draft in ours:
            for waiting, _ in draft.slip.statutory_held:
                reason = "holiday_pay_held" if isinstance(waiting, HolidayPay) else "statutory_pay_held"
            counted = totals_of(draft.slip.held)
            timesheets, minutes = timesheets + counted[0], minutes + counted[1]
            worked = draft.slip.result is not None
            settled.extend(
                (version.timesheet_id, version.version, draft.payslip_id if worked else None)
                for version in draft.slip.paid
            )
            if worked:
                outcome = "finalised"
                final.append(_final(tx, run, worker_id, draft))
                paid.extend(_paid(draft))
                to_date.extend(_to_date(worker_id, draft))
                attached.extend(_attached(draft))
                deducted.extend(_deducted(draft))
                for week in draft.slip.statutory:
                    if isinstance(week, HolidayPay):
                        holiday_paid.append((week, draft.payslip_id))
                    else:
                        statutory_paid.append((week, draft.payslip_id))
                moved.extend(_moved(worker_id, draft))
        outcomes.append((worker_id, outcome, reason, timesheets, minutes))
    years = await slips.add_to_date(tx, agency_id=run.agency_id, rows=to_date)
    await slips.finalise(
        tx,
        agency_id=run.agency_id,
        pay_run_id=run.pay_run_id,
        rows=final,
        to_date={payslip_id: _dumps(year) for payslip_id, year in years.items()},
        now=tx.now,
    )
    await slips.insert_paid(tx, agency_id=run.agency_id, rows=paid)
    await slips.settle(tx, agency_id=run.agency_id, settled=settled)
    await standing.add_taken(tx, agency_id=run.agency_id, rows=attached)
    await standing.add_deducted(tx, agency_id=run.agency_id, rows=deducted)
    await statutory.settle(tx, agency_id=run.agency_id, settled=statutory_paid)
    await leave.settle(tx, agency_id=run.agency_id, settled=holiday_paid)
    await leave.insert_entries(tx, agency_id=run.agency_id, rows=moved, by=f"pay run {run.pay_run_id}")
    return outcomes


def _final(tx: Tx, run: Any, worker_id: UUID, draft: Drafted) -> slips.Final:
    slip = draft.slip
    assert slip.inp is not None
    revision = draft.revision + 1
    figures = figures_of(
        agency_id=run.agency_id, worker_id=worker_id, payslip_id=draft.payslip_id, revision=revision, slip=slip
    )
    figures |= {"pay_run_id": run.pay_run_id, "finalised_at": tx.now}
    tx.emit(PayFinalised.model_validate(figures), sequence=revision)
    if slip.held:
        revision += 1
        tx.emit(
            PayHeld(
                agency_id=run.agency_id,
                worker_id=worker_id,
                payslip_id=draft.payslip_id,
                period_to=slip.period_to,
                held=(),
            ),
            sequence=revision,
        )
    return slips.Final(draft.payslip_id, revision, _dumps(slip.inp.as_json()))


def _paid(draft: Drafted) -> list[dict[str, Any]]:
    slip = draft.slip
    assert slip.inp is not None
    assert slip.result is not None
    return [
        {
            "charge_line_id": UUID(charge.charge_line_id),
            "version": charge.version,
            "reverses": charge.reverses,
            "timesheet_id": UUID(charge.timesheet_id),
            "payslip_id": draft.payslip_id,
            "pay_basis": slip.pay_basis,
            "payee_id": slip.payee_id,
            "minutes": charge.minutes,
            "pay_pence": share,
            "rounding_pence": moved,
            "line": _dumps(charge.as_json()),
        }
        for charge, (share, moved) in zip(slip.inp.charges, slip.result.shares, strict=True)
    ]


def _to_date(worker_id: UUID, draft: Drafted) -> list[slips.ToDateRow]:
    slip = draft.slip
    assert slip.inp is not None
    assert slip.result is not None
    employee, result = slip.inp.employee, slip.result
    if employee is None or result.tax_year is None or result.ni_letter is None:
        return []
    figures = result.figures
    if slip.pay_basis != "paye":  # a deemed payment is what its employment paid, whatever else the company's slip holds
        taken = figures["tax_pence"] + figures["employee_nic_pence"]
        figures = {**figures, "gross_pence": figures["taxable_pence"], "net_pence": figures["taxable_pence"] - taken}
    return [
        slips.ToDateRow(
            payslip_id=draft.payslip_id,
            worker_id=worker_id,
            tax_year=result.tax_year,
            employment_no=employee.employment_no,
            letter=result.ni_letter,
            sums={name: figures.get(name, 0) for name in slips.SUMS},
            nic=_nic_by_letter(result, result.ni_letter),
        )
    ]


def _nic_by_letter(result: SlipResult, letter: str) -> dict[str, Mapping[str, int]]:
    """What the payslip adds to each letter's year: to its own, unless it says that it moves several."""
    if result.nic_parts:
        return {part["letter"]: {name: part[name] for name in slips.NIC_SUMS} for part in result.nic_parts}
    at_lel, lel_to_pt, pt_to_uel = result.bands
    return {
        letter: {
            "niable_pence": result.figures["niable_pence"],
            "at_lel_pence": at_lel,
            "lel_to_pt_pence": lel_to_pt,
            "pt_to_uel_pence": pt_to_uel,
            "employee_pence": result.figures["employee_nic_pence"],
            "employer_pence": result.figures["employer_nic_pence"],
        }
    }


def _attached(draft: Drafted) -> list[standing.Taken]:
    assert draft.slip.result is not None
    return [
        standing.Taken(UUID(each["order_id"]), each["deducted_pence"], each["shortfall_pence"])
        for each in draft.slip.result.attachments
    ]


def _deducted(draft: Drafted) -> list[tuple[UUID, int]]:
    assert draft.slip.result is not None
    return [(UUID(each["deduction_id"]), each["taken_pence"]) for each in draft.slip.result.deductions]


def _moved(worker_id: UUID, draft: Drafted) -> list[leave.NewEntry]:
    """What the payslip brings to its worker's leave ledger."""
    assert draft.slip.result is not None
    entries = () if draft.slip.result.leave is None else draft.slip.result.leave["entries"]
    return [leave.NewEntry(draft.payslip_id, worker_id, draft.payslip_id, entry) for entry in entries]


def _tell_closed(tx: Tx, run: Any) -> None:
    tx.emit(
        PayRunClosed(
            agency_id=run.agency_id,
            pay_run_id=run.pay_run_id,
            period_to=run.period_to,
            payday_on=run.payday_on,
            funds_on=run.funds_on,
            closed_at=run.closed_at,
            payslips=run.payslips,
            self_bills=run.self_bills,
            held_timesheets=run.held_timesheets,
            gross_gbp=run.gross_gbp,
            net_gbp=run.net_gbp,
            paid_minutes=run.paid_minutes,
            held_minutes=run.held_minutes,
            difference_accepted=run.difference_accepted,
        ),
        sequence=1,
    )
