"""One worker's pay for one period: the stored inputs, the engine's result, and each charge line's share of it.

Everything here round-trips through JSON, because a finalised payslip keeps its inputs: `calculate` of the stored inputs must give
the stored result to the penny, years later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal

from pay_calc.domain import holiday_pay, leave
from pay_calc.domain.engine import ENGINE_VERSION, cis
from pay_calc.domain.engine.attachment_tables import AttachmentBook
from pay_calc.domain.engine.deductions import payslip_with_recovery
from pay_calc.domain.engine.directors import LetterToDate
from pay_calc.domain.engine.engagements import require_verified
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.minimum_wage import Accommodation
from pay_calc.domain.engine.off_payroll import deem
from pay_calc.domain.engine.parameters import MinimumWageBook, YearBook, YearParameters
from pay_calc.domain.engine.payslip import (
    DirectorTerms,
    PayLineInput,
    PayLineResult,
    PayslipInput,
    PayslipResult,
    PensionTerms,
    calculate_payslip,
    pay_lines_of,
)
from pay_calc.domain.engine.pension import NOTHING_BACK, PensionRefund
from pay_calc.domain.engine.periods import NOTHING_CHARGED, EarningsPeriodToDate
from pay_calc.domain.engine.trace import Node, Trace
from pay_calc.domain.holiday_pay import HolidayPay, holiday_of
from pay_calc.domain.late_weeks import LateWeek, late_week_of, parts_as_json
from pay_calc.domain.pay_dates import DAY
from pay_calc.domain.pension_records import assessed
from pay_calc.domain.profile_terms import benefits_pence, explain_benefits
from pay_calc.domain.shares import largest_remainder
from pay_calc.domain.standing import Attachment, Recovery, attachment_of, recovery_of
from pay_calc.domain.starting import explain_start
from pay_calc.domain.statutory import StatutoryPay, explained, statutory_of
from pay_calc.domain.subcontractors import MATERIALS, Subcontractor, subcontractor_of

_NOUGHT = Decimal(0)
PayBasis = Literal["paye", "umbrella", "limited", "cis"]
SUPPLIED: frozenset[str] = frozenset({"umbrella", "limited", "cis"})
"""The bases that are paid against a self-bill."""


@dataclass(frozen=True, slots=True)
class Charge:
    """One payable charge line of an approved timesheet, or the reversal of one that was paid.

    `pay_pence` is the line's own approved amount; of a reversal, what was paid, negative, and `rounding_pence` the penny that
    summing had moved, negative too.
    """

    charge_line_id: str
    timesheet_id: str
    version: int
    placement_id: str
    week_ending: date
    kind: str
    element: str
    rate_code: str
    rule_id: str
    rate_unit: Literal["hour", "day", "each"]
    minutes: int
    units: Decimal | None
    pay_rate: Decimal
    basic_pay_rate: Decimal
    pay_pence: int
    holiday: bool
    reverses: bool = False
    rounding_pence: int = 0
    deemed: bool = False
    """Of a limited company inside IR35: tax and National Insurance are taken of it, unless it is an expense."""
    accrues: bool = False
    """Hours that earn leave, on a placement whose holiday is accrued; in the JSON only where they do."""

    def as_json(self) -> dict[str, Any]:
        return {
            "charge_line_id": self.charge_line_id,
            "timesheet_id": self.timesheet_id,
            "version": self.version,
            "placement_id": self.placement_id,
            "week_ending": self.week_ending.isoformat(),
            "kind": self.kind,
            "element": self.element,
            "rate_code": self.rate_code,
            "rule_id": self.rule_id,
            "rate_unit": self.rate_unit,
            "minutes": self.minutes,
            "units": None if self.units is None else str(self.units),
            "pay_rate": str(self.pay_rate),
            "basic_pay_rate": str(self.basic_pay_rate),
            "pay_pence": self.pay_pence,
            "holiday": self.holiday,
            "reverses": self.reverses,
            "rounding_pence": self.rounding_pence,
            **({"deemed": True} if self.deemed else {}),
            **({"accrues": True} if self.accrues else {}),
        }


# The same few rates, units and weeks come again and again in a batch.
_decimal = lru_cache(maxsize=4096)(Decimal)
_day = lru_cache(maxsize=512)(date.fromisoformat)


def charge_of(raw: Mapping[str, Any]) -> Charge:
    """A charge as `Charge.as_json` wrote it."""
    return Charge(
        charge_line_id=raw["charge_line_id"],
        timesheet_id=raw["timesheet_id"],
        version=raw["version"],
        placement_id=raw["placement_id"],
        week_ending=_day(raw["week_ending"]),
        kind=raw["kind"],
        element=raw["element"],
        rate_code=raw["rate_code"],
        rule_id=raw["rule_id"],
        rate_unit=raw["rate_unit"],
        minutes=raw["minutes"],
        units=None if raw["units"] is None else _decimal(raw["units"]),
        pay_rate=_decimal(raw["pay_rate"]),
        basic_pay_rate=_decimal(raw["basic_pay_rate"]),
        pay_pence=raw["pay_pence"],
        holiday=raw["holiday"],
        reverses=raw["reverses"],
        rounding_pence=raw["rounding_pence"],
        deemed=raw.get("deemed", False),
        accrues=raw.get("accrues", False),
    )


def reversal_of(paid: Charge, *, paid_pence: int, rounding_pence: int) -> Charge:
    """The line that takes a paid charge back, exactly as it was paid."""
    return Charge(
        charge_line_id=paid.charge_line_id,
        timesheet_id=paid.timesheet_id,
        version=paid.version,
        placement_id=paid.placement_id,
        week_ending=paid.week_ending,
        kind=paid.kind,
        element=paid.element,
        rate_code=paid.rate_code,
        rule_id=paid.rule_id,
        rate_unit=paid.rate_unit,
        minutes=-paid.minutes,
        units=None if paid.units is None else -paid.units,
        pay_rate=paid.pay_rate,
        basic_pay_rate=paid.basic_pay_rate,
        pay_pence=-paid_pence,
        holiday=paid.holiday,
        reverses=True,
        rounding_pence=-rounding_pence,
        deemed=paid.deemed,
        accrues=paid.accrues,
    )


@dataclass(frozen=True, slots=True)
class Employee:
    """What the tax calculation needs of a worker. To-date figures are this employment's, this tax year, before this payment.

    As in `SlipInput`, what few workers have is in the JSON only where there is any.
    """

    tax_code: str
    ni_letter: str
    employment_no: int = 1
    birth_on: date | None = None
    student_loan_plan: str | None = None
    postgrad_loan: bool = False
    pension: Mapping[str, Any] | None = None
    apprentice: bool = False
    previous_pay_pence: int = 0
    previous_tax_pence: int = 0
    pay_to_date_pence: int = 0
    tax_to_date_pence: int = 0
    director: Mapping[str, Any] | None = None
    """The fields of `DirectorTerms`; None: not a director. Slips finalised before directors were paid do not name it."""
    apprenticeship_first_year: bool | None = None
    accommodation: Accommodation | None = None
    benefits: Mapping[str, Any] | None = None
    """Payrolled benefits, as `profile_terms.benefits_due` gives them."""
    pension_standing: Mapping[str, Any] | None = None
    """For the assessment of the week, as `pension_records.standing_json` gives it; None: the birth date is not known."""
    after_leaving: bool = False
    """The P45 was issued before this payday."""
    starting: Mapping[str, Any] | None = None
    """`started_on` and `declaration` of a starter, and the `reason` of the code where it follows from them; None: HMRC's code alone."""

    def as_json(self) -> dict[str, Any]:
        return {
            "tax_code": self.tax_code,
            "ni_letter": self.ni_letter,
            "employment_no": self.employment_no,
            "birth_on": None if self.birth_on is None else self.birth_on.isoformat(),
            "student_loan_plan": self.student_loan_plan,
            "postgrad_loan": self.postgrad_loan,
            "pension": None if self.pension is None else dict(self.pension),
            "apprentice": self.apprentice,
            "previous_pay_pence": self.previous_pay_pence,
            "previous_tax_pence": self.previous_tax_pence,
            "pay_to_date_pence": self.pay_to_date_pence,
            "tax_to_date_pence": self.tax_to_date_pence,
            "director": None if self.director is None else dict(self.director),
            **(
                {}
                if self.apprenticeship_first_year is None
                else {"apprenticeship_first_year": self.apprenticeship_first_year}
            ),
            **({} if self.accommodation is None else {"accommodation": asdict(self.accommodation)}),
            **({} if self.benefits is None else {"benefits": dict(self.benefits)}),
            **({} if self.pension_standing is None else {"pension_standing": dict(self.pension_standing)}),
            **({"after_leaving": True} if self.after_leaving else {}),
            **({} if self.starting is None else {"starting": dict(self.starting)}),
        }


