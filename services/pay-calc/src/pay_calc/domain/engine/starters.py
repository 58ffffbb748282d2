"""The tax code that a new worker starts on, and the code after leaving. Source: HMRC, starter checklist; PAYE Regulations 2003."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from pay_calc.domain.engine.parameters import YearParameters, tax_year_of
from pay_calc.domain.engine.tax_code import TaxCode, parse_tax_code

Declaration = Literal["A", "B", "C"]


@dataclass(frozen=True, slots=True)
class P45:
    """Parts 2 and 3 of a P45, pence. `left_on` decides its tax year."""

    left_on: date
    tax_code: str
    pay_to_date_pence: int
    tax_to_date_pence: int


@dataclass(frozen=True, slots=True)
class StartingTax:
    """The code to run and the previous employment's figures to carry (zero when they are ignored)."""

    tax_code: str
    previous_pay_pence: int
    previous_tax_pence: int
    reason: str
    declaration: Declaration | None = None
    """What the FPS reports: the worker's statement, or with a P45 the one that its code stands for; None: nothing was returned."""


def starting_tax(
    parameters: YearParameters,
    starts_on: date,
    p45: P45 | None,
    declaration: Declaration | None,
    code_in_use: str | None = None,
) -> StartingTax:
    """What to operate until HMRC sends a code. `code_in_use`: the code of an earlier payday of this employment, which a statement that
    comes late does not change.

    A P45 of this tax year: its code and figures (figures ignored on a W1/M1 code). A P45 of last year, start by 24 May: its code,
    cumulative, no figures. Otherwise the checklist: A the emergency code, B the same on week 1, C basic rate; nothing returned: 0T on
    week 1.
    """
    if p45 is not None:
        code = parse_tax_code(p45.tax_code, "p45.tax_code")
        stated: Declaration = "C" if code.kind in ("BR", "D") or (code.kind, code.number) == ("suffix", 0) else "B"
        same_year = tax_year_of(p45.left_on) == parameters.tax_year
        if same_year and code.non_cumulative:
            return StartingTax(
                code.text, 0, 0, "P45 of this tax year on a week 1 or month 1 code: its figures are ignored", stated
            )
        if same_year:
            return StartingTax(code.text, p45.pay_to_date_pence, p45.tax_to_date_pence, "P45 of this tax year", stated)
        last_year = tax_year_of(p45.left_on) == tax_year_of(date(parameters.starts_on.year - 1, 4, 6))
        if last_year and starts_on <= date(parameters.starts_on.year, 5, 24):
            return StartingTax(
                _cumulative(code), 0, 0, "P45 of last tax year, start by 24 May: its code without figures", stated
            )
    if code_in_use is not None:
        code = parse_tax_code(code_in_use, "code_in_use")
        return StartingTax(code.text, 0, 0, "the code first used stays until HMRC sends another", declaration)
    if declaration == "A":
        return StartingTax(parameters.emergency_code, 0, 0, "statement A: first job since 6 April", "A")
    if declaration == "B":
        return StartingTax(f"{parameters.emergency_code} W1", 0, 0, "statement B: only job now", "B")
    if declaration == "C":
        return StartingTax("BR", 0, 0, "statement C: another job or pension", "C")
    return StartingTax("0T W1", 0, 0, "no P45 and no statement")


def _cumulative(code: TaxCode) -> str:
    prefix = {"rUK": "", "Scotland": "S", "Wales": "C"}[code.region]
    return f"{prefix}{code.bare}"


def code_after_leaving(last_code: str) -> str:
    """The code for a payment after the P45 was issued: 0T on week 1, in the region of the last code. FPS: payment after leaving."""
    return {"rUK": "0T W1", "Scotland": "S0T W1", "Wales": "C0T W1"}[parse_tax_code(last_code).region]


def carried_into_new_year(last_code: str) -> str:
    """A code at 6 April: the same, without its W1, M1 or X marker, unless HMRC sends another."""
    return _cumulative(parse_tax_code(last_code))
