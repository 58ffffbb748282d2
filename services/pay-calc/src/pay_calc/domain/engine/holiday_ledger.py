"""A worker's leave: the ledger of hours, a week's pay, what is due on leaving, and the record that the law asks to keep.

Source: Working Time Regulations 1998 regs 13, 13A, 14, 15B, 16, 16A and 16B (records, in force 6 April 2026); Employment Rights Act 1996
ss.221 to 224.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import date, timedelta
from typing import Literal

from pay_calc.domain.engine import rounding
from pay_calc.domain.engine.calendar import add_months
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.parameters import YearParameters
from pay_calc.domain.engine.trace import Node, Trace

WEEKS_COUNTED = 52
WEEKS_LOOKED_BACK = 104
RECORD_YEARS = 6
EXACT = 10_000
"""Unrounded leave is kept in minutes x this."""
EARNED = frozenset({"accrued", "absence_accrued", "entitled", "carried_in"})
"""Kinds of movement that give leave; the others use it up."""


# The ledger


@dataclass(frozen=True, slots=True)
class LeaveEntry:
    """One movement of leave in minutes: positive earns or carries in, negative is taken, paid out or lapsed. What corrects an earlier
    accrual keeps its kind and may be negative.

    `exact` is the same movement x 10,000, without rounding; it loses nothing over many short periods.
    """

    on: date
    kind: Literal["accrued", "absence_accrued", "entitled", "carried_in", "taken", "paid_in_lieu", "lapsed"]
    minutes: int
    exact: int
    reference: str = ""


@dataclass(frozen=True, slots=True)
class LeaveBalance:
    """What the ledger holds, minutes. `exact_minutes` is the unrounded balance cut to the minute."""

    accrued_minutes: int
    taken_minutes: int
    left_minutes: int
    exact_minutes: int


def balance(entries: Sequence[LeaveEntry]) -> LeaveBalance:
    """The sum of the ledger. Statutory accrual rounds each pay period to the hour; the exact balance stands beside it."""
    return LeaveBalance(
        sum(entry.minutes for entry in entries if entry.kind in EARNED),
        -sum(entry.minutes for entry in entries if entry.kind not in EARNED),
        sum(entry.minutes for entry in entries),
        rounding.leave_floor_minute(sum(entry.exact for entry in entries), EXACT),
    )


def accrue_period(
    parameters: YearParameters, period_to: date, minutes_worked: int, trace: Trace | None = None
) -> LeaveEntry:
    """Leave of one pay period of an irregular-hours or part-year worker, at its last day: 12.07 % of hours worked, to the hour."""
    return _accrued(
        parameters, period_to, "accrued", minutes_worked, minutes_worked * parameters.holiday_rolled_up_bp, 10000, trace
    )


def accrue_absence(
    parameters: YearParameters,
    period_to: date,
    absent_days: int,
    minutes_of_52_weeks: Sequence[int],
    trace: Trace | None = None,
) -> LeaveEntry:
    """Leave that accrues in sickness or family leave: 12.07 % of the average week's hours over the relevant weeks before it, for each
    week or part of one. `minutes_of_52_weeks`: hours of up to 52 weeks before, those with any work or pay. Source: reg. 15B(4) to (7)."""
    if absent_days < 0 or not 1 <= len(minutes_of_52_weeks) <= WEEKS_COUNTED:
        raise EngineError(
            "no_weeks_to_average",
            "Absence accrues leave at the average of 1 to 52 weeks before it.",
            "minutes_of_52_weeks",
        )
    total = sum(minutes_of_52_weeks)
    scaled = total * parameters.holiday_rolled_up_bp * absent_days
    return _accrued(
        parameters, period_to, "absence_accrued", total, scaled, 10000 * len(minutes_of_52_weeks) * 7, trace
    )


def _accrued(
    parameters: YearParameters,
    on: date,
    kind: Literal["accrued", "absence_accrued"],
    minutes: int,
    numerator: int,
    denominator: int,
    trace: Trace | None,
) -> LeaveEntry:
    if minutes < 0:
        raise EngineError("negative_hours", "Hours worked may not be negative in an accrual.", "minutes_worked")
    hours = rounding.leave_half_up_hour(numerator, denominator * 60)
    if trace is not None:
        worked = trace.given(
            "leave.minutes", "Minutes worked", minutes, "minutes", "of the pay period or the weeks before"
        )
        node = Node("leave.hours", "Leave earned, to the hour", "ratio", hours, "hours",
                    f"hours x {parameters.holiday_rolled_up_bp // 100}.{parameters.holiday_rolled_up_bp % 100:02d} %", (), (worked,),
                    factors=(numerator // minutes if minutes else 0,), divisor=denominator * 60, rounding="leave_half_up_hour")  # fmt: skip
        trace.push(
            Node("leave.accrued", "Leave earned", "sum", hours * 60, "minutes", "whole hours", (), (node,), (60,))
        )
    return LeaveEntry(on, kind, hours * 60, numerator * EXACT // denominator)


def take(entries: Sequence[LeaveEntry], on: date, minutes: int, reference: str, in_advance: bool = False) -> LeaveEntry:
    """Leave taken. More than the balance is refused as `leave_exceeds_balance`, unless the agency grants it in advance."""
    if minutes <= 0:
        raise EngineError("no_hours", "Leave taken is more than no minutes.", "minutes")
    left = balance(entries).left_minutes
    if minutes > left and not in_advance:
        raise EngineError(
            "leave_exceeds_balance", f"{minutes} minutes of leave are asked for, {max(0, left)} are left.", "minutes"
        )
    return LeaveEntry(on, "taken", -minutes, -minutes * EXACT, reference)


# A week's pay


WeekReason = Literal["paid", "unpaid", "sick", "family"]


@dataclass(frozen=True, slots=True)
class PastWeek:
    """One past week, by its last day. `sick` and `family`: any part of it on statutory sick or family pay, so the week does not count."""

    ends_on: date
    reason: WeekReason
    pence: int
    minutes: int = 0


@dataclass(frozen=True, slots=True)
class AverageWeek:
    """A week's pay, pence to the nearest, over `weeks_counted` weeks, and the minutes that they worked in sum."""

    week_pence: int
    total_pence: int
    total_minutes: int
    weeks_counted: int
    first_week_on: date
    last_week_on: date


