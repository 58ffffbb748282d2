"""A slip's inputs with something changed: another code, rate, number of hours, pension or tax year. Pure; the engine does the rest.

The engine and its rules are not touched: `changed` gives a SlipInput, and `calculate` of it is the answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import Enum
from typing import Any, Final, Literal

from pay_calc.domain import holiday_pay, leave
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.parameters import YearBook, tax_year_of
from pay_calc.domain.engine.tax_code import parse_tax_code
from pay_calc.domain.shares import largest_remainder
from pay_calc.domain.slips import Charge, Employee, SlipInput
from paybill_common.money import as_rate, line_pence


class _Keep(Enum):
    KEEP = "keep"


KEEP: Final = _Keep.KEEP
"""Leave as it is, where None means "none"."""

_WORK = frozenset({"time", "call_out"})
_WHOLE = Decimal(100)


@dataclass(frozen=True, slots=True)
class RateChange:
    """Another pay rate, pounds to four decimals: `rate_gbp` itself, or the old one plus `uplift_pct` per cent or `uplift_gbp`.

    Of all lines for work, or of those of a placement or rate code; an allowance only when its rate code is named.
    """

    rate_gbp: Decimal | None = None
    uplift_pct: Decimal | None = None
    uplift_gbp: Decimal | None = None
    placement_id: str | None = None
    rate_code: str | None = None


@dataclass(frozen=True, slots=True)
class HoursChange:
    """Other hours: every line's minutes (or units) at `scale_pct` per cent, or `add_minutes` on the worker's longest matching line."""

    scale_pct: Decimal | None = None
    add_minutes: int | None = None
    placement_id: str | None = None
    rate_code: str | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be otherwise. None (or KEEP) leaves a fact as it is; a loan plan or pension of None takes it away."""

    tax_code: str | None = None
    ni_letter: str | None = None
    student_loan_plan: str | Literal[_Keep.KEEP] | None = KEEP
    postgrad_loan: bool | None = None
    pension: Mapping[str, Any] | Literal[_Keep.KEEP] | None = KEEP
    levy_payer: bool | None = None
    tax_year: str | None = None
    rates: tuple[RateChange, ...] = ()
    hours: tuple[HoursChange, ...] = ()

    def asked(self) -> list[str]:
        """The fields that change something, as the engine names fields: `tax_code`, `rates[0]`."""
        kept = Changes()
        names = ("tax_code", "ni_letter", "student_loan_plan", "postgrad_loan", "pension", "levy_payer", "tax_year")
        found = [name for name in names if getattr(self, name) != getattr(kept, name)]
        found += [f"rates[{i}]" for i in range(len(self.rates))]
        return found + [f"hours[{i}]" for i in range(len(self.hours))]


def check(changes: Changes, years: YearBook) -> None:
    """Refuse what no slip can answer. EngineError names the field: nothing asked, an unknown code, letter or year, two changes
    of one line, or a change that says two things."""
    if not changes.asked():
        raise EngineError("nothing_changed", "Name at least one thing to change.", None)
    if changes.tax_code is not None:
        parse_tax_code(changes.tax_code)
    if changes.tax_year is not None:
        years.year(changes.tax_year)
    if changes.ni_letter is not None:
        known = years.known() if changes.tax_year is None else (changes.tax_year,)
        letters = {letter for name in known for letter in years.year(name).nic_letters}
        if changes.ni_letter not in letters:
            raise EngineError(
                "unknown_ni_letter",
                f"{changes.ni_letter!r} is no National Insurance letter; known: {', '.join(sorted(letters))}.",
                "ni_letter",
            )
    if changes.pension is not KEEP and changes.pension is not None:
        _check_pension(changes.pension)
    for i, rate in enumerate(changes.rates):
        _one_of(f"rates[{i}]", rate_gbp=rate.rate_gbp, uplift_pct=rate.uplift_pct, uplift_gbp=rate.uplift_gbp)
    for i, hours in enumerate(changes.hours):
        _one_of(f"hours[{i}]", scale_pct=hours.scale_pct, add_minutes=hours.add_minutes)
    _apart("rates", changes.rates)
    _apart("hours", changes.hours)


def _check_pension(terms: Mapping[str, Any]) -> None:
    sacrifice = terms.get("sacrifice_pence", 0)
    if terms["basis"] == "salary_sacrifice" and not sacrifice:
        raise EngineError(
            "amount_missing", "A salary sacrifice needs the amount that is given up.", "pension.sacrifice_gbp"
        )
    if terms["basis"] != "salary_sacrifice" and sacrifice:
        raise EngineError(
            "contradictory", f"Nothing is sacrificed on the basis {terms['basis']}.", "pension.sacrifice_gbp"
        )


