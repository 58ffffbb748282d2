"""The payslip: the statutory order of work over one worker's pay period, on integer pence.

Order (each step's rule is in its own module): pay lines and holiday, salary sacrifice, pension, taxable pay, income tax, niable
pay, National Insurance, attachments of earnings and loans, other deductions from net pay, net. `calculate_payslip` is pure: the same
input, parameters and engine version give the same payslip.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Literal

from pay_calc.domain.engine import (
    ENGINE_VERSION,
    attachments,
    directors,
    holiday,
    income_tax,
    late_pay,
    loans,
    minimum_wage,
    nic,
    pension,
    rounding,
)
from pay_calc.domain.engine.attachment_tables import AttachmentBook
from pay_calc.domain.engine.attachments import AttachmentOrder, AttachmentResult
from pay_calc.domain.engine.calendar import require_period, tax_period
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.engine.minimum_wage import Accommodation, MinimumWageOutcome
from pay_calc.domain.engine.parameters import Frequency, MinimumWageBook, YearParameters
from pay_calc.domain.engine.pension import NOTHING_BACK, PensionRefund
from pay_calc.domain.engine.periods import (
    NOTHING_CHARGED,
    EarningsPeriodToDate,
    LateCharge,
    LatePeriod,
    NicPart,
    joined,
)
from pay_calc.domain.engine.tax_code import parse_tax_code
from pay_calc.domain.engine.trace import Node, Trace

MAX_PENCE = 10**11
"""No single payslip holds more than a thousand million pounds: larger is a mistake at the door."""


@dataclass(frozen=True, slots=True)
class PayLineInput:
    """One approved charge line, or a part of one.

    Hour lines use `minutes`, day and each lines use `units`; the engine sums them by placement, element, unit and pay rate and rounds
    the product once. `amount_pence` is the line's own approved amount, shown beside the share it gets. A line without a rate (a
    fixed sum, a correction or reversal of an amount already paid) sets `amount_is_final`; then `amount_pence` is paid as it stands.
    An `expense` line is paid outside gross: no tax, no NIC, no holiday.
    """

    placement_ref: str
    element: str
    minutes: int
    units: Decimal | None
    rate_unit: Literal["hour", "day", "each"]
    pay_rate: Decimal
    basic_pay_rate: Decimal
    amount_pence: int
    nmw_counts: bool
    """Time and pay of this line count for the minimum wage (its premium over `basic_pay_rate` never does)."""
    holiday_counts: bool = True
    """Pay for work done: earns rolled-up holiday pay."""
    amount_is_final: bool = False


@dataclass(frozen=True, slots=True)
class PensionTerms:
    """An active membership. Percentages are basis points (500 = 5 %).

    net_pay and ras: percentages of `earnings` (qualifying, basic_pay for certified sets 1 and 2, all_earnings for set 3).
    salary_sacrifice: `sacrifice_pence` comes off gross and the employer pays it over as its own contribution, on top of
    `employer_bp` of `earnings`.
    """

    basis: Literal["net_pay", "ras", "salary_sacrifice"]
    employee_bp: int = 0
    employer_bp: int = 0
    earnings: Literal["qualifying", "basic_pay", "all_earnings"] = "qualifying"
    sacrifice_pence: int = 0


@dataclass(frozen=True, slots=True)
class DirectorTerms:
    """A company director's year so far, pence. alternative: ordinary periods until `last_payment_of_year`, then the annual calculation."""

    method: Literal["standard", "alternative"]
    pro_rata_weeks: int = 52
    earnings_to_date_pence: int = 0
    employee_paid_pence: int = 0
    employer_paid_pence: int = 0
    last_payment_of_year: bool = False
    letters: tuple[directors.LetterToDate, ...] = ()
    """The year so far letter by letter, when pay of it was under another letter than this payment's; the sums above are of all."""


@dataclass(frozen=True, slots=True)
class NetDeduction:
    """Taken from net pay, with the worker's consent on file. `reduces_nmw`: for the employer's own benefit or use."""

    reference: str
    amount_pence: int
    reduces_nmw: bool = True


