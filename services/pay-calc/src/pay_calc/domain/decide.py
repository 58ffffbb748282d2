"""Which approved timesheet is paid in which period and slip, and why one is not. Pure: facts of one worker in, slips out.

A version belongs to its own week's period while that is open for the worker, and to the one after the last closed one from then on. While a
run closes over a worker it pays what was known at its cut-off; later versions wait and correct it in the next period.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from typing import Any
from uuid import UUID

from pay_calc.domain.connected import Elsewhere, both, charged_elsewhere
from pay_calc.domain.engine.calendar import tax_week
from pay_calc.domain.engine.directors import weeks_from_appointment
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.nic import letter_by_age
from pay_calc.domain.engine.parameters import YearBook
from pay_calc.domain.engine.pension import PensionRefund
from pay_calc.domain.holiday_pay import HolidayPay
from pay_calc.domain.late_weeks import Charged, LateWeek, Terms, late_week, weeks_apart
from pay_calc.domain.leave import Ledger, standing
from pay_calc.domain.pay_dates import DAY, WEEK, first_week_paid_from, payday_of, period_to_of
from pay_calc.domain.pension_records import NO_RECORD, PensionRecord, standing_json
from pay_calc.domain.profile_terms import benefits_due, in_first_year
from pay_calc.domain.profiles import Directorship, Profile
from pay_calc.domain.slips import SUPPLIED, Charge, Employee, SlipInput, SlipResult, reversal_of
from pay_calc.domain.standing import Attachment, Deduction, Order, Recovery
from pay_calc.domain.starting import PaidSoFar, Start, start_on
from pay_calc.domain.statutory import StatutoryPay
from pay_calc.domain.subcontractors import NOT_DECIDED, Subcontractor

NO_LEAVE = Ledger()
Reason = Mapping[str, Any]
"""`code`, and where known `blocks`, `requirement`, `subject_id`, `expires_at`: as on the wire."""


@dataclass(frozen=True, slots=True)
class Version:
    """An approved version of a timesheet that is not in a finalised payslip.

    `charges` are its payable lines; of a blocked version they are not read, and `payable` says whether there are any.
    """

    timesheet_id: UUID
    version: int
    applied_no: int
    week_ending: date
    pay_basis: str
    payee_id: UUID | None
    minutes: int
    pay_pence: int
    payable: bool
    charges: tuple[Charge, ...]
    blocked: tuple[Reason, ...]
    """Compliance's reasons that block pay, or that its decision is awaited; empty: cleared."""
    placement_id: UUID | None = None
    sds: str | None = None
    """Of a limited company: inside, outside or not_required; None: nobody decided."""


@dataclass(frozen=True, slots=True)
class PaidCharge:
    """A charge of an earlier version, as a finalised slip paid it."""

    charge: Charge
    pay_basis: str
    payee_id: UUID | None
    paid_pence: int
    rounding_pence: int


@dataclass(frozen=True, slots=True)
class ToDate:
    taxable_pence: int = 0
    tax_pence: int = 0
    benefits_pence: int = 0


@dataclass(frozen=True, slots=True)
class PaidSlip:
    """What a finalised payslip says of National Insurance, pence, under one letter: a payslip that moved several gives one each."""

    payday_on: date
    employment_no: int
    ni_letter: str
    niable_pence: int
    employee_nic_pence: int
    employer_nic_pence: int


def paid_slips_of(payday_on: date, inputs: Mapping[str, Any], result: Mapping[str, Any]) -> list[PaidSlip]:
    """The stored inputs and result of a finalised payslip by letter."""
    figures, employment_no = result["figures"], inputs["employee"]["employment_no"]
    parts = result.get("nic_parts") or [
        {
            "letter": result["ni_letter"],
            "niable_pence": figures["niable_pence"],
            "employee_pence": figures["employee_nic_pence"],
            "employer_pence": figures["employer_nic_pence"],
        }
    ]
    return [
        PaidSlip(
            payday_on,
            employment_no,
            part["letter"],
            part["niable_pence"],
            part["employee_pence"],
            part["employer_pence"],
        )
        for part in parts
    ]


@dataclass(frozen=True, slots=True)
class Closing:
    """The run that is closing over an agency. `cut_off_no`: versions applied later are not in it."""

    period_to: date
    payday_on: date
    cut_off_no: int


