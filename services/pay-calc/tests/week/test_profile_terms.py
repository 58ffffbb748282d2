"""What a profile says beyond code and letter reaches the payslip: salary sacrifice, directorships, payrolled benefits, an apprenticeship
and accommodation. On a real Postgres."""

from __future__ import annotations

import csv
import io
from datetime import date
from typing import Any, ClassVar

import pytest

from paybill_common.ids import new_id

pytestmark = pytest.mark.integration

NEXT = date(2026, 4, 12)
SACRIFICE = {"basis": "salary_sacrifice", "employer_pct": "3", "sacrifice_gbp": "40.00"}


async def _paid_week(world: Any, worker: Any, *lines: tuple[str, int, str], week: date, close: bool = True) -> Any:
    """The worker's payslip of a cleared week without holiday pay, after closing it when asked."""
    sheet = world.sheet(worker, *lines, week_ending=week, holiday_pay="none")
    await world.tell(world.worker(worker), sheet.approved(), sheet.cleared(), world.cut_off(sheet, week=week))
    if close:
        await world.close(week)
    return await world.slip(worker_id=worker, week_ending=week.isoformat())


async def test_salary_sacrifice_comes_off_gross_and_is_the_employers_contribution(world: Any) -> None:
    worker = new_id()
    stored = await world.profile(worker, pension=SACRIFICE)
    assert (stored["unsupported"], stored["pension"]["sacrifice_gbp"]) == ([], "40.00")
    slip = await _paid_week(world, worker, ("basic", 2400, "20.00"), week=date(2026, 4, 5))
    figures = slip["figures"]
    # 800 less 40: tax on 760 less 241.92 free pay, 518 at 20 %; NIC 8 % of 760 - 242.
    assert (figures["sacrifice_gbp"], figures["niable_gbp"], figures["taxable_gbp"]) == ("40.00", "760.00", "760.00")
    assert (figures["tax_gbp"], figures["employee_nic_gbp"]) == ("103.60", "41.44")
    # 3 % of qualifying earnings, 760 - 120, beside the sacrificed sum.
    assert figures["employer_pension_gbp"] == "59.20"
    assert slip["net_gbp"] == "614.96"
    [told] = await world.emitted("paybill.pay.finalised.v1")
    assert (told["other_deductions_gbp"], told["employer_pension_gbp"]) == ("40.00", "19.20")
    replayed = await world.send("POST", f"pay-runs/{slip['pay_run_id']}/replay")
    assert replayed["agrees"] is True
    words = str((await world.get(f"payslips/{slip['payslip_id']}/explanation"))["tree"])
    assert "Salary sacrifice" in words


async def test_sacrifice_without_its_amount_is_refused_at_the_door(world: Any) -> None:
    for wrong in (
        SACRIFICE | {"sacrifice_gbp": "0"},
        SACRIFICE | {"employee_pct": "5"},
        {"basis": "ras", "sacrifice_gbp": "1"},
    ):
        refused = await world.send(
            "PUT",
            f"pay-profiles/{new_id()}",
            {"tax_code": "1257L", "ni_letter": "A", "pension": wrong},
            status=422,
        )
        assert refused["errors"][0]["pointer"].startswith("#/pension")


async def test_a_week_of_expenses_alone_sacrifices_nothing(world: Any) -> None:
    worker = new_id()
    await world.profile(worker, pension=SACRIFICE)
    slip = await _paid_week(world, worker, ("expense", 1, "25.00"), week=date(2026, 4, 5), close=False)
    assert (slip["held"], slip["net_gbp"]) == ([], "25.00")


async def test_a_director_pays_on_the_year_so_far(world: Any) -> None:
    worker = new_id()
    await world.profile(
        worker, director=True, directorship={"method": "standard", "appointed_on": "2020-06-01", "settle_on": None}
    )
    first = await _paid_week(world, worker, ("basic", 2400, "200.00"), week=date(2026, 4, 5))
    # 8,000 is under the annual primary threshold of 12,570 and over the secondary of 5,000 by 3,000.
    assert first["figures"]["employee_nic_gbp"] == "0.00"
    assert first["figures"]["employer_nic_gbp"] == "450.00"
    second = await _paid_week(world, worker, ("basic", 2400, "200.00"), week=NEXT)
    # 16,000 to date: 8 % of 3,430; 15 % of 11,000 less the 450.
    assert second["figures"]["employee_nic_gbp"] == "274.40"
    assert second["figures"]["employer_nic_gbp"] == "1200.00"
    replayed = await world.send("POST", f"pay-runs/{second['pay_run_id']}/replay")
    assert replayed["agrees"] is True


