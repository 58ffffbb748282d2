"""Every row of HMRC's published test data, one test each, to the penny. The known blemishes of the publication are named below."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pay_calc.domain.engine import directors, nic
from pay_calc.domain.engine.income_tax import tax_for_payment
from pay_calc.domain.engine.tax_code import parse_tax_code
from pay_calc.rates import parameters_for_year

ROWS: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "hmrc-testdata.json").read_text(encoding="utf-8"))

SCOTTISH_SPREADSHEET = (
    "HMRC's 2025-26 Scottish spreadsheet shows a floating-point artefact: exact arithmetic gives a penny more, "
    "and HMRC accepts a penny's difference"
)
TAX_BLEMISHES: dict[str, str] = {
    "2025 - 26 Scottish tax v1.0/Gen_cumul_mthly/4": SCOTTISH_SPREADSHEET,
    "2025 - 26 Scottish tax v1.0/Gen_cumul_mthly/8": SCOTTISH_SPREADSHEET,
    "2025 - 26 Scottish tax v1.0/Gen_W1M1_mthly/3": SCOTTISH_SPREADSHEET,
    "2025 - 26 Scottish tax v1.0/Gen_W1M1_mthly/4": SCOTTISH_SPREADSHEET,
    "2025 - 26 Scottish tax v1.0/K_cumul_mthly/1": SCOTTISH_SPREADSHEET,
    "2025 - 26 Scottish tax v1.0/K_cumul_mthly/2": SCOTTISH_SPREADSHEET,
}
DIRECTOR_BLEMISH = {
    "2025-26 Directors NICs test data v1.0/1_Dir_CatA_GBP1000pw/52": (
        "13440",
        "the sheet shows employer NIC 58.94 at the year end; the annual 7,050.00 less the 6,915.60 paid is 134.40",
    )
}


def pence(text: str) -> int:
    whole, _, rest = text.partition(".")
    size = int(whole.lstrip("-") or "0") * 100 + int(rest.ljust(2, "0") or "0")
    return -size if text.startswith("-") else size


@pytest.mark.parametrize("row", ROWS["tax"], ids=lambda row: row["id"])
def test_income_tax(row: dict[str, Any]) -> None:
    parameters = parameters_for_year(row["tax_year"])
    code = parse_tax_code(row["code"] + (" W1" if row["w1m1"] else ""))
    pay = pence(row["pay"])
    tax, to_date = pence(row["tax"]), pence(row["tax_to_date"])
    result = tax_for_payment(
        parameters, code, row["frequency"], row["period"], pay, pence(row["pay_to_date"]) - pay, to_date - tax
    )
    blemish = 1 if row["id"] in TAX_BLEMISHES else 0
    assert (result.tax_pence, result.tax_to_date_pence) == (tax + blemish, to_date + blemish)


@pytest.mark.parametrize("row", ROWS["nic"], ids=lambda row: row["id"])
def test_national_insurance(row: dict[str, Any]) -> None:
    result = nic.class_1(parameters_for_year(row["tax_year"]), row["frequency"], row["letter"], pence(row["pay"]))
    assert result == nic.NicResult(*(pence(row[column]) for column in ("ee", "er", "at_lel", "lel_pt", "pt_uel")))


def _director_steps(sheet: str) -> tuple[directors.DirectorStep, ...]:
    rows = [row for row in ROWS["directors"] if row["id"].rsplit("/", 1)[0] == sheet]
    first = rows[0]
    pays = tuple(pence(row["pay"]) for row in rows)
    weeks = 48 if first["letter"] == "M" else 52  # the sheets of letter M begin in week 5
    parameters = parameters_for_year(first["tax_year"])
    if first["method"] == "AlternativeMethod":
        return directors.alternative_steps(parameters, first["letter"], first["frequency"], pays, weeks)
    return directors.standard_steps(parameters, first["letter"], pays, weeks)


@pytest.mark.parametrize("row", ROWS["directors"], ids=lambda row: row["id"])
def test_directors(row: dict[str, Any]) -> None:
    sheet = row["id"].rsplit("/", 1)[0]
    rows = [each for each in ROWS["directors"] if each["id"].rsplit("/", 1)[0] == sheet]
    step = _director_steps(sheet)[rows.index(row)]
    employer, employer_to_date = pence(row["er"]), pence(row["er_to_date"])
    if row["id"] in DIRECTOR_BLEMISH:
        corrected = int(DIRECTOR_BLEMISH[row["id"]][0])
        employer, employer_to_date = corrected, step.employer_to_date_pence - step.employer_pence + corrected
    assert (step.employee_pence, step.employee_to_date_pence) == (pence(row["ee"]), pence(row["ee_to_date"]))
    assert (step.employer_pence, step.employer_to_date_pence) == (employer, employer_to_date)


def test_the_publication_is_complete() -> None:
    assert {name: len(ROWS[name]) for name in ("tax", "nic", "directors")} == {"tax": 336, "nic": 896, "directors": 106}
