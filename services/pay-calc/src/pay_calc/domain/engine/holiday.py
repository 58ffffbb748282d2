"""Holiday of irregular-hours and part-year workers: rolled-up pay and accrual. Source: Working Time Regulations 1998 regs 15B, 16A."""

from __future__ import annotations

from dataclasses import dataclass

from pay_calc.domain.engine import rounding
from pay_calc.domain.engine.parameters import YearParameters
from pay_calc.domain.engine.trace import Node, Trace


def rolled_up(parameters: YearParameters, pay_for_work_pence: int, trace: Trace | None = None) -> int:
    """12.07 % of the pay for work done in the pay period, pence; its own line on the payslip."""
    pay = rounding.holiday_half_up_penny(pay_for_work_pence * parameters.holiday_rolled_up_bp, 10000)
    if trace is not None:
        trace.push(
            Node("holiday.rolled_up", "Rolled-up holiday pay", "ratio", pay, "pence", "pay for work done x 12.07 %", (),
                 (trace.given("holiday.pay_for_work", "Pay for work done", pay_for_work_pence, "pence", "pay lines that earn holiday"),),
                 factors=(parameters.holiday_rolled_up_bp,), divisor=10000, rounding="holiday_half_up_penny")
        )  # fmt: skip
    return pay


def basic_of_inclusive(parameters: YearParameters, gross_pence: int) -> int:
    """The basic part of a gross that already contains rolled-up holiday pay: gross / 1.1207, pence."""
    return rounding.holiday_basic_half_up_penny(gross_pence * 10000, 10000 + parameters.holiday_rolled_up_bp)


@dataclass(frozen=True, slots=True)
class LeaveAccrual:
    """`leave_minutes`: the statutory whole hours, as minutes. `ledger_minutes`: unrounded, for the ledger that loses nothing."""

    leave_minutes: int
    ledger_minutes: int


def accrue(parameters: YearParameters, minutes_worked: int) -> LeaveAccrual:
    """Leave of one pay period: 12.07 % of hours worked, under 30 minutes down and 30 or more up to the hour."""
    share = minutes_worked * parameters.holiday_rolled_up_bp
    return LeaveAccrual(
        rounding.leave_half_up_hour(share, 600000) * 60,
        rounding.leave_floor_minute(share, 10000),
    )
