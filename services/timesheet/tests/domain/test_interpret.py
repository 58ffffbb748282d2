from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from timesheet.domain.bank_holidays import BankHolidayYearUnknown
from timesheet.domain.entries import Expense, UnitEntry, WeekRefused, WorkedWeek
from timesheet.domain.explain import explain_line
from timesheet.domain.lines import ChargeLine, Interpretation
from timesheet.domain.rules import (
    Allowance,
    AllowancePer,
    BankHolidayPremium,
    Choose,
    Counts,
    DailyOvertime,
    DayOfWeekPremium,
    Division,
    MinimumCallOut,
    NightWindow,
    OvertimeDay,
    PremiumKind,
    WeeklyOvertime,
    at_rate,
    multiplied,
)
from timesheet.domain.vocabulary import Applies, Element, LineKind, RateUnit

from .builders import GOOD_FRIDAY, MONDAY, SUNDAY, at, card, charge, five_days, only, rate, shift, week

DAILY = DailyOvertime("ot-day", 480, multiplied("1.5"))
WEEKLY = WeeklyOvertime("ot-week", 2400, multiplied("1.5"))
SATURDAY_RULE = DayOfWeekPremium("sat", PremiumKind.SATURDAY, multiplied("1.5"))
SUNDAY_RULE = DayOfWeekPremium("sun", PremiumKind.SUNDAY, multiplied("2"))
BANK = BankHolidayPremium("bh", Division.ENGLAND_AND_WALES, multiplied("2", "2.25"))
NIGHT = NightWindow("night", at("20:00"), at("06:00"), at_rate("nights"))
SATURDAY = SUNDAY - timedelta(days=1)
AUTUMN = date(2026, 10, 25)


def minutes(week_lines: Interpretation) -> dict[str, int]:
    return {line.rule_id: line.minutes for line in week_lines.lines}


class TestStandard:
    def test_a_plain_week_is_one_line(self) -> None:
        result = charge(week(*five_days("08:00", "16:30", 30)), card())
        (line,) = result.lines
        assert (line.ordinal, line.kind, line.element, line.rate_code) == (1, LineKind.TIME, Element.BASIC, "standard")
        assert (line.minutes, line.units, line.rule_id) == (2400, None, "standard")
        assert (line.pay_pence, line.charge_pence) == (50840, 68000)
        assert (line.pay_rate, line.basic_pay_rate, line.charge_rate) == (
            Decimal("12.7100"), Decimal("12.7100"), Decimal("17.0000"),
        )  # fmt: skip
        assert line.days == tuple((MONDAY + timedelta(days=n), 480) for n in range(5))

    def test_the_penny_is_rounded_half_up_once_a_line(self) -> None:
        twice = week(shift(MONDAY, "08:00", "08:01"), shift(SATURDAY, "08:00", "08:02"))
        assert charge(twice, card(standard=rate("standard", "0.10", "0.30"))).lines[0].pay_pence == 1  # 0.5p
        assert charge(twice, card(standard=rate("standard", "0.0999", "0.30"))).lines[0].pay_pence == 0

    def test_an_empty_week_has_no_lines(self) -> None:
        assert charge(week(), card()).lines == ()

    def test_entries_in_any_order_make_the_same_lines(self) -> None:
        entries = (*five_days("08:00", "18:00"), shift(SATURDAY, "20:00", "02:00"))
        rules = (DAILY, WEEKLY, SATURDAY_RULE, NIGHT)
        assert charge(week(*reversed(entries)), card(*rules)) == charge(week(*entries), card(*rules))


