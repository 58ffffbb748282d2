"""What belongs to an earnings period rather than to a payslip, where a payslip pays for several periods or moves several NI letters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class EarningsPeriodToDate:
    """What earlier payslips already charged in the same earnings period, pence: NIC, loans and pension belong to the period, not
    the payslip, so a second payment is charged on the total less this."""

    niable_pence: int = 0
    employee_nic_pence: int = 0
    employer_nic_pence: int = 0
    student_loan_pence: int = 0
    postgrad_loan_pence: int = 0
    pensionable_pay_pence: int = 0
    employee_pension_pence: int = 0
    employer_pension_pence: int = 0


NOTHING_CHARGED = EarningsPeriodToDate()


@dataclass(frozen=True, slots=True)
class LatePeriod:
    """Pay that was owed on an earlier payday: an earnings period of its own, beside the payslip's.

    `lines` are indexes of the pay lines that belong to it, `charged` what was charged on its pay before, under `letter` (None: nothing was,
    and the age on that payday decides). Loans are left out where that payday was before they were collected.
    """

    reference: str
    payday_on: date
    lines: tuple[int, ...]
    charged: EarningsPeriodToDate = NOTHING_CHARGED
    letter: str | None = None
    student_loan: bool = True
    postgrad_loan: bool = True


@dataclass(frozen=True, slots=True)
class LateCharge:
    """What a payslip charges on a late period, pence; part of the payslip's own figures. `niable` and `basic` are the pay itself."""

    reference: str
    letter: str
    niable_pence: int
    basic_pence: int
    employee_nic_pence: int
    employer_nic_pence: int
    student_loan_pence: int
    postgrad_loan_pence: int
    employee_pension_pence: int
    employer_pension_pence: int


@dataclass(frozen=True, slots=True)
class NicPart:
    """What one NI letter's figures to date move by, pence, with the FPS band columns."""

    letter: str
    niable_pence: int
    at_lel_pence: int
    lel_to_pt_pence: int
    pt_to_uel_pence: int
    employee_pence: int
    employer_pence: int


def joined(parts: Iterable[NicPart]) -> tuple[NicPart, ...]:
    """One part a letter, in the order in which letters first come."""
    found: dict[str, NicPart] = {}
    for part in parts:
        was = found.get(part.letter)
        found[part.letter] = (
            part
            if was is None
            else NicPart(
                part.letter,
                was.niable_pence + part.niable_pence,
                was.at_lel_pence + part.at_lel_pence,
                was.lel_to_pt_pence + part.lel_to_pt_pence,
                was.pt_to_uel_pence + part.pt_to_uel_pence,
                was.employee_pence + part.employee_pence,
                was.employer_pence + part.employer_pence,
            )
        )
    return tuple(found.values())
