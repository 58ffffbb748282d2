from __future__ import annotations

import pytest

from timesheet.domain.rules import (
    Choose,
    DailyOvertime,
    NightWindow,
    PremiumKind,
    RuleInvalid,
    RuleSet,
    multiplied,
    rules_from_dict,
)

from .builders import at

DOCUMENT: dict[str, object] = {
    "choose": "best_for_worker",
    "priority": [kind.value for kind in PremiumKind],
    "rules": [
        {"type": "daily_overtime", "rule_id": "ot-1", "after_minutes": 480, "pay_multiplier": "1.5",
         "charge_multiplier": "1.25", "day": "calendar_day", "counts": "outside_premiums"},
        {"type": "daily_overtime", "rule_id": "ot-2", "after_minutes": 720, "pay_multiplier": "2",
         "charge_multiplier": "2", "day": "working_day", "counts": "all"},
        {"type": "weekly_overtime", "rule_id": "ot-week", "after_minutes": 2400, "counts": "all", "rate_code": "overtime"},
        {"type": "day_of_week", "rule_id": "sat", "day": "saturday", "pay_multiplier": "1.5", "charge_multiplier": "1.5"},
        {"type": "day_of_week", "rule_id": "sun", "day": "sunday", "pay_multiplier": "2", "charge_multiplier": "2"},
        {"type": "bank_holiday", "rule_id": "bh", "division": "scotland", "rate_code": "bank"},
        {"type": "night", "rule_id": "night", "start": "20:00", "end": "06:00", "rate_code": "nights"},
        {"type": "minimum_call_out", "rule_id": "call-out", "minutes": 240},
        {"type": "allowance", "rule_id": "meal", "per": "day", "rate_code": "meal"},
    ],
}  # fmt: skip


class TestDocument:
    def test_every_rule_survives_its_json(self) -> None:
        assert rules_from_dict(DOCUMENT).to_dict() == DOCUMENT

    def test_defaults(self) -> None:
        rules = rules_from_dict({"rules": []})
        assert (rules.choose, rules.priority) == (Choose.PRIORITY, tuple(PremiumKind))

    def test_the_charge_multiplier_is_the_pay_multiplier_when_absent(self) -> None:
        rule = {"type": "day_of_week", "rule_id": "sat", "day": "saturday", "pay_multiplier": "1.5"}
        assert rules_from_dict({"rules": [rule]}).rules[0].premium == multiplied("1.5")  # type: ignore[union-attr]

    @pytest.mark.parametrize(
        ("rule", "pointer"),
        [
            ("overtime", "/rules/rules/0"),
            ({"type": "lunch"}, "/rules/rules/0/type"),
            ({"type": "daily_overtime", "rule_id": "ot", "pay_multiplier": "1.5"}, "/rules/rules/0/after_minutes"),
            ({"type": "daily_overtime", "rule_id": "ot", "after_minutes": 480}, "/rules/rules/0/pay_multiplier"),
            ({"type": "daily_overtime", "rule_id": "ot", "after_minutes": 480, "rate_code": "a", "pay_multiplier": "1"},
             "/rules/rules/0/pay_multiplier"),
            ({"type": "day_of_week", "rule_id": "x", "day": "friday", "pay_multiplier": "2"}, "/rules/rules/0/day"),
            ({"type": "bank_holiday", "rule_id": "x", "division": "wales", "pay_multiplier": "2"}, "/rules/rules/0/division"),
            ({"type": "night", "rule_id": "x", "start": "8pm", "end": "06:00", "pay_multiplier": "2"}, "/rules/rules/0/start"),
            ({"type": "night", "rule_id": "x", "start": "06:00", "end": "06:00", "pay_multiplier": "2"}, "/rules/rules/0/end"),
            ({"type": "night", "rule_id": "N!", "start": "20:00", "end": "06:00", "pay_multiplier": "2"},
             "/rules/rules/0/rule_id"),
            ({"type": "day_of_week", "rule_id": "x", "day": "sunday", "pay_multiplier": "11"}, "/rules/rules/0/pay_multiplier"),
            ({"type": "minimum_call_out", "rule_id": "x", "minutes": 0}, "/rules/rules/0/minutes"),
            ({"type": "allowance", "rule_id": "x", "per": "week", "rate_code": "meal"}, "/rules/rules/0/per"),
            ({"type": "allowance", "rule_id": "x", "per": "day", "rate_code": "meal", "note": "?"}, "/rules/rules/0/note"),
            ({"type": "allowance", "rule_id": "standard", "per": "day", "rate_code": "meal"}, "/rules/rules/0/rule_id"),
        ],
    )  # fmt: skip
    def test_a_refusal_points_at_the_field(self, rule: object, pointer: str) -> None:
        with pytest.raises(RuleInvalid) as refused:
            rules_from_dict({"rules": [rule]})
        assert refused.value.pointer == pointer

    def test_rules_must_be_a_short_list(self) -> None:
        with pytest.raises(RuleInvalid, match="must be a list"):
            rules_from_dict({"rules": "all"})
        with pytest.raises(RuleInvalid, match="at most 40"):
            rules_from_dict({"rules": [{}] * 41})


class TestTogether:
    def test_two_rules_cannot_share_an_id(self) -> None:
        with pytest.raises(RuleInvalid, match="used twice"):
            RuleSet((DailyOvertime("ot", 480, multiplied("1.5")), DailyOvertime("ot", 600, multiplied("2"))))

    def test_two_rules_cannot_claim_the_same_time(self) -> None:
        with pytest.raises(RuleInvalid, match="claims the same time as 'a'"):
            RuleSet((DailyOvertime("a", 480, multiplied("1.5")), DailyOvertime("b", 480, multiplied("2"))))

    def test_a_rule_left_out_of_the_priority_list_is_refused_not_ignored(self) -> None:
        with pytest.raises(RuleInvalid, match="priority list does not name daily_overtime"):
            RuleSet((DailyOvertime("a", 480, multiplied("1.5")),), priority=(PremiumKind.NIGHT,))

    def test_a_kind_cannot_be_listed_twice(self) -> None:
        with pytest.raises(RuleInvalid, match="listed twice"):
            rules_from_dict({"rules": [], "priority": ["night", "night"]})


class TestNightWindow:
    over_midnight = NightWindow("n", at("20:00"), at("06:00"), multiplied("1.3"))
    same_day = NightWindow("n", at("00:00"), at("05:00"), multiplied("1.3"))

    @pytest.mark.parametrize(
        ("clock", "inside"), [("19:59", False), ("20:00", True), ("00:00", True), ("05:59", True), ("06:00", False)]
    )
    def test_over_midnight(self, clock: str, inside: bool) -> None:
        assert self.over_midnight.covers(at(clock)) is inside

    @pytest.mark.parametrize(
        ("clock", "inside"), [("23:59", False), ("00:00", True), ("04:59", True), ("05:00", False)]
    )
    def test_within_a_day(self, clock: str, inside: bool) -> None:
        assert self.same_day.covers(at(clock)) is inside