@dataclass(frozen=True, slots=True)
class Agency:
    """What an agency's calendar and pay runs say."""

    payday_days_after: int
    late_pay: str | None
    levy_payer: bool
    closed: frozenset[date]
    """`period_to` of closed runs."""
    closing: Closing | None = None
    re_enrolment_on: date | None = None
    """The agency's next day of automatic re-enrolment."""

    @property
    def shut(self) -> frozenset[date]:
        """`period_to` of closed runs and of the one that is closing."""
        return self.closed if self.closing is None else self.closed | {self.closing.period_to}


@dataclass(slots=True)
class Worker:
    """Everything known of one worker whose pay is to be decided."""

    agency_id: UUID
    worker_id: UUID
    pending: bool = False
    """A closing run has still to do this worker."""
    profile: Profile | None = None
    versions: list[Version] = field(default_factory=list)
    paid: dict[UUID, list[PaidCharge]] = field(default_factory=dict)
    """Charges of the settled version of timesheets that have an open one."""
    payees_with_bank: frozenset[UUID] = frozenset()
    subcontractors: Mapping[UUID, Subcontractor] = field(default_factory=dict)
    """Payees whom HMRC has verified under the CIS."""
    agency_rules: Mapping[UUID, str | None] = field(default_factory=dict)
    """Of each known payee the code of why the agency rules stand against the CIS; None: they do not."""
    to_date: dict[tuple[str, int], ToDate] = field(default_factory=dict)
    """By tax year and employment number."""
    paid_so_far: PaidSoFar | None = None
    """What final payslips of this employment say; read for workers whose profile has what a starter brought."""
    history: list[PaidSlip] = field(default_factory=list)
    """Finalised payslips; read for directors only."""
    charged: tuple[Charged, ...] = ()
    """What they charged on each earnings period; read for workers with a late week whose agency pays those for their usual payday."""
    statutory: tuple[StatutoryPay | HolidayPay, ...] = ()
    """Weeks of statutory and of holiday pay that no finalised payslip has paid."""
    leave: Ledger = NO_LEAVE
    deductions: tuple[Deduction, ...] = ()
    orders: tuple[Order, ...] = ()
    """Attachment orders, ended ones too."""
    employed_from: date | None = None
    pension_record: PensionRecord | None = None
    pension_refund: PensionRefund | None = None
    """What an opt-out gives back that no finalised payslip has given back."""
    nil_weeks: Mapping[date, date] = field(default_factory=dict)
    """Weeks (`period_to`) without pay for which the worker applied for a refund of tax, and when."""
    elsewhere: tuple[Elsewhere, ...] = ()
    """What connected employers paid the same person."""


@dataclass(slots=True)
class Slip:
    """A payslip or self-bill to be: `inp` and `result` None when everything in it is held. `statutory`, holiday pay in it, is paid beside
    the timesheets, `statutory_held` waits."""

    period_to: date
    pay_basis: str
    payee_id: UUID | None
    payday_on: date
    paid: list[Version] = field(default_factory=list)
    held: list[tuple[Version, tuple[Reason, ...]]] = field(default_factory=list)
    statutory: list[StatutoryPay | HolidayPay] = field(default_factory=list)
    statutory_held: list[tuple[StatutoryPay | HolidayPay, tuple[Reason, ...]]] = field(default_factory=list)
    pension_refund: PensionRefund | None = None
    nil_week_applied_on: date | None = None
    inp: SlipInput | None = None
    result: SlipResult | None = None


Calculate = Callable[[SlipInput], SlipResult]
AWAITING = ({"code": "awaiting_clearance", "blocks": ["pay"]},)


def decide(
    worker: Worker, agency: Agency, calculate: Calculate, tax_year_of: Callable[[date], str], years: YearBook
) -> list[Slip]:
    """The slips of one worker's open periods, the earliest period first."""
    slips: dict[tuple[date, str, str], Slip] = {}
    for version, period_to in _assigned(worker, agency):
        slip = _slip(slips, agency, period_to, version.pay_basis, version.payee_id)
        reasons = _reasons(worker, agency, version, late=period_to != period_to_of(version.week_ending))
        if reasons:
            slip.held.append((version, reasons))
        else:
            slip.paid.append(version)
    shut = agency.shut if not worker.pending else agency.closed
    lacking = _lacking(worker)
    for week in sorted(worker.statutory, key=lambda each: (each.week_ending, each.dates, each.record_id)):
        period_to = first_open_period(week.week_ending, shut)
        if worker.pending and agency.closing is not None:  # of an earlier week that never had a run: this one pays it
            period_to = max(period_to, agency.closing.period_to)
        slip = _slip(slips, agency, period_to, "paye", None)
        if waits := lacking or _no_rate(week):
            slip.statutory_held.append((week, waits))
        else:
            slip.statutory.append(week)
    if not lacking:
        _give_back(worker, agency, slips, shut)
    ordered = [slips[key] for key in sorted(slips)]
    _one_taxed_slip_a_period(worker, ordered)
    for slip in ordered:
        _work(worker, agency, slip, calculate, tax_year_of, years)
    return ordered


