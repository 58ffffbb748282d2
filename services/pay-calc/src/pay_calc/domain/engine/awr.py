"""Agency Workers Regulations 2010: the clock of twelve qualifying weeks, and equal pay after it.

The clock is of one worker, one hirer and one role, across agencies. Source: SI 2010/93 regs 5 to 10; BIS guidance on the Regulations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Literal

from pay_calc.domain.engine import rounding
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.trace import Node, Trace

QUALIFYING_WEEKS = 12
PAUSE_WEEKS = 6
EXCUSED_SPELL_WEEKS = 28

WeekKind = Literal["work", "tick", "excused", "other"]
Excuse = Literal["sickness", "jury", "leave", "shutdown", "industrial_action"]
_LIMITED: tuple[Excuse, ...] = ("sickness", "jury")


@dataclass(frozen=True, slots=True)
class AwrWeek:
    """One week of the role, seven days from its anchor.

    work: any work done. tick: pregnancy-related absence in the protected period, or maternity, adoption or paternity leave; it counts while
    the assignment would have run (`assignment_would_run`) and is excused leave after that. excused: absent for `excuse`. other: anything
    else. `new_role_in_writing`: from this week the role is substantively different and the agency told the worker so in writing.
    """

    kind: WeekKind
    excuse: Excuse | None = None
    assignment_would_run: bool = True
    new_role_in_writing: bool = False


@dataclass(frozen=True, slots=True)
class AwrClock:
    """Where the clock stands after the last week. `qualified_at`: index of the week whose first day brings equal treatment (the one after
    the twelfth), None before. `resets`: indexes of the worked weeks that started the clock anew."""

    weeks_counted: int
    qualified_at: int | None
    resets: tuple[int, ...]
    paused: bool

    @property
    def qualified(self) -> bool:
        return self.weeks_counted >= QUALIFYING_WEEKS


def run_clock(weeks: Sequence[AwrWeek], lenient_breaks: bool = False, completed_from: int | None = None) -> AwrClock:
    """Count qualifying weeks.

    A break is a run of excused and other weeks. Up to six weeks pause the clock whatever their reasons; a longer one only where every
    week is excused and no sickness or jury spell in it is longer than 28 weeks. Otherwise the next counted week is the first.
    `lenient_breaks` counts only the other weeks of a mixed break against the six: the strict reading is the default, the choice a setting.
    `completed_from`: index of the first week with equal treatment by a recorded decision that a pattern of assignments prevents completion
    (reg. 9); nothing here infers one.
    """
    count, resets = 0, []
    qualified_at: int | None = None
    gap: list[AwrWeek] = []
    for index, week in enumerate(weeks):
        if week.kind == "excused" and week.excuse is None:
            raise EngineError("excuse_missing", f"Week {index + 1} is excused without saying why.", f"weeks[{index}]")
        if week.new_role_in_writing:
            count, qualified_at, gap = 0, None, []
            resets.append(index)
        if index == completed_from and count < QUALIFYING_WEEKS:
            count, qualified_at = QUALIFYING_WEEKS, index
        counts = week.kind == "work" or (week.kind == "tick" and week.assignment_would_run)
        if not counts:
            gap.append(week)
            continue
        if gap and not _pauses(gap, lenient_breaks):
            count, qualified_at = 0, None
            resets.append(index)
        gap = []
        count += 1
        if count == QUALIFYING_WEEKS and qualified_at is None:
            qualified_at = index + 1
    if gap and not _pauses(gap, lenient_breaks):
        return AwrClock(0, None, tuple(resets), False)
    return AwrClock(count, qualified_at, tuple(resets), bool(gap))


def _pauses(gap: Sequence[AwrWeek], lenient: bool) -> bool:
    if len(gap) <= PAUSE_WEEKS:
        return True
    excuses: list[Excuse | None] = ["leave" if week.kind == "tick" else week.excuse for week in gap]
    others = sum(week.kind == "other" for week in gap)
    if others and not (lenient and others <= PAUSE_WEEKS):
        return False
    longest: dict[Excuse, int] = {}
    run = 0
    for position, excuse in enumerate(excuses):
        run = run + 1 if position and excuse == excuses[position - 1] else 1
        if excuse is not None:
            longest[excuse] = max(longest.get(excuse, 0), run)
    return all(longest.get(excuse, 0) <= EXCUSED_SPELL_WEEKS for excuse in _LIMITED)


def weeks_of(
    first_day: date,
    worked_on: Sequence[date],
    absences: Sequence[tuple[date, date, Literal["tick"] | Excuse]],
    up_to: date,
    assignment_ends_on: date | None = None,
) -> tuple[AwrWeek, ...]:
    """Classify the weeks from the first day of the first assignment to `up_to`, each seven days from that weekday.

    Any work makes a working week. Otherwise an absence that touches the week names it: a week that counts before an excuse, an earlier
    absence first. `assignment_ends_on`: the original or likely end, after which a tick week no longer counts. After a reset the anchor
    moves to the day of return: call again from there.
    """
    weeks: list[AwrWeek] = []
    start = first_day
    while start <= up_to:
        end = start + timedelta(days=6)
        touching = [reason for first, last, reason in absences if first <= end and last >= start]
        runs = assignment_ends_on is None or start <= assignment_ends_on
        if any(start <= day <= end for day in worked_on):
            weeks.append(AwrWeek("work"))
        elif "tick" in touching:
            weeks.append(AwrWeek("tick", assignment_would_run=runs))
        else:
            excuse = next((reason for reason in touching if reason != "tick"), None)
            weeks.append(AwrWeek("other") if excuse is None else AwrWeek("excused", excuse))
        start = end + timedelta(days=1)
    return tuple(weeks)


# Equal pay


Element = str


@dataclass(frozen=True, slots=True)
class ParityLine:
    """One element of pay beside the comparator's. `shortfall_pence` for the hours given, up to the penny; None where no rate is known."""

    element: Element
    rate: Decimal | None
    comparator_rate: Decimal | None
    verdict: Literal["pass", "fail", "unknown"]
    shortfall_pence: int | None


