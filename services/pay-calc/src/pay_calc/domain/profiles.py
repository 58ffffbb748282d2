"""What a worker's pay profile must look like, and what it lacks or this release does not pay by it: such a profile is held."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.nic import LETTER_AFTER
from pay_calc.domain.engine.parameters import tax_year_of
from pay_calc.domain.engine.starters import carried_into_new_year, code_after_leaving
from pay_calc.domain.engine.tax_code import parse_tax_code
from pay_calc.domain.profile_terms import Benefit, Provided
from pay_calc.domain.starting import Start, Starter

_NI_NUMBER = re.compile(r"[A-Z]{2}[0-9]{6}[A-D]")
SUPPORTED_NI_LETTERS = frozenset("ABCHJMVXZ")
"""Letters that need no fact beyond the profile. Freeport and investment-zone letters need a workplace postcode on the FPS,
and the letters of mariners another calculation."""


def ni_number_of(text: str) -> str:
    """A National Insurance number without spaces, in capitals. ValueError when it is not one."""
    number = re.sub(r"\s", "", text).upper()
    if _NI_NUMBER.fullmatch(number) is None:
        raise ValueError("a National Insurance number is two letters, six digits and A to D, such as QQ 12 34 56 A")
    return number


def sort_code_of(text: str) -> str:
    """Six digits. ValueError when it is not a sort code."""
    digits = re.sub(r"[\s-]", "", text)
    if re.fullmatch(r"[0-9]{6}", digits) is None:
        raise ValueError("a sort code is six digits, such as 00-00-01")
    return digits


def account_number_of(text: str) -> str:
    """Eight digits; shorter ones are filled with noughts on the left. ValueError when it is not an account number."""
    digits = re.sub(r"\s", "", text)
    if re.fullmatch(r"[0-9]{6,8}", digits) is None:
        raise ValueError("an account number is six to eight digits")
    return digits.zfill(8)


def code_with_basis(tax_code: str, tax_basis: Literal["cumulative", "week1"]) -> str:
    """The tax code as the engine takes it: with its week 1 marker when the basis says so."""
    parsed = parse_tax_code(tax_code)
    return f"{tax_code} W1" if tax_basis == "week1" and not parsed.non_cumulative else tax_code


@dataclass(frozen=True, slots=True)
class Directorship:
    """How a company director's National Insurance is worked out, and from when. `settle_on`: the payday that settles the year under the
    alternative method, where it is not the last weekly payday of the tax year."""

    method: Literal["standard", "alternative"]
    appointed_on: date
    settle_on: date | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """The stored facts of one worker that pay depends on."""

    tax_code: str | None
    """HMRC's; None: what the starter brought decides."""
    tax_basis: Literal["cumulative", "week1"]
    ni_letter: str
    birth_on: date | None
    student_loan_plan: str | None
    postgrad_loan: bool
    pension: Mapping[str, Any] | None
    apprentice: bool
    director: bool
    attachment_of_earnings: bool
    previous_tax_year: str | None
    previous_pay_pence: int
    previous_tax_pence: int
    employment_no: int
    has_bank: bool
    directorship: Directorship | None = None
    apprenticeship_started_on: date | None = None
    accommodation: Provided | None = None
    benefits: tuple[Benefit, ...] = ()
    """Payrolled benefits."""
    tax_code_from: date | None = None
    """Since when the code and its basis are operated; None: not recorded, the basis stands."""
    p45_issued_on: date | None = None
    ni_letter_until: date | None = None
    """The last day of a deferment or of a veteran's first year; None: the letter stands."""
    starter: Starter | None = None

    def left_by(self, payday_on: date) -> bool:
        """Whether a payment on this day comes after the worker's P45."""
        return self.p45_issued_on is not None and payday_on > self.p45_issued_on

    def letter_on(self, payday_on: date) -> str:
        """The recorded letter of a payment on this day, before the age is looked at: after its last day the one that stands without it."""
        if self.ni_letter_until is not None and payday_on > self.ni_letter_until:
            return LETTER_AFTER.get(self.ni_letter, self.ni_letter)
        return self.ni_letter

    def has_code_on(self, payday_on: date) -> bool:
        """Whether HMRC's code is the one of a payment on this day: from its day on, and without a starter always."""
        if self.tax_code is None or self.starter is None:
            return self.tax_code is not None
        return self.tax_code_from is None or payday_on >= self.tax_code_from

    def code_on(self, payday_on: date, start: Start | None = None) -> str:
        """The tax code of a payment on this day: 0T on week 1 after the P45; without W1, M1 or X from the 6 April after it was recorded.

        `start`: what the starter, where there is one, comes to on this day.
        """
        if start is not None and not self.has_code_on(payday_on):
            return code_after_leaving(start.tax_code) if self.left_by(payday_on) else start.tax_code
        if self.tax_code is None:
            raise ValueError("a profile has a tax code or what a starter brought")
        code = code_with_basis(self.tax_code, self.tax_basis)
        if self.left_by(payday_on):
            return code_after_leaving(code)
        if self.tax_code_from is not None and tax_year_of(self.tax_code_from) < tax_year_of(payday_on):
            return carried_into_new_year(code)
        return code

    def previous_on(self, payday_on: date, start: Start | None = None) -> tuple[int, int]:
        """(pay, tax) of the previous employment that count on this day, pence: HMRC's figures with HMRC's code, otherwise the P45's."""
        tax_year = tax_year_of(payday_on)
        if self.previous_tax_year == tax_year and self.has_code_on(payday_on):
            return self.previous_pay_pence, self.previous_tax_pence
        if start is not None and start.previous_tax_year == tax_year:
            return start.previous_pay_pence, start.previous_tax_pence
        return 0, 0

    def untaxable(self) -> list[str]:
        """Codes of what keeps tax and National Insurance from being worked out at all, as for a deemed employee, who has nothing else."""
        found = []
        try:
            if self.tax_code is not None:
                parse_tax_code(self.tax_code)
        except EngineError:
            found.append("unsupported_tax_code")
        if self.ni_letter not in SUPPORTED_NI_LETTERS:
            found.append("unsupported_ni_letter")
        return found

    def unsupported(self, *, orders: int = 0) -> list[str]:
        """Codes of what this profile lacks, or needs and this release does not work out. `orders`: attachment orders that are recorded."""
        found = self.untaxable()
        if self.director and self.directorship is None:
            found.append("director_terms_missing")
        if self.attachment_of_earnings and not orders:
            found.append("attachment_order_missing")
        pension = self.pension or {}
        if pension.get("basis") == "salary_sacrifice" and (
            not pension.get("sacrifice_pence") or pension.get("employee_bp")
        ):
            found.append("sacrifice_amount_missing")
        return found