def _give_back(worker: Worker, agency: Agency, slips: dict[tuple[date, str, str], Slip], shut: frozenset[date]) -> None:
    """Put what is owed without hours on a payslip: contributions of an opt-out on the first with a payday from then on, and tax of a week
    without pay on its own. Source: SI 2010/772 reg. 11; PAYE Regulations 2003 reg. 63."""
    record = worker.pension_record
    if worker.pension_refund is not None and record is not None and record.opted_out_on is not None:
        period_to = first_open_period(first_week_paid_from(record.opted_out_on, agency.payday_days_after), shut)
        if worker.pending and agency.closing is not None:
            period_to = max(period_to, agency.closing.period_to)
        _slip(slips, agency, period_to, "paye", None).pension_refund = worker.pension_refund
    earned = {slip.period_to for slip in slips.values() if _has_taxed_pay(worker, slip)}
    for week, applied_on in worker.nil_weeks.items():
        if first_open_period(week - DAY, shut) == week:
            period_to = max(week, agency.closing.period_to) if worker.pending and agency.closing is not None else week
            if period_to not in earned:
                _slip(slips, agency, period_to, "paye", None).nil_week_applied_on = applied_on


def _has_taxed_pay(worker: Worker, slip: Slip) -> bool:
    """Whether the slip holds pay that tax is taken of, also when it still waits."""
    versions = [*slip.paid, *(version for version, _ in slip.held)]
    taxed = (version for version in versions if slip.pay_basis == "paye" or _is_deemed(worker, version))
    return bool(slip.statutory or slip.statutory_held or any(_is_earned(version) for version in taxed))


def _is_earned(version: Version) -> bool:
    """Whether a version pays more than expenses; of a blocked one, whose charges are not read, whether it pays at all."""
    if version.blocked:
        return version.payable
    return any(charge.kind != "expense" for charge in version.charges)


def _one_taxed_slip_a_period(worker: Worker, slips: Sequence[Slip]) -> None:
    """Hold deemed pay beside a payslip, or beside deemed pay through another company: National Insurance is of all earnings from one
    employer together, which is not worked out over two slips."""
    taxed: set[date] = {
        slip.period_to
        for slip in slips
        if slip.pay_basis == "paye" and (slip.paid or slip.statutory or slip.pension_refund)
    }
    for slip in slips:
        deemed = [version for version in slip.paid if _is_deemed(worker, version)]
        if not deemed:
            continue
        if slip.period_to in taxed:
            _hold(slip, deemed, {"code": "deemed_pay_beside_other_pay", "subject_id": str(worker.worker_id)})
        taxed.add(slip.period_to)


def _is_deemed(worker: Worker, version: Version) -> bool:
    """Whether tax is taken of this version, or was of the one that it corrects."""
    if version.pay_basis != "limited":
        return False
    return version.sds == "inside" or any(was.charge.deemed for was in worker.paid.get(version.timesheet_id, ()))


def _slip(
    slips: dict[tuple[date, str, str], Slip], agency: Agency, period_to: date, pay_basis: str, payee_id: UUID | None
) -> Slip:
    """The slip of a period, basis and payee, made when it is first needed."""
    key = (period_to, pay_basis, str(payee_id or ""))
    if key not in slips:
        closing = agency.closing
        payday = (
            closing.payday_on
            if closing is not None and closing.period_to == period_to
            else payday_of(period_to - DAY, agency.payday_days_after)
        )
        slips[key] = Slip(period_to, pay_basis, payee_id, payday)
    return slips[key]


