"""The life of a workplace pension membership: what each pay reference period asks for, notices, refunds and re-enrolment.

Pure: the worker's standing and the dates on file go in, a decision goes out. Periods given by law "beginning with" a day include that day.
Source: Pensions Act 2008 ss.1 to 10 and 28; Occupational and Personal Pension Schemes (Automatic Enrolment) Regulations 2010 (SI 2010/772).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from pay_calc.domain.engine.calendar import add_months
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.parameters import Frequency, YearParameters
from pay_calc.domain.engine.pension import Assessment, Relief, assess
from pay_calc.domain.engine.trace import Node, Trace

POSTPONEMENT_MONTHS = 3
POSTPONEMENT_NOTICE_DAYS = 42
OPT_OUT_MONTHS = 1
REFUND_MONTHS = 1
RE_ENROLMENT_YEARS = 3
RE_ENROLMENT_MARGIN_MONTHS = 3
DECLARATION_MONTHS = 5
OPT_OUT_PROTECTS_MONTHS = 12
SET_2_BASIC_SHARE_BP = 8500
"""Set 2 needs basic pay of at least 85 % of all earnings. Source: SI 2010/772 reg. 32E."""


# Postponement


@dataclass(frozen=True, slots=True)
class Postponement:
    """Assessment put off. `starts_on` is the day it is put off from, `ends_on` the deferral date, on which the worker is assessed again."""

    starts_on: date
    ends_on: date
    notice_given_on: date


def postpone(starts_on: date, ends_on: date, notice_given_on: date) -> Postponement:
    """A postponement as the law allows it: at most three months, with notice within six weeks beginning with the day after its start.

    A start on 1 July may run to 30 September. Refuses a longer one, one that ends before it starts, and a late notice (the worker is then
    enrolled from the start). Source: Pensions Act 2008 s.4; SI 2010/772 reg. 24.
    """
    latest = add_months(starts_on, POSTPONEMENT_MONTHS) - timedelta(days=1)
    if not starts_on <= ends_on <= latest:
        raise EngineError(
            "postponement_too_long", f"A postponement from {starts_on} may end on {latest} at the latest.", "ends_on"
        )
    last_notice = starts_on + timedelta(days=POSTPONEMENT_NOTICE_DAYS)
    if notice_given_on > last_notice:
        raise EngineError(
            "postponement_notice_late",
            f"Notice of a postponement from {starts_on} was due by {last_notice}; the worker is enrolled from the start.",
            "notice_given_on",
        )
    return Postponement(starts_on, ends_on, notice_given_on)


# Each pay reference period


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a worker stands before the period. None: it did not happen. `opt_in_from` and `join_from`: the day that a notice takes effect
    (`opt_in_active_on`)."""

    employed_from: date
    member_since: date | None = None
    postponement: Postponement | None = None
    opted_out_on: date | None = None
    ceased_on: date | None = None
    opt_in_from: date | None = None
    join_from: date | None = None
    re_enrolment_on: date | None = None
    exempt_reason: str = ""
    """Why the duty does not bite although the worker is eligible: notice given, a winding-up lump sum, tax protection, a director."""


Action = Literal["keep", "enrol", "re_enrol", "opt_in", "join", "postponed", "may_opt_in", "may_join", "exempt", "none"]


@dataclass(frozen=True, slots=True)
class PensionDecision:
    """What the employer does for one pay reference period. `active_on`: membership starts. `employer_contributes`: with the employer's
    contribution by law (an entitled worker may join without one)."""

    action: Action
    assessment: Assessment
    active_on: date | None
    employer_contributes: bool
    words: str


def decide(
    parameters: YearParameters,
    frequency: Frequency,
    *,
    birth_on: date,
    period_from: date,
    period_to: date,
    payday_on: date,
    pay_pence: int,
    standing: Standing,
) -> PensionDecision:
    """Assess one pay reference period (both days included) and say what to do.

    An active member stays one whatever the period's pay. Notices to opt in or join are honoured during postponement too. Automatic
    enrolment is from the first day of the period on which the worker was employed and 22. Someone who opted out or left is enrolled again
    only on the re-enrolment date, and not within twelve months of leaving.
    """
    assessment = assess(parameters, frequency, birth_on, payday_on, pay_pence)
    left = [day for day in (standing.opted_out_on, standing.ceased_on) if day is not None]
    left_on = max(left) if left else None
    if left_on is None and standing.member_since is not None and standing.member_since <= period_to:
        return PensionDecision("keep", assessment, standing.member_since, True, "an active member stays one")

    notice = standing.opt_in_from
    in_force = notice is not None and notice <= period_to and (left_on is None or notice > left_on)
    if notice is not None and in_force and assessment in ("eligible", "non_eligible"):
        return PensionDecision(
            "opt_in", assessment, max(period_from, notice), True, f"the jobholder opted in from {notice}"
        )
    notice = standing.join_from
    in_force = notice is not None and notice <= period_to and (left_on is None or notice > left_on)
    if notice is not None and in_force and assessment == "entitled":
        return PensionDecision(
            "join", assessment, max(period_from, notice), False, f"the entitled worker asked to join from {notice}"
        )

    if assessment != "eligible":
        return _invitation(assessment)
    if standing.exempt_reason:
        return PensionDecision("exempt", assessment, None, False, standing.exempt_reason)
    if left_on is not None:
        return _after_leaving(assessment, standing, left_on, period_from, period_to)
    postponement = standing.postponement
    if postponement is not None and period_to < postponement.ends_on:
        return PensionDecision(
            "postponed", assessment, None, False, f"postponed; assessed again on {postponement.ends_on}"
        )
    first = max(period_from, standing.employed_from, add_months(birth_on, 22 * 12))
    if postponement is not None and postponement.ends_on > first:
        first = postponement.ends_on
    return PensionDecision("enrol", assessment, first, True, f"an eligible jobholder is enrolled from {first}")