def employee_of(raw: Mapping[str, Any]) -> Employee:
    """An employee as `Employee.as_json` wrote it."""
    facts = {**raw, "birth_on": date.fromisoformat(raw["birth_on"]) if raw["birth_on"] else None}
    if "accommodation" in raw:
        facts["accommodation"] = Accommodation(**raw["accommodation"])
    return Employee(**facts)


@dataclass(frozen=True, slots=True)
class SlipInput:
    """All that a payslip or self-bill depends on, beside the year's statutory figures.

    Parts that few payslips have are in the JSON only where there are any: inputs stored before they existed load as without them.
    """

    pay_basis: PayBasis
    payee_id: str | None
    period_from: date
    period_to: date
    payday_on: date
    charges: tuple[Charge, ...]
    employee: Employee | None = None
    levy_payer: bool = False
    attachments: tuple[Attachment, ...] = ()
    statutory: tuple[StatutoryPay, ...] = ()
    deductions: tuple[Recovery, ...] = ()
    late: tuple[LateWeek, ...] = ()
    """Weeks of earlier paydays among the charges, each an earnings period of its own; none where late weeks are part of this payday's."""
    subcontractor: Subcontractor | None = None
    """Of a CIS slip."""
    holiday: tuple[HolidayPay, ...] = ()
    leave: leave.Standing | None = None
    pension_refund: PensionRefund | None = None
    """What an opt-out gives back with this payslip."""
    nil_week_applied_on: date | None = None
    """Of a week without pay: the day on which the worker applied for the tax that it gives back."""
    connected: EarningsPeriodToDate | None = None
    """What connected employers charged in the same earnings period."""

    def as_json(self) -> dict[str, Any]:
        return {
            "pay_basis": self.pay_basis,
            "payee_id": self.payee_id,
            "period_from": self.period_from.isoformat(),
            "period_to": self.period_to.isoformat(),
            "payday_on": self.payday_on.isoformat(),
            "charges": [charge.as_json() for charge in self.charges],
            "employee": None if self.employee is None else self.employee.as_json(),
            "levy_payer": self.levy_payer,
            **({"attachments": [each.as_json() for each in self.attachments]} if self.attachments else {}),
            **({"statutory": [each.as_json() for each in self.statutory]} if self.statutory else {}),
            **({"deductions": [each.as_json() for each in self.deductions]} if self.deductions else {}),
            **({"late": [each.as_json() for each in self.late]} if self.late else {}),
            **({"subcontractor": self.subcontractor.as_json()} if self.subcontractor is not None else {}),
            **({"holiday": [each.as_json() for each in self.holiday]} if self.holiday else {}),
            **({"leave": self.leave.as_json()} if self.leave is not None else {}),
            **({"pension_refund": asdict(self.pension_refund)} if self.pension_refund is not None else {}),
            **({"nil_week_applied_on": str(self.nil_week_applied_on)} if self.nil_week_applied_on is not None else {}),
            **({"connected": asdict(self.connected)} if self.connected is not None else {}),
        }


