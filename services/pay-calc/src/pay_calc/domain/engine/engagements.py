"""Decisions about an engagement before any pay is worked: who runs PAYE, whether the CIS applies, and which PayId a returner gets.

Pure decisions over recorded facts; a fact that nobody recorded is refused by name, never presumed. Source: ITEPA 2003 ss.44 to 47 (agency
rules, Chapter 7) and Chapters 10 and 11; Finance Act 2004 ss.57 to 69; PAYE Regulations 2003; HMRC, PAYE manual and CIS340.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.parameters import YearParameters, tax_year_of

# Self-employed workers


@dataclass(frozen=True, slots=True)
class SoleTraderFacts:
    """What is on file of a self-employed worker's engagement. None: not decided yet.

    `controlled`: a right of supervision, direction or control over the manner of the work, by anyone. `personal_service`: the worker
    serves in person. `through_intermediary`: supplied by an own company or partnership (Chapter 10), or employed by an
    umbrella.
    """

    supplied_to_client_through_agency: bool
    personal_service: bool | None
    controlled: bool | None
    through_intermediary: Literal["none", "own_company", "umbrella"] = "none"
    construction_operations: bool | None = None
    client_is_public_body: bool = False
    cis_status: Literal["gross", "registered", "unmatched"] | None = None
    verified_on: date | None = None
    last_paid_on: date | None = None
    evidence_ref: str = ""


@dataclass(frozen=True, slots=True)
class EngagementDecision:
    """`regime`: agency_paye (Chapter 7: the agency runs PAYE and Class 1), off_payroll (Chapter 10), umbrella, cis (deduct at
    `cis_rate_bp` of labour), gross (pay without deduction and report as an intermediary)."""

    regime: Literal["agency_paye", "off_payroll", "umbrella", "cis", "gross"]
    cis_rate_bp: int | None
    words: str


def sole_trader(parameters: YearParameters, facts: SoleTraderFacts, payday_on: date) -> EngagementDecision:
    """Chapter 7 first, then the CIS: a worker on PAYE is outside the scheme.

    No control decided by a person needs its evidence on file. CIS: public bodies are outside since 6 April 2026; a subcontractor not paid
    in this or the two previous tax years is verified again before the payment.
    """
    decided = agency_rules(facts)
    if decided is not None:
        return decided
    if facts.construction_operations is None:
        raise EngineError(
            "construction_not_decided", "Record whether the work is construction operations.", "construction_operations"
        )
    if not facts.construction_operations:
        return EngagementDecision("gross", None, "no control and no construction: paid gross and reported")
    if facts.client_is_public_body and payday_on >= date(2026, 4, 6):
        return EngagementDecision("gross", None, "payments for public bodies are outside the CIS since 6 April 2026")
    return _cis(parameters, facts, payday_on)


def agency_rules(facts: SoleTraderFacts) -> EngagementDecision | None:
    """What Chapters 7, 10 and 11 say of the engagement; None where none of them takes it and the worker may be paid as self-employed."""
    if facts.through_intermediary == "own_company":
        return EngagementDecision("off_payroll", None, "supplied by an own company: Chapter 10 decides")
    if facts.through_intermediary == "umbrella":
        return EngagementDecision("umbrella", None, "employed by an umbrella: no agency rules")
    if facts.supplied_to_client_through_agency:
        if facts.personal_service is None or facts.controlled is None:
            raise EngineError(
                "control_not_decided",
                "Record whether the worker serves in person and whether anyone may supervise, direct or control how.",
                "controlled" if facts.personal_service is not None else "personal_service",
            )
        if facts.personal_service and facts.controlled:
            return EngagementDecision("agency_paye", None, "supervision, direction or control: the agency runs PAYE")
        if not facts.evidence_ref:
            raise EngineError(
                "evidence_missing", "A finding against the agency rules needs its evidence on file.", "evidence_ref"
            )
    return None


def _cis(parameters: YearParameters, facts: SoleTraderFacts, payday_on: date) -> EngagementDecision:
    if facts.cis_status is None:
        raise EngineError("cis_not_verified", _UNVERIFIED, "cis_status")
    require_verified(facts.verified_on, facts.last_paid_on, payday_on)
    gross, registered, unmatched = parameters.cis_rates_bp
    rate = {"gross": gross, "registered": registered, "unmatched": unmatched}[facts.cis_status]
    return EngagementDecision("cis", rate, f"CIS at {rate // 100} % of labour ({facts.cis_status})")


_UNVERIFIED = "Verify the subcontractor with HMRC before the first payment."


def require_verified(verified_on: date | None, last_paid_on: date | None, payday_on: date) -> None:
    """Refuse a payment to a subcontractor whom HMRC has not verified, or not since this and the two previous tax years in which nothing
    was paid either. Source: Income Tax (Construction Industry Scheme) Regulations 2005 reg. 6; HMRC CIS340, 3.4."""
    if verified_on is None or verified_on > payday_on:
        raise EngineError("cis_not_verified", _UNVERIFIED, "verified_on")
    first_year = int(tax_year_of(payday_on)[:4]) - 2
    known_from = max(verified_on, last_paid_on or verified_on)
    if known_from < date(first_year, 4, 6):
        raise EngineError(
            "cis_not_verified",
            f"Not paid or verified since {known_from}: verify again before paying, as after two tax years without payment.",
            "verified_on",
        )


# Returners


@dataclass(frozen=True, slots=True)
class PastEmployment:
    """One employment of this worker with this employer. `left_on` None: still employed. `p45_issued_on` None: no P45 given."""

    pay_id: str
    started_on: date
    left_on: date | None
    p45_issued_on: date | None


@dataclass(frozen=True, slots=True)
class PayIdDecision:
    """How the FPS names the employment. `from_zero`: year to date starts again and a new starter declaration is asked for. `old_pay_id` and
    `changed`: for the FPS's changed-PayId flag. `previous_figures`: own P45 figures become previous employment."""

    pay_id: str
    from_zero: bool
    changed: bool
    old_pay_id: str | None
    previous_figures: bool
    irregular: bool
    words: str


