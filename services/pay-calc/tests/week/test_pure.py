"""The pure rules of a pay run: shares, dates, bank files, hours bands, what a profile needs, and slips that round-trip."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pay_calc.domain import bacs, fps, leave
from pay_calc.domain.decide import Agency, Closing, PaidCharge, PaidSlip, Slip, Version, Worker, decide
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.parameters import tax_year_of
from pay_calc.domain.engine.regular_leave import WorkingWeek
from pay_calc.domain.engine.trace import recompute
from pay_calc.domain.pay_dates import banking_day_at_or_before, banking_day_before, payday_of
from pay_calc.domain.profiles import (
    Directorship,
    Profile,
    account_number_of,
    code_with_basis,
    ni_number_of,
    sort_code_of,
)
from pay_calc.domain.shares import largest_remainder
from pay_calc.domain.slips import Charge, Employee, SlipInput, calculate, input_of, reversal_of
from pay_calc.domain.statutory import StatutoryPay
from pay_calc.rates import minimum_wage_book, year_book

WEEK = date(2026, 4, 5)
PERIOD_TO = date(2026, 4, 6)
A_TIMESHEET = UUID(int=1)


def work(inp: SlipInput) -> Any:
    return calculate(inp, years=year_book(), minimum_wage=minimum_wage_book())


def charge(minutes: int, rate: str = "12.71", **changes: Any) -> Charge:
    values: dict[str, Any] = {
        "charge_line_id": str(UUID(int=minutes)),
        "timesheet_id": str(A_TIMESHEET),
        "version": 1,
        "placement_id": str(UUID(int=9)),
        "week_ending": WEEK,
        "kind": "time",
        "element": "basic",
        "rate_code": "basic",
        "rule_id": "basic",
        "rate_unit": "hour",
        "minutes": minutes,
        "units": None,
        "pay_rate": Decimal(rate),
        "basic_pay_rate": Decimal(rate),
        "pay_pence": 0,
        "holiday": False,
    }
    return Charge(**(values | changes))


def slip_input(*charges: Charge, **employee: Any) -> SlipInput:
    return SlipInput(
        pay_basis="paye",
        payee_id=None,
        period_from=date(2026, 3, 30),
        period_to=PERIOD_TO,
        payday_on=date(2026, 4, 10),
        charges=charges,
        employee=Employee(**({"tax_code": "1257L W1", "ni_letter": "A", "birth_on": date(1990, 1, 1)} | employee)),
    )


class TestShares:
    def test_the_largest_remainder_takes_the_penny(self) -> None:
        assert largest_remainder(100, [1, 1, 1]) == [34, 33, 33]
        assert largest_remainder(2584, [61, 61]) == [1292, 1292]
        assert largest_remainder(5, [0, 0]) == [5, 0]
        assert largest_remainder(-100, [-1, -1, -1]) == [-34, -33, -33]

    @given(st.integers(-(10**9), 10**9), st.lists(st.integers(0, 10**6), min_size=1, max_size=30))
    def test_shares_sum_to_the_total(self, total: int, weights: list[int]) -> None:
        shares = largest_remainder(total, weights)
        assert sum(shares) == total
        if sum(weights):
            assert all(
                abs(share * sum(weights) - total * weight) < sum(weights)
                for share, weight in zip(shares, weights, strict=True)
            )

    def test_the_penny_that_summing_moves_is_told_for_each_source(self) -> None:
        # 10 minutes at 12.71 are 2.1183: 2.12 each on their own, 6.36 apart, 6.355 and so 6.36 together; 5 minutes make 1.06.
        result = work(slip_input(*(charge(10, pay_pence=212, charge_line_id=str(UUID(int=n))) for n in range(3))))
        assert [line["amount_pence"] for line in result.lines] == [636]
        assert result.shares == ((212, 0), (212, 0), (212, 0))
        result = work(slip_input(*(charge(7, pay_pence=148, charge_line_id=str(UUID(int=n))) for n in range(3))))
        assert [line["amount_pence"] for line in result.lines] == [445]
        assert result.shares == ((149, 1), (148, 0), (148, 0))


class TestDates:
    def test_payday_is_the_friday_after_and_funds_move_before_a_bank_holiday(self) -> None:
        assert payday_of(WEEK, 5) == date(2026, 4, 10)
        # Good Friday and Easter Monday 2026: money leaves for Thursday 2 April, the payday stays.
        assert banking_day_at_or_before(date(2026, 4, 6)) == date(2026, 4, 2)
        assert banking_day_at_or_before(date(2026, 4, 3)) == date(2026, 4, 2)
        assert banking_day_before(date(2026, 4, 7)) == date(2026, 4, 2)
        assert banking_day_at_or_before(date(2026, 12, 28)) == date(2026, 12, 24)

    def test_a_year_without_known_holidays_is_refused(self) -> None:
        with pytest.raises(EngineError, match="2031"):
            banking_day_at_or_before(date(2031, 4, 10))


class TestProfiles:
    def test_formats(self) -> None:
        assert ni_number_of("qq 12 34 56 a") == "QQ123456A"
        assert sort_code_of("00-00-01") == "000001"
        assert account_number_of("1234567") == "01234567"
        for wrong, reader in (("Q123456A", ni_number_of), ("0000", sort_code_of), ("123", account_number_of)):
            with pytest.raises(ValueError, match="is"):
                reader(wrong)

    def test_week_1_is_written_on_the_code_once(self) -> None:
        assert code_with_basis("1257L", "week1") == "1257L W1"
        assert code_with_basis("1257L M1", "week1") == "1257L M1"
        assert code_with_basis("BR", "cumulative") == "BR"

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({}, []),
            ({"tax_code": "K475"}, []),
            ({"tax_code": "S1257L", "student_loan_plan": "4"}, []),
            ({"ni_letter": "F"}, ["unsupported_ni_letter"]),
            ({"director": True}, ["director_terms_missing"]),
            ({"director": True, "directorship": Directorship("standard", WEEK)}, []),
            ({"attachment_of_earnings": True}, ["attachment_order_missing"]),
            ({"pension": {"basis": "salary_sacrifice"}}, ["sacrifice_amount_missing"]),
            ({"pension": {"basis": "salary_sacrifice", "sacrifice_pence": 4000}}, []),
        ],
    )
    def test_what_is_not_worked_out_is_named(self, changes: dict[str, Any], expected: list[str]) -> None:
        assert _profile(**changes).unsupported() == expected


class TestWorkedExamples:
    """The four columns of the rules' weekly example: 40 h of basic and 12.07 % of holiday give the gross of each."""

    PENSION: ClassVar = {"employee_bp": 500, "employer_bp": 300, "earnings": "qualifying"}

    @pytest.mark.parametrize(
        ("basic", "employee", "expected"),
        [
            (50840, {}, (50840, 5320, 2131, 6186, 0, 0, 0, 43389)),
            (
                68040,
                {"student_loan_plan": "2", "pension": PENSION | {"basis": "net_pay"}},
                (65238, 8200, 3507, 8766, 1000, 2802, 1681, 52531),
            ),
            (
                68040,
                {"student_loan_plan": "2", "pension": PENSION | {"basis": "ras"}},
                (68040, 8760, 3507, 8766, 1000, 2242, 1681, 52531),
            ),
            (
                68040,
                {"tax_code": "S1257L W1", "student_loan_plan": "4", "pension": PENSION | {"basis": "net_pay"}},
                (65238, 8207, 3507, 8766, 200, 2802, 1681, 53324),
            ),
        ],
    )
    def test_to_the_penny(self, basic: int, employee: dict[str, Any], expected: tuple[int, ...]) -> None:
        # One hour at the whole amount: the example gives the gross, not the hours.
        result = work(slip_input(charge(60, f"{basic // 100}.{basic % 100:02d}", pay_pence=basic), **employee))
        names = (
            "taxable_pence",
            "tax_pence",
            "employee_nic_pence",
            "employer_nic_pence",
            "student_loan_pence",
            "employee_pension_pence",
            "employer_pension_pence",
            "net_pence",
        )
        assert tuple(result.figures[name] for name in names) == expected

    def test_previous_employment_is_in_the_tax_and_not_in_the_year_to_date(self) -> None:
        pay = charge(60, "600.00", pay_pence=60000)
        alone = work(slip_input(pay, tax_code="1257L"))
        moved = work(slip_input(pay, tax_code="1257L", previous_pay_pence=50000, previous_tax_pence=0))
        assert moved.figures["tax_pence"] > alone.figures["tax_pence"]
        assert moved.figures["pay_to_date_pence"] == alone.figures["pay_to_date_pence"] == 60000

    def test_an_unpaid_week_gives_no_refund(self) -> None:
        taken = charge(60, "10.00", pay_pence=1000)
        back = reversal_of(taken, paid_pence=1000, rounding_pence=0)
        result = work(slip_input(taken, back, tax_code="1257L", pay_to_date_pence=200000, tax_to_date_pence=40000))
        assert (result.figures["gross_pence"], result.figures["tax_pence"], result.figures["net_pence"]) == (0, 0, 0)
        assert result.figures["tax_to_date_pence"] == 40000