@dataclass(frozen=True, slots=True)
class PayslipInput:
    """Everything a payslip depends on. Money is pence; to-date figures are of this tax year before this payment.

    `previous_*` is previous employment (P45 or P6): it enters the tax calculation and never this employment's figures.
    `period_from` is the first day of the pay reference period, for the minimum wage; `minimum_wage` the book of its rates.
    """

    parameters: YearParameters
    frequency: Frequency
    payday_on: date
    tax_code: str
    ni_letter: str
    """As recorded; what the age on the payday makes of it is in the result (`nic.letter_by_age`)."""
    pay_lines: tuple[PayLineInput, ...]
    pay_to_date_pence: int = 0
    tax_to_date_pence: int = 0
    previous_pay_pence: int = 0
    previous_tax_pence: int = 0
    holiday: Literal["rolled_up", "none"] = "none"
    student_loan_plan: str | None = None
    postgrad_loan: bool = False
    pension: PensionTerms | None = None
    birth_on: date | None = None
    apprentice: bool = False
    period_from: date | None = None
    minimum_wage: MinimumWageBook | None = None
    payrolled_benefits_pence: int = 0
    earnings_period: EarningsPeriodToDate = NOTHING_CHARGED
    director: DirectorTerms | None = None
    attachments: tuple[AttachmentOrder, ...] = ()
    deductions: tuple[NetDeduction, ...] = ()
    apprenticeship_levy: bool = False
    """Accrue 0.5 % of niable pay as a cost; what is due to HMRC is worked out for the employer as a whole."""
    odd_week: Literal["round_up", "actual_week"] = "round_up"
    attachment_book: AttachmentBook | None = None
    """The verified tables of orders; without them an order that needs one is refused."""
    apprenticeship_first_year: bool | None = None
    """Of an apprentice of 19 or over, for the minimum wage; None: not recorded."""
    accommodation: Accommodation | None = None
    due_before_state_pension_age: bool = False
    """Pay that was due before State Pension age and comes late still bears employee National Insurance."""
    late: tuple[LatePeriod, ...] = ()
    """Earlier paydays on which part of the pay lines was owed."""
    pension_refund: PensionRefund = NOTHING_BACK
    """Contributions given back with this payslip: each is the contribution taken, the other way round."""


BASIC_PAY = frozenset({"basic", "holiday_taken"})
"""Elements that are basic pay of a certified pension scheme: holiday is, premiums are not. Source: DWP, certification guidance."""
STATUTORY_FAMILY_PAY = frozenset({"SMP", "SAP", "SPP", "SHPP", "SPBP", "SNCP"})
"""Elements (in any case) of pay lines that no order may take: attachable earnings are without statutory family pay, with sick pay."""


@dataclass(frozen=True, slots=True)
class PayLineResult:
    """A line of the payslip: units summed by placement, element, unit and rate, rounded once.

    `sources` are indexes into `PayslipInput.pay_lines`; `shares_pence` their parts, which sum to `amount_pence`.
    """

    placement_ref: str
    element: str
    rate_unit: str
    minutes: int
    units: Decimal | None
    pay_rate: Decimal
    amount_pence: int
    sources: tuple[int, ...]
    shares_pence: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class NicBands:
    """The FPS band columns of this payslip's letter, pence."""

    at_lel_pence: int
    lel_to_pt_pence: int
    pt_to_uel_pence: int


@dataclass(frozen=True, slots=True)
class PayslipResult:
    """One worked payslip, pence.

    gross = pay lines + holiday (expenses are outside).
    net = gross - sacrifice - tax - employee NIC - loans - employee pension - attachments - other deductions + expenses.
    cost (what the employer bears) = gross - sacrifice + employer NIC + employer pension (the sacrificed sum in it) + levy + expenses.
    `pay_to_date` and `tax_to_date` are of this employment, this payment included.
    """

    pay_lines: tuple[PayLineResult, ...]
    gross_pence: int
    holiday_pence: int
    expenses_pence: int
    sacrifice_pence: int
    taxable_pence: int
    niable_pence: int
    tax_pence: int
    employee_nic_pence: int
    employer_nic_pence: int
    student_loan_pence: int
    postgrad_loan_pence: int
    qualifying_earnings_pence: int
    """The earnings that pension percentages were taken of; zero without such a membership."""
    employee_pension_pence: int
    employer_pension_pence: int
    other_deductions_pence: int
    levy_pence: int
    net_pence: int
    cost_pence: int
    pay_to_date_pence: int
    tax_to_date_pence: int
    tax_year: str
    tax_period: int
    tax_basis: Literal["cumulative", "non_cumulative"]
    limited_to_50pct: bool
    ni_letter: str
    bands: NicBands
    nmw: MinimumWageOutcome
    engine_version: str
    parameter_version: str
    attachments_pence: int = 0
    attachments: tuple[AttachmentResult, ...] = ()
    nic_parts: tuple[NicPart, ...] = ()
    """What each letter's figures move by, where more than the payslip's own period under one letter is charged; they sum to its figures."""
    late: tuple[LateCharge, ...] = ()


