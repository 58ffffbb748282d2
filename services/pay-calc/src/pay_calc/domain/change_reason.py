"""Why a payslip pays another amount than the one before it in the same employment, in a sentence for the worker.

Only causes are told (hours, rates, codes, corrections); what follows from them (more pay, so more tax) is not. Drafts and final payslips
read alike: both sides are stored inputs and results.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from pay_calc.domain.engine.pension import NOTHING_BACK
from pay_calc.domain.holiday_pay import WORDS
from pay_calc.domain.slips import BENEFITS, SlipInput

CAUSES_MAX = 3
_BESIDE = frozenset({"statutory", "holiday"})
"""Kinds of lines that are no work."""
_PREMIUMS = {
    "overtime": "overtime",
    "weekend": "weekend work",
    "bank_holiday": "bank holiday work",
    "night": "night work",
    "call_out": "call-outs",
}
_DEDUCTIONS = (
    ("student_loan_pence", "student loan deduction"),
    ("postgrad_loan_pence", "postgraduate loan deduction"),
    ("employee_pension_pence", "pension contribution"),
    ("sacrifice_pence", "salary sacrifice"),
)


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two payslips: its inputs, and its result as `SlipResult.as_json` wrote it."""

    inp: SlipInput
    result: Mapping[str, Any]

    def figure(self, name: str) -> int:
        """A figure in pence; one that did not exist when the payslip was made is zero."""
        return int(self.result["figures"].get(name, 0))

    @property
    def lines(self) -> Sequence[Mapping[str, Any]]:
        return self.result["lines"]  # type: ignore[no-any-return]  # stored JSON


@dataclass(frozen=True, slots=True)
class _Cause:
    """`weight`: about how many pence it moves; None: a fact that is told whatever it moves."""

    words: str
    weight: int | None = None


def change_reason(before: Side | None, now: Side) -> str | None:
    """At most three causes in one sentence, or None: same net pay, no payslip before, or another employment."""
    if before is None or now.inp.employee is None or before.inp.employee is None:
        return None
    if before.inp.employee.employment_no != now.inp.employee.employment_no:
        return None
    if before.figure("net_pence") == now.figure("net_pence"):
        return None
    causes = [*_hours(before, now), *_premiums(before, now), *_rates(before, now), *_extras(before, now)]
    causes += [*_other_weeks(before, now), *_facts(before, now), *_taken(before, now)]
    if not causes:
        causes = list(_consequence(before, now))
    kept = sorted(causes, key=lambda cause: (cause.weight is not None, -(cause.weight or 0)))[:CAUSES_MAX]
    words = [cause.words for cause in causes if cause in kept]
    text = "; ".join(words)
    return f"{text[:1].upper()}{text[1:]}." if text else None


def _own(side: Side) -> Iterator[Mapping[str, Any]]:
    """Lines of work in the payslip's own week that are no correction."""
    for line in side.lines:
        if not line["correction"] and line["kind"] not in _BESIDE and _in_period(side, line):
            yield line


def _in_period(side: Side, line: Mapping[str, Any]) -> bool:
    return side.inp.period_from <= date.fromisoformat(line["week_ending"]) < side.inp.period_to


def _hours(before: Side, now: Side) -> Iterator[_Cause]:
    was, is_ = (sum(line["minutes"] for line in _own(side)) for side in (before, now))
    if was == is_:
        return
    if now.inp.period_from == before.inp.period_to:
        when = "the week before"
    else:
        when = f"in the week ending {_day(before.inp.period_to - timedelta(days=1))}"
    than = f"{'more' if is_ > was else 'fewer'} hours than {when}"
    yield _Cause(f"{_as_hours(abs(is_ - was))} {than}", abs(_amount(_own(now)) - _amount(_own(before))))


def _premiums(before: Side, now: Side) -> Iterator[_Cause]:
    for element, name in _PREMIUMS.items():
        old, new = ([line for line in _own(side) if line["element"] == element] for side in (before, now))
        was, is_ = (sum(line["minutes"] for line in lines) for lines in (old, new))
        weight = abs(_amount(new) - _amount(old))
        if is_ and not was:
            yield _Cause(f"{_as_hours(is_)} hours of {name}", weight)
        elif was and not is_:
            yield _Cause(f"no {name} this time", weight)
        elif was != is_:
            yield _Cause(f"{_as_hours(abs(is_ - was))} {'more' if is_ > was else 'fewer'} hours of {name}", weight)


