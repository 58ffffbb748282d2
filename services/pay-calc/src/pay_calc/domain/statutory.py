"""Statutory pay from recorded absences and leaves: which days are paid, in which week, and what a payslip pays for them.

Sick pay follows from the absence and the year's rules. Family pay follows from a person's recorded decision; nothing here decides it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Any, Literal

from pay_calc.domain.engine import family_pay, ssp
from pay_calc.domain.engine.average_weekly_earnings import (
    RELEVANT_DAYS,
    AverageEarnings,
    PaidEarnings,
    average,
    ssp_transition,
)
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.parameters import YearBook, YearParameters, tax_year_of
from pay_calc.domain.engine.ssp import SicknessSpell, SspDay
from pay_calc.domain.engine.trace import Node, Trace
from pay_calc.domain.pay_dates import DAY, WEEK, payday_of

Kind = Literal["SSP", "SMP", "SAP", "SPP", "ShPP", "SPBP", "SNCP"]


@dataclass(frozen=True, slots=True)
class StatutoryPay:
    """One week's statutory pay of one record, as a payslip takes it.

    `dates`: the qualifying days of sick pay, or the last day of a week of family pay; all in one tax year, whose rules apply. The average
    week is `average_pence / average_divisor`. `flat_rate`: sick pay over 6 April 2026 without the share of earnings. `week_no` and
    `decision` are of family pay.
    """

    kind: Kind
    record_id: str
    week_ending: date
    dates: tuple[date, ...]
    average_pence: int
    average_divisor: int
    qualifying_days: int = 0
    flat_rate: bool = False
    week_no: int = 0
    decision: str = ""

    def amount(self, years: YearBook, trace: Trace | None = None) -> int:
        """Pence, by the rules of the days' year. Raises EngineError."""
        rules = years.on(self.dates[0], "dates")
        if self.kind == "SSP":
            return ssp.payable(
                rules,
                self.average_pence,
                self.qualifying_days,
                len(self.dates),
                self.flat_rate,
                trace,
                self.average_divisor,
            )
        return family_pay.weekly_pay(
            rules, self.kind, self.week_no, self.average_pence, self.decision, trace, self.average_divisor
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "record_id": self.record_id,
            "week_ending": self.week_ending.isoformat(),
            "dates": [day.isoformat() for day in self.dates],
            "average_pence": self.average_pence,
            "average_divisor": self.average_divisor,
            "qualifying_days": self.qualifying_days,
            "flat_rate": self.flat_rate,
            "week_no": self.week_no,
            "decision": self.decision,
        }


def statutory_of(raw: Mapping[str, Any]) -> StatutoryPay:
    """A week's statutory pay as `StatutoryPay.as_json` wrote it."""
    return StatutoryPay(
        **{
            **raw,
            "week_ending": date.fromisoformat(raw["week_ending"]),
            "dates": tuple(date.fromisoformat(day) for day in raw["dates"]),
        }
    )


def week_ending_of(day: date) -> date:
    """The Sunday that ends a day's week."""
    return day + timedelta(days=6 - day.weekday())


# Sick pay


@dataclass(frozen=True, slots=True)
class Absence:
    """A recorded period of sickness, both days included; qualifying weekdays are numbered from Monday 0. The average is its own: a linked
    spell keeps the first one's."""

    absence_id: str
    first_on: date
    last_on: date
    qualifying_weekdays: frozenset[int]
    average_pence: int
    average_divisor: int

    @property
    def spell(self) -> SicknessSpell:
        return SicknessSpell(self.first_on, self.last_on)


@dataclass(frozen=True, slots=True)
class Sickness:
    """What became of one absence: every qualifying day, the weeks that are paid, the absence whose average counts."""

    absence: Absence
    days: tuple[SspDay, ...]
    weeks: tuple[StatutoryPay, ...]
    average_of: Absence
    entitled: bool


def sickness(absences: Sequence[Absence], years: YearBook) -> tuple[Sickness, ...]:
    """All absences of one worker, in date order. Raises EngineError: spells that overlap, a year without rules, a transition that is not
    settled."""
    ordered = sorted(absences, key=lambda absence: absence.first_on)
    rules = [years.year(name) for name in years.known()]
    found: list[Sickness] = []
    for index, absence in enumerate(ordered):
        spells = [each.spell for each in ordered[: index + 1]]
        days = tuple(
            day for day in ssp.days_of(spells, absence.qualifying_weekdays, rules) if day.on >= absence.first_on
        )
        chain = _chain(ordered[: index + 1], years)
        payable = [day.on for day in days if day.treatment == "payable"]
        entitled = all(
            ssp.is_entitled_by_earnings(years.on(day), chain[0].average_pence, chain[0].average_divisor)
            for day in payable[:1]
        )
        weeks = _weeks(absence, chain, payable, rules) if entitled else ()
        found.append(Sickness(absence, days, weeks, chain[0], entitled))
    return tuple(found)


