"""A worker's leave on one payslip: what the ledger held before, what this payslip adds and uses up, and what is left.

Accrued leave is 12.07 % of the hours worked in each week, to the hour, with the exact figure beside it. Hours that come or change after
their week was paid make an entry of the difference: so the week's entries always sum to what its hours give.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Protocol

from pay_calc.domain.engine import rounding
from pay_calc.domain.engine.holiday_ledger import EARNED, WEEKS_COUNTED, accrue_absence, accrue_period
from pay_calc.domain.engine.parameters import YearBook, YearParameters, tax_year_of
from pay_calc.domain.engine.trace import Node, Trace
from pay_calc.domain.holiday_pay import HolidayPay, PaidLeave
from pay_calc.domain.statutory import StatutoryPay

EXACT = 10_000


class Hours(Protocol):
    """A charge line, as far as leave asks."""

    @property
    def accrues(self) -> bool: ...
    @property
    def week_ending(self) -> date: ...
    @property
    def minutes(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Span:
    """A recorded absence, both days included, and how many of its days the ledger has counted, from the first on."""

    first_on: date
    last_on: date
    days_counted: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the ledger holds of one worker, minutes. `worked`: by week ending, the minutes that entries stand on."""

    earned_minutes: int = 0
    taken_minutes: int = 0
    exact: int = 0
    worked: Mapping[date, int] = field(default_factory=dict)
    absences: Mapping[str, Span] = field(default_factory=dict)
    empty: bool = True


@dataclass(frozen=True, slots=True)
class AbsentDays:
    """Days of an absence that a payslip's statutory pay brings to the ledger, and the minutes worked in up to 52 weeks before it."""

    record_id: str
    ends_on: date
    days: int
    minutes_of_weeks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """The ledger as one payslip finds it. `worked`: of the weeks whose hours are on the payslip."""

    earned_minutes: int
    taken_minutes: int
    exact: int
    worked: Mapping[date, int]
    absences: tuple[AbsentDays, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "earned_minutes": self.earned_minutes,
            "taken_minutes": self.taken_minutes,
            "exact": self.exact,
            "worked": {week.isoformat(): minutes for week, minutes in sorted(self.worked.items())},
            "absences": [
                [each.record_id, each.ends_on.isoformat(), each.days, list(each.minutes_of_weeks)]
                for each in self.absences
            ],
        }


def standing_of(raw: Mapping[str, Any]) -> Standing:
    """A standing as `Standing.as_json` wrote it."""
    return Standing(
        raw["earned_minutes"],
        raw["taken_minutes"],
        raw["exact"],
        {date.fromisoformat(week): minutes for week, minutes in raw["worked"].items()},
        tuple(
            AbsentDays(record_id, date.fromisoformat(ends_on), days, tuple(minutes))
            for record_id, ends_on, days, minutes in raw["absences"]
        ),
    )


def moved(standing: Standing, by: timedelta) -> Standing:
    """The same standing in another year."""
    return Standing(
        standing.earned_minutes,
        standing.taken_minutes,
        standing.exact,
        {week + by: minutes for week, minutes in standing.worked.items()},
        tuple(
            AbsentDays(each.record_id, each.ends_on + by, each.days, each.minutes_of_weeks)
            for each in standing.absences
        ),
    )


def standing(
    ledger: Ledger, charges: Sequence[Hours], statutory: Sequence[StatutoryPay], holiday: Sequence[HolidayPay]
) -> Standing | None:
    """What a payslip of these parts needs of the ledger; None where nothing on it or before it has to do with accrued leave."""
    accruing = any(charge.accrues for charge in charges)
    if ledger.empty and not accruing and not holiday:
        return None
    weeks = {charge.week_ending for charge in charges if charge.accrues}
    accrues = accruing or any(ledger.worked.values())
    return Standing(
        ledger.earned_minutes,
        ledger.taken_minutes,
        ledger.exact,
        {week: minutes for week, minutes in ledger.worked.items() if week in weeks and minutes},
        tuple(_absent_days(ledger, statutory)) if accrues else (),
    )


def _absent_days(ledger: Ledger, statutory: Sequence[StatutoryPay]) -> list[AbsentDays]:
    """One entry for each absence that is paid for: its days up to the end of what is paid that are not counted yet. So waiting days and
    weeks that bring no pay come with the first week that does."""
    through: dict[str, date] = {}
    for pay in statutory:
        span = ledger.absences.get(pay.record_id)
        if span is not None:
            end = min(span.last_on, pay.week_ending) if pay.kind == "SSP" else pay.dates[-1]
            through[pay.record_id] = max(through.get(pay.record_id, end), end)
    found = []
    for record_id, ends_on in through.items():
        span = ledger.absences[record_id]
        days = (ends_on - span.first_on).days + 1 - span.days_counted
        before = sorted(
            (week for week, minutes in ledger.worked.items() if week < span.first_on and minutes > 0), reverse=True
        )
        if days > 0:
            found.append(
                AbsentDays(record_id, ends_on, days, tuple(ledger.worked[week] for week in before[:WEEKS_COUNTED]))
            )
    return found


