"""What is particular to kinds of the calculator that test or turn around a pay; what all kinds share is in test_calculator.py."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pay_calc.domain.calculator import calculate

PENSION = {"basis": "ras", "employee_pct": "5", "employer_pct": "3", "earnings": "qualifying"}


def ask(kind: str, inputs: dict[str, Any], tax_year: str | None = None) -> dict[str, Any]:
    asked: dict[str, Any] = {"id": "1", "kind": kind, "inputs": inputs}
    found: Any = calculate(asked if tax_year is None else asked | {"tax_year": tax_year})
    assert "result" in found, found
    result: dict[str, Any] = found["result"]
    return result


pensions = st.one_of(
    st.none(),
    st.just(PENSION),
    st.just(PENSION | {"basis": "net_pay", "employee_pct": "26.99"}),
    st.just(PENSION | {"employee_pct": "26.99"}),
    st.just({"basis": "salary_sacrifice", "amount": "30.00"}),
)


@given(
    st.integers(0, 200_000),
    st.sampled_from(["weekly", "four_weekly"]),
    st.sampled_from(["1257L", "SK475", "BR", "D1", "0T W1"]),
    st.sampled_from(["A", "J", "C"]),
    st.sampled_from([None, "2"]),
    st.booleans(),
    pensions,
)
@settings(max_examples=80, deadline=None)
def test_the_gross_of_a_net_pay_gives_it_and_a_penny_less_does_not(
    target: int,
    frequency: str,
    code: str,
    letter: str,
    plan: str | None,
    postgrad: bool,
    pension: dict[str, Any] | None,
) -> None:
    common = {"tax_code": code, "frequency": frequency, "tax_period": 4, "ni_letter": letter, "student_loan_plan": plan,
              "postgrad_loan": postgrad, "pension": pension, "previous_taxable_pay": "900.00", "previous_tax": "40.00"}  # fmt: skip
    wanted = Decimal(target).scaleb(-2)
    found = ask("net_to_gross", common | {"target_net": str(wanted)}, "2026-27")
    gross, overshoot = Decimal(found.pop("gross")), Decimal(found.pop("overshoot"))
    assert ask("payslip", common | {"gross": str(gross)}, "2026-27") == found
    assert Decimal(found["net_pay"]) - wanted == overshoot >= 0
    least = Decimal("30.00") if pension is not None and pension["basis"] == "salary_sacrifice" else Decimal(0)
    if gross > least:
        less = ask("payslip", common | {"gross": str(gross - Decimal("0.01"))}, "2026-27")
        assert Decimal(less["net_pay"]) < wanted


HOUR: dict[str, Any] = {"frequency": "weekly", "ni_letter": "A", "pay_rate": "12.71", "minutes": 2400, "holiday": "rolled_up",
                              "apprenticeship_levy": False}  # fmt: skip


class TestHourCost:
    def test_the_margin_is_the_charge_less_the_cost(self) -> None:
        # 508.40 + 61.36 holiday = 569.76; employer NIC (569.76 - 96) x 15 % = 71.06; 640.82 / 40
        found = ask("hour_cost", HOUR | {"charge_rate": "18.50"}, "2026-27")
        assert (found["cost"], found["cost_per_hour"], found["margin_per_hour"]) == ("640.82", "16.0205", "2.4795")
        assert ask("hour_cost", HOUR, "2026-27")["margin_per_hour"] is None
        assert ask("hour_cost", HOUR | {"charge_rate": "16"}, "2026-27")["margin_per_hour"] == "-0.0205"

    def test_fewer_hours_spread_the_threshold_further(self) -> None:
        found = ask("hour_cost", HOUR | {"minutes": 420, "holiday": "none"}, "2026-27")
        # 88.97 is below the employer's threshold of 96 a week
        assert (found["cost_per_hour"], found["employer_nic"]) == ("12.7100", "0.00")


@pytest.mark.parametrize(
    ("starts_on", "p45", "declaration", "code", "stated"),
    [
        ("2026-05-24", ("2026-04-01", "1100L M1"), "A", "1100L", "B"),
        ("2026-05-25", ("2026-04-01", "1100L M1"), "A", "1257L", "A"),
        ("2026-06-01", ("2026-05-01", "BR"), None, "BR", "C"),
        ("2026-06-01", ("2026-05-01", "S1257L W1"), "B", "S1257L W1", "B"),
        ("2026-06-01", None, "A", "1257L", "A"),
        ("2026-06-01", None, "B", "1257L W1", "B"),
        ("2026-06-01", None, "C", "BR", "C"),
        ("2026-06-01", None, None, "0T W1", None),
    ],
)
def test_the_code_a_worker_starts_on(
    starts_on: str, p45: tuple[str, str] | None, declaration: str | None, code: str, stated: str | None
) -> None:
    """The reference's rules of starters: last year's P45 serves until 24 May, without its marker and figures."""
    inputs: dict[str, Any] = {"starts_on": starts_on, "declaration": declaration}
    if p45 is not None:
        inputs["p45"] = {"left_on": p45[0], "tax_code": p45[1], "pay_to_date": "2400.00", "tax_to_date": "220.00"}
    found = ask("starting_tax", inputs, "2026-27")
    assert (found["tax_code"], found["declaration"]) == (code, stated)
    carried = code == "BR" and p45 is not None
    assert (found["previous_pay"], found["previous_tax"]) == (("2400.00", "220.00") if carried else ("0.00", "0.00"))


WEEK: dict[str, Any] = {"period_from": "2026-04-06", "birth_on": "1990-01-01", "apprentice": False, "minutes": 2400,
                            "pay_that_counts": "508.40"}  # fmt: skip


class TestMinimumWage:
    def test_at_most_38_98_hours_are_paid_for_by_the_umbrella_week(self) -> None:
        week = WEEK | {"pay_that_counts": "495.47"}
        assert ask("minimum_wage", week | {"minutes": 38 * 60 + 58})["status"] == "pass"
        assert ask("minimum_wage", week | {"minutes": 38 * 60 + 59})["status"] == "fail"

    def test_what_is_not_known_is_not_tested_and_shows_no_shortfall(self) -> None:
        for change in (
            {"birth_on": None, "pay_that_counts": "508.39"},
            {"period_from": "2027-04-01"},
            {"period_from": "0001-01-01"},
        ):
            found = ask("minimum_wage", WEEK | change)
            assert (found["status"], found["shortfall"], found["surplus"]) == ("not_tested", None, None)
            assert found["reason"]
        assert ask("minimum_wage", WEEK | {"birth_on": None})["status"] == "pass"

    def test_an_apprentice_and_free_accommodation(self) -> None:
        first = {"birth_on": "2000-01-01", "apprentice": True, "pay_that_counts": "320.00"}
        assert ask("minimum_wage", WEEK | first | {"first_year": True})["rate"] == "8.00"
        assert ask("minimum_wage", WEEK | first | {"first_year": False})["status"] == "fail"
        # 7 days at 11.10 count as pay when nothing is charged
        free = WEEK | {"accommodation": {"days": 7, "charge": "0.00"}}
        assert ask("minimum_wage", free) == {
            "status": "pass",
            "rate": "12.71",
            "shortfall": "0.00",
            "surplus": "77.70",
            "reason": None,
        }

    def test_arrears_never_fall(self) -> None:
        inputs = {"shortfall": "10.00", "rate_then": "12.71", "rate_now": "12.21"}
        assert ask("minimum_wage_arrears", inputs) == {"arrears": "10.00"}


def weeks(*runs: tuple[int, dict[str, Any]]) -> list[dict[str, Any]]:
    return [week for count, week in runs for _ in range(count)]


WORK, OTHER, TICK = {"kind": "work"}, {"kind": "other"}, {"kind": "tick"}
SICK = {"kind": "excused", "excuse": "sickness"}
TOLD = {"kind": "work", "new_role_in_writing": True}


@pytest.mark.parametrize(
    ("of", "counted", "qualified_at", "resets"),
    [
        (weeks((5, WORK), (6, OTHER), (1, WORK)), 6, None, []),
        (weeks((5, WORK), (7, OTHER), (1, WORK)), 1, None, [13]),
        (weeks((8, WORK), (20, SICK), (1, WORK)), 9, None, []),
        (weeks((8, WORK), (30, SICK), (1, WORK)), 1, None, [39]),
        (weeks((4, WORK), (3, OTHER), (5, SICK), (1, WORK)), 1, None, [13]),
        (weeks((9, WORK), (10, TICK)), 19, 13, []),
        (weeks((11, WORK), (1, WORK)), 12, 13, []),
        (weeks((12, WORK), (1, TOLD)), 1, None, [13]),
    ],
)
def test_the_reference_s_table_of_the_clock(
    of: list[dict[str, Any]], counted: int, qualified_at: int | None, resets: list[int]
) -> None:
    found = ask("awr_clock", {"weeks": of})
    assert found == {"weeks_counted": counted, "qualified": counted >= 12, "qualified_at": qualified_at, "resets": resets,
                     "paused": False}  # fmt: skip


def test_a_break_that_runs_pauses_the_clock_and_lenient_counting_is_a_choice() -> None:
    assert ask("awr_clock", {"weeks": weeks((5, WORK), (6, OTHER))})["paused"]
    mixed = weeks((4, WORK), (3, OTHER), (5, SICK), (1, WORK))
    assert ask("awr_clock", {"weeks": mixed, "lenient_breaks": True})["weeks_counted"] == 5


@given(st.booleans(), st.integers(0, 10_000), st.sampled_from(["0", "12.71", "1000000000.0000"]))
@settings(max_examples=30, deadline=None)
def test_pay_without_a_comparator_never_passes(with_minutes: bool, minutes: int, paid: str) -> None:
    element: dict[str, Any] = {"element": "basic", "paid_rate": paid} | ({"minutes": minutes} if with_minutes else {})
    assert ask("awr_parity", {"elements": [element]})["lines"] == [
        {"element": "basic", "verdict": "unknown", "shortfall": None}
    ]


def test_a_lower_rate_without_hours_fails_by_an_unknown_amount() -> None:
    found = ask("awr_parity", {"elements": [{"element": "basic", "paid_rate": "12.71", "comparator_rate": "12.7101"}]})
    assert found == {"lines": [{"element": "basic", "verdict": "fail", "shortfall": None}], "shortfall": "0.00"}