class TestPremiums:
    def test_daily_overtime(self) -> None:
        result = charge(week(*five_days("08:00", "18:30", 30)), card(DAILY))
        assert minutes(result) == {"standard": 2400, "ot-day": 600}
        overtime = only(result, Element.OVERTIME)
        assert (overtime.pay_rate, overtime.basic_pay_rate) == (Decimal("19.0650"), Decimal("12.7100"))
        assert overtime.pay_pence == 19065

    def test_tiers_of_daily_overtime(self) -> None:
        double = DailyOvertime("ot-double", 600, multiplied("2"))
        result = charge(week(shift(MONDAY, "06:00", "18:00")), card(DAILY, double))
        assert minutes(result) == {"standard": 480, "ot-day": 120, "ot-double": 120}

    def test_a_night_shift_is_one_working_day_by_default(self) -> None:
        night = week(shift(MONDAY, "20:00", "06:00"))
        assert minutes(charge(night, card(DAILY))) == {"standard": 480, "ot-day": 120}
        by_calendar = DailyOvertime("ot-day", 480, multiplied("1.5"), OvertimeDay.CALENDAR_DAY)
        assert minutes(charge(night, card(by_calendar))) == {"standard": 600}

    def test_weekly_overtime_counts_in_the_order_worked(self) -> None:
        result = charge(week(*five_days("08:00", "17:00")), card(WEEKLY))
        assert minutes(result) == {"standard": 2400, "ot-week": 300}
        assert only(result, Element.OVERTIME).days == ((GOOD_FRIDAY, 300),)

    def test_weekly_overtime_can_leave_premium_time_out(self) -> None:
        entries = (shift(MONDAY, "08:00", "18:00"), shift(SATURDAY, "08:00", "12:00"), shift(SUNDAY, "08:00", "12:00"))
        every = WeeklyOvertime("ot-week", 600, multiplied("1.5"))
        outside = WeeklyOvertime("ot-week", 600, multiplied("1.5"), Counts.OUTSIDE_PREMIUMS)
        assert minutes(charge(week(*entries), card(every, SATURDAY_RULE))) == {
            "standard": 600,
            "ot-week": 240,
            "sat": 240,
        }
        assert minutes(charge(week(*entries), card(outside, SATURDAY_RULE))) == {
            "standard": 600,
            "ot-week": 240,
            "sat": 240,
        }
        early = (shift(MONDAY, "08:00", "17:00"), *entries[1:])
        assert minutes(charge(week(*early), card(outside, SATURDAY_RULE))) == {
            "standard": 600,
            "ot-week": 180,
            "sat": 240,
        }

    def test_weekly_overtime_can_leave_daily_overtime_out(self) -> None:
        ten_hours = week(*five_days("08:00", "18:00"))
        outside = WeeklyOvertime("ot-week", 2400, multiplied("1.5"), Counts.OUTSIDE_PREMIUMS)
        # Friday's last two hours are past both thresholds, and weekly overtime has the better right.
        assert minutes(charge(ten_hours, card(DAILY, outside))) == {"standard": 2400, "ot-day": 480, "ot-week": 120}
        assert minutes(charge(ten_hours, card(DAILY, WEEKLY))) == {"standard": 1920, "ot-day": 480, "ot-week": 600}

    def test_the_night_window_cuts_a_shift(self) -> None:
        result = charge(week(shift(MONDAY, "18:00", "08:00")), card(NIGHT))
        assert minutes(result) == {"standard": 240, "night": 600}
        night = only(result, Element.NIGHT)
        assert (night.rate_code, night.pay_rate, night.basic_pay_rate) == (
            "nights",
            Decimal("15.0000"),
            Decimal("12.7100"),
        )
        assert night.days == ((MONDAY, 240), (MONDAY + timedelta(days=1), 360))

    def test_weekend_premiums_follow_the_calendar_day(self) -> None:
        result = charge(
            week(shift(SATURDAY, "22:00", "06:00"), shift(SUNDAY, "22:00", "06:00")), card(SATURDAY_RULE, SUNDAY_RULE)
        )
        assert minutes(result) == {"sat": 120, "sun": 480, "standard": 360}

    def test_good_friday(self) -> None:
        result = charge(week(shift(GOOD_FRIDAY - timedelta(days=1), "22:00", "06:00")), card(BANK))
        assert minutes(result) == {"standard": 120, "bh": 360}
        line = only(result, Element.BANK_HOLIDAY)
        assert (line.pay_rate, line.charge_rate, line.pay_pence) == (Decimal("25.4200"), Decimal("38.2500"), 15252)

    def test_easter_monday_is_no_bank_holiday_in_scotland(self) -> None:
        monday = shift(date(2026, 4, 6), "08:00", "16:00")
        worked = WorkedWeek(date(2026, 4, 12), (monday,))
        assert minutes(charge(worked, card(BANK))) == {"bh": 480}
        scottish = BankHolidayPremium("bh", Division.SCOTLAND, multiplied("2"))
        assert minutes(charge(worked, card(scottish))) == {"standard": 480}

    def test_an_unknown_year_is_refused_only_when_it_matters(self) -> None:
        worked = WorkedWeek(date(2028, 1, 9), (shift(date(2028, 1, 3), "08:00", "16:00"),))
        assert minutes(charge(worked, card(DAILY))) == {"standard": 480}
        with pytest.raises(BankHolidayYearUnknown):
            charge(worked, card(BANK))

    def test_the_default_priority(self) -> None:
        rules = (DAILY, WeeklyOvertime("ot-week", 0, multiplied("1.6")), NIGHT, SATURDAY_RULE, SUNDAY_RULE, BANK)
        result = charge(
            week(
                shift(MONDAY, "08:00", "18:00"), shift(MONDAY + timedelta(days=1), "20:00", "22:00"),
                shift(GOOD_FRIDAY, "22:00", "02:00"), shift(SUNDAY, "20:00", "22:00"),
            ),
            card(*rules),
        )  # fmt: skip
        assert minutes(result) == {"ot-week": 600, "night": 120, "bh": 120, "sat": 120, "sun": 120}

    def test_the_card_can_order_its_own_priority(self) -> None:
        order = (PremiumKind.NIGHT, PremiumKind.BANK_HOLIDAY)
        result = charge(week(shift(GOOD_FRIDAY, "18:00", "22:00")), card(NIGHT, BANK, priority=order))
        assert minutes(result) == {"night": 120, "bh": 120}

    def test_best_for_worker_takes_the_highest_rate(self) -> None:
        better_night = NightWindow("night", at("20:00"), at("06:00"), multiplied("3"))
        poor_saturday = DayOfWeekPremium("sat", PremiumKind.SATURDAY, multiplied("0.9"))
        rules = (better_night, poor_saturday)
        worked = week(shift(SATURDAY, "18:00", "22:00"))
        assert minutes(charge(worked, card(*rules))) == {"sat": 240}
        assert minutes(charge(worked, card(*rules, choose=Choose.BEST_FOR_WORKER))) == {"standard": 120, "night": 120}


