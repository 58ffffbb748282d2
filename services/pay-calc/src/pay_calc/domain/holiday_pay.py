"""Pay for leave: days that a worker takes off, and leave left at the end of an employment. From the stored record to one payslip's part.

The rate is the average of the last 52 paid weeks, from finalised payslips; the contract's week where there are none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Literal

from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.holiday_ledger import (
    AverageWeek,
    PastWeek,
    average_week,
    pay_for_leave,
    payment_on_leaving,
)
from pay_calc.domain.engine.payslip import PayLineInput
from pay_calc.domain.engine.trace import Node, Trace
from pay_calc.domain.pay_dates import DAY

Kind = Literal["taken", "in_lieu"]
Days = tuple[tuple[date, int], ...]
ELEMENTS: Mapping[str, str] = {"taken": "holiday_taken", "in_lieu": "holiday_in_lieu"}
WORDS: Mapping[str, str] = {"holiday_taken": "Holiday taken", "holiday_in_lieu": "Holiday paid in lieu"}
_NOUGHT = Decimal(0)


@dataclass(frozen=True, slots=True)
class Rate:
    """What a minute of leave is paid by: `total_pence` over `total_minutes` of `weeks` paid weeks, or of one week of the contract
    (`weeks` 0). `refused`: the code of why there is none."""

    total_pence: int = 0
    total_minutes: int = 0
    weeks: int = 0
    first_week_on: date | None = None
    last_week_on: date | None = None
    contract_ref: str = ""
    refused: str = ""

    @property
    def words(self) -> str:
        if self.refused:
            return self.refused
        if not self.weeks:
            return f"the contract's week: {self.contract_ref}"
        return f"average of {self.weeks} paid week{'s' if self.weeks > 1 else ''}, {self.first_week_on} to {self.last_week_on}"

    def average(self) -> AverageWeek:
        """As the engine's rules take it. Raises EngineError when there is no rate."""
        if self.refused or self.total_minutes <= 0:
            code = self.refused or "no_hours"
            raise EngineError(code, "No paid week before the leave and no week of the contract: leave has no rate.", "")
        day = self.last_week_on or date.min
        return AverageWeek(0, self.total_pence, self.total_minutes, self.weeks, self.first_week_on or day, day)


def rate_of(
    weeks: Sequence[PastWeek], leave_starts_on: date, contract_pence: int | None, contract_minutes: int, ref: str
) -> Rate:
    """The rate of leave that starts on this day: history first, then the contract's week."""
    try:
        found = average_week(weeks, leave_starts_on)
    except EngineError as error:
        refused = error.code
    else:
        if found.total_minutes > 0:
            return Rate(
                found.total_pence, found.total_minutes, found.weeks_counted, found.first_week_on, found.last_week_on
            )
        refused = "no_hours"
    if contract_pence is None or contract_minutes <= 0:
        return Rate(refused=refused)
    return Rate(contract_pence, contract_minutes, contract_ref=ref)


@dataclass(frozen=True, slots=True)
class HolidayPay:
    """Leave of one record that one payslip pays.

    `days`: minutes of each; of a payment in lieu the last day of the employment, with nothing: it pays what the ledger has left. `recovery`
    names the agreement by which leave taken beyond what was earned is taken back.
    """

    kind: Kind
    record_id: str
    week_ending: date
    days: Days
    rate: Rate
    recovery: str = ""

    @property
    def dates(self) -> tuple[date, ...]:
        return tuple(day for day, _ in self.days)

    @property
    def minutes(self) -> int:
        return sum(minutes for _, minutes in self.days)

    @property
    def element(self) -> str:
        return ELEMENTS[self.kind]

    def amount(self, minutes: int, trace: Trace | None = None) -> int:
        """Pence for these minutes. Raises EngineError: no rate, or nothing that may be paid or taken back."""
        average = self.rate.average()
        if self.kind == "taken":
            return pay_for_leave(average, minutes, trace)
        if minutes == 0 or (minutes < 0 and not self.recovery):
            raise EngineError("no_leave_left", "The ledger has no leave to pay in lieu.", "left_on")
        return payment_on_leaving(minutes, average, self.recovery, trace).pence

    def as_json(self) -> dict[str, Any]:
        rate = self.rate
        return {
            "kind": self.kind,
            "record_id": self.record_id,
            "week_ending": self.week_ending.isoformat(),
            "days": days_json(self.days),
            "recovery": self.recovery,
            "rate": {
                "total_pence": rate.total_pence,
                "total_minutes": rate.total_minutes,
                "weeks": rate.weeks,
                "first_week_on": None if rate.first_week_on is None else rate.first_week_on.isoformat(),
                "last_week_on": None if rate.last_week_on is None else rate.last_week_on.isoformat(),
                "contract_ref": rate.contract_ref,
                "refused": rate.refused,
            },
        }