def input_of(raw: Mapping[str, Any]) -> SlipInput:
    """Inputs as `SlipInput.as_json` wrote them."""
    return SlipInput(
        pay_basis=raw["pay_basis"],
        payee_id=raw["payee_id"],
        period_from=date.fromisoformat(raw["period_from"]),
        period_to=date.fromisoformat(raw["period_to"]),
        payday_on=date.fromisoformat(raw["payday_on"]),
        charges=tuple(charge_of(charge) for charge in raw["charges"]),
        employee=None if raw["employee"] is None else employee_of(raw["employee"]),
        levy_payer=raw["levy_payer"],
        attachments=tuple(attachment_of(each) for each in raw.get("attachments", ())),
        statutory=tuple(statutory_of(each) for each in raw.get("statutory", ())),
        deductions=tuple(recovery_of(each) for each in raw.get("deductions", ())),
        late=tuple(late_week_of(each) for each in raw.get("late", ())),
        subcontractor=subcontractor_of(raw["subcontractor"]) if "subcontractor" in raw else None,
        holiday=tuple(holiday_of(each) for each in raw.get("holiday", ())),
        leave=leave.standing_of(raw["leave"]) if "leave" in raw else None,
        pension_refund=PensionRefund(**raw["pension_refund"]) if "pension_refund" in raw else None,
        nil_week_applied_on=date.fromisoformat(raw["nil_week_applied_on"]) if "nil_week_applied_on" in raw else None,
        connected=EarningsPeriodToDate(**raw["connected"]) if "connected" in raw else None,
    )


FIGURES = (
    "gross_pence",
    "holiday_pence",
    "expenses_pence",
    "sacrifice_pence",
    "taxable_pence",
    "niable_pence",
    "tax_pence",
    "employee_nic_pence",
    "employer_nic_pence",
    "student_loan_pence",
    "postgrad_loan_pence",
    "employee_pension_pence",
    "employer_pension_pence",
    "other_deductions_pence",
    "levy_pence",
    "net_pence",
    "cost_pence",
    "pay_to_date_pence",
    "tax_to_date_pence",
)
BENEFITS = "payrolled_benefits_pence"
"""A further figure of payslips with payrolled benefits: the part of taxable pay that is not paid in money."""
CIS_FIGURES = ("cis_labour_pence", "cis_materials_pence", "cis_deduction_pence")
"""Beside `FIGURES`, of CIS slips alone."""
_DEEMED_FIGURES = (
    "taxable_pence",
    "niable_pence",
    "tax_pence",
    "employee_nic_pence",
    "employer_nic_pence",
    "levy_pence",
    "pay_to_date_pence",
    "tax_to_date_pence",
)
"""What a deemed direct payment has of a payslip."""