def _one_of(field: str, **given: object) -> None:
    named = [name for name, value in given.items() if value is not None]
    if not named:
        raise EngineError("nothing_changed", f"Give one of {', '.join(given)}.", field)
    if len(named) > 1:
        raise EngineError(
            "contradictory", f"{' and '.join(named)} contradict each other: give one.", f"{field}.{named[1]}"
        )


def _apart(name: str, every: Sequence[RateChange | HoursChange]) -> None:
    for i, later in enumerate(every):
        for earlier, other in enumerate(every[:i]):
            pairs = ((later.placement_id, other.placement_id), (later.rate_code, other.rate_code))
            if all(a is None or b is None or a == b for a, b in pairs):
                raise EngineError(
                    "contradictory",
                    f"{name}[{earlier}] and {name}[{i}] change the same lines: name placements or rate codes apart.",
                    f"{name}[{i}]",
                )


@dataclass(frozen=True, slots=True)
class Changed:
    """Other inputs, which of `Changes.asked` they took, and the indexes of charges whose minutes or units moved."""

    inp: SlipInput
    taken: frozenset[str]
    quantities: tuple[int, ...]


def changed(inp: SlipInput, changes: Changes, years: YearBook, chosen: Callable[[Charge], bool]) -> Changed:
    """These inputs with the changes made. Rates and hours change on `chosen` lines only, never on expenses or reversals.

    The caller has called `check`. EngineError for what this slip cannot take: hours or a rate below nought.
    """
    taken: set[str] = set()
    charges = list(inp.charges)
    open_ = [i for i, charge in enumerate(charges) if not charge.reverses and chosen(charge)]
    moved = _hours(charges, open_, changes.hours, taken)
    repriced = _rates(charges, open_, changes.rates, taken)
    for i in moved | repriced:
        charge = charges[i]
        by_hour = charge.rate_unit == "hour"
        pence = (
            line_pence(charge.pay_rate, minutes=charge.minutes)
            if by_hour
            else line_pence(charge.pay_rate, units=charge.units or Decimal(0))
        )
        charges[i] = replace(charge, pay_pence=pence)
    other = replace(inp, charges=tuple(charges)) if moved or repriced else inp
    if other.employee is not None:
        other = _personal(other, other.employee, changes, taken)
        if changes.tax_year is not None:
            taken.add("tax_year")
            other = in_year(other, changes.tax_year, years)
    return Changed(other, frozenset(taken), tuple(sorted(moved)))


def _personal(inp: SlipInput, employee: Employee, changes: Changes, taken: set[str]) -> SlipInput:
    facts: dict[str, Any] = {}
    if changes.tax_code is not None:
        facts["tax_code"] = changes.tax_code
    if changes.ni_letter is not None:
        facts["ni_letter"] = changes.ni_letter
    if changes.student_loan_plan is not KEEP:
        facts["student_loan_plan"] = changes.student_loan_plan
    if changes.postgrad_loan is not None:
        facts["postgrad_loan"] = changes.postgrad_loan
    if changes.pension is not KEEP:
        facts["pension"] = changes.pension
    taken.update(facts)
    if changes.levy_payer is not None:
        taken.add("levy_payer")
        inp = replace(inp, levy_payer=changes.levy_payer)
    return replace(inp, employee=replace(employee, **facts)) if facts else inp


def _matches(charge: Charge, change: RateChange | HoursChange) -> bool:
    if change.placement_id is not None and charge.placement_id != change.placement_id:
        return False
    if change.rate_code is not None and charge.rate_code != change.rate_code:
        return False
    return charge.kind in _WORK or (charge.kind == "allowance" and change.rate_code is not None)


def _hours(charges: list[Charge], open_: Sequence[int], changes: Sequence[HoursChange], taken: set[str]) -> set[int]:
    moved: set[int] = set()
    for number, change in enumerate(changes):
        mine = [i for i in open_ if _matches(charges[i], change)]
        if change.add_minutes is not None:
            by_hour = [i for i in mine if charges[i].rate_unit == "hour"]
            mine = [max(by_hour, key=lambda i: (charges[i].minutes, -i))] if by_hour else []
        for i in mine:
            charge = charges[i]
            if change.add_minutes is not None:
                minutes = charge.minutes + change.add_minutes
                if minutes < 0:
                    raise EngineError(
                        "hours_below_nought",
                        f"The longest line has {charge.minutes} minutes; {-change.add_minutes} cannot be taken off.",
                        f"hours[{number}].add_minutes",
                    )
                charges[i] = replace(charge, minutes=minutes)
            elif change.scale_pct is not None:
                charges[i] = replace(
                    charge,
                    minutes=scaled_half_up_minute(charge.minutes, change.scale_pct),
                    units=None if charge.units is None else as_rate(charge.units * change.scale_pct / _WHOLE),
                )
            moved.add(i)
        if mine:
            taken.add(f"hours[{number}]")
    return moved