@lru_cache(maxsize=8192)
def _ten_thousandths(amount: Decimal) -> int:
    """A rate or a number of units as an integer of its fourth decimal; more decimals are refused."""
    if not amount.is_finite():
        raise EngineError("not_a_number", f"{amount} is not a number of money or units.", "pay_lines")
    if amount.adjusted() > 12:
        raise EngineError(
            "amount_out_of_range", "A rate or a number of units has more than twelve digits.", "pay_lines"
        )
    scaled = int(amount.scaleb(4))
    if amount != Decimal(scaled).scaleb(-4):
        raise EngineError(
            "too_many_decimals", f"{amount} has more than the four decimals a rate or unit may have.", "pay_lines"
        )
    return scaled


def pay_lines_of(
    lines: tuple[PayLineInput, ...], trace: Trace | None = None
) -> tuple[tuple[PayLineResult, ...], int, int, int, int, int, int]:
    """(lines, pay, expenses, pay that earns holiday, basic pay, minutes for the minimum wage, its pay x `minimum_wage.SCALE`).

    Units are summed by placement, element, unit and rate before the one rounding, so splitting a week over timesheets changes nothing.
    """
    groups: dict[tuple[str, str, str, int, bool], list[int]] = {}
    nmw_minutes = nmw_scaled = 0
    for index, line in enumerate(lines):
        rate = _ten_thousandths(line.pay_rate)
        key = (line.placement_ref, line.element, line.rate_unit, rate, line.amount_is_final)
        found = groups.get(key)
        if found is None:
            groups[key] = [index]
        else:
            found.append(index)
        if line.nmw_counts and line.element != "expense":
            basic = _ten_thousandths(line.basic_pay_rate)
            counted = basic if basic < rate else rate
            nmw_minutes += line.minutes
            if line.amount_is_final:
                nmw_scaled += line.amount_pence * minimum_wage.SCALE
            elif line.rate_unit == "hour":
                nmw_scaled += line.minutes * counted * 100
            else:
                nmw_scaled += _ten_thousandths(line.units or _ZERO) * counted * 60 // 100

    results: list[PayLineResult] = []
    pay = expenses = holiday_base = basic_pay = 0
    for (placement, element, unit, rate, final), members in groups.items():
        first = lines[members[0]]
        minutes = units = 0
        shares: tuple[int, ...]
        if final:
            shares = tuple(lines[i].amount_pence for i in members)
            amount = sum(shares)
            minutes = sum(lines[i].minutes for i in members)
        else:
            divisor = 6000 if unit == "hour" else 1000000
            running: list[int] = []
            count = before = 0
            for i in members:
                line = lines[i]
                minutes += line.minutes
                if unit == "hour":
                    count = minutes
                else:
                    units += _ten_thousandths(line.units or _ZERO)
                    count = units
                upto = rounding.pay_line_half_up_penny(count * rate, divisor)
                running.append(upto - before)
                before = upto
            amount, shares = before, tuple(running)
            if trace is not None:
                hourly = unit == "hour"
                measured = trace.given(
                    "pay.units", "Time" if hourly else "Units", count, "minutes" if hourly else "units_4dp", "approved timesheets",
                    (("timesheet lines", str(len(members))),),
                )  # fmt: skip
                words = f"{'time' if hourly else 'units'} x {first.pay_rate} {_RATE_WORDS[unit]}"
                trace.push(
                    Node("pay.line", f"{element}, {placement}", "ratio", amount, "pence", words, (), (measured,), factors=(rate,),
                         divisor=divisor, rounding="pay_line_half_up_penny")
                )  # fmt: skip
        if final and trace is not None:
            trace.push(
                trace.given(
                    "pay.fixed",
                    f"{element}, {placement}",
                    amount,
                    "pence",
                    "paid as it stands: a fixed amount, or a correction",
                )
            )
        if element == "expense":
            expenses += amount
        else:
            pay += amount
            if element in BASIC_PAY:
                basic_pay += amount
            for i, share in zip(members, shares, strict=True):
                if lines[i].holiday_counts:
                    holiday_base += share
        results.append(
            PayLineResult(
                placement,
                element,
                unit,
                minutes,
                None if unit == "hour" else Decimal(units).scaleb(-4),
                first.pay_rate,
                amount,
                tuple(members),
                shares,
            )
        )
    return tuple(results), pay, expenses, holiday_base, basic_pay, nmw_minutes, nmw_scaled


_ZERO = Decimal(0)
_RATE_WORDS = {"hour": "an hour", "day": "a day", "each": "each"}