def _rates(before: Side, now: Side) -> Iterator[_Cause]:
    old, new = _by_rate(before), _by_rate(now)
    for key in new.keys() & old.keys():
        (was,), (is_,) = old[key], new[key]
        if was["pay_rate"] != is_["pay_rate"]:
            step = Decimal(is_["pay_rate"]) - Decimal(was["pay_rate"])
            measure = Decimal(is_["minutes"]) / 60 if is_["rate_unit"] == "hour" else Decimal(is_["units"] or 0)
            name = str(is_["element"]).replace("_", " ")
            words = f"{name} rate {'up' if step > 0 else 'down'} from {_rate(was)} to {_rate(is_)}"
            yield _Cause(words, abs(int(step * measure * 100)))
    placements = [{line["placement_id"] for line in _own(side)} for side in (before, now)]
    fresh = [line for line in _own(now) if line["placement_id"] and line["placement_id"] not in placements[0]]
    if fresh and placements[0]:
        yield _Cause("work at another placement", _amount(fresh))


def _by_rate(side: Side) -> dict[tuple[str, str, str], list[Mapping[str, Any]]]:
    """The one line of each placement, element and rate code; where a week had two rates, neither is told."""
    found: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for line in _own(side):
        if line["kind"] != "expense":
            found.setdefault((line["placement_id"], line["element"], line["rate_code"]), []).append(line)
    return {key: lines for key, lines in sorted(found.items()) if len(lines) == 1}


def _extras(before: Side, now: Side) -> Iterator[_Cause]:
    """Pay that is not by the hour: allowances and the like; statutory pay; expenses."""
    elements = dict.fromkeys(
        line["element"]
        for side in (before, now)
        for line in _own(side)
        if not line["minutes"] and line["kind"] != "expense"
    )
    for element in elements:
        was, is_ = (
            _amount(line for line in _own(side) if line["element"] == element and not line["minutes"])
            for side in (before, now)
        )
        yield from _came_or_went(str(element).replace("_", " "), was, is_)
    for element in dict.fromkeys(
        line["element"] for side in (before, now) for line in side.lines if line["kind"] == "statutory"
    ):
        was, is_ = (
            _amount([line for line in side.lines if line["kind"] == "statutory" and line["element"] == element])
            for side in (before, now)
        )
        yield from _came_or_went(f"statutory pay ({element})", was, is_)
    for element, name in WORDS.items():
        was, is_ = (_amount([line for line in side.lines if line["element"] == element]) for side in (before, now))
        yield from _came_or_went(f"{name[:1].lower()}{name[1:]}", was, is_)
    yield from _came_or_went("expenses", before.figure("expenses_pence"), now.figure("expenses_pence"))


def _came_or_went(name: str, was: int, is_: int) -> Iterator[_Cause]:
    if was == is_:
        return
    yield _Cause(
        f"{name} {_gbp(is_)}, {_gbp(was)} before"
        if is_ and was
        else f"{name} {_gbp(is_)}"
        if is_
        else f"no {name} this time",
        abs(is_ - was),
    )


def _other_weeks(before: Side, now: Side) -> Iterator[_Cause]:
    """Corrections of weeks that were paid before, and pay for weeks that were late."""
    told = False
    for week, (amount, corrected) in _weeks_apart(now).items():
        told = True
        if corrected:
            yield _Cause(f"a correction of {_gbp(amount)} for the week ending {_day(week)}", abs(amount))
        else:
            yield _Cause(f"{_gbp(amount)} late pay for the week ending {_day(week)}", abs(amount))
    gone = sum(amount for amount, _ in _weeks_apart(before).values())
    if gone and not told:
        yield _Cause("no late pay or correction this time", abs(gone))


def _weeks_apart(side: Side) -> dict[date, tuple[int, bool]]:
    """(pay, whether something of it was taken back) by week, of other weeks than the payslip's own."""
    found: dict[date, tuple[int, bool]] = {}
    for line in side.lines:
        week = date.fromisoformat(line["week_ending"])
        if line["correction"] or (line["kind"] not in _BESIDE and not _in_period(side, line)):
            amount, corrected = found.get(week, (0, False))
            found[week] = (amount + line["amount_pence"], corrected or line["correction"])
    return {week: found[week] for week in sorted(found) if found[week][0]}