@dataclass(frozen=True, slots=True)
class SlipResult:
    """The worked slip. `figures` is integer pence by the names of `FIGURES`; gross there is without expenses, as on the payslip, and other
    deductions hold the attachments.

    `attachments`: for each order: order_id, reference, kind, deducted_pence, shortfall_pence (carried to the next payslip), by_hand,
    left_pence (still owed; None: no total). `deductions`: for each: deduction_id, reference, kind, taken_pence, left_pence, limited_by (why
    less than its instalment was taken, or nothing). `leave`: the ledger with this slip (`leave.Outcome.as_json`). `lines` are what is
    printed, `charges` one entry for each charge of the input, in its order: (its share, the penny that summing moved), both pence.
    `nic_parts`: what each NI letter's figures to date move by, where there is more than one of them or of periods; `late`: what of the
    figures is a late week's, by its `reference`, the end of its period.
    """

    figures: Mapping[str, int]
    lines: tuple[Mapping[str, Any], ...]
    shares: tuple[tuple[int, int], ...]
    tax_year: str | None
    tax_period: int | None
    tax_basis: str | None
    ni_letter: str | None
    bands: tuple[int, int, int]
    nmw: str
    nmw_shortfall_pence: int
    nmw_reason: str
    minutes: int
    worked_minutes: int
    engine_version: str
    parameter_version: str
    attachments: tuple[Mapping[str, Any], ...] = ()
    deductions: tuple[Mapping[str, Any], ...] = ()
    nic_parts: tuple[Mapping[str, Any], ...] = ()
    late: tuple[Mapping[str, Any], ...] = ()
    pension_assessment: Mapping[str, Any] | None = None
    """The worker's category for automatic enrolment in this week, and what it asks of the employer."""
    leave: Mapping[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "figures": dict(self.figures),
            "lines": [dict(line) for line in self.lines],
            "shares": [list(share) for share in self.shares],
            "tax_year": self.tax_year,
            "tax_period": self.tax_period,
            "tax_basis": self.tax_basis,
            "ni_letter": self.ni_letter,
            "bands": list(self.bands),
            "nmw": self.nmw,
            "nmw_shortfall_pence": self.nmw_shortfall_pence,
            "nmw_reason": self.nmw_reason,
            "minutes": self.minutes,
            "worked_minutes": self.worked_minutes,
            "engine_version": self.engine_version,
            "parameter_version": self.parameter_version,
            **({"attachments": [dict(each) for each in self.attachments]} if self.attachments else {}),
            **({"deductions": [dict(each) for each in self.deductions]} if self.deductions else {}),
            **({"nic_parts": [dict(each) for each in self.nic_parts]} if self.nic_parts else {}),
            **({"late": [dict(each) for each in self.late]} if self.late else {}),
            **({} if self.pension_assessment is None else {"pension_assessment": dict(self.pension_assessment)}),
            **({"leave": dict(self.leave)} if self.leave is not None else {}),
        }


def calculate(
    inp: SlipInput,
    *,
    years: YearBook,
    minimum_wage: MinimumWageBook,
    attachments: AttachmentBook | None = None,
    trace: Trace | None = None,
) -> SlipResult:
    """Work a slip. Raises EngineError (code, message, field) for what may not be guessed."""
    if inp.pay_basis in SUPPLIED:
        return _supplied(inp, years, trace)
    if inp.pay_basis != "paye" or inp.employee is None:
        raise ValueError(f"a {inp.pay_basis} slip needs an employee on PAYE")
    return _paye(inp, inp.employee, years, minimum_wage, attachments, trace)


