"""A worker's workplace pension as persons recorded it, and the assessment of each pay week by it. Pure.

The rules are the engine's (`engine.pension_assessment`); here is what a record means for them, and how a payslip's inputs keep it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.parameters import YearParameters
from pay_calc.domain.engine.pension import NOTHING_BACK, PensionRefund
from pay_calc.domain.engine.pension_assessment import (
    OptOutRefund,
    PeriodContribution,
    Postponement,
    Standing,
    decide,
    opt_out,
    opt_out_window,
)
from pay_calc.domain.pay_dates import DAY


@dataclass(frozen=True, slots=True)
class PensionRecord:
    """What was recorded; None: it did not happen. `informed_on`: the worker was written to about the right to opt in or join."""

    member_since: date | None = None
    information_given_on: date | None = None
    postponed_from: date | None = None
    postponed_to: date | None = None
    postponed_notice_on: date | None = None
    opted_out_on: date | None = None
    ceased_on: date | None = None
    opt_in_from: date | None = None
    join_from: date | None = None
    informed_on: date | None = None
    exempt_reason: str = ""

    @property
    def left_on(self) -> date | None:
        return max((day for day in (self.opted_out_on, self.ceased_on) if day is not None), default=None)

    @property
    def refunds(self) -> bool:
        """An opt-out in time, from a membership that has not been followed by another."""
        member, informed, out = self.member_since, self.information_given_on, self.opted_out_on
        if member is None or informed is None or out is None:
            return False
        window = opt_out_window(member, informed)
        return window.opens_on <= out <= window.closes_on

    def contributes(self, period_to: date, payday_on: date) -> bool:
        """Whether the terms of the profile apply to a pay week (`period_to` excluded): from the week in which membership starts, until the
        first payday on or after the day it ended."""
        if self.member_since is not None and self.member_since >= period_to:
            return False
        left = self.left_on
        rejoined = left is not None and self.member_since is not None and self.member_since > left
        return left is None or rejoined or payday_on < left


NO_RECORD = PensionRecord()


def standing_json(
    record: PensionRecord, *, has_terms: bool, employed_from: date, re_enrolment_on: date | None
) -> dict[str, Any]:
    """The fields of the engine's `Standing` as a slip's inputs keep them. Terms on the profile without a record: a member all along.
    Membership that started after it ended once is a new one."""
    left, since = record.left_on, record.member_since
    if record == NO_RECORD and has_terms:
        since = employed_from
    rejoined = left is not None and since is not None and since > left
    facts: dict[str, date | str | None] = {
        "employed_from": employed_from,
        "member_since": since,
        "opted_out_on": None if rejoined else record.opted_out_on,
        "ceased_on": None if rejoined else record.ceased_on,
        "opt_in_from": record.opt_in_from,
        "join_from": record.join_from,
        "re_enrolment_on": re_enrolment_on,
        "exempt_reason": record.exempt_reason or None,
    }
    stored: dict[str, Any] = {name: str(value) for name, value in facts.items() if value is not None}
    if record.postponed_from is not None:
        stored["postponement"] = {
            "starts_on": str(record.postponed_from),
            "ends_on": str(record.postponed_to),
            "notice_given_on": str(record.postponed_notice_on),
        }
    return stored


def standing_of(raw: Mapping[str, Any]) -> Standing:
    """A standing as `standing_json` wrote it."""
    dates = {
        name: date.fromisoformat(value) for name, value in raw.items() if name not in ("postponement", "exempt_reason")
    }
    postponed = raw.get("postponement")
    return Standing(
        **dates,
        postponement=None
        if postponed is None
        else Postponement(**{name: date.fromisoformat(value) for name, value in postponed.items()}),
        exempt_reason=raw.get("exempt_reason", ""),
    )


def assessed(
    parameters: YearParameters,
    raw: Mapping[str, Any],
    *,
    birth_on: date,
    period_from: date,
    period_to: date,
    payday_on: date,
    pay_pence: int,
) -> Mapping[str, Any]:
    """The assessment of a pay week (`period_to` excluded) as a payslip keeps it."""
    found = decide(
        parameters,
        "weekly",
        birth_on=birth_on,
        period_from=period_from,
        period_to=period_to - DAY,
        payday_on=payday_on,
        pay_pence=pay_pence,
        standing=standing_of(raw),
    )
    return {
        "category": found.assessment,
        "action": found.action,
        "active_on": None if found.active_on is None else found.active_on.isoformat(),
        "words": found.words,
    }


@dataclass(frozen=True, slots=True)
class PensionSlip:
    """What a final payslip took for the pension, if anything, and what it gave back."""

    payday_on: date
    taken: PeriodContribution | None
    given_back: PensionRefund


def pension_slip(
    payday_on: date, terms: Mapping[str, Any] | None, refund: Mapping[str, int] | None, figures: Mapping[str, int]
) -> PensionSlip:
    """Of a final payslip the stored terms of its pension, what it gave back, and its figures."""
    back = NOTHING_BACK if refund is None else PensionRefund(**refund)
    if terms is None:
        return PensionSlip(payday_on, None, back)
    sacrificed = figures["sacrifice_pence"] + back.sacrifice_pence
    deducted = figures["employee_pension_pence"] + back.net_pay_pence + back.ras_pence
    employer = figures["employer_pension_pence"] + back.sacrifice_pence + back.employer_pence - sacrificed
    return PensionSlip(payday_on, PeriodContribution(payday_on, terms["basis"], sacrificed or deducted, employer), back)


def opt_out_refund(record: PensionRecord, slips: Sequence[PensionSlip]) -> OptOutRefund | None:
    """All that a recorded opt-out gives back of these final payslips since membership began; None: nobody opted out, or membership or its
    information is not recorded. Raises EngineError with the reason why a notice gives nothing back."""
    if record.opted_out_on is None or record.member_since is None or record.information_given_on is None:
        return None
    return opt_out(
        opt_out_window(record.member_since, record.information_given_on),
        record.opted_out_on,
        [slip.taken for slip in slips if slip.taken is not None],
    )


def owed_refund(record: PensionRecord, slips: Sequence[PensionSlip]) -> PensionRefund | None:
    """What of an opt-out's refund no final payslip has given back; None: nothing."""
    try:
        if opt_out_refund(record, slips) is None:
            return None
    except EngineError:
        return None
    taken = dict.fromkeys(("net_pay", "ras", "salary_sacrifice", "employer"), 0)
    for slip in slips:
        if slip.taken is not None:
            taken[slip.taken.relief] += slip.taken.deducted_pence
            taken["employer"] += slip.taken.employer_pence
    owed = PensionRefund(  # never below nothing: what was given back too much is a matter for a person
        max(0, taken["net_pay"] - sum(slip.given_back.net_pay_pence for slip in slips)),
        max(0, taken["ras"] - sum(slip.given_back.ras_pence for slip in slips)),
        max(0, taken["salary_sacrifice"] - sum(slip.given_back.sacrifice_pence for slip in slips)),
        max(0, taken["employer"] - sum(slip.given_back.employer_pence for slip in slips)),
    )
    return None if owed == NOTHING_BACK else owed