def calculate_payslip(inp: PayslipInput, trace: Trace | None = None) -> PayslipResult:
    """Work one payslip. Raises EngineError (code, message, field) for what may not be guessed: an unknown letter, code, plan or
    period, a payday outside the parameters' year, a negative period.

    With a trace the root is net pay; its children are the lines that sum to it, and each explains itself.
    """
    parameters, frequency = inp.parameters, inp.frequency
    if not parameters.starts_on <= inp.payday_on <= parameters.ends_on:
        raise EngineError(
            "payday_outside_tax_year",
            f"Payday {inp.payday_on} is not in tax year {parameters.tax_year}: use that date's own parameters.",
            "payday_on",
        )
    code = parse_tax_code(inp.tax_code)
    recorded = nic.require_letter(parameters, inp.ni_letter)
    letter = nic.require_letter(
        parameters,
        nic.letter_by_age(recorded.letter, inp.birth_on, inp.payday_on, inp.due_before_state_pension_age),
    )
    _check_director(inp, recorded.letter, letter.letter)
    period = tax_period(inp.payday_on, frequency, inp.odd_week).number
    if inp.odd_week == "round_up":
        require_period(period, frequency)

    lines, pay, expenses, holiday_base, basic_pay, nmw_minutes, nmw_scaled = pay_lines_of(inp.pay_lines, trace)
    net_nodes: list[Node] = []
    net_signs: list[int] = []
    if trace is not None:
        net_signs.extend([1] * len(lines))
        net_nodes.extend(trace.nodes[len(trace.nodes) - len(lines) :])
        del trace.nodes[len(trace.nodes) - len(lines) :]

    holiday_pay = 0
    if inp.holiday == "rolled_up":
        holiday_pay = holiday.rolled_up(parameters, holiday_base, trace)
        if trace is not None:
            net_nodes.append(trace.pop())
            net_signs.append(1)
    gross = pay + holiday_pay
    if not 0 <= gross <= MAX_PENCE:
        raise EngineError(
            "negative_pay" if gross < 0 else "amount_out_of_range",
            f"The period's pay is {rounded_text(gross)}: corrections exceed pay; recover the rest in a later period."
            if gross < 0
            else f"The period's pay of {rounded_text(gross)} is above the limit of {rounded_text(MAX_PENCE)}.",
            "pay_lines",
        )

    earlier = inp.earnings_period
    terms = inp.pension
    sacrifice = terms.sacrifice_pence if terms is not None and terms.basis == "salary_sacrifice" else 0
    if not 0 <= sacrifice <= gross:
        raise EngineError(
            "sacrifice_exceeds_pay",
            f"The salary sacrifice of {rounded_text(sacrifice)} is more than the pay.",
            "pension.amount",
        )
    refund = inp.pension_refund
    niable = gross - sacrifice + refund.sacrifice_pence
    late: tuple[late_pay.LatePay, ...] = ()
    own, own_basic = niable, basic_pay
    if inp.late:
        earns = frozenset(i for i, line in enumerate(inp.pay_lines) if line.holiday_counts)
        late = late_pay.earned(
            parameters, inp.late, lines, earns if inp.holiday == "rolled_up" else frozenset(), gross, sacrifice
        )
        for each in late:
            late_pay.check(parameters, each)
            own, own_basic = own - each.niable_pence, own_basic - each.basic_pence

    late_pensions: list[tuple[int, int]] = []
    pensionable = employee_pension = employer_pension = net_pay_pension = 0
    if terms is not None:
        worked = _pension_of_period(inp, terms, earlier, own, own_basic, trace)
        pensionable = worked.pensionable_pence if terms.employee_bp or terms.employer_bp else 0
        employee_pension = worked.employee_deducted_pence - earlier.employee_pension_pence
        employer_pension = worked.employer_pence - earlier.employer_pension_pence
        late_nodes: tuple[list[Node], list[Node]] = ([], [])
        own_nodes = _popped(trace)
        for each in late:
            more = _pension_of_period(inp, terms, each.period.charged, each.niable_pence, each.basic_pence, trace)
            charged = each.period.charged
            employee_late = more.employee_deducted_pence - charged.employee_pension_pence
            employer_late = more.employer_pence - charged.employer_pension_pence
            late_pensions.append((employee_late, employer_late))
            employee_pension, employer_pension = employee_pension + employee_late, employer_pension + employer_late
            if terms.employee_bp or terms.employer_bp:
                pensionable += more.pensionable_pence
            _keep_late(trace, late_nodes, each, charged.employee_pension_pence, charged.employer_pension_pence)
        employer_pension += sacrifice
        if terms.basis == "net_pay":
            net_pay_pension = employee_pension
        if trace is not None:
            for node in own_nodes:
                trace.push(node)
            bears = late_pay.each(_less_earlier(trace, trace.pop(), earlier.employer_pension_pence), late_nodes[1])
            if sacrifice:
                given_up = trace.given("pay.sacrifice", "Salary sacrifice", sacrifice, "pence", "agreed amount")
                bears = Node("pension.employer_all", bears.label, "sum", employer_pension, "pence",
                             "its own, and what the worker gave up", (), (bears, given_up), (1, 1))  # fmt: skip
            trace.aside.append(bears)
            net_nodes.append(
                late_pay.each(_less_earlier(trace, trace.pop(), earlier.employee_pension_pence), late_nodes[0])
            )
            net_signs.append(-1)
            if sacrifice:
                net_nodes.append(trace.given("pay.sacrifice", "Salary sacrifice", sacrifice, "pence", "agreed amount"))
                net_signs.append(-1)

    if refund.worker_pence or refund.employer_pence:
        employee_pension -= refund.net_pay_pence + refund.ras_pence
        employer_pension -= refund.sacrifice_pence + refund.employer_pence
        net_pay_pension -= refund.net_pay_pence
        if trace is not None:
            net_nodes.append(_refund_node(trace, refund))
            net_signs.append(1)
            trace.aside.append(_returned_node(trace, refund))
    if net_pay_pension > niable:
        raise EngineError(
            "pension_exceeds_pay",
            f"The pension contribution of {rounded_text(net_pay_pension)} is more than the pay it comes from.",
            "pension",
        )
    taxable = niable - net_pay_pension + inp.payrolled_benefits_pence
    tax = income_tax.tax_for_payment(
        parameters,
        code,
        frequency,
        period,
        taxable,
        inp.pay_to_date_pence + inp.previous_pay_pence,
        inp.tax_to_date_pence + inp.previous_tax_pence,
        inp.payrolled_benefits_pence,
        trace,
    )
    if trace is not None:
        net_nodes.append(trace.pop())
        net_signs.append(-1)

    employee_nic, employer_nic, bands, nic_parts = _national_insurance(inp, letter.letter, own, trace)
    late_nics: tuple[NicPart, ...] = ()
    if late:
        own_part = NicPart(letter.letter, own, bands.at_lel_pence, bands.lel_to_pt_pence, bands.pt_to_uel_pence, employee_nic,
                           employer_nic)  # fmt: skip
        late_nics = _late_national_insurance(inp, late, trace)
        nic_parts = joined((own_part, *late_nics))
        bands = NicBands(nic_parts[0].at_lel_pence, nic_parts[0].lel_to_pt_pence, nic_parts[0].pt_to_uel_pence)
        employee_nic = sum(part.employee_pence for part in nic_parts)
        employer_nic = sum(part.employer_pence for part in nic_parts)
    if trace is not None:
        trace.aside.append(trace.pop())
        net_nodes.append(trace.pop())
        net_signs.append(-1)

    orders: tuple[AttachmentResult, ...] = ()
    late_loans: list[list[int]] = [[0, 0] for _ in late]
    if inp.attachments:
        family = sum(line.amount_pence for line in lines if line.element.upper() in STATUTORY_FAMILY_PAY)
        left = niable - family - employee_pension - tax.tax_pence - employee_nic
        student, postgrad, orders = _orders_and_loans(inp, own, left, trace, net_nodes, late, late_loans)
    else:
        student, postgrad = _loans(inp, own, None, trace, net_nodes, late, late_loans)
    net_signs.extend([-1] * (len(net_nodes) - len(net_signs)))
    attached = sum(order.deducted_pence for order in orders) if orders else 0

    other = nmw_reduction = 0
    for deduction in inp.deductions:
        other += deduction.amount_pence
        if deduction.reduces_nmw:
            nmw_reduction += deduction.amount_pence
        if trace is not None:
            net_nodes.append(
                trace.given(
                    "pay.deduction",
                    deduction.reference,
                    deduction.amount_pence,
                    "pence",
                    "agreed deduction from net pay",
                )
            )
            net_signs.append(-1)

    levy = rounding.levy_half_up_penny(niable * parameters.levy_bp, 10000) if inp.apprenticeship_levy else 0
    taken = employee_pension + tax.tax_pence + employee_nic + student + postgrad + attached + other
    sacrificed = sacrifice - refund.sacrifice_pence
    net = gross - sacrificed - taken + expenses
    outcome = _NMW_NOT_ASKED
    if inp.minimum_wage is not None:
        outcome = minimum_wage.outcome_of_period(
            inp.minimum_wage,
            reference_period_from=inp.period_from,
            birth_on=inp.birth_on,
            apprentice=inp.apprentice,
            apprenticeship_first_year=inp.apprenticeship_first_year,
            minutes=nmw_minutes,
            counting_pay_scaled=nmw_scaled - (sacrifice + nmw_reduction) * minimum_wage.SCALE,
            accommodation=inp.accommodation,
        )
    if trace is not None:
        if inp.apprenticeship_levy:
            on = trace.given(
                "levy.earnings", "Pay for National Insurance", niable, "pence", "gross pay, less any salary sacrifice"
            )
            trace.aside.append(
                Node("levy.accrued", "Apprenticeship levy", "ratio", levy, "pence", "pay for National Insurance x 0.5 %", (), (on,),
                     factors=(parameters.levy_bp,), divisor=10000, rounding="levy_half_up_penny")
            )  # fmt: skip
        trace.push(
            Node("pay.net", "Net pay", "sum", net, "pence", "pay lines and holiday, less deductions",
                 (("engine", ENGINE_VERSION), ("parameters", parameters.version), ("payday", str(inp.payday_on))),
                 tuple(net_nodes), tuple(net_signs))
        )  # fmt: skip
    return PayslipResult(
        lines,
        gross,
        holiday_pay,
        expenses,
        sacrificed,
        taxable,
        niable,
        tax.tax_pence,
        employee_nic,
        employer_nic,
        student,
        postgrad,
        pensionable,
        employee_pension,
        employer_pension,
        other,
        levy,
        net,
        gross - sacrificed + employer_nic + employer_pension + levy + expenses,
        inp.pay_to_date_pence + taxable,
        inp.tax_to_date_pence + tax.tax_pence,
        parameters.tax_year,
        period,
        tax.basis,
        tax.limited_to_50pct,
        letter.letter,
        bands,
        outcome,
        ENGINE_VERSION,
        parameters.version,
        attached,
        orders,
        nic_parts,
        tuple(
            LateCharge(each.period.reference, charge.letter, each.niable_pence, each.basic_pence, charge.employee_pence,
                       charge.employer_pence, loan[0], loan[1], *contributed)
            for each, charge, loan, contributed in zip(
                late, late_nics, late_loans, late_pensions or [(0, 0)] * len(late), strict=True
            )
        ) if late else (),
    )  # fmt: skip