class TestClockChanges:
    def test_the_spring_night_has_seven_hours(self) -> None:
        saturday = date(2026, 3, 28)
        result = charge(
            WorkedWeek(date(2026, 3, 29), (shift(saturday, "22:00", "06:00"),)), card(SATURDAY_RULE, SUNDAY_RULE)
        )
        assert minutes(result) == {"sat": 120, "sun": 300}

    def test_the_autumn_night_has_nine_hours(self) -> None:
        result = charge(WorkedWeek(AUTUMN, (shift(AUTUMN - timedelta(days=1), "22:00", "06:00"),)), card(DAILY))
        assert minutes(result) == {"standard": 480, "ot-day": 60}

    def test_a_window_edge_in_the_repeated_hour_follows_the_wall_clock(self) -> None:
        window = NightWindow("night", at("00:00"), at("01:30"), multiplied("1.3"))
        result = charge(WorkedWeek(AUTUMN, (shift(AUTUMN, "00:00", "04:00"),)), card(window))
        assert minutes(result) == {"night": 120, "standard": 180}

    def test_a_window_edge_in_the_missing_hour(self) -> None:
        spring = date(2026, 3, 29)
        window = NightWindow("night", at("00:00"), at("01:30"), multiplied("1.3"))
        result = charge(WorkedWeek(spring, (shift(spring, "00:00", "04:00"),)), card(window))
        assert minutes(result) == {"night": 60, "standard": 120}


class TestRateChange:
    old = card(DAILY, version=1, effective_to=date(2026, 4, 1))
    new = card(DAILY, version=2, effective_from=date(2026, 4, 1), standard=rate("standard", "13.45", "18.00"))

    def test_a_mid_week_change_picks_the_card_of_each_day(self) -> None:
        result = charge(week(*five_days("08:00", "16:00")), self.new, self.old)
        assert [(line.rate_card_version, line.minutes, line.pay_pence) for line in result.lines] == [
            (1, 960, 20336), (2, 1440, 32280),
        ]  # fmt: skip

    def test_a_night_shift_over_the_change_is_cut_at_midnight(self) -> None:
        result = charge(week(shift(date(2026, 3, 31), "20:00", "06:00")), self.new, self.old)
        assert [(line.rate_card_version, line.element, line.minutes) for line in result.lines] == [
            (1, Element.BASIC, 240), (2, Element.BASIC, 240), (2, Element.OVERTIME, 120),
        ]  # fmt: skip

    def test_a_gap_is_refused(self) -> None:
        with pytest.raises(WeekRefused, match="no rate card is in force on 2026-04-01"):
            charge(week(*five_days("08:00", "16:00")), self.old)


