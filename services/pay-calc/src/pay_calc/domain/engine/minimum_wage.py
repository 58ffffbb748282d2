"""The National Minimum Wage test of one pay reference period. Source: National Minimum Wage Regulations 2015."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from pay_calc.domain.engine import rounding
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.parameters import MinimumWageBook, MinimumWageRates
from pay_calc.domain.engine.state_pension_age import age_on
from pay_calc.domain.engine.trace import Node, Trace

SCALE = 600000
"""Denominator of the exact pay that counts: pence x SCALE holds minutes x rate / 60 and units x rate without a remainder."""


@dataclass(frozen=True, slots=True)
class MinimumWageOutcome:
    """`status` not_tested: `reason` says which fact is missing; a person puts a name to it before the close, and pay proceeds.
    `rate_pence`: the hourly rate tested against. `shortfall_pence`: what is owed, up to the penny; zero on a pass. `surplus_pence`: on a
    pass with hours, whole pence above it."""

    status: Literal["pass", "fail", "not_tested"]
    minutes: int
    rate_pence: int | None
    shortfall_pence: int
    reason: str
    surplus_pence: int = 0


@dataclass(frozen=True, slots=True)
class Accommodation:
    """Living accommodation the employer provides in the period: days it is provided, and what is charged for them, pence."""

    days: int
    charge_pence: int


_PASS_NO_HOURS = MinimumWageOutcome("pass", 0, None, 0, "no hours that count")


def outcome_of_period(
    book: MinimumWageBook,
    *,
    reference_period_from: date | None,
    birth_on: date | None,
    apprentice: bool,
    apprenticeship_first_year: bool | None = None,
    minutes: int,
    counting_pay_scaled: int,
    accommodation: Accommodation | None = None,
    trace: Trace | None = None,
) -> MinimumWageOutcome:
    """Compare pay that counts with hours that count.

    `counting_pay_scaled` is pence x `SCALE`: gross less premium parts, holiday pay, expenses and deductions for the employer's benefit.
    `accommodation` is counted here. The rate is that of the first day of the period, and so is the age. The apprentice rate is for those
    under 19 or in the first year. A fact that is not known (birth date, `apprenticeship_first_year` of an older apprentice) is taken as it
    asks for the higher rate: a pass is a pass, and pay between the two rates is not tested. Periods longer than a month are the
    caller's error.
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
    rate, certain = rates.adult, 0
    unknown = "no birth date, and the pay is below the adult rate"
    if birth_on is not None:
        age = age_on(birth_on, reference_period_from)
        rate = rates.adult if age >= 21 else rates.aged_18_to_20 if age >= 18 else rates.under_18
        if apprentice and (age < 19 or apprenticeship_first_year):
            rate = rates.apprentice
        certain = rate
        if apprentice and age >= 19 and apprenticeship_first_year is None:
            certain = rates.apprentice
            unknown = "an apprentice of 19 or over, whose first year is not recorded, is paid below the rate of the age"
    counted = counting_pay_scaled
    if accommodation is not None:
        counted -= accommodation_reduction(rates, accommodation) * SCALE
    short = rate * minutes * (SCALE // 60) - counted
    if short > 0 and certain < rate:
        short_for_certain = certain * minutes * (SCALE // 60) - counted
        if short_for_certain <= 0 or birth_on is None:
            return MinimumWageOutcome("not_tested", minutes, rate, 0, unknown)
        rate, short = certain, short_for_certain
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
        return MinimumWageOutcome("pass", minutes, rate, 0, "", -short // SCALE)
    return MinimumWageOutcome("fail", minutes, rate, shortfall, "pay that counts is below the minimum wage")


def accommodation_reduction(rates: MinimumWageRates, accommodation: Accommodation) -> int:
    """What accommodation takes off the pay that counts, pence: a charge over the offset its excess, free accommodation minus the whole
    offset (it adds to pay), a charge up to the offset nothing. Source: National Minimum Wage Regulations 2015 regs 14 to 16."""
    if min(accommodation.days, accommodation.charge_pence) < 0:
        raise EngineError("negative_amount", "Days and charge of accommodation may not be negative.", "accommodation")
    offset = rates.accommodation_day * accommodation.days
    if accommodation.charge_pence == 0:
        return -offset
    return accommodation.charge_pence - offset if accommodation.charge_pence > offset else 0


def arrears(shortfall_pence: int, rate_then_pence: int, rate_now_pence: int) -> int:
    """What repays an old shortfall, pence: at the rate of the day of repayment where that is higher, up to the penny.

    Source: National Minimum Wage Act 1998 s.17(2) to (4): the shortfall / the rate then x the rate now.
    """
    if shortfall_pence < 0 or rate_then_pence <= 0:
        raise EngineError(
            "negative_amount", "A shortfall may not be negative, and its rate is more than nothing.", "shortfall"
        )
    rate = max(rate_then_pence, rate_now_pence)
    return rounding.minimum_wage_ceil_penny(shortfall_pence * rate, rate_then_pence)
