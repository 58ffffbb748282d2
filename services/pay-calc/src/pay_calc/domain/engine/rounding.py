"""Every rounding rule of UK pay by name, each with its source.

Each takes an exact ratio `numerator / denominator` in the unit of its result and gives an integer. One rule, one
function, even where two agree today: a payslip line names the function that made it, and a rule that changes has one home.
"""

from __future__ import annotations

from collections.abc import Callable


def _half_up(numerator: int, denominator: int) -> int:
    """Nearest, halves away from zero, so that a reversal cancels what it reverses."""
    if numerator < 0:
        return -((-2 * numerator + denominator) // (2 * denominator))
    return (2 * numerator + denominator) // (2 * denominator)


def trunc4(numerator: int, denominator: int) -> int:
    """Drop everything past the fourth decimal of a pound; the result counts ten-thousandths of a pound.

    Source: HMRC, Specification for PAYE tax table routines, section 3.2 (intermediate results are truncated, not rounded).
    """
    return numerator // denominator


def free_pay_ceil_penny(numerator: int, denominator: int) -> int:
    """Free pay of week or month 1 goes up to the penny. Source: PAYE tax table routines, section 4.3.1, note for programmers."""
    return -(-numerator // denominator)


def threshold_ceil_pound(numerator: int, denominator: int) -> int:
    """The band test uses thresholds rounded up to the pound. Source: PAYE tax table routines, definition 10 (values v)."""
    return -(-numerator // denominator)


def taxable_floor_pound(numerator: int, denominator: int) -> int:
    """Taxable pay to date goes down to the pound. Source: PAYE tax table routines, section 4.4.4 (T from U)."""
    return numerator // denominator


def tax_floor_penny(numerator: int, denominator: int) -> int:
    """Tax due to date goes down to the penny. Source: PAYE tax table routines, section 4.4."""
    return numerator // denominator


def limit_floor_penny(numerator: int, denominator: int) -> int:
    """The 50 % overriding limit goes down to the penny. Source: PAYE tax table routines, section 4.5; PAYE Regulations 2003 reg. 23."""
    return numerator // denominator


def nic_three_decimals(numerator: int, denominator: int) -> int:
    """Truncate to a tenth of a penny; a third decimal of 5 or less goes down, 6 or more up.

    Source: HMRC's National Insurance guidance for software developers, exact percentage method ("0.0059999 becomes 0.00,
    0.006 becomes 0.01"); Social Security (Contributions) Regulations 2001 reg. 12.
    """
    tenths = numerator * 10 // denominator
    return (tenths + 4) // 10


def nic_threshold_ceil_pound(numerator: int, denominator: int) -> int:
    """Thresholds of other earnings periods and pro-rata director years go up to the pound. Source: Social Security
    (Contributions) Regulations 2001 regs 8 and 11; HMRC CA44."""
    return -(-numerator // denominator)


def loan_threshold_floor_penny(numerator: int, denominator: int) -> int:
    """The period's loan threshold is cut to the penny after multiplying. Source: HMRC, student loan deduction specification."""
    return numerator // denominator


def loan_floor_pound(numerator: int, denominator: int) -> int:
    """A loan deduction goes down to the whole pound. Source: Education (Student Loans) (Repayment) Regulations 2009 reg. 44."""
    return numerator // denominator


def pension_half_up_penny(numerator: int, denominator: int) -> int:
    """A contribution goes to the nearest penny, halves up. Source: none in law; the scheme's rule, this house's default."""
    return _half_up(numerator, denominator)


def relief_at_source_half_up_penny(numerator: int, denominator: int) -> int:
    """What the worker pays after basic-rate relief, nearest penny. Source: as `pension_half_up_penny`; Finance Act 2004 s.192."""
    return _half_up(numerator, denominator)


def pay_line_half_up_penny(numerator: int, denominator: int) -> int:
    """A pay line goes to the nearest penny, halves up, once, after its units are summed. Source: contract with the worker."""
    return _half_up(numerator, denominator)


def holiday_half_up_penny(numerator: int, denominator: int) -> int:
    """Rolled-up holiday pay goes to the nearest penny, halves up. Source: Working Time Regulations 1998 reg. 16A is silent."""
    return _half_up(numerator, denominator)


def holiday_basic_half_up_penny(numerator: int, denominator: int) -> int:
    """The basic part of a gross that contains rolled-up holiday pay, nearest penny. Source: umbrella reconciliation practice."""
    return _half_up(numerator, denominator)


def leave_half_up_hour(numerator: int, denominator: int) -> int:
    """Accrued leave: under 30 minutes down, 30 minutes or more up to the hour. Source: Working Time Regulations 1998 reg. 15B."""
    return _half_up(numerator, denominator)


def leave_floor_minute(numerator: int, denominator: int) -> int:
    """The ledger of unrounded leave keeps whole minutes, cut down. Source: house rule beside reg. 15B."""
    return numerator // denominator


def levy_half_up_penny(numerator: int, denominator: int) -> int:
    """Apprenticeship levy, nearest penny. Source: none in law; practice."""
    return _half_up(numerator, denominator)


def ssp_ceil_penny(numerator: int, denominator: int) -> int:
    """Statutory sick pay goes up to the penny after the unrounded daily rate times days. Source: HMRC, SSP manual calculation."""
    return -(-numerator // denominator)


def family_pay_ceil_penny(numerator: int, denominator: int) -> int:
    """A statutory week goes up to the penny. Source: Statutory Maternity Pay (General) Regulations 1986 reg. 28."""
    return -(-numerator // denominator)


def recovery_half_up_penny(numerator: int, denominator: int) -> int:
    """What is recovered of statutory family pay, nearest penny. Source: none in law; practice."""
    return _half_up(numerator, denominator)


def average_half_up_penny(numerator: int, denominator: int) -> int:
    """An average week's pay, nearest penny. Source: Employment Rights Act 1996 s.224 is silent; practice."""
    return _half_up(numerator, denominator)


def hourly_cost_half_up(numerator: int, denominator: int) -> int:
    """An hour's cost for a quotation, nearest ten-thousandth of a pound. Source: house rule; no one is paid this figure."""
    return _half_up(numerator, denominator)


def cis_floor_penny(numerator: int, denominator: int) -> int:
    """A CIS deduction goes down to the penny. Source: none in law; practice."""
    return numerator // denominator


def interest_half_up_penny(numerator: int, denominator: int) -> int:
    """Statutory interest, nearest penny. Source: Late Payment of Commercial Debts (Interest) Act 1998 is silent; practice."""
    return _half_up(numerator, denominator)


def minimum_wage_ceil_penny(numerator: int, denominator: int) -> int:
    """Pay the minimum wage asks for goes up to the penny: less would be below it. Source: National Minimum Wage Act 1998 s.17."""
    return -(-numerator // denominator)


def leave_ceil_minute(numerator: int, denominator: int) -> int:
    """Leave left at termination goes up to the minute: less would be below it. Source: Working Time Regulations 1998 reg. 14 is silent."""
    return -(-numerator // denominator)


def leave_ceil_half_day(numerator: int, denominator: int) -> int:
    """Days x 10,000 of leave in the first year of an employment: a fraction below a half is half a day, one above it a whole day. Source:
    Working Time Regulations 1998 reg. 15A(3)."""
    return -(-numerator // (denominator * 5000)) * 5000


def average_week_floor_penny(numerator: int, denominator: int) -> int:
    """Average weekly earnings as shown, cut to the penny. A test against a limit in whole pence gives what the exact average gives, and
    an amount takes the exact average. Source: HMRC, Statutory Payments Manual: the average is not rounded."""
    return numerator // denominator


def arrestment_half_down_penny(numerator: int, denominator: int) -> int:
    """A Scottish arrestment goes to the nearest penny, an exact halfpenny down. Source: Debtors (Scotland) Act 1987 Schedule 2, note to the
    tables."""
    return -((denominator - 2 * numerator) // (2 * denominator))


def council_tax_half_down_penny(numerator: int, denominator: int) -> int:
    """A council tax deduction goes to the nearest penny, an exact halfpenny down, in the worker's favour. Source: SI 1992/613 Schedule 4 is
    silent; practice."""
    return -((denominator - 2 * numerator) // (2 * denominator))


def direct_earnings_half_down_penny(numerator: int, denominator: int) -> int:
    """A direct earnings attachment goes to the nearest penny, an exact halfpenny down, in the worker's favour. Source: SI 2013/384
    Schedule 2 is silent; practice."""
    return -((denominator - 2 * numerator) // (2 * denominator))


def protected_ceil_penny(numerator: int, denominator: int) -> int:
    """A protected share of net earnings goes up to the penny: less would leave the worker below it. Source: SI 1992/1989 reg. 11 and
    SI 2013/384 reg. 17 are silent."""
    return -(-numerator // denominator)


ROUNDINGS: dict[str, Callable[[int, int], int]] = {
    rule.__name__: rule
    for rule in (
        trunc4,
        free_pay_ceil_penny,
        threshold_ceil_pound,
        taxable_floor_pound,
        tax_floor_penny,
        limit_floor_penny,
        nic_three_decimals,
        nic_threshold_ceil_pound,
        loan_threshold_floor_penny,
        loan_floor_pound,
        pension_half_up_penny,
        relief_at_source_half_up_penny,
        pay_line_half_up_penny,
        holiday_half_up_penny,
        holiday_basic_half_up_penny,
        leave_half_up_hour,
        leave_floor_minute,
        levy_half_up_penny,
        ssp_ceil_penny,
        family_pay_ceil_penny,
        recovery_half_up_penny,
        average_half_up_penny,
        hourly_cost_half_up,
        cis_floor_penny,
        interest_half_up_penny,
        minimum_wage_ceil_penny,
        leave_ceil_minute,
        leave_ceil_half_day,
        average_week_floor_penny,
        arrestment_half_down_penny,
        council_tax_half_down_penny,
        direct_earnings_half_down_penny,
        protected_ceil_penny,
    )
}
