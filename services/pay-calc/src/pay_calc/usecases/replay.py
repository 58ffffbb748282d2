"""Run a closed pay run again from its stored inputs and versions. It must agree to the penny.

A payslip can be proved only by the engine and the statutory figures that made it. Where this release no longer carries those, the
payslip is counted as not available, beside how many of them this release happens to work to the same penny; it is never called equal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal
from uuid import UUID

from pay_calc.domain.engine import ENGINE_VERSION
from pay_calc.domain.engine.errors import EngineError
from pay_calc.domain.slips import input_of
from pay_calc.rates import year_book
from pay_calc.store import slips
from pay_calc.usecases.recalculate import gbp, work
from paybill_common.db import Tx

PAGE = 500
DIFFERENCES_MAX = 200
_NOT_COMPARED = frozenset({"figures", "charges", "nmw_reason", "engine_version", "parameter_version"})
State = Literal["agrees", "differs", "not_available"]
Place = tuple[UUID, UUID]
"""Where a replay stands: worker and payslip of the last row."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure that came out otherwise; pence, or text for what is no amount."""

    payslip_id: UUID
    worker_id: UUID
    figure: str
    stored: str
    replayed: str


@dataclass(slots=True)
class NotAvailable:
    """Payslips of versions that this release does not carry. `same`: how many this release works to the same penny all the same."""

    payslips: int = 0
    same: int = 0


@dataclass(slots=True)
class Replay:
    """`payslips` = `equal` + `differing` + those not available. `versions`: the (engine, parameters) that made the stored results."""

    payslips: int = 0
    equal: int = 0
    differing: int = 0
    differences: list[Difference] = field(default_factory=list)
    versions: set[tuple[str, str]] = field(default_factory=set)
    not_available: dict[tuple[str, str], NotAvailable] = field(default_factory=dict)

    @property
    def state(self) -> State:
        if self.differing:
            return "differs"
        return "not_available" if self.not_available else "agrees"

    def as_json(self) -> dict[str, Any]:
        return {
            "payslips": self.payslips,
            "equal": self.equal,
            "differing": self.differing,
            "differences": [{key: str(value) for key, value in asdict(one).items()} for one in self.differences],
            "versions": sorted(list(pair) for pair in self.versions),
            "not_available": [
                {"engine_version": engine, "parameter_version": parameters, **asdict(found)}
                for (engine, parameters), found in sorted(self.not_available.items())
            ],
        }


def replay_of(raw: Mapping[str, Any]) -> Replay:
    """A replay as `Replay.as_json` wrote it."""
    return Replay(
        payslips=raw["payslips"],
        equal=raw["equal"],
        differing=raw["differing"],
        differences=[
            Difference(UUID(one["payslip_id"]), UUID(one["worker_id"]), one["figure"], one["stored"], one["replayed"])
            for one in raw["differences"]
        ],
        versions={(engine, parameters) for engine, parameters in raw["versions"]},
        not_available={
            (one["engine_version"], one["parameter_version"]): NotAvailable(one["payslips"], one["same"])
            for one in raw["not_available"]
        },
    )


async def replay(tx: Tx, *, agency_id: UUID, pay_run_id: UUID) -> Replay:
    """Every payslip of the run, its figures, lines and shares compared. Changes nothing."""
    outcome = Replay()
    after: Place | None = None
    while True:
        after = await replay_page(tx, agency_id=agency_id, pay_run_id=pay_run_id, after=after, outcome=outcome)
        if after is None:
            return outcome


async def replay_page(
    tx: Tx, *, agency_id: UUID, pay_run_id: UUID, after: Place | None, outcome: Replay, most: int = PAGE
) -> Place | None:
    """Replay the next `most` payslips into `outcome`; gives where to go on, None at the end of the run."""
    rows = await slips.of_run(tx, agency_id=agency_id, pay_run_id=pay_run_id, pay_basis=None, after=after, most=most)
    for row in rows:
        _one(row, outcome)
    return (rows[-1].worker_id, rows[-1].payslip_id) if len(rows) == most else None


def _one(row: Any, outcome: Replay) -> None:
    outcome.payslips += 1
    stored = load_json(row.result)
    made_by = (stored["engine_version"], stored["parameter_version"])
    outcome.versions.add(made_by)
    found = list(_differences(row, stored))
    if not carried(stored):
        missing = outcome.not_available.setdefault(made_by, NotAvailable())
        missing.payslips += 1
        missing.same += not found
    elif found:
        outcome.differing += 1
        room = DIFFERENCES_MAX - len(outcome.differences)
        outcome.differences += [
            Difference(row.payslip_id, row.worker_id, name, str(was)[:500], str(now)[:500])
            for name, was, now in found[:room]
        ]
    else:
        outcome.equal += 1


def carried(stored: Mapping[str, Any]) -> bool:
    """Whether this release holds the engine and the statutory figures that made a stored result."""
    if stored["engine_version"] != ENGINE_VERSION:
        return False
    if stored["tax_year"] is None:  # an amount before VAT: no statutory figure is in it
        return True
    year = year_book().years.get(stored["tax_year"])
    return year is not None and year.version == stored["parameter_version"]


def _differences(row: Any, stored: Mapping[str, Any]) -> list[tuple[str, object, object]]:
    """(what, as stored, as it comes out now) of everything that is not the same."""
    try:
        again = json.loads(json.dumps(work(input_of(load_json(row.inputs))).as_json()))
    except EngineError as error:
        return [("engine", "a result", f"{error.code}: {error.message}")]
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        return [("inputs", "a result", f"the stored inputs cannot be read: {type(error).__name__}")]
    was, now = stored["figures"], again["figures"]
    found: list[tuple[str, object, object]] = [
        (name, was.get(name, 0), now.get(name, 0)) for name in {**was, **now} if was.get(name, 0) != now.get(name, 0)
    ]
    found += [
        (name, stored[name], again.get(name))
        for name in stored
        if name not in _NOT_COMPARED and stored[name] != again.get(name)
    ]
    printed = {
        "gross_gbp": gbp(now["gross_pence"] + now["expenses_pence"]),
        "net_gbp": gbp(now["net_pence"]),
        "cost_gbp": gbp(now["cost_pence"]),
    }
    return found + [
        (name, getattr(row, name), amount) for name, amount in printed.items() if getattr(row, name) != amount
    ]


def load_json(raw: Any) -> Any:
    """A jsonb value as Python, whichever way the driver gave it."""
    return json.loads(raw) if isinstance(raw, str) else raw
