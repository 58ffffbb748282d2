"""Run a closed pay run again from its stored inputs. It must agree to the penny."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.slips import FIGURES, input_of
from pay_calc.store import slips
from pay_calc.usecases.recalculate import work
from paybill_common.db import Tx

PAGE = 500
DIFFERENCES_MAX = 200


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure that came out otherwise; pence, or text for what is no amount."""

    payslip_id: UUID
    worker_id: UUID
    figure: str
    stored: str
    replayed: str


@dataclass(slots=True)
class Replay:
    payslips: int = 0
    equal: int = 0
    differences: list[Difference] = field(default_factory=list)
    engine_versions: set[str] = field(default_factory=set)
    """Versions that made the stored results; a replay uses this release's."""


async def replay(tx: Tx, *, agency_id: UUID, pay_run_id: UUID) -> Replay:
    """Every payslip of the run, its figures, lines and shares compared. Changes nothing."""
    outcome = Replay()
    after: tuple[UUID, UUID] | None = None
    while True:
        rows = await slips.of_run(
            tx, agency_id=agency_id, pay_run_id=pay_run_id, pay_basis=None, after=after, most=PAGE
        )
        for row in rows:
            _one(row, outcome)
        if len(rows) < PAGE:
            return outcome
        after = (rows[-1].worker_id, rows[-1].payslip_id)


def _one(row: Any, outcome: Replay) -> None:
    outcome.payslips += 1
    stored = load_json(row.result)
    outcome.engine_versions.add(stored["engine_version"])
    try:
        again = json.loads(json.dumps(work(input_of(load_json(row.inputs))).as_json()))
    except EngineError as error:
        _differs(outcome, row, "engine", "a result", f"{error.code}: {error.message}")
        return
    found = [
        (name, stored["figures"][name], again["figures"][name])
        for name in FIGURES
        if stored["figures"][name] != again["figures"][name]
    ]
    found += [
        (name, stored[name], again[name])
        for name in ("lines", "shares", "tax_year", "tax_period", "tax_basis", "ni_letter", "bands", "nmw", "minutes")
        if stored[name] != again[name]
    ]
    if not found:
        outcome.equal += 1
    for name, was, now in found:
        _differs(outcome, row, name, str(was), str(now))


def _differs(outcome: Replay, row: Any, figure: str, stored: str, replayed: str) -> None:
    if len(outcome.differences) < DIFFERENCES_MAX:
        outcome.differences.append(Difference(row.payslip_id, row.worker_id, figure, stored[:500], replayed[:500]))


def load_json(raw: Any) -> Any:
    """A jsonb value as Python, whichever way the driver gave it."""
    return json.loads(raw) if isinstance(raw, str) else raw
