"""Every worked example of the rules reference, to the penny. Figures are pounds in text, as a payroll clerk would check them."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from pay_calc.domain.engine import (
    cis,
    directors,
    holiday,
    late_payment,
    loans,
    minimum_wage,
    nic,
    pension,
    rounding,
    ssp,
    umbrella,
)
from pay_calc.domain.engine.calendar import tax_period
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.income_tax import free_pay_period_1, period_table, tax_for_payment
from pay_calc.domain.engine.parameters import FamilyPayRules, Frequency, SspRules, YearParameters
from pay_calc.domain.engine.payslip import (
    EarningsPeriodToDate,
    PayLineInput,
    PayslipInput,
    PensionTerms,
    calculate_payslip,
)
from pay_calc.domain.engine.state_pension_age import state_pension_on
from pay_calc.domain.engine.tax_code import parse_tax_code
from pay_calc.domain.engine.trace import Trace, recompute, text_of
from pay_calc.rates import minimum_wage_book, parameters_for_year

P25, P26 = parameters_for_year("2025-26"), parameters_for_year("2026-27")


def pence(text: str) -> int:
    sign = -1 if text.startswith("-") else 1
    whole, _, rest = text.lstrip("-").replace(",", "").partition(".")
    return sign * (int(whole) * 100 + int(rest.ljust(2, "0") or "0"))


def pounds(amount: int) -> str:
    return text_of(amount, "pence")


def taxes(frequency: Frequency, steps: list[tuple[str, int, str]]) -> list[str]:
    pay = tax = 0
    out = []
    for code, period, amount in steps:
        result = tax_for_payment(P26, parse_tax_code(code), frequency, period, pence(amount), pay, tax)
        pay, tax = pay + pence(amount), result.tax_to_date_pence
        out.append(pounds(result.tax_pence))
    return out


class TestTheYearFiles:
    """The tables of the reference, figure by figure: weekly, fortnightly, four-weekly, monthly, annual."""

    PERIODS = ("weekly", "fortnightly", "four_weekly", "monthly", "annual")
    NIC = {  # noqa: RUF012
        ("2025-26", "lel"): "125 250 500 542 6500",
        ("2026-27", "lel"): "129 258 516 559 6708",
        ("both", "st"): "96 193 385 417 5000",
        ("both", "pt"): "242 484 967 1048 12570",
        ("both", "fust"): "481 962 1924 2083 25000",
        ("both", "uel"): "967 1934 3867 4189 50270",
    }
    PENSION = {"lower": "120 240 480 520 6240", "upper": "967 1934 3867 4189 50270", "trigger": "192 384 768 833 10000"}  # noqa: RUF012

    @pytest.mark.parametrize("year", [P25, P26], ids=lambda year: year.tax_year)
    def test_thresholds(self, year: YearParameters) -> None:
        for (of, name), figures in self.NIC.items():
            if of in (year.tax_year, "both"):
                found = [getattr(year.nic_thresholds[period], name) for period in self.PERIODS]
                assert found == [int(figure) * 100 for figure in figures.split()], name
        for name, figures in self.PENSION.items():
            found = [getattr(year.pension[period], name) for period in self.PERIODS]
            assert found == [int(figure) * 100 for figure in figures.split()], name

    @pytest.mark.parametrize("year", [P25, P26], ids=lambda year: year.tax_year)
    def test_letters_and_employer_figures(self, year: YearParameters) -> None:
        rows = {(letter.main_bp, letter.upper_bp, letter.employer_from): "" for letter in year.nic_letters.values()}
        for letter in year.nic_letters.values():
            rows[letter.main_bp, letter.upper_bp, letter.employer_from] += letter.letter
        assert rows == {
            (800, 200, "ST"): "A", (185, 200, "ST"): "B", (0, 0, "ST"): "C", (200, 200, "ST"): "J", (800, 200, "UEL"): "HMV",
            (200, 200, "UEL"): "Z", (800, 200, "FUST"): "FN", (185, 200, "FUST"): "IE", (0, 0, "FUST"): "SK",
            (200, 200, "FUST"): "LD", (0, 0, "never"): "X",
        }  # fmt: skip
        assert "".join(year.nic_category_order) == "BMAZJCHVFILSDEKN"
        assert (year.nic_employer_bp, year.employment_allowance_pence) == (1500, 1050000)
        assert (year.levy_bp, year.levy_allowance_monthly_pence) == (50, 125000)
        assert (year.pension_total_minimum_bp, year.pension_employer_minimum_bp) == (800, 300)
        assert year.pension_sets == {"set_1": (400, 900), "set_2": (300, 800), "set_3": (300, 700)}
        assert (year.emergency_code, year.overriding_limit_bp) == ("1257L", 5000)

    def test_statutory_pay(self) -> None:
        assert P25.ssp == SspRules(11875, None, 12500, 3, 28, 56)
        assert P26.ssp == SspRules(12325, 8000, None, 0, 28, 56)
        assert P25.family_pay == FamilyPayRules(18718, 9000, 12500, 9200, 10850, 4500000)
        assert P26.family_pay == FamilyPayRules(19432, 9000, 12900, 9200, 10900, 4500000)


class TestIncomeTax:
    @pytest.mark.parametrize(
        ("number", "weekly", "monthly"),
        [(1257, "241.92", "1048.26"), (500, "96.33", None), (501, "96.53", None), (1131, "217.69", None),
         (1383, "266.15", None), (475, "91.52", None), (1, "0.37", "1.59"), (0, "0.00", "0.00")],
    )  # fmt: skip
    def test_free_pay_of_period_1(self, number: int, weekly: str, monthly: str | None) -> None:
        assert pounds(free_pay_period_1(P26, number, 52)) == weekly
        assert monthly is None or pounds(free_pay_period_1(P26, number, 12)) == monthly

    def test_period_1_thresholds(self) -> None:
        ruk, scotland = P26.regions["rUK"], P26.regions["Scotland"]
        assert period_table(ruk, 52, 1)[1:] == ((0, 0, 7250000, 24065384), (0, 0, 1450000, 8176153))
        assert period_table(ruk, 12, 1)[1:] == ((0, 0, 31416666, 104283333), (0, 0, 6283333, 35430000))
        assert period_table(scotland, 52, 1)[1:] == (
            (0, 762884, 3260769, 5979230, 12005769, 24065384),
            (0, 144948, 644525, 1215401, 3746548, 9173375),
        )

    def test_cumulative_edges_and_taxes(self) -> None:
        assert P26.regions["rUK"].taxes_pence == (0, 754000, 4251600)
        assert P25.regions["Scotland"].edges_pounds == (2827, 14921, 31092, 62430, 125140)
        assert P25.regions["Scotland"].taxes_pence == (53713, 295593, 635184, 1951380, 4773330)
        assert P26.regions["Scotland"].edges_pounds == (3967, 16956, 31092, 62430, 125140)
        assert P26.regions["Scotland"].taxes_pence == (75373, 335153, 632009, 1948205, 4770155)

    @pytest.mark.parametrize(
        ("frequency", "steps", "expected"),
        [
            ("weekly", [("1257L", 1, "600.00")], ["71.60"]),
            ("weekly", [("S1257L", 1, "600.00")], ["71.15"]),
            ("monthly", [("1257L", 1, "4190.26")], ["628.40"]),
            ("monthly", [("1257L", 1, "4190.99")], ["628.46"]),
            (
                "weekly",
                [("K2500", n, p) for n, p in enumerate(("300.00", "300.00", "900.00", "300.00", "1200.00"), 1)],
                ["150.00", "150.00", "441.80", "150.00", "544.80"],
            ),
            ("fortnightly", [("1257L", n, p) for n, p in ((2, "1100"), (4, "1250"), (6, "980"), (8, "0"))],
             ["123.20", "153.20", "99.20", "-96.80"]),
            ("weekly", [("0T W1", 22, "500"), ("0T W1", 23, "500"), ("0T W1", 24, "500"), ("1257L", 25, "500")],
             ["100.00", "100.00", "100.00", "-300.00"]),
            ("weekly", [("1257L", 53, "610.00")], ["73.60"]),
        ],
    )  # fmt: skip
    def test_payments(self, frequency: Frequency, steps: list[tuple[str, int, str]], expected: list[str]) -> None:
        assert taxes(frequency, steps) == expected

    def test_ten_weeks_with_a_nil_week(self) -> None:
        pays = ("600", "543.75", "612.50", "0", "720", "380", "600", "1500", "600", "600")
        ruk = taxes("weekly", [("1257L", n, p) for n, p in enumerate(pays, 1)])
        assert ruk == ["71.60", "60.20", "74.20", "-48.40", "95.60", "27.60", "71.60", "251.60", "71.60", "71.80"]
        scots = taxes("weekly", [("S1257L", n, p) for n, p in enumerate(pays, 1)])
        assert scots == ["71.15", "59.19", "73.88", "-49.68", "94.84", "26.84", "70.83", "254.96", "71.15", "71.37"]


class TestNationalInsurance:
    @pytest.mark.parametrize(
        ("letter", "frequency", "pay", "employee", "employer"),
        [
            ("A", "weekly", "785.50", "43.48", "103.42"),
            ("A", "monthly", "5414.00", "275.78", "749.55"),
            ("B", "fortnightly", "1995.00", "28.04", "270.30"),
            ("C", "four_weekly", "3920.00", "0.00", "530.25"),
            ("F", "weekly", "785.50", "43.48", "45.67"),
            ("Z", "monthly", "5500.00", "89.04", "196.65"),
            ("A", "weekly", "242.07", "0.00", "21.91"),
            ("A", "weekly", "96.04", "0.00", "0.01"),
            ("B", "fortnightly", "1934.05", "26.82", "261.16"),
        ],
    )
    def test_examples(self, letter: str, frequency: str, pay: str, employee: str, employer: str) -> None:
        result = nic.class_1(P26, frequency, letter, pence(pay))
        assert (pounds(result.employee_pence), pounds(result.employer_pence)) == (employee, employer)

    def test_a_director_appointed_in_week_5(self) -> None:
        employee, employer, thresholds = directors.standard_due(P25, "M", pence("48000"), weeks=48)
        assert (pounds(employee), pounds(employer)) == ("2815.92", "239.40")
        assert (thresholds.pt, thresholds.uel, thresholds.lel) == (1160400, 4640400, 600000)
        assert directors.weeks_from_appointment(5) == 48

    def test_a_director_of_the_whole_year_is_the_default(self) -> None:
        pays = (1000000, 2000000)
        assert directors.alternative_steps(P26, "A", "monthly", pays) == directors.alternative_steps(
            P26, "A", "monthly", pays, 52
        )
        assert directors.standard_steps(P26, "A", pays) == directors.standard_steps(P26, "A", pays, 52)

    def test_two_payments_of_500_in_one_week_are_one_earnings_period(self) -> None:
        both = nic.class_1(P26, "weekly", "A", pence("1000")).employee_pence
        split = 2 * nic.class_1(P26, "weekly", "A", pence("500")).employee_pence
        assert (pounds(both), pounds(split)) == ("58.66", "41.28")
        first, second = _slip("500.00"), _slip("500.00", niable_before="500.00")
        assert pounds(first + second) == "58.66"


def _slip(pay: str, niable_before: str = "0") -> int:
    before = nic.class_1(P26, "weekly", "A", pence(niable_before))
    earlier = EarningsPeriodToDate(pence(niable_before), before.employee_pence, before.employer_pence)
    return calculate_payslip(
        PayslipInput(P26, "weekly", date(2026, 4, 10), "1257L", "A", (fixed(pay),), earnings_period=earlier)
    ).employee_nic_pence


def fixed(amount: str) -> PayLineInput:
    return PayLineInput(
        "P-1", "basic", 0, None, "each", Decimal(0), Decimal(0), pence(amount), False, amount_is_final=True
    )


class TestThreeDecimals:
    def test_hmrc_s_two_examples(self) -> None:
        """0.0059999 is 0.00 and 0.006 is 0.01, in pounds."""
        assert rounding.nic_three_decimals(59999, 100000) == 0
        assert rounding.nic_three_decimals(6, 10) == 1

    def test_half_down_on_the_unrounded_value_would_fail_87_of_hmrc_s_rows(self) -> None:
        def half_down(numerator: int, denominator: int) -> int:
            return -((denominator - 2 * numerator) // (2 * denominator))

        rows = json.loads((Path(__file__).parent / "data" / "hmrc-testdata.json").read_text(encoding="utf-8"))["nic"]
        wrong = 0
        for row in rows:
            year = parameters_for_year(row["tax_year"])
            letter, thresholds, pay = (
                year.nic_letters[row["letter"]],
                year.nic_thresholds[row["frequency"]],
                pence(row["pay"]),
            )
            main = max(0, min(pay, thresholds.uel) - thresholds.pt) * letter.main_bp
            upper = max(0, pay - thresholds.uel) * letter.upper_bp
            wrong += half_down(main, 10000) + half_down(upper, 10000) != pence(row["ee"])
        assert wrong == 87


class TestLoans:
    TABLE = {  # noqa: RUF012
        "2026-27": {
            "1": "517.30 1034.61 2069.23 2241.66",
            "2": "565.09 1130.19 2260.38 2448.75",
            "4": "649.90 1299.80 2599.61 2816.25",
            "5": "480.76 961.53 1923.07 2083.33",
            "PG": "403.84 807.69 1615.38 1750.00",
        },
        "2025-26": {
            "1": "501.25 1002.50 2005.00 2172.08",
            "2": "547.50 1095.00 2190.00 2372.50",
            "4": "629.71 1259.42 2518.84 2728.75",
            "PG": "403.84 807.69 1615.38 1750.00",
        },
    }

    def test_period_thresholds(self) -> None:
        for year, plans in self.TABLE.items():
            for plan, figures in plans.items():
                for frequency, figure in zip(
                    ("weekly", "fortnightly", "four_weekly", "monthly"), figures.split(), strict=True
                ):
                    assert pounds(loans.period_threshold(parameters_for_year(year), plan, frequency)) == figure

    def test_examples(self) -> None:
        assert pounds(loans.deduction(P26, "2", "weekly", pence("680.40"))) == "10.00"
        assert pounds(loans.deduction(P26, "1", "monthly", pence("3000"))) == "68.00"
        assert pounds(loans.deduction(P26, "PG", "monthly", pence("3000"))) == "75.00"

    def test_an_irregular_period_goes_by_days(self) -> None:
        # 29,385 x 10 / 365 = 805.068: cut to 805.06
        assert pounds(loans.threshold_of_days(P26, "2", 10)) == "805.06"
        assert loans.threshold_of_days(P26, "2", 365) == 2938500
        assert loans.over_threshold(P26.loans["2"], 80506, 100000) == 1700
        assert loans.over_threshold(P26.loans["2"], 80506, 80506) == 0
        for days in (0, 366):
            with pytest.raises(EngineError) as refused:
                loans.threshold_of_days(P26, "2", days)
            assert (refused.value.code, refused.value.field) == ("days_out_of_range", "days")

    def test_a_starter_whose_plan_is_not_known_gets_the_lowest_threshold(self) -> None:
        assert loans.plan_of_starter(P26, None) == "5"
        assert loans.plan_of_starter(P25, None) == "1"
        assert loans.plan_of_starter(P26, "2") == "2"
        for year in (P25, P26):
            plans = {name: loan.annual_pence for name, loan in year.loans.items() if name != "PG"}
            assert plans[year.loan_default_plan] == min(plans.values())
        with pytest.raises(EngineError):
            loans.plan_of_starter(P25, "5")


class TestPension:
    def test_weekly_680_40(self) -> None:
        net_pay = pension.contributions(P26, "weekly", pence("680.40"), 500, 300, "net_pay")
        at_source = pension.contributions(P26, "weekly", pence("680.40"), 500, 300, "ras")
        assert pounds(net_pay.pensionable_pence) == "560.40"
        assert (pounds(net_pay.employee_deducted_pence), pounds(net_pay.employer_pence)) == ("28.02", "16.81")
        assert pounds(at_source.employee_deducted_pence) == "22.42"
        assert net_pay.above_trigger

    def test_the_upper_limit_of_a_month(self) -> None:
        # 4,189.00 less 520.00: 3,669.00 at 5 % and 3 %, whatever is earned above
        for pay in ("4189.00", "9000.00"):
            found = pension.contributions(P26, "monthly", pence(pay), 500, 300, "net_pay")
            assert pounds(found.pensionable_pence) == "3669.00"
            assert (pounds(found.employee_deducted_pence), pounds(found.employer_pence)) == ("183.45", "110.07")

    def test_exactly_the_trigger_is_not_more_than_it(self) -> None:
        born = date(1990, 1, 1)
        assert pension.assess(P26, "weekly", born, date(2026, 4, 10), pence("192.00")) == "non_eligible"
        assert pension.assess(P26, "weekly", born, date(2026, 4, 10), pence("192.01")) == "eligible"
        assert pension.assess(P26, "weekly", date(2006, 1, 1), date(2026, 4, 10), pence("500")) == "non_eligible"
        assert pension.assess(P26, "weekly", born, date(2026, 4, 10), pence("120.00")) == "entitled"
        assert pension.assess(P26, "weekly", date(1945, 1, 1), date(2026, 4, 10), pence("500")) == "none"

    @pytest.mark.parametrize(
        ("born", "reached"),
        [
            (date(1940, 2, 29), date(2006, 2, 28)),
            (date(1955, 5, 1), date(2021, 5, 1)),
            (date(1960, 4, 5), date(2026, 4, 5)),
            (date(1960, 4, 6), date(2026, 5, 6)),
            (date(1961, 2, 6), date(2028, 1, 6)),
            (date(1961, 3, 5), date(2028, 2, 5)),
            (date(1961, 3, 6), date(2028, 3, 6)),
            (date(1961, 12, 1), date(2028, 12, 1)),
            (date(1970, 6, 30), date(2037, 6, 30)),
            # month ends: the cohort's month has no such day (Pensions Act 1995 Schedule 4 para 1)
            (date(1960, 7, 31), date(2026, 11, 30)),
            (date(1960, 12, 31), date(2027, 9, 30)),
            (date(1961, 1, 31), date(2027, 11, 30)),
        ],
    )
    def test_state_pension_age(self, born: date, reached: date) -> None:
        assert state_pension_on(born) == reached

    def test_a_birth_in_the_future(self) -> None:
        with pytest.raises(EngineError) as refused:
            pension.assess(P26, "weekly", date(2026, 4, 11), date(2026, 4, 10), 1)
        assert refused.value.field == "birth_on"


class TestStatutoryPayAndHoliday:
    @pytest.mark.parametrize(
        ("average", "qualifying", "days", "expected"),
        [("600", 5, 3, "73.95"), ("140", 5, 5, "112.00"), ("140", 5, 3, "67.20"), ("123.45", 7, 4, "56.44"), ("154.06", 5, 5, "123.25")],
    )  # fmt: skip
    def test_sick_pay_2026(self, average: str, qualifying: int, days: int, expected: str) -> None:
        assert pounds(ssp.payable(P26, pence(average), qualifying, days)) == expected

    def test_sick_pay_2025(self) -> None:
        assert pounds(ssp.payable(P25, pence("600"), 5, 5)) == "118.75"
        assert ssp.payable(P25, pence("124.99"), 5, 5) == 0

    def test_the_crossover_is_between_154_06_and_154_07(self) -> None:
        assert ssp.weekly_rate_scaled(P26, 15406) < 12325 * 10000 == ssp.weekly_rate_scaled(P26, 15407)

    def test_sick_pay_of_no_day_and_of_all_twenty_eight_weeks(self) -> None:
        assert ssp.payable(P26, 60000, 5, 0) == 0
        assert pounds(ssp.payable(P26, 60000, 5, 140)) == "3451.00"
        for days in (-1, 141):
            with pytest.raises(EngineError) as refused:
                ssp.payable(P26, 60000, 5, days)
            assert refused.value.field == "payable_days"

    def test_rolled_up_holiday(self) -> None:
        assert pounds(holiday.rolled_up(P26, pence("508.40"))) == "61.36"

    def test_accrual_rounds_to_the_hour_and_keeps_a_ledger(self) -> None:
        assert holiday.accrue(P26, 2400) == holiday.LeaveAccrual(300, 289)
        assert holiday.accrue(P26, 248).leave_minutes == 0
        assert holiday.accrue(P26, 249).leave_minutes == 60

    def test_cis_and_late_payment(self) -> None:
        assert late_payment.claim(P26, pence("10000"), 375, 30) == late_payment.LatePaymentResult(1175, 9658, 10000)
        assert late_payment.claim(P26, pence("999.99"), 375, 1).fixed_sum_pence == 4000
        assert late_payment.claim(P26, pence("9999.99"), 375, 1).fixed_sum_pence == 7000
        assert cis.deduct(P26.cis_rates_bp, 10099, 5000, 2000) == cis.CisResult(2019, 13080)


class TestMinimumWage:
    def test_the_umbrella_week_fails_at_40_hours_and_passes_at_38_98(self) -> None:
        def outcome(minutes: int) -> str:
            return minimum_wage.outcome_of_period(
                minimum_wage_book(),
                reference_period_from=date(2026, 4, 6),
                birth_on=date(1990, 1, 1),
                apprentice=False,
                minutes=minutes,
                counting_pay_scaled=pence("495.47") * minimum_wage.SCALE,
            ).status

        assert outcome(2400) == "fail"
        assert outcome(38 * 60 + 58) == "pass"  # 38.98 hours are 38 hours 58.8 minutes
        assert outcome(38 * 60 + 59) == "fail"

    @pytest.mark.parametrize(
        ("starts", "born", "apprentice", "rate"),
        [
            (date(2026, 3, 30), date(1990, 1, 1), False, 1221),
            (date(2026, 4, 1), date(1990, 1, 1), False, 1271),
            (date(2026, 4, 6), date(2005, 4, 7), False, 1085),
            (date(2026, 4, 6), date(2005, 4, 6), False, 1271),
            (date(2026, 4, 6), date(2009, 1, 1), False, 800),
            (date(2026, 4, 6), date(2000, 1, 1), True, 800),
            (date(2025, 3, 31), date(1990, 1, 1), False, 1144),
        ],
    )
    def test_rate_by_first_day_and_age(self, starts: date, born: date, apprentice: bool, rate: int) -> None:
        outcome = minimum_wage.outcome_of_period(
            minimum_wage_book(), reference_period_from=starts, birth_on=born, apprentice=apprentice, minutes=60,
            apprenticeship_first_year=apprentice or None, counting_pay_scaled=rate * minimum_wage.SCALE,
        )  # fmt: skip
        assert (outcome.status, outcome.rate_pence) == ("pass", rate)

    @pytest.mark.parametrize(
        ("pay_an_hour", "first_year", "status", "rate"),
        [
            (1271, None, "pass", 1271),
            (1270, None, "not_tested", 1271),
            (800, None, "not_tested", 1271),
            (799, None, "fail", 800),
            (1270, False, "fail", 1271),
            (800, True, "pass", 800),
        ],
    )
    def test_an_older_apprentice_needs_the_first_year_recorded_only_between_the_rates(
        self, pay_an_hour: int, first_year: bool | None, status: str, rate: int
    ) -> None:
        found = minimum_wage.outcome_of_period(
            minimum_wage_book(), reference_period_from=date(2026, 4, 6), birth_on=date(2000, 1, 1), apprentice=True, minutes=600,
            apprenticeship_first_year=first_year, counting_pay_scaled=10 * pay_an_hour * minimum_wage.SCALE,
        )  # fmt: skip
        assert (found.status, found.rate_pence) == (status, rate)
        assert ("first year" in found.reason) == (status == "not_tested")
        assert found.shortfall_pence == (10 * (rate - pay_an_hour) if status == "fail" else 0)

    @pytest.mark.parametrize(
        ("days", "charge", "counts"),
        [(7, 0, 50840 + 7770), (7, 7770, 50840), (7, 5000, 50840), (7, 8770, 50840 - 1000), (0, 100, 50740)],
    )
    def test_accommodation_offset(self, days: int, charge: int, counts: int) -> None:
        """11.10 a day from April 2026: free adds it, a charge over it is taken off, one up to it is not."""
        found = minimum_wage.outcome_of_period(
            minimum_wage_book(), reference_period_from=date(2026, 4, 6), birth_on=date(1990, 1, 1), apprentice=False, minutes=2400,
            counting_pay_scaled=pence("508.40") * minimum_wage.SCALE, accommodation=minimum_wage.Accommodation(days, charge),
        )  # fmt: skip
        assert found.surplus_pence - found.shortfall_pence == counts - 50840
        with pytest.raises(EngineError):
            minimum_wage.accommodation_reduction(minimum_wage_book().rates[-1], minimum_wage.Accommodation(-1, 0))

    def test_arrears_are_repaid_at_today_s_rate_where_it_is_higher(self) -> None:
        # 10.00 short at 12.21 an hour, repaid at 12.71: 10.4095 goes up
        assert minimum_wage.arrears(1000, 1221, 1271) == 1041
        assert minimum_wage.arrears(1000, 1271, 1221) == 1000
        with pytest.raises(EngineError):
            minimum_wage.arrears(-1, 1221, 1271)

    def test_an_unknown_rate_is_not_tested(self) -> None:
        outcome = minimum_wage.outcome_of_period(
            minimum_wage_book(), reference_period_from=date(2027, 4, 1), birth_on=date(1990, 1, 1), apprentice=False, minutes=60,
            counting_pay_scaled=10**9,
        )  # fmt: skip
        assert outcome.status == "not_tested"
        assert "2027-04-01" in outcome.reason


class TestUmbrella:
    @pytest.mark.parametrize(
        ("income", "margin", "expected"),
        [
            ("660.00", "20.00", "555.27 495.47 59.80 68.89 2.78 13.06 0.00 21.76 58.20 25.06 450.25"),
            ("1000.00", "25.00", "837.97 747.72 90.25 111.29 4.19 21.54 0.01 35.90 112.00 47.68 642.39"),
        ],
    )
    def test_weeks(self, income: str, margin: str, expected: str) -> None:
        r = umbrella.reconcile(
            P26, frequency="weekly", assignment_income_pence=pence(income), margin_pence=pence(margin), ni_letter="A",
            tax_code=parse_tax_code("1257L W1"), tax_period=1, levy=True, employer_pension_bp=300, employee_pension_bp=500,
        )  # fmt: skip
        figures = (r.gross_pence, r.basic_pence, r.holiday_pence, r.employer_nic_pence, r.levy_pence, r.employer_pension_pence,
                   r.residue_pence, r.employee_pension_pence, r.tax_pence, r.employee_nic_pence, r.net_pence)  # fmt: skip
        assert " ".join(pounds(figure) for figure in figures) == expected

    def test_the_levy_of_a_large_gross(self) -> None:
        costs = umbrella.employer_costs(P26, "monthly", P26.nic_letters["A"], pence("80000"), True, 0)
        assert pounds(costs.levy_pence) == "400.00"

    def test_accrued_holiday_is_retained_with_its_share_of_the_costs(self) -> None:
        """The same week, holiday accrued: basic pay alone is paid, and the rest of the income is a balance."""
        trace = Trace()
        r = umbrella.reconcile(
            P26, frequency="weekly", assignment_income_pence=66000, margin_pence=2000, ni_letter="A",
            tax_code=parse_tax_code("1257L W1"), tax_period=1, levy=True, employer_pension_bp=300, employee_pension_bp=500,
            holiday_rolled_up=False, holiday_accrued=True, trace=trace,
        )  # fmt: skip
        assert (r.gross_pence, r.basic_pence, r.holiday_pence, r.retained_holiday_pence) == (49547, 49547, 0, 5980)
        # (495.47 - 96) x 15 %, 0.5 % and 3 % of 375.47; on 555.27 they were 68.89, 2.78 and 13.06
        assert (r.employer_nic_pence, r.levy_pence, r.employer_pension_pence) == (5992, 248, 1126)
        assert r.retained_pence == 5980 + (6889 - 5992) + (278 - 248) + (1306 - 1126)
        assert recompute(trace.root) == trace.root.result == 66000
        with pytest.raises(EngineError) as refused:
            umbrella.reconcile(
                P26, frequency="weekly", assignment_income_pence=1, margin_pence=0, ni_letter="A", tax_code=parse_tax_code("BR"),
                tax_period=1, levy=False, holiday_accrued=True,
            )  # fmt: skip
        assert refused.value.code == "holiday_twice"


class TestWholePayslips:
    """The payslip order of work, weekly in 2026-27."""

    @pytest.mark.parametrize(
        ("pay", "code", "plan", "terms", "expected"),
        [
            ("508.40", "1257L", None, None, "508.40 53.20 21.31 61.86 0.00 0.00 0.00 433.89"),
            (
                "680.40",
                "1257L",
                "2",
                PensionTerms("net_pay", 500, 300),
                "652.38 82.00 35.07 87.66 10.00 28.02 16.81 525.31",
            ),
            (
                "680.40",
                "1257L",
                "2",
                PensionTerms("ras", 500, 300),
                "680.40 87.60 35.07 87.66 10.00 22.42 16.81 525.31",
            ),
            (
                "680.40",
                "S1257L",
                "4",
                PensionTerms("net_pay", 500, 300),
                "652.38 82.07 35.07 87.66 2.00 28.02 16.81 533.24",
            ),
        ],
    )
    def test_columns(self, pay: str, code: str, plan: str | None, terms: PensionTerms | None, expected: str) -> None:
        r = calculate_payslip(
            PayslipInput(
                P26, "weekly", date(2026, 4, 10), code, "A", (fixed(pay),), student_loan_plan=plan, pension=terms
            )
        )
        figures = (r.taxable_pence, r.tax_pence, r.employee_nic_pence, r.employer_nic_pence, r.student_loan_pence,
                   r.employee_pension_pence, r.employer_pension_pence, r.net_pence)  # fmt: skip
        assert " ".join(pounds(figure) for figure in figures) == expected

    def test_a_deemed_payment_of_5000(self) -> None:
        """Off-payroll: invoice 7,200 with 1,200 VAT, 750 materials, 250 expenses; monthly, BR, letter A."""
        r = calculate_payslip(PayslipInput(P26, "monthly", date(2026, 4, 30), "BR", "A", (fixed("5000.00"),)))
        assert (pounds(r.tax_pence), pounds(r.employee_nic_pence), pounds(r.employer_nic_pence)) == (
            "1000.00",
            "267.50",
            "687.45",
        )
        assert pounds(pence("7200") - r.tax_pence - r.employee_nic_pence) == "5932.50"


class TestCalendar:
    @pytest.mark.parametrize(
        ("day", "frequency", "expected"),
        [
            (date(2026, 4, 6), "weekly", ("2026-27", 1, False)),
            (date(2026, 4, 5), "weekly", ("2025-26", 53, True)),
            (date(2028, 4, 4), "weekly", ("2027-28", 53, True)),
            (date(2028, 4, 5), "weekly", ("2027-28", 53, True)),
            (date(2026, 4, 10), "fortnightly", ("2026-27", 2, False)),
            (date(2027, 3, 26), "fortnightly", ("2026-27", 52, False)),
            (date(2027, 4, 5), "fortnightly", ("2026-27", 54, True)),
            (date(2027, 4, 5), "four_weekly", ("2026-27", 56, True)),
            (date(2026, 5, 5), "monthly", ("2026-27", 1, False)),
            (date(2026, 5, 6), "monthly", ("2026-27", 2, False)),
            (date(2027, 1, 3), "monthly", ("2026-27", 9, False)),
            (date(2027, 4, 5), "monthly", ("2026-27", 12, False)),
        ],
    )
    def test_tax_periods(self, day: date, frequency: Frequency, expected: tuple[str, int, bool]) -> None:
        period = tax_period(day, frequency)
        assert (period.tax_year, period.number, period.non_cumulative_extra) == expected

    def test_an_odd_week_is_a_setting(self) -> None:
        assert tax_period(date(2027, 3, 26), "fortnightly", "actual_week").number == 51
