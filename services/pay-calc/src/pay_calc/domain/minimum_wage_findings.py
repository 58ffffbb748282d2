"""Payslips that fail the minimum wage test or cannot be tested, and who put a name to it before the pay run closed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

Code = Literal["below_minimum_wage", "minimum_wage_not_tested"]


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Who looked at a finding and lets the pay proceed, when, why, and at which revision of the payslip."""

    by: str
    at: datetime
    reason: str
    revision: int


@dataclass(frozen=True, slots=True)
class MinimumWageFinding:
    """What the test found of one payslip. `shortfall_pence` is zero and `why` names the missing fact where it could not be made.
    `acknowledged`: of this payslip with this very finding, at this revision or an earlier one."""

    payslip_id: UUID
    worker_id: UUID
    worker: str | None
    revision: int
    code: Code
    shortfall_pence: int
    why: str
    worked_minutes: int
    gross_gbp: Decimal
    acknowledged: Acknowledged | None

    @property
    def detail(self) -> str:
        """The finding in a few words."""
        if self.code == "minimum_wage_not_tested":
            return self.why
        return f"{Decimal(self.shortfall_pence).scaleb(-2)} below the minimum wage"


@dataclass(frozen=True, slots=True)
class MinimumWageSummary:
    """How many payslips fail, how many could not be tested, what is short in all, and how many nobody has put a name to.
    `seen`: the mark of the latter, which a person who looked at them sends back; None: there are none."""

    below: int
    not_tested: int
    shortfall_pence: int
    unacknowledged: int
    seen: str | None


def unacknowledged(findings: Iterable[MinimumWageFinding]) -> list[MinimumWageFinding]:
    return [finding for finding in findings if finding.acknowledged is None]


def seen_of(findings: Iterable[MinimumWageFinding]) -> str | None:
    """A short mark of exactly these payslips with exactly these findings, whatever their order and revision; None: of none."""
    lines = sorted(f"{f.payslip_id} {f.code} {f.shortfall_pence} {f.why}" for f in findings)
    return hashlib.blake2b("\n".join(lines).encode(), digest_size=8).hexdigest() if lines else None


def summary_of(findings: Sequence[MinimumWageFinding]) -> MinimumWageSummary:
    below = sum(finding.code == "below_minimum_wage" for finding in findings)
    waiting = unacknowledged(findings)
    return MinimumWageSummary(
        below=below,
        not_tested=len(findings) - below,
        shortfall_pence=sum(finding.shortfall_pence for finding in findings),
        unacknowledged=len(waiting),
        seen=seen_of(waiting),
    )