class TestRoundTrip:
    @given(
        st.lists(st.tuples(st.integers(1, 6000), st.integers(900, 9999)), min_size=1, max_size=6),
        st.sampled_from(["1257L", "BR", "0T W1", "K475", "S1257L", "C1257L M1", "D0"]),
        st.sampled_from(["A", "C", "H", "M"]),
    )
    def test_stored_inputs_give_the_stored_result(self, lines: list[tuple[int, int]], code: str, letter: str) -> None:
        charges = tuple(
            charge(minutes, f"{rate // 100}.{rate % 100:02d}", charge_line_id=str(UUID(int=n)), holiday=bool(n % 2))
            for n, (minutes, rate) in enumerate(lines)
        )
        inp = slip_input(*charges, tax_code=code, ni_letter=letter)
        stored = json.loads(json.dumps(inp.as_json()))
        first, again = work(inp), work(input_of(stored))
        assert again == first
        figures = first.figures
        assert sum(share for share, _ in first.shares) + figures["holiday_pence"] == figures["gross_pence"]
        assert figures["net_pence"] == figures["gross_pence"] - figures["tax_pence"] - figures["employee_nic_pence"]
        assert figures["cost_pence"] == figures["gross_pence"] + figures["employer_nic_pence"]


def _profile(**changes: Any) -> Profile:
    values: dict[str, Any] = {
        "tax_code": "1257L",
        "tax_basis": "cumulative",
        "ni_letter": "A",
        "birth_on": None,
        "student_loan_plan": None,
        "postgrad_loan": False,
        "pension": None,
        "apprentice": False,
        "director": False,
        "attachment_of_earnings": False,
        "previous_tax_year": None,
        "previous_pay_pence": 0,
        "previous_tax_pence": 0,
        "employment_no": 1,
        "has_bank": True,
    }
    return Profile(**(values | changes))


