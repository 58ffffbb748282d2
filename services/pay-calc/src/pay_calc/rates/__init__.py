"""Loads the dated statutory figures beside this file, once, into immutable integer parameters.

A new tax year is a new `YYYY-YY.toml` here and no code: the loader finds every file whose name is a tax year.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pay_calc.domain.engine.attachment_tables import AttachmentBook, AttachmentTable, TableRow
from pay_calc.domain.engine.parameters import (
    FamilyPayRules,
    LoanPlan,
    MinimumWageBook,
    MinimumWageRates,
    NicLetter,
    NicThresholds,
    PensionThresholds,
    RegionBands,
    SspRules,
    YearBook,
    YearParameters,
)
from pay_calc.domain.engine.rounding import ROUNDINGS

_FOLDER = Path(__file__).parent
_NUMBER = re.compile(r"(\d+)(?:\.(\d{1,2}))?")
_YEAR_FILE = re.compile(r"\d{4}-\d{2}")


class BadRatesFile(ValueError):
    """A parameter file that cannot be trusted; the message names file and entry."""


def _hundredths(text: str | int) -> int:
    """Pounds to pence, or per cent to basis points: both are hundredths. Exact; more than two decimals is refused."""
    match = _NUMBER.fullmatch(str(text))
    if match is None:
        raise BadRatesFile(f"{text!r} is not an amount with at most two decimals.")
    return int(match[1]) * 100 + int((match[2] or "").ljust(2, "0") or "0")


def _optional(text: str) -> int | None:
    return None if text == "" else _hundredths(text)


def _frozen(entries: Mapping[Any, Any]) -> Mapping[Any, Any]:
    return MappingProxyType(dict(entries))


def _entries(table: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in table.items() if isinstance(value, dict)}


def _region(region: str, table: Mapping[str, Any]) -> RegionBands:
    """Cumulative edges C(i) and taxes K(i) from the band widths, as Appendix A of the routines defines them."""
    widths, rates = table["widths"], tuple(_hundredths(rate) for rate in table["rates_pct"])
    if len(rates) != len(widths) + 1:
        raise BadRatesFile(f"Region {region}: {len(widths)} bandwidths need {len(widths) + 1} rates, got {len(rates)}.")
    edge, tax = 0, 0
    edges: list[int] = []
    taxes: list[int] = []
    for width, rate in zip(widths, rates, strict=False):
        edge += width
        tax += width * rate
        edges.append(edge)
        taxes.append(tax // 100)
        if tax % 100:
            raise BadRatesFile(f"Region {region}: the tax at the edge {edge} is not a whole number of pence.")
    return RegionBands(region, tuple(edges), tuple(taxes), rates, table["basic_rate_pointer"])


def read_year(path: Path) -> YearParameters:
    """One year's file as immutable integer parameters. BadRatesFile names what is missing or malformed."""
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    try:
        return _year(document)
    except KeyError as missing:
        raise BadRatesFile(f"{path.name}: the entry {missing} is missing.") from missing
    except BadRatesFile as bad:
        raise BadRatesFile(f"{path.name}: {bad}") from bad


def _year(document: Mapping[str, Any]) -> YearParameters:
    tax, nic, loans, pension = document["income_tax"], document["nic"], document["student_loans"], document["pension"]
    employee = {
        name.removesuffix("_pct"): (_hundredths(value[0]), _hundredths(value[1]))
        for name, value in nic["employee"].items()
        if name != "source"
    }
    letters = {
        letter: NicLetter(letter, *employee[value[0]], value[1])
        for letter, value in nic["letters"].items()
        if len(letter) == 1
    }
    ssp, family, wide, late = document["ssp"], document["family_pay"], nic["employer_wide"], document["late_payment"]
    rules = pension["rules"]
    return YearParameters(
        tax_year=document["tax_year"],
        starts_on=document["starts_on"],
        ends_on=document["ends_on"],
        version=document["version"],
        regions=_frozen({name: _region(name, table) for name, table in tax["regions"].items()}),
        overriding_limit_bp=_hundredths(tax["overriding_limit_pct"]),
        emergency_code=tax["emergency_code"],
        free_pay_slice=tax["free_pay_slice"],
        free_pay_slice_pence=_frozen(
            {52: _hundredths(tax["free_pay_slice_weekly"]), 12: _hundredths(tax["free_pay_slice_monthly"])}
        ),
        nic_thresholds=_frozen(
            {
                name: NicThresholds(
                    **{key.lower(): _hundredths(value) for key, value in table.items() if key != "source"}
                )
                for name, table in nic["thresholds"].items()
            }
        ),
        nic_letters=_frozen(letters),
        nic_employer_bp=_hundredths(nic["rates"]["employer_pct"]),
        nic_category_order=tuple(nic["letters"]["category_order"]),
        employment_allowance_pence=_hundredths(wide["employment_allowance"]),
        levy_bp=_hundredths(wide["levy_pct"]),
        levy_allowance_monthly_pence=_hundredths(wide["levy_allowance_monthly"]),
        loans=_frozen(
            {
                name.removeprefix("plan_"): LoanPlan(
                    name.removeprefix("plan_"), _hundredths(value["annual"]), _hundredths(value["rate_pct"])
                )
                for name, value in _entries(loans).items()
            }
        ),
        loan_default_plan=loans["default_plan"],
        pension=_frozen(
            {
                name: PensionThresholds(*(_hundredths(value[key]) for key in ("lower", "upper", "trigger")))
                for name, value in _entries(pension["thresholds"]).items()
            }
        ),
        pension_employer_minimum_bp=_hundredths(rules["employer_minimum_pct"]),
        pension_total_minimum_bp=_hundredths(rules["total_minimum_pct"]),
        relief_at_source_bp=_hundredths(rules["relief_at_source_pct"]),
        pension_sets=_frozen(
            {
                name: (_hundredths(value["employer_pct"]), _hundredths(value["total_pct"]))
                for name, value in rules["sets"].items()
            }
        ),
        ssp=SspRules(
            _hundredths(ssp["weekly_rate"]),
            _optional(ssp["earnings_pct"]),
            _optional(ssp["earnings_test"]),
            ssp["waiting_days"],
            ssp["maximum_weeks"],
            ssp["link_days"],
        ),
        family_pay=FamilyPayRules(
            *(
                _hundredths(family[key])
                for key in (
                    "weekly_rate",
                    "earnings_pct",
                    "earnings_test",
                    "recovery_pct",
                    "small_employer_recovery_pct",
                    "small_employer_class1",
                )
            )
        ),
        holiday_rolled_up_bp=_hundredths(document["holiday"]["rolled_up_pct"]),
        cis_rates_bp=tuple(_hundredths(rate) for rate in document["cis"]["rates_pct"]),
        late_payment_margin_bp=_hundredths(late["margin_pct"]),
        late_payment_fixed_sums=tuple((_optional(edge), _hundredths(fixed)) for edge, fixed in late["fixed_sums"]),
    )


