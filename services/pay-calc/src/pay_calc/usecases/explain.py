"""Why a payslip says what it says: the same engine with a trace, as a tree and in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pay_calc.domain.engine.trace import Trace, as_json, as_text
from pay_calc.domain.slips import SlipInput, input_of
from pay_calc.store import people
from pay_calc.usecases.recalculate import decide_now, work
from pay_calc.usecases.replay import load_json
from paybill_common.db import Tx


@dataclass(frozen=True, slots=True)
class Explanation:
    """`tree`: nodes with rule, label, inputs, formula, unrounded value, rounding, result and children. `words`: the same, indented.
    `inputs`: everything it was worked out from."""

    tree: dict[str, Any]
    words: str
    inputs: dict[str, Any]


class NothingToExplain(Exception):
    """Nothing on this draft is payable, so nothing was worked out."""


async def explain(tx: Tx, *, agency_id: UUID, row: Any) -> Explanation:
    """Explain a payslip's row: a final one from its stored inputs, a draft from the facts of now. Raises NothingToExplain."""
    inp = (
        input_of(load_json(row.inputs))
        if row.inputs is not None
        else await _draft_input(tx, agency_id=agency_id, row=row)
    )
    placements = {charge.placement_id for charge in inp.charges}
    found = await people.placements_on_paper(tx, agency_id=agency_id, placements=[UUID(p) for p in placements])
    names = {str(placement): name for placement, name in found.items()}
    trace = Trace()
    work(inp, trace)
    return Explanation(
        tree=_named(as_json(trace.root), names), words=_renamed(as_text(trace.root), names), inputs=inp.as_json()
    )


async def _draft_input(tx: Tx, *, agency_id: UUID, row: Any) -> SlipInput:
    for payslip_id, slip in await decide_now(tx, keys=[(agency_id, row.worker_id)]):
        if payslip_id == row.payslip_id and slip.inp is not None:
            return slip.inp
    raise NothingToExplain(f"payslip {row.payslip_id} pays nothing yet: see what is held on it")


def _named(node: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return node | {
        "label": _renamed(node["label"], names),
        "children": [_named(child, names) for child in node["children"]],
    }


def _renamed(text: str, names: Mapping[str, str]) -> str:
    for placement_id, name in names.items():
        text = text.replace(placement_id, name)
    return text