def _assigned(worker: Worker, agency: Agency) -> list[tuple[Version, date]]:
    """Each timesheet's version to pay now and the period that pays it."""
    by_timesheet: dict[UUID, list[Version]] = defaultdict(list)
    for version in worker.versions:
        by_timesheet[version.timesheet_id].append(version)
    closing, shut = agency.closing, agency.shut
    found = []
    for versions in by_timesheet.values():
        versions.sort(key=lambda version: version.version)
        if closing is not None and worker.pending:
            known = [version for version in versions if version.applied_no < closing.cut_off_no]
            if known and first_open_period(known[-1].week_ending, agency.closed) == closing.period_to:
                found.append((known[-1], closing.period_to))
                continue
        found.append((versions[-1], first_open_period(versions[-1].week_ending, shut)))
    found.sort(key=lambda pair: (pair[1], pair[0].week_ending, str(pair[0].timesheet_id)))
    return found


def first_open_period(week_ending: date, shut: frozenset[date]) -> date:
    """The week's own period, or the one after the last that is shut: tax is worked in the order of paydays, so no period opens again
    behind a closed one, even if it never had a run."""
    period_to = period_to_of(week_ending)
    return max(period_to, max(shut) + WEEK) if shut else period_to


def _reasons(worker: Worker, agency: Agency, version: Version, *, late: bool) -> tuple[Reason, ...]:
    """Why this version cannot be paid now. A version that pays nothing and takes nothing back needs no leave."""
    paid_before = worker.paid.get(version.timesheet_id, [])
    if not version.payable and not paid_before:
        return ()
    reasons: list[Reason] = list(version.blocked)
    if any((was.pay_basis, was.payee_id) != (version.pay_basis, version.payee_id) for was in paid_before):
        reasons.append({"code": "pay_basis_changed_after_payment"})
    if version.pay_basis in SUPPLIED:
        if version.payee_id is None:
            reasons.append({"code": "missing_payee"})
        elif version.payee_id not in worker.payees_with_bank:
            reasons.append({"code": "missing_bank_details", "subject_id": str(version.payee_id)})
        if version.pay_basis == "cis" and version.payee_id is not None:
            subject = {"subject_id": str(version.payee_id)}
            if (agency_rules := worker.agency_rules.get(version.payee_id, NOT_DECIDED)) is not None:
                reasons.append({"code": agency_rules, **subject})
            if version.payee_id not in worker.subcontractors:
                reasons.append({"code": "cis_not_verified", **subject})
        if version.pay_basis == "limited" and version.sds is None:
            subject = {} if version.placement_id is None else {"subject_id": str(version.placement_id)}
            reasons.append({"code": "sds_missing", **subject})
        if _is_deemed(worker, version):
            reasons.extend(_lacking_to_deem(worker))
        return tuple(reasons)
    reasons.extend(_lacking(worker))
    if late and agency.late_pay is None:
        reasons.append({"code": "late_pay_rule_not_set"})
    return tuple(reasons)


def _lacking(worker: Worker) -> tuple[Reason, ...]:
    """What the worker's profile lacks to be paid on PAYE."""
    subject = str(worker.worker_id)
    profile = worker.profile
    if profile is None:
        return ({"code": "missing_pay_profile", "subject_id": subject},)
    codes = [] if profile.has_bank else ["missing_bank_details"]
    return tuple(
        {"code": code, "subject_id": subject} for code in codes + profile.unsupported(orders=len(worker.orders))
    )


def _lacking_to_deem(worker: Worker) -> tuple[Reason, ...]:
    """What the worker's profile lacks for PAYE on a deemed payment, which goes to the company's bank account."""
    subject = str(worker.worker_id)
    if worker.profile is None:
        return ({"code": "missing_pay_profile", "subject_id": subject},)
    return tuple({"code": code, "subject_id": subject} for code in worker.profile.untaxable())


def _no_rate(week: StatutoryPay | HolidayPay) -> tuple[Reason, ...]:
    """Why a week's leave has no pay yet; its other reasons come with the calculation."""
    return ({"code": week.rate.refused},) if isinstance(week, HolidayPay) and week.rate.refused else ()