def scaled_half_up_minute(minutes: int, per_cent: Decimal) -> int:
    """Hours that nobody worked, to the nearest minute, halves up. Source: none in law; a supposition's own rule."""
    return int((minutes * per_cent / _WHOLE).to_integral_value(ROUND_HALF_UP))


def _rates(charges: list[Charge], open_: Sequence[int], changes: Sequence[RateChange], taken: set[str]) -> set[int]:
    repriced: set[int] = set()
    for number, change in enumerate(changes):
        for i in open_:
            charge = charges[i]
            if not _matches(charge, change):
                continue
            rate = _rate(charge.pay_rate, change)
            if rate < 0:
                raise EngineError(
                    "rate_below_nought",
                    f"The rate {charge.pay_rate} of {charge.rate_code} would become {rate}.",
                    f"rates[{number}].uplift_gbp",
                )
            # A premium line at a fixed rate keeps the basic rate that the minimum wage is tested with.
            fixed_premium = change.rate_gbp is not None and charge.basic_pay_rate != charge.pay_rate
            basic = charge.basic_pay_rate if fixed_premium else _rate(charge.basic_pay_rate, change)
            charges[i] = replace(charge, pay_rate=rate, basic_pay_rate=max(basic, Decimal(0)))
            repriced.add(i)
            taken.add(f"rates[{number}]")
    return repriced


def _rate(old: Decimal, change: RateChange) -> Decimal:
    if change.rate_gbp is not None:
        return as_rate(change.rate_gbp)
    if change.uplift_pct is not None:
        return as_rate(old * (_WHOLE + change.uplift_pct) / _WHOLE)
    return as_rate(old + (change.uplift_gbp or Decimal(0)))


def in_year(inp: SlipInput, tax_year: str, years: YearBook) -> SlipInput:
    """The same tax week in another year: every date moves by the same number of days, so hours, age and to-date figures stay. So do
    the days of statutory pay, at that year's rates, and of leave.

    Day 366 of a leap year has no day of its own in another year and becomes its last. UnknownTaxYear for a year without a file.
    """
    target, own = years.year(tax_year), tax_year_of(inp.payday_on)
    if own == tax_year:
        return inp
    day_of_year = inp.payday_on - date(int(own[:4]), 4, 6)
    by = min(target.starts_on + day_of_year, target.ends_on) - inp.payday_on
    return replace(
        inp,
        period_from=inp.period_from + by,
        period_to=inp.period_to + by,
        payday_on=inp.payday_on + by,
        charges=tuple(replace(charge, week_ending=charge.week_ending + by) for charge in inp.charges),
        employee=None if inp.employee is None else _aged(inp.employee, by),
        statutory=tuple(
            replace(pay, week_ending=pay.week_ending + by, dates=tuple(day + by for day in pay.dates))
            for pay in inp.statutory
        ),
        late=tuple(week.moved(by) for week in inp.late),
        holiday=tuple(holiday_pay.moved(pay, by) for pay in inp.holiday),
        leave=None if inp.leave is None else leave.moved(inp.leave, by),
    )


def _aged(employee: Employee, by: timedelta) -> Employee:
    """As old in the other year as in this one: age decides the minimum wage."""
    return employee if employee.birth_on is None else replace(employee, birth_on=employee.birth_on + by)


def cost_by_timesheet(
    charges: Sequence[Charge], shares: Sequence[Sequence[int]], cost_pence: int
) -> dict[tuple[str, int], int]:
    """What each (timesheet, version) costs, pence: the slip's cost in proportion to pay, to the penny.

    The read models share cost out by the same rule: by pay, never below nought, the largest remainders first in key order.
    """
    pay: defaultdict[tuple[str, int], int] = defaultdict(int)
    for charge, share in zip(charges, shares, strict=True):
        pay[charge.timesheet_id, charge.version] += share[0]
    keys = sorted(pay)
    return dict(zip(keys, largest_remainder(cost_pence, [max(pay[key], 0) for key in keys]), strict=True))
