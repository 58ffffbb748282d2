"""Late weeks under the agency's rule `usual_payday`: what was charged on their paydays before, and how a slip keeps it.

A week belongs to the payday of its own pay period. What earlier payslips charged there, on time or late themselves, is taken into account,
because National Insurance, loans and pension belong to the period.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from typing import Any

from pay_calc.domain.engine.periods import EarningsPeriodToDate, LateCharge, LatePeriod, NicPart
from pay_calc.domain.pay_dates import WEEK


@dataclass(frozen=True, slots=True)
class Charged:
    """What one finalised payslip charged on one earnings period, pence, and under what terms. `period_to`: of the period's own week."""

    period_to: date
    payday_on: date
    employment_no: int
    letter: str
    niable_pence: int
    basic_pence: int
    employee_nic_pence: int
    employer_nic_pence: int
    student_loan_pence: int
    postgrad_loan_pence: int
    employee_pension_pence: int
    employer_pension_pence: int
    pension: bool
    student_loan_plan: str | None
    postgrad_loan: bool


def charged_of(
    payday_on: date, period_to: date, inputs: Mapping[str, Any], result: Mapping[str, Any]
) -> tuple[Charged, ...]:
    """What a finalised PAYE payslip charged: on its own period, and on each late one it paid."""
    figures, employee = result["figures"], inputs["employee"]
    terms = {
        "employment_no": employee["employment_no"],
        "pension": employee["pension"] is not None,
        "student_loan_plan": employee["student_loan_plan"],
        "postgrad_loan": employee["postgrad_loan"],
    }
    late = [late_charge_of(each) for each in result.get("late", ())]
    paydays = {each["period_to"]: date.fromisoformat(each["payday_on"]) for each in inputs.get("late", ())}
    basic = sum(
        line["amount_pence"] for line in result["lines"] if line["element"] == "basic" and line["kind"] != "statutory"
    )
    whole = {
        "niable_pence": figures["niable_pence"],
        "basic_pence": basic if figures["gross_pence"] else 0,
        "employee_nic_pence": figures["employee_nic_pence"],
        "employer_nic_pence": figures["employer_nic_pence"],
        "student_loan_pence": figures["student_loan_pence"],
        "postgrad_loan_pence": figures["postgrad_loan_pence"],
        "employee_pension_pence": figures["employee_pension_pence"],
        "employer_pension_pence": figures["employer_pension_pence"] - figures["sacrifice_pence"],
    }
    own = {name: pence - sum(getattr(each, name) for each in late) for name, pence in whole.items()}
    return (
        Charged(period_to, payday_on, letter=result["ni_letter"], **terms, **own),
        *(
            Charged(
                date.fromisoformat(each.reference),
                paydays[each.reference],
                letter=each.letter,
                **terms,
                **{name: getattr(each, name) for name in whole},
            )
            for each in late
        ),
    )


@dataclass(frozen=True, slots=True)
class LateWeek:
    """A late week's earnings period as a slip's inputs keep it: the fields of `LatePeriod` but its lines."""

    period_to: date
    payday_on: date
    charged: EarningsPeriodToDate
    letter: str | None
    student_loan: bool
    postgrad_loan: bool

    def as_json(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "period_to": self.period_to.isoformat(),
            "payday_on": self.payday_on.isoformat(),
        }

    def as_period(self, lines: tuple[int, ...]) -> LatePeriod:
        return LatePeriod(
            self.period_to.isoformat(),
            self.payday_on,
            lines,
            self.charged,
            self.letter,
            self.student_loan,
            self.postgrad_loan,
        )

    def moved(self, by: timedelta) -> LateWeek:
        return replace(self, period_to=self.period_to + by, payday_on=self.payday_on + by)


def late_week_of(raw: Mapping[str, Any]) -> LateWeek:
    """A late week as `LateWeek.as_json` wrote it."""
    return LateWeek(
        period_to=date.fromisoformat(raw["period_to"]),
        payday_on=date.fromisoformat(raw["payday_on"]),
        charged=EarningsPeriodToDate(**raw["charged"]),
        letter=raw["letter"],
        student_loan=raw["student_loan"],
        postgrad_loan=raw["postgrad_loan"],
    )


@dataclass(frozen=True, slots=True)
class Terms:
    """What of a worker's terms decides how a late week is charged."""

    employment_no: int
    student_loan_plan: str | None
    postgrad_loan: bool
    on_basic_pay: bool
    """Pension is taken of basic pay."""


def late_week(
    period_to: date, usual_payday_on: date, first_day_of_year: date, history: Iterable[Charged], terms: Terms
) -> LateWeek:
    """The earnings period of a late week. Of an earlier tax year nothing is added: it is charged by itself.

    Pay on which no pension was taken stays out of pension; loans that were not collected on that payday are not collected on its late pay.
    """
    mine = [each for each in history if each.period_to == period_to and each.employment_no == terms.employment_no]
    payday_on = max((each.payday_on for each in mine), default=usual_payday_on)
    if payday_on < first_day_of_year:
        return LateWeek(period_to, payday_on, EarningsPeriodToDate(), None, True, True)
    paid = [each for each in mine if each.niable_pence]
    in_scheme = [each for each in paid if each.pension]
    total = {name: sum(getattr(each, name) for each in paid) for name in _SUMMED}
    return LateWeek(
        period_to,
        payday_on,
        EarningsPeriodToDate(
            **total,
            pensionable_pay_pence=sum(
                each.basic_pence if terms.on_basic_pay else each.niable_pence for each in in_scheme
            ),
        ),
        paid[-1].letter if paid else None,
        all(each.student_loan_plan == terms.student_loan_plan for each in paid),
        all(each.postgrad_loan == terms.postgrad_loan for each in paid),
    )


_SUMMED = (
    "niable_pence",
    "employee_nic_pence",
    "employer_nic_pence",
    "student_loan_pence",
    "postgrad_loan_pence",
    "employee_pension_pence",
    "employer_pension_pence",
)


def weeks_apart(weeks: Iterable[date], period_to: date) -> list[date]:
    """`period_to` of each of these weeks, by their Sundays, that is not the payslip's own."""
    own = period_to - WEEK
    return sorted({week + timedelta(days=1) for week in weeks if not own <= week < period_to})


def late_charge_of(raw: Mapping[str, Any]) -> LateCharge:
    return LateCharge(**raw)


def parts_as_json(parts: Sequence[NicPart]) -> list[dict[str, Any]]:
    return [asdict(part) for part in parts]