def _work(
    worker: Worker,
    agency: Agency,
    slip: Slip,
    calculate: Calculate,
    tax_year_of: Callable[[date], str],
    years: YearBook,
) -> None:
    """Calculate what is not held. What the engine refuses is held with its reason; a correction that exceeds the pay waits. Statutory pay
    never makes hours wait that can be paid without it, nor hours statutory pay."""
    attempt = partial(_attempt, worker, agency, slip, calculate, tax_year_of, years)
    while slip.paid or slip.statutory:
        refused = attempt()
        if refused is None:
            return
        corrections = [version for version in slip.paid if worker.paid.get(version.timesheet_id)]
        if refused["code"] in ("negative_pay", "correction_of_last_year") and corrections:
            _hold(slip, corrections, refused)
        elif slip.paid and slip.statutory:
            aside, slip.statutory = slip.statutory, []
            alone = attempt()
            if alone is None:
                slip.statutory_held.extend((week, (refused,)) for week in aside)
                return
            _hold(slip, slip.paid, alone)
            slip.statutory = aside
        else:
            _hold(slip, slip.paid, refused)
            slip.statutory_held.extend((week, (refused,)) for week in slip.statutory)
            slip.statutory = []
    if slip.result is None and _is_given_back(slip):
        attempt()


def _is_given_back(slip: Slip | SlipInput) -> bool:
    """Whether something is given back, for which no hours are needed."""
    return slip.pension_refund is not None or slip.nil_week_applied_on is not None


def _is_pay(refund: PensionRefund | None) -> bool:
    """Whether National Insurance is due on what an opt-out gives back: on pay that was given up for the pension."""
    return refund is not None and refund.sacrifice_pence > 0


def _hold(slip: Slip, waits: Sequence[Version], reason: Reason) -> None:
    slip.held.extend((version, (reason,)) for version in waits)
    gone = {version.timesheet_id for version in waits}
    slip.paid = [version for version in slip.paid if version.timesheet_id not in gone]


def _attempt(
    worker: Worker,
    agency: Agency,
    slip: Slip,
    calculate: Calculate,
    tax_year_of: Callable[[date], str],
    years: YearBook,
) -> Reason | None:
    """Work the slip; None when that went well or there is nothing to pay, otherwise why not."""
    try:
        slip.inp = _input(worker, agency, slip, tax_year_of, years)
        if not slip.inp.charges and not slip.statutory and not _is_given_back(slip.inp):
            slip.inp = None
            return None
        slip.result = calculate(slip.inp)
    except EngineError as error:
        slip.inp = slip.result = None
        return {"code": error.code}
    if (
        slip.inp.nil_week_applied_on is not None
        and slip.pension_refund is None
        and not slip.result.figures["net_pence"]
    ):
        slip.inp = slip.result = None
        return None
    if slip.result.figures["net_pence"] >= 0 and slip.result.figures["gross_pence"] >= 0:
        return None
    slip.inp = slip.result = None
    return {"code": "negative_pay"}


def _input(
    worker: Worker, agency: Agency, slip: Slip, tax_year_of: Callable[[date], str], years: YearBook
) -> SlipInput:
    charges: list[Charge] = []
    for version in slip.paid:
        charges.extend(
            reversal_of(was.charge, paid_pence=was.paid_pence, rounding_pence=was.rounding_pence)
            for was in worker.paid.get(version.timesheet_id, ())
        )
        charges.extend(version.charges)
    employee: Employee | None = None
    attachments: tuple[Attachment, ...] = ()
    deductions: tuple[Recovery, ...] = ()
    earns = bool(slip.statutory or any(charge.kind != "expense" for charge in charges))
    if slip.pay_basis == "paye" and worker.profile is not None and earns:  # nothing is taken of what is only given back
        attachments = tuple(
            found for order in worker.orders if (found := order.on(slip.payday_on, slip.period_to - DAY)) is not None
        )
        deductions = tuple(taken for each in worker.deductions if (taken := each.on(slip.payday_on)) is not None)
    if slip.pay_basis == "paye" and worker.profile is not None:
        employee = _employee(worker.profile, worker, agency, slip, tax_year_of, years)
    deemed = any(charge.deemed for charge in charges)
    if deemed and worker.profile is not None:
        bare = replace(
            worker.profile,
            student_loan_plan=None,
            postgrad_loan=False,
            pension=None,
            directorship=None,
            benefits=(),
            starter=None
            if worker.profile.starter is None
            else replace(worker.profile.starter, student_loan=False, student_loan_plan=None, postgrad_loan=False),
        )
        employee = replace(
            _employee(bare, worker, agency, slip, tax_year_of, years), pension_standing=None, accommodation=None
        )
    statutory = tuple(week for week in slip.statutory if isinstance(week, StatutoryPay))
    holiday = tuple(week for week in slip.statutory if isinstance(week, HolidayPay))
    return SlipInput(
        pay_basis=slip.pay_basis,  # type: ignore[arg-type]  # the four bases of the contract
        payee_id=None if slip.payee_id is None else str(slip.payee_id),
        period_from=slip.period_to - WEEK,
        period_to=slip.period_to,
        payday_on=slip.payday_on,
        charges=tuple(charges),
        employee=employee,
        levy_payer=agency.levy_payer and (slip.pay_basis == "paye" or deemed),
        attachments=attachments,
        statutory=statutory,
        deductions=deductions,
        late=()
        if employee is None or slip.pay_basis != "paye"
        else _late(worker, agency, slip, charges, employee, tax_year_of),
        subcontractor=worker.subcontractors.get(slip.payee_id)
        if slip.pay_basis == "cis" and slip.payee_id is not None
        else None,
        holiday=holiday,
        leave=None if employee is None else standing(worker.leave, charges, statutory, holiday, slip.period_to - DAY),
        pension_refund=slip.pension_refund,
        nil_week_applied_on=None if earns else slip.nil_week_applied_on,
        connected=charged_elsewhere(
            worker.elsewhere,
            slip.payday_on,
            letter_by_age(employee.ni_letter, employee.birth_on, slip.payday_on),
            director=employee.director is not None,
            student_loan_plan=employee.student_loan_plan,
            tax_year_of=tax_year_of,
        )
        if employee is not None and slip.pay_basis == "paye" and (earns or _is_pay(slip.pension_refund))
        else None,
    )