def _invitation(assessment: Assessment) -> PensionDecision:
    if assessment == "non_eligible":
        return PensionDecision("may_opt_in", assessment, None, True, "may opt in, with the employer's contribution")
    if assessment == "entitled":
        return PensionDecision("may_join", assessment, None, False, "may join; no employer contribution is due")
    return PensionDecision("none", assessment, None, False, "outside the ages of 16 to 74")


def _after_leaving(
    assessment: Assessment, standing: Standing, left_on: date, period_from: date, period_to: date
) -> PensionDecision:
    again = standing.re_enrolment_on
    if again is None or not period_from <= again <= period_to:
        return PensionDecision(
            "may_opt_in", assessment, None, True, f"left on {left_on}; enrolled again on the re-enrolment date"
        )
    if again < add_months(left_on, OPT_OUT_PROTECTS_MONTHS):
        return PensionDecision(
            "may_opt_in", assessment, None, True, f"left on {left_on}, within twelve months of re-enrolment on {again}"
        )
    return PensionDecision("re_enrol", assessment, again, True, f"enrolled again on the re-enrolment date {again}")


def opt_in_active_on(
    notice_on: date, next_period_from: date, after_next_period_from: date, payroll_closed: bool
) -> date:
    """The day an opt-in takes effect: the start of the next pay reference period, or of the one after when the payroll of the next was
    already closed on receipt. Source: SI 2010/772 reg. 18 with s.7(5) of the Act."""
    if not notice_on < next_period_from < after_next_period_from:
        raise EngineError(
            "periods_out_of_order", "The two next periods follow the notice, in date order.", "next_period_from"
        )
    return after_next_period_from if payroll_closed else next_period_from


# Opt-out and refund


@dataclass(frozen=True, slots=True)
class OptOutWindow:
    """Both days included."""

    opens_on: date
    closes_on: date


def opt_out_window(member_on: date, information_given_on: date) -> OptOutWindow:
    """One month beginning with the later of membership and the enrolment information. From 12 December to 11 January.

    Source: SI 2010/772 reg. 9.
    """
    opens = max(member_on, information_given_on)
    return OptOutWindow(opens, add_months(opens, OPT_OUT_MONTHS) - timedelta(days=1))


@dataclass(frozen=True, slots=True)
class PeriodContribution:
    """What one payslip took and paid, pence: `deducted_pence` left the worker's pay (80 % of the contribution under relief at source; the
    sacrificed sum under salary sacrifice), `employer_pence` the employer's own contribution."""

    payday_on: date
    relief: Relief
    deducted_pence: int
    employer_pence: int


@dataclass(frozen=True, slots=True)
class OptOutRefund:
    """All that was taken since enrolment, pence. `taxable_pence` and `niable_pence` enter the payslip that pays it back: a net pay
    contribution was never taxed, a sacrificed sum neither taxed nor charged to National Insurance. `employer_pence` returns to the
    employer."""

    worker_pence: int
    employer_pence: int
    taxable_pence: int
    niable_pence: int
    due_by: date