class TestCallOut:
    rule = MinimumCallOut("call-out", 240)

    def test_a_short_turn_out_is_topped_up_on_its_own_line(self) -> None:
        result = charge(week(shift(SATURDAY, "08:00", "10:00")), card(SATURDAY_RULE, self.rule))
        top_up = only(result, Element.CALL_OUT)
        assert (top_up.kind, top_up.minutes, top_up.rule_id) == (LineKind.CALL_OUT, 120, "call-out")
        assert (top_up.pay_pence, top_up.charge_pence) == (2542, 3400)
        assert (result.worked_minutes, result.payable_minutes) == (120, 240)

    def test_each_turn_out_counts_but_a_cut_shift_is_one(self) -> None:
        apart = week(shift(MONDAY, "08:00", "10:00"), shift(MONDAY, "12:00", "14:00"))
        assert only(charge(apart, card(self.rule)), Element.CALL_OUT).minutes == 240
        cut = week(shift(MONDAY, "08:00", "09:00"), shift(MONDAY, "09:00", "10:00"))
        assert only(charge(cut, card(self.rule)), Element.CALL_OUT).minutes == 120

    def test_at_or_over_the_minimum_there_is_no_line(self) -> None:
        assert minutes(charge(week(shift(MONDAY, "08:00", "12:00")), card(self.rule))) == {"standard": 240}

    def test_hours_without_a_clock_are_a_turn_out_a_day(self) -> None:
        one = UnitEntry(MONDAY, RateUnit.HOUR, Decimal("2.5"))
        assert only(charge(week(one), card(self.rule)), Element.CALL_OUT).minutes == 90


class TestUnitsAndExtras:
    def test_clockless_hours_take_day_and_overtime_rules_but_no_night(self) -> None:
        entries = tuple(UnitEntry(MONDAY + timedelta(days=n), RateUnit.HOUR, Decimal(10)) for n in (0, 4))
        assert minutes(charge(week(*entries), card(DAILY, NIGHT, BANK))) == {"standard": 480, "ot-day": 120, "bh": 600}

    def test_hours_at_a_named_rate_are_charged_as_entered(self) -> None:
        entries = (
            UnitEntry(MONDAY, RateUnit.HOUR, Decimal(40), None),
            UnitEntry(MONDAY, RateUnit.HOUR, Decimal(5), "overtime"),
        )
        spread = tuple(UnitEntry(MONDAY + timedelta(days=n), RateUnit.HOUR, Decimal(8)) for n in range(5))
        with pytest.raises(WeekRefused, match="45 h on 2026-03-30"):
            charge(week(*entries), card())
        result = charge(week(*spread, entries[1]), card(WEEKLY))
        line = only(result, Element.OVERTIME)
        assert (line.rule_id, line.rate_code, line.minutes) == ("entered", "overtime", 300)
        assert (line.pay_rate, line.basic_pay_rate) == (Decimal("19.0650"), Decimal("12.7100"))
        assert result.worked_minutes == 2700

    def test_a_named_shift_keeps_its_rate_on_every_day_it_touches(self) -> None:
        result = charge(week(shift(SATURDAY, "22:00", "06:00", rate_code="nights")), card(SATURDAY_RULE, NIGHT))
        (line,) = result.lines
        assert (line.rate_code, line.element, line.days) == ("nights", Element.BASIC, ((SATURDAY, 120), (SUNDAY, 360)))

    def test_pay_only_and_bill_only(self) -> None:
        entries = (
            shift(MONDAY, "08:00", "10:00", rate_code="training"),
            shift(MONDAY, "10:00", "12:00", rate_code="supervision"),
        )
        result = charge(week(*entries), card())
        sides = {
            line.rate_code: (line.payable, line.billable, line.pay_pence, line.charge_pence) for line in result.lines
        }
        assert sides == {"training": (True, False, 2542, 0), "supervision": (False, True, 0, 900)}
        assert (result.worked_minutes, result.payable_minutes, result.billable_minutes) == (240, 120, 120)

    def test_a_side_that_does_not_apply_costs_nothing_whatever_its_rate(self) -> None:
        paid = rate("standard", "12.71", "17.00", applies=Applies.PAY_ONLY)
        (line,) = charge(week(shift(MONDAY, "08:00", "16:00")), card(standard=paid)).lines
        assert (line.charge_rate, line.charge_pence, line.billable) == (Decimal("0.0000"), 0, False)

    def test_days_in_quarters_tie_out_in_minutes(self) -> None:
        daily = rate("standard", "200.00", "250.00", RateUnit.DAY)
        entries = (
            UnitEntry(MONDAY, RateUnit.DAY, Decimal(1)), UnitEntry(MONDAY + timedelta(days=1), RateUnit.DAY, Decimal("0.25")),
            UnitEntry(GOOD_FRIDAY, RateUnit.DAY, Decimal("0.5")),
        )  # fmt: skip
        result = charge(week(*entries), card(BANK, standard=daily))
        assert [(line.rule_id, line.units, line.minutes, line.pay_pence, line.charge_pence) for line in result.lines] == [
            ("standard", Decimal("1.25"), 600, 25000, 31250), ("bh", Decimal("0.5"), 240, 20000, 28125),
        ]  # fmt: skip
        assert result.payable_units == Decimal("1.75")

    def test_items_are_no_minutes(self) -> None:
        (line,) = charge(week(UnitEntry(MONDAY, RateUnit.EACH, Decimal("12.5"), "mile")), card()).lines
        assert (line.kind, line.units, line.minutes, line.pay_pence) == (LineKind.ALLOWANCE, Decimal("12.5"), 0, 563)

    def test_allowances(self) -> None:
        rules = (
            Allowance("meal", AllowancePer.DAY, "meal"), Allowance("tools", AllowancePer.HOUR, "tools"),
            Allowance("mile", AllowancePer.TIMESHEET, "mile"),
        )  # fmt: skip
        result = charge(week(shift(MONDAY, "22:00", "06:00"), shift(GOOD_FRIDAY, "08:00", "10:00")), card(*rules))
        by_rule = {line.rule_id: (line.kind, line.minutes, line.units, line.pay_pence) for line in result.lines}
        assert by_rule["meal"] == (LineKind.ALLOWANCE, 0, Decimal(2), 1000)
        assert by_rule["tools"] == (LineKind.ALLOWANCE, 600, None, 250)
        assert by_rule["mile"] == (LineKind.ALLOWANCE, 0, Decimal(1), 45)
        assert result.worked_minutes == 600

    def test_no_work_no_allowance(self) -> None:
        assert charge(week(), card(Allowance("meal", AllowancePer.DAY, "meal"))).lines == ()

    def test_expenses(self) -> None:
        expenses = (
            Expense(MONDAY, "rail", Decimal("12.40"), Decimal("12.40")), Expense(GOOD_FRIDAY, "rail", Decimal("12.40"), Decimal("12.40")),
            Expense(MONDAY, "hotel", Decimal("80"), Decimal(0), Applies.PAY_ONLY),
        )  # fmt: skip
        result = charge(week(expenses=expenses), card())
        assert [(line.rate_code, line.units, line.pay_pence, line.charge_pence, line.billable) for line in result.lines] == [
            ("hotel", Decimal(1), 8000, 0, False), ("rail", Decimal(2), 2480, 2480, True),
        ]  # fmt: skip