@dataclass(frozen=True, slots=True)
class Entry:
    """A movement that the payslip brings to the ledger. `subject` makes it the payslip's only one of its kind: the week whose hours it
    stands on, or the record. `worked_minutes` and `absent_days`: what it stands on; `pence` what was paid for it, `how` by what rate."""

    kind: str
    subject: str
    on: date
    minutes: int
    exact: int
    worked_minutes: int = 0
    absent_days: int = 0
    record_id: str | None = None
    pence: int | None = None
    how: str = ""

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "subject": self.subject,
            "on": self.on.isoformat(),
            "minutes": self.minutes,
            "exact": self.exact,
            "worked_minutes": self.worked_minutes,
            "absent_days": self.absent_days,
            "record_id": self.record_id,
            "amount_pence": self.pence,
            "how": self.how,
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """A payslip's leave worked out: `entries` for the ledger, `paid` in the order of the holiday pay given, and the ledger after it.
    `unknown`: record ids of absences that accrue leave at an average which is not known, no week before them being in the ledger."""

    entries: tuple[Entry, ...]
    paid: tuple[PaidLeave, ...]
    earned_minutes: int
    taken_minutes: int
    exact: int
    unknown: tuple[str, ...]
    nodes: tuple[Node, ...]

    @property
    def left_minutes(self) -> int:
        return self.earned_minutes - self.taken_minutes

    def as_json(self) -> dict[str, Any]:
        return {
            "earned_minutes": self.earned_minutes,
            "taken_minutes": self.taken_minutes,
            "left_minutes": self.left_minutes,
            "left_exact_minutes": rounding.leave_floor_minute(self.exact, EXACT),
            "entries": [entry.as_json() for entry in self.entries],
            "not_accrued": [{"record_id": record, "reason": "no_weeks_to_average"} for record in self.unknown],
        }


def work(
    before: Standing,
    charges: Sequence[Hours],
    holiday: Sequence[HolidayPay],
    years: YearBook,
    payday_on: date,
    *,
    explain: bool = False,
) -> Outcome:
    """Work the leave of one payslip. Raises EngineError for hours below nought, and for leave without a rate."""
    nodes: list[Node] = []
    entries = _worked(before, charges, years, payday_on, nodes, explain)
    unknown = []
    for absent in before.absences:
        if not absent.minutes_of_weeks:
            unknown.append(absent.record_id)
            continue
        trace = Trace() if explain else None
        rules = _rules(years, absent.ends_on, payday_on)
        found = accrue_absence(rules, absent.ends_on, absent.days, absent.minutes_of_weeks, trace)
        entries.append(
            Entry(
                "absence_accrued",
                absent.record_id,
                absent.ends_on,
                found.minutes,
                found.exact,
                absent_days=absent.days,
                record_id=absent.record_id,
                how=f"average of {len(absent.minutes_of_weeks)} weeks before the absence",
            )
        )
        if trace is not None:
            nodes.append(trace.root)
    paid = _used(before, holiday, entries)
    return Outcome(
        tuple(entries),
        paid,
        before.earned_minutes + sum(entry.minutes for entry in entries if entry.kind in EARNED),
        before.taken_minutes - sum(entry.minutes for entry in entries if entry.kind not in EARNED),
        before.exact + sum(entry.exact for entry in entries),
        tuple(unknown),
        tuple(nodes),
    )


def _worked(
    before: Standing,
    charges: Sequence[Hours],
    years: YearBook,
    payday_on: date,
    nodes: list[Node],
    explain: bool,
) -> list[Entry]:
    """Leave of the hours on the payslip: for each week what its hours now give, less what the ledger has of it."""
    minutes: defaultdict[date, int] = defaultdict(int)
    for charge in charges:
        if charge.accrues:
            minutes[charge.week_ending] += charge.minutes
    entries = []
    for week, more in sorted(minutes.items()):
        if not more:
            continue
        trace = Trace() if explain else None
        rules, known = _rules(years, week, payday_on), before.worked.get(week, 0)
        whole = accrue_period(rules, week, known + more, trace)
        earlier = accrue_period(rules, week, known, trace)
        entries.append(
            Entry(
                "accrued",
                week.isoformat(),
                week,
                whole.minutes - earlier.minutes,
                whole.exact - earlier.exact,
                worked_minutes=more,
                how="12.07 % of hours worked, to the hour" if not known else "corrected for hours paid later",
            )
        )
        if trace is not None:
            nodes.append(_difference(week, trace, known))
    return entries


def _difference(week: date, trace: Trace, known: int) -> Node:
    earlier, whole = trace.pop(), trace.pop()
    children = (whole, earlier) if known else (whole,)
    signs = (1, -1)[: len(children)]
    return Node(
        "leave.week", f"Leave earned, week ending {week.day} {week:%B %Y}", "sum",
        sum(sign * child.result for sign, child in zip(signs, children, strict=True)), "minutes",
        "what the week's hours give, less what the ledger has of it" if known else "what the week's hours give", (),
        children, signs,
    )  # fmt: skip


def _rules(years: YearBook, on: date, payday_on: date) -> YearParameters:
    """The figures of the day's year; of the payday's for a week before the first year on file."""
    return years.on(on, "week_ending") if tax_year_of(on) in years.years else years.on(payday_on)


def _used(before: Standing, holiday: Sequence[HolidayPay], entries: list[Entry]) -> tuple[PaidLeave, ...]:
    """Leave that the payslip pays for; leave in lieu pays what everything else leaves. Adds the entries."""
    paid: dict[int, PaidLeave] = {}
    for index in sorted(range(len(holiday)), key=lambda i: holiday[i].kind == "in_lieu"):
        pay = holiday[index]
        exact = pay.minutes * EXACT
        minutes = pay.minutes
        if pay.kind == "in_lieu":
            minutes = before.earned_minutes - before.taken_minutes + sum(entry.minutes for entry in entries)
            exact = before.exact + sum(entry.exact for entry in entries)
        pence = pay.amount(minutes)
        paid[index] = PaidLeave(pay, minutes, pence)
        entries.append(
            Entry(
                "paid_in_lieu" if pay.kind == "in_lieu" else "taken",
                f"{pay.record_id}/{pay.dates[0]}",
                pay.dates[-1],
                -minutes,
                -exact,
                record_id=pay.record_id,
                pence=pence,
                how=pay.rate.words,
            )
        )
    return tuple(paid[index] for index in range(len(holiday)))
