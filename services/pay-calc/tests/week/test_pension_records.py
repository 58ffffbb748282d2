"""Automatic enrolment in the pay week: each week is assessed, persons record what they did, contributions follow. On a real Postgres.

2026/27 weekly: trigger 192, qualifying earnings from 120.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from pay_calc.domain.engine.pension import PensionRefund
from pay_calc.domain.pension_records import (
    NO_RECORD,
    PensionRecord,
    PensionSlip,
    owed_refund,
    pension_slip,
    standing_json,
    standing_of,
)
from paybill_common.ids import new_id

FIRST, SECOND, THIRD = date(2026, 4, 5), date(2026, 4, 12), date(2026, 4, 19)
TERMS = {"basis": "net_pay", "employee_pct": "5", "employer_pct": "3"}


class TestContributions:
    """Weeks are given by the Monday after them."""

    def _weeks(self, record: PensionRecord) -> list[bool]:
        weeks = ((date(2026, 4, 6), date(2026, 4, 10)), (date(2026, 4, 13), date(2026, 4, 17)))
        return [record.contributes(period_to, payday) for period_to, payday in weeks]

    def test_they_start_with_the_week_of_membership_and_end_with_the_day_it_ended(self) -> None:
        assert self._weeks(NO_RECORD) == [True, True]
        assert self._weeks(PensionRecord(member_since=date(2026, 4, 6))) == [False, True]
        assert self._weeks(PensionRecord(member_since=date(2026, 4, 5))) == [True, True]
        since = {"member_since": date(2026, 3, 2)}
        assert self._weeks(PensionRecord(**since, opted_out_on=date(2026, 4, 11))) == [True, False]
        assert self._weeks(PensionRecord(**since, ceased_on=date(2026, 4, 10))) == [False, False]

    def test_a_later_membership_is_a_new_one(self) -> None:
        again = PensionRecord(member_since=date(2026, 4, 8), opted_out_on=date(2025, 4, 1))
        assert self._weeks(again) == [False, True]
        standing = standing_of(
            standing_json(again, has_terms=True, employed_from=date(2024, 1, 1), re_enrolment_on=None)
        )
        assert (standing.member_since, standing.opted_out_on) == (date(2026, 4, 8), None)

    def test_terms_without_a_record_are_a_membership(self) -> None:
        kept = standing_json(NO_RECORD, has_terms=True, employed_from=date(2024, 1, 1), re_enrolment_on=None)
        assert standing_of(kept).member_since == date(2024, 1, 1)
        none = standing_json(NO_RECORD, has_terms=False, employed_from=date(2024, 1, 1), re_enrolment_on=None)
        assert none == {"employed_from": "2024-01-01"}


class TestWhatIsOwed:
    RECORD = PensionRecord(
        member_since=date(2026, 3, 30), information_given_on=date(2026, 4, 2), opted_out_on=date(2026, 4, 14)
    )

    def _slip(self, *, taken: int = 0, back: int = 0) -> PensionSlip:
        refund = {"net_pay_pence": back, "ras_pence": 0, "sacrifice_pence": 0, "employer_pence": back}
        figures = {
            "employee_pension_pence": taken - back,
            "employer_pension_pence": taken - back,
            "sacrifice_pence": 0,
        }
        terms = {"basis": "net_pay"} if taken else None
        return pension_slip(date(2026, 4, 10), terms, refund if back else None, figures)

    def test_what_was_given_back_is_owed_no_more(self) -> None:
        assert owed_refund(self.RECORD, [self._slip(taken=1000)]) == PensionRefund(1000, 0, 0, 1000)
        assert owed_refund(self.RECORD, [self._slip(taken=1000), self._slip(back=600)]) == PensionRefund(400, 0, 0, 400)
        assert owed_refund(self.RECORD, [self._slip(taken=1000), self._slip(back=1000)]) is None

    def test_what_was_given_back_too_much_is_not_taken(self) -> None:
        assert owed_refund(self.RECORD, [self._slip(taken=1000), self._slip(back=2000)]) is None

    def test_an_opt_out_too_late_gives_nothing_back(self) -> None:
        late = replace(self.RECORD, opted_out_on=date(2026, 5, 2))
        assert (late.refunds, self.RECORD.refunds) == (False, True)
        assert owed_refund(late, [self._slip(taken=1000)]) is None


async def _week(world: Any, worker: Any, rate: str, week: date, *, close: bool = True) -> Any:
    sheet = world.sheet(worker, ("basic", 2400, rate), week_ending=week, holiday_pay="none")
    await world.tell(world.worker(worker), sheet.approved(), sheet.cleared(), world.cut_off(sheet, week=week))
    if close:
        await world.close(week)
    return await world.slip(worker_id=worker, week_ending=week.isoformat())


async def _finding(world: Any, week: date, code: str) -> list[Any]:
    found = await world.get("pay-runs/preview", params={"week_ending": week.isoformat()})
    return [(item["worker_id"], item["code"]) for item in found["findings"][code]["items"]]


@pytest.mark.integration
async def test_each_week_is_assessed_and_the_preview_says_whom_to_enrol(world: Any) -> None:
    worker, unknown = new_id(), new_id()
    await world.profile(worker)
    await world.profile(unknown, birth_on=None)
    slip = await _week(world, worker, "15.00", FIRST, close=False)
    assessment = slip["pension_assessment"]
    assert (assessment["category"], assessment["action"]) == ("eligible", "enrol")
    assert assessment["active_on"] == "2026-03-30"
    assert await _finding(world, FIRST, "pension_to_enrol") == [(str(worker), "enrol")]
    assert (await _week(world, unknown, "15.00", FIRST, close=False))["pension_assessment"] is None
    # The act of a person: membership from then, with terms on the profile.
    await world.profile(worker, pension=TERMS)
    await world.send(
        "PUT",
        f"pension-records/{worker}",
        {"member_since": "2026-03-30", "information_given_on": "2026-04-02", "document_ref": "AE-1"},
        subject="clerk",
    )
    assert (await world.get(f"pension-records/{worker}"))["updated_by"] == "clerk"
    slip = await world.slip(worker_id=worker)
    assert slip["pension_assessment"]["action"] == "keep"
    assert slip["figures"]["employee_pension_gbp"] == "24.00"
    assert await _finding(world, FIRST, "pension_to_enrol") == []


@pytest.mark.integration
async def test_who_may_opt_in_is_written_to_once(world: Any) -> None:
    worker = new_id()
    await world.profile(worker)
    # 160.00: above 120 and not above 192.
    slip = await _week(world, worker, "4.00", FIRST, close=False)
    assert (slip["pension_assessment"]["category"], slip["pension_assessment"]["action"]) == (
        "non_eligible",
        "may_opt_in",
    )
    assert await _finding(world, FIRST, "pension_to_write_to") == [(str(worker), "may_opt_in")]
    await world.send("PUT", f"pension-records/{worker}", {"informed_on": "2026-04-07"})
    assert await _finding(world, FIRST, "pension_to_write_to") == []
    await world.send("PUT", f"pension-records/{worker}", {"informed_on": "2026-04-07", "opt_in_from": "2026-03-30"})
    assert await _finding(world, FIRST, "pension_to_enrol") == [(str(worker), "opt_in")]


@pytest.mark.integration
async def test_postponement_puts_enrolment_off_and_an_unlawful_one_is_refused(world: Any) -> None:
    worker = new_id()
    await world.profile(worker)
    late = {"postponed_from": "2026-03-02", "postponed_to": "2026-05-31", "postponed_notice_on": "2026-04-14"}
    refused = await world.send("PUT", f"pension-records/{worker}", late, status=422)
    assert "Notice of a postponement" in str(refused)
    await world.send(
        "PUT", f"pension-records/{worker}", late | {"postponed_notice_on": "2026-04-01", "informed_on": "2026-04-01"}
    )
    slip = await _week(world, worker, "15.00", FIRST, close=False)
    assert slip["pension_assessment"]["action"] == "postponed"
    assert await _finding(world, FIRST, "pension_to_enrol") == []


@pytest.mark.integration
async def test_an_opt_out_ends_contributions_and_says_what_is_refunded(world: Any) -> None:
    worker = new_id()
    await world.profile(worker, pension=TERMS)
    joined = {"member_since": "2026-03-30", "information_given_on": "2026-04-02"}
    await world.send("PUT", f"pension-records/{worker}", joined)
    first = await _week(world, worker, "15.00", FIRST)
    assert first["figures"]["employee_pension_gbp"] == "24.00"
    told = await world.send("PUT", f"pension-records/{worker}", joined | {"opted_out_on": "2026-04-14"})
    # 5 % and 3 % of 480.00; never taxed, so it is taxed when it is given back.
    assert told["refund"] == {
        "worker_gbp": "24.00",
        "employer_gbp": "14.40",
        "taxable_gbp": "24.00",
        "niable_gbp": "0.00",
        "due_by": "2026-05-13",
        "given_back_gbp": "0.00",
        "given_back_on": None,
    }
    second = await _week(world, worker, "15.00", SECOND)
    assert second["figures"]["employee_pension_gbp"] == "-24.00"
    assert second["figures"]["taxable_gbp"] == "624.00"
    # Letter A on 600.00, not on what is given back: (600.00 - 242) x 8 %.
    assert second["figures"]["employee_nic_gbp"] == "28.64"
    assert second["pension_assessment"]["action"] == "may_opt_in"
    assert (await world.send("POST", f"pay-runs/{second['pay_run_id']}/replay"))["agrees"] is True
    told = await world.get(f"pension-records/{worker}")
    assert (told["refund"]["given_back_gbp"], told["refund"]["given_back_on"]) == ("24.00", "2026-04-17")
    third = await _week(world, worker, "15.00", THIRD, close=False)
    assert third["figures"]["employee_pension_gbp"] == "0.00"
    late = await world.send("PUT", f"pension-records/{worker}", joined | {"opted_out_on": "2026-05-02"})
    assert late["refund"] is None
    assert "is outside" in late["no_refund"]


@pytest.mark.integration
@pytest.mark.parametrize(
    ("terms", "given_back", "taxable", "net"),
    [
        # 5 % of 480.00 is 24.00, of which 80 % left net pay: it comes back as it went, and no tax is worked out.
        ({"basis": "ras", "employee_pct": "5", "employer_pct": "3"}, "-19.20", "0.00", "19.20"),
        # Taken before tax: it is taxed, on the year so far. 576.00 + 24.00 in two weeks of 1257L: less tax than the first week took.
        (TERMS, "-24.00", "24.00", None),
    ],
)
async def test_an_opt_out_is_refunded_without_hours(
    world: Any, terms: dict[str, str], given_back: str, taxable: str, net: str | None
) -> None:
    worker, other = new_id(), new_id()
    await world.profile(worker, pension=terms)
    await world.profile(other)
    joined = {"member_since": "2026-03-30", "information_given_on": "2026-04-02"}
    await world.send("PUT", f"pension-records/{worker}", joined)
    first = await _week(world, worker, "15.00", FIRST)
    await world.send("PUT", f"pension-records/{worker}", joined | {"opted_out_on": "2026-04-10"})
    await _week(world, other, "15.00", SECOND)
    second = await world.slip(worker_id=worker, week_ending=SECOND.isoformat())
    assert second["state"] == "finalised"
    figures = second["figures"]
    assert (figures["employee_pension_gbp"], figures["taxable_gbp"]) == (given_back, taxable)
    assert figures["gross_gbp"] == "0.00"
    # The employer's own 3 % comes back to it: nothing else is a cost.
    assert (figures["employer_pension_gbp"], figures["cost_gbp"]) == ("-14.40", "-14.40")
    if net is not None:
        assert (figures["net_gbp"], figures["tax_gbp"]) == (net, "0.00")
    else:
        # Week 2 of 1257L: 600.00 less 483.84 free of tax, in whole pounds at 20 %.
        assert figures["tax_to_date_gbp"] == "23.20"
        assert Decimal(figures["tax_gbp"]) == Decimal("23.20") - Decimal(first["figures"]["tax_gbp"])
    assert (await world.send("POST", f"pay-runs/{second['pay_run_id']}/replay"))["agrees"] is True
    told = await world.get(f"payslips/{second['payslip_id']}/explanation")
    assert "Pension contributions given back" in str(told)
    paper = await world.get(f"payslips/{second['payslip_id']}/pdf")
    assert paper.content.startswith(b"%PDF")


@pytest.mark.integration
async def test_what_was_in_a_draft_when_the_worker_opted_out_is_given_back_too(world: Any) -> None:
    worker, other = new_id(), new_id()
    await world.profile(worker, pension=TERMS)
    await world.profile(other)
    joined = {"member_since": "2026-03-30", "information_given_on": "2026-04-02"}
    await world.send("PUT", f"pension-records/{worker}", joined)
    await _week(world, worker, "15.00", FIRST, close=False)
    await world.send("PUT", f"pension-records/{worker}", joined | {"opted_out_on": "2026-04-14"})
    await world.close(FIRST)  # late: paid on 10 April, when the worker was a member
    again = {"member_since": "2026-05-04", "opted_out_on": "2026-04-14"}
    refused = await world.send("PUT", f"pension-records/{worker}", again, status=409)
    assert refused["code"] == "refund_not_given_back"
    await _week(world, other, "15.00", SECOND)
    slip = await world.slip(worker_id=worker, week_ending=SECOND.isoformat())
    assert (slip["state"], slip["figures"]["employee_pension_gbp"]) == ("finalised", "-24.00")
    await world.send("PUT", f"pension-records/{worker}", again)


@pytest.mark.integration
async def test_a_sacrifice_given_back_is_pay(world: Any) -> None:
    worker = new_id()
    await world.profile(worker, pension={"basis": "salary_sacrifice", "sacrifice_gbp": "30.00", "employer_pct": "3"})
    joined = {"member_since": "2026-03-30", "information_given_on": "2026-04-02"}
    await world.send("PUT", f"pension-records/{worker}", joined)
    await _week(world, worker, "15.00", FIRST)
    await world.send("PUT", f"pension-records/{worker}", joined | {"opted_out_on": "2026-04-10"})
    figures = (await _week(world, worker, "15.00", SECOND, close=False))["figures"]
    assert (figures["sacrifice_gbp"], figures["niable_gbp"], figures["taxable_gbp"]) == ("-30.00", "630.00", "630.00")
    # (630.00 - 242) x 8 %; the scheme returns the 30.00 and 3 % of the 450.00 between 120 and 570.00.
    assert (figures["employee_nic_gbp"], figures["employer_pension_gbp"]) == ("31.04", "-43.50")


@pytest.mark.integration
async def test_who_opted_out_a_year_ago_is_enrolled_again_on_the_agencys_day(world: Any) -> None:
    worker = new_id()
    await world.profile(worker)
    await world.send("PUT", f"pension-records/{worker}", {"member_since": "2024-01-01", "opted_out_on": "2024-01-20"})
    await world.send("PUT", "employer", {"legal_name": "Agency Example Ltd", "pension_re_enrolment_on": "2026-04-08"})
    slip = await _week(world, worker, "15.00", SECOND, close=False)
    assert (slip["pension_assessment"]["action"], slip["pension_assessment"]["active_on"]) == ("re_enrol", "2026-04-08")
    await world.send("PUT", "employer", {"legal_name": "Agency Example Ltd", "pension_re_enrolment_on": "2026-04-20"})
    slip = await world.slip(worker_id=worker)
    assert slip["pension_assessment"]["action"] == "may_opt_in"