def _facts(before: Side, now: Side) -> Iterator[_Cause]:
    """What HMRC, the calendar or the worker changed."""
    old, new = before.inp.employee, now.inp.employee
    assert old is not None
    assert new is not None
    if before.result["tax_year"] != now.result["tax_year"]:
        yield _Cause("a new tax year")
    if old.tax_code != new.tax_code:
        yield _Cause(f"tax code changed from {old.tax_code} to {new.tax_code}")
    if old.ni_letter != new.ni_letter:
        yield _Cause(f"National Insurance letter changed from {old.ni_letter} to {new.ni_letter}")
    was, is_ = before.figure("holiday_pence"), now.figure("holiday_pence")
    if bool(was) != bool(is_) and before.figure("gross_pence") and now.figure("gross_pence"):
        yield _Cause(
            "holiday pay is now paid with each week" if is_ else "holiday pay is no longer paid with each week"
        )
    was, is_ = (side.result["figures"].get(BENEFITS, 0) for side in (before, now))
    if was != is_:
        yield _Cause(
            f"{_gbp(is_)} of payrolled benefits taxed" + (f", {_gbp(was)} before" if was else "")
            if is_
            else "no payrolled benefits taxed this time"
        )
    if now.inp.pension_refund is not None:
        yield _Cause(
            f"{_gbp(now.inp.pension_refund.worker_pence)} of pension contributions given back after opting out"
        )
    if now.figure("tax_pence") < 0:
        yield _Cause(f"{_gbp(-now.figure('tax_pence'))} of tax given back")


def _taken(before: Side, now: Side) -> Iterator[_Cause]:
    """Deductions that came or went; one that only follows the pay is no cause."""
    for figure, name in _DEDUCTIONS:
        was, is_ = _deducted(before, figure), _deducted(now, figure)
        if bool(was) != bool(is_):
            yield _Cause(f"{name} of {_gbp(is_)}" if is_ else f"no {name} this time", abs(is_ - was))
    orders = [_by_order(side) for side in (before, now)]
    for reference in orders[0].keys() | orders[1].keys():
        was, is_ = orders[0].get(reference, 0), orders[1].get(reference, 0)
        if bool(was) != bool(is_):
            words = f"attachment of earnings of {_gbp(is_)}" if is_ else "an attachment of earnings has ended"
            yield _Cause(words, abs(is_ - was))
    was, is_ = (side.figure("other_deductions_pence") - sum(orders[n].values()) for n, side in enumerate((before, now)))
    yield from _came_or_went("other deductions", was, is_)


def _deducted(side: Side, figure: str) -> int:
    """What was taken; contributions that an opt-out gives back stand apart."""
    back = side.inp.pension_refund or NOTHING_BACK
    given_back = {
        "employee_pension_pence": back.net_pay_pence + back.ras_pence,
        "sacrifice_pence": back.sacrifice_pence,
    }
    return side.figure(figure) + given_back.get(figure, 0)


def _by_order(side: Side) -> dict[str, int]:
    return {each["reference"]: each["deducted_pence"] for each in side.result.get("attachments", ())}


def _consequence(before: Side, now: Side) -> Iterator[_Cause]:
    """Nothing was changed, and yet the net is another: cumulative tax catches up by pence, or pay rounds."""
    tax = now.figure("tax_pence") - before.figure("tax_pence")
    if tax and now.figure("gross_pence") == before.figure("gross_pence"):
        yield _Cause(
            f"{_gbp(abs(tax))} {'more' if tax > 0 else 'less'} tax, which is worked out on the tax year so far"
        )
        return
    gross = now.figure("gross_pence") - before.figure("gross_pence")
    if gross:
        yield _Cause(f"{_gbp(abs(gross))} {'more' if gross > 0 else 'less'} pay")


def _amount(lines: Iterator[Mapping[str, Any]] | Sequence[Mapping[str, Any]]) -> int:
    return sum(line["amount_pence"] for line in lines)


def _as_hours(minutes: int) -> str:
    return str((Decimal(minutes) / 60).quantize(Decimal("0.01")))


def _rate(line: Mapping[str, Any]) -> str:
    text = f"{Decimal(line['pay_rate']):f}"
    whole, _, decimals = text.partition(".")
    return f"£{whole}.{decimals.rstrip('0').ljust(2, '0')}"


def _gbp(pence: int) -> str:
    sign, size = ("−", -pence) if pence < 0 else ("", pence)
    return f"{sign}£{size // 100:,}.{size % 100:02d}"


def _day(day: date) -> str:
    return f"{day.day} {day:%B}"
