"""Whole payslips: what a period carries along, directors, the minimum wage on a slip, refusals, starters and the other direction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar

import pytest

from pay_calc.domain.engine import (
    ENGINE_VERSION,
    cis,
    directors,
    employer,
    late_payment,
    minimum_wage,
    ssp,
    starters,
    umbrella,
)
from pay_calc.domain.engine.attachments import AttachmentOrder
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.net_to_gross import gross_for_net
from pay_calc.domain.engine.payslip import (
    DirectorTerms,
    EarningsPeriodToDate,
    NetDeduction,
    PayLineInput,
    PayslipInput,
    PayslipResult,
    PensionTerms,
    calculate_payslip,
)
from pay_calc.domain.engine.pension import PensionRefund
from pay_calc.domain.engine.tax_code import parse_tax_code
from pay_calc.domain.engine.trace import Node, Trace, recompute
from pay_calc.rates import minimum_wage_book, parameters_for_year

P25, P26 = parameters_for_year("2025-26"), parameters_for_year("2026-27")
PAYDAY = date(2026, 4, 10)


def hours(
    minutes: int, rate: str, element: str = "basic", placement: str = "P-1", basic: str | None = None
) -> PayLineInput:
    return PayLineInput(placement, element, minutes, None, "hour", Decimal(rate), Decimal(basic or rate), 0, True)


def fixed(pence: int, element: str = "basic", **more: Any) -> PayLineInput:
    return PayLineInput(
        "P-1", element, 0, None, "each", Decimal(0), Decimal(0), pence, False, amount_is_final=True, **more
    )


def slip(*lines: PayLineInput, **more: Any) -> PayslipResult:
    given: dict[str, Any] = {
        "parameters": P26,
        "frequency": "weekly",
        "payday_on": PAYDAY,
        "tax_code": "1257L",
        "ni_letter": "A",
    }
    return calculate_payslip(PayslipInput(**(given | more), pay_lines=lines))


class TestPayLines:
    def test_units_are_summed_by_placement_element_and_rate_before_rounding(self) -> None:
        once = slip(hours(7, "12.7199"), hours(7, "12.7199"), hours(7, "12.7199"))
        assert [(line.minutes, line.amount_pence) for line in once.pay_lines] == [(21, 445)]
        assert once.pay_lines[0].shares_pence == (148, 149, 148)
        apart = slip(hours(7, "12.7199"), hours(7, "12.7199", placement="P-2"), hours(7, "12.7199", "overtime"))
        assert [line.amount_pence for line in apart.pay_lines] == [148, 148, 148]

    def test_rolled_up_holiday_is_a_line_of_its_own_on_pay_for_work(self) -> None:
        result = slip(hours(2400, "12.7100"), fixed(1000, "allowance", holiday_counts=False), holiday="rolled_up")
        assert (result.gross_pence, result.holiday_pence) == (50840 + 1000 + 6136, 6136)

    def test_expenses_are_outside_gross(self) -> None:
        result = slip(fixed(50840), fixed(2000, "expense"), holiday="rolled_up")
        plain = slip(fixed(50840), holiday="rolled_up")
        assert (result.gross_pence, result.tax_pence, result.expenses_pence) == (
            plain.gross_pence,
            plain.tax_pence,
            2000,
        )
        assert (result.net_pence, result.cost_pence) == (plain.net_pence + 2000, plain.cost_pence + 2000)

    def test_day_rates_use_units(self) -> None:
        day = PayLineInput(
            "P-1", "basic", 2250, Decimal("4.5"), "day", Decimal("120.0000"), Decimal("120.0000"), 0, True
        )
        assert slip(day).gross_pence == 54000

    @pytest.mark.parametrize("rate", ["NaN", "Infinity"])
    def test_a_rate_that_is_no_number_is_refused(self, rate: str) -> None:
        with pytest.raises(EngineError) as refused:
            slip(hours(60, rate))
        assert (refused.value.code, refused.value.field) == ("not_a_number", "pay_lines")

    def test_a_rate_of_many_digits_is_refused(self) -> None:
        with pytest.raises(EngineError) as refused:
            slip(hours(60, "1E+999999"))
        assert refused.value.code == "amount_out_of_range"

    def test_five_decimals_are_refused(self) -> None:
        with pytest.raises(EngineError) as refused:
            slip(hours(60, "12.71001"))
        assert refused.value.code == "too_many_decimals"


class TestYearToDate:
    def test_previous_employment_enters_the_tax_and_not_the_figures(self) -> None:
        week_10 = {"payday_on": date(2026, 6, 12), "pay_to_date_pence": 100000, "tax_to_date_pence": 5000}
        alone = slip(fixed(60000), **week_10)
        both = slip(fixed(60000), **week_10, previous_pay_pence=400000, previous_tax_pence=60000)
        assert (both.pay_to_date_pence, alone.pay_to_date_pence) == (160000, 160000)
        assert both.tax_to_date_pence == 5000 + both.tax_pence
        due = (560000 - 10 * 24192) // 100 * 20
        assert both.tax_pence == due - 65000

    def test_a_second_payslip_in_the_period_adds_up_to_one(self) -> None:
        terms = PensionTerms("net_pay", 500, 300)
        whole = slip(fixed(100000), student_loan_plan="2", pension=terms)
        first = slip(fixed(60000), student_loan_plan="2", pension=terms)
        charged = EarningsPeriodToDate(
            first.niable_pence, first.employee_nic_pence, first.employer_nic_pence, first.student_loan_pence, 0,
            first.niable_pence, first.employee_pension_pence, first.employer_pension_pence,
        )  # fmt: skip
        second = slip(
            fixed(40000), student_loan_plan="2", pension=terms, earnings_period=charged,
            pay_to_date_pence=first.pay_to_date_pence, tax_to_date_pence=first.tax_to_date_pence,
        )  # fmt: skip
        for figure in ("tax_pence", "employee_nic_pence", "employer_nic_pence", "student_loan_pence", "employee_pension_pence",
                       "employer_pension_pence", "net_pence"):  # fmt: skip
            assert getattr(first, figure) + getattr(second, figure) == getattr(whole, figure), figure
        assert second.bands.pt_to_uel_pence == whole.bands.pt_to_uel_pence - first.bands.pt_to_uel_pence

    def test_payrolled_benefits_are_taxed_and_not_limited_by_half(self) -> None:
        result = slip(fixed(20000), payrolled_benefits_pence=100000)
        assert (result.taxable_pence, result.niable_pence) == (120000, 20000)
        assert (result.tax_pence, result.limited_to_50pct) == (10000, True)

    def test_versions_and_period_are_kept(self) -> None:
        result = slip(fixed(1), payday_on=date(2027, 4, 5))
        assert (result.tax_year, result.tax_period, result.tax_basis) == ("2026-27", 53, "non_cumulative")
        assert (result.engine_version, result.parameter_version) == (ENGINE_VERSION, "2026-27.2")


class TestTheLetterOfThePayday:
    BORN = date(2005, 4, 17)

    def test_the_first_payday_at_21_is_charged_as_letter_a(self) -> None:
        before = slip(fixed(80000), ni_letter="M", birth_on=self.BORN)
        after = slip(fixed(80000), ni_letter="M", birth_on=self.BORN, payday_on=date(2026, 4, 17))
        assert (before.ni_letter, before.employer_nic_pence) == ("M", 0)
        assert (after.ni_letter, after.employer_nic_pence) == ("A", 10560)
        assert after.employee_nic_pence == before.employee_nic_pence

    def test_state_pension_age_ends_employee_contributions_but_not_on_pay_due_before(self) -> None:
        born = date(1960, 4, 1)
        assert slip(fixed(80000), birth_on=born).employee_nic_pence == 0
        late = slip(fixed(80000), birth_on=born, due_before_state_pension_age=True)
        assert (late.ni_letter, late.employee_nic_pence) == ("A", 4464)

    def test_a_directors_first_payment_is_under_the_letter_of_the_age(self) -> None:
        terms: dict[str, Any] = {"ni_letter": "M", "birth_on": self.BORN, "director": DirectorTerms("standard")}
        assert slip(fixed(80000), **terms).ni_letter == "M"
        assert slip(fixed(80000), **terms, payday_on=date(2026, 4, 17)).ni_letter == "A"


class TestDirectors:
    def test_standard_charges_nothing_below_the_year_s_thresholds(self) -> None:
        first = slip(fixed(400000), director=DirectorTerms("standard"))
        assert (first.employee_nic_pence, first.employer_nic_pence) == (0, 0)
        later = slip(fixed(1000000), director=DirectorTerms("standard", 52, 400000))
        assert (later.employee_nic_pence, later.employer_nic_pence) == (11440, 135000)

    def test_alternative_is_an_ordinary_period_until_the_last(self) -> None:
        ordinary = slip(fixed(100000), director=DirectorTerms("alternative", 52, 5100000, 299166, 691560))
        assert ordinary.employee_nic_pence == 5866
        last = slip(
            fixed(100000), director=DirectorTerms("alternative", 52, 5100000, 299166, 691560, last_payment_of_year=True)
        )
        assert (last.employee_nic_pence, last.employer_nic_pence) == (305060 - 299166, 705000 - 691560)

    def test_several_letters_in_a_year_fill_the_bands_in_hmrc_s_order(self) -> None:
        due = directors.year_by_letters(P26, {"A": 3000000, "C": 3000000})
        assert due == {"A": ((3000000 - 1257000) * 8 // 100, (3000000 - 500000) * 15 // 100), "C": (0, 450000)}
        young = directors.year_by_letters(P26, {"M": 2000000, "A": 1000000})
        assert young["M"] == ((2000000 - 1257000) * 8 // 100, 0)
        assert young["A"] == (80000, 150000)
        # L fills the lower bands before S, as HMRC's calculator orders them: 2 % of what is over 12,570.00
        assert directors.year_by_letters(P26, {"S": 2000000, "L": 2000000}) == {"L": (14860, 0), "S": (0, 225000)}


class TestMinimumWageOnASlip:
    FACTS: ClassVar[dict[str, Any]] = {
        "minimum_wage": minimum_wage_book(),
        "period_from": date(2026, 4, 6),
        "birth_on": date(1990, 1, 1),
    }

    def test_the_premium_does_not_count(self) -> None:
        result = slip(hours(2400, "12.71"), hours(600, "19.0650", "overtime", basic="12.71"), **self.FACTS)
        assert (result.nmw.status, result.nmw.minutes, result.nmw.rate_pence) == ("pass", 3000, 1271)
        short = slip(hours(2400, "12.70"), hours(600, "19.05", "overtime", basic="12.70"), **self.FACTS)
        assert (short.nmw.status, short.nmw.shortfall_pence) == ("fail", 50)

    def test_a_deduction_for_the_employer_counts_against_it(self) -> None:
        result = slip(hours(2400, "12.71"), deductions=(NetDeduction("uniform", 500),), **self.FACTS)
        assert (result.nmw.status, result.nmw.shortfall_pence, result.other_deductions_pence) == ("fail", 500, 500)

    def test_a_fixed_amount_for_hours_counts_as_it_stands(self) -> None:
        day = replace(fixed(10168), minutes=480, nmw_counts=True)
        assert slip(day, **self.FACTS).nmw.surplus_pence == 0
        assert slip(replace(day, amount_pence=10167), **self.FACTS).nmw.shortfall_pence == 1

    def test_holiday_pay_does_not_count(self) -> None:
        assert slip(hours(2400, "12.00"), holiday="rolled_up", **self.FACTS).nmw.status == "fail"

    def test_without_a_birth_date_only_a_pass_is_certain(self) -> None:
        unknown = self.FACTS | {"birth_on": None}
        assert slip(hours(2400, "12.71"), **unknown).nmw.status == "pass"
        assert slip(hours(2400, "12.00"), **unknown).nmw.status == "not_tested"

    def test_accommodation_and_an_apprentice_on_the_slip(self) -> None:
        free = slip(hours(2400, "12.00"), accommodation=minimum_wage.Accommodation(7, 0), **self.FACTS)
        assert (free.nmw.status, free.nmw.surplus_pence) == ("pass", 48000 + 7770 - 50840)
        facts = self.FACTS | {"apprentice": True}
        assert slip(hours(2400, "12.00"), **facts).nmw.status == "not_tested"
        assert slip(hours(2400, "12.00"), apprenticeship_first_year=True, **facts).nmw.status == "pass"
        assert slip(hours(2400, "12.00"), apprenticeship_first_year=False, **facts).nmw.status == "fail"

    def test_without_rates_it_is_not_tested(self) -> None:
        assert slip(hours(2400, "12.71")).nmw.status == "not_tested"


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"tax_code": "1257P"}, "invalid_tax_code", "tax_code"),
        ({"ni_letter": "Q"}, "unknown_ni_letter", "ni_letter"),
        ({"payday_on": date(2027, 4, 6)}, "payday_outside_tax_year", "payday_on"),
        ({"student_loan_plan": "3"}, "unknown_loan_plan", "student_loan_plan"),
        ({"student_loan_plan": "PG"}, "unknown_loan_plan", "student_loan_plan"),
        ({"parameters": P25, "payday_on": date(2026, 4, 5), "student_loan_plan": "5"}, "loan_plan_not_collected", "student_loan_plan"),
        ({"pension": PensionTerms("salary_sacrifice", sacrifice_pence=60001)}, "sacrifice_exceeds_pay", "pension.amount"),
        ({"pension": PensionTerms("net_pay", 30000)}, "pension_exceeds_pay", "pension"),
        ({"director": DirectorTerms("standard", 0)}, "pro_rata_weeks_out_of_range", "pro_rata_weeks"),
    ],
)  # fmt: skip
def test_refusals_name_the_field(change: dict[str, Any], code: str, field: str) -> None:
    with pytest.raises(EngineError) as refused:
        slip(fixed(60000), **change)
    assert (refused.value.code, refused.value.field) == (code, field)


@pytest.mark.parametrize(("pence", "code"), [(-1, "negative_pay"), (10**14, "amount_out_of_range")])
def test_pay_out_of_range_is_refused(pence: int, code: str) -> None:
    with pytest.raises(EngineError) as refused:
        slip(fixed(pence))
    assert (refused.value.code, refused.value.field) == (code, "pay_lines")


class TestStarters:
    START = date(2026, 5, 4)

    @pytest.mark.parametrize(
        ("p45", "declaration", "expected"),
        [
            (starters.P45(date(2026, 5, 1), "1257L", 240000, 22000), "B", ("1257L", 240000, 22000)),
            (starters.P45(date(2026, 5, 1), "S1257L W1", 240000, 22000), "B", ("S1257L W1", 0, 0)),
            (starters.P45(date(2026, 4, 1), "1100L M1", 240000, 22000), "B", ("1100L", 0, 0)),
            (starters.P45(date(2025, 4, 1), "1100L", 240000, 22000), "B", ("1257L W1", 0, 0)),
            (None, "A", ("1257L", 0, 0)),
            (None, "B", ("1257L W1", 0, 0)),
            (None, "C", ("BR", 0, 0)),
            (None, None, ("0T W1", 0, 0)),
        ],
    )
    def test_the_code_a_worker_starts_on(self, p45: Any, declaration: Any, expected: tuple[str, int, int]) -> None:
        found = starters.starting_tax(P26, self.START, p45, declaration)
        assert (found.tax_code, found.previous_pay_pence, found.previous_tax_pence) == expected

    def test_last_year_s_p45_serves_until_24_may(self) -> None:
        old = starters.P45(date(2026, 4, 1), "1100L", 0, 0)
        assert starters.starting_tax(P26, date(2026, 5, 24), old, "B").tax_code == "1100L"
        assert starters.starting_tax(P26, date(2026, 5, 25), old, "B").tax_code == "1257L W1"

    @pytest.mark.parametrize(
        ("code", "stated"),
        [
            ("1257L", "B"),
            ("K475", "B"),
            ("1257L W1", "B"),
            ("BR", "C"),
            ("SD1", "C"),
            ("0T", "C"),
            ("C0T X", "C"),
            ("NT", "B"),
        ],
    )
    def test_what_the_fps_reports_with_a_p45(self, code: str, stated: str) -> None:
        for left in (date(2026, 5, 1), date(2026, 4, 1)):
            assert starters.starting_tax(P26, self.START, starters.P45(left, code, 0, 0), None).declaration == stated

    @pytest.mark.parametrize("declaration", ["A", "B", "C", None])
    def test_what_the_fps_reports_without_one(self, declaration: Any) -> None:
        assert starters.starting_tax(P26, self.START, None, declaration).declaration == declaration

    @pytest.mark.parametrize("declaration", ["A", "B", "C"])
    def test_a_late_statement_does_not_change_the_code_first_used(self, declaration: Any) -> None:
        found = starters.starting_tax(P26, self.START, None, declaration, code_in_use="0T W1")
        assert (found.tax_code, found.declaration) == ("0T W1", declaration)
        late = starters.P45(date(2026, 5, 1), "1100L", 240000, 22000)
        assert starters.starting_tax(P26, self.START, late, None, code_in_use="0T W1").tax_code == "1100L"

    def test_after_leaving_and_a_new_year(self) -> None:
        assert starters.code_after_leaving("S1257L") == "S0T W1"
        assert starters.carried_into_new_year("C1257L M1") == "C1257L"


class TestEmployer:
    def test_levy_follows_the_monthly_allowance(self) -> None:
        assert employer.levy_due(P26, 1, 30_000_000, 0) == 25000
        assert employer.levy_due(P26, 2, 40_000_000, 25000) == -25000
        with pytest.raises(EngineError):
            employer.levy_due(P26, 13, 0, 0)

    def test_employment_allowance_is_used_up_once(self) -> None:
        assert employer.employment_allowance_used(P26, 500000) == 500000
        assert employer.employment_allowance_used(P26, 5000000) == 1050000
        assert employer.employment_allowance_used(P26, 5000000, 1000000) == 50000
        assert employer.employment_allowance_used(P26, 5000000, 1050000) == 0
        with pytest.raises(EngineError) as refused:
            employer.employment_allowance_used(P26, 5000000, 1050001)
        assert refused.value.code == "allowance_exceeded"


class TestNetToGross:
    TEMPLATE = PayslipInput(
        P26, "weekly", PAYDAY, "1257L", "A", (), student_loan_plan="2", postgrad_loan=True, pension=PensionTerms("net_pay", 500, 300)
    )  # fmt: skip

    @pytest.mark.parametrize("target", [1, 10000, 43389, 52531, 60000, 100000, 250000])
    def test_it_is_the_smallest_gross_that_reaches_the_target(self, target: int) -> None:
        found = gross_for_net(self.TEMPLATE, target)
        assert found.payslip.net_pence - target == found.overshoot_pence >= 0
        for gross in range(max(0, found.gross_pence - 3000), found.gross_pence):
            assert calculate_payslip(replace(self.TEMPLATE, pay_lines=(fixed(gross),))).net_pence < target

    def test_a_target_of_nothing(self) -> None:
        assert gross_for_net(self.TEMPLATE, 0).gross_pence == 0

    def test_the_highest_pension_that_is_taken(self) -> None:
        """Under a K code with both loans, hardly a penny of a pound is left in the pension's band."""
        template = replace(self.TEMPLATE, tax_code="K9999", pension=PensionTerms("ras", 2699))
        for target in (15000, 25000):
            found = gross_for_net(template, target)
            assert found.payslip.net_pence >= target
            for gross in range(max(0, found.gross_pence - 2000), found.gross_pence):
                assert calculate_payslip(replace(template, pay_lines=(fixed(gross),))).net_pence < target

    def test_half_of_each_pound_is_tax_and_loans_step_beside_it(self) -> None:
        """Under a K code half of each pound is the tax, more than any band's rate; a loan steps by the pound beside it."""
        template = replace(self.TEMPLATE, tax_code="K9999", pension=None)
        for target in (10000, 20000, 30000):
            found = gross_for_net(template, target)
            for gross in range(max(0, found.gross_pence - 3500), found.gross_pence):
                assert calculate_payslip(replace(template, pay_lines=(fixed(gross),))).net_pence < target

    def test_a_pension_that_leaves_nothing_to_search_on(self) -> None:
        """1257L and letter A without a loan: 45 % and 8 % of one more pound at most."""
        alone = replace(self.TEMPLATE, tax_code="1257L", ni_letter="A", student_loan_plan=None, postgrad_loan=False)
        found = gross_for_net(replace(alone, pension=PensionTerms("ras", 4699)), 30000)
        assert found.payslip.net_pence - found.overshoot_pence == 30000
        with pytest.raises(EngineError) as refused:
            gross_for_net(replace(alone, pension=PensionTerms("ras", 4700)), 30000)
        assert (refused.value.code, refused.value.field) == ("pension_too_high", "pension")

    def test_orders_are_refused(self) -> None:
        order = AttachmentOrder("order 1", "DEO", date(2026, 1, 5), 8000, 20000)
        with pytest.raises(EngineError) as refused:
            gross_for_net(replace(self.TEMPLATE, attachments=(order,)), 30000)
        assert refused.value.code == "attachments_not_supported"

    def test_out_of_reach(self) -> None:
        with pytest.raises(EngineError, match="No gross"):
            gross_for_net(self.TEMPLATE, 10**11)


