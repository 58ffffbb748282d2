"""Why a payslip says what it says: the same engine with a trace, as steps and in words; and why it pays other than the one before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pay_calc.domain.change_reason import Side, change_reason
from pay_calc.domain.engine.trace import Trace
from pay_calc.domain.explained import Step, Versions, explained
from pay_calc.domain.slips import SlipInput, SlipResult, input_of
from pay_calc.store import people, slips
from pay_calc.usecases.recalculate import decide_now, work
from pay_calc.usecases.replay import carried, load_json
from paybill_common.db import Tx


@dataclass(frozen=True, slots=True)
class Explanation:
    """`net`: the step of net pay, its lines below it. `employer`: what the employer bears on top. `inp`: everything it was worked out
    from. `made_by`: the versions that made the payslip; None while it is a draft. `agrees`: every figure came out as the payslip has it."""

    net: Step
    employer: tuple[Step, ...]
    inp: SlipInput
    worked_by: Versions
    made_by: Versions | None
    carried: bool
    agrees: bool

    @property
    def note(self) -> str | None:
        """What a reader must know before trusting the steps, or None."""
        if self.made_by is None or (self.carried and self.agrees):
            return None
        versions = f"engine {self.made_by.engine} and parameters {self.made_by.parameters}"
        now = f"engine {self.worked_by.engine} and parameters {self.worked_by.parameters}"
        if self.carried:
            return "The steps do not come to what the payslip says: its stored result was changed. Replay its pay run."
        same = "they come to the same figures" if self.agrees else "their figures are not those of the payslip"
        return f"The payslip was made by {versions}, which this release does not carry. The steps are those of {now}; {same}."


class NothingToExplain(Exception):
    """Nothing on this draft is payable, so nothing was worked out."""


async def explain(tx: Tx, *, agency_id: UUID, row: Any) -> Explanation:
    """Explain a payslip's row: a final one from its stored inputs, a draft from the facts of now. Raises NothingToExplain."""
    inp = await slip_input(tx, agency_id=agency_id, row=row)
    if inp is None:
        raise NothingToExplain(f"payslip {row.payslip_id} pays nothing yet: see what is held on it")
    placements = sorted({UUID(charge.placement_id) for charge in inp.charges})
    found = await people.placements_on_paper(tx, agency_id=agency_id, placements=placements)
    names = {str(placement): name for placement, name in found.items()}
    trace = Trace()
    result = work(inp, trace)
    worked_by = Versions(result.engine_version, result.parameter_version)
    stored = load_json(row.result) if row.inputs is not None else None
    return Explanation(
        net=explained(trace.root, worked_by, names),
        employer=tuple(explained(node, worked_by, names) for node in trace.aside),
        inp=inp,
        worked_by=worked_by,
        made_by=None if stored is None else Versions(stored["engine_version"], stored["parameter_version"]),
        carried=stored is None or carried(stored),
        agrees=stored is None or stored["figures"] == dict(result.figures),
    )


async def slip_input(tx: Tx, *, agency_id: UUID, row: Any) -> SlipInput | None:
    """What a payslip is worked out from: stored when it is final, of now while it is a draft; None when nothing on it is payable."""
    if row.inputs is not None:
        return input_of(load_json(row.inputs))
    for payslip_id, slip in await decide_now(tx, keys=[(agency_id, row.worker_id)]):
        if payslip_id == row.payslip_id:
            return slip.inp
    return None


async def change_reasons(tx: Tx, *, agency_id: UUID, rows: Sequence[Any]) -> Mapping[UUID, str]:
    """Why each of these final payslips pays other than the one before it, where there is something to say."""
    before = await slips.payslips_before(tx, agency_id=agency_id, payslips=[row.payslip_id for row in rows])
    reasons = {
        row.payslip_id: change_reason(_side(before[row.payslip_id]), _side(row))
        for row in rows
        if row.payslip_id in before
    }
    return {payslip_id: reason for payslip_id, reason in reasons.items() if reason is not None}


async def draft_change_reason(tx: Tx, *, agency_id: UUID, row: Any, inp: SlipInput, result: SlipResult) -> str | None:
    """The same of a draft, as it would be paid now."""
    before = await slips.payslips_before(tx, agency_id=agency_id, payslips=[row.payslip_id])
    if row.payslip_id not in before:
        return None
    return change_reason(_side(before[row.payslip_id]), Side(inp, result.as_json()))


def _side(row: Any) -> Side:
    return Side(input_of(load_json(row.inputs)), load_json(row.result))