_NMW_NOT_ASKED = MinimumWageOutcome("not_tested", 0, None, 0, "no minimum wage rates were given to test against")


def _refund_node(trace: Trace, refund: PensionRefund) -> Node:
    parts = (
        ("net_pay", "Taken before tax", refund.net_pay_pence, "taxed now, as it was not when it was taken"),
        ("ras", "Taken from net pay", refund.ras_pence, "relief at source: it was taxed when it was taken"),
        ("sacrifice", "Pay given up", refund.sacrifice_pence, "salary sacrifice: it is pay now"),
    )
    children = tuple(
        trace.given(f"pension.refund.{name}", label, pence, "pence", words)
        for name, label, pence, words in parts
        if pence
    )
    return Node("pension.refund", "Pension contributions given back", "sum", refund.worker_pence, "pence",
                "all that was taken since enrolment", (), children, (1,) * len(children))  # fmt: skip


def _returned_node(trace: Trace, refund: PensionRefund) -> Node:
    parts = (
        ("employer", "The employer's own contributions", refund.employer_pence),
        ("sacrifice", "Pay given up", refund.sacrifice_pence),
    )
    children = tuple(
        trace.given(f"pension.returned.{name}", label, pence, "pence", "since enrolment")
        for name, label, pence in parts
        if pence
    )
    returned = refund.employer_pence + refund.sacrifice_pence
    return Node("pension.employer.returned", "Pension contributions that the scheme returns", "sum", -returned, "pence",
                "what the employer paid since enrolment", (), children, (-1,) * len(children))  # fmt: skip


