"""Connected employers: name them, tell them what a person was paid, and work again what that changes."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from pay_calc.domain.connected import Elsewhere
from pay_calc.store import connected, facts
from pay_calc.usecases.recalculate import Drafted, recalculate
from paybill_common.db import Tx

AT_ONCE = 200


async def name_connected(tx: Tx, *, agency_id: UUID, others: Sequence[UUID], by: str) -> None:
    """Name the agencies that this one is connected with. What was told stays: payslips stand on it."""
    await facts.share_agencies(tx, [agency_id])
    await connected.replace(tx, agency_id=agency_id, others=sorted(set(others)), by=by)


def earned(worker_id: UUID, draft: Drafted) -> connected.Earned | None:
    """What a PAYE payslip charged for its own payday: late weeks are earnings periods of their own."""
    inp, result = draft.slip.inp, draft.slip.result
    if inp is None or result is None or inp.employee is None or inp.pay_basis != "paye" or result.ni_letter is None:
        return None

    def own(name: str) -> int:
        late: int = sum(each[name] for each in result.late)
        return result.figures[name] - late

    charged = Elsewhere(
        inp.payday_on,
        result.ni_letter,
        inp.employee.director is not None,
        own("niable_pence"),
        own("employee_nic_pence"),
        own("employer_nic_pence"),
        own("student_loan_pence"),
        own("postgrad_loan_pence"),
        inp.employee.student_loan_plan,
    )
    return connected.Earned(worker_id, draft.payslip_id, charged) if charged.niable_pence > 0 else None


async def work_again(tx: Tx, keys: Sequence[facts.Key]) -> None:
    """Work again the drafts of connected agencies' workers whom a closed run paid too."""
    await facts.share_agencies(tx, [agency for agency, _ in keys])
    await recalculate(tx, keys=await facts.lock_workers(tx, keys))
