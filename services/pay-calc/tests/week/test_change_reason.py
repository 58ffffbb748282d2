"""Why a payslip pays other than the one before: causes in a sentence, no database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from pay_calc.domain.change_reason import Side, change_reason
from pay_calc.domain.slips import Charge, Employee, SlipInput
from pay_calc.usecases.recalculate import work

FIRST = date(2026, 4, 12)
"""The Sunday that ends the earlier week."""
EMPLOYEE = Employee("1257L", "A", pay_to_date_pence=60000, tax_to_date_pence=7160)
Line = tuple[str, int, str]


def charges(week: date, lines: Iterable[Line], **more: Any) -> tuple[Charge, ...]:
    made = []
    for element, quantity, rate in lines:
        hourly = element not in ("allowance", "expense")
        pay = Decimal(rate) * quantity / (60 if hourly else 1)
        made.append(
            Charge(
                charge_line_id=f"{element}{len(made)}",
                timesheet_id="t",
                version=1,
                placement_id=more.get("placement", "P-1"),
                week_ending=week,
                kind=element if not hourly else "time",
                element=element,
                rate_code=element,
                rule_id=element,
                rate_unit="hour" if hourly else "each",
                minutes=quantity if hourly else 0,
                units=None if hourly else Decimal(quantity),
                pay_rate=Decimal(rate),
                basic_pay_rate=Decimal(rate),
                pay_pence=int(pay * 100),
                holiday=more.get("holiday", True) and element != "expense",
                reverses=more.get("reverses", False),
            )
        )
    return tuple(made)


def side(week: date, *parts: tuple[Charge, ...], employee: Employee = EMPLOYEE) -> Side:
    own = tuple(charge for part in parts for charge in part)
    inp = SlipInput(
        "paye", None, week - timedelta(days=6), week + timedelta(days=1), week + timedelta(days=5), own, employee
    )
    return Side(inp, work(inp).as_json())


def told(
    before: Iterable[Line] = (("basic", 2400, "15.00"),),
    now: Iterable[Line] = (("basic", 2400, "15.00"),),
    *,
    week: date = FIRST + timedelta(days=7),
    **changes: Any,
) -> str | None:
    """The reason between an ordinary week and another, whose worker's facts may have changed."""
    return change_reason(
        side(FIRST, charges(FIRST, before)),
        side(
            week,
            charges(week, now),
            employee=replace(EMPLOYEE, pay_to_date_pence=120000, tax_to_date_pence=14320, **changes),
        ),
    )


BASIC = ("basic", 2400, "15.00")


@pytest.mark.parametrize(
    ("now", "changes", "reason"),
    [
        (
            [("basic", 1920, "15.00")], {"tax_code": "S1257L"},
            "8.00 fewer hours than the week before; tax code changed from 1257L to S1257L.",
        ),
        ([("basic", 2430, "15.00")], {}, "0.50 more hours than the week before."),
        ([("basic", 2400, "15.25")], {}, "Basic rate up from £15.00 to £15.25."),
        ([("basic", 2400, "14.1234")], {}, "Basic rate down from £15.00 to £14.1234."),
        ([("basic", 1920, "15.00"), ("bank_holiday", 480, "30.00")], {}, "8.00 hours of bank holiday work."),
        ([BASIC, ("overtime", 120, "22.50")], {}, "2.00 more hours than the week before; 2.00 hours of overtime."),
        ([BASIC, ("allowance", 1, "20.00")], {}, "Allowance £20.00."),
        ([BASIC, ("expense", 2, "5.50")], {}, "Expenses £11.00."),
        ([BASIC], {"ni_letter": "C"}, "National Insurance letter changed from A to C."),
        ([BASIC], {"student_loan_plan": "2"}, "Student loan deduction of £9.00."),
        ([BASIC], {"pension": {"basis": "net_pay", "employee_bp": 500, "employer_bp": 300}}, "Pension contribution of £27.62."),
        ([BASIC], {"pay_to_date_pence": 0, "tax_to_date_pence": 14320}, "£143.20 of tax given back."),
    ],
)  # fmt: skip
def test_the_causes_are_told(now: list[Line], changes: dict[str, Any], reason: str) -> None:
    employee = replace(EMPLOYEE, **{"pay_to_date_pence": 120000, "tax_to_date_pence": 14320} | changes)
    week = FIRST + timedelta(days=7)
    before = side(FIRST, charges(FIRST, [BASIC]))
    assert change_reason(before, side(week, charges(week, now), employee=employee)) == reason


