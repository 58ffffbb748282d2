"""The optional trace that turns a calculation into an explanation.

A rule function that is handed a `Trace` pushes one `Node` from the very variables it computed with; without a trace it
does nothing. Every node can be checked: `recompute` derives its result again from its children, its factors and its named
rounding, so an explanation cannot drift from the figure it explains.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pay_calc.domain.engine.rounding import ROUNDINGS

Unit = Literal["pence", "pounds", "pounds_4dp", "units_4dp", "minutes", "hours"]
Op = Literal["given", "sum", "ratio", "min", "max"]


@dataclass(frozen=True, slots=True)
class Node:
    """One step. `op` says how `result` follows:

    - given: a fact or a table's figure, named in `inputs`;
    - sum: children's results times `signs`;
    - ratio: the product of the children's results and `factors`, over `divisor`, through `rounding`;
    - min, max: of the children's results.
    """

    rule_id: str
    label: str
    op: Op
    result: int
    unit: Unit
    formula: str
    inputs: tuple[tuple[str, str], ...] = ()
    children: tuple[Node, ...] = ()
    signs: tuple[int, ...] = ()
    factors: tuple[int, ...] = ()
    divisor: int = 1
    rounding: str | None = None

    def unrounded(self) -> tuple[int, int]:
        """The exact value before rounding as numerator and denominator, in the node's unit."""
        if self.op != "ratio":
            return self.result, 1
        numerator = 1
        for child in self.children:
            numerator *= child.result
        for factor in self.factors:
            numerator *= factor
        return numerator, self.divisor


def recompute(node: Node) -> int:
    """The node's result again from what it stands on. Raises ValueError when a node names no known operation."""
    if node.op == "given":
        return node.result
    results = [child.result for child in node.children]
    if node.op == "sum":
        return sum(sign * result for sign, result in zip(node.signs, results, strict=True))
    if node.op == "min":
        return min(results)
    if node.op == "max":
        return max(results)
    if node.op == "ratio" and node.rounding is not None:
        return ROUNDINGS[node.rounding](*node.unrounded())
    raise ValueError(f"Node {node.rule_id} has no rounding for its ratio.")


@dataclass(slots=True)
class Trace:
    """Collects nodes while a calculation runs; the last pushed is the root. `aside`: what the employer pays on top, no part of net."""

    nodes: list[Node] = field(default_factory=list)
    aside: list[Node] = field(default_factory=list)

    def push(self, node: Node) -> Node:
        self.nodes.append(node)
        return node

    def pop(self) -> Node:
        return self.nodes.pop()

    def given(
        self, rule_id: str, label: str, result: int, unit: Unit, formula: str, inputs: tuple[tuple[str, str], ...] = ()
    ) -> Node:
        """A fact or a table's figure; returned, not pushed, for use as a child."""
        return Node(rule_id, label, "given", result, unit, formula, inputs)

    @property
    def root(self) -> Node:
        if len(self.nodes) != 1:
            raise ValueError(f"A finished trace has one root, this one has {len(self.nodes)}.")
        return self.nodes[0]


def text_of(amount: int, unit: Unit) -> str:
    """An integer in a node's unit as people read it."""
    sign, size = ("-", -amount) if amount < 0 else ("", amount)
    if unit == "pence":
        return f"{sign}{size // 100}.{size % 100:02d}"
    if unit in ("pounds_4dp", "units_4dp"):
        return f"{sign}{size // 10000}.{size % 10000:04d}"
    return f"{sign}{size}"


def unrounded_text(node: Node) -> str | None:
    """The exact value before rounding, in pounds, hours or minutes, cut after eight decimals."""
    if node.op != "ratio":
        return None
    scale = {"pence": 100, "pounds_4dp": 10000, "units_4dp": 10000}.get(node.unit, 1)
    numerator, denominator = node.unrounded()
    denominator *= scale
    sign, numerator = ("-", -numerator) if numerator < 0 else ("", numerator)
    whole, rest = divmod(numerator, denominator)
    decimals = f"{rest * 10**8 // denominator:08d}".rstrip("0").ljust(2, "0")
    return f"{sign}{whole}.{decimals}"
