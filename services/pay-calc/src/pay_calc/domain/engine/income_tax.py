"""Income tax of one payment under HMRC's PAYE tax table routines (v24.0), in integers.

Pay and tax are pence; intermediate figures are ten-thousandths of a pound, truncated (`trunc4`), as the routines ask.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from pay_calc.domain.engine import rounding
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.parameters import BASE_OF, SPAN_OF, Frequency, RegionBands, YearParameters
from pay_calc.domain.engine.tax_code import TaxCode
from pay_calc.domain.engine.trace import Node, Trace

Basis = Literal["cumulative", "non_cumulative"]


@dataclass(frozen=True, slots=True)
class TaxResult:
    """`tax_pence` may be negative: a refund. `after_code_pence` is taxable pay less free pay (plus a K code's additional pay)
    to date, or of this payment when non-cumulative; never below zero."""

    tax_pence: int
    tax_to_date_pence: int
    basis: Basis
    limited_to_50pct: bool
    after_code_pence: int


@lru_cache(maxsize=8192)
def free_pay_period_1(parameters: YearParameters, number: int, base: int) -> int:
    """Free (or for K codes additional) pay of week or month 1, pence.

    The number is cut into slices of 500; the rest takes `(rest x 10 + 9) / base` up to the penny.
    Source: routines section 4.3.1, note for programmers.
    """
    if number == 0:
        return 0
    slices, rest = divmod(number - 1, parameters.free_pay_slice)
    rest_4dp = rounding.trunc4(((rest + 1) * 10 + 9) * 10000, base)
    return rounding.free_pay_ceil_penny(rest_4dp, 100) + slices * parameters.free_pay_slice_pence[base]


_TAXABLE = "gross pay, less salary sacrifice and pension taken before tax"
PeriodTable = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]


@lru_cache(maxsize=1024)
def period_table(bands: RegionBands, base: int, periods: int) -> PeriodTable:
    """(v in pence, c, k in ten-thousandths): band edges rounded up to the pound for the test, edges and taxes truncated.

    c and k start with the zero that stands before the first band. Source: routines, definitions 9 to 11.
    """
    c = tuple(rounding.trunc4(edge * 10000 * periods, base) for edge in bands.edges_pounds)
    k = tuple(rounding.trunc4(tax * 100 * periods, base) for tax in bands.taxes_pence)
    v = tuple(rounding.threshold_ceil_pound(edge, 10000) * 100 for edge in c)
    return v, (0, *c), (0, *k)


def _pay_node(trace: Trace, pay_pence: int, benefits_pence: int) -> Node:
    if not benefits_pence:
        return trace.given("paye.pay", "Taxable pay, this payment", pay_pence, "pence", _TAXABLE)
    return Node(
        "paye.pay", "Taxable pay, this payment", "sum", pay_pence, "pence", "pay in money and payrolled benefits", (),
        (
            trace.given("paye.money", "Taxable pay in money", pay_pence - benefits_pence, "pence", _TAXABLE),
            trace.given("paye.benefits", "Payrolled benefits in it", benefits_pence, "pence", "from the payslip"),
        ),
        (1, 1),
    )  # fmt: skip


def tax_for_payment(
    parameters: YearParameters,
    code: TaxCode,
    frequency: Frequency,
    period: int,
    pay_pence: int,
    pay_before_pence: int = 0,
    tax_before_pence: int = 0,
    benefits_pence: int = 0,
    trace: Trace | None = None,
) -> TaxResult:
    """Tax of one payment.

    `pay_pence` is taxable pay including `benefits_pence`, the payrolled benefits in it; the `before` figures are this tax year's, own
    and previous employment together. Week 53, 54 and 56 are always non-cumulative. A non-cumulative code never refunds. At most half
    of the payment (without benefits) is taken, under every code; the rest stays due in the cumulative figures.
    """
    if not 0 <= benefits_pence <= pay_pence:
        raise EngineError(
            "benefits_exceed_pay",
            "Payrolled benefits must be between zero and the taxable pay that contains them.",
            "payrolled_benefits_in_pay",
        )
    base = BASE_OF[frequency]
    cumulative = not code.non_cumulative and period <= base
    if cumulative:
        periods, pay_to_date, tax_charged = period, pay_before_pence + pay_pence, tax_before_pence
    else:
        periods, pay_to_date, tax_charged = SPAN_OF[frequency], pay_pence, 0

    kind, bands = code.kind, parameters.regions[code.region]
    adjustment = 0
    if kind == "suffix":
        adjustment = -periods * free_pay_period_1(parameters, code.number or 0, base)
    elif kind == "K":
        adjustment = periods * free_pay_period_1(parameters, code.number or 0, base)
    after_code = pay_to_date + adjustment

    whole_pounds = rate = excess = slice_tax = due_4dp = band = 0
    table: PeriodTable | None = None
    if after_code <= 0 or kind == "NT":
        due = 0
    else:
        whole_pounds = rounding.taxable_floor_pound(after_code, 100)
        if kind == "BR" or kind == "D":
            pointer = bands.basic_rate_pointer + (0 if kind == "BR" else 1 + (code.number or 0))
            rate = bands.rates_bp[pointer - 1]
            due = rounding.tax_floor_penny(whole_pounds * rate, 100)
        else:
            table = period_table(bands, base, periods)
            edges = table[0]
            band = 0
            while band < len(edges) and after_code > edges[band]:
                band += 1
            rate = bands.rates_bp[band]
            excess = whole_pounds * 10000 - table[1][band]
            slice_tax = rounding.trunc4(excess * rate, 10000)
            due_4dp = table[2][band] + slice_tax
            due = rounding.tax_floor_penny(due_4dp, 100)

    tax = due - tax_charged
    limit = rounding.limit_floor_penny((pay_pence - benefits_pence) * parameters.overriding_limit_bp, 10000)
    limited = tax > limit
    if limited:
        tax = limit
    basis: Basis = "cumulative" if cumulative else "non_cumulative"

    if trace is not None:
        number = code.number if code.number is not None else 0
        children = [_pay_node(trace, pay_pence, benefits_pence)]
        if cumulative:
            children.append(
                trace.given(
                    "paye.pay_before",
                    "Taxable pay before this payment",
                    pay_before_pence,
                    "pence",
                    "this tax year so far",
                )
            )
        signs = [1] * len(children)
        if kind in ("suffix", "K"):
            first = trace.given(
                "paye.free_pay_period_1",
                f"{'Additional' if kind == 'K' else 'Free'} pay of one {'week' if base == 52 else 'month'}",
                free_pay_period_1(parameters, number, base),
                "pence",
                "the code's number in slices of 500; the rest x 10 + 9 over the year's periods, up to the penny",
                (("number", str(number)),),
            )
            children.append(
                Node(
                    "paye.free_pay",
                    "Additional pay" if kind == "K" else "Free pay",
                    "ratio",
                    abs(adjustment),
                    "pence",
                    f"{periods} x one {'week' if base == 52 else 'month'}",
                    (("code", code.text), ("period", str(period))),
                    (first,),
                    factors=(periods,),
                    rounding="free_pay_ceil_penny",
                )
            )
            signs.append(1 if kind == "K" else -1)
        after = Node(
            "paye.after_code",
            "Pay that is taxed",
            "sum",
            after_code,
            "pence",
            "pay to date, less free pay" if kind != "K" else "pay to date, plus additional pay",
            (("basis", basis),),
            tuple(children),
            tuple(signs),
        )
        due_node = _due_node(trace, code, after, whole_pounds, rate, band, table, excess, slice_tax, due_4dp, due)
        charged = trace.given("paye.tax_before", "Tax already taken", tax_charged, "pence", "this tax year so far")
        owed = Node(
            "paye.owed", "Tax due now", "sum", due - tax_charged, "pence", "tax to date less tax already taken",
            (), (due_node, charged), (1, -1),
        )  # fmt: skip
        in_cash = Node(
            "paye.cash_pay", "Pay in money", "sum", pay_pence - benefits_pence, "pence", "pay less payrolled benefits", (),
            (
                _pay_node(trace, pay_pence, benefits_pence),
                trace.given("paye.benefits", "Payrolled benefits in it", benefits_pence, "pence", "from the payslip"),
            ),
            (1, -1),
        )  # fmt: skip
        limit_node = Node(
            "paye.limit", "The most that may be taken", "ratio", limit, "pence", "half of the pay in money", (), (in_cash,),
            factors=(parameters.overriding_limit_bp,), divisor=10000, rounding="limit_floor_penny",
        )  # fmt: skip
        trace.push(
            Node(
                "paye.tax",
                "Income tax",
                "min",
                tax,
                "pence",
                "the tax due now, but never more than half of the pay",
                (
                    ("tax code", code.text),
                    ("tax year", parameters.tax_year),
                    ("tax period", str(period)),
                    ("basis", basis),
                ),
                (owed, limit_node),
            )
        )
    return TaxResult(tax, tax_before_pence + tax, basis, limited, after_code if after_code > 0 else 0)


def _due_node(
    trace: Trace,
    code: TaxCode,
    after: Node,
    whole_pounds: int,
    rate: int,
    band: int,
    table: PeriodTable | None,
    excess: int,
    slice_tax: int,
    due_4dp: int,
    due: int,
) -> Node:
    """How the tax to date follows from the pay after the code."""
    if after.result <= 0 or code.kind == "NT":
        why = "an NT code takes no tax" if code.kind == "NT" else "nothing is left after the free pay"
        return Node(
            "paye.due",
            "Tax to date",
            "ratio",
            due,
            "pence",
            why,
            (),
            (after,),
            factors=(0,),
            rounding="tax_floor_penny",
        )
    pounds = Node(
        "paye.whole_pounds", "In whole pounds", "ratio", whole_pounds, "pounds", "pence are dropped", (), (after,),
        divisor=100, rounding="taxable_floor_pound",
    )  # fmt: skip
    percent = f"{rate // 100}.{rate % 100:02d} %"
    if table is None:
        return Node(
            "paye.due", "Tax to date", "ratio", due, "pence", f"all of it at {percent}", (("rate", percent),), (pounds,),
            factors=(rate,), divisor=100, rounding="tax_floor_penny",
        )  # fmt: skip
    edge = trace.given(
        "paye.band_edge", "Where this rate starts", table[1][band], "pounds_4dp", "band edge for the periods so far"
    )
    below = trace.given(
        "paye.band_tax", "Tax on everything below", table[2][band], "pounds_4dp", "tax of the lower bands"
    )
    excess_node = Node(
        "paye.excess", "Pay in the highest band", "sum", excess, "pounds_4dp", "whole pounds less where the rate starts", (),
        (pounds, edge), (10000, -1),
    )  # fmt: skip
    slice_node = Node(
        "paye.band_slice", f"Tax at {percent}", "ratio", slice_tax, "pounds_4dp", f"pay in the highest band x {percent}",
        (("rate", percent),), (excess_node,), factors=(rate,), divisor=10000, rounding="trunc4",
    )  # fmt: skip
    total = Node(
        "paye.due_4dp", "Tax to date before rounding", "sum", due_4dp, "pounds_4dp", "lower bands plus the highest",
        (), (below, slice_node), (1, 1),
    )  # fmt: skip
    return Node(
        "paye.due",
        "Tax to date",
        "ratio",
        due,
        "pence",
        "down to the penny",
        (),
        (total,),
        divisor=100,
        rounding="tax_floor_penny",
    )
