"""Who runs PAYE for the self-employed, when the CIS deducts, and which PayId a returner gets."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from pay_calc.domain.engine.engagements import PastEmployment, SoleTraderFacts, pay_id_for, sole_trader
from pay_calc.domain.engine.errors import EngineError
from pay_calc.rates import parameters_for_year

P26 = parameters_for_year("2026-27")
PAYDAY = date(2026, 6, 12)
FACTS = SoleTraderFacts(
    True, personal_service=True, controlled=False, construction_operations=True, cis_status="registered",
    verified_on=date(2026, 5, 1), evidence_ref="review 8",
)  # fmt: skip


class TestSoleTrader:
    @pytest.mark.parametrize(
        ("change", "regime", "rate"),
        [
            ({}, "cis", 2000),
            ({"controlled": True}, "agency_paye", None),
            ({"personal_service": False, "controlled": True}, "cis", 2000),
            ({"cis_status": "unmatched"}, "cis", 3000),
            ({"cis_status": "gross"}, "cis", 0),
            ({"construction_operations": False}, "gross", None),
            ({"client_is_public_body": True}, "gross", None),
            ({"through_intermediary": "own_company"}, "off_payroll", None),
            ({"through_intermediary": "umbrella", "controlled": True}, "umbrella", None),
            ({"supplied_to_client_through_agency": False, "controlled": None}, "cis", 2000),
            ({"verified_on": date(2020, 1, 1), "last_paid_on": date(2024, 4, 6)}, "cis", 2000),
        ],
    )
    def test_decisions(self, change: dict[str, Any], regime: str, rate: int | None) -> None:
        found = sole_trader(P26, replace(FACTS, **change), PAYDAY)
        assert (found.regime, found.cis_rate_bp) == (regime, rate)

    @pytest.mark.parametrize(
        ("change", "code", "field"),
        [
            ({"controlled": None}, "control_not_decided", "controlled"),
            ({"personal_service": None}, "control_not_decided", "personal_service"),
            ({"evidence_ref": ""}, "evidence_missing", "evidence_ref"),
            ({"verified_on": date(2026, 6, 13)}, "cis_not_verified", "verified_on"),
            ({"construction_operations": None}, "construction_not_decided", "construction_operations"),
            ({"cis_status": None}, "cis_not_verified", "cis_status"),
            ({"verified_on": None}, "cis_not_verified", "verified_on"),
            ({"verified_on": date(2020, 1, 1), "last_paid_on": date(2024, 4, 5)}, "cis_not_verified", "verified_on"),
        ],
    )
    def test_refusals(self, change: dict[str, Any], code: str, field: str) -> None:
        with pytest.raises(EngineError) as refused:
            sole_trader(P26, replace(FACTS, **change), PAYDAY)
        assert (refused.value.code, refused.value.field) == (code, field)


class TestReturners:
    GONE = PastEmployment("A1", date(2025, 9, 1), date(2026, 5, 8), date(2026, 5, 9))
    STAYS = PastEmployment("A1", date(2025, 9, 1), None, None)

    def test_a_new_starter(self) -> None:
        found = pay_id_for([], PAYDAY, "A1", casual=True)
        assert (found.pay_id, found.from_zero, found.previous_figures, found.irregular) == ("A1", True, False, True)

    def test_re_hired_after_a_p45(self) -> None:
        found = pay_id_for([self.GONE], PAYDAY, "A2")
        assert (found.pay_id, found.from_zero, found.previous_figures, found.changed) == ("A2", True, True, False)
        assert not pay_id_for([replace(self.GONE, left_on=date(2026, 4, 3))], PAYDAY, "A2").previous_figures

    def test_the_last_of_several_employments_decides(self) -> None:
        older = PastEmployment("A0", date(2024, 5, 1), date(2025, 3, 1), date(2025, 3, 2))
        for past in ([older, self.GONE], [self.GONE, older]):
            assert pay_id_for(past, PAYDAY, "A2").previous_figures
            for used in ("A0", "A1"):
                with pytest.raises(EngineError):
                    pay_id_for(past, PAYDAY, used)

    def test_goes_on_without_a_p45(self) -> None:
        found = pay_id_for([self.STAYS], PAYDAY, "A2")
        assert (found.pay_id, found.from_zero, found.changed) == ("A1", False, False)
        found = pay_id_for([self.STAYS], PAYDAY, "A2", change_pay_id=True)
        assert (found.pay_id, found.changed, found.old_pay_id, found.from_zero) == ("A2", True, "A1", False)

    @pytest.mark.parametrize(
        ("past", "start", "pay_id", "code"),
        [
            ([GONE], PAYDAY, "A1", "pay_id_used"),
            ([], PAYDAY, "", "pay_id_used"),
            ([STAYS, replace(STAYS, pay_id="A3")], PAYDAY, "A2", "employments_overlap"),
            ([GONE], date(2026, 5, 8), "A2", "employments_overlap"),
        ],
    )
    def test_refusals(self, past: list[PastEmployment], start: date, pay_id: str, code: str) -> None:
        with pytest.raises(EngineError) as refused:
            pay_id_for(past, start, pay_id)
        assert refused.value.code == code
