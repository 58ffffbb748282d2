"""Statutory maternity, adoption, paternity, shared parental, bereavement and neonatal care pay: weekly amounts and recovery.

Entitlement is a recorded decision of a person with evidence; without one nothing is worked out. For SMP the two tests are computed.
Source: Social Security Contributions and Benefits Act 1992 Parts XII to 12ZE.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from pay_calc.domain.engine import rounding
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.parameters import YearParameters
from pay_calc.domain.engine.trace import Node, Trace, text_of

Kind = Literal["SMP", "SAP", "SPP", "ShPP", "SPBP", "SNCP"]
_MOST_WEEKS: dict[Kind, int] = {"SMP": 39, "SAP": 39, "SPP": 2, "ShPP": 37, "SPBP": 2, "SNCP": 12}


@dataclass(frozen=True, slots=True)
class SmpTests:
    """The days that decide SMP and the outcome of its two tests."""

    qualifying_week_from: date
    employed_by: date
    continuous_employment: bool
    earnings: bool


def week_from(day: date) -> date:
    """The Sunday that starts a day's week, as statutory pay counts weeks."""
    return day - timedelta(days=(day.weekday() + 1) % 7)


def employed_by_for_26_weeks(week_starts_on: date) -> date:
    """The last day on which employment may have started to make 26 weeks ending with this week. A week with any day of employment in it
    counts, so it is the Saturday of the first of them. Source: Statutory Maternity Pay (General) Regulations 1986 reg. 11; HMRC's table of
    dates."""
    return week_starts_on + timedelta(days=6) - timedelta(weeks=25)


def smp_tests(
    parameters: YearParameters, employed_from: date, expected_birth_on: date, average_weekly_earnings_pence: int
) -> SmpTests:
    """SMP: 26 weeks of employment into the qualifying week (15th before the week of the expected birth, Sunday to Saturday), and average
    earnings at least the limit. A birth expected in the week of 6 April 2025 asks for a start by Saturday 6 July 2024."""
    qualifying = week_from(expected_birth_on) - timedelta(weeks=15)
    employed_by = employed_by_for_26_weeks(qualifying)
    return SmpTests(
        qualifying,
        employed_by,
        employed_from <= employed_by,
        average_weekly_earnings_pence >= parameters.family_pay.earnings_test_pence,
    )


def weekly_pay(
    parameters: YearParameters,
    kind: Kind,
    week: int,
    average_weekly_earnings_pence: int,
    entitlement_reference: str,
    trace: Trace | None = None,
    average_divisor: int = 1,
    relevant_week: YearParameters | None = None,
) -> int:
    """One week's statutory pay, pence, up to the penny: 90 % of average earnings in weeks 1 to 6 of SMP and SAP, otherwise the lower of
    that and the year's rate. `entitlement_reference` names the recorded decision; without one the engine refuses.
    `relevant_week`: the year of the week that decided entitlement, where it is an earlier one: its limit is tested, because a limit that
    rises in April does not reach back. The average is `average_weekly_earnings_pence / average_divisor`: one that is no whole number of
    pence stays exact."""
    if not entitlement_reference:
        raise EngineError(
            "entitlement_not_recorded",
            f"{kind} needs a recorded decision with its evidence before it is paid.",
            "entitlement_reference",
        )
    if not 1 <= week <= _MOST_WEEKS[kind]:
        raise EngineError(
            "week_out_of_range", f"{kind} is paid for weeks 1 to {_MOST_WEEKS[kind]}; {week} is not.", "week"
        )
    rules = parameters.family_pay
    deciding = relevant_week or parameters
    limit = deciding.family_pay.earnings_test_pence
    if average_weekly_earnings_pence < limit * average_divisor:
        raise EngineError(
            "earnings_below_limit",
            f"{kind} needs average weekly earnings of {text_of(limit, 'pence')}, the limit of {deciding.tax_year}.",
            "average_weekly_earnings",
        )
    share = rounding.family_pay_ceil_penny(average_weekly_earnings_pence * rules.earnings_bp, 10000 * average_divisor)
    earnings_only = kind in ("SMP", "SAP") and week <= 6
    amount = share if earnings_only or share < rules.weekly_pence else rules.weekly_pence
    if trace is not None:
        average = trace.given(
            "family.average",
            "Average weekly earnings" if average_divisor == 1 else f"Average weekly earnings x {average_divisor}",
            average_weekly_earnings_pence,
            "pence",
            "recorded",
        )
        ninety = Node("family.share", "90 % of it", "ratio", share, "pence", "average x 90 %, up to the penny", (), (average,),
                      factors=(rules.earnings_bp,), divisor=10000 * average_divisor, rounding="family_pay_ceil_penny")  # fmt: skip
        flat = trace.given(
            "family.flat", "The year's rate", rules.weekly_pence, "pence", f"rates of {parameters.tax_year}"
        )
        children = (ninety,) if earnings_only else (ninety, flat)
        trace.push(Node("family.week", f"{kind}, week {week}", "min", amount, "pence", "the lower, from week 7 on",
                        (("decision", entitlement_reference),), children))  # fmt: skip
    return amount


def recovery(parameters: YearParameters, paid_pence: int, employer_class_1_last_year_pence: int) -> int:
    """What the employer recovers of family pay, pence: 92 %, or a small employer's rate (Class 1 of the last complete year up to 45,000,
    before Employment Allowance)."""
    rules = parameters.family_pay
    small = employer_class_1_last_year_pence <= rules.small_employer_class1_pence
    return rounding.recovery_half_up_penny(
        paid_pence * (rules.small_employer_recovery_bp if small else rules.recovery_bp), 10000
    )
