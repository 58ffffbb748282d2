"""One immutable set of statutory figures a tax year, in integers.

Money is pence, rates are basis points (1 % = 100), so that every product in the engine is exact. The numbers and their
sources are in `pay_calc/rates/*.toml`; this module holds only their shape.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

from pay_calc.domain.engine.errors import EngineError, UnknownTaxYear

Frequency = Literal["weekly", "fortnightly", "four_weekly", "monthly"]
FREQUENCIES: tuple[Frequency, ...] = ("weekly", "fortnightly", "four_weekly", "monthly")
SPAN_OF: dict[str, int] = {"weekly": 1, "fortnightly": 2, "four_weekly": 4, "monthly": 1}
"""How many tax weeks (or months) one pay period covers."""
BASE_OF: dict[str, int] = {"weekly": 52, "fortnightly": 52, "four_weekly": 52, "monthly": 12}
"""How many weeks or months the annual figures are divided by."""


@dataclass(frozen=True, slots=True, eq=False)
class RegionBands:
    """Income tax bands of one region. Compared by identity, so that period tables can be cached on it.

    `edges_pounds` are the cumulative band edges C(i), `taxes_pence` the cumulative tax K(i) at each, `rates_bp` one more
    than the edges. `basic_rate_pointer` is HMRC's G: the 1-based index of the rate that BR takes; D codes count from it.
    """

    region: str
    edges_pounds: tuple[int, ...]
    taxes_pence: tuple[int, ...]
    rates_bp: tuple[int, ...]
    basic_rate_pointer: int


@dataclass(frozen=True, slots=True)
class NicThresholds:
    """Class 1 thresholds of one earnings period, pence. FUST stands for the investment zone threshold too, UEL for
    UST, AUST and VUST."""

    lel: int
    st: int
    pt: int
    fust: int
    uel: int


@dataclass(frozen=True, slots=True)
class NicLetter:
    """What one category letter pays. `employer_from` is the threshold where the employer starts, or "never"."""

    letter: str
    main_bp: int
    upper_bp: int
    employer_from: Literal["ST", "FUST", "UEL", "never"]


@dataclass(frozen=True, slots=True)
class LoanPlan:
    plan: str
    annual_pence: int
    rate_bp: int


@dataclass(frozen=True, slots=True)
class PensionThresholds:
    """Qualifying-earnings band and earnings trigger of one pay reference period, pence."""

    lower: int
    upper: int
    trigger: int


@dataclass(frozen=True, slots=True)
class SspRules:
    """`earnings_bp` None: a flat rate. `earnings_test` None: no lower limit."""

    weekly_pence: int
    earnings_bp: int | None
    earnings_test_pence: int | None
    waiting_days: int
    maximum_weeks: int
    link_days: int


@dataclass(frozen=True, slots=True)
class FamilyPayRules:
    weekly_pence: int
    earnings_bp: int
    earnings_test_pence: int
    recovery_bp: int
    small_employer_recovery_bp: int
    small_employer_class1_pence: int


@dataclass(frozen=True, slots=True, eq=False)
class YearParameters:
    """Every statutory figure of one tax year that the engine uses."""

    tax_year: str
    starts_on: date
    ends_on: date
    version: str
    regions: Mapping[str, RegionBands]
    overriding_limit_bp: int
    emergency_code: str
    free_pay_slice: int
    free_pay_slice_pence: Mapping[int, int]
    """By base: 52 weekly, 12 monthly."""
    nic_thresholds: Mapping[str, NicThresholds]
    """By frequency, and "annual"."""
    nic_letters: Mapping[str, NicLetter]
    nic_employer_bp: int
    nic_category_order: tuple[str, ...]
    employment_allowance_pence: int
    levy_bp: int
    levy_allowance_monthly_pence: int
    loans: Mapping[str, LoanPlan]
    loan_default_plan: str
    pension: Mapping[str, PensionThresholds]
    pension_employer_minimum_bp: int
    pension_total_minimum_bp: int
    relief_at_source_bp: int
    pension_sets: Mapping[str, tuple[int, int]]
    """Certified alternative: (employer, total) minimum in basis points."""
    ssp: SspRules
    family_pay: FamilyPayRules
    holiday_rolled_up_bp: int
    cis_rates_bp: tuple[int, ...]
    late_payment_margin_bp: int
    late_payment_fixed_sums: tuple[tuple[int | None, int], ...]
    """(principal below, fixed sum) in pence; the last has no upper edge."""


@dataclass(frozen=True, slots=True)
class YearBook:
    """All known years, by payment date."""

    years: Mapping[str, YearParameters]

    def known(self) -> tuple[str, ...]:
        return tuple(sorted(self.years))

    def year(self, tax_year: str) -> YearParameters:
        """The figures of "2026-27"; UnknownTaxYear when no file holds them."""
        found = self.years.get(tax_year)
        if found is None:
            raise UnknownTaxYear(tax_year, self.known())
        return found

    def on(self, payday_on: date, field: str = "payday_on") -> YearParameters:
        """The figures for a contractual payment date; UnknownTaxYear naming the missing year otherwise."""
        missing = tax_year_of(payday_on)
        found = self.years.get(missing)
        if found is None:
            raise UnknownTaxYear(missing, self.known(), field)
        return found


def tax_year_of(day: date) -> str:
    """The tax year that holds a date: 6 April to 5 April, written "2026-27"."""
    first = day.year if (day.month, day.day) >= (4, 6) else day.year - 1
    return f"{first:04d}-{(first + 1) % 100:02d}"


@dataclass(frozen=True, slots=True)
class MinimumWageRates:
    """Hourly rates in pence, and the accommodation offset a day."""

    from_on: date
    adult: int
    aged_18_to_20: int
    under_18: int
    apprentice: int
    accommodation_day: int


@dataclass(frozen=True, slots=True)
class MinimumWageBook:
    """Rates by the first day of the pay reference period. `at` gives None outside the known dates: not tested."""

    rates: tuple[MinimumWageRates, ...]
    known_until: date

    def at(self, reference_period_starts_on: date) -> MinimumWageRates | None:
        if reference_period_starts_on > self.known_until:
            return None
        index = bisect_right([r.from_on for r in self.rates], reference_period_starts_on)
        return self.rates[index - 1] if index else None


def require_frequency(frequency: str, field: str = "frequency") -> Frequency:
    """The frequency itself when the engine knows it."""
    for known in FREQUENCIES:
        if frequency == known:
            return known
    raise EngineError("unknown_frequency", f"Frequency {frequency!r} is not one of {', '.join(FREQUENCIES)}.", field)
