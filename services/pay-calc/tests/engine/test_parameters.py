"""The dated figures: sources, unknown years, a new year without code, the tax-code grammar and the NI letter of a pay date."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import FrozenInstanceError
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import pay_calc.rates as rates
from pay_calc.domain.calculator import calculate
from pay_calc.domain.engine import ssp
from pay_calc.domain.engine.errors import EngineError, UnknownTaxYear
from pay_calc.domain.engine.nic import letter_by_age, letter_on_payday, thresholds_for_period
from pay_calc.domain.engine.parameters import tax_year_of
from pay_calc.domain.engine.payslip import PayLineInput, PayslipInput, calculate_payslip
from pay_calc.domain.engine.tax_code import parse_tax_code

FOLDER = Path(rates.__file__).parent
FILES = sorted(FOLDER.glob("*.toml"))


def tables(value: Any, path: str, sourced: bool) -> Iterator[tuple[str, bool]]:
    """(path, has a source) of every entry that holds a number, the source being in its own table or the one around it."""
    if isinstance(value, dict):
        has = "source" in value or sourced
        for name, item in value.items():
            if name != "source":
                yield from tables(
                    item, f"{path}.{name}", has if "source" in value or not isinstance(item, dict) else sourced
                )
    elif isinstance(value, list):
        for item in value:
            yield from tables(item, path, sourced)
    elif not isinstance(value, bool | date):
        yield path, sourced


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_each_number_has_a_source_beside_it(path: Path) -> None:
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    unsourced = [name for name, ok in tables(document, path.stem, False) if not ok]
    assert [name for name in unsourced if not name.endswith((".tax_year", ".version"))] == []


@pytest.mark.parametrize(
    ("starts_on", "adult", "aged_18_to_20", "under_18", "apprentice", "accommodation_day"),
    [
        (date(2025, 3, 31), 1144, 860, 640, 640, 999),
        (date(2025, 4, 1), 1221, 1000, 755, 755, 1066),
        (date(2026, 3, 31), 1221, 1000, 755, 755, 1066),
        (date(2026, 4, 1), 1271, 1085, 800, 800, 1110),
    ],
)
def test_the_minimum_wage_of_a_period_is_that_of_its_first_day(
    starts_on: date, adult: int, aged_18_to_20: int, under_18: int, apprentice: int, accommodation_day: int
) -> None:
    """Pence an hour, and the accommodation offset a day: GOV.UK, National Minimum Wage and National Living Wage rates."""
    found = rates.minimum_wage_book().at(starts_on)
    assert found is not None
    assert (found.adult, found.aged_18_to_20, found.under_18, found.apprentice, found.accommodation_day) == (
        adult, aged_18_to_20, under_18, apprentice, accommodation_day,
    )  # fmt: skip


def test_the_minimum_wage_beyond_the_known_years_is_not_guessed() -> None:
    assert rates.minimum_wage_book().at(date(2027, 3, 31)) is not None
    assert rates.minimum_wage_book().at(date(2027, 4, 1)) is None
    assert rates.minimum_wage_book().at(date(2024, 3, 31)) is None


def test_a_date_outside_the_known_years_names_the_missing_year() -> None:
    assert rates.parameters_on(date(2026, 4, 5)).tax_year == "2025-26"
    assert rates.parameters_on(date(2026, 4, 6)).tax_year == "2026-27"
    for day, missing in ((date(2025, 4, 5), "2024-25"), (date(2027, 4, 6), "2027-28")):
        with pytest.raises(UnknownTaxYear, match=missing) as refused:
            rates.parameters_on(day)
        assert refused.value.missing == missing
        assert refused.value.field == "payday_on"


def test_a_century_year_is_written_with_two_digits() -> None:
    assert tax_year_of(date(2099, 12, 31)) == "2099-00"


def test_parameters_cannot_be_changed() -> None:
    year = rates.parameters_for_year("2026-27")
    with pytest.raises(FrozenInstanceError):
        year.levy_bp = 1  # type: ignore[misc]
    with pytest.raises(TypeError):
        year.regions["rUK"] = year.regions["Wales"]  # type: ignore[index]
    assert rates.parameters_for_year("2026-27") is year


def fictitious_year(folder: Path) -> Path:
    """A year that does not exist, made from a shipped file by changing figures only."""
    text = (FOLDER / "2026-27.toml").read_text(encoding="utf-8")
    for old, new in (
        ('tax_year = "2026-27"', 'tax_year = "2041-42"'),
        ("starts_on = 2026-04-06", "starts_on = 2041-04-06"),
        ("ends_on = 2027-04-05", "ends_on = 2042-04-05"),
        ('version = "2026-27.2"', 'version = "2041-42.1"'),
        ('rates_pct = ["10", "20", "40", "45"]', 'rates_pct = ["10", "25", "40", "45"]'),
        ('employer_pct = "15"', 'employer_pct = "20"'),
    ):
        assert old in text
        text = text.replace(old, new)
    path = folder / "2041-42.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_new_year_is_a_new_file_and_no_code(tmp_path: Path) -> None:
    fictitious_year(tmp_path)
    years = rates.load_years(tmp_path)
    assert years.known() == ("2041-42",)
    line = PayLineInput("P-1", "basic", 0, None, "each", Decimal(0), Decimal(0), 60000, False, amount_is_final=True)
    slip = calculate_payslip(
        PayslipInput(years.on(date(2041, 4, 12)), "weekly", date(2041, 4, 12), "1257L", "A", (line,))
    )
    assert (slip.tax_pence, slip.employer_nic_pence, slip.parameter_version) == (8950, 10080, "2041-42.1")
    answer = calculate(
        {"id": "1", "kind": "nic", "tax_year": "2041-42",
         "inputs": {"frequency": "weekly", "letter": "A", "niable_pay": "600.00"}}, years,
    )  # fmt: skip
    assert answer["result"]["employer_nic"] == "100.80"  # type: ignore[index]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('employer_pct = "20"', 'employer_pct = "fifteen"', "fifteen"),
        ("starts_on = 2041-04-06", "starts_on = 2041-04-07", "2041-04-07"),
        ("overriding_limit_pct", "overriding_limit", "overriding_limit_pct"),
        ("widths = [0, 37700, 87440]", "widths = [0, 37700]", "bandwidths"),
    ],
)
def test_a_bad_year_file_is_refused_by_name(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = fictitious_year(tmp_path)
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(rates.BadRatesFile, match=message) as refused:
        rates.load_years(tmp_path)
    assert "2041-42.toml" in str(refused.value)


def test_both_known_years_differ_where_the_law_does() -> None:
    old, new = rates.parameters_for_year("2025-26"), rates.parameters_for_year("2026-27")
    assert (old.nic_thresholds["weekly"].lel, new.nic_thresholds["weekly"].lel) == (12500, 12900)
    assert "5" in new.loans
    assert "5" not in old.loans
    assert old.loan_default_plan == "1"
    assert (old.family_pay.weekly_pence, new.family_pay.weekly_pence) == (18718, 19432)


class TestTaxCodes:
    @pytest.mark.parametrize(
        ("text", "region", "kind", "number", "non_cumulative"),
        [
            ("1257L", "rUK", "suffix", 1257, False),
            ("S1257L W1", "Scotland", "suffix", 1257, True),
            ("C1257M M1", "Wales", "suffix", 1257, True),
            ("1257LX", "rUK", "suffix", 1257, True),
            ("1257N W1/M1", "rUK", "suffix", 1257, True),
            ("1257T W1M1", "rUK", "suffix", 1257, True),
            ("999999T", "rUK", "suffix", 999999, False),
            ("0T", "rUK", "suffix", 0, False),
            ("S0T X", "Scotland", "suffix", 0, True),
            ("K1", "rUK", "K", 1, False),
            ("SK9999", "Scotland", "K", 9999, False),
            ("BR", "rUK", "BR", None, False),
            ("CBR", "Wales", "BR", None, False),
            ("D0", "rUK", "D", 0, False),
            ("CD1", "Wales", "D", 1, False),
            ("SD3 W1", "Scotland", "D", 3, True),
            ("NT", "rUK", "NT", None, False),
            ("NT W1", "rUK", "NT", None, True),
        ],
    )
    def test_valid(self, text: str, region: str, kind: str, number: int | None, non_cumulative: bool) -> None:
        code = parse_tax_code(text)
        assert (code.region, code.kind, code.number, code.non_cumulative) == (region, kind, number, non_cumulative)

    @pytest.mark.parametrize(
        "text",
        ["", " ", "L", "1257", "1257P", "1257l", "K0", "K0000", "K12345", "K", "D2", "CD2", "SD4", "D", "SNT", "CNT", "S999999T",
         "1234567L", "1257L W2", "1257L ", " 1257L", "1257L\n", "BR1", "0", "S", "X", "W1", "12 57L", "١٢٥٧L", "1257LW1W1", "-1257L"],
    )  # fmt: skip
    def test_invalid(self, text: str) -> None:
        with pytest.raises(EngineError) as refused:
            parse_tax_code(text)
        assert (refused.value.code, refused.value.field) == ("invalid_tax_code", "tax_code")

    @pytest.mark.parametrize(
        ("text", "bare"), [("S1257L W1", "1257L"), ("CBR", "BR"), ("1257LX", "1257L"), ("SK475", "K475"), ("NT", "NT")]
    )
    def test_the_bare_code_for_the_fps(self, text: str, bare: str) -> None:
        assert parse_tax_code(text).bare == bare


@pytest.mark.parametrize(
    ("facts", "letter"),
    [
        ({"age": 30}, "A"),
        ({"age": 15}, "X"),
        ({"age": 20}, "M"),
        ({"age": 24, "apprentice": True}, "H"),
        ({"age": 25, "apprentice": True}, "A"),
        ({"age": 30, "veteran_first_year": True}, "V"),
        ({"age": 30, "deferment": True}, "J"),
        ({"age": 20, "deferment": True}, "Z"),
        ({"age": 60, "reduced_rate": True}, "B"),
        ({"age": 30, "zone": "freeport"}, "F"),
        ({"age": 30, "zone": "investment_zone"}, "N"),
        ({"age": 70, "over": True}, "C"),
        ({"age": 70, "over": True, "zone": "freeport"}, "S"),
        ({"age": 70, "over": True, "zone": "investment_zone"}, "K"),
        ({"age": 60, "reduced_rate": True, "zone": "freeport"}, "I"),
        ({"age": 60, "reduced_rate": True, "zone": "investment_zone"}, "E"),
        ({"age": 30, "deferment": True, "zone": "freeport"}, "L"),
        ({"age": 30, "deferment": True, "zone": "investment_zone"}, "D"),
        ({"age": 67, "over": True, "due_before_state_pension_age": True}, "A"),
        ({"age": 67, "over": True, "due_before_state_pension_age": True, "deferment": True}, "J"),
        ({"age": 20, "zone": "freeport"}, "M"),
    ],
)
def test_letter_of_the_pay_date(facts: dict[str, Any], letter: str) -> None:
    facts = dict(facts)
    over = facts.pop("over", False)
    assert letter_on_payday(over_state_pension_age=over, **facts) == letter


@pytest.mark.parametrize(
    ("recorded", "born", "letter"),
    [
        ("M", date(2005, 4, 11), "M"), ("M", date(2005, 4, 10), "A"), ("Z", date(2005, 4, 11), "Z"), ("Z", date(2005, 4, 10), "J"),
        ("A", date(2005, 4, 11), "M"), ("A", date(2005, 4, 10), "A"), ("J", date(2005, 4, 11), "Z"),
        ("H", date(2001, 4, 11), "H"), ("H", date(2001, 4, 10), "A"), ("H", date(2006, 1, 1), "H"),
        ("A", date(1960, 3, 10), "C"), ("A", date(1960, 4, 10), "A"), ("B", date(1960, 3, 10), "C"), ("J", date(1950, 1, 1), "C"),
        ("V", date(1990, 1, 1), "V"), ("V", date(1950, 1, 1), "C"), ("B", date(1970, 1, 1), "B"),
        ("F", date(1990, 1, 1), "F"), ("N", date(1950, 1, 1), "K"), ("L", date(1950, 1, 1), "S"), ("E", date(1990, 1, 1), "E"),
        ("D", date(1990, 1, 1), "D"), ("I", date(1990, 1, 1), "I"), ("S", date(1990, 1, 1), "S"), ("K", date(1990, 1, 1), "K"),
        ("C", date(1990, 1, 1), "C"), ("X", date(1990, 1, 1), "X"), ("X", date(1950, 1, 1), "X"),
        ("A", date(2010, 4, 11), "X"), ("A", date(2010, 4, 10), "M"), ("H", date(2010, 4, 11), "X"), ("A", None, "A"), ("M", None, "M"),
    ],
)  # fmt: skip
def test_what_the_age_on_the_payday_makes_of_the_recorded_letter(recorded: str, born: date | None, letter: str) -> None:
    assert letter_by_age(recorded, born, date(2026, 4, 10)) == letter


def test_pay_that_was_due_before_state_pension_age_keeps_its_letter() -> None:
    assert letter_by_age("J", date(1960, 3, 10), date(2026, 4, 10), due_before_state_pension_age=True) == "J"


def test_other_earnings_periods_go_up_to_the_pound() -> None:
    parameters = rates.parameters_for_year("2026-27")
    three_weeks = thresholds_for_period(parameters, weeks=3)
    assert (three_weeks.lel, three_weeks.st, three_weeks.pt) == (38700, 28900, 72600)
    quarter = thresholds_for_period(parameters, months=3)
    assert (quarter.lel, quarter.pt, quarter.uel) == (167700, 314300, 1256800)
    with pytest.raises(EngineError):
        thresholds_for_period(parameters, weeks=0)


class TestSickSpells:
    WORKDAYS = frozenset(range(5))
    YEARS = (rates.parameters_for_year("2025-26"), rates.parameters_for_year("2026-27"))

    def treatments(self, *spells: tuple[date, date]) -> list[str]:
        days = ssp.days_of([ssp.SicknessSpell(*spell) for spell in spells], self.WORKDAYS, self.YEARS)
        return [day.treatment for day in days]

    def test_three_waiting_days_before_april_2026(self) -> None:
        assert self.treatments((date(2026, 1, 5), date(2026, 1, 9))) == ["waiting"] * 3 + ["payable"] * 2

    def test_a_short_spell_before_april_2026_is_no_period_of_incapacity(self) -> None:
        assert self.treatments((date(2026, 1, 5), date(2026, 1, 7))) == ["too_short"] * 3

    def test_one_day_counts_from_april_2026(self) -> None:
        assert self.treatments((date(2026, 6, 1), date(2026, 6, 1))) == ["payable"]

    def test_linked_spells_serve_waiting_days_once(self) -> None:
        first, second = (date(2025, 10, 6), date(2025, 10, 10)), (date(2025, 12, 5), date(2025, 12, 9))
        assert (second[0] - first[1]).days - 1 == 55
        assert self.treatments(first, second)[5:] == ["payable"] * 3
        later = (date(2025, 12, 8), date(2025, 12, 12))
        assert self.treatments(first, later)[5:] == ["waiting"] * 3 + ["payable"] * 2

    def test_fifty_six_days_between_two_spells_link_them_and_fifty_seven_do_not(self) -> None:
        first, last = date(2025, 10, 6), date(2025, 10, 10)
        for days, treatments in ((56, ["payable"] * 2), (57, ["waiting"] * 2)):
            again = last + timedelta(days=days + 1)
            assert (again - last).days - 1 == days
            assert self.treatments((first, last), (again, again + timedelta(days=3)))[5:7] == treatments

    def test_waiting_days_end_on_6_april_2026(self) -> None:
        assert self.treatments((date(2026, 4, 2), date(2026, 4, 8))) == [
            "waiting",
            "waiting",
            "payable",
            "payable",
            "payable",
        ]

    def test_28_weeks_are_the_most(self) -> None:
        found = self.treatments((date(2026, 4, 6), date(2026, 12, 31)))
        assert found.count("payable") == 140
        assert found[140:] == ["exhausted"] * (len(found) - 140)

    def test_entitlement_ends_with_the_contract(self) -> None:
        spell = ssp.SicknessSpell(date(2026, 6, 1), date(2026, 6, 5))
        days = ssp.days_of([spell], self.WORKDAYS, self.YEARS, contract_ends_on=date(2026, 6, 3))
        assert [day.treatment for day in days] == ["payable"] * 3 + ["contract_ended"] * 2

    def test_refusals(self) -> None:
        with pytest.raises(EngineError, match="order"):
            self.treatments((date(2026, 6, 2), date(2026, 6, 1)))
        for none in (frozenset(), frozenset({7})):
            with pytest.raises(EngineError, match="qualifying day"):
                ssp.days_of([], none, self.YEARS)
        with pytest.raises(EngineError, match="2027"):
            self.treatments((date(2027, 4, 6), date(2027, 4, 7)))
