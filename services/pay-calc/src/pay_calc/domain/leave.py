"""A worker's leave on one payslip: what the ledger held before, what this payslip adds and uses up, and what is left.

Accrued leave is 12.07 % of the hours worked in each week, to the hour, with the exact figure beside it. Hours that come or change after
their week was paid make an entry of the difference: so the week's entries always sum to what its hours give. Leave of a working week that
the contract fixes is 5.6 weeks a leave year, and each payslip brings what the year gives by then beyond what the ledger has of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any, Protocol

from pay_calc.domain.engine import rounding
from pay_calc.domain.engine.calendar import add_months
from pay_calc.domain.engine.holiday_ledger import EARNED, EXACT, WEEKS_COUNTED, accrue_absence, accrue_period
from pay_calc.domain.engine.parameters import YearBook, YearParameters, tax_year_of
from pay_calc.domain.engine.regular_leave import Employment, WorkingWeek, employments, targets
from pay_calc.domain.engine.trace import Node, Trace
from pay_calc.domain.holiday_pay import HolidayPay, PaidLeave
from pay_calc.domain.statutory import StatutoryPay


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
    """A recorded absence, both days included, how many of its days the ledger has counted, from the first on, and what it gave for them."""

    first_on: date
    last_on: date
    days_counted: int
    given_minutes: int = 0
    given_exact: int = 0
    cancelled: bool = False

    def days_until(self, day: date, left_days: Sequence[date], jobs: Sequence[Employment]) -> int:
        """Its days up to this one; none after the last day of the employment that it began in, and none in a working week of `jobs`."""
        if self.cancelled:
            return 0
        end = min([self.last_on, day, *(left_on for left_on in left_days if left_on >= self.first_on)])
        days = (self.first_on + timedelta(days=number) for number in range((end - self.first_on).days + 1))
        return sum(1 for each in days if all(job.on(each) is None for job in jobs))


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the ledger holds of one worker, minutes. `worked`: by week ending, the minutes that entries stand on. `contract`: the working
    weeks that it fixes, and `entitled`: by employment and leave year, minutes and exact of what they gave. `left_days`: the last days of
    employments whose leave was paid in lieu, the earliest first."""

    earned_minutes: int = 0
    taken_minutes: int = 0
    exact: int = 0
    worked: Mapping[date, int] = field(default_factory=dict)
    absences: Mapping[str, Span] = field(default_factory=dict)
    empty: bool = True
    contract: tuple[WorkingWeek, ...] = ()
    entitled: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    left_days: tuple[date, ...] = ()


@dataclass(frozen=True, slots=True)
class AbsentDays:
    """Days of an absence that a payslip brings to the ledger, and the minutes worked in up to 52 weeks before it. Below nought where
    counted days are none any more: `given` is then what the ledger gave, minutes and exact, and how many days are left."""

    record_id: str
    ends_on: date
    days: int
    minutes_of_weeks: tuple[int, ...]
    given: tuple[int, int, int] | None = None

    def as_json(self) -> list[Any]:
        found: list[Any] = [self.record_id, self.ends_on.isoformat(), self.days, list(self.minutes_of_weeks)]
        return found if self.given is None else [*found, list(self.given)]


@dataclass(frozen=True, slots=True)
class Regular:
    """Leave of a contract on a payslip: as of a day, the last of the employment when `leaving`. `known`: by employment and leave year,
    minutes and exact of what the ledger has."""

    contract: tuple[WorkingWeek, ...]
    on: date
    leaving: bool
    known: Mapping[str, tuple[int, int]]

    def as_json(self) -> dict[str, Any]:
        return {
            "weeks": [
                [
                    str(each.from_on),
                    each.day_tenths,
                    each.week_minutes,
                    _text(each.employed_from),
                    _text(each.leave_year_from),
                ]
                for each in self.contract
            ],
            "on": str(self.on),
            "leaving": self.leaving,
            "known": {subject: list(known) for subject, known in sorted(self.known.items())},
        }

    def moved(self, by: timedelta) -> Regular:
        return Regular(
            tuple(
                WorkingWeek(
                    each.from_on + by,
                    each.day_tenths,
                    each.week_minutes,
                    None if each.employed_from is None else each.employed_from + by,
                    None if each.leave_year_from is None else each.leave_year_from + by,
                )
                for each in self.contract
            ),
            self.on + by,
            self.leaving,
            {"/".join(str(_day(part) + by) for part in subject.split("/")): known for subject, known in self.known.items()},
        )  # fmt: skip