def _version(minutes: int = 600, **changes: Any) -> Version:
    values: dict[str, Any] = {
        "timesheet_id": A_TIMESHEET,
        "version": 1,
        "applied_no": 1,
        "week_ending": WEEK,
        "pay_basis": "paye",
        "payee_id": None,
        "minutes": minutes,
        "pay_pence": minutes * 25,
        "payable": True,
        "charges": (charge(minutes, "15.00", pay_pence=minutes * 25),),
        "blocked": (),
    }
    return Version(**(values | changes))


def _decided(worker: Worker, **agency: Any) -> list[Slip]:
    values: dict[str, Any] = {
        "payday_days_after": 5,
        "late_pay": "with_current_pay",
        "levy_payer": False,
        "closed": frozenset(),
    }
    return decide(worker, Agency(**(values | agency)), work, tax_year_of, year_book())


def _worker(*versions: Version, **changes: Any) -> Worker:
    return Worker(
        agency_id=UUID(int=5), worker_id=UUID(int=6), **({"profile": _profile(), "versions": list(versions)} | changes)
    )


def _reasons(slip: Slip) -> list[str]:
    return [reason["code"] for _, reasons in slip.held for reason in reasons]


class TestDecide:
    def test_a_week_goes_to_its_own_period_while_that_is_open(self) -> None:
        [slip] = _decided(_worker(_version()))
        assert (slip.period_to, slip.payday_on, len(slip.paid)) == (PERIOD_TO, date(2026, 4, 10), 1)

    def test_then_to_the_next_open_one(self) -> None:
        [slip] = _decided(_worker(_version()), closed=frozenset({PERIOD_TO, date(2026, 4, 13)}))
        assert slip.period_to == date(2026, 4, 20)

    def test_a_late_week_needs_the_agencys_rule(self) -> None:
        closed = frozenset({PERIOD_TO})
        [slip] = _decided(_worker(_version()), closed=closed, late_pay=None)
        assert _reasons(slip) == ["late_pay_rule_not_set"]
        [slip] = _decided(_worker(_version()), closed=closed, late_pay="usual_payday")
        assert slip.inp is not None
        assert [(week.period_to, week.payday_on) for week in slip.inp.late] == [(PERIOD_TO, date(2026, 4, 10))]
        [slip] = _decided(_worker(_version()), closed=closed)
        assert slip.inp is not None
        assert slip.inp.late == ()

    def test_a_closing_run_pays_what_was_known_at_its_cut_off(self) -> None:
        known, later = _version(600), _version(660, version=2, applied_no=8)
        closing = Closing(PERIOD_TO, date(2026, 4, 10), cut_off_no=5)
        [slip] = _decided(_worker(known, later, pending=True), closing=closing)
        assert (slip.period_to, [version.version for version in slip.paid]) == (PERIOD_TO, [1])
        [slip] = _decided(_worker(later, pending=True), closing=closing)
        assert slip.period_to == date(2026, 4, 13)
        [slip] = _decided(_worker(known, later, pending=False), closing=closing)
        assert (slip.period_to, [version.version for version in slip.paid]) == (date(2026, 4, 13), [2])

    def test_bases_and_payees_have_slips_of_their_own(self) -> None:
        payee = UUID(int=77)
        umbrella = _version(timesheet_id=UUID(int=2), pay_basis="umbrella", payee_id=payee)
        slips = _decided(_worker(_version(), umbrella, payees_with_bank=frozenset({payee})))
        assert [(slip.pay_basis, slip.result is not None) for slip in slips] == [("paye", True), ("umbrella", True)]

    def test_what_nobody_can_pay_is_held_by_name(self) -> None:
        assert _reasons(_decided(_worker(_version(pay_basis="cis")))[0]) == ["missing_payee"]
        bare = _version(pay_basis="cis", payee_id=UUID(int=9))
        assert _reasons(_decided(_worker(bare))[0]) == [
            "missing_bank_details",
            "agency_rules_not_decided",
            "cis_not_verified",
        ]
        assert _reasons(_decided(_worker(_version(pay_basis="limited")))[0]) == ["missing_payee", "sds_missing"]
        assert _reasons(_decided(_worker(_version(), profile=None))[0]) == ["missing_pay_profile"]
        unknown_year = date(2031, 4, 6)
        assert _reasons(_decided(_worker(_version(week_ending=unknown_year)))[0]) == ["unknown_tax_year"]

    def test_a_void_week_that_was_never_paid_needs_no_leave(self) -> None:
        [slip] = _decided(
            _worker(_version(0, payable=False, charges=(), blocked=({"code": "awaiting_clearance"},)), profile=None)
        )
        assert (slip.held, slip.inp, len(slip.paid)) == ([], None, 1)

    def test_a_paid_version_cannot_move_to_another_basis_by_itself(self) -> None:
        payee = UUID(int=77)
        was = PaidCharge(charge(600, pay_pence=15000), "paye", None, 15000, 0)
        worker = _worker(
            _version(version=2, pay_basis="umbrella", payee_id=payee),
            paid={A_TIMESHEET: [was]},
            payees_with_bank=frozenset({payee}),
        )
        assert _reasons(_decided(worker)[0]) == ["pay_basis_changed_after_payment"]

    def test_amending_and_amending_back_after_payment_pays_nothing_more(self) -> None:
        was = PaidCharge(charge(600, "15.00", pay_pence=15000), "paye", None, 15000, 0)
        [slip] = _decided(_worker(_version(version=3), paid={A_TIMESHEET: [was]}), closed=frozenset({PERIOD_TO}))
        assert slip.result is not None
        assert (slip.result.figures["gross_pence"], slip.result.minutes, len(slip.result.shares)) == (0, 0, 2)