def _paye(
    inp: SlipInput,
    employee: Employee,
    years: YearBook,
    book: MinimumWageBook,
    tables: AttachmentBook | None,
    trace: Trace | None,
) -> SlipResult:
    parameters = years.on(inp.payday_on)
    off = _leave(inp, years, trace)
    lines = (
        _engine_lines(inp) + _statutory_lines(inp, years) + holiday_pay.engine_lines(() if off is None else off.paid)
    )
    given = PayslipInput(
        parameters=parameters,
        frequency="weekly",
        payday_on=inp.payday_on,
        tax_code=employee.tax_code,
        ni_letter=employee.ni_letter,
        pay_lines=lines,
        pay_to_date_pence=employee.pay_to_date_pence,
        tax_to_date_pence=employee.tax_to_date_pence,
        previous_pay_pence=employee.previous_pay_pence,
        previous_tax_pence=employee.previous_tax_pence,
        holiday="rolled_up" if any(charge.holiday for charge in inp.charges) else "none",
        student_loan_plan=employee.student_loan_plan,
        postgrad_loan=employee.postgrad_loan,
        pension=_pension(employee.pension, inp.charges, inp.holiday),
        birth_on=employee.birth_on,
        apprentice=employee.apprentice,
        director=_director(employee.director),
        period_from=inp.period_from,
        minimum_wage=book,
        apprenticeship_levy=inp.levy_payer,
        attachments=tuple(each.order for each in inp.attachments),
        attachment_book=tables,
        payrolled_benefits_pence=benefits_pence(employee.benefits),
        apprenticeship_first_year=employee.apprenticeship_first_year,
        accommodation=employee.accommodation,
        late=tuple(
            week.as_period(tuple(i for i, each in enumerate(inp.charges) if week.period_to == each.week_ending + DAY))
            for week in inp.late
        ),
        pension_refund=inp.pension_refund or NOTHING_BACK,
        earnings_period=inp.connected or NOTHING_CHARGED,
    )
    result, recovered = _with_recovery(given, inp, trace)
    figures = {name: getattr(result, name) for name in FIGURES}
    figures["other_deductions_pence"] += result.attachments_pence
    if employee.benefits is not None:
        figures[BENEFITS] = given.payrolled_benefits_pence
    taxed = _is_taxed(result, inp)
    if not taxed:
        figures = _untaxed(employee, result, given.pension_refund)
        if trace is not None:
            _explain_untaxed(trace, figures["net_pence"])
    bands = (result.bands.at_lel_pence, result.bands.lel_to_pt_pence, result.bands.pt_to_uel_pence)
    work_lines = [line for line in result.pay_lines if line.sources[0] < len(inp.charges)]
    shown, shares = _shares(inp.charges, work_lines)
    if trace is not None and inp.statutory:
        _explain_statutory(inp, result, years, trace)
    if trace is not None and employee.benefits is not None:
        explain_benefits(employee.benefits, trace)
    if trace is not None and employee.starting is not None and employee.starting["reason"] is not None:
        explain_start(employee.starting["reason"], trace)
    if trace is not None and off is not None:
        _explain_leave(inp, result, off, trace)
    return SlipResult(
        figures=figures,
        lines=shown + _statutory_shown(inp, result) + _holiday_shown(inp, result, off),
        shares=shares,
        tax_year=result.tax_year,
        tax_period=result.tax_period,
        tax_basis=result.tax_basis,
        ni_letter=result.ni_letter,
        bands=bands if taxed else (0, 0, 0),
        nmw=result.nmw.status,
        nmw_shortfall_pence=result.nmw.shortfall_pence,
        nmw_reason=result.nmw.reason,
        minutes=sum(charge.minutes for charge in inp.charges),
        worked_minutes=_worked(inp),
        engine_version=result.engine_version,
        parameter_version=result.parameter_version,
        attachments=_attached(inp, result) if result.gross_pence else (),
        deductions=recovered,
        nic_parts=tuple(parts_as_json(result.nic_parts)) if taxed else (),
        late=tuple(asdict(each) for each in result.late) if result.gross_pence else (),
        pension_assessment=_assessed(inp, employee, result, parameters),
        leave=None if off is None else off.as_json(),
    )


def _is_taxed(result: PayslipResult, inp: SlipInput) -> bool:
    """Whether tax is worked out. PAYE Regulations 2003 reg. 63: no refund for an unpaid week without the worker's application."""
    given_back = 0 if inp.pension_refund is None else inp.pension_refund.taxable_pence
    return bool(result.gross_pence or given_back or inp.nil_week_applied_on is not None)


def _untaxed(employee: Employee, result: PayslipResult, refund: PensionRefund) -> dict[str, int]:
    """The figures of a week that pays expenses alone, or gives back contributions that were taken after tax."""
    return dict.fromkeys(FIGURES, 0) | {
        "expenses_pence": result.expenses_pence,
        "employee_pension_pence": -refund.ras_pence,
        "employer_pension_pence": -refund.employer_pence,
        "net_pence": result.expenses_pence + refund.ras_pence,
        "cost_pence": result.expenses_pence - refund.employer_pence,
        "pay_to_date_pence": employee.pay_to_date_pence,
        "tax_to_date_pence": employee.tax_to_date_pence,
    }


def _assessed(
    inp: SlipInput, employee: Employee, result: PayslipResult, parameters: YearParameters
) -> Mapping[str, Any] | None:
    """The week's own pay decides; late weeks' pay was due in another period."""
    if employee.pension_standing is None or employee.birth_on is None:
        return None
    return assessed(
        parameters,
        employee.pension_standing,
        birth_on=employee.birth_on,
        period_from=inp.period_from,
        period_to=inp.period_to,
        payday_on=inp.payday_on,
        pay_pence=result.niable_pence - sum(each.niable_pence for each in result.late),
    )


def _director(raw: Mapping[str, Any] | None) -> DirectorTerms | None:
    if raw is None:
        return None
    letters = tuple(LetterToDate(**each) for each in raw.get("letters", ()))
    return DirectorTerms(**{**raw, "letters": letters})


def _with_recovery(
    given: PayslipInput, inp: SlipInput, trace: Trace | None
) -> tuple[PayslipResult, tuple[Mapping[str, Any], ...]]:
    """The payslip with what can be taken of the worker's deductions. One for the employer's benefit takes nothing of a pay whose minimum
    wage could not be tested."""
    if not inp.deductions:
        return calculate_payslip(given, trace), ()
    untested = (
        any(each.item.reduces_nmw for each in inp.deductions) and calculate_payslip(given).nmw.status == "not_tested"
    )
    wanted = [each.item for each in inp.deductions if not (untested and each.item.reduces_nmw)]
    result, recovered = payslip_with_recovery(given, wanted, trace)
    taken = {each.reference: each for each in recovered}
    if not result.gross_pence:
        return result, ()
    shown = []
    for each in inp.deductions:
        found = taken.get(each.item.reference)
        pence = 0 if found is None else found.taken_pence
        shown.append(
            {
                "deduction_id": each.deduction_id,
                "reference": each.item.reference,
                "kind": each.item.kind,
                "taken_pence": pence,
                "left_pence": each.item.outstanding_pence - pence if each.counts_down else None,
                "limited_by": "minimum_wage_not_tested" if found is None else found.limited_by,
            }
        )
    return result, tuple(shown)