def _late(
    worker: Worker,
    agency: Agency,
    slip: Slip,
    charges: Sequence[Charge],
    employee: Employee,
    tax_year_of: Callable[[date], str],
) -> tuple[LateWeek, ...]:
    """The earnings periods of late weeks, where the agency's contract owed them on their usual payday. A director's is the year."""
    if agency.late_pay != "usual_payday" or employee.director is not None:
        return ()
    pension = employee.pension or {}
    terms = Terms(
        employee.employment_no,
        employee.student_loan_plan,
        employee.postgrad_loan,
        on_basic_pay=pension.get("earnings") == "basic_pay",
    )
    first_day = date(int(tax_year_of(slip.payday_on)[:4]), 4, 6)
    weeks = [
        late_week(period_to, payday_of(period_to - DAY, agency.payday_days_after), first_day, worker.charged, terms)
        for period_to in weeks_apart((charge.week_ending for charge in charges), slip.period_to)
    ]
    return tuple(
        week if week.payday_on < first_day else _with_elsewhere(worker, employee, week, tax_year_of) for week in weeks
    )


def _with_elsewhere(worker: Worker, employee: Employee, week: LateWeek, tax_year_of: Callable[[date], str]) -> LateWeek:
    """A late week beside what connected employers charged in the tax week of its payday."""
    letter = week.letter or letter_by_age(employee.ni_letter, employee.birth_on, week.payday_on)
    more = charged_elsewhere(
        worker.elsewhere,
        week.payday_on,
        letter,
        director=False,
        student_loan_plan=employee.student_loan_plan,
        tax_year_of=tax_year_of,
    )
    return week if more is None else replace(week, charged=both(week.charged, more))