async def test_a_director_under_the_alternative_method_settles_the_year_at_its_last_payday(world: Any) -> None:
    worker = new_id()
    terms = {"method": "alternative", "appointed_on": "2020-06-01", "settle_on": "2026-04-17"}
    await world.profile(worker, director=True, directorship=terms)
    first = await _paid_week(world, worker, ("basic", 2400, "200.00"), week=date(2026, 4, 5))
    # Like a week of anybody's: 8 % of 967 - 242, 2 % of the rest of 8,000.
    assert first["figures"]["employee_nic_gbp"] == "198.66"
    second = await _paid_week(world, worker, ("basic", 2400, "200.00"), week=NEXT)
    assert second["figures"]["employee_nic_gbp"] == "75.74"
    assert second["year_to_date"]["nic"]["employee_gbp"] == "274.40"


@pytest.mark.parametrize(
    ("method", "appointed_on", "told"),
    [
        ("standard", "2020-06-01", ("AN", "")),
        ("alternative", "2026-04-15", ("AL", "2")),
        ("alternative", "2026-04-20", ("", "")),
    ],
)
async def test_the_submission_tells_a_directors_method_and_the_week_of_an_appointment_in_the_year(
    world: Any, method: str, appointed_on: str, told: tuple[str, str]
) -> None:
    worker = new_id()
    terms = {"method": method, "appointed_on": appointed_on, "settle_on": None}
    await world.profile(worker, director=True, directorship=terms)
    slip = await _paid_week(world, worker, ("basic", 2400, "20.00"), week=NEXT)
    fps = (await world.get(f"pay-runs/{slip['pay_run_id']}/fps.csv")).text
    [row] = csv.DictReader(io.StringIO(fps))
    assert (row["director_nic_method"], row["director_appointment_week"]) == told


async def test_a_director_who_turns_21_is_paid_on_the_year_letter_by_letter(world: Any) -> None:
    worker = new_id()
    terms = {"method": "standard", "appointed_on": "2020-06-01", "settle_on": None}
    # 21 between the paydays of 10 and 17 April: M, then A.
    await world.profile(worker, ni_letter="M", birth_on="2005-04-15", director=True, directorship=terms)
    first = await _paid_week(world, worker, ("basic", 2400, "250.00"), week=date(2026, 4, 5))
    assert (first["ni_letter"], first["figures"]["employee_nic_gbp"]) == ("M", "0.00")
    assert first["figures"]["employer_nic_gbp"] == "0.00"
    second = await _paid_week(world, worker, ("basic", 2400, "500.00"), week=NEXT)
    # M fills the year's bands to 10,000, A from there to 30,000: 8 % of 17,430, 15 % of 20,000.
    assert (second["ni_letter"], second["figures"]["employee_nic_gbp"]) == ("A", "1394.40")
    assert second["figures"]["employer_nic_gbp"] == "3000.00"
    year = second["year_to_date"]
    assert (year["nic"]["letter"], year["nic"]["niable_gbp"]) == ("A", "20000.00")
    [other] = year["nic_other_letters"]
    assert (other["letter"], other["niable_gbp"], other["at_lel_gbp"]) == ("M", "10000.00", "6708.00")
    run = second["pay_run_id"]
    assert (await world.send("POST", f"pay-runs/{run}/replay"))["agrees"] is True
    paid, of_m = csv.DictReader(io.StringIO((await world.get(f"pay-runs/{run}/fps.csv")).text))
    assert (paid["ni_letter"], paid["nic_gross_in_period"], paid["employer_nic_to_date"]) == (
        "A",
        "20000.00",
        "3000.00",
    )
    assert (of_m["ni_letter"], of_m["nic_gross_to_date"], of_m["taxable_pay"]) == ("M", "10000.00", "")
    assert of_m["pay_id"] == paid["pay_id"]
    told = await world.get(f"payslips/{second['payslip_id']}/explanation")
    assert told["agrees"] is True
    assert "letter by letter, in HMRC's order of bands" in str(told["tree"])