def _attached(inp: SlipInput, result: PayslipResult) -> tuple[Mapping[str, Any], ...]:
    """What each order took, in the order of work."""
    by_reference = {each.order.reference: each for each in inp.attachments}
    return tuple(
        {
            "order_id": by_reference[each.reference].order_id,
            "reference": each.reference,
            "kind": each.kind,
            "deducted_pence": each.deducted_pence,
            "shortfall_pence": each.shortfall_pence,
            "by_hand": each.by_hand,
            "left_pence": None if owed is None else owed - each.deducted_pence,
        }
        for each in result.attachments
        for owed in (by_reference[each.reference].order.owed_pence,)
    )


_UNTAXED = ("pay.line", "pay.fixed", "holiday.rolled_up", "pension.refund")


def _explain_untaxed(trace: Trace, net_pence: int) -> None:
    """Make the finished trace say what a week without pay says: its lines, and no tax."""
    whole = trace.root
    lines = tuple(node for node in whole.children if node.rule_id in _UNTAXED)
    returned = [node for node in trace.aside if node.rule_id == "pension.employer.returned"]
    trace.nodes.clear()
    trace.aside[:] = returned
    trace.push(
        replace(
            whole,
            result=net_pence,
            formula="no pay this week: no tax is worked out or given back without the worker's application",
            children=lines,
            signs=(1,) * len(lines),
        )
    )


def _statutory_lines(inp: SlipInput, years: YearBook) -> tuple[PayLineInput, ...]:
    """Statutory pay as the engine takes it: fixed sums, no holiday pay on them, nothing for the minimum wage."""
    return tuple(
        PayLineInput(
            placement_ref=f"week ending {each.week_ending}",
            element=each.kind,
            minutes=0,
            units=Decimal(len(each.dates)),
            rate_unit="day" if each.kind == "SSP" else "each",
            pay_rate=_NOUGHT,
            basic_pay_rate=_NOUGHT,
            amount_pence=each.amount(years),
            nmw_counts=False,
            holiday_counts=False,
            amount_is_final=True,
        )
        for each in inp.statutory
    )


def _is_statutory(inp: SlipInput, line: PayLineResult) -> bool:
    return 0 <= line.sources[0] - len(inp.charges) < len(inp.statutory)


def _statutory_of(inp: SlipInput, line: PayLineResult) -> list[StatutoryPay]:
    return [inp.statutory[i - len(inp.charges)] for i in line.sources]


def _statutory_shown(inp: SlipInput, result: PayslipResult) -> tuple[Mapping[str, Any], ...]:
    """The printed lines of statutory pay. `placement_id` is None: no client asked for it."""
    shown = []
    for line in result.pay_lines:
        if _is_statutory(inp, line):
            parts = _statutory_of(inp, line)
            shown.append(
                {
                    "placement_id": None,
                    "week_ending": parts[0].week_ending.isoformat(),
                    "kind": "statutory",
                    "element": line.element,
                    "rate_code": line.element,
                    "rate_unit": line.rate_unit,
                    "minutes": 0,
                    "units": str(sum(len(part.dates) for part in parts)),
                    "pay_rate": "0",
                    "amount_pence": line.amount_pence,
                    "correction": False,
                }
            )
    return tuple(shown)


def _explain_statutory(inp: SlipInput, result: PayslipResult, years: YearBook, trace: Trace) -> None:
    """Put how each statutory amount was worked out under its line."""
    root = trace.pop()
    children = list(root.children)
    for index, line in enumerate(result.pay_lines):
        if _is_statutory(inp, line):
            children[index] = explained(_statutory_of(inp, line), years, children[index].label)
    trace.push(replace(root, children=tuple(children)))


def _leave(inp: SlipInput, years: YearBook, trace: Trace | None) -> leave.Outcome | None:
    """The slip's leave worked out; None where it has to do with none."""
    if inp.leave is None:
        return None
    return leave.work(inp.leave, inp.charges, inp.holiday, years, inp.payday_on, explain=trace is not None)


def _holiday_lines(
    inp: SlipInput, result: PayslipResult, off: leave.Outcome
) -> list[tuple[int, list[holiday_pay.PaidLeave]]]:
    """(index of the pay line, what it pays) of each line of holiday pay."""
    first = len(inp.charges) + len(inp.statutory)
    return [
        (index, [off.paid[i - first] for i in line.sources])
        for index, line in enumerate(result.pay_lines)
        if line.sources[0] >= first
    ]


def _holiday_shown(inp: SlipInput, result: PayslipResult, off: leave.Outcome | None) -> tuple[Mapping[str, Any], ...]:
    return () if off is None else tuple(holiday_pay.shown(parts) for _, parts in _holiday_lines(inp, result, off))


