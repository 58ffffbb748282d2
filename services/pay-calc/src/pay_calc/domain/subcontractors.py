"""What is known of a CIS subcontractor: who decided on the agency rules, how HMRC verified it, and which of its lines are materials."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from pay_calc.domain.engine.engagements import SoleTraderFacts, agency_rules

MATERIALS = frozenset({"materials", "plant_hire", "plant_fuel"})
"""Expense codes of what a subcontractor bought for the job, outside the deduction. Any other expense, such as travel, is part of the
labour element. Source: Finance Act 2004 s.61(1); HMRC CIS340, 3.13 to 3.16."""

_UTR = re.compile(r"[0-9]{10}")
_VERIFICATION = re.compile(r"V[0-9]{10}(/[A-Z]{1,2})?")


def utr_of(text: str) -> str:
    """A unique taxpayer reference without spaces. ValueError when it is not ten digits."""
    number = re.sub(r"\s", "", text)
    if _UTR.fullmatch(number) is None:
        raise ValueError("a unique taxpayer reference is ten digits")
    return number


def verification_number_of(text: str) -> str:
    """HMRC's verification number without spaces, in capitals. ValueError when it is not one."""
    number = re.sub(r"\s", "", text).upper()
    if _VERIFICATION.fullmatch(number) is None:
        raise ValueError(
            "a verification number is V and ten digits, with one or two letters after a slash at the higher rate"
        )
    return number


Finding = Literal["controlled", "not_controlled", "not_personal", "own_company_outside"]
NOT_DECIDED = "agency_rules_not_decided"


def agency_rules_hold(finding: Finding | None, evidence_ref: str) -> str | None:
    """The code of why a subcontractor may not be paid under the CIS: nobody has asked, or the agency has to run PAYE. Source: ITEPA 2003
    ss.44 to 47; a worker whose pay is employment income is outside the CIS (Finance Act 2004 s.60(3))."""
    if finding is None:
        return NOT_DECIDED
    if finding == "own_company_outside":
        return None
    facts = SoleTraderFacts(
        supplied_to_client_through_agency=True,
        personal_service=finding != "not_personal",
        controlled=finding == "controlled",
        evidence_ref=evidence_ref,
    )
    return None if agency_rules(facts) is None else "agency_rules_apply"


@dataclass(frozen=True, slots=True)
class Subcontractor:
    """HMRC's answer to the verification. `last_paid_on`: the last payday on which the agency paid the subcontractor."""

    rate_bp: int
    verified_on: date
    verification_number: str
    last_paid_on: date | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "rate_bp": self.rate_bp,
            "verified_on": self.verified_on.isoformat(),
            "verification_number": self.verification_number,
            "last_paid_on": None if self.last_paid_on is None else self.last_paid_on.isoformat(),
        }


def subcontractor_of(raw: Mapping[str, Any]) -> Subcontractor:
    """A subcontractor as `Subcontractor.as_json` wrote it."""
    last = raw["last_paid_on"]
    return Subcontractor(
        rate_bp=raw["rate_bp"],
        verified_on=date.fromisoformat(raw["verified_on"]),
        verification_number=raw["verification_number"],
        last_paid_on=None if last is None else date.fromisoformat(last),
    )