@pytest.mark.parametrize(
    ("letter", "born", "nic"),
    [
        # 600 a week: J 2 % of 358, V and M and A 8 %; the employer pays 15 % of 504, under V and M nothing up to 967.
        ("J", "1990-01-01", (("J", "7.16", "75.60"), ("A", "28.64", "75.60"))),
        ("Z", "2008-01-01", (("Z", "7.16", "0.00"), ("M", "28.64", "0.00"))),
        ("V", "1990-01-01", (("V", "28.64", "0.00"), ("A", "28.64", "75.60"))),
    ],
)
async def test_a_letter_of_a_certificate_or_of_a_first_year_ends_with_it(
    world: Any, letter: str, born: str, nic: tuple[tuple[str, str, str], ...]
) -> None:
    worker = new_id()
    stored = await world.profile(worker, ni_letter=letter, birth_on=born, ni_letter_until="2026-04-10")
    assert stored["ni_letter_until"] == "2026-04-10"
    paid = [await _paid_week(world, worker, ("basic", 2400, "15.00"), week=week) for week in (date(2026, 4, 5), NEXT)]
    figures = [
        (one["ni_letter"], one["figures"]["employee_nic_gbp"], one["figures"]["employer_nic_gbp"]) for one in paid
    ]
    assert figures == list(nic)
    assert (await world.send("POST", f"pay-runs/{paid[1]['pay_run_id']}/replay"))["agrees"] is True


async def test_a_letter_without_an_end_takes_none(world: Any) -> None:
    refused = await world.send(
        "PUT",
        f"pay-profiles/{new_id()}",
        {"tax_code": "1257L", "ni_letter": "A", "ni_letter_until": "2026-04-10"},
        status=422,
    )
    assert "the letter A has no end" in refused["errors"][0]["detail"]


async def test_a_letter_of_before_that_owes_less_gives_it_back(world: Any) -> None:
    worker = new_id()
    terms = {"method": "standard", "appointed_on": "2020-06-01", "settle_on": None}
    # Deferred on 30,000: 2 % of 17,430. Then 30,000 under A, which takes the lower bands from J.
    await world.profile(worker, ni_letter="J", director=True, directorship=terms)
    first = await _paid_week(world, worker, ("basic", 2400, "750.00"), week=date(2026, 4, 5))
    assert first["figures"]["employee_nic_gbp"] == "348.60"
    await world.profile(worker, ni_letter="A", director=True, directorship=terms)
    second = await _paid_week(world, worker, ("basic", 2400, "750.00"), week=NEXT)
    # A: 8 % of 17,430. J: 2 % of 30,000, less 348.60.
    assert second["figures"]["employee_nic_gbp"] == "1645.80"
    [of_j] = second["year_to_date"]["nic_other_letters"]
    assert (of_j["letter"], of_j["employee_gbp"], of_j["pt_to_uel_gbp"]) == ("J", "600.00", "20270.00")
    third = await _paid_week(world, worker, ("basic", 2400, "75.00"), week=date(2026, 4, 19))
    # A: 8 % of 3,000 more. J still has 30,000, wherever it lies: 2 %.
    assert third["figures"]["employee_nic_gbp"] == "240.00"
    assert (await world.send("POST", f"pay-runs/{third['pay_run_id']}/replay"))["agrees"] is True


async def test_a_director_without_terms_waits_by_name(world: Any) -> None:
    worker = new_id()
    stored = await world.profile(worker, director=True)
    assert stored["unsupported"] == ["director_terms_missing"]
    slip = await _paid_week(world, worker, ("basic", 2400, "20.00"), week=date(2026, 4, 5), close=False)
    assert slip["held"][0]["reasons"][0]["code"] == "director_terms_missing"


VAN = {"name": "Company van", "week_gbp": "50.00", "starts_on": "2026-04-10", "ends_on": None}