def test_what_came_to_an_end_is_told() -> None:
    before = [BASIC, ("overtime", 120, "22.50"), ("expense", 1, "4.00")]
    assert told(before) == "2.00 fewer hours than the week before; no overtime this time; no expenses this time."
    loan = side(FIRST, charges(FIRST, [BASIC]), employee=replace(EMPLOYEE, student_loan_plan="2"))
    week = FIRST + timedelta(days=7)
    after = side(week, charges(week, [BASIC]), employee=replace(EMPLOYEE, pay_to_date_pence=120000))
    assert "No student loan deduction this time" in (change_reason(loan, after) or "")


def test_a_gap_names_the_week_that_is_compared() -> None:
    later = FIRST + timedelta(days=21)
    assert told(now=[("basic", 2430, "15.00")], week=later, tax_code="BR") == (
        "0.50 more hours than in the week ending 12 April; tax code changed from 1257L to BR."
    )


def test_late_pay_and_corrections_are_named_by_their_week() -> None:
    before, week = side(FIRST, charges(FIRST, [BASIC])), FIRST + timedelta(days=7)
    own = charges(week, [BASIC])
    late = side(week, own, charges(FIRST, [("basic", 60, "15.00")]))
    assert change_reason(before, late) == "£15.00 late pay for the week ending 12 April."
    back = charges(FIRST, [("basic", -2400, "15.00")], reverses=True)
    corrected = side(week, own, back, charges(FIRST, [("basic", 2340, "15.00")]))
    assert (change_reason(before, corrected) or "").startswith("A correction of −£15.00 for the week ending 12 April")
    assert "o late pay or correction this time" in (
        change_reason(late, side(week + timedelta(days=7), charges(week + timedelta(days=7), [BASIC]))) or ""
    )


def test_a_new_tax_year_is_told() -> None:
    last, first = date(2026, 3, 29), date(2026, 4, 5)
    reason = change_reason(
        side(last, charges(last, [BASIC])), side(first, charges(first, [BASIC]), employee=Employee("1257L", "A"))
    )
    assert reason is not None
    assert "ew tax year" in reason


def test_an_order_that_begins_and_one_that_ends() -> None:
    before, now = (
        side(FIRST, charges(FIRST, [BASIC])),
        side(FIRST + timedelta(days=7), charges(FIRST + timedelta(days=7), [BASIC])),
    )
    ordered = dict(now.result) | {
        "attachments": [{"reference": "ORDER-1", "deducted_pence": 2500}],
        "figures": {
            **now.result["figures"],
            "other_deductions_pence": 2500,
            "net_pence": now.figure("net_pence") - 2500,
        },
    }
    assert change_reason(before, Side(now.inp, ordered)) == "Attachment of earnings of £25.00."
    ended = replace(before, result=dict(before.result) | {key: ordered[key] for key in ("attachments", "figures")})
    assert "An attachment of earnings has ended" in (change_reason(ended, now) or "")


def test_nothing_is_told_of_the_same_net_the_first_payslip_or_another_employment() -> None:
    one = side(FIRST, charges(FIRST, [BASIC]))
    assert change_reason(None, one) is None
    assert change_reason(one, one) is None
    assert told(now=[("basic", 60, "15.00")], employment_no=2) is None


def test_without_a_cause_the_cumulative_tax_is_told_and_never_nothing() -> None:
    week = FIRST + timedelta(days=7)
    employee = replace(EMPLOYEE, pay_to_date_pence=120000, tax_to_date_pence=14300)
    reason = change_reason(side(FIRST, charges(FIRST, [BASIC])), side(week, charges(week, [BASIC]), employee=employee))
    assert reason is not None
    assert reason.endswith("tax, which is worked out on the tax year so far.")


def test_at_most_three_causes_and_the_facts_come_first() -> None:
    lines = [
        ("basic", 1200, "16.00"),
        ("overtime", 60, "20"),
        ("night", 60, "20"),
        ("weekend", 60, "20"),
        ("expense", 1, "1"),
    ]
    reason = told(now=lines, tax_code="BR", ni_letter="C")
    assert reason is not None
    assert reason.count(";") == 2
    assert "tax code changed from 1257L to BR" in reason
    assert "National Insurance letter changed from A to C" in reason