def opt_out(
    window: OptOutWindow,
    notice_on: date,
    contributions: Sequence[PeriodContribution],
    second_period_ends_on: date | None = None,
    trace: Trace | None = None,
) -> OptOutRefund:
    """The full refund of a valid opt-out notice. A notice outside the window is refused: the worker leaves the scheme without a refund.

    Due within one month beginning with the notice, or by the end of the second pay reference period after it (`second_period_ends_on`) when
    that payroll was already closed. Source: SI 2010/772 regs 9 and 11.
    """
    if not window.opens_on <= notice_on <= window.closes_on:
        raise EngineError(
            "opt_out_outside_window",
            f"An opt-out notice counts from {window.opens_on} to {window.closes_on}; {notice_on} is outside. "
            "The worker may cease membership instead, without a refund.",
            "notice_on",
        )
    worker = sum(each.deducted_pence for each in contributions)
    employer = sum(each.employer_pence for each in contributions)
    if min(worker, employer) < 0:  # one of them may be: the correction of an earlier week
        raise EngineError("negative_amount", "Contributions may not be negative together.", "contributions")
    taxable = sum(each.deducted_pence for each in contributions if each.relief != "ras")
    niable = sum(each.deducted_pence for each in contributions if each.relief == "salary_sacrifice")
    if trace is not None:
        children = tuple(
            trace.given("pension.taken", f"Taken on {each.payday_on}", each.deducted_pence, "pence", each.relief)
            for each in contributions
        )
        trace.push(
            Node("pension.refund", "Refund of contributions", "sum", worker, "pence", "all that was taken since enrolment",
                 (("opt-out notice", str(notice_on)),), children, (1,) * len(children))
        )  # fmt: skip
    due = add_months(notice_on, REFUND_MONTHS) - timedelta(days=1)
    return OptOutRefund(
        worker,
        employer,
        taxable,
        niable,
        due if second_period_ends_on is None else max(due, second_period_ends_on),
    )


# Re-enrolment and declaration


@dataclass(frozen=True, slots=True)
class ReEnrolment:
    """The employer chooses the re-enrolment date within the window (both days included); `declare_by` ends the declaration's time."""

    anniversary_on: date
    window_from: date
    window_to: date
    declare_by: date


def re_enrolment(previous_on: date) -> ReEnrolment:
    """The next cyclical re-enrolment: the window is three months either side of the third anniversary of `previous_on` (the day duties
    started, or the last re-enrolment date). Duties from 1 July 2023: 1 April to 30 September 2026, declare by 30 November 2026.

    Source: SI 2010/772 reg. 12; Employers' Duties (Registration and Compliance) Regulations 2010 reg. 4.
    """
    anniversary = add_months(previous_on, RE_ENROLMENT_YEARS * 12)
    return ReEnrolment(
        anniversary,
        add_months(anniversary, -RE_ENROLMENT_MARGIN_MONTHS),
        add_months(anniversary, RE_ENROLMENT_MARGIN_MONTHS) - timedelta(days=1),
        add_months(anniversary, DECLARATION_MONTHS) - timedelta(days=1),
    )


def choose_re_enrolment(previous_on: date, chosen_on: date) -> date:
    """The chosen date when it is in the window. Re-enrolment may not be postponed."""
    window = re_enrolment(previous_on)
    if not window.window_from <= chosen_on <= window.window_to:
        raise EngineError(
            "re_enrolment_outside_window",
            f"The re-enrolment date is from {window.window_from} to {window.window_to}; {chosen_on} is outside.",
            "chosen_on",
        )
    return chosen_on


def first_declaration_by(duties_start_on: date) -> date:
    """The last day for the first declaration of compliance: five months beginning with the day duties started."""
    return add_months(duties_start_on, DECLARATION_MONTHS) - timedelta(days=1)


# Certified alternatives to qualifying earnings


@dataclass(frozen=True, slots=True)
class CertifiedBasis:
    """The earnings, from the first pound, that percentages are taken of under a certificate, and how the payslip names them."""

    pensionable_pence: int
    earnings: Literal["basic_pay", "all_earnings"]


def certified_basis(
    parameters: YearParameters, set_name: str, employee_bp: int, employer_bp: int, basic_pence: int, all_pence: int
) -> CertifiedBasis:
    """Check a certified set's minimum and give its basis: set_1 basic pay, 9 % with 4 % from the employer; set_2 the same basis where
    basic pay is at least 85 % of all earnings, 8 % with 3 %; set_3 all earnings, 7 % with 3 %.

    `basic_pence` and `all_pence` are of the group that the certificate covers. Source: Pensions Act 2008 s.28; SI 2010/772 reg. 32E.
    """
    found = parameters.pension_sets.get(set_name)
    if found is None:
        raise EngineError(
            "unknown_certified_set", f"{set_name!r} is not one of {', '.join(parameters.pension_sets)}.", "set"
        )
    employer_minimum, total_minimum = found
    if employer_bp < employer_minimum or employer_bp + employee_bp < total_minimum:
        raise EngineError(
            "below_certified_minimum",
            f"{set_name} needs {total_minimum // 100} % in total, {employer_minimum // 100} % of it from the employer.",
            "employer_bp" if employer_bp < employer_minimum else "employee_bp",
        )
    if not 0 <= basic_pence <= all_pence:
        raise EngineError("basic_exceeds_earnings", "Basic pay is part of all earnings.", "basic_pence")
    if set_name == "set_3":
        return CertifiedBasis(all_pence, "all_earnings")
    if set_name == "set_2" and basic_pence * 10000 < all_pence * SET_2_BASIC_SHARE_BP:
        raise EngineError(
            "certificate_not_met", "Set 2 needs basic pay of at least 85 % of all earnings: use set 1 or set 3.", "set"
        )
    return CertifiedBasis(basic_pence, "basic_pay")
