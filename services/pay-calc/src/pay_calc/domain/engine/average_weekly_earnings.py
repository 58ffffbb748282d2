"""Average weekly earnings from what was paid, for statutory sick pay and family pay, and the tests that rest on them.

The average is kept as an exact ratio: no rule rounds it before the amount. Earnings are those liable to Class 1 National Insurance, each at
the payday it belonged to, early or late. Source: Statutory Sick Pay (General) Regulations 1982 reg. 19; Statutory Maternity Pay (General)
Regulations 1986 reg. 21; HMRC, Statutory Payments Manual.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from pay_calc.domain.engine import family_pay, rounding
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.parameters import SPAN_OF, YearParameters
from pay_calc.domain.engine.ssp import SicknessSpell
from pay_calc.domain.engine.trace import Node, Trace

Interval = Literal["weekly", "fortnightly", "four_weekly", "monthly", "irregular"]
RELEVANT_DAYS = 56


@dataclass(frozen=True, slots=True)
class PaidEarnings:
    """What one normal payday paid, pence. Zero is a payday too: a week without pay counts in the average."""

    normal_payday_on: date
    pence: int


@dataclass(frozen=True, slots=True)
class AverageEarnings:
    """`pence / divisor` is the exact average week. `after_on` (excluded) to `to_on` (included) is the relevant period; both None when the
    contract decides. `shown_pence` is cut to the penny, which decides every test against a limit as the exact average does."""

    pence: int
    divisor: int
    after_on: date | None
    to_on: date | None
    method: str

    @property
    def shown_pence(self) -> int:
        return rounding.average_week_floor_penny(self.pence, self.divisor)


def average(
    payments: Sequence[PaidEarnings],
    interval: Interval,
    up_to_on: date,
    employed_from: date,
    contractual_week_pence: int | None = None,
    trace: Trace | None = None,
) -> AverageEarnings:
    """The average week over the relevant period that ends with the last normal payday on or before `up_to_on`.

    The period begins the day after the last payday that is at least eight weeks earlier. Weekly, fortnightly and four-weekly pay: the sum
    over the whole weeks of the period (over days / 7 when they are not whole). Monthly pay: the sum / months x 12 / 52. Irregular pay: the
    sum / days x 7. A starter without so early a payday: over the paid weeks (days, when paid monthly or irregularly) since employment
    began. Nobody paid yet: the contract's week, `contractual_week_pence`; refused as `no_earnings_to_average` when it is not given.

    For sick pay `up_to_on` is the day before the first day of incapacity; for family pay the Saturday of its week (`family_week_ends_on`).
    """
    paydays = [each.normal_payday_on for each in payments]
    if paydays != sorted(set(paydays)):
        raise EngineError("payments_out_of_order", "Give each normal payday once, in date order.", "payments")
    if any(each.pence < 0 for each in payments):
        raise EngineError("negative_amount", "Earnings may not be negative.", "payments")
    paid = [each for each in payments if employed_from <= each.normal_payday_on <= up_to_on]
    if not paid:
        if contractual_week_pence is None:
            raise EngineError(
                "no_earnings_to_average",
                f"No payday on or before {up_to_on}: give the week's pay that the contract promises.",
                "contractual_week",
            )
        found = AverageEarnings(contractual_week_pence, 1, None, None, "the contract's week: nothing was paid yet")
        return _traced(found, contractual_week_pence, trace)
    to_on = paid[-1].normal_payday_on
    earlier = [each.normal_payday_on for each in paid if (to_on - each.normal_payday_on).days >= RELEVANT_DAYS]
    starter = not earlier
    after_on = earlier[-1] if earlier else employed_from - timedelta(days=1)
    inside = [each for each in paid if each.normal_payday_on > after_on]
    total, days = sum(each.pence for each in inside), (to_on - after_on).days
    factor, divisor, method = _scale(interval, starter, days, len(inside))
    return _traced(AverageEarnings(total * factor, divisor, after_on, to_on, method), total, trace)


def _scale(interval: Interval, starter: bool, days: int, paydays: int) -> tuple[int, int, str]:
    """(factor, divisor, words) that turn the period's sum into a week."""
    if interval == "monthly" and not starter:
        return 12, 52 * paydays, f"sum / {paydays} months x 12 / 52"
    if interval in ("monthly", "irregular"):
        return 7, days, f"sum / {days} days x 7"
    if starter:
        weeks = paydays * SPAN_OF[interval]
        return 1, weeks, f"sum / {weeks} paid weeks since employment began"
    if days % 7:
        return 7, days, f"sum / {days} days x 7"
    return 1, days // 7, f"sum / {days // 7} weeks"


