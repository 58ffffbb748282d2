"""Deemed employees: limited companies whose worker is inside IR35. Tax and National Insurance of the fee, on the FPS, off the payment."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from typing import Any

from paybill_common.ids import new_id

COMPANY = {"sort_code": "000002", "account_number": "12345678"}
PROFILE = {"tax_code": "BR", "sort_code": None, "account_number": None, "account_name": None}


async def _inside(world: Any, *lines: Any, sds: str | None = "inside", worker: Any = None, **profile: Any) -> Any:
    """A cleared timesheet through a limited company with bank details; the worker has a profile and no bank account of his own here."""
    payee = new_id()
    sheet = world.sheet(worker or new_id(), *lines, pay_basis="limited", payee_id=payee, holiday_pay="none", sds=sds)
    await world.send("PUT", f"payees/{payee}", COMPANY)
    await world.profile(sheet.worker_id, **PROFILE | profile)
    await world.tell(sheet.approved(), sheet.cleared())
    return sheet


async def test_tax_and_national_insurance_come_off_the_fee_and_the_agency_bears_its_own(world: Any) -> None:
    """2026/27, BR, letter A: 1,000 fee: tax 200.00, NIC 725 x 8 % + 33 x 2 % = 58.66, employer 904 x 15 % = 135.60, levy 5.00."""
    await world.send("PUT", "employer", {"legal_name": "Harbour & Vale Testing Ltd", "levy_payer": True})
    sheet = await _inside(
        world, ("basic", 2400, "25.00"), ("expense", 1, "50.00"), student_loan_plan="2", postgrad_loan=True
    )
    slip = await world.slip(worker_id=sheet.worker_id)
    figures = slip["figures"]
    assert {name: figures[f"{name}_gbp"] for name in ("taxable", "tax", "employee_nic", "employer_nic", "levy")} == {
        "taxable": "1000.00", "tax": "200.00", "employee_nic": "58.66", "employer_nic": "135.60", "levy": "5.00",
    }  # fmt: skip
    assert (figures["student_loan_gbp"], figures["postgrad_loan_gbp"]) == ("0.00", "0.00")
    assert (slip["gross_gbp"], slip["net_gbp"], slip["cost_gbp"]) == ("1050.00", "791.34", "1190.60")
    assert (slip["tax_code"], slip["ni_letter"], slip["tax_period"]) == ("BR", "A", 1)
    await world.tell(world.cut_off(sheet))
    run = await world.close()
    assert (run["payslips"], run["self_bills"], run["net_gbp"]) == (0, 1, "791.34")
    [told] = await world.emitted("paybill.pay.finalised.v1")
    names = (
        "gross_gbp",
        "tax_gbp",
        "employee_nic_gbp",
        "other_deductions_gbp",
        "employer_nic_gbp",
        "levy_gbp",
        "net_gbp",
    )
    assert [told[name] for name in names] == ["1050.00", "200.00", "58.66", "0.00", "135.60", "5.00", "791.34"]
    assert sum(Decimal(charge["pay_gbp"]) for charge in told["charges"]) == Decimal("1050.00")
    [row] = csv.DictReader(io.StringIO((await world.get(f"pay-runs/{run['pay_run_id']}/fps.csv")).text))
    assert (row["off_payroll_worker"], row["tax_code"], row["taxable_pay"], row["tax_deducted"]) == (
        "Y", "BR", "1000.00", "200.00",
    )  # fmt: skip
    assert (row["pay_after_statutory_deductions"], row["non_tax_or_nic_payment"]) == ("741.34", "0.00")
    assert (row["taxable_pay_to_date"], row["employee_nic_to_date"], row["student_loan_deducted"]) == (
        "1000.00", "58.66", "0.00",
    )  # fmt: skip


async def test_the_employers_month_has_it_and_no_allowance_covers_it(world: Any) -> None:
    """The Employment Allowance takes the 86.46 of the employee, never the 135.60 of the deemed payment."""
    paid = world.sheet(new_id(), ("basic", 2400, "15.00"))
    await world.profile(paid.worker_id)
    await world.tell(paid.approved(), paid.cleared())
    deemed = await _inside(world, ("basic", 2400, "25.00"))
    await world.tell(world.cut_off(paid, deemed))
    await world.close()
    told = await world.send("PUT", "employer-years/2026-27", {"employment_allowance": True})
    [month] = told["months"]
    assert (month["payslips"], month["tax_gbp"], month["pay_bill_gbp"]) == (2, "286.00", "1672.42")
    assert (month["employer_nic_gbp"], month["employment_allowance_gbp"]) == ("222.06", "86.46")


async def test_an_employee_is_no_off_payroll_worker_on_the_submission(world: Any) -> None:
    paid = world.sheet(new_id(), ("basic", 2400, "15.00"))
    await world.profile(paid.worker_id)
    await world.tell(paid.approved(), paid.cleared())
    deemed = await _inside(world, ("basic", 2400, "25.00"))
    outside = await _inside(world, ("basic", 2400, "25.00"), sds="outside")
    await world.tell(world.cut_off(paid, deemed, outside))
    run = await world.close()
    rows = csv.DictReader(io.StringIO((await world.get(f"pay-runs/{run['pay_run_id']}/fps.csv")).text))
    assert sorted((row["off_payroll_worker"], row["taxable_pay"]) for row in rows) == [("", "672.42"), ("Y", "1000.00")]


async def test_a_deemed_payment_explains_itself_and_replays(world: Any) -> None:
    sheet = await _inside(world, ("basic", 2400, "25.00"), ("expense", 1, "50.00"))
    await world.tell(world.cut_off(sheet))
    run = await world.close()
    slip = await world.slip(worker_id=sheet.worker_id)
    told = await world.get(f"payslips/{slip['payslip_id']}/explanation")
    assert (told["tree"]["result"], told["agrees"], told["note"]) == ("791.34", True, None)
    signed = {child["figure"]: Decimal(child["result"]) * child["sign"] for child in told["tree"]["children"]}
    assert (signed["tax"], signed["nic"]) == (Decimal("-200.00"), Decimal("-58.66"))
    assert sum(Decimal(child["result"]) * child["sign"] for child in told["tree"]["children"]) == Decimal("791.34")
    assert [step["figure"] for step in told["employer"]] == ["employer_nic"]
    replayed = await world.send("POST", f"pay-runs/{run['pay_run_id']}/replay")
    assert (replayed["payslips"], replayed["equal"], replayed["differing"]) == (1, 1, 0)


async def test_without_a_determination_the_pay_waits_until_the_placement_has_one(world: Any) -> None:
    sheet = await _inside(world, ("basic", 2400, "25.00"), sds=None)
    held = await world.slip(worker_id=sheet.worker_id)
    assert held["held"][0]["reasons"] == [{"code": "sds_missing", "subject_id": str(sheet.placement_id)}]
    await world.tell(world.placement(sheet, sds="inside"))
    assert (await world.slip(worker_id=sheet.worker_id))["net_gbp"] == "741.34"
    await world.tell(world.placement(sheet, sds="not_required"))
    assert (await world.slip(worker_id=sheet.worker_id))["net_gbp"] == "1000.00"


async def test_outside_or_not_required_is_paid_whole_and_asks_for_no_profile(world: Any) -> None:
    for sds in ("outside", "not_required"):
        payee = new_id()
        sheet = world.sheet(new_id(), ("basic", 2400, "25.00"), pay_basis="limited", payee_id=payee, sds=sds)
        await world.send("PUT", f"payees/{payee}", COMPANY)
        await world.tell(sheet.approved(), sheet.cleared())
        slip = await world.slip(worker_id=sheet.worker_id)
        assert (slip["net_gbp"], slip["tax_year"], slip["held"]) == ("1000.00", None, [])


async def test_a_deemed_employee_needs_a_profile_and_the_company_a_bank_account(world: Any) -> None:
    payee = new_id()
    sheet = world.sheet(new_id(), ("basic", 2400, "25.00"), pay_basis="limited", payee_id=payee, sds="inside")
    await world.tell(sheet.approved(), sheet.cleared())
    held = await world.slip(worker_id=sheet.worker_id)
    assert held["held"][0]["reasons"] == [
        {"code": "missing_bank_details", "subject_id": str(payee)},
        {"code": "missing_pay_profile", "subject_id": str(sheet.worker_id)},
    ]
    await world.send("PUT", f"payees/{payee}", COMPANY)
    await world.profile(sheet.worker_id, **PROFILE | {"tax_code": "0T W1", "ni_letter": "F"})
    held = await world.slip(worker_id=sheet.worker_id)
    assert [reason["code"] for reason in held["held"][0]["reasons"]] == ["unsupported_ni_letter"]
    await world.profile(sheet.worker_id, **PROFILE | {"director": True, "attachment_of_earnings": True})
    assert (await world.slip(worker_id=sheet.worker_id))["net_gbp"] == "741.34"


async def test_deemed_pay_never_stands_beside_other_pay_of_the_week(world: Any) -> None:
    """National Insurance is of all earnings from one employer in the week together: over two slips it would be too little."""
    worker = new_id()
    through_one = await _inside(world, ("basic", 2400, "25.00"), worker=worker)
    through_two = await _inside(world, ("basic", 600, "25.00"), worker=worker)
    found = (await world.get("payslips", params={"worker_id": str(worker)}))["items"]
    assert sorted((slip["net_gbp"] != "0.00", len(slip["held"])) for slip in found) == [(False, 1), (True, 0)]
    own = world.sheet(worker, ("basic", 600, "15.00"))
    await world.profile(worker)
    await world.tell(own.approved(), own.cleared())
    found = (await world.get("payslips", params={"worker_id": str(worker)}))["items"]
    held = {slip["pay_basis"]: [reason["code"] for one in slip["held"] for reason in one["reasons"]] for slip in found}
    assert held == {"paye": [], "limited": ["deemed_pay_beside_other_pay"]}
    await world.tell(world.cut_off(through_one, through_two, own))
    run = await world.close()
    assert (run["payslips"], run["self_bills"], run["held_timesheets"]) == (1, 0, 2)


async def test_a_slip_may_hold_work_inside_and_outside(world: Any) -> None:
    inside = await _inside(world, ("basic", 2400, "25.00"))
    outside = world.sheet(
        inside.worker_id, ("basic", 600, "30.00"), pay_basis="limited", payee_id=inside.payee_id, sds="outside"
    )
    await world.tell(outside.approved(), outside.cleared())
    slip = await world.slip(worker_id=inside.worker_id)
    assert (slip["gross_gbp"], slip["figures"]["taxable_gbp"], slip["net_gbp"]) == ("1300.00", "1000.00", "1041.34")
    await world.tell(world.cut_off(inside, outside))
    run = await world.close()
    [row] = csv.DictReader(io.StringIO((await world.get(f"pay-runs/{run['pay_run_id']}/fps.csv")).text))
    assert (row["taxable_pay"], row["pay_after_statutory_deductions"]) == ("1000.00", "741.34")


async def test_a_correction_of_deemed_pay_is_taxed_as_it_was(world: Any) -> None:
    """The paid version was inside; the placement has changed since: what is taken back is still deemed pay, what is paid is not."""
    sheet = await _inside(world, ("basic", 2400, "25.00"))
    await world.tell(world.cut_off(sheet))
    await world.close()
    await world.tell(sheet.amended([("basic", 2700, "25.00")]))
    await world.tell(sheet.cleared())
    draft = await world.slip(worker_id=sheet.worker_id, state="draft")
    assert (draft["figures"]["taxable_gbp"], draft["figures"]["tax_gbp"], draft["net_gbp"]) == (
        "125.00",
        "25.00",
        "100.00",
    )
    await world.tell(world.placement(sheet, sds="outside"))
    draft = await world.slip(worker_id=sheet.worker_id, state="draft")
    assert [held["reasons"] for held in draft["held"]] == [[{"code": "negative_pay"}]]