def every_node(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from every_node(child)


def traced(name: str, trace: Trace) -> int:
    """Run one rule with a trace and give its figure."""
    if name == "ssp":
        return ssp.payable(P26, 60000, 5, 3, trace=trace)
    if name == "ssp below the limit":
        return ssp.payable(P25, 12499, 5, 3, trace=trace)
    if name == "cis":
        return cis.deduct(P26.cis_rates_bp, 10099, 500, 2000, trace).paid_pence
    if name == "late payment":
        return late_payment.claim(P26, 1000000, 375, 30, trace).interest_pence
    if name == "levy":
        return employer.levy_due(P26, 3, 90_000_000, 1000, trace=trace)
    if name == "minimum wage":
        minimum_wage.outcome_of_period(
            minimum_wage_book(), reference_period_from=PAYDAY, birth_on=date(1990, 1, 1), apprentice=False, minutes=61,
            counting_pay_scaled=0, trace=trace,
        )  # fmt: skip
        return 1293
    if name == "umbrella":
        umbrella.reconcile(P26, frequency="weekly", assignment_income_pence=66000, margin_pence=2000, ni_letter="A",
                           tax_code=parse_tax_code("1257L W1"), tax_period=1, levy=True, trace=trace)  # fmt: skip
        return 66000
    calculate_payslip(
        PayslipInput(
            P26,
            "weekly",
            PAYDAY,
            "SK475",
            "A",
            (fixed(90000),),
            director=DirectorTerms("standard", 52, 2000000, 59440, 225000),
        ),
        trace,
    )
    return trace.root.result


@pytest.mark.parametrize(
    "name", ["ssp", "ssp below the limit", "cis", "late payment", "levy", "minimum wage", "umbrella", "director"]
)
def test_every_rule_explains_itself(name: str) -> None:
    trace = Trace()
    figure = traced(name, trace)
    assert trace.root.result == figure
    for node in every_node(trace.root):
        assert recompute(node) == node.result


class TestAPensionRefund:
    """Each contribution given back is the contribution taken, the other way round."""

    def _refunded(self, refund: PensionRefund) -> tuple[PayslipResult, PayslipResult]:
        trace = Trace()
        given: dict[str, Any] = {
            "parameters": P26,
            "frequency": "weekly",
            "payday_on": PAYDAY,
            "tax_code": "BR",
            "ni_letter": "A",
            "pay_lines": (hours(2400, "15.00"),),
            "apprenticeship_levy": True,
        }
        plain = calculate_payslip(PayslipInput(**given))
        found = calculate_payslip(PayslipInput(**given, pension_refund=refund), trace)
        assert trace.root.result == found.net_pence
        assert recompute(trace.root) == found.net_pence
        for node in trace.aside:
            assert recompute(node) == node.result
        return plain, found

    def test_what_net_pay_took_is_taxed(self) -> None:
        plain, found = self._refunded(PensionRefund(net_pay_pence=2400, employer_pence=1440))
        assert (found.taxable_pence, found.niable_pence) == (62400, 60000)
        assert (found.employee_pension_pence, found.employer_pension_pence) == (-2400, -1440)
        assert found.net_pence == plain.net_pence + 2400 - 480
        assert found.cost_pence == plain.cost_pence - 1440

    def test_what_relief_at_source_took_comes_back_as_it_went(self) -> None:
        plain, found = self._refunded(PensionRefund(ras_pence=1920, employer_pence=1440))
        assert (found.taxable_pence, found.niable_pence) == (60000, 60000)
        assert found.net_pence == plain.net_pence + 1920
        assert found.cost_pence == plain.cost_pence - 1440

    def test_pay_that_was_given_up_is_pay_and_counts_for_no_minimum_wage(self) -> None:
        plain, found = self._refunded(PensionRefund(sacrifice_pence=3000, employer_pence=1350))
        assert (found.sacrifice_pence, found.taxable_pence, found.niable_pence) == (-3000, 63000, 63000)
        # 20 % tax and 8 % National Insurance; 15 % and the levy's 0.5 % for the employer, whom the scheme pays both sums.
        assert found.net_pence == plain.net_pence + 3000 - 600 - 240
        assert found.employer_pension_pence == -4350
        assert found.cost_pence == plain.cost_pence - 1350 + 450 + 15
        assert found.nmw == plain.nmw