def _traced(found: AverageEarnings, total: int, trace: Trace | None) -> AverageEarnings:
    if trace is not None:
        earnings = trace.given(
            "average.earnings", "Earnings of the relevant period", total, "pence", "paid in the period",
            (("after", str(found.after_on)), ("to", str(found.to_on))),
        )  # fmt: skip
        factor = found.pence // total if total else 1
        trace.push(
            Node("average.week", "Average weekly earnings, as shown", "ratio", found.shown_pence, "pence", found.method, (), (earnings,),
                 factors=(factor,), divisor=found.divisor, rounding="average_week_floor_penny")
        )  # fmt: skip
    return found


# Family pay: which week decides


def family_week_ends_on(kind: family_pay.Kind, event_on: date, *, adoption: bool = False) -> date:
    """The Saturday up to which earnings and employment are tested.

    SMP, and SPP or ShPP for a birth: of the 15th week before the week of the expected birth (`event_on`). SAP, and SPP or ShPP for an
    adoption: of the week the adopter was matched (`event_on`). SPBP: of the week before the week of the death (`event_on`). SNCP takes the
    week of the other family pay that it goes with, or its own: refused, so that a person gives it.
    """
    sunday = family_pay.week_from(event_on)
    if kind == "SNCP":
        raise EngineError(
            "relevant_week_not_settled",
            "Neonatal care pay takes the relevant week of the other family pay, if any: give its Saturday to `average` yourself.",
            "kind",
        )
    if kind == "SPBP":
        return sunday - timedelta(days=1)
    if kind == "SAP" or (adoption and kind in ("SPP", "ShPP")):
        return sunday + timedelta(days=6)
    return sunday - timedelta(weeks=15) + timedelta(days=6)


@dataclass(frozen=True, slots=True)
class FamilyTests:
    """The two tests that can be worked out. Passing them is no decision: that stays a person's, with evidence."""

    week_ends_on: date
    employed_by: date
    continuous_employment: bool
    earnings: bool
    average: AverageEarnings


def family_tests(
    parameters: YearParameters, week_ends_on: date, employed_from: date, average_earnings: AverageEarnings
) -> FamilyTests:
    """26 weeks of employment that end with the relevant week, and average earnings of at least its limit. `parameters` are those of the
    relevant week: a limit that rises in April does not reach back."""
    if not parameters.starts_on <= week_ends_on <= parameters.ends_on:
        raise EngineError(
            "relevant_week_outside_tax_year",
            f"The relevant week ends on {week_ends_on}, outside {parameters.tax_year}: use that year's limit.",
            "week_ends_on",
        )
    employed_by = family_pay.employed_by_for_26_weeks(week_ends_on - timedelta(days=6))
    return FamilyTests(
        week_ends_on,
        employed_by,
        employed_from <= employed_by,
        average_earnings.shown_pence >= parameters.family_pay.earnings_test_pence,
        average_earnings,
    )


# Sick pay across 6 April 2026


@dataclass(frozen=True, slots=True)
class SspTransition:
    """How days from 6 April 2026 are paid in a spell: `flat_rate` without the share of earnings, and whether the average is that of an
    earlier linked spell."""

    flat_rate: bool
    average_of_first_spell: bool
    words: str


def ssp_transition(
    old_rules: YearParameters,
    new_rules: YearParameters,
    spells: Sequence[SicknessSpell],
    first_average: AverageEarnings,
    paid_before_change: bool,
) -> SspTransition:
    """What governs the last of a chain of linked spells on days under the new rules.

    - continuous over the change and paid before it: the uprated flat rate without the share, until return, exhaustion or contract end;
    - continuous over the change and still in waiting days: entitled from the first day of the new rules, at the new rate;
    - after the change, linked to an earlier spell: the new rate on the first spell's average;
    - the average below the old limit in a spell that began before the change: refused as `ssp_transition_unsettled`, because which earnings
      count for those newly entitled was not settled when the rules were compiled.

    Source: Employment Rights Act 2025 ss.10 and 11 and DWP's guidance on the transition.
    """
    if not spells:
        raise EngineError("no_spells", "Give the chain of linked spells, the present one last.", "spells")
    change = new_rules.starts_on
    first, last = spells[0], spells[-1]
    below = first_average.shown_pence < (old_rules.ssp.earnings_test_pence or 0)
    if first.first_on < change and below:
        raise EngineError(
            "ssp_transition_unsettled",
            f"Sickness from {first.first_on} with average earnings below the limit of {old_rules.tax_year}: whose earnings count from "
            f"{change} is not settled. Decide with DWP's guidance and enter the amount.",
            "spells",
        )
    if last.first_on < change <= last.last_on:
        if paid_before_change:
            return SspTransition(True, True, "in payment over the change: the flat rate until return")
        return SspTransition(
            False, True, "in waiting days over the change: entitled from its first day, at the new rate"
        )
    return SspTransition(False, len(spells) > 1, "under the new rules; a linked spell keeps the first average")
