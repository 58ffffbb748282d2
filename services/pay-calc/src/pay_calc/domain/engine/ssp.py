"""Statutory Sick Pay under the rules of both known years.

Source: Social Security Contributions and Benefits Act 1992 Part XI; Employment Rights Act 2025 for sickness from 6 April 2026.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from pay_calc.domain.engine import rounding
from pay_calc.domain.engine.calendar import add_months
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.parameters import YearParameters
from pay_calc.domain.engine.trace import Node, Trace, text_of

LINKED_YEARS = 3
"""A chain of linked spells carries entitlement no longer than this."""


def weekly_rate_scaled(
    parameters: YearParameters,
    average_weekly_earnings_pence: int,
    transitional_flat_rate: bool = False,
    average_divisor: int = 1,
) -> int:
    """The weekly rate in pence x 10,000 x `average_divisor`, unrounded: flat, or the lower of the flat rate and the year's share of average
    earnings (`average_weekly_earnings_pence / average_divisor`).

    `transitional_flat_rate`: sick and paid across 6 April 2026 keeps the flat rate without the share until return.
    """
    rules = parameters.ssp
    flat = rules.weekly_pence * 10000 * average_divisor
    if rules.earnings_bp is None or transitional_flat_rate:
        return flat
    share = average_weekly_earnings_pence * rules.earnings_bp
    return share if share < flat else flat


def is_entitled_by_earnings(
    parameters: YearParameters, average_weekly_earnings_pence: int, average_divisor: int = 1
) -> bool:
    """The lower earnings test, where the year has one: average weekly earnings at least the LEL."""
    test = parameters.ssp.earnings_test_pence
    return test is None or average_weekly_earnings_pence >= test * average_divisor


def payable(
    parameters: YearParameters,
    average_weekly_earnings_pence: int,
    qualifying_days_per_week: int,
    payable_days: int,
    transitional_flat_rate: bool = False,
    trace: Trace | None = None,
    average_divisor: int = 1,
) -> int:
    """SSP in pence for `payable_days` (after waiting days) of a pattern of 1 to 7 qualifying days a week.

    The daily rate is not rounded, nor is an average of `average_weekly_earnings_pence / average_divisor`; the sum goes up to the
    penny. Below the LEL where the year tests it: nothing.
    """
    if not 1 <= qualifying_days_per_week <= 7:
        raise EngineError(
            "qualifying_days_out_of_range",
            f"A week has 1 to 7 qualifying days; {qualifying_days_per_week} is not.",
            "qualifying_days_per_week",
        )
    most = parameters.ssp.maximum_weeks * qualifying_days_per_week
    if not 0 <= payable_days <= most:
        raise EngineError(
            "payable_days_out_of_range",
            f"SSP is paid for 0 to {most} days ({parameters.ssp.maximum_weeks} weeks of {qualifying_days_per_week}); "
            f"{payable_days} is not.",
            "payable_days",
        )
    if not is_entitled_by_earnings(parameters, average_weekly_earnings_pence, average_divisor):
        if trace is not None:
            trace.push(
                trace.given(
                    "ssp.none", "Statutory sick pay", 0, "pence", "average earnings are below the lower earnings limit"
                )
            )
        return 0
    weekly = weekly_rate_scaled(parameters, average_weekly_earnings_pence, transitional_flat_rate, average_divisor)
    amount = rounding.ssp_ceil_penny(weekly * payable_days, qualifying_days_per_week * 10000 * average_divisor)
    if trace is not None:
        trace.push(
            Node(
                "ssp.payable",
                "Statutory sick pay",
                "ratio",
                amount,
                "pence",
                "weekly rate / qualifying days a week x days paid, up to the penny",
                (
                    ("days paid", str(payable_days)),
                    ("qualifying days a week", str(qualifying_days_per_week)),
                    (
                        "average weekly earnings",
                        text_of(
                            rounding.average_week_floor_penny(average_weekly_earnings_pence, average_divisor), "pence"
                        ),
                    ),
                ),
                (),
                factors=(weekly, payable_days),
                divisor=qualifying_days_per_week * 10000 * average_divisor,
                rounding="ssp_ceil_penny",
            )
        )
    return amount


@dataclass(frozen=True, slots=True)
class SicknessSpell:
    """One period of incapacity, both days included, with its first average weekly earnings."""

    first_on: date
    last_on: date


@dataclass(frozen=True, slots=True)
class SspDay:
    """One qualifying day of sickness and what became of it."""

    on: date
    treatment: Literal["waiting", "payable", "exhausted", "too_short", "contract_ended"]


def days_of(
    spells: Sequence[SicknessSpell],
    qualifying_weekdays: frozenset[int],
    year_rules: Sequence[YearParameters],
    contract_ends_on: date | None = None,
) -> tuple[SspDay, ...]:
    """Which qualifying days of a chain of spells are waiting days, payable or past the maximum.

    Spells at most 56 days apart are linked: waiting days are served once and the 28 weeks are shared; three years after the first of a
    chain began, entitlement ends (Statutory Sick Pay (General) Regulations 1982 reg. 3). Under the 2025-26 rules a spell
    under four days is no period of incapacity; from 6 April 2026 any day counts and there are no waiting days. Each day takes the rules of
    the year it is in (Monday is weekday 0). Entitlement ends with the contract, whose last day is `contract_ends_on`. Spells are in date
    order and do not overlap.
    """
    if not qualifying_weekdays or not qualifying_weekdays <= frozenset(range(7)):
        raise EngineError(
            "no_qualifying_days", "A week has at least one qualifying day, numbered 0 to 6.", "qualifying_weekdays"
        )
    days: list[SspDay] = []
    waited = paid = 0
    previous: SicknessSpell | None = None
    chain_from: date | None = None
    for spell in spells:
        if spell.last_on < spell.first_on or (previous is not None and spell.first_on <= previous.last_on):
            raise EngineError("spells_out_of_order", "Sickness spells must be in date order and not overlap.", "spells")
        rules = _rules_on(year_rules, spell.first_on)
        if previous is not None and (spell.first_on - previous.last_on).days - 1 > rules.ssp.link_days:
            waited = paid = 0
            chain_from = None
        length = (spell.last_on - spell.first_on).days + 1
        for offset in range(length):
            day = date.fromordinal(spell.first_on.toordinal() + offset)
            if day.weekday() not in qualifying_weekdays:
                continue
            on_day = _rules_on(year_rules, day).ssp
            if contract_ends_on is not None and day > contract_ends_on:
                days.append(SspDay(day, "contract_ended"))
            elif on_day.waiting_days and length < 4:
                days.append(SspDay(day, "too_short"))
            elif waited < on_day.waiting_days:
                waited += 1
                days.append(SspDay(day, "waiting"))
            elif paid >= on_day.maximum_weeks * len(qualifying_weekdays) or (
                chain_from is not None and day >= add_months(chain_from, LINKED_YEARS * 12)
            ):
                days.append(SspDay(day, "exhausted"))
            else:
                paid += 1
                days.append(SspDay(day, "payable"))
        if length >= 4 or not rules.ssp.waiting_days:
            previous = spell
            chain_from = chain_from or spell.first_on
    return tuple(days)


def _rules_on(year_rules: Sequence[YearParameters], day: date) -> YearParameters:
    for year in year_rules:
        if year.starts_on <= day <= year.ends_on:
            return year
    raise EngineError("unknown_tax_year", f"No SSP rules are loaded for {day}.", "spells")