def compare_pay(
    paid_rates: Mapping[Element, Decimal],
    comparator_rates: Mapping[Element, Decimal],
    minutes: Mapping[Element, int],
    trace: Trace | None = None,
) -> tuple[ParityLine, ...]:
    """Compare hourly rates element by element (basic, overtime, shift, unsocial hours, holiday pay, own-output bonus, vouchers) in pounds.

    An element that was worked and has no comparator rate is unknown, never passed; one that the comparator gets and the worker is not paid
    at all counts as a rate of zero. With a trace the root is the shortfall of all. Source: SI 2010/93 regs 5 and 6.
    """
    lines: list[ParityLine] = []
    nodes: list[Node] = []
    for element in sorted(set(paid_rates) | set(comparator_rates)):
        paid, due = paid_rates.get(element), comparator_rates.get(element)
        if due is None:
            lines.append(ParityLine(element, paid, None, "unknown", None))
            continue
        worked = minutes.get(element, 0)
        gap = _ten_thousandths(due) - _ten_thousandths(paid if paid is not None else Decimal(0))
        short = rounding.minimum_wage_ceil_penny(gap * worked, 6000) if gap > 0 else 0
        lines.append(ParityLine(element, paid, due, "fail" if gap > 0 else "pass", short))
        if trace is not None and gap > 0:
            counted = trace.given("awr.minutes", "Minutes worked", worked, "minutes", "timesheets")
            nodes.append(
                Node("awr.shortfall", f"Short on {element}", "ratio", short, "pence", "minutes x (comparator - paid)", (), (counted,),
                     factors=(gap,), divisor=6000, rounding="minimum_wage_ceil_penny")
            )  # fmt: skip
    if trace is not None:
        total = sum(line.shortfall_pence or 0 for line in lines)
        trace.push(
            Node(
                "awr.parity",
                "Short of equal pay",
                "sum",
                total,
                "pence",
                "all elements",
                (),
                tuple(nodes),
                (1,) * len(nodes),
            )
        )
    return tuple(lines)


def _ten_thousandths(rate: Decimal) -> int:
    if not rate.is_finite() or rate.adjusted() > 12 or rate != Decimal(int(rate.scaleb(4))).scaleb(-4):
        raise EngineError("too_many_decimals", f"{rate} is no rate with at most four decimals.", "rates")
    return int(rate.scaleb(4))
