"""A pay profile that says what a starter brought: the code that follows, until HMRC's comes. On a real Postgres, but for a new year."""

from __future__ import annotations

import csv
import io
from datetime import date
from typing import Any
from uuid import UUID

import pytest

from pay_calc.domain.engine.starters import P45
from pay_calc.domain.starting import PaidSoFar, Start, Starter, start_on
from pay_calc.rates import year_book
from paybill_common.ids import new_id

from .conftest import PROFILE  # type: ignore[import-not-found]

integration = pytest.mark.integration

WEEK, NEXT, THIRD = date(2026, 4, 5), date(2026, 4, 12), date(2026, 4, 19)
"""Paid on 10, 17 and 24 April: tax weeks 1, 2 and 3."""
P45_NOW = {"left_on": "2026-04-06", "tax_code": "1257L", "pay_to_date_gbp": "300.00", "tax_to_date_gbp": "20.00"}
LAST_YEAR = {"left_on": "2026-03-20", "tax_code": "1100L M1"}
STAYS = "the code first used stays until HMRC sends another"


def starter(**changes: Any) -> dict[str, Any]:
    return {"started_on": "2026-04-07"} | changes


async def _profile(world: Any, worker: UUID, *, status: int = 200, **changes: Any) -> Any:
    """Store a profile without a tax code, unless one is given."""
    body = {name: value for name, value in PROFILE.items() if name != "tax_code"} | changes
    return await world.send("PUT", f"pay-profiles/{worker}", body, status=status)


async def _paid_week(world: Any, worker: UUID, week: date, *, close: bool = False) -> Any:
    """The worker's payslip of 600.00 for a week, after closing it when asked."""
    sheet = world.sheet(worker, ("basic", 2400, "15.00"), week_ending=week, holiday_pay="none")
    await world.tell(world.worker(worker), sheet.approved(), sheet.cleared(), world.cut_off(sheet, week=week))
    if close:
        await world.close(week)
    return await world.slip(worker_id=worker, week_ending=week.isoformat())


async def _slip(world: Any, worker: UUID, week: date) -> Any:
    return await world.slip(worker_id=worker, week_ending=week.isoformat())


async def _fps(world: Any, slip: Any) -> dict[str, str]:
    [row] = csv.DictReader(io.StringIO((await world.get(f"pay-runs/{slip['pay_run_id']}/fps.csv")).text))
    return row


@integration
@pytest.mark.parametrize(
    ("declaration", "code", "basis", "tax", "reason"),
    [
        # Paid first in week 2: 600 less two weeks' 483.84, less one week's 241.92, and nothing free.
        ("A", "1257L", "cumulative", "23.20", "statement A: first job since 6 April"),
        ("B", "1257L W1", "non_cumulative", "71.60", "statement B: only job now"),
        ("C", "BR", "cumulative", "120.00", "statement C: another job or pension"),
        (None, "0T W1", "non_cumulative", "120.00", "no P45 and no statement"),
    ],
)
async def test_the_checklists_statement_gives_the_code(
    world: Any, declaration: str | None, code: str, basis: str, tax: str, reason: str
) -> None:
    worker = new_id()
    stored = await _profile(world, worker, starter=starter(declaration=declaration))
    assert (stored["tax_code"], stored["tax_code_from"], stored["unsupported"]) == (None, None, [])
    assert stored["starting_tax"] == {
        "tax_code": code,
        "reason": reason,
        "declaration": declaration,
        "previous_tax_year": None,
        "previous_pay_gbp": "0.00",
        "previous_tax_gbp": "0.00",
        "student_loan_plan": None,
        "postgrad_loan": False,
    }
    assert (await world.get(f"pay-profiles/{worker}"))["starting_tax"] == stored["starting_tax"]
    listed = await world.get("pay-profiles")
    assert [each["starting_tax"]["reason"] for each in listed["items"]] == [reason]
    slip = await _paid_week(world, worker, NEXT, close=True)
    assert (slip["tax_code"], slip["tax_basis"], slip["figures"]["tax_gbp"]) == (code, basis, tax)
    told = await world.get(f"payslips/{slip['payslip_id']}/explanation")
    words = next(each for each in told["figures"] if each["figure"] == "tax")
    assert reason in words["summary"]
    assert f"code from {reason}" in words["words"]
    assert told["agrees"] is True
    assert (await world.send("POST", f"pay-runs/{slip['pay_run_id']}/replay"))["agrees"] is True