class TestDirectors:
    """The annual earnings period: what went before the appointment, and before 6 April, is not in it."""

    def _terms(self, directorship: Directorship, *history: PaidSlip, week: date = WEEK) -> Any:
        profile = _profile(director=True, directorship=directorship)
        [slip] = _decided(_worker(_version(week_ending=week), profile=profile, history=list(history)))
        if slip.inp is None:
            return _reasons(slip)
        assert slip.inp.employee is not None
        return slip.inp.employee.director

    def test_an_appointment_within_the_year_counts_from_its_tax_week(self) -> None:
        before, after = (PaidSlip(day, 1, "A", 50000, 2064, 6060) for day in (date(2026, 4, 10), date(2026, 4, 17)))
        last_year = PaidSlip(date(2026, 4, 3), 1, "A", 90000, 0, 0)
        terms = self._terms(
            Directorship("standard", date(2026, 4, 15)), last_year, before, after, week=date(2026, 4, 19)
        )
        assert terms["pro_rata_weeks"] == 51
        assert (terms["earnings_to_date_pence"], terms["employee_paid_pence"]) == (50000, 2064)
        assert terms["last_payment_of_year"] is False

    def test_before_the_appointment_they_are_like_anybody(self) -> None:
        assert self._terms(Directorship("standard", date(2026, 6, 1))) is None

    def test_the_last_weekly_payday_of_the_year_settles_it(self) -> None:
        terms = self._terms(Directorship("alternative", date(2020, 6, 1)), week=date(2027, 3, 28))
        assert (terms["pro_rata_weeks"], terms["last_payment_of_year"]) == (52, True)

    def test_a_change_of_letter_in_the_year_carries_the_earnings_of_each(self) -> None:
        paid = PaidSlip(date(2026, 4, 10), 1, "M", 50000, 0, 0)
        terms = self._terms(Directorship("standard", date(2020, 6, 1)), paid, week=date(2026, 4, 12))
        assert terms["letters"] == [
            {"letter": "M", "earnings_pence": 50000, "employee_paid_pence": 0, "employer_paid_pence": 0}
        ]
        again = PaidSlip(date(2026, 4, 10), 1, "A", 50000, 0, 0)
        assert "letters" not in self._terms(Directorship("standard", date(2020, 6, 1)), again, week=date(2026, 4, 12))

    def test_inputs_of_before_directors_were_paid_still_load(self) -> None:
        stored = slip_input(charge(600)).as_json()
        del stored["employee"]["director"]
        assert work(input_of(stored)).figures["gross_pence"] == 12710


