from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timesheet.domain import rates
from timesheet.domain.rates import RateCard, RateCardGap, RateCardInvalid, RateCardsOverlap, rate_card_from_dict
from timesheet.domain.rules import (
    Allowance,
    AllowancePer,
    DailyOvertime,
    MinimumCallOut,
    NightWindow,
    RuleInvalid,
    at_rate,
    multiplied,
)
from timesheet.domain.vocabulary import RateUnit

from .builders import at, card, rate


class TestMargin:
    def test_charge_from_markup_is_a_share_of_pay(self) -> None:
        assert rates.charge_from_markup(Decimal("12.71"), Decimal("33.75")) == Decimal("16.9996")

    def test_charge_from_margin_is_a_share_of_the_charge(self) -> None:
        assert rates.charge_from_margin(Decimal("12.71"), Decimal("25")) == Decimal("16.9467")

    def test_pay_from_either_side(self) -> None:
        assert rates.pay_from_charge_and_markup(Decimal("17"), Decimal("33.75")) == Decimal("12.7103")
        assert rates.pay_from_charge_and_margin(Decimal("17"), Decimal("25")) == Decimal("12.7500")

    def test_half_a_ten_thousandth_goes_up(self) -> None:
        assert rates.charge_from_markup(Decimal("0.0001"), Decimal("50")) == Decimal("0.0002")

    def test_percentages_back(self) -> None:
        assert rates.markup_pct_of(Decimal("10"), Decimal("15")) == Decimal("50.0000")
        assert rates.margin_pct_of(Decimal("10"), Decimal("15")) == Decimal("33.3333")
        assert rates.margin_pct_of(Decimal("15"), Decimal("10")) == Decimal("-50.0000")
        assert rates.margin_pct_of(Decimal("10"), Decimal("0")) is None

    @pytest.mark.parametrize("margin", ["100", "101", "NaN"])
    def test_a_margin_that_gives_no_charge_is_refused(self, margin: str) -> None:
        with pytest.raises((rates.MarginInvalid, ArithmeticError)):
            rates.charge_from_margin(Decimal("10"), Decimal(margin))

    @given(st.decimals(min_value=5, max_value=200, places=4), st.decimals(min_value=0, max_value=90, places=2))
    def test_margin_there_and_back_is_within_a_rounding(self, pay: Decimal, margin: Decimal) -> None:
        there = rates.charge_from_margin(pay, margin)
        assert abs(rates.pay_from_charge_and_margin(there, margin) - pay) <= Decimal("0.0001")


class TestCardByDate:
    old = card(version=1, effective_from=date(2026, 1, 1), effective_to=date(2026, 4, 1))
    new = card(version=2, effective_from=date(2026, 4, 6))

    def test_the_end_is_exclusive(self) -> None:
        assert rates.card_for([self.old, self.new], date(2026, 3, 31)) is self.old
        assert rates.card_for([self.old, self.new], date(2026, 4, 6)) is self.new

    def test_a_gap_names_its_dates(self) -> None:
        with pytest.raises(RateCardGap, match="from 2026-04-01 until 2026-04-06") as gap:
            rates.card_for([self.old, self.new], date(2026, 4, 3))
        assert (gap.value.missing_from, gap.value.missing_to) == (date(2026, 4, 1), date(2026, 4, 6))

    def test_before_everything_the_gap_is_open(self) -> None:
        with pytest.raises(RateCardGap, match="from the beginning until 2026-01-01"):
            rates.card_for([self.old], date(2025, 12, 31))

    def test_overlapping_versions_are_refused(self) -> None:
        other = card(version=3, effective_from=date(2026, 3, 31))
        with pytest.raises(RateCardsOverlap, match=r"versions 1 .* and 3"):
            rates.card_for([self.old, other], date(2026, 3, 31))
        with pytest.raises(RateCardsOverlap):
            rates.check_no_overlap([other, self.old])

    def test_a_new_version_ends_the_one_in_force(self) -> None:
        first = card(version=1)
        history = rates.with_new_version([first], card(version=2, effective_from=date(2026, 4, 1)))
        assert [one.effective_to for one in history] == [date(2026, 4, 1), None]

    def test_a_new_version_cannot_run_into_a_later_one(self) -> None:
        with pytest.raises(RateCardsOverlap):
            rates.with_new_version([self.old, self.new], card(version=3, effective_from=date(2026, 3, 1)))

    @given(st.integers(min_value=-40, max_value=40))
    def test_each_day_has_one_card_or_a_gap_that_contains_it(self, days: int) -> None:
        on = date(2026, 4, 3) + timedelta(days=days)
        if self.old.in_force(on) or self.new.in_force(on):
            assert rates.card_for([self.old, self.new], on).in_force(on)
            return
        with pytest.raises(RateCardGap) as gap:
            rates.card_for([self.old, self.new], on)
        assert gap.value.missing_from is None or gap.value.missing_from <= on
        assert gap.value.missing_to is None or on < gap.value.missing_to