def _chain(absences: Sequence[Absence], years: YearBook) -> list[Absence]:
    """The last of these with the earlier ones that it is linked to, the first of the chain first. A spell too short to count links
    nothing."""
    chain = [absences[-1]]
    for absence in reversed(absences[:-1]):
        rules = years.on(absence.first_on, "first_on").ssp
        if (absence.last_on - absence.first_on).days + 1 < 4 and rules.waiting_days:
            continue
        gap = (chain[0].first_on - absence.last_on).days - 1
        if gap > years.on(chain[0].first_on, "first_on").ssp.link_days:
            break
        chain.insert(0, absence)
    return chain


def _weeks(
    absence: Absence, chain: Sequence[Absence], payable: Sequence[date], rules: Sequence[YearParameters]
) -> tuple[StatutoryPay, ...]:
    by_week: dict[tuple[date, str], list[date]] = {}
    for day in payable:
        by_week.setdefault((week_ending_of(day), tax_year_of(day)), []).append(day)
    flat_from = _flat_rate_from(absence, chain, payable, rules)
    first = chain[0]
    return tuple(
        StatutoryPay(
            "SSP",
            absence.absence_id,
            week_ending,
            tuple(days),
            first.average_pence,
            first.average_divisor,
            len(absence.qualifying_weekdays),
            flat_from is not None and days[0] >= flat_from,
        )
        for (week_ending, _), days in by_week.items()
    )


def _flat_rate_from(
    absence: Absence, chain: Sequence[Absence], payable: Sequence[date], rules: Sequence[YearParameters]
) -> date | None:
    """From when this absence keeps the flat rate because it runs over the change of the rules; None: nowhere."""
    for old, new in pairwise(rules):
        if old.ssp.earnings_bp is None and new.ssp.earnings_bp is not None and absence.last_on >= new.starts_on:
            transition = ssp_transition(
                old,
                new,
                [each.spell for each in chain],
                AverageEarnings(chain[0].average_pence, chain[0].average_divisor, None, None, ""),
                any(day < new.starts_on for day in payable),
            )
            return new.starts_on if transition.flat_rate else None
    return None


# Family pay


@dataclass(frozen=True, slots=True)
class Leave:
    """Family pay that a person decided on: `weeks` weeks from `starts_on`, the first of them counted as `first_week`."""

    leave_id: str
    kind: family_pay.Kind
    starts_on: date
    weeks: int
    first_week: int
    average_pence: int
    average_divisor: int
    decision: str


def leave_weeks(leave: Leave, years: YearBook) -> tuple[StatutoryPay, ...]:
    """Each week of a leave, paid in the pay week in which it ends. Raises EngineError for what the engine refuses of any of them."""
    weeks = []
    for index in range(leave.weeks):
        ends_on = leave.starts_on + WEEK * (index + 1) - DAY
        week = StatutoryPay(
            leave.kind,
            leave.leave_id,
            week_ending_of(ends_on),
            (ends_on,),
            leave.average_pence,
            leave.average_divisor,
            week_no=leave.first_week + index,
            decision=leave.decision,
        )
        if tax_year_of(ends_on) in years.years:
            week.amount(years)
        weeks.append(week)
    return tuple(weeks)


# Average earnings from what was paid


def average_of_paid(
    earnings: Mapping[date, int],
    closed_paydays: Sequence[date],
    employed_from: date | None,
    up_to_on: date,
    payday_days_after: int,
) -> AverageEarnings:
    """The average week from finalised payslips: `earnings` is niable pence by payday, a payday of a closed run without a payslip nothing.

    Refused as `average_earnings_unknown` when not every payday of the relevant period was closed here: then somebody has to give it.
    """
    known = sorted(day for day in closed_paydays if day <= up_to_on)
    first_normal = None if employed_from is None else payday_of(week_ending_of(employed_from), payday_days_after)
    if first_normal is not None and first_normal > up_to_on:
        raise _unknown(up_to_on)
    last = known[-1] if known else None
    if last is None or last + WEEK <= up_to_on:
        raise _unknown(up_to_on)
    wanted = [last - WEEK * back for back in range(RELEVANT_DAYS // 7 + 1)]
    if first_normal is not None:
        wanted = [day for day in wanted if day >= first_normal]
    if not wanted or not set(wanted) <= set(known):
        raise _unknown(up_to_on)
    paid = [PaidEarnings(day, max(0, earnings.get(day, 0))) for day in sorted(wanted)]
    return average(paid, "weekly", up_to_on, min(wanted) if employed_from is None else employed_from)


def _unknown(up_to_on: date) -> EngineError:
    return EngineError(
        "average_earnings_unknown",
        f"Not every payday of the eight weeks up to {up_to_on} was closed here: give the average weekly earnings and where they were "
        "worked out.",
        "average_weekly_earnings_gbp",
    )


def explained(statutory: Sequence[StatutoryPay], years: YearBook, label: str) -> Node:
    """One printed line of statutory pay as a node that stands on how each part was worked out."""
    parts = []
    for each in statutory:
        trace = Trace()
        each.amount(years, trace)
        parts.append(trace.root)
    return Node(
        "pay.statutory", label, "sum", sum(part.result for part in parts), "pence", "statutory pay of the week", (),
        tuple(parts), tuple(1 for _ in parts),
    )  # fmt: skip
