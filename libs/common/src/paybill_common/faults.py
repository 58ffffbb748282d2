"""Named points that a simulation may crash at. In production every point is passed for free."""

from __future__ import annotations

from typing import Protocol


class Faults(Protocol):
    def reach(self, point: str) -> None:
        """Called when execution reaches `point`; may raise to simulate the death of the process there."""
        ...


class NoFaults:
    def reach(self, point: str) -> None:
        return None