def rounded_text(pence: int) -> str:
    """Pence as pounds text for messages."""
    sign, size = ("-", -pence) if pence < 0 else ("", pence)
    return f"{sign}{size // 100}.{size % 100:02d}"


def _check_director(inp: PayslipInput, recorded: str, letter: str) -> None:
    director = inp.director
    if director is None:
        return
    if letter != recorded and director.earnings_to_date_pence and not director.letters:
        raise EngineError(
            "director_letter_changed",
            f"By age on {inp.payday_on} letter {recorded} has become {letter}: a director's year of several letters needs the earnings "
            "and contributions of each.",
            "ni_letter",
        )
    if inp.late:
        raise EngineError("late_pay_of_director", "A director's late pay is part of the year's earnings.", "late")


def _pension_of_period(
    inp: PayslipInput,
    terms: PensionTerms,
    charged: EarningsPeriodToDate,
    niable_pence: int,
    basic_pence: int,
    trace: Trace | None,
) -> pension.PensionResult:
    """Contributions of a whole earnings period, what was charged in it before included."""
    total = charged.pensionable_pay_pence + niable_pence
    certified = charged.pensionable_pay_pence + (basic_pence if terms.earnings == "basic_pay" else niable_pence)
    return pension.contributions(
        inp.parameters,
        inp.frequency,
        total,
        terms.employee_bp,
        terms.employer_bp,
        terms.basis,
        None if terms.earnings == "qualifying" else certified,
        trace,
    )