def _explain_leave(inp: SlipInput, result: PayslipResult, off: leave.Outcome, trace: Trace) -> None:
    """Put how holiday pay was worked out under its lines, and what leave was earned beside them."""
    root = trace.pop()
    children = list(root.children)
    for index, parts in _holiday_lines(inp, result, off):
        children[index] = holiday_pay.explained(parts)
    trace.push(replace(root, children=tuple(children)))
    trace.aside.extend(off.nodes)


def _supplied(inp: SlipInput, years: YearBook, trace: Trace | None) -> SlipResult:
    """What an umbrella, limited company or subcontractor is owed before VAT: the sum of the lines, less what the law takes of it."""
    lines, pay, expenses, *_ = pay_lines_of(_engine_lines(inp), trace)
    shown, shares = _shares(inp.charges, lines)
    taken = _cis(inp, shares, years, trace) if inp.pay_basis == "cis" else _deemed(inp, shares, years, trace)
    net = pay + expenses - taken.pence
    if trace is not None:
        _explain_supplied(trace, net, taken)
    slip = taken.payslip
    return SlipResult(
        figures=dict.fromkeys(FIGURES, 0)
        | {
            "gross_pence": pay,
            "expenses_pence": expenses,
            "net_pence": net,
            "cost_pence": pay + expenses + taken.on_top_pence,
        }
        | taken.figures,
        lines=shown,
        shares=shares,
        tax_year=taken.tax_year,
        tax_period=None if slip is None else slip.tax_period,
        tax_basis=None if slip is None else slip.tax_basis,
        ni_letter=None if slip is None else slip.ni_letter,
        bands=(0, 0, 0)
        if slip is None
        else (slip.bands.at_lel_pence, slip.bands.lel_to_pt_pence, slip.bands.pt_to_uel_pence),
        nmw="not_asked",
        nmw_shortfall_pence=0,
        nmw_reason="",
        minutes=sum(charge.minutes for charge in inp.charges),
        worked_minutes=_worked(inp),
        engine_version=ENGINE_VERSION,
        parameter_version=taken.parameter_version,
    )


@dataclass(frozen=True, slots=True)
class _Taken:
    """What is taken of a self-billed amount, what the agency bears on top, the figures that adds, and with a trace its nodes.
    `payslip`: of a deemed direct payment."""

    pence: int
    figures: dict[str, int]
    nodes: tuple[Node, ...]
    tax_year: str | None
    parameter_version: str
    on_top_pence: int = 0
    payslip: PayslipResult | None = None
    aside: tuple[Node, ...] = ()


_NOTHING_TAKEN = _Taken(0, {}, (), None, "none")


def _deemed(inp: SlipInput, shares: Sequence[tuple[int, int]], years: YearBook, trace: Trace | None) -> _Taken:
    """Tax and Class 1 of the deemed direct payment: the fee of work inside IR35, without its expenses. Source: ITEPA 2003 s.61Q."""
    fee = sum(
        share
        for charge, (share, _) in zip(inp.charges, shares, strict=True)
        if charge.deemed and charge.kind != "expense"
    )
    if fee < 0:
        raise EngineError("negative_pay", "Corrections exceed the deemed pay of the period.", None)
    employee = inp.employee
    if fee == 0:
        return _NOTHING_TAKEN
    if employee is None:
        raise ValueError("a deemed payment needs the worker's tax code and NI letter")
    template = PayslipInput(
        parameters=years.on(inp.payday_on),
        frequency="weekly",
        payday_on=inp.payday_on,
        tax_code=employee.tax_code,
        ni_letter=employee.ni_letter,
        pay_lines=(),
        pay_to_date_pence=employee.pay_to_date_pence,
        tax_to_date_pence=employee.tax_to_date_pence,
        previous_pay_pence=employee.previous_pay_pence,
        previous_tax_pence=employee.previous_tax_pence,
        birth_on=employee.birth_on,
        apprentice=employee.apprentice,
        period_from=inp.period_from,
        apprenticeship_levy=inp.levy_payer,
    )
    inner = None if trace is None else Trace()
    slip = deem(template, fee, 0, trace=inner).payslip
    assert slip is not None  # something is left to deem
    root = None if inner is None else inner.root
    return _Taken(
        pence=slip.tax_pence + slip.employee_nic_pence,
        figures={name: getattr(slip, name) for name in _DEEMED_FIGURES},
        nodes=() if root is None else tuple(c for c, sign in zip(root.children, root.signs, strict=True) if sign < 0),
        tax_year=slip.tax_year,
        parameter_version=slip.parameter_version,
        on_top_pence=slip.employer_nic_pence + slip.levy_pence,
        payslip=slip,
        aside=() if inner is None else tuple(inner.aside),
    )


