"""The National Minimum Wage test of one pay reference period. Source: National Minimum Wage Regulations 2015."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from pay_calc.domain.engine import rounding
from pay_calc.domain.engine.parameters import MinimumWageBook
from pay_calc.domain.engine.state_pension_age import age_on
from pay_calc.domain.engine.trace import Node, Trace

SCALE = 600000
"""Denominator of the exact pay that counts: pence x SCALE holds minutes x rate / 60 and units x rate without a remainder."""


@dataclass(frozen=True, slots=True)
class MinimumWageOutcome:
    """`status` not_tested: `reason` says which fact is missing; a person acknowledges it and pay proceeds. `rate_pence`: the hourly
    rate tested against. `shortfall_pence`: what is owed, up to the penny; zero on a pass."""

    status: Literal["pass", "fail", "not_tested"]
    minutes: int
    rate_pence: int | None
    shortfall_pence: int
    reason: str


_PASS_NO_HOURS = MinimumWageOutcome("pass", 0, None, 0, "no hours that count")


def outcome_of_period(
    book: MinimumWageBook,
    *,
    reference_period_from: date | None,
    birth_on: date | None,
    apprentice: bool,
    apprenticeship_first_year: bool = True,
    minutes: int,
    counting_pay_scaled: int,
    trace: Trace | None = None,
) -> MinimumWageOutcome:
    """Compare pay that counts with hours that count.

    `counting_pay_scaled` is pence x `SCALE`: gross less premium parts, holiday pay, expenses and deductions for the employer's benefit. The
    rate is that of the first day of the period, and so is the age. Without a birth date the adult rate is tried: a pass at the highest
    rate is a pass, anything else is not tested. Periods longer than a month are the caller's error.
    """
    if minutes <= 0:
        return _PASS_NO_HOURS
    if reference_period_from is None:
        return MinimumWageOutcome(
            "not_tested", minutes, None, 0, "the first day of the pay reference period is not known"
        )
    rates = book.at(reference_period_from)
    if rates is None:
        return MinimumWageOutcome(
            "not_tested",
            minutes,
            None,
            0,
            f"no minimum wage is known for periods that start on {reference_period_from}",
        )
    if birth_on is None:
        rate = rates.adult
    else:
        age = age_on(birth_on, reference_period_from)
        if apprentice and (age < 19 or apprenticeship_first_year):
            rate = rates.apprentice
        else:
            rate = rates.adult if age >= 21 else rates.aged_18_to_20 if age >= 18 else rates.under_18
    required_scaled = rate * minutes * (SCALE // 60)
    short = required_scaled - counting_pay_scaled
    shortfall = rounding.minimum_wage_ceil_penny(short, SCALE) if short > 0 else 0
    if trace is not None:
        trace.push(
            Node("nmw.required", "The least this work may pay", "ratio",
                 rounding.minimum_wage_ceil_penny(rate * minutes, 60), "pence", "hours that count x the hourly rate",
                 (("from", str(rates.from_on)),),
                 (trace.given("nmw.minutes", "Minutes that count", minutes, "minutes", "time worked"),), factors=(rate,), divisor=60,
                 rounding="minimum_wage_ceil_penny")
        )  # fmt: skip
    if short <= 0:
        return MinimumWageOutcome("pass", minutes, rate, 0, "")
    if birth_on is None:
        return MinimumWageOutcome("not_tested", minutes, rate, 0, "no birth date, and the pay is below the adult rate")
    return MinimumWageOutcome("fail", minutes, rate, shortfall, "pay that counts is below the minimum wage")
