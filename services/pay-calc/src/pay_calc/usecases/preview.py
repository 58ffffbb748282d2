"""A pay run before it is closed: totals, the difference to the cut-off, and everything that a person should look at first."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from pay_calc.domain.decide import first_open_period
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.minimum_wage_findings import Acknowledged, MinimumWageSummary, summary_of
from pay_calc.domain.pay_dates import banking_day_at_or_before, payday_of, period_to_of
from pay_calc.store import acknowledgements, facts, pension_records, review, runs
from pay_calc.usecases import leave
from pay_calc.usecases.close_run import CONSUMER, differences
from pay_calc.usecases.replay import load_json
from pay_calc.usecases.statutory import held_of_period
from paybill_common.db import Tx

OVER_HOURS_MINUTES = 60 * 60
ITEMS_MAX = 500
FINDINGS = (
    "missing_pay_profile",
    "missing_bank_details",
    "nil_or_negative_pay",
    "over_60_hours",
    "below_minimum_wage",
    "minimum_wage_not_tested",
    "unsupported",
    "awaiting_clearance",
    "held",
    "late_or_corrected",
    "statutory_pay_held",
    "pension_to_enrol",
    "pension_to_write_to",
    "holiday_pay_held",
    "leave_given_twice",
    "parked_events",
)


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to look at. `detail` says it in a few words; `acknowledged`: who put a name to it, where a close asks for one."""

    worker_id: UUID
    worker: str | None
    payslip_id: UUID | None
    timesheet_id: UUID | None
    code: str
    detail: str
    minutes: int
    pay_gbp: Decimal
    acknowledged: Acknowledged | None = None


@dataclass(slots=True)
class Finding:
    count: int = 0
    items: list[Item] = field(default_factory=list)

    def add(self, item: Item) -> None:
        self.count += 1
        if len(self.items) < ITEMS_MAX:
            self.items.append(item)


@dataclass(slots=True)
class Preview:
    """`control` None: the week is not cut off yet. `matches`: a close needs nobody to accept a difference."""

    week_ending: date
    period_to: date
    payday_on: date
    funds_on: date | None
    state: str
    pay_run_id: UUID | None
    own: dict[str, Any]
    control: dict[str, Any] | None
    difference: dict[str, Any]
    people: int
    payslips: int
    self_bills: int
    gross_gbp: Decimal
    net_gbp: Decimal
    cost_gbp: Decimal
    payable_minutes: int
    held_timesheets: int
    held_minutes: int
    minimum_wage: MinimumWageSummary
    findings: dict[str, Finding]

    @property
    def matches(self) -> bool:
        return self.control is not None and not self.difference


async def preview(tx: Tx, *, agency_id: UUID, week_ending: date) -> Preview:
    """Read everything that a close would act on. Needs the worker role, which sees parked events."""
    period_to = period_to_of(week_ending)
    run = await runs.by_period(tx, agency_id=agency_id, period_to=period_to)
    own = await facts.week_totals(tx, agency_id=agency_id, week_ending=week_ending)
    control = await facts.control_totals(tx, agency_id=agency_id, week_ending=week_ending)
    calendar = (await facts.load_agencies(tx, [agency_id]))[agency_id]
    payday_on = payday_of(week_ending, calendar.payday_days_after) if run is None else run.payday_on
    try:
        funds_on: date | None = banking_day_at_or_before(payday_on)
    except EngineError:
        funds_on = None
    totals = await review.totals(tx, agency_id=agency_id, period_to=period_to)
    minimum_wage = await acknowledgements.findings(tx, agency_id=agency_id, period_to=period_to)
    found = Preview(
        week_ending=week_ending,
        period_to=period_to,
        payday_on=payday_on,
        funds_on=funds_on,
        state="open" if run is None else run.state,
        pay_run_id=None if run is None else run.pay_run_id,
        own=own,
        control=control,
        difference={} if control is None else differences(own, control),
        people=totals.people,
        payslips=totals.payslips,
        self_bills=totals.self_bills,
        gross_gbp=totals.gross_gbp,
        net_gbp=totals.net_gbp,
        cost_gbp=totals.cost_gbp,
        payable_minutes=totals.minutes,
        held_timesheets=totals.held_timesheets,
        held_minutes=totals.held_minutes,
        minimum_wage=summary_of(minimum_wage),
        findings={code: Finding() for code in FINDINGS},
    )
    for each in minimum_wage:
        found.findings[each.code].add(
            Item(
                each.worker_id,
                each.worker,
                each.payslip_id,
                None,
                each.code,
                each.detail,
                each.worked_minutes,
                each.gross_gbp,
                each.acknowledged,
            )
        )
    await _look(tx, agency_id, found)
    await _await_decisions(tx, agency_id, found, calendar.shut)
    return found


async def _await_decisions(tx: Tx, agency_id: UUID, found: Preview, shut: frozenset[date]) -> None:
    """Count the timesheets of the period that no draft names yet, because compliance has not decided on them."""
    code = "awaiting_clearance"
    for row in await review.awaiting(tx, agency_id=agency_id):
        if first_open_period(row.week_ending, shut) == found.period_to:
            found.held_timesheets += 1
            found.held_minutes += row.minutes
            found.findings[code].add(
                Item(
                    row.worker_id,
                    row.display_name,
                    None,
                    row.timesheet_id,
                    code,
                    _words(code),
                    row.minutes,
                    row.pay_gbp,
                )
            )