def _popped(trace: Trace | None) -> tuple[Node, ...]:
    """The last two nodes, in the order in which they were pushed."""
    if trace is None:
        return ()
    employer = trace.pop()
    return (trace.pop(), employer)


def _keep_late(
    trace: Trace | None, kept: tuple[list[Node], list[Node]], late: late_pay.LatePay, employee: int, employer: int
) -> None:
    """Take the last two nodes, of a late period's employee and employer, less what was taken before, and name their payday."""
    for nodes, node, already in zip(kept, _popped(trace), (employee, employer), strict=False):
        assert trace is not None
        named = replace(node, label=f"{node.label}, payday {late.period.payday_on}")
        nodes.append(_less_earlier(trace, named, already))


def _late_national_insurance(
    inp: PayslipInput, late: tuple[late_pay.LatePay, ...], trace: Trace | None
) -> tuple[NicPart, ...]:
    """Each late period's part. With a trace: the payslip's own two nodes on top become those of all periods."""
    kept: tuple[list[Node], list[Node]] = ([], [])
    own = _popped(trace)
    parts = []
    for each in late:
        letter = late_pay.letter_of(inp.parameters, each.period, inp.ni_letter, inp.birth_on, inp.payday_on)
        parts.append(late_pay.national_insurance(inp.parameters, inp.frequency, each, letter, trace))
        charged = each.period.charged
        _keep_late(trace, kept, each, charged.employee_nic_pence, charged.employer_nic_pence)
    if trace is not None:
        for node, nodes in zip(own, kept, strict=True):
            trace.push(late_pay.each(node, nodes))
    return tuple(parts)


def _less_earlier(trace: Trace, node: Node, earlier_pence: int) -> Node:
    """The period's figure less what an earlier payslip of the same earnings period already took."""
    if not earlier_pence:
        return node
    already = trace.given(
        "period.already", "Already taken in this period", earlier_pence, "pence", "an earlier payslip"
    )
    return Node("period.rest", node.label, "sum", node.result - earlier_pence, "pence",
                "the period's total less what was already taken", (), (node, already), (1, -1))  # fmt: skip


def _loans(
    inp: PayslipInput,
    niable_pence: int,
    room_pence: int | None,
    trace: Trace | None,
    nodes: list[Node],
    late: tuple[late_pay.LatePay, ...],
    late_taken: list[list[int]],
) -> tuple[int, int]:
    """(student, postgraduate) loan of this payslip: the earnings period's less what was taken, and late periods', within `room_pence` when
    orders run. `late_taken` gets what of each is late periods'."""
    earlier, room = inp.earnings_period, room_pence
    taken = [0, 0]
    if inp.student_loan_plan == "PG":
        raise EngineError(
            "unknown_loan_plan", "PG is set by postgrad_loan, beside plan 1, 2, 4 or 5.", "student_loan_plan"
        )
    plans = (
        (0, inp.student_loan_plan, earlier.student_loan_pence),
        (1, "PG" if inp.postgrad_loan else None, earlier.postgrad_loan_pence),
    )
    for index, plan, already in plans:
        if plan is None:
            continue
        amount = (
            loans.deduction(inp.parameters, plan, inp.frequency, earlier.niable_pence + niable_pence, trace) - already
        )
        if trace is not None:
            trace.push(_less_earlier(trace, trace.pop(), already))
        extra = _late_loans(inp, plan, late, trace) if late else []
        own, amount = amount, amount + sum(extra)
        if room is not None:
            asked, amount = amount, attachments.cap_loan(amount, room, trace)
            room -= amount
            if extra and amount < asked:
                extra = _first_come(amount - min(own, amount), extra)
        for each, pence in zip(late_taken, extra, strict=False):
            each[index] = pence
        taken[index] = amount
        if trace is not None:
            nodes.append(trace.pop())
    return taken[0], taken[1]


def _late_loans(inp: PayslipInput, plan: str, late: tuple[late_pay.LatePay, ...], trace: Trace | None) -> list[int]:
    """A plan's deduction of each late period. With a trace: the own period's node on top becomes that of all periods."""
    amounts, nodes = [], []
    for each in late:
        height = 0 if trace is None else len(trace.nodes)
        amounts.append(late_pay.loan(inp.parameters, inp.frequency, each, plan, trace))
        if trace is not None and len(trace.nodes) > height:
            charged = each.period.charged
            named = replace(trace.nodes[-1], label=f"{trace.pop().label}, payday {each.period.payday_on}")
            already = charged.postgrad_loan_pence if plan == "PG" else charged.student_loan_pence
            nodes.append(_less_earlier(trace, named, already))
    if trace is not None:
        trace.push(late_pay.each(trace.pop(), nodes))
    return amounts