def load_years(folder: Path = _FOLDER) -> YearBook:
    """Every year file in a folder. Years must not overlap and each must be named for what it holds."""
    years: dict[str, YearParameters] = {}
    for path in sorted(folder.glob("*.toml")):
        if not _YEAR_FILE.fullmatch(path.stem):
            continue
        year = read_year(path)
        first = year.starts_on
        runs = (first, year.ends_on) == (
            date(int(path.stem[:4]), 4, 6),
            date(int(path.stem[:4]) + 1, 4, 6) - timedelta(days=1),
        )
        if year.tax_year != path.stem or not runs:
            raise BadRatesFile(f"{path.name}: holds tax year {year.tax_year} from {first} to {year.ends_on}.")
        years[year.tax_year] = year
    return YearBook(_frozen(years))


def load_minimum_wage(path: Path = _FOLDER.joinpath("minimum-wage.toml")) -> MinimumWageBook:
    """The minimum wage by date; an hourly rate is a whole number of pence."""
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    rates = tuple(
        MinimumWageRates(
            entry["from"],
            *(
                _hundredths(entry[key])
                for key in ("adult", "aged_18_to_20", "under_18", "apprentice", "accommodation_day")
            ),
        )
        for entry in document["rates"]
    )
    if list(rates) != sorted(rates, key=lambda rate: rate.from_on):
        raise BadRatesFile(f"{path.name}: the rates must be in date order.")
    return MinimumWageBook(rates, document["known_until"])


def _row(entry: Mapping[str, str]) -> TableRow:
    return TableRow(
        _hundredths(entry["over"]),
        _hundredths(entry["pct"]),
        *(_hundredths(entry.get(key, "0")) for key in ("above", "base", "minimum")),
    )


def load_attachment_tables(path: Path = _FOLDER.joinpath("attachments.toml")) -> AttachmentBook:
    """The tables of attachments of earnings. Rows must rise, and tables of one kind and place may not cover the same date."""
    tables: list[AttachmentTable] = []
    for entry in tomllib.loads(path.read_text(encoding="utf-8"))["tables"]:
        rows = {name: tuple(_row(row) for row in entry[name]) for name in ("weekly", "monthly")}
        for each in rows.values():
            if list(each) != sorted(each, key=lambda row: row.over_pence):
                raise BadRatesFile(f"{path.name}: the rows of {entry['name']} must rise.")
        if entry["rounding"] not in ROUNDINGS:
            raise BadRatesFile(f"{path.name}: {entry['name']} names no known rounding.")
        tables.append(
            AttachmentTable(
                entry["name"],
                entry["kind"],
                entry["jurisdiction"],
                entry["orders_from"],
                entry.get("orders_until"),
                _frozen(rows),
                _hundredths(entry.get("protected_pct", "0")),
                entry["rounding"],
                entry["source"],
                entry.get("rate", "standard"),
            )
        )
    for index, table in enumerate(tables):
        for other in tables[:index]:
            first, second = sorted((table, other), key=lambda each: each.orders_from)
            apart = first.orders_until is not None and first.orders_until < second.orders_from
            same = (table.kind, table.jurisdiction, table.rate) == (other.kind, other.jurisdiction, other.rate)
            if same and not apart:
                raise BadRatesFile(f"{path.name}: {first.name} and {second.name} cover the same dates.")
    return AttachmentBook(tuple(tables))


@cache
def attachment_book() -> AttachmentBook:
    """The tables shipped with this release, loaded once."""
    return load_attachment_tables()


@cache
def year_book() -> YearBook:
    """The years shipped with this release, loaded once."""
    return load_years()


@cache
def minimum_wage_book() -> MinimumWageBook:
    """The minimum wage shipped with this release, loaded once."""
    return load_minimum_wage()


def parameters_on(payday_on: date) -> YearParameters:
    """The figures for a contractual payment date. UnknownTaxYear names the missing year."""
    return year_book().on(payday_on)


def parameters_for_year(tax_year: str) -> YearParameters:
    """The figures of a tax year such as "2026-27". UnknownTaxYear names it when it is missing."""
    return year_book().year(tax_year)