@integration
async def test_without_code_and_starter_no_code_is_guessed(world: Any) -> None:
    refused = await _profile(world, new_id(), status=422)
    assert [each["pointer"] for each in refused["errors"]] == ["#/tax_code"]
    assert "no code is guessed" in refused["detail"]


@integration
async def test_a_p45_of_this_year_counts_for_tax_and_not_for_what_this_employment_reports(world: Any) -> None:
    worker = new_id()
    stored = await _profile(world, worker, starter=starter(p45=P45_NOW))
    assert stored["starter"]["p45"] == P45_NOW
    found = stored["starting_tax"]
    assert (found["tax_code"], found["reason"], found["declaration"]) == ("1257L", "P45 of this tax year", "B")
    assert (found["previous_tax_year"], found["previous_pay_gbp"], found["previous_tax_gbp"]) == (
        "2026-27",
        "300.00",
        "20.00",
    )
    slip = await _paid_week(world, worker, NEXT, close=True)
    # 900 less 483.84: 416 at 20 %, less 20.00.
    assert slip["figures"]["tax_gbp"] == "63.20"
    row = await _fps(world, slip)
    assert (row["taxable_pay_to_date"], row["tax_to_date"]) == ("600.00", "63.20")
    assert (row["started_on"], row["starter_declaration"], row["tax_code"]) == ("2026-04-07", "B", "1257L")
    after = await _paid_week(world, worker, THIRD)
    # 1,500 less 725.76: 774 at 20 %, less 83.20.
    assert after["figures"]["tax_gbp"] == "71.60"


@integration
async def test_the_figures_of_a_p45_on_week_1_are_ignored(world: Any) -> None:
    worker = new_id()
    given = {"left_on": "2026-04-06", "tax_code": "1257L W1", "pay_to_date_gbp": None, "tax_to_date_gbp": None}
    stored = await _profile(world, worker, starter=starter(p45=given))
    assert stored["starter"]["p45"] == given
    assert "figures are ignored" in stored["starting_tax"]["reason"]
    slip = await _paid_week(world, worker, NEXT)
    assert (slip["tax_code"], slip["figures"]["tax_gbp"]) == ("1257L W1", "71.60")


@integration
@pytest.mark.parametrize(
    ("started_on", "code", "reason"),
    [
        ("2026-05-24", "1100L", "P45 of last tax year, start by 24 May: its code without figures"),
        ("2026-05-25", "1257L W1", "statement B: only job now"),
    ],
)
async def test_last_years_p45_serves_for_a_start_by_24_may(world: Any, started_on: str, code: str, reason: str) -> None:
    worker = new_id()
    stored = await _profile(world, worker, starter=starter(started_on=started_on, declaration="B", p45=LAST_YEAR))
    found = stored["starting_tax"]
    assert (found["tax_code"], found["reason"], found["previous_tax_year"]) == (code, reason, None)
    assert (await _paid_week(world, worker, date(2026, 5, 31)))["tax_code"] == code