class TestBacs:
    ORIGINATOR = bacs.Originator("123456", "000009", "87654321", "Harbour & Vale Testing Ltd")

    def _file(self, *amounts: int) -> list[str]:
        credits = [
            bacs.Credit("000001", f"{n:08d}", f"Worker {n:05d} Testcäse", "PAY W/E 050426", amount)
            for n, amount in enumerate(amounts, 1)
        ]
        text = bacs.standard_18(
            self.ORIGINATOR, credits, processing_on=date(2026, 4, 9), created_on=date(2026, 4, 7), serial=3
        )
        assert text.endswith("\r\n")
        return text.split("\r\n")[:-1]

    def test_records_labels_and_totals(self) -> None:
        lines = self._file(12345, 1)
        assert [line[:4] for line in lines[:4]] == ["VOL1", "HDR1", "HDR2", "UHL1"]
        assert [len(line) for line in lines] == [80] * 4 + [100] * 3 + [80] * 3
        assert lines[4] == (
            "00000100000001" + "0" + "99" + "00000987654321" + "    " + "00000012345"
            "HARBOUR & VALE TES" + "PAY W/E 050426    " + "WORKER 00001 TESTC"
        )
        assert lines[6][15:17] == "17"
        assert lines[6][35:46] == "00000012346"
        assert lines[9][:44] == "UTL1" + "0000000012346" * 2 + "0000001" + "0000002"
        assert lines[3][4:10] == " 26099"

    def test_what_does_not_fit_is_refused(self) -> None:
        for amounts in ((), (0,), (10**11,), (6 * 10**10, 6 * 10**10)):
            with pytest.raises(bacs.NotBacs):
                self._file(*amounts)


