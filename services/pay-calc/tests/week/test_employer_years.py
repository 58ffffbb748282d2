"""What an agency owes HMRC for each tax month, from final payslips: by hand, and on a real Postgres."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from pay_calc.domain.employer_year import Month, Payday, Settings, months
from pay_calc.domain.engine.errors import EngineError
from pay_calc.rates import parameters_for_year
from paybill_common.ids import new_id

P26 = parameters_for_year("2026-27")


def payday(day: date, **figures: int) -> Payday:
    none = Payday(day, 1, 0, 0, 0, 0, 0, 0)
    return replace(none, **figures)


def worked(*paydays: Payday, **settings: Any) -> tuple[Month, ...]:
    return months(P26, paydays, Settings(**settings))


class TestMonths:
    def test_a_tax_month_runs_from_the_6th_and_is_paid_by_the_22nd(self) -> None:
        first, second = worked(payday(date(2026, 5, 5), tax_pence=100), payday(date(2026, 5, 6), tax_pence=20))
        assert (first.starts_on, first.ends_on, first.pay_by_on) == (
            date(2026, 4, 6),
            date(2026, 5, 5),
            date(2026, 5, 22),
        )
        assert (first.tax_pence, second.number, second.tax_pence) == (100, 2, 20)
        last = worked(payday(date(2027, 4, 5), tax_pence=7))[-1]
        assert (last.number, last.ends_on, last.tax_pence) == (12, date(2027, 4, 5), 7)

    def test_the_employment_allowance_is_used_until_it_is_gone(self) -> None:
        paydays = [payday(date(2026, month, 10), employer_nic_pence=600000) for month in (4, 5, 6)]
        used = [month.employment_allowance_pence for month in worked(*paydays, employment_allowance=True)]
        # 10,500.00 a year: 6,000.00, then what is left.
        assert used == [600000, 450000, 0]
        shared = worked(*paydays, employment_allowance=True, allowance_used_elsewhere_pence=200000)
        assert [month.employment_allowance_pence for month in shared] == [600000, 250000, 0]
        assert [month.employment_allowance_pence for month in worked(*paydays)] == [0, 0, 0]

    def test_the_levy_runs_on_the_year_so_far(self) -> None:
        bills = {4: 40000000, 5: 10000000, 6: 100000000}
        paydays = [payday(date(2026, month, 10), pay_bill_pence=bill) for month, bill in bills.items()]
        # 0.5 %: 2,000, 2,500, 7,500 to date; less 1,250 a month so far: 750, 0, 3,750.
        assert [month.levy_pence for month in worked(*paydays)] == [75000, -75000, 375000]
        half = worked(*paydays, levy_share_bp=5000)
        assert [month.levy_pence for month in half] == [137500, -12500, 437500]

    def test_a_month_without_a_payday_still_brings_its_allowance(self) -> None:
        april, may, june = worked(
            payday(date(2026, 4, 10), pay_bill_pence=40000000), payday(date(2026, 6, 10), pay_bill_pence=0)
        )
        assert (april.levy_pence, may.levy_pence, june.levy_pence) == (75000, -75000, 0)
        assert may.payslips == 0

    def test_family_pay_is_recovered_at_the_rate_of_the_employers_size(self) -> None:
        paid = payday(date(2026, 4, 10), family_pay_pence=100000, tax_pence=200000)
        [large] = worked(paid, class_1_last_year_pence=4500001)
        [small] = worked(paid, class_1_last_year_pence=4500000)
        [unknown] = worked(paid)
        assert (large.family_pay_recovered_pence, large.due_pence) == (92000, 108000)
        assert (small.family_pay_recovered_pence, small.due_pence) == (109000, 91000)
        assert (unknown.family_pay_recovered_pence, unknown.due_pence) == (None, None)

    def test_what_is_due_is_the_sum_of_the_month(self) -> None:
        [month] = worked(
            payday(
                date(2026, 4, 10),
                tax_pence=50000,
                employee_nic_pence=20000,
                employer_nic_pence=30000,
                student_loan_pence=1000,
                postgrad_loan_pence=500,
                pay_bill_pence=30000000,
            ),
            employment_allowance=True,
        )
        # The levy: 1,500.00 less 1,250.00. The allowance takes the employer's 300.00.
        assert month.due_pence == 50000 + 20000 + 30000 + 1000 + 500 + 25000 - 30000

    def test_more_than_one_allowance_among_connected_employers_is_refused(self) -> None:
        with pytest.raises(EngineError):
            worked(payday(date(2026, 4, 10)), employment_allowance=True, allowance_used_elsewhere_pence=1050001)


@pytest.mark.integration
async def test_the_month_is_read_from_final_payslips(world: Any) -> None:
    workers = [new_id(), new_id()]
    await world.profile(workers[0], student_loan_plan="2")
    await world.profile(workers[1])
    umbrella = world.sheet(
        new_id(), ("basic", 2400, "30.00"), pay_basis="umbrella", payee_id=new_id(), holiday_pay="none"
    )
    await world.send("PUT", f"payees/{umbrella.payee_id}", {"sort_code": "000002", "account_number": "12345678"})
    sheets = [world.sheet(worker, ("basic", 2400, "17.01"), holiday_pay="none") for worker in workers]
    for sheet in (*sheets, umbrella):
        await world.tell(sheet.approved(), sheet.cleared())
    before = await world.get("employer-years/2026-27")
    assert (before["recorded"], before["months"]) == (False, [])
    await world.tell(world.cut_off(*sheets, umbrella))
    await world.close()
    [month] = (await world.get("employer-years/2026-27"))["months"]
    # Each 680.40: 438 at 20 %, 35.07 and 87.66 of National Insurance; one with a loan of 10.00. The umbrella's is not the agency's.
    assert (month["tax_month"], month["payslips"], month["pay_by_on"]) == (1, 2, "2026-05-22")
    assert (month["tax_gbp"], month["employee_nic_gbp"], month["employer_nic_gbp"]) == ("175.20", "70.14", "175.32")
    assert (month["student_loan_gbp"], month["pay_bill_gbp"], month["levy_gbp"]) == ("10.00", "1360.80", "0.00")
    assert month["due_gbp"] == "430.66"
    told = await world.send("PUT", "employer-years/2026-27", {"employment_allowance": True})
    assert told["recorded"] is True
    assert (told["months"][0]["employment_allowance_gbp"], told["months"][0]["due_gbp"]) == ("175.32", "255.34")
    assert (await world.get("employer-years/2026-27"))["months"] == told["months"]


@pytest.mark.integration
async def test_years_without_figures_and_more_than_one_allowance_are_refused(world: Any) -> None:
    refused = await world.get("employer-years/2040-41", status=422)
    assert refused["code"] == "unknown_tax_year"
    refused = await world.send(
        "PUT", "employer-years/2026-27", {"allowance_used_elsewhere_gbp": "10500.01"}, status=422
    )
    assert refused["code"] == "allowance_exceeded"


@pytest.mark.integration
async def test_family_pay_of_the_month_is_recovered_once_the_last_years_class_1_is_recorded(world: Any) -> None:
    mother = new_id()
    await world.profile(mother)
    leave = {
        "worker_id": str(mother),
        "kind": "SMP",
        "event_on": "2026-05-10",
        "starts_on": "2026-04-06",
        "weeks": 1,
        "average_weekly_earnings_gbp": "400.00",
        "average_ref": "payroll records to 3 April",
        "decision": {"decided_by": "Pat Testcase", "decided_on": "2026-03-20", "evidence_ref": "MATB1-TEST-5"},
    }
    await world.send("PUT", f"family-leaves/{new_id()}", leave)
    await world.tell(world.cut_off(week=date(2026, 4, 12)))
    await world.close(date(2026, 4, 12))
    [month] = (await world.get("employer-years/2026-27"))["months"]
    assert (month["family_pay_gbp"], month["family_pay_recovered_gbp"], month["due_gbp"]) == ("360.00", None, None)
    told = await world.send("PUT", "employer-years/2026-27", {"class_1_last_year_gbp": "900000.00"})
    # 92 % of 360.00.
    assert told["months"][0]["family_pay_recovered_gbp"] == "331.20"