def _first_come(pence: int, asked: list[int]) -> list[int]:
    """What is left of a capped deduction, given out in order."""
    given = []
    for each in asked:
        given.append(min(each, pence))
        pence -= given[-1]
    return given


def _orders_and_loans(
    inp: PayslipInput,
    niable_pence: int,
    attachable_pence: int,
    trace: Trace | None,
    nodes: list[Node],
    late: tuple[late_pay.LatePay, ...],
    late_taken: list[list[int]],
) -> tuple[int, int, tuple[AttachmentResult, ...]]:
    """Loans and orders in the order of work: priority orders, loans on what their protected earnings leave, then the others. No loan
    runs beside a council tax order or a Scottish arrestment. Appends the nodes of what it takes."""
    left, protected = attachable_pence, 0
    student = postgrad = 0
    loans_done = False
    results: list[AttachmentResult] = []
    stopped = any(order.stops_loans for order in inp.attachments)
    for order in (*attachments.in_order_of_work(inp.attachments), None):
        if not loans_done and (order is None or not order.before_loans):
            loans_done = True
            if not stopped:
                room = left - protected if protected or results else None
                student, postgrad = _loans(inp, niable_pence, room, trace, nodes, late, late_taken)
        if order is None:
            break
        result = attachments.work(
            order,
            left,
            trace,
            net_earnings_pence=attachable_pence,
            room_pence=left - student - postgrad,
            frequency=inp.frequency,
            book=inp.attachment_book,
        )
        if trace is not None:
            nodes.append(trace.pop())
        left -= result.deducted_pence
        if order.before_loans and result.protected_pence > protected:
            protected = result.protected_pence
        results.append(result)
    return student, postgrad, tuple(results)


def _national_insurance(
    inp: PayslipInput, letter: str, niable_pence: int, trace: Trace | None
) -> tuple[int, int, NicBands, tuple[NicPart, ...]]:
    """(employee, employer, bands, parts) of this payslip: the earnings period's total less what was charged, or a director's year; parts
    where several letters share that year.

    With a trace: pushes the employee's node, then the employer's.
    """
    parameters, earlier, director = inp.parameters, inp.earnings_period, inp.director
    if director is not None and (director.method == "standard" or director.last_payment_of_year):
        if director.letters:
            return _by_letters(inp, director, letter, niable_pence, trace)
        employee, employer, thresholds = directors.standard_due(
            parameters,
            letter,
            director.earnings_to_date_pence + niable_pence,
            director.employee_paid_pence,
            director.employer_paid_pence,
            director.pro_rata_weeks,
            trace,
        )
        found = parameters.nic_letters[letter]
        now = nic.class_1_on(parameters, thresholds, found, director.earnings_to_date_pence + niable_pence)
        before = nic.class_1_on(parameters, thresholds, found, director.earnings_to_date_pence)
        return employee, employer, _bands_between(now, before), ()
    result = nic.class_1(parameters, inp.frequency, letter, earlier.niable_pence + niable_pence, trace)
    if earlier.niable_pence == 0:
        return (
            result.employee_pence,
            result.employer_pence,
            NicBands(result.at_lel_pence, result.lel_to_pt_pence, result.pt_to_uel_pence),
            (),
        )
    if trace is not None:
        employer_node, employee_node = trace.pop(), trace.pop()
        trace.push(_less_earlier(trace, employee_node, earlier.employee_nic_pence))
        trace.push(_less_earlier(trace, employer_node, earlier.employer_nic_pence))
    before = nic.class_1(parameters, inp.frequency, letter, earlier.niable_pence)
    return (
        result.employee_pence - earlier.employee_nic_pence,
        result.employer_pence - earlier.employer_nic_pence,
        _bands_between(result, before),
        (),
    )


def _by_letters(
    inp: PayslipInput, director: DirectorTerms, letter: str, niable_pence: int, trace: Trace | None
) -> tuple[int, int, NicBands, tuple[NicPart, ...]]:
    parts = directors.due_by_letters(
        inp.parameters, director.letters, letter, niable_pence, director.pro_rata_weeks, trace
    )
    own = next(part for part in parts if part.letter == letter)
    return (
        sum(part.employee_pence for part in parts),
        sum(part.employer_pence for part in parts),
        NicBands(own.at_lel_pence, own.lel_to_pt_pence, own.pt_to_uel_pence),
        parts,
    )


def _bands_between(now: nic.NicResult, before: nic.NicResult) -> NicBands:
    return NicBands(
        now.at_lel_pence - before.at_lel_pence,
        now.lel_to_pt_pence - before.lel_to_pt_pence,
        now.pt_to_uel_pence - before.pt_to_uel_pence,
    )