def _regular_of(raw: Mapping[str, Any]) -> Regular:
    return Regular(
        tuple(
            WorkingWeek(_day(from_on), tenths, minutes, *(None if each is None else _day(each) for each in days))
            for from_on, tenths, minutes, *days in raw["weeks"]
        ),
        _day(raw["on"]),
        raw["leaving"],
        {subject: (minutes, exact) for subject, (minutes, exact) in raw["known"].items()},
    )


_day = date.fromisoformat


def _text(day: date | None) -> str | None:
    return None if day is None else str(day)


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
            "absences": [each.as_json() for each in self.absences],
        }


def standing_of(raw: Mapping[str, Any]) -> Standing:
    """A standing as `Standing.as_json` wrote it."""
    return Standing(
        raw["earned_minutes"],
        raw["taken_minutes"],
        raw["exact"],
        {date.fromisoformat(week): minutes for week, minutes in raw["worked"].items()},
        tuple(
            AbsentDays(record_id, date.fromisoformat(ends_on), days, tuple(minutes), *(tuple(each) for each in given))
            for record_id, ends_on, days, minutes, *given in raw["absences"]
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
        tuple(replace(each, ends_on=each.ends_on + by) for each in standing.absences),
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
    regular = _regular(ledger, holiday, last_on)
    if ledger.empty and not accruing and not holiday and regular is None:
        return None
    weeks = {charge.week_ending for charge in charges if charge.accrues}
    accrues = accruing or any(ledger.worked.values())
    return Standing(
        ledger.earned_minutes,
        ledger.taken_minutes,
        ledger.exact,
        {week: minutes for week, minutes in ledger.worked.items() if week in weeks and minutes},
        tuple(_absent_days(ledger, statutory, holiday, last_on)) if accrues else (),
        regular,
    )


def _regular(ledger: Ledger, holiday: Sequence[HolidayPay], last_on: date) -> Regular | None:
    if not ledger.contract and not ledger.entitled:
        return None
    left_on = _left_on(holiday)
    on = last_on if left_on is None else left_on
    if not ledger.entitled and not targets(ledger.contract, (), on):
        return None
    return Regular(ledger.contract, on, left_on is not None, ledger.entitled)


def _left_on(holiday: Sequence[HolidayPay]) -> date | None:
    """The last day of the employment whose leave the payslip pays in lieu."""
    return next((pay.dates[-1] for pay in holiday if pay.kind == "in_lieu"), None)


def booked_ahead(ledger: Ledger, on: date) -> int:
    """Minutes that the contract gives by a day, less what the ledger has: they come, or go, with the next payslip."""
    found = targets(ledger.contract, ledger.entitled, on)
    return sum(each.minutes - ledger.entitled.get(each.subject, (0, 0))[0] for each in found)


def _absent_days(
    ledger: Ledger,
    statutory: Sequence[StatutoryPay],
    holiday: Sequence[HolidayPay],
    last_on: date,
) -> list[AbsentDays]:
    """One entry for each absence: its days that are not counted yet, up to the end of the payslip's period, and of what is paid for it; so
    waiting days and weeks that bring no pay earn leave, too. Days that were counted and are none any more come back.

    Not counted: days after the last one of an employment, and of a working week that a contract fixes, whose leave goes on, unless other
    hours earned leave beside it.
    """
    through: dict[str, date] = {}
    for pay in statutory:
        span = ledger.absences.get(pay.record_id)
        if span is not None:
            end = min(span.last_on, pay.week_ending) if pay.kind == "SSP" else pay.dates[-1]
            through[pay.record_id] = max(through.get(pay.record_id, end), end)
    left_on = _left_on(holiday)
    left_days = ledger.left_days if left_on is None else (*ledger.left_days, left_on)
    week = timedelta(weeks=1)
    jobs = [
        job
        for job in employments(ledger.contract)
        if not any(minutes > 0 and each >= job.from_on + week for each, minutes in ledger.worked.items())
    ]
    found = []
    for record_id, span in ledger.absences.items():
        before = sorted(
            (each for each, worked in ledger.worked.items() if each < span.first_on and worked > 0), reverse=True
        )
        minutes = tuple(ledger.worked[each] for each in before[:WEEKS_COUNTED])
        whole = span.days_until(span.last_on, left_days, jobs)
        if whole < span.days_counted:
            ends_on = span.first_on + timedelta(days=max(0, whole - 1))
            given = (span.given_minutes, span.given_exact, whole)
            found.append(AbsentDays(record_id, ends_on, whole - span.days_counted, minutes, given))
            continue
        until = max(last_on, through.get(record_id, last_on))
        days = span.days_until(until, left_days, jobs) - span.days_counted
        told = record_id in through or span.last_on > last_on - week
        if days > 0 and (minutes or told):
            found.append(AbsentDays(record_id, min(until, span.last_on), days, minutes))
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
        weeks = f"average of {len(absent.minutes_of_weeks)} weeks before the absence"
        if absent.given is None:
            found = accrue_absence(rules, absent.ends_on, absent.days, absent.minutes_of_weeks, trace)
            minutes, exact = found.minutes, found.exact
            if trace is not None:
                nodes.append(trace.root)
        else:
            node, exact = _taken_back(rules, absent, absent.given)
            minutes, weeks = node.result, f"{weeks}, corrected: shorter than it was recorded"
            if trace is not None:
                nodes.append(node)
        entries.append(
            Entry(
                "absence_accrued",
                absent.record_id,
                absent.ends_on,
                minutes,
                exact,
                absent_days=absent.days,
                record_id=absent.record_id,
                how=weeks,
            )
        )
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
    """What the contract gives by now, less what the ledger has of each leave year: below nought for one who leaves in the middle of it, or
    whose contract was recorded wrongly."""
    regular = before.regular
    if regular is None:
        return []
    trace = Trace() if explain else None
    entries = []
    found = targets(regular.contract, regular.known, regular.on, leaving=regular.leaving, trace=trace)
    for number, each in enumerate(found):
        known_minutes, known_exact = regular.known.get(each.subject, (0, 0))
        if (each.minutes, each.exact) == (known_minutes, known_exact):
            continue
        minutes, year_from = each.minutes - known_minutes, _day(each.subject.partition("/")[2])
        if trace is not None:
            known = trace.given("leave.known", "In the ledger already", known_minutes, "minutes", "the ledger")
            nodes.append(
                Node("leave.entitled", f"Leave of the year from {year_from}", "sum", minutes, "minutes", each.words, (),
                     (trace.nodes[number], known), (1, -1))
            )  # fmt: skip
        on = max(year_from, min(regular.on, add_months(year_from, 12) - timedelta(days=1)))
        entries.append(Entry("entitled", each.subject, on, minutes, each.exact - known_exact, how=each.words))
    return entries


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


def _taken_back(rules: YearParameters, absent: AbsentDays, given: tuple[int, int, int]) -> tuple[Node, int]:
    """Minutes and exact of days that were counted and are none any more: what the ledger gave less what the rest gives, and no more than
    the lost days give alone, because each payslip's days were rounded to the hour; all of it where none are left."""
    given_minutes, given_exact, left = given
    rest, lost = Trace(), Trace()
    exact = accrue_absence(rules, absent.ends_on, left, absent.minutes_of_weeks, rest).exact - given_exact
    accrue_absence(rules, absent.ends_on, -absent.days, absent.minutes_of_weeks, lost)
    known = rest.given("leave.known", "In the ledger already", given_minutes, "minutes", "the ledger")
    less = Node("leave.less", "What is left, less what the ledger has", "sum", rest.root.result - given_minutes, "minutes",
                "what its days give, less what the ledger has of it", (), (rest.root, known), (1, -1))  # fmt: skip
    if not left:
        return less, exact
    alone = Node("leave.lost", "The lost days alone", "sum", -lost.root.result, "minutes", "what they give", (),
                 (lost.root,), (-1,))  # fmt: skip
    most = max(less.result, alone.result)
    bounded = Node("leave.bounded", "Not more than the lost days", "max", most, "minutes", "", (), (less, alone))
    nought = rest.given("leave.nought", "Nothing is added", 0, "minutes", "")
    return Node("leave.corrected", "Leave of an absence, corrected", "min", min(0, most), "minutes",
                "a shorter absence gives no more", (), (bounded, nought)), exact  # fmt: skip


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
        forgiven = pay.kind == "in_lieu" and minutes <= 0 and before.regular is not None and not pay.recovery
        pence = 0 if forgiven else pay.amount(minutes)
        paid[index] = PaidLeave(pay, 0 if forgiven else minutes, pence)
        entries.append(
            Entry(
                "paid_in_lieu" if pay.kind == "in_lieu" else "taken",
                f"{pay.record_id}/{pay.dates[0]}",
                pay.dates[-1],
                -minutes,
                -exact,
                record_id=pay.record_id,
                pence=pence,
                how="no more was earned than taken, and no agreement takes leave back" if forgiven else pay.rate.words,
            )
        )
    return tuple(paid[index] for index in range(len(holiday)))