class TestExplain:
    def line(self, result: Interpretation, rule_id: str) -> ChargeLine:
        return next(line for line in result.lines if line.rule_id == rule_id)

    def test_words_first_then_the_sum_then_the_source(self) -> None:
        versioned = card(DAILY, MinimumCallOut("call-out", 240), NIGHT, BANK, version=3)
        result = charge(week(shift(MONDAY, "08:00", "18:30"), shift(GOOD_FRIDAY, "08:00", "09:00")), versioned)
        assert explain_line(self.line(result, "ot-day"), versioned) == (
            "Overtime after 8 h a day: paid 2 h 30 min × £19.065 (1.5 × £12.71) = £47.66; "
            "charged 2 h 30 min × £25.50 (1.5 × £17.00) = £63.75. Rate card v3, rule 'ot-day', rate 'standard'."
        )
        assert explain_line(self.line(result, "bh"), versioned).startswith(
            "Bank holiday in England and Wales: paid 1 h × £25.42"
        )
        assert explain_line(self.line(result, "call-out"), versioned).startswith(
            "Top-up to the minimum call-out of 4 h: paid 3 h"
        )
        assert explain_line(self.line(result, "standard")).startswith(
            "Basic time: paid 8 h × £12.71 = £101.68; charged 8 h × £17.00"
        )

    def test_one_sided_lines_say_so(self) -> None:
        (line,) = charge(week(shift(MONDAY, "08:00", "10:00", rate_code="training")), card()).lines
        assert explain_line(line, card()) == (
            "Training: paid 2 h × £12.71 = £25.42. Rate card v1, rate 'training' as entered. Not charged to the client."
        )

    def test_another_card_cannot_explain_it(self) -> None:
        (line,) = charge(week(shift(MONDAY, "08:00", "10:00")), card()).lines
        with pytest.raises(ValueError, match=r"v1, not .* v2"):
            explain_line(line, card(version=2))
