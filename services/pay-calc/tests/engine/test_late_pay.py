"""Pay for an earlier payday on a payslip, and a director's year under several letters. Every figure was worked out by hand from the
published thresholds of 2026/27."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from pay_calc.domain.engine.attachments import AttachmentOrder
from pay_calc.domain.engine.directors import LetterToDate, due_by_letters, year_by_letters
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.payslip import (
    DirectorTerms,
    PayLineInput,
    PayslipInput,
    PayslipResult,
    PensionTerms,
    calculate_payslip,
)
from pay_calc.domain.engine.periods import EarningsPeriodToDate, LatePeriod
from pay_calc.domain.engine.trace import Node, Trace, recompute
from pay_calc.rates import parameters_for_year

P26 = parameters_for_year("2026-27")
PAYDAY = date(2026, 4, 24)
EARLIER = date(2026, 4, 17)
LAST_YEAR = date(2026, 4, 3)


def line(pence: int, element: str = "basic", **more: Any) -> PayLineInput:
    return PayLineInput(
        "P-1", element, 0, None, "each", Decimal(0), Decimal(0), pence, False, amount_is_final=True, **more
    )


def given(*lines: PayLineInput, **more: Any) -> PayslipInput:
    values: dict[str, Any] = {
        "parameters": P26,
        "frequency": "weekly",
        "payday_on": PAYDAY,
        "tax_code": "1257L W1",
        "ni_letter": "A",
        "pay_lines": lines,
    }
    return PayslipInput(**(values | more))


def nodes(root: Node) -> Iterator[Node]:
    yield root
    for child in root.children:
        yield from nodes(child)


def slip(*lines: PayLineInput, **more: Any) -> PayslipResult:
    """The payslip, and proof that its explanation comes to it."""
    inp, trace = given(*lines, **more), Trace()
    result = calculate_payslip(inp, trace)
    assert calculate_payslip(inp) == result
    for root in (trace.root, *trace.aside):
        for node in nodes(root):
            assert recompute(node) == node.result
    assert trace.root.result == result.net_pence
    if result.nic_parts:
        assert sum(part.employee_pence for part in result.nic_parts) == result.employee_nic_pence
        assert sum(part.employer_pence for part in result.nic_parts) == result.employer_nic_pence
        assert sum(part.niable_pence for part in result.nic_parts) == result.niable_pence
    return result


def late(payday_on: date = EARLIER, **more: Any) -> LatePeriod:
    return LatePeriod("2026-04-13", payday_on, (1,), **more)


class TestAPeriodOfItsOwn:
    def test_each_payday_has_its_own_threshold_and_tax_follows_payment(self) -> None:
        result = slip(line(60000), line(50000), late=(late(),))
        # 8 % of 358.00 and of 258.00; 15 % of 504.00 and of 404.00.
        assert (result.employee_nic_pence, result.employer_nic_pence) == (2864 + 2064, 7560 + 6060)
        together = slip(line(60000), line(50000))
        # 8 % of 725.00 and 2 % of 133.00.
        assert together.employee_nic_pence == 5800 + 266
        assert result.tax_pence == together.tax_pence
        [part] = result.nic_parts
        # The bands of two weeks: 129.00 and 113.00 each, then 358.00 and 258.00.
        assert (part.at_lel_pence, part.lel_to_pt_pence, part.pt_to_uel_pence) == (25800, 22600, 61600)
        [charge] = result.late
        assert (charge.reference, charge.niable_pence, charge.employee_nic_pence) == ("2026-04-13", 50000, 2064)

    def test_what_that_payday_was_charged_before_counts(self) -> None:
        before = EarningsPeriodToDate(niable_pence=50000, employee_nic_pence=2064, employer_nic_pence=6060)
        result = slip(line(60000), line(50000), late=(late(charged=before, letter="A"),))
        # 1,000.00 in that week: 8 % of 725.00, 2 % of 33.00, less 20.64; 15 % of 904.00 less 60.60.
        assert result.late[0].employee_nic_pence == 5866 - 2064
        assert result.late[0].employer_nic_pence == 13560 - 6060

    def test_last_years_payday_is_charged_by_itself_at_this_years_rates(self) -> None:
        result = slip(line(60000), line(50000), late=(late(LAST_YEAR),))
        assert (result.late[0].employee_nic_pence, result.tax_year) == (2064, "2026-27")

    def test_a_correction_down_gives_contributions_back(self) -> None:
        before = EarningsPeriodToDate(niable_pence=50000, employee_nic_pence=2064, employer_nic_pence=6060)
        result = slip(line(60000), line(-10000), late=(late(charged=before, letter="A"),))
        assert result.employee_nic_pence == 2864 - 800
        assert result.late[0].employer_nic_pence == -1500

    def test_corrections_that_exceed_the_pay_they_correct_are_refused(self) -> None:
        with pytest.raises(EngineError) as refused:
            slip(line(60000), line(-10000), late=(late(),))
        assert refused.value.code == "negative_pay"
        with pytest.raises(EngineError) as refused:
            slip(line(60000), line(-10000), late=(late(LAST_YEAR),))
        assert refused.value.code == "correction_of_last_year"

    def test_loans_and_pension_belong_to_the_period(self) -> None:
        terms = PensionTerms("net_pay", 500, 300)
        result = slip(line(60000), line(68040), late=(late(),), student_loan_plan="2", pension=terms)
        # 9 % of 34.91 and of 115.31, each down to the pound; 5 % of 480.00 and of 560.40.
        assert result.student_loan_pence == 300 + 1000
        assert result.employee_pension_pence == 2400 + 2802
        assert result.employer_pension_pence == 1440 + 1681
        assert result.late[0].student_loan_pence == 1000
        assert result.taxable_pence == 60000 + 68040 - 5202

    def test_a_loan_that_was_not_collected_on_that_payday_is_not_collected_on_its_late_pay(self) -> None:
        result = slip(line(60000), line(68040), late=(late(student_loan=False),), student_loan_plan="2")
        assert result.student_loan_pence == 300

    def test_a_loan_behind_an_order_is_capped_for_all_periods_together(self) -> None:
        order = AttachmentOrder("R", "AEO_priority", date(2025, 1, 1), 33800, 60000, jurisdiction="England")
        result = slip(line(60000), line(68040), late=(late(),), student_loan_plan="2", attachments=(order,))
        # 1,280.40 less tax 270.20 and NIC 28.64 and 35.07: 946.49. The order takes 338.00 and leaves 8.49 above its protected 600.00.
        assert result.attachments[0].deducted_pence == 33800
        assert (result.student_loan_pence, result.late[0].student_loan_pence) == (800, 500)

    def test_rolled_up_holiday_pay_goes_with_its_week(self) -> None:
        result = slip(line(60000), line(50000), line(1000, "expense"), late=(late(),), holiday="rolled_up")
        # 12.07 % of 500.00 is 60.35.
        assert result.late[0].niable_pence == 56035
        assert result.holiday_pence == 13277

    def test_a_sacrifice_comes_off_the_own_week_or_off_the_late_one_where_that_has_no_pay(self) -> None:
        terms = PensionTerms("salary_sacrifice", sacrifice_pence=4000)
        both = slip(line(60000), line(50000), late=(late(),), pension=terms)
        assert (both.late[0].niable_pence, both.niable_pence) == (50000, 106000)
        alone = slip(line(0), line(50000), late=(late(),), pension=terms)
        assert (alone.late[0].niable_pence, alone.employee_nic_pence) == (46000, 1744)

    def test_the_letter_is_that_of_the_age_on_the_payday_it_was_owed(self) -> None:
        # 21 on 20 April: M for the late week, A for the own one. Employer's relief to 967.00 under M.
        result = slip(line(60000), line(50000), late=(late(),), ni_letter="M", birth_on=date(2005, 4, 20))
        assert [(part.letter, part.employer_pence) for part in result.nic_parts] == [("A", 7560), ("M", 0)]
        # State Pension age, 66, on 5 April: pay that was owed on 3 April still bears employee contributions.
        old = slip(line(60000), line(50000), late=(late(LAST_YEAR),), birth_on=date(1960, 4, 5))
        assert [(part.letter, part.employee_pence) for part in old.nic_parts] == [("C", 0), ("A", 2064)]


class TestADirectorsLetters:
    """Annual 2026/27: LEL 6,708, ST 5,000, PT 12,570, UEL = UST 50,270."""

    def test_m_before_21_then_a(self) -> None:
        terms = DirectorTerms("standard", 52, 1000000, 0, 0, letters=(LetterToDate("M", 1000000, 0, 0),))
        result = slip(line(2000000), ni_letter="M", birth_on=date(2005, 4, 20), director=terms)
        # A takes 10,000 to 30,000 of the year: 8 % of 17,430; 15 % of 20,000, because M used up the secondary threshold.
        assert (result.ni_letter, result.employee_nic_pence, result.employer_nic_pence) == ("A", 139440, 300000)
        parts = {part.letter: part for part in result.nic_parts}
        assert (parts["A"].at_lel_pence, parts["A"].lel_to_pt_pence, parts["A"].pt_to_uel_pence) == (0, 257000, 1743000)
        assert (parts["M"].niable_pence, parts["M"].employee_pence) == (0, 0)

    def test_pay_under_a_letter_that_comes_first_moves_what_the_other_owes(self) -> None:
        # 30,000 deferred (J): 2 % of 17,430 = 348.60; 15 % of 25,000 = 3,750. Then 30,000 under A.
        before = LetterToDate("J", 3000000, 34860, 375000)
        parts = {part.letter: part for part in due_by_letters(P26, (before,), "A", 3000000)}
        # A fills 0 to 30,000: 8 % of 17,430, 15 % of 25,000.
        assert (parts["A"].employee_pence, parts["A"].employer_pence) == (139440, 375000)
        # J now fills 30,000 to 60,000: 2 % of 30,000 less 348.60; 15 % of 30,000 less 3,750.
        assert (parts["J"].employee_pence, parts["J"].employer_pence) == (60000 - 34860, 450000 - 375000)
        assert (parts["A"].at_lel_pence, parts["A"].lel_to_pt_pence, parts["A"].pt_to_uel_pence) == (
            670800,
            586200,
            1743000,
        )
        assert (parts["J"].at_lel_pence, parts["J"].lel_to_pt_pence, parts["J"].pt_to_uel_pence) == (
            -670800,
            -586200,
            284000,
        )

    def test_paid_in_steps_comes_to_the_year(self) -> None:
        paid: dict[str, LetterToDate] = {}
        for letter, pay in (("J", 1200000), ("A", 900000), ("J", 2000000), ("A", 1500000), ("C", 800000)):
            for part in due_by_letters(P26, tuple(paid.values()), letter, pay):
                was = paid.get(part.letter, LetterToDate(part.letter, 0, 0, 0))
                paid[part.letter] = LetterToDate(
                    part.letter,
                    was.earnings_pence + part.niable_pence,
                    was.employee_paid_pence + part.employee_pence,
                    was.employer_paid_pence + part.employer_pence,
                )
        earned = {letter: each.earnings_pence for letter, each in paid.items()}
        assert earned == {"J": 3200000, "A": 2400000, "C": 800000}
        assert year_by_letters(P26, earned) == {
            letter: (each.employee_paid_pence, each.employer_paid_pence) for letter, each in paid.items()
        }

    def test_without_the_earnings_of_each_letter_it_is_refused(self) -> None:
        terms = DirectorTerms("standard", 52, 1000000, 0, 0)
        with pytest.raises(EngineError) as refused:
            slip(line(2000000), ni_letter="M", birth_on=date(2005, 4, 20), director=terms)
        assert (refused.value.code, refused.value.field) == ("director_letter_changed", "ni_letter")

    def test_a_directors_late_pay_is_part_of_the_year(self) -> None:
        with pytest.raises(EngineError) as refused:
            slip(line(60000), line(50000), late=(late(),), director=DirectorTerms("standard"))
        assert refused.value.code == "late_pay_of_director"