class TestSubmission:
    def test_hours_bands(self) -> None:
        hours = (0, 15, 16, 23, 24, 29, 30, 60)
        assert [fps.hours_band(hour * 60 + 59) for hour in hours] == list("AABBCCDD")

    def test_codes(self) -> None:
        assert fps.regime_and_code("S1257L W1") == ("S", "1257L", "Y")
        assert fps.regime_and_code("BR") == ("", "BR", "")

    def test_no_cell_is_a_formula(self) -> None:
        assert fps.safe_cell("=1+1") == "'=1+1"
        assert fps.safe_cell("-12.50") == "-12.50"


class TestLeave:
    """What one payslip does to the leave ledger, without a database."""

    def _charge(self, minutes: int, week: date) -> Any:
        return replace(charge(abs(minutes)), minutes=minutes, week_ending=week, accrues=True)

    def _work(self, worked: dict[date, int], *charges: Any) -> leave.Outcome:
        before = leave.Standing(0, 0, 0, worked)
        return leave.work(before, charges, (), year_book(), date(2026, 4, 17))

    @given(st.lists(st.integers(0, 4000), min_size=1, max_size=5))
    def test_a_weeks_hours_earn_the_same_in_one_payslip_or_in_several(self, parts: list[int]) -> None:
        week, known, minutes, exact = date(2026, 4, 12), 0, 0, 0
        for part in parts:
            outcome = self._work({week: known}, self._charge(part, week))
            known, minutes, exact = known + part, minutes + outcome.earned_minutes, exact + outcome.exact
        whole = self._work({}, self._charge(sum(parts), week))
        assert (minutes, exact) == (whole.earned_minutes, whole.exact)

    def test_hours_taken_back_leave_nothing(self) -> None:
        week = date(2026, 4, 12)
        outcome = self._work({week: 2400}, self._charge(-2400, week))
        assert [(entry.minutes, entry.exact, entry.worked_minutes) for entry in outcome.entries] == [
            (-300, -2400 * 1207, -2400)
        ]
        with pytest.raises(EngineError, match="may not be negative"):
            self._work({}, self._charge(-60, week))

    def test_waiting_days_come_with_the_first_week_that_is_paid(self) -> None:
        span = leave.Span(date(2026, 1, 15), date(2026, 1, 30), 0)
        ledger = leave.Ledger(300, 0, 0, {date(2026, 1, 11): 2400}, {"sick": span}, empty=False)
        paid = StatutoryPay("SSP", "sick", date(2026, 1, 25), (date(2026, 1, 20),), 40000, 1, 5)
        found = leave.standing(ledger, (), (paid,), (), date(2026, 1, 18))
        assert found is not None
        assert [(each.days, each.ends_on, each.minutes_of_weeks) for each in found.absences] == [
            (11, date(2026, 1, 25), (2400,))
        ]
        counted = replace(ledger, absences={"sick": replace(span, days_counted=11)})
        later = replace(paid, week_ending=date(2026, 2, 1), dates=(date(2026, 1, 26),))
        again = leave.standing(counted, (), (later,), (), date(2026, 1, 18))
        assert again is not None
        assert [each.days for each in again.absences] == [5]

    def test_no_day_counts_after_the_employment_that_it_began_in(self) -> None:
        span = leave.Span(date(2026, 3, 23), date(2026, 5, 17), 9)
        ledger = leave.Ledger(300, 0, 0, {date(2026, 3, 15): 2400}, {"sick": span}, empty=False)

        def days(held: leave.Ledger) -> list[int]:
            found = leave.standing(held, (), (), (), date(2026, 10, 4))
            assert found is not None
            return [each.days for each in found.absences]

        assert days(ledger) == [47]
        assert days(replace(ledger, left_days=(date(2026, 3, 31),))) == []
        assert days(replace(ledger, left_days=(date(2026, 3, 31), date(2026, 9, 30)))) == []
        assert days(replace(ledger, left_days=(date(2026, 3, 29),))) == [-2]

    def test_days_of_a_fixed_working_week_earn_by_the_contract_alone(self) -> None:
        span = leave.Span(date(2026, 4, 1), date(2026, 9, 30), 0)
        contract = (WorkingWeek(date(2026, 4, 6), 50, 2250),)
        worked = {date(2026, 3, 15): 2400}
        ledger = leave.Ledger(300, 0, 0, worked, {"sick": span}, empty=False, contract=contract)

        def days(held: leave.Ledger) -> list[int]:
            found = leave.standing(held, (), (), (), date(2026, 10, 4))
            assert found is not None
            return [each.days for each in found.absences]

        assert days(ledger) == [5]
        assert days(replace(ledger, worked=worked | {date(2026, 4, 19): 600})) == [183]
        assert days(replace(ledger, contract=(*contract, WorkingWeek(date(2026, 9, 21), 0, 0)))) == [15]

    @pytest.mark.parametrize(
        ("minutes", "given", "left", "back"),
        [
            (240, 0, 27, 0),  # four times 7 days of 4 hours rounded to nothing; the rest gives 2 hours
            (1200, 480, 27, 0),
            (270, 240, 27, 0),  # a day alone gives nothing
            (2400, 1200, 14, -600),
            (270, 240, 0, -240),  # none is left: all of it
        ],
    )
    def test_a_shorter_absence_gives_no_more_and_takes_no_more_than_the_lost_days(
        self, minutes: int, given: int, left: int, back: int
    ) -> None:
        absent = leave.AbsentDays("sick", date(2026, 4, 26), left - 28, (minutes,), (given, 0, left))
        held = leave.Standing(given, 0, 0, {}, (absent,))
        for explain in (False, True):
            outcome = leave.work(held, (), (), year_book(), date(2026, 5, 1), explain=explain)
            assert [(entry.minutes, entry.absent_days) for entry in outcome.entries] == [(back, left - 28)]
        (node,) = outcome.nodes
        assert recompute(node) == node.result == back

    def test_an_absence_that_nothing_is_paid_for_is_counted_with_the_payslips_weeks(self) -> None:
        span = leave.Span(date(2026, 1, 15), date(2026, 1, 30), 0)
        ledger = leave.Ledger(300, 0, 0, {date(2026, 1, 11): 2400}, {"sick": span}, empty=False)

        def days(held: leave.Ledger, last_on: date) -> list[int]:
            found = leave.standing(held, (), (), (), last_on)
            assert found is not None
            return [each.days for each in found.absences]

        assert days(ledger, date(2026, 1, 11)) == []
        assert days(ledger, date(2026, 1, 18)) == [4]
        assert days(replace(ledger, absences={"sick": replace(span, days_counted=4)}), date(2026, 2, 1)) == [12]
        nothing_before = replace(ledger, worked={date(2026, 2, 8): 2400})
        assert (days(nothing_before, date(2026, 2, 1)), days(nothing_before, date(2026, 2, 8))) == ([16], [])

    def test_a_worker_without_accrued_holiday_has_no_leave(self) -> None:
        assert leave.standing(leave.Ledger(), (charge(60),), (), (), date(2026, 4, 12)) is None