def average_week(weeks: Sequence[PastWeek], leave_starts_on: date, trace: Trace | None = None) -> AverageWeek:
    """The average of the last 52 weeks that count before leave starts, looking back at most 104: unpaid weeks and weeks on statutory sick
    or family pay are skipped, and earlier ones taken instead. Fewer than 52 are averaged over what there is; none is refused."""
    days = [week.ends_on for week in weeks]
    if len(set(days)) != len(days):
        raise EngineError("weeks_doubled", "A past week was given twice.", "weeks")
    earliest = leave_starts_on - timedelta(weeks=WEEKS_LOOKED_BACK)
    latest_first = sorted(
        (week for week in weeks if earliest <= week.ends_on < leave_starts_on),
        key=lambda week: week.ends_on,
        reverse=True,
    )
    counted = [week for week in latest_first if week.reason == "paid"][:WEEKS_COUNTED]
    if not counted:
        raise EngineError(
            "no_weeks_to_average",
            f"No paid week in the {WEEKS_LOOKED_BACK} before {leave_starts_on}: the contract's week decides.",
            "weeks",
        )
    total = sum(week.pence for week in counted)
    pence = rounding.average_half_up_penny(total, len(counted))
    if trace is not None:
        pay = trace.given(
            "holiday.weeks", "Pay of the weeks that count", total, "pence", "paid weeks, the latest first",
            (("weeks", str(len(counted))), ("from", str(counted[-1].ends_on)), ("to", str(counted[0].ends_on))),
        )  # fmt: skip
        trace.push(
            Node("holiday.week", "A week's holiday pay", "ratio", pence, "pence", "pay / weeks", (), (pay,), factors=(1,),
                 divisor=len(counted), rounding="average_half_up_penny")
        )  # fmt: skip
    return AverageWeek(
        pence, total, sum(week.minutes for week in counted), len(counted), counted[-1].ends_on, counted[0].ends_on
    )