async def _look(tx: Tx, agency_id: UUID, found: Preview) -> None:
    for row in await review.held(tx, agency_id=agency_id, period_to=found.period_to):
        for held in load_json(row.held):
            codes = [reason["code"] for reason in held["reasons"]]
            for code in codes:
                found.findings[_class_of(code)].add(
                    _item(row, code, _words(code), held["minutes"], held["pay_pence"], held["timesheet_id"])
                )
    for row in await review.worth_a_look(
        tx, agency_id=agency_id, period_to=found.period_to, minutes=OVER_HOURS_MINUTES
    ):
        _judge(found, row)
    for worker_id, week, codes in await held_of_period(tx, agency_id=agency_id, period_to=found.period_to):
        detail = f"{week.kind} of the week ending {week.week_ending}: {', '.join(_words(code) for code in codes)}"
        found.findings["statutory_pay_held"].add(Item(worker_id, None, None, None, codes[0], detail, 0, Decimal(0)))
    for row in await pension_records.to_look_at(
        tx, agency_id=agency_id, period_to=found.period_to, most=review.ROWS_MAX
    ):
        told = row.action in ("may_opt_in", "may_join", "postponed")
        code = "pension_to_write_to" if told else "pension_to_enrol"
        detail = f"{row.words}; the pay profile has no terms" if row.action == "keep" else row.words
        found.findings[code].add(_item(row, row.action, detail, 0))
    for worker_id, pay, codes in await leave.held_of_period(tx, agency_id=agency_id, period_to=found.period_to):
        detail = f"leave of the week ending {pay.week_ending}: {', '.join(_words(code) for code in codes)}"
        found.findings["holiday_pay_held"].add(Item(worker_id, None, None, None, codes[0], detail, 0, Decimal(0)))
    for row in await review.leave_given_twice(tx, agency_id=agency_id, period_to=found.period_to):
        detail = "the placement gives holiday by the hour, the contract 5.6 weeks a year: set the placement's to none unless both are meant"
        found.findings["leave_given_twice"].add(_item(row, "leave_given_twice", detail, row.minutes))
    workers = await review.workers(tx, agency_id=agency_id, period_to=found.period_to)
    parked = await facts.parked_keys(tx, consumer=CONSUMER, keys=[str(worker) for worker in workers])
    for key in sorted(parked):
        found.findings["parked_events"].add(
            Item(UUID(key), None, None, None, "parked_events", _words("parked_events"), 0, Decimal(0))
        )


def _judge(found: Preview, row: Any) -> None:
    if row.net_gbp <= 0:
        found.findings["nil_or_negative_pay"].add(_item(row, "nil_pay", f"net pay is {row.net_gbp}", row.minutes))
    if row.worked_minutes > OVER_HOURS_MINUTES:
        hours, minutes = divmod(row.worked_minutes, 60)
        found.findings["over_60_hours"].add(
            _item(row, "over_60_hours", f"{hours}:{minutes:02d} hours worked", row.worked_minutes)
        )
    if row.late:
        found.findings["late_or_corrected"].add(
            _item(row, "late_or_corrected", "pays or corrects an earlier week", row.minutes)
        )


def _class_of(code: str) -> str:
    if code in ("missing_pay_profile", "missing_bank_details", "awaiting_clearance"):
        return code
    if code == "negative_pay":
        return "nil_or_negative_pay"
    return "unsupported" if code.startswith("unsupported_") else "held"


def _words(code: str) -> str:
    return {
        "awaiting_clearance": "compliance has not decided on this version yet",
        "missing_pay_profile": "no tax code, NI letter and bank details are stored",
        "missing_bank_details": "no sort code and account number are stored",
        "missing_payee": "the placement names no umbrella, limited company or subcontractor",
        "sds_missing": "the client's status determination of the placement is not on file",
        "deemed_pay_beside_other_pay": "the worker is paid by this agency in another way in the same week",
        "connected_earnings_not_alike": "a connected employer paid the same person under another letter, or as a director",
        "agency_rules_not_decided": "nobody has recorded whether the agency has to run PAYE for the subcontractor (ITEPA 2003 s.44)",
        "agency_rules_apply": "the subcontractor works under supervision, direction or control: the agency has to run PAYE",
        "cis_not_verified": "HMRC's verification of the subcontractor is not on file, or has lapsed",
        "negative_pay": "corrections exceed the pay of the period",
        "correction_of_last_year": "corrections take back pay of an earlier tax year",
        "late_pay_rule_not_set": "a late week needs the agency's rule for late pay on its calendar",
        "parked_events": "events of this worker wait behind a dead letter",
        "pay_basis_changed_after_payment": "the paid version was paid on another basis or to another company",
    }.get(code, code.replace("_", " "))


def _item(
    row: Any, code: str, detail: str, minutes: int, pay_pence: int | None = None, timesheet_id: str | None = None
) -> Item:
    """Of one held timesheet and its pay, or of the whole slip."""
    return Item(
        worker_id=row.worker_id,
        worker=row.display_name,
        payslip_id=row.payslip_id,
        timesheet_id=None if timesheet_id is None else UUID(timesheet_id),
        code=code,
        detail=detail,
        minutes=minutes,
        pay_gbp=row.gross_gbp if pay_pence is None else Decimal(pay_pence).scaleb(-2),
    )