def _cis(inp: SlipInput, shares: Sequence[tuple[int, int]], years: YearBook, trace: Trace | None) -> _Taken:
    """The deduction from the labour element. Materials are the expense lines whose code says so."""
    found, parameters = inp.subcontractor, years.on(inp.payday_on)
    if found is None:
        raise EngineError("cis_not_verified", "Verify the subcontractor with HMRC before the first payment.", "cis")
    require_verified(found.verified_on, found.last_paid_on, inp.payday_on)
    materials = sum(
        share
        for charge, (share, _) in zip(inp.charges, shares, strict=True)
        if charge.kind == "expense" and charge.rate_code in MATERIALS
    )
    labour = sum(share for share, _ in shares) - materials
    if min(labour, materials) < 0:
        raise EngineError("negative_pay", "Corrections exceed the labour or the materials of the period.", None)
    inner = None if trace is None else Trace()
    worked = cis.deduct(parameters.cis_rates_bp, labour, materials, found.rate_bp, inner)
    nodes: tuple[Node, ...] = ()
    if inner is not None:
        taken = inner.root.children[2]
        facts = (("verified on", str(found.verified_on)), ("verification number", found.verification_number))
        nodes = (replace(taken, inputs=facts),)
    figures = dict(zip(CIS_FIGURES, (labour, materials, worked.deduction_pence), strict=True))
    return _Taken(worked.deduction_pence, figures, nodes, parameters.tax_year, parameters.version)


def _explain_supplied(trace: Trace, net_pence: int, found: _Taken) -> None:
    """Put the lines, and what is taken of them, under one root; what the agency bears on top beside it."""
    lines, taken = tuple(trace.nodes), found.nodes
    trace.nodes.clear()
    trace.aside.extend(found.aside)
    trace.push(
        Node(
            "self_bill.net",
            "Paid before VAT" if taken else "Amount before VAT",
            "sum",
            net_pence,
            "pence",
            "pay lines, less what is deducted" if taken else "pay lines added up",
            (("engine", ENGINE_VERSION),),
            (*lines, *taken),
            (1,) * len(lines) + (-1,) * len(taken),
        )
    )


def _worked(inp: SlipInput) -> int:
    """Minutes of the period's own week that were worked."""
    return sum(
        charge.minutes
        for charge in inp.charges
        if charge.kind == "time" and not charge.reverses and inp.period_from <= charge.week_ending < inp.period_to
    )


def _engine_lines(inp: SlipInput) -> tuple[PayLineInput, ...]:
    """The charges as the engine takes them. A late week has a line of its own, so that the payslip can name it."""
    lines = []
    for charge in inp.charges:
        own = inp.period_from <= charge.week_ending < inp.period_to
        lines.append(
            PayLineInput(
                placement_ref=charge.placement_id if own else f"{charge.placement_id}@{charge.week_ending}",
                element="expense" if charge.kind == "expense" else charge.element,
                minutes=charge.minutes,
                units=charge.units,
                rate_unit=charge.rate_unit,
                pay_rate=charge.pay_rate,
                basic_pay_rate=charge.basic_pay_rate,
                amount_pence=charge.pay_pence,
                nmw_counts=own and charge.kind == "time" and not charge.reverses,
                holiday_counts=charge.holiday and charge.kind != "expense",
                amount_is_final=charge.reverses,
            )
        )
    return tuple(lines)


def _shares(
    charges: Sequence[Charge], lines: Sequence[PayLineResult]
) -> tuple[tuple[Mapping[str, Any], ...], tuple[tuple[int, int], ...]]:
    """The printed lines, and each charge's share of its line with the penny that summing moved."""
    shares: list[tuple[int, int]] = [(0, 0)] * len(charges)
    shown = []
    for line in lines:
        members = [charges[i] for i in line.sources]
        first = members[0]
        if first.reverses:
            for i, charge in zip(line.sources, members, strict=True):
                shares[i] = (charge.pay_pence, charge.rounding_pence)
        elif len(members) == 1:
            shares[line.sources[0]] = (line.amount_pence, line.amount_pence - first.pay_pence)
        else:
            parts = largest_remainder(line.amount_pence, [_measure(charge) for charge in members])
            for i, charge, part in zip(line.sources, members, parts, strict=True):
                shares[i] = (part, part - charge.pay_pence)
        shown.append(
            {
                "placement_id": first.placement_id,
                "week_ending": first.week_ending.isoformat(),
                "kind": first.kind,
                "element": first.element,
                "rate_code": first.rate_code,
                "rate_unit": line.rate_unit,
                "minutes": line.minutes,
                "units": None if line.units is None else str(line.units),
                "pay_rate": str(line.pay_rate),
                "amount_pence": line.amount_pence,
                "correction": first.reverses,
            }
        )
    return tuple(shown), tuple(shares)


def _measure(charge: Charge) -> int:
    """What a line is shared by: minutes, or units in ten-thousandths."""
    if charge.rate_unit == "hour":
        return charge.minutes
    return int((charge.units or Decimal(0)).scaleb(4))


def _pension(
    raw: Mapping[str, Any] | None, charges: Sequence[Charge], holiday: Sequence[HolidayPay] = ()
) -> PensionTerms | None:
    """The terms. Nothing is sacrificed in a week without work or paid leave: expenses are no pay, and statutory pay may not be lowered."""
    if raw is None:
        return None
    earned = bool(holiday) or any(charge.kind != "expense" for charge in charges)
    return PensionTerms(**(raw if earned else {**raw, "sacrifice_pence": 0}))