def _employee(
    profile: Profile,
    worker: Worker,
    agency: Agency,
    slip: Slip,
    tax_year_of: Callable[[date], str],
    years: YearBook,
) -> Employee:
    payday_on, period_from = slip.payday_on, slip.period_to - WEEK
    tax_year = tax_year_of(payday_on)
    before = worker.to_date.get((tax_year, profile.employment_no), ToDate())
    start = None if profile.starter is None else start_on(years, profile.starter, worker.paid_so_far, payday_on)
    previous_pay, previous_tax = profile.previous_on(payday_on, start)
    record = worker.pension_record or NO_RECORD
    taxed_benefits = sum(sums.benefits_pence for (year, _), sums in worker.to_date.items() if year == tax_year)
    return Employee(
        tax_code=profile.code_on(payday_on, start),
        after_leaving=profile.left_by(payday_on),
        ni_letter=profile.letter_on(payday_on),
        employment_no=profile.employment_no,
        birth_on=profile.birth_on,
        student_loan_plan=profile.student_loan_plan or (None if start is None else start.student_loan_plan),
        postgrad_loan=profile.postgrad_loan or (start is not None and start.postgrad_loan),
        pension=profile.pension if record.contributes(slip.period_to, payday_on) else None,
        apprentice=profile.apprentice,
        previous_pay_pence=previous_pay,
        previous_tax_pence=previous_tax,
        pay_to_date_pence=before.taxable_pence,
        tax_to_date_pence=before.tax_pence,
        director=None
        if profile.directorship is None
        else _director(profile, profile.directorship, worker.history, payday_on, tax_year_of),
        apprenticeship_first_year=in_first_year(profile.apprenticeship_started_on, period_from)
        if profile.apprentice
        else None,
        accommodation=None
        if profile.accommodation is None
        else profile.accommodation.in_period(period_from, slip.period_to),
        benefits=benefits_due(profile.benefits, payday_on, taxed_benefits, tax_year_of),
        pension_standing=None
        if profile.birth_on is None
        else standing_json(
            record,
            has_terms=profile.pension is not None,
            employed_from=worker.employed_from or period_from,
            re_enrolment_on=agency.re_enrolment_on,
        ),
        starting=_starting(profile, start, payday_on),
    )


def _starting(profile: Profile, start: Start | None, payday_on: date) -> Mapping[str, Any] | None:
    """What a payslip keeps of its worker's start: what a submission reports, and why the code is what it is."""
    if profile.starter is None or start is None:
        return None
    follows = not profile.has_code_on(payday_on) and not profile.left_by(payday_on)
    return {
        "started_on": profile.starter.started_on.isoformat(),
        "declaration": start.declaration,
        "reason": start.reason if follows else None,
    }


def _director(
    profile: Profile,
    terms: Directorship,
    history: Sequence[PaidSlip],
    payday_on: date,
    tax_year_of: Callable[[date], str],
) -> Mapping[str, Any] | None:
    """A director's annual earnings period up to this payday; None before the week of the appointment.

    Earnings from before the appointment stay in their own weeks. The last payment of the year is the last weekly payday before 6 April,
    or from `settle_on`. Source: Social Security (Contributions) Regulations 2001 reg. 8; HMRC CA44.
    """
    tax_year = tax_year_of(payday_on)
    appointed_now = tax_year_of(terms.appointed_on) == tax_year
    if terms.appointed_on > payday_on and not (appointed_now and tax_week(terms.appointed_on) == tax_week(payday_on)):
        return None
    first_week = tax_week(terms.appointed_on) if appointed_now else 1
    inside = [
        slip
        for slip in history
        if slip.employment_no == profile.employment_no
        and tax_year_of(slip.payday_on) == tax_year
        and tax_week(slip.payday_on) >= first_week
    ]
    letter = letter_by_age(profile.letter_on(payday_on), profile.birth_on, payday_on)
    settles = terms.settle_on is not None and tax_year_of(terms.settle_on) == tax_year and payday_on >= terms.settle_on
    return {
        "method": terms.method,
        "pro_rata_weeks": weeks_from_appointment(first_week),
        "earnings_to_date_pence": sum(slip.niable_pence for slip in inside),
        "employee_paid_pence": sum(slip.employee_nic_pence for slip in inside),
        "employer_paid_pence": sum(slip.employer_nic_pence for slip in inside),
        "last_payment_of_year": settles or tax_year_of(payday_on + WEEK) != tax_year,
        **({"letters": _by_letter(inside)} if any(slip.ni_letter != letter for slip in inside) else {}),
    }


def _by_letter(inside: Sequence[PaidSlip]) -> list[dict[str, Any]]:
    """A director's year so far by letter: the fields of `LetterToDate`."""
    return [
        {
            "letter": letter,
            "earnings_pence": sum(slip.niable_pence for slip in inside if slip.ni_letter == letter),
            "employee_paid_pence": sum(slip.employee_nic_pence for slip in inside if slip.ni_letter == letter),
            "employer_paid_pence": sum(slip.employer_nic_pence for slip in inside if slip.ni_letter == letter),
        }
        for letter in sorted({slip.ni_letter for slip in inside})
    ]


def totals_of(held: Sequence[tuple[Version, tuple[Reason, ...]]]) -> tuple[int, int]:
    """(timesheets, minutes) that are held."""
    return len(held), sum(version.minutes for version, _ in held)
