"""A worker's leave on one payslip: what the ledger held before, what this payslip adds and uses up, and what is left.

Accrued leave is 12.07 % of the hours worked in each week, to the hour, with the exact figure beside it. Hours that come or change after
their week was paid make an entry of the difference: so the week's entries always sum to what its hours give. Leave of a working week that
the contract fixes is 5.6 weeks a leave year, and each payslip brings what the year gives by then beyond what the ledger has of it.
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
from pay_calc.domain.engine.regular_leave import WorkingWeek, entitled
from pay_calc.domain.engine.trace import Node, Trace
from pay_calc.domain.holiday_pay import HolidayPay, PaidLeave
from pay_calc.domain.pay_dates import DAY
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
class Contract:
    """The working weeks that a worker's contract fixes, and any first day of a leave year that an agreement names."""

    weeks: tuple[WorkingWeek, ...]
    leave_year_from: date | None = None

    def ended(self, left_on: date | None) -> Contract:
        """The same, over after a last day whose leave was paid in lieu; a later employment stands."""
        if left_on is None or not any(week.from_on <= left_on for week in self.weeks):
            return self
        last = WorkingWeek(left_on + DAY, 0, 0)
        before = tuple(week for week in self.weeks if week.from_on <= left_on)
        return Contract(
            (*before, last, *(week for week in self.weeks if week.from_on > last.from_on)), self.leave_year_from
        )


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the ledger holds of one worker, minutes. `worked`: by week ending, the minutes that entries stand on; `entitled`: by the first
    day of the leave year, minutes and exact of what the contract gave."""

    earned_minutes: int = 0
    taken_minutes: int = 0
    exact: int = 0
    worked: Mapping[date, int] = field(default_factory=dict)
    absences: Mapping[str, Span] = field(default_factory=dict)
    empty: bool = True
    contract: Contract | None = None
    entitled: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AbsentDays:
    """Days of an absence that a payslip's statutory pay brings to the ledger, and the minutes worked in up to 52 weeks before it."""

    record_id: str
    ends_on: date
    days: int
    minutes_of_weeks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Regular:
    """Leave of a contract on a payslip: as of a day, the last of the employment when `leaving`; what the ledger has of its leave year."""

    contract: Contract
    on: date
    leaving: bool
    known_minutes: int
    known_exact: int

    def as_json(self) -> dict[str, Any]:
        anchor = self.contract.leave_year_from
        return {
            "weeks": [[week.from_on.isoformat(), week.day_tenths, week.week_minutes] for week in self.contract.weeks],
            "leave_year_from": None if anchor is None else anchor.isoformat(),
            "on": self.on.isoformat(),
            "leaving": self.leaving,
            "known": [self.known_minutes, self.known_exact],
        }

    def moved(self, by: timedelta) -> Regular:
        anchor = self.contract.leave_year_from
        weeks = tuple(
            WorkingWeek(week.from_on + by, week.day_tenths, week.week_minutes) for week in self.contract.weeks
        )
        contract = Contract(weeks, None if anchor is None else anchor + by)
        return Regular(contract, self.on + by, self.leaving, self.known_minutes, self.known_exact)


def _regular_of(raw: Mapping[str, Any]) -> Regular:
    anchor = raw["leave_year_from"]
    weeks = tuple(WorkingWeek(date.fromisoformat(day), tenths, minutes) for day, tenths, minutes in raw["weeks"])
    contract = Contract(weeks, None if anchor is None else date.fromisoformat(anchor))
    return Regular(contract, date.fromisoformat(raw["on"]), raw["leaving"], *raw["known"])


@dataclass(frozen=True, slots=True)
class Standing:
    """The ledger as one payslip finds it. `worked`: of the weeks whose hours are on the payslip."""

    earned_minutes: int
    taken_minutes: int
    exact: int
    worked: Mapping[date, int]
    absences: tuple[AbsentDays, ...] = ()
    regular: Regular | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            **({} if self.regular is None else {"regular": self.regular.as_json()}),
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
        _regular_of(raw["regular"]) if "regular" in raw else None,
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
        None if standing.regular is None else standing.regular.moved(by),
    )