@integration
async def test_a_statement_that_comes_after_a_payment_leaves_the_code_and_a_p45_does_not(world: Any) -> None:
    worker = new_id()
    await _profile(world, worker, starter=starter(started_on="2026-03-30"))
    first = await _paid_week(world, worker, WEEK, close=True)
    assert first["tax_code"] == "0T W1"
    stored = await _profile(world, worker, starter=starter(started_on="2026-03-30", declaration="A"))
    assert (stored["starting_tax"]["tax_code"], stored["starting_tax"]["reason"]) == ("0T W1", STAYS)
    assert (await _paid_week(world, worker, NEXT))["tax_code"] == "0T W1"
    # HMRC's code comes: from its day on.
    given = starter(started_on="2026-03-30", declaration="A")
    await _profile(world, worker, starter=given, tax_code="1257L", tax_code_from="2026-04-17")
    assert (await _slip(world, worker, NEXT))["tax_code"] == "1257L"
    # A P45 of this year is used however late it comes.
    await _profile(world, worker, starter=starter(p45=P45_NOW))
    slip = await _slip(world, worker, NEXT)
    # 300 and 1,200 less 483.84: 1,016 at 20 %, less 20.00 and the 120.00 of the first week.
    assert (slip["tax_code"], slip["figures"]["tax_gbp"]) == ("1257L", "63.20")
    assert (await world.send("POST", f"pay-runs/{first['pay_run_id']}/replay"))["agrees"] is True


@integration
async def test_a_code_that_hmrc_sent_is_in_use_when_it_is_left_out_again(world: Any) -> None:
    worker = new_id()
    await world.profile(worker, tax_code="1100L")
    slip = await _paid_week(world, worker, WEEK, close=True)
    kept = await world.get(f"payslips/{slip['payslip_id']}/explanation")
    assert "starting" not in kept["inputs"]["employee"]
    stored = await _profile(world, worker, starter=starter(started_on="2026-03-30", declaration="C"))
    assert (stored["starting_tax"]["tax_code"], stored["starting_tax"]["reason"]) == ("1100L", STAYS)


@integration
async def test_with_both_the_starter_decides_until_the_day_of_hmrcs_code(world: Any) -> None:
    worker = new_id()
    stored = await _profile(
        world,
        worker,
        starter=starter(started_on="2026-03-30", declaration="B"),
        tax_code="1100L",
        tax_code_from="2026-04-17",
        previous_tax_year="2026-27",
        previous_pay_gbp="500.00",
        previous_tax_gbp="100.00",
    )
    assert (stored["tax_code"], stored["starting_tax"]["tax_code"]) == ("1100L", "1257L W1")
    first = await _paid_week(world, worker, WEEK, close=True)
    assert (first["tax_code"], first["figures"]["tax_gbp"]) == ("1257L W1", "71.60")
    slip = await _paid_week(world, worker, NEXT, close=True)
    # HMRC's figures come with HMRC's code: 500 and 1,200 less two weeks of 1100L, less 100.00 and 71.60.
    assert (slip["tax_code"], slip["figures"]["tax_gbp"]) == ("1100L", "83.60")
    told = await world.get(f"payslips/{slip['payslip_id']}/explanation")
    assert "statement B" not in str(told["figures"])
    assert told["inputs"]["employee"]["starting"] == {
        "started_on": "2026-03-30",
        "declaration": "B",
        "reason": None,
    }
    today = await _profile(world, worker, starter=starter(declaration="B"), tax_code="1100L")
    assert today["tax_code_from"] == "2026-04-07"


@integration
async def test_pay_after_leaving_is_on_0t_in_the_region_of_the_code(world: Any) -> None:
    worker = new_id()
    welsh = P45_NOW | {"tax_code": "C1257L"}
    await _profile(world, worker, starter=starter(p45=welsh), p45_issued_on="2026-04-09")
    assert (await _paid_week(world, worker, WEEK))["tax_code"] == "C0T W1"