async def test_a_payrolled_benefit_is_taxed_and_not_paid(world: Any) -> None:
    worker = new_id()
    stored = await world.profile(worker, payrolled_benefits=[VAN])
    assert (stored["unsupported"], stored["payrolled_benefits"]) == ([], [VAN])
    slip = await _paid_week(world, worker, ("basic", 2400, "15.00"), week=date(2026, 4, 5))
    figures = slip["figures"]
    # 600 and 50 of benefit, less 241.92 free pay: 408 at 20 %. National Insurance on 600 alone.
    assert (figures["gross_gbp"], figures["payrolled_benefits_gbp"]) == ("600.00", "50.00")
    assert (figures["taxable_gbp"], figures["niable_gbp"]) == ("650.00", "600.00")
    assert (figures["tax_gbp"], figures["employee_nic_gbp"]) == ("81.60", "28.64")
    assert slip["net_gbp"] == "489.76"
    assert slip["year_to_date"]["payrolled_benefits_gbp"] == "50.00"
    run = slip["pay_run_id"]
    assert (await world.send("POST", f"pay-runs/{run}/replay"))["agrees"] is True
    [row] = csv.DictReader(io.StringIO((await world.get(f"pay-runs/{run}/fps.csv")).text))
    assert (row["taxable_pay"], row["payrolled_benefits"], row["nic_gross_in_period"]) == ("650.00", "50.00", "600.00")
    assert row["payrolled_benefits_to_date"] == "50.00"
    assert (await world.get(f"payslips/{slip['payslip_id']}/pdf")).content.startswith(b"%PDF")


async def test_a_benefit_of_weeks_without_pay_is_taxed_with_the_next_payslip(world: Any) -> None:
    worker = new_id()
    await world.profile(worker, payrolled_benefits=[VAN])
    await _paid_week(world, worker, ("basic", 2400, "15.00"), week=date(2026, 4, 5))
    slip = await _paid_week(world, worker, ("basic", 2400, "15.00"), week=date(2026, 4, 19))
    assert slip["figures"]["payrolled_benefits_gbp"] == "100.00"
    assert slip["year_to_date"]["payrolled_benefits_gbp"] == "150.00"
    assert "£100.00 of payrolled benefits taxed, £50.00 before" in slip["change_reason"]
    told = await world.get(f"payslips/{slip['payslip_id']}/explanation")
    assert told["agrees"] is True
    words = next(each["words"] for each in told["figures"] if each["figure"] == "tax")
    assert "Company van  £150.00  (3 paydays of this tax year so far" in words
    assert "Taxed before  £50.00" in words


async def test_a_benefit_never_takes_more_than_half_of_the_money(world: Any) -> None:
    worker = new_id()
    await world.profile(worker, payrolled_benefits=[VAN | {"week_gbp": "900.00"}])
    slip = await _paid_week(world, worker, ("basic", 600, "12.71"), week=date(2026, 4, 5))
    # 127.10 of money: 63.55 at most, although 1,027.10 less 241.92 is taxed with 157.00.
    assert (slip["figures"]["tax_gbp"], slip["net_gbp"]) == ("63.55", "63.55")


async def test_a_week_of_expenses_alone_taxes_no_benefit(world: Any) -> None:
    worker = new_id()
    await world.profile(worker, payrolled_benefits=[VAN])
    slip = await _paid_week(world, worker, ("expense", 1, "25.00"), week=date(2026, 4, 5))
    assert (slip["net_gbp"], slip["year_to_date"]["payrolled_benefits_gbp"]) == ("25.00", "0.00")


async def test_terms_that_end_before_they_start_are_refused(world: Any) -> None:
    for wrong in (
        {"payrolled_benefits": [VAN | {"ends_on": "2026-04-09"}]},
        {"payrolled_benefits": [VAN | {"week_gbp": "0"}]},
        {"accommodation": {"days_a_week": 8, "starts_on": "2026-04-01"}},
        {"apprenticeship_started_on": "2026-04-01"},
    ):
        body = {"tax_code": "1257L", "ni_letter": "A", **wrong}
        await world.send("PUT", f"pay-profiles/{new_id()}", body, status=422)


async def test_the_first_year_of_an_apprenticeship_decides_the_minimum_wage(world: Any) -> None:
    # 20 years old: 10.85 an hour, 8.00 in the first year. 9.00 is between the two.
    terms = {"birth_on": "2006-01-01", "ni_letter": "M", "apprentice": True}
    for started_on, status in ((None, "not_tested"), ("2026-03-01", "pass"), ("2025-04-06", "fail")):
        worker = new_id()
        await world.profile(worker, **terms, apprenticeship_started_on=started_on)
        slip = await _paid_week(world, worker, ("basic", 2400, "9.00"), week=date(2026, 4, 12), close=False)
        assert slip["minimum_wage"] == status, started_on