def standing(
    ledger: Ledger,
    charges: Sequence[Hours],
    statutory: Sequence[StatutoryPay],
    holiday: Sequence[HolidayPay],
    last_on: date,
) -> Standing | None:
    """What a payslip of these parts needs of the ledger; None where nothing on it or before it has to do with leave by the hour or by a
    contract. `last_on`: the last day of its period."""
    accruing = any(charge.accrues for charge in charges)
    regular = None if ledger.contract is None else _regular(ledger, ledger.contract, holiday, last_on)
    if ledger.empty and not accruing and not holiday and regular is None:
        return None
    weeks = {charge.week_ending for charge in charges if charge.accrues}
    accrues = accruing or any(ledger.worked.values())
    return Standing(
        ledger.earned_minutes,
        ledger.taken_minutes,
        ledger.exact,
        {week: minutes for week, minutes in ledger.worked.items() if week in weeks and minutes},
        tuple(_absent_days(ledger, statutory, last_on)) if accrues else (),
        regular,
    )


def _regular(ledger: Ledger, contract: Contract, holiday: Sequence[HolidayPay], last_on: date) -> Regular | None:
    left_on = next((pay.dates[-1] for pay in holiday if pay.kind == "in_lieu"), None)
    on = last_on if left_on is None else left_on
    found = entitled(contract.weeks, contract.leave_year_from, on, leaving=left_on is not None)
    if found is None:
        return None
    return Regular(contract, on, left_on is not None, *ledger.entitled.get(found.year_from.isoformat(), (0, 0)))


def booked_ahead(ledger: Ledger, on: date) -> int:
    """Minutes that the contract gives by a day, beyond what the ledger has of its leave year: they come with the next payslip."""
    if ledger.contract is None:
        return 0
    found = entitled(ledger.contract.weeks, ledger.contract.leave_year_from, on)
    return 0 if found is None else found.minutes - ledger.entitled.get(found.year_from.isoformat(), (0, 0))[0]


def _absent_days(ledger: Ledger, statutory: Sequence[StatutoryPay], last_on: date) -> list[AbsentDays]:
    """One entry for each absence: its days that are not counted yet, up to the end of the payslip's period, and of what is paid for it. So
    waiting days and weeks that bring no pay earn leave, too."""
    through = {
        record_id: min(span.last_on, last_on) for record_id, span in ledger.absences.items() if span.first_on <= last_on
    }
    for pay in statutory:
        span = ledger.absences.get(pay.record_id)
        if span is not None:
            end = min(span.last_on, pay.week_ending) if pay.kind == "SSP" else pay.dates[-1]
            through[pay.record_id] = max(through.get(pay.record_id, end), end)
    found, paid = [], {pay.record_id for pay in statutory}
    for record_id, ends_on in through.items():
        span = ledger.absences[record_id]
        days = (ends_on - span.first_on).days + 1 - span.days_counted
        before = sorted(
            (week for week, minutes in ledger.worked.items() if week < span.first_on and minutes > 0), reverse=True
        )
        told = record_id in paid or span.last_on > last_on - timedelta(weeks=1)
        if days > 0 and (before or told):
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
    entries += _entitled(before, nodes, explain)
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


def _entitled(before: Standing, nodes: list[Node], explain: bool) -> list[Entry]:
    """What the contract's leave year gives by now, less what the ledger has of it: below nought for one who leaves in the middle."""
    regular = before.regular
    if regular is None:
        return []
    trace = Trace() if explain else None
    contract = regular.contract
    found = entitled(contract.weeks, contract.leave_year_from, regular.on, leaving=regular.leaving, trace=trace)
    if found is None or (found.minutes, found.exact) == (regular.known_minutes, regular.known_exact):
        return []
    minutes = found.minutes - regular.known_minutes
    if trace is not None:
        known = trace.given("leave.known", "In the ledger already", regular.known_minutes, "minutes", "the ledger")
        nodes.append(
            Node("leave.entitled", f"Leave of the year from {found.year_from}", "sum", minutes, "minutes", found.words, (),
                 (trace.root, known), (1, -1))
        )  # fmt: skip
    exact = found.exact - regular.known_exact
    return [Entry("entitled", found.year_from.isoformat(), regular.on, minutes, exact, how=found.words)]


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