def pay_id_for(
    past: Sequence[PastEmployment], starts_on: date, new_pay_id: str, casual: bool = False, change_pay_id: bool = False
) -> PayIdDecision:
    """Which PayId a worker who starts, returns or goes on is reported with.

    After a P45: a PayId never used before, year to date from zero, a new starter declaration, and the P45's figures of this tax year as
    previous employment. Without a P45 the employment goes on with its PayId, or changes it with the flag. A PayId used before is refused
    as `pay_id_used`. `casual` sets the irregular-employment flag.
    """
    used = {each.pay_id for each in past}
    open_now = [each for each in past if each.p45_issued_on is None]
    if len(open_now) > 1:
        raise EngineError("employments_overlap", "More than one employment goes on without a P45.", "past")
    current = open_now[0] if open_now else None
    if (current is None or change_pay_id) and (not new_pay_id or new_pay_id in used):
        raise EngineError(
            "pay_id_used", f"PayId {new_pay_id!r} is empty or was used before: give a new one.", "new_pay_id"
        )
    if current is not None:
        if change_pay_id:
            return PayIdDecision(
                new_pay_id, False, True, current.pay_id, False, casual, "goes on with a new PayId: set the changed flag"
            )
        return PayIdDecision(current.pay_id, False, False, None, False, casual, "goes on: no P45 was given")
    if not past:
        return PayIdDecision(new_pay_id, True, False, None, False, casual, "a new starter")
    last = max(past, key=lambda each: each.started_on)
    if last.left_on is not None and starts_on <= last.left_on:
        raise EngineError(
            "employments_overlap", f"The start on {starts_on} is before the leaving on {last.left_on}.", "starts_on"
        )
    this_year = last.left_on is not None and tax_year_of(last.left_on) == tax_year_of(starts_on)
    return PayIdDecision(
        new_pay_id,
        True,
        False,
        None,
        this_year,
        casual,
        "re-hired after a P45: from zero, with a new starter declaration",
    )