class TestCardDocument:
    def full(self) -> RateCard:
        return card(
            DailyOvertime("ot", 480, multiplied("1.5", "1.25")),
            NightWindow("night", at("20:00"), at("06:00"), at_rate("nights")),
            MinimumCallOut("call-out", 240),
            Allowance("meal", AllowancePer.DAY, "meal"),
        )

    def test_a_card_survives_its_json(self) -> None:
        assert rate_card_from_dict(json.loads(json.dumps(self.full().to_dict()))).to_dict() == self.full().to_dict()

    @pytest.mark.parametrize(
        ("change", "pointer"),
        [
            ({"rates": []}, "/rates"),
            ({"standard_code": "basic"}, "/standard_code"),
            ({"effective_to": "2024-01-01"}, "/effective_to"),
            ({"effective_to": "soon"}, "/effective_to"),
            ({"id": "card-1"}, "/id"),
            ({"version": 0}, "/version"),
            ({"minutes_per_day": 450}, "/minutes_per_day"),
            ({"colour": "red"}, "/colour"),
            ({"rates": [{"code": "Standard", "unit": "hour"}]}, "/rates/0/code"),
            ({"rates": [{"code": "standard", "unit": "week"}]}, "/rates/0/unit"),
            ({"rates": [{"code": "standard", "unit": "hour", "pay_rate": "-1"}]}, "/rates/0/pay_rate"),
            ({"rates": [{"code": "standard", "unit": "hour", "pay_rate": "1.00001"}]}, "/rates/0/pay_rate"),
            ({"rates": [{"code": "standard", "unit": "hour", "pay_rate": "NaN"}]}, "/rates/0/pay_rate"),
            ({"rates": [{"code": "standard", "unit": "hour", "pay_rate": True}]}, "/rates/0/pay_rate"),
        ],
    )
    def test_a_refusal_points_at_the_field(self, change: dict[str, object], pointer: str) -> None:
        with pytest.raises(RateCardInvalid) as refused:
            rate_card_from_dict({**self.full().to_dict(), **change})
        assert refused.value.pointer == pointer

    def test_a_json_fraction_is_refused_with_what_to_write(self) -> None:
        data = {"code": "standard", "unit": "hour", "pay_rate": 12.71, "charge_rate": "17"}
        with pytest.raises(RateCardInvalid, match=r"in quotes.*12\.7100"):
            rates.named_rate_from_dict(data)

    def test_a_rule_names_only_rates_that_fit_it(self) -> None:
        with pytest.raises(RateCardInvalid, match="no rate 'double'"):
            card(DailyOvertime("ot", 480, at_rate("double")))
        with pytest.raises(RateCardInvalid, match="'mile' is per each"):
            card(DailyOvertime("ot", 480, at_rate("mile")))
        with pytest.raises(RateCardInvalid, match="per hour"):
            card(DailyOvertime("ot", 480, multiplied("1.5")), standard=rate("standard", "200", "250", RateUnit.DAY))

    def test_a_premium_is_rounded_to_four_decimals_once(self) -> None:
        premium = card(standard=rate("standard", "12.7105", "17.2345")).premium_rate(multiplied("1.33", "1.5"))
        assert (premium.pay_rate, premium.charge_rate) == (Decimal("16.9050"), Decimal("25.8518"))

    def test_rule_errors_inside_a_card_keep_their_pointer(self) -> None:
        rules = {"rules": [{"type": "daily_overtime", "rule_id": "ot", "after_minutes": "8h", "pay_multiplier": "2"}]}
        with pytest.raises(RuleInvalid) as refused:
            rate_card_from_dict({**self.full().to_dict(), "rules": rules})
        assert refused.value.pointer == "/rules/rules/0/after_minutes"