def pay_for_leave(average: AverageWeek, minutes: int, trace: Trace | None = None) -> int:
    """Pay for minutes of leave at the average pay of a minute worked in the same weeks, pence."""
    if average.total_minutes <= 0:
        raise EngineError("no_hours", "The weeks averaged hold no hours: pay leave by weeks, not by hours.", "minutes")
    pence = rounding.average_half_up_penny(average.total_pence * minutes, average.total_minutes)
    if trace is not None:
        pay = trace.given("holiday.total", "Pay of the weeks that count", average.total_pence, "pence", "paid weeks")
        trace.push(
            Node("holiday.leave", "Pay for leave", "ratio", pence, "pence", "pay / minutes worked x minutes of leave", (), (pay,),
                 factors=(minutes,), divisor=average.total_minutes, rounding="average_half_up_penny")
        )  # fmt: skip
    return pence


# On leaving


@dataclass(frozen=True, slots=True)
class PaymentOnLeaving:
    """Leave left at termination and its pay. Negative minutes: more was taken than earned; `pence` is then what may be recovered, negative,
    and zero without an agreement."""

    minutes: int
    pence: int
    words: str


def payment_on_leaving(
    left_minutes: int, average: AverageWeek, recovery_agreement: str = "", trace: Trace | None = None
) -> PaymentOnLeaving:
    """Pay in lieu of leave left, which is lawful only now. Leave taken beyond what was earned is recovered only where a written agreement
    says so (`recovery_agreement` names it). Source: reg. 14(2) and (4)."""
    if left_minutes < 0 and not recovery_agreement:
        return PaymentOnLeaving(
            left_minutes, 0, "more leave was taken than earned, and no agreement lets it be recovered"
        )
    pence = pay_for_leave(average, left_minutes, trace)
    words = f"recovered under {recovery_agreement}" if left_minutes < 0 else "paid in lieu of leave left"
    return PaymentOnLeaving(left_minutes, pence, words)


# The record


@dataclass(frozen=True, slots=True)
class HolidayRecord:
    """What an employer keeps of one worker's leave year to show that leave and its pay were right, six years from making it.

    None or empty: missing, and `missing` names it. Source: Working Time Regulations 1998 reg. 16B (Employment Rights Act 2025 s.35).
    """

    worker_ref: str
    leave_year_from: date
    made_on: date
    entitlement_basis: Literal["irregular_hours", "part_year", "regular_hours"] | None = None
    entitlement_minutes: int | None = None
    accrued_minutes: int | None = None
    taken_minutes: int | None = None
    carried_in_minutes: int | None = None
    carried_out_minutes: int | None = None
    carry_reason: str | None = None
    pay_method: Literal["rolled_up", "paid_when_taken"] | None = None
    paid_pence: int | None = None
    pay_calculation_refs: tuple[str, ...] = field(default=())
    in_lieu_pence: int | None = None

    @property
    def keep_until(self) -> date:
        return add_months(self.made_on, RECORD_YEARS * 12)

    def missing(self) -> tuple[str, ...]:
        """Names of what the record still lacks. A reason for carrying leave is needed only where leave is carried."""
        carried = (self.carried_in_minutes or 0) + (self.carried_out_minutes or 0)
        return tuple(
            each.name
            for each in fields(self)
            if getattr(self, each.name) in (None, ()) and (each.name != "carry_reason" or carried)
        )