async def test_accommodation_enters_the_minimum_wage_test(world: Any) -> None:
    # 40 hours at 13.00 are 520.00, 11.60 above 508.40. The offset is 11.10 a day.
    housed = {"days_a_week": 7, "charge_a_day_gbp": "12.75", "starts_on": "2026-04-01", "ends_on": None}
    worker = new_id()
    stored = await world.profile(worker, accommodation=housed)
    assert stored["accommodation"] == housed
    slip = await _paid_week(world, worker, ("basic", 2400, "13.00"), week=date(2026, 4, 12))
    # 7 x 1.65 = 11.55 over the offset.
    assert slip["minimum_wage"] == "pass"
    assert (await world.send("POST", f"pay-runs/{slip['pay_run_id']}/replay"))["agrees"] is True
    for changes, status in (
        ({"charge_a_day_gbp": "12.76"}, "fail"),
        ({"charge_a_day_gbp": "12.76", "starts_on": "2026-04-14"}, "pass"),
    ):
        worker = new_id()
        await world.profile(worker, accommodation=housed | changes)
        slip = await _paid_week(world, worker, ("basic", 2400, "13.00"), week=date(2026, 4, 19), close=False)
        assert slip["minimum_wage"] == status, changes


async def test_free_accommodation_adds_the_offset(world: Any) -> None:
    worker = new_id()
    free = {"days_a_week": 5, "charge_a_day_gbp": "0", "starts_on": "2026-04-01", "ends_on": None}
    await world.profile(worker, accommodation=free)
    # 40 hours at 11.33 are 453.20; 5 x 11.10 make 508.70, above 508.40.
    slip = await _paid_week(world, worker, ("basic", 2400, "11.33"), week=date(2026, 4, 12), close=False)
    assert slip["minimum_wage"] == "pass"


class TestTheCodeInTime:
    WEEK_1: ClassVar = {"tax_code": "1257L", "tax_basis": "week1"}

    async def test_a_week_1_marker_lapses_at_6_april(self, world: Any) -> None:
        old, new = new_id(), new_id()
        await world.profile(old, **self.WEEK_1, tax_code_from="2026-04-05")
        await world.profile(new, **self.WEEK_1, tax_code_from="2026-04-06")
        for worker, basis in ((old, "cumulative"), (new, "non_cumulative")):
            slip = await _paid_week(world, worker, ("basic", 2400, "15.00"), week=date(2026, 4, 5), close=False)
            assert slip["tax_basis"] == basis

    async def test_the_day_of_the_request_is_taken_where_none_is_given(self, world: Any) -> None:
        worker = new_id()
        await world.profile(worker, **self.WEEK_1)
        stored = await world.get(f"pay-profiles/{worker}")
        assert (stored["tax_code_from"], stored["p45_issued_on"]) == ("2026-04-07", None)

    async def test_pay_after_the_p45_is_taxed_on_0t_and_says_so(self, world: Any) -> None:
        worker = new_id()
        await world.profile(worker, tax_code="S1257L", p45_issued_on="2026-04-09")
        slip = await _paid_week(world, worker, ("basic", 2400, "15.00"), week=date(2026, 4, 5))
        assert (slip["tax_code"], slip["tax_basis"]) == ("S0T W1", "non_cumulative")
        run = slip["pay_run_id"]
        [row] = csv.DictReader(io.StringIO((await world.get(f"pay-runs/{run}/fps.csv")).text))
        assert (row["payment_after_leaving"], row["tax_regime"], row["tax_code"]) == ("Y", "S", "0T")
        assert (await world.send("POST", f"pay-runs/{run}/replay"))["agrees"] is True

    async def test_pay_of_the_day_of_the_p45_is_not_after_it(self, world: Any) -> None:
        worker = new_id()
        await world.profile(worker, p45_issued_on="2026-04-10")
        slip = await _paid_week(world, worker, ("basic", 2400, "15.00"), week=date(2026, 4, 5), close=False)
        assert slip["tax_code"] == "1257L"