@integration
async def test_a_starters_loan_of_an_unknown_plan_is_the_years_default(world: Any) -> None:
    for plan, postgrad, shown, loans in (
        # 600 over 480.76, over 517.30; 6 % over 403.84.
        (None, False, "5", ("10.00", "0.00")),
        ("1", True, "1", ("7.00", "11.00")),
    ):
        worker = new_id()
        given = starter(declaration="A", student_loan=True, student_loan_plan=plan, postgrad_loan=postgrad)
        stored = await _profile(world, worker, starter=given)
        assert (stored["student_loan_plan"], stored["starting_tax"]["student_loan_plan"]) == (None, shown)
        figures = (await _paid_week(world, worker, WEEK))["figures"]
        assert (figures["student_loan_gbp"], figures["postgrad_loan_gbp"]) == loans
    # HMRC's start notice names the plan: it goes before the starter's.
    await _profile(world, worker, starter=given, student_loan_plan="2")
    assert (await _slip(world, worker, WEEK))["figures"]["student_loan_gbp"] == "3.00"


@integration
async def test_the_start_is_reported_with_the_first_payment_of_each_employment_only(world: Any) -> None:
    worker = new_id()
    await _profile(world, worker, starter=starter(started_on="2026-03-30", declaration="B"))
    first = await _paid_week(world, worker, WEEK, close=True)
    second = await _paid_week(world, worker, NEXT, close=True)
    await _profile(world, worker, starter=starter(started_on="2026-04-14", declaration="C"), employment_no=2)
    again = await _paid_week(world, worker, THIRD, close=True)
    rows = [await _fps(world, slip) for slip in (first, second, again)]
    assert [(row["started_on"], row["starter_declaration"]) for row in rows] == [
        ("2026-03-30", "B"),
        ("", ""),
        ("2026-04-14", "C"),
    ]
    assert [(row["pay_id"], row["tax_code"]) for row in rows] == [
        ("W00017", "1257L"),
        ("W00017", "1257L"),
        ("W00017-2", "BR"),
    ]


@integration
async def test_a_week_of_expenses_alone_reports_no_start(world: Any) -> None:
    worker = new_id()
    await world.profile(worker, starter_declaration="A")
    sheet = world.sheet(worker, ("expense", 1, "25.00"), holiday_pay="none")
    await world.tell(world.worker(worker), sheet.approved(), sheet.cleared(), world.cut_off(sheet))
    await world.close(WEEK)
    row = await _fps(world, await _paid_week(world, worker, NEXT, close=True))
    # From the directory and the profile, where no starter is recorded.
    assert (row["started_on"], row["starter_declaration"]) == ("2026-03-02", "A")


@integration
@pytest.mark.parametrize(
    ("changes", "code", "pointer"),
    [
        ({"p45": P45_NOW | {"left_on": "2026-04-08"}}, "p45_in_future", "#/starter/p45/left_on"),
        ({"started_on": "2026-04-01", "p45": P45_NOW}, "p45_after_start", "#/starter/p45/left_on"),
        ({"p45": P45_NOW | {"tax_to_date_gbp": "300.01"}}, "p45_tax_over_pay", "#/starter/p45/tax_to_date_gbp"),
        ({"p45": P45_NOW | {"tax_code": "1257Q"}}, "invalid_request", "#/starter/p45/tax_code"),
        ({"p45": P45_NOW | {"pay_to_date_gbp": None}}, "invalid_request", "#/starter/p45/pay_to_date_gbp"),
        ({"p45": LAST_YEAR | {"tax_code": "1100L"}}, "invalid_request", "#/starter/p45/pay_to_date_gbp"),
        ({"started_on": "2031-04-07"}, "unknown_tax_year", "#/starter/started_on"),
        ({"declaration": "D"}, "invalid_request", "#/starter/declaration"),
        ({"student_loan_plan": "2"}, "invalid_request", "#/starter/student_loan_plan"),
    ],
)
async def test_what_cannot_be_of_a_starter_is_refused_where_it_stands(
    world: Any, changes: dict[str, Any], code: str, pointer: str
) -> None:
    worker = new_id()
    refused = await _profile(world, worker, starter=starter(**changes), status=422)
    assert (refused["code"], refused["errors"][0]["pointer"]) == (code, pointer)
    await world.get(f"pay-profiles/{worker}", status=404)