def days_json(days: Days) -> list[list[Any]]:
    return [[day.isoformat(), minutes] for day, minutes in days]


def days_of(raw: Sequence[Sequence[Any]]) -> Days:
    """Days as `days_json` wrote them."""
    return tuple((date.fromisoformat(day), int(minutes)) for day, minutes in raw)


def holiday_of(raw: Mapping[str, Any]) -> HolidayPay:
    """Holiday pay as `HolidayPay.as_json` wrote it."""
    rate = dict(raw["rate"])
    for name in ("first_week_on", "last_week_on"):
        rate[name] = None if rate[name] is None else date.fromisoformat(rate[name])
    return HolidayPay(
        kind=raw["kind"],
        record_id=raw["record_id"],
        week_ending=date.fromisoformat(raw["week_ending"]),
        days=days_of(raw["days"]),
        rate=Rate(**rate),
        recovery=raw["recovery"],
    )


def moved(pay: HolidayPay, by: timedelta) -> HolidayPay:
    """The same leave in another year."""
    return replace(pay, week_ending=pay.week_ending + by, days=tuple((day + by, minutes) for day, minutes in pay.days))


def weeks_of(days: Days) -> dict[date, Days]:
    """Days by the Sunday that ends their week."""
    found: dict[date, list[tuple[date, int]]] = {}
    for day, minutes in sorted(days):
        found.setdefault(day + DAY * (6 - day.weekday()), []).append((day, minutes))
    return {week: tuple(found[week]) for week in found}


@dataclass(frozen=True, slots=True)
class PaidLeave:
    """One holiday pay as a payslip pays it: the minutes that it uses up and their pay, negative where leave is taken back."""

    pay: HolidayPay
    minutes: int
    pence: int


def engine_lines(paid: Sequence[PaidLeave]) -> tuple[PayLineInput, ...]:
    """As the engine takes them: fixed sums, without rolled-up holiday pay, and nothing for the minimum wage."""
    return tuple(
        PayLineInput(
            placement_ref=f"week ending {each.pay.week_ending}",
            element=each.pay.element,
            minutes=each.minutes,
            units=None,
            rate_unit="hour",
            pay_rate=_NOUGHT,
            basic_pay_rate=_NOUGHT,
            amount_pence=each.pence,
            nmw_counts=False,
            holiday_counts=False,
            amount_is_final=True,
        )
        for each in paid
    )


def shown(parts: Sequence[PaidLeave]) -> Mapping[str, Any]:
    """The printed line of what one week's leave pays. `placement_id` is None: no client asked for it."""
    first = parts[0].pay
    return {
        "placement_id": None,
        "week_ending": first.week_ending.isoformat(),
        "kind": "holiday",
        "element": first.element,
        "rate_code": first.element,
        "rate_unit": "hour",
        "minutes": sum(part.minutes for part in parts),
        "units": None,
        "pay_rate": "0",
        "amount_pence": sum(part.pence for part in parts),
        "correction": False,
    }


def explained(parts: Sequence[PaidLeave]) -> Node:
    """One printed line of holiday pay as a node that stands on how each part was worked out."""
    nodes = []
    for part in parts:
        if not part.minutes:
            nodes.append(
                Node(
                    "holiday.none_left",
                    "Nothing left to pay in lieu",
                    "given",
                    0,
                    "pence",
                    "no more was earned than taken",
                )
            )
            continue
        trace = Trace()
        part.pay.amount(part.minutes, trace)
        node = trace.root
        nodes.append(replace(node, inputs=(*node.inputs, ("paid by", part.pay.rate.words))))
    week, element = parts[0].pay.week_ending, parts[0].pay.element
    return Node(
        "pay.holiday", f"{WORDS[element]}, week ending {week.day} {week:%B %Y}", "sum", sum(part.pence for part in parts), "pence",
        "pay for the week's leave" if element == "holiday_taken" else "pay for the leave left on leaving", (),
        tuple(nodes), tuple(1 for _ in nodes),
    )  # fmt: skip
