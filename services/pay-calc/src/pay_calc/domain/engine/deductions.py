"""Recovery of advances and overpayments, and deductions the worker agreed to, taken from what is left after everything the law puts first.

An advance and an accidental overpayment do not lower pay for the minimum wage; a deduction for the employer's own use or benefit does, and
is taken only so far as the wage stays above it. Source: Employment Rights Act 1996 ss.13 and 14; National Minimum Wage Regulations 2015
regs 10 to 12.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.minimum_wage import MinimumWageOutcome
from pay_calc.domain.engine.payslip import (
    NetDeduction,
    PayslipInput,
    PayslipResult,
    calculate_payslip,
)
from pay_calc.domain.engine.trace import Node, Trace

DeductionKind = Literal["advance", "overpayment", "agreed", "agreed_for_others"]
_ORDER: tuple[DeductionKind, ...] = ("advance", "overpayment", "agreed", "agreed_for_others")


@dataclass(frozen=True, slots=True)
class Recoverable:
    """Something to take from net pay, pence.

    advance: wages paid early. overpayment: wages paid by mistake. agreed: for the employer's use or benefit (uniform, travel it arranges).
    agreed_for_others: to a third party that the employer gains nothing from (a union). `outstanding_pence` is what is left to take,
    `instalment_pence` the most in one period. `consent_ref` and `consent_on` are needed for agreed deductions; `arose_on` is the day of
    what the deduction is for, and consent has to come first.
    """

    reference: str
    kind: DeductionKind
    outstanding_pence: int
    instalment_pence: int
    arose_on: date
    consent_ref: str = ""
    consent_on: date | None = None

    @property
    def reduces_nmw(self) -> bool:
        return self.kind == "agreed"


@dataclass(frozen=True, slots=True)
class Recovered:
    """What one payslip takes. `limited_by` says why less than the instalment: net pay, or the minimum wage."""

    reference: str
    kind: DeductionKind
    taken_pence: int
    outstanding_pence: int
    reduces_nmw: bool
    limited_by: Literal["", "net_pay", "minimum_wage"]


def recover(
    wanted: Sequence[Recoverable],
    payday_on: date,
    net_available_pence: int,
    nmw_headroom_pence: int | None,
    trace: Trace | None = None,
) -> tuple[Recovered, ...]:
    """Take what can be taken: advances, then overpayments, then agreed deductions, each kind by date. Never more than net pay.

    `nmw_headroom_pence`: how far pay for the minimum wage is above it; None when it was not tested, and then only a person may let a
    deduction for the employer's benefit through: refused as `minimum_wage_not_tested`. Consent missing, or given after the event, is
    refused as `consent_missing`. With a trace: one node for each, in order.
    """
    left, headroom = max(0, net_available_pence), nmw_headroom_pence
    results: list[Recovered] = []
    for each in sorted(wanted, key=lambda item: (_ORDER.index(item.kind), item.arose_on, item.reference)):
        _check(each, payday_on)
        asked = min(each.instalment_pence, each.outstanding_pence)
        taken, limited_by = asked, ""
        bounds = [("net_pay", left)]
        if each.reduces_nmw:
            if headroom is None:
                raise EngineError(
                    "minimum_wage_not_tested",
                    f"{each.reference} is for the employer's benefit and the minimum wage was not tested for this period.",
                    "deductions",
                )
            bounds.append(("minimum_wage", max(0, headroom)))
        for name, bound in bounds:
            if bound < taken:
                taken, limited_by = bound, name
        left -= taken
        if each.reduces_nmw and headroom is not None:
            headroom -= taken
        results.append(
            Recovered(
                each.reference, each.kind, taken, each.outstanding_pence - taken, each.reduces_nmw,
                limited_by,  # type: ignore[arg-type]
            )
        )  # fmt: skip
        if trace is not None:
            children = (
                trace.given("deduction.instalment", "Instalment", each.instalment_pence, "pence", "agreed or set"),
                trace.given("deduction.outstanding", "Outstanding", each.outstanding_pence, "pence", "the record"),
                *(
                    trace.given(f"deduction.{name}", name.replace("_", " "), bound, "pence", "room")
                    for name, bound in bounds
                ),
            )
            trace.push(
                Node("deduction.taken", each.reference, "min", taken, "pence", "the least of these", (), children)
            )
    return tuple(results)


def _check(each: Recoverable, payday_on: date) -> None:
    if min(each.outstanding_pence, each.instalment_pence) < 0:
        raise EngineError("negative_amount", f"{each.reference} holds a negative amount.", "deductions")
    if each.kind not in ("agreed", "agreed_for_others"):
        return
    if (
        not each.consent_ref
        or each.consent_on is None
        or each.consent_on > each.arose_on
        or each.consent_on > payday_on
    ):
        raise EngineError(
            "consent_missing",
            f"{each.reference} needs the worker's written consent from before {each.arose_on}, what it is for.",
            "deductions",
        )


def net_deductions(recovered: Sequence[Recovered]) -> tuple[NetDeduction, ...]:
    """As the payslip takes them; nothing for a deduction that took nothing."""
    return tuple(
        NetDeduction(each.reference, each.taken_pence, each.reduces_nmw) for each in recovered if each.taken_pence
    )


def minimum_wage_headroom(inp: PayslipInput, outcome: MinimumWageOutcome) -> int | None:
    """How far the payslip's pay for the minimum wage is above it, whole pence; None when it was not tested.

    `outcome` is the payslip's own, before the deductions in question.
    """
    if outcome.status == "not_tested":
        return None
    if outcome.rate_pence is None:
        return sum(line.amount_pence for line in inp.pay_lines)
    return outcome.surplus_pence


def payslip_with_recovery(
    inp: PayslipInput, wanted: Sequence[Recoverable], trace: Trace | None = None
) -> tuple[PayslipResult, tuple[Recovered, ...]]:
    """The payslip after recovering what can be recovered, and what was. Expenses in net pay are not touched: they are not wages."""
    before = calculate_payslip(inp)
    recovered = recover(
        wanted, inp.payday_on, before.net_pence - before.expenses_pence, minimum_wage_headroom(inp, before.nmw)
    )
    return calculate_payslip(replace(inp, deductions=(*inp.deductions, *net_deductions(recovered))), trace), recovered


@dataclass(frozen=True, slots=True)
class Overpayment:
    """An overpayment found after its payday, pence. In the same tax year the gross is taken back through pay, so that tax and National
    Insurance follow; after the year's end the earlier year is corrected and only the net is asked for."""

    gross_pence: int
    net_pence: int
    way: Literal["through_gross", "net_and_earlier_year"]
    words: str


def overpayment(paid: PayslipResult, right: PayslipResult, found_in_tax_year: str) -> Overpayment:
    """What one payslip overpaid against the right one of the same payday. Nothing overpaid, or different years, is refused."""
    if (paid.tax_year, paid.tax_period) != (right.tax_year, right.tax_period):
        raise EngineError("periods_differ", "Compare two payslips of one period.", "right")
    gross, net = paid.gross_pence - right.gross_pence, paid.net_pence - right.net_pence
    if gross <= 0:
        raise EngineError("nothing_overpaid", "The payslip paid no more than the right one.", "paid")
    if found_in_tax_year == paid.tax_year:
        return Overpayment(gross, net, "through_gross", "taken back through gross pay of this tax year")
    return Overpayment(
        gross, net, "net_and_earlier_year", f"the net is repaid and a corrected FPS reports {paid.tax_year}"
    )