@integration
@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"tax_basis": "week1"}, "#/tax_basis"),
        ({"tax_code_from": "2026-04-10"}, "#/tax_code_from"),
        ({"previous_tax_year": "2026-27"}, "#/previous_tax_year"),
        ({"starter_declaration": "B"}, "#/starter_declaration"),
    ],
)
async def test_what_goes_with_hmrcs_code_is_refused_beside_a_starter_alone(
    world: Any, changes: dict[str, Any], pointer: str
) -> None:
    refused = await _profile(world, new_id(), starter=starter(declaration="A"), status=422, **changes)
    assert [each["pointer"] for each in refused["errors"]] == [pointer]


@integration
async def test_a_batch_refuses_the_line_whose_starter_cannot_be(world: Any) -> None:
    good, wrong = new_id(), new_id()
    lines = [
        {"worker_id": str(good), "ni_letter": "A", "starter": starter(declaration="A")},
        {"worker_id": str(wrong), "ni_letter": "A", "starter": starter(started_on="2026-04-01", p45=P45_NOW)},
    ]
    answer = await world.send("POST", "pay-profiles/batch", {"profiles": lines})
    assert [(one["status"], one["code"]) for one in answer["receipts"]] == [
        ("accepted", None),
        ("refused", "p45_after_start"),
    ]
    assert answer["receipts"][1]["reason"].startswith("starter/p45/left_on: ")
    assert (await world.get(f"pay-profiles/{good}"))["starting_tax"]["tax_code"] == "1257L"


class TestTheTurnOfTheYear:
    def _start(self, payday_on: date, paid: PaidSoFar | None = None, **facts: Any) -> Start:
        facts = {"started_on": date(2026, 3, 30), "declaration": "B"} | facts
        return start_on(year_book(), Starter(**facts), paid, payday_on)

    def test_the_first_payday_decides_the_year(self) -> None:
        assert self._start(date(2026, 4, 3)).tax_code == "1257L W1"
        assert self._start(date(2026, 4, 10)).tax_code == "1257L W1"
        paid = PaidSoFar(date(2026, 4, 3), "1257L W1", date(2026, 4, 3))
        now = self._start(date(2026, 4, 10), paid)
        assert (now.tax_code, now.reason) == ("1257L", "statement B: only job now")

    def test_a_late_statement_leaves_the_code_in_use_without_its_marker(self) -> None:
        paid = PaidSoFar(date(2026, 4, 3), "0T W1", date(2026, 4, 3))
        now = self._start(date(2026, 4, 10), paid, declaration="C")
        assert (now.tax_code, now.reason, now.declaration) == ("0T", STAYS, "C")

    def test_figures_of_a_p45_count_in_its_own_year_alone(self) -> None:
        p45 = P45(date(2026, 3, 27), "1257L", 2400000, 230000)
        then = self._start(date(2026, 4, 3), p45=p45)
        assert (then.previous_tax_year, then.previous_pay_pence, then.previous_tax_pence) == (
            "2025-26",
            2400000,
            230000,
        )
        now = self._start(date(2026, 4, 10), PaidSoFar(date(2026, 4, 3), "1257L", date(2026, 4, 3)), p45=p45)
        assert (now.tax_code, now.previous_tax_year, now.previous_pay_pence) == ("1257L", None, 0)

    def test_the_default_plan_is_that_of_the_first_payday(self) -> None:
        loan = {"student_loan": True}
        assert self._start(date(2026, 4, 3), **loan).student_loan_plan == "1"
        assert self._start(date(2026, 4, 10), **loan).student_loan_plan == "5"
        assert self._start(date(2026, 4, 10), PaidSoFar(date(2026, 4, 3)), **loan).student_loan_plan == "1"
